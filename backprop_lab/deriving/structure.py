"""The rules of what moves numbers and leaves them as they are: reshape, pick, join, einsum."""

from collections.abc import Collection
from typing import Any, NamedTuple

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node, Shape, code, met
from backprop_lab.deriving.shapes import Part
from backprop_lab.deriving.simplifying import UNIT, Term, filled, one, product_of, summed, total
from backprop_lab.deriving.softmax import Softmaxes


class Passed(NamedTuple):
    """A rule by which a gradient goes on to `X`, a part of `Y`, and what else `Y` is made of, if anything: `Z`.

    `by` is the operation, `at` the place of `X` in it, and `how` says more, such as along which axis. The rule "line"
    says that here begins what the line of `Y` computes. Once all is derived, the nodes are code.
    """

    rule: str
    by: str
    Y: Any
    X: Any
    at: int = 0
    Z: Any = ""
    how: str = ""

    def told(self) -> "Passed":
        """The same with code in place of nodes."""
        X, Y, Z = (code(each) if isinstance(each, Node) else each for each in (self.X, self.Y, self.Z))
        return self._replace(X=X, Y=Y, Z=Z)


class Grad(NamedTuple):
    """The gradient of a node on its way: a sum of products over the shape of `full`, to which the node broadcasts.

    `rules` are those that it has come through since the last gradient with a line.
    """

    terms: list[Term]
    full: Node
    rules: tuple[Passed, ...] = ()


def along(shape: Shape, axes: Collection[int] | None) -> str:
    """Along which axes of a shape numbers are added up, in a word: "down" the columns or "along" the rows of a matrix.

    Otherwise "all" of them, or "axes".
    """
    if axes is None or len({*axes}) == len(shape):
        return "all"
    names: dict[tuple[int, ...], str] = {(0,): "down", (1,): "along"} if len(shape) == 2 else {}
    return names.get((*axes,), "axes")


def expanded(graph: Graph, node: Node, axis: int) -> Node:
    """The node with a further axis of length 1."""
    return graph.make("index", node, (*[":"] * axis, None, *[":"] * (len(node.shape) - axis)))


def spread(graph: Graph, term: Term, node: Node, axes: tuple[int, ...]) -> Term:
    """A product over a node that has lost some axes, so that it broadcasts to the shape with these axes."""
    left = [k for k in range(len(node.shape) + len(axes)) if k not in axes]
    found = {}
    for factor, power in term.powers.items():
        own = left[len(left) - len(factor.shape) :]  # a factor has the last axes of those that are left
        for axis in axes:
            if own and axis > own[0]:  # an axis before all that it has comes by itself
                factor = expanded(graph, factor, sum(k < axis for k in own) + sum(own[0] < a < axis for a in axes))
        found[factor] = power
    return term._replace(powers=found)


def _one_hot(graph: Graph, X: Node, axis: int, ix: Any) -> Node:
    """A row for each index, with a 1 in its place."""
    eye = graph.make("eye", graph.meant(graph.size(X, axis)), *([f"dtype={graph.dtype}"] if graph.dtype else []))
    return graph.make("index", eye, (ix, ":"))


def is_one_of_each_row(node: Node) -> bool:
    """Whether an index is one such as P[np.arange(N), y]."""
    return isinstance(node.args[1][0], Node) and node.args[1][0].op == "arange" and len(node.args[1]) == 2


