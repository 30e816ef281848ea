"""From the lines of a forward pass to those of its backward pass: the chain rule, line by line from the last."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import Node, Shape, code
from backprop_lab.deriving.rules import BY_CELL, MATRICES, REDUCED, whole_rule, written
from backprop_lab.deriving.shapes import number_of
from backprop_lab.deriving.simplifying import ONE, UNIT, Term, filled, merged, product_of, summed, total


class Grad(NamedTuple):
    """The gradient of a node on its way: a sum of products over the shape of `full`, which the node broadcasts to.

    `rules` are those that it has come through on the way from the last value with a line.
    """

    terms: list[Term]
    full: Node
    rules: tuple[str, ...] = ()

    def times(self, other: Term, rule: str = "") -> "Grad":
        return Grad([term.times(other) for term in self.terms], self.full, (*self.rules, rule) if rule else self.rules)


class Gradient(NamedTuple):
    """A line of the backward pass: the name of what it is of, the expression, and the rules that made it."""

    name: str
    of: str
    node: Node
    rules: tuple[str, ...]
    uses: int


class Backward:
    """The backward pass of a graph whose lines are `lines`, names and nodes in order."""

    def __init__(self, graph: Graph, lines: Sequence[Node], wanted: Iterable[str], given: dict[Node, Node]) -> None:
        self.graph = graph
        self.lines = lines
        self.wanted = {*wanted}
        self.upstream = given  # gradients that are given, by the value that they are of
        self.skipped: set[Node] = set()  # terms of the loss that stand for these
        self.found: list[Gradient] = []
        self.parts: dict[Node, None] = {}  # parts of lines whose gradient needs a name
        self.arriving: dict[Node, list[Grad]] = {}
        self.ready: dict[Node, Grad] = {}
        self.softmaxes: dict[tuple[Node, tuple[int, ...]], Node] = {}
        for line in lines:
            if (found := self.softmax(line)) is not None:
                self.softmaxes.setdefault(found, line)
                graph.sums[line] = found[1]

    def run(self, loss: Node) -> list[Gradient]:
        """The gradients, in the order in which they are computed."""
        users = self._users()
        self.ready[loss] = Grad([UNIT], loss)
        for line in reversed(self.lines):
            if (grad := self.ready.get(line)) is not None:
                self.line = line
                self.push(self.graph.meaning[line], grad._replace(full=self.graph.meaning[line]))
            for operand in users.get(line, ()):
                self.finish(operand)
        return self.found

    def _users(self) -> dict[Node, list[Node]]:
        """For each line, what takes part in no line before it, in the order in which the gradients are written."""
        users: dict[Node, list[Node]] = {}
        taken: set[Node] = set()
        for line in self.lines:
            own = [each for each in names_in(self.graph.meaning[line]) if each.needs and each not in taken]
            taken.update(own)
            if own:
                first = own[0] in self.graph.meaning
                users[line] = sorted(own, key=lambda each: (each in self.graph.meaning) != first)
        return users

    # the end of a value: its gradient is complete

    def finish(self, node: Node) -> None:
        """Write the line for the gradient of a name, all of whose uses have been gone through."""
        arrived = self.arriving.pop(node, [])
        name = node.args[0]
        terms = merged(term for grad in arrived for term in grad.terms)
        rules = tuple(dict.fromkeys(rule for grad in arrived for rule in grad.rules))
        upstream = self.upstream.get(node)
        if upstream is not None:
            terms = merged([Term(ONE, {upstream: ONE}), *terms])
        is_line = upstream is None and name not in self.wanted and node in self.graph.meaning
        if not arrived and (is_line or upstream is not None):
            if upstream is not None:
                self.ready[node] = Grad(terms, node)
            return
        if is_line and (_is_constant(node, terms) or self._is_for_softmax(node, terms)):
            self.ready[node] = Grad(terms, node)
            return
        expression = filled(self.graph, total(self.graph, terms, is_float=True), node)
        named = f"d{name}_total" if f"d{name}" in self.graph.given else f"d{name}"
        uses = len(arrived) + (upstream is not None)
        self.found.append(Gradient(named, name, expression, rules, uses))
        gradient = self.graph.name(named, node.shape, "f", is_gradient=True)
        gradient.is_fixed = expression.op == "float"
        self.ready[node] = Grad([Term(ONE, {gradient: ONE})], node)

    def _is_for_softmax(self, node: Node, terms: list[Term]) -> bool:
        """Whether the gradient of probabilities, or of their logarithms, is one that goes into that of the scores."""
        power = 0
        if self.softmax(node) is not None:
            power = -1
        elif self.log_softmax(node) is None:
            return False
        return all(
            term.powers.get(node, 0) == power and not any(each.needs or each.is_gradient for each in term.powers
                                                          if each is not node)
            for term in terms
        )  # fmt: skip

    # the way through an expression

    def push(self, node: Node, grad: Grad) -> None:
        """Take the gradient of a node on to what it is made of."""
        if not node.needs or node in self.skipped:
            return
        if node.op == "name":
            terms = [summed(self.graph, term, grad.full, node.shape) for term in grad.terms]
            rules = grad.rules if terms == grad.terms else (*grad.rules, "broadcast")
            self.arriving.setdefault(node, []).append(Grad(terms, node, rules))
            return
        if self._composite(node, grad):
            return
        takers = sum(part.needs for part in node.parts)
        if takers > 1 and node is not self.graph.meaning.get(self.line) and not _is_cheap(grad.terms):
            self.parts[node] = None
            stub = self.graph.name("d", node.shape, "f", is_gradient=True)
            grad = Grad([Term(ONE, {stub: ONE})], node, grad.rules)
        rule = BY_CELL.get(node.op)
        if rule is not None:
            self._by_cell(node, grad, rule.name, rule.gradients)
        else:
            getattr(self, f"_{node.op}" if node.op not in MATRICES else "_matrices")(node, grad)

    def value(self, node: Node) -> Node:
        """A node, by its name if it has one."""
        return self.graph.named.get(node, node)

    def _composite(self, node: Node, grad: Grad) -> bool:
        """Go through a softmax, its logarithm, or a layer, as a whole."""
        if (found := self.softmax(node)) is not None:
            self._through_softmax(self.value(node), *found, grad)
            return True
        if (found := self.log_softmax(node)) is not None:
            self._through_log_softmax(node, *found, grad)
            return True
        whole = whole_rule(self.graph, node)
        if whole is None:
            return False
        rule, X, line = whole
        Y = self.value(node)
        one = self.graph.number(1)
        slope = product_of(written(self.graph, line, {"X": X, "Y": Y, "dY": one}))
        self.push(X, grad.times(slope, rule))
        return True

    def _by_cell(self, node: Node, grad: Grad, rule: str, gradients: dict[int, str]) -> None:
        names = dict(zip("XZV", node.args, strict=False)) | {"Y": self.value(node), "dY": self.graph.number(1)}
        for at, line in gradients.items():
            part = node.args[at]
            if part.needs:
                if node.op == "**" and (shorter := self._power(node)) is not None:
                    slope = shorter
                elif node.op == "where" and node.args[0].kind != "b":
                    mask = self.graph.make("!=", node.args[0], self.graph.number(0))
                    slope = product_of(written(self.graph, line, {**names, "X": mask}))
                else:
                    slope = product_of(written(self.graph, line, names))
                self.push(part, grad.times(slope, rule))

    def _power(self, node: Node) -> Term | None:
        """The slope of X ** n by its own value where that is shorter: rstd = (var + e) ** -0.5 has -0.5 * rstd**3."""
        Y, (X, power) = self.value(node), node.args
        n = number_of(power)
        if n is None or Y is node or (X.op == "name" and n >= 0) or n == 0:
            return None
        exact = Fraction(repr(n))
        times = (exact - 1) / exact
        return Term(exact, {Y: times}) if times.denominator == 1 else None

    def at(self, grad: Grad, node: Node, rule: str, is_full: bool = False) -> tuple[Fraction, Node, tuple[str, ...]]:
        """The gradient as one node in the shape of the node that it is of, and a number in front of it."""
        terms = [summed(self.graph, term, grad.full, node.shape) for term in grad.terms]
        number = ONE
        if len(terms) == 1:
            number, terms = terms[0].number, [terms[0]._replace(number=ONE)]
        found = total(self.graph, terms, is_float=True)
        return number, filled(self.graph, found, node), (*grad.rules, rule)

    def _pass(self, part: Node, number: Fraction, node: Node, rules: tuple[str, ...]) -> None:
        found = product_of(node)
        self.push(part, Grad([found._replace(number=found.number * number)], part, rules))

    def _matrices(self, node: Node, grad: Grad) -> None:
        if node.op == "@" and min(len(part.shape) for part in node.args) == 1:
            self._by_vector(node, grad)
            return
        table = MATRICES[node.op]
        number, dY, rules = self.at(grad, node, table["rule"])
        names = dict(zip("XZ", node.args, strict=False)) | {"dY": dY}
        for part, line in zip(node.args, ("dX", "dZ"), strict=False):
            if part.needs:
                found = product_of(written(self.graph, table[line], names))
                whole = written(self.graph, table[line], names)
                self.push(part, Grad([found._replace(number=found.number * number)], whole, rules))

    def _by_vector(self, node: Node, grad: Grad) -> None:
        """X @ Z where one is a row of numbers: (X * Z).sum() along the last axis of X, the first of Z."""
        X, Z = node.args
        number, dY, rules = self.at(grad, node, "matrix product")
        make = self.graph.make
        if len(X.shape) == 2 and Z.needs:
            self._pass(Z, number, make("@", make("mT", X), dY), rules)
        elif len(Z.shape) == 2 and X.needs:
            self._pass(X, number, make("@", dY, make("mT", Z)), rules)
        column = self.expanded(dY, len(dY.shape)) if len(X.shape) > 1 else dY
        row = self.expanded(X, 1) if len(Z.shape) > 1 else X
        if len(Z.shape) > 2 or len(X.shape) > 2:
            whole = make("*", row, Z) if len(Z.shape) > 1 else make("*", X, Z)
            spread = self.expanded(dY, len(dY.shape) - 1) if len(Z.shape) > 1 else column
            if X.needs and len(Z.shape) > 1:
                product = product_of(make("*", spread, Z))
                summed_ = make("reduce", "sum", product_node(self.graph, product), (len(whole.shape) - 1,), False)
                self._pass_full(X, number, summed_, summed_, rules)
            elif X.needs:
                self._pass_full(X, number, make("*", column, Z), whole, rules)
            if Z.needs and len(Z.shape) > 1:
                self._pass_full(Z, number, make("*", spread, row), whole, rules)
            elif Z.needs:
                self._pass_full(Z, number, make("*", column, X), whole, rules)
            return
        if Z.needs and len(X.shape) == 1:
            self._pass(Z, number, make("*", row, dY), rules)
        if X.needs and len(Z.shape) == 1:
            self._pass(X, number, make("*", column, Z), rules)

    def _pass_full(self, part: Node, number: Fraction, node: Node, full: Node, rules: tuple[str, ...]) -> None:
        found = product_of(node)
        self.push(part, Grad([found._replace(number=found.number * number)], full, rules))

    def expanded(self, node: Node, axis: int) -> Node:
        """The node with a further axis of length 1."""
        items = [":"] * len(node.shape)
        items.insert(axis, "None")
        return self.graph.make("index", node, tuple(items))

    def _reduce(self, node: Node, grad: Grad) -> None:
        name, X, axes, keepdims = node.args
        every = tuple(range(len(X.shape))) if axes is None else axes
        terms = [summed(self.graph, term, grad.full, node.shape) for term in grad.terms]
        if not keepdims:
            terms = [self._spread(term, node, every) for term in terms]
        names = {"X": X, "dY": self.graph.number(1)}
        if name in ("max", "min", "std"):
            Y = self.value(node)
            if not keepdims and Y.shape:
                (Y,) = self._spread(Term(ONE, {Y: ONE}), node, every).powers
            names["Y"] = Y
        kept = (None, False) if axes is None else (axes, True)
        if name in ("var", "std"):
            names["mean"] = self.graph.make("reduce", "mean", X, *kept)
        if name in ("max", "min"):  # those that are equal share it
            names["ties"] = self.graph.make("reduce", "sum", self.graph.make("==", X, names["Y"]), *kept)
        slope = product_of(written(self.graph, REDUCED[name], names))
        if name in ("mean", "var", "std"):
            for size in self.graph.count(X, axes):
                slope = slope.times(product_of(size), -1)
        rule = {"std": "variance", "var": "variance", "min": "max"}.get(name, "sum" if name == "sum" else name)
        self.push(X, Grad([term.times(slope) for term in terms], X, (*grad.rules, rule)))

    def _spread(self, term: Term, node: Node, axes: tuple[int, ...]) -> Term:
        """A product of the shape of a sum, with the axes of the sum in it again, each of length 1."""
        found: dict[Node, Fraction] = {}
        for factor, power in term.powers.items():
            # the factor's own axes are the last ones of the sum's; an axis is needed only before one that it has
            own = [k for k in range(len(node.shape) + len(axes)) if k not in axes][-len(factor.shape) or 99 :]
            for axis in axes:
                if own and axis > own[0]:
                    factor = self.expanded(
                        factor, sum(k < axis for k in own) + sum(a < axis for a in axes if a > own[0])
                    )
            found[factor] = power
        return term._replace(powers=found)

    def _reshape(self, node: Node, grad: Grad) -> None:
        X = node.args[0]
        number, dY, rules = self.at(grad, node, "reshape")
        if dY.is_fixed:
            self._pass(X, number, dY, rules)
            return
        self._pass(X, number, self.graph.make("reshape", dY, self.graph.sizes(X)), rules)

    def _concatenate(self, node: Node, grad: Grad) -> None:
        axis, parts = node.args
        number, dY, rules = self.at(grad, node, "concatenation")
        start = 0
        for k, part in enumerate(parts, 1):
            n = part.shape[axis]
            if k < len(parts):
                self.graph.plain(n)
            if part.needs:
                stop = start + n
                items: list[Any] = [":"] * len(node.shape)
                items[axis] = (start or None, stop if stop < node.shape[axis] else None)
                if items[axis] == (None, None):
                    items[axis] = ":"
                whole = all(item == ":" for item in items)
                self._pass(part, number, dY if whole else self.graph.make("index", dY, tuple(items)), rules)
            start += n

    def _stack(self, node: Node, grad: Grad) -> None:
        axis, parts = node.args
        number, dY, rules = self.at(grad, node, "concatenation")
        for k, part in enumerate(parts):
            items: list[Any] = [":"] * len(node.shape)
            items[axis] = k
            if part.needs:
                self._pass(part, number, self.graph.make("index", dY, tuple(items)), rules)

    def _einsum(self, node: Node, grad: Grad) -> None:
        spec, X, Z = node.args
        inputs, output = spec.split("->")
        x, z = inputs.split(",")
        number, dY, rules = self.at(grad, node, "einsum")
        if X.needs:
            self._pass(X, number, self.graph.make("einsum", f"{output},{z}->{x}", dY, Z), rules)
        if Z.needs:
            self._pass(Z, number, self.graph.make("einsum", f"{x},{output}->{z}", X, dY), rules)

    def _index(self, node: Node, grad: Grad) -> None:
        X, items = node.args
        arrays = [k for k, item in enumerate(items) if isinstance(item, Node)]
        if not arrays and (node.shape != () or not _is_constant(node, grad.terms)):
            self._slice(node, grad)
        elif len(arrays) == 1 and node.shape != () and items[arrays[0]].shape != ():
            self._rows(node, grad, arrays[0])
        else:
            self._picked(node, grad)

    def _slice(self, node: Node, grad: Grad) -> None:
        """What a slice has left out gets 0."""
        X, items = node.args
        number, dY, rules = self.at(grad, node, "index")
        back: list[Any] = []  # items that bring back the axes that numbers took away, and take away new ones
        widths: list[tuple[int, int]] = []
        k = 0
        for item in items:
            if item == "None":
                back.append(0)
                continue
            n = X.shape[k]
            start, stop = 0, n
            if isinstance(item, int):
                start, stop = item, item + 1
                back.append("None")
            else:
                back.append(":")
                if isinstance(item, tuple):
                    start, stop = item[0] or 0, n if item[1] is None else item[1]
            if (start, stop) != (0, n):
                self.graph.plain(n)
            widths.append((start, n - stop))
            k += 1
        if any(item != ":" for item in back):
            dY = self._indexed(dY, tuple(back))
        if any(width != (0, 0) for width in widths):
            dY = self.graph.make("pad", dY, tuple(widths))
        self._pass(X, number, dY, rules)

    def _indexed(self, node: Node, items: tuple[Any, ...]) -> Node:
        """A part of a node; an axis that a sum has kept is not kept where the next thing is to take it away."""
        if node.op == "reduce" and node.args[3]:
            name, of, axes, _ = node.args
            if axes is not None and {k for k, item in enumerate(items) if item == 0} == {*axes} and "None" not in items:
                return self.graph.make("reduce", name, of, axes if len(axes) < len(of.shape) else None, False)
        return self.graph.make("index", node, items)

    def one_hot(self, n: Any, ix: Node) -> Node:
        """A row for each index, with a 1 in its place."""
        eye = self.graph.make("eye", n)
        return self.graph.make("index", eye, (ix, ":"))

    def _rows(self, node: Node, grad: Grad, axis: int) -> None:
        """What one index array picks, along one axis: each gets what all its copies get."""
        X, items = node.args
        ix = items[axis]
        number, dY, rules = self.at(grad, node, "index")
        chosen = self.one_hot(self.graph.size(X, axis), ix)
        make = self.graph.make
        if axis == 0 and len(ix.shape) == 1 and len(X.shape) <= 2:
            found = make("@", make("mT", chosen), dY)
        elif axis == len(X.shape) - 1 and len(ix.shape) == 1:
            found = make("@", dY, chosen)
        else:
            y = "abcdefghijklmnopq"[: len(node.shape)]
            places, after = y[axis : axis + len(ix.shape)], y[axis + len(ix.shape) :]
            found = make("einsum", f"{y},{places}z->{y[:axis]}z{after}", dY, chosen)
        self._pass(X, number, found, rules)

    def _picked(self, node: Node, grad: Grad) -> None:
        """One number of each row, P[np.arange(N), y], or one place, p[0, k]: it gets the gradient, the others 0."""
        X, items = node.args
        Y = self.value(node)
        terms = [summed(self.graph, term, grad.full, node.shape) for term in grad.terms]
        is_pick = all(isinstance(item, int) or item == ":" or item.shape == () for item in items)
        if not is_pick:
            rows, columns = items[:2]
            if not (rows.op == "arange" and rows.shape[0] == X.shape[0]):
                number, dY, rules = self.at(grad, node, "index")
                first = self.graph.make("index", X, (rows, *[":"] * (len(X.shape) - 1)))
                picks = (self.graph.make("arange", self.graph.size(first, 0)), columns, *items[2:])
                found = product_of(dY)
                second = self.graph.make("index", first, picks)
                self.push(second, Grad([found._replace(number=found.number * number)], second, rules))
                return
        masks = UNIT
        at = len(X.shape)
        taken = [k for k, item in enumerate(items) if item != ":"]
        for k, item in enumerate(items):
            if item == ":" or (not is_pick and k == 0) or X.shape[k] == 1:
                continue
            index = item if isinstance(item, Node) else self.graph.number(item)
            mask = self.one_hot(self.graph.size(X, k), index)
            for _ in range(at - 1 - k if is_pick else at - 2):
                mask = self.expanded(mask, len(mask.shape))
            masks = masks.times(Term(ONE, {mask: ONE}))
        if not is_pick:
            taken = [1]
        spread = []
        for term in terms:
            if Y in term.powers and self._is_for_softmax(X, [Term(ONE, {X: Fraction(-1)})]):
                powers = {(X if each is Y else each): power for each, power in term.powers.items()}
                rest = Term(term.number, {each: power for each, power in powers.items() if each is not X})
                kept = {each: power for each, power in powers.items() if each is X}
                spread.append(self._spread(rest, node, tuple(taken)).times(Term(ONE, kept)).times(masks))
            else:
                spread.append(self._spread(term, node, tuple(taken)).times(masks))
        self.push(X, Grad(spread, X, (*grad.rules, "index")))

    # softmax

    def see(self, node: Node) -> Node:
        """What a name stands for, unless its own gradient is wanted."""
        return node if node.op == "name" and node.args[0] in self.wanted else self.graph.define_of(node)

    def softmax(self, node: Node) -> tuple[Node, tuple[int, ...]] | None:
        """The scores and the axes of a softmax, exp(S) / exp(S).sum(axis, keepdims=True), however it is named."""
        term = product_of(self.graph.define_of(node))
        powers: dict[Node, Fraction] = {}
        for each, power in term.powers.items():
            inner = self.see(each)
            seen = product_of(inner) if inner.op in ("**", "/", "neg") else Term(ONE, {each: ONE})
            if seen.number != 1:
                return None
            for part, own in seen.powers.items():
                powers[part] = powers.get(part, Fraction(0)) + own * power
        if term.number != 1 or sorted(powers.values()) != [-1, 1]:
            return None
        above, below = sorted(powers, key=lambda each: -powers[each])
        whole, top = self.see(below), self.see(above)
        if whole.op != "reduce" or whole.args[0] != "sum" or whole.args[1] is not above or top.op != "exp":
            return None
        axes = self._kept(whole)
        return None if axes is None else (self._unshifted(top.args[0], axes), axes)

    def _kept(self, node: Node) -> tuple[int, ...] | None:
        """The axes of a sum that can be divided by as it is; None if it has lost one that is not the first."""
        _, of, axes, keepdims = node.args
        if axes is None:
            return tuple(range(len(of.shape)))
        return axes if keepdims or axes == (0,) else None

    def log_softmax(self, node: Node) -> tuple[Node, tuple[int, ...]] | None:
        """The scores and the axes of the logarithm of a softmax."""
        node = self.graph.define_of(node)
        if node.op == "log":
            return (
                self.softmax(node.args[0])
                if self.see(node.args[0]) is not node.args[0] or (node.args[0].op != "name")
                else None
            )
        if node.op != "-":
            return None
        Z, lse = node.args
        lse = self.see(lse)
        whole = self.see(lse.args[0]) if lse.op == "log" else lse
        if whole.op != "reduce" or whole.args[0] != "sum":
            return None
        top = self.see(whole.args[1])
        axes = self._kept(whole)
        if top.op != "exp" or top.args[0] is not Z or axes is None:
            return None
        return self._unshifted(Z, axes), axes

    def _unshifted(self, Z: Node, axes: tuple[int, ...]) -> Node:
        """The scores before their maximum was taken off, which cancels."""
        shift = self.see(Z)
        if shift.op == "-":
            S, top = shift.args
            top = self.see(top)
            if top.op == "reduce" and top.args[0] == "max" and top.args[1] is S and top.args[2] in (axes, None):
                return S
        return Z

    def _through_softmax(self, P: Node, S: Node, axes: tuple[int, ...], grad: Grad) -> None:
        """dS = P * (dP - (dP * P).sum(axis, keepdims=True)): every score moves all probabilities of its row."""
        self.graph.sums[P] = axes
        terms = [summed(self.graph, term, grad.full, P.shape).times(Term(ONE, {P: ONE})) for term in grad.terms]
        self._less_mean(terms, P, S, axes, (*grad.rules, "softmax"))

    def _through_log_softmax(self, node: Node, S: Node, axes: tuple[int, ...], grad: Grad) -> None:
        """dS = dlogP - P * dlogP.sum(axis, keepdims=True)."""
        P = self.softmaxes.get((S, axes))
        if P is None and node.op == "log":
            P = node.args[0]
        if P is None:
            P = self.graph.make("exp", self.value(node))
        self.graph.sums[P] = axes
        terms = [summed(self.graph, term, grad.full, node.shape) for term in grad.terms]
        self._less_mean(terms, P, S, axes, (*grad.rules, "log-softmax"))

    def _less_mean(self, terms: list[Term], P: Node, S: Node, axes: tuple[int, ...], rules: tuple[str, ...]) -> None:
        row: Shape = tuple(1 if k in axes else n for k, n in enumerate(P.shape))
        sums = [summed(self.graph, term, P, row).times(Term(-ONE, {P: ONE})) for term in terms]
        self.push(S, Grad([*terms, *sums], S if S.shape == P.shape else P, rules))


def product_node(graph: Graph, term: Term) -> Node:
    return total(graph, [term])


def names_in(node: Node) -> list[Node]:
    """The names in a node, in order."""
    found: dict[Node, None] = {}

    def look(each: Node) -> None:
        if each.op == "name":
            found[each] = None
        for part in each.parts:
            look(part)

    look(node)
    return [*found]


def _is_constant(node: Node, terms: list[Term]) -> bool:
    """Whether the gradient of one number is the same whatever is learnt: it is written where it is used."""
    return node.shape == () and all(each.is_fixed for term in terms for each in term.powers)


def _is_cheap(terms: list[Term]) -> bool:
    """Whether a gradient is short enough to be written more than once."""
    if len(terms) > 1:
        return False
    (term,) = terms
    varying = [each for each in term.powers if not each.is_fixed]
    return not varying or (len(term.powers) == 1 and varying[0].op == "name" and [*term.powers.values()] == [ONE])


__all__ = ["Backward", "Callable", "Grad", "Gradient", "code", "names_in"]
