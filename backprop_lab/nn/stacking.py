"""Lines of NumPy rewritten so that they take many problems at once, each array a stack of theirs."""

import ast
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from backprop_lab.nn.lines import NAMESPACE, Array, called, goes_cell_by_cell, names_in


class CannotBeStackedError(Exception):
    """A line does something that nobody has said how to do for many problems at once. It says which line."""


_LIKE_ANOTHER = {("zeros_like", 1), ("ones_like", 1), ("full_like", 2)}
_REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std")


class Stacking:
    """A line rewritten so that it takes a stack of problems, (S, N, D), to what it gives for each of them alone.

    Axes are counted from the end, a length is that of one problem, and a sum over all is one over the last two axes. In
    a stack each value has these two at least: what is one number to a problem is (S, 1, 1), a row of numbers (S, 1, N).
    `dimensions` says how many the values have to one problem. Raises CannotBeStackedError for what is not known here.
    """

    def __init__(self, dimensions: Mapping[str, int]) -> None:
        self.dimensions = dimensions

    def visit(self, node: ast.expr) -> tuple[ast.expr, int]:
        """A part of a line, rewritten, and how many dimensions it has to one problem."""
        match node:
            case ast.Constant() | ast.Attribute(ast.Name("math" | "np"), "pi" | "e"):
                return node, 0
            case ast.Name(name) if name in self.dimensions:
                return node, self.dimensions[name]
            case ast.UnaryOp(op, operand):
                of, n = self.visit(operand)
                return ast.UnaryOp(op, of), n
            case ast.BinOp(left, op, right):
                (a, m), (b, n) = self.visit(left), self.visit(right)
                if not isinstance(op, ast.MatMult):
                    return ast.BinOp(a, op, b), max(m, n)
                if (m, n) == (2, 2):
                    return ast.Call(ast.Name("_products", ast.Load()), [a, b], []), 2
            case ast.Compare(left, [op], [right]):
                (a, m), (b, n) = self.visit(left), self.visit(right)
                return ast.Compare(a, [op], [b]), max(m, n)
            case ast.Attribute(value, "T" | "mT"):
                of, n = self.visit(value)
                if n == 2:
                    return ast.Attribute(of, "mT", ast.Load()), 2
            case ast.Attribute(value, "size") if self.visit(value)[1] == 2:
                return ast.BinOp(self._length(value, 0)[0], ast.Mult(), self._length(value, 1)[0]), 0
            case ast.Subscript(ast.Attribute(of, "shape"), ast.Constant(0 | 1) as axis):
                return self._length(of, 1 if axis.value else 0)
            case ast.Subscript(of, ast.Tuple([ast.Call(ast.Attribute(ast.Name("np"), "arange"), [rows], []), labels])):
                (scores, m), (count, k), (chosen, n) = map(self.visit, (of, rows, labels))
                if (m, k, n) == (2, 0, 1):
                    return ast.Call(ast.Name("_picked", ast.Load()), [scores, count, chosen], []), 1
            case ast.Subscript(ast.Call(ast.Attribute(ast.Name("np"), "eye"), [classes], []), labels):
                (count, k), (chosen, n) = self.visit(classes), self.visit(labels)
                if (k, n) == (0, 1):
                    return ast.Call(ast.Name("_ones", ast.Load()), [count, chosen], []), 2
            case ast.Subscript(of, ast.Tuple([ast.Slice(None, None, None), ast.Constant(None)])):
                row, n = self.visit(of)
                if n == 1:
                    return ast.Attribute(row, "mT", ast.Load()), 2
            case ast.Subscript(of, ast.Constant(None) | ast.Tuple([ast.Constant(None), ast.Slice(None, None, None)])):
                row, n = self.visit(of)
                if n == 1:
                    return row, 2
            case ast.Subscript(of, ast.Slice() as rows) | ast.Subscript(of, ast.Tuple([ast.Slice() as rows])):
                return self.visit(ast.Subscript(of, ast.Tuple([rows, ast.Slice()])))
            case ast.Subscript(of, ast.Tuple([ast.Slice() as rows, ast.Slice() as columns]) as places):
                matrix, n = self.visit(of)
                if n == 2 and not any(isinstance(part, ast.Name) for part in ast.walk(places)):
                    every = ast.Tuple([ast.Constant(...), rows, columns], ast.Load())
                    return ast.Subscript(matrix, every, ast.Load()), 2
            case ast.Call(ast.Name("len"), [of]):
                return self._length(of, 0)
            case ast.Call(ast.Attribute(ast.Name("math")) as function, arguments, []):
                if not {*names_in(ast.unparse(node))} - NAMESPACE.keys():  # else it is none of many problems
                    return ast.Call(function, [self.visit(each)[0] for each in arguments], []), 0
            case ast.Call():
                return self._call(*called(node) or ("", [], []))
        raise CannotBeStackedError

    def _length(self, node: ast.expr, axis: int) -> tuple[ast.expr, int]:
        of, n = self.visit(node)
        if axis >= n or n > 2:
            raise CannotBeStackedError
        shape = ast.Attribute(of, "shape", ast.Load())
        return ast.Subscript(shape, ast.Constant(axis - n), ast.Load()), 0

    def _call(self, name: str, arguments: list[ast.expr], options: list[ast.keyword]) -> tuple[ast.expr, int]:
        if name == "array":  # a matrix of its own, which is the same for all
            with suppress(ValueError):
                return ast.Call(_of_numpy(name), arguments, options), np.ndim(ast.literal_eval(arguments[0]))
        if name in _REDUCTIONS and arguments:
            return self._reduced(name, arguments, options)
        if name in ("dot", "matmul"):
            return self.visit(ast.BinOp(arguments[0], ast.MatMult(), arguments[1]))
        if name in ("concatenate", "hstack", "vstack"):
            return self._joined(name, arguments, options)
        if name in ("ones", "full", "broadcast_to") and not options:
            return self._filled(arguments if name == "full" else arguments[::-1])
        is_like_one = (name, len(arguments)) in _LIKE_ANOTHER
        if options or not (goes_cell_by_cell(name, len(arguments)) or is_like_one):
            raise CannotBeStackedError
        parts = [self.visit(argument) for argument in arguments]
        return ast.Call(_of_numpy(name), [part for part, _ in parts], []), max(n for _, n in parts)

    def _reduced(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> tuple[ast.expr, int]:
        options = {each.arg: each.value for each in keywords} | dict(zip(("axis",), arguments[1:], strict=False))
        of, n = self.visit(arguments[0])
        try:
            axis, keepdims = (ast.literal_eval(options.pop(each, ast.Constant(None))) for each in ("axis", "keepdims"))
        except ValueError:
            raise CannotBeStackedError from None
        axis = None if n == 2 and axis in ((0, 1), (-2, -1)) else axis
        if options or n > 2 or len(arguments) > 2 or not isinstance(axis, int | None):
            raise CannotBeStackedError
        if n == 0 or (axis is not None and not -n <= axis < n):
            raise CannotBeStackedError
        over: Any = ast.Constant(axis if axis is None or axis < 0 else axis - n)
        if axis is None:
            over = ast.Tuple([ast.Constant(-2), ast.Constant(-1)], ast.Load())
        along = [ast.keyword("axis", over)]
        if n == 2 and axis in (1, -1) and not keepdims:
            turned = ast.Call(_of_numpy(name), [of], along)  # a number a row: together they are a row themselves
            return ast.Call(_of_numpy("expand_dims"), [turned, ast.Constant(-2)], []), 1
        left = n if keepdims else 0 if axis is None else n - 1
        return ast.Call(_of_numpy(name), [of], [*along, ast.keyword("keepdims", ast.Constant(True))]), left

    def _filled(self, arguments: list[ast.expr]) -> tuple[ast.expr, int]:
        """An array of a shape that is filled with what comes after that, or with ones."""
        lengths, value = [self.visit(each)[0] for each in getattr(arguments[0], "elts", [])], arguments[1:]
        if len(lengths) not in (1, 2):
            raise CannotBeStackedError
        shape = ast.Tuple([ast.Constant(1)] * (2 - len(lengths)) + lengths, ast.Load())
        filled = ast.Call(_of_numpy("ones"), [shape], [])
        return ast.BinOp(self.visit(value[0])[0], ast.Mult(), filled) if value else filled, len(lengths)

    def _joined(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> tuple[ast.expr, int]:
        axis: Any = {"hstack": 1, "vstack": 0}.get(name, 0)
        given = [each.value for each in keywords if each.arg == "axis"] + arguments[1:]
        axis = given[0].value if given and isinstance(given[0], ast.Constant) else axis
        parts = [self.visit(each) for each in getattr(arguments[0], "elts", [])]
        if not parts or axis not in (0, 1) or {n for _, n in parts} != {2}:
            raise CannotBeStackedError
        joined = ast.List([part for part, _ in parts], ast.Load())
        return ast.Call(_of_numpy("concatenate"), [joined, ast.Constant(axis - 2)], []), 2


def products(left: Array, right: Array, out: Array | None = None) -> Array:
    """`left @ right` of stacks, (S, N, D) and (S, D, H), in the way that is faster.

    NumPy multiplies a stack matrix by matrix, which for tiny ones is mostly overhead. Where the problems lie side by
    side in memory (order "F"), this takes one entry [n, d] of all times one entry [d, h] of all in one go through
    memory, and so on for all n, d and h.
    """
    along_the_problems = left.ndim == right.ndim == 3 and left.strides[0] == left.itemsize
    if along_the_problems:
        return np.einsum("snd,sdh->snh", left, right, out=out)
    return np.matmul(left, right, out=out)


def picked(scores: Array, rows: int, labels: Array) -> Array:
    """`scores[np.arange(rows), labels]` of stacks, (S, N, K) and (S, 1, N) or plain labels, (N,), as (S, 1, N)."""
    places = np.atleast_2d(labels).mT
    axes = max(scores.ndim, places.ndim)
    scores, places = (each[(None,) * (axes - each.ndim)] for each in (scores[..., :rows, :], places))
    return np.take_along_axis(scores, places, axis=-1).mT


def ones(classes: int, labels: Array) -> Array:
    """`np.eye(classes)[labels]` of stacks, (S, 1, N), as (S, N, K); of plain labels, (N,), as (N, K)."""
    return np.eye(classes)[labels if labels.ndim == 1 else labels[..., 0, :]]


def _of_numpy(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load())
