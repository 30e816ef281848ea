"""What somebody means who guesses at a mystery: a mistake by name or in some words, a line by name or in NumPy."""

import ast
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

from backprop_lab.deriving.program import read_lines
from backprop_lab.feedback.answers import shown
from backprop_lab.feedback.mistakes import MISTAKES, Mistake
from backprop_lab.nn.lines import Array, names_in, tree_of
from backprop_lab.step.trace import Trace

LEFT_OUT = re.compile(r"\b(left out|forgot|forgotten|forget|forgets|missing|without|omitted|no)\b")  # said as one word
IN_PLACE_OF = re.compile(r"\b(?:for|instead of|in place of|where|as)\b")  # what stands before it was written
FILLERS = {"a", "an", "the", "of", "in", "on", "is", "was", "are", "it", "its", "my", "i", "have", "used", "meant"}
AS_WORDS = {"w": "weights", "b": "weights", "dw": "gradient", "db": "gradient", "w_new": "new", "b_new": "new"}
WHOLE = 3  # letters: a shorter word begins no other
Sides = tuple[set[str], set[str]]  # the words before and after what says that one is in place of another; or all, twice


def meant_by(typed: str, right: Trace, place: str | None = None, wrong: str | None = None) -> list[str]:
    """The mistakes that a text may mean: by name or title, or by words of these, or their beginnings, in any order.

    Those that can be made in the line `place`, or else in the step, come first, and among them those that the words say
    in full. Of several that go by one name, such as "sign flipped", the one that can be made in the line `wrong` is
    meant.
    """
    if typed.strip().lower() in MISTAKES:
        return [typed.strip().lower()]
    words = _sides(typed)
    if len("".join(words[0] | words[1])) < 2 or typed.strip(" .!").lower() in ("no", "not"):
        return []
    named = [name for name, mistake in MISTAKES.items() if _plain(typed) in map(_plain, _called(mistake))]
    told = {name: _told(_called(mistake), in_order=words[0] != words[1]) for name, mistake in MISTAKES.items()}
    all_of = [name for name, each in told.items() if any(_fit(words, one) and _fit(one, words, True) for one in each)]
    told = {name: _told((name, mistake.title), in_order=words[0] != words[1]) for name, mistake in MISTAKES.items()}
    some_of = [name for name, each in told.items() if _fit(words, (_all(each, 0), _all(each, 1)))]
    ways = (named, all_of) if named else (all_of, some_of)
    place = place or (wrong if named else None)
    return next(filter(None, (*(_possible(each, right, place) for each in ways), *ways)), [])


def names(typed: str, mistake: Mistake) -> bool:
    """Whether a text is the name or the title of a mistake, whatever its capitals, spaces and hyphens."""
    return _plain(typed) in (_plain(mistake.name), _plain(mistake.title))


def line_in(typed: Any, right: Trace) -> str | None:
    """The code of a line of NumPy that was typed, with or without the name that it is for; None if it is none.

    It is one that can be read, or a known way to write a mistake.
    """
    if not isinstance(typed, str) or typed.strip().lower() in MISTAKES:
        return None
    code = re.sub(r"^\s*\w+\s*=(?!=)", "", typed).strip()
    try:
        _read(code, right)
        return code
    except (ArithmeticError, TypeError, ValueError, NameError):
        if {*re.findall(r"\w+", code)}.isdisjoint(right):
            return None
        ways = (line_like(code, mistake, right, step.name) for mistake in MISTAKES.values() for step in right.steps)
        return next(filter(None, ways), None)


def _why_not_run(typed: Any, right: Trace) -> str:
    """What is said of a line of NumPy that uses values of the step and cannot be run; "" of what is no such line."""
    code = re.sub(r"^\s*\w+\s*=(?!=)", "", typed).strip() if isinstance(typed, str) else ""
    try:
        if isinstance(tree_of(code), ast.BinOp | ast.Call) and not {*names_in(code)}.isdisjoint(right):
            _read(code, right)
    except (ArithmeticError, TypeError, ValueError, NameError) as error:
        return str(error).partition("`: ")[2]
    return ""


def _read(code: str, right: Trace) -> None:
    """Read a line, without running it. Raises ValueError, with the line, for one that cannot be run."""
    read_lines(f"line_of_ones_own = {code}", {name: np.asarray(value) for name, value in right.items()})


