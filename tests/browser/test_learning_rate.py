"""The learning-rate lab in use: many runs are trained while the page and other cells still get their turn."""

import re

import numpy as np
import pytest
from lab_page import LabPage
from playwright.sync_api import expect
from test_accessibility import violations

from backprop_lab.ui.rates.sweeper import LEARNING_RATES
from backprop_lab.ui.theme import CURVES

LAB = "from backprop_lab.ui import LearningRateLab\n\nlab = LearningRateLab({})\nlab"
MORE_RUNS = """import numpy as np

from backprop_lab.ui.rates import sweeper

sweeper.LEARNING_RATES = tuple(np.logspace(-4, 1, 160))  # so that a sweep takes long, even on a fast machine"""
OTHER_CELL = """import ipywidgets as widgets

slider, answer = widgets.IntSlider(description="another"), widgets.Label("0")
slider.observe(lambda change: setattr(answer, "value", f"heard {change.new}"), "value")
widgets.VBox([slider, answer])"""
RUNS = "list(lab.sweeper.state.runs.sweep.seeds)"
BOX = "list(lab._map.box)"
RING = tuple(int(CURVES[0][k : k + 2], 16) for k in (1, 3, 5))


class MapPage(LabPage):
    """The lab with its map; the step-through lab that it opens inside is a lab of its own."""

    def __init__(self, page):
        super().__init__(page)
        self.image, self.board = self.image.first, self.board.first
        self.runs = self.root.locator(".bpl-runs")
        self.summary = self.root.locator(".bpl-text")
        self.progress = self.root.get_by_text(re.compile(r"^step \d+ of \d+$"))

    @property
    def opened(self):
        return LabPage(self.page, 1)

    def point(self, row, col):
        """The middle of a run on the page, in CSS pixels: from where the map lies in its picture."""
        x, y, width, height = self.in_kernel(BOX)
        rows = len(self.in_kernel(RUNS))
        self.image.scroll_into_view_if_needed()
        at = self.image.bounding_box()
        across, down = x + width * (col + 0.5) / len(LEARNING_RATES), y + height * (row + 0.5) / rows
        return at["x"] + across * at["width"], at["y"] + down * at["height"]

    def choose_run(self, row, col):
        self.page.mouse.click(*self.point(row, col))
        self.settle()

    def name_of(self, row, col):
        return f"seed {self.in_kernel(RUNS)[row]}, learning rate {LEARNING_RATES[col]:.3g}"


@pytest.fixture
def open_map(notebook):
    def open_map(settings="", *cells, **options):
        lab = MapPage(notebook(LAB.format(settings), *cells, **options).page)
        lab.wait_for_picture()
        return lab

    return open_map


def test_while_a_sweep_runs_the_page_and_other_cells_answer_and_it_can_be_cancelled_and_run_again(open_map):
    lab = open_map("seeds=8, steps=60, hidden=8", OTHER_CELL, MORE_RUNS)
    expect(lab.progress).to_have_text("step 60 of 60")
    other = lab.page.locator(".jp-Cell").nth(1)

    def step():
        return int(re.match(r"step (\d+) of 1000", lab.progress.inner_text())[1])

    def answered(what, gesture):
        """A gesture is answered while the sweep goes on: one that blocks the kernel would be over by then."""
        gesture()
        assert step() < 1000, f"the sweep was over before {what} was answered"

    handle = other.locator(".noUi-handle")
    lab.type_into("seeds", "64")
    lab.field("steps").fill("1000")
    lab.field("steps").press("Enter")
    expect(lab.progress).to_have_text(re.compile(r"^step [1-9]\d* of 1000$"))
    answered("another cell", lambda: lab.in_kernel("6 * 7"))
    handle.focus()
    answered(
        "another slider", lambda: (handle.press("ArrowRight"), expect(other.get_by_text("heard 1")).to_be_visible())
    )
    answered("the map", lambda: (lab.image.click(), expect(lab.runs).to_contain_text("A: seed")))

    lab.button("Cancel").click()
    expect(lab.button("Run")).to_be_visible()
    lab.settle()
    stopped = lab.picture(), lab.alt(), lab.progress.inner_text(), lab.summary.inner_text()
    assert 50 <= step() < 1000
    assert f"After {step()} steps" in stopped[1]
    assert f"After {step()} steps" in stopped[3]
    lab.page.wait_for_timeout(400)
    assert (lab.picture(), lab.alt(), lab.progress.inner_text(), lab.summary.inner_text()) == stopped

    lab.type_into("seeds", "8")
    lab.type_into("steps", "100")
    expect(lab.progress).to_have_text("step 100 of 100")
    expect(lab.button("Run")).to_be_visible()
    lab.settle()
    assert lab.alt().startswith("Map of 8 seeds, in rows, at 160 learning rates from 0.0001 to 10. After 100 steps")
    before = lab.alt()
    lab.choose("activation", "Tanh")
    expect(lab.image).not_to_have_attribute("alt", before)
    expect(lab.button("Run")).to_be_visible()
    lab.settle()
    assert lab.in_kernel("lab.sweeper.state.runs.settings.activation") == "Tanh"
    assert lab.alt() == lab.in_kernel("lab._view.alt") != before


