"""Whether a gradient agrees with numeric ones: yes, no, or it cannot be told here.

A numeric derivative can itself be off: by the bend of the loss, by a corner in it, by rounding. So each comes with its
*doubt*, the most that it can be off by. A gradient agrees if it is right to 1e-5 of its size, all doubt included. It is
wrong if it is further off than the doubt and its own rounding together. In between, it cannot be told.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.gradcheck import loss_of, off_at_zero, one_entry_each, relative_error
from backprop_lab.layers import Array
from backprop_lab.lines import lines_of, run
from backprop_lab.network import check_gradient
from backprop_lab.number_format import at_most, percent
from backprop_lab.problem import Problem, check_problem
from backprop_lab.rounding import FLOAT64, Terms, eps_of
from backprop_lab.tracing import Trace, trace

AGREES = 1e-5  # far above the error of a right gradient, about 1e-9, and far below that of a wrong one
TELLS = 1e-3  # slopes that are in doubt by more than this part of them say nothing
ROUNDINGS = 32  # of all terms are allowed for
STEPS = (1e-5, 1e-3, 1e-7, 1e-2, 1e-4, 1e-6)  # of a central difference, in units of the largest number moved
COMPLEX_STEP, LEAST = 1e-20, 1e-270  # at most, and by how much the loss then moves
ENTRIES = 256  # a larger array is moved along random directions, not one entry after the other
DIRECTIONS = 8
CERTAIN = 10  # no error is more than so many times the largest of its 8 projections, but for two cases in 1e9
BLOCK = 2**18  # how many numbers are moved at a time

OVERFLOWED = "The numbers have overflowed, so this gradient cannot be checked."
CANNOT_BE_TOLD = "Cannot be told here: rounding, or a corner of the loss, hides the last digits of this gradient."


class Proof(NamedTuple):
    """What `prove` found: `agrees` is True, False, or None where it cannot be told.

    `error` is how far the gradient is off, relative to its largest number: where it agrees, at most so far.
    """

    agrees: bool | None
    error: float
    sentence: str


def prove(trace: Trace, name: str) -> Proof:
    """Whether a gradient of a trace, such as dH1 or dW1, agrees with numeric derivatives of the loss.

    Finite differences come first. Where they cannot tell, the complex step decides, if the layers and the loss are code
    that it holds for. An array of more than 256 numbers is tried along 8 random directions. Raises KeyError if `name`
    is not a gradient of the trace, and ValueError if that is no trace.
    """
    value = _of_gradient(trace, name)
    analytic = np.asarray(trace[name], dtype=float)
    if not np.all(np.isfinite(analytic)):
        return Proof(None, math.nan, OVERFLOWED)
    with np.errstate(all="ignore"):  # pragma: no mutate  only for quiet
        moves = _Moves(trace, value)
        own = moves.along(_rounding_of(trace[name], trace.terms[name]), np.abs)
        agrees, error, how = None, math.nan, ""
        for found in moves.slopes():  # the last has the last word, and the first that said the same is named
            verdict, off = moves.verdict(analytic, own, found)
            if not how or verdict is not agrees:
                agrees, error, how = verdict, off, found.how
            if agrees:
                break
    if agrees is None:
        return Proof(None, error, CANNOT_BE_TOLD if abs(trace["L"]) < math.inf else OVERFLOWED)
    if agrees:
        return Proof(True, error, f"agrees with {how} {f'to {at_most(error)}' if error else 'exactly'}")
    return Proof(False, error, f"does not agree with {how}: it is off by {percent(error, 1)}")


def check_gradients(problem: Problem, gradients: Mapping[str, Array] | None = None) -> dict[str, float]:
    """How far the backward pass is from numeric gradients, one error per parameter: `{"W1": 3e-11, ...}`.

    The error is max|analytic - numeric| / max(max|analytic|, max|numeric|): far below 1e-6 when all is well, and 1e-2
    for a gradient that is wrong by 1 %, however small or large it is. It is nan where it cannot be told, because
    rounding is more than a thousandth of the gradient. `gradients` are the ones to check, by default those of
    `problem`. Raises KeyError if a gradient is missing, and ValueError if one has another shape than its parameter, or
    if `problem` is not a Problem.
    """
    check_problem(problem)
    network = problem.network
    given = network.gradients(problem.loss, problem.X, problem.y) if gradients is None else gradients
    for name, parameter in network.parameters.items():
        check_gradient(name, given, parameter)
    right = trace(problem)
    return {name: _error(right, name, np.asarray(given[name])) for name in network.parameters}


def check_step(trace: Trace, name: str) -> float:
    """How far one gradient of a trace, such as dH1 or dW1, is from a numeric derivative; the error as above.

    Raises KeyError if `name` is not a gradient in the trace, and ValueError if that is no trace.
    """
    return _error(trace, _of_gradient(trace, name), trace[name])


def _of_gradient(trace: Trace, name: str) -> str:
    """What a gradient is of: `W1` for `dW1`."""
    if not isinstance(trace, Trace):
        raise ValueError(f"this takes the trace of a problem, as trace(problem) gives it; got {trace!r:.60}")
    gradients = [step.name for step in trace.steps if step.phase == "backward"]
    if name not in gradients:
        raise KeyError(f"{name!r} is not a gradient of this trace; those are {', '.join(gradients)}")
    return name.removeprefix("d")


def _error(trace: Trace, name: str, analytic: Array) -> float:
    """How far a gradient with respect to `name` is from the best slopes, the error as above."""
    with np.errstate(all="ignore"):  # pragma: no mutate  only for quiet
        moves = _Moves(trace, name)
        for found in moves.slopes():
            if np.max(found.doubt) <= 1e-7 * np.max(np.abs(found.slopes)):  # pragma: no mutate  better ones take longer
                break
        along = moves.along(analytic)
        size = max(float(np.max(np.abs(along))), float(np.max(np.abs(found.slopes))))
        doubt = float(np.max(found.doubt + moves.along(_rounding_of(analytic, trace.terms[f"d{name}"]), np.abs)))
        if math.isnan(doubt) or doubt > TELLS * size:  # pragma: no mutate  no doubt is that to the last bit
            return math.nan
        return relative_error(along, found.slopes)


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

    def __init__(self, trace: Trace, name: str) -> None:
        self.right = _right_trace(trace, name)
        self.problem, self.name, self.at = self.right.problem, name, self.right[name]
        self.each_entry = self.at.size <= ENTRIES
        if self.each_entry:
            self.moves = one_entry_each(self.at)
        else:
            rng = np.random.default_rng(0)  # pragma: no mutate  any other would do
            self.moves = rng.standard_normal((DIRECTIONS, *self.at.shape))

    def along(self, array: Array, part: Any = np.asarray) -> Array:
        """What an array of derivatives comes to along each move; with `part=np.abs`, what all their sizes come to."""
        flat = np.ravel(np.float64(array))
        if self.each_entry:  # pragma: no mutate  quicker
            return flat
        along: Array = part(self.moves).reshape(len(self.moves), self.at.size) @ flat
        return along

    def verdict(self, analytic: Array, own: Array, found: _Slopes) -> tuple[bool | None, float]:
        """Whether a gradient agrees with these slopes, and the error to be shown; `own` is its own rounding."""
        off = np.abs(self.along(analytic) - found.slopes)
        size = float(np.max(np.abs(analytic)))
        most = float(np.max(off + found.doubt)) * (1 if self.each_entry else CERTAIN)
        if most <= AGREES * size:
            return True, most / size if size else 0.0
        if not self.each_entry:
            size = math.hypot(*analytic.ravel())
        size = max(size, float(np.max(np.abs(found.slopes))))
        error = float(np.max(off)) / size if size else 0.0
        is_off = np.any(off - found.doubt - own > AGREES * size)  # pragma: no mutate  none is that to the last bit
        is_wrong = is_off and not found.at_corner
        return (False if is_wrong else None), error

    def slopes(self) -> Iterator[_Slopes]:
        """Better and better ones: by one finite difference, by the best of several, by the complex step if it holds."""
        yield self.differences(STEPS[:1])
        best = self.differences(STEPS if self.each_entry else STEPS[:3])  # pragma: no mutate  more take longer
        yield best
        exact = self.complex_step()
        if exact is not None and self.holds(exact, best):
            yield exact

    def differences(self, steps: tuple[float, ...]) -> _Slopes:
        """Central differences, for each move with the step that leaves the least doubt.

        Halving a step tells how far the bend of the loss, or a corner nearby, spoils it: (f(h) - f(-h)) / 2h then
        changes, or (f(h) - 2 f(0) + f(-h)) / h does not become half of what it was.
        """
        loss = loss_of(self.problem, self.name)
        here = loss(self.at)
        terms = np.abs(self.right.terms["L"].terms)
        unit = float(np.max(np.abs(self.at))) or 1.0  # pragma: no mutate  any other would do
        slopes, doubt = np.zeros(len(self.moves)), np.full(len(self.moves), np.inf)
        at_corner = False  # as the first moves tell  # pragma: no mutate  None would do
        for step in steps:
            h = step * unit
            try:
                up, down, half_up, half_down = (self._moved(loss, k * h) for k in (1, -1, 0.5, -0.5))
            except Exception:  # code of a reader's own may stop where a number moves to, as math.log does below 0
                continue
            slope, half_slope = (up - down) / (2 * h), (half_up - half_down) / h
            bend, half_bend = (up - 2 * here + down) / h, (half_up - 2 * here + half_down) / (h / 2)
            rounding = ROUNDINGS * FLOAT64 * np.maximum(terms, np.maximum(np.abs(up), np.abs(down)))
            corner, rounded = np.abs(half_bend - bend / 2), 4 * rounding / h
            if step == steps[0]:  # pragma: no mutate  any other small step would tell, too
                at_corner = bool(np.any(corner > np.maximum(rounded, 0.1 * np.abs(bend))))  # pragma: no mutate  or so
            off = np.abs(slope - half_slope) + corner + rounded
            better = off < doubt  # pragma: no mutate  of two in equal doubt either will do
            slopes, doubt = np.where(better, half_slope, slopes), np.where(better, off, doubt)
        return _Slopes(slopes, doubt, "finite differences", at_corner)

    def complex_step(self) -> _Slopes | None:
        """By the complex step, with every ReLU at 0 taken as off, as the backward pass takes it.

        The step is so small that the loss hardly moves: times large weights, another one would bend a tanh on the way.
        """
        loss, terms = loss_of(off_at_zero(self.problem), self.name), self.right.terms
        size = float(np.max(terms[f"d{self.name}"].terms))
        on_the_way = (terms[f"d{stage.Y}"].terms for stage in self.problem.network.stages)
        largest = max(1.0, *(float(np.fmax.reduce(each, axis=None)) for each in on_the_way))  # pragma: no mutate  or so
        h = min(COMPLEX_STEP, max(LEAST, LEAST / max(LEAST, size)))  # COMPLEX_STEP where the size is nan
        try:
            with warnings.catch_warnings(action="error"):  # pragma: no mutate  as where an imaginary part is dropped
                slopes = np.imag(self._moved(loss, 1j * h)) / h
        except Exception:  # code of a reader's own may refuse complex numbers in any way
            return None
        along = self.along(terms[f"d{self.name}"].terms, np.abs)
        underflow = np.finfo(float).tiny / h * largest  # smaller imaginary parts are lost on the way
        doubt = ROUNDINGS * FLOAT64 * along + np.where(along > 0, underflow, 0.0)
        return _Slopes(slopes, np.where(np.isfinite(slopes + doubt), doubt, np.inf), "the complex step")

    def holds(self, exact: _Slopes, best: _Slopes) -> bool:
        """Whether the code is such that the complex step holds: it agrees with finite differences where both can tell.

        Code with abs, sign or math.erf takes no complex numbers, or drops their imaginary part.
        """
        agrees = _agree(exact, best)  # pragma: no mutate  other numbers would tell, too
        if agrees is None:  # too near to the bottom, or at a corner: try the same code on other numbers
            for seed in range(5):  # pragma: no mutate  the first does nearly always
                moves = _elsewhere(self.problem, self.name, seed)  # pragma: no mutate
                there = moves and moves.complex_step()
                agrees = _agree(there, moves.differences(STEPS)) if moves and there else None  # pragma: no mutate
                if agrees is not None:
                    break
        return bool(agrees)

    def _moved(self, loss: Any, step: complex) -> Array:
        """The loss after each move, in blocks of moves that take little memory."""
        largest = max(self.at.size, *(np.size(step.value) for step in self.right.steps))  # pragma: no mutate  or so
        block = max(1, BLOCK // largest)  # pragma: no mutate  or so
        starts = range(0, len(self.moves), block)
        return np.concatenate([loss(self.at + step * self.moves[start : start + block]) for start in starts])


def _agree(exact: _Slopes, best: _Slopes) -> bool | None:
    """Whether two ways to find slopes agree wherever both can tell; None if they can nowhere."""
    doubt = exact.doubt + best.doubt
    tell = (doubt <= TELLS * np.abs(best.slopes)) & (not best.at_corner)  # pragma: no mutate  none is that to the bit
    off = np.abs(exact.slopes - best.slopes)
    return bool(np.all(off[tell] <= doubt[tell])) if tell.any() else None  # pragma: no mutate  likewise


def _elsewhere(problem: Problem, name: str, seed: int) -> _Moves | None:
    """The same code on numbers of about 1; None if it does not take them."""
    draw = np.random.default_rng(seed).standard_normal  # pragma: no mutate
    X, y = (array / (float(np.max(np.abs(array))) or 1.0) for array in (problem.X, problem.y))  # pragma: no mutate
    y = problem.y if hasattr(problem.loss, "check_targets") else y  # pragma: no mutate  which may refuse others
    try:
        sizes = {name: math.sqrt(a.size) for name, a in problem.network.parameters.items()}
        numbers = {p: draw(a.shape) / sizes[p] for p, a in problem.network.parameters.items()}  # pragma: no mutate
        there = trace(problem.evolve(network=problem.network.with_parameters(numbers), X=X, y=y))  # pragma: no mutate
        return _Moves(there, name)
    except Exception:  # code of a reader's own may refuse them in any way
        return None


def _right_trace(trace: Trace, name: str) -> Trace:
    """One training step in floats, by the right lines, in which a value, such as W1 or H1, is what it is in `trace`."""
    problem = trace.problem
    lines = lines_of(problem.network, problem.loss)
    if all(
        step.code == line.code and np.asarray(step.value).dtype == float  # pragma: no mutate  or it is run again
        for step, line in zip(trace.steps, lines, strict=True)
    ):
        return trace
    parameters = {p: np.asarray(array, dtype=float) for p, array in problem.network.parameters.items()}
    X, y = np.asarray(problem.X, dtype=float), np.asarray(problem.y, dtype=float)
    problem = problem.evolve(network=problem.network.with_parameters(parameters), X=X, y=y)
    given = {"X": X, "y": y, **parameters, "lr": problem.lr, name: np.asarray(trace[name], dtype=float)}
    return Trace(problem, given, run([line for line in lines if line.name != name], given))
