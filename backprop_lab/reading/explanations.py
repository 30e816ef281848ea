"""What each of our lines of NumPy means: its formula in LaTeX, a title and a sentence.

A line that is not in the tables of `words.txt`, such as one from a layer of your own, gets a plain title; to explain
it, add it there.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from backprop_lab.nn.forms import of_form
from backprop_lab.nn.steps import Step
from backprop_lab.reading.by_form import of_line
from backprop_lab.reading.by_rule import of_gradient
from backprop_lab.reading.mathml import LETTERS
from backprop_lab.reading.words import PARTS, WORDS
from backprop_lab.step.written import OwnLine


class Explanation(NamedTuple):
    """The words for a line. `{X}`, `{W}` ... stand for names, as in the line; other braces in `latex` are doubled."""

    latex: str
    title: str
    sentence: str


def _table(name: str) -> dict[tuple[str, str], Explanation]:
    """The words of a table, by a result and its line."""
    found = {}
    for key, said in WORDS[name].items():
        part, _, result = key.partition(".")
        result, line = key.split(" = ") if " = " in key else (result, PARTS[part].formulas[result])
        if not 2 <= len(said) <= 3:
            raise ValueError(f"the row {key!r} of words.txt has {len(said)} parts with ' | ' between them, not 2 or 3")
        title, latex, sentence = said if len(said) == 3 else ("", *said)
        if (result, line) in found:
            raise ValueError(f"words.txt has two rows for the line {result} = {line}; the second is that of {key}")
        found[result, line] = Explanation(latex, title, sentence)
    return found


LINES = _table("lines")
EXPLANATIONS = LINES | _table("updates") | _table("beside")
SHORT = re.compile(r"d?[A-Za-z]{1,3}\d*|d?y_pred")  # names that look in a formula as they do in a book
COUNTS = re.compile(r"\{\{([NKH]+)\}\}")  # of samples, outputs and units, in the formulas of ours
A_GRADIENT = re.compile(rf"d([A-Z]|({'|'.join(LETTERS)})\d*$|[a-z](\d|$|_pred))")
OWN_NUMBERS = ("slope", "eps", "p")


def explain(step: Step, taken: Collection[str] = ()) -> Explanation:
    """The formula, title and sentence of a step, with its own names filled in; formula and sentence may be empty.

    A formula is left out where it counts by a letter, such as N, that is `taken`, being the name of a value. For a
    planted mistake, the formula is the correct one, with its = crossed out; title and sentence are the mistake's.
    """
    latex, (title, sentence) = _formula(step, taken), _plain_words(step)
    if found := EXPLANATIONS.get((step.result, step.template)):
        latex = found.latex.format_map({field: _in_latex(field, name) for field, name in step.names.items()})
        title, sentence = found.title.format_map(step.names), found.sentence.format_map(step.names)
        if (beside := step.beside) and (added := EXPLANATIONS.get((beside.result, beside.template))):
            latex += " " + added.latex.format_map(
                {field: _in_latex(field, name) for field, name in beside.names.items()}
            )
            sentence += f" {added.sentence}"
    own_title, own_sentence, own_latex = (_own(step, words) for words in ("title", "sentence", "formula"))
    latex, title, sentence = own_latex or latex, own_title or title, own_sentence or step.note or sentence
    if step.title:
        return Explanation(latex.replace("=", r"\neq", 1), step.title, step.sentence)
    return Explanation(latex, title, sentence)


def _own(step: Step, words: str) -> str:
    """What a part of a reader's own says of a line of its, with the names at its place filled in; "" for nothing."""
    said = getattr(step.kind, words, {})
    said = {"Y": said, "L": said, "new": said} if isinstance(said, str) else said
    names = {field: _in_latex(field, name) for field, name in step.names.items()} if words == "formula" else step.names
    try:
        return str(said.get(step.result, "").format_map(names))
    except (KeyError, ValueError, IndexError) as error:
        braces = f"braces that stand for no name of its lines, {error}: those of LaTeX are doubled"
        raise ValueError(f"{step.kind.__name__}.{words} has {braces}") from None


