"""The gate of each activation as a matrix of its own: what a gradient is multiplied by on its way back through it."""

from typing import Any, NamedTuple

import numpy as np

from backprop_lab.layers import Array
from backprop_lab.mistakes import evaluate
from backprop_lab.trace import Trace


class Slope(NamedTuple):
    """The slope of an activation, named `slope1` after its layer: for a ReLU, 1 where it is on and 0 where it is off.

    `code` is how it stands in the backward line, such as `H1 > 0`; it comes to light with the step `shown_with`.
    """

    code: str
    value: Array
    shown_with: str


def is_slope(name: str) -> bool:
    return name.startswith("slope")


def slope_of(trace: Trace, name: str) -> Slope:
    """The slope of this name. Raises KeyError if there is none."""
    for layer, X, Y, number in trace.problem.network.stages:
        if name == f"slope{number}" and not layer.parameters:
            # However the formula is written, the slope is what comes of a dY of 1.
            formula = layer.formulas["dX"].code.removeprefix("{dY} * ")
            code = formula.format(**vars(layer) | {"X": X, "Y": Y, "dY": "1"})
            if code.startswith("(") and code.find(")") == len(code) - 1:
                code = code[1:-1]
            return Slope(code, np.asarray(evaluate(code, trace), dtype=float), f"d{X}")
    raise KeyError(f"there is no {name!r} in this trace")


def value_of(trace: Trace, name: str) -> Any:
    """What stands in a matrix of the board, be it a value of the trace or a slope."""
    return slope_of(trace, name).value if is_slope(name) else trace[name]
