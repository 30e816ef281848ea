"""The learning-rate lab without a browser: at any moment its picture, text, buttons and choice show the same state."""

import asyncio
import base64
import html
import io
import re
from dataclasses import replace

import ipywidgets as widgets
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from backprop_lab import random_problem, sweep
from backprop_lab.layers import ACTIVATIONS
from backprop_lab.number_format import plain, typed_number
from backprop_lab.ui import LearningRateLab, StepThrough
from backprop_lab.ui.curves import draw_curves
from backprop_lab.ui.rates import lab as learning_rate_lab
from backprop_lab.ui.rates import sweeper as sweeper_module
from backprop_lab.ui.rates import verdicts
from backprop_lab.ui.rates.run_map import RunMap, levels
from backprop_lab.ui.rates.sweeper import LEARNING_RATES, Settings
from backprop_lab.ui.theme import CURVES

PAGES = [
    {"width": 500, "height": 800, "ratio": 1.0, "dark": False},
    {"width": 600, "height": 1080, "ratio": 1.0, "dark": True},
    {"width": 240, "height": 400, "ratio": 2.0, "dark": False},
]
SMALL = {"seeds": 3, "steps": 130}  # three rounds of training


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    """Each whole map is a state, and the curves, which take long to draw, are replaced by text."""
    monkeypatch.setattr(sweeper_module, "PAUSE", 0.0)
    monkeypatch.setattr(learning_rate_lab, "draw_curves", told_curves)


def told_curves(losses, **size):
    ends = "; ".join(f"{name} goes from {plain(values[0])} to {plain(values[-1])}" for name, values in losses.items())
    return f'<img alt="Loss by iteration, on a logarithmic scale: {ends}.">'


class Page:
    """A lab, and the event loop of a kernel in which its gestures are heard and its sweeps go on."""

    def __init__(self, page=PAGES[0], **options):
        self.loop = asyncio.new_event_loop()
        self.lab = LearningRateLab(**options)
        self.page = page
        if page:
            self.send("page", **page)

    def do(self, gesture, *arguments):
        """One message from the page, answered inside the loop; a sweep that is under way does not move on meanwhile."""
        asyncio._set_running_loop(self.loop)
        try:
            gesture(*arguments)
        finally:
            asyncio._set_running_loop(None)

    def send(self, kind, **message):
        self.do(self.lab._view._handle_custom_msg, {"kind": kind, **message}, [])

    def press(self, *labels):
        for label in labels:
            (found,) = [each for each in self.buttons() if each.description == label]
            if isinstance(found, widgets.ToggleButton):
                self.do(setattr, found, "value", not found.value)
            elif not found.disabled:
                self.do(found.click)

    def buttons(self):
        return [self.lab._run, self.lab._compare, self.lab._open]

    def slide(self, name, number):
        self.do(setattr, self.lab._sliders[name], "value", number)

    def type_into(self, name, text):
        self.do(setattr, self.lab._fields[name], "value", text)

    def activate(self, activation):
        self.do(setattr, self.lab._activation, "value", activation)

    def click(self, row, col):
        self.send("cell", cell=["runs", row, col], pinned=True, clicked=True)

    def key(self, *keys):
        for key in keys:
            self.send("key", key=key)

    def tick(self, times=1):
        """Let a sweep go on for so many pieces of work."""
        for _ in range(times):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def finish(self):
        self.loop.run_until_complete(asyncio.wait_for(self._until_done(), 60))

    async def _until_done(self):
        while self.lab.sweeper.state.running:
            await asyncio.sleep(0)

    def close(self):
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()
        self.lab.close()

    # What it shows

    @property
    def state(self):
        return self.lab.sweeper.state

    @property
    def refused(self):
        return text_of(self.lab._note.value) if "bpl-refused" in self.lab._note.value else ""

    def chosen(self):
        """What the words say is chosen, as (seed, learning rate)."""
        return [(int(seed), typed_number(lr)) for seed, lr in
                re.findall(r"<b>[AB]: seed (\d+), learning rate (\S+)\.</b>", self.lab._chosen.value)]  # fmt: skip

    def curves(self):
        """What the curves show, as {name: (first, last)}."""
        alt = html.unescape((re.search('alt="([^"]*)"', self.lab._curves.value) or ["", ""])[1])
        return {name: (first, last) for name, first, last in
                re.findall(r"(?:: |; )([AB]: .*?) goes from (\S+) to ([^\s;]+?)(?=;|\.$)", alt)}  # fmt: skip


