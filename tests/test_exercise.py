"""Exercises: hints that lead to the answer and do not give it away, and the progress through a notebook."""

import math
import re
from contextlib import suppress
from typing import ClassVar

import numpy as np
import pytest
from common import button, kept, parts_of, plain
from known_programs import programmed
from own_parts import OWN_PROBLEMS

from backprop_lab import (
    MISTAKES,
    Linear,
    Loss,
    Mistake,
    Network,
    Problem,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    Tanh,
    program,
    random_problem,
)
from backprop_lab.reading.explanations import explain
from backprop_lab.ui import Exercises, MistakeLab, StepThrough


def text(exercise):
    """All that a reader sees of an exercise."""
    seen = [part for part, hidden in parts_of(exercise) if not hidden]
    return plain(" ".join(getattr(part, "value", "") or getattr(part, "description", "") for part in seen))


def test_a_function_is_tried_on_other_problems_and_an_array_is_not(example):
    ask = Exercises()
    for_two_samples = ask("db2", lambda dy_pred: dy_pred[:1] + dy_pred[1:2])
    assert "Right for the first problem, but not for another one, with X (3, 2)" in text(for_two_samples)
    assert "db1" in text(ask("db1", lambda b1, dY1: dY1.sum(0, keepdims=True) + b1)), "biases that are 0 hide nothing"
    assert ask.solved == set()
    assert ask("db2", example["db2"].tolist()).feedback.ok


@pytest.mark.parametrize("seed", [1.5, -1, "3", True])
def test_a_seed_that_is_none_is_refused_in_words(seed):
    with pytest.raises(ValueError, match=f"the seed must be a whole number, 0 or more, such as 3; got {seed!r}"):
        Exercises(seed=seed)


@pytest.mark.parametrize("mistakes", [3, [MISTAKES["lr-twice"]], {"mine": 3}, "lr-twice"])
@pytest.mark.parametrize("lab", [Exercises, MistakeLab, StepThrough])
def test_a_table_of_mistakes_that_is_none_is_refused_in_words(lab, mistakes):
    said = r"mistakes must be a dictionary of them by name, such as MISTAKES; got "
    with pytest.raises(ValueError, match=said + re.escape(f"{mistakes!r:.60}")):
        lab(mistakes=mistakes)


CLASSES = random_problem(3, 6, 2, (7, 5), 3, activation=Tanh(), loss=SoftmaxCrossEntropy())
PROGRAMMED = {name: programmed(name) for name in ("planar_tanh_sigmoid", "layernorm_layer")}
PROBLEMS = {"worked example": None, "classes": CLASSES} | OWN_PROBLEMS | PROGRAMMED


@pytest.mark.parametrize("name", PROBLEMS)
def test_hints_lead_from_the_shape_to_the_parts_and_never_to_the_answer(name):
    ask = Exercises(PROBLEMS[name])
    assert ask.names == tuple(step.name for step in ask.traces[0].steps)
    for step in ask.traces[0].steps:
        exercise = ask(step.name, ...)
        assert "Your turn." in text(exercise)
        hints = 2 + bool(explain(step).sentence)  # what it means can be said of our own lines
        for given in range(hints):
            assert exercise.children[1].value.count("<li>") == given
            button(exercise, f"Hint {given + 1} of {hints}").click()
        assert "Hint" not in text(exercise)
        first, *meaning, last = map(plain, exercise.children[1].value.split("<li>")[1:])
        assert (str(step.value.shape) if np.ndim(step.value) else "a single number") in first
        assert (all(meaning), len(meaning), "None" in text(exercise)) == (True, hints - 2, False)
        assert all(re.search(rf"\b{operand}\b", last) for operand in step.operands)
        without_spaces = "".join(text(exercise).split()).replace("·", "*").replace("−", "-")
        assert "".join(step.code.split()).replace(".mT", ".T") not in without_spaces.replace(".mT", ".T")
        as_typed = re.sub(r"\[\d+(,\d+)?\]", "", last.rpartition(" = ")[2].removesuffix("."))  # without its indices
        as_typed = re.sub(r"\bmax\(", "np.maximum(", as_typed.translate({183: "*", 8722: "-", 178: "**2"}))
        with suppress(SyntaxError, NameError, TypeError, ValueError, DeprecationWarning), np.errstate(all="ignore"):
            assert not ask(step.name, eval(as_typed, {"np": np}, dict(ask.traces[0]))).feedback
        line = eval(f"lambda {', '.join(step.operands)}: {step.code}", {"np": np, "math": math})
        assert ask(step.name, line).feedback.ok
        right = ask(step.name, step.value)  # an array is compared with its own numbers
        assert (repr(right), "Hint" in text(right)) == (f"{step.name} is right.", False)
    assert ask.solved == {*ask.names}
    assert f"Solved {len(ask.names)} of {len(ask.names)}" in text(right)


