"""An expression as a tree, of which equal parts are one object, and how it is written as code."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

SIGNS = {"+": 4, "-": 4, "*": 5, "/": 5, "@": 5, "**": 7, "&": 3, "|": 2}  # how tightly an operator binds
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
SIZES = ("len", "axis", "size")
SHORT = {  # how what is no call of NumPy is written
    "name": "{}", "np": "np.{}", "math": "math.{}", "mT": "{}.mT", "len": "len({})", "axis": "{}.shape[{}]",
    "size": "{}.size",
}  # fmt: skip
FLAT = (*COMPARISONS, *SIZES, "~", "sign", "zeros_like", "ones_like", "eye", "arange")  # no slope, or none but 0
TIGHT = 9  # what needs no parentheses anywhere


class RefusedError(ValueError):
    """Something that may not stand in a line, or has no rule. The sentence says what to write instead."""


class Length(int):
    """How long an axis is, and which axis of which value that is: what is given comes before what is computed."""

    of: "tuple[Node, int]"
    rank: int

    def __new__(cls, number: int, node: "Node", axis: int, rank: int) -> "Length":
        length = super().__new__(cls, number)
        length.of, length.rank = (node, axis), rank
        return length


Shape = tuple[int, ...]  # each a Length, where a value has it


class Node:
    """A part of an expression: an operation on other parts, with the shape and the kind of number that it gives.

    `op` is "name", "number", an operator, "reduce", "index" and so on, or the name of a function of NumPy; `args` has
    its operands, and whatever else belongs to it, such as an axis. `kind` is "f", "i" or "b" for floats, whole numbers
    and True or False. `needs` says whether a gradient goes through it, as something learnt has a part in it;
    `is_gradient`, whether a gradient has; `is_fixed`, whether it is one number that is the same whatever is learnt.
    """

    __slots__ = ("args", "is_fixed", "is_gradient", "kind", "needs", "op", "parts", "shape")

    def __init__(self, op: str, args: tuple[Any, ...], shape: Shape, kind: str) -> None:
        self.op, self.args, self.shape, self.kind = op, args, shape, kind
        self.parts: tuple[Node, ...] = (*parts_of(args),)
        self.needs: bool = op not in FLAT and any(part.needs for part in self.parts)
        self.is_gradient: bool = any(part.is_gradient for part in self.parts)
        self.is_fixed: bool = op in SIZES or (
            shape == () and op != "name" and all(part.is_fixed for part in self.parts)
        )

    def __repr__(self) -> str:
        return f"<{code(self)} {self.shape}>"

    def inside(self, but_of: Collection[str] = ()) -> "list[Node]":
        """All its parts and itself, the innermost first; without those of some operations."""
        found: dict[Node, None] = {}

        def look(node: Node) -> None:
            if node not in found:
                for part in () if node.op in but_of else node.parts:
                    look(part)
                found[node] = None

        look(self)
        return [*found]

    def names(self, but_of: Collection[str] = ()) -> "list[Node]":
        """The names in it, in order."""
        return [node for node in self.inside(but_of) if node.op == "name"]


def parts_of(args: tuple[Any, ...]) -> Iterator[Node]:
    """The nodes among some arguments, also of a tuple in them, in order."""
    for each in args:
        if isinstance(each, Node):
            yield each
        elif isinstance(each, tuple):
            yield from parts_of(each)


def code(node: Node, names: Mapping[Node, str] | None = None, around: int = 0) -> str:
    """The node as a person writes it; in `names`, parts that have a name. `around` is how tightly its place binds."""
    names = names or {}
    if node in names:
        return names[node]
    text, binds = _written(node, names)
    return f"({text})" if binds < around else text


def seen(node: Node) -> str:
    """A part with its shape, as sentences name it: `X (5, 3)`."""
    return f"{code(node)} {node.shape if node.shape else '(one number)'}"


def _written(node: Node, names: Mapping[Node, str]) -> tuple[str, int]:
    """The code, and how tightly its outermost operation binds."""
    op, args = node.op, node.args

    def part(each: Any, around: int = 0) -> str:
        return code(each, names, around) if isinstance(each, Node) else str(each)

    def sizes(each: Any) -> str:
        return f"{part(each, TIGHT)}.shape" if isinstance(each, Node) else ", ".join(map(part, each))

    if op in SHORT:
        return SHORT[op].format(*(part(each, TIGHT) for each in args)), TIGHT
    match op, args:
        case "number", (number,):
            return repr(number).replace("e-0", "e-"), 6 if number < 0 else TIGHT
        case "**", (base, power):
            return f"{part(base, 8)}**{part(power, 6)}", SIGNS[op]
        case _, (left, right) if op in SIGNS or op in COMPARISONS:
            binds = SIGNS.get(op, 0)
            is_mistakable = op == "@" and left.op in ("*", "/") and left.args[0].shape  # as in (r * h) @ W
            return f"{part(left, (binds or 1) + bool(is_mistakable))} {op} {part(right, binds + 1)}", binds
        case (("neg" | "~"), (of,)):
            return f"{'-' if op == 'neg' else op}{part(of, 6)}", 6
        case "reduce", (of, axes, keepdims, name):
            axis = "" if axes is None else f"axis={axes[0] if len(axes) == 1 else axes}"
            return f"{part(of, TIGHT)}.{name}({', '.join(filter(None, (axis, 'keepdims=True' * keepdims)))})", TIGHT
        case "reshape", (of, shape):
            return f"{part(of, TIGHT)}.reshape({sizes(shape) or '()'})", TIGHT
        case "transpose", (of, axes):
            return f"{part(of, TIGHT)}.transpose{axes}", TIGHT
        case "broadcast_to", (of, shape):
            written = sizes(shape)
            comma = "," * (len(node.shape) == 1)
            return f"np.{op}({part(of)}, {written if isinstance(shape, Node) else f'({written}{comma})'})", TIGHT
        case "index", (of, items):
            end = max((k for k, item in enumerate(items) if item != ":"), default=0) + 1
            return f"{part(of, TIGHT)}[{', '.join(map(part, items[:end]))}]", TIGHT
        case (("concatenate" | "stack"), (parts, axis)):
            return f"np.{op}([{', '.join(map(part, parts))}], axis={axis})", TIGHT
        case "einsum", (spec, a, b):
            return f'np.einsum("{spec}", {part(a)}, {part(b)})', TIGHT
        case "pad", (of, widths):
            return f"np.pad({part(of)}, [{', '.join(map(str, widths))}])", TIGHT
    return f"{'' if op.startswith('math.') else 'np.'}{op}({', '.join(map(part, args))})", TIGHT


def met(*shapes: Shape) -> Shape:
    """The shape of values that meet cell by cell. Raises ValueError where they do not fit."""
    found: list[int] = []
    for k in range(1, max(map(len, shapes), default=0) + 1):
        here = [shape[-k] for shape in shapes if len(shape) >= k]
        long = [n for n in here if n != 1] or here
        if any(n != long[0] for n in long):
            raise ValueError
        found.insert(0, min(long, key=lambda n: getattr(n, "rank", 9)))
    return tuple(found)
