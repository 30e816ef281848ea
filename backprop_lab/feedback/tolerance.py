"""An answer beside the right value: which of its numbers are near enough.

An answer may differ from the trace by rounding, which is relative to all terms of a sum (see `rounding.py`):
    1e-11 of the value itself         twelve digits were written down
    8 eps of all the terms            eps is 2.2e-16, or 1.2e-7 if the answer is float32
    1e-290, or 1e-30 if float32       smaller numbers underflow on the way (1e-4 if the trace is in float16)
A cell is also right if it is what NumPy prints of the value, to eight decimals, as for numbers copied from the screen;
and a float32 or float16 is right if it is the nearest to the value.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from backprop_lab.checks.rounding import FLOAT32, FLOAT64, ROUNDINGS, eps_of, terms_in
from backprop_lab.feedback.answers import NoAnswerError, as_floats, read
from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import names_in
from backprop_lab.step.trace import Trace

DIGITS = 1e-11
MANY, TOO_MANY = 10_000, 100  # of more numbers, and more than so many times those asked for, only the shape is told
HALF = 0.5 + 1e-9  # of the last digit that was copied
NOBODY = "So nobody can tell a right answer from a wrong one."
VANISHING = 1e-290, 1e-30, 1e-4  # what comes of smaller numbers than a float64, float32 and float16 can hold


def compare(name: str, answer: Any, trace: Trace, digits: int | None = None) -> "Comparison":
    """An answer for `name` beside the trace's value.

    Raises NoAnswerError if it holds no numbers, or far too many.
    """
    right = np.asarray(trace[name])
    with np.errstate(all="ignore"):  # huge numbers may overflow on the way
        array = read(name, answer)
        floats = as_floats(right)
        if array.size > max(TOO_MANY * right.size, MANY):
            raise NoAnswerError(("shape",), shape_message(trace, name, array.shape))
        eps = max(eps_of(array), eps_of(right))
        numbers = as_floats(array, name)
        if np.iscomplexobj(numbers) and not np.any(numbers.imag):
            numbers = numbers.real
        if right.ndim == 0 and numbers.size == 1:
            numbers = numbers.reshape(())
        are_real = array.dtype.kind == "f" and not np.iscomplexobj(floats)
        nearest = floats.astype(array.dtype) if are_real else floats
        nearest = np.where(np.isfinite(nearest), nearest, floats)  # a float16 holds no number above 65504
        return Comparison(name, trace, numbers, floats, nearest, eps, digits)


def shape_message(trace: Trace, name: str, yours: tuple[int, ...]) -> str:
    """Both shapes, and whose shape a gradient or a new parameter takes."""
    if 0 in yours:
        return f"Your {name} is empty."
    has = f"has shape {yours}" if yours else "is one number"
    if (right := np.shape(trace[name])) == ():
        return f"Your {name} {has}; it should be one number."
    return f"Your {name} {has}; it should have shape {right}{f', like {of}' if (of := trace.owner(name)) else ''}."


def what_differs(one: Trace, other: Trace) -> str:
    """What is otherwise in another step: its number, and its data, where those have other shapes, or what else has."""
    later = [f"step {int(other['step'])}"] if "step" in other.given and one.given.get("step") != other["step"] else []
    differ = [name for name in other.given if name not in one or np.shape(one[name]) != np.shape(other[name])]
    shown = differ if set(differ).isdisjoint(other.problem.data) else other.problem.data
    return ", ".join(later + [f"{name} {np.shape(other[name])}" for name in shown]) or "other numbers"


@dataclass(frozen=True, eq=False)
class Comparison:
    """An answer and the right value, both as float64 or complex128; `nearest` is that value in the answer's precision.

    `eps` is the coarsest rounding of the two, and `digits` how many digits were copied, if that is what was done.
    """

    name: str
    trace: Trace
    answer: Array
    right: Array
    nearest: Array
    eps: float
    digits: int | None = None

    @cached_property
    def terms(self) -> Array:
        terms = as_floats(terms_in(self.trace)[self.name].terms).real
        return np.where(np.isfinite(terms), terms, np.abs(self.right))

    @property
    def fits(self) -> bool:
        """Whether the answer has the right shape."""
        return bool(self.answer.shape == self.right.shape)

    @property
    def line_of(self) -> str:
        """The gradient with whose line it is made: where that is only the name of another, as in dy_pred = dE, that."""
        if self.trace.role(self.name) == "gradient":
            code = self.trace.step(self.name).code
            if self.trace.role(code) == "gradient":
                return code
        return self.name

    @cached_property
    def base(self) -> Any:
        """What no factor changes: the old parameter, of a new one, where it fits what was answered."""
        if self.trace.role(self.name) == "new":
            with suppress(ValueError):
                return np.broadcast_to(self.trace[self.trace.owner(self.name)], self.answer.shape)
        return 0.0

    @cached_property
    def right_cells(self) -> Array:
        """Which numbers of an answer of the right shape are right; inf and nan where just these are."""
        near = self.agrees(self.answer, self.right, self.terms) & np.isfinite(self.right)  # any is near inf
        right: Array = near | (self.answer == self.nearest) | (np.isnan(self.answer) & np.isnan(self.right))
        return right

    @property
    def is_right(self) -> bool:
        return bool(self.fits and self.right_cells.all())

    @property
    def has_right_numbers(self) -> bool:
        """Whether the numbers are right, in order, whatever the shape."""
        if self.answer.size != self.right.size:
            return False
        return bool(self.agrees(self.answer.ravel(), self.right.ravel(), self.terms.ravel()).all())

    @property
    def is_rounding_alone(self) -> bool:
        """Whether rounding is as large as every number of the right value: an answer within it tells nothing."""
        floor = ROUNDINGS * self.eps * self.terms + self._vanishing * (self.right != 0)
        is_exact = eps_of(np.asarray(self.trace[self.name])) == 0
        return not is_exact and bool(floor.any()) and not bool((np.abs(self.right) > floor).any())

    @property
    def why_untold(self) -> str:
        """Why a right answer cannot be told from a wrong one, in a sentence; "" where it can."""
        if self.is_rounding_alone:
            rounding = "rounding" + " in single precision" * (self.eps >= FLOAT32)
            return (
                f"{self.name} is 0 here, but for {rounding}, since larger numbers cancel; and so is yours. But many "
                "wrong lines give that, too. Try it with other numbers, such as those of another iteration."
            )
        is_nearest = self.digits is not None or any(np.array_equal(self.answer, each) for each in self._nearest)
        old = np.asarray(self.right if is_nearest else self.base)
        if old.shape == self.right.shape and np.any(old != self.right):
            is_nearer = np.sum(np.abs(self.answer - old)) <= np.sum(np.abs(self.answer - self.right))
            if is_nearer and self.agrees(self.answer, old, self.terms).all():
                step = f"The step from {self.trace.owner(self.name)} to {self.name}"
                return f"{step} is lost in the rounding of your answer. {NOBODY} Take a larger learning rate."
        return ""

    @property
    def _nearest(self) -> Iterator[Array]:
        """The right value in the answer's precision, and what the line of an update gives in single precision."""
        yield self.nearest
        if self.eps == FLOAT32 and self.trace.role(self.name) == "new":
            step = self.trace.step(self.name)
            yield self.trace.evaluate(step.code, **{each: np.float32(self.trace[each]) for each in step.operands})

    def agrees(self, answer: Array, value: Array, terms: Array) -> Array:
        """Which cells of `answer` are those of `value` within the rounding of all terms of a cell."""
        near: Array = np.abs(answer - value) <= self.allowed(value, terms)
        return near if near.all() else near | _as_printed(answer, value, ~near)

    def allowed(self, value: Array, terms: Array) -> Array:
        """By how much each cell may be off."""
        size, terms = np.abs(value), np.where(np.isfinite(terms), terms, np.abs(value))
        allowed: Array = max(DIGITS, self.eps) * size + ROUNDINGS * self.coarsest * terms
        if self.digits:
            allowed = allowed + HALF * 10.0 ** (np.floor(np.log10(size)) - self.digits + 1)
        return allowed + self._vanishing

    @property
    def _vanishing(self) -> float:
        if self._computed_in > FLOAT32:
            return VANISHING[2]
        return VANISHING[self.eps >= FLOAT32]

    @property
    def _computed_in(self) -> float:
        """The coarsest numbers that an answer is taken to be computed in; in a float16 it is only kept."""
        return max(FLOAT32, eps_of(np.asarray(self.trace[self.name])))

    @property
    def coarsest(self) -> float:
        """The coarsest rounding in what the answer was computed from."""
        return min(self.eps, self._computed_in)

    def gives(self, value: Any, terms: Any, answer: Array) -> bool:
        """Whether another value, with the terms of its own line, is this answer."""
        value = as_floats(np.asarray(value))
        if value.shape != answer.shape or (np.isfinite(answer) & ~np.isfinite(value)).any():  # any is near inf
            return False
        sizes = as_floats(np.asarray(terms)).real
        return bool(self.agrees(answer, value, np.abs(value) + sizes).all())

    def is_first_step_without(self, line: str) -> bool:
        """Whether a line lacks what is remembered, which is 0 here: nobody can see that it is missing."""
        zeros = [name for name, x in self.trace.problem.state.items() if line and not np.any(x)]
        return any(name in names_in(self.trace.step(self.name).code) and name not in names_in(line) for name in zeros)

    def does_no_harm(self, value: Any) -> bool:
        """Whether another value happens to be the right one."""
        exact = replace(self, eps=FLOAT64)
        return exact.gives(value, terms_in(self.trace)[self.name].terms, self.right)

    @property
    def decimals(self) -> int | None:
        """To how many decimals the answer is the right value rounded, if it is, and if that can be no coincidence."""
        answer, value = self.answer, self.right
        for decimals in range(8):
            unit = 10.0**-decimals
            rounded = np.abs(answer - np.round(answer, decimals)) <= 1e-7 * np.minimum(unit, np.abs(answer))
            near = np.abs(answer - value) <= 0.5000001 * unit
            if rounded.all() and near.all() and np.max(np.abs(value)) >= 100 * unit:
                return decimals
        return None


def _as_printed(answer: Array, value: Array, at: Array) -> Array:
    """Which cells `at` are what NumPy prints: eight decimals, or eight and a power of ten if all are small."""
    can_be = np.isreal(value) & np.isfinite(value).all()
    same: Array = np.asarray(at & can_be & np.isclose(answer, value))  # pragma: no mutate  or it takes longer
    formats = (".8f", ".8e") if np.max(np.abs(value)) >= 1e-4 else (".8e",)
    printed = [[float(f"{number:{f}}") for number in np.real(value)[same]] for f in formats]
    same[same] = np.any([np.asarray(answer)[same] == numbers for numbers in printed], axis=0)
    return same
