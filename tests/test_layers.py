"""Layers, losses and the network: their numbers by hand; what they hold is read-only. Stacks: test_sweep.py."""

import copy
import math
import pickle

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS, linear
from problems import identical

from backprop_lab import (
    L2,
    HalfSquaredError,
    MeanSquaredError,
    Network,
    Problem,
    SoftmaxCrossEntropy,
    SumSquaredError,
    check,
    prove,
    trace,
)
from backprop_lab.nn.activations import ReLU, Sigmoid, Tanh
from backprop_lab.nn.layers import Linear
from backprop_lab.step.random_problems import redrawn

W, b = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([[10.0, 20.0, 30.0]])
X = np.array([[1.0, -1.0], [0.5, 2.0]])


def test_linear_gives_what_is_worked_out_by_hand_forward_and_back():
    dY = np.array([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0]])
    for layer in (Linear(W, b), Linear(W, b[None]), Linear(W[None], b)):  # a stack of one has its numbers
        assert layer.forward(X).squeeze().tolist() == [[7, 17, 27], [18.5, 31, 43.5]]
    assert Linear(W, b).backward(X, dY).tolist() == [[7, 16], [1, 1]]
    found = {name: gradient.tolist() for name, gradient in Linear(W, b).gradients(X, dY).items()}
    assert found == {"W": [[0.5, 0.5, 2], [-3, 2, -2]], "b": [[0, 1, 2]]}


@pytest.mark.parametrize(("layer", "x", "y", "slope"), [
    (ReLU(), -2.0, 0.0, 0.0), (ReLU(), 0.0, 0.0, 0.0), (ReLU(), 3.0, 3.0, 1.0),
    (Tanh(), 0.0, 0.0, 1.0), (Tanh(), math.log(2), 0.6, 0.64), (Tanh(), -math.log(2), -0.6, 0.64),
    (Sigmoid(), 0.0, 0.5, 0.25), (Sigmoid(), math.log(3), 0.75, 0.1875), (Sigmoid(), -math.log(3), 0.25, 0.1875),
    (Sigmoid(), -1e4, 0.0, 0.0), (Sigmoid(), 1e4, 1.0, 0.0),  # its ends, where a power overflows in silence
])  # fmt: skip
def test_an_activation_has_the_value_and_the_slope_worked_out_by_hand(layer, x, y, slope):
    assert layer.forward(np.array([[x]])) == pytest.approx(y, rel=1e-14, abs=0)
    assert layer.backward(np.array([[x]]), dY=np.array([[10.0]])) == pytest.approx(10 * slope, rel=1e-14, abs=0)
    assert (layer.gradients(X, X), layer.with_parameters({})) == ({}, layer), "there is nothing to learn in it"


def test_the_losses_of_squares_and_their_gradients_are_those_by_hand():
    y_pred, y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[1.0, 1.0], [1.0, 1.0], [7.0, 3.0]])
    d = np.array([[0, 1], [2, 3], [-2, 3]])
    losses, squares = (SumSquaredError(), HalfSquaredError(), MeanSquaredError()), 0 + 1 + 4 + 9 + 4 + 9
    for loss, value, gradient in zip(losses, (squares, squares / 2, squares / 6), (2 * d, d, d / 3), strict=True):
        assert loss.value(y_pred, y) == value
        np.testing.assert_allclose(loss.gradient(y_pred, y), gradient, rtol=1e-15)


def test_cross_entropy_and_its_gradient_are_those_by_hand_at_any_size():
    """Scores of log 1, log 2 and log 5 are probabilities of 1/8, 1/4 and 5/8, and equal scores are equal ones."""
    scores, y = np.array([[0.0, math.log(2), math.log(5)], [1e4, 1e4, 1e4]]), np.array([[0.0, 1, 0], [0.5, 0.5, 0]])
    loss, gradient = SoftmaxCrossEntropy(), [[1 / 16, -3 / 8, 5 / 16], [-1 / 12, -1 / 12, 1 / 6]]
    assert loss.value(scores, y) == pytest.approx((math.log(4) + math.log(3)) / 2, rel=1e-15)
    np.testing.assert_allclose(loss.gradient(scores, y), gradient, rtol=1e-15)
    for size in (800.0, 1e300):
        scores, y = np.array([[size, 0.0, -size]]), np.eye(3)
        assert [loss.value(scores, row[None]) for row in y] == [0, size, 2 * size]
        assert [loss.gradient(scores, row[None]).tolist() for row in y[:2]] == [[[0, 0, 0]], [[1, -1, 0]]]


