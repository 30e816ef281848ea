"""A softmax and its logarithm, recognised as a whole, however their parts are named."""

from collections.abc import Collection
from fractions import Fraction

from backprop_lab.deriving.graph import Graph, spreading
from backprop_lab.deriving.nodes import Node
from backprop_lab.deriving.simplifying import one, product_of

Found = tuple[Node, tuple[int, ...]]  # the scores, and the axes along which the probabilities add up to 1


class Softmaxes:
    """Finds them in a graph. A name in `wanted` is not looked into, as its own gradient is wanted."""

    def __init__(self, graph: Graph, wanted: Collection[str]) -> None:
        self.graph = graph
        self.wanted = wanted
        self.named: dict[Found, Node] = {}  # values of the program that are one
        for name in graph.meaning:
            if (found := self.of(name)) is not None:
                self.named.setdefault(found, name)
                graph.sums[name] = found[1]

    def see(self, node: Node) -> Node:
        """What a name stands for; of s[:, None], in which s is a sum along the rows, the sum that keeps its axis."""
        seen = node if node.op == "name" and node.args[0] in self.wanted else self.graph.meant(node)
        if seen.op == "index" and {*seen.args[1]} <= {":", None} and (of := self.see(seen.args[0])).op == "reduce":
            return self.graph.meant(self.graph.make("index", of, seen.args[1]))
        return seen

    def of(self, node: Node) -> Found | None:
        """The scores and the axes of exp(S) / exp(S).sum(axis, keepdims=True); None for anything else."""
        powers: dict[Node, Fraction] = {}
        term = product_of(self.graph.meant(node))
        for factor, power in term.powers.items():
            inner = self.see(factor)
            found = product_of(inner) if inner.op in ("**", "/") else one(factor)
            if found.number != 1:
                return None
            for part, own in found.powers.items():
                powers[part] = powers.get(part, Fraction(0)) + own * power
        above = next((each for each, power in powers.items() if power == 1), None)
        below = next((each for each, power in powers.items() if power == -1), None)
        if term.number != 1 or len(powers) != 2 or above is None or below is None:
            return None
        return self._scores(above, self.see(below))

    def log(self, node: Node) -> Found | None:
        """The scores and the axes of the logarithm of a softmax."""
        node = self.graph.meant(node)
        if node.op == "log":
            (of,) = node.args
            return self.of(of) if self.see(of) is not of or of.op != "name" else None
        log = self.see(node.args[1]) if node.op == "-" else node
        if (found := self.log_sum(log)) is not None:
            X, whole = found
            return (X, whole.args[1]) if X is node.args[0] and whole.args[2] else None
        whole = self.see(log.args[0]) if log.op == "log" else node
        above = self.see(whole.args[0]) if whole.op == "reduce" else node
        return self._scores(whole.args[0], whole) if above.op == "exp" and above.args[0] is node.args[0] else None

    def log_of_sum(self, node: Node) -> tuple[Node, Node] | None:
        """X and the sum of np.log(np.exp(X).sum()), also where a maximum was taken off and added again."""
        if node.op == "log" and (Z := self.see(node.args[0])).op == "reduce" and Z.args[3] == "sum":
            return (exp.args[0], Z) if (exp := self.see(Z.args[0])).op == "exp" else None
        return self.log_sum(node)

    def log_sum(self, node: Node) -> tuple[Node, Node] | None:
        """X and the sum in m + np.log(np.exp(X - m).sum(axis)), where m is a maximum that is the same along the sum."""
        for m, log in (node.args, node.args[::-1]) if node.op == "+" else ():
            whole = self.see(log.args[0]) if log.op == "log" and node.shape == log.shape else log
            if whole.op != "reduce" or whole.args[3] != "sum" or (inner := self.see(whole.args[0])).op != "exp":
                continue
            if (less := self.see(inner.args[0])).op != "-":
                continue
            (X, shift), (_, axes, keepdims, _) = less.args, whole.args
            most, items = self.see(shift), spreading(range(len(X.shape)) if axes is None else axes, len(X.shape))
            last = len(X.shape) - 1 if axes is None else max(axes)
            if keepdims or len(shift.shape) < len(X.shape) - last:  # what has no axis of the sum is the same along it
                is_same = m is shift
            else:  # m has lost the axis that it is taken off with
                lost = shift, tuple(0 if item is None else item for item in items)
                is_same = m.args == lost or self.see(self.graph.make("index", m, items)) is most
            if is_same and most.op == "reduce" and most.args[3] == "max":
                return X, whole
        return None

    def _scores(self, above: Node, whole: Node) -> Found | None:
        """What is in exp(Z), if `above` is that and `whole` its sum, without a maximum taken off, which cancels."""
        top = self.see(above)
        if top.op != "exp" or whole.op != "reduce" or whole.args[0] is not above or whole.args[3] != "sum":
            return None
        axes, (Z,) = whole.args[1], top.args
        shift = self.see(Z)
        most = self.see(shift.args[1]) if shift.op == "-" else shift
        if most.op == "reduce" and most.args[0] is shift.args[0] and most.args[3] == "max":
            Z = shift.args[0] if most.args[1] in (axes, None) and is_spread(most) else Z
        return (Z, tuple(range(len(Z.shape))) if axes is None else axes) if is_spread(whole) else None


def is_spread(node: Node) -> bool:
    """Whether a sum or a maximum meets what it was taken of along the axes that it has left."""
    _, axes, keepdims, _ = node.args
    return bool(keepdims or axes in (None, (0,)))
