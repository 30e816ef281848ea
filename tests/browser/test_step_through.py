"""The step-through lab in use: every control and gesture, in a real JupyterLab."""

import io
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from lab_page import WORKED_EXAMPLE
from PIL import Image
from playwright.sync_api import expect

from backprop_lab.number_format import typed_number

SECOND_NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_step_through.ipynb"
STEPS = [step.name for step in WORKED_EXAMPLE.steps]


def changed(before, after):
    return {what for what in before if before[what] != after[what]}


def test_in_the_second_notebook_every_slider_and_button_moves_text_picture_and_timeline_together(notebook):
    lab = notebook(path=SECOND_NOTEBOOK)
    lab.expect_at(None)
    states = [lab.state()]

    def moved(*parts):
        states.append(lab.state())
        assert {"picture", "alt", "call", *parts} <= changed(*states[-2:])

    lab.press("Next")
    lab.expect_at("Y1")
    moved("card", "timeline")
    lab.seed_slider.press("ArrowRight")
    expect(lab.field("seed")).to_have_value("1")
    expect(lab.field("start")).to_have_value("random")
    moved("seed", "start")
    lab.press("Next phase")
    lab.expect_at("y_pred")
    moved("card", "timeline")
    lab.press("Back")
    lab.expect_at("H1")
    moved("card", "timeline")
    lab.press(*["Next phase"] * 4)
    lab.expect_at("b2_new")
    moved("card", "timeline")
    lab.lr_slider.press("ArrowRight")
    expect(lab.field("learning rate")).to_have_value("1.122e-06")
    moved("card", "learning rate")  # the update, so what it says of the new biases changes
    lab.press("Next iteration")
    lab.expect_at("b2_new", iteration=1)
    moved("card")
    lab.choose("speed", "as fast as it goes")
    lab.press("Play")
    expect(lab.iteration).to_have_text(re.compile(r"iteration \d\d"))
    lab.press("Play")
    moved("card")
    lab.press("Restart")
    lab.expect_at(None)
    moved("card", "timeline")
    lab.jump("L")
    lab.press("Predict first", "Next")
    before = lab.state()
    lab.press("+")
    lab.expect_at("dy_pred")
    assert changed(before, lab.state()) >= {"picture", "alt", "call", "card", "timeline"}
    lab.press("More", "Values as a table", "As NumPy")
    expect(lab.table).to_contain_text("dy_pred, 2 by 2")
    expect(lab.script).to_contain_text("import numpy as np")
    pressed = {"Restart", "Back", "Next", "Next phase", "Next iteration", "Play", "Predict first", "More"}
    pressed |= {"Values as a table", "As NumPy", "Copy this call", "Copy the script", "−", "0", "+"}
    assert set(lab.root.locator("button.jupyter-button").all_text_contents()) == pressed, (
        "a button that no test presses"
    )


def test_the_number_fields_take_what_is_typed_and_refuse_rubbish_in_a_sentence(lab):
    lab.type_into("seed", "7")
    expect(lab.call).to_have_text("StepThrough(start='random', seed=7, lr=1e-06)")
    lab.type_into("learning rate", "0.3")
    expect(lab.call).to_have_text("StepThrough(start='random', seed=7, lr=0.3)")
    lab.type_into("learning rate", " 2e-3 ")
    expect(lab.call).to_have_text("StepThrough(start='random', seed=7, lr=0.002)")
    before = lab.state()
    for label, rubbish, sentence in [
        ("seed", "-3", "the seed must be a whole number, 0 or more"),
        ("seed", "1.5", "the seed must be a whole number, 0 or more"),
        ("seed", "<b>seven</b>", "<b>seven</b>"),
        ("seed", "", "the seed must be a whole number, 0 or more"),
        ("learning rate", "0", "the learning rate must be a positive, finite number"),
        ("learning rate", "-0.1", "the learning rate must be a positive, finite number"),
        ("learning rate", "nan", "the learning rate must be a positive, finite number"),
        ("learning rate", "inf", "the learning rate must be a positive, finite number"),
        ("learning rate", "fast", "got 'fast'"),
    ]:
        lab.type_into(label, rubbish)
        expect(lab.refused).to_contain_text(sentence)
        assert lab.state() == before
    lab.press("Next")
    expect(lab.refused).to_have_count(0)


