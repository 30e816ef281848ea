"""The sharpness: against the whole Hessian, and against experiment."""

import math
from itertools import product

import numpy as np
import pytest
from common import check_cases, trained, with_numbers
from own_parts import OWN_PROBLEMS
from problems import ACTIVATIONS, varied_problem

from backprop_lab import Linear, Network, Problem, ReLU, SumSquaredError, Tanh, random_problem, trace
from backprop_lab.training import curvature
from backprop_lab.training.curvature import critical_lr, curvature_along, iter_sharpness, sharpness


@pytest.fixture(params=[curvature.SMALL, 0], ids=["whole", "by products"], autouse=True)
def way(request, monkeypatch):
    """H made whole, as of a small problem, or met in its products alone."""
    monkeypatch.setattr(curvature, "SMALL", request.param)


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays.values()])


def hessian(problem):
    return np.array([curvature_along(problem, v) for v in np.eye(flat(problem.network.parameters).size)])


def hessian_by_differences(problem, h=1e-5):
    columns = []
    for name, p in problem.network.parameters.items():
        for entry in np.eye(p.size).reshape(-1, *p.shape):
            there = (with_numbers(problem, **{name: p + step * entry}) for step in (h, -h))
            ahead, behind = (flat(q.network.gradients(q.loss, q.X, q.y)) for q in there)
            columns.append((ahead - behind) / (2 * h))
    return np.array(columns)


@pytest.mark.parametrize("which", [*range(24), *(name for name in OWN_PROBLEMS if "arctan" not in name)])
def test_it_is_the_largest_eigenvalue_of_the_hessian_found_by_differences(which):
    problem = OWN_PROBLEMS.get(which) or varied_problem(which)
    expected = hessian_by_differences(problem)
    np.testing.assert_allclose(hessian(problem), expected, atol=1e-8 * np.abs(expected).max())
    assert sharpness(problem) == pytest.approx(np.linalg.eigvalsh(expected)[-1], rel=1e-7)


def test_a_unit_at_zero_is_off_and_a_flat_loss_has_no_limit():
    """The first is off for the only sample, so the second hears 0, its bias; the loss (b3 - 1)^2 bends along b3."""
    off, on = (Linear([[-1.0]], [[0.0]]), ReLU()), (Linear([[1.0]], [[0.0]]), ReLU(), Linear([[1.0]], [[0.0]]))
    one_on, silent = (Problem(Network(layers), SumSquaredError(), [[1.0]], [[1.0]], 0.1) for layers in (off + on, off))
    assert np.array_equal(hessian(one_on), np.diag([0, 0, 0, 0, 0, 2]))
    assert (sharpness(silent), critical_lr(silent)) == (0, math.inf)


def test_it_is_the_largest_and_not_the_largest_in_size():
    wide = random_problem(0, samples=50, inputs=10, hidden=30, outputs=2, activation=Tanh())
    for problem, steep in ((random_problem(1, activation=Tanh()), 1.5), (wide, 0)):
        eigenvalues = np.linalg.eigvalsh(hessian(problem))
        assert -eigenvalues[0] > steep * eigenvalues[-1]
        assert sharpness(problem) == pytest.approx(eigenvalues[-1], rel=1e-8)


@pytest.mark.parametrize("way", [100], indirect=True)
def test_with_100_parameters_it_comes_at_once_with_more_step_by_step_and_each_time_to_the_same_bit():
    at_once, longer = (random_problem(0, inputs=inputs, hidden=(), outputs=5) for inputs in (19, 20))
    assert len([*iter_sharpness(at_once)]) == 1
    assert len([*iter_sharpness(longer)]) > 1
    assert [*iter_sharpness(longer)] == [*iter_sharpness(longer)]


def rounded(problem):
    return f"{critical_lr(problem):.7g}"


def test_the_limit_of_each_problem_is_what_somebody_has_read():
    check_cases("limits", {**vars(curvature), **globals()})


def test_least_squares_diverges_exactly_beyond_the_critical_learning_rate():
    problem = random_problem(5, samples=9, inputs=4, hidden=(), outputs=3)
    start, limit = trained(problem, 0)["L"], critical_lr(problem)
    assert trained(problem.evolve(lr=0.98 * limit), 1000)["L"] < start
    assert trained(problem.evolve(lr=1.02 * limit), 1000)["L"] > 1e6 * start


def test_on_the_way_to_overflow_there_is_never_a_warning():
    bends, refused = [], set()
    weights = [("W1 b1 W2 b2", power) for power in range(0, 306, 25)]
    inputs = [("X", power) for power in np.arange(153, 154, 0.02)]  # where H is finite, and its eigenvalue not yet
    for activation, (names, power) in product(ACTIVATIONS, weights + inputs):
        problem = random_problem(0, samples=3, activation=activation)
        scaled = {name: trace(problem)[name] * 10.0**power for name in names.split()}
        with np.errstate(all="warn"):  # as a reader has NumPy; a warning is an error in these tests
            try:
                bends.append(sharpness(with_numbers(problem, **scaled)))
            except ValueError as refusal:
                refused.add(str(refusal))
    assert np.isfinite(bends).all()
    assert refused == {"the curvature is not finite at these weights: they are too large, as after a divergence"}
