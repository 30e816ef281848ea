"""What a lab leaves in a notebook that is run with nobody there."""

from types import SimpleNamespace
from unittest import mock

from common import kept

from backprop_lab.ui import StepThrough, running
from backprop_lab.ui.running import nobody_is_there


def test_where_nobody_is_there_a_notebook_keeps_no_widget(monkeypatch):
    for takes_input, server, nobody in [(True, "", False), (False, "", True), (False, "voila/0.5", False)]:
        monkeypatch.setenv("SERVER_SOFTWARE", server)
        shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=takes_input))
        monkeypatch.setattr(running, "get_ipython", mock.Mock(return_value=shell))
        assert [nobody_is_there(shell), "widget-view" not in "".join(kept(StepThrough()))] == [nobody, nobody]
