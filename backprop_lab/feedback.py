"""Check an answer against a trace: is it right, and if it is not, which mistake gave it, and where?

`check("dW1", dW1, t)` looks at the shape first, then at the values, then for a mistake in `mistakes.py` that gives
exactly these values, alone or times a factor, then for a pattern (see `patterns.py`), and otherwise finds the first
cell that differs. It shows that one cell and no more of the answer. It raises nothing: whatever is handed in, even
under an unknown name, gets a sentence.

What is *within rounding* (see `rounding.py`): two people who add the same terms in another order, or in float32, get
numbers that differ by a few roundings of the terms, not of the sum: where large terms cancel, the sum is small and the
difference stays. So an answer may differ from the trace by
    1e-11 of the value itself         twelve digits were written down
    8 eps of all the terms            eps is 2.2e-16, or 1.2e-7 if the answer is float32
    1e-290, or 1e-30 if float32       smaller numbers underflow on the way
where "all the terms" of a cell is what it would be if nothing had cancelled on the way to it. A cell is also right if
it is what NumPy prints of the value, to eight decimals, as for numbers copied from the screen; and a float32 or float16
is right if it is the nearest to the value. Where rounding is as large as every number of the value, nobody can tell
right from wrong, and an answer within it is told so.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from html import escape
from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.answers import NoAnswerError, as_floats, cell, read
from backprop_lab.calling import call
from backprop_lab.layers import Array
from backprop_lab.lines import NAMESPACE
from backprop_lab.mistakes import MISTAKES, Mistake, plant
from backprop_lab.number_format import plain, told_apart
from backprop_lab.patterns import Pattern, common_factors, seen_in
from backprop_lab.rounding import FLOAT64, eps_of, terms_of
from backprop_lab.slips import Slip, one_slip_away
from backprop_lab.tracing import Trace

DIGITS = 1e-11
ROUNDINGS = 8
VANISHING = 1e-290, 1e-30  # what comes of smaller numbers than a float64 and a float32 can hold
NEAR = 1e-4  # so near to the right value is no coincidence
LARGE_VALUE = 10_000  # numbers in a value, beyond which nobody waits for some hundred lines
LARGE = 200_000  # numbers in a step, beyond which nobody waits for slips further up
FLOAT32 = float(np.finfo(np.float32).eps)
HEADINGS = {
    "blank": ("Your turn.", "info-color1, #0288d1"),
    "only-rounding": ("Too small to tell.", "info-color1, #0288d1"),
}


@dataclass(frozen=True, repr=False)
class Feedback:
    """What `check` found. It is true if the answer is right, reads as a sentence, and is a coloured box in a notebook.

    `cause` is empty for a right answer. Otherwise it names what is wrong: "shape", "raised", and the mistakes (by their
    `name` in `MISTAKES`) whose value the answer has, with the factor if there is one; "pattern" and which one; or one
    of "value", "rounded", "only-rounding", "not-finite", "diverged", "blank", "complex", "unreadable", "name",
    "in-place". `where` is the cell, as in (0, 2), if there is one to point at.
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
        heading, colour = "Not yet.", "error-color1, #d32f2f"
        if self.ok:
            heading, colour = "Right.", "success-color1, #388e3c"
        elif self.cause[:1]:
            heading, colour = HEADINGS.get(self.cause[0], (heading, colour))
        style = (
            f"max-width: 50em; padding: 0.5em 0.8em; border-left: 0.3em solid var(--jp-{colour}); "
            "background: var(--jp-layout-color2, rgba(127, 127, 127, 0.12)); "
            "color: var(--jp-content-font-color1, inherit); line-height: 1.5"
        )
        message = re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.message))
        return f'<div role="note" style="{style}"><b>{heading}</b> {message}</div>'


def check(
    name: str, answer: Any, trace: Trace, mistakes: Mapping[str, Mistake] = MISTAKES, digits: int | None = None
) -> Feedback:
    """Compare `answer` with `trace[name]`. See the top of this module for what counts as right.

    A wrong answer is compared with what each of `mistakes` gives; to look for your own too, pass
    `MISTAKES | {"mine": Mistake(...)}`. With `digits`, from 1 to 15, a number is right if it is the value rounded to so
    many significant digits, as for numbers that were copied from paper.

    The answer may be anything that NumPy reads as an array of numbers: an array of any precision, nested lists or
    tuples, a tensor, a table. Its shape must be that of the value; but one number is one number, however wrapped.
    Raises nothing. In pytest write `assert check("dW1", dW1, t)`; where nothing prints what was asserted, as in a
    notebook cell of nbgrader or otter, write `f = check("dW1", dW1, t)` and `assert f, f`.
    """
    if not isinstance(trace, Trace) or not isinstance(name, str):
        return _misused("check takes a name, your answer and a trace: check('dW1', dW1, t).")
    return _look(name, answer, trace, mistakes, digits).feedback()


