"""A page of a real JupyterLab in a real Chromium, on which some cells have run."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
WAIT = 60_000  # milliseconds
SETTINGS = {
    "notebook-extension/tracker": '{"windowingMode": "none"}',  # or cells off screen are not on the page
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}

RUN_ALL = """async () => {
    const app = window.jupyterapp;
    while (!app.shell.currentWidget?.sessionContext) await new Promise((go) => setTimeout(go, 100));
    await app.shell.currentWidget.sessionContext.ready;
    await app.commands.execute("notebook:run-all-cells");
}"""


@contextmanager
def jupyter_page(cells: Sequence[str], script: Path, width: int = 1280, height: int = 800) -> Iterator[Page]:
    """The page once all `cells` have run, with `script` loaded into it before anything else.

    The kernel can import what lies beside this file. Nothing of the user's own Jupyter is read or written.
    """
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), cells) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_browser(), args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(WAIT)
        page.add_init_script(path=script)
        page.goto(url)
        page.wait_for_selector(".jp-Notebook")
        page.evaluate(RUN_ALL)
        _raise_if_a_cell_failed(page)
        yield page
        browser.close()


@contextmanager
def _server(folder: Path, cells: Sequence[str]) -> Iterator[str]:
    """The address of a JupyterLab that shows a notebook of these cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    nbformat.write(notebook, folder / "bench.ipynb")
    for name, settings in SETTINGS.items():
        path = folder / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(settings)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
    }
    token, port = secrets.token_hex(), _free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--port-retries=0"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, folder / "log")
            yield f"http://127.0.0.1:{port}/lab/tree/bench.ipynb?token={token}"
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(WAIT // 200):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


def _browser() -> str:
    """Chromium, where CONTRIBUTING.md says that it is looked for."""
    found = [os.environ.get("CHROMIUM_PATH"), *map(shutil.which, BROWSERS)]
    if path := next(filter(None, found), None):
        return path
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _raise_if_a_cell_failed(page: Page) -> None:
    errors = page.locator(
        '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"], .jp-RenderedText pre'
    )
    for text in errors.all_inner_texts():
        if "Traceback" in text:
            raise RuntimeError(f"a cell failed:\n{text}")
