"""The stepper: where the learner is, whichever way they got there, and what each move may and may not change."""

import contextlib
import gc
import math
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import identical

from backprop_lab import MISTAKES, Problem, plant, random_problem, trace, worked_example
from backprop_lab.layers import ACTIVATIONS
from backprop_lab.number_format import plain
from backprop_lab.ui.steps.setup import SIZES, STARTS
from backprop_lab.ui.steps.stepper import Stepper

SQUARE = {"samples": 3, "inputs": 3, "hidden": 3, "outputs": 3, "layers": 2}  # most mistakes fit here


def plain_loop(problem, lrs):
    """The problem of each iteration, by nothing but gradients and updates; `lrs` has one rate an iteration."""
    network, found = problem.network, []
    with np.errstate(all="ignore"):
        for lr in lrs:
            found.append(Problem(network, problem.loss, problem.X, problem.y, lr))
            network = network.update(network.gradients(problem.loss, problem.X, problem.y), lr)
    return found


def plainly_planted(mistake, problem):
    """One step of someone who makes the mistake wherever it can be made, or at the first gradient alone."""
    right = planted = trace(problem)
    places = mistake.possible_at(right)
    if mistake.once:
        places = [next((name for name in places if name.startswith("d")), places[0])] if places else []
    for name in places:
        planted = plant(planted, mistake, name)
    return planted


def same_values(a, b):
    return a.names == b.names and all(identical(a[name], b[name]) for name in a.names)


def assert_at(stepper, problem):
    """The stepper shows the training step of this problem, to the last bit."""
    shown = stepper.place.trace.problem
    assert shown.lr == problem.lr
    for name, parameter in problem.network.parameters.items():
        assert identical(shown.network.parameters[name], parameter)
    assert identical(shown.X, problem.X)
    assert identical(shown.y, problem.y)


def number_of_steps(stepper):
    return len(stepper.place.trace.steps)


def back_iteration(stepper):
    """The same step, one iteration back, if there is one."""
    if stepper.place.iteration:
        stepper._go(stepper.place.iteration - 1, stepper.place.index)


def where(stepper):
    return stepper.place.iteration, stepper.place.index


# Steps


def test_it_opens_on_the_worked_example_with_nothing_computed():
    stepper = Stepper()
    assert_at(stepper, worked_example())
    assert where(stepper) == (0, 0)
    assert stepper.place.step is None
    assert (stepper.place.start, stepper.place.lr) == ("worked example", 1e-6)


def test_next_goes_through_every_step_in_order_and_then_begins_the_next_iteration():
    stepper = Stepper(lr=0.01)
    for step in trace(worked_example()).steps:
        stepper.next()
        assert stepper.place.step.name == step.name
    stepper.next()
    assert where(stepper) == (1, 0)


def test_next_then_back_returns_to_the_same_step():
    stepper = Stepper(start="random", seed=1, lr=0.1, iteration=1)
    for _ in range(2 * number_of_steps(stepper) + 2):
        before = stepper.place
        stepper.next()
        stepper.back()
        assert (stepper.place.iteration, stepper.place.index) == (before.iteration, before.index)
        assert same_values(stepper.place.trace, before.trace)
        stepper.next()


def test_back_then_next_returns_to_the_same_step_across_iterations():
    stepper = Stepper(start="random", lr=0.1, iteration=2)
    for _ in range(2 * number_of_steps(stepper)):
        before = stepper.place
        stepper.back()
        stepper.next()
        assert (stepper.place.iteration, stepper.place.index) == (before.iteration, before.index)
        assert same_values(stepper.place.trace, before.trace)
        stepper.back()


def test_back_from_the_start_of_an_iteration_walks_into_the_end_of_the_one_before():
    stepper = Stepper(iteration=3)
    stepper.back()
    assert where(stepper) == (2, number_of_steps(stepper))


def test_back_at_the_very_start_changes_nothing():
    stepper = Stepper()
    place = stepper.place
    stepper.back()
    back_iteration(stepper)
    assert stepper.place is place


def test_next_phase_stops_at_the_end_of_each_phase():
    stepper = Stepper()
    seen = []
    for _ in range(5):
        stepper.next_phase()
        seen.append(stepper.place.step.name if stepper.place.step else None)
    assert seen == ["y_pred", "L", "db1", "b2_new", None]
    assert where(stepper) == (1, 0)


def test_next_phase_from_the_middle_of_a_phase_goes_to_its_end():
    stepper = Stepper(step="dW2")
    stepper.next_phase()
    assert stepper.place.step.name == "db1"


def test_next_iteration_and_back_iteration_keep_the_step():
    stepper = Stepper(step="dY1")
    stepper.next_iteration()
    stepper.next_iteration()
    assert (stepper.place.iteration, stepper.place.step.name) == (2, "dY1")
    back_iteration(stepper)
    assert (stepper.place.iteration, stepper.place.step.name) == (1, "dY1")


@pytest.mark.parametrize(("asked", "index"), [(-5, 0), (0, 0), (7, 7), (15, 15), (99, 15)])
def test_a_jump_beyond_the_steps_ends_at_the_last(asked, index):
    stepper = Stepper(iteration=1)
    stepper.go_to(asked)
    assert where(stepper) == (1, index)


