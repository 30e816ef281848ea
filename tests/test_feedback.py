"""Feedback: never a complaint about a right answer, the mistake's name for a wrong one, a sentence for the rest."""

import itertools
import math
import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from inspect import signature
from typing import ClassVar

import common
import numpy as np
import pytest
from common import OVERFLOWING, check_cases, count, in_other_numbers, raises, through, trained, with_numbers
from known_programs import FORTY, programmed
from own_parts import OWN_PROBLEMS
from own_parts import BinaryCrossEntropy as OwnBinaryCrossEntropy
from problems import varied_problem, whole_problem

import backprop_lab
from backprop_lab import (
    EXAMPLES,
    L2,
    MISTAKES,
    Adam,
    Momentum,
    Network,
    Problem,
    Tanh,
    check,
    drill,
    plant,
    program,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.checks.rounding import terms_in
from backprop_lab.feedback import explaining
from backprop_lab.feedback.check import Feedback, check_function
from backprop_lab.feedback.factors import common_factors
from backprop_lab.feedback.patterns import seen_in
from backprop_lab.nn.activations import ReLU, Sigmoid
from backprop_lab.nn.layers import Linear
from backprop_lab.nn.losses import BinaryCrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy
from backprop_lab.nn.norms import BatchNorm, LayerNorm
from backprop_lab.nn.steps import Lines
from backprop_lab.step.trace import Trace
from backprop_lab.ui import Exercises


def retyped(a, where, item):
    rows = np.asarray(a).tolist()
    rows[where[0]][where[1]] = item
    return rows


def printed(value):
    """What NumPy prints, read back: eight decimals."""
    with np.printoptions(threshold=10**6):
        return np.array(re.findall(r"[^\[\]\s]+", np.array2string(np.asarray(value))), float).reshape(np.shape(value))


def assert_says(feedback, cause, said):
    """That it is wrong for these causes, or right, and reads like this, in one line; ... stands for more."""
    assert (feedback.ok, " ".join(feedback.cause)) == (not cause, cause), str(feedback)
    assert re.fullmatch(re.escape(said).replace(re.escape("..."), ".*"), str(feedback)), str(feedback)


def seen(name, answer, t):
    right = np.asarray(t[name])
    return "\n".join(": ".join(p) for p in seen_in(name, np.asarray(answer) + 0.0, right, 1e-12 * np.abs(right), t))


def rows(table):
    """The parts of each line `name = code | cause | sentence`, after what stands above it at `in`."""
    for line in re.sub(r"\n {4,}", " ", table).splitlines():
        if line.startswith("in "):
            made = line.removeprefix("in ")
        elif line.startswith("  "):
            answer, cause, said = (*line.strip().split(" | "), "", "")[:3]
            name, code = answer.split(" = ", 1)
            row = made, name, code, cause, said or "..." * bool(cause) or f"{name} is right."
            yield pytest.param(row, id=answer)


def varied_traces():
    """With all our parts, in every second one; and every fifth with a reader's own, and weights large and small."""
    own = itertools.cycle(OWN_PROBLEMS.values())
    for seed in itertools.count():
        p = (varied_problem, whole_problem)[seed % 2](seed) if seed % 5 < 4 else next(own)
        if seed % 5 == 4:
            rng, parameters = np.random.default_rng(seed), p.network.parameters.items()
            drawn = {name: rng.standard_normal(a.shape) * 10.0 ** rng.uniform(-2, 0.5) for name, a in parameters}
            p = with_numbers(p, **drawn)
        yield seed, trace(p)


def test_right_answers_within_rounding_are_right():
    """As another program, another precision, another order of summation, or a pair of eyes at the screen gives them."""
    answers, rng = Counter(), np.random.default_rng(0)
    for seed, t in itertools.islice(varied_traces(), count(300)):
        p = t.problem
        samples, inputs = rng.permutation(len(p.X)), rng.permutation(p.X.shape[1])
        shuffled = trace(with_numbers(p, X=p.X[samples][:, inputs], y=p.y[samples], W1=t["W1"][inputs]))
        float32, longdouble = (trace(in_other_numbers(p, kind)) for kind in (np.float32, np.longdouble))
        for name, value in ((step.name, np.asarray(step.value)) for step in t.steps):
            others = {
                "all in float32": np.asarray(float32[name], np.float32),
                "all in longdouble": longdouble[name],
                "stored as float32": value.astype(np.float32),
                "read off the screen": printed(value + 0),  # of a truth value, 0 or 1
                "off in the twelfth digit": value * (1 + rng.uniform(-9e-12, 9e-12, value.shape)),
            }
            layers = p.network.layers  # where a mask has a row for each sample, or a norm a number for each input
            in_any_order = layers[0].learnt[:1] == ("W",) and not any(
                hasattr(each, "mask") or hasattr(each, "drawn") for each in layers
            )
            if in_any_order and "W1" not in name and (name[:2] in ("dW", "db", "da", "L") or name.endswith("_new")):
                others["samples in another order"] = shuffled[name]
            for how, answer in others.items():
                if np.isfinite(answer).all():  # a probability may be 0 in float32, and has no logarithm then
                    assert check(name, answer, t), (seed, name, how)
                    answers[how] += 1
    print(f"{answers.total()} right answers, no complaint: {dict(answers)}")  # noqa: T201


def test_every_mistake_is_named():
    """One answer for each problem: the mistake made at a place drawn by lot, where it does not happen to be right."""
    rng, named, alone, harmless = np.random.default_rng(0), Counter(), Counter(), 0
    usual = [name for name, each in MISTAKES.items() if each.lines and name not in OVERFLOWING]
    for seed, t in varied_traces():
        for mistake in [MISTAKES[name] for name in usual if named[name] < count(200, 20)]:
            for name in (t.steps[index].name for index in rng.permutation(len(t.steps))):
                if (wrong := mistake.wrong_value(t, name)) is None or not np.isfinite(wrong).all():
                    continue
                feedback = check(name, wrong, t)
                # as of Adam's step by a gradient of 1e-13
                rounding = 32 * np.finfo(float).eps * terms_in(t)[name].terms
                if feedback.cause == ("only-rounding",):
                    step = t[name] - t[t.owner(name)] if t.role(name) == "new" else t[name]
                    lost = np.abs(step) < 1e-12 + 2e-11 * np.abs(t[name] - step) + rounding
                    assert lost.all(), "nobody can tell"
                    continue
                if feedback.cause == ("kink",):
                    assert not t[t.owner(name)][wrong != t[name]].any(), "any slope will do"
                    continue
                if feedback.cause == ("diverged",):
                    assert not all(np.isfinite(value).all() for value in t.values()), "nothing to compare with"
                    continue
                if not feedback.ok:
                    assert mistake.name in feedback.cause, (seed, mistake.name, name, str(feedback))
                    single = check(name, np.asarray(wrong, np.float32), t)
                    in_single = single.ok or {mistake.name, "only-rounding"} & {*single.cause}
                    assert in_single, "and so it is in single precision"
                    assert mistake.resemblance(t, name) in str(feedback)
                    named[mistake.name] += 1
                    alone[mistake.name] += set(feedback.cause) <= {"shape", mistake.name}
                    break
                coincides = np.abs(wrong - t[name]) <= 1e-5 * np.abs(t[name]) + 1e-7 + rounding
                assert coincides.all(), (seed, mistake.name, name)
                harmless += 1
        if named.total() == count(200, 20) * len(usual):
            break
    print(f"{len(usual)} mistakes, each on {count(200, 20)} problems of {seed + 1}: all {named.total()} named,")  # noqa: T201
    print(f"{alone.total()} of them without a twin; {harmless} more were right by coincidence")  # noqa: T201


def test_no_wrong_answer_is_called_by_a_name_that_does_not_give_it():
    rng, causes, wrong = np.random.default_rng(0), Counter(), 0
    for seed, t in varied_traces():
        for name in rng.choice([step.name for step in t.steps], 4):
            value = np.asarray(t[name], dtype=float)
            answer = [
                rng.integers(-2, 3, value.shape),
                value + rng.standard_normal(value.shape) * 10.0 ** rng.uniform(-6, 0),
                rng.permutation(value.ravel()).reshape(value.shape),
                value * rng.choice([0.0, 1.0, 2.0], value.shape),
                rng.standard_normal(tuple(rng.integers(1, 5, rng.integers(0, 3)))),
            ][rng.integers(5)]
            feedback = check(name, answer, t)
            right = np.shape(answer) == value.shape and np.allclose(answer, value, rtol=1e-9, atol=1e-12)
            assert feedback.ok == right, (seed, name, str(feedback))
            assert "unreadable" not in feedback.cause, (seed, name, str(feedback))
            wrong += not right
            causes.update(feedback.cause)
            times = [1.0, *(factor for words, factor in common_factors(t).items() if words in feedback.cause)]
            base = t[name[:-4]] if name.endswith("_new") else 0  # it is the step that is, say, doubled
            for cause in MISTAKES.keys() & set(feedback.cause):
                given = [plant(t, MISTAKES[cause], place)[name] for place in MISTAKES[cause].possible_at(t)]
                ways = (way for _, way in MISTAKES[cause].wrong_values(t, name))
                given += [way for way in ways if way.shape == np.shape(answer)]
                close = [np.allclose(answer - base, k * (each - base), 1e-6, 1e-9) for each in given for k in times]
                assert any(close), (seed, name, cause)
        if wrong >= count(1000, 20):
            break
    print(f"{wrong} random wrong answers, no name that does not give them: {dict(causes)}")  # noqa: T201


FRAME = "type('Frame', (), {'__array__': lambda *_, **__: a})()"  # what a DataFrame is to NumPy
FRACTIONS = "[[Fraction(x) for x in row] for row in a]"
TYPES = [f"a.astype({kind})" for kind in ("object", "np.float32", "np.float16", "np.longdouble", "complex")]
CONTAINERS = ("a.tolist()", "list(a)", "tuple(map(tuple, a))", "np.asfortranarray(a)", FRAME, FRACTIONS, *TYPES)


def test_a_right_answer_is_right_in_any_container(example):
    for contained, name in itertools.product(CONTAINERS, ("dW1", "db1", "W1_new", "dY1")):
        feedback = check(name, eval(contained, globals() | {"a": example[name]}), example)
        assert (feedback.ok, feedback.cause, str(feedback), feedback.where) == (True, (), f"{name} is right.", None)
    L = float(example["L"])
    for one_number in (L, [L], [[L]], np.float32(L), Fraction(L), round(L, 8)):
        assert check("L", one_number, example).ok


def test_half_of_what_it_should_be_is_a_mean_of_two_samples_or_a_2_forgotten_further_up(example):
    d, H1, X = example["y_pred"] - example["y"], example["H1"], example["X"]
    dY1 = d @ example["W2"].T * (H1 > 0)
    for name, answer in (("dW2", H1.T @ d), ("db2", d.sum(axis=0, keepdims=True)), ("dW1", X.T @ dY1)):
        told = check(name, answer, example)
        assert told.cause == ("mean-for-sum",)
        above = (
            "or it follows from a slip further up: dy_pred looks like `y_pred - y`: the 2 from the square is missing."
        )
        assert str(told).endswith(above), str(told)
    five = trace(random_problem(3, 5, 3, 4, 2))
    told = check("dW2", five["dW2"] / 5, five)
    assert str(told) == "This looks like a mean over the batch where the sum was meant."


def test_a_step_counted_one_too_far_and_a_smaller_rate_are_told_as_that_also_in_the_first_step_of_adam():
    t = trace(random_problem(3, 5, 3, 4, 2, lr=0.1, optimizer=Adam()))
    for name, beta in (("m", 0.9), ("v", 0.999)):
        told = check(f"{name}hatW1", t[f"{name}W1_new"] / (1 - beta**2), t)
        assert "what it would be in step 2, and this is step 1" in str(told)
        told = check(f"{name}W1_new", beta * t[f"{name}W1"] + t["dW1"] ** (1 + (name == "v")), t)
        assert told.cause
        assert not re.search("remembered|number of", str(told)), "which is 0 in the first step, and has no count in it"
    told = check("W1_new", t["W1"] - 0.001 * t["mhatW1"] / (np.sqrt(t["vhatW1"]) + 1e-8), t)
    assert "that of a rate of 0.001, and here lr is 0.1" in str(told)


def test_numbers_at_the_ends_of_the_range_get_a_sentence_and_no_warning(example):
    for name, huge in itertools.product(("dW1", "L"), [1e308, -1e160, 5e-324, np.longdouble("1e4000"), 10**300]):
        assert not check(name, np.sign(example[name]) * huge, example)


def test_numbers_left_where_large_ones_cancel_are_right_or_too_small_to_tell():
    """Near the end of training y_pred - y is tiny, and carries the rounding of the large numbers it came from."""
    t = trained(random_problem(0, samples=2, hidden=8, lr=0.01), 400)
    assert t["L"] < 1e-16
    again = trace(in_other_numbers(t.problem, np.longdouble))
    said = [check(step.name, again[step.name], t) for step in t.steps]
    assert [feedback.cause for feedback in said if not feedback] == [("only-rounding",)], "the loss, of squares of 1e-9"
    assert check("L", 2 * t["L"], t) == check("L", t["L"], t), "neither right nor wrong"
    assert "<b>Too small to tell.</b>" in check("L", t["L"], t)._repr_html_()
    assert not check("dW1", np.zeros((3, 8)), t).ok, "small is not nothing"
    assert not check("dW1", 1.1 * t["dW1"], t).ok


ANSWERS = r"""
# Rounding: 1/2 - 1/2 has that of 1
in through(Linear([[1.0, 1]], [[0.0, 0]]), Sigmoid(), Linear([[1.0], [-1]], [[0.0]]), X=[[0.0]], y=[[1.0]])
  y_pred = [[7 * 2.0**-52]] | only-rounding | y_pred is 0 here, but for rounding, ... another iteration.
  y_pred = [[9 * 2.0**-52]] | value
in trained(random_problem(0, lr=1e200), 2)
  L = np.array(L) |  | L is the same here, but not finite: W1 is the first value with nan in it.
  dW1 = np.ones((3, 4)) | diverged | ... nothing to compare with: W1 is the first value with nan in it.
    Start again from other numbers, or with a smaller learning rate.
in trace(random_problem(9, loss=SoftmaxCrossEntropy()))
  P = np.exp(y_pred) / np.exp(y_pred).sum(axis=1, keepdims=True)
  logP = np.log(P)
in surer(trace(random_problem(9, loss=SoftmaxCrossEntropy())), 1e4)
  P = np.exp(y_pred) / np.exp(y_pred).sum(axis=1, keepdims=True) | softmax-axis shift-forgotten
  logP = np.log(P) | log-of-zero
in trace(in_other_numbers(example.problem, np.float32))
  dW1 = X.T.astype(float) @ dY1
in through(Linear(np.ones((2, 2)), [[0.0, 0]]), X=[[1.0, 0], [2.0, 0]], y=np.zeros((2, 2)))
  dW1 = [[10, 7], [0, 0]] | value | dW1[0, 1] should be 10, and yours is 7. 1 of the 4 numbers differs. ... of dy_pred.
  dW1 = np.zeros((2, 2)) | pattern zeros | dW1[0, 0] should be 10, and yours is 0. All your numbers are 0, ... it does.
in through(Linear([[1.0]], [[0.5]]), X=[[1.5], [1.5], [2.5]], y=[[0.1], [0.1], [0.3]])
  dW1 = X[1:].T @ dy_pred[1:] | pattern a sample missing | ... Sample 0 or 1 is missing from it.
in example
  dW1 = retyped(dW1, (2, 3), dW1[2, 3] * (1 + 1e-9)) | value | dW1[2, 3] should be −37.99418556, and yours is
    −37.99418559. ... It is right to about 9 digits, but off by more than rounding, ...
  L = 5 | value | Your L is 5: too small.
  dW1 = dW1 * [[2.0], [3.0], [4.0]] | pattern a factor for each row | ... times a number of its own: 2, 3, 4.
  dW1 = np.round(dW1, 1) | rounded | These are the right numbers rounded to 1 decimal. Hand in dW1 itself, with all ...
  dY1 = dH1 | mask-forgotten mask-always-true | This looks like dH1: the ReLU's mask is missing; or like a mask that ...
  dW1 = X.T@np.maximum(dH1, 0) | mask-from-gradient | ... further up: dY1 looks like `dH1 * (dH1 > 0)`: a mask asks ...
  db1 = dY1.sum(axis=0) | shape dimension-dropped | ...; it should have shape (1, 4), like b1. ... The numbers ...
  dW1 = dW1.T | shape result-transposed | Your dW1 has shape (4, 3); ..., like W1. This looks like dW1 transposed.
  dW1 = ... | blank | Put your dW1 in place of the blank.
  dW1 = retyped(dW1, (1, 2), ...) | blank | There is still a blank at dW1[1, 2].
  dW1 = retyped(dW1, (1, 3), np.nan) | not-finite | dW1[1, 3] is nan in yours: look for 0 divided by 0, or ...
  dW1 = [[1, 2, 3], [4, 5]] | unreadable | The rows of your dW1 differ in length: ...
  dW1 = 'X.T @ dY1' | unreadable | Your dW1 is text: write numbers, and names of arrays, without quotes.
  dW1 = dW1.astype(str) | unreadable | Your dW1 has text in it: write numbers without quotes.
  dW1 = np.array(retyped(dW1, (1, 2), 'x'), object) | unreadable | dW1[1, 2] is text in yours, not a number.
  dW1 = np.ma.masked_less(dW1, 0) | unreadable | Your dW1 has masked cells, which have no number: fill them first.
  dW1 = {'dW1': dW1} | unreadable | Your dW1 is a dictionary: take dW1 out of it, by its key in square brackets.
  dW1 = np.sum | unreadable | Your dW1 is a function, not what it returns: call it, with parentheses.
  dW1 = type('Tensor', (), {'__array__': raises(ValueError('requires grad'))})() | unreadable | ... dW1.detach().
  y_perd = 1 | name | There is no 'y_perd' here. Did you mean y_pred? ...
"""


@pytest.mark.parametrize("row", list(rows(ANSWERS)))
def test_an_answer_is_told_what_is_wrong_with_it_and_no_more(row, example):
    made, name, code, cause, said = row
    names = vars(backprop_lab) | vars(common) | globals()
    t = eval(made, names | {"example": example})
    with np.errstate(all="ignore"):
        answer, again = (eval(code, {**names, **t}) for _ in range(2))
    feedback = check(name, answer, t)
    assert_says(feedback, cause, said)
    if cause in ("value", "not-finite") and (cell := re.search(r"\[(\d), (\d)\]", str(feedback))):
        assert feedback.where == tuple(map(int, cell.groups()))
    if code != "np.sum" and "further up" not in str(feedback):  # since a function is given the right values
        assert check_function(name, lambda: again, [t]) == feedback, "also where it is what a function returns"
    if made == "example" and name in t.keys() - t.given:
        assert t.step(name).code not in str(feedback), "which would give the answer away"
        given_away = [x for x in np.ravel(t[name]) if any(f"{x:.{d}g}" in str(feedback) for d in (4, 5, 6, 8))]
        assert len(given_away) <= 1, "no number but the first that differs"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda H1: np.log1p(-np.ones(H1.shape)), "log1p is infinite there."),
        (lambda H1: np.arctanh(np.ones(H1.shape)), "arctanh is infinite there."),
        (lambda H1: np.log(np.zeros(H1.shape)), "log was given 0."),
        (lambda H1: (1 + abs(H1)) // np.zeros(H1.shape), "there was a division by 0."),
        (lambda H1: 1 / np.zeros(H1.shape), "there was a division by 0."),
        (lambda H1: 0 * H1 / np.zeros(H1.shape), "a division has no result, as 0 / 0 has none."),
        (lambda H1: 1 / np.zeros(H1.shape) + np.exp(1e4), "by 0, and a number grew too large in exp."),
    ],
)  # fmt: skip
def test_of_numbers_that_are_not_finite_all_that_was_met_is_told_and_no_more(example, function, said):
    assert str(check_function("dH1", function, [example])).endswith(said)


