"""Check an answer against a trace: is it right, and if it is not, which mistake gave it, and where?

`check("dW1", dW1, t)` looks at the shape first, then at the values, then for a mistake in `mistakes.py` that gives
exactly these values, and otherwise finds the first cell that differs. It shows that one cell and no more of the
answer. It raises nothing: whatever is handed in, even under an unknown name, gets a sentence.

What is *within rounding* (see `rounding.py`): two people who add the same terms in another order, or in float32, get
numbers that differ by a few roundings of the terms, not of the sum: where large terms cancel, the sum is small and the
difference stays. So an answer may differ from the trace by
    1e-11 of the value itself         twelve digits were written down
    8 eps of all the terms            eps is 2.2e-16, or 1.2e-7 if the answer is float32
    1e-290, or 1e-30 if float32       smaller numbers underflow on the way
where "all the terms" of a cell is what it would be if nothing had cancelled on the way to it. A cell is also right if
it is what NumPy prints of the value, to eight decimals, as for numbers copied from the screen; and a float32 or float16
is right if it is the nearest to the value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from inspect import signature
from numbers import Number
from typing import Any

import numpy as np

from backprop_lab.layers import Array
from backprop_lab.mistakes import MISTAKES, Mistake, plant
from backprop_lab.number_format import plain, told_apart
from backprop_lab.rounding import FLOAT64, Terms, eps_of, terms_of
from backprop_lab.tracing import Trace

DIGITS = 1e-11
ROUNDINGS = 8
VANISHING = 1e-290, 1e-30  # what comes of smaller numbers than a float64 and a float32 can hold
NEAR = 1e-4  # so near to the right value is no coincidence
MATMUL_MISFIT = re.compile(r"matmul: .*\(size (\d+) is different from (\d+)\)")
PLAIN_WORDS = {
    "does not have enough dimensions": "a product @ takes two matrices, "
    "and one of these is a single number or a function",
    "truth value of an array": "`max`, `if`, `and` and `or` take one number, and this is a whole array; "
    "np.maximum, np.where and a `*` with what is compared go cell by cell",
}
FLOAT32 = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, repr=False)
class Feedback:
    """What `check` found. It is true if the answer is right, reads as a sentence, and is a coloured box in a notebook.

    `cause` is empty for a right answer. Otherwise it names what is wrong: "shape", and the mistakes (by their `name`
    in `MISTAKES`) whose value the answer has; or one of "value", "rounded", "not-finite", "diverged", "blank",
    "complex", "unreadable", "name", "raised". `where` is the cell, as in (0, 2), if there is one to point at.
    """

    ok: bool
    cause: tuple[str, ...]
    message: str
    where: tuple[int, ...] | None = None

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        """A box that takes its colours from JupyterLab's theme, light or dark, and has its own where there is none."""
        heading, colour = "Not yet.", "var(--jp-error-color1, #d32f2f)"
        if self.ok:
            heading, colour = "Right.", "var(--jp-success-color1, #388e3c)"
        elif self.cause == ("blank",):
            heading, colour = "Your turn.", "var(--jp-info-color1, #0288d1)"
        style = (
            f"max-width: 50em; padding: 0.5em 0.8em; border-left: 0.3em solid {colour}; "
            "background: var(--jp-layout-color2, rgba(127, 127, 127, 0.12)); "
            "color: var(--jp-content-font-color1, inherit); line-height: 1.5"
        )
        message = re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.message))
        return f'<div role="note" style="{style}"><b>{heading}</b> {message}</div>'


def check(name: str, answer: Any, trace: Trace, mistakes: Mapping[str, Mistake] = MISTAKES) -> Feedback:
    """Compare `answer` with `trace[name]`. See the top of this module for what counts as right.

    A wrong answer is compared with what each of `mistakes` gives; to look for your own too, pass
    `MISTAKES | {"mine": Mistake(...)}`.

    The answer may be anything that NumPy reads as an array of numbers: an array of any precision, nested lists or
    tuples, a tensor, a table. Its shape must be that of the value; but one number is one number, however wrapped.
    Raises nothing. In pytest write `assert check("dW1", dW1, t)`; where nothing prints what was asserted, as in a
    notebook cell of nbgrader or otter, write `f = check("dW1", dW1, t)` and `assert f, f`.
    """
    if not isinstance(trace, Trace) or not isinstance(name, str):
        return Feedback(False, ("name",), "check takes a name, your answer and a trace: check('dW1', dW1, t).")
    if name not in trace:
        return Feedback(False, ("name",), _no_such_name(name, trace))
    with np.errstate(all="ignore"):  # huge numbers may overflow on the way
        numbers = _read(name, answer)
        return numbers if isinstance(numbers, Feedback) else _compare(name, numbers, trace, mistakes)


