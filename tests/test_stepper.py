"""The stepper: where the learner is, whichever way they got there, and what each move may and may not change."""

import math
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from common import SQUARE, count, same_values, trained, with_numbers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backprop_lab import MISTAKES, random_problem, trace, worked_example
from backprop_lab.layers import ACTIVATIONS
from backprop_lab.number_format import plain
from backprop_lab.ui.steps.setup import SIZES, Setup
from backprop_lab.ui.steps.stepper import Stepper


def plain_training(problem, lrs):
    """The problem and the loss of each iteration, by gradients and updates alone; `lrs` has one rate an iteration."""
    network, problems, losses = problem.network, [], []
    with np.errstate(all="ignore"):
        for lr in lrs:
            problems.append(replace(problem, network=network, lr=lr))
            losses.append(problem.loss.value(network.forward(problem.X), problem.y))
            network = network.update(network.gradients(problem.loss, problem.X, problem.y), lr)
    return problems, losses


def assert_shows(stepper, problem):
    """The stepper shows the training step of this problem, to the last bit."""
    assert same_values(stepper.place.trace, trace(problem))


def where(stepper):
    return stepper.place.iteration, stepper.place.step.name if stepper.place.step else None


def cell_of(stepper):
    return stepper.place.cell, stepper.place.pinned


def back_iteration(stepper):
    """The same step, one iteration back, if there is one."""
    index = stepper.place.index
    stepper.go_to(0)
    stepper.back()
    stepper.go_to(index)


# Where it opens


def test_it_opens_on_the_worked_example_with_nothing_computed():
    stepper = Stepper()
    assert_shows(stepper, worked_example())
    assert (where(stepper), stepper.place.start, stepper.place.lr) == ((0, None), "worked example", 1e-6)


@pytest.mark.parametrize(("layers", "activation"), [(1, "ReLU"), (2, "Tanh"), (3, "Sigmoid")])
def test_it_opens_at_an_iteration_where_plain_training_arrives(layers, activation):
    stepper = Stepper(seed=4, lr=0.003, iteration=137, step="L", layers=layers, activation=activation)
    problem = random_problem(4, hidden=[4] * layers, activation=ACTIVATIONS[activation])
    assert_shows(stepper, plain_training(problem, [0.003] * 138)[0][-1])
    assert where(stepper) == (137, "L")


def test_it_opens_with_a_mistake_and_computes_no_further_than_it_is_asked():
    stepper = Stepper(iteration=3, mistake="mask-forgotten", seed=2, **SQUARE)
    assert (stepper.place.mistake, where(stepper)) == ("mask-forgotten", (3, None))
    assert not same_values(Stepper(iteration=3, seed=2, **SQUARE).place.trace, stepper.place.trace)
    assert len(stepper._training.losses) == 4


# Moves

LEADS = {
    ("next",): {(0, None): (0, "Y1"), (0, "b2_new"): (1, None)},
    ("back",): {(1, "Y1"): (1, None), (3, None): (2, "b2_new"), (0, None): (0, None)},
    ("next_phase",): {(0, None): (0, "y_pred"), (0, "y_pred"): (0, "L"), (0, "L"): (0, "db1"), (0, "dW2"): (0, "db1"),
                      (0, "db1"): (0, "b2_new"), (0, "b2_new"): (1, None)},
    ("next_iteration",): {(1, "dY1"): (2, "dY1")},
    ("restart",): {(1, "dY1"): (0, None)},
    ("go_to", 7): {(1, "Y1"): (1, "dW2")},
    ("go_to", 99): {(1, "Y1"): (1, "b2_new")},
    ("go_to", -5): {(1, "Y1"): (1, None)},
}  # fmt: skip


@pytest.mark.parametrize("move", LEADS, ids=str)
def test_each_move_leads_where_its_name_says_and_a_jump_too_far_to_the_end(move):
    for (iteration, step), after in LEADS[move].items():
        stepper = Stepper(iteration=iteration, step=step)
        getattr(stepper, move[0])(*move[1:])
        assert where(stepper) == after


