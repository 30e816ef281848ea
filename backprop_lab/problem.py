"""A problem: everything one training step needs, whose methods do what its lines of NumPy say."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Number, Real
from typing import Any, Self, cast

import numpy as np

from backprop_lab.layers import Array, as_readonly_array
from backprop_lab.lines import Step, lines_of, run
from backprop_lab.losses import LOSSES, Loss
from backprop_lab.network import Network
from backprop_lab.number_format import told_apart
from backprop_lab.rounding import Terms, eps_of, terms_of

ROUNDINGS = 1000  # of all terms: a method and its line may differ by so many, since they may go quite different ways


@dataclass(frozen=True, eq=False)
class Problem:
    """A network, a loss, N samples X (N, D) with their targets y (N, K), and a learning rate lr.

    X and y are kept read-only. Raises ValueError if X is empty or does not fit the network, if y has not
    the shape of the network's output or the loss refuses it, if a number of X or y is not finite, or if lr is not a
    positive, finite number; and if a layer or the loss computes something other than its lines of NumPy say, on these
    numbers.
    """

    network: Network
    loss: Loss
    X: Array
    y: Array
    lr: Any

    def __post_init__(self) -> None:
        if not isinstance(self.network, Network):
            raise ValueError(
                f"network must be a Network of layers, Network((Linear(W1, b1), ReLU(), Linear(W2, b2))); got "
                f"{self.network!r}"
            )
        self._settle()
        _check_finite(X=self.X, y=self.y)
        check_lines(self)

    @classmethod
    def trusted(cls, **parts: Any) -> Self:
        """A problem whose layers and loss have been checked against their lines before, on other numbers."""
        problem = object.__new__(cls)
        problem.__dict__.update(parts)
        problem._settle()
        return problem

    def evolve(self, **changes: Any) -> Self:
        """The same problem with some parts changed; its layers and loss are not checked against their lines again.

        Raises TypeError for a part that no problem has, such as W1, and ValueError as Problem does.
        """
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        if alien := changes.keys() - parts.keys():
            raise TypeError(
                f"a Problem has {', '.join(parts)}; got {', '.join(sorted(alien))}. Other weights: "
                "network=p.network.with_parameters(...)"
            )
        changed = self.trusted(**parts | changes)
        _check_finite(**{name: getattr(changed, name) for name in ("X", "y") if name in changes})
        return changed

    def _settle(self) -> None:
        """Make X and y read-only, and check what needs no computation."""
        object.__setattr__(self, "X", as_readonly_array("X", self.X))
        object.__setattr__(self, "y", as_readonly_array("y", self.y))
        _check_parts(self.loss)
        if any(p.ndim > 2 for p in self.network.parameters.values()):
            raise ValueError(f"a problem has one network, not a stack of them; got {self.network}")
        inputs = getattr(self.network.layers[0], "inputs", None)
        if self.X.ndim != 2 or len(self.X) == 0 or inputs not in (None, self.X.shape[1]):
            sentence = f"X must have shape (samples, {inputs or 'inputs'}) with at least one sample; got {self.X.shape}"
            is_turned = self.X.ndim == 2 and len(self.X) == inputs
            raise ValueError(f"{sentence}. Samples are rows: X.T makes them so." if is_turned else sentence)
        outputs = getattr(self.network.layers[-1], "outputs", None)
        if outputs is not None and self.y.shape != (len(self.X), outputs):
            raise _misshapen(self.y, (len(self.X), outputs))
        check_targets(self.loss, self.y)
        check_learning_rate(self.lr)


def check_problem(problem: Any) -> None:
    """Raise ValueError if what should be a Problem is something else."""
    if not isinstance(problem, Problem):
        is_class = isinstance(problem, type)
        kind = f"the class {problem.__name__} itself" if is_class else f"a value of type {type(problem).__name__}"
        got = f"{problem!r}, {kind}" if isinstance(problem, str) else kind
        raise ValueError(
            f"this takes a Problem, not {got}: worked_example() is one, random_problem(0, X=X, y=y) makes one of your "
            "data, and Problem(network, loss, X, y, lr) one of your network"
        )


def _check_parts(loss: Any) -> None:
    """Raise ValueError, saying what is missing, if a loss lacks something that a step needs."""
    needed = "a loss needs formulas, value and gradient, as SumSquaredError() has"
    if isinstance(loss, type):
        raise ValueError(f"{needed}; got {loss!r} itself: write {loss.__name__}(), with parentheses")
    if isinstance(loss, str) and loss in LOSSES:
        raise ValueError(f"{needed}; got {loss!r}, which is LOSSES[{loss!r}]")
    if missing := [part for part in ("formulas", "value", "gradient") if not hasattr(loss, part)]:
        line = (
            ': its lines of NumPy, as in formulas = {"L": "np.sum(({y_pred} - {y}) ** 2)", "dy_pred": "2 * ({y_pred} - '
            '{y})"}'
        )
        lacks = f", which lacks {', '.join(missing)}{line if missing == ['formulas'] else ''}"
        raise ValueError(f"{needed}; got {loss!r}{lacks}")


def _check_finite(**data: Array) -> None:
    """Raise ValueError, naming the first cell, if data has nan or inf in it."""
    for name, array in data.items():
        with np.errstate(invalid="ignore"):  # of numbers of any kind, such as fractions with a nan among them
            finite = array - array == 0
        if not finite.all():
            row, column = map(int, np.argwhere(~finite)[0])
            raise ValueError(
                f"{name}[{row}, {column}] is {array[row, column]}, and data must be finite. To leave such samples out: "
                f"keep = np.isfinite({name}).all(axis=1); X, y = X[keep], y[keep]"
            )


def _misshapen(y: Array, shape: tuple[int, ...]) -> ValueError:
    """An error for y, and the line that gives it the shape, if there is one."""
    sentence = f"y must have shape {shape}, one row of targets a sample; got {y.shape}"
    if y.shape == shape[::-1]:
        return ValueError(f"{sentence}. Samples are rows: y.T makes them so.")
    if y.shape in (shape[:1], (*shape[:1], 1)) and shape[1] > 1:
        return ValueError(f"{sentence}. If these are labels, one_hot(np.ravel(y), {shape[1]}) makes such rows of them.")
    if y.size == math.prod(shape):
        return ValueError(f"{sentence}. np.reshape(y, {shape}) makes it so.")
    return ValueError(sentence)


def check_targets(loss: Loss, y: Array) -> None:
    """Raise ValueError, with its sentence, if the loss refuses y."""
    if hasattr(loss, "check_targets"):
        called(loss, "check_targets", y)


def check_lines(problem: Problem) -> None:
    """Run every line of a training step of `problem`, and compare it with what the methods give, on the same numbers.

    Raises ValueError, with a sentence, if a method gives another shape than its line, or numbers that differ by more
    than rounding; if y does not have the shape of the network's output; and if a method fails.
    """
    network, loss, X, y = problem.network, problem.loss, problem.X, problem.y
    given = {"X": X, "y": y, **network.parameters, "lr": problem.lr}
    with np.errstate(all="ignore"):
        known = dict(given)  # the values from which all others take their shapes
        for layer, entering, leaving, _ in network.stages:
            known[leaving] = called(layer, "forward", known[entering])
            if not isinstance(known[leaving], np.ndarray):
                raise ValueError(f"{layer!r}.forward must give an array; got a {type(known[leaving]).__name__}")
        if known["y_pred"].shape != y.shape:
            raise _misshapen(y, known["y_pred"].shape)
        steps = {step.name: step for step in _run_checked(lines_of(network, loss), given, known)}
        values = given | {name: step.value for name, step in steps.items()}
        for layer, entering, leaving, number in network.stages:
            x, dY = values[entering], values[f"d{leaving}"]
            found = {leaving: ("forward", called(layer, "forward", x))}
            if entering != "X":
                found[f"d{entering}"] = "backward", called(layer, "backward", x, dY)
            if layer.parameters:
                gradients = called(layer, "gradients", x, dY)
                if not isinstance(gradients, Mapping) or {*gradients} != {*layer.parameters}:
                    names = ", ".join(map(repr, layer.parameters))
                    raise ValueError(f"{layer!r}.gradients must return a dictionary of {names}; got {gradients!r}")
                found |= {f"d{p}{number}": (f"gradients[{p!r}]", gradient) for p, gradient in gradients.items()}
            for name, (method, value) in found.items():
                _check_shape(f"{layer!r}.{method}", value, steps[name], known)
                _check_same(f"{layer!r}.{method}", value, steps[name], values)
        for name, method in (("L", "value"), ("dy_pred", "gradient")):
            value = called(loss, method, values["y_pred"], y)
            _check_shape(f"{loss!r}.{method}", value, steps[name], known)
            _check_same(f"{loss!r}.{method}", value, steps[name], values)


def _run_checked(lines: tuple[Step, ...], given: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[Step, ...]:
    """The lines with their values, each of the right shape. The first that is not is named, not one that follows."""
    try:
        steps = run(lines, given)
    except ValueError:
        for number in range(1, len(lines)):
            try:
                *_, step = run(lines[:number], given)
            except ValueError:
                break
            _check_shape(_shown(step), step.value, step, known)
        raise
    for step in steps:
        _check_shape(_shown(step), step.value, step, known)
    return steps


def _shown(step: Step) -> str:
    return f"the line {step.name} = {step.code} of {step.kind.__name__}"


def _check_shape(what: str, value: Any, step: Step, known: Mapping[str, Any]) -> None:
    """Raise ValueError unless a value has the shape of what it belongs to: a gradient that of its value, L none."""
    like = {"backward": step.name.removeprefix("d"), "update": step.name.removesuffix("_new")}.get(
        step.phase, step.name
    )
    if step.phase == "loss" and step.name != "L":  # a line of the loss before L may give anything
        return
    shape = np.shape(known[like]) if like in known else ()
    is_number = isinstance(value, np.ndarray | Number)
    if not is_number or np.shape(value) != shape:
        got = f"shape {np.shape(value)}" if is_number else f"a {type(value).__name__}"
        wanted = f"an array of shape {shape}{f', like {like}' if like != step.name else ''}" if shape else "one number"
        raise ValueError(f"{what} must give {wanted}; got {got}")


def called(owner: Any, method: str, *arguments: Any) -> Any:
    """What a method returns. Raises ValueError, saying what happened, whatever the method raises."""
    try:
        return getattr(owner, method)(*arguments)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"{owner!r}.{method} stopped with {type(error).__name__}: {error}") from error


def _check_same(method: str, found: Any, step: Step, values: Mapping[str, Any]) -> None:
    """Raise ValueError unless what a method gives is what its line gives, but for rounding."""
    found, expected = np.asarray(found), np.asarray(step.value)
    if found.tolist() == expected.tolist():
        return
    eps = max(eps_of(found), eps_of(expected))
    kind = complex if "c" in (found.dtype.kind, expected.dtype.kind) else float
    found, expected = found.astype(kind), expected.astype(kind)
    terms = np.float64(terms_of(step.code, {name: Terms(value) for name, value in values.items()}))
    allowed = ROUNDINGS * eps * np.where(np.isfinite(terms), terms, np.abs(expected)) + (1e-290 if eps else 0)
    near = np.abs(found - expected) <= allowed  # pragma: no mutate  no difference is that to the last bit
    same = near | (found == expected) | (np.isnan(found) & np.isnan(expected))
    if not same.all():
        where = tuple(int(i) for i in np.argwhere(~same)[0])
        cell = f"{step.name}{list(where)}" if where else step.name
        line = f"its line {step.name} = {step.code}"
        yours, mine = told_apart(found[where], expected[where], 6)
        raise ValueError(f"{method} gives {yours} for {cell}, but {line} gives {mine}")


def check_learning_rate(lr: Any) -> None:
    """Raise ValueError unless lr is a positive, finite number."""
    number = lr.item() if isinstance(lr, np.generic) else lr  # a float32 would overflow in the comparison
    real = cast(float, number)  # pragma: no mutate  for the types
    if not isinstance(number, Real) or isinstance(number, bool) or not 0 < real <= sys.float_info.max:
        point = ", which needs a point in place of the comma" if isinstance(lr, str) and "," in lr else ""
        raise ValueError(f"the learning rate must be a positive, finite number such as 0.01; got {lr!r}{point}")


def check_whole(name: str, number: Any, least: int, most: int | None = None, such_as: str = "") -> None:
    """Raise ValueError unless `number` is a whole number from `least` to `most`."""
    is_whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if not is_whole or not least <= number <= (most or math.inf):
        wanted = f" from {least} to {most}" if most else f", {least} or more"
        raise ValueError(f"{name} must be a whole number{wanted}{such_as}; got {number!r}")


def check_seed(seed: Any) -> None:
    """Raise ValueError unless seed is a whole number, 0 or more."""
    check_whole("the seed", seed, 0, such_as=", such as 3")
