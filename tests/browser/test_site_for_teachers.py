"""The web site for teachers, `make site SOLUTIONS=yes`: every solution runs in the browser, as `test_site` has it."""

from pathlib import Path

import nbformat
import pytest
from lab_page import RUN_ALL
from test_site import CELLS, PYODIDE, ROOT, build, printed, pytestmark, reader, served, visit  # noqa: F401

SOLUTIONS = sorted(f"solutions/{path.name}" for path in (ROOT / "notebooks" / "solutions").glob("*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    with served(build(folder, f"PYODIDE_DIST={Path(PYODIDE).resolve()}", "SOLUTIONS=yes")) as site:
        yield site


@pytest.mark.release
@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_solution_runs_to_its_end_and_prints_what_was_saved(name, visit, site):  # noqa: F811
    page = visit(name).page
    page.evaluate(RUN_ALL)
    saved = nbformat.read(site.folder / "run" / "files" / name, as_version=4).cells
    for cell, before in zip(page.evaluate(CELLS), saved, strict=True):
        assert "error" not in {output["output_type"] for output in cell.get("outputs", [])}, cell["source"]
        assert printed(cell) == printed(before), cell["source"]