def test_a_click_lands_on_the_cell_under_the_pointer_at_every_zoom(notebook):
    lab = notebook(window={"width": 1920, "height": 1200})
    lab.jump("b2_new")
    lab.expect_at("b2_new")

    def click_cells(*cells):
        lab.settle()
        for name, i, j in cells:
            for across, down in [(-0.42, -0.4), (0.42, 0.4)]:
                lab.key("Escape")
                expect(lab.worked).to_have_count(0)
                lab.click(name, i, j, across, down)
                expect(lab.worked).to_contain_text(f"{name}[{i},{j}] = ")
            lab.settle()
            assert lab.frames(name, i, j)

    click_cells(("W1", 2, 3), ("b2_new", 0, 1))
    for zoom, cells in [(1.5, [("W1", 2, 3)]), (2, [("W1", 2, 3), ("b2_new", 0, 1)]), (0.8, [("b2_new", 0, 1)])]:
        old = lab.image.get_attribute("src")
        lab.zoom(zoom)
        expect(lab.image).not_to_have_attribute("src", old)
        lab.settle()
        assert lab.page.evaluate("devicePixelRatio") == pytest.approx(zoom)
        # It is redrawn, and each pixel of the picture falls on one of the screen: this is what crisp means.
        assert lab.image.evaluate("image => image.naturalWidth") == pytest.approx(
            lab.image.bounding_box()["width"] * zoom, abs=1
        )
        click_cells(*cells)
    lab.zoom(1)
    lab.page.evaluate("document.body.style.zoom = 1.25")
    lab.page.wait_for_timeout(300)  # longer than the lab waits before it draws for a new size
    click_cells(("W1", 2, 3))


def test_hovering_works_a_cell_out_and_a_click_keeps_it_whatever_the_pointer_does_next(lab):
    lab.jump("dW1")
    lab.expect_at("dW1")
    unframed = lab.state()["picture"]
    i, j = 1, 2
    lab.hover("dW1", i, j)
    value = f"{WORKED_EXAMPLE['dW1'][i, j]:.4g}".replace("-", "−")
    expect(lab.worked).to_contain_text(f"dW1[{i},{j}] = X[0,{i}]·dY1[0,{j}] + X[1,{i}]·dY1[1,{j}] = (")
    expect(lab.worked).to_contain_text(f" = {value}")
    assert lab.state()["picture"] != unframed
    lab.hover("db2", 0, 1)
    expect(lab.worked).to_contain_text("db2[0,1] = dy_pred[0,1] + dy_pred[1,1] = ")
    lab.hover("W1_new", 0, 0)  # not on the board yet
    expect(lab.worked).to_have_count(0)
    assert lab.state()["picture"] == unframed
    lab.click("dW1", i, j)
    lab.hover("db2", 0, 1)  # at once, before the kernel can have answered
    lab.settle()
    expect(lab.worked).to_contain_text(f"dW1[{i},{j}] = ")
    lab.click("dW1", i, j)
    lab.leave()
    lab.settle()
    expect(lab.worked).to_have_count(0)
    assert lab.state()["picture"] == unframed


def test_the_board_is_walked_by_keyboard_and_jupyterlab_keeps_its_own_keys(notebook):
    lab = notebook("1 + 1", "from backprop_lab.ui import StepThrough\n\nStepThrough()", "2 + 2")
    lab.page.locator(".jp-Cell").nth(1).locator(".jp-InputPrompt").click()
    lab.board.focus()
    around = lab.notebook()
    assert around == {"active": 1, "cells": 3, "mode": "command"}
    lab.key("ArrowRight", "ArrowRight")
    lab.expect_at("H1")
    lab.key("ArrowLeft")
    lab.expect_at("Y1")
    lab.key("End")
    lab.expect_at("b2_new")
    lab.key("Home")
    lab.expect_at(None)
    for key, cell in [("ArrowDown", "X"), ("ArrowDown", "y"), ("ArrowDown", "W1"), ("ArrowUp", "y")]:
        lab.key(key)
        expect(lab.worked).to_contain_text(f"{cell}[0,0] = ")
    lab.key("Enter")  # opens it: from here arrows go from cell to cell
    expect(lab.field("new value:")).to_be_visible()
    for key, cell in [
        ("ArrowRight", "y[0,1]"),
        ("ArrowDown", "y[1,1]"),
        ("ArrowDown", "y[1,1]"),
        ("ArrowLeft", "y[1,0]"),
    ]:
        lab.key(key)
        expect(lab.worked).to_contain_text(f"{cell} = ")
    lab.key("Escape")
    expect(lab.worked).to_have_count(0)
    lab.expect_at(None)
    for handle in (lab.seed_slider, lab.lr_slider, lab.button("Next"), lab.step_button("Y1")):
        handle.focus()
        lab.key("ArrowUp", "ArrowDown", "a", "b", "d", "d", "Escape")
    lab.field("seed").focus()
    lab.key("a", "b", "d", "d", "ArrowUp")
    assert lab.notebook() == around
    for name, key, step in [("Next", "Enter", "Y1"), ("Next", "Space", "H1")]:
        lab.button(name).focus()
        lab.key(key)
        lab.expect_at(step)
    lab.step_button("dW1").focus()
    lab.key("Enter")
    lab.expect_at("dW1")
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


