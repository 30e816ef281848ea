"""A value that a learner's lines have given, and how near it is to one of the step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np

from backprop_lab.feedback.answers import a_kind
from backprop_lab.homework.names import Names
from backprop_lab.nn.arrays import NUMBERS
from backprop_lab.nn.layers import Array

SAME = 1e-8  # relative to the largest number of a value
NEARLY = 1e-3  # so near to 1, a factor of a new parameter says nothing
ROUNDING = 2.0**-49  # relative to a new parameter: so far it may be off, however small the step


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
    same = value.size == right.size and [n for n in value.shape if n > 1] == [n for n in right.shape if n > 1]
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


def rounded(factor: float) -> float:
    """1 for what is 1 but for rounding."""
    return 1.0 if abs(factor - 1) <= SAME else factor


def fit_of(names: Sequence[Names], values: Sequence[Any], of: str) -> tuple[float, bool] | None:
    """How many times a value of the step these are, on all problems, and whether they are transposed, even for this
    layout; or None."""
    size = np.size(names[0].trace[of])
    if np.size(values[0]) != size:
        return None
    if not all(isinstance(each, np.ndarray) for each in values):
        return _fit(names, values, of)
    fits = names[0].fits  # what a line gives is the same in most passes
    what = of, *((each.dtype.str, each.shape, each.tobytes()) for each in values)
    if what not in fits:
        fits[what] = _fit(names, values, of)
    return fits[what]


def _fit(names: Sequence[Names], values: Sequence[Any], of: str) -> tuple[float, bool] | None:
    """The same, worked out."""

    def factors_in(each: Names, value: Any) -> tuple[float, float]:
        right = each.layout.scale(each.trace, of) * np.asarray(each.trace[of])
        as_it_is, across = turned(np.asarray(value), right)
        return factor_of(as_it_is, right), factor_of(across, right)

    if np.any(values[-1]) and all(map(math.isnan, factors_in(names[-1], values[-1]))):
        return None  # as for most
    size, first = np.size(names[0].trace[of]), names[0].layout.is_across(names[0].trace, of)
    mine, ours = np.shape(values[0]), np.shape(names[0].right(of))
    has_state = any(map(np.ndim, names[0].problem.state.values()))
    pairs = [*zip(names, values, strict=True)]
    if not has_state or not np.any(names[0].trace[of]):  # at first, where a state is 0, what is small shows best
        pairs = pairs[1:] or pairs  # those with numbers of our own, which nothing is special about
    pairs = [(each, value) for each, value in pairs if np.any(value) or np.any(each.trace[of])] or pairs
    found = [*starmap(factors_in, pairs)]
    for is_turned in (first, not first):
        factors = [each[is_turned] for each in found]
        if all(map(math.isfinite, factors)) and np.ptp(factors) <= SAME * abs(factors[0]):
            factor = rounded(float(np.mean(factors)))
            may_be_no_step = names[0].trace.role(of) == "new" and abs(factor - 1) <= NEARLY
            if may_be_no_step and not all(_is_step(each, of, v, is_turned) for each, v in pairs):
                continue  # every small step leaves about as much as was there
            whole = max(abs(factor), 1 / abs(factor))
            if len(pairs) > 1 or size > 1 or abs(whole - round(whole)) <= SAME:  # of one number any will do
                return factor, is_turned != first if min(ours, default=1) > 1 else mine == ours[::-1] != ours
    return None


def gradient_given(names: Sequence[Names], values: Sequence[Any]) -> str:
    """The gradient that values of a name of the learner's own are, or a multiple of it; or ""."""
    if not isinstance(values[0], np.ndarray) or values[0].size < 2:
        return ""
    gradients = (each for each in names[0].all_gradients() if names[0].trace.role(each) == "gradient")
    return next((each for each in gradients if (fit := fit_of(names, values, each)) and not fit[1]), "")


def may_be_off(names: Names, of: str) -> float:
    """By how much each number of a value may be another: of a new one, little beside the step that leads to it."""
    scale, right = abs(names.layout.scale(names.trace, of)), np.asarray(names.trace[of])
    if names.trace.role(of) != "new":
        return float(scale * SAME * np.max(np.abs(right)))
    step = np.max(np.abs(right - names.trace[names.trace.owner(of)]))
    return float(scale * (SAME * step + ROUNDING * np.max(np.abs(right))))


def _is_step(names: Names, of: str, value: Any, is_turned: bool) -> bool:
    """Whether these are a new value to all digits of the step that leads to it."""
    right = names.layout.scale(names.trace, of) * np.asarray(names.trace[of])
    way = turned(np.asarray(value), right)[is_turned]
    return way is not None and bool(np.max(np.abs(way - right)) <= may_be_off(names, of))


def is_own_part(names: Sequence[Names], of: str, values: Sequence[Any]) -> bool:
    """Whether these are a gradient with the slope of its value in it, where no gradient of the step is that, or only
    this slope, as in `dA1 = 1 - A1**2`."""
    is_across = names[0].layout.is_across(names[0].trace, of)
    for right in ([each.with_its_slope(of) for each in names], [each.slope(of) for each in names]):
        if right[0] is not None:
            pairs = [(turned(np.asarray(v), one)[is_across], one * 1.0) for v, one in zip(values, right, strict=True)]
            if all(v is not None and (np.array_equal(v, one) or rounded(factor_of(v, one)) == 1) for v, one in pairs):
                return True
    return False
