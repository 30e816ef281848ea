"""The sweep: each run is the run done alone, diverged runs end, stopping keeps what is done, and memory stays flat."""

import tracemalloc
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from common import count, same_values
from problems import identical

from backprop_lab import ACTIVATIONS, Activation, Linear, Tanh, random_problem, sweep, sweeping, trace
from backprop_lab.sweeping import FEW_RUNS, ROUND_STEPS, RunsContiguous, iter_sweep

DEPTHS = (4, (4, 4), (5, 4, 3))
MANY = {"seeds": range(12), "lrs": np.logspace(-5, -2, 12)}  # side by side
FEW = {"seeds": range(3), "lrs": (1e-4, 1e-2)}  # run by run
WILD = np.logspace(-1, 3, 12)
STEPS = ROUND_STEPS + 7

every_network = pytest.mark.parametrize(
    ("activation", "hidden"), [(activation, hidden) for activation in ACTIVATIONS for hidden in DEPTHS]
)


def alone(problem, steps):
    """The losses and the last network of one run, trained by itself."""
    network, losses = problem.network, []
    with np.errstate(all="ignore"):
        for step in range(steps + 1):
            if step:
                network = network.update(network.gradients(problem.loss, problem.X, problem.y), problem.lr)
            losses.append(problem.loss.value(network.forward(problem.X), problem.y))
    return np.array(losses), network


def runs_of(result):
    return [(i, j, result.problem(seed, lr)) for i, seed in enumerate(result.seeds) for j, lr in enumerate(result.lrs)]


@pytest.fixture
def blocks(monkeypatch):
    """The trained parameters of every block of a sweep, as they come."""
    train, seen = sweeping._train, []

    def watched(*given):
        parameters, losses = train(*given)
        seen.append(parameters)
        return parameters, losses

    monkeypatch.setattr(sweeping, "_train", watched)
    monkeypatch.setattr(sweeping, "_can_be_stacked", lambda problem: True)  # which trains two runs to find out
    return seen


# Each run is the run done alone


@every_network
def test_in_a_small_block_each_run_is_the_run_done_alone_to_the_bit(activation, hidden):
    result = sweep(**FEW, steps=STEPS, hidden=hidden, activation=ACTIVATIONS[activation])
    assert len(runs_of(result)) < FEW_RUNS
    for i, j, problem in runs_of(result):
        losses, network = alone(problem, STEPS)
        found = result.network(result.seeds[i], problem.lr)
        assert identical(result.loss[i, j], losses)
        assert all(map(identical, found.parameters.values(), network.parameters.values()))


