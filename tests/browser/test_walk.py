"""The walk that needs nothing: opened from the disk, with the network off, it steps, points and explains."""

import json
import random

import numpy as np
import pytest
from common import tell, view_of
from lab_page import ONE_CELL, hear, node, violations
from playwright.sync_api import expect

from backprop_lab import BatchNorm, Network, ReLU, random_problem
from backprop_lab.reading.slopes import value_of
from backprop_lab.ui import StepThrough
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.lab import SAVED
from backprop_lab.ui.steps.recording import RECORDING

KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Enter", "Escape")
DONE = ("next", "back", "next_phase", "next_iteration", "restart")


def test_no_formula_is_wider_than_its_card(new_context, tmp_path):
    norm = BatchNorm(np.ones((1, 4)), np.zeros((1, 4)))
    first, last = random_problem(0, hidden=4).network.layers[::2]
    given = random_problem(0, hidden=4).evolve(network=Network([first, norm, ReLU(), last]))
    lab = StepThrough(given, step="dvar1")
    lab.save(tmp_path / "walk.html", iterations=1)
    page = new_context(offline=True).new_page()
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto((tmp_path / "walk.html").as_uri())
    for name in ("var1", "dvar1", "dY1"):
        page.get_by_role("button", name=name, exact=True).click()
        formula = page.locator(".bpl-formula")
        expect(formula).to_be_visible()
        assert formula.evaluate("it => it.scrollWidth <= it.clientWidth + 1"), name


@pytest.fixture(scope="module")
def lab():
    return StepThrough(mistake="sign-flipped")


@pytest.fixture(scope="module")
def walk(lab, tmp_path_factory):
    path = tmp_path_factory.mktemp("walk") / "walk.html"
    lab.save(path, iterations=2)
    return path.as_uri()


@pytest.mark.parametrize(("width", "height", "theme"), [(1366, 768, "light"), (390, 844, "dark")])
def test_all_of_it_works_with_no_network_and_no_kernel(new_context, lab, walk, width, height, theme):
    page, heard, seen = new_context(color_scheme=theme, offline=True).new_page(), [], set()
    page.set_viewport_size({"width": width, "height": height})
    hear(page, heard)
    page.goto(walk)
    board, worked = page.locator(".bpl-picture"), page.locator(".bpl-worked")
    names = [step.name for step in lab.trace.steps]
    for index, name in enumerate(names, start=1):
        page.locator(".bpl-do-next").click()
        expect(page.locator(".bpl-timeline [aria-current]")).to_have_text(name)
        board.press("Enter")
        expect(worked).to_contain_text(name)
        for picture in (".bpl-map", ".bpl-operation"):
            expect(page.locator(f"{picture} .bpl-result")).to_have_count(1)
            seen.add(page.locator(f"{picture} img").get_attribute("src"))
        expect(board.locator("img")).to_have_attribute("alt", words.alt_text(lab.stepper.look(0, index)[0]))
        for area in page.locator(".bpl-board > :not([hidden])").all():
            box = area.bounding_box()
            assert (box["y"] + box["height"] <= height, box["x"] + box["width"] <= width) == (True, True)
    assert len(seen) == 2 * len(names)
    assert page.locator(".bpl-failed").count() == len(view_of(lab).state["wrong"]) > 0
    board.press("Escape")
    page.locator(".bpl-timeline").evaluate("timeline => (timeline.scrollLeft = 0)")
    board.press("Enter")
    expect(worked).to_contain_text(name)
    assert page.locator(".bpl-timeline").evaluate("timeline => timeline.scrollLeft") == 0  # where one has scrolled to
    board.press("Escape")
    page.get_by_role("button", name="dH1", exact=True).click()
    pictures = json.loads(page.locator("#recording").text_content())["pictures"]
    boxes = pictures["wide" if width > 600 else "narrow"]["boxes"]
    left, top, wide, high = next(box[1:5] for box in boxes if box[0] == "dH1")
    shown = board.locator("img").bounding_box()
    x, y = (left + 0.9 * wide) * shown["width"], (top + 0.9 * high) * shown["height"]
    page.mouse.move(shown["x"] + x, shown["y"] + y)
    expect(worked).to_contain_text("dH1[1,3] =")
    page.locator(".bpl-do-restart").click()
    page.locator(".bpl-do-play").click()
    expect(page.locator(".bpl-timeline [aria-current]")).to_have_text(names[0])
    assert not heard


