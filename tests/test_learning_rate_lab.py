"""The learning-rate lab without a browser: at any moment its picture, text, buttons and choice show the same state."""

import asyncio

import ipywidgets as widgets
import numpy as np
import pytest
from common import count, kept, plain, raises, same_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backprop_lab import ACTIVATIONS, trace
from backprop_lab.ui import LearningRateLab
from backprop_lab.ui.rates import lab as lab_module
from backprop_lab.ui.rates import sweeper as sweeper_module
from backprop_lab.ui.rates import verdicts
from backprop_lab.ui.rates.run_map import RunMap, levels
from backprop_lab.ui.rates.sweeper import Settings
from backprop_lab.ui.theme import CURVES

PAGES = {  # what a page says of itself, and the map that it gets
    "usual": ({"width": 500, "height": 800, "ratio": 1.0, "dark": False}, (500, 330, 1.0, False)),
    "high": ({"width": 600, "height": 1200, "ratio": 1.0, "dark": True}, (600, 600, 1.0, True)),
    "small": ({"width": 240, "height": 400, "ratio": 2.0, "dark": False}, (420, 300, 2.0, False)),
}
SMALL = {"seeds": 3, "steps": 130}  # three rounds of training
HOW_TO_CHOOSE = "Click a run, or move to one with the arrow keys, to see its loss curve."


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    """Each whole map is a state, and the curves, which take long to draw, are replaced by their numbers."""
    monkeypatch.setattr(sweeper_module, "PAUSE", 0.0)
    monkeypatch.setattr(lab_module, "draw_curves", lambda losses, **size: str(losses))


class Page:
    """A lab, and the event loop of a kernel in which its gestures are heard and its sweeps go on."""

    def __init__(self, kind, options):
        self.loop, self.lab = asyncio.new_event_loop(), LearningRateLab(**(SMALL | options))
        if kind:
            self.resize(kind)

    state = property(lambda self: self.lab.sweeper.state)
    note = property(lambda self: plain(self.lab._note.value))

    def do(self, gesture, *arguments):
        """One message from the page, answered inside the loop; a sweep that is under way does not move on meanwhile."""
        asyncio._set_running_loop(self.loop)
        try:
            gesture(*arguments)
        finally:
            asyncio._set_running_loop(None)

    def send(self, kind, **message):
        self.do(self.lab._view._handle_custom_msg, {"kind": kind, **message}, [])

    def resize(self, kind):
        self.kind = kind
        self.send("page", **PAGES[kind][0])

    def press(self, name):
        found = getattr(self.lab, name)
        if isinstance(found, widgets.ToggleButton):
            self.do(setattr, found, "value", not found.value)
        elif not found.disabled:
            self.do(found.click)

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
        while self.state.running:
            self.tick()
        self.tick(2)


@pytest.fixture
def open_lab():
    """A function that opens a lab on a page, and lets it train; what it has running at the end is stopped."""
    opened = []

    def open_lab(kind="usual", trained=True, **options):
        opened.append(Page(kind, options))
        if trained:
            opened[-1].finish()
        return opened[-1]

    yield open_lab
    for page in opened:
        page.lab.sweeper.cancel()
        page.tick(3)
        page.loop.close()
        page.lab.close()


def assert_agrees(page):
    """Whatever has happened: all that the lab shows is of its one state."""
    lab, state, runs = page.lab, page.state, page.state.runs
    assert lab._run.description == ("Cancel" if state.running else "Run")
    for name, field in lab._fields.items():
        assert field.value == str(getattr(state.wanted, name))
        assert lab._sliders[name].value == getattr(state.wanted, name)
    assert lab._activation.value == state.wanted.activation
    assert lab._compare.value == state.comparing
    assert lab._open.disabled == (not state.chosen)
    assert lab._open.description == ("Open B step by step" if len(state.chosen) == 2 else "Open A step by step")
    step, steps = (runs.step, runs.settings.steps) if runs else (0, state.wanted.steps)
    progress = (lab._progress.value, lab._progress.max, lab._progress.description)
    assert progress == (step, steps, f"step {step} of {steps}")
    if runs is None:
        assert not lab._view.picture
        return
    assert state.running or state.wanted == runs.settings
    assert plain(lab._summary.value) == verdicts.on_map(runs)
    titles = {f"{name}: {verdicts.name_of(runs, run)}": run for name, run in zip("AB", state.chosen, strict=False)}
    told = "".join(f"{title}. {verdicts.on_run(runs, run)}" for title, run in titles.items())
    assert plain(lab._chosen.value) == (told or HOW_TO_CHOOSE)
    shown = {title: runs.losses(run).tolist() for title, run in titles.items()}
    assert lab._curves.value == (str(shown) if shown else "")
    assert lab._view.alt == verdicts.of_picture(runs)
    assert lab._view.boxes == [("runs", *lab._map.box, *runs.shape)]
    drawn = lab._map.image.get_array()
    assert np.ma.allclose(drawn, levels(runs.change), rtol=1e-12)
    assert np.array_equal(np.ma.getmaskarray(drawn), np.isinf(runs.change))


