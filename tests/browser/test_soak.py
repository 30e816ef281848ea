"""A thousand moves of a slider leave the last state on the screen, and nothing else behind."""

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from backprop_lab import random_problem, trace
from backprop_lab.step.number_format import format_number

RSS = "(__import__('gc').collect(), __import__('psutil').Process().memory_info().rss)[1]"

# Counts pictures shown, and blobs: one that is never let go stays in the browser, outside the heap of the page.
COUNT = """() => {
  window.blobs = window.pictures = 0;
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (blob) => { blobs += 1; return createObjectURL.call(URL, blob); };
  URL.revokeObjectURL = (url) => { blobs -= 1; revokeObjectURL.call(URL, url); };
  document.addEventListener("load", ({ target }) => (pictures += target instanceof Image), true);
}"""

# Presses keys on what has the focus, and after each waits until another picture is on the screen.
ONE_BY_ONE = """async (keys) => {
  const image = document.querySelector(".bpl-picture img");
  for (const key of keys) {
    const shown = new Promise((done) => image.addEventListener("load", done, { once: true }));
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await shown;
  }
}"""


def held(lab):
    """Bytes in the kernel and in the page's scripts, what the page holds, and how many pictures it has shown so far."""
    lab.settle()
    for _ in range(3):
        lab.devtools.send("HeapProfiler.collectGarbage")
    page = {entry["name"]: entry["value"] for entry in lab.devtools.send("Performance.getMetrics")["metrics"]}
    blobs, pictures = lab.page.evaluate("[blobs, pictures]")
    assert blobs <= 2, "old pictures stay in the browser"  # the map, and the operation
    return [lab.in_kernel(RSS), page["JSHeapUsedSize"], page["Nodes"], page["JSEventListeners"], pictures]


@pytest.mark.release
def test_a_thousand_slider_moves_leave_the_last_state_on_screen_and_no_memory_growing(notebook):
    lab = notebook(run=False, new=True)
    lab.page.evaluate(COUNT)
    lab.devtools.send("Performance.enable")
    lab.run_all()
    lab.jump("L")
    lab.page.mouse.move(0, 0)
    lab.seed_slider.focus()
    found = []
    for _ in range(3):
        lab.settle()
        lab.page.evaluate(ONE_BY_ONE, ["ArrowRight"] * 34 + ["ArrowLeft"] * 34)
        lab.key(*(["ArrowRight"] * 50 + ["ArrowLeft"] * 50) * 2)  # faster than pictures come
        found.append(held(lab))
    lab.key(*["ArrowRight"] * 98)
    lab.lr_slider.focus()  # without a pause: a kernel may be in the middle of its answer, in another thread
    lab.key(*["ArrowRight"] * 52, *["ArrowLeft"] * 50)
    lab.settle()
    expect(lab.field("seed")).to_have_value("98")
    expect(lab.field("learning rate")).to_have_value("0.0013")
    loss, last = format_number(float(trace(random_problem(seed=98))["L"])), lab.picture()
    assert lab.image.get_attribute("alt").endswith(f"which gives {loss}.")
    assert notebook(f"from backprop_lab.ui import StepThrough\n\n{lab.call.inner_text()}").picture() == last
    # What leaks grows with the pictures shown, and again the second time; what comes once, such as a menu, does not.
    *grown, pictures = (min(b - a for a, b in pairwise(each)) for each in zip(*found, strict=True))
    assert pictures >= 50
    kernel, page, *nodes_and_listeners = grown
    assert max(kernel, page) < len(last) * pictures / 2  # if every other picture stayed
    assert max(nodes_and_listeners) < pictures / 2