def check_function(
    name: str, function: Any, traces: Sequence[Trace], mistakes: Mapping[str, Mistake] = MISTAKES
) -> Feedback:
    """Whether a function gives `name` in every one of `traces`, such as `lambda X, dY1: X.mT @ dY1` for dW1.

    Its arguments are names of values that are known before `name`; it gets copies, so it can spoil nothing. What it
    raises comes back as a sentence. Raises nothing itself.
    """
    if not isinstance(name, str):
        kind = type(name).__name__
        return Feedback(
            False, ("name",), f"Name the exercise first, as text, then your function; the name is a {kind}."
        )
    if not traces:
        return Feedback(False, ("name",), f"There is nothing to try {name} on: give at least one trace.")
    for trace in traces:
        answer = _call(name, function, trace)
        if answer is None and function is not None:
            return Feedback(
                False, ("blank",), f"Your {name} returns nothing yet: write `return` in front of your answer."
            )
        feedback = answer if isinstance(answer, Feedback) else check(name, answer, trace, mistakes)
        if not feedback:
            if trace is not traces[0] and feedback.cause != ("blank",):
                shapes = ", ".join(f"{known} {np.shape(trace[known])}" for known in ("X", "y"))
                message = f"Right for the first problem, but not for another one, with {shapes}. {feedback.message}"
                return Feedback(False, feedback.cause, message, feedback.where)
            return feedback
    return feedback


def _call(name: str, function: Any, trace: Trace) -> Any:
    """What a learner's function returns for this trace, or the sentence that says why it returns nothing."""
    if name not in trace:
        return Feedback(False, ("name",), _no_such_name(name, trace))
    if not callable(function):
        return function
    known = list(trace.names)[: list(trace.names).index(name)]
    try:
        wanted = [p.name for p in signature(function).parameters.values() if p.name in known or p.default is p.empty]
    except (TypeError, ValueError):
        return Feedback(False, ("unreadable",), f"Write your own function for {name}, with def.")
    for argument in wanted:
        if argument not in known:
            message = (
                f"Your {name} asks for {argument!r}, which is not known yet. Before {name} you have {', '.join(known)}."
            )
            return Feedback(False, ("name",), message)
    given = {argument: trace[argument] for argument in wanted}
    copies = {argument: value.copy() if isinstance(value, np.ndarray) else value for argument, value in given.items()}
    try:
        return function(**copies)
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever it is, it is the learner's to see
        shapes = ", ".join(f"{argument} {np.shape(value)}" for argument, value in given.items()) or "nothing"
        message = f"Your {name} stopped with {type(error).__name__}: {_reason(error)}. It was given {shapes}."
        words = getattr(getattr(function, "__code__", None), "co_names", ())
        if elsewhere := [word for word in words if word in trace and word not in given]:
            message += f" It uses {' and '.join(elsewhere)}, which it was not given."
        return Feedback(False, ("raised",), message)


def _reason(error: BaseException) -> str:
    """What an error says, in one line, and without NumPy's terms where a beginner meets it often."""
    reason = str(error).strip().split("\n")[0].rstrip(".")
    if sizes := MATMUL_MISFIT.search(reason):
        rows, columns = sizes.groups()
        return (
            "in a product @ the first matrix needs as many columns as the second has rows, "
            f"and here the first has {columns} and the second {rows}"
        )
    return next((plain for said, plain in PLAIN_WORDS.items() if said in reason), reason)


