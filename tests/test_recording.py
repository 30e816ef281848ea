"""The walk that needs nothing says and shows at each step, and of each cell, what the live lab does."""

import base64
import io
import json
import re

import numpy as np
import pytest
from common import view_of
from own_parts import Steep, own_problem
from PIL import Image

from backprop_lab import Tanh, random_problem
from backprop_lab.ui import StepThrough
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.steps import recording

LABS = {
    "the original": lambda: StepThrough(),
    "iris": lambda: StepThrough(start="iris"),
    "a wrong gradient": lambda: StepThrough(own_problem(Steep())),
}


def saved(lab, path, **options):
    """A walk as HTML, and the recording in it."""
    lab.save(path, **options)
    html = path.read_text()
    recorded = re.search(r'<script type="application/json" id="recording">(.*?)</script>', html, re.S)[1]
    assert "<" not in recorded, "nothing breaks out of it"
    return html, json.loads(recorded)


@pytest.mark.parametrize("name", LABS)
def test_every_step_card_and_sum_of_a_walk_is_the_live_labs(name, tmp_path, monkeypatch):
    for room in ("WIDE", "NARROW"):  # pictures that are quick to draw: others look at them
        monkeypatch.setattr(recording, room, ((200, 100), (200, 60), 1.0))
    lab = LABS[name]()
    before, cells = lab.stepper.place, 0
    _, walk = saved(lab, tmp_path / "walk.html", iterations=2)
    assert lab.stepper.place == before
    layout = json.loads(json.dumps(view_of(lab).layout_of_steps))
    assert walk["layout"].items() >= {part: layout[part] for part in ("steps", "since", "rules")}.items()
    of_the_page = {"playing", "speed", "heard", "operation", "edit", "cell", "pinned"}
    of_the_page |= {"sum", "sources", "below", "tour"}
    for recorded in walk["iterations"]:
        for index, told in enumerate(recorded["steps"]):
            lab.stepper.go_to(index)
            state = view_of(lab).state
            assert all(told["state"][key] == state[key] for key in state.keys() - of_the_page)
            assert (told["alt"], told["note"]) == (view_of(lab).alt, view_of(lab).note)
        for matrix, rows in recorded["cells"].items():
            for i, row in enumerate(rows):
                for j, (the_sum, sources) in enumerate(row):
                    lab.stepper.choose((matrix, i, j))
                    assert (the_sum, sources) == (view_of(lab).state["sum"], view_of(lab).state["sources"])
                    cells += 1
        assert {*recorded["cells"]} == {*layout["since"]}
        lab.stepper.next_iteration()
    assert cells > 100


def test_a_walk_has_a_picture_of_every_step_and_holds_no_address(tmp_path):
    html, walk = saved(StepThrough(step="dW1"), tmp_path / "walk.html")
    assert len(html) < 1.5e6
    for room in ("wide", "narrow"):
        pictures = walk["pictures"][room]
        boards = [board for theme in ("light", "dark") for board in pictures["boards"][0][theme]]
        operations = [step[theme] for step in pictures["steps"][0] for theme in ("light", "dark")]
        assert len({*boards}) == len(boards) == 4
        assert len({*operations}) == len(operations) == 32
        for size, drawn in ((pictures["map"], boards), (pictures["operation"], operations)):
            for picture in (Image.open(io.BytesIO(base64.b64decode(each))) for each in drawn):
                assert picture.width / size[0] == picture.height / size[1] == (1.5 if room == "wide" else 2)
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)|@import|url\(", html)
    assert not re.findall(r"https?://[\w./]+", html)


def test_a_picture_of_a_walk_has_each_pixel_of_the_board(tmp_path):
    lab = StepThrough(iteration=1)
    _, walk = saved(lab, tmp_path / "walk.html")
    (width, height), ratio = walk["pictures"]["narrow"]["map"], 2
    board = Board(lab.stepper.place.trace, width, height, ratio, scales=lab.stepper.place.scales)
    board.draw(lab.stepper.place.trace, 0, lab.stepper.losses)
    packed = base64.b64decode(walk["pictures"]["narrow"]["boards"][0]["light"][0])
    here, there = (np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in (board.png(), packed))
    assert np.array_equal(here, there)


def test_what_cannot_be_saved_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"saved as .*\.html.*; got '.*walk\.docx'"):
        StepThrough().save(tmp_path / "walk.docx")
    wide = random_problem(1, samples=64, hidden=128, activation=Tanh())
    with pytest.raises(ValueError, match="sum of every cell"):
        StepThrough(wide).save(tmp_path / "walk.html")
    assert not [*tmp_path.iterdir()]
