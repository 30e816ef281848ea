"""The lines of a step of a program: its own, those that are derived from them, and the update."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.deriving.program import Derivation, Derived, derive, read_lines, rows_add_up
from backprop_lab.nn.lines import NAMESPACE, RESERVED, Array, Part, names_in
from backprop_lab.nn.optimizers import Optimizer
from backprop_lab.nn.steps import Lines, Step, check_names, update_lines

MOST_WRITTEN = 64


class OwnLine(Part):
    """The kind of a line that was handed in as a program, and of those that are derived from it."""


class Written(NamedTuple):
    """The lines of a step, and what they are of; `backward` are those before any update, `derived` all but own ones.

    `upstream` are gradients that are given, each with what it is the gradient of.
    """

    lines: Lines
    loss: str
    indices: frozenset[str]
    own: tuple[str, ...]
    backward: Lines
    derived: Lines
    gradients: tuple[str, ...]
    upstream: Mapping[str, str]


_WRITTEN: dict[Any, Written] = {}


def written_for(
    text: Any,
    parameters: Mapping[str, Array],
    data: Mapping[str, Array],
    wanted: tuple[str, ...],
    backward: Any,
    optimizer: Optimizer,
) -> Written:
    """The lines of a step; written once for all problems of these lines and shapes."""
    shapes = tuple((name, value.shape, value.dtype.str) for name, value in (*parameters.items(), *data.items()))
    sums = tuple(name for name, value in data.items() if rows_add_up(value))
    numbers = type(optimizer), tuple(optimizer.own_numbers().items()), tuple(optimizer.formulas.items())
    key = text, len(parameters), shapes, sums, wanted, backward, numbers
    if not isinstance(text, str | tuple) or not all(isinstance(each, str) for each in (*text, *wanted)):
        return _write(text, parameters, data, wanted, backward, optimizer)
    if key not in _WRITTEN:
        if len(_WRITTEN) >= MOST_WRITTEN:
            _WRITTEN.clear()
        _WRITTEN[key] = _write(text, parameters, data, wanted, backward, optimizer)
    return _WRITTEN[key]


def _write(
    text: Any,
    parameters: Mapping[str, Array],
    data: Mapping[str, Array],
    wanted: tuple[str, ...],
    backward: Any,
    optimizer: Optimizer,
) -> Written:
    derivation = derive(text, parameters, data, wanted)
    own: dict[str, str] = {}
    if backward is not None:
        forward = {*(line.name for line in _parted(derivation)[0]), *data}
        own = {line.name: line.text for line in read_lines(backward)}
        of = [name[1:] for name in own if name[:1] == "d" and name[1:] in forward]
        derivation = derive(text, parameters, data, dict.fromkeys((*wanted, *of)))
    forward_lines, backward_lines = _parted(derivation)
    used = {name for line in derivation.lines if line.role != "new" for name in names_in(line.code)}
    later = [line for line in forward_lines if line.role == "new" and line.name not in used]
    before = [line for line in forward_lines if line not in later]
    at = {line.name: "loss" if line.name == derivation.loss else "forward" for line in before}
    first = [_step(at[line.name], line) for line in before]
    derived = [_step("backward", line) for line in backward_lines]
    found = first + derived
    if own:
        _check_own(backward, own, found, parameters, data)
        needed = {f"d{name}" for name in (*parameters, *wanted)}
        found = first + _with_own(derived, own, needed)
    gradient_of = {step.of: step.name for step in found if step.role == "gradient"}
    penalised = _multiplied((line.code for line in before), parameters)
    update = [_step("update", line) for line in later]
    for name in parameters:
        around = {"p": name, "dp": gradient_of.get(name, f"d{name}"), "new": f"{name}_new"}
        update += update_lines(optimizer, around, name in penalised)
    lines = Lines((*found, *update))
    check_names([*data, *parameters, *lines.memories, "lr", *["step"] * lines.count_steps], lines)
    return Written(
        lines,
        derivation.loss,
        derivation.indices,
        tuple(line.name for line in derivation.lines if line.is_own),
        Lines(found),
        Lines(first + derived),
        tuple(step.name for step in derived if step.role == "gradient"),
        derivation.upstream,
    )


def _parted(derivation: Derivation) -> tuple[list[Derived], list[Derived]]:
    """The lines of the forward pass, and those after it."""
    last = max(at for at, line in enumerate(derivation.lines) if line.is_own)
    return [*derivation.lines[: last + 1]], [*derivation.lines[last + 1 :]]


def _step(phase: str, line: Derived) -> Step:
    operands = tuple(name for name in names_in(line.code) if name not in RESERVED and name not in NAMESPACE)
    names = {"name": line.name, **{name: name for name in operands}}
    result = "L" if phase == "loss" else line.name
    return Step(
        line.name, phase, line.code, operands, OwnLine, result, line.code, names, line.role, line.of, paths=line.paths,
        note=line.comment,
    )  # fmt: skip


def _check_own(
    text: Any, own: Mapping[str, str], found: list[Step], parameters: Mapping[str, Array], data: Mapping[str, Array]
) -> None:
    """Raise ValueError for a line of one's own that may not stand there, or that gives nothing that is derived."""
    given = {**data, **parameters}
    values = Lines(found).run(given)
    for name in own:
        if name in given or any(step.name == name and step.phase != "backward" for step in found):
            raise ValueError(f"backward has a line for {name}, which is no gradient: it is there already")
    if not any(step.name in own and step.role == "gradient" for step in found):
        gradients = [step.name for step in found if step.role == "gradient"]
        raise ValueError(f"backward has no line for a gradient: there are {', '.join(gradients)}")
    read_lines(text, {name: np.asarray(value) for name, value in values.items() if name not in own})


def _with_own(derived: list[Step], own: Mapping[str, str], needed: set[str]) -> list[Step]:
    """The backward pass with lines of one's own in it, each after what it uses, without what nothing needs any more."""
    by_name = {step.name: step for step in derived}
    for name, code in own.items():
        line = Derived(name, code, is_own=True)
        if name in by_name:
            line = line._replace(role=by_name[name].role, of=by_name[name].of)
        by_name[name] = _step("backward", line)
    ordered: dict[str, Step] = {}

    def add(name: str, waiting: tuple[str, ...] = ()) -> None:
        if name in waiting:
            raise ValueError(f"the lines for {' and '.join(waiting[waiting.index(name) :])} wait for each other")
        if name in by_name and name not in ordered:
            for operand in by_name[name].operands:
                add(operand, (*waiting, name))
            ordered[name] = by_name[name]

    def used_by(names: set[str]) -> set[str]:
        more = {operand for name in names if name in by_name for operand in by_name[name].operands} - names
        return used_by(names | more) if more else names

    used = used_by(needed | {name for name in own if by_name[name].role == "gradient"})
    if idle := [name for name in own if name not in used]:
        raise ValueError(f"backward has a line for {', '.join(idle)}, which no gradient needs")
    for step in derived:
        if step.name in used:
            add(step.name)
    return [*ordered.values()]


def _multiplied(codes: Iterable[str], parameters: Iterable[str]) -> set[str]:
    """The parameters that an @ multiplies."""
    found = set[str]()
    for code in codes:
        for node in ast.walk(ast.parse(code, mode="eval")):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                for side in (node.left, node.right):
                    while isinstance(side, ast.Attribute):  # W.mT
                        side = side.value
                    found.update({side.id} if isinstance(side, ast.Name) else ())
    return found & {*parameters}