def test_tab_goes_through_the_lab_in_the_order_in_which_it_is_seen_and_the_focus_is_visible(lab):
    lab.style("* { caret-color: transparent !important; transition: none !important; }")
    lab.jump("L")
    lab.press("Predict first", "Next", "More", "As NumPy")
    lab.settle()
    lab.leave()
    inside = "() => document.activeElement.closest('.bpl-lab') !== null"
    describe = """() => {
      const at = document.activeElement;
      const lab = at.closest(".bpl-lab").getBoundingClientRect();
      const { left, top, width, height } = at.getBoundingClientRect();
      const name = at.labels?.[0]?.textContent || at.getAttribute("aria-label") || at.textContent || at.className;
      return { name: name.trim(), x: left, y: top, width, height, column: left - lab.left, row: top - lab.top };
    }"""

    def shot(box):
        margin = 5
        place = box["x"] - margin, box["y"] - margin, box["width"] + 2 * margin, box["height"] + 2 * margin
        return np.asarray(lab.screenshot(*place), int)

    lab.field("start").focus()
    stops, unseen = [], []
    while lab.page.evaluate(inside) and len(stops) < 80:
        box = lab.page.evaluate(describe)
        stops.append(box)
        with_focus = shot(box)
        handle = lab.page.evaluate_handle("document.activeElement")
        handle.evaluate("element => element.blur()")
        difference = np.abs(with_focus - shot(box)).max(axis=2)
        if (difference > 60).sum() < box["width"] + box["height"]:  # less than a line of one pixel on two sides
            unseen.append(box["name"])
        handle.evaluate("element => element.focus({ focusVisible: true })")
        lab.key("Tab")
    names = [stop["name"] for stop in stops]
    for name in ("start", "seed", "learning rate", "Next", "speed", "or its value", "planted mistake", "b2_new"):
        assert name in names
    assert any(name.startswith("Board. ") for name in names)
    assert len(stops) == len({(stop["column"], stop["row"]) for stop in stops})
    backwards = [
        (a["name"], b["name"])
        for a, b in pairwise(stops)
        if b["row"] + b["height"] <= a["row"]
        or (b["column"] + b["width"] <= a["column"] and b["row"] < a["row"] + a["height"] / 2)
    ]
    assert not backwards
    assert not unseen


def test_a_number_typed_over_makes_the_state_custom_until_restart(lab):
    lab.jump("y_pred")
    lab.expect_at("y_pred")
    lab.leave()
    before = lab.state()
    lab.click("W1", 2, 0)
    lab.type_into("new value:", "-0.25")
    expect(lab.worked).to_have_text("W1[2,0] = −0.25 (given)")
    expect(lab.field("start")).to_have_value("custom")
    after = lab.state()
    assert changed(before, after) >= {"picture", "alt", "start"}
    for rubbish in ("much", "nan", "1e999"):
        lab.type_into("new value:", rubbish)
        expect(lab.refused).to_contain_text("a cell needs a finite number")
        assert lab.state() == after
    lab.click("Y1", 0, 0)
    expect(lab.worked).to_contain_text("Y1[0,0] = ")
    expect(lab.field("new value:")).to_be_hidden()  # a computed value cannot be changed
    lab.press("Restart")
    expect(lab.field("start")).to_have_value("worked example")
    lab.jump("y_pred")
    lab.expect_at("y_pred")
    assert lab.state() == before


