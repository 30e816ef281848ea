"""The sharpness: against the whole Hessian, and against experiment."""

import math
from itertools import product

import numpy as np
import pytest
from common import check_cases, trained, with_numbers
from own_parts import OWN_PROBLEMS
from problems import ACTIVATIONS, varied_problem

from backprop_lab import (
    L2,
    Adam,
    GradientDescent,
    Linear,
    MeanSquaredError,
    Momentum,
    Nesterov,
    Network,
    Problem,
    ReLU,
    SumSquaredError,
    Tanh,
    program,
    random_problem,
    trace,
)
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


def test_curvatures_that_lie_close_together_are_told_apart():
    """Inputs made nearly white, a penalty beside which the data hardly count, and a bowl that is nearly round."""
    X, y = (np.random.default_rng(0).standard_normal((200, 11)) for _ in "Xy")
    X = np.round(np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0] * 200**0.5, 2)
    white = random_problem(0, X=X, y=y[:, :10], hidden=(), loss=MeanSquaredError())
    beside_ones = np.column_stack([X, np.ones(200)])
    assert sharpness(white) == pytest.approx(np.linalg.eigvalsh(beside_ones.T @ beside_ones / 1000)[-1], rel=1e-9)
    data_small = random_problem(0, X=1e-3 * X, y=y[:, :10], hidden=(), penalty=L2(0.5))
    bend = np.linalg.eigvalsh(2e-6 * X.T @ X)[-1]
    assert sharpness(data_small) == pytest.approx(max(1 + bend, 400), rel=1e-9)
    s = np.ones(201)
    s[7] += 1e-6
    round_bowl = program("L = 0.5 * np.sum(s * w**2)", {"w": y.ravel()[:201]}, {"s": s})
    assert sharpness(round_bowl) == pytest.approx(1 + 1e-6, abs=1e-9)


def test_what_bends_downwards_and_is_flat_elsewhere_has_no_limit():
    x = np.random.default_rng(0).standard_normal((3, 150))
    for size in (10, 150):
        down = program("L = -np.sum((x @ w)**2)", {"w": np.ones(size)}, {"x": x[:, :size]})
        assert (sharpness(down), critical_lr(down)) == (0, math.inf), size


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


def by_lines(lines, seed=0, **options):
    """A program of 5 samples with 3 inputs and 2 outputs."""
    rng = np.random.default_rng(seed)
    given = {name: rng.standard_normal(shape) for name, shape in (("W", (3, 2)), ("X", (5, 3)), ("y", (5, 2)))}
    return program(lines, {"W": given.pop("W")}, given | {"t": np.array([0, 1, 1, 0, 1])}, **options)


@pytest.mark.parametrize(
    "lines",
    [
        "L = np.sum((np.tanh(X @ W) - y)**2)",
        "S = X @ W\nP = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)\nL = -np.mean(np.log(P[np.arange(5), t]))",
        "H = X @ W\nN = (H - H.mean(axis=0)) / H.std(axis=0)\nL = np.sum((N - y)**2)",
        "H = X @ W\nL = H.var() + np.sum(np.var(H, axis=1)**2) + np.mean(np.logaddexp(0, H)) + abs(H).sum()",
        "H = np.where(X @ W > 0, X @ W, 0.1 * (X @ W))\nm = H.max(axis=1)\nL = np.sum(np.clip(m, -1, 1)**2 * m)",
    ],
)
def test_the_curvature_of_a_program_is_that_found_by_differences(lines):
    p = by_lines(lines)
    columns = []
    for entry in np.eye(6).reshape(-1, 3, 2):
        there = (p.evolve(parameters={"W": p.parameters["W"] + step * entry}) for step in (1e-5, -1e-5))
        ahead, behind = (trace(q)["dW"].ravel() for q in there)
        columns.append((ahead - behind) / 2e-5)
    assert sharpness(p) == pytest.approx(max(np.linalg.eigvalsh(np.array(columns))[-1], 0), rel=1e-6)


def test_the_limit_of_a_program_is_exact_for_least_squares_and_that_of_the_same_layers():
    p = by_lines("L = np.sum((X @ W - y)**2)")
    limit = critical_lr(p)
    assert limit == pytest.approx(1 / np.linalg.eigvalsh(p.data["X"].T @ p.data["X"])[-1], rel=1e-9)
    start = trace(p)["L"]
    assert trace(p.trained([0.98 * limit] * 1000))["L"] < start
    assert trace(p.trained([1.02 * limit] * 1000))["L"] > 1e6 * start
    assert critical_lr(p.evolve(optimizer=Momentum(0.9))) == pytest.approx(1.9 * limit)
    problem = random_problem(1, activation=Tanh())
    lines = [f"{s.name} = {s.code}" for s in trace(problem).steps if s.phase in ("forward", "loss")]
    same = program(lines, problem.parameters, problem.data)
    assert critical_lr(same) == pytest.approx(critical_lr(problem), rel=1e-7)


def test_the_limit_of_a_program_is_refused_in_words_where_none_is_known():
    p = by_lines("L = np.sum((X @ W - y)**2)", optimizer=GradientDescent(decay=0.2))
    with pytest.raises(ValueError, match=r"in a program: write its decay as a part of the loss, such as 0\.1 \* np"):
        critical_lr(p)
    with pytest.raises(ValueError, match=r"no limit is known for Adam\("):
        critical_lr(p.evolve(optimizer=Adam()))
    at_corner = by_lines("L = np.sum(np.abs(X @ W))").evolve(parameters={"W": np.zeros((3, 2))})
    with pytest.raises(ValueError, match=r"how the loss bends cannot be told: .* is at a corner"):
        critical_lr(at_corner)


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
    assert refused == {
        "the curvature is not finite at these weights, as after a divergence, or where a logarithm has no value"
    }


@pytest.mark.parametrize("decay", [0.0, 0.6])
@pytest.mark.parametrize("penalty", [None, L2(0.4)])
@pytest.mark.parametrize("optimizer", [GradientDescent, Momentum, Nesterov, Adam])
def test_just_below_the_limit_a_parabola_is_run_down_and_just_above_it_no_longer(optimizer, penalty, decay):
    """L = (2w - 3)^2 bends by 8, a penalty by 0.8 more, and a decay acts as 0.6 more."""
    layer, rule = Linear([[1.0]]), optimizer(decay=decay)
    p = Problem(Network([layer]), SumSquaredError(), [[2.0]], [[3.0]], 0.01, penalty=penalty, optimizer=rule)
    if optimizer is Adam or (decay and optimizer is not GradientDescent):
        with pytest.raises(ValueError, match="no limit is known for"):
            critical_lr(p)
        return
    bend = 8 + 0.8 * bool(penalty) + decay
    factor = {GradientDescent: 2, Momentum: 3.8, Nesterov: 3.8 / 2.8}[optimizer]
    limit = critical_lr(p)
    assert limit == pytest.approx(factor / bend, rel=1e-9)
    for part, settles in ((0.98, True), (1.02, False)):
        lr = part * limit
        ends = [p.evolve(lr=lr).trained([lr] * steps).parameters["W1"].item() for steps in (2000, 2001)]
        assert (abs(ends[0] - ends[1]) < 1e-6) == settles, part
