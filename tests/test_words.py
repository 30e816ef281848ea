"""What the view is told: card, remarks, sums, frames, tables and alt text say what is on the board, and no more."""

import json
import math
import re
from itertools import product
from xml.etree import ElementTree

import numpy as np
import pytest
from common import gradients_of, trained, with_first_bias, with_numbers
from hypothesis import given, settings
from problems import ACTIVATIONS, problems

from backprop_lab import (
    L2,
    MISTAKES,
    Dropout,
    GradientDescent,
    LayerNorm,
    Linear,
    MeanSquaredError,
    Momentum,
    Network,
    Problem,
    ReLU,
    Sigmoid,
    SumSquaredError,
    Tanh,
    plant,
    program,
    prove,
    random_problem,
    trace,
)
from backprop_lab.course.predictions import question
from backprop_lab.reading.explanations import explain
from backprop_lab.reading.mathml import mathml
from backprop_lab.reading.one_cell import work_out
from backprop_lab.reading.slopes import slopes_of, value_of
from backprop_lab.step.number_format import format_number, plain, told_apart, typed_number
from backprop_lab.training.history import Remembered
from backprop_lab.ui.steps import frame, remarks, words
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.stepper import Stepper


def said_of(place, losses=(1.0,)):
    """The remarks on the step, as (kind, text)."""
    return [(remark["kind"], remark["text"]) for remark in words.remarks_on(place, losses)]


def tables(place):
    """What the tables say: {"W1, 3 by 4": rows of texts}"""
    found = ElementTree.fromstring(f"<div>{words.table(place)}</div>").iter("table")
    return {table.find("caption").text: [[cell.text for cell in row] for row in table.iter("tr")] for table in found}


