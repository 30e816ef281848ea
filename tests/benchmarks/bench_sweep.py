"""How fast a sweep is: against the loop of single runs, and against JAX and torch.func.vmap where they are installed.

All take turns in one run, each on one thread, and keep their best time, of the processor and not of the clock: what
else the machine does stays out of it. No run diverges, so none is dropped. All note every loss, in double precision,
but for the loop; JAX and vmap start from the same numbers as the sweep, and must end at the same losses. What these two
take to get going, compiling among it, is not counted; for the sweep, recording is.
`python tests/benchmarks/bench_sweep.py --json FILE` writes the numbers down.
"""

import argparse
import json
import os
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from tables import Bar, as_json, show_bars, show_table

from backprop_lab import Adam, random_problem, sweep
from backprop_lab.step.example_programs import rnn
from backprop_lab.step.random_problems import redrawn

ROUNDS = 7
LOOP, VMAP, JAX = "loop of single runs", "torch.func.vmap", "JAX: vmap, scan, jit"
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


Rival = Callable[[tuple[np.ndarray, ...], int], np.ndarray]  # the numbers of all runs, the steps: the losses


def numbers_of(seeds: int, lrs: int) -> tuple[np.ndarray, ...]:
    """W1, b1, W2, b2, X, y and the learning rate of every run of a sweep, run by run."""
    problems = [random_problem(seed) for seed in range(seeds)]
    each = [(*problem.network.parameters.values(), problem.X, problem.y) for problem in problems]
    stacks = [np.repeat(np.stack(arrays), lrs, axis=0) for arrays in zip(*each, strict=True)]
    return *stacks, np.tile(learning_rates(lrs), seeds)[:, None, None]


def rival_ns(rival: Rival, seeds: int, lrs: int, steps: int) -> float:
    """Nanoseconds a run and step, all in, once it is warm. It must find the losses of the sweep."""
    rival(numbers_of(seeds, lrs), steps)
    start = process_time()
    losses = rival(numbers_of(seeds, lrs), steps)
    took = process_time() - start
    ours = sweep(range(seeds), learning_rates(lrs), steps=steps).loss[..., :steps]
    assert np.allclose(losses.T.reshape(ours.shape), ours, rtol=1e-9)
    return took / (seeds * lrs * steps) * 1e9


def vmap_rival() -> Rival:
    """PyTorch: gradient and loss of every run by vmap, and one update for all."""
    import torch
    from torch.func import grad_and_value, vmap

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        W1, b1, W2, b2 = parameters
        return ((torch.relu(X @ W1 + b1) @ W2 + b2 - y) ** 2).sum()

    step = vmap(grad_and_value(loss))
    torch.set_num_threads(1)

    def train(numbers: tuple[np.ndarray, ...], steps: int) -> np.ndarray:
        *parameters, X, y, lr = map(torch.from_numpy, numbers)
        losses = []
        for _ in range(steps):
            grads, value = step(tuple(parameters), X, y)
            losses.append(value)
            parameters = [p - lr * grad for p, grad in zip(parameters, grads, strict=True)]
        return torch.stack(losses).numpy()

    return train


def jax_rival() -> Rival:
    """JAX: all steps of all runs as one compiled program."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    import jax
    from jax import lax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        W1, b1, W2, b2 = parameters
        return ((jnp.maximum(X @ W1 + b1, 0) @ W2 + b2 - y) ** 2).sum()

    gradients = jax.vmap(jax.value_and_grad(loss))

    def train(numbers: Any, steps: int) -> Any:
        *parameters, X, y, lr = numbers

        def step(parameters: Any, _: Any) -> Any:
            value, grads = gradients(parameters, X, y)
            return [p - lr * grad for p, grad in zip(parameters, grads, strict=True)], value

        return lax.scan(step, parameters, None, length=steps)[1]

    compiled = jax.jit(train, static_argnums=1)
    return lambda numbers, steps: np.asarray(compiled(numbers, steps))


def recurrent_ns(seeds: int, lrs: int, steps: int) -> dict[str, float]:
    """The same for the recurrent network of the examples: by a sweep, and by JAX on the same lines."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    problem, rates = rnn(), learning_rates(lrs)
    forward = [f"    {step.name} = {step.code}" for step in problem.lines if step.phase in ("forward", "loss")]
    scope: dict[str, Any] = {"np": jnp}
    exec("\n".join([f"def loss({', '.join((*problem.parameters, *problem.data))}):", *forward, "    return L"]), scope)
    gradients = jax.vmap(jax.value_and_grad(scope["loss"], tuple(range(len(problem.parameters)))),
                         (0,) * len(problem.parameters) + (None,) * len(problem.data))  # fmt: skip

    def train(parameters: Any, lr: Any) -> Any:
        def step(parameters: Any, _: Any) -> Any:
            value, grads = gradients(*parameters, *problem.data.values())
            return [p - lr * grad for p, grad in zip(parameters, grads, strict=True)], value

        return lax.scan(step, parameters, None, length=steps)[1]

    def by_jax() -> np.ndarray:
        starts = [redrawn(problem, seed).parameters.values() for seed in range(seeds)]
        stacks = [np.repeat(np.stack(arrays), lrs, axis=0) for arrays in zip(*starts, strict=True)]
        return np.asarray(compiled(stacks, np.tile(rates, seeds)[:, None, None]))

    compiled = jax.jit(train)
    ours = sweep(range(seeds), rates, steps, problem=problem).loss[..., :steps]
    assert np.allclose(by_jax().T.reshape(ours.shape), ours, rtol=1e-9)
    best = {"sweep": np.inf, JAX: np.inf}
    for _ in range(ROUNDS):
        for name, way in (("sweep", lambda: sweep(range(seeds), rates, steps, problem=problem)), (JAX, by_jax)):
            start = process_time()
            way()
            best[name] = min(best[name], (process_time() - start) / (seeds * lrs * steps) * 1e9)
    return best


