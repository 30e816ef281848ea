"""Slopes: the gate of an activation as a matrix of its own, and that it is what the gradient is multiplied by."""

import numpy as np
import pytest
from hypothesis import given, settings
from problems import identical, problems

from backprop_lab import Linear, Network, Problem, ReLU, Sigmoid, SumSquaredError, Tanh, random_problem, trace
from backprop_lab.ui.values.slopes import is_slope, slope_of, value_of


def slopes(t):
    """Every slope of a trace, with what enters and leaves its activation."""
    stages = t.problem.network.stages
    return [(f"slope of {Y}", X, Y) for layer, X, Y, _ in stages if not layer.parameters]


def test_the_slope_of_a_relu_is_1_where_it_is_on_and_0_where_it_is_off():
    t = trace(random_problem(3))
    slope = slope_of(t, "slope of H1")
    assert identical(slope.value, np.where(t["Y1"] > 0, 1.0, 0.0))
    assert set(slope.value.flat) == {0, 1}


def test_at_exactly_0_the_gate_is_shut():
    network = Network((Linear([[1.0, 1.0]], [[0.0, 1.0]]), ReLU(), Linear([[1.0], [1.0]], [[0.0]])))
    t = trace(Problem(network, SumSquaredError(), [[0.0]], [[1.0]], 0.1))
    assert slope_of(t, "slope of H1").value.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("activation", "code"), [(ReLU(), "H1 > 0"), (Tanh(), "1 - H1**2"), (Sigmoid(), "H1 * (1 - H1)")]
)
def test_the_code_of_a_slope_is_how_it_stands_in_the_backward_line(activation, code):
    t = trace(random_problem(0, activation=activation))
    assert slope_of(t, "slope of H1").code == code
    assert code in t.step("dY1").code


@settings(max_examples=100)
@given(problems())
def test_the_code_of_a_slope_gives_its_value(problem):
    t = trace(problem)
    for name, _, _ in slopes(t):
        slope = slope_of(t, name)
        assert np.array_equal(eval(slope.code, {"np": np}, {n: t[n] for n in t}), slope.value)


@settings(max_examples=100)
@given(problems())
def test_the_gradient_times_the_slope_is_the_gradient_further_back(problem):
    t = trace(problem)
    for name, X, Y in slopes(t):
        slope = slope_of(t, name)
        assert np.allclose(t[f"d{Y}"] * slope.value, t[f"d{X}"], rtol=1e-14, atol=0)
        assert slope.value.shape == t[X].shape
        assert slope.shown_with == f"d{X}"


def test_each_layer_has_a_slope_of_its_own():
    t = trace(random_problem(0, hidden=[2, 3, 4], samples=5))
    for number, units in [(1, 2), (2, 3), (3, 4)]:
        slope = slope_of(t, f"slope of H{number}")
        assert (slope.code, slope.value.shape) == (f"H{number} > 0", (5, units))


def test_an_activation_at_the_end_has_a_slope_too():
    p = random_problem(1)
    t = trace(Problem(Network((*p.network.layers, ReLU())), p.loss, p.X, p.y, p.lr))
    assert slope_of(t, "slope of y_pred").code == "y_pred > 0"
    assert slope_of(t, "slope of y_pred").shown_with == "dY2"


@pytest.mark.parametrize("name", ["slope of H2", "slope of H0", "slope of Y1", "slope of ", "slope1", "W1", ""])
def test_a_slope_that_there_is_none_of_is_refused(name):
    with pytest.raises(KeyError, match="there is no"):
        slope_of(trace(random_problem(0)), name)


def test_what_stands_in_a_box_is_a_slope_or_a_value_of_the_trace():
    t = trace(random_problem(0))
    assert value_of(t, "dW1") is t["dW1"]
    assert value_of(t, "lr") == t["lr"]
    assert identical(value_of(t, "slope of H1"), slope_of(t, "slope of H1").value)
    with pytest.raises(KeyError, match="slope of H7"):
        value_of(t, "slope of H7")


def test_only_a_slope_is_called_one():
    t = trace(random_problem(0, hidden=[2, 2]))
    assert not any(is_slope(name) for name in t.names)
    assert is_slope("slope of H1")


@pytest.mark.parametrize("activation", [ReLU(), Tanh(), Sigmoid()])
def test_numbers_that_have_overflowed_are_taken_in_silence(activation):
    p = random_problem(0, activation=activation)
    for number in (np.nan, np.inf, -np.inf, 1e308):
        W1 = np.full((3, 4), number)
        with np.errstate(all="ignore"):
            t = trace(Problem(p.network.with_parameters(p.network.parameters | {"W1": W1}), p.loss, p.X, p.y, 0.1))
        assert slope_of(t, "slope of H1").value.shape == (2, 4)
