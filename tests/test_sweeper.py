"""The sweeper and its map: whenever training is stopped, what is shown, said and chosen agrees with the runs."""

import math
import re
from dataclasses import replace
from itertools import groupby

import matplotlib as mpl
import numpy as np
import pytest
from common import at_first_map, pixels, raises, same_values, swept
from own_parts import OWN_PROBLEMS, HuberBySample, WithoutBias, own_problem

from backprop_lab import (
    ACTIVATIONS,
    L2,
    OPTIMIZERS,
    GradientDescent,
    Linear,
    Momentum,
    Network,
    Problem,
    SumSquaredError,
    Tanh,
    program,
    random_problem,
    sweep,
    trace,
)
from backprop_lab.step.number_format import plain
from backprop_lab.step.random_problems import redrawn
from backprop_lab.training.curvature import critical_lr, sharpness
from backprop_lab.training.sweep import ROUND_STEPS
from backprop_lab.ui.board.colours import COLOURS
from backprop_lab.ui.rates import sweeper as module
from backprop_lab.ui.rates import verdicts
from backprop_lab.ui.rates.run_map import DECADES, RunMap, levels, limit_label
from backprop_lab.ui.rates.sweeper import LEARNING_RATES, RANGES, Settings, Sweeper
from backprop_lab.ui.theme import CURVES, LOST

