"""The network: its names, its update, stacks of networks, that it changes nothing it is given, and what it refuses."""

import re

import numpy as np
import pytest
from hypothesis import given
from problems import ACTIVATIONS, LOSSES, identical, problems

from backprop_lab import Linear, Network, ReLU, Sigmoid, SumSquaredError, Tanh, random_problem, worked_example


def linear(D, H):
    return Linear(np.ones((D, H)), np.zeros((1, H)))


def stack(D, H):
    return Linear(np.ones((6, D, H)), np.zeros((1, H)))


def gradients(problem):
    return problem.network.gradients(problem.loss, problem.X, problem.y)


# Names


def test_names_count_the_layers_with_parameters_and_what_comes_out_last_is_y_pred():
    network = Network((linear(2, 3), ReLU(), linear(3, 3), linear(3, 4), Tanh(), linear(4, 1)))
    names = [(type(layer).__name__, *names) for layer, *names in network.stages]
    assert names == [
        ("Linear", "X", "Y1", 1),
        ("ReLU", "Y1", "H1", 1),
        ("Linear", "H1", "Y2", 2),
        ("Linear", "Y2", "Y3", 3),
        ("Tanh", "Y3", "H3", 3),
        ("Linear", "H3", "y_pred", 4),
    ]
    assert list(network.parameters) == ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"]


def test_a_network_may_end_with_an_activation():
    stages = Network((linear(2, 3), Sigmoid())).stages
    assert [names for _, *names in stages] == [["X", "Y1", 1], ["Y1", "y_pred", 1]]


@given(problems())
def test_every_parameter_has_a_gradient_of_its_name_and_shape(problem):
    parameters, grads = problem.network.parameters, gradients(problem)
    assert list(grads) == list(parameters)
    assert [g.shape for g in grads.values()] == [p.shape for p in parameters.values()]


@given(problems())
def test_forward_passes_through_the_layers_in_order(problem):
    Y = problem.X
    for layer in problem.network.layers:
        Y = layer.forward(Y)
    assert identical(problem.network.forward(problem.X), Y)


def test_a_network_keeps_its_layers_in_a_tuple_whatever_it_is_given_and_does():
    network = Network([linear(2, 3), ReLU()])
    for each in (network, network.update(network.parameters, 0.1), network.with_parameters(network.parameters)):
        assert isinstance(each.layers, tuple)


def test_a_network_shows_its_layers():
    assert repr(worked_example().network) == "Network(Linear(3, 4), ReLU(), Linear(4, 2))"


# Update


@given(problems())
def test_update_moves_every_parameter_against_its_gradient(problem):
    grads = gradients(problem)
    new = problem.network.update(grads, 0.5).parameters
    assert all(identical(new[name], p - 0.5 * grads[name]) for name, p in problem.network.parameters.items())


@pytest.mark.parametrize("seed", range(10))
def test_a_small_update_lowers_the_loss(seed):
    p = random_problem(seed)
    moved = p.network.update(gradients(p), 1e-6)
    assert p.loss.value(moved.forward(p.X), p.y) < p.loss.value(p.network.forward(p.X), p.y)


def test_update_gives_a_network_that_is_read_only_too():
    p = worked_example()
    for parameter in p.network.update(gradients(p), 0.1).parameters.values():
        assert not parameter.flags.writeable


def test_update_takes_gradients_as_lists_and_ignores_those_it_does_not_know():
    p = worked_example()
    grads = gradients(p)
    lists = {"dX": None} | {name: g.tolist() for name, g in grads.items()}
    expected = p.network.update(grads, 0.1).parameters
    assert all(identical(new, expected[name]) for name, new in p.network.update(lists, 0.1).parameters.items())


class Named(Linear):
    """A layer of somebody's own, which knows something more."""

    name = "nobody"


def test_update_keeps_what_else_a_layer_knows():
    layer = Named(np.ones((2, 3)), np.zeros((1, 3)))
    layer.name = "first"
    (after,) = Network((layer,)).update({"W1": np.ones((2, 3)), "b1": np.ones((1, 3))}, 0.1).layers
    assert (type(after), after.name) == (Named, "first")


def test_with_parameters_puts_other_numbers_into_the_same_layers():
    p, other = random_problem(1), random_problem(2)
    network = p.network.with_parameters(other.network.parameters)
    assert identical(network.forward(p.X), other.network.forward(p.X))


