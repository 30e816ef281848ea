"""The judge of predictions: what counts as right, which mistakes are named, and what is not an answer at all."""

from dataclasses import replace

import numpy as np
import pytest

from backprop_lab import MISTAKES, Problem, plant, random_problem, trace, worked_example
from backprop_lab.number_format import format_number
from backprop_lab.ui.steps.judging import judge
from backprop_lab.ui.values.one_cell import work_out

EXAMPLE = trace(worked_example())
GRADIENTS = [step.name for step in EXAMPLE.steps if step.phase == "backward"]
CELLS = [(name, i, j) for name in GRADIENTS for i, j in np.ndindex(EXAMPLE[name].shape)]


def value_at(cell, t=EXAMPLE):
    name, i, j = cell
    return float(t[name][i, j])


def scaled(factor):
    """The worked example with every gradient so much smaller: the loss is as flat near the end of training."""
    p = worked_example()
    last = {"W2": p.network.parameters["W2"] * factor}
    network = p.network.with_parameters(p.network.parameters | last)
    return trace(Problem(network, p.loss, p.X, network.forward(p.X) - factor, p.lr))


@pytest.mark.parametrize("cell", CELLS)
def test_the_sign_is_right_and_the_other_two_are_not(cell):
    sign = int(np.sign(value_at(cell)))
    for text, means in [("+", 1), ("-", -1), ("−", -1), ("–", -1), ("0", 0), (" + ", 1)]:
        right, verdict = judge(EXAMPLE, cell, text)
        assert right == (means == sign)
        assert verdict.startswith("Right: " if right else "Not the right sign: ")


def test_there_are_gradients_of_every_sign_to_try():
    assert {np.sign(value_at(cell)) for cell in CELLS} == {-1, 0, 1}


def test_the_negative_zero_of_a_shut_gate_is_0():
    cell = next((name, i, j) for name, i, j in CELLS if EXAMPLE[name][i, j] == 0 and np.signbit(EXAMPLE[name][i, j]))
    assert judge(EXAMPLE, cell, "0")[0]
    assert not judge(EXAMPLE, cell, "-")[0]


@pytest.mark.parametrize("cell", CELLS)
def test_the_value_is_right_to_all_digits_within_a_percent_and_as_the_board_prints_it(cell):
    value = value_at(cell)
    for text in (repr(value), f"{value:.3g}", repr(value * 1.009), repr(value * 0.991), f"  {value:.6f} "):
        assert judge(EXAMPLE, cell, text)[0], text
    assert judge(EXAMPLE, cell, format_number(value))[0]


@pytest.mark.parametrize("cell", [cell for cell in CELLS if value_at(cell)])
def test_the_value_is_wrong_two_percent_off_and_with_the_other_sign(cell):
    value = value_at(cell)
    for wrong in (value * 1.02, value * 0.98, -value, value + 1):
        assert not judge(EXAMPLE, cell, repr(wrong))[0], wrong


@pytest.mark.parametrize("size", [1e-2, 1e-3, 1e-4])
def test_a_small_value_is_judged_as_it_is_printed_and_not_as_0(size):
    """Where the board prints 3e–3, the answer 8e-3 is not near, and the other sign is not right."""
    t = scaled(size)
    for name in GRADIENTS:
        for i, j in np.ndindex(t[name].shape):
            value = value_at((name, i, j), t)
            if 0 < abs(value) < 0.004:
                for wrong in (3 * value, -value):
                    assert not judge(t, (name, i, j), repr(wrong))[0], (value, wrong)
                assert judge(t, (name, i, j), format_number(value))[0]


def test_the_verdict_works_the_cell_out():
    cell = ("dW1", 1, 2)
    worked = str(work_out(EXAMPLE, cell))
    for text in ("+", "-", "0", "17.45", "5"):
        assert worked in judge(EXAMPLE, cell, text)[1]


def test_a_wrong_value_is_told_back():
    assert judge(EXAMPLE, ("dW1", 1, 2), "5.25")[1].startswith("5.25 is not right: dW1[1,2] = ")


def test_a_mistake_is_named_where_the_number_is_what_it_gives():
    named = set()
    for seed in range(3):
        t = trace(random_problem(seed, samples=3, inputs=3, hidden=3, outputs=3, lr=0.1))
        for mistake in MISTAKES.values():
            for name in set(mistake.possible_at(t)) & set(GRADIENTS):
                wrong = mistake.wrong_value(t, name)
                for i, j in np.ndindex(t[name].shape):
                    right, verdict = judge(t, (name, i, j), repr(float(wrong[i, j])))
                    near = np.isclose(wrong[i, j], t[name][i, j], rtol=0.01, atol=0.006)
                    if not near:
                        assert not right
                        assert " looks like " in verdict
                        if mistake.resemblance(t, name) in verdict:
                            named.add(mistake.name)
    assert {"mask-forgotten", "sign-flipped", "factor-two-dropped", "transpose-forgotten", "mean-for-sum"} <= named


def test_in_a_step_with_a_mistake_what_the_board_shows_is_right():
    t = plant(EXAMPLE, next(m for m in MISTAKES.values() if m.name == "mask-forgotten"), "dY1")
    for i, j in np.ndindex(2, 4):
        assert judge(t, ("dY1", i, j), repr(float(t["dY1"][i, j])))[0]


@pytest.mark.parametrize("text", ["", " ", "x", "nan", "inf", "-inf", "1,5", "1e999", "++", "+-", "--", "0x1", "<b>"])
def test_what_is_neither_sign_nor_number_is_refused(text):
    with pytest.raises(ValueError, match="answer with") as refused:
        judge(EXAMPLE, ("dW1", 0, 0), text)
    assert refused.value.args[0] == (
        f"answer with +, - or 0 for the sign, or with a number such as -1.5; got {text.strip()!r}"
    )


@pytest.mark.parametrize("text", ["−1.5", "–1.5", "-1.5", "-15e-1"])
def test_any_kind_of_minus_is_one(text):
    t = trace(random_problem(0))
    i, j = np.argwhere(t["dW1"] < 0)[0].tolist()
    factor = -1.5 / t["dW1"][i, j]
    scaled_so = trace(replace(t.problem, y=t["y_pred"] - factor * (t["y_pred"] - t["y"])))
    assert scaled_so["dW1"][i, j] == pytest.approx(-1.5)
    assert judge(scaled_so, ("dW1", i, j), text)[0]


@pytest.mark.parametrize("text", ["+", "-", "0", "1"])
def test_once_the_numbers_have_overflowed_nothing_is_right_and_nothing_breaks(text):
    p = random_problem(0)
    with np.errstate(all="ignore"):
        t = trace(replace(p, X=p.X * np.nan))
    right, verdict = judge(t, ("dW1", 0, 0), text)
    assert not right
    assert "nan" in verdict
