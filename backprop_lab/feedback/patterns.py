"""What can be seen in a wrong answer that no known mistake gives: a factor, signs, rows that changed places.

Each pattern is a sentence that is true of every number of the answer, within rounding; it names no cause. What is true
of many answers, such as that some numbers differ, is not a pattern.
"""

from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.feedback.mistakes import common_factors
from backprop_lab.nn.arrays import FLOATS
from backprop_lab.nn.layers import Array
from backprop_lab.step.number_format import listed, plain
from backprop_lab.step.trace import Trace

NEGLIGIBLE = 1e-11  # relative to a number: the same as far as anybody writes it down
EXACT = 1e-9  # relative to a number: no coincidence
SLACK = 4  # times the rounding of an answer, since what it is compared with has its own
NOTICEABLE = 1e-6  # relative to the largest number: what is added to each is no rounding
REDUCTIONS: dict[str, Callable[..., Any]] = {"sum": np.sum, "mean": np.mean, "largest": np.max}
LARGE = 10_000  # numbers, beyond which nobody waits for a comparison with everything


class Pattern(NamedTuple):
    """What is true of an answer: `key` says it in short, the same for every problem, and `sentence` in words."""

    key: str
    sentence: str


class Compared(NamedTuple):
    """An answer beside the right value of `name`, with how much each number of the right one may be off by rounding."""

    name: str
    answer: Array
    right: Array
    allowed: Array
    trace: Trace

    def same(self, expected: Array) -> bool:
        """Whether the answer is `expected`: the right value, or its numbers rearranged."""
        return self.answer.shape == expected.shape and bool(self.cells(expected).all())

    def cells(self, expected: Array) -> Array:
        """Which cells of the answer are those of `expected`."""
        allowed = self.allowed if expected.shape == self.allowed.shape else np.max(self.allowed)
        return _near(self.answer, expected, allowed, NEGLIGIBLE)

    def is_times(self, factor: Any) -> bool:
        """Whether the answer is the right value times a factor, or times one for each of its lines."""
        allowed = self.allowed + np.abs(factor) * self.allowed
        return bool(_near(self.answer, factor * self.right, allowed, NEGLIGIBLE).all())


def seen_in(name: str, answer: Array, right: Array, allowed: Array, trace: Trace) -> Iterator[Pattern]:
    """Every pattern in the answer for `name`, the most telling first. All numbers are finite."""
    seen = Compared(name, answer, right, allowed, trace)
    with np.errstate(all="ignore"):
        if name in trace.given or seen.same(right):  # or too near to be anything else
            return
        by_chance = np.array_equal(answer, np.round(answer.real))  # whole numbers may be those of something else
        if answer.shape != right.shape:
            looks = [_of_another_shape] if by_chance else [_of_another_value, _of_another_shape]
        else:
            looks = [_of_few_numbers, _factors]
            if right.size <= LARGE:
                looks += [] if by_chance else [_of_another_value, _combined]
                looks += [_of_a_sample, _signs, _places, _zeros, _powers, _by_lines]
        for look in looks:
            yield from look(seen)


def _of_few_numbers(seen: Compared) -> Iterator[Pattern]:
    answer = seen.answer
    if not answer.any():
        yield Pattern("zeros", "All your numbers are 0." if answer.size > 1 else "Yours is 0.")
    elif answer.size > 1:
        if ((answer == 0) | (answer == 1)).all() and not (answer == 1).all():
            yield Pattern("mask", "Your numbers are only 0 and 1: that says where, as a mask does, but not how much.")
        if (answer == np.max(answer)).all():
            yield Pattern("constant", f"All your numbers are the same, {plain(answer.flat[0])}.")