# Pure


@given(problems())
def test_nothing_is_changed_by_running_a_network_forward_backward_and_on(problem):
    network = problem.network
    X, y = problem.X.copy(), problem.y.copy()
    parameters = {name: p.copy() for name, p in network.parameters.items()}
    network.forward(X)
    grads = network.gradients(problem.loss, X, y)
    grads_before = {name: g.copy() for name, g in grads.items()}
    network.update(grads, 0.1)
    assert identical(X, problem.X)
    assert identical(y, problem.y)
    assert all(identical(grads[name], g) for name, g in grads_before.items())
    assert all(identical(network.parameters[name], p) for name, p in parameters.items())
    assert all(array.flags.writeable for array in (X, y, *grads.values()))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_float32_stays_float32_all_the_way_round(activation, loss):
    p = random_problem(0, activation=activation)
    narrow = p.network.with_parameters({name: v.astype("f4") for name, v in p.network.parameters.items()})
    grads = narrow.gradients(loss, p.X.astype("f4"), p.y.astype("f4"))
    arrays = [narrow.forward(p.X.astype("f4")), *grads.values(), *narrow.update(grads, 0.1).parameters.values()]
    assert {array.dtype for array in arrays} == {np.dtype("f4")}


def test_whole_numbers_work():
    whole = Network((Linear([[1, -2], [3, 4]], [[0, 1]]), ReLU(), Linear([[2], [-1]], [[0]])))
    real = whole.with_parameters({name: p.astype(float) for name, p in whole.parameters.items()})
    X, y = np.array([[1, 2], [-3, 1]]), np.array([[1], [0]])
    grads = whole.gradients(SumSquaredError(), X, y)
    expected = real.gradients(SumSquaredError(), X.astype(float), y.astype(float))
    for name, g in grads.items():
        np.testing.assert_array_equal(g, expected[name])
    for name, new in whole.update(grads, 0.5).parameters.items():
        assert identical(new, real.update(expected, 0.5).parameters[name])


# Stacks


def stack_of(networks):
    names = networks[0].parameters
    return networks[0].with_parameters({name: np.stack([n.parameters[name] for n in networks]) for name in names})


def assert_close(actual, expected):
    """Up to the last bits: BLAS and NumPy's sums may add up a stack in another order than a single matrix."""
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("stacked", ["networks", "inputs", "networks and inputs"])
def test_a_stack_gives_slice_by_slice_what_each_gives_alone(stacked, activation, loss):
    alone = [random_problem(seed, samples=5, hidden=(4, 6), activation=activation) for seed in range(3)]
    networks, X, y = alone[0].network, alone[0].X, alone[0].y
    if "networks" in stacked:
        networks = stack_of([p.network for p in alone])
    if "inputs" in stacked:
        X, y = np.stack([p.X for p in alone]), np.stack([p.y for p in alone])
    y_pred, grads = networks.forward(X), networks.gradients(loss, X, y)
    values = loss.value(y_pred, y)
    assert values.shape == (3,)

    for i in range(3):
        network = alone[i if "networks" in stacked else 0].network
        X_i, y_i = (X[i], y[i]) if "inputs" in stacked else (X, y)
        assert_close(y_pred[i], network.forward(X_i))
        assert_close(values[i], loss.value(network.forward(X_i), y_i))
        for name, g in network.gradients(loss, X_i, y_i).items():
            assert_close(grads[name][i], g)


def test_a_stack_of_networks_is_updated_each_at_its_own_learning_rate():
    alone = [random_problem(seed) for seed in range(3)]
    rates = np.array([1e-3, 1e-2, 1e-1])
    grads = [gradients(p) for p in alone]
    stacked_grads = {name: np.stack([g[name] for g in grads]) for name in grads[0]}
    moved = stack_of([p.network for p in alone]).update(stacked_grads, rates[:, None, None]).parameters
    for i, p in enumerate(alone):
        for name, new in p.network.update(grads[i], rates[i]).parameters.items():
            assert identical(moved[name][i], new)


