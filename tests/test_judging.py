"""The judge of predictions: what counts as right, which mistakes are named, and what is not an answer at all."""

import numpy as np
import pytest
from common import gradients_of, trained, with_mistake, with_numbers

from backprop_lab import MISTAKES, random_problem, trace
from backprop_lab.number_format import format_number
from backprop_lab.ui.steps.judging import judge
from backprop_lab.ui.values.one_cell import work_out


def cells(t):
    """Every cell of every gradient, with its value."""
    return [((name, i, j), float(value)) for name in gradients_of(t) for (i, j), value in np.ndenumerate(t[name])]


def test_the_sign_is_right_and_the_other_two_are_not(example):
    for cell, value in cells(example):
        for text, means in [("+", 1), ("-", -1), ("−", -1), ("–", -1), ("0", 0), (" + ", 1), ("Plus", 1)]:
            right = means == np.sign(value)
            verdict = f"{'Right' if right else 'Not the right sign'}: {work_out(example, cell)}."
            assert judge(example, cell, text) == (right, verdict)
    assert {np.sign(value) for _, value in cells(example)} == {-1, 0, 1}
    assert any(value == 0 and np.signbit(value) for _, value in cells(example)), "the -0.0 of a shut gate is 0 too"


@pytest.mark.parametrize("mistake", [None, MISTAKES["mask-forgotten"]], ids=["right", "as planted"])
def test_the_value_on_the_board_is_right_to_all_digits_within_a_percent_and_as_printed_and_no_other(mistake, example):
    t = with_mistake(example, mistake)
    for cell, value in cells(t):
        for text in (repr(value), f"{value:.3g}", repr(value * 1.009), f"  {value * 0.991} ", format_number(value)):
            assert judge(t, cell, text)[0], text
        for wrong in (value * 1.02, value * 0.98, -value, value + 1):
            assert judge(t, cell, repr(wrong))[0] == (wrong == value == 0)
    assert judge(t, ("dW1", 0, 0), f"{t['dW1'][0, 0]:.2f}".replace(".", ","))[0], "as it is written in other countries"
    worked = work_out(t, ("dW1", 1, 2))
    assert judge(t, ("dW1", 1, 2), "5.25") == (False, f"5.25 is not right: {worked}.")


def test_a_small_value_is_judged_as_it_is_printed_and_not_as_0(example):
    """Where the board prints 3e–3, the answer 8e-3 is not near, and the other sign is not right."""
    p = example.problem
    p = with_numbers(p, W2=p.network.parameters["W2"] * 1e-3)
    t = trace(with_numbers(p, y=p.network.forward(p.X) - 1e-3))  # as flat as near the end of training
    small = [(cell, value) for cell, value in cells(t) if 0 < abs(value) < 0.004]
    assert len(small) > 10
    for cell, value in small:
        answers = format_number(value), repr(3 * value), repr(-value)
        assert [judge(t, cell, answer)[0] for answer in answers] == [True, False, False]


def test_a_mistake_is_named_where_the_number_is_what_it_gives():
    named = set()
    t = trace(random_problem(0, samples=3, inputs=3, hidden=3, outputs=3, lr=0.1))
    for mistake in MISTAKES.values():
        wrong = {name: mistake.wrong_value(t, name) for name in mistake.possible_at(t)}
        for (name, i, j), value in cells(t):
            if name in wrong and not np.isclose(wrong[name][i, j], value, rtol=0.01, atol=0.006):
                right, verdict = judge(t, (name, i, j), repr(float(wrong[name][i, j])))
                assert not right
                assert " looks like " in verdict
                assert str(work_out(t, (name, i, j))) in verdict
                named |= {mistake.name} if mistake.resemblance(t, name) in verdict else set()
    assert {"mask-forgotten", "sign-flipped", "factor-two-dropped", "transpose-forgotten", "mean-for-sum"} <= named


@pytest.mark.parametrize("text", ["", " ", "x", "nan", "inf", "-inf", "1,500", "1e999", "++", "+-", "--", "0x1", "<b>"])
def test_what_is_neither_sign_nor_number_is_refused(text, example):
    with pytest.raises(ValueError, match="answer with") as refused:
        judge(example, ("dW1", 0, 0), text)
    sentence = "answer with +, - or 0 for the sign, or with a number such as -1.5; got"
    assert refused.value.args[0] == f"{sentence} {text.strip()!r}"


def test_once_the_numbers_have_overflowed_nothing_is_right_and_nothing_breaks():
    t = trained(random_problem(0).evolve(X=np.full((2, 3), np.nan)), 0)
    for text in "+-01":
        right, verdict = judge(t, ("dW1", 0, 0), text)
        assert not right
        assert "nan" in verdict
