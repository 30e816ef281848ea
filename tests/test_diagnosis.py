"""A learner's own loss: right gradients of every kind are called right, wrong ones never, and they are named."""

import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from common import count
from course_homework import COURSES, deep_with_penalty, drawn, two_layer_net
from homework import MISTAKES, homework
from more_homework import ALL

from backprop_lab import diagnose

LOOKS = {  # what becomes of a right gradient of a parameter, and what is said of it
    "minus what it should be": lambda g, W: -g,
    "twice what it should be": lambda g, W: 2 * g,
    "half of what it should be": lambda g, W: g / 2,
    "1/7 of what it should be": lambda g, W: g / 7,
    "3 times what it should be, with the other sign": lambda g, W: -3 * g,
    "all its numbers are 0": lambda g, W: 0 * g,
}


def with_one(gradients, name, wrong):
    """The same gradients, by name or in order, with another one for a parameter."""
    if isinstance(gradients, dict):
        key = next(key for key in (f"d{name}", name, f"grad_{name}") if key in gradients)
        return {**gradients, key: wrong}
    return wrong


def by_name(result, names):
    """What a course's loss returns: the value, and the gradients by name."""
    value, gradients = result[0], result[1] if len(result) == 2 else result[1:]
    if isinstance(gradients, dict):
        spelled = ("d{}", "{}", "grad_{}")
        return value, {n: next(gradients[s.format(n)] for s in spelled if s.format(n) in gradients) for n in names}
    gradients = [gradients] if isinstance(gradients, np.ndarray) else gradients
    return value, dict(zip(names, gradients, strict=True))


def right(course):
    """A course's loss as it is, one that returns the loss alone, parameters, and gradients by name."""
    loss, parameters = course()
    result = loss(*parameters.values()) if takes_arrays(loss) else loss(parameters)
    return loss, parameters, by_name(result, [*parameters])[1]


def takes_arrays(loss):
    return loss.__code__.co_varnames[: loss.__code__.co_argcount] not in (("p",), ("params",), ("parameters",))


def alone(loss):
    if takes_arrays(loss):
        return lambda *arrays: loss(*arrays)[0]
    return lambda parameters: loss(parameters)[0]


@pytest.mark.parametrize("course", ALL, ids=lambda course: course.__name__)
def test_right_homework_of_courses_is_called_right_and_its_arrays_stay_as_they_are(course):
    loss, parameters, gradients = right(course)
    before = {name: np.copy(value) for name, value in (parameters | {f"d{n}": g for n, g in gradients.items()}).items()}
    elsewhere = 8 * len(parameters) + 40  # calls at other parameters, where the gradients come from a function
    for found, more in ((diagnose(loss, parameters), elsewhere), (diagnose(alone(loss), parameters, gradients), 0)):
        assert found.ok is True, found
        assert found
        assert all(found[name].ok and found[name].sentence == "right" for name in parameters)
        assert found.calls <= 4 * sum(np.size(value) for value in parameters.values()) * 1.5 + 40 + more
    after = parameters | {f"d{name}": value for name, value in gradients.items()}
    assert all(np.array_equal(before[name], after[name]) for name in before)


def wrong_homework():
    """Each course with one classic mistake: the course, what is written instead of what, and the source with it."""
    text = (Path(__file__).parent / "wrong_homework.txt").read_text(encoding="utf-8")
    below = dict(re.findall(r"^(\w+)\n((?:  .*\n)+)", text, re.MULTILINE))
    for course in ALL:
        source = inspect.getsource(course)
        for line in below.get(course.__name__, "").splitlines():
            old, new = line.strip().split(" => ")
            assert old in source, (course.__name__, old)
            yield course, line.strip(), source.replace(old, new, 1)


def test_of_wrong_homework_of_courses_just_the_gradients_that_are_wrong_are_called_wrong():
    tried = 0
    for course, what, source in wrong_homework():
        scope = dict(vars(sys.modules[course.__module__]))
        exec(source, scope)
        (loss, parameters, gradients), (_, _, wrong) = right(course), right(scope[course.__name__])
        found = diagnose(alone(loss), parameters, wrong)
        is_off = {n: not np.allclose(wrong[n], gradients[n], rtol=1e-9, atol=1e-12) for n in parameters}
        assert any(is_off.values()), (course.__name__, what)
        assert {name: found[name].ok for name in parameters} == {n: not off for n, off in is_off.items()}, (what, found)
        tried += 1
    assert tried >= 200


def test_right_homework_in_every_convention_is_called_right():
    for seed in range(count(3000, 20)):
        work = homework(seed)
        found = diagnose(work.loss, work.parameters, work.gradients)
        assert found.ok is True, (seed, work.convention, found)


@pytest.mark.parametrize("spelled", ["d{}", "{}", "d_{}", "grad_{}", "{}_grad", "g{}", "g_{}", "dL_d{}", "dJ_d{}"])
def test_a_gradient_is_found_by_its_usual_names(spelled):
    work = homework(0)
    gradients = {spelled.format(name): work.gradients[f"d{name}"] for name in work.parameters}
    assert diagnose(work.loss, work.parameters, gradients).ok


def test_a_transposed_gradient_is_right_and_said_to_be_transposed():
    for seed in range(count(300, 20)):
        work = homework(seed)
        gradients = {name: value.T for name, value in work.gradients.items()}
        found = diagnose(work.loss, work.parameters, gradients)
        assert found.ok is True, (seed, found)
        for name, given in gradients.items():
            is_a_matrix = given.ndim == 2 and min(given.shape) > 1
            looks_the_same = given.shape == given.T.shape and np.allclose(given, given.T)
            if given.any():
                said, is_turned = found[name[1:]].sentence, is_a_matrix and not looks_the_same
                assert ("transposed" in said) == is_turned
                assert said.endswith("is the gradient") == (is_turned and given.shape == given.T.shape)