def test_a_stack_may_have_several_axes():
    p = random_problem(0)
    X = np.random.default_rng(1).standard_normal((2, 3, *p.X.shape))
    y_pred = p.network.forward(X)
    assert SumSquaredError().value(y_pred, p.y).shape == (2, 3)
    for i in np.ndindex(2, 3):
        assert_close(y_pred[i], p.network.forward(X[i]))


# Refused


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), r"a network starts with a layer that has parameters, such as Linear; got \(\)"),
        (
            (ReLU(), linear(2, 3)),
            r"a network starts with a layer that has parameters, .* got \(ReLU\(\), Linear\(2, 3\)\)",
        ),
        (
            (linear(2, 3), ReLU(), Tanh()),
            r"layer 3, Tanh\(\), follows another layer without parameters: put one that has some.*between them",
        ),
        ((linear(2, 3), ReLU), "layer 2 is ReLU itself, and a network needs one that was made of it"),
        ((Linear,), "layer 1 is Linear itself"),
        (
            (linear(2, 3), np.maximum),
            "layer 2, <ufunc 'maximum'>, lacks parameters, formulas, forward, backward; a layer",
        ),
        (
            (linear(3, 4), ReLU(), linear(5, 2)),
            r"layer 3, Linear\(5, 2\), takes 5 numbers a sample, but Linear\(3, 4\) before it gives 4",
        ),
        ((stack(3, 4), ReLU(), stack(5, 2)), r"Linear\(6, 5, 2\), takes 5 .* but Linear\(6, 3, 4\) before it gives 4"),
        ((linear(3, 4), linear(3, 4)), r"layer 2, Linear\(3, 4\), takes 3 .* but Linear\(3, 4\) before it gives 4"),
    ],
)
def test_layers_that_do_not_chain_are_refused_and_both_are_named(layers, message):
    with pytest.raises(ValueError, match=message):
        Network(layers)


def test_an_input_of_another_width_is_refused():
    p = worked_example()
    with pytest.raises(ValueError, match=r"X \(2, 4\) does not fit W \(3, 4\): X needs shape \(samples, 3\)"):
        p.network.gradients(p.loss, np.ones((2, 4)), p.y)


@pytest.mark.parametrize("shape", [(2,), (2, 1), (1, 2), (3, 2)])
def test_a_target_of_another_shape_is_refused_and_both_shapes_are_named(shape):
    p = worked_example()
    message = f"y_pred (2, 2) and y {shape} must have the same shape (samples, outputs)"
    with pytest.raises(ValueError, match=re.escape(message)):
        p.network.gradients(p.loss, p.X, np.ones(shape))


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_update_refuses_when_a_gradient_is_missing_and_lists_those_it_got(name):
    p = worked_example()
    grads = gradients(p)
    del grads[name]
    with pytest.raises(KeyError, match=f"no gradient for {name}; got {', '.join(grads)}"):
        p.network.update(grads, 0.1)


def test_with_parameters_refuses_when_some_are_missing_and_lists_those_it_got():
    network = worked_example().network
    some = {name: network.parameters[name] for name in ("W1", "b2")}
    with pytest.raises(KeyError, match="no numbers for b1, W2; got W1, b2'"):
        network.with_parameters(some)
    with pytest.raises(KeyError, match="no numbers for W1, b1, W2, b2; got none'"):
        network.with_parameters({})


def test_update_refuses_no_gradients_at_all():
    with pytest.raises(KeyError, match="no gradient for W1; got none"):
        worked_example().network.update({}, 0.1)


@pytest.mark.parametrize(
    ("name", "wrong", "shapes"),
    [
        ("W1", np.ones((4, 3)), r"W1 has shape \(4, 3\), but W1 has \(3, 4\)"),
        ("b1", np.ones(4), r"b1 has shape \(4,\), but b1 has \(1, 4\)"),
        ("b2", np.ones((2, 2)), r"b2 has shape \(2, 2\), but b2 has \(1, 2\)"),
        ("W2", 1.0, r"W2 has shape \(\), but W2 has \(4, 2\)"),
        ("W2", np.ones((5, 4, 2)), r"W2 has shape \(5, 4, 2\), but W2 has \(4, 2\)"),
    ],
)
def test_update_refuses_a_gradient_of_another_shape_and_names_both(name, wrong, shapes):
    p = worked_example()
    with pytest.raises(ValueError, match=shapes):
        p.network.update(gradients(p) | {name: wrong}, 0.1)
