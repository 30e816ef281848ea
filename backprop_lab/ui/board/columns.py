"""The columns of the board: which matrices stand one above the other, in the order of a step."""

from collections.abc import Container
from itertools import chain
from typing import NamedTuple

import numpy as np

from backprop_lab.nn.steps import SCALARS
from backprop_lab.reading.slopes import SLOPE, slopes_of
from backprop_lab.step.trace import Trace

AVERAGED = "avg"  # what a label says of squares that are means


class Column(NamedTuple):
    """Matrices one above the other, as (name, rows, columns), for each row of the board.

    One of memories has above, beside the gradients that they take in, and below what the update makes of them.
    """

    values: list[tuple[str, int, int]]
    gradients: list[tuple[str, int, int]]
    new: list[tuple[str, int, int]]
    memories: bool = False

    @property
    def rows(self) -> tuple[list[tuple[str, int, int]], ...]:
        return self.values, self.gradients, self.new

    @property
    def cols(self) -> int:
        return max(cols for row in self.rows for _, _, cols in row)

    def longest(self, averaged: Container[str]) -> int:
        """Letters of its longest label. That of a slope can be short; some say that their squares are averaged."""
        more = len(AVERAGED) + 1
        return max(len(name.split(" ")[0]) + more * (name in averaged) for row in self.rows for name, _, _ in row)


def columns_of(trace: Trace, memories: str = "apart", stacked: bool = False) -> list[Column]:
    """The columns of the board: samples, each layer's parameters and outputs, the loss line by line, and targets.

    `memories` stand right of their parameters, each kind "apart" or all "together", or "beneath" them. The values
    between a layer's input and output have a column each, or one for all of them if they are `stacked`.
    """

    def sized(*names: str) -> list[tuple[str, int, int]]:
        return [(name, *np.atleast_2d(trace[name]).shape) for name in names]

    def those(role: str, *names: str) -> list[tuple[str, int, int]]:
        """The gradients of some values, or what is new in their place."""
        by_owner = {step.of: step.name for step in trace.steps if step.role == role}
        return sized(*(by_owner[name] for name in names if name in by_owner))

    slopes = slopes_of(trace)
    columns = [Column(sized("X"), [], sized(*(name for name in SCALARS if name in trace.given)))]
    for layer, X, Y, n in trace.problem.network.stages:
        if layer.learnt:
            names = [f"{p}{n}" for p in layer.learnt]
            columns.append(Column(sized(*names), those("gradient", *names), those("new", *names)))
            own = columns.pop()
            kinds = [
                Column(sized(*kept), sized(*lines), sized(*last), True) for kept, lines, last in _memories(trace, names)
            ]
            if memories == "together" and kinds:
                kinds = [_joined(kinds, memories=True)]
            columns += [_joined([own, *kinds])] if memories == "beneath" else [own, *kinds]
        lines = [step for step in trace.steps if step.names.get("Y") == Y and step.names["X"] == X]
        between = [step.name for step in lines if step.phase == "forward" and step.name != Y]
        between = [mask for mask in trace.problem.network.masks if lines[0].names.get("mask") == mask] + between
        inner = [Column(sized(name), those("gradient", name), []) for name in between]
        columns += [_joined(inner)] if stacked and inner else inner
        on_the_way = [step.name for step in lines if step.phase == "backward" and step.role == "value"]
        columns += [Column([], sized(name), []) for name in on_the_way]
        slope = [(SLOPE + Y, *trace[Y].shape)] if SLOPE + Y in slopes else []
        columns.append(Column(sized(Y), those("gradient", Y) + slope, []))
    lines = [step for step in trace.steps if "Y" not in step.names and step.phase in ("loss", "backward")]
    between = [step.name for step in lines if step.phase == "loss" and step.name != "L"]
    columns += [Column(sized(name), those("gradient", name), []) for name in between]
    on_the_way = [step.name for step in lines if step.phase == "backward" and step.role == "value"]
    columns += [Column([], sized(name), []) for name in on_the_way]
    return [*columns, Column(sized("y", "L"), [], [])]


def _joined(columns: list[Column], memories: bool = False) -> Column:
    """Columns one beneath the other, in each row of the board."""
    values, gradients, new = ([*chain(*row)] for row in zip(*(column.rows for column in columns), strict=True))
    return Column(values, gradients, new, memories)


def _memories(trace: Trace, parameters: list[str]) -> list[tuple[list[str], list[str], list[str]]]:
    """For each kind of memory, such as m: those of some parameters, and what the update makes of them, line by line.

    The last of these lines stands below, beside the new parameters that it makes; those before it above that. A line
    that uses several memories is with the first, and one that uses none, such as a clipped gradient, with the last.
    """
    kinds: list[dict[str, list[str]]] = []
    for p in parameters:
        update = [step for step in trace.problem.lines if step.phase == "update" and step.names["p"] == p]
        memories = [step.of for step in update if step.of not in ("", p)]
        kinds = kinds or [{"": []} for _ in memories]
        kind = {memory: k for k, memory in enumerate(memories)}
        for memory, k in kind.copy().items():
            kinds[k][""].append(memory)
        for step in update:
            if memories and step.of != p:
                uses = [kind[name] for name in (step.of, *step.operands) if name in kind]
                kind[step.name] = uses[0] if uses else len(memories) - 1
                kinds[kind[step.name]].setdefault(step.result, []).append(step.name)
    rows = [[*lines.values()] for lines in kinds]
    return [(memories, [name for line in lines for name in line], last) for memories, *lines, last in rows]
