"""The sweeper: what is on the map, how far it has come and what is chosen agree, whenever training is stopped."""

import itertools
import math

import numpy as np
import pytest

from backprop_lab import random_problem, sweep
from backprop_lab.curvature import critical_lr
from backprop_lab.layers import ACTIVATIONS
from backprop_lab.ui.rates import sweeper as module
from backprop_lab.ui.rates.sweeper import LEARNING_RATES, RANGES, Settings, Sweeper

SMALL = {"seeds": 4, "steps": 130}  # three rounds of training


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    """Every whole map counts as a state of its own, however fast this machine is."""
    monkeypatch.setattr(module, "PAUSE", 0.0)


def work_off(pieces):
    for _ in pieces:
        pass


def trained(**settings):
    sweeper = Sweeper(**(SMALL | settings))
    work_off(sweeper.train())
    return sweeper


def states_of(sweeper):
    """All states that follow, as they come."""
    seen = []
    sweeper.observe(lambda change: seen.append(change.new), "state")
    return seen


# Training


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_runs_are_those_of_a_sweep(activation):
    runs = trained(hidden=3, activation=activation).state.runs
    expected = sweep(runs.sweep.seeds, LEARNING_RATES, SMALL["steps"], hidden=3, activation=ACTIVATIONS[activation])
    assert sorted(runs.sweep.seeds) == [0, 1, 2, 3]
    assert runs.shape == (4, len(LEARNING_RATES))
    assert np.array_equal(runs.sweep.loss, expected.loss)
    assert runs.done


def test_rows_go_from_the_lowest_limit_to_the_highest():
    runs = trained(seeds=12, steps=10).state.runs
    assert list(runs.limits) == sorted(runs.limits)
    assert runs.limits == tuple(critical_lr(random_problem(seed)) for seed in runs.sweep.seeds)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_network_has_a_limit_within_the_map(activation):
    for hidden in (1, 2, 8):
        limits = [
            critical_lr(random_problem(seed, hidden=hidden, activation=ACTIVATIONS[activation])) for seed in range(64)
        ]
        assert LEARNING_RATES[0] < min(limits)
        assert (
            max(limits) <= 0.5 + 1e-9 < LEARNING_RATES[-1]
        )  # the bias of the output alone bends by 2 for each of 2 samples


def test_a_state_is_a_whole_map_and_never_goes_back():
    sweeper = Sweeper(**SMALL)
    seen = states_of(sweeper)
    work_off(sweeper.train())
    maps = [state.runs for state in seen if state.runs]
    steps = [runs.step for runs in maps]
    assert steps == sorted(steps)
    assert set(steps) == {50, 100, 130}
    assert not any(np.isnan(runs.change).any() for runs in maps)
    assert seen[0].running
    assert not seen[-1].running


def test_a_map_that_is_not_done_knows_nothing_of_what_comes_later():
    sweeper = Sweeper(seeds=4, steps=200)
    pieces = sweeper.train()
    while sweeper.state.runs is None:
        next(pieces)
    early = sweeper.state.runs
    change = early.change.copy()
    work_off(pieces)
    assert early.step == 50 < sweeper.state.runs.step
    assert np.array_equal(early.change, change)
    late_only = np.isfinite(change) & np.isinf(sweeper.state.runs.change)
    assert late_only.any()  # runs that diverge only later are not lost on the early map
    assert (early.sweep.diverged[late_only] > 50).all()


def test_the_change_of_a_run_is_by_how_much_its_loss_was_multiplied():
    runs = trained().state.runs
    for run in itertools.product(range(4), (0, 30, 75)):
        losses = runs.losses(run)
        assert runs.change[run] == losses[-1] / losses[0]
    assert math.isinf(runs.change[0, 75])


# Stopping, and starting again


def test_cancelled_before_the_first_map_it_is_as_if_nothing_had_been_asked_for():
    sweeper = trained()
    before = sweeper.state
    pieces = sweeper.train(steps=500, activation="Tanh")
    next(pieces)
    assert sweeper.state.running
    assert sweeper.state.runs is before.runs
    assert sweeper.state.wanted == Settings(4, 500, 4, "Tanh")
    sweeper.cancel()
    work_off(pieces)
    after = sweeper.state
    assert (after.wanted, after.runs, after.running) == (before.wanted, before.runs, False)


def test_cancelled_on_the_way_the_map_keeps_what_it_has_come_to():
    sweeper = Sweeper(**SMALL)
    pieces = sweeper.train()
    while sweeper.state.runs is None:
        next(pieces)
    sweeper.cancel()
    stopped = sweeper.state
    work_off(pieces)
    assert sweeper.state is stopped
    assert (stopped.runs.step, stopped.running) == (50, False)
    whole = sweep(stopped.runs.sweep.seeds, LEARNING_RATES, 130)
    assert np.array_equal(stopped.runs.losses((2, 20)), whole.loss[2, 20, :51])


def test_a_sweep_that_gave_way_to_another_never_shows_again():
    sweeper = Sweeper(**SMALL)
    old = sweeper.train()
    while sweeper.state.runs is None:
        next(old)
    new = sweeper.train(hidden=2)
    seen = states_of(sweeper)
    for _ in range(400):  # in turn, as two tasks would
        next(old, None)
        next(new, None)
    assert {state.runs.settings.hidden for state in seen if state.running} <= {2, 4}
    first_new = next(k for k, state in enumerate(seen) if state.runs.settings.hidden == 2)
    assert all(state.runs.settings.hidden == 2 for state in seen[first_new:])
    assert all(state.runs.step == 50 for state in seen[:first_new])  # the old map does not change
    assert seen[-1].runs.done
    assert not seen[-1].running


