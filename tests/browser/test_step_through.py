"""The step-through lab in use: what only a browser shows of it, in a real JupyterLab.

What a control does, and what is said, is tested without a browser.
"""

from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
from lab_page import LAID_OUT, ONE_CELL, READY, RUN_ALL, LabPage
from playwright.sync_api import expect

SECOND_NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_step_through.ipynb"


def test_in_the_second_notebook_every_slider_and_button_moves_text_picture_and_timeline_together(notebook):
    lab = notebook(made=nbformat.read(SECOND_NOTEBOOK, as_version=4))
    lab.press("Play")
    expect(lab.iteration).to_have_text("iteration 1")
    lab.press("Play", "Restart", "Predict first")
    lab.jump("L")
    for gesture, step, iteration, moved in (
        (lambda: lab.press("Next", "+"), "dy_pred", 0, {"card", "timeline"}),
        (lambda: lab.press("Restart", "Predict first", "Next"), "Y1", 0, {"card", "timeline"}),
        (lambda: lab.seed_slider.press("ArrowRight"), "Y1", 0, {"seed", "start"}),
        (lambda: lab.press("Next phase", "Back"), "H1", 0, {"card", "timeline"}),
        (lambda: lab.jump("b2_new"), "b2_new", 0, {"card", "timeline"}),
        (lambda: lab.lr_slider.press("ArrowRight"), "b2_new", 0, {"card", "learning rate"}),  # it is the update
        (lambda: lab.press("Next iteration"), "b2_new", 1, {"card"}),
        (lambda: lab.press("Restart"), None, 0, {"card", "timeline"}),
    ):
        before = lab.state()
        gesture()
        lab.expect_at(step, iteration)
        after = lab.state()
        assert {"picture", "alt", "call"} | moved <= {what for what in before if before[what] != after[what]}


AREAS = """lab => ["transport", "timeline", "map", "card", "operation", "sum"].map((area) => {
  const { left, top, width, height } = lab.querySelector(`.bpl-${area}`).getBoundingClientRect();
  return [left, top, width, height].map(Math.round);
})"""


def test_questions_stand_in_the_card_and_a_reason_beside_ours_and_nothing_moves(notebook):
    lab = notebook(ONE_CELL.replace("StepThrough()", "StepThrough(questions='tour')"))
    areas = lab.root.evaluate(AREAS)
    lab.press("Next", "the third", "the second")
    expect(lab.card).to_contain_text("Right. The second input")
    expect(lab.button("Next question")).to_be_focused()
    lab.key("Enter")
    expect(lab.field("a number")).to_be_focused()
    lab.press("Predict first", "Next", "none")
    lab.field("Why?").fill("as they are <b>")
    lab.field("Why?").press("Enter")
    expect(lab.card).to_contain_text("You: as they are <b> — Ours: A ReLU lets through what is positive")
    lab.field("a number").fill("3")
    lab.field("a number").press("Enter")
    expect(lab.card).to_contain_text("Right. Three, all in the first row")
    assert lab.root.evaluate(AREAS) == areas
    assert lab.violations() == []


def test_a_click_lands_on_the_cell_under_the_pointer_at_every_zoom(lab):
    lab.after_a_new_picture(lambda: lab.page.set_viewport_size({"width": 1920, "height": 1200}))
    lab.jump("b2_new")

    def click(*cells):
        for name, i, j in cells:
            for across, down in [(-0.42, -0.4), (0.42, 0.4)]:
                lab.key("Escape")
                expect(lab.worked).to_have_count(0)
                lab.click(name, i, j, across, down)
                expect(lab.worked).to_contain_text(f"{name}[{i},{j}] = ")

    click(("W1", 2, 3), ("b2_new", 0, 1))
    for zoom, cell in [(1.5, ("W1", 2, 3)), (2, ("b2_new", 0, 1)), (0.8, ("b2_new", 0, 1))]:
        lab.zoom(zoom)
        assert lab.is_crisp(zoom)
        click(cell)
    lab.zoom(1)
    lab.page.evaluate("document.body.style.zoom = 1.25")  # the page is larger, and no picture is asked for
    click(("W1", 2, 3))


