"""Layers, losses and problems of a reader's own work, and are shown truly in the labs."""

import copy
import pickle
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from common import PAGE, check_cases, tell, view_of
from own_parts import OWN_PROBLEMS, Dotted, Huber, LeakyReLU, Steep, linear, own_problem
from problems import identical

from backprop_lab import (
    ACTIVATIONS,
    EXAMPLES,
    LOSSES,
    MISTAKES,
    Mistake,
    Network,
    Problem,
    plant,
    prove,
    random_problem,
    trace,
)
from backprop_lab.checks.proof import check_gradients
from backprop_lab.feedback.check import check
from backprop_lab.nn.activations import ReLU, Tanh
from backprop_lab.nn.layers import Layer, Linear
from backprop_lab.nn.lines import evaluate, literal
from backprop_lab.nn.losses import Loss, SumSquaredError
from backprop_lab.nn.optimizers import GradientDescent
from backprop_lab.reading.scale import kinds_of
from backprop_lab.ui import StepThrough
from backprop_lab.ui.board.layout import place_matrices
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.script import numpy_script


def test_a_number_of_any_kind_stands_in_its_line_and_can_be_changed():
    loss = Huber()
    p = own_problem(LeakyReLU(0.3), linear(3, 3), LeakyReLU(0.2), loss=loss)
    assert trace(p).step("H2").code == "np.maximum(Y2, 0.2 * Y2)", "two layers of a kind are told apart"
    for loss.delta in (0.3, Fraction(1, 3), np.array([[0.5, 1.0]])):
        step = trace(p).step("dy_pred")
        number = literal(loss.delta)
        assert (step.code, step.operands) == (f"np.clip(y_pred - y, -{number}, {number})", ("y_pred", "y"))


def test_a_mistake_of_ones_own_is_planted_caught_and_named():
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


def placed(part):
    place = "loss" if isinstance(part, LOSS) else "first" if isinstance(part, Dotted) else None
    return own_problem(ReLU(), **{place: part}) if place else own_problem(part)


def test_what_cannot_be_shown_truly_is_refused_with_the_sentence_that_somebody_has_read():
    check_cases("parts", globals())


DEEP = random_problem(3, samples=5, hidden=(6, 5, 4, 3), activation=Tanh(), lr=0.05)


@pytest.mark.parametrize("name", [*EXAMPLES, "deep", *OWN_PROBLEMS])
def test_every_step_shows_the_code_that_ran_and_a_script_gives_it_too(name):
    lab = StepThrough(start=name) if name in EXAMPLES else StepThrough(OWN_PROBLEMS.get(name, DEEP))
    tell(lab, "page", PAGE)
    t, of_script = lab.stepper.place.trace, {"print": lambda *_, **__: None}
    exec(numpy_script(t), of_script)
    for step in t.steps:
        lab.stepper.next()
        shown = lab.stepper.place
        assert (shown.step.name, view_of(lab).note) == (step.name, {})
        assert f"{step.name} = " in words.card(shown)["code"]
        assert identical(np.asarray(evaluate(shown.step.code, t)), np.asarray(step.value))
        assert identical(np.asarray(of_script[step.name]), np.asarray(step.value))
        assert step.role != "gradient" or prove(t, step.name).agrees


def test_a_layer_whose_gradient_is_wrong_steps_through_too_and_is_red():
    lab, verdicts = StepThrough(own_problem(Steep())), {}
    for step in lab.stepper.place.trace.steps:
        lab.stepper.next()
        if step.phase == "backward":
            verdicts[step.name] = "wrong" in [remark["kind"] for remark in view_of(lab).state["remarks"]]
        assert view_of(lab).state["wrong"] == ["dY1", "dW1", "db1"], "red on timeline and map too, at every step"
    assert verdicts == {name: name in ("dY1", "dW1", "db1") for name in verdicts}


