"""The step-through lab without a browser: what its controls, keys and messages do, and that everything shown agrees."""

import ast
import asyncio
import base64
import html
import io
import json
import math
import re
import sys
import time
from dataclasses import replace
from itertools import count
from threading import Event, Thread

import ipywidgets as widgets
import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from PIL import Image
from problems import identical
from test_stepper import plainly_planted

from backprop_lab import MISTAKES, ReLU, plant, random_problem, trace, worked_example
from backprop_lab.layers import ACTIVATIONS
from backprop_lab.number_format import format_number
from backprop_lab.ui import StepThrough
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.page.copy_button import CopyButton
from backprop_lab.ui.steps import lab as step_through
from backprop_lab.ui.steps import player
from backprop_lab.ui.steps.lab import BESIDE_BOARD, PARTS
from backprop_lab.ui.steps.player import SPEEDS
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import SIZES, STARTS, all_active, dead_relu, diverging

PAGE = {"width": 860, "height": 1000, "ratio": 1.0, "dark": False}
STEPS = [step.name for step in trace(worked_example()).steps]
MARKUP = "<img src=x onerror=alert(1)>"


def opened(page=PAGE, **options):
    """A lab that is on a page."""
    lab = StepThrough(**options)
    lab._heard("page", page)
    return lab


def parts_of(widget, hidden=False):
    """Every widget inside, with whether it is hidden by itself or by what is around it."""
    hidden = hidden or widget.layout.display == "none"
    yield widget, hidden
    for child in getattr(widget, "children", ()):
        yield from parts_of(child, hidden)


def button(lab, label):
    """The button that a learner would press."""
    (found,) = [
        part for part, _ in parts_of(lab)
        if isinstance(part, widgets.Button | widgets.ToggleButton) and part.description == label
    ]  # fmt: skip
    return found


def press(lab, *labels):
    for label in labels:
        button(lab, label).click()


def shown(lab, description):
    """The control with this label, if it can be seen."""
    found = [part for part, hidden in parts_of(lab) if getattr(part, "description", None) == description and not hidden]
    return found[0] if found else None


def words_in(lab):
    """All HTML that the lab shows."""
    return [part.value for part, _ in parts_of(lab) if isinstance(part, widgets.HTML | widgets.HTMLMath)]


def said(lab):
    """The note above the board, in plain words."""
    return html.unescape(re.sub(r"<[^>]+>", "", lab._note.value))


def is_refusal(lab):
    return "bpl-refused" in lab._note.value


def at(lab):
    place = lab.stepper.place
    return place.iteration, place.step.name if place.step else None


def same_place(one, other):
    """Whether two labs show the same: setup, iteration, step, mistake, and every number to the last bit."""
    a, b = one.stepper.place, other.stepper.place
    same = (a.setup, a.iteration, a.index, a.mistake) == (b.setup, b.iteration, b.index, b.mistake)
    return same and a.trace.names == b.trace.names and all(identical(a.trace[n], b.trace[n]) for n in a.trace.names)


def reopened(lab):
    """The lab that the call shown would open."""
    return eval(lab.call(), {"StepThrough": StepThrough})


def click_on(lab, name, i, j):
    lab._heard("cell", {"cell": [name, i, j], "pinned": True})


# Opening


def test_it_opens_on_the_worked_example_and_says_press_next():
    lab = StepThrough()
    assert at(lab) == (0, None)
    assert "Press <b>Next</b>" in lab._card.value
    assert lab.call() == "StepThrough()"


@pytest.mark.parametrize(
    ("options", "iteration", "problem"),
    [
        ({"seed": 3, "lr": 0.1, "iteration": 2, "step": "dW1"}, 2, random_problem(3, lr=0.1)),
        ({"step": "L"}, 0, worked_example()),
        ({"start": "worked example", "lr": 0.02, "iteration": 7}, 7, replace(worked_example(), lr=0.02)),
        ({"start": "dead ReLU", "seed": 4}, 0, dead_relu(random_problem(4))),
        ({"start": "all active", "seed": 4, "iteration": 101}, 101, all_active(random_problem(4))),
        ({"start": "diverging", "step": "y_pred"}, 0, diverging(random_problem(0))),
        (
            {"samples": 5, "inputs": 1, "hidden": 2, "layers": 3, "outputs": 4, "step": "dW4"},
            0,
            random_problem(0, 5, 1, [2] * 3, 4),
        ),
        ({"activation": "Tanh", "seed": 1}, 0, random_problem(1, activation=ACTIVATIONS["Tanh"])),
    ],
)  # fmt: skip
def test_it_opens_exactly_where_it_is_told_to(options, iteration, problem):
    lab = opened(**options)
    for _ in range(iteration):
        problem = trace(problem).next_problem()
    assert at(lab) == (iteration, options.get("step"))
    for name, value in {"X": problem.X, "y": problem.y, **problem.network.parameters}.items():
        assert identical(lab.stepper.place.trace[name], value)
    assert lab._lr_field.value == f"{problem.lr:.4g}"
    assert lab._view.index == ([s[0] for s in lab._view.steps].index(options["step"]) + 1 if "step" in options else 0)


def test_it_opens_with_a_mistake_in_every_iteration_up_to_the_one_it_is_told():
    lab = StepThrough(seed=1, mistake="mask-forgotten", lr=0.01, iteration=3, step="dY1")
    assert at(lab) == (3, "dY1")
    problem = random_problem(1, lr=0.01)
    for _ in range(3):
        problem = plant(trace(problem), MISTAKES["mask-forgotten"], "dY1").next_problem()
    assert identical(lab.stepper.place.trace["W1"], problem.network.parameters["W1"])
    assert lab._mistake.value == "mask-forgotten"
    assert "dY1 = dH1</code>" in lab._card.value