def check_function(
    name: str,
    function: Any,
    traces: Sequence[Trace],
    mistakes: Mapping[str, Mistake] = MISTAKES,
    digits: int | None = None,
) -> Feedback:
    """Whether a function gives `name` in every one of `traces`, such as `lambda X, dY1: X.mT @ dY1` for dW1.

    Its arguments are names of values that are known before `name`; it gets copies, so it can spoil nothing. What it
    raises comes back as a sentence. If it is wrong, only what all the traces bear out is said of it. Give traces of
    different sizes: then a factor of 1/2 is told from one of 1/N. `mistakes` and `digits` are as for `check`.
    Raises nothing itself.
    """
    if not isinstance(name, str):
        kind = type(name).__name__
        article = "an" if kind[0] in "aeiou" else "a"
        return _misused(f"Name the exercise first, as text, then your function; the name is {article} {kind}.")
    if not isinstance(traces, Sequence) or not traces or not all(isinstance(trace, Trace) for trace in traces):
        return _misused(f"There is nothing to try {name} on: give at least one trace, in a list.")
    looks = [_tried(name, function, trace, mistakes, digits) for trace in traces]
    wrong = [at for at, look in enumerate(looks) if not look.feedback()]
    if not wrong:
        return looks[-1].feedback()
    feedback = looks[wrong[0]].feedback([look for at, look in enumerate(looks) if at != wrong[0]])
    if wrong[0] == 0 or feedback.cause == ("blank",):
        return feedback
    shapes = ", ".join(f"{known} {np.shape(traces[wrong[0]][known])}" for known in ("X", "y"))
    message = f"Right for the first problem, but not for another one, with {shapes}. {feedback.message}"
    return replace(feedback, message=message)


def _misused(message: str) -> Feedback:
    return Feedback(False, ("name",), message)


def _tried(
    name: str, function: Any, trace: Trace, mistakes: Mapping[str, Mistake], digits: int | None
) -> "_Told | _Look":
    """What a function gives for one trace, or an array in its place."""
    if name not in trace or not callable(function):
        return _look(name, function, trace, mistakes, digits)
    try:
        answer, warned = call(name, function, trace, mistakes)
    except NoAnswerError as nothing:
        told = _Told.of(nothing).said
        otherwise = _look(name, nothing.otherwise, trace, mistakes, digits).feedback()
        if {*otherwise.cause} & {*mistakes}:
            told = replace(told, cause=told.cause + otherwise.cause, message=f"{told} {otherwise}")
        return _Told(told)
    asked = set(signature(function).parameters)
    own_way = name not in trace.given and bool(asked & set(trace.names) - {*trace.step(name).operands})
    return replace(_look(name, answer, trace, mistakes, digits), inputs_are_right=not own_way, warned=warned)


# Looking at an answer


@dataclass(frozen=True)
class _Told:
    """An answer of which there is one thing to say, whatever other problems show."""

    said: Feedback
    inputs_are_right: bool = True
    warned: str = ""

    @classmethod
    def of(cls, nothing: NoAnswerError) -> "_Told":
        return cls(Feedback(False, nothing.cause, nothing.message, nothing.where))

    def feedback(self, others: Sequence["_Told | _Look"] = ()) -> Feedback:
        return self.said

    def bears_out(self, explanation: "_Explanation") -> bool:
        return True


class _Explanation(NamedTuple):
    """One way to explain a wrong answer. `key` is the same for every problem; `line` gives the answer, if any does."""

    kind: str
    key: tuple[str, ...]
    sentence: str
    line: str = ""


