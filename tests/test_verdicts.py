"""The verdicts: the sentences about a run and about a map agree with its numbers, and with the theory."""

import re
from dataclasses import replace

import numpy as np
import pytest
from common import at_first_map, swept
from own_parts import OWN_PROBLEMS

from backprop_lab import random_problem
from backprop_lab.curvature import critical_lr
from backprop_lab.number_format import plain
from backprop_lab.ui.rates import verdicts


@pytest.fixture(scope="module")
def runs():
    return swept(seeds=8).state.runs


def kinds(runs):
    """Every run with whether it is above its limit, and what became of its loss."""
    for run in np.ndindex(runs.shape):
        change = runs.change[run]
        outcome = "lost" if np.isinf(change) else "down" if change < 1 else "up"
        yield run, runs.lr(run) > runs.limits[run[0]], outcome


def test_of_each_run_its_own_numbers_are_told_and_whether_theory_foresaw_them(runs):
    every_kind = {(False, "down"), (True, "down"), (True, "up"), (True, "lost")}
    assert {(above, outcome) for _, above, outcome in kinds(runs)} == every_kind
    for run, above, outcome in list(kinds(runs))[::5]:
        said, losses = verdicts.on_run(runs, run), runs.losses(run)
        if outcome == "lost":
            end = int(re.search(rf"^The loss began at {plain(losses[0], 4)} and had .* after step (\d+)\.", said)[1])
            assert np.isinf(losses).tolist() == [step >= end for step in range(301)]
        else:
            assert said.startswith(f"The loss went from {plain(losses[0], 4)} to {plain(losses[-1], 4)} in 300 steps.")
        limit = critical_lr(random_problem(runs.seed(run)))
        assert f"{plain(runs.lr(run) / limit, 2)} times the theoretical limit at the start, {plain(limit, 3)}" in said
        disagree = above == (outcome == "down")
        assert ("here theory and experiment disagree" in said) == disagree
        assert ("so this was to be expected" in said) == (not disagree)
        if above and outcome == "down":
            now = critical_lr(runs.problem(run).evolve(network=runs.network(run)))
            bends = "less" if now > limit else "more"
            assert said.endswith(f" Where the run ended, the loss bends {bends}, and the limit is {plain(now, 3)}.")
        else:
            assert "Where the run ended" not in said


def test_while_a_sweep_runs_nothing_is_said_of_where_its_runs_end():
    early = at_first_map(seeds=8, steps=200)[0].state.runs
    for run in list(np.ndindex(early.shape))[::11]:
        assert re.search(r" in 50 steps\.|had overflowed after step", verdicts.on_run(early, run))
        assert "ended" not in verdicts.on_run(early, run)


def test_of_the_map_the_shares_are_counted_and_the_best_learning_rate_is_named_and_a_run_by_its_seed(runs):
    said, every = verdicts.on_map(runs), list(kinds(runs))
    shares = [[outcome == "down" for _, above, outcome in every if above == side] for side in (False, True)]
    shares += [[outcome == "lost" for *_, outcome in every]]
    assert said.startswith("After 300 steps, the loss has come down in ")
    assert re.findall(r"(\d+)%", said) == [f"{100 * np.mean(share):.0f}" for share in shares]
    best = float(re.search(r"The median seed does best at a learning rate of (\S+)\.$", said)[1])
    medians = np.median(runs.change, axis=0)
    assert medians[np.argmin(np.abs(np.array(runs.sweep.lrs) - best))] == medians.min()
    start = "Map of 8 seeds, in rows, at 76 learning rates from 0.0001 to 10. "
    assert verdicts.of_picture(runs) == start + said
    assert verdicts.name_of(runs, (2, 30)) == f"seed {runs.sweep.seeds[2]}, learning rate 0.01"


def test_of_a_problem_of_ones_own_its_weights_as_given_are_a_row_with_that_name_and_what_no_seed_draws_is_told():
    runs = swept(seeds=4, steps=10, problem=OWN_PROBLEMS["parameter called a"]).state.runs
    assert verdicts.name_of(runs, (runs.sweep.seeds.index(None), 0)).startswith("the weights as given, learning rate ")
    assert verdicts.of_picture(runs).startswith("Map of the weights as given and 3 seeds, in rows, at 76 learning ra")
    assert verdicts.on_map(runs).endswith(" a2 stays as given, whatever the seed: a Scale cannot draw its numbers.")


def test_where_no_limit_is_known_none_is_told_and_the_reason_and_nothing_is_held_against_theory():
    runs = swept(seeds=2, steps=10, problem=OWN_PROBLEMS["arctan by math.atan"]).state.runs
    said = verdicts.on_map(runs)
    assert re.search(
        r"down in \d+% of the runs\. .* No limit is shown for any run\. How the loss bends cannot be", said
    )
    assert "theor" not in said + verdicts.on_run(runs, (0, 0))
    assert verdicts.on_run(runs, (0, 0)).endswith(" in 10 steps. No limit is known at its start.")
    for limit, said in {np.inf: "bends upwards nowhere, so theory sets no limit.", 1e-9: "disagree."}.items():
        there = replace(runs, limits=(limit, limit))
        assert verdicts.on_run(there, (0, 0)).endswith(said)
        assert "of those above it" not in verdicts.on_map(there), "nothing is said of a side where no run is"


def test_a_loss_below_0_is_said_to_have_no_factor_and_where_none_comes_down_no_learning_rate_is_called_the_best(runs):
    noted = "Of a loss at 0 or below, the darkest colors say only whether it fell or grew."
    assert noted not in verdicts.on_map(runs)
    for step, value in [(0, 0.0), (-1, -1.0)]:
        changed = replace(runs, sweep=replace(runs.sweep, loss=runs.sweep.loss.copy()))
        changed.sweep.loss[0, 0, step] = value
        assert noted in verdicts.on_map(changed)
    changed.sweep.loss[..., -1] = 1e9
    assert "best" not in verdicts.on_map(changed)
    changed.sweep.loss[..., :] = np.inf
    assert verdicts.on_run(changed, (0, 0)).startswith("The loss had overflowed at the start. ")
