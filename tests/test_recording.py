"""The walk that needs nothing says and shows at each step, and of each cell, what the live lab does."""

import base64
import json
import re

import pytest
from own_parts import OWN_PROBLEMS
from test_own_problem import DEEP, with_gelu

from backprop_lab import Tanh, random_problem
from backprop_lab.ui import StepThrough
from backprop_lab.ui.steps import recording

LABS = {
    "the original": lambda: StepThrough(),
    "mazur": lambda: StepThrough(start="mazur", iteration=1),
    "iris": lambda: StepThrough(start="iris"),
    "5 layers of tanh": lambda: StepThrough(DEEP),
    "GELU with a wrong gradient": lambda: StepThrough(with_gelu(wrong=0.01)),
}


def played(html):
    """The recording in a page."""
    return json.loads(re.search(r'<script type="application/json" id="recording">(.*?)</script>', html, re.S)[1])


@pytest.fixture
def quick(monkeypatch):
    """Pictures that are quick to draw: others look at them."""
    monkeypatch.setattr(recording, "WIDE", ((300, 150), (300, 80), 1.0))
    monkeypatch.setattr(recording, "NARROW", ((200, 100), (200, 60), 1.0))


@pytest.mark.parametrize("name", LABS)
def test_every_step_card_and_sum_of_a_walk_is_the_live_labs(name, tmp_path, quick):
    lab = LABS[name]()
    before, call = lab.stepper.place, lab.call()
    lab.save(tmp_path / "walk.html", iterations=2)
    assert (lab.stepper.place, lab.call()) == (before, call)
    walk, cells = played((tmp_path / "walk.html").read_text()), 0
    layout = json.loads(json.dumps(lab._view.layout_of_steps))
    assert [walk["layout"][part] for part in ("steps", "since", "rules")] == [
        layout[part] for part in ("steps", "since", "rules")
    ]
    kept = ("playing", "speed", "heard", "operation", "edit", "cell", "pinned", "sum", "sources", "below")
    for recorded in walk["iterations"]:
        for index, told in enumerate(recorded["steps"]):
            lab.stepper.go_to(index)
            state = {key: value for key, value in lab._view.state.items() if key not in kept}
            assert {key: value for key, value in told["state"].items() if key not in kept} == state
            assert (told["alt"], told["note"]) == (lab._view.alt, lab._view.note)
        for matrix, rows in recorded["cells"].items():
            for i, row in enumerate(rows):
                for j, (the_sum, sources) in enumerate(row):
                    lab.stepper.choose((matrix, i, j))
                    assert (the_sum, sources) == (lab._view.state["sum"], lab._view.state["sources"])
                    cells += 1
        assert {*recorded["cells"]} == {*layout["since"]}
        lab.stepper.next_iteration()
    assert cells > 100


def test_a_walk_has_a_picture_of_every_step_in_a_wide_and_a_narrow_layout_light_and_dark(tmp_path):
    lab = StepThrough(step="dW1")
    lab.save(tmp_path / "walk.html")
    assert (tmp_path / "walk.html").stat().st_size < 3e6
    walk = played((tmp_path / "walk.html").read_text())
    assert walk["index"] == [step.name for step in lab.trace.steps].index("dW1") + 1
    pictures = [png for room in ("wide", "narrow") for step in walk["pictures"][room]["steps"][0]
                for theme in ("light", "dark") for png in step[theme]]  # fmt: skip
    assert len(pictures) == 2 * 16 * 2 * 2
    assert all(base64.b64decode(png).startswith(b"\x89PNG") for png in pictures)
    maps = [step["light"][0] for step in walk["pictures"]["wide"]["steps"][0]]
    assert len({*maps}) == 16


def test_a_walk_holds_no_address_and_cannot_be_broken_out_of(tmp_path, quick):
    lab = StepThrough(OWN_PROBLEMS[next(iter(OWN_PROBLEMS))])
    lab.save(tmp_path / "walk.html")
    html = (tmp_path / "walk.html").read_text()
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)|@import|url\(", html)
    assert {*re.findall(r"https?://[\w./]+", html)} == {"http://www.w3.org/2000/svg"}  # a name
    assert "<" not in re.search(r'id="recording">(.*?)</script>', html, re.S)[1]


def test_what_cannot_be_saved_is_refused_with_a_sentence(tmp_path):
    lab = StepThrough()
    with pytest.raises(ValueError, match=r"saved as .*\.html.*; got '.*walk\.docx'"):
        lab.save(tmp_path / "walk.docx")
    with pytest.raises(ValueError, match="iterations"):
        lab.save(tmp_path / "walk.html", iterations=0)
    wide = random_problem(1, samples=64, hidden=128, activation=Tanh())
    with pytest.raises(ValueError, match="sum of every cell"):
        StepThrough(wide).save(tmp_path / "walk.html")
    assert not [*tmp_path.iterdir()]