SMALL = {"seeds": 4, "steps": 130}  # three rounds of training
GIVEN = own_problem(Tanh(), loss=HuberBySample(0.75))


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):  # every whole map is a state of its own, however fast this machine is
    monkeypatch.setattr(module, "PAUSE", 0.0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("own", [False, True])
def test_the_runs_are_those_of_a_sweep_with_the_lowest_limit_first(activation, own):
    part, (first, _, last) = ACTIVATIONS[activation], GIVEN.network.layers
    given = GIVEN.evolve(network=Network([first, part, last]))
    options = {"problem": given} if own else {"hidden": 3, "activation": part}
    runs = swept(**SMALL, activation=activation, **({"problem": GIVEN} if own else {"hidden": 3})).state.runs
    starts = {seed: redrawn(given, seed) if own else random_problem(seed, **options) for seed in runs.sweep.seeds}
    assert {*starts} == ({None, 0, 1, 2} if own else {0, 1, 2, 3})
    assert runs.limits == tuple(sorted(runs.limits)) == tuple(critical_lr(problem) for problem in starts.values())
    lrs, run = runs.sweep.lrs, (1, 30)
    assert (lrs == LEARNING_RATES, lrs[-1] / lrs[0]) == (not own, pytest.approx(1e5))
    assert 10 * lrs[0] < runs.limits[0] < runs.limits[-1] < lrs[-1] / 10
    loss = sweep(runs.sweep.seeds, lrs, 130, **options).loss
    assert np.array_equal(runs.change, loss[..., -1] / loss[..., 0])
    assert np.array_equal(runs.losses(run), loss[run])
    problem = runs.problem(run)
    assert same_values(trace(problem), trace(starts[runs.seed(run)].evolve(lr=lrs[30])))
    assert problem.loss.value(
        runs.sweep.network(runs.seed(run), runs.lr(run)).forward(problem.X), problem.y
    ) == pytest.approx(runs.losses(run)[-1])


def test_a_state_is_a_whole_map_and_knows_nothing_of_later_ones():
    sweeper, early = Sweeper(seeds=4, steps=4 * ROUND_STEPS), {}
    for _ in sweeper.train():
        if runs := sweeper.state.runs:
            early.setdefault(runs, runs.change)
    maps = [*early]
    assert [step for step, _ in groupby(runs.step for runs in maps)] == [k * ROUND_STEPS for k in (1, 2, 3)]
    assert all(np.array_equal(runs.change, change) for runs, change in early.items())
    assert (np.isfinite(maps[0].change) & np.isinf(sweeper.state.runs.change)).any()
    assert (sweeper.state.runs.step, sweeper.state.running) == (4 * ROUND_STEPS, False)


@pytest.mark.parametrize("end", ["canceled", "dropped", "broken"])
def test_a_sweep_that_ends_before_its_first_map_leaves_no_trace(end, monkeypatch):
    sweeper = swept(**SMALL)
    before = sweeper.state
    pieces = sweeper.train(steps=500, activation="Tanh")
    next(pieces)
    during = sweeper.state
    assert (during.wanted, during.runs, during.running) == (Settings(4, 500, 4, "Tanh"), before.runs, True)
    if end == "canceled":
        sweeper.cancel()
        list(pieces)
    elif end == "dropped":  # as when its task or its event loop ends
        pieces.close()
    else:
        monkeypatch.setattr(module, "sweep_problems", raises(ZeroDivisionError("as an example")))
        with pytest.raises(ZeroDivisionError, match="as an example"):
            list(pieces)
    after = sweeper.state
    assert (after.wanted, after.runs, after.running) == (before.wanted, before.runs, False)


def test_canceled_on_the_way_the_map_keeps_what_it_has_come_to():
    sweeper, pieces = at_first_map(**SMALL)
    sweeper.cancel()
    list(pieces)
    assert (sweeper.state.runs.step, sweeper.state.running) == (ROUND_STEPS, False)


def test_a_sweep_that_gave_way_to_another_never_shows_again():
    sweeper, old = at_first_map(**SMALL)
    first_map, new, seen = sweeper.state.runs, sweeper.train(hidden=2), []
    sweeper.observe(lambda change: seen.append(change.new), "state")
    for _ in range(400):  # in turn, as two tasks would
        next(old, None)
        next(new, None)
    assert all(state.runs is first_map or state.runs.settings.hidden == 2 for state in seen)
    assert (seen[-1].runs.settings.hidden, seen[-1].runs.done, seen[-1].running) == (2, True, False)


def test_a_choice_replaces_the_last_or_joins_the_first_and_stays_on_the_map():
    sweeper = swept(**SMALL)
    for by, run in [((1, 0), (2, 38)), ((1, 0), (3, 38)), ((1, 1), (3, 39)), ((-9, 99), (0, 75)), ((0, -99), (0, 0))]:
        sweeper.walk(*by)
        assert sweeper.state.chosen == (run,), "it begins in the middle"
    sweeper.choose(2, 20)
    assert sweeper.state.chosen == ((2, 20),)
    sweeper.compare(True)
    for run, beside in [((3, 30), [(3, 30)]), ((0, 40), [(0, 40)]), ((2, 20), [])]:  # no run stands beside itself
        sweeper.choose(*run)
        assert sweeper.state.chosen == ((2, 20), *beside)


@pytest.mark.parametrize("forgotten", [0, 2])
def test_what_is_chosen_follows_its_seed_and_its_learning_rate(forgotten, monkeypatch):
    """Whether it is trained again at once or the runs were forgotten meanwhile, even twice."""
    sweeper, lrs, rows = swept(seeds=12, steps=60), LEARNING_RATES, []
    sweeper.compare(True)
    for seed, col in [(3, 20), (11, 30)]:
        sweeper.choose(sweeper.state.runs.sweep.seeds.index(seed), col)
    for changes, expected in [({"activation": "Tanh"}, [(3, 20), (11, 30)]), ({"seeds": 6}, [(3, 20)]), ({}, [(3, 5)])]:
        rows.append([row for row, _ in sweeper.state.chosen])
        for _ in range(forgotten):
            sweeper.forget()
            assert (sweeper.state.runs, sweeper.state.chosen, sweeper.state.running) == (None, (), False)
        if not changes:
            monkeypatch.setattr(module, "_learning_rates", lambda *_: (*lrs[15:], *(10 * lr for lr in lrs[-15:])))
        list(sweeper.train(**changes))
        assert [(sweeper.state.runs.seed(run), run[1]) for run in sweeper.state.chosen] == expected
    assert rows[0] != rows[1]


def test_where_a_loss_is_0_or_below_its_direction_is_told_right():
    runs, big = swept(**SMALL).state.runs, np.finfo(float).max
    told = [(2, 1, 0.5), (2, -1, 0), (0, 0, 1), (0, 1, big), (-1, -2, 0), (-1, -1, 1), (-2, -1, big)]
    for first, now, change in [*told, (1e-300, 1e300, big), (-1, np.inf, np.inf), (0, np.inf, np.inf)]:
        runs.sweep.loss[0, 0, 0], runs.sweep.loss[0, 0, -1] = first, now
        assert runs.change[0, 0] == change


def test_what_there_is_not_is_refused_and_changes_nothing():
    sweeper = swept(**SMALL)
    before = sweeper.state
    for row, col in [(4, 0), (-1, 0), (0, 76), (1.5, 0), (0, None)]:
        with pytest.raises(ValueError, match=f"4 rows and 76 columns of runs; got row {row} and column {col}"):
            sweeper.choose(row, col)
    for name, (least, most) in RANGES.items():
        for wrong in (least - 1, most + 1, least + 0.5, "many"):
            said = f"{name} must be a whole number from {least} to {most}; got {wrong!r}"
            with pytest.raises(ValueError, match=said):
                sweeper.train(**{name: wrong})
    assert sweeper.state is before


@pytest.fixture(scope="module")
def runs():
    return swept(seeds=8).state.runs


def place(drawn, runs, row, col):
    """The middle of a run in pixels, by the box with which the page finds what was clicked."""
    (x, y, width, height), (rows, cols) = drawn.box, runs.shape
    across, down = drawn.canvas.get_width_height()
    return across * (x + width * (col + 0.5) / cols), down * (y + height * (row + 0.5) / rows)


def at_limit(drawn, runs, row):
    """The pixel of a row where its limit is."""
    return place(drawn, runs, row, np.interp(math.log10(runs.limits[row]), np.log10(LEARNING_RATES), range(76)))


def kinds(runs):
    """Every run with whether it is above its limit, and what became of its loss."""
    for run in np.ndindex(runs.shape):
        change = runs.change[run]
        yield run, runs.lr(run) > runs.limits[run[0]], "lost" if np.isinf(change) else "down" if change < 1 else "up"


def is_near(picture, colour, within=3):
    return np.abs(picture - 255 * np.array(mpl.colors.to_rgb(colour))).max(axis=-1) <= within


@pytest.mark.parametrize(("width", "height", "ratio", "dark"), [(640, 300, 2, True), (1501, 533, 1.25, False)])
def test_every_run_has_its_colour_just_where_a_click_finds_it(runs, width, height, ratio, dark):
    drawn = RunMap(width, height=height, ratio=ratio, dark=dark)
    drawn.draw(runs, ())
    picture, found = pixels(drawn.png()), levels(runs.change)
    assert levels(np.array([1.0, 10.0, 0.001, 1e9, 0.0])).tolist() == [0, 1, -3, DECADES, -DECADES]
    for row, col in np.ndindex(runs.shape):
        x, y = map(round, place(drawn, runs, row, col))
        if abs(x - at_limit(drawn, runs, row)[0]) < drawn.box[2] * picture.shape[1] / 30:
            continue  # the line lies over it
        if np.isinf(runs.change[row, col]):
            around = picture[y - 15 : y + 15, x - 3 : x + 3]
            assert 0.05 < is_near(around, LOST, 60).mean() < 0.7, "stripes of this colour"
        else:
            colour = COLOURS((found[row, col] + DECADES) / (2 * DECADES))[:3]
            assert is_near(picture[y - 2 : y + 3, x - 1 : x + 2], colour, 8).all(), (row, col)


def test_a_white_line_goes_through_the_limit_of_every_row(runs):
    drawn = RunMap(1000, height=500, ratio=2)
    drawn.draw(runs, ())
    for x, y in [at_limit(drawn, runs, row) for row in range(8)]:
        assert np.abs(np.flatnonzero((pixels(drawn.png())[round(y)] >= 250).all(axis=1)) - x).min() <= 2


def test_a_ring_in_its_curves_colour_is_around_each_chosen_run(runs):
    drawn = RunMap(900)
    for chosen in [((0, 10), (2, 60)), ((0, 0), (7, 75)), ((0, 75), (7, 0))]:
        drawn.draw(runs, chosen)
        for run, colour in zip(chosen, CURVES, strict=False):
            rows, cols = np.nonzero(is_near(pixels(drawn.png()), colour))
            x, y = place(drawn, runs, *run)
            assert 6 < np.hypot(cols - x, rows - y).min() < 12, "the run itself stays in sight"
            assert all(beyond.sum() > 20 for beyond in (cols < x - 6, cols > x + 6, rows < y - 6, rows > y + 6))


def test_of_each_run_its_numbers_and_what_was_expected_are_told(runs):
    for run, above, outcome in list(kinds(runs))[::5]:
        said, losses = verdicts.on_run(runs, run), runs.losses(run)
        if outcome == "lost":
            end = int(re.search(rf"^The loss began at {plain(losses[0], 4)} and had .* after step (\d+)\.", said)[1])
            assert np.isinf(losses).tolist() == [step >= end for step in range(301)]
        else:
            assert said.startswith(f"The loss went from {plain(losses[0], 4)} to {plain(losses[-1], 4)} in 300 steps.")
        limit = critical_lr(random_problem(runs.seed(run)))
        assert f"{plain(runs.lr(run) / limit, 3)} times the limit of stability at the start, {plain(limit, 3)}" in said
        beyond = above == (outcome == "down")
        assert (", but that limit is local." in said, "this was to be expected" in said) == (beyond, not beyond)
        assert (" where the curvature is " in said) == beyond, "which is above its limit here"
    early = at_first_map(seeds=8, steps=200)[0].state.runs
    assert "where" not in "".join(verdicts.on_run(early, run) for run in np.ndindex(early.shape)), (
        "it has not ended yet"
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_run_between_one_and_two_limits_is_said_to_contradict_theory(activation):
    runs, settled = swept(seeds=40, steps=300, activation=activation).state.runs, 0
    assert not re.search("disagree|contradict", verdicts.on_map(runs))
    for run in np.ndindex(runs.shape):
        start, lr, losses = runs.limits[run[0]], runs.lr(run), runs.losses(run)
        if start < lr < 2 * start:
            said = verdicts.on_run(runs, run)
            assert not re.search("disagree|contradict|theor", said)
            if losses[-1] < losses[0]:
                now = critical_lr(runs.problem(run).evolve(network=runs.sweep.network(runs.seed(run), runs.lr(run))))
                is_calm = (losses[-29:] <= 1.01 * losses[-30:-1]).all()
                run_did = "settled" if lr < now and is_calm else "ended"
                end = f" The run {run_did} where the curvature is {'lower' if now > start else 'higher'}, and the limit"
                is_same = abs(now / start - 1) < 1e-3
                assert is_same or said.endswith(f"{end} is {plain(now, 3)}.")
                assert ("the curvature is the same" in said) == is_same
                settled += "settled" in said
    assert settled > 100


def test_a_run_that_grows_is_not_said_to_settle_nor_a_limit_of_a_bowl_to_be_local():
    """Below the limit of a bowl, momentum may first take the loss up; and a saturated tanh moves away, and grows."""
    X = np.random.default_rng(3).standard_normal((5, 3))
    bowl = Problem(
        Network([Linear([[0.5], [1.0], [-1.0]])]), SumSquaredError(), X, np.ones((5, 1)), lr=0.1, optimizer=Momentum()
    )
    runs = swept(problem=bowl, steps=10).state.runs
    up = [run for run in np.ndindex(runs.shape) if runs.lr(run) < runs.limits[run[0]] and runs.change[run] > 1]
    assert up
    for run in up:
        assert verdicts.on_run(runs, run).endswith("the same: it may take more steps to do what the limit says.")
    for seed in range(3):
        deep = random_problem(seed, hidden=3, activation=Tanh(), optimizer=Momentum())
        runs = swept(problem=deep, seeds=8, steps=60).state.runs
        for run in np.ndindex(runs.shape):
            if "settled" in verdicts.on_run(runs, run):
                last = runs.losses(run)[-6:]
                assert last[-1] <= 1.06 * last[0]


def test_a_run_above_the_limit_of_a_bowl_finds_the_same_curvature():
    """Its error has no part along the direction in which the bowl is steepest, so nothing grows."""
    bowl = Problem(
        Network([WithoutBias(W=[[0.0], [1.0]])]), SumSquaredError(), [[3.0, 0.0], [0.0, 1.0]], [[0.0], [0.0]], 0.1
    )
    runs = swept(steps=10, problem=bowl).state.runs
    (run,) = [(0, col) for col, lr in enumerate(runs.sweep.lrs) if 1.2 < lr / runs.limits[0] < 1.4]
    said = verdicts.on_run(runs, run)
    assert said.endswith(
        ", 0.111. It ended where the curvature is the same: it may take more steps to do what the limit says."
    )


def test_of_losses_below_0_no_rate_is_said_to_do_best():
    """No factor says how far they have come down; and of the factors of those that grow there is no mean."""
    w = {"w": np.array([[1.0], [0.5]])}
    for off, is_told in ((10, False), (100, False), (0, True)):
        runs = swept(problem=program(f"L = np.sum((w - a)**2) - {off}", w, {"a": [[2.0], [3.0]]}), seeds=4).state.runs
        assert ("does best at a learning rate of 0." in verdicts.on_map(runs)) == is_told


def test_a_loss_that_falls_for_ever_is_no_argument_against_a_limit_that_holds_everywhere():
    saddle = program("L = np.sum(s * w**2)", {"w": [[1.0], [0.5]]}, {"s": [[2.0], [-3.0]]})
    runs = swept(problem=saddle, seeds=1).state.runs
    lost = [run for run in np.ndindex(runs.shape) if runs.change[run] == np.inf and runs.lr(run) < runs.limits[0]]
    assert lost
    for run in lost:
        end = "but that limit is local, and one of directions in which the loss bends upwards."
        assert verdicts.on_run(runs, run).endswith(end)


def test_a_state_that_no_loss_depends_on_is_not_said_to_change_it():
    X, y, w = (np.random.default_rng(seed).standard_normal((6, size)) for seed, size in ((1, 2), (2, 1), (3, 2)))
    given = {"w": w[:1].T}, {"m": np.zeros(()), "X": X, "y": y}
    for shift, is_its_own in (("m", True), ("0 * y", False)):
        lines = f"m_new = 0.9 * m + 0.1 * np.mean(X @ w)\nL = np.sum((X @ w - y + {shift})**2)"
        problem = program(lines, *given)
        assert problem.of_each_step == ("m",) * is_its_own
        runs = swept(problem=problem, seeds=1, steps=30).state.runs
        assert ("each step has its own m" in verdicts.on_run(runs, (0, 50))) == is_its_own
    through = program(
        "m_new = h\nh_new = h + m + np.sum(w)\nk_new = m\nL = np.sum(w**2) + h", given[0], dict.fromkeys("mhk", 1.0)
    )
    assert through.of_each_step == ("m", "h")


def test_a_map_of_one_network_is_not_one_of_rows():
    seed, given = (swept(seeds=1, steps=10, problem=problem).state.runs for problem in (None, GIVEN))
    assert verdicts.of_picture(seed).startswith("Map of seed 0 at 76 learning rates from 0.0001 to 10. After")
    assert verdicts.of_picture(given).startswith("Map of the weights as given at 76 learning rates")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_line_of_theory_is_that_of_the_optimizer_and_the_words_say_which(name):
    runs = swept(**SMALL, optimizer=name).state.runs
    assert type(runs.problem((0, 0)).optimizer) is type(OPTIMIZERS[name])
    bends = sorted(sharpness(random_problem(seed)) for seed in range(4))
    factor, told = {
        "gradient descent": (2, ""),
        "momentum": (3.8, "The limit is 2 (1 + β) / λ, with β = 0.9, where λ is the largest curvature of the loss."),
        "Nesterov momentum": (3.8 / 2.8, "The limit is 2 (1 + β) / ((1 + 2β) λ), with β = 0.9, where λ is the largest"),
        "Adam": (math.nan, "No limit is shown for any run. No limit is known for Adam"),
    }[name]
    np.testing.assert_allclose(runs.limits, [factor / bend for bend in bends[::-1]], rtol=1e-9)
    assert told in verdicts.on_map(runs)
    assert ("The limit is" in verdicts.on_map(runs)) == ("momentum" in name)
    above = limit_label(OPTIMIZERS[name])
    assert (r"$2/\lambda" in above, r"2(1+\beta)" in above) == ("momentum" not in name, "momentum" in name)
    assert (r"(1+2\beta)" in above) == (name == "Nesterov momentum")


def test_a_penalty_and_a_decay_count_in_the_curvature_of_the_line_and_it_says_so():
    p = random_problem(1, penalty=L2(0.1), optimizer=GradientDescent(decay=0.3))
    runs = swept(seeds=2, steps=10, problem=p).state.runs
    assert critical_lr(p) in runs.limits
    assert "where λ is the largest curvature of the loss, its penalty and the decay included." in verdicts.on_map(runs)
    runs = swept(seeds=2, steps=10, problem=p, optimizer="momentum").state.runs
    assert "curvature of the loss, its penalty included." in verdicts.on_map(runs)
    runs = swept(seeds=2, steps=10, problem=p.evolve(optimizer=Momentum(decay=0.3))).state.runs
    assert re.search(r"No limit is known for Momentum\(.*\), whose decay is no part of the loss", verdicts.on_map(runs))


def test_of_the_map_the_shares_are_counted_and_the_best_learning_rate_is_named(runs):
    said, every = verdicts.on_map(runs), list(kinds(runs))
    shares = [[outcome == "down" for _, above, outcome in every if above == side] for side in (False, True)]
    shares += [[outcome == "lost" for *_, outcome in every]]
    assert re.findall(r"(\d+)%", said) == [f"{100 * np.mean(share):.0f}" for share in shares]
    best = float(re.search(r"The median seed does best at a learning rate of (\S+)\.$", said)[1])
    medians = np.median(runs.change, axis=0)
    assert medians[np.argmin(np.abs(np.array(runs.sweep.lrs) - best))] == medians.min()
    assert verdicts.of_picture(runs) == f"Map of 8 seeds, in rows, at 76 learning rates from 0.0001 to 10. {said}"


def test_of_ones_own_problem_the_given_weights_are_a_row_on_the_map():
    runs = swept(seeds=4, steps=10, problem=OWN_PROBLEMS["parameter called a"]).state.runs
    assert verdicts.of_picture(runs).startswith("Map of the weights as given and 3 seeds, in rows, at 76 learning ra")
    assert verdicts.on_map(runs).endswith(" a1 stays as given, whatever the seed: Scale cannot draw its numbers.")
    fixed = Problem(Network([WithoutBias(W=[[1.0], [2.0]])]), SumSquaredError(), [[1.0, 2.0]], [[1.0]], 0.1)
    assert swept(steps=10, problem=fixed).state.runs.sweep.seeds == (None,)
    runs = swept(seeds=2, steps=10, problem=OWN_PROBLEMS["arctan by math.atan"]).state.runs
    assert np.isnan(runs.limits).all()
    assert "No limit is shown for any run. How the loss bends cannot be" in verdicts.on_map(runs)
    assert "theor" not in verdicts.on_map(runs) + verdicts.on_run(runs, (0, 0))
    unlimited = replace(runs, limits=(np.inf, np.inf))
    assert verdicts.on_run(unlimited, (0, 0)).endswith("has no positive curvature, so the theory sets no limit.")
    assert "of those above it" not in verdicts.on_map(unlimited), "nothing is said of a side where no run is"


def test_of_a_program_a_loss_may_be_no_number_and_a_state_may_be_why_it_changes():
    log = swept(steps=10, problem=program("L = np.sum(np.log(w))", {"w": [1.0]}, {})).state.runs
    assert verdicts.on_run(log, (0, 75)).startswith(
        "The loss began at 0 and had overflowed or was not a number after step 1."
    )
    assert "of all runs the loss has overflowed or is not a number." in verdicts.on_map(log)
    lines = "h1 = np.tanh(x @ Wx + h0 @ Wh)\nh0_new = h1\nL = np.sum((h1 @ Wy - y) ** 2)"
    weights, data = {"Wx": [[0.5]], "Wh": [[2.0]], "Wy": [[1.0]]}, {"x": [[1.0]], "h0": [[0.0]], "y": [[0.0]]}
    grown = swept(steps=10, problem=program(lines, weights, data)).state.runs
    assert grown.losses((0, 0))[-1] > grown.losses((0, 0))[0], "at a thousandth of the limit"
    assert verdicts.on_run(grown, (0, 0)).endswith(
        "stability at the start, 1.02, but each step has its own h0, and the loss changes with that, too."
    )


def test_of_a_bowl_all_is_said_to_be_as_the_theory_predicts(runs):
    """Of one weight alone the loss is a parabola; where that is at its bottom already, it stays there."""
    for x, below, end in [(1.0, "100%", "was to be expected."), (0.0, "0%", "stability at the start, 1.")]:
        problem = Problem(Network([Linear([[1.0]], [[0.0]])]), SumSquaredError(), [[x]], [[3 * x]], 0.1)
        parabola = swept(seeds=1, steps=10, problem=problem).state.runs
        said = verdicts.on_map(parabola)
        assert re.search(f"come down in {below} of the runs below .* and in 0% of those above it", said)
        assert ("as the theory predicts" in said) == (x == 1)
        assert all(verdicts.on_run(parabola, run).endswith(end) for run in np.ndindex(parabola.shape))
    changed = replace(runs, sweep=replace(runs.sweep, loss=runs.sweep.loss.copy()))
    changed.sweep.loss[..., -1] = 1e9
    changed.sweep.loss[0, 0, -1] = -1.0
    assert re.search("in under 1% of the runs .* Where the loss is at 0 or below, the dark", verdicts.on_map(changed))
    assert "best" not in verdicts.on_map(changed), "where none comes down"
