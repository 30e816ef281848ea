"""A real JupyterLab and a real Chromium for all browser tests, and for each test a page, a notebook and a kernel.

Whatever goes wrong out of sight fails the test it happened in: an error in the page's console, an exception in the
kernel or in the server's log, a request to any other machine. A test that fails leaves a picture in build/browser;
with `--tracing retain-on-failure`, which takes twice the time, also a trace for `playwright show-trace`.
"""

import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from lab_page import ONE_CELL, READY, LabPage, new_notebook
from launch import FLAGS, WINDOW, Server, find_chromium, jupyterlab, own_environment
from playwright.sync_api import expect
from witness import Witness, errors_in

import backprop_lab

WAIT = 60_000  # milliseconds: how long a page may take on a busy machine
expect.set_options(timeout=WAIT / 2)
NO_CHROMIUM = "NO CHROMIUM, SO NOTHING WAS TESTED IN A BROWSER. Set CHROMIUM_PATH, or `playwright install chromium`."


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


@dataclass
class Notebooks:
    """The notebooks that a JupyterLab serves, and their kernels."""

    server: Server
    folder: Path
    environment: dict[str, str]

    def ask(self, path, *request):
        return json.loads(self.server.request(f"/api/{path}", *request) or "null")

    def log(self):
        return (self.folder.parent / "server.log").read_text(errors="replace")


@pytest.fixture(scope="session")
def notebooks(browser, tmp_path_factory):
    """It asks for a browser first: without one, no server starts. Its kernels import the package that the tests do."""
    home = tmp_path_factory.mktemp("jupyter")
    (folder := home / "notebooks").mkdir()
    package = filter(None, [str(Path(backprop_lab.__file__).parents[1]), os.environ.get("PYTHONPATH")])
    environment = own_environment(home, PYTHONPATH=os.pathsep.join(package))
    with jupyterlab(home, folder, environment) as server:
        yield (notebooks := Notebooks(server, folder, environment))
    assert not errors_in(notebooks.log())


@pytest.fixture
def no_hidden_errors(notebooks):
    """What went wrong out of sight; nothing may be left of it at the end."""
    witness, before = Witness(), len(notebooks.log())
    yield witness
    assert not witness.heard
    if errors_in(notebooks.log()[before:]):
        time.sleep(1)  # the server may be in the middle of its sentence
    assert not errors_in(notebooks.log()[before:])


@pytest.fixture
def notebook(notebooks, new_context, no_hidden_errors):
    """A function that opens code cells or a whole notebook in a page of its own, and returns its first lab."""
    labs = []

    def notebook(*cells, made=None, run=True):
        name = (workspace := secrets.token_hex(4)) + ".ipynb"
        nbformat.write(made or new_notebook(*cells or (ONE_CELL,)), notebooks.folder / name)
        page = new_context().new_page()
        page.set_default_timeout(WAIT)
        no_hidden_errors.listen(page)
        page.goto(f"{notebooks.server.url}/lab/workspaces/{workspace}/tree/{name}?token={notebooks.server.token}")
        labs.append(lab := LabPage(page))
        page.evaluate(READY)
        if run:
            lab.run_all()
        return lab

    yield notebook
    for lab in labs:
        no_hidden_errors.heard += lab.kernel_errors()
        lab.page.context.close()
    for kernel in notebooks.ask("kernels"):
        notebooks.ask(f"kernels/{kernel['id']}", "DELETE")


@pytest.fixture
def lab(notebook):
    """The lab as `StepThrough()` shows it."""
    return notebook()
