"""The columns of the board: which matrices stand one above the other, in the order of a step."""

from collections.abc import Container
from itertools import chain, product
from typing import NamedTuple

from backprop_lab.nn.steps import SCALARS, Step
from backprop_lab.reading.parts import taken_in
from backprop_lab.reading.slopes import SLOPE, in_rows, slopes_of
from backprop_lab.step.trace import Trace

Matrix = tuple[str, int, int]  # its name, and how many rows and columns it has
AVERAGED = "avg"  # what a label says of squares that are means


class Column(NamedTuple):
    """Matrices one above the other, as (name, rows, columns), for each row of the board.

    One of memories has above, beside the gradients that they take in, and below what the update makes of them. A column
    `takes_in` something of the one before, and its gradients, which it `gives_back`, something of those of the next.
    """

    values: list[Matrix]
    gradients: list[Matrix]
    new: list[Matrix]
    memories: bool = False
    takes_in: bool = True
    gives_back: bool = True

    @property
    def rows(self) -> tuple[list[Matrix], ...]:
        return self.values, self.gradients, self.new

    @property
    def cols(self) -> int:
        return max(cols for row in self.rows for _, _, cols in row)

    def longest(self, averaged: Container[str]) -> int:
        """Letters of its longest label. That of a slope can be short; some say that their squares are averaged."""
        more = len(AVERAGED) + 1
        return max(len(name.split(" ")[0]) + more * (name in averaged) for row in self.rows for name, _, _ in row)


class Stock:
    """The matrices of a trace, with their gradients and what is new in their place."""

    def __init__(self, trace: Trace, memories: str) -> None:
        self.trace, self._how = trace, memories
        self._slopes = slopes_of(trace)
        self._owned: dict[tuple[str, str], list[str]] = {}
        for name, of in trace.problem.upstream.items():  # one that is given, and with it perhaps a whole one
            self._owned[("gradient", of)] = [name]
        for step in trace.steps:
            self._owned.setdefault((step.role, step.of), []).append(step.name)

    def sized(self, *names: str) -> list[Matrix]:
        return [(name, *in_rows(self.trace[name]).shape) for name in names]

    def those(self, role: str, *names: str) -> list[Matrix]:
        """The gradients of some values, or what is new in their place."""
        return self.sized(*(each for name in names for each in self._owned.get((role, name), ())))

    def column(self, *names: str) -> Column:
        """Some matrices, above what has become of each of them."""
        slopes = [(SLOPE + name, *self.trace[name].shape) for name in names if SLOPE + name in self._slopes]
        return Column(self.sized(*names), self.those("gradient", *names) + slopes, self.those("new", *names))

    def with_memories(self, *parameters: str, beneath: tuple[str, ...] = ()) -> list[Column]:
        """The column of some parameters, that stand beneath other matrices, and those of what is remembered of them."""
        own = self.column(*beneath, *parameters)
        kinds = [
            Column(self.sized(*kept), self.sized(*lines), self.sized(*last), True)
            for kept, lines, last in _memories(self.trace, [*parameters])
        ]
        if self._how == "together" and kinds:
            kinds = [_joined(kinds, memories=True)]
        return [_joined([own, *kinds])] if self._how == "beneath" else [own, *kinds]


MANY = 99  # more than stand one above the other


def ways_of(trace: Trace) -> list[tuple[str, int]]:
    """In which ways the columns of a board can be made: how memories stand, and how high a stack may be."""
    memories = ("apart", "together", "beneath") if trace.problem.lines.memories else ("apart",)
    return [*product(memories, (1, MANY) if trace.problem.stages else (MANY, 6, 4, 3, 2))]


