"""A problem of one's own in the labs: its numbers stay the given ones, and every way leads back to them."""

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS, with_gelu
from problems import identical

from backprop_lab import (
    EXAMPLES,
    Linear,
    Network,
    Problem,
    SumSquaredError,
    Tanh,
    prove,
    random_problem,
    trace,
)
from backprop_lab.lines import evaluate
from backprop_lab.problem import redrawn
from backprop_lab.ui import MistakeLab, StepThrough
from backprop_lab.ui.steps.stepper import Stepper

DEEP = random_problem(3, samples=5, hidden=(6, 5, 4, 3), activation=Tanh(), lr=0.05)


def same(one, other):
    ones, others = ({"X": p.X, "y": p.y, "lr": p.lr, **p.network.parameters} for p in (one, other))
    return [*ones] == [*others] and all(identical(ones[name], others[name]) for name in ones)


@pytest.mark.parametrize("name", [*EXAMPLES, "deep", "GELU", *OWN_PROBLEMS])
def test_every_step_of_it_is_shown_with_the_code_that_ran_and_a_gradient_that_agrees(name):
    problems = {"deep": DEEP, "GELU": with_gelu()} | OWN_PROBLEMS
    lab = StepThrough(start=name) if name in EXAMPLES else StepThrough(problems[name])
    lab._heard("page", {"map": [900, 400], "operation": [400, 200], "ratio": 1.0, "dark": False})
    names = []
    for _ in lab.stepper.place.trace.steps:
        lab.stepper.next()
        place = lab.stepper.place
        names.append(place.step.name)
        assert identical(np.asarray(evaluate(place.step.code, place.trace)), np.asarray(place.step.value))
        if place.step.phase == "backward":
            assert prove(place.trace, place.step.name).agrees
        assert lab._view.note == {}
    assert names == [step.name for step in lab.stepper.place.trace.steps]


def test_a_layer_whose_gradient_is_wrong_steps_through_too_and_is_red():
    lab, verdicts = StepThrough(with_gelu(wrong=0.01)), {}
    for step in lab.stepper.place.trace.steps:
        lab.stepper.next()
        if step.phase == "backward":
            verdicts[step.name] = "wrong" in [remark["kind"] for remark in lab._view.state["remarks"]]
        assert lab._view.state["wrong"] == ["dY1", "dW1", "db1"], "red on timeline and map too, at every step"
    assert verdicts == {name: name in ("dY1", "dW1", "db1") for name in verdicts}


def test_a_seed_draws_other_weights_for_its_data_and_an_empty_seed_brings_its_own_back():
    stepper = Stepper(DEEP, step="dW2")
    assert same(stepper.first_problem, DEEP)
    stepper.set_lr(0.2)
    stepper.set_up(seed=7)
    assert same(stepper.first_problem, redrawn(DEEP, 7).evolve(lr=0.2))
    assert (stepper.place.step.name, stepper.place.start) == ("dW2", "as given")
    stepper.set_up(seed=None)
    assert same(stepper.first_problem, DEEP.evolve(lr=0.2))
    stepper.set_up(hidden=2)
    told = "Random numbers now: choose your problem under start to go back."
    assert (stepper.place.start, stepper.place.note) == ("random", told)
    stepper.set_up(start="iris")
    stepper.set_up(start="as given")
    assert same(stepper.first_problem, DEEP)


def test_a_layer_whose_numbers_nobody_can_draw_keeps_them_and_the_lab_says_so():
    problem = OWN_PROBLEMS["parameter called a"]
    stepper = Stepper(problem)
    stepper.set_up(seed=3)
    kept = "a2 stays as given, whatever the seed: a Scale cannot draw its numbers."
    assert stepper.place.note == Stepper(problem, seed=3).place.note == kept
    drawn = stepper.first_problem.network.parameters
    assert [name for name, value in problem.network.parameters.items() if identical(value, drawn[name])] == ["a2"]


def test_a_mistake_lab_opens_with_a_mistake_that_changes_something_in_it():
    for problem, mistake in ((DEEP, "slope-forgotten"), (random_problem(1), "mask-forgotten")):
        place = MistakeLab(problem).lab.stepper.place
        assert (place.mistake, place.step.name, same(place.trace.problem, problem)) == (mistake, "db1", True)
        assert not all(prove(place.trace, name).agrees for name in ("dW1", "db1"))
    assert MistakeLab(DEEP, mistake="", step="L").lab.stepper.place.mistake == ""


REFUSED = {
    "a lab takes a Problem, such as random_problem.* got 'mazur', a str": lambda: "mazur",
    "lr\\); got a tuple": lambda: (DEEP.X, DEEP.y),
    "lr\\); got a Trace": lambda: trace(DEEP),
    r"up to 64 samples, and here are 2000 samples: X\[:64\] and y\[:64\]": lambda: random_problem(0, samples=2000),
    "up to 128 columns, and here are 2000 columns in W1": lambda: random_problem(0, hidden=2000),
    "up to 6 layers with parameters, and here are 7": lambda: random_problem(0, hidden=(2,) * 6),
    "shows real numbers, and X is complex: X.real": lambda: random_problem(0).evolve(X=np.ones((2, 3)) * 1j),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_a_lab_cannot_show_is_refused_with_what_would_do(told):
    for lab in (StepThrough, MistakeLab):
        with pytest.raises(ValueError, match=told):
            lab(REFUSED[told]())


def test_a_problem_comes_with_its_own_start_and_sizes():
    for options, told in [
        ({"start": "random"}, "a problem or a start"),
        ({"samples": 3}, "samples: 'as given' has sizes"),
    ]:
        with pytest.raises(ValueError, match=told):
            StepThrough(DEEP, **options)


def test_numbers_that_change_later_do_not_change_the_lab():
    X, W = np.ones((2, 3)), np.ones((3, 1))
    lab = StepThrough(Problem(Network([Linear(W, np.zeros((1, 1)))]), SumSquaredError(), X, np.zeros((2, 1)), 0.1))
    X[:], W[:] = 9, 9
    lab.stepper.next()
    lab.stepper.restart()
    assert (lab.stepper.place.trace["Y1" if "Y1" in lab.stepper.place.trace else "y_pred"] == 3).all()
