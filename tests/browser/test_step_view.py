"""The arithmetic of the view on the page, in the test runner of the node that Playwright brings."""

from pathlib import Path

from lab_page import node


def test_the_page_finds_the_cell_under_the_pointer_frames_what_it_is_made_of_and_chooses_its_layout():
    assert "pass 5" in node("--test", Path(__file__).with_name("step_view.test.mjs"))
