"""The step-through lab without a browser: what its controls, keys and messages do, and that everything shown agrees."""

import asyncio
import base64
import gc
import json
import math
import re
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import product
from threading import Event, Thread

import ipywidgets as widgets
import numpy as np
import pytest
from common import button, count, kept, parts_of, plain, raises, same_values
from matplotlib.figure import Figure

from backprop_lab import MISTAKES
from backprop_lab.layers import ACTIVATIONS
from backprop_lab.sweeping import Sweep
from backprop_lab.tracing import Trace
from backprop_lab.ui import LearningRateLab, MistakeLab, StepThrough
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.rates.run_map import RunMap
from backprop_lab.ui.steps import lab as step_through
from backprop_lab.ui.steps import player, remarks, words
from backprop_lab.ui.steps.lab import BESIDE_BOARD, PARTS
from backprop_lab.ui.steps.player import SPEEDS
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import SIZES, STARTS
from backprop_lab.ui.steps.stepper import Stepper
from backprop_lab.ui.values.one_cell import work_out

PAGE = {"width": 430, "height": 900, "ratio": 1.0, "dark": False}
MARKUP = "<img src=x onerror=alert(1)>"
SIZE_LABELS = {name: name for name in SIZES} | {"hidden": "hidden units", "layers": "hidden layers"}


def opened(page=PAGE, **options):
    """A lab that is on a page."""
    lab = StepThrough(**options)
    lab._heard("page", page)
    return lab


def control(lab, label):
    """The control with this label; the sliders, whose fields carry the labels, by a name of their own."""
    sliders = {"seed slider": lab._seed, "learning rate slider": lab._lr}
    return sliders.get(label) or next(part for part, _ in parts_of(lab) if getattr(part, "description", "") == label)


def do(lab, what, *how):
    """A gesture: to press a button, to set a control to a value, or what the page tells of the board and the keys."""
    if what == "press":
        button(lab, *how).click()
    elif what == "set":
        control(lab, how[0]).value = how[1]
    elif what == "page":
        lab._heard("page", *how)
    else:
        if what == "key while pinned":
            what, lab.stepper.place = "key", replace(lab.stepper.place, cell=("Y1", 1, 1), pinned=True)
        names = {"key": ["key"], "jump": ["index"], "cell": ["cell", "pinned"]}
        lab._heard(what, dict(zip(names[what], how, strict=True)))


def press(lab, *labels):
    for label in labels:
        do(lab, "press", label)


def is_seen(lab, label):
    return any(getattr(part, "description", None) == label and not hidden for part, hidden in parts_of(lab))


def said(lab):
    """The note above the board, in plain words."""
    return plain(lab._note.value)


def is_refusal(lab):
    return "bpl-refused" in lab._note.value


# What each gesture asks of the stepper

ASKS = {
    ("press", "Restart"): ("restart",),
    ("press", "Back"): ("back",),
    ("press", "Next"): ("next",),
    ("press", "Next phase"): ("next_phase",),
    ("press", "Next iteration"): ("next_iteration",),
    ("set", "start", "diverging"): ("set_up", ("start", "diverging")),
    ("set", "seed slider", 7): ("set_up", ("seed", 7)),
    ("set", "seed", "123456"): ("set_up", ("seed", 123456)),
    ("set", "learning rate slider", 0.1): ("set_lr", 0.1),
    ("set", "learning rate", " 1e-3"): ("set_lr", 0.001),
    **{("set", label, SIZES[name]): ("set_up", (name, SIZES[name])) for name, label in SIZE_LABELS.items()},
    ("set", "activation", "Tanh"): ("set_up", ("activation", "Tanh")),
    ("set", "planted mistake", "mask-forgotten"): ("plant", "mask-forgotten"),
    ("set", "Predict first", True): ("predict", True),
    **{("press", sign): ("answer", sign) for sign in "−0+"},
    ("set", "or its value", "5"): ("answer", "5"),
    ("set", "new value:", "−0.5"): ("edit", -0.5),
    ("jump", 9): ("go_to", 9),
    ("cell", ("X", 0, 1), False): ("choose", ("X", 0, 1), False),
    ("cell", ("X", 0, 1), True): ("choose", ("X", 0, 1), True),
    ("cell", None, False): ("choose", None, False),
    ("key", "ArrowRight"): ("next",),
    ("key", "ArrowLeft"): ("back",),
    ("key", "ArrowDown"): ("choose_matrix", 1),
    ("key", "ArrowUp"): ("choose_matrix", -1),
    ("key", "Home"): ("go_to", 0),
    ("key", "End"): ("go_to", 15),
    ("key", "Enter"): ("choose", ("H1", 0, 0), ("pinned", True)),
    ("key", "Escape"): ("choose", None),
    ("key while pinned", "ArrowRight"): ("walk", 0, 1),
    ("key while pinned", "ArrowLeft"): ("walk", 0, -1),
    ("key while pinned", "ArrowDown"): ("walk", 1, 0),
    ("key while pinned", "ArrowUp"): ("walk", -1, 0),
    ("key while pinned", "Enter"): ("choose", ("Y1", 1, 1), ("pinned", False)),
}
METHODS = {method for method, *_ in ASKS.values()}