class Structure:
    """What takes gradients through a graph; `push`, which takes them further, is still to come."""

    def __init__(self, graph: Graph, wanted: Collection[str]) -> None:
        self.graph = graph
        self.softmaxes = Softmaxes(graph, wanted)
        self.picks: dict[Node, tuple[Node, set[Node]]] = {}  # what is picked, of what, and by which masks

    def push(self, node: Node, grad: Grad) -> None:
        """Take the gradient of a node on to what it is made of."""
        raise NotImplementedError

    def passed(
        self, grad: Grad, rule: str, node: Node, at: int = 0, X: Node | None = None, Z: Any = "", how: str = ""
    ) -> tuple[Passed, ...]:
        """The rules of a gradient, and one more, by which it goes on to a part of a node, by default the first."""
        by = node.args[3] if node.op == "reduce" else rule if "softmax" in rule else node.op
        own = Passed(rule, by, self.graph.value(node), node.args[0] if X is None else X, at, Z, how)
        return *self.copied(node, grad), own

    def copied(self, node: Node, grad: Grad) -> tuple[Passed, ...]:
        """The rules of a gradient, and one more if the node has been broadcast."""
        if self.settled(node, grad) == grad.terms:
            return grad.rules
        full, lead = grad.full.shape, len(grad.full.shape) - len(node.shape)
        axes = [k for k, n in enumerate(full) if n != 1 and (k < lead or node.shape[k - lead] == 1)]
        how = "all" if node.shape == () else along(full, axes)
        return *grad.rules, Passed("broadcast", "broadcast", grad.full, self.graph.value(node), how=how)

    def settled(self, node: Node, grad: Grad) -> list[Term]:
        """The terms of a gradient, added up where the node has been broadcast."""
        return [summed(self.graph, term, grad.full, node.shape) for term in grad.terms]

    def whole(self, node: Node, grad: Grad) -> tuple[Term, Node]:
        """A gradient as a number, sizes among its factors, and a node in the shape of the node that it is of."""
        terms = self.settled(node, grad)
        number = UNIT
        if len(terms) == 1 and terms[0].number:
            fixed = {each: power for each, power in terms[0].powers.items() if each.is_fixed}
            number = Term(terms[0].number, fixed if len(fixed) < len(terms[0].powers) else {})
        terms = [term.times(number, -1) for term in terms]
        return number, filled(self.graph, total(self.graph, terms), node)

    def give(self, part: Node, number: Term, node: Node, rules: tuple[Passed, ...]) -> None:
        """Give a part its gradient, a number times a node, which may have a larger shape than the part."""
        full = part if met(node.shape, part.shape) == part.shape else node
        self.push(part, Grad([product_of(node).times(number)], full, rules))

    def by_structure(self, node: Node, grad: Grad) -> None:
        """Go through an operation that moves numbers."""
        rules = {"reshape": self._reshape, "transpose": self._transpose, "einsum": self._einsum, "index": self._index}
        rules.get(node.op, self._join)(node, grad)

    def _reshape(self, node: Node, grad: Grad) -> None:
        X = node.args[0]
        number, dY = self.whole(node, grad)
        found = dY if dY.is_fixed else self.graph.make("reshape", dY, sizes := self.graph.sizes(X))
        if found.op == "reshape" and isinstance(sizes, tuple) and isinstance(sizes[-1], Node):
            found = self.graph.make("reshape", dY, (*sizes[:-1], -1))
        self.give(X, number, found, self.passed(grad, "reshape", node))

    def _transpose(self, node: Node, grad: Grad) -> None:
        X, axes = node.args
        number, dY = self.whole(node, grad)
        back = self.graph.transposed(dY, (*sorted(range(len(axes)), key=axes.__getitem__),))
        self.give(X, number, back, self.passed(grad, "transpose", node))

    def _join(self, node: Node, grad: Grad) -> None:
        """Each part gets what belongs to it: a slice of a concatenation, a place of a stack."""
        parts, axis = node.args
        number, dY = self.whole(node, grad)
        start = 0
        for k, part in enumerate(parts):
            n = part.shape[axis] if node.op == "concatenate" else 1
            stop = start + (self.graph.plain(n) if k + 1 < len(parts) else n)
            if part.needs:
                item: Any = k
                if node.op == "concatenate":
                    item = ":" if n == node.shape[axis] else Part(f"{start or ''}:{stop if k + 1 < len(parts) else ''}")
                items = tuple(item if at == axis else ":" for at in range(len(node.shape)))
                found = dY if item == ":" else self.graph.make("index", dY, items)
                self.give(part, number, found, self.passed(grad, "concatenation", node, k, part))
            start = stop

    def _einsum(self, node: Node, grad: Grad) -> None:
        spec, X, Z = node.args
        inputs, y = spec.split("->")
        x, z = inputs.split(",")
        (number, dY), make = self.whole(node, grad), self.graph.make
        is_number = not y and x in (z, z[::-1]) and len({*x}) == len(x) <= 2  # the sum of all products
        number = number.times(product_of(dY)) if is_number else number
        backs = (X, Z, f"{y},{z}->{x}", (dY, Z)), (Z, X, f"{x},{y}->{z}", (X, dY))
        for at, (part, other, letters, factors) in enumerate(backs):
            if part.needs:
                found = make("einsum", letters, *factors)
                if is_number:
                    found = other if x == z else make("mT", other)
                self.give(part, number, found, self.passed(grad, "einsum", node, at, part, other))

    def _index(self, node: Node, grad: Grad) -> None:
        _, items = node.args
        arrays = [item for item in items if isinstance(item, Node)]
        if len(arrays) == 1 and arrays[0].shape != ():
            self._rows(node, grad, items.index(arrays[0]))
        elif arrays or (node.shape == () and (
            self.softmaxes.of(node.args[0]) or all(each.is_fixed for term in grad.terms for each in term.powers)
        )):  # fmt: skip
            self._picked(node, grad)
        else:
            self._sliced(node, grad)

    def _sliced(self, node: Node, grad: Grad) -> None:
        """What a slice has left out gets 0."""
        X, items = node.args
        how = "axis" if {*items} <= {":", None} else "slice"
        passed = self.passed(grad, "index", node, how=how)
        if how == "axis" and (terms := self._without_new(node, self.settled(node, grad))):
            self.push(X, Grad(terms, X, passed))
            return
        number, dY = self.whole(node, grad)
        own = iter(X.shape)
        returned: list[Any] = []  # items that bring back axes that are gone, and take away those that are new
        widths: list[tuple[int, int]] = []
        for item in items:
            returned.append(0 if item is None else None if isinstance(item, int) else ":")
            if item is not None:
                n = next(own)
                place = slice(item, item + 1) if isinstance(item, int) else getattr(item, "slice", slice(None))
                start, stop, _ = place.indices(n)
                widths.append((start, self.graph.plain(n) - stop) if stop - start < n else (0, 0))
        if any(item != ":" for item in returned):
            dY = self.graph.make("index", dY, (*returned,))
        if any(width != (0, 0) for width in widths):
            dY = self.graph.make("pad", dY, (*widths,))
        self.give(X, number, dY, passed)

    def _without_new(self, node: Node, terms: list[Term]) -> list[Term]:
        """The terms without the axes that an index has put in; none if that is longer than to take them out of all."""
        items, found = [0 if item is None else ":" for item in node.args[1]], []
        for term in terms:
            new = term._replace(powers={})
            for factor, power in term.powers.items():
                own = (*items[len(items) - len(factor.shape) :],)
                new = new.times(one(self.graph.make("index", factor, own) if 0 in own else factor, power))
            found.append(new)
            if sum(each.op == "index" and each not in term.powers for each in new.powers) > 1:
                return []
        return found

    def _rows(self, node: Node, grad: Grad, axis: int) -> None:
        """What an index array picks along one axis: each gets what all its copies get."""
        X, items = node.args
        n, (number, dY), make = len(items[axis].shape), self.whole(node, grad), self.graph.make
        chosen = _one_hot(self.graph, X, axis, items[axis])
        if n == 1 and axis == 0 and len(X.shape) <= 2:
            found = make("@", make("mT", chosen), dY)
        elif n == 1 and axis == len(X.shape) - 1:
            found = make("@", dY, chosen)
        else:
            y = "abcdefghijklmnopq"[: len(node.shape)]
            found = make("einsum", f"{y},{y[axis : axis + n]}z->{y[:axis]}z{y[axis + n :]}", dY, chosen)
        how = "rows" if axis == 0 else "copies"
        self.give(X, number, found, self.passed(grad, "index", node, 0, X, items[axis], how))

    def _picked(self, node: Node, grad: Grad) -> None:
        """One number of each row, P[np.arange(N), y], or a place, p[0, k]: it gets the gradient, and all others 0."""
        X, items = node.args
        graph, Y, axes = self.graph, self.graph.value(node), len(X.shape)
        is_row = isinstance(items[0], Node) and items[0].shape != ()
        taken = [1] if is_row else [k for k, item in enumerate(items) if item != ":"]
        masks = UNIT
        for k in taken:
            if X.shape[k] != 1:
                mask = _one_hot(graph, X, k, items[k])
                for _ in range(axes - 2 if is_row else axes - 1 - k):
                    mask = expanded(graph, mask, len(mask.shape))
                masks = masks.times(one(mask))
        (spread_Y,) = spread(graph, one(Y), node, tuple(taken)).powers
        self.picks[spread_Y] = X, {*masks.powers}
        terms = [spread(graph, term, node, tuple(taken)).times(masks) for term in self.settled(node, grad)]
        self.push(X, grad._replace(terms=terms, full=X, rules=self.passed(grad, "index", node, how="picked")))
