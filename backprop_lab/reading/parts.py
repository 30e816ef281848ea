"""What the cells of a line's result are made of: the line read as Python reads it, one part within another.

A place in a matrix has a number for each axis, or says along what it runs: `i` and `j` are the rows and columns of the
result, `k` is what a product sums over, and `n` and `m` are rows and columns that are gone through. A result of more
axes has a number for each.
"""

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import IntEnum
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import called, goes_cell_by_cell, names_in, tree_of
from backprop_lab.nn.steps import Step
from backprop_lab.reading.slopes import is_slope, slope_of, slopes_of
from backprop_lab.step.number_format import MINUS, listed
from backprop_lab.step.trace import Trace

Place = tuple[Any, ...]
FREE = "tsrqnm"  # the indices that take all values, by axis; a part of a line may have more axes than a value of a lab


class Binds(IntEnum):
    """How tightly a sign binds, from the least, as in Python."""

    COMPARED, ADDED, MULTIPLIED, NEGATIVE, POWER, WHOLE = range(6)


BINDS = {"+": Binds.ADDED, "-": Binds.ADDED, "neg": Binds.NEGATIVE, "**": Binds.POWER}
BINDS |= dict.fromkeys(("*", "/", "@"), Binds.MULTIPLIED)
COMPARISONS = (">", ">=", "<", "<=", "==", "!=")
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std")
JOINING = ("concatenate", "stack", "hstack", "vstack", "column_stack")
MOVING = ("reshape", "swapaxes", "transpose", "broadcast_to", "ravel", "copy")
SIGNS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.USub: "neg", ast.Pow: "**",
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


class UnclearError(Exception):
    """A line has something in it that is not known here."""


class Made(NamedTuple):
    """How a cell is made: by `op` of `parts`, each at its own place; `over` has the indices that take all values.

    `op` is a sign of SIGNS, one of REDUCTIONS or the name of a function that goes cell by cell; "einsum" is that of one
    which is no product @ or * of its values. What is made of nothing else is a "cell", of a matrix by name or of one
    that stands in the line, a "number", or a "count" of cells. What is the "same" is a cell of its one part, which has
    been picked, moved or put beside others.
    """

    op: str
    parts: tuple[tuple[ast.expr, Place], ...] = ()
    over: Mapping[str, int] = {}