def _compare(name: str, answer: Array, trace: Trace, mistakes: Mapping[str, Mistake]) -> Feedback:
    """Shape, then values, then named mistakes, then the first cell that differs."""
    right = np.asarray(trace[name])
    eps = max(FLOAT64, eps_of(answer), eps_of(right))
    right = _as_floats(right)
    if np.iscomplexobj(answer) and not np.iscomplexobj(right):
        if np.any(answer.imag):
            return Feedback(False, ("complex",), f"Your {name} has complex numbers in it, but {name} is real.")
        answer = answer.real
    answer = _as_floats(answer)
    if right.ndim == 0 and answer.size == 1:
        answer = answer.reshape(())

    known = trace.terms
    terms = _as_floats(known[name].terms)
    if answer.shape != right.shape:
        shapes = (answer, answer[None], answer[:, None]) if answer.ndim == 1 else (answer,)  # without keepdims
        found = next(filter(None, (_mistakes(name, shaped, trace, mistakes, known, eps) for shaped in shapes)), [])
        message = _shape_message(name, answer.shape, right.shape)
        if found:
            message += f" {_looks_like(name, trace, found)}"
        if answer.size == right.size and _agrees(answer.ravel(), right.ravel(), terms.ravel(), eps).all():
            message += " The numbers themselves are right."
        return Feedback(False, ("shape", *(mistake.name for mistake in found)), message)
    if not np.isfinite(right).all():
        return _compare_diverged(name, answer, right)
    if not np.isfinite(answer).all():
        where = _first(~np.isfinite(answer))
        message = (
            f"{_cell(name, where)} is {plain(answer[where])} in yours: "
            "look for a division by 0 or a number that grew too large."
        )
        return Feedback(False, ("not-finite",), message, where)

    agrees = _agrees(answer, right, terms, eps)
    if agrees.all():
        return Feedback(True, (), f"{name} is right.")
    where = _first(~agrees)
    if found := _mistakes(name, answer, trace, mistakes, known, eps):
        return Feedback(False, tuple(mistake.name for mistake in found), _looks_like(name, trace, found), where)
    if (decimals := _decimals(answer, right)) is not None:
        message = (
            f"These are the right numbers rounded to {decimals} decimals. Hand in {name} itself, with all its digits."
        )
        return Feedback(False, ("rounded",), message, where)
    if earlier := _earlier_mistakes(name, answer, trace, mistakes, terms, eps):
        causes = dict.fromkeys(mistake.name for _, mistake in earlier)
        return Feedback(False, tuple(causes), _earlier_message(trace, earlier), where)
    return Feedback(False, ("value",), _value_message(name, answer, right, agrees, where), where)


def _compare_diverged(name: str, answer: Array, right: Array) -> Feedback:
    """What can be said where the trace itself holds inf or nan: that the answer is the same, or nothing."""
    if np.isclose(answer, right, equal_nan=True).all():
        message = (
            f"{name} is the same here, but no longer finite: the training has diverged, at too large a learning rate."
        )
        return Feedback(True, (), message)
    message = (
        f"{name} is no longer finite here: the training has diverged, and there is nothing to compare with. "
        "Start again with a smaller learning rate."
    )
    return Feedback(False, ("diverged",), message)


# What is near enough


def _agrees(answer: Array, value: Array, terms: Array, eps: float) -> Array:
    """Which cells of `answer` are those of `value` within rounding, where `terms` is the sum of all terms of a cell."""
    terms = np.where(np.isfinite(terms), terms, np.abs(value))
    allowed = max(DIGITS, eps) * np.abs(value) + ROUNDINGS * min(eps, FLOAT32) * terms
    allowed += VANISHING[eps >= FLOAT32]
    near: Array = np.abs(answer - value) <= allowed
    return near | _as_printed(answer, value)


def _as_printed(answer: Array, value: Array) -> Array:
    """Which cells are what NumPy prints of the value: eight decimals, or eight and a power of ten if all are small."""
    if np.iscomplexobj(value) or not np.isfinite(value).all():
        return np.zeros(np.shape(value), dtype=bool)
    formats = (".8f", ".8e") if np.max(np.abs(value)) >= 1e-4 else (".8e",)
    same: Array = np.asarray(np.abs(answer - value) <= 1e-8 * np.maximum(1, np.abs(value)))  # no other need be printed
    printed = [[float(f"{number:{f}}") for number in np.asarray(value)[same]] for f in formats]
    same[same] = np.any([np.asarray(answer)[same] == numbers for numbers in printed], axis=0)
    return same


