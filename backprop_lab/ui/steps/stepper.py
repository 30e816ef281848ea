"""Where the learner is: the problem, the iteration and the step. No drawing and no widgets here."""

import math
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from traitlets import HasTraits, Instance

from backprop_lab.lines import Step
from backprop_lab.mistakes import MISTAKES, Mistake
from backprop_lab.problem import Problem, check_learning_rate, check_whole
from backprop_lab.starting import kept_by_seeds
from backprop_lab.tracing import Trace, trace
from backprop_lab.ui.steps.judging import asked_before, question
from backprop_lab.ui.steps.setup import AS_GIVEN, CUSTOM, RANDOM, SIZES, WORKED_EXAMPLE, Setup, checked
from backprop_lab.ui.steps.training import Remembered, Training, can_be_planted, why_not_planted, with_mistake
from backprop_lab.ui.values.one_cell import Cell
from backprop_lab.ui.values.slopes import is_slope, slope_of, value_of

LAST = 100_000  # the last iteration that one can jump to


@dataclass(frozen=True, eq=False)
class LabState:
    """One state of the lab: never changed, only replaced by the next.

    The first `index` steps in `trace`, that of iteration `iteration`, are shown; it is `remembered`, and may be made
    again. `custom` says that the learner changed a number, `mistake` names a planted mistake. `cell` is the cell that
    is worked out; while `pinned`, it stays so. `predicting` asks a question before a step is shown;
    `question` is the cell that the present one is about, and `right` of `asked` answers were right. `why` is our reason
    for the last answer, until the learner gives one. `note` is a sentence for the learner.
    """

    setup: Setup
    remembered: Remembered
    iteration: int = 0
    index: int = 0
    custom: bool = False
    mistake: str = ""
    cell: Cell | None = None
    pinned: bool = False
    predicting: bool = False
    question: Cell | None = None
    right: int = 0
    asked: int = 0
    why: str = ""
    note: str = ""

    @property
    def trace(self) -> Trace:
        return self.remembered.trace

    @property
    def step(self) -> Step | None:
        """The current step, or None before the first."""
        return self.trace.steps[self.index - 1] if self.index else None

    @property
    def start(self) -> str:
        return CUSTOM if self.custom else self.setup.start

    @property
    def lr(self) -> float:
        return float(self.remembered.problem.lr)

    def has(self, cell: Cell) -> bool:
        """Whether there is such a cell and it is already on the board."""
        name, i, j = cell
        if not self.shows(name):
            return False
        rows, cols = value_of(self.trace, name).shape
        return isinstance(i, int) and isinstance(j, int) and bool(0 <= i < rows and 0 <= j < cols)

    def shows(self, name: str) -> bool:
        """Whether a value is already on the board."""
        if is_slope(name):
            name = slope_of(self.trace, name).shown_with
        return name in self.trace.given or any(step.name == name for step in self.trace.steps[: self.index])


