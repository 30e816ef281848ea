"""A learner's own backward pass as text, in their own names: each line judged by itself.

How the arrays are laid out, and what doubtful names mean, is found out by trying: where the fewest lines are wrong.
"""

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from backprop_lab.feedback.answers import a_kind
from backprop_lab.feedback.check import Feedback, check_function
from backprop_lab.homework.backward_pass import MASKS, Pass
from backprop_lab.homework.blame import best_pass, explains_more, gives_something_else, speak_for_columns
from backprop_lab.homework.found import SAME, Found, turned
from backprop_lab.homework.layout import Layout
from backprop_lab.homework.names import Names
from backprop_lab.homework.own_names import check_names, places
from backprop_lab.homework.resemblance import times
from backprop_lab.homework.sharing import with_other_names
from backprop_lab.homework.statements import check_biases
from backprop_lab.homework.text import statements_in
from backprop_lab.homework.trials import layouts, one_after_the_other, others, with_gradients
from backprop_lab.homework.words import (
    another_rate,
    flat_in,
    in_their_words,
    line_of_a_count,
    numbers_in,
    only_a_difference,
    own_number,
    parts_of,
    read_in,
    typed,
)
from backprop_lab.nn.arrays import cell, first_true
from backprop_lab.step.number_format import listed, plain, so_many_differ, told_apart
from backprop_lab.step.problem import Problem, check_problem
from backprop_lab.step.program import Program
from backprop_lab.step.trace import Trace, trace

PUT = re.compile(r"(?:`([^`]+)`|(\w+(?:(?:, | and )\w+)*)) (?:used (?:where|in place of)|in place of)")
COMPARES = re.compile("[<>]|where|maximum|minimum|clip|abs|sign")
TURNED_SUM = re.compile(r"(`(\w+)\.T\.(sum|mean)\(axis=0[^`]*`): `\2\.T` used where \2 itself was meant")
FAR = 3  # that more wrong lines than in another layout are not explained: it is not the one that is meant
NOTHING = "no line gives a gradient of this problem: it is seen by its name, as in `dW1 = X.T @ dZ1`"


@dataclass(frozen=True)
class Line:
    """What is found of one value that a learner's lines give: the numbers of these `lines`, and their `text`.

    `of` is the gradient, the new parameter or the value that it is, or is meant to be; `ok` is True, False, or None
    where it cannot be told, and `sentence` says it.
    """

    lines: tuple[int, ...]
    text: str
    of: str
    ok: bool | None
    sentence: str

    def __str__(self) -> str:
        which = f"line{'s' * (len(self.lines) > 1)} {', '.join(map(str, self.lines))}"
        return f"{which}, `{self.text}`: {self.sentence}"


@dataclass(frozen=True, repr=False)
class CheckedLines:
    """What `check_lines` found, in order; lines that give no value of the step, such as a mask, are left out.

    `ok` is True if all are right, False if one is wrong, and None if one cannot be told, or there are none. `missing`
    are the gradients of parameters, and their updates, for which there is none, where there is one for another.
    """

    lines: tuple[Line, ...]
    missing: tuple[str, ...] = ()

    @property
    def ok(self) -> bool | None:
        each = [line.ok for line in self.lines]
        return False if False in each else True if each and None not in each else None

    def __bool__(self) -> bool:
        return self.ok is True

    @property
    def first_wrong(self) -> Line | None:
        """The first line that is wrong by itself, or None."""
        return next((line for line in self.lines if line.ok is False), None)

    def __repr__(self) -> str:
        missing = [f"no line was found for {listed(self.missing)}"] if self.missing else []
        return "\n".join([*map(str, self.lines), *missing]) or NOTHING