@pytest.fixture
def asked(monkeypatch):
    """What is asked of steppers, which record it and stay where they are."""
    asked = []

    def recorder(method):
        return lambda _, *given, **named: asked.append((method, *given, *named.items()))

    for method in METHODS:
        monkeypatch.setattr(Stepper, method, recorder(method))
    return asked


@pytest.mark.parametrize("gesture", ASKS, ids=str)
def test_each_gesture_asks_the_stepper_for_what_it_says(gesture, asked):
    lab = StepThrough(start="random", step="H1")
    do(lab, *gesture)
    assert asked == [ASKS[gesture]]


@pytest.mark.parametrize("gesture", [*ASKS, ("set", "Values as a table", True), ("page", PAGE)], ids=str)
def test_no_gesture_swallows_an_exception(gesture, monkeypatch):
    broken = raises(RuntimeError("broken <i>on purpose</i>"))
    for method in METHODS:
        monkeypatch.setattr(Stepper, method, broken)
    lab = StepThrough(start="random", step="H1")
    monkeypatch.setattr(step_through.words, "table", broken)
    monkeypatch.setattr(step_through, "Board", broken)
    do(lab, *gesture)
    reason = "RuntimeError: broken <i>on purpose</i>"
    assert said(lab) == f"Something went wrong inside the lab ({reason}). Please report it."
    assert is_refusal(lab)
    assert "<i>" not in lab._note.value


# Whatever was done, all that is shown is of one place

ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]
TYPED = ["0.5", "-2", "1e3", " 7 ", "12", "0", "rubbish", "nan", ""]


def any_gesture(rng, lab):
    """One of any kind, with sense or without."""

    def some(*choices):
        return choices[rng.integers(len(choices))]

    place, (name, *_, rows, cols) = lab.stepper.place, some(*lab._view.boxes)
    if place.question and rng.random() < 0.7:
        return some(("press", some(*"−0+")), ("set", "or its value", some(*TYPED)))
    if place.predicting and rng.random() < 0.3:
        return "press", "Next"
    if place.pinned and rng.random() < 0.3:
        return "set", "new value:", some(*TYPED)
    return some(
        *[("press", some("Next", "Back", "Next phase", *["Next iteration"] * 3))] * 15,
        *[("key", some(*ARROWS, *ARROWS, "Home", "End", "Enter", "Escape"))] * 10,
        *[("cell", [name, some(*range(rows)), some(*range(cols))], some(True, False))] * 8,
        *[("jump", some(*range(1, len(place.trace.steps) + 1)))] * 4,
        *[("set", "Predict first", some(True, True, False))] * 4,
        *[("set", "learning rate slider", 10 ** (-6 + 0.05 * some(*range(141))))] * 2,
        ("cell", None, False),
        ("press", "Restart"),
        ("set", "start", some(*STARTS)),
        ("set", "seed slider", some(*range(101))),
        ("set", "seed", some(*TYPED, "1234567")),
        ("set", "learning rate", some(*TYPED)),
        ("set", some(*SIZE_LABELS.values()), some(1, 2, 3)),
        ("set", "activation", some(*ACTIVATIONS)),
        ("set", "planted mistake", some("", *MISTAKES)),
        *[("set", some("Values as a table", "As NumPy"), some(True, False))] * 2,
        ("page", some(PAGE, PAGE | {"width": 380, "ratio": 1.25, "dark": True}, PAGE | {"width": 600, "height": 200})),
    )  # fmt: skip


