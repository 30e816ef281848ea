"""The rules of what moves numbers and leaves them as they are: reshape, pick, join, einsum."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node
from backprop_lab.deriving.shapes import Part
from backprop_lab.deriving.simplifying import UNIT, Term, one

if TYPE_CHECKING:
    from backprop_lab.deriving.backward import Backward, Grad


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


def _reshape(back: "Backward", node: Node, grad: "Grad") -> None:
    X = node.args[0]
    number, dY = back.whole(node, grad)
    found = dY if dY.is_fixed else back.graph.make("reshape", dY, back.graph.sizes(X))
    back.give(X, number, found, (*grad.rules, "reshape"))


def _join(back: "Backward", node: Node, grad: "Grad") -> None:
    """Each part gets what belongs to it: a slice of a concatenation, a place of a stack."""
    parts, axis = node.args
    number, dY = back.whole(node, grad)
    start = 0
    for k, part in enumerate(parts):
        n = part.shape[axis] if node.op == "concatenate" else 1
        stop = start + (back.graph.plain(n) if k + 1 < len(parts) else n)
        if part.needs:
            item: Any = k
            if node.op == "concatenate":
                item = ":" if n == node.shape[axis] else Part(f"{start or ''}:{stop if k + 1 < len(parts) else ''}")
            items = tuple(item if at == axis else ":" for at in range(len(node.shape)))
            found = dY if item == ":" else back.graph.make("index", dY, items)
            back.give(part, number, found, (*grad.rules, "concatenation"))
        start = stop


def _einsum(back: "Backward", node: Node, grad: "Grad") -> None:
    spec, X, Z = node.args
    inputs, y = spec.split("->")
    x, z = inputs.split(",")
    number, dY = back.whole(node, grad)
    if X.needs:
        back.give(X, number, back.graph.make("einsum", f"{y},{z}->{x}", dY, Z), (*grad.rules, "einsum"))
    if Z.needs:
        back.give(Z, number, back.graph.make("einsum", f"{x},{y}->{z}", X, dY), (*grad.rules, "einsum"))


def _index(back: "Backward", node: Node, grad: "Grad") -> None:
    X, items = node.args
    arrays = [item for item in items if isinstance(item, Node)]
    if len(arrays) == 1 and arrays[0].shape != ():
        _rows(back, node, grad, items.index(arrays[0]))
    elif arrays or (node.shape == () and all(each.is_fixed for term in grad.terms for each in term.powers)):
        _picked(back, node, grad)
    else:
        _sliced(back, node, grad)


def _sliced(back: "Backward", node: Node, grad: "Grad") -> None:
    """What a slice has left out gets 0."""
    X, items = node.args
    number, dY = back.whole(node, grad)
    own = iter(X.shape)
    returned: list[Any] = []  # items that bring back axes that are gone, and take away those that are new
    widths: list[tuple[int, int]] = []
    for item in items:
        returned.append(0 if item is None else None if isinstance(item, int) else ":")
        if item is not None:
            n = next(own)
            place = slice(item, item + 1) if isinstance(item, int) else getattr(item, "slice", slice(None))
            start, stop, _ = place.indices(n)
            widths.append((start, back.graph.plain(n) - stop) if stop - start < n else (0, 0))
    if any(item != ":" for item in returned):
        dY = back.graph.make("index", dY, (*returned,))
    if any(width != (0, 0) for width in widths):
        dY = back.graph.make("pad", dY, (*widths,))
    back.give(X, number, dY, (*grad.rules, "index"))


def _one_hot(graph: Graph, X: Node, axis: int, ix: Any) -> Node:
    """A row for each index, with a 1 in its place."""
    eye = graph.make("eye", graph.size(X, axis))
    return graph.make("index", eye, (ix, ":"))


def _rows(back: "Backward", node: Node, grad: "Grad", axis: int) -> None:
    """What an index array picks along one axis: each gets what all its copies get."""
    X, items = node.args
    n, (number, dY), make = len(items[axis].shape), back.whole(node, grad), back.graph.make
    chosen = _one_hot(back.graph, X, axis, items[axis])
    if n == 1 and axis == 0 and len(X.shape) <= 2:
        found = make("@", make("mT", chosen), dY)
    elif n == 1 and axis == len(X.shape) - 1:
        found = make("@", dY, chosen)
    else:
        y = "abcdefghijklmnopq"[: len(node.shape)]
        found = make("einsum", f"{y},{y[axis : axis + n]}z->{y[:axis]}z{y[axis + n :]}", dY, chosen)
    back.give(X, number, found, (*grad.rules, "index"))


def _picked(back: "Backward", node: Node, grad: "Grad") -> None:
    """One number of each row, P[np.arange(N), y], or a place, p[0, k]: it gets the gradient, and all others 0."""
    X, items = node.args
    graph, Y, axes = back.graph, back.graph.value(node), len(X.shape)
    is_row = isinstance(items[0], Node) and items[0].shape != ()
    taken = [1] if is_row else [k for k, item in enumerate(items) if item != ":"]
    masks = UNIT
    for k in taken:
        if X.shape[k] != 1:
            mask = _one_hot(graph, X, k, items[k])
            for _ in range(0 if is_row else axes - 1 - k):
                mask = expanded(graph, mask, len(mask.shape))
            masks = masks.times(one(mask))
    terms = []
    for term in back.settled(node, grad):
        power = term.powers.get(Y, 0)
        is_scored = power and back.softmaxes.of(X)  # where it is picked, it is X itself, which will cancel
        if is_scored:
            term = term.times(one(Y), -int(power))
        term = spread(graph, term, node, tuple(taken)).times(masks)
        terms.append(term.times(one(X), int(power)) if is_scored else term)
    back.push(X, grad._replace(terms=terms, full=X, rules=(*grad.rules, "index")))


RULES: dict[str, Callable[["Backward", Node, "Grad"], None]] = {
    "reshape": _reshape, "concatenate": _join, "stack": _join, "einsum": _einsum, "index": _index,
}  # fmt: skip
