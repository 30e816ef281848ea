"""What people type: how much of a list of wrong lines from public threads and lessons is understood, none falsely."""

import re
import warnings
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import numpy as np

from backprop_lab import MISTAKES, ReLU, Sigmoid, Tanh, random_problem, trace
from backprop_lab.feedback import check_function
from backprop_lab.patterns import common_factors, seen_in
from backprop_lab.ui.exercise import Exercises

KINDS = {kind.__name__: kind for kind in (ReLU, Tanh, Sigmoid)}


def wrong_lines():
    """The list, as (value, activation, line)."""
    text = Path(__file__).with_name("wrong_answers.tsv").read_text(encoding="utf-8")
    return [tuple(row.split("\t")[:3]) for row in text.splitlines() if row and not row.startswith("#")]


@cache
def traces_of(activation):
    """The problems on which the exercises try a function, or some of the same sizes with another activation."""
    problems = [t.problem for t in Exercises().traces]
    if activation != "ReLU":
        for at, p in enumerate(problems):
            sizes = {"samples": len(p.X), "inputs": p.X.shape[1], "outputs": p.y.shape[1]}
            drawn = random_problem(at, **sizes, hidden=4 + at, lr=0.02, activation=KINDS[activation]())
            problems[at] = trace(drawn).next_problem() if at else drawn
    return [trace(p) for p in problems]


@cache
def function_of(value, activation, line):
    """A line as the function that a learner would write, which asks for what is known and used in it."""
    names = traces_of(activation)[0].names
    known = [name for name in names[: names.index(value)] if re.search(rf"\b{name}\b", line)]
    body = line if "; " in line else f"return {line}"
    scope = {"np": np}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2(y_pred - y) is a call
        exec(f"def answer({', '.join(known)}):\n    " + body.replace("; ", "\n    "), scope)
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


def given_by(row, t):
    """What a line gives over values that it may not write to, or None if it gives nothing."""
    function = function_of(*row)
    asked = function.__code__.co_varnames[: function.__code__.co_argcount]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.asarray(function(**{name: np.copy(t[name]) for name in asked}), float)
        except Exception:
            return None


def true_of(row):
    """Every pattern that is true of a line, on all the problems."""
    value, activation, _ = row
    found = []
    for t in traces_of(activation):
        answer, right = given_by(row, t), np.asarray(t[value])
        if answer is not None and np.isfinite(answer).all():
            shaped = answer.reshape(right.shape) if right.size == answer.size == 1 else answer
            found.append({key for key, _ in seen_in(value, shaped, right, 1e-12 * np.abs(right), t)})
    return set.intersection(*found) if found else set(feedback_on(row).cause)


def test_nine_in_ten_of_the_lines_that_people_type_are_understood():
    """A pattern counts if it is false for nine in ten of the other lines for that value: others say too little."""
    rows = wrong_lines()
    assert not any(feedback_on(row) for row in rows)
    assert len(rows) == len(set(rows)) >= 250
    kinds, groups = Counter(), defaultdict(list)
    for row in rows:
        groups[row[:2]].append(row)
    for of_value in groups.values():
        true = [true_of(row) for row in of_value]
        for row in of_value:
            kind, cause = kind_of(row), feedback_on(row).cause
            if kind == "pattern":
                shared = sum(cause[cause.index("pattern") + 1] in keys for keys in true) - 1
                kind = kind if shared <= 0.1 * (len(of_value) - 1) else "only pointed at"
            kinds[kind] += 1
    share = 1 - kinds["only pointed at"] / len(rows)
    print(f"{len(rows)} wrong lines that people type: {dict(kinds)}; {share:.1%} understood")  # noqa: T201
    assert share >= 0.9


def test_every_name_and_slip_that_is_told_gives_what_the_line_gives_on_every_problem():
    """Each told line, times the told factor, is run and compared; or NumPy refuses it with the same error."""
    checked = Counter()
    for row in wrong_lines():
        value, activation, _ = row
        cause = feedback_on(row).cause
        told = [MISTAKES[name] for name in cause if name in MISTAKES]
        if kind_of(row) not in ("named", "slip") or cause[0] in ("raised", "in-place"):
            continue
        for t in traces_of(activation):
            answer = given_by(row, t)
            if answer is None:
                continue
            factor = next((common_factors(t)[word] for word in cause if word in common_factors(t)), 1.0)
            for mistake in told or [None]:
                lines = mistake.wrong_lines(t, value) if mistake else (cause[cause.index("slip") + 1],)
                wrong = [t.evaluate(line) for line in lines if runs(line, t)]
                if "further up" in str(feedback_on(row)):
                    continue
                old = t[value.removesuffix("_new")] if value.endswith("_new") and factor != 1 else 0.0
                assert any(
                    np.size(one) == answer.size
                    and np.allclose(np.ravel(old + factor * (one - old)), answer.ravel(), 1e-9, 1e-12)
                    for one in wrong
                ), (row, cause)
                checked["told"] += 1
    assert checked["told"] > 500


def runs(line, t):
    try:
        t.evaluate(line)
    except Exception:
        return False
    return True
