"""The rules of differentiation, each written as a layer is: a line for Y, and lines for the gradients.

In a line `{X}`, `{Z}`, `{V}` stand for what a function takes, in order, `{Y}` for what it gives, and `{dY}` for the
gradient of that. What needs to know which axes are summed, joined or picked is code, in `structure`.
"""

import ast
from functools import lru_cache
from typing import NamedTuple

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node
from backprop_lab.deriving.reading import OPERATORS, Reader
from backprop_lab.deriving.simplifying import Term, product_of


class Rule(NamedTuple):
    """A rule with a name, the line for Y, and those for the gradients of what goes in, by place."""

    name: str
    Y: str
    gradients: dict[int, str]


def _rule(name: str, Y: str, *gradients: str) -> Rule:
    """The lines of a rule; one is empty where nothing goes back."""
    return Rule(name, Y, {at: line for at, line in enumerate(gradients) if line})


BY_CELL = (  # each line is the gradient of Y times a slope, cell by cell
    _rule("addition", "{X} + {Z}", "{dY}", "{dY}"),
    _rule("subtraction", "{X} - {Z}", "{dY}", "-{dY}"),
    _rule("minus", "-{X}", "-{dY}"),
    _rule("product", "{X} * {Z}", "{dY} * {Z}", "{dY} * {X}"),
    _rule("quotient", "{X} / {Z}", "{dY} / {Z}", "-{dY} * {Y} / {Z}"),
    _rule("power", "{X} ** {Z}", "{Z} * {dY} * {X} ** ({Z} - 1)"),
    _rule("power", "np.square({X})", "2 * {dY} * {X}"),
    _rule("slope", "np.exp({X})", "{dY} * {Y}"),
    _rule("slope", "np.log({X})", "{dY} / {X}"),
    _rule("slope", "np.log1p({X})", "{dY} / (1 + {X})"),
    _rule("slope", "np.sqrt({X})", "{dY} / (2 * {Y})"),
    _rule("slope", "np.tanh({X})", "{dY} * (1 - {Y} ** 2)"),
    _rule("slope", "np.sin({X})", "{dY} * np.cos({X})"),
    _rule("slope", "np.cos({X})", "-{dY} * np.sin({X})"),
    _rule("slope", "np.abs({X})", "{dY} * np.sign({X})"),
    _rule("slope", "np.logaddexp({X}, {Z})", "{dY} * np.exp({X} - {Y})", "{dY} * np.exp({Z} - {Y})"),
    _rule("mask", "np.maximum({X}, {Z})", "{dY} * ({X} > {Z})", "{dY} * ({Z} >= {X})"),
    _rule("mask", "np.minimum({X}, {Z})", "{dY} * ({X} < {Z})", "{dY} * ({Z} <= {X})"),
    _rule("mask", "np.clip({X}, {Z}, {V})", "{dY} * (({X} > {Z}) & ({X} < {V}))", "{dY} * ({X} <= {Z})",
          "{dY} * ({X} >= {V})"),
    _rule("mask", "np.where({X}, {Z}, {V})", "", "{dY} * {X}", "{dY} * ~{X}"),
)  # fmt: skip
LAYERS = (  # what matches as a whole comes before its parts
    _rule("sigmoid", "1 / (1 + np.exp(-{X}))", "{dY} * {Y} * (1 - {Y})"),
    _rule("sigmoid", "1 / (1 + np.exp({X}))", "-{dY} * {Y} * (1 - {Y})"),
    _rule("silu", "{X} / (1 + np.exp(-{X}))", "{dY} * (1 + {X} - {Y}) / (1 + np.exp(-{X}))"),
    _rule("softplus", "np.logaddexp(0, {X})", "{dY} / (1 + np.exp(-{X}))"),
    _rule("log-sigmoid", "np.log(1 / (1 + np.exp({X})))", "-{dY} / (1 + np.exp(-{X}))"),
    _rule("softplus", "np.log(1 + np.exp({X}))", "{dY} / (1 + np.exp(-{X}))"),
    _rule("softplus", "np.log1p(np.exp({X}))", "{dY} / (1 + np.exp(-{X}))"),
    *(
        _rule("softplus", line, "{dY} / (1 + np.exp(-{X}))")
        for corner in ("np.maximum({X}, 0)", "np.maximum(0, {X})")
        for log in ("np.log1p(np.exp(-np.abs({X})))", "np.log(1 + np.exp(-np.abs({X})))")
        for line in (f"{corner} + {log}", f"{log} + {corner}")
    ),
    _rule("relu", "np.maximum({X}, 0)", "{dY} * ({Y} > 0)"),
    _rule("relu", "np.maximum(0, {X})", "{dY} * ({Y} > 0)"),
)
MATRICES = {  # these take dY in the shape of Y; products by how many axes the factors have, 2 for more
    (2, 2): _rule("matrix product", "{X} @ {Z}", "{dY} @ {Z}.mT", "{X}.mT @ {dY}"),
    (1, 2): _rule("matrix product", "{X} @ {Z}", "{dY} @ {Z}.mT", "{X}[:, None] * {dY}"),
    (2, 1): _rule("matrix product", "{X} @ {Z}", "{dY}[:, None] * {Z}", "{X}.mT @ {dY}"),
    (1, 1): _rule("matrix product", "{X} @ {Z}", "{dY} * {Z}", "{dY} * {X}"),
    (2,): _rule("transpose", "{X}.mT", "{dY}.mT"),
}
REDUCED = {  # over some axes, with dY spread over them: `mean` keeps these, and `ties` counts the cells equal to Y
    "sum": _rule("sum", "{X}.sum()", "{dY}"),
    "mean": _rule("mean", "{X}.mean()", "{dY} / {n}"),
    "max": _rule("max", "{X}.max()", "{dY} * ({X} == {Y}) / {ties}"),
    "min": _rule("max", "{X}.min()", "{dY} * ({X} == {Y}) / {ties}"),
    "var": _rule("variance", "{X}.var()", "2 * {dY} * ({X} - {mean}) / {n}"),
    "std": _rule("variance", "{X}.std()", "{dY} * ({X} - {mean}) / ({Y} * {n})"),
}


