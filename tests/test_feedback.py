"""Feedback: never a complaint about a right answer, the mistake's name for a wrong one, a sentence for the rest."""

import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from html import unescape

import numpy as np
import pytest
from test_mistakes import varied_problem

from backprop_lab import (
    MISTAKES,
    Linear,
    MeanSquaredError,
    Network,
    Problem,
    ReLU,
    Sigmoid,
    SumSquaredError,
    Tanh,
    check,
    plant,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.feedback import Feedback, check_function

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
    with np.printoptions(threshold=10**6):
        numbers = re.sub(r"[\[\]\s]+", " ", np.array2string(np.asarray(value))).split()
    return np.array([float(number) for number in numbers]).reshape(np.shape(value))


def as_tuple(feedback):
    return feedback.ok, feedback.cause, str(feedback)


def linear(W, X, y):
    """The trace of one matrix and no bias to speak of."""
    W = np.asarray(W)
    layers = (Linear(W, np.zeros((1, W.shape[1]), W.dtype)),)
    return trace(Problem(Network(layers), SumSquaredError(), np.asarray(X), np.asarray(y), 0.1))


# The three promises, with their figures


def test_ten_thousand_right_answers_within_rounding_are_right(capsys):
    """As another program, another precision, another order of summation, or a pair of eyes at the screen gives them."""
    answers = Counter()
    rng = np.random.default_rng(0)
    for seed in range(120):
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
                "read off the screen": printed(value),
                "off in the twelfth digit": value * (1 + rng.uniform(-9e-12, 9e-12, value.shape)),
            }
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
    while min(problems[mistake.name] for mistake in MISTAKES.values()) < 200:
        t = trace(varied_problem(seed))
        for mistake in MISTAKES.values():
            if problems[mistake.name] == 200:
                continue
            for index in rng.permutation(len(t.steps)):
                name = t.steps[index].name
                wrong = mistake.wrong_value(t, name)
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
    twins = {mistake: 200 - alone[mistake] for mistake in MISTAKES if alone[mistake] < 200}
    figures = f"""
  {len(MISTAKES)} mistakes, each on 200 problems of {seed}: all {problems.total()} named, {alone.total()} of them alone;
  {harmless} more were harmless, being right by coincidence
  named together with another that gives the same numbers: {twins}"""
    with capsys.disabled():
        print(figures)  # noqa: T201


def test_a_thousand_random_wrong_answers_are_not_called_by_a_name_that_does_not_give_them(capsys):
    rng = np.random.default_rng(0)
    causes, wrong, seed = Counter(), 0, 0
    while wrong < 1000:
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
            right = np.shape(answer) == value.shape and np.allclose(answer, value, rtol=1e-9, atol=1e-12)
            assert feedback.ok == right, (seed, name, str(feedback))
            wrong += not right
            causes.update(feedback.cause)
            for cause in MISTAKES.keys() & set(feedback.cause):
                assert reproduced(MISTAKES[cause], answer, name, t), (seed, name, cause)
        seed += 1
    with capsys.disabled():
        print(f"\n  {wrong} random wrong answers, no name that does not give them: {dict(causes)}")  # noqa: T201


def reproduced(mistake, answer, name, t):
    """Whether the mistake gives this answer at this name, or does when it is made at an earlier one."""
    values = [mistake.wrong_value(t, name)] + [plant(t, mistake, place)[name] for place in mistake.possible_at(t)]
    return any(
        value is not None and np.shape(value) == np.shape(answer) and np.allclose(answer, value, rtol=1e-6, atol=1e-9)
        for value in values
    )


# Right, in any container


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
        list,
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


def test_one_number_is_one_number_however_it_is_wrapped():
    L = EXAMPLE["L"]
    for answer in (L, float(L), [L], [[L]], np.array(L), np.float32(L), (L,), Fraction(float(L)), Decimal(float(L))):
        assert check("L", answer, EXAMPLE).ok
    assert check("lr", 1e-6, EXAMPLE).ok


def test_whole_numbers_are_right():
    problem = Problem(
        Network((Linear([[1, 2]], [[0, 0]]), ReLU(), Linear([[3], [4]], [[5]]))), SumSquaredError(), [[2]], [[7]], 1
    )
    t = trace(problem)
    assert check("Y1", [[2, 4]], t).ok
    assert check("L", 400, t).ok
    assert check("dY1", [[120, 160]], t).ok
    assert not check("dY1", [[120, 161]], t).ok


def test_every_printed_array_of_the_worked_example_is_right_as_it_was_printed():
    for name in EXAMPLE:
        if name != "lr":
            assert check(name, printed(EXAMPLE[name]), EXAMPLE).ok
    assert check("L", float(f"{EXAMPLE['L']:.12g}"), EXAMPLE).ok


def test_numbers_that_come_out_small_because_large_ones_cancel_are_right():
    """Near the end of training y_pred - y is tiny, and carries the rounding of the large numbers it came from."""
    problem = random_problem(0, samples=2, hidden=8, lr=0.01)
    while trace(problem)["L"] > 1e-16:
        problem = trace(problem).next_problem()
    t = trace(problem)
    again = trace(in_other_numbers(problem, np.longdouble))
    for step in t.steps:
        assert check(step.name, again[step.name], t).ok
    assert not check("dW1", np.zeros((3, 8)), t).ok, "small is not nothing"
    assert not check("dW1", 1.1 * t["dW1"], t).ok


