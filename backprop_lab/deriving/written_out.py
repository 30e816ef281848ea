"""A forward pass with loops, functions and names used again, written out as lines.

In a program each value has a name of its own, so a loop is refused; this says what its lines are. The text is followed
as Python would, on names in place of arrays, and each value that gets a name on the way becomes a line.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from backprop_lab.deriving.calls import REDUCTIONS, TAKES
from backprop_lab.deriving.expressions import Expressions
from backprop_lab.deriving.program import derive
from backprop_lab.deriving.text import ROW, code_of, lines_in, source_of, statements_of
from backprop_lab.deriving.values import MOST_TURNS, PLACEHOLDER, Scope, UnclearError, one_of
from backprop_lab.nn.lines import tree_of

BREAK, CONTINUE = object(), object()
MOST_STEPS, MOST_LINES = 5_000, 120
NEW = (*(TAKES.keys() - {"reshape", "transpose", "swapaxes", "einsum"}), "copy")  # what gives an array of its own
NOTHING = object()


def with_lines_instead(
    refused: ValueError, text: Any, parameters: Mapping[str, Any], data: Mapping[str, Any]
) -> ValueError:
    """Why a text is refused, with the lines that it comes to, ready to be handed in, or which of its own stops that."""
    shapes = {name: np.shape(value) for name, value in (*data.items(), *parameters.items())}
    try:
        lines = written_out(text, shapes)
    except UnclearError as unclear:
        at = (
            f"line {unclear.line}, `{re.split(ROW, source_of(text))[unclear.line - 1].strip()}`" if unclear.line else ""
        )
        if at in str(refused):
            return refused
        return ValueError(f"{refused}. Your lines could not be written out for you because of {at}")
    if not lines:
        return refused
    said = f"{refused}. Written out, your lines are:\n\n{lines}"
    try:
        derive(lines, parameters, data)
    except ValueError as other:
        said += f"\n\nIn these, {other}"
    return ValueError(said)


def written_out(text: Any, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The lines of a forward pass that is none yet, as a text; "" where it is one.

    `shapes` are those of what is given, by name. Raises UnclearError where the text cannot be followed.
    """
    try:
        lines_in(text)
    except ValueError:
        try:
            lines = _Statements(shapes).lines_of(source_of(text))
            lines_in(lines)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise UnclearError from None
        return lines
    return ""


