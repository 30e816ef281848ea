"""The layers one by one: their numbers by hand, that they change nothing they are given, and what they refuse."""

import math
from fractions import Fraction

import numpy as np
import pytest
from problems import ACTIVATIONS, identical, is_exact

from backprop_lab import Linear, ReLU, Sigmoid, Tanh

W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
b = np.array([[10.0, 20.0, 30.0]])
X = np.array([[1.0, -1.0], [0.5, 2.0]])
LAYERS = [Linear(W, b), *ACTIVATIONS]


def kind(layer):
    return type(layer).__name__


def run(layer, X):
    """Everything a layer gives for X, with a gradient of ones coming back."""
    Y = layer.forward(X)
    dY = np.ones_like(Y)
    return [Y, layer.backward(X, dY), *layer.gradients(X, dY).values()]


# By hand


def test_linear_weighs_sums_and_shifts():
    assert identical(Linear(W, b).forward(X), np.array([[7.0, 17.0, 27.0], [18.5, 31.0, 43.5]]))


def test_linear_takes_a_gradient_back_to_its_input_weights_and_bias():
    dY = np.array([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0]])
    assert identical(Linear(W, b).backward(X, dY), np.array([[7.0, 16.0], [1.0, 1.0]]))
    grads = Linear(W, b).gradients(X, dY)
    assert list(grads) == ["W", "b"]
    assert identical(grads["W"], np.array([[0.5, 0.5, 2.0], [-3.0, 2.0, -2.0]]))
    assert identical(grads["b"], np.array([[0.0, 1.0, 2.0]]))


@pytest.mark.parametrize(
    ("layer", "x", "y", "slope"),
    [
        (ReLU(), -2.0, 0.0, 0.0),
        (ReLU(), 0.0, 0.0, 0.0),
        (ReLU(), 3.0, 3.0, 1.0),
        (Tanh(), 0.0, 0.0, 1.0),
        (Tanh(), math.log(2), 0.6, 0.64),
        (Tanh(), -math.log(2), -0.6, 0.64),
        (Sigmoid(), 0.0, 0.5, 0.25),
        (Sigmoid(), math.log(3), 0.75, 0.1875),
        (Sigmoid(), -math.log(3), 0.25, 0.1875),
    ],
)
def test_an_activation_has_the_value_and_the_slope_worked_out_by_hand(layer, x, y, slope):
    assert layer.forward(np.array([[x]])) == pytest.approx(y, rel=1e-14)
    assert layer.backward(np.array([[x]]), dY=np.array([[10.0]])) == pytest.approx(10 * slope, rel=1e-14)


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=kind)
def test_an_activation_has_nothing_to_learn(layer):
    assert (layer.parameters, layer.gradients(X, X)) == ({}, {})
    assert layer.with_parameters({}) is layer


@pytest.mark.parametrize(("x", "y"), [(-1e4, 0.0), (1e4, 1.0)])
def test_sigmoid_reaches_its_ends_without_a_warning(x, y):
    assert run(Sigmoid(), np.array([[x]])) == [y, 0]


# Pure


@pytest.mark.parametrize("layer", LAYERS, ids=kind)
def test_a_layer_leaves_its_inputs_as_they_were(layer):
    x = np.array([[1.0, -1.0], [0.5, 2.0]])
    dy = np.ones_like(layer.forward(x))
    x_before, dy_before = x.copy(), dy.copy()
    layer.backward(x, dy)
    layer.gradients(x, dy)
    assert identical(x, x_before)
    assert identical(dy, dy_before)
    assert x.flags.writeable
    assert dy.flags.writeable


@pytest.mark.parametrize("layer", LAYERS, ids=kind)
def test_a_layer_remembers_nothing_between_two_calls(layer):
    first = run(layer, X)
    run(layer, X + 1)
    assert all(map(identical, first, run(layer, X)))


@pytest.mark.parametrize("layer", LAYERS, ids=kind)
def test_a_layer_returns_new_arrays_not_views_of_what_it_was_given(layer):
    assert not any(np.shares_memory(result, X) for result in run(layer, X))


def test_linear_keeps_its_own_copy_whatever_becomes_of_the_callers_arrays():
    my_W, my_b = W.copy(), b.copy()
    layer = Linear(my_W, my_b)
    my_W[0, 0] = my_b[0, 0] = 99
    assert identical(layer.W, W)
    assert identical(layer.b, b)


def test_linear_keeps_its_own_copy_of_a_read_only_view():
    mine = W.copy()
    view = mine[:]
    view.setflags(write=False)
    layer = Linear(view, b)
    mine[0, 0] = 99
    assert identical(layer.W, W)


@pytest.mark.parametrize("kind", ["mine to write to", "a read-only view of mine"])
def test_other_numbers_are_copied_too_unless_nobody_can_write_to_them(kind):
    mine = 2 * W
    new = mine if "write" in kind else mine[:]
    new.setflags(write=new is mine)
    layer = Linear(W, b).with_parameters({"W": new, "b": b})
    mine[0, 0] = 99
    assert identical(layer.W, 2 * W)
    again = Linear(W, b).with_parameters(layer.parameters)
    assert again.W is layer.W


