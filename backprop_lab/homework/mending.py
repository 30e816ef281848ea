"""One change in a learner's own code after which their gradients are right.

What a wrong gradient looks like says little where a mask is missing two lines further up. But the code that made it can
be read: so the lines that it comes from are tried with one change each, a slip taken back, another name, a factor or a
term more. What is told has been seen: with that change wrong gradients are right, here and at other parameters, those
that were right still are, and the loss stays as it is. The learner's functions and arrays are as they were when this
ends.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cached_property, partial
from inspect import getsourcefile
from itertools import dropwhile
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.checks.proof import AGREES
from backprop_lab.homework.attempts import FACTORS, KINDS
from backprop_lab.homework.code import Code
from backprop_lab.homework.loss import LIBRARIES, OwnLoss
from backprop_lab.homework.slopes import DIRECTIONS, Slopes, ways
from backprop_lab.step.number_format import listed

MOST_CHANGES, MOST_SECONDS = 3_000, 20.0  # that are tried, twice, and for how long the processor may be busy with it
LARGEST = 5_000  # numbers in an array, of which a changed line may make the square
LARGEST_DENOMINATOR, EXACT = 100, 2e-8  # of a fraction that is found: others are as near to some fraction by chance


class Change(NamedTuple):
    """One change: the `text` that is new, how it stands to a line of a function, and the parameters it makes right."""

    text: str
    how: str
    line: int
    function: str
    mends: frozenset[str]

    def __str__(self) -> str:
        names, are = listed(sorted(self.mends)), "are" if len(self.mends) > 1 else "is"
        return f"With `{self.text}` {self.how} line {self.line}, in `{self.function}`, {names} {are} right"


class Mending:
    """The search for changes that make what is `wrong` right and leave what is `right`; `changes` has those found."""

    def __init__(self, own: OwnLoss, found: Mapping[str, Slopes], right: Set[str], wrong: Set[str]) -> None:
        self.own, self.right, self.wrong = own, frozenset(right), frozenset(wrong)
        self.here = Measured(own, found)
        self.first, self.tried, self.start = self.here.gradients() or {}, 0, time.process_time()
        self.found: dict[frozenset[str], Change] = {}
        self.is_searched = False
        own.expected = own.calls + 2 * MOST_CHANGES * (1 + callable(own.gradients))
        reached = [*own.functions()]
        held = [*{id(each): each for _, known in reached for each in _held_by(list(known.values()))}.values()]
        if all(each.size <= LARGEST for each in held if isinstance(each, np.ndarray)):
            with _kept(held), warnings.catch_warnings(action="ignore"):
                codes = [code for code in own_code([each for each, _ in reached[::-1]]) if self._is_what_is_run(code)]
                for code in codes:
                    code.look(partial(self._affected, code))
                self.is_searched = any(code.found for code in codes)
                # A mask belongs into the function that has little else, and a factor into the one that has most.
                codes.sort(key=lambda code: len(code.found))
                self._search(codes, lambda affects: affects >= self.wrong)
                self._search(codes, lambda affects: not affects >= self.wrong)

    @cached_property
    def elsewhere(self) -> "Measured":
        return Measured.elsewhere(self.own, self.here.found)

    @property
    def changes(self) -> list[Change]:
        """One change that mends all, or else as few as there are, of which each mends others."""
        told: list[Change] = []
        for change in sorted(self.found.values(), key=lambda each: -len(each.mends)):
            if not any(change.mends & each.mends for each in told):
                told.append(change)
        return told

    @property
    def in_vain(self) -> Set[str]:
        """The wrong gradients that no change mends, of all that were tried in some function."""
        return self.wrong.difference(*self.found) if self.is_searched else frozenset()

    def _is_what_is_run(self, code: Code) -> bool:
        """Whether a function does what its source says, which somebody may have changed since."""
        with suppress(Exception):  # as where its names are those of a class
            now = self._with(code, self.here)
            return now.keys() == self.first.keys() and all(np.array_equal(now[name], self.first[name]) for name in now)
        return False

    def _search(self, codes: Sequence[Code], is_in_question: Callable[[Set[str]], bool]) -> None:
        until = self.tried + MOST_CHANGES
        ordered = ((kind, code) for kind in KINDS for code in (codes[::-1] if kind in FACTORS else codes))
        for kind, code in ordered:
            for text, how, line in code.changes(kind, is_in_question):
                is_late = self.tried > until or time.process_time() - self.start > MOST_SECONDS
                if is_late or self.wrong in self.found:
                    return
                if mended := self._mended(code):
                    self.found[mended] = Change(text, how, line, code.function.__name__, mended)

    def _mended(self, code: Code) -> frozenset[str]:
        """Which wrong gradients are right with the change in a function, here and elsewhere; none if that is known."""
        with suppress(Exception):  # a changed line may do anything
            now = self._with(code, self.here)
            mended = self.here.right_of(now, self.wrong)
            if mended and mended not in self.found and self.right <= self.here.right_of(now, self.right):
                return self.elsewhere.right_of(self._with(code, self.elsewhere), mended)
            if code.asks:
                code.share = self.here.share(self.first, now, self.wrong)
        return frozenset()

    def _affected(self, code: Code) -> Set[str]:
        """What is wrong and changes with the change in a function; nothing if the loss, or what is right, does too."""
        with suppress(Exception):  # a changed line may do anything
            now = self._with(code, self.here)
            others = {name for name in now if not np.array_equal(now[name], self.first[name])}
            return frozenset() if others & self.right else others & self.wrong
        return self.wrong

    def _with(self, code: Code, measured: "Measured") -> Mapping[str, Any]:
        """The gradients with the change in a function; none if the loss is another. Raises what it stops with."""
        self.tried += 1
        try:
            code.put_in_place()
            return measured.gradients() or {}
        finally:
            code.put_back()


class Measured:
    """The slopes of a loss at some parameters, and what the learner's code gives there: first, and now."""

    def __init__(self, own: OwnLoss, found: Mapping[str, Slopes]) -> None:
        self.given, self.gradients, self.found = own.given, own.gradients_now, found

    @classmethod
    def elsewhere(cls, own: OwnLoss, found: Mapping[str, Slopes], directions: int = DIRECTIONS) -> "Measured":
        """The same at other parameters, along random directions."""
        rng = np.random.default_rng(1)
        moved = {name: at + own.unit(name) * rng.uniform(-0.1, 0.1, at.shape) for name, at in own.at.items()}
        there = OwnLoss(own.loss, moved, own.gradients)
        along = {name: Slopes(there, name, found[name].eps, is_large=True) for name in moved}
        for each in along.values():
            each.directions = each.directions[:directions]
            each.found = [each.one(at) for at in range(directions)]
        own.calls += there.calls
        return cls(there, along)

    def is_wrong(self, name: str) -> bool:
        """Whether the first gradient is off along every direction, whichever way it is turned."""
        found = self.found[name]
        each = [gradient for _, gradient in ways(np.asarray(self.given.get(name), float), found.at.shape)]
        return bool(each) and all(found.wrong(gradient).all() for gradient in each)

    def right_of(self, gradients: Mapping[str, Any], names: Set[str]) -> frozenset[str]:
        """Which of these gradients are right."""
        return frozenset(name for name in names if name in gradients and self._is_right(name, gradients[name]))

    def _is_right(self, name: str, gradient: Any) -> bool:
        found = self.found[name]
        shape, at, given = shape_in_update(gradient), shape_in_update(found.at), shape_in_update(self.given.get(name))
        return shape in (at, given, at[::-1]) and any(
            np.isfinite(each).all()
            and not found.wrong(each).any()
            and (bool(found.directions) or not found.untold(each).any())
            for _, each in ways(np.asarray(gradient, float), found.at.shape)
        )

    def share(self, first: Mapping[str, Any], now: Mapping[str, Any], names: Set[str]) -> Fraction:
        """How much of a change in some gradients makes them right, if that is a fraction; else 1.

        A backward pass is linear in what stands in its lines, but for what goes through it several times.
        """
        for name in names:
            found = self.found[name]
            pairs = (ways(np.asarray(each[name], float), found.at.shape) for each in (first, now))
            for (_, old), (_, new) in zip(*pairs, strict=False):
                by, wanted = (new - old).ravel(), found.slopes - old.ravel()
                if by.any() and np.isfinite(by).all():
                    share = float(by @ wanted / (by @ by))
                    fraction = Fraction(share).limit_denominator(LARGEST_DENOMINATOR)
                    is_it = abs(share - fraction) <= EXACT * abs(share)
                    if is_it and np.max(np.abs(wanted - share * by)) <= AGREES * np.max(np.abs(wanted)):
                        return fraction
        return Fraction(1)


