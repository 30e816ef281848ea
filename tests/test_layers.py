"""The layers one by one: their numbers by hand, and that what a layer holds is its own and read-only."""

import math

import numpy as np
import pytest
from problems import ACTIVATIONS, identical

from backprop_lab import Linear, ReLU, Sigmoid, Tanh

W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
b = np.array([[10.0, 20.0, 30.0]])
X = np.array([[1.0, -1.0], [0.5, 2.0]])


def test_linear_weighs_sums_and_shifts_and_takes_plain_lists():
    expected = np.array([[7.0, 17.0, 27.0], [18.5, 31.0, 43.5]])
    assert identical(Linear(W, b).forward(X), expected)
    assert identical(Linear([[1, 2, 3], [4, 5, 6]], [[10, 20, 30]]).forward(X), expected)


def test_linear_takes_a_gradient_back_to_its_input_weights_and_bias():
    dY = np.array([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0]])
    assert identical(Linear(W, b).backward(X, dY), np.array([[7.0, 16.0], [1.0, 1.0]]))
    grads = Linear(W, b).gradients(X, dY)
    assert list(grads) == ["W", "b"]
    assert identical(grads["W"], np.array([[0.5, 0.5, 2.0], [-3.0, 2.0, -2.0]]))
    assert identical(grads["b"], np.array([[0.0, 1.0, 2.0]]))


@pytest.mark.parametrize(("layer", "x", "y", "slope"), [
    (ReLU(), -2.0, 0.0, 0.0), (ReLU(), 0.0, 0.0, 0.0), (ReLU(), 3.0, 3.0, 1.0),
    (Tanh(), 0.0, 0.0, 1.0), (Tanh(), math.log(2), 0.6, 0.64), (Tanh(), -math.log(2), -0.6, 0.64),
    (Sigmoid(), 0.0, 0.5, 0.25), (Sigmoid(), math.log(3), 0.75, 0.1875), (Sigmoid(), -math.log(3), 0.25, 0.1875),
    (Sigmoid(), -1e4, 0.0, 0.0), (Sigmoid(), 1e4, 1.0, 0.0),  # its ends, where a power overflows in silence
])  # fmt: skip
def test_an_activation_has_the_value_and_the_slope_worked_out_by_hand(layer, x, y, slope):
    assert layer.forward(np.array([[x]])) == pytest.approx(y, rel=1e-14, abs=0)
    assert layer.backward(np.array([[x]]), dY=np.array([[10.0]])) == pytest.approx(10 * slope, rel=1e-14, abs=0)


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_an_activation_has_nothing_to_learn(layer):
    assert (layer.parameters, layer.gradients(X, X)) == ({}, {})
    assert layer.with_parameters({}) is layer


@pytest.mark.parametrize("make", [Linear, lambda W, b: Linear(0 * W, b).with_parameters({"W": W, "b": b})])
def test_linear_keeps_its_own_read_only_copy_whatever_becomes_of_the_callers_arrays(make):
    mine = W.copy(), b.copy()
    views = mine[0][:], mine[1][:]
    for view in views:
        view.setflags(write=False)
    layers = make(*mine), make(*views)
    mine[0][0, 0] = mine[1][0, 0] = 99
    for parameters in (layer.parameters for layer in layers):
        assert identical(parameters["W"], W)
        assert identical(parameters["b"], b)
        assert not any(array.flags.writeable for array in parameters.values())


def test_other_numbers_of_the_same_kind_are_not_copied_again_if_nobody_can_write_to_them():
    layer = Linear(2 * W, 2 * b)
    same = Linear(W, b).with_parameters(layer.parameters)
    assert same.W is layer.W
    assert same.b is layer.b
