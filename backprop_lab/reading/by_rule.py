"""What a derived gradient means: words by the rules of differentiation that made its line, for any forward pass.

A rule says how one operation takes a gradient back to what went into it, so what is said of it holds wherever it is
used. A line that is one's own, or that no rule explains, gets none of these words.
"""

import ast
import re
from collections.abc import Sequence
from typing import Any

from backprop_lab.nn.forms import of_form, parsed, terms_of_sum
from backprop_lab.nn.steps import Step
from backprop_lab.reading.words import COUNTED, LONGEST, WORDS
from backprop_lab.step.number_format import listed

RULES = WORDS["rules"]  # a noun for a longer way, and a sentence, by operation
MOST_PLACES = 3  # for which it is said how a value goes into each
AS_IT_IS = ("addition", "subtraction", "minus")  # rules by which a gradient goes on as it is, or with a minus


def _turns(passed: Any) -> bool:
    """Whether a gradient gets a minus there."""
    return passed.rule == "minus" or (passed.rule, passed.at) == ("subtraction", 1)


def telling_of(way: Sequence[Any]) -> tuple[list[Any], bool]:
    """The rules of a way that say something, and whether the others have turned the sign of the gradient."""
    turning = [passed for passed in way if _turns(passed)]
    telling = [passed for passed in way if passed.rule not in AS_IT_IS] or turning[-1:] or [*way[-1:]]
    return telling, len([passed for passed in turning if passed not in telling]) % 2 == 1


def of_gradient(step: Step) -> tuple[str, str]:
    """The title and the sentence of a gradient that was derived; the sentence is empty where no rule says anything."""
    title = f"Gradient for {step.of}"
    paths = [path for path in step.paths if path]
    if len(step.paths) > 1:
        return f"{title}, along {COUNTED.get(len(step.paths), len(step.paths))} paths", _of_several(step, paths)
    return title, _of_one(step, paths[0]) if paths else ""


def _of_one(step: Step, path: Sequence[Any]) -> str:
    """What one way says: of a single rule its sentence, of several in what order they come."""
    line = next(passed.Y for passed in path if passed.rule == "line")
    way = [passed for passed in path if passed.rule not in ("line", "broadcast")]
    telling, is_minus = telling_of(way)
    copies = [_filled(WORDS["copies"][passed.how][0], passed, {}) for passed in path if passed.rule == "broadcast"]
    up = next((name for name in step.operands if name in (f"d{line}", f"d{line}_total")), "the upstream gradient")
    names = {"V": step.of, "up": up}
    a = "another" if any(map(_turns, telling)) else "a"
    minus = f"On its way into {line}, {step.of} gets {a} minus sign."
    if copies and telling and telling[-1].rule == "addition":
        said = ""
    elif picked := _taken_off(step, way):
        said, is_minus = picked, False
    elif len(telling) == 1:
        if is_minus:
            names["up"] = f"−{up}" if up in step.operands else f"minus {up}"
        said = _filled(_words(telling[0])[1], telling[0], names)
    elif telling:
        is_minus, rest = False, [passed for passed in way if passed in telling or _turns(passed)]
        nouns = listed([_filled(_words(passed)[0], passed, names) for passed in reversed(rest)])
        said = f"Between {step.of} and {line} lie {nouns}: {up} comes back through them in reverse order."
    else:
        said = "" if copies else f"{step.of} goes into {line} as it is, so its gradient is that of {line}."
    return " ".join(_start(each.format_map(names)) for each in (said, *copies, minus * is_minus) if each)