def assert_all_is_of_one_place(lab):
    place, setup = lab.stepper.place, lab.stepper.place.setup
    assert lab._card.value == words.card(place)
    assert lab._view.alt == words.alt_text(place)
    assert (lab._view.index, lab._view.pinned) == (place.index, place.pinned)
    assert lab._view.steps == [[step.name, step.phase] for step in place.trace.steps]
    assert plain(lab._worked.value) == (str(work_out(place.trace, place.cell)) if place.cell else "")
    expected = {
        "start": place.start, "seed": str(setup.seed), "seed slider": setup.seed, "learning rate": f"{place.lr:.4g}",
        **{label: getattr(setup, name) for name, label in SIZE_LABELS.items()}, "activation": setup.activation,
        "planted mistake": place.mistake, "Predict first": place.predicting, "or its value": "", "new value:": "",
    }  # fmt: skip
    assert {label: control(lab, label).value for label in expected} == expected
    assert lab._start.options == (*STARTS, *["custom"] * place.custom)
    assert lab._seed.max == max(100, setup.seed), "the slider stretches to what was typed"
    slider = min(max(math.log10(place.lr), -6), 1)
    assert math.log10(lab._lr.value) == pytest.approx(slider, abs=0.0251)
    assert is_seen(lab, "new value:") == (place.pinned and place.cell[0] in {*place.trace.given} - {"lr"})
    for label in ("or its value", *"−0+"):
        assert is_seen(lab, label) == bool(place.question)
    if place.question:
        asks = "Predict {}[{},{}], framed on the board: what is its sign, or its value?".format(*place.question)
        assert plain(lab._question.value) == asks
    if not is_refusal(lab):
        assert said(lab) == (place.note or remarks.all_dead(place.trace, place.index))
    assert lab._shown_table.value == (words.table(place) if lab._table.value else "")
    assert lab._copy_script.text == (numpy_script(place.trace) if lab._script.value else "")
    assert plain(lab._shown_script.value) == lab._copy_script.text
    assert (lab._copy_script.layout.display is None) == lab._script.value


def assert_a_fresh_board_and_the_call_agree(lab, page):
    place = lab.stepper.place
    assert lab._remarks.value == words.remarks_on(place, lab.stepper.losses)
    board = Board(place.trace, **page | {"height": max(page["height"] - BESIDE_BOARD, 0)})
    board.draw(place.trace, place.index, lab.stepper.losses, place.question or place.cell)
    assert (lab._view.picture, lab._view.boxes) == (board.png(), board.boxes_on_page())
    call = lab._copy_call.text
    assert plain(lab._call.value).startswith(call)
    if place.custom:
        assert "without the numbers you changed" in lab._call.value
    elif lab.stepper.lr_changed:
        assert "uses this learning rate from the start; here it was changed" in lab._call.value
    else:
        assert plain(lab._call.value) == call
        again = eval(call, {"StepThrough": StepThrough}).stepper.place
        for part in ("setup", "iteration", "index", "mistake"):
            assert getattr(again, part) == getattr(place, part)
        assert same_values(again.trace, place.trace)


def test_whatever_is_done_all_that_is_shown_is_of_one_place():
    rng, page, done = np.random.default_rng(4), PAGE, []
    lab = opened()
    for turn in range(count(3000)):
        gesture = any_gesture(rng, lab)
        done.append(gesture)
        before = lab.stepper.place
        do(lab, *gesture)
        page = gesture[1] if gesture[0] == "page" else page
        try:
            assert "Something went wrong" not in said(lab)
            assert not is_refusal(lab) or lab.stepper.place is before
            assert_all_is_of_one_place(lab)
            if turn % 10 == 0 or lab.stepper.place.question not in (None, before.question):
                assert_a_fresh_board_and_the_call_agree(lab, page)
        except AssertionError as wrong:
            wrong.add_note(f"after {done}")
            raise
    print(f"{len(done)} gestures")  # noqa: T201


# Opening