def test_next_goes_through_every_step_in_order_and_back_through_the_same_ones():
    stepper = Stepper(start="random", seed=1, lr=0.1)
    ways = [(k, step) for k in (0, 1) for step in [None, *(step.name for step in stepper.place.trace.steps)]]
    seen = {(0, None): stepper.place.trace}
    for way in ways[1:]:
        stepper.next()
        assert where(stepper) == way
        seen[way] = stepper.place.trace
    for way in ways[-2::-1]:
        stepper.back()
        assert where(stepper) == way
        assert same_values(stepper.place.trace, seen[way])


@settings(max_examples=count(100))
@given(st.lists(
    st.tuples(st.sampled_from(["next_iteration", "next_iteration", "back_iteration"]), st.sampled_from([1, 2, 99, 101]))
    | st.tuples(st.sampled_from(["next", "back", "next_phase", "go_to"]), st.integers(1, 15))
    | st.tuples(st.just("set_lr"), st.sampled_from([0.0002, 0.01, 0.02])),
    max_size=12,
))  # fmt: skip
@example([("next_iteration", 99), ("set_lr", 0.02), ("next_iteration", 2), ("set_lr", 0.0002), ("next_iteration", 101),
          ("back_iteration", 99), ("back_iteration", 2), ("back_iteration", 2), ("next_iteration", 101)])  # fmt: skip
def test_however_one_walks_each_iteration_is_that_of_plain_training(walk):
    """Forth, back and by jumps, past the networks kept at each hundredth, with learning rates changed on the way."""
    stepper = Stepper(seed=7, lr=0.01, samples=1, inputs=1, hidden=2, outputs=1)
    problem, lrs = stepper.first_problem, [0.01]
    for move, number in walk:
        at = stepper.place.iteration
        if move == "set_lr" and number != lrs[at]:
            lrs[at:] = [number]  # what came after is dropped, what came before stays
        if move in ("set_lr", "go_to"):
            getattr(stepper, move)(number)
        else:
            for _ in range(number):
                back_iteration(stepper) if move == "back_iteration" else getattr(stepper, move)()
        at = stepper.place.iteration
        lrs += [lrs[-1]] * (at + 1 - len(lrs))
        problems, losses = plain_training(problem, lrs[: at + 1])
        assert_shows(stepper, problems[-1])
        assert list(stepper.losses) == losses
        assert stepper.lr_changed == (len({*lrs[: at + 1]}) > 1)


def test_a_move_replaces_the_place_once():
    stepper, heard = Stepper(start="random", lr=0.1), []
    stepper.observe(lambda change: heard.append((change.old, change.new)), "place")
    for move, *arguments in [("next",), ("next_phase",), ("next_iteration",), ("back",), ("set_lr", 1.0)]:
        before = stepper.place
        getattr(stepper, move)(*arguments)
        assert heard == [(before, stepper.place)]
        heard.clear()


def test_divergence_is_named_with_its_iteration_and_one_can_go_back_to_see_how_it_began():
    stepper = Stepper(start="diverging", seed=3)
    first = int(np.argmin(np.isfinite(plain_training(stepper.first_problem, [2.0] * 400)[1])))
    for k in range(first + 20):
        said = stepper.place.note.partition(":")[0]
        assert said == (f"The loss overflowed at iteration {first}" if k >= first else "")
        stepper.next_iteration()
    while stepper.place.note:
        back_iteration(stepper)
    assert stepper.place.iteration == first - 1
    stepper.set_lr(0.001)
    stepper.next_iteration()
    assert "overflowed" not in stepper.place.note


# Starting points, seeds and sizes