def test_the_new_weights_of_an_iteration_are_the_weights_of_the_next():
    stepper = Stepper(start="random", seed=5, lr=0.05)
    before = stepper.place.trace
    stepper.next_iteration()
    for name in before.problem.network.parameters:
        assert identical(stepper.place.trace[name], before[f"{name}_new"])


def test_a_move_replaces_the_place_and_leaves_the_old_one_as_it_was():
    stepper = Stepper(start="random", lr=0.1)
    heard = []
    stepper.observe(lambda change: heard.append((change.old, change.new)), "place")
    first = stepper.place
    copy = replace(first)
    for move in (stepper.next, stepper.next_phase, stepper.next_iteration, stepper.back, lambda: stepper.set_lr(1.0)):
        move()
    assert len(heard) == 5
    assert all(old is not new for old, new in heard)
    assert all(heard[k][1] is heard[k + 1][0] for k in range(4))
    assert vars(first) == vars(copy)


# Iterations


def test_iterations_are_those_of_a_plain_loop_bit_for_bit_forth_and_back_with_learning_rates_changed_on_the_way():
    """260 iterations cross the checkpoints at 100 and 200, with another rate at every third."""
    rng = np.random.default_rng(0)
    stepper = Stepper(start="random", seed=2, lr=0.01)
    lrs = []
    for k in range(260):
        if k:
            stepper.next_iteration()
        if k % 3 == 0:
            stepper.set_lr(float(10 ** rng.uniform(-4, -1.5)))
        lrs.append(stepper.place.lr)
    expected = plain_loop(random_problem(2), lrs)
    losses = [trace(problem)["L"] for problem in expected]
    assert list(stepper.losses) == losses
    for k in range(259, -1, -1):
        assert_at(stepper, expected[k])
        assert list(stepper.losses) == losses[: k + 1]
        back_iteration(stepper)
    for k in range(1, 230):
        stepper.next_iteration()
        assert_at(stepper, expected[k])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_it_opens_at_an_iteration_where_a_plain_loop_arrives(activation, layers):
    stepper = Stepper(start="random", seed=4, lr=0.003, iteration=137, layers=layers, activation=activation)
    problem = random_problem(4, hidden=[4] * layers, activation=ACTIVATIONS[activation])
    assert_at(stepper, plain_loop(problem, [0.003] * 138)[-1])


@settings(max_examples=8)
@given(
    st.lists(st.tuples(st.sampled_from(["forth", "forth", "back", "lr"]), st.sampled_from([1, 2, 99, 101])), max_size=8)
)
def test_however_one_walks_each_iteration_is_that_of_a_plain_loop(walk):
    stepper = Stepper(start="random", seed=7, lr=0.01, samples=1, inputs=1, hidden=2, outputs=1)
    problem, lrs, at = stepper.place.trace.problem, [0.01], 0
    for what, number in walk:
        if what == "lr":
            lr = 0.0002 * number
            stepper.set_lr(lr)
            if lr != lrs[at]:
                lrs[at:] = [lr]
        for _ in range(number if what != "lr" else 0):
            if what == "forth":
                at += 1
                stepper.next_iteration()
                lrs += [lrs[-1]] * (at == len(lrs))
            elif at:
                at -= 1
                back_iteration(stepper)
        assert stepper.place.iteration == at
        expected = plain_loop(problem, lrs[: at + 1])
        assert_at(stepper, expected[-1])
        assert list(stepper.losses) == [trace(each)["L"] for each in expected]


def test_another_learning_rate_keeps_place_and_past_and_drops_what_came_after():
    stepper = Stepper(start="random", seed=1, lr=0.01, iteration=150, step="dH1")
    for _ in range(30):
        back_iteration(stepper)
    stepper.set_lr(0.002)
    assert (stepper.place.iteration, stepper.place.step.name, stepper.place.lr) == (120, "dH1", 0.002)
    expected = plain_loop(random_problem(1), [0.01] * 120 + [0.002] * 40)
    assert_at(stepper, expected[120])
    for k in range(121, 160):
        stepper.next_iteration()
        assert_at(stepper, expected[k])
    for k in range(158, 90, -1):
        back_iteration(stepper)
        assert_at(stepper, expected[k])


def test_the_learning_rate_it_has_already_keeps_what_came_after():
    stepper = Stepper(start="random", lr=0.01)
    stepper.next_iteration()
    stepper.set_lr(0.5)
    back_iteration(stepper)
    stepper.set_lr(0.01)
    stepper.next_iteration()
    assert stepper.place.lr == 0.5


def test_another_learning_rate_changes_the_update_and_nothing_before_it():
    stepper = Stepper(step="W1_new")
    before = stepper.place.trace
    stepper.set_lr(0.1)
    after = stepper.place.trace
    for step in before.steps:
        assert identical(after[step.name], step.value) == (step.phase != "update")


