"""A thousand moves of a slider leave the last state on the screen, and nothing else behind; and so does play.

Play goes on for a minute; PLAY_MINUTES=30 makes it last.
"""

import os
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from backprop_lab import random_problem, trace
from backprop_lab.number_format import format_number

MINUTES = float(os.environ.get("PLAY_MINUTES", "1"))

# Every picture is a blob of its own. One that is never let go stays in the browser, outside the heap of the page.
COUNT_BLOBS = """() => {
  window.blobs = new Set();
  window.pictures = 0;
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (blob) => {
    const url = createObjectURL.call(URL, blob);
    blobs.add(url);
    pictures += 1;
    return url;
  };
  URL.revokeObjectURL = (url) => {
    blobs.delete(url);
    revokeObjectURL.call(URL, url);
  };
}"""

# Presses keys on what has the focus, and after each waits until another picture is on the screen.
ONE_BY_ONE = """async (keys) => {
  const image = document.querySelector(".bpl-board img");
  for (const [count, key] of keys.entries()) {
    const shown = new Promise((done, lost) => {
      image.addEventListener("load", done, { once: true });
      setTimeout(() => lost(Error(`no picture within 10 s of ${key}, number ${count}`)), 10000);
    });
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await shown;
  }
}"""

RSS = "(__import__('gc').collect(), __import__('psutil').Process().memory_info().rss)[1]"


def memory(lab):
    """Bytes in the kernel and in the page's scripts, what the page holds, and how many pictures it has shown so far."""
    lab.settle()
    page = lab.memory()
    return {
        "kernel": lab.in_kernel(RSS),
        "page": page["JSHeapUsedSize"],
        "nodes": page["Nodes"],
        "listeners": page["JSEventListeners"],
        "blobs": lab.page.evaluate("blobs.size"),
        "pictures": lab.page.evaluate("pictures"),
    }


@pytest.mark.release
def test_play_leaves_nothing_behind(notebook):
    lab = notebook(run=False)
    lab.page.evaluate(COUNT_BLOBS)
    lab.run_all()
    lab.choose("start", "random")
    found = []
    for speed in ("3 steps a second", "as fast as it goes"):
        lab.choose("speed", speed)
        for _ in range(4):
            lab.press("Play")
            lab.page.wait_for_timeout(MINUTES * 60_000 / 8)
            lab.press("Play")
            found.append(memory(lab))
            print(*(f"{what} {number:.6g}" for what, number in found[-1].items()), sep=", ")  # noqa: T201
    pictures = found[-1]["pictures"] - found[1]["pictures"]
    assert pictures > 100
    # Bytes for each picture shown, which itself has 30,000; and three megabytes for what comes once, such as a cache.
    for what in ("kernel", "page"):
        assert found[-1][what] - found[1][what] < 3e6 + 2000 * pictures
    for what in ("nodes", "listeners"):
        assert found[-1][what] - found[1][what] < 100 + 0.1 * pictures
    assert found[-1]["blobs"] == 1


def test_a_thousand_slider_moves_leave_the_last_state_on_screen_and_no_memory_growing(notebook):
    lab = notebook(run=False)
    lab.page.evaluate(COUNT_BLOBS)
    lab.run_all()
    lab.jump("L")
    lab.expect_at("L")
    lab.leave()
    lab.seed_slider.focus()

    def one_by_one(times):
        """Each move waits for its picture; one that is still to come from before would be taken for it."""
        lab.settle()
        lab.page.evaluate(ONE_BY_ONE, ["ArrowRight"] * (times // 2) + ["ArrowLeft"] * (times // 2))

    def in_a_row(times):
        """As fast as keys go: faster than pictures come."""
        for _ in range(times // 100):
            lab.key(*["ArrowRight"] * 50, *["ArrowLeft"] * 50)

    in_a_row(200)
    one_by_one(40)
    found = [memory(lab)]
    for _ in range(2):
        one_by_one(50)
        in_a_row(300)
        found.append(memory(lab))
    lab.key(*["ArrowRight"] * 98)
    lab.lr_slider.focus()  # without a pause: a kernel may be in the middle of its answer, in another thread
    lab.key(*["ArrowRight"] * 102, *["ArrowLeft"] * 100)
    lab.settle()

    expect(lab.lr_slider).to_be_focused()
    expect(lab.lr_slider).to_have_attribute("aria-valuetext", "-5.9")
    # The last state is in the fields, the text and the picture: 98 to the right of seed 0, two of the learning rate.
    expect(lab.field("seed")).to_have_value("98")
    expect(lab.field("learning rate")).to_have_value("1.259e-06")
    lab.expect_at("L")
    loss = format_number(float(trace(random_problem(seed=98))["L"]))
    assert lab.alt().endswith(f"which gives {loss}.")
    last = lab.picture()
    assert lab.run_in_new_cell(lab.call.inner_text()).picture() == last

    # What leaks grows with the pictures shown, and again the second time; what comes once, such as a menu, does not.
    def growth(what):
        return min(after[what] - before[what] for before, after in pairwise(found))

    pictures = growth("pictures")
    assert pictures >= 50
    too_much = len(last) * pictures / 2  # if every other picture stayed somewhere
    assert growth("kernel") < too_much
    assert growth("page") < too_much
    assert growth("nodes") < pictures / 2
    assert growth("listeners") < pictures / 2
    assert [each["blobs"] for each in found] == [1, 1, 1]
