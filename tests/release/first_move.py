"""A learner's first minute with the lab, in a real Chromium: open a notebook, run its first cell, move a slider."""

import time
from collections.abc import Sequence

from clean_room import CleanRoom, require
from launch import chromium_page
from playwright.sync_api import expect

WAIT = 120_000  # milliseconds
NOISE = "TypeError: Cannot read properties of undefined (reading 'schema')"  # Notebook 7.6's own, with any notebook

# Before the kernel is there the indicator says idle too, and forgets a cell that is run.
READY = """() => document.querySelector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    && !["", "No Kernel"].includes(document.querySelector(".jp-Toolbar-kernelName")?.innerText ?? "")"""


def see_the_lab(name: str, room: CleanRoom, command: Sequence, path: str, cwd=None, quiet=False) -> None:
    """Serve with `command`, open 02_step_through at `path`, run its first cell, move a slider by the keyboard and go a
    step, with no error of the page and, where it is `quiet`, no offer of news. Prints the seconds to the moved slider.
    """
    expect.set_options(timeout=WAIT)
    with room.serve(*command, cwd=cwd) as server, chromium_page() as page:
        page.set_default_timeout(WAIT)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
        opened = time.monotonic()
        page.goto(f"{server.url}/{path}token={server.token}", wait_until="commit")
        page.locator(".jp-OutputArea-output img").first.wait_for()
        page.wait_for_function(READY)
        page.locator(".jp-CodeCell .cm-content").first.press("Shift+Enter")
        lab = page.locator(".bpl-lab").first
        image = lab.locator(".bpl-picture img[src]")
        image.wait_for()
        before = image.get_attribute("src") or ""
        # When the run is over, Jupyter takes the focus to the next cell.
        page.locator(".jp-CodeCell").first.get_by_text("[1]:").first.wait_for()
        page.locator(".jp-MarkdownCell:focus").wait_for()
        lab.locator(".noUi-handle").first.press("ArrowRight")
        expect(lab.get_by_label("seed", exact=True)).to_have_value("1")
        expect(image).not_to_have_attribute("src", before)
        seconds = server.seconds + time.monotonic() - opened
        lab.get_by_role("button", name="Next", exact=True).click()
        expect(lab.locator(".bpl-card code")).to_contain_text("Y1 = ")
        expect(lab.locator(".bpl-card math").first).to_be_visible()
        require(not (quiet and page.get_by_text("official Jupyter news").count()), "no question about news is there")
        require(all(NOISE in error for error in errors), f"the page reports no error, but {errors}")
        print(f"{name}: the slider has moved after {seconds:.1f} s", flush=True)