@pytest.mark.parametrize(
    ("shape", "given", "sentence"),
    [
        ((4, 1), (4,), "right, but of shape (4,), where b has (4, 1): reshape it before the update"),
        ((4,), (4, 1), "right, but of shape (4, 1), where b has (4,): reshape it before the update"),
        ((1, 4), (4, 1), "right, but of shape (4, 1), where b has (1, 4): reshape it before the update"),
        ((1, 4), (4,), "right"),
        ((4,), (1, 4), "right"),
        ((1, 1), (), "right"),
    ],
)
def test_a_right_gradient_whose_update_would_be_a_table_is_said_to_have_another_shape(shape, given, sentence):
    b = drawn(1, b=shape)["b"]
    assert diagnose(lambda b: np.sum(b**2), {"b": b}, {"b": 2 * b.reshape(given)})["b"].sentence == sentence


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.__name__)
def test_a_wrong_factor_in_all_gradients_of_any_course_is_named(course):
    loss, parameters, gradients = right(course)
    for sentence, wrong in LOOKS.items():
        found = diagnose(
            alone(loss), parameters, {name: wrong(gradients[name], parameters[name]) for name in parameters}
        )
        for name, parameter in parameters.items():
            assert found[name].ok is False
            is_told = np.size(parameter) > 1 or not any(number in sentence for number in ("3", "7"))
            assert not is_told or sentence in found[name].sentence, (name, found)


@pytest.mark.parametrize("order", ["W2 b2 W1 b1", "W1 W2 b1 b2", "W2 W1 b2 b1"])
def test_a_gradient_in_the_place_of_another_is_told_whose_it_is(order):
    """As where a list has another order than the parameters, of the same shapes or of others."""
    for hidden in (3, 4):
        loss, parameters = two_square_layers(hidden)
        gradients = loss(parameters)[1]
        found = diagnose(alone(loss), parameters, [gradients[name] for name in order.split()])
        for name, given in zip(parameters, order.split(), strict=True):
            is_right = name == given
            assert found[name].sentence == ("right" if is_right else f"wrong: this is the gradient of {given}"), found

        def in_another_order(parameters, loss=loss, order=order):
            value, gradients = loss(parameters)
            return value, *(gradients[name] for name in order.split())

        found = diagnose(in_another_order, parameters)
        assert "this is the gradient of" in repr(found)
        assert "No change of a single line" not in repr(found), "what is wrong has been said"


def test_of_several_gradients_only_the_wrong_one_is_called_wrong():
    loss, parameters, gradients = right(two_layer_net)
    for name in parameters:
        found = diagnose(alone(loss), parameters, {**gradients, name: 1.001 * gradients[name]})
        assert [each for each in parameters if not found[each].ok] == [name]


def test_a_planted_mistake_is_never_called_right_where_it_changes_a_gradient():
    wrong = 0
    for seed in range(count(300, 20)):
        for mistake in MISTAKES:
            work = homework(seed, mistake)
            if not work.wrong:
                continue
            try:
                gradients = work.gradients
            except (IndexError, ValueError):  # NumPy refuses it
                continue
            truth, found = homework(seed).gradients, diagnose(work.loss, work.parameters, gradients)
            for name, given in gradients.items():
                verdict = found[name[1:]]
                if not any(np.shape(g) == truth[name].shape and np.allclose(g, truth[name]) for g in (given, given.T)):
                    is_dead = "stays the same" in verdict.sentence and not any(g.any() for g in truth.values())
                    assert verdict.ok is (None if is_dead else False), (seed, mistake, name, verdict)
                    wrong += 1
                else:
                    assert verdict.ok is True, (seed, mistake, name, verdict)
    assert wrong > 100


def penalised(square=0.0, size=0.0, loss=None):
    """A cross-entropy with a penalty on W1, and its right gradients without one."""
    X, y = drawn(4, X=(5, 4))["X"], np.array([0, 1, 2, 2, 1])
    parameters = drawn(5, W1=(4, 3), b1=(1, 3))

    def of(W1, b1):
        scores = X @ W1 + b1
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        probs = e / e.sum(axis=1, keepdims=True)
        value = -np.log(probs[range(5), y]).mean() + square * np.sum(W1**2) + size * np.sum(np.abs(W1))
        probs[range(5), y] -= 1
        return value, {"W1": X.T @ probs / 5, "b1": probs.sum(axis=0) / 5}

    return of, parameters, of(**parameters)[1]


@pytest.mark.parametrize(
    ("share", "sentence"),
    [
        (0, "the penalty is missing: 0.2 * W1"),
        (0.5, "the penalty is half of 0.2 * W1"),
        (2, "the penalty is twice 0.2 * W1"),
        (-1, "the penalty has the other sign, and should be 0.2 * W1"),
        (0.2, "the penalty should be 0.2 * W1, and is 0.2 times that"),
    ],
)
def test_a_penalty_that_is_missing_halved_doubled_or_turned_round_is_named(share, sentence):
    loss, parameters, gradients = penalised(0.1)
    W1 = parameters["W1"]
    found = diagnose(loss, parameters, {**gradients, "W1": gradients["W1"] + share * 0.2 * W1})
    assert sentence in str(found["W1"]), found
    assert found["b1"].ok


