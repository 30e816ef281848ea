"""A real JupyterLab and a real Chromium: one of each for all browser tests, and for each test a notebook and a kernel.

Whatever goes wrong out of sight fails the test it happened in: an error in the page's console, an exception in the
kernel or in the server's log, a request to any other machine.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from urllib.parse import urlparse

import nbformat
import pytest
from lab_page import LabPage
from playwright.sync_api import sync_playwright

import backprop_lab

ROOT = Path(__file__).parents[2]
PACKAGE_HOME = Path(backprop_lab.__file__).parents[1]  # the kernels import the package that the tests import
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WINDOW = {"width": 1280, "height": 1000}
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
ONE_CELL = "from backprop_lab.ui import StepThrough\n\nStepThrough()"

# JupyterLab's own noise, which says nothing about us. Each entry says where it comes from.
CONSOLE_NOISE = (
    # A notebook that is closed before its kernel has answered what JupyterLab asked it for itself.
    r"^(page|console): .*Canceled future for (debug|create_subshell)_request message before replies were done",
)
UP_TO_THE_ERROR = r"((Traceback|During handling|handle:|future:|tornado\.\S*ClosedError|[ ]).*\n|\n)*"
LOG_NOISE = (
    # A page that is closed while the server or a kernel is sending it something: in tornado, jupyter_server and pyzmq.
    r"^(\[E .*exception.*|Exception in callback .*|Task exception was never retrieved)\n"
    + UP_TO_THE_ERROR
    + r"[ ]*(tornado\.\w+\.)?(WebSocket|Stream)ClosedError.*\n",
    # A kernel that is stopped while a page still talks to it, in ipykernel: its loop or its sockets are gone.
    r"^ERROR:tornado\.general:Uncaught exception in ZMQStream callback\n"
    + UP_TO_THE_ERROR
    + r"zmq\.error\.ZMQError: Socket operation on non-socket\n",
    r"^Exception ignored in: <coroutine object _async_in_context\..*\n"
    + UP_TO_THE_ERROR
    + r"RuntimeError: Event loop is closed\n",
    r"^\[C .* received signal 15, stopping\n",  # how we end it ourselves
)
BAD_LOG_LINE = re.compile(r"Traceback \(most recent call last\)|\b\w*(Error|Exception)\b: |^\[[EC] ", re.MULTILINE)

SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},  # light or dark as the browser says
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


@dataclass
class Server:
    """A running JupyterLab: where it is, the folder it serves, and what it has logged."""

    url: str
    token: str
    folder: Path
    log: Path
    environment: dict[str, str]
    checked: int = 0  # how much of the log earlier tests have checked

    def request(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or "null")

    def start_kernel(self, notebook):
        """Start a kernel for a notebook that will be opened soon."""
        self.request(
            "POST", "sessions", {"path": notebook, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        )

    def share_kernel(self, notebook, other):
        """Let another notebook work on the kernel of the first; its own is stopped."""
        sessions = {session["path"]: session for session in self.request("GET", "sessions")}
        kernel = {"id": sessions[notebook]["kernel"]["id"]}
        self.request("PATCH", f"sessions/{sessions[other]['id']}", {"kernel": kernel})

    def stop_kernel(self, notebook):
        for session in self.request("GET", "sessions"):
            if session["path"] == notebook:
                self.request("DELETE", f"sessions/{session['id']}")

    def trust(self, notebook):
        """Sign a notebook, as JupyterLab does when it saves one that was run in it."""
        command = [sys.executable, "-m", "jupyter", "trust", notebook]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)

    def complaints(self):
        """What the log says of errors since this was last asked."""
        for patience in (0.5, 0.0):
            text = self.log.read_text(errors="replace")
            found = errors_in(text[self.checked :])
            if not found:
                break
            time.sleep(patience)  # the server may be in the middle of its sentence
        self.checked = len(text)
        return found


def errors_in(log):
    """A part of a server's log without its noise, if an error is left in it."""
    for noise in LOG_NOISE:
        log = re.sub(noise, "", log, flags=re.MULTILINE | re.IGNORECASE)
    return log if BAD_LOG_LINE.search(log) else ""


def find_chromium(playwright):
    """The browser of this machine: the one named in CHROMIUM_PATH, else one on the PATH, else Playwright's own."""
    if named := os.environ.get("CHROMIUM_PATH"):
        return named if os.access(named, os.X_OK) else None
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    own = playwright.chromium.executable_path
    return found or (own if os.path.exists(own) else None)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            missing = (
                "NO CHROMIUM, SO NOTHING WAS TESTED IN A BROWSER. "
                "Set CHROMIUM_PATH, install chromium, or run `playwright install chromium`."
            )
            pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    """JupyterLab without any settings of this user; it asks for a browser first, and without one never starts."""
    home = tmp_path_factory.mktemp("jupyter")
    folder = home / "notebooks"
    folder.mkdir()
    labconfig = home / "config" / "labconfig"
    labconfig.mkdir(parents=True)
    (labconfig / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (labconfig / "page_config.json").write_text(json.dumps(news))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY_"))}
    environment |= {
        "JUPYTER_TOKEN": token,
        "JUPYTER_NO_CONFIG": "",
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # otherwise a restarted kernel warns about its own debugger
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE_HOME), os.environ.get("PYTHONPATH")])),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"),
        *(["--allow-root"] if os.geteuid() == 0 else []),
        f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    server = Server(f"http://127.0.0.1:{port}", token, folder, home / "server.log", environment)
    with server.log.open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_up(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(30)
    assert not server.complaints()


def _wait_until_up(server, process):
    end = time.monotonic() + 60
    while True:
        try:
            server.request("GET", "status")
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"JupyterLab did not start:\n{server.log.read_text()}")
            time.sleep(0.1)