class Reader:
    """Reads the lines of one trace, some of whose values may be `shown` as others."""

    def __init__(self, trace: Trace, shown: Mapping[str, Array] | None = None) -> None:
        self.trace = trace
        self._shown = shown or {}
        self._shapes: dict[ast.expr, tuple[int, ...]] = {}
        self._values: dict[ast.expr, Array] = {}
        self._moves: dict[Any, tuple[Array, Array, list[tuple[int, ...]]]] = {}

    def made(self, node: ast.expr, place: Place) -> Made:
        """How the cell of a part of a line is made that is broadcast to this place. Raises UnclearError."""
        place = self.placed(node, place)
        match node:
            case ast.Name(name) if name in self.trace:
                return Made("cell", ((node, place),))
            case ast.BinOp(left, ast.MatMult(), right):
                return self._product(left, right, place)
            case ast.Attribute(matrix, "mT" | "T" as turned):
                return self.made(matrix, place[::-1] if turned == "T" else (*place[:-2], *place[:-3:-1]))
            case _ if not place and not self._has_cells(node):
                return Made("number")
            case ast.Call(ast.Attribute(ast.Name("np"), "array")) if not self._has_cells(node):  # such as a mask
                return Made("cell", ((node, place),))
            case ast.Attribute(_, "size") | ast.Call(ast.Name("len")) | ast.Subscript(ast.Attribute(_, "shape")):
                if not place:
                    return Made("count")
            case ast.Call(ast.Attribute(ast.Name("np"), "eye" | "ones_like")):
                return Made("cell", ((node, place),))
            case ast.Subscript(ast.Call(ast.Attribute(ast.Name("np"), "eye"))):
                return Made("cell", ((node, place),))
            case ast.UnaryOp(ast.Invert(), mask) if self.value(mask).dtype == bool:
                return Made("-", ((ast.Constant(1), place), (mask, place)))
            case ast.Subscript(matrix, index):
                return self._moved([matrix], lambda names: ast.Subscript(names[0], index), place)
            case ast.UnaryOp(ast.USub(), operand):
                return Made("neg", ((operand, place),))
            case ast.BinOp(left, sign, right) | ast.Compare(left, [sign], [right]) if type(sign) in SIGNS:
                return Made(SIGNS[type(sign)], ((left, place), (right, place)))
            case ast.Call(ast.Call(_, [ast.Name() | ast.Attribute() as function], options) as vectorize, args):
                if (called(vectorize) or ("",))[0] == "vectorize" and all(each.arg == "otypes" for each in options):
                    return Made(ast.unparse(function), tuple((part, place) for part in args))
        match called(node):
            case "dot" | "matmul" as name, [left, right], [] if name == "matmul" or len(self.shape(right)) < 3:
                return self._product(left, right, place)
            case "inner", [left, right], [] if len(self.shape(right)) == 1:
                return self._product(left, right, place)
            case name, [matrix, *axis], options if name in REDUCTIONS:
                return self._reduction(name, matrix, axis, options, place)
            case "outer", [left, right], [] if len(self.shape(left)) == len(self.shape(right)) == 1:
                return Made("*", ((left, place[:1]), (right, place[1:])))
            case name, args, [] if goes_cell_by_cell(name, len(args)):
                return Made(name, tuple((part, place) for part in args))
            case "full_like", [_, value], []:
                return Made("same", ((value, self.placed(value, place)),))
            case "einsum", [ast.Constant(str(axes)), left, right], []:
                return self._einsum(axes, left, right, place)
            case name, [ast.Tuple(matrices) | ast.List(matrices), *args], options if name in JOINING:
                return self._moved(matrices, lambda names: _call(name, [ast.List(names), *args], options), place)
            case "flatten", [matrix], []:
                return self._moved([matrix], lambda names: _call("ravel", names, []), place)
            case name, [matrix, *args], options if name in MOVING:
                args = [ast.Tuple(args)] if name in ("reshape", "transpose") and len(args) > 1 else args
                return self._moved([matrix], lambda names: _call(name, [names[0], *args], options), place)
        raise UnclearError

    def _product(self, left: ast.expr, right: ast.expr, place: Place) -> Made:
        axes, others, stack = len(self.shape(left)), len(self.shape(right)), [*place]
        if not axes or not others:
            raise UnclearError
        column = [stack.pop()] if others > 1 else []
        row = [stack.pop()] if axes > 1 else []
        first, second = (*stack, *row, "k")[-axes:], (*stack, "k", *column)[-others:]
        return Made("@", ((left, first), (right, second)), {"k": self.shape(left)[-1]})

    def _einsum(self, axes: str, left: ast.expr, right: ast.expr, place: Place) -> Made:
        """As of "nd,md->nm": a product @ or * of two values, turned if need be; else of cells, and added up."""
        read = re.fullmatch(r"(\w*),(\w*)->(\w*)", axes.replace(" ", ""))
        if not read or len(read[1] + read[2]) != len(self.shape(left) + self.shape(right)):
            raise UnclearError
        sizes = dict(zip(read[1] + read[2], self.shape(left) + self.shape(right), strict=True))
        made, summed = read[3], "".join(letter for letter in sizes if letter not in read[3])
        sides = [
            [(value, letters), *[(ast.Attribute(value, "mT"), letters[::-1])] * (len(letters) == 2)]
            for value, letters in ((left, read[1]), (right, read[2]))
        ]
        for (first, one), (second, other) in [*product(*sides), *product(*sides[::-1])]:
            if not summed and made.endswith(one) and made.endswith(other):
                return Made("*", ((first, place), (second, place)))
            if len(other) < 3 and one[-1:] == other[:1] == summed and one[:-1] + other[1:] == made:
                return self._product(first, second, place)
        free = dict(zip(summed, "k" if len(summed) == 1 else "nmrqstuv", strict=False))
        at = dict(zip(made, place, strict=True)) | free
        parts = tuple((value, tuple(at[letter] for letter in letters)) for (value, letters), *_ in sides)
        return Made("einsum", parts, {free[letter]: sizes[letter] for letter in summed})

    def _moved(self, matrices: list[ast.expr], moving: Callable[[list[ast.expr]], ast.expr], place: Place) -> Made:
        """The cell of one of some matrices that stands at a place where cells are only picked, moved or put together.

        What does so is `moving` of the matrices; where each cell goes is seen by moving their numbers.
        """
        if any(isinstance(at, str) for at in place):
            raise UnclearError
        names = [f"_{k}" for k in range(len(matrices))]
        code = ast.unparse(moving([ast.Name(name) for name in names]))
        if (key := (code, *matrices)) not in self._moves:
            shapes = [self.shape(matrix) for matrix in matrices]
            ends = np.cumsum([math.prod(shape) for shape in shapes])
            numbers = np.split(np.arange(ends[-1]), ends[:-1])
            arrays = [each.reshape(shape) for each, shape in zip(numbers, shapes, strict=True)]
            self._moves[key] = self.trace.evaluate(code, **dict(zip(names, arrays, strict=True))), ends, shapes
        moved, ends, shapes = self._moves[key]
        number = int(moved[place])
        at = int(np.searchsorted(ends, number, side="right"))
        inside = np.unravel_index(number - (ends[at - 1] if at else 0), shapes[at])
        return Made("same", ((matrices[at], tuple(map(int, inside))),))

    def _reduction(
        self, name: str, matrix: ast.expr, axis: list[ast.expr], options: list[ast.keyword], place: Place
    ) -> Made:
        given = {each.arg: each.value for each in options} | dict(zip(("axis",), axis, strict=False))
        shape = self.shape(matrix)
        if len(axis) > 1 or given.keys() - {"axis", "keepdims"} or not shape:
            raise UnclearError
        try:
            along = ast.literal_eval(given.get("axis", ast.Constant(None)))
        except ValueError:
            raise UnclearError from None
        axes = {*range(len(shape))} if along is None else {each % len(shape) for each in np.atleast_1d(along).tolist()}
        kept = iter(at for k, at in enumerate(place) if len(place) < len(shape) or k not in axes)
        free = FREE[-len(shape) :]
        inside = tuple(free[k] if k in axes else next(kept) for k in range(len(shape)))
        return Made(name, ((matrix, inside),), {free[k]: shape[k] for k in sorted(axes)})

    def placed(self, node: ast.expr, place: Place) -> Place:
        """The place in a part of a line that NumPy broadcasts to a place in what is around it.

        Raises UnclearError where the part has more axes than the place.
        """
        shape = self.shape(node)
        if len(shape) > len(place):
            raise UnclearError
        return tuple(0 if n == 1 else at for n, at in zip(shape, place[len(place) - len(shape) :], strict=True))

    def number(self, node: ast.expr, place: Place) -> Any:
        """The number that a part of the line has at a place."""
        return self.value(node)[self.placed(node, place)]

    def value(self, node: ast.expr) -> Array:
        if node not in self._values:
            self._values[node] = np.asarray(self.trace.evaluate(ast.unparse(node), **self._shown))
        return self._values[node]

    def shape(self, node: ast.expr) -> tuple[int, ...]:
        """That of the value of a part of a line. Raises UnclearError if it has none, or too many axes."""
        if node not in self._shapes:
            try:
                self._shapes[node] = self._found_shape(node)
            except Exception:  # such as of the arguments in `np.maximum(*(X, 0))`, which are no value alone
                raise UnclearError from None
        if len(self._shapes[node]) > len(FREE):
            raise UnclearError
        return self._shapes[node]

    def _found_shape(self, node: ast.expr) -> tuple[int, ...]:
        """Without computing large products and sums once more."""
        match node:
            case ast.Name(name) if name in self.trace:
                return np.shape(self.trace[name])
            case ast.BinOp(left, ast.MatMult(), right) if len(self.shape(left)) == len(self.shape(right)) == 2:
                return (*self.shape(left)[:-1], *self.shape(right)[1:])
            case ast.BinOp(left, sign, right) if not isinstance(sign, ast.MatMult):
                return np.broadcast_shapes(self.shape(left), self.shape(right))
        return np.shape(self.trace.evaluate(ast.unparse(node)))

    def _has_cells(self, node: ast.expr) -> bool:
        return any(name in self.trace for name in names_in(ast.unparse(node)))

    def sources(self, name: str, place: Place) -> list[tuple[str, Place]]:
        """The cells that a cell of a computed matrix or slope is made of, as matrices and places, where `*` is all.

        Raises UnclearError if its line does not say so.
        """
        leaves = self._leaves(tree_of(line_of(self.trace, name)), place)
        found = dict.fromkeys((of, tuple("*" if _is_free(at) else at for at in inside)) for of, inside in leaves)
        return [each for each in found if not any(_within(each, other) for other in found)]

    def _leaves(self, node: ast.expr, place: Place) -> Iterator[tuple[str, Place]]:
        made = self.made(node, place)
        for part, inside in made.parts:
            if made.op != "cell":
                yield from self._leaves(part, inside)
            elif isinstance(part, ast.Name):
                yield part.id, inside


