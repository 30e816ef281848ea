"""One training step as lines of NumPy: what each layer and the loss writes for its results, names filled in.

The lines are what a trace runs, and what a learner sees. A line sees the values before it, `np`, `math` and `Fraction`.
"""

import builtins
import keyword
import math
import re
from collections import deque
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from string import Formatter
from types import CodeType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from backprop_lab.layers import Layer
from backprop_lab.losses import Loss
from backprop_lab.network import Network, Stage

NAMESPACE = {"np": np, "math": math, "Fraction": Fraction}
_RESERVED = {*dir(builtins), *keyword.kwlist}


class Step(NamedTuple):
    """One named value and how it comes about.

    `code` is the line of NumPy that gives `value`, bit for bit, from the values before it; `operands` are the names in
    it, in order; `phase` is "forward", "loss", "backward" or "update". `kind` is the layer's or loss's class, `result`
    says which of its results this is, such as "dX", by its line `template`; `names` are those around this place, by
    what a template calls them. `title` and `sentence` are those of a planted mistake. `value` is None until it is run.
    """

    name: str
    phase: str
    code: str
    operands: tuple[str, ...]
    kind: type
    result: str
    template: str
    names: Mapping[str, str]
    title: str = ""
    sentence: str = ""
    value: Any = None

    def rewritten(self, template: str, title: str, sentence: str) -> "Step":
        """The same step with another line in place of its own. Raises KeyError if it has a name not found here."""
        code, operands = _filled(template, self.names)
        return self._replace(code=code, operands=operands, title=title, sentence=sentence)


class GradientDescent:
    """The update: a small step against the gradient, for every parameter `p`."""

    formulas: ClassVar = {"new": "{p} - {lr} * {dp}"}


def lines_of(network: Network, loss: Loss) -> tuple[Step, ...]:
    """The lines of one training step, in order: forward, loss, backward, update; their values are still to come.

    They are kept with the network, and written again once a formula or a number in one changes. Raises ValueError if
    a layer or the loss lacks a line, if a line uses a name that is not there, or if two values have one name.
    """
    sources: list[Layer | Loss] = [*network.layers, loss]
    kept: Any = network.__dict__.get("_lines")
    if kept is None or not all(map(_is_as_it_was, sources, kept[0])):
        lines = _write(network, loss)
        state = [(type(each), dict(each.formulas), _own_numbers(each)) for each in sources]
        kept = network.__dict__["_lines"] = state, lines
    written: tuple[Step, ...] = kept[1]
    return written


def _is_as_it_was(source: Any, before: tuple[type, dict[str, str], dict[str, str]]) -> bool:
    kind, formulas, numbers = before
    same: bool = source.formulas == formulas and (not numbers or _own_numbers(source) == numbers)
    return same and type(source) is kind


def run(lines: Iterable[Step], given: Mapping[str, Any]) -> tuple[Step, ...]:
    """The lines with their values, each computed from `given` and the values before it, as read-only arrays.

    A line that uses a later value waits for it. What overflows does so without a warning. Raises ValueError if a line
    uses a name that nothing gives, if lines wait for each other, or, saying which, if NumPy refuses one.
    """
    lines = tuple(lines)
    scope = {**NAMESPACE, **given}
    todo = deque(lines)
    waiting = 0
    with np.errstate(all="ignore"):
        while todo:
            line = todo.popleft()
            code = compiled(line.code)
            try:
                scope[line.name] = _read_only(eval(code, scope))
                waiting = 0
            except NameError as error:
                if error.name not in {other.name for other in todo}:
                    there = ", ".join(name for name in scope if name not in NAMESPACE and name != "__builtins__")
                    raise ValueError(
                        f"{line.name} = {line.code} uses {error.name}, which no line gives; before {line.name} there "
                        f"are {there}, as well as {', '.join(NAMESPACE)}"
                    ) from None
                todo.append(line)
                waiting += 1
                if waiting == len(todo):
                    names = " and ".join(other.name for other in todo)
                    raise ValueError(f"the lines for {names} wait for each other") from None
            except Exception as error:  # whatever NumPy raises, or a function of your own
                raise ValueError(f"{line.name} = {line.code} stopped with {type(error).__name__}: {error}") from error
    return tuple(Step(*line[:-1], scope[line.name]) for line in lines)


