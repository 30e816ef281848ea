"""The backward pass against gradients found without our calculus, and that an error in it does not go unnoticed."""

from fractions import Fraction
from functools import partial

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from common import check_cases, complex_step_derivative, count, gradients_of, through
from problems import identical, varied_problem, whole_problem

from backprop_lab import MISTAKES, check_gradients, plant, trace
from backprop_lab.checks.numeric import central_difference, loss_of, loss_with, off_at_zero, relative_error
from backprop_lab.checks.proof import check_step
from backprop_lab.checks.rounding import terms_in
from backprop_lab.nn.activations import GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from backprop_lab.nn.layers import Linear
from backprop_lab.nn.losses import (
    BinaryCrossEntropy,
    HalfSquaredError,
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumSquaredError,
)


def slopes(t, gradient, derivative, lines_of=lambda problem: problem.lines):
    name = gradient.removeprefix("d")
    return derivative(loss_of(t.problem, name, lines_of(t.problem)), t[name])


def test_a_large_parameter_is_moved_by_more():
    """L = (w - 99 999 997)^2 at w = 10^8, where a move of 10^-6 would drown in the rounding."""
    t = through(Linear([[1e8]], [[0.0]]), X=[[1.0]], y=[[1e8 - 3]])
    assert slopes(t, "dW1", central_difference) == pytest.approx(6, rel=1e-12)
    assert central_difference(lambda w: w[0] ** 3, np.array([0.5]), h=0.5) == 3 * 0.5**2 + 0.5**2, "by h"
    X = np.arange(6.0).reshape(2, 3)
    for derivative in (central_difference, complex_step_derivative):  # of any function of an array
        np.testing.assert_allclose(
            derivative(lambda W: np.sum((X @ W) ** 2), np.ones((3, 1))), 2 * X.T @ X @ np.ones((3, 1))
        )


def by_autograd(problem):
    """The loss and {"dW1": ...}, from nothing but the forward pass written once more."""
    squash = {
        ReLU: lambda v: anp.maximum(v, 0),
        Tanh: anp.tanh,
        Sigmoid: lambda v: 1 / (1 + anp.exp(-v)),
        LeakyReLU: lambda v: anp.where(v > 0, v, 0.01 * v),
        GELU: lambda v: v * 0.5 * (1 + anp.tanh((2 / anp.pi) ** 0.5 * (v + 0.044715 * v * v * v))),
    }

    def loss(parameters):
        found, value = iter(parameters), problem.X
        for layer in problem.network.layers:
            value = anp.dot(value, next(found)) + next(found) if layer.parameters else squash[type(layer)](value)
        if isinstance(problem.loss, SoftmaxCrossEntropy):
            return -anp.sum(problem.y * (value - anp.log(anp.sum(anp.exp(value), axis=1, keepdims=True)))) / len(value)
        if isinstance(problem.loss, BinaryCrossEntropy):
            return -anp.mean(anp.log(anp.where(problem.y == 1, value, 1 - value)))
        if isinstance(problem.loss, SigmoidCrossEntropy):
            return anp.mean(anp.logaddexp(0, anp.where(problem.y == 1, -value, value)))
        squares = (value - problem.y) ** 2
        of_kind = {
            SumSquaredError: anp.sum,
            HalfSquaredError: lambda each: anp.sum(each) / 2,
            MeanSquaredError: anp.mean,
        }
        return of_kind[type(problem.loss)](squares)

    parameters = list(problem.network.parameters.values())
    return loss(parameters), autograd.grad(loss)(parameters)


def off_by(t, name, other):
    return float(np.max(np.abs(other - t[name])) / (np.max(terms_in(t)[name].terms) or 1))


def test_every_gradient_agrees_with_the_complex_step_and_another_library_to_rounding():
    by_step, by_library = [], []
    for t in (trace(whole_problem(seed)) for seed in range(count(500))):  # a dropout puts a ReLU at its corner
        off = [off_by(t, d, slopes(t, d, complex_step_derivative, off_at_zero)) for d in gradients_of(t)]
        by_step += off
    for t in (trace(varied_problem(seed)) for seed in range(count(500))):
        by_step += [off_by(t, name, slopes(t, name, complex_step_derivative)) for name in gradients_of(t)]
        loss, gradients = by_autograd(t.problem)
        by_library.append(off_by(t, "L", loss))
        for name, gradient in zip(t.problem.network.parameters, gradients, strict=True):
            by_library.append(off_by(t, f"d{name}", gradient))
    assert max(by_step + by_library) < 1e-14
    print(f"{len(by_step)} gradients, off by {max(by_step):.0e} at most from the complex step,")  # noqa: T201
    print(f"and those of parameters, with the loss, by {max(by_library):.0e} from autograd")  # noqa: T201


def test_every_gradient_on_the_way_back_through_a_relu_network_of_fractions_is_exact():
    """The loss is a parabola in every value, so its central difference is its slope; no ReLU switches within this h."""
    derivative = partial(central_difference, h=Fraction(1, 10**30))
    for t in (trace(varied_problem(seed, exact=True)) for seed in range(count(200))):
        assert all(identical(t[name], slopes(t, name, derivative)) for name in gradients_of(t))


def test_an_error_is_relative_to_the_larger_and_taken_at_the_traces_values(example):
    """L = (3w + b - 4)^2 at w = 2, b = 1 is 9; dL/dw = 2 * 3 * 3 and dL/db = 2 * 3."""
    p = through(Linear([[2.0]], [[1.0]]), X=[[3.0]], y=[[4.0]]).problem
    errors = check_gradients(p, {"W1": np.array([[20.0]]), "b1": np.array([[0.5]])})
    assert errors == {"W1": pytest.approx((20 - 18) / 20), "b1": pytest.approx((6 - 0.5) / 6)}
    assert check_gradients(p, {"W1": np.array([[20.0]]), "b1": np.array([[6.0]])})["b1"] < 1e-8
    assert check_step(plant(example, MISTAKES["activation-forgotten"], "H1"), "dy_pred") < 1e-9
    assert relative_error(np.array([1.0, 50.0]), np.array([1.5, 49.0])) == 1 / 50, "a share of the largest number"
    assert loss_with(p, "X", np.array([[[3.0]], [[4.0]]])).tolist() == [9, 25], "of a stack, one loss for each"


def test_what_is_no_gradient_is_refused_with_the_sentence_that_somebody_has_read():
    check_cases("gradients", globals())
