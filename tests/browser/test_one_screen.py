"""The lab in one glance: at each step, on common screens, all of it is seen at once, and nothing moves."""

import numpy as np
import pytest
from common import covers
from lab_page import LAID_OUT
from playwright.sync_api import expect

from backprop_lab import trace, worked_example

LAPTOP, PROJECTOR, MONITOR, TABLET = (1366, 768), (1280, 720), (1920, 1080), (820, 1180)
SCREENS = {"StepThrough()": [LAPTOP, MONITOR, TABLET], "StepThrough(large=True)": [PROJECTOR], "MistakeLab()": [LAPTOP]}
AREAS = ["transport", "timeline", "map", "card", "operation", "sum"]  # below the controls

# Where the areas are, and the panel that shows them; and what is in an area that is too small for it.
MEASURE = """(names) => {
  const lab = document.querySelector(".bpl-lab");
  const panel = lab.closest(".jp-WindowedPanel-outer, .jp-CodeConsole-content");
  const box = (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return [left, top, right, bottom];
  };
  const areas = { controls: lab.querySelector(".widget-hbox") };
  for (const area of names) areas[area] = lab.querySelector(`.bpl-${area}`);
  const cut = Object.entries(areas).filter(([area, { scrollHeight, clientHeight, scrollWidth, clientWidth }]) =>
    scrollHeight > clientHeight + 1 || (area === "sum" && scrollWidth > clientWidth));
  return { panel: box(panel), cut: cut.map(([area]) => area), boxes: Object.values(areas).map(box) };
}"""


@pytest.mark.parametrize("call", SCREENS)
def test_all_is_seen_at_once_at_each_step_with_a_cell_chosen_and_nothing_moves(notebook, call):
    lab = notebook(f"from backprop_lab.ui import MistakeLab, StepThrough\n\n{call}", run=False)
    if "large" in call:
        lab.command("application:toggle-left-area")
    lab.run_all()
    for width, height in SCREENS[call]:
        lab.page.set_viewport_size({"width": width, "height": height})
        lab.page.evaluate(LAID_OUT)
        lab.settle()  # into another layout, before it is scrolled to
        lab.root.evaluate("lab => lab.scrollIntoView({ block: 'start' })")
        check_that_all_is_seen(lab)


def check_that_all_is_seen(lab):
    """Of the worked example, at each step, with a cell chosen; and that nothing moves."""
    first = None
    for step in trace(worked_example()).steps:
        lab.jump(step.name)
        lab.board.focus()
        lab.key("Enter")
        expect(lab.worked).to_contain_text(step.name)
        found = lab.page.evaluate(MEASURE, AREAS)
        boxes = np.array(found["boxes"])
        left, top, right, bottom = found["panel"]
        assert found["cut"] == [], step.name
        inside = (boxes >= [left, top - 1] * 2) & (boxes <= [right, bottom + 1] * 2)  # to the nearest pixel
        assert inside.all(), (step.name, boxes)
        assert (boxes[:, :2] < boxes[:, 2:]).all(), (step.name, boxes)
        assert np.array_equal(covers(boxes, boxes, by=0.5), np.eye(len(boxes))), (step.name, boxes)
        first = boxes if first is None else first
        assert np.abs(first - boxes).max() <= 2, step.name
        assert lab.is_crisp()
