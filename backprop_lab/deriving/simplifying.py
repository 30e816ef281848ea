"""Gradients on their way, as products of factors: what cancels is left out, and what is common stands in front."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node, Shape, broadcast, code
from backprop_lab.deriving.shapes import number_of

ONE, HALF = Fraction(1), Fraction(1, 2)


class Term(NamedTuple):
    """A product: a number, and powers of nodes that keep their own shapes, in the order in which they came."""

    number: Fraction
    powers: dict[Node, Fraction]

    def times(self, other: "Term", power: Fraction | int = 1) -> "Term":
        """The product with a power of another one."""
        powers = dict(self.powers)
        for node, of in other.powers.items():
            found = powers.get(node, Fraction(0)) + of * power
            powers[node] = min(found, ONE) if node.kind == "b" else found
            if not found:
                del powers[node]
        return Term(self.number * other.number**power, powers)  # type: ignore[arg-type]

    @property
    def is_gradient(self) -> bool:
        return any(node.is_gradient for node in self.powers)

    @property
    def shape(self) -> Shape:
        return broadcast((), *(node.shape for node in self.powers))


UNIT = Term(ONE, {})


def product_of(node: Node) -> Term:
    """A node as a product of what it multiplies and divides."""
    op, args = node.op, node.args
    if op in ("number", "float"):
        return Term(Fraction(repr(args[0])), {})
    if op == "neg":
        return product_of(args[0]).times(Term(-ONE, {}))
    if op == "*":
        return product_of(args[0]).times(product_of(args[1]))
    if op == "/" and (under := product_of(args[1])).number:
        return product_of(args[0]).times(under, -1)
    if op == "sqrt":
        return Term(ONE, {args[0]: HALF})
    if op == "square":
        return Term(ONE, {args[0]: Fraction(2)})
    if (number := number_of(node)) is not None:
        return Term(Fraction(repr(number)), {})
    if op == "**" and (power := number_of(args[1])) is not None and number_of(args[0]) is None:
        return Term(ONE, {args[0]: Fraction(repr(power))}) if power else UNIT
    return Term(ONE, {node: ONE})


def node_of(graph: Graph, term: Term, is_float: bool = False) -> Node:
    """A product as a person writes it: number, gradients, other factors; then what all is divided by.

    With `is_float`, it holds floats, even if it is made of masks and whole numbers alone.
    """
    before, after = _halves(abs(term.number), bool(term.powers))
    over = [(node, power) for node, power in term.powers.items() if power > 0]
    under = [_power(graph, node, -power) for node, power in term.powers.items() if power < 0]
    if after != 1:
        under.insert(0, graph.number(after))
    factors = [_power(graph, node, power) for node, power in sorted(over, key=_is_late)]
    if before != 1 or not factors:
        factors.insert(0, graph.number(before))
    sign = -1 if term.number < 0 else 1
    is_whole = not under and all(factor.kind != "f" for factor in factors)
    if sign < 0 and before == 1:
        factors.sort(key=lambda factor: factor.kind == "b")  # NumPy takes no minus of a mask
    if (is_whole and is_float) or (sign < 0 and factors[0].kind == "b"):
        first = factors.pop(0) if factors[0].op == "number" else graph.number(1)
        factors.insert(0, graph.make("float", float(sign * first.args[0])))
    elif sign < 0:
        first = factors[0]
        factors[0] = graph.number(-first.args[0]) if first.op == "number" else graph.make("neg", first)
    node = reduce(lambda a, b: graph.make("*", a, b), factors)
    return graph.make("/", node, reduce(lambda a, b: graph.make("*", a, b), under)) if under else node


def _is_late(factor: tuple[Node, Fraction]) -> bool:
    """Whether a factor stands behind the gradients; a sum in parentheses stays where it came."""
    return not factor[0].is_gradient or factor[0].op in "+-"


def _power(graph: Graph, node: Node, power: Fraction) -> Node:
    if power == 1:
        return node
    if power == HALF:
        return graph.make("sqrt", node)
    return graph.make("**", node, graph.number(int(power) if power.denominator == 1 else float(power)))


def _halves(number: Fraction, has_factors: bool) -> tuple[float, float]:
    """A number that is not negative as one to multiply by and one to divide by: 0.1 and 1, 1 and 6, 2 and 3."""
    over, under = number.numerator, number.denominator
    as_float = float(number)
    is_exact = Fraction(repr(as_float)) == number
    if under == 1 and over < 2**53:
        return over, 1
    if is_exact and len(repr(as_float)) <= 10 and (over != 1 or under % 10 == 0 or not has_factors):
        return as_float, 1
    if over < 10_000 and under < 10_000:
        return over, under
    return as_float, 1


def total(graph: Graph, terms: Iterable[Term], is_float: bool = False) -> Node:
    """A sum of products as a person writes it: like terms together, what is common in front where that is shorter."""
    found = ordered(graph, merged(terms))
    if not found:
        return graph.make("float", 0.0)
    if len(found) == 1:
        return node_of(graph, found[0], is_float)
    plain = _added(graph, found, is_float)
    common = _common(found)
    if common.powers or common.number != 1:
        rest = _added(graph, [term.times(common, -1) for term in found], is_float)
        factored = node_of(graph, _with(graph, common, rest), is_float)
        if len(code(factored)) <= len(code(plain)):
            return factored
    return plain


def _with(graph: Graph, common: Term, rest: Node) -> Term:
    """The common part with the sum behind it; in front of it, if all of the part is divided by."""
    return common.times(product_of(rest))


def _common(terms: Sequence[Term]) -> Term:
    powers = dict(terms[0].powers)
    for term in terms[1:]:
        for node, power in [*powers.items()]:
            other = term.powers.get(node, Fraction(0))
            if power * other <= 0:
                del powers[node]
            else:
                powers[node] = min(power, other, key=abs)
    numbers = {abs(term.number) for term in terms}
    return Term(numbers.pop() if len(numbers) == 1 else ONE, powers)


def _added(graph: Graph, terms: Sequence[Term], is_float: bool) -> Node:
    """A sum from left to right. Where masks and whole numbers meet only each other, the first is made a float."""
    rest = [node_of(graph, term._replace(number=abs(term.number))) for term in terms[1:]]
    first = node_of(graph, terms[0])
    needs_float = is_float and all(node.kind != "f" for node in (first, *rest))
    if needs_float or first.kind == "b":
        first = node_of(graph, terms[0], is_float=True)
    for term, node in zip(terms[1:], rest, strict=True):
        first = graph.make("-" if term.number < 0 else "+", first, node)
    return first


def merged(terms: Iterable[Term]) -> list[Term]:
    """Like terms as one; those that add up to nothing are gone."""
    found: dict[frozenset[tuple[Node, Fraction]], Term] = {}
    for term in terms:
        key = frozenset(term.powers.items())
        before = found.get(key)
        found[key] = term if before is None else before._replace(number=before.number + term.number)
    return [term for term in found.values() if term.number]


def ordered(graph: Graph, terms: list[Term]) -> list[Term]:
    """Those with a gradient in them first, and one with a plus in front; parts of one array are joined."""
    terms = sorted(joined(graph, terms), key=lambda term: not term.is_gradient)
    if terms and terms[0].number < 0:
        first = next((term for term in terms if term.number > 0), terms[0])
        terms.remove(first)
        terms.insert(0, first)
    return terms


def joined(graph: Graph, terms: list[Term]) -> list[Term]:
    """Terms that are parts of one array, with zeros around them, side by side: a concatenation."""
    pads = [next(iter(term.powers)) for term in terms if len(term.powers) == 1]
    pads = [pad for pad in pads if pad.op == "pad"]
    if len(pads) < 2 or any(term.number != 1 for term in terms if next(iter(term.powers), None) in pads):
        return terms
    axes = {k for pad in pads for k, widths in enumerate(pad.args[1]) if widths != (0, 0)}
    if len(axes) != 1:
        return terms
    (axis,) = axes
    pads.sort(key=lambda pad: pad.args[1][axis])  # type: ignore[no-any-return]
    ends = [0]
    for pad in pads:
        if pad.args[1][axis][0] != ends[-1]:
            return terms
        ends.append(ends[-1] + pad.args[0].shape[axis])
    if ends[-1] != pads[0].shape[axis]:
        return terms
    parts = tuple(pad.args[0] for pad in pads)
    bare = tuple(unexpanded(part, axis) for part in parts)
    node = graph.make("concatenate", axis, parts) if None in bare else graph.make("stack", axis, bare)
    at = next(k for k, term in enumerate(terms) if next(iter(term.powers), None) in pads)
    rest = [term for term in terms if next(iter(term.powers), None) not in pads]
    rest.insert(at, Term(ONE, {node: ONE}))
    return rest


def unexpanded(node: Node, axis: int) -> Node | None:
    """What a node is without an axis of length 1 that an index has added; None if there is none."""
    if node.op == "index" and node.args[1][axis] == "None" and node.args[1].count("None") == 1:
        rest = (*node.args[1][:axis], *node.args[1][axis + 1 :])
        if all(item == ":" for item in rest):
            return node.args[0]  # type: ignore[no-any-return]
    return None


def summed(graph: Graph, term: Term, full: Node, target: Shape) -> Term:
    """A product over the shape of `full`, added up so that it has a part in a value of the shape `target`.

    This undoes broadcasting: what does not vary along the sum stands outside of it.
    """
    lead = len(full.shape) - len(target)
    axes = [k for k, n in enumerate(full.shape) if n != 1 and (k < lead or target[k - lead] == 1)]
    first = len(full.shape)
    inside, outside = Term(ONE, {}), Term(term.number, {})
    for node, power in term.powers.items():
        offset = first - len(node.shape)
        stays = len(node.shape) <= len(target) and all(k < offset or node.shape[k - offset] == 1 for k in axes)
        (outside if stays else inside).powers[node] = power
    own = inside.shape
    offset = first - len(own)
    for k in axes:
        if k < offset or own[k - offset] == 1:
            size = graph.size(full, k)
            outside = outside.times(product_of(size if isinstance(size, Node) else graph.number(size)))
    if not inside.powers:
        return outside
    dropped = tuple(range(max(lead - offset, 0)))
    kept = tuple(k - offset for k in axes if k - offset >= len(dropped) and own[k - offset] != 1)
    if not dropped and not kept:
        return outside.times(inside)
    if len(inside.powers) == 1 and [*inside.powers.values()] == [ONE]:
        (only,) = inside.powers
        if graph.adds_up(only, dropped + kept):
            return outside
    node = node_of(graph, inside)
    if dropped:
        node = graph.make("reduce", "sum", node, dropped if len(dropped) < len(own) else None, False)
    if kept:
        node = graph.make("reduce", "sum", node, tuple(k - len(dropped) for k in kept), True)
    return outside.times(Term(ONE, {node: ONE}))


def filled(graph: Graph, node: Node, like: Node) -> Node:
    """A node in the shape of another one, which it broadcasts to."""
    if node.shape == like.shape:
        return node
    if node.shape == () and like.op == "name":
        if node.op in ("number", "float") and node.args[0] in (0, 1):
            return graph.make("ones_like" if node.args[0] else "zeros_like", like)
        return graph.make("full_like", like, node)
    return graph.make("broadcast", node, graph.sizes(like))