def test_hovering_works_a_cell_out_and_a_click_keeps_it_whatever_the_pointer_does_next(lab):
    lab.jump("dW1")
    unframed = lab.picture()
    lab.hover("dW1", 1, 2)
    expect(lab.worked).to_contain_text("dW1[1,2] = ")
    lab.hover("W1_new", 0, 0)  # not on the board yet
    expect(lab.worked).to_have_count(0)
    lab.click("dW1", 1, 2)
    lab.hover("db2", 0, 1)  # at once, before the kernel can have answered
    lab.settle()
    expect(lab.worked).to_contain_text("dW1[1,2] = ")
    lab.click("dW1", 1, 2)
    lab.page.mouse.move(0, 0)
    lab.settle()
    expect(lab.worked).to_have_count(0)
    assert lab.picture() == unframed
    lab.click("W1_new", 0, 0)  # still empty: what one wants is its step, and what it is made of there
    lab.expect_at("W1_new")
    expect(lab.worked).to_contain_text("W1_new[0,0] = ")
    lab.click("b2_new", -1, 0)  # where its name is
    lab.expect_at("b2_new")


def test_the_board_is_walked_by_keyboard_and_jupyterlab_keeps_its_own_keys(notebook):
    lab = notebook("1 + 1", ONE_CELL, "2 + 2")
    lab.select_cell(1)
    lab.board.focus()
    around = lab.notebook()
    for keys, step in [(["ArrowRight"] * 2, "H1"), (["ArrowLeft"], "Y1"), (["End"], "b2_new"), (["Home"], None)]:
        lab.key(*keys)
        lab.expect_at(step)
    for key, cell in [("ArrowDown", "X[0,0]"), ("ArrowDown", "y[0,0]"), ("Enter", "y[0,0]"), ("ArrowRight", "y[0,1]")]:
        lab.key(key)  # Enter opens a matrix: from there arrows go from cell to cell
        expect(lab.worked).to_contain_text(f"{cell} = ")
    lab.key("Escape")
    expect(lab.worked).to_have_count(0)
    for control in (lab.seed_slider, lab.lr_slider, lab.button("Next"), lab.step_button("Y1"), lab.field("seed")):
        control.focus()
        lab.key("ArrowUp", "ArrowDown", "a", "b", "d", "d", "Escape")
    for control, key, step in [("Next", "Enter", "Y1"), ("Next", "Space", "H1"), ("dW1", "Enter", "dW1")]:
        (lab.step_button if control == step else lab.button)(control).focus()
        lab.key(key)
        lab.expect_at(step)
    assert lab.notebook() == around

    # What is JupyterLab's: saving from anywhere, and commands to the notebook where no control has the focus.
    is_dirty = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
    assert lab.page.evaluate(is_dirty)
    lab.board.focus()
    lab.key("Control+s")
    lab.page.wait_for_function(f"!({is_dirty})()")
    lab.page.locator(".jp-Cell").nth(0).locator(".cm-content").click()
    lab.key("Escape", "ArrowDown", "a")
    assert lab.notebook() == {"active": 1, "cells": 4, "mode": "command"}
    lab.expect_at("dW1")


# What has the focus: its name, where it is on the page, and where in its lab. Null outside.
FOCUSED = """() => {
  const at = document.activeElement, lab = at.closest(".bpl-lab")?.getBoundingClientRect();
  if (!lab) return null;
  const { left: x, top: y, width, height } = at.getBoundingClientRect();
  const name = at.labels?.[0]?.textContent || at.getAttribute("aria-label") || at.textContent || at.className;
  return { name: name.trim(), x, y, width, height, left: x - lab.left, top: y - lab.top };
}"""


def test_tab_goes_through_the_lab_in_the_order_in_which_it_is_seen_and_the_focus_is_visible(lab):
    lab.page.add_style_tag(content="* { caret-color: transparent !important; transition: none !important; }")
    lab.jump("L")
    lab.press("Predict first", "Next", "More", "As NumPy")
    expect(lab.script).to_be_in_viewport()
    lab.page.evaluate(LAID_OUT)  # the page has scrolled to the script
    lab.page.mouse.move(0, 0)

    def shot(at):
        return np.asarray(lab.screenshot(at["x"] - 5, at["y"] - 5, at["width"] + 10, at["height"] + 10), int)

    lab.field("start").focus()
    stops = []
    while (at := lab.page.evaluate(FOCUSED)) and len(stops) < 80:
        stops.append(at)
        with_focus, handle = shot(at), lab.page.evaluate_handle("document.activeElement")
        handle.evaluate("element => element.blur()")
        differing = np.abs(with_focus - shot(at)).max(axis=2) > 60
        assert differing.sum() >= at["width"] + at["height"], at  # a line of one pixel on two sides
        handle.evaluate("element => element.focus({ focusVisible: true })")
        lab.key("Tab")
    names = {stop["name"].partition(". ")[0] for stop in stops}
    assert {"start", "learning rate", "Next", "or its value", "Board", "planted mistake", "b2_new"} <= names
    assert len(stops) == len({(stop["left"], stop["top"]) for stop in stops})
    for a, b in pairwise(stops):
        assert b["top"] + b["height"] > a["top"], f"{b['name']} is above {a['name']}"
        is_lower = b["top"] >= a["top"] + a["height"] / 2
        assert is_lower or b["left"] + b["width"] > a["left"], f"{b['name']} is left of {a['name']}"


