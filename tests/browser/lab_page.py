"""The lab as a person finds it on the page: what is where, and the gestures that reach it."""

import ast
import re
import subprocess

import nbformat
import numpy as np
from common import covers
from launch import WINDOW
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import expect

from backprop_lab import trace, worked_example
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.steps.frame import forward

ONE_CELL = "from backprop_lab.ui import StepThrough\n\nStepThrough()"

OPEN = """async (path) => {
  const opened = await window.jupyterapp.commands.execute("docmanager:open", { path });
  for (const other of [...window.jupyterapp.shell.widgets("main")]) if (other !== opened) other.close(); // a launcher
}"""
LEAVE = """() => {
  const { shell } = window.jupyterapp;
  for (const { context } of shell.widgets("main")) if (context) context.model.dirty = false; // or it asks
  shell.closeAll();
  shell.expandLeft();
  document.body.style.zoom = "";
  delete window.kernelErrors;
}"""

# Waits until the notebook in front has a kernel that answers, and notes every error that this kernel reports from now
# on: what fails in a callback of a widget has no cell to appear under.
READY = """async () => {
  const wait = () => new Promise((done) => setTimeout(done, 20));
  while (!window.jupyterapp?.shell.currentWidget?.sessionContext) await wait();
  const { content: notebook, sessionContext } = window.jupyterapp.shell.currentWidget;
  await sessionContext.ready;
  while (!sessionContext.session?.kernel || !notebook.model) await wait();
  await sessionContext.session.kernel.info;
  window.kernelErrors ??= [];
  sessionContext.session.kernel.iopubMessage.connect((_, { header, content: { name, text, evalue, traceback } }) => {
    if (header.msg_type === "error") window.kernelErrors.push([evalue, ...traceback].join("\\n"));
    if (header.msg_type === "stream" && name === "stderr") window.kernelErrors.push(text);
  });
}"""
RUN_ALL = "window.jupyterapp.commands.execute('notebook:run-all-cells')"  # the promise is kept when all have run
# ipywidgets greets each new kernel on a comm that a kernel without ipywidgets does not know yet: that is not an error.
GREETED = re.compile(r"(No such comm.*\n*)*")

OTHER_MACHINE = re.compile(r"(http|ws)s?://(?!127\.0\.0\.1[:/])")
# A notebook that is closed before its kernel has answered what JupyterLab asked it for itself.
CONSOLE_NOISE = re.compile(r"Canceled future for (debug|create_subshell)_request message before replies were done")

# A page that is laid out changes its width, and the lab waits until the width stays.
LAID_OUT = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 150))))"

# A kernel answers in order, but a newer one answers widgets in several threads, the main one and subshells: so ask them
# all. And ask more than once, since a widget holds back changes while it waits for an answer.
SETTLED = """async () => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const listed = kernel.supportsSubshells && (await kernel.requestListSubshell({}).done).content.subshell_id;
  const ask = async (shell) => {
    kernel.subshellId = shell;
    const asked = [kernel.requestKernelInfo(), new Promise((late) => setTimeout(late, 2000, "late"))];
    kernel.subshellId = null;
    if ((await Promise.race(asked)) === "late") await ask(shell); // one of a kernel's first answers may get lost
  };
  for (let time = 0; time < 3; time++) await Promise.all([null, ...(listed || [])].map(ask));
  await Promise.all([...document.querySelectorAll(".bpl-board img")].map((image) => image.decode().catch(() => {})));
  await new Promise((go) => requestAnimationFrame(() => setTimeout(() => setTimeout(go)))); // words follow the map
}"""

EVALUATE = """async (expression) => {
  const request = { code: "", silent: true, user_expressions: { it: expression } };
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  return (await kernel.requestExecute(request).done).content.user_expressions.it;
}"""
NOTEBOOK = """(({ activeCellIndex: active, widgets, mode }) => ({ active, cells: widgets.length, mode }))(
  window.jupyterapp.shell.currentWidget.content)"""

AREAS = ["transport", "timeline", "map", "card", "tour", "operation", "sum"]  # below the controls

# Whether text that can be read stays within what it stands in; on a phone it may be left out.
WITHIN = """e => {
  const { clientWidth, clientHeight } = e.parentElement, size = parseFloat(getComputedStyle(e).fontSize);
  if (!e.offsetHeight) return size < 9 || Boolean(e.closest(".bpl-phone"));
  return e.offsetWidth <= clientWidth && e.offsetHeight <= clientHeight && size >= 9;
}"""

