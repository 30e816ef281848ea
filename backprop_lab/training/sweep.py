"""Many runs at once: the loss of every seed at every learning rate, trained as one stack of networks."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from inspect import signature
from typing import Any, Literal

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.nn.network import Network
from backprop_lab.step.checking import check_learning_rate, check_real, check_size, checked_each
from backprop_lab.step.problem import Problem, check_problem, check_seed, check_whole
from backprop_lab.step.random_problems import random_problem, redrawn
from backprop_lab.step.trace import trace

BLOCK_NUMBERS = 2**18  # weights and units of all runs in a block, 2 MB; a step makes about four numbers of each
ROUND_STEPS = 100  # after at most this many, the diverged runs are dropped and there is a whole map
ROUND_NUMBERS = 2**25  # weights and units in all steps of a round, more or less
PIECE = 0.02  # seconds after which a sweep lets others have their turn
FEW_RUNS = 128  # from this many in a block they lie side by side in memory: see `products` in `nn/stacking.py`

# How many steps are made, of each run on average, and at the end what has come of them: parameters and losses.
Progress = Iterator[tuple[float, tuple[dict[str, Array], Array] | None]]


@dataclass(eq=False)
class Sweep:
    """Every run of a sweep, as far as it has come: the same problem for a seed, at every learning rate.

    A seed of None stands for the weights as given, of a problem of your own.
    `loss` is (seeds, lrs, steps + 1): entry t is the loss after t updates, NaN where no run has come yet. A run has
    diverged at the first step whose loss is not a finite number; it ends there, and its loss is infinite from then on.
    `parameters` and `memories`, what is remembered of them, are (seeds, lrs, ...): where each run has come to.
    `diverged` is (seeds, lrs): that step, or -1. Every run is known up to `step`, so `loss[..., step]` is a whole map.
    `left` is how many updates of single runs are still to be made; it falls faster where runs diverge.
    `one_by_one` says, in a sentence, which line keeps the runs from being trained as one stack; "" where none does.
    """

    seeds: tuple[int | None, ...]
    lrs: tuple[float, ...]
    problems: tuple[Problem, ...]
    parameters: dict[str, Array]
    memories: dict[str, Array]
    loss: Array
    diverged: Array
    left: int = 0
    step: int = 0

    @cached_property
    def one_by_one(self) -> str:
        first = self.problems[0]
        line = first.lines.not_stacked(first.given, first.loss_name)
        return f"{line} takes one run at a time, so they are trained one after another." if line else ""

    def problem(self, seed: int | None, lr: float) -> Problem:
        """The problem that a run started from. Raises ValueError if the sweep has no such run."""
        i, j = self._find(seed, lr)
        return self.problems[i].evolve(lr=self.lrs[j])

    def network(self, seed: int | None, lr: float) -> Network:
        """The network that a run has trained. Raises ValueError if it diverged, or if the sweep has no such run."""
        return self.trained(seed, lr).network

    def trained(self, seed: int | None, lr: float) -> Problem:
        """The problem that a run started from, with the parameters that it has come to. Raises ValueError likewise."""
        i, j = self._find(seed, lr)
        if self.diverged[i, j] >= 0:
            raise ValueError(f"the run with seed {seed} and learning rate {lr} diverged at step {self.diverged[i, j]}")
        parameters = {name: p[i, j] for name, p in self.parameters.items()}
        return self.problems[i].evolve(parameters=parameters, lr=self.lrs[j])

    def _find(self, seed: int | None, lr: float) -> tuple[int, int]:
        """The row and the column of a run; a learning rate may be off in its last digits, as from a printed number."""
        if seed is not None:
            check_seed(seed)
        check_learning_rate(lr)
        near_seed = seed if seed in self.seeds else min(self.seeds, key=lambda each: abs((each or 0) - (seed or 0)))
        near_lr = min(self.lrs, key=lambda each: abs(each - lr))
        if near_seed != seed or not math.isclose(near_lr, lr):
            raise ValueError(
                f"no run has seed {seed!r} and learning rate {lr!r}; the nearest has {near_seed} and {near_lr}"
            )
        return self.seeds.index(near_seed), self.lrs.index(near_lr)


def sweep(
    seeds: Iterable[int | None],
    lrs: Iterable[float],
    steps: int = 500,
    problem: Problem | None = None,
    **options: Any,
) -> Sweep:
    """Train every seed at every learning rate for `steps` updates, as in `sweep(range(64), np.logspace(-4, 1, 64))`.

    A run starts from `random_problem(seed, **options)`; the options are samples, inputs, hidden, outputs, activation,
    loss, penalty, optimizer, and X and y for data of your own. With a `problem` of your own, it starts from
    `redrawn(problem, seed)`: the same data, layers, loss and so on with other weights, or, for the seed None, with the
    weights as given. What is drawn in a step, such as the mask of a Dropout, is the same for all runs.

    Layers, losses and lines that cannot take a stack of problems are trained one run at a time, which is slower;
    `one_by_one` of the result says which line it is. Fractions and the like become floats. Time grows with runs x
    steps. The result keeps 8 bytes x (steps + 2 + number of parameters, and of what is remembered) a run, and the
    problem of each seed; otherwise a sweep needs a few MB, however many runs there are. Raises ValueError if there is
    no seed or no learning rate, if one is not as `random_problem` needs it, if steps is not a whole number from 1 up,
    if a number is complex, if there are options besides a problem, or if the result would not fit into memory; and
    TypeError for an option that there is not.

    A run takes the same steps that it would take alone, through the same layers. In a block of fewer than FEW_RUNS its
    numbers are the same to the bit, unless a line makes single precision double, as np.sqrt(len(X)) does: parameters
    stay single here. In a larger one `@` adds the same products, but rounds each before it is added, which BLAS avoids
    on most processors: an entry of D products is off by at most 2 D u / (1 - D u) of the sum of their sizes, where u =
    1.1e-16 (Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, 2002, section 3.1). What training
    makes of that is up to the run. After 500 steps most losses still agree to 1e-14 of themselves, or of a thousandth
    of the loss at the start. One or two runs in a hundred train chaotically, deep networks at large learning rates
    above all: their last bits grow, and they come out as another run of the same problem, as good as the one alone.
    """
    lrs = checked_each("lrs", lrs, check_learning_rate)
    known = [name for name in signature(random_problem).parameters if name not in ("seed", "lr")]
    if alien := [name for name in options if name not in known]:
        rates = ": the learning rates are its second argument, lrs" * ("lr" in alien)
        raise TypeError(f"sweep has the options {', '.join(known)}, and problem; got {', '.join(alien)}{rates}")
    if problem is not None:
        check_problem(problem)
        if options:
            raise ValueError(f"a problem of your own has its {', '.join(options)} already: leave that out")
        # At once: `redrawn` would find a bad one only after those before it.
        seeds = checked_each("seeds", seeds, lambda seed: None if seed is None else check_seed(seed))
        problems: Iterable[Problem] = (redrawn(problem, seed) for seed in seeds)
    else:
        seeds = checked_each("seeds", seeds, check_seed)
        problems = (random_problem(seed, lr=1.0, **options) for seed in seeds)  # each run has an lr of its own
    *_, result = sweep_problems(problems, lrs, steps, seeds)
    return result


def sweep_problems(
    problems: Iterable[Problem], lrs: Iterable[float], steps: int, seeds: Sequence[int | None]
) -> Iterator[Sweep]:
    """Train problems of the same layers, loss and shapes, one of each seed, each of them at every learning rate.

    Yields the one result again and again as it fills, a few milliseconds or a step at a time. All runs advance
    together, so if you stop early you keep a whole map of fewer steps.
    """
    problems = tuple(map(in_floats, problems))
    lrs = checked_each("lrs", lrs, check_learning_rate)
    check_whole("steps", steps, 1, such_as=", such as 500")
    starts = [problem.replaced for problem in problems]
    kept = steps + 2 + sum(map(np.size, starts[0].values()))
    check_size("such a sweep", len(starts) * len(lrs) * kept, "take fewer seeds, learning rates or steps")
    stacks = {name: np.stack([[start[name]] for start in starts]).repeat(len(lrs), axis=1) for name in starts[0]}
    return _advance(
        Sweep(
            tuple(seeds),
            lrs,
            problems,
            parameters={name: stacks.pop(name) for name in problems[0].parameters},
            memories=stacks,
            loss=np.full((len(seeds), len(lrs), steps + 1), np.nan),
            diverged=np.full((len(seeds), len(lrs)), -1),
        )
    )


def in_floats(problem: Problem) -> Problem:
    """The same problem with floats of one kind, the widest that it has; others, such as fractions, become float64.

    Raises ValueError if a number is complex.
    """
    numbers = {n: a for n, a in {**problem.data, **problem.replaced}.items() if a.dtype.kind not in "biu"}
    check_real(**numbers)
    kind = np.result_type(*(array.dtype if array.dtype.kind == "f" else float for array in numbers.values()))
    if all(array.dtype == kind for array in numbers.values()):
        return problem
    floats = {name: array.astype(kind) for name, array in numbers.items()}
    parameters = {name: floats[name] for name in problem.parameters}
    state = {name: floats[name] for name in problem.state if name in floats}
    data = {name: floats[name] for name in problem.data if name in floats}
    return problem.evolve(parameters=parameters, state=state, data=data)


def _advance(result: Sweep) -> Iterator[Sweep]:
    """Take all runs on together: a round is some steps of every run that is left, block by block."""
    problems, steps = result.problems, result.loss.shape[-1] - 1
    train = _train_alone if result.one_by_one else _train_block
    data = {name: np.stack([p.data[name] for p in problems]) for name in problems[0].data}
    kind = np.result_type(*(p.dtype for p in result.parameters.values()))
    with np.errstate(over="ignore"):  # single precision ends at 3.4e38
        lr = np.array(result.lrs, kind)[:, None, None]
    # The same arrays with one axis of runs, in which run = number of its seed * number of lrs + number of its lr.
    runs_in_all = result.diverged.size
    replaced = {name: p.reshape(runs_in_all, *p.shape[2:]) for name, p in (result.parameters | result.memories).items()}
    loss, diverged = result.loss.reshape(runs_in_all, steps + 1), result.diverged.reshape(runs_in_all)

    numbers, active = _numbers(problems[0]), np.arange(runs_in_all)
    while (start := result.step) < steps:
        most = min(ROUND_STEPS, max(5, ROUND_NUMBERS // (numbers * len(loss))))  # pragma: no mutate  or look less often
        stop = min(steps, start + most)
        left = len(active) * (steps - start)
        for runs in _blocks(numbers, active):
            seed, rate = np.divmod(runs, len(lr))
            stack = {name: p[runs] for name, p in replaced.items()}
            for done, trained in train(
                problems[0], stack, {n: a[seed] for n, a in data.items()}, lr[rate], start, stop
            ):
                result.left = left - round(done * len(runs))
                if trained is None:
                    yield result
                else:
                    stack, losses = trained
            left = result.left
            for name, p in stack.items():
                replaced[name][runs] = p
            if start:
                losses[:, 0] = loss[runs, start]  # as it was told; among other runs, its last bits may be others
            loss[runs, start : stop + 1] = losses

            finite = np.isfinite(losses)
            ended = ~finite.all(axis=1)
            diverged[runs[ended]] = start + finite[ended].argmin(axis=1)
            over = np.arange(steps + 1) >= diverged[runs[ended], None]
            loss[runs[ended]] = np.where(over, np.inf, loss[runs[ended]])
            yield result
        active = np.flatnonzero(diverged < 0)
        result.step, result.left = stop, len(active) * (steps - stop)
        yield result


def _numbers(problem: Problem) -> int:
    """How many weights there are, and numbers that come out of layers."""
    forward = [step.value for step in trace(problem).steps if step.phase == "forward"]
    return sum(map(np.size, (*problem.parameters.values(), *forward)))


def _blocks(numbers: int, runs: Array) -> list[Array]:
    """The runs in blocks of BLOCK_NUMBERS, where each has so many numbers."""
    size = max(1, BLOCK_NUMBERS // numbers)  # pragma: no mutate  for speed and little memory
    return np.array_split(runs, math.ceil(len(runs) / size)) if len(runs) else []


def _train_alone(
    problem: Problem, replaced: dict[str, Array], data: dict[str, Array], lr: Array, start: int, stop: int
) -> Progress:
    """What `_train_block` does, one run after the other."""
    runs, steps = [], stop - start
    for run in range(len(lr)):
        one = {name: p[run] for name, p in replaced.items()}
        given = {name: array[run] for name, array in data.items()}
        for done, trained in _train(problem, one, given, lr[run, 0, 0], start, stop):
            yield (run * steps + done) / len(lr), None
            if trained is not None:
                runs.append(trained)
    stack = {name: np.stack([trained[name] for trained, _ in runs]) for name in replaced}
    yield steps, (stack, np.stack([losses for _, losses in runs]))


def _train_block(
    problem: Problem, replaced: dict[str, Array], data: dict[str, Array], lr: Array, start: int, stop: int
) -> Progress:
    """A stack of S runs after the updates from `start` to `stop`, and their losses before the first and after each.

    Everything given is a stack too, (S, ...), but lr is (S, 1, 1); the losses are (S, stop - start + 1).
    """
    order: Literal["C", "F"] = "C" if len(lr) < FEW_RUNS else "F"
    laid_out = partial(np.array, order=order)  # pragma: no mutate  for speed
    data, replaced = ({name: laid_out(p) for name, p in each.items()} for each in (data, replaced))
    return _train(problem, replaced, data, lr, start, stop)


def _train(
    problem: Problem, replaced: dict[str, Array], data: dict[str, Array], lr: Any, start: int, stop: int
) -> Progress:
    """One run, or a stack of them, and its losses. There is no overflow warning; losses become infinite."""
    lines, names, new = problem.lines, (*problem.given,), [*replaced.values()]
    is_stack, first = np.ndim(lr) > 0, problem.state.get("step", 1) + start
    ranks = tuple(map(np.ndim, problem.given.values())) if is_stack else ()
    wide = [_widened(name, problem) if is_stack else np.asarray for name in (*data, *replaced)]
    values = [widen(value) for widen, value in zip(wide, data.values(), strict=False)]
    wide = wide[len(data) :]
    results = problem.loss_name, *(lines.replacing[name] for name in replaced)
    step = lines.function(results, names, ranks, repeated=is_stack and len(lr) >= FEW_RUNS)
    losses: list[Array] = []
    low = any(problem.given[name].ndim < 2 for name in replaced)
    since = time.monotonic()
    for number in range(first, first + stop - start):
        given = [widen(value) for widen, value in zip(wide, new, strict=True)] if low else new
        loss, *new = step(*values, *given, lr, *problem.drawn(number).values())
        losses.append(loss)
        if time.monotonic() - since >= PIECE:  # pragma: no mutate  how often one may look
            yield len(losses), None
            since = time.monotonic()
    drawn = problem.drawn(first + stop - start).values()
    given = [widen(value) for widen, value in zip(wide, new, strict=True)]
    losses += lines.function((problem.loss_name,), names, ranks)(*values, *given, lr, *drawn)
    yield stop - start, (dict(zip(replaced, new, strict=True)), np.array(losses).T)


def _widened(name: str, problem: Problem) -> Callable[[Array], Array]:
    """How a stack of what a problem calls so is given the axes of one of matrices."""
    axes = tuple(range(1, 3 - problem.given[name].ndim))
    return (lambda stack: np.expand_dims(stack, axes)) if axes else np.asanyarray
