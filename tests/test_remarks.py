"""Remarks on a step: whether its gradient is correct, which units are dead, how far the weights moved."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from common import trained, with_numbers
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


def verdicts(t):
    """{gradient: whether it is proved}"""
    return {step.name: remarks.proof(t, step)[0] for step in t.steps if step.phase == "backward"}


def with_inputs(number):
    """A problem in which every input is this number."""
    return trained(with_numbers(random_problem(0), X=np.full((2, 3), number)), 0)


def with_first_bias(*b1):
    """Three samples at X = 1, 2, 3, a unit for each bias, with all weights 1."""
    H = len(b1)
    network = Network((Linear(np.ones((1, H)), [b1]), ReLU(), Linear(np.ones((H, 1)), [[0.0]])))
    return trace(Problem(network, SumSquaredError(), [[1.0], [2.0], [3.0]], [[1.0], [-5.0], [2.0]], 0.1))


# The proof of a gradient


@settings(max_examples=80)
@given(problems())
def test_a_right_gradient_agrees_at_every_step_of_any_network_and_only_a_gradient_is_proved(problem):
    t = trace(problem)
    for step in t.steps:
        proved, sentence = remarks.proof(t, step)
        if step.phase == "backward":
            assert proved is True, (step.name, sentence)
            assert re.fullmatch(r"agrees with finite differences (to [1-9]e[−+]\d\d|exactly)", sentence)
        else:
            assert (proved, sentence) == (None, "")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [[4], [8, 8, 8]])
def test_a_right_gradient_agrees_as_training_goes_on(activation, hidden):
    for iterations in range(0, 10, 3):
        t = trained(random_problem(1, hidden=hidden, lr=0.002, activation=activation), iterations)
        assert all(verdicts(t).values()), iterations


@pytest.mark.parametrize("name", MISTAKES)
def test_a_gradient_that_the_gradient_check_refuses_is_refused_here_too(name):
    seen = False
    for sizes in ((3, 3, [3, 3], 3), (3, 3, 4, 1)):
        for activation in ACTIVATIONS:
            p = random_problem(5, *sizes, lr=0.1, activation=activation)
            right = trace(
                with_numbers(p, **{b: value + 0.3 for b, value in p.network.parameters.items() if b[0] == "b"})
            )
            for place in MISTAKES[name].possible_at(right):
                planted = plant(right, MISTAKES[name], place)
                grads = {parameter: planted[f"d{parameter}"] for parameter in p.network.parameters}
                errors = check_gradients(right.problem, grads, derivative=complex_step_derivative)
                wrong = {f"d{parameter}" for parameter, error in errors.items() if error > 1e-4}
                seen = seen or bool(wrong)
                if wrong and planted.step(place).phase == "backward":
                    wrong.add(place)
                for gradient in wrong:
                    proved, sentence = remarks.proof(planted, planted.step(gradient))
                    assert proved is False, (place, gradient)
                    off = r"\d+(\.\d+)?(e[+-]\d+)?%"
                    assert re.fullmatch(f"does not agree with finite differences: it is off by {off}", sentence)
    no_room = {"sum-forgotten", "sum-over-units", "axis-forgotten", "dimension-dropped"}
    elsewhere = {"broadcast-to-square", "sum-for-mean"}  # in the loss alone, and in another loss
    assert seen == (name not in {*INVISIBLE_TO_GRADIENT_CHECK, *no_room, *elsewhere})


@pytest.mark.parametrize("name", INVISIBLE_TO_GRADIENT_CHECK)
def test_a_mistake_that_no_gradient_check_can_see_leaves_every_gradient_proved(name):
    right = trace(random_problem(2, 3, 3, 3, 3, lr=0.01))
    for place in MISTAKES[name].possible_at(right):
        assert all(verdicts(plant(right, MISTAKES[name], place)).values())


HARD = {
    "at a corner of the loss, where it has no slope": lambda: [with_first_bias(*b) for b in ([-2.0, 1.0], [-2.0])],
    "with every unit at a corner": lambda: [with_first_bias(-1.0, -2.0, -3.0)],
    "so near to a corner that differences step over it": lambda: [
        with_first_bias(-2.0 + distance, 1.0) for size in (1e-7, 1e-9, 1e-12) for distance in (-size, size)
    ],
    "with a target far away": lambda: [
        trained(replace(random_problem(3), y=random_problem(3).y + far), 0) for far in (1e3, 1e5, 1e7, 1e12)
    ],
    "where only the loss has overflowed": lambda: [with_inputs(number) for number in (1e100, 1e160, 1e200, 1e308)],
}


@pytest.mark.parametrize("where", HARD)
def test_a_right_gradient_is_never_called_wrong(where):
    for t in HARD[where]():
        assert False not in verdicts(t).values()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_right_gradient_is_never_called_wrong_on_the_way_to_overflow(activation):
    """Where the loss is large, finite differences lose their digits; that says nothing about the gradient."""
    t = trained(diverging(random_problem(0, activation=activation)), 0)
    for _ in range(60):
        assert False not in verdicts(t).values()
        t = trained(t.problem, 5)


def test_a_wrong_gradient_is_refused_although_one_of_its_entries_is_at_a_corner_of_the_loss():
    found = verdicts(plant(with_first_bias(-2.0, -1.5), MISTAKES["mask-forgotten"], "dY1"))
    assert found | {"dY1": False, "dW1": False, "db1": False} == found
    assert found["dW2"] is True, "the last layer comes after the corner"


def test_a_wrong_gradient_is_refused_near_the_end_of_training_where_all_gradients_are_small():
    p = all_active(random_problem(2, lr=0.01))
    while trace(p)["L"] > 1e-12:
        p = trace(p).next_problem()
    t = trace(p)
    assert np.abs(t["dY1"]).max() < 1e-5
    assert all(verdicts(t).values())
    for name in ("mask-upside-down", "sign-flipped", "factor-two-dropped", "mask-from-gradient"):
        for place in {*MISTAKES[name].possible_at(t)} & {"dy_pred", "dY1"}:
            assert verdicts(plant(t, MISTAKES[name], place))[place] is False, (name, place)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_once_numbers_have_overflowed_no_gradient_is_judged_no_unit_called_dead_and_no_change_told(number):
    t = with_inputs(number)
    assert {*verdicts(t).values()} == {None}
    assert remarks.proof(t, t.step("dW1"))[1].startswith("The numbers have overflowed")
    assert remarks.on_update(t, t.step("W1_new")) == "The numbers have overflowed."
    if math.isnan(number):
        assert remarks.dead_units(t, "H1") == []
        assert remarks.all_dead(t, len(t.steps)) == remarks.on_dead_units(t, t.step("H1")) == ""


# Dead units


@pytest.mark.parametrize(("biases", "told"), [
    ((1.0, -9.0, -1.5), "Unit 1 is off for every sample: it is dead and cannot learn."),
    ((-9.0, 1.0, -8.0, -3.0), "Units 0, 2, 3 are off for every sample: they are dead and cannot learn."),
    ((-3.0, 0.0), "Unit 0 is off for every sample: it is dead and cannot learn."),  # its largest number is exactly 0
    ((1.0, 2.0), ""), ((-9.0, -8.0), ""),  # of a whole layer, all_dead warns
])  # fmt: skip
def test_units_that_are_off_for_every_sample_are_called_dead_at_their_relu_and_nowhere_else(biases, told):
    t = with_first_bias(*biases)
    said = {step.name: remarks.on_dead_units(t, step) for step in t.steps}
    assert {name: sentence for name, sentence in said.items() if sentence} == (
        {"H1": told, "dY1": told} if told else {}
    )


@settings(max_examples=60)
@given(problems())
def test_dead_units_are_the_columns_without_a_positive_number_and_ask_for_no_change(problem):
    t = trace(problem)
    for layer, X, Y, number in problem.network.stages:
        if isinstance(layer, ReLU):
            dead = remarks.dead_units(t, Y)
            assert dead == [j for j in range(t[Y].shape[1]) if max(t[Y][:, j]) <= 0]
            assert not t[f"dW{number}"][:, dead].any()
            told = re.findall(r"\d+", remarks.on_dead_units(t, t.step(f"d{X}")))
            assert list(map(int, told)) == (dead if len(dead) < t[Y].shape[1] else [])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_dead_relu_start_is_told_which_unit_is_dead_and_only_a_relu_can_die(activation):
    t = trace(dead_relu(random_problem(1, activation=activation)))
    said = {step.name for step in t.steps if remarks.on_dead_units(t, step).startswith("Unit 0 ")}
    assert said == ({"H1", "dY1"} if activation == ReLU() else set())
    assert remarks.all_dead(t, len(t.steps)) == ""


def test_a_whole_layer_of_dead_units_is_warned_of_by_its_name_once_it_is_on_the_board():
    t = trace(with_numbers(random_problem(0, hidden=[3, 3]), b2=np.full((1, 3), -100.0)))
    warned = [remarks.all_dead(t, index) for index in range(len(t.steps) + 1)]
    assert warned[:4] == [""] * 4, "Y2 is shown, and H2 is not"
    assert {warning.partition(":")[0] for warning in warned[4:]} == {"Every unit of H2 is off for every sample"}


# The update


@settings(max_examples=60)
@given(problems())
def test_the_change_and_its_ratio_to_the_size_of_the_parameter_are_right(problem):
    t = trace(problem)
    for name, old in problem.network.parameters.items():
        step = np.asarray(t[f"{name}_new"]) - old
        said = remarks.on_update(t, t.step(f"{name}_new"))
        told = re.fullmatch(rf"The largest change is (\S+); the update is (\S+) times the size of {name}\.", said)
        change, ratio = map(typed_number, told.groups())
        assert change == pytest.approx(np.abs(step).max(), rel=0.05)
        assert ratio == pytest.approx(np.linalg.norm(step) / np.linalg.norm(old), rel=0.05)


def test_of_a_parameter_that_is_0_no_ratio_is_told(example):
    largest = plain(np.abs(example["b1_new"]).max(), 2)
    assert remarks.on_update(example, example.step("b1_new")) == f"The largest change is {largest}."


@pytest.mark.parametrize("number", [1e120, 1e160, 1e200, 1e300])
def test_numbers_near_overflow_are_taken_in_silence_and_no_ratio_is_made_up(number):
    """Their squares overflow though they do not; a warning would land under the cell."""
    t = trained(Problem(Network((Linear([[number]], [[0.0]]),)), SumSquaredError(), [[1.0]], [[0.0]], 0.25), 0)
    told = f"The largest change is {plain(number / 2, 2)}; the update is 5.0e−01 times the size of W1."
    assert remarks.on_update(t, t.step("W1_new")) == told


@pytest.mark.parametrize("mistake", MISTAKES)
def test_of_every_update_the_change_and_the_next_loss_are_told_whatever_mistake_is_in_it_and_at_no_other_step(mistake):
    right = trace(worked_example())
    for t in (right, *(plant(right, MISTAKES[mistake], place) for place in MISTAKES[mistake].possible_at(right))):
        for step in t.steps:
            told = remarks.on_update(t, step), remarks.on_next_loss(t, step)
            assert [bool(sentence) for sentence in told] == [step.phase == "update"] * 2


def test_the_next_loss_is_the_one_that_the_next_iteration_has():
    t = trace(random_problem(0, lr=0.01))
    then = plain(trace(t.next_problem())["L"], 6)
    told = f"With all the new weights, the loss will be {then}; now it is {plain(t['L'], 6)}."
    assert {remarks.on_next_loss(t, step) for step in t.steps} == {"", told}
    broken = with_inputs(1e100)
    assert remarks.on_next_loss(broken, broken.step("b1_new")) == "With all the new weights, the loss will overflow."


# The loss


@pytest.mark.parametrize(("losses", "told"), [
    ((3.0, 2.5, 1.25), "The loss went down, from 2.5 to 1.25."), ((1.0, 2.0), "The loss went up, from 1 to 2."),
    ((2.0, 2.0), "The loss did not change."), ((1e300, math.inf), "The loss has overflowed."),
    ((math.inf, math.nan), "The loss has overflowed."), ((3.0,), ""), ((), ""),
    ((252.4, 252.4 * (1 - 1e-9)), "The loss went down, from 252.4 to 252.3999997."),
])  # fmt: skip
def test_the_loss_is_told_to_go_up_or_down_or_to_stay_with_digits_enough_to_see_it(example, losses, told):
    for step in example.steps:
        assert remarks.on_loss(step, losses) == (told if step.name == "L" else "")
