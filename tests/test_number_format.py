"""How numbers are written on the screen and read from a field: short, honest, and with a proper minus sign."""

import re
from fractions import Fraction

import numpy as np
from common import count

from backprop_lab.step.number_format import as_printed, at_most, format_number, percent, plain, told_apart, typed_number


def normally_written(value):
    """Whatever has at most five characters and is written as people write numbers: with no digits left out of 0.05."""
    mantissas = [f"{value:.{digits}e}".split("e") for digits in range(3)]
    scientific = [f"{mantissa}e{int(power)}" for mantissa, power in mantissas]
    return [text for text in (*(f"{value:.{digits}f}" for digits in range(5)), *scientific) if len(text) <= 5]


def test_a_number_in_a_cell_is_short_and_honest():
    these = [-0.0, -7.0, 999.7, 9999.5, 0.02, -0.5, 9.995, -13.83, 0.00504, 0.0149, -4.2e12, 5e-324, np.nan, -np.inf]
    said = "0 −7 1000 1e4 0.02 −0.50 10.0 −13.8 5e−3 0.015 −4e12 5e−324 nan −inf"
    assert " ".join(map(format_number, these)) == said
    assert [format_number(Fraction(1, 3)), format_number(Fraction(-7))] == ["0.33", "−7"]
    for value in np.geomspace(1e-9, 9e9, count(40_000)).tolist():
        for number in (value, -value):
            text, off = format_number(number), abs(as_printed(number) - number)
            assert len(text) <= 5, "so that it fits its cell"
            assert not re.fullmatch(r"−?0\.0*", text), "a number that is not 0 does not look like it"
            best = min(abs(float(other) - number) for other in normally_written(number))
            assert off <= max(0.052 * value, 1.0001 * best), (text, "where five characters allow better")
            assert off <= 0.0051 or off <= 0.01 * value or "e" in text


def test_in_a_sentence_a_number_has_the_digits_that_it_needs():
    assert [plain(-1234.56), plain(2e-9 / 3, 2), plain(3e-9, 0, "e"), plain(-0.0)] == ["−1235", "6.7e−10", "3e−09", "0"]
    assert [percent(1.1, 2), percent(0.032, 2), percent(0.032, 1), percent(2e-5, 1)] == ["110%", "3.2%", "3%", "0.002%"]
    assert told_apart(1.23456, 1.23457) + told_apart(1 / 3, 1 / 3) == ("1.23456", "1.23457", "0.3333", "0.3333")


def test_an_error_is_never_larger_than_it_says():
    assert [at_most(9.99e-7, 1), at_most(3.2e-10, 2), at_most(5e-324)] == ["1.0e−06", "3.20e−10", "5e−324"]
    for error in (0, *10 ** np.random.default_rng(0).uniform(-300, 0, 500)):
        assert all(float(at_most(error, digits).replace("−", "-")) >= error * (1 - 1e-14) for digits in (0, 2))


def test_any_dash_is_a_minus_sign_and_what_is_no_number_stays_text():
    typed = [" 3 ", "-2.5", "–1e3", "two", "", "−5,41", "1,25e-3", "1,500", "1,2,3", "42.4/2", "−1 / 4"]
    numbers = [3, -2.5, -1000.0, "two", "", -5.41, 0.00125, "1,500", "1,2,3", 21.2, -0.25]
    assert [*map(typed_number, typed)] == numbers
    assert [*map(typed_number, ("1/0", "1/2/3", "/2", "a/2"))] == ["1/0", "1/2/3", "/2", "a/2"]
