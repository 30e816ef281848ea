"""The classic mistakes: that each line gives what a person who makes it gets, and what follows when it is planted."""

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from problems import ACTIVATIONS, LOSSES, identical

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
    check_gradients,
    plant,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.gradcheck import numeric_gradient, relative_error
from backprop_lab.lines import evaluate
from backprop_lab.mistakes import INVISIBLE_TO_GRADIENT_CHECK


def varied_problem(seed):
    """Up to four linear layers, any activation and loss, biases that are not 0; every second one has equal sizes."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 4))
    samples, *widths = rng.integers(1, 6, depth + 2).tolist()
    if seed % 2 == 0:
        samples = widths[0] = max(2, widths[0])
        widths = [samples] * len(widths)
    elif seed % 4 == 1:
        samples, widths[-1] = samples + 1, 1
    layers = []
    for D, H in pairwise(widths):
        layers.append(Linear(rng.standard_normal((D, H)), rng.standard_normal((1, H))))
        if len(layers) < 2 * depth - 1 or rng.random() < 0.2:
            layers.append(ACTIVATIONS[rng.integers(len(ACTIVATIONS))])
    lr = float(10 ** rng.uniform(-6, 1))
    X, y = rng.standard_normal((samples, widths[0])), rng.standard_normal((samples, widths[-1]))
    return Problem(Network(tuple(layers)), LOSSES[rng.integers(2)], X, y, lr)


def equal_sizes(activation, loss, outputs=3):
    """A network in which nearly every line runs, because its sizes are equal."""
    p = random_problem(5, samples=3, inputs=3, hidden=[3, 3], outputs=outputs, lr=0.1, activation=activation)
    biases = {name: value + 0.3 for name, value in p.network.parameters.items() if name.startswith("b")}
    return trace(Problem(p.network.with_parameters(p.network.parameters | biases), loss, p.X, p.y, p.lr))


ALL_KINDS = [
    equal_sizes(activation, loss, outputs) for activation in ACTIVATIONS for loss in LOSSES for outputs in (1, 3)
]

# The table


def test_every_mistake_is_told_in_full():
    for name, mistake in MISTAKES.items():
        assert mistake.name == name
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", mistake.name)
        assert not mistake.title.endswith(".")
        assert mistake.cause[0].isupper() or mistake.cause[0] in "`(", "a sentence"
        assert mistake.cause.endswith(".")
        assert mistake.symptom.endswith(".")
        assert not mistake.resembles.endswith("."), "it is the middle of a sentence"


def test_the_seventeen_of_the_design_are_there():
    seventeen = {
        "ReLU mask forgotten": "mask-forgotten",
        "mask taken as >= 0 of the ReLU's output": "mask-always-true",
        "mask taken from the wrong matrix": "mask-from-another-layer",
        "mean instead of sum over the batch": "mean-for-sum",
        "and the reverse": "sum-for-mean",
        "the factor 2 dropped": "factor-two-dropped",
        "sign flipped": "sign-flipped",
        "transposed result": "result-transposed",
        "operands swapped": "operands-swapped",
        "* where @ was meant": "star-for-matmul",
        "dH1 computed with the already updated W2": "updated-weights",
        "W2 used where dW2 was meant": "weights-for-gradient",
        "or dW2 for W2": "gradient-for-weights",
        "db without the sum over samples": "sum-forgotten",
        "db with its dimension dropped": "dimension-dropped",
        "(N,) against (N, 1) broadcasting to (N, N)": "broadcast-to-square",
        "gradient of another loss than the one printed": "another-loss",
        "update with +=": "plus-for-minus",
        "scaled by lr twice": "lr-twice",
    }
    assert set(seventeen.values()) <= MISTAKES.keys()


def test_no_line_of_the_table_is_idle():
    """Each runs in some network, and gives something else than the right line."""
    for mistake in MISTAKES.values():
        for key, line in mistake.lines.items():
            alone = replace(mistake, lines={key: line})
            wrong = [(alone.wrong_value(t, step.name), step.value) for t in ALL_KINDS for step in t.steps]
            assert any(a is not None and not np.array_equal(a, b) for a, b in wrong), (mistake.name, key)


def test_what_can_go_wrong_with_any_activation_has_a_line_for_each():
    forgotten = {"mask-forgotten", "slope-forgotten"}
    for activation in ACTIVATIONS:
        kind = type(activation)
        of_it = {mistake.name for mistake in MISTAKES.values() for key in mistake.lines if key[0] in kind.__mro__}
        general = {"incoming-gradient-dropped", "matmul-for-star", "sign-flipped", "activation-forgotten"}
        assert general <= of_it, f"{kind.__name__} has no line in {general - of_it}"
        assert forgotten & of_it, f"{kind.__name__} has no line in one of {forgotten}"


# Each mistake, made by hand


def by_hand(X, y, W1, b1, W2, b2, lr, Y1, H1, y_pred, dy_pred, dH1, dY1, dW2, dW1, db1, W2_new, **_):
    """Every mistake as someone would type it, as {(mistake, name): value}; W1 is (4, 4), W2 (4, 1), N is 3."""
    N, mask = len(X), H1 > 0
    return {
        ("mask-forgotten", "dY1"): dH1.copy(),
        ("mask-always-true", "dY1"): np.where(H1 >= 0, dH1, 0),
        ("mask-from-gradient", "dY1"): np.maximum(dH1, 0),
        ("mask-from-another-layer", "dY1"): np.where(X > 0, dH1, 0),
        ("mask-upside-down", "dY1"): np.where(mask, 0, dH1),
        ("incoming-gradient-dropped", "dY1"): mask.astype(float),
        ("transpose-forgotten", "dW1"): None,  # NumPy refuses (3, 4) @ (3, 4)
        ("result-transposed", "dW1"): dW1.T,
        ("result-transposed", "dH1"): dH1.T,
        ("operands-swapped", "dW1"): np.dot(dY1, X.T),
        ("star-for-matmul", "dH1"): np.array([[dy_pred[n, 0] * W2[h, 0] for h in range(4)] for n in range(N)]),
        ("star-for-matmul", "dW2"): None,  # (4, 3) * (3, 1)
        ("updated-weights", "dH1"): np.dot(dy_pred, (W2 - lr * dW2).T),
        ("gradient-for-weights", "dH1"): np.dot(dy_pred, dW2.T),
        ("weights-for-gradient", "dW1"): W1.copy(),
        ("weights-for-gradient", "W1_new"): W1 - lr * W1,
        ("raw-input", "dW2"): np.dot(Y1.T, dy_pred),
        ("input-of-another-layer", "dW2"): np.dot(X.T, dy_pred),
        ("input-of-another-layer", "dW1"): np.dot(H1.T, dY1),
        ("activation-skipped-backward", "dW1"): np.dot(X.T, dH1),
        ("activation-skipped-backward", "db1"): np.array([dH1.sum(0)]),
        ("sum-forgotten", "db1"): dY1.copy(),
        ("dimension-dropped", "db1"): np.sum(dY1, 0),
        ("sum-over-units", "db1"): np.array([[row.sum()] for row in dY1]),
        ("axis-forgotten", "db1"): np.sum(dY1),
        ("bias-from-weights", "db1"): np.array([np.sum(dW1, 0)]),
        ("mean-for-sum", "db1"): db1 / N,
        ("mean-for-sum", "dW1"): dW1 / N,
        ("mean-for-sum", "dy_pred"): 2 / N * (y_pred - y),
        ("another-loss", "L"): np.sum((y - y_pred) ** 2) / y.size,
        ("another-loss", "dy_pred"): 2 * (y_pred - y) / y.size,
        ("loss-not-squared", "L"): 2 * (y_pred - y).mean(),
        ("loss-halved", "L"): 0.5 * np.sum((y - y_pred) ** 2),
        ("factor-two-dropped", "dy_pred"): y_pred - y,
        ("sign-flipped", "dy_pred"): 2 * (y - y_pred),
        ("sign-flipped", "dY1"): -dY1,
        ("sign-flipped", "dH1"): -dH1,
        ("sign-flipped", "dW1"): -dW1,
        ("sign-flipped", "db1"): -db1,
        ("broadcast-to-square", "dy_pred"): np.array([[2 * (p - q) for q in y[:, 0]] for p in y_pred[:, 0]]),
        ("broadcast-to-square", "L"): sum((p - q) ** 2 for q in y[:, 0] for p in y_pred[:, 0]),
        ("plus-for-minus", "W1_new"): W1 + lr * dW1,
        ("lr-twice", "W1_new"): W1 - lr**2 * dW1,
        ("lr-forgotten", "b1_new"): b1 - db1,
        ("not-updated", "b1_new"): b1.copy(),
        ("old-value-dropped", "W1_new"): -lr * dW1,
        ("bias-forgotten", "Y1"): np.dot(X, W1),
        ("activation-forgotten", "H1"): Y1.copy(),
        ("activation-forgotten", "y_pred"): np.dot(Y1, W2) + b2,
    }


def by_hand_mean(y, y_pred, **_):
    return {
        ("sum-for-mean", "dy_pred"): 2 * (y_pred - y),
        ("sum-for-mean", "L"): np.sum((y_pred - y) ** 2),
        ("another-loss", "dy_pred"): 2 * (y_pred - y) / y.shape[0],
        ("another-loss", "L"): ((y_pred - y) ** 2).sum(axis=1).mean(),
        ("factor-two-dropped", "dy_pred"): (y_pred - y) / y.size,
        ("sign-flipped", "dy_pred"): 2 * (y - y_pred) / y.size,
    }


def by_hand_tanh(Y1, H1, dH1, **_):
    return {
        ("slope-forgotten", "dY1"): dH1.copy(),
        ("slope-of-input", "dY1"): dH1 * (1 - Y1 * Y1),
        ("slope-of-output", "dY1"): dH1 / np.cosh(H1) ** 2,
        ("slope-half-written", "dY1"): dH1 - dH1 * H1,
        ("slope-of-tan", "dY1"): dH1 * (1 + H1 * H1),
        ("incoming-gradient-dropped", "dY1"): 1 / np.cosh(Y1) ** 2,
        ("sign-flipped", "dY1"): -dH1 / np.cosh(Y1) ** 2,
        ("activation-forgotten", "H1"): Y1.copy(),
    }


def by_hand_sigmoid(Y1, H1, dH1, **_):
    once_more = 1 / (1 + np.exp(-H1))
    return {
        ("slope-forgotten", "dY1"): dH1.copy(),
        ("slope-of-input", "dY1"): dH1 * (Y1 - Y1 * Y1),
        ("slope-of-output", "dY1"): dH1 * (once_more - once_more**2),
        ("slope-half-written", "dY1"): dH1 - dH1 * H1,
        ("incoming-gradient-dropped", "dY1"): H1 - H1 * H1,
        ("sign-flipped", "dY1"): -dH1 * (H1 - H1 * H1),
    }


def by_hand_square(X, W1, b1, H1, W2, dy_pred, dY1, dH2, H2, **_):
    """Those that only run where sizes are equal: every matrix here is (3, 3)."""
    return {
        ("mask-from-another-layer", "dY2"): np.where(H1 > 0, dH2, 0),
        ("matmul-for-star", "dY2"): np.dot(dH2, np.where(H2 > 0, 1.0, 0.0)),
        ("transpose-forgotten", "dW1"): np.dot(X, dY1),
        ("operands-swapped", "dW1"): np.dot(dY1, X.T),
        ("operands-swapped", "Y1"): np.dot(W1, X) + b1,
        ("star-for-matmul", "dW1"): X.T * dY1,
        ("star-for-matmul", "Y1"): np.multiply(X, W1) + b1,
    }


def oblong(activation, loss):
    p = random_problem(11, samples=3, inputs=4, hidden=4, outputs=1, lr=0.1, activation=activation)
    biases = {"b1": np.array([[0.1, -0.2, 0.3, 0.4]]), "b2": np.array([[0.7]])}
    return trace(Problem(p.network.with_parameters(p.network.parameters | biases), loss, p.X, p.y, p.lr))


HAND_MADE = [
    (oblong(ReLU(), SumSquaredError()), by_hand),
    (oblong(ReLU(), MeanSquaredError()), by_hand_mean),
    (oblong(Tanh(), SumSquaredError()), by_hand_tanh),
    (oblong(Sigmoid(), SumSquaredError()), by_hand_sigmoid),
    (equal_sizes(ReLU(), SumSquaredError()), by_hand_square),
]


@pytest.mark.parametrize(("t", "made"), HAND_MADE, ids=[made.__name__ for _, made in HAND_MADE])
def test_a_mistake_gives_what_someone_who_makes_it_by_hand_gets(t, made):
    for (mistake, name), value in made(**{name: t[name] for name in t}).items():
        wrong = MISTAKES[mistake].wrong_value(t, name)
        if value is None:
            assert wrong is None, f"{mistake} at {name}: NumPy refuses that line"
        else:
            assert np.shape(wrong) == np.shape(value), (mistake, name)
            np.testing.assert_allclose(wrong, value, rtol=1e-12, atol=1e-14, err_msg=f"{mistake} at {name}")


def test_every_mistake_was_made_by_hand():
    made = {mistake for t, by in HAND_MADE for mistake, _ in by(**{name: t[name] for name in t})}
    missing = MISTAKES.keys() - made
    assert not missing, f"put {', '.join(missing)} into one of the by_hand functions above"
    assert made <= MISTAKES.keys()


# Where a mistake applies


def test_a_mistake_that_does_not_apply_gives_none():
    t = trace(worked_example())
    for name in (*t.given, "L", "dy_pred", "dW1", "W1_new"):
        assert MISTAKES["mask-forgotten"].wrong_value(t, name) is None
    assert MISTAKES["slope-of-tan"].wrong_value(t, "dY1") is None, "the example has no tanh"
    assert MISTAKES["raw-input"].wrong_line(t, "dW1") is None, "X did not come out of an activation"
    assert MISTAKES["operands-swapped"].wrong_line(t, "dW2") == "dy_pred @ H1.mT"
    assert MISTAKES["operands-swapped"].wrong_value(t, "dW2") is None, "NumPy refuses (2, 2) @ (4, 2)"


def test_what_a_mistake_looks_like_is_told_with_the_names_of_the_place_and_by_its_title_where_it_has_none():
    t = trace(worked_example())
    assert MISTAKES["mask-forgotten"].resemblance(t, "dY1") == "dH1: the ReLU's mask is missing"
    assert MISTAKES["mask-forgotten"].resemblance(t, "X") == "ReLU mask forgotten"
    assert MISTAKES["mask-from-another-layer"].resemblance(t, "L") == "ReLU mask from another layer's matrix"
    with pytest.raises(KeyError, match="no 'dW9'"):
        MISTAKES["mask-forgotten"].resemblance(t, "dW9")


def test_a_name_that_is_not_there_raises_a_key_error_that_lists_those_that_are():
    t = trace(worked_example())
    for ask in (MISTAKES["mask-forgotten"].wrong_value, MISTAKES["mask-forgotten"].wrong_line):
        with pytest.raises(KeyError, match=r"no 'dW9'.*dW1"):
            ask(t, "dW9")
    with pytest.raises(KeyError, match="no 'dW9'"):
        plant(t, MISTAKES["mask-forgotten"], "dW9")


def test_places_are_where_it_can_be_planted_and_changes_something():
    t = trace(worked_example())
    assert MISTAKES["mask-forgotten"].possible_at(t) == ("dY1",)
    assert MISTAKES["plus-for-minus"].possible_at(t) == ("W1_new", "b1_new", "W2_new", "b2_new")
    assert MISTAKES["bias-forgotten"].possible_at(t) == (), "the biases are 0"
    assert MISTAKES["dimension-dropped"].possible_at(t) == ()
    deep = trace(random_problem(0, hidden=[4, 4, 4]))
    assert MISTAKES["mask-forgotten"].possible_at(deep) == ("dY3", "dY2", "dY1")


def test_who_makes_a_mistake_makes_it_everywhere_but_for_one_that_is_made_once_at_the_first_gradient():
    t = equal_sizes(ReLU(), SumSquaredError())
    flipped, forgotten, mean = (MISTAKES[name] for name in ("sign-flipped", "mask-forgotten", "mean-for-sum"))
    assert flipped.possible_at(t)[0] == mean.possible_at(t)[1] == "dy_pred"
    assert mean.possible_at(t)[0] == "L"
    assert flipped.planted_at(t) == mean.planted_at(t) == ("dy_pred",)
    assert forgotten.planted_at(t) == forgotten.possible_at(t) == ("dY2", "dY1")


def bare(*kinds):
    """A trace of a network 2 wide throughout, of linear layers (None) and activations in any order."""
    rng = np.random.default_rng(0)
    layers = tuple(kind or Linear(rng.standard_normal((2, 2)), rng.standard_normal((1, 2))) for kind in kinds)
    X, y = rng.standard_normal((2, 2, 2))
    return trace(Problem(Network(layers), SumSquaredError(), X, y, 0.1))


def test_another_layer_is_the_nearest_before_or_else_the_nearest_after():
    other, mask = MISTAKES["input-of-another-layer"], MISTAKES["mask-from-another-layer"]
    deep, linear = bare(None, ReLU(), None, ReLU(), None), bare(None, None, None)
    assert [other.wrong_line(deep, name) for name in ("dW1", "dW2", "dW3")] == [
        "H1.mT @ dY1",
        "X.mT @ dY2",
        "H1.mT @ dy_pred",
    ]
    assert [other.wrong_line(linear, name) for name in ("dW1", "dW2", "dW3")] == [
        "Y1.mT @ dY1",
        "X.mT @ dY2",
        "Y1.mT @ dy_pred",
    ]
    assert mask.wrong_line(deep, "dY2") == "dH2 * (H1 > 0)"
    assert other.wrong_line(bare(None), "dW1") is None


def test_an_activation_is_left_out_where_there_is_one():
    raw, skipped = MISTAKES["raw-input"], MISTAKES["activation-skipped-backward"]
    ending = bare(None, Tanh(), None, Tanh())
    assert [raw.wrong_line(ending, name) for name in ("dW1", "dW2")] == [None, "Y1.mT @ dY2"]
    assert [skipped.wrong_line(ending, name) for name in ("dW1", "dW2")] == ["X.mT @ dH1", "H1.mT @ dy_pred"]
    assert [each.wrong_line(bare(None, None), name) for each, name in ((raw, "dW2"), (skipped, "dW1"))] == [None, None]


def test_a_sign_is_flipped_by_the_name_of_its_place():
    t = trace(worked_example())
    for name in ("L", "dy_pred", "dH1", "dW2", "db1", "W1_new"):
        assert MISTAKES["sign-flipped"].resemblance(t, name) == f"{name} with its sign flipped"


def test_a_change_is_measured_against_the_size_of_the_numbers():
    """At numbers of 10^-8 half of one is a change; where all are 0, another 0 is none."""
    tiny = trace(Problem(Network((Linear([[1.0]], [[0.0]]),)), SumSquaredError(), [[1e-8]], [[3e-8]], 0.1))
    assert "dy_pred" in MISTAKES["factor-two-dropped"].possible_at(tiny)
    perfect = trace(Problem(Network((Linear([[1.0]], [[0.0]]),)), SumSquaredError(), [[2.0]], [[2.0]], 0.1))
    assert MISTAKES["factor-two-dropped"].possible_at(perfect) == ()


# Planting


def test_a_line_sees_numpy_and_the_values_and_nothing_of_ours():
    assert evaluate("np.add(a, 1)", {"a": 2}) == 3
    with pytest.raises(NameError):
        evaluate("MISTAKES", {"a": 2})


def test_what_does_not_depend_on_a_planted_step_stays_as_it_was_to_the_bit():
    t = trace(worked_example())
    wrong = plant(t, MISTAKES["mask-forgotten"], "dY1")
    assert all(wrong[name] is t[name] for name in t.given)
    assert all(identical(wrong[name], t[name]) for name in ("Y1", "H1", "L", "dH1", "dW2", "W2_new"))


def test_a_mistake_can_be_planted_among_fractions():
    p = worked_example()
    exact = {name: np.vectorize(Fraction, otypes=[object])(a) for name, a in {"X": p.X, "y": p.y}.items()}
    parameters = {name: np.vectorize(Fraction, otypes=[object])(a + 1) for name, a in p.network.parameters.items()}
    t = trace(replace(p, network=p.network.with_parameters(parameters), lr=Fraction(1, 3), **exact))
    wrong = plant(t, MISTAKES["bias-forgotten"], "Y1")
    assert isinstance(wrong["L"], Fraction)
    assert wrong["L"] != t["L"]


def test_nobody_can_write_to_a_planted_value_not_even_through_what_it_is_a_view_of():
    t = equal_sizes(ReLU(), SumSquaredError(), outputs=1)
    assert MISTAKES["result-transposed"].wrong_value(t, "db3").base.flags.writeable
    turned = plant(t, MISTAKES["result-transposed"], "db3")["db3"]
    assert not turned.flags.writeable
    assert turned.base is None or not turned.base.flags.writeable


def test_a_planted_step_shows_the_wrong_line_and_what_follows_follows_from_it():
    t = trace(worked_example())
    wrong = plant(t, MISTAKES["mask-forgotten"], "dY1")
    dW1, db1 = t["X"].T @ t["dH1"], t["dH1"].sum(axis=0, keepdims=True)
    np.testing.assert_array_equal(wrong["dY1"], t["dH1"])
    np.testing.assert_array_equal(wrong["dW1"], dW1)
    np.testing.assert_array_equal(wrong["db1"], db1)
    np.testing.assert_array_equal(wrong["W1_new"], t["W1"] - t["lr"] * dW1)
    np.testing.assert_array_equal(wrong["W2_new"], t["W2_new"])
    step = wrong.step("dY1")
    assert (step.code, step.operands) == ("dH1", ("dH1",))
    assert step.title == "ReLU mask forgotten"
    assert step.sentence == MISTAKES["mask-forgotten"].cause
    assert MISTAKES["mask-always-true"].cause.startswith("`>= 0` is harmless ")
    assert plant(t, MISTAKES["mask-always-true"], "dY1").step("dY1").sentence.startswith(">= 0 is harmless ")
    assert t.step("dY1").code == "dH1 * (H1 > 0)", "the right trace is untouched"


def test_a_planted_forward_mistake_is_carried_through_the_whole_step():
    t = equal_sizes(Tanh(), SumSquaredError())
    wrong = plant(t, MISTAKES["bias-forgotten"], "Y1")
    p = t.problem
    without = p.network.with_parameters(p.network.parameters | {"b1": np.zeros((1, 3))})
    expected = trace(Problem(without, p.loss, p.X, p.y, p.lr))
    for step in wrong.steps:
        if step.name != "b1_new":
            assert identical(step.value, expected[step.name])


def test_in_a_planted_trace_the_code_shown_is_still_the_code_run():
    planted = 0
    for seed in range(30):
        t = trace(varied_problem(seed))
        for mistake in MISTAKES.values():
            for name in mistake.possible_at(t):
                wrong = plant(t, mistake, name)
                planted += 1
                assert wrong.names == t.names
                values = {known: wrong[known] for known in wrong}
                before = True
                for step, right in zip(wrong.steps, t.steps, strict=True):
                    before &= step.name != name
                    assert (
                        identical(step.value, right.value) if before else np.shape(step.value) == np.shape(right.value)
                    )
                    with np.errstate(all="ignore"):
                        assert identical(eval(step.code, {"np": np}, values), step.value), (
                            mistake.name,
                            name,
                            step.name,
                        )
                    assert not (isinstance(step.value, np.ndarray) and step.value.flags.writeable)
    assert planted > 1500


def test_without_a_place_a_mistake_is_made_wherever_it_is_made_at_once():
    several = 0
    for t in ALL_KINDS:
        for mistake in MISTAKES.values():
            planted = one_by_one = plant(t, mistake)
            places = mistake.planted_at(t)
            several += len(places) > 1
            assert tuple(step.name for step in planted.steps if step.code != t.step(step.name).code) == places
            for name in places:
                one_by_one = plant(one_by_one, mistake, name)
            assert all(identical(step.value, one_by_one[step.name]) for step in planted.steps)
    assert several > 50


def test_two_mistakes_can_be_planted_in_either_order():
    """Also where the first line asks for a name that comes after the second: W2_new hangs on dW2, and on dy_pred."""
    t = trace(random_problem(3, lr=0.1))
    early = (MISTAKES["updated-weights"], "dH1")
    for late in [
        (MISTAKES["mean-for-sum"], "dW2"),
        (MISTAKES["sign-flipped"], "dy_pred"),
        (MISTAKES["lr-forgotten"], "W2_new"),
    ]:
        one = plant(plant(t, *early), *late)
        other = plant(plant(t, *late), *early)
        assert not np.array_equal(one["dH1"], plant(t, *early)["dH1"])
        for step in one.steps:
            assert step.code == other.step(step.name).code
            assert identical(step.value, other[step.name])


def test_what_cannot_be_planted_is_refused_with_the_reason():
    t = trace(worked_example())
    for mistake, name, reason in [
        (
            "dimension-dropped",
            "db1",
            r"db1 = dY1.sum\(axis=0\) cannot be planted: it has shape \(4,\), and db1 has \(1, 4\)",
        ),
        ("sum-forgotten", "db1", r"it has shape \(2, 4\)"),
        ("axis-forgotten", "db1", r"it has shape \(\)"),
        ("operands-swapped", "dW2", "because NumPy refuses it: matmul"),
        ("mask-forgotten", "dW1", "'ReLU mask forgotten' does not apply to dW1"),
        ("slope-of-tan", "dY1", r"does not apply to dY1 in Network\(Linear"),
        ("mask-forgotten", "X", "does not apply to X"),
    ]:
        with pytest.raises(ValueError, match=reason):
            plant(t, MISTAKES[mistake], name)


def test_a_wrong_backward_pass_can_be_trained_with():
    """With the sign of the loss's gradient flipped the loss grows; with the right one it falls."""
    losses = {}
    for name in (None, "dy_pred"):
        problem = random_problem(3, lr=0.001)
        losses[name] = []
        for _ in range(20):
            t = trace(problem)
            losses[name].append(float(t["L"]))
            problem = (plant(t, MISTAKES["sign-flipped"], name) if name else t).next_problem()
    assert losses[None] == sorted(losses[None], reverse=True)
    assert losses["dy_pred"] == sorted(losses["dy_pred"])
    assert losses["dy_pred"][-1] > losses["dy_pred"][0]


