"""A learner's own function as the tree of its source: with one change in it after the other, each run in its place."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from fractions import Fraction
from inspect import getsourcelines
from itertools import product
from textwrap import dedent
from types import CodeType, FunctionType
from typing import NamedTuple

from backprop_lab.nn.forms import expressions, is_written
from backprop_lab.nn.lines import tree_of

LONGEST = 24  # signs in what may stand in another place: `params["W1"]`, `hs[t - 1]`, `sigmoid(z1)`
A_GRADIENT = re.compile("d|grad|err")
PROBE = "({}) * 1.01 + 0.01"  # shows what a part matters for
FACTOR, TERM = "{2} * ({0}) / {3}", "({0}) + {2} * {1} / {3}"  # of which the numbers may be found
OFF_THE_TRUE_CLASS = "{0}[range(len({0})), {1}] -= 1", "{0}[{1}] -= 1"  # of a batch, and of one sample
OTHER_SIGN = {ast.Add: "-=", ast.Sub: "+=", ast.Mult: "/=", ast.Div: "*="}
OTHER_STEPS = (
    (r"range\(1, ", "range("), (r"range\(([^,]+?)\)(?=\)?$)", r"range(1, \1)"),
    (r" - 1\)(?=\)?$)", ")"), (r"(?<=, )0, -1\)$", "-1, -1)"),
)  # fmt: skip
STATEMENTS = ast.Assign | ast.AugAssign | ast.Return | ast.Expr
WRITING = {"open", "save", "savez", "savetxt", "tofile", "dump", "write", "remove", "rmtree", "system", "exec", "eval"}
WITHOUT_END = {"c_", "r_", "s_", "mgrid", "ogrid", "index_exp"}  # of NumPy: to go through one may take for ever


class Place(NamedTuple):
    """A part of a statement, in its `root`, an expression that stands for itself; `put` puts another in its place."""

    part: ast.expr
    put: Callable[[ast.expr], None]
    root: ast.expr | None
    statement: ast.stmt
    is_whole: bool

    def text(self, new: ast.expr) -> str:
        """What is to be read where something new is in its place: the statement, or one of several roots."""
        if self.is_whole or self.root is None:
            return ast.unparse(self.statement)
        return ast.unparse(new if self.part is self.root else self.root)


Kind = Callable[[Place, "Code"], Iterator[tuple[str, ...]]]  # what may stand in a place, as a form and its parts


class Code:
    """A function of the learner's as the tree of its source, which is changed and run in its place."""

    def __init__(self, function: FunctionType) -> None:
        """Raises OSError, TypeError, SyntaxError or ValueError if it has no source that can be changed."""
        lines, self.first = getsourcelines(function)
        (tree,) = ast.parse(dedent("".join(lines))).body
        if not isinstance(tree, ast.FunctionDef) or any(map(_is_left_alone, ast.walk(tree))):
            raise ValueError(f"{function.__name__} is left as it is")
        tree.decorator_list, self.atoms = [], [*dict.fromkeys(_atoms(tree))]
        self.function, self.code, self.tree = function, function.__code__, tree
        self.bodies = [
            body
            for node in ast.walk(tree)
            for field in ("body", "orelse")
            if isinstance(body := getattr(node, field, None), list)
        ]
        names = [each for each in ast.walk(tree) if isinstance(each, ast.Name)]
        unused = {*self.atoms} - {each.id for each in names if not is_written(each)}
        self.paths = [each for each in self.atoms if (each.isidentifier() and each in unused) or A_GRADIENT.match(each)]
        self.values = [each for each in self.atoms if not A_GRADIENT.match(each)]
        self.names = [each for each in self.values if not each[0].isdigit()]
        self.share, self.asks = Fraction(1), False  # how much of a change is to be made, and whether that is asked
        self.found: list[tuple[list[ast.stmt], int, list[Place], Set[str]]] = []
        free = ", ".join(function.__code__.co_freevars)
        self.module = ast.parse(f"def around({free}):\n  def {tree.name}():\n    if False: ({free})")
        (around,) = self.module.body
        tree.body.insert(0, around.body[0].body[0])  # type: ignore[attr-defined]  # so that none of them gets lost
        around.body = [tree]  # type: ignore[attr-defined]

    def put_in_place(self) -> None:
        """Have the tree, as it is now, run where the function is called. Raises ValueError if it is no code."""
        code = compile(self.module, self.code.co_filename, "exec")
        for name in ("around", self.tree.name):
            code = next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name)
        self.function.__code__ = code

    def put_back(self) -> None:
        """Have the function run as it was."""
        self.function.__code__ = self.code

    def places(self, statement: ast.stmt) -> list[Place]:
        """Every part of a statement that can be another."""
        roots = [*_roots(getattr(statement, "value", None))]
        root_of = {id(part): root for root in roots for part in ast.walk(root)}
        targets = [each for each in ast.walk(statement) if isinstance(each, ast.Subscript) and is_written(each)]
        where = {id(part) for target in targets for part in ast.walk(target.slice)}
        in_text = {id(p) for text in ast.walk(statement) if isinstance(text, ast.JoinedStr) for p in ast.walk(text)}
        return [
            Place(part, put, root_of.get(id(part)), statement, len(roots) == 1)
            for part, put in expressions(statement)
            if (id(part) in root_of or id(part) in where) and id(part) not in in_text and not is_written(part)
        ]

    def look(self, affected: Callable[[], Set[str]]) -> None:
        """Find the places that what is wrong hangs on: `affected` names what a change, when it is made, changes of it.

        In a statement of several roots, each has its own; what stands in an index affects what any of them does.
        """
        for body in self.bodies:
            for at, statement in enumerate(body):
                places = self.places(statement) if isinstance(statement, STATEMENTS) else []
                for turned, _, _ in self._other_statements(statement) if isinstance(statement, ast.For) else ():
                    body[at : at + 1] = turned
                    self.found.append((body, at, [], affected()))
                    body[at : at + 1] = [statement]
                by_root: dict[int, Set[str]] = {}
                for place in places:
                    if place.part is place.root:
                        place.put(tree_of(PROBE.format(ast.unparse(place.part))))
                        by_root[id(place.root)] = affected()
                        place.put(place.part)
                all_of_it = frozenset[str]().union(*by_root.values())
                for affects in dict.fromkeys(frozenset(each) for each in by_root.values() if each):
                    here = [each for each in places if by_root.get(id(each.root), all_of_it) == affects]
                    self.found.append((body, at, here, affects))

    def changes(self, kind: Kind | None, is_in_question: Callable[[Set[str]], bool]) -> Iterator[tuple[str, str, int]]:
        """Make each change of a kind in the tree, and take it back: what is new, how and in which line.

        None is for whole statements. `is_in_question` says so of a place by what it affects.
        """
        for body, at, places, affects in self.found:
            statement = body[at]
            if not is_in_question(affects):
                continue
            for new, text, how in self._other_statements(statement) if kind is None else ():
                body[at : at + 1] = new
                try:
                    yield text, how, self._line(statement)
                finally:
                    body[at : at + len(new)] = [statement]
            for place in places:
                for form, *parts in dict.fromkeys(kind(place, self) if kind is not None else ()):
                    self.share, self.asks = Fraction(1), form in (FACTOR, TERM)
                    yield from self._put(place, form, parts)
                    if self.asks and self.share not in (-1, 0, 1):
                        self.asks, factor = False, self.share + 1
                        for sign, size in ("/", 1 / factor), ("*", factor):
                            for name in self.names if form == FACTOR and size > 1 and size.denominator == 1 else ():
                                yield from self._put(place, f"({{0}}) {sign} {{1}}", [parts[0], name])
                        yield from self._put(place, form, parts)

    def _off_the_true_class(self, scores: ast.expr) -> Iterator[str]:
        """1 taken off the scores at what may be labels: names for a batch, `targets[t]` for one sample."""
        for form, labels in product(OFF_THE_TRUE_CLASS, self.atoms):
            if labels.isidentifier() if form == OFF_THE_TRUE_CLASS[0] else "[" in labels:
                yield form.format(ast.unparse(scores), labels)

    def _put(self, place: Place, form: str, parts: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        number = self.share + (form == FACTOR)
        with suppress(ValueError):  # as 6.T
            part = tree_of(_without_ones(form.format(*parts, number.numerator, number.denominator)))
            place.put(part)
            try:
                yield place.text(part), "in", self._line(place.statement)
            finally:
                place.put(place.part)

    def _line(self, statement: ast.stmt) -> int:
        return self.first + statement.lineno - 1

    def _other_statements(self, statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], str, str]]:
        """What may stand in the place of a statement: another sign, one more, or none."""
        match statement:
            case ast.Assign([ast.Name() | ast.Subscript() as target], value):
                for text in (f"{ast.unparse(target)} {sign}= {ast.unparse(value)}" for sign in "+-"):
                    yield ast.parse(text).body, text, "in"
                for text in self._off_the_true_class(target):
                    yield [statement, *ast.parse(text).body], text, "after"
            case ast.AugAssign(target, op, value) if type(op) in OTHER_SIGN:
                text = f"{ast.unparse(target)} {OTHER_SIGN[type(op)]} {ast.unparse(value)}"
                yield ast.parse(text).body, text, "in"
                for text in self._off_the_true_class(target.value if isinstance(target, ast.Subscript) else target):
                    yield ast.parse(text).body, text, "in"
            case ast.For(target, steps, body, []):
                for text in _other_steps(ast.unparse(steps)):
                    turned = ast.copy_location(ast.For(target, tree_of(text), body, []), statement)
                    yield [turned], f"for {ast.unparse(target)} in {text}:", "in"
                return
        match statement:
            case ast.Assign([ast.Subscript(base, ast.Name() as rows)], value) | ast.AugAssign(
                ast.Subscript(base, ast.Name() as rows), _, value
            ):
                text = f"np.add.at({ast.unparse(base)}, {rows.id}, {ast.unparse(value)})"
                yield ast.parse(text).body, text, "in"
        yield ast.parse("pass").body, ast.unparse(statement), "no longer in"


