"""The classic mistakes of a hand-written backward pass: each one is the wrong line of NumPy that people write.

Where the right line of a layer says `{dY} * ({Y} > 0)`, the mistake says `{dY}`. So the table in `mistakes.txt` names a
learner's mistake, plants it in a whole training step, and proves that our own checks can fail. `{X}`, `{W}`, `{dY}` ...
stand for names as they do in a layer's `formulas`, and more are only for wrong lines: see `Step.names`. A line that
lacks one of its names in some place does not apply there.

A gradient check sees only gradients: it misses a mistake in the reported loss, or in the update.
`INVISIBLE_TO_GRADIENT_CHECK` lists those that it can never see. Nor does it see one that changes nothing where it is
made (a forgotten bias that is still 0, a transpose of one number, a forgotten shift until it overflows, `log-of-zero`,
which then spoils the loss alone), or next to nothing (`updated-weights` at a tiny learning rate). A dropped dimension
has the right numbers: `check_gradients` refuses its shape, but a check that lets NumPy broadcast, as np.allclose does,
accepts it.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from backprop_lab.feedback.rule_lines import made_with, wrong_codes
from backprop_lab.nn import optimizers
from backprop_lab.nn.forms import parsed, terms_of_sum
from backprop_lab.nn.lines import Array, Part, names_in
from backprop_lab.nn.menus import Menu
from backprop_lab.nn.running import LineError, in_order
from backprop_lab.nn.steps import Lines, Step
from backprop_lab.reading.words import PARTS
from backprop_lab.step.trace import Trace, found_once

REFUSED = TypeError, ValueError, AttributeError, IndexError, ArithmeticError  # what a line that does not run raises


@dataclass(frozen=True, eq=False)
class Mistake:
    """One mistake: what it is called, what causes it, its symptom on the board, and the lines that make it.

    `title` is for a menu, `resembles` completes "This looks like ...", `also` is what else people call it, with |
    between. `lines` has, for each kind of layer or loss and each of its results, the wrong line that takes the right
    one's place, or several ways to write it, of which the first is planted; for `GradientDescent` and "new" it is the
    line of a parameter after the update. Of what a penalty or a decay adds to the line of another, `(L2, "dp")` in the
    gradients, `(L2, "L")` in the loss and `(Optimizer, "decay")`, it is the part that is wrong, "" if it is missing.
    `rules` are for gradients that were derived: a rule of differentiation, the form of a part that it has written, and
    the ways to write that wrong. In `resembles`, `{line}` is the wrong line. Planted, it is applied everywhere unless
    `once`: then at the first gradient. If it is `handed`, a function makes it only with values that it asks for.
    """

    name: str
    title: str
    resembles: str
    cause: str
    symptom: str
    lines: Mapping[tuple[type, str], str | tuple[str, ...]]
    once: bool = False
    handed: bool = False
    also: str = ""
    rules: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def _ways_at(self, line: Any) -> tuple[str, ...]:
        """Its wrong lines for a step, or for what stands beside it."""
        return _ways_at(self, line.kind, line.result, line.template)

    def _written(self, step: Step, ways: tuple[str, ...], beside: bool = False) -> Iterator[Step]:
        """The step with each of some lines in place of its own, or of what stands beside it."""
        words = self.title, self.cause.replace("`", "")
        for way in ways:
            with suppress(KeyError):
                yield step.rewritten(step.template, *words, way) if beside else step.rewritten(way, *words)

    def is_all_of(self, step: Step) -> bool:
        """Whether what it makes wrong is a whole line, so that its symptom is seen, and not one term beside others."""
        if step.paths:
            return len(terms_of_sum(parsed(step.code))[0]) == 1
        is_own = bool(self._ways_at(step))
        return not (is_own and step.beside and step.role == "gradient")

    def wrong_lines(self, trace: Trace, name: str) -> tuple[str, ...]:
        """Each way to write this mistake in the line for `name`; none where it does not apply.

        Raises KeyError if the trace has no such name.
        """
        return tuple(step.code for step in _rewritten(trace, self, name))

    def wrong_line(self, trace: Trace, name: str) -> str | None:
        """The wrong line of NumPy for `name` that is planted, or None where this mistake does not apply.

        Raises KeyError if the trace has no such name.
        """
        return next((step.code for step in _rewritten(trace, self, name)), None)

    def wrong_values(self, trace: Trace, name: str) -> Iterator[tuple[str, Array]]:
        """Each of its wrong lines for `name` that runs, with its value, in any shape."""
        for line in self.wrong_lines(trace, name):
            with suppress(*REFUSED):
                yield line, np.asarray(trace.evaluate(line))

    def wrong_value(self, trace: Trace, name: str) -> Any:
        """What this mistake gives for `name`, in any shape; None where it does not apply or NumPy refuses the line.

        It may be the right value: a transpose forgotten on a single number does no harm.
        """
        line = self.wrong_line(trace, name)
        return None if line is None else _run(trace, line)

    def resemblance(self, trace: Trace, name: str, line: str | None = None) -> str:
        """What completes "This looks like ..." where the answer for `name` is what this mistake gives, with `line`.

        Raises KeyError if the trace has no such name.
        """
        trace[name]
        line = self.wrong_line(trace, name) if line is None else line
        step = next((each for each in _rewritten(trace, self, name) if each.code == line), trace.step(name))
        line = re.sub(r"^1\.0 \* \((.*)\)$", r"\1", line or "")  # which makes numbers of truth values
        around = step.beside.names if step.beside else {}
        if not step.paths:  # which say so of what was derived
            around = {"V": step.of, "up": step.names.get("dY", ""), **around}
        try:
            return self.resembles.format_map({**around, **step.names, "line": f"`{line}`"})
        except KeyError:
            return f"`{line}`: {self.title_inside}" if line else self.title_inside

    @property
    def title_inside(self) -> str:
        """The title as it stands inside a sentence."""
        return re.sub(r"^(?!Adam)[A-Z](?=[^A-Z\s]*\s)", lambda first: first[0].lower(), self.title)

    def titled(self, step: Step) -> str:
        """The title with the names of this line in it: dW2 in place of dW."""
        names = step.names
        return re.sub(r"\bd?[Wb]\b", lambda name: names.get(name[0], name[0]), self.title)

    def possible_at(self, trace: Trace) -> tuple[str, ...]:
        """Every name where this mistake can be planted and changes something."""
        return _possible_at(trace, self)

    def planted_at(self, trace: Trace) -> tuple[str, ...]:
        """Those of them where it is planted: the first gradient if it is made once, or all that run together."""
        possible = self.possible_at(trace)
        if self.once:
            return (tuple(name for name in possible if trace.step(name).phase == "backward") or possible)[:1]
        uses, planted = {step.name: step.operands for step in trace.steps}, list[str]()
        for name in possible:
            with suppress(LineError):  # of lines that wait for each other
                in_order(changed := uses | {name: _rewritten(trace, self, name)[0].operands})
                uses, planted = changed, [*planted, name]
        return tuple(planted)


@found_once
def _possible_at(trace: Trace, mistake: Mistake) -> tuple[str, ...]:
    return tuple(step.name for step in trace.steps if _changes(mistake.wrong_value(trace, step.name), step.value))


@found_once
def _rewritten(trace: Trace, mistake: Mistake, name: str) -> tuple[Step, ...]:
    """The step for `name` with each way to write a mistake, not run yet; none where it does not apply."""
    trace[name]
    if name in trace.given:
        return ()
    step = trace.step(name)
    if step.paths:
        return _by_rule(trace, mistake, name) if mistake.rules else ()
    if found := mistake._ways_at(step):
        after = made_with(trace, name)  # as W1_new is with dH1, where W1 is used in two places
        return tuple(each for each in mistake._written(step, found) if after.isdisjoint(each.operands))
    return tuple(mistake._written(step, mistake._ways_at(step.beside), beside=True)) if step.beside else ()


def _by_rule(trace: Trace, mistake: Mistake, name: str) -> tuple[Step, ...]:
    """The step for a gradient that was derived with each way to write a mistake, those first that can be planted."""
    step = trace.step(name)
    typed = [_typed(trace, step, *each) for each in wrong_codes(trace, step, mistake.rules).items()]
    typed.sort(key=lambda each: not _changes(_run(trace, each.code), step.value))
    return tuple(each._replace(title=mistake.title, sentence=mistake.cause.replace("`", "")) for each in typed)


@lru_cache(maxsize=4096)
def _ways_at(mistake: Mistake, kind: type, result: str, template: str) -> tuple[str, ...]:
    """A mistake's wrong lines for a result of this kind of part: of the first of its bases that has some."""
    for base in kind.__mro__:
        formulas = getattr(base, "formulas", None)
        right = formulas.get(result) if isinstance(formulas, Mapping) else None
        ways = mistake.lines.get((base, result))
        if ways is not None and right in (None, template):  # a subclass with its own line has mistakes of its own
            return (ways,) if isinstance(ways, str) else ways
    return ()


