"""The lab as a person finds it on the page: what is where, and the gestures that reach it."""

import hashlib
import re

from playwright.sync_api import expect

# Waits until the notebook in front has a kernel that answers, and notes every error that this kernel reports from now
# on: what fails in a callback of a widget has no cell to appear under. ipywidgets greets each new kernel on a comm that
# a kernel without ipywidgets does not know yet, and says so: that alone is not an error.
READY = """async () => {
  const wait = () => new Promise((done) => setTimeout(done, 20));
  while (!window.jupyterapp?.shell.currentWidget?.sessionContext) await wait();
  const context = window.jupyterapp.shell.currentWidget.sessionContext;
  await context.ready;
  while (!context.session?.kernel || !window.jupyterapp.shell.currentWidget.content.model) await wait();
  window.kernelErrors ??= [];
  const opened = new Set();
  const greets = (line) => {
    const comm = line.match(/^No such comm: (.*)/)?.[1];
    return line === "No such comm target registered: jupyter.widget.control" || (comm && !opened.has(comm));
  };
  context.session.kernel.iopubMessage.connect((_, { header, content }) => {
    if (header.msg_type === "comm_open") opened.add(content.comm_id);
    if (header.msg_type === "error") {
      window.kernelErrors.push([`kernel: ${content.ename}: ${content.evalue}`, ...content.traceback].join("\\n"));
    }
    if (header.msg_type === "stream" && content.name === "stderr") {
      const lines = content.text.split("\\n").filter((line) => line && !greets(line));
      if (lines.length) window.kernelErrors.push(`kernel says: ${lines.join("\\n")}`);
    }
  });
}"""

# The kernel answers in order. A widget holds back what changes while it waits for an answer, so ask more than once.
SETTLED = """async () => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  for (let asked = 0; asked < 3; asked++) await kernel.requestKernelInfo();
  await Promise.all([...document.querySelectorAll(".bpl-board img")].map((image) => image.decode().catch(() => {})));
}"""

EVALUATE = """async (expression) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const asked = kernel.requestExecute({ code: "", silent: true, user_expressions: { it: expression } });
  const { content } = await asked.done;
  return content.user_expressions.it;
}"""


class LabPage:
    """One of the labs in the notebook in front; `page` is the whole page, `root` only this lab."""

    def __init__(self, page, number=0):
        self.page = page
        self.root = page.locator(".bpl-lab").nth(number)
        self.image = self.root.locator(".bpl-board img")
        self.board = self.root.locator(".bpl-picture")  # what takes the keys
        self.card = self.root.locator(".bpl-card")
        self.chip = self.card.locator(".bpl-chip")
        self.iteration = self.card.locator(".bpl-iteration")
        self.current = self.root.locator(".bpl-timeline [aria-current=step]")
        self.done = self.root.locator(".bpl-timeline .bpl-shown")
        self.refused = self.root.locator(".bpl-refused")
        self.note = self.root.locator(".bpl-note")
        self.worked = self.root.locator(".bpl-worked")
        self.call = self.root.locator(".bpl-call")
        self.table = self.root.locator(".bpl-tables")
        self.script = self.root.locator(".bpl-script")
        self.seed_slider, self.lr_slider = (self.root.locator(".widget-hslider .noUi-handle").nth(k) for k in (0, 1))

    # The notebook around it

    def open(self, url):
        self.page.goto(url)
        self.page.evaluate(READY)

    def reload(self):
        self.page.reload()
        self.page.evaluate(READY)

    def command(self, name, **arguments):
        self.page.evaluate("([name, given]) => window.jupyterapp.commands.execute(name, given)", [name, arguments])

    def run_all(self):
        self.command("notebook:run-all-cells")
        self.wait_for_picture()
        self.settle()

    def wait_for_picture(self):
        expect(self.image).to_have_js_property("complete", True)
        self.page.wait_for_function("image => image.naturalWidth > 0", arg=self.image.element_handle())

    def settle(self):
        """Wait until the page shows all that has been asked of it; for claims that something stays as it is."""
        self.page.evaluate(SETTLED)

    def in_kernel(self, expression):
        """The repr of an expression, evaluated in the kernel."""
        answer = self.page.evaluate(EVALUATE, expression)
        assert answer["status"] == "ok", answer
        return answer["data"]["text/plain"]

    def kernel_errors(self):
        return self.page.evaluate("() => window.kernelErrors ?? []")

    # Controls

    def button(self, name):
        return self.root.locator(".widget-button, .widget-toggle-button").get_by_text(name, exact=True)

    def press(self, *names):
        for name in names:
            self.button(name).click()

    def step_button(self, name):
        return self.root.locator(".bpl-timeline").get_by_role("button", name=name, exact=True)

    def field(self, label):
        return self.root.get_by_label(label, exact=True)

    def type_into(self, label, text):
        self.field(label).fill(text)
        self.field(label).press("Enter")

    # What it shows

    def picture(self):
        """The bytes of the picture, as a short hash: equal if and only if nothing on the board has changed."""
        data = self.image.evaluate(
            "async (image) => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer()))"
        )
        return hashlib.sha256(bytes(data)).hexdigest()[:16]

    def alt(self):
        return self.image.get_attribute("alt")

    def shows(self, step, iteration=0):
        """Text, picture and timeline are all at this step."""
        expect(self.current).to_have_text(step)
        expect(self.card).to_contain_text(f"{step} = ")
        expect(self.iteration).to_have_text(f"iteration {iteration}")
        expect(self.image).to_have_attribute("alt", re.compile(rf"iteration {iteration}, .*: {re.escape(step)} = "))

    def state(self):
        """Everything the lab says, to be compared with what it says later."""
        self.settle()
        return {
            "picture": self.picture(),
            "alt": self.alt(),
            "card": self.card.inner_text(),
            "step": self.current.all_inner_texts(),
            "call": self.call.inner_text(),
            "seed": self.field("seed").input_value(),
            "learning rate": self.field("learning rate").input_value(),
        }
