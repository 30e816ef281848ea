"""Slopes: the gate of an activation as a matrix of its own, and that it is what the gradient is multiplied by."""

from typing import ClassVar

import numpy as np
import pytest
from common import with_first_bias, with_numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from own_parts import OWN_PROBLEMS, LeakyReLU, Softmax
from problems import identical, problems

from backprop_lab import Activation, random_problem, trace
from backprop_lab.ui.values.slopes import slope_of, slopes_of, value_of


@settings(max_examples=100)
@given(problems() | st.sampled_from([*OWN_PROBLEMS.values()]))
def test_each_activation_has_a_slope_that_its_code_gives_and_that_the_gradient_is_multiplied_by(problem):
    t = trace(problem)
    one_by_one = [stage for stage in problem.network.stages if not (stage[0].parameters or type(stage[0]) is Softmax)]
    assert [*slopes_of(t)] == [f"slope of {Y}" for _, _, Y, _ in one_by_one]
    for _, X, Y, _ in one_by_one:
        slope = slope_of(t, f"slope of {Y}")
        assert slope.shown_with == f"d{X}"
        assert slope.code in t.step(f"d{X}").code, "as it stands in the backward line"
        assert slope.value.shape == t[X].shape
        assert np.array_equal(t.evaluate(slope.code), slope.value)
        assert np.allclose(t[f"d{Y}"] * slope.value, t[f"d{X}"], rtol=1e-14, atol=0)


class LessItsMean(Activation):
    """Not cell by cell: the mean is over the samples."""

    forward = staticmethod(lambda X: X - X.mean(axis=-2, keepdims=True))
    backward = staticmethod(lambda X, dY: dY - dY.mean(axis=-2, keepdims=True))
    formulas: ClassVar = {"Y": "{X} - {X}.mean(axis=0, keepdims=True)", "dX": "{dY} - {dY}.mean(axis=0, keepdims=True)"}


@pytest.mark.parametrize("layer", [Softmax(), LessItsMean()])
def test_a_layer_that_is_not_cell_by_cell_has_no_slope_even_where_its_numbers_look_as_if_it_had(layer):
    """Where a softmax is sure, or has one unit alone, dX is 0, or 1e-17: that is not 0 times dY for another dY."""
    for samples, hidden, scale in [(1, 1, 1), (2, 1, 1), (1, 3, 1), (3, 3, 0), (3, 3, 50), (3, 3, 1e5), (1, 2, 1e-12)]:
        p = random_problem(0, samples, hidden=hidden, activation=layer)
        for at in ({"W1": scale * p.network.parameters["W1"]}, {"X": scale * p.X}):
            assert slopes_of(trace(with_numbers(p, **at))) == {}, (samples, hidden, scale)


class Otherwise(LeakyReLU):
    """Its line for dX does not begin with dY times something."""

    formulas: ClassVar = LeakyReLU.formulas | {"dX": "np.where({Y} > 0, {dY}, {slope} * {dY})"}


def test_a_slope_is_found_however_the_line_is_written_and_is_that_from_the_left_at_a_corner():
    t = with_first_bias(-2.0)  # of 1, 2 and 3
    assert (slope_of(t, "slope of H1").value.tolist(), slope_of(t, "slope of H1").code) == ([[0], [0], [1]], "H1 > 0")
    for layer in (LeakyReLU(0.3), Otherwise(0.3)):
        t = trace(random_problem(0, activation=layer))
        assert identical(slope_of(t, "slope of H1").value, np.where(t["Y1"] > 0, 1, 0.3))


def test_what_stands_in_a_box_is_a_slope_or_a_value_of_the_trace_and_what_there_is_not_is_refused(example):
    assert value_of(example, "dW1") is example["dW1"]
    assert identical(value_of(example, "slope of H1"), slope_of(example, "slope of H1").value)
    with pytest.raises(KeyError, match="there is no 'slope of H2'"):
        slope_of(example, "slope of H2")
