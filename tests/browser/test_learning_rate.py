"""The learning-rate lab in use: many runs are trained while the page and other cells still get their turn."""

import re

from lab_page import LabPage
from playwright.sync_api import expect

from backprop_lab.ui.rates.sweeper import LEARNING_RATES

MORE_RUNS = """import numpy as np

from backprop_lab.ui.rates import sweeper

sweeper.LEARNING_RATES = tuple(np.logspace(-4, 1, 160))  # so that a sweep takes long, even on a fast machine"""
OTHER_CELL = """import ipywidgets as widgets

slider, answer = widgets.IntSlider(description="another"), widgets.Label("0")
slider.observe(lambda change: setattr(answer, "value", f"heard {change.new}"), "value")
widgets.VBox([slider, answer])"""


class MapPage(LabPage):
    """The lab with its map; the step-through lab that it opens inside is a lab of its own."""

    def __init__(self, page):
        super().__init__(page)
        self.image, self.board = self.image.first, self.board.first
        self.runs, self.summary = self.root.locator(".bpl-runs"), self.root.locator(".bpl-text")
        self.progress = self.root.get_by_text(re.compile(r"^step \d+ of \d+$"))

    def seeds(self):
        return self.in_kernel("list(lab.sweeper.state.runs.sweep.seeds)")

    def expect_run(self, letter, row, col):
        run = f"{letter}: seed {self.seeds()[row]}, learning rate {LEARNING_RATES[col]:.3g}"
        expect(self.runs).to_contain_text(run)


def open_map(notebook, settings, *cells):
    cells = (f"from backprop_lab.ui import LearningRateLab\n\nlab = LearningRateLab({settings})\nlab", *cells)
    lab = MapPage(notebook(*cells, run=False).page)
    lab.run_all()
    return lab


def test_while_a_sweep_runs_the_page_and_other_cells_answer_and_it_can_be_canceled(
    notebook,
):
    lab = open_map(notebook, "seeds=8, steps=60, hidden=8", OTHER_CELL, MORE_RUNS)
    expect(lab.progress).to_have_text("step 60 of 60")
    other = lab.page.locator(".jp-Cell").nth(1)

    def still_runs():
        return int(re.match(r"step (\d+) of 1000", lab.progress.inner_text())[1]) < 1000

    lab.type_into("seeds", "64")
    lab.field("steps").fill("1000")
    lab.field("steps").press("Enter")
    expect(lab.progress).to_have_text(re.compile(r"^step [1-9]\d* of 1000$"))
    lab.in_kernel("6 * 7")
    assert still_runs(), "it was over before another cell was answered"
    other.locator(".noUi-handle").press("ArrowRight")
    expect(other.get_by_text("heard 1")).to_be_visible()
    assert still_runs(), "it was over before another slider was answered"
    lab.image.click()
    expect(lab.runs).to_contain_text("A: seed")
    assert still_runs(), "it was over before the map was answered"

    def shown():
        lab.settle()
        return lab.picture(), lab.image.get_attribute("alt"), lab.progress.inner_text(), lab.summary.inner_text()

    lab.button("Cancel").click()
    expect(lab.button("Run")).to_be_visible()
    stopped = shown()
    assert f"After {stopped[2].split()[1]} steps" in stopped[1]
    lab.page.wait_for_timeout(400)  # nothing is to come, so there is nothing to wait for
    assert shown() == stopped


def test_two_runs_are_compared_and_one_opens_step_by_step_by_keyboard_and_axe_finds_no_violation(notebook):
    lab = open_map(notebook, "seeds=8, steps=60", "1 + 1")
    lab.select_cell(0)
    lab.board.focus()
    around = lab.notebook()
    lab.key("ArrowDown", "ArrowRight")
    lab.expect_run("A", 4, 39)
    lab.key("Enter", "ArrowUp", "ArrowLeft")
    lab.expect_run("B", 3, 38)
    assert lab.is_crisp()
    lab.key("Shift+Tab")  # the button before the map
    expect(lab.button("Open B step by step")).to_be_focused()
    lab.key("Enter")
    opened = LabPage(lab.page, 1)
    expect(opened.field("seed")).to_have_value(str(lab.seeds()[3]))
    expect(opened.field("learning rate")).to_have_value(f"{LEARNING_RATES[38]:.4g}")
    expect(opened.board).to_be_focused()
    expect(opened.field("seed")).to_be_in_viewport()
    opened.wait_for_picture()
    lab.key("ArrowRight")
    opened.expect_at("Y1")
    assert lab.notebook() == around
    lab.field("seeds").first.fill("rubbish")
    lab.field("seeds").first.press("Enter")
    expect(lab.refused.first).to_be_visible()
    assert lab.violations() == []