# Where the areas are, and the panel that shows them; and which shows less than it holds, and does not scroll aside.
MEASURE = """(names) => {
  const lab = document.querySelector(".bpl-lab");
  const panel = lab.closest(".jp-WindowedPanel-outer, .jp-CodeConsole-content");
  const sides = ["left", "top", "right", "bottom"];
  const box = (element) => sides.map((side) => element.getBoundingClientRect()[side]);
  const areas = { controls: lab.querySelector(".widget-hbox") };
  for (const area of names) {
    const part = lab.querySelector(`.bpl-${area}`);
    if (part?.checkVisibility({ visibilityProperty: true })) areas[area] = part;
  }
  const cut = Object.entries(areas).filter(([, e]) => {
    const { overflowX, overflowClipMargin } = getComputedStyle(e);
    return e.scrollHeight > e.clientHeight + 1 ||
      (overflowX !== "auto" && e.scrollWidth > e.clientWidth + parseFloat(overflowClipMargin));
  });
  const seen = Object.keys(areas), boxes = Object.values(areas).map(box);
  return { panel: box(panel), cut: cut.map(([area]) => area), seen, boxes };
}"""

# A board may be taller than the window. Scrolls only if it must, since what moves under the pointer is hovered.
SCROLL_TO = """(image, part) => {
  const panel = image.closest(".jp-WindowedPanel-outer"), { top, bottom } = panel.getBoundingClientRect();
  const { y, height } = image.getBoundingClientRect(), at = y + part * height;
  if (at < top + 50 || at > bottom - 50) panel.scrollBy(0, at - (top + bottom) / 2);
}"""


def hear(page, heard):
    """Put what goes wrong out of sight in a page on a list: errors, exceptions, requests to any other machine."""

    def note(text, matters=True):
        if matters and not CONSOLE_NOISE.search(text):
            heard.append(text)

    page.on("console", lambda message: note(f"console: {message.text}", message.type == "error"))
    page.on("pageerror", lambda error: note(f"page: {error.stack or error}"))
    page.on("request", lambda request: note(f"asks {request.url}", OTHER_MACHINE.match(request.url)))


def new_notebook(*cells):
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    return nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)], metadata=metadata)


def node(*arguments):
    """What a script prints in the node that Playwright brings."""
    command = [compute_driver_executable()[0], *arguments]
    run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def violations(page, *context):
    """Every violation that axe-core finds on a page, or in a part of it: its rule and the element."""
    from axe_playwright_python.sync_playwright import Axe  # it reads its files as the locale has it, which may fail

    rules = Axe().run(page, *context).response["violations"]
    return [(rule["id"], node["html"]) for rule in rules for node in rule["nodes"]]


