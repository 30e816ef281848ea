"""What the view is told: plain data, true to the trace, and of one place."""

import json

import pytest
from common import raises
from hypothesis import given, settings
from problems import problems

from backprop_lab import MISTAKES, prove, trace
from backprop_lab.ui.steps import frame
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.stepper import LabState, Stepper
from backprop_lab.ui.steps.training import Remembered
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import slopes_of, value_of


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
    assert [(each["text"], each["value"], round(each["share"], 2), each["largest"]) for each in told["terms"]] == [
        ("−0.1581 × −0.5365", "0.08482", 0.06, False), ("−2.062 × −0.7429", "1.532", 1.0, True),
        ("−0.9308 × −0.8079", "0.7519", 0.49, False), ("b1[0,3]", "0", 0.0, False),
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
