"""Whether a line of NumPy has a given form, such as `{A} @ {B}`, and what stands in its braces."""

import ast
import copy
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from backprop_lab.nn.lines import tree_of

OPEN = "OPEN_"  # before a name in braces, which stands for any expression
WITH = "with_"
METHODS = ("sum", "mean", "max", "min", "var", "std", "reshape", "dot", "transpose", "swapaxes")


@lru_cache(maxsize=2048)
def parsed(code: str) -> ast.expr:
    """A line, or the form of one, as a tree in which what can be written in two ways is written in one.

    Whoever would change the tree changes a copy.
    """
    tree = ast.parse(re.sub(r"\{(\w+)\}", rf"{OPEN}\1", code), mode="eval").body
    return _OneWay().visit(tree)  # type: ignore[no-any-return]


class _OneWay(ast.NodeTransformer):
    """np.sum(X) as X.sum(), X.T as X.mT, np.square(X) as X ** 2, np.maximum(0, X) as np.maximum(X, 0)."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Attribute(ast.Attribute(of, "mT"), "T" | "mT"):
                return of
        return ast.Attribute(node.value, "mT", node.ctx) if node.attr == "T" else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Attribute(ast.Name("np"), "square"), [X]):
                return ast.BinOp(X, ast.Pow(), ast.Constant(2))
            case ast.Call(ast.Attribute(ast.Name("np"), "maximum"), [ast.Constant(0) as zero, X]):
                return ast.Call(node.func, [X, zero], [])
            case ast.Call(ast.Attribute(ast.Name("np"), name), [X, *others], keywords) if name in METHODS:
                return ast.Call(ast.Attribute(X, name, ast.Load()), others, keywords)
        return node


def fits(form: ast.AST, tree: ast.AST, known: dict[str, ast.expr]) -> bool:
    """Whether a tree has a form; what stands in its braces, the same each time, is put into `known`.

    `{with_up}` stands for something that has in it what `{up}` stands for, and `f(...)` for a call of f with anything.
    """
    if isinstance(form, ast.Name) and form.id.startswith(OPEN):
        name = form.id.removeprefix(OPEN)
        if name in known:
            return ast.dump(known[name]) == ast.dump(tree)
        if name.startswith(WITH):
            inside = known.get(name.removeprefix(WITH))
            if inside is None or ast.dump(inside) not in map(ast.dump, ast.walk(tree)):
                return False
        known[name] = tree  # type: ignore[assignment]
        return True
    if type(form) is not type(tree):
        return False
    if _is_of_anything(form):
        known["..."] = tree  # type: ignore[assignment]
        return fits(form.func, tree.func, known)  # type: ignore[attr-defined]
    if isinstance(form, ast.Constant):
        return bool(form.value == tree.value)  # type: ignore[attr-defined]
    for field in form._fields:
        if field in ("ctx", "kind"):
            continue
        one, other = getattr(form, field), getattr(tree, field)
        pairs = [*zip(one, other, strict=False)] if isinstance(one, list) else [(one, other)]
        if isinstance(one, list) and len(one) != len(other):
            return False
        for a, b in pairs:
            if not (fits(a, b, known) if isinstance(a, ast.AST) and isinstance(b, ast.AST) else a == b):
                return False
    return True


def _is_of_anything(form: ast.AST) -> bool:
    """Whether this is f(...), a call whatever it is of."""
    match form:
        case ast.Call(_, [ast.Constant(value)], []) if value is ...:
            return True
    return False


def of_form(code: str, form: str) -> dict[str, str] | None:
    """What stands in the braces of a form, as code, if a whole line has it, numbers as they are written; else None."""
    known: dict[str, ast.expr] = {}
    if not fits(parsed(form), parsed(code), known):
        return None

    def written(part: ast.expr) -> str:
        number = part.operand if isinstance(part, ast.UnaryOp) else part
        return (isinstance(number, ast.Constant) and ast.get_source_segment(code, part)) or ast.unparse(part)

    return {name: written(part) for name, part in known.items()}


def replaced(code: str, form: str, other: str, known: Mapping[str, str], among: str = "") -> Iterator[str]:
    """The line with one part that has a form written otherwise, for each such part, from the outside in.

    `known` says what some braces stand for, as code. With "terms", only sums are looked at of which the line consists
    as a whole; with "whole", only all of it. Raises KeyError where the other form needs what is not known.
    """
    shape, new, given = parsed(form), parsed(other), {name: parsed(each) for name, each in known.items()}
    if not any(fits(shape, part, {**given}) for part in ast.walk(parsed(code))):
        return  # before anything is copied
    tree = ast.Expression(copy.deepcopy(parsed(code)))
    parts: dict[str, list[ast.AST]] = {"terms": _sums(tree.body), "whole": [tree.body], "": [*ast.walk(tree)]}
    places = {*map(id, parts[among])}
    for part, put in expressions(tree):
        found = {**given}
        if id(part) in places and fits(shape, part, found):
            put(_Filled(found).visit(copy.deepcopy(new)))
            yield ast.unparse(tree).replace(" ** ", "**").replace("e-0", "e-")  # as derived lines are written
            put(part)


def expressions(tree: ast.AST) -> Iterator[tuple[ast.expr, Callable[[ast.expr], None]]]:
    """Every expression in a tree, from the outside in, and what puts another in its place."""
    for field, value in ast.iter_fields(tree):
        is_list = isinstance(value, list)
        for at, child in enumerate(value if is_list else [value]):
            if isinstance(child, ast.expr):
                yield child, partial(value.__setitem__, at) if is_list else partial(setattr, tree, field)
            if isinstance(child, ast.AST):
                yield from expressions(child)


def with_others(line: ast.expr, others: Mapping[str, str]) -> str:
    """The code of an expression with others in the place of some of its parts, by their code, wherever it is read."""
    line = copy.deepcopy(line)
    read = (each for each in ast.walk(line) if isinstance(each, ast.expr) and not is_written(each))
    parts = ((part, ast.unparse(part)) for part in read)
    swapped = Swapped({id(part): tree_of(others[code]) for part, code in parts if code in others})
    return ast.unparse(swapped.visit(line))


def untransposed(part: ast.expr) -> ast.expr:
    return part.value if isinstance(part, ast.Attribute) and part.attr in ("mT", "T") else part


def is_written(part: ast.AST) -> bool:
    """Whether it gets a value where it stands, as what a comprehension counts with."""
    return isinstance(getattr(part, "ctx", None), ast.Store)


class Swapped(ast.NodeTransformer):
    """Puts others in the places of parts of a line, which are known by their id."""

    def __init__(self, others: Mapping[int, ast.AST]) -> None:
        self.others = others

    def visit(self, node: ast.AST) -> Any:
        return self.others[id(node)] if id(node) in self.others else super().visit(node)


def terms_of_sum(line: ast.expr) -> tuple[list[ast.expr], list[str]]:
    """The terms of a sum, and the signs between them."""
    terms, signs = list[ast.expr](), list[str]()
    while isinstance(line, ast.BinOp) and isinstance(line.op, ast.Add | ast.Sub):
        terms, signs = [line.right, *terms], ["+" if isinstance(line.op, ast.Add) else "-", *signs]
        line = line.left
    return [line, *terms], signs


def with_what_is_summed(line: ast.expr) -> Iterator[ast.expr]:
    """A line, and what it adds up along an axis or divides, and what that does, as far as it goes."""
    yield line
    match line:
        case ast.Call(ast.Attribute(of, "sum")) | ast.BinOp(of, ast.Div()):
            yield from with_what_is_summed(of)


def _sums(line: ast.expr) -> list[ast.AST]:
    """The sums that a line is made of as a whole, also if all is added up along an axis, or divided, once more."""
    *_, tree = with_what_is_summed(line)
    match tree:
        case ast.BinOp(left, ast.Add() | ast.Sub(), right):
            return [tree, *_sums(left), *_sums(right)]
    return []


class _Filled(ast.NodeTransformer):
    """Puts what was found in braces back into another form. A brace that stands for nothing raises KeyError."""

    def __init__(self, found: Mapping[str, ast.expr]) -> None:
        self.found = found

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self.found[node.id.removeprefix(OPEN)]) if node.id.startswith(OPEN) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_of_anything = _is_of_anything(node)
        self.generic_visit(node)
        if is_of_anything:
            call = copy.deepcopy(self.found["..."])
            node.args, node.keywords = call.args, call.keywords  # type: ignore[attr-defined]
        return node
