"""A learner's backward pass as text: its statements, in order, and what each writes and reads.

Only plain lines are taken: names, numbers, operators, indices, functions of NumPy and methods of arrays. What a name is
wrapped in makes no difference: `cache["A1"]`, `self.A1` and `A1` are one, and `grads["W1"] = ` gives dW1.
"""

import ast
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import dedent
from types import CodeType
from typing import Any

import numpy as np

from backprop_lab.feedback.answers import a_kind

FUNCTIONS = {each.__name__: each for each in (len, range, float, int, abs, sum, max, min, round, list, tuple, pow)}
REFUSED = ("save", "load", "file", "txt", "random", "lib", "test", "memmap", "DataSource", "show_", "set", "ctypes")
# What a line finds without asking for it: NumPy imports the code of `mean` and `sum` when they are first called.
SCOPE = {"__builtins__": {"__import__": __import__}, "np": np, "numpy": np, "math": math, **FUNCTIONS}
TAKEN = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Attribute,
    ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.keyword, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.expr_context, ast.IfExp, ast.Assign, ast.AugAssign)  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """One statement: the line it stands in, its text, what it writes and reads, and the code that is run.

    `goes_on` says that it changes what it writes, or makes it of itself: `dW1 += reg * W1`, `dh[h <= 0] = 0`.
    """

    line: int
    text: str
    name: str
    reads: frozenset[str]
    goes_on: bool
    code: CodeType

    def run(self, known: Mapping[str, Any]) -> Any:
        """What it writes, where the names have these values, which stay as they are. Raises what NumPy raises."""
        scope = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in known.items()}
        with np.errstate(all="ignore"):
            exec(self.code, {**SCOPE, **scope}, scope)
        return scope[self.name]


def statements_in(text: str) -> list[Statement]:
    """The statements of a text. Raises ValueError, naming the line, for what is no Python, or more than plain lines."""
    try:
        tree = ast.parse(dedent(text).strip("\n"))
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise ValueError(f"line {error.lineno}, `{line}`, is not Python: {error.msg}") from None
    return [each for node in tree.body for each in _statements(node)]


def _statements(node: ast.stmt) -> Iterator[Statement]:
    match node:
        case ast.FunctionDef(body=body):
            for inner in body:
                yield from _statements(inner)
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.Pass() | ast.Expr(ast.Constant()):
            return
        case ast.Expr(ast.Call(ast.Name("print"))):
            return
        case ast.Return(ast.Dict() | ast.Call(ast.Name("dict")) as value):
            yield from _of_a_dictionary(node, value, "grads")
        case ast.Return(value):
            for at, each in enumerate(value.elts if isinstance(value, ast.Tuple) else [value] if value else []):
                if not isinstance(each, ast.Name):
                    named = ast.Name(f"d_returned_{at + 1}", ast.Store())
                    yield from _written(node, named, ast.Assign([named], each))
        case ast.Assign([ast.Name(holder)], ast.Dict() | ast.Call(ast.Name("dict")) as value):
            yield from _of_a_dictionary(node, value, holder)
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(holder), "update"), args, keywords)):
            for each in (*args, ast.Call(ast.Name("dict"), [], keywords)):
                yield from _of_a_dictionary(node, each, holder)
        case ast.AnnAssign(target, _, value):
            if value:
                yield from _written(node, target, ast.Assign([target], value))
        case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)) if len(targets) == len(values):
            for target, value in zip(targets, values, strict=True):
                yield from _written(node, target, ast.Assign([target], value))
        case ast.Assign([ast.Tuple(targets)], ast.Attribute(attr="shape") as value):
            for at, target in enumerate(targets):
                (part,) = ast.parse(f"{ast.unparse(target)} = {ast.unparse(value)}[{at}]").body
                yield from _written(node, target, part)
        case ast.Assign([ast.Tuple()], ast.Name()):  # W1, b1 = cache: names that are known
            return
        case ast.Assign([target], _) | ast.AugAssign(target):
            yield from _written(node, target, node)
        case _:
            kind = a_kind(node).lower()
            raise ValueError(
                f"line {node.lineno}, `{ast.unparse(node).splitlines()[0]}`, is {kind}: only lines such as "
                "`dW1 = X.T @ dZ1` are followed, so write out what it does, layer by layer"
            )


def _of_a_dictionary(node: ast.stmt, value: ast.expr, holder: str) -> Iterator[Statement]:
    """`{"dW1": X.T @ dZ1}` writes dW1; what is a name already is only collected, and anything else is no gradient."""
    match value:
        case ast.Dict(keys, values):
            pairs = [(key.value, each) for key, each in zip(keys, values, strict=True) if isinstance(key, ast.Constant)]
        case ast.Call(ast.Name("dict"), [], keywords):
            pairs = [(each.arg, each.value) for each in keywords]
        case _:
            return
    for key, each in pairs:
        if not isinstance(each, ast.Name):
            target = ast.Name(_of_it(str(key), holder), ast.Store())
            yield from _written(node, target, ast.Assign([target], each))


def _of_it(key: str, holder: str) -> str:
    """The name of what a dictionary holds: `grads["W1"]` is dW1."""
    return f"d{key}" if "grad" in holder.lower() and not key.startswith(("d", "grad")) else key


def _written(node: ast.stmt, target: ast.expr, statement: ast.stmt) -> Iterator[Statement]:
    """A statement with plain names in it. Raises ValueError for what is not taken."""
    plain: Any = _Plain().visit(statement)
    base = target = plain.targets[0] if isinstance(plain, ast.Assign) else plain.target
    while isinstance(base, ast.Subscript):
        base = base.value
    if not isinstance(base, ast.Name):
        raise ValueError(f"line {node.lineno}: `{ast.unparse(target)}` cannot be written to here; give it a name")
    for part in ast.walk(plain):
        _check(part, node.lineno)
    reads = {part.id for part in ast.walk(plain) if isinstance(part, ast.Name) and part is not base}
    if isinstance(plain, ast.Assign) and ast.unparse(plain.value) == ast.unparse(target):  # W1 = params["W1"]
        return
    goes_on = isinstance(plain, ast.AugAssign) or target is not base or base.id in reads
    module = ast.fix_missing_locations(ast.Module([plain], []))
    with warnings.catch_warnings(action="ignore"):  # such as of 2(X), which is told when it stops
        code = compile(module, "<a line of yours>", "exec")
    yield Statement(node.lineno, ast.unparse(plain), base.id, frozenset(reads - {"np", "numpy", "math"}), goes_on, code)


def _check(part: ast.AST, line: int) -> None:
    """Raise ValueError for a part of a line that is not taken."""
    if not isinstance(part, TAKEN):
        raise ValueError(f"line {line} has {a_kind(part).lower()} in it, which is not followed here")
    if isinstance(part, ast.Attribute) and (part.attr.startswith("_") or any(word in part.attr for word in REFUSED)):
        raise ValueError(f"line {line} uses .{part.attr}, which is not followed here: write what it does in NumPy")


class _Plain(ast.NodeTransformer):
    """`cache["A1"]`, `self.params["A1"]` and `self.A1` become A1; a gradient's own `grads["W1"]` becomes dW1."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return ast.Name(_of_it(node.slice.value, ast.unparse(node.value)), node.ctx)
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return ast.Name(node.attr, node.ctx)
        self.generic_visit(node)
        return node