IN_SIGHT = """map => {
  const room = map.getBoundingClientRect();
  const frames = [...map.querySelectorAll(".bpl-frame:not(.bpl-user)")].map((frame) => frame.getBoundingClientRect());
  const left = Math.min(...frames.map((frame) => frame.left)), right = Math.max(...frames.map((frame) => frame.right));
  const inside = ({ left, right }) => left >= room.left - 1 && right <= room.right + 1;
  const result = map.querySelector(".bpl-result").getBoundingClientRect();
  const isTooWide = right - left > room.width - 8;
  return [map.firstChild.scrollWidth > map.clientWidth, inside(result), isTooWide || frames.every(inside)];
}"""


def test_on_a_phone_a_step_is_in_sight_with_what_goes_into_it(new_context, tmp_path):
    lab = StepThrough(start="transformer block")
    lab.save(tmp_path / "walk.html")
    page = new_context(offline=True).new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((tmp_path / "walk.html").as_uri())
    for step in lab.trace.steps[::4]:
        page.get_by_role("button", name=step.name, exact=True).click()
        expect(page.locator(".bpl-timeline [aria-current]")).to_have_text(step.name)
        is_wider, *seen = page.locator(".bpl-map").evaluate(IN_SIGHT)
        assert (is_wider, seen) == (True, [True, True]), step.name
    page.get_by_text("Values as a table").click()
    tables = page.locator("details > .bpl-tables")
    tables.locator("caption").first.wait_for()
    assert tables.evaluate("it => it.scrollWidth > it.clientWidth && (it.scrollLeft = 50)") == 50
    page.locator(".bpl-do-restart").click()
    for room in (".bpl-timeline", ".bpl-map"):
        expect(page.locator(room)).to_have_js_property("scrollLeft", 0)


def test_axe_finds_no_violation(new_context, walk):
    page = new_context(bypass_csp=True).new_page()  # its own policy would keep axe out
    page.goto(walk)
    for _ in range(8):  # a gradient, with a red cross
        page.locator(".bpl-do-next").click()
    page.locator(".bpl-picture").press("Enter")
    page.get_by_text("Values as a table").click()
    expect(page.locator(".bpl-tables caption").first).to_have_text("X, 2 by 3")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator(".bpl-board.bpl-dark")).to_have_count(int(theme == "dark"))
        assert violations(page, ".bpl-lab") == []


PLAY = """import { moved } from "%s";
let place = { iteration: 0, index: 0, cell: null, pinned: false };
console.log(JSON.stringify(%s.map((message) => {
  place = moved(%s, place, message);
  return [place.iteration, place.index, place.cell, place.pinned];
})));"""


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_done_leads_where_it_does_in_the_live_lab(seed, tmp_path):
    rng, live, messages, places = random.Random(seed), StepThrough(), [], []
    layout = view_of(live).layout_of_steps
    shapes = {name: value_of(live.trace, name).shape for name in layout["since"]}
    cells = {name: [[1] * cols] * rows for name, (rows, cols) in shapes.items()}
    while len(messages) < 1000:
        cell = [rng.choice([*cells]), rng.randrange(2), 0]
        others = {"kind": "jump", "index": rng.randrange(16)}, {"kind": "cell", "cell": cell, "pinned": seed > 0}
        keys = [{"kind": "key", "key": key} for key in KEYS]
        message = rng.choice([*({"kind": "do", "what": what} for what in DONE), *keys, *others])
        tell(live, message["kind"], message)
        if live.stepper.place.iteration > 2:  # the recording has no more: it stays
            message = {"kind": "do", "what": "restart"}
            live.stepper.restart()
        place = live.stepper.place
        messages.append(message)
        places.append([place.iteration, place.index, list(place.cell) if place.cell else None, place.pinned])
    recorded = {"layout": layout, "names": [n for n in live.trace if n != "lr"], "iterations": [{"cells": cells}] * 3}
    (tmp_path / "play.mjs").write_text(PLAY % (RECORDING.as_uri(), json.dumps(messages), json.dumps(recorded)))
    assert json.loads(node(tmp_path / "play.mjs")) == places


@pytest.mark.parametrize("kinds", [["png", "svg", "pdf"], pytest.param(SAVED, marks=pytest.mark.release)])
def test_save_as_downloads_what_python_saves(kinds, notebook, tmp_path):
    lab, live = notebook(ONE_CELL.replace("()", "(step='dW1')")), StepThrough(step="dW1")
    for kind in kinds:
        with lab.page.expect_download() as download:
            lab.field("Save").select_option(kind)
        live.save(tmp_path / f"dW1.{kind}")
        assert download.value.suggested_filename == f"dW1.{kind}"
        assert download.value.path().read_bytes() == (tmp_path / f"dW1.{kind}").read_bytes(), kind