OVER = {  # how it opened, what was changed (or else it is restarted), the problem that makes, and the step it is at
    "another seed keeps step and learning rate": (
        {"seed": 1, "lr": 0.02, "step": "dW1"}, {"seed": 9}, lambda: random_problem(9, lr=0.02), "dW1"),
    "another seed makes the worked example random": (
        {"step": "L"}, {"seed": 3}, lambda: random_problem(3, lr=1e-6), "L"),
    "another size makes it random too, and nothing is computed": (
        {"step": "L"}, {"hidden": 2}, lambda: random_problem(0, hidden=2, lr=1e-6), None),
    "another activation": (
        {"seed": 1}, {"activation": "Tanh"}, lambda: random_problem(1, activation=ACTIVATIONS["Tanh"]), None),
    "another start keeps the step and brings its own learning rate": (
        {"step": "L", "lr": 0.3}, {"start": "diverging"}, lambda: random_problem(0, lr=2.0), "L"),
    "the worked example has sizes of its own, and where its steps are others, nothing is computed": (
        {"samples": 5, "inputs": 2, "hidden": 6, "layers": 3, "outputs": 1, "activation": "Tanh", "step": "b4_new"},
        {"start": "worked example"}, worked_example, None),
    "restart keeps the learning rate": (
        {"seed": 6, "layers": 2, "lr": 0.07, "step": "L"}, {}, lambda: random_problem(6, hidden=[4, 4], lr=0.07), None),
    "a size given at the start is not ignored": ({"hidden": 7}, {}, lambda: random_problem(0, hidden=7), None),
}  # fmt: skip


@pytest.mark.parametrize("how", OVER)
def test_another_setup_starts_over_and_tells_the_sizes_that_are_on_the_board(how):
    options, changes, problem, step = OVER[how]
    stepper = Stepper(**options)
    stepper.next_iteration()
    stepper.set_up(**changes) if changes else stepper.restart()
    assert (where(stepper), len(stepper.losses)) == ((0, step), 1)
    assert_shows(stepper, problem())
    setup, shown = stepper.place.setup, stepper.place.trace
    sizes = (*shown["X"].shape, shown["W1"].shape[1], shown["y"].shape[1])
    assert (setup.samples, setup.inputs, setup.hidden, setup.outputs) == sizes
    assert len(shown.problem.network.parameters) == 2 * (setup.layers + 1)
    assert ACTIVATIONS[setup.activation] in shown.problem.network.layers


@pytest.mark.parametrize("name", SIZES)
def test_a_size_can_be_anything_from_one_to_its_most_and_lays_the_board_out_anew(name):
    stepper = Stepper(start="random", seed=2)
    for size in [*range(1, SIZES[name] + 1), 1]:
        stepper.go_to(6)
        stepper.set_up(**{name: size})
        assert_shows(stepper, Setup("random", seed=2, **{name: size}).problem())
        assert where(stepper) == (0, None)


# Refusals

NO_RATES = (0, -0.1, math.nan, math.inf, -math.inf, "0.1", "", True, 10**400)
REFUSED = [
    *[(name, "set_up", (0, 9, 2.0, "2", True), f"{name} must be a whole number from 1 to") for name in SIZES],
    ("seed", "set_up", (-1, 1.5, 3.0, "3", "", None, True), "seed must be a whole number"),
    ("start", "set_up", ("x", "", 3, None), "start must be one of worked example, random, dead ReLU, diverging, all"),
    ("activation", "set_up", ("relu", "", None, 1), "activation must be one of ReLU, Tanh, Sigmoid"),
    ("lr", "set_lr", NO_RATES, "learning rate must be a positive, finite number such as"),
    (
        "mistake",
        "plant",
        ("typo", ["typo"], {"typo"}, 3),
        "there is no mistake .*typo|3.*; choose one of mask-forgotten, ",
    ),
    ("mistake", "plant", ("sum-forgotten",), "this mistake cannot be planted here, because the shapes would not fit"),
    ("index", "go_to", (1.5, 2.0, "3", None, [1]), "the steps to show are a whole number, such as 3; got "),
    ("number", "edit", (math.nan, -math.inf, "1,5", "", None, 1j, 10**400), "a cell needs a finite number, such as"),
    ("text", "answer", ("", "maybe", "nan", "1,5", "++"), "answer with"),
    ("iteration", "", (-1, 100_001, 1.5, 2.0, "3", None, True), "iteration must be a whole number from 0 to 100000"),
    ("step", "", ("", "dW9", "X", "dw1", 3, "dX"), "step must be one of Y1, H1, y_pred, L, dy_pred"),
]