def _formula(step: Step, taken: Collection[str]) -> str:
    """The formula of a line of a program that has the form of one of ours; "" for any other.

    Sums are written over the rows and columns of matrices, so they are left out for anything else, and where a count,
    such as N, would be called like a value.
    """
    if step.kind is not OwnLine or not SHORT.fullmatch(step.name):
        return ""
    for (result, form), (latex, *_) in LINES.items():
        counts = {*"".join(COUNTS.findall(latex))}
        is_any = r"\sum" not in latex and r"\max_k" not in latex and "K" not in counts
        found = of_form(step.code, form) if is_any or np.ndim(step.value) == 2 else None
        if found and all(SHORT.fullmatch(part) or field in OWN_NUMBERS for field, part in found.items()):
            found[result] = step.name
            if counts & {*found.values(), *taken}:
                return ""
            return latex.format_map({field: _in_latex(field, code) for field, code in found.items()})
    return ""


def _plain_words(step: Step) -> tuple[str, str]:
    """The title of a line that is not in the table; of one of a program its sentence too, where it has some."""
    if step.kind is OwnLine and step.paths:
        return of_gradient(step)
    if step.kind is OwnLine and (not step.of or step.phase == "forward"):  # as of `h_new`, which the loss uses too
        return of_line(step)
    if step.adds_up_places:
        places = f"{step.of} is used in more than one place, and each counts: the gradients from there add up."
        return _plain_title(step), places
    return _plain_title(step), ""


def _plain_title(step: Step) -> str:
    """The title of a line of which nothing more is known."""
    if step.phase == "loss":
        return "Loss" if step.result == "L" else f"{step.name}, a step towards the loss"
    if step.phase == "forward":
        return step.kind.__name__ if step.result == "Y" else f"{step.name}, a step towards {step.names['Y']}"
    if step.phase == "update":
        return f"New {step.of}" if step.of else f"{step.name}, in the update"
    if step.result == "dy_pred":
        return "Gradient of the loss"
    return f"Gradient for {step.of}" if step.of else f"{step.name}, in the backward pass"


@lru_cache(maxsize=1024)
def _in_latex(field: str, name: str) -> str:
    """dW1 -> dW_{1}, y_pred -> y_{pred}, W1_new -> W_{1}^{new}, logP -> log P, 1e-05 -> 10^{-5}; other numbers stay.

    What an optimizer remembers of W1 is m_{W_{1}}. The field tells a gradient, `dby`, from a word, `day`.
    """
    if not name.isidentifier():
        power = re.sub(r"^([\d.]+)e\+?(-?)0*(\d+)$", r"\1 \\cdot 10^{\2\3}", name)
        return power.removeprefix(r"1 \cdot ")
    of = name.removesuffix("_new")
    new = r"^{\mathrm{new}}" if of != name else ""
    remembered = re.fullmatch("([mv])(hat)?(_new)?", field)
    if remembered and (parameter := of.removeprefix(field.removesuffix("_new"))):
        letter = rf"\hat{{{remembered[1]}}}" if remembered[2] else remembered[1]
        return f"{letter}_{{{_letters(parameter)}}}{new}"
    if of[0] == "d" and (A_GRADIENT.match(of) or (field[0] == "d" and len(of) > 1)):
        return f"d{_letters(of[1:])}{new}"
    return _letters(of) + new


def _letters(name: str) -> str:
    """W_hy and Why as W_{hy}, Xhat1 with a hat, gamma as the letter; any other word is upright."""
    if logarithm := re.fullmatch(r"log([A-Z]\w*)", name):
        return rf"\log {_letters(logarithm[1])}"
    name = name.strip("_") or "x"  # an index needs something to stand below, and lambda_ is lambda
    base, number, more = re.fullmatch(r"(.+?)(\d*)((?:_\w+)?)", name).groups()  # type: ignore[union-attr]
    indices = [number, *more.split("_")]
    if weights := re.fullmatch(r"([WUVR](?=[a-z])|b(?=.$))(\w+)", base):
        base, indices = weights[1], [weights[2], *indices]
    elif hat := re.fullmatch(r"([A-Za-z])_?hat", base):
        base = rf"\hat{{{hat[1]}}}"
    elif base in LETTERS:
        base = f"\\{base} "
    elif len(base) > 1:
        base = rf"\mathrm{{{base}}}"
    below = ",".join(each if len(each) < 4 or each.isdigit() else rf"\mathrm{{{each}}}" for each in indices if each)
    return f"{base}_{{{below}}}" if below else base