def _look(name: str, answer: Any, trace: Trace, mistakes: Mapping[str, Mistake], digits: int | None) -> "_Told | _Look":
    """An answer beside the trace; or what to say where there is nothing to compare."""
    if name not in trace:
        return _Told(_misused(_no_such_name(name, trace)))
    if digits is not None and not (isinstance(digits, int) and 1 <= digits <= 15):
        return _Told(_misused(f"digits is how many significant digits were copied, from 1 to 15; got {digits!r}."))
    right = np.asarray(trace[name])
    with np.errstate(all="ignore"):  # huge numbers may overflow on the way
        try:
            array = read(name, answer)
            if array.size > 100 * (right.size + 1):  # too many to look at each
                return _Told(Feedback(False, ("shape",), _shape_message(name, array.shape, right.shape)))
            eps = max(FLOAT64, eps_of(array), eps_of(right))
            numbers = as_floats(name, array, type(answer).__name__)
        except NoAnswerError as nothing:
            return _Told.of(nothing)
        right = as_floats(name, right)
        if np.iscomplexobj(numbers) and not np.iscomplexobj(right):
            if np.any(numbers.imag):
                return _Told(
                    Feedback(False, ("complex",), f"Your {name} has complex numbers in it, but {name} is real.")
                )
            numbers = numbers.real
        if right.ndim == 0 and numbers.size == 1:
            numbers = numbers.reshape(())
        nearest = right.astype(array.dtype) if array.dtype.kind == "f" else right
        return _Look(name, trace, numbers, right, as_floats(name, nearest), eps, mistakes, digits)


