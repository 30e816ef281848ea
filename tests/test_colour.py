"""The colours of numbers: on any problem they say something, and they are the same wherever it is seen."""

import base64
import re
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from common import count, covers, pixels, places_in, plain, with_numbers
from hypothesis import example, given
from hypothesis import strategies as st
from own_parts import BinaryCrossEntropy, BinaryCrossEntropyOnScores
from problems import ACTIVATIONS, losses_of

from backprop_lab import (
    Adam,
    GradientDescent,
    Linear,
    Momentum,
    Network,
    Problem,
    Sigmoid,
    Tanh,
    program,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.checks.rounding import FLOAT64, terms_in
from backprop_lab.reading.scale import Scale, kinds_of, scales_of
from backprop_lab.step.number_format import typed_number
from backprop_lab.ui import MistakeLab, StepThrough
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.board.layout import place_matrices
from backprop_lab.ui.standalone import opened
from backprop_lab.ui.steps.recording import NARROW, record
from backprop_lab.ui.steps.setup import STARTS
from backprop_lab.ui.steps.stepper import Stepper

OTHER_LIMITS = [5, 0.25, (5, 0.1), [1e-9, np.float32(3.5)]]


def binary(loss, *last):
    """A 2-3-1 network that says yes or no of four samples."""
    rng = np.random.default_rng(0)
    first, second = (Linear(rng.standard_normal(shape), np.zeros((1, shape[1]))) for shape in ((2, 3), (3, 1)))
    X, y = rng.standard_normal((4, 2)), [[1.0], [0.0], [1.0], [0.0]]
    return Problem(Network([first, Tanh(), second, *last]), loss, X, y, 0.5)


def any_problem(seed):
    """One to three hidden layers, any activation and loss, and a learning rate from too small to too large."""
    rng = np.random.default_rng(seed)
    samples, inputs, outputs, *hidden = rng.integers(1, 9, 3 + seed % 3 + 1).tolist()
    losses = losses_of(outputs)
    return random_problem(
        seed, samples, inputs, hidden, outputs, float(10 ** rng.uniform(-5, 1)),
        ACTIVATIONS[rng.integers(len(ACTIVATIONS))], losses[rng.integers(len(losses))],
    )  # fmt: skip


def all_problems(full):
    """Every start of the lab, two with a loss of one's own, and many random ones, by name."""
    starts = {start: Stepper(start=start).first_problem for start in STARTS}
    own = {"on a sigmoid": binary(BinaryCrossEntropy(), Sigmoid()), "on scores": binary(BinaryCrossEntropyOnScores())}
    return starts | own | {f"any_problem({seed})": any_problem(seed) for seed in range(count(full))}


def says_too_little(place):
    """Of each kind of numbers: how many of how many are grey, or as dark as can be, where that is too many."""
    t, found = place.trace, []
    kinds = {step.name: "gradients" for step in t.steps if step.phase == "backward"}
    if memories := [name for name in t.problem.state if name != "step"]:
        made_of = [step.name for step in t.steps if step.phase == "update" and step.of not in t.problem.parameters]
        kinds |= dict.fromkeys([*memories, *made_of], "memories")
    shown = {name: t[name] for name in t if name not in ("L", "lr", "step")}
    for kind, scale in place.scales.by_kind().items():
        sizes = []
        for name, value in shown.items():
            if kinds.get(name, "values") == kind:
                doubt = 8 * FLOAT64 * terms_in(t)[name].terms if kind == "gradients" else 0
                with np.errstate(all="ignore"):
                    sizes += np.abs(value)[np.isfinite(value) & (np.abs(value) > doubt)].tolist()
        with np.errstate(all="ignore"):
            levels = np.arcsinh(np.array(sizes) / scale.linear) / np.arcsinh(scale.limit / scale.linear)
        grey, dark = np.count_nonzero(levels < 0.1), np.count_nonzero(levels >= 1)
        if grey >= 0.25 * len(levels) > 0 or dark >= 0.05 * len(levels) > 0:
            found.append(f"{kind}: {grey} grey and {dark} darkest of {len(levels)} on {tuple(scale)}")
    return found


@cache
def trained_for_100():
    """Of each problem: what says too little at some iterations, where scales are renewed, and the losses."""
    found = {}
    for name, problem in all_problems(200).items():
        stepper, little, renewed = Stepper(problem), [], []
        for iteration in range(101):
            stepper.go(iteration=iteration)
            if iteration in (0, 10, 100) and (said := says_too_little(stepper.place)):
                little.append((iteration, *said))
            renewed += [bool(stepper.place.renewed)] * (iteration > 0)
        found[name] = little, renewed, np.array(stepper.losses)
    return found


def test_colours_say_something_of_every_problem_however_long_it_has_trained():
    """Of the finite cells that are beyond their rounding, under 25 % are grey, and under 5 % as dark as can be."""
    problems = trained_for_100()
    bad = {name: little for name, (little, _, _) in problems.items() if little}
    print(f"{len(problems)} problems, {len(bad)} with colours that say too little: {bad or 'none'}")  # noqa: T201
    assert len(bad) <= 0.03 * len(problems)
    assert not bad.keys() & {*STARTS, "on a sigmoid", "on scores"}


@pytest.mark.parametrize("optimizer", [Momentum(), Adam()])
def test_what_an_optimizer_remembers_has_colours_of_its_own_and_leaves_the_weights_theirs(optimizer):
    """Beside the squares of gradients, on one scale with them, all weights would look alike."""
    bad, others = [], []
    for seed in range(20):
        plain_one = any_problem(seed).evolve(lr=1e-3)
        stepper = Stepper(plain_one.evolve(optimizer=optimizer))
        others += [seed] * (stepper.place.scales.values != Stepper(plain_one).place.scales.values)
        for iteration in (0, 10, 100):
            stepper.go(iteration=iteration)
            assert stepper.place.scales.by_kind().keys() == {"values", "gradients", "memories"}
            bad += [(seed, iteration, found) for found in says_too_little(stepper.place)]
    assert not others
    assert not bad


def test_a_running_mean_has_the_colours_of_values_in_this_step_and_the_next_and_no_legend_on_it():
    lines = (
        "mu = X.mean(axis=0, keepdims=True)\nrunning_new = 0.9 * running + 0.1 * mu\nL = np.sum(((X - mu) @ W - y)**2)"
    )
    given = {"X": np.arange(15.0).reshape(5, 3), "y": np.ones((5, 2)), "running": np.zeros((1, 3))}
    for optimizer in (GradientDescent(), Adam()):
        t = trace(program(lines, {"W": np.ones((3, 2))}, given, optimizer=optimizer))
        assert (kinds_of(t)["running"], kinds_of(t)["running_new"]) == ("values", "values")
        for width, height in ((980, 440), (930, 345), (1000, np.inf)):
            places = places_in(place_matrices(t, width, height))
            assert np.array_equal(covers(places, places), np.eye(len(places)))


def test_scales_are_renewed_in_under_one_of_ten_iterations():
    ran, renewed = 0, 0
    for name, (_, here, losses) in trained_for_100().items():
        if np.isfinite(losses).all() and losses[0] / 1000 <= losses.min() and losses.max() <= 1000 * losses[0]:
            assert sum(here) < 10, name
            ran, renewed = ran + 100, renewed + sum(here)
    print(f"renewed in {renewed} of {ran} iterations")  # noqa: T201
    assert ran >= 1000
    assert renewed < 0.02 * ran


def with_renewals():
    """A run in which scales are renewed, and by then which iterations."""
    return Stepper(start="mazur"), 9


def test_a_scale_is_never_renewed_between_two_steps_of_an_iteration():
    stepper, last = with_renewals()
    by_iteration = {}
    while stepper.place.iteration <= last:
        by_iteration.setdefault(stepper.place.iteration, set()).add(stepper.place.scales)
        stepper.next()
    assert {len(each) for each in by_iteration.values()} == {1}
    scales = [each.pop() for each in by_iteration.values()]
    renewed = [k for k, (before, now) in enumerate(pairwise(scales), 1) if before != now]
    assert renewed
    for k in range(last + 1):
        place, _ = stepper.look(k, 3)
        told = {
            name for name in ("values", "gradients") if k and getattr(scales[k], name) != getattr(scales[k - 1], name)
        }
        assert {*place.renewed} == told


def test_the_colours_of_a_place_do_not_depend_on_the_way_there():
    stepper, last = with_renewals()
    for k in range(last + 1):
        stepper.go(iteration=k)
    there = {k: stepper.look(k, 0)[0].scales for k in range(last + 1)}
    assert len({*there.values()}) > 1
    for way in ([last, 0, 7, 3], [last, 0, last], [3, last, 7], [last - 1, 2, last]):
        stepper, _ = with_renewals()
        for k in way:
            stepper.go(iteration=k)
            assert stepper.place.scales == there[k]
        lr = stepper.place.lr
        stepper.set_lr(9.0)
        stepper.set_lr(lr)
        assert stepper.place.scales == there[k]


@pytest.mark.parametrize("start", STARTS)
def test_the_scales_stay_while_seeds_and_learning_rates_move(start):
    """For nine of ten seeds, and always the same for one seed, whichever came before."""
    one_by_one = Stepper(start="random" if start == "worked example" else start, seed=0)
    first, stayed = one_by_one.place.scales, 0
    for seed in range(1, 30):
        one_by_one.set_up(seed=seed)
        assert one_by_one.place.scales == Stepper(start=one_by_one.place.setup.start, seed=seed).place.scales
        stayed += one_by_one.place.scales == first
    assert stayed >= 26
    stepper = Stepper(start=start)
    before = stepper.place.scales
    for lr in (1e-6, 1e-3):
        stepper.set_lr(lr)
        assert stepper.place.scales == before


@pytest.mark.parametrize("limit", OTHER_LIMITS)
def test_limit_sets_where_the_colours_end_and_stays_whatever_the_learner_does(limit):
    ends = limit if isinstance(limit, tuple | list) else (limit, limit)
    changes = (
        lambda now: now.go(iteration=2), lambda now: now.set_lr(10.0), lambda now: now.restart(),
        lambda now: now.set_up(seed=5), lambda now: now.set_up(start="iris"), lambda now: now.go(iteration=40),
    )  # fmt: skip
    for lab in (StepThrough(limit=limit), MistakeLab(limit=limit).lab, StepThrough(worked_example(), limit=limit)):
        stepper = lab.stepper
        for change in changes:
            change(stepper)
            assert (stepper.place.scales.values.limit, stepper.place.scales.gradients.limit) == tuple(map(float, ends))
            assert stepper.place.renewed == ()


@pytest.mark.parametrize("limit", [0, -1, np.inf, np.nan, "5", True, (1, 2, 3), (1,), (1, 0), (1, "2"), 1 + 2j, 1e300])
def test_a_limit_that_makes_no_scale_is_refused_with_a_sentence(limit):
    with pytest.raises(ValueError, match=f"positive finite number, or two.* got {re.escape(repr(limit))}"):
        StepThrough(limit=limit)


def test_a_link_says_what_is_wrong_with_its_limit():
    assert "limit is a number such as 0.05; this one has 'red'" in plain(opened("limit=red").value)
    assert "limit is where the colours end" in opened("limit=1,2,3").value
    assert opened("limit=5").call() == "StepThrough(limit=(5.0, 5.0))"


@given(st.floats(-280, 280), st.floats(0, 280), st.lists(st.floats(allow_nan=False, allow_infinity=False)))
@example(power=0.0, decades=0.328125, numbers=[])
def test_a_scale_is_symmetric_about_0_and_monotone_and_ends_at_its_limit(power, decades, numbers):
    limit = 10.0**power
    scale = Scale(limit, max(limit / 10**decades, 1e-290))
    numbers = np.sort([*numbers, 0.0, limit, scale.linear])
    levels = scale.levels(numbers)
    assert np.array_equal(scale.levels(-numbers), -levels)
    assert (np.diff(levels) >= 0).all()
    assert (scale.levels([0.0, limit, np.inf, np.nan]) == [0, 1, 2, 2]).all()
    assert (np.abs(levels) <= 1).all()


def test_a_scale_is_linear_and_beyond_that_even_in_powers_of_ten():
    levels = Scale(1e8, 0.5).levels
    assert levels([0.05, 0.1])[1] / levels([0.05, 0.1])[0] == pytest.approx(2, rel=0.01)
    assert np.diff(levels(10.0 ** np.arange(2, 9))) == pytest.approx(levels(1e8) - levels(1e7), rel=0.01)


def test_what_rounding_has_left_of_a_0_has_no_colour():
    """As where 0.1 + 0.2 - 0.3 should be 0, in a column of a gradient."""
    t = trace(with_numbers(worked_example(), X=[[1.0, 0.3 - 0.1 - 0.2, 0.5], [1.0, 0.3 - 0.1 - 0.2, 2.0]]))
    dW1 = np.abs(t["dW1"][1])
    assert (dW1 < 1e-12).all()
    assert (dW1 > 0).any()
    scale = scales_of([t]).gradients
    assert scale.linear > 0.01
    assert (np.abs(scale.levels(t["dW1"][1])) < 1e-9).all()


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("screen", [(980, 440, False), (930, 345, False), (740, 330, True), (386, 330, False)])
def test_both_numbers_of_both_scales_stand_at_them_and_on_nothing_else(start, screen):
    stepper = Stepper(start=start)
    remembering = trace(stepper.first_problem.evolve(optimizer=Adam()))
    for t, scales in [
        (stepper.place.trace, stepper.place.scales),
        (stepper.look(1, 0)[0].trace, None),
        (remembering, None),
    ]:
        scales = scales or scales_of([t], (1e-7, 2e16))
        board = Board(t, screen[0], screen[1], large=screen[2], scales=scales)
        words = board.words[board.scale_words]
        said = " ".join(word.text for word in words)
        for scale in scales.by_kind().values():
            for number in (-scale.limit, scale.limit, scale.linear):
                assert any(typed_number(word) == number for word in said.split()), (said, number)
        assert said.count("linear to") == (3 if t is remembering else 2)
        rest = [*board.labels.values(), *board.notes.values()]
        edges = [(w.x - w.align * w.width, w.y - 0.75 * w.size, w.x + (1 - w.align) * w.width, w.y + 0.2 * w.size)
                 for w in (*words, *rest)]  # fmt: skip
        edges = np.array(edges)
        boxes = np.array([(b.x, b.y, b.x + b.width, b.y + b.height) for b in board.boxes])
        ramps = np.array([(x, y, x + width, y + height) for x, y, width, height in board.ramps])
        assert ((edges >= 0) & (edges <= [board.width, board.height] * 2)).all()
        assert not covers(edges, np.concatenate([boxes, ramps]), by=0.02).any()
        assert np.array_equal(covers(edges, edges, by=0.02), np.eye(len(edges))), said


@pytest.mark.parametrize("renewed", [("values",), ("gradients",), ("memories",), ("values", "gradients")])
def test_a_renewed_scale_has_a_mark_at_its_left_and_nothing_else_moves(renewed):
    t, drawn = trace(worked_example().evolve(optimizer=Momentum())), []
    for marked in ((), renewed):
        board = Board(t, 386, 330, renewed=marked)
        board.draw(t, 5)
        drawn.append(pixels(board.png()))
    changed = np.argwhere((drawn[0] != drawn[1]).any(axis=2)) + 0.5
    ramps = [
        ramp for name, ramp in zip(("values", "gradients", "memories"), board.ramps, strict=True) if name in renewed
    ]
    beside = np.array([[(x - 8 < at < x) & (abs(y + height / 2 - down) < 6) for x, y, _, height in ramps]
                       for down, at in changed])  # fmt: skip
    assert beside.any(axis=1).all()
    assert beside.any(axis=0).all()


def test_the_lab_marks_a_scale_in_the_iteration_in_which_it_is_renewed_alone():
    stepper, last = with_renewals()
    renewed = [stepper.look(k, 0)[0].renewed for k in range(last + 1)]
    lab = StepThrough(start="mazur")
    lab._heard("page", {"map": [900, 400], "operation": [400, 200], "ratio": 1.0, "dark": False})
    for k in range(last + 1):
        lab.go(iteration=k)
        board, _ = lab._pictures
        assert len(board.words[board.scale_marks]) == len(renewed[k])
    assert {len(each) for each in renewed} >= {0, 1}


def test_a_walk_says_at_each_step_that_its_scale_is_new():
    stepper, last = with_renewals()
    renewed = [stepper.look(k, 0)[0].renewed for k in range(last + 1)]
    at = next(k for k in range(1, last) if renewed[k] and not renewed[k + 1])
    stepper.go(iteration=at)
    recorded = record(stepper, 2)
    for k, steps, pictures in zip(
        (at, at + 1), recorded["iterations"], recorded["pictures"]["narrow"]["boards"], strict=True
    ):
        said = [" ".join(each["text"] for each in step["state"]["remarks"]) for step in steps["steps"]]
        new = f"New colour scale for {' and '.join(renewed[at])}: on the one before, too many would look alike."
        assert [new in each for each in said] == [k == at] * len(said)
        place, losses = stepper.look(k, len(said) - 1)
        board = Board(place.trace, *NARROW[0], NARROW[2], scales=place.scales, renewed=place.renewed)
        board.draw(place.trace, place.index, losses)
        walk = base64.b64decode(pictures["light"][1])
        assert np.array_equal(pixels(board.png()), pixels(walk))
