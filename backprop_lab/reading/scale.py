"""The scale of colours: how dark a number is drawn, on one scale for values, one for gradients, and one for memories.

They are set from the first trace of a problem, and stay while it trains until they no longer say anything.
"""

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.checks.rounding import eps_of
from backprop_lab.nn.layers import Array
from backprop_lab.nn.steps import SCALARS
from backprop_lab.step.trace import Trace

GREY = 0.1  # the level below which a cell looks grey
MOST_GREY, MOST_DARK = 0.25, 0.05  # shares of the cells, grey or as dark as can be, with which a scale says nothing
SOME_GREY, SOME_DARK = 0.125, 0.02  # and those with which a new one starts
FURTHER = 1.5  # times as many powers of ten on a scale that follows one on which too many were grey
HIDING = 1e6  # times as large as what is around it, a number says no more than that it is huge
KINDS = ("values", "gradients", "memories")  # what has a scale of its own
NOTHING = 1e-290  # what is smaller has no colour, so that no scale overflows


class Scale(NamedTuple):
    """The same on both sides of 0: linear up to `linear`, logarithmic beyond, and darkest from `limit` on."""

    limit: float
    linear: float

    def levels(self, values: Any) -> Array:
        """The place of each number on the scale, from -1 to 1; 2 means not finite."""
        values = np.asarray(values, dtype=float)
        with np.errstate(all="ignore"):
            levels = np.clip(np.arcsinh(values / self.linear) / math.asinh(self.limit / self.linear), -1, 1)
        levels = np.where(np.abs(values) < self.limit, levels, np.sign(values))  # rounding may leave a limit short of 1
        return np.where(np.isfinite(values), levels, 2.0)


NO_SCALE = Scale(math.inf, 1.0)  # every finite number is grey


class Scales(NamedTuple):
    """Those of a trace; `chosen` ones, which somebody has asked for, always stay.

    What an optimizer remembers, and what an update makes of it, is in the unit of gradients or of their squares: beside
    it, on one scale, all weights would look alike. Where nothing is remembered, that scale is NO_SCALE.
    """

    values: Scale
    gradients: Scale
    memories: Scale = NO_SCALE
    chosen: bool = False

    def of(self, name: str, kinds: Mapping[str, str]) -> Scale:
        """That of a matrix, by the `kinds_of` a trace; slopes have that of the values."""
        return self.by_kind().get(kinds.get(name, "values"), NO_SCALE)

    def by_kind(self) -> dict[str, Scale]:
        """Those that there are, by what stands at them on the board."""
        scales = zip(KINDS, (self.values, self.gradients, self.memories), strict=True)
        return {kind: scale for kind, scale in scales if scale != NO_SCALE}


def kinds_of(trace: Trace) -> dict[str, str]:
    """Whether something has the colours of "values", "gradients" or "memories", by name; "" for none.

    What is one number to a problem has none, such as the loss or a term of it; but where all is one number, all have.
    """
    kinds = dict.fromkeys(trace.given, "values") | dict.fromkeys(trace.problem.upstream, "gradients")
    kinds |= {step.name: "gradients" if step.phase == "backward" else "values" for step in trace.steps}
    if memories := trace.problem.lines.memories:
        updates = [step for step in trace.steps if step.phase == "update" and "p" in step.names]  # not a running mean
        made = [step.name for step in updates if step.of != step.names["p"]]
        kinds |= dict.fromkeys((*memories, *made), "memories")
    before = [step for step in trace.steps if step.phase in ("forward", "loss")]
    numbers = [step.name for step in before if not np.ndim(step.value)]
    are_all = len(numbers) == len(before)
    return kinds | dict.fromkeys((*SCALARS, *([trace.problem.loss_name] if are_all else numbers)), "")


def scales_of(traces: Sequence[Trace], limits: tuple[float, float] | None = None) -> Scales:
    """The scales on which each of some traces says something, or those that end at two `limits`."""
    of_kinds = zip(*map(_arrays, traces), strict=True)
    ends = (*limits, limits[1]) if limits else (None, None, None)
    values, gradients, memories = (
        fitted([_sizes(arrays) for arrays in each], end) if any(each) else NO_SCALE
        for each, end in zip(of_kinds, ends, strict=True)
    )
    return Scales(values, gradients, memories, limits is not None)


def scale_of(arrays: Sequence[Array]) -> Scale:
    """The scale on which some matrices say something together, and their largest number is darkest."""
    sizes = _sizes(arrays)
    return fitted([sizes], float(sizes.max(initial=0)) or None)


def kept(scales: Scales, trace: Trace) -> Scales:
    """The same scales, or in place of one on which the trace says nothing, another."""
    if scales.chosen:
        return scales
    values, gradients, memories = _arrays(trace)
    return Scales(_kept(scales.values, values), _kept(scales.gradients, gradients), _kept(scales.memories, memories))


