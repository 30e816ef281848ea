"""Without a kernel, the picture of the board takes the place of the lab."""

import base64
import io
import re

import nbformat
import pytest
from lab_page import KERNEL, ONE_CELL, new_notebook
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from PIL import Image
from playwright.sync_api import expect

SHOWN = ".jp-OutputArea-output"


@pytest.fixture(scope="module")
def executed(notebooks):
    """A notebook that was run from top to bottom and saved, as JupyterLab saves it: without the state of widgets."""
    notebook = new_notebook(ONE_CELL)
    NotebookClient(notebook, kernel_name="python3", store_widget_state=False).execute(env=notebooks.environment)
    return notebook


def is_whole(image):
    """Whether an image is on the page at its own size or smaller, loaded, and as wide as a board."""
    expect(image).to_be_visible()
    assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 1000
    return image.bounding_box()["width"] > 500


def test_an_executed_notebook_holds_the_board_as_a_picture_beside_the_widget(executed):
    (output,) = executed.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in output.data
    with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as picture:
        assert picture.width == 1000
        assert len(picture.convert("RGB").getcolors(10_000)) > 20  # numbers, arrows and heatmaps, not an empty sheet
    assert len(output.data["image/png"]) < 100_000


def test_the_html_of_nbconvert_shows_the_picture(executed, new_context, no_hidden_errors, tmp_path):
    (tmp_path / "notebook.html").write_text(HTMLExporter().from_notebook_node(executed)[0])
    page = new_context(offline=True).new_page()
    no_hidden_errors.listen(page)
    page.goto((tmp_path / "notebook.html").as_uri())
    assert is_whole(page.locator(f"{SHOWN} img"))
    expect(page.locator("body")).not_to_contain_text("Error")
    no_hidden_errors.forget("console: Failed to load resource", "asks another machine")  # nbconvert's own libraries


@pytest.mark.parametrize("kernel", [KERNEL, {"name": "gone", "display_name": "Gone", "language": "none"}])
def test_an_untrusted_notebook_and_one_whose_kernel_is_not_there_show_the_picture(open_notebook, executed, kernel):
    there = kernel is KERNEL
    page = open_notebook(nbformat.from_dict(executed | {"metadata": {"kernelspec": kernel}}), has_kernel=there).page
    if not there:
        expect(page.get_by_role("dialog")).to_contain_text("Select Kernel")
    assert is_whole(page.locator(f"{SHOWN} img"))
    expect(page.locator(SHOWN)).to_have_count(1)


def test_in_a_trusted_notebook_opened_again_the_lab_is_back_once_its_cell_is_run(
    open_notebook, executed, notebooks, no_hidden_errors
):
    """Until then ipywidgets, which takes the output before the picture's renderer does, says that it has no model.

    JupyterLab saves models only where its setting 'Save Widget State Automatically' is on.
    """
    notary = NotebookNotary(data_dir=notebooks.environment["JUPYTER_DATA_DIR"])
    notary.sign(executed)  # as JupyterLab does when it saves what was run in it
    notary.store.close()
    lab = open_notebook(executed)
    expect(lab.page.locator(SHOWN)).to_have_text(re.compile("model not found"))
    no_hidden_errors.forget("console: Error: widget model not found")
    lab.run_all()
    assert lab.picture()
    expect(lab.page.locator("body")).not_to_contain_text("model not found")
