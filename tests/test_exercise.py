"""Exercises: what counts as right, the feedback on everything else, the hints, and the progress."""

import re
import sys
from fractions import Fraction
from html import unescape
from inspect import cleandoc

import ipywidgets as widgets
import numpy as np
import pytest

from backprop_lab import MISTAKES, Linear, Mistake, random_problem, trace, worked_example
from backprop_lab.feedback import check_function
from backprop_lab.lines import evaluate
from backprop_lab.ui import Exercises
from backprop_lab.ui.exercise import Exercise

EXAMPLE = trace(worked_example())
STEPS = [step.name for step in EXAMPLE.steps]
every_step = pytest.mark.parametrize("name", STEPS)


@pytest.fixture
def ask():
    return Exercises()


def function(line):
    """What a learner writes for a line: a function whose arguments are the names in it."""
    names = dict.fromkeys(re.findall(r"\b[A-Za-z]\w*", line.replace("np.", "").replace(".", "._")))
    return eval(f"lambda {', '.join(name for name in names if name in EXAMPLE)}: {line}", {"np": np})


def text(widget):
    """All that a reader sees of a widget, as plain text."""
    if isinstance(widget, widgets.Box):
        return " ".join(text(child) for child in widget.children)
    if widget.layout.display == "none":
        return ""
    said = widget.description if isinstance(widget, widgets.Button) else widget.value
    return unescape(re.sub(r"<[^>]+>", " ", said))


def button(exercise):
    (found,) = [child for child in exercise.children[-1].children if isinstance(child, widgets.Button)]
    return found


# Right


@every_step
def test_the_line_of_the_worked_example_is_right(ask, name):
    exercise = ask(name, function(EXAMPLE.step(name).code))
    assert exercise.feedback.ok
    assert repr(exercise) == f"{name} is right."


OTHER_WAYS = {
    "Y1": [
        "X.dot(W1) + b1",
        "b1 + np.einsum('nd,dh->nh', X, W1)",
        "(X @ W1 + b1).tolist()",
        "np.matmul(X, W1) + b1[0]",
    ],
    "H1": ["Y1 * (Y1 > 0)", "np.where(Y1 > 0, Y1, 0)", "Y1.clip(0)", "(Y1 + abs(Y1)) / 2"],
    "y_pred": ["[h @ W2 + b2[0] for h in H1]", "tuple(map(tuple, H1 @ W2 + b2))"],
    "L": ["((y_pred - y) ** 2).sum()", "float(np.linalg.norm(y - y_pred) ** 2)", "[[np.sum((y - y_pred) ** 2)]]"],
    "dy_pred": ["2 * y_pred - 2 * y", "-2 * (y - y_pred)", "(y_pred - y) / 0.5"],
    "dH1": ["dy_pred @ W2.T", "(W2 @ dy_pred.T).T", "np.dot(dy_pred, W2.transpose())"],
    "dW2": ["H1.T @ dy_pred", "(dy_pred.T @ H1).T", "sum(np.outer(h, d) for h, d in zip(H1, dy_pred))"],
    "db2": ["np.ones((1, len(dy_pred))) @ dy_pred", "[sum(dy_pred)]", "dy_pred.sum(axis=0)[None, :]"],
    "dY1": ["np.where(H1 > 0, dH1, 0)", "dH1 * np.sign(H1)", "dH1 * (Y1 > 0)", "dH1 * (Y1 >= 0)"],
    "dW1": ["X.T @ dY1", "np.einsum('nd,nh->dh', X, dY1)", "X.mT @ (dH1 * (Y1 > 0))"],
    "db1": ["dY1.sum(0).reshape(1, -1)", "np.sum(dY1, axis=0, keepdims=True)", "len(dY1) * dY1.mean(0, keepdims=True)"],
    "W1_new": ["W1 + -lr * dW1", "W1 - dW1 * lr", "W1 - lr * X.mT @ dY1"],
    "b1_new": ["b1 - lr * dY1.sum(axis=0, keepdims=True)"],
    "W2_new": ["np.subtract(W2, lr * dW2)"],
    "b2_new": ["(b2 - lr * db2).tolist()"],
}


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in OTHER_WAYS.items() for line in lines])
def test_another_way_to_write_it_is_right_too(ask, name, line):
    assert ask(name, function(line)).feedback.ok, line