def text_of(text):
    return html.unescape(re.sub(r"<[^>]+>", "", text))


@pytest.fixture
def page():
    """A function that opens a lab on a page; what it has running at the end is stopped."""
    opened = []

    def page(*given, finished=True, **options):
        opened.append(Page(*given, **(SMALL | options)))
        if finished:
            opened[-1].finish()
        return opened[-1]

    yield page
    for each in opened:
        each.close()


def assert_agrees(page):
    """Whatever has happened: all that the lab shows is of its one state."""
    lab, state = page.lab, page.state
    assert lab._run.description == ("Cancel" if state.running else "Run")
    for name, field in lab._fields.items():
        assert field.value == str(getattr(state.wanted, name))
        assert lab._sliders[name].value == getattr(state.wanted, name)
    assert lab._activation.value == state.wanted.activation
    assert lab._compare.value == state.comparing
    assert lab._open.disabled == (not state.chosen)
    assert lab._open.description == ("Open B step by step" if len(state.chosen) == 2 else "Open A step by step")
    runs = state.runs
    if runs is None:
        assert (lab._progress.value, lab._progress.max) == (0, state.wanted.steps)
        assert not lab._view.picture
        assert state.chosen == ()
        return
    assert state.running or state.wanted == runs.settings
    assert (lab._progress.value, lab._progress.max) == (runs.step, runs.settings.steps)
    assert lab._progress.description == f"step {runs.step} of {runs.settings.steps}"
    assert text_of(lab._summary.value) == verdicts.on_map(runs)
    names = [f"{name}: {verdicts.name_of(runs, run)}" for name, run in zip("AB", state.chosen, strict=False)]
    assert page.chosen() == [(runs.seed(run), float(f"{runs.lr(run):.3g}")) for run in state.chosen]
    assert page.curves() == {
        name: tuple(plain(runs.losses(run)[k]) for k in (0, -1)) for name, run in zip(names, state.chosen, strict=True)
    }
    if page.page is not None:
        assert lab._view.alt == verdicts.of_picture(runs)
        assert lab._view.boxes == [("runs", *lab._map.box, *runs.shape)]
        drawn = lab._map.image.get_array()
        assert np.ma.allclose(drawn, levels(runs.change), rtol=1e-12)
        assert np.array_equal(np.ma.getmaskarray(drawn), np.isinf(runs.change))


def fresh_picture(page):
    """The map as it would be drawn from scratch now."""
    sizes = page.page
    height = min(
        max(sizes["height"] - learning_rate_lab.BESIDE_MAP, learning_rate_lab.HEIGHTS[0]), learning_rate_lab.HEIGHTS[1]
    )
    drawn = RunMap(max(sizes["width"], learning_rate_lab.NARROWEST), height, sizes["ratio"], sizes["dark"])
    drawn.draw(page.state.runs, page.state.chosen)
    return drawn.png()


# Opening


def test_once_it_is_on_a_page_it_trains_by_itself(page):
    page = page(finished=False)
    assert page.state.running
    assert page.lab._run.description == "Cancel"
    page.finish()
    assert page.state.runs.done
    assert page.lab._view.picture == fresh_picture(page)
    assert_agrees(page)