@dataclass
class Witness:
    """Hears what goes wrong in a page without anyone seeing it."""

    heard: list[str] = field(default_factory=list)

    def listen(self, page):
        page.on("console", lambda message: message.type == "error" and self._note(f"console: {message.text}"))
        page.on("pageerror", lambda error: self._note(f"page: {error.stack or error}"))
        page.on("request", self._mind_the_machine)

    def forget(self, *starts):
        """Take what begins so off the list: an error that a test provokes."""
        self.heard[:] = [text for text in self.heard if not text.startswith(starts)]

    def _note(self, text):
        if not any(re.search(noise, text) for noise in CONSOLE_NOISE):
            self.heard.append(text)

    def _mind_the_machine(self, request):
        url = urlparse(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname != "127.0.0.1":
            self.heard.append(f"asks another machine: {request.url}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


@pytest.fixture(scope="session")
def spare_pages(browser):
    """Pages with JupyterLab that no test uses now. Loading takes seconds, so a page serves one test after another."""
    spare_pages = []
    yield spare_pages
    for page in spare_pages:
        page.context.close()


@pytest.fixture(scope="session")
def next_kernel(server):
    """A function that names a new notebook and gives it a kernel. That of the next test starts while a test runs."""
    under_way = []

    def begin():
        name = f"{secrets.token_hex(4)}.ipynb"
        start = Thread(target=server.start_kernel, args=[name])
        start.start()
        under_way.append((name, start))

    def next_kernel():
        begin()
        name, start = under_way.pop(0)
        start.join()
        return name

    begin()
    yield next_kernel
    for name, start in under_way:
        start.join()
        server.stop_kernel(name)


@pytest.fixture(scope="session")
def error_log():
    """Hears every page, also between tests: the next one answers for it."""
    return Witness()


@pytest.fixture
def no_hidden_errors(server, error_log):
    """What went wrong out of sight; nothing may be left of it at the end."""
    yield error_log
    heard, error_log.heard = error_log.heard, []
    complaints = server.complaints()
    assert not heard
    if complaints:
        pytest.fail(f"JupyterLab logged an error:\n{complaints}")


@pytest.fixture
def kernels(server, no_hidden_errors):
    """The notebooks whose kernels are stopped at the end of a test, when its pages are closed."""
    notebooks = []
    yield notebooks
    for notebook in notebooks:
        server.stop_kernel(notebook)


@pytest.fixture
def pages(kernels, request, tmp_path, capsys):
    """The pages of a test, which are closed after it; of one that failed, the picture is kept."""
    pages = []
    yield pages
    for number, page in enumerate(pages):
        if getattr(request.node, "failed", False):
            picture = tmp_path / f"failed_{number}.png"
            page.screenshot(path=picture)
            with capsys.disabled():
                sys.stdout.write(f"\nThe page when the test failed: {picture}\n")
        page.context.close()


@pytest.fixture
def new_page(browser, pages, no_hidden_errors):
    """A function that opens an empty page; it takes the options of a Playwright context."""

    def new_page(**options):
        page = browser.new_context(viewport=WINDOW, **options).new_page()
        pages.append(page)
        no_hidden_errors.listen(page)
        return page

    return new_page


@pytest.fixture
def open_notebook(server, spare_pages, next_kernel, kernels, pages, new_page, no_hidden_errors, request):
    """A function that opens a notebook in a JupyterLab of the given size, perhaps on the kernel of the first."""
    opened = []

    def page_with_jupyterlab():
        if spare_pages:
            pages.append(spare_pages.pop())
            return pages[-1]
        page = new_page()
        page.goto(f"{server.url}/lab/workspaces/{secrets.token_hex(4)}?token={server.token}", wait_until="commit")
        return page

    def open_notebook(notebook, window=WINDOW, trusted=False, has_kernel=True, same_kernel=False):
        name = next_kernel()
        kernels.append(name)
        path = server.folder / name
        nbformat.write(notebook, path)
        if trusted:
            server.trust(path)
        if not has_kernel:
            server.stop_kernel(name)
        if same_kernel:
            server.share_kernel(kernels[0], name)
        lab = LabPage(page_with_jupyterlab())
        lab.page.set_viewport_size(window)
        opened.append(lab)
        lab.open(name, has_kernel)
        return lab

    yield open_notebook
    for lab in opened:
        no_hidden_errors.heard += lab.kernel_errors()
        if not getattr(request.node, "failed", False) and lab.close_all():
            pages.remove(lab.page)
            spare_pages.append(lab.page)


@pytest.fixture
def notebook(open_notebook):
    """A function that opens a notebook and runs it, and returns its first lab.

    It takes the source of code cells, or the path of a notebook; and the size of the window.
    """

    def notebook(*cells, path=None, run=True, **options):
        if path is None:
            made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells or (ONE_CELL,)])
            made.metadata.kernelspec = KERNEL
        else:
            made = nbformat.read(path, as_version=4)
        lab = open_notebook(made, **options)
        if run:
            lab.run_all()
        return lab

    return notebook


@pytest.fixture
def lab(notebook):
    """The lab as `StepThrough()` shows it."""
    return notebook()