@pytest.mark.parametrize(("option", "move", "bads", "helps"), REFUSED, ids=lambda value: str(value)[:12])
def test_what_makes_no_sense_is_refused_with_what_would_and_nothing_changes(option, move, bads, helps):
    stepper = first_question(lr=0.1, iteration=2)
    stepper.choose(("X", 0, 0), pinned=True)
    place = stepper.place
    for bad in bads:
        if move:
            with pytest.raises(ValueError, match=helps):
                getattr(stepper, move)(**{option: bad})
        if option not in ("index", "number", "text"):
            with pytest.raises(ValueError, match=helps):
                Stepper(**{"start": "random", option: bad})
    assert stepper.place is place
    stepper.next_iteration()
    assert_shows(stepper, plain_training(random_problem(3), [0.1] * 4)[0][-1])


def test_a_mistake_that_has_no_line_here_is_refused_with_the_reason():
    told = (
        "cannot be planted here, because it is one in a line of ReLU, and this network has none that it could replace$"
    )
    for activation in ("Tanh", "Sigmoid"):
        with pytest.raises(ValueError, match=f"^ReLU mask forgotten: this mistake {told}"):
            Stepper(activation=activation, mistake="mask-forgotten")


def test_of_an_overflow_no_more_of_the_cause_is_said_than_is_known():
    right, mistaken, typed = (
        Stepper(start="diverging"),
        Stepper(start="random", lr=0.001),
        Stepper(start="random", lr=0.001),
    )
    mistaken.plant("plus-for-minus")
    mistaken.set_lr(0.1)
    typed.choose(("X", 0, 0), pinned=True)
    typed.edit(1e60)
    for stepper, said in [
        (right, "the learning rate is too large, and every step overshoots"),
        (mistaken, "the planted mistake may be the cause, or the learning rate"),
        (typed, "the learning rate is too large for these numbers, or they are too large themselves"),
    ]:
        assert not stepper.has_diverged
        while not stepper.has_diverged:
            stepper.next_iteration()
        assert re.fullmatch(
            rf"The loss overflowed at iteration {stepper.place.iteration}: {said}.*", stepper.place.note
        )
    typed.edit(1e200)
    assert typed.has_diverged
    assert typed.place.note == "The loss overflows at the very start: some of these numbers are too large to square."
    typed.restart()
    assert (typed.has_diverged, typed.place.note) == (False, "")


@pytest.mark.parametrize("cell", [("X", 0.5, 0), ("X", 0, 1.0), ("X", "0", 0), ("X", None, None)])
def test_a_cell_between_two_cells_is_none(cell):
    stepper = Stepper()
    stepper.choose(cell, pinned=True)
    assert (stepper.place.cell, stepper.place.pinned) == (None, False)


@pytest.mark.parametrize(("cell", "helps"), [
    (None, "choose a cell first"),
    (("Y1", 0, 0), "^Y1 is computed; only X, y, W1, b1, W2, b2 can be changed here"),
    (("lr", 0, 0), "^lr has its own control; only X, y"),
])  # fmt: skip
def test_only_what_is_given_can_be_typed_over_and_only_a_question_be_answered(cell, helps):
    stepper = Stepper(step="db1")
    stepper.choose(cell, pinned=True)
    place = stepper.place
    with pytest.raises(ValueError, match=helps):
        stepper.edit(1.0)
    with pytest.raises(ValueError, match="there is no question to answer: switch on 'Predict first'"):
        stepper.answer("+")
    assert stepper.place is place