def plant(trace: Trace, mistake: Mistake, *names: str) -> Trace:
    """The same training step with `mistake` made at `names`, by default wherever `planted_at` says, if anywhere.

    What comes after follows from the wrong values. A planted step shows the wrong line as its code, so the code
    shown is still the code run. Raises ValueError, saying why, where it cannot be planted: it does not apply, NumPy
    refuses the line, or the value has a shape for which the network has no room; KeyError as `trace` and MISTAKES do.
    """
    if not isinstance(mistake, Mistake):
        known = MISTAKES[mistake].name if isinstance(mistake, str) else "mask-forgotten"
        raise ValueError(f"what is planted is a Mistake, such as MISTAKES[{known!r}]; got {mistake!r}")
    planted: dict[str, Step] = {}
    for name in names or mistake.planted_at(trace):
        step = next(iter(_rewritten(trace, mistake, name)), None)
        if step is None:
            where = getattr(trace.problem, "network", trace.problem)
            raise ValueError(f"{mistake.title!r} does not apply to {name} in {where}")
        try:
            wrong = trace.evaluate(step.code)
        except REFUSED as error:
            raise ValueError(f"{name} = {step.code} cannot be planted, because NumPy refuses it: {error}") from None
        if np.shape(wrong) != np.shape(trace[name]):
            shapes = f"{np.shape(wrong)}, and {name} has {np.shape(trace[name])}"
            raise ValueError(f"{name} = {step.code} cannot be planted: it has shape {shapes}")
        planted[name] = step
    if not planted:
        return trace
    return Trace(trace.problem, trace.given, Lines(planted.get(step.name, step) for step in trace.steps))


