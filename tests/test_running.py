"""Which cell was run by hand: its number, and the pause before it."""

from types import SimpleNamespace

from backprop_lab.ui.running import PAUSE, Cells, nobody_is_there


def test_a_cell_came_alone_if_it_is_the_first_of_a_notebook_or_after_a_pause():
    now, hooks = 100.0, {}
    events = SimpleNamespace(register=hooks.__setitem__)
    shells = [SimpleNamespace(user_ns={"In": [""] * count}, events=events) for count in (2, 3)]
    assert [Cells(shell).came_alone for shell in (*shells, None)] == [True, False, False]
    watch = Cells(shells[0], lambda: now)
    for pause, alone in [(PAUSE / 9, False), (2 * PAUSE, True)]:
        hooks["post_run_cell"](None)
        now += pause
        hooks["pre_run_cell"](None)
        assert watch.came_alone is alone


def test_nobody_is_there_where_what_runs_a_notebook_takes_no_input_for_it(monkeypatch):
    for takes_input, server, nobody in [(True, "", False), (False, "", True), (False, "voila/0.5", False)]:
        monkeypatch.setenv("SERVER_SOFTWARE", server)
        assert nobody_is_there(SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=takes_input))) is nobody
