"""The step-through lab without a browser: what its controls, keys and messages do, and that everything shown agrees."""

import asyncio
import json
import math
import random
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from functools import partial
from operator import methodcaller as call
from threading import Event, Thread
from unittest import mock

import ipywidgets as widgets
import numpy as np
import pytest
from common import PAGE, count, kept, parts_of, raises, same_values, tell, view_of

from backprop_lab import (
    MISTAKES,
    Linear,
    Momentum,
    Network,
    Problem,
    ReLU,
    SoftmaxCrossEntropy,
    SumSquaredError,
    program,
    random_problem,
)
from backprop_lab.step.number_format import typed_number
from backprop_lab.training.history import that_fit
from backprop_lab.ui import MistakeLab, StepThrough
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.steps import controls, frame, pictures, player, remarks, words
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import SIZES
from backprop_lab.ui.steps.stepper import Stepper

OTHER_PAGE = {"width": 960, "height": 200, "map": [960, 420], "operation": [300, 180], "ratio": 1.25, "dark": True}
SIZE_LABELS = {name: name for name in SIZES} | {"hidden": "hidden units", "layers": "hidden layers"}


SLIDERS = {"seed slider": widgets.IntSlider, "learning rate slider": widgets.FloatLogSlider}


def opened(problem=None, **options):
    lab = StepThrough(problem, **options)
    do(lab, ("page", PAGE))
    return lab


def control(lab, label):
    kind = SLIDERS.get(label)
    return next(
        part
        for part, _ in parts_of(lab)
        if (isinstance(part, kind) if kind else getattr(part, "description", "") == label)
    )


def do(lab, *gestures):
    """Gestures one after the other: a button of the view, a control set to a value, or the page sends a message."""
    for gesture in gestures:
        if isinstance(gesture, str):
            tell(lab, "do", {"what": gesture})
        elif isinstance(gesture[1], dict):
            tell(lab, *gesture)
        else:
            control(lab, gesture[0]).value = gesture[1]
            if gesture[0] == "learning rate":  # which the page's slider rounds, and it stays as it was typed
                slider = control(lab, "learning rate slider")
                slider.value = 10 ** min(max(round(math.log10(slider.value) / 0.05) * 0.05, -6), 1)


def is_seen(lab, label):
    view = view_of(lab)
    on_page = {"Play": "play" not in view.layout_of_steps["hidden"], "Copy": bool(view.state["below"]["call"])}
    seen = {getattr(part, "description", "") for part, hidden in parts_of(lab) if not hidden}
    return on_page.get(label, label in seen)


def note(lab):
    """What is said in the view, and whether it is a refusal."""
    return view_of(lab).note.get("text", ""), view_of(lab).note.get("kind") == "refused"


TYPED = [
    "0.123456", "−2", "1e3", " 7 ", "777", "0", "9" * 5000, "rubbish", "nan", "1,5", "", "<img src=x onerror=alert(1)>",
]  # fmt: skip


def offered(lab):
    """The mistakes in the menu, "" for none."""
    return [name for _, name in control(lab, "planted mistake").options]


