"""Layers and losses made by a reader's ordinary means work; test_own_problem.py shows them in the labs."""

import re
from fractions import Fraction

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS, Dotted, Huber, LeakyReLU, linear, own_problem
from problems import identical

from backprop_lab import MISTAKES, Mistake, ReLU, SumSquaredError, plant, random_problem, trace
from backprop_lab.feedback import check
from backprop_lab.lines import evaluate, literal
from backprop_lab.proving import check_gradients


def test_a_number_of_any_kind_stands_in_its_line_and_shows_in_the_next_trace_once_it_is_changed():
    loss = Huber()
    p = own_problem(LeakyReLU(0.3), linear(3, 3), LeakyReLU(0.2), loss=loss)
    assert trace(p).step("H2").code == "np.maximum(Y2, 0.2 * Y2)", "two layers of a kind are told apart"
    for loss.delta in (0.3, Fraction(1, 3), np.array([[0.5, 1.0]])):
        step = trace(p).step("dy_pred")
        number = literal(loss.delta)
        assert (step.code, step.operands) == (f"np.clip(y_pred - y, -{number}, {number})", ("y_pred", "y"))
    assert max(check_gradients(p).values()) < 1e-6


@pytest.mark.parametrize("p", OWN_PROBLEMS.values(), ids=OWN_PROBLEMS)
def test_our_mistakes_are_planted_where_they_apply_and_named_and_no_other_value_is_called_by_their_names(p):
    t = trace(p)
    for step in t.steps:
        assert MISTAKES.keys().isdisjoint(check(step.name, np.asarray(step.value) + 1, t).cause), step.name
    places = [(mistake, name) for mistake in MISTAKES.values() for name in mistake.possible_at(t)]
    assert len(places) > 10
    for mistake, name in places:
        wrong = plant(t, mistake, name)
        assert all(identical(evaluate(step.code, wrong), step.value) for step in wrong.steps)
        assert mistake.name in check(name, wrong[name], t).cause


def test_a_mistake_of_ones_own_is_planted_seen_by_a_gradient_check_and_named_if_feedback_is_told_of_it():
    resembles, lines = "below 0 this one still passes {slope} of {dY}", {(LeakyReLU, "dX"): "{dY} * ({Y} > 0)"}
    forgotten = Mistake("leak-forgotten", "Leak forgotten", resembles, cause="", symptom="", lines=lines)
    p = random_problem(0, samples=3, hidden=(4, 5), activation=LeakyReLU(0.3))
    t = trace(p)
    assert forgotten.possible_at(t) == ("dY2", "dY1")
    planted = plant(t, forgotten, "dY1")
    errors = check_gradients(p, {name: planted[f"d{name}"] for name in p.network.parameters})
    assert errors["W1"] > 0.003
    assert errors["W2"] < 1e-7
    mine = MISTAKES | {"leak-forgotten": forgotten}
    told = check("dY1", planted["dY1"], t, mistakes=mine)
    assert told.cause == check("dW1", planted["dW1"], t, mine).cause == ("leak-forgotten",)
    assert "below 0 this one still passes 0.3 of dH1" in str(told)


def altered(kind, **parts):
    """A part of a reader's own: one of ours with some of its methods, or of its lines, which are text, replaced."""
    lines = {name: part for name, part in parts.items() if isinstance(part, str)}
    made = type("Mine", (kind,), {"formulas": kind.formulas | lines} | {n: parts[n] for n in parts.keys() - lines})
    return made(np.ones((4, 3)), np.ones((1, 3))) if issubclass(kind, Dotted) else made()


LOSS, SUM = SumSquaredError, SumSquaredError.formulas
REFUSED = [
    ("altered(Dotted, parameters={'W': [[1.0]]})", "layer 1, Mine(4, 3), must keep its parameter W as an array, not"),
    ("altered(ReLU, forward=lambda self, X: (X, 1))", "Mine().forward must give an array; got a tuple"),
    ("altered(ReLU, dW='{X}')", "Mine() has a line for dW, where nothing needs it"),
    ("altered(LOSS, formulas={'X': '{y_pred}', **SUM})", "two values would be called X: call a parameter or a line of"),
    ("altered(LOSS, formulas={'sum': '{y_pred}', **SUM})", "'sum' cannot be the name of a value in a line of Python"),
    ("altered(Dotted, gradients=lambda *_: {})", "Mine(4, 3).gradients must return a dictionary of 'W', 'b'; "),
    ("altered(ReLU, backward=lambda self, X, dY: dY[:2])",
        "Mine().backward must give an array of shape (3, 3), like Y1; got shape (2, 3)"),
    ("altered(ReLU, backward=lambda self, X, dY: 1 / 0)", "Mine().backward stopped with ZeroDivisionError: division"),
    ("altered(ReLU, backward=lambda self, X, dY: dY)",
        "Mine().backward gives ... for dY1[...], but its line dY1 = dH1 * (H1 > 0) gives 0"),
    ("altered(ReLU, Y='np.abs({X})')", "Mine().forward gives 0 for H1[...], but its line H1 = np.abs(Y1) gives "),
    ("altered(LOSS, L='np.mean(({y_pred} - {y}) ** 2)')", "Mine().value gives ... for L, but its line L = np.mean("),
    ("altered(ReLU, formulas={'Y': '{X}'})", "Mine() has no line for dX: its formulas need one for each of Y, dX"),
    ("altered(ReLU, Y='{X} + {least}')",
        "the line for Y of Mine(), '{X} + {least}', uses 'least', which is neither a value there nor"),
    ("altered(ReLU, Y='{X}[:, :2]')", "the line H1 = Y1[:, :2] of Mine must give an array of shape (3, 3); got"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "said"), REFUSED)
def test_what_cannot_be_shown_truly_is_refused_with_a_sentence(code, said):
    part = eval(code)
    place = "loss" if isinstance(part, LOSS) else "first" if isinstance(part, Dotted) else None
    with pytest.raises(ValueError, match="^" + re.escape(said).replace(re.escape("..."), ".*")):
        own_problem(ReLU(), **{place: part}) if place else own_problem(part)