def test_a_sweep_that_is_dropped_unfinished_is_no_longer_running():
    sweeper = Sweeper(**SMALL)
    pieces = sweeper.train()
    next(pieces)
    pieces.close()  # as when its task or its loop ends
    assert not sweeper.state.running


def test_an_error_on_the_way_ends_the_sweep_and_leaves_the_map(monkeypatch):
    sweeper = trained()
    before = sweeper.state

    def broken(*_, **__):
        raise ZeroDivisionError("as an example")

    monkeypatch.setattr(module, "iter_sweep", broken)
    with pytest.raises(ZeroDivisionError, match="as an example"):
        work_off(sweeper.train(hidden=2))
    after = sweeper.state
    assert (after.wanted, after.runs, after.running) == (before.wanted, before.runs, False)
    monkeypatch.undo()
    work_off(sweeper.train(hidden=2))
    assert sweeper.state.runs.settings.hidden == 2


def test_an_error_of_who_watches_ends_the_sweep_too():
    sweeper = Sweeper(**SMALL)

    def watch(change):
        if change.new.runs is not None:
            raise ZeroDivisionError

    sweeper.observe(watch, "state")
    with pytest.raises(ZeroDivisionError):
        work_off(sweeper.train())
    assert not sweeper.state.running


# Choosing


def test_a_choice_takes_the_place_of_the_last_one_and_goes_beside_the_first_while_comparing():
    sweeper = trained()
    chosen = []
    for row, col, comparing in [
        (1, 10, False),
        (2, 20, False),
        (3, 30, True),
        (0, 40, True),
        (2, 20, True),
        (1, 1, False),
    ]:
        sweeper.compare(comparing)
        sweeper.choose(row, col)
        chosen.append(sweeper.state.chosen)
    assert chosen == [
        ((1, 10),),
        ((2, 20),),
        ((2, 20), (3, 30)),
        ((2, 20), (0, 40)),
        ((2, 20),),  # no run stands beside itself
        ((1, 1),),
    ]


def test_walking_begins_in_the_middle_and_stops_at_the_edges():
    sweeper = trained()
    sweeper.walk(1, 0)
    assert sweeper.state.chosen == ((2, 38),)
    for _ in range(5):
        sweeper.walk(1, 0)
    assert sweeper.state.chosen == ((3, 38),)
    for _ in range(50):
        sweeper.walk(0, 1)
    assert sweeper.state.chosen == ((3, 75),)
    sweeper.compare(True)
    sweeper.walk(-1, 0)
    assert sweeper.state.chosen == ((3, 75), (2, 75))


def test_what_is_chosen_follows_its_seed_to_another_row_and_goes_with_it():
    sweeper = trained(seeds=12)
    sweeper.compare(True)
    rows = {seed: row for row, seed in enumerate(sweeper.state.runs.sweep.seeds)}
    sweeper.choose(rows[3], 20)
    sweeper.choose(rows[11], 30)
    work_off(sweeper.train(activation="Tanh"))
    runs, chosen = sweeper.state.runs, sweeper.state.chosen
    assert [(runs.seed(run), run[1]) for run in chosen] == [(3, 20), (11, 30)]
    work_off(sweeper.train(seeds=6))
    runs, chosen = sweeper.state.runs, sweeper.state.chosen
    assert [(runs.seed(run), run[1]) for run in chosen] == [(3, 20)]
    work_off(sweeper.train(seeds=2))
    assert sweeper.state.chosen == ()


def test_before_there_are_runs_none_can_be_chosen():
    sweeper = Sweeper()
    sweeper.walk(0, 1)
    with pytest.raises(ValueError, match="there are no runs to choose from yet: press Run"):
        sweeper.choose(0, 0)


@pytest.mark.parametrize(("row", "col"), [(4, 0), (-1, 0), (0, 76), (0, -1)])
def test_a_run_that_is_not_on_the_map_is_refused(row, col):
    sweeper = trained()
    before = sweeper.state
    with pytest.raises(ValueError, match=f"4 rows and 76 columns of runs; got row {row} and column {col}"):
        sweeper.choose(row, col)
    assert sweeper.state is before


def test_a_run_can_be_opened_elsewhere():
    runs = trained(hidden=3, activation="Tanh").state.runs
    problem = runs.problem((1, 30))
    expected = random_problem(runs.seed((1, 30)), hidden=3, activation=ACTIVATIONS["Tanh"], lr=LEARNING_RATES[30])
    assert problem.lr == runs.lr((1, 30)) == expected.lr
    assert all(map(np.array_equal, problem.network.parameters.values(), expected.network.parameters.values()))
    end = problem.loss.value(runs.network((1, 30)).forward(problem.X), problem.y)
    assert end == pytest.approx(runs.losses((1, 30))[-1])


# What is refused


@pytest.mark.parametrize("name", RANGES)
def test_a_setting_out_of_its_range_is_refused_and_changes_nothing(name):
    least, most = RANGES[name]
    sweeper = trained()
    before = sweeper.state
    for wrong in (least - 1, most + 1, least + 0.5, "many", True):
        with pytest.raises(ValueError, match=f"{name} must be a whole number from {least} to {most}; got {wrong!r}"):
            sweeper.train(**{name: wrong})
        with pytest.raises(ValueError, match=name):
            Sweeper(**{name: wrong})
    assert sweeper.state is before
    for right in (least, most):
        assert getattr(Sweeper(**{name: right}).state.wanted, name) == right


def test_an_activation_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=f"activation must be one of {', '.join(ACTIVATIONS)}; got 'relu'"):
        Sweeper(activation="relu")