@pytest.mark.parametrize(
    ("options", "helps"),
    [
        ({"hide": ["sed"]}, "hide takes any of start, seed, lr, play, predict, more, call; got 'sed'"),
        ({"hide": "seed"}, "hide takes any of"),
        ({"mistake": "typo"}, "there is no mistake 'typo'; choose one of mask-forgotten"),
        ({"mistake": "transpose-forgotten"}, "cannot be planted here"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"start": "nowhere"}, "start must be one of"),
        ({"lr": 0}, "learning rate must be a positive"),
        ({"iteration": -1}, "iteration must be a whole number"),
        ({"step": "dX"}, "step must be one of"),
        ({"hidden": 9}, "hidden must be a whole number from 1 to 8"),
        ({"activation": "relu"}, "activation must be one of"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_with_what_would(options, helps):
    with pytest.raises(ValueError, match=re.escape(helps)):
        StepThrough(**options)


def test_the_constructor_draws_nothing_and_neither_does_a_step_before_a_page_is_there(monkeypatch):
    made = []

    def board(*arguments, **options):
        made.append(options)
        return Board(*arguments, **options)

    monkeypatch.setattr(step_through, "Board", board)
    lab = StepThrough(seed=2, iteration=3, step="dW1")
    press(lab, "Next", "Back", "Next phase", "Next iteration", "Restart")
    assert made == []
    assert lab._view.picture == b""
    lab._heard("page", PAGE)
    assert made == [{"width": 860, "height": 1000 - BESIDE_BOARD, "ratio": 1.0, "dark": False, "large": False}]
    press(lab, *["Next"] * 20)
    lab._seed.value = 9
    assert len(made) == 1, "the same board shows other numbers of the same shapes"


# The call that opens it again


def wander(lab, rng):
    """Some gestures, none of which types over a number, changes the learning rate on the way or plants a mistake."""
    for _ in range(rng.integers(1, 12)):
        what = rng.integers(9)
        if what == 0:
            lab._seed_field.value = str(rng.integers(1000))
        elif what == 1:
            lab._start.value = str(rng.choice(list(STARTS)))
        elif what == 2:
            name = str(rng.choice(list(SIZES)))
            lab._sizes[name].value = int(rng.integers(1, SIZES[name] + 1))
        elif what == 3:
            lab._activation.value = str(rng.choice(list(ACTIVATIONS)))
        elif what == 4:
            press(lab, "Restart")
            lab._lr_field.value = f"{10 ** rng.uniform(-6, 0):.3g}"
        elif what == 5:
            lab._heard("jump", {"index": int(rng.integers(len(lab._view.steps)))})
        else:
            press(lab, str(rng.choice(["Next", "Back", "Next phase", "Next iteration", "Next iteration"])))


@pytest.mark.parametrize("seed", range(15))
def test_the_call_shown_reopens_the_lab_as_it_stands(seed):
    lab = StepThrough()
    wander(lab, np.random.default_rng(seed))
    again = reopened(lab)
    assert same_place(lab, again), lab.call()
    assert again.call() == lab.call()


@pytest.mark.parametrize("mistake", ["mask-forgotten", "lr-forgotten", "updated-weights", "bias-forgotten"])
def test_the_call_shown_reopens_a_planted_mistake_too(mistake):
    lab = StepThrough(seed=1, lr=0.01)
    lab._mistake.value = mistake
    press(lab, *["Next iteration"] * 3, *["Next"] * 8)
    assert same_place(lab, reopened(lab))


def test_the_call_shown_reopens_a_training_whose_learning_rate_was_changed_or_says_that_it_cannot():
    lab = StepThrough(seed=1, lr=0.1)
    press(lab, *["Next iteration"] * 3)
    lab._lr_field.value = "0.001"
    press(lab, "Next iteration")
    beside_the_call = lab._call.value.replace(html.escape(lab.call()), "")
    assert same_place(lab, reopened(lab)) or "learning rate" in beside_the_call


def test_the_call_shown_has_what_is_hidden_and_large():
    lab = StepThrough(seed=5, hide=["seed", "call"], large=True)
    assert lab.call() == "StepThrough(start='random', seed=5, hide=['seed', 'call'], large=True)"
    again = reopened(lab)
    assert (again._hidden, again._large) == (("seed", "call"), True)


def test_the_call_is_plain_python_whatever_numbers_it_was_opened_with():
    lab = StepThrough(seed=np.int64(3), lr=np.float64(0.1), iteration=np.int64(2), hidden=np.int32(5))
    tree = ast.parse(lab.call(), mode="eval")
    assert {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} == {"StepThrough"}
    assert same_place(lab, reopened(lab))


def test_the_call_shown_copies_with_one_click_and_follows_every_step():
    lab = StepThrough()
    for _ in range(3):
        press(lab, "Next")
        assert html.unescape(lab._call.value) == f'<code class="bpl-call">{lab.call()}</code>'
        assert lab._copy_call.text == lab.call()
    assert isinstance(lab._copy_call, CopyButton)
    assert "step='y_pred'" in lab.call()


# Controls


def controls(lab):
    kinds = (
        widgets.Button, widgets.ToggleButton, widgets.Dropdown, widgets.Text, widgets.BoundedIntText, widgets.IntSlider,
        widgets.FloatLogSlider,
    )  # fmt: skip
    return [part for part, _ in parts_of(lab) if isinstance(part, kinds)]


def test_each_control_has_a_tooltip():
    without = [part.description for part in controls(StepThrough()) if not part.tooltip]
    assert without == []


def test_each_control_has_a_name_that_a_screen_reader_can_say():
    """Except the handle of a slider, which ipywidgets cannot label: the field beside it has a label."""
    lab = StepThrough()
    nameless = [part for part in controls(lab) if not part.description]
    assert nameless == [lab._seed, lab._lr]
    for slider, field in [(lab._seed, lab._seed_field), (lab._lr, lab._lr_field)]:
        (pair,) = [part for part, _ in parts_of(lab) if slider in getattr(part, "children", ())]
        assert pair.children == (field, slider)


def test_buttons_do_what_they_say():
    lab = StepThrough(lr=0.01)
    for label, place in [
        ("Next", (0, "Y1")), ("Next", (0, "H1")), ("Back", (0, "Y1")), ("Next phase", (0, "y_pred")),
        ("Next iteration", (1, "y_pred")), ("Next phase", (1, "L")), ("Next phase", (1, "db1")), ("Restart", (0, None)),
    ]:  # fmt: skip
        press(lab, label)
        assert at(lab) == place


def test_a_slider_and_its_field_show_and_set_the_same():
    lab = StepThrough(start="random")
    lab._seed.value = 7
    assert (lab._seed_field.value, lab.stepper.place.setup.seed) == ("7", 7)
    lab._seed_field.value = "12"
    assert (lab._seed.value, lab.stepper.place.setup.seed) == (12, 12)
    lab._lr.value = 0.1
    assert (lab._lr_field.value, lab.stepper.place.lr) == ("0.1", 0.1)
    lab._lr_field.value = "1e-3"
    assert (lab._lr.value, lab.stepper.place.lr, lab._lr_field.value) == (0.001, 0.001, "0.001")


def test_a_seed_beyond_the_slider_can_be_typed_and_stretches_it():
    lab = StepThrough()
    lab._seed_field.value = "123456"
    assert (lab._seed.value, lab._seed.max, lab.stepper.place.setup.seed) == (123456, 123456, 123456)
    lab._seed_field.value = "3"
    assert (lab._seed.value, lab._seed.max) == (3, 100)


@pytest.mark.parametrize("lr", [1e-9, 0.123456, 55.0, 1e-6, 10.0])
def test_a_learning_rate_between_or_beyond_the_steps_of_the_slider_stays_as_it_was_typed(lr):
    lab = StepThrough()
    lab._lr_field.value = repr(lr)
    assert lab.stepper.place.lr == lr
    lab._lr.value = min(
        max(10 ** (round(math.log10(lr) / 0.05) * 0.05), 1e-6), 10
    )  # what the page's slider rounds it to
    assert lab.stepper.place.lr == lr
    press(lab, "Next")
    assert lab.stepper.place.lr == lr
    assert lab._lr_field.value == f"{lr:.4g}"


def test_the_learning_rate_keeps_the_place_and_the_seed_starts_over():
    lab = StepThrough(start="random", iteration=2, step="dW1")
    lab._lr.value = 0.1
    assert at(lab) == (2, "dW1")
    lab._seed.value = 9
    assert at(lab) == (0, "dW1")


@pytest.mark.parametrize("start", STARTS)
def test_each_starting_point_of_the_menu_can_be_chosen_and_gone_back_to(start):
    lab = opened(start="diverging", seed=2)
    before = lab._view.picture
    lab._start.value = start
    assert (lab.stepper.place.start, at(lab), is_refusal(lab)) == (start, (0, None), False)
    assert (lab._view.picture == before) == (start == "diverging")
    lab._start.value = "diverging"
    assert lab.stepper.place.start == "diverging"
    assert tuple(lab._start.options) == tuple(STARTS)


def test_the_worked_example_can_be_chosen_from_the_last_step_of_a_deeper_network():
    lab = opened(layers=3, step="b4_new")
    lab._start.value = "worked example"
    assert lab.stepper.place.start == "worked example"
    assert not is_refusal(lab), said(lab)
    press(lab, "Next", "Back")
    assert not is_refusal(lab), said(lab)


@pytest.mark.parametrize("name", SIZES)
def test_a_size_is_set_by_its_field_and_the_board_lays_itself_out_anew(name):
    lab = opened(start="random")
    before = lab._view.boxes
    lab._sizes[name].value = 3 if name != "inputs" else 5
    assert getattr(lab.stepper.place.setup, name) == lab._sizes[name].value
    assert lab._view.boxes != before
    picture = Image.open(io.BytesIO(lab._view.picture))
    assert picture.size == (lab._board.width, lab._board.height)


def test_the_more_button_opens_the_drawer():
    lab = StepThrough()
    assert shown(lab, "planted mistake") is None
    button(lab, "More").value = True
    assert shown(lab, "planted mistake") is lab._mistake
    button(lab, "More").value = False
    assert shown(lab, "planted mistake") is None


@pytest.mark.parametrize(
    "mistake",
    [m for m in MISTAKES.values() if m.possible_at(trace(random_problem(1, 3, 3, [3, 3], 3)))],
    ids=lambda m: m.name,
)
def test_every_mistake_of_the_menu_can_be_planted_by_hand(mistake):
    lab = StepThrough(seed=1, samples=3, inputs=3, hidden=3, layers=2, outputs=3)
    lab._mistake.value = mistake.name
    assert not is_refusal(lab), said(lab)
    for place in mistake.planted_at(trace(lab.stepper.first_problem)):
        lab._heard("jump", {"index": [name for name, _ in lab._view.steps].index(place) + 1})
        assert html.escape(f"{place} = {mistake.wrong_line(lab.stepper.place.trace, place)}") in lab._card.value
        assert html.escape(mistake.title) in lab._card.value


def test_the_menu_of_mistakes_has_each_of_them_and_none():
    assert [value for _, value in StepThrough()._mistake.options] == ["", *MISTAKES]


def test_a_mistake_that_finds_no_room_is_refused_and_the_menu_goes_back():
    lab = StepThrough()
    lab._mistake.value = "transpose-forgotten"
    assert is_refusal(lab)
    assert "the shapes would not fit" in said(lab)
    assert (lab._mistake.value, lab.stepper.place.mistake) == ("", "")


HIDDEN = {
    "start": ["start"],
    "seed": ["seed"],
    "lr": ["learning rate"],
    "play": ["Play", "speed"],
    "predict": ["Predict first"],
    "more": ["More"],
    "call": [],
}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_hidden_is_not_there_and_everything_else_is(part):
    lab = StepThrough(hide=[part])
    for other, descriptions in HIDDEN.items():
        for description in descriptions:
            assert (shown(lab, description) is None) == (other == part), description
    (call_is_hidden,) = [hidden for widget, hidden in parts_of(lab) if widget is lab._call]
    assert call_is_hidden == (part == "call")
    press(lab, "Next", "Back", "Restart")
    assert not is_refusal(lab)


def test_a_large_lab_is_drawn_for_the_back_row():
    usual, large = (
        opened({**PAGE, "width": 3000, "height": 3000}),
        opened({**PAGE, "width": 3000, "height": 3000}, large=True),
    )
    assert large._board.cell_width > 1.3 * usual._board.cell_width
    assert "bpl-large" in large._dom_classes
    assert "bpl-large" not in usual._dom_classes


# What is refused


RUBBISH = {
    "seed": ["abc", "", "-1", "1.5", "1e3", "nan", "9" * 5000, MARKUP],
    "learning rate": ["abc", "", "-1", "0", "nan", "inf", "1,5", "9" * 400, "9" * 5000, MARKUP],
    "new value:": ["abc", "nan", "inf", "1,5", "9" * 400, "9" * 5000, MARKUP],
    "or its value": ["abc", "nan", "1,5", "++", "9" * 400, MARKUP],
}


def field_of(lab, description):
    """A text field, at a place where it can be seen."""
    if description == "new value:":
        click_on(lab, "X", 0, 0)
    if description == "or its value":
        lab._predict.value = True
        press(lab, "Next")
    return shown(lab, description)


@pytest.mark.parametrize(
    ("field", "text"), [(field, text) for field, texts in RUBBISH.items() for text in texts], ids=lambda v: v[:12]
)
def test_rubbish_typed_into_a_field_is_refused_with_a_sentence_and_nothing_changes(field, text):
    lab = StepThrough(seed=3, lr=0.1, iteration=1, step="L")
    control = field_of(lab, field)
    place, before = lab.stepper.place, control.value
    control.value = "7.5e" if text == before else text
    if text == "":
        control.value = " "
    assert is_refusal(lab)
    assert re.search(r"such as|or with a number", said(lab)), "it says what would be right"
    assert "Something went wrong" not in said(lab)
    assert lab.stepper.place is place
    assert control.value == before, "the field shows what is, not what was refused"
    press(lab, "Next")
    assert not is_refusal(lab)


@pytest.mark.parametrize("field", RUBBISH)
def test_markup_typed_into_a_field_is_words_and_no_markup_wherever_it_shows(field):
    lab = opened(seed=3, step="L")
    field_of(lab, field).value = MARKUP
    assert MARKUP in said(lab)
    assert not any("<img" in value for value in words_in(lab))


def test_a_handler_that_breaks_says_so_in_the_lab_and_the_lab_goes_on(monkeypatch):
    lab = opened(step="L")
    with monkeypatch.context() as patched:
        patched.setattr(step_through.words, "card", lambda *_: {}["<b>no card</b>" * (1 // 0)])
        press(lab, "Next")
    assert is_refusal(lab)
    assert said(lab).startswith("Something went wrong inside the lab (ZeroDivisionError: ")
    press(lab, "Next")
    assert not is_refusal(lab)
    assert at(lab) == (0, "dH1")
    assert "dH1 = " in lab._card.value


def broken(*_, **__):
    raise RuntimeError("broken <i>on purpose</i>")


GESTURES = {
    "a button": lambda lab: press(lab, "Next"),
    "a slider": lambda lab: setattr(lab._seed, "value", 50),
    "a field": lambda lab: setattr(lab._lr_field, "value", "0.5"),
    "a menu": lambda lab: setattr(lab._start, "value", "diverging"),
    "a size": lambda lab: setattr(lab._sizes["hidden"], "value", 7),
    "a key": lambda lab: lab._heard("key", {"key": "ArrowRight"}),
    "the timeline": lambda lab: lab._heard("jump", {"index": 9}),
    "the pointer": lambda lab: lab._heard("cell", {"cell": ["X", 0, 0], "pinned": False}),
    "a click": lambda lab: click_on(lab, "W1", 1, 1),
    "the switch to predict": lambda lab: setattr(lab._predict, "value", True),
}


@pytest.mark.parametrize("gesture", GESTURES)
def test_no_gesture_swallows_an_exception(gesture, monkeypatch):
    lab = opened(start="random", step="L")
    monkeypatch.setattr(step_through.StepThrough, "_show_footer", broken)
    GESTURES[gesture](lab)
    reason = "RuntimeError: broken <i>on purpose</i>"
    assert said(lab) == f"Something went wrong inside the lab ({reason}). Please report it."
    assert "<i>" not in lab._note.value


@pytest.mark.parametrize(("toggle", "breaks"), [("Values as a table", "words.table"), ("As NumPy", "numpy_script")])
def test_a_switch_that_breaks_says_so_in_the_lab_too(toggle, breaks, monkeypatch):
    lab = opened()
    monkeypatch.setattr(f"backprop_lab.ui.steps.lab.{breaks}", broken)
    button(lab, toggle).value = True
    assert said(lab).startswith("Something went wrong inside the lab (RuntimeError: ")


def test_a_page_that_breaks_the_board_says_so_in_the_lab(monkeypatch):
    lab = StepThrough()
    monkeypatch.setattr(step_through, "Board", broken)
    lab._heard("page", PAGE)
    assert said(lab).startswith("Something went wrong inside the lab (RuntimeError: ")


def test_a_step_takes_the_same_work_however_many_iterations_there_were():
    """Counted in calls of functions, of which there are as many on every machine."""
    work = []
    for iteration in (300, 3000):
        lab = opened(lr=1e-5, iteration=iteration)
        press(lab, "Next", "Next", "Back", "Back")  # all glyphs are there
        calls = count()
        sys.setprofile(lambda *_, calls=calls: next(calls))
        try:
            press(lab, "Next")
        finally:
            sys.setprofile(None)
        work.append(next(calls))
    assert work[1] < 1.2 * work[0]


# The board on the page


def test_the_picture_is_that_of_the_board_and_its_boxes_are_where_the_pointer_finds_them():
    lab = opened({**PAGE, "ratio": 2.0, "dark": True}, start="random", step="dW1")
    place = lab.stepper.place
    board = Board(place.trace, width=860, height=1000 - BESIDE_BOARD, ratio=2.0, dark=True)
    board.draw(place.trace, place.index, lab.stepper.losses)
    assert lab._view.picture == board.png()
    assert lab._view.boxes == board.boxes_on_page()


def test_another_width_density_or_theme_of_the_page_draws_the_same_state_anew():
    lab = opened(seed=3, step="dH1")
    pictures = [lab._view.picture]
    for change in (
        {"width": 500},
        {"width": 500, "ratio": 2.0},
        {"width": 500, "ratio": 2.0, "dark": True},
        {"height": 600},
    ):
        lab._heard("page", {**PAGE, **change})
        assert at(lab) == (0, "dH1")
        pictures.append(lab._view.picture)
    assert len(set(pictures)) == 5


def test_a_window_lower_than_the_controls_still_shows_a_board():
    lab = opened({**PAGE, "height": 200})
    assert Image.open(io.BytesIO(lab._view.picture)).size[1] > 100


def test_each_picture_has_a_number_of_its_own():
    lab = opened()
    numbers = [lab._view.frame]
    for _ in range(3):
        press(lab, "Next")
        numbers.append(lab._view.frame)
    assert len(set(numbers)) == 4


def test_the_picture_is_told_in_words_that_change_with_the_step():
    lab = opened()
    told = [lab._view.alt]
    for _ in range(15):
        press(lab, "Next")
        told.append(lab._view.alt)
    assert len(set(told)) == 16
    assert "Y1 = X @ W1 + b1" in told[1]


def test_the_timeline_has_every_step_with_its_phase_and_jumps_to_it():
    lab = opened()
    assert lab._view.steps == [[s.name, s.phase] for s in lab.stepper.place.trace.steps]
    for index, (name, _) in enumerate(lab._view.steps, start=1):
        lab._heard("jump", {"index": index})
        assert (at(lab), lab._view.index) == ((0, name), index)


def test_all_that_goes_to_the_page_can_be_sent():
    """Numbers of NumPy's own kinds cannot be put into JSON."""
    lab = opened(start="diverging", step="L")
    click_on(lab, "X", 0, 0)
    for part, _ in parts_of(lab):
        state = part.get_state()
        json.dumps({key: value for key, value in state.items() if not isinstance(value, bytes)})


# Cells and keys


def test_a_cell_under_the_pointer_is_worked_out_and_framed():
    lab = opened(step="b1_new")
    before = lab._view.picture
    lab._heard("cell", {"cell": ["dW1", 1, 2], "pinned": False})
    assert "dW1[1,2] = X[0,1]·dY1[0,2] + X[1,1]·dY1[1,2]" in html.unescape(lab._worked.value)
    assert lab._view.picture != before
    lab._heard("cell", {"cell": None, "pinned": False})
    assert (lab._worked.value, lab._view.picture) == ("", before)


def test_a_click_pins_a_cell_and_only_what_is_given_can_be_typed_over():
    lab = opened(step="b1_new")
    given = {"X": True, "y": True, "W2": True, "b1": True}
    for name, editable in {**given, "Y1": False, "dW1": False, "lr": False, "slope of H1": False}.items():
        click_on(lab, name, 0, 0)
        assert lab._view.pinned
        assert (shown(lab, "new value:") is not None) == editable, name
    lab._heard("cell", {"cell": ["X", 0, 0], "pinned": False})
    assert shown(lab, "new value:") is None


def test_a_pointer_on_a_matrix_that_has_shrunk_meanwhile_does_no_harm():
    lab = opened(start="random", hidden=8)
    lab._sizes["hidden"].value = 2
    lab._heard("cell", {"cell": ["W1", 0, 7], "pinned": True})
    assert (lab._worked.value, is_refusal(lab)) == ("", False)
    press(lab, "Next")
    assert not is_refusal(lab)


def test_a_number_typed_over_makes_the_state_custom_and_restart_brings_it_back():
    lab = opened(step="L")
    picture, card = lab._view.picture, lab._card.value
    click_on(lab, "X", 1, 2)
    shown(lab, "new value:").value = "-0.5"
    assert lab.stepper.place.trace["X"][1, 2] == -0.5
    assert (lab._start.value, at(lab)) == ("custom", (0, "L"))
    assert "X[1,2] = −0.5 (given)" in lab._worked.value
    assert shown(lab, "new value:").value == ""
    press(lab, "Restart")
    assert lab._start.value == "worked example"
    assert "custom" not in lab._start.options
    press(lab, *["Next"] * 4)
    assert (lab._view.picture, lab._card.value) == (picture, card)


def test_arrows_step_and_choose_a_matrix_and_enter_opens_its_cells():
    lab = opened()

    def key(*names):
        for name in names:
            lab._heard("key", {"key": name})
        return lab.stepper.place.cell

    key("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft")
    assert at(lab) == (0, "H1")
    assert key("Enter") == ("H1", 0, 0)
    assert lab._view.pinned
    assert key("ArrowRight") == ("H1", 0, 1)
    assert key("ArrowDown") == ("H1", 1, 1)
    assert key("ArrowUp", "ArrowLeft", "ArrowLeft") == ("H1", 0, 0)
    assert at(lab) == (0, "H1"), "inside a matrix the arrows walk and do not step"
    assert key("Escape") is None
    assert key("ArrowDown") == ("X", 0, 0)
    assert key("ArrowDown") == ("y", 0, 0)
    assert key("ArrowUp", "ArrowUp") == ("H1", 0, 0)
    assert key("Enter") == ("H1", 0, 0)
    assert lab._view.pinned
    assert key("Enter") == ("H1", 0, 0)
    assert not lab._view.pinned
    key("End")
    assert at(lab) == (0, "b2_new")
    key("Home")
    assert at(lab) == (0, None)
    assert key("Enter") == ("X", 0, 0)


def test_keys_do_the_same_as_buttons():
    by_key, by_button = opened(), opened()
    for _ in range(18):
        by_key._heard("key", {"key": "ArrowRight"})
        press(by_button, "Next")
        assert by_key._view.picture == by_button._view.picture
    assert at(by_key) == (1, "H1")


# Predict first


def test_a_gradient_is_asked_for_before_it_is_shown_and_the_answer_is_judged_and_counted():
    lab = opened(step="L")
    assert shown(lab, "or its value") is None
    button(lab, "Predict first").value = True
    press(lab, "Next")
    assert shown(lab, "or its value") is not None
    name, i, j = re.search(r"Predict (\w+)\[(\d),(\d)\]", lab._question.value).groups()
    assert (name, at(lab)) == ("dy_pred", (0, "L"))
    value = lab.stepper.place.trace["dy_pred"][int(i), int(j)]
    press(lab, "+" if value > 0 else "−")
    assert at(lab) == (0, "dy_pred")
    assert said(lab).startswith("Right: dy_pred[")
    assert said(lab).endswith("1 of 1 right so far.")
    assert shown(lab, "or its value") is None
    press(lab, "Next")
    shown(lab, "or its value").value = "12345"
    assert at(lab) == (0, "dH1")
    assert said(lab).startswith("1.234e+04 is not right: dH1[")
    assert said(lab).endswith("1 of 2 right so far.")


def test_a_question_frames_its_cell_and_does_not_give_the_answer_away():
    lab = opened(step="L")
    before = lab._view.picture
    lab._predict.value = True
    press(lab, "Next")
    assert lab._view.picture != before
    name, i, j = lab.stepper.place.question
    value = lab.stepper.place.trace[name][i, j]
    for text in [*words_in(lab), lab._view.alt]:
        if "bpl-call" not in text:
            assert format_number(value) not in text
            assert f"{value:.3g}" not in text


@pytest.mark.parametrize("blank", [" ", "  "])
def test_a_blank_is_refused_in_a_sentence_and_the_question_stays(blank):
    lab = opened(step="L")
    lab._predict.value = True
    press(lab, "Next")
    question = lab.stepper.place.question
    lab._guess.value = blank
    assert is_refusal(lab)
    assert said(lab).startswith("answer with +, - or 0")
    assert lab.stepper.place.question == question
    assert lab._guess.value == ""


def test_next_shows_the_step_without_an_answer():
    lab = opened(step="L")
    lab._predict.value = True
    press(lab, "Next", "Next")
    assert at(lab) == (0, "dy_pred")
    assert "so far" not in said(lab)


# Notes


def test_divergence_is_said_with_its_iteration_and_the_lab_goes_on():
    lab = opened(start="diverging", seed=3)
    while not said(lab):
        press(lab, "Next iteration")
    assert f"The loss overflowed at iteration {lab.stepper.place.iteration}:" in said(lab)
    for label in ("Next", "Next phase", "Next iteration", "Back", "Next phase", "Next phase"):
        press(lab, label)
        assert "overflowed at iteration" in said(lab)
        assert not is_refusal(lab)
    press(lab, "Restart")
    assert said(lab) == ""


def test_a_dead_layer_is_warned_of_once_it_is_on_the_board():
    lab = opened(start="random", hidden=1, inputs=1, samples=1, seed=next(
        seed for seed in count() if not trace(random_problem(seed, 1, 1, 1))["H1"].any()
    ))  # fmt: skip
    press(lab, "Next")
    assert said(lab) == ""
    press(lab, "Next")
    assert said(lab).startswith("Every unit of H1 is off for every sample")
    press(lab, "Back")
    assert said(lab) == ""


def test_a_note_is_announced_to_screen_readers():
    lab = opened()
    lab._seed_field.value = "x"
    assert 'role="status"' in lab._note.value


# More


def test_the_values_can_be_had_as_tables_that_follow_the_step():
    lab = opened(step="Y1")
    assert lab._shown_table.value == ""
    button(lab, "Values as a table").value = True
    assert "<caption>Y1, 2 by 4</caption>" in lab._shown_table.value
    assert "<caption>H1" not in lab._shown_table.value
    press(lab, "Next")
    assert "<caption>H1, 2 by 4</caption>" in lab._shown_table.value
    button(lab, "Values as a table").value = False
    assert lab._shown_table.value == ""


def test_the_step_can_be_had_as_numpy_and_copied():
    lab = opened(start="random", iteration=2)
    assert shown(lab, "As NumPy") is None, "it is behind More"
    assert lab._copy_script.layout.display == "none"
    button(lab, "More").value = True
    shown(lab, "As NumPy").value = True
    script = numpy_script(lab.stepper.place.trace)
    assert html.unescape(re.sub(r"</?pre[^>]*>", "", lab._shown_script.value)) == script
    assert lab._copy_script.text == script
    assert lab._copy_script.layout.display is None
    press(lab, "Next iteration")
    assert lab._copy_script.text == numpy_script(lab.stepper.place.trace) != script
    shown(lab, "As NumPy").value = False
    assert (lab._shown_script.value, lab._copy_script.text) == ("", "")


# Without a kernel


def test_where_no_kernel_is_the_lab_is_a_picture_of_the_board_and_where_one_is_it_is_alive():
    lab = StepThrough(seed=3, step="dW1")
    bundle = lab._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.model_id
    assert data["text/plain"].startswith("StepThrough(")
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    image.load()
    place = lab.stepper.place
    board = Board(place.trace, width=1000)
    board.draw(place.trace, place.index, lab.stepper.losses)
    assert base64.b64decode(data["image/png"]) == board.png()
    assert image.size == (board.width, board.height)


def test_the_picture_for_where_no_kernel_is_is_of_the_state_at_that_time():
    lab = StepThrough(seed=3)
    first = lab._repr_mimebundle_()
    press(lab, "Next")
    assert lab._repr_mimebundle_() != first


def says(control, value):
    """What the page says when a learner moves a control."""
    control.comm.handle_msg({"content": {"data": {"method": "update", "state": {"value": value}}}})


def test_a_control_that_is_moved_while_another_is_answered_in_another_thread_stays_where_it_was_put(monkeypatch):
    lab = opened(start="random")
    answering, answer = Event(), lab._show_board

    def answer_slowly(place):
        answering.set()
        time.sleep(0.2)
        answer(place)

    monkeypatch.setattr(lab, "_show_board", answer_slowly)
    seed = Thread(target=says, args=(lab._seed, 3))
    seed.start()
    assert answering.wait(10)
    says(lab._lr, 0.1)
    seed.join()
    assert lab.stepper.place.setup.seed == lab._seed.value == 3
    assert lab.stepper.place.lr == lab._lr.value == 0.1
    assert (lab._seed_field.value, lab._lr_field.value) == ("3", "0.1")


# Play


def opened_at_full_speed():
    lab = opened(start="random")
    lab._speed.value = "as fast as it goes"
    return lab


def playing(lab, script):
    """Run an async test with the lab on a page that tells, as a browser does, which picture it shows."""
    lab._view.observe(lambda change: lab._heard("shown", {"frame": change.new}), "frame")
    playing_unseen(script)


def playing_unseen(script):
    """Run an async test on a page that tells nothing of the kind."""
    asyncio.run(asyncio.wait_for(script(), 20))


async def until(true):
    while not true():
        await asyncio.sleep(0.005)


def test_play_goes_on_by_itself_and_stops_when_it_is_pressed_again():
    lab = opened_at_full_speed()

    async def script():
        lab._play.value = True
        await until(lambda: lab.stepper.place.iteration >= 5)
        lab._play.value = False
        stopped = lab.stepper.place
        await asyncio.sleep(0.1)
        assert lab.stepper.place is stopped
        lab._play.value = True
        await until(lambda: lab.stepper.place.iteration >= stopped.iteration + 3)
        lab._play.value = False

    playing(lab, script)
    assert not is_refusal(lab)
    assert not lab._play.value


def test_play_pressed_again_at_once_goes_on():
    lab = opened_at_full_speed()

    async def script():
        lab._play.value = True
        await until(lambda: lab.stepper.place.iteration >= 2)
        lab._play.value = False
        lab._play.value = True
        before = lab.stepper.place.iteration
        await asyncio.sleep(0)
        await until(lambda: lab.stepper.place.iteration >= before + 3 or not lab._play.value)
        assert lab._play.value
        lab._play.value = False

    playing(lab, script)


@pytest.mark.parametrize("speed", SPEEDS)
def test_each_speed_moves_at_once_and_then_waits(speed, monkeypatch):
    move, pause = SPEEDS[speed]
    slept = []

    async def sleep(seconds, really=asyncio.sleep):
        slept.append(seconds)
        await really(0)

    lab = StepThrough(start="random")
    lab._speed.value = speed

    async def script():
        lab._play.value = True
        for _ in range(40):
            await asyncio.sleep(0)
        lab._play.value = False

    monkeypatch.setattr(player.asyncio, "sleep", sleep)
    playing(lab, script)
    moves = (
        lab.stepper.place.iteration
        if move == "next_iteration"
        else lab.stepper.place.iteration * 16 + lab.stepper.place.index
    )
    assert moves >= 2
    assert max(slept) == max(pause, 0.02)


def test_play_waits_for_the_page_and_so_never_falls_behind():
    lab = opened_at_full_speed()

    async def script():
        lab._play.value = True
        await asyncio.sleep(0.3)
        assert lab.stepper.place.iteration == 1, "the page has not shown it yet"
        lab._heard("shown", {"frame": lab._view.frame})
        await until(lambda: lab.stepper.place.iteration == 2)
        lab._play.value = False

    playing_unseen(script)


def test_play_goes_on_where_the_page_does_not_answer():
    lab = opened_at_full_speed()

    async def script():
        lab._play.value = True
        await until(lambda: lab.stepper.place.iteration >= 2)
        lab._play.value = False

    playing_unseen(script)


def test_play_waits_for_no_page_where_the_picture_stays_the_same(monkeypatch):
    monkeypatch.setattr("backprop_lab.ui.steps.player.PATIENCE", 1)
    lab = opened_at_full_speed()
    monkeypatch.setattr(lab._board, "png", lambda: b"always this")
    lab._view.show(b"always this")
    lab._heard("shown", {"frame": lab._view.frame})

    async def script():
        lab._play.value = True
        await until(lambda: lab.stepper.place.iteration >= 5)
        assert lab._play.value
        lab._play.value = False

    playing_unseen(script)


def test_play_stops_when_the_page_has_gone_for_long(monkeypatch):
    monkeypatch.setattr("backprop_lab.ui.steps.player.PATIENCE", 2)
    lab = opened_at_full_speed()

    async def script():
        lab._play.value = True
        await until(lambda: not lab._play.value)
        assert lab.stepper.place.iteration == 2
        await asyncio.sleep(0.1)
        assert lab.stepper.place.iteration == 2

    playing_unseen(script)


def test_play_ends_with_the_kernel_and_shows_it():
    lab = opened(start="random")

    async def script():
        lab._play.value = True
        await asyncio.sleep(0.05)

    playing(lab, script)
    assert not lab._play.value
    assert not is_refusal(lab)


def test_what_breaks_while_playing_is_said_and_can_be_stopped(monkeypatch):
    lab = opened_at_full_speed()

    async def script():
        lab._play.value = True
        await until(lambda: lab.stepper.place.iteration >= 1)
        with monkeypatch.context() as patched:
            patched.setattr(step_through.words, "card", broken)
            await until(lambda: is_refusal(lab))
            assert said(lab).startswith("Something went wrong inside the lab (RuntimeError: ")
        lab._play.value = False

    playing(lab, script)
    assert not lab._play.value


def test_the_controls_work_while_it_plays():
    lab = opened_at_full_speed()

    async def script():
        lab._play.value = True
        await until(lambda: lab.stepper.place.iteration >= 3)
        lab._lr_field.value = "0.005"
        iteration = lab.stepper.place.iteration
        await until(lambda: lab.stepper.place.iteration >= iteration + 2)
        assert lab.stepper.place.lr == 0.005
        lab._seed.value = 77
        await until(lambda: lab.stepper.place.iteration == 2)
        assert lab.stepper.place.setup.seed == 77
        lab._play.value = False

    playing(lab, script)


# 500 gestures in a row


SMALL = [1, 2, 3, 4]
PAGES = [
    {"width": 430, "height": 900, "ratio": 1.0, "dark": False},
    {"width": 380, "height": 900, "ratio": 1.25, "dark": True},
    {"width": 600, "height": 500, "ratio": 1.0, "dark": False},
]
TYPED = {"0.5": 0.5, "-2": -2, "1e3": 1000.0, " 7 ": 7, "rubbish": None, "nan": None, "": None}


KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Enter", "Escape"]
LABELS = ["Next", "Next", "Back", "Next phase", "Next iteration"]
ANSWERS = ["−", "0", "+", "exact", "far off", "rubbish"]
SOMEWHERE = st.integers(0, 99)
RATES = ["0.1", "0.002", "3", "1e-9", "0", "-1", "nan", "rubbish", ""]
STARTS_OVER = st.one_of(
    st.just(("press_a_button", "Restart")),
    st.tuples(st.just("slide_the_seed"), st.integers(0, 100)),
    st.tuples(st.just("type_a_seed"), st.sampled_from(["0", "5", "1234567", "-1", "2.5", "rubbish", ""])),
    st.tuples(st.just("choose_a_start"), st.sampled_from([*STARTS, "diverging"])),
    st.tuples(st.just("reach_into_the_drawer"), st.sampled_from([*SIZES, "layers"]), st.sampled_from(SMALL)),
    st.tuples(st.just("reach_into_the_drawer"), st.just("activation"), st.sampled_from(list(ACTIVATIONS))),
    st.tuples(st.just("reach_into_the_drawer"), st.just("mistake"), st.sampled_from(["", *MISTAKES])),
    st.tuples(st.just("reach_into_the_drawer"), st.just("mistake"), st.sampled_from(list(MISTAKES))),
    st.tuples(st.just("resize_the_page"), st.sampled_from(PAGES)),
)

# One strategy for all gestures, since Hypothesis would leave some rules out of each run. The first is the simplest.
KINDS = (
    st.just(("leave_the_board",)),
    *[st.tuples(st.just("press_a_button"), st.sampled_from(LABELS))] * 6,
    *[st.tuples(st.just("press_next_iteration"), st.integers(1, 6))] * 2,
    *[st.tuples(st.just("press_a_key"), st.sampled_from(KEYS))] * 2,
    *[st.tuples(st.just("press_a_key"), st.sampled_from(KEYS[:4]))] * 2,
    st.tuples(st.just("jump"), SOMEWHERE),
    st.tuples(st.just("point_at_a_cell"), SOMEWHERE, SOMEWHERE, SOMEWHERE, st.booleans()),
    st.tuples(st.just("click_and_type_over"), SOMEWHERE, SOMEWHERE, st.sampled_from(list(TYPED))),
    st.tuples(st.just("slide_the_learning_rate"), st.integers(0, 140)),
    st.tuples(st.just("type_a_learning_rate"), st.sampled_from(RATES)),
    st.tuples(st.just("switch_to_predict"), st.sampled_from([True, True, False])),
    *[st.tuples(st.just("answer"), st.sampled_from(ANSWERS))] * 2,
    st.tuples(st.just("be_asked_and_answer"), st.sampled_from(ANSWERS)),
    *[STARTS_OVER] * 2,
)
GESTURE = st.sampled_from(KINDS).flatmap(lambda kind: kind)


class Gestures(RuleBasedStateMachine):
    """A lab, and beside it a plain model of where it should be: one trace for each iteration, and the chosen cell."""

    @initialize()
    def open(self):
        self.lab = opened(PAGES[0])
        self.page, self.board, self.checks = PAGES[0], None, 0
        self.setup = {"start": "worked example", "seed": 0, **SIZES_OF_EXAMPLE, "activation": "ReLU"}
        self.mistake, self.custom = "", False
        self.predicting, self.right, self.asked = False, 0, 0
        self.train(worked_example())
        self.index = 0
        self.cell, self.pinned = None, False

    def teardown(self):
        self.lab.close()

    # The model

    def step(self, problem):
        with np.errstate(all="ignore"):
            return plainly_planted(MISTAKES[self.mistake], problem) if self.mistake else trace(problem)

    def finds_room(self, mistake, problem):
        with np.errstate(all="ignore"):
            right = trace(problem)
        wrong = [(MISTAKES[mistake].wrong_value(right, step.name), step.value) for step in right.steps]
        return any(value is not None and np.shape(value) == np.shape(true) for value, true in wrong)

    def train(self, problem):
        self.run, self.iteration = [self.step(problem)], 0
        self.question, self.refused = None, False
        self.note = "" if np.isfinite(self.trace["L"]) else "overflowed"
        with np.errstate(all="ignore"):
            if self.mistake and not self.note and not MISTAKES[self.mistake].possible_at(trace(problem)):
                self.note = "with these numbers, it changes nothing."

    @property
    def trace(self):
        return self.run[self.iteration]

    @property
    def names(self):
        return [step.name for step in self.trace.steps]

    @property
    def lr(self):
        return float(self.trace.problem.lr)

    def fresh(self, lr):
        """The problem of the setup."""
        sizes = {name: self.setup[name] for name in SIZES}
        problem = random_problem(
            self.setup["seed"], sizes["samples"], sizes["inputs"], [sizes["hidden"]] * sizes["layers"],
            sizes["outputs"], activation=ACTIVATIONS[self.setup["activation"]],
        )  # fmt: skip
        makes = {"random": lambda p: p, "dead ReLU": dead_relu, "diverging": diverging, "all active": all_active}
        problem = worked_example() if self.setup["start"] == "worked example" else makes[self.setup["start"]](problem)
        return problem if lr is None else replace(problem, lr=lr)

    def begin(self, lr, index):
        problem = self.fresh(lr)
        if self.mistake and not self.finds_room(self.mistake, problem):
            self.mistake = ""
        names = self.names
        self.train(problem)
        self.index = index if self.names == names else 0
        self.custom, self.cell, self.pinned = False, None, False

    def set_up(self, **changes):
        lr = None if "start" in changes else self.lr
        if "start" not in changes and self.setup["start"] == "worked example":
            changes["start"] = "random"
        self.setup |= changes
        if self.setup["start"] == "worked example":
            self.setup |= {"seed": 0, **SIZES_OF_EXAMPLE, "activation": "ReLU"}
        self.begin(lr, self.index if changes.keys() <= {"seed", "start"} else 0)

    def go(self, iteration, index):
        if iteration == len(self.run):
            self.run.append(self.step(self.run[-1].next_problem()))
        if not (self.pinned and index == self.index):
            self.cell, self.pinned = None, False
        self.iteration, self.index, self.question, self.refused = iteration, index, None, False
        self.note = "overflowed" if not np.isfinite(self.trace["L"]) else ""

    def set_lr(self, lr):
        if lr != self.lr:
            self.run[self.iteration :] = [self.step(replace(self.trace.problem, lr=lr))]
        self.go(self.iteration, self.index)

    def next(self):
        steps = self.trace.steps
        if (
            self.predicting
            and self.question is None
            and self.index < len(steps)
            and steps[self.index].phase == "backward"
        ):
            asked = re.search(r"Predict (\w+)\[(\d+),(\d+)\]", self.lab._question.value)
            self.question = (asked[1], int(asked[2]), int(asked[3]))
            assert self.question[0] == steps[self.index].name
            self.cell, self.pinned, self.note, self.refused = None, False, "", False
        elif self.index < len(steps):
            self.go(self.iteration, self.index + 1)
        else:
            self.go(self.iteration + 1, 0)

    def back(self):
        if self.index:
            self.go(self.iteration, self.index - 1)
        elif self.iteration:
            self.go(self.iteration - 1, len(self.trace.steps))

    def next_phase(self):
        steps = self.trace.steps
        if self.index == len(steps):
            self.next()
        else:
            phase = steps[self.index].phase
            self.go(self.iteration, max(k for k, step in enumerate(steps, start=1) if step.phase == phase))

    def computed(self):
        """The names on the board, in the order of the computation."""
        return [*self.trace.given, *self.names[: self.index]]

    def size_of(self, name):
        """Rows and columns of the matrix with this name on the board, or None if it is not there yet."""
        shown = self.computed()
        for _, X, Y, _ in self.trace.problem.network.stages:
            if name == f"slope of {Y}":
                return np.shape(self.trace[Y]) if f"d{X}" in shown else None
        return np.shape(np.atleast_2d(self.trace[name])) if name in shown else None

    def choose(self, cell, pinned):
        if cell is not None and self.size_of(cell[0]) is None:
            cell = None
        pinned = pinned and cell is not None
        if (cell, pinned) != (self.cell, self.pinned):
            self.cell, self.pinned, self.refused = cell, pinned, False

    def refuse(self):
        """The state stays, and a sentence replaces the note until the state changes."""
        self.refused = True

    # The gestures

    @rule(gesture=GESTURE)
    def make(self, gesture):
        what, *how = gesture
        getattr(self, what)(*how)

    def press_a_button(self, label):
        press(self.lab, label)
        if label == "Restart":
            self.begin(self.lr, None)
            self.index = 0
        elif label == "Next iteration":
            self.go(self.iteration + 1, self.index)
        else:
            {"Next": self.next, "Back": self.back, "Next phase": self.next_phase}[label]()

    def press_next_iteration(self, times):
        for _ in range(times):
            self.press_a_button("Next iteration")

    def jump(self, where):
        index = 1 + where % len(self.names)
        self.lab._heard("jump", {"index": index})
        self.go(self.iteration, index)

    def slide_the_seed(self, seed):
        self.lab._seed.value = seed
        if seed != self.setup["seed"]:
            self.set_up(seed=seed)

    def type_a_seed(self, text):
        self.lab._seed_field.value = text
        if not text.isdigit():
            self.refuse()
        elif int(text) != self.setup["seed"]:
            self.set_up(seed=int(text))

    def slide_the_learning_rate(self, tick):
        lr = 10 ** (-6 + 0.05 * tick)
        self.lab._lr.value = lr
        if abs(math.log10(lr) - math.log10(min(max(self.lr, 1e-6), 10))) > 0.02501:
            self.set_lr(self.lab._lr.value)

    def type_a_learning_rate(self, text):
        before = f"{self.lr:.4g}"
        self.lab._lr_field.value = text
        if text == before:
            return
        if re.fullmatch(r"[\d.e-]+", text) and float(text) > 0:
            self.set_lr(float(text))
        else:
            self.refuse()

    def choose_a_start(self, start):
        self.lab._start.value = start
        if self.custom or start != self.setup["start"]:
            self.set_up(start=start)

    def reach_into_the_drawer(self, name, value):
        if name == "mistake":
            self.lab._mistake.value = value
            problem = replace(self.run[0].problem, lr=self.lr)
            if value == self.mistake:
                return
            if value and not self.finds_room(value, problem):
                self.refuse()
                return
            self.mistake = value
            self.train(problem)
            return
        value = min(value, SIZES[name]) if name in SIZES else value
        (self.lab._activation if name == "activation" else self.lab._sizes[name]).value = value
        if value != self.setup[name]:
            self.set_up(**{name: value})

    def switch_to_predict(self, on):
        self.lab._predict.value = on
        if on == self.predicting:
            return
        self.predicting = on
        self.question, self.right, self.asked, self.note, self.refused = None, 0, 0, "", False

    def answer(self, answer):
        if self.question is None:
            return
        name, i, j = self.question
        value = float(self.trace[name][i, j])
        if answer in ("−", "0", "+"):
            press(self.lab, answer)
            right = {"−": -1, "0": 0, "+": 1}[answer] == (value > 0) - (value < 0) and not math.isnan(value)
        else:
            text = {"exact": repr(value), "far off": repr(3 * value - 7), "rubbish": "rubbish"}[answer]
            self.lab._guess.value = text
            if answer == "rubbish" or not math.isfinite(float(text)):
                self.refuse()
                return
            right = math.isclose(float(text), value, rel_tol=0.01) or text == format_number(value)
        self.go(self.iteration, self.index + 1)
        self.right, self.asked = self.right + right, self.asked + 1
        self.note = f"{self.right} of {self.asked} right so far."

    def be_asked_and_answer(self, answer):
        """Of the next gradient, wherever that is."""
        self.switch_to_predict(True)
        self.jump(self.names.index("L") if self.index < self.names.index("L") + 1 else self.index - 1)
        self.press_a_button("Next")
        self.answer(answer)

    def point_at_a_cell(self, box, i, j, click):
        name, *_, rows, cols = self.lab._view.boxes[box % len(self.lab._view.boxes)]
        cell = (name, i % rows, j % cols)
        self.lab._heard("cell", {"cell": list(cell), "pinned": click})
        self.choose(cell, click)

    def click_and_type_over(self, box, at, text):
        """On one of the matrices that can be typed over; often enough to be tried."""
        names = ["X", "y", *self.trace.problem.network.parameters]
        name = names[box % len(names)]
        rows, cols = self.size_of(name)
        cell = (name, at % rows, at % cols)
        click_on(self.lab, *cell)
        self.choose(cell, True)
        self.type_over_the_cell(text)

    def leave_the_board(self):
        self.lab._heard("cell", {"cell": None, "pinned": False})
        self.choose(None, False)

    def press_a_key(self, key):
        self.lab._heard("key", {"key": key})
        if key == "Escape":
            self.choose(None, False)
        elif key == "Enter":
            start = (self.names[self.index - 1], 0, 0) if self.index else ("X", 0, 0)
            self.choose(self.cell or start, not self.pinned)
        elif self.pinned and key.startswith("Arrow"):
            name, i, j = self.cell
            rows, cols = self.size_of(name)
            i += {"ArrowDown": 1, "ArrowUp": -1}.get(key, 0)
            j += {"ArrowRight": 1, "ArrowLeft": -1}.get(key, 0)
            self.choose((name, min(max(i, 0), rows - 1), min(max(j, 0), cols - 1)), True)
        elif key in ("ArrowUp", "ArrowDown"):
            shown = [name for name in self.computed() if name != "lr"]
            now = self.cell[0] if self.cell else self.names[self.index - 1] if self.index else None
            way = 1 if key == "ArrowDown" else -1
            self.choose((shown[(shown.index(now) + way) % len(shown) if now in shown else 0], 0, 0), False)
        elif key in ("Home", "End"):
            self.go(self.iteration, 0 if key == "Home" else len(self.names))
        else:
            {"ArrowRight": self.next, "ArrowLeft": self.back}[key]()

    def type_over_the_cell(self, text):
        if not (self.pinned and self.cell[0] in ("X", "y", *self.trace.problem.network.parameters)):
            return
        self.lab._cell_field.value = text
        if text == "":
            return
        if TYPED[text] is None:
            self.refuse()
            return
        name, i, j = self.cell
        problem = self.trace.problem
        array = np.array(self.trace[name])
        array[i, j] = TYPED[text]
        if name in ("X", "y"):
            problem = replace(problem, **{name: array})
        else:
            problem = replace(
                problem, network=problem.network.with_parameters(problem.network.parameters | {name: array})
            )
        self.custom = True
        self.train(problem)

    def resize_the_page(self, page):
        self.lab._heard("page", page)
        self.page, self.board = page, None

    # Whatever was done, all that is shown agrees

    @invariant()
    def everything_agrees(self):
        if not hasattr(self, "run"):
            return
        lab, t, setup = self.lab, self.trace, self.setup
        assert (lab._view.index, lab._view.pinned) == (self.index, self.pinned)
        assert lab._view.steps == [[step.name, step.phase] for step in t.steps]
        self.assert_the_words_agree()
        self.assert_the_note_agrees()

        assert lab._start.value == ("custom" if self.custom else setup["start"])
        assert lab._seed_field.value == str(lab._seed.value) == str(setup["seed"])
        assert lab._lr_field.value == f"{self.lr:.4g}"
        assert abs(math.log10(lab._lr.value) - math.log10(min(max(self.lr, 1e-6), 10))) < 0.0251
        assert {name: field.value for name, field in lab._sizes.items()} == {name: setup[name] for name in SIZES}
        assert (lab._activation.value, lab._mistake.value) == (setup["activation"], self.mistake)
        assert lab._predict.value == self.predicting
        assert (lab._guess.value, lab._cell_field.value) == ("", "")
        assert (lab._question_row.layout.display is None) == (self.question is not None)
        editable = self.pinned and self.cell[0] in ("X", "y", *t.problem.network.parameters)
        assert (lab._cell_field.layout.display is None) == editable
        self.assert_the_picture_agrees()

    def assert_the_words_agree(self):
        step = self.trace.steps[self.index - 1] if self.index else None
        card, alt = self.lab._card.value, self.lab._view.alt
        assert f"iteration {self.iteration}<" in card
        assert (html.escape(f"{step.name} = {step.code}") if step else "Press <b>Next</b>") in card
        assert f"iteration {self.iteration}" in alt
        if step:
            numbers = "; ".join(", ".join(map(format_number, row)) for row in np.atleast_2d(step.value).tolist())
            assert alt.endswith(f"{step.name} = {step.code}, which gives {numbers}.")
        worked = html.unescape(self.lab._worked.value)
        if self.cell:
            name, i, j = self.cell
            assert f">{name if name in ('L', 'lr') else f'{name}[{i},{j}]'} = " in worked
        else:
            assert worked == ""
        call = self.lab._copy_call.text
        assert (f"step={step.name!r}" in call) if step else ("step=" not in call)
        assert (f"iteration={self.iteration}" in call) if self.iteration else ("iteration=" not in call)

    def assert_the_note_agrees(self):
        note = said(self.lab)
        assert is_refusal(self.lab) == self.refused, note
        if self.refused:
            assert note
        elif self.note == "overflowed":
            first = next(k for k, t in enumerate(self.run) if not np.isfinite(t["L"]))
            assert note.startswith(
                f"The loss overflowed at iteration {first}:" if first else "The loss overflows at the"
            )
        elif self.note == "":
            dead = [
                Y for layer, _, Y, _ in self.trace.problem.network.stages
                if isinstance(layer, ReLU) and Y in self.computed() and (self.trace[Y] == 0).all()
            ]  # fmt: skip
            assert note.startswith(f"Every unit of {dead[0]} is off") if dead else note == ""
        else:
            assert note.endswith(self.note)

    def assert_the_picture_agrees(self):
        """It is drawn by a board that the lab knows nothing of, now and then by one that was never drawn on."""
        self.checks += 1
        if self.board is None or not self.board.fits(self.trace) or self.checks % 50 == 0:
            height = max(self.page["height"] - BESIDE_BOARD, 0)
            self.board = Board(self.trace, **(self.page | {"height": height}))
            self.drawn = None
        losses = tuple(float(t["L"]) for t in self.run[: self.iteration + 1])
        state = (self.trace, self.index, losses, self.question or self.cell)
        if self.drawn is None or self.drawn[0] is not state[0] or repr(self.drawn[1:]) != repr(state[1:]):
            self.board.draw(*state)
            self.drawn, self.picture = state, self.board.png()
        assert self.lab._view.picture == self.picture
        assert self.lab._view.boxes == self.board.boxes_on_page()


SIZES_OF_EXAMPLE = {"samples": 2, "inputs": 3, "hidden": 4, "layers": 1, "outputs": 2}


def test_500_random_gestures_in_a_row_leave_picture_card_timeline_and_controls_agreeing():
    """To see a failure made small, which takes minutes, add Phase.shrink."""
    run_state_machine_as_test(
        Gestures,
        settings=settings(
            max_examples=3, stateful_step_count=500, deadline=None, derandomize=True, phases=[Phase.generate]
        ),
    )