def test_axe_finds_no_violation_in_either_theme_with_everything_closed_and_with_everything_open(lab):
    assert lab.violations() == []
    lab.jump("dW1")
    lab.press("More", "Values as a table", "As NumPy", "Next iteration")
    lab.click("W1", 0, 0)
    expect(lab.field("new value:")).to_be_visible()
    lab.choose("planted mistake", "ReLU mask forgotten")
    expect(lab.remarks.locator(".bpl-wrong")).to_be_visible()
    assert lab.violations() == []
    lab.choose("planted mistake", "none")
    lab.jump("L")
    lab.press("Predict first", "Next")
    lab.field("or its value").fill("<b>rubbish")
    lab.field("or its value").press("Enter")
    expect(lab.refused).to_contain_text("<b>rubbish")
    assert lab.violations() == []


def test_the_script_and_the_call_are_really_copied_and_the_picture_is_saved_as_they_are_now(lab):
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.jump("b2_new")
    lab.press("More", "As NumPy")
    expect(lab.script).to_be_in_viewport()
    for name, shown, part in (("Copy this call", lab.call, "step='b2_new'"), ("Copy the script", lab.script, "b2_new")):
        lab.button(name).click()
        expect(lab.root.get_by_role("button", name="Copied")).to_have_count(1)
        expect(lab.button(name)).to_be_visible()  # the button takes its own name again
        assert part in lab.page.evaluate("navigator.clipboard.readText()").strip() == shown.inner_text().strip()
    with lab.page.expect_download() as saved:
        lab.field("Save").select_option("svg")
    assert saved.value.suggested_filename == "b2_new.svg"
    assert ">b2_new</text>" in Path(saved.value.path()).read_text()


def test_the_picture_follows_the_theme(lab):
    def brightness():
        at = lab.image.bounding_box()
        edge = np.asarray(lab.screenshot(at["x"] - 3, at["y"], 6, 1), int)  # half beside the picture, half in it
        assert np.ptp(edge, axis=1).max() <= 1, "there is a seam"
        return edge.max()

    lab.jump("dW1")
    assert brightness() > 192
    lab.after_a_new_picture(lambda: lab.theme("dark"))
    assert brightness() < 64


def test_two_labs_do_not_influence_each_other_nor_does_running_a_cell_twice(notebook):
    first = notebook(ONE_CELL, "StepThrough()")
    second = LabPage(first.page, 1)
    second.wait_for_picture()
    untouched = second.state()
    first.press("Next", "Next iteration")
    here = first.state()
    assert second.state() == untouched
    second.press("Next phase")
    second.expect_at("y_pred")
    first.select_cell(1)
    first.command("notebook:run-cell")
    second.wait_for_picture()
    assert (first.state(), second.state()) == (here, untouched)


def test_a_control_that_is_moved_while_a_cell_runs_is_heard_and_goes_on_working(notebook):
    lab = notebook(
        "import asyncio\n\nfrom backprop_lab.ui import StepThrough\n\nlab = StepThrough()\nlab",
        "while getattr(lab.stepper.place.step, 'name', None) != 'y_pred':\n    await asyncio.sleep(0.1)\nprint('seen')",
        run=False,
    )
    lab.page.evaluate(f"() => void {RUN_ALL}")
    seen = lab.page.locator(".jp-OutputArea-output").filter(has_text="seen")
    for value in "12":
        lab.seed_slider.press("ArrowRight")
        expect(lab.field("seed")).to_have_value(value)
    for step in ("Y1", "H1", "y_pred"):
        expect(seen).to_have_count(0)
        lab.button("Next").click()
        lab.expect_at(step)
    expect(seen).to_have_count(1)
    lab.seed_slider.press("ArrowRight")
    expect(lab.field("seed")).to_have_value("3")


def test_what_the_page_has_to_tell_while_there_is_no_kernel_raises_nothing(lab):
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    lab.image.evaluate("image => image.onload()")
    lab.step_button("dW1").evaluate("button => button.onclick()")
    lab.page.evaluate("() => window.dispatchEvent(new Event('pagehide'))")


