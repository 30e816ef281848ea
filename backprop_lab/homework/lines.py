"""A learner's own backward pass as text, in their own names: each line judged by itself.

How the arrays are laid out, and what doubtful names mean, is found out by trying: where the fewest lines are wrong.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from backprop_lab.feedback.answers import a_kind
from backprop_lab.homework.backward_pass import Pass
from backprop_lab.homework.blame import best_pass, explains_more, gives_something_else, speak_for_columns
from backprop_lab.homework.found import Found
from backprop_lab.homework.layout import Layout
from backprop_lab.homework.names import Names
from backprop_lab.homework.own_names import check_names, places
from backprop_lab.homework.sharing import with_other_names
from backprop_lab.homework.statements import check_biases
from backprop_lab.homework.text import statements_in
from backprop_lab.homework.trials import layouts, one_after_the_other, others, with_gradients
from backprop_lab.homework.verdict import wrong
from backprop_lab.homework.words import (
    line_of_a_count,
    parts_of,
    typed,
)
from backprop_lab.step.number_format import listed, plain
from backprop_lab.step.problem import Problem, check_problem
from backprop_lab.step.program import Program
from backprop_lab.step.trace import Trace, trace

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
    if not found.ok and (sentence := wrong(found, best)):
        if (at := line_of_a_count(found, best)) is not None:
            numbers, text = (best.statements[at].line,), shown[at]
        is_open = re.search("should be|a number of its own|what it takes", sentence)  # no line is named
        elsewhere = parts_of(found, best) if is_open else ""
        return Line(numbers, text, found.of, False, f"wrong: {sentence}{elsewhere}")
    times_it = f", times {plain(found.factor)}" if found.factor not in (None, 1.0) else ""
    right = f"right{', but transposed' if found.is_turned else ''}: {found.of}{times_it}"
    return Line(numbers, text, found.of, True, right + only_so.get(found.lines[-1], ""))
