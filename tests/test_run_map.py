"""The map: every run's colour where a click finds it, its limit, and sentences that agree with numbers and theory."""

import math
import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from common import at_first_map, pixels, swept
from own_parts import OWN_PROBLEMS

from backprop_lab import Linear, Network, Problem, SumSquaredError, random_problem
from backprop_lab.curvature import critical_lr
from backprop_lab.number_format import plain
from backprop_lab.ui.board.colours import COLOURS
from backprop_lab.ui.rates import verdicts
from backprop_lab.ui.rates.run_map import DECADES, RunMap, levels
from backprop_lab.ui.rates.sweeper import LEARNING_RATES
from backprop_lab.ui.theme import CURVES, LOST


@pytest.fixture(scope="module")
def three_runs():
    return swept(seeds=3, steps=100).state.runs


@pytest.fixture(scope="module")
def runs():
    return swept(seeds=8).state.runs


def drawn_map(runs, chosen=(), width=900, **options):
    drawn = RunMap(width, **options)
    drawn.draw(runs, chosen)
    return drawn


def place(drawn, runs, row, col):
    """The middle of a run in pixels, by the box with which the page finds what was clicked."""
    (x, y, width, height), (rows, cols) = drawn.box, runs.shape
    across, down = drawn.canvas.get_width_height()
    return across * (x + width * (col + 0.5) / cols), down * (y + height * (row + 0.5) / rows)


def limit_column(limit):
    return np.interp(math.log10(limit), np.log10(LEARNING_RATES), range(76))


def kinds(runs):
    """Every run with whether it is above its limit, and what became of its loss."""
    for run in np.ndindex(runs.shape):
        change = runs.change[run]
        yield run, runs.lr(run) > runs.limits[run[0]], "lost" if np.isinf(change) else "down" if change < 1 else "up"


def is_near(picture, colour, within=3):
    return np.abs(picture - 255 * np.array(mpl.colors.to_rgb(colour))).max(axis=-1) <= within


@pytest.mark.parametrize(("width", "height", "ratio", "dark"), [(640, 300, 2, True), (1501, 533, 1.25, False)])
def test_every_run_has_its_colour_just_where_a_click_finds_it(three_runs, width, height, ratio, dark):
    drawn = drawn_map(three_runs, width=width, height=height, ratio=ratio, dark=dark)
    picture, found = pixels(drawn.png()), levels(three_runs.change)
    assert levels(np.array([1.0, 10.0, 0.001, 1e9, 0.0])).tolist() == [0, 1, -3, DECADES, -DECADES]
    for row, col in np.ndindex(three_runs.shape):
        x, y = map(round, place(drawn, three_runs, row, col))
        if abs(col - limit_column(three_runs.limits[row])) < 2.5:
            continue  # the line lies over it
        if np.isinf(three_runs.change[row, col]):
            around = picture[y - 15 : y + 15, x - 3 : x + 3]
            assert 0.05 < is_near(around, LOST, 60).mean() < 0.7, "stripes of this colour"
            assert is_near(around, drawn.theme.paper, 60).mean() > 0.15, "and paper between them"
        else:
            colour = COLOURS((found[row, col] + DECADES) / (2 * DECADES))[:3]
            assert is_near(picture[y - 2 : y + 3, x - 1 : x + 2], colour, 8).all(), (row, col)


def test_a_white_line_goes_through_the_limit_of_every_row_where_one_is_known(three_runs):
    drawn = drawn_map(three_runs, width=1000, height=500, ratio=2)
    for row, limit in enumerate(three_runs.limits):
        x, y = place(drawn, three_runs, row, limit_column(limit))
        white = np.flatnonzero((pixels(drawn.png())[round(y)] >= 250).all(axis=1))
        assert np.abs(white - x).min() <= 2
    for limits in ((three_runs.limits[0], math.nan, math.inf), (math.nan,) * 3):
        drawn = drawn_map(replace(three_runs, limits=limits))
        assert np.isfinite(drawn.limit[0].get_xdata()).sum() == 2 * np.isfinite(limits).sum()
        assert drawn.limit_label.get_visible() == ("limit" in drawn.axes.get_ylabel()) == any(np.isfinite(limits))


