"""A learner's first minute with the lab, in a real Chromium: open a notebook, run its first cell, move a slider."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Page, expect, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT = 120_000  # milliseconds
NOISE = "TypeError: Cannot read properties of undefined (reading 'schema')"  # Notebook 7.6's own, with any notebook


@dataclass
class FirstMove:
    """Seconds from the address typed, to each thing that a learner sees."""

    saved_picture: float
    living_board: float
    slider_moved: float

    def __str__(self) -> str:
        return (
            f"saved picture after {self.saved_picture:.1f} s, living board after {self.living_board:.1f} s, "
            f"slider moved after {self.slider_moved:.1f} s"
        )


@contextmanager
def new_page() -> Iterator[Page]:
    """A page of a browser that nobody has used. An error that the page reports fails the rehearsal."""
    with sync_playwright() as playwright:
        named = os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=named, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(WAIT)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
        yield page
        browser.close()
        if heard := [error for error in errors if NOISE not in error]:
            raise RuntimeError(f"the page reports: {heard}")


# Before the kernel is there the indicator says idle too, and forgets a cell that is run.
READY = """() => document.querySelector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    && !["", "No Kernel"].includes(document.querySelector(".jp-Toolbar-kernelName")?.innerText ?? "")"""


def first_move(page: Page, url: str) -> FirstMove:
    """Open 02_step_through at `url`, run its first cell, and move a slider by the keyboard."""
    started = time.monotonic()

    def now() -> float:
        return time.monotonic() - started

    page.goto(url, wait_until="commit")
    page.locator(".jp-OutputArea-output img").first.wait_for()
    saved_picture = now()
    page.wait_for_function(READY)
    page.locator(".jp-CodeCell .cm-content").first.press("Shift+Enter")
    lab = page.locator(".bpl-lab").first
    lab.get_by_label("seed", exact=True).wait_for()
    image = lab.locator(".bpl-board img")
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    living_board, before = now(), image.get_attribute("src")
    # When the run is over, Jupyter takes the focus to the next cell.
    page.locator(".jp-CodeCell").first.get_by_text("[1]:").first.wait_for()
    page.locator(".jp-MarkdownCell:focus").wait_for()
    lab.locator(".noUi-handle").first.press("ArrowRight")
    expect(lab.get_by_label("seed", exact=True)).to_have_value("1", timeout=WAIT)
    expect(image).not_to_have_attribute("src", before or "", timeout=WAIT)
    return FirstMove(saved_picture, living_board, now())


def try_the_lab(page: Page) -> None:
    """What else a learner does first: go a step, see its card, click a cell of the board, type a number."""
    lab = page.locator(".bpl-lab").first
    lab.locator("button.jupyter-button").get_by_text("Next", exact=True).click()
    expect(lab.locator(".bpl-card code")).to_contain_text("Y1 = ")
    expect(lab.locator(".bpl-timeline [aria-current=step]")).to_have_text("Y1")
    lab.locator(".bpl-picture").focus()
    page.keyboard.press("ArrowRight")
    expect(lab.locator(".bpl-timeline [aria-current=step]")).to_have_text("H1")
    field = lab.get_by_label("learning rate", exact=True)
    field.fill("0.25")
    field.press("Enter")
    expect(lab.locator(".bpl-call")).to_contain_text("lr=0.25")
    expect(lab.locator(".bpl-card .katex, .bpl-card mjx-container, .bpl-card .MathJax").first).to_be_visible()
