"""What is asked before a step is shown, and what becomes of the answer: each kind of question is one function."""

import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from backprop_lab.checks.proof import prove
from backprop_lab.checks.rounding import eps_of
from backprop_lab.feedback.mistakes import MISTAKES, Mistake
from backprop_lab.nn.optimizers import GradientDescent
from backprop_lab.nn.steps import Step
from backprop_lab.reading.explanations import explain
from backprop_lab.reading.one_cell import Cell, indexed, work_out
from backprop_lab.reading.slopes import in_rows, value_of
from backprop_lab.step.number_format import MINUS, SIGNS, as_printed, listed, plain, told_apart, typed_number
from backprop_lab.step.trace import Trace

ROUNDED = 4096  # roundings of a loss: what it changes by less may be nothing else
NOT_BY_CELL = re.compile(r"@|\[|\.m?T\b|sum|mean|dot|einsum|reshape|concat|stack|max\(|min\(|var\(|std\(")
WAYS = SIGNS | {"up": 1, "down": -1, "stays": 0, "rises": 1, "falls": -1}


class Question(NamedTuple):
    """What is asked: with `choices` for an answer and, where one can be typed too, what its `field` is called.

    `judge` gives whether an answer is right, and a sentence with the verdict; it raises ValueError where it is none.
    `why` is our reason; `cells` are framed.
    """

    title: str
    text: str
    choices: tuple[str, ...]
    field: str
    cells: tuple[Cell, ...]
    judge: Callable[[str], tuple[bool, str]]
    why: str


def asked_before(trace: Trace, step: Step, rng: np.random.Generator) -> Cell | None:
    """The cell to ask about before this step is shown; the first of its row for a ReLU, L for the loss to come.

    Nothing is asked where a number is nan, of which no answer would be right.
    """
    if step.phase == "update" and step is trace.steps[-1]:
        loss = trace.problem.loss_name
        told = math.isfinite(float(trace[loss])) and not math.isnan(float(trace.next_loss()))
        return (loss, 0, 0) if told else None
    is_relu = step.name in _relus(trace) and not step.title  # else something else has been planted in its place
    if (step.phase not in ("backward", "update") and not is_relu) or (step.phase == "update" and not step.of):
        return None
    value = value_of(trace, step.name)
    i, j = int(rng.integers(len(value))), 0 if is_relu else int(rng.integers(value.shape[1]))
    with np.errstate(invalid="ignore"):
        moved = value - value_of(trace, step.of) if step.phase == "update" else value
    asked = np.asarray(moved[i] if is_relu else moved[i, j], dtype=float)
    return None if np.isnan(asked).any() else (step.name, i, j)


def question(trace: Trace, cell: Cell, mistakes: Mapping[str, Mistake] = MISTAKES) -> Question:
    """The question about a cell that `asked_before` gave."""
    return _KINDS[trace.step(cell[0]).phase](trace, cell, mistakes)


def _zeros(trace: Trace, cell: Cell, _: Mapping[str, Mistake]) -> Question:
    """Which units of a ReLU will be 0, for one sample."""
    Y, i, _j = cell
    X = _relus(trace)[Y]
    row = value_of(trace, Y)[i]
    units = len(row)

    def judge(text: str) -> tuple[bool, str]:
        known = {"none": set[int](), "all": set(range(units))}
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        is_list = re.fullmatch(r"(units?\s+)?\d+(([\s,;&]+|,?\s+and\s+)\d+)*", text.lower())
        if text.lower() not in known and (not is_list or max(numbers) >= units):
            raise ValueError(
                f"type the numbers of units, from 0 to {units - 1}, such as 0, 1; or none, or all; got {text!r}"
            )
        zero = np.flatnonzero(row == 0).tolist()
        which = listed([*map(str, zero)])
        are = f"units {which} are 0" if len(zero) > 1 else f"unit {which} is 0" if zero else "every unit is on"
        right = known.get(text.lower(), set(numbers)) == set(zero)
        return right, f"{'Right' if right else 'Not quite'}: in row {i} of {Y}, {are}."

    numbers = f": {', '.join(plain(x, 3) for x in value_of(trace, X)[i])}" if units <= 8 else ""
    return Question(
        f"Predict row {i} of {Y}",
        f"The framed row {i} of {X} is about to go through the ReLU. Which units will output 0? (Units are numbered "
        "from 0.)",
        ("none", "all"),
        "or their numbers",
        tuple((X, i, j) for j in range(units)),
        judge,
        f"A ReLU passes positive numbers unchanged and turns everything else into 0. Here is row {i} of {X}{numbers}.",
    )