def _decimals(answer: Array, value: Array) -> int | None:
    """To how many decimals `answer` is `value` rounded, if it is, and if that can be no coincidence."""
    for decimals in range(8):
        unit = 10.0**-decimals
        rounded = np.abs(answer - np.round(answer, decimals)) <= 1e-9 * unit
        near = np.abs(answer - value) <= 0.5000001 * unit
        if rounded.all() and near.all() and np.max(np.abs(value)) >= 100 * unit:
            return decimals
    return None


def _mistakes(
    name: str, answer: Array, trace: Trace, mistakes: Mapping[str, Mistake], known: Mapping[str, Terms], eps: float
) -> list[Mistake]:
    """Every mistake whose value for `name` is this answer, within the rounding of the terms of its own line."""
    right, right_terms = trace[name], known[name].terms
    found = []
    for mistake in mistakes.values():
        line, wrong = mistake.wrong_line(trace, name), mistake.wrong_value(trace, name)
        if line and wrong is not None and np.shape(wrong) == answer.shape and _is_near(wrong, answer):
            terms = terms_of(line, known) + (right_terms if answer.shape == np.shape(right) else 0)
            if _gives(wrong, terms, answer, eps) and not _gives(wrong, right_terms, right, FLOAT64):
                found.append(mistake)
    return found


def _earlier_mistakes(
    name: str, answer: Array, trace: Trace, mistakes: Mapping[str, Mistake], terms: Array, eps: float
) -> list[tuple[str, Mistake]]:
    """Every mistake in a step before `name` from which this answer follows, if all steps between are right."""
    names = [step.name for step in trace.steps]
    before = names[: names.index(name)] if name in names else []
    found = []
    for mistake in mistakes.values():
        for place in mistake.possible_at(trace):
            if place in before:
                wrong = plant(trace, mistake, place)[name]
                if _gives(wrong, terms, answer, eps) and not _gives(wrong, terms, trace[name], FLOAT64):
                    found.append((place, mistake))
    return found


def _is_near(wrong: Any, answer: Array) -> bool:
    """Whether it is worth a closer look: at most a thousandth off, or not finite."""
    off, size = np.max(np.abs(wrong - answer), initial=0.0), np.max(np.abs(answer), initial=0.0)
    return not off > 1e-3 * size


def _gives(wrong: Any, terms: Any, answer: Any, eps: float) -> bool:
    """Whether a mistake's value is this answer (or the right value, in which case it is no mistake)."""
    wrong, answer = _as_floats(np.asarray(wrong)), _as_floats(np.asarray(answer))
    if wrong.shape != answer.shape:
        return False
    sizes = np.abs(wrong) + _as_floats(np.asarray(terms))
    return bool(_agrees(answer, wrong, sizes, eps).all())


# What is said


def _looks_like(name: str, trace: Trace, found: list[Mistake]) -> str:
    return f"This looks like {'; or like '.join(mistake.resemblance(trace, name) for mistake in found)}."


def _earlier_message(trace: Trace, found: list[tuple[str, Mistake]]) -> str:
    slips = "; or ".join(f"{place} looks like {mistake.resemblance(trace, place)}" for place, mistake in found)
    return f"The slip is further up, and this follows from it: {slips}."


def _shape_message(name: str, yours: tuple[int, ...], right: tuple[int, ...]) -> str:
    """Both shapes, and whose shape a gradient or a new parameter takes."""
    if 0 in yours:
        return f"Your {name} is empty."
    has = f"has shape {yours}" if yours else "is one number"
    if right == ():
        return f"Your {name} {has}; it should be one number."
    owner = name.removesuffix("_new") if name.endswith("_new") else name.removeprefix("d")
    return f"Your {name} {has}; it should have shape {right}{f', like {owner}' if owner != name else ''}."


