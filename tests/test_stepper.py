"""The stepper: where the learner is, whichever way they got there, and what each move may and may not change."""

import math
import re
import sys
from operator import methodcaller as call
from unittest import mock

import numpy as np
import pytest
from common import SQUARE, check_cases, count, gradients_of, plain_training, same_values, trained, with_numbers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from problems import identical

from backprop_lab import (
    L2,
    LOSSES,
    MISTAKES,
    Adam,
    Dropout,
    Mistake,
    Network,
    Tanh,
    program,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.reading.slopes import value_of
from backprop_lab.step.examples import iris, mazur
from backprop_lab.step.random_problems import redrawn
from backprop_lab.training.history import Training
from backprop_lab.ui.steps.setup import AS_GIVEN, RECIPES, SIZES, STARTS, Setup, all_active, dead_relu
from backprop_lab.ui.steps.stepper import Stepper


def where(stepper):
    return stepper.place.iteration, stepper.place.step.name if stepper.place.step else None


def pinned_at(cell, **options):
    stepper = Stepper(**options)
    stepper.choose(cell, pinned=True)
    return stepper


def cell_of(stepper):
    return stepper.place.cell, stepper.place.pinned


def numbers_of(p):
    arrays = {"lr": np.array(p.lr), "X": p.X, "y": p.y, **p.network.parameters}
    return "\n".join([f"{p.network}, {p.loss}", *(f"{name} = {a.round(6).tolist()}" for name, a in arrays.items())])


def after(stepper, *moves):
    """Where moves lead, from which setup, and all that is asked, seen and said there."""
    for move in moves:
        move(stepper)
    place, (*setup, _) = stepper.place, vars(stepper.place.setup).values()
    looked, losses = stepper.look(place.iteration, place.index)
    assert (looked.setup, looked.custom, looked.mistake) == (place.setup, place.custom, place.mistake)
    assert len(losses) == len(stepper.losses)
    asked = (place.predicting, place.question, place.right, place.asked, place.why)
    seen = [(k, f"{rate:g}") for k, rate in stepper.rates.items()], [f"{loss:.6g}" for loss in stepper.losses[-3:]]
    told = (where(stepper), cell_of(stepper), setup, asked, place.mistake, place.custom, stepper.setup_lr, *seen)
    return "\n".join(["; ".join(map(str, told)), *[place.note] * bool(place.note)])


def differing(problem, other):
    """The names of what differs in two problems."""
    one, two = ({"X": p.X, "y": p.y, "lr": p.lr, **p.network.parameters} for p in (problem, other))
    return [name for name in one if not identical(one[name], two[name])]


def test_a_dead_relu_stays_off_and_where_all_are_active_each_is_on():
    p = random_problem(3, samples=5, hidden=(4, 3))
    dead, active = dead_relu(p), all_active(p)
    assert (differing(p, dead), differing(p, active)) == (["b1"], ["b1", "b2"])
    before, after, on = (trace(problem) for problem in (p, dead, active))
    assert after["Y1"][:, 0].max() == pytest.approx(-1)
    assert identical(after["Y1"][:, 1:], before["Y1"][:, 1:])
    assert np.array_equal(trained(dead, 20)["W1"][:, 0], p.network.parameters["W1"][:, 0])
    for Y in ("Y1", "Y2"):
        np.testing.assert_allclose(on[Y].min(axis=0), 0.5, atol=1e-12)


def test_every_start_is_made_of_its_seed_and_sizes():
    first, _, *others = mazur().network.layers
    for setup, made in {
        Setup(): worked_example(),
        Setup("random", 11, samples=3, inputs=5, hidden=2, outputs=4): random_problem(11, 3, 5, 2, 4),
        Setup("dead ReLU", seed=11): dead_relu(random_problem(11)),
        Setup("all active", seed=11): all_active(random_problem(11)),
        Setup("diverging", seed=11, layers=2): random_problem(11, hidden=(4, 4), lr=2.0),
        Setup("random", loss=(softmax := "cross-entropy after a softmax")): random_problem(0, loss=LOSSES[softmax]),
        Setup("iris", 5): redrawn(iris(), 5),
        Setup(AS_GIVEN, given=mazur(), activation="Tanh"): mazur().evolve(network=Network((first, Tanh(), *others))),
    }.items():
        problem = setup.problem()
        assert (differing(problem, made), problem.loss) == ([], made.loss), setup
        assert problem.network.layers[1::2] == made.network.layers[1::2], setup


def kinds_of(problem):
    return " ".join(type(layer).__name__ for layer in problem.network.layers)


def test_a_norm_stands_before_each_hidden_activation_and_a_dropout_behind_it():
    parts = {"norm": "BatchNorm", "dropout": 0.5, "penalty": "L2(0.1)", "optimizer": "Adam"}
    for start, sizes in (("random", {"seed": 3, "layers": 2, "samples": 5}), ("iris", {"seed": 3}), ("iris", {})):
        p = Setup(start, **parts, **sizes).problem()
        hidden = "Linear BatchNorm ReLU Dropout " * (len(p.network.layers) // 4)
        assert kinds_of(p) == f"{hidden}Linear"
        assert "b1" not in p.parameters, "which the norm would take off again"
        assert (p.penalty, p.optimizer) == (L2(0.1), Adam())
        assert {layer for layer in p.network.layers if isinstance(layer, Dropout)} == {
            Dropout(0.5, sizes.get("seed", 0))
        }
    p = Setup("random", norm="LayerNorm", loss="binary cross-entropy").problem()
    assert kinds_of(p) == "Linear LayerNorm ReLU Linear Sigmoid"
    assert "b1" in p.parameters, "which shifts one unit of a sample against the others"


def test_a_menu_takes_the_parts_of_a_problem_out_and_as_given_brings_them_back():
    setup = Setup("random", samples=5, norm="BatchNorm", dropout="0.2", penalty="L2(0.01)", optimizer="momentum")
    given = trained(setup.problem(), 2).problem
    assert given.state["vgamma1"].any()
    as_given = Setup(AS_GIVEN, given=given)
    assert same_values(trace(as_given.problem()), trace(given))
    without = Setup(AS_GIVEN, given=given, norm="none", dropout="none", penalty="none").problem()
    assert (kinds_of(without), without.penalty) == ("Linear ReLU Linear", None)
    assert "b1" in without.parameters, "which the norm had taken off"
    assert identical(without.state["vW1"], given.state["vW1"])
    other = Setup(AS_GIVEN, given=given, norm="LayerNorm", activation="Tanh").problem()
    assert kinds_of(other) == "Linear LayerNorm Tanh Dropout Linear"
    assert (as_given.layers, as_given.hidden) == (1, 4), "a norm is no hidden layer"


def test_where_a_norm_or_a_dropout_has_no_place_none_is_offered():
    straight = random_problem(1, hidden=())
    choices = Setup(AS_GIVEN, given=straight).choices()
    assert {choices[name] for name in ("activation", "norm", "dropout")} == {("as given",)}
    with pytest.raises(ValueError, match="norm must be one of as given; got 'BatchNorm'"):
        Setup(AS_GIVEN, given=straight, norm="BatchNorm").problem()


@pytest.mark.parametrize("norm", ["none", "BatchNorm", "LayerNorm"])
def test_with_a_norm_and_a_dropout_a_unit_is_dead_for_good_and_all_are_active(norm):
    parts = {"norm": norm, "dropout": "0.5", "samples": 5, "layers": 2, "seed": 4}
    for name in ("H1", "H2"):
        assert np.all(trace(Setup("all active", **parts).problem())[name] >= 0.5 - 1e-12)
    for lr in (1e-4, 1e-2):
        assert not trained(Setup("dead ReLU", **parts).problem().evolve(lr=lr), 30)["H1"][:, 0].any()


def test_what_is_remembered_can_be_changed_and_training_goes_on_from_it():
    stepper = Stepper(seed=1, optimizer="Adam", dropout=0.5, iteration=2)
    place = stepper.place
    stepper.choose(("mW1", 0, 1), pinned=True)
    stepper.edit(0.25)
    assert stepper.place.trace["mW1"][0, 1] == 0.25
    assert (stepper.place.trace["step"], stepper.place.start) == (3, "custom")
    assert identical(stepper.place.trace["vW1"], place.trace["vW1"])
    for name, refusal in {
        "vW1": "with -1.0 in vW1, the update of W1 is not a number",
        "mask1": "mask1 is drawn anew in each step; only X, y, W1, .*, vb2 can be changed here",
        "step": "step counts the steps",
        "lr": "lr has its own control",
    }.items():
        stepper.choose((name, 0, 0))
        with pytest.raises(ValueError, match=refusal):
            stepper.edit(-1.0)


def test_where_samples_are_large_an_overflow_tells_the_line_that_brings_them_to_one_scale():
    X = np.array([[1000.0, 0.2], [3000.0, 0.4], [2500.0, 0.1]])
    mended = "X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)"
    for data in (X, eval(mended.partition(" = ")[2], {"X": X})):
        stepper = Stepper(random_problem(1, X=data, y=[[1.0], [0.0], [2.0]], hidden=(), lr=1e4))
        stepper.go(iteration=100)
        said = f" X has numbers up to 3,000: {mended} brings its columns to one scale."
        assert "The loss overflowed at" in stepper.place.note
        assert stepper.place.note.endswith(said) == (data is X)


def test_where_moves_lead_and_what_is_said_there_is_what_somebody_has_read():
    check_cases("moves", globals())


ITERATIONS, LRS = [0, 1, 2, 99, 100, 101, 199, 300], [0.0002, 0.01, 0.02]


@settings(max_examples=count(100))
@given(st.lists(st.sampled_from(ITERATIONS) | st.sampled_from(LRS), max_size=12))
@example([99, 0.02, 0.01, 0.02, 101, 0.0002, 202, 103, 99, 200])
def test_however_one_walks_each_iteration_is_that_of_plain_training(walk):
    stepper = Stepper(seed=7, lr=0.01, samples=1, inputs=1, hidden=2, outputs=1)
    problem, lrs = stepper.first_problem, [0.01]
    for to in walk:
        stepper.set_lr(to) if to in LRS else stepper.go(iteration=to)
        k = stepper.place.iteration
        if to in LRS and to != lrs[k]:
            lrs[k:] = [to]  # what came after is dropped, what came before stays
        lrs += [lrs[-1]] * (k + 1 - len(lrs))
        problems, losses = plain_training(problem, lrs[: k + 1])
        assert same_values(stepper.place.trace, trace(problems[-1]))
        assert list(stepper.losses) == losses
        assert (len(stepper.rates) > 1) == (len({*lrs[: k + 1]}) > 1)


MISTAKEN = {"mistake": "transpose-forgotten", **SQUARE}
OVER = [  # how it opened, what was changed (or else it is restarted); then its setup, learning rate, step and mistake
    ({}, {}, Setup(), 1e-6, None, ""),
    ({"seed": 1, "lr": 0.02, "step": "dW1"}, {"seed": 9}, Setup("random", 9), 0.02, "dW1", ""),
    *[({"start": "random"}, {n: most}, Setup("random", **{n: most}), 0.001, None, "") for n, most in SIZES.items()],
    ({"step": "L", "lr": 0.3}, {"start": "diverging"}, Setup("diverging"), 2.0, "L", ""),
    ({"samples": 5, "layers": 3, "seed": 1, "step": "b4_new"}, {"start": "worked example"}, Setup(), 1e-6, None, ""),
    ({"seed": 6, "layers": 2, "lr": 0.07, "step": "L"}, {}, Setup("random", 6, layers=2), 0.07, None, ""),
    ({"step": "dW1"}, {"activation": "Tanh"}, Setup(activation="Tanh"), 1e-6, "dW1", ""),
    ({"start": "iris", "seed": 4}, {"seed": None}, Setup("iris"), 0.1, None, ""),
    ({"start": "xor", "step": "L", "lr": 0.2}, {"layers": 2}, Setup("random", 0, 4, 2, 4, 2, 1), 0.2, "L", ""),
    (MISTAKEN, {"seed": 8}, Setup("random", 8, **SQUARE), 0.001, None, MISTAKEN["mistake"]),
    (MISTAKEN, {"hidden": 4, "layers": 1, "inputs": 1}, Setup("random", 0, 3, 1, 4, 1, 3), 0.001, None, ""),  # no room
]  # fmt: skip


def test_on_the_way_to_an_iteration_only_those_not_known_yet_are_trained():
    stepper = Stepper(iteration=5)
    with mock.patch.object(Training, "trace", autospec=True, side_effect=Training.trace) as trained:
        stepper.go(iteration=8)
        stepper.go(iteration=2)
    assert [iteration for _, iteration in (each.args for each in trained.call_args_list)] == [6, 7]


def test_a_problem_of_ones_own_is_the_one_that_is_opened():
    problem = random_problem(3)
    assert Stepper(problem).first_problem is problem


def test_another_setup_starts_over_and_tells_the_sizes_that_are_on_the_board():
    for options, changes, setup, lr, step, mistake in OVER:
        stepper = Stepper(**options)
        stepper.next_iteration()
        stepper.set_up(**changes) if changes else stepper.restart()
        assert (where(stepper), len(stepper.losses), stepper.place.setup) == ((0, step), 1, setup)
        assert (stepper.place.index == 0, stepper.place.mistake) == (step is None, mistake)
        assert ("cannot be planted here" in stepper.place.note) == (stepper.place.mistake != options.get("mistake", ""))
        made = trained(setup.problem().evolve(lr=lr), 0, MISTAKES.get(mistake))
        assert same_values(stepper.place.trace, made), (options, changes)


@pytest.mark.parametrize("start", STARTS)
def test_from_every_start_random_numbers_are_one_choice_away(start):
    """A start that is made of lines has no sizes to draw them with."""
    for recipe in RECIPES:
        setup, _ = Setup(start).changed({"start": recipe})
        assert setup.problem().stages, recipe


@pytest.mark.parametrize(
    ("options", "iteration"),
    [
        ({"dropout": "0.5", "layers": 3, "hidden": 2, "inputs": 1, "samples": 8, "seed": 26, "lr": 1e-300}, 1),
        ({"optimizer": "Adam", "hidden": 32, "samples": 4, "lr": 0.1}, 14),  # while the loss falls
    ],
)
def test_a_probability_of_1_in_a_cross_entropy_is_not_said_to_come_of_the_rate_alone(options, iteration):
    stepper = Stepper(start="random", loss="binary cross-entropy", **options)
    stepper.go(iteration=iteration)
    assert (
        "what its loss takes the logarithm of is 0, as where a probability is rounded to 0 or to 1"
        in stepper.place.note
    )


REFUSED = [
    *[(name, "set_up", (0, 129, 2.0, "2", True), f"{name} must be a whole number from 1 to") for name in SIZES],
    ("seed", "set_up", (-1, 1.5, "3", "", True), "seed must be a whole number"),
    ("start", "set_up", ("x", "", 3, None), "start must be one of worked example, random, dead ReLU, diverging, all"),
    ("activation", "set_up", ("relu", "", None), "activation must be one of ReLU, Tanh, Sigmoid"),
    ("loss", "set_up", ("L", "", None), "loss must be one of sum of squares, mean of squares"),
    ("lr", "set_lr", (0, -0.1, math.nan, math.inf, "0.1", True, 10**400), "learning rate must be a positive, finite"),
    ("mistake", "plant", ("typo", ["typo"], 3), "there is no mistake .*; choose one of mask-forgotten, "),
    ("mistake", "plant", ("sum-forgotten",), "this mistake cannot be planted here, because the shapes would not fit"),
    ("index", "go_to", (1.5, "3", None, [1]), "the steps to show are a whole number, such as 3; got "),
    ("number", "edit", (math.nan, -math.inf, "1,5", None, 1j, 10**400), "a cell needs a finite number, such as"),
    ("text", "answer", ("", "x", "nan", "-inf", "1,500", "1e999", "+-"), r"answer with \+, - or 0 for the sign, or"),
    ("iteration", "go", (-1, 100_001, 1.5, "3", True), "iteration must be a whole number from 0 to 100000"),
    ("step", "go", ("", "dW9", "X", "dw1", 3, "dX"), "step must be one of Y1, H1, y_pred, L, dy_pred"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "move", "bads", "helps"), REFUSED, ids=lambda value: str(value)[:12])
def test_what_makes_no_sense_is_refused_with_what_would_and_nothing_changes(option, move, bads, helps):
    stepper = first_question(lr=0.1, iteration=2)
    stepper.choose(("X", 0, 0), pinned=True)
    place = stepper.place
    for bad in bads:
        with pytest.raises(ValueError, match=helps):
            getattr(stepper, move)(**{option: bad})
        if option not in ("index", "number", "text"):
            with pytest.raises(ValueError, match=helps):
                Stepper(**{"start": "random", option: bad})
    assert stepper.place is place


def test_a_mistake_that_there_is_not_is_refused_with_those_that_can_be_planted_here():
    stepper = Stepper(random_problem(1, activation=Tanh()))
    with pytest.raises(ValueError, match="there is no mistake 'slope'; choose one of slope-forgotten, ") as refused:
        stepper.plant("slope")
    with pytest.raises(ValueError, match=r"a mistake is planted by its name: write mistake='sign-flipped'$"):
        stepper.plant(MISTAKES["sign-flipped"])
    with pytest.raises(ValueError, match=r"put your own into a table, mistakes=MISTAKES \| \{'mine': \.\.\.\}, and"):
        stepper.plant(Mistake("mine", "Mine", "mine", cause="", symptom="", lines={}))
    offered = str(refused.value).split("one of ")[1].split(", ")
    for name in offered:
        stepper.plant(name)


def test_divergence_is_noted_with_its_iteration_and_what_is_known_of_its_cause():
    typed = pinned_at(("X", 0, 0), seed=0)
    typed.edit(1e60)
    for stepper, said in [
        (Stepper(start="diverging"), "the learning rate is too large. Restart with"),
        (Stepper(mistake="plus-for-minus", lr=0.1), "the planted mistake may be the cause, or the learning rate"),
        (typed, "the learning rate is too large for these numbers, or they are too large themselves"),
    ]:
        while math.isfinite(stepper.losses[-1]):
            assert (stepper.has_diverged, stepper.place.note) == (False, "")
            stepper.next_iteration()
        first = stepper.place.iteration
        for _ in range(2):
            assert stepper.has_diverged
            assert stepper.place.note.startswith(f"The loss overflowed at iteration {first}: {said}")
            stepper.next_iteration()
        stepper.go(iteration=first - 1)
        assert (stepper.has_diverged, stepper.place.note) == (False, "")
    typed.edit(1e200)
    assert typed.place.note.startswith("The loss overflows at the very start: some of these numbers are too large")
    nan = with_numbers(random_problem(0), W1=np.full((3, 4), np.nan))
    assert Stepper(nan).place.note == "The loss is not a number (nan) at the very start: W1 has nan in it."
    idle = Stepper(start="all active", mistake="mask-forgotten").place.note
    assert idle == "ReLU mask forgotten: with these numbers, it changes nothing."


def test_any_given_number_can_be_typed_over_and_training_goes_on_from_there():
    problem = plain_training(random_problem(1), [0.01] * 121)[0][-1]
    for name in ("X", "y", "W1", "b1", "W2", "b2"):
        array = trace(problem)[name].copy()
        array[-1, 1] = -0.5
        cell = (name, len(array) - 1, 1)
        stepper = pinned_at(cell, seed=1, lr=0.01, iteration=120, step="dW1")
        stepper.edit(-0.5)
        assert (stepper.place.start, where(stepper), cell_of(stepper)) == ("custom", (0, "dW1"), (cell, True))
        for expected in plain_training(with_numbers(problem, **{name: array}), [0.01] * 3)[0]:
            assert same_values(stepper.place.trace, trace(expected))
            stepper.next_iteration()
        stepper.plant("mask-forgotten")
        stepper.choose(("X", 0, 0), pinned=True)
        stepper.edit(-sys.float_info.max)  # a second one, with which the mistake stays
        assert stepper.place.trace["X"][0, 0] == -sys.float_info.max
        assert same_values(stepper.place.trace, trained(stepper.first_problem, 0, MISTAKES["mask-forgotten"]))
        stepper.restart()
        assert same_values(stepper.place.trace, trained(random_problem(1, lr=0.01), 0, MISTAKES["mask-forgotten"]))


def test_a_mistake_that_is_planted_is_made_in_every_iteration():
    for name in ("mask-forgotten", "sign-flipped", "plus-for-minus"):  # of which the second is made at one gradient
        stepper = Stepper(seed=1, lr=0.01, step="db1", **SQUARE)
        stepper.plant(name)
        assert (stepper.place.mistake, where(stepper)) == (name, (0, "db1"))
        for k in range(4):
            stepper.forget()
            assert same_values(stepper.place.trace, trained(stepper.first_problem, k, MISTAKES[name]))
            stepper.next_iteration()


def first_question(**options):
    stepper = Stepper(**({"seed": 3, "step": "L"} | options))
    stepper.predict(True)
    stepper.next()
    return stepper


def test_what_can_be_predicted_is_asked_for_before_it_is_shown():
    for activation, first in (("ReLU", ["H1"]), ("Tanh", [])):
        stepper, asked = Stepper(seed=3, activation=activation), []
        stepper.predict(True)
        t = stepper.place.trace
        for index, step in enumerate(t.steps):
            stepper.next()
            if stepper.place.question:
                asked.append(stepper.place.question)
                assert stepper.place.index == index, "nothing is shown yet"
                stepper.next()
            assert (stepper.place.step, stepper.place.question, stepper.place.asked) == (step, None, 0)
        assert [name for name, *_ in asked] == [*first, *gradients_of(t), "W1_new", "b1_new", "W2_new", "L"]
        assert all((i, j) in np.ndindex(value_of(t, name).shape) for name, i, j in asked)


def test_an_answer_shows_the_step_and_counts_and_takes_a_reason():
    stepper = first_question(lr=0.01)
    for k, name in enumerate(gradients_of(stepper.place.trace), start=1):
        assert (stepper.place.note, cell_of(stepper)) == ("", (None, False)), "what was there before makes room"
        value = stepper.place.trace[name][stepper.place.question[1:]]
        stepper.answer(repr(float(value)) if k % 2 else "99")
        place, score = stepper.place, (k + 1) // 2
        assert (where(stepper), place.question, place.right, place.asked) == ((0, name), None, score, k)
        assert place.note.startswith("Right: " if k % 2 else "99 is not right: ")
        assert place.note.endswith(f" {score} of {k} right so far.")
        with pytest.raises(ValueError, match="type your reason first"):
            stepper.give_reason(" ")
        stepper.give_reason(" as I say ")
        assert (stepper.place.note, stepper.place.why) == (f"You: as I say — Ours: {place.why}", "")
        stepper.choose(("X", 0, 0), pinned=True)
        stepper.next()
    stepper.predict(False)
    assert (stepper.place.question, stepper.place.right, stepper.place.asked) == (None, 0, 0)


def test_a_pinned_cell_stays_until_another_step():
    for move in (call("next_iteration"), call("set_lr", 0.1), call("next"), call("restart")):
        stepper = pinned_at(("dW1", 1, 1), step="dW1")
        move(stepper)
        assert cell_of(stepper) == ((("dW1", 1, 1), True) if where(stepper)[1] == "dW1" else (None, False)), move


def counted(problem, iterations):
    """A training after so many iterations, and a list that grows with every step that is run again."""
    runs = []
    training = Training(problem, lambda p: runs.append(1) or trace(p))
    for iteration in range(iterations):
        training.trace(iteration)
    return training, runs


def test_a_training_goes_back_and_on_by_at_most_100_steps_and_runs_none_twice_that_it_remembers():
    training, runs = counted(random_problem(0, lr=1e-3), 250)
    assert len(runs) == 250
    losses = training.losses[:]
    for back, again in ((99, 100), (101, 2), (100, 101), (0, 1), (30, 30), (200, 101), (249, 49)):
        runs.clear()
        assert training.trace(back)["L"] == losses[back]
        assert (back, len(runs)) == (back, again)


def test_a_training_goes_on_one_beyond_the_last_iteration_from_wherever_one_looked():
    straight, _ = counted(random_problem(0, lr=1e-3), 201)
    training, _ = counted(random_problem(0, lr=1e-3), 200)
    training.trace(50)
    assert training.trace(200)["L"] == straight.losses[200]


def test_a_new_learning_rate_drops_the_losses_after_it():
    training, _ = counted(random_problem(0, lr=1e-3), 5)
    training.remembered(1, lr=0.1)
    assert [*training.lrs] == [1e-3, 0.1]
    assert len(training.losses) == 2


@pytest.mark.parametrize(("kind", "number"), [(np.int64, 10**30), (np.int64, 1e155), (np.uint8, 300), (np.uint8, -1)])
def test_a_whole_number_that_its_cell_cannot_hold_is_refused(kind, number):
    p = program("L = np.sum(W[i] ** 2)", {"W": np.ones((3, 2))}, {"i": np.array([0, 2], kind)})
    stepper = Stepper(p, cell="i[0]")
    with pytest.raises(ValueError, match=f"i holds {np.dtype(kind)} numbers, and {re.escape(repr(number))} is not one"):
        stepper.edit(number)
