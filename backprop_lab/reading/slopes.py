"""The slope of each activation as a matrix of its own: what a gradient is multiplied by on its way back."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.checks.rounding import FLOAT32, ROUNDINGS, Terms, eps_of, terms_in, terms_of
from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import evaluate
from backprop_lab.step.trace import Trace, found_once

SLOPE = "slope of "  # and the output, as in "slope of H1"; no step's value has a space in its name


class Slope(NamedTuple):
    """The slope of an activation, cell by cell: for a ReLU, 1 where it is on and 0 where it is off.

    `code` is its expression in the backward line, such as `H1 > 0`; it is shown with the step `shown_with`.
    """

    code: str
    value: Array
    shown_with: str


def is_slope(name: str) -> bool:
    return name.startswith(SLOPE)


@found_once
def slopes_of(trace: Trace) -> dict[str, Slope]:
    """Every slope by name. An activation that does not act cell by cell, such as a softmax, has none."""
    slopes = dict[str, Slope]()
    for layer, X, Y, *_ in trace.problem.stages:
        if not layer.learnt and f"d{X}" in trace and (slope := _slope(trace, f"d{X}", f"d{Y}")):
            slopes[SLOPE + Y] = slope
    return slopes


def _slope(trace: Trace, dX: str, dY: str) -> Slope | None:
    """The value of the line for dX with a dY of 1, or None if another dY would not simply be multiplied by it."""
    step = trace.step(dX)
    line = step.template.format_map(step.names)
    if not _is_cell_by_cell(line, step.operands, dY, step.value.shape):
        return None
    code = step.template.replace("{dY} * ", "").format_map({**step.names, "dY": "1"})
    if code.startswith("(") and code.find(")") == len(code) - 1:
        code = code[1:-1]
    probe = np.sqrt(np.arange(1.0, step.value.size + 1)).reshape(step.value.shape)
    right = trace.evaluate(line, **{dY: probe})
    try:
        value = np.broadcast_to(np.asarray(trace.evaluate(code), dtype=float), step.value.shape)
    except Exception:  # a line that does with dY what no 1 can do, such as `dY.clip(-1, 1) * (H1 > 0)`
        return None
    with np.errstate(all="ignore"):  # once numbers have overflowed
        off, size = np.abs(np.asarray(right - probe * value, dtype=float)), np.abs(probe * value)
    if (off > 1e-9 * size.max()).any():
        return None
    return Slope(code, value, dX)


@lru_cache(maxsize=256)
def _is_cell_by_cell(line: str, operands: tuple[str, ...], dY: str, shape: tuple[int, ...]) -> bool:
    """Whether a line multiplies each cell of dY by a number, whatever the numbers are and however many there are.

    Where a softmax is sure, or has one unit alone, all its gradients are 0, which is 0 times any dY.
    """
    rng = np.random.default_rng(0)
    for rows, columns in ((shape[0] + 1, shape[1] + 1), shape):  # a layer may take no other shape than its own
        values = {name: rng.uniform(0.1, 0.9, (rows, columns)) for name in operands}
        try:
            one, two = (evaluate(line, values | {dY: values[dY] * times}) for times in (1, np.eye(rows, columns)))
        except Exception:  # a line of your own may refuse such numbers
            continue
        return bool(np.allclose(two, one * np.eye(rows, columns), 1e-9, 1e-12))
    return False


def slope_of(trace: Trace, name: str) -> Slope:
    """The slope with this name. Raises KeyError if there is none."""
    slopes = slopes_of(trace)
    if name not in slopes:
        raise KeyError(f"there is no {name!r} in this trace")
    return slopes[name]


def value_of(trace: Trace, name: str) -> Array:
    """A matrix of the board, whether a value of the trace or a slope; a single number becomes one row and column, and
    the matrices of more axes lie beneath one another.

    A number that is nothing but rounding is 0 there: see `but_for_rounding`.
    """
    if is_slope(name):
        return slope_of(trace, name).value
    return in_rows(but_for_rounding(trace).get(name, trace[name]))


def in_rows(value: Any) -> Array:
    """An array with rows and columns, as it lies on the board."""
    array = np.atleast_2d(value)
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])


def place_of(shape: tuple[int, ...], i: int, j: int) -> tuple[int, ...]:
    """Where in an array of this shape a cell is that lies in row i and column j on the board."""
    return (i, j)[2 - len(shape) :] if len(shape) < 3 else (*map(int, np.unravel_index(i, shape[:-1])), j)


def cell_at(shape: tuple[int, ...], place: tuple[int, ...]) -> tuple[int, int]:
    """The row and column on the board of a place in an array of this shape."""
    row, column = (0, 0, *place)[-2:]
    return (row, column) if len(shape) < 3 else (int(np.ravel_multi_index(place[:-1], shape[:-1])), column)


@found_once
def but_for_rounding(trace: Trace) -> dict[str, Array]:
    """The values some of whose numbers are no larger than their own rounding, with 0 in place of these.

    0.1 + 0.2 - 0.3 is 6e-17 in floats, and so are its gradients. The trace keeps them: only what is shown is another. A
    line that gives such a number of what is shown, where nothing cancels, is shown as it is: as in a run that diverges.
    """
    numbers = np.abs(np.concatenate([np.ravel(step.value) for step in trace.steps]))
    eps = eps_of(numbers)
    least = SMALL * eps * numbers.max()  # or nan, or infinite
    shown = dict[str, Array]()
    if least < math.inf and ((numbers < least) & (numbers > 0)).any():
        for step in trace.steps:
            size = np.abs(step.value)
            small = (size > 0) & (size < least)
            if not np.any(small):
                continue  # terms take longer
            rounding = ROUNDINGS * eps_of(np.asarray(step.value))
            squared = "**" in step.code or "square" in step.code  # as is the rounding of what is squared
            doubt = rounding**2 if squared else rounding
            if eps <= FLOAT32 and not (small & ~(size > doubt * terms_in(trace)[step.name].terms)).any():
                continue  # nor in single precision, of which a proof asks for the terms, too
            if (is_rounding := small & (size <= doubt * terms_in(trace, eps)[step.name].terms)).any():
                seen = {name: shown.get(name, trace[name]) for name in step.operands}
                terms = terms_of(step.code, {name: Terms(value) for name, value in seen.items()})
                is_rounding &= ~(np.abs(trace.evaluate(step.code, **seen)) > rounding * terms)
                shown[step.name] = np.where(is_rounding, 0.0, step.value)
    return shown


SMALL = 1000  # roundings of the largest number there is: no larger number can be nothing but rounding
