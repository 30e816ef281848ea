"""An expression as a tree, of which equal parts are one object, and how it is written as code."""

from collections.abc import Mapping
from typing import Any

import numpy as np

Shape = tuple[int, ...]
SIGNS = {"+": 4, "-": 4, "*": 5, "/": 5, "@": 5, "**": 7, "&": 3, "|": 1}  # how tightly an operator binds
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
SIZES = ("len", "axis", "size")


class Node:
    """A part of an expression: an operation on other parts, with the shape and the kind of number that it gives.

    `op` is "name", "number", an operator, "reduce", "index" and so on, or the name of a function of NumPy; `args` has
    its operands, and whatever else belongs to it, such as an axis. `kind` is "f", "i" or "b" for floats, whole numbers
    and True or False. `needs` says whether something learnt has a part in it, so that a gradient goes through it;
    `is_gradient`, whether a gradient has; `is_fixed`, whether it is one number that is the same whatever is learnt.
    """

    __slots__ = ("args", "is_fixed", "is_gradient", "kind", "needs", "op", "parts", "shape")

    def __init__(self, op: str, args: tuple[Any, ...], shape: Shape, kind: str) -> None:
        self.op, self.args, self.shape, self.kind = op, args, shape, kind
        self.parts = parts_of(args)
        flows = op not in COMPARISONS and op not in (*SIZES, "~", "sign", "zeros_like", "ones_like", "eye", "arange")
        self.needs = flows and any(part.needs for part in self.parts)
        self.is_gradient = any(part.is_gradient for part in self.parts)
        self.is_fixed = op in SIZES or (shape == () and op != "name" and all(part.is_fixed for part in self.parts))

    def __repr__(self) -> str:
        return f"<{code(self)} {self.shape}>"


def parts_of(args: tuple[Any, ...]) -> tuple[Node, ...]:
    """The nodes among some arguments, also of a tuple in them, in order."""
    found: list[Node] = []
    for each in args:
        if isinstance(each, Node):
            found.append(each)
        elif isinstance(each, tuple):
            found.extend(parts_of(each))
    return tuple(found)


def code(node: Node, names: Mapping[Node, str] = {}, around: int = 0) -> str:
    """The node as a person writes it; in `names`, parts that have a name. `around` is how tightly its place binds."""
    if node in names:
        return names[node]
    text, binds = _written(node, names)
    return f"({text})" if binds < around else text


def _written(node: Node, names: Mapping[Node, str]) -> tuple[str, int]:
    """The code, and how tightly its outermost operation binds; 9 for what needs no parentheses anywhere."""
    op, args = node.op, node.args
    if op == "name":
        return args[0], 9
    if op == "number":
        return literal(args[0]), 9 if args[0] >= 0 else 6
    if op == "float":
        return repr(args[0]), 9 if args[0] >= 0 else 6
    if op in ("np", "math"):
        return f"{op}.{args[0]}", 9
    if op in SIGNS:
        binds = SIGNS[op]
        if op == "**":
            return f"{code(args[0], names, 8)}**{code(args[1], names, 6)}", binds
        return f"{code(args[0], names, binds)} {op} {code(args[1], names, binds + 1)}", binds
    if op == "neg":
        return f"-{code(args[0], names, 6)}", 6
    if op == "~":
        return f"~{code(args[0], names, 6)}", 6
    if op in COMPARISONS:
        return f"{code(args[0], names, 3)} {op} {code(args[1], names, 3)}", 0
    if op == "mT":
        return f"{code(args[0], names, 9)}.mT", 9
    if op == "reduce":
        name, of, axes, keepdims = args
        where = [] if axes is None else [f"axis={axes[0] if len(axes) == 1 else axes}"]
        if keepdims:
            where.append("keepdims=True")
        return f"{code(of, names, 9)}.{name}({', '.join(where)})", 9
    if op == "len":
        return f"len({code(args[0], names)})", 9
    if op == "axis":
        return f"{code(args[0], names, 9)}.shape[{args[1]}]", 9
    if op == "size":
        return f"{code(args[0], names, 9)}.size", 9
    if op == "reshape":
        return f"{code(args[0], names, 9)}.reshape({_sizes(args[1], names)})", 9
    if op == "broadcast":
        sizes = _sizes(args[1], names)
        return f"np.broadcast_to({code(args[0], names)}, {f'({sizes})' if isinstance(args[1], tuple) else sizes})", 9
    if op == "index":
        return f"{code(args[0], names, 9)}[{', '.join(_item(item, names) for item in _shortest(args[1]))}]", 9
    if op in ("concatenate", "stack"):
        return f"np.{op}([{', '.join(code(part, names) for part in args[1])}], axis={args[0]})", 9
    if op == "einsum":
        return f'np.einsum("{args[0]}", {code(args[1], names)}, {code(args[2], names)})', 9
    if op == "pad":
        return f"np.pad({code(args[0], names)}, [{', '.join(map(str, args[1]))}])", 9
    return f"np.{op}({', '.join(code(part, names) if isinstance(part, Node) else str(part) for part in args)})", 9


def literal(number: float) -> str:
    """A number as it stands in a line: 0.1, 1e-05, 3."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e6:
        return str(int(number))
    return repr(number)


def _sizes(sizes: Any, names: Mapping[Node, str]) -> str:
    """The arguments of a reshape: sizes one by one, or the shape of a value."""
    if isinstance(sizes, Node):
        return f"{code(sizes, names, 9)}.shape"
    written = ", ".join(code(each, names) if isinstance(each, Node) else str(each) for each in sizes)
    return written if len(sizes) != 1 else f"{written},"


def _shortest(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """The items of an index without the `:` at its end; the first one stays."""
    end = len(items)
    while end > 1 and items[end - 1] == ":":
        end -= 1
    return items[:end]


def _item(item: Any, names: Mapping[Node, str]) -> str:
    if isinstance(item, tuple):
        start, stop = item
        return f"{'' if start is None else start}:{'' if stop is None else stop}"
    return code(item, names) if isinstance(item, Node) else str(item)


def broadcast(*shapes: Shape) -> Shape:
    """The shape of values that meet cell by cell. Raises ValueError where they do not fit."""
    first = shapes[0]
    for shape in shapes[1:]:
        if shape != first and shape != ():
            return np.broadcast_shapes(*shapes)
    return first
