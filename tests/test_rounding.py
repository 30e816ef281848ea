"""How much rounding there can be: the terms of each kind of line. Right answers: test_feedback.py."""

import re
from fractions import Fraction

import numpy as np
from common import check_cases

from backprop_lab.checks.rounding import Terms, eps_of, terms_of
from backprop_lab.nn.lines import evaluate

a, b = np.array([[3.0, -1.0], [0.5, 2.0]]), np.array([[1.0, 4.0], [-0.25, 2.0]])
large = np.array([[0.1, -0.2], [0.0, 0.4]])  # what is left of numbers of size 8
A, B = np.abs(a), np.abs(b)
VALUES = {"a": Terms(a), "b": Terms(b), "large": Terms(large, np.full((2, 2), 8.0)), "x": Terms(np.array([-523.0]))}
SUMS = """
a * b; (a - b) ** 2; (a - b) * (a + b); (a - b).mT @ b - b; a.mT @ (a - b); (a - b) / a.size; len(a - b) * a
(a - b).size * a; (a - b).sum(); (a - b).sum(axis=0, keepdims=True); (a - b).mean(axis=1); (a - b).cumsum(axis=0)
(a - b).prod(axis=0); (a - b).max(axis=1, keepdims=True); np.sum(a - b, axis=1); np.mean((a - b) ** 2)
np.add.reduce(a - b, axis=1); np.trace(a - b); np.dot(a - b, b); np.outer(a[0] - b[0], b[1])
np.einsum('nd,nh->dh', a, b); np.matmul(a, b, axes=[(1, 0), (0, 1), (0, 1)]); abs(a - b); (a - b)[0]
(a - b)[:, 1:].mT; (a - b).T.real; a.T; (a - b).reshape(4); a.reshape(4, 1) * 2; (a - b).flatten(); (a - b).ravel()
np.concatenate([a - b, b], axis=1); np.stack((a - b, b)); np.hstack([a - b, [[1.0], [2.0]]]); np.zeros((2, 2))
"""


def test_a_sum_adds_terms_a_difference_adds_them_too_and_a_product_multiplies_them():
    for code in re.split("[;\n] ?", SUMS.strip()):
        sizes = evaluate(code.replace(" - ", " + "), {"a": A, "b": B})
        np.testing.assert_allclose(terms_of(code, VALUES), sizes, rtol=1e-14, err_msg=code)
        assert np.shape(terms_of(code, VALUES)) == np.shape(sizes)
    assert np.array_equal(np.asarray(terms_of("Fraction(-1, 3) * a", VALUES), float), A / 3)
    assert np.array_equal(terms_of("np.where(a > 0, a - b, -7)", VALUES), np.where(a > 0, A + B, 7))
    np.testing.assert_allclose(terms_of("1 / (large + 1)", VALUES), 9 / (large + 1) ** 2, rtol=1e-14)


def terms(code):
    sizes = terms_of(code, VALUES | {"half": Terms(np.float16([0.5, -2]), np.array([4.0, 4]))})
    return [f"{size:.3g}" for size in np.ravel(sizes)], np.shape(sizes)


def test_of_each_kind_of_line_the_terms_are_those_that_somebody_has_read():
    check_cases("terms", globals())


def test_any_other_function_scales_the_terms_by_its_slope_there():
    steep = np.abs(np.tanh(large)) + 8 * (1 - np.tanh(large) ** 2)
    for code in ("np.tanh(large)", "np.array([[math.tanh(x) for x in row] for row in large])"):
        np.testing.assert_allclose(terms_of(code, VALUES), steep, rtol=1e-4)
    np.testing.assert_allclose(terms_of("np.maximum(large, 0)", VALUES), np.maximum(large, 0) + 8 * (large >= 0))
    assert terms_of("1 / (1 + np.exp(-x))", VALUES) > 1e-228, "however large the divisor"


def test_whole_numbers_and_fractions_are_not_rounded_and_other_numbers_as_their_type_is():
    assert eps_of(np.array([1, 2])) == eps_of(np.array([Fraction(1, 3), 2])) == 0.0
    assert eps_of(np.array([1], np.float32)) == 2.0**-23
    assert eps_of(np.array([1j])) == eps_of(np.array([Fraction(1, 3), 0.5])) == 2.0**-52