def _other_steps(steps: str) -> Iterator[str]:
    """Other ways through a loop: back to front, or not, and with its first step or without it, or its last."""
    yield steps[len("reversed(") : -1] if steps.startswith("reversed(") else f"reversed({steps})"
    yield from (other for wrong, right in OTHER_STEPS if (other := re.sub(wrong, right, steps)) != steps)


def _is_left_alone(node: ast.AST) -> bool:
    """Whether a function with this in it is left alone: with a change near it, it may never end, or write a file."""
    name = getattr(node, "attr", None) or getattr(node, "id", "")
    return isinstance(node, ast.While | ast.Await | ast.Yield | ast.With | ast.Global) or name in WRITING


def _atoms(tree: ast.AST) -> Iterator[str]:
    """What stands in a function and may stand in another place: names, parts, numbers, short calls."""
    apart = {id(each.func) for each in ast.walk(tree) if isinstance(each, ast.Call)}
    apart |= {id(each) for each in ast.walk(tree) if isinstance(each, ast.Name) and each.id in ("np", "numpy", "math")}
    apart |= {id(each) for each in ast.walk(tree) if isinstance(each, ast.Attribute) and each.attr in WITHOUT_END}
    for part in ast.walk(tree):
        if isinstance(part, ast.arg):
            yield part.arg
        is_one = isinstance(part, ast.Name | ast.Subscript | ast.Attribute | ast.Call) or is_number(part)
        if is_one and id(part) not in apart and len(text := ast.unparse(part)) <= LONGEST:
            yield text


def is_number(part: ast.AST) -> bool:
    return isinstance(part, ast.Constant) and type(part.value) in (int, float)


def _roots(value: ast.expr | None) -> Iterator[ast.expr]:
    """The expressions that stand for themselves in what is written or returned: the parts of tuples, lists and
    dictionaries."""
    match value:
        case ast.Tuple(elements) | ast.List(elements) | ast.Dict(_, elements):
            for each in elements:
                yield from _roots(each)
        case ast.expr() if not isinstance(value, ast.Starred):
            yield value


def _without_ones(text: str) -> str:
    return re.sub(r"(?<![\w.])1 \* | / 1$", "", text).replace("-1 * ", "-").replace("+ -", "- ")
