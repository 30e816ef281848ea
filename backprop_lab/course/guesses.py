"""What somebody means who guesses at a mystery: a mistake by name or in some words, a line by name or in NumPy."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

from backprop_lab.deriving.program import read_lines
from backprop_lab.feedback.answers import shown
from backprop_lab.feedback.mistakes import MISTAKES, Mistake
from backprop_lab.nn.layers import Array
from backprop_lab.step.trace import Trace


def meant_by(typed: str, right: Trace) -> list[str]:
    """The mistakes that a text may mean: by name or title, or the words that these begin with, or by the wrong line.

    A line that runs means itself: what it gives says whether it was run.
    """
    if exact := [m.name for m in MISTAKES.values() if typed.lower() in (m.name, m.title.lower())]:
        return exact
    if typed not in right and value_of_line(typed, right) is not None:
        return []
    words = _words(typed)
    fitting = [
        m.name
        for m in MISTAKES.values()
        if words and all(any(each.startswith(word) for each in _words(f"{m.name} {m.title}")) for word in words)
    ]
    possible = [name for name in fitting if any(MISTAKES[name].wrong_line(right, step.name) for step in right.steps)]
    if fitting or typed in right:
        return possible or fitting
    return [m.name for m in MISTAKES.values() if any(line_like(typed, m, right, step.name) for step in right.steps)]


def line_like(typed: str, mistake: Mistake, right: Trace, name: str) -> str | None:
    """The way to write a mistake in the line for `name` that was typed, but for spaces."""
    return next((line for line in mistake.wrong_lines(right, name) if _bare(line) == _bare(typed)), None)


def name_of(line: Any) -> Any:
    """The name in a line such as "dW1 = X.mT @ dY1"; a name alone is one."""
    found = re.match(r"\s*(\w+)\s*=(?!=)", line) if isinstance(line, str) else None
    return found[1] if found else line


def value_of_line(typed: str, right: Trace) -> Array | None:
    """What a line of NumPy gives, typed with or without the name that it is for; None if it is none."""
    try:
        code = re.sub(r"^\s*\w+\s*=(?!=)", "", typed).strip()
        read_lines(f"line_of_ones_own = {code}", {name: np.asarray(value) for name, value in right.items()})
        return np.asarray(right.evaluate(code))
    except (ArithmeticError, TypeError, ValueError, NameError):
        return None


def _words(text: str) -> list[str]:
    return re.findall(r"[^\s-]+", text.lower())


def _bare(line: str) -> str:
    """A line of NumPy without what does not change it, such as what it is the line for."""
    return re.sub(r"^\w+\s*=(?!=)|\s", "", line).replace(".mT", ".T")


def unread(
    mistake: Any, meant: list[str], line: Any, place: str | None, right: Trace
) -> tuple[tuple[str, ...], str] | None:
    """Where what was typed has a blank, or is not a mistake or a line of the step: the cause, and what to say."""
    if missing := ["line"] * (line is ...) + ["mistake"] * (mistake is None or mistake is ...):
        blanks = {"line": "the wrong line, such as 'dW1',", "mistake": "the mistake"}
        names, places = ("the names", "the blanks") if len(missing) > 1 else ("the name", "the blank")
        said = f"Put {names} of {' and of '.join(blanks[each] for each in missing)} in place of {places}, in quotes."
        return ("blank",), said
    if not isinstance(mistake, str) or mistake not in MISTAKES:
        if (
            isinstance(mistake, str)
            and not meant
            and mistake not in right
            and value_of_line(mistake, right) is not None
        ):
            return None
        if isinstance(mistake, str) and mistake in right:
            kind = "a value that is given" if mistake in right.given else "a line"
            return ("name",), f"{mistake} is {kind}, not a mistake: name what is done wrong, as in 'sign-flipped'."
        if meant:
            fitting = ", ".join(map(repr, meant[:-1]))
            return ("name",), f"{mistake!r} fits several mistakes: which one, {fitting} or {meant[-1]!r}?"
        return ("name",), _unknown("mistake", mistake, MISTAKES)
    if place is None and line is not None:
        return ("name",), _unknown("line", line, [step.name for step in right.steps])
    return None


def alike(name: Any, names: Iterable[str]) -> str | None:
    """The one of `names` that is `name`, whatever its capitals."""
    near = [each for each in names if isinstance(name, str) and each.lower() == name.lower()]
    return name if name in near else next(iter(near), None)


def _unknown(kind: str, name: Any, names: Iterable[str]) -> str:
    near = get_close_matches(name, [*names], cutoff=0.8) if isinstance(name, str) else []
    known = "the keys of MISTAKES" if names is MISTAKES else ", ".join(names)
    guess = f"Did you mean {near[0]!r}?" if near else f"The names are {known}."
    return f"There is no {kind} called {shown(name)}. {guess}"