def test_a_prediction_is_asked_for_before_a_gradient_shows_and_its_verdict_counts(lab):
    question = lab.root.get_by_text(re.compile(r"^Predict \w+\[\d,\d\]"))
    lab.jump("L")
    lab.press("Predict first", "Next")

    def asked():
        """The value that is asked for; until it is answered, the step stays hidden."""
        expect(question).to_be_visible()
        name, i, j = re.search(r"Predict (\w+)\[(\d),(\d)\]", question.inner_text()).groups()
        lab.settle()
        assert name not in lab.done.all_inner_texts()
        return name, WORKED_EXAMPLE[name][int(i), int(j)]

    name, value = asked()
    lab.expect_at("L")
    lab.type_into("or its value", "a lot")
    expect(lab.refused).to_contain_text("answer with +, - or 0 for the sign")
    assert asked() == (name, value)
    lab.press("+" if value > 0 else "−" if value < 0 else "0")
    lab.expect_at(name)
    expect(lab.note).to_contain_text("Right: ")
    expect(lab.note).to_contain_text("1 of 1 right so far.")
    lab.press("Next")
    name, value = asked()
    lab.type_into("or its value", f"{value:.3g}")
    lab.expect_at(name)
    expect(lab.note).to_contain_text("2 of 2 right so far.")
    lab.press("Next")
    name, value = asked()
    lab.press("−" if value > 0 else "+")
    lab.expect_at(name)
    expect(lab.note).to_contain_text("Not the right sign: ")
    expect(lab.note).to_contain_text("2 of 3 right so far.")
    lab.press("Next", "Next")  # pressed again, it shows without an answer
    expect(question).to_be_hidden()
    lab.press("Predict first", "Next")
    expect(question).to_be_hidden()


def test_play_goes_on_until_it_is_pressed_again_and_says_where_the_loss_overflowed(notebook):
    lab = notebook("from backprop_lab.ui import StepThrough\n\nStepThrough(start='diverging', iteration=178)")
    lab.choose("speed", "as fast as it goes")
    lab.press("Play")
    expect(lab.note).to_contain_text(
        re.compile(r"The loss overflowed at iteration \d+: the learning rate is too large")
    )
    lab.press("Play")
    stopped = lab.state()
    lab.page.wait_for_timeout(300)
    assert lab.state() == stopped
    lab.choose("speed", "3 steps a second")
    lab.press("Play")
    expect(lab.current).to_have_text(re.compile("^(H1|y_pred|L|dy_pred|dH1)$"))
    lab.press("Play")
    lab.choose("start", "worked example")  # and the lab is as usable as before
    lab.press("Restart", "Next")
    lab.expect_at("Y1")
    expect(lab.note).to_have_count(0)


def test_the_timeline_jumps_to_any_step_and_the_menu_to_any_starting_point(lab):
    pictures = set()
    for name in ("dW1", "Y1", "b2_new", "H1"):
        lab.jump(name)
        lab.expect_at(name)
        expect(lab.done).to_have_text(STEPS[: STEPS.index(name) + 1])
        pictures.add(lab.state()["picture"])
    for start in ("random", "diverging", "all active", "dead ReLU"):
        lab.choose("start", start)
        expect(lab.call).to_have_text(f"StepThrough(start='{start}', step='H1')")
        lab.expect_at("H1")  # another network, looked at in the same place
        pictures.add(lab.state()["picture"])
    expect(lab.root).to_contain_text("off for every sample")
    lab.choose("start", "worked example")
    expect(lab.call).to_have_text("StepThrough(step='H1')")
    assert lab.state()["picture"] in pictures
    assert len(pictures) == 8


def test_other_sizes_lay_the_board_out_anew(lab):
    lab.press("More")
    pictures = [lab.picture()]
    for label, size, steps in [
        ("samples", "8", 15),
        ("inputs", "1", 15),
        ("hidden units", "6", 15),
        ("outputs", "5", 15),
        ("hidden layers", "3", 31),
    ]:
        lab.type_into(label, size)
        expect(lab.root.locator(".bpl-timeline button")).to_have_count(steps)
        expect(lab.field("start")).to_have_value("random")
        lab.settle()
        pictures.append(lab.picture())
    lab.choose("activation", "Tanh")
    lab.press("Next", "Next")
    expect(lab.card.locator("code")).to_have_text("H1 = np.tanh(Y1)")
    expect(lab.card).to_contain_text("(8, 6)")
    assert len(set(pictures)) == len(pictures)
    for absurd in ("0", "9", "-1"):  # kept within what the board can show
        lab.type_into("outputs", absurd)
        lab.settle()
        expect(lab.field("outputs")).to_have_value(re.compile("^[1-8]$"))


