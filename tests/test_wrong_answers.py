"""What people type: how much of a list of wrong lines from public threads and lessons is understood, none falsely."""

import re
import warnings
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from common import check_said
from known_programs import FORTY, PROGRAMS, programmed

from backprop_lab import (
    ACTIVATIONS,
    L2,
    MISTAKES,
    Adam,
    BatchNorm,
    LayerNorm,
    Linear,
    Momentum,
    Nesterov,
    Network,
    Problem,
    SoftmaxCrossEntropy,
    program,
    random_problem,
    trace,
)
from backprop_lab.feedback.check import check_function
from backprop_lab.feedback.factors import common_factors
from backprop_lab.feedback.patterns import seen_in
from backprop_lab.feedback.slips import one_slip_away
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS
from backprop_lab.ui.exercise import Exercises


def rows_of(file):
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    return [tuple(row.split("\t")) for row in text.splitlines() if row and not row.startswith("#")]


def wrong_lines():
    return [row[:3] for row in rows_of("wrong_answers.tsv")]


def more_wrong_lines():
    """As (value, problem, line), and beside each whether it is read, and what has to be said of it."""
    return {(value, of, line): (half, said) for of, value, line, half, said, *_ in rows_of("more_wrong_answers.tsv")}


def chain(norm=None, **options):
    """A network after its first step, so that neither a bias nor what is remembered is 0; or one with a norm in it."""
    p = trace(random_problem(4, samples=5, inputs=3, outputs=2, lr=0.05, **options)).next_problem()
    if norm is None:
        return p
    first, *rest = p.network.layers
    row, at = np.array([[1.2, 0.8, 1.5, -0.6]]), norm is LayerNorm
    layers = Linear(first.W, first.b if at else None), norm(row, row / 3), *rest
    return Problem(Network(layers), p.loss, p.X, p.y, p.lr)


CHAINS = {
    "momentum": lambda: chain(optimizer=Momentum(0.9)),
    "nesterov": lambda: chain(optimizer=Nesterov(0.9)),
    "adam": lambda: chain(optimizer=Adam()),
    "adamw": lambda: chain(optimizer=Adam(decay=0.1)),
    "L2": lambda: chain(penalty=L2(0.1)),
    "BatchNorm": lambda: chain(BatchNorm),
    "LayerNorm": lambda: chain(LayerNorm),
}
MADE = CHAINS | EXAMPLE_PROGRAMS


@cache
def traces_of(activation):
    """The problems on which the exercises try a function, or some of the same sizes with another activation."""
    if activation in MADE:
        return Exercises(MADE[activation]()).traces
    if activation in PROGRAMS or activation in FORTY:
        return Exercises(programmed(activation) if activation in PROGRAMS else program(*FORTY[activation])).traces
    traces = list(Exercises().traces)
    for at, p in enumerate(t.problem for t in traces if activation != "ReLU"):
        drawn = random_problem(at, *p.X.shape, 4 + at, p.y.shape[1], lr=0.02, activation=ACTIVATIONS[activation])
        traces[at] = trace(trace(drawn).next_problem() if at else drawn)
    return traces


@cache
def function_of(value, activation, line):
    """A line as the function that a learner would write, which asks for what is known and used in it."""
    names = traces_of(activation)[0].names
    known = [name for name in names[: names.index(value)] if re.search(rf"\b{name}\b", line)]
    body = (line if "; " in line else f"return {line}").replace("; ", "\n    ")
    scope = {"np": np}
    with warnings.catch_warnings(action="ignore"):  # 2(y_pred - y) is a call
        exec(f"def answer({', '.join(known)}):\n    {body}", scope)
    return scope["answer"]


@cache
def feedback_on(row):
    return check_function(row[0], function_of(*row), traces_of(row[1]))


def kind_of(row):
    """Which kind of help it is: a name, a slip, a pattern, or only a pointer to a cell or an error."""
    cause = feedback_on(row).cause
    if cause == ("in-place",) or MISTAKES.keys() & {*cause}:
        return "named"
    return next((kind for kind in ("slip", "pattern") if kind in cause), "only pointed at")


def given_by(compute, *arguments):
    with suppress(Exception), np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        return np.asarray(compute(*arguments), float)


def answers(row):
    """What a line gives on each problem, over values that it may not write to, where it gives something."""
    function = function_of(*row)
    asked = function.__code__.co_varnames[: function.__code__.co_argcount]
    given = ((t, given_by(function, *(np.copy(t[name]) for name in asked))) for t in traces_of(row[1]))
    return [(t, answer) for t, answer in given if answer is not None]


def true_of(row):
    """Every pattern that is true of a line, on all the problems."""
    value, found = row[0], []
    for t, answer in answers(row):
        right = np.asarray(t[value])
        if np.isfinite(answer).all():
            shaped = answer.reshape(right.shape) if right.size == answer.size == 1 else answer
            found.append({key for key, _ in seen_in(value, shaped, right, 1e-12 * np.abs(right), t)})
    return set.intersection(*found) if found else {*feedback_on(row).cause}


