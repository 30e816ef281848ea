"""Whether a gradient agrees with numeric ones: yes, no, or it cannot be told here.

A numeric derivative can itself be off: by the bend of the loss, by a corner in it, by rounding. So each comes with its
*doubt*, the most that it can be off by. A gradient agrees if each of its entries is right to 1e-5 of its own size, all
doubt included, or to the rounding of its terms. It is wrong if one is further off than the doubt and its own rounding
together. In between, it cannot be told.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.checks.moves import TELLS, Moves, Slopes, rounding_of
from backprop_lab.checks.rounding import terms_in
from backprop_lab.nn.arrays import as_readonly_array
from backprop_lab.nn.layers import Array
from backprop_lab.nn.network import check_by_name, check_gradient
from backprop_lab.step.checking import check_real
from backprop_lab.step.number_format import at_most, percent
from backprop_lab.step.problem import Problem, check_problem
from backprop_lab.step.trace import Trace, trace

AGREES = 1e-5  # far above the error of a right gradient, about 1e-9, and far below that of a wrong one
CERTAIN = 10  # no error is more than so many times the largest of its 8 projections, but for two cases in 1e9

OVERFLOWED = "The numbers have overflowed, or are nan, as 0 / 0 is, so this gradient cannot be checked."
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
    and the sentence says how small an error they leave unseen.

    Where what comes to a ReLU is exactly 0, as with weights of 0, the loss has a corner and no slope. What agrees there
    does so by convention: a ReLU at 0 is off and its slope 0, as its line `dY * (Y > 0)` has it. The same holds of a
    maximum with 0 in a program, and at the corners of other activations for their slope from the left.

    Raises KeyError if `name` is not a gradient of the trace, and ValueError if that is no trace or has complex numbers.
    """
    _check_gradient_name(trace, name)
    if not np.all(np.isfinite(np.asarray(trace[name], dtype=float))):
        return Proof(None, math.nan, OVERFLOWED)
    with np.errstate(all="ignore"):  # pragma: no mutate  only for quiet
        moves = Moves(trace, name)
        if moves.has_no_loss:
            return Proof(None, math.nan, NO_NUMBER)
        better = moves.slopes()
        said = _verdict(moves, trace, next(better))
        while not said.agrees and (found := next(better, None)):
            proof = _verdict(moves, trace, found)  # the last has the last word; the first that said the same is named
            said = said if proof.agrees is said.agrees else proof
    return said


def check_gradients(problem: Problem, gradients: Mapping[str, Array] | None = None) -> dict[str, float]:
    """How far the backward pass is from numeric gradients, one error per parameter: `{"W1": 3e-11, ...}`.

    The error is the worst of its entries, and that of an entry is abs(analytic - numeric), divided by the larger of
    abs(analytic) and abs(numeric): so it is far below 1e-6 when all is well, and 1e-2 if a single entry is wrong by
    1 %, however small or large that is. An entry whose difference is within its doubt, such as one that should be 0 and
    is 1e-17 by rounding, is held against the largest entry of the array in place of itself; and where all of an array
    are 0 but for rounding, as of a bias that the layer after it takes off again, the error is 0. It is nan where it
    cannot be told: at a corner of the loss, where rounding is more than a thousandth of the gradient, or where an entry
    is too small for finite differences, and the complex step does not hold for the code. `gradients` are the ones to
    check, by default those of `problem`. Raises KeyError if a gradient is missing, and ValueError if one has another
    shape than its parameter, or holds anything but real numbers, and if `problem` is not a Problem or has complex
    numbers.
    """
    check_problem(problem)
    check_real(**problem.data, **problem.replaced)
    right, parameters = trace(problem), problem.parameters
    named = {step.of: step.name for step in right.steps if step.role == "gradient"}
    given = {name: right[named[name]] for name in parameters}
    if gradients is not None:
        check_by_name(gradients)
        given = {
            name: as_readonly_array(named[name], value, is_data=True)
            for name, value in gradients.items()
            if name in parameters
        }
        check_real(**{named[name]: gradient for name, gradient in given.items()})
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
    check_real(**trace.problem.data, **trace.problem.replaced)


def _error(trace: Trace, name: str, analytic: Array) -> float:
    """How far what should be the gradient `name` is from the best slopes, the error as above."""
    with np.errstate(all="ignore"):  # pragma: no mutate  only for quiet
        moves = Moves(trace, name)
        if moves.has_no_loss:
            return math.nan
        for found in moves.slopes():
            if np.all(found.doubt <= 1e-7 * np.abs(found.slopes)):  # pragma: no mutate  better ones take longer
                break
        along, rounding = moves.along(analytic), moves.along(rounding_of(analytic, moves.terms), np.abs)
        off, size = np.abs(along - found.slopes), np.maximum(np.abs(along), np.abs(found.slopes))
        doubt, largest = found.doubt + rounding, np.max(size)
        if moves.is_zero(size, doubt, rounding):
            return 0.0
        wrong = (off > doubt) & (not found.at_corner)  # pragma: no mutate  none is that to the bit
        hidden = (found.doubt > TELLS * size) & (found.doubt > 2 * rounding)  # pragma: no mutate
        if not wrong.any() and (hidden.any() or not np.max(doubt) <= TELLS * largest):  # pragma: no mutate
            return math.nan
        return float(np.max(_part(off, np.where(wrong & moves.each_entry, size, largest))))


def _verdict(moves: Moves, trace: Trace, found: Slopes) -> Proof:
    """Whether the gradient in a trace agrees with these slopes."""
    gradient, terms = trace[moves.gradient], terms_in(trace)[moves.gradient]
    analytic, own = moves.along(gradient), moves.along(rounding_of(gradient, terms), np.abs)
    rounding = moves.along(rounding_of(gradient, moves.terms), np.abs)  # of the right line
    off, size = np.abs(analytic - found.slopes), np.maximum(np.abs(analytic), np.abs(found.slopes))
    most, largest = off + found.doubt, float(np.max(np.abs(np.float64(gradient))))
    if moves.is_zero(size, most, rounding):
        rounded = ", except for rounding" if np.any(size) else ""
        return Proof(True, 0.0, f"agrees with {found.how}: it is 0{rounded}")
    each = np.where(most <= 2 * rounding, largest, np.abs(analytic))
    if not moves.each_entry:
        most, each = CERTAIN * np.max(most, keepdims=True), np.array(largest)
        size = np.full_like(size, max(np.max(size), np.hypot.reduce(np.ravel(np.float64(gradient)))))
    part = _part(most, each)
    error = float(np.max(part))
    if error <= AGREES:
        how = f"to {at_most(error)}" if error else "exactly"
        if not moves.each_entry:
            how = f"in random directions: no entry is off by more than {at_most(float(most[0]))}"
        return Proof(True, error, f"agrees with {found.how} {how}")
    wrong = off - found.doubt - own > AGREES * size  # pragma: no mutate  none is that to the last bit
    if wrong.any() and not found.at_corner:
        error = float(np.max(_part(off, size)[wrong]))
        return Proof(False, error, f"does not agree with {found.how}: it is off by as much as {percent(error, 1)}")
    if not abs(trace[moves.problem.loss_name]) < math.inf:
        return Proof(None, math.nan, OVERFLOWED)
    untold = int(np.sum(~(part <= AGREES)))
    some = moves.each_entry and untold < moves.at.size
    return Proof(None, math.nan, SOME_CANNOT_BE_TOLD.format(untold, moves.at.size) if some else CANNOT_BE_TOLD)


def _part(part: Array, size: Any) -> Array:
    """How large a part is, 0 where there is none."""
    return np.where(part == 0, 0.0, part / size)
