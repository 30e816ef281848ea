"""Whether a gradient agrees with numeric ones: yes, no, or it cannot be told here.

A numeric derivative can itself be off: by the bend of the loss, by a corner in it, by rounding. So each comes with its
*doubt*, the most that it can be off by. A gradient agrees if each of its entries is right to 1e-5 of its own size, all
doubt included, or to the rounding of its terms. It is wrong if one is further off than the doubt and its own rounding
together. In between, it cannot be told.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.checks.numeric import has_corners, loss_of, off_at_zero, one_entry_each
from backprop_lab.checks.rounding import FLOAT64, Terms, eps_of, terms_in, terms_of
from backprop_lab.nn.layers import Array
from backprop_lab.nn.network import check_gradient
from backprop_lab.nn.steps import Lines
from backprop_lab.step.number_format import at_most, percent
from backprop_lab.step.problem import Problem, check_problem
from backprop_lab.step.trace import Trace, trace

AGREES = 1e-5  # far above the error of a right gradient, about 1e-9, and far below that of a wrong one
TELLS = 1e-3  # slopes that are in doubt by more than this part of them say nothing
ROUNDINGS = 32  # of all terms are allowed for
STEPS = (1e-5, 1e-3, 1e-7, 1e-2, 1e-4, 1e-6)  # of a central difference, in units of the largest number moved
HUGE, TINY_BESIDE = 1e6, 1e-6  # as -1e9, which hides a number from a softmax, beside the others
COMPLEX_STEP, LEAST = 1e-20, 1e-270  # at most, and by how much the loss then moves, or of the largest gradient
WORK = 1_500_000  # numbers in a tenth of a second: where entries moved one by one make more, directions are random
DIRECTIONS, SEED = 8, 0  # any other seed would do
CERTAIN = 10  # no error is more than so many times the largest of its 8 projections, but for two cases in 1e9
BLOCK = 2**18  # how many numbers are moved at a time

OVERFLOWED = "The numbers have overflowed, so this gradient cannot be checked."
NO_NUMBER = "The loss is not a number here, so this gradient cannot be checked."
CANNOT_BE_TOLD = "Inconclusive: rounding or a kink in the loss limits the accuracy of the numerical gradient here."
SOME_CANNOT_BE_TOLD = (
    "Inconclusive for {} of its {} entries: rounding or a kink in the loss limits the accuracy of their numerical "
    "gradient. The others agree."
)


class Proof(NamedTuple):
    """What `prove` found: `agrees` is True, False, or None where it cannot be told.

    `error` is how far the worst entry is off, relative to its size: where it agrees, at most so far. One that is right
    to its own rounding, and all that is proved along random directions, is held against the largest entry.
    """

    agrees: bool | None
    error: float
    sentence: str


def prove(trace: Trace, name: str) -> Proof:
    """Whether a gradient of a trace, such as dH1 or dW1, agrees with numeric derivatives of the loss.

    Each entry is held against its own doubt, so a small one that is wrong shows, however large its neighbours are; and
    one that is 0 but for its rounding is right. Finite differences come first. Where they cannot tell, as of an entry
    that moves the loss by less than its last digits, the complex step decides, if the layers and the loss are code that
    it holds for. Where moving the entries one by one would take too long, the loss is moved along 8 random directions,
    and the sentence says how small an error they leave unseen. Raises KeyError if `name` is not a gradient of the
    trace, and ValueError if that is no trace.
    """
    _check_gradient_name(trace, name)
    if not np.all(np.isfinite(np.asarray(trace[name], dtype=float))):
        return Proof(None, math.nan, OVERFLOWED)
    with np.errstate(all="ignore"):  # pragma: no mutate  only for quiet
        moves = _Moves(trace, name)
        if moves.has_no_loss:
            return Proof(None, math.nan, NO_NUMBER)
        better = moves.slopes()
        said = moves.verdict(trace, next(better))
        while not said.agrees and (found := next(better, None)):
            proof = moves.verdict(trace, found)  # the last has the last word, and the first that said the same is named
            said = said if proof.agrees is said.agrees else proof
    return said


def check_gradients(problem: Problem, gradients: Mapping[str, Array] | None = None) -> dict[str, float]:
    """How far the backward pass is from numeric gradients, one error per parameter: `{"W1": 3e-11, ...}`.

    The error is the worst of its entries, and that of an entry is abs(analytic - numeric), divided by the larger of
    abs(analytic) and abs(numeric): so it is far below 1e-6 when all is well, and 1e-2 if a single entry is wrong by
    1 %, however small or large that is. An entry whose difference is within its doubt, such as one that should be 0 and
    is 1e-17 by rounding, is held against the largest entry of the array in place of itself; and where all of an array
    are 0 but for rounding, as of a bias that the layer after it takes off again, the error is 0. It is nan where it
    cannot be told: where rounding is more than a thousandth of the gradient, or an entry is too small for finite
    differences, and the complex step does not hold for the code. `gradients` are the ones to check, by default those of
    `problem`. Raises KeyError if a gradient is missing, and ValueError if one has another shape than its parameter, or
    if `problem` is not a Problem.
    """
    check_problem(problem)
    right, parameters = trace(problem), problem.parameters
    named = {step.of: step.name for step in right.steps if step.role == "gradient"}
    given = {name: right[named[name]] for name in parameters} if gradients is None else gradients
    for name, parameter in parameters.items():
        check_gradient(name, given, parameter)
    return {name: _error(right, named[name], np.asarray(given[name])) for name in parameters}


def check_step(trace: Trace, name: str) -> float:
    """How far one gradient of a trace, such as dH1 or dW1, is from a numeric derivative; the error as above.

    Raises KeyError if `name` is not a gradient in the trace, and ValueError if that is no trace.
    """
    _check_gradient_name(trace, name)
    return _error(trace, name, trace[name])


def _check_gradient_name(trace: Trace, name: str) -> None:
    if not isinstance(trace, Trace):
        raise ValueError(f"this takes the trace of a problem, as trace(problem) gives it; got {trace!r:.60}")
    gradients = [step.name for step in trace.steps if step.role == "gradient"]
    if name not in gradients:
        raise KeyError(f"{name!r} is not a gradient of this trace; those are {', '.join(gradients)}")


def _error(trace: Trace, name: str, analytic: Array) -> float:
    """How far what should be the gradient `name` is from the best slopes, the error as above."""
    with np.errstate(all="ignore"):  # pragma: no mutate  only for quiet
        moves = _Moves(trace, name)
        if moves.has_no_loss:
            return math.nan
        for found in moves.slopes():
            if np.all(found.doubt <= 1e-7 * np.abs(found.slopes)):  # pragma: no mutate  better ones take longer
                break
        along, rounding = moves.along(analytic), moves.along(_rounding_of(analytic, moves.terms), np.abs)
        off, size = np.abs(along - found.slopes), np.maximum(np.abs(along), np.abs(found.slopes))
        doubt, largest = found.doubt + rounding, np.max(size)
        if moves.is_zero(size, doubt, rounding):
            return 0.0
        wrong = off > doubt  # pragma: no mutate  none is that to the last bit, as below
        hidden = (found.doubt > TELLS * size) & (found.doubt > 2 * rounding)  # pragma: no mutate
        if not wrong.any() and (hidden.any() or not np.max(doubt) <= TELLS * largest):  # pragma: no mutate
            return math.nan
        return float(np.max(_part(off, np.where(wrong & moves.each_entry, size, largest))))


def _part(part: Array, size: Any) -> Array:
    """How large a part is, 0 where there is none."""
    return np.where(part == 0, 0.0, part / size)


def _rounding_of(gradient: Array, terms: Terms) -> Array:
    """How much of each number of a gradient may be rounding."""
    gradient, size = np.asarray(gradient), terms.terms
    least = float(np.finfo(gradient.dtype).smallest_subnormal) if gradient.dtype.kind == "f" else 0.0
    rounding: Array = ROUNDINGS * (eps_of(gradient) * size + least * (size > 0))  # no smaller number is kept
    return rounding


class _Slopes(NamedTuple):
    """The slopes of the loss along some moves, the most that each can be off by, and how they were found.

    `at_corner` says that the loss has a corner there along some move: its slopes to both sides differ.
    """

    slopes: Array
    doubt: Array
    how: str
    at_corner: bool = False


class _Moves:
    """One value of a problem, and the moves along which it is tried: every entry, or random directions."""

    def __init__(self, trace: Trace, gradient: str) -> None:
        self.gradient, self.name = gradient, trace.owner(gradient)
        self.right = _right_trace(trace, self.name)
        self.problem, self.at = self.right.problem, np.asarray(self.right[self.name])
        self.terms = terms_in(self.right)[gradient]
        numbers = sum(np.size(step.value) for step in self.right.steps if step.phase in ("forward", "loss"))
        self.each_entry = self.at.size * (self.at.size + numbers) <= WORK
        if self.each_entry:
            self.moves = one_entry_each(self.at)
        else:
            self.moves = np.random.default_rng(SEED).standard_normal((DIRECTIONS, *self.at.shape))

    @property
    def has_no_loss(self) -> bool:
        """Whether the loss is not a number, as the logarithm of one below 0, which has a complex one."""
        return bool(np.isnan(float(self.right[self.problem.loss_name])))

    def along(self, array: Array, part: Any = np.asarray) -> Array:
        """What an array of derivatives comes to along each move; with `part=np.abs`, what all their sizes come to."""
        flat = np.ravel(np.float64(array))
        if self.each_entry:
            return flat
        along: Array = part(self.moves).reshape(len(self.moves), self.at.size) @ flat
        return along

    def verdict(self, trace: Trace, found: _Slopes) -> Proof:
        """Whether the gradient in a trace agrees with these slopes."""
        gradient, terms = trace[self.gradient], terms_in(trace)[self.gradient]
        analytic, own = self.along(gradient), self.along(_rounding_of(gradient, terms), np.abs)
        rounding = self.along(_rounding_of(gradient, self.terms), np.abs)  # of the right line
        off, size = np.abs(analytic - found.slopes), np.maximum(np.abs(analytic), np.abs(found.slopes))
        most, largest = off + found.doubt, float(np.max(np.abs(np.float64(gradient))))
        if self.is_zero(size, most, rounding):
            return Proof(True, 0.0, f"agrees with {found.how}: it is 0, but for rounding")
        each = np.where(most <= 2 * rounding, largest, np.abs(analytic))
        if not self.each_entry:
            most, each = CERTAIN * np.max(most, keepdims=True), np.array(largest)
            size = np.full_like(size, max(np.max(size), np.hypot.reduce(np.ravel(np.float64(gradient)))))
        part = _part(most, each)
        error = float(np.max(part))
        if error <= AGREES:
            how = f"to {at_most(error)}" if error else "exactly"
            if not self.each_entry:
                how = f"in random directions: no entry is off by more than {at_most(float(most[0]))}"
            return Proof(True, error, f"agrees with {found.how} {how}")
        wrong = off - found.doubt - own > AGREES * size  # pragma: no mutate  none is that to the last bit
        if wrong.any() and not found.at_corner:
            error = float(np.max(_part(off, size)[wrong]))
            return Proof(False, error, f"does not agree with {found.how}: it is off by as much as {percent(error, 1)}")
        if not abs(trace[self.problem.loss_name]) < math.inf:
            return Proof(None, math.nan, OVERFLOWED)
        untold = int(np.sum(~(part <= AGREES)))
        some = self.each_entry and untold < self.at.size
        return Proof(None, math.nan, SOME_CANNOT_BE_TOLD.format(untold, self.at.size) if some else CANNOT_BE_TOLD)

    def is_zero(self, size: Array, doubt: Array, rounding: Array) -> bool:
        """Whether gradient and slopes are nothing but the rounding of terms that cancel, and are large beside it."""
        if not np.any(size) or not np.all(size + doubt <= 3 * rounding):
            return False
        step = self.right.step(self.gradient)
        if not any(self.right.step(o).phase == "backward" for o in step.operands if o not in self.right.given):
            return False  # the loss is at its bottom
        terms = self.along(terms_of(step.code, {name: Terms(self.right[name]) for name in step.operands}), np.abs)
        return bool(np.all(rounding <= TELLS * terms))

    def slopes(self) -> Iterator[_Slopes]:
        """Better and better ones: by one finite difference, by the complex step if it holds, by the best of several."""
        first = self.differences(STEPS[:1])
        if self.each_entry:  # or the complex step, which leaves less unseen, comes first
            yield first
        exact = self.complex_step()
        if exact and _agree(exact, first):
            yield exact
            return
        best = self.differences(STEPS if self.each_entry else STEPS[:3])  # pragma: no mutate  more take longer
        yield best
        if exact and self.holds(exact, best):
            yield exact

    def differences(self, steps: tuple[float, ...]) -> _Slopes:
        """Central differences, for each move with the step that leaves the least doubt.

        Halving a step tells how far the bend of the loss, or a corner nearby, spoils it: (f(h) - f(-h)) / 2h then
        changes, or (f(h) - 2 f(0) + f(-h)) / h does not become half of what it was.
        """
        loss = loss_of(self.problem, self.name)
        terms = np.abs(terms_in(self.right)[self.problem.loss_name].terms)
        idle, unit = self.along(self.terms.terms, np.abs) == 0, self.units()
        slopes, doubt = np.zeros(len(self.moves)), np.full(len(self.moves), np.inf)
        corners: list[bool] = []  # whether there is one, as the moves of each step tell
        for step in steps:
            h = step * unit
            try:
                moved = self._moved(loss, h * np.array([[1], [-1], [0.5], [-0.5], [0]]))
            except Exception:  # code of a reader's own may stop where a number moves to, as math.log does below 0
                continue
            up, down, half_up, half_down, here = moved
            slope, half_slope = (up - down) / (2 * h), (half_up - half_down) / h
            bend, half_bend = (up - 2 * here + down) / h, (half_up - 2 * here + half_down) / (h / 2)
            rounding = ROUNDINGS * FLOAT64 * np.maximum(terms, np.maximum(np.abs(up), np.abs(down)))
            jump, rounded = np.abs(half_bend - bend / 2), 4 * rounding / h
            corners.append(bool(np.any(jump > np.maximum(rounded, 0.1 * np.abs(bend)))))  # pragma: no mutate  or so
            still = idle & np.all(moved == here, axis=0) & (half_slope == 0)  # finite, and nothing of it gets through
            off = np.where(still, 0.0, np.abs(slope - half_slope) + jump + rounded)
            better = off < doubt  # pragma: no mutate  of two in equal doubt either will do
            slopes, doubt = np.where(better, half_slope, slopes), np.where(better, off, doubt)
        return _Slopes(slopes, doubt, "finite differences", bool(corners and corners[0]))

    def complex_step(self) -> _Slopes | None:
        """By the complex step, with every ReLU at 0 taken as off, as the backward pass takes it.

        Im L(p + ih) / h: nothing is subtracted, so it is right to the last digits. The step is so small that the loss
        hardly moves: times large weights, another one would bend a tanh on the way.
        Source: Squire and Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40
        (1998) 110-112.
        """
        loss, along = loss_of(off_at_zero(self.problem), self.name), self.along(self.terms.terms, np.abs)
        parameters = self.problem.parameters
        steps = (step for step in self.right.steps if step.role == "gradient" and step.of not in parameters)
        on_the_way = (terms_in(self.right)[step.name].terms for step in steps)
        largest = max([1.0, *(float(np.fmax.reduce(each, axis=None)) for each in on_the_way)])
        h = np.fmin(COMPLEX_STEP, np.fmax(LEAST, LEAST * largest / along))  # COMPLEX_STEP where they are nan
        try:
            with warnings.catch_warnings(action="error"):  # pragma: no mutate  as where an imaginary part is dropped
                slopes = np.imag(self._moved(loss, 1j * h)[0]) / h
        except Exception:  # code of a reader's own may refuse complex numbers in any way
            return None
        underflow = np.finfo(float).tiny / h * largest  # smaller imaginary parts are lost on the way
        doubt = ROUNDINGS * FLOAT64 * along + np.where(along > 0, underflow, 0.0)
        return _Slopes(slopes, np.where(np.isfinite(slopes + doubt), doubt, np.inf), "the complex step")

    def holds(self, exact: _Slopes, best: _Slopes) -> bool:
        """Whether the code is such that the complex step holds: it agrees with finite differences where both can tell.

        Code with abs, sign or math.erf takes no complex numbers, or drops their imaginary part.
        """
        agrees, elsewhere = _agree(exact, best), _elsewhere(self.problem, self.gradient)
        if best.at_corner and has_corners(self.problem):  # of which finite differences alone see both sides
            return False
        while agrees is None and (moves := next(elsewhere, None)):  # too near to the bottom, or at a corner, or 0
            if there := moves.complex_step():
                agrees = _agree(there, moves.differences(STEPS))
        return bool(agrees)

    def units(self) -> Any:
        """The largest number moved, in which steps are counted; small numbers beside huge ones have their own."""
        sizes = np.abs(self.at).ravel()
        largest = float(np.max(sizes)) or 1.0  # pragma: no mutate  any other would do
        small = sizes < TINY_BESIDE * largest
        if largest <= HUGE or not self.each_entry or not small.any():
            return largest
        return np.where(small, float(np.max(sizes[small])) or 1.0, largest)

    def _moved(self, loss: Any, steps: Array) -> Array:
        """The loss after moves of these sizes, (..., 1) or one for each move; in blocks that take little memory."""
        steps = np.broadcast_to(steps, (np.size(steps[..., 0]), len(self.moves)))
        largest = max(self.at.size, *(np.size(step.value) for step in self.right.steps))  # pragma: no mutate  or so
        block, found = max(1, BLOCK // (len(steps) * largest)), []  # pragma: no mutate  or so
        for start in range(0, len(self.moves), block):
            part = slice(start, start + block)
            stack = self.at + np.einsum("sm,m...->sm...", steps[:, part], self.moves[part])
            found.append(loss(stack.reshape(-1, *self.at.shape)).reshape(len(steps), -1))
        return np.concatenate(found, axis=1)


def _agree(exact: _Slopes, best: _Slopes) -> bool | None:
    """Whether two ways to find slopes agree wherever both can tell; None if they can nowhere."""
    doubt, off = exact.doubt + best.doubt, np.abs(exact.slopes - best.slopes)
    tell = doubt < TELLS * np.abs(best.slopes)  # pragma: no mutate  none is that to the bit
    if best.at_corner or not tell.any():
        return None
    return bool(np.all(off[tell] <= doubt[tell]))  # pragma: no mutate  likewise


def _elsewhere(problem: Problem, name: str) -> Iterator[_Moves]:
    """The same code on numbers of about 1, where it takes them; by the first parameter, too, behind which all is."""
    kept = ("y",) if hasattr(getattr(problem, "loss", None), "check_targets") else ()  # which may refuse others
    data = {n: a / (float(np.max(np.abs(a))) or 1.0) for n, a in problem.data.items()
            if a.dtype.kind == "f" and n not in kept}  # fmt: skip  # pragma: no mutate
    for seed in range(3):  # pragma: no mutate  one nearly always does
        draw = np.random.default_rng(seed).standard_normal  # pragma: no mutate
        numbers = {p: draw(a.shape) / math.sqrt(a.size) for p, a in problem.parameters.items()}  # pragma: no mutate
        with suppress(Exception):  # code of a reader's own may refuse them in any way
            there = trace(problem.evolve(parameters=numbers, data=data))
            gradients = {step.of: step.name for step in there.steps if step.role == "gradient"}
            first = next(gradients[p] for p in numbers if p in gradients)
            yield from (_Moves(there, each) for each in (name, first))


def _right_trace(trace: Trace, name: str) -> Trace:
    """One training step in floats, by the right lines, in which a value, such as W1 or H1, is what it is in `trace`."""
    problem, lines = trace.problem, trace.problem.lines
    is_right = lines.codes == tuple((step.name, step.code) for step in trace.steps)
    kinds = {str(np.asarray(step.value).dtype): np.asarray(step.value).dtype.kind for step in trace.steps}
    if is_right and all(
        name == "float64" or kind in "biu" for name, kind in kinds.items()
    ):  # pragma: no mutate  or run again
        return trace
    problem = problem.evolve(data=_floats(problem.data), parameters=_floats(problem.parameters))
    given = problem.given | {name: np.asarray(trace[name], dtype=float)}
    return Trace(problem, given, Lines(line for line in lines if line.name != name))


def _floats(values: Mapping[str, Array]) -> dict[str, Array]:
    """Numbers as floats; truth values and whole numbers, which pick places, stay as they are."""
    return {name: np.asarray(value, dtype=float) for name, value in values.items() if value.dtype.kind not in "biu"}
