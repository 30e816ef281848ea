"""What expressions of Python give, on names in place of arrays.

What hangs on numbers, texts and lists alone is worked out; what hangs on arrays stays an expression, of the names of
lines. Nothing of it is run.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import add, eq, floordiv, ge, gt, le, lt, mod, mul, ne, sub
from types import EllipsisType
from typing import Any

OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.FloorDiv: floordiv, ast.Mod: mod, ast.Lt: lt, ast.LtE: le,
    ast.Gt: gt, ast.GtE: ge, ast.Eq: eq, ast.NotEq: ne, ast.Is: eq, ast.IsNot: ne,
}  # fmt: skip
OF_ANYTHING = ast.Add | ast.Eq | ast.NotEq | ast.Is | ast.IsNot
MOST_TURNS, LARGEST, LONGEST, DEEPEST = 50, 10**6, 1_000, 10  # turns, whole numbers, texts and lists, calls in calls
OF_ARRAYS = ("T", "mT", "shape", "size")
PLACEHOLDER = re.compile(r"__(\d+)__")  # stands for the name of a line

Scope = dict[str, Any]


class UnclearError(Exception):
    """The text has something that is not followed."""


@dataclass(frozen=True)
class Function:
    """A function of the text, and the scopes around it."""

    name: str
    arguments: ast.arguments
    body: Sequence[ast.stmt]
    around: Sequence[Scope]


class Expressions:
    """Expressions, where a name stands for that of a line, for a number, a text, a list, a function, or for itself."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """`shapes` are those of what is given, by name."""
        self.shapes = shapes
        self.lines: list[tuple[str, ast.expr]] = []  # each with the name that it had, which may come again
        self.scopes: list[Scope] = [{}]  # the outermost, and those of calls that have not returned
        self.results: dict[ast.expr, str] = {}  # of calls, with the name of the function, as long as they have no line

    def run(self, body: Sequence[ast.stmt], scopes: Sequence[Scope]) -> Any:
        """What statements return."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Any, scopes: Sequence[Scope], in_a_line: bool = True) -> None:
        """Let a name stand for a value from here on."""
        raise NotImplementedError

    def named(self, value: Any, name: str) -> Any:
        """A value with a line of its own, and all in a list, unless it is a number or has a name already."""
        if isinstance(value, list):
            value[:] = [self.named(each, one_of(name)) for each in value]
        elif isinstance(value, dict):
            value.update({key: self.named(each, str(key)) for key, each in value.items()})
        if not isinstance(value, ast.expr) or isinstance(value, ast.Name):
            return value
        self.lines.append((name if name.isidentifier() else "H", value))
        return ast.Name(f"__{len(self.lines) - 1}__", ast.Load())

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
            case list():
                return ast.List([*map(self.code, value)], ast.Load())
            case tuple():
                return ast.Tuple([*map(self.code, value)], ast.Load())
        raise UnclearError

    def is_true(self, test: ast.expr, scopes: Sequence[Scope]) -> bool:
        """Raises UnclearError where that hangs on arrays."""
        value = self.value(test, scopes)
        if isinstance(value, ast.expr):
            raise UnclearError
        return bool(value)

    def turns(self, over: ast.expr, scopes: Sequence[Scope]) -> list[Any]:
        """What a loop goes through."""
        turns = self._listed(self.value(over, scopes))
        if len(turns) > MOST_TURNS:
            raise UnclearError
        return turns

    def value(self, node: ast.expr, scopes: Sequence[Scope]) -> Any:
        """What an expression gives, in these scopes, the innermost last."""
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return next((scope[name] for scope in reversed(scopes) if name in scope), node)
            case ast.Attribute(holder, name):
                of = self.value(holder, scopes)
                if self._is_nobodys(of) and name in self.shapes and name not in OF_ARRAYS:
                    return ast.Name(name, ast.Load())
                return ast.Attribute(self.code(of), name, ast.Load())
            case ast.Subscript(holder, at):
                return self._part(self.value(holder, scopes), self.value(at, scopes))
            case ast.Slice(lower, upper, step):
                return ast.Slice(*(end and self.code(self.value(end, scopes)) for end in (lower, upper, step)))
            case ast.Tuple(parts):
                return tuple(self.value(each, scopes) for each in parts)
            case ast.List(parts):
                return [self.value(each, scopes) for each in parts]
            case ast.Dict(keys, values):
                pairs = zip(keys, values, strict=True)
                return {self._key(key, scopes): self.value(value, scopes) for key, value in pairs}
            case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]):
                return self.joined(op, self.value(left, scopes), self.value(right, scopes))
            case ast.UnaryOp(op, inner):
                value = self.value(inner, scopes)
                if isinstance(op, ast.USub | ast.Not) and isinstance(value, int | float):
                    return -value if isinstance(op, ast.USub) else not value
                return ast.UnaryOp(op, self.code(value))
            case ast.IfExp(test, body, otherwise):
                return self.value(body if self.is_true(test, scopes) else otherwise, scopes)
            case ast.ListComp(value, loops) | ast.GeneratorExp(value, loops):
                return [*self._each(value, loops, scopes)]
            case ast.JoinedStr(parts):
                written = (each.value if isinstance(each, ast.FormattedValue) else each for each in parts)
                return "".join(str(self._key(each, scopes)) for each in written)
            case ast.Lambda(arguments, inner):
                return Function("", arguments, [ast.Return(inner)], scopes)
            case ast.Call(_, arguments, keywords) if all(each.arg for each in keywords):
                given = [self.value(each, scopes) for each in arguments]
                return self._called(node, given, {str(k.arg): self.value(k.value, scopes) for k in keywords}, scopes)
        raise UnclearError

    def joined(self, op: ast.AST, left: Any, right: Any) -> Any:
        """Two values with an operator between."""
        if isinstance(left, ast.expr | float) or isinstance(right, ast.expr | float) or type(op) not in OPERATORS:
            if isinstance(op, ast.Add) and isinstance(left, int | float) and not left:  # a sum that begins with 0
                return right
            if isinstance(op, ast.cmpop):
                return ast.Compare(self.code(left), [op], [self.code(right)])
            return ast.BinOp(self.code(left), op, self.code(right))  # type: ignore[arg-type]
        are_whole = isinstance(left, int) and isinstance(right, int)
        repeats = isinstance(op, ast.Mult) and isinstance(left, list) and isinstance(right, int) and right < LONGEST
        if not (are_whole or repeats or isinstance(op, OF_ANYTHING)):
            raise UnclearError
        try:
            found = OPERATORS[type(op)](left, right)
        except (TypeError, ZeroDivisionError):
            raise UnclearError from None
        if (isinstance(found, int) and abs(found) <= LARGEST) or (
            isinstance(found, str | list | tuple) and len(found) <= LONGEST
        ):
            return found
        raise UnclearError

    def call(self, function: Function, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """What a function of the text returns. Its arguments have lines, but for those that a short one uses once."""
        asked = function.arguments
        names = [each.arg for each in (*asked.posonlyargs, *asked.args)]
        defaults = zip(names[len(names) - len(asked.defaults) :], asked.defaults, strict=True)
        values = {name: self.value(value, function.around) for name, value in defaults}
        values.update(zip(names, given, strict=False), **named)
        is_plain = not (asked.vararg or asked.kwonlyargs or asked.kwarg)
        if not is_plain or values.keys() != {*names} or len(given) > len(names) or len(self.scopes) > DEEPEST:
            raise UnclearError
        is_short = isinstance(function.body[0], ast.Return)
        used = [each.id for line in function.body for each in ast.walk(line) if isinstance(each, ast.Name)]
        in_place = {name for name in names if is_short and used.count(name) < 2}
        inner = {name: value if name in in_place else self.named(value, name) for name, value in values.items()}
        self.scopes.append(inner)
        result = self.run(function.body, (*function.around, inner))
        self.scopes.pop()
        if isinstance(result, ast.expr) and not isinstance(result, ast.Name) and not is_short:
            self.results[result] = function.name
        return result

    def _called(self, node: ast.Call, given: list[Any], named: dict[str, Any], scopes: Sequence[Scope]) -> Any:
        match node.func:
            case ast.Attribute(holder, "items" | "values" | "keys" as what) if not given:
                if isinstance(held := self.value(holder, scopes), dict):
                    return [*getattr(held, what)()]
        function = self.value(node.func, scopes)
        if isinstance(function, Function):
            return self.call(function, given, named)
        match function, given:
            case ast.Name("range"), [_] | [_, _] | [_, _, _]:
                numbers = range(*map(self._whole, given))
                if not 0 < len(numbers) <= MOST_TURNS:
                    raise UnclearError
                return [*numbers]
            case ast.Name("len"), [list() | tuple() | dict() | str() as held]:
                return len(held)
            case ast.Name("zip"), _:
                return [*zip(*map(self._listed, given), strict=False)]
            case ast.Name("enumerate"), [held, *start] if len(start) < 2:
                return [*enumerate(self._listed(held), *map(self._whole, start))]
            case ast.Name("reversed"), [held]:
                return self._listed(held)[::-1]
            case ast.Name("list" | "tuple"), [held]:
                return self._listed(held)
            case ast.Name("sum"), [list() | tuple() as held]:
                total: Any = 0
                for each in held:
                    total = self.joined(ast.Add(), total, each)
                return total
            case ast.Name("str"), [str() | int() as value]:
                return str(value)
        keywords = [ast.keyword(name, self.code(value)) for name, value in named.items()]
        return ast.Call(self.code(function), [*map(self.code, given)], keywords)

    def _each(self, value: ast.expr, loops: Sequence[ast.comprehension], scopes: Sequence[Scope]) -> Iterator[Any]:
        if not loops:
            yield self.value(value, scopes)
            return
        for turn in self.turns(loops[0].iter, scopes):
            self.assign(loops[0].target, turn, within := (*scopes, dict[str, Any]()), in_a_line=False)
            if all(self.is_true(test, within) for test in loops[0].ifs):
                yield from self._each(value, loops[1:], within)

    def _part(self, of: Any, at: Any) -> Any:
        """An entry of a list or dictionary, or of an array; of nobody's, as `params["W1"]` or `W[1]`, what is meant."""
        if isinstance(of, list | tuple | dict):
            if isinstance(at, ast.Slice):
                at = slice(*(end and self._whole(end) for end in (at.lower, at.upper, at.step)))
            try:
                return of[at]
            except (KeyError, IndexError, TypeError):
                raise UnclearError from None
        if self._is_nobodys(of):
            meant = at if isinstance(at, str) else f"{of.id}{at}"
            if meant not in self.shapes:
                raise UnclearError
            return ast.Name(meant, ast.Load())
        return ast.Subscript(self.code(of), self.code(at), ast.Load())

    def _is_nobodys(self, of: Any) -> bool:
        """Whether a name stands for nothing here, such as `params`, which holds what is given under other names."""
        return isinstance(of, ast.Name) and of.id not in (*self.shapes, "np", "math") and not PLACEHOLDER.match(of.id)

    def _key(self, part: ast.expr | None, scopes: Sequence[Scope]) -> str | int:
        """What a key of a dictionary, or a part of a text, gives: a text or a whole number."""
        if part is None or not isinstance(value := self.value(part, scopes), str | int):
            raise UnclearError
        return value

    def _listed(self, value: Any) -> list[Any]:
        """What a loop over a value goes through: of an array that is given, its parts along the first axis."""
        if isinstance(value, list | tuple | dict):
            return [*value]
        if isinstance(value, ast.Name) and (shape := self.shapes.get(value.id)) and shape[0] <= MOST_TURNS:
            return [ast.Subscript(value, ast.Constant(at), ast.Load()) for at in range(shape[0])]
        raise UnclearError

    def _whole(self, value: Any) -> int:
        """A whole number: one that is written, or that comes from the lengths of what is given."""
        while isinstance(value, ast.Name) and (line := PLACEHOLDER.fullmatch(value.id)):
            _, value = self.lines[int(line[1])]
        match value:
            case int(number) | ast.Constant(int(number)):
                return number
            case ast.UnaryOp(ast.USub(), inner):
                return -self._whole(inner)
            case ast.Call(ast.Name("len"), [ast.Name(name)]) if self.shapes.get(name):
                return self.shapes[name][0]
            case ast.Subscript(ast.Attribute(ast.Name(name), "shape"), at) if name in self.shapes:
                return int(self._part([*self.shapes[name]], self._whole(at)))
            case ast.BinOp(left, op, right) if type(op) in OPERATORS:
                return int(self.joined(op, self._whole(left), self._whole(right)))
        raise UnclearError


def one_of(name: str) -> str:
    """The name of one of several, such as h of hs, and loss of losses."""
    return name.removesuffix("es" if name.endswith("sses") else "s") or name
