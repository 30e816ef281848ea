"""A forward pass, with the gradients of its loss as lines."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.deriving.backward import Backward
from backprop_lab.deriving.graph import Graph
from backprop_lab.deriving.nodes import COMPARISONS, SIGNS, SIZES, Node, RefusedError, Shape, code, seen
from backprop_lab.deriving.reading import Reader
from backprop_lab.deriving.text import Line, check_name, lines_in
from backprop_lab.nn.arrays import MOST_AXES
from backprop_lab.nn.forms import Swapped
from backprop_lab.nn.lines import Array, Part
from backprop_lab.nn.steps import Step, operands_of

KINDS = {"f": "f", "c": "f", "O": "f", "i": "i", "u": "i", "b": "b"}


class OwnLine(Part):
    """The kind of a line that was handed in as a program, and of those that are derived from it."""


class Derivation(NamedTuple):
    """The lines in order, forward and backward, the name of the loss, and what was taken from the data.

    `own` are the lines that were handed in; the others are derived, or are parts that have got a name. `indices` are
    data that pick places, and stay whole numbers; `assumed` those whose rows were seen to add up to 1; `upstream`
    gradients that are given, each with what it is the gradient of.
    """

    lines: tuple[Step, ...]
    loss: str
    own: frozenset[str]
    indices: frozenset[str]
    assumed: frozenset[str]
    upstream: Mapping[str, str]


def line_of(phase: str, name: str, code: str, role: str = "value", of: str = "", **more: Any) -> Step:
    """A line of a program as one of a training step."""
    operands = operands_of(code)
    names = {"name": name, **{each: each for each in operands}}
    result = "L" if phase == "loss" else name
    return Step(name, phase, code, operands, OwnLine, result, code, names, role, of, **more)


def derive(
    lines: str | Iterable[str], parameters: Mapping[str, Any], data: Mapping[str, Any], gradients: Iterable[str] = ()
) -> Derivation:
    """Every line of a program, forward and backward: see `Derivation`.

    `lines` is a text with a line for each value, such as "H = np.tanh(X @ W + b)". The loss is the last that is no
    `x_new` of a datum x. `gradients` names data whose gradient is wanted too, and values whose gradient shall have a
    line even where it can be left out. Nothing is run. Raises ValueError, with the line and what to write instead, for
    what may not stand there, does not fit, or has no rule.
    """
    if both := {*parameters} & {*data}:
        raise ValueError(f"a value is learnt or among the data: {', '.join(sorted(both))} cannot be both")
    given = {name: np.asarray(value) for name, value in (*data.items(), *parameters.items())}
    for name, value in given.items():
        check_name(name)
        if value.dtype.kind not in KINDS:
            raise ValueError(f"{name} must hold numbers, got {value.dtype}")
    wanted = frozenset(gradients)
    many = _many_samples(given, data)
    if many:
        try:
            return _Program(lines, given, {*parameters}, wanted, many).derive()
        except ValueError:  # one row is one row
            pass
    return _Program(lines, given, {*parameters}, wanted, {}).derive()


def read_lines(lines: str | Iterable[str], given: Mapping[str, Array] | None = None) -> list[Line]:
    """The lines of a text; with what is `given` to them, each is read as a line of a program is, and nothing is run.

    Raises ValueError, with the line and what to write instead, for what may not stand there or does not fit.
    """
    found = lines_in(lines)
    if given is not None:
        graph = Graph(0, "")
        for name, value in given.items():
            graph.give(name, value.shape, KINDS[value.dtype.kind], False)
        reader = Reader(graph)
        for line in found:
            _define(reader, line)
    return found


def _define(reader: Reader, line: Line) -> None:
    """Read a line into a graph. Raises ValueError, with the line."""
    try:
        node = reader.read(line.tree)
        of = reader.graph.meant(node).args[0]
        if line.axes and len(of.shape) != line.axes:
            raise RefusedError(f"{seen(of)} has {len(of.shape)} axes, and names are given for {line.axes}")
        reader.graph.define(line.name, node)
    except RefusedError as error:
        raise line.error(error) from None


def _many_samples(given: Mapping[str, Array], data: Iterable[str]) -> dict[str, Shape]:
    """The shapes of data with one sample, as if there were many: one row of data looks like a bias."""
    rows = [name for name in data if given[name].ndim]
    if any(len(given[name]) != 1 for name in rows):
        return {}
    taken = {n for value in given.values() for n in value.shape}
    samples = next(n for n in (1009, 1013, 1019, 1021, 1031, 1033, 1039) if n not in taken)
    return {name: (samples, *given[name].shape[1:]) for name in rows}


class _Program:
    """A way to read a program, with `many` samples or as it is: its lines, and parts of them that need a name."""

    def __init__(
        self,
        lines: str | Iterable[str],
        given: Mapping[str, Array],
        learnt: set[str],
        wanted: frozenset[str],
        many: Mapping[str, Shape],
    ) -> None:
        self.lines, self.given, self.learnt, self.wanted, self.many = lines_in(lines), given, learnt, wanted, many
        self.own = {line.name for line in self.lines}
        kinds = {given[name].dtype for name in learnt if given[name].dtype.kind in "fO"} - {np.dtype(float)}
        self.dtype = f"np.{kinds.pop().name}".replace("np.object", "object") if kinds else ""
        self.replaced: dict[str, str] = {}
        for line in self.lines:
            if line.name in given:
                raise line.error(f"{line.name} is given: choose another name for what the line computes")
            if line.name.endswith("_new") and (name := line.name.removesuffix("_new")) in given:
                if name in learnt:
                    raise line.error(f"{name} is learnt: what replaces it comes from the update, and no line gives it")
                self.replaced[line.name] = name
        last = [line for line in self.lines if line.name not in self.replaced]
        if not last:
            raise self.lines[-1].error("no line is left that could be the loss")
        self.loss = last[-1]

    def derive(self) -> Derivation:
        apart = set[str]()
        while True:
            self._read()
            loss = self.graph.names[self.loss.name]
            upstream = self._upstream(loss)
            self.upstream = {dout.args[0]: out.args[0] for out, dout in upstream.values()}
            self.back = Backward(self.graph, self.wanted, dict(upstream.values()), upstream, apart)
            self.back.run(loss)
            if not self.back.halved <= apart:
                apart |= self.back.halved
                continue
            needed, repeated = self.back.parts, self._repeated()
            for part in repeated:  # what holds another one may come out shorter once that has a name
                if all(each is part or each not in repeated for each in part.inside()):
                    needed.setdefault(part)
            if not self._name(needed):
                return self._derivation()

    def _read(self) -> None:
        """Read every line into a graph. Raises ValueError, with the line."""
        self.graph = graph = Graph(next(iter(self.many.values()), (0,))[0], self.dtype)
        for name, value in self.given.items():
            is_learnt = name in self.learnt or name in self.wanted
            kind = "f" if is_learnt else KINDS[value.dtype.kind]
            node = graph.give(name, self.many.get(name, value.shape), kind, is_learnt)
            if not is_learnt and name not in self.replaced.values() and rows_add_up(value):
                graph.sums[node] = (value.ndim - 1,)
        self.reader = Reader(graph)
        for at, line in enumerate(self.lines):
            _define(self.reader, line)
            self.lines[at] = self._with_names(line)
        graph.is_read = True
        loss = graph.names[self.loss.name]
        if loss.shape != () and self.loss.name.startswith("d") and self.loss.name[1:] in graph.names:
            raise self.loss.error("this is a gradient, and the last line is the loss: leave the backward pass out, or "
                                  "hand it in as backward=")  # fmt: skip
        if loss.shape != ():
            raise self.loss.error(f"the loss is one number, and this has the shape {loss.shape}: np.sum or np.mean "
                                  f"makes one number of it")  # fmt: skip
        self._check_replaced()
        self._check_reached(loss)

    def _with_names(self, line: Line) -> Line:
        """The line with the names of what lines before it compute: by its name, a gradient goes back to it."""
        places = self.reader.places.items()
        again = {id(tree): ast.Name(node.args[0], ast.Load()) for node, trees in places if node.op == "name"
                 for tree in trees if not isinstance(tree, ast.Name)}  # fmt: skip
        is_here = any(id(tree) in again for tree in ast.walk(line.tree))
        return line.rewritten(line.name, Swapped(again).visit(line.tree)) if is_here else line

    def _check_replaced(self) -> None:
        """Raise ValueError, with the line, for a new value of a datum in another shape than it has."""
        for line in self.lines:
            if (name := self.replaced.get(line.name)) is not None:
                shape, new = (self.graph.names[each].shape for each in (name, line.name))
                if new != shape:
                    raise line.error(
                        f"{line.name} takes the place of {name} in the next step, and must have its shape {shape}; it "
                        f"has {new}"
                    )

    def _check_reached(self, loss: Node) -> None:
        """Raise ValueError for what is learnt and has no part in the loss."""
        reached = self._reached(loss)
        for name in (*self.learnt, *sorted(self.wanted)):
            if name not in self.graph.names:
                raise ValueError(f"there is no {name} to have a gradient; there are {', '.join(self.graph.names)}")
            if (node := self.graph.names[name]) not in reached:
                mend = self._loss_before(node) or "leave it out, or use it"
                raise ValueError(f"{name} has no part in the loss {self.loss.name}: {mend}")
        if not self.learnt | self.wanted:
            raise self.loss.error("nothing is learnt: give at least one array among the parameters")
        if not loss.needs:
            mend = self._loss_before(*(self.graph.names[name] for name in self.learnt))
            raise self.loss.error(f"it has no slope for anything learnt{f': {mend}' if mend else ''}")

    def _reached(self, value: Node) -> set[Node]:
        """The names of all that a value is made of, and its own."""
        reached = {value}
        for line, meaning in reversed(self.graph.meaning.items()):
            reached.update(meaning.names(but_of=SIZES) if line in reached else ())
        return reached

    def _loss_before(self, *learnt: Node) -> str:
        """What to say where a line before the last could be the loss of what is learnt, or ""."""
        for line in self.lines:
            node = self.graph.names[line.name]
            if line is not self.loss and node.shape == () and node.needs and self._reached(node) & {*learnt}:
                return f"the last line is the loss; if {line.name} is, put its line last"
        return ""

    def _upstream(self, loss: Node) -> dict[Node, tuple[Node, Node]]:
        """Terms np.sum(out * dout) of the loss, in which dout is given: each with out, and its gradient dout.

        The same once more is a term like any other.
        """
        found: dict[Node, tuple[Node, Node]] = {}
        terms = [self.graph.meaning[loss]]
        for node in terms:
            terms.extend(node.args if node.op == "+" else ())
        for node in [each for each in terms if terms.count(each) == 1]:
            of = node.args[0] if node.op == "reduce" and node.args[1:] == (None, False, "sum") else node
            for out, dout in (of.args, of.args[::-1]) if of.op == "*" else ():
                is_given = dout.op == "name" and dout.args[0] in self.given and not dout.needs
                is_of = out in self.graph.meaning and dout.args[:1] == (f"d{out.args[0]}",)
                is_first = all(out is not each for each, _ in found.values())
                if is_given and is_of and is_first and out.shape == dout.shape:
                    found[node] = out, dout
                    dout.is_gradient = True
        return found

    def _repeated(self) -> dict[Node, None]:
        """Parts that the backward pass would write twice, the largest of each."""
        times: dict[Node, int] = {}

        def look(node: Node) -> None:
            times[node] = times.get(node, 0) + 1
            if times[node] == 1:
                for part in node.parts:
                    look(part)

        for _, _, node, _ in self.back.found:
            look(node)
        return {node: None for node, n in times.items() if n > 1 and not _is_short(node)}

    def _name(self, found: Iterable[Node]) -> bool:
        """Give parts that stand in lines a line of their own. False if there are none."""
        names, parts = {*self.graph.names}, [part for part in found if part in self.reader.places]
        for part in sorted(parts, key=lambda node: len(code(node))):
            places = {id(tree) for tree in self.reader.places[part]}
            at, line = next((at, line) for at, line in enumerate(self.lines)
                            if any(id(tree) in places for tree in ast.walk(line.tree)))  # fmt: skip
            tree: Any = next(tree for tree in ast.walk(line.tree) if id(tree) in places)
            name = _free(line.name, part, names | {f"d{each}" for each in names})
            names.add(name)
            swapped = Swapped(dict.fromkeys(places, ast.Name(name, ast.Load()))).visit(line.tree)
            self.lines[at] = line.rewritten(line.name, swapped)
            self.lines.insert(at, line.rewritten(name, tree)._replace(comment=""))  # which is said of the whole line
        return bool(parts)

    def _derivation(self) -> Derivation:
        lines: list[Step] = []
        for line in self.lines:
            of, phase = self.replaced.get(line.name, ""), "loss" if line.name == self.loss.name else "forward"
            lines.append(line_of(phase, line.name, line.text, "new" if of else "value", of, note=line.comment))
        taken, names, repeated = {*self.graph.names}, dict[Node, str](), self._repeated()
        gradients = {name for name, *_ in self.back.found}
        for name, of, node, paths in self.back.found:
            if name in taken:
                raise ValueError(f"{name} is the name of the gradient of {of}, and stands for another value here: give "
                                 f"that another name")  # fmt: skip
            taken.add(name)
            for part in node.inside():
                if part in repeated and part not in names:
                    written = code(part, names)
                    names[part] = _free(name if part.is_gradient else of, part, taken | gradients)
                    taken.add(names[part])
                    lines.append(line_of("backward", names[part], written))
            told = tuple(tuple(passed.told() for passed in path) for path in paths)
            lines.append(line_of("backward", name, code(node, names), "gradient", of, paths=told))
        own, indices = frozenset(self.own), frozenset(self.reader.indices & {*self.given})
        return Derivation(tuple(lines), self.loss.name, own, indices, frozenset(self.graph.assumed), self.upstream)


def rows_add_up(value: Array) -> bool:
    """Whether each row adds up to 1, as probabilities do: what is derived may rest on it."""
    return value.dtype.kind == "f" and value.ndim > 0 and bool((abs(value.sum(axis=-1) - 1) < 1e-12).all())


def _free(name: str, part: Node, taken: set[str]) -> str:
    """A name for a part, behind that of its line, such as L_diff, which nothing else has."""
    kinds = {
        "-": "diff", "*": "prod", "/": "ratio", "**": "power", "index": "part", "+": "in", "@": "in",
        "concatenate": "cat", "broadcast_to": "full", "full_like": "full",
    }  # fmt: skip
    kind = part.args[3] if part.op == "reduce" else kinds.get(part.op, part.op if part.op.isalnum() else "mask")
    return next(each for n in range(1, 999) if (each := f"{name}_{kind}{n if n > 1 else ''}") not in taken)


def _is_short(node: Node) -> bool:
    """Whether a part may be written more than once, as one must that has too many axes for a value of a lab."""
    if len(node.shape) > MOST_AXES or node.op in ("name", "number", "mT", "eye", "arange", *SIZES) or node.is_fixed:
        return True
    if node.op in (*SIGNS, *COMPARISONS, "neg", "~") and node.op != "@":
        return all(map(_is_short, node.parts)) and len(node.names()) <= 2 and len(code(node)) <= 20
    return node.op == "index" and node.args[0].op in ("name", "eye") and len(code(node)) <= 16