class ByMachine(Loss):
    """A loss of a reader's own, Huber's, whose slope is found by a complex step, in a line that nobody types."""

    e = "({E} + 1e-20j)"
    formulas: ClassVar = {
        "E": "{y_pred} - {y}",
        "L": "np.sum(np.where(np.abs({E}) <= 1, {E}**2 / 2, np.maximum({E}, -{E}) - 0.5))",
        "dy_pred": f"np.imag(np.where(np.abs({e}) <= 1, {e}**2 / 2, np.maximum({e}, -{e}) - 0.5)) / 1e-20",
    }


class Softplus(ReLU):
    """An activation of a reader's own, whose slope is found in the same way."""

    formulas: ClassVar = {
        "Y": "np.log(1 + np.exp({X}))",
        "dX": "{dY} * np.imag(np.log(1 + np.exp({X} + 1e-20j))) / 1e-20",
    }


def binary(seed=0, samples=5):
    y = (np.arange(samples) % 2.0)[:, None]
    p = random_problem(seed, X=np.random.default_rng(seed).standard_normal((samples, 2)), y=y, hidden=3)
    return Problem(Network([*p.network.layers, Sigmoid()]), OwnBinaryCrossEntropy(), p.X, y, 0.1)


WRITTEN = r"""
in classes
  dy_pred = lambda P, y: (P - 1) / len(y) | 1 is taken off every class, not only the true one | lr > 0
  dy_pred = off_every_class | 1 is taken off every class, not only the true one | lr > 0
  dy_pred = lambda P, y: (P - 1 / P.shape[1]) / len(y) | dy_pred[0, 0] should be | np.mean(y)
in both
  dy_pred = lambda y_pred: 2 * (y_pred - 1) | a 1 where y was meant | lr > 0
  dy_pred = lambda y_pred, y: 2 * (y_pred - y) ** 1 / 2 | `**` comes before `/`: `** 1 / 2` is | 2 from the square
  L = lambda y_pred, y: np.sum((y_pred - y) ** 2) ** 1 / 2 | a root is `** (1 / 2)` | no 1/2 in front
  dY1 = lambda dH1, Y1: dH1 * Y1 > 0 | `dH1 * Y1 > 0`, in which `*` comes first: the parentheses | 0 and 1
  dY1 = lambda dH1, H1: dH1 * H1 > 0 | `dH1 * H1 > 0`, in which `*` comes first: the parentheses | 0 and 1
  dY1 = lambda dH1, H1: dH1 * (H1 < 0) | an inverted mask | are 0
  dY1 = lambda dH1, H1: np.where(H1 < 0, dH1, 0) | an inverted mask | are 0
  dY1 = lambda dH1: np.zeros(dH1.shape) | All your numbers are 0 | inverted
  W1_new = lambda W1, dW1, lr: W1 - dW1 / lr | divided by the rate, and should be multiplied by it | twice
  b1_new = lambda b1, db1, lr: b1 - lr * db1.T | `db1.T` used where | does not belong
  dW1 = looped | there are 2 rows, counted from 0, and none has the number 2. Take sizes from | out of bounds
  y_pred = y_pred | returns y_pred, which here is the function itself | call it
  dW1 = lambda X, dY1: X.t().mm(dY1) | Did you mean `.T`? | take
  dW1 = lambda X, dY1: X.T.mm(dY1) | Did you mean `@`? | sum
  dY1 = lambda dH1, H1: dH1.mul(H1 > 0) | Did you mean `*`? | __
  L = lambda y_pred, y: (y_pred - y).pow(2).sum() | Did you mean `**`? | __
  L = lambda y_pred, y: (y_pred - y).square().sum() | Did you mean np.square? | squeeze
  H1 = lambda Y1: Y1.clone().clip(0) | Did you mean `.copy()`? | conj
  H1 = lambda Y1: np.softplus(Y1) | has no attribute 'softplus' | Did you mean
in Exercises(backprop_lab.EXAMPLES["rnn"]()).traces
  dWh = lambda a2, a1, h0, da3, da2, da1: a2.T @ da3 + a1.T @ da2 + h0.T @ da1 | a2 and a1 used in place of h2 and h1:
    | h0
  dWh = lambda h2, h1, h0, da3, da2, da1: h2.T @ da3 + h1.T @ da2 - h0.T @ da1 | not for another one, with other
    numbers. | x1
  dh2 = lambda dp2, da3, Wh: (dp2 + da3) @ Wh.T | da3 (2, 3), Wh (3, 3). | Wy
  dWh = lambda h2, h1, h0, da3, da2, da1: h2.T @ da3 * h1.T @ da2 * h0.T @ da1 | do not fit | Did you write
  dp3 = lambda p3, y3: 2 * (p3 - y3) / len(y3) | Every number is half what it should be. | part of the slope
  dh1 = lambda dp1, Wy, da2, Wh: dp1 @ Wy.T + da2 @ Wh | like `dp1 @ Wy.mT + da2 @ Wh`, in which a | nothing
in Exercises(backprop_lab.EXAMPLES["attention"]()).traces
  dO = lambda O, y: 2 * (O - y) / y.size | not divided by the same number as in the forward pass | part of the slope
  dK = lambda dZ, Q: dZ.T @ Q / np.sqrt(len(Q)) | that of columns, Q.shape[1], was meant | is missing
  dZ = lambda A, dA: A * (dA - (dA @ A).sum(axis=1, keepdims=True)) | a `@` where `*` was meant | missing
  dQ = lambda dS, K: dS @ K / 3 | Every number is 0.3333 times what it should be. | inputs
in Exercises(backprop_lab.EXAMPLES["batch norm"]()).traces
  dA = lambda dD, dmu: dD + dmu | `dD + dmu`, as for a sum | twice
  dD = lambda dAhat, var, dvar, D: dAhat / np.sqrt(var + 1e-5) + 2 * dvar * D | as for a sum | twice
  dAhat = lambda dN: dN | not for another one, with other numbers. | X (4, 3)
in Exercises(backprop_lab.EXAMPLES["word vectors"]()).traces
  dS = lambda P, y: P - np.eye(P.shape[1])[y] | as for a sum: a mean was meant | like A
in Exercises(random_problem(4, activation=Tanh(), optimizer=Adam())).traces
  mhatW1 = lambda mW1_new: mW1_new / (1 - 0.9) | `mW1_new / (1 - 0.9)`: m and v begin at 0 | step - 1
  mW1_new = lambda mW1, dW1: 0.9 * mW1 + 0.9 * dW1 | `0.9 * mW1 + 0.9 * dW1`: `1 -` is missing | : 1 is
in [trace(binary())]
  dy_pred = lambda y_pred, y: y_pred - y | dy_pred[0, 0] should be | two mistakes
  dy_pred = lambda y_pred, y: (y_pred - y) * 1 / y.size | dy_pred[0, 0] should be | y_pred + (1 - y_pred)
  dy_pred = lambda y_pred, y: -y / y_pred / y.size | dy_pred[0, 0] should be | times y
  dy_pred = lambda y_pred, y: (y_pred - y) / (y_pred + (1 - y_pred)) / y.size | dy_pred[0, 0] should be | two
  dy_pred = lambda y_pred, y: (y_pred - y) / (y_pred * (1 + y_pred)) / y.size | a `+` where `-` was meant | two
in [trace(random_problem(2, activation=Softplus(), loss=ByMachine()))]
  dY1 = lambda dH1, Y1: dH1 / (1 + np.exp(Y1)) | dY1[0, 0] should be | 1e-20j
  dY1 = lambda dH1, Y1: dH1 / (1 - np.exp(-Y1)) | dY1[0, 0] should be | 1e-20j
  dY1 = lambda dH1, Y1: dH1 * np.log(1 + np.exp(Y1)) | dY1[0, 0] should be | 1e-20j
  dY1 = lambda dH1, Y1: dH1 / (1 + np.exp(np.abs(Y1))) | dY1[0, 0] should be | 1e-20j
  dy_pred = lambda E: np.where(np.abs(E) <= 1, 2 * E, np.sign(E)) | dy_pred[0, 1] should be | 1e-20j
  H1 = lambda Y1: np.log(1 - np.exp(-Y1 ** 2)) | H1[0, 0] should be | used where
  H1 = lambda Y1: np.log(1 + np.exp(-Y1)) | `-Y1` used where Y1 itself was meant | should be
"""


