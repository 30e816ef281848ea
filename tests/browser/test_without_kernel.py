"""Without a kernel, the picture of the board takes the place of the lab."""

from copy import deepcopy

import pytest
from lab_page import ONE_CELL, new_notebook
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import expect

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def executed(environment):
    """A notebook that `nbconvert --execute` or the like has run."""
    notebook = new_notebook(ONE_CELL)
    NotebookClient(notebook, kernel_name="python3").execute(env=environment)
    return notebook


def assert_all_that_is_shown_is_the_board(page):
    expect(page.locator(".jp-OutputArea-output")).to_have_count(1)
    image = page.locator(".jp-OutputArea-output img")
    assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 1000
    assert image.bounding_box()["width"] > 500


def test_the_html_of_nbconvert_shows_the_picture(executed, new_context, tmp_path):
    (tmp_path / "notebook.html").write_text(HTMLExporter().from_notebook_node(executed)[0])
    page = new_context(offline=True).new_page()
    page.goto((tmp_path / "notebook.html").as_uri())
    assert_all_that_is_shown_is_the_board(page)


def test_a_saved_notebook_that_nobody_has_trusted_shows_the_picture(executed, notebook):
    (saved := deepcopy(executed)).metadata.pop("widgets")
    saved.cells[0].outputs[0].data[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": "gone"}
    assert_all_that_is_shown_is_the_board(notebook(made=saved, run=False).page)
