"""Judges the prediction of a cell: right in its sign or value, or else the mistake it looks like."""

import math
import sys
from collections.abc import Mapping

import numpy as np

from backprop_lab.mistakes import MISTAKES, Mistake
from backprop_lab.number_format import MINUS, as_printed, plain, typed_number
from backprop_lab.tracing import Trace
from backprop_lab.ui.values.one_cell import Cell, work_out
from backprop_lab.ui.values.slopes import value_of

SIGNS = {"+": 1, "-": -1, MINUS: -1, "\N{EN DASH}": -1, "0": 0, "plus": 1, "minus": -1, "positive": 1, "negative": -1}


def judge(trace: Trace, cell: Cell, text: str, mistakes: Mapping[str, Mistake] = MISTAKES) -> tuple[bool, str]:
    """Whether `text`, a sign or a number, is right for a cell of `trace`, and a sentence with the verdict.

    A number is right if it is within one percent, or equal to what the board prints; -5,4 is -5.4. Raises ValueError if
    `text` is neither a sign nor a number.
    """
    name, i, j = cell
    value = float(value_of(trace, name)[i, j])
    worked = str(work_out(trace, cell))
    text = text.strip()
    if text.lower() in SIGNS:
        if SIGNS[text.lower()] == np.sign(value):
            return True, f"Right: {worked}."
        return False, f"Not the right sign: {worked}."
    typed = typed_number(text)
    number = math.nan if isinstance(typed, str) or abs(typed) > sys.float_info.max else float(typed)
    if not math.isfinite(number):
        raise ValueError(f"answer with +, - or 0 for the sign, or with a number such as -1.5; got {text!r}")
    if _close(number, value):
        return True, f"Right: {worked}."
    found = []
    for mistake in mistakes.values():
        wrong = mistake.wrong_value(trace, name)
        if (
            wrong is not None
            and np.shape(wrong) == np.shape(trace[name])
            and _close(number, float(np.atleast_2d(wrong)[i, j]))
        ):
            found.append(mistake.resemblance(trace, name))
    if found:
        return False, f"{plain(number)} looks like {'; or like '.join(found)}. {worked}."
    return False, f"{plain(number)} is not right: {worked}."


def _close(number: float, value: float) -> bool:
    return math.isclose(number, value, rel_tol=0.01) or number == as_printed(value)