def test_a_planted_mistake_turns_the_proof_into_a_refusal(lab):
    proof, refusal = lab.remarks.locator(".bpl-right"), lab.remarks.locator(".bpl-wrong")
    lab.jump("dY1")
    expect(proof).to_have_text(re.compile(r"^✓ agrees with finite differences to \de−\d+"))
    right = lab.state()
    lab.press("More")
    lab.choose("planted mistake", "ReLU mask forgotten")
    expect(refusal).to_have_text(re.compile(r"^✗ does not agree with finite differences: it is off by \d+%"))
    expect(proof).to_have_count(0)
    expect(lab.card.locator("code")).to_have_text("dY1 = dH1")
    assert changed(right, lab.state()) >= {"picture", "alt", "card", "call"}
    lab.choose("planted mistake", "none")
    expect(proof).to_be_visible()
    assert lab.state() == right


def test_the_script_and_the_call_are_really_copied_and_the_script_prints_what_the_table_shows(lab):
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    pasted = "navigator.clipboard.readText()"
    lab.jump("b2_new")
    lab.press("More", "Values as a table", "As NumPy")
    lab.press("Copy this call")
    expect(lab.root.get_by_role("button", name="Copied")).to_have_count(1)
    expect(lab.button("Copy this call")).to_be_visible()  # the button takes its own name again
    assert lab.page.evaluate(pasted) == lab.call.inner_text() == "StepThrough(step='b2_new')"
    lab.press("Copy the script")
    expect(lab.root.get_by_role("button", name="Copied")).to_have_count(1)
    script = lab.page.evaluate(pasted)
    assert script.strip() == lab.script.inner_text().strip()
    printed = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True).stdout
    numbers = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")
    for step in WORKED_EXAMPLE.steps:
        part = re.search(rf"^{step.name} =\n(.*?)(?=^\w+ =$|\Z)", printed, re.DOTALL | re.MULTILINE).group(1)
        table = lab.table.locator("table").filter(has=lab.page.get_by_text(re.compile(rf"^{step.name}, \d by \d$")))
        cells = [typed_number(cell) for cell in table.locator("td").all_inner_texts()]
        assert [float(number) for number in numbers.findall(part)] == pytest.approx(cells, rel=1e-5)
        assert cells == pytest.approx(np.ravel(step.value).tolist(), rel=1e-5)


def test_the_picture_follows_the_theme_and_the_width_of_the_page(lab):
    def drawn():
        lab.settle()
        return Image.open(io.BytesIO(lab.picture())).convert("RGB")

    def paper():
        colour = "getComputedStyle(lab.closest('.jp-Notebook')).backgroundColor"
        return lab.root.evaluate(f"lab => {colour}.match(/\\d+/g).slice(0, 3).map(Number)")

    lab.jump("dW1")
    lab.expect_at("dW1")
    light = drawn()
    assert np.abs(np.subtract(light.getpixel((0, 0)), paper())).max() <= 1  # no seam around the board
    old = lab.image.get_attribute("src")
    lab.theme("dark")
    expect(lab.image).not_to_have_attribute("src", old)
    dark = drawn()
    assert np.abs(np.subtract(dark.getpixel((0, 0)), paper())).max() <= 1
    assert max(paper()) < 64
    assert dark.size == light.size
    lab.expect_at("dW1")
    for width in (900, 1600):
        old = lab.image.get_attribute("src")
        lab.page.set_viewport_size({"width": width, "height": 1000})
        expect(lab.image).not_to_have_attribute("src", old)
        lab.settle()
        lab.expect_at("dW1")
        inside = lab.root.bounding_box()
        for part in (lab.image, lab.card, lab.root.locator(".bpl-timeline")):
            box = part.bounding_box()
            assert box["x"] >= inside["x"]
            assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 0.5
        assert drawn().width == pytest.approx(lab.image.bounding_box()["width"], abs=1)


def test_two_labs_do_not_influence_each_other_nor_does_running_a_cell_twice(notebook):
    first = notebook()
    second = first.run_in_new_cell("StepThrough()")
    untouched = second.state()
    first.press("Next", "Next iteration")
    first.type_into("learning rate", "0.1")
    first.expect_at("Y1", iteration=1)
    assert second.state() == untouched
    here = first.state()
    second.press("Next phase")
    second.key("ArrowRight")  # the focus is on a button, so no board gets this
    second.expect_at("y_pred")
    assert first.state() == here
    first.page.locator(".jp-Cell").nth(1).locator(".jp-InputPrompt").click()
    first.command("notebook:run-cell")
    second.wait_for_picture()
    assert second.state() == untouched
    assert first.state() == here
    second.press("Next")
    second.expect_at("Y1")
    assert first.state() == here


