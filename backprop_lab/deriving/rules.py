"""The rules of differentiation, each written as a layer is: a line for Y, and lines for the gradients.

In a line `{X}`, `{Z}` stand for what a function takes, `{Y}` for what it gives, `{dY}` for the gradient of that. Where
a rule is more than calculus, as it needs to know what is picked or joined, it is a function below the tables.
"""

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache
from string import Formatter
from typing import Any, NamedTuple

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node
from backprop_lab.deriving.reading import Reader

SLOPES: tuple[dict[str, str], ...] = (  # cell by cell: each line is the gradient of Y times a slope
    {"rule": "addition", "Y": "{X} + {Z}", "dX": "{dY}", "dZ": "{dY}"},
    {"rule": "subtraction", "Y": "{X} - {Z}", "dX": "{dY}", "dZ": "-{dY}"},
    {"rule": "minus", "Y": "-{X}", "dX": "-{dY}"},
    {"rule": "product", "Y": "{X} * {Z}", "dX": "{dY} * {Z}", "dZ": "{dY} * {X}"},
    {"rule": "quotient", "Y": "{X} / {Z}", "dX": "{dY} / {Z}", "dZ": "-{dY} * {Y} / {Z}"},
    {"rule": "power", "Y": "{X} ** {Z}", "dX": "{Z} * {dY} * {X} ** ({Z} - 1)"},
    {"rule": "slope", "Y": "np.square({X})", "dX": "2 * {dY} * {X}"},
    {"rule": "slope", "Y": "np.exp({X})", "dX": "{dY} * {Y}"},
    {"rule": "slope", "Y": "np.log({X})", "dX": "{dY} / {X}"},
    {"rule": "slope", "Y": "np.log1p({X})", "dX": "{dY} / (1 + {X})"},
    {"rule": "slope", "Y": "np.sqrt({X})", "dX": "{dY} / (2 * {Y})"},
    {"rule": "slope", "Y": "np.tanh({X})", "dX": "{dY} * (1 - {Y} ** 2)"},
    {"rule": "slope", "Y": "np.sin({X})", "dX": "{dY} * np.cos({X})"},
    {"rule": "slope", "Y": "np.cos({X})", "dX": "-{dY} * np.sin({X})"},
    {"rule": "slope", "Y": "np.abs({X})", "dX": "{dY} * np.sign({X})"},
    {"rule": "slope", "Y": "np.logaddexp({X}, {Z})", "dX": "{dY} * np.exp({X} - {Y})", "dZ": "{dY} * np.exp({Z} - {Y})"},
    {"rule": "mask", "Y": "np.maximum({X}, {Z})", "dX": "{dY} * ({X} > {Z})", "dZ": "{dY} * ({Z} >= {X})"},
    {"rule": "mask", "Y": "np.minimum({X}, {Z})", "dX": "{dY} * ({X} < {Z})", "dZ": "{dY} * ({Z} <= {X})"},
    {"rule": "mask", "Y": "np.clip({X}, {Z}, {V})", "dX": "{dY} * (({X} > {Z}) & ({X} < {V}))",
     "dZ": "{dY} * ({X} <= {Z})", "dV": "{dY} * ({X} >= {V})"},
    {"rule": "mask", "Y": "np.where({X}, {Z}, {V})", "dZ": "{dY} * {X}", "dV": "{dY} * ~{X}"},
)  # fmt: skip
WHOLE: tuple[dict[str, str], ...] = (  # what matches as a whole comes first: layers
    {"rule": "slope", "Y": "1 / (1 + np.exp(-{X}))", "dX": "{dY} * {Y} * (1 - {Y})"},
    {"rule": "slope", "Y": "np.maximum({X}, 0)", "dX": "{dY} * ({Y} > 0)"},
    {"rule": "slope", "Y": "np.maximum(0, {X})", "dX": "{dY} * ({Y} > 0)"},
)  # fmt: skip
MATRICES: dict[str, dict[str, str]] = {  # where dY is needed in the shape of Y
    "@": {"rule": "matrix product", "dX": "{dY} @ {Z}.mT", "dZ": "{X}.mT @ {dY}"},
    "mT": {"rule": "transpose", "dX": "{dY}.mT"},
}
REDUCED: dict[str, str] = {  # over some axes, with dY spread over these; n is how many there are
    "sum": "{dY}",
    "mean": "{dY}",
    "max": "{dY} * ({X} == {Y}) / {ties}",
    "min": "{dY} * ({X} == {Y}) / {ties}",
    "var": "2 * {dY} * ({X} - {mean})",
    "std": "{dY} * ({X} - {mean}) / {Y}",
}


class Rule(NamedTuple):
    """A rule with its lines parsed, by the place of the argument whose gradient each gives."""

    name: str
    gradients: dict[int, str]


BY_CELL: dict[str, Rule] = {}
for _table in SLOPES:
    _tree = ast.parse(_table["Y"].replace("{", "").replace("}", ""), mode="eval").body
    match _tree:
        case ast.BinOp(op=_op):
            _key = {"Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "Pow": "**"}[type(_op).__name__]
        case ast.Call(func=ast.Attribute(attr=_key)):
            pass
        case _:
            _key = "neg"
    BY_CELL[_key] = Rule(_table["rule"], {"XZV".index(k[1]): v for k, v in _table.items() if k[0] == "d"})


@lru_cache(maxsize=256)
def _parsed(template: str) -> ast.expr:
    fields = {field for _, field, _, _ in Formatter().parse(template) if field}
    return ast.parse(template.format_map({field: field for field in fields}), mode="eval").body


def written(graph: Graph, template: str, names: Mapping[str, Node]) -> Node:
    """A line of a rule with nodes in its braces."""
    return Reader(graph, names).read(_parsed(template))


def whole_rule(graph: Graph, node: Node) -> tuple[str, Node, str] | None:
    """The rule of a layer that a node is as a whole, what goes into it, and the line for the gradient of that."""
    meaning = graph.define_of
    for table in WHOLE:
        X = _inside(meaning, _parsed(table["Y"]), node)
        if X is not None and written(graph, table["Y"], {"X": X}) in (node, graph.named.get(node)):
            return table["rule"], X, table["dX"]
    return None


def _inside(meaning: Callable[[Node], Node], tree: ast.expr, node: Node) -> Node | None:
    """What stands for X in a node, along the way on which it is in a rule's line."""
    if isinstance(tree, ast.Name):
        return node
    node = meaning(node)
    match tree:
        case ast.BinOp(right=right):
            return _inside(meaning, right, node.args[1]) if node.op == "/" or node.op == "+" else None
        case ast.UnaryOp(operand=operand):
            return _inside(meaning, operand, node.args[0]) if node.op == "neg" else None
        case ast.Call(func=ast.Attribute(attr=name), args=args) if node.op == name:
            at = next(k for k, each in enumerate(args) if not isinstance(each, ast.Constant))
            return _inside(meaning, args[at], node.args[at])
    return None


__all__ = ["BY_CELL", "MATRICES", "REDUCED", "Any", "Rule", "whole_rule", "written"]