def check_lines(text: str, problem: Problem, names: Mapping[str, Any] | None = None) -> CheckedLines:
    """Whether a backward pass of your own, as text, is right: the first line that is wrong, and its mistake.

    `problem` is what it belongs to: a network of layers, or a `program`, with its names. `text` has lines such as
    `dW1 = X.T @ dZ1 / m`, in your own names: what they stand for is known where they are usual ones, such as `A1`, `h1`
    or `delta2`, and where a forward line gives them; else say it, as in `{"q": "H1"}`, or give a number, a function or
    an array of your own. Samples may be columns, W may have a row for each output, biases may be flat, y may be labels,
    1/m may stand in any line, and dH1 may have the slope of H1 in it, as dY1 has. Each line is run on right values of
    the lines before it, so those after a wrong one are not blamed for it. Lines that change one value in place are
    judged together. Only plain lines are run, in your own kernel, on copies, and functions that the text itself has,
    such as the slope of a sigmoid; a loop over layers, or over what is written out, `for p, g in [(W1, dW1), ...]`, is
    taken turn by turn, and so is one over steps of time, where `names` says what its lists, or dictionaries, have in
    them, `{"hs": ["h0", "h1", "h2"]}`; of a training loop it is one turn. Raises ValueError for what is none, such as
    any other loop, and as `trace` does.
    """
    check_problem(problem)
    if not isinstance(text, str):
        raise ValueError(f"the lines are text, in quotes; got {a_kind(text)}")
    if not isinstance(names, Mapping | None):
        raise ValueError(f"names is a dictionary, such as {{'q': 'H1'}}; got {a_kind(names)}")
    own = dict(names or {})
    given = trace(problem)
    check_names(own, given)
    lists = {name: held for name, value in own.items() if (held := places(name, value))}
    own |= lists
    checked = partial(_checked, text, given, own, lists)
    found = checked(by_name=bool(lists))
    if lists and not found.ok:
        found = checked(by_name=False, only_if_right=True) or found
    return found


def _checked(
    text: str,
    given: Trace,
    own: Mapping[str, Any],
    lists: Mapping[str, list[str]],
    by_name: bool,
    only_if_right: bool = False,
) -> CheckedLines:
    """What is found of the lines; nothing if not all is right, and only that is asked.

    With `by_name`, di is the gradient of `i[t]` in each turn of a loop over time, as dh is that of `h[t]`.
    """
    usual_names = Names(given, Layout(), own)
    statements = with_other_names(statements_in(text, usual_names.last, lists, by_name), usual_names)
    given = with_gradients(given, own, statements)
    problem = given.problem
    counts = {name for each in statements for name in each.reads if usual_names.of(name) == "step"}
    says_step = not counts or any(each.name in counts for each in statements) or not counts.isdisjoint(own)
    traces = [given, *others(problem, keeps_step=says_step)]

    def guessed(found: Pass, traces: list[Trace]) -> Pass:
        layout = found.names[0].layout
        for more in ({"updates": True}, {"guesses": True}):
            if found.cost[0] > 1 or (found.cost[0] and 0.0 in found.blamed.values()):
                guess = best_pass(statements, traces, layout, own, **more)
                found = min(guess, found, key=lambda each: each.cost)
        return found

    best = usual = None
    ways = layouts(given, statements, one_after_the_other(given, statements))
    if only_if_right:
        ways = (way for way in ways if Pass(statements, [Names(t, way, own) for t in traces]).cost == (0, 0))
    for layout in ways:
        most = best.cost[0] + FAR if best else math.inf
        tried = best_pass(statements, traces, layout, own, most=most)
        is_updated = any(each.of == f"{name}_new" for each in tried.found for name in problem.parameters)
        if (layout.columns and not speak_for_columns(tried, usual)) or (layout.velocity and not is_updated):
            continue
        usual = tried
        best = tried if best is None or explains_more(tried, best) else best
        if best.cost == (0, 0):
            break
    if best is None:
        return CheckedLines(())
    best = guessed(best, traces)
    if best.cost != (0, 0):
        check_biases(statements, problem)
    only_so, layout = dict[int, str](), best.names[0].layout
    for is_turned, usual_one, words in (
        (layout.columns, replace(layout, columns=False), ", with samples as columns"),
        (layout.rows_of_outputs, replace(layout, rows_of_outputs=False), ", with weights as (outputs, inputs)"),
    ):
        if is_turned:
            usual = best_pass(statements, traces, usual_one, own)
            if isinstance(problem, Program) or usual.cost[0] - best.cost[0] <= 1:  # one line alone speaks for it
                only_so |= dict.fromkeys(best.right - usual.right, words)
    judged = {each.lines[-1]: (each, best) for each in best.found}
    wrong = {each.lines[-1] for each in best.found if each.ok is False and each.mistaken == 1}  # by more than a factor
    if isinstance(problem, Program) and wrong:
        on_theirs = [given, *others(problem, keeps_data=True)]
        with_theirs = guessed(best_pass(statements, on_theirs, layout, own), on_theirs)
        is_another = any(each.ok and each.lines[-1] in wrong for each in with_theirs.found)  # then others may be wrong
        for each in with_theirs.found:
            is_so = each.lines[-1] in wrong and (each.ok or each.mistaken != 1)
            if is_so or (is_another and each.ok is False):
                judged[each.lines[-1]] = each, with_theirs
            if is_so:
                only_so[each.lines[-1]] = ", with data as yours"
    shown = typed(text, best.statements)
    return CheckedLines(tuple(_told(*each, only_so, shown) for each in judged.values()), _missing(best, given))


