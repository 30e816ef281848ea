"""The network: its names, its update, stacks of networks, and that it changes nothing it is given."""

import numpy as np
import pytest
from hypothesis import given
from own_parts import OWN_PROBLEMS
from problems import ACTIVATIONS, LOSSES, identical, problems

from backprop_lab import Linear, Network, ReLU, SumSquaredError, Tanh, random_problem, trace


def linear(D, H):
    return Linear(np.ones((D, H)), np.zeros((1, H)))


def gradients(problem):
    return problem.network.gradients(problem.loss, problem.X, problem.y)


def test_names_count_the_layers_with_parameters_and_what_comes_out_last_is_y_pred():
    network = Network([linear(2, 3), ReLU(), linear(3, 3), linear(3, 4), Tanh(), linear(4, 1)])
    assert [(type(layer), *names) for layer, *names in network.stages] == [
        (Linear, "X", "Y1", 1), (ReLU, "Y1", "H1", 1), (Linear, "H1", "Y2", 2), (Linear, "Y2", "Y3", 3),
        (Tanh, "Y3", "H3", 3), (Linear, "H3", "y_pred", 4),
    ]  # fmt: skip
    assert list(network.parameters) == ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"]


def test_a_network_shows_its_layers_and_keeps_them_in_a_tuple_whatever_it_is_given_and_does():
    network = Network([linear(3, 4), ReLU(), linear(4, 2)])
    for each in (network, network.update(network.parameters, 0.1), network.with_parameters(network.parameters)):
        assert isinstance(each.layers, tuple)
        assert repr(each) == "Network(Linear(3, 4), ReLU(), Linear(4, 2))"


@given(problems())
def test_every_parameter_has_a_gradient_of_its_name_and_shape_and_an_update_moves_it_against_that(problem):
    """The gradients may be lists, with others among them, and stay as they were."""
    parameters, grads = problem.network.parameters, gradients(problem)
    lists = {"dX": None} | {name: g.tolist() for name, g in grads.items()}
    new, same = (problem.network.update(each, 0.5).parameters for each in (grads, lists))
    assert list(grads) == list(parameters) == list(new)
    for name, p in parameters.items():
        assert grads[name].shape == p.shape
        assert identical(grads[name], np.array(lists[name]))
        assert identical(new[name], p - 0.5 * grads[name])
        assert identical(new[name], same[name])


@pytest.mark.parametrize("name", OWN_PROBLEMS)
def test_nobody_can_write_to_a_parameter_that_an_update_gave_to_any_kind_of_layer(name):
    p = OWN_PROBLEMS[name]
    moved = p.network.update(gradients(p), p.lr).parameters
    assert not any(array.flags.writeable for array in moved.values())


@pytest.mark.parametrize(("kind", "moved"), [("f4", "f4"), ("i8", "f8")])
def test_an_update_keeps_float32_and_turns_whole_numbers_into_floats(kind, moved):
    network = Network((Linear(np.array([[1, -2], [3, 4]], kind), np.array([[0, 1]], kind)),))
    X, y = np.array([[1, 2], [-3, 1]], kind), np.array([[1, 0], [0, 2]], kind)
    grads = network.gradients(SumSquaredError(), X, y)
    assert {array.dtype for array in grads.values()} == {np.dtype(kind)}
    assert identical(network.update(grads, 0.5).parameters["b1"], np.array([[0 - 6, 1 - 16]], moved))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("stacked", ["networks", "data", "networks and data"])
def test_a_stack_gives_slice_by_slice_what_each_gives_alone(stacked, activation, loss):
    """Up to the last bits: BLAS and NumPy's sums may add up a stack in another order than a single matrix."""
    given = {"samples": 5, "hidden": (4, 6), "activation": activation, "loss": loss}
    alone = [random_problem(seed, lr=0.1**seed, **given) for seed in range(6)]
    first, rates = alone[0], np.reshape([p.lr for p in alone], (2, 3, 1, 1))
    network, X, y = first.network, first.X, first.y

    def stack(arrays):
        return np.reshape(arrays, (2, 3, *arrays[0].shape))

    if "networks" in stacked:
        numbers = {name: stack([p.network.parameters[name] for p in alone]) for name in network.parameters}
        network = network.with_parameters(numbers)
    if "data" in stacked:
        X, y = stack([p.X for p in alone]), stack([p.y for p in alone])
    grads, losses = network.gradients(loss, X, y), loss.value(network.forward(X), y)
    moved = network.update(grads, rates).parameters if "networks" in stacked else {}
    for i, p in zip(np.ndindex(2, 3), alone, strict=True):
        one = p.network if "networks" in stacked else network
        t = trace(p.evolve(network=one) if "data" in stacked else p.evolve(network=one, X=X, y=y))
        found = {"L": losses} | {f"d{name}": g for name, g in grads.items()}
        found |= {f"{name}_new": new for name, new in moved.items()}
        for name, value in found.items():
            np.testing.assert_allclose(value[i], t[name], rtol=1e-12, atol=1e-12)