class _Statements(Expressions):
    """Statements, each with what it makes of what names stand for, and with the lines that it gives."""

    steps = 0

    def lines_of(self, text: str) -> str:
        if PLACEHOLDER.search(text):
            raise UnclearError
        body, outermost = statements_of(text) or [ast.Pass()], self.scopes[0]
        result = self.run(body, (outermost,))
        if isinstance(body[-1], ast.FunctionDef):  # the forward pass is a function, which nobody calls
            function = outermost[body[-1].name]
            asks = [name for name in function.asks if name in self.shapes or name not in function.usual]
            result = self.call(function, [], {name: ast.Name(name, ast.Load()) for name in asks})
        end = body[-1]
        while isinstance(end, ast.For | ast.While | ast.If):
            end = end.body[-1]
        match end:
            case ast.Assign([ast.Name(name)]) | ast.AugAssign(ast.Name(name)) if result is NOTHING:
                result = outermost.get(name)
        last = self._loss_of(result)
        order = [*sorted(self._needed(last) - {last}), last]
        names = dict(zip(order, self._names([self.lines[at][0] for at in order]), strict=True))
        lines = (f"{names[at]} = {code_of(self.lines[at][1])}" for at in order)
        return PLACEHOLDER.sub(lambda found: names[int(found[1])], "\n".join(lines))

    def _loss_of(self, result: Any) -> int:
        """Which line is the loss: what is returned, the first number of several; or the last one."""
        if result is NOTHING and self.lines:
            return len(self.lines) - 1
        several = result if isinstance(result, tuple) else (result,)
        numbers = [each for each in several if isinstance(each, ast.expr) and self._is_number(each)]
        loss = next(iter(numbers if len(several) > 1 else several), None)
        if not isinstance(loss, ast.expr):
            raise UnclearError
        line = PLACEHOLDER.fullmatch(ast.unparse(self.named(loss, "L")))
        if not line:
            raise UnclearError
        return int(line[1])

    def _needed(self, last: int) -> set[int]:
        """The lines that the loss needs, and those that say what something is in the next step."""
        new = [at for at, (name, _) in enumerate(self.lines) if name.endswith("_new")]
        needed, ahead = set[int](), [last, *new]
        while ahead:
            needed.add(at := ahead.pop())
            ahead += {int(number) for number in PLACEHOLDER.findall(ast.unparse(self.lines[at][1]))} - needed
        return needed

    def _names(self, own: Sequence[str]) -> Iterator[str]:
        """A name for each line: its own, with a number where several have it, or where it is given."""
        taken = {*self.shapes, *(name for name in own if own.count(name) == 1)}
        for at, name in enumerate(own):
            numbered = {f"{name}{number}" for number in range(1, own.count(name) + 1)}
            between = "_" if name[-1].isdigit() or numbered & taken else ""
            is_alone = own.count(name) == 1 and name not in self.shapes
            yield name if is_alone else f"{name}{between}{own[: at + 1].count(name)}"

    def run(self, body: Sequence[ast.stmt], scopes: Sequence[Scope]) -> Any:
        """What the statements return, or NOTHING."""
        for statement in body:
            self.steps += 1
            if self.steps > MOST_STEPS or len(self.lines) > MOST_LINES:
                raise UnclearError
            try:
                result = self._statement(statement, scopes)
            except UnclearError as unclear:
                unclear.line = unclear.line or statement.lineno
                raise
            if result is not NOTHING:
                return result
        return NOTHING

    def _statement(self, statement: ast.stmt, scopes: Sequence[Scope]) -> Any:
        match statement:
            case ast.Import([ast.alias("numpy", name)]):
                scopes[-1][name or "numpy"] = ast.Name("np", ast.Load())
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
                scopes[-1][name] = self.function(name, arguments, body, scopes)
            case ast.Assign(targets, value):
                found = self.value(value, scopes)
                for target in targets:
                    self.assign(target, found, scopes)
                    found = self.value(target, scopes) if isinstance(target, ast.Name) else found
            case ast.AnnAssign(target, _, ast.expr() as value):
                self.assign(target, self.value(value, scopes), scopes)
            case ast.AugAssign(target, op, value):
                old, new = self.value(target, scopes), self.value(value, scopes)
                self._check_alone(old, target, scopes)
                if isinstance(old, list):
                    raise UnclearError
                self.assign(target, self.joined(op, old, new), scopes)
            case ast.For(_, _, _, []) | ast.While(_, _, []):
                return self._loop(statement, scopes)
            case ast.Break() | ast.Continue():
                return BREAK if isinstance(statement, ast.Break) else CONTINUE
            case ast.If(test, body, otherwise):
                return self.run(body if self.is_true(test, scopes) else otherwise, scopes)
            case ast.Return(value):
                return value and self.value(value, scopes)
            case _:
                raise UnclearError
        return NOTHING

    def _loop(self, loop: ast.For | ast.While, scopes: Sequence[Scope]) -> Any:
        turns: Any = [None] * MOST_TURNS if isinstance(loop, ast.While) else self.value(loop.iter, scopes)
        ahead = self.turns(turns)
        self.scopes.append({"": [*ahead]})
        for turn in ahead:
            if isinstance(loop, ast.For):
                self.assign(loop.target, turn, scopes, in_a_line=False)
            elif not self.is_true(loop.test, scopes):
                break
            result = self.run(loop.body, scopes)
            if isinstance(turns, list | dict) and len(turns) != len(ahead):
                raise UnclearError  # it has grown on the way
            if result is BREAK:
                break
            if result is not NOTHING and result is not CONTINUE:
                return result
        else:
            if isinstance(loop, ast.While):
                raise UnclearError
        self.scopes.pop()
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
                if mask := self._mask(held, key):
                    self._check_alone(held, holder, scopes)
                    if not isinstance(value, int):
                        raise UnclearError
                    where = ast.Attribute(ast.Name("np", ast.Load()), "where", ast.Load())
                    self.assign(holder, ast.Call(where, [mask, self.code(value), self.code(held)], []), scopes)
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

    def _mask(self, held: Any, key: Any) -> ast.expr | None:
        """Which cells of an array a key stands for, as H < 0 in H[H < 0], or the label of each row in M[rows, y]."""
        match key:
            case ast.Compare(left, _, [ast.Constant()]) if ast.unparse(left) == ast.unparse(self.code(held)):
                return key
            case ast.Compare():
                raise UnclearError
            case (rows, ast.Name(labels)) if isinstance(held, ast.expr) and len(self.shapes.get(labels, ())) == 1:
                match rows:
                    case ast.Call(ast.Attribute(ast.Name("np"), "arange"), [end], []):
                        rows = [*range(self.whole(end))]
                if rows == [*range(self.shapes[labels][0])]:
                    return tree_of(f"np.eye({ast.unparse(held)}.shape[1])[{labels}] == 1")
        return None

    def _check_alone(self, value: Any, target: ast.expr, scopes: Sequence[Scope]) -> None:
        """Raise UnclearError for an array that something else has a part in, and that would change with it."""
        if isinstance(target, ast.Name) and target.id not in scopes[-1]:
            raise UnclearError  # it is of another scope
        if not isinstance(value, ast.expr) or self._is_number(value):
            return
        name = ast.unparse(value)
        if not _is_new(self.meant(value)) or [*_names_in(self.scopes)].count(name) > 1:
            raise UnclearError
        for _, other in self.lines:
            if not _is_new(other) and name in map(ast.unparse, ast.walk(other)):
                raise UnclearError

    def _is_number(self, value: ast.expr) -> bool:
        """Whether a value is one number, which nothing changes in place."""
        match meant := self.meant(value):
            case ast.BinOp(left, _, right):
                return self._is_number(left) and self._is_number(right)
            case ast.UnaryOp(_, inner):
                return self._is_number(inner)
            case ast.Call(ast.Attribute(ast.Name("np"), name), [_], []) | ast.Call(ast.Attribute(_, name), [], []):
                return name in REDUCTIONS
        return isinstance(meant, ast.Constant)


def _is_new(line: ast.expr) -> bool:
    """Whether what a line gives is an array of its own, and not another one seen in another way."""
    if isinstance(line, ast.Call) and isinstance(line.func, ast.Attribute):
        return line.func.attr in NEW
    return isinstance(line, ast.BinOp | ast.Compare | ast.UnaryOp)


def _names_in(held: Any) -> Iterator[str]:
    """The names of lines that a value has in it."""
    if isinstance(held, ast.expr):
        yield from (each.id for each in ast.walk(held) if isinstance(each, ast.Name))
    elif isinstance(held, list | tuple | dict):
        for each in held.values() if isinstance(held, dict) else held:
            yield from _names_in(each)