def test_nothing_is_not_the_same_as_very_little():
    """NumPy prints 1e-10 as 1.e-10 and not as 0, unless there is something larger beside it."""
    layers = (Linear([[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0]]),)
    t = trace(Problem(Network(layers), SumSquaredError(), [[1e-10, 2e-10]], [[1.0, 1.0]], 0.1))
    assert not check("y_pred", [[0.0, 0.0]], t).ok
    assert check("y_pred", [[1e-10, 2e-10]], t).ok


@pytest.mark.parametrize("activation", [Tanh(), Sigmoid()])
def test_float32_is_near_enough_behind_an_activation_that_heard_nothing(activation):
    """X is 0, and so are all terms of Y1; but a sigmoid makes 1/2 of it, and the slope of either is not 0."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        W2 = rng.standard_normal((40, 1))
        layers = (Linear(np.ones((1, 40)), np.zeros((1, 40))), activation, Linear(W2 - W2.mean(), [[0.0]]))
        problem = Problem(Network(layers), SumSquaredError(), [[0.0], [0.0]], [[1.0], [2.0]], 0.1)
        t, coarse = trace(problem), trace(in_other_numbers(problem, np.float32))
        for step in t.steps:
            assert check(step.name, coarse[step.name], t).ok


def cancelling(bias, y):
    """y_pred is a bias and what is left of 1 - 1: some 1e-9, of terms whose rounding is larger than 1e-16."""
    layers = (Linear([[1.0], [-1 + 2.0**-30]], [[bias]]),)
    return trace(Problem(Network(layers), SumSquaredError(), [[1.0, 1.0]], [[y]], 0.1))


@pytest.mark.parametrize("bias", [0.0, 1e-16])
def test_a_mistake_that_happens_to_be_right_is_not_named_for_an_answer_just_beyond_rounding(bias):
    t = cancelling(bias, 1.0)
    assert abs(MISTAKES["bias-forgotten"].wrong_value(t, "y_pred") - t["y_pred"]) == pytest.approx(bias)
    assert check("y_pred", t["y_pred"] + 20 * 2.0**-52, t).cause == ("value",)


def test_nor_is_one_further_up_that_happens_to_be_right():
    t = cancelling(1e-16, 0.0)
    terms = 4 - 2.0**-29
    assert check("dy_pred", t["dy_pred"] - 8 * 2.0**-52 * terms, t).ok
    assert check("dy_pred", t["dy_pred"] - 8 * 2.0**-52 * terms - 1e-16, t).cause == ("value",)


def test_a_mistake_further_up_is_named_within_the_rounding_of_all_terms():
    t = cancelling(1.0, 0.0)
    follows = plant(t, MISTAKES["bias-forgotten"], "y_pred")["dy_pred"]
    assert check("dy_pred", follows + 4e-15, t).cause == ("bias-forgotten",)


def test_large_numbers_that_nearly_cancel_in_the_loss_leave_the_rounding_of_large_numbers():
    t = linear([[1e8]], [[1.0]], [[1e8 + 1]])
    assert t["dy_pred"] == -2
    assert check("dy_pred", [[-2 + 3e-7]], t).ok
    assert not check("dy_pred", [[-2 + 3e-6]], t).ok


def test_where_two_sigmoids_cancel_eight_roundings_of_1_are_allowed_and_no_more():
    """Each is 1/2. Before them stands 0 x 1 + 0, which is 0 however it is computed."""
    layers = (Linear([[1.0, 1.0]], [[0.0, 0.0]]), Sigmoid(), Linear([[1.0], [-1.0]], [[0.0]]))
    t = trace(Problem(Network(layers), SumSquaredError(), [[0.0]], [[1.0]], 0.1))
    assert check("y_pred", [[7 * 2.0**-52]], t).ok
    assert not check("y_pred", [[9 * 2.0**-52]], t).ok
    assert not check("Y1", [[2.0**-52, 0.0]], t).ok


@pytest.mark.parametrize("activation", [Tanh(), Sigmoid()])
def test_what_vanishes_in_float32_and_not_in_float64_is_right_all_the_same(activation):
    """A sigmoid of -110 is 10^-48, which a float32 cannot hold."""
    layers = (Linear([[-110.0, 0.5]], [[0.0, 0.0]]), activation, Linear([[3.0], [1e3]], [[0.0]]))
    problem = Problem(Network(layers), SumSquaredError(), [[1.0], [0.9]], [[1.0], [2.0]], 0.1)
    t, coarse = trace(problem), trace(in_other_numbers(problem, np.float32))
    assert activation == Tanh() or 0 < t["H1"][0, 0] < 1e-47
    for step in t.steps:
        assert check(step.name, coarse[step.name], t).ok, step.name


def test_numbers_too_small_to_tell_apart_from_rounding_elsewhere_are_not_called_transposed():
    t = linear([[1.0, 2.0]], [[1e-10]], [[0.0, 0.0]])
    assert check("dW1", t["dW1"].T, t).cause == ("shape", "result-transposed")
    assert check("dW1", np.full((2, 1), 1e-18), t).cause == ("shape",)


def test_a_typo_among_numbers_read_off_the_screen_is_the_only_one_that_differs():
    answer = printed(EXAMPLE["dW1"])
    answer[1, 2] += 1
    feedback = check("dW1", answer, EXAMPLE)
    assert feedback.where == (1, 2)
    assert "1 of the 12 numbers differs." in str(feedback)


@pytest.mark.parametrize(
    ("value", "answer", "cause"),
    [
        ([[0.123456789123, 0.00123456789123]], [[0.12345679, 0.00123457]], ()),
        ([[1e-4, 1.23456789123e-6]], [[1e-4, 1.23e-6]], ()),
        ([[5.12345678e-5]], [[5.123e-5]], ("value",)),
        ([[100.0, 3.7]], [[100.0, 4.0]], ("rounded",)),
        ([[100.0, 3.7]], [[100.0, 5.0]], ("value",)),
        ([[200.0, 1 - 0.5000001]], [[200.0, 1.0]], ("rounded",)),
        ([[200.0, 0.0]], [[200.0, 1e-9]], ("rounded",)),
    ],
)
def test_eight_decimals_are_as_printed_and_fewer_are_rounded_unless_hardly_a_digit_is_left(value, answer, cause):
    assert check("y_pred", answer, linear(value, [[1.0]], [[0.0] * len(value[0])])).cause == cause


def test_an_answer_that_is_given_is_compared_like_any_other():
    for name in ("X", "y", "W1", "b2", "lr"):
        assert check(name, np.copy(EXAMPLE[name]), EXAMPLE).ok
        assert check(name, EXAMPLE[name] + 1, EXAMPLE).cause == ("value",)


def test_an_update_that_was_forgotten_is_wrong_at_the_smallest_learning_rate():
    """At 1e-6 the update changes the sixth digit, which even a float32 has."""
    for kind in (np.float64, np.float32):
        feedback = check("W1_new", EXAMPLE["W1"].astype(kind), EXAMPLE)
        assert "not-updated" in feedback.cause
        assert check("W1_new", EXAMPLE["W1_new"].astype(kind), EXAMPLE).ok


# What is said of a wrong one


def typo(name, where, value):
    answer = np.array(EXAMPLE[name])
    answer[where] = value
    return answer


E = EXAMPLE
SAID = [
    ("dY1", E["dH1"], ("mask-forgotten", "mask-always-true"),
     "This looks like dH1: the ReLU's mask is missing; or like a mask that asks whether H1 >= 0"),
    ("dW1", -E["dW1"], ("sign-flipped",), "This looks like dW1 with its sign flipped."),
    ("dH1", E["dy_pred"] @ E["dW2"].T, ("gradient-for-weights",), "This looks like dW2 used where W2 was meant."),
    ("L", 2 * np.mean(E["y_pred"] - E["y"]), ("loss-not-squared",),
     "This looks like twice the mean of the differences"),
    ("L", E["L"] / 2, ("mean-for-sum", "loss-halved"),
     (
         "This looks like a mean over the batch where the sum was meant; or like half the loss: this one has "
         "no 1/2 in front."
     )),
    ("db1", E["dY1"].sum(axis=0), ("shape", "dimension-dropped"),
     (
         "Your db1 has shape (4,); it should have shape (1, 4), like b1. This looks like db1 with its "
         "dimension dropped: sum with keepdims=True, and it stays one row. The numbers themselves are right."
     )),
    ("db1", E["dY1"], ("shape", "sum-forgotten"),
     "This looks like dY1, one row for each sample: the sum over the samples is missing."),
    ("db1", E["dY1"].sum(), ("shape", "axis-forgotten"),
     "Your db1 is one number; it should have shape (1, 4), like b1."),
    ("dW1", E["dW1"].T, ("shape", "result-transposed"),
     "Your dW1 has shape (4, 3); it should have shape (3, 4), like W1. This looks like dW1 transposed."),
    ("W1_new", E["W1"][:2], ("shape",), "Your W1_new has shape (2, 4); it should have shape (3, 4), like W1."),
    ("Y1", np.zeros((1, 2, 4)), ("shape",), "Your Y1 has shape (1, 2, 4); it should have shape (2, 4)."),
    ("dW1", E["dW1"].ravel(), ("shape",), "The numbers themselves are right."),
    ("L", [1.0, 2.0], ("shape",), "Your L has shape (2,); it should be one number."),
    ("dW1", [], ("shape",), "Your dW1 is empty."),
    ("dW1", typo("dW1", (0, 2), 1.5), ("value",),
     "dW1[0, 2] should be −31.98, and yours is 1.5. 1 of the 12 numbers differs."),
    ("dW1", typo("dW1", (2, 3), E["dW1"][2, 3] * (1 + 1e-9)), ("value",),
     (
         "dW1[2, 3] should be −37.99418556, and yours is −37.99418559. 1 of the 12 numbers differs. It is "
         "right to about 9 digits, and off by more than rounding: a gradient by finite differences is like "
         "that, or one of numbers copied by hand."
     )),
    ("dW1", 3 * E["dW1"], ("value",),
     (
         "dW1[0, 0] should be 21.76, and yours is 65.29. 12 of the 12 numbers differ. Each of your numbers is "
         "3 times what it should be."
     )),
    ("dW1", E["dW1"] * (1 + 2e-7), ("value",),
     (
         "dW1[0, 0] should be 21.7635, and yours is 21.763504. 12 of the 12 numbers differ. It is right to "
         "about 7 digits, and off by more than rounding: a gradient by finite differences is like that, or "
         "one of numbers copied by hand."
     )),
    ("dW1", 0 * E["dW1"], ("value",), "12 of the 12 numbers differ. All your numbers are 0."),
    ("db1", E["dY1"].sum(axis=1), ("shape", "sum-over-units"),
     "Your db1 has shape (2,); it should have shape (1, 4), like b1. This looks like a sum along the rows"),
    ("db1", E["dY1"].mean(axis=0), ("shape", "mean-for-sum"),
     "Your db1 has shape (4,); it should have shape (1, 4), like b1. This looks like a mean over the batch"),
    ("L", 5, ("value",), "Your L is 5: too small."),
    ("L", 500, ("value",), "Your L is 500: too large."),
    ("dW1", np.round(E["dW1"], 2), ("rounded",), "These are the right numbers rounded to 2 decimals."),
    ("dW1", E["X"].T @ np.maximum(E["dH1"], 0), ("mask-from-gradient",),
     (
         "The slip is further up, and this follows from it: dY1 looks like dH1 with its negative numbers set "
         "to 0"
     )),
    ("W1_new", E["W1"] - 1e-6 * E["X"].T @ E["dH1"],
     ("activation-skipped-backward", "mask-forgotten", "mask-always-true"),
     "The slip is further up, and this follows from it: "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "answer", "cause", "said"), SAID, ids=[f"{name}-{cause}" for name, _, cause, _ in SAID]
)
def test_a_wrong_answer_is_told_what_is_wrong_with_it(name, answer, cause, said):
    feedback = check(name, answer, EXAMPLE)
    assert feedback.ok is False
    assert set(feedback.cause) == set(cause)
    assert said in str(feedback)
    assert ("Every number" in str(feedback)) == ("Every number" in said)
    assert feedback.cause[0] == "shape" or feedback.where is not None


def test_an_old_weight_is_not_called_a_new_one_right_to_some_digits():
    """At a small learning rate old and new weights agree to many digits, whatever was subtracted."""
    wrong = E["W1"] - E["lr"]
    assert np.allclose(wrong, E["W1_new"], rtol=1e-3)
    assert "digits" not in str(check("W1_new", wrong, E))


ONE = linear([[2.0]], [[1.0]], [[5.0]])  # dW is -6
ONE_INPUT_IS_0 = linear(np.ones((2, 2)), [[1.0, 0.0], [2.0, 0.0]], np.zeros((2, 2)))  # dW is 10, 10 and 0, 0
NOTHING_TO_LEARN = linear(np.ones((2, 2)), [[1.0, 1.0], [2.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]])  # dW is 0
NUMBERS = [
    (ONE, [[7.0]], "dW1[0, 0] should be −6, and yours is 7."),
    (ONE, [[-0.0]], "dW1[0, 0] should be −6, and yours is 0."),
    (ONE_INPUT_IS_0, [[10, 7], [0, 0]], "dW1[0, 1] should be 10, and yours is 7. 1 of the 4 numbers differs."),
    (
        ONE_INPUT_IS_0,
        [[0, 0], [0, 0]],
        "dW1[0, 0] should be 10, and yours is 0. 2 of the 4 numbers differ. All your numbers are 0.",
    ),
    (
        ONE_INPUT_IS_0,
        [[10 / 3, 10 / 3], [0, 0]],
        (
            "dW1[0, 0] should be 10, and yours is 3.333. 2 of the 4 numbers differ. "
            "Each of your numbers is 0.3333 times what it should be."
        ),
    ),
    (
        ONE_INPUT_IS_0,
        [[10 / 3, 10 / 3], [0, 1e-3]],
        "dW1[0, 0] should be 10, and yours is 3.333. 3 of the 4 numbers differ.",
    ),
    (
        NOTHING_TO_LEARN,
        [[-0.5, 0], [-0.5, -0.5]],
        "dW1[0, 0] should be 0, and yours is −0.5. 3 of the 4 numbers differ.",
    ),
]


@pytest.mark.parametrize(("t", "answer", "said"), NUMBERS)
def test_the_first_number_that_differs_is_told_and_how_many_do(t, answer, said):
    assert str(check("dW1", answer, t)) == said


@pytest.mark.parametrize(
    ("value", "answer", "near"),
    [(1e4, 1e4 + 0.9, True), (1e4, 1e4 + 1, False), (1e-6, 2e-6, False), (0.0, 1e-9, False)],
)
def test_an_answer_is_right_to_some_digits_only_if_it_is_so_by_its_own_size(value, answer, near):
    t = linear([[value, value]], [[1.0]], [[0.0, 0.0]])
    said = str(check("y_pred", [[value, answer]], t))
    assert "1 of the 2 numbers differs." in said
    assert ("right to about 4 digits" in said) == ("digits" in said) == near


def test_a_multiple_is_told_of_large_numbers_up_to_six_digits_and_not_of_small_ones_that_are_none():
    uneven = 1 + 1e-7 * np.sin(np.arange(12).reshape(3, 4))
    assert "Each of your numbers is 3 times" in str(check("dW1", 3 * E["dW1"] * uneven, EXAMPLE))
    small = linear([[1e-10, 2e-10]], [[1.0]], [[0.0, 0.0]])
    assert "Every number" not in str(check("y_pred", [[5e-10, -3e-10]], small))


def test_nothing_is_told_as_0_whatever_its_sign():
    layers = (Linear([[-1.0, 1.0]], [[0.0, 0.0]]), ReLU(), Linear([[1.0], [1.0]], [[0.0]]))
    t = trace(Problem(Network(layers), SumSquaredError(), [[1.0]], [[2.0]], 0.1))
    assert np.signbit(t["dY1"][0, 0]), "-2 through a closed ReLU is -0"
    assert str(check("dY1", [[1.0, -2.0]], t)).startswith("dY1[0, 0] should be 0, and yours is 1.")


def test_one_number_that_is_off_by_little_does_not_make_all_of_them_a_multiple():
    answer = E["W1_new"].copy()
    answer[0, 0] *= 1 + 1e-8
    assert str(check("W1_new", answer, EXAMPLE)).endswith("1 of the 12 numbers differs.")


def test_several_slips_further_up_are_told_one_after_the_other():
    said = str(check("W1_new", E["W1"] - 1e-6 * E["X"].T @ E["dH1"], EXAMPLE))
    assert said.startswith("The slip is further up, and this follows from it: dY1 looks like dH1")
    assert "; or dY1 looks like " in said


def test_right_numbers_in_another_order_are_not_called_right():
    assert "The numbers themselves" not in str(check("dW1", E["dW1"].T, EXAMPLE))


@pytest.mark.parametrize("decimals", range(1, 8))
def test_an_answer_that_was_rounded_is_told_to_how_many_decimals(decimals):
    said = f"These are the right numbers rounded to {decimals} decimals. Hand in dW1 itself, with all its digits."
    assert str(check("dW1", np.round(E["dW1"], decimals), EXAMPLE)) == said


def test_so_few_digits_that_they_may_be_chance_are_not_called_rounded():
    assert np.abs(E["dW1"]).max() < 100
    assert check("dW1", np.round(E["dW1"]), EXAMPLE).cause == ("value",)
    hundred = linear([[1.0]], [[1.0]], [[-49.3]])
    assert check("dW1", [[101.0]], hundred).cause == ("rounded",), "of 100.6"


def test_a_complex_gradient_that_is_zero_to_the_last_bit_is_right():
    problem = worked_example()
    nothing = trace(replace(problem, X=np.zeros_like(problem.X, dtype=complex)))
    assert check("dW1", np.array(nothing["dW1"]), nothing)


def test_a_trace_of_complex_numbers_takes_complex_answers():
    t = linear([[1 + 1j, 2], [0.5, 1j]], [[1, 2j]], [[0.0, 1]])
    dW1 = t["dW1"]
    assert np.iscomplexobj(dW1)
    for right in (dW1, dW1.tolist(), dW1.astype(object)):
        assert check("dW1", right, t).ok
    assert check("dW1", -dW1, t).cause == ("sign-flipped",)
    said = "dW1[0, 0] should be 2+4j, and yours is 2+5j. 4 of the 4 numbers differ."
    assert as_tuple(check("dW1", dW1 + 1j, t)) == (False, ("value",), said)


def test_where_is_the_first_cell_that_differs():
    assert check("dW1", typo("dW1", (1, 3), 0), EXAMPLE).where == (1, 3)
    assert check("dW1", typo("dW1", (1, 3), np.nan), EXAMPLE).where == (1, 3)
    assert check("dW1", with_hole(...), EXAMPLE).where == check("dW1", with_hole({}), EXAMPLE).where == (1, 2)
    assert str(check("L", np.nan, EXAMPLE)).startswith("L is nan in yours")
    assert check("L", 5, EXAMPLE).where == ()
    assert check("dW1", E["dW1"].T, EXAMPLE).where is None


def test_no_feedback_gives_the_answer_away():
    """Of all the numbers of the answer, no more than the one of the first cell that differs is in the message."""
    for name, answer, *_ in SAID:
        said = str(check(name, answer, EXAMPLE))
        given_away = [x for x in np.ravel(EXAMPLE[name]) if any(f"{x:.{d}g}" in said for d in (4, 5, 6, 8))]
        assert len(given_away) <= 1, said
        assert EXAMPLE.step(name).code not in said


def test_a_mistake_in_float32_is_named_too():
    """Where single precision can tell the mistake from the right value at all."""
    for seed in range(24):
        problem = varied_problem(seed)
        t, coarse = trace(problem), trace(in_other_numbers(problem, np.float32))
        for mistake in MISTAKES.values():
            for name in mistake.possible_at(coarse):
                feedback = check(name, mistake.wrong_value(coarse, name), t)
                assert feedback.ok or mistake.name in feedback.cause, str(feedback)


# What is no answer at all


class RecordsGradients:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


class OnTheGraphicsCard:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.\nmore")


class Broken:
    def __init__(self, reason=""):
        self.reason = reason

    def __array__(self, dtype=None, copy=None):
        raise ValueError(self.reason)


def with_hole(item):
    rows = EXAMPLE["dW1"].tolist()
    rows[1][2] = item
    return rows


LOOP = []
LOOP.append(LOOP)

NO_ANSWER = [
    (None, "blank", "Put your dW1 in place of the blank."),
    (..., "blank", "Put your dW1 in place of the blank."),
    (with_hole(None), "blank", "There is still a blank at dW1[1, 2]."),
    (with_hole(...), "blank", "There is still a blank at dW1[1, 2]."),
    (with_hole(np.nan), "not-finite",
     "dW1[1, 2] is nan in yours: look for a division by 0 or a number that grew too large."),
    (with_hole(-np.inf), "not-finite", "dW1[1, 2] is −inf in yours"),
    ([[1, 2, 3], [4, 5]], "unreadable",
     "The rows of your dW1 differ in length: a matrix has equally many numbers in every row."),
    ("X.T @ dY1", "unreadable", "Your dW1 is text: write numbers, and names of arrays, without quotes."),
    (b"1", "unreadable", "Your dW1 is text"),
    ([["1", "2"]], "unreadable", "Your dW1 has text in it: write numbers without quotes."),
    (with_hole("7"), "unreadable", "Your dW1 has text in it"),
    (with_hole(1j), "complex", "Your dW1 has complex numbers in it, but dW1 is real."),
    ({"W1": 1}, "unreadable", "Your dW1 is a dictionary: take dW1 out of it, by its key in square brackets."),
    ({1.0, 2.0}, "unreadable", "Your dW1 is a set, not an array of numbers."),
    ((x for x in [1, 2]), "unreadable", "Your dW1 is a generator, not an array of numbers."),
    (EXAMPLE, "unreadable", "Your dW1 is a trace: take dW1 out of it, by its key in square brackets."),
    (with_hole({}), "unreadable", "dW1[1, 2] is a dict in yours, not a number."),
    (np.sum, "unreadable", "Your dW1 is a function, not what it returns: call it, with parentheses."),
    (lambda X, dY: X.T @ dY, "unreadable", "Your dW1 is a function"),
    (np.array(["2026-01-01"], dtype="datetime64[D]"), "unreadable", "Your dW1 holds datetime64[D], not numbers."),
    (with_hole(10**400), "unreadable", "Your dW1 cannot be read as numbers: int too large to convert to float."),
    (RecordsGradients(), "unreadable", "Your dW1 is a tensor that still records gradients: hand in dW1.detach()."),
    (OnTheGraphicsCard(), "unreadable",
     (
         "Your dW1 cannot be read as numbers: can't convert cuda:0 device type tensor to numpy. Use "
         "Tensor.cpu() first."
     )),
    (Broken(), "unreadable", "Your dW1 cannot be read as numbers: ValueError."),
    (Table([["a"]]), "unreadable", "Your dW1 has text in it"),
    (Table(np.array(with_hole("7"), dtype=object)), "unreadable", "dW1[1, 2] is text in yours, not a number."),
    (5, "shape", "Your dW1 is one number; it should have shape (3, 4), like W1."),
    (True, "shape", "Your dW1 is one number"),
    (np.zeros((0, 4)), "shape", "Your dW1 is empty."),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "cause", "said"), NO_ANSWER, ids=[said[:50] for *_, said in NO_ANSWER])
def test_whatever_is_handed_in_gets_a_sentence(answer, cause, said):
    feedback = check("dW1", answer, EXAMPLE)
    assert feedback.ok is False
    assert feedback.cause == (cause,)
    assert said in str(feedback)
    assert str(feedback).endswith(".")


def test_a_list_that_holds_itself_gets_a_sentence():
    assert not check("dW1", LOOP, EXAMPLE).ok


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dw1", 1, EXAMPLE), "There is no 'dw1' here. Did you mean dW1? There is X, y, W1"),
        (("y_perd", 1, EXAMPLE), "Did you mean y_pred?"),
        (("gradient", 1, EXAMPLE), "There is no 'gradient' here. There is X, y, W1"),
        (("dW1", EXAMPLE, EXAMPLE["dW1"]), "check takes a name, your answer and a trace: check('dW1', dW1, t)."),
        ((EXAMPLE["dW1"], "dW1", EXAMPLE), "check takes a name, your answer and a trace"),
        (("dW1", EXAMPLE["dW1"], worked_example()), "check takes a name, your answer and a trace"),
    ],
)
def test_a_wrong_name_or_order_gets_a_sentence(arguments, said):
    feedback = check(*arguments)
    assert feedback.ok is False
    assert feedback.cause == ("name",)
    assert said in str(feedback)


def test_after_the_training_has_diverged_nothing_is_called_wrong_or_right_that_cannot_be():
    problem = random_problem(0, lr=1e200)
    for _ in range(2):
        with np.errstate(all="ignore"):
            problem = trace(problem).next_problem()
    with np.errstate(all="ignore"):
        t = trace(problem)
    assert not np.isfinite(t["dW1"]).all()
    same = check("dW1", t["dW1"].copy(), t)
    assert same.ok
    assert same.cause == ()
    assert str(same).startswith("dW1 is the same here, but no longer finite: the training has diverged")
    other = check("dW1", np.ones((3, 4)), t)
    assert (other.ok, other.cause) == (False, ("diverged",))
    assert str(other).startswith("dW1 is no longer finite here: the training has diverged")
    assert "smaller learning rate" in str(other)
    assert check("dW1", np.ones((4, 3)), t).cause == ("shape",)
    for step in t.steps:
        assert check(step.name, np.array(step.value), t).ok


def test_numbers_whose_terms_overflow_though_they_do_not_are_still_compared():
    layers = Linear([[2.0**600, -(2.0**600)]], [[0, 0]]), Linear([[2.0**-80], [2.0**-80]], [[1]])
    problem = Problem(Network(layers), MeanSquaredError(), [[1.0]], [[0.0]], 1.0)
    t = trace(problem)
    assert t["L"] == 1
    assert check("L", 1, t).ok
    assert check("L", 3, t).cause == ("value",)


@pytest.mark.parametrize("huge", [1e308, -1e160, 5e-324, np.longdouble("1e4000"), 10**300])
def test_numbers_at_the_ends_of_the_range_get_a_sentence_and_no_warning(huge):
    for name in ("dW1", "L", "W1_new"):
        assert not check(name, np.full(np.shape(EXAMPLE[name]), huge), EXAMPLE).ok
        assert not check(name, np.sign(EXAMPLE[name]) * huge, EXAMPLE).ok


def test_a_trace_of_fractions_is_checked_too():
    half = Fraction(1, 2)
    layers = (Linear([[half, -half], [3, 1]], [[half, 1]]), ReLU(), Linear([[1], [half]], [[2]]))
    t = trace(Problem(Network(layers), SumSquaredError(), [[half, 2], [1, -3]], [[1], [half]], half))
    assert t["dW1"].dtype == object
    for step in t.steps:
        assert check(step.name, step.value, t).ok
        assert check(step.name, np.asarray(step.value, dtype=float), t).ok
    assert "mask-forgotten" in check("dY1", t["dH1"], t).cause
    assert check("dW1", t["dW1"] + 1, t).cause == ("value",)


def test_an_answer_is_never_written_to():
    answer = EXAMPLE["dW1"].copy()
    answer[0, 0] += 1
    before = answer.tobytes()
    check("dW1", answer, EXAMPLE)
    assert answer.tobytes() == before
    assert answer.flags.writeable


def test_checking_against_a_planted_trace_takes_its_values_for_right():
    wrong = plant(EXAMPLE, MISTAKES["mask-forgotten"], "dY1")
    assert check("dW1", wrong["dW1"], wrong).ok
    assert not check("dW1", EXAMPLE["dW1"], wrong).ok


# A function in place of an array

OTHER = trace(random_problem(1, samples=3))


def raises(error):
    def answer(H1):
        raise error

    return answer


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((7, np.sum, [EXAMPLE]), "Name the exercise first, as text, then your function; the name is a int."),
        (("H1", np.abs, []), "There is nothing to try H1 on: give at least one trace."),
        (("h1", lambda Y1: Y1, [EXAMPLE]), str(check("h1", 0, EXAMPLE))),
        (
            ("Y1", lambda X, b: X, [EXAMPLE]),
            "Your Y1 asks for 'b', which is not known yet. Before Y1 you have X, y, W1, b1, W2, b2, lr.",
        ),
    ],
)
def test_a_function_that_cannot_be_tried_gets_a_sentence(arguments, said):
    assert as_tuple(check_function(*arguments)) == (False, ("name",), said)


def test_what_is_no_function_is_an_answer_like_any_other():
    assert as_tuple(check_function("H1", None, [EXAMPLE])) == as_tuple(check("H1", None, EXAMPLE))
    assert check_function("H1", EXAMPLE["H1"], [EXAMPLE]).ok


def test_a_function_that_returns_nothing_is_blank():
    said = "Your H1 returns nothing yet: write `return` in front of your answer."
    assert as_tuple(check_function("H1", lambda Y1: None, [EXAMPLE, OTHER])) == (False, ("blank",), said)
    assert check_function("H1", lambda Y1: ... if len(Y1) == 3 else np.maximum(Y1, 0), [EXAMPLE, OTHER]).message == (
        "Put your H1 in place of the blank."
    )


def test_an_argument_with_a_default_is_given_only_what_is_known():
    assert check_function("H1", lambda Y1=None, least=0: np.maximum(Y1, least), [EXAMPLE, OTHER]).ok


class HidesItsArguments:
    __signature__ = "none"

    def __call__(self, **names):
        return names


@pytest.mark.parametrize("function", [type, HidesItsArguments()], ids=["no signature", "no readable signature"])
def test_a_function_whose_arguments_cannot_be_read_is_not_called(function):
    assert as_tuple(check_function("H1", function, [EXAMPLE])) == (
        False, ("unreadable",), "Write your own function for H1, with def.",
    )  # fmt: skip


def test_wrong_at_the_first_problem_is_told_as_if_there_were_no_other():
    assert as_tuple(check_function("H1", lambda Y1: -Y1, [EXAMPLE, OTHER])) == as_tuple(
        check("H1", -EXAMPLE["Y1"], EXAMPLE)
    )


def test_wrong_at_another_problem_alone_is_told_with_its_shapes_and_cell():
    def first_two(dY1):
        return dY1[:1] + dY1[1:2]

    feedback, there = check_function("db1", first_two, [EXAMPLE, OTHER]), check("db1", first_two(OTHER["dY1"]), OTHER)
    said = f"Right for the first problem, but not for another one, with X (3, 3), y (3, 2). {there}"
    assert as_tuple(feedback) == (False, there.cause, said)
    assert feedback.where == there.where is not None


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda: 1 / 0, "ZeroDivisionError: division by zero. It was given nothing."),
        (raises(SystemExit("enough")), "SystemExit: enough. It was given H1 (2, 4)."),
        (raises(ValueError("\n no X..\ntwo")), "ValueError: no X. It was given H1 (2, 4)."),
        (
            lambda H1, dy_pred: H1 @ dy_pred,
            (
                "ValueError: in a product @ the first matrix needs as many columns as the second has "
                "rows, and here the "
                "first has 4 and the second 2. It was given H1 (2, 4), dy_pred (2, 2)."
            ),
        ),
        (
            lambda L: L @ H1 + y_pred,  # noqa: F821
            "NameError: name 'H1' is not defined. It was given L (). It uses H1 and y_pred, which it was not given.",
        ),
        (lambda X: X.X, "AttributeError: 'numpy.ndarray' object has no attribute 'X'. It was given X (2, 3)."),
    ],
)
def test_what_a_function_raises_is_told_with_what_it_was_given(function, said):
    assert as_tuple(check_function("dW2", function, [EXAMPLE])) == (False, ("raised",), f"Your dW2 stopped with {said}")


def test_a_function_may_write_into_what_it_is_given():
    def relu(Y1):
        Y1[Y1 < 0] = 0
        return Y1

    assert check_function("H1", relu, [EXAMPLE, OTHER]).ok


def test_a_callable_object_that_raises_is_told_like_a_function():
    class Raises:
        def __call__(self, H1):
            raise ValueError("no")

    assert check_function("dW2", Raises(), [EXAMPLE]).cause == ("raised",)


# How it is shown


def test_feedback_is_a_truth_value_and_a_sentence():
    right, wrong = check("dW1", E["dW1"], EXAMPLE), check("dY1", E["dH1"], EXAMPLE)
    assert bool(right) is right.ok is True
    assert bool(wrong) is wrong.ok is False
    assert str(wrong) == repr(wrong) == wrong.message
    with pytest.raises(AssertionError, match="This looks like dH1: the ReLU's mask is missing"):
        assert check("dY1", E["dH1"], EXAMPLE)


def test_in_a_notebook_it_is_a_box_in_the_colours_of_the_theme():
    boxes = {
        "Right.": check("dW1", E["dW1"], EXAMPLE),
        "Not yet.": check("dW1", E["dW1"].T, EXAMPLE),
        "Your turn.": check("dW1", ..., EXAMPLE),
    }
    colours = set()
    for heading, feedback in boxes.items():
        html = feedback._repr_html_()
        assert f"<b>{heading}</b>" in html
        assert str(feedback) in unescape(html)
        assert "border-left: 0.3em solid var(--jp-" in html
        variables = re.findall(r"var\(([^()]*(?:\([^()]*\))?[^()]*)\)", html)
        assert len(variables) == 3
        assert all(variable.startswith("--jp-") and ", " in variable for variable in variables), "each has a fallback"
        colours.add(variables[0])
    assert len(colours) == 3


def test_nothing_in_the_box_is_taken_for_html():
    html = check("<script>alert('x')</script>", 1, EXAMPLE)._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&gt;= 0" in check("dY1", E["dH1"], EXAMPLE)._repr_html_()
    assert Feedback(False, ("value",), '"&<>')._repr_html_().count("<") == 4


def test_what_stands_between_backticks_is_shown_as_code():
    assert "write <code>a &lt; b</code> now" in Feedback(False, ("value",), "write `a < b` now")._repr_html_()


def test_why_something_cannot_be_read_is_told_by_the_first_line_of_the_error():
    said = "Your dW1 cannot be read as numbers: ..no X."
    assert str(check("dW1", Broken("\n ..no X..\nmore"), EXAMPLE)) == said