def fitted(groups: Sequence[Array], limit: float | None = None) -> Scale:
    """The most linear scale with round numbers on which few of each group of positive numbers are grey or darkest.

    It ends at `limit`, if one is given.
    """
    groups = [np.sort(group) for group in groups if len(group)] or [np.ones(1)]
    top = limit or min(max(float(group[-1 - int(SOME_DARK * len(group))]) for group in groups), 1 / NOTHING)
    low = min(float(group[int(SOME_GREY * len(group))]) for group in groups)
    k = 3 * math.floor(math.log10(top))
    while _round(k) <= top:
        k += 1
    limit = linear = limit or _round(k)
    while math.asinh(low / linear) < GREY * math.asinh(limit / linear) and linear > limit * NOTHING:
        k -= 1
        linear = min(limit, _round(k))
    return Scale(limit, linear)


def checked_limits(limit: Any) -> tuple[float, float] | None:
    """Where the scales of values and of gradients end, from one number for both, or two. Else raises ValueError.

    That of memories ends where that of gradients does.
    """
    if limit is None:
        return None
    both = tuple(limit) if isinstance(limit, Sequence) and not isinstance(limit, str) else (limit, limit)
    if len(both) != 2 or not all(
        isinstance(each, Real) and not isinstance(each, bool) and NOTHING < float(each) < 1 / NOTHING for each in both
    ):
        raise ValueError(
            "limit is where the colours end: a positive finite number, or two, of values and of gradients, such as "
            f"(5, 0.1); got {limit!r}"
        )
    return float(both[0]), float(both[1])


def _arrays(trace: Trace) -> tuple[list[Array], ...]:
    """All values that have colours, all gradients, and all memories, as plain numbers.

    A number such as -1e9 in a line or among the data, which hides a score from a softmax, and what comes of it, is 0
    here.
    """
    kinds = kinds_of(trace)
    hiding = min(_written(trace.problem.lines.codes), _given(trace))
    arrays: dict[str, list[Array]] = {kind: [] for kind in KINDS}
    for name, kind in kinds.items():
        if not kind:
            continue
        array = np.ravel(trace[name])
        arrays[kind].append(array if hiding == math.inf else np.where(np.abs(array) > hiding, 0, array))
    return tuple(arrays.values())


@lru_cache(maxsize=256)
def _written(codes: tuple[tuple[str, str], ...]) -> float:
    """Half of the least number from HIDING on that stands in a line."""
    numbers = [float(text) for _, code in codes for text in re.findall(r"(?<![\w.])[\d.]+e\d+|\d{7,}", code)]
    return min((number / 2 for number in numbers if number >= HIDING), default=math.inf)


def _given(trace: Trace) -> float:
    """Half of the largest number of the data, if it is HIDING or more, and HIDING times the middle one of all that is
    given."""
    data, parameters = trace.problem.data.values(), trace.problem.parameters.values()
    most = max((float(np.max(np.abs(each.astype(float)), initial=0)) for each in data), default=0.0)
    if most < HIDING:  # as nearly always; the rest takes longer, and is asked in each iteration
        return math.inf
    sizes = np.unique(np.concatenate([np.abs(np.ravel(each).astype(float)) for each in (*data, *parameters)]))
    sizes = sizes[sizes > 0]
    return most / 2 if most / HIDING > sizes[(len(sizes) - 1) // 2] else math.inf


def _sizes(arrays: Sequence[Array]) -> Array:
    """The sizes of the numbers that should have a colour: finite, not 0, and not what rounding has left of a 0."""
    found = []
    for array in arrays:
        sizes = np.abs(array.astype(float))
        sizes = sizes[np.isfinite(sizes)]
        found.append(sizes[sizes > max(500 * eps_of(array) * sizes.max(initial=0), NOTHING)])
    return np.concatenate(found)


def _kept(scale: Scale, arrays: Sequence[Array]) -> Scale:
    """The scale, or a new one if too many numbers are grey on it or as dark as can be."""
    if not arrays:
        return scale
    edge = scale.linear * math.sinh(GREY * math.asinh(scale.limit / scale.linear))  # of what is grey

    def says_nothing(sizes: Array, known: int) -> bool:
        grey, dark = (int(np.count_nonzero(which)) for which in (sizes < edge, sizes >= scale.limit))
        grey -= len(sizes) - known
        return grey >= MOST_GREY * known or dark >= MOST_DARK * known

    with np.errstate(all="ignore"):
        sizes = np.abs(np.concatenate(arrays).astype(float))
    if np.isfinite(sizes.max()) and not says_nothing(sizes, int(np.count_nonzero(sizes))):
        return scale  # without a look at what is rounding, which takes ten times as long
    sizes = _sizes(arrays)
    if not len(sizes) or not says_nothing(sizes, len(sizes)):
        return scale
    new = fitted([sizes])
    if new.limit <= scale.limit:  # or a gradient that falls by a factor in every iteration would need one again soon
        reach = max(new.limit * (scale.linear / scale.limit) ** FURTHER, new.limit * NOTHING)
        new = new._replace(linear=min(new.linear, _round(math.floor(3 * math.log10(reach)))))
    return new


def _round(k: int) -> float:
    """The round numbers in order: 1, 2, 5, 10, 20 and so on for k = 0, 1, 2, 3, 4; below them 0.5 for -1."""
    return float(f"{'125'[k % 3]}e{k // 3}")
