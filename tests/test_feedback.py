"""Feedback on an answer: never a complaint about a right one, the mistake's name for a wrong one, a sentence for the rest."""

import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from html import unescape

import numpy as np
import pytest
from problems import ACTIVATIONS
from test_mistakes import BY_NAME, varied_problem

from backprop_lab import (
    MISTAKES,
    Linear,
    MeanSquaredError,
    Network,
    Problem,
    ReLU,
    SumSquaredError,
    check,
    plant,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.feedback import Feedback

EXAMPLE = trace(worked_example())


def in_other_numbers(problem, kind):
    """The same problem, its numbers of another type."""
    layers = tuple(
        Linear(layer.W.astype(kind), layer.b.astype(kind)) if isinstance(layer, Linear) else layer
        for layer in problem.network.layers
    )
    return Problem(Network(layers), problem.loss, problem.X.astype(kind), problem.y.astype(kind), problem.lr)


def printed(value):
    """What NumPy prints, read back: eight decimals."""
    with np.printoptions(threshold=10**6, floatmode="fixed", precision=8, suppress=True):
        numbers = re.sub(r"[\[\]\s]+", " ", np.array2string(np.asarray(value))).split()
    return np.array([float(number) for number in numbers]).reshape(np.shape(value))


# The three promises, with their figures


def test_ten_thousand_right_answers_within_rounding_are_right(capsys):
    """As another program, another precision, another order of summation, or a pair of eyes at the screen gives them."""
    answers = Counter()
    rng = np.random.default_rng(0)
    for seed in range(170):
        problem = varied_problem(seed)
        t = trace(problem)
        float32, longdouble = (trace(in_other_numbers(problem, kind)) for kind in (np.float32, np.longdouble))
        order = rng.permutation(len(problem.X))
        shuffled = trace(Problem(problem.network, problem.loss, problem.X[order], problem.y[order], problem.lr))
        for step in t.steps:
            name, value = step.name, np.asarray(step.value)
            others = {
                "all in float32": float32[name],
                "all in longdouble": longdouble[name],
                "stored as float32": value.astype(np.float32),
                "off in the twelfth digit": value * (1 + rng.uniform(-9e-12, 9e-12, value.shape)),
            }
            if np.max(np.abs(value), initial=0) >= 1e-4:
                others["read off the screen"] = printed(value)
            if name[:2] in ("dW", "db", "L") or name.endswith("_new"):
                others["samples in another order"] = shuffled[name]
            for how, answer in others.items():
                feedback = check(name, answer, t)
                assert feedback.ok, (seed, name, how, str(feedback))
                answers[how] += 1
    assert answers.total() >= 10_000
    with capsys.disabled():
        print(f"\n  {answers.total()} right answers, no complaint: {dict(answers)}")  # noqa: T201


def test_every_mistake_is_named_on_two_hundred_problems(capsys):
    """One answer for each problem: the mistake made at a place drawn by lot, where it does not happen to be right."""
    rng = np.random.default_rng(0)
    problems, alone, harmless, seed = Counter(), Counter(), 0, 0
    while min(problems[mistake.name] for mistake in MISTAKES) < 200:
        t = trace(varied_problem(seed))
        for mistake in MISTAKES:
            if problems[mistake.name] == 200:
                continue
            for index in rng.permutation(len(t.steps)):
                name = t.steps[index].name
                wrong = mistake.wrong(t, name)
                if wrong is None:
                    continue
                feedback = check(name, wrong, t)
                if feedback.ok:
                    np.testing.assert_allclose(wrong, t[name], rtol=1e-5, atol=1e-7, err_msg="right by coincidence")
                    harmless += 1
                    continue
                assert mistake.name in feedback.cause, (seed, mistake.name, name, str(feedback))
                assert mistake.resemblance(t, name) in str(feedback)
                problems[mistake.name] += 1
                alone[mistake.name] += set(feedback.cause) <= {"shape", mistake.name}
                break
        seed += 1
    twins = {mistake: 200 - alone[mistake] for mistake in BY_NAME if alone[mistake] < 200}
    figures = f"""
  {len(MISTAKES)} mistakes, each on 200 problems of {seed}: all {problems.total()} named, {alone.total()} of them alone;
  {harmless} more were harmless, being right by coincidence
  named together with another that gives the same numbers: {twins}"""
    with capsys.disabled():
        print(figures)  # noqa: T201


def test_a_thousand_random_wrong_answers_are_not_called_by_a_name_that_does_not_give_them(capsys):
    rng = np.random.default_rng(0)
    causes, wrong_names = Counter(), []
    for seed in range(250):
        t = trace(varied_problem(seed))
        for name in rng.choice([step.name for step in t.steps], 4):
            value = np.asarray(t[name], dtype=float)
            answer = [
                rng.standard_normal(value.shape),
                rng.integers(-2, 3, value.shape),
                value + rng.standard_normal(value.shape) * 10.0 ** rng.uniform(-6, 0),
                rng.permutation(value.ravel()).reshape(value.shape),
                value * rng.choice([0.0, 1.0, 2.0], value.shape),
                rng.standard_normal(tuple(rng.integers(1, 5, rng.integers(0, 3)))),
            ][rng.integers(6)]
            feedback = check(name, answer, t)
            assert feedback.ok == (np.shape(answer) == value.shape and np.allclose(answer, value, rtol=1e-9, atol=1e-9))
            for cause in feedback.cause:
                causes[cause] += 1
                if cause in BY_NAME and not reproduced(BY_NAME[cause], answer, name, t):
                    wrong_names.append((seed, name, cause))
            causes["right after all"] += feedback.ok
    assert wrong_names == []
    with capsys.disabled():
        print(f"\n  1000 random answers, no name that does not give them: {dict(causes)}")  # noqa: T201


def reproduced(mistake, answer, name, t):
    """Whether the mistake gives this answer at this name, or does when it is made at an earlier one."""
    values = [mistake.wrong(t, name)] + [plant(t, mistake, place)[name] for place in mistake.places(t)]
    return any(
        value is not None and np.shape(value) == np.shape(answer) and np.allclose(answer, value, rtol=1e-6, atol=1e-9)
        for value in values
    )


# Right, in any container

ONE = 5.25
INTEGERS = trace(
    Problem(
        Network((Linear([[1, 2]], [[0, 0]]), ReLU(), Linear([[3], [4]], [[5]]))), SumSquaredError(), [[2]], [[7]], 1
    )
)


class Table:
    """What a pandas DataFrame or a tensor is to NumPy: something with __array__."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)


@pytest.mark.parametrize(
    "contain",
    [
        np.array,
        np.ndarray.tolist,
        lambda a: tuple(map(tuple, a)),
        lambda a: [row for row in a],
        lambda a: a.astype(np.float32),
        lambda a: a.astype(np.float16),
        lambda a: a.astype(np.longdouble),
        lambda a: a.astype(complex),
        lambda a: np.asfortranarray(a),
        lambda a: np.matrix(a) if False else a[:],
        lambda a: [[Fraction(x) for x in row] for row in a],
        lambda a: [[Decimal(x) for x in row] for row in a],
        lambda a: a.astype(object),
        Table,
    ],
)
def test_a_right_answer_is_right_in_any_container(contain):
    for name in ("dW1", "db1", "W1_new", "dY1"):
        feedback = check(name, contain(EXAMPLE[name].copy()), EXAMPLE)
        assert feedback.ok, str(feedback)
        assert (feedback.cause, str(feedback), feedback.where) == ((), f"{name} is right.", None)