def test_progress_counts_what_is_right_now_of_the_names_that_were_chosen(example):
    ask, right, db2 = Exercises(), example["dW2"], example["db2"]
    answers = [("dW2", ..., 0), ("dW2", right, 1), ("dW2", right.tolist(), 1), ("db2", db2, 2), ("dW2", -right, 1)]
    for name, answer, solved in answers:
        assert f"Solved {solved} of 15" in text(ask(name, answer))
    assert ask.solved == {"db2"}
    another = Exercises(names=["dW1", "db1"])  # another notebook has a progress of its own
    for name, solved in {"dW2": 0, "db1": 1, "X": 1}.items():
        assert f"Solved {solved} of 2" in text(another(name, example[name]))


def test_an_exercise_is_saved_as_its_sentence_and_can_be_asserted(example):
    exercise, no_step = Exercises()("dW2", -example["dW2"]), Exercises()(7, "dW2")
    assert (no_step.feedback.cause, "Hint" in text(no_step)) == (("name",), False)
    with pytest.raises(AssertionError, match="sign flipped"):
        assert exercise.feedback, exercise.feedback
    assert kept(exercise)["text/plain"] == str(exercise.feedback)
    mine = Mistake("dw2-doubled", "dW2 doubled", "twice {name}", "", "", {(Linear, "dW"): "2 * ({X}.mT @ {dY})"})
    assert "twice dW2" in text(Exercises(mistakes=MISTAKES | {mine.name: mine})("dW2", 2 * example["dW2"]))


def test_functions_are_tried_on_other_sizes_of_the_same_layers_and_loss():
    for seed in (None, 5):
        traces = Exercises(CLASSES, seed=seed).traces
        parts = [[type(part) for part in (*t.problem.network.layers, t.problem.loss)] for t in traces]
        assert (len({t["X"].shape for t in traces}), parts) == (3, parts[:1] * 3)
        assert all(t["b1"].all() for t in traces[1:])
        assert {total for t in traces for total in t["y"].sum(axis=1)} == {1}, "targets that fit the loss"


class Rates(Loss):
    """A loss that takes rows that add up to 1, and does not say so."""

    formulas: ClassVar = {"L": "-np.sum({y} * {y_pred})", "dy_pred": "-{y}"}


def test_a_loss_of_ones_own_gets_targets_of_its_problem():
    y = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])
    p = random_problem(0, X=np.eye(3), y=y, loss=Rates())
    for seed in (None, 5):
        traces = Exercises(p, seed=seed).traces
        assert len({t["X"].shape for t in traces}) == 3
        assert {tuple(row) for t in traces for row in t["y"].tolist()} <= {*map(tuple, y.tolist())}
        assert len({t["X"].tobytes() for t in traces}) == 3


def test_a_path_forgotten_from_a_state_that_is_0_is_wrong():
    """Of the numbers that are there it is right: the first state of a recurrent network is 0."""
    lines = "h1 = np.tanh(x1 @ Wx + h0 @ Wh)\nh2 = np.tanh(x2 @ Wx + h1 @ Wh)\nL = ((h2 - y) ** 2).sum()"
    rng = np.random.default_rng(0)
    weights = {"Wx": rng.standard_normal((2, 3)), "Wh": rng.standard_normal((3, 3))}
    data = {name: rng.standard_normal((4, columns)) for name, columns in (("x1", 2), ("x2", 2), ("y", 3))}
    ask = Exercises(program(lines, weights, data | {"h0": np.zeros((4, 3))}))
    step = ask.traces[0].step("dWh")
    one, other = (eval(f"lambda {', '.join(step.operands)}: {code}") for code in (step.code, step.code.split(" + ")[0]))
    assert ask("dWh", one).feedback
    assert not ask("dWh", other).feedback


def test_what_is_0_but_for_rounding_in_one_problem_is_judged_by_the_others():
    """As where a logistic regression starts from 0, with as many of either class."""
    X, y = np.random.default_rng(0).standard_normal((6, 2)), np.array([[1.0], [1], [1], [0], [0], [0]])
    ask = Exercises(Problem(Network([Linear(np.zeros((2, 1)), [[0.0]])]), SigmoidCrossEntropy(), X, y, lr=0.1))
    assert abs(ask.traces[0]["db1"]) < 1e-16
    assert ask("db1", lambda dy_pred: dy_pred.sum(axis=0, keepdims=True)).feedback.ok
    for wrong in (lambda dy_pred: dy_pred.mean(axis=0, keepdims=True), lambda dy_pred: 0 * dy_pred[:1]):
        assert ask("db1", wrong).feedback.message.startswith("Right for the first problem, but not for another one")
    assert "wrong lines give that, too" in ask("db1", [[0.0]]).feedback.message
