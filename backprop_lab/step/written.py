"""The lines of a step of a program: its own, those that are derived from them, and the update."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.deriving.program import Derivation, derive, line_of, read_lines, rows_add_up
from backprop_lab.deriving.program import OwnLine as OwnLine
from backprop_lab.nn.chain import update_lines
from backprop_lab.nn.lines import Array
from backprop_lab.nn.optimizers import Optimizer
from backprop_lab.nn.running import in_order, needed
from backprop_lab.nn.steps import Lines, Step, check_names

MOST_WRITTEN = 64


class Written(NamedTuple):
    """The lines of a step, and how they were derived; `backward` are those before any update, `derived` all but own."""

    derivation: Derivation
    lines: Lines
    backward: Lines
    derived: Lines


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
    is_text = isinstance(text, str | tuple) and all(isinstance(each, str) for each in (*text, *wanted))
    if is_text and key in _WRITTEN:
        return _WRITTEN[key]
    try:
        derivation = derive(text, parameters, data, wanted)
    except ValueError as error:
        from backprop_lab.deriving.written_out import with_lines_instead  # nobody whose lines are fine waits for it

        raise with_lines_instead(error, text, parameters, data) from None
    own: dict[str, str] = {}
    if backward is not None:
        forward = {*(step.name for step in derivation.lines if step.phase != "backward"), *data}
        own = {line.name: line.text for line in read_lines(backward)}
        of = [name[1:] for name in own if name[:1] == "d" and name[1:] in forward]
        derivation = derive(text, parameters, data, dict.fromkeys((*wanted, *of)))
    uses = {step.name: step.operands for step in derivation.lines}
    used = needed(uses, [step.name for step in derivation.lines if step.role != "new"])
    later = [step for step in derivation.lines if step.role == "new" and step.name not in used]
    derived = [step for step in derivation.lines if step.phase == "backward"]
    first = [step for step in derivation.lines if step.phase != "backward" and step not in later]
    found = first + derived
    if own:
        _check_own(backward, own, found, {**data, **parameters})
        found = first + _with_own(derived, own, {f"d{name}" for name in (*parameters, *wanted)})
    gradient_of = {step.of: step.name for step in found if step.role == "gradient"}
    penalised = _multiplied((step.code for step in first), parameters)
    update = [step._replace(phase="update") for step in later]
    for name in parameters:
        around = {"p": name, "dp": gradient_of.get(name, f"d{name}"), "new": f"{name}_new"}
        update += update_lines(optimizer, around, name in penalised)
    lines = Lines((*found, *update))
    check_names([*data, *parameters, *lines.memories, "lr", *["step"] * lines.count_steps], lines)
    written = Written(derivation, lines, Lines(found), Lines(first + derived))
    if is_text:
        if len(_WRITTEN) >= MOST_WRITTEN:
            _WRITTEN.clear()
        _WRITTEN[key] = written
    return written


def _check_own(text: Any, own: Mapping[str, str], found: list[Step], given: Mapping[str, Array]) -> None:
    """Raise ValueError for a line of one's own that may not stand there, or that gives nothing that is derived."""
    values = Lines(found).run(given)
    for name in own:
        if name in given or any(step.name == name and step.phase != "backward" for step in found):
            raise ValueError(f"backward has a line for {name}, which is no gradient: it is there already")
    if not any(step.name in own and step.role == "gradient" for step in found):
        gradients = [step.name for step in found if step.role == "gradient"]
        raise ValueError(f"backward has no line for a gradient: there are {', '.join(gradients)}")
    read_lines(text, {name: np.asarray(value) for name, value in values.items() if name not in own})


def _with_own(derived: list[Step], own: Mapping[str, str], wanted: set[str]) -> list[Step]:
    """The backward pass with lines of one's own in it, each after what it uses, without what nothing needs any more."""
    by_name = {step.name: step for step in derived}
    for name, code in own.items():
        role, of = (by_name[name].role, by_name[name].of) if name in by_name else ("value", "")
        by_name[name] = line_of("backward", name, code, role, of)
    uses = {name: step.operands for name, step in by_name.items()}
    used = needed(uses, wanted | {name for name in own if by_name[name].role == "gradient"})
    if idle := [name for name in own if name not in used]:
        raise ValueError(f"backward has a line for {', '.join(idle)}, which no gradient needs")
    return [by_name[name] for name in in_order({name: each for name, each in uses.items() if name in used})]


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