@dataclass(frozen=True, eq=False)
class _Look:
    """An answer beside the right value, both as float64 or complex128; `nearest` is that value as the answer's type."""

    name: str
    trace: Trace
    answer: Array
    right: Array
    nearest: Array
    eps: float
    mistakes: Mapping[str, Mistake]
    digits: int | None
    inputs_are_right: bool = False
    warned: str = ""

    @cached_property
    def terms(self) -> Array:
        terms = as_floats(self.name, self.trace.terms[self.name].terms).real
        return np.where(np.isfinite(terms), terms, np.abs(self.right))

    def feedback(self, others: Sequence["_Told | _Look"] = ()) -> Feedback:
        """What to say of it, if the same answer was given for `others`: shape, then values, then why, then where."""
        with np.errstate(all="ignore"):
            return self._feedback(others)

    def _feedback(self, others: Sequence["_Told | _Look"]) -> Feedback:
        name, answer, right = self.name, self.answer, self.right
        if answer.shape != right.shape:
            return self._misshapen(others)
        if not np.isfinite(right).all():
            return _compare_diverged(name, answer, right)
        if not np.isfinite(answer).all():
            where = _first(~np.isfinite(answer))
            why = self.warned or _WHY[bool(np.isnan(answer[where]))]
            message = f"{cell(name, where)} is {plain(answer[where])} in yours: {why}."
            return Feedback(False, ("not-finite", *(("pattern", why) if self.warned else ())), message, where)
        agrees = self._right_cells
        if agrees.all():
            return self._too_small() or Feedback(True, (), f"{name} is right.")
        where = _first(~agrees)
        explained = self._explained(others)
        if explained and explained[0].kind != "pattern":
            several = explained if explained[0].kind in ("mistake", "further-up") else explained[:1]
            causes = tuple(dict.fromkeys(cause for each in several for cause in each.key))
            return Feedback(False, causes, _in_one(explained), where)
        if (decimals := _decimals(answer, right)) is not None:
            rounded = f"These are the right numbers rounded to {decimals} decimals."
            message = f"{rounded} Hand in {name} itself, with all its digits."
            return Feedback(False, ("rounded",), message, where)
        if explained:
            message = explained[0].sentence
            if right.ndim:
                message = f"{_first_message(name, answer, right, where)} {message}"
            return Feedback(False, ("pattern", *explained[0].key), message, where)
        return Feedback(False, ("value",), self._value_message(agrees, where), where)

    @cached_property
    def _right_cells(self) -> Array:
        right: Array = self._agrees(self.answer, self.right, self.terms) | (self.answer == self.nearest)
        return right

    @property
    def _is_right_answer(self) -> bool:
        return self.answer.shape == self.right.shape and bool(self._right_cells.all())

    def _misshapen(self, others: Sequence["_Told | _Look"]) -> Feedback:
        message = _shape_message(self.name, self.answer.shape, self.right.shape)
        explained = self._explained(others) if self.answer.size else []
        causes = (
            "shape",
            *(cause for each in explained for cause in each.key if each.kind != "pattern"),
        )
        if explained:
            message += f" {_in_one(explained)}"
        same_size = self.answer.size == self.right.size
        if same_size and self._agrees(self.answer.ravel(), self.right.ravel(), self.terms.ravel()).all():
            message += " The numbers themselves are right."
        elif explained and explained[0].kind == "pattern":
            causes = ("shape", "pattern", *explained[0].key)
        return Feedback(False, causes, message)

    def _too_small(self) -> Feedback | None:
        """What to say where rounding is as large as the right value, so that an answer within it tells nothing."""
        floor = ROUNDINGS * self.eps * self.terms
        floor += VANISHING[self.eps >= FLOAT32] * (self.right != 0)
        if eps_of(np.asarray(self.trace[self.name])) == 0 or not floor.any() or (np.abs(self.right) > floor).any():
            return None
        message = (
            f"{self.name} is rounding alone here: it is what is left where larger numbers cancel, and no larger than "
            "their last digits. So nobody can tell a right answer from a wrong one. Start from an earlier iteration."
        )
        return Feedback(False, ("only-rounding",), message)

    # What is near enough

    def _agrees(self, answer: Array, value: Array, terms: Array) -> Array:
        """Which cells of `answer` are those of `value` within the rounding of all terms of a cell."""
        near: Array = np.abs(answer - value) <= self._allowed(value, terms)
        if not near.all():
            near = near | _as_printed(answer, value, ~near)
        return near

    def _allowed(self, value: Array, terms: Array) -> Array:
        """By how much each cell may be off."""
        size, terms = np.abs(value), np.where(np.isfinite(terms), terms, np.abs(value))
        allowed: Array = max(DIGITS, self.eps) * size + ROUNDINGS * min(self.eps, self._computed_in) * terms
        if self.digits:
            unit = 10.0 ** (np.floor(np.log10(np.where(size > 0, size, 1))) - self.digits + 1)
            allowed = allowed + (0.5 + 1e-9) * unit * (size > 0)
        return allowed + VANISHING[self.eps >= FLOAT32]

    @property
    def _computed_in(self) -> float:
        """The coarsest numbers that an answer is taken to be computed in; in a float16 it is only kept."""
        return max(FLOAT32, eps_of(np.asarray(self.trace[self.name])))

    def _gives(self, wrong: Any, terms: Any, answer: Array) -> bool:
        """Whether a mistake's value is this answer (or the right value, in which case it is no mistake)."""
        wrong = as_floats(self.name, np.asarray(wrong))
        if wrong.shape != answer.shape:
            return False
        return bool(self._agrees(answer, wrong, np.abs(wrong) + as_floats(self.name, np.asarray(terms)).real).all())

    # Why it is wrong

    def _explained(self, others: Sequence["_Told | _Look"]) -> list[_Explanation]:
        """The explanations of the first kind that has some: those that all the others bear out as well."""
        kinds = (self._mistakes, self._factors, self._further_up, self._slips, self._two, self._patterns)
        for explanations in kinds:
            borne_out = [each for each in explanations() if all(other.bears_out(each) for other in others)]
            if borne_out:
                return borne_out
        return [each for each in self._patterns() if each.key[0] in ("zeros", "constant", "mask")]

    @cached_property
    def _seen(self) -> list[Pattern]:
        allowed = self._allowed(self.right, self.terms)
        return list(seen_in(self.name, self.answer, self.right, allowed, self.trace))

    def _factors(self) -> list[_Explanation]:
        """The right value times a common factor."""
        common = common_factors(self.trace)
        return [_Explanation("pattern", (key,), sentence) for key, sentence in self._seen if key in common]

    def _patterns(self) -> list[_Explanation]:
        return [_Explanation("pattern", (key,), sentence) for key, sentence in self._seen]

    @property
    def _is_telling(self) -> bool:
        """Whether no other line gives such numbers by chance, as may happen with whole ones."""
        return all(np.any(numbers != np.round(numbers.real)) for numbers in (self.right, self.answer))

    def _mistakes(self) -> list[_Explanation]:
        shapes = [self.answer]
        if self.answer.shape != self.right.shape and self.answer.ndim == 1:
            shapes += [self.answer[None], self.answer[:, None]]
        for shaped in shapes:
            found = [(m, line) for m in self.mistakes.values() if (line := self._line_that_gives(m, shaped))]
            if found:
                return [
                    _Explanation("mistake", (m.name,), m.resemblance(self.trace, self.name, line), line)
                    for m, line in found
                ]
        return []

    def _line_that_gives(self, mistake: Mistake, answer: Array) -> str | None:
        """The line of a mistake whose value this answer is."""
        return next((line for line, wrong in self._wrong(mistake) if self._is_it(line, wrong, answer)), None)

    def _wrong(self, mistake: Mistake) -> Iterator[tuple[str, Any]]:
        """Each line of a mistake that runs here, with its value."""
        for line in mistake.wrong_lines(self.trace, self.name):
            try:
                yield line, np.asarray(self.trace.evaluate(line))
            except (TypeError, ValueError):
                continue

    def _is_it(self, line: str, wrong: Any, answer: Array, factor: float = 1.0) -> bool:
        """Whether a wrong line, times a factor, gives an answer, within the rounding of its own terms."""
        scaled = wrong if factor == 1 else self._base + factor * (wrong - self._base)
        if np.shape(scaled) != answer.shape or not self._is_near(scaled, answer):
            return False
        terms = terms_of(line, self.trace.terms)
        if answer.shape == self.right.shape:
            terms = terms + self.trace.terms[self.name].terms
        no_harm = self._is_right(wrong) or (factor != 1 and self._is_right(scaled))
        return self._gives(scaled, (1 + abs(factor)) / 2 * terms, answer) and not no_harm

    def _is_right(self, wrong: Any) -> bool:
        """Whether a mistake happens to do no harm here."""
        return replace(self, eps=FLOAT64)._gives(wrong, self.trace.terms[self.name].terms, self.right)

    def _is_near(self, wrong: Any, answer: Array) -> bool:
        """Whether it is worth a closer look: at most a thousandth off, or not finite."""
        off, size = np.max(np.abs(wrong - answer), initial=0.0), np.max(np.abs(answer), initial=0.0)
        return not off > max(1e-3, self.eps, 10.0 ** -(self.digits or 9)) * size

    @property
    def _base(self) -> Any:
        """What a factor leaves alone: the old value of a parameter, since it is the step that is too long or short."""
        old = self.name.removesuffix("_new")
        return self.trace[old] if old != self.name and old in self.trace.given else 0.0

    @cached_property
    def _near_lines(self) -> list[tuple[Slip, Any]]:
        """Every line that is one slip away from the right one and runs here, with its value."""
        if self.right.size > LARGE_VALUE or self.name in self.trace.given:
            return []
        found, scope = [], {**NAMESPACE, **self.trace}
        for slip in one_slip_away(self.trace, self.name):
            with suppress(Exception):  # most of them do not run
                value = np.asarray(eval(slip.code, scope))
                if np.shape(value) == self.answer.shape:
                    found.append((slip, value))
        return found

    def _slips(self, **factors: float) -> list[_Explanation]:
        """Those of them that give this answer, or do so times one of the factors."""
        found = []
        for slip, wrong in self._near_lines if self._is_telling else ():
            for times, factor in (factors or {"": 1.0}).items():
                if self._is_it(slip.line, wrong, self.answer, factor):
                    also = f"; and {self._all} {times}" if times else ""
                    key = ("slip", slip.line, times) if times else ("slip", slip.line)
                    kind = "two" if times else "slip"
                    found.append(_Explanation(kind, key, f"`{slip.line}`: {slip.words}{also}", slip.line))
        return found

    @property
    def _all(self) -> str:
        return "the step" if self.name.endswith("_new") else "all of it"

    def _two(self) -> list[_Explanation]:
        """Every mistake that times a factor gives this answer, or else the slips that do."""
        found = []
        factors = {times: factor for times, factor in common_factors(self.trace).items() if factor != 1}
        for mistake in self.mistakes.values() if self._is_telling else ():
            for line, wrong in self._wrong(mistake):
                for times, factor in factors.items():
                    if self._is_it(line, wrong, self.answer, factor):
                        sentence = f"{mistake.resemblance(self.trace, self.name, line)}; and {self._all} {times}"
                        found.append(_Explanation("two", (mistake.name, times), sentence, line))
        return found or self._slips(**factors)

    def bears_out(self, explanation: _Explanation) -> bool:
        """Whether the same function's answer to this problem, right or wrong, agrees with an explanation of another."""
        kind, key = explanation.kind, explanation.key
        with np.errstate(all="ignore"):
            if kind == "pattern":
                return self._is_right_answer or any(pattern.key == key[0] for pattern in self._seen)
            if kind == "further-up":
                return any(each.key == key for each in self._further_up())
            lines: tuple[str, ...] = (explanation.line,)
            if key[0] in self.mistakes:
                lines = self.mistakes[key[0]].wrong_lines(self.trace, self.name)
            factor = common_factors(self.trace)[key[-1]] if kind == "two" else 1.0
            return any(self._could_be(line, factor) for line in lines)

    def _could_be(self, line: str, factor: float) -> bool:
        try:
            wrong = self.trace.evaluate(line)
        except Exception:  # it does not run here, and this answer did
            return False
        scaled = wrong if factor == 1 else self._base + factor * (wrong - self._base)
        answer = self.answer
        if answer.ndim == 1 and np.size(scaled) == answer.size:
            answer = answer.reshape(np.shape(scaled))
        terms = terms_of(line, self.trace.terms) * (1 + abs(factor))
        if answer.shape == self.right.shape:
            terms = terms + self.trace.terms[self.name].terms
        return self._gives(scaled, terms, answer)

    def _further_up(self) -> list[_Explanation]:
        """Every mistake in a step before this one from which this answer follows, if all steps between are right."""
        steps = self.trace.steps
        names = [step.name for step in steps]
        in_vain = self.inputs_are_right or self.answer.shape != self.right.shape or not self._is_telling
        if in_vain or self.name not in names or sum(np.size(step.value) for step in steps) > LARGE:
            return []
        before, terms = names[: names.index(self.name)], self.trace.terms[self.name].terms
        found = []
        for mistake in self.mistakes.values():
            for place in mistake.possible_at(self.trace):
                if place in before:
                    wrong = plant(self.trace, mistake, place)[self.name]
                    if self._gives(wrong, terms, self.answer) and not self._is_right(wrong):
                        sentence = f"{place} looks like {mistake.resemblance(self.trace, place)}"
                        found.append(_Explanation("further-up", (mistake.name,), sentence))
        return found

    # What is said

    def _value_message(self, agrees: Array, where: tuple[int, ...]) -> str:
        """The first cell that differs, how many there are, and what the cell is made of."""
        name, answer, right = self.name, self.answer, self.right
        message = _first_message(name, answer, right, where)
        if right.ndim == 0:
            return message
        if right.size > 1:
            wrong = int(np.count_nonzero(~agrees))
            message += f" {wrong} of the {right.size} numbers {'differs' if wrong == 1 else 'differ'}."
        off = float(np.max(np.abs(answer - right) / np.where(right == 0, 1e-300, np.abs(right))))
        if off < NEAR and not name.endswith("_new"):  # after a small step every old parameter is near the new one
            return (
                f"{message} It is right to about {-round(np.log10(off))} digits, and off by more than rounding: "
                "a gradient by finite differences is like that, or one of numbers copied by hand."
            )
        made_of = "" if name in self.trace.given else _made_of(self.trace, name, where)
        return f"{message} {cell(name, where)} is made of {made_of}." if made_of else message