def evaluate(code: str, values: Mapping[str, Any]) -> Any:
    """What a line of NumPy gives over values by name, with no warning if it overflows. Raises what NumPy raises."""
    with np.errstate(all="ignore"):
        return eval(compiled(code), {**NAMESPACE, **values})


@lru_cache(maxsize=1024)
def compiled(code: str) -> CodeType:
    """A line of NumPy, ready to run. Raises ValueError if it is not Python."""
    try:
        return compile(code, "<a line of NumPy>", "eval")
    except SyntaxError as error:
        raise ValueError(f"the line `{code}` is not a Python expression: {error.msg}") from None


def literal(value: Any) -> str:
    """A number, or an array of numbers, as source code that gives it back to the last bit."""
    if isinstance(value, np.ndarray):
        text = _with_np(repr(value.tolist()))
        kept = value.dtype in (np.float64, np.int64, np.complex128, object)
        return f"np.array({text})" if kept else f"np.array({text}, dtype=np.{value.dtype.name})"
    if isinstance(value, np.float64 | np.complex128):
        value = value.item()
    if isinstance(value, complex):  # 0 - 1j has another 0 than -1j
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    text = _with_np(repr(value))
    return f"({text})" if text.startswith("-") else text


def _with_np(text: str) -> str:
    return re.sub(r"\b(nan|inf)\b", r"np.\1", text)


def _write(network: Network, loss: Loss) -> tuple[Step, ...]:
    """Write out every line, at its place in the network."""
    stages = network.stages
    forward: list[Step] = []
    backward: list[Step] = []
    update: list[Step] = []
    for stage in stages:
        layer, X, Y, number = stage
        letters = tuple(layer.parameters)
        if taken := {"X", "Y", "lr"} & {*letters}:
            raise ValueError(f"{layer!r} calls a parameter {', '.join(taken)}, which is what lines call something else")
        results = {"Y": Y, "dX": f"d{X}", **{f"d{p}": f"d{p}{number}" for p in letters}}
        names = {"lr": "lr", **_around(stages, stage), **{p: f"{p}{number}" for p in letters}, **results}
        names |= {"X": X, "dY": f"d{Y}", **_own_numbers(layer)}
        gradients: list[Step] = []
        of_parameter = {p: {"p": f"{p}{number}", "dp": f"d{p}{number}", "new": f"{p}{number}_new"} for p in letters}
        for result, template in _templates(layer, tuple(results)).items():
            p = result.removeprefix("d") if result.removeprefix("d") in letters else next(iter(letters), "")
            phase, found = ("forward", forward) if result == "Y" else ("backward", gradients)
            found.append(_line(phase, layer, result, template, results[result], of_parameter.get(p, {}) | names))
        backward[:0] = [line for line in gradients if line.name != "dX"]
        for around in of_parameter.values():
            template = GradientDescent.formulas["new"]
            update.append(_line("update", GradientDescent(), "new", template, around["new"], around | {"lr": "lr"}))

    ends = dict.fromkeys(("y_pred", "y", *loss.formulas))
    names = {name: name for name in ends} | _own_numbers(loss)
    templates = _templates(loss, ("L", "dy_pred"))
    losses = [
        _line("backward" if result == "dy_pred" else "loss", loss, result, template, result, names)
        for result, template in templates.items()
    ]
    lines = (*forward, *losses, *backward, *update)
    _check_names(["X", "y", *network.parameters, "lr"], lines)
    return lines


def _line(phase: str, source: Any, result: str, template: str, name: str, names: Mapping[str, str]) -> Step:
    names = {"name": name, **names}
    try:
        code, operands = _filled(template, names)
    except KeyError as missing:
        raise ValueError(
            f"the line for {result} of {source!r}, {template!r}, uses {missing.args[0]!r}, which is neither a value "
            f"there nor a number that it has"
        ) from None
    compiled(code)
    return Step(name, phase, code, operands, type(source), result, template, names)


