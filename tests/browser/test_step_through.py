"""The step-through lab in use, in a real JupyterLab: what a control does and what is said is tested without one."""

import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from common import pixels
from lab_page import AREAS, LAID_OUT, MEASURE, ONE_CELL, READY, RUN_ALL, LabPage, node
from playwright.sync_api import expect

from backprop_lab.ui.page.joined import joined
from backprop_lab.ui.steps.recording import RECORDING


def test_the_arithmetic_of_the_page_finds_cells_frames_and_the_layout():
    assert "pass 5" in node("--test", Path(__file__).with_name("step_view.test.mjs"))


def test_the_view_is_one_module_of_files_that_import_what_they_use(tmp_path):
    folder = Path(shutil.copytree(RECORDING.parent, tmp_path / "page"))
    codes = {path: path.read_text() for path in folder.glob("*.js") if path.stem not in ("line_list", "recording")}
    exports = {path: {*re.findall(r"^export (?:\w+ )+(\w+)", code, re.M)} for path, code in codes.items()}
    (folder / "joined.mjs").write_text(f'import "./step_view.js";\n{joined(folder / "step_view.js")}')
    node(folder / "joined.mjs")  # what is imported is exported, and no two files have the same name
    for path, code in codes.items():
        body, names = re.sub("//.*|^import .*", "", code, flags=re.M), re.findall(r"^import \{ (.+) \}", code, re.M)
        used = {n for n in set.union(*exports.values()) - exports[path] if re.search(rf"(?<![\w.]){n}[(),]", body)}
        assert {*", ".join(names).split(", ")} - {""} == used, path.name
        path.unlink()
        with pytest.raises(FileNotFoundError):
            joined(folder / "step_view.js")
        path.write_text(code)


def test_a_double_click_answers_one_of_two_questions_side_by_side(notebook):
    lab = notebook(ONE_CELL.replace("StepThrough()", "StepThrough(questions='tour')"), run=False)
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    lab.command("application:toggle-left-area")  # so that the operation is seen as well
    lab.run_all()
    tour, before = lab.root.locator(".bpl-tour"), lab.page.evaluate(MEASURE, AREAS)["boxes"]
    lab.press("Next", "the third", "the second")
    expect(lab.button("Next question")).to_be_focused()
    lab.button("Next question").dblclick()
    lab.settle()
    expect(tour).to_contain_text("Question 2 of 8")
    expect(tour.locator(".bpl-note")).to_have_count(0)
    lab.press("Predict first", "Next")
    expect(lab.root.locator(".bpl-equation img")).to_be_hidden()  # of the step before, it is no rule for this one
    assert lab.root.locator(".bpl-equation .bpl-frame:visible").count() == 0, "nor is a frame of it"
    lab.button("none").dblclick()
    lab.settle()
    expect(lab.card.locator(".bpl-said").first).to_contain_text("in row 1 of H1, every unit is on")
    expect(tour.locator(".bpl-note")).to_have_count(0)
    lab.field("Why?").fill("as they are <b>")
    lab.field("Why?").press("Enter")
    expect(lab.card).to_contain_text("You: as they are <b> — Ours: A ReLU passes positive numbers unchanged")
    lab.field("a number, then Enter").click()
    lab.page.keyboard.type("5\n")
    lab.settle()
    lab.page.keyboard.type("many\n")
    expect(tour.locator(".bpl-refused")).to_be_in_viewport(ratio=1)
    assert np.abs(np.subtract(lab.page.evaluate(MEASURE, AREAS)["boxes"], before)).max() < 1
    assert lab.violations() == []


def test_a_click_lands_on_the_cell_under_the_pointer_at_every_zoom(lab):
    lab.jump("b2_new")
    for zoom, (name, i, j) in [(1.5, ("W1", 2, 3)), (0.8, ("b2_new", 0, 1)), (1, ("W1", 2, 3))]:
        screen = {"width": round(1920 / zoom), "height": round(1200 / zoom), "deviceScaleFactor": zoom, "mobile": False}
        lab.after_a_new_picture(lambda: lab.devtools.send("Emulation.setDeviceMetricsOverride", screen))  # noqa: B023
        assert lab.is_crisp(zoom)
        if zoom == 1:
            lab.page.evaluate("document.body.style.zoom = 1.25")  # the page is larger, and no picture is asked for
        for across, down in [(-0.42, -0.4), (0.42, 0.4)]:
            lab.key("Escape")
            expect(lab.worked).to_have_count(0)
            lab.click(name, i, j, across, down)
            expect(lab.worked).to_contain_text(f"{name}[{i},{j}] = ")


