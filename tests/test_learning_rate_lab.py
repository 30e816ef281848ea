"""The learning-rate lab without a browser: at any moment its picture, text, buttons and choice show the same state."""

import asyncio
import time
from threading import Thread

import ipywidgets as widgets
import pytest
from common import count, kept, parts_of, plain, same_values, tell, view_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_parts import OWN_PROBLEMS

from backprop_lab import ACTIVATIONS, OPTIMIZERS, trace
from backprop_lab.ui import LearningRateLab
from backprop_lab.ui.controls import ARROWS
from backprop_lab.ui.rates import lab as lab_module
from backprop_lab.ui.rates import sweeper as sweeper_module
from backprop_lab.ui.rates import verdicts
from backprop_lab.ui.rates.run_map import RunMap
from backprop_lab.ui.rates.sweeper import Settings
from backprop_lab.ui.theme import CURVES

PAGES = {  # what a page says of itself, and the map that it gets
    "high": ({"width": 600, "height": 1200, "ratio": 1.0, "dark": True}, (600, 600, 1.0, True)),
    "small": ({"width": 240, "height": 400, "ratio": 2.0, "dark": False}, (420, 300, 2.0, False)),
}


@pytest.fixture(autouse=True)
def kernel(monkeypatch):
    """The event loop of a kernel, in which gestures are answered; a sweep goes on only where a test lets it."""
    monkeypatch.setattr(sweeper_module, "PAUSE", 0.0)
    monkeypatch.setattr(lab_module, "draw_curves", lambda losses, **size: str(losses))
    loop = asyncio.new_event_loop()
    asyncio._set_running_loop(loop)
    yield
    for task in asyncio.all_tasks():
        task.cancel()
    tick(2)
    asyncio._set_running_loop(None)
    loop.close()


def tick(times=1):
    """Let a sweep go on for so many pieces of work."""
    loop = asyncio.get_running_loop()
    asyncio._set_running_loop(None)
    for _ in range(times):
        loop.call_soon(loop.stop)
        loop.run_forever()
    asyncio._set_running_loop(loop)


class Page:
    """A lab, in three rounds of training, and the gestures on its page."""

    def __init__(self, kind="small", seeds=3, steps=130, **options):
        self.lab = LearningRateLab(seeds=seeds, steps=steps, **options)
        self.resize(kind)

    state = property(lambda self: self.lab.sweeper.state)
    note = property(lambda self: plain(self.lab._note.value))
    tick = staticmethod(tick)

    def resize(self, kind):
        self.kind = kind
        tell(self.lab, "page", PAGES[kind][0])

    def press(self, name):
        found = getattr(self.lab, name)
        if isinstance(found, widgets.ToggleButton):
            found.value = not found.value
        elif not found.disabled:
            found.click()

    def set(self, name, value):
        """Move a slider to a number, or type a text into its field."""
        found = self.lab._fields | self.lab._menus
        (self.lab._sliders if isinstance(value, int) else found)[name].value = value
        return self

    def click(self, row, col):
        tell(self.lab, "cell", {"cell": ["runs", row, col], "clicked": True})

    def key(self, key):
        tell(self.lab, "key", {"key": key})

    def finish(self):
        tick(2)  # a slider moved just after Cancel trains again
        while self.state.running:
            tick()
        tick(2)
        return self


def assert_agrees(page):
    lab, state, runs = page.lab, page.state, page.state.runs
    step, steps = (runs.step, runs.settings.steps) if runs else (0, state.wanted.steps)
    wanted = {name: getattr(state.wanted, name) for name in lab._fields} | lab._slid
    assert {name: field.value for name, field in lab._fields.items()} == {name: str(n) for name, n in wanted.items()}
    assert {name: slider.value for name, slider in lab._sliders.items()} == wanted
    assert {name: menu.value for name, menu in lab._menus.items()} == state.wanted.chosen
    assert lab._compare.value == state.comparing
    assert lab._run.description == ("Cancel" if state.running else "Run")
    assert (lab._open.disabled, "Open B" in lab._open.description) == (not state.chosen, len(state.chosen) == 2)
    progress, told = lab._progress, f", {state.progress}" * bool(state.progress)
    assert (progress.value, progress.max, progress.description) == (step, steps, f"step {step} of {steps}{told}")
    if runs is None:
        assert not view_of(lab).picture
        return
    assert state.running or state.wanted == runs.settings
    assert plain(lab._summary.value) == verdicts.on_map(runs)
    titles = {f"{name}: {verdicts.name_of(runs, run)}": run for name, run in zip("AB", state.chosen, strict=False)}
    told = "".join(f"{title}. {verdicts.on_run(runs, run)}" for title, run in titles.items())
    assert plain(lab._chosen.value).startswith(told or "Click a run, or move to one")
    assert [colour in lab._chosen.value for colour in CURVES[:2]] == [len(titles) > 0, len(titles) > 1]
    shown = {title: runs.losses(run).tolist() for title, run in titles.items()}
    assert lab._curves.value == (str(shown) if shown else "")
    assert (view_of(lab).alt, view_of(lab).boxes) == (verdicts.of_picture(runs), [("runs", *lab._map.box, *runs.shape)])
    lab._map.draw(runs, state.chosen)
    assert lab._map.png() == view_of(lab).picture