def _in_one(explained: list[_Explanation]) -> str:
    """Explanations of one kind in a sentence: all of them where several mistakes give the same, otherwise the first."""
    first = explained[0]
    said = dict.fromkeys(each.sentence for each in explained)
    if first.kind == "further-up":
        return f"It would follow from a slip further up: {'; or '.join(said)}."
    if first.kind == "mistake":
        return f"This looks like {'; or like '.join(said)}."
    start = {"slip": "This looks like ", "two": "This looks like two mistakes: ", "pattern": ""}[first.kind]
    return f"{start}{first.sentence}{'' if first.kind == 'pattern' else '.'}"


def _compare_diverged(name: str, answer: Array, right: Array) -> Feedback:
    """What can be said where the trace itself holds inf or nan: that the answer is the same, or nothing."""
    if np.isclose(answer, right, equal_nan=True).all():
        return Feedback(True, (), f"{name} is the same here, but no longer finite: the training has diverged.")
    message = (
        f"{name} is no longer finite here: the training has diverged, and there is nothing to compare with. "
        "Start again with a smaller learning rate."
    )
    return Feedback(False, ("diverged",), message)


_WHY = (
    "look for a division by 0, or a number that grew too large",
    "look for 0 divided by 0, or a logarithm or a root of a number below 0",
)


