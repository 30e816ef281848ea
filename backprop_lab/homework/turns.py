"""One turn of a loop: its numbers and names put into its lines, and what is then known worked out."""

import ast
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

from backprop_lab.homework.spellings import bare, entries_in
from backprop_lab.nn.lines import tree_of

WORKED_OUT = (
    ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Add, ast.Sub, ast.Mult, ast.USub, ast.Lt, ast.LtE, ast.Gt,
    ast.GtE, ast.Eq, ast.NotEq, ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip


class Put(ast.NodeTransformer):
    """Values in place of names and of places in lists, and what is put together, as `"W" + str(0 + 1)` is, as one.

    What hangs on numbers alone is worked out: `if 2 > 1`, and `len(weights)`, for a network of `last` layers.
    """

    def __init__(self, values: Mapping[str, ast.expr], lists: Mapping[str, Sequence[ast.expr]], last: int = 0) -> None:
        self.values, self.lists, self.last = values, lists, last

    def visit(self, node: ast.AST) -> Any:
        found = super().visit(node)
        return _worked_out(found) if isinstance(found, ast.BinOp | ast.Compare | ast.JoinedStr) else found

    def visit_Name(self, node: ast.Name) -> Any:
        value = self.values.get(node.id, node)
        is_number = isinstance(value, ast.Constant) and not isinstance(node.ctx, ast.Load)
        return node if is_number else _in_place(node, value)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        return _in_place(node, self.values.get(ast.unparse(node), node))  # such as self.num_layers

    def visit_If(self, node: ast.If | ast.IfExp) -> Any:
        self.generic_visit(node)
        match node.test:
            case ast.Constant(bool(is_so)):
                return node.body if is_so else node.orelse
        return node

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        return self.visit_If(node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        self.generic_visit(node)
        match node.slice:
            case ast.Constant(int(at)) if -len(listed := self.lists.get(bare(node.value), ())) <= at < len(listed):
                return _in_place(node, listed[at])
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Name("str"), [ast.Constant(number)], []):
                return _in_place(node, ast.Constant(str(number)))
            case ast.Call(ast.Name("len"), [holder], []) if (listed := self.lists.get(bare(holder))) is not None:
                return _in_place(node, ast.Constant(len(listed)))
            case ast.Call(ast.Name("len"), [holder], []) if entries := entries_in(holder, self.last):
                return _in_place(node, ast.Constant(entries))
            case ast.Call(ast.Name("len"), [ast.Name("caches")], []) if self.last:
                return _in_place(node, ast.Constant(self.last))
        return node


def _in_place(node: ast.expr, value: ast.expr) -> Any:
    value = deepcopy(value)
    if hasattr(value, "ctx"):
        value.ctx = node.ctx  # type: ignore[attr-defined]
    return ast.copy_location(value, node)


def _worked_out(node: ast.expr) -> Any:
    """What is made of whole numbers and texts alone, as one of them or as True or False; anything else as it is."""
    parts = [*ast.walk(node)]
    constants = [each.value for each in parts if isinstance(each, ast.Constant)]
    if all(isinstance(each, WORKED_OUT) for each in parts) and all(isinstance(each, int | str) for each in constants):
        with suppress(TypeError, ValueError):  # as of "W" + 1
            return ast.copy_location(tree_of(repr(eval(ast.unparse(node), {"__builtins__": {}}))), node)
    return node
