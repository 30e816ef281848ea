"""Answers that hang on rounding: the last digits may decide on which side of a kink, as of a ReLU, a number lies.

Somebody who adds in another order, or in single precision, may get a number just below 0 where the trace has one just
above, and from there on another mask. So every value before is moved at random by as much as its rounding may be, and
the line is run again. Where nothing is near a kink, that moves it by rounding alone.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from backprop_lab.checks.rounding import ROUNDINGS, terms_in
from backprop_lab.feedback.tolerance import NOBODY, Comparison
from backprop_lab.nn.arrays import FLOATS
from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import evaluate
from backprop_lab.nn.steps import Step
from backprop_lab.step.trace import Trace, found_once

KINKED = re.compile("[<>]|==|max|min|abs|where|clip|sign")  # in a line that may have one
LARGEST = r"\b{0}\.(?:max|min)\(|\b(?:max|min)\({0}\b"  # the largest number of a value, or the smallest
DRAWS = 8
FAR = 1000  # times the rounding of a number: no rounding alone has moved it so far
NEXT_TO_0 = 1e-200
ANY_SLOPE = (
    "the slope at a kink here: something is exactly 0 where a ReLU, or the like, has no slope. Any from that "
    "on its left to that on its right will do, and yours is another than ours."
)
ROUNDING_DECIDES = (
    "rounding here: a number before it is so near a kink (the 0 of a ReLU, or a tie for the largest) that "
    f"its last digits decide, and yours lies on the other side. {NOBODY}"
)
LARGE = 20_000  # numbers in all of a step, beyond which nobody waits for it


def at_a_kink(compared: Comparison) -> tuple[bool, tuple[str, ...], str] | None:
    """What to say of an answer that would be right on the other side of a kink; None of any other.

    Where several numbers are the largest, they share the gradient here; argmax gives all of it to the first, and that
    is right too.
    """
    name, trace = compared.name, compared.trace
    lines = "" if name in trace.given else "\n".join(step.code for step in trace.steps)
    if not KINKED.search(lines) or sum(np.size(step.value) for step in trace.steps) > LARGE:
        return None
    largest = tuple(step.name for step in trace.steps if re.search(LARGEST.format(step.name), lines))
    with suppress(Exception):  # a line of your own may refuse such numbers
        value = _moved(trace, name, compared.coarsest, 0, largest) if largest else compared.right
        allowed = compared.allowed(np.abs(value), compared.terms)
        takes_first = (np.abs(compared.answer - value) <= allowed).all()
        if takes_first and (np.abs(value - compared.right) > FAR * allowed).any():
            return True, (), f"{name} is right. Where numbers tie for the largest, it takes the first."
    low = high = compared.right
    is_of_a_slope = trace.step(name).phase not in ("forward", "loss")
    for draw in (*[None] * is_of_a_slope, *range(DRAWS)):
        with suppress(Exception):  # a line of your own may refuse such numbers
            value = _a_little_above_0(trace, name) if draw is None else _moved(trace, name, compared.coarsest, draw)
            low, high = np.fmin(low, value), np.fmax(high, value)
            allowed = compared.allowed(np.fmax(np.abs(low), np.abs(high)), compared.terms)
            within = (low - allowed <= compared.answer) & (compared.answer <= high + allowed)
            if (within & (compared.right_cells | (high - low > FAR * allowed))).all():
                why = ANY_SLOPE if draw is None else ROUNDING_DECIDES
                return False, ("kink",), f"{name} depends on {why} Try other numbers."
    return None


@found_once
def _a_little_above_0(trace: Trace, name: str) -> Array:
    """What the line gives if what is exactly 0 where it enters a kink were a little above it.

    Raises ValueError where it enters a jump: a value of the forward pass is another then, and has no slope to choose.
    """

    def moved(step: Step, value: Array, _: Mapping[str, Any]) -> Array:
        if step.phase in ("forward", "loss") and not np.allclose(value, step.value, equal_nan=True):
            raise ValueError(f"{step.name} jumps")
        return value if KINKED.search(step.code) else np.where(value == 0, NEXT_TO_0, value)

    return _run_again(trace, name, moved)


@found_once
def _moved(trace: Trace, name: str, eps: float, seed: int, only_equal: tuple[str, ...] = ()) -> Array:
    """What the line gives after every value before it has been moved by its rounding.

    Or after each number of some values has been lowered a little, the later the more: then the first of equal ones is
    the largest, and a 0 of a ReLU stays off.
    """
    terms, rng, by = terms_in(trace), np.random.default_rng(seed), ROUNDINGS * eps

    def moved(step: Step, value: Array, values: Mapping[str, Any]) -> Array:
        if step.name in only_equal:
            lower: Array = by * np.max(np.abs(value)) * np.arange(value.size).reshape(value.shape) / value.size
            return value - lower
        if only_equal:
            return value
        operands = np.concatenate([[0.0], *(np.ravel(values[each]) for each in step.operands)])
        rounds = ~_are_among(value, operands)  # a maximum or a mask moves nothing
        rounding: Array = by * rng.uniform(-1, 1, value.shape) * rounds * terms[step.name].terms
        return value + rounding

    return _run_again(trace, name, moved)


def _run_again(trace: Trace, name: str, moved: Callable[[Step, Array, Mapping[str, Any]], Array]) -> Array:
    """What the line gives where each value before it is `moved`, given its step and the values before that."""
    values: dict[str, Any] = dict(trace.given)
    for step in trace.steps:
        value = np.asarray(evaluate(step.code, values))
        if step.name == name:
            break
        values[step.name] = moved(step, value, values) if value.dtype.kind in FLOATS else value
    return value


def _are_among(values: Array, others: Array) -> Array:
    """Which values are also among others: `np.isin`, which sorts both, and takes ten times as long for a few."""
    if values.size * others.size > 10_000:
        return np.isin(values, others)
    among: Array = (values[..., None] == others).any(axis=-1)
    return among
