"""Which cell was run by hand: its number, and the pause before it; and what a lab does then, or if nobody is there."""

from types import SimpleNamespace
from unittest import mock

from common import kept, tell, view_of

from backprop_lab.ui import LearningRateLab, MistakeLab, StepThrough, running
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


def test_a_lab_whose_cell_came_alone_comes_into_view_once_it_is_shown_unless_another_cell_has_begun(monkeypatch):
    for lab in (StepThrough(), MistakeLab(), LearningRateLab(seeds=1, steps=50)):
        view = view_of(lab)
        for alone, others, comes in [(True, 0, True), (True, 1, False), (False, 0, False)]:
            monkeypatch.setattr(running.CELLS, "came_alone", alone)
            assert kept(lab)["image/png"]
            running.CELLS.begun += others
            with mock.patch.object(view, "send") as sent:
                for name in "ab":
                    tell(lab, "shown", {"view": name, "frame": 1})
            assert sent.call_args_list == [mock.call({"do": "come", "view": "a"})] * comes


def test_nobody_is_there_where_what_runs_a_notebook_takes_no_input_for_it_which_then_keeps_no_widget(monkeypatch):
    for takes_input, server, nobody in [(True, "", False), (False, "", True), (False, "voila/0.5", False)]:
        monkeypatch.setenv("SERVER_SOFTWARE", server)
        shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=takes_input))
        monkeypatch.setattr(running, "get_ipython", mock.Mock(return_value=shell))
        assert [nobody_is_there(shell), "widget-view" not in "".join(kept(StepThrough()))] == [nobody, nobody]
