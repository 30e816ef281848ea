"""The web site of `make site`, in a Chromium that can reach no other machine; PYODIDE_DIST names Pyodide's files."""

import fcntl
import gzip
import json
import os
import re
import subprocess
import sys
import time
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from statistics import median
from threading import Thread
from urllib.parse import urlencode

import nbformat
import pytest
from lab_page import READY, RUN_ALL, LabPage, check_that_all_is_seen, hear, violations
from launch import FLAGS, WINDOW
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
PYODIDE = os.environ.get("PYODIDE_DIST", "")
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
WAIT = 120_000  # milliseconds
MOST_MB = 29  # that a visit may fetch, compressed
MOST_MB_TO_A_STEP = 0.6  # likewise, on the front page
TEXT = {".css", ".html", ".ipynb", ".js", ".json", ".svg"}  # what a web host compresses
TEN_MBIT = {"offline": False, "latency": 100, "downloadThroughput": 1.25e6, "uploadThroughput": 1.25e6}
MISSED = {"run/lab/lab.png"}  # JupyterLab asks for a picture first where the page is, then where the notebook is
UNTESTED = "NO PYODIDE, SO THE WEB SITE IS NOT TESTED. Name a folder with it in PYODIDE_DIST."
pytestmark = pytest.mark.skipif(not PYODIDE, reason=UNTESTED)

CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
A_NEW_CONSOLE = """async () => {
  const console = await window.jupyterapp.commands.execute("console:create", { kernelPreference: { name: "python" } });
  await console.sessionContext.ready;
  await console.sessionContext.session.kernel.requestExecute({ code: "" }).done;
}"""


def build(folder, *options):
    """Build a site, unless another process of this run of the tests has."""
    hidden = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYODIDE_DIST"}
    environment = {name: os.environ[name] for name in os.environ.keys() - hidden}
    options = (f"PYTHON={sys.executable}", f"SITE={folder}", f"PYODIDE_DIST={Path(PYODIDE).resolve()}", *options)
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            made = subprocess.run(["make", "site", *options], cwd=ROOT, env=environment, capture_output=True, text=True)
            assert made.returncode == 0, made.stdout + made.stderr
    return folder


@cache
def compressed(path):
    return gzip.compress(path.read_bytes())


class Handler(SimpleHTTPRequestHandler):
    """Serves as any web host would, text compressed, and notes which files were asked for."""

    protocol_version = "HTTP/1.1"

    def send_head(self):
        path = Path(self.translate_path(self.path))
        self.server.asked.append(path := path / "index.html" if path.is_dir() else path)
        if path.suffix not in TEXT or not path.is_file():
            return super().send_head()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", len(compressed(path)))
        self.end_headers()
        return BytesIO(compressed(path))

    def end_headers(self):
        self.send_header("Cache-Control", "max-age=600")  # as GitHub Pages does
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    mine = tmp_path_factory.getbasetemp()
    folder = build((mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "site")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as site:
        site.daemon_threads, site.asked = True, []
        site.folder, site.url = folder, f"http://127.0.0.1:{site.server_port}"
        Thread(target=site.serve_forever, daemon=True).start()
        yield site
        site.shutdown()
    assert {path.relative_to(folder).as_posix() for path in site.asked if not path.is_file()} <= MISSED


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
    heard, labs = [], []

    def visit(notebook):
        labs.append(lab := LabPage(reader.new_page()))
        hear(lab.page, heard)
        lab.page.goto(f"{site.url}/run/lab/index.html?path={notebook}", wait_until="commit")
        lab.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        lab.page.evaluate(READY)
        return lab

    yield visit
    for lab in labs:
        heard += lab.kernel_errors()
        lab.page.close()
    assert not [said for said in heard if "responded with a status of 404" not in said], "and see `site`"


def megabytes(asked):
    return sum(len(compressed(path)) for path in asked if path.is_file()) / 1e6


@pytest.mark.parametrize("visits", [["first"], pytest.param(["first", "second"], marks=pytest.mark.release)])
def test_a_visit_ends_with_a_board_that_follows_its_slider_and_plays(visits, visit, site):
    for which in visits:
        before, start = len(site.asked), time.monotonic()
        lab = visit("02_step_through.ipynb")
        lab.page.evaluate(f"() => void {RUN_ALL}")
        expect(lab.page.locator("#loading-notice")).to_have_attribute("data-state", "ready", timeout=WAIT)
        lab.image.wait_for()
        lab.after_a_new_picture(lambda lab=lab: lab.seed_slider.press("ArrowRight"))
        seconds = time.monotonic() - start
        size = megabytes(site.asked[before:])
        print(f"{which}: slider moved after {seconds:.1f} s; {size:.1f} MB, compressed")  # noqa: T201
        assert size < MOST_MB
    lab.button("Play").click()
    expect(lab.iteration).to_have_text("iteration 1", timeout=WAIT)
    lab.field("seed").fill("4")
    lab.field("seed").press("Enter")
    expect(lab.call).to_contain_text("seed=4")


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
    saved = nbformat.read(site.folder / "run" / "files" / name, as_version=4).cells
    for cell, before in zip(page.evaluate(CELLS), saved, strict=True):
        assert "error" not in {output["output_type"] for output in cell.get("outputs", [])}, cell["source"]
        assert printed(cell) == printed(before), cell["source"]


MORE = ("own_forward_pass", "training", "homework", "teachers", "ways", "speed", "api", "about")
PAGES = ["index", *(f"course/{name[:-6]}" for name in NOTEBOOKS), *MORE, "search"]
SOME = ["index", "course/02_step_through", "course/03_why_these_formulas", "api", "search"]  # one of each kind
PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1366, "height": 768}