def test_to_hide_what_there_is_not_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match="hide takes any of start, seed, lr, play, predict, more, call; got 'sed'"):
        StepThrough(hide=["sed"])
    for lab, wrong in product((StepThrough, MistakeLab), (None, "play", 3, ["play", 3], [["play"]])):
        got = repr(wrong[-1] if isinstance(wrong, list) else wrong)
        with pytest.raises(ValueError, match=rf"^hide takes any of start, seed, lr, .*; got {re.escape(got)}$"):
            lab(hide=wrong)
    assert StepThrough(hide=(part for part in PARTS))._hidden == PARTS


def test_a_message_from_the_page_that_makes_no_sense_is_refused_and_breaks_nothing():
    lab = opened(step="dW1")
    for kind, message in [("jump", {"index": 1.5}), ("cell", {"cell": ["X", 0.5, 0], "pinned": True})]:
        lab._heard(kind, message)
        assert lab.stepper.place.step.name == "dW1"
    press(lab, "Next")
    assert lab.stepper.place.step.name == "db1"


def test_neither_the_constructor_nor_a_step_draws_before_a_page_is_there_and_then_one_board_serves(monkeypatch):
    made = []
    monkeypatch.setattr(step_through, "Board", lambda *given, **named: made.append(named) or Board(*given, **named))
    lab = StepThrough(seed=2, iteration=3, step="dW1", large=True)
    press(lab, "Next", "Back", "Next phase", "Next iteration", "Restart")
    assert (made, lab._view.picture) == ([], b"")
    lab._heard("page", PAGE)
    press(lab, *["Next"] * 20)
    lab._seed.value = 9
    assert made == [PAGE | {"height": PAGE["height"] - BESIDE_BOARD, "large": True}]


def test_the_call_shown_has_what_is_hidden_and_large_and_is_plain_python_whatever_numbers_it_was_opened_with():
    lab = StepThrough(seed=np.int64(3), lr=np.float64(0.1), iteration=np.int64(2), hide=["seed", "call"], large=True)
    call = "StepThrough(start='random', seed=3, lr=0.1, iteration=2, hide=['seed', 'call'], large=True)"
    assert lab.call() == repr(lab) == call
    assert "bpl-large" in lab._dom_classes
    for part, _ in parts_of(lab):
        state = part.get_state()
        json.dumps({name: value for name, value in state.items() if not isinstance(value, bytes)})