def _call(name: str, arguments: list[ast.expr], options: list[ast.keyword]) -> ast.expr:
    """A call of a function of NumPy."""
    return ast.Call(ast.Attribute(ast.Name("np"), name), arguments, options)


def _is_free(at: int | str) -> bool:
    """Whether an index takes all values."""
    return at not in ("i", "j") and isinstance(at, str)


def _within(one: tuple[str, Place], other: tuple[str, Place]) -> bool:
    """Whether all cells of one are among those of another."""
    return one != other and one[0] == other[0] and all(b in (a, "*") for a, b in zip(one[1], other[1], strict=True))


def typeset(code: str) -> str:
    """Code as it stands in a sum or an equation."""
    for written, short in (("np.", ""), ("math.", ""), ("maximum", "max"), ("minimum", "min"), ("-", MINUS)):
        code = code.replace(written, short)
    return code


def line_of(trace: Trace, name: str) -> str:
    """The code that computes a value or a slope. Raises KeyError if nothing does."""
    return slope_of(trace, name).code if is_slope(name) else trace.step(name).code


def taken_in(step: Step) -> list[str]:
    """The values whose numbers a step takes in: not those of which it asks no more than how large they are."""
    code = re.sub(r"\blen\(\w+\)|\b\w+\.(shape|size)\b|(?<=_like\()\w+(?=[,)])", "", step.code)
    return [name for name in step.operands if re.search(rf"\b{name}\b", code)]


