"""What names stand for in a text that is followed on names in place of arrays: names of lines, numbers, texts, lists.

What hangs on numbers, texts and lists alone is worked out; what hangs on arrays stays an expression, of the names of
lines. Nothing of it is run.
"""

import ast
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import add, eq, floordiv, ge, gt, le, lt, mod, mul, ne, sub
from types import EllipsisType
from typing import Any

import numpy as np

OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.FloorDiv: floordiv, ast.Mod: mod, ast.Lt: lt, ast.LtE: le,
    ast.Gt: gt, ast.GtE: ge, ast.Eq: eq, ast.NotEq: ne,
}  # fmt: skip
MOST_TURNS, LARGEST, LONGEST = 50, 10**6, 1_000  # turns, whole numbers, texts and lists
FUNCTIONS_OF_NP = frozenset(f"np.{name}" for name in dir(np))
OF_ARRAYS = ("T", "mT", "shape", "size")
PLACEHOLDER = re.compile(r"__(\d+)__")  # stands for the name of a line

Scope = dict[str, Any]


class UnclearError(Exception):
    """The text has something that is not followed, in the line of that number, if it is known."""

    line = 0


class Once(list[Any]):
    """What can be gone through only once, such as a generator."""


class Counted(list[Any]):
    """What range(n) counts."""


