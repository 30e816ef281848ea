"""How much rounding there can be: the terms of each kind of line, and that right answers are within it."""

from fractions import Fraction

import numpy as np
import pytest
from common import count, in_other_numbers, with_numbers
from own_parts import OWN_PROBLEMS
from problems import varied_problem

from backprop_lab import trace
from backprop_lab.comparing import ROUNDINGS, VANISHING
from backprop_lab.rounding import Terms, all_terms, eps_of, terms_of

a, b = np.array([[3.0, -1.0], [0.5, 2.0]]), np.array([[1.0, 4.0], [-0.25, 2.0]])
large = np.array([[0.1, -0.2], [0.0, 0.4]])  # what is left of numbers of size 8
A, B = np.abs(a), np.abs(b)


def terms(code, **more):
    return terms_of(code, {"a": Terms(a), "b": Terms(b), "large": Terms(large, np.full((2, 2), 8.0)), **more})


SUMS = {
    "a + b": A + B,
    "Fraction(-1, 3) * a": A / 3,
    "a * b": A * B,
    "(a - b) * (a - b)": 2 * np.abs(a - b) * (A + B) - (a - b) ** 2 + 2.0**-23 * (A + B - np.abs(a - b)) ** 2,
    "(a - b) ** 2": (A + B) ** 2,
    "np.square(a - b)": (A + B) ** 2,
    "(a - b).mT @ b - b": (A + B).T @ B + B,
    "(a - b) / a.size": (A + B) / 4,
    "a / b": A / B,
    "1 / (large + 1)": 9 / (large + 1) ** 2,
    "(a - b).sum(axis=0, keepdims=True)": (A + B).sum(axis=0, keepdims=True),
    "np.abs(a - b).sum()": (A + B).sum(),
    "np.maximum.reduce(a - b)": (A + B).max(axis=0),
    "np.einsum('nd,nh->dh', a, b)": A.T @ B,
    "a[:1] - b[1:]": A[:1] + B[1:],
    "np.vstack([a, -b])": np.vstack([A, B]),
    "(a - b).reshape(1, 4)": (A + B).reshape(1, 4),
    "np.min(a - b)": (A + B).max(),
    "np.prod(a - b)": (A + B).prod(),
    "np.where(a > 0, a - b, -7)": np.where(a > 0, A + B, 7),
    "large * (a > 0)": 8 * (a > 0),
    "(a > 0) * 1.0": a > 0,
}


def test_a_sum_adds_terms_a_difference_adds_them_too_and_a_product_multiplies_them():
    for code, sizes in SUMS.items():
        np.testing.assert_allclose(np.asarray(terms(code), float), sizes, rtol=1e-14, err_msg=code)


SLOPES = {  # and the terms of what the function is given
    "np.tanh(large)": (1 - np.tanh(large) ** 2, 8),
    "np.exp(large)": (np.exp(large), 8),
    "np.log(2 + large)": (1 / (2 + large), 10),
    "(1 + large) ** 5": (5 * (1 + large) ** 4, 9),
    "np.maximum(large, 9)": (0.0, 8),
    "np.maximum(large, 0)": (large >= 0, 8),  # at its corner, the steeper side
    "np.minimum(large, 0)": (large <= 0, 8),
    "np.log(np.exp(large) * 1e-9)": (1.0, 9),  # which bends near 0
    "np.clip(large, -0.15, 0.15)": (np.abs(large) < 0.15, 8),
}


def test_any_other_function_scales_the_terms_by_its_slope_there_and_one_that_goes_through_math_too():
    for code, (slope, of_input) in SLOPES.items():
        value = np.asarray(eval(code, {"np": np, "large": large}))
        np.testing.assert_allclose(terms(code), np.abs(value) + slope * of_input, rtol=1e-4, err_msg=code)
    by_map = "np.array(list(map(lambda row: [math.tanh(x) for x in row], large)))"
    for code in ("np.array([[math.tanh(x) for x in row] for row in large])", "np.vectorize(math.tanh)(large)", by_map):
        np.testing.assert_allclose(terms(code), terms("np.tanh(large)"), rtol=1e-4)
    cancelled = terms("1 + np.vectorize(math.erf)(x)", x=Terms(np.array([[-6.0]])))
    assert cancelled == pytest.approx(2)


BY_MOVING = ("np.linalg.inv(inv) @ a", "np.cumprod(a - b, axis=0)", "np.std(a - b, axis=0)",
    "np.multiply.outer(a[1] - b[1], a[1])", "float(a[1, 1] - b[1, 1]) * a")  # fmt: skip