def columns_of(trace: Trace, memories: str = "apart", most: int = 1) -> list[Column]:
    """The columns of the board: samples, each layer's parameters and outputs, the loss line by line, and targets.

    `memories` stand right of their parameters, each kind "apart" or all "together", or "beneath" them. The values
    between a layer's input and output have a column each, or one for all of them if a stack may have `most` matrices. A
    program whose values do not follow each other in a row has a column a level: see `_levels`.
    """
    stock = Stock(trace, memories)
    lines = [step for step in trace.steps if step.phase in ("forward", "loss")]
    first = Column([], [], stock.sized(*(name for name in SCALARS if name in trace.given)))
    if not trace.problem.stages:
        return _levels(stock, lines, first, most)
    columns = [_joined([stock.column("X"), first])]
    shown: set[str] = set()
    for _, X, Y, _, parameters in trace.problem.stages:
        if new := [name for name in parameters.values() if name not in shown]:
            columns += stock.with_memories(*new)
        shown |= {*new}
        steps = [step for step in trace.steps if step.names.get("Y") == Y and step.names["X"] == X]
        between = [step.name for step in steps if step.phase == "forward" and step.name != Y]
        between = [mask for mask in trace.problem.masks if steps[0].names.get("mask") == mask] + between
        inner = [stock.column(name) for name in between]
        columns += [_joined(inner)] if len(inner) <= most and inner else inner
        on_the_way = [step.name for step in steps if step.phase == "backward" and step.role == "value"]
        columns += [Column([], stock.sized(name), []) for name in on_the_way]
        columns.append(stock.column(Y))
    steps = [step for step in trace.steps if "Y" not in step.names and step.phase in ("loss", "backward")]
    columns += [stock.column(step.name) for step in steps if step.phase == "loss" and step.name != "L"]
    on_the_way = [step.name for step in steps if step.phase == "backward" and step.role == "value"]
    columns += [Column([], stock.sized(name), []) for name in on_the_way]
    return [*columns, Column(stock.sized("y", "L"), [], [])]


def _levels(stock: Stock, lines: list[Step], first: Column, most: int) -> list[Column]:
    """The columns of a program: a level has the values to which so many lines lead, and beneath them the data and the
    parameters that are first used there.

    Parameters stand before them where they would make more than `most` matrices in a stack; and where there is one
    value a level, made of the one before, which then reads as the product.
    """
    trace, problem = stock.trace, stock.trace.problem
    levels: dict[str, int] = {}
    given = [name for name in trace.given if name not in (*SCALARS, *problem.upstream, *problem.lines.memories)]
    at: dict[str, int] = {}
    for step in lines:
        takes = taken_in(step)
        levels[step.name] = max([1, *(max(levels.get(each, 0) + 1, at.get(each, 1)) for each in takes)])
        at |= {name: levels[step.name] for name in takes if name in given and name not in at}
    at = {name: at.get(name, 0) for name in given}
    at |= {name: 0 for name in given if at[name] == 1 and name not in problem.parameters}
    values = [[name for name in levels if levels[name] == level] for level in range(max(levels.values()) + 1)]
    is_row = all(len(names) == 1 for names in values[1:]) and all(
        {each for each in taken_in(step) if each in levels} <= {*values[levels[step.name] - 1]} for step in lines
    )
    columns: list[Column] = []
    for level, names in enumerate(values):
        data = [name for name in given if at[name] == level and name not in problem.parameters]
        learnt = [name for name in given if at[name] == level and name in problem.parameters]
        here = [*data, *names] if problem.loss_name in names else [*names, *data]
        if is_row or len(here) + len(learnt) > most:
            for at_once in _in_stacks(learnt, max(most, 2)):
                columns += stock.with_memories(*at_once)
            columns.append(stock.column(*here))
        else:
            columns += stock.with_memories(*learnt, beneath=(*here,))
    columns[0] = _joined([columns[0], first])
    _put_on_the_way(columns, trace)
    if is_row:
        return columns
    operands = {step.name: step.operands for step in trace.steps}

    def goes(into: list[Matrix], of: list[Matrix]) -> bool:
        return any(name in operands.get(user, ()) for user, *_ in into for name, *_ in of)

    found = []
    for k, column in enumerate(columns):
        later = [each.gradients for each in columns[k + 1 :]]
        takes_in = k > 0 and goes(column.values, columns[k - 1].values)
        gives_back = not any(later) or goes(column.gradients, later[0])  # the first of all takes in the loss
        found.append(column._replace(takes_in=takes_in, gives_back=gives_back))
    return found


def _in_stacks(names: list[str], most: int) -> list[list[str]]:
    """Names in as many stacks as they need, each about as high."""
    stacks = -(-len(names) // most)
    return [names[len(names) * k // stacks : len(names) * (k + 1) // stacks] for k in range(stacks)]


def _put_on_the_way(columns: list[Column], trace: Trace) -> None:
    """Place each value of the backward pass that is no gradient above the first gradient that it goes into."""
    for step in reversed([step for step in trace.steps if step.phase == "backward" and step.role == "value"]):
        user = next(each.name for each in trace.steps if step.name in each.operands)
        for column in columns:
            names = [name for name, _, _ in column.gradients]
            if user in names:
                column.gradients.insert(names.index(user), (step.name, *in_rows(step.value).shape))


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
        update = [step for step in trace.problem.lines if step.phase == "update" and step.names.get("p") == p]
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