def _filled(template: str, names: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The code with names filled in, and those that are names of values. Raises KeyError for one that is missing."""
    words = dict.fromkeys(names[field] for field in _fields(template))
    return template.format_map(names), tuple(word for word in words if word.isidentifier() and word not in _RESERVED)


@lru_cache(maxsize=1024)
def _fields(template: str) -> tuple[str, ...]:
    """The names in braces in a template, in order."""
    return tuple(field for _, field, _, _ in Formatter().parse(template) if field)


def _templates(source: Any, results: tuple[str, ...]) -> Mapping[str, str]:
    """The formulas of a layer or a loss. Raises ValueError if a line is missing, or is there for something unknown."""
    formulas: Mapping[str, str] = source.formulas
    if missing := [result for result in results if result not in formulas]:
        raise ValueError(
            f"{source!r} has no line for {', '.join(missing)}: its formulas need one for each of {', '.join(results)}"
        )
    names = list(formulas)
    if results[0] == "L":  # a loss: lines before L have names of their own
        unknown = [name for name in names[names.index("L") :] if name not in results]
    else:
        unknown = [name for name in names if name not in results]
    if unknown:
        raise ValueError(f"{source!r} has a line for {', '.join(unknown)}, where nothing needs it")
    return formulas


def _own_numbers(source: Any) -> dict[str, str]:
    """A layer's or a loss's own numbers, such as a slope, as they stand in its lines."""
    parameters = tuple(getattr(source, "parameters", ()))
    names = _own_names(tuple(source.formulas.items()), parameters)
    return {name: literal(getattr(source, name)) for name in names if hasattr(source, name)}


@lru_cache(maxsize=256)
def _own_names(formulas: tuple[tuple[str, str], ...], parameters: tuple[str, ...]) -> tuple[str, ...]:
    """The names in the formulas that are not values of the step."""
    results = [result for result, _ in formulas]
    around = ("y_pred", "y") if "L" in results else ("X", "Y", "dX", "dY")
    values = {*around, *results, *parameters, *(f"d{p}" for p in parameters)}
    found = dict.fromkeys(field for _, template in formulas for field in _fields(template))
    return tuple(field for field in found if field not in values)


def _around(stages: list[Stage], stage: Stage) -> dict[str, str]:
    """The names that a mistake may use by confusion: `X_raw` entered the activation that gave X, `X_other` enters
    another layer with parameters, and `dY_out` is the gradient on the far side of the activation that Y enters."""
    at, names = next(at for at, other in enumerate(stages) if other is stage), {}
    before = [other.X for other in stages[:at] if other.layer.parameters]
    after = [other.X for other in stages[at + 1 :] if other.layer.parameters]
    if before or after:
        names["X_other"] = (before[-1:] + after)[0]
    if at > 0 and not stages[at - 1].layer.parameters:  # pragma: no mutate  the first has some
        names["X_raw"] = stages[at - 1].X
    if at + 1 < len(stages) and not stages[at + 1].layer.parameters:
        names["dY_out"] = f"d{stages[at + 1].Y}"
    return names


def _check_names(given: list[str], lines: tuple[Step, ...]) -> None:
    """Raise ValueError unless every value has a name of its own, which can stand in a line of Python."""
    taken = set(NAMESPACE)
    for name in (*given, *(line.name for line in lines)):
        if name in taken:
            raise ValueError(
                f"two values would be called {name}: call a parameter or a line of the loss something else"
            )
        if not name.isidentifier() or name in _RESERVED:
            raise ValueError(f"{name!r} cannot be the name of a value in a line of Python")
        taken.add(name)


def _read_only(value: Any) -> Any:
    """`value`, read-only if it is an array: itself, or a copy where someone else could write to it."""
    if isinstance(value, np.ndarray) and value.flags.writeable:
        value = value if value.base is None else value.copy()  # pragma: no mutate  a copy takes longer
        value.setflags(write=False)
    return value
