"""Without a kernel, the picture of the board takes the place of the lab."""

from copy import deepcopy

import pytest
from lab_page import ONE_CELL, new_notebook
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import expect

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def executed(notebooks):
    """A notebook that `nbconvert --execute` or the like has run: with the state of widgets, which asks for the web."""
    notebook = new_notebook(ONE_CELL)
    NotebookClient(notebook, kernel_name="python3").execute(env=notebooks.environment)
    assert notebook.metadata.widgets
    return notebook


@pytest.fixture(scope="module")
def saved(executed):
    """One that JupyterLab has saved: without the state of its widgets."""
    notebook = deepcopy(executed)
    del notebook.metadata["widgets"]
    notebook.cells[0].outputs[0].data[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": "gone"}
    return notebook


def assert_all_that_is_shown_is_the_board(page):
    expect(page.locator(".jp-OutputArea-output")).to_have_count(1)
    image = page.locator(".jp-OutputArea-output img")
    assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 1000
    assert image.is_visible()
    assert image.bounding_box()["width"] > 500


@pytest.mark.parametrize("made", ["executed", "saved"])
def test_the_html_of_nbconvert_shows_the_picture(made, request, new_context, no_hidden_errors, tmp_path):
    notebook = request.getfixturevalue(made)
    assert len(notebook.cells[0].outputs[0].data["image/png"]) < 100_000
    (tmp_path / "notebook.html").write_text(HTMLExporter().from_notebook_node(notebook)[0])
    page = new_context(offline=True).new_page()
    no_hidden_errors.listen(page)
    page.goto((tmp_path / "notebook.html").as_uri())
    assert_all_that_is_shown_is_the_board(page)
    expect(page.locator("body")).not_to_contain_text("Error")
    no_hidden_errors.forget("console: Failed to load resource", "asks https://")  # nbconvert's own libraries


def test_a_notebook_that_nobody_has_trusted_or_run_here_shows_the_picture(notebook, saved):
    assert_all_that_is_shown_is_the_board(notebook(made=saved, run=False).page)
