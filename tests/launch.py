"""Starts a Jupyter server that reads and writes nothing of this user's own Jupyter, and finds Chromium."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # or cells off screen are not on the page
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},  # light or dark as the browser says
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
PAGE = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
OPTIONS = ("no-browser", "allow-root", "LabApp.expose_app_in_browser=True", "LabApp.extension_manager=readonly")
JUPYTERLAB = (sys.executable, "-m", "jupyterlab", *(f"--{option}" for option in OPTIONS))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OFF = ("gpu", "quic", "background-networking", "component-update", "sync")
FLAGS = ("--no-sandbox", "--no-first-run", *(f"--disable-{what}" for what in OFF))
WINDOW = {"width": 1280, "height": 1000}


class Server(NamedTuple):
    """A Jupyter server that answers: its address and token, and the seconds until its first answer."""

    url: str
    token: str
    seconds: float

    def request(self, path, method="GET"):
        """The bytes that it answers."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()


def own_environment(home, **more):
    """This process's environment, with Jupyter's folders in `home`, and a token and a free port for a new server."""
    foreign = "JUPYTER", "JPY_", "IPYTHON", "PYTHONWARNINGS"  # strict, a server would stop at a warning of its own
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    folders = {f"JUPYTER_{kind}_DIR": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = {"JUPYTER_TOKEN": secrets.token_hex(16), "JUPYTER_PORT": str(probe.getsockname()[1])}
    own = {"IPYTHONDIR": str(home / "ipython"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # or the debugger warns
    return kept | folders | address | own | more


@contextmanager
def serving(command, home, environment, **options):
    """A Jupyter server from when it answers until the block ends; what it prints goes to server.log in `home`."""
    runtime, log, started = Path(environment["JUPYTER_RUNTIME_DIR"]), home / "server.log", time.monotonic()
    shutil.rmtree(runtime, ignore_errors=True)  # what an earlier one left there
    with log.open("w") as file:
        options |= {"env": environment, "stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        process = subprocess.Popen([*map(str, command)], **options)
    try:
        answers = False
        while not answers:
            if process.poll() is not None or time.monotonic() > started + 120:
                raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.05)
            with suppress(OSError, ValueError):  # not there yet, or half written, or not listening yet
                (info,) = (json.loads(path.read_text(encoding="utf-8")) for path in runtime.glob("jpserver-*.json"))
                server = Server(f"http://127.0.0.1:{info['port']}", info["token"], time.monotonic() - started)
                answers = server.request("/api/status")
        yield server
    finally:
        process.terminate()
        process.wait(30)


def jupyterlab(home, folder, environment):
    """A JupyterLab of this Python that serves `folder`, with SETTINGS, and `window.jupyterapp` in its pages."""
    (labconfig := Path(environment["JUPYTER_CONFIG_DIR"], "labconfig")).mkdir(parents=True)
    (labconfig / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
    (labconfig / "page_config.json").write_text(json.dumps(PAGE))
    return serving((*JUPYTERLAB, f"--ServerApp.root_dir={folder}"), home, environment)


def find_chromium(playwright):
    """The browser that CHROMIUM_PATH names, else one on the PATH, else Playwright's own; None if it is not there."""
    named = os.environ.get("CHROMIUM_PATH")
    found = [named] if named else [*map(shutil.which, BROWSERS), playwright.chromium.executable_path]
    return next((path for path in found if path and os.access(path, os.X_OK)), None)


@contextmanager
def chromium_page(**options):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=FLAGS)
        yield browser.new_page(**{"viewport": WINDOW} | options)
