"""Where the learner is: which problem, which iteration, which step. No drawing and no widgets here."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from traitlets import HasTraits, Instance

from backprop_lab.problem import Problem, check_learning_rate, random_problem, worked_example
from backprop_lab.trace import Step, Trace, trace

WORKED_EXAMPLE, RANDOM = "worked example", "random"
STARTS = (WORKED_EXAMPLE, RANDOM)


@dataclass(frozen=True, eq=False)
class Place:
    """One state of the lab: never changed, only followed by another.

    `index` steps of iteration `iteration` are shown, out of all those in `trace`. `note` is what the learner
    should be told, in a sentence, or nothing.
    """

    start: str
    seed: int
    trace: Trace
    iteration: int = 0
    index: int = 0
    note: str = ""

    @property
    def step(self) -> Step | None:
        """The current step, or None before the first."""
        return self.trace.steps[self.index - 1] if self.index else None

    @property
    def lr(self) -> float:
        return float(self.trace.problem.lr)


class Training:
    """Every iteration so far, in little memory: each loss and learning rate is kept, but only every
    hundredth network; those between are trained again, to the same bits, when someone goes back to them."""

    STRIDE = 100

    def __init__(self, problem: Problem) -> None:
        self._kept = {0: problem}
        self._lrs = array("d")
        self._losses = array("d")
        self._last = (0, problem)

    @property
    def losses(self) -> Sequence[float]:
        return self._losses

    def trace(self, iteration: int, lr: float | None = None) -> Trace:
        """The trace of an iteration up to one beyond the last; another `lr` than before drops what came after it."""
        problem = self._problem(iteration)
        if iteration == len(self._lrs):
            self._lrs.append(float(problem.lr))
            self._losses.append(math.nan)
        if lr is not None and lr != self._lrs[iteration]:
            self._lrs[iteration] = lr
            del self._lrs[iteration + 1 :], self._losses[iteration + 1 :]
            self._kept = {k: kept for k, kept in self._kept.items() if k <= iteration}
        with np.errstate(all="ignore"):
            traced = trace(replace(problem, lr=self._lrs[iteration]))
        self._losses[iteration] = float(traced["L"])
        self._last = (iteration, problem)
        if iteration % self.STRIDE == 0:
            self._kept[iteration] = problem
        return traced

    def diverged(self, iteration: int) -> int | None:
        """The first iteration, up to the given one, whose loss is not a finite number."""
        if math.isfinite(self._losses[iteration]):
            return None
        return next(k for k, loss in enumerate(self._losses) if not math.isfinite(loss))

    def _problem(self, iteration: int) -> Problem:
        at, problem = self._last
        if not 0 <= iteration - at <= self.STRIDE:
            at = iteration - iteration % self.STRIDE
            problem = self._kept[at]
        with np.errstate(all="ignore"):
            for k in range(at, iteration):
                network = problem.network
                grads = network.gradients(problem.loss, problem.X, problem.y)
                problem = replace(problem, network=network.update(grads, self._lrs[k]), lr=self._lrs[k])
        return problem


class Stepper(HasTraits):
    """Moves through the steps and iterations of a problem. Observe `place`: it is replaced as a whole at every move."""

    place = Instance(Place)

    def __init__(self) -> None:
        super().__init__()
        self.begin(WORKED_EXAMPLE)

    @property
    def losses(self) -> Sequence[float]:
        """The loss of every iteration up to the present one."""
        return self._training.losses[: self.place.iteration + 1]

    def begin(self, start: str, seed: int = 0, lr: float | None = None, index: int = 0) -> None:
        """Start over from another problem. Raises ValueError, and changes nothing, if the seed or lr is not one."""
        problem = worked_example() if start == WORKED_EXAMPLE else random_problem(seed)
        if lr is not None:
            problem = replace(problem, lr=lr)
        self._training = Training(problem)
        traced = self._training.trace(0)
        self.place = Place(start, int(seed), traced, index=min(index, len(traced.steps)))

    def restart(self) -> None:
        """Back to the start of the same problem, with the learning rate as it is."""
        self.begin(self.place.start, self.place.seed, self.place.lr)

    def set_seed(self, seed: Any) -> None:
        """Start over with the random problem of this seed, at the same step and learning rate."""
        self.begin(RANDOM, seed, self.place.lr, self.place.index)

    def set_lr(self, lr: Any) -> None:
        """Another learning rate from this iteration on; place and past iterations stay. Raises ValueError if it is none."""
        check_learning_rate(lr)
        self._go(self.place.iteration, self.place.index, float(lr))

    def go_to(self, index: int) -> None:
        """Show the first `index` steps of this iteration."""
        self._go(self.place.iteration, min(max(index, 0), len(self.place.trace.steps)))

    def next(self) -> None:
        """One step on; after the last, the forward pass begins again with the new weights."""
        if self.place.index < len(self.place.trace.steps):
            self.go_to(self.place.index + 1)
        else:
            self._go(self.place.iteration + 1, 0)

    def back(self) -> None:
        """One step back; from the start of an iteration, to the end of the one before."""
        if self.place.index:
            self.go_to(self.place.index - 1)
        elif self.place.iteration:
            self._go(self.place.iteration - 1, len(self.place.trace.steps))

    def next_phase(self) -> None:
        """To the end of this phase, or of the next one if this one is done."""
        steps = self.place.trace.steps
        if self.place.index == len(steps):
            self.next()
        else:
            phase = steps[self.place.index].phase
            self.go_to(max(k for k, step in enumerate(steps, start=1) if step.phase == phase))

    def next_iteration(self) -> None:
        """The same step, one iteration on."""
        self._go(self.place.iteration + 1, self.place.index)

    def _go(self, iteration: int, index: int, lr: float | None = None) -> None:
        traced = self._training.trace(iteration, lr)
        self.place = replace(self.place, trace=traced, iteration=iteration, index=index, note=self._note(iteration))

    def _note(self, iteration: int) -> str:
        diverged = self._training.diverged(iteration)
        if diverged is None:
            return ""
        return (
            f"The loss overflowed at iteration {diverged}: the learning rate is too large, every step leaps further past "
            "the minimum. Restart with a smaller one, or go back to see how it began."
        )