def test_on_a_page_it_trains_by_itself_and_each_control_has_a_name():
    page = Page(seeds=5, steps=60, hidden=2, activation="Tanh").finish()
    assert (page.state.runs.settings, page.state.runs.done) == (Settings(5, 60, 2, "Tanh"), True)
    assert repr(page.lab) == "LearningRateLab(seeds=5, steps=60, hidden=2, activation='Tanh')"
    shown = [page.lab._run, page.lab._compare, page.lab._open]
    for control in (*page.lab._fields.values(), *page.lab._menus.values(), *shown):
        assert control.description
        assert control.tooltip


def open_run(page, row, col):
    """Choose a run of the map and open it: the lab, whose trace is that of the run."""
    page.click(row, col)
    page.press("_open")
    (opened,) = page.lab._opened.children
    assert same_values(opened.trace, trace(page.state.runs.problem((row, col))))
    return opened


def test_the_run_on_the_map_opens_wherever_the_controls_are():
    page = Page(seeds=5, hidden=3, activation="Tanh").finish()
    page.set("hidden", 8)  # of which there is no map yet
    first = open_run(page, 1, 40)
    first.stepper.set_up(samples=3, layers=2, outputs=1)
    first.stepper.plant("sign-flipped")
    page.press("_compare")
    assert open_run(page, 4, 10) is first  # another hundred widgets each time would fill the page
    assert (first.step, first.stepper.place.mistake) == (None, "")


def test_opening_another_run_stops_play_which_was_of_the_run_before():
    page = Page(seeds=5).finish()
    opened = open_run(page, 1, 40)
    tell(opened, "speed", {"speed": "as fast as it goes"})
    tell(opened, "do", {"what": "play"})
    tick(2)
    assert view_of(opened).state["playing"]
    place = open_run(page, 4, 10).stepper.place
    assert not view_of(opened).state["playing"]
    time.sleep(0.03)  # in which its next move would come
    tick(3)
    assert opened.stepper.place is place


def test_of_ones_own_problem_a_run_opens_as_it_is_on_the_map():
    page = Page(problem=OWN_PROBLEMS["leaky ReLU"]).finish()
    assert repr(page.lab) == "LearningRateLab(problem, seeds=3, steps=130)"
    seen = [part.description for part, _ in parts_of(page.lab.children[0]) if getattr(part, "description", "")]
    assert seen == ["seeds", "steps", "activation", "optimizer"], "it has hidden units of its own"
    for name, chosen in (("activation", "as given"), ("activation", "Sigmoid"), ("optimizer", "Adam")):
        page.set(name, chosen).finish()
        for seed in (None, 1):
            open_run(page, page.state.runs.sweep.seeds.index(seed), 30).stepper.set_up(start="random")


def test_rubbish_is_refused_in_a_sentence_that_stays_until_the_next_request():
    page = Page().finish()
    for asked_for, *where in [(page.press, "_run"), (page.click, 0, 0)]:
        page.set("seeds", "<b>3</b>").finish()
        page.resize("high")
        assert page.note == "seeds must be a whole number from 1 to 64; got '<b>3</b>'"
        assert_agrees(page)
        asked_for(*where)
        assert not page.note


GESTURES = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(["seeds", "hidden"]), st.integers(1, 5)),
    st.tuples(st.just("set"), st.sampled_from(["seeds", "steps", "hidden"]), st.sampled_from(["", "2.5", "abc", "4"])),
    st.tuples(st.just("set"), st.just("activation"), st.sampled_from(list(ACTIVATIONS))),
    st.tuples(st.just("set"), st.just("optimizer"), st.sampled_from(list(OPTIMIZERS))),
    st.tuples(st.just("press"), st.sampled_from(["_run", "_compare", "_open"])),
    st.tuples(st.just("click"), st.integers(0, 5), st.integers(0, 75)),
    st.tuples(st.just("key"), st.sampled_from([*ARROWS, "Enter", "Escape"])),
    st.tuples(st.just("resize"), st.sampled_from(list(PAGES))),
    st.tuples(st.just("tick"), st.integers(2, 12)),
    st.just(("finish",)),
)


@settings(max_examples=count(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gestures=st.lists(GESTURES, min_size=15, max_size=25))
def test_under_any_gestures_picture_words_buttons_and_choice_agree(gestures):
    page = Page()
    for name, *arguments in [*gestures, ("finish",)]:
        getattr(page, name)(*arguments)
        assert_agrees(page)
        assert "went wrong" not in page.note
    assert not asyncio.all_tasks()
    fresh = RunMap(*PAGES[page.kind][1])
    fresh.draw(page.state.runs, page.state.chosen)
    assert view_of(page.lab).picture == fresh.png()


def test_cancel_counts_even_where_it_is_pressed_just_as_progress_is_shown(monkeypatch):
    """ipykernel handles a message in another thread, and so between any two lines of the sweep."""
    page, real, hands = Page(), sweeper_module.replace, []

    def slow_replace(state, **changes):
        if changes.get("progress") and not hands:
            hands.append(Thread(target=page.press, args=["_run"]))
            hands[0].start()
            hands[0].join(0.3)
        return real(state, **changes)

    monkeypatch.setattr(sweeper_module, "replace", slow_replace)
    while not hands:
        tick()
    hands[0].join()
    tick(3)
    assert not page.state.running
    assert_agrees(page)


def test_of_labs_that_no_page_shows_only_the_last_keeps_its_runs():
    labs = [LearningRateLab(seeds=3, steps=50) for _ in range(3)]
    assert len({kept(lab)["image/png"] for lab in labs}) == 1
    assert [lab.sweeper.state.runs is not None for lab in labs] == [False, False, True]
    page = Page().finish()
    tell(page.lab, "gone")
    assert page.state.runs is None