# Opening


def test_once_it_is_on_a_page_it_trains_by_itself_what_it_is_told_to(open_lab):
    page = open_lab(trained=False, seeds=5, steps=60, hidden=2, activation="Tanh")
    assert page.state.running
    page.finish()
    assert (page.state.runs.settings, page.state.runs.done) == (Settings(5, 60, 2, "Tanh"), True)
    assert_agrees(page)


def test_where_no_kernel_is_the_whole_map_stands_in_and_a_page_that_comes_later_trains_nothing_again(open_lab):
    page = open_lab(None)
    data = kept(page.lab)
    assert (data["text/plain"], page.state.runs.done) == ("LearningRateLab()", True)
    assert len(data["image/png"]) > 1000
    runs = page.state.runs
    page.resize("usual")
    assert page.state.runs is runs
    assert not page.state.running
    assert_agrees(page)


def test_every_control_has_a_name_and_a_tooltip(open_lab):
    page = open_lab()
    for control in page.lab._labelled:
        assert control.description
        assert page.lab._view.tooltips[control.description] == control.tooltip
    assert all(button.tooltip for button in (page.lab._run, page.lab._compare, page.lab._open))


# Running and canceling


def test_each_control_trains_anew_and_cancel_brings_back_what_the_map_shows(open_lab):
    page = open_lab()
    runs = page.state.runs
    for (gesture, *arguments), wanted in {
        ("slide", "seeds", 5): Settings(5, 130),
        ("slide", "steps", 60): Settings(3, 60),
        ("type_into", "hidden", "2"): Settings(3, 130, 2),
        ("activate", "Sigmoid"): Settings(3, 130, 4, "Sigmoid"),
        ("press", "_run"): Settings(3, 130),
    }.items():
        getattr(page, gesture)(*arguments)
        assert (page.state.wanted, page.state.running) == (wanted, True)
        page.tick(2)
        page.click(1, 20)  # the page is heard between two pieces of work
        assert (page.state.chosen, page.state.running) == (((1, 20),), True)
        assert_agrees(page)
        page.key("ArrowRight")
        page.press("_run")
        page.tick(20)
        assert (page.state.runs, page.state.chosen, page.state.running) == (runs, ((1, 21),), False)
        assert_agrees(page)


# Choosing, and opening a run


def test_a_click_chooses_and_a_pointer_that_only_passes_does_not(open_lab):
    page = open_lab()
    page.click(1, 20)
    page.send("cell", cell=["runs", 2, 30], pinned=False, clicked=False)
    page.send("cell", cell=None, pinned=False, clicked=True)  # beside the map
    assert page.state.chosen == ((1, 20),)
    page.key("ArrowRight")
    page.send("cell", cell=["runs", 1, 20], pinned=False, clicked=True)  # the page thinks that it lets go of it
    assert page.state.chosen == ((1, 20),)


def test_the_map_is_walked_by_keyboard_and_two_runs_stand_side_by_side_in_the_colours_of_their_rings(open_lab):
    page = open_lab()
    page.key("ArrowDown", "ArrowLeft", "ArrowLeft", "Enter", "ArrowUp")
    page.key("End", "Home", "Escape")  # these are for the step-through lab
    assert page.state.chosen == ((1, 36), (0, 36))
    assert [colour in page.lab._chosen.value for colour in CURVES] == [True, True, False, False]
    assert_agrees(page)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_run_on_the_map_opens_whatever_the_controls_are_at_by_now_and_takes_the_same_steps(open_lab, activation):
    page = open_lab(hidden=3, activation=activation)
    page.click(1, 40)
    page.slide("hidden", 8)
    page.press("_open")  # before there is a map of these
    (opened,) = page.lab._opened.children
    stepper, losses = opened.stepper, page.state.runs.losses((1, 40))
    for iteration in range(20):
        assert stepper.losses[iteration] == pytest.approx(losses[iteration], rel=1e-9)
        stepper.next_iteration()


