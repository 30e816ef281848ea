"""The mysteries: each shows right lines and wrong numbers, can be solved from these, and does not give itself away."""

import inspect

import numpy as np
import pytest
from problems import identical

from backprop_lab import MISTAKES, check, mysteries, trace
from backprop_lab.lines import evaluate
from backprop_lab.mysteries import CASES, mystery, solve
from backprop_lab.proving import check_step

every_case = pytest.mark.parametrize("number", CASES)


def first_wrong_line(case):
    """The one value that its own line does not give from the values before it; everything else follows from it."""
    (broken,) = [step.name for step in case.steps if not np.allclose(evaluate(step.code, case), step.value)]
    return broken


@every_case
def test_the_lines_are_right_one_number_does_not_follow_and_a_gradient_check_finds_it_or_it_is_in_the_update(number):
    case = mystery(number)
    right, broken = trace(case.problem), first_wrong_line(case)
    assert [step._replace(value=None) for step in case.steps] == [step._replace(value=None) for step in right.steps]
    assert not identical(case[broken], right[broken])
    errors = {step.name: check_step(case, step.name) for step in case.steps if step.phase == "backward"}
    assert all(error < 1e-6 or error > 1e-3 for error in errors.values())
    wrong = [name for name, error in errors.items() if error > 1e-3]
    assert wrong[:1] == ([] if number == 6 else [broken])
    assert (number == 6) == (case.step(broken).phase == "update")


@every_case
def test_it_is_solved_by_what_feedback_names_and_a_wrong_guess_is_told_nothing_of_the_answer(number):
    case = mystery(number)
    line, right = first_wrong_line(case), trace(case.problem)
    solutions = set(check(line, case[line], right).cause)
    assert len(solutions) == (2 if number == 1 else 1)
    told = {name: solve(number, name) for name in MISTAKES}
    assert {name for name, feedback in told.items() if feedback} == solutions
    sentences = " ".join({str(feedback) for feedback in told.values() if not feedback})
    assert not [word for word in (line, *solutions) if word in sentences]
    for name in MISTAKES.keys() - solutions:
        wrong = MISTAKES[name].wrong_value(right, line)
        if np.shape(wrong) == np.shape(case[line]):
            assert not np.array_equal(np.round(wrong, 2), np.round(case[line], 2)), "two decimals tell them apart"


UNKNOWN = "There is no mistake of the name "
GUESSES = [  # in the first case, what is wrong with them, and what is said
    ("mask-always-true", "", "What was run is dY1 = dH1 * (H1 >= 0). `>= 0` is harmless on the ReLU's input"),
    ("lr-twice", "place", "Not this one: it cannot occur in the line that is wrong here."),
    ("matmul-for-star", "shape", "Not this one: with sizes such as these it would not run, or give another"),
    ("mask-upside-down", "value", "Not this one. You have the right line, but it would give other numbers."),
    (..., "blank", "Put the name of the mistake in place of the blank, in quotes."),
    (None, "blank", "Put the name of the mistake in place of the blank, in quotes."),
    ("Mask-forgotten", "name", f"{UNKNOWN}'Mask-forgotten'. Did you mean 'mask-forgotten'?"),
    ("dY1", "name", "dY1 is a line, not a mistake: name what is done wrong, as in 'sign-flipped'."),
    ("W1_new", "name", "W1_new is a line, not a mistake: "),
    ("X", "name", "X is a value that is given, not a mistake: "),
    *((guess, "name", UNKNOWN) for guess in ("", 7, ["sign-flipped"], {}, np.zeros(3))),
]


@pytest.mark.parametrize(("guess", "cause", "said"), GUESSES)
def test_a_guess_is_told_whether_it_is_right_or_only_in_the_right_line_or_no_mistake(guess, cause, said):
    feedback = solve(1, guess)
    assert (feedback.ok, feedback.cause) == (not cause, (cause,) if cause else ())
    assert str(feedback).startswith(said)


@pytest.mark.parametrize("number", [0, 7, "1", None, [1], {}, True, 1.5])
def test_a_case_that_there_is_not_is_refused_with_those_that_there_are(number):
    for ask in (mystery, lambda number: solve(number, "mask-forgotten")):
        with pytest.raises(ValueError, match="there are mysteries 1 to 6; got"):
            ask(number)


def test_no_answer_can_be_read_in_the_source_by_accident():
    table = inspect.getsource(mysteries).partition("CASES")[2].partition("def ")[0]
    assert not [name for name in MISTAKES if name in table]