HIDDEN = {
    "start": ["start"], "seed": ["seed"], "lr": ["learning rate"], "play": ["Play", "speed"],
    "predict": ["Predict first"], "more": ["More"],
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_what_is_hidden_is_not_there_and_everything_else_is(part):
    lab = StepThrough(hide=[part])
    for other, labels in HIDDEN.items():
        for label in labels:
            assert is_seen(lab, label) == (other != part)
    hidden = dict(parts_of(lab))
    assert hidden[lab._call] == hidden[lab._copy_call] == (part == "call")
    press(lab, "Next", "Back", "Restart")
    assert not is_refusal(lab)


def test_where_no_kernel_is_the_lab_is_a_picture_of_the_board_and_where_one_is_it_is_alive():
    lab = StepThrough(seed=3, step="dH1")
    press(lab, "Next")
    data = kept(lab)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.model_id
    assert data["text/plain"].startswith("StepThrough(")
    board = Board(lab.stepper.place.trace, width=1000)
    board.draw(lab.stepper.place.trace, lab.stepper.place.index, lab.stepper.losses)
    assert base64.b64decode(data["image/png"]) == board.png()


# Controls


def test_each_control_has_a_tooltip_and_a_name_that_a_screen_reader_can_say():
    """Except the handle of a slider, which ipywidgets cannot label: the field beside it has a label."""
    lab = StepThrough()
    kinds = widgets.Button | widgets.ToggleButton | widgets.Dropdown | widgets.Text | widgets.BoundedIntText
    kinds |= widgets.IntSlider | widgets.FloatLogSlider
    controls = [part for part, _ in parts_of(lab) if isinstance(part, kinds)]
    assert [part.description for part in controls if not part.tooltip] == []
    assert [part for part in controls if not part.description] == [lab._seed, lab._lr]
    for field, slider in [(lab._seed_field, lab._seed), (lab._lr_field, lab._lr)]:
        assert any(getattr(part, "children", ()) == (field, slider) for part, _ in parts_of(lab))


def test_each_menu_has_all_there_is():
    lab = StepThrough()
    assert [value for _, value in lab._mistake.options] == ["", *MISTAKES]
    assert (lab._activation.options, lab._speed.options) == (tuple(ACTIVATIONS), tuple(SPEEDS))


@pytest.mark.parametrize("lr", [1e-9, 0.123456, 55.0, 1e-6, 10.0])
def test_a_learning_rate_between_or_beyond_the_steps_of_the_slider_stays_as_it_was_typed(lr):
    lab = StepThrough()
    lab._lr_field.value = repr(lr)
    assert lab.stepper.place.lr == lr
    lab._lr.value = min(max(10 ** (round(math.log10(lr) / 0.05) * 0.05), 1e-6), 10)  # as the page's slider rounds it
    press(lab, "Next")
    assert (lab.stepper.place.lr, lab._lr_field.value) == (lr, f"{lr:.4g}")


def test_the_more_button_opens_and_closes_the_drawer():
    lab = StepThrough()
    for on in (False, True, False):
        lab._more.value = on
        for label in ("hidden units", "planted mistake", "As NumPy"):
            assert is_seen(lab, label) == on


RUBBISH = {
    "seed": ["abc", " ", "-1", "1.5", "1e3", "nan", "9" * 5000, MARKUP],
    "learning rate": ["abc", " ", "-1", "0", "nan", "inf", "1,5", "9" * 400, "9" * 5000, MARKUP],
    "new value:": ["abc", " ", "nan", "inf", "1,5", "9" * 400, "9" * 5000, MARKUP],
    "or its value": ["abc", " ", "nan", "1,5", "++", "9" * 400, MARKUP],
}


@pytest.mark.parametrize("field", RUBBISH)
def test_rubbish_typed_into_a_field_is_refused_with_a_sentence_and_nothing_changes(field):
    lab = opened(seed=3, lr=0.1, iteration=1, step="L")
    if field == "new value:":
        do(lab, "cell", ["X", 0, 0], True)
    if field == "or its value":
        lab._predict.value = True
        press(lab, "Next")
    place, before = lab.stepper.place, control(lab, field).value
    for text in RUBBISH[field]:
        do(lab, "set", field, text)
        assert is_refusal(lab)
        assert 'role="status"' in lab._note.value, "a screen reader says it"
        assert "such as" in said(lab), "it says what would be right"
        assert "Something went wrong" not in said(lab)
        assert lab.stepper.place is place
        assert control(lab, field).value == before, "the field shows what is, not what was refused"
    assert MARKUP in said(lab)
    assert "<img" not in lab._note.value
    press(lab, "Next")
    assert not is_refusal(lab)


# Messages from the page


def says(part, value):
    """What the page says when a learner moves a control."""
    part.comm.handle_msg({"content": {"data": {"method": "update", "state": {"value": value}}}})


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


@pytest.fixture
def waits(monkeypatch):
    """How long was waited: in these tests, no time at all."""
    waits = []

    async def sleep(seconds, really=asyncio.sleep):
        waits.append(seconds)
        await really(0)

    monkeypatch.setattr(player.asyncio, "sleep", sleep)
    return waits


def playing(lab, script, speed="as fast as it goes"):
    """Run an async test while the lab plays."""

    async def played():
        lab._speed.value = speed
        lab._play.value = True
        await script()

    asyncio.run(asyncio.wait_for(played(), 20))


async def until(true):
    while not true():
        await asyncio.sleep(0)


async def turns(number):
    for _ in range(number):
        await asyncio.sleep(0)


def test_play_goes_on_until_it_is_pressed_again_and_meanwhile_the_controls_work(waits):
    lab = StepThrough(start="random")

    async def script():
        await until(lambda: lab.stepper.place.iteration >= 5)
        lab._play.value = False
        stopped = lab.stepper.place
        await turns(50)
        assert lab.stepper.place is stopped
        lab._play.value = True
        lab._play.value = False
        lab._play.value = True  # pressed again at once, it goes on
        lab._lr_field.value = "0.005"
        await until(lambda: lab.stepper.place.iteration >= stopped.iteration + 3)
        assert lab.stepper.place.lr == 0.005
        lab._seed.value = 77
        await until(lambda: lab.stepper.place.iteration == 2)
        assert (lab.stepper.place.setup.seed, lab._play.value) == (77, True)

    playing(lab, script)
    assert not lab._play.value, "it ends with the kernel, and the button shows it"
    assert not is_refusal(lab)


@pytest.mark.parametrize("speed", SPEEDS)
def test_each_speed_moves_at_once_and_then_waits(speed, waits, asked):
    lab = StepThrough()
    playing(lab, lambda: until(lambda: len(asked) >= 3), speed)
    move, pause = SPEEDS[speed]
    assert {*asked} == {(move,)}
    assert {*waits} - {0} == {max(pause, 0.02)}


@pytest.mark.parametrize("gesture", [
    ("press", "Restart"), ("set", "start", "dead ReLU"), ("set", "samples", 5), ("set", "hidden layers", 2),
    ("set", "activation", "Tanh"),
])  # fmt: skip
def test_play_ends_with_a_restart_a_new_start_or_another_network(gesture, waits):
    lab = StepThrough(start="random")

    async def script():
        await until(lambda: lab.stepper.place.iteration >= 3)
        do(lab, *gesture)
        assert not lab._play.value
        await turns(50)
        assert lab.stepper.place.iteration == 0

    playing(lab, script)


def test_play_ends_where_the_loss_overflows(waits):
    lab = StepThrough(start="random", lr=10.0, iteration=1)
    playing(lab, lambda: until(lambda: not lab._play.value))
    first = lab.stepper.place.iteration
    assert f"overflowed at iteration {first}:" in said(lab)
    playing(lab, lambda: until(lambda: not lab._play.value))
    assert lab.stepper.place.iteration == first


@pytest.mark.parametrize("wrong", [0, -1, 9, 99])
def test_a_size_that_there_is_not_is_refused_in_a_sentence_and_the_field_set_back(wrong):
    lab = StepThrough(start="random")
    do(lab, "set", "samples", wrong)
    assert is_refusal(lab)
    assert said(lab) == f"samples must be a whole number from 1 to 8; got {wrong}"
    assert control(lab, "samples").value == len(lab.stepper.place.trace["X"]) == 2


def test_play_waits_for_the_page_to_show_each_picture(waits):
    lab = opened(start="random")

    async def script():
        await until(lambda: lab.stepper.place.iteration)
        for _ in range(3):
            before = lab._view.frame
            await turns(50)
            assert lab._view.frame == before, "the page has not shown it yet"
            lab._heard("shown", {"frame": before})
            await until(lambda: lab._view.frame > before)  # noqa: B023

    playing(lab, script)


def test_play_goes_on_where_the_page_does_not_answer_but_stops_when_it_has_gone_for_long(waits, monkeypatch):
    monkeypatch.setattr(player, "PATIENCE", 3)
    lab = opened(start="random")
    playing(lab, lambda: until(lambda: not lab._play.value))
    assert lab.stepper.place.iteration == 3
    assert waits.count(0.01) == 300


def test_a_picture_that_stays_the_same_is_not_waited_for(waits, monkeypatch):
    monkeypatch.setattr(player, "PATIENCE", 1)
    lab = opened(start="random")
    monkeypatch.setattr(lab._board, "png", lambda: lab._view.picture)
    lab._heard("shown", {"frame": lab._view.frame})
    playing(lab, lambda: until(lambda: lab.stepper.place.iteration >= 5))


def test_what_breaks_while_playing_is_said_and_then_the_lab_goes_on_and_can_be_stopped(waits, monkeypatch):
    lab = StepThrough(start="random")

    async def script():
        with monkeypatch.context() as patched:
            patched.setattr(step_through.words, "card", raises(RuntimeError("on purpose")))
            await until(lambda: is_refusal(lab))
            assert said(lab).startswith("Something went wrong inside the lab (RuntimeError: on purpose")
        await until(lambda: not is_refusal(lab))
        lab._play.value = False
        await turns(5)

    playing(lab, script)
    assert not lab._play.value


# Memory


def test_however_long_it_runs_with_a_pinned_cell_the_kernel_keeps_nothing_of_the_pictures_that_were():
    """Less than 5 MB in 10,000 pictures: a kernel in a classroom has 1 GB."""
    lab, frames, kept = opened(seed=1, lr=1e-3, step="dW1"), count(2000), []
    lab.stepper.choose(("dW1", 0, 0), pinned=True)
    tracemalloc.start()
    try:
        for more in (100, frames):
            for _ in range(more):
                lab.stepper.next_iteration()
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert lab.stepper.place.pinned
    assert kept[1] - kept[0] < 500 * frames


def tell(lab, kind, **message):
    """A message as it comes from one of the views of a lab's board."""
    lab._view._handle_custom_msg({"kind": kind, **message}, [])


def kept_alive():
    """How many boards, maps, figures, traces and sweeps there are."""
    gc.collect()
    kinds = Board, RunMap, Figure, Trace, Sweep
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds))