def test_it_opens_as_it_is_told_to(page):
    page = page(seeds=5, steps=60, hidden=2, activation="Tanh")
    assert page.state.runs.settings == Settings(5, 60, 2, "Tanh")
    assert_agrees(page)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seeds": 0}, "seeds must be a whole number from 1 to 64; got 0"),
        ({"steps": 5000}, "steps must be a whole number from 10 to 1000; got 5000"),
        ({"hidden": 2.5}, r"hidden must be a whole number from 1 to 8; got 2\.5"),
        ({"activation": "relu"}, f"activation must be one of {', '.join(ACTIVATIONS)}; got 'relu'"),
    ],
)
def test_a_setting_that_there_is_not_is_refused_by_name(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        LearningRateLab(**options)


def test_where_no_kernel_is_the_whole_map_stands_in_and_a_page_that_comes_later_trains_nothing_again(page):
    page = page(None, finished=False)
    data = page.lab._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert data["text/plain"] == "LearningRateLab()"
    assert page.state.runs.done
    runs, page.page = page.state.runs, PAGES[0]
    page.send("page", **PAGES[0])
    assert not page.state.running
    assert page.state.runs is runs
    assert page.lab._view.picture == fresh_picture(page)
    assert_agrees(page)


# Running and cancelling


def test_a_restart_that_is_cancelled_before_its_first_map_leaves_map_and_progress_as_they_were(page):
    page = page()
    before = page.lab._view.picture
    page.press("Run")
    page.tick()
    page.press("Cancel")
    page.tick(300)
    assert page.lab._view.picture == before
    assert page.lab._progress.value == 130
    assert_agrees(page)


def test_controls_go_back_to_what_the_map_shows_if_their_sweep_is_cancelled_before_its_first_map(page):
    page = page()
    page.slide("hidden", 7)
    assert page.lab._fields["hidden"].value == "7"
    page.tick()
    page.press("Cancel")
    assert page.lab._sliders["hidden"].value == 4
    assert_agrees(page)


def test_a_cancelled_sweep_never_overwrites_what_came_after_it(page):
    page = page(finished=False)
    page.tick(5)
    page.press("Cancel")
    page.activate("Tanh")
    page.finish()
    picture, words = page.lab._view.picture, page.lab._summary.value
    page.tick(300)
    assert (page.lab._view.picture, page.lab._summary.value) == (picture, words)
    assert page.state.runs.settings.activation == "Tanh"
    assert not asyncio.all_tasks(page.loop)
    assert_agrees(page)


def test_what_a_cancelled_sweep_has_come_to_stays_and_can_be_chosen_from(page):
    page = page(finished=False)
    while page.state.runs is None:
        page.tick()
    page.press("Cancel")
    page.tick(300)
    assert page.state.runs.step == 50
    page.click(1, 20)
    assert_agrees(page)
    assert " in 50 steps" in page.lab._chosen.value
    assert page.lab._view.picture == fresh_picture(page)


def test_each_control_trains_anew_with_what_it_is_set_to(page):
    page = page()
    for name, number in [("seeds", 5), ("steps", 60), ("hidden", 2)]:
        page.slide(name, number)
        assert page.state.running
        page.finish()
        assert getattr(page.state.runs.settings, name) == number
        assert_agrees(page)
    page.type_into("steps", "70")
    page.activate("Sigmoid")
    page.finish()
    assert page.state.runs.settings == Settings(5, 70, 2, "Sigmoid")
    expected = sweep(page.state.runs.sweep.seeds, LEARNING_RATES, 70, hidden=2, activation=ACTIVATIONS["Sigmoid"])
    assert np.array_equal(page.state.runs.sweep.loss, expected.loss)
    assert_agrees(page)


def test_between_two_pieces_of_work_the_page_is_heard(page):
    page = page(seeds=16, steps=300)
    page.press("Run")
    page.tick(5)
    page.click(3, 30)
    page.key("ArrowRight")
    assert page.state.running
    assert page.chosen()[0][1] == float(f"{LEARNING_RATES[31]:.3g}")
    assert_agrees(page)


# Choosing


def test_a_click_chooses_and_a_pointer_that_only_passes_does_not(page):
    page = page()
    page.send("cell", cell=["runs", 1, 20], pinned=False, clicked=False)
    assert page.state.chosen == ()
    page.click(1, 20)
    assert page.state.chosen == ((1, 20),)
    page.send("cell", cell=["runs", 2, 30], pinned=False, clicked=False)
    page.send("cell", cell=None, pinned=False, clicked=True)  # beside the map
    assert page.state.chosen == ((1, 20),)
    page.key("ArrowRight")
    page.send("cell", cell=["runs", 1, 20], pinned=False, clicked=True)  # the page thinks that it lets go of it
    assert page.state.chosen == ((1, 20),)
    assert_agrees(page)


def test_two_runs_stand_side_by_side_in_words_and_curves(page):
    page = page()
    page.click(0, 20)
    page.press("Compare")
    page.click(2, 45)
    assert len(page.chosen()) == len(page.curves()) == 2
    assert_agrees(page)
    page.press("Compare")
    page.click(1, 10)
    assert len(page.chosen()) == 1
    assert_agrees(page)


def test_the_curves_are_those_of_the_chosen_runs_in_the_colours_of_their_rings(page, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        learning_rate_lab, "draw_curves", lambda losses, **size: drawn.append(losses) or draw_curves(losses, **size)
    )
    page = page()
    page.click(0, 20)
    page.press("Compare")
    page.click(2, 75)  # its loss has overflowed at the end
    assert list(drawn[-1].values()) == [page.state.runs.losses(run).tolist() for run in page.state.chosen]
    picture = Image.open(io.BytesIO(base64.b64decode(re.search('base64,([^"]*)', page.lab._curves.value)[1])))
    seen = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b, alpha) in picture.getcolors(2**20) if alpha == 255}
    assert set(CURVES[:2]) <= seen
    assert not seen & set(CURVES[2:])
    assert [colour in page.lab._chosen.value for colour in CURVES] == [True, True, False, False]
    assert_agrees(page)