def adam_ns(seeds: int, lrs: int, steps: int) -> dict[str, float]:
    """The same with Adam, whose memories JAX has beside the parameters of each run."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        W1, b1, W2, b2 = parameters
        return ((jnp.maximum(X @ W1 + b1, 0) @ W2 + b2 - y) ** 2).sum()

    gradients = jax.vmap(jax.value_and_grad(loss))

    def train(numbers: Any) -> Any:
        *first, X, y, lr = numbers

        def step(carried: Any, number: Any) -> Any:
            parameters, means, squares = carried
            value, grads = gradients(parameters, X, y)
            means = [0.9 * m + (1 - 0.9) * g for m, g in zip(means, grads, strict=True)]
            squares = [0.999 * v + (1 - 0.999) * g**2 for v, g in zip(squares, grads, strict=True)]
            corrected = [
                lr * (m / (1 - 0.9**number)) / (jnp.sqrt(v / (1 - 0.999**number)) + 1e-8)
                for m, v in zip(means, squares, strict=True)
            ]
            return ([p - c for p, c in zip(parameters, corrected, strict=True)], means, squares), value

        zeros = [jnp.zeros_like(p) for p in first]
        return lax.scan(step, (first, zeros, zeros), jnp.arange(1.0, steps + 1))[1]

    def by_sweep() -> Any:
        return sweep(range(seeds), learning_rates(lrs), steps, optimizer=Adam())

    compiled = jax.jit(train)
    ours = by_sweep().loss[..., :steps]
    assert np.allclose(np.asarray(compiled(numbers_of(seeds, lrs))).T.reshape(ours.shape), ours, rtol=1e-9)
    best = {"sweep": np.inf, JAX: np.inf}
    for _ in range(ROUNDS):
        for name, way in (("sweep", by_sweep), (JAX, lambda: np.asarray(compiled(numbers_of(seeds, lrs))))):
            start = process_time()
            way()
            best[name] = min(best[name], (process_time() - start) / (seeds * lrs * steps) * 1e9)
    return best


def beside_the_result(seeds: int, lrs: int, steps: int) -> tuple[float, float]:
    """The megabytes that a sweep keeps, and what it takes at most beside them."""
    tracemalloc.start()
    result = sweep(range(seeds), learning_rates(lrs), steps=steps)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.step == steps
    return kept / 1e6, (peak - kept) / 1e6


def main() -> dict[str, Any]:
    rivals: dict[str, Rival] = {}
    if find_spec("jax"):
        rivals[JAX] = jax_rival()
    if find_spec("torch"):
        rivals[VMAP] = vmap_rival()
    sizes: dict[Any, dict[str, float]] = {}
    for (seeds, lrs), steps in SIZES.items():
        runs = seeds * lrs
        best = dict.fromkeys(("sweep", LOOP, *rivals), np.inf)
        for _ in range(ROUNDS if runs < 10**6 else 2):
            best["sweep"] = min(best["sweep"], sweep_ns(seeds, lrs, steps))
            best[LOOP] = min(best[LOOP], loop_ns())
            for name, rival in rivals.items():
                few = steps if name == JAX else min(steps, 50) if runs < 10**6 else 3
                best[name] = min(best[name], rival_ns(rival, seeds, lrs, few))
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
    if VMAP in rivals:
        bars.append(Bar("64 x 64 runs: x faster than vmap", map_[VMAP] / map_["sweep"], 1, at_least=True))
    if JAX in rivals:
        bars.append(Bar("64 x 64 runs: time, x JAX", map_["sweep"] / map_[JAX], 0.9))
        adam = sizes["Adam"] = adam_ns(64, 64, 500)
        show_table("64 x 64 runs with Adam", ("", "ns a run and step"), [*adam.items()])
        bars.append(Bar("64 x 64 runs with Adam: time, x JAX", adam["sweep"] / adam[JAX], 1.0))
        recurrent = recurrent_ns(64, 64, 100)
        sizes["recurrent"] = recurrent
        show_table("64 x 64 runs of a recurrent network", ("", "ns a run and step"), [*recurrent.items()])
        bars.append(Bar("64 x 64 runs of a recurrent network: time, x JAX", recurrent["sweep"] / recurrent[JAX], 1.5))
    bars += [
        Bar("twice the runs: time, x", 2 * took[GROWN[1]] / took[GROWN[0]], 2.2),
        Bar("twice the steps: time, x", 2 * took[GROWN[2]] / took[GROWN[0]], 2.2),
        Bar("most memory beside the result, MB", max(beside for _, beside in memory.values()), 16),
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