def test_a_click_chooses_the_run_under_the_pointer_at_every_zoom_and_its_ring_is_drawn_there(open_map):
    lab = open_map("seeds=12, steps=60", window={"width": 1280, "height": 800})

    def rings(x, y):
        """Whether on the screen the ring of the first run goes around this place, closely and on all four sides."""
        seen = np.asarray(lab.screenshot(x - 16, y - 16, 32, 32).resize((96, 96)), int)
        green = np.abs(seen - RING).max(axis=2) < 60
        middle = slice(44, 52)
        sides = (green[middle, :40], green[middle, 56:], green[:40, middle], green[56:, middle])
        return all(side.any() for side in sides) and not green[40:56, 40:56].any()

    def click_some(*runs):
        for row, col in runs:
            lab.choose_run(row, col)
            expect(lab.runs).to_contain_text(f"A: {lab.name_of(row, col)}")
            lab.settle()
            lab.leave()
            assert rings(*lab.point(row, col))

    click_some((0, 3), (11, 75), (5, 40), (5, 40))
    for zoom in (1.5, 0.8):
        old = lab.image.get_attribute("src")
        lab.zoom(zoom)
        expect(lab.image).not_to_have_attribute("src", old)
        lab.settle()
        assert lab.image.evaluate("image => image.naturalWidth") == pytest.approx(
            lab.image.bounding_box()["width"] * zoom, abs=1
        )
        click_some((3, 20), (9, 60))
    lab.zoom(1)
    lab.page.evaluate("document.body.style.zoom = 1.25")
    lab.page.wait_for_timeout(300)  # longer than the lab waits before it draws for a new size
    lab.settle()
    click_some((2, 70))


def test_two_runs_are_compared_and_one_opens_step_by_step_all_by_keyboard(open_map):
    lab = open_map("seeds=8, steps=60", "1 + 1")
    lab.page.locator(".jp-Cell").first.locator(".jp-InputPrompt").click()
    lab.board.focus()
    around = lab.notebook()
    lab.key("ArrowDown", "ArrowRight")
    expect(lab.runs).to_contain_text(f"A: {lab.name_of(4, 39)}")
    lab.key("Enter", "ArrowUp", "ArrowLeft")
    expect(lab.runs).to_contain_text(f"B: {lab.name_of(3, 38)}")
    expect(lab.button("Compare")).to_have_class(re.compile("mod-active"))
    curves = lab.root.locator("img[alt^='Loss by iteration']")
    expect(curves).to_have_attribute(
        "alt", re.compile(rf"A: {lab.name_of(4, 39)} goes from .*; B: {lab.name_of(3, 38)} goes")
    )
    lab.page.keyboard.press("Shift+Tab")  # the button before the map
    expect(lab.button("Open B step by step")).to_be_focused()
    lab.key("Enter")
    expect(lab.opened.field("seed")).to_have_value(str(lab.in_kernel(RUNS)[3]))
    expect(lab.opened.field("learning rate")).to_have_value(f"{LEARNING_RATES[38]:.4g}")
    expect(lab.opened.board).to_be_focused()
    expect(lab.opened.field("seed")).to_be_in_viewport()
    lab.opened.wait_for_picture()
    lab.key("ArrowRight")
    lab.opened.expect_at("Y1")
    assert lab.notebook() == around

    # The other run, in the same place.
    lab.board.focus()
    lab.key("Enter", "ArrowDown")
    expect(lab.button("Open A step by step")).to_be_enabled()
    lab.button("Open A step by step").focus()
    lab.key("Space")
    expect(lab.opened.field("seed")).to_have_value(str(lab.in_kernel(RUNS)[4]))
    lab.opened.expect_at(None)
    expect(lab.opened.board).to_be_focused()
    assert lab.page.locator(".bpl-lab").count() == 2
    assert lab.notebook() == around


def test_axe_finds_no_violation_and_every_control_has_a_name_and_a_tooltip(open_map):
    lab = open_map("seeds=8, steps=60")
    found = set()

    def look():
        for theme, is_light in (("light", "true"), ("dark", "false")):
            lab.theme(theme)
            expect(lab.page.locator(f"body[data-jp-theme-light={is_light}]")).to_be_attached()
            found.update(f"in the {theme} theme, {violation}" for violation in violations(lab))

    look()
    lab.choose_run(1, 20)
    lab.press("Compare")
    lab.choose_run(6, 40)
    lab.type_into("seeds", "rubbish")
    expect(lab.refused).to_contain_text("seeds must be a whole number from 1 to 64; got 'rubbish'")
    look()
    assert not sorted(found)
    controls = lab.root.evaluate("""(lab) => [...lab.querySelectorAll("button, input, select, [tabindex]")]
      .filter((control) => control.checkVisibility() && !control.matches(".noUi-handle"))
      .map((control) => {
        const label = control.labels?.[0];
        const name = label?.textContent || control.getAttribute("aria-label") || control.textContent;
        const titled = [control, label, control.closest(".bpl-lab [title]")].find((element) => element?.title);
        return { name: name.trim(), tooltip: titled?.title ?? control.getAttribute("aria-label") };
      })""")
    assert len(controls) == 8
    assert all(control["name"] and control["tooltip"] for control in controls), controls