@settings(max_examples=25)
@given(problems())
def test_card_alt_text_and_tables_say_all_so_far_and_nothing_to_come(problem):
    t = trace(problem)
    start, *others = (LabState(Setup(), Remembered(t), index=index) for index in range(len(t.steps) + 1))
    assert words.card(start)["sentence"].endswith(" and the learning rate. Press Next to compute the first value.")
    assert words.alt_text(start).startswith("Board at the start of iteration 0: samples X, targets y, weights")
    for place in others:
        step, (latex, title, sentence) = place.step, explain(place.step)
        assert words.card(place) == {
            "phase": step.phase, "place": f"step {place.index} of {len(t.steps)}", "title": title, "right": "",
            "sentence": sentence, "formula": mathml(latex) if latex else "", "code": f"{step.name} = {step.code}",
            "shapes": t.shapes(step).replace("->", "→"),
        }  # fmt: skip
        proof = prove(t, step.name) if step.role == "gradient" else None
        proved = [(kind, text) for kind, text in said_of(place) if kind in ("right", "wrong")]
        assert proved == ([("right", f"✓ {proof.sentence}")] if proof and proof.agrees else [])
        rows = "; ".join(", ".join(map(format_number, row)) for row in value_of(t, step.name).tolist())
        at = f"Board at iteration 0, step {place.index} of {len(t.steps)}, {step.phase}"
        assert words.alt_text(place) == f"{at}: {step.name} = {step.code}, which gives {rows}."
    for place in (start, others[len(others) // 2], others[-1]):
        values = {name: np.atleast_2d(t[name]) for name in [*t.given, *(step.name for step in t.steps[: place.index])]}
        found = tables(place)
        assert [*found] == [f"{name}, {len(value)} by {len(value.T)}" for name, value in values.items()]
        for rows, value in zip(found.values(), values.values(), strict=True):
            assert np.allclose([[*map(typed_number, row)] for row in rows], value, rtol=1e-5, atol=0, equal_nan=True)


def test_below_the_card_are_its_remarks_but_not_what_is_asked_for():
    for options, said in [
        ({"start": "dead ReLU", "seed": 1, "step": "dY1"}, "✓ agrees .*Unit 0 is off .*"),
        ({"seed": 0, "lr": 0.01, "iteration": 1, "step": "L"}, r"The loss went down, from \S+ to \S+\."),
        ({"seed": 0, "lr": 0.1, "step": "W2_new"}, "The largest change is .* the size of W2.With all the new weig.*"),
    ]:
        stepper = Stepper(**options)
        assert re.fullmatch(said, "".join(text for _, text in said_of(stepper.place, stepper.losses)))
    stepper.predict(True)
    for update, told in {"W2_new": False, "b2_new": True}.items():
        stepper.go(update)
        assert ("the loss will be" in str(said_of(stepper.place, stepper.losses))) == told


@settings(max_examples=20)
@given(problems())
def test_the_frames_hold_sources_and_matrices_and_nothing_else(problem):
    t = trace(problem)
    for index, step in enumerate(t.steps, start=1):
        rows, cols = value_of(t, step.name).shape
        cell = (step.name, rows - 1, cols // 2)
        told = frame.state(LabState(Setup(), Remembered(t), index=index, cell=cell), [1.0])
        found = {"operand": set(), "result": set()}
        for name, r0, r1, c0, c1, kind in told["sources"]:
            found[kind] |= {(name, i, j) for i in range(r0, r1 + 1) for j in range(c0, c1 + 1)}
        assert found == {"operand": {*work_out(t, cell).sources} - {cell}, "result": {cell}}
        assert {name for name, *_ in told["frames"]} == {step.name, *step.operands}
        for name, r0, r1, c0, c1, kind in told["frames"]:
            assert (r0, c0, r1 + 1, c1 + 1) == (0, 0, *value_of(t, name).shape)
            assert kind == ("result" if name == step.name else "operand")
    since = frame.layout(t)["since"]
    assert {*since} == {*t, *slopes_of(t)}
    for name, index in since.items():
        shown = [LabState(Setup(), Remembered(t), index=k).shows(name) for k in range(len(t.steps) + 1)]
        assert shown == [k >= index for k in range(len(t.steps) + 1)]


def test_nothing_said_on_the_way_through_an_overflow_breaks_or_warns():
    way = [trained(Setup("diverging", 1).problem(), 0)]
    while math.isfinite(way[-1]["L"]):
        way.append(trained(way[-1].problem, 1))
    beyond = trained(Setup().problem().evolve(parameters={"b1": [[np.nan, -np.inf, 1, 2]]}), 0)
    for t in [*way[-31::3], trained(way[-1].problem, 1), beyond]:
        for index in range(len(t.steps) + 1):
            cell = (None, ("Y1", 0, 0), ("L", 0, 0))[index % 3]
            place = LabState(Setup(), Remembered(t), index=index, cell=cell)
            assert json.dumps(frame.state(place, [t["L"], t["L"]]), allow_nan=False), "it can be sent"
            assert words.alt_text(place)
    assert tables(place)["b1, 1 by 4"] == [["nan", "−inf", "1", "2"]]


def test_a_sum_has_a_line_for_each_term_with_its_share_of_the_largest(example):
    told = frame.the_sum(example, work_out(example, ("Y1", 0, 3)))
    assert [(*map(a.get, ("text", "sign", "value", "largest")), round(a["share"], 2)) for a in told["terms"]] == [
        ("−0.1581 × −0.5365", "=", "0.08482", False, 0.06), ("−2.062 × −0.7429", "=", "1.532", True, 1.0),
        ("−0.9308 × −0.8079", "≈", "0.7519", False, 0.49),  # 0.7520, for who takes the digits that are shown
        ("b1[0,3]", "=", "0", False, 0.0),
    ]  # fmt: skip
    assert (told["cell"], told["of"], told["total"], told["lines"]) == ("Y1[0,3]", "total", "2.369", [])
    for cell, lines in {("dY1", 0, 3): ["dH1[0,3]·(H1[0,3] > 0)", "14.61·(2.369 > 0)"], ("X", 0, 0): ["given"]}.items():
        assert frame.the_sum(example, work_out(example, cell))["lines"] == lines


def test_every_gradient_proved_wrong_is_named_at_every_step():
    """On the card are its line, the right one, its reason and a clear refusal."""
    for mistake, step in product(("plus-for-minus", "mask-forgotten"), ("Y1", "dY1")):
        stepper = Stepper(start="random", seed=1, mistake=mistake, step=step)
        t, told = stepper.place.trace, frame.state(stepper.place, stepper.losses)
        assert told["wrong"] == [name for name in gradients_of(t) if prove(t, name).agrees is False]
        assert bool(told["wrong"]) == (mistake == "mask-forgotten")
        assert told["badge"] == MISTAKES[mistake].title
    card, made = told["card"], MISTAKES[mistake]
    assert (card["code"], card["right"]) == (f"dY1 = {made.wrong_line(t, 'dY1')}", "dY1 = dH1 * (H1 > 0)")
    assert (card["title"], card["sentence"]) == (made.title, made.cause.replace("`", ""))
    assert [(kind, text[:16]) for kind, text in said_of(stepper.place)] == [("wrong", "✗ does not agree")]


def test_only_given_numbers_that_are_pinned_can_be_changed():
    stepper = Stepper(step="L")
    for cell, pinned, can in [(("W1", 0, 0), True, True), (("W1", 0, 0), False, False), (("Y1", 0, 0), True, False)]:
        stepper.choose(cell, pinned)
        assert frame.state(stepper.place, stepper.losses)["edit"] is can
    stepper.predict(True)
    stepper.next()
    told = frame.state(stepper.place, stepper.losses)
    name, i, j = stepper.place.question
    assert told["question"]["title"] == f"Predict {name}[{i},{j}]"
    assert told["frames"] == [[name, i, i, j, j, "result"]]


def test_units_off_for_every_sample_are_called_dead_at_their_relu_only():
    for biases, told in [
        ((-9.0, 1.0, -8.0, -3.0), "Units 0, 2, 3 are off for every sample: they are dead, and learn nothing"),
        ((-3.0, 0.0), "Unit 0 is off for every sample: it is dead, and learns nothing"),  # its largest number is 0
        ((1.0, 2.0), ""), ((-9.0, -8.0), ""),  # of a whole layer, all_dead warns
    ]:  # fmt: skip
        t = with_first_bias(*biases)
        said = {(step.name, remarks.on_dead_units(t, step).partition(" from")[0]) for step in t.steps}
        assert {each for each in said if each[1]} == ({("H1", told), ("dY1", told)} if told else set())
    for signs, told in [((1, 1, 1), "they may come back"), ((-1, 1, 1), "only 2 may"), ((-1, 1, 0), "they are dead")]:
        t = trace(with_numbers(random_problem(0, hidden=[3, 3]), b2=[[-9, 9, -9]], W2=np.ones((3, 3)) * signs))
        assert told in remarks.on_dead_units(t, t.step("dY2")), "whatever H1, which is never below 0"
    for biases in ((1.0, -9.0), (-9.0, -9.0)):
        planted = plant(with_first_bias(*biases), MISTAKES["mask-forgotten"], "dY1")  # which gives them a gradient
        said = remarks.on_dead_units(planted, planted.step("H1")) or remarks.all_dead(planted, 4)
        assert ("should" in said, "dead" in said) == (True, False)


def test_what_a_dead_unit_behind_a_norm_gets_is_told_as_it_is():
    """A LayerNorm gives the weights before it a gradient for the sake of other units, and that is right."""
    for norm in ("BatchNorm", "LayerNorm"):
        t = trace(Setup("dead ReLU", samples=5, norm=norm, penalty="L2(0.1)").problem())
        assert t["dW1"][:, 0].any()
        assert "Unit 0 is off for every sample: its own gamma and beta get no gradient now." in (
            remarks.on_dead_units(t, t.step("dN1"))
        )


def test_that_a_norm_of_two_numbers_leaves_next_to_nothing_of_them_is_said():
    for sizes, norm, told in [
        ({}, "BatchNorm", "two numbers become 1 and −1 unless .* let hardly any gradient back. Take more samples."),
        ({"samples": 1}, "BatchNorm", "a number alone becomes 0, and hardly any gradient .* Take more samples."),
        ({"hidden": 2}, "LayerNorm", "two numbers become 1 and −1 .* Take more units."),
        ({"samples": 3}, "BatchNorm", ""),
        ({}, "LayerNorm", ""),
    ]:
        t = trace(Setup("random", seed=2, norm=norm, **sizes).problem())
        said = {step.name: remarks.on_norm(step) for step in t.steps if remarks.on_norm(step)}
        assert [*said] == ["Xhat1"] * bool(told)
        assert re.search(told, said.get("Xhat1", ""))
        if "−1" in told:
            come = np.abs(t["Xhat1"]) > 0.999
            assert np.mean(come) >= 0.75
            assert np.abs(t["dY1"][come]).max() < 1e-2 * np.abs(t["dN1"]).max()


def test_the_start_names_all_that_is_given_and_nothing_else():
    for options, told in {
        (): "weights, biases and the learning rate",
        (("norm", "BatchNorm"), ("optimizer", "Adam"), ("dropout", 0.5)): "weights, biases, the scales and shifts of "
        "norms, what the optimizer remembers, the masks of this step and the learning rate",
    }.items():
        place = Stepper(**dict(options)).place
        assert words.card(place)["sentence"].startswith(
            f"The board shows everything that is given: samples X, targets y, {told}. Press"
        )
        assert words.alt_text(place) == f"Board at the start of iteration 0: samples X, targets y, {told}."


def test_the_letters_of_an_einsum_stay_as_they_are_on_its_card():
    lines = 'O = np.einsum("i,j->ij", i, j)\nL = np.sum(O**2)'
    place = Stepper(program(lines, {"i": np.ones(3), "j": np.ones(2)}, {}), step="O").place
    assert words.card(place)["shapes"] == 'np.einsum("i,j->ij", (3,), (2,)) → (3, 2)'


def test_a_network_without_weights_or_biases_is_not_said_to_have_them():
    norm = Network([LayerNorm(np.ones((1, 2)), np.zeros((1, 2)))])
    told = words.given(trace(Problem(norm, MeanSquaredError(), np.eye(2), np.eye(2), lr=0.1)))
    assert told == "samples X, targets y, the scales and shifts of norms and the learning rate"


def test_a_dead_unit_is_said_to_come_back_only_where_it_can():
    """Those of units that are off for good stay; and of what is called dead nothing comes back in training."""
    found, rng = {True: 0, False: 0}, np.random.default_rng(0)
    for seed in range(101):
        t = trace(random_problem(seed, hidden=[4, 4], lr=0.01))
        off = [{*np.flatnonzero(~np.any(t[name] > 0, axis=0))} for name in ("H1", "H2")]
        if not off[1] or len(off[1]) == t["H2"].shape[1]:
            continue
        H1 = rng.exponential(size=(5000, t["H1"].shape[1])) * 10 ** rng.uniform(-3, 3, (5000, t["H1"].shape[1]))
        H1[:, [*off[0]]] = 0
        can = {unit for unit in off[1] if (H1 @ t["W2"][:, unit] + t["b2"][0, unit] > 0).any()}
        said = remarks.on_dead_units(t, t.step("dY2"))
        told = re.search(r"; (they|it|only [\d, ]+) may come back", said)
        claimed = (
            set() if not told else off[1] if told[1] in ("they", "it") else {*map(int, re.findall(r"\d+", told[1]))}
        )
        assert claimed == can, (seed, said)
        for unit in off[1]:
            found[unit in claimed] += 1
        later = [trained(t.problem, k) for k in (1, 30)]
        assert not any((each["H2"][:, [*off[1] - claimed]] > 0).any() for each in later)
    assert min(found.values()) > 10, found


@pytest.mark.parametrize(
    ("before", "bias", "optimizer", "told"),
    [
        ([Tanh()], -20, {}, "it is dead"),  # no layer before it learns
        ([], -20, {"optimizer": Momentum()}, "it is dead"),  # nothing is remembered
        ([Linear([[1], [1]]), Tanh()], -20, {}, "it is dead"),  # a tanh is at most 1
        ([Linear([[1], [1]]), Sigmoid()], -20, {}, "it is dead"),
        ([Linear([[1], [1]]), Tanh()], -0.7, {}, "may come back"),
        ([Linear([[1], [1]]), ReLU()], -20, {}, "may come back"),
        ([Linear([[1], [1]]), Tanh(), Dropout(0.5)], -20, {}, "may come back"),  # what it keeps is larger than 1
    ],
)
def test_a_unit_that_nothing_can_bring_back_is_called_dead(before, bias, optimizer, told):
    X = np.array([[0.2, 0.1], [0.3, -0.1], [0.1, 0.2]])
    width = 1 if any(isinstance(layer, Linear) for layer in before) else 2
    last = Linear(np.ones((width, 2)), [[bias, 0.5]]), ReLU(), Linear([[1], [1]])
    t = trace(Problem(Network([*before, *last]), SumSquaredError(), X, np.ones((3, 1)), 0.1, **optimizer))
    (said,) = {remarks.on_dead_units(t, step) for step in t.steps} - {""}
    assert told in said


def test_a_dead_unit_moves_by_what_is_remembered_only_where_there_is_something():
    p = with_numbers(random_problem(0, optimizer=Momentum()), b1=[[-9.0, 1.0, 1.0, 1.0]])
    assert "it is dead" in remarks.on_dead_units(trace(p), trace(p).step("H1"))
    t = trace(p.evolve(state={"vb1": np.ones((1, 4))}))
    assert "only what is remembered, or decay, moves them" in remarks.on_dead_units(t, t.step("H1"))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_only_a_relu_dies_and_a_dead_layer_on_the_board_is_warned_of(activation):
    t = trace(with_numbers(random_problem(0, hidden=[3, 3], activation=activation), b2=np.full((1, 3), -1000.0)))
    warned = [remarks.all_dead(t, index).partition(":")[0] for index in range(len(t.steps) + 1)]
    warning = "Every unit of H2 is off for every sample" if activation == ReLU() else ""
    assert warned == [""] * 4 + [warning] * (len(warned) - 4), "with index 3, Y2 is shown, and H2 is not"


@pytest.mark.parametrize(
    ("layers", "data", "options"),
    [
        ([(1, 0), Tanh(), Dropout(0.5, 0), (-3, 1), ReLU(), (1, 0.5)], (2, 0), {"lr": 0.01}),
        ([(-2, 1), ReLU(), (1, 0)], (1, 5), {"penalty": L2(0.1)}),
        ([(-2, 1), ReLU(), (1, 0)], (1, 5), {"optimizer": GradientDescent(decay=0.2)}),
    ],
)
def test_a_dead_layer_that_comes_back_is_not_said_to_learn_nothing(layers, data, options):
    """By another mask of a dropout, or as a penalty or a decay makes weights smaller."""
    one = lambda number: np.array([[float(number)]])  # noqa: E731
    network = Network([Linear(*map(one, each)) if isinstance(each, tuple) else each for each in layers])
    p = Problem(network, SumSquaredError(), *map(one, data), **{"lr": 0.1} | options)
    t = trace(p)
    hidden = [name for name in t if name.startswith("H")][-1]
    assert remarks.all_dead(t, len(t.steps)).endswith(" is off for every sample: no gradient gets through now.")
    seen = False
    for _ in range(40):
        p = trace(p).next_problem()
        seen |= trace(p)[hidden].any()
    assert seen


@settings(max_examples=60)
@given(problems())
def test_of_each_update_the_change_and_its_ratio_to_the_parameter_are_told(problem):
    t = trace(problem)
    for step in t.steps:
        told = remarks.on_update(t, step), remarks.on_next_loss(t, step)
        assert [bool(sentence) for sentence in told] == [step.phase == "update"] * 2
    for name, old in problem.network.parameters.items():
        step = np.asarray(t[f"{name}_new"]) - old
        said = remarks.on_update(t, t.step(f"{name}_new"))
        told = re.fullmatch(rf"The largest change is (\S+); the update is (\S+) times the size of {name}\.", said)
        change, ratio = map(typed_number, told.groups())
        assert change == pytest.approx(np.abs(step).max(), rel=0.05)
        assert ratio == pytest.approx(np.linalg.norm(step) / np.linalg.norm(old), rel=0.05)


def test_with_a_mistake_the_next_loss_is_the_one_that_the_lab_shows_next():
    for mistake in (
        "loss-not-squared",
        "loss-halved",
        "bias-forgotten",
        "slope-forgotten",
    ):  # of which b1 is 0 at first
        stepper = Stepper(start="random", lr=1e-6, activation="Tanh", mistake=mistake)
        for _ in range(2):
            t, asked = stepper.place.trace, question(stepper.place.trace, ("L", 0, 0))
            now, then = float(t["L"]), float(stepper.look(stepper.place.iteration + 1, 0)[0].trace["L"])
            told = f"the loss will be {told_apart(then, now, 6)[0]}; now it is {told_apart(then, now, 6)[1]}."
            assert remarks.on_next_loss(t, t.step("b1_new")).endswith(told)
            assert asked.judge(("stays", "rises", "falls")[int(np.sign(then - now))])[0]
            assert "too long" not in asked.why, "where a mistake may be why"
            stepper.next_iteration()


def test_near_overflow_and_beyond_nothing_is_made_up():
    t = trained(Problem(Network((Linear([[1e300]], [[0.0]]),)), SumSquaredError(), [[1.0]], [[0.0]], 0.25), 0)
    assert remarks.on_update(t, t.step("W1_new")).endswith("; the update is 0.5 times the size of W1.")
    some = t, trace(with_numbers(t.problem, b1=[[1e-300]]))
    assert "times" not in str([remarks.on_update(a, a.step("b1_new")) for a in some]), "of next to 0 no ratio is told"
    for number in (1e100, np.inf, np.nan):
        t = trained(random_problem(0).evolve(parameters={"W1": np.full((3, 4), number)}), 0)
        will = "not be a number (nan)" if np.isnan(t.next_loss()) else "overflow"
        assert remarks.on_next_loss(t, t.step("b1_new")) == f"With all the new weights, the loss will {will}."
    assert remarks.on_update(t, t.step("W1_new")) == "The numbers have overflowed, or are nan."
    assert remarks.all_dead(t, len(t.steps)) == remarks.on_dead_units(t, t.step("H1")) == ""


def test_an_overflow_is_not_laid_to_the_learning_rate_alone_where_a_state_grows():
    p = program("h1 = 100 * h0\nh0_new = h1\nL = np.sum((h1 * w)**2)", {"w": [1.0]}, {"h0": [1.0]}, lr=1e-300)
    note = Stepper(p, iteration=100).place.note
    assert note.startswith("The loss overflowed at iteration 76: the learning rate is too large for this problem, or")
    assert ", or h0 grows from step to step. Restart" in note
    for lines in ("L = np.sum(1 / w)", "L = np.sum(np.log(w))"):
        assert Stepper(program(lines, {"w": [0.0]}, {})).place.note == (
            "The loss overflows at the very start: some of these numbers are too large for it or 0 where it divides or "
            "takes a logarithm."
        )


def test_a_logarithm_of_a_negative_number_is_no_overflow():
    stepper = Stepper(program("L = np.sum(np.log(w))", {"w": np.array([0.5, 2.0])}, {}, lr=0.3), iteration=1)
    assert stepper.place.note.startswith("The loss is not a number (nan) at iteration 1: ")
    t = trace(stepper.first_problem)
    assert remarks.on_next_loss(t, t.step("w_new")) == "With all the new weights, the loss will not be a number (nan)."
    t = trace(program("L = (np.sqrt(np.sum(w**2)) - 1)**2", {"w": np.zeros(2)}, {}))
    assert prove(t, "dw").sentence.startswith("The numbers have overflowed, or are nan")
    assert remarks.on_update(t, t.step("w_new")) == "The numbers have overflowed, or are nan."


def test_the_loss_is_told_to_go_up_down_or_nowhere_with_enough_digits():
    t = trace(random_problem(0, lr=0.01))
    then, now = plain(trace(t.next_problem())["L"], 6), plain(t["L"], 6)
    told = f"With all the new weights, the loss will be {then}; now it is {now}."
    assert remarks.on_next_loss(t, t.step("b1_new")) == told
    for losses, told in [
        ((3.0, 2.5, 1.25), "The loss went down, from 2.5 to 1.25."), ((1.0, 2.0), "The loss went up, from 1 to 2."),
        ((2.0, 2.0), "The loss did not change."), ((2.0, math.inf), "The loss has overflowed."), ((3.0,), ""),
        ((2.0, math.nan), "The loss is not a number (nan)."),
        ((252.4, 252.4 * (1 - 1e-9)), "The loss went down, from 252.4000000 to 252.3999997."),
    ]:  # fmt: skip
        for step in t.steps:
            assert remarks.on_loss(step, losses) == (told if step.name == "L" else "")