def off_every_class(P, y):
    dscores = P.copy()
    dscores[:, y.argmax(axis=1)] -= 1
    return dscores / len(y)


def looped(X, dY1):
    return np.array([[sum(X[n, i] * dY1[n, j] for n in range(3)) for j in range(4)] for i in range(3)])


def y_pred(H1, W2, b2):
    return y_pred


@pytest.mark.parametrize("row", list(rows(WRITTEN)))
def test_what_somebody_has_written_is_called_by_its_mistake_and_no_other(row, example):
    made, name, code, said, other = row
    classes = [trace(random_problem(9, samples=5, outputs=2, loss=SoftmaxCrossEntropy()))]
    both = [example, trained(random_problem(1, samples=3, lr=0.1), 1)]
    feedback = str(check_function(name, eval(code), eval(made, globals() | {"classes": classes, "both": both})))
    assert said in feedback, feedback
    assert other not in feedback, feedback


def test_a_slip_told_of_a_softmax_holds_for_targets_between_0_and_1():
    t = trace(random_problem(9, samples=4, outputs=3, loss=SoftmaxCrossEntropy()))
    given = t.given | {"y": 0.1 + 0.6 * t["y"]}
    moved, slips = Trace(t.problem, given, Lines(t.steps)), 0
    parts = ["P", "P**2", "1 / P", "y", "1 - y", "1 / P.shape[1]", "len(y)", "P.sum()", "-y", "y / P", "np.exp(P)"]
    for one, other, sign in itertools.product(parts, parts, "+-*/"):
        line = f"(({one}) {sign} ({other})) / len(y)"
        told = check_function("dy_pred", eval(f"lambda P, y: {line}"), [t])
        if told.cause[:1] == ("slip",) and "every class" not in str(told):
            times = next((factor for words, factor in common_factors(t).items() if words in told.cause), 1.0)
            np.testing.assert_allclose(times * moved.evaluate(told.cause[1]), moved.evaluate(line), err_msg=line)
            slips += 1
    assert slips > 5


