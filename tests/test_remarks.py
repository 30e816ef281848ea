"""Remarks on a step: which units are dead, how far the weights moved."""

import math
import re

import numpy as np
import pytest
from common import trained, with_first_bias, with_numbers
from hypothesis import given, settings
from problems import ACTIVATIONS, problems

from backprop_lab import MISTAKES, Linear, Network, Problem, ReLU, SumSquaredError, plant, random_problem, trace
from backprop_lab.number_format import plain, typed_number
from backprop_lab.ui.steps import remarks


def test_units_that_are_off_for_every_sample_are_called_dead_at_their_relu_and_nowhere_else():
    for biases, told in [
        ((-9.0, 1.0, -8.0, -3.0), "Units 0, 2, 3 are off for every sample: they are dead and cannot learn."),
        ((-3.0, 0.0), "Unit 0 is off for every sample: it is dead and cannot learn."),  # its largest number is 0
        ((1.0, 2.0), ""), ((-9.0, -8.0), ""),  # of a whole layer, all_dead warns
    ]:  # fmt: skip
        t = with_first_bias(*biases)
        said = {(step.name, remarks.on_dead_units(t, step)) for step in t.steps}
        assert {each for each in said if each[1]} == ({("H1", told), ("dY1", told)} if told else set())
    t = trace(with_numbers(random_problem(0, hidden=[3, 3]), b2=[[-100.0, 100.0, -100.0]]))
    assert "they may come back when the layers before change" in remarks.on_dead_units(t, t.step("dY2"))
    for biases in ((1.0, -9.0), (-9.0, -9.0)):
        planted = plant(with_first_bias(*biases), MISTAKES["mask-forgotten"], "dY1")  # which gives them a gradient
        said = remarks.on_dead_units(planted, planted.step("H1")) or remarks.all_dead(planted, 4)
        assert ("should" in said, "cannot learn" in said) == (True, False)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_only_a_relu_can_die_and_a_whole_layer_of_dead_units_is_warned_of_once_it_is_on_the_board(activation):
    problem = random_problem(0, hidden=[3, 3], activation=activation)
    t = trace(with_numbers(problem, b2=np.full((1, 3), -1000.0)))
    warned = [remarks.all_dead(t, index).partition(":")[0] for index in range(len(t.steps) + 1)]
    warning = "Every unit of H2 is off for every sample" if activation == ReLU() else ""
    assert warned == [""] * 4 + [warning] * (len(warned) - 4), "with index 3, Y2 is shown, and H2 is not"


@settings(max_examples=60)
@given(problems())
def test_of_each_update_and_no_other_step_the_change_and_its_ratio_to_the_size_of_the_parameter_are_told(problem):
    t = trace(problem)
    for step in t.steps:
        told = remarks.on_update(t, step), remarks.on_next_loss(t, step)
        assert [bool(sentence) for sentence in told] == [step.phase == "update"] * 2
    for name, old in problem.network.parameters.items():
        step = np.asarray(t[f"{name}_new"]) - old
        said = remarks.on_update(t, t.step(f"{name}_new"))
        told = re.fullmatch(rf"The largest change is (\S+); the update is (\S+) times the size of {name}\.", said)
        change, ratio = map(typed_number, told.groups())
        assert change == pytest.approx(np.abs(step).max(), rel=0.05)
        assert ratio == pytest.approx(np.linalg.norm(step) / np.linalg.norm(old), rel=0.05)


def test_near_overflow_no_ratio_is_made_up_and_beyond_it_no_unit_is_called_dead_and_no_change_and_no_loss_told():
    t = trained(Problem(Network((Linear([[1e300]], [[0.0]]),)), SumSquaredError(), [[1.0]], [[0.0]], 0.25), 0)
    assert remarks.on_update(t, t.step("W1_new")).endswith("; the update is 5.0e−01 times the size of W1.")
    assert "times" not in remarks.on_update(t, t.step("b1_new")), "of a parameter that is 0 no ratio is told"
    for number in (1e100, np.inf, np.nan):
        t = trained(random_problem(0).evolve(X=np.full((2, 3), number)), 0)
        assert remarks.on_next_loss(t, t.step("b1_new")) == "With all the new weights, the loss will overflow."
    assert remarks.on_update(t, t.step("W1_new")) == "The numbers have overflowed."
    assert remarks.all_dead(t, len(t.steps)) == remarks.on_dead_units(t, t.step("H1")) == ""


def test_the_loss_is_told_to_go_up_or_down_or_to_stay_with_digits_enough_to_see_it_and_what_the_next_one_is():
    t = trace(random_problem(0, lr=0.01))
    then, now = plain(trace(t.next_problem())["L"], 6), plain(t["L"], 6)
    told = f"With all the new weights, the loss will be {then}; now it is {now}."
    assert remarks.on_next_loss(t, t.step("b1_new")) == told
    for losses, told in [
        ((3.0, 2.5, 1.25), "The loss went down, from 2.5 to 1.25."), ((1.0, 2.0), "The loss went up, from 1 to 2."),
        ((2.0, 2.0), "The loss did not change."), ((math.inf, math.nan), "The loss has overflowed."), ((3.0,), ""),
        ((252.4, 252.4 * (1 - 1e-9)), "The loss went down, from 252.4 to 252.3999997."),
    ]:  # fmt: skip
        for step in t.steps:
            assert remarks.on_loss(step, losses) == (told if step.name == "L" else "")
