"""What the view is told: card, sums, frames, tables and alt text say what is on the board, and nothing else."""

import json
import math
import re
from collections import defaultdict
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from common import raises, trained
from hypothesis import given, settings
from problems import problems

from backprop_lab import ACTIVATIONS, MISTAKES, prove, trace
from backprop_lab.number_format import format_number, typed_number
from backprop_lab.ui.steps import frame, words
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.stepper import LabState, Stepper
from backprop_lab.ui.steps.training import Remembered
from backprop_lab.ui.values.explanations import explain
from backprop_lab.ui.values.mathml import mathml
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import slopes_of, value_of


def parsed(source):
    return ElementTree.fromstring(f"<page>{source}</page>")


def card_of(place, losses=(1.0,)):
    """The card, and the remarks on the step by their kinds."""
    said = defaultdict(list)
    for remark in words.remarks_on(place, losses):
        said[remark["kind"]].append(remark["text"])
    return words.card(place), said


def places(t):
    return [LabState(Setup(), Remembered(t), index=index) for index in range(len(t.steps) + 1)]


def tables(place):
    """What the tables say: {"W1, 3 by 4": rows of texts}"""
    found = parsed(words.table(place)).iter("table")
    return {table.find("caption").text: [[cell.text for cell in row] for row in table.iter("tr")] for table in found}


