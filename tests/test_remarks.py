"""Remarks on a step: whether its gradient is correct, which units are dead, how far the weights moved."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from problems import ACTIVATIONS, problems

from backprop_lab import (
    MISTAKES,
    Linear,
    Network,
    Problem,
    ReLU,
    SumSquaredError,
    check_gradients,
    plant,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.gradcheck import complex_step_derivative
from backprop_lab.mistakes import INVISIBLE_TO_GRADIENT_CHECK
from backprop_lab.number_format import plain, typed_number
from backprop_lab.ui.steps import remarks
from backprop_lab.ui.steps.setup import all_active, dead_relu, diverging

EXAMPLE = trace(worked_example())


def backward(t):
    return [step for step in t.steps if step.phase == "backward"]


def at(t, name):
    return t.step(name)


def with_first_bias(b1):
    """Three samples at X = 1, 2, 3, a unit for each bias, with all weights 1."""
    H = len(b1)
    network = Network((Linear(np.ones((1, H)), [b1]), ReLU(), Linear(np.ones((H, 1)), [[0.0]])))
    return trace(Problem(network, SumSquaredError(), [[1.0], [2.0], [3.0]], [[1.0], [-5.0], [2.0]], 0.1))


def training_at(problem, iterations):
    with np.errstate(all="ignore"):
        for _ in range(iterations):
            problem = trace(problem).next_problem()
        return trace(problem)


# The proof


@settings(max_examples=80)
@given(problems())
def test_a_right_gradient_agrees_at_every_step_of_any_network(problem):
    t = trace(problem)
    for step in backward(t):
        proved, sentence = remarks.proof(t, step)
        assert proved is True, (step.name, sentence)
        assert re.fullmatch(r"agrees with finite differences (to [1-9]e[−+]\d\d|exactly)", sentence)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [[4], [3, 5], [2, 4, 3], [8, 8, 8]])
def test_a_right_gradient_agrees_at_every_step_as_training_goes_on(activation, hidden):
    problem = random_problem(1, hidden=hidden, lr=0.002, activation=activation)
    for _ in range(10):
        t = trace(problem)
        for step in backward(t):
            proved, sentence = remarks.proof(t, step)
            assert proved, (step.name, sentence)
        problem = t.next_problem()


def test_only_a_gradient_is_proved():
    for step in EXAMPLE.steps:
        if step.phase != "backward":
            assert remarks.proof(EXAMPLE, step) == (None, "")


def seen_by_check_gradients():
    """Every (mistake, place) that `check_gradients` is sure to see in some network with room for it."""
    found = {}
    for sizes in ({"samples": 3, "inputs": 3, "hidden": [3, 3], "outputs": 3}, {"samples": 3, "outputs": 1}):
        for activation in ACTIVATIONS:
            p = random_problem(5, lr=0.1, activation=activation, **sizes)
            biases = {name: b + 0.3 for name, b in p.network.parameters.items() if name.startswith("b")}
            right = trace(replace(p, network=p.network.with_parameters(p.network.parameters | biases)))
            for mistake in MISTAKES.values():
                for place in mistake.possible_at(right):
                    planted = plant(right, mistake, place)
                    grads = {name: planted[f"d{name}"] for name in p.network.parameters}
                    errors = check_gradients(right.problem, grads, derivative=complex_step_derivative)
                    wrong = [f"d{name}" for name, error in errors.items() if error > 1e-4]
                    if wrong:
                        found.setdefault(mistake.name, []).append((planted, place, wrong))
    return found


SEEN = seen_by_check_gradients()


@pytest.mark.parametrize("mistake", SEEN)
def test_a_gradient_that_the_gradient_check_refuses_is_refused_here_too(mistake):
    for planted, place, wrong in SEEN[mistake]:
        for name in wrong:
            proved, sentence = remarks.proof(planted, planted.step(name))
            assert proved is False, (place, name)
            assert re.fullmatch(
                r"does not agree with finite differences: it is off by \d+(\.\d+)?(e[+-]\d+)?%", sentence
            )
        if planted.step(place).phase == "backward":
            assert remarks.proof(planted, planted.step(place))[0] is False, place


def test_the_gradient_check_sees_most_mistakes_and_those_it_cannot_see_are_known():
    there = {*MISTAKES}
    no_room = {"sum-forgotten", "sum-over-units", "axis-forgotten", "dimension-dropped"}
    only_in_the_loss = {"broadcast-to-square"}
    of_another_loss = {"sum-for-mean"}
    assert set(SEEN) == there - set(INVISIBLE_TO_GRADIENT_CHECK) - no_room - only_in_the_loss - of_another_loss


@pytest.mark.parametrize("name", INVISIBLE_TO_GRADIENT_CHECK)
def test_a_mistake_that_no_gradient_check_can_see_leaves_every_gradient_proved(name):
    mistake = MISTAKES[name]
    right = trace(random_problem(2, samples=3, inputs=3, hidden=3, outputs=3, lr=0.01))
    for place in mistake.possible_at(right):
        planted = plant(right, mistake, place)
        assert all(remarks.proof(planted, step)[0] for step in backward(planted))


@pytest.mark.parametrize("biases", [[-2.0, 1.0], [-2.0], [-1.0, -2.0, -3.0]])
def test_a_right_gradient_at_a_kink_is_not_called_wrong(biases):
    """There the loss has a corner and no slope, and the gradient is what the ReLU says it is."""
    t = with_first_bias(biases)
    assert (t["Y1"] == 0).any()
    for step in backward(t):
        assert remarks.proof(t, step)[0] is not False, step.name
    assert remarks.proof(t, at(t, "dW2"))[0] is True, "the last layer comes after the corner"


def test_a_wrong_gradient_is_refused_although_one_of_its_entries_stands_at_a_kink():
    t = with_first_bias([-2.0, -1.5])
    planted = plant(t, MISTAKES["mask-forgotten"], "dY1")
    for name in ("dY1", "dW1", "db1"):
        assert remarks.proof(planted, planted.step(name))[0] is False


def test_a_wrong_gradient_is_refused_near_the_end_of_training_where_all_gradients_are_small():
    p = all_active(random_problem(2, lr=0.01))
    while trace(p)["L"] > 1e-12:
        p = trace(p).next_problem()
    t = trace(p)
    assert np.abs(t["dY1"]).max() < 1e-5
    assert all(remarks.proof(t, step)[0] for step in backward(t))
    for name in ("mask-upside-down", "sign-flipped", "factor-two-dropped", "mask-from-gradient"):
        mistake = MISTAKES[name]
        for place in set(mistake.possible_at(t)) & {"dy_pred", "dY1"}:
            planted = plant(t, mistake, place)
            assert remarks.proof(planted, planted.step(place))[0] is False, (name, place)


@pytest.mark.parametrize("distance", [1e-7, 1e-9, 1e-12])
def test_a_right_gradient_so_near_to_a_kink_that_differences_step_over_it_is_not_called_wrong(distance):
    for side in (-1, 1):
        t = with_first_bias([-2.0 + side * distance, 1.0])
        for step in backward(t):
            assert remarks.proof(t, step)[0] is not False, step.name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_right_gradient_is_never_called_wrong_on_the_way_to_overflow(activation):
    """Where the loss is large, finite differences lose their digits; that says nothing about the gradient."""
    problem = diverging(random_problem(0, activation=activation))
    claimed = []
    for _ in range(60):
        t = training_at(problem, 0)
        claimed += [(step.name, f"{t['L']:.0e}") for step in backward(t) if remarks.proof(t, step)[0] is False]
        problem = training_at(problem, 5).problem
    assert claimed == []


@pytest.mark.parametrize("target", [1e3, 1e5, 1e7, 1e12])
def test_a_right_gradient_is_never_called_wrong_however_far_the_target_is(target):
    p = random_problem(3)
    t = trace(replace(p, y=p.y + target))
    for step in backward(t):
        assert remarks.proof(t, step)[0] is not False, (step.name, remarks.proof(t, step))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_once_numbers_have_overflowed_nothing_is_claimed(number):
    p = random_problem(0)
    with np.errstate(all="ignore"):
        t = trace(replace(p, X=np.full((2, 3), number)))
    for step in backward(t):
        proved, sentence = remarks.proof(t, step)
        assert proved is None
        assert sentence.startswith("The numbers have overflowed")


@pytest.mark.parametrize("number", [1e100, 1e160, 1e200, 1e308])
def test_a_right_gradient_is_not_called_wrong_when_only_the_loss_has_overflowed(number):
    p = random_problem(0)
    with np.errstate(all="ignore"):
        t = trace(replace(p, X=np.full((2, 3), number)))
    for step in backward(t):
        assert remarks.proof(t, step)[0] is not False, step.name


# The gate


def test_a_unit_that_is_off_for_every_sample_is_called_dead_by_its_number():
    t = with_first_bias([1.0, -9.0, -1.5])
    for name in ("H1", "dY1"):
        assert remarks.on_dead_units(t, at(t, name)) == "Unit 1 is off for every sample: it is dead and cannot learn."


def test_several_dead_units_are_all_named():
    t = with_first_bias([-9.0, 1.0, -8.0, -3.0])
    assert remarks.on_dead_units(t, at(t, "H1")) == (
        "Units 0, 2, 3 are off for every sample: they are dead and cannot learn."
    )


def test_a_unit_at_exactly_0_is_dead():
    assert remarks.dead_units(with_first_bias([-3.0, 0.0]), "H1") == [0]


@settings(max_examples=60)
@given(problems())
def test_dead_units_are_the_columns_without_a_positive_number_and_ask_for_no_change(problem):
    t = trace(problem)
    for layer, X, Y, number in problem.network.stages:
        if isinstance(layer, ReLU):
            dead = remarks.dead_units(t, Y)
            assert dead == [j for j in range(t[Y].shape[1]) if max(t[Y][:, j]) <= 0]
            assert not t[f"dW{number}"][:, dead].any()
            told = re.findall(r"\d+", remarks.on_dead_units(t, at(t, f"d{X}")))
            assert list(map(int, told)) == (dead if len(dead) < t[Y].shape[1] else [])


def test_nothing_is_said_of_the_gate_elsewhere_or_where_every_unit_is_on():
    t = trace(dead_relu(random_problem(1)))
    assert {step.name for step in t.steps if remarks.on_dead_units(t, step)} == {"H1", "dY1"}
    t = trace(all_active(random_problem(1)))
    assert not any(remarks.on_dead_units(t, step) for step in t.steps)


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a != ReLU()])
def test_only_a_relu_can_die(activation):
    t = trace(dead_relu(random_problem(1, activation=activation)))
    assert not any(remarks.on_dead_units(t, step) for step in t.steps)
    assert remarks.all_dead(t, len(t.steps)) == ""


def test_the_dead_relu_start_is_told_which_unit_is_dead():
    t = trace(dead_relu(random_problem(3)))
    assert 0 in remarks.dead_units(t, "H1")


def test_a_whole_layer_of_dead_units_is_warned_of_once_it_is_on_the_board():
    t = with_first_bias([-9.0, -8.0])
    assert remarks.all_dead(t, 0) == ""
    assert remarks.all_dead(t, 1) == "", "Y1 is shown, and H1 is not"
    for index in range(2, len(t.steps) + 1):
        assert remarks.all_dead(t, index).startswith("Every unit of H1 is off for every sample")
    assert remarks.on_dead_units(t, at(t, "H1")) == "", "it is said once"


def test_a_dead_layer_further_on_is_warned_of_by_its_name():
    p = random_problem(0, hidden=[3, 3])
    b2 = np.full((1, 3), -100.0)
    t = trace(replace(p, network=p.network.with_parameters(p.network.parameters | {"b2": b2})))
    assert remarks.all_dead(t, 3) == ""
    assert remarks.all_dead(t, 4).startswith("Every unit of H2 ")


def test_numbers_that_have_overflowed_are_not_called_dead():
    """NaN is not 0: nothing is known of such a unit."""
    p = random_problem(0)
    with np.errstate(all="ignore"):
        t = trace(replace(p, X=np.full((2, 3), np.nan)))
    assert np.isnan(t["H1"]).all()
    assert remarks.dead_units(t, "H1") == []
    assert remarks.all_dead(t, len(t.steps)) == ""
    assert remarks.on_dead_units(t, at(t, "H1")) == ""


# The update


def said_of_update(t, name):
    return remarks.on_update(t, at(t, name))


@settings(max_examples=60)
@given(problems())
def test_the_change_and_its_ratio_to_the_size_of_the_parameter_are_right(problem):
    t = trace(problem)
    for name, old in problem.network.parameters.items():
        new = t[f"{name}_new"]
        told = re.fullmatch(
            r"The largest change is (\S+); the update is (\S+) times the size of \w+\.",
            said_of_update(t, f"{name}_new"),
        )
        assert told, said_of_update(t, f"{name}_new")
        change, ratio = map(typed_number, told.groups())
        assert change == pytest.approx(np.abs(new - old).max(), rel=0.05)
        assert ratio == pytest.approx(np.linalg.norm(new - old) / np.linalg.norm(old), rel=0.05)


def test_of_a_parameter_that_is_0_no_ratio_is_told():
    assert said_of_update(EXAMPLE, "b1_new") == (f"The largest change is {plain(np.abs(EXAMPLE['b1_new']).max(), 2)}.")


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=lambda mistake: mistake.name)
def test_something_is_said_of_every_update_whatever_mistake_is_in_it(mistake):
    for place in mistake.possible_at(EXAMPLE):
        planted = plant(EXAMPLE, mistake, place)
        for step in planted.steps:
            assert bool(remarks.on_update(planted, step)) == (step.phase == "update")


def test_nothing_is_said_of_an_update_at_other_steps():
    assert {s.name for s in EXAMPLE.steps if remarks.on_update(EXAMPLE, s)} == {"W1_new", "b1_new", "W2_new", "b2_new"}


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_an_update_that_overflowed_is_told_without_a_number(number):
    p = random_problem(0)
    with np.errstate(all="ignore"):
        t = trace(replace(p, X=np.full((2, 3), number)))
    assert said_of_update(t, "W1_new") == "The numbers have overflowed."


@pytest.mark.parametrize("number", [1e120, 1e160, 1e200, 1e300])
def test_numbers_near_overflow_are_taken_in_silence_and_no_ratio_is_made_up(number):
    """Their squares overflow though they do not; a warning would land under the cell."""
    network = Network((Linear([[number]], [[0.0]]),))
    with np.errstate(all="ignore"):
        t = trace(Problem(network, SumSquaredError(), [[1.0]], [[0.0]], 0.25))
    told = said_of_update(t, "W1_new")
    assert told == f"The largest change is {plain(number / 2, 2)}; the update is 5.0e−01 times the size of W1."


# The loss


def said_of_loss(*losses):
    return remarks.on_loss(at(EXAMPLE, "L"), losses)


def test_the_loss_is_told_to_go_up_or_down_or_to_stay():
    assert said_of_loss(3.0, 2.5, 1.25) == "The loss went down, from 2.5 to 1.25."
    assert said_of_loss(1.0, 2.0) == "The loss went up, from 1 to 2."
    assert said_of_loss(2.0, 2.0) == "The loss did not change."
    assert said_of_loss(1e300, math.inf) == "The loss has overflowed."
    assert said_of_loss(math.inf, math.nan) == "The loss has overflowed."


def test_nothing_is_said_of_the_first_loss_or_at_other_steps():
    assert said_of_loss(3.0) == said_of_loss() == ""
    assert [step.name for step in EXAMPLE.steps if remarks.on_loss(step, (3.0, 2.0))] == ["L"]


def test_a_loss_that_moved_too_little_for_its_digits_is_not_told_as_from_a_number_to_the_same():
    told = said_of_loss(252.4, 252.4 * (1 - 1e-9))
    assert not re.search(r"from (\S+) to \1\.", told), told
