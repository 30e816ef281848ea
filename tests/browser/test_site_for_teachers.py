"""The web site for teachers, `make site SOLUTIONS=yes`: it has the notes, and every solution runs in the browser."""

from pathlib import Path

import pytest
from test_site import PYODIDE, ROOT, build, reader, runs_as_saved, served, visit  # noqa: F401

SOLUTIONS = sorted(f"solutions/{path.name}" for path in (ROOT / "notebooks" / "solutions").glob("*.ipynb"))

pytestmark = [pytest.mark.release, pytest.mark.skipif(not PYODIDE, reason="NO PYODIDE, as test_site says")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    with served(build(folder, f"PYODIDE_DIST={Path(PYODIDE).resolve()}", "SOLUTIONS=yes")) as site:
        yield site


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_solution_runs_to_its_end_and_prints_what_was_saved(name, visit, site):  # noqa: F811
    runs_as_saved(name, visit, site)


def test_the_notes_are_a_page_of_it(site):
    assert (site.folder / "course" / "teaching_notes.html").is_file()