def test_a_parameter_after_its_step_in_place_of_its_gradient_is_called_that():
    loss, parameters, gradients = penalised()
    stepped = {name: parameters[name] - 0.1 * gradients[name].reshape(parameters[name].shape) for name in gradients}
    found = diagnose(loss, parameters, stepped)
    assert (
        str(found["W1"]) == "W1: wrong: these are the numbers of W1 after a step of rate 0.1, and not of its gradient"
    )


def test_a_gradient_of_which_it_is_said_what_is_missing_is_not_said_to_be_beyond_a_change_of_one_line():
    loss, parameters, _ = penalised(0.1)
    without = penalised()[0]
    found = diagnose(loss, parameters, lambda W1, b1: without(W1, b1)[1])
    assert "the penalty is missing: 0.2 * W1" in repr(found)
    assert "No change of a single line" not in repr(found)


def test_a_loss_that_is_infinite_far_away_says_nothing_of_the_size_of_its_penalty():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 4)), np.array([0, 1, 2, 2, 1])
    start = {"W1": rng.standard_normal((4, 6)), "b1": 0.1 * rng.standard_normal(6)}
    start |= {"W2": rng.standard_normal((6, 3)), "b2": 0.1 * rng.standard_normal(3)}

    def loss(W1, b1, W2, b2):
        h = np.maximum(0, X @ W1 + b1)
        e = np.exp(h @ W2 + b2 - np.max(h @ W2 + b2, axis=1, keepdims=True))
        probs = e / e.sum(axis=1, keepdims=True)
        value = -np.log(probs[range(5), y]).sum() / 5 + 0.05 * (np.sum(W1**2) + np.sum(W2**2))
        dscores = (probs - np.eye(3)[y]) / 5
        dh = dscores @ W2.T * (h > 0)
        grads = {"W2": h.T @ dscores + 0.05 * W2, "b2": dscores.sum(0), "W1": X.T @ dh + 0.1 * W1, "b1": dh.sum(0)}
        return value, grads

    found = diagnose(loss, start)
    assert "0.05 * W2 is missing" in found["W2"].sentence
    assert [found[name].ok for name in start] == [True, True, False, True]


def test_what_is_right_only_where_all_of_a_parameter_is_0_is_not_called_right():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 4)), rng.standard_normal(5)

    def loss(p, share=0.0):
        off = X @ p["w"] + p["b"] - y
        return np.sum(off**2) + 0.1 * np.sum(p["w"] ** 2), {"w": 2 * X.T @ off + share * p["w"], "b": 2 * off.sum()}

    start = {"w": np.zeros(4), "b": 0.0}
    found = diagnose(loss, start)
    assert (found["w"].ok, found["b"].ok, found.ok) == (None, True, None)
    assert "right for these parameters, but not for others near them" in found["w"].sentence
    assert diagnose(lambda p: loss(p, 0.2), start)
    assert diagnose(lambda p: loss(p, -0.2), start)["w"].ok is None
    numbers = loss(start)[1]
    assert diagnose(lambda p: loss(p)[0], start, lambda p: numbers), "numbers are of these parameters alone"


def test_the_right_gradient_of_another_penalty_is_told_as_that():
    loss, parameters, gradients = penalised(0.1)
    signs = np.sign(parameters["W1"])
    said = str(diagnose(loss, parameters, {**gradients, "W1": gradients["W1"] + 0.3 * signs})["W1"])
    assert "the penalty is a different one: it lacks 0.2 * W1 + -0.3 * np.sign(W1)" in said
    loss, parameters, gradients = penalised(0, 0.3)
    assert "0.3 * np.sign(W1) is missing" in str(diagnose(loss, parameters, gradients)["W1"])
    loss, parameters, gradients = penalised()
    too_much = {**gradients, "W1": gradients["W1"] + 0.1 * parameters["W1"]}
    assert "0.1 * W1 is too much" in str(diagnose(loss, parameters, too_much)["W1"])


def test_a_gradient_that_is_hardly_wrong_is_not_said_to_have_the_other_sign():
    loss, parameters, gradients = right(two_layer_net)
    found = diagnose(alone(loss), parameters, {**gradients, "W1": gradients["W1"] * (1 + 3e-5)})
    assert found["W1"].ok is False
    assert "what it should be" not in str(found["W1"])
    assert "all 24 numbers differ" in str(found["W1"])


def test_two_mistakes_at_once_are_told_together():
    loss, parameters, gradients = penalised(0.1)
    transposed = diagnose(loss, parameters, {**gradients, "W1": -(gradients["W1"] + 0.2 * parameters["W1"]).T})
    assert "it is transposed, and minus what it should be" in str(transposed["W1"])
    both = diagnose(loss, parameters, {**gradients, "W1": 5 * gradients["W1"]})  # no 1/m, and no penalty
    assert "`0.2 * dW1 + 0.2 * W1` would be right" in str(both["W1"])


@pytest.mark.parametrize(
    "wrong", [np.ones_like, lambda W: 2 * W**2, lambda W: 2 * W + np.eye(3, 4), lambda W: np.round(2 * W, 2)]
)
def test_a_multiple_of_the_parameter_alone_is_not_said_to_be_two_mistakes(wrong):
    parameters = drawn(0, W1=(3, 4))
    found = diagnose(lambda p: np.sum(p["W1"] ** 2), parameters, {"W1": wrong(parameters["W1"])})
    assert found["W1"].ok is False
    assert "would be right" not in str(found["W1"])


