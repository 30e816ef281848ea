"""The words of the lab: that the card, the picture's text and the tables say what is on the board, and nothing else."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from common import trained, with_numbers
from hypothesis import given, settings
from problems import problems

from backprop_lab import MISTAKES, prove, trace
from backprop_lab.layers import ACTIVATIONS
from backprop_lab.number_format import format_number, typed_number
from backprop_lab.tracing import Trace
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.stepper import LabState, Stepper
from backprop_lab.ui.steps.training import Remembered
from backprop_lab.ui.values.explanations import explain


class Page(HTMLParser):
    """What a browser reads: every text with the tags and classes around it, and whether tags close as they should."""

    def __init__(self, source):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(source)
        self.close()
        assert self.open == [], f"{self.open} left open in {source}"

    def handle_starttag(self, tag, attrs):
        self.open.append((tag, *dict(attrs).get("class", "").split()))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.texts.append((data, {name for each in self.open for name in each}))

    def within(self, name):
        """All text inside tags with this name or class."""
        return [text for text, around in self.texts if name in around]


def card(place, losses=(1.0,)):
    """Everything below the board: the card, and the remarks joined to it."""
    return Page(words.card(place) + words.remarks_on(place, losses))


def places(t):
    """Every place of one iteration."""
    return [LabState(Setup(), Remembered(t), index=index) for index in range(len(t.steps) + 1)]


def tables(place):
    """What the tables say: {(name, rows, columns): rows of texts}"""
    found = re.findall(r"<table><caption>(\w+), (\d+) by (\d+)</caption>(.*?)</table>", words.table(place))
    rows_of = {tuple(caption): re.findall("<tr>(.*?)</tr>", body) for *caption, body in found}
    return {caption: [re.findall("<td>(.*?)</td>", row) for row in rows] for caption, rows in rows_of.items()}


# The card


@pytest.mark.parametrize(("iteration", "sentence"), [(0, words.START), (2, "The new weights have moved up.")])
def test_the_card_of_a_start_says_where_it_is_and_press_next(iteration, sentence):
    page = card(Stepper(iteration=iteration).place)
    assert "".join(page.within("p")) == f"{sentence} Press Next to compute the first value."
    assert page.within("bpl-chip") == ["start"]
    assert page.within("bpl-iteration") == [f"iteration {iteration}"]


@settings(max_examples=25)
@given(problems())
def test_the_card_says_phase_title_sentence_formula_line_shapes_and_proof_of_the_step(problem):
    for place in places(trace(problem))[1:]:
        step, page = place.step, card(place)
        explanation = explain(step)
        assert page.within("bpl-chip") == [step.phase]
        assert page.within("b") == [explanation.title]
        assert page.within("p") == [explanation.sentence]
        assert page.within("bpl-formula") == [f"${explanation.latex}$"]
        assert page.within("code") == [f"{step.name} = {step.code}"]
        assert page.within("bpl-shapes") == [place.trace.shapes(step).replace("->", "→")]
        assert page.within("bpl-iteration") == ["iteration 0"]
        proof = prove(place.trace, step.name) if step.phase == "backward" else None
        assert page.within("bpl-right") == ([f"✓ {proof.sentence}"] if proof and proof.agrees else [])
        assert page.within("bpl-wrong") == []


@pytest.mark.parametrize(("mistake", "name"), [("mask-forgotten", "dY1"), ("gradient-for-weights", "dH1")])
def test_the_card_of_a_planted_mistake_has_its_line_its_reason_and_a_clear_refusal(mistake, name):
    place = Stepper(start="random", seed=1, mistake=mistake, step=name).place
    page, mistake = card(place), MISTAKES[mistake]
    assert page.within("code") == [f"{name} = {mistake.wrong_line(place.trace, name)}"]
    assert page.within("b") == [mistake.title]
    assert page.within("p") == [mistake.cause.replace("`", "")]
    assert [text[:16] for text in page.within("bpl-wrong")] == ["✗ does not agree"]
    assert page.within("bpl-right") == []


@pytest.mark.parametrize(("options", "said"), [
    ({"start": "dead ReLU", "seed": 1, "step": "dY1"}, ["✓ agrees .*", "Unit 0 is off .*"]),
    ({"lr": 0.01, "iteration": 1, "step": "L"}, [r"The loss went down, from \S+ to \S+\."]),
    ({"lr": 0.1, "step": "W2_new"}, ["The largest change is .* the size of W2.", "With all the new weights.*"]),
])  # fmt: skip
def test_below_the_card_are_the_remarks_on_its_step(options, said):
    stepper = Stepper(**{"start": "random"} | options)
    found = card(stepper.place, stepper.losses).within("bpl-remarks")
    assert [bool(re.fullmatch(*both)) for both in zip(said, found, strict=True)] == [True] * len(said)


def test_no_title_sentence_or_line_can_bring_markup_into_the_card(example):
    bad = "len('<img src=x onerror=alert(1)> & <b>') + 0 * dH1"  # which can be run
    planted = example.step("dY1")._replace(title=bad, sentence=bad, code=bad, operands=("dH1",))
    steps = tuple(planted if step.name == "dY1" else step for step in example.steps)
    t = Trace(example.problem, example.given, steps)
    page = card(LabState(Setup(), Remembered(t), index=1 + steps.index(planted)))
    assert page.within("b") == page.within("p") == [bad]
    assert page.within("code") == [f"dY1 = {bad}"]


# The picture in words, and the values as tables


@settings(max_examples=10)
@given(problems())
def test_the_tables_have_every_value_on_the_board_and_none_that_is_still_to_come(problem):
    for place in places(trace(problem)):
        shown = [*place.trace.given, *(step.name for step in place.trace.steps[: place.index])]
        found = tables(place)
        assert [name for name, _, _ in found] == shown
        for (name, *shape), rows in found.items():
            value = np.atleast_2d(place.trace[name])
            assert shape == [*map(str, value.shape)]
            assert np.allclose([[*map(typed_number, row)] for row in rows], value, rtol=1e-5, atol=0)
    Page(words.table(place))


@settings(max_examples=25)
@given(problems())
def test_the_picture_is_told_as_its_step_with_every_value_of_it(problem):
    start, *others = places(trace(problem))
    given_values = "Board at the start of iteration 0: X, y, the weights, the biases and the learning rate."
    assert words.alt_text(start) == given_values
    for place in others:
        step = place.step
        rows = "; ".join(", ".join(map(format_number, row)) for row in np.atleast_2d(step.value).tolist())
        at = f"Board at iteration 0, step {place.index} of {len(place.trace.steps)}, {step.phase}"
        assert words.alt_text(place) == f"{at}: {step.name} = {step.code}, which gives {rows}."


def test_zero_is_0_and_never_minus_0_in_words_and_tables():
    place = Stepper(step="dY1").place
    dY1 = place.trace["dY1"]
    assert np.signbit(dY1[dY1 == 0]).any(), "the gate turns some gradients into -0.0"
    assert not re.search(r"[-−]0(?!\.|\d)", words.alt_text(place) + words.table(place))


# Numbers that have overflowed


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_said_on_the_way_through_an_overflow_breaks_or_warns(activation):
    """A warning, which is an error here, would land under the cell."""
    way = [trained(Setup("diverging", 1, activation=activation).problem(), 0)]
    while math.isfinite(way[-1]["L"]):
        way.append(trained(way[-1].problem, 1))
    for t in [*way[-31:-1:3], way[-1], trained(way[-1].problem, 1), trained(way[-1].problem, 2)]:
        for place in places(t):
            card(place, [t["L"], t["L"]])
            assert words.alt_text(place)
            assert tables(place)


def test_overflowed_numbers_are_said_as_they_are():
    place = places(trained(with_numbers(Setup().problem(), X=[[np.nan] * 3, [-np.inf, 1, 2]]), 0))[1]
    assert tables(place)["X", "2", "3"] == [["nan", "nan", "nan"], ["−inf", "1", "2"]]
    assert "nan" in words.alt_text(place)