def test_a_mistake_in_a_diverging_step_is_planted_in_silence():
    p = random_problem(0, lr=1e200)
    for loss_is in (np.isfinite, np.isinf, np.isnan):
        with np.errstate(all="ignore"):
            t = trace(p)
            p = t.next_problem()
        assert loss_is(t["L"])
        for mistake in MISTAKES.values():
            for name in mistake.possible_at(t):
                plant(t, mistake, name)


# What a gradient check sees


def gradients_of(t):
    return {name: t[f"d{name}"] for name in t.problem.network.parameters}


def test_a_gradient_check_rejects_every_planted_mistake_that_changes_a_gradient(capsys):
    """Where the gradients are changed by more than 1e-5, the check finds an error of more than 1e-5."""
    planted, changed, faint, seen = 0, 0, 0, set()
    for seed in range(24):
        t = trace(varied_problem(seed))
        right = gradients_of(t)
        central = {name: numeric_gradient(t.problem, name) for name in right}
        assert max(relative_error(right[name], central[name]) for name in right) < 1e-6
        for mistake in MISTAKES.values():
            for place in mistake.possible_at(t):
                wrong = gradients_of(plant(t, mistake, place))
                change = max(relative_error(wrong[name], right[name]) for name in right)
                error = max(relative_error(wrong[name], central[name]) for name in right)
                planted += 1
                if change == 0:
                    assert error < 1e-6
                elif change < 1e-5:
                    faint += 1
                else:
                    assert error > 1e-5, (mistake.name, place, seed)
                    changed += 1
                    seen.add(mistake.name)
                if t.step(place).phase in ("loss", "update"):
                    assert change == 0, "a gradient check sees gradients and nothing else"
    assert seen.isdisjoint(INVISIBLE_TO_GRADIENT_CHECK)
    assert seen | set(INVISIBLE_TO_GRADIENT_CHECK) | OF_ANOTHER_SHAPE == MISTAKES.keys()
    figures = f"""
  {planted} planted mistakes: the gradient check rejects all {changed} that change a gradient;
  {faint} change one by less than 1e-5, {planted - changed - faint} change none
  never seen: {", ".join(INVISIBLE_TO_GRADIENT_CHECK)}"""
    with capsys.disabled():
        print(figures)  # noqa: T201


