"""The values of a program as nodes: equal parts are one node, and what has a name is called by it."""

from collections.abc import Iterator
from typing import Any

from backprop_lab.deriving.nodes import SIZES, Node, Shape
from backprop_lab.deriving.shapes import ELEMENTWISE, shape_of


class AmbiguousError(ValueError):
    """A line would hold a length that stands for the number of samples, whatever that is."""


class Graph:
    """Nodes, made once each. `samples` is a length that stands for any number of samples, 0 if there is none."""

    def __init__(self, samples: int = 0) -> None:
        self.samples = samples
        self.named: dict[Node, Node] = {}  # what a line computes, and its name
        self.meaning: dict[Node, Node] = {}  # a name, and what its line computes
        self.given: dict[str, Node] = {}
        self.sums: dict[Node, tuple[int, ...]] = {}  # what adds up to 1 along some axes, as the rows of a softmax
        self.assumed: set[str] = set()  # the data that this was used of
        self.is_read = False  # whether all lines that were handed in are read
        self._nodes: dict[Any, Node] = {}

    def name(self, name: str, shape: Shape, kind: str, needs: bool = False, is_gradient: bool = False) -> Node:
        """A new name."""
        node = Node("name", (name,), shape, kind)
        node.needs, node.is_gradient = needs, is_gradient
        return node

    def give(self, name: str, shape: Shape, kind: str, learnt: bool) -> None:
        """Add a value that is given."""
        self.given[name] = node = self.name(name, shape, kind, learnt)
        node.is_fixed = shape == () and not learnt

    def define(self, name: str, node: Node) -> Node:
        """Add a value that a line computes. Raises ValueError where an exponent or the like is learnt."""
        new = self.name(name, node.shape, node.kind, node.needs)
        new.is_fixed = node.is_fixed
        self.meaning[new] = node
        if node.op not in ("name", "number"):
            self.named.setdefault(node, new)
        return new

    def make(self, op: str, *args: Any) -> Node:
        """A node, or the name of the value that it is. Raises Misfit where shapes do not fit."""
        key = (op, args)
        if (node := self._nodes.get(key)) is None:
            node = self._nodes[key] = self._simpler(op, args) or Node(op, args, *shape_of(op, args, self.is_read))
        return self.named.get(node, node)

    def number(self, number: float) -> Node:
        whole = isinstance(number, float) and number.is_integer() and abs(number) < 1e6
        return self.make("number", int(number) if whole else number)

    def define_of(self, node: Node) -> Node:
        """What a name stands for; anything else as it is."""
        return self.meaning.get(node, node)

    def _simpler(self, op: str, args: tuple[Any, ...]) -> Node | None:
        """A shorter way to write the same, if there is one."""
        if op == "mT" and args[0].op == "mT":
            return args[0].args[0]  # type: ignore[no-any-return]
        if op == "mT" and args[0].op == "@" and all(len(part.shape) > 1 for part in args[0].args):
            a, b = args[0].args
            return self.make("@", self.make("mT", b), self.make("mT", a))
        if op == ">" and args[0].op == "maximum" and args[1].op == "number" and args[1] in args[0].args:
            (other,) = (part for part in args[0].args if part is not args[1])
            return self.make(">", other, args[1])
        if op == "reshape" and args[1] is args[0]:
            return args[0]  # type: ignore[no-any-return]
        return None

    def adds_up(self, node: Node, axes: tuple[int, ...]) -> bool:
        """Whether the numbers of a node add up to 1 along some axes, wherever along the others."""
        if node.op == "index" and node.args[0].op == "eye":
            own: tuple[int, ...] | None = (len(node.shape) - 1,)
        else:
            own = self.sums.get(node)
        if own is None or {k for k in axes if node.shape[k] != 1} != {k for k in own if node.shape[k] != 1}:
            return False
        if node.op == "name" and node.args[0] in self.given:
            self.assumed.add(node.args[0])
        return True

    def plain(self, length: int) -> int:
        """A length that a line will hold as a plain number. Raises AmbiguousError if it is the number of samples."""
        if self.samples and length % self.samples == 0 and length:
            raise AmbiguousError
        return length

    def size(self, node: Node, axis: int) -> Any:
        """How long an axis of a node is, as a person writes it: len(X), X.shape[1], or a plain number."""
        found = next(self._sized(node, axis), None)
        if found is None:
            return self.plain(node.shape[axis])
        name, axis = found
        return self.make("len", name) if axis == 0 else self.make("axis", name, axis)

    def sizes(self, node: Node) -> Any:
        """The shape of a node, as a person writes it: that of a value, or length by length."""
        if node.op == "name":
            return node
        return tuple(self.size(node, axis) for axis in range(len(node.shape)))

    def count(self, node: Node, axes: tuple[int, ...] | None) -> list[Node]:
        """How many numbers of a node some axes, or all, hold: y.size, or the factors of a product."""
        if axes is None and len(node.shape) > 1:
            same = [each for each in self._names_in(node) if each.shape == node.shape]
            if same:
                return [self.make("size", min(same, key=lambda each: each in self.meaning))]
        found = [self.size(node, k) for k in (range(len(node.shape)) if axes is None else axes)]
        return [each if isinstance(each, Node) else self.number(each) for each in found if each != 1]

    def _names_in(self, node: Node) -> Iterator[Node]:
        """The names that a node is made of cell by cell."""
        if node.op == "name":
            yield node
        elif node.op in ELEMENTWISE or node.op in ("+", "-", "*", "/", "**", "neg"):
            for part in node.parts:
                yield from self._names_in(part)

    def _sized(self, node: Node, axis: int) -> Iterator[tuple[Node, int]]:
        """Names, and the axis of each that is as long as this one because it is the same; what is given comes first."""
        op, args = node.op, node.args
        n = node.shape[axis]
        back = axis - len(node.shape)
        if op == "name":
            yield node, axis
        elif op == "@":
            left, right = args
            if back == -1 and len(right.shape) > 1:
                yield from self._sized(right, len(right.shape) - 1)
            elif back >= -2 and len(left.shape) > 1:
                yield from self._sized(left, len(left.shape) - 2)
        elif op == "reduce":
            _, of, axes, keepdims = args
            kept = [k for k in range(len(of.shape)) if keepdims or k not in axes]
            if not keepdims or axis not in axes:
                yield from self._sized(of, kept[axis])
        elif op == "mT":
            yield from self._sized(args[0], axis if back < -2 else -3 - back + len(args[0].shape))
        elif op == "reshape":
            sizes = args[1]
            if isinstance(sizes, Node):
                yield sizes, axis
            elif isinstance(sizes[axis], Node) and sizes[axis].op in ("len", "axis"):
                size = sizes[axis]
                yield size.args[0], 0 if size.op == "len" else size.args[1]
        elif op == "index":
            yield from self._sized_index(node, axis)
        elif op == "einsum":
            inputs, output = args[0].split("->")
            for letters, of in zip(inputs.split(","), args[1:], strict=True):
                if output[axis] in letters:
                    yield from self._sized(of, letters.index(output[axis]))
        elif op == "concatenate" and axis != args[0]:
            yield from self._sized(args[1][0], axis)
        elif op not in (*SIZES, "number", "stack", "concatenate", "arange", "eye", "pad", "broadcast"):
            found: list[tuple[Node, int]] = []
            for part in node.parts:
                at = back + len(part.shape)
                if at >= 0 and part.shape[at] == n:
                    found.extend(self._sized(part, at))
            yield from sorted(found, key=lambda each: each[0] in self.meaning)

    def _sized_index(self, node: Node, axis: int) -> Iterator[tuple[Node, int]]:
        of, items = node.args
        at = here = 0
        placed = False
        for item in items:
            if item == "None":
                here += 1
                continue
            if item == ":":
                if here == axis:
                    yield from self._sized(of, at)
                here += 1
            elif isinstance(item, tuple):
                here += 1
            elif isinstance(item, Node) and not placed:
                placed = True
                for k in range(len(item.shape)):
                    for other in (item, *(each for each in items if isinstance(each, Node))):
                        if here + k == axis and len(other.shape) == len(item.shape):
                            yield from self._sized(other, k)
                here += len(item.shape)
            at += 1
