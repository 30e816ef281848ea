"""The learning-rate lab in use: many runs are trained while the page and other cells still get their turn."""

import re

from lab_page import LabPage
from playwright.sync_api import expect

from backprop_lab.ui.rates.sweeper import LEARNING_RATES

LAB = "from backprop_lab.ui import LearningRateLab\n\nlab = LearningRateLab(seeds=8, steps=60)\nlab"
MORE_RUNS = """import numpy as np
from backprop_lab.ui.rates import sweeper
sweeper.LEARNING_RATES = tuple(np.logspace(-4, 1, 800))  # so that a sweep takes long, even on a fast machine"""
OTHER_CELL = """import ipywidgets as widgets
slider, answer = widgets.IntSlider(description="another"), widgets.Label("0")
slider.observe(lambda change: setattr(answer, "value", f"heard {change.new}"), "value")
widgets.VBox([slider, answer])"""


def open_map(notebook, *cells):
    """The lab with its map; the step-through lab that it opens inside is a lab of its own."""
    lab = notebook(LAB, *cells, run=False)
    lab.image, lab.board = lab.image.first, lab.board.first
    lab.run_all()
    return lab


def test_while_a_sweep_runs_all_else_answers_and_it_can_be_canceled(notebook):
    lab = open_map(notebook, OTHER_CELL, MORE_RUNS)
    progress = lab.root.get_by_text(re.compile(r"^step \d+ of \d+(, .*)?$"))
    expect(progress).to_have_text("step 60 of 60")
    for label, number in (("seeds", "64"), ("steps", "1000")):
        lab.field(label).fill(number)
        lab.field(label).press("Enter")
    expect(progress).to_have_text(re.compile(r"^step [1-9]\d* of 1000(, .*)?$"))
    lab.page.locator(".jp-Cell").nth(1).locator(".noUi-handle").press("ArrowRight")
    expect(lab.page.get_by_text("heard 1")).to_be_visible()
    lab.image.click()
    expect(lab.root.locator(".bpl-runs")).to_contain_text("A: seed")
    lab.button("Cancel").click()
    expect(lab.button("Run")).to_be_visible()
    assert int(re.match(r"step (\d+) of 1000", progress.inner_text())[1]) < 1000, "it was over before all had an answer"


def test_by_keyboard_two_runs_are_compared_and_one_is_opened(notebook):
    lab = open_map(notebook, "1 + 1")
    seeds = lab.in_kernel("list(lab.sweeper.state.runs.sweep.seeds)")
    lab.select_cell(0)
    lab.board.focus()
    around = lab.notebook()
    for keys, run, row, col in (("ArrowDown ArrowRight", "A", 4, 39), ("Enter ArrowUp ArrowLeft", "B", 3, 38)):
        lab.key(*keys.split())
        told = f"{run}: seed {seeds[row]}, learning rate {LEARNING_RATES[col]:.3g}"
        expect(lab.root.locator(".bpl-runs")).to_contain_text(told)
    assert lab.is_crisp()
    lab.key("Shift+Tab", "Enter")  # the button before the map
    opened = LabPage(lab.page, 1)
    expect(opened.field("seed")).to_have_value(str(seeds[3]))
    expect(opened.field("learning rate")).to_have_value(f"{LEARNING_RATES[38]:.4g}")
    expect(opened.board).to_be_focused()
    opened.wait_for_picture()
    assert 0 < opened.root.bounding_box()["y"] < 150, "the page has come to it"
    assert opened.board.bounding_box()["height"] > 300, "it has as much room as a lab alone"
    lab.key("ArrowRight")
    opened.expect_at("Y1")
    assert lab.notebook() == around
    assert lab.violations() == []
