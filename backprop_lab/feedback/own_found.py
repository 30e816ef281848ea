"""A value that a learner's lines have given, and how near it is to one of the step."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_lab.feedback.answers import a_kind
from backprop_lab.nn.arrays import NUMBERS
from backprop_lab.nn.layers import Array

SAME = 1e-8  # relative to the largest number of a value


@dataclass(eq=False)
class Found:
    """A value that statements have given: which of them, its name, and which value of the step it is, or should be.

    `ok` is True, False, or None where it cannot be told, and `note` says why not. `values` has it for each problem, and
    `factor` is how many times the right one it is, of which `mistaken` should not be there; `entering` is that factor
    of what it was made of. `is_turned` says that it is transposed, even for this layout, and
    `has_no_room` that its shape is another; `has_its_slope` that a gradient with the slope of its value in it is meant.
    """

    lines: list[int]
    name: str
    of: str
    ok: bool | None
    values: list[Any]
    factor: float | None = None
    entering: float = 1.0
    mistaken: float = 1.0
    is_turned: bool = False
    is_on_the_way: bool = False
    has_no_room: bool = False
    has_its_slope: bool = False
    note: str = ""

    @property
    def own_factor(self) -> float:
        """The factor that its own line brings in."""
        return 1.0 if self.factor is None else rounded(self.factor / self.entering)


def turned(value: Array, right: Array) -> tuple[Array | None, Array | None]:
    """A value in the shape of the right one, as it is and transposed; None where it has no room for that."""
    same = [n for n in value.shape if n > 1] == [n for n in right.shape if n > 1]
    across = value.ndim == 2 and value.T.shape == right.shape
    return value.reshape(right.shape) if same else None, value.T if across else None


def factor_of(value: Array | None, right: Array) -> float:
    """By which number the right value is multiplied; nan if it is not that alone."""
    if value is None or value.dtype.kind not in NUMBERS or not (size := np.vdot(right, right)):
        return math.nan
    factor = float(np.vdot(right, value) / size)
    if not factor or not math.isfinite(factor):
        return math.nan
    return factor if abs(value - factor * right).max() <= SAME * abs(factor) * abs(right).max() else math.nan


def no_numbers(value: Any) -> str:
    """What a value is that holds no numbers; "" for one that does."""
    if isinstance(value, np.ndarray | np.number | float | int):
        kind = np.asarray(value).dtype
        return "" if kind.kind in NUMBERS + "b" else f"an array of {kind}"
    return "None" if value is None else a_kind(value)


def are_same(one: Any, other: Any) -> bool:
    return np.shape(one) == np.shape(other) and bool(np.all(one == other))


def rounded(factor: float) -> float:
    """1 for what is 1 but for rounding."""
    return 1.0 if abs(factor - 1) <= SAME else factor
