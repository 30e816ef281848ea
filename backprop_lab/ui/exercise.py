"""The box below a learner's answer: feedback, hints and the progress through a notebook."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np

from backprop_lab.feedback.check import Feedback, check_function
from backprop_lab.feedback.mistakes import MISTAKES, Mistake, checked_mistakes
from backprop_lab.nn.layers import Layer
from backprop_lab.nn.network import Network
from backprop_lab.nn.steps import Step
from backprop_lab.reading.explanations import explain
from backprop_lab.reading.one_cell import indexed, work_out
from backprop_lab.reading.slopes import value_of
from backprop_lab.step.examples import worked_example
from backprop_lab.step.number_format import plain
from backprop_lab.step.problem import Problem, check_seed
from backprop_lab.step.program import Program
from backprop_lab.step.random_problems import random_problem
from backprop_lab.step.trace import Trace, trace
from backprop_lab.ui.controls import row
from backprop_lab.ui.running import without_view_if_nobody_is_there


class Exercises:
    """The exercises of a notebook: `ask = Exercises()`, then `ask("dW2", dW2)` below each answer.

    `problem` is what they are about, by default the worked example. An answer is a function whose arguments are names
    that are known by then, or gradients that do not need its own, `def dW2(H1, dy_pred): ...`, tried on the problem and
    on two of other sizes with the same layers and loss, drawn at random; or an array, compared with the problem's own
    numbers. (Layers that fit no other size, such as one of your own with other parameters, are tried with more samples
    instead. For a loss of your own without `check_targets`, targets are rows of the problem's own y, since no others
    may fit it. A program is tried with other parameters, and with other numbers for data that are 0 everywhere, such as
    a first state.)
    `names` are the steps that count towards the progress, by default every step of the problem; a wrong answer is
    compared with what each of `mistakes` gives. With a `seed`, all problems are drawn, by it: `traces[0]` has the
    numbers that an array is compared with. Raises ValueError if `problem` is not a Problem, if a name is not one of a
    step, if the seed is not a whole number from 0 up, or if `mistakes` are no table of them.
    """

    def __init__(
        self,
        problem: Problem | None = None,
        *,
        names: Sequence[str] | None = None,
        mistakes: Mapping[str, Mistake] = MISTAKES,
        seed: int | None = None,
    ) -> None:
        if not isinstance(problem, Problem | None):
            raise ValueError(f'Exercises take a Problem, and what counts as names=["dW1", "db1"]; got {problem!r}')
        if seed is not None:
            check_seed(seed)
        self._mistakes = checked_mistakes(mistakes)
        self.traces = _traces(worked_example() if problem is None else problem, seed)
        steps = [step.name for step in self.traces[0].steps]
        names = steps if names is None else names
        self.names = () if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
        if not self.names or any(name not in steps or self.names.count(name) > 1 for name in self.names):
            raise ValueError(f'names must be different names of steps, such as ["dW1", "db1"]; got {names!r}')
        self.solved: set[str] = set()
        known = "the worked example" if problem is None else "this problem"
        self._first = known if seed is None else "the first problem"

    def __call__(self, name: str, answer: Any) -> "Exercise":
        """Check an answer for `name`; returns a widget with feedback, hints and the progress so far."""
        traces = self.traces if callable(answer) else self.traces[:1]
        feedback = check_function(name, answer, traces, self._mistakes)
        asked = [step for step in self.traces[0].steps if isinstance(name, str) and step.name == name]
        if asked and name in self.names:
            (self.solved.add if feedback else self.solved.discard)(name)
        return Exercise(feedback, self._hints(asked[0]) if asked else (), len(self.solved), len(self.names))

    def _hints(self, step: Step) -> tuple[str, ...]:
        """Up to three hints, each closer to the answer, none of them the answer."""
        shape = np.shape(step.value)
        like = f", like that of {step.of}," if step.of else ""
        *others, last = step.operands or ("nothing",)
        made = f"It is computed from {', '.join(others)}{' and ' if others else ''}{last}."
        if len(shape) <= 2:
            made += self._one_cell(step)
        size = f"Its shape{like} is {shape} in {self._first}." if shape else "It is a single number."
        return tuple(hint for hint in (size, explain(step).sentence, made) if hint)

    def _one_cell(self, step: Step) -> str:
        """What is said of one cell of a step: its parts, or, where they would be all of its line, only numbers."""
        name, shape = step.name, np.shape(step.value)
        cell = work_out(self.traces[0], (name, 0, 0))
        digits = 8 if step.phase == "update" else 4  # as in the cell's own value
        seen = [
            f"{indexed(self.traces[0], at)} is {plain(value_of(self.traces[0], at[0])[at[1:]], digits)}"
            for at in cell.sources
        ]
        if len({at[0] for at in cell.sources}) < len(cell.sources):
            return f" {f'One of its cells: {name}[0,0]' if shape else f'Written out: {name}'} = {cell.symbols}."
        if len(shape) == 2:  # a line that works cell by cell is all there, but for its indices: so only numbers
            where = f", where {' and '.join(seen)}" if seen else ""
            return f" One of its cells, {name}[0,0], is {cell.value} in {self._first}{where}."
        return ""


def _traces(problem: Problem, seed: int | None) -> list[Trace]:
    """What answers are tried on, problems of different sizes: this one and two more, or others by a seed."""
    if seed is None:
        return [trace(problem), _drawn(problem, 1, (3, 2, 5, 2)), _drawn(problem, 2, (4, 3, 4, 3))]
    rng, traces = np.random.default_rng(seed), []
    for _ in range(3):
        sizes = rng.permutation([2, 3, 4, 5]).tolist()
        traces.append(_drawn(problem, int(rng.integers(2**31)), sizes))
    return traces


def _drawn(problem: Problem, seed: int, sizes: Sequence[int]) -> Trace:
    """A problem with the same layers and loss, of so many samples, inputs, hidden units and outputs.

    A loss that does not say which targets it takes gets some that the problem has, and as many outputs. It has had one
    update, so that no bias is 0, and a forgotten one is noticed. Where the layers or the loss take no other size, or
    its numbers overflow, it is the problem itself, with two samples more, drawn from its own. A program keeps its data,
    but for what is 0 everywhere, as a forgotten path from there would be right.
    """
    samples, inputs, hidden, outputs = sizes
    if isinstance(problem, Program):
        redrawn = problem.redrawn(rng := np.random.default_rng(seed))
        zeros = {name: data for name, data in problem.data.items() if data.dtype.kind == "f" and not data.any()}
        redrawn = redrawn.evolve(data={name: rng.standard_normal(data.shape) / 2 for name, data in zeros.items()})
        moved = trace(trace(redrawn).next_problem())
        return moved if all(np.isfinite(step.value).all() for step in moved.steps) else trace(redrawn)
    layers, loss, rows = problem.network.layers, problem.loss, len(problem.X)
    is_known = hasattr(loss, "check_targets") or loss.is_ours
    outputs = outputs if is_known else problem.y.shape[1]
    wide = [id(layer) for layer in layers if layer.learnt and not _is_row(layer)]
    widths = range(hidden, hidden + len(wide) - 1) if len({*wide}) == len(wide) else [hidden] * (len({*wide}) - 1)
    try:
        drawn = random_problem(seed, samples, inputs, widths, outputs, lr=0.02, loss=loss)
        rng = np.random.default_rng(seed)
        y = drawn.y if is_known else problem.y[rng.choice(rows, samples, replace=samples > rows)]
        made, numbers, width = list[Layer](), (each.parameters for each in drawn.network.layers[::2]), inputs
        at = {id(layer): place for place, layer in reversed([*enumerate(layers)])}  # the first place of each
        for place, layer in enumerate(layers):
            if at[id(layer)] < place:
                made.append(made[at[id(layer)]])
                continue
            if _is_row(layer):
                own = {name: rng.choice(row.ravel(), (1, width)) for name, row in layer.parameters.items()}
                made.append(layer.with_parameters(own))
            else:
                known = next(numbers) if layer.learnt else {}
                made.append(layer.with_parameters({name: known[name] for name in layer.parameters}) if known else layer)
                width = getattr(made[-1], "outputs", width)
        first = replace(problem, network=Network(made), X=drawn.X, y=y, lr=drawn.lr, state={})
        updated = trace(trace(first).next_problem())
        if all(np.isfinite(step.value).all() for step in updated.steps):
            return updated
    except (KeyError, ValueError):  # of parameters that nobody knows how to draw, or of another size
        pass
    some = np.random.default_rng(seed).integers(rows, size=rows + 2)
    try:
        return trace(problem.evolve(X=problem.X[some], y=problem.y[some]))
    except ValueError:  # a layer with a number of its own for each sample, such as a mask
        return trace(problem.evolve(X=problem.X[some[:rows]], y=problem.y[some[:rows]]))


def _is_row(layer: Layer) -> bool:
    """Whether its parameters are one row each, as wide as what comes in, as in a norm; they are drawn from its own."""
    shape, shapes = (1, getattr(layer, "inputs", 0)), {p.shape for p in layer.parameters.values()}
    return shapes == {shape} and "W" not in layer.learnt


class Exercise(widgets.VBox):
    """The feedback on one answer, with a button for hints and the progress through the notebook."""

    def __init__(self, feedback: Feedback, hints: Sequence[str], solved: int, exercises: int) -> None:
        self.feedback = feedback
        self._hints = tuple(hints)
        self._given = 0
        self._shown_hints = widgets.HTML()
        self._button = widgets.Button(
            tooltip="Show a hint; each one is closer to the answer", layout={"width": "auto", "flex": "none"}
        )
        self._button.on_click(lambda _: self.hint())
        progress = widgets.HTML(
            f'<label>Solved {solved} of {exercises} <progress value="{solved}" max="{exercises}"></progress></label>'
        )
        super().__init__([widgets.HTML(feedback._repr_html_()), self._shown_hints, row(self._button, progress)])
        self._show()

    def hint(self) -> None:
        """Show the next hint."""
        self._given = min(self._given + 1, len(self._hints))
        self._show()

    def _show(self) -> None:
        hints = "".join(f"<li>{html.escape(hint)}</li>" for hint in self._hints[: self._given])
        self._shown_hints.value = f'<ol role="status" style="line-height: 1.4">{hints}</ol>' if hints else ""
        self._button.description = f"Hint {self._given + 1} of {len(self._hints)}"
        more = not self.feedback and self._given < len(self._hints)
        self._button.layout.display = "" if more else "none"  # not None, which Pyodide's kernel does not send

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return without_view_if_nobody_is_there(super()._repr_mimebundle_(**kwargs), {})

    def __repr__(self) -> str:
        return self.feedback.message
