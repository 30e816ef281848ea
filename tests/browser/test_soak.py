"""A thousand moves of a slider leave the last state on the screen, and nothing else behind; and so does play.

Play goes on for a minute; PLAY_MINUTES=30 makes it last.
"""

import os
from itertools import pairwise

import pytest
from gestures import COUNT_BLOBS, in_a_row, memory, one_by_one
from playwright.sync_api import expect

from backprop_lab import random_problem, trace
from backprop_lab.number_format import format_number

MINUTES = float(os.environ.get("PLAY_MINUTES", "1"))


@pytest.fixture
def lab(notebook):
    """A lab in a page that counts its pictures."""
    lab = notebook(run=False)
    lab.page.evaluate(COUNT_BLOBS)
    lab.run_all()
    return lab


@pytest.mark.release
def test_play_leaves_nothing_behind(lab):
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
    grown = {what: found[-1][what] - found[1][what] for what in found[1]}
    assert grown["pictures"] > 100
    # Bytes for each picture shown, which itself has 30,000; and three megabytes for what comes once, such as a cache.
    assert max(grown["kernel"], grown["page"]) < 3e6 + 2000 * grown["pictures"]
    assert max(grown["nodes"], grown["listeners"]) < 100 + 0.1 * grown["pictures"]
    assert found[-1]["blobs"] == 1


def test_a_thousand_slider_moves_leave_the_last_state_on_screen_and_no_memory_growing(lab):
    lab.jump("L")
    lab.expect_at("L")
    lab.leave()
    lab.seed_slider.focus()
    in_a_row(lab, 200)
    one_by_one(lab, 40)
    found = [memory(lab)]
    for _ in range(2):
        one_by_one(lab, 50)
        in_a_row(lab, 300)
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
    grown = {what: min(after[what] - before[what] for before, after in pairwise(found)) for what in found[0]}
    assert grown["pictures"] >= 50
    assert max(grown["kernel"], grown["page"]) < len(last) * grown["pictures"] / 2  # if every other picture stayed
    assert max(grown["nodes"], grown["listeners"]) < grown["pictures"] / 2
    assert [each["blobs"] for each in found] == [1, 1, 1]
