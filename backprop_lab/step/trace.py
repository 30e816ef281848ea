"""One training step, written down: every value in the order it is computed, with the line that computes it."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from backprop_lab.nn.lines import evaluate
from backprop_lab.nn.steps import Lines, Step
from backprop_lab.step.problem import Problem, check_problem

_Others = ParamSpec("_Others")
_Found = TypeVar("_Found")


class Trace(Mapping[str, Any]):
    """The record of one training step of a problem: read-only arrays by name, as in `trace["dW1"]`.

    `steps` has every computed value in order; `names` also has what was given: X, y, the parameters and lr.
    Raises ValueError, naming the line, if one cannot be run.
    """

    def __init__(self, problem: Problem, given: Mapping[str, Any], lines: Lines) -> None:
        """Run the lines over what is given: the problem's own, or some with a mistake in them."""
        self.problem = problem
        self.given = given
        self.again: Callable[[Problem], Trace] = trace  # what makes the trace of the next step
        self._lines = lines
        self._values = lines.run(given)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every computed value in order."""
        values, new = self._values, tuple.__new__  # quicker than the constructor
        return tuple([new(Step, (*line[:-1], values[line[0]])) for line in self._lines])

    def showing(self, values: Mapping[str, Any]) -> "Trace":
        """The same lines over other values, which they do not give: see `mysteries`."""
        shown = copy.copy(self)
        shown.__dict__.pop("steps", None)
        shown._values = {**self._values, **values}
        return shown

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except (KeyError, TypeError):
            if not isinstance(name, str):
                raise KeyError("write the name of a value in quotes, as in t['dW1']") from None
            raise KeyError(f"there is no {name!r} in this trace; it has {', '.join(self.names)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @cached_property
    def _by_name(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def owner(self, name: str) -> str:
        """What a gradient is of, or what a new value replaces in the next step; "" for any other name."""
        return self._by_name[name].of if name in self._by_name else ""

    def role(self, name: str) -> str:
        """Whether a name is that of a "value", a "gradient", or of what is "new" in the next step."""
        return self._by_name[name].role if name in self._by_name else "value"

    def step(self, name: str) -> Step:
        """The step that computes `name`. Raises KeyError, listing what there is, if none does."""
        try:
            return self._by_name[name]
        except (KeyError, TypeError):
            raise KeyError(f"no step computes {name!r}; the steps are {', '.join(self._by_name)}") from None

    def shapes(self, step: Step) -> str:
        """The shapes that meet in a step, such as `(3, 2) @ (2, 4) -> (3, 4)`; a shape is (rows, columns)."""

        def shape_of(match: re.Match[str]) -> str:
            counted, name, transposed, axis = match.groups()  # none in a text, such as the letters of an einsum
            value = self._values.get(counted or name)
            if not isinstance(value, np.ndarray):
                return match.group()
            shape = (getattr(value, transposed) if transposed else value).shape
            return str(shape[int(axis or 0)] if counted or axis else shape)

        parts = r"\"[^\"]*\"|'[^']*'|len\((\w+)\)|\b([A-Za-z]\w*)\b(?:\.(mT|T\b))?(?:\.shape(?:\[(-?\d)\])?)?"
        code = re.sub(parts, shape_of, step.code)
        return f"{code} -> {np.shape(step.value) or 'one number'}"

    def evaluate(self, code: str, **others: Any) -> Any:
        """What a line of NumPy gives over these values, as in `trace.evaluate("dH1 * (H1 > 0)")`.

        Values given as `others` take the place of those of the same name.
        """
        return evaluate(code, self._values | others)

    def next_problem(self) -> Problem:
        """The same problem after this step's update: what replaces a value is that value in the next step."""
        return self.problem.updated({name: self[new] for name, new in self._lines.replacing.items()})

    def next_loss(self) -> Any:
        """The loss after this step's update, on the same samples; what overflows does so without a warning.

        Where a layer draws, such as Dropout, it is that of the next step, with what is drawn there; and where a mistake
        is made in every step, it is made in the next one, too.
        """
        if self.again is not trace:
            return self.again(self.next_problem())[self.problem.loss_name]
        given = self.next_problem().given
        return self.problem.lines.function((self.problem.loss_name,), tuple(given))(*given.values())[0]


def trace(problem: Problem) -> Trace:
    """Run one training step of `problem` line by line and keep every value: forward, loss, backward, update.

    What overflows does so without a warning: the loss then is infinite, or not a number. Raises ValueError if
    `problem` is not a Problem.
    """
    check_problem(problem)
    return Trace(problem, problem.given, problem.lines)


def found_once(
    find: Callable[Concatenate[Trace, _Others], _Found],
) -> Callable[Concatenate[Trace, _Others], _Found]:
    """A function that looks for something in a trace, and keeps what it found for as long as the trace is there.

    What it finds must not hold the trace, which would then stay for ever, nor be changed by those who ask.
    """
    found: WeakKeyDictionary[Trace, dict[Any, _Found]] = WeakKeyDictionary()

    @wraps(find)
    def look(trace: Trace, /, *others: _Others.args, **named: _Others.kwargs) -> _Found:
        known, asked = found.setdefault(trace, {}), (others, *named.items())
        if asked not in known:
            known[asked] = find(trace, *others, **named)
        return known[asked]

    return look
