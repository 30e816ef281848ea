"""Which cell was run by hand: its number, and the pause before it."""

from types import SimpleNamespace

import pytest

from backprop_lab.ui.running import PAUSE, Cells, nobody_is_there


class Shell:
    """What hears of cells, and a clock that is set by hand."""

    def __init__(self, cells):
        self.user_ns = {"In": [""] * (cells + 1)}
        self.hooks, self.now = {}, 100.0
        self.events = SimpleNamespace(register=self.hooks.__setitem__)

    def run(self, pause, seconds=5.0):
        self.now += pause
        self.hooks["pre_run_cell"](None)
        self.now += seconds
        self.hooks["post_run_cell"](None)


@pytest.mark.parametrize(("cells", "alone"), [(1, True), (2, False), (7, False)])
def test_a_cell_in_which_the_labs_are_imported_came_alone_if_it_is_the_first(cells, alone):
    assert Cells(Shell(cells)).came_alone is alone


def test_a_later_cell_came_alone_if_there_was_a_pause_before_it():
    watch = Cells(shell := Shell(2), lambda: shell.now)
    for number, (pause, alone) in enumerate([(9.0, True), (PAUSE / 9, False), (2 * PAUSE, True)], start=1):
        shell.run(pause)
        assert (watch.begun, watch.came_alone) == (number, alone)


def test_outside_of_a_notebook_nothing_came_alone():
    assert not Cells(None).came_alone


@pytest.mark.parametrize(
    ("kernel", "server", "nobody"),
    [
        ({"_allow_stdin": True}, "", False),  # as JupyterLab asks it to run a cell
        ({"_allow_stdin": False}, "", True),  # as nbconvert does
        ({"_allow_stdin": False}, "voila/0.5", False),
        ({}, "", False),  # another kernel than ipykernel
    ],
)
def test_nobody_is_there_where_what_runs_a_notebook_takes_no_input_for_it(kernel, server, nobody, monkeypatch):
    monkeypatch.setenv("SERVER_SOFTWARE", server)
    assert nobody_is_there(SimpleNamespace(kernel=SimpleNamespace(**kernel))) is nobody
