"""The network: its names, its update, stacks of networks, and that it changes nothing it is given."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from problems import ACTIVATIONS, LOSSES, identical, problems

from backprop_lab import (
    Linear,
    Network,
    Problem,
    ReLU,
    SumSquaredError,
    Tanh,
    check,
    random_problem,
    trace,
    worked_example,
)


def linear(D, H):
    return Linear(np.ones((D, H)), np.zeros((1, H)))


def gradients(problem):
    return problem.network.gradients(problem.loss, problem.X, problem.y)


# Names


def test_names_count_the_layers_with_parameters_and_what_comes_out_last_is_y_pred():
    network = Network((linear(2, 3), ReLU(), linear(3, 3), linear(3, 4), Tanh(), linear(4, 1)))
    assert [(type(layer).__name__, *names) for layer, *names in network.stages] == [
        ("Linear", "X", "Y1", 1),
        ("ReLU", "Y1", "H1", 1),
        ("Linear", "H1", "Y2", 2),
        ("Linear", "Y2", "Y3", 3),
        ("Tanh", "Y3", "H3", 3),
        ("Linear", "H3", "y_pred", 4),
    ]
    assert list(network.parameters) == ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"]


def test_a_network_shows_its_layers_and_keeps_them_in_a_tuple_whatever_it_is_given_and_does():
    network = Network([linear(3, 4), ReLU(), linear(4, 2)])
    for each in (network, network.update(network.parameters, 0.1), network.with_parameters(network.parameters)):
        assert isinstance(each.layers, tuple)
        assert repr(each) == "Network(Linear(3, 4), ReLU(), Linear(4, 2))"


# Update


@given(problems())
def test_every_parameter_has_a_gradient_of_its_name_and_shape_and_an_update_moves_it_against_that(problem):
    """Nothing that it is given changes: the arrays of a problem are read-only, and the gradients stay as they were."""
    parameters, grads = problem.network.parameters, gradients(problem)
    before = {name: g.copy() for name, g in grads.items()}
    new = problem.network.update(grads, 0.5).parameters
    assert list(grads) == list(parameters) == list(new)
    for name, p in parameters.items():
        assert grads[name].shape == p.shape
        assert identical(new[name], p - 0.5 * before[name])
        assert identical(grads[name], before[name])
        assert (grads[name].flags.writeable, new[name].flags.writeable) == (True, False)


def test_update_takes_gradients_as_lists_and_ignores_those_it_does_not_know():
    p = worked_example()
    grads = gradients(p)
    lists = {"dX": None} | {name: g.tolist() for name, g in grads.items()}
    moved, expected = (p.network.update(each, 0.1).parameters for each in (lists, grads))
    assert all(map(identical, moved.values(), expected.values()))


@pytest.mark.parametrize(("kind", "moved"), [("f4", "f4"), ("u1", "f4"), ("i8", "f8")])
def test_an_update_keeps_float32_and_whole_numbers_are_floats_from_the_start(kind, moved):
    network = Network((Linear(np.array([[1, 2], [3, 4]], kind), np.array([[0, 1]], kind)),))
    p = Problem(network, SumSquaredError(), np.array([[1, 2], [3, 1]], kind), np.array([[1, 0], [0, 2]], kind), 0.5)
    grads = network.gradients(p.loss, p.X, p.y)
    assert {array.dtype for array in (p.X, p.y, *grads.values())} == {np.dtype(moved)}
    assert identical(network.update(grads, 0.5).parameters["b1"], np.array([[0 - 12, 1 - 20]], moved))


def test_whole_numbers_do_not_wrap_round():
    network = Network((Linear(np.array([[200]], np.uint8), np.array([[100]], np.uint8)),))
    t = trace(Problem(network, SumSquaredError(), np.array([[2]], np.uint8), np.array([[1]], np.uint8), 1))
    assert (t["y_pred"], t["L"]) == (500, 499**2)
    assert all(check(step.name, step.value, t) for step in t.steps)


# Stacks


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("stacked", ["networks", "data", "networks and data"])
def test_a_stack_gives_slice_by_slice_what_each_gives_alone(stacked, activation, loss):
    """Up to the last bits: BLAS and NumPy's sums may add up a stack in another order than a single matrix."""
    close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)
    alone = [random_problem(seed, samples=5, hidden=(4, 6), activation=activation, loss=loss) for seed in range(6)]
    network, X, y = alone[0].network, alone[0].X, alone[0].y

    def stack(arrays):
        return np.reshape(arrays, (2, 3, *arrays[0].shape))

    if "networks" in stacked:
        every = [p.network.parameters for p in alone]
        network = network.with_parameters({name: stack([each[name] for each in every]) for name in every[0]})
    if "data" in stacked:
        X, y = stack([p.X for p in alone]), stack([p.y for p in alone])
    y_pred, grads, rates = network.forward(X), network.gradients(loss, X, y), 0.1 ** np.arange(6).reshape(2, 3, 1, 1)
    for i, p in zip(np.ndindex(2, 3), alone, strict=True):
        one = p.network if "networks" in stacked else network
        X_i, y_i = (p.X, p.y) if "data" in stacked else (X, y)
        close(y_pred[i], one.forward(X_i))
        close(loss.value(y_pred, y)[i], loss.value(one.forward(X_i), y_i))
        for name, gradient in one.gradients(loss, X_i, y_i).items():
            close(grads[name][i], gradient)
            if "networks" in stacked:  # each moves at its own learning rate
                close(network.update(grads, rates).parameters[name][i], one.parameters[name] - rates[i] * gradient)