def gestures(rng, lab):
    """All that can be done now, with sense or without, and what each asks of the stepper; some of it more than once."""
    place, steps, some = lab.stepper.place, len(lab.stepper.place.trace.steps), rng.choice
    name, _, _, _, _, rows, cols, *_ = some(view_of(lab).boxes)
    cell, pinned = (name, rng.randrange(rows), rng.randrange(cols)), some([True, False])
    now = place.cell or (place.step.name if place.step else next(iter(place.trace.given)), 0, 0)
    index, typed, on = rng.randint(1, steps), some(TYPED), some([True, True, False])
    ways = {"ArrowRight": (0, 1), "ArrowLeft": (0, -1), "ArrowDown": (1, 0), "ArrowUp": (-1, 0)}
    keys = {key: call("walk", *way) for key, way in ways.items()}
    if not place.pinned:
        keys = {"ArrowRight": call("next"), "ArrowLeft": call("back")}
        keys |= {"ArrowDown": call("choose_matrix", 1), "ArrowUp": call("choose_matrix", -1)}
    keys |= {"Home": call("go_to", 0), "End": call("go_to", steps), "Escape": call("choose", None)}
    keys["Enter"] = call("choose", now, pinned=not place.pinned)
    choices = place.setup.choices()
    setup = {name: some(choices[name]) for name in choices} | dict.fromkeys(SIZES, index % 4)
    settings = [
        *[(("Predict first", on), call("predict", on))] * 4,
        (("learning rate", typed), call("set_lr", typed_number(typed))),
        (("seed", typed), call("set_up", seed=typed_number(typed) if typed else None)),
        (("seed slider", index), call("set_up", seed=index)),
        *[((SIZE_LABELS.get(name, name), str(value)), call("set_up", **{name: value})) for name, value in setup.items()]
        * 2,
        *[(("planted mistake", name), call("plant", name)) for name in rng.choices(offered(lab), k=9)],
        *[((label, on), None) for label in ("Values as a table", "As NumPy")],
        *[(("More", on), None)] * 4,
    ]
    typing = [("answer", text, call("answer", text)) for text in ("−", "0", "+", typed) * (30 if place.question else 1)]
    typing += [("why", text, call("give_reason", text)) for text in ("since", " ") * (30 if place.why else 1)]
    typing += [("edit", typed, call("edit", typed_number(typed)))] * (20 if place.pinned else 1)
    return [
        *[(move, call(move)) for move in ("restart", "back", "next", "next_phase", "next_iteration")] * 3,
        *[("next", call("next"))] * (40 if place.predicting else 1),
        *[(("do", {"what": what, "text": text}), asks) for what, text, asks in typing],
        *[(("key", {"key": name}), asks) for name, asks in keys.items()] * 2,
        *[(("cell", {"cell": [*cell], "pinned": pinned}), call("choose", cell, pinned))] * 8,
        (("cell", {"cell": None, "pinned": False}), call("choose", None, False)),
        *[(("jump", {"index": index}), call("go_to", index))] * 4,
        (("page", some([PAGE, OTHER_PAGE])), None),
        *[each for each in settings if control(lab, each[0][0]).value != each[0][1]],
    ]


def test_before_the_first_step_the_lines_of_the_forward_pass_are_shown_if_all_of_them_find_room():
    shown = ["Y1 = X @ W1 + b1", "H1 = np.maximum(Y1, 0)", "y_pred = H1 @ W2 + b2", "L = np.sum((y_pred - y) ** 2)"]
    assert view_of(StepThrough()).layout_of_steps["forward"] == shown
    many = view_of(StepThrough(start="transformer block")).layout_of_steps["forward"]
    assert (many[0], many[-1]) == ("mu1 = X.mean(axis=1, keepdims=True)", "L = -np.log(P[np.arange(len(y)), y]).mean()")
    deeper = "\n".join(["H0 = X @ W", *(f"H{k} = np.tanh(H{k - 1})" for k in range(1, 30)), "L = np.sum(H29)"])
    p = program(deeper, {"W": [[1.0]]}, {"X": [[1.0]]})
    assert view_of(StepThrough(p)).layout_of_steps["forward"] == []
    long = view_of(StepThrough(start="rnn")).layout_of_steps["forward"][-3:]
    assert long == ["L = np.sum((p1 - y1)**2) +", "    np.sum((p2 - y2)**2) +", "    np.sum((p3 - y3)**2)"]


