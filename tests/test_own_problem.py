"""A problem of one's own in the labs: each step is shown truly, its numbers stay, and every way leads back to them."""

import numpy as np
import pytest
from common import same_values
from own_parts import OWN_PROBLEMS, with_gelu
from problems import identical

from backprop_lab import EXAMPLES, Tanh, prove, random_problem, trace
from backprop_lab.lines import evaluate
from backprop_lab.problem import redrawn
from backprop_lab.ui import MistakeLab, StepThrough
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.stepper import Stepper

DEEP = random_problem(3, samples=5, hidden=(6, 5, 4, 3), activation=Tanh(), lr=0.05)


def same(one, other):
    return same_values(trace(one), trace(other))


@pytest.mark.parametrize("name", [*EXAMPLES, "deep", "GELU", *OWN_PROBLEMS])
def test_every_step_of_it_is_shown_with_the_code_that_ran_and_a_gradient_that_agrees_and_a_script_gives_it_too(name):
    problems = {"deep": DEEP, "GELU": with_gelu()} | OWN_PROBLEMS
    lab = StepThrough(start=name) if name in EXAMPLES else StepThrough(problems[name])
    lab._heard("page", {"map": [900, 400], "operation": [400, 200], "ratio": 1.0, "dark": False})
    t, of_script = lab.stepper.place.trace, {"print": lambda *_, **__: None}
    exec(numpy_script(t), of_script)
    for step in t.steps:
        lab.stepper.next()
        shown = lab.stepper.place
        assert (shown.step.name, lab._view.note) == (step.name, {})
        assert f"{step.name} = " in words.card(shown)["code"]
        assert identical(np.asarray(evaluate(shown.step.code, t)), np.asarray(step.value))
        assert identical(np.asarray(of_script[step.name]), np.asarray(step.value))
        assert step.phase != "backward" or prove(t, step.name).agrees


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
    kept = "a2 stays as given, whatever the seed: a Scale cannot draw its numbers."
    assert Stepper(OWN_PROBLEMS["parameter called a"], seed=3).place.note == kept


def test_a_mistake_lab_opens_with_a_mistake_that_changes_something_in_it():
    for problem, mistake in ((DEEP, "slope-forgotten"), (random_problem(1), "mask-forgotten")):
        place = MistakeLab(problem).lab.stepper.place
        assert (place.mistake, place.step.name, same(place.trace.problem, problem)) == (mistake, "db1", True)
        assert not all(prove(place.trace, name).agrees for name in ("dW1", "db1"))


REFUSED = {
    "takes a Problem, not 'mazur', a value of type str: worked_example": {"problem": "mazur"},
    r"up to 64 samples, and here are 2000 samples: X\[:64\] and y\[:64\]": {"problem": random_problem(0, samples=2000)},
    "up to 128 columns, and here are 2000 columns in W1": {"problem": random_problem(0, hidden=2000)},
    "samples: 'as given' has sizes": {"problem": DEEP, "samples": 3},
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_a_lab_cannot_show_is_refused_with_what_would_do(told):
    for lab in (StepThrough, MistakeLab):
        with pytest.raises(ValueError, match=told):
            lab(**REFUSED[told])
