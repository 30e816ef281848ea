"""What a predicted cell is worth: right by its sign or its value, or the mistake it looks like."""

import math

import numpy as np

from backprop_lab.mistakes import MISTAKES
from backprop_lab.trace import Trace
from backprop_lab.ui.numbers import as_printed
from backprop_lab.ui.values.one_cell import Cell, work_out

SIGNS = {"+": 1, "-": -1, "−": -1, "–": -1, "0": 0}


def judge(trace: Trace, cell: Cell, text: str) -> tuple[bool, str]:
    """Whether `text`, a sign or a number, is right for a cell of `trace`, and a sentence that says so or what went wrong.

    A number is right within one percent, or as near as the board prints it. Raises ValueError if it is neither.
    """
    name, i, j = cell
    value = float(trace[name][i, j])
    worked = str(work_out(trace, cell))
    text = text.strip()
    if text in SIGNS:
        if SIGNS[text] == np.sign(value):
            return True, f"Right: {worked}."
        return False, f"Not that sign: {worked}."
    try:
        number = float(text.replace("−", "-").replace("–", "-"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"answer with +, - or 0 for the sign, or with a number such as -1.5; got {text!r}")
    if _close(number, value):
        return True, f"Right: {worked}."
    found = []
    for mistake in MISTAKES:
        wrong = mistake.wrong(trace, name)
        if wrong is not None and np.shape(wrong) == trace[name].shape and _close(number, float(wrong[i, j])):
            found.append(mistake.resemblance(trace, name))
    if found:
        return False, f"{number:.4g} looks like {'; or like '.join(found)}. {worked}."
    return False, f"Not {number:.4g}: {worked}."


def _close(number: float, value: float) -> bool:
    return math.isclose(number, value, rel_tol=0.01) or number == as_printed(value)