def test_known_numbers_of_the_learner_are_named_where_a_factor_is_one_of_them():
    X, y, lr = drawn(0, X=(7, 3))["X"], drawn(0, y=7)["y"], 0.013

    def loss(w):
        return np.sum((X @ w - y) ** 2) + 0 * lr

    parameters = drawn(1, w=3)
    dw = 2 * X.T @ (X @ parameters["w"] - y)
    assert "1/7 of what it should be; X.shape[0] is 7" in str(diagnose(loss, parameters, {"dw": dw / 7}))
    assert "0.013 times what it should be; lr is 0.013" in str(diagnose(loss, parameters, {"dw": lr * dw}))


def test_what_can_be_seen_in_the_cells_is_said():
    loss, parameters, gradients = right(two_layer_net)
    W1, W2, b1 = gradients["W1"], gradients["W2"], gradients["b1"]

    def said(**wrong):
        (name,) = wrong
        found = diagnose(alone(loss), parameters, {**gradients, **wrong})
        assert found[name].ok is False
        return found[name].sentence

    assert "rows 0 and 1 are swapped" in said(W1=W1[[1, 0, 2, 3]])
    assert "only row 2 is right" in said(W1=W1 * (np.arange(4) == 2)[:, None] + 1 * (np.arange(4) != 2)[:, None])
    assert "only 0s and 1s: like a mask, they say where" in said(W2=(W2 > 0).astype(float))
    assert "every number is the sum of all that should be there" in said(b1=np.full(6, b1.sum()))
    assert "all numbers are right except [1, 2]: 0 in yours" in said(W2=W2 * (np.arange(18).reshape(6, 3) != 5))
    assert "these are the numbers of W1 itself" in said(W1=2 * parameters["W1"])
    assert "one sample alone" in said(W2=np.outer(*drawn(0, h=6, d=3).values()))
    assert "1 of the 24 numbers differs; dW1[3, 5] is" in said(W1=W1 + 1e-3 * np.eye(1, 24, 23).reshape(4, 6))
    assert "nan at [0, 0], and the loss is finite" in said(W1=W1 * np.nan)


def test_a_gradient_of_another_shape_is_told_which_sum_is_missing():
    X, y = drawn(0, X=(5, 3), y=(5, 2)).values()
    parameters = drawn(1, W=(3, 2), b=(1, 2))

    def loss(W, b):
        return np.mean((X @ W + b - y) ** 2)

    d = 2 * (X @ parameters["W"] + parameters["b"] - y) / y.size
    found = diagnose(loss, parameters, {"W": X.T @ d, "b": d})
    assert (
        str(found["b"])
        == "b: wrong: its gradient has shape (5, 2), and b has (1, 2); its sum over axis 0 would be right"
    )
    assert "it is the sum of all that should be there" in str(
        diagnose(loss, parameters, {"W": X.T @ d, "b": d.sum()})["b"]
    )
    assert diagnose(loss, parameters, {"W": X.T @ d, "b": d.sum(axis=1)})["b"].ok is False


def test_the_code_that_is_shown_gives_the_slope_that_is_told():
    for course in COURSES:
        loss, parameters, gradients = right(course)
        name = next(iter(parameters))
        wrong = {n: g + 1 * (n == name) for n, g in gradients.items()}
        for function, given in ((alone(loss), wrong),):
            found = diagnose(function, parameters, given)
            *before, last = found[name].code.splitlines()
            assert found[name].code.startswith("# `loss` is your function\n"), "it has no name"
            scope = {"np": np, "loss": function, "parameters": parameters}
            exec("\n".join(before), scope)
            slope = eval(last, scope)
            where = found[name].where
            assert np.isclose(slope, np.asarray(gradients[name])[where], 1e-4, 1e-7)
            assert found[name].code in repr(found)


def test_the_code_that_is_shown_calls_a_function_by_its_name():
    def my_loss(p):
        return p["W"] ** 2

    found = diagnose(my_loss, {"W": 3.0}, {"W": 7.0})
    assert found["W"].sentence == "wrong: dW is 7, and should be 6"
    assert "To see for yourself, the slope of your loss at W, where `parameters` are yours:" in repr(found)
    *before, last = found["W"].code.splitlines()
    exec("\n".join(before), scope := {"np": np, "my_loss": my_loss, "parameters": {"W": 3.0}})
    assert np.isclose(eval(last, scope), 6)


def test_dropout_without_a_seed_and_a_loss_that_counts_its_calls_are_noticed():
    X, parameters = drawn(0, X=(4, 5))["X"], drawn(1, W=(5, 3))
    for rate in (0.5, 0.02):
        rng = np.random.default_rng(0)
        found = diagnose(
            lambda W, r=rate, rng=rng: np.sum((X * (rng.random(X.shape) > r)) @ W),
            parameters,
            {"W": X.T @ np.ones((4, 3))},
        )
        assert found.ok is None
        assert "changes from call to call" in str(found["W"])
        assert rate < 0.1 or found.calls < 40
    calls = []

    def drifting(W):
        calls.append(1)
        return np.sum(X @ W) + 1e-5 * len(calls)

    assert diagnose(drifting, parameters, {"W": X.T @ np.ones((4, 3))}).ok is None


