"""The values of a program as nodes: equal parts are one node, and what has a name is called by it."""

from collections.abc import Collection
from typing import Any

from backprop_lab.deriving.nodes import SIZES, Length, Node, Shape
from backprop_lab.deriving.shapes import check_meant, lengths, shape_of


def spreading(axes: Collection[int], n: int) -> tuple[Any, ...]:
    """The items of an index that brings back, with length 1, some of n axes, over which a sum was taken."""
    return tuple(None if k in axes else ":" for k in range(n))


def _leads_with_minus(node: Node) -> bool:
    """Whether a product is written with a minus in front of it, as -k * x is."""
    return node.op == "neg" or (node.op in ("*", "/") and _leads_with_minus(node.args[0]))


def _puts_back(items: tuple[Any, ...], first: Node) -> bool:
    """Whether an index takes out the axes, of length 1, that a first one has put in, or the other way round."""
    are_axes = {*items, *first.args[1]} <= {":", None, 0}
    return are_axes and shape_of("index", (first, items))[0] == first.args[0].shape


class AmbiguousError(ValueError):
    """A line would hold, as a plain number, a length that stands for any number of samples."""


class Graph:
    """Nodes, made once each. `samples` is a length that stands for any number of samples, 0 if there is none.

    `sums` has the values that add up to 1 along some axes, as the rows of a softmax do; `assumed`, the data of which
    this was used; `guards`, the masks by which np.where chooses; `dtype` is that of what is learnt, where it is not
    float.
    """

    def __init__(self, samples: int = 0, dtype: str = "") -> None:
        self.samples, self.dtype = samples, dtype
        self.names: dict[str, Node] = {}
        self.named: dict[Node, Node] = {}  # what a line computes, and its name
        self.meaning: dict[Node, Node] = {}  # a name, and what its line computes
        self.sums: dict[Node, tuple[int, ...]] = {}
        self.assumed: set[str] = set()
        self.guards: set[Node] = set()
        self.is_read = False  # whether all lines that were handed in are read
        self.written: set[float] = set()  # the plain numbers in these
        self._nodes: dict[Any, Node] = {}

    def give(self, name: str, shape: Shape, kind: str, learnt: bool) -> Node:
        """Add a value that is given."""
        self.names[name] = node = self.name(name, shape, kind, rank=2 if learnt else 0)
        node.needs, node.is_fixed = learnt, not learnt and shape == ()
        return node

    def define(self, name: str, node: Node) -> Node:
        """Add a value that a line computes."""
        self.names[name] = new = self.name(name, node.shape, node.kind)
        new.needs, new.is_fixed = node.needs, node.is_fixed
        new.args += (node,) * (node.op in SIZES)  # how long it is
        self.meaning[new] = node
        if node.op not in ("name", "number"):
            self.named.setdefault(node, new)
        return new

    def name(self, name: str, shape: Shape, kind: str = "f", rank: int = 1) -> Node:
        """A name, whose axes are called by it."""
        node = Node("name", (name,), (), kind)
        node.shape = tuple(Length(n, node, axis, rank) for axis, n in enumerate(shape))
        return node

    def gradient(self, name: str, of: Node) -> Node:
        """The name of a gradient; its axes are called as those of what it is the gradient of."""
        node = Node("name", (name,), of.shape, "f")
        node.is_gradient, node.is_fixed = True, False
        return node

    def number(self, number: float) -> Node:
        if not self.is_read:
            self.written.add(number)
        return self.make("number", int(number) if number == int(number) and abs(number) < 1e6 else number)

    def float(self, number: Any) -> Node:
        """A plain number that makes floats of a mask, of the kind that is learnt."""
        is_narrow = self.dtype in ("np.float32", "np.float16")  # others do not become wider
        return self.make(self.dtype.removeprefix("np.") if is_narrow else "number", float(number))

    def make(self, op: str, *args: Any) -> Node:
        """A node, or the name of the value that it is. Raises RefusedError where shapes do not fit."""
        key = (op, args, type(args[0]) if op == "number" else None)
        if (node := self._nodes.get(key)) is None:
            if not self.is_read and op != "@":
                check_meant(tuple(arg for arg in args if isinstance(arg, Node)))
            node = self._nodes[key] = self._simpler(op, args) or Node(op, args, *shape_of(op, args))
        return self.named.get(node, node)

    def _simpler(self, op: str, args: tuple[Any, ...]) -> Node | None:
        """A shorter way to write the same, if there is one."""
        first = args[0]
        match op, getattr(first, "op", ""):
            case ("mT", "mT") | ("neg", "neg"):
                return first.args[0]  # type: ignore[no-any-return]
            case "@" | "mT", _ if self.is_read and "eye" in [part.op for part in args]:
                return next((part for part in args if part.op != "eye"), first)  # type: ignore[no-any-return]
            case "mT", "*" if self.is_read and not first.args[0].shape:  # a number times a matrix
                return self.make("*", first.args[0], self.make("mT", first.args[1]))
            case "mT" | "@", "neg" if self.is_read:
                return self.make("neg", self.make(op, first.args[0], *args[1:]))
            case "neg", "*" | "/" if self.is_read and _leads_with_minus(first):
                return self.make(first.op, self.make("neg", first.args[0]), first.args[1])
            case "mT", "@" if self.is_read and "mT" in (first.args[0].op, first.args[1].op):
                a, b = (self.make("mT", part) for part in first.args)
                return self.make("@", b, a)
            case ">", "maximum" if args[1] in first.args:
                return self.make(">", *(part for part in first.args if part is not args[1]), args[1])
            case "index", "reduce" if first.args[2] and args[1] == tuple(
                0 if k in first.args[1] else ":" for k in range(len(first.shape))
            ):
                of, axes, _, name = first.args
                return self.make("reduce", of, axes if len(axes) < len(of.shape) else None, False, name)
            case "index", "reduce" if not first.args[2]:
                of, axes, _, name = first.args
                every = (*range(len(of.shape)),) if axes is None else axes
                if args[1] == spreading(every, len(of.shape)):
                    return self.make("reduce", of, every, True, name)
            case "reshape", "reduce" if first.args[2]:
                of, axes, _, name = first.args
                if lengths(args[1]) == tuple(n for k, n in enumerate(of.shape) if k not in axes):
                    return self.make("reduce", of, axes if len(axes) < len(of.shape) else None, False, name)
            case "index", "index" if _puts_back(args[1], first):
                return first.args[0]  # type: ignore[no-any-return]
            case "index", "index" if {*args[1], *first.args[1]} <= {":", None}:
                inner = iter(first.args[1])
                return self.make("index", first.args[0], tuple(item and next(inner) for item in args[1]))
            case "reduce", "reduce" if (args[2:], first.args[2:]) == ((False, "sum"),) * 2:
                left = [k for k in range(len(first.args[0].shape)) if k not in first.args[1]]
                gone = {left[k] for k in (range(len(left)) if args[1] is None else args[1])}
                axes = (*sorted({*first.args[1]} | gone),)
                is_all = len(axes) == len(first.args[0].shape)
                return self.make("reduce", first.args[0], None if is_all else axes, False, "sum")
        return None

    def transposed(self, node: Node, axes: tuple[int, ...]) -> Node:
        """A node with its axes in another order: node.mT if only the last two change places."""
        every = (*range(len(axes)),)
        is_turned = axes == (*every[:-2], *every[:-3:-1])
        return node if axes == every else self.make("mT", node) if is_turned else self.make("transpose", node, axes)

    def meant(self, node: Node) -> Node:
        """What a name stands for; anything else as it is."""
        return self.meaning.get(node, node)

    def value(self, node: Node) -> Node:
        """A node, by its name if it has one."""
        return self.named.get(node, node)

    def plain(self, length: int) -> int:
        """A length that a line will hold as a plain number. Raises AmbiguousError if samples are counted in it."""
        if self.samples and length > self.samples // 2:  # also without a few, or with some more
            raise AmbiguousError
        return int(length)

    def size(self, node: Node, axis: int) -> Any:
        """How long an axis of a node is, as a person writes it: len(X), X.shape[1], or a plain number."""
        length = node.shape[axis]
        if not isinstance(length, Length):
            return self.plain(length)
        of, axis = length.of
        return self.make("axis", of, axis) if axis else self.make("len", of)

    def sizes(self, node: Node) -> Any:
        """The shape of a node, as a person writes it: that of a value, or length by length."""
        whole = self._whole(node)
        return whole or tuple(self.size(node, axis) for axis in range(len(node.shape)))

    def count(self, node: Node, axes: tuple[int, ...] | None) -> list[Node]:
        """How many numbers lie along some axes of a node, or all: y.size, or the factors of a product."""
        whole = self._whole(node) if axes is None and len(node.shape) > 1 else None
        if whole:
            return [self.make("size", whole)]
        found = [self.size(node, k) for k in (range(len(node.shape)) if axes is None else axes)]
        return [each if isinstance(each, Node) else self.number(each) for each in found if each != 1]

    def _whole(self, node: Node) -> Node | None:
        """The value whose axes these all are."""
        of = [length.of if isinstance(length, Length) else None for length in node.shape]
        first = of[0][0] if of and of[0] else None
        same = first and len(first.shape) == len(of) and all(each == (first, k) for k, each in enumerate(of))
        return first if same else None

    def adds_up(self, node: Node, axes: tuple[int, ...]) -> bool:
        """Whether the numbers of a node add up to 1 along some axes, wherever along the others."""
        if node.op == "mT":
            last, swapped = len(node.shape) - 1, {len(node.shape) - 1: len(node.shape) - 2}
            return self.adds_up(node.args[0], tuple(swapped.get(k, last if k == last - 1 else k) for k in axes))
        if node.op == "index" and node.args[0].op == "index" and {*node.args[1]} <= {":", None}:
            kept = [k for k, item in enumerate(node.args[1]) if item == ":"]
            return self.adds_up(node.args[0], tuple(kept.index(k) for k in axes if k in kept))
        is_one_hot = node.op == "index" and node.args[0].op == "eye"
        own = (len(node.shape) - 1,) if is_one_hot else self.sums.get(node)
        if own is None or {k for k in axes if node.shape[k] != 1} != {k for k in own if node.shape[k] != 1}:
            return False
        if node.op == "name" and node not in self.meaning:
            self.assumed.add(node.args[0])
        return True
