"""Numbers as people read and type them: with a proper minus sign, and never telling more than they know."""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import ROUND_CEILING, Context
from typing import Any

DECIMAL_COMMA = re.compile(r"(?<=\d),(?=(\d{1,2}|\d{4,})(e[-+]?\d+)?$)")
ENOUGH = 18  # 17 digits tell any two floats apart
MINUS = "\N{MINUS SIGN}"  # in prose, on the board and in sums; a line of code keeps its "-", so that it can be pasted
SIGNS = {"+": 1, "-": -1, MINUS: -1, "\N{EN DASH}": -1, "0": 0, "plus": 1, "minus": -1, "positive": 1, "negative": -1}


def plain(value: Any, digits: int = 4, form: str = "g") -> str:
    """A number in the format ".4g", or another, with a proper minus sign, and never as −0."""
    full, kind = form[:-1], form[-1]  # "#g" keeps the zeros at the end
    return f"{value + 0.0:{full}.{digits}{kind}}".removesuffix(".").replace("-", MINUS)


def at_most(error: float, digits: int = 0) -> str:
    """An error with `digits` digits after its first, rounded up, so that it is never larger than it says: `4e−10`."""
    if not error:
        return "0"
    up = Context(prec=digits + 1, rounding=ROUND_CEILING)
    return plain(float(up.create_decimal(repr(float(error)))), digits, "e")


def percent(error: float, digits: int) -> str:
    """An error in percent, with `digits` digits, or all before the point if there are more: `3.2%`, `110%`."""
    return f"{error:.0%}" if error >= 10 ** (digits - 3) else f"{plain(100 * error, digits)}%"


def so_many_differ(wrong: int, size: int) -> str:
    """How many of an array's numbers do: "1 of the 6 numbers differs", "all 6 numbers differ"."""
    if wrong == size > 1:
        return f"{'both' if size == 2 else f'all {size:,}'} numbers differ"
    return f"{wrong:,} of the {size:,} numbers differ{'s' * (wrong == 1)}"


def told_apart(one: Any, other: Any, digits: int = 4) -> tuple[str, str]:
    """Two numbers to `digits` digits, or to as many more, both alike, as it takes to tell them apart."""
    pair = plain(one, digits), plain(other, digits)
    longer = ((plain(one, more, "#g"), plain(other, more, "#g")) for more in range(digits + 1, ENOUGH))
    return next((each for each in (pair, *longer) if each[0] != each[1]), pair)


def listed(parts: Sequence[str]) -> str:
    """Several names, numbers or parts of a sentence in words, `W1, b1 and W2`; "" for none."""
    return " and ".join([*filter(None, [", ".join(parts[:-1])]), *parts[-1:]])


def format_number(value: Any) -> str:
    """At most five characters where that is honest: `−13.8`, `0.015`, `1e−5`; zero is `0` and never `−0.00`.

    No number is off by more than a twentieth of itself, unless five characters allow no better.
    """
    value = float(value)
    if value != value:
        return "nan"
    size = abs(value)
    if size == math.inf:
        text = "inf"
    elif 0 < size < 0.0095 or size >= 9999.5:
        text = in_powers_of_10(size, int(0 < value < 9.5e9 and size > 1))
    elif size >= 99.95 or size.is_integer():
        text = f"{size:.0f}"
    elif size < 0.0995:
        text = f"{size:.{2 if value < 0 else 3}f}".removesuffix("0")
    else:
        text = f"{size:.2f}" if size < 9.995 else f"{size:.1f}"  # a format in full is read faster
    return MINUS + text if value < 0 else text


def in_powers_of_10(size: float, digits: int) -> str:
    """A number above 0 with so many digits after its first, but for a 0 alone: `4.5e−4`, `1e−4`."""
    mantissa, power = f"{size:.{digits}e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(power)}".replace("-", MINUS)


def typed_number(text: str) -> int | float | str:
    """What was typed, as a number if it is one; any dash counts as a minus sign, 0,5 is 0.5, and so is 1/2.

    A comma before three digits is not taken for a decimal sign: it may as well be one of a thousand.
    """
    plain_text = DECIMAL_COMMA.sub(".", text.strip().replace(MINUS, "-").replace("\N{EN DASH}", "-"))
    for kind in (int, float):
        try:
            return kind(plain_text)
        except ValueError:
            pass
    with suppress(ValueError, ZeroDivisionError):
        number, divisor = map(float, plain_text.split("/"))
        return number / divisor
    return text


def as_printed(value: Any) -> float:
    """The number that a reader takes from the board for this value."""
    return float(format_number(value).replace(MINUS, "-"))