def _factors(seen: Compared) -> Iterator[Pattern]:
    """The right numbers, or the right step of an update, times one factor."""
    trace = seen.trace
    of = trace.owner(seen.name)
    old = of if trace.role(seen.name) == "new" and of in trace.problem.parameters else None
    it, as_right = "Every number is" if seen.answer.size > 1 else "Yours is", "what it should be"
    if old:
        it, as_right = "Your step is", "as long as it should be"
        seen = seen._replace(answer=seen.answer - trace[old], right=seen.right - trace[old])
    if not (right := seen.right).any() or not (answer := seen.answer).any():
        return
    at = np.unravel_index(np.argmax(np.abs(right)), right.shape)  # one cell rules out most factors
    one = seen._replace(answer=answer[at], right=right[at], allowed=seen.allowed[at])
    in_words = {"doubled": f"{it} twice {as_right}.", "halved": f"{it} half {as_right}."}
    if old:  # of p - dp / lr, in which it is divided once
        in_words["divided by the learning rate twice"] = f"{it} divided by the rate, and should be multiplied by it."
    in_words["with the other sign"] = "Your step goes the other way." if old else f"{it} right but for its sign."
    factor = np.vdot(right, answer) / np.vdot(right, right)
    rate = factor.real * float(trace["lr"]) if old else 0.0
    is_round = factor.real > 1 and f"{rate:.9e}".startswith("1.000000000e-") and seen.is_times(factor)
    for times, common in common_factors(trace).items():
        is_told = common != 1 and (times in in_words or not is_round)  # a rate of 0.1 may be 10 times the right one
        if is_told and one.is_times(common) and seen.is_times(common):
            yield Pattern(times, in_words.get(times, f"{it} {'the right one' if old else as_right}, {times}."))
            is_round = False
    if is_round:
        yield Pattern("another rate", f"{it} that of a rate of {plain(rate)}, and here lr is {plain(trace['lr'])}.")
    yield from _in_another_step(seen, factor)
    if np.count_nonzero(right) > 1 and seen.is_times(factor) and plain(factor) != "1":
        yield Pattern("proportional", f"{it} {plain(factor)} times {as_right}.")


def _in_another_step(seen: Compared, factor: float) -> Iterator[Pattern]:
    """A line that divides by 1 - beta**step, with another number for the step."""
    trace, optimizer = seen.trace, vars(seen.trace.problem.optimizer)
    if "step" not in trace.step(seen.name).operands or not factor > 0:
        return
    for beta in (float(each) for name, each in optimizer.items() if name.startswith("beta") and each):
        left = 1 - (1 - beta ** float(trace["step"])) / factor
        count = np.log(left) / np.log(beta) if 0 < left < 1 else 0.5
        if abs(count - round(count)) < EXACT * 1e3 and seen.is_times(factor):
            words = f"This is what it would be in step {round(count)}, and this is step {int(trace['step'])}: steps"
            yield Pattern("another step", f"{words} are counted from 1, once for all parameters.")


def _of_another_value(seen: Compared) -> Iterator[Pattern]:
    """The numbers of something else in this step, as they are, transposed, or times a common factor."""
    for name, value in _others(seen):
        turned = [] if np.array_equal(value, value.T) else [(" transposed", value.T)]
        for transposed, changed in (("", value), *turned):
            for times in _multiples(seen, changed):
                how = " and".join(filter(None, [transposed, f" {times}" if times else ""]))
                these = "These are the numbers of" if value.size > 1 else "This is"
                yield Pattern(f"{name}{how}", f"{these} {name}{',' if how else ''}{how}.")


def _multiples(seen: Compared, value: Array) -> list[str]:
    """In words, each common factor times which the answer is a value; "" where it is that as it is."""
    fitting = {"": 1.0} | common_factors(seen.trace) if value.shape == seen.answer.shape else {}
    return [times for times, factor in fitting.items() if _near(seen.answer, factor * value, 0).all()]


def _others(seen: Compared) -> Iterator[tuple[str, Array]]:
    """Every other value of the step that has something in it, by name."""
    for name, value in seen.trace.items():
        value = np.asarray(value)
        if name != seen.name and value.dtype.kind in FLOATS and value.any():
            yield name, value


def _of_a_sample(seen: Compared) -> Iterator[Pattern]:
    """What a sum over the samples would be for one of them, or without one."""
    step, X = seen.trace.step(seen.name), seen.trace.problem.data.get("X")
    if X is None or X.ndim != 2:
        return
    samples = len(X)
    of_samples = [name for name in step.operands if np.shape(seen.trace[name])[:1] == (samples,)]
    if samples > 64 or not of_samples:
        return
    try:
        parts = [
            np.asarray(seen.trace.evaluate(step.code, **{name: seen.trace[name] * alone for name in of_samples}))
            for alone in np.eye(samples, dtype=bool)[:, :, None]
        ]
    except Exception:  # a line of your own may refuse such numbers
        return
    if any(part.shape != seen.right.shape for part in parts) or not np.allclose(sum(parts), seen.right):
        return
    shares = [(str(sample), part) for sample, part in enumerate(parts) if part.any()]  # of twins, nobody can tell which
    if alone := [sample for sample, part in shares if seen.same(part)]:
        yield Pattern("one sample", f"This is the part of sample {' or '.join(alone)} alone.")
    if samples > 2 and (missing := [sample for sample, part in shares if seen.same(seen.right - part)]):
        yield Pattern("a sample missing", f"Sample {' or '.join(missing)} is missing from it.")


