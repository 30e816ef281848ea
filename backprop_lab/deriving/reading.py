"""The lines of a forward pass, read: what may stand in them is on a list, and is checked before anything is run."""

import ast
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node, code
from backprop_lab.deriving.shapes import ELEMENTWISE, REDUCTIONS, Misfit, number_of, seen
from backprop_lab.lines import NAMESPACE, RESERVED

MOST_LINES, LONGEST_LINE, DEEPEST = 400, 1000, 60
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**", ast.BitAnd: "&",
    ast.BitOr: "|", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
LOOP = "a loop: write its turns one after another, each with names of its own, such as h1, h2, h3"
FUNCTION = "a function: write what it does as lines, each with a name"
CHOICE = "an if: np.where(mask, A, B) chooses cell by cell"
PART = "a part is changed in place: make the whole value in one line, with np.where or np.concatenate"
REFUSED: dict[str, str] = {
    "For": LOOP, "While": LOOP, "AsyncFor": LOOP, "FunctionDef": FUNCTION, "AsyncFunctionDef": FUNCTION,
    "ClassDef": FUNCTION, "Lambda": FUNCTION, "If": CHOICE, "IfExp": CHOICE, "Match": CHOICE, "ListComp": LOOP,
    "SetComp": LOOP, "DictComp": LOOP, "GeneratorExp": LOOP,
    "AugAssign": "a value is changed in place: give the new one a name of its own",
    "AnnAssign": "an annotation: write the name, =, and what it is",
    "Import": "an import: np is there already, and nothing else is needed",
    "ImportFrom": "an import: np is there already, and nothing else is needed",
    "JoinedStr": "text: a line holds numbers only",
    "NamedExpr": "a walrus: give the part a line of its own",
    "BoolOp": "and, or: masks are joined cell by cell with & and |, each in parentheses",
    "Not": "not: a mask is turned round with ~",
    "Starred": "a star: name each value",
    "FloorDiv": "//: it has no slope", "Mod": "%: it has no slope",
    "List": "a list: give its numbers among the data, or join values with np.concatenate or np.stack",
    "Tuple": "several values: one line gives one",
    "Dict": "a dict: give each value a name", "Set": "a set: give each value a name",
}  # fmt: skip
OTHERWISE: dict[str, str] = {  # what to write in place of a function that has no rule
    "sort": "it has no rule: the order changes from step to step", "argsort": "give the order among the data",
    "argmax": "give the indices among the data", "argmin": "give the indices among the data",
    "cumsum": "write the sums one after another, such as s2 = s1 + x2", "cumprod": "write the products one by one",
    "prod": "write the product with *", "power": "write X**2", "add": "write A + B", "subtract": "write A - B",
    "multiply": "write A * B", "divide": "write A / B", "negative": "write -X", "transpose": "write X.mT",
    "outer": "write a[:, None] * b", "inner": "write a @ b", "tensordot": "write np.einsum", "vdot": "write a @ b",
    "expand_dims": "write X[:, None]", "squeeze": "write X[:, 0] or X.reshape(...)", "flatten": "write X.reshape(-1)",
    "ravel": "write X.reshape(-1)", "hstack": "write np.concatenate([A, B], axis=1)",
    "vstack": "write np.concatenate([A, B], axis=0)", "array": "give the numbers among the data",
    "asarray": "give the numbers among the data", "zeros": "give the array among the data",
    "ones": "give the array among the data", "full": "give the array among the data",
    "tril": "give the mask among the data", "triu": "give the mask among the data", "random": "draw the numbers before, "
    "and give them among the data", "reciprocal": "write 1 / X", "float_power": "write X**2", "sigmoid": "write "
    "1 / (1 + np.exp(-X))", "softmax": "write np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)", "relu": "write "
    "np.maximum(X, 0)", "range": "write np.arange", "float": "leave it out", "int": "give it among the data",
    "astype": "leave it out", "copy": "leave it out", "item": "leave it out", "as_strided": "it has no rule: name each "
    "window, such as x[:, 0:3]", "sliding_window_view": "it has no rule: name each window, such as x[:, 0:3]",
    "pad": "write np.concatenate with zeros that are given", "linalg": "write it with @, np.sqrt and sums",
    "norm": "write np.sqrt(np.sum(X**2))", "exp2": "write np.exp(X * np.log(2))", "log2": "write np.log(X) / np.log(2)",
    "log10": "write np.log(X) / np.log(10)", "expm1": "write np.exp(X) - 1", "tan": "write np.sin(X) / np.cos(X)",
    "min": "write np.min", "max": "write np.max", "sum": "write np.sum", "pow": "write X**2", "take": "write C[ix]",
}  # fmt: skip
ALIASES = {"absolute": "abs", "fabs": "abs", "amax": "max", "amin": "min", "concat": "concatenate"}
CONSTANTS = ("pi", "e", "inf")


