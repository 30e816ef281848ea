"""What expressions and functions of a text give, followed on names in place of arrays."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backprop_lab.deriving.values import MOST_TURNS, OF_ARRAYS, Counted, Once, Scope, UnclearError, Values

DEEPEST = 10  # calls in calls
A_PARAMETER = re.compile(r"[Wb]\d+")
CHANGING = (
    "fill",
    "sort",
    "put",
    "resize",
    "partition",
    "copyto",
    "place",
    "putmask",
    "fill_diagonal",
    "at",
    "shuffle",
)


@dataclass(frozen=True)
class Function:
    """A function of the text, the values that its last arguments have by default, and the scopes around it."""

    name: str
    arguments: ast.arguments
    defaults: Sequence[Any]
    body: Sequence[ast.stmt]
    around: Sequence[Scope]

    @property
    def asks(self) -> list[str]:
        """Its arguments, by name."""
        return [each.arg for each in (*self.arguments.posonlyargs, *self.arguments.args)]

    @property
    def usual(self) -> dict[str, Any]:
        """What they are where nothing is given."""
        return dict(zip(self.asks[len(self.asks) - len(self.defaults) :], self.defaults, strict=True))


class Expressions(Values):
    """Expressions, where a name stands for that of a line, for a number, a text, a list, a function, or for itself."""

    def run(self, body: Sequence[ast.stmt], scopes: Sequence[Scope]) -> Any:
        """What statements return."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Any, scopes: Sequence[Scope], in_a_line: bool = True) -> None:
        """Let a name stand for a value from here on."""
        raise NotImplementedError

    def is_true(self, test: ast.expr, scopes: Sequence[Scope]) -> bool:
        """Raises UnclearError where that hangs on arrays."""
        return self._is_so(self.value(test, scopes))

    def _is_so(self, value: Any) -> bool:
        if isinstance(value, ast.expr | Once):
            raise UnclearError
        return bool(value)

    def turns(self, over: Any) -> list[Any]:
        """What a loop over a value goes through."""
        turns = self.listed(over)
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
                if self.is_nobodys(of) and name in self.shapes and name not in OF_ARRAYS:
                    return self.given_as(name, of)
                return ast.Attribute(self.code(of), name, ast.Load())
            case ast.Subscript(holder, at):
                return self.part(self.value(holder, scopes), self.value(at, scopes))
            case ast.Slice(lower, upper, step):
                return ast.Slice(*(end and self.end(self.value(end, scopes)) for end in (lower, upper, step)))
            case ast.Tuple(parts):
                return tuple(self.value(each, scopes) for each in parts)
            case ast.List(parts):
                return [self.value(each, scopes) for each in parts]
            case ast.Dict(keys, values):
                pairs = zip(keys, values, strict=True)
                return {self._key(key, scopes): self.value(value, scopes) for key, value in pairs}
            case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]) if not isinstance(
                op, ast.Is | ast.IsNot
            ):
                return self.joined(op, self.value(left, scopes), self.value(right, scopes))
            case ast.Compare(left, [ast.Is() | ast.IsNot() as op], [ast.Constant(None)]):
                return (self.value(left, scopes) is None) == isinstance(op, ast.Is)
            case ast.Compare(left, ops, rights):
                values = [self.value(each, scopes) for each in (left, *rights)]
                return all(self._is_so(self.joined(*each)) for each in zip(ops, values, values[1:], strict=False))
            case ast.BoolOp(op, tests):
                return (all if isinstance(op, ast.And) else any)(self.is_true(test, scopes) for test in tests)
            case ast.UnaryOp(op, inner):
                value = self.value(inner, scopes)
                if isinstance(op, ast.USub | ast.Not) and isinstance(value, int | float):
                    return -value if isinstance(op, ast.USub) else not value
                return ast.UnaryOp(op, self.code(value))
            case ast.IfExp(test, body, otherwise):
                return self.value(body if self.is_true(test, scopes) else otherwise, scopes)
            case ast.ListComp(value, loops) | ast.GeneratorExp(value, loops):
                found = self._each(value, loops, (*scopes, {}))
                return [*found] if isinstance(node, ast.ListComp) else Once(found)
            case ast.JoinedStr(parts):
                written = (each.value if isinstance(each, ast.FormattedValue) else each for each in parts)
                return "".join(str(self._key(each, scopes)) for each in written)
            case ast.Lambda(arguments, inner):
                return self.function("", arguments, [ast.Return(inner)], scopes)
            case ast.Call(_, arguments, keywords) if all(each.arg for each in keywords):
                given = [self.value(each, scopes) for each in arguments]
                return self._called(node, given, {str(k.arg): self.value(k.value, scopes) for k in keywords}, scopes)
        raise UnclearError

    def function(
        self, name: str, arguments: ast.arguments, body: Sequence[ast.stmt], scopes: Sequence[Scope]
    ) -> Function:
        """A function of the text, whose defaults have the values that they have now."""
        if arguments.vararg or arguments.kwonlyargs or arguments.kwarg:
            raise UnclearError
        return Function(name, arguments, [self.value(each, scopes) for each in arguments.defaults], body, scopes)

    def call(self, function: Function, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """What a function of the text returns. Its arguments have lines, but for those that a short one uses once."""
        values = function.usual | dict(zip(function.asks, given, strict=False)) | {**named}
        if values.keys() != {*function.asks} or len(given) > len(function.asks) or len(self.scopes) > DEEPEST:
            raise UnclearError
        parts = [each for line in function.body for each in ast.walk(line)]
        is_short, used = isinstance(function.body[0], ast.Return), [getattr(each, "id", "") for each in parts]
        in_place = {name for name in values if is_short and used.count(name) < 2}
        inner = {name: value if name in in_place else self.named(value, name) for name, value in values.items()}
        self.scopes.append(inner)
        result = self.run(function.body, (*function.around, inner))
        if not any(isinstance(each, ast.Lambda | ast.FunctionDef) for each in parts):  # which would keep them
            self.scopes = [each for each in self.scopes if each is not inner]
        if isinstance(result, ast.expr) and not isinstance(result, ast.Name) and not is_short:
            self.results[result] = function.name
        return result

    def _called(self, node: ast.Call, given: list[Any], named: dict[str, Any], scopes: Sequence[Scope]) -> Any:
        match node.func:
            case ast.Attribute(holder, "items" | "values" | "keys" as what) if not given:
                if isinstance(held := self.value(holder, scopes), dict):
                    return Once(getattr(held, what)())
        function = self.value(node.func, scopes)
        if isinstance(function, Function):
            return self.call(function, given, named)
        match function, (None if named else given):
            case ast.Name("range"), [_] | [_, _] | [_, _, _]:
                numbers = range(*map(self.whole, given))
                if not 0 < len(numbers) <= MOST_TURNS:
                    raise UnclearError
                return Counted(numbers)
            case ast.Name("len"), [list() | tuple() | dict() | str() as held]:
                return len(held)
            case ast.Name("len"), [ast.Name() as holder] if self.is_nobodys(holder) and "param" in holder.id:
                return sum(bool(A_PARAMETER.fullmatch(name)) for name in self.shapes)  # W1, b1 and so on
            case ast.Name("zip"), [*_]:
                return Once(zip(*map(self.listed, given), strict=False))
            case ast.Name("enumerate"), [held, *start] if len(start) < 2:
                return Once(enumerate(self.listed(held), *map(self.whole, start)))
            case ast.Name("reversed"), [held]:
                return Once(self.listed(held)[::-1])
            case ast.Name("list" | "tuple"), [held]:
                return self.listed(held)
            case ast.Name("sum"), [list() | tuple() as held]:
                total: Any = 0
                for each in held:
                    total = self.joined(ast.Add(), total, each)
                return total
            case ast.Name("str"), [str() | int() as value]:
                return str(value)
        if "out" in named or getattr(function, "attr", "") in CHANGING:
            raise UnclearError
        keywords = [ast.keyword(name, self.code(value)) for name, value in named.items()]
        return ast.Call(self.code(function), [*map(self.code, given)], keywords)

    def _each(self, value: ast.expr, loops: Sequence[ast.comprehension], scopes: Sequence[Scope]) -> Iterator[Any]:
        if not loops:
            yield self.value(value, scopes)
            return
        for turn in self.turns(self.value(loops[0].iter, scopes)):
            self.assign(loops[0].target, turn, scopes, in_a_line=False)
            if all(self.is_true(test, scopes) for test in loops[0].ifs):
                yield from self._each(value, loops[1:], scopes)

    def _key(self, part: ast.expr | None, scopes: Sequence[Scope]) -> str | int:
        """What a key of a dictionary, or a part of a text, gives: a text or a whole number."""
        if part is None or not isinstance(value := self.value(part, scopes), str | int):
            raise UnclearError
        return value