def _missing(best: Pass, given: Trace) -> tuple[str, ...]:
    """The gradients of parameters for which there is no line, and the updates, where there is one for another."""
    found = {each.of for each in best.found}
    of = {step.name: step.of for step in given.steps if step.of in given.problem.parameters}
    there = {of[name] for name in found.intersection(of)}
    new = {name for name in found if given.role(name) == "new"}
    is_some = there or (gives_something_else(best) and any(given.role(name) == "gradient" for name in found))
    gradients = [name for name in of if is_some and of[name] not in there and given.role(name) == "gradient"]
    updates = [name for name in of if new and given.role(name) == "new" and name not in new]
    return (*gradients, *(name for name in updates if f"d{of[name]}" in found))


def _told(found: Found, best: Pass, only_so: Mapping[int, str], shown: Sequence[str]) -> Line:
    """What is said of a value that lines have given; of one in doubt, that it is right only in this layout."""
    numbers, text = tuple(best.statements[at].line for at in found.lines), "; ".join(shown[at] for at in found.lines)
    if found.ok is None:
        return Line(numbers, text, found.of, None, f"cannot be told: {found.note}")
    if not found.ok and (sentence := _wrong(found, best)):
        if (at := line_of_a_count(found, best)) is not None:
            numbers, text = (best.statements[at].line,), shown[at]
        is_open = re.search("should be|a number of its own", sentence)  # no mistake is named
        elsewhere = parts_of(found, best) if is_open else ""
        return Line(numbers, text, found.of, False, f"wrong: {sentence}{elsewhere}")
    times_it = f", times {plain(found.factor)}" if found.factor not in (None, 1.0) else ""
    right = f"right{', but transposed' if found.is_turned else ''}: {found.of}{times_it}"
    return Line(numbers, text, found.of, True, right + only_so.get(found.lines[-1], ""))


def _wrong(found: Found, best: Pass) -> str:
    """What is wrong with a line: what it stops with, its factor, or what its numbers look like; "" if nothing is."""
    if found.note:
        is_spread = "non-broadcastable" in found.note
        return (flat_in(found, best, best.names[0].right(found.of).shape) if is_spread else "") or found.note
    if found.is_turned:
        mine, ours = np.shape(found.values[0]), best.names[0].right(found.of).shape
        shapes = f": its shape is {mine}, and should be {ours}" * (mine != ours)
        return f"{found.name} is transposed, and the update takes it as it is{shapes}"
    traces = [names.trace for names in best.names]
    if found.mistaken != 1:
        numbers = numbers_in(found, best)
        more = own_number(found, best, numbers) or only_a_difference(found, best)
        return f"{found.name} is {times(found.mistaken, numbers)}{more}"
    if rate := another_rate(found, best):
        return rate

    def answer(**known: Any) -> Any:
        at = next(
            at for at, t in enumerate(traces) if all(np.array_equal(t[n], known[n]) for n in t.problem.parameters)
        )
        return _again(best, at, found, known)

    feedback = check_function(found.of, answer, traces)
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
    if feedback.cause[:1] == ("value",) or not sentence:
        right = right.reshape(value.shape) if right.size == value.size else right
        wrong = np.abs(value - right) > SAME * np.max(np.abs(right))
        if not wrong.any():
            cut = ", of which np.clip cuts some off" * any("clip(" in best.statements[at].text for at in found.lines)
            return f"{found.name} is right with these numbers, but not with others{cut}"
        where = first_true(wrong)
        mine, yours = told_apart(right[where], value[where])
        count = f"; {so_many_differ(int(np.sum(wrong)), wrong.size)}" if wrong.size > 1 else ""
        return f"{cell(found.name, where)} should be {mine}, and is {yours}{count}"
    return in_their_words(sentence.rstrip("., "), found, best)


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

    def as_read(explanation: str) -> str:
        put = " ".join(each[1] or each[2] for each in PUT.finditer(explanation))
        if (MASKS.search(put) or "a mask that asks" in explanation) and not COMPARES.search(texts):
            return ""
        strange = {*re.findall(r"[^\W\d]\w*", put)} & {*traced} - has
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

    first, *others = str(feedback).split("; or like ")
    shown, opening, explanation = first.partition("This looks like ")
    said = [told for each in (explanation, *others) if (told := as_read(each))]
    if COMPARES.search(best.statements[found.lines[-1]].text):
        said = [each for each in said if "mask is missing" not in each] or said  # it may be as good as missing
    turned_sum = r"\1: a \3 along the other axis"
    said = [each if ".T" in texts else TURNED_SUM.sub(turned_sum, each) for each in said]
    return f"{shown}{opening}{'; or like '.join(said)}" if said or not opening else ""
