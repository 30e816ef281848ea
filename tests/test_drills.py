"""Drills: what is printed on a sheet is enough to fill it in, and gives what stands in its key."""

import re
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import product

import numpy as np
import pytest
from common import check_cases, check_said, count, plain
from known_programs import programmed

from backprop_lab import drill, program, random_problem, trace, worked_example
from backprop_lab.course.drills import KINDS, QUESTIONS

ALL = (*KINDS, "mixed")


def read(block):
    """The matrices of a question as a reader finds them on paper, by name; or the shapes, where only these are told."""
    if shapes := re.findall(r"(\w+) \((\d+), (\d+)\)", block):
        return {name: (int(rows), int(columns)) for name, rows, columns in shapes}
    first, *others = block.split("\n")
    found, rows = {}, [re.findall(r"-?\d+", line) for line in others]
    for name, numbers in re.findall(r"(\w+) =((?: +-?\d+)+)", first):
        top, at = numbers.split(), sum(matrix.shape[1] for matrix in found.values())
        found[name] = np.array([top, *(row[at : at + len(top)] for row in rows)], int)
    return found


def by_hand(asked, shown):
    """What someone answers who knows the rules, and has nothing but the sheet."""
    if asked.startswith("shape of "):
        N, H, K = shown["X"][0], shown["W1"][1], shown["W2"][1]
        shapes = {"Y1": (N, H), "y_pred": (N, K), "dH1": (N, H), "dY1": (N, H)}
        return (shapes | {f"d{name}": shape for name, shape in shown.items()})[asked.removeprefix("shape of ")]
    if asked == "dY1":
        return np.where(shown["H1"] > 0, shown["dH1"], 0)
    i, j = map(int, re.search(r"\[(\d), (\d)\]", asked).groups())
    if asked.startswith("dW"):
        entered, returned = shown.values()
        return sum(entered[n, i] * returned[n, j] for n in range(len(entered)))
    up = shown["y_pred"] - shown["y"] if "dy_pred" in asked else -shown["dW2"]
    return "-0+"[int(np.sign(up[i, j])) + 1]


def assert_it_is_worth_asking(asked, shown):
    """In numbers from -2 to 2 or what follows from them: two products or more, some units on and some off."""
    if asked.startswith("shape of "):
        X, W1, W2 = shown["X"], shown["W1"], shown["W2"]
        assert (sorted((*X, W1[1], W2[1])), W1[0], W2[0]) == ([2, 3, 4, 5], X[1], W1[1])
        return
    assert {2, 3} >= {len(matrix) for matrix in shown.values()} or asked.startswith("sign of W2_new")
    assert np.abs(shown.get("X", shown.get("y", 0))).max() <= 2
    if asked.startswith("dW"):
        i, j = map(int, re.search(r"\[(\d), (\d)\]", asked).groups())
        entered, returned = shown.values()
        assert np.count_nonzero(entered[:, i] * returned[:, j]) >= 2
    if asked == "dY1":
        assert 0.25 <= np.mean(shown["H1"] > 0) <= 0.75
        assert (shown["dH1"] * shown["H1"]).any()


def test_the_key_of_a_sheet_follows_from_its_numbers_and_the_package_agrees():
    seeds, asked = count(200), set()
    for kind, seed in product(ALL, range(seeds)):
        made = drill(kind, seed)
        questions, keys = (text.rstrip().split("\n\n\n")[1:] for text in (made.sheet, made.key))
        assert len(questions) == len(keys) == len(set(questions)) == QUESTIONS
        answers = []
        for question, key in zip(questions, keys, strict=True):
            shown, blank = question.split(".  ", 1)[1].split("\n\n    ", 1)
            name, _, room = blank.partition(" = ")
            answers.append(answer := by_hand(name, read(shown)))
            assert_it_is_worth_asking(name, read(shown))
            start, matrix = question.removesuffix(room), isinstance(answer, np.ndarray)
            written = " ".join(map(str, answer.flat)) if matrix else str(answer)
            assert key.removeprefix(start).split() == written.split()
            assert max(abs(int(each)) for each in re.findall(r"-?\d+", question)) <= 12, "it can be done in the head"
            assert len(room.split()) == (answer.size if matrix else 1)
            asked.add(re.sub(r"\[.*?\]", "", name))
        assert made.check(*answers), made.check(*answers)
    print(f"{seeds * len(ALL)} sheets with {QUESTIONS} questions each, which ask for {len(asked)} things")  # noqa: T201
    assert {"dW1", "dW2", "dY1", "sign of dy_pred", "sign of W2_new - W2", "shape of db1"} <= asked


