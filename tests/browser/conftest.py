"""A real JupyterLab and a real Chromium for all browser tests, and for each test a notebook and a kernel.

A page in which a test has passed is left as it was when it was loaded, and the next test opens its notebook there.
What goes wrong out of sight fails a test: errors in the console or the kernel, requests to any other machine.
"""

import json
import os
import secrets
from pathlib import Path

import nbformat
import pytest
from lab_page import ONE_CELL, OPEN, READY, LabPage, hear, new_notebook
from launch import FLAGS, WINDOW, find_chromium, jupyterlab, own_environment
from playwright.sync_api import expect

import backprop_lab

WAIT = 60_000  # milliseconds: how long a page may take on a busy machine
expect.set_options(timeout=WAIT / 2)
PICTURES = Path(__file__).parents[2] / "build" / "browser"  # of tests that failed
LOADED = []  # pages with a JupyterLab in which no notebook is open, each with the list of what goes wrong in it
NO_CHROMIUM = "NO CHROMIUM, SO NOTHING WAS TESTED IN A BROWSER. Set CHROMIUM_PATH, or `playwright install chromium`."


def pytest_configure(config):
    config.option.screenshot = "only-on-failure"
    config.option.output = str(PICTURES)


@pytest.fixture(scope="session")
def browser_type_launch_args(playwright, browser_type_launch_args):
    path = find_chromium(playwright)
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(NO_CHROMIUM)
    return browser_type_launch_args | {"executable_path": path, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args():
    return {"viewport": WINDOW}


@pytest.fixture(scope="session")
def jupyter_home(tmp_path_factory):
    return tmp_path_factory.mktemp("jupyter")


@pytest.fixture(scope="session")
def environment(jupyter_home):
    """That of the server and of its kernels, which import the package that the tests do."""
    package = filter(None, [str(Path(backprop_lab.__file__).parents[1]), os.environ.get("PYTHONPATH")])
    return own_environment(jupyter_home, PYTHONPATH=os.pathsep.join(package))


@pytest.fixture(scope="session")
def server(browser, jupyter_home, environment):
    """It asks for a browser first: without one, no server starts."""
    (jupyter_home / "notebooks").mkdir()
    with jupyterlab(jupyter_home, jupyter_home / "notebooks", environment) as server:
        yield server


@pytest.fixture
def notebook(server, jupyter_home, browser, browser_context_args, request):
    """A function that opens code cells or a whole notebook in a page, a new one if asked for, and returns its lab."""
    labs, failed_before = [], request.session.testsfailed

    def notebook(*cells, made=None, run=True, new=False):
        name = (workspace := secrets.token_hex(4)) + ".ipynb"
        nbformat.write(made or new_notebook(*cells or (ONE_CELL,)), jupyter_home / "notebooks" / name)
        if LOADED and not new:
            page, heard = LOADED.pop()
            page.evaluate(OPEN, name)
        else:
            page, heard = browser.new_context(**browser_context_args).new_page(), []
            page.set_default_timeout(WAIT)
            hear(page, heard)
            page.goto(f"{server.url}/lab/workspaces/{workspace}/tree/{name}?token={server.token}")
        labs.append((lab := LabPage(page), heard, new))
        page.evaluate(READY)
        if run:
            lab.run_all()
        return lab

    yield notebook
    failed, wrong = request.session.testsfailed > failed_before, []
    for lab, heard, new in labs:
        wrong += heard + lab.kernel_errors()
        if failed:
            lab.page.screenshot(path=PICTURES / f"{request.node.name}.png")
        if failed or new or wrong:
            lab.page.context.close()
        else:
            lab.leave()
            LOADED.append((lab.page, heard))
    for kernel in json.loads(server.request("/api/kernels")):
        server.request(f"/api/kernels/{kernel['id']}", "DELETE")
    assert not wrong


@pytest.fixture
def lab(notebook):
    """The lab as `StepThrough()` shows it."""
    return notebook()
