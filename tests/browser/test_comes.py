"""A lab whose cell was run alone comes into view; where all cells were run, one further up moves nothing."""

import pytest
from lab_page import ONE_CELL

SLOW = ONE_CELL.replace("StepThrough()", "lab = StepThrough()\nprint('made')\n__import__('time').sleep(3)\nlab")
TALL = "'''\n" + 30 * "a line\n" + "'''"
TOP = """lab => lab.getBoundingClientRect().top - lab.closest(".jp-WindowedPanel-outer").getBoundingClientRect().top"""
LISTEN = """window.came = 0;
var scrollIntoView = Element.prototype.scrollIntoView;
Element.prototype.scrollIntoView = function (...how) {
  window.came += this.matches(".bpl-lab");
  return scrollIntoView.apply(this, how);
};
window.came"""

pytestmark = pytest.mark.release  # they wait for seconds on end


def opened(notebook, *cells):
    lab = notebook(*cells, TALL, run=False, new=True)
    lab.page.evaluate(LISTEN)
    return lab


def run_by_hand(lab, number):
    lab.settle()
    lab.page.wait_for_timeout(500)
    lab.select_cell(number)
    lab.page.keyboard.press("Shift+Enter")


def came(lab):
    """How often the lab moved the page, once all is shown and nothing moves any more."""
    lab.wait_for_picture()
    lab.page.wait_for_timeout(700)
    return lab.page.evaluate("window.came")


def test_a_lab_whose_cell_alone_was_run_by_hand_comes_into_view(notebook):
    lab = opened(notebook, "import backprop_lab.ui", SLOW)
    for cell in (0, 1):
        run_by_hand(lab, cell)
    assert (came(lab), abs(lab.root.evaluate(TOP)) <= 1) == (1, True)


def test_when_all_cells_were_run_a_lab_above_the_last_two_does_not_move_the_page(notebook):
    lab = opened(notebook, ONE_CELL, TALL)
    lab.run_all()
    lab.root.scroll_into_view_if_needed()
    assert came(lab) == 0


def test_when_the_learner_has_scrolled_while_the_cell_ran_the_page_stays(notebook):
    lab = opened(notebook, SLOW)
    run_by_hand(lab, 0)
    lab.page.locator(".jp-OutputArea-output", has_text="made").wait_for()
    lab.page.wait_for_timeout(1000)
    lab.page.mouse.move(600, 500)
    lab.page.mouse.wheel(0, 20)
    assert came(lab) == 0