def test_nine_in_ten_of_the_lines_that_people_type_are_understood():
    """A pattern counts if it is false for nine in ten of the other lines for that value: others say too little."""
    rows = wrong_lines()
    assert not any(feedback_on(row) for row in rows)
    assert len(rows) == len({*rows}) >= 250
    kinds, true = Counter(), {row: true_of(row) for row in rows}
    for row in rows:
        kind, cause = kind_of(row), feedback_on(row).cause
        if kind == "pattern":
            others = [true[other] for other in rows if other[:2] == row[:2] and other != row]
            shared = sum(cause[cause.index("pattern") + 1] in keys for keys in others)
            kind = kind if shared <= 0.1 * len(others) else "only pointed at"
        kinds[kind] += 1
    share = 1 - kinds["only pointed at"] / len(rows)
    print(f"{len(rows)} wrong lines that people type: {dict(kinds)}; {share:.1%} understood")  # noqa: T201
    assert share >= 0.9


def says(row, what):
    """Whether an explanation is given, and has what somebody would say in it."""
    sentence = str(feedback_on(row)).replace("`", "")
    return kind_of(row) != "only pointed at" and bool(re.search(what, sentence, re.IGNORECASE))


def test_of_lines_for_programs_norms_optimizers_and_penalties_most_are_understood():
    """Half of them have not been read while the feedback was worked on. With words meant for another line few pass."""
    rows = more_wrong_lines()
    assert len(rows) >= 200
    assert not any(feedback_on(row) for row in rows)
    words = [said for _, said in rows.values()]
    by_chance = sum(says(row, what) for row, what in zip(rows, words[7:] + words[:7], strict=True)) / len(rows)
    shares = {}
    for each in ("read", "unread"):
        half = [says(row, said) for row, (which, said) in rows.items() if which == each]
        shares[each] = sum(half) / len(half)
        print(f"{each}: {sum(half)} of {len(half)} more wrong lines are understood")  # noqa: T201
    print(f"with words meant for another line: {by_chance:.0%}")  # noqa: T201
    assert min(shares.values()) >= 0.89
    assert by_chance <= 0.3


def test_what_is_said_of_each_line_is_what_somebody_has_read():
    check_said("wrong_answers", {" | ".join(row): feedback_on(row) for row in wrong_lines()})
    check_said("more_wrong_answers", {" | ".join(row): feedback_on(row) for row in more_wrong_lines()})


def in_kinds(t, name):
    """The first slip of each kind, in words for which a name is as good as another, and how many more there are."""
    of_a_kind, any_name = {}, rf"`.*?`|\b(?:{'|'.join(t)})\b"
    for each in one_slip_away(t, name):
        of_a_kind.setdefault(re.sub(any_name, "_", each.words), []).append(f"{each.line} | {each.words}")
    return "\n".join(f"{slips[0]} | and {len(slips) - 1} more" for slips in of_a_kind.values())


def test_the_slips_of_every_line_are_those_that_somebody_has_read():
    example, classes = traces_of("ReLU")[0], trace(random_problem(9, loss=SoftmaxCrossEntropy()))
    lines = [*((example, name) for name in ("Y1", "H1", "L", "dW2", "db2", "dY1")), (classes, "Z"), (classes, "P")]
    check_said("slips", {t.step(name).code: in_kinds(t, name) for t, name in lines})


def test_every_name_and_slip_told_gives_what_the_line_gives():
    """Each told line, times the told factor, is run and compared; or NumPy refuses it with the same error."""
    checked = 0
    for row in (*wrong_lines(), *more_wrong_lines()):
        value, cause = row[0], feedback_on(row).cause
        told = [MISTAKES[name] for name in cause if name in MISTAKES]
        known = kind_of(row) in ("named", "slip") and cause[0] not in ("raised", "in-place")
        for t, answer in answers(row) if known and "further up" not in str(feedback_on(row)) else ():
            factor = next((common_factors(t)[word] for word in cause if word in common_factors(t)), 1.0)
            old = t[value.removesuffix("_new")] if value.endswith("_new") and factor != 1 else 0.0
            for mistake in told or [None]:
                lines = mistake.wrong_lines(t, value) if mistake else (cause[cause.index("slip") + 1],)
                given = [wrong for line in lines if (wrong := given_by(t.evaluate, line)) is not None]
                scaled = [np.ravel(old + factor * (wrong - old)) for wrong in given]
                near = [one.size == answer.size and np.allclose(one, answer.ravel(), 1e-9, 1e-12) for one in scaled]
                assert any(near), (row, cause)
                checked += 1
    assert checked > 800
