"""Layers and losses of one's own are shown as ours are: board, sums, script, card and training."""

import io
from contextlib import redirect_stdout

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS
from problems import identical

from backprop_lab import trace
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.stepper import LabState
from backprop_lab.ui.steps.training import Remembered, Training
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import slopes_of, value_of

pytestmark = pytest.mark.parametrize("own", OWN_PROBLEMS)


def test_every_step_is_drawn_and_has_a_card_and_an_alt_text_and_the_script_computes_it_to_the_last_bit(own):
    t, values = trace(OWN_PROBLEMS[own]), {}
    with redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        exec(numpy_script(t), values)
    assert [name for name in t if not identical(np.asarray(values[name]), np.asarray(t[name]))] == []
    board = Board(t, width=900)
    assert {*board.layout.boxes} == {*t, *slopes_of(t)}
    for index, step in enumerate(t.steps, start=1):
        board.draw(t, index, [1.0])
        state = LabState(Setup(), Remembered(t), index=index)
        assert f"{step.name} = " in words.card(state)["code"]
        assert step.name in words.alt_text(state)


def test_every_cell_is_worked_out_a_slope_is_what_the_gradient_is_multiplied_by_and_training_goes_on_and_back(own):
    training = Training(OWN_PROBLEMS[own])
    t = training.trace(0)
    for name in t:
        for i, j in np.ndindex(value_of(t, name).shape):
            worked = work_out(t, (name, i, j))
            assert worked.value
            assert all((k, m) in np.ndindex(value_of(t, source).shape) for source, k, m in worked.sources)
    for name, slope in slopes_of(t).items():
        gradient = t[f"d{name.removeprefix('slope of ')}"]
        np.testing.assert_allclose(gradient * slope.value, t[slope.shown_with], rtol=1e-9)
    losses = [training.trace(k)["L"] for k in range(6)]
    assert [training.trace(k)["L"] for k in reversed(range(6))] == losses[::-1]
    assert losses[-1] < losses[0]
