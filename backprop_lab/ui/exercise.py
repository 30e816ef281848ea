"""Exercises: checks a learner's own lines of the training step, with hints and a progress bar."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np

from backprop_lab.examples import worked_example
from backprop_lab.feedback import Feedback, check_function
from backprop_lab.mistakes import MISTAKES, Mistake
from backprop_lab.problem import random_problem
from backprop_lab.tracing import Trace, trace
from backprop_lab.ui.values.explanations import explain
from backprop_lab.ui.values.one_cell import work_out

EVERY_STEP = tuple(step.name for step in trace(worked_example()).steps)


class Exercises:
    """The exercises of a notebook: `ask = Exercises()`, then `ask("dW2", dW2)` below each answer.

    An answer is a function whose arguments are names that are known by then, `def dW2(H1, dy_pred): ...`, tried on the
    worked example and on random problems of other sizes; or an array, compared with the worked example.
    `names` are the steps that count towards the progress, by default every step of the worked example; a wrong answer
    is compared with what each of `mistakes` gives. With a `seed`, a whole number, the problems are others, drawn by it:
    `traces[0]` has the numbers that an array is compared with. Raises ValueError if a name is not one of a step.
    """

    def __init__(
        self,
        names: Sequence[str] = EVERY_STEP,
        mistakes: Mapping[str, Mistake] = MISTAKES,
        seed: int | None = None,
    ) -> None:
        self._mistakes = mistakes
        self.names = () if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
        if not self.names or any(name not in EVERY_STEP or self.names.count(name) > 1 for name in self.names):
            raise ValueError(f'names must be different names of steps, such as ["dW1", "db1"]; got {names!r}')
        self.solved: set[str] = set()
        self.traces = _traces(seed)
        self._first = "the worked example" if seed is None else "the first problem"

    def __call__(self, name: str, answer: Any) -> "Exercise":
        """Check an answer for `name`; returns a widget with feedback, hints and the progress so far."""
        traces = self.traces if callable(answer) else self.traces[:1]
        feedback = check_function(name, answer, traces, self._mistakes)
        if not isinstance(name, str):
            return Exercise(feedback, (), len(self.solved), len(self.names))
        if feedback and name in self.names:
            self.solved.add(name)
        elif not feedback:
            self.solved.discard(name)
        return Exercise(feedback, self._hints(name), len(self.solved), len(self.names))

    def _hints(self, name: str) -> tuple[str, ...]:
        """Three hints, each closer to the answer, none of them the answer."""
        traced = self.traces[0]
        if name not in EVERY_STEP:
            return ()
        step = traced.step(name)
        owner = name.removesuffix("_new").removeprefix("d")
        like = f", like that of {owner}," if owner != name else ""
        cell = work_out(traced, (name, 0, 0))
        written = f"Written out: {name}" if np.ndim(step.value) == 0 else f"One of its cells: {name}[0,0]"
        shape = np.shape(step.value)
        *others, last = step.operands
        operands = f"{', '.join(others)} and {last}" if others else last
        return (
            f"Its shape{like} is {shape} in {self._first}." if shape else "It is a single number.",
            explain(step).sentence,
            f"It is computed from {operands}. {written} = {cell.symbols}.",
        )


def _traces(seed: int | None) -> list[Trace]:
    """What answers are tried on, problems of different sizes: the worked example and two more, or others by a seed.

    All but the worked example have had one update, so that no bias is 0, and a forgotten one is noticed.
    """
    if seed is None:
        first = random_problem(1, samples=3, inputs=2, hidden=5, lr=0.02)
        second = random_problem(2, samples=4, outputs=3, lr=0.02)
        return [trace(worked_example()), *(trace(trace(problem).next_problem()) for problem in (first, second))]
    rng, problems = np.random.default_rng(seed), []
    for _ in range(3):
        samples, inputs, hidden, outputs = map(int, rng.permutation([2, 3, 4, 5]))
        drawn = random_problem(
            int(rng.integers(2**31)), samples=samples, inputs=inputs, hidden=hidden, outputs=outputs, lr=0.02
        )
        problems.append(trace(trace(drawn).next_problem()))
    return problems


class Exercise(widgets.VBox):
    """The feedback on one answer, with a button for hints and the progress through the notebook."""

    def __init__(self, feedback: Feedback, hints: Sequence[str], solved: int, exercises: int) -> None:
        self.feedback = feedback
        self._hints = tuple(hints)
        self._given = 0
        self._shown_hints = widgets.HTML()
        self._button = widgets.Button(
            tooltip="A hint; each of the three is closer to the answer", layout={"width": "auto"}
        )
        self._button.on_click(lambda _: self.hint())
        progress = widgets.HTML(
            f'<label>Solved {solved} of {exercises} <progress value="{solved}" max="{exercises}"></progress></label>'
        )
        super().__init__(
            [widgets.HTML(feedback._repr_html_()), self._shown_hints, widgets.HBox([self._button, progress])]
        )
        self._show()

    def hint(self) -> None:
        """Show the next hint."""
        self._given = min(self._given + 1, len(self._hints))
        self._show()

    def _show(self) -> None:
        hints = "".join(f"<li>{html.escape(hint)}</li>" for hint in self._hints[: self._given])
        self._shown_hints.value = f'<ol role="status">{hints}</ol>' if hints else ""
        self._button.description = f"Hint {self._given + 1} of {len(self._hints)}"
        more = not self.feedback and self._given < len(self._hints)
        self._button.layout.display = None if more else "none"

    def __repr__(self) -> str:
        return self.feedback.message