@pytest.mark.parametrize(("hidden", "samples"), [(1, 10_000), (200, 100)])
def test_of_far_too_many_numbers_only_the_shape_is_told(hidden, samples):
    for more in (0, 1):
        t = trace(random_problem(0, samples + more, 1, hidden, activation=Tanh()))
        told = check("db1", t["dY1"], t)
        assert told.cause[:2] == (("shape",) if more else ("shape", "sum-forgotten"))
        assert f"has shape ({samples + more}, {hidden}); it should have shape (1, {hidden}), like b1." in str(told)


def test_in_more_than_ten_thousand_numbers_no_rare_patterns_are_looked_for():
    for inputs, pattern in ((100, "columns swapped: Columns 0 and 7 are swapped."), (101, "")):
        t = trace(random_problem(0, 2, inputs, 100, activation=Tanh()))
        answer = t["dW1"].copy()
        answer[:, [0, 7]] = answer[:, [7, 0]]
        assert seen("dW1", answer, t).split("\n")[0] == pattern


def test_a_number_added_to_each_is_told_where_it_is_more_than_a_millionth_of_the_largest(example):
    largest = np.zeros_like(example["dW1"])
    largest[0, 0] = 1.0
    for right, more, is_told in ((1e-5 * largest, 1e-4, True), (1e6 * largest, 1.0, False), (1e6 * largest, 2.0, True)):
        assert ("moved: " in seen("dW1", right + more, example.showing({"dW1": right}))) == is_told


