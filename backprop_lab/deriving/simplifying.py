"""Gradients on their way, as products of factors: what cancels is left out, and what is common stands in front."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce
from itertools import permutations, product
from typing import Any, NamedTuple

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node, Shape, code, met
from backprop_lab.deriving.shapes import number_of

ONE, HALF = Fraction(1), Fraction(1, 2)


class Term(NamedTuple):
    """A product: a number, and powers of nodes that keep their own shapes, in the order in which they came."""

    number: Fraction
    powers: dict[Node, Fraction]

    def times(self, other: "Term", power: int = 1) -> "Term":
        """The product with another one, or, with the power -1, divided by it."""
        powers = dict(self.powers)
        for node, own in other.powers.items():
            found = powers.get(node, Fraction(0)) + own * power
            powers[node] = min(found, ONE) if node.kind == "b" else found
            if not found:
                del powers[node]
        return Term(self.number * other.number**power, powers)

    @property
    def is_gradient(self) -> bool:
        return any(node.is_gradient for node in self.powers)

    @property
    def shape(self) -> Shape:
        return met(*(node.shape for node in self.powers))


UNIT = Term(ONE, {})


def one(node: Node, power: Fraction = ONE) -> Term:
    """A product of one factor."""
    return Term(ONE, {node: power})


def product_of(node: Node) -> Term:
    """A node as a product of what it multiplies and divides."""
    op, args = node.op, node.args
    if op == "neg":
        return product_of(args[0]).times(Term(-ONE, {}))
    if op == "*":
        return product_of(args[0]).times(product_of(args[1]))
    if op == "/" and (under := product_of(args[1])).number:
        return product_of(args[0]).times(under, -1)
    if op == "sqrt":
        return one(args[0], HALF)
    if op == "**" and (power := number_of(args[1])) is not None and number_of(args[0]) is None:
        base, own = (args[0].args[0], HALF) if args[0].op == "sqrt" else (args[0], ONE)
        return one(base, own * Fraction(repr(power))) if power else UNIT
    return one(node) if (number := number_of(node)) is None else Term(Fraction(repr(number)), {})


def node_of(graph: Graph, term: Term, is_float: bool = False) -> Node:
    """A product as a person writes it: number, gradients, other factors; then what all is divided by.

    With `is_float`, it holds floats, even if it is made of masks and whole numbers alone. What np.where has not chosen
    may be infinite, and 0 times that is no number: where it may, np.where chooses again.
    """
    guards = [node for node in term.powers if node in graph.guards]
    if guards and any(power < 0 or each.op != "name" for each, power in term.powers.items()
                      if each not in guards and not each.is_fixed):  # fmt: skip
        rest = Term(term.number, {each: power for each, power in term.powers.items() if each is not guards[0]})
        return graph.make("where", guards[0], node_of(graph, rest, is_float), graph.number(0))
    before, after = _halves(abs(term.number), bool(term.powers), graph.written)
    factors = [_power(graph, node, power) for node, power in sorted(term.powers.items(), key=_is_late) if power > 0]
    under = [_power(graph, node, -power) for node, power in term.powers.items() if power < 0]
    if after != 1:
        under.insert(0, graph.number(after))
    if before != 1 or not factors:
        factors.insert(0, graph.number(before))
    sign = -1 if term.number < 0 else 1
    if sign < 0 and before == 1:
        factors.sort(key=lambda factor: factor.kind == "b")  # NumPy takes no minus of a mask
    is_whole = not under and all(factor.kind != "f" for factor in factors)
    if (is_whole and is_float) or (sign < 0 and factors[0].kind == "b"):
        first = factors.pop(0) if factors[0].op == "number" else graph.number(1)
        factors.insert(0, graph.float(sign * first.args[0]))
    elif sign < 0:
        first = factors[0]
        factors[0] = graph.number(-first.args[0]) if first.op == "number" else graph.make("neg", first)
    node = reduce(lambda a, b: graph.make("*", a, b), factors)
    return graph.make("/", node, reduce(lambda a, b: graph.make("*", a, b), under)) if under else node


def _is_late(factor: tuple[Node, Fraction]) -> bool:
    """Whether a factor stands behind the gradients; a sum in parentheses stays where it came."""
    return not factor[0].is_gradient or factor[0].op in "+-"


def _power(graph: Graph, node: Node, power: Fraction) -> Node:
    if power in (ONE, HALF):
        return node if power == 1 else graph.make("sqrt", node)
    return graph.make("**", node, graph.number(float(power)))


def _halves(number: Fraction, has_factors: bool, written: set[float]) -> tuple[float, float]:
    """A number that is not negative as one to multiply by and one to divide by: 0.1 and 1, 1 and 6, 2 and 3.

    A fifth is 0.2, unless something has been divided by 5 in the lines that were `written`.
    """
    over, under, as_float = number.numerator, number.denominator, float(number)
    if under == 1 and over < 2**53:
        return over, 1
    is_short = len(repr(as_float)) <= 10 and Fraction(repr(as_float)) == number
    if is_short and (over != 1 or (under % 5 == 0 and under not in written) or not has_factors):
        return as_float, 1
    return (over, under) if over < 10_000 > under else (as_float, 1)


def total(graph: Graph, terms: Iterable[Term]) -> Node:
    """A sum of products as a person writes it: like terms together, what is common in front where that is shorter."""
    found = _ordered(_chosen(graph, _summed_together(graph, _joined(graph, _uncrossed(merged(terms))))))
    if not found:
        return graph.make("number", 0.0)
    if len(found) == 1:
        return node_of(graph, found[0], is_float=True)
    ways, common = [_added(graph, found)], _common(found)
    if common.powers or common.number != 1:
        rest = total(graph, [term.times(common, -1) for term in found])
        ways.insert(0, node_of(graph, common.times(product_of(rest))))
    elif len(parts := _by_factor(found)) < len(found):
        ways.insert(0, _added(graph, [product_of(total(graph, part)) for part in parts]))
    return min(ways, key=lambda node: len(code(node)))


def _uncrossed(terms: list[Term]) -> list[Term]:
    """P * (1 - y) - y * (1 - P) as P - y, beside whatever else is in both, and in other terms."""
    for a, b in permutations(terms, 2):
        own, others = ({node for node, power in each.powers.items() if power == 1} for each in (a, b))
        for P, y in product(own - others, others - own):
            less = [next((node for node in each if _is_rest(node, of)), None) for each, of in ((own, y), (others, P))]
            if less[0] is not None and less[1] is not None:
                shorter = a.times(one(less[0]), -1), b.times(one(less[1]), -1)
                if shorter[0].times(one(P), -1) == shorter[1].times(one(y), -1).times(Term(-ONE, {})):
                    return _uncrossed([*shorter, *(term for term in terms if term is not a and term is not b)])
    return terms


def _is_rest(node: Node, of: Node) -> bool:
    """Whether a node is 1 - of."""
    return node.op == "-" and node.args[1] is of and number_of(node.args[0]) == 1


def _by_factor(terms: list[Term]) -> list[list[Term]]:
    """Terms with the same number in front of them, and the same sizes, such as 1 / len(y), together."""
    found: dict[Any, list[Term]] = {}
    for term in terms:
        sizes = frozenset((node, power) for node, power in term.powers.items() if node.is_fixed)
        found.setdefault((abs(term.number), sizes) if sizes else id(term), []).append(term)
    return [*found.values()]


def _chosen(graph: Graph, terms: list[Term]) -> list[Term]:
    """Terms of which a mask and its opposite choose one, as one term with np.where in it."""
    for a, b in permutations(terms, 2):
        for mask, other in product(a.powers, b.powers):
            if mask.kind == other.kind == "b" and is_opposite(mask, other):
                pair = [a.times(one(mask), -1), b.times(one(other), -1)]
                common = _common(pair)
                if all(term.number < 0 for term in pair):
                    common = common._replace(number=-common.number)
                kept = {node: power for node, power in common.powers.items() if node.is_fixed}
                pair = [term.times(common, -1) for term in pair]
                if not any(term.powers for term in pair):  # a gradient makes floats of its kind of plain numbers
                    pair = [term.times(common._replace(number=ONE)).times(Term(ONE, kept), -1) for term in pair]
                    common = common._replace(powers=kept)
                way = node_of if any(term.powers for term in pair) else lambda graph, term: graph.float(term.number)
                parts = [way(graph, term) for term in pair]
                if all(part.kind != "f" for part in parts):
                    parts[0] = node_of(graph, pair[0], is_float=True)
                where = graph.make("where", mask, *parts)
                rest = [term for term in terms if term is not a and term is not b]
                return _chosen(graph, [common.times(one(where)), *rest])
    return terms


def is_opposite(mask: Node, other: Node) -> bool:
    """Whether `other` is True just where `mask` is not: ~M, or Z >= X of X > Z."""
    pair = {">": ">=", "<": "<="}.get(mask.op)
    return (other.op == "~" and other.args[0] is mask) or (other.op == pair and other.args == mask.args[::-1])


def merged(terms: Iterable[Term]) -> list[Term]:
    """Like terms as one; those that add up to nothing are gone."""
    found: dict[frozenset[tuple[Node, Fraction]], Term] = {}
    for term in terms:
        key = frozenset(term.powers.items())
        found[key] = term._replace(number=term.number + found[key].number) if key in found else term
    return [term for term in found.values() if term.number]


def _ordered(terms: list[Term]) -> list[Term]:
    """Those with a gradient in them first, and one with a plus in front."""
    terms = sorted(terms, key=lambda term: not term.is_gradient)
    first = next((term for term in terms if term.number > 0), None)
    if first is not None and terms[0].number < 0:
        terms.remove(first)
        terms.insert(0, first)
    return terms


def _common(terms: Sequence[Term]) -> Term:
    """What all terms have in common."""
    powers = dict(terms[0].powers)
    for term in terms[1:]:
        both = {node: (power, term.powers.get(node, Fraction(0))) for node, power in powers.items()}
        powers = {node: min(pair, key=abs) for node, pair in both.items() if pair[0] * pair[1] > 0}
    numbers = {abs(term.number) for term in terms}
    return Term(numbers.pop() if len(numbers) == 1 else ONE, powers)


def _added(graph: Graph, terms: Sequence[Term]) -> Node:
    """A sum from left to right. Where masks and whole numbers meet only each other, the first is made a float."""
    rest = [node_of(graph, term._replace(number=abs(term.number))) for term in terms[1:]]
    node = node_of(graph, terms[0])
    if node.kind == "b" or all(each.kind != "f" for each in (node, *rest)):
        node = node_of(graph, terms[0], is_float=True)
    for term, each in zip(terms[1:], rest, strict=True):
        node = graph.make("-" if term.number < 0 else "+", node, each)
    return node


def _joined(graph: Graph, terms: list[Term]) -> list[Term]:
    """Terms that are parts of one array, with zeros around them, as these parts side by side."""
    bare = [next(iter(term.powers)) if len(term.powers) == 1 else None for term in terms]
    pads = [node for node in bare if node is not None and node.op == "pad"]
    numbers = {node: term.number for node, term in zip(bare, terms, strict=True)}
    axes = {k for pad in pads for k, widths in enumerate(pad.args[1]) if widths != (0, 0)}
    if len(pads) < 2 or len(axes) != 1:
        return terms
    (axis,), end = axes, 0
    pads.sort(key=lambda pad: pad.args[1][axis][0])
    for pad in pads:
        if pad.args[1][axis][0] != end:
            return terms
        end += pad.args[0].shape[axis]
    if end != pads[0].shape[axis]:
        return terms
    parts = tuple(node_of(graph, Term(numbers[pad], {pad.args[0]: ONE})) for pad in pads)
    new = tuple(None if k == axis else ":" for k in range(len(pads[0].shape)))
    if all(part.op == "index" and part.args[1] == new for part in parts):
        node = graph.make("stack", tuple(part.args[0] for part in parts), axis)
    else:
        node = graph.make("concatenate", parts, axis)
    rest = [term for term, each in zip(terms, bare, strict=True) if each not in pads]
    return [*rest[: bare.index(pads[0])], one(node), *rest[bare.index(pads[0]) :]]


def _summed_together(graph: Graph, terms: list[Term]) -> list[Term]:
    """Terms that do the same with values of one shape, such as to add up their rows, as that of the sum of these."""
    groups: dict[Any, list[tuple[Any, ...]]] = {}
    for term in terms:
        node: Any = next((each for each in term.powers if not each.is_fixed), None)
        rest = term.times(one(node), -1) if node else term
        at = _passes_sums(node) if node and all(each.is_fixed for each in rest.powers) else None
        key = (node.op, *node.args[:at], *node.args[at + 1 :], node.args[at].shape) if at is not None else id(term)
        groups.setdefault(key, []).append((term, node, at, rest))
    found = []
    for group in groups.values():
        _, node, at, _ = group[0]
        if len(group) > 1:
            inside = total(graph, [rest.times(product_of(node.args[at])) for _, node, at, rest in group])
            if inside.shape == node.args[at].shape:  # and not nothing
                found.append(one(graph.make(node.op, *node.args[:at], inside, *node.args[at + 1 :])))
                continue
        found.extend(term for term, *_ in group)
    return found


def _passes_sums(node: Node) -> int | None:
    """The place of a part of a node that may be added to that of another one first, with the same result; or None."""
    is_sum = (node.op, *node.args[3:]) == ("reduce", "sum") or (node.op == "index" and {*node.args[1]} <= {":", None})
    return 1 if node.op == "@" else 0 if is_sum else None


def summed(graph: Graph, term: Term, full: Node, target: Shape) -> Term:
    """A product over the shape of `full`, added up so that it has a part in a value of the shape `target`.

    This undoes broadcasting: what does not vary along the sum stands outside of it.
    """
    lead = len(full.shape) - len(target)
    axes = [k for k, n in enumerate(full.shape) if n != 1 and (k < lead or target[k - lead] == 1)]
    inside, outside = Term(ONE, {}), Term(term.number, {})
    for node, power in term.powers.items():
        offset = len(full.shape) - len(node.shape)
        stays = offset >= lead and all(k < offset or node.shape[k - offset] == 1 for k in axes)
        (outside if stays else inside).powers[node] = power
    own = inside.shape
    offset = len(full.shape) - len(own)
    for k in axes:
        if k < offset or own[k - offset] == 1:
            for size in graph.count(full, (k,)):
                outside = outside.times(product_of(size))
    dropped = tuple(range(max(lead - offset, 0)))
    kept = tuple(k - offset for k in axes if k - offset >= len(dropped) and own[k - offset] != 1)
    if not dropped and not kept:
        return outside.times(inside)
    (first, power), *others = inside.powers.items()
    if not others and power == 1 and graph.adds_up(first, dropped + kept):
        return outside
    node = node_of(graph, inside)
    if dropped:
        node = graph.make("reduce", node, dropped if len(dropped) < len(own) else None, False, "sum")
    if kept:
        node = graph.make("reduce", node, tuple(k - len(dropped) for k in kept), True, "sum")
    return outside.times(one(node))


def filled(graph: Graph, node: Node, like: Node) -> Node:
    """A node in the shape of another one, which it broadcasts to."""
    if node.shape == like.shape:
        return node
    if node.shape == () and like.op == "name":
        if node.op == "number" and node.args[0] in (0, 1):
            return graph.make("ones_like" if node.args[0] else "zeros_like", like)
        return graph.make("full_like", like, node)
    return graph.make("broadcast_to", node, graph.sizes(like))
