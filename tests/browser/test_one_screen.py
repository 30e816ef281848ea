"""The lab in one glance: at each step, on common screens, all of it is seen at once, and nothing moves."""

import re

import pytest
from lab_page import LAID_OUT, check_that_all_is_seen
from playwright.sync_api import expect

from backprop_lab.course.quiz import LESSONS
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS

LAPTOP, PROJECTOR, MONITOR, TABLET, PHONE = (1366, 768), (1280, 720), (1920, 1080), (820, 1180), (390, 844)
SEEN = [
    ("StepThrough()", LAPTOP, TABLET),
    ("StepThrough(questions='tour')", LAPTOP),
    ("StepThrough(large=True)", PROJECTOR),
    ("MistakeLab()", LAPTOP),
    ("StepThrough(start='rnn')", LAPTOP, TABLET),  # whose loss has many terms
]
IN_RELEASES = [("StepThrough()", MONITOR), ("MistakeLab(large=True)", PROJECTOR)]
IN_RELEASES += [(f"StepThrough(start={name!r})", LAPTOP, TABLET) for name in EXAMPLE_PROGRAMS if name != "rnn"]
IN_RELEASES += [(f"StepThrough(start={name!r}, large=True)", PROJECTOR) for name in EXAMPLE_PROGRAMS]
IN_RELEASES += [("StepThrough(start='transformer block')", PROJECTOR)]  # where its lines could not be read
SEEN += [pytest.param(seen, marks=pytest.mark.release) for seen in IN_RELEASES]
FITS = "all => all.every(e => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().right < 352)"  # beside a bar
WHOLE = "all => all.every(({ parentElement: e, offsetWidth }) => offsetWidth >= 60 && e.scrollWidth <= e.clientWidth)"


@pytest.mark.parametrize("seen", SEEN, ids=str)
def test_at_each_step_all_is_seen_at_once_and_nothing_moves(notebook, seen):
    call, *screens = seen
    lab = notebook(f"from backprop_lab.ui import MistakeLab, StepThrough\n\n{call}", run=False)
    if "large" in call:
        lab.command("application:toggle-left-area")
    lab.run_all()
    for width, height in screens:
        lab.page.set_viewport_size({"width": width, "height": height})
        start = re.search("start='(.+?)'", call)
        check_that_all_is_seen(lab, EXAMPLE_PROGRAMS[start[1]]() if start else None)
    if "Mistake" in call:
        if "large" in call:  # readable from the back row
            sizes = "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"
            assert (
                min(lab.page.locator(".bpl-mistake :is(p, summary, code, th, td, caption)").evaluate_all(sizes)) >= 15.8
            )
        room = lab.board.bounding_box()
        lab.page.locator(".bpl-mistake summary").click()  # what lies open lies above it, and takes no room
        lab.page.evaluate(LAID_OUT)
        assert lab.board.bounding_box() == room
    if LAPTOP in screens:
        lab.command("application:toggle-left-area")
        lab.wait_until(lambda: lab.root.locator(".bpl-settings .widget-slider").evaluate_all(WHOLE))
        lab.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})  # on a phone one scrolls, but not aside
        lab.wait_until(lambda: lab.root.locator("input, .bpl-where, .widget-box").evaluate_all(FITS))


# Of each number such as 1e-06 in some words: whether it stands in one line, however narrow the words are.
UNBROKEN = r"""words => {
  const texts = document.createTreeWalker(words, NodeFilter.SHOW_TEXT), numbers = [];
  while (texts.nextNode()) {
    for (const found of texts.currentNode.data.matchAll(/\d+e-\d+/g)) {
      const number = numbers[numbers.push(document.createRange()) - 1];
      number.setStart(texts.currentNode, found.index);
      number.setEnd(texts.currentNode, found.index + found[0].length);
    }
  }
  const whole = [];
  for (let width = 60; width < 400; width += 7) {
    words.style.width = `${width}px`;
    whole.push(...numbers.map(number => number.getClientRects().length === 1));
  }
  words.style.width = "";
  return whole;
}"""


@pytest.mark.parametrize(
    ("lesson", "large", "screens"),
    [
        ("tour", False, [LAPTOP, PROJECTOR]),
        pytest.param("tour", False, [LAPTOP, TABLET, PHONE], marks=pytest.mark.release),
        pytest.param("tour", True, [PROJECTOR, LAPTOP, MONITOR], marks=pytest.mark.release),
        pytest.param("training", False, [LAPTOP, PROJECTOR], marks=pytest.mark.release),
    ],
)
def test_a_question_of_a_tour_is_seen_whole_and_so_is_what_is_said_to_an_answer(notebook, lesson, large, screens):
    options = f"questions={lesson!r}, large={large}"
    lab = notebook(f"from backprop_lab.ui import StepThrough\n\nStepThrough({options})", run=False)
    if large or PHONE in screens:  # without the list of files
        lab.command("application:toggle-left-area")
    lab.run_all()
    tour = lab.root.locator(".bpl-tour")

    def check():
        for width, height in screens:
            lab.page.set_viewport_size({"width": width, "height": height})
            lab.page.evaluate(LAID_OUT)
            lab.wait_until(lambda: tour.evaluate("e => e.clientHeight > 50 && e.scrollHeight <= e.clientHeight + 1"))

    unbroken = list[bool]()
    for _ in LESSONS[lesson]:
        check()
        unbroken += tour.locator("p").evaluate(UNBROKEN)
        if (field := tour.locator("input")).count():
            field.fill("77")
            field.press("Enter")
        else:
            tour.locator(".bpl-signs button").first.click()
        check()
        if lab.button("Show me").count():
            lab.press("Show me")
            check()
        lab.press("Next question")
    expect(tour).to_contain_text("That was the last question")
    assert all(unbroken)
    assert bool(unbroken) == (lesson == "tour")
