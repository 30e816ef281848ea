"""What is said of a line that is wrong: what it stops with, its factor, or what its numbers look like."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from backprop_lab.feedback.check import Feedback, check_function
from backprop_lab.homework.backward_pass import MASKS, Pass
from backprop_lab.homework.found import SAME, Found, may_be_off, turned
from backprop_lab.homework.names import Names
from backprop_lab.homework.resemblance import times
from backprop_lab.homework.words import (
    another_rate,
    flat_in,
    in_their_words,
    numbers_in,
    only_a_difference,
    own_number,
    read_in,
    whole_columns,
)
from backprop_lab.nn.arrays import cell, first_true
from backprop_lab.step.number_format import so_many_differ, told_apart

PUT = re.compile(r"(?:`([^`]+)`|(\w+(?:(?:, | and )\w+)*)) (?:used (?:where|in place of)|in place of)")
COMPARES = re.compile("[<>]|where|maximum|minimum|clip|abs|sign")
TURNED_SUM = re.compile(r"(`(\w+)\.T\.(sum|mean)\(axis=0[^`]*`): `\2\.T` used where \2 itself was meant")
LOOKS_LIKE = "This looks like "
FURTHER_UP = "It would follow from a slip further up: "
FAR_STEP = 2.0**40  # a learning rate at which a step has all digits of its gradient


def wrong(found: Found, best: Pass) -> str:
    """What is wrong with a line: what it stops with, its factor, or what its numbers look like; "" if nothing is."""
    if found.note:
        is_spread = "non-broadcastable" in found.note
        return (flat_in(found, best, best.names[0].right(found.of).shape) if is_spread else "") or found.note
    if found.is_turned:
        mine, ours = np.shape(found.values[0]), best.names[0].right(found.of).shape
        shapes = f": its shape is {mine}, and should be {ours}" * (mine != ours)
        return f"{found.name} is transposed, and the update takes it as it is{shapes}"
    if found.mistaken != 1:
        numbers = numbers_in(found, best)
        more = own_number(found, best, numbers) or only_a_difference(found, best)
        return f"{found.name} is {times(found.mistaken, numbers)}{more}"
    if rate := another_rate(found, best):
        return rate

    feedback, traces = _feedback(found, best), [names.trace for names in best.names]
    value, names = np.asarray(found.values[0]), best.names[0]
    largest = max(np.max(np.abs(traces[0][each])) for each in names.all_gradients())
    if feedback or (feedback.cause == ("only-rounding",) and np.max(np.abs(value)) <= SAME * largest):
        return ""
    right, sentence = found.entering * names.right(found.of, found.has_its_slope), ""
    if not found.has_its_slope and names.layout.scale(traces[0], found.of) == 1:  # else no line of ours is like it
        sentence = _as_written(feedback, found, best)
    if feedback.cause[:1] == ("shape",):
        if flat := flat_in(found, best, right.shape):
            return flat
        shapes = f"{found.name} has shape {value.shape}, and should have {right.shape}."
        return in_their_words(f"{shapes} {sentence.partition('. ')[2]}".strip(), found, best)
    if not sentence or feedback.cause[:1] == ("value",) or whole_columns(found, best):
        right = right.reshape(value.shape) if right.size == value.size else right
        wrong = np.abs(value - right) > abs(found.entering) * may_be_off(names, found.of)
        if not wrong.any():
            cut = ", of which np.clip cuts some off" * any("clip(" in best.statements[at].text for at in found.lines)
            return f"{found.name} is right with these numbers, but not with others{cut}"
        where = first_true(wrong)
        mine, yours = told_apart(right[where], value[where])
        count = f"; {so_many_differ(int(np.sum(wrong)), wrong.size)}" if wrong.size > 1 else ""
        return f"{cell(found.name, where)} should be {mine}, and is {yours}{count}"
    return in_their_words(sentence.rstrip("., "), found, best)


def _feedback(found: Found, best: Pass) -> Feedback:
    """What is said of the numbers of a line: of a step along a wrong gradient, what that looks like."""
    traces, of = [names.trace for names in best.names], best.names[0].trace.owner(found.of)

    def answer(**known: Any) -> Any:
        at = next(
            at for at, t in enumerate(traces) if all(np.array_equal(t[n], known[n]) for n in t.problem.parameters)
        )
        return _again(best, at, found, known)

    def gradient(rate: float, **known: Any) -> Any:
        return (known[of] - answer(**known | {"lr": rate})) / rate

    feedback = check_function(found.of, answer, traces)
    is_plain = feedback.cause[:1] == ("value",) and traces[0].step(found.of).code == f"{of} - lr * d{of}"
    for rate in (FAR_STEP, float(traces[0]["lr"])) if is_plain else ():  # the second where the rate is none of ours
        of_gradient = check_function(f"d{of}", partial(gradient, rate), traces)
        if of_gradient.message.startswith((LOOKS_LIKE, FURTHER_UP)):
            message = of_gradient.message.replace(LOOKS_LIKE, f"{LOOKS_LIKE}a step along a wrong gradient, with ", 1)
            return replace(of_gradient, message=message)
    return feedback


def _again(best: Pass, at: int, found: Found, known: Mapping[str, Any]) -> Any:
    """What the same statements give where one of the problems has these values, as the package would have it."""
    names = best.names[at]
    there = Names(names.trace.showing(known), names.layout, names.own)
    run = Pass(best.statements[: found.lines[-1] + 1], [there], best.blamed, best.meant)
    value = np.asarray(run.raw.get(found.name, best.raw[found.name][at:])[0])
    right = np.asarray(names.trace[found.of])
    is_across = names.layout.is_across(names.trace, found.of)
    ways = [way for way in turned(value, right)[:: -1 if is_across else 1] if way is not None]
    times = found.entering * names.layout.scale(names.trace, found.of)
    return (ways[0] if ways else value.T if is_across else value) / times


def _as_written(feedback: Feedback, found: Found, best: Pass) -> str:
    """What is said of an answer: no explanation by a value, or a comparison, that the lines do not have.

    Another value that they have, and that gives the same there, stands in its place.
    """
    read, texts = read_in(found.lines, best)
    names, traced = best.names[0], best.names[0].trace
    has = {each for name in read for each in (names.of(name), names.gradient(name), name)} & {*traced}
    has |= {each.of for each in best.found if each.name in read and each.lines[-1] < found.lines[-1]}
    may_have = {*has}  # a gradient that is written out has all that it is made of
    for step in traced.steps:
        may_have |= {step.name} if step.role == "gradient" and may_have.issuperset(step.operands) else set()

    def as_read(explanation: str) -> str:
        put = " ".join(each[1] or each[2] for each in PUT.finditer(explanation))
        if (MASKS.search(put) or "a mask that asks" in explanation) and not COMPARES.search(texts):
            return ""
        strange = {*re.findall(r"[^\W\d]\w*", put)} & {*traced} - (has if "itself was" in explanation else may_have)
        line = re.search("`([^`]+)`", explanation)
        if not strange:
            return explanation
        if not line or len(strange) > 1:
            return ""
        gone = rf"\b{strange.pop()}\b"
        for other in sorted(has - {*re.findall(r"where (\w+) was meant", explanation)}):
            with suppress(Exception):  # it may have another shape
                if np.allclose(traced.evaluate(re.sub(gone, other, line[1])), traced.evaluate(line[1]), SAME, 0):
                    return re.sub(gone, other, explanation)
        return ""

    if str(feedback).startswith(FURTHER_UP):
        above = (told for each in str(feedback).removeprefix(FURTHER_UP).split("; or ") if (told := as_read(each)))
        return next((f"what it takes for {each}" for each in above), "")
    first, *others = str(feedback).split("; or like ")
    shown, opening, explanation = first.partition(LOOKS_LIKE)
    said = [told for each in (explanation, *others) if (told := as_read(each))]
    if COMPARES.search(best.statements[found.lines[-1]].text):
        said = [each for each in said if "mask is missing" not in each] or said  # it may be as good as missing
    turned_sum = r"\1: a \3 along the other axis"
    said = [each if ".T" in texts else TURNED_SUM.sub(turned_sum, each) for each in said]
    return f"{shown}{opening}{'; or like '.join(said)}" if said or not opening else ""
