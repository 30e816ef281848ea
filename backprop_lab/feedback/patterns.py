"""What can be seen in the numbers of a wrong answer that no known mistake gives: a factor, another value, a power.

Each pattern is a sentence that is true of every number of the answer, within rounding; it names no cause. What is true
of many answers, such as that some numbers differ, is not a pattern.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, permutations, product
from typing import Any

import numpy as np

from backprop_lab.feedback.compared import EXACT, SLACK, Compared, Pattern, near
from backprop_lab.feedback.factors import common_factors
from backprop_lab.feedback.places import lines, of_a_sample, places, sides, signs, zeros
from backprop_lab.nn.arrays import FLOATS
from backprop_lab.nn.layers import Array
from backprop_lab.step.number_format import plain
from backprop_lab.step.trace import Trace

NOTICEABLE = 1e-6  # relative to the largest number: what is added to each is no rounding
REDUCTIONS: dict[str, Callable[..., Any]] = {"sum": np.sum, "mean": np.mean, "largest": np.max}
LARGE = 10_000  # numbers, beyond which nobody waits for a comparison with everything


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
            looks = [_cut_off, _of_few_numbers, _factors, _of_another_beta]
            if right.size <= LARGE:
                looks += [] if by_chance else [_of_another_value, _combined, _of_two_gradients]
                looks += [of_a_sample, signs, places, sides, zeros, _powers, lines]
        for look in looks:
            yield from look(seen)


def _of_few_numbers(seen: Compared) -> Iterator[Pattern]:
    answer = seen.answer
    if not answer.any():
        of = seen.trace.owner(seen.name) if seen.trace.role(seen.name) == "gradient" else ""
        said = f", as if the loss did not depend on {of}, and it does." if of and of != seen.name else "."
        yield Pattern("zeros", f"{'All your numbers are' if answer.size > 1 else 'Yours is'} 0{said}")
    elif (np.abs(answer) <= SLACK * seen.allowed).all():
        yield Pattern("zeros", "All your numbers are 0, except for rounding.")
    elif answer.size > 1:
        if ((answer == 0) | (answer == 1)).all() and not (answer == 1).all():
            yield Pattern("mask", "Your numbers are only 0s and 1s: like a mask, they say where, but not how much.")
        if (answer == np.max(answer)).all():
            yield Pattern("constant", f"All your numbers are the same, {plain(answer.flat[0])}.")


def _cut_off(seen: Compared) -> Iterator[Pattern]:
    """What is right but for numbers that are no larger than some edge."""
    answer, right = seen.answer, seen.right
    wrong, edge = ~seen.cells(right), np.max(np.abs(answer))
    is_cut = edge > 0 and np.array_equal(answer[wrong], np.clip(right, -edge, edge)[wrong])
    if is_cut and 1 < np.sum(wrong) < answer.size:
        cut = f"{np.sum(wrong)} that are cut off at {plain(edge)}"
        yield Pattern("cut off", f"The numbers are right except {cut}, as by np.clip.")


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
    in_words["with the other sign"] = "Your step goes the other way." if old else f"{it} minus {as_right}."
    factor = np.vdot(right, answer) / np.vdot(right, right)
    rate = factor.real * float(trace["lr"]) if old else 0.0
    is_round = f"{rate:.9e}".startswith("1.000000000e-") and seen.is_times(factor)
    for times, common in common_factors(trace).items():
        is_told = common != 1 and (times in in_words or not is_round)  # a rate of 0.1 may be 10 times the right one
        if is_told and one.is_times(common) and seen.is_times(common):
            yield Pattern(
                times, in_words.get(times, f"{it} off by a factor: {'the right one' if old else as_right}, {times}.")
            )
            is_round = False
    if is_round:
        yield Pattern("another rate", f"{it} that of a rate of {plain(rate)}, and here lr is {plain(trace['lr'])}.")
    yield from _in_another_step(seen, factor)
    is_telling = np.count_nonzero(right) > 1 or is_whole(factor.real) or is_whole(1 / factor.real)
    if is_telling and seen.is_times(factor) and plain(factor) not in ("1", "−1"):  # of one number, not any factor
        if old and factor.real < 0:
            it, factor = "Your step goes the other way,", -factor
        yield Pattern("proportional", f"{it} {plain(factor)} times {as_right}.")


def is_whole(factor: float) -> bool:
    return 1 < abs(factor) < np.inf and abs(factor - round(factor)) < EXACT * abs(factor)


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


def _of_another_beta(seen: Compared) -> Iterator[Pattern]:
    """A line of the update with another number for a beta, of which what is remembered has a share."""
    trace, optimizer, step = seen.trace, vars(seen.trace.problem.optimizer), seen.trace.step(seen.name)
    betas = [name for name in optimizer if name.startswith("beta") and f"{{{name}}}" in step.template]
    for name in betas if step.role == "new" else ():
        lines = (step.template.format_map({**step.names, name: number}) for number in ("0.0", "1.0"))
        without, whole = (np.asarray(trace.evaluate(line)) for line in lines)
        if (share := whole - without).any() and share.size > 1:
            beta = np.vdot(share, seen.answer - without).real / np.vdot(share, share).real
            if 0 < beta < 1 and near(seen.answer, without + beta * share, seen.allowed).all():
                words = f"This is what a {name} of {plain(beta)} gives, and here {name} is {plain(optimizer[name])}."
                yield Pattern("another beta", words)


def _of_another_value(seen: Compared) -> Iterator[Pattern]:
    """The numbers of something else in this step, as they are, transposed, or times a common factor."""
    for name, value in _others(seen):
        turned = [] if np.array_equal(value, value.T) else [(" transposed", value.T)]
        for transposed, changed in (("", value), *turned):
            for times in _multiples(seen, changed):
                how = " and".join(filter(None, [transposed, f" {times}" if times else ""]))
                these = "These are the numbers of" if value.size > 1 else "This is"
                yield Pattern(f"{name}{how}", f"{these} {name}{',' if how else ''}{how}.")


def _of_two_gradients(seen: Compared) -> Iterator[Pattern]:
    """The sum of two gradients, one of them that of another value, where what comes along several paths is added up."""
    step = seen.trace.step(seen.name)
    alike = [name for name, value in _others(seen) if seen.trace.role(name) == "gradient"]
    alike = [name for name in alike if np.shape(seen.trace[name]) == seen.right.shape] if " + " in step.code else []
    for one, two in combinations(alike, 2):
        if step.role == "gradient" and near(seen.answer, seen.trace[one] + seen.trace[two], 0).all():
            yield Pattern(f"{one} + {two}", f"These are the numbers of {one} + {two}.")


def _multiples(seen: Compared, value: Array) -> list[str]:
    """In words, each common factor times which the answer is a value; "" where it is that as it is."""
    fitting = {"": 1.0} | common_factors(seen.trace) if value.shape == seen.answer.shape else {}
    return [times for times, factor in fitting.items() if near(seen.answer, factor * value, 0).all()]


def _others(seen: Compared) -> Iterator[tuple[str, Array]]:
    """Every other value of the step that has something in it, by name."""
    for name, value in seen.trace.items():
        value = np.asarray(value)
        if name != seen.name and value.dtype.kind in FLOATS and value.any():
            yield name, value


def _powers(seen: Compared) -> Iterator[Pattern]:
    """A square, a root or the size of each number; or each with something added."""
    answer, right = seen.answer, seen.right
    it = "Every number is" if answer.size > 1 else "Yours is"
    powers = {"the square of": right * right, "the square root of": np.sqrt(right), "the size of": np.abs(right)}
    for key, power in powers.items():
        if near(answer, power, 0).all():
            yield Pattern(key, f"{it} {key} what it should be.")
    more = answer - right
    first = more.flat[0]
    is_large, is_even = abs(first) > NOTICEABLE * np.max(np.abs(right)), near(more, first, seen.allowed).all()
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
        combined = {
            f"plus {name}": right + value,
            f"less {name}": right - value,
            f"times {name}, number by number": right * value,
            f"times {name}, number by number, and with the other sign": -right * value,
            f"divided by {name}, number by number": right / value,
        }
        for how, expected in combined.items():
            if np.isfinite(expected).all() and near(answer, expected, seen.allowed).all():
                yield Pattern(how, f"Yours is what it should be {how}.")


def _of_another_shape(seen: Compared) -> Iterator[Pattern]:
    """The right numbers added up or not added up, transposed or picked; or every number times every other."""
    answer, right = seen.answer, seen.right
    if answer.ndim == 1 < answer.size < right.size and np.array_equal(answer, right[right != 0]):
        yield Pattern("picked", "These are only its numbers that are not 0: picking cells loses the shape.")
    operands = [np.asarray(seen.trace[each]) for each in seen.trace.step(seen.name).operands]
    for one, other in permutations([each for each in operands if each.ndim == 2], 2):
        if answer.shape == (one.size, other.size) and near(answer, np.outer(one, other), 0).all():
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


# What these see, they see with no step around.
NUMBERS_ALONE = (_cut_off, _of_few_numbers, places, signs, zeros, _powers, lines)