@pytest.mark.parametrize(
    "answer",
    [
        lambda Y1, X, y: np.maximum(Y1, 0),
        lambda lr, Y1: np.maximum(Y1, 0).astype(np.float32),
        lambda Y1: [[Fraction(value) if value > 0 else 0 for value in row] for row in Y1],
        type("Callable", (), {"__call__": lambda self, Y1: np.maximum(Y1, 0)})(),
    ],
    ids=["more arguments than it needs", "in float32", "in fractions", "an object that can be called"],
)
def test_a_right_function_is_right_whatever_its_form(ask, answer):
    assert ask("H1", answer).feedback.ok


@every_step
def test_an_array_is_held_against_the_worked_example(ask, name):
    assert ask(name, EXAMPLE[name]).feedback.ok
    assert ask(name, np.asarray(EXAMPLE[name]).tolist()).feedback.ok
    assert not ask(name, np.asarray(EXAMPLE[name]) + 1).feedback.ok


def test_what_holds_for_the_worked_example_only_is_told_where_it_does_not_hold(ask):
    exercise = ask("db2", lambda dy_pred: dy_pred[:1] + dy_pred[1:2])
    assert "db2" not in ask.solved
    assert str(exercise.feedback).startswith(
        "Right for the first problem, but not for another one, with X (3, 2), y (3, 2)"
    )


def test_a_function_can_spoil_nothing(ask):
    def spoil(H1, dy_pred):
        H1 *= 0
        dy_pred += 1
        return H1.mT @ dy_pred

    assert not ask("dW2", spoil).feedback.ok
    assert ask("dW2", lambda H1, dy_pred: H1.mT @ dy_pred).feedback.ok


# Wrong, and what it looks like


def places_with_known_names():
    """Every wrong line that a learner could write, as (mistake, name)."""
    for mistake in MISTAKES.values():
        for name in STEPS:
            line = mistake.wrong_line(EXAMPLE, name)
            known = list(EXAMPLE)[: list(EXAMPLE).index(name)]
            if line and all(word in known for word in re.findall(r"\b\w+\b", line) if word in EXAMPLE):
                yield pytest.param(mistake, name, id=f"{mistake.name} at {name}")


@pytest.mark.parametrize(("mistake", "name"), list(places_with_known_names()))
def test_a_classic_mistake_is_not_taken_for_right_and_is_named_where_it_runs(ask, mistake, name):
    feedback = ask(name, function(mistake.wrong_line(EXAMPLE, name))).feedback
    assert not feedback.ok
    if mistake.wrong_value(EXAMPLE, name) is None:
        assert feedback.cause == ("raised",)
    else:
        assert mistake.name in feedback.cause


# Blanks


BLANKS = [..., None, lambda H1, dy_pred: ..., lambda H1, dy_pred: None, [[...] * 2] * 4, lambda: [[1, ...]] * 4]


@pytest.mark.parametrize(
    "blank", BLANKS, ids=["dots", "none", "returns dots", "returns none", "dots within", "one dot"]
)
def test_a_blank_is_asked_for_and_not_called_wrong(ask, blank):
    exercise = ask("dW2", blank)
    assert exercise.feedback.cause == ("blank",)
    assert "Your turn." in text(exercise)
    assert "Not yet." not in text(exercise)
    assert "Hint 1 of 3" in text(exercise)


def test_a_blank_that_only_shows_with_other_sizes_is_still_a_blank(ask):
    exercise = ask("H1", lambda Y1: np.maximum(Y1, 0) if len(Y1) == 2 else ...)
    assert exercise.feedback.cause == ("blank",)


# Whatever else is handed in


