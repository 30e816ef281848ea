"""The arithmetic of the view on the page, in the test runner of the node that Playwright brings."""

import subprocess
from pathlib import Path

import pytest


def test_the_page_finds_the_cell_under_the_pointer_frames_what_it_is_made_of_and_chooses_its_layout():
    driver = pytest.importorskip(
        "playwright._impl._driver", reason="NO PLAYWRIGHT, SO step_view.js IS NOT TESTED ALONE."
    )
    node, _ = driver.compute_driver_executable()
    tests = Path(__file__).with_name("step_view.test.mjs")
    run = subprocess.run([node, "--test", tests], capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "pass 8" in run.stdout