class Values:
    """Values, and the lines that those have which are made of arrays."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """`shapes` are those of what is given, by name."""
        self.shapes = shapes
        self.lines: list[tuple[str, ast.expr]] = []  # each with the name that it had, which may come again
        self.scopes: list[Scope] = [{}]  # the outermost, and those of calls that have not returned
        self.holders: dict[str, str] = {}  # of what is given, such as params, by its name
        self.results: dict[ast.expr, str] = {}  # of calls, with the name of the function, as long as they have no line

    def named(self, value: Any, name: str) -> Any:
        """A value with a line of its own, and all in a list, unless it is a number or has a name already."""
        if isinstance(value, Once):
            raise UnclearError
        if isinstance(value, list):
            value[:] = [self.named(each, one_of(name)) for each in value]
        elif isinstance(value, tuple):
            return tuple(self.named(each, one_of(name)) for each in value)
        elif isinstance(value, dict):
            value.update({key: self.named(each, str(key)) for key, each in value.items()})
        if not isinstance(value, ast.expr) or isinstance(value, ast.Name) or ast.unparse(value) in FUNCTIONS_OF_NP:
            return value
        self.lines.append((name if name.isidentifier() else "H", value))
        return ast.Name(f"__{len(self.lines) - 1}__", ast.Load())

    def meant(self, value: Any) -> Any:
        """What the line gives whose name a value is; any other value is what it is."""
        while isinstance(value, ast.Name) and (line := PLACEHOLDER.fullmatch(value.id)):
            _, value = self.lines[int(line[1])]
        return value

    def code(self, value: Any) -> ast.expr:
        """A value as it is written in a larger expression. Raises UnclearError where it cannot stand there."""
        match value:
            case ast.expr() if value in self.results:
                return self.code(self.named(value, self.results.pop(value)))
            case ast.expr():
                return value
            case int() | float() if value < 0:
                return ast.UnaryOp(ast.USub(), ast.Constant(-value))
            case int() | float() | str() | None | EllipsisType():
                return ast.Constant(value)
            case Counted() if value == [*range(len(value))]:
                return ast.parse(f"np.arange({len(value)})", mode="eval").body
            case list():
                return ast.List([*map(self.code, value)], ast.Load())
            case tuple():
                return ast.Tuple([*map(self.code, value)], ast.Load())
        raise UnclearError

    def joined(self, op: ast.AST, left: Any, right: Any) -> Any:
        """Two values with an operator between: worked out, of whole numbers, texts and lists."""
        both = (left, right)
        are_numbers = all(isinstance(each, int | float) for each in both)
        is_rounded = are_numbers and float in map(type, both) and not isinstance(op, ast.cmpop)
        if is_rounded or type(op) not in OPERATORS or any(isinstance(each, ast.expr) for each in both):
            return self._written(op, left, right)
        repeats = isinstance(op, ast.Mult) and isinstance(left, list) and isinstance(right, int) and right < LONGEST
        if repeats and any(isinstance(each, ast.expr) and not isinstance(each, ast.Name) for each in left):
            raise UnclearError  # the same array, several times
        if not (are_numbers or repeats or isinstance(op, ast.Add | ast.Eq | ast.NotEq)):
            raise UnclearError
        try:
            found = OPERATORS[type(op)](left, right)
        except (TypeError, ZeroDivisionError):
            raise UnclearError from None
        is_held = isinstance(found, str | list | tuple) and len(found) <= LONGEST
        if is_held or (isinstance(found, int) and abs(found) <= LARGEST):
            return found
        raise UnclearError

    def _written(self, op: ast.AST, left: Any, right: Any) -> Any:
        """The same as an expression; a sum that begins with 0 begins with what comes after it."""
        is_0 = isinstance(left, int | float) and not left and not self._may_be_a_mask(right)
        match op:
            case ast.Add() if is_0:
                return right
            case ast.Sub() if is_0:
                return ast.UnaryOp(ast.USub(), self.code(right))
            case ast.cmpop():
                return ast.Compare(self.code(left), [op], [self.code(right)])
            case ast.operator():
                return ast.BinOp(self.code(left), op, self.code(right))
        raise UnclearError

    def _may_be_a_mask(self, value: Any) -> bool:
        """Whether a value may be made of True and False, which add up in another way."""
        made = self.meant(value)
        is_made = isinstance(made, ast.BinOp | ast.UnaryOp | ast.Call)
        return not is_made or any(isinstance(each, ast.Compare) for each in ast.walk(made))

    def part(self, of: Any, at: Any) -> Any:
        """An entry of a list or dictionary, or of an array; of nobody's, as `params["W1"]` or `W[1]`, what is meant."""
        if isinstance(of, list | tuple | dict):
            if isinstance(at, ast.Slice):
                at = slice(*(end and self.whole(end) for end in (at.lower, at.upper, at.step)))
            try:
                return of[at]
            except (KeyError, IndexError, TypeError):
                raise UnclearError from None
        if self.is_nobodys(of):
            return self.given_as(at if isinstance(at, str) else f"{ast.unparse(of)}{at}", of)
        return ast.Subscript(self.code(of), self.code(at), ast.Load())

    def is_nobodys(self, of: Any) -> bool:
        """Whether a name stands for nothing here, such as `params`, which holds what is given under other names."""
        if isinstance(of, ast.Attribute):  # self.params
            return self.is_nobodys(of.value) and of.attr not in OF_ARRAYS
        return isinstance(of, ast.Name) and of.id not in (*self.shapes, "np", "math") and not PLACEHOLDER.match(of.id)

    def given_as(self, name: str, of: ast.expr) -> ast.Name:
        """What is given by that name. Raises UnclearError if it is not, or if it is what something else holds."""
        holder = re.sub(r"\d+$", "", ast.unparse(of))
        if name not in self.shapes or self.holders.setdefault(name, holder) != holder:
            raise UnclearError
        return ast.Name(name, ast.Load())

    def end(self, value: Any) -> ast.expr:
        """An end of a slice: as a number, if it is computed."""
        if isinstance(value, ast.BinOp):
            with suppress(UnclearError):
                return ast.Constant(self.whole(value))
        return self.code(value)

    def listed(self, value: Any) -> list[Any]:
        """What a loop over a value goes through: of an array that is given, its parts along the first axis."""
        if isinstance(value, list | tuple | dict):
            return [*value]
        if isinstance(value, ast.Name) and (shape := self.shapes.get(value.id)) and shape[0] <= MOST_TURNS:
            return [ast.Subscript(value, ast.Constant(at), ast.Load()) for at in range(shape[0])]
        raise UnclearError

    def whole(self, value: Any) -> int:
        """A whole number: one that is written, or that comes from the lengths of what is given."""
        match self.meant(value):
            case int(number) | ast.Constant(int(number)):
                return number
            case ast.UnaryOp(ast.USub(), inner):
                return -self.whole(inner)
            case ast.Call(ast.Name("len"), [ast.Name(name)]) if self.shapes.get(name):
                return self.shapes[name][0]
            case ast.Subscript(ast.Attribute(ast.Name(name), "shape"), at) if name in self.shapes:
                return int(self.part([*self.shapes[name]], self.whole(at)))
            case ast.BinOp(left, op, right) if type(op) in OPERATORS:
                return int(self.joined(op, self.whole(left), self.whole(right)))
        raise UnclearError


def one_of(name: str) -> str:
    """The name of one of several, such as h of hs, and loss of losses."""
    return name.removesuffix("es" if name.endswith("sses") else "s") or name