def test_ten_thousand_iterations_leave_memory_flat():
    """Python's own count of allocated blocks is watched all the way, and bytes over the last thousand."""
    stepper = Stepper(start="random", lr=1e-5, iteration=200)  # caches are filled before anything is counted

    def train(iterations):
        for _ in range(iterations):
            stepper.next_iteration()

    gc.collect()
    before = sys.getallocatedblocks()
    train(8_800)
    gc.collect()
    assert sys.getallocatedblocks() - before < 8_800, "not one object an iteration"
    tracemalloc.start()
    try:
        train(1_000)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stepper.place.iteration == 10_000
    assert len(stepper.losses) == 10_001
    assert grown < 300_000, (
        "most of it the two lists of numbers, moved; to keep every trace would take 20 times as much"
    )


def test_divergence_is_named_with_the_iteration_at_which_the_loss_overflowed():
    stepper = Stepper(start="diverging", seed=3)
    first = None
    for k in range(400):
        if first is None and not math.isfinite(stepper.place.trace["L"]):
            first = k
        if first is None:
            assert stepper.place.note == ""
        else:
            assert f"The loss overflowed at iteration {first}:" in stepper.place.note
            assert "learning rate is too large" in stepper.place.note
        stepper.next_iteration()
    with np.errstate(all="ignore"):
        losses = [trace(problem)["L"] for problem in plain_loop(STARTS["diverging"](random_problem(3)), [2.0] * 400)]
    assert first == int(np.argmin(np.isfinite(losses)))
    assert first > 0


def test_after_divergence_one_can_go_back_to_see_how_it_began_and_take_a_smaller_rate():
    stepper = Stepper(start="random", seed=3, lr=2.0, iteration=300, step="L")
    assert stepper.place.note
    while stepper.place.note:
        back_iteration(stepper)
    assert math.isfinite(stepper.place.trace["L"])
    stepper.next_iteration()
    assert f"at iteration {stepper.place.iteration}:" in stepper.place.note
    stepper.restart()
    stepper.set_lr(0.001)
    for _ in range(100):
        stepper.next_iteration()
    assert stepper.place.note == ""
    assert stepper.losses[-1] < stepper.losses[0]


# Starting points, seeds and sizes


@settings(max_examples=20)
@given(
    st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.integers(1, 3), st.integers(1, 8)
)
def test_the_random_start_is_the_random_problem_of_its_seed_and_sizes(seed, samples, inputs, hidden, layers, outputs):
    stepper = Stepper(
        start="random", seed=seed, samples=samples, inputs=inputs, hidden=hidden, layers=layers, outputs=outputs
    )
    assert_at(stepper, random_problem(seed, samples, inputs, [hidden] * layers, outputs))


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.integers(1, 3))
def test_the_dead_relu_start_has_a_unit_that_is_off_for_every_sample_and_stays_so(
    seed, samples, inputs, hidden, layers
):
    stepper = Stepper(start="dead ReLU", seed=seed, samples=samples, inputs=inputs, hidden=hidden, layers=layers)
    first = stepper.place.trace["W1"][:, 0]
    for _ in range(20):
        assert not stepper.place.trace["H1"][:, 0].any()
        assert not stepper.place.trace["dW1"][:, 0].any()
        stepper.next_iteration()
    assert identical(stepper.place.trace["W1"][:, 0].copy(), first.copy())


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.integers(1, 3))
def test_the_all_active_start_has_every_unit_on_for_every_sample(seed, samples, inputs, hidden, layers):
    stepper = Stepper(start="all active", seed=seed, samples=samples, inputs=inputs, hidden=hidden, layers=layers)
    for number in range(1, layers + 1):
        assert np.all(stepper.place.trace[f"H{number}"] > 0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [{}, {"samples": 1, "hidden": 1}, {"layers": 3, "hidden": 8, "outputs": 8}])
def test_the_diverging_start_overflows_within_some_hundred_iterations(activation, sizes):
    stepper = Stepper(start="diverging", seed=1, activation=activation, iteration=400, **sizes)
    assert "overflowed" in stepper.place.note


def test_a_start_brings_its_own_learning_rate():
    stepper = Stepper(lr=0.3)
    for start, lr in [("diverging", 2.0), ("random", 1e-3), ("dead ReLU", 1e-3), ("worked example", 1e-6)]:
        stepper.set_up(start=start)
        assert (stepper.place.start, stepper.place.lr) == (start, lr)


def test_another_seed_starts_over_at_the_same_step_and_learning_rate():
    stepper = Stepper(start="random", seed=1, lr=0.02, iteration=5, step="dW1")
    stepper.set_up(seed=9)
    assert (stepper.place.iteration, stepper.place.step.name, stepper.place.lr) == (0, "dW1", 0.02)
    assert len(stepper.losses) == 1
    assert_at(stepper, replace(random_problem(9), lr=0.02))


def test_another_seed_on_the_worked_example_draws_random_numbers():
    stepper = Stepper(step="L")
    stepper.set_up(seed=3)
    assert (stepper.place.start, stepper.place.step.name) == ("random", "L")
    assert_at(stepper, replace(random_problem(3), lr=1e-6))


def test_a_seed_or_a_size_given_at_the_start_is_not_ignored():
    """`StepThrough(seed=3, lr=0.1, iteration=2)` opens on seed 3, not on the worked example."""
    assert_at(Stepper(seed=3), random_problem(3))
    assert Stepper(hidden=7).place.trace["W1"].shape == (3, 7)
    assert Stepper(activation="Tanh").place.trace.step("H1").code == "np.tanh(Y1)"


