"""What the kernel spends its time on: the arithmetic against plain NumPy and PyTorch, a frame of the lab, imports.

Each part runs in a process of its own, on one thread, and what is compared takes turns in it.
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tables import Bar, as_json, show_bars, show_table

from backprop_lab import Problem, prove, random_problem, trace, worked_example

Times = dict[str, float]
LARGE = {"samples": 512, "inputs": 784, "hidden": 1024, "outputs": 10}


def fastest(ways: dict[str, Callable[[], Any]], rounds: int, calls: int, inside: Mapping[str, int] = {}) -> Times:
    """Seconds that each way takes, the best of some rounds in which they take turns.

    `inside` says of a way how often one call of it does the thing, if that is more than once.
    """
    best = dict.fromkeys(ways, float("inf"))
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            times = inside.get(name, 1)
            turns = max(1, calls // times)
            start = time.perf_counter()
            for _ in range(turns):
                way()
            best[name] = min(best[name], (time.perf_counter() - start) / turns / times)
    return best


# The arithmetic


def straight_line(problem: Problem) -> Callable[[], Any]:
    """The original's lines, as they stand, but for the update, which leaves the old weights as they were."""
    W1, b1, W2, b2 = (p.copy() for p in problem.network.parameters.values())
    X, y, lr = problem.X.copy(), problem.y.copy(), problem.lr

    def step() -> Any:
        Y1 = X.dot(W1) + b1
        H1 = np.maximum(Y1, 0)
        y_pred = H1.dot(W2) + b2
        L = 2 * np.mean(y_pred - y)
        dy_pred = 2 * (y_pred - y)
        dH1 = dy_pred.dot(W2.T)
        dW2 = H1.T.dot(dy_pred)
        db2 = dy_pred.sum(axis=0)
        dY1 = dH1 * (H1 > 0)
        dW1 = X.T.dot(dY1)
        db1 = dY1.sum(axis=0)
        return L, W1 - lr * dW1, b1 - lr * db1, W2 - lr * dW2, b2 - lr * db2

    return step


def gradients_and_update(problem: Problem) -> Callable[[], Any]:
    network, loss, X, y, lr = problem.network, problem.loss, problem.X, problem.y, problem.lr
    return lambda: network.update(network.gradients(loss, X, y), lr)


def values_of(problem: Problem) -> list[Any]:
    return [step.value for step in trace(problem).steps]


def pytorch(problem: Problem) -> Callable[[], Any]:
    """The same step in PyTorch as it comes: no compilation, no optimizer."""
    import torch

    torch.set_num_threads(1)
    parameters = [torch.tensor(p, requires_grad=True) for p in problem.network.parameters.values()]
    X, y, lr = torch.tensor(problem.X), torch.tensor(problem.y), problem.lr

    def step() -> Any:
        W1, b1, W2, b2 = parameters
        L = (((X @ W1 + b1).relu() @ W2 + b2 - y) ** 2).sum()
        gradients = torch.autograd.grad(L, parameters)
        with torch.no_grad():
            return L, [p - lr * dp for p, dp in zip(parameters, gradients, strict=True)]

    return step


def arithmetic() -> dict[str, Times]:
    found = {}
    for size, problem, rounds, calls, trained in [
        ("original size", worked_example(), 100, 100, 100),
        ("N=512, D=784, H=1024, K=10", random_problem(0, **LARGE, lr=1e-6), 40, 1, 2),
    ]:
        ways = {
            "straight-line NumPy": straight_line(problem),
            "gradients + update": gradients_and_update(problem),
            "in training": partial(problem.trained, [problem.lr] * trained),
            "trace": partial(trace, problem),
            "trace, its steps read": partial(values_of, problem),
        }
        if find_spec("torch"):
            ways["PyTorch eager"] = pytorch(problem)
        found[size] = fastest(ways, rounds, calls, {"in training": trained})
    return found


def proof() -> float:
    """Seconds to prove a gradient of a fresh trace, on average over all of them."""
    p = worked_example()
    of = [f"d{name}" for name in (*p.parameters, "Y1", "H1", "y_pred")]
    return sum(fastest({name: lambda name=name: prove(trace(p), name) for name in of}, 30, 3).values()) / len(of)


# Programs