def test_of_a_gradient_that_passes_where_a_unit_is_off_no_kink_is_to_blame():
    """What is on the sheet is H1, and a Y1 of exactly 0 is not."""
    for made in (drill("mask", seed) for seed in range(count(30))):
        for at, question in enumerate(made.questions):
            off = np.argwhere((question.trace["H1"] == 0) & (question.trace["dH1"] != 0))
            for cell in map(tuple, off):
                wrong = question.answer.copy()
                wrong[cell] = question.trace["dH1"][cell]
                said = str(made.check(*[wrong if k == at else ... for k in range(QUESTIONS)]))
                assert "should be 0" in said or "mask" in said, said


def test_what_a_question_or_a_hint_names_is_on_the_sheet():
    for kind, seed in product(ALL, range(count(300))):
        made = drill(kind, seed)
        for question in made.questions:
            named = re.findall(r"\b(?:X|d?y_pred|d?[A-Z][12])\b", question.hint)
            if question.asked.startswith("shape of "):
                named.append(question.asked.removeprefix("shape of ").removeprefix("d"))
            there = " ".join((made.title, *question.shown))
            assert all(re.search(rf"\b{name}\b", there) for name in named), (question.hint, there)


def checked(*others, **wrong):
    """What is said of the right answers to a sheet, but for one that is replaced; or of some others."""
    made = drill("mixed", 3)
    answers = dict(zip("abcde", (question.answer for question in made.questions), strict=True)) | wrong
    return made.check(*(others or answers.values()))


def test_what_is_said_of_a_drills_answer_is_what_somebody_has_read():
    check_cases("answers", globals())
    cell, mask, shape, sign, last = (question.answer for question in drill("mixed", 3).questions)
    typed = sign.replace("-", "\N{MINUS SIGN}")
    assert checked([cell, mask.tolist(), [*shape], f" {typed} ", float(last)])
    zero, plus, minus = (
        next(question for seed in range(99) for question in drill("sign", seed).questions if question.answer == sign)
        for sign in "0+-"
    )
    assert all(minus.judge(typed) for typed in ("\N{EN DASH}", "minus", "Negative", -1, -1.0, np.float64(-1)))
    assert all(zero.judge(typed) for typed in (0, 0.0, "0", -0.0))
    assert all(plus.judge(typed) for typed in (1, +1.0, "+1", "plus", "positive"))
    assert not plus.judge(0)
    numbers = drill("cell", 1)
    assert numbers.check(np.array([question.answer for question in numbers.questions]))


def test_a_sheet_with_one_question_is_told_as_one():
    lines = "A = X @ W\nH = np.tanh(A)\nL = np.sum((H - y) ** 2)"
    single = drill("slope", 1, program(lines, {"W": [[0.5]]}, {"X": [[1.0]], "y": [[2.0]]}))
    (question,) = single.questions
    assert str(single.check(1, 2)) == "There is 1 question, and 2 answers: put ... where you have none."
    assert str(single.check(question.answer)) == str(single.check([question.answer])) == "Your answer is right."


def test_either_rounding_of_an_exact_half_is_right():
    halves = 0
    for seed in range(count(350)):
        sheet = drill("slope", seed)
        answers = [Decimal(f"{question.answer:.7f}") for question in sheet.questions]
        for way in (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN):
            told = sheet.check(*[float(answer.quantize(Decimal("0.01"), way)) for answer in answers])
            assert told, (seed, told)
        assert not sheet.check(*[float(answer) + 0.006 for answer in answers])
        halves += sum(answer * 1000 % 10 == 5 for answer in map(abs, answers))
    sheet = drill("slope", 132)
    assert halves or count(350) < 350
    assert any(
        question.judge(1.1) and question.judge(1.09) and not question.judge(1.08) for question in sheet.questions
    )


