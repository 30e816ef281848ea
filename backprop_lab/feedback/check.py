"""Check an answer against a trace: is it right, and if it is not, which mistake gave it, and where?

`check("dW1", dW1, t)` looks at the shape first, then at the values (see `tolerance.py`), then for what explains them
(see `explaining.py`): a mistake in `mistakes.py` that gives exactly these values, a slip of the pen, two mistakes at
once, or a pattern. Otherwise it finds the first cell that differs. It shows that one cell and no more of the answer. It
raises nothing: whatever is handed in, even under an unknown name, gets a sentence.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import wraps
from html import escape
from typing import Any, ParamSpec

import numpy as np

from backprop_lab.feedback.answers import NoAnswerError, a_kind, reason, shown
from backprop_lab.feedback.compared import in_a_sentence
from backprop_lab.feedback.explaining import Explaining
from backprop_lab.feedback.kinks import at_a_kink
from backprop_lab.feedback.learner_code import call
from backprop_lab.feedback.mistakes import MISTAKES, Mistake
from backprop_lab.feedback.tolerance import Comparison, compare, shape_message, what_differs
from backprop_lab.nn.arrays import cell, first_true
from backprop_lab.reading.parts import made_of
from backprop_lab.step.number_format import plain, so_many_differ, told_apart
from backprop_lab.step.trace import Trace

NEAR = 1e-4  # this near to the right value is no coincidence
HEADINGS = {
    "blank": ("Your turn.", "info-color1, #0288d1"),
    "only-rounding": ("Too small to tell.", "info-color1, #0288d1"),
    "kink": ("Too near to tell.", "info-color1, #0288d1"),
}
NO_MISTAKES = "mistakes is a dictionary of them by name, such as MISTAKES | {'mine': Mistake(...)}."
WHY = (
    "look for a division by 0, or a number that grew too large",
    "look for 0 divided by 0, or a logarithm or a root of a number below 0",
)


@dataclass(frozen=True, repr=False)
class Feedback:
    """What `check` found. It is true if the answer is right, reads as a sentence, and is a coloured box in a notebook.

    `cause` is empty for a right answer. Otherwise it names what is wrong: "shape", "raised", and the mistakes (by their
    `name` in `MISTAKES`) whose value the answer has, with the factor if there is one; "slip" and the line that gives
    it; "pattern" and which one; or one of "value", "rounded", "only-rounding", "kink", "not-finite", "diverged",
    "blank", "complex", "unreadable", "name", "in-place". `where` is the cell, as in (0, 2), if there is one.
    """

    ok: bool
    cause: tuple[str, ...]
    message: str
    where: tuple[int, ...] | None = None

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        """A box that takes its colours from JupyterLab's theme, light or dark, and has its own where there is none."""
        heading, colour = "Not yet.", "error-color1, #d32f2f"
        if self.ok:
            heading, colour = "Right.", "success-color1, #388e3c"
        elif self.cause:
            heading, colour = HEADINGS.get(self.cause[0], (heading, colour))
        style = (
            f"max-width: 50em; padding: 0.5em 0.8em; border-left: 0.3em solid var(--jp-{colour}); "
            "background: var(--jp-layout-color2, rgba(127, 127, 127, 0.12)); "
            "color: var(--jp-content-font-color1, inherit); line-height: 1.5"
        )
        message = re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.message))
        return f'<div role="note" style="{style}"><b>{heading}</b> {message}</div>'


Given = ParamSpec("Given")
Looked = Explaining | Feedback


def raising_nothing(judge: Callable[Given, Feedback]) -> Callable[Given, Feedback]:
    """A function that has a sentence even for what cannot be looked at: an object whose own methods raise."""

    @wraps(judge)
    def judged(*args: Given.args, **kwargs: Given.kwargs) -> Feedback:
        try:
            return judge(*args, **kwargs)
        except Exception as error:  # whatever a foreign object raises
            return Feedback(False, ("unreadable",), f"This cannot be read, since it stops with: {reason(error)}.")

    return judged