@pytest.fixture
def page(new_context, site, request):
    """A page of a browser of its own, at the size and in the theme of the test's parameters. Nothing may go wrong."""
    heard, (size, theme) = [], getattr(request, "param", (LAPTOP, "light"))
    page = new_context(base_url=site.url, color_scheme=theme).new_page()
    page.set_viewport_size(size)
    page.set_default_timeout(WAIT)
    hear(page, heard)
    yield page
    assert not heard


def test_every_page_fits_its_screen_or_paper_and_is_one_click_from_its_notebook(page):
    for name in PAGES:
        page.goto(f"/{name}.html")
        first = name.removeprefix("course/") if name.startswith("course/") else "00_start_here"
        links = ("notebook", f"/run/lab/index.html?path={first}.ipynb"), ("lab", "/run/open/index.html")
        for size, theme in ((LAPTOP, "light"), (PHONE, "dark")):
            page.set_viewport_size(size)
            page.emulate_media(media="screen", color_scheme=theme)
            assert page.evaluate("document.documentElement.scrollWidth") == size["width"], name
            for link, target in links:
                (link,) = page.locator(f".run a.run-{link}").all()
                assert link.evaluate("link => link.href").endswith(target), name
                expect(link).to_be_in_viewport(ratio=1)
            assert name not in SOME or violations(page) == [], name
        page.set_viewport_size({"width": 718, "height": 1047})  # A4 within its margins
        page.emulate_media(media="print", color_scheme="light")
        expect(page.locator(".skip-to-content, .run, footer").locator("visible=true")).to_have_count(0)
        wide = "[...document.querySelectorAll('pre')].filter(pre => pre.scrollWidth > pre.clientWidth + 1)"
        assert not page.evaluate(f"{wide}.map(pre => pre.textContent)"), name