def _value_message(name: str, answer: Array, right: Array, agrees: Array, where: tuple[int, ...]) -> str:
    """The first cell that differs, how many there are, and how they are off if it is the same for all."""
    mine, yours = told_apart(right[where], answer[where])
    if right.ndim == 0:  # its one number would be the whole answer
        return f"Your {name} is {yours}: too {'large' if answer > right else 'small'}."
    message = f"{_cell(name, where)} should be {mine}, and yours is {yours}."
    if right.size > 1:
        wrong = int(np.count_nonzero(~agrees))
        message += f" {wrong} of the {right.size} numbers {'differs' if wrong == 1 else 'differ'}."
    off = float(np.max(np.abs(answer - right)) / np.max(np.abs(right)))
    if off < NEAR and not name.endswith("_new"):  # after a small step every old parameter is near the new one
        return (
            f"{message} It is right to about {-round(np.log10(off))} digits, and off by more than rounding: "
            "a gradient by finite differences is like that, or one of numbers copied by hand."
        )
    factor = np.vdot(right, answer) / np.vdot(right, right)
    if (
        np.count_nonzero(right) > 1
        and not np.any(agrees & (right != 0))
        and np.allclose(answer, factor * right, 1e-6, 0)
    ):
        message += (
            f" Each of your numbers is {plain(factor)} times what it should be."
            if factor
            else " All your numbers are 0."
        )
    return message


def _cell(name: str, where: tuple[int, ...]) -> str:
    return f"{name}{list(where)}" if where else name


def _first(wrong: Array) -> tuple[int, ...]:
    """The index of the first True, row by row."""
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _no_such_name(name: str, trace: Trace) -> str:
    near = get_close_matches(name.lower(), [known.lower() for known in trace.names], n=1)
    guess = next((f" Did you mean {known}?" for known in trace.names if [known.lower()] == near), "")
    return f"There is no {name!r} here.{guess} There is {', '.join(trace.names)}."


# What can be read as numbers


def _read(name: str, answer: Any) -> Array | Feedback:
    """The answer as an array of numbers, or what to say if it is none."""

    def unreadable(message: str) -> Feedback:
        return Feedback(False, ("unreadable",), message)

    if answer is None or answer is ...:
        return Feedback(False, ("blank",), f"Put your {name} in place of the blank.")
    if isinstance(answer, str | bytes):
        return unreadable(f"Your {name} is text: write numbers, and names of arrays, without quotes.")
    if isinstance(answer, Mapping):
        kind = "trace" if isinstance(answer, Trace) else "dictionary"
        return unreadable(f"Your {name} is a {kind}: take {name} out of it, by its key in square brackets.")
    if callable(answer):
        return unreadable(f"Your {name} is a function, not what it returns: call it, with parentheses.")
    try:
        array = np.asarray(answer)
    except Exception as error:  # whatever a foreign object raises, a learner gets a sentence
        return unreadable(_why_not(name, error))
    if array.dtype.kind in "biufc":
        return array
    if array.dtype.kind in "USV":
        return unreadable(f"Your {name} has text in it: write numbers without quotes.")
    if array.dtype.kind != "O":
        return unreadable(f"Your {name} holds {array.dtype}, not numbers.")
    return _read_objects(name, array, type(answer).__name__)


def _read_objects(name: str, array: Array, kind: str) -> Array | Feedback:
    """Numbers that NumPy has no type for, such as fractions, as complex ones; or what to say of anything else."""
    for where in np.ndindex(array.shape):
        item: object = array[where]
        if item is None or item is Ellipsis:
            return Feedback(False, ("blank",), f"There is still a blank at {_cell(name, where)}.", where)
        if isinstance(item, Number):
            continue
        if where == ():
            return Feedback(False, ("unreadable",), f"Your {name} is a {kind}, not an array of numbers.")
        what = "text" if isinstance(item, str) else f"a {type(item).__name__}"
        return Feedback(False, ("unreadable",), f"{_cell(name, where)} is {what} in yours, not a number.", where)
    try:
        return array.astype(complex)  # an imaginary part that is nothing is taken away where numbers are compared
    except (OverflowError, TypeError, ValueError) as error:
        return Feedback(False, ("unreadable",), _why_not(name, error))


def _why_not(name: str, error: Exception) -> str:
    reason = str(error).strip().split("\n")[0]
    if "inhomogeneous" in reason:
        return f"The rows of your {name} differ in length: a matrix has equally many numbers in every row."
    if "requires grad" in reason:
        return f"Your {name} is a tensor that still records gradients: hand in {name}.detach()."
    return f"Your {name} cannot be read as numbers: {reason.rstrip('.') or type(error).__name__}."


def _as_floats(array: Array) -> Array:
    """The same numbers as float64, or complex128 if they are complex."""
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)
