"""The lines of a forward pass, read: what may stand in them is on a list, and is checked before anything is run."""

import ast
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import SIZES, TIGHT, Node, RefusedError, code, seen
from backprop_lab.deriving.refusals import FUNCTION, PART, SYNTAX, instead
from backprop_lab.deriving.shapes import FUNCTIONS, Part, length, number_of
from backprop_lab.lines import NAMESPACE, RESERVED

MOST_LINES, LONGEST_LINE, DEEPEST = 400, 1000, 60
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**", ast.BitAnd: "&",
    ast.BitOr: "|", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.USub: "neg", ast.Invert: "~",
}  # fmt: skip
REDUCTIONS = ("sum", "mean", "var", "std", "max", "min")
TAKES: dict[str, tuple[int, int, tuple[str, ...]]] = {  # arguments at least, at most, and those by name
    **{name: (n, n, ()) for name, n in FUNCTIONS.items()}, **dict.fromkeys(REDUCTIONS, (1, 2, ("axis", "keepdims"))),
    "reshape": (2, 9, ()), "dot": (2, 2, ()), "matmul": (2, 2, ()), "einsum": (3, 3, ()), "arange": (1, 1, ()),
    "concatenate": (1, 2, ("axis",)), "stack": (1, 2, ("axis",)),
}  # fmt: skip
METHODS = (*REDUCTIONS, "reshape", "dot", "clip")
ALIASES = {"absolute": "abs", "fabs": "abs", "amax": "max", "amin": "min", "concat": "concatenate"}


class Line(NamedTuple):
    """A line as it was handed in: its name, its expression, the text of that, and its number."""

    name: str
    tree: ast.expr
    text: str
    number: int

    def error(self, sentence: object) -> ValueError:
        return ValueError(f"line {self.number}, `{self.name} = {self.text}`: {sentence}")