class Table:
    """As a table of pandas does, it turns into an array when NumPy asks."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


class TensorWithGradient:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


RIGHT = EXAMPLE["dW2"]
BAD = {
    "not a number": (RIGHT * np.nan, "not-finite", "is nan in yours"),
    "infinity": (RIGHT + np.inf, "not-finite", "is inf in yours"),
    "ragged": ([[1, 2], [3], [4, 5], [6, 7]], "unreadable", "rows of your dW2 differ in length"),
    "text": ("H1.mT @ dy_pred", "unreadable", "is text"),
    "numbers as text": ([["1", "2"]] * 4, "unreadable", "has text in it"),
    "dictionary": ({"dW2": RIGHT}, "unreadable", "take dW2 out of it"),
    "set": ({1, 2}, "unreadable", "is a set"),
    "a table with text": (Table([["a", 1]] * 4), "unreadable", "text"),
    "a wrong table": (Table(RIGHT + 1), "value", "should be"),
    "a tensor that records gradients": (TensorWithGradient(), "unreadable", "hand in dW2.detach()"),
    "complex": (RIGHT + 1j, "complex", "has complex numbers"),
    "one number": (3.0, "shape", "is one number"),
    "flat": (RIGHT.ravel(), "shape", "it should have shape (4, 2), like W2"),
    "one dimension more": (RIGHT[None], "shape", "has shape (1, 4, 2)"),
    "empty": ([], "shape", "is empty"),
    "a column less": (RIGHT[:, :1], "shape", "has shape (4, 1)"),
    "dates": (np.full((4, 2), np.datetime64("2024-01-01")), "unreadable", ", not numbers"),
    "a generator": ((row for row in RIGHT), "unreadable", "is a generator"),
}


@pytest.mark.parametrize("returned", [False, True], ids=["handed in", "returned"])
@pytest.mark.parametrize(("answer", "cause", "said"), BAD.values(), ids=BAD)
def test_bad_input_gets_a_sentence_that_says_what_is_the_matter(ask, answer, cause, said, returned):
    exercise = ask("dW2", (lambda: answer) if returned else answer)
    assert cause in exercise.feedback.cause
    assert said in text(exercise)
    assert_is_a_sentence(exercise.feedback)
    assert ask.solved == set()


def test_a_table_with_the_right_numbers_is_right(ask):
    assert ask("dW2", Table(RIGHT)).feedback.ok


def assert_is_a_sentence(feedback):
    message = str(feedback)
    assert message[0].isupper() or message[0] == "d"
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert not re.search(r"Traceback|File \"|<object|0x[0-9a-f]{6}|backprop_lab", message)


class SilentError(Exception):
    pass


def raises(error):
    def answer(H1, dy_pred):
        raise error

    return answer


def forever(H1):
    return forever(H1)


ERRORS = {
    "shapes that do not fit": (lambda H1, dy_pred: H1 @ dy_pred, "ValueError"),
    "shapes that do not broadcast": (lambda H1, dy_pred: H1 * dy_pred, "shapes (2,4) (2,2)"),
    "a name that is not there": (lambda H1, dy_pred: H1.mT @ dy_perd, "name 'dy_perd' is not defined"),  # noqa: F821
    "a method that is not there": (lambda H1, dy_pred: H1.transposed() @ dy_pred, "transposed"),
    "another function in place of a value": (lambda dy_pred: forever @ dy_pred, "or a function"),
    "division by zero": (lambda H1, dy_pred: 1 / 0, "ZeroDivisionError: division by zero"),
    "an index too far": (lambda H1, dy_pred: H1[7], "IndexError: index 7 is out of bounds"),
    "a failed assertion": (raises(AssertionError("dW2 is odd")), "AssertionError: dW2 is odd"),
    "an error of several lines": (raises(KeyError("one\ntwo")), "KeyError"),
    "an error without a word": (raises(SilentError()), "SilentError"),
    "a function that calls itself": (forever, "RecursionError"),
    "an end to an iteration": (raises(StopIteration()), "StopIteration"),
}


@pytest.mark.parametrize(("answer", "said"), ERRORS.values(), ids=ERRORS)
def test_what_the_learners_function_raises_comes_back_as_a_sentence(ask, answer, said):
    exercise = ask("dW2", answer)
    assert exercise.feedback.cause == ("raised",)
    assert str(exercise.feedback).startswith("Your dW2 stopped with ")
    assert said in str(exercise.feedback)
    assert_is_a_sentence(exercise.feedback)
    assert "dW2" not in ask.solved


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda H1: max(H1, 0), "`max`, `if`, `and` and `or` take one number, and this is a whole array"),
        (lambda H1: H1 if H1 > 0 else 0, "np.where and a `*` with what is compared go cell by cell"),
        (lambda H1, lr: H1 @ lr, "a product @ takes two matrices, and one of these is a single number"),
    ],
)
def test_what_numpy_says_in_terms_of_its_own_is_said_in_plain_words(ask, answer, said):
    feedback = ask("dW2", answer).feedback
    assert said in str(feedback)
    assert not re.search("gufunc|operand|ambiguous", str(feedback))


def test_an_error_over_a_name_that_is_no_argument_tells_which(ask):
    """In the notebook H1 outside its own cell is the learner's function of that name, and has no shape."""
    namespace = {"H1": forever}
    exec("def dW2(dy_pred): return H1.T @ dy_pred", namespace)
    said = str(ask("dW2", namespace["dW2"]).feedback)
    assert said.endswith(" It was given dy_pred (2, 2). It uses H1, which it was not given.")