def _of_several(step: Step, paths: Sequence[Sequence[Any]]) -> str:
    """What several ways say: where they come from, and that they add up."""
    into: dict[str, list[str]] = {}
    for path in paths:
        at = max(at for at, passed in enumerate(path) if passed.rule == "line")
        nouns = [
            _filled(_words(passed)[0], passed, {"V": step.of, "up": "the gradient"})
            for passed in reversed(path[at:])
            if _turns(passed) or passed.rule not in (*AS_IT_IS, "line", "broadcast")
        ]
        into.setdefault(path[at].Y, []).append(f"through {listed(nouns)}" if nouns else "as it is")
    places = [f"into {line} {ways[0] if len(ways) == 1 else _times(len(ways))}" for line, ways in into.items()]
    if len(places) > MOST_PLACES:
        places = [f"into {line}" for line in into]
    if len(paths) < len(step.paths):
        return f"{step.of} goes {listed(places)}. The gradient handed in for it is added to what comes from there."
    terms, joins = terms_of_sum(parsed(step.code))[0], ("np.concatenate(", "np.stack(")
    is_cut = any(passed.how == "slice" for path in paths for passed in path)
    how = "added up"
    if len(terms) == 1 and step.code.startswith(joins):  # each path has a part of it
        how = "put side by side again"
    elif len(terms) == 1 and len(paths) == 2 and _is_choice(*paths) and "np.where(" in step.code:
        how = "taken where it was chosen"
    elif is_cut and any(ast.unparse(term).startswith(joins) for term in terms):
        how = "added up, side by side again where it is of a part"
    return f"{step.of} goes {listed(places)}: what comes back along these paths is {how}."


def _is_choice(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two ways lead to two values of which np.where, a maximum or a minimum chooses one, cell by cell."""
    chosen, others = (
        {(passed.by, passed.Y): passed.at for passed in way if passed.rule == "mask"} for way in (one, other)
    )
    return any(others.get(choice, at) != at for choice, at in chosen.items())


def _taken_off(step: Step, way: Sequence[Any]) -> str:
    """What is said of a softmax, its logarithm, and one number picked of each row, if their gradient is one line; and
    of a sigmoid whose slope cancels."""
    probabilities = [passed.Y if passed.rule == "softmax" else passed.Z for passed in way if "softmax" in passed.rule]
    for form, (sentence,) in WORDS["picked"].items() if probabilities else ():
        for whole, rest in ((form, ""), (f"({form}) / {{n}}", ", all of it divided by {n}")):
            found = of_form(step.code, whole) or {}
            if found.get("P") in probabilities:
                return f"{sentence.removesuffix('.')}{rest.format_map(found)}."
    is_whole = len(way) == 1 and way[0].by == "sigmoid" and way[0].Y.isidentifier()
    if is_whole and f"d{way[0].Y}" not in step.operands and f"(1 - {way[0].Y})" not in step.code:
        return RULES["sigmoid gone"][1].format(Y=way[0].Y)
    return ""


def _words(passed: Any) -> tuple[str, ...]:
    """The noun and the sentence of one rule: those that say most of its place."""
    keys = (f"{passed.by} {passed.how}", f"{passed.by} {passed.at}", passed.by)
    if found := next((RULES[key] for key in keys if key in RULES), None):
        return found
    raise ValueError(f"words.txt has no row for the rule {passed.by}, under [rules]")


def _filled(text: str, passed: Any, names: dict[str, str]) -> str:
    """A text with the code of a place in it; what is long is told by what it is."""
    goes_in = "value" if text.startswith("The same ") else "what goes in"
    parts = {"X": (passed.X, goes_in), "Y": (passed.Y, "what comes out"), "Z": (passed.Z, "the other factor")}
    short = {key: code if len(code) <= LONGEST else told for key, (code, told) in parts.items()}
    bare, is_one = short["Z"].removesuffix(".mT"), r"\w+(\[[^]]*\])?|the other factor"
    turned = bare if bare != short["Z"] else f"{bare} transposed"
    short["turned"] = turned if re.fullmatch(is_one, bare) else f"({short['Z']}) transposed"
    return text.format_map({**names, **short})


def _start(text: str) -> str:
    """A sentence with a capital, unless it begins with a name."""
    is_told = re.match("(what (goes in|comes out)|the (upstream gradient|other factor)|minus the) ", text)
    return text[0].upper() + text[1:] if is_told else text


def _times(number: int) -> str:
    return {2: "twice", 3: "three times"}.get(number, f"{number} times")
