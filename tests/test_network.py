"""The network: its names and its update; stacks of networks are tested in test_sweeping.py."""

import numpy as np
import pytest
from hypothesis import given
from own_parts import OWN_PROBLEMS, linear
from problems import identical, problems

from backprop_lab import Linear, Network, Problem, ReLU, SumSquaredError, Tanh, check, trace


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
        assert (type(each.layers), repr(each)) == (tuple, "Network(Linear(3, 4), ReLU(), Linear(4, 2))")


@given(problems())
def test_every_parameter_has_a_gradient_of_its_name_and_shape_and_an_update_moves_it_against_that(problem):
    """The gradients may be lists, with others among them, and stay as they were."""
    network, parameters = problem.network, problem.network.parameters
    grads = network.gradients(problem.loss, problem.X, problem.y)
    lists = {"dX": None} | {name: g.tolist() for name, g in grads.items()}
    new, same = (network.update(each, 0.5).parameters for each in (grads, lists))
    assert list(grads) == list(parameters) == list(new)
    for name, p in parameters.items():
        assert grads[name].shape == p.shape
        assert identical(grads[name], np.array(lists[name]))
        assert identical(new[name], p - 0.5 * grads[name])
        assert identical(new[name], same[name])


def test_nobody_can_write_to_a_parameter_that_an_update_gave_to_any_kind_of_layer():
    for p in OWN_PROBLEMS.values():
        moved = p.network.update(p.network.gradients(p.loss, p.X, p.y), p.lr).parameters
        assert not any(array.flags.writeable for array in moved.values())


@pytest.mark.parametrize(("kind", "moved"), [("f4", "f4"), ("u1", "f4"), ("i8", "f8")])
def test_an_update_keeps_float32_and_whole_numbers_are_floats_from_the_start_and_do_not_wrap_round(kind, moved):
    network = Network((Linear(np.array([[100, 2], [3, 4]], kind), np.array([[0, 100]], kind)),))
    X, y = np.array([[100, 2], [3, 1]], kind), np.array([[1, 0], [0, 2]], kind)
    t = trace(Problem(network, SumSquaredError(), X, y, 0.5))
    assert {t[name].dtype for name in t if name not in ("L", "lr")} == {np.dtype(moved)}
    assert identical(t["b1_new"], np.array([[0 - 10_005 - 303, 100 - 308 - 108]], moved))
    assert all(check(step.name, step.value, t) for step in t.steps)
