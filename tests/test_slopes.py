"""Slopes: the gate of an activation as a matrix of its own, and that it is what the gradient is multiplied by."""

import numpy as np
import pytest
from common import with_numbers
from hypothesis import given, settings
from problems import ACTIVATIONS, identical, problems

from backprop_lab import Linear, Network, Problem, ReLU, SumSquaredError, Tanh, random_problem, trace
from backprop_lab.ui.values.slopes import is_slope, slope_of, slopes_of, value_of


def test_the_slope_of_a_relu_is_1_where_it_is_on_and_0_where_it_is_off_or_exactly_at_0():
    network = Network((Linear([[1.0, 1.0, 1.0]], [[-1.0, 0.0, 2.0]]), ReLU(), Linear(np.ones((3, 1)), [[0.0]])))
    t = trace(Problem(network, SumSquaredError(), [[0.0]], [[1.0]], 0.1))
    assert slope_of(t, "slope of H1").value.tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(("activation", "code"), [(ReLU(), "H1 > 0"), (Tanh(), "1 - H1**2")], ids=repr)
def test_the_code_of_a_slope_is_how_it_stands_in_the_backward_line(activation, code):
    t = trace(random_problem(0, activation=activation))
    assert slope_of(t, "slope of H1").code == code
    assert code in t.step("dY1").code


@settings(max_examples=100)
@given(problems())
def test_each_activation_has_a_slope_that_its_code_gives_and_that_the_gradient_is_multiplied_by(problem):
    t = trace(problem)
    activations = [(f"slope of {Y}", X, Y) for layer, X, Y, _ in problem.network.stages if not layer.parameters]
    assert [*slopes_of(t)] == [name for name, _, _ in activations]
    for name, X, Y in activations:
        slope = slope_of(t, name)
        assert slope.shown_with == f"d{X}"
        assert slope.value.shape == t[X].shape
        assert np.array_equal(t.evaluate(slope.code), slope.value)
        assert np.allclose(t[f"d{Y}"] * slope.value, t[f"d{X}"], rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", ["slope of H2", "slope of Y1", "slope of ", "W1", ""])
def test_a_slope_that_there_is_none_of_is_refused(name):
    with pytest.raises(KeyError, match="there is no"):
        slope_of(trace(random_problem(0)), name)


def test_what_stands_in_a_box_is_a_slope_or_a_value_of_the_trace_and_only_a_slope_is_called_one(example):
    assert value_of(example, "dW1") is example["dW1"]
    assert value_of(example, "lr") == example["lr"]
    assert identical(value_of(example, "slope of H1"), slope_of(example, "slope of H1").value)
    assert [name for name in (*example.names, "slope of H1") if is_slope(name)] == ["slope of H1"]
    with pytest.raises(KeyError, match="slope of H7"):
        value_of(example, "slope of H7")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e308])
def test_numbers_that_have_overflowed_are_taken_in_silence(activation, number):
    with np.errstate(all="ignore"):
        t = trace(with_numbers(random_problem(0, activation=activation), W1=np.full((3, 4), number)))
    assert slope_of(t, "slope of H1").value.shape == (2, 4)