def closed(lab):
    """A lab that was on a page, went some steps, and is gone from there."""
    inner = lab.lab if isinstance(lab, MistakeLab) else lab
    tell(inner, "page", view="a", **PAGE)
    if isinstance(lab, LearningRateLab):
        list(lab.sweeper.train())
        lab.sweeper.choose(1, 5)
        assert lab._curves.value
    else:
        inner.stepper.next_iteration()
    assert inner._view.picture
    tell(inner, "gone", view="a")
    assert inner._view.picture == b""
    return lab


@pytest.mark.parametrize("make", [StepThrough, MistakeLab, partial(LearningRateLab, seeds=2, steps=10)])
def test_of_a_lab_that_is_no_longer_shown_no_board_picture_trace_or_sweep_is_kept(make, monkeypatch):
    """Its widgets are: ipywidgets keeps them, and a page that is loaded anew asks for them."""
    monkeypatch.setattr(LearningRateLab, "_start_sweep", lambda self: None)
    labs = [closed(make())]
    before = kept_alive()
    labs += [closed(make()) for _ in range(3)]
    assert kept_alive() == before
    assert not [part for lab in labs for part, _ in parts_of(lab) if "base64" in str(getattr(part, "value", ""))]


def test_a_lab_that_is_shown_again_shows_what_it_did(monkeypatch):
    lab = opened(seed=2, lr=0.01)
    lab.stepper.go_to(9)
    for _ in range(130):
        lab.stepper.next_iteration()
    lab.stepper.set_lr(0.02)
    lab.stepper.choose(("X", 0, 1), pinned=True)
    picture, values, call = lab._view.picture, lab.stepper.place.trace, lab.call()
    tell(lab, "gone", view="a")
    tell(lab, "page", view="b", **PAGE)
    assert lab._view.picture == picture
    assert lab.call() == call
    assert lab.stepper.place.trace is not values
    assert same_values(lab.stepper.place.trace, values)
    lab.stepper.next_iteration()
    assert lab.stepper.place.iteration == 131


