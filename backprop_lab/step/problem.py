"""A problem: everything one training step needs."""

import math
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Number, Real
from typing import Any, Self, cast

import numpy as np

from backprop_lab.nn.layers import Array, as_readonly_array
from backprop_lab.nn.lines import LineError, read_only
from backprop_lab.nn.losses import Loss
from backprop_lab.nn.network import Network, check_part
from backprop_lab.nn.steps import Lines


@dataclass(frozen=True, eq=False)
class Problem:
    """A network, a loss, N samples X (N, D) with their targets y (N, K), and a learning rate lr.

    X and y are kept read-only. Raises ValueError if X is empty or does not fit the network, if y has not
    the shape of the network's output or the loss refuses it, if a number of X or y is not finite, or if lr is not a
    positive, finite number; and if a line of a layer or of the loss cannot be run, or gives another shape than what it
    is of.
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
        _check_shapes(self)

    def evolve(self, **changes: Any) -> Self:
        """The same problem with some parts changed, or with other `parameters`, by name; the others stay.

        Raises TypeError for a part that no problem has, such as W1, and ValueError as Problem does.
        """
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        if "parameters" in changes:
            parameters = changes.pop("parameters")
            network = changes.get("network", self.network)
            changes["network"] = network.with_parameters(network.parameters | parameters)
        if alien := changes.keys() - parts.keys():
            raise TypeError(
                f"a Problem has {', '.join(parts)}; got {', '.join(sorted(alien))}. Other weights: "
                "parameters={'W1': ...}"
            )
        problem = object.__new__(type(self))
        problem.__dict__.update(parts | changes)
        problem._settle(changes)
        _check_finite(**{name: getattr(problem, name) for name in ("X", "y") if name in changes})
        return problem

    def trained(self, lrs: Sequence[Any]) -> Self:
        """The same problem after an update at each of these learning rates, the last of which it keeps."""
        lines, parameters = self.lines, self.parameters
        step = lines.function(tuple(lines.replacing[name] for name in parameters), tuple(self.given))
        values = [*parameters.values()]
        for lr in lrs:
            values = step(self.X, self.y, *values, lr)
        new = dict(zip(parameters, map(read_only, values), strict=True))
        return self.evolve(parameters=new, lr=lrs[-1])

    @property
    def parameters(self) -> dict[str, Array]:
        """Every weight and bias by name: see `Network.parameters`."""
        return self.network.parameters

    @property
    def given(self) -> dict[str, Any]:
        """What a training step starts from, by name: X, y, the parameters and lr."""
        return {"X": self.X, "y": self.y, **self.network.parameters, "lr": self.lr}

    @property
    def lines(self) -> Lines:
        """The lines of one training step, in order: see `steps`."""
        return self.network.lines(self.loss)

    def _settle(self, changed: Container[str] = ("X", "y", "network", "loss", "lr")) -> None:
        """Make X and y read-only, and check what needs no computation, as far as it has changed."""
        for name in ("X", "y"):
            if name in changed:
                object.__setattr__(self, name, as_readonly_array(name, getattr(self, name)))
        if "lr" in changed:
            check_learning_rate(self.lr)
        if changed == {"lr"}:  # pragma: no mutate  quicker
            return
        check_part(self.loss, Loss, "the loss", "SumSquaredError")
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


def _check_shapes(problem: Problem) -> None:
    """Run every line of a training step, and raise ValueError, naming it, if one gives another shape than it must.

    A gradient has that of what it is of, L is one number, and y_pred has that of y.
    """
    lines, given = problem.lines, problem.given
    try:
        values = lines.run(given)
    except LineError as error:  # the first that is wrong is named, not one that follows
        names = lines.names[: lines.names.index(error.name)]
        before = lines.function(names, tuple(given))(*given.values())
        _compare_shapes(problem, dict(zip(names, before, strict=True)))
        raise
    _compare_shapes(problem, values)


def _compare_shapes(problem: Problem, values: Mapping[str, Any]) -> None:
    like = {name: np.shape(value) for name, value in {**problem.given, **values}.items()}
    for layer, X, Y, _ in problem.network.stages:
        if layer.is_elementwise:
            like[Y] = like[X]
        elif Y in values and hasattr(layer, "outputs"):
            like[Y] = (len(problem.X), layer.outputs)
        if Y == "y_pred" and Y in values and like[Y] != problem.y.shape:
            raise _misshapen(problem.y, like[Y])
    like["L"] = ()
    outputs = {stage.Y for stage in problem.network.stages}
    for step in problem.lines:
        if step.name not in values or not (step.of or step.name in outputs or step.name == "L"):
            continue  # a line between may give anything
        value, shape = values[step.name], like[step.of or step.name]
        is_number = isinstance(value, np.ndarray | Number)
        if not is_number or np.shape(value) != shape:
            got = f"shape {np.shape(value)}" if is_number else f"a {type(value).__name__}"
            of = f", like {step.of}" if step.of else ""
            wanted = f"an array of shape {shape}{of}" if shape else "one number"
            raise ValueError(
                f"the line {step.name} = {step.code} of {step.kind.__name__} must give {wanted}; got {got}"
            )


def called(owner: Any, method: str, *arguments: Any) -> Any:
    """What a method returns. Raises ValueError, saying what happened, whatever the method raises."""
    try:
        return getattr(owner, method)(*arguments)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"{owner!r}.{method} stopped with {type(error).__name__}: {error}") from error


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
