"""Expressions, read: what may stand in a line is on a list, and is checked before anything is run."""

import ast
import math
from collections.abc import Callable
from difflib import get_close_matches
from operator import add, floordiv, mul, sub
from typing import Any

import numpy as np

from backprop_lab.deriving.calls import ALIASES, METHODS, REDUCTIONS, SPELLED, TAKES, meant, spelled_otherwise
from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import SIZES, TIGHT, Node, RefusedError, code, seen
from backprop_lab.deriving.refusals import ALONE, FUNCTION, INSTEAD, MODULES, OF_A_SHAPE, STEPS, SYNTAX, instead
from backprop_lab.deriving.shapes import FUNCTIONS, Part, einsum_letters, length, number_of

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**", ast.BitAnd: "&",
    ast.BitOr: "|", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.USub: "neg", ast.Invert: "~",
}  # fmt: skip
WHOLE: dict[type[ast.AST], Callable[[int, int], int]]
WHOLE = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.FloorDiv: floordiv}


class Reader:
    """Reads expressions into nodes of a graph, whose names may stand in them, or those of a rule."""

    def __init__(self, graph: Graph, names: dict[str, Node] | None = None) -> None:
        self.graph = graph
        self.names = graph.names if names is None else names
        self.indices: set[str] = set()  # names of what is used as an index
        self.places: dict[Node, list[ast.expr]] = {}  # where each node stands in the lines

    def read(self, tree: ast.expr) -> Node:
        """An expression as a node. Raises RefusedError."""
        node = self._read(tree)
        self.places.setdefault(node, []).append(tree)
        return node

    def _read(self, tree: ast.expr) -> Node:
        make = self.graph.make
        match tree:
            case ast.Name(id=name):
                return self._name(name)
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if abs(value) > (2**53 if isinstance(value, int) else 1e300):
                    raise RefusedError("a number that large does not fit: np.inf, or one such as 1e20, does")
                return self.graph.number(value)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return make(OPERATORS[type(op)], self.read(operand))
            case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]) if type(op) in OPERATORS:
                a, b, name = self.read(left), self.read(right), OPERATORS[type(op)]
                is_apart = name == "+" and a.op in ("+", "-") and a.args[0].op == "maximum" and b.op in ("log", "log1p")
                if is_apart:  # a softplus, with something between its parts
                    a, name, b = make("+", a.args[0], b), a.op, a.args[1]
                node = make(name, a, b)
                number_of(node)
                return node
            case ast.Compare():
                raise RefusedError("one comparison of two values makes a mask: write (0 < X) & (X < 1) for two")
            case ast.Attribute(value=of, attr=name):
                return self._attribute(of, name)
            case ast.Subscript(value=ast.Attribute(value=of, attr="shape"), slice=at):
                node = self.read(of)
                axis = self._axis(at, node)
                return make("axis", node, axis) if axis else make("len", node)
            case ast.Subscript(value=of, slice=ast.Constant(value=str() as name)) if ast.unparse(of) not in self.names:
                raise RefusedError(ALONE.format(ast.unparse(tree), name))
            case ast.Subscript(value=of, slice=at):
                return self._index(self.read(of), [*at.elts] if isinstance(at, ast.Tuple) else [at])
            case ast.Call(func=func, args=args, keywords=keywords):
                if any(keyword.arg is None for keyword in keywords):
                    raise RefusedError(SYNTAX["Starred"])
                return self._call(func, args, {str(keyword.arg): keyword.value for keyword in keywords})
            case ast.BinOp(op=ast.FloorDiv() as op):
                try:
                    return self.graph.number(self._whole(tree))
                except RefusedError:
                    return self._refuse(op)
            case ast.BinOp(op=op) | ast.UnaryOp(op=op):
                return self._refuse(op)
        return self._refuse(tree)

    def _refuse(self, tree: ast.AST) -> Node:
        otherwise = "it cannot stand in a line: write it with + - * / @ ** and np functions"
        raise RefusedError(SYNTAX.get(type(tree).__name__, otherwise))

    def _name(self, name: str) -> Node:
        if name not in self.names:
            there = ", ".join(self.names) or "nothing"
            close = {each.lower(): each for each in self.names}
            meant = [close[each] for each in get_close_matches(name.lower(), close, 1, 0.75)]
            hint = f". Is it {meant[0]}?" if meant else ""
            raise RefusedError(f"{name} is neither given nor a line before this one; there are {there}{hint}")
        return self.names[name]

    def _attribute(self, of: ast.expr, name: str) -> Node:
        if isinstance(of, ast.Name) and of.id in ("np", "math"):
            if name not in ("pi", "e", "inf"):
                raise RefusedError(f"{of.id}.{name} is not a number: {instead(name, 'np.pi, np.e and np.inf are')}")
            return self.graph.make(of.id, name)
        if isinstance(of, ast.Name) and of.id not in self.names and name not in ("T", "mT", "size", "shape"):
            raise RefusedError(f"write np.{name}" if of.id in MODULES else ALONE.format(f"{of.id}.{name}", name))
        node = self.read(of)
        text, axes = code(node, None, TIGHT), len(node.shape)
        if name == "size":
            return self.graph.make("size", node)
        if name == "T" and axes > 2:
            raise RefusedError(f"{seen(node)}.T reverses the order of all axes: {text}.mT swaps the last two")
        if name in ("mT", "T"):
            return node if name == "T" and axes == 1 else self.graph.make("mT", node)
        if name == "shape":
            raise RefusedError(f"a shape is not a number: write {text}.shape[0]")
        raise RefusedError(f".{name} is not known here: {instead(name, f'{text}.mT, {text}.size and sums are')}")

    def _axis(self, tree: ast.expr, of: Node, new: int = 0) -> int:
        """An axis of a value, or one of `new` more."""
        axis, axes = self._whole(tree), len(of.shape) + new
        if not -axes <= axis < axes:
            raise RefusedError(f"{seen(of)} has no axis {axis} here{', and the first is 0' if axes else ''}")
        return axis % axes

    def _whole(self, tree: ast.expr) -> int:
        """A whole number that is known before anything runs: 2, -1, len(X), X.shape[1] - 1."""
        size = self._size(tree)
        return self.graph.plain(length(size)) if isinstance(size, Node) else int(size)

    def _size(self, tree: ast.expr) -> Any:
        """The same, or a node that stands for it, such as len(X)."""
        match tree:
            case ast.Constant(value=int() as value) if not isinstance(value, bool):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._whole(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in WHOLE:
                a, b = self._whole(left), self._whole(right)
                if b or not isinstance(op, ast.FloorDiv):
                    return WHOLE[type(op)](a, b)
            case ast.Name() | ast.Call() | ast.Subscript() | ast.Attribute():
                node = self.read(tree)
                if (meant := self.graph.meant(node)).op in SIZES:
                    return node
                if isinstance(whole := number_of(meant), int):
                    return whole
        raise RefusedError(OF_A_SHAPE.format(ast.unparse(tree)))

    def _index(self, of: Node, given: list[ast.expr]) -> Node:
        new = [ast.unparse(each) in ("None", "np.newaxis") for each in given]
        dots = [isinstance(each, ast.Constant) and each.value is Ellipsis for each in given]
        missing = len(of.shape) - (len(given) - sum(new) - sum(dots))
        if missing < 0 or sum(dots) > 1:
            raise RefusedError(f"{seen(of)} has {len(of.shape)} axes, and the index takes more")
        items: list[Any] = []
        at = 0
        for each, is_new, is_dots in zip(given, new, dots, strict=True):
            own = [None] if is_new else [":"] * missing if is_dots else [self._item(of, at, each)]
            items.extend(own)
            at += 0 if is_new else len(own)
        items.extend([":"] * (len(of.shape) - at))
        self._check_items(of, items)
        return self.graph.make("index", of, (*items,)) if any(item != ":" for item in items) else of

    def _item(self, of: Node, axis: int, tree: ast.expr) -> Any:
        n = of.shape[axis]
        if isinstance(tree, ast.Slice):
            if tree.step is not None and ast.unparse(tree.step) != "1":
                raise RefusedError(STEPS.format(n, ast.unparse(tree), code(of, None, TIGHT), ":, " * axis))
            ends = [None if end is None else self._whole(end) for end in (tree.lower, tree.upper)]
            start, stop, _ = slice(*ends).indices(n)
            if any(end is not None and end < 0 for end in ends):
                self.graph.plain(n)
            if start >= stop:
                raise RefusedError(f"`{ast.unparse(tree)}` of axis {axis} of {seen(of)} holds nothing")
            return ":" if stop - start == n else Part(f"{start or ''}:{stop if stop < n else ''}")
        if isinstance(tree, ast.List):
            raise RefusedError("a list picks places: put it among the data, or write a slice, such as 0:1")
        try:
            whole = self._whole(tree)
        except RefusedError:
            node = self.read(tree)
            if node.kind != "i":
                mend = f", as {tree.id}.astype(int) has" if isinstance(tree, ast.Name) else ""
                made = f"floats: places need whole numbers{mend}"
                if node.kind == "b":
                    made = "truth values: X * mask keeps the same ones, with the mean np.sum(X * mask) / np.sum(mask)"
                if node.op == "name" and node.needs:
                    raise RefusedError(f"{seen(node)} is to have a gradient, and what picks places has none") from None
                raise RefusedError(f"{seen(node)} picks no places, as it is made of {made}") from None
            self.indices |= {name.args[0] for name in node.names()}
            return node
        if not -n <= whole < n:
            raise RefusedError(f"{whole} is out of range: axis {axis} of {seen(of)} has places 0 to {n - 1}")
        return whole if whole >= 0 else whole + self.graph.plain(n)

    def _check_items(self, of: Node, items: list[Any]) -> None:
        """Raise RefusedError for an index of which no rule is known."""
        arrays = [item for item in items if isinstance(item, Node) and item.shape != ()]
        others = [item for item in items if not any(item is array for array in arrays)]
        if arrays and any(item != ":" for item in others):
            raise RefusedError("an index array beside slices, numbers or None has no rule: take one after the other, "
                               "in two lines")  # fmt: skip
        is_row = len(arrays) == 2 and items[1] is arrays[1] and arrays[0].op == "arange"
        if len(arrays) > 1 and not (is_row and arrays[0].shape == arrays[1].shape == of.shape[:1]):
            raise RefusedError(
                "two index arrays have a rule only as in P[np.arange(N), y], where P has N rows: pick rows first, as "
                "P[rows], in a line of its own"
            )

    def _call(self, func: ast.expr, args: list[ast.expr], named: dict[str, ast.expr]) -> Node:
        match func:
            case ast.Name(id="len" | "abs" as name) if len(args) == 1 and not named:
                of = self.read(args[0])
                if name == "len" and of.shape == ():
                    raise RefusedError(f"{seen(of)} has no length")
                return self.graph.make(name, of)
            case ast.Name(id=name):
                raise RefusedError(f"{name}() has no rule here: {instead(name, meant(name), len(args), named)}")
            case ast.Attribute(value=ast.Name(id="math"), attr="sqrt" | "exp" | "log" as name) if len(args) == 1:
                of = self.read(args[0])
                if not of.is_fixed:
                    raise RefusedError(f"math.{name} takes one number that stays the same: write np.{name}")
                return self.graph.make(f"math.{name}", of)
            case ast.Attribute(value=ast.Name(id="np" | "math"), attr=name):
                return self._function(ALIASES.get(name, name), args, named)
            case ast.Attribute(value=of, attr=name) if name in METHODS and ast.unparse(of) not in MODULES:
                return self._function(name, [of, *args], named)
            case ast.Attribute(attr=name):
                whole, known = ast.unparse(func), ALIASES.get(name, name)
                name, shown = (whole[3:], whole) if whole.startswith("np.") else (name, f".{name}")
                is_module = isinstance(func.value, ast.Name) and func.value.id not in self.names and known in TAKES
                mend = f"write np.{known}" if is_module else instead(name, values=len(args), named=named)
                raise RefusedError(f"{whole if is_module else shown}() has no rule: {mend}")
        raise RefusedError(FUNCTION)

    def _function(self, name: str, args: list[ast.expr], named: dict[str, ast.expr]) -> Node:
        make, read = self.graph.make, self.read
        if name not in TAKES:
            if not named and (node := self._spelled_otherwise(name, args)):
                return node
            module = "math" if hasattr(math, name) and not hasattr(np, name) else "np"
            raise RefusedError(f"{module}.{name} has no rule: {instead(name, meant(name))}")
        least, most, names = TAKES[name]
        if not least <= len(args) <= most or not named.keys() <= {*names}:
            by_name = f", and by name {' and '.join(names)}" if names else ", none by name"
            number = f"{least} to {most}" if least < most else most
            mend = "; divide by len(X) - 1 in a line of its own" if "ddof" in named else ""
            if "dtype" in named:
                mend = "; leave dtype out" + ", and write np.eye(3) == 1 for truth values" * (name == "eye")
            values = "its letters and two values" if name == "einsum" else f"{number} value{'s' * (most > 1)}{by_name}"
            raise RefusedError(f"np.{name} takes {values}{mend}")
        if name == "clip" and "None" in map(ast.unparse, args):
            raise RefusedError("np.clip to one side is np.maximum(X, least) or np.minimum(X, most)")
        if name in FUNCTIONS:
            return make(name, *map(read, args))
        if name in REDUCTIONS:
            return self._reduction(name, read(args[0]), args[1] if len(args) > 1 else named.get("axis"), named)
        if name in ("dot", "matmul"):
            a, b = map(read, args)
            if name == "dot" and len(b.shape) > 2:
                raise RefusedError(f"np.dot with {seen(b)} on its right: write @")
            return make("*" if name == "dot" and () in (a.shape, b.shape) else "@", a, b)
        if name in ("arange", "eye"):
            return make(name, self._size(args[0]))
        if name == "reshape":
            return self._reshape(read(args[0]), args[1:])
        if name in ("transpose", "swapaxes"):
            return self._transposed(read(args[0]), args[1:], is_pair=name == "swapaxes")
        if name == "einsum":
            spec = args[0].value if isinstance(args[0], ast.Constant) else None
            return make("einsum", einsum_letters(spec), *map(read, args[1:]))
        if not isinstance(args[0], ast.List | ast.Tuple) or not args[0].elts:
            raise RefusedError(f"np.{name} takes values in a list: np.{name}([A, B], axis=1)")
        parts = tuple(map(read, args[0].elts))
        where = args[1] if len(args) > 1 else named.get("axis", ast.Constant(0))
        return make(name, parts, self._axis(where, parts[0], int(name == "stack")))

    def _spelled_otherwise(self, name: str, args: list[ast.expr]) -> Node | None:
        """A function that is others, read as these."""
        if name not in SPELLED:
            return None
        values = args[0].elts if len(args) == 1 and isinstance(args[0], ast.List | ast.Tuple) else None
        parts = list(map(self.read, args if values is None else values))
        line = spelled_otherwise(name, [len(part.shape) for part in parts], values is not None)
        names = {f"A{at}": part for at, part in enumerate(parts)}
        return Reader(self.graph, names).read(ast.parse(line, mode="eval").body) if line else None

    def _reduction(self, name: str, of: Node, where: ast.expr | None, named: dict[str, ast.expr]) -> Node:
        keepdims = named.get("keepdims", ast.Constant(False))
        if not isinstance(keepdims, ast.Constant) or not isinstance(keepdims.value, bool):
            raise RefusedError("keepdims is True or False")
        larger = None if where is None or "axis" in named else INSTEAD.get(f"{name} of several")  # as in np.max(0, X)
        if of.shape == ():
            raise RefusedError(f"{seen(of)} is one number already: {larger or f'leave np.{name} out'}")
        is_value = isinstance(where, ast.Name) and self.read(where).shape != ()
        if larger and (is_value or isinstance(getattr(where, "value", 0), float)):
            raise RefusedError(f"its second value is no axis: {larger}")
        axes = every = tuple(range(len(of.shape)))
        if where is not None and ast.unparse(where) != "None":
            each = where.elts if isinstance(where, ast.Tuple) else [where]
            axes = tuple(sorted({self._axis(axis, of) for axis in each}))
            if len(axes) < len(each) or not axes:
                raise RefusedError(f"`{ast.unparse(where)}` names an axis twice, or none")
        over = None if axes == every and not keepdims.value else axes
        return self.graph.make("reduce", of, over, keepdims.value, name)

    def _reshape(self, of: Node, args: list[ast.expr]) -> Node:
        first = args[0]
        if isinstance(first, ast.Attribute) and first.attr == "shape":
            return self.graph.make("reshape", of, self.read(first.value))
        sizes = tuple(map(self._size, first.elts if isinstance(first, ast.Tuple | ast.List) else args))
        numbers = [size for size in sizes if isinstance(size, int)]
        if numbers.count(-1) > 1 or min(numbers, default=1) < -1:
            raise RefusedError("one length of a reshape may be -1, and none is less")
        return self.graph.make("reshape", of, sizes)

    def _transposed(self, of: Node, args: list[ast.expr], is_pair: bool) -> Node:
        every = range(len(of.shape))
        if len(every) < 2:
            return self.graph.make("mT", of)
        given = args[0].elts if len(args) == 1 and isinstance(args[0], ast.Tuple | ast.List) else args
        axes = [self._axis(axis, of) for axis in given]
        if is_pair:
            axes = [axes[1] if k == axes[0] else axes[0] if k == axes[1] else k for k in every]
        if sorted(axes) != [*every]:
            raise RefusedError(f"{seen(of)} has the axes {', '.join(map(str, every))}: name each of them once")
        return self.graph.transposed(of, (*axes,))