def test_slips_further_up_are_not_looked_for_in_a_step_of_more_numbers_than_anybody_waits_for(example, monkeypatch):
    numbers = sum(np.size(step.value) for step in example.steps)
    wrong = plant(example, MISTAKES["gradient-for-weights"], "dH1")["dW1"]
    for limit, cause in ((numbers, ("gradient-for-weights",)), (numbers - 1, ("value",))):
        monkeypatch.setattr(explaining, "LARGE_STEP", limit)
        assert check("dW1", wrong, example).cause == cause


def test_a_number_that_underflows_may_come_to_0_and_one_that_overflows_is_no_number(example):
    row, column = np.argwhere(example["dY1"] == 0)[0]
    assert check("dY1", retyped(example["dY1"], (row, column), 1e-290), example)
    assert not check("dY1", retyped(example["dY1"], (row, column), 2e-290), example)
    t = through(Linear([[7e4]], [[0.0]]), X=[[1.0]], y=[[0.0]])
    assert check("y_pred", np.array([[np.inf]], np.float16), t).cause == ("not-finite",)


def test_what_is_right_to_four_digits_is_told_so_and_what_is_not_is_told_where_it_comes_from():
    t = through(Linear([[10_003.0, 3.0]], [[-3.0, 0.5]]), X=[[1.0]], y=[[0.0, 0.0]])
    assert "It is right to about 4 digits" in str(check("y_pred", [[10_000.9, 3.5]], t))
    assert "y_pred[0, 0] is made of" in str(check("y_pred", [[10_001, 3.5]], t))


def test_beside_an_inf_a_wrong_number_is_wrong():
    t = through(Linear([[1e308, 2e-9], [1e308, 0.0]], [[0.0, 0.0]]), X=[[1.0, 2.0]], y=[[0.0, 0.0]])
    assert check("y_pred", [[np.inf, 2e-9]], t)
    for wrong in ([[np.inf, -7e-9]], [[np.inf, 0]], [[-np.inf, 2e-9]], [[np.nan, 2e-9]], [[5, 2e-9]]):
        assert check("y_pred", wrong, t).cause == ("diverged",)
    lost = trained(random_problem(0, lr=1e200), 2)
    assert check("L", np.nan, lost)
    assert not check("L", np.inf, lost)


def hostile():
    """Objects that cannot be looked at: of classes in which one method, and for numbers two, raise."""
    for base, *methods in ([object], [int, "__le__", "__repr__"], [str, "strip"], [list, "__len__"]):
        for method in methods or ("__repr__", "__eq__", "__array__", "__bool__", "__getattr__", "__len__", "__str__"):
            yield type("Hostile", (base,), {method: lambda *_, **__: 1 / 0, "__hash__": None})()
    yield type("Hostile", (), {"__class__": property(lambda _: 1 / 0)})()
    yield from (Decimal("sNaN"), Decimal("NaN"), np.array([Decimal("sNaN")] * 2, object), 10**400, math.nan, type, {1})


@pytest.mark.parametrize("at", range(sum(1 for _ in hostile())))
def test_whatever_is_handed_in_gets_a_sentence_and_nothing_is_raised(at, example):
    answer = next(itertools.islice(hostile(), at, None))
    sheet = drill("mixed", 3)
    right = [question.answer for question in sheet.questions]
    said = [check("dW1", [[answer]], example), check("dW1", answer, example), check("L", answer, example)]
    said += [check("dW1", 1, example, digits=answer), check(answer, 1, example), check("dW1", 1, example, answer)]
    said += [check_function("dW1", lambda: answer, [example]), check_function("dW1", answer, [example])]
    said += [sheet.check(*right[:at], answer, *right[at + 1 :]) for at in range(5)] + [sheet.check(answer)]
    assert not any(said)
    assert all(str(feedback).endswith((".", ")")) for feedback in said), [*map(str, said)]


def test_what_leaves_a_function_in_another_way_is_told_too(example):
    left = check_function("dW1", lambda X: raises(GeneratorExit("enough"))(), [example])
    assert "stopped with GeneratorExit: enough" in str(left)
    with pytest.raises(KeyboardInterrupt):  # which is for the one at the keyboard
        check_function("dW1", lambda X: raises(KeyboardInterrupt)(), [example])


def test_the_signature_of_check_can_be_read():
    for function in (check, check_function, Exercises):
        assert "= MISTAKES" in str(signature(function))
        assert len(str(signature(function))) < 500
    assert {**MISTAKES} == MISTAKES == {mistake.name: mistake for mistake in MISTAKES.values()}


@pytest.mark.parametrize("kind", ["functions", "patterns"])
def test_what_is_said_of_a_function_is_what_somebody_has_read(kind):
    both = [trace(worked_example()), trained(random_problem(1, samples=3, lr=0.1), 1)]  # of which one has biases
    one = [trace(random_problem(0, samples=1, inputs=1, hidden=1, outputs=1))]
    classes = [trace(random_problem(seed, samples=3, outputs=3, loss=SoftmaxCrossEntropy())) for seed in (9, 8)]
    check_cases(kind, {"both": both, "one": one, "classes": classes, "raises": raises, "seen": seen})


def small(*layers, **more):
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    return Problem(Network(layers), MeanSquaredError(), X, y, 0.1, **more)


def drawn(*shape):
    return np.random.default_rng(shape).standard_normal(shape).round(2)


