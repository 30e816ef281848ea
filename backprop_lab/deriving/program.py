"""A forward pass, with the gradients of its loss as lines."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.deriving.backward import Backward, Gradient, names_in
from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import SIGNS, SIZES, Node, Shape, code
from backprop_lab.deriving.reading import Line, Reader, Refused, lines_in
from backprop_lab.deriving.shapes import Misfit

PASSING = ("addition", "subtraction", "minus")  # rules by which a gradient goes on as it is, or with a minus
KINDS = {"f": "f", "c": "f", "O": "f", "i": "i", "u": "i", "b": "b"}


class Derived(NamedTuple):
    """A line of a program: `name = code`.

    `role` is "value", "gradient" or "new", and `of` what it is the gradient of, or what it replaces in the next step.
    `rules` are those by which the gradient came about, from the loss on, and `rule` the one to name first. `is_own`
    says whether the line was handed in; the others are derived, or are parts that have got a name.
    """

    name: str
    code: str
    role: str = "value"
    of: str = ""
    rule: str = ""
    rules: tuple[str, ...] = ()
    is_own: bool = False


class Derivation(NamedTuple):
    """The lines in order, the name of the loss, and what was taken from the data.

    `indices` are the data that pick places, and stay whole numbers; `assumed` those whose rows were seen to add up to 1.
    """

    lines: tuple[Derived, ...]
    loss: str
    indices: frozenset[str]
    assumed: frozenset[str]


def derive(
    lines: str | Iterable[str],
    parameters: Mapping[str, Any],
    data: Mapping[str, Any],
    gradients: Iterable[str] = (),
) -> Derivation:
    """Every line of a program, forward and backward: see `Derivation`.

    `lines` is a text, a line for each value: "H = np.tanh(X @ W + b)". The loss is the last that is no `x_new` of a
    datum x. `gradients` names data whose gradient is wanted too, and values whose gradient shall have a line where
    it could be left out. Raises ValueError, with the line and what to write instead, for what cannot be derived.
    """
    given = {name: np.asarray(value) for name, value in (*data.items(), *parameters.items())}
    shapes = {name: value.shape for name, value in given.items()}
    wanted = frozenset(gradients)
    _check_given(parameters, data, given)
    own = lines_in(lines)
    for line in own:
        if line.name in given:
            raise _error(line, f"{line.name} is given: call what the line computes otherwise")
    samples, more = _more_samples(shapes, data)
    if samples:
        try:
            return _Program(own, given, more, {*parameters}, wanted, samples).derive()
        except ValueError:
            own = lines_in(lines)
    return _Program(own, given, shapes, {*parameters}, wanted, 0).derive()


def _check_given(parameters: Mapping[str, Any], data: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for name in given:
        if name in parameters and name in data:
            raise ValueError(f"{name} stands both among the parameters and the data")
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise ValueError(f"{name!r} cannot be the name of a value in a line of Python")
        if given[name].dtype.kind not in KINDS:
            raise ValueError(f"{name} must hold numbers, got {given[name].dtype}")


def _more_samples(shapes: Mapping[str, Shape], data: Iterable[str]) -> tuple[int, dict[str, Shape]]:
    """A number of samples that stands out, and the shapes of as many, where there is one sample only.

    One row of data looks like a bias. 0 if there are more samples, or no data with axes.
    """
    rows = [name for name in data if shapes[name]]
    if not rows or any(shapes[name][0] != 1 for name in rows):
        return 0, {}
    taken = {n for shape in shapes.values() for n in shape}
    samples = next(n for n in (101, 103, 107, 109, 113, 127, 131, 137, 139, 149) if n not in taken)
    return samples, {name: (samples, *shape[1:]) if name in rows else shape for name, shape in shapes.items()}


def _error(line: Line, sentence: object) -> ValueError:
    return ValueError(f"line {line.number}, `{line.whole}`: {sentence}")


class _Program:
    """One way to read a program: its lines, to which parts are added that need a name."""

    def __init__(
        self,
        own: list[Line],
        given: Mapping[str, np.ndarray[Any, Any]],
        shapes: Mapping[str, Shape],
        learnt: set[str],
        wanted: frozenset[str],
        samples: int,
    ) -> None:
        self.lines, self.given, self.shapes, self.learnt = own, given, shapes, learnt
        self.wanted, self.samples = wanted, samples
        self.own = {line.name for line in own}
        replaced = {line.name: line.name.removesuffix("_new") for line in own if line.name.endswith("_new")}
        for line in own:
            if replaced.get(line.name) in learnt:
                raise _error(line, f"{replaced[line.name]} is learnt, and the update gives {line.name}")
        self.replaced = {new: old for new, old in replaced.items() if old in given}
        self.loss = next((line for line in reversed(own) if line.name not in self.replaced), own[-1])
        if self.loss.name in self.replaced:
            raise _error(self.loss, "no line is left that could be the loss")

    def derive(self) -> Derivation:
        while True:
            self._read()
            backward = Backward(self.graph, [*self.names.values()][len(self.given) :], self.wanted, self._upstream())
            backward.skipped = self.skipped
            found = backward.run(self.names[self.loss.name])
            parts = backward.parts | self._repeated(found)
            if not self._name_parts([part for part in parts if part in self.reader.places]):
                return self._derivation(found)

    def _read(self) -> None:
        """Read every line into a graph. Raises ValueError, with the line."""
        self.graph = graph = Graph(self.samples)
        self.names: dict[str, Node] = {}
        self.origin: dict[Node, str] = {}
        for name, value in self.given.items():
            is_learnt = name in self.learnt or name in self.wanted
            kind = "f" if is_learnt else KINDS[value.dtype.kind]
            graph.give(name, self.shapes[name], kind, is_learnt)
            self.names[name] = node = graph.given[name]
            if kind == "f" and value.ndim and not is_learnt and _rows_add_up(value):
                graph.sums[node] = (value.ndim - 1,)
        self.reader = Reader(graph, self.names)
        for line in self.lines:
            try:
                node = self.reader.read(line.tree)
            except (Refused, Misfit) as error:
                raise _error(line, error) from None
            except RecursionError:
                raise _error(line, "it is nested too deep: give parts of it lines of their own") from None
            self.names[line.name] = graph.define(line.name, node)
        graph.is_read = True
        loss = self.names[self.loss.name]
        if loss.shape != ():
            raise _error(self.loss, f"the last line is the loss, one number; this has the shape {loss.shape}: np.sum or "
                                    f"np.mean makes one number of it")  # fmt: skip
        self._check_reached(loss)

    def _check_reached(self, loss: Node) -> None:
        reached, todo = set[Node](), [loss]
        while todo:
            node = todo.pop()
            if node not in reached:
                reached.add(node)
                todo.extend(names_in(self.graph.meaning[node]) if node in self.graph.meaning else [])
        for name in (*self.learnt, *self.wanted):
            if name not in self.names:
                raise ValueError(f"there is no {name} whose gradient could be derived; there are "
                                 f"{', '.join(self.names)}")  # fmt: skip
            if self.names[name] not in reached:
                raise ValueError(f"{name} has no part in the loss {self.loss.name}: leave it out, or use it")
        if not loss.needs:
            raise ValueError(f"nothing learnt has a part in the loss {self.loss.name} that a slope could be taken of")

    def _upstream(self) -> dict[Node, Node]:
        """Gradients that are given: the loss has a term np.sum(out * dout) for each."""
        found: dict[Node, Node] = {}
        self.skipped: set[Node] = set()
        todo = [self.graph.meaning[self.names[self.loss.name]]]
        while todo:
            node = todo.pop()
            if node.op == "+":
                todo.extend(node.args)
            of = node.args[1] if node.op == "reduce" and node.args[0] == "sum" and node.shape == () else node
            if of.op == "*":
                for out, dout in (of.args, of.args[::-1]):
                    if out in self.graph.meaning and dout.op == "name" and dout.args[0] == f"d{out.args[0]}":
                        if dout.args[0] in self.given and not dout.needs and out.shape == dout.shape:
                            found[out] = dout
                            dout.is_gradient = True
                            self.skipped.add(node)
        return found

    def _repeated(self, found: list[Gradient]) -> dict[Node, None]:
        """Parts that the backward pass would write twice, the largest of each."""
        seen: dict[Node, int] = {}

        def look(node: Node) -> None:
            seen[node] = seen.get(node, 0) + 1
            if seen[node] == 1:
                for part in node.parts:
                    look(part)

        for gradient in found:
            look(gradient.node)
        return {node: None for node, times in seen.items() if times > 1 and not _is_short(node)}

    def _name_parts(self, parts: list[Node]) -> bool:
        """Give parts of lines a line of their own. False if there is none."""
        taken = {*self.names} | {f"d{name}" for name in self.names}
        todo = [part for part in parts if part not in self.graph.meaning]
        for part in sorted(todo, key=lambda node: len(code(node))):
            places = {id(tree): tree for tree in self.reader.places[part]}
            at, line = next((k, line) for k, line in enumerate(self.lines)
                            if any(id(tree) in places for tree in ast.walk(line.tree)))  # fmt: skip
            tree = next(tree for tree in ast.walk(line.tree) if id(tree) in places)
            base = f"{line.name}_{_kind(part)}"
            name = next(each for each in (base, *(f"{base}{n}" for n in range(2, 99))) if each not in taken)
            taken |= {name, f"d{name}"}
            swapped = _Swap({*places}, name).visit(line.tree)
            self.lines[at] = line._replace(tree=swapped, text=ast.unparse(swapped))
            self.lines.insert(at, Line(name, tree, ast.unparse(tree), line.number))  # type: ignore[arg-type]
        return bool(todo)

    def _derivation(self, found: list[Gradient]) -> Derivation:
        lines: list[Derived] = []
        for line in self.lines:
            of = self.replaced.get(line.name, "")
            lines.append(Derived(line.name, line.text, "new" if of else "value", of, is_own=line.name in self.own))
        taken = {line.name for line in lines} | {*self.given}
        names: dict[Node, str] = {}
        repeated = self._repeated(found)
        written: set[Node] = set()
        for gradient in found:
            if gradient.name in taken:
                raise ValueError(f"{gradient.name} would be the gradient of {gradient.of}: call the value of that name "
                                 f"otherwise")  # fmt: skip
            taken.add(gradient.name)
            for node in _inner_first(gradient.node):
                if node in repeated and node not in written:
                    written.add(node)
                    text = code(node, names)
                    base = f"{gradient.name}_{_kind(node)}"
                    name = next(each for each in (base, *(f"{base}{n}" for n in range(2, 99))) if each not in taken)
                    taken.add(name)
                    lines.append(Derived(name, text))
                    names[node] = name
            telling = [rule for rule in gradient.rules if rule not in PASSING]
            rule = "fan-out" if gradient.uses > 1 else (telling or [*gradient.rules] or ["copy"])[-1]
            text = code(gradient.node, names)
            lines.append(Derived(gradient.name, text, "gradient", gradient.of, rule, gradient.rules))
        loss = self.loss.name
        return Derivation(
            tuple(lines), loss, frozenset(self.reader.indices & {*self.given}), frozenset(self.graph.assumed)
        )


class _Swap(ast.NodeTransformer):
    """Puts a name in the place of parts of a line."""

    def __init__(self, places: set[int], name: str) -> None:
        self.places, self.name = places, name

    def visit(self, node: ast.AST) -> Any:
        return ast.Name(self.name, ast.Load()) if id(node) in self.places else super().visit(node)


def _rows_add_up(value: np.ndarray[Any, Any]) -> bool:
    if value.dtype.kind not in "fiu" or value.shape[-1] < 2:
        return False
    return bool((abs(value.sum(axis=-1) - 1) < 1e-12).all())


def _kind(node: Node) -> str:
    """What a part is called behind the name of its line."""
    if node.op == "reduce":
        return str(node.args[0])
    named = {"-": "diff", "*": "prod", "/": "ratio", "**": "power", "index": "part"}
    return named.get(node.op, node.op if node.op.isalnum() else "in" if node.op in "+@" else "mask")


def _inner_first(node: Node) -> list[Node]:
    found: dict[Node, None] = {}

    def look(each: Node) -> None:
        if each not in found:
            for part in each.parts:
                look(part)
            found[each] = None

    look(node)
    return [*found]


def _is_short(node: Node) -> bool:
    """Whether a part may be written more than once."""
    if node.op in ("name", "number", "float", "np", "math", "mT", "eye", "arange", *SIZES) or node.is_fixed:
        return True
    if node.op in (*SIGNS, "neg", "<", ">", "<=", ">=", "==", "!=", "~") and node.op != "@":
        return all(_is_short(part) for part in node.parts) and len(names_in(node)) <= 2 and len(code(node)) <= 20
    return node.op == "index" and node.args[0].op in ("name", "eye") and len(code(node)) <= 16