def test_another_run_opens_in_the_same_place_as_if_nothing_had_been_there(open_lab, monkeypatch):
    page, sent = open_lab(seeds=5), []
    page.click(1, 40)
    page.press("_open")
    (first,) = page.lab._opened.children
    monkeypatch.setattr(type(first._view), "send", lambda view, content: sent.append(content))
    page.do(first._view._handle_custom_msg, {"kind": "page", **PAGES["usual"][0]}, [])
    assert sent == []
    page.do(first._view._handle_custom_msg, {"kind": "shown", "frame": 1}, [])
    assert sent == [{"do": "come"}], "into view, once its picture is there"
    first.stepper.set_up(samples=3, layers=2, outputs=1)
    first.stepper.plant("sign-flipped")
    first.stepper.next_iteration()
    first.stepper.choose(("X", 0, 0), pinned=True)
    first.stepper.edit(0.5)
    page.press("_compare")
    page.click(4, 10)
    page.press("_open")
    assert page.lab._opened.children == (first,)  # another hundred widgets each time would fill the page
    assert sent == [{"do": "come"}] * 2
    place, runs = first.stepper.place, page.state.runs
    assert (place.iteration, place.index, place.mistake, place.custom) == (0, 0, "", False)
    assert place.setup.seed == runs.seed((4, 10))
    assert same_values(place.trace, trace(runs.problem((4, 10))))


# What goes wrong


def test_rubbish_is_refused_in_a_sentence_that_stays_to_be_read_and_the_field_set_back(open_lab):
    page = open_lab()
    page.press("_run")
    for text, got in {"": "''", "1e9": "1000000000.0", "<b>3</b>": "'<b>3</b>'"}.items():
        page.type_into("seeds", text)
        assert page.note == f"seeds must be a whole number from 1 to 64; got {got}"
        assert_agrees(page)
    page.click(77, 3)
    assert "there are 3 rows and 76 columns of runs; got row 77" in page.note
    page.finish()
    page.resize("high")
    assert "got row 77" in page.note
    for asked_for, *where in [(page.press, "_run"), (page.click, 0, 0)]:
        asked_for(*where)
        assert not page.note, "what the learner asks for next takes its place"
        page.type_into("seeds", "none")


@pytest.mark.parametrize("broken", ["iter_sweep", "draw"])
def test_an_error_while_training_or_drawing_is_said_in_words_and_the_lab_goes_on(open_lab, monkeypatch, broken):
    page = open_lab()
    picture = page.lab._view.picture
    where = sweeper_module if broken == "iter_sweep" else RunMap
    monkeypatch.setattr(where, broken, raises(ZeroDivisionError("as an example")))
    page.slide("hidden", 3)
    page.finish()
    assert page.note == "Something went wrong inside the lab (ZeroDivisionError: as an example). Please report it."
    assert (page.lab._view.picture, page.lab._run.description) == (picture, "Run")
    monkeypatch.undo()
    page.slide("hidden", 2)
    page.finish()
    assert not page.note
    assert page.state.runs.settings.hidden == 2


# Any gestures, in any order

NUMBERS = st.sampled_from(["seeds", "steps", "hidden"])
TYPED = st.sampled_from(["", "-1", "2.5", "abc", "1e6", "1", "4", "60"])
GESTURES = st.one_of(
    st.tuples(st.just("slide"), st.sampled_from(["seeds", "hidden"]), st.integers(1, 5)),
    st.tuples(st.just("type_into"), NUMBERS, TYPED),
    st.tuples(st.just("activate"), st.sampled_from(list(ACTIVATIONS))),
    st.tuples(st.just("press"), st.sampled_from(["_run", "_compare", "_open"])),
    st.tuples(st.just("click"), st.integers(0, 5), st.integers(0, 75)),
    st.tuples(st.just("key"), st.sampled_from([*lab_module.KEYS, "Enter", "Escape"])),
    st.tuples(st.just("resize"), st.sampled_from(list(PAGES))),
    st.tuples(st.just("tick"), st.integers(2, 12)),
    st.tuples(st.just("finish")),
)


@settings(max_examples=count(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gestures=st.lists(GESTURES, min_size=15, max_size=25))
def test_under_any_gestures_picture_words_buttons_and_choice_agree(open_lab, gestures):
    page = open_lab(trained=False)
    for name, *arguments in gestures:
        getattr(page, name)(*arguments)
        assert_agrees(page)
        assert "went wrong" not in page.note
    page.finish()
    assert_agrees(page)
    assert not asyncio.all_tasks(page.loop)
    if page.state.runs:
        fresh = RunMap(*PAGES[page.kind][1])
        fresh.draw(page.state.runs, page.state.chosen)
        assert page.lab._view.picture == fresh.png()


def test_of_labs_that_no_page_has_shown_yet_only_the_last_keeps_its_runs(open_lab):
    """A notebook that is run without a page makes pictures alone, and one lab after the other is done with."""
    on_page = open_lab(kind="usual").lab
    list(on_page.sweeper.train())
    labs = [LearningRateLab(**SMALL) for _ in range(3)]
    stills = [kept(lab)["image/png"] for lab in labs]
    kept(labs[-1])
    assert [lab.sweeper.state.runs is not None for lab in labs] == [False, False, True]
    assert kept(labs[0])["image/png"] == stills[0] == stills[1]
    assert [lab.sweeper.state.runs is not None for lab in labs] == [True, False, False]
    assert on_page.sweeper.state.runs is not None