# Typing over a number


@pytest.mark.parametrize("name", ["X", "y", "W1", "b1", "W2", "b2"])
def test_any_entry_of_what_is_given_can_be_typed_over_and_restart_brings_it_back(name):
    stepper = Stepper(step="dW1")
    before = stepper.place.trace
    cell = (name, before[name].shape[0] - 1, 1)
    stepper.choose(cell, pinned=True)
    stepper.edit(-0.5)
    array = before[name].copy()
    array[cell[1:]] = -0.5
    assert_shows(stepper, with_numbers(worked_example(), **{name: array}))
    assert (stepper.place.start, where(stepper), cell_of(stepper)) == ("custom", (0, "dW1"), (cell, True))
    stepper.restart()
    assert stepper.place.start == "worked example"
    assert same_values(stepper.place.trace, before)


def test_a_number_typed_over_in_a_later_iteration_trains_on_from_the_weights_it_has_then():
    stepper = Stepper(seed=1, lr=0.01, iteration=120)
    stepper.choose(("b2", 0, 1), pinned=True)
    stepper.edit(2)
    problem = plain_training(random_problem(1), [0.01] * 121)[0][-1]
    b2 = [[problem.network.parameters["b2"][0, 0], 2]]
    assert where(stepper) == (0, None)
    for expected in plain_training(with_numbers(problem, b2=b2), [0.01] * 5)[0]:
        assert_shows(stepper, expected)
        stepper.next_iteration()


def test_numbers_typed_over_one_after_the_other_all_stay_with_a_mistake_and_the_learning_rate():
    stepper = Stepper()
    stepper.plant("mask-forgotten")
    for j, number in enumerate([1, 2.5, -sys.float_info.max]):
        stepper.choose(("X", 0, j), pinned=True)
        stepper.edit(number)
        stepper.set_lr(0.1 + j)
    assert (stepper.place.mistake, stepper.place.lr) == ("mask-forgotten", 2.1)
    for mistake in ("sign-flipped", ""):
        stepper.plant(mistake)
        assert stepper.place.trace["X"][0].tolist() == [1, 2.5, -sys.float_info.max]
        assert (stepper.place.mistake, stepper.place.lr, stepper.place.start) == (mistake, 2.1, "custom")


def test_a_typed_number_so_large_that_everything_overflows_is_told_before_all_else_and_leaves_the_lab_usable():
    stepper = Stepper(start="all active", step="L")
    stepper.plant("mask-forgotten")
    assert stepper.place.note == "ReLU mask forgotten: with these numbers, it changes nothing."
    stepper.choose(("y", 0, 0), pinned=True)
    stepper.edit(1e200)
    assert stepper.place.note.startswith("The loss overflows at the very start")
    stepper.next_iteration()
    assert stepper.place.note.startswith("The loss overflows at the very start")
    stepper.set_up(seed=1, start="random")
    assert math.isfinite(stepper.place.trace["L"])
    assert stepper.place.note == ""


# Planted mistakes


CANNOT_SHOW = {
    "sum-for-mean": "the lab's loss is the sum",
    "dimension-dropped": "the shape is never that of the bias",
    "axis-forgotten": "the shape is never that of the bias",
    "sum-forgotten": "with one sample, where the shape fits, there is nothing to sum",
    "sum-over-units": "with one sample and one unit, where the shape fits, it is the right sum",
}


