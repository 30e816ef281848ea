"""What a problem refuses: data, targets, rates and lines that do not fit, each with what would be right."""

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Number
from typing import Any

import numpy as np

from backprop_lab.nn.arrays import cell, first_true
from backprop_lab.nn.lines import Array
from backprop_lab.nn.lines import check_learning_rate as check_learning_rate
from backprop_lab.nn.losses import Loss
from backprop_lab.nn.running import LineError

MOST_BYTES = 4_000_000_000  # of numbers that are made at once


def check_finite(**data: Array) -> None:
    """Raise ValueError, naming the first cell, if data has nan or inf in it."""
    for name, array in data.items():
        with np.errstate(invalid="ignore"):  # of numbers of any kind, such as fractions with a nan among them
            finite = array - array == 0
        if not finite.all():
            at = first_true(~finite)
            sentence = f"{cell(name, at)} is {array[at]}, and data must be finite"
            kept = np.flatnonzero(finite.any(axis=0))
            if name == "X" and len(array) > 1 and 0 < len(kept) < array.shape[1]:
                gone = ", ".join(map(str, np.flatnonzero(~finite.any(axis=0))))
                raise ValueError(f"{sentence}. No sample has column {gone}: {name}[:, {kept.tolist()}] leaves it out")
            keep = f"keep = np.isfinite({name}).all(axis=1); X, y = X[keep], y[keep]"
            raise ValueError(f"{sentence}. To leave such samples out: {keep}")


def check_real(**arrays: Array) -> None:
    """Raise ValueError, naming the first, if one of them has complex numbers in it."""
    for name, array in arrays.items():
        if np.iscomplexobj(array) or (array.dtype == object and any(isinstance(each, complex) for each in array.flat)):
            raise ValueError(f"this needs real numbers, and {name} has complex ones")


def misshapen(y: Array, shape: tuple[int, ...]) -> ValueError:
    """An error for y, and the line that gives it the shape, if there is one."""
    sentence = f"y must have shape {shape}, one row of targets a sample; got {y.shape}"
    if y.shape == shape[::-1]:
        return ValueError(f"{sentence}. Samples are rows: y.T makes them so.")
    if y.shape in (shape[:1], (*shape[:1], 1)) and shape[1] > 1 and (classes := _classes(y, shape[1])) is not None:
        made = f"one_hot(np.ravel(y).astype(int){classes})"
        return ValueError(f"{sentence}. If these are labels, {made} makes such rows of them.")
    if y.size == math.prod(shape):
        return ValueError(f"{sentence}. np.reshape(y, {shape}) makes it so.")
    return ValueError(sentence)


def are_whole(y: Array) -> bool:
    """Whether an array holds whole numbers alone, as labels are."""
    return y.dtype.kind == "f" and bool(np.all(y == np.floor(y)))


def _classes(y: Array, count: int) -> str | None:
    """How `one_hot` is told the classes of y, so that there are so many; None if these cannot be labels of such."""
    if not are_whole(y):
        return None
    if y.min() >= 0 and y.max() < count:
        return f", {count}"
    if len(np.unique(y)) == count:
        return ""
    return f", range(1, {count + 1})" if y.min() >= 1 and y.max() <= count else None


def check_targets(loss: Loss, y: Array) -> None:
    """Raise ValueError, with its sentence, if the loss refuses y."""
    if hasattr(loss, "check_targets"):
        called(loss, "check_targets", y)


def check_shapes(problem: Any) -> None:
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
    problem.loss.check_predictions(values["y_pred"])


def _compare_shapes(problem: Any, values: Mapping[str, Any]) -> None:
    stages = problem.network.stages
    like = {name: np.shape(value) for name, value in {**problem.given, **values}.items()}
    for layer, X, Y, *_ in stages:
        if layer.is_elementwise:
            like[Y] = like[X]
        elif Y in values and hasattr(layer, "outputs"):
            like[Y] = (len(problem.X), layer.outputs)
        if Y == "y_pred" and Y in values and like[Y] != problem.y.shape:
            raise misshapen(problem.y, like[Y])
    like |= {"L": (), "R": ()}
    outputs = {stage.Y for stage in stages}
    for step in problem.lines:
        if step.name not in values or not (step.of or step.name in outputs or step.result in ("L", "R")):
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


def checked_each(name: str, values: Any, check: Callable[[Any], None]) -> tuple[Any, ...]:
    """Seeds, or learning rates, as plain numbers, each of them checked. Raises ValueError if there is none."""
    found = tuple(values) if isinstance(values, Iterable) and getattr(values, "ndim", True) else ()
    if not found:
        such_as = "[0.01, 0.1]" if name == "lrs" else "[1, 2]"
        raise ValueError(f"{name} must be a list with one or more of them, such as {such_as}; got {values!r}")
    for value in found:
        check(value)
    return tuple(value.item() if isinstance(value, np.generic) else value for value in found)


def check_size(what: str, numbers: int, instead: str) -> None:
    """Raise ValueError, with what to do `instead`, if so many numbers take more memory than there may be."""
    if 8 * numbers > MOST_BYTES:
        raise ValueError(f"{what} would take {8 * numbers:,} bytes, and up to {MOST_BYTES:,} are taken: {instead}")