TWO_STEPS = """
h1 = np.tanh(x1 @ U + h0 @ W)
h2 = np.tanh(x2 @ U + h1 @ W)
o = h2 @ V
P = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)
L = -np.log(P[np.arange(len(y)), y]).mean()
"""
PROBLEMS = {
    "recurrent": lambda: program(
        TWO_STEPS,
        {"U": drawn(2, 4), "W": drawn(4, 4), "V": drawn(4, 3)},
        {"x1": drawn(5, 2), "x2": drawn(2, 5).T, "h0": drawn(5, 4), "y": np.array([0, 2, 1, 1, 0])},
    ),
    "batch norm": lambda: small(
        Linear(drawn(3, 4)), BatchNorm(drawn(1, 4), drawn(1, 4) / 3), ReLU(), Linear(drawn(4, 2))
    ),
    "layer norm": lambda: small(
        Linear(drawn(3, 4)), LayerNorm(drawn(1, 4), drawn(1, 4) / 3), ReLU(), Linear(drawn(4, 2))
    ),
    "gates": EXAMPLES["lstm"],
    "attention": EXAMPLES["attention"],
    "three steps": EXAMPLES["rnn"],
    "convolution": EXAMPLES["convolution"],
    "block": EXAMPLES["transformer block"],
    "words": EXAMPLES["word vectors"],
    "Adam": lambda: small(Linear(drawn(3, 2)), optimizer=Adam()),
    "decay": lambda: small(Linear(drawn(3, 2)), optimizer=Adam(decay=0.05), penalty=L2(0.1)),
    "latent": lambda: program(
        "s = np.exp(0.5 * lv)\nL = ((s * e - x)**2).sum() - 0.5 * (1 + lv - np.exp(lv)).sum() / len(x)",
        {"lv": drawn(3, 2)},
        {"e": drawn(3, 2) + 1, "x": drawn(2, 3).T},
    ),
    "twins": lambda: program(
        "u = x1 @ W\nv = x2 @ W\na = np.tanh(u)\nb = np.tanh(v)\nd = a - b\nL = (d**2).sum()",
        {"W": drawn(3, 4)},
        {"x1": drawn(5, 3), "x2": drawn(3, 5).T},
    ),
    "shortcut": EXAMPLES["residual"],
    "graph": lambda: program(
        "Z = A @ H @ W\nL = (np.tanh(Z)**2).sum()", {"W": drawn(3, 4)}, {"A": drawn(5, 5), "H": drawn(5, 3)}
    ),
    "norm by lines": lambda: program(
        "H = X @ W\nm = H.mean(axis=1, keepdims=True)\nC = H - m\nL = (C**3).sum()",
        {"W": drawn(3, 4)},
        {"X": drawn(5, 3)},
    ),
    "momentum": lambda: small(Linear(drawn(3, 2)), optimizer=Momentum(0.9)),
    "a set": lambda: program(
        "m = np.maximum(X @ W, 0) * there[:, :, None]\nn = there.sum(axis=1)\npool = m.sum(axis=1) / n[:, None]\n"
        "L = np.sum((pool @ v - y)**2) / len(y)",
        {"W": drawn(2, 3), "v": drawn(3)},
        {"X": drawn(4, 5, 2), "y": drawn(4), "there": np.array([[1.0, 1, 0, 0, 1], [0, 1, 0, 1, 1]] * 2)},
    ),
    "leaky": lambda: program(
        "A = X @ W\nE = np.where(A > 0, A, 0.1 * A)\nL = ((E - y)**2).sum() / len(y)",
        {"W": drawn(3, 4)},
        {"X": drawn(5, 3), "y": drawn(5, 4)},
    ),
    "classes": lambda: program(
        "S = X @ W\nZ = S - S.max(axis=1, keepdims=True)\nlogP = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))\n"
        "L = -np.mean(logP[np.arange(len(y)), y])",
        {"W": drawn(3, 4)},
        {"X": drawn(5, 3), "y": np.array([0, 3, 1, 2, 0])},
    ),
    "yes or no, by lines": lambda: program(
        "s = x @ W\np = 1 / (1 + np.exp(-s))\nL = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))",
        {"W": drawn(4, 1)},
        {"x": drawn(5, 4), "y": (np.arange(5) % 2.0)[:, None]},
    ),
    "graph of which some are seen": lambda: program(
        "S = A @ X @ W\nP = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)\nell = -np.sum(Y * np.log(P), axis=1)\n"
        "L = np.sum(seen * ell) / np.sum(seen)",
        {"W": drawn(4, 3)},
        {
            "A": drawn(6, 6),
            "X": drawn(6, 4),
            "Y": np.eye(3)[[0, 1, 2, 2, 1, 0]],
            "seen": np.array([1.0, 0, 1, 1, 0, 1]),
        },
    ),
    "yes or no": lambda: random_problem(
        1, X=drawn(5, 3), y=(np.arange(5) % 2.0)[:, None], hidden=3, loss=BinaryCrossEntropy()
    ),
}
SLIPS = {  # a line for each: name = code | what is said of it
    "recurrent": """
dW = h0 @ dh1_in.T + h1 @ dh2_in.T | in every product the factors are in the wrong order
dW = (h0 + h1).T @ (dh1_in + dh2_in) | multiply place by place
do = (P - y[:, None]) / len(y) | a 1 at each of these places was meant
do = (P - 1) / len(y) | belongs to the right class of each row alone
do = -np.eye(3)[y] / P / len(y) | still has to come back through the softmax
dW = h1.T @ (dh2_in * (1 - h2**2)) + h0.T @ dh1_in | it is in dh2_in already
do = P / len(y) - np.eye(3)[y] | `/ len(y)` reaches only one of two terms
do = (P - np.eye(3)[y]) * P * (1 - P) / len(y) | the softmax, or its slope, is in it once more
""",
    "attention": """
dQ = dS @ K / np.sqrt(Q.shape[1]) | dS with the factor `1 / np.sqrt(Q.shape[1])` once more: it is in dS already
dK = dS.mT @ Q / np.sqrt(Q.shape[1]) | dS with the factor `1 / np.sqrt(Q.shape[1])` once more
dS = dZ * np.sqrt(Q.shape[1]) | a `*` where `/` was meant
dWq = X.mT @ (dQ + dK + dV) | dQ + dK + dV used where dQ was meant: only one of these lines has Wq in it
dWq = X.mT @ (dQ + dK) | `+ dK` is too much
dS = dZ / np.sqrt(len(Q)) | a number of rows where that of columns, Q.shape[1], was meant
dWk = X.mT @ np.repeat(dK.mean(axis=0, keepdims=True), 4, axis=0) | All your numbers are 0, except for rounding
dS = dZ / np.sqrt(X.shape[0]) | a number of rows where that of columns, Q.shape[1], was meant
dZ = dA | the slope of the function that gives A is missing
""",
    "gates": """
df = dc * c0 * f * (1 - f) | the slope of f, `f * (1 - f)`, is in it, but belongs to the next step back
da = np.concatenate([di, df, do, dg], axis=1) | the slope of the function that gives g, o, f and i is missing
""",
    "words": """
dU = C[left].T @ dS | the line that gives h adds up several terms, and not all of them are here
dh = dS @ U.T / 2 | the factor `1 / 2` of the line that gives h is in it, but belongs to the next step back
""",
    "batch norm": """
dgamma1 = Xhat1.T @ dN1 | each should meet its own, by `*` and a sum
dvar1 = (dN1 * (Y1 - mu1)).sum(axis=0, keepdims=True) * -0.5 / (var1 + 1e-5)**1.5 | dN1 used where dXhat1 was meant
dvar1 = (dXhat1 * (Y1 - mu1)).sum(axis=0, keepdims=True) / (var1 + 1e-5)**1.5 | -0.5 is missing
dvar1 = (dXhat1 * (Y1 - mu1)).sum(axis=0, keepdims=True) * -0.5 / (var1 + 1e-5) | `** 1.5` is missing
dY1 = dXhat1 / np.sqrt(var1 + 1e-5) + dvar1 * 2 * (Y1 - mu1) / len(Y1) + dmu1 / (len(Y1) - 1) | 1 less than len(Y1)
dY1 = dXhat1 / np.sqrt(var1 + 1e-5) + dvar1 * 2 * (Y1 - mu1) / len(Y1) + dmu1 / Y1.shape[1] | a number of columns
dvar1 = (dXhat1 * Xhat1).sum(axis=0, keepdims=True) * -0.5 / (var1 + 1e-5)**1.5 | Xhat1 used where Y1 - mu1 was meant
gamma1_new = gamma1 - lr * dbeta1 | dbeta1 used where dgamma1 was meant
""",
    "layer norm": """
dgamma1 = 0 * gamma1 | All your numbers are 0, as if the loss did not depend on gamma1, and it does
dY1 = (dXhat1 - dXhat1.mean(axis=0) - Xhat1 * (dXhat1 * Xhat1).mean(axis=0)) / np.sqrt(var1 + 1e-5) | the other axis
dY1 = dXhat1 / np.sqrt(var1 + 1e-5) - dvar1 * (Y1 - mu1) * 2 / 4 - dmu1 / 4 | all signs between the terms
dY1 = dXhat1 / np.sqrt(var1) + 1e-5 + dvar1 * (Y1 - mu1) * 2 / 4 + dmu1 / 4 | `+ 1e-05` stands outside of np.sqrt
""",
    "block": """
dX1 = dX2 + dN2 | These are the numbers of dX2 + dN2
dF = dH * F | the mask `H > 0` belongs: a mask lets a gradient through unchanged
dS = dZ * before * A / np.sqrt(Q.shape[1]) | times A, number by number
""",
    "Adam": """
vW1_new = 0.999 * vW1 + (1 - 0.999) * mW1_new**2 | mW1_new used where dW1 was meant
vW1_new = 0.999 * vW1 + (1 - 0.999) * np.abs(dW1) | what the step is divided by is the root of a mean of squares
""",
    "decay": """
W1_new = W1 - lr * (mhatW1 + 0.05 * W1) / (np.sqrt(vhatW1) + 1e-8) | a decoupled decay is taken off separately
W1_new = W1 - lr * mhatW1 / (np.sqrt(vhatW1) + 1e-8) - lr * 0.05 * W1 - lr * 2 * 0.1 * W1 | is in dW1 already
W1_new = W1 - lr * mhatW1 / (np.sqrt(vhatW1) + 1e-8) - lr * 0.05 * W1 - lr * 0.1 * W1 | is in dW1 already
dW1 = X.T @ dy_pred + 0.1 * (W1**2).sum() | the square of the weights is still there
""",
    "latent": """
L = ((s * e - x)**2).sum() - 0.5 * (1 + lv - s).sum() / len(x) | s used where np.exp(lv) was meant
dlv = ds * s / 2 | lv affects the loss along several paths, and without `(np.exp(lv) - 1) / len(x)`
""",
    "twins": """
dW = x1.T @ du - x2.T @ dv | a `-` where `+` was meant
dv = -db * (1 - b**2) | Every number is minus what it should be
""",
    "shortcut": """
dW1 = X.T @ (dA1 + dR) | dA1 + dR used where dA1 was meant: only one of these lines has W1 in it
dW2 = dR.T @ H1 | in which a product is transposed: its factors are swapped, and each is transposed
""",
    "graph": "dW = H.T @ dZ | A.mT is missing",
    "norm by lines": "dH = dC - dC.mean(axis=0, keepdims=True) | everything goes along the other axis",
    "momentum": "W1_new = W1 - 0.9 * vW1_new | 0.9 used where lr was meant",
    "graph of which some are seen": "dS = (P - Y) * seen[:, None] | seen used where dell was meant",
    "yes or no, by lines": "ds = p - y | the factor 1 / y.size is missing",
    "a set": "dm = np.broadcast_to(dpool[:, None], m.shape) | the factor 1 / n[:, None, None]",
    "leaky": """
dA = np.where(A > 0, dE, 0.01 * dE) | 0.01 used where 0.1 was meant
dA = dE * (A > 0) | where the condition fails, it should be 0.1 * dE, not 0
""",
    "classes": "dS = (np.exp(logP) - np.eye(4)[y]) / 4 | columns where that of rows, len(y), was meant",
    "yes or no": """
dy_pred = -(y / y_pred + (1 - y) / (1 - y_pred)) / y.size | a `+` where `-` was meant
dy_pred = -(y / y_pred - (1 - y) / y_pred) / y.size | `1 -` is missing
""",
}