def spoiled(trace: Trace, mistake: Mistake, place: str, name: str) -> Any:
    """What a value is where a mistake is made at one place, at which it is possible, and all other lines are right."""
    values = {place: mistake.wrong_value(trace, place)}
    for step in trace.steps:
        if step.name not in values and not values.keys().isdisjoint(step.operands):
            values[step.name] = trace.evaluate(step.code, **values)
        if step.name == name:
            break
    return values.get(name, trace[name])


def _typed(trace: Trace, step: Step, code: str, around: Mapping[str, str]) -> Step:
    """A step with another line, and what stands around what is wrong in it."""
    operands = tuple(name for name in names_in(code) if name in trace)
    return step._replace(code=code, operands=operands, names={**step.names, **around})


def _run(trace: Trace, line: str) -> Any:
    """What a line gives; None where NumPy refuses it."""
    try:
        return trace.evaluate(line)
    except REFUSED:
        return None


def _changes(wrong: Any, right: Array) -> bool:
    """Whether `wrong` has the shape of `right` and differs from it by more than rounding does."""
    kind, right_kind = np.asarray(wrong).dtype.kind, np.asarray(right).dtype.kind
    if wrong is None or np.shape(wrong) != np.shape(right) or kind == "b" != right_kind:
        return False
    with np.errstate(all="ignore"):
        return not np.max(np.abs(wrong - right)) <= 1e-12 * np.max(np.abs(right))  # pragma: no mutate  or so


