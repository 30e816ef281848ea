"""A forward pass with loops, functions and names used again, written out as lines.

In a program each value has a name of its own, so a loop is refused; this says what its lines are. The text is followed
as Python would, on names in place of arrays, and each value that gets a name on the way becomes a line.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backprop_lab.deriving.calls import REDUCTIONS, TAKES
from backprop_lab.deriving.expressions import PLACEHOLDER, Expressions, Function, Scope, UnclearError, one_of
from backprop_lab.deriving.text import lines_in, source_of, statements_of

MOST_STEPS, MOST_LINES = 5_000, 120
NEW = (*(TAKES.keys() - {"reshape", "transpose", "swapaxes", "einsum"}), "copy")  # what gives an array of its own
NOTHING = object()


def written_out(text: Any, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The lines of a forward pass that is none yet, as a text; "" where it is one, and where it cannot be followed.

    `shapes` are those of what is given, by name.
    """
    try:
        lines_in(text)
    except ValueError:
        try:
            lines = _Statements(shapes).lines_of(source_of(text))
            lines_in(lines)
        except (UnclearError, SyntaxError, ValueError, RecursionError, MemoryError):
            return ""
        return lines
    return ""


class _Statements(Expressions):
    """Statements, each with what it makes of what names stand for, and with the lines that it gives."""

    steps = 0

    def lines_of(self, text: str) -> str:
        if PLACEHOLDER.search(text):
            raise UnclearError
        outermost = self.scopes[0]
        result = self.run(statements_of(text), (outermost,))
        functions = [each for each in outermost.values() if isinstance(each, Function)]
        if not self.lines and functions:  # the forward pass is a function, which nobody calls
            asked = functions[-1].arguments
            names = [each.arg for each in asked.args[: len(asked.args) - len(asked.defaults)]]
            result = self.call(functions[-1], [ast.Name(name, ast.Load()) for name in names], {})
        self.named(result[0] if isinstance(result, tuple) and result else result, "L")  # the loss comes first
        names = [*self._names()]
        lines = (PLACEHOLDER.sub(lambda found: names[int(found[1])], ast.unparse(line)) for _, line in self.lines)
        return "\n".join(f"{name} = {line.replace(' ** ', '**')}" for name, line in zip(names, lines, strict=True))

    def _names(self) -> Iterator[str]:
        """A name for each line: its own, with a number where several have it."""
        own = [name for name, _ in self.lines]
        taken = {*self.shapes, *(name for name in own if own.count(name) == 1)}
        for at, name in enumerate(own):
            numbered = {f"{name}{number}" for number in range(1, own.count(name) + 1)}
            between = "_" if name[-1].isdigit() or numbered & taken else ""
            yield name if own.count(name) == 1 else f"{name}{between}{own[: at + 1].count(name)}"

    def run(self, body: Sequence[ast.stmt], scopes: Sequence[Scope]) -> Any:
        """What the statements return, or NOTHING."""
        for statement in body:
            self.steps += 1
            if self.steps > MOST_STEPS or len(self.lines) > MOST_LINES:
                raise UnclearError
            if (result := self._statement(statement, scopes)) is not NOTHING:
                return result
        return NOTHING

    def _statement(self, statement: ast.stmt, scopes: Sequence[Scope]) -> Any:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Assert() | ast.Expr(ast.Constant()):
                pass
            case ast.Expr(ast.Call(ast.Name("print"))):
                pass
            case ast.Expr(ast.Call(ast.Attribute(holder, "append"), [value], [])):
                held = self.value(holder, scopes)
                if not isinstance(held, list):
                    raise UnclearError
                held.append(self.named(self.value(value, scopes), one_of(ast.unparse(holder))))
            case ast.FunctionDef(name, arguments, body):
                scopes[-1][name] = Function(name, arguments, body, scopes)
            case ast.Assign(targets, value):
                found = self.value(value, scopes)
                for target in targets:
                    self.assign(target, found, scopes)
            case ast.AnnAssign(target, _, ast.expr() as value):
                self.assign(target, self.value(value, scopes), scopes)
            case ast.AugAssign(target, op, value):
                old = self.value(target, scopes)
                self._check_alone(old)
                self.assign(target, self.joined(op, old, self.value(value, scopes)), scopes)
            case ast.For(target, over, body, []):
                for turn in self.turns(over, scopes):
                    self.assign(target, turn, scopes, in_a_line=False)
                    if (result := self.run(body, scopes)) is not NOTHING:
                        return result
            case ast.If(test, body, otherwise):
                return self.run(body if self.is_true(test, scopes) else otherwise, scopes)
            case ast.Return(value):
                return value and self.value(value, scopes)
            case _:
                raise UnclearError
        return NOTHING

    def assign(self, target: ast.expr, value: Any, scopes: Sequence[Scope], in_a_line: bool = True) -> None:
        """Let a name, several or a place stand for a value from here on, which has a line of its own if it is new."""
        match target:
            case ast.Name(name):
                scopes[-1][name] = self.named(value, name) if in_a_line else value
            case ast.Tuple(targets) | ast.List(targets):
                if isinstance(value, ast.Attribute) and value.attr == "shape":
                    value = [ast.Subscript(value, ast.Constant(at), ast.Load()) for at in range(len(targets))]
                if not isinstance(value, list | tuple) or len(value) != len(targets):
                    raise UnclearError
                for each, part in zip(targets, value, strict=True):
                    if ast.unparse(each) != "_":
                        self.assign(each, part, scopes, in_a_line)
            case ast.Subscript(holder, at):
                held, key = self.value(holder, scopes), self.value(at, scopes)
                if isinstance(key, ast.Compare):  # H[H < 0] = 0
                    self._check_alone(held)
                    where = ast.Attribute(ast.Name("np", ast.Load()), "where", ast.Load())
                    self.assign(holder, ast.Call(where, [key, self.code(value), self.code(held)], []), scopes)
                elif not isinstance(held, list | dict) or not isinstance(key, int | str):
                    raise UnclearError
                else:
                    name = key if isinstance(key, str) else one_of(ast.unparse(holder))
                    try:
                        held[key] = self.named(value, name)  # type: ignore[index]
                    except (IndexError, TypeError):
                        raise UnclearError from None
            case _:
                raise UnclearError

    def _check_alone(self, value: Any) -> None:
        """Raise UnclearError for an array that something else has a part in, and that would change with it."""
        if not isinstance(value, ast.expr) or self._is_number(value):
            return
        name = ast.unparse(value)
        line = PLACEHOLDER.fullmatch(name)
        if not _is_new(self.lines[int(line[1])][1] if line else value) or [*_names_in(self.scopes)].count(name) > 1:
            raise UnclearError
        for _, other in self.lines:
            if not _is_new(other) and name in map(ast.unparse, ast.walk(other)):
                raise UnclearError

    def _is_number(self, value: ast.expr) -> bool:
        """Whether a value is one number, which nothing changes in place."""
        match value:
            case ast.Name(name) if line := PLACEHOLDER.fullmatch(name):
                return self._is_number(self.lines[int(line[1])][1])
            case ast.BinOp(left, _, right):
                return self._is_number(left) and self._is_number(right)
            case ast.UnaryOp(_, inner):
                return self._is_number(inner)
            case ast.Call(ast.Attribute(ast.Name("np"), name), [_], []) | ast.Call(ast.Attribute(_, name), [], []):
                return name in REDUCTIONS
        return isinstance(value, ast.Constant)


def _is_new(line: ast.expr) -> bool:
    """Whether what a line gives is an array of its own, and not another one seen in another way."""
    if isinstance(line, ast.Call) and isinstance(line.func, ast.Attribute):
        return line.func.attr in NEW
    return isinstance(line, ast.BinOp | ast.Compare | ast.UnaryOp)


def _names_in(held: Any) -> Iterator[str]:
    """The names of lines that a value has in it."""
    if isinstance(held, ast.Name):
        yield held.id
    elif isinstance(held, list | tuple | dict):
        for each in held.values() if isinstance(held, dict) else held:
            yield from _names_in(each)
