"""The theme: text can be read on its paper, and the page has the colours of the pictures."""

import re
from pathlib import Path

import pytest
from common import contrast

from backprop_lab.ui.page import step_view
from backprop_lab.ui.theme import DARK, LIGHT, PHASES, RESULT, custom_properties


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_the_paper_and_each_phase_has_a_colour_of_its_own(example, theme):
    assert {*PHASES} == {step.phase for step in example.steps}
    colours = {theme.phase(phase) for phase in PHASES}
    assert len(colours) == 4
    assert contrast(theme.ink, theme.paper) >= 7
    assert min(contrast(colour, theme.paper) for colour in (theme.faint, *colours)) >= 4.5
    assert min(contrast("#ffffff", LIGHT.phase(phase)) for phase in PHASES) >= 4.5, "white letters on a phase's colour"


def test_the_page_has_its_phases_from_the_theme_and_from_nowhere_else():
    light, dark = (dict(re.findall(r"--bpl-([\w-]+): (#\w+);", rule)) for rule in custom_properties().splitlines())
    inks = {f"{phase}-ink": LIGHT.phase(phase) for phase in PHASES}
    assert light == {phase: LIGHT.phase(phase) for phase in PHASES} | inks | {"result": RESULT}
    assert dark == {f"{phase}-ink": DARK.phase(phase) for phase in PHASES}
    css = Path(step_view.__file__).with_name("labs.css").read_text(encoding="utf-8")
    used = re.findall(r"var\(--bpl-([\w-]+)\)", css)
    assert {name for name in used if name.partition("-")[0] in (*PHASES, "result")} == light.keys()
    assert not {*light.values(), *dark.values()} & {*re.findall(r"#\w{6}\b", css)}, "written once, in theme.py"
    assert step_view.StepView()._css == custom_properties() + css