TAP = """(image, [clientX, clientY]) => {
  const at = { clientX, clientY, pointerType: "touch", bubbles: true };
  for (const kind of ["pointermove", "click", "pointerleave"]) image.dispatchEvent(new PointerEvent(kind, at));
}"""


def test_hovering_works_a_cell_out_and_a_click_keeps_it(lab):
    lab.jump("dW1")
    before = lab.picture()
    lab.hover("dW1", 1, 2)
    expect(lab.worked).to_contain_text("dW1[1,2] = ")
    expect(lab.board.locator(".bpl-frame")).to_have_count(3)
    assert lab.picture() == before, "frames are drawn in the page"
    lab.hover("W1_new", 0, 0)  # not on the board yet
    expect(lab.worked).to_have_count(0)
    lab.hover("dW1", 1, 2)
    lab.settle()
    lab.click("dW1", 1, 2)
    lab.hover("db2", 0, 1)  # at once, before the kernel can have answered
    lab.settle()
    expect(lab.worked).to_contain_text("dW1[1,2] = kept")
    lab.key("Escape")
    for seen in (1, 0, 1):  # a finger taps, and taps again
        lab.image.evaluate(TAP, lab.place_of("dW1", 0, 0)[:2])
        expect(lab.worked).to_have_count(seen)
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
    for control in (lab.seed_slider, lab.lr_slider, lab.button("Next"), lab.step_button("Y1"), lab.field("seed")):
        control.focus()
        lab.key("ArrowUp", "ArrowDown", "a", "b", "d", "d", "Escape")
    for control, key, step in [(lab.button("Next"), "Space", "Y1"), (lab.step_button("dW1"), "Enter", "dW1")]:
        control.focus()
        lab.key(key)
        lab.expect_at(step)
    assert lab.notebook() == around
    lab.page.locator(".jp-Cell").nth(0).locator(".cm-content").click()
    lab.key("Escape", "ArrowDown", "a")  # where no control of the lab has the focus, these are JupyterLab's
    assert lab.notebook() == {"active": 1, "cells": 4, "mode": "command"}


# What has the focus: its name, where it is on the page, and where in its lab. Null outside.
FOCUSED = """() => {
  const at = document.activeElement, lab = at.closest(".bpl-lab")?.getBoundingClientRect();
  if (!lab) return null;
  const { left: x, top: y, width, height } = at.getBoundingClientRect();
  const name = at.labels?.[0]?.textContent || at.getAttribute("aria-label") || at.textContent || at.className;
  return { name: name.trim(), x, y, width, height, left: x - lab.left, top: y - lab.top };
}"""


def test_tab_goes_in_the_order_that_is_seen_and_the_focus_is_visible(lab):
    style = lab.page.add_style_tag(content="* { caret-color: transparent !important; transition: none !important; }")
    lab.jump("L")
    lab.press("Predict first", "Next", "More", "As NumPy")
    expect(lab.script).to_be_in_viewport()
    lab.page.evaluate(LAID_OUT)  # the page has scrolled to the script
    lab.page.mouse.move(0, 0)

    def shot(at):
        clip = {"x": at["x"] - 5, "y": at["y"] - 5, "width": at["width"] + 10, "height": at["height"] + 10}
        return pixels(lab.page.screenshot(clip=clip, caret="initial"))

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
    assert {"start", "learning rate", "Next", "or its value", "planted mistake"} <= {stop["name"] for stop in stops}
    assert len(stops) == len({(stop["left"], stop["top"]) for stop in stops})
    for a, b in pairwise(stops):
        assert b["top"] + b["height"] > a["top"], f"{b['name']} is above {a['name']}"
        is_lower = b["top"] >= a["top"] + a["height"] / 2
        assert is_lower or b["left"] + b["width"] > a["left"], f"{b['name']} is left of {a['name']}"
    style.evaluate("style => style.remove()")


