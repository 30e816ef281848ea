"""The words of the lab: that the card, the picture's text and the tables say what is on the board, and nothing else."""

import html
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import problems

from backprop_lab import MISTAKES, Problem, trace
from backprop_lab.layers import ACTIVATIONS
from backprop_lab.number_format import MINUS, format_number
from backprop_lab.ui.steps import remarks, words
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.stepper import LabState, Stepper
from backprop_lab.ui.values.explanations import explain


class Page(HTMLParser):
    """What a browser reads: every text with the tags and classes around it, and whether tags close as they should."""

    VOID = ("br", "img", "hr", "input")

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.open, self.texts = [], []
        self.feed(source)
        self.close()
        assert self.open == [], f"{self.open} left open in {source}"

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append((tag, dict(attrs).get("class", "")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.texts.append((data, *self.open))

    def within(self, name):
        """All text inside tags with this name or class."""
        return [text for text, *around in self.texts if any(name == tag or name in of.split() for tag, of in around)]


def places(problem):
    """Every place of one iteration."""
    t = trace(problem)
    return [LabState(Setup(), t, index=index) for index in range(len(t.steps) + 1)]


def tables(place):
    """What the tables say: {name: rows of texts}."""
    found = re.findall(r"<table><caption>(\w+), (\d+) by (\d+)</caption>(.*?)</table>", words.table(place))
    return {
        name: [
            [text.replace(MINUS, "-") for text in re.findall(r"<td>(.*?)</td>", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", body)
        ]
        for name, _, _, body in found
    }


# The card, and the remarks joined to it


def card(place, losses):
    """Everything below the board."""
    return words.card(place) + words.remarks_on(place, losses)


def test_the_first_card_says_press_next():
    page = Page(card(Stepper().place, []))
    assert "Press" in " ".join(page.within("p"))
    assert "Next" in page.within("b")
    assert page.within("bpl-chip") == ["start"]


def test_the_card_of_a_later_start_says_that_the_new_weights_moved_up():
    stepper = Stepper(iteration=2)
    page = Page(card(stepper.place, stepper.losses))
    assert "new weights have moved up" in "".join(page.within("p"))
    assert page.within("bpl-iteration") == ["iteration 2"]


@settings(max_examples=25)
@given(problems())
def test_the_card_says_phase_title_sentence_formula_line_and_shapes_of_the_step(problem):
    for place in places(problem)[1:]:
        step, page = place.step, Page(card(place, [1.0]))
        assert page.within("bpl-chip") == [step.phase]
        explanation = explain(step)
        assert explanation.title in page.within("b")
        assert page.within("p") == [explanation.sentence]
        assert page.within("code") == [f"{step.name} = {step.code}"]
        assert page.within("bpl-shapes") == [place.trace.shapes(step).replace("->", "→")]
        (formula,) = page.within("bpl-formula")
        assert formula == f"${explanation.latex}$"
        assert page.within("bpl-iteration") == ["iteration 0"]


def test_the_card_gives_the_shapes_as_the_rows_and_columns_that_meet():
    stepper = Stepper(step="dW1")
    assert Page(card(stepper.place, [1.0])).within("bpl-shapes") == ["(3, 2) @ (2, 4) → (3, 4)"]


@settings(max_examples=20)
@given(problems())
def test_the_card_of_a_gradient_has_its_proof(problem):
    for place in places(problem)[1:]:
        page = Page(card(place, [1.0]))
        proved, sentence = remarks.proof(place.trace, place.step)
        assert page.within("bpl-right") == ([f"✓ {sentence}"] if proved else [])
        assert page.within("bpl-wrong") == []


@pytest.mark.parametrize("mistake", ["mask-forgotten", "sign-flipped", "factor-two-dropped", "gradient-for-weights"])
def test_the_card_of_a_planted_mistake_has_its_line_its_reason_and_a_clear_refusal(mistake):
    stepper = Stepper(start="random", seed=1)
    stepper.plant(mistake)
    told = MISTAKES[mistake]
    place = told.possible_at(trace(stepper.first_problem))[0]
    while stepper.place.step is None or stepper.place.step.name != place:
        stepper.next()
    page = Page(card(stepper.place, stepper.losses))
    assert page.within("code") == [f"{place} = {told.wrong_line(stepper.place.trace, place)}"]
    assert told.title in page.within("b")
    assert page.within("p") == [told.cause.replace("`", "")]
    (refusal,) = page.within("bpl-wrong")
    assert refusal.startswith("✗ does not agree with ")
    assert page.within("bpl-right") == []


def test_the_card_names_dead_units_at_the_relu():
    stepper = Stepper(start="dead ReLU", seed=1)
    for name in ("H1", "dY1"):
        stepper = Stepper(start="dead ReLU", seed=1, step=name)
        assert "dead" in "".join(Page(card(stepper.place, [1.0])).within("bpl-remarks"))


def test_the_card_of_an_update_has_the_change_and_its_ratio():
    stepper = Stepper(start="random", lr=0.1, step="W2_new")
    said, _ = Page(card(stepper.place, [1.0])).within("bpl-remarks")
    assert said == remarks.on_update(stepper.place.trace, stepper.place.step)
    assert "times the size of W" in said


def test_the_card_of_the_loss_says_where_it_went():
    stepper = Stepper(start="random", lr=0.01, iteration=1, step="L")
    (said,) = Page(card(stepper.place, stepper.losses)).within("bpl-remarks")
    assert said == f"The loss went down, from {stepper.losses[0]:.6g} to {stepper.losses[1]:.6g}."


def test_no_title_sentence_or_line_can_bring_markup_into_the_card():
    stepper = Stepper(step="dY1")
    bad = "<img src=x onerror=alert(1)> & <b>"
    step = stepper.place.step._replace(title=bad, sentence=bad, code=bad, operands=())
    steps = tuple(step if s.name == "dY1" else s for s in stepper.place.trace.steps)
    t = type(stepper.place.trace)(stepper.place.trace.problem, stepper.place.trace.given, steps)
    place = LabState(Setup(), t, index=stepper.place.index)
    page = Page(card(place, [1.0]))
    assert "<img" not in words.card(place)
    assert page.within("p") == [bad]
    assert page.within("code") == [f"dY1 = {bad}"]


# The picture in words


def test_the_picture_at_the_start_is_told_as_what_is_given():
    assert words.alt_text(Stepper(iteration=3).place) == (
        "Board at the start of iteration 3: X, y, the weights, the biases and the learning rate."
    )


@settings(max_examples=25)
@given(problems())
def test_the_picture_is_told_as_its_step_with_every_value_of_it(problem):
    for place in places(problem)[1:]:
        step = place.step
        told = words.alt_text(place)
        assert told.startswith(f"Board at iteration 0, step {place.index} of {len(place.trace.steps)}, {step.phase}: ")
        assert f"{step.name} = {step.code}, which gives " in told
        numbers = told.partition("which gives ")[2].removesuffix(".")
        rows = [row.split(", ") for row in numbers.split("; ")]
        assert rows == [[format_number(v) for v in row] for row in np.atleast_2d(step.value).tolist()]


# The values as tables


@settings(max_examples=25)
@given(problems(), st.data())
def test_the_tables_have_what_is_on_the_board_and_nothing_that_is_still_to_come(problem, data):
    place = data.draw(st.sampled_from(places(problem)))
    found = tables(place)
    assert list(found) == [*place.trace.given, *(step.name for step in place.trace.steps[: place.index])]
    for name, rows in found.items():
        value = np.atleast_2d(place.trace[name])
        assert np.allclose(np.array(rows, dtype=float), value, rtol=1e-5, atol=0)


def test_a_table_says_its_name_and_size():
    assert "<caption>W1, 3 by 4</caption>" in words.table(Stepper().place)
    assert "<caption>L, 1 by 1</caption>" in words.table(Stepper(step="L").place)


def test_zero_is_0_and_never_minus_0_in_words_and_tables():
    stepper = Stepper(step="dY1")
    dY1 = stepper.place.trace["dY1"]
    assert np.signbit(dY1[dY1 == 0]).any(), "the gate turns some gradients into -0.0"
    assert not re.search(r"(?<![\d.])[-–−]0(\.0*)?(?![\d.])", words.alt_text(stepper.place))
    assert "-0" not in [text for row in tables(stepper.place)["dY1"] for text in row]


def test_the_tables_are_whole():
    for index in (0, 7, 15):
        stepper = Stepper()
        stepper.go_to(index)
        Page(words.table(stepper.place))


# Numbers that have overflowed


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_said_on_the_way_through_an_overflow_breaks_or_warns(activation):
    """A warning, which is an error here, would land under the cell."""
    stepper = Stepper(start="diverging", seed=1, activation=activation)
    while math.isfinite(stepper.place.trace["L"]):
        stepper.next_iteration()
    overflow = stepper.place.iteration
    stepper = Stepper(start="diverging", seed=1, activation=activation, iteration=max(0, overflow - 30))
    while stepper.place.iteration < overflow + 3:
        stepper.next_iteration()
        for index in range(len(stepper.place.trace.steps) + 1):
            stepper.go_to(index)
            Page(card(stepper.place, stepper.losses))
            words.alt_text(stepper.place)
            words.table(stepper.place)


def test_overflowed_numbers_are_said_as_they_are():
    p = Stepper(start="random").place.trace.problem
    X = p.X.copy()
    X[0], X[1, 0] = np.nan, -np.inf
    with np.errstate(all="ignore"):
        place = places(Problem(p.network, p.loss, X, p.y, p.lr))[1]
    assert tables(place)["X"][0] == ["nan", "nan", "nan"]
    assert tables(place)["X"][1][0] == "-inf"
    assert "nan" in words.alt_text(place)


def test_html_is_escaped_once():
    stepper = Stepper(step="dY1")
    assert html.escape("dY1 = dH1 * (H1 > 0)") in words.card(stepper.place)
    assert "&amp;gt;" not in words.card(stepper.place)
