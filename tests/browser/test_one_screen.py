"""The lab in one glance: at each step, on common screens, all of it is seen at once, and nothing moves."""

import pytest
from lab_page import LAID_OUT
from playwright.sync_api import expect

from backprop_lab import trace, worked_example

SCREENS = [
    (1366, 768, "StepThrough()"), (1280, 720, "StepThrough(large=True)"), (1920, 1080, "StepThrough()"),
    (820, 1180, "StepThrough()"), (1366, 768, "MistakeLab()"),
]  # fmt: skip
AREAS = ("controls", "transport", "timeline", "map", "card", "operation", "sum")

# Where the areas are, and the panel that shows them; and what is in an area that is too small for it.
MEASURE = """() => {
  const lab = document.querySelector(".bpl-lab");
  const panel = lab.closest(".jp-WindowedPanel-outer, .jp-CodeConsole-content");
  const box = (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return [left, top, right, bottom];
  };
  const areas = { controls: lab.querySelector(".widget-hbox") };
  for (const area of ["transport", "timeline", "map", "card", "operation", "sum"]) {
    areas[area] = lab.querySelector(`.bpl-${area}`);
  }
  const cut = Object.entries(areas).filter(([area, { scrollHeight, clientHeight, scrollWidth, clientWidth }]) =>
    scrollHeight > clientHeight + 1 || (area === "sum" && scrollWidth > clientWidth));
  const boxes = Object.fromEntries(Object.entries(areas).map(([area, element]) => [area, box(element)]));
  return { panel: box(panel), cut: cut.map(([area]) => area), boxes };
}"""


def overlap(one, other):
    return min(one[2], other[2]) - max(one[0], other[0]) > 0.5 and min(one[3], other[3]) - max(one[1], other[1]) > 0.5


@pytest.mark.parametrize(("width", "height", "call"), SCREENS)
def test_all_is_seen_at_once_at_each_step_with_a_cell_chosen_and_nothing_moves(notebook, width, height, call):
    lab = notebook(f"from backprop_lab.ui import MistakeLab, StepThrough\n\n{call}", run=False)
    lab.page.set_viewport_size({"width": width, "height": height})
    if "large" in call:
        lab.command("application:toggle-left-area")
    lab.run_all()
    lab.root.evaluate("lab => lab.scrollIntoView({ block: 'start' })")
    lab.page.evaluate(LAID_OUT)
    check_that_all_is_seen(lab)


def check_that_all_is_seen(lab):
    """Of the worked example, at each step, with a cell chosen; and that nothing moves."""
    first = None
    for step in trace(worked_example()).steps:
        lab.jump(step.name)
        lab.board.focus()
        lab.key("Enter")
        expect(lab.worked).to_contain_text(step.name)
        found = lab.page.evaluate(MEASURE)
        boxes = [found["boxes"][area] for area in AREAS]
        left, top, right, bottom = found["panel"]
        assert found["cut"] == [], step.name
        for area, box in zip(AREAS, boxes, strict=True):
            assert left <= box[0] < box[2] <= right, (step.name, area, box)
            assert top - 1 < box[1] < box[3] < bottom + 1, (step.name, area, box)  # scrolled to the nearest pixel
        assert not [(one, other) for k, one in enumerate(boxes) for other in boxes[:k] if overlap(one, other)]
        first = first or boxes
        assert (
            max(abs(a - b) for one, other in zip(first, boxes, strict=True) for a, b in zip(one, other, strict=True))
            <= 2
        )
        assert lab.is_crisp()
