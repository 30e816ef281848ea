"""Problems: the same seed gives the same one, the caller's arrays stay the caller's, and bad input is refused."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from problems import ACTIVATIONS, identical

from backprop_lab import Linear, Network, Problem, ReLU, SumSquaredError, Tanh, random_problem, trace, worked_example
from backprop_lab.layers import Activation
from backprop_lab.problem import all_active, dead_relu, diverging


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


# Good problems to start from

DEEP = random_problem(3, samples=5, hidden=(4, 3))


def outputs(problem):
    """What leaves each linear layer but the last, before its ReLU."""
    t = trace(problem)
    return [t[f"Y{n}"] for n in range(1, len(problem.network.parameters) // 2)]


def differing(problem, other):
    """The names of the parameters in which two problems differ; X, y, loss and learning rate must be the same."""
    assert identical(problem.X, other.X)
    assert identical(problem.y, other.y)
    assert (problem.loss, problem.lr) == (other.loss, other.lr)
    theirs = other.network.parameters
    return [name for name, p in problem.network.parameters.items() if not identical(p, theirs[name])]


@pytest.mark.parametrize("p", [random_problem(0), DEEP], ids=["shallow", "deep"])
def test_with_a_dead_relu_the_first_unit_is_off_by_one_or_more_for_every_sample_and_nothing_else_is_touched(p):
    dead = dead_relu(p)
    assert differing(p, dead) == ["b1"]
    assert outputs(dead)[0][:, 0].max() == pytest.approx(-1)
    assert identical(outputs(dead)[0][:, 1:], outputs(p)[0][:, 1:])
    assert trace(dead)["dW1"][:, 0].tolist() == [0, 0, 0]
    assert not p.network.parameters["b1"].any()


@pytest.mark.parametrize("p", [random_problem(0), DEEP], ids=["shallow", "deep"])
def test_where_all_are_active_each_unit_is_on_by_a_half_at_least_for_the_sample_that_moves_it_least(p):
    active = all_active(p)
    assert differing(p, active) == [f"b{n}" for n in range(1, len(p.network.parameters) // 2)]
    for Y in outputs(active):
        np.testing.assert_allclose(Y.min(axis=0), 0.5, atol=1e-12)


def test_units_without_an_activation_are_raised_too():
    plain = Network(tuple(layer for layer in DEEP.network.layers if isinstance(layer, Linear)))
    for Y in outputs(all_active(Problem(plain, DEEP.loss, DEEP.X, DEEP.y, 0.1))):
        np.testing.assert_allclose(Y.min(axis=0), 0.5, atol=1e-12)


def test_a_diverging_problem_differs_in_its_learning_rate_alone_and_overflows_within_some_hundred_steps():
    p = diverging(DEEP)
    assert p.lr == 2
    assert differing(p, Problem(DEEP.network, DEEP.loss, DEEP.X, DEEP.y, 2.0)) == []
    with np.errstate(all="ignore"):
        for _ in range(300):
            p = trace(p).next_problem()
        assert not np.isfinite(trace(p)["L"])


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


@pytest.mark.parametrize("activation", [ReLU, "relu", np.tanh], ids=["class", "string", "function"])
def test_an_activation_that_is_none_is_refused(activation):
    with pytest.raises(ValueError, match=r"layer 2 must be Linear or an activation such as ReLU\(\)"):
        random_problem(3, activation=activation)


def test_two_problems_can_share_a_network_and_are_still_two():
    p = random_problem(3, activation=Tanh())
    other = changed(network=p.network)
    assert other.network is p.network
    assert len({p, p, other}) == 2