@pytest.mark.parametrize(
    ("problem", "row"), [(name, row) for name, rows in SLIPS.items() for row in rows.strip().split("\n")]
)
def test_one_slip_in_every_term_or_a_name_too_early_is_told_as_what_it_is(problem, row):
    name, code, said = re.split(r" (?:=|\|) ", row)
    t = trace(PROBLEMS[problem]())
    asked = ", ".join(dict.fromkeys(each for each in re.findall(r"\w+", code) if each in t))
    feedback = check_function(name, eval(f"lambda {asked}: {code}", {"np": np}), [t])
    assert not feedback
    assert said in str(feedback)
    assert not any(words in str(feedback) for words in ("two mistakes", "further up"))


def test_rows_to_which_an_index_adds_are_told_as_overwritten_in_both_places_at_once():
    def added(C, left, right, dh):
        d = np.zeros_like(C)
        d[left] += dh / 2
        d[right] += dh / 2
        return d

    assert "rows overwritten" in str(check_function("dC", added, [trace(EXAMPLES["word vectors"]())]))


def test_a_line_that_two_mistakes_share_is_shown_once():
    feedback = check_function("dA", lambda dD: dD, [trace(EXAMPLES["batch norm"]())])
    assert feedback.cause == ("path-forgotten", "statistic-as-constant")
    assert str(feedback).count("`dD`") == 1


def test_a_function_may_use_later_gradients_that_do_not_need_its_own():
    rng = np.random.default_rng(0)
    W1, gamma, beta, W2 = (rng.standard_normal(shape) for shape in [(3, 4), (1, 4), (1, 4), (4, 2)])
    network = Network((Linear(W1), BatchNorm(gamma, beta), ReLU(), Linear(W2)))
    t = [trace(Problem(network, MeanSquaredError(), rng.standard_normal((6, 3)), rng.standard_normal((6, 2)), 0.1))]

    def of_courses(gamma1, X, dN1, dbeta1, Xhat1, dgamma1, var1):
        return gamma1 * (len(X) * dN1 - dbeta1 - Xhat1 * dgamma1) / (len(X) * np.sqrt(var1 + 1e-5))

    assert check_function("dY1", of_courses, t)
    for name, function in [("dY1", lambda dW1: dW1), ("dN1", lambda dbeta1: dbeta1), ("H1", lambda dW2: dW2)]:
        assert "which is not known yet" in str(check_function(name, function, t)), name


def test_feedback_is_a_truth_value_a_sentence_and_a_box_without_markup(example):
    for ok, heading, answer in [(True, "Right.", example["dW1"]), (False, "Not yet.", 1), (False, "Your turn.", ...)]:
        feedback = check("dW1", answer, example)
        assert (bool(feedback), repr(feedback)) == (ok, feedback.message)
        assert f"<b>{heading}</b> {feedback}</div>" in feedback._repr_html_()
    html = Feedback(False, ("value",), '"&<script> write `a < b` now')._repr_html_()
    assert html.endswith("</b> &quot;&amp;&lt;script&gt; write <code>a &lt; b</code> now</div>")


def test_a_homework_with_a_penalty_momentum_and_adam_is_told_the_truth_as_a_student_writes_it():
    """In plain NumPy, line by line, with nothing of ours but the numbers to start from."""
    reg, lr, mu, b1, b2 = 0.1, 0.05, 0.9, 0.9, 0.999
    p = random_problem(4, samples=5, inputs=3, outputs=2, lr=lr, penalty=L2(reg))
    X, y, W1, W2 = p.X, p.y, p.parameters["W1"], p.parameters["W2"]
    hidden = np.maximum(0, X @ W1)
    scores = hidden @ W2
    dscores = 2 * (scores - y)
    data_loss, penalty = np.sum((scores - y) ** 2), np.sum(W1 * W1) + np.sum(W2 * W2)
    grad1 = X.T @ ((dscores @ W2.T) * (hidden > 0))
    t = trace(p)
    told = {
        "L": [data_loss + reg * penalty, data_loss, data_loss + 2 * reg * penalty, data_loss + 0.5 * reg * penalty],
        "dW1": [grad1 + 2 * reg * W1, grad1, grad1 + 4 * reg * W1, grad1 + reg * W1, grad1 + 2 * reg / len(X) * W1],
    }
    causes = {"L": ["", "penalty-not-in-loss", "penalty-factor-in-loss", "penalty-factor-in-loss"],
              "dW1": ["", "penalty-not-in-gradient", "penalty-factor", "penalty-factor", "penalty-factor"]}  # fmt: skip
    for name, answers in told.items():
        for answer, cause in zip(answers, causes[name], strict=True):
            feedback = check(name, answer, t)
            assert (feedback.ok, " ".join(feedback.cause)) == (not cause, cause), (name, str(feedback))

    plain = random_problem(4, samples=5, inputs=3, outputs=2, lr=lr)
    first = trace(plain.evolve(optimizer=Momentum(mu)))
    second = trace(first.next_problem())
    v, g, W = first["dW1"], second["dW1"], second["W1"]  # the velocity after the first step
    right = mu * v + g
    of_momentum = {
        "vW1_new": {"": right, "velocity-forgotten": g, "velocity-sign": mu * v - g,
                    "velocity-mixed": mu * v + (1 - mu) * g},
        "W1_new": {"": W - lr * right, "memory-unused": W - lr * g, "plus-for-minus": W + lr * right,
                   "memory-of-before": W - lr * v},
    }  # fmt: skip
    adam = trace(plain.evolve(optimizer=Adam(b1, b2)))
    g, W = adam["dW1"], adam["W1"]
    m, s = (1 - b1) * g, (1 - b2) * g * g
    of_adam = {
        "W1_new": {"": W - lr * (m / (1 - b1)) / (np.sqrt(s / (1 - b2)) + 1e-8),
                   "adam-not-corrected": W - lr * m / (np.sqrt(s) + 1e-8),
                   "adam-square-forgotten": W - lr * g / (g * g + 1e-8)},
        "vW1_new": {"": s, "adam-square-forgotten": (1 - b2) * g},
        "mW1_new": {"": m},
    }  # fmt: skip
    for step, homework in ((second, of_momentum), (adam, of_adam)):
        for name, answers in homework.items():
            for cause, answer in answers.items():
                feedback = check(name, answer, step)
                assert (feedback.ok, " ".join(feedback.cause)) == (not cause, cause), (name, str(feedback))


