"""Six training steps, each with a mistake in one of its lines that only the numbers give away.

`mystery(1)` is a trace whose steps show the right lines of NumPy, as in a program that one believes to be right; then
`solve(1, "sign-flipped")` says whether that is the mistake. What is hidden where is written in rot13, so that nobody
reads the end of the story by accident.
"""

import codecs
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.feedback import Feedback
from backprop_lab.mistakes import MISTAKES, Mistake, plant
from backprop_lab.problem import random_problem
from backprop_lab.tracing import Trace, trace


class Case(NamedTuple):
    """The numbers to start from, and in rot13 the step and the mistake that is made there."""

    given: dict[str, Any]
    hidden: str


CASES = {
    1: Case({"seed": 10, "samples": 3}, "qL1 znfx-sbetbggra"),
    2: Case({"seed": 5, "samples": 3}, "ql_cerq zrna-sbe-fhz"),
    3: Case({"seed": 19, "samples": 3}, "qJ2 enj-vachg"),
    4: Case({"seed": 0, "samples": 3}, "qJ1 npgvingvba-fxvccrq-onpxjneq"),
    5: Case({"seed": 24, "samples": 4, "inputs": 2, "hidden": 3, "outputs": 3}, "qU1 genafcbfr-sbetbggra"),
    6: Case({"seed": 33, "samples": 3, "lr": 0.1}, "J2_arj jrvtugf-sbe-tenqvrag"),
}


def mystery(number: int) -> Trace:
    """The training step of a case: right lines, and the numbers that come out with a mistake in one of them.

    Raises ValueError if there is no such case.
    """
    right, name, mistake = _open(number)
    wrong = plant(right, mistake, name)
    return Trace(right.problem, right.given, tuple(step._replace(value=wrong[step.name]) for step in right.steps))


def solve(number: int, mistake: Any) -> Feedback:
    """Whether `mistake`, the `name` of one in `MISTAKES`, is the one that is hidden in a case.

    Where two mistakes give the same numbers, either is right. Of a wrong guess it tells only whether that mistake is
    made in the same line. Raises ValueError if there is no such case.
    """
    right, name, hidden = _open(number)
    if mistake is None or mistake is ...:
        return Feedback(False, ("blank",), "Put the name of the mistake in place of the blank, in quotes.")
    if not isinstance(mistake, str) or mistake not in MISTAKES:
        if isinstance(mistake, str) and mistake in right:
            kind = "a value that is given" if mistake in right.given else "a line"
            return Feedback(
                False, ("name",), f"{mistake} is {kind}, not a mistake: name what is done wrong, as in 'sign-flipped'."
            )
        near = get_close_matches(str(mistake), MISTAKES, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        return Feedback(False, ("name",), f"There is no mistake of the name {mistake!r}.{guess}")
    line, wrong = MISTAKES[mistake].wrong_line(right, name), MISTAKES[mistake].wrong_value(right, name)
    if line is None:
        return Feedback(False, ("place",), "Not this one: it cannot occur in the line that is wrong here.")
    if np.shape(wrong) != np.shape(right[name]):
        return Feedback(
            False, ("shape",), "Not this one: with sizes such as these it would not run, or give another shape."
        )
    if not np.allclose(wrong, hidden.wrong_value(right, name), rtol=1e-9, atol=1e-12):
        return Feedback(False, ("value",), "Not this one. You have the right line, but it would give other numbers.")
    return Feedback(True, (), f"What was run is {name} = {line}. {MISTAKES[mistake].cause}")


def _open(number: int) -> tuple[Trace, str, Mistake]:
    """The step of a case as it should be, where a mistake is made in it, and which."""
    if not isinstance(number, int | np.integer) or isinstance(number, bool) or number not in CASES:
        raise ValueError(f"there are mysteries 1 to {len(CASES)}; got {number!r}")
    given, hidden = CASES[number]
    name, mistake = codecs.decode(hidden, "rot13").split()
    return trace(random_problem(**given)), name, MISTAKES[mistake]
