"""Problems: the same seed gives the same one, the caller's arrays stay the caller's, and bad input is refused."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from problems import ACTIVATIONS, identical

from backprop_lab import (
    Activation,
    Linear,
    Network,
    Problem,
    ReLU,
    SumSquaredError,
    Tanh,
    random_problem,
    worked_example,
)


def changed(**changes):
    """The worked example with some of its parts replaced."""
    p = worked_example()
    return Problem(**({"network": p.network, "loss": p.loss, "X": p.X, "y": p.y, "lr": p.lr} | changes))


def numbers(problem):
    return [problem.X, problem.y, *problem.network.parameters.values()]


# Random problems


def test_the_same_seed_gives_the_same_problem_and_another_seed_another():
    assert all(map(identical, numbers(random_problem(3)), numbers(random_problem(3))))
    assert not identical(random_problem(3).X, random_problem(4).X)


@pytest.mark.parametrize("hidden", [4, (4,), [5, 3], ()])
def test_numbers_are_drawn_in_the_documented_order_and_biases_are_zero(hidden):
    p = random_problem(7, samples=6, inputs=2, hidden=hidden, outputs=3)
    rng = np.random.default_rng(7)
    widths = [2, *([hidden] if hidden == 4 else hidden), 3]
    drawn = {f"W{n}": rng.standard_normal(widths[n - 1 : n + 1]) for n in range(1, len(widths))}
    X, y = rng.standard_normal((6, 2)), rng.standard_normal((6, 3))
    assert identical(p.X, X)
    assert identical(p.y, y)
    for name, parameter in p.network.parameters.items():
        assert identical(parameter, drawn.get(name, np.zeros((1, parameter.shape[1]))))


def test_the_default_sizes_are_those_of_the_worked_example_and_its_steps_are_larger():
    assert [a.shape for a in numbers(random_problem(0))] == [a.shape for a in numbers(worked_example())]
    assert (worked_example().lr, random_problem(0).lr) == (1e-6, 1e-3)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_the_activation_stands_between_the_linear_layers_and_not_at_the_end(activation):
    layers = random_problem(0, hidden=(4, 4), activation=activation).network.layers
    assert [layer for layer in layers if isinstance(layer, Activation)] == [activation, activation]
    assert isinstance(layers[-1], Linear)


def test_a_whole_number_from_numpy_is_a_seed_and_a_size_too():
    p = random_problem(np.int64(3), samples=np.int32(2), hidden=np.uint8(4))
    assert all(map(identical, numbers(p), numbers(random_problem(3))))


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)  # noqa: NPY002  the old global state is what this is about
    undisturbed = np.random.standard_normal(3)  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    random_problem(3)
    assert identical(np.random.standard_normal(3), undisturbed)  # noqa: NPY002


# The caller's arrays


def test_a_problem_keeps_its_own_copy_whatever_becomes_of_the_callers_arrays():
    X, y = np.ones((2, 3)), np.ones((2, 2))
    p = changed(X=X, y=y)
    X[0, 0] = y[0, 0] = 99
    assert identical(p.X, np.ones((2, 3)))
    assert identical(p.y, np.ones((2, 2)))


@pytest.mark.parametrize("p", [worked_example(), random_problem(0)], ids=["worked example", "random problem"])
def test_everything_in_a_problem_is_read_only(p):
    for array in numbers(p):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 99
    with pytest.raises(AttributeError):
        p.X = np.ones((2, 3))


def test_lists_and_whole_numbers_and_fractions_are_numbers_too():
    p = changed(X=[[1, 2, 3], [4, 5, 6]], y=[[Fraction(1, 2), 1], [0, 1]], lr=Fraction(1, 3))
    assert p.X.dtype == int
    assert p.y[0, 0] == Fraction(1, 2)
    assert p.lr == Fraction(1, 3)


@pytest.mark.parametrize("kind", ["f4", "c16"])
def test_a_problem_keeps_the_kind_of_number_it_is_given(kind):
    assert changed(X=np.ones((2, 3), kind)).X.dtype == kind


# Refused

BAD_RATES = [float("nan"), float("inf"), 0, 0.0, -0.1, True, "0.1", None, 1j, np.ones(2), np.bool_(True)]
BAD_SEEDS = [-1, 2.5, 3.0, "3", True, None, [3]]


@pytest.mark.parametrize("lr", BAD_RATES, ids=repr)
@pytest.mark.parametrize(
    "make", [lambda lr: random_problem(3, lr=lr), lambda lr: changed(lr=lr)], ids=["random", "given"]
)
def test_a_learning_rate_that_is_not_positive_and_finite_is_refused(make, lr):
    with pytest.raises(ValueError, match=r"the learning rate must be a positive, finite number such as 0\.01; got"):
        make(lr)


@pytest.mark.parametrize("seed", BAD_SEEDS, ids=repr)
def test_a_seed_that_is_not_a_whole_number_from_0_up_is_refused(seed):
    with pytest.raises(ValueError, match="the seed must be a whole number, 0 or more, such as 3; got"):
        random_problem(seed)


@pytest.mark.parametrize("size", [0, -1, 1.5, "4", True, None])
@pytest.mark.parametrize("name", ["samples", "inputs", "hidden", "outputs"])
def test_a_size_that_is_not_a_whole_number_from_1_up_is_refused_by_name(name, size):
    with pytest.raises(ValueError, match=f"{name} must be a whole number, 1 or more; got {size!r}"):
        random_problem(3, **{name: size})


def test_the_smallest_sizes_and_the_largest_learning_rate_are_taken():
    p = random_problem(3, samples=1, inputs=1, hidden=1, outputs=1, lr=sys.float_info.max)
    assert [array.shape for array in numbers(p)] == [(1, 1)] * 6


def test_one_bad_width_among_several_is_refused():
    with pytest.raises(ValueError, match="hidden must be a whole number, 1 or more; got 0"):
        random_problem(3, hidden=(4, 0))


@pytest.mark.parametrize(
    ("part", "wrong", "message"),
    [
        ("X", np.ones((2, 4)), r"X must have shape \(samples, 3\).*got \(2, 4\)"),
        ("X", np.ones(3), r"X must have shape \(samples, 3\).*got \(3,\)"),
        ("X", np.ones((5, 2, 3)), r"X must have shape \(samples, 3\).*got \(5, 2, 3\)"),
        ("X", np.ones((0, 3)), r"X must have shape \(samples, 3\) with at least one sample; got \(0, 3\)"),
        ("X", [[1, 2, 3], [4, 5]], "X must be a full table of numbers, but its rows differ in length"),
        ("X", "data", "X must hold numbers, got.*'data'"),
        ("X", [["1", "2", "3"]], "X must hold numbers"),
        ("X", np.ones((2, 3), bool), "X must hold numbers, got bool"),
        ("y", np.ones(2), r"y must have shape \(2, 2\), one row of targets a sample; got \(2,\)"),
        ("y", np.ones((2, 1)), r"y must have shape \(2, 2\).*got \(2, 1\)"),
        ("y", np.ones((3, 2)), r"y must have shape \(2, 2\).*got \(3, 2\)"),
        ("y", [[1, 2], [3]], "y must be a full table of numbers"),
        ("y", [["a", "b"], ["c", "d"]], "y must hold numbers"),
    ],
)
def test_data_that_does_not_fit_the_network_is_refused_with_the_shape_that_would(part, wrong, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        changed(**{part: wrong})


def test_a_stack_of_networks_is_not_one_problem():
    stack = Network((Linear(np.ones((5, 3, 2)), np.zeros((5, 1, 2))),))
    with pytest.raises(
        ValueError, match=r"a problem has one network, not a stack of them; got Network\(Linear\(5, 3, 2\)\)"
    ):
        Problem(stack, SumSquaredError(), np.ones((2, 3)), np.ones((2, 2)), 0.1)


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (ReLU, "layer 2 is ReLU itself, and a network needs one that was made of it"),
        ("relu", "layer 2, 'relu', lacks parameters, formulas, forward, backward; a layer needs"),
        (np.tanh, "layer 2, <ufunc 'tanh'>, lacks parameters"),
    ],
    ids=["class", "string", "function"],
)
def test_an_activation_that_is_none_is_refused(activation, message):
    with pytest.raises(ValueError, match=message):
        random_problem(3, activation=activation)


@pytest.mark.parametrize("loss", [SumSquaredError, "mean", None, np.mean], ids=["class", "string", "none", "function"])
def test_a_loss_that_is_none_is_refused(loss):
    message = r"a loss needs formulas, value and gradient, as SumSquaredError\(\) has; got "
    for make in (lambda: random_problem(3, loss=loss), lambda: changed(loss=loss)):
        with pytest.raises(ValueError, match=message):
            make()


def test_two_problems_can_share_a_network_and_are_still_two():
    p = random_problem(3, activation=Tanh())
    other = changed(network=p.network)
    assert other.network is p.network
    assert len({p, p, other}) == 2
