"""Build the course as a web site: `make site`.

The pages to read are made by Sphinx from docs/pages and the saved notebooks. In run/ lies JupyterLite, which is
JupyterLab without a server: in it the same notebooks run in the reader's browser, and in run/open the lab alone.

The site is self-contained: reading or running it asks no other machine for anything. Pyodide's files are fetched once,
from their usual address; with `--pyodide DIR`, a folder with them, building needs no more of the network than pip does.
"""

import argparse
import gzip
import json
import re
import shutil
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from browser_python import (
    BUILD,
    DOCS,
    KERNEL,
    LABEXTENSIONS,
    LITE,
    ROOT,
    downloaded,
    files,
    lay_out,
    run,
    third_party,
    verified,
)
from links import broken

FOR_TEACHERS = ("solutions", "teaching_notes.md")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pyodide", type=Path, metavar="DIR", help="a folder with Pyodide's files")
    parser.add_argument("--with-solutions", action="store_true", help="with the solutions and the teaching notes")
    parser.add_argument(
        "site", type=Path, nargs="?", default=BUILD / "site", help="the folder to build, build/site unless given"
    )
    given, started = parser.parse_args(), time.monotonic()
    site = given.site.resolve()
    if site.is_dir() and any(site.iterdir()) and not (site / "run" / "jupyter-lite.json").is_file():
        sys.exit(
            f"{site} holds something else than a site, and building one there would delete it. Name another folder."
        )
    pyodide = verified(given.pyodide) if given.pyodide else downloaded()
    packages = third_party(pyodide)
    print("Building the site.", flush=True)
    for folder in (MADE, SOURCE, RECORDED):
        shutil.rmtree(folder, ignore_errors=True)
    gather_sources(given.with_solutions)
    with ThreadPoolExecutor() as beside:  # recording takes as long as the rest
        recording = beside.submit(run, sys.executable, "-m", "docs.record_starts", RECORDED)
        make_pages(MADE)
        make_lite(MADE / "run", packages)
        recording.result()
    shutil.move(RECORDED, MADE / "run" / "recorded")
    change_pages(MADE / "run")
    lay_out(MADE / "run" / "python", pyodide, packages)
    shutil.rmtree(SOURCE)
    if wrong := broken(MADE):
        sys.exit("\n".join(["The site has links that lead nowhere:", *wrong]))
    shutil.rmtree(site, ignore_errors=True)  # only now: a build that fails leaves the last site as it was
    shutil.move(MADE, site)
    report(site, time.monotonic() - started)


# What the site is made from, side by side, as pages refer to notebooks

SOURCE = BUILD / "source-of-site"  # JupyterLite overlooks a source whose path begins with that of the site
MADE = BUILD / "site-made"
RECORDED = BUILD / "site-recorded"
TOCTREE = "\n```{{toctree}}\n:glob:\n\n{}\n```\n"
PAGES, COURSE = SOURCE / "pages", SOURCE / "pages" / "course"


def gather_sources(with_solutions: bool) -> None:
    shutil.copytree(DOCS / "pages", PAGES)
    left_out = shutil.ignore_patterns(".*", *(() if with_solutions else FOR_TEACHERS))
    shutil.copytree(ROOT / "notebooks", COURSE, ignore=left_out)
    for notebook in COURSE.rglob("*.ipynb"):  # JupyterLite puts commas between the lines of a list
        notebook.write_text(json.dumps(nbformat.read(notebook, 4)))
    if with_solutions:
        notes, teachers = COURSE / "teaching_notes.md", PAGES / "teachers.md"
        notes.write_text(notes.read_text().replace("](solutions/)", "](solutions/index.md)"))
        (COURSE / "solutions" / "index.md").write_text(f"# Solutions\n\n{TOCTREE.format('[0-9]*')}")
        teachers.write_text(teachers.read_text() + TOCTREE.format("course/teaching_notes\ncourse/solutions/[gis]*"))


def make_pages(site: Path) -> None:
    """The pages to read, in which a warning of Sphinx is an error."""
    made = BUILD / "site-doctrees"
    shutil.rmtree(made, ignore_errors=True)
    strictly = ("--fail-on-warning", "--keep-going", "--quiet", "--doctree-dir", made)
    run(sys.executable, "-m", "sphinx", "--builder=html", *strictly, PAGES, site)
    shutil.rmtree(made)
    for left in (site / ".buildinfo", site / "objects.inv"):
        left.unlink()
    for page in site.rglob("*.html"):  # a table that is wider than a phone is scrolled, by keyboard too
        text = page.read_text()
        page.write_text(text.replace('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'))


# Where they run


