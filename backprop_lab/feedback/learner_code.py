"""Call a learner's function on copies of the values it asks for, and put into words what it stops with."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext, redirect_stdout, suppress
from difflib import get_close_matches
from inspect import Parameter, signature
from io import StringIO
from types import FunctionType
from typing import Any

import numpy as np

from backprop_lab.feedback.answers import NoAnswerError, UnreadableError, reason
from backprop_lab.feedback.function_code import code_of, has_its_signs, has_typed_numbers, reads_as, shows
from backprop_lab.feedback.mistakes import Mistake
from backprop_lab.feedback.plain_words import another_name, in_plain_words, met, misfit
from backprop_lab.feedback.slips import is_shown, known_for, likely_slips, longer_slips
from backprop_lab.nn.arrays import FLOATS
from backprop_lab.nn.lines import Array, compiled
from backprop_lab.nn.steps import Lines
from backprop_lab.step.trace import Trace

JUMP = 0.1  # relative to the largest number: an answer that moves so far when the targets hardly do is no smooth one
STOPS = (Exception, SystemExit, GeneratorExit)  # what a function may stop with that is no wish to interrupt it


def call(
    name: str, function: Callable[..., Any], trace: Trace, mistakes: Mapping[str, Mistake], prints: bool = False
) -> tuple[Any, str]:
    """What a learner's function returns for this trace, and what NumPy warned of on the way, in words.

    It is called on several traces: what it prints is seen where it `prints`, and not again. Raises NoAnswerError, which
    says why, if it cannot be called, stops with an error, returns nothing, or writes into what it was given.
    """
    asked = _Call(name, function, trace)
    try:
        hushed = nullcontext() if prints else redirect_stdout(StringIO())
        with warnings.catch_warnings(record=True, action="always") as warned, np.errstate(all="warn"), hushed:
            answer, copies = asked.run(function)
    except STOPS as error:  # whatever it is, it is the learner's to see
        raise asked.stopped(error, mistakes) from None
    for argument, value in asked.given.items():
        if not np.array_equal(copies[argument], value, equal_nan=np.asarray(value).dtype.kind in FLOATS):
            message = (
                f"Your {name} changes {argument}, which it was given. `-=`, `+=`, `out=` and an index before `=` do "
                "that; write a line that makes a new array."
            )
            raise NoAnswerError(("in-place",), message)
    if answer is function:
        raise UnreadableError(
            f"Your {name} returns {name}, which here is the function itself. "
            "Write the line of NumPy after `return`, or give its result a name first."
        )
    if answer is None:
        raise NoAnswerError(("blank",), f"Your {name} returns nothing yet: write `return` in front of your answer.")
    warnings_met = dict.fromkeys(words for each in warned if (words := met(str(each.message))))
    return answer, ", and ".join(warnings_met)  # of several, nobody knows which one it was


def called_elsewhere(name: str, function: Any, trace: Trace, here: Array) -> tuple[Trace, Array] | None:
    """The step with targets a little off 0 and 1, and what a function gives there, which `here` has given this.

    None if that tells nothing: other data, no function, or one that asks which target is 1, as `argmax` does, and so
    stays as it is, or jumps.
    """
    y = np.asarray(trace.problem.data.get("y", 2))
    if function is None or not np.isin(y, (0, 1)).all():
        return None
    with suppress(Exception):  # a line of your own, or the function, may refuse such numbers
        moved = Trace(trace.problem, {**trace.given, "y": 0.01 + 0.98 * y}, Lines(trace.steps))
        there = np.asarray(call(name, function, moved, {})[0])
        asked = [each for each in signature(function).parameters if each in moved]
        by, is_asked = np.max(np.abs(there - here)), any(np.any(moved[each] != trace[each]) for each in asked)
        if by < JUMP * np.max(np.abs(here)) and (by or not is_asked):  # pragma: no mutate  or so
            return moved, there
    return None


class _Call:
    """A learner's function for `name`, with the values that it asks for: `given`, by name."""

    def __init__(self, name: str, function: Callable[..., Any], trace: Trace) -> None:
        """Raises NoAnswerError if it cannot be called, or asks for what is not known without `name`."""
        self.name, self.function, self.trace = name, function, trace
        known = {each: trace[each] for each in known_for(trace, name)}
        self.given: dict[str, Any] = {}
        self._first: list[str] = []  # those that have no name in its call
        try:
            parameters = signature(function).parameters.values()
        except (TypeError, ValueError):
            raise UnreadableError(f"Write your own function for {name}, with def.") from None
        for parameter in parameters:
            if parameter.kind is Parameter.VAR_KEYWORD:
                self.given |= {each: value for each, value in known.items() if each not in self.given}
            elif parameter.name in known:
                self.given[parameter.name] = known[parameter.name]
                self._first += [parameter.name] * (parameter.kind is Parameter.POSITIONAL_ONLY)
            elif parameter.default is parameter.empty:
                asked = f"Your {name} asks for {parameter.name!r}, which is not known yet."
                near = f" {meant}" if (meant := _known_as(parameter.name, known)) else ""
                raise NoAnswerError(("name",), f"{asked}{near} Before {name} you have {', '.join(known) or 'nothing'}.")

    def run(self, function: Callable[..., Any]) -> tuple[Any, dict[str, Any]]:
        """What it returns for copies of these values, and the copies. Raises what it raises."""
        copies = {each: x.copy() if isinstance(x, np.ndarray) else x for each, x in self.given.items()}
        by_name = {each: x for each, x in copies.items() if each not in self._first}
        return function(*(copies[each] for each in self._first), **by_name), copies

    def stopped(self, error: BaseException, mistakes: Mapping[str, Mistake]) -> NoAnswerError:
        """What to say of an error: what it says, what it was given, and a known line that NumPy refuses too."""
        shapes = ", ".join(f"{argument} {np.shape(value)}" for argument, value in self.given.items()) or "nothing"
        words, key = in_plain_words(error, has_typed_numbers(self.function))
        message = f"Your {self.name} stopped with {type(error).__name__}: {words}. It was given {shapes}."
        typed = code_of(self.function).co_names
        if elsewhere := {word: self.trace[word] for word in typed if word in self.trace and word not in self.given}:
            message += f" It uses {' and '.join(elsewhere)}, which it was not given."
            return NoAnswerError(("raised",), message, otherwise=self._with(elsewhere))
        if near := another_name(error):
            message, key = f"{message} Did you mean {near}?", "another name"
        if isinstance(error, NameError) and (meant := self._meant(str(error.name))):
            message += f" {meant}"
            key = key or "another name"
        alike = sorted(self._refused_alike(error, mistakes), key=lambda each: not reads_as(self.function, each[1]))
        for cause, line, what in alike:
            return NoAnswerError(("raised", *cause), f"{message} Did you write `{line}` ({what})?")
        return NoAnswerError(("raised", "pattern", key) if key else ("raised",), message)

    def _with(self, more: Mapping[str, Any]) -> Any:
        """What it gives where names that it does not ask for have values all the same; None if it fails again."""
        if not isinstance(made := self.function, FunctionType):
            return None
        scope = {**made.__globals__, **more}
        again = FunctionType(made.__code__, scope, argdefs=made.__defaults__, closure=made.__closure__)
        try:
            return self.run(again)[0]
        except STOPS:  # it has been told what stopped it
            return None

    def _meant(self, missing: str) -> str:
        """What a name that is not there may have been meant for."""
        if hasattr(np, missing):
            return f"It is one of NumPy's: write np.{missing}."
        if missing in ("relu", "sigmoid", "softmax"):
            return f"NumPy has no {missing}: write out what it does."
        if missing.startswith("axis"):
            return "An axis is given as in axis=0."
        used = () if self.name in self.trace.given else self.trace.step(self.name).operands
        names = sorted(self.trace.names, key=lambda known: known not in used)
        return _known_as(missing, names)

    def _refused_alike(
        self, error: BaseException, mistakes: Mapping[str, Mistake]
    ) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """Lines of the same names and signs that NumPy refuses in the same words, and what is wrong: mistakes first.

        A mistake may use more of them, if the right line does: a function may lack some of it, but no sum and the like.
        """
        if not isinstance(error, ValueError | TypeError) or self.name in self.trace.given:
            return
        used, right = set(self.given), self.trace.step(self.name).code
        there = {*code_of(self.function).co_names, *self.trace, "np", "T", "mT", "shape"}
        for mistake in mistakes.values():
            for line in mistake.wrong_lines(self.trace, self.name):
                may_be = used <= self._names_in(line) and there.issuperset(compiled(line).co_names)
                if may_be and has_its_signs(self.function, line, right) and self._refusal(line) == _reason(error):
                    yield (mistake.name,), line, mistake.title_inside
        asked = self.trace, self.name, self.function
        longer = (slip for slip in longer_slips(*asked) if shows(self.function, slip.line))
        for slip in (*longer, *likely_slips(*asked)):
            may_be = used == self._names_in(slip.line) and there.issuperset(compiled(slip.line).co_names)
            if (
                may_be
                and has_its_signs(self.function, slip.line)
                and self._refusal(slip.line) == _reason(error)
                and is_shown(self.function, slip)
            ):
                yield ("slip", slip.line), slip.line, slip.words

    def _names_in(self, line: str) -> set[str]:
        return set(re.findall(r"\w+", line)) & set(self.trace.names)

    def _refusal(self, line: str) -> Any:
        """What NumPy says of a line that it refuses; None of any other."""
        try:
            self.trace.evaluate(line)
        except (TypeError, ValueError) as refusal:
            return _reason(refusal)
        except Exception:  # it fails in some other way
            return None
        return None


def _known_as(missing: str, names: Iterable[str]) -> str:
    """Which of some names a learner's own name may stand for, the likeliest first; "" if none."""
    if missing == "learning_rate":
        return "The learning rate is called lr."
    near = get_close_matches(missing.lower(), [name.lower() for name in names], cutoff=0.5)
    alike = [name for name in names if name.lower() in near]
    return next((f"Did you mean {name}?" for name in sorted(alike, key=lambda it: it.lower() != missing.lower())), "")


def _reason(error: BaseException) -> Any:
    """What an error says; of a product the sizes, since `@` and np.dot have other words for them."""
    words = reason(error)
    return misfit(words) or words
