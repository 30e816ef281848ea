"""Many runs at once: the loss of every seed at every learning rate, trained as one stack of networks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from backprop_lab.layers import Array, Formula, Linear
from backprop_lab.losses import Loss
from backprop_lab.network import Network
from backprop_lab.problem import Problem, check_learning_rate, check_seed, random_problem

BLOCK_BYTES = 2**20  # what one block works on: about the second-level cache of a processor
ROUND_STEPS = 25  # after so many steps the diverged runs are dropped
FEW_RUNS = 128  # for fewer runs than this in a block, `@` run by run is faster than `@` along the runs


@dataclass(eq=False)
class Sweep:
    """Every run of a sweep, as far as it has come: the same problem for a seed, at every learning rate.

    `loss` is (seeds, lrs, steps + 1): entry t is the loss after t updates, NaN where no run has come yet. A run has
    diverged at the first step whose loss is not a finite number; it ends there, and its loss is infinite from then on.
    `diverged` is (seeds, lrs): that step, or -1. Every run is known up to `step`, so `loss[..., step]` is a whole map.
    """

    seeds: tuple[int, ...]
    lrs: tuple[float, ...]
    problems: tuple[Problem, ...]
    parameters: dict[str, Array]
    loss: Array
    diverged: Array
    step: int = 0

    def problem(self, seed: int, lr: float) -> Problem:
        """The problem that a run started from. Raises ValueError if the sweep has no such run."""
        i, j = self._find(seed, lr)
        return replace(self.problems[i], lr=self.lrs[j])

    def network(self, seed: int, lr: float) -> Network:
        """The network that a run has trained. Raises ValueError if it diverged, or if the sweep has no such run."""
        i, j = self._find(seed, lr)
        if self.diverged[i, j] >= 0:
            raise ValueError(f"the run with seed {seed} and learning rate {lr} diverged at step {self.diverged[i, j]}")
        return self.problems[i].network.with_parameters({name: p[i, j] for name, p in self.parameters.items()})

    def _find(self, seed: int, lr: float) -> tuple[int, int]:
        if seed not in self.seeds:
            raise ValueError(f"this sweep has no seed {seed!r}; it has {', '.join(map(str, self.seeds))}")
        nearest = min(self.lrs, key=lambda each: abs(each - lr))
        if not np.isclose(nearest, lr, rtol=1e-9, atol=0):
            raise ValueError(f"this sweep has no learning rate {lr!r}; its nearest is {nearest!r}")
        return self.seeds.index(seed), self.lrs.index(nearest)


def sweep(seeds: Iterable[int], lrs: Iterable[float], steps: int = 500, **options: Any) -> Sweep:
    """Train every seed at every learning rate for `steps` updates, as in `sweep(range(64), np.logspace(-4, 0, 64))`.

    A run starts from `random_problem(seed, **options)`; the options are samples, inputs, hidden, outputs and
    activation. Time grows with runs x steps. The result keeps 8 bytes x (steps + 1 + number of parameters) a run;
    the work beside it takes a few MB, however many runs there are. Raises ValueError if there is no seed or no learning
    rate, if one is not as `random_problem` needs it, or if steps is not a whole number from 1 up.

    A run in a sweep adds the same products as the same run alone, but may round them in another order.
    """
    *_, result = sweep_blocks(seeds, lrs, steps, **options)
    return result


def sweep_blocks(seeds: Iterable[int], lrs: Iterable[float], steps: int = 500, **options: Any) -> Iterator[Sweep]:
    """The same sweep, a few milliseconds at a time: yields its one result whenever a block of runs has come further.

    All runs advance together, so whoever stops asking keeps a whole map of fewer steps. In a terminal:

        with tqdm(total=500) as bar:
            for result in sweep_blocks(seeds, lrs, steps=500):
                bar.update(result.step - bar.n)
    """
    seeds = _each("seeds", seeds, check_seed)
    lrs = _each("lrs", lrs, check_learning_rate)
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 1:
        raise ValueError(f"steps must be a whole number, 1 or more, such as 500; got {steps!r}")
    problems = tuple(random_problem(seed, **options) for seed in seeds)
    given = [problem.network.parameters for problem in problems]
    runs = (len(seeds), len(lrs))
    parameters = {name: np.stack([[p[name]] * len(lrs) for p in given]) for name in given[0]}
    return _advance(
        Sweep(seeds, lrs, problems, parameters, np.full((*runs, steps + 1), np.nan), np.full(runs, -1)), int(steps)
    )


def _each(name: str, values: Any, check: Callable[[Any], None]) -> tuple[Any, ...]:
    """The seeds, or the learning rates, each checked."""
    if not isinstance(values, Iterable) or not (found := tuple(values)):
        raise ValueError(f"{name} must be one or more of them, such as [3] or [0.01, 0.1]; got {values!r}")
    for value in found:
        check(value)
    return tuple(v.item() if isinstance(v, np.generic) else v for v in found)


def _advance(result: Sweep, steps: int) -> Iterator[Sweep]:
    """Round by round, block by block, with `run = seed number x learning rates + learning rate number`."""
    X = np.stack([problem.X for problem in result.problems])
    y = np.stack([problem.y for problem in result.problems])
    lr = np.array(result.lrs)[:, None, None]
    parameters = {name: p.reshape(-1, *p.shape[2:]) for name, p in result.parameters.items()}
    loss, diverged = result.loss.reshape(-1, steps + 1), result.diverged.reshape(-1)

    size = _runs_in_a_block(result.problems[0])
    for start in range(0, steps, ROUND_STEPS):
        stop = min(start + ROUND_STEPS, steps)
        alive = np.flatnonzero(diverged < 0)
        for block in np.array_split(alive, -(-len(alive) // size)) if len(alive) else ():
            seed, rate = np.divmod(block, len(lr))
            now = {name: p[block] for name, p in parameters.items()}
            network, losses = _train(result.problems[0], now, X[seed], y[seed], lr[rate], stop - start)
            for name, p in network.parameters.items():
                parameters[name][block] = p
            loss[block, start : stop + 1] = losses
            finite = np.isfinite(losses)
            ends = block[~finite.all(axis=1)]
            diverged[ends] = start + np.argmin(finite, axis=1)[~finite.all(axis=1)]
            loss[ends] = np.where(np.arange(steps + 1) < diverged[ends, None], loss[ends], np.inf)
            yield result
        result.step = stop
        yield result


def _runs_in_a_block(problem: Problem) -> int:
    """A step holds each weight about four times: itself, its gradient, and both again in the update. So it does cells."""
    layers = [layer for layer in problem.network.layers if isinstance(layer, Linear)]
    numbers = sum(layer.W.size + len(problem.X) * layer.W.shape[-1] for layer in layers)
    return max(1, BLOCK_BYTES // (4 * 8 * numbers))


def _train(problem, parameters, X, y, lr, steps):
    order = "F" if len(lr) >= FEW_RUNS else "C"
    X, y = np.array(X, order=order), np.array(y, order=order)
    if order == "F":
        X = X.view(RunsLast)
    for name in parameters:
        parameters[name] = np.array(parameters[name], order=order)
        parameters[name].setflags(write=False)
    network = problem.network.with_parameters(parameters)
    loss = Watched(problem.loss)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            network = network.update(network.gradients(loss, X, y), lr)
        loss.gradient(network.forward(X), y)
    return network, np.stack(loss.values, axis=-1)


class RunsLast(np.ndarray[Any, Any]):
    def __matmul__(self, other: Any) -> Any:
        return np.einsum("...ij,...jk->...ik", self, other).view(RunsLast)


@dataclass
class Watched:
    loss: Loss
    values: list[Array] = field(default_factory=list)
    formulas: ClassVar[dict[str, Formula]] = {}

    def value(self, y_pred: Array, y: Array) -> Any:
        return self.loss.value(y_pred, y)

    def gradient(self, y_pred: Array, y: Array) -> Array:
        self.values.append(self.value(y_pred, y))
        return self.loss.gradient(y_pred, y)
