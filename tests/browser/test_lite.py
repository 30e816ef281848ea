"""The course as a web site without a server: `make lite`, opened in a Chromium that can reach no other machine.

The variable PYODIDE_DIST names a folder with Pyodide's files; `make lite` leaves one in build/pyodide.
"""

import fcntl
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import nbformat
import pytest
from lab_page import READY, RUN_ALL, LabPage
from launch import FLAGS, WINDOW
from playwright.sync_api import expect
from witness import Witness

ROOT = Path(__file__).parents[2]
PYODIDE = os.environ.get("PYODIDE_DIST")
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
WAIT = 120_000  # milliseconds
MOST_MB = 29  # that a visit may fetch, compressed
MISSED = {"lab/lab.png"}  # JupyterLab asks for a picture first where the page is, then where the notebook is

pytestmark = pytest.mark.skipif(
    not PYODIDE, reason="NO PYODIDE, SO THE SITE OF `make lite` IS NOT TESTED. Name a folder with it in PYODIDE_DIST."
)

CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
COMPLETE = """async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  return (await kernel.requestComplete({ code, cursor_pos: code.length })).content.matches;
}"""


def build(folder, *options):
    hidden = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYODIDE_DIST")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    command = ["make", "lite", f"PYTHON={sys.executable}", f"SITE={folder}", *options]
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "lite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # builds share what they compile, and tests in two processes may both build
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


class Handler(SimpleHTTPRequestHandler):
    """Serves as any web host would, and notes which files were asked for."""

    protocol_version = "HTTP/1.1"

    def send_head(self):
        path = Path(self.translate_path(self.path))
        self.server.asked.append(path / "index.html" if path.is_dir() else path)
        return super().send_head()

    def end_headers(self):
        self.send_header("Cache-Control", "max-age=600")  # as GitHub Pages does
        super().end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as site:
        site.daemon_threads, site.asked = True, []
        site.folder, site.url = folder, f"http://127.0.0.1:{site.server_port}"
        Thread(target=site.serve_forever, daemon=True).start()
        yield site
        site.shutdown()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with served(build(tmp_path_factory.mktemp("lite") / "site", f"PYODIDE_DIST={Path(PYODIDE).resolve()}")) as site:
        yield site
        assert {path.relative_to(site.folder).as_posix() for path in site.asked if not path.is_file()} <= MISSED


@pytest.fixture(scope="module")
def reader(browser_type, browser_type_launch_args, tmp_path_factory):
    """A browser as one reader has it, who comes back: what it has fetched, it keeps."""
    options = browser_type_launch_args | {"args": [*FLAGS, OFFLINE], "viewport": WINDOW}
    with browser_type.launch_persistent_context(tmp_path_factory.mktemp("profile"), **options) as context:
        context.set_default_timeout(WAIT)
        yield context


@pytest.fixture
def visit(reader, site):
    """A function that opens a notebook of the site in a new page. Nothing may go wrong out of sight."""
    witness, labs = Witness(), []

    def visit(notebook, where=site, expected=(), start=True):
        lab = LabPage(reader.new_page())
        labs.append((lab, expected))
        witness.listen(lab.page)
        lab.page.goto(f"{where.url}/lab/index.html?path={notebook}", wait_until="commit")
        if start:
            lab.page.evaluate(READY)
        return lab

    yield visit
    witness.forget("console: Failed to load resource: the server responded with a status of 404")  # see `site`
    for lab, expected in labs:
        witness.heard += lab.kernel_errors()
        lab.page.close()
        witness.forget(*expected)
    assert not witness.heard


def first_move(lab):
    """Run the notebook of a page that is still loading, and move a slider once it is there."""
    notice = lab.page.locator("#loading-notice")
    expect(notice).to_have_attribute("data-state", "loading")
    lab.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    lab.page.evaluate(READY)
    lab.page.evaluate(f"() => void {RUN_ALL}")
    expect(notice).to_have_attribute("data-state", "ready", timeout=WAIT)
    lab.image.wait_for()
    lab.after_a_new_picture(lambda: lab.seed_slider.press("ArrowRight"))
    expect(lab.field("seed")).to_have_value("1")