def test_a_control_that_is_moved_while_a_cell_runs_is_heard_and_goes_on_working(notebook):
    lab = notebook(
        "import asyncio\n\nfrom backprop_lab.ui import StepThrough\n\nlab = StepThrough()\nlab",
        "while lab.stepper.place.step is None or lab.stepper.place.step.name != 'y_pred':\n"
        "    await asyncio.sleep(0.1)\n"
        "print('seen')",
        run=False,
    )
    lab.start_all()
    seen = lab.page.locator(".jp-OutputArea-output").filter(has_text="seen")
    for value in "123":
        lab.seed_slider.press("ArrowRight")
        expect(lab.field("seed")).to_have_value(value)
    for step in ("Y1", "H1", "y_pred"):
        expect(seen).to_have_count(0)
        lab.button("Next").click()
        lab.expect_at(step)
    expect(seen).to_have_count(1)
    lab.seed_slider.press("ArrowRight")
    expect(lab.field("seed")).to_have_value("4")
    lab.press("Next")
    lab.expect_at("L")


def test_after_a_reload_of_the_page_the_lab_goes_on_where_it_was(lab):
    lab.jump("dW1")
    lab.expect_at("dW1")
    before = lab.state()
    lab.command("docmanager:save")
    lab.reload()
    lab.wait_for_picture()
    assert lab.state() == before
    lab.press("Next")
    lab.expect_at("db1")


def test_the_constructor_opens_exactly_there_and_the_call_shown_reopens_it(notebook):
    lab = notebook(
        "from backprop_lab.ui import StepThrough",
        "StepThrough(seed=3, lr=0.1, iteration=2, step='dW1', start='random', hide=['seed', 'play'], large=True)",
    )
    lab.expect_at("dW1", iteration=2)
    expect(lab.field("seed")).to_have_count(0)
    expect(lab.button("Play")).to_have_count(0)
    expect(lab.field("learning rate")).to_have_value("0.1")
    lab.press("Next iteration", "Next")
    lab.expect_at("db1", iteration=3)
    lab.settle()
    call = lab.call.inner_text()
    again = lab.run_in_new_cell(call)
    again.expect_at("db1", iteration=3)
    assert again.call.inner_text() == call
    assert again.picture() == lab.picture()
    assert again.card.inner_text() == lab.card.inner_text()
    assert again.remarks.all_inner_texts() == lab.remarks.all_inner_texts()


# The text of each field that is too wide for it, in CSS pixels; the arrow of a menu is in its padding.
CUT_OFF = """(lab) => [...lab.querySelectorAll("input[type=text], select")].flatMap((field) => {
  if (!field.offsetWidth) return [];
  const style = getComputedStyle(field), pen = document.createElement("canvas").getContext("2d");
  pen.font = style.font;
  const text = field.tagName === "SELECT" ? field.selectedOptions[0].text : field.value;
  const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return pen.measureText(text).width > room + 1 ? [`${text}: ${pen.measureText(text).width} in ${room}`] : [];
})"""


@pytest.mark.parametrize("call", ["StepThrough()", "StepThrough(large=True)"])
def test_no_field_of_the_lab_cuts_off_what_it_holds(notebook, call):
    lab = notebook("from backprop_lab.ui import StepThrough", call)
    lab.expect_at(None)
    assert lab.root.evaluate(CUT_OFF) == []
    lab.press("More")
    assert lab.root.evaluate(CUT_OFF) == []


def test_an_exception_in_a_handler_is_told_in_the_lab_and_leaves_it_usable(notebook):
    lab = notebook(
        "from backprop_lab.ui import StepThrough\n"
        "from backprop_lab.ui.steps.stepper import Stepper\n\n"
        "def next_phase(stepper):\n    1 / 0\n\n"
        "Stepper.next_phase = next_phase\n"
        "StepThrough()"
    )
    before = lab.state()
    lab.press("Next phase")
    expect(lab.refused).to_contain_text("Something went wrong inside the lab (ZeroDivisionError: division by zero)")
    assert lab.state() == before
    lab.press("Next")
    lab.expect_at("Y1")
    expect(lab.refused).to_have_count(0)
