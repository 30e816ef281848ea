"""The theme: text can be read on its paper, and the page has the colours of the pictures."""

import re
from pathlib import Path

import pytest
from colours import contrast

from backprop_lab import trace, worked_example
from backprop_lab.ui.page import step_view
from backprop_lab.ui.theme import DARK, LIGHT, PHASES, RESULT, custom_properties


def test_the_four_phases_have_four_colours():
    assert set(PHASES) == {step.phase for step in trace(worked_example()).steps}
    for theme in (LIGHT, DARK):
        assert len({theme.phase(phase) for phase in PHASES}) == 4


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_stands_out_from_the_paper(theme):
    assert contrast(theme.ink, theme.paper) >= 7
    assert contrast(theme.faint, theme.paper) >= 4.5
    for phase in PHASES:
        assert contrast(theme.phase(phase), theme.paper) >= 4.5, phase


@pytest.mark.parametrize("phase", PHASES)
def test_white_letters_can_be_read_on_the_colour_of_a_phase(phase):
    assert contrast("#ffffff", LIGHT.phase(phase)) >= 4.5


def test_the_page_has_its_phases_from_the_theme_and_from_nowhere_else():
    light, dark = (dict(re.findall(r"--bpl-([\w-]+): (#\w+);", rule)) for rule in custom_properties().splitlines())
    inks = {f"{phase}-ink" for phase in PHASES}
    assert light.keys() == {*PHASES, *inks, "result"}
    assert light["result"] == RESULT
    assert dark == {f"{phase}-ink": DARK.phase(phase) for phase in PHASES}
    for phase in PHASES:
        assert light[phase] == light[f"{phase}-ink"] == LIGHT.phase(phase)
    css = Path(step_view.__file__).with_name("labs.css").read_text(encoding="utf-8")
    used = re.findall(r"var\(--bpl-([\w-]+)\)", css)
    assert {name for name in used if name.partition("-")[0] in (*PHASES, "result")} == light.keys()
    taken = {*light.values(), *dark.values()} & set(re.findall(r"#\w{6}\b", css))
    assert not taken, "written once, in theme.py"


def test_what_the_view_brings_to_the_page_is_both():
    css = step_view.StepView()._css
    assert css.startswith(custom_properties())
    assert ".bpl-timeline" in css