def test_each_lab_on_the_pages_to_read_steps_and_points_without_python(page):
    asked, stepped = [], 0
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(color_scheme="null")  # or a page in a frame would not be told what is chosen around it
    for name in PAGES[1:]:  # the first one starts Python, once its recording is there
        page.goto(f"/{name}.html")
        for frame in page.locator("iframe.walk").all():
            frame.scroll_into_view_if_needed()
            lab = frame.content_frame
            lab.locator(".bpl-map img[src]").wait_for()
            lab.locator(".bpl-picture").press("Home")
            names = lab.locator(".bpl-timeline button").all_inner_texts()
            for step in names[:3]:
                lab.locator(".bpl-do-next").click()
                expect(lab.locator(".bpl-timeline [aria-current]")).to_have_text(step)
            lab.locator(".bpl-picture").press("Enter")
            expect(lab.locator(".bpl-worked")).to_contain_text(f"{names[2]}[0,0] =")
            page.evaluate("document.body.dataset.theme = 'dark'")
            expect(lab.locator("body")).to_have_attribute("data-jp-theme-light", "false")
            stepped += 1
    cells = [cell for path in (ROOT / "notebooks").glob("*.ipynb") for cell in nbformat.read(path, as_version=4).cells]
    said = [output.get("data", {}).get("text/plain", "") for cell in cells for output in cell.get("outputs", [])]
    assert stepped == sum(text.startswith(("StepThrough(", "MistakeLab(")) for text in said) > 0
    assert asked
    assert not [address for address in asked if "/run/" in address]


def test_the_search_finds_pages_and_no_solutions_are_on_the_site(page, site):
    page.goto("/index.html")
    page.locator(".sidebar-search").fill("transposed")
    page.locator(".sidebar-search").press("Enter")
    page.locator("#search-results li a", has_text="Why these formulas?").click()
    expect(page.locator("h1")).to_contain_text("Why these formulas?")
    expect(page.locator("math").first).to_be_visible()
    assert not [path for path in site.folder.rglob("*") if re.search("solutions|teaching_notes", path.name)]


@pytest.mark.release
def test_the_site_for_teachers_has_the_notes_and_the_solutions(tmp_path):
    folder = build(tmp_path / "site", "SOLUTIONS=yes")
    assert (folder / "course" / "teaching_notes.html").is_file()
    assert (folder / "run" / "files" / "solutions" / "06_your_turn.ipynb").is_file()


def test_the_lab_alone_follows_its_slider_fits_its_screen_and_opens_at_a_link(page, site):
    page.goto("/index.html")
    start, board, said = time.monotonic(), page.locator(".bpl-board img[alt^=Board]"), page.locator(".bpl-call")
    page.get_by_role("link", name="Open the lab").click()
    board.wait_for()
    before = board.get_attribute("src")
    page.locator(".bpl-lab .noUi-handle").first.press("ArrowRight")
    expect(board).not_to_have_attribute("src", before)
    assert board.bounding_box()["y"] % 1 == 0, "or frames would lie across numbers"
    print(f"the lab alone: slider moved after {time.monotonic() - start:.1f} s")  # noqa: T201
    expect(page.locator(".jp-CodeConsole-input, .jp-CodeConsole .jp-InputArea >> visible=true")).to_have_count(0)
    page.evaluate("location.hash = '#start=random&seed=3&lr=0.05&iteration=2&step=dW1'")
    expect(said).to_have_text("StepThrough(start='random', seed=3, lr=0.05, iteration=2, step='dW1')")
    page.wait_for_timeout(2000)  # in which a console would go to its end
    assert page.locator(".bpl-lab").bounding_box()["y"] >= 0
    page.evaluate("navigator.clipboard.writeText = (text) => (window.copied = text)")
    page.get_by_text("Copy link").click()
    assert page.evaluate("window.copied") == f"{site.url}/run/open/#start=random&seed=3&lr=0.05&iteration=2&step=dW1"
    page.get_by_label("Save", exact=True).select_option("pdf")
    expect(page.locator(".bpl-refused")).to_have_text("This Python cannot write a PDF; an SVG is as sharp.")
    for size in (LAPTOP, PHONE):
        page.set_viewport_size(size)
        check_that_all_is_seen(LabPage(page))
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_the_front_page_steps_at_once_and_its_sliders_wake_at_the_same_step(page):
    start = time.monotonic()
    page.goto("/index.html")
    front = page.frame_locator("iframe.front")
    recorded = front.frame_locator("#bpl-recorded")
    for step in ("Y1", "H1", "y_pred"):
        recorded.locator(".bpl-do-next").click()
        expect(recorded.locator(".bpl-timeline [aria-current]")).to_have_text(step)
        print(f"the front page: {step} after {time.monotonic() - start:.1f} s")  # noqa: T201
    front.locator("#bpl-waiting input[name=seed]").fill("7")
    early = recorded.locator(".bpl-do-next").bounding_box()
    front.locator("#bpl-recorded").wait_for(state="detached")
    assert_is_there_still(early, front.locator(".bpl-do-next").bounding_box())
    expect(front.locator("#bpl-waiting")).to_have_count(0)
    expect(front.locator(".bpl-timeline [aria-current]")).to_have_text("y_pred")
    expect(front.locator(".bpl-call")).to_have_text("StepThrough(start='random', seed=7, step='y_pred')")


