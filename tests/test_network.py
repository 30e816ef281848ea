"""The network: its names and its update; stacks of networks are tested in test_sweeping.py."""

import numpy as np
from hypothesis import given
from own_parts import OWN_PROBLEMS, linear
from problems import identical, problems

from backprop_lab import Linear, Network, ReLU, Tanh


def test_names_count_the_layers_with_parameters_and_what_comes_out_last_is_y_pred():
    network = Network([linear(2, 3), ReLU(), linear(3, 3), linear(3, 4), Tanh(), linear(4, 1)])
    assert [(type(layer), *names) for layer, *names in network.stages] == [
        (Linear, "X", "Y1", 1), (ReLU, "Y1", "H1", 1), (Linear, "H1", "Y2", 2), (Linear, "Y2", "Y3", 3),
        (Tanh, "Y3", "H3", 3), (Linear, "H3", "y_pred", 4),
    ]  # fmt: skip
    assert repr(network).startswith("Network(Linear(2, 3), ReLU(), Linear(3, 3)")
    assert list(network.parameters) == ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"]


@given(problems())
def test_every_parameter_has_a_gradient_of_its_name_and_shape_and_an_update_moves_it_against_that(problem):
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
