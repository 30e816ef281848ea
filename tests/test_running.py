"""Which cell was run by hand: its number, and the pause before it."""

from types import SimpleNamespace

from backprop_lab.ui.running import PAUSE, Cells, nobody_is_there


def shell(cells):
    """What hears of cells, which begin and end by calling its hooks."""
    hooks = {}
    return SimpleNamespace(
        user_ns={"In": [""] * (cells + 1)}, events=SimpleNamespace(register=hooks.__setitem__)
    ), hooks


def test_a_cell_in_which_the_labs_are_imported_came_alone_if_it_is_the_first_of_a_notebook():
    assert [Cells(shell(cells)[0]).came_alone for cells in (1, 2, 7)] == [True, False, False]
    assert not Cells(None).came_alone


def test_a_later_cell_came_alone_if_there_was_a_pause_before_it():
    (notebook, hooks), now = shell(2), 100.0
    watch = Cells(notebook, lambda: now)
    for number, (pause, alone) in enumerate([(9.0, True), (PAUSE / 9, False), (2 * PAUSE, True)], start=1):
        now += pause
        hooks["pre_run_cell"](None)
        assert (watch.begun, watch.came_alone) == (number, alone)
        now += 5
        hooks["post_run_cell"](None)


def test_nobody_is_there_where_what_runs_a_notebook_takes_no_input_for_it(monkeypatch):
    for kernel, server, nobody in [
        ({"_allow_stdin": True}, "", False),  # as JupyterLab asks it to run a cell
        ({"_allow_stdin": False}, "", True),  # as nbconvert does
        ({"_allow_stdin": False}, "voila/0.5", False),
        ({}, "", False),  # another kernel than ipykernel
    ]:
        monkeypatch.setenv("SERVER_SOFTWARE", server)
        assert nobody_is_there(SimpleNamespace(kernel=SimpleNamespace(**kernel))) is nobody