@raising_nothing
def check(
    name: str, answer: Any, trace: Trace, mistakes: Mapping[str, Mistake] = MISTAKES, digits: int | None = None
) -> Feedback:
    """Compare `answer` with `trace[name]`. See the top of `tolerance.py` for what counts as right.

    A wrong answer is compared with what each of `mistakes` gives; to look for your own too, pass
    `MISTAKES | {"mine": Mistake(...)}`. With `digits`, from 1 to 15, a number is right if it is the value rounded to
    that many significant digits, as for numbers that were copied from paper.

    The answer may be anything that NumPy reads as an array of numbers: an array of any precision, nested lists or
    tuples, a tensor, a table. Its shape must be that of the value; but one number is one number, however wrapped.
    Raises nothing. In pytest write `assert check("dW1", dW1, t)`; where nothing prints what was asserted, as in a
    notebook cell of nbgrader or otter, write `f = check("dW1", dW1, t)` and `assert f, f`.
    """
    if not isinstance(trace, Trace) or not isinstance(name, str):
        return _misused("check takes a name, your answer and a trace: check('dW1', dW1, t).")
    if not _are_mistakes(mistakes):
        return _misused(NO_MISTAKES)
    try:
        return _feedback(_explaining(name, answer, trace, mistakes, digits))
    except NoAnswerError as nothing:
        return _without_answer(nothing)


@raising_nothing
def check_function(
    name: str, function: Any, traces: Sequence[Trace], mistakes: Mapping[str, Mistake] = MISTAKES
) -> Feedback:
    """Whether a function gives `name` in every one of `traces`, such as `lambda X, dY1: X.mT @ dY1` for dW1.

    Its arguments are names of values before `name`, or of gradients that do not need it; it gets copies, so it can
    spoil nothing. What it raises comes back as a sentence. If it is wrong, only what all the traces bear out is said
    of it. Give traces of different sizes: then a factor of 1/2 is told from one of 1/N. `mistakes` is as for `check`.
    Raises nothing itself.
    """
    if not isinstance(name, str):
        return _misused(f"Name the exercise first, as text, then your function; the name is {a_kind(name)}.")
    if isinstance(traces, Sequence) and not traces:
        return _misused(f"There is nothing to try {name} on: give at least one trace, in a list.")
    wrong = [each for each in traces if not isinstance(each, Trace)] if isinstance(traces, Sequence) else [traces]
    if wrong:
        what = f"{a_kind(wrong[0])}{' in it' * isinstance(traces, Sequence)}"
        return _misused(f"What {name} is tried on is a list of traces, such as [trace(problem)]; got {what}.")
    if not _are_mistakes(mistakes):
        return _misused(NO_MISTAKES)
    looked = [_try(name, function, trace, mistakes, trace is traces[0]) for trace in traces]
    decided = [look if isinstance(look, Feedback) else _decided(look.compared) for look in looked]
    causes = [feedback.cause if feedback is not None else None for feedback in decided]
    can_tell = {*causes} - {("only-rounding",), ("kink",)}
    untold = {("only-rounding",)} if can_tell else set()  # where another one can tell, it decides
    off = [at for at, cause in enumerate(causes) if cause not in {(), *untold} and (at == 0 or cause != ("kink",))]
    right = [at for at, cause in enumerate(causes) if cause == ()]
    feedback = _of_all(looked, at := [*off, *right, 0][0])
    if feedback.cause == ("pattern", "zeros"):  # where others are not 0, they may tell why
        told = (_of_all(looked, k) for k in off[1:])
        feedback = next((each for each in told if {*each.cause} & {"slip", *mistakes}), feedback)
    if at == 0 or feedback.cause == ("blank",) or feedback.ok:
        return feedback
    other = f"another one, with {what_differs(traces[0], traces[at])}"
    return replace(feedback, message=f"Right for the first problem, but not for {other}. {feedback.message}")