def test_parameters_are_copied_and_read_only_also_after_an_update():
    mine = W.copy(), b.copy()
    parameters = Linear(*mine).parameters
    mine[0][0, 0] = mine[1][0, 0] = 99
    assert all(map(identical, parameters.values(), (W, b)))
    (named := Linear(0 * W, b)).name = "mine"
    shared = (other := named.with_parameters(parameters)).parameters
    assert (other.name, shared["W"] is parameters["W"], shared["b"] is parameters["b"]) == ("mine", True, True)
    for p in OWN_PROBLEMS.values():
        moved = p.network.update(p.network.gradients(p.loss, p.X, p.y), p.lr).parameters
        assert not any(a.flags.writeable for a in (*parameters.values(), *moved.values(), *map(trace(p).get, moved)))


def test_names_count_the_layers_with_parameters_and_what_comes_out_last_is_y_pred():
    network = Network([linear(2, 3), ReLU(), linear(3, 3), linear(3, 4), Tanh(), linear(4, 1)])
    assert " ".join(
        f"{layer}: {before} -> {after} ({number})" for layer, before, after, number, _ in network.stages
    ) == (
        "Linear(2, 3): X -> Y1 (1) ReLU(): Y1 -> H1 (1) Linear(3, 3): H1 -> Y2 (2) "
        "Linear(3, 4): Y2 -> Y3 (3) Tanh(): Y3 -> H3 (3) Linear(4, 1): H3 -> y_pred (4)"
    )
    assert list(network.parameters) == ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"]


def test_a_layer_in_two_places_shares_its_numbers_and_adds_its_gradients():
    same, rng = linear(3, 3), np.random.default_rng(0)
    network = Network([same, ReLU(), same, ReLU(), linear(3, 2)])
    problem = Problem(network, SumSquaredError(), rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), 0.01, penalty=L2(1))
    t = trace(problem)
    assert [*problem.parameters] == ["W1", "b1", "W3", "b3"]
    assert t.step("R").code == "1 * (np.sum(W1**2) + np.sum(W3**2))"
    assert t.step("dW1").code == "X.mT @ dY1 + H1.mT @ dY2 + 2 * 1 * W1"
    assert [step.name for step in t.steps if step.phase == "backward"][-3:] == ["dY1", "dW1", "db1"]
    assert all(prove(t, f"d{name}").agrees for name in problem.parameters)
    for each in (t.next_problem(), redrawn(problem, 5), pickle.loads(pickle.dumps(problem)), copy.deepcopy(problem)):
        first, _, again, *_ = each.network.layers
        assert first is again
        assert [*each.parameters] == [*problem.parameters]


def test_a_layer_in_three_places_gets_a_gradient_from_each():
    same, rng = linear(3, 3), np.random.default_rng(0)
    network = Network([same, ReLU(), same, Tanh(), same, linear(3, 2)])
    t = trace(Problem(network, SumSquaredError(), rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), 0.01))
    assert t.step("dW1").code == "X.mT @ dY1 + H1.mT @ dY2 + H2.mT @ dY3"
    assert prove(t, "dW1").agrees
    assert prove(t, "db1").agrees


def test_of_a_layer_in_two_places_a_forgotten_one_is_named():
    t = trace(OWN_PROBLEMS["a layer in two places"])
    left_out = t["dW2"] - t["H2"].mT @ t["dY3"]
    assert "H2.mT @ dY3 is missing" in str(check("dW2", left_out, t))
