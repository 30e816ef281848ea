"""What a derived gradient means: words by the rules of differentiation that made its line, for any forward pass.

A rule says how one operation takes a gradient back to what went into it, so what is said of it holds wherever it is
used. A line that is one's own, or that no rule explains, gets none of these words.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from backprop_lab.nn.forms import of_form
from backprop_lab.nn.steps import Step
from backprop_lab.step.number_format import listed

LONGEST = 28  # characters of a part of a line that stands in a sentence; a longer one is told by what it is


class Words(NamedTuple):
    """What a rule says: a `noun` for a longer way, and a `sentence`, in which braces stand for what is at that place.

    `{X}` is what goes in, `{Y}` what comes out, `{Z}` the other part, `{V}` what the gradient is of, and `{up}` the
    gradient of the line that all this stands in.
    """

    noun: str
    sentence: str


# By the operation and, where it matters, the place of X in it, and what more is known of it: "down" the columns of a
# matrix, "along" its rows, "all" or some other "axes"; a "number" that is the same everywhere.
RULES: dict[str, Words] = {
    "+": Words("a sum", "{X} is added as it is, so {up} passes through unchanged."),
    "- 0": Words("a difference", "{X} goes in as it is, so {up} passes through unchanged."),
    "- 1": Words("a difference", "{X} is subtracted, so {up} passes through with the opposite sign."),
    "neg": Words("a minus sign", "The minus sign of {X} turns the sign of {up} around."),
    "*": Words("a product with {Z}", "{X} is multiplied by {Z}, cell by cell, so {up} is multiplied by {Z} as well."),
    "* number": Words("a factor of {Z}", "{X} is multiplied by {Z}, so its gradient is {Z} times {up}."),
    "/ 0": Words("a division by {Z}", "{X} is divided by {Z}, so {up} is divided by it as well."),
    "/ 1": Words(
        "a division in which it is the divisor",
        "{X} is a divisor. The slope of a quotient in its divisor is minus the quotient over the divisor.",
    ),
    "**": Words(
        "the power {Z}",
        "The slope of a power x**n is n * x**(n - 1), and here n is {Z}: the power comes down, and one less stays.",
    ),
    "square": Words("a square", "{X} is squared, and the slope of a square is twice the number."),
    "exp": Words("exp", "exp is its own slope, so {up} is multiplied by what came out of it."),
    "log": Words("a logarithm", "The slope of a logarithm is 1 over the number: small numbers have a steep one."),
    "log1p": Words("log1p", "The slope of log1p is 1 over 1 plus the number."),
    "sqrt": Words("a square root", "The slope of a square root is 1 over twice the root: it is steep near 0."),
    "tanh": Words(
        "tanh", "{up} is scaled by the slope of tanh, 1 − tanh², which is 1 at 0 and fades where tanh nears −1 or 1."
    ),
    "sin": Words("a sine", "The slope of a sine is the cosine."),
    "cos": Words("a cosine", "The slope of a cosine is minus the sine."),
    "abs": Words("an absolute value", "The slope of an absolute value is the sign of the number: 1 or −1, and 0 at 0."),
    "logaddexp": Words(
        "logaddexp", "In log(exp(a) + exp(b)), the slope for each term is the share of its exp in their sum."
    ),
    "logsumexp": Words(
        "the logarithm of a sum of powers of e",
        "The slope of the logarithm of a sum of powers of e is, for each, its share of the sum, as a softmax has it.",
    ),
    "sigmoid": Words(
        "a sigmoid",
        "{up} is scaled by the slope of the sigmoid, which is at most 1/4 and fades where the output nears 0 or 1.",
    ),
    "silu": Words(
        "a SiLU",
        "{X} stands in both factors of {X} times its sigmoid, so the slope has a part for each.",
    ),
    "softplus": Words(
        "a softplus", "The slope of the softplus is the sigmoid: close to 0 far below 0, and to 1 far above."
    ),
    "relu": Words(
        "a ReLU", "Where {X} is positive, {up} passes through; elsewhere {X} has no effect, so its gradient is 0."
    ),
    "maximum": Words(
        "a maximum with {Z}",
        "Only the larger of {X} and {Z} counts: where that is {X}, {up} passes through; elsewhere the gradient is 0.",
    ),
    "minimum": Words(
        "a minimum with {Z}",
        "Only the smaller of {X} and {Z} counts: where that is {X}, {up} passes through; elsewhere the gradient is 0.",
    ),
    "clip": Words(
        "a clip", "Between its limits {X} is kept, and {up} passes through; where it is cut off, the gradient is 0."
    ),
    "clip 1": Words("the lower limit of a clip", "{X} counts only where a number was raised to it; {up} passes there."),
    "clip 2": Words("the upper limit of a clip", "{X} counts only where a number was cut to it; {up} passes there."),
    "where": Words(
        "a choice by np.where",
        "Where {X} was chosen, {up} passes through; elsewhere it had no effect, so its gradient is 0.",
    ),
    "@ 0": Words(
        "a matrix product with {Z}",
        "Each number of {X} goes into a whole row of the product: {up} along that row, times the numbers of {Z} that "
        "it met, is added up. That is a product with {turned}.",
    ),
    "@ 1": Words(
        "a matrix product with {Z}",
        "Each number of {X} goes into a whole column of the product: {up} down that column, times the numbers of {Z} "
        "that it met, is added up. That is a product with {turned}.",
    ),
    "@ axes": Words(
        "a product with {Z}",
        "{X} meets {Z} in a product: {up} is multiplied by {Z}, and added up wherever a number of {X} went into "
        "several results.",
    ),
    "mT": Words("a transpose", "A transpose only moves numbers, so the gradient is transposed back."),
    "sum": Words("a sum", "Each number counts in the sum with a factor of 1, so each gets {up} as it is."),
    "mean": Words("a mean", "In a mean of n numbers each counts with 1/n, so each gets that share of {up}."),
    "max": Words(
        "a maximum", "Only the largest number has an effect on a maximum: it gets {up}, which equal ones share."
    ),
    "min": Words(
        "a minimum", "Only the smallest number has an effect on a minimum: it gets {up}, which equal ones share."
    ),
    "var": Words(
        "a variance",
        "Moving a number changes the variance in proportion to its distance from the mean: by twice that, over n.",
    ),
    "std": Words(
        "a standard deviation",
        "Moving a number changes the standard deviation by its distance from the mean, over n times the deviation.",
    ),
    "softmax": Words(
        "a softmax",
        "Raising one score raises its own probability and lowers the others, with which it adds up to 1: its gradient "
        "is its probability times how far {up} lies above its mean, weighted by the probabilities.",
    ),
    "log-softmax": Words(
        "a softmax and its logarithm",
        "Raising one score by a little raises its own log-probability and lowers all of them by its probability.",
    ),
    "reshape": Words("a reshape", "A reshape keeps every number, so the gradient only goes back into the old shape."),
    "index slice": Words("a slice", "Only a part of {X} is used here: it gets {up}, and what was left out gets 0."),
    "index rows": Words(
        "a lookup by {Z}",
        "Rows of {X} are picked by {Z}: each gets the gradients of all its copies, added up, and one never picked "
        "gets 0.",
    ),
    "index copies": Words(
        "a lookup by {Z}",
        "Places of {X} are picked by {Z}: each gets the gradients of all its copies, added up, and one never picked "
        "gets 0.",
    ),
    "index picked": Words(
        "picking some numbers", "Only the numbers that were picked have an effect: they get {up}, and all others 0."
    ),
    "concatenate": Words("joining arrays", "Arrays that are joined keep their numbers, so each gets its part of {up}."),
    "stack": Words("stacking arrays", "Arrays that are stacked keep their numbers, so each gets its part of {up}."),
    "einsum": Words(
        "einsum",
        "einsum multiplies and adds up: {up} is multiplied by the other array, and added up over what {X} lacks.",
    ),
}
BROADCAST = {
    "down": "The same {X} is used in every row, so the gradients of all rows are added up.",
    "along": "The same {X} is used in every column, so the gradients of all columns are added up.",
    "all": "{X} is one number that is used everywhere, so the gradients of all places are added up.",
    "axes": "{X} is used several times along an axis, so the gradients of all its copies are added up.",
}
AFTER_SOFTMAX = {
    "{P} - np.eye({k})[{y}]": "Raising a score costs its probability, and for the right class it earns 1: so the slope "
    "is the probability, less 1 for the right class.",
    "{P} - {y}": "The slope for each score is its probability minus its target.",
}
MOST_PLACES = 3  # for which it is said how a value goes into each
AS_IT_IS = ("addition", "subtraction", "minus")  # rules by which a gradient goes on as it is, or with a minus


def of_gradient(step: Step) -> tuple[str, str]:
    """The title and the sentence of a gradient that was derived; the sentence is empty where no rule says anything."""
    title = f"Gradient for {step.of}"
    paths = [path for path in step.paths if path]
    if len(step.paths) > 1:
        return f"{title}, along {_counted(len(step.paths), 'path')}", _of_several(step, paths)
    return title, _of_one(step, paths[0]) if paths else ""


def _of_one(step: Step, path: Sequence[Any]) -> str:
    """What one way says: of a single rule its sentence, of several in what order they come."""
    line = next(passed.Y for passed in path if passed.rule == "line")
    way = [passed for passed in path if passed.rule not in ("line", "broadcast")]
    telling = [passed for passed in way if passed.rule not in AS_IT_IS] or way[-1:]
    copies = [_filled(BROADCAST[passed.how], passed, {}) for passed in path if passed.rule == "broadcast"]
    up = next((name for name in step.operands if name in (f"d{line}", f"d{line}_total")), "the upstream gradient")
    names = {"V": step.of, "up": up}
    if copies and telling and telling[-1].rule == "addition":
        said = ""
    elif picked := _taken_off(step, way):
        said = picked
    elif len(telling) == 1:
        said = _filled(_words(telling[0]).sentence, telling[0], names)
    elif telling:
        nouns = listed([_filled(_words(passed).noun, passed, names) for passed in reversed(telling)])
        said = f"Between {step.of} and {line} lie {nouns}: {up} comes back through them, the last one first."
    else:
        said = "" if copies else f"{step.of} goes into {line} as it is, so it has the same gradient."
    return " ".join(_start(each.format_map(names)) for each in (said, *copies) if each)


def _of_several(step: Step, paths: Sequence[Sequence[Any]]) -> str:
    """What several ways say: where they come from, and that they add up."""
    into: dict[str, list[str]] = {}
    for path in paths:
        at = max(at for at, passed in enumerate(path) if passed.rule == "line")
        nouns = [
            _filled(_words(passed).noun, passed, {"V": step.of, "up": "the gradient"})
            for passed in reversed(path[at:])
            if passed.rule not in (*AS_IT_IS, "line", "broadcast")
        ]
        into.setdefault(path[at].Y, []).append(f"through {listed(nouns)}" if nouns else "as it is")
    places = [f"into {line} {ways[0] if len(ways) == 1 else _times(len(ways))}" for line, ways in into.items()]
    if len(places) > MOST_PLACES:
        places = [f"into {line}" for line in into]
    if len(paths) < len(step.paths):
        return f"{step.of} goes {listed(places)}. The gradient handed in for it is added to what comes from there."
    joined = step.code.startswith(("np.concatenate(", "np.stack("))  # each path has a part of it
    how = "put side by side again" if joined else "added up"
    return f"{step.of} goes {listed(places)}: what comes back along each of these paths is {how}."


def _taken_off(step: Step, way: Sequence[Any]) -> str:
    """What is said of a softmax, its logarithm, and one number picked of each row, if their gradient is one line."""
    if {"softmax", "log-softmax"} & {passed.rule for passed in way}:
        for form, sentence in AFTER_SOFTMAX.items():
            if of_form(step.code, form):
                return sentence
            if found := of_form(step.code, f"({form}) / {{n}}"):
                return f"{sentence.removesuffix('.')}, all of it divided by {found['n']}."
    return ""


def _words(passed: Any) -> Words:
    """The words for one rule: those that say most of its place."""
    keys = (f"{passed.by} {passed.how}", f"{passed.by} {passed.at}", passed.by)
    return next(RULES[key] for key in keys if key in RULES)


def _filled(text: str, passed: Any, names: dict[str, str]) -> str:
    """A text with the code of a place in it; what is long is told by what it is."""
    parts = {"X": (passed.X, "what goes in"), "Y": (passed.Y, "what comes out"), "Z": (passed.Z, "the other factor")}
    short = {key: code if len(code) <= LONGEST else told for key, (code, told) in parts.items()}
    Z = short["Z"]
    short["turned"] = Z.removesuffix(".mT") if Z.endswith(".mT") else f"{Z} transposed"
    return text.format_map({**names, **short})


def _start(text: str) -> str:
    """A sentence with a capital, unless it begins with a name."""
    first = text.split()[0]
    return text if first not in ("what", "the", "a", "an") else text[0].upper() + text[1:]


def _times(number: int) -> str:
    return {2: "twice", 3: "three times"}.get(number, f"{number} times")


def _counted(number: int, what: str) -> str:
    words = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
    return f"{words.get(number, number)} {what}s"