def _as_printed(answer: Array, value: Array, at: Array) -> Array:
    """Which cells `at` are what NumPy prints: eight decimals, or eight and a power of ten if all are small."""
    if np.iscomplexobj(value) or not np.isfinite(value).all():
        return np.zeros(np.shape(value), dtype=bool)
    formats = (".8f", ".8e") if np.max(np.abs(value)) >= 1e-4 else (".8e",)
    same: Array = np.asarray(
        at & (np.abs(answer - value) <= 1e-8 * np.maximum(1, np.abs(value)))
    )  # no other need be printed
    printed = [[float(f"{number:{f}}") for number in np.asarray(value)[same]] for f in formats]
    same[same] = np.any([np.asarray(answer)[same] == numbers for numbers in printed], axis=0)
    return same


def _decimals(answer: Array, value: Array) -> int | None:
    """To how many decimals `answer` is `value` rounded, if it is, and if that can be no coincidence."""
    for decimals in range(8):
        unit = 10.0**-decimals
        rounded = np.abs(answer - np.round(answer, decimals)) <= 1e-7 * np.minimum(unit, np.abs(answer))
        near = np.abs(answer - value) <= 0.5000001 * unit
        if rounded.all() and near.all() and np.max(np.abs(value)) >= 100 * unit:
            return decimals
    return None