def test_a_new_value_in_the_shape_of_another_is_told_both_shapes_and_whose_numbers_these_are():
    t = trace(worked_example())
    said = "Your b1_new has shape (1, 2); it should have shape (1, 4), like b1. These are the numbers of b2_new."
    assert str(check("b1_new", t["b2_new"], t)) == said


@pytest.mark.parametrize(
    ("name", "line", "asked"),
    [
        ("y_pred", "W2.mT @ H1 + b2", lambda W2, H1, b2: W2.T @ H1 + b2),
        ("dH1", "dy_pred.mT @ W2", lambda dy_pred, W2: dy_pred.T @ W2),
    ],
)
def test_of_lines_that_stop_alike_the_one_that_reads_as_the_learners_is_shown(name, line, asked):
    assert f"Did you write `{line}`" in str(check_function(name, asked, [trace(worked_example())]))


def test_no_line_is_guessed_that_has_a_sum_where_the_learners_has_none():
    softmax = "P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)"
    p = program(
        f"S = X @ W\n{softmax}\nL = np.sum((P - y)**2)", {"W": np.ones((2, 3))}, {"X": np.eye(4, 2), "y": np.eye(4, 3)}
    )
    for_one_sample = check_function("dS", lambda P, dP: P * (dP - dP @ P), [trace(p)])
    assert "the first matrix needs" in str(for_one_sample)
    assert "Did you write" not in str(for_one_sample)


def test_sizes_are_spoken_of_where_one_was_typed_and_else_the_index_that_stands_there():
    def one_cell(i, d):
        return lambda X, dY1: np.sum(X[:, i] * dY1[:, d])

    def typed(X, dY1):
        return np.array([[np.sum(X[:, i] * dY1[:, d]) for i in range(4)] for d in range(3)])

    t = trace(worked_example())
    assert "Take sizes from the values themselves" in str(check_function("dW1", typed, [t]))
    told = str(check_function("dW1", one_cell(3, 0), [t]))
    assert "there are 3 columns, counted from 0, and none has the number 3: the index that stands there counts" in told


def test_a_gradient_whose_line_is_the_name_of_another_is_told_by_the_line_of_that():
    lines = "E = X @ w - y\nL = np.sum(np.where(np.abs(E) <= 1, E**2 / 2, np.abs(E) - 0.5))"
    t = trace(
        program(f"h = X @ w\n{lines.replace('X @ w', 'h')}", {"w": drawn(3, 2)}, {"X": drawn(5, 3), "y": drawn(5, 2)})
    )
    assert t.step("dh").code == "dE"
    assert "`E`: np.where is missing, and with it the mask" in str(check("dh", t["E"], t))
    swapped = np.where(np.abs(t["E"]) > 1, t["E"], np.sign(t["E"]))
    assert "the two choices of np.where have changed places" in str(check("dh", swapped, t))
    assert str(check("dh", t["E"] ** 3 + 2, t)).endswith("is made of E[0, 0].")


def test_a_comma_that_makes_two_values_of_an_answer_is_told_as_that():
    t = trace(worked_example())
    said = "Your Y1 is 2 values separated by commas, and should be one array: write decimals with a point"
    assert said in str(check_function("Y1", lambda X, W1, b1: (X @ W1, b1), [t]))


@pytest.mark.parametrize(
    "problem", [program(*FORTY["bidirectional rnn"]), programmed("conv1d_scan")], ids=["rnn", "scan"]
)
def test_no_answer_of_numbers_stops_the_feedback_on_a_program(problem):
    rng, t = np.random.default_rng(3), trace(problem)
    for step in t.steps:
        for answer in (rng.standard_normal(np.shape(step.value)), rng.standard_normal()):
            assert "unreadable" not in check(step.name, answer, t).cause, step.name


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mW1_new = 0.8 * mW1 + 0.2 * dW1", "a beta1 of 0.8 gives, and here beta1 is 0.9"),
        ("vW1_new = 0.99 * vW1 + 0.01 * dW1**2", "a beta2 of 0.99 gives, and here beta2 is 0.999"),
        ("mW1_new = dW1", "what is remembered from the step before is missing"),
    ],
)
def test_another_beta_is_no_forgotten_memory_times_a_count(line, said):
    """With five samples m + (dW - m) / 5 is 0.8 m + 0.2 dW, but nobody has written that."""
    t = trace(trace(random_problem(0, 5, 3, 4, 2, lr=0.1, optimizer=Adam())).next_problem())
    name, code = line.split(" = ")
    feedback = check(name, t.evaluate(code), t)
    assert said in feedback.message
    assert "two mistakes" not in feedback.message


def test_a_mean_in_place_of_the_first_velocity_is_told_though_a_line_without_what_is_remembered_gives_it_too():
    t = trace(random_problem(3, optimizer=Momentum()))
    assert check("vW1_new", (1 - 0.9) * t["dW1"], t).cause == ("velocity-mixed",)


def test_a_forgotten_gradient_is_told_where_the_first_velocity_is_0_and_so_is_the_answer():
    first = trace(random_problem(1, 4, 3, 5, 2, optimizer=Momentum()))
    traces = [first, trace(first.next_problem())]
    assert "dW1 is missing" in check_function("vW1_new", lambda vW1: 0.9 * vW1, traces).message
    assert "All your numbers are 0" in check_function("vW1_new", lambda vW1: 0 * vW1, traces).message


@pytest.mark.parametrize(
    ("inside", "outside", "right"),
    [("2 * R", "np.sign(R)", "does not hold"), ("R", "np.abs(R) - 0.5", "holds"), ("2 * R", "2 * np.sign(R)", None)],
)
def test_of_a_loss_in_two_parts_the_one_whose_slope_is_wrong_is_told(inside, outside, right):
    rng = np.random.default_rng(0)
    lines = "R = X @ W - y\nL = np.mean(np.where(np.abs(R) <= 1, 0.5 * R**2, np.abs(R) - 0.5))"
    t = trace(
        program(
            lines,
            {"W": rng.standard_normal((3, 2))},
            {name: rng.standard_normal((5, n)) for name, n in (("X", 3), ("y", 2))},
        )
    )
    message = check("dR", t.evaluate(f"np.where(np.abs(R) <= 1, {inside}, {outside}) / R.size"), t).message
    assert (f"right where `np.abs(R) <= 1` {right}, and wrong where" in message) == bool(right), message
    assert ("one side" in check("dR", t["dR"] * 3, t).cause) is False


def test_what_a_function_prints_is_printed_once(capsys):
    def doubled(X, dY1):
        print("shape", X.shape)  # noqa: T201
        return X.T @ dY1 * 2

    traces = [trace(random_problem(seed, samples=3 + seed)) for seed in range(3)]
    assert "twice" in check_function("dW1", doubled, traces).message
    assert capsys.readouterr().out == "shape (3, 3)\n"


def test_a_penalty_that_is_not_divided_by_the_samples_is_one_mistake_and_not_two():
    t = trace(random_problem(1, samples=6, inputs=3, hidden=4, outputs=1, loss=BinaryCrossEntropy(), penalty=L2(0.05)))
    without = t["H1"].T @ t["dY2"]
    said = str(check("dW2", without + 6 * (t["dW2"] - without), t))
    assert "`H1.mT @ dY2 + 2 * 0.05 * W2 * len(X)`, with another factor" in said, said
    assert "two mistakes" not in said