FIRST_STEP_AND_SLIDER = """async (justAStep) => {
  const until = async (found) => {
    for (let it; ; await new Promise((done) => setTimeout(done, 10))) if ((it = found())) return it;
  };
  const seconds = () => performance.now() / 1000;
  const lab = () => document.querySelector("iframe.front")?.contentDocument;
  const recorded = () => lab()?.querySelector("#bpl-recorded")?.contentDocument;
  await until(() => recorded()?.querySelector(".bpl-map img[src]")?.complete);
  recorded().querySelector(".bpl-do-next").click();
  await until(() => recorded().querySelector(".bpl-timeline [aria-current]")?.textContent === "Y1");
  const step = seconds();
  if (justAStep) return [step];
  await until(() => !lab().querySelector("#bpl-recorded"));
  const board = lab().querySelector(".bpl-board img[alt^=Board]"), drawn = board.src;
  const handle = lab().querySelector(".noUi-handle"), { KeyboardEvent } = lab().defaultView;
  handle.focus();
  handle.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  await until(() => board.src !== drawn);
  return [step, seconds()];
}"""


@pytest.mark.release
def test_a_newcomer_fetches_little_until_the_front_page_steps(browser, site):
    """What is fetched has a limit; how long it takes is said, the median of visits to which nothing was kept."""
    for size in (LAPTOP, PHONE):
        for network in (None, TEN_MBIT):
            times = []
            for _ in range(5):
                with browser.new_context(viewport=size, base_url=site.url) as context:
                    page, before = context.new_page(), len(site.asked)
                    if network:
                        context.new_cdp_session(page).send("Network.emulateNetworkConditions", network)
                    page.goto("/index.html", wait_until="commit")
                    times.append(page.evaluate(FIRST_STEP_AND_SLIDER, bool(network)))
                    first = takewhile(lambda path: path.name != "jupyter-lite.json", site.asked[before:])
                    fetched = megabytes(first)
                    assert 0.1 < fetched < MOST_MB_TO_A_STEP
            step, *slider = (median(each) for each in zip(*times, strict=True))
            where = f"{size['width']} wide" + (", 10 Mbit/s and 100 ms" if network else "")
            moved = "".join(f"; a slider has moved after {each:.1f} s" for each in slider)
            print(f"{where}: a step answers after {step:.2f} s and {fetched:.2f} MB{moved}")  # noqa: T201


def assert_is_there_still(early, late):
    assert all(abs(early[side] - late[side]) <= 4 for side in ("x", "y")), (early, late)


@pytest.mark.release
@pytest.mark.parametrize("size", [PHONE, {"width": 360, "height": 740}, {"width": 820, "height": 1180}, WINDOW])
def test_nothing_moves_when_python_comes(browser, site, size):
    touch = {"has_touch": size != WINDOW, "is_mobile": size != WINDOW}
    with browser.new_context(viewport=size, base_url=site.url, **touch) as context:
        for address in ("/index.html", "/run/open/index.html"):
            page = context.new_page()
            page.goto(address)
            lab = page.frame_locator("iframe.front") if "open" not in address else page
            recorded = lab.frame_locator("#bpl-recorded")
            recorded.locator(".bpl-map img[src]").wait_for()
            early = [recorded.locator(part).bounding_box() for part in (".bpl-do-next", ".bpl-map", ".bpl-operation")]
            lab.locator("#bpl-recorded").wait_for(state="detached", timeout=WAIT)
            late = [lab.locator(part).first.bounding_box() for part in (".bpl-do-next", ".bpl-map", ".bpl-operation")]
            for before, after in zip(early, late, strict=True):
                assert_is_there_still(before, after)
            page.close()