class Refused(ValueError):
    """Something that may not stand in a line, or has no rule; the sentence says what to write instead."""


class Line(NamedTuple):
    """A line as it was handed in: its name, its expression, the text of that, and its number."""

    name: str
    tree: ast.expr
    text: str
    number: int

    @property
    def whole(self) -> str:
        return f"{self.name} = {self.text}"


def lines_in(text: str | Iterable[str]) -> list[Line]:
    """The lines of a text, "name = expression" each. Raises ValueError, with the line, for anything else."""
    if not isinstance(text, str):
        each = [*text] if isinstance(text, Iterable) else [text]
        if not all(isinstance(line, str) for line in each):
            raise ValueError(f'lines are a text, such as "H = np.tanh(X @ W)"; got {text!r}')
        text = "\n".join(each)
    rows = text.splitlines()
    if len(rows) > MOST_LINES or any(len(row) > LONGEST_LINE for row in rows):
        raise ValueError(f"a program has at most {MOST_LINES} lines of at most {LONGEST_LINE} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
    except SyntaxError as error:
        at = min(max(error.lineno or 1, 1), max(len(rows), 1))
        raise ValueError(f"line {at}, `{rows[at - 1].strip() if rows else ''}`, is no Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("the lines are no Python") from None
    found: list[Line] = []
    for statement in body:
        where = f"line {statement.lineno}, `{rows[statement.lineno - 1].strip()}`"
        try:
            name, tree = _assigned(statement)
            _check_depth(tree)
            before = next((line for line in found if line.name == name), None)
            if before:
                raise Refused(f"{name} is the name of line {before.number} already: give this value one of its own")
        except Refused as refused:
            raise ValueError(f"{where}: {refused}") from None
        segment = ast.get_source_segment(text, tree) or ""
        written = segment if segment and "\n" not in segment else ast.unparse(tree)
        found.append(Line(name, tree, written, statement.lineno))
    if not found:
        raise ValueError('there are no lines: a program has at least one, such as "L = np.sum((X @ W - y)**2)"')
    return found


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr]:
    """The name and the expression of a line. Raises Refused for any other statement."""
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
        if len(statement.targets) > 1:
            raise Refused("two names for one value: write a line for each")
        if isinstance(target, ast.Name):
            _check_name(target.id)
            return target.id, statement.value
        raise Refused(PART if isinstance(target, ast.Subscript | ast.Attribute)
                      else "unpacking: write a line for each name")  # fmt: skip
    kind = type(statement).__name__
    raise Refused(REFUSED.get(kind, 'a line is "name = expression", and gives one value'))


def _check_name(name: str) -> None:
    if name in RESERVED or name in NAMESPACE:
        raise Refused(f"{name} means something else in Python: call the value otherwise")
    if name.startswith("_"):
        raise Refused(f"{name}: a name begins with a letter")


def _check_depth(tree: ast.AST) -> None:
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise Refused(f"it is nested more than {DEEPEST} deep: give parts of it lines of their own")
        level = [child for node in level for child in ast.iter_child_nodes(node)]


class Reader:
    """Reads expressions into nodes of a graph. `names` has the values that may stand in them."""

    def __init__(self, graph: Graph, names: Mapping[str, Node]) -> None:
        self.graph = graph
        self.names = names
        self.indices: set[str] = set()  # names of what is used as an index
        self.places: dict[Node, list[ast.expr]] = {}  # where each node stands in the lines

    def read(self, tree: ast.expr) -> Node:
        """An expression as a node. Raises Refused or Misfit."""
        node = self._read(tree)
        self.places.setdefault(node, []).append(tree)
        return node

    def _read(self, tree: ast.expr) -> Node:
        make = self.graph.make
        match tree:
            case ast.Name(id=name):
                return self._name(name)
            case ast.Constant(value=value):
                if type(value) not in (int, float):
                    raise Refused(f"{value!r} is no number")
                if not abs(value) < 1e300 or (isinstance(value, int) and value > 2**53):
                    raise Refused("a number that large does not fit: np.inf, or one such as 1e20, does")
                return self.graph.number(value)
            case ast.BinOp(left=left, op=op, right=right):
                if type(op) not in OPERATORS:
                    self._refuse(op)
                node = make(OPERATORS[type(op)], self.read(left), self.read(right))
                number_of(node)
                return node
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return make("neg", self.read(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return make("~", self.read(operand))
            case ast.UnaryOp(op=op):
                self._refuse(op)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                if type(op) not in OPERATORS:
                    raise Refused("masks come from <, <=, >, >=, == and !=")
                return make(OPERATORS[type(op)], self.read(left), self.read(right))
            case ast.Compare():
                raise Refused("two comparisons in one: write (0 < X) & (X < 1)")
            case ast.Attribute(value=of, attr=name):
                return self._attribute(of, name)
            case ast.Subscript(value=ast.Attribute(value=of, attr="shape"), slice=at):
                node = self.read(of)
                axis = self._axis(at, len(node.shape))
                return make("axis", node, axis) if axis else make("len", node)
            case ast.Subscript(value=of, slice=at):
                return self._index(self.read(of), at)
            case ast.Call():
                return self._call(tree)
        self._refuse(tree)

    def _refuse(self, tree: ast.AST) -> NoReturn:
        kind = type(tree).__name__
        raise Refused(REFUSED.get(kind, f"{kind} may not stand in a line: write it with operators and np functions"))

    def _name(self, name: str) -> Node:
        if (node := self.names.get(name)) is not None:
            return node
        if name in OTHERWISE or name in RESERVED or name in NAMESPACE:
            raise Refused(f"{name} alone is no value")
        there = ", ".join(self.names) or "nothing"
        raise Refused(f"{name} is not known here: neither given nor a line before it. There are {there}")

    def _attribute(self, of: ast.expr, name: str) -> Node:
        if isinstance(of, ast.Name) and of.id in ("np", "math"):
            if name in CONSTANTS:
                return self.graph.make(of.id, name)
            raise Refused(f"{of.id}.{name} is no number: {OTHERWISE.get(name, 'np.pi is one')}")
        node = self.read(of)
        if name == "size":
            return self.graph.make("size", node)
        if name == "T" and len(node.shape) > 2:
            raise Refused(f"{seen(node)}.T turns all its axes round: {code(node, {}, 9)}.mT swaps the last two")
        if name == "T" and len(node.shape) < 2:
            return node
        if name in ("T", "mT"):
            return self.graph.make("mT", node)
        if name == "shape":
            raise Refused(f"a shape is no number: write {code(node, {}, 9)}.shape[0]")
        raise Refused(f".{name} is not known here: {OTHERWISE.get(name, 'X.mT, X.size, X.shape[0] and sums are')}")

    def _axis(self, tree: ast.expr, axes: int) -> int:
        axis = self._whole(tree)
        if not -axes <= axis < axes:
            raise Refused(
                f"there is no axis {axis}: the axes are 0 to {axes - 1}" if axes else "one number has no axes"
            )
        return axis % axes

    def _whole(self, tree: ast.expr) -> int:
        """A whole number that is known before anything runs: 2, -1, len(X), X.shape[1] - 1."""
        match tree:
            case ast.Constant(value=value) if type(value) is int:
                return value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._whole(operand)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() as op, right=right):
                a, b = self._whole(left), self._whole(right)
                if isinstance(op, ast.FloorDiv):
                    return a // b if b else 0
                return a + b if isinstance(op, ast.Add) else a - b if isinstance(op, ast.Sub) else a * b
            case ast.Call() | ast.Subscript() | ast.Attribute():
                node = self.read(tree)
                if node.op in ("len", "axis", "size"):
                    return self.graph.plain(_counted(node))
        raise Refused(f"`{ast.unparse(tree)}` must be a whole number that is known from the start, such as 1 or len(X)")

    def _size(self, tree: ast.expr) -> Any:
        """A length for reshape or arange: a number, or a node that stands for one."""
        if isinstance(tree, ast.Call | ast.Subscript | ast.Attribute):
            node = self.read(tree)
            node = self.graph.define_of(node)
            if node.op in ("len", "axis", "size"):
                return node
        if isinstance(tree, ast.Name) and (node := self.graph.define_of(self._name(tree.id))).op in ("len", "axis"):
            return node
        return self._whole(tree)

    def _index(self, of: Node, tree: ast.expr) -> Node:
        given = tree.elts if isinstance(tree, ast.Tuple) else [tree]
        is_new = [_is_new(each) for each in given]
        dots = [k for k, each in enumerate(given) if isinstance(each, ast.Constant) and each.value is Ellipsis]
        missing = len(of.shape) - (len(given) - sum(is_new) - len(dots))
        if missing < 0 or len(dots) > 1:
            raise Refused(f"{seen(of)} has {len(of.shape)} axes, and the index has more")
        items: list[Any] = []
        at = 0
        for each, new in zip(given, is_new, strict=True):
            if new:
                items.append("None")
            elif isinstance(each, ast.Constant) and each.value is Ellipsis:
                items.extend([":"] * missing)
                at += missing
            else:
                items.append(self._item(of, at, each))
                at += 1
        items.extend([":"] * (len(of.shape) - at))
        node = self.graph.make("index", of, self._checked(of, tuple(items)))
        return of if all(item == ":" for item in items) else node

    def _item(self, of: Node, axis: int, tree: ast.expr) -> Any:
        n = of.shape[axis]
        if isinstance(tree, ast.Slice):
            if tree.step is not None and not (isinstance(tree.step, ast.Constant) and tree.step.value == 1):
                raise Refused("steps in a slice have no rule: reshape, or name the parts one by one")
            ends = [None if end is None else self._whole(end) for end in (tree.lower, tree.upper)]
            start, stop, _ = slice(*ends).indices(n)
            if any(end is not None and end < 0 for end in ends):
                self.graph.plain(n)
            if start >= stop:
                raise Refused(f"`{ast.unparse(tree)}` of axis {axis} of {seen(of)} holds nothing")
            return ":" if (start, stop) == (0, n) else (start or None, None if stop == n else stop)
        try:
            whole = self._whole(tree)
        except (Refused, Misfit):
            node = self.read(tree)
        else:
            if not -n <= whole < n:
                raise Refused(f"{whole} is out of range: axis {axis} of {seen(of)} has places 0 to {n - 1}")
            return whole if whole >= 0 else whole + self.graph.plain(n)
        if node.kind != "i":
            raise Refused(f"{seen(node)} picks no places, as it has no whole numbers"
                          + (": np.where(mask, X, 0) keeps what a mask keeps" if node.kind == "b" else ""))  # fmt: skip
        self._note(node)
        return node

    def _note(self, node: Node) -> None:
        if node.op == "name":
            self.indices.add(node.args[0])
        for part in node.parts:
            self._note(part)

    def _checked(self, of: Node, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """The items of an index, if there is a rule for them together."""
        at = [k for k, item in enumerate(items) if isinstance(item, Node) or isinstance(item, int)]
        arrays = [items[k] for k in at if isinstance(items[k], Node) and items[k].shape != ()]
        others = [item for k, item in enumerate(items) if k not in at]
        if arrays and (len(arrays) != len(at) or any(item != ":" for item in others)):
            raise Refused("an index array beside slices, numbers or None has no rule: take one after the other, in two "
                          "lines")  # fmt: skip
        if len(arrays) > 2 or (len(arrays) == 2 and (at != [0, 1] or any(len(each.shape) != 1 for each in arrays))):
            raise Refused("two index arrays have a rule where both are rows of numbers, for the first two axes: "
                          "P[np.arange(N), y]")  # fmt: skip
        return items

    def _call(self, tree: ast.Call) -> Node:
        if any(keyword.arg is None for keyword in tree.keywords):
            self._refuse(ast.Starred())
        named = {keyword.arg or "": keyword.value for keyword in tree.keywords}
        match tree.func:
            case ast.Name(id="len"):
                (of,) = self._arguments("len", tree, named, 1)
                if of.shape == ():
                    raise Refused(f"{seen(of)} has no length")
                return self.graph.make("len", of)
            case ast.Name(id="abs"):
                return self.graph.make("abs", *self._arguments("abs", tree, named, 1))
            case ast.Name(id=name):
                raise Refused(f"{name} is not known here: {OTHERWISE.get(name, 'write it with np functions')}")
            case ast.Attribute(value=ast.Name(id="math"), attr=name):
                parts = self._arguments(f"math.{name}", tree, named, 1)
                if name not in ("sqrt", "exp", "log") or not parts[0].is_fixed:
                    raise Refused(f"math.{name} takes one number that stays the same: write np.{name}")
                return self.graph.make(name, *parts)
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return self._function(ALIASES.get(name, name), tree, [*tree.args], named)
            case ast.Attribute(value=of, attr=name):
                if name in (*REDUCTIONS, "reshape", "dot", "clip"):
                    return self._function(name, tree, [of, *tree.args], named)
                raise Refused(f".{name}() is not known here: {OTHERWISE.get(name, 'write it with np functions')}")
        raise Refused(FUNCTION)

    def _arguments(self, name: str, tree: ast.Call, named: Mapping[str, ast.expr], number: int) -> list[Node]:
        if len(tree.args) != number or named:
            raise Refused(f"{name} takes {number} argument{'s' if number > 1 else ''} here, and none by name")
        return [self.read(each) for each in tree.args]

    def _function(self, name: str, tree: ast.Call, args: list[ast.expr], named: dict[str, ast.expr]) -> Node:
        make = self.graph.make
        takes: dict[str, tuple[int, int, tuple[str, ...]]] = {
            **{each: (n, n, ()) for each, n in ELEMENTWISE.items()},
            **dict.fromkeys(REDUCTIONS, (1, 2, ("axis", "keepdims"))), "reshape": (2, 9, ()), "dot": (2, 2, ()),
            "matmul": (2, 2, ()), "concatenate": (1, 2, ("axis",)), "stack": (1, 2, ("axis",)), "einsum": (3, 3, ()),
            "arange": (1, 1, ()),
        }  # fmt: skip
        if name not in takes:
            raise Refused(f"np.{name} has no rule: {OTHERWISE.get(name, 'write it with what is known here')}")
        least, most, names = takes[name]
        if not least <= len(args) <= most or not named.keys() <= {*names}:
            own = f", and by name {' and '.join(names)}" if names else ", and none by name"
            raise Refused(f"np.{name} takes {least if least == most else f'{least} to {most}'} arguments here{own}"
                          + (": divide by len(X) - 1 in a line" if "ddof" in named else ""))  # fmt: skip
        if name in ELEMENTWISE:
            return make(name, *map(self.read, args))
        if name in REDUCTIONS:
            return self._reduction(name, args, named)
        if name in ("dot", "matmul"):
            a, b = map(self.read, args)
            if name == "dot" and () in (a.shape, b.shape):
                return make("*", a, b)
            if name == "dot" and len(b.shape) > 2:
                raise Refused(f"np.dot with {seen(b)} on its right: write @ or np.einsum")
            return make("@", a, b)
        if name == "arange":
            return make("arange", self._size(args[0]))
        if name == "reshape":
            return self._reshape(self.read(args[0]), args[1:])
        if name == "einsum":
            return self._einsum(args)
        return self._join(name, args, named)

    def _reduction(self, name: str, args: list[ast.expr], named: dict[str, ast.expr]) -> Node:
        of = self.read(args[0])
        where = args[1] if len(args) > 1 else named.get("axis")
        keepdims = named.get("keepdims")
        if keepdims is not None and not (isinstance(keepdims, ast.Constant) and type(keepdims.value) is bool):
            raise Refused("keepdims is True or False")
        axes: tuple[int, ...] | None = None
        if where is not None and not (isinstance(where, ast.Constant) and where.value is None):
            each = where.elts if isinstance(where, ast.Tuple) else [where]
            axes = tuple(sorted(self._axis(axis, len(of.shape)) for axis in each))
            if len({*axes}) < len(axes) or not axes:
                raise Refused(f"`{ast.unparse(where)}` names an axis twice, or none")
        if of.shape == ():
            raise Refused(f"{seen(of)} is one number already: leave np.{name} out")
        is_kept = isinstance(keepdims, ast.Constant) and keepdims.value is True
        if axes is None and is_kept:
            axes = tuple(range(len(of.shape)))
        if axes is not None and len(axes) == len(of.shape) and not is_kept:
            axes = None
        return self.graph.make("reduce", name, of, axes, is_kept)

    def _reshape(self, of: Node, args: list[ast.expr]) -> Node:
        first = args[0]
        if isinstance(first, ast.Attribute) and first.attr == "shape" and len(args) == 1:
            return self.graph.make("reshape", of, self.read(first.value))
        each = first.elts if isinstance(first, ast.Tuple | ast.List) and len(args) == 1 else args
        sizes = tuple(self._size(size) for size in each)
        numbers = [size for size in sizes if isinstance(size, int)]
        if numbers.count(-1) > 1 or min(numbers, default=1) < -1:
            raise Refused("one length of a reshape may be -1, and none is less")
        return self.graph.make("reshape", of, sizes)

    def _join(self, name: str, args: list[ast.expr], named: dict[str, ast.expr]) -> Node:
        if not isinstance(args[0], ast.List | ast.Tuple) or not args[0].elts:
            raise Refused(f"np.{name} takes values in a list: np.{name}([A, B], axis=1)")
        parts = tuple(map(self.read, args[0].elts))
        where = args[1] if len(args) > 1 else named.get("axis")
        axes = len(parts[0].shape) + (name == "stack")
        axis = 0 if where is None else self._axis(where, axes)
        if axes == 0:
            raise Refused(f"{seen(parts[0])} has no axis to join along: np.stack makes one")
        return self.graph.make(name, axis, parts)

    def _einsum(self, args: list[ast.expr]) -> Node:
        spec = args[0].value if isinstance(args[0], ast.Constant) else None
        if not isinstance(spec, str) or len(spec) > 40:
            raise Refused('np.einsum begins with letters such as "nd,dh->nh"')
        spec = spec.replace(" ", "")
        inputs, arrow, output = spec.partition("->")
        a, comma, b = inputs.partition(",")
        if not arrow or not comma or not (a + b + output).isalpha() or not spec.isascii():
            raise Refused('np.einsum is known for two values, with what comes out: "nd,dh->nh"')
        if any(len({*letters}) < len(letters) for letters in (a, b, output)):
            raise Refused(
                f'"{spec}" has a letter twice in one value: take the diagonal or the sum in a line of its own'
            )
        if not {*output} <= {*a, *b} or not {*a} <= {*b, *output} or not {*b} <= {*a, *output}:
            raise Refused(f'in "{spec}" a letter stands once only: sum over it in a line of its own, before')
        return self.graph.make("einsum", spec, *map(self.read, args[1:]))


def _is_new(tree: ast.expr) -> bool:
    """Whether an item of an index adds an axis."""
    if isinstance(tree, ast.Attribute):
        return isinstance(tree.value, ast.Name) and tree.value.id == "np" and tree.attr == "newaxis"
    return isinstance(tree, ast.Constant) and tree.value is None


def _counted(size: Node) -> int:
    shape = size.args[0].shape
    return math.prod(shape) if size.op == "size" else shape[0 if size.op == "len" else size.args[1]]


__all__ = ["Callable", "Line", "Misfit", "Reader", "Refused", "lines_in"]