def make_lite(site: Path, packages: Path) -> None:
    for name in ("jupyter-lite.json", "overrides.json"):
        shutil.copy(LITE / name, SOURCE)
    build = {
        "apps": ["lab", "repl"],
        "contents": [str(COURSE)],
        "federated_extensions": [
            str(KERNEL),
            str(LABEXTENSIONS / "@jupyter-widgets" / "jupyterlab-manager"),
            str(packages / "anywidget"),
        ],
        "ignore_sys_prefix": ["federated_extensions"],  # those three are all
        "no_sourcemaps": True,
        "no_unused_shared_packages": True,
        "output_dir": str(site),
    }
    (SOURCE / "jupyter_lite_config.json").write_text(json.dumps({"LiteBuildConfig": build}))
    run(sys.executable, "-m", "jupyterlite_core", "build", cwd=SOURCE)
    (site / "repl").rename(site / "open")


def change_pages(site: Path) -> None:
    """Let the pages tell what a learner waits for and fit a phone, and make the lab alone of the console."""
    copied = "loading_notice fields narrow address open recorded early_python"
    for name in (*(f"{each}.js" for each in copied.split()), "open.css"):
        shutil.copy(LITE / name, site)
    replace(
        site / "recorded.js",
        '"STARTS"',
        json.dumps([path.stem for path in sorted((site / "recorded" / "wide-light").iterdir())]),
    )
    replace(site / "index.html", "await import('./config-utils.js')", 'location.replace("../index.html")')
    lab, alone = site / "lab" / "index.html", site / "open" / "index.html"
    for page in (lab, alone):
        early = '<link rel="icon" href="../lab/favicon.ico"><script src="../early_python.js"></script>'
        replace(page, "</head>", f"{early}</head>")
        replace(
            page, "</body>", '<script src="../loading_notice.js"></script><script src="../fields.js"></script></body>'
        )
    replace(lab, "</body>", '<script src="../narrow.js"></script><script src="../address.js"></script></body>')
    scripts = "".join(f'<script src="../{name}.js"></script>' for name in ("recorded", "open"))
    first = f'<link rel="stylesheet" href="../open.css">{scripts}'
    replace(alone, 'rel="preload"', 'rel="prefetch"')  # the recording comes first
    replace(alone, "await import(", "await window.recorded; await import(")
    replace(alone, "<title>REPLite</title>", f"<title>The lab of backprop_lab</title>{first}")

    # The lab alone keeps nothing: so it is apart from what a learner keeps in the notebooks, and it works in a frame on
    # another site, where browsers refuse to keep anything.
    own = alone.parent / "jupyter-lite.json"
    settings, memory = json.loads(own.read_text()), ["memoryStorageDriver"]
    settings["jupyter-config-data"] |= {"contentsStorageDrivers": memory, "settingsStorageDrivers": memory}
    settings["jupyter-config-data"]["enableMemoryStorage"] = True
    own.write_text(json.dumps(settings))


def replace(page: Path, old: str, new: str) -> None:
    before, after = page.read_text().split(old)
    page.write_text(before + new + after)


def report(site: Path, seconds: float) -> None:
    """How long it took, how large it is, and what a first visit fetches of it."""
    all_files, run = files(site), site / "run"
    size = sum(path.stat().st_size for path in all_files)
    front = (site / "index.html").read_text()
    loaded = {site / name for name in re.findall(r'<(?:img|script|link)[^>]* (?:src|href)="([^"?#:]+)', front)}
    first_step = {
        *run.glob("*.js"),
        run / "open" / "index.html",
        run / "recorded" / "wide-light" / "worked example.html",
    }
    page = compressed(({site / "index.html", *loaded} & set(all_files)) | first_step)
    python, others = compressed(files(run / "python")), compressed(files(run / "build") + files(run / "extensions"))
    print(f"{site} holds {len(all_files)} files, {size / 1e6:.1f} MB, and was built in {seconds:.0f} s.")
    walks = [path.stat().st_size / 1e6 for path in all_files if "-lab-" in path.name]
    print(
        f"{len(walks)} labs step on the pages to read, of {max(walks):.1f} MB at most, fetched when one gets to them."
    )
    print(
        f"A first visit fetches {page:.2f} MB, compressed, for its first step; to run, {python:.1f} MB of Python too,"
    )
    print(f"and what it uses of {others:.1f} MB of JupyterLite. To see the site, serve it:")
    print(f"  python3 -m http.server --directory {site}")


def compressed(paths: Iterable[Path]) -> float:
    """The megabytes that they have on their way from a web host."""
    return sum(len(gzip.compress(path.read_bytes(), 6)) for path in paths) / 1e6


if __name__ == "__main__":
    main()