def test_without_python_the_recording_goes_on_and_says_what_is_missing(page):
    page.context.route("**/*.tar.gz", lambda route: route.fulfill(status=503))
    page.goto("/run/open/index.html#start=lstm")
    recorded = page.frame_locator("#bpl-recorded")
    recorded.locator(".bpl-do-next").click()
    expect(page.locator("#loading-notice")).to_have_attribute("data-state", "failed", timeout=WAIT)
    expect(page.locator("#loading-notice")).to_contain_text("Python did not start")
    recorded.locator(".bpl-do-next").click()
    expect(recorded.locator(".bpl-timeline [aria-current]")).to_have_text("i")


@pytest.mark.release
@pytest.mark.parametrize("what", ["internetdisconnected", "connectionreset", "slow"])
def test_whatever_becomes_of_python_in_the_middle_of_a_press_no_step_is_lost(page, what):
    held = []  # what is asked for of Python, and waits
    page.context.route("**/*.tar.gz", lambda route: held.append(route))
    page.goto("/run/open/index.html#start=rnn")
    recorded = page.frame_locator("#bpl-recorded")
    here = recorded.locator(".bpl-timeline [aria-current]")
    recorded.locator(".bpl-do-next").click()
    expect(here).to_have_text("a1")
    page.locator("#bpl-waiting input[name='learning rate']").fill("0.25")
    while not held:
        page.wait_for_timeout(100)
    button = recorded.locator(".bpl-do-next").bounding_box()
    page.mouse.move(button["x"] + button["width"] / 2, button["y"] + button["height"] / 2)
    page.mouse.down()
    for each in held:
        each.continue_() if what == "slow" else each.abort(what)
    page.mouse.up()
    expect(here).to_have_text("h1")
    if what == "slow":
        page.context.unroute("**/*.tar.gz")
        page.locator("#bpl-recorded").wait_for(state="detached", timeout=WAIT)
        expect(page.locator(".bpl-timeline [aria-current]")).to_have_text("h1")
        expect(page.locator(".bpl-call")).to_have_text("StepThrough(start='rnn', lr=0.25, step='h1')")
    else:
        expect(page.locator("#loading-notice")).to_have_attribute("data-state", "failed", timeout=WAIT)
        recorded.locator(".bpl-do-next").click()
        expect(here).to_have_text("a2")


@pytest.mark.parametrize("place", ["start=random&seed=3", "start=lstm&seed=3", "X=1&y=1", "start=nothing"])
def test_no_recording_of_other_numbers_stands_in_for_a_link(page, place):
    page.goto(f"/run/open/index.html#{place}")
    page.locator("#loading-notice").wait_for()
    expect(page.locator("#bpl-recorded, #bpl-waiting")).to_have_count(0)
    expect(page.locator("#bpl-on-its-way")).to_contain_text("One training step of a neural network")
    page.locator(".bpl-board img[src], .bpl-refused").first.wait_for(timeout=WAIT)
    expect(page.locator("#bpl-on-its-way")).to_have_count(0)


def test_in_the_lab_alone_enter_counts_everywhere_and_a_seed_may_be_huge(page):
    seed, huge = 2**53 + 1, 10**30
    page.goto(f"/run/open/#start=random&seed={seed}")
    lab = LabPage(page)
    for label, number, called in (
        ("learning rate", "0.2", f"seed={seed}, lr=0.2"),
        ("seed", str(huge), f"seed={huge}, lr=0.2"),
        ("hidden units", "3", f"seed={huge}, hidden=3, lr=0.2"),
    ):
        if label == "hidden units":
            lab.button("More").press("Enter")
        page.wait_for_timeout(1000)  # the controls follow the last change a little after the call does
        lab.field(label).press("ControlOrMeta+a")
        page.keyboard.type(number)
        page.keyboard.press("Enter")
        expect(lab.call).to_have_text(f"StepThrough(start='random', {called})")
        expect(lab.field(label)).to_be_focused()
    lab.button("Next").press("Enter")
    expect(lab.call).to_contain_text("step='Y1'")