class LabPage:
    """One of the labs in the notebook in front; `page` is the whole page, `root` only this lab."""

    def __init__(self, page, number=0):
        self.page = page
        self.root = page.locator(".bpl-lab").nth(number)
        for name in ("card", "remarks", "iteration", "refused", "worked", "call", "script", "timeline"):
            setattr(self, name, self.root.locator(f".bpl-{name}"))
        self.image, self.board = self.root.locator(".bpl-picture img[src]"), self.root.locator(".bpl-picture")
        self.seed_slider, self.lr_slider = (self.root.locator(".noUi-handle").nth(k) for k in (0, 1))
        self.devtools = page.context.new_cdp_session(page)

    def command(self, name):
        self.page.evaluate(f"window.jupyterapp.commands.execute('{name}')")

    def run_all(self):
        self.page.evaluate(RUN_ALL)
        self.wait_for_picture()

    def select_cell(self, number):
        self.page.locator(".jp-Cell").nth(number).locator(".jp-InputPrompt").click()

    def notebook(self):
        return self.page.evaluate(NOTEBOOK)

    def wait_for_picture(self):
        self.image.wait_for()
        self.page.evaluate(LAID_OUT)
        self.settle()

    def settle(self):
        """Wait until the page shows all that has been asked of it."""
        self.page.evaluate(SETTLED)

    def wait_until(self, is_so):
        for _ in range(50):
            if is_so():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError("it has not come to be so")

    def in_kernel(self, expression):
        """The value of an expression in the kernel, which must be a literal."""
        answer = self.page.evaluate(EVALUATE, expression)
        assert answer["status"] == "ok", answer
        return ast.literal_eval(answer["data"]["text/plain"])

    def kernel_errors(self):
        return [said for said in self.page.evaluate("() => window.kernelErrors ?? []") if not GREETED.fullmatch(said)]

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def step_button(self, name):
        return self.timeline.get_by_role("button", name=name, exact=True)

    def field(self, label):
        return self.root.get_by_label(label, exact=True)

    def press(self, *names):
        for name in names:
            self.button(name).click()
            self.settle()

    def jump(self, step):
        self.step_button(step).click()
        self.settle()

    def choose(self, label, option):
        self.field(label).select_option(option)
        self.settle()

    def key(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def after_a_new_picture(self, gesture):
        old = self.image.get_attribute("src")
        gesture()
        expect(self.image).not_to_have_attribute("src", old)
        self.page.evaluate(LAID_OUT)
        self.settle()

    def leave(self):
        """Close the notebook, and leave the page as it was when it was loaded."""
        self.devtools.detach()  # which ends what it emulates
        self.page.context.clear_permissions()
        self.page.set_viewport_size(WINDOW)
        self.page.mouse.move(0, 0)
        self.page.evaluate(LEAVE)
        self.show_as("light")

    def show_as(self, theme):
        self.page.emulate_media(color_scheme=theme)
        self.page.locator(f"body[data-jp-theme-light={str(theme == 'light').lower()}]").wait_for(state="attached")

    def violations(self):
        """Those in a browser that is light and in one that is dark, which JupyterLab follows."""
        found = []
        for theme in ("light", "dark"):
            self.show_as(theme)
            found += violations(self.page, ".bpl-lab")
        return found

    def place_of(self, name, i, j):
        """The middle of a cell on the page and the cell's size, in CSS pixels; on the map of the worked example."""
        room = "image => { const { clientWidth: w, clientHeight: h } = image.closest('.bpl-map'); return [w, h]; }"
        width, height = self.image.evaluate(room)
        boxes = Board(trace(worked_example()), width, height).boxes_on_page()
        _, x, y, across, down, rows, cols = next(box for box in boxes if box[0] == name)
        self.image.evaluate(SCROLL_TO, y)
        left, top, width, height = map(self.image.bounding_box().get, ("x", "y", "width", "height"))
        across, down = across / cols * width, down / rows * height
        return left + x * width + (j + 0.5) * across, top + y * height + (i + 0.5) * down, across, down

    def hover(self, *cell):
        self.page.mouse.move(*self.place_of(*cell)[:2])

    def click(self, name, i, j, across=0.0, down=0.0):
        """Click a cell, in its middle or so much of its width and height away from there."""
        x, y, width, height = self.place_of(name, i, j)
        self.page.mouse.click(x + across * width, y + down * height)

    def picture(self, image=None):
        source = "async (image) => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer()))"
        return bytes((image or self.image).evaluate(source))

    def is_crisp(self, zoom=1):
        """Whether each pixel of the picture falls on one of the screen."""
        wide = self.image.evaluate("image => image.naturalWidth")
        return abs(wide - self.image.bounding_box()["width"] * zoom) <= 1

    def expect_at(self, step, iteration=0):
        """Wait until text, picture and timeline are all at this step; None is the start of an iteration."""
        expect(self.iteration).to_have_text(f"iteration {iteration}")
        where = f"at iteration {iteration}, .*: {step} = " if step else f"at the start of iteration {iteration}:"
        expect(self.image).to_have_attribute("alt", re.compile(f"^Board {where}"))
        expect(self.timeline.locator("[aria-current=step]")).to_have_text([step] if step else [])
        if step:
            expect(self.card.locator("code").first).to_have_text(re.compile(f"^{step} = "))


def check_that_all_is_seen(lab, problem=None):
    """Of the worked example or another problem, at each step, with a cell chosen; and that nothing moves.

    Beside the list of files, the question of a tour stands where the operation does without one.
    """
    lab.page.evaluate(LAID_OUT)
    lab.settle()  # into another layout, before it is scrolled to
    asks, narrow = (lab.root.locator(f".bpl-{each}").count() for each in ("asks", "desktop"))
    unseen = {"operation"} if asks and narrow else set() if asks else {"tour"}
    first, of, lines = None, trace(problem or worked_example()), lab.root.locator(".bpl-overview")
    lab.board.press("Home")
    lab.settle()
    expect(lines).to_have_text("\n".join(forward(of)))
    if forward(of):  # of which there may be too many
        lab.wait_until(lambda: lines.evaluate(WITHIN))
    lab.root.evaluate("lab => lab.scrollIntoView({ block: 'start' })")
    for step in of.steps:
        lab.jump(step.name)
        expect(lines).to_be_hidden()
        lab.board.focus()
        lab.key("Enter")
        expect(lab.worked).to_contain_text(step.name)
        found = lab.page.evaluate(MEASURE, AREAS)
        boxes = np.array(found["boxes"])
        left, top, right, bottom = found["panel"]
        assert not found["cut"], (step.name, found["cut"])
        assert {*found["seen"]} == {"controls", *AREAS} - unseen, step.name
        inside = (boxes >= [left, top - 1] * 2) & (boxes <= [right, bottom + 1] * 2)  # to the nearest pixel
        assert inside.all(), (step.name, boxes)
        assert (boxes[:, :2] < boxes[:, 2:]).all(), (step.name, boxes)
        assert np.array_equal(covers(boxes, boxes, by=0.5), np.eye(len(boxes))), (step.name, boxes)
        first = boxes if first is None else first
        assert np.abs(first - boxes).max() <= 2, step.name
        assert lab.is_crisp()
