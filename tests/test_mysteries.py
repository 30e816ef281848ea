"""The mysteries: each shows right lines and wrong numbers, can be solved from these, and does not give itself away."""

import numpy as np
import pytest
from problems import identical

from backprop_lab import MISTAKES, check, trace
from backprop_lab.feedback import Feedback
from backprop_lab.gradcheck import check_step
from backprop_lab.lines import evaluate
from backprop_lab.mysteries import CASES, mystery, solve

every_case = pytest.mark.parametrize("number", CASES)


def solutions(number):
    return [mistake.name for mistake in MISTAKES.values() if solve(number, mistake.name)]


def first_wrong_line(case):
    """The first value that its own line does not give from the values before it."""
    broken = [step.name for step in case.steps if not np.allclose(evaluate(step.code, case), step.value)]
    assert len(broken) == 1, "everything else follows from it"
    return broken[0]


def test_there_are_six():
    assert list(CASES) == [1, 2, 3, 4, 5, 6]


@every_case
def test_the_lines_are_right_and_one_number_does_not_follow_from_them(number):
    case = mystery(number)
    right = trace(case.problem)
    assert [step._replace(value=None) for step in case.steps] == [step._replace(value=None) for step in right.steps]
    assert not identical(case[first_wrong_line(case)], right[first_wrong_line(case)])


@every_case
def test_the_mistake_that_solves_it_is_the_one_that_feedback_names(number):
    case = mystery(number)
    line = first_wrong_line(case)
    assert set(solutions(number)) == set(check(line, case[line], trace(case.problem)).cause)


def test_only_the_first_has_two_names():
    assert [len(solutions(number)) for number in CASES] == [2, 1, 1, 1, 1, 1]


@every_case
def test_a_gradient_check_finds_the_line_or_shows_that_it_is_in_the_update(number):
    case = mystery(number)
    gradients = [step.name for step in case.steps if step.phase == "backward"]
    wrong = [name for name in gradients if check_step(case, name) > 1e-3]
    assert all(check_step(case, name) < 1e-6 for name in gradients if name not in wrong)
    assert wrong[:1] == ([] if number == 6 else [first_wrong_line(case)])
    assert number != 6 or case.step(first_wrong_line(case)).phase == "update"


@every_case
def test_the_numbers_tell_it_apart_when_shown_with_two_decimals(number):
    case = mystery(number)
    line = first_wrong_line(case)
    shown = np.round(case[line], 2)
    for mistake in MISTAKES.values():
        wrong = mistake.wrong_value(trace(case.problem), line)
        if mistake.name not in solutions(number) and np.shape(wrong) == shown.shape:
            assert not np.array_equal(np.round(wrong, 2), shown), mistake.name


@every_case
def test_a_wrong_guess_is_told_nothing_of_the_answer(number):
    told = {str(solve(number, mistake.name)) for mistake in MISTAKES.values() if not solve(number, mistake.name)}
    assert len(told) <= 3
    line = first_wrong_line(mystery(number))
    for text in told:
        assert line not in text
        assert not [name for name in solutions(number) if name in text]


def test_a_wrong_guess_is_told_whether_it_is_made_in_the_same_line():
    assert "it cannot occur in the line" in str(solve(1, "lr-twice"))
    assert "would not run, or give another shape" in str(solve(1, "matmul-for-star"))
    assert "right line, but it would give other numbers" in str(solve(1, "mask-upside-down"))


def test_a_right_guess_is_told_what_was_run_and_why_people_write_it():
    assert str(solve(1, "mask-always-true")).startswith("What was run is dY1 = dH1 * (H1 >= 0). ")


@pytest.mark.parametrize("blank", [..., None])
def test_a_blank_gets_a_prompt(blank):
    assert solve(1, blank).cause == ("blank",)


@pytest.mark.parametrize("guess", ["ReLU mask forgotten", "mask forgotten", "Mask-forgotten"])
def test_a_name_that_is_nearly_one_is_met_half_way(guess):
    feedback = solve(3, guess)
    assert feedback.cause == ("name",)
    assert "Did you mean 'mask-forgotten'?" in str(feedback)


@pytest.mark.parametrize("guess", ["", 7, 1.5, ["mask-forgotten"], {}, np.zeros(3), print])
def test_anything_else_gets_a_sentence(guess):
    feedback = solve(3, guess)
    assert isinstance(feedback, Feedback)
    assert not feedback
    assert str(feedback).startswith("There is no mistake of the name ")


@pytest.mark.parametrize("number", [0, 7, "1", None])
def test_a_case_that_there_is_not_is_refused_with_those_that_there_are(number):
    for ask in (mystery, lambda number: solve(number, "mask-forgotten")):
        with pytest.raises(ValueError, match="there are mysteries 1 to 6; got"):
            ask(number)


def test_no_answer_can_be_read_in_the_source_by_accident():
    with open(mystery.__globals__["__file__"]) as source:
        table = source.read().partition("CASES")[2].partition("def ")[0]
    assert not [mistake.name for mistake in MISTAKES.values() if mistake.name in table]


def test_what_is_code_in_the_words_of_an_answer_looks_like_code_in_its_box():
    box = solve(1, "mask-always-true")._repr_html_()
    assert "<code>&gt;= 0</code> is harmless" in box
    assert "`" not in box