STAYS_WIDE = """() => { // for three seconds: JupyterLab shows its list of files once more, until that is folded again
  const isWide = document.querySelector(".jp-MarkdownCell")?.clientWidth > 300;
  window.wideSince = isWide ? window.wideSince ?? Date.now() : undefined;
  return Date.now() - window.wideSince > 3000;
}"""


@pytest.mark.parametrize("page", [(PHONE, "light")], indirect=True)
def test_on_a_phone_a_notebook_to_run_has_most_of_the_width(page):
    page.goto("/course/01_worked_example.html")
    page.locator("a.run-notebook").click()
    page.locator(".jp-Notebook").wait_for(state="attached")
    page.mouse.click(200, 400)  # a touch in the middle of it all
    page.wait_for_function(STAYS_WIDE)


def test_a_running_notebook_has_an_address_that_can_be_kept_and_back_leaves_it(page):
    page.goto("/course/01_worked_example.html")
    page.locator("a.run-notebook").click()
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.evaluate(READY)
    page.wait_for_url("**/run/lab/index.html?path=01_worked_example.ipynb")
    page.reload()
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.go_back()
    page.wait_for_url("**/course/01_worked_example.html")


def test_no_output_on_the_site_is_a_list_of_lines(site):
    for path in (site.folder / "run" / "files").rglob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            for output in cell.get("outputs", ()):
                assert not any(isinstance(each, list) for each in output.get("data", {}).values()), path


RUN_THIS = urlencode({"code": 'print("it " + "ran")', "execute": "1", "kernel": "python", "toolbar": "1"})


@pytest.mark.release
def test_no_page_of_the_site_runs_code_from_its_address(page, site):
    assert {path.parent.name for path in site.folder.glob("run/*/index.html")} == {"lab", "open"}
    for address in (f"?{RUN_THIS}", f"#{RUN_THIS}"):
        page.goto(f"/run/open/index.html{address}", wait_until="commit")
        page.locator(".bpl-board img[src], .bpl-refused").first.wait_for()  # it has an answer
        assert "it ran" not in page.inner_text("body")
        assert page.locator(".bpl-refused").count() == address.startswith("#")
        page.goto("about:blank")  # or another # would only be another place on the same page
    page.goto(f"/run/lab/index.html?path=01_worked_example.ipynb&{RUN_THIS}#{RUN_THIS}", wait_until="commit")
    page.evaluate(READY)
    page.evaluate(A_NEW_CONSOLE)
    assert "it ran" not in page.inner_text("body")


@pytest.mark.release
def test_the_lab_alone_works_in_a_frame_of_another_site(browser_type, browser_type_launch_args, site, tmp_path):
    (tmp_path / "Default").mkdir()
    kept = {"profile": {"block_third_party_cookies": True, "cookie_controls_mode": 1}}
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(kept))
    options = browser_type_launch_args | {"args": [*FLAGS, f"{OFFLINE} , EXCLUDE localhost"]}
    with browser_type.launch_persistent_context(tmp_path, **options) as context:
        page = context.new_page()
        page.goto(f"{site.url}/about.html".replace("127.0.0.1", "localhost"))
        page.set_content(f'<iframe src="{site.url}/run/open/#step=dW1" width="900" height="700"></iframe>')
        frame = page.frame_locator("iframe")
        frame.locator(".bpl-board img[alt^=Board]").wait_for(timeout=WAIT)
        frame.get_by_role("button", name="Next", exact=True).click()
        expect(frame.locator(".bpl-call")).to_have_text("StepThrough(step='db1')")