def plainly(problem: Problem) -> Callable[[int], Any]:
    """All lines of a step as one function with nothing around it, called again and again: some steps of it."""
    lines, new = problem.lines, [*problem.lines.replacing.values()]
    body = "".join(f"        {step.name} = {step.code}\n" for step in lines)
    turn = "".join(f"        {of} = {name}\n" for of, name in lines.replacing.items())
    scope = {"np": np, **problem.data, "lr": problem.lr, **{f"{name}_0": p for name, p in problem.parameters.items()}}
    starts = "".join(f"    {name} = {name}_0\n" for name in problem.parameters)
    exec(f"def steps(n):\n{starts}    for _ in range(n):\n{body}{turn}    return {', '.join(new)}", scope)
    return scope["steps"]  # type: ignore[return-value]


def programs() -> dict[str, Times]:
    """Seconds of a step of each example, in training and as plain NumPy, and of deriving each."""
    from backprop_lab.deriving.program import derive
    from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS

    found = {}
    for name, make in EXAMPLE_PROGRAMS.items():
        p: Any = make()
        ways = {
            "training": partial(p.trained, [p.lr] * 100),
            "plain NumPy": partial(plainly(p), 100),
            "deriving": partial(derive, p._text, p.parameters, p.data),
        }
        times = fastest(ways, rounds=100, calls=1)
        found[name] = {way: seconds / (1 if way == "deriving" else 100) for way, seconds in times.items()}
    return found


# A frame of the lab


class Stopwatch:
    """Adds up the time spent in each part, without that of the parts inside it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._now, self._since = "", time.perf_counter()

    def _turn_to(self, part: str) -> str:
        before, now = self._now, time.perf_counter()
        self.spent[before] += now - self._since
        self._now, self._since = part, now
        return before

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        before = self._turn_to(name)
        try:
            yield
        finally:
            self._turn_to(before)

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Time every call of a function of `owner` as a part."""
        inner = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.part(part):
                return inner(*arguments, **named)

        setattr(owner, name, timed)


ARITHMETIC, CELLS, DRAWING, PNG = "arithmetic", "cells and numbers", "other drawing", "PNG"
BLOCK = "seed of a transformer block"
CARD, PROOF, WIDGETS = "card and alt text", "numeric proof", "widgets and messages"
PAUSE = "pause, the picture being on its way"
PARTS = (ARITHMETIC, CELLS, DRAWING, PNG, CARD, PROOF, WIDGETS, PAUSE)


def opened_lab(**place: Any) -> Any:
    """A lab that a page of 880 pixels shows."""
    from backprop_lab.ui import StepThrough

    lab = StepThrough(**place)
    lab._heard("page", PAGE)
    return lab


PAGE = {"map": [880, 345], "operation": [380, 200], "ratio": 1.0, "dark": False}


def move(slider: Any, value: float) -> None:
    """What the kernel does with the message that a slider was moved."""
    data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    slider._handle_msg({"content": {"data": data}, "buffers": []})


def frame() -> dict[str, Times]:
    """Milliseconds of each part of a frame at step dW1, and bytes of its picture. Runs inside a kernel."""
    from backprop_lab.training.history import Training
    from backprop_lab.ui.board.board import Board
    from backprop_lab.ui.board.cells import CellPainter
    from backprop_lab.ui.board.operation import Operation
    from backprop_lab.ui.steps import lab as steps_lab
    from backprop_lab.ui.steps import words
    from backprop_lab.ui.steps.setup import Setup

    watch = Stopwatch()
    for owner, parts in (
        (Training, {"remembered": ARITHMETIC}),
        (Setup, {"problem": ARITHMETIC}),
        (Board, {"draw": DRAWING, "png": PNG}),
        (Operation, {"draw": DRAWING, "png": PNG}),
        (CellPainter, {"fill": CELLS}),
        (steps_lab, {"let_go_ahead": PAUSE}),
        (words, {"card": CARD, "remarks_on": CARD, "alt_text": CARD, "prove": PROOF}),
    ):
        for name, part in parts.items():
            watch.watch(owner, name, part)

    lab, block = opened_lab(step="dW1", lr=0.1), opened_lab(start="transformer block", step="dWq")
    watch.watch(lab._pictures[0].axes, "draw_artist", DRAWING)
    sliders = {
        "learning rate": (lab, lab._controls.lr, [10 ** (k / 20 - 1) for k in range(40)]),
        "seed": (lab, lab._controls.seed, list(range(1, 41))),
        BLOCK: (block, block._controls.seed, list(range(1, 41))),
    }
    found: dict[str, list[Times]] = {name: [] for name in sliders}
    for turn in range(200):
        for name, (shown, slider, values) in sliders.items():
            watch.spent.clear()
            start = time.perf_counter()
            with watch.part(WIDGETS):
                move(slider, values[turn % len(values)])
            whole = time.perf_counter() - start
            parts = {part: 1000 * watch.spent[part] for part in PARTS}
            found[name].append(parts | {"whole": 1000 * whole, "bytes of picture": len(shown._view.picture)})
            time.sleep(0.005)  # for the thread that sends
    return {name: undisturbed(times) for name, times in found.items()}