def _signs(seen: Compared) -> Iterator[Pattern]:
    """The right sizes with some signs the other way round."""
    answer, right = seen.answer, seen.right
    is_complex = np.iscomplexobj(answer) or np.iscomplexobj(right)
    if answer.size == 1 or is_complex or not seen.same(np.copysign(right, answer)):
        return
    flipped = ~seen.cells(right)
    if (answer >= 0).all():
        yield Pattern("no signs", "Every number has the right size, but none of yours is negative.")
    for axis, line in ((0, "column"), (1, "row")):
        if answer.ndim == 2 and answer.shape[axis] > 1:
            whole = (flipped | (right == 0)).all(axis=axis) & flipped.any(axis=axis)
            if whole.any() and not whole.all() and not np.moveaxis(flipped, 1 - axis, 0)[~whole].any():
                where = _numbered(line, np.flatnonzero(whole))
                yield Pattern(f"signs of a {line}", f"The signs are the other way round in {where}; all else is right.")
    is_are = "the signs are" if flipped.sum() > 1 else "the sign is"
    yield Pattern("signs", f"All sizes are right, and {is_are} the other way round at {_cells(flipped)}.")


def _places(seen: Compared) -> Iterator[Pattern]:
    """The right numbers in other places."""
    answer, right = seen.answer, seen.right
    if answer.ndim != 2:
        return
    if seen.same(right.T):
        yield Pattern("transposed", f"This is {seen.name} transposed: rows and columns have changed places.")
    for axis, line in ((0, "row"), (1, "column")):
        yours, wanted = np.moveaxis(answer, axis, 0), np.moveaxis(right, axis, 0)
        near = _near(yours[:, None], wanted[None], np.moveaxis(seen.allowed, axis, 0))
        is_line: Array = np.asarray(near.all(axis=2))  # [yours, wanted]
        if len(is_line) < 2 or not is_line.any(axis=1).all():
            continue
        moved, first = np.flatnonzero(~np.diag(is_line)), is_line.argmax(axis=1)
        if len(moved) == 2 and is_line[moved, moved[::-1]].all():
            yield Pattern(f"{line}s swapped", f"{line.capitalize()}s {moved[0]} and {moved[1]} are swapped.")
        elif len(moved) and len(set(first)) == len(first):
            yield Pattern(f"{line}s moved", f"The {line}s are right, but in another order.")
        elif len(moved) and len(set(first)) == 1:
            yield Pattern(f"{line} repeated", f"Each of your {line}s is {line} {first[0]} of what it should be.")


def _zeros(seen: Compared) -> Iterator[Pattern]:
    """Right numbers, and others that became 0, or should have."""
    answer, right = seen.answer, seen.right
    agrees = seen.cells(right)
    if np.iscomplexobj(answer) or not (agrees & (right != 0)).any():
        return
    empty = ~agrees & (answer == 0)
    if empty.any() and (agrees | empty).all():
        for key, of in (("negative", right < 0), ("positive", right > 0)):
            if (empty == of & ~(agrees & (answer == 0))).all():
                yield Pattern(f"no {key}", f"The numbers that should be {key} are 0; all others are right.")
        yield Pattern("some zeros", f"All numbers are right but for {_cells(empty)}: 0 in yours, and should not be.")
    filled = ~agrees & (right == 0)
    if filled.any() and (agrees | filled).all():
        yield Pattern("no zeros", f"All numbers are right but for {_cells(filled)}: not 0 in yours, and should be.")


def _powers(seen: Compared) -> Iterator[Pattern]:
    """A square, a root or the size of each number; or each with something added."""
    answer, right = seen.answer, seen.right
    it = "Every number is" if answer.size > 1 else "Yours is"
    powers = {"the square of": right * right, "the square root of": np.sqrt(right), "the size of": np.abs(right)}
    for key, power in powers.items():
        if _near(answer, power, 0).all():
            yield Pattern(key, f"{it} {key} what it should be.")
    more = answer - right
    first = more.flat[0]
    is_large, is_even = abs(first) > NOTICEABLE * np.max(np.abs(right)), _near(more, first, seen.allowed).all()
    if answer.size > 1 and not np.iscomplexobj(more) and is_large and is_even:
        yield Pattern("moved", f"Every number is {plain(abs(first))} too {'large' if first > 0 else 'small'}.")