def _of_all(looked: Sequence[Looked], at: int) -> Feedback:
    """What is said of one of the answers that a function gave, and borne out by all others."""
    one = looked[at]
    others = [look for look in looked if look is not one and isinstance(look, Explaining)]
    return one if isinstance(one, Feedback) else _feedback(one, others)


def _try(name: str, function: Any, trace: Trace, mistakes: Mapping[str, Mistake], prints: bool) -> Looked:
    """What a function gives for one trace, or an array in its place; or what to say where there is nothing."""
    try:
        if name not in trace or not callable(function):
            return _explaining(name, function, trace, mistakes)
        answer, warned = call(name, function, trace, mistakes, prints)
        return replace(_explaining(name, answer, trace, mistakes), warned=warned, function=function)
    except NoAnswerError as nothing:
        feedback = _without_answer(nothing)
        if nothing.otherwise is not None:
            otherwise = check(name, nothing.otherwise, trace, mistakes)
            if {*otherwise.cause} & {*mistakes}:
                return replace(feedback, cause=feedback.cause + otherwise.cause, message=f"{feedback} {otherwise}")
        return feedback


def _explaining(
    name: str, answer: Any, trace: Trace, mistakes: Mapping[str, Mistake], digits: int | None = None
) -> Explaining:
    """An answer beside the trace. Raises NoAnswerError where there is nothing to compare."""
    if name not in trace:
        raise NoAnswerError(("name",), _no_such_name(name, trace))
    if digits is not None and (
        not isinstance(digits, int | np.integer) or isinstance(digits, bool) or not 1 <= digits <= 15
    ):
        wanted = f"digits is how many significant digits were copied, from 1 to 15; got {shown(digits)}."
        raise NoAnswerError(("name",), wanted)
    compared = compare(name, answer, trace, digits and int(digits))
    if np.iscomplexobj(compared.answer) and not np.iscomplexobj(compared.right):
        raise NoAnswerError(("complex",), f"Your {name} has complex numbers in it, but {name} is real.")
    return Explaining(compared, mistakes)


def _are_mistakes(given: Any) -> bool:
    return isinstance(given, Mapping) and all(isinstance(each, Mistake) for each in given.values())


def _misused(message: str) -> Feedback:
    return Feedback(False, ("name",), message)


def _without_answer(nothing: NoAnswerError) -> Feedback:
    return Feedback(False, nothing.cause, str(nothing), nothing.where)


@np.errstate(all="ignore")  # huge numbers may overflow on the way
def _feedback(looked: Explaining, others: Sequence[Explaining] = ()) -> Feedback:
    """What to say of an answer, if the same one was given for others: shape, then values, then why, then where."""
    compared = looked.compared
    name, answer, right = compared.name, compared.answer, compared.right
    if not compared.fits:
        return _misshapen(looked, others)
    if (decided := _decided(compared)) is not None:
        return decided
    if not np.isfinite(answer).all():
        where = first_true(~np.isfinite(answer))
        if explained := looked.explained():
            return Feedback(False, tuple(each.key[0] for each in explained), in_a_sentence(explained), where)
        why = looked.warned or WHY[bool(np.isnan(answer[where]))]
        message = f"{cell(name, where)} is {plain(answer[where])} in yours: {why}."
        return Feedback(False, ("not-finite", *(("pattern", why) if looked.warned else ())), message, where)
    where = first_true(~compared.right_cells)
    explained = looked.explained(others)
    if explained and explained[0].kind != "pattern":
        several = explained if explained[0].kind in ("mistake", "further-up") else explained[:1]
        causes = tuple(dict.fromkeys(cause for each in several for cause in each.key))
        return Feedback(False, causes, in_a_sentence(explained), where)
    if (decimals := compared.decimals) is not None:
        to = {0: "whole numbers", 1: "1 decimal"}.get(decimals, f"{decimals} decimals")
        rounded = f"These are the right numbers rounded to {to}."
        return Feedback(False, ("rounded",), f"{rounded} Hand in {name} itself, with all its digits.", where)
    if explained:
        seen = f"{_first_difference(compared, where)} " if right.ndim else ""
        return Feedback(False, ("pattern", *explained[0].key), f"{seen}{explained[0].sentence}", where)
    return Feedback(False, ("value",), _value_message(compared, where), where)