@pytest.mark.parametrize("seed", range(3, 9))
def test_the_bias_before_a_batch_norm_is_right_though_its_gradient_is_nothing_but_rounding(seed):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))

    def loss(p):
        z = X @ p["W"] + p["b"]
        s = np.sqrt(z.var(axis=0) + 1e-5)
        n = (z - z.mean(axis=0)) / s
        d = 2 * (n - Y)
        dz = (d - d.mean(axis=0) - n * (d * n).mean(axis=0)) / s
        return np.sum((n - Y) ** 2), {"W": X.T @ dz, "b": dz.sum(axis=0)}

    parameters = {"W": rng.standard_normal((4, 3)), "b": np.zeros(3)}
    for found in (diagnose(loss, parameters), diagnose(lambda p: loss(p)[0], parameters, loss(parameters)[1])):
        assert found.ok, found
        assert "wrong" not in str(found)
    gradients = loss(parameters)[1]
    assert diagnose(lambda p: loss(p)[0], parameters, gradients | {"b": gradients["b"] + 1e-9})["b"].ok is False


def test_a_loss_that_reads_its_numbers_from_elsewhere_is_told_so():
    parameters = drawn(1, W=(5, 3))
    found = diagnose(lambda W: np.sum(parameters["W"] ** 2), parameters, {"W": 2 * parameters["W"]})
    assert found.ok is None
    said = (
        "your loss stays the same when W is changed a little. Does it use the W that it is given? If it rounds, as in"
    )
    assert f"{said} float32, take float64.\n" in str(found)
    assert diagnose(lambda W: 3.0, parameters, {"W": 0 * parameters["W"]}).ok is True
    both = {**parameters, "b": 1.0}
    found = diagnose(lambda W, b: np.sum(parameters["W"]) * b, both, {"W": parameters["W"], "b": parameters["W"].sum()})
    assert (found["W"].ok, found["b"].ok) == (False, True)
    assert "W: wrong: your loss stays the same when W is changed a little" in str(found)


def two_square_layers(hidden, inputs=4, outputs=4):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((5, inputs)), rng.standard_normal((5, outputs))
    parameters = {"W1": rng.standard_normal((inputs, hidden)), "b1": rng.standard_normal(hidden)}
    parameters |= {"W2": rng.standard_normal((hidden, outputs)), "b2": rng.standard_normal(outputs)}

    def loss(p):
        H = np.tanh(X @ p["W1"] + p["b1"])
        dY = (H @ p["W2"] + p["b2"] - Y) / len(X)
        dH = dY @ p["W2"].T * (1 - H**2)
        gradients = {"W1": X.T @ dH, "b1": dH.sum(0), "W2": H.T @ dY, "b2": dY.sum(0)}
        return np.sum((H @ p["W2"] + p["b2"] - Y) ** 2) / 2 / len(X), gradients

    return loss, parameters