def assert_all_is_of_one_place(lab):
    place, setup, told = lab.stepper.place, lab.stepper.place.setup, view_of(lab).state
    assert frame.state(place, lab.stepper.losses).items() <= told.items()
    assert view_of(lab).alt == words.alt_text(place)
    assert view_of(lab).layout_of_steps["steps"] == [[step.name, step.phase] for step in place.trace.steps]
    expected = {
        "start": place.start, "seed": "" if setup.seed is None else str(setup.seed), "seed slider": setup.seed or 0,
        "learning rate": f"{place.lr:.4g}",
        **{name: getattr(setup, name) for name in setup.choices() if name != "start"},
        **{label: str(getattr(setup, name)) for name, label in SIZE_LABELS.items()},
        "planted mistake": place.mistake, "Predict first": place.predicting,
    }  # fmt: skip
    assert {label: control(lab, label).value for label in expected} == expected
    assert {to for _, to in control(lab, "start").options} == {*setup.choices()["start"], *["custom"] * place.custom}
    assert math.log10(control(lab, "learning rate slider").value) == pytest.approx(
        min(max(math.log10(place.lr), -6), 1), abs=0.0251
    )
    first = lab.stepper.first_problem
    fits = {place.mistake, *(that_fit(MISTAKES, first) if control(lab, "More").value else ())}
    assert offered(lab) == ["", *(name for name in MISTAKES if name in fits)]
    assert is_seen(lab, "hidden units") == (control(lab, "More").value and bool(place.trace.problem.stages))
    assert told["below"]["tables"] == (words.table(place) if control(lab, "Values as a table").value else "")
    assert told["below"]["script"] == (numpy_script(place.trace) if control(lab, "As NumPy").value else "")


def assert_a_fresh_board_and_the_call_agree(lab):
    place, losses = lab.stepper.place, lab.stepper.losses
    call, but = map(view_of(lab).state["below"].get, ("call", "but"))
    page = (*lab._page["map"], lab._page["ratio"], lab._page["dark"])
    board = Board(place.trace, *page, scales=place.scales, renewed=place.renewed)
    board.draw(place.trace, place.index, losses)
    assert (view_of(lab).picture, view_of(lab).boxes) == (board.png(), board.boxes_on_page())
    if place.custom:
        assert "without the numbers you changed" in but
    elif len(lab.stepper.rates) > 1:
        assert "uses this learning rate from the start; here it was changed" in but
    else:
        was_given = " (where problem is the one that this lab was given; As NumPy keeps its numbers)"
        assert but == was_given * (place.start == "as given")
        again = eval(call, {"StepThrough": StepThrough, "problem": place.setup.given}).stepper.place
        assert replace(again.setup, given=None) == replace(place.setup, given=None)
        assert (again.iteration, again.index, again.mistake) == (place.iteration, place.index, place.mistake)
        assert same_values(again.trace, place.trace)
        assert again.scales == place.scales


