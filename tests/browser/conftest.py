"""A real JupyterLab and a real Chromium: one of each for all browser tests, and for each test a notebook and a kernel.

Whatever goes wrong out of sight fails the test it happened in: an error in the page's console, an exception in the
kernel or in the server's log, a request to any other machine. A test that fails leaves a picture in build/browser;
with `--tracing retain-on-failure`, which takes twice the time, also a trace for `playwright show-trace`.
"""

import json
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from lab_page import ONE_CELL, LabPage, new_notebook
from launch import FLAGS, WINDOW, Server, find_chromium, jupyterlab, own_environment
from playwright.sync_api import expect
from witness import Witness, errors_in

import backprop_lab

WAIT = 60_000  # milliseconds: how long a page may take on a busy machine
expect.set_options(timeout=WAIT / 2)
NO_CHROMIUM = (
    "NO CHROMIUM, SO NOTHING WAS TESTED IN A BROWSER. "
    "Set CHROMIUM_PATH, install chromium, or run `playwright install chromium`."
)


def pytest_configure(config):
    config.option.screenshot = "only-on-failure"
    config.option.output = str(Path(__file__).parents[2] / "build" / "browser")


@pytest.fixture(scope="session")
def browser_type_launch_args(playwright, browser_type_launch_args):
    path = find_chromium(playwright)
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(NO_CHROMIUM)
    return browser_type_launch_args | {"executable_path": path, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args():
    return {"viewport": WINDOW}


def new_name():
    return f"{secrets.token_hex(4)}.ipynb"


@dataclass
class Notebooks:
    """The notebooks that a JupyterLab serves, and their kernels."""

    server: Server
    folder: Path
    environment: dict[str, str]
    log: Path
    background: ThreadPoolExecutor  # for what no test need wait for: the start of the next kernel, the end of the last
    checked: int = 0  # how much of the log earlier tests have checked
    spare_pages: list = field(default_factory=list)  # with JupyterLab, used by no test now: loading takes seconds
    started: list = field(default_factory=list)  # what will be the names of notebooks that have a kernel
    witness: Witness = field(default_factory=Witness)  # hears every page, also between tests: the next answers for it

    def ask(self, path, *request):
        return json.loads(self.server.request(f"/api/{path}", *request) or "null")

    def sessions(self):
        return {session["path"]: session for session in self.ask("sessions")}

    def start_kernel(self, kernel=None):
        """The name of a notebook that will be written and opened soon, on a new kernel or on one with a known id."""
        name = new_name()
        session = {"path": name, "type": "notebook", "name": "", "kernel": kernel or {"name": "python3"}}
        self.ask("sessions", "POST", session)
        return name

    def start_next(self):
        """Begin to start the kernel of the next test, while this one runs."""
        self.started.append(self.background.submit(self.start_kernel))

    def stop_kernel(self, name):
        if session := self.sessions().get(name):
            self.ask(f"sessions/{session['id']}", "DELETE")

    def complaints(self):
        """What the log says of errors since this was last asked."""
        for patience in (0.5, 0.5, 0.0):
            text = self.log.read_text(errors="replace")
            found = errors_in(text[self.checked :])
            if not found:
                break
            time.sleep(patience)  # the server may be in the middle of its sentence
        self.checked = len(text)
        return found


@pytest.fixture(scope="session")
def notebooks(browser, tmp_path_factory):
    """It asks for a browser first: without one, no server starts. Its kernels import the package that the tests do."""
    home = tmp_path_factory.mktemp("jupyter")
    (folder := home / "notebooks").mkdir()
    package = filter(None, [str(Path(backprop_lab.__file__).parents[1]), os.environ.get("PYTHONPATH")])
    environment = own_environment(home, PYTHONPATH=os.pathsep.join(package))
    with jupyterlab(home, folder, environment) as server, ThreadPoolExecutor(1) as background:
        notebooks = Notebooks(server, folder, environment, home / "server.log", background)
        notebooks.start_next()
        yield notebooks
    assert not notebooks.complaints()


@pytest.fixture
def no_hidden_errors(notebooks):
    """What went wrong out of sight; nothing may be left of it at the end."""
    yield notebooks.witness
    heard, notebooks.witness.heard = notebooks.witness.heard, []
    assert not heard
    if complaints := notebooks.complaints():
        pytest.fail(f"JupyterLab logged an error:\n{complaints}")


@pytest.fixture
def open_notebook(notebooks, browser, browser_context_args, no_hidden_errors, _artifacts_recorder, request):
    """A function that opens a notebook in a JupyterLab of the given size, perhaps on the kernel of the first."""
    opened = {}

    def page_with_jupyterlab():
        page = browser.new_context(**browser_context_args).new_page()
        page.set_default_timeout(WAIT)
        no_hidden_errors.listen(page)
        workspace = f"{notebooks.server.url}/lab/workspaces/{secrets.token_hex(4)}"
        page.goto(f"{workspace}?token={notebooks.server.token}", wait_until="commit")
        return page

    def open_notebook(notebook, window=WINDOW, has_kernel=True, same_kernel=False):
        if not has_kernel:
            name = new_name()
        elif same_kernel:
            name = notebooks.start_kernel({"id": notebooks.sessions()[next(iter(opened))]["kernel"]["id"]})
        else:
            notebooks.start_next()
            name = notebooks.started.pop(0).result()
        nbformat.write(notebook, notebooks.folder / name)
        lab = opened[name] = LabPage(notebooks.spare_pages.pop() if notebooks.spare_pages else page_with_jupyterlab())
        _artifacts_recorder.on_did_create_browser_context(lab.page.context)  # it hears of no page that is used again
        lab.page.set_viewport_size(window)
        lab.open(name, has_kernel)
        return lab

    yield open_notebook
    failed = not hasattr(request.node, "rep_call") or request.node.rep_call.failed
    for name, lab in opened.items():
        no_hidden_errors.heard += lab.kernel_errors()
        if failed:
            _artifacts_recorder.on_will_close_browser_context(lab.page.context)
        else:
            lab.page.context.tracing.stop()
        if not failed and lab.close_all():
            notebooks.spare_pages.append(lab.page)
        else:
            lab.page.context.close()
        notebooks.background.submit(notebooks.stop_kernel, name)


@pytest.fixture
def notebook(open_notebook):
    """A function that opens a notebook and runs it, and returns its first lab.

    It takes the source of code cells, or the path of a notebook; and the options of `open_notebook`.
    """

    def notebook(*cells, path=None, run=True, **options):
        made = nbformat.read(path, as_version=4) if path else new_notebook(*cells or (ONE_CELL,))
        lab = open_notebook(made, **options)
        if run:
            lab.run_all()
        return lab

    return notebook


@pytest.fixture
def lab(notebook):
    """The lab as `StepThrough()` shows it."""
    return notebook()