@np.errstate(all="ignore")
def _decided(compared: Comparison) -> Feedback | None:
    """What needs no cause: that an answer is right, or that nobody can tell. None if it is wrong."""
    if not compared.fits:
        return None
    if not np.isfinite(compared.right).all():
        return _diverged(compared)
    if not compared.is_right:
        return Feedback(*near) if (near := at_a_kink(compared)) else None
    if why := compared.why_untold:
        return Feedback(False, ("only-rounding",), why)
    return Feedback(True, (), f"{compared.name} is right.")


def _misshapen(looked: Explaining, others: Sequence[Explaining]) -> Feedback:
    """Both shapes, and what gives such a shape."""
    compared = looked.compared
    name, trace = compared.name, compared.trace
    message = shape_message(trace, name, compared.answer.shape)
    explained = looked.explained(others) if compared.answer.size else []
    if explained:
        message += f" {in_a_sentence(explained)}"
    if compared.has_right_numbers:
        message += " The numbers themselves are right."
    if explained and explained[0].kind == "pattern":
        return Feedback(False, ("shape", "pattern", *explained[0].key), message)
    return Feedback(False, ("shape", *(cause for each in explained for cause in each.key)), message)


def _diverged(compared: Comparison) -> Feedback:
    """What can be said where the trace itself holds inf or nan: whether the answer is the same, and where it began."""
    name, values = compared.name, compared.trace
    first = next(each for each in values if not np.isfinite(values[each]).all())
    kind = "nan" if np.isnan(values[first]).any() else "inf"
    began = f"{first} is the first value with {kind} in it."
    if compared.is_right:
        return Feedback(True, (), f"{name} is the same here, but not finite: {began}")
    message = (
        f"{name} is not finite here, and there is nothing to compare with: {began} Start again from other numbers, or "
        "with a smaller learning rate."
    )
    return Feedback(False, ("diverged",), message)


def _first_difference(compared: Comparison, where: tuple[int, ...]) -> str:
    """The first cell that differs; of one number only which way it is off, since it would be the whole answer."""
    mine, yours = told_apart(compared.right[where], compared.answer[where])
    if compared.right.ndim == 0:
        return f"Your {compared.name} is {yours}: too {'large' if compared.answer > compared.right else 'small'}."
    return f"{cell(compared.name, where)} should be {mine}, and yours is {yours}."


def _value_message(compared: Comparison, where: tuple[int, ...]) -> str:
    """The first cell that differs, how many there are, and what the cell is made of."""
    name, answer, right = compared.name, compared.answer, compared.right
    message = _first_difference(compared, where)
    if right.ndim == 0:
        return message
    if right.size > 1:
        message += f" {so_many_differ(int(np.sum(~compared.right_cells)), right.size).capitalize()}."
    off = float(np.max(np.abs(answer - right) / np.where(right == 0, 1e-300, np.abs(right))))
    if off < NEAR and compared.trace.role(name) != "new":  # after a small step every old parameter is near the new one
        return (
            f"{message} It is right to about {-round(np.log10(off))} digits, but off by more than rounding, "
            "as if it came from finite differences, was float32 on the way, or was copied by hand."
        )
    parts = "" if name in compared.trace.given else made_of(compared.trace, compared.line_of, where)
    return f"{message} {cell(name, where)} is made of {parts}." if parts else message


def _no_such_name(name: str, trace: Trace) -> str:
    near = get_close_matches(name.lower(), [known.lower() for known in trace.names], n=1)
    guess = next((f" Did you mean {known}?" for known in trace.names if [known.lower()] == near), "")
    return f"There is no {name!r} here.{guess} There are {', '.join(trace.names)}."