class Stepper(HasTraits):
    """Moves through the steps and iterations of a problem. Observe `place`: every move replaces the whole of it.

    Methods raise ValueError, and change nothing, if their arguments make no sense.
    """

    place = Instance(LabState)

    def __init__(
        self,
        problem: Problem | None = None,
        lr: float | None = None,
        iteration: int = 0,
        step: str | None = None,
        cell: str = "",
        mistake: str = "",
        mistakes: Mapping[str, Mistake] = MISTAKES,
        **setup: Any,
    ) -> None:
        """Open at a step of an iteration, with a `cell` such as "X[1,0]" pinned, and one of `mistakes` planted or none.

        It opens on `problem`, with its own numbers, or on what the fields of Setup in `setup` say.
        """
        self.mistakes = mistakes
        if problem is not None:
            if "start" in setup:
                raise ValueError(f"give a problem or a start, and not both; got start={setup['start']!r} as well")
            setup |= {"start": AS_GIVEN, "given": checked(problem)}
        elif setup and "start" not in setup:
            setup["start"] = RANDOM  # the worked example has numbers and sizes of its own
        known = [field.name for field in fields(Setup)]
        if alien := [name for name in setup if name not in known]:
            takes = ", ".join(("problem, lr, iteration, step, cell, mistake", *known[:-1]))
            raise TypeError(
                f"StepThrough takes no {alien[0]}; it takes {takes}, and how it is shown: hide, large, questions"
            )
        chosen = Setup(**setup)
        if chosen.base is not None and (sizes := setup.keys() & SIZES.keys()):
            raise ValueError(f"{', '.join(sorted(sizes))}: {chosen.start!r} has sizes of its own; leave them out")
        made = chosen.problem()
        self.setup_lr = float(made.lr)  # the learning rate that goes with the setup, unless another is chosen
        self._training = Training(made if lr is None else made.evolve(lr=lr))
        super().__init__(place=LabState(chosen, self._training.remembered(0), note=_kept(chosen, made)))
        check_whole("iteration", iteration, 0, LAST)
        if mistake:
            self.plant(mistake)
        told = self.place.note
        self._open_at(step, iteration)
        if iteration == 0:
            self.place = replace(self.place, note=self.place.note or told)
        if cell:
            self.pin(cell)

    def pin(self, cell: str) -> None:
        """Choose a cell by its name, such as "dW1[1,0]", and keep it."""
        if cell in ("L", "lr"):
            cell += "[0,0]"
        named = re.fullmatch(r"(.+)\[(\d{1,4}),\s*(\d{1,4})\]", cell) if isinstance(cell, str) else None
        if named is None:
            raise ValueError(f'cell must be one of the board, such as "X[1,0]"; got {cell!r}')
        with suppress(KeyError):  # where no matrix has this name
            self.choose((named[1], int(named[2]), int(named[3])), pinned=True)
        if not self.place.pinned:
            raise ValueError(f"there is no {cell} on the board at this step")

    def _index_of(self, step: str) -> int:
        names = [each.name for each in self.place.trace.steps]
        if step not in names:
            raise ValueError(f"step must be one of {', '.join(names)}; got {step!r}")
        return names.index(step) + 1

    @property
    def losses(self) -> Sequence[float]:
        """The loss of every iteration up to the current one."""
        return self._training.losses[: self.place.iteration + 1]

    @property
    def rates(self) -> dict[int, float]:
        """The learning rates up to the current iteration, each with the iteration from which on it was used."""
        training = self._training
        return {k: training.lrs[k] for k in (0, *training.lr_changes) if k <= self.place.iteration}

    @property
    def lr_changed(self) -> bool:
        """Whether the learning rate has changed from one iteration to the next, up to the current one."""
        return len(self.rates) > 1

    @property
    def has_diverged(self) -> bool:
        """Whether the loss has overflowed, at the current iteration or before."""
        return self._training.diverged(self.place.iteration) is not None

    @property
    def first_problem(self) -> Problem:
        """Where training began: the problem of iteration 0."""
        return self._training.first

    def forget(self) -> None:
        """Keep no trace while nobody looks: where the learner is stays known, and the trace is made again when needed.

        It is that of the last iteration that was gone to, which the training has too.
        """
        self.place.remembered.forget()

    def set_up(self, **changes: Any) -> None:
        """Start over with some fields of Setup changed, at the same step if there is one of that name.

        What has sizes of its own becomes random numbers where one of them changes; so does the worked example with a
        seed. A note says so.
        """
        before, told = self.place.setup, ""
        lr: float | None = self.place.lr
        if "start" not in changes:
            gone = changes.keys() & {*SIZES, *({"seed"} if before.start == WORKED_EXAMPLE else ())}
            if before.base is not None and gone:
                changes["start"] = RANDOM
                whose = "your problem" if before.start == AS_GIVEN else before.start
                told = f"Random numbers now: choose {whose} under start to go back."
        if "start" in changes:
            lr = None if not told or lr == self.setup_lr else lr
            setup = Setup(changes["start"], given=before.given)
            if setup.base is None:
                at_least = {name: max(getattr(before, name), 1) for name in ("hidden", "layers")}
                setup = replace(before, **at_least | changes)
        else:
            setup = replace(before, **changes)
        self._begin(setup, lr, told)

    def restart(self) -> None:
        """Back to the start of the same problem, with the present learning rate and the original numbers."""
        self._begin(self.place.setup, self.place.lr, index=0)

    def edit(self, number: Any) -> None:
        """Set the chosen cell, of X, y, a weight or a bias, to another number; training starts over from there."""
        if self.place.cell is None:
            raise ValueError("choose a cell first: click it on the board")
        name, i, j = self.place.cell
        problem = self.place.trace.problem
        parameters = problem.network.parameters
        if name not in ("X", "y", *parameters):
            own = "has its own control" if name == "lr" else "is computed"
            raise ValueError(f"{name} {own}; only X, y, {', '.join(parameters)} can be changed here")
        if not isinstance(number, int | float) or not abs(number) <= sys.float_info.max:
            raise ValueError(f"a cell needs a finite number, such as -0.5; got {number!r}")
        array = self.place.trace[name].copy()
        np.atleast_2d(array)[i, j] = number
        if name in parameters:
            problem = problem.evolve(network=problem.network.with_parameters(parameters | {name: array}))
        else:
            problem = problem.evolve(**{name: array})
        self._restart_training(problem, custom=True)

    def set_lr(self, lr: Any) -> None:
        """Change the learning rate from this iteration on; the step on the board and past iterations stay."""
        check_learning_rate(lr)
        self._go(self.place.iteration, self.place.index, float(lr))

    def plant(self, mistake: str) -> None:
        """Make the mistake with this name in every iteration, or none if it is empty. Training starts over."""
        if mistake and not (isinstance(mistake, str) and mistake in self.mistakes):
            raise ValueError(f"there is no mistake {mistake!r}; choose one of {', '.join(self.mistakes)}")
        problem = self.first_problem.evolve(lr=self.place.lr)
        if mistake and (why_not := why_not_planted(self.mistakes[mistake], trace(problem))):
            raise ValueError(f"{self.mistakes[mistake].title}: this mistake cannot be planted here, because {why_not}")
        self._restart_training(problem, mistake=mistake)

    def choose(self, cell: Cell | None, pinned: bool = False) -> None:
        """Choose the cell to work out, or none; a cell that is not on the board yet counts as none."""
        if cell is not None and not self.place.has(cell):
            cell = None
        pinned = pinned and cell is not None
        if (cell, pinned) != (self.place.cell, self.place.pinned):
            self.place = replace(self.place, cell=cell, pinned=pinned)

    def choose_matrix(self, way: int) -> None:
        """Choose the next matrix on the board in the order of computation, or with a `way` of -1 the previous one."""
        place = self.place
        shown = [name for name in place.trace if place.shows(name) and name != "lr"]
        now = place.cell[0] if place.cell else place.step.name if place.step else "lr"
        at = (shown.index(now) + way) % len(shown) if now in shown else 0
        self.choose((shown[at], 0, 0))

    def walk(self, down: int, right: int) -> None:
        """Choose a neighbour of the chosen cell, if there is one."""
        place = self.place
        if place.cell is None:
            return
        name, i, j = place.cell
        rows, cols = value_of(place.trace, name).shape
        self.choose((name, min(max(i + down, 0), rows - 1), min(max(j + right, 0), cols - 1)), place.pinned)

    def predict(self, on: bool) -> None:
        """Start, or stop, asking before a step is shown; the score starts at 0."""
        asks = "before a ReLU, a gradient and an update; at the last update, whether the loss will rise"
        note = f"Press Next: it asks first, {asks}." if on else ""
        self.place = replace(self.place, predicting=on, question=None, right=0, asked=0, why="", note=note)

    def answer(self, text: str) -> None:
        """Answer the question, as by a sign, `+`, `-` or `0`, or a number; then show the step."""
        place = self.place
        if place.question is None:
            raise ValueError(
                "there is no question to answer: switch on 'Predict first' and press Next before a gradient"
            )
        asked = question(place.trace, place.question, self.mistakes)
        is_right, verdict = asked.judge(text.strip())
        self._go(place.iteration, place.index + 1)
        right, so_far = place.right + is_right, place.asked + 1
        note = f"{verdict} {right} of {so_far} right so far."
        self.place = replace(self.place, right=right, asked=so_far, why=asked.why, note=note)

    def give_reason(self, text: str) -> None:
        """Say, in one line, why the last answer is what it is; then ours stands beside it."""
        if not self.place.why:
            raise ValueError("there is nothing to give a reason for: answer a question first")
        if not text.strip():
            raise ValueError("type your reason first, in one line")
        self.place = replace(self.place, why="", note=f"You: {text.strip()} \N{EM DASH} Ours: {self.place.why}")

    def go(self, step: str | None = None, iteration: int | None = None) -> None:
        """Go to a step by its name, None for the start, of this iteration or another."""
        iteration = self.place.iteration if iteration is None else iteration
        check_whole("iteration", iteration, 0, LAST)
        self._open_at(step, iteration)

    def _open_at(self, step: str | None, iteration: int) -> None:
        index = self._index_of(step) if step is not None else 0
        for k in range(self._training.iterations, iteration):
            self._training.trace(k)
        self._go(int(iteration), index)

    def go_to(self, index: int) -> None:
        """Show the first `index` steps of this iteration."""
        if not isinstance(index, int):
            raise ValueError(f"the steps to show are a whole number, such as 3; got {index!r}")
        self._go(self.place.iteration, min(max(index, 0), len(self.place.trace.steps)))

    def look(self, iteration: int, index: int) -> tuple[LabState, Sequence[float]]:
        """What `place` and `losses` would be after `index` steps of an iteration, up to one beyond the last."""
        found, now = self._training.remembered(iteration), self.place
        note = self._note(iteration, now.mistake, now.custom)
        place = LabState(now.setup, found, iteration, index, now.custom, now.mistake, note=note)
        return place, self._training.losses[: iteration + 1]

    def next(self) -> None:
        """One step forward; after the last, the forward pass begins again with the new weights.

        While predicting, a step is first asked about, if there is a question; a second `next` shows it unanswered.
        """
        if self.place.predicting and self.place.question is None and (asked := self._question()):
            self.place = replace(self.place, question=asked, cell=None, pinned=False, why="", note="")
        elif self.place.index < len(self.place.trace.steps):
            self.go_to(self.place.index + 1)
        else:
            self._go(self.place.iteration + 1, 0)

    def back(self) -> None:
        """One step back; from the start of an iteration, to the end of the previous one."""
        if self.place.index:
            self.go_to(self.place.index - 1)
        elif self.place.iteration:
            self._go(self.place.iteration - 1, len(self.place.trace.steps))

    def next_phase(self) -> None:
        """Go to the end of this phase, or of the next one if this one is done."""
        steps = self.place.trace.steps
        if self.place.index == len(steps):
            self.next()
        else:
            phase = steps[self.place.index].phase
            self.go_to(max(k for k, step in enumerate(steps, start=1) if step.phase == phase))

    def next_iteration(self) -> None:
        """Go to the same step in the next iteration."""
        self._go(self.place.iteration + 1, self.place.index)

    def _question(self) -> Cell | None:
        """What to ask before the next step; always the same at the same step and iteration."""
        place = self.place
        if place.index == len(place.trace.steps):
            return None
        rng = np.random.default_rng([place.setup.seed or 0, place.iteration, place.index])
        return asked_before(place.trace, place.trace.steps[place.index], rng)

    def _begin(self, setup: Setup, lr: float | None, told: str = "", **changes: Any) -> None:
        """Start over from a setup, with the same mistake if it can be planted there; `changes` are of the place."""
        before = self.place.setup
        known = (setup.base, setup.activation, setup.loss) == (before.base, before.activation, before.loss)
        problem = setup.problem(Problem.trusted if known else Problem)  # checked when it was chosen
        self.setup_lr = float(problem.lr)
        if lr is not None:
            problem = problem.evolve(lr=lr)
        elif self.setup_lr != self.place.lr:
            told = f"{told} The learning rate is {self.setup_lr:g} now, which goes with this start.".lstrip()
        mistake = self.place.mistake
        if mistake and not can_be_planted(self.mistakes[mistake], problem):
            mistake = ""
        told = " ".join(filter(None, (told, _kept(setup, problem))))
        changes |= {"setup": setup, "custom": False, "mistake": mistake, "cell": None, "pinned": False}
        self._restart_training(problem, told, **changes)

    def _restart_training(self, problem: Problem, told: str = "", **changes: Any) -> None:
        """Start training over from `problem`, at the step of the same name, or at the start where there is none."""
        mistake = changes.get("mistake", self.place.mistake)
        training = Training(problem, partial(with_mistake, self.mistakes[mistake]) if mistake else trace)
        first = training.remembered(0)
        if self.place.step is not None and "index" not in changes:
            names = [step.name for step in first.trace.steps]
            name = self.place.step.name
            changes["index"] = names.index(name) + 1 if name in names else 0
            if name not in names:
                told = f"{told} This network has no {name}, so here is its start.".lstrip()
        self._training = training
        note = self._note(0, mistake, changes.get("custom", self.place.custom))
        if mistake and not self.mistakes[mistake].planted_at(trace(problem)):
            note = note or f"{self.mistakes[mistake].title}: with these numbers, it changes nothing."
        note = " ".join(filter(None, (told, note)))
        self.place = replace(self.place, remembered=first, iteration=0, note=note, question=None, why="", **changes)

    def _go(self, iteration: int, index: int, lr: float | None = None) -> None:
        """Go to a step of an iteration. A pinned cell stays while the step does, so that iterations can be compared."""
        found = self._training.remembered(iteration, lr)
        note = self._note(iteration, self.place.mistake, self.place.custom)
        place = replace(
            self.place, remembered=found, iteration=iteration, index=index, question=None, why="", note=note
        )
        stays = place.pinned and index == self.place.index
        if place.cell is not None and not stays:
            place = replace(place, cell=None, pinned=False)
        self.place = place

    def _note(self, iteration: int, mistake: str, custom: bool) -> str:
        """What to say if the loss has overflowed by then: no more of the cause than is known."""
        diverged = self._training.diverged(iteration)
        if diverged is None:
            return ""
        if diverged == 0 and math.isnan(self._training.losses[0]):
            return (
                "The loss is not a number (nan) at the very start: one of its lines has no answer for these numbers, "
                "as inf - inf has none, or the logarithm of a negative number."
            )
        if diverged == 0:
            cause = "the planted mistake may be the cause, or " * bool(mistake)
            return f"The loss overflows at the very start: {cause}some of these numbers are too large for it."
        then = f"The loss overflowed at iteration {diverged}"
        if mistake:
            return (
                f"{then}: the planted mistake may be the cause, or the learning rate. Go back to see how it began, or "
                "plant no mistake and compare."
            )
        if custom:
            return (
                f"{then}: the learning rate is too large for these numbers, or they are too large themselves. Restart "
                "brings the original numbers back; or go back to see how it began."
            )
        if self.place.setup.start == AS_GIVEN:
            return (
                f"{then}: the learning rate is too large for this problem, or a gradient is wrong, which its check "
                "shows. Restart with a smaller learning rate, or go back to see how it began."
            )
        return f"{then}: the learning rate is too large. Restart with a smaller one, or go back to see how it began."


def _kept(setup: Setup, problem: Problem) -> str:
    """Which numbers a seed did not draw anew, in a sentence."""
    return kept_by_seeds(problem.network) if setup.base is not None and setup.seed is not None else ""
