"""How fast a sweep is: against the loop of single runs, and against torch.func.vmap of the same if torch is installed.

All take turns in one run, each on one thread, and keep their best time, of the processor and not of the clock: what
else the machine does stays out of it. No run diverges, so none is dropped. The sweep notes every loss, and so does
vmap; the loop does not. `python tests/benchmarks/bench_sweep.py --json FILE` writes the numbers down.
"""

import argparse
import json
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from tables import Bar, as_json, show_bars, show_table

from backprop_lab import random_problem, sweep

ROUNDS = 7
LOOP, VMAP = "loop of single runs", "torch.func.vmap"
SIZES = {(1, 1): 500, (10, 10): 500, (64, 64): 500, (100, 100): 100, (1000, 1000): 20}  # seeds x lrs: steps
GROWN = [(64, 64, 500), (128, 64, 500), (64, 64, 1000)]


def learning_rates(number: int) -> np.ndarray:
    return np.logspace(-5, -3, number)


def sweep_ns(seeds: int, lrs: int, steps: int) -> float:
    """Nanoseconds a run and step, all in: making the problems, training, noting the losses."""
    start = process_time()
    result = sweep(range(seeds), learning_rates(lrs), steps=steps)
    took = process_time() - start
    assert (result.diverged < 0).all()
    return took / (seeds * lrs * steps) * 1e9


def loop_ns(runs: int = 4, steps: int = 500) -> float:
    """The same for runs one by one, of which a few are enough."""
    problems = [random_problem(seed, lr=1e-4) for seed in range(runs)]
    start = process_time()
    for problem in problems:
        network = problem.network
        for _ in range(steps):
            network = network.update(network.gradients(problem.loss, problem.X, problem.y), problem.lr)
    return (process_time() - start) / (runs * steps) * 1e9


def vmap_ns() -> Callable[[int, int], float]:
    """The same for PyTorch: gradient and loss of every run by vmap, in double precision, and one update for all."""
    import torch
    from torch.func import grad_and_value, vmap

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        W1, b1, W2, b2 = parameters
        return ((torch.relu(X @ W1 + b1) @ W2 + b2 - y) ** 2).sum()

    step = vmap(grad_and_value(loss))
    torch.set_num_threads(1)

    def measure(runs: int, steps: int) -> float:
        shapes = ((3, 4), (1, 4), (4, 2), (1, 2), (2, 3), (2, 2))
        *parameters, X, y = (torch.randn(runs, *shape, dtype=torch.float64) for shape in shapes)
        lr = torch.full((runs, 1, 1), 1e-4, dtype=torch.float64)
        losses = []
        start = process_time()
        for _ in range(steps):
            grads, value = step(tuple(parameters), X, y)
            losses.append(value)
            parameters = [p - lr * grad for p, grad in zip(parameters, grads, strict=True)]
        return (process_time() - start) / (runs * steps) * 1e9

    return measure


def beside_the_result(seeds: int, lrs: int, steps: int) -> tuple[float, float]:
    """The megabytes that a sweep keeps, and what it takes at most beside them."""
    tracemalloc.start()
    result = sweep(range(seeds), learning_rates(lrs), steps=steps)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.step == steps
    return kept / 1e6, (peak - kept) / 1e6


def main() -> dict[str, Any]:
    rivals = {VMAP: vmap_ns()} if find_spec("torch") else {}
    sizes: dict[int, dict[str, float]] = {}
    for (seeds, lrs), steps in SIZES.items():
        runs = seeds * lrs
        best = dict.fromkeys(("sweep", LOOP, *rivals), np.inf)
        for _ in range(ROUNDS if runs < 10**6 else 2):
            best["sweep"] = min(best["sweep"], sweep_ns(seeds, lrs, steps))
            best[LOOP] = min(best[LOOP], loop_ns())
            for name, rival in rivals.items():
                best[name] = min(best[name], rival(runs, min(steps, 50) if runs < 10**6 else 3))
        sizes[runs] = best
    show_table(
        f"Steps a second, 2 samples, 3-4-2, best of {ROUNDS}",
        ("runs", "sweep, ns a run and step", "steps/s", "x loop", *(f"x {name}" for name in rivals)),
        [
            (
                f"{runs:,}",
                best["sweep"],
                1e9 / best["sweep"],
                best[LOOP] / best["sweep"],
                *(best[name] / best["sweep"] for name in rivals),
            )
            for runs, best in sizes.items()
        ],
    )

    took = {size: min(sweep_ns(*size) for _ in range(ROUNDS)) for size in GROWN}
    memory = {size: beside_the_result(*size) for size in GROWN}
    show_table(
        "Time grows with runs and steps, memory with the result alone",
        ("seeds x lrs x steps", "seconds", "ns a run and step", "MB kept", "MB beside"),
        [(" x ".join(map(str, size)), took[size] * np.prod(size) / 1e9, took[size], *memory[size]) for size in GROWN],
    )

    map_ = sizes[64 * 64]
    bars = [Bar("64 x 64 runs: x faster than the loop", map_[LOOP] / map_["sweep"], 30, at_least=True)]
    if rivals:
        bars.append(Bar("64 x 64 runs: x faster than vmap", map_[VMAP] / map_["sweep"], 1, at_least=True))
    bars += [
        Bar("twice the runs: time, x", 2 * took[GROWN[1]] / took[GROWN[0]], 2.2),
        Bar("twice the steps: time, x", 2 * took[GROWN[2]] / took[GROWN[0]], 2.2),
        Bar("most memory beside the result, MB", max(beside for _, beside in memory.values()), 8),
    ]
    show_bars(bars)
    return {
        "ns a run and step": {str(runs): best for runs, best in sizes.items()},
        "grown": {" x ".join(map(str, size)): {"ns": took[size], "MB": memory[size]} for size in GROWN},
        "bars": as_json(bars),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE")
    file = parser.parse_args().json
    found = main()
    if file:
        file.write_text(json.dumps(found, indent=1) + "\n")
