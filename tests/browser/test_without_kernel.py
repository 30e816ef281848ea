"""Without a kernel, the picture of the board takes the place of the lab."""

import base64
import io
import re

import nbformat
import pytest
from conftest import KERNEL, ONE_CELL, PACKAGE_HOME
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image
from playwright.sync_api import expect

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def executed():
    """A notebook that was run from top to bottom and saved, as JupyterLab saves it: without the state of widgets."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ONE_CELL)])
    notebook.metadata.kernelspec = KERNEL
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PACKAGE_HOME))
        NotebookClient(notebook, kernel_name="python3", store_widget_state=False).execute()
    return notebook


@pytest.fixture
def reopen(open_notebook, executed):
    """A function that opens the executed notebook in JupyterLab and runs nothing; it returns the output of the cell."""

    def reopen(kernel=KERNEL, **options):
        notebook = nbformat.from_dict(executed)
        notebook.metadata = {"kernelspec": kernel}
        return open_notebook(notebook, **options).page.locator(".jp-OutputArea-output")

    return reopen


def is_whole(image):
    """Whether an image is on the page at its own size or smaller, loaded, and as wide as a board."""
    expect(image).to_be_visible()
    assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 1000
    return image.bounding_box()["width"] > 500


def test_an_executed_notebook_holds_the_board_as_a_picture_beside_the_widget(executed):
    (output,) = executed.cells[0].outputs
    assert VIEW in output.data
    with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as picture:
        assert picture.width == 1000
        assert len(picture.convert("RGB").getcolors(10_000)) > 20  # numbers, arrows and heatmaps, not an empty sheet
    assert len(output.data["image/png"]) < 100_000


def test_the_html_of_nbconvert_shows_the_picture(executed, new_page, no_hidden_errors, tmp_path):
    page_file = tmp_path / "notebook.html"
    page_file.write_text(HTMLExporter().from_notebook_node(executed)[0])
    page = new_page(offline=True)
    page.goto(page_file.as_uri())
    image = page.locator(".jp-OutputArea-output img")
    assert is_whole(image)
    expect(page.locator("body")).not_to_contain_text("Error")
    no_hidden_errors.forget(
        "console: Failed to load resource", "asks another machine"
    )  # nbconvert's own MathJax and RequireJS


def test_an_untrusted_notebook_shows_the_picture(reopen):
    output = reopen()
    assert is_whole(output.locator("img"))
    expect(output).to_have_count(1)


def test_a_notebook_whose_kernel_is_not_there_shows_the_picture(reopen):
    output = reopen({"name": "gone", "display_name": "Gone", "language": "none"}, has_kernel=False)
    expect(output.page.get_by_role("dialog")).to_contain_text("Select Kernel")
    assert is_whole(output.locator("img"))
    expect(output).to_have_count(1)


def test_in_a_trusted_notebook_opened_again_the_lab_is_back_once_its_cell_is_run(
    open_notebook, executed, no_hidden_errors
):
    """Until then ipywidgets, which takes the output before the picture's renderer does, says that it has no model.

    JupyterLab saves models only where its setting 'Save Widget State Automatically' is on.
    """
    lab = open_notebook(nbformat.from_dict(executed | {"metadata": {"kernelspec": KERNEL}}), trusted=True)
    expect(lab.page.locator(".jp-OutputArea-output")).to_have_text(re.compile("model not found"))
    no_hidden_errors.forget("console: Error: widget model not found")
    lab.run_all()
    assert lab.picture()
    expect(lab.page.locator("body")).not_to_contain_text("model not found")