@pytest.mark.parametrize("start", STARTS)
def test_the_setup_tells_the_sizes_that_are_on_the_board(start):
    """Whatever was set before: the worked example has sizes of its own."""
    stepper = Stepper(start="random", samples=5, inputs=2, hidden=6, layers=2, outputs=1, activation="Tanh")
    stepper.set_up(start=start)
    setup, shown = stepper.place.setup, stepper.place.trace
    weights = [name for name in shown.problem.network.parameters if name.startswith("W")]
    assert (setup.samples, setup.inputs) == shown["X"].shape
    assert setup.hidden == shown["W1"].shape[1]
    assert setup.outputs == shown["y"].shape[1]
    assert setup.layers == len(weights) - 1
    assert ACTIVATIONS[setup.activation] in shown.problem.network.layers


@pytest.mark.parametrize(("name", "most"), SIZES.items())
def test_a_size_can_be_anything_from_one_to_its_most(name, most):
    stepper = Stepper(start="random", seed=2, step="dW1")
    for size in [*range(1, most + 1), *range(most - 1, 0, -1)]:
        stepper.set_up(**{name: size})
        sizes = {"samples": 2, "inputs": 3, "hidden": 4, "layers": 1, "outputs": 2} | {name: size}
        hidden = [sizes["hidden"]] * sizes["layers"]
        assert_at(stepper, random_problem(2, sizes["samples"], sizes["inputs"], hidden, sizes["outputs"]))
        assert where(stepper) == (0, 0)


def test_other_sizes_than_those_of_the_worked_example_make_it_random_numbers():
    stepper = Stepper()
    stepper.set_up(hidden=2)
    assert stepper.place.start == "random"
    assert_at(stepper, replace(random_problem(0, hidden=2), lr=1e-6))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_activation_can_be_any_of_those_there_are(activation):
    stepper = Stepper(start="random")
    stepper.set_up(layers=2, activation=activation)
    assert_at(stepper, random_problem(0, hidden=[4, 4], activation=ACTIVATIONS[activation]))


def test_restart_goes_back_to_the_start_of_the_same_numbers_with_the_learning_rate_as_it_is():
    stepper = Stepper(start="random", seed=6, layers=2, iteration=4, step="dW2")
    stepper.set_lr(0.07)
    stepper.restart()
    assert where(stepper) == (0, 0)
    assert_at(stepper, replace(random_problem(6, hidden=[4, 4]), lr=0.07))
    assert len(stepper.losses) == 1


# Refusals

NO_SIZE = [0, 9, -1, 2.5, 2.0, "2", None, True, float("nan")]
BAD_SETUPS = [
    *[({name: bad}, "a whole number") for name in SIZES for bad in NO_SIZE],
    *[({"seed": bad}, "seed must be a whole number") for bad in (-1, 1.5, 3.0, "3", "", None, True)],
    *[({"start": bad}, "worked example, random, dead ReLU, diverging, all active") for bad in ("x", "", 3, None)],
    *[({"activation": bad}, "ReLU, Tanh, Sigmoid") for bad in ("relu", "", None, 1)],
]
BAD_RATES = [0, -0.1, math.nan, math.inf, -math.inf, "0.1", "", None, True, 10**400]


def said(refused):
    """The sentence of a refusal."""
    (sentence,) = refused.value.args
    return sentence


@pytest.mark.parametrize(("bad", "helps"), BAD_SETUPS)
def test_a_setup_that_makes_no_sense_is_refused_and_nothing_changes(bad, helps):
    stepper = Stepper(start="random", iteration=2, step="dW1")
    place = stepper.place
    with pytest.raises(ValueError, match=helps):
        stepper.set_up(**bad)
    assert stepper.place is place
    stepper.next_iteration()
    assert stepper.place.iteration == 3, "the training is as it was too"
    with pytest.raises(ValueError, match=helps):
        Stepper(**({"start": "random"} | bad))


@pytest.mark.parametrize("bad", BAD_RATES, ids=lambda bad: repr(bad)[:12])
def test_a_learning_rate_that_is_not_positive_and_finite_is_refused_and_nothing_changes(bad):
    stepper = Stepper(start="random", lr=0.1, iteration=2)
    place = stepper.place
    with pytest.raises(ValueError, match="positive, finite number such as") as refused:
        stepper.set_lr(bad)
    assert "learning rate" in said(refused)
    assert stepper.place is place
    stepper.next_iteration()
    assert_at(stepper, plain_loop(random_problem(0), [0.1] * 4)[-1])
    if bad is not None:
        with pytest.raises(ValueError, match="positive, finite number such as"):
            Stepper(lr=bad)


@pytest.mark.parametrize("bad", [-1, 100_001, 1.5, 2.0, "3", None, True, math.nan])
def test_an_iteration_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match="iteration must be a whole number from 0 to 100000"):
        Stepper(iteration=bad)


@pytest.mark.parametrize("bad", ["", "dW9", "X", "dw1", 3, "dX"])
def test_a_step_that_there_is_none_of_is_refused_with_those_there_are(bad):
    with pytest.raises(ValueError, match="step must be one of Y1, H1, y_pred, L, dy_pred"):
        Stepper(step=bad)