def _combined(seen: Compared) -> Iterator[Pattern]:
    """The right numbers combined, one by one, with those of another value."""
    answer, right = seen.answer, seen.right
    for name, value in _others(seen):
        fits = all(a in (1, b) for a, b in zip(value.shape, right.shape, strict=False))
        says_where = np.isin(value, (0, 1)).all()  # as a mask does, and what is 0 in it is told as zeros
        if not fits or says_where or not value.ndim == right.ndim == 2:
            continue
        combinations = {
            f"plus {name}": right + value,
            f"less {name}": right - value,
            f"times {name}, number by number": right * value,
            f"times {name}, number by number, and with the other sign": -right * value,
            f"divided by {name}, number by number": right / value,
        }
        for how, expected in combinations.items():
            if np.isfinite(expected).all() and _near(answer, expected, seen.allowed).all():
                yield Pattern(how, f"Yours is what it should be, {how}.")


def _by_lines(seen: Compared) -> Iterator[Pattern]:
    """All rows or columns the same, or right, or right times a number of their own."""
    answer, right = seen.answer, seen.right
    if answer.ndim != 2 or 1 in answer.shape:
        return
    for axis, line in ((1, "row"), (0, "column")):
        if np.ptp(answer, axis=1 - axis).max() == 0:
            yield Pattern(f"equal {line}s", f"All your {line}s are the same.")
        agrees = seen.cells(right)
        whole: Array = np.asarray(agrees.all(axis=axis) & right.any(axis=axis))
        if whole.any() and not np.moveaxis(agrees, 1 - axis, 0)[~whole].any():
            is_are = "is" if whole.sum() == 1 else "are"
            yield Pattern(f"right {line}s", f"Only {_numbered(line, np.flatnonzero(whole))} {is_are} right.")
        if (np.count_nonzero(right, axis=axis) < 2).any() or np.iscomplexobj(answer):
            continue
        factor = np.sum(right * answer, axis=axis, keepdims=True) / np.sum(right * right, axis=axis, keepdims=True)
        each = [plain(number) for number in factor.flat]
        if seen.is_times(factor) and np.all(factor) and len({*each}) > 1:
            words = f"Each {line} is what it should be, times a number of its own: {', '.join(each[:4])}"
            yield Pattern(f"a factor for each {line}", words + (", ...." if len(each) > 4 else "."))


def _of_another_shape(seen: Compared) -> Iterator[Pattern]:
    """The right numbers added up or not added up, transposed or picked; or every number times every other."""
    answer, right = seen.answer, seen.right
    if answer.ndim == 1 < answer.size < right.size and np.array_equal(answer, right[right != 0]):
        yield Pattern("picked", "These are some of its numbers, all that are not 0: picking cells loses the shape.")
    operands = [np.asarray(seen.trace[each]) for each in seen.trace.step(seen.name).operands]
    for one, other in permutations([each for each in operands if each.ndim == 2], 2):
        if answer.shape == (one.size, other.size) and _near(answer, np.outer(one, other), 0).all():
            yield Pattern("outer", "It is every number times every other, as np.outer gives: `@` adds up over samples.")
    if answer.shape == right.T.shape and right.ndim == 2 and seen.same(right.T):
        yield Pattern("transposed", f"It is {seen.name} transposed.")
    axes = {"rows": 0, "columns": 1, "numbers": None} if right.ndim == 2 else {"numbers": None}
    reductions = [
        (f", {times}" * bool(times), what, along)
        for (along, axis), (what, how), keep in product(axes.items(), REDUCTIONS.items(), (True, False))
        for times in _multiples(seen, np.asarray(how(right, axis=axis, keepdims=keep)))
    ]
    for also, what, along in sorted(reductions, key=lambda each: bool(each[0])) if answer.size < right.size else ():
        yield Pattern(f"{what} of {along}{also}", f"It is the {what} of the {along} that it should have{also}.")


def _near(one: Array, other: Array, allowed: Any, relative: float = EXACT) -> Array:
    """Which numbers are the same as far as anybody writes them down, or can compute them."""
    return np.asarray(np.abs(one - other) <= relative * np.abs(other) + SLACK * allowed)


def _cells(where: Array) -> str:
    """Cells in words: the only one, or how many and the first."""
    first, *others = np.argwhere(where).tolist()
    return f"{len(others) + 1} of them, the first at {first}" if others else f"{first}"


def _numbered(line: str, at: Array) -> str:
    return f"{line}{'s' * (len(at) > 1)} {listed([*map(str, at)])}"
