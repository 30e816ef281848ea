"""The lab in one glance: at each step, on common screens, all of it is seen at once, and nothing moves."""

import pytest
from lab_page import check_that_all_is_seen

LAPTOP, PROJECTOR, MONITOR, TABLET = (1366, 768), (1280, 720), (1920, 1080), (820, 1180)
SCREENS = {"StepThrough()": [LAPTOP, MONITOR, TABLET], "StepThrough(large=True)": [PROJECTOR], "MistakeLab()": [LAPTOP]}


@pytest.mark.parametrize("call", SCREENS)
def test_all_is_seen_at_once_at_each_step_with_a_cell_chosen_and_nothing_moves(notebook, call):
    lab = notebook(f"from backprop_lab.ui import MistakeLab, StepThrough\n\n{call}", run=False)
    if "large" in call:
        lab.command("application:toggle-left-area")
    lab.run_all()
    for width, height in SCREENS[call]:
        lab.page.set_viewport_size({"width": width, "height": height})
        check_that_all_is_seen(lab)