def test_a_first_and_a_second_visit_end_with_a_board_that_follows_its_slider_and_plays(visit, site):
    for which in ("first", "second"):
        before, start = len(site.asked), time.monotonic()
        lab = visit("02_step_through.ipynb", start=False)
        first_move(lab)
        seconds = time.monotonic() - start
        size = sum(len(gzip.compress(path.read_bytes())) for path in site.asked[before:] if path.is_file()) / 1e6
        print(f"{which}: slider moved after {seconds:.1f} s; {size:.1f} MB, compressed")  # noqa: T201
        assert size < MOST_MB
    lab.button("Play").click()
    expect(lab.iteration).to_have_text("iteration 1", timeout=WAIT)


def test_a_page_whose_python_cannot_start_says_so(visit, reader):
    reader.route("**/packages.tar.gz", lambda route: route.abort())
    errors = ["console: Failed to load resource: net::ERR_FAILED", "page: TypeError: Failed to fetch"]
    notice = visit("00_start_here.ipynb", expected=errors, start=False).page.locator("#loading-notice")
    expect(notice).to_have_attribute("data-state", "failed", timeout=WAIT)
    expect(notice).to_contain_text("Python did not start")
    reader.unroute("**/packages.tar.gz")


@pytest.mark.release
def test_names_are_completed_and_a_link_to_another_notebook_opens_it(visit):
    page = visit("00_start_here.ipynb").page
    assert "worked_example" in page.evaluate(COMPLETE, "from backprop_lab import worked_ex")
    assert "removeprefix" in page.evaluate(COMPLETE, '"".removepre')
    page.get_by_role("link", name="01_worked_example").first.click()
    page.locator(".lm-TabBar-tab.lm-mod-current", has_text="01_worked_example.ipynb").wait_for()


def printed(cell):
    """What a code cell has printed or shown as text."""
    outputs = cell.get("outputs", [])
    said = ["".join(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in outputs]
    return "".join(text for text in said if not re.match(r"<?Figure|<IPython|\w+\(.*children=", text))


@pytest.mark.release
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_to_its_end_and_prints_what_was_saved(name, visit, site):
    page = visit(name).page
    page.evaluate(RUN_ALL)
    saved = nbformat.read(site.folder / "files" / name, as_version=4).cells
    for cell, before in zip(page.evaluate(CELLS), saved, strict=True):
        assert "error" not in {output["output_type"] for output in cell.get("outputs", [])}, cell["source"]
        assert printed(cell) == printed(before), cell["source"]


@pytest.mark.release
def test_the_published_form_takes_only_the_interpreter_from_elsewhere(visit, reader, tmp_path):
    kept = ROOT / "build" / "pyodide"  # where a build leaves what it has fetched
    if not kept.exists() or not kept.samefile(PYODIDE):
        shutil.copytree(PYODIDE, kept, dirs_exist_ok=True)
    with served(build(tmp_path / "site")) as published:
        settings = json.loads(Path(published.folder, "jupyter-lite.json").read_text(encoding="utf-8"))[
            "jupyter-config-data"
        ]
        (kernel,) = settings["litePluginSettings"].values()
        elsewhere, asked = kernel["loadPyodideOptions"]["indexURL"], []

        def answer(route):
            asked.append(route.request.url.removeprefix(elsewhere))
            route.fulfill(path=kept / asked[-1], headers={"Access-Control-Allow-Origin": "*"})

        reader.route(f"{elsewhere}**", answer)
        first_move(visit("02_step_through.ipynb", published, expected=[f"asks {elsewhere}"], start=False))
        reader.unroute(f"{elsewhere}**")
    assert sorted(asked) == ["pyodide-lock.json", "pyodide.asm.js", "pyodide.asm.wasm", "pyodide.js"]