def test_the_map_is_walked_by_keyboard(page):
    page = page()
    page.key("ArrowDown", "ArrowLeft", "ArrowLeft")
    assert page.state.chosen == ((1, 36),)
    page.key("Enter", "ArrowUp")
    assert page.state.chosen == ((1, 36), (0, 36))
    assert page.lab._compare.value
    page.key("Enter", "End", "Home", "Escape")  # what the step-through lab hears and this one does not need
    assert page.state.chosen == ((1, 36), (0, 36))
    assert_agrees(page)


def test_with_the_last_seed_that_was_chosen_the_button_to_open_it_goes_too(page):
    page = page(seeds=8)
    page.click(page.state.runs.sweep.seeds.index(7), 20)
    assert not page.lab._open.disabled
    page.slide("seeds", 2)
    page.finish()
    assert page.state.chosen == ()
    assert page.lab._open.disabled
    assert_agrees(page)


# Opening a run


def opened(page):
    (found,) = page.lab._opened.children
    assert isinstance(found, StepThrough)
    return found


def assert_is_run(lab, runs, run):
    """Whether a step-through lab is at the start of a run of the map."""
    place, problem = lab.stepper.place, runs.problem(run)
    assert (place.iteration, place.index, place.mistake, place.custom) == (0, 0, "", False)
    assert place.setup.seed == runs.seed(run)
    shown = place.trace.problem
    assert shown.lr == problem.lr
    assert np.array_equal(shown.X, problem.X)
    assert np.array_equal(shown.y, problem.y)
    assert all(map(np.array_equal, shown.network.parameters.values(), problem.network.parameters.values()))
    assert shown.network.layers[1] == problem.network.layers[1]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_chosen_run_opens_and_takes_the_same_steps(page, activation):
    page = page(hidden=3, activation=activation)
    page.click(1, 40)
    page.press("Open A step by step")
    lab = opened(page)
    assert_is_run(lab, page.state.runs, (1, 40))
    for iteration in range(20):
        assert lab.stepper.losses[iteration] == pytest.approx(page.state.runs.losses((1, 40))[iteration], rel=1e-9)
        lab.stepper.next_iteration()


def test_it_is_the_run_on_the_map_that_opens_whatever_the_controls_are_at_by_now(page):
    page = page()
    page.click(1, 40)
    page.slide("hidden", 8)
    page.activate("Tanh")
    page.press("Open A step by step")  # before there is a map of these
    assert page.state.runs.settings.hidden == 4
    assert_is_run(opened(page), page.state.runs, (1, 40))


def test_another_run_opens_in_the_same_place_as_if_nothing_had_been_there(page):
    page = page(seeds=5)
    page.click(1, 40)
    page.press("Open A step by step")
    first = opened(page)
    stepper = first.stepper
    stepper.set_up(samples=3, layers=2, outputs=1)
    stepper.plant("sign-flipped")
    stepper.next_iteration()
    stepper.choose(("X", 0, 0), pinned=True)
    stepper.edit(0.5)
    page.press("Compare")
    page.click(4, 10)
    page.press("Open B step by step")
    assert opened(page) is first  # another hundred widgets each time would fill the page
    assert_is_run(first, page.state.runs, (4, 10))


def test_the_opened_lab_comes_into_view_once_it_is_on_the_page(page, monkeypatch):
    page = page()
    page.click(1, 40)
    page.press("Open A step by step")
    view, sent = opened(page)._view, []
    monkeypatch.setattr(type(view), "send", lambda view, content: sent.append(content))
    heard = view._handle_custom_msg
    page.do(heard, {"kind": "page", **PAGES[0]}, [])
    assert sent == []
    page.do(heard, {"kind": "shown", "frame": 1}, [])
    assert sent == [{"do": "come"}]
    page.do(heard, {"kind": "shown", "frame": 2}, [])
    assert sent == [{"do": "come"}]
    page.click(2, 10)
    page.press("Open A step by step")
    assert sent == [{"do": "come"}] * 2