class _Table(Menu[Mistake]):
    """The classic mistakes by name."""

    def __repr__(self) -> str:
        return "MISTAKES"  # as it stands in a signature: with all that is in it, that would be a book


def mistakes_in(text: str) -> dict[str, Mistake]:
    """The mistakes of a table, by name; `mistakes.txt` says how one is written.

    Raises ValueError for a line without a colon, and for a layer, loss or optimizer that this package does not have.
    """
    table = _Table()
    whole = re.sub(r"^#.*\n|\n {7}(?= )", "", text, flags=re.MULTILINE)  # without comments, each line in one
    for entry in filter(None, re.split(r"\n{2,}", whole.strip())):
        (name, title), *rest = map(_key_and_value, entry.splitlines())
        words: dict[str, Any] = {}
        lines: dict[tuple[type, str], tuple[str, ...]] = {}
        rules: list[tuple[str, str, tuple[str, ...]]] = []
        for key, value in rest:
            if " in " in key:
                several, form = key.split(" in ", 1)
                rules += [(rule, form, tuple(value.split(" | "))) for rule in several.split(", ")]
            elif "." in key:
                for place in (place for each in key.split(", ") for place in _places(name, each)):
                    lines[place] = (*lines.get(place, ()), *_ways(value, *place))
            else:
                words[key] = key in ("once", "handed") or value
        table[name] = Mistake(name, title, **words, lines=lines, rules=(*rules,))
    return table


def _places(name: str, key: str) -> list[tuple[type[Part], str]]:
    """The parts and results that a mistake has a line for, such as `Linear.d*`, `*ReLU.dX` or `Activation.Y`."""
    kind, result = key.split(".")
    parts = [part for each, part in PARTS.items() if fnmatchcase(each, kind)]
    results = [(part, each) for part in parts for each in (part.formulas if "*" in key else [result])]
    if not (places := [each for each in results if fnmatchcase(each[1], result)]):
        raise ValueError(f"{name} has a line for {key}, and no layer, loss or optimizer has that")
    return places


def _ways(value: str, part: type[Part], result: str) -> tuple[str, ...]:
    """The ways to write a wrong line, with what stands in the right one filled in; that itself is none of them."""
    right, is_over_rows = part.formulas.get(result, ""), "axis=0" in part.formulas.get("mu", "")
    axis, count = ("0", "len({X})") if is_over_rows else ("1", "{X}.shape[1]")
    filled = {"right": right, "move": right.removeprefix("{p} - {lr} * "), "axis": axis, "count": count}
    value = re.sub(r"\{(right|move|axis|count)\}", lambda name: filled[name[1]], value)
    return tuple(way.replace("nothing", "") for way in value.split(" | ") if way != right)


def _key_and_value(line: str) -> tuple[str, str]:
    key, colon, value = f"{line.strip()} ".partition(": ")
    if not colon:
        raise ValueError(f"{line!r} should be a word, a colon and what belongs to it, such as 'cause: ...'")
    return key, value[:-1]


MISTAKES = mistakes_in(Path(__file__).with_name("mistakes.txt").read_text(encoding="utf-8"))

INVISIBLE_TO_GRADIENT_CHECK = tuple(
    mistake.name
    for mistake in MISTAKES.values()
    if mistake.lines and all(result == "L" or part.__module__ == optimizers.__name__ for part, result in mistake.lines)
)


def checked_mistakes(mistakes: Any) -> Mapping[str, Mistake]:
    """A table of mistakes, such as MISTAKES. Raises ValueError for anything else."""
    if not isinstance(mistakes, Mapping) or not all(isinstance(each, Mistake) for each in mistakes.values()):
        raise ValueError(f"mistakes must be a dictionary of them by name, such as MISTAKES; got {mistakes!r:.60}")
    return mistakes