def _gradient(trace: Trace, cell: Cell, mistakes: Mapping[str, Mistake]) -> Question:
    """The sign or the value of a cell. A number is right within one percent, or as the board prints it."""
    name, i, j = cell
    value = float(value_of(trace, name)[i, j])
    worked = work_out(trace, cell)

    def judge(text: str) -> tuple[bool, str]:
        if text.lower() in SIGNS:
            if SIGNS[text.lower()] == np.sign(value):
                return True, f"Right: {worked}."
            return False, f"Not the right sign: {worked}."
        typed = typed_number(text)
        number = math.nan if isinstance(typed, str) or abs(typed) > sys.float_info.max else float(typed)
        if not math.isfinite(number):
            raise ValueError(f"answer with +, - or 0 for the sign, or with a number such as -1.5; got {text!r}")
        if _close(number, value):
            return True, f"Right: {worked}."
        values = ((each, each.wrong_value(trace, name)) for each in mistakes.values())
        fitting = ((each, x) for each, x in values if x is not None and np.shape(x) == np.shape(trace[name]))
        found = [each.resemblance(trace, name) for each, x in fitting if _close(number, float(in_rows(x)[i, j]))]
        if found:
            return False, f"{plain(number)} looks like {'; or like '.join(found)}. {worked}."
        return False, f"{plain(number)} is not right: {worked}."

    why = "" if trace.step(name).title else explain(trace.step(name)).sentence  # of the right line
    terms = worked.every_term
    if len(terms) > 1 and np.sign(sum(term.value for term in terms)) == np.sign(value):  # what is around keeps the sign
        largest = max(terms, key=lambda term: (abs(term.value), np.sign(term.value) != np.sign(value)))
        with_it = [term.value for term in terms if math.isclose(abs(term.value), abs(largest.value), rel_tol=1e-12)]
        against = [term.value for term in terms if np.sign(term.value) == -np.sign(value)]
        text = largest.text
        many = f"the {'larger' if len(terms) == 2 else 'largest'} in size of its {len(terms)} terms"
        if np.sign(largest.value) != np.sign(value):
            follows = "but the others together outweigh it" if value else "but the others cancel it"
        elif abs(sum(with_it)) > abs(sum(against)):
            follows = "which decide the sign" if len(with_it) > 1 else ""
        else:
            follows = "but does not decide the sign alone"
        said = f"{many[0].upper()}{many[1:]}, {text}, decides the sign"
        if follows:
            said = f"{text} is {'one of ' * (len(with_it) > 1)}{many}, {follows}"
        if largest.value:
            why = f"{why} {said}.".strip()
    return Question(
        f"Predict {indexed(trace, cell)}",
        "Framed on the board: what is its sign, or its value?",
        (MINUS, "0", "+"),
        "or its value",
        (cell,),
        judge,
        why or f"{worked}.",
    )


def _way(trace: Trace, cell: Cell, _: Mapping[str, Mistake]) -> Question:
    """Which way a weight or a bias, or what is remembered of it, will move."""
    name, i, j = cell
    step = trace.step(name)
    before = step.of
    new, old = (float(value_of(trace, each)[i, j]) for each in (name, before))
    is_plain = step.kind is GradientDescent and not step.beside
    rule = "A step goes against the gradient. " if is_plain and not step.title else ""
    goes_by_cell = not NOT_BY_CELL.search(step.code)
    numbers = [each for each in step.operands if each != before and np.ndim(trace[each]) and goes_by_cell]
    listed = [f"{indexed(trace, (each, i, j))} is {plain(float(value_of(trace, each)[i, j]))}" for each in numbers]
    moves = "" if is_plain else f": it moves by {plain(new - old, 3)}"
    return Question(
        f"Predict {indexed(trace, cell)}",
        f"Which way will {indexed(trace, (before, i, j))}, framed on the board, move?",
        ("down", "stays", "up"),
        "",
        ((before, i, j), cell),
        _judge_way(new - old, f"{work_out(trace, cell)}.", "up, down or stays"),
        f"{rule}{name} = {step.code}{', and ' * bool(listed)}{' and '.join(listed)}{moves}.",
    )


def _rise(trace: Trace, cell: Cell, _: Mapping[str, Mistake]) -> Question:
    """Whether the loss will rise with all the new weights."""
    now, then = float(trace[trace.problem.loss_name]), float(trace.next_loss())
    with np.errstate(all="ignore"):
        slopes = {name: trace[f"d{name}"] for name in trace.problem.parameters}
        first = sum(float(np.sum((trace[f"{name}_new"] - trace[name]) * slope)) for name, slope in slopes.items())
    if math.isfinite(then):
        told, really = "from {} to {}".format(*told_apart(now, then, 6)), f"it changes by {plain(then - now, 3)}"
    else:
        told, really = f"from {plain(now)} until it overflows", "it overflows"
    near, own = ROUNDED * eps_of(np.asarray(trace[trace.problem.loss_name])) * abs(now), trace.problem.of_each_step
    planted = any(step.title for step in trace.steps)
    gradients = "the gradients shown were right and" if planted else "the gradient stayed"
    rises = -first > near < then - now and not planted and all(prove(trace, f"d{name}").agrees for name in slopes)
    why = "The step is too long: along the way the loss turns and rises."
    if own:
        why, rises = f"But the next step has its own {listed(own)}, so its loss is a different one.", True
    too_long = f" {why}" if rises else ""
    return Question(
        "Predict the loss",
        f"The learning rate is {plain(trace.problem.lr)}. With all the new weights"
        f"{f' and the next {listed(own)}' * bool(own)}, will the loss rise?",
        ("falls", "stays", "rises"),
        "",
        (cell,),
        _judge_way(then - now, f"the loss goes {told}.", "falls, stays or rises"),
        f"If {gradients} constant along the step, the loss would change by {plain(first, 3)}; in fact {really}."
        f"{too_long}",
    )


_KINDS: dict[str, Callable[[Trace, Cell, Mapping[str, Mistake]], Question]] = {
    "forward": _zeros,
    "loss": _rise,
    "backward": _gradient,
    "update": _way,
}


def _judge_way(change: float, told: str, ways: str) -> Callable[[str], tuple[bool, str]]:
    """What judges a way, up, down or neither, by the change there is; `ways` may be answered."""

    def judge(text: str) -> tuple[bool, str]:
        if text.lower() not in WAYS:
            raise ValueError(f"answer with {ways}; got {text!r}")
        right = bool(WAYS[text.lower()] == np.sign(change))
        return right, f"{'Right' if right else 'No'}: {told}"

    return judge


def _relus(trace: Trace) -> dict[str, str]:
    """The input of every ReLU by its output."""
    return {Y: X for layer, X, Y, *_ in trace.problem.stages if layer.can_die}


def _close(number: float, value: float) -> bool:
    return math.isclose(number, value, rel_tol=0.01) or number == as_printed(value)