# What goes wrong


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("seeds", "many", "seeds must be a whole number from 1 to 64; got 'many'"),
        ("steps", "", "steps must be a whole number from 10 to 1000; got ''"),
        ("hidden", "1e9", "hidden must be a whole number from 1 to 8; got 1000000000.0"),
        ("seeds", "<b>3</b>", "got '<b>3</b>'"),
    ],
)
def test_rubbish_is_refused_in_a_sentence_and_the_field_set_back(page, name, text, sentence):
    page = page()
    page.type_into(name, text)
    assert sentence in page.refused
    assert not page.state.running
    assert_agrees(page)
    page.click(0, 0)
    assert not page.refused


def test_a_refusal_stays_to_be_read_while_a_sweep_goes_on(page):
    page = page(steps=250)
    page.press("Run")
    page.tick(3)
    page.type_into("seeds", "none")
    page.finish()
    assert "seeds must be a whole number" in page.refused
    page.send("page", **PAGES[0])
    assert "seeds must be a whole number" in page.refused
    page.press("Run")
    assert not page.refused


def test_an_error_while_training_is_said_in_words_and_the_lab_goes_on(page, monkeypatch):
    page = page()
    before = page.lab._view.picture

    def broken(*_, **__):
        raise ZeroDivisionError("as an example")

    monkeypatch.setattr(sweeper_module, "iter_sweep", broken)
    page.slide("hidden", 3)
    page.finish()
    page.tick(2)
    assert page.refused == "Something went wrong inside the lab (ZeroDivisionError: as an example). Please report it."
    assert page.lab._view.picture == before
    assert_agrees(page)
    monkeypatch.undo()
    page.slide("hidden", 2)
    page.finish()
    assert not page.refused
    assert page.state.runs.settings.hidden == 2
    assert_agrees(page)


def test_an_error_while_drawing_is_said_in_words_and_the_button_is_right(page, monkeypatch):
    page = page()

    def broken(*_):
        raise ZeroDivisionError("as an example")

    monkeypatch.setattr(RunMap, "draw", broken)
    page.press("Run")
    page.finish()
    page.tick(2)
    assert "ZeroDivisionError: as an example" in page.refused
    assert page.lab._run.description == "Run"
    monkeypatch.undo()
    page.press("Run")
    page.finish()
    assert not page.refused
    assert_agrees(page)


def test_what_breaks_on_a_message_from_the_page_is_said_too(page):
    page = page()
    page.click(77, 3)
    assert "there are 3 rows and 76 columns of runs; got row 77" in page.refused
    page.send("page")
    assert "KeyError" in page.refused or "height" in page.refused
    assert_agrees(page)


# Controls


def test_every_control_has_a_name_and_a_tooltip(page):
    page = page()
    for control in page.lab._labelled:
        assert control.description
        assert page.lab._view.tooltips[control.description] == control.tooltip
    assert all(button.tooltip for button in page.buttons())


def test_a_control_that_follows_the_state_trains_nothing(page):
    page = page()
    runs = page.state.runs
    for name in ("seeds", "steps", "hidden"):
        page.slide(name, getattr(runs.settings, name))
        page.type_into(name, str(getattr(runs.settings, name)))
    assert not page.state.running
    assert page.state.runs is runs


# Any gestures, in any order