@pytest.mark.parametrize("name", ["W", "b"])
def test_the_parameters_of_a_layer_are_read_only(name):
    with pytest.raises(ValueError, match="read-only"):
        Linear(W, b).parameters[name][0, 0] = 99


# Kinds of numbers


@pytest.mark.parametrize("layer", [Linear(W.astype("f4"), b.astype("f4")), *ACTIVATIONS], ids=kind)
def test_float32_stays_float32(layer):
    assert {result.dtype for result in run(layer, X.astype("f4"))} == {np.dtype("f4")}


@pytest.mark.parametrize("layer", LAYERS, ids=kind)
def test_complex_numbers_pass_through_with_both_their_parts(layer):
    """With a tiny imaginary part, the real part is what it was and the imaginary part is the slope's."""
    h = 1e-20
    moved = layer.forward(X + 1j * h)
    slope = layer.forward(np.ones_like(X)) - b if isinstance(layer, Linear) else layer.backward(X, np.ones_like(X))
    np.testing.assert_allclose(moved.real, layer.forward(X), rtol=1e-14)
    np.testing.assert_allclose(moved.imag / h, slope, rtol=1e-14)


def test_fractions_pass_through_exactly():
    third = Fraction(1, 3)
    x = np.array([[third, -third]])
    Y, dX, dW, db = run(Linear([[third], [1]], [[third]]), x)
    assert Y.tolist() == [[Fraction(1, 9)]]
    assert dX.tolist() == [[third, 1]]
    assert dW.tolist() == [[third], [-third]]
    assert db.tolist() == [[1]]
    relu_Y, relu_dX = run(ReLU(), x)
    assert relu_Y.tolist() == [[third, 0]]
    assert relu_dX.tolist() == [[1, 0]]
    assert all(map(is_exact, [Y, dX, dW, db, relu_Y]))


@pytest.mark.parametrize("layer", LAYERS, ids=kind)
def test_whole_numbers_work(layer):
    whole = np.array([[1, -2], [0, 3]])
    for result, expected in zip(run(layer, whole), run(layer, whole.astype(float)), strict=True):
        np.testing.assert_array_equal(result, expected)


def test_linear_takes_plain_lists():
    layer = Linear([[1, 2, 3], [4, 5, 6]], [[10, 20, 30]])
    np.testing.assert_array_equal(layer.forward(X), Linear(W, b).forward(X))


# Refused


@pytest.mark.parametrize(
    ("wrong_W", "wrong_b", "message"),
    [
        (W, b[0], r"b must be one row as wide as W, of shape \(1, 3\); got b \(3,\) for W \(2, 3\)"),
        (W, b.T, r"of shape \(1, 3\); got b \(3, 1\)"),
        (W, np.zeros((2, 3)), r"of shape \(1, 3\); got b \(2, 3\)"),
        (W, np.zeros((1, 2)), r"of shape \(1, 3\); got b \(1, 2\)"),
        (W, 0.0, r"of shape \(1, 3\); got b \(\)"),
        (W[0], b, r"W must have shape \(inputs, outputs\).*got \(3,\)"),
        (np.zeros((0, 3)), b, r"W must have shape.*got \(0, 3\)"),
        (np.zeros((3, 0)), np.zeros((1, 0)), r"W must have shape.*got \(3, 0\)"),
        ([[1, 2], [3]], b, "W must be a full table of numbers, but its rows differ in length"),
        (W, [[1, 2], [3]], "b must be a full table of numbers"),
        ("W", b, "W must hold numbers, got.*'W'"),
        ([["1", "2"]], b, "W must hold numbers"),
        (W > 2, b, "W must hold numbers, got bool"),
        (W, [["a", "b", "c"]], "b must hold numbers"),
        ([[1.0, None]], b, "W must hold numbers, got object"),
        (np.stack([W] * 5), np.zeros((1, 2)), r"of shape \(1, 3\); got b \(1, 2\) for W \(5, 2, 3\)"),
        (np.stack([W] * 5), np.stack([b] * 4), r"a stack has as many b as W; got b \(4, 1, 3\) for W \(5, 2, 3\)"),
    ],
)
def test_linear_refuses_parameters_that_do_not_fit_and_says_what_would(wrong_W, wrong_b, message):
    with pytest.raises(ValueError, match=message):
        Linear(wrong_W, wrong_b)


def test_linear_refuses_other_parameters_that_do_not_fit_in_the_same_words():
    letters = np.array([["a", "b", "c"]])
    letters.setflags(write=False)
    bad = [({"W": W, "b": b[0]}, r"got b \(3,\) for W \(2, 3\)"), ({"W": W, "b": letters}, "b must hold")]
    for wrong, message in bad:
        with pytest.raises(ValueError, match=message):
            Linear(W, b).with_parameters(wrong)


@pytest.mark.parametrize("wrong", [np.ones((2, 3)), np.ones(2), np.ones((5, 2, 1))], ids=np.shape)
def test_linear_refuses_an_input_of_another_width_and_names_both_shapes(wrong):
    with pytest.raises(ValueError, match=r"X \(.*\) does not fit W \(2, 3\): X needs shape \(samples, 2\)"):
        Linear(W, b).forward(wrong)