@lru_cache(maxsize=256)
def _parsed(line: str) -> ast.expr:
    return ast.parse(line.replace("{", "").replace("}", ""), mode="eval").body


def _operation(tree: ast.expr) -> str:
    """What a node of the line for Y is called."""
    if isinstance(tree, ast.BinOp | ast.UnaryOp):
        return OPERATORS[type(tree.op)]
    return tree.func.attr if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute) else ""


RULES = {_operation(_parsed(rule.Y)): rule for rule in BY_CELL}


def written(graph: Graph, line: str, **names: Node) -> Node:
    """A line of a rule with nodes in its braces."""
    return Reader(graph, names).read(_parsed(line))


def slope(graph: Graph, line: str, **names: Node) -> Term:
    """The slope in a line of a rule: what it multiplies dY by."""
    return product_of(written(graph, line, dY=graph.number(1), **names))


def layer(graph: Graph, node: Node) -> tuple[Rule, Node] | None:
    """The rule of a layer that a node is as a whole, and what goes into it."""
    for rule in LAYERS:
        tree = _parsed(rule.Y)
        X = _inside(graph, tree, node) if _operation(tree) == node.op else None
        if X is not None and written(graph, rule.Y, X=X) in (node, graph.value(node)):
            return rule, X
    return None


def _inside(graph: Graph, tree: ast.expr, node: Node) -> Node | None:
    """What is in a node where X is in the line of a rule."""
    if isinstance(tree, ast.Name):
        return node
    node = graph.meant(node)
    if isinstance(tree, ast.Constant) or node.op != _operation(tree):
        return None
    parts = [part for part in ast.iter_child_nodes(tree) if isinstance(part, ast.expr)]
    parts = parts[1:] if isinstance(tree, ast.Call) else parts
    found = (_inside(graph, part, own) for part, own in zip(parts, node.parts, strict=True))
    return next((X for X in found if X is not None), None)
