"""Training, iteration by iteration, correct or with a planted mistake; you can go back to any iteration."""

import math
from array import array
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from backprop_lab.feedback.mistakes import Mistake, plant
from backprop_lab.nn.steps import Step
from backprop_lab.reading.scale import KINDS, Scales, kept, scales_of
from backprop_lab.step.problem import Problem
from backprop_lab.step.trace import Trace, trace


def that_fit(mistakes: Mapping[str, Mistake], problem: Problem) -> dict[str, Mistake]:
    """Those mistakes that give, somewhere in the training step, a value of the right shape."""
    right = trace(problem)
    return {name: mistake for name, mistake in mistakes.items() if not why_not_planted(mistake, right)}


def why_not_planted(mistake: Mistake, traced: Trace) -> str:
    """Why a mistake gives nowhere in a training step a value of the right shape, or "" if it does somewhere."""
    wrong = ((mistake.wrong_value(traced, step.name), step.value) for step in traced.steps)
    if any(value is not None and np.shape(value) == np.shape(right) for value, right in wrong):
        return ""
    if any(mistake.wrong_line(traced, step.name) for step in traced.steps):
        return "the shapes would not fit"
    if not mistake.lines:
        return "it is one in a gradient of a program, and none here comes from its rule"
    kinds = " or ".join(dict.fromkeys(kind.__name__ for kind, _ in mistake.lines))
    return f"it is one in a line of {kinds}, and this network has none that it could replace"


def with_mistake(mistake: Mistake, problem: Problem) -> Trace:
    """The trace of `problem` with a mistake made wherever it can be made."""
    made = plant(trace(problem), mistake)
    made.again = partial(with_mistake, mistake)
    return made


class Remembered:
    """The trace of a training step. Forgotten while nobody looks at it, it is made again when it is asked for.

    `scales` are those of its colours: its own, unless it is one of a training; `renewed` are the names of those that
    are others than in the iteration before.
    """

    def __init__(self, made: Trace, again: Callable[[Problem], Trace] = trace) -> None:
        self.problem, self._again = made.problem, again
        self.renewed: tuple[str, ...] = ()
        self._scales: Scales | None = None
        self._made: Trace | None = made

    @property
    def trace(self) -> Trace:
        made = self._made
        if made is None:
            made = self._made = self._again(self.problem)
        return made

    @property
    def scales(self) -> Scales:
        return self._scales or scales_of([self.trace])

    def follow(self, before: Scales, now: Scales) -> None:
        """Take the scales of an iteration, after those of the one before."""
        self._scales = now
        self.renewed = tuple(name for name in KINDS if getattr(before, name) != getattr(now, name))

    def forget(self) -> None:
        self._made = None


class Training:
    """Every iteration so far, in little memory.

    Each loss and learning rate is kept, but only every hundredth network; those in between are trained again, to the
    same bits, when someone goes back to them.
    """

    STRIDE = 100

    def __init__(self, problem: Problem, run: Callable[[Problem], Trace] = trace, scales: Scales | None = None) -> None:
        """Train `problem`; `run` gives the trace of a training step, correct or with a mistake in it.

        The colours begin with `scales`; with none, they are not followed, which is quicker.
        """
        self._run = run
        self._scales = {-1: scales} if scales else {}  # from which iterations on there are others
        self.first = problem
        self._kept = dict[int, Problem]()
        self._last = (0, Remembered(run(problem.evolve(lr=float(problem.lr))), run))  # the latest and its iteration
        self.lrs = array("d")
        self.losses = array("d")
        self._ended: tuple[Any, Any] = (None, None)  # a run that diverged, and the first value in it with no number
        self.lr_changes: list[int] = []  # the iterations whose learning rate differs from the previous one

    @property
    def iterations(self) -> int:
        """How many there are so far."""
        return len(self.lrs)

    def trace(self, iteration: int) -> Trace:
        """The trace of an iteration, up to one beyond the last."""
        return self.remembered(iteration).trace

    def remembered(self, iteration: int, lr: float | None = None) -> Remembered:
        """The same, as what can be forgotten; a new `lr` for it drops all later iterations."""
        problem = self._problem(iteration)
        if is_new := iteration == len(self.lrs):
            self.lrs.append(float(problem.lr))
            self.losses.append(math.nan)
        if lr is not None and lr != self.lrs[iteration]:
            is_new, self.lrs[iteration] = True, lr
            del self.lrs[iteration + 1 :]
            del self.losses[iteration + 1 :]
            self.lr_changes = [k for k in self.lr_changes if k < iteration]
            if iteration and lr != self.lrs[iteration - 1]:
                self.lr_changes.append(iteration)
        last, found = self._last
        if last != iteration or found.problem.lr != self.lrs[iteration]:
            found = Remembered(self._run(problem.evolve(lr=self.lrs[iteration])), self._run)
            self._last = (iteration, found)
        self.losses[iteration] = float(found.trace[found.problem.loss_name])
        if self._scales:
            self._follow(iteration, found, is_new)
        if iteration % self.STRIDE == 0:
            self._kept[iteration] = problem
        return found

    def _follow(self, iteration: int, found: Remembered, is_new: bool) -> None:
        """Give an iteration the scales of the one before, or others where they would say nothing of it.

        So they depend on how training began and on its learning rates, and not on who has looked at which iteration.
        """
        changes = reversed(self._scales.items())
        since, before = next((k, scales) for k, scales in changes if k < iteration)
        if is_new:
            self._scales = {k: scales for k, scales in self._scales.items() if k <= since}
            if (now := kept(before, found.trace)) != before:
                self._scales[iteration] = now
        found.follow(before, self._scales.get(iteration, before))

    def diverged(self, iteration: int) -> int | None:
        """The first iteration, up to the given one, whose loss is not a finite number."""
        if math.isfinite(self.losses[iteration]):
            return None
        return next(k for k, loss in enumerate(self.losses) if not math.isfinite(loss))

    def first_not_finite(self, diverged: int) -> Step:
        """The first value of an iteration that has diverged which is not finite; looked for once."""
        run = diverged, self.losses[max(diverged - 1, 0)]  # with another rate before it, it is another run
        if self._ended[0] != run:
            steps = self.trace(diverged).steps
            self._ended = run, next(step for step in steps if not np.isfinite(step.value).all())
        step: Step = self._ended[1]
        return step

    def _problem(self, iteration: int) -> Problem:
        last, found = self._last
        if last == iteration:
            return found.problem
        at = (iteration - 1) // self.STRIDE * self.STRIDE if iteration else 0  # the nearest before it that is kept
        if last in range(at, iteration):
            at, problem = last + 1, found.trace.next_problem()
        else:
            problem = self._kept[at]
        if self._run is trace and at < iteration:
            return problem.trained(self.lrs[at:iteration])
        for k in range(at, iteration):
            problem = self._run(problem.evolve(lr=self.lrs[k])).next_problem()
        return problem