def test_the_call_of_a_lab_names_the_table_of_ones_own_mistake():
    mine = Mistake("mine", "Mine", "mine", cause="", symptom="", lines={(ReLU, "dX"): "3 * {dY}"})
    mistakes = MISTAKES | {"mine": mine}
    lab = StepThrough(mistake="mine", mistakes=mistakes)
    assert lab.call() == "StepThrough(mistake='mine', mistakes=mistakes)"
    again = eval(lab.call(), {"StepThrough": StepThrough, "mistakes": mistakes})
    assert again.stepper.place.trace["dY1"].tolist() == lab.stepper.place.trace["dY1"].tolist()
    assert "mistakes is the table" in view_of(lab).state["below"]["but"]
    assert StepThrough(mistake="sign-flipped", mistakes=mistakes).call() == "StepThrough(mistake='sign-flipped')"


def test_a_number_too_large_for_its_array_is_refused_where_it_is_typed():
    X, y = np.ones((1, 2), np.float32), np.ones((1, 1), np.float32)
    p = Problem(
        Network([Linear(np.ones((2, 1), np.float32), np.zeros((1, 1), np.float32))]), SumSquaredError(), X, y, 0.1
    )
    stepper = StepThrough(p).stepper
    for name in ("X", "y", "W1", "b1"):
        stepper.choose((name, 0, 0))
        with pytest.raises(ValueError, match=f"too large for {name}, whose numbers are of type float32"):
            stepper.edit(1e300)
        assert np.isfinite(stepper.place.trace["L"])


class Named(Layer):
    """Two parameters whose names begin with a d."""

    learnt = ("d", "delta")
    formulas: ClassVar = {
        "Y": "{d} * {X} + {delta}",
        "dX": "{d} * {dY}",
        "dd": "({dY} * {X}).sum(axis=0, keepdims=True)",
        "ddelta": "{dY}.sum(axis=0, keepdims=True)",
    }


class Differences(Loss):
    formulas: ClassVar = {"diff": "{y_pred} - {y}", "L": "np.sum({diff} ** 2)", "dy_pred": "2 * {diff}"}


def test_a_name_that_begins_with_d_need_not_be_a_gradients():
    t = trace(own_problem(Named([[1.0, 2.0, 3.0]], [[0.1, 0.2, 0.3]]), loss=Differences()))
    roles = {
        name: (t.role(name), t.owner(name)) for name in ("diff", "delta1", "ddelta1", "dd1", "delta1_new", "d1_new")
    }
    assert roles == {
        "diff": ("value", ""), "delta1": ("value", ""), "ddelta1": ("gradient", "delta1"), "dd1": ("gradient", "d1"),
        "delta1_new": ("new", "delta1"), "d1_new": ("new", "d1"),
    }  # fmt: skip
    assert {name for name, kind in kinds_of(t).items() if kind == "gradients"} == {
        step.name for step in t.steps if step.role == "gradient"
    }
    said = {name: str(check(name, np.zeros((7, 7)), t)) for name in (*roles, "dY1b")}
    assert [name for name in said if "like" in said[name]] == ["ddelta1", "dd1", "delta1_new", "d1_new", "dY1b"]
    assert not any("like iff" in each or "like elta" in each for each in said.values())
    assert place_matrices(t, 900).boxes["diff"].row == "values"
    assert all(prove(t, name).agrees for name in ("dd1", "ddelta1"))


@pytest.mark.parametrize("name", OWN_PROBLEMS)
def test_a_problem_its_network_and_its_trace_can_be_pickled_and_copied(name):
    t = trace(OWN_PROBLEMS[name])
    for again in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t)):
        assert [step.name for step in again.steps] == [step.name for step in t.steps]
        for other in (again, trace(again.problem)):
            assert all(identical(np.asarray(other[name]), np.asarray(t[name])) for name in t)
        assert identical(again.problem.network.forward(t["X"]), t["y_pred"])


def test_there_is_no_mathematics_in_a_part_of_ours_outside_of_its_lines():
    methods = {"forward", "backward", "gradients", "value", "gradient", "update"}
    for part in (Linear, *map(type, (*ACTIVATIONS.values(), *LOSSES.values())), GradientDescent):
        assert not methods & vars(part).keys(), part
        assert part.formulas
        assert part.__doc__


def test_a_part_whose_formulas_are_no_lines_can_still_be_shown():
    for formulas in (None, [1], {"L": 3}):
        assert repr(type("Broken", (Loss,), {"formulas": formulas})()) == "Broken()"