def _shape_message(name: str, yours: tuple[int, ...], right: tuple[int, ...]) -> str:
    """Both shapes, and whose shape a gradient or a new parameter takes."""
    if 0 in yours:
        return f"Your {name} is empty."
    has = f"has shape {yours}" if yours else "is one number"
    if right == ():
        return f"Your {name} {has}; it should be one number."
    owner = name.removesuffix("_new") if name.endswith("_new") else name.removeprefix("d")
    return f"Your {name} {has}; it should have shape {right}{f', like {owner}' if owner != name else ''}."


def _first_message(name: str, answer: Array, right: Array, where: tuple[int, ...]) -> str:
    """The first cell that differs; of one number only which way it is off, since it would be the whole answer."""
    mine, yours = told_apart(right[where], answer[where])
    if right.ndim == 0:
        return f"Your {name} is {yours}: too {'large' if answer > right else 'small'}."
    return f"{cell(name, where)} should be {mine}, and yours is {yours}."


def _made_of(trace: Trace, name: str, where: tuple[int, ...]) -> str:
    """The rows, columns or cells of its operands that a cell is computed from, found by changing all the others."""
    step, rng = trace.step(name), np.random.default_rng(0)
    values = {name: trace[name] for name in step.operands}
    if len(where) != 2 or sum(map(np.size, values.values())) > 10_000:
        return ""
    any_numbers = {
        each: rng.uniform(0.5, 1.5, np.shape(value)) if np.ndim(value) else value for each, value in values.items()
    }
    i, j = where
    parts = []
    for operand, value in values.items():
        part = operand
        for place, said in _parts_of(operand, np.shape(value), i, j):
            changed = rng.uniform(-1.5, 1.5, np.shape(value))
            changed[place] = any_numbers[operand][place]
            try:
                one, other = (
                    trace.evaluate(step.code, **any_numbers | {operand: x}) for x in (any_numbers[operand], changed)
                )
            except Exception:  # a line of one's own may refuse such numbers
                return ""
            if one[where] == other[where] or np.isclose(one[where], other[where], 1e-12):
                part = said
                break
        parts.append(part)
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


def _parts_of(operand: str, shape: tuple[int, ...], i: int, j: int) -> Iterator[tuple[Any, str]]:
    """The cells, rows and columns of an operand that a cell (i, j) may come from, the smallest first."""
    if len(shape) != 2:
        return
    rows, columns = shape
    for row, column in dict.fromkeys([(i, j), (0, j), (i, 0), (j, i)]):
        if row < rows and column < columns:
            yield (row, column), f"{operand}[{row}, {column}]"
    for at in dict.fromkeys([i, j]):
        if at < rows:
            yield at, f"row {at} of {operand}"
        if at < columns:
            yield (slice(None), at), f"column {at} of {operand}"


def _first(wrong: Array) -> tuple[int, ...]:
    """The index of the first True, row by row."""
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _no_such_name(name: str, trace: Trace) -> str:
    near = get_close_matches(name.lower(), [known.lower() for known in trace.names], n=1)
    guess = next((f" Did you mean {known}?" for known in trace.names if [known.lower()] == near), "")
    return f"There is no {name!r} here.{guess} There is {', '.join(trace.names)}."