def test_a_forgotten_return_is_told_and_not_taken_for_a_blank(ask):
    def forgetful(H1, dy_pred):
        H1.mT @ dy_pred

    assert (
        str(ask("dW2", forgetful).feedback) == "Your dW2 returns nothing yet: write `return` in front of your answer."
    )
    assert ask("dW2", lambda H1: ...).feedback.message == "Put your dW2 in place of the blank."


def test_an_error_is_told_with_the_shapes_that_the_function_was_given(ask):
    exercise = ask("dW2", lambda H1, dy_pred: H1 @ dy_pred)
    assert str(exercise.feedback).endswith(" It was given H1 (2, 4), dy_pred (2, 2).")


@pytest.mark.parametrize("answer", [lambda H1, dy_pred: H1 @ dy_pred, lambda H1, dy_pred: np.matmul(H1, dy_pred)])
def test_a_product_of_shapes_that_do_not_fit_is_explained_in_plain_words(ask, answer):
    said = str(ask("dW2", answer).feedback)
    assert "the first matrix needs as many columns as the second has rows" in said
    assert "gufunc" not in said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda dW1: dW1, "Your dW2 asks for 'dW1', which is not known yet. Before dW2 you have X, y, W1, b1, W2"),
        (lambda H2: H2, "Your dW2 asks for 'H2', which is not known yet."),
        (lambda dW2: dW2, "Your dW2 asks for 'dW2', which is not known yet."),
        (lambda *everything: 0, "Your dW2 asks for 'everything', which is not known yet."),
    ],
)
def test_a_function_that_asks_for_what_is_not_known_yet_is_told_what_is(ask, answer, said):
    assert str(ask("dW2", answer).feedback).startswith(said)


@pytest.mark.parametrize(("name", "meant"), [("dw2", "dW2"), ("W1new", "W1_new"), ("ypred", "y_pred"), ("dW9", "dW2")])
def test_a_name_that_there_is_not_is_answered_with_the_nearest(ask, name, meant):
    exercise = ask(name, RIGHT)
    assert exercise.feedback.cause == ("name",)
    assert f"Did you mean {meant}?" in text(exercise)
    assert "Hint" not in text(exercise)


@pytest.mark.parametrize(
    "name", [lambda H1, dy_pred: H1, 7, None, ["dW2"], RIGHT], ids=["function", "number", "none", "list", "array"]
)
def test_a_name_that_is_no_name_gets_a_sentence_too(ask, name):
    exercise = ask(name, "dW2")
    assert exercise.feedback.cause == ("name",)
    assert_is_a_sentence(exercise.feedback)


def test_what_a_learner_wrote_cannot_put_html_into_the_page(ask):
    exercise = ask("dW2", raises(ValueError("<img src=x onerror=alert(1)>")))
    assert "<img" not in exercise.children[0].value
    assert "&lt;img" in exercise.children[0].value


# Hints


@every_step
def test_every_step_has_three_hints_and_the_last_names_what_it_is_made_of(ask, name):
    exercise = ask(name, ...)
    for given in (1, 2, 3):
        assert button(exercise).description == f"Hint {given} of 3"
        exercise.hint()
    assert button(exercise).layout.display == "none"
    last = exercise.children[1].value.split("<li>")[-1]
    for operand in EXAMPLE.step(name).operands:
        assert re.search(rf"\b{operand}\b", last)


def without_spaces(line):
    return "".join(line.split()).replace(".mT", ".T").replace("·", "*").replace("²", "**2").replace("−", "-")


@every_step
def test_no_hint_is_the_answer(ask, name):
    exercise = ask(name, ...)
    for _ in range(3):
        exercise.hint()
    said = without_spaces(text(exercise))
    assert without_spaces(EXAMPLE.step(name).code) not in said
    for line in OTHER_WAYS[name]:
        assert without_spaces(line) not in said


@every_step
def test_the_number_in_a_hint_is_the_shape_of_the_answer(ask, name):
    exercise = ask(name, ...)
    exercise.hint()
    shape = np.shape(EXAMPLE[name])
    assert (str(shape) if shape else "a single number") in text(exercise)


