"""Layers and losses of one's own are shown as ours are: board, sums, script, proof, card and training."""

import io
from contextlib import redirect_stdout

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS
from problems import identical

from backprop_lab import trace
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.remarks import proof
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.stepper import LabState
from backprop_lab.ui.steps.training import Training
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import slopes_of

TRACES = {name: trace(problem) for name, problem in OWN_PROBLEMS.items()}
every_trace = pytest.mark.parametrize("t", TRACES.values(), ids=TRACES.keys())


@every_trace
def test_the_script_computes_every_value_to_the_last_bit(t):
    values = {}
    with redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        exec(numpy_script(t), values)
    for name in t:
        assert identical(np.asarray(values[name]), np.asarray(t[name])), name


@every_trace
def test_every_value_has_a_box_on_the_board_and_every_step_is_drawn(t):
    board = Board(t, width=900)
    assert {*board.layout.boxes} == {*t, *slopes_of(t)}
    for index in range(len(t.steps) + 1):
        board.draw(t, index, [1.0])
        assert board.png().startswith(b"\x89PNG")


@every_trace
def test_every_cell_of_every_value_is_worked_out_to_its_value(t):
    for name in t:
        for i, j in np.ndindex(np.atleast_2d(t[name]).shape):
            worked = work_out(t, (name, i, j))
            assert worked.value
            assert all(np.atleast_2d(t[source]).shape > (k, m) for source, k, m in worked.sources)


@every_trace
def test_a_slope_is_shown_only_where_it_is_what_the_gradient_is_multiplied_by(t):
    for name, slope in slopes_of(t).items():
        output = name.removeprefix("slope of ")
        np.testing.assert_allclose(t[f"d{output}"] * slope.value, t[slope.shown_with], rtol=1e-9)


@every_trace
def test_every_gradient_is_proved_and_has_a_card_and_an_alt_text(t):
    for index, step in enumerate(t.steps, start=1):
        state = LabState(Setup(), t, index=index)
        assert f"{step.name} = " in words.card(state)
        assert step.name in words.alt_text(state)
        if step.phase == "backward":
            assert proof(t, step)[0], (step.name, proof(t, step))


@pytest.mark.parametrize("problem", OWN_PROBLEMS.values(), ids=OWN_PROBLEMS.keys())
def test_training_goes_on_and_back_to_the_same_bits(problem):
    training = Training(problem)
    losses = [training.trace(k)["L"] for k in range(6)]
    assert [training.trace(k)["L"] for k in reversed(range(6))] == losses[::-1]
    assert losses[-1] < losses[0]
