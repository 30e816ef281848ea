"""The sweep: each run is the run done alone, diverged runs end, and stopping keeps what is done."""

from typing import ClassVar

import numpy as np
import pytest
from common import check_cases, count, in_other_numbers, plain_training, same_values
from own_parts import OWN_PROBLEMS, Scale
from problems import LOSSES, identical

from backprop_lab import ACTIVATIONS, ReLU, SumSquaredError, program, random_problem, sweep, trace
from backprop_lab.nn.stacking import products
from backprop_lab.step.random_problems import redrawn
from backprop_lab.training import sweep as sweeping

MANY = {"seeds": range(12), "lrs": np.logspace(-5, -2, 12)}  # side by side
FEW = {"seeds": range(3), "lrs": (1e-4, 1e-2)}  # run by run
STEPS = sweeping.ROUND_STEPS + 7

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)


def alone(problem, steps):
    problems, losses = plain_training(problem, [problem.lr] * (steps + 1))
    return np.array(losses), problems[-1].network


def is_stacked(problem):
    return not problem.lines.not_stacked(problem.given)


def runs_of(result):
    return [(i, j, result.problem(seed, lr)) for i, seed in enumerate(result.seeds) for j, lr in enumerate(result.lrs)]


@every_activation
@pytest.mark.parametrize("hidden", [4, (5, 4, 3)])
def test_each_run_of_a_sweep_is_the_run_done_alone(activation, hidden):
    for axes, rtol, every in ((FEW, 0, 1), (MANY, 1e-11, 144 // count(50))):
        result = sweep(**axes, steps=STEPS, hidden=hidden, activation=activation)
        assert (result.diverged == -1).all()
        assert is_stacked(result.problems[0])
        for i, j, problem in runs_of(result)[::every]:
            losses, network = alone(problem, STEPS)
            np.testing.assert_allclose(result.loss[i, j], losses, rtol=rtol / 10, atol=rtol / 100 * losses[0])
            for name, parameter in result.network(result.seeds[i], problem.lr).parameters.items():
                np.testing.assert_allclose(parameter, network.parameters[name], rtol=rtol, atol=rtol / 10)


@every_activation
def test_a_run_has_diverged_at_the_first_loss_that_is_not_finite(activation, monkeypatch):
    monkeypatch.setattr(sweeping, "ROUND_STEPS", 2)  # so that runs diverge in every round
    with np.errstate(all="raise"):  # nothing warns, however the reader has set NumPy
        result = sweep(range(12), np.logspace(-1, 3, 12), steps=60, activation=activation)
    assert (result.diverged >= 0).any()
    assert not np.isnan(result.loss).any()
    for i, j, problem in runs_of(result):
        end, finite = result.diverged[i, j], np.isfinite(result.loss[i, j])
        assert finite.all() if end < 0 else finite[:end].all() and not finite[end:].any()
        if problem.lr >= 100 and end >= 0:  # far beyond the edge there is no chaos
            assert end == np.isfinite(alone(problem, 60)[0]).argmin()
            said = f"seed {result.seeds[i]} and learning rate {problem.lr} diverged at step {end}"
            with pytest.raises(ValueError, match=said):
                result.network(result.seeds[i], problem.lr)


def test_a_loss_that_is_no_number_counts_as_infinite():
    result = sweep(range(12), [1e308], steps=2)  # infinite weights of both signs meet before any loss was infinite
    assert any(np.isnan(alone(problem, 2)[0][1]) for _, _, problem in runs_of(result))
    assert ((result.loss[..., 1] == np.inf) & (result.diverged == 1)).all()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize(("widths", "part"), [((5, 4, 5, 4), ReLU()), ((3,), Scale(a=[[0.5, -2, 1.5]]))])
def test_runs_of_ones_own_problem_are_of_other_weights_for_its_data(widths, part, loss):
    p = random_problem(3, 7, 4, widths, 3, activation=part, loss=loss)
    assert is_stacked(p), "so that many runs are trained at once"
    result = sweep([None, *range(11)], np.logspace(-4, -2, 12), STEPS, problem=p)
    assert result.seeds == (None, *range(11))
    assert same_values(trace(result.problem(None, 1e-4)), trace(p.evolve(lr=1e-4)))
    for i, j, problem in runs_of(result)[:: 144 // count(50)]:
        expected = redrawn(p, result.seeds[i]).evolve(lr=problem.lr)
        assert same_values(trace(problem), trace(expected))
        losses = np.nan_to_num(alone(expected, STEPS)[0], nan=np.inf, posinf=np.inf)  # a run that is lost stays so
        for these, rtol in ((losses <= losses[0], 0), (losses > losses[0], 1e-12)):
            np.testing.assert_allclose(result.loss[i, j][these], losses[these], rtol=rtol, atol=1e-14 * losses[0])


class PerSampleError(SumSquaredError):
    formulas: ClassVar = {name: f"{line} / len({{y}})" for name, line in SumSquaredError.formulas.items()}


class OneByOneError(SumSquaredError):
    """One that nobody has said how to write for many problems at once."""

    formulas: ClassVar = {**SumSquaredError.formulas, "L": "sum((({y_pred} - {y}) ** 2).ravel())"}


def test_the_length_of_a_stack_is_not_taken_for_the_number_of_samples():
    for samples in (2, 3):
        p = random_problem(0, samples, loss=PerSampleError())
        assert is_stacked(p)
        assert sweep([None], FEW["lrs"], 9, problem=p).loss[0, 1].tolist() == alone(p.evolve(lr=1e-2), 9)[0].tolist()


@pytest.mark.parametrize("name", OWN_PROBLEMS)
def test_runs_of_ones_own_parts_are_those_done_alone_stacked_or_not(name):
    p = OWN_PROBLEMS[name]
    assert is_stacked(p) == (name not in ("twice as wide", "arctan by math.atan"))
    for lrs in (FEW["lrs"], np.geomspace(1e-4, 1e-2, sweeping.FEW_RUNS)):
        result = sweep([None], lrs, 9, problem=p)
        for at in (0, -1):
            losses, network = alone(p.evolve(lr=lrs[at]), 9)
            np.testing.assert_allclose(result.loss[0, at], losses, rtol=1e-12)
            for name, parameter in network.parameters.items():
                np.testing.assert_allclose(result.network(None, lrs[at]).parameters[name], parameter, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "memory", "runs"), [(OneByOneError(), 9e9, 1), (LOSSES[0], 9e9, 4), (LOSSES[0], 1, 1)]
)
def test_what_is_left_goes_down_with_every_step_of_a_run_or_block(loss, memory, runs, monkeypatch):
    for name, value in {"PIECE": 0.0, "ROUND_STEPS": 4, "BLOCK_NUMBERS": int(memory)}.items():
        monkeypatch.setattr(sweeping, name, value)
    rounds = sweeping.sweep_problems([random_problem(s, loss=loss) for s in (0, 1)], [1e-3, 1e-2], 9, (0, 1))
    left = dict.fromkeys(result.left for result in rounds)
    assert [*left] == [*range(36 - runs, 0, -runs), 0]


def test_products_of_problems_side_by_side_lie_side_by_side_and_any_other_is_numpys():
    X, W = (np.random.default_rng(0).standard_normal(shape) for shape in ((200, 2, 3), (200, 3, 4)))
    beside = products(np.asfortranarray(X), np.asfortranarray(W))
    assert beside.strides[0] == beside.itemsize
    np.testing.assert_allclose(beside, X @ W, rtol=1e-13)
    for left, right in ((X, W), (np.asfortranarray(X), W[0]), (X[0], W)):
        assert identical(products(left, right), left @ right)


class Counted(Scale):
    """One that counts how often it has been drawn."""

    redraws = 0

    def redrawn(self, rng):
        Counted.redraws += 1
        return self


def test_a_bad_seed_is_refused_before_anything_is_drawn():
    p = random_problem(0, activation=Counted(a=[[0.5, -2, 1.5, 1]]))
    with pytest.raises(ValueError, match="the seed must be a whole number"):
        sweep([0, None, -1], [0.1], 1, problem=p)
    assert Counted.redraws == 0
    sweep([0, None], [0.1], 1, problem=p)
    assert Counted.redraws == 1


def test_single_precision_stays():
    with np.errstate(all="raise"):  # nor does a rate warn that single precision has no number for
        result = sweep([None, 4], [1e-3, 1e-2, 1e39], 60, problem=in_other_numbers(random_problem(1), np.float32))
    assert [*result.diverged[:, 2]] == [1, 1]
    for i, seed in enumerate(result.seeds):
        start = result.problem(seed, 1e-2)
        assert start.X.dtype == result.network(seed, 1e-2).parameters["W1"].dtype == np.float32
        assert identical(result.loss[i, 1], alone(start, 60)[0].astype(float))


def test_what_cannot_be_swept_is_refused_with_the_sentence_that_somebody_has_read():
    check_cases("sweeps", globals())


@pytest.mark.parametrize(
    "lines",
    [
        "P = 1 / (1 + np.exp(-X @ W))\nlogs = np.log(P) * y**2\nm = len(X)\nL = -np.sum(logs) / m",
        "z = X @ W\nm = z.max(axis=1)\nlse = m + np.log(np.exp(z - m[:, None]).sum(axis=1))\nL = np.mean(lse)",
        "z = X @ W\nr = z.mean(axis=0)\nL = np.sum((z - r[None, :])**2) + np.sum(r[None])",
        "g = np.tanh(X @ W).sum(axis=(0, 1), keepdims=True)\nL = np.sum(g**2)",
        "z = X @ W\nL = np.mean(X.T @ z) - np.mean(y.T @ z) + np.sum(z.T)",
    ],
)
def test_lines_that_fill_an_array_or_add_an_axis_are_trained_as_one_stack(lines):
    rng = np.random.default_rng(0)
    data = {"X": rng.standard_normal((5, 3)), "y": rng.standard_normal((5, 2))}
    p = program(lines, {"W": rng.standard_normal((3, 2))}, data)
    for lrs in (FEW["lrs"], np.geomspace(1e-4, 1e-2, sweeping.FEW_RUNS)):
        result = sweep([None], lrs, 9, problem=p)
        assert result.one_by_one == ""
        run = trace(p.evolve(lr=lrs[-1]))
        for loss in result.loss[0, -1]:
            np.testing.assert_allclose(loss, run["L"], rtol=1e-12)
            run = trace(run.next_problem())