def test_whatever_is_done_all_that_is_shown_is_of_one_place():
    given = random_problem(5, X=[[1, -2], [0.5, 3]], y=[[1, 0], [0, 1]], hidden=(3, 2), loss=SoftmaxCrossEntropy())
    rng, lab, twin, other = random.Random(4), opened(given), Stepper(given), opened(given)
    left = [part.get_state() for part, _ in parts_of(other)]
    do(lab, ("Values as a table", True), ("As NumPy", True), ("learning rate", "0.123456"))
    twin.set_lr(0.123456)
    for turn in range(count(3000)):
        before, noted = lab.stepper.place, view_of(lab).note
        offered = gestures(rng, lab)
        gesture, asks = rng.choice(offered) if turn % 2 else offered[turn // 2 % len(offered)]  # each has its turn
        refused, twin.unread, twin.reads = "", lab.stepper.unread, lab.stepper.reads  # which the page decides
        try:
            if asks:
                asks(twin)
        except ValueError as error:
            refused = error.args[0]
        do(lab, gesture)
        place = lab.stepper.place
        assert {**vars(place), "remembered": 0} == {**vars(twin.place), "remembered": 0}, gesture
        assert same_values(place.trace, twin.place.trace)
        if place is not before or refused:
            assert note(lab) == (refused or place.note or remarks.all_dead(place.trace, place.index), bool(refused))
        else:
            assert view_of(lab).note == noted
        assert_all_is_of_one_place(lab)
        if turn % 10 == 0 or place.question not in (None, before.question):
            assert_a_fresh_board_and_the_call_agree(lab)
    assert [part.get_state() for part, _ in parts_of(other)] == left
    assert (do(other, "next"), other.stepper.place.iteration, other.stepper.place.index) == (None, 0, 1)


def test_the_call_shown_is_plain_python_whatever_numbers_it_was_opened_with():
    lab = StepThrough(seed=np.int64(3), lr=np.float64(0.1), iteration=np.int64(2), hide=["seed", "call"], large=True)
    call = "StepThrough(start='random', seed=3, lr=0.1, iteration=2, hide=['seed', 'call'], large=True)"
    assert lab.call() == repr(lab) == call
    assert kept(lab)["image/png"], "its board stands in where there is no kernel"


def test_an_optimizer_of_the_menu_makes_the_update_of_any_start():
    for start in ("random", "mazur"):
        lab = StepThrough(start=start, optimizer="Adam", iteration=1)
        assert lab.call() == f"StepThrough(start='{start}', optimizer='Adam', iteration=1)"
        assert lab.stepper.place.trace["step"] == 2
        assert np.any(lab.stepper.place.trace["mW1"])
        control(lab, "optimizer").value = "gradient descent"
        assert lab.stepper.place.trace.problem.lines.memories == {}
    lab = StepThrough(random_problem(1, optimizer=Momentum(0.5)), iteration=1)
    control(lab, "optimizer").value = "Adam"
    assert [*lab.stepper.first_problem.lines.memories][:2] == ["mW1", "vW1"]
    control(lab, "optimizer").value = "as given"
    assert lab.stepper.first_problem.optimizer == Momentum(0.5)
    with pytest.raises(ValueError, match=r"optimizer must be one of gradient descent, .*, Adam; got 'adam'"):
        StepThrough(optimizer="adam")


def test_a_seed_however_large_is_no_number_that_javascript_cannot_hold():
    for seed in (2**53, 10**30):
        do(lab := StepThrough(), ("seed", str(seed)))
        assert (lab.stepper.place.setup.seed, control(lab, "seed").value) == (seed, str(seed))
        sent = json.dumps([part.get_state() for part, _ in parts_of(lab)], default=str)
        json.loads(sent, parse_int=(whole := []).append)
        assert max(map(int, whole)) < 2**53 - 1, "of which the web site's Python makes a BigInt"


def test_a_problem_of_fractions_is_shown_worked_out_and_saved(tmp_path):
    first, last = (
        Linear([[Fraction(1, 3), Fraction(-2)]], [[0, Fraction(1, 7)]]),
        Linear([[1], [Fraction(5, 3)]], [[0]]),
    )
    X, y = [[Fraction(-3, 7)], [Fraction(2)]], [[Fraction(1)], [Fraction(0)]]
    lab = opened(Problem(Network((first, ReLU(), last)), SumSquaredError(), X, y, Fraction(1, 100)))
    for step in lab.trace.steps:
        do(lab, "next")
        assert (lab.step, note(lab)[1]) == (step.name, False), note(lab)
        assert view_of(lab).state["card"]["code"] == f"{step.name} = {step.code}"
        for i, j in np.ndindex(np.atleast_2d(step.value).shape):
            do(lab, ("cell", {"cell": [step.name, i, j], "pinned": False}))
            assert (view_of(lab).state["sum"]["total"] != "", note(lab)[1]) == (True, False)
    for kind in ("png", "svg", "html"):
        lab.save(tmp_path / f"it.{kind}")


def test_what_is_hidden_is_not_there_and_everything_else_is():
    labels = ["start", "seed", "learning rate", "Play", "Predict first", "More", "Copy"]
    for part, label in zip(controls.PARTS, labels, strict=True):
        lab = StepThrough(hide=[part])
        assert [label for label in labels if not is_seen(lab, label)] == [label]


def test_each_control_has_a_tooltip_and_a_name_that_a_screen_reader_can_say():
    """Except the handle of a slider, which ipywidgets cannot label: the field beside it has a label."""
    lab = StepThrough()
    found = [part for part, _ in parts_of(lab) if hasattr(part, "disabled")]
    assert [part.description for part in found if not part.tooltip] == []
    assert [part for part in found if not part.description] == [*map(partial(control, lab), SLIDERS)]


def test_a_control_moved_while_another_is_answered_stays_where_it_was_put():
    lab, answering = opened(start="random"), Event()
    lab._show_view = lambda *_: answering.set() or time.sleep(0.2)

    def move(part, **state):  # on the page
        part.comm.handle_msg({"content": {"data": {"method": "update", "state": state}}})

    seed = Thread(target=move, args=(control(lab, "seed slider"),), kwargs={"value": 3})
    seed.start()
    assert answering.wait(10)
    move(control(lab, "learning rate slider"), value=0.1)
    seed.join()
    place = lab.stepper.place
    assert (place.setup.seed, control(lab, "seed slider").value, control(lab, "seed").value) == (3, 3, "3")
    assert (place.lr, control(lab, "learning rate slider").value, control(lab, "learning rate").value) == (
        0.1,
        0.1,
        "0.1",
    )
    for menu in (part for part, _ in parts_of(MistakeLab()) if hasattr(part, "options")):
        menu._send, chosen = mock.Mock(), menu.index
        move(menu, index=len(menu.options))  # which the page still had
        assert menu.index == chosen == menu._send.call_args.args[0]["state"]["index"]


def until(true):
    while not true():
        yield


@pytest.fixture
def waits(monkeypatch):
    """How long was waited: in these tests, no time at all."""
    waits = []

    async def sleep(seconds, really=asyncio.sleep):
        waits.append(seconds)
        await really(0)

    monkeypatch.setattr(player.asyncio, "sleep", sleep)
    return waits


def playing(lab, script):
    """Go through a generator while the lab plays: at each yield, play has its turn."""

    async def played():
        do(lab, ("speed", {"speed": "as fast as it goes"}), "play")
        for _ in script:
            await asyncio.sleep(0)
            assert view_of(lab).state["playing"] == lab._player.is_playing

    asyncio.run(asyncio.wait_for(played(), 20))


def test_play_goes_on_while_controls_work_until_the_loss_overflows(waits, monkeypatch):
    lab = StepThrough(start="random")

    def script():
        yield from until(lambda: lab.stepper.place.iteration >= 5)
        do(lab, ("seed", "77"), ("learning rate", "0.005"))
        yield from until(lambda: lab.stepper.place.iteration == 2)
        assert (lab.stepper.place.setup.seed, lab.stepper.place.lr, note(lab)) == (77, 0.005, ("", False))
        with monkeypatch.context() as patched:
            patched.setattr(words, "card", raises(RuntimeError("on <i>purpose</i>")))
            yield from until(lambda: note(lab)[1])
        assert "Something went wrong inside the lab (RuntimeError: on <i>purpose</i>)" in note(lab)[0]
        yield from until(lambda: note(lab) == ("", False))
        assert view_of(lab).state["playing"]
        lab.stepper.set_lr(10.0)
        yield from until(lambda: not view_of(lab).state["playing"])
        assert "overflowed at iteration" in note(lab)[0]

    playing(lab, script())


def test_the_end_of_play_takes_nothing_back_that_another_thread_shows_meanwhile(monkeypatch):
    lab, hands, ends = StepThrough(), [], []
    view = lab._view

    class SlowView:
        """The view, of which nothing is read before another thread has had its turn."""

        def __getattr__(self, name):
            if name == "state" and not hands:
                old = view.state
                hands.append(Thread(target=lab._guarded, args=[lab.stepper.next]))
                hands[0].start()
                hands[0].join(0.3)
                return old
            return getattr(view, name)

        def __setattr__(self, name, value):
            setattr(view, name, value)

    monkeypatch.setattr(lab._player, "play", lambda ended: ends.append(ended))
    monkeypatch.setattr(lab, "_start_task", lambda work: None)
    lab._play()
    lab._view = SlowView()
    ends[0]()
    hands[0].join()
    assert (view.state["playing"], view.state["index"]) == (False, lab.stepper.place.index) == (False, 1)


@pytest.mark.parametrize(("typed", "got"), [("3,4", "3.4"), ("2.5", "2.5"), ("0", "0"), ("many", "'many'"), ("", "''")])
def test_a_size_that_is_no_whole_number_is_refused_and_the_field_is_as_before(typed, got):
    lab = StepThrough(start="random")
    control(lab, "hidden units").value = typed
    assert view_of(lab).note["text"] == f"hidden must be a whole number from 1 to 128; got {got}"
    assert control(lab, "hidden units").value == "4"


def test_play_ends_when_pressed_again_or_when_something_else_is_set_up(waits):
    for gesture in ("play", "restart", ("start", "dead ReLU"), ("samples", "5"), ("gone", {"view": "a"})):
        lab = StepThrough(start="random")

        def script(lab=lab, gesture=gesture):
            yield from until(lambda: lab.stepper.place.iteration >= 3)
            do(lab, gesture)
            assert not view_of(lab).state["playing"]
            stopped = lab.stepper.place
            yield from range(50)
            assert lab.stepper.place is stopped

        playing(lab, script())


def test_play_waits_for_the_page_to_show_each_picture_but_not_forever(waits, monkeypatch):
    monkeypatch.setattr(player, "PATIENCE", 3)
    lab = opened(start="random")

    def script():
        for k in range(1, 5):
            yield from until(lambda: lab.stepper.place.iteration == k)  # noqa: B023
            yield from range(50)
            assert lab.stepper.place.iteration == k, "the page has not shown it yet"
            do(lab, ("shown", {"frame": view_of(lab).frame}))
        waits.clear()
        yield from until(lambda: not view_of(lab).state["playing"])

    playing(lab, script())
    assert lab.stepper.place.iteration == 4 + player.PATIENCE
    assert sum(waits) == pytest.approx(player.PATIENCE, rel=0.05), "a second for each picture"


def test_it_keeps_its_picture_while_a_view_is_left_and_hands_out_files():
    lab = StepThrough()
    view_of(lab).send = sent = mock.Mock()
    lab.come_into_view()
    for kind, view, is_drawn, came in [
        ("page", "a", True, 0), ("shown", "a", True, 1), ("shown", "a", True, 1), ("page", "b", True, 1),
        ("gone", "a", True, 1), ("gone", "b", False, 1), ("page", "a", False, 1), ("page", "c", True, 1),
    ]:  # fmt: skip
        do(lab, (kind, PAGE | {"view": view, "frame": 1}))  # of a view that has left, "page" may be heard late
        assert (bool(view_of(lab).picture), sent.call_args_list) == (is_drawn, [mock.call({"do": "come"})] * came)
    lab.come_into_view()
    with mock.patch.object(pictures, "written", raises(ImportError("as on the web site"))):
        do(lab, *[("do", {"what": "save", "text": kind}) for kind in ("png", "pdf", "exe")])
    files = [({"do": "download", "name": "start.png"}, [pictures.picture(lab.stepper, "png")])]
    files += [({"do": "download", "name": "start.pdf"}, [b""])]
    assert [each.args for each in sent.call_args_list[1:]] == [({"do": "come"},), *files]
    assert note(lab) == ("This Python cannot write a PDF; an SVG is as sharp.", True)


@pytest.mark.parametrize("end", ["", "loop.close()"])
def test_a_kernel_that_ends_while_a_lab_plays_ends_in_silence(end):
    code = f"""if True:
        import asyncio
        from backprop_lab.ui import StepThrough
        loop, lab = asyncio.new_event_loop(), StepThrough()
        loop.call_soon(lab._heard, "do", {{"what": "play", "text": ""}})
        loop.call_later(0.2, loop.stop)
        loop.run_forever()
        print(lab._player.is_playing)
        {end}"""
    command = sys.executable, "-W", "ignore", "-c", code  # of a loop that nobody closes
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("True\n", "")