def test_both_pictures_follow_the_theme_and_axe_finds_no_violation(notebook):
    the_second_comes_late = """import time, backprop_lab.ui.board.operation as it
it.Operation.png = lambda drawn, png=it.Operation.png: time.sleep(0.3) or png(drawn)"""
    lab = notebook(the_second_comes_late, ONE_CELL)
    pictures = lab.image, lab.root.locator(".bpl-equation img")
    assert lab.violations() == []
    lab.jump("dW1")
    assert max(pixels(lab.picture(each))[1, 1].max() for each in pictures) < 64  # the last theme was dark
    lab.after_a_new_picture(lambda: lab.show_as("light"))
    assert min(pixels(lab.picture(each))[1, 1].min() for each in pictures) > 192
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


def test_the_script_and_the_call_are_really_copied_as_they_are_now(lab):
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.jump("b2_new")
    lab.press("More", "As NumPy")
    expect(lab.script).to_be_in_viewport()
    for name, shown, part in (("Copy this call", lab.call, "step='b2_new'"), ("Copy the script", lab.script, "b2_new")):
        lab.button(name).click()
        expect(lab.root.get_by_role("button", name="Copied")).to_have_count(1)
        expect(lab.button(name)).to_be_visible()  # the button takes its own name again
        assert part in lab.page.evaluate("navigator.clipboard.readText()").strip() == shown.inner_text().strip()


def test_a_control_moved_while_a_cell_runs_is_heard_and_goes_on_working(notebook):
    waits = "import asyncio\nwhile lab.step != 'y_pred':\n    await asyncio.sleep(0.1)\nprint('seen')"
    lab = notebook(ONE_CELL.replace("StepThrough()", "lab = StepThrough()\nlab"), waits, run=False)
    lab.page.evaluate(f"() => void {RUN_ALL}")
    seen = lab.page.locator(".jp-OutputArea-output").filter(has_text="seen")
    lab.seed_slider.press("ArrowRight")
    expect(lab.field("seed")).to_have_value("1")
    for step in ("Y1", "H1", "y_pred"):
        expect(seen).to_have_count(0)
        lab.button("Next").click()
        lab.expect_at(step)
    expect(seen).to_have_count(1)
    lab.seed_slider.press("ArrowRight")
    expect(lab.field("seed")).to_have_value("2")


def test_where_the_kernel_loses_each_message_once_a_lab_is_shown_all_the_same(notebook):
    loses = """from backprop_lab.ui.page.step_view import StepView
heard, receive = [], StepView._receive
StepView._receive = lambda view, *message: receive(view, *message) if message in heard else heard.append(message)"""
    lab = notebook(loses, ONE_CELL)
    assert lab.in_kernel("heard[0][0]") == "page", "without which nothing is drawn"


# How many labs in the kernel have a view with a picture; what else is kept with one, a test without a browser knows.
SHOWN = "sum(len(x.picture) > 0 for x in __import__('gc').get_objects() if type(x).__name__ == 'StepView')"


def shown_by(lab):
    lab.settle()
    return lab.call.inner_text(), lab.card.inner_text(), lab.image.get_attribute("alt"), lab.picture()


def test_after_a_reload_each_lab_goes_on_and_one_gone_keeps_no_picture(notebook):
    lab = notebook(ONE_CELL.replace("StepThrough()", "lab = StepThrough(step='dW1')\nlab"), "lab", new=True)
    lab.run_all()
    lab.wait_until(lambda: lab.in_kernel(SHOWN) == 1)
    before = shown_by(lab)
    lab.command("docmanager:save")
    lab.page.reload()
    lab.page.evaluate(READY)
    other = LabPage(lab.page, 1)
    for each in (lab, other):
        each.wait_for_picture()
        each.wait_until(lambda each=each: shown_by(each) == before)  # its room is measured again below its controls
    lab.press("Next")
    other.expect_at("db1")
    lab.select_cell(1)
    lab.command("notebook:clear-cell-output")
    expect(other.root).to_have_count(0)
    lab.press("Next")
    lab.expect_at("W1_new")
    lab.command("notebook:clear-all-cell-outputs")
    lab.wait_until(lambda: lab.in_kernel(SHOWN) == 0)