class Gestures(RuleBasedStateMachine):
    """A lab under random gestures, and beside it a plain model: the settings, the runs on the map and those chosen."""

    @initialize()
    def open(self):
        self.page = Page(**SMALL)
        self.wanted, self.running = Settings(**SMALL), True
        self.on_map = None  # the settings of the runs on the map
        self.chosen, self.comparing = [], False  # seeds and columns

    def teardown(self):
        if hasattr(self, "page"):
            self.look_closely()
            self.page.close()

    def asked_for(self, **changes):
        self.wanted, self.running = replace(self.wanted, **changes), True

    # Gestures

    @rule(name=st.sampled_from(["seeds", "steps", "hidden"]), data=st.data(), typed=st.booleans())
    def set(self, name, data, typed):
        number = data.draw(st.integers(*{"seeds": (1, 5), "steps": (10, 160), "hidden": (1, 3)}[name]))
        changes = number != getattr(self.wanted, name)
        if typed:
            self.page.type_into(name, str(number))
        else:
            self.page.slide(name, number)
        if changes:
            self.asked_for(**{name: number})

    @rule(name=st.sampled_from(["seeds", "steps", "hidden"]), text=st.sampled_from(["", "-1", "2.5", "abc", "1000000"]))
    def type_rubbish(self, name, text):
        self.page.type_into(name, text)
        assert self.page.refused

    @rule(activation=st.sampled_from(list(ACTIVATIONS)))
    def activate(self, activation):
        changes = activation != self.wanted.activation
        self.page.activate(activation)
        if changes:
            self.asked_for(activation=activation)

    @rule()
    def run_or_cancel(self):
        self.page.press("Cancel" if self.running else "Run")
        if self.running:
            self.running, self.wanted = False, self.on_map or self.wanted
        else:
            self.asked_for()

    @rule(times=st.integers(2, 12))
    def let_it_go_on(self, times):
        self.page.tick(times)
        self.catch_up()

    @rule()
    def let_it_finish(self):
        self.page.finish()
        self.page.tick(2)
        self.catch_up()
        assert not self.running

    def catch_up(self):
        """Time alone may put what is asked for on the map, and end the training of it; nothing else."""
        runs = self.page.state.runs
        if self.running and runs is not None and runs.settings == self.wanted:
            self.on_map = self.wanted
            self.chosen = [(seed, col) for seed, col in self.chosen if seed < self.wanted.seeds]
            self.running = self.page.state.running
            assert self.running or runs.done
        assert len(asyncio.all_tasks(self.page.loop)) <= self.running  # whatever was cancelled has found out by now

    @precondition(lambda self: self.on_map)
    @rule(down=st.floats(0, 0.999), col=st.integers(0, 75))
    def click(self, down, col):
        row = int(down * self.on_map.seeds)
        self.page.click(row, col)
        self.choose((self.page.state.runs.sweep.seeds[row], col))

    def choose(self, run):
        first = self.chosen[:1] if self.comparing else []
        self.chosen = first if first == [run] else [*first, run]

    @precondition(lambda self: self.on_map)
    @rule(key=st.sampled_from(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]))
    def walk(self, key):
        seeds = self.page.state.runs.sweep.seeds
        if self.chosen:
            down, right = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}[key]
            seed, col = self.chosen[-1]
            row = min(max(seeds.index(seed) + down, 0), len(seeds) - 1)
            run = seeds[row], min(max(col + right, 0), 75)
        else:
            run = seeds[len(seeds) // 2], 38
        self.page.key(key)
        self.choose(run)

    @rule(by_key=st.booleans())
    def compare(self, by_key):
        if by_key:
            self.page.key("Enter")
        else:
            self.page.press("Compare")
        self.comparing = not self.comparing

    @rule(page=st.sampled_from(PAGES))
    def resize(self, page):
        self.page.page = page
        self.page.send("page", **page)
        if self.on_map is None and not self.running:
            self.asked_for()

    @precondition(lambda self: self.chosen)
    @rule()
    def open_run(self):
        self.page.press("Open B step by step" if len(self.chosen) == 2 else "Open A step by step")
        lab, (seed, col) = opened(self.page), self.chosen[-1]
        options = {"hidden": self.on_map.hidden, "activation": ACTIVATIONS[self.on_map.activation]}
        problem = random_problem(seed, lr=LEARNING_RATES[col], **options)
        found = lab.stepper.place.trace.problem
        assert found.lr == problem.lr
        assert all(map(np.array_equal, found.network.parameters.values(), problem.network.parameters.values()))

    # What must hold

    @invariant()
    def all_that_is_shown_is_of_one_state_and_that_is_the_model(self):
        if not hasattr(self, "page"):
            return
        assert_agrees(self.page)
        state = self.page.state
        assert (state.wanted, state.running, state.comparing) == (self.wanted, self.running, self.comparing)
        assert (state.runs and state.runs.settings) == self.on_map
        assert [(state.runs.seed(run), run[1]) for run in state.chosen] == self.chosen

    def look_closely(self):
        """What takes too long to be looked at after each gesture."""
        runs = self.page.state.runs
        if runs is None:
            return
        assert self.page.lab._view.picture == fresh_picture(self.page)
        options = {"hidden": runs.settings.hidden, "activation": ACTIVATIONS[runs.settings.activation]}
        whole = sweep(runs.sweep.seeds, LEARNING_RATES, runs.settings.steps, **options)
        assert np.array_equal(runs.sweep.loss[..., : runs.step + 1], whole.loss[..., : runs.step + 1])


def test_under_any_gestures_picture_words_buttons_and_choice_agree():
    run_state_machine_as_test(Gestures, settings=settings(max_examples=6, stateful_step_count=25))
