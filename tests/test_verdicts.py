"""The verdicts: the sentences about a run and about a map agree with its numbers, and with the theory."""

import re
from dataclasses import replace

import numpy as np
import pytest

from backprop_lab import random_problem
from backprop_lab.curvature import critical_lr
from backprop_lab.number_format import plain
from backprop_lab.ui.rates import verdicts
from backprop_lab.ui.rates.sweeper import LEARNING_RATES, Sweeper


@pytest.fixture(scope="module")
def runs():
    sweeper = Sweeper(seeds=8)
    for _ in sweeper.train():
        pass
    return sweeper.state.runs


def all_runs(runs):
    return np.ndindex(runs.shape)


def kind(runs, run):
    """Above the limit or not, and what became of the loss: the cases that there are something to say of."""
    change = runs.change[run]
    outcome = "lost" if np.isinf(change) else "down" if change < 1 else "up"
    return runs.lr(run) > runs.limits[run[0]], outcome


def test_these_runs_are_of_every_kind(runs):
    found = {kind(runs, run) for run in all_runs(runs)}
    assert found == {(False, "down"), (True, "down"), (True, "up"), (True, "lost")}


def test_of_each_run_the_numbers_are_its_own(runs):
    for row, col in list(all_runs(runs))[::7]:
        said = verdicts.on_run(runs, (row, col))
        losses = runs.losses((row, col))
        if np.isinf(losses[-1]):
            end = int(re.search(r"had overflowed after step (\d+)\.", said)[1])
            assert np.isfinite(losses[:end]).all()
            assert np.isinf(losses[end:]).all()
        else:
            assert said.startswith(f"The loss went from {plain(losses[0], 4)} to {plain(losses[-1], 4)} in 300 steps.")
        limit = critical_lr(random_problem(runs.sweep.seeds[row]))
        ratio = plain(LEARNING_RATES[col] / limit, 2)
        assert f"{ratio} times the theoretical limit at the start, {plain(limit, 3)}" in said


def test_theory_and_experiment_disagree_just_where_one_says_down_and_the_other_up(runs):
    for run in list(all_runs(runs))[::5]:
        said = verdicts.on_run(runs, run)
        above, outcome = kind(runs, run)
        disagree = above == (outcome == "down")
        assert ("here theory and experiment disagree" in said) == disagree
        assert ("so this was to be expected" in said) == (not disagree)


def test_where_a_run_above_its_limit_came_down_the_limit_where_it_ended_is_told(runs):
    told = 0
    for run in [run for run in all_runs(runs) if kind(runs, run) == (True, "down")][::9]:
        end = replace(runs.problem(run), network=runs.network(run))
        less_or_more = "less" if critical_lr(end) > runs.limits[run[0]] else "more"
        assert verdicts.on_run(runs, run).endswith(
            f"Where the run ended, the loss bends {less_or_more}, and the limit is {plain(critical_lr(end), 3)}."
        )
        told += 1
    assert told > 5


def test_while_a_sweep_runs_nothing_is_said_of_where_its_runs_end():
    sweeper = Sweeper(seeds=8, steps=200)
    pieces = sweeper.train()
    while sweeper.state.runs is None:
        next(pieces)
    early = sweeper.state.runs
    for run in list(all_runs(early))[::11]:
        said = verdicts.on_run(early, run)
        assert "ended" not in said
        assert " in 50 steps" in said or "had overflowed after step" in said


def test_of_the_map_the_shares_are_counted(runs):
    kinds = [kind(runs, run) for run in all_runs(runs)]
    below, above = ([outcome == "down" for high, outcome in kinds if high is side] for side in (False, True))
    lost = [outcome == "lost" for _, outcome in kinds]
    said = verdicts.on_map(runs)
    assert said.startswith("After 300 steps, the loss has come down in ")
    assert re.findall(r"(\d+)%", said) == [f"{100 * np.mean(share):.0f}" for share in (below, above, lost)]
    best = float(re.search(r"The median seed does best at a learning rate of (\S+)\.$", said)[1])
    at = int(np.argmin(np.abs(np.array(LEARNING_RATES) - best)))
    medians = np.median(runs.change, axis=0)
    assert medians[at] == medians.min()


def test_who_does_not_see_the_map_is_told_what_it_is_and_what_it_shows(runs):
    said = verdicts.of_picture(runs)
    assert said.startswith("Map of 8 seeds, in rows, at 76 learning rates from 0.0001 to 10. ")
    assert said.endswith(verdicts.on_map(runs))


def test_a_run_is_called_by_its_seed_and_its_learning_rate(runs):
    assert verdicts.name_of(runs, (2, 30)) == f"seed {runs.sweep.seeds[2]}, learning rate 0.01"