def rules(trace: Trace) -> dict[str, list[tuple[str, ...]]]:
    """What cell [i, j] of each computed matrix or slope is made of, as (matrix, rows, columns), if its line says so.

    `("X", "*", "i"), ("dY1", "*", "j")` are column i of X and column j of dY1; `0` is the only row or column.
    """
    found, reader = {}, Reader(trace)
    for name in [*(step.name for step in trace.steps if np.ndim(step.value) < 3), *slopes_of(trace)]:
        with suppress(UnclearError):
            sources = reader.sources(name, ("i", "j"))
            if all(len(place) < 3 for _, place in sources):
                found[name] = [(of, *map(str, (0, *place)[-2:])) for of, place in sources if place]
    return found


def made_of(trace: Trace, name: str, where: tuple[int, ...]) -> str:
    """The rows, columns or cells of its operands that a cell is computed from, in words; "" if its line doesn't say."""
    parts = []
    with suppress(UnclearError):
        for of, place in Reader(trace).sources(name, where) if len(where) == 2 else ():
            match place:
                case (row, "*") if row != "*":
                    parts.append(f"row {row} of {of}")
                case ("*", column) if column != "*":
                    parts.append(f"column {column} of {of}")
                case _:
                    parts.append(of if "*" in place or not place else f"{of}[{', '.join(map(str, place))}]")
    return listed(parts)