def lines_in(text: str | Iterable[str]) -> list[Line]:
    """The lines of a text, "name = expression" each. Raises ValueError, with the line, for anything else."""
    given = [text] if isinstance(text, str) else [*text] if isinstance(text, Iterable) else [None]
    if not given or not all(isinstance(each, str) for each in given):
        raise ValueError(f'lines are a text, such as "H = np.tanh(X @ W)\\nL = np.sum((H - y)**2)"; got {text!r}')
    text = "\n".join(map(str, given))
    rows = text.splitlines()
    if len(rows) > MOST_LINES or any(len(row) > LONGEST_LINE for row in rows):
        raise ValueError(f"a program has at most {MOST_LINES} lines of at most {LONGEST_LINE} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
    except SyntaxError as error:
        at = min(error.lineno or 1, len(rows)) - 1
        raise ValueError(f"line {at + 1}, `{rows[at].strip()}`, is no Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("the lines are no Python") from None
    found: dict[str, Line] = {}
    for statement in body:
        row = Line("", ast.Constant(0), rows[statement.lineno - 1].strip(), statement.lineno)
        try:
            name, tree = _assigned(statement)
            if name in found:
                raise RefusedError(f"{name} is line {found[name].number} already: give this value a name of its own")
        except RefusedError as refused:
            raise ValueError(f"line {row.number}, `{row.text}`: {refused}") from None
        segment = ast.get_source_segment(text, tree) or "\n"
        found[name] = Line(name, tree, ast.unparse(tree) if "\n" in segment else segment, statement.lineno)
    if not found:
        raise ValueError('there are no lines: a program has at least one, such as "L = np.sum((X @ W - y)**2)"')
    return [*found.values()]


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr]:
    """The name and the expression of a line. Raises RefusedError for any other statement."""
    if not isinstance(statement, ast.Assign):
        raise RefusedError(SYNTAX.get(type(statement).__name__, 'a line is "name = expression", and gives one value'))
    target = statement.targets[0]
    if isinstance(target, ast.Subscript | ast.Attribute):
        raise RefusedError(PART)
    if not isinstance(target, ast.Name) or len(statement.targets) > 1:
        raise RefusedError("unpacking, or two names: write a line for each name")
    check_name(target.id)
    level: list[ast.AST] = [statement.value]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise RefusedError(f"it is nested more than {DEEPEST} deep: give parts of it lines of their own")
    return target.id, statement.value


def check_name(name: object) -> None:
    """Raise RefusedError for what cannot be the name of a value."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise RefusedError(f"{name!r} cannot be the name of a value: a name is letters and digits, such as W1")
    if name in RESERVED or name in NAMESPACE:
        raise RefusedError(f"{name} means something else in Python: call the value otherwise")


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
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                node = make(OPERATORS[type(op)], self.read(left), self.read(right))
                number_of(node)
                return node
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
                return make(OPERATORS[type(op)], self.read(left), self.read(right))
            case ast.Compare():
                raise RefusedError("one comparison of two values makes a mask: write (0 < X) & (X < 1) for two")
            case ast.Attribute(value=of, attr=name):
                return self._attribute(of, name)
            case ast.Subscript(value=ast.Attribute(value=of, attr="shape"), slice=at):
                node = self.read(of)
                axis = self._axis(at, len(node.shape))
                return make("axis", node, axis) if axis else make("len", node)
            case ast.Subscript(value=of, slice=at):
                return self._index(self.read(of), [*at.elts] if isinstance(at, ast.Tuple) else [at])
            case ast.Call(func=func, args=args, keywords=keywords):
                if any(keyword.arg is None for keyword in keywords):
                    raise RefusedError(SYNTAX["Starred"])
                return self._call(func, args, {str(keyword.arg): keyword.value for keyword in keywords})
            case ast.BinOp(op=op) | ast.UnaryOp(op=op):
                return self._refuse(op)
        return self._refuse(tree)

    def _refuse(self, tree: ast.AST) -> Node:
        kind = type(tree).__name__
        raise RefusedError(SYNTAX.get(kind, f"{kind} may not stand in a line: write it with operators and np functions"))

    def _name(self, name: str) -> Node:
        if name not in self.names:
            there = ", ".join(self.names) or "nothing"
            raise RefusedError(f"{name} is neither given nor a line before this one; there are {there}")
        return self.names[name]

    def _attribute(self, of: ast.expr, name: str) -> Node:
        if isinstance(of, ast.Name) and of.id in ("np", "math"):
            if name not in ("pi", "e", "inf"):
                raise RefusedError(f"{of.id}.{name} is no number: {instead(name, 'np.pi, np.e and np.inf are')}")
            return self.graph.make(of.id, name)
        node = self.read(of)
        text, axes = code(node, None, TIGHT), len(node.shape)
        if name == "size":
            return self.graph.make("size", node)
        if name == "mT" or (name == "T" and axes == 2):
            return self.graph.make("mT", node)
        if name == "T":
            raise RefusedError(f"{seen(node)}.T turns round all axes there are: {text}.mT swaps the last two")
        if name == "shape":
            raise RefusedError(f"a shape is no number: write {text}.shape[0]")
        raise RefusedError(f".{name} is not known here: {instead(name, f'{text}.mT, {text}.size and sums are')}")

    def _axis(self, tree: ast.expr, axes: int) -> int:
        axis = self._whole(tree)
        if not -axes <= axis < axes:
            raise RefusedError(f"there is no axis {axis}: there are {axes}, and the first is 0")
        return axis % axes

    def _whole(self, tree: ast.expr) -> int:
        """A whole number that is known before anything runs: 2, -1, len(X), X.shape[1] - 1."""
        match tree:
            case ast.Constant(value=int() as value) if not isinstance(value, bool):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._whole(operand)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as op, right=right):
                a, b = self._whole(left), self._whole(right)
                return a + b if isinstance(op, ast.Add) else a - b if isinstance(op, ast.Sub) else a * b
        size = self._size(tree)
        return self.graph.plain(length(size)) if isinstance(size, Node) else size

    def _size(self, tree: ast.expr) -> Any:
        """A length: a plain number, or a node that stands for one, such as len(X)."""
        if isinstance(tree, ast.Constant | ast.UnaryOp | ast.BinOp):
            return self._whole(tree) if not isinstance(tree, ast.Constant) or type(tree.value) is int else self._no(tree)
        node = self.graph.meant(self.read(tree))
        return node if node.op in SIZES else self._no(tree)

    def _no(self, tree: ast.expr) -> int:
        raise RefusedError(f"`{ast.unparse(tree)}` must be a whole number known from the start, such as 1 or len(X)")

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
        self._check_items(items)
        return self.graph.make("index", of, (*items,)) if any(item != ":" for item in items) else of

    def _item(self, of: Node, axis: int, tree: ast.expr) -> Any:
        n = of.shape[axis]
        if isinstance(tree, ast.Slice):
            if tree.step is not None and ast.unparse(tree.step) != "1":
                raise RefusedError("steps in a slice have no rule: reshape, or name the parts one by one")
            ends = [None if end is None else self._whole(end) for end in (tree.lower, tree.upper)]
            start, stop, _ = slice(*ends).indices(n)
            if any(end is not None and end < 0 for end in ends):
                self.graph.plain(n)
            if start >= stop:
                raise RefusedError(f"`{ast.unparse(tree)}` of axis {axis} of {seen(of)} holds nothing")
            return ":" if stop - start == n else Part(f"{start or ''}:{stop if stop < n else ''}")
        try:
            whole = self._whole(tree)
        except RefusedError:
            node = self.read(tree)
            if node.kind != "i":
                mend = ": np.where(mask, X, 0) keeps what a mask keeps" if node.kind == "b" else ""
                raise RefusedError(f"{seen(node)} picks no places, as it holds no whole numbers{mend}") from None
            self.indices |= {name.args[0] for name in node.names()}
            return node
        if not -n <= whole < n:
            raise RefusedError(f"{whole} is out of range: axis {axis} of {seen(of)} has places 0 to {n - 1}")
        return whole if whole >= 0 else whole + self.graph.plain(n)

    def _check_items(self, items: list[Any]) -> None:
        """Raise RefusedError for an index of which no rule is known."""
        arrays = [item for item in items if isinstance(item, Node) and item.shape != ()]
        others = [item for item in items if not any(item is array for array in arrays)]
        if arrays and any(item != ":" for item in others):
            raise RefusedError("an index array beside slices, numbers or None has no rule: take one after the other, "
                               "in two lines")  # fmt: skip
        if len(arrays) > 1 and not (items[0].op == "arange" and len(items) == 2 and arrays[1].shape == arrays[0].shape):
            raise RefusedError("two index arrays have a rule as in P[np.arange(N), y], where P has N rows: pick rows "
                               "first, as P[rows], in a line of its own")  # fmt: skip

    def _call(self, func: ast.expr, args: list[ast.expr], named: dict[str, ast.expr]) -> Node:
        match func:
            case ast.Name(id="len" | "abs" as name) if len(args) == 1 and not named:
                of = self.read(args[0])
                if name == "len" and of.shape == ():
                    raise RefusedError(f"{seen(of)} has no length")
                return self.graph.make(name, of)
            case ast.Name(id=name):
                raise RefusedError(f"{name}() is not known here: {instead(name)}")
            case ast.Attribute(value=ast.Name(id="math"), attr="sqrt" | "exp" | "log" as name) if len(args) == 1:
                of = self.read(args[0])
                if not of.is_fixed:
                    raise RefusedError(f"math.{name} takes one number that stays the same: write np.{name}")
                return self.graph.make(name, of)
            case ast.Attribute(value=ast.Name(id="np" | "math"), attr=name):
                return self._function(ALIASES.get(name, name), args, named)
            case ast.Attribute(value=of, attr=name) if name in METHODS:
                return self._function(name, [of, *args], named)
            case ast.Attribute(attr=name):
                raise RefusedError(f".{name}() is not known here: {instead(name)}")
        raise RefusedError(FUNCTION)

    def _function(self, name: str, args: list[ast.expr], named: dict[str, ast.expr]) -> Node:
        make, read = self.graph.make, self.read
        if name not in TAKES:
            raise RefusedError(f"np.{name} has no rule: {instead(name)}")
        least, most, names = TAKES[name]
        if not least <= len(args) <= most or not named.keys() <= {*names}:
            by_name = f", and by name {' and '.join(names)}" if names else ", none by name"
            raise RefusedError(f"np.{name} takes {least if least == most else f'{least} to {most}'} values{by_name}"
                               + ("; divide by len(X) - 1 in a line of its own" if "ddof" in named else ""))  # fmt: skip
        if name in FUNCTIONS:
            return make(name, *map(read, args))
        if name in REDUCTIONS:
            return self._reduction(name, read(args[0]), args[1] if len(args) > 1 else named.get("axis"), named)
        if name in ("dot", "matmul"):
            a, b = map(read, args)
            if name == "dot" and len(b.shape) > 2:
                raise RefusedError(f"np.dot with {seen(b)} on its right: write @ or np.einsum")
            return make("*" if name == "dot" and () in (a.shape, b.shape) else "@", a, b)
        if name == "arange":
            return make("arange", self._size(args[0]))
        if name == "reshape":
            return self._reshape(read(args[0]), args[1:])
        if name == "einsum":
            return make("einsum", _einsum_letters(args[0]), *map(read, args[1:]))
        if not isinstance(args[0], ast.List | ast.Tuple) or not args[0].elts:
            raise RefusedError(f"np.{name} takes values in a list: np.{name}([A, B], axis=1)")
        parts = tuple(map(read, args[0].elts))
        where = args[1] if len(args) > 1 else named.get("axis", ast.Constant(0))
        return make(name, parts, self._axis(where, len(parts[0].shape) + (name == "stack")))

    def _reduction(self, name: str, of: Node, where: ast.expr | None, named: dict[str, ast.expr]) -> Node:
        keepdims = named.get("keepdims", ast.Constant(False))
        if not isinstance(keepdims, ast.Constant) or not isinstance(keepdims.value, bool):
            raise RefusedError("keepdims is True or False")
        if of.shape == ():
            raise RefusedError(f"{seen(of)} is one number already: leave np.{name} out")
        every = tuple(range(len(of.shape)))
        axes = every
        if where is not None and ast.unparse(where) != "None":
            each = where.elts if isinstance(where, ast.Tuple) else [where]
            axes = tuple(sorted({self._axis(axis, len(every)) for axis in each}))
            if len(axes) < len(each) or not axes:
                raise RefusedError(f"`{ast.unparse(where)}` names an axis twice, or none")
        return self.graph.make("reduce", of, None if axes == every and not keepdims.value else axes, keepdims.value, name)

    def _reshape(self, of: Node, args: list[ast.expr]) -> Node:
        first = args[0]
        if isinstance(first, ast.Attribute) and first.attr == "shape":
            return self.graph.make("reshape", of, self.read(first.value))
        sizes = tuple(map(self._size, first.elts if isinstance(first, ast.Tuple | ast.List) else args))
        numbers = [size for size in sizes if isinstance(size, int)]
        if numbers.count(-1) > 1 or min(numbers, default=1) < -1:
            raise RefusedError("one length of a reshape may be -1, and none is less")
        return self.graph.make("reshape", of, sizes)


def _einsum_letters(tree: ast.expr) -> str:
    """The letters of an einsum that has a rule. Raises RefusedError for others."""
    spec = tree.value.replace(" ", "") if isinstance(tree, ast.Constant) and isinstance(tree.value, str) else ""
    inputs, arrow, output = spec.partition("->")
    a, comma, b = inputs.partition(",")
    if not arrow or not comma or not (a + b + output).isalpha() or not spec.isascii() or len(spec) > 40:
        raise RefusedError('np.einsum is known for two values, with what comes out: np.einsum("nd,dh->nh", X, W)')
    if any(len({*letters}) < len(letters) for letters in (a, b, output)):
        raise RefusedError(f'"{spec}" has a letter twice in one value: take the diagonal or the sum in another line')
    if not {*output} <= {*a, *b} or not {*a} <= {*b, *output} or not {*b} <= {*a, *output}:
        raise RefusedError(f'a letter stands once only in "{spec}": sum over it in a line of its own, before')
    return spec