def test_a_ring_in_the_colour_of_its_curve_is_around_each_chosen_run_even_at_the_edge(three_runs):
    for chosen in [((0, 10), (2, 60)), ((0, 0), (2, 75)), ((0, 75), (2, 0))]:
        drawn = drawn_map(three_runs, chosen)
        for run, colour in zip(chosen, CURVES, strict=False):
            rows, cols = np.nonzero(is_near(pixels(drawn.png()), colour))
            x, y = place(drawn, three_runs, *run)
            assert 6 < np.hypot(cols - x, rows - y).min() < 12, "the run itself stays in sight"
            assert all(beyond.sum() > 20 for beyond in (cols < x - 6, cols > x + 6, rows < y - 6, rows > y + 6))


def test_of_each_run_its_own_numbers_are_told_and_whether_theory_foresaw_them(runs):
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
        assert ("theory and experiment disagree" in said, "this was to be expected" in said) == (disagree, not disagree)
        assert ("Where the run ended" in said) == disagree, "which is above its limit here"
        if disagree:
            now = critical_lr(runs.problem(run).evolve(network=runs.network(run)))
            assert said.endswith(f" bends {'less' if now > limit else 'more'}, and the limit is {plain(now, 3)}.")
    early = at_first_map(seeds=8, steps=200)[0].state.runs
    assert "ended" not in "".join(verdicts.on_run(early, run) for run in np.ndindex(early.shape)), "it has not yet"


def test_of_the_map_the_shares_are_counted_and_the_best_learning_rate_is_named(runs):
    said, every = verdicts.on_map(runs), list(kinds(runs))
    shares = [[outcome == "down" for _, above, outcome in every if above == side] for side in (False, True)]
    shares += [[outcome == "lost" for *_, outcome in every]]
    assert re.findall(r"(\d+)%", said) == [f"{100 * np.mean(share):.0f}" for share in shares]
    best = float(re.search(r"The median seed does best at a learning rate of (\S+)\.$", said)[1])
    medians = np.median(runs.change, axis=0)
    assert medians[np.argmin(np.abs(np.array(runs.sweep.lrs) - best))] == medians.min()
    assert verdicts.of_picture(runs) == f"Map of 8 seeds, in rows, at 76 learning rates from 0.0001 to 10. {said}"


def test_of_a_problem_of_ones_own_its_weights_as_given_are_a_row_with_that_name_and_what_no_seed_draws_is_told():
    runs = swept(seeds=4, steps=10, problem=OWN_PROBLEMS["parameter called a"]).state.runs
    assert verdicts.of_picture(runs).startswith("Map of the weights as given and 3 seeds, in rows, at 76 learning ra")
    assert verdicts.on_map(runs).endswith(" a2 stays as given, whatever the seed: a Scale cannot draw its numbers.")


def test_where_no_limit_is_known_none_is_told_and_the_reason_and_nothing_is_held_against_theory():
    runs = swept(seeds=2, steps=10, problem=OWN_PROBLEMS["arctan by math.atan"]).state.runs
    assert "No limit is shown for any run. How the loss bends cannot be" in verdicts.on_map(runs)
    assert "theor" not in verdicts.on_map(runs) + verdicts.on_run(runs, (0, 0))
    unlimited = replace(runs, limits=(np.inf, np.inf))
    assert verdicts.on_run(unlimited, (0, 0)).endswith("bends upwards nowhere, so theory sets no limit.")
    assert "of those above it" not in verdicts.on_map(unlimited), "nothing is said of a side where no run is"


def test_where_theory_holds_for_every_run_no_disagreement_is_told_and_of_a_loss_that_stays_nothing():
    """Of one weight alone the loss is a parabola; where that is at its bottom already, it stays there."""
    for x, below, above, end in [
        (1.0, 100, ", as theory has it.", "was to be expected."),
        (0.0, 0, ". In 0%", "start, 1."),
    ]:
        problem = Problem(Network([Linear([[1.0]], [[0.0]])]), SumSquaredError(), [[x]], [[3 * x]], 0.1)
        runs = swept(seeds=1, steps=10, problem=problem).state.runs
        assert re.search(
            rf" come down in {below}% of .* below .*, and in 0% of those above it{above}", verdicts.on_map(runs)
        )
        assert all(verdicts.on_run(runs, run).endswith(end) for run in np.ndindex(runs.shape))


def test_a_loss_below_0_is_said_to_have_no_factor_and_where_none_comes_down_no_learning_rate_is_called_the_best(runs):
    changed = replace(runs, sweep=replace(runs.sweep, loss=runs.sweep.loss.copy()))
    changed.sweep.loss[..., -1] = 1e9
    changed.sweep.loss[0, 0, -1] = -1.0
    assert "Of a loss at 0 or below, the darkest colors say only whether it fell" in verdicts.on_map(changed)
    assert "best" not in verdicts.on_map(changed)