OF_ANOTHER_SHAPE = {"sum-forgotten", "sum-over-units", "axis-forgotten", "dimension-dropped", "broadcast-to-square"}


def test_a_gradient_check_refuses_another_shape_and_one_that_broadcasts_misses_a_dropped_dimension():
    for seed in range(1, 80, 4):
        t = trace(varied_problem(seed))
        b = list(t.problem.network.parameters)[-1]
        for name in ("sum-forgotten", "sum-over-units", "axis-forgotten", "dimension-dropped"):
            wrong = MISTAKES[name].wrong_value(t, f"d{b}")
            if np.shape(wrong) != t[b].shape:
                with pytest.raises(ValueError, match=f"the gradient for {b} has shape"):
                    check_gradients(t.problem, gradients_of(t) | {b: wrong})
        assert np.allclose(t[f"d{b}"], MISTAKES["dimension-dropped"].wrong_value(t, f"d{b}"))


def test_an_updated_weight_is_seen_by_a_gradient_check_only_at_a_learning_rate_that_shows():
    errors = []
    for lr in (1e-9, 1e-6, 1e-3, 1):
        t = trace(random_problem(3, lr=lr))
        wrong = gradients_of(plant(t, MISTAKES["updated-weights"], "dH1"))
        errors.append(max(check_gradients(t.problem, wrong).values()))
    assert errors == sorted(errors)
    assert errors[0] < 1e-6, "nobody would look twice at this one"
    assert errors[-1] > 0.1
