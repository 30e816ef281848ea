"""The moves from one place to another: steps, iterations, other numbers, and questions that are asked before a step."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from traitlets import HasTraits, Instance

from backprop_lab.course.predictions import asked_before, question
from backprop_lab.feedback.mistakes import MISTAKES, Mistake, checked_mistakes
from backprop_lab.nn.steps import Step
from backprop_lab.reading.one_cell import Cell, cell_written
from backprop_lab.reading.scale import Scales, checked_limits, scales_of
from backprop_lab.reading.slopes import in_rows, value_of
from backprop_lab.step.checking import check_learning_rate
from backprop_lab.step.problem import Problem, check_whole
from backprop_lab.step.trace import trace
from backprop_lab.training.history import Training, why_not_planted, with_mistake
from backprop_lab.ui.steps import notes
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.setup import AS_GIVEN, Setup, chosen

LAST = 100_000  # the last iteration to jump to
SEEDS = 8  # for which the colour scales are set, where a seed has drawn the numbers: most others then need no more
TINY = float(np.finfo(float).tiny)


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
        limit: Any = None,
        **setup: Any,
    ) -> None:
        """Open at a step of an iteration, with a `cell` such as "X[1,0]" pinned, and one of `mistakes` planted or none.

        The colours of values and gradients end at `limit`, one number or two; with none, where the problem's own do.
        It opens on `problem`, with its own numbers, or on what the fields of Setup in `setup` say.
        """
        self.mistakes, self.limits = checked_mistakes(mistakes), checked_limits(limit)
        opened = chosen(problem, setup)
        made = opened.problem()
        self.unread: set[str] = set()  # the matrices whose numbers the learner cannot see on the board
        self.reads: Callable[[str], bool] = lambda name: False  # whether those of a step are seen beside it
        self.setup_lr = float(made.lr)  # the learning rate that goes with the setup, unless another is chosen
        self._drawn: tuple[Setup, Scales] | None = None
        made = made if lr is None else made.evolve(lr=lr)
        self._training = Training(made, scales=self._first_scales(opened, made))
        super().__init__(place=LabState(opened, self._training.remembered(0), note=notes.on_seed(opened, made)))
        if mistake:
            self.plant(mistake)
        note = self.place.note
        check_whole("iteration", iteration, 0, LAST)  # None is not one to open at
        self.go(step, iteration)
        if iteration == 0:
            self.place = replace(self.place, note=self.place.note or note)
        if cell:
            self.pin(cell)

    def pin(self, cell: str) -> None:
        """Choose a cell by its name, such as "dW1[1,0]", and keep it."""
        if (chosen_one := cell_written(self.place.trace, cell)) is not None:
            self.choose(chosen_one, pinned=True)
        if chosen_one is None or not self.place.pinned:
            raise ValueError(f'there is no {cell} on the board at this step; a cell is named as in "X[1,0]"')

    @property
    def losses(self) -> Sequence[float]:
        """The loss of every iteration up to the current one."""
        return self._training.losses[: self.place.iteration + 1]

    @property
    def rates(self) -> dict[int, float]:
        """The learning rates up to the current iteration, each with the iteration from which on it was used."""
        return {k: self._training.lrs[k] for k in (0, *self._training.lr_changes) if k <= self.place.iteration}

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

        The training remembers the same one, that of the last iteration gone to.
        """
        self.place.remembered.forget()

    def set_up(self, **changes: Any) -> None:
        """Start over with some fields of Setup changed, at the same step if there is one of that name.

        A note says what else has changed with them.
        """
        setup, sentences = self.place.setup.changed(changes)
        goes_with_it = "start" in changes or (sentences and self.place.lr == self.setup_lr)
        self._begin(setup, None if goes_with_it else self.place.lr, *sentences)

    def restart(self) -> None:
        """Back to the start of the same problem, with the present learning rate and the original numbers."""
        self._begin(self.place.setup, self.place.lr, index=0)

    def edit(self, number: Any) -> None:
        """Set the chosen cell, of what `can_change` names, to another number; training starts over from there."""
        if self.place.cell is None:
            raise ValueError("choose a cell first: click it on the board")
        name, i, j = self.place.cell
        problem = self.place.trace.problem
        if name not in (known := self.place.can_change):
            why_not = {"lr": "has its own control", "step": "counts the steps"}.get(name, "is computed")
            why_not = "is drawn anew in each step" if name in problem.masks else why_not
            raise ValueError(f"{name} {why_not}; only {', '.join(known)} can be changed here")
        if not isinstance(number, int | float) or not abs(number) <= sys.float_info.max:
            raise ValueError(f"a cell needs a finite number, such as -0.5; got {number!r}")
        cells = in_rows(array := self.place.trace[name].copy())
        with np.errstate(over="ignore", invalid="ignore"):
            if array.dtype.kind in "iub" and np.float64(number).astype(array.dtype) != number:
                raise ValueError(f"{name} holds {array.dtype} numbers, and {number!r} is not one")
            cells[i, j] = number
            if cells[i, j] ^ cells[i, j] if array.dtype.kind == "b" else cells[i, j] - cells[i, j] != 0:
                raise ValueError(f"{number!r} is too large for {name}, whose numbers are of type {array.dtype}")
        of = next(of for of in ("data", "parameters", "state") if name in getattr(problem, of))
        changed = problem.evolve(**{of: {name: array}})
        for new, remembered in problem.lines.memories.items():
            if name == new and np.isnan(trace(changed)[f"{remembered}_new"]).any():
                raise ValueError(f"with {number!r} in {name}, the update of {remembered} is not a number")
        self._restart_training(changed, custom=True)

    def set_lr(self, lr: Any) -> None:
        """Change the learning rate from this iteration on; the step on the board and past iterations stay."""
        check_learning_rate(lr)
        self._go(self.place.iteration, self.place.index, float(lr))

    def plant(self, mistake: str) -> None:
        """Make the mistake with this name in every iteration, or none if it is empty. Training starts over."""
        problem = self.first_problem.evolve(lr=self.place.lr)
        if mistake and not (isinstance(mistake, str) and mistake in self.mistakes):
            raise ValueError(notes.no_mistake(mistake, self.mistakes, problem))
        if mistake and (why_not := why_not_planted(self.mistakes[mistake], trace(problem))):
            raise ValueError(notes.not_planted(self.mistakes[mistake], why_not))
        self._restart_training(problem, mistake=mistake)

    def choose(self, cell: Cell | None, pinned: bool = False) -> None:
        """Choose the cell to work out, or none; a cell that is not on the board yet counts as none."""
        cell = cell if cell is not None and self.place.has(cell) else None
        pinned = pinned and cell is not None
        if (cell, pinned) != (self.place.cell, self.place.pinned):
            self.place = replace(self.place, cell=cell, pinned=pinned)

    def choose_matrix(self, way: int) -> None:
        """Choose the next matrix on the board in the order of computation, or with a `way` of -1 the previous one."""
        place = self.place
        shown = [name for name in place.trace if place.shows(name) and name != "lr"]
        chosen_one = place.cell[0] if place.cell else getattr(place.step, "name", None)
        at = (shown.index(chosen_one) + way) % len(shown) if chosen_one in shown else 0
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
        steps = self.place.trace.steps
        asked = [step for at, step in enumerate(steps) if self._question(at)]
        note = notes.on_predicting(asked, any(map(self._is_unread, steps))) if on else ""
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
        index = self.place.index_of(step)
        if step is not None and not index:
            names = ", ".join(each.name for each in self.place.trace.steps)
            raise ValueError(f"step must be one of {names}; got {step!r}")
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
        setup, custom, mistake = self.place.setup, self.place.custom, self.place.mistake
        place = LabState(setup, self._training.remembered(iteration), iteration, index, custom, mistake)
        return replace(place, note=notes.on_overflow(self._training, place)), self._training.losses[: iteration + 1]

    def next(self) -> None:
        """One step forward; after the last, the forward pass begins again with the new weights.

        While predicting, a step is first asked about, if there is a question; a second `next` shows it unanswered.
        """
        if self.place.predicting and self.place.question is None and (asked := self._question(self.place.index)):
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

    def _question(self, index: int) -> Cell | None:
        """What to ask before the step after this one; always the same at the same step and iteration."""
        place = self.place
        if index == len(place.trace.steps) or self._is_unread(step := place.trace.steps[index]):
            return None
        return asked_before(place.trace, step, np.random.default_rng([place.setup.seed or 0, place.iteration, index]))

    def _is_unread(self, step: Step) -> bool:
        """Whether a step follows from numbers that are hidden; a colour shows which way, and no more."""
        return step.phase != "update" and bool(self.unread & {*step.operands}) and not self.reads(step.name)

    def _begin(self, setup: Setup, lr: float | None, *sentences: str, **changes: Any) -> None:
        """Start over from a setup, with the same mistake if it can be planted there; `changes` are of the place."""
        problem = setup.problem()
        self.setup_lr = float(problem.lr)
        if lr is not None:
            problem = problem.evolve(lr=lr)
        elif self.setup_lr != self.place.lr:
            sentences += (f"The learning rate is {self.setup_lr:g} now, which goes with this start.",)
        if (mistake := self.place.mistake) and (why_not := why_not_planted(self.mistakes[mistake], trace(problem))):
            sentences, mistake = (*sentences, f"{notes.not_planted(self.mistakes[mistake], why_not)}."), ""
        changes |= {"setup": setup, "custom": False, "mistake": mistake, "cell": None, "pinned": False}
        self._restart_training(problem, *sentences, notes.on_seed(setup, problem), **changes)

    def _restart_training(self, problem: Problem, *sentences: str, **changes: Any) -> None:
        """Start training over from `problem`, at the step of the same name, or at the start where there is none."""
        step, place = self.place.step, replace(self.place, iteration=0, question=None, why="", **changes)
        mistake = self.mistakes[place.mistake] if place.mistake else None
        scales = self._first_scales(place.setup, problem, place.custom)
        training = Training(problem, partial(with_mistake, mistake) if mistake else trace, scales)
        place = replace(place, remembered=training.remembered(0))
        if step is not None and "index" not in changes:
            place = replace(place, index=place.index_of(step.name))
            if not place.index:
                sentences += (f"This network has no {step.name}, so here is its start.",)
        note = notes.on_overflow(training, place)
        if mistake and not note and not mistake.planted_at(trace(problem)):
            note = f"{mistake.title}: with these numbers, it changes nothing."
        self._training = training
        self.place = replace(place, note=" ".join(filter(None, (*sentences, note))))

    def _first_scales(self, setup: Setup, problem: Problem, custom: bool = False) -> Scales:
        """Those of the colours before training: the same for all seeds, learning rates and mistakes."""
        lr = TINY if custom or setup.start == AS_GIVEN else self.setup_lr  # of what a link gives back with another rate
        if custom or setup.seed is None:
            return scales_of([trace(problem.evolve(lr=lr))], self.limits)
        drawn = replace(setup, seed=0)
        if self._drawn is None or self._drawn[0] != drawn:
            problems = [replace(drawn, seed=seed).problem() for seed in range(SEEDS)]
            self._drawn = drawn, scales_of([trace(each.evolve(lr=lr)) for each in problems], self.limits)
        return self._drawn[1]

    def _go(self, iteration: int, index: int, lr: float | None = None) -> None:
        """Go to a step of an iteration. A pinned cell stays while the step does, so that iterations can be compared."""
        remembered = self._training.remembered(iteration, lr)
        place = replace(self.place, remembered=remembered, iteration=iteration, index=index, question=None, why="")
        if not (place.pinned and index == self.place.index):
            place = replace(place, cell=None, pinned=False)
        self.place = replace(place, note=notes.on_overflow(self._training, place))