# Of all the labs in the kernel, whose view has a picture; what else is kept with one, a test without a browser knows.
SHOWN = """[__import__("gc").collect() and 0, sorted(
    len(each.picture) > 0 for each in __import__("gc").get_objects() if type(each).__name__ == "StepView")][1]"""


def expect_shown(lab, shown, labs):
    """Whether the kernel comes to keep the pictures of this many of its labs alone."""
    for _ in range(50):
        if (kept := lab.in_kernel(SHOWN)) == [False] * (labs - shown) + [True] * shown:
            return
        lab.page.wait_for_timeout(100)
    raise AssertionError(kept)


def test_of_a_lab_whose_cell_was_run_again_no_picture_is_kept_and_after_a_reload_each_goes_on_where_it_was(notebook):
    sources = (
        "from backprop_lab.ui import LearningRateLab, StepThrough\n\nlab = StepThrough(step='dW1')\nlab",
        "LearningRateLab(seeds=4, steps=20)",
        "lab",
    )
    lab = notebook(*sources)
    lab.run_all()
    expect_shown(lab, 2, labs=4)
    before = lab.state()
    lab.command("docmanager:save")
    lab.page.reload()
    lab.page.evaluate(READY)
    _, _, other = labs = [LabPage(lab.page, number) for number in range(3)]
    for each in labs:
        each.wait_for_picture()
    for _ in range(20):  # its room is measured again when the controls above it are there
        if (after := lab.state()) == before:
            break
        lab.page.wait_for_timeout(100)
    assert other.state() == after == before
    expect_shown(lab, 2, labs=4)
    lab.press("Next")
    other.expect_at("db1")
    lab.select_cell(2)
    lab.command("notebook:clear-cell-output")
    expect(other.root).to_have_count(0)
    lab.press("Next")
    lab.expect_at("W1_new")
    lab.command("notebook:clear-all-cell-outputs")
    expect_shown(lab, 0, labs=4)


# Moves the pointer to a place, and says at once, in the same task, which frames there are and which picture; and how
# many frames there are when the page is about to be painted, and whether it still waits for the sum then.
POINT = """async (image, [clientX, clientY]) => {
  image.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, pointerType: "mouse", bubbles: true }));
  const marks = () => [...image.parentElement.querySelectorAll(".bpl-frame")];
  const boxes = marks().map((mark) => mark.getBoundingClientRect()), picture = image.src;
  const frames = boxes.map(({ x, y, width, height }) => [x, y, width, height]);
  await new Promise(requestAnimationFrame);
  const waits = Boolean(image.closest(".bpl-board").querySelector(".bpl-late"));
  return { frames, picture, painted: marks().length, waits };
}"""
DELAY = """(milliseconds) => {
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) { setTimeout(() => send.call(this, data), milliseconds); };
}"""


TAP = """(image, [clientX, clientY]) => {
  const at = { clientX, clientY, pointerType: "touch", bubbles: true };
  for (const kind of ["pointermove", "click", "pointerleave"]) image.dispatchEvent(new PointerEvent(kind, at));
}"""


@pytest.mark.parametrize("delay", [0, 150])
def test_what_a_cell_is_made_of_is_framed_in_the_task_of_the_pointer_and_no_picture_is_sent_for_it(lab, delay):
    lab.jump("dW1")
    lab.page.evaluate(DELAY, delay)
    before = lab.picture()
    x, y, width, height = lab.place_of("dW1", 1, 2)
    at_once = lab.image.evaluate(POINT, [x, y])
    assert (at_once["painted"], at_once["waits"] or not delay) == (3, True)
    lab.settle()
    assert (lab.image.evaluate("image => image.src"), lab.picture()) == (at_once["picture"], before)
    wanted = [(x, y, width, height)]
    for name, j in (("X", 1), ("dY1", 2)):  # a column of each
        top, bottom = lab.place_of(name, 0, j), lab.place_of(name, 1, j)
        wanted.append((top[0], (top[1] + bottom[1]) / 2, width, 2 * height))
    found = [(x + width / 2, y + height / 2, width - 2, height - 2) for x, y, width, height in at_once["frames"]]
    assert np.allclose(sorted(found), sorted(wanted), atol=1)
    expect(lab.worked).to_contain_text("dW1[1,2] = ")
    expect(lab.board.locator(".bpl-frame")).to_have_count(3)
    for seen in (1, 0, 1):  # a finger taps, and taps again
        lab.image.evaluate(TAP, lab.place_of("dW1", 0, 0)[:2])
        expect(lab.worked).to_have_count(seen)
