"""The chain rule, line by line from the last: gradients as sums of products on their way through expressions."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node
from backprop_lab.deriving.rules import MATRICES, REDUCED, RULES, Rule, layer, slope, written
from backprop_lab.deriving.shapes import number_of
from backprop_lab.deriving.simplifying import ONE, UNIT, Term, filled, merged, one, product_of, summed, total
from backprop_lab.deriving.softmax import Found, is_spread
from backprop_lab.deriving.structure import Grad, Passed, Structure, along, is_one_of_each_row, spread


class Backward(Structure):
    """The backward pass of a graph. `wanted` are names whose gradient has a line where it could be left out.

    `upstream` has the gradients that are given, by what they are of; `skipped` the terms of the loss that stand for
    them. Once it has run, `found` has the lines: of each its name, what it is the gradient of, the expression, and, for
    each place in which that is used, the rules by which the gradient came from there. `parts` has the parts of lines
    whose gradient needs a name. `halved` are values inside a softmax or a sigmoid that was gone through as a whole, of
    which another use has a gradient too: their line would lack a term. They belong to `apart` the next time: to what is
    gone through one by one.
    """

    def __init__(
        self,
        graph: Graph,
        wanted: Iterable[str],
        upstream: Mapping[Node, Node],
        skipped: Iterable[Node],
        apart: Iterable[str] = (),
    ) -> None:
        super().__init__(graph, {*wanted, *apart})
        self.wanted, self.upstream, self.skipped, self.apart = {*wanted}, upstream, {*skipped}, {*apart}
        self.halved: set[str] = set()
        self._inside: set[Node] = set()
        self.found: list[tuple[str, str, Node, tuple[tuple[Passed, ...], ...]]] = []
        self.parts: dict[Node, None] = {}
        self._arriving: dict[Node, list[Grad]] = {}
        self._ready: dict[Node, Grad] = {}

    def run(self, loss: Node) -> None:
        """Find the gradients, in the order in which they are computed."""
        users = self._users()
        self._ready[loss] = Grad([UNIT], loss)
        for line, meaning in reversed(self.graph.meaning.items()):
            if (grad := self._ready.get(line)) is not None:
                rules = (*grad.rules, Passed("line", meaning.op, line, line))
                self.push(meaning, Grad(grad.terms, meaning, rules), is_line=True)
            for operand in users.get(line, ()):
                self._finish(operand)

    def _users(self) -> dict[Node, list[Node]]:
        """For each line, what no line before it uses, in the order in which the gradients are written.

        Values come before what is learnt, or after it, as the first that stands in the line.
        """
        users: dict[Node, list[Node]] = {}
        taken: set[Node] = set()
        for line, meaning in self.graph.meaning.items():
            own = [each for each in meaning.names() if each.needs and each not in taken]
            taken.update(own)
            first = bool(own) and own[0] in self.graph.meaning
            users[line] = [each for is_first in (first, not first) for each in own
                           if (each in self.graph.meaning) == is_first]  # fmt: skip
        return users

    def _finish(self, node: Node) -> None:
        """Write the line for the gradient of a name, all of whose uses have been gone through."""
        arrived, name = self._arriving.pop(node, []), node.args[0]
        terms = [term for grad in arrived for term in grad.terms]
        upstream = self.upstream.get(node)
        if upstream is not None:
            terms.insert(0, one(upstream))
        terms = merged(terms)
        if node in self._inside and (terms or name in self.wanted):
            self.halved.add(name)
        can_be_left_out = node in self.graph.meaning and name not in self.wanted
        if upstream is None and can_be_left_out:
            if not terms:
                return
            ways = self._is_plain, self._goes_into_scores, self._cancels, self._gives_maximum_nothing
            is_short = any(way(node, terms) for way in ways)
        else:
            is_short = upstream is not None and not arrived
        self._ready[node] = Grad(terms, node, arrived[0].rules if len(arrived) == 1 else ())
        if not is_short:
            given = self.graph.names.get(f"d{name}")
            is_data = given is not None and not given.needs and given not in self.graph.meaning
            gradient = f"d{name}_total" if is_data and node in self.graph.meaning else f"d{name}"
            expression = filled(self.graph, total(self.graph, terms), node)
            paths = tuple(grad.rules for grad in arrived) + ((),) * (upstream is not None)
            self.found.append((gradient, name, expression, paths))
            named = self.graph.gradient(gradient, node)
            named.is_fixed = expression.op == "number"
            self._ready[node] = Grad([one(named)], node)

    def _is_plain(self, node: Node, terms: list[Term]) -> bool:
        """Whether the gradient of one number is the same whatever is learnt, or all are 1 and only multiply a slope."""
        is_one = len(terms) == 1 and terms[0] == UNIT and self._multiplies(self.graph.meaning[node])
        return is_one or (node.shape == () and all(each.is_fixed for term in terms for each in term.powers))

    def _multiplies(self, node: Node) -> bool:
        """Whether the gradient of a node meets slopes in its own shape, whichever way it goes."""
        if node.op in ("+", "-", "neg", "*"):
            return all(self._multiplies(part) for part in node.parts if part.needs)
        return self._layer(node) is not None or (node.op in RULES and RULES[node.op].name in ("slope", "power"))

    def _goes_into_scores(self, node: Node, terms: list[Term]) -> bool:
        """Whether the gradient of probabilities, or of their logarithms, is simpler as a part of that of the scores."""
        meaning = self.graph.meaning[node]
        is_picked = meaning.op == "index" and (node.shape == () or is_one_of_each_row(meaning))
        of = meaning.args[0] if is_picked else node
        power, terms = -1 if self.softmaxes.of(of) else 0, self._unpicked(node, terms)
        others = (each for term in terms for each in term.powers if each is not node)
        is_either = power or self.softmaxes.log(node)
        return bool(is_either) and all(term.powers.get(node, 0) == power for term in terms) and not any(
            each.needs or (each.is_gradient and not power) for each in others
        )  # fmt: skip

    def _cancels(self, P: Node, terms: list[Term]) -> bool:
        """Whether the gradient of a sigmoid, y / P - (1 - y) / (1 - P), is simpler as a part of that of the score."""
        whole = self._layer(self.graph.meaning[P])
        rest = self.graph.make("-", self.graph.number(1), P)
        below = [{node for node, power in term.powers.items() if power == -1 and not node.is_fixed} for term in terms]
        return whole is not None and "1 - {Y}" in whole[0].gradients[0] and below in ([{P}, {rest}], [{rest}, {P}])

    def _gives_maximum_nothing(self, node: Node, terms: list[Term]) -> bool:
        """Whether the maximum in Z - Z.max() gets no gradient, as that of what it is taken off adds up to 0."""
        node = self.graph.meant(node)
        most = self.softmaxes.see(node.args[1]) if node.op == "-" else node
        if most.op != "reduce" or most.args[0] is not node.args[0] or most.args[3] != "max" or not is_spread(most):
            return False
        axes, shape = range(len(node.shape)) if most.args[1] is None else most.args[1], node.shape
        rows = [(*shape[:k], 1, *shape[k + 1 :]) for k in axes]
        return any(not merged(summed(self.graph, term, node, row) for term in terms) for row in rows)

    def _unpicked(self, P: Node, terms: list[Term]) -> list[Term]:
        """Terms in which P[np.arange(N), y] is P itself: by the masks that stand beside it, only what is picked counts.

        This is for what goes on to the scores, where P cancels. A line with 0 / P in it could be 0 / 0.
        """
        found = []
        for term in terms:
            for node, power in term.powers.items():
                of, masks = self.picks.get(node, (None, set()))
                if of is P and masks <= term.powers.keys():
                    term = term.times(one(node, power), -1).times(one(P, power))
            found.append(term)
        return found

    def push(self, node: Node, grad: Grad, is_line: bool = False) -> None:
        """Take the gradient of a node on to what it is made of."""
        if not node.needs or node in self.skipped:
            return
        if node.op == "name":
            arrived = Grad(self.settled(node, grad), node, self.copied(node, grad))
            self._arriving.setdefault(node, []).append(arrived)
        elif (found := self.softmaxes.of(node)) is not None:
            self._inside |= self._names_between(node, found[0])
            P = self.graph.value(node)
            terms = [term.times(one(P)) for term in self._unpicked(P, self.settled(node, grad))]
            self._into_scores(terms, P, found, self.passed(grad, "softmax", node, 0, found[0]))
        elif (found := self.softmaxes.log(node)) is not None:
            self._inside |= self._names_between(node, found[0])
            P = self.softmaxes.named.get(found) or (
                node.args[0] if node.op == "log" else self.graph.make("exp", self.graph.value(node))
            )
            rules = self.passed(grad, "log-softmax", node, 0, found[0], P)
            self._into_scores(self.settled(node, grad), P, found, rules)
        elif (found_sum := self.softmaxes.log_of_sum(node)) is not None:
            X, (exps, axes, keepdims, _) = found_sum[0], found_sum[1].args
            self._inside |= self._names_between(node, X)
            every = tuple(range(len(X.shape))) if axes is None else axes
            Y, S, *terms = one(self.graph.value(node)), one(self.graph.value(found_sum[1])), *self.settled(node, grad)
            if not keepdims:
                Y, S, *terms = [spread(self.graph, term, node, every) for term in (Y, S, *terms)]
            rules = (*self.copied(node, grad), Passed("slope", "logsumexp", self.graph.value(node), X))
            if node.op == "log" and self.graph.value(node) is node:
                share = self.graph.make("/", self.graph.value(exps), *S.powers)
            else:
                share = self.graph.make("exp", self.graph.make("-", X, *Y.powers))  # which does not overflow
            self.graph.sums[share] = every
            self.push(X, Grad([term.times(one(share)) for term in terms], X, rules))
        elif node.op == "-" and self._gives_maximum_nothing(node, terms := self.settled(node, grad)):
            passed = Passed("subtraction", "-", self.graph.value(node), node.args[0], 0, node.args[1], "maximum")
            self.push(node.args[0], Grad(terms, node, (*self.copied(node, grad), passed)))
        elif (whole := self._layer(node)) is not None:
            rule, X = whole
            self._inside |= self._names_between(node, X)
            out, how = self.graph.value(node), "minus" if rule.gradients[0].startswith("-") else ""
            if rule.name == "sigmoid" and out is node:  # it stands twice in its slope
                self.parts[node] = None  # until then, some name stands for it
                out = self.graph.name("Y", node.shape)
            factor = slope(self.graph, rule.gradients[0], X=X, Y=out)
            self._by_slope(X, grad, factor, Passed("slope", rule.name, out, X, how=how))
        else:
            if sum(part.needs for part in node.parts) > 1 and not is_line and not _is_cheap(grad.terms):
                self.parts[node] = None  # until then, some name stands for its gradient
                grad = Grad([one(self.graph.gradient("d", node))], node, grad.rules)
            self._apart(node, grad)

    def _apart(self, node: Node, grad: Grad) -> None:
        """Go through one operation."""
        is_square = node.op == "*" and node.args[0] is node.args[1]
        if node.op in RULES:
            names = dict(zip("XZV", node.args, strict=False)) | {"Y": self.graph.value(node)}
            if node.op == "where":
                mask = names["X"]
                names["X"] = mask if mask.kind == "b" else self.graph.make("!=", mask, self.graph.number(0))
                self.graph.guards |= {names["X"], self.graph.make("~", names["X"])}
            rule = RULES["square" if is_square else node.op]
            for at, line in rule.gradients.items():
                if node.args[at].needs:
                    shorter = self._power(node) if node.op == "**" else None
                    factor = shorter or slope(self.graph, line, **names)
                    others = [each for each in node.args if each is not node.args[at]] or [node.args[at]]
                    Z: Any = (names["X"] if node.op == "where" else others[0]) if len(node.args) > 1 else ""
                    how = "number" if isinstance(Z, Node) and Z.is_fixed else ""
                    by = "square" if is_square or (node.op == "**" and number_of(node.args[1]) == 2) else node.op
                    passed = Passed(rule.name, by, self.graph.value(node), node.args[at], at, Z, how)
                    self._by_slope(node.args[at], grad, factor, passed)
        elif node.op == "mT" and (turned := self._turned(self.settled(node, grad))):
            self.push(node.args[0], Grad(turned, node.args[0], self.passed(grad, "transpose", node)))
        elif node.op in ("@", "mT"):
            rule = MATRICES[tuple(min(len(part.shape), 2) for part in node.args)]
            names = dict(zip("XZ", node.args, strict=False))
            number, dY = self.whole(node, grad)
            is_column = dY.op == "broadcast_to" and dY.args[0].shape == (*node.shape[:-1], 1)
            for at, line in rule.gradients.items():
                if node.args[at].needs:
                    column = is_column and at == 1 and len(node.args[0].shape) == len(node.args[1].shape) == 2
                    found = written(self.graph, line, dY=dY.args[0] if column else dY, **names)
                    how = "" if all(len(part.shape) == 2 for part in node.args) else "axes"
                    Z = node.args[1 - at] if node.op == "@" else ""
                    self.give(
                        node.args[at], number, found, self.passed(grad, rule.name, node, at, node.args[at], Z, how)
                    )
        elif node.op == "reduce":
            self._reduce(node, grad)
        else:
            self.by_structure(node, grad)

    def _layer(self, node: Node) -> tuple[Rule, Node] | None:
        """The layer that a node is as a whole: see `layer`."""
        whole = layer(self.graph, node)
        between = {name.args[0] for name in self._names_between(node, whole[1])} if whole else set()
        is_called = whole and whole[0].name == "log-sigmoid" and between  # a sigmoid with a name has a gradient too
        return None if is_called or between & self.apart else whole

    def _names_between(self, node: Node, X: Node) -> set[Node]:
        """The values of which a node is made, down to one part of it."""
        found, todo = set[Node](), [node]
        while todo:
            part = todo.pop()
            if part is not X and part not in found:
                meaning = self.graph.meaning.get(part)
                found.update({part} if meaning else ())
                todo.extend([meaning] if meaning else part.parts)
        return found

    def _turned(self, terms: list[Term]) -> list[Term]:
        """Terms of one matrix each, and of numbers, with the matrix turned round; none for others."""
        turned = []
        for term in terms:
            matrices = [node for node in term.powers if not node.is_fixed]
            if len(matrices) != 1 or len(matrices[0].shape) < 2:
                return []
            rest = {node: power for node, power in term.powers.items() if node.is_fixed}
            turned.append(Term(term.number, {self.graph.make("mT", matrices[0]): term.powers[matrices[0]]} | rest))
        return turned

    def _by_slope(self, part: Node, grad: Grad, factor: Term, rule: Passed) -> None:
        is_idle = [rule.by == "relu" and term.powers.get(rule.Y, 0) > 0 for term in grad.terms]  # as in H * (H > 0)
        terms = [term if idle else term.times(factor) for term, idle in zip(grad.terms, is_idle, strict=True)]
        self.push(part, Grad(terms, grad.full, (*grad.rules, rule)))

    def _power(self, node: Node) -> Term | None:
        """The slope of X ** n by its own value where that is shorter: rstd = (var + e) ** -0.5 has -0.5 * rstd**3."""
        Y, X, n = self.graph.value(node), node.args[0], number_of(node.args[1])
        if not n or Y is node or (X.op in ("name", "sqrt") and n > 0):
            return None
        exact = Fraction(repr(n))
        power = (exact - 1) / exact
        return Term(exact, {Y: power}) if power.denominator == 1 else None

    def _reduce(self, node: Node, grad: Grad) -> None:
        """A sum, mean, maximum ... along some axes: its gradient is spread over these."""
        X, axes, keepdims, name = node.args
        every = tuple(range(len(X.shape))) if axes is None else axes
        terms, Y = self.settled(node, grad), self.graph.value(node)
        if not keepdims:
            terms = [spread(self.graph, term, node, every) for term in terms]
            (Y,) = spread(self.graph, one(Y), node, every).powers
        rule, make = REDUCED[name], self.graph.make
        line = rule.gradients[0].replace(" / {n}", "").replace("({Y} * {n})", "{Y}")
        names = {"X": X, "Y": Y}
        if "mean" in line:
            names["mean"] = make("reduce", X, axes, axes is not None, "mean")
        if "ties" in line:
            names["ties"] = make("reduce", make("==", X, Y), axes, axes is not None, "sum")
        factor, how = slope(self.graph, line, **names), along(X.shape, axes)
        for size in self.graph.count(X, axes) if "{n}" in rule.gradients[0] else ():
            factor = factor.times(product_of(size), -1)
        self.push(X, Grad([term.times(factor) for term in terms], X, self.passed(grad, rule.name, node, how=how)))

    def _into_scores(self, terms: Sequence[Term], P: Node, found: Found, rules: tuple[Passed, ...]) -> None:
        """terms - P * terms.sum(axis, keepdims=True): each score moves all probabilities of its row."""
        S, axes = found
        self.graph.sums[P] = axes
        row = tuple(1 if k in axes else n for k, n in enumerate(P.shape) if len(P.shape) > 1)
        sums = [summed(self.graph, term, P, row).times(Term(-ONE, {P: ONE})) for term in terms]
        self.push(S, Grad([*terms, *sums], P, rules))


def _is_cheap(terms: list[Term]) -> bool:
    """Whether a gradient is short enough to be written more than once."""
    varying = {node: power for term in terms for node, power in term.powers.items() if not node.is_fixed}
    if len(terms) > 1 or not varying:
        return not varying
    (node, power), *others = varying.items()
    is_moved = node.op == "mT" or (node.op == "index" and {*node.args[1]} <= {":", None})
    is_named = (node.args[0] if is_moved else node).op in ("name", "eye")
    return not others and len(terms[0].powers) == 1 and power == 1 and is_named