def test_a_hint_comes_when_it_is_asked_for_and_not_before(ask):
    exercise = ask("dW2", ...)
    assert "shape" not in text(exercise)
    button(exercise).click()
    assert "Its shape, like that of W2, is (4, 2) in the worked example." in text(exercise)
    assert "One of its cells" not in text(exercise)
    button(exercise).click()
    button(exercise).click()
    assert "One of its cells: dW2[0,0] = H1[0,0]·dy_pred[0,0] + H1[1,0]·dy_pred[1,0]." in text(exercise)
    exercise.hint()
    assert text(exercise).count("One of its cells") == 1


def test_the_hint_for_the_loss_does_not_speak_of_its_cells(ask):
    exercise = ask("L", ...)
    for _ in range(3):
        exercise.hint()
    assert "L[0,0]" not in text(exercise)


def test_a_right_answer_needs_no_hint(ask):
    assert "Hint" not in text(ask("dW2", RIGHT))
    assert "Hint 1 of 3" in text(ask("dW2", -RIGHT))


# Progress


def test_progress_counts_what_is_right_now(ask):
    assert "Solved 0 of 15" in text(ask("dW2", ...))
    assert "Solved 1 of 15" in text(ask("dW2", RIGHT))
    assert "Solved 1 of 15" in text(ask("dW2", RIGHT.tolist()))
    assert "Solved 2 of 15" in text(ask("db2", EXAMPLE["db2"]))
    assert "Solved 1 of 15" in text(ask("dW2", -RIGHT))
    assert ask.solved == {"db2"}
    assert 'value="1" max="15"' in ask("dW2", ...).children[-1].children[1].value


def test_all_fifteen_make_it_complete(ask):
    for name in STEPS:
        exercise = ask(name, function(EXAMPLE.step(name).code))
    assert ask.solved == set(ask.names) == set(STEPS)
    assert "Solved 15 of 15" in text(exercise)


def test_only_the_names_that_were_chosen_count():
    ask = Exercises(["dW1", "db1"])
    assert ask("dW2", RIGHT).feedback.ok
    assert "Solved 0 of 2" in text(ask("dW2", RIGHT))
    assert "Solved 1 of 2" in text(ask("db1", EXAMPLE["db1"]))
    assert ask("X", EXAMPLE["X"]).feedback.ok
    assert ask.solved == {"db1"}


def test_two_notebooks_do_not_share_their_progress():
    first, second = Exercises(), Exercises()
    first("dW2", RIGHT)
    assert second.solved == set()


# In a notebook and outside of it


def test_the_feedback_of_an_exercise_can_be_asserted(ask):
    exercise = ask("dW2", -RIGHT)
    assert isinstance(exercise, Exercise)
    with pytest.raises(AssertionError, match="sign flipped"):
        assert exercise.feedback, exercise.feedback


def test_what_is_saved_of_an_exercise_is_its_sentence(ask):
    bundle = ask("dW2", ...)._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"] == "Put your dW2 in place of the blank."


def test_the_notebook_stays_short_because_an_answer_is_one_line():
    line = EXAMPLE.step("dW2").code
    written = cleandoc(f"""
        def dW2(H1, dy_pred):
            return {line}
    """)
    made = {}
    exec(written, made)
    assert check_function("dW2", made["dW2"], [EXAMPLE, trace(random_problem(7, samples=5))]).ok
    assert np.array_equal(evaluate(line, EXAMPLE), RIGHT)


def test_an_argument_with_a_default_of_its_own_is_the_learners_business(ask):
    def dW2(H1, dy_pred, scale=1.0):  # noqa: N802
        return scale * H1.mT @ dy_pred

    assert ask("dW2", dW2).feedback


def test_an_exit_in_an_answer_does_not_end_the_kernel(ask):
    exercise = ask("dW2", lambda H1: sys.exit("enough"))
    assert exercise.feedback.cause == ("raised",)
    assert "SystemExit: enough" in str(exercise.feedback)


def test_a_function_with_nothing_to_try_it_on_is_no_error():
    assert "at least one trace" in str(check_function("dW2", lambda H1: H1, []))


def test_a_mistake_of_ones_own_is_named_too():
    mine = Mistake("dw2-doubled", "dW2 doubled", "twice {name}", "", "", {(Linear, "dW"): "2 * ({X}.mT @ {dY})"})
    wrong = 2 * trace(worked_example())["dW2"]
    assert "twice dW2" not in str(Exercises()("dW2", wrong).feedback)
    assert "twice dW2" in str(Exercises(mistakes=MISTAKES | {mine.name: mine})("dW2", wrong).feedback)
