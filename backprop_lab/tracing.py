"""One training step, written down: every value in the order it is computed, with the line that computes it."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from backprop_lab.layers import Array, as_readonly_array
from backprop_lab.lines import Step, evaluate, lines_of, run
from backprop_lab.problem import Problem, check_problem
from backprop_lab.rounding import Terms, all_terms


class Trace(Mapping[str, Any]):
    """The record of one training step of a problem: read-only arrays by name, as in `trace["dW1"]`.

    `steps` has every computed value in order; `names` also has what was given: X, y, the parameters and lr.
    """

    def __init__(self, problem: Problem, given: dict[str, Any], steps: tuple[Step, ...]) -> None:
        self.problem = problem
        self.steps = steps
        self.given = given
        self._values = given | {step.name: step.value for step in steps}

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

    @cached_property
    def terms(self) -> dict[str, Terms]:
        """Every value with the sum of the sizes of all its terms, to which its rounding is relative: see `rounding`."""
        return all_terms(self.steps, self.given)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def step(self, name: str) -> Step:
        """The step that computes `name`. Raises KeyError, listing what there is, if none does."""
        try:
            return self._by_name[name]
        except (KeyError, TypeError):
            raise KeyError(f"no step computes {name!r}; the steps are {', '.join(self._by_name)}") from None

    def shapes(self, step: Step) -> str:
        """The shapes that meet in a step, such as `(3, 2) @ (2, 4) -> (3, 4)`; a shape is (rows, columns)."""

        def shape(match: re.Match[str]) -> str:
            name, transposed = match.groups()
            value = self._values.get(name)
            if not isinstance(value, np.ndarray):
                return match.group()
            return str(value.T.shape if transposed else value.shape)

        code = re.sub(r"\b([A-Za-z]\w*)\b(\.mT)?", shape, step.code)
        return f"{code} -> {np.shape(step.value) or 'one number'}"

    def evaluate(self, code: str, **others: Any) -> Any:
        """What a line of NumPy gives over these values, as in `trace.evaluate("dH1 * (H1 > 0)")`.

        Values given as `others` take the place of those of the same name.
        """
        return evaluate(code, self._values | others)

    def next_problem(self) -> Problem:
        """The same problem after this step's update."""
        new = {name: self[f"{name}_new"] for name in self.problem.network.parameters}
        return self.problem.evolve(network=self.problem.network.with_parameters(new))

    def next_loss(self) -> Any:
        """The loss after this step's update, on the same samples; what overflows does so without a warning."""
        after = self.next_problem()
        with np.errstate(all="ignore"):
            return after.loss.value(after.network.forward(after.X), after.y)


def trace(problem: Problem) -> Trace:
    """Run one training step of `problem` line by line and keep every value: forward, loss, backward, update.

    What overflows does so without a warning: the loss then is infinite, or not a number. Raises ValueError if
    `problem` is not a Problem.
    """
    check_problem(problem)
    parameters = {name: _kept(name, p) for name, p in problem.network.parameters.items()}
    given = {"X": problem.X, "y": problem.y, **parameters, "lr": problem.lr}
    return Trace(problem, given, run(lines_of(problem.network, problem.loss), given))


def _kept(name: str, parameter: Array) -> Array:
    """A parameter as it is now, whatever happens to the layer's own array."""
    is_fixed = not parameter.flags.writeable and parameter.base is None  # nor a view of what somebody writes to
    return parameter if is_fixed else as_readonly_array(name, parameter)