@pytest.mark.parametrize("name", [name for name in MISTAKES if name not in CANNOT_SHOW])
def test_every_mistake_can_be_planted_somewhere_and_is_then_made_in_every_iteration(name):
    squares = [SQUARE | {"activation": activation} for activation in ACTIVATIONS]
    for sizes in (*squares, {"samples": 3, "outputs": 1}, {"samples": 1, "hidden": 1}):
        stepper = Stepper(seed=1, lr=0.01, step="db1", **sizes)
        try:
            stepper.plant(name)
        except ValueError:
            continue
        assert (stepper.place.mistake, where(stepper)) == (name, (0, "db1"))
        expected = [trained(stepper.first_problem, k, MISTAKES[name]) for k in range(4)]
        assert any(MISTAKES[name].possible_at(trace(made.problem)) for made in expected)
        for made in expected:
            assert same_values(stepper.place.trace, made)
            assert [step.code for step in stepper.place.trace.steps] == [step.code for step in made.steps]
            stepper.next_iteration()
        stepper.plant("")
        assert_shows(stepper, stepper.first_problem)
        return
    pytest.fail(f"{name} was refused everywhere; if it must be, say why in CANNOT_SHOW")


def test_a_planted_mistake_stays_with_another_seed_and_goes_where_it_finds_no_room():
    stepper = Stepper(start="random", **SQUARE)
    stepper.plant("transpose-forgotten")
    stepper.set_up(seed=8)
    stepper.restart()
    assert stepper.place.mistake == "transpose-forgotten"
    stepper.set_up(hidden=4, layers=1, outputs=2, inputs=1)
    assert stepper.place.mistake == ""
    assert_shows(stepper, stepper.place.trace.problem)


# Predict first


def first_question(**options):
    stepper = Stepper(**({"seed": 3, "step": "L"} | options))
    stepper.predict(True)
    stepper.next()
    return stepper


def value_asked(stepper):
    name, i, j = stepper.place.question
    return float(stepper.place.trace[name][i, j])


def test_a_cell_of_every_gradient_is_asked_for_before_it_is_shown_and_of_nothing_else():
    stepper, asked = Stepper(), []
    stepper.predict(True)
    while stepper.place.index < len(stepper.place.trace.steps):
        index = stepper.place.index
        stepper.next()
        if stepper.place.question is not None:
            name, i, j = stepper.place.question
            assert stepper.place.index == index, "nothing is shown yet"
            assert (i, j) in np.ndindex(stepper.place.trace[name].shape)
            asked.append(name)
            stepper.next()
            assert stepper.place.step.name == name
    assert asked == [step.name for step in stepper.place.trace.steps if step.phase == "backward"]
    assert (stepper.place.right, stepper.place.asked) == (0, 0), "going on without an answer does not count"


def test_the_same_cell_is_asked_for_at_the_same_place_and_elsewhere_another():
    stepper = first_question()
    question = stepper.place.question
    stepper.back()
    stepper.next()
    stepper.next()
    assert stepper.place.question == question == first_question().place.question
    assert len({first_question(**at).place.question for at in ({}, {"seed": 4}, {"iteration": 1})}) > 1