def own_code(functions: Sequence[Any]) -> list[Code]:
    """Those functions that a learner has written, as far as their source can be read."""
    found = []
    for function in functions:
        with suppress(AttributeError, OSError, TypeError, ValueError, SyntaxError):
            file = getsourcefile(function) or ""
            if not (str(function.__module__).startswith("backprop_lab") or file.startswith(LIBRARIES)):
                found.append(Code(function))
    return found


def shape_in_update(value: Any) -> list[int]:
    """The shape without its first ones, which an update takes as it is."""
    return [*dropwhile(lambda n: n == 1, np.shape(value))]


def _held_by(known: Any, depth: int = 4) -> Iterator[Any]:
    """The arrays, lists and dictionaries that a learner's functions can reach, those of their objects too."""
    if isinstance(known, np.ndarray | list | dict):
        yield known
    if isinstance(known, list | tuple | dict) and depth:
        for each in [*(known.values() if isinstance(known, dict) else known)][:1000]:
            yield from _held_by(each, depth - 1)
    elif not isinstance(known, ModuleType | FunctionType | type):
        yield from _held_by(vars(known), depth - 1) if depth and hasattr(known, "__dict__") else ()


@contextmanager
def _kept(held: Sequence[Any]) -> Iterator[None]:
    """Nothing is written into arrays meanwhile, and in lists and dictionaries afterwards is what was in them before.

    A changed line may take the data for what is its own.
    """
    closed = [each for each in held if isinstance(each, np.ndarray) and each.flags.writeable]
    before: list[tuple[Any, Any]] = [(each, each.copy()) for each in held if isinstance(each, list | dict)]
    for each in closed:
        each.flags.writeable = False
    try:
        yield
    finally:
        for each, was in before:
            each.clear()
            each.extend(was) if isinstance(each, list) else each.update(was)
        for each in (*closed, *closed):  # twice, as a part of another array cannot be opened before that is
            with suppress(ValueError):
                each.flags.writeable = True