@pytest.mark.parametrize(
    ("cell", "number", "helps"),
    [
        (None, 1.0, "choose a cell first"),
        (("Y1", 0, 0), 1.0, "^Y1 is computed; only X, y, W1, b1, W2, b2 can be changed here"),
        (("dW1", 0, 0), 1.0, "only X, y, W1, b1, W2, b2 can be changed here"),
        (("X", 0, 0), math.nan, "a finite number"),
        (("X", 0, 0), -math.inf, "a finite number"),
        (("X", 0, 0), "1,5", "a finite number"),
        (("X", 0, 0), "", "a finite number"),
        (("X", 0, 0), None, "a finite number"),
        (("X", 0, 0), 1j, "a finite number"),
        (("X", 0, 0), 10**400, "a finite number"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_typed_over_is_refused_and_nothing_changes(cell, number, helps):
    stepper = Stepper(step="db1")
    stepper.choose(cell, pinned=True)
    place = stepper.place
    with pytest.raises(ValueError, match=helps):
        stepper.edit(number)
    assert stepper.place is place


def test_what_is_said_of_the_learning_rate_is_true_when_it_cannot_be_typed_over():
    stepper = Stepper()
    stepper.choose(("lr", 0, 0), pinned=True)
    with pytest.raises(ValueError, match="lr") as refused:
        stepper.edit(0.1)
    assert "lr has its own control; only X" in said(refused)


def test_an_unknown_mistake_is_refused_with_those_there_are_and_nothing_changes():
    stepper = Stepper()
    place = stepper.place
    with pytest.raises(ValueError, match="there is no mistake 'typo'; choose one of mask-forgotten, "):
        stepper.plant("typo")
    assert stepper.place is place


def test_a_mistake_that_finds_no_room_is_refused_and_nothing_changes():
    stepper = Stepper(iteration=2, step="dW1")
    place = stepper.place
    with pytest.raises(ValueError, match="this mistake cannot be planted here, because the shapes would not fit"):
        stepper.plant("sum-forgotten")
    assert stepper.place is place


def test_an_answer_when_nothing_is_asked_is_refused_and_nothing_changes():
    stepper = Stepper(step="L")
    place = stepper.place
    with pytest.raises(ValueError, match="there is no question to answer: switch on 'Predict first'"):
        stepper.answer("+")
    assert stepper.place is place


# Typing over a number


@pytest.mark.parametrize("name", ["X", "y", "W1", "b1", "W2", "b2"])
def test_any_entry_of_what_is_given_can_be_typed_over_and_restart_brings_it_back(name):
    stepper = Stepper(step="dW1")
    before = stepper.place.trace
    i, j = before[name].shape[0] - 1, 1
    stepper.choose((name, i, j), pinned=True)
    stepper.edit(-0.5)
    place = stepper.place
    assert (place.custom, place.start, place.iteration, place.step.name) == (True, "custom", 0, "dW1")
    assert (place.cell, place.pinned) == ((name, i, j), True)
    assert place.trace[name][i, j] == -0.5
    for given_name in before.given:
        changed = np.argwhere(place.trace[given_name] != before[given_name]).tolist()
        assert changed == ([[i, j]] if given_name == name else [])
    assert same_values(place.trace, trace(place.trace.problem))
    stepper.restart()
    assert (stepper.place.custom, stepper.place.start) == (False, "worked example")
    assert same_values(stepper.place.trace, before)


def test_a_number_typed_over_in_a_later_iteration_trains_on_from_the_weights_it_has_then():
    stepper = Stepper(start="random", seed=1, lr=0.01, iteration=120)
    stepper.choose(("W2", 0, 0), pinned=True)
    stepper.edit(2)
    problem = plain_loop(random_problem(1), [0.01] * 121)[-1]
    parameters = problem.network.parameters
    W2 = parameters["W2"].copy()
    W2[0, 0] = 2
    edited = replace(problem, network=problem.network.with_parameters(parameters | {"W2": W2}))
    assert stepper.place.iteration == 0
    for expected in plain_loop(edited, [0.01] * 5):
        assert_at(stepper, expected)
        stepper.next_iteration()


def test_numbers_typed_over_one_after_the_other_all_stay():
    stepper = Stepper()
    for j, number in enumerate([1, 2.5, -3]):
        stepper.choose(("X", 0, j), pinned=True)
        stepper.edit(number)
    assert stepper.place.trace["X"][0].tolist() == [1, 2.5, -3]


def test_a_typed_number_so_large_that_everything_overflows_leaves_the_lab_usable():
    stepper = Stepper(step="L")
    stepper.choose(("y", 0, 0), pinned=True)
    stepper.edit(1e200)
    assert "overflows at the very start" in stepper.place.note
    stepper.next_iteration()
    assert "overflows at the very start" in stepper.place.note
    stepper.plant("sign-flipped")
    stepper.set_up(seed=1)
    assert math.isfinite(stepper.place.trace["L"])


# Planted mistakes


CANNOT_SHOW = {
    "sum-for-mean": "the lab's loss is the sum",
    "dimension-dropped": "the shape is never that of the bias",
    "axis-forgotten": "the shape is never that of the bias",
    "sum-forgotten": "with one sample, where the shape fits, there is nothing to sum",
    "sum-over-units": "with one sample and one unit, where the shape fits, it is the right sum",
}


@pytest.mark.parametrize(
    "mistake", [m for m in MISTAKES.values() if m.name not in CANNOT_SHOW], ids=lambda mistake: mistake.name
)
def test_every_mistake_can_be_planted_somewhere_and_is_then_made_in_every_iteration(mistake):
    squares = [SQUARE | {"activation": activation} for activation in ACTIVATIONS]
    for sizes in (*squares, {"samples": 3, "outputs": 1}, {"samples": 1, "hidden": 1}):
        stepper = Stepper(start="random", seed=1, lr=0.01, step="db1", **sizes)
        try:
            stepper.plant(mistake.name)
        except ValueError:
            continue
        assert (stepper.place.mistake, stepper.place.iteration, stepper.place.step.name) == (mistake.name, 0, "db1")
        problem, made = stepper.first_problem, set()
        for _ in range(4):
            expected = plainly_planted(mistake, problem)
            assert same_values(stepper.place.trace, expected)
            assert [step.code for step in stepper.place.trace.steps] == [step.code for step in expected.steps]
            made |= set(mistake.possible_at(trace(problem)))
            problem = expected.next_problem()
            stepper.next_iteration()
        assert made
        stepper.plant("")
        assert_at(stepper, stepper.first_problem)
        assert same_values(stepper.place.trace, trace(stepper.first_problem))
        return
    pytest.fail(f"{mistake.name} was refused everywhere; if it must be, say why in CANNOT_SHOW")


def test_a_planted_mistake_is_the_same_forth_and_back():
    stepper = Stepper(start="random", lr=0.001)
    stepper.plant("mask-forgotten")
    seen = [stepper.place.trace]
    for _ in range(105):
        stepper.next_iteration()
        seen.append(stepper.place.trace)
    for expected in reversed(seen[:-1]):
        back_iteration(stepper)
        assert same_values(stepper.place.trace, expected)


def test_planting_keeps_the_learning_rate_and_what_was_typed_over():
    stepper = Stepper()
    stepper.set_lr(0.1)
    stepper.choose(("X", 0, 0), pinned=True)
    stepper.edit(0.25)
    stepper.set_lr(0.2)
    stepper.plant("mask-forgotten")
    assert (stepper.place.lr, stepper.place.custom, stepper.place.trace["X"][0, 0]) == (0.2, True, 0.25)
    stepper.set_lr(0.3)
    stepper.plant("")
    assert (stepper.place.lr, stepper.place.custom, stepper.place.trace["X"][0, 0]) == (0.3, True, 0.25)


@pytest.mark.parametrize(("start", "note"), [
    ("all active", "ReLU mask forgotten: with these numbers, it changes nothing."), ("random", ""),
])  # fmt: skip
def test_a_mistake_that_changes_nothing_says_so_and_no_other_does(start, note):
    stepper = Stepper(start=start)
    stepper.plant("mask-forgotten")
    assert stepper.place.note == note


def test_that_everything_overflows_is_told_before_that_a_mistake_changes_nothing():
    stepper = Stepper(start="all active")
    stepper.plant("mask-forgotten")
    stepper.choose(("y", 0, 0), pinned=True)
    stepper.edit(1e200)
    assert stepper.place.note.startswith("The loss overflows at the very start")


def test_a_planted_mistake_is_still_made_once_a_number_was_typed_over():
    stepper = Stepper()
    stepper.plant("mask-forgotten")
    stepper.choose(("X", 0, 0), pinned=True)
    stepper.edit(0.25)
    assert stepper.place.mistake == "mask-forgotten"
    assert identical(stepper.place.trace["dY1"], stepper.place.trace["dH1"])
    assert not identical(trace(stepper.first_problem)["dY1"], stepper.place.trace["dH1"])


def test_a_planted_mistake_stays_with_another_seed_and_goes_where_it_finds_no_room():
    stepper = Stepper(start="random", **SQUARE)
    stepper.plant("transpose-forgotten")
    stepper.set_up(seed=8)
    assert stepper.place.mistake == "transpose-forgotten"
    stepper.restart()
    assert stepper.place.mistake == "transpose-forgotten"
    stepper.set_up(hidden=4, layers=1, outputs=2, inputs=1)
    assert stepper.place.mistake == ""
    assert same_values(stepper.place.trace, trace(stepper.place.trace.problem))


# Predict first


def first_question(**options):
    stepper = Stepper(**({"start": "random", "seed": 3, "step": "L"} | options))
    stepper.predict(True)
    stepper.next()
    return stepper


def test_a_cell_of_every_gradient_is_asked_for_before_it_is_shown_and_of_nothing_else():
    stepper = Stepper()
    stepper.predict(True)
    asked = []
    while stepper.place.index < number_of_steps(stepper):
        index = stepper.place.index
        stepper.next()
        if stepper.place.question is not None:
            name, i, j = stepper.place.question
            assert stepper.place.index == index, "nothing is shown yet"
            assert not stepper.place.shows(name)
            assert 0 <= i < stepper.place.trace[name].shape[0]
            assert 0 <= j < stepper.place.trace[name].shape[1]
            asked.append(name)
            stepper.next()
            assert stepper.place.step.name == name
    assert asked == [step.name for step in stepper.place.trace.steps if step.phase == "backward"]
    assert (stepper.place.right, stepper.place.asked) == (0, 0), "going on without an answer does not count"


def test_a_question_lets_go_of_the_chosen_cell_and_of_what_was_said_before():
    stepper = first_question()
    stepper.answer("0")
    stepper.choose(("X", 0, 0), pinned=True)
    assert stepper.place.note
    stepper.next()
    place = stepper.place
    assert place.question
    assert (place.cell, place.pinned, place.note) == (None, False, "")


def test_the_same_cell_is_asked_for_at_the_same_place():
    assert first_question().place.question == first_question().place.question
    stepper = first_question()
    question = stepper.place.question
    stepper.back()
    stepper.next()
    stepper.next()
    assert stepper.place.question == question


def test_a_right_answer_counts_and_shows_the_step():
    stepper = first_question()
    name, i, j = stepper.place.question
    value = stepper.place.trace[name][i, j]
    stepper.answer("+" if value > 0 else "-" if value < 0 else "0")
    assert stepper.place.step.name == name
    assert (stepper.place.question, stepper.place.right, stepper.place.asked) == (None, 1, 1)
    assert stepper.place.note.startswith("Right: ")
    assert stepper.place.note.endswith("1 of 1 right so far.")


def test_a_wrong_answer_counts_as_asked_and_shows_the_step():
    stepper = first_question()
    name, i, j = stepper.place.question
    wrong = float(stepper.place.trace[name][i, j]) + 100
    stepper.answer(str(wrong))
    assert stepper.place.step.name == name
    assert (stepper.place.right, stepper.place.asked) == (0, 1)
    assert stepper.place.note.startswith(f"{plain(wrong)} is not right: {name}[{i},{j}] = ")
    assert stepper.place.note.endswith("0 of 1 right so far.")


def test_a_running_score_is_kept_through_an_iteration():
    stepper = first_question(lr=0.01)
    for k in range(7):
        name, i, j = stepper.place.question
        stepper.answer(repr(float(stepper.place.trace[name][i, j])) if k % 2 else "1e9")
        assert (stepper.place.right, stepper.place.asked) == ((k + 1) // 2, k + 1)
        stepper.next()
    assert stepper.place.step.phase == "update"


@pytest.mark.parametrize("text", ["", "maybe", "nan", "inf", "1,5", "++"])
def test_an_answer_that_is_none_is_refused_and_the_question_stays(text):
    stepper = first_question()
    place = stepper.place
    with pytest.raises(ValueError, match="answer with"):
        stepper.answer(text)
    assert stepper.place is place


def test_predicting_begins_and_ends_with_a_clean_score():
    stepper = first_question()
    name, i, j = stepper.place.question
    stepper.answer(repr(float(stepper.place.trace[name][i, j])))
    assert stepper.place.right == 1
    assert stepper.place.note
    stepper.predict(True)
    assert (stepper.place.predicting, stepper.place.right, stepper.place.asked, stepper.place.note) == (True, 0, 0, "")
    stepper.back()
    stepper.next()
    stepper.answer("0")
    stepper.next()
    assert stepper.place.question
    stepper.predict(False)
    place = stepper.place
    assert (place.predicting, place.question, place.right, place.asked, place.note) == (False, None, 0, 0, "")
    stepper.next()
    assert (stepper.place.question, stepper.place.index) == (None, place.index + 1)


@pytest.mark.parametrize(
    "move", ["back", "next_phase", "next_iteration", "restart", lambda s: s.go_to(3), lambda s: s.set_lr(0.5)]
)
def test_going_elsewhere_drops_the_question_and_keeps_the_score(move):
    stepper = first_question()
    stepper.answer("0")
    stepper.next()
    score = (stepper.place.right, 1)
    getattr(stepper, move)() if isinstance(move, str) else move(stepper)
    assert stepper.place.question is None
    assert (stepper.place.right, stepper.place.asked) == score


# Choosing a cell


def test_a_cell_that_is_not_on_the_board_yet_counts_as_none():
    stepper = Stepper(step="L")
    stepper.choose(("Y1", 0, 1), pinned=True)
    assert (stepper.place.cell, stepper.place.pinned) == (("Y1", 0, 1), True)
    stepper.choose(("dW1", 0, 0), pinned=True)
    assert (stepper.place.cell, stepper.place.pinned) == (None, False)
    stepper.choose(("slope of H1", 0, 0))
    assert stepper.place.cell is None


@pytest.mark.parametrize(
    "cell", [("X", 9, 0), ("X", 0, 3), ("X", -1, 0), ("L", 0, 1), ("slope of H1", 2, 0), ("slope of H9", 0, 0)]
)
def test_a_cell_that_its_matrix_has_not_is_refused_or_none_and_the_lab_goes_on(cell):
    """As when the pointer rests where, before the sizes changed, there was a larger matrix."""
    stepper = Stepper(step="db1")
    with contextlib.suppress(ValueError, KeyError):
        stepper.choose(cell, pinned=True)
    assert stepper.place.cell is None


def test_a_slope_can_be_chosen_once_the_step_that_needs_it_is_shown():
    stepper = Stepper(step="db2")
    stepper.choose(("slope of H1", 1, 3))
    assert stepper.place.cell is None
    stepper.next()
    assert stepper.place.step.name == "dY1"
    stepper.choose(("slope of H1", 1, 3))
    assert stepper.place.cell == ("slope of H1", 1, 3)


def test_choosing_the_same_cell_again_changes_nothing():
    stepper = Stepper()
    stepper.choose(("X", 0, 1))
    place = stepper.place
    stepper.choose(("X", 0, 1))
    assert stepper.place is place


def test_a_pinned_cell_stays_from_iteration_to_iteration_and_is_let_go_at_another_step():
    stepper = Stepper(step="dW1")
    stepper.choose(("dW1", 1, 1), pinned=True)
    stepper.next_iteration()
    assert stepper.place.cell == ("dW1", 1, 1)
    stepper.next()
    assert (stepper.place.cell, stepper.place.pinned) == (None, False)


def test_a_pinned_cell_is_let_go_once_its_matrix_is_no_longer_on_the_board():
    stepper = Stepper(step="H1")
    stepper.choose(("H1", 0, 0), pinned=True)
    stepper.back()
    assert (stepper.place.cell, stepper.place.pinned) == (None, False)


@pytest.mark.parametrize("over", [Stepper.restart, lambda s: s.set_up(seed=4), lambda s: s.set_up(hidden=2)])
def test_starting_over_lets_go_of_a_pinned_cell(over):
    stepper = Stepper(step="H1")
    stepper.choose(("X", 0, 1), pinned=True)
    over(stepper)
    assert stepper.place.cell is None
    assert stepper.place.pinned is False


def test_walking_goes_cell_by_cell_and_stops_at_the_edges():
    stepper = Stepper()
    stepper.walk(1, 1)
    assert stepper.place.cell is None, "there is nowhere to walk from"
    stepper.choose(("X", 0, 0), pinned=True)
    for (down, right), cell in [
        ((1, 0), (1, 0)), ((1, 0), (1, 0)), ((0, 1), (1, 1)), ((0, 1), (1, 2)), ((0, 1), (1, 2)), ((-1, 0), (0, 2)),
        ((-1, 0), (0, 2)), ((0, -1), (0, 1)),
    ]:  # fmt: skip
        stepper.walk(down, right)
        assert stepper.place.cell == ("X", *cell)
        assert stepper.place.pinned
    for single in ("L", "lr"):
        stepper.go_to(15)
        stepper.choose((single, 0, 0), pinned=True)
        stepper.walk(1, 1)
        assert stepper.place.cell == (single, 0, 0)


def test_the_first_matrix_to_be_chosen_is_beside_the_one_just_computed_or_else_the_first():
    for step, way, name in [("Y1", -1, "b2"), ("Y1", 1, "X"), ("H1", -1, "Y1"), (None, 1, "X"), (None, -1, "X")]:
        stepper = Stepper(step=step)
        stepper.choose_matrix(way)
        assert stepper.place.cell == (name, 0, 0)


def test_a_chosen_cell_is_not_pinned_unless_it_is_asked_for():
    stepper = Stepper()
    stepper.choose(("X", 0, 0))
    assert stepper.place.pinned is False


def test_the_largest_number_there_is_can_be_typed():
    stepper = Stepper()
    stepper.choose(("X", 0, 0), pinned=True)
    stepper.edit(-sys.float_info.max)
    assert stepper.place.trace["X"][0, 0] == -sys.float_info.max


def test_matrices_are_chosen_in_the_order_of_the_computation_both_ways_round():
    stepper = Stepper(step="H1")
    shown = ["X", "y", "W1", "b1", "W2", "b2", "Y1", "H1"]
    seen = []
    for _ in range(2 * len(shown)):
        stepper.choose_matrix(1)
        seen.append(stepper.place.cell)
    assert seen == [(name, 0, 0) for name in shown] * 2
    for name in reversed(shown[:-1]):
        stepper.choose_matrix(-1)
        assert stepper.place.cell == (name, 0, 0)


def test_a_learning_rate_has_changed_from_where_it_differs_until_it_is_set_back():
    s = Stepper(lr=0.1)
    s.set_lr(0.2)
    assert not s.lr_changed, "nothing came before"
    s.next_iteration()
    assert not s.lr_changed
    s.set_lr(0.3)
    assert s.lr_changed
    s.next_iteration()
    assert s.lr_changed
    s.set_lr(0.4)
    back_iteration(s)
    s.set_lr(0.2)
    assert not s.lr_changed, "it is as it was at the start"


def test_it_opens_with_a_mistake_and_computes_no_further_than_it_is_asked():
    s = Stepper(iteration=3, mistake="mask-forgotten", seed=2, **SQUARE)
    assert (s.place.mistake, s.place.iteration) == ("mask-forgotten", 3)
    assert same_values(Stepper(iteration=3, seed=2, **SQUARE).place.trace, s.place.trace) is False
    assert len(s._training.losses) == 4
