"""The sharpness: against the whole Hessian, against the exact answer for least squares, and against experiment."""

import math
from dataclasses import replace

import numpy as np
import pytest
from problems import ACTIVATIONS, LOSSES

from backprop_lab import Linear, Network, Problem, ReLU, SumSquaredError, Tanh, curvature, random_problem, sweep
from backprop_lab.curvature import critical_lr, curvature_along, sharpness

DEPTHS = (4, (4, 4), (5, 4, 3))


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays.values()])


def off_the_kinks(seed, **options):
    """A random problem with random biases: with none, a layer that hears nothing from a silent one sits at its kink."""
    problem = random_problem(seed, **options)
    rng = np.random.default_rng(seed + 1000)
    moved = {name: p + 0.1 * rng.standard_normal(p.shape) for name, p in problem.network.parameters.items()}
    return replace(problem, network=problem.network.with_parameters(moved))


def hessian(problem):
    """Column by column from H v."""
    return np.array([curvature_along(problem, v) for v in np.eye(flat(problem.network.parameters).size)])


def hessian_by_differences(problem, h=1e-5):
    """Column by column from gradients a little to either side."""
    network = problem.network
    parameters = network.parameters
    columns = []
    for name, p in parameters.items():
        for entry in np.eye(p.size).reshape(-1, *p.shape):
            ahead, behind = (
                flat(
                    network.with_parameters(parameters | {name: p + step * entry}).gradients(
                        problem.loss, problem.X, problem.y
                    )
                )
                for step in (h, -h)
            )
            columns.append((ahead - behind) / (2 * h))
    return np.array(columns)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", DEPTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_the_largest_eigenvalue_of_the_hessian_found_by_differences(activation, hidden, loss):
    for seed in range(3):
        problem = replace(off_the_kinks(seed, hidden=hidden, activation=activation), loss=loss)
        expected = hessian_by_differences(problem)
        np.testing.assert_allclose(hessian(problem), expected, atol=1e-8 * np.abs(expected).max())
        assert sharpness(problem) == pytest.approx(np.linalg.eigvalsh(expected)[-1], rel=1e-7)


@pytest.mark.parametrize("hidden", DEPTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_hessian_is_symmetric_even_where_units_sit_exactly_at_their_kink(activation, hidden):
    for seed in range(10):
        H = hessian(random_problem(seed, hidden=hidden, activation=activation))
        np.testing.assert_allclose(H, H.T, atol=1e-12 * np.abs(H).max())


def test_a_unit_whose_input_is_zero_is_off():
    # The first unit is off for the only sample, so the second hears exactly 0, its bias: it is off too, and the
    # loss (b3 - 1)^2 bends by 2 along b3 and not at all otherwise.
    one = np.ones((1, 1))
    layers = (Linear(-one, 0 * one), ReLU(), Linear(one, 0 * one), ReLU(), Linear(one, 0 * one))
    H = hessian(Problem(Network(layers), SumSquaredError(), one, one, lr=0.1))
    assert np.array_equal(H, np.diag([0, 0, 0, 0, 0, 2]))


def least_squares(seed=5, samples=9, inputs=4, outputs=3):
    return random_problem(seed, samples=samples, inputs=inputs, hidden=(), outputs=outputs)


@pytest.mark.parametrize("seed", range(3))
def test_for_least_squares_it_is_twice_the_largest_singular_value_squared(seed):
    problem = least_squares(seed)
    with_ones = np.hstack([problem.X, np.ones((9, 1))])
    assert sharpness(problem) == pytest.approx(2 * np.linalg.norm(with_ones, 2) ** 2, rel=1e-9)


def test_it_is_the_largest_and_not_the_largest_in_size():
    problem = random_problem(1, activation=Tanh())
    eigenvalues = np.linalg.eigvalsh(hessian(problem))
    assert -eigenvalues[0] > 1.5 * eigenvalues[-1]
    assert sharpness(problem) == pytest.approx(eigenvalues[-1], rel=1e-9)


def test_a_wide_network_needs_far_fewer_products_than_it_has_parameters(monkeypatch):
    calls = []
    monkeypatch.setattr(curvature, "curvature_along", lambda *given: calls.append(1) or curvature_along(*given))
    problem = random_problem(0, samples=50, inputs=10, hidden=30, outputs=2, activation=Tanh())
    top = sharpness(problem)
    assert len(calls) < 80 < flat(problem.network.parameters).size == 392
    assert top == pytest.approx(np.linalg.eigvalsh(hessian(problem))[-1], rel=1e-8)


# Theory and experiment


def loss_after(problem, steps):
    network = problem.network
    for _ in range(steps):
        network = network.update(network.gradients(problem.loss, problem.X, problem.y), problem.lr)
    return problem.loss.value(network.forward(problem.X), problem.y)


def test_least_squares_diverges_exactly_beyond_the_critical_learning_rate():
    problem = least_squares()
    limit = critical_lr(problem)
    start = loss_after(problem, 0)
    assert loss_after(replace(problem, lr=0.98 * limit), 1000) < start
    assert loss_after(replace(problem, lr=1.02 * limit), 1000) > 1e6 * start


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_random_networks_learn_below_the_limit_and_not_far_above_it(activation):
    seeds = range(40)
    limits = [critical_lr(random_problem(seed, activation=activation)) for seed in seeds]
    grew = {}
    for factor in (0.9, 30):
        runs = [
            sweep([seed], [factor * limit], steps=100, activation=activation).loss[0, 0]
            for seed, limit in zip(seeds, limits, strict=True)
        ]
        grew[factor] = np.mean([losses[-1] > losses[0] for losses in runs])
    assert grew[0.9] == 0
    assert grew[30] > 0.8


# The ends


def test_a_loss_that_is_flat_has_no_limit():
    one = np.ones((1, 1))
    silent = Problem(Network((Linear(-one, 0 * one), ReLU())), SumSquaredError(), one, one, lr=0.1)
    assert sharpness(silent) == 0
    assert critical_lr(silent) == math.inf


def test_weights_that_have_diverged_are_refused():
    problem = random_problem(0)
    huge = {name: 1e200 + p for name, p in problem.network.parameters.items()}
    with pytest.raises(ValueError, match="not finite at these weights"):
        sharpness(replace(problem, network=problem.network.with_parameters(huge)))


def test_least_squares_are_right_up_to_numbers_whose_squares_overflow():
    problem = least_squares()
    X = 1e150 * problem.X  # the sharpness is near 1e302, and a sum of squares of the curvature is far beyond
    with_ones = np.hstack([X / 1e150, np.full((9, 1), 1e-150)])
    expected = 2 * np.linalg.norm(with_ones, 2) ** 2 * 1e300
    with np.errstate(all="warn"):
        assert sharpness(replace(problem, X=X)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_on_the_way_to_overflow_there_is_a_number_or_a_refusal_and_never_a_warning(activation):
    problem = random_problem(0, activation=activation)
    bends = []
    for power in range(0, 306, 5):
        scaled = {name: p * 10.0**power for name, p in problem.network.parameters.items()}
        with np.errstate(all="warn"):  # as a reader has NumPy; a warning is an error in these tests
            try:
                bends.append(sharpness(replace(problem, network=problem.network.with_parameters(scaled))))
            except ValueError as refusal:
                bends.append(str(refusal))
    refused = [bend for bend in bends if isinstance(bend, str)]
    assert refused
    assert all("not finite at these weights" in sentence for sentence in refused)
    assert np.isfinite([bend for bend in bends if not isinstance(bend, str)]).all()


def test_it_is_the_same_number_every_time():
    assert sharpness(random_problem(3)) == sharpness(random_problem(3))
