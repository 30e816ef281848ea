"""Pictures to keep: they open, their text is text, and they show what the lab shows."""

import io
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from common import pixels
from own_parts import OWN_PROBLEMS
from PIL import Image, ImageSequence

from backprop_lab.number_format import format_number
from backprop_lab.ui import StepThrough
from backprop_lab.ui.steps.pictures import picture
from backprop_lab.ui.steps.stepper import Stepper
from backprop_lab.ui.theme import LIGHT
from backprop_lab.ui.values.slopes import slopes_of, value_of

ROOT = Path(__file__).parents[1]


def texts(svg):
    assert b"<image" not in svg  # vectors alone
    nodes = [*ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert all(re.search(r"'DejaVu Sans( Mono)?', .*(sans-serif|monospace)", node.get("style")) for node in nodes)
    return Counter("".join(node.itertext()) for node in nodes)


@pytest.mark.parametrize("step", [None, "dW1", "b2_new"])
def test_an_svg_has_each_number_label_and_word_as_text_and_no_number_that_is_not_shown(step):
    lab = StepThrough(step=step)
    place, found = lab.stepper.place, texts(picture(lab.stepper, "svg"))
    shown = [name for name in (*place.trace, *slopes_of(place.trace)) if place.shows(name)]
    numbers = Counter(format_number(v) for name in shown for v in value_of(place.trace, name).ravel().tolist())
    numbers += Counter(["−10", "0", "10", "−100", "0", "100", *["0", "52.2"] * place.shows("L")])  # on the scales
    assert found >= numbers
    assert {*found - numbers} >= {"X", "W1", "dY1", "W2_new", "H1 > 0", lab._view.state["card"]["title"]}
    assert not [text for text in found - numbers if text.lstrip("−").replace(".", "").isdigit()]
    assert not step or found[lab._view.state["card"]["code"]] == 1


def test_it_says_which_cell_is_chosen_which_is_asked_for_and_which_line_is_wrong():
    lab = StepThrough(step="dW1")
    lab.stepper.choose(("dW1", 1, 0))
    assert [text for text in texts(picture(lab.stepper, "svg")) if text.startswith("dW1[1,0] = X[0,1]")]
    lab = StepThrough(step="dy_pred", mistake="sign-flipped")
    card, found = lab._view.state["card"], texts(picture(lab.stepper, "svg"))
    assert {card["code"], card["right"], lab._view.state["remarks"][0]["text"]} <= {*found}
    lab = StepThrough(step="L")
    lab.stepper.predict(True)
    lab.stepper.next()
    asked, found = lab._view.state["question"], texts(picture(lab.stepper, "svg"))
    assert {asked["title"], asked["text"]} <= {*found}
    assert not [text for text in found if "agree" in text]  # that would tell


def test_a_png_is_as_fine_as_one_says_and_framed_as_the_step_is(tmp_path):
    lab = StepThrough(step="dW1")
    lab.save(tmp_path / "two.png")
    lab.save(tmp_path / "three.PNG", scale=3)
    two, three = (pixels((tmp_path / name).read_bytes()) for name in ("two.png", "three.PNG"))
    assert (two.shape[1], three.shape[1]) == (2000, 3000)
    assert len(three) / len(two) == pytest.approx(1.5, abs=0.01)
    for wanted in ("#009e73", "#e69f00", LIGHT.backward):  # result, operand, phase
        assert (two == [*bytes.fromhex(wanted[1:])]).all(axis=-1).any()


def test_a_pdf_has_its_fonts_in_it_and_the_same_lab_is_the_same_file():
    stepper = Stepper(step="dW1")
    pdf, again = (picture(stepper, "pdf") for _ in range(2))
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/FontFile2") >= 2  # outlines with their letters known, so that text can be searched
    assert pdf == again


def frames_of(gif):
    return [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.all_frames(Image.open(io.BytesIO(gif)))]


def test_a_gif_walks_through_all_steps_with_a_bar_that_grows_to_the_end_and_so_does_that_of_the_readme():
    kept, stepper = (ROOT / "docs/pages/_static/walk.gif").read_bytes(), Stepper()
    assert "(docs/pages/_static/walk.gif)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(kept) < 200_000, "it loads at once"
    old, new = frames_of(kept), frames_of(picture(stepper, "gif"))
    assert len(old) == len(new) == len({frame.tobytes() for frame in new}) == len(stepper.place.trace.steps)
    done = [int((np.ptp(frame[-2], axis=-1) > 40).sum()) for frame in new]  # pixels that are not grey
    assert done == pytest.approx([1000 * k / len(new) for k in range(1, len(new) + 1)], abs=3)
    for one, other in zip(old, new, strict=True):  # another matplotlib may draw an edge otherwise
        assert one.shape == other.shape
        assert np.abs(one - other).mean() < 0.3, "`make picture` draws another one now"


@pytest.mark.parametrize("name", OWN_PROBLEMS)
def test_a_problem_of_ones_own_can_be_saved(name):
    stepper = Stepper(OWN_PROBLEMS[name], step="dW1")
    assert f"dW1 = {stepper.place.step.code}" in texts(picture(stepper, "svg"))


def test_a_scale_that_makes_no_picture_is_refused_with_a_sentence(tmp_path):
    for scale in (0, -1, 100, "2", True, float("nan")):
        with pytest.raises(ValueError, match="scale must be a number from"):
            StepThrough().save(tmp_path / "lab.png", scale=scale)
    assert not [*tmp_path.iterdir()]