def test_an_answer_shows_the_step_and_counts_and_the_score_runs_through_an_iteration():
    stepper = first_question(lr=0.01)
    for k in range(7):
        assert stepper.place.note == "", "what was said before is gone once there is a question"
        name, i, j = stepper.place.question
        typed = value_asked(stepper) + 100 * (k % 2 == 0)
        verdict = "Right: " if k % 2 else f"{plain(typed)} is not right: {name}[{i},{j}] = "
        stepper.answer(repr(typed))
        assert (where(stepper), stepper.place.question) == ((0, name), None)
        assert (stepper.place.right, stepper.place.asked) == ((k + 1) // 2, k + 1)
        assert stepper.place.note.startswith(verdict)
        assert stepper.place.note.endswith(f"{(k + 1) // 2} of {k + 1} right so far.")
        stepper.choose(("X", 0, 0), pinned=True)
        stepper.next()
        assert cell_of(stepper) == (None, False)
    assert stepper.place.step.phase == "update"


@pytest.mark.parametrize("on", [True, False])
def test_predicting_begins_and_ends_with_a_clean_score(on):
    stepper = first_question()
    stepper.answer(repr(value_asked(stepper)))
    stepper.next()
    stepper.predict(on)
    place = stepper.place
    assert (place.predicting, place.question, place.right, place.asked, place.note) == (on, None, 0, 0, "")
    stepper.next()
    assert (stepper.place.question is not None, stepper.place.index) == (on, place.index + (not on))


def test_going_elsewhere_drops_the_question_and_keeps_the_score():
    moves = ("back",), ("next_phase",), ("next_iteration",), ("restart",), ("go_to", 3), ("set_lr", 0.5)
    for move, *arguments in moves:
        stepper = first_question()
        stepper.answer(repr(value_asked(stepper)))
        stepper.next()
        getattr(stepper, move)(*arguments)
        assert (stepper.place.question, stepper.place.right, stepper.place.asked) == (None, 1, 1)


# Choosing a cell


@pytest.mark.parametrize(("step", "cell", "there"), [
    ("L", ("Y1", 0, 1), True),
    ("L", ("dW1", 0, 0), False),
    ("db2", ("slope of H1", 1, 3), False),
    ("dY1", ("slope of H1", 1, 3), True),
    *[("db1", cell, False) for cell in (("X", 9, 0), ("X", 0, 3), ("X", -1, 0), ("L", 0, 1), ("slope of H1", 2, 0))],
])  # fmt: skip
def test_a_cell_that_is_not_on_the_board_counts_as_none(step, cell, there):
    """As when the pointer rests where, before the sizes changed, there was a larger matrix."""
    stepper = Stepper(step=step)
    stepper.choose(("X", 0, 0), pinned=True)
    stepper.choose(cell, pinned=True)
    place = stepper.place
    assert cell_of(stepper) == ((cell, True) if there else (None, False))
    stepper.choose(cell, pinned=True)
    assert stepper.place is place, "the same cell again changes nothing"


@pytest.mark.parametrize(("step", "move", "argument", "stays"), [
    ("dW1", "next_iteration", {}, True), ("dW1", "set_lr", {"lr": 0.1}, True),
    ("dW1", "next", {}, False), ("H1", "back", {}, False), ("dW1", "go_to", {"index": 14}, False),
    ("H1", "restart", {}, False), ("H1", "set_up", {"seed": 4}, False), ("H1", "set_up", {"hidden": 2}, False),
])  # fmt: skip
def test_a_pinned_cell_stays_from_iteration_to_iteration_and_is_let_go_at_another_step(step, move, argument, stays):
    stepper = Stepper(step=step)
    stepper.choose((step, 1, 1), pinned=True)
    getattr(stepper, move)(**argument)
    assert cell_of(stepper) == (((step, 1, 1), True) if stays else (None, False))


def test_walking_goes_cell_by_cell_and_stops_at_the_edges():
    stepper = Stepper(step="b2_new")
    stepper.walk(1, 1)
    assert stepper.place.cell is None, "there is nowhere to walk from"
    stepper.choose(("X", 0, 0), pinned=True)
    ends = [(1, 0, 1, 0), (1, 0, 1, 0), (0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 1, 2), (-1, 0, 0, 2), (-1, 0, 0, 2),
            (0, -1, 0, 1)]  # fmt: skip
    for down, right, i, j in ends:
        stepper.walk(down, right)
        assert cell_of(stepper) == (("X", i, j), True)
    for single in ("L", "lr"):
        stepper.choose((single, 0, 0))
        stepper.walk(1, 1)
        assert cell_of(stepper) == ((single, 0, 0), False)


def test_matrices_are_chosen_in_the_order_of_the_computation_both_ways_round_beginning_with_the_one_just_computed():
    shown = ["X", "y", "W1", "b1", "W2", "b2", "Y1", "H1"]
    for way, names in [(1, [*shown, *shown]), (-1, [*shown[-2::-1], "H1"])]:
        stepper = Stepper(step="H1")
        for name in names:
            stepper.choose_matrix(way)
            assert cell_of(stepper) == ((name, 0, 0), False)
        stepper = Stepper()
        stepper.choose_matrix(way)
        assert stepper.place.cell == ("X", 0, 0), "where nothing is computed, it is the first"