@settings(max_examples=25)
@given(problems())
def test_card_and_alt_text_say_all_there_is_of_the_step_and_the_tables_every_value_so_far_and_none_to_come(problem):
    start, *others = places(trace(problem))
    for iteration, sentence in [(0, words.START), (2, "The new weights have moved up.")]:
        card, said = card_of(replace(start, iteration=iteration))
        assert (card["phase"], card["sentence"]) == ("start", f"{sentence} Press Next to compute the first value.")
        assert not said
    given_values = "Board at the start of iteration 0: X, y, the weights, the biases and the learning rate."
    assert words.alt_text(start) == given_values
    for place in others:
        step, t, (card, said) = place.step, place.trace, card_of(place)
        latex, title, sentence = explain(step)
        assert card == {
            "phase": step.phase, "place": f"step {place.index} of {len(t.steps)}", "title": title, "right": "",
            "sentence": sentence, "formula": mathml(latex) if latex else "", "code": f"{step.name} = {step.code}",
            "shapes": t.shapes(step).replace("->", "→"),
        }  # fmt: skip
        proof = prove(t, step.name) if step.phase == "backward" else None
        assert said["right"] == ([f"✓ {proof.sentence}"] if proof and proof.agrees else [])
        assert said["wrong"] == []
        rows = "; ".join(", ".join(map(format_number, row)) for row in np.atleast_2d(step.value).tolist())
        at = f"Board at iteration 0, step {place.index} of {len(t.steps)}, {step.phase}"
        assert words.alt_text(place) == f"{at}: {step.name} = {step.code}, which gives {rows}."
    for place in (start, others[len(others) // 2], others[-1]):
        values = {name: np.atleast_2d(t[name]) for name in [*t.given, *(step.name for step in t.steps[: place.index])]}
        found = tables(place)
        assert [*found] == [f"{name}, {len(value)} by {len(value.T)}" for name, value in values.items()]
        for rows, value in zip(found.values(), values.values(), strict=True):
            assert np.allclose([[*map(typed_number, row)] for row in rows], value, rtol=1e-5, atol=0)


def test_the_card_of_a_planted_mistake_has_its_line_its_reason_and_a_clear_refusal():
    place = Stepper(start="random", seed=1, mistake="mask-forgotten", step="dY1").place
    (card, said), mistake = card_of(place), MISTAKES["mask-forgotten"]
    assert card["code"] == f"dY1 = {mistake.wrong_line(place.trace, 'dY1')}"
    assert card["right"] == "dY1 = dH1 * (H1 > 0)"
    assert (card["title"], card["sentence"]) == (mistake.title, mistake.cause.replace("`", ""))
    assert ([text[:16] for text in said["wrong"]], said["right"]) == (["✗ does not agree"], [])


def test_below_the_card_are_the_remarks_on_its_step_but_while_predicting_not_the_next_loss_that_is_asked_for():
    for options, said in [
        ({"start": "dead ReLU", "seed": 1, "step": "dY1"}, "✓ agrees .*Unit 0 is off .*"),
        ({"seed": 0, "lr": 0.01, "iteration": 1, "step": "L"}, r"The loss went down, from \S+ to \S+\."),
        ({"seed": 0, "lr": 0.1, "step": "W2_new"}, "The largest change is .* the size of W2.With all the new weig.*"),
    ]:
        stepper = Stepper(**options)
        found = [remark["text"] for remark in words.remarks_on(stepper.place, stepper.losses)]
        assert re.fullmatch(said, "".join(found))
    stepper = Stepper(step="db1")
    stepper.predict(True)
    for update in ("W1_new", "b1_new", "W2_new", "b2_new"):
        stepper.go(update)
        said = " ".join(remark["text"] for remark in words.remarks_on(stepper.place, stepper.losses))
        assert ("the loss will be" in said) == (update == "b2_new")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_said_on_the_way_through_an_overflow_breaks_or_warns(activation):
    way = [trained(Setup("diverging", 1, activation=activation).problem(), 0)]
    while math.isfinite(way[-1]["L"]):
        way.append(trained(way[-1].problem, 1))
    beyond = trained(Setup().problem().evolve(X=[[np.nan] * 3, [-np.inf, 1, 2]]), 0)
    for t in [*way[-31:-1:3], way[-1], trained(way[-1].problem, 1), trained(way[-1].problem, 2), beyond]:
        for place in places(t):
            cell = (None, ("Y1", 0, 0), ("L", 0, 0))[place.index % 3]
            assert json.dumps(frame.state(replace(place, cell=cell), [t["L"], t["L"]]), allow_nan=False), (
                "it can be sent"
            )
            assert words.alt_text(place)
            assert tables(place)
    assert tables(place)["X, 2 by 3"] == [["nan", "nan", "nan"], ["−inf", "1", "2"]]


def cells_in(frames, kind):
    found = [(name, r0, r1, c0, c1) for name, r0, r1, c0, c1, what in frames if what == kind]
    return {(name, i, j) for name, r0, r1, c0, c1 in found for i in range(r0, r1 + 1) for j in range(c0, c1 + 1)}


@settings(max_examples=20)
@given(problems())
def test_the_frames_hold_the_sources_of_a_cell_the_matrices_of_a_step_and_nothing_else(problem):
    t = trace(problem)
    for index, step in enumerate(t.steps, start=1):
        rows, cols = value_of(t, step.name).shape
        cell = (step.name, rows - 1, cols // 2)
        told = frame.state(LabState(Setup(), Remembered(t), index=index, cell=cell), [1.0])
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        assert cells_in(told["sources"], "operand") == {*work_out(t, cell).sources} - {cell}
        assert cells_in(told["sources"], "result") == {cell}
        assert {name for name, *_ in told["frames"]} == {step.name, *step.operands}
        for name, r0, r1, c0, c1, _ in told["frames"]:
            assert (r0, c0, r1 + 1, c1 + 1) == (0, 0, *value_of(t, name).shape)
    since = frame.layout(t, {})["since"]
    assert {*since} == {*t, *slopes_of(t)}
    for name, index in since.items():
        shown = [LabState(Setup(), Remembered(t), index=k).shows(name) for k in range(len(t.steps) + 1)]
        assert shown == [k >= index for k in range(len(t.steps) + 1)]


def test_a_sum_has_a_line_for_each_term_with_its_share_of_the_largest(example):
    told = frame.the_sum(example, work_out(example, ("Y1", 0, 3)))
    parts = ("text", "sign", "value", "largest")
    assert [(*map(each.get, parts), round(each["share"], 2)) for each in told["terms"]] == [
        ("−0.1581 × −0.5365", "=", "0.08482", False, 0.06), ("−2.062 × −0.7429", "=", "1.532", True, 1.0),
        ("−0.9308 × −0.8079", "≈", "0.7519", False, 0.49),  # 0.7520, for who takes the digits that are shown
        ("b1[0,3]", "=", "0", False, 0.0),
    ]  # fmt: skip
    assert (told["cell"], told["of"], told["total"], told["lines"]) == ("Y1[0,3]", "total", "2.369", [])
    for cell, lines in {("dY1", 0, 3): ["dH1[0,3]·(H1[0,3] > 0)", "14.61·(2.369 > 0)"], ("X", 0, 0): ["given"]}.items():
        assert frame.the_sum(example, work_out(example, cell))["lines"] == lines
    assert frame.the_sum(example, work_out(example, ("slope of H1", 0, 0)))["label"] == "H1 > 0"


@pytest.mark.parametrize("mistake", ["mask-forgotten", "plus-for-minus"])
def test_with_a_mistake_planted_every_gradient_that_is_proved_wrong_is_named_at_every_step(mistake, monkeypatch):
    for step in ("Y1", "db1"):
        stepper = Stepper(start="random", seed=1, mistake=mistake, step=step)
        t, told = stepper.place.trace, frame.state(stepper.place, stepper.losses)
        gradients = [each.name for each in t.steps if each.phase == "backward"]
        assert told["wrong"] == [name for name in gradients if prove(t, name).agrees is False]
        assert bool(told["wrong"]) == (mistake == "mask-forgotten")
        assert told["badge"] == MISTAKES[mistake].title
    monkeypatch.setattr(frame, "prove", raises(AssertionError))  # where nothing is planted, nothing takes that time
    told = frame.state(Stepper(start="random", seed=1, step="Y1").place, [1.0])
    assert (told["wrong"], told["badge"]) == ([], "")


def test_only_given_numbers_that_are_pinned_can_be_changed_and_a_question_takes_the_frame():
    stepper = Stepper(step="Y1")
    for cell, pinned, can in [(("W1", 0, 0), True, True), (("W1", 0, 0), False, False), (("Y1", 0, 0), True, False)]:
        stepper.choose(cell, pinned)
        assert frame.state(stepper.place, stepper.losses)["edit"] is can
    stepper = Stepper(step="L")
    stepper.predict(True)
    stepper.next()
    told = frame.state(stepper.place, stepper.losses)
    name, i, j = stepper.place.question
    assert told["question"]["title"] == f"Predict {name}[{i},{j}]"
    assert told["frames"] == [[name, i, i, j, j, "result"]]
    stepper.go("Y1")
    stepper.next()
    row = stepper.place.question[1]
    assert frame.state(stepper.place, stepper.losses)["frames"] == [["Y1", row, row, 0, 3, "result"]]
