"""Pictures to keep: they open, their text is text, and they show what the lab shows."""

import io
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from common import covers, pixels, view_of
from PIL import Image, ImageSequence

from backprop_lab import Adam, GradientDescent, Momentum, program, random_problem
from backprop_lab.reading.slopes import slopes_of, value_of
from backprop_lab.step.number_format import format_number
from backprop_lab.ui import StepThrough
from backprop_lab.ui.board.poster import poster
from backprop_lab.ui.steps.pictures import board_of, head, picture
from backprop_lab.ui.steps.stepper import Stepper


def texts(svg):
    assert b"<image" not in svg  # vectors alone
    nodes = [*ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    return Counter("".join(node.itertext()) for node in nodes)


@pytest.mark.parametrize("step", [None, "dW1", "b2_new"])
def test_an_svg_has_as_text_all_that_is_shown_and_no_more(step):
    lab = StepThrough(step=step)
    place, found = lab.stepper.place, texts(picture(lab.stepper, "svg"))
    shown = [name for name in (*place.trace, *slopes_of(place.trace)) if place.shows(name)]
    numbers = Counter(format_number(v) for name in shown for v in value_of(place.trace, name).ravel().tolist())
    numbers += Counter(["−5", "0", "5", "−50", "0", "50", *["0", "52.2"] * place.shows("L")])  # on the scales
    assert found >= numbers
    assert {*found - numbers} >= {"X", "W1", "dY1", "W2_new", "H1 > 0", view_of(lab).state["card"]["title"]}
    assert {*found} >= {"values, linear to 0.2", "gradients, linear to 50"}
    assert not [text for text in found - numbers if text.lstrip("−").replace(".", "").isdigit()]
    assert not step or found[view_of(lab).state["card"]["code"]] == 1


def test_a_picture_says_what_is_chosen_asked_for_and_wrong():
    lab = StepThrough(step="dW1")
    lab.stepper.choose(("dW1", 1, 0))
    assert [text for text in texts(picture(lab.stepper, "svg")) if text.startswith("dW1[1,0] = X[0,1]")]
    lab = StepThrough(step="dy_pred", mistake="sign-flipped")
    card, found = view_of(lab).state["card"], texts(picture(lab.stepper, "svg"))
    assert {card["code"], card["right"], view_of(lab).state["remarks"][0]["text"]} <= {*found}
    lab = StepThrough(step="L")
    lab.stepper.predict(True)
    lab.stepper.next()
    asked, found = view_of(lab).state["question"], texts(picture(lab.stepper, "svg"))
    assert {asked["title"], asked["text"]} <= {*found}
    assert not [text for text in found if "agree" in text]  # that would tell


@pytest.mark.parametrize("optimizer", [GradientDescent(), Momentum(), Adam()])
def test_the_words_above_a_narrow_board_lie_beside_or_below_each_other(optimizer):
    numbers = program("L = (w * x - y)**2", {"w": 1.5}, {"x": 2.0, "y": 1.0}, optimizer=optimizer)
    for problem in (numbers, random_problem(0, 1, 1, [1], 1, optimizer=optimizer)):
        stepper = Stepper(problem)
        stepper.go(iteration=1)
        for step in stepper.place.trace.steps:
            stepper.next()
            board = board_of(stepper.place, stepper.losses)
            figure = poster(board, head(stepper.place, stepper.losses, board))
            above = [text for text in board.axes.texts if text.get_position()[1] < 0 and text.get_text()]
            boxes = np.array([text.get_window_extent().extents for text in above]) / figure.dpi * 100
            assert (boxes[:, [0, 2]] > 0).all(), step.name
            assert (boxes[:, [0, 2]] < board.width).all(), step.name
            assert np.array_equal(covers(boxes, boxes, by=3), np.eye(len(boxes))), step.name


def test_the_mark_at_a_new_colour_scale_is_explained_above_it():
    stepper = Stepper(start="diverging", step="dW1")
    while not stepper.place.renewed:
        stepper.next_iteration()
    found = texts(picture(stepper, "svg"))
    assert found["▶"] == len(stepper.place.renewed)
    assert [text for text in found if text.startswith("▶ New colour scale for")]
    stepper.restart()
    assert not [text for text in texts(picture(stepper, "svg")) if "▶" in text]


def test_a_png_is_as_fine_as_asked_and_a_pdf_brings_its_fonts(tmp_path):
    lab = StepThrough(step="dW1")
    lab.save(tmp_path / "three.PNG", scale=np.int64(3))
    assert pixels((tmp_path / "three.PNG").read_bytes()).shape[1] == 3000
    assert picture(lab.stepper, "pdf").count(b"/FontFile2") >= 2  # with their letters known, so text can be searched


@pytest.mark.parametrize(("start", "wide"), [("worked example", 1000), ("iris", 2000)])
def test_a_file_is_as_wide_as_it_takes_to_hold_every_number_in_a_large_lab_too(start, wide, tmp_path):
    lab = StepThrough(start=start)
    lab.go(lab.trace.steps[-1].name)
    lab.save(tmp_path / "one.png")
    StepThrough(start=start, step=lab.step, large=True).save(tmp_path / "large.png")
    assert (tmp_path / "large.png").read_bytes() == (tmp_path / "one.png").read_bytes()
    assert pixels(picture(lab.stepper, "png", scale=1)).shape[1] == wide
    found = texts(picture(lab.stepper, "svg"))
    numbers = sum(times for text, times in found.items() if re.fullmatch(r"−?[\d.]+(e−?\d+)?", text))
    assert numbers >= sum(np.size(value) for value in lab.trace.values()), "each has its number"


def frames_of(gif):
    return [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.all_frames(Image.open(io.BytesIO(gif)))]


def test_a_gif_walks_through_all_steps_as_that_of_the_readme_does():
    kept, stepper = (Path(__file__).parents[1] / "docs/pages/_static/walk.gif").read_bytes(), Stepper()
    old, new = frames_of(kept), frames_of(picture(stepper, "gif"))
    assert len(old) == len({frame.tobytes() for frame in new}) == len(stepper.place.trace.steps)
    for one, other in zip(old, new, strict=True):  # another matplotlib may draw an edge otherwise
        assert np.abs(one - other).mean() < 0.3, "`make picture` draws another one now"