def test_a_decimal_comma_is_told_to_be_written_as_a_point():
    question = drill("slope", 1).questions[0]
    assert str(question.judge("0,25")) == f"Write {question.asked} with a point, and without quotes: 0.25."
    assert str(question.judge("\N{MINUS SIGN}0,25")).endswith("without quotes: -0.25.")
    assert "without quotes" in str(question.judge("0.25"))
    assert drill("cell", 1).questions[0].judge("1,000").cause == ("unreadable",)


def test_a_kind_that_is_no_text_is_refused_in_words():
    for kind in (["mask"], np.array(["mask", "cell"]), None):
        with pytest.raises(ValueError, match="kind must be one of cell, mask"):
            drill(kind, 3)


def test_a_sheet_shows_itself_is_the_same_for_everybody_and_another_with_another_seed():
    for kind in ALL:
        sheet = drill(kind, 3).sheet
        assert repr(drill(kind, 3)) == sheet != drill(kind, 4).sheet
        assert ("__" in sheet, "__" in drill(kind, 3).key) == (True, False)
        shown, numbered = plain(drill(kind, 3)._repr_html_()), re.sub(r"\n\d\. ", "", sheet)
        assert sorted("".join(shown.split())) == sorted("".join(numbered.split())), "on a page, in another arrangement"
    check_said("drills", {"mixed, 3": drill("mixed", 3).key})


SLOPES = {
    "ReLU": lambda up, Y: up * (Y > 0),
    "tanh": lambda up, Y: up * (1 - Y**2),
    "sigmoid": lambda up, Y: up * Y * (1 - Y),
}


@pytest.mark.parametrize(
    "problem", [None, programmed("planar_tanh_sigmoid"), programmed("lstm_cell"), worked_example()]
)
def test_a_slope_is_answered_to_two_decimals_from_what_is_on_the_sheet(problem):
    functions = set()
    for seed in range(5):
        sheet = drill("slope", seed, problem)
        answers = []
        for question in sheet.questions:
            function, *numbers = question.shown
            up, Y = (float(number.rpartition(" = ")[2]) for number in numbers)
            answers.append(round(float(SLOPES[function](up, Y)), 2))
            functions.add(function)
        assert sheet.check(*answers), sheet.check(*answers)
        assert not sheet.check(*[answer + 0.02 for answer in answers])
        assert str(drill("slope", seed, problem)) == str(sheet)
        assert all(f"{answer + 0.0:.2f}" in sheet.key for answer in answers)
    if problem is None:
        assert functions == {*SLOPES}


def test_a_sheet_of_a_problem_without_such_a_slope_or_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="no line that goes back through a ReLU, a tanh or a sigmoid alone"):
        drill("slope", 1, programmed("toy_model"))
    with pytest.raises(ValueError, match='only "slope" takes a problem'):
        drill("mask", 1, random_problem(1))


@pytest.mark.parametrize(("size", "asked"), [(1e-5, 0), (1.0, 4), (1e200, 0)])
def test_a_number_that_two_decimals_make_0_or_a_large_one_is_not_asked_about(size, asked):
    lines = "A = X @ W\nH = np.maximum(A, 0)\nP = H @ V\nL = np.sum((P - y) ** 2)"
    ones = np.ones((2, 2))
    p = program(lines, {"W": size * ones, "V": np.eye(2)}, {"X": ones, "y": 3 * ones})
    if asked:
        assert [question.answer for question in drill("slope", 1, p).questions] == [trace(p)["dA"][0, 0]] * asked
    else:  # where H is 0.00 on the sheet, or too large for it
        with pytest.raises(ValueError, match="too small or too large"):
            drill("slope", 1, p)


def test_on_each_sheet_of_slopes_some_unit_is_off():
    """So whoever forgets the mask of a ReLU does not get them all right."""
    assert all(len(drill("slope", seed).questions) == QUESTIONS for seed in range(100))
    problem = random_problem(3, 5, 3, 4, 2)
    assert not trace(problem)["H1"].all()
    assert all(any(each.answer == 0 for each in drill("slope", seed, problem).questions) for seed in range(30))