def test_a_mistake_lab_that_is_shown_again_has_its_curves_again():
    lab = MistakeLab()
    tell(lab.lab, "page", view="a", **PAGE)
    curves = lab._curves.value
    tell(lab.lab, "gone", view="a")
    assert not lab._curves.value
    tell(lab.lab, "page", view="b", **PAGE)
    assert lab._curves.value == curves


def test_a_lab_keeps_its_picture_until_the_last_of_its_views_is_gone_in_whichever_order_they_tell():
    """The first message to a widget is handled by another thread than the next, perhaps after it."""
    lab = opened()
    for kind, view, is_shown in [
        ("page", "a", True), ("page", "b", True), ("gone", "a", True), ("page", "b", True), ("gone", "b", False),
        ("gone", "c", False), ("page", "c", False), ("page", "d", True), ("gone", "e", True),
    ]:  # fmt: skip
        tell(lab, kind, view=view, **PAGE)
        assert bool(lab._view.picture) == (lab._board is not None) == is_shown, (kind, view)
    assert lab._view.picture.startswith(b"\x89PNG")


def test_play_stops_when_the_lab_is_gone_from_the_page(waits):
    lab = StepThrough(start="random")
    tell(lab, "page", view="a", **PAGE)

    async def script():
        await turns(5)
        tell(lab, "gone", view="a")
        await turns(5)
        assert not lab._play.value

    playing(lab, script)