@every_network
def test_in_a_large_block_each_run_is_the_run_done_alone_but_for_the_last_bits(activation, hidden):
    result = sweep(**MANY, steps=STEPS, hidden=hidden, activation=ACTIVATIONS[activation])
    assert len(runs_of(result)) >= FEW_RUNS
    assert (result.diverged == -1).all()
    for i, j, problem in runs_of(result)[:: 144 // count(50)]:
        losses, network = alone(problem, STEPS)
        np.testing.assert_allclose(result.loss[i, j], losses, rtol=1e-12, atol=1e-13 * losses[0])
        for name, parameter in result.network(result.seeds[i], problem.lr).parameters.items():
            np.testing.assert_allclose(parameter, network.parameters[name], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("D", [1, 3, 20, 100])
def test_a_product_in_a_large_block_is_off_by_no_more_than_its_rounding(D):
    rng = np.random.default_rng(D)
    A, B = rng.standard_normal((FEW_RUNS, 5, D)), rng.standard_normal((FEW_RUNS, D, 4))
    unit = np.finfo(float).eps / 2
    bound = 2 * D * unit / (1 - D * unit) * (abs(A) @ abs(B))  # of each of the two sums, by Higham 2002, section 3.1
    assert (abs(A.view(RunsContiguous) @ B - A @ B) <= bound).all()
    whole_A, whole_B = np.rint(2**20 * A), np.rint(2**20 * B)  # of which no product is rounded
    assert identical(np.asarray(whole_A.view(RunsContiguous) @ whole_B), whole_A @ whole_B)


@every_network
def test_after_500_steps_most_runs_still_agree_but_for_the_last_bits(activation, hidden):
    options = {"hidden": hidden, "activation": ACTIVATIONS[activation]}
    result, apart = sweep(range(12), np.logspace(-3.5, -0.5, 12), steps=count(500), **options), []
    for i, j, problem in runs_of(result)[::11]:
        losses, _ = alone(problem, count(500))
        known = np.isfinite(losses)
        assert np.array_equal(known, np.isfinite(result.loss[i, j]))
        losses, stacked = losses[known], result.loss[i, j, known]
        apart.append(np.max(abs(stacked - losses) / np.maximum(losses, 1e-3 * losses[0])))
    assert np.median(apart) < 5e-14
    assert np.sort(apart)[-3] < 1e-9  # of these 14, one or two may be chaotic


@dataclass(frozen=True)
class Mixes(Activation):
    """An activation that the package does not have, which multiplies each sample's row by a matrix that is no stack."""

    M: tuple = ((0.8, -0.6), (0.6, 0.8))

    def forward(self, X):
        return X @ np.array(self.M)

    def backward(self, X, dY):
        return dY @ np.array(self.M).T

    formulas: ClassVar = {"Y": "{X} @ np.array({M})", "dX": "{dY} @ np.array({M}).T"}


@pytest.mark.parametrize("options", [
    {"samples": 1, "inputs": 1, "hidden": 1, "outputs": 1},
    {"samples": 7, "inputs": 5, "hidden": (), "outputs": 3},
    {"samples": 30, "inputs": 20, "hidden": 40, "outputs": 10},
    {"hidden": 2, "activation": Mixes()},
])  # fmt: skip
def test_networks_of_any_size_and_layer_can_be_swept(options):
    for sizes in (MANY, {"seeds": [3], "lrs": [0.01]}):
        result = sweep(**sizes, steps=3, **options)
        for i, j, problem in runs_of(result)[::20]:
            np.testing.assert_allclose(result.loss[i, j], alone(problem, 3)[0], rtol=1e-11)


# Divergence


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_run_has_diverged_at_the_first_loss_that_is_not_finite(activation):
    with np.errstate(all="raise"):  # nothing warns, however the reader has set NumPy
        result = sweep(range(12), WILD, steps=60, activation=ACTIVATIONS[activation])
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
    # One step, and infinite weights of both signs meet: inf - inf, before any loss was infinite.
    result = sweep(range(12), [1e308], steps=2)
    lost = np.isnan([alone(problem, 2)[0][1] for _, _, problem in runs_of(result)])
    assert lost.any()
    assert (result.loss[lost, 0, 1] == np.inf).all()
    assert (result.diverged[lost, 0] == 1).all()


def test_a_run_can_diverge_before_its_first_update():
    result = sweep([0, 1], [0.1], steps=2 * ROUND_STEPS, hidden=2, activation=Mixes(((1e200, 0.0), (0.0, 1e200))))
    assert (result.diverged == 0).all()
    assert (result.loss == np.inf).all()


def test_diverged_runs_stop_costing_time_and_once_none_is_left_the_sweep_is_done(blocks):
    result = sweep(range(20), [1e-3, 1e3], steps=3 * ROUND_STEPS, activation=Tanh())
    assert (result.diverged < 0).tolist() == [[True, False]] * 20
    assert [len(block["W1"]) for block in blocks] == [40, 20, 20]
    nothing_left = sweep(range(4), [1e3], steps=4 * ROUND_STEPS, activation=Tanh())
    assert nothing_left.step == 4 * ROUND_STEPS
    assert np.isinf(nothing_left.loss[..., -1]).all()


# Blocks, and stopping between them


def test_whoever_stops_between_blocks_keeps_a_whole_map_of_fewer_steps(monkeypatch):
    whole = sweep(**MANY, steps=3 * ROUND_STEPS)
    monkeypatch.setattr(sweeping, "BLOCK_BYTES", 2**14)
    steps = []
    for result in iter_sweep(**MANY, steps=3 * ROUND_STEPS):
        known = ~np.isnan(result.loss)
        assert known[..., : result.step + 1].all() or result.step == 0
        steps.append(result.step)
        if result.step == ROUND_STEPS and known[0, 0, -1 - ROUND_STEPS]:
            break
    assert steps == sorted(steps)
    assert len(steps) > 10
    assert not known[..., -1].any()
    np.testing.assert_allclose(result.loss[known], whole.loss[known], rtol=1e-12)
    assert result.network(0, 1e-5).parameters.keys() == {"W1", "b1", "W2", "b2"}, "a run can be opened"


def test_a_block_has_as_many_runs_as_its_bytes_hold_and_one_at_least(monkeypatch, blocks):
    """With 7 samples, 5 inputs, 9 hidden units and 3 outputs, W1, b1 and Y1 have 45, 9 and 63 numbers, and so on."""
    bytes_a_run = 8 * 4 * (45 + 9 + 63 + 27 + 3 + 21)
    for held, runs in [(10 * bytes_a_run, [10, 10, 9]), (10 * bytes_a_run - 1, [8, 7, 7, 7]), (1, [1] * 29)]:
        monkeypatch.setattr(sweeping, "BLOCK_BYTES", held)
        sweep(range(29), [0.01], steps=1, samples=7, inputs=5, hidden=9, outputs=3)
        assert [len(block["W1"]) for block in blocks] == runs
        blocks.clear()


def test_the_runs_of_a_large_block_lie_side_by_side_in_memory(blocks):
    sweep(range(FEW_RUNS), [0.01], steps=1)
    sweep(range(FEW_RUNS - 1), [0.01], steps=1)
    large, small = blocks
    assert all(p.strides[0] == p.itemsize for p in large.values())  # without this, a sweep takes four times as long
    assert all(p.flags.c_contiguous for p in small.values())


def test_memory_beside_the_result_stays_flat():
    def beside(seeds):
        tracemalloc.start()
        result = sweep(seeds, np.logspace(-4, -3, 100), steps=20)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak - result.loss.nbytes - sum(p.nbytes for p in result.parameters.values())

    assert beside(range(100)) < beside(range(20)) + 2**20 < 2**23


# What comes out, and what is refused


def test_rows_are_seeds_and_columns_are_learning_rates_as_plain_numbers():
    result = sweep(np.array([7, 2]), np.array([0.1, 0.01, 0.001]), steps=1)
    assert repr((result.seeds, result.lrs)) == "((7, 2), (0.1, 0.01, 0.001))"
    assert result.loss.shape == (2, 3, 2)
    assert result.loss[0, 1, 0] == result.loss[0, 2, 0] != result.loss[1, 1, 0]
    assert sweep([0], [0.01]).loss.shape == next(iter_sweep([0], [0.01])).loss.shape == (1, 1, 501)


def test_a_run_can_be_opened_elsewhere():
    result = sweep(np.arange(4), np.logspace(-3, -1, 3), steps=2, hidden=(3, 2), activation=Tanh())
    opened, network = result.problem(2, 0.01), result.network(2, 0.01)
    expected = random_problem(2, hidden=(3, 2), activation=Tanh(), lr=opened.lr)
    assert opened.lr == pytest.approx(0.01)
    assert same_values(trace(opened), trace(expected))
    assert list(map(type, network.layers)) == [Linear, Tanh, Linear, Tanh, Linear]
    value = opened.loss.value(network.forward(opened.X), opened.y)
    assert value == pytest.approx(result.loss[2, 1, -1], rel=1e-12)


def test_a_learning_rate_may_be_any_number_that_a_problem_takes():
    result = sweep([3], [Fraction(1, 3), 10**20, np.float32(0.01)], steps=5)
    assert result.lrs == (Fraction(1, 3), 10**20, float(np.float32(0.01)))
    assert np.array_equal(result.loss, sweep([3], [1 / 3, 1e20, float(np.float32(0.01))], steps=5).loss)


@pytest.mark.parametrize(("seed", "lr"), [(5, 0.1), (1, 0.11), (1, 0.1001)])
def test_a_run_that_was_not_swept_is_refused_and_the_nearest_named(seed, lr):
    result = sweep([0, 1], [0.01, 0.1], steps=1)
    for find in (result.problem, result.network):
        with pytest.raises(ValueError, match=rf"no run has seed {seed} and learning rate {lr}; .* has 1 and 0\.1$"):
            find(seed, lr)


@pytest.mark.parametrize(("arguments", "message"), [
    (([], [0.1]), r"seeds must be one or more of them, such as .*; got \[\]"),
    ((3, [0.1]), "seeds must be one or more .*; got 3"),
    (([1, -2], [0.1]), "seed must be a whole number.*; got -2"),
    (([1], [0.1, 0]), "learning rate must be a positive, finite number.*; got 0"),
    (([1], [0.1], 0), "steps must be a whole number, 1 or more, such as 500; got 0"),
])  # fmt: skip
def test_bad_input_is_refused_and_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        iter_sweep(*arguments)  # at once, not when the first block is asked for


def test_options_are_those_of_a_random_problem_but_for_lr():
    with pytest.raises(ValueError, match="hidden must be a whole number, 1 or more; got 0"):
        iter_sweep([1], [0.1], hidden=0)
    with pytest.raises(TypeError, match="lr"):
        iter_sweep([1], [0.1], lr=0.2)
