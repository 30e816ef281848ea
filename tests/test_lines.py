"""The lines of a training step: what they see, the numbers in them, their order, and when they are written."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from problems import identical

from backprop_lab.lines import Step, evaluate, literal, run

X = np.array([[4.0, -1.0], [0.25, 2.0]])


def values_of(given, **codes):
    steps = [Step(name, "forward", code, (), object, "Y", code, {}) for name, code in codes.items()]
    return {step.name: step.value for step in run(steps, given)}


def test_a_line_sees_the_values_before_it_numpy_math_and_fractions_and_overflows_in_silence():
    code = "np.array(list(map(lambda row: [math.sqrt(abs(x)) for x in row], X)))"
    assert identical(evaluate(code, {"X": X}), np.sqrt(np.abs(X)))
    assert identical(values_of({"X": X}, Y=code)["Y"], np.sqrt(np.abs(X)))
    with np.errstate(all="raise"):
        assert values_of({"X": X}, Y="np.exp(1e3 * X).max()") == {"Y": np.inf}
        assert evaluate("np.exp(1e3 * X).max()", {"X": X}) == np.inf


def test_a_value_is_a_read_only_array_that_is_nobodys_view():
    for value in values_of({"X": X}, A="X.T", B="X[:1]", C="X + 1").values():
        assert not value.flags.writeable
        assert not np.shares_memory(value, X)


NUMBERS = [
    *(0.1 + 0.2, -0.5, -0.0, 5e-324, 1e22, math.inf, -math.inf, math.nan, -3, 10**30, True, Fraction(-7, 2), 1 + 2j),
    *(np.float64(-0.1), np.float32(0.1), np.int64(-4), np.longdouble(0.1), np.array([[0.1, -0.2], [math.nan, 1]])),
    *(np.array([0.1], np.float32), np.array([[Fraction(1, 3), -2]], dtype=object), np.array([True, False])),
]


def test_a_number_stands_in_a_line_plainly_to_the_last_bit_and_to_a_power_with_its_sign():
    for number in NUMBERS:
        with np.errstate(all="ignore"):
            for code, right in ((literal(number), number), (f"{literal(number)}**2", number**2)):
                read = evaluate(code, {})
                assert identical(read, right) or (np.isnan(right).any() and np.array_equal(read, right, equal_nan=True))
    assert [literal(number) for number in (np.float64(0.2), -0.5)] == ["0.2", "(-0.5)"]


def test_a_line_that_asks_for_a_later_value_waits_for_it_and_all_come_back_in_the_order_given():
    found = values_of({"a": 1}, p="q", q="a + 1", r="s + 1", s="p * 10")
    assert list(found.items()) == [("p", 2), ("q", 2), ("r", 21), ("s", 20)]


@pytest.mark.parametrize(("codes", "said"), [
    ({"p": "q", "q": "p"}, "the lines for p and q wait for each other"),
    ({"p": "q + s", "q": "a"}, "p = q + s uses s, which no line gives; before p there are a, q, as well as np, math"),
    ({"p": "1 / 0"}, "p = 1 / 0 stopped with ZeroDivisionError: division by zero"),
    ({"p": "b = a"}, "the line `b = a` is not a Python expression: "),
])  # fmt: skip
def test_lines_that_cannot_be_run_are_refused_with_the_line_that_cannot(codes, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        values_of({"a": np.array(2.0)}, **codes)
