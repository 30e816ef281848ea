"""The backward pass against gradients found without calculus, and proof that an error in it does not go unnoticed."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from common import count, gradients_of, off_by
from hypothesis import given, settings
from problems import exact_problems, identical, problems

from backprop_lab import MISTAKES, Linear, Network, Problem, SumSquaredError, check_gradients, plant, prove, trace
from backprop_lab.gradcheck import central_difference, complex_step_derivative, loss_of, loss_with, relative_error
from backprop_lab.proving import check_step


def one_weight(W, b, X, y):
    return Problem(Network((Linear([[W]], [[b]]),)), SumSquaredError(), [[X]], [[y]], 0.1)


def slopes(t, gradient, derivative):
    name = gradient.removeprefix("d")
    return derivative(loss_of(t.problem, name), t[name])


def test_a_large_parameter_is_moved_by_more():
    """L = (w - 99 999 997)^2 at w = 10^8, where a move of 10^-6 would drown in the rounding."""
    t = trace(one_weight(1e8, 0.0, X=1.0, y=1e8 - 3))
    assert slopes(t, "dW1", central_difference) == pytest.approx(6, rel=1e-12)


def test_the_loss_follows_any_value_it_depends_on_alone_or_in_a_stack_and_nothing_else(example):
    follows = ["X", "Y1", "H1", "y_pred", "W1", "b1", "W2", "b2"]
    for name in follows:
        stack = np.stack([example[name], example[name] + 1, example[name] - 1])
        alone = [loss_with(example.problem, name, value) for value in stack]
        assert alone[0] == example["L"]
        np.testing.assert_allclose(loss_with(example.problem, name, stack), alone)
    with pytest.raises(KeyError, match=f"'y', only on {', '.join(follows)}"):
        loss_with(example.problem, "y", np.ones((2, 2)))


def test_every_gradient_on_the_way_back_agrees_with_the_complex_step_to_the_rounding_of_its_terms():
    errors = []

    @settings(max_examples=count(500))
    @given(problems())
    def compare(problem):
        t = trace(problem)
        errors.extend(off_by(t, name, slopes(t, name, complex_step_derivative)) for name in gradients_of(t))
        assert max(errors) < 1e-14

    compare()
    print(f"\n  complex step: {len(errors)} gradients, off by {max(errors):.0e} at most")  # noqa: T201


@settings(max_examples=count(200))
@given(exact_problems())
def test_every_gradient_on_the_way_back_through_a_relu_network_of_fractions_is_exact(problem):
    """The loss is a parabola in every value, so its central difference is its slope; no ReLU switches within this h."""
    t, derivative = trace(problem), partial(central_difference, h=Fraction(1, 10**30))
    for name in gradients_of(t):
        assert identical(t[name], slopes(t, name, derivative))


def test_an_error_is_relative_to_the_larger_of_both_and_taken_at_the_values_of_a_trace_even_of_a_wrong_one(example):
    """L = (3w + b - 4)^2 at w = 2, b = 1 is 9; dL/dw = 2 * 3 * 3 and dL/db = 2 * 3."""
    p = one_weight(2.0, 1.0, X=3.0, y=4.0)
    for numeric in (central_difference, complex_step_derivative):
        errors = check_gradients(p, {"W1": np.array([[20.0]]), "b1": np.array([[0.5]])}, numeric)
        assert errors == {"W1": pytest.approx((20 - 18) / 20), "b1": pytest.approx((6 - 0.5) / 6)}
        assert check_gradients(p, {"W1": np.array([[20.0]]), "b1": np.array([[6.0]])}, numeric)["b1"] < 1e-8
    assert check_step(plant(example, MISTAKES["activation-forgotten"], "H1"), "dy_pred") < 1e-9


def test_what_is_no_gradient_is_refused_with_those_there_are_and_one_that_is_missing_or_misshapen_by_name(example):
    for ask in (check_step, prove):
        with pytest.raises(KeyError, match=r"'H1' is not a .*; those are dy_pred, dH1, dW2, db2, dY1, dW1, db1"):
            ask(example, "H1")
    with pytest.raises(KeyError, match=r"no gradient for b1; got W1\b"):
        check_gradients(example.problem, {"W1": example["dW1"]})


def test_a_relative_error_is_a_share_of_the_largest_number_and_0_where_all_are_0():
    for one, other, error in [([0.0, 0.0], [0.0, 0.0], 0.0), ([1.0, 50.0], [1.5, 49.0], 0.02), ([1.0], [-4.0], 1.25)]:
        assert relative_error(np.array(one), np.array(other)) == error