@pytest.mark.parametrize("code", BY_MOVING)
def test_what_a_function_does_not_carry_is_found_by_moving_its_input(code):
    plain = {"np": np, "a": a, "b": b, "inv": np.array([[2.0, 1.0], [1.0, 3.0]])}
    right, found = eval(code, plain), terms(code, inv=Terms(plain["inv"]))
    one_by_one = np.zeros(np.shape(found))
    for name, where in ((name, where) for name in ("a", "b", "inv") for where in np.ndindex(2, 2)):
        moved = plain[name].copy()
        moved[where] *= 1 + 1e-6
        one_by_one += np.abs(eval(code, plain | {name: moved}) - right) / 1e-6
    assert (found >= np.abs(right) + one_by_one / 4).all()
    assert (found <= 4 * (np.abs(right) + one_by_one)).all()


def test_a_quotient_has_terms_however_large_its_divisor():
    assert terms_of("1 / (1 + np.exp(-x))", {"x": Terms(np.array([-523.0]))}) > 1e-228


def test_whole_numbers_and_fractions_are_not_rounded_and_other_numbers_as_their_type_is():
    assert eps_of(np.array([1, 2])) == eps_of(np.array([Fraction(1, 3), 2])) == 0.0
    assert eps_of(np.array([1], np.float32)) == 2.0**-23
    assert eps_of(np.array([1j])) == eps_of(np.array([Fraction(1, 3), 0.5])) == 2.0**-52


def random_own(seed):
    """A problem of one's own parts, with other numbers, large and small, and 5 samples."""
    rng = np.random.default_rng(seed)
    p = list(OWN_PROBLEMS.values())[seed % len(OWN_PROBLEMS)]

    def like(shape):
        return rng.standard_normal(shape) * 10.0 ** rng.uniform(-2, 1)

    parameters = {name: like(value.shape) for name, value in p.network.parameters.items()}
    probabilities = (p.y >= 0).all()
    y = np.eye(2)[rng.integers(0, 2, 5)] if probabilities else like((5, 2))
    return p.evolve(network=p.network.with_parameters(parameters), X=like((5, 4)), y=y)


def traces():
    return (trace(kind(seed)) for seed in range(count(200)) for kind in (varied_problem, random_own))


def worst(t, other, names, eps=2.0**-52):
    """By how many roundings of all terms another trace is off at most, and where."""
    known = all_terms(t.steps, t.given)
    found = (0.0, "nothing")
    for name in names:
        off = np.abs(np.asarray(other[name] - t[name], float))
        counted = off > VANISHING[int(eps > 1e-10)]
        sizes = np.asarray(known[name].terms, float)
        assert (np.abs(t[name]) <= sizes * (1 + 1e-12)).all(), "nothing is larger than its terms"
        found = max(found, (float(np.max(off[counted] / sizes[counted], initial=0)) / eps, name))
    return found


def test_another_precision_or_order_of_adding_is_within_eight_roundings_of_its_terms_and_so_is_an_expanded_loss():
    rng = np.random.default_rng(0)
    for t in traces():
        p, names = t.problem, [step.name for step in t.steps]
        single, long = (trace(in_other_numbers(p, number)) for number in (np.float32, np.longdouble))
        smallest = min(np.min(np.abs(t[name]), where=t[name] != 0, initial=1.0) for name in names)
        if smallest > np.finfo(np.float32).tiny:  # smaller numbers have fewer digits in float32
            assert worst(t, single, names, 2.0**-23) < (ROUNDINGS, "")
        assert worst(t, long, names) < (ROUNDINGS, "")
        samples, inputs = rng.permutation(len(p.X)), rng.permutation(p.X.shape[1])
        other = trace(with_numbers(p, W1=t["W1"][inputs], X=p.X[samples][:, inputs], y=p.y[samples]))
        added = ["L", *(name for p in p.network.parameters for name in (f"d{p}", f"{p}_new") if p != "W1")]
        assert worst(t, other, added) < (ROUNDINGS, "")
        if expanded := EXPANDED.get(type(p.loss).__name__):
            off = abs(expanded(t["y_pred"], t["y"]) - t["L"]) / all_terms(t.steps, t.given)["L"].terms
            assert off < ROUNDINGS * 2.0**-52


EXPANDED = {
    "SumSquaredError": lambda p, y: np.sum(p**2) - 2 * np.sum(p * y) + np.sum(y**2),
    "HalfSquaredError": lambda p, y: np.sum(p**2 / 2 - p * y) + np.sum(y**2) / 2,
    "MeanSquaredError": lambda p, y: np.mean(p**2) - 2 * np.mean(p * y) + np.mean(y**2),
    "PlainMean": lambda p, y: (p * p - 2 * p * y + y * y).sum() / y.size,
    "SoftmaxCrossEntropy": lambda p, y: EXPANDED["CrossEntropy"](p, y),
    "CrossEntropy": lambda p, y: (np.log(np.exp(p - p.max()).sum(axis=1)) + p.max() - (p * y).sum(axis=1)).mean(),
}