def line_like(typed: str, mistake: Mistake, right: Trace, name: str) -> str | None:
    """The way to write a mistake in the line for `name` that was typed, but for spaces."""
    return next((line for line in mistake.wrong_lines(right, name) if _bare(line) == _bare(typed)), None)


def name_of(line: Any) -> Any:
    """The name in a line such as "dW1 = X.mT @ dY1"; a name alone is one."""
    found = re.match(r"\s*(\w+)\s*=(?!=)", line) if isinstance(line, str) else None
    return found[1] if found else line.strip() if isinstance(line, str) else line


def value_of(code: str, right: Trace) -> Array | None:
    """What a line of NumPy gives; None if it does not run."""
    try:
        return np.asarray(right.evaluate(code))
    except (ArithmeticError, TypeError, ValueError, NameError, IndexError):
        return None


def _possible(found: list[str], right: Trace, place: str | None) -> list[str]:
    """Those of some mistakes that can be made in a line, or else anywhere in the step."""
    steps = [step.name for step in right.steps]
    here = [name for name in found if place and MISTAKES[name].wrong_line(right, place)]
    return here or [name for name in found if any(MISTAKES[name].wrong_line(right, each) for each in steps)]


def _called(mistake: Mistake) -> list[str]:
    return [mistake.name, mistake.title, *filter(None, mistake.also.split(" | "))]


def _plain(text: str) -> list[str]:
    return text.lower().replace("-", " ").split()


def _told(texts: Iterable[str], in_order: bool) -> list[Sides]:
    """The words of each name of a mistake; `in_order`, of those alone that say what is in place of what, if any do."""
    told = [_sides(each) for each in texts]
    return [each for each in told if in_order and each[0] != each[1]] or told


def _all(told: list[Sides], side: int) -> set[str]:
    return {word for each in told for word in each[side]}


def _sides(text: str) -> Sides:
    """The words of a text before and after what says that one is in place of the other."""
    plain = LEFT_OUT.sub("forgotten", text.lower().replace("-", " "))
    sides = IN_PLACE_OF.split(plain, maxsplit=1)
    words = [
        {word for each in side.split() if (word := each.strip(".,;:!?'\"()").removesuffix("'s"))} - FILLERS
        for side in sides
    ]
    if len(words) == 1:
        return words[0], words[0]
    one, other = ({AS_WORDS.get(re.sub(r"\d", "", word), word) for word in side} for side in words)
    return one, other


def _fit(words: Sides, told: Sides, begun: bool = False) -> bool:
    """Whether each word is told, or begins one that is, on its side; or is `begun` by one."""
    if words[0] == words[1] or told[0] == told[1]:
        words, told = ((*(each[0] | each[1],) * 2,) for each in (words, told))
    return all(any(_begins(each, word) if begun else _begins(word, each) for each in side)
               for own, side in zip(words, told, strict=True) for word in own)  # fmt: skip


def _begins(start: str, word: str) -> bool:
    return word == start or (len(start) >= WHOLE and word.startswith(start))


def _bare(line: str) -> str:
    """A line of NumPy without what does not change it, such as what it is the line for."""
    return re.sub(r"^\w+\s*=(?!=)|\s", "", line).replace(".mT", ".T")


def unread(
    mistake: Any, is_line: bool, meant: list[str], line: Any, place: str | None, right: Trace
) -> tuple[tuple[str, ...], str] | None:
    """Where what was typed has a blank, or is not a mistake or a line of the step: the cause, and what to say."""
    is_of_line_alone = mistake is None and line is not None and line is not ...
    has_none = (mistake is None and not is_of_line_alone) or mistake is ...
    if missing := ["line"] * (line is ...) + ["mistake"] * has_none:
        blanks = {"line": "the wrong line, such as 'dW1',", "mistake": "the mistake"}
        those, places = ("the names", "the blanks") if len(missing) > 1 else ("the name", "the blank")
        said = f"Put {those} of {' and of '.join(blanks[each] for each in missing)} in place of {places}, in quotes."
        return ("blank",), said
    if len(meant) > 1:
        fitting = ", ".join(map(repr, meant[:-1]))
        return ("name",), f"{mistake!r} fits several mistakes: which one, {fitting} or {meant[-1]!r}?"
    is_unknown = not meant and not is_line and not is_of_line_alone
    if is_unknown and (why := _why_not_run(mistake, right)):
        return ("name",), f"`{mistake}` cannot be run here: {why}."
    if is_unknown:
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
