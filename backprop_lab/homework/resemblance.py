"""What a wrong gradient looks like beside the slopes of the loss: a factor, a penalty left out, one sample alone.

Whatever is said has been compared with every slope, within its doubt; it names what is seen, and no cause that is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from backprop_lab.feedback.compared import Compared
from backprop_lab.feedback.patterns import NUMBERS_ALONE
from backprop_lab.homework.slopes import Slopes
from backprop_lab.nn.layers import Array
from backprop_lab.step.number_format import plain
from backprop_lab.step.trace import Trace

EXACT = 1e-5  # relative to a factor: it is no other
NEARLY = 1e-3  # so near to 1, a factor says nothing
SHARES = {0.0: "is missing", 0.5: "is half of", 2.0: "is twice", -1.0: "has the other sign, and should be"}


def resemblance(found: Slopes, ways: Sequence[tuple[str, Array]]) -> str:
    """What a wrong gradient looks like, or "". It is given each way that its shape allows, as itself and transposed."""
    if not ways[0][1].any():
        return "all its numbers are 0"
    with np.errstate(all="ignore"):
        for looks in (_factor, _penalty, _two, _cells):
            for how, gradient in ways:
                for sentence in looks(found, gradient):
                    return f"it is {how}, and {sentence}" if how else sentence
    return ""


def times(factor: float, numbers: Mapping[str, float]) -> str:
    """A factor in words, `twice what it should be`, with the number of the learner's that it is."""
    size, sign = abs(factor), ", with the other sign" if factor < 0 else ""
    if _same(size, 1):
        return "minus what it should be"
    if _same(size, 2) or _same(size, 0.5):
        return f"{'twice' if size > 1 else 'half of'} what it should be{sign}"
    whole = size if size > 1 else 1 / size
    is_whole = _same(whole, round(whole))
    how = plain(size) if not is_whole else f"{whole:.0f}" if size > 1 else f"1/{whole:.0f}"
    known = [
        f"; {name} is {plain(number)}"
        for name, number in numbers.items()
        if _same(whole if is_whole else size, number) or (not is_whole and _same(1 / size, number))
    ]
    return f"{how} {'of' if how.startswith('1/') else 'times'} what it should be{sign}{''.join(known[:1])}"


def _factor(found: Slopes, gradient: Array) -> Iterator[str]:
    """The right gradient times a number."""
    fitted = found.fitted(gradient, [gradient])
    whole = fitted and max(abs(fitted[0]), 1 / abs(fitted[0]))
    is_telling = gradient.size > 1 or (whole and abs(whole - round(whole)) <= EXACT)  # of one number, not any factor
    if fitted and is_telling and abs(fitted[0] - 1) > NEARLY:
        yield times(1 / fitted[0], found.own.numbers())


def _penalty(found: Slopes, gradient: Array) -> Iterator[str]:
    """The right gradient but for a multiple of the parameter, or of its signs."""
    name, at = found.name, found.at
    if fitted := found.fitted(gradient, [at], and_all_of_it=True):
        yield _of_squares(found, fitted[0])
    if fitted := found.fitted(gradient, [np.sign(at)], and_all_of_it=True):
        size, how = f"{abs(fitted[0]):.4g}", "is missing" if fitted[0] > 0 else "is too much"
        yield f"{size} * np.sign({name}) {how}, the slope of a penalty {size} * np.sum(np.abs({name}))"
    if fitted := found.fitted(gradient, [at, np.sign(at)], and_all_of_it=True):
        yield f"the penalty is a different one: it lacks {fitted[0]:.4g} * {name} + {fitted[1]:.4g} * np.sign({name})"


def _of_squares(found: Slopes, missing: float) -> str:
    """What is said of a gradient that lacks a multiple of its parameter, or has one too much."""
    name, all_of_it = found.name, found.own.penalty(found.name)
    part = f"{abs(missing):.4g} * {name}"
    if all_of_it is None:
        how = "was left out, or is too small" if missing > 0 else "is too large, or is not in the loss"
        return f"{part} {'is missing' if missing > 0 else 'is too much'}, perhaps from a penalty that {how}"
    share = 1 - missing / all_of_it
    for known, words in SHARES.items():
        if abs(share - known) < 1e-3:
            return f"the penalty {words} {all_of_it:.4g} * {name}" if known else f"the penalty {words}: {part}"
    return f"the penalty should be {all_of_it:.4g} * {name}, and is {plain(share)} times that"


def _two(found: Slopes, gradient: Array) -> Iterator[str]:
    """A factor, and a multiple of the parameter."""
    factor, missing = found.fitted(gradient, [gradient, found.at]) or (1.0, 0.0)
    shares = abs(factor) * np.max(np.abs(gradient)), abs(missing) * np.max(np.abs(found.at))
    if missing > 0 and _same(-factor, missing):
        rate, name = f"{1 / missing:.4g}", found.name
        yield f"these are the numbers of {name} after a step of rate {rate}, and not of its gradient"
    elif abs(factor - 1) > NEARLY and min(shares) > NEARLY * found.largest:
        sign = "-+"[missing > 0]
        yield (
            f"`{factor:.4g} * d{found.name} {sign} {abs(missing):.4g} * {found.name}` would be right: both a factor "
            "and a penalty are wrong, or a factor of one of them"
        )


def _cells(found: Slopes, gradient: Array) -> Iterator[str]:
    """What can be seen in the numbers, where each has been measured."""
    slopes = found.slopes
    if found.directions or not np.all(found.doubt <= 1e-4 * np.max(np.abs(slopes))):
        return
    right, name = slopes.reshape(gradient.shape), found.name
    allowed = (found.allowed(gradient) / 4).reshape(gradient.shape)
    if gradient.size > 1 and np.ptp(gradient) == 0:
        for how, number in (("sum", np.sum(right)), ("mean", np.mean(right))):
            if abs(gradient.flat[0] - number) <= 4 * np.sum(allowed):
                yield f"every number is the {how} of all that should be there: an axis is missing"
    if found.at.size > 1 and _is_multiple(gradient, found.at):
        yield f"these are the numbers of {name} itself, or a multiple of them, and not of its gradient"
    yours, mine, near = map(np.atleast_2d, (gradient, right, allowed))  # a flat bias is a row
    compared = Compared(name, yours, mine, near, cast(Trace, None))
    for look in NUMBERS_ALONE:
        for pattern in look(compared):
            yield f"{pattern.sentence[0].lower()}{pattern.sentence[1:].rstrip('.')}"
    if gradient.ndim == 2 and min(gradient.shape) > 1 and _rank_one(gradient, 1e-9) and not _rank_one(right, 1e-3):
        yield (
            "its rows are multiples of one another, and should not be: that happens with one sample alone, or with one "
            "output whose gradient has gone through no mask or slope"
        )


def _is_multiple(one: Array, other: Array) -> bool:
    factor = np.vdot(other, one) / np.vdot(other, other)
    return bool(factor) and np.allclose(one, factor * other, 1e-9, 0)


def _rank_one(matrix: Array, tolerance: float) -> bool:
    sizes = np.linalg.svd(matrix, compute_uv=False)
    return bool(sizes[1] <= tolerance * sizes[0])


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= EXACT * abs(other)