def with_an_epsilon(how, eps=1e-7, factor=1):
    """A cross-entropy with a small number in its logarithms, which the gradients have not; and its parameters."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((5, 4)), np.array([[0.0], [1], [1], [0], [1]])

    def pass_of(p):
        A1 = np.tanh(X @ p["W1"])
        A2 = 1 / (1 + np.exp(-A1 @ p["W2"]))
        dZ2 = (A2 - Y) / len(Y)
        return A2, {"W1": X.T @ (factor * dZ2 @ p["W2"].T * (1 - A1**2)), "W2": A1.T @ dZ2}

    def written(p):
        A2, gradients = pass_of(p)
        return -np.mean(Y * np.log(A2 + 1e-7) + (1 - Y) * np.log(1 - A2 + 1e-7)), gradients

    def known(p):
        A2, gradients = pass_of(p)
        return -np.mean(Y * np.log(eps + A2) + (1 - Y) * np.log(1 - A2 + eps)), gradients

    def by_default(p, tiny=1e-7):
        A2, gradients = pass_of(p)
        return -np.mean(Y * np.log(A2 + tiny) + (1 - Y) * np.log(1 - A2 + tiny)), gradients

    ways = {"1e-07": written, "eps": known, "tiny": by_default}
    return ways[how], {"W1": 3 * rng.standard_normal((4, 6)), "W2": 5 * rng.standard_normal((6, 1))}


@pytest.mark.parametrize("how", ["1e-07", "eps", "tiny"])
def test_a_gradient_that_is_right_but_for_an_epsilon_in_the_loss_is_told_so(how):
    loss, parameters = with_an_epsilon(how)
    before = loss(parameters)[0]
    found = diagnose(loss, parameters)
    (line,) = (n for n, text in enumerate(inspect.getsource(inspect.getmodule(loss)).splitlines(), 1)
               if "np.log" in text and f"{how.replace('-07', '-7')})" in text and "mean" in text)  # fmt: skip
    assert found.ok is True, found
    assert found["W1"].sentence == f"right, for your loss without `{how}` in line {line}"
    assert loss(parameters)[0] == before, "the loss is as it was"
    numbers = diagnose(lambda p: loss(p)[0], parameters, loss(parameters)[1])
    assert [numbers[name].sentence for name in parameters] == [found[name].sentence for name in parameters]


def test_what_is_wrong_besides_an_epsilon_is_called_wrong():
    loss, parameters = with_an_epsilon("eps", factor=0.5)
    found = diagnose(loss, parameters)
    assert found["W2"].ok is True
    assert found["W1"].ok is False
    loss, parameters = with_an_epsilon("eps", eps=0.01)
    assert diagnose(loss, parameters).ok is False, "0.01 is no epsilon"


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_losses_of_any_size_are_judged_alike(scale):
    loss, parameters, gradients = right(deep_with_penalty)
    scaled = {name: scale * value for name, value in gradients.items()}
    assert diagnose(lambda p: scale * alone(loss)(p), parameters, scaled).ok is True
    wrong = diagnose(lambda p: scale * alone(loss)(p), parameters, {**scaled, "W2": 1.01 * scaled["W2"]})
    assert [verdict.ok for verdict in wrong.values()] == [name != "W2" for name in parameters]


def test_a_large_constant_in_the_loss_makes_it_untold_and_never_wrong():
    loss, parameters, gradients = right(two_layer_net)
    found = [diagnose(lambda p, c=c: alone(loss)(p) + c, parameters, gradients) for c in (1, 1e3, 1e6, 1e12)]
    assert [each.ok for each in found] == [True, True, None, None]
    assert "W1: cannot be told for 3 of its 24 numbers, the first at [0, 0]: rounding leaves" in repr(found[2])


def test_a_loss_that_writes_into_what_it_is_given_is_judged_by_what_it_returns():
    def loss(W):
        W += 1
        return np.sum(W**2)

    start = drawn(1, W=(2, 3))
    kept = start["W"].copy()
    assert diagnose(loss, start, {"W": 2 * (kept + 1)}).ok is True
    assert np.array_equal(start["W"], kept)


def test_a_loss_that_is_computed_in_float32_is_never_called_wrong():
    for seed in (106, 270, *range(count(500))):
        X, y = (array.astype(np.float32) for array in drawn(seed, X=(6, 4), y=6).values())

        def loss(W, X=X, y=y):
            return np.mean((np.tanh(X @ W.astype(np.float32)) - y) ** 2)

        parameters = drawn(seed + 1, W=4)
        H = np.tanh(X @ parameters["W"])
        gradient = X.T @ (2 * (H - y) / 6 * (1 - H**2))
        found = diagnose(loss, parameters, {"W": gradient})
        assert found.ok or (found.ok is None and "take float64" in str(found["W"])), (seed, found)
        assert diagnose(loss, parameters, {"W": 1.5 * gradient}).ok is not True


def test_a_float32_number_that_is_what_is_left_of_larger_ones_may_be_off_by_their_rounding():
    X = np.linalg.qr(drawn(0, X=(2000, 6))["X"])[0].astype(np.float32) * 50
    W = np.arange(6, dtype=np.float32)
    y = X @ (W - 3 * np.eye(6, dtype=np.float32)[0])
    found = diagnose(lambda W: np.sum((X @ W - y) ** 2), {"W": W}, {"W": 2 * X.T @ (X @ W - y)})
    assert found.ok is not False, found


def test_float32_homework_is_right_to_its_own_rounding():
    for seed in (124, *range(count(300, 20))):
        work = homework(seed)
        work.data = {n: v.astype(np.float32) if v.dtype == float else v for n, v in work.data.items()}
        work.parameters = {name: value.astype(np.float32) for name, value in work.parameters.items()}
        gradients = work.gradients
        found = diagnose(work.loss, work.parameters, gradients)
        assert found.ok is not False, (seed, found)
        assert all(verdict.ok for verdict in found.values()), (seed, found)
        wrong = {name: value * np.float32(1.01) for name, value in gradients.items()}
        assert not any(v.ok for n, v in diagnose(work.loss, work.parameters, wrong).items() if wrong[f"d{n}"].any())


def test_corners_of_the_loss_are_untold_and_never_called_wrong():
    parameters = {"W": np.array([[0.0, 1.0], [-1.0, 0.0]])}
    for slope in (0.0, 0.5, 1.0):
        found = diagnose(
            lambda W: np.sum(np.maximum(W, 0)),
            parameters,
            {"W": (parameters["W"] > 0) + slope * (parameters["W"] == 0)},
        )
        assert found.ok is not False
        assert "corner" in str(found) or found.ok
    near = {"W": np.array([1e-6, -1e-6, 0.5, 2e-6])}
    assert diagnose(lambda W: np.sum(np.abs(W)), near, {"W": np.sign(near["W"])}).ok is not False

    def soft(W):
        return np.sum(np.sign(W) * np.maximum(np.abs(W) - 1e-8, 0))

    assert diagnose(soft, {"W": np.array([0.0, 1.0])}, {"W": np.array([0.0, 1.0])}).ok is None  # two corners hide
    dead_zone = np.array([0.0, 1.0, 2.0])
    shrunk = diagnose(lambda W: np.sum(np.maximum(np.abs(W) - 1e-8, 0)), {"W": dead_zone}, {"W": np.sign(dead_zone)})
    assert shrunk.ok is not False


@pytest.mark.parametrize("size", [1e-2, 1e-3, 1e-4, 1e-5, 3e-6, 1e-6, 1e-7, 1e-9])
def test_right_gradients_of_tiny_weights_and_zero_biases_are_never_called_wrong_and_wrong_ones_are(size):
    """A move that is large beside the weights takes all ReLUs across their corners, which then no longer show."""
    for seed in {19, 29, *range(count(60, 12))}:  # in 19 and 29, two corners hide each other
        X, y = drawn(seed, X=(5, 4), y=(5, 3)).values()

        def loss(W1, b1, W2, b2, X=X, y=y):
            H1 = np.maximum(X @ W1 + b1, 0)
            dY2 = 2 * (H1 @ W2 + b2 - y)
            dY1 = (dY2 @ W2.T) * (H1 > 0)
            return np.sum((H1 @ W2 + b2 - y) ** 2), X.T @ dY1, dY1.sum(axis=0), H1.T @ dY2, dY2.sum(axis=0)

        weights = {name: size * value for name, value in drawn(seed + 100, W1=(4, 6), W2=(6, 3)).items()}
        parameters = {"W1": weights["W1"], "b1": np.zeros(6), "W2": weights["W2"], "b2": np.zeros(3)}
        found = diagnose(loss, parameters)
        assert found.ok is not False, (seed, found)
        assert found.ok or size < 1e-2, (seed, found)
        wrong = diagnose(alone(loss), parameters, [gradient / 2 for gradient in loss(**parameters)[1:]])
        assert wrong.ok is False, (seed, wrong)
        assert not any(verdict.ok for verdict in wrong.values()), (seed, wrong)
        assert all(verdict.ok is False for verdict in wrong.values()) or size < 3e-6, (seed, wrong)


def large(loss_only=True, seed=0):
    X, y = drawn(seed, X=(16, 700), y=(16, 5)).values()

    def loss(W1, b1, W2, b2):
        calls.append(1)
        H = np.tanh(X @ W1 + b1)
        d = 2 * (H @ W2 + b2 - y) / y.size
        dY = (d @ W2.T) * (1 - H**2)
        return np.mean((H @ W2 + b2 - y) ** 2), (X.T @ dY, dY.sum(axis=0), H.T @ d, d.sum(axis=0))

    calls = []
    parameters = {name: value / 20 for name, value in drawn(1, W1=(700, 142), b1=142, W2=(142, 5), b2=5).items()}
    return loss, parameters, calls


def test_a_hundred_thousand_numbers_take_at_most_200_calls_and_a_hidden_error_is_never_called_right():
    loss, parameters, calls = large()
    gradients = dict(zip(parameters, loss(**parameters)[1], strict=True))
    calls.clear()
    found = diagnose(loss, parameters)
    assert sum(value.size for value in parameters.values()) > 100_000
    assert len(calls) == found.calls <= 200
    assert found.ok is None
    assert "no error is seen along random directions, but they would miss one below" in str(found["W1"])
    largest = np.max(np.abs(gradients["W1"]))
    for size, verdict in ((1.0, False), (1e-3, False), (1e-12, None), (1e-16, None)):
        wrong = {
            **gradients,
            "W1": gradients["W1"] + size * largest * np.eye(700, 142)[::-1] * (np.arange(700) == 600)[:, None],
        }
        calls.clear()
        assert diagnose(lambda *p: loss(*p)[0], parameters, wrong)["W1"].ok is verdict
        assert len(calls) <= 200
    for sentence, made in (("minus what it should be", -1), ("twice what it should be", 2)):
        calls.clear()
        assert sentence in str(
            diagnose(lambda *p: loss(*p)[0], parameters, {**gradients, "W1": made * gradients["W1"]})
        )
        assert len(calls) <= 200


def test_of_many_numbers_too_one_is_told_of_an_epsilon_and_of_gradients_in_another_order():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((5, 80)), np.eye(80)[:5]

    def loss(p, eps=1e-5):
        H = np.tanh(X @ p["W1"])
        S = np.exp(H @ p["W2"])
        P = S / S.sum(axis=1, keepdims=True)
        dS = (P - Y) / 5
        return -np.sum(Y * np.log(P + eps)) / 5, [X.T @ (dS @ p["W2"].T * (1 - H**2)), H.T @ dS]

    parameters = {"W1": rng.standard_normal((80, 80)) / 9, "W2": rng.standard_normal((80, 80)) / 9}
    found = diagnose(loss, parameters)
    assert found.ok is None
    assert re.search(r"no error is seen .*, for your loss without `eps` in line \d+$", found["W1"].sentence)
    turned = diagnose(lambda p: loss(p, 0)[0], parameters, loss(parameters)[1][::-1])
    assert [turned[name].sentence for name in parameters] == [
        "wrong: this is the gradient of W2", "wrong: this is the gradient of W1",
    ]  # fmt: skip


def test_a_long_run_says_how_many_calls_it_takes(capsys, monkeypatch):
    monkeypatch.setattr("backprop_lab.homework.loss.PATIENCE", -1.0)
    loss, parameters = two_layer_net()
    found = diagnose(loss, parameters)
    said = capsys.readouterr()
    assert said.out == ""
    assert " of about " in said.err
    assert f"\rdiagnose: {found.calls} calls to your loss" in said.err


def test_what_a_loss_prints_is_kept_quiet(capsys):
    def loss(w):
        print("loss", w)  # noqa: T201
        return float(np.sum(w**2))

    assert diagnose(loss, {"w": np.ones(3)}, {"w": 2 * np.ones(3)}).ok is True
    assert capsys.readouterr().out == ""


W = np.ones((2, 2))
REFUSED = {
    "the loss must be a function of the parameters, not a float": (3.0, {"W": W}, {"W": W}),
    "the parameters are a dictionary by name": (np.sum, [W], [W]),
    "W is a list of arrays: give each its own name": (lambda p: 0.0, {"W": [W, W]}, {}),
    "W must be an array of numbers": (lambda p: 0.0, {"W": "text"}, {}),
    "W has nan in it": (lambda p: 0.0, {"W": W * np.nan}, {}),
    "your loss asks for X, y, p": (lambda X, y, p: 0.0, {"W": W}, {"W": W}),
    "your loss stopped with ZeroDivisionError: division by zero. It was given W (2, 2)": (
        lambda W: 1 / 0,
        {"W": W},
        {},
    ),
    "it returns an array of shape (2, 2)": (lambda W: W, {"W": W}, {"W": W}),
    "your loss returns nothing: put `return` in front of it": (lambda W: None, {"W": W}, {"W": W}),
    "give the gradients as a dictionary, such as {'dW': dW}": (lambda W: np.sum(W), {"W": W}, None),
    "or a list of 2; got a ndarray": (lambda W, b: np.sum(W) + b, {"W": W, "b": 1.0}, W),
    "no gradient of W: call it dW or W; got V": (lambda W: np.sum(W), {"W": W}, {"V": W}),
    "no gradient of W: call it dW or W; got none": (lambda W: np.sum(W), {"W": W}, {}),
    "your loss stopped with SystemExit: 3. It was given W (2, 2)": (
        lambda W: sys.exit(3),
        {"W": W},
        {"W": W},
    ),
    "it returns an array of shape (2,)": (
        lambda p: p["W"].sum(axis=0),
        {"W": W},
        {"W": W},
    ),
    "it returns a str": (
        lambda p: str(p["W"]),
        {"W": W},
        {"W": W},
    ),
    "it returns a dict": (
        lambda p: ({"W": 2 * p["W"]}, np.sum(p["W"] ** 2)),
        {"W": W},
        None,
    ),
    "your loss stopped with KeyError: 'w'. It was given W (2, 2)": (
        lambda p: np.sum(p["w"]),
        {"W": W},
        {"W": W},
    ),
    "your loss stopped with AttributeError: 'dict' object has no": (
        lambda p: np.sum(p.W),
        {"W": W},
        {"W": W},
    ),
    "your loss stopped with AttributeError: 'numpy.ndarray' object": (
        lambda w: np.sum(w.t),
        {"W": W},
        {"W": W},
    ),
    "your loss stopped with ValueError: in a product @": (
        lambda p: np.sum(p["W"] @ np.ones((3, 3))),
        {"W": W},
        {"W": W},
    ),
    "your gradient stopped with KeyError: 'V'": (
        lambda p: np.sum(p["W"]),
        {"W": W},
        lambda p: {"W": p["V"]},
    ),
    "or a list of 1; got 2": (lambda W: np.sum(W), {"W": W}, [W, W]),
    "layer1 is a dictionary: give each array in it a name of its own": (np.sum, {"layer1": {"W": W}}, {}),
    "the name of a parameter is text, such as 'W1'; got 0": (lambda p: np.sum(p[0]), {0: W}, {0: W}),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_be_diagnosed_is_refused_with_a_sentence_that_says_why(sentence):
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        diagnose(*REFUSED[sentence])
    assert sentence in str(refused.value)


def test_a_missing_or_unreadable_gradient_is_told_beside_the_others():
    found = diagnose(lambda W, b: np.sum(W) + b, {"W": W, "b": 1.0}, {"W": W})
    assert (found["W"].ok, found["b"].ok, found.ok) == (True, None, None)
    assert "give its gradient, as db or b" in str(found)
    with pytest.raises(KeyError, match="there is no parameter 'c'; there are W, b"):
        found["c"]


@pytest.mark.parametrize(
    ("gradient", "sentence"),
    [
        ("one", "your db is text: write numbers, and names of arrays, without quotes"),
        (np.array(["1.0"]), "your db has text in it: write numbers without quotes"),
        (np.ma.masked_array([1.0], mask=[True]), "your db has masked cells, which have no number: fill them first"),
        (1.0 + 0j, "your db has complex numbers in it, but db is real"),
        ([[1.0], [1.0, 2.0]], "the rows of your db differ in length"),
        (np.sum, "your db is a function, not what it returns"),
        ([1.0 + 1j, None], "there is still a blank at db[1]"),
    ],
)
def test_a_gradient_that_check_cannot_read_is_told_in_its_words_beside_the_others(gradient, sentence):
    found = diagnose(lambda W, b: np.sum(W) + b, {"W": W, "b": 1.0}, {"W": W, "b": gradient})
    assert (found["W"].ok, found["b"].ok, found.ok) == (True, None, None)
    assert f"b: cannot be told: {sentence}" in str(found["b"])


def test_a_single_number_has_no_brackets():
    def loss(W, b):
        return np.sum(W**2) + b**2

    for wrong, said in ((3.1, "b: wrong: db is 3.1, and should be 4."), (np.nan, "b: wrong: nan, and the loss")):
        told = str(diagnose(loss, {"W": np.ones(2), "b": 2.0}, {"W": 2 * np.ones(2), "b": wrong}))
        assert said in told
        assert "[]" not in told


def test_a_loss_that_is_not_finite_cannot_be_told():
    found = diagnose(lambda W: np.sum(W) / 0.0 if False else np.inf, {"W": W}, {"W": W})
    assert (found.ok, str(found["W"])) == (None, "W: cannot be told, since your loss is inf here")


@pytest.mark.parametrize("w", [[0.1, 0.5, -0.2], [0.1, 0.45, -0.2], [0.1, 0.6, -0.2], [0.1, 0.3, -0.2]])
def test_a_right_gradient_is_not_wrong_where_rounding_hides_a_sample_from_the_loss(w):
    """Of scores about 30, 1 - p is so coarse that small moves of w leave it as it is."""
    X, y, at = np.array([[1.0, 25, 3], [1, 40, 5], [1, 61, 2]]), np.array([0.0, 1, 0]), np.array(w)

    def loss(w):
        p = 1 / (1 + np.exp(-(X @ w)))
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    right = X.T @ (1 / (1 + np.exp(-(X @ at))) - y) / 3
    found = diagnose(loss, {"w": at}, {"w": right})["w"]
    assert found.ok is None, found
    assert "rounding" in found.sentence