def undisturbed(times: list[Times]) -> Times:
    """The means over the fastest quarter of the frames, so that the parts add up to the whole."""
    quick = sorted(times, key=lambda each: each["whole"])[: len(times) // 4]
    return {name: float(np.mean([each[name] for each in quick])) for name in quick[0]}


def in_kernel(call: str) -> Any:
    """What a call of this module gives when a Jupyter kernel runs it."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    said: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        content = message["content"]
        said.append(content.get("text") or "\n".join(content.get("traceback", [])))

    try:
        client.execute_interactive(f"import json, bench_kernel\nprint(json.dumps({call}))", output_hook=hear)
    finally:
        manager.shutdown_kernel(now=True)
    return json.loads("".join(said))


def map_of_runs(optimizer: str = "gradient descent") -> float:
    """Milliseconds from a slider to the new map of 32 x 64 runs, at best: training, drawing and telling of them."""
    from backprop_lab.ui import LearningRateLab
    from backprop_lab.ui.rates import sweeper

    sweeper.LEARNING_RATES = tuple(np.logspace(-4, 1, 64))
    lab = LearningRateLab(optimizer=optimizer)
    lab._heard("page", {"width": 880, "height": 800, "ratio": 1.0, "dark": False})
    best = np.inf
    for turn in range(12):
        start = time.perf_counter()
        for _ in lab.sweeper.train(hidden=4 + turn % 2):
            pass
        best = min(best, time.perf_counter() - start)
        assert lab.sweeper.state.runs.shape == (32, 64)
    return 1000 * best


# Ten thousand iterations


def history() -> Times:
    """A frame at iteration 0 and at 10,000, in milliseconds, and how much memory 9,000 iterations on the page take."""
    import psutil

    labs = {"iteration 0": opened_lab(), "iteration 10,000": opened_lab(iteration=10_000)}
    rates = iter(np.geomspace(1e-6, 1e-5, 10_000).tolist())
    ways = {name: lambda lab=lab: lab.stepper.set_lr(next(rates)) for name, lab in labs.items()}
    found = {name: 1000 * seconds for name, seconds in fastest(ways, rounds=300, calls=1).items()}

    lab = opened_lab(start="random", lr=1e-3, step="dW1")
    process = psutil.Process()
    for iteration in range(10_000):
        if iteration == 1000:
            gc.collect()
            before = process.memory_info().rss
        lab.stepper.next_iteration()
    gc.collect()
    return found | {"MB": (process.memory_info().rss - before) / 1e6}


# Imports


IMPORTS = {
    "import numpy": "import numpy",
    "import backprop_lab": "import backprop_lab",
    "a first trace": "from backprop_lab import trace, worked_example\ntrace(worked_example())",
    "import ipywidgets, Agg": "import ipywidgets, matplotlib.figure, matplotlib.backends.backend_agg",
    "import anywidget too": "import ipywidgets, anywidget, matplotlib.figure, matplotlib.backends.backend_agg",
    "import StepThrough": "from backprop_lab.ui import StepThrough",
}


def imports() -> Times:
    """Milliseconds inside a fresh Python that has found its files before."""
    best = dict.fromkeys(IMPORTS, float("inf"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(12):
        for name, line in IMPORTS.items():
            timed = f"import time\nstart = time.perf_counter()\n{line}\nprint(time.perf_counter() - start)"
            command = [sys.executable, "-c", timed]
            run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            best[name] = min(best[name], 1000 * float(run.stdout))
    return best


# All together


def in_own_process(part: str) -> Any:
    """What `part()` gives in a fresh process, where NumPy keeps to one thread and a kernel finds this module."""
    environment = os.environ | {
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
    }
    call = f"import json, bench_kernel\nprint(json.dumps({part}))"
    run = subprocess.run([sys.executable, "-c", call], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def main() -> dict[str, Any]:
    bars: list[Bar] = []
    sums = in_own_process("bench_kernel.arithmetic()")
    rows = []
    for size, times in sums.items():
        straight = times["straight-line NumPy"]
        rows += [(f"{name}, {size}", 1e6 * seconds, seconds / straight) for name, seconds in times.items()]
    show_table("One training step, best of many", ("", "microseconds", "x straight line"), rows)
    bounds = [("gradients + update", 1.45), ("in training", 1.25), ("trace", 1.6), ("trace, its steps read", 2.0)]
    for size, way, limit in [*((0, *bound) for bound in bounds), (1, "gradients + update", 0.95)]:
        name, times = list(sums.items())[size]
        bars.append(Bar(f"{way}, {name}: x straight line", times[way] / times["straight-line NumPy"], limit))

    examples = in_own_process("bench_kernel.programs()")
    rows = [(name, *(1e6 * times[way] for way in ("training", "plain NumPy")), 1e3 * times["deriving"])
            for name, times in examples.items()]  # fmt: skip
    show_table("A step of each program", ("", "in training, microseconds", "plain NumPy", "deriving it, ms"), rows)
    worst = max(times["training"] / times["plain NumPy"] for times in examples.values())
    bars.append(Bar("a step of a program in training, the worst of eight: x plain NumPy", worst, 1.3))
    bars.append(Bar("deriving a transformer block, ms", 1e3 * examples["transformer block"]["deriving"], 120))

    frames = in_own_process("bench_kernel.in_kernel('bench_kernel.frame()')")
    names = list(next(iter(frames.values())))
    rows = [(name, *(times[name] for times in frames.values())) for name in names]
    show_table("A frame in the kernel, at step dW1: milliseconds, the fastest quarter of 200", ("", *frames), rows)

    block = frames[BLOCK]["whole"] - frames[BLOCK][PROOF] - frames[BLOCK][PAUSE]
    bars.append(Bar("a frame of a transformer block in the kernel, without its proof, ms", block, 15))
    bars.append(Bar("a proof of a gradient of the worked example, ms", 1e3 * in_own_process("bench_kernel.proof()"), 1))

    redrawn = in_own_process("bench_kernel.in_kernel('bench_kernel.map_of_runs()')")
    with_adam = in_own_process("""bench_kernel.in_kernel('bench_kernel.map_of_runs("Adam")')""")
    straight = 1e6 * next(iter(sums.values()))["straight-line NumPy"]  # on a quick machine 14 microseconds
    rows = [("from slider to picture", redrawn), ("with Adam", with_adam)]
    show_table("The map of 32 x 64 runs of 300 steps", ("", "ms"), rows)
    bars.append(Bar("the map of 32 x 64 runs of 300 steps: x a straight-line step, thousands", redrawn / straight, 5.7))
    bars.append(Bar("the same with Adam", with_adam / straight, 8.6))
    past = in_own_process("bench_kernel.history()")
    show_table("Ten thousand iterations", ("", "ms a frame or MB"), list(past.items()))
    bars.append(Bar("a frame at iteration 10,000: x at 0", past["iteration 10,000"] / past["iteration 0"], 1.1))
    bars.append(Bar("memory that 9,000 iterations take, MB", past["MB"], 5))

    loads = in_own_process("bench_kernel.imports()")
    show_table("Imports, best of 12", ("", "ms"), list(loads.items()))
    bars.append(Bar("a first trace: x import numpy", loads["a first trace"] / loads["import numpy"], 1.3))
    show_bars(bars)
    return {
        "arithmetic": sums,
        "programs": examples,
        "frame": frames,
        "map": {"gradient descent": redrawn, "Adam": with_adam},
        "history": past,
        "imports": loads,
        "bars": as_json(bars),
    }


if __name__ == "__main__":
    main()
