"""One training step, written down: every value in the order it is computed, with the line that computes it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from string import Formatter
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.layers import Formula, Linear
from backprop_lab.problem import Problem

UPDATE = Formula(
    "{p} - {lr} * {dp}",
    r"{new} = {p} - {lr}\,{dp}",
    "New {p}",
    "Take a small step downhill: against the gradient, scaled by the learning rate.",
)


class Step(NamedTuple):
    """One named value and how it comes about.

    `code` is the NumPy expression that gives `value`, bit for bit, from the values before it; `operands` are
    the names in it, in order; `phase` is "forward", "loss", "backward" or "update".
    """

    name: str
    phase: str
    code: str
    latex: str
    operands: tuple[str, ...]
    title: str
    sentence: str
    value: Any


class Trace:
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
            raise KeyError(f"there is no {name!r} in this trace; it has {', '.join(self.names)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def step(self, name: str) -> Step:
        """The step that computes `name`. Raises KeyError, listing what there is, if none does."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"no step computes {name!r}; the steps are {', '.join(step.name for step in self.steps)}")

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

    def next_problem(self) -> Problem:
        """The same problem after this step's update."""
        new = {name: self[f"{name}_new"] for name in self.problem.network.parameters}
        return replace(self.problem, network=self.problem.network.with_parameters(new))


def trace(problem: Problem) -> Trace:
    """Run one training step of `problem` and keep every value: forward, loss, backward, update, in that order."""
    network, y = problem.network, problem.y
    loss: Any = problem.loss
    stages = network.stages
    given = {"X": problem.X, "y": y, **network.parameters, "lr": problem.lr}
    values = dict(given)

    for layer, X, Y, _ in stages:
        values[Y] = layer.forward(values[X])
    values["L"] = loss.value(values["y_pred"], y)

    values["dy_pred"] = loss.gradient(values["y_pred"], y)
    for layer, X, Y, number in reversed(stages):
        if X == "X":
            grads = layer.gradients(values[X], values[f"d{Y}"])  # type: ignore[attr-defined]  # it is Linear
        else:
            values[f"d{X}"], grads = layer.backward(values[X], values[f"d{Y}"])
        for letter, gradient in grads.items():
            values[f"d{letter}{number}"] = gradient

    for name, parameter in network.parameters.items():
        values[f"{name}_new"] = parameter - problem.lr * values[f"d{name}"]

    for value in values.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    kinds = tuple((Linear if isinstance(layer, Linear) else layer, *names) for layer, *names in stages)
    return Trace(problem, given, tuple(Step._make((*line, values[line[0]])) for line in _lines(kinds, loss)))


@lru_cache(maxsize=64)
def _lines(stages: tuple[tuple[Any, ...], ...], loss: Any) -> tuple[tuple[Any, ...], ...]:
    """All of each step but its value, which depends only on the kinds of layers and the loss."""
    ends = {"y_pred": "y_pred", "y": "y", "L": "L", "dy_pred": "dy_pred"}
    forward: list[tuple[Any, ...]] = []
    backward: list[tuple[Any, ...]] = []
    update: list[tuple[Any, ...]] = []
    for layer, X, Y, n in stages:
        names = {} if layer is Linear else dict(vars(layer))
        names |= {
            "X": X,
            "Y": Y,
            "dX": f"d{X}",
            "dY": f"d{Y}",
            "W": f"W{n}",
            "b": f"b{n}",
            "dW": f"dW{n}",
            "db": f"db{n}",
        }
        forward.append(_line("forward", "Y", layer.formulas["Y"], names))
        gradients = [_line("backward", key, layer.formulas[key], names) for key in layer.formulas if key != "Y"]
        backward[:0] = gradients[X == "X" :]
        if layer is Linear:
            for p in (f"W{n}", f"b{n}"):
                update.append(_line("update", "new", UPDATE, {"new": f"{p}_new", "p": p, "lr": "lr", "dp": f"d{p}"}))
    loss_line = _line("loss", "L", loss.formulas["L"], ends)
    return (*forward, loss_line, _line("backward", "dy_pred", loss.formulas["dy_pred"], ends), *backward, *update)


def _line(phase: str, result: str, formula: Formula, names: dict[str, Any]) -> tuple[Any, ...]:
    """The fields of a Step up to its value: `formula` with the names, and numbers, of this place in the network put in."""
    fields = [names[field] for _, field, _, _ in Formatter().parse(formula.code) if field]
    operands = dict.fromkeys(field for field in fields if isinstance(field, str))
    return (
        names[result],
        phase,
        formula.code.format(**names),
        formula.latex.format(**{field: _latex(it) if isinstance(it, str) else it for field, it in names.items()}),
        tuple(operands),
        formula.title.format(**names),
        formula.sentence.format(**names),
    )


def _latex(name: str) -> str:
    """dW1 -> dW_{1}, y_pred -> y_{pred}, W1_new -> W_{1}^{new}."""
    name = re.sub(r"(\d+)", r"_{\1}", name)
    return name.replace("_pred", r"_{\mathrm{pred}}").replace("_new", r"^{\mathrm{new}}").replace("lr", r"\mathrm{lr}")
