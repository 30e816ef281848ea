"""One cell of any matrix, worked out: the cells it is computed from, and the sum with the numbers filled in."""

import re
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.number_format import MINUS, plain
from backprop_lab.tracing import Trace
from backprop_lab.ui.values.slopes import is_slope, slope_of, value_of

Cell = tuple[str, int, int]
TERMS = 8  # written out of a sum; a longer one is shortened in the middle


class Term(NamedTuple):
    """One term of a sum, in numbers, such as `−2.062 × 16.4`, and what it comes to."""

    text: str
    value: float


class Worked(NamedTuple):
    """A cell as a sum: in `symbols` and in `numbers`, its `value` as text, and the `sources` it is computed from.

    `every_term` has them all, however long the sum; it is empty where the cell is no sum.
    """

    cell: Cell
    symbols: str
    numbers: str
    value: str
    sources: tuple[Cell, ...]
    every_term: tuple[Term, ...] = ()

    def __str__(self) -> str:
        name = indexed(*self.cell)
        if not self.symbols:
            return f"{name} = {self.value} (given)"
        return " = ".join(part for part in (name, self.symbols, self.numbers, self.value) if part)


def work_out(trace: Trace, cell: Cell, terms: int = TERMS) -> Worked:
    """The sum behind a cell of `trace`, with at most `terms` terms (3 or more), such as
    `X[0,1]·dY1[0,2] + X[1,1]·dY1[1,2] = (−2.06)(0) + (1.06)(16.4) = 17.45`.

    Raises KeyError if the trace has no such matrix, and IndexError if the matrix has no such cell.
    """
    name, i, j = cell
    if is_slope(name):
        slope = slope_of(trace, name)
        symbols, numbers, sources = _cell_by_cell(trace, slope.code, i, j)
        return Worked(cell, symbols, numbers, plain(slope.value[i, j]), sources)
    digits = 8 if name.endswith("_new") else 4  # an update may be too small to show in four digits
    value = plain(value_of(trace, name)[i, j], digits)
    if name in trace.given:
        return Worked(cell, "", "", value, ())
    code = trace.step(name).code
    if product := re.fullmatch(r"(\w+)(\.mT)? @ (\w+)(\.mT)?(?: \+ (\w+))?", code):
        left, left_turned, right, right_turned, bias = product.groups()
        inner = trace[left].shape[0 if left_turned else 1]
        pairs = [
            ((left, k, i) if left_turned else (left, i, k), (right, j, k) if right_turned else (right, k, j))
            for k in range(inner)
        ]
        return _sum(trace, cell, value, pairs + ([((bias, 0, j),)] if bias else []), terms)
    total = re.fullmatch(r"np\.(sum|mean)\(((?:[^()]|\([^()]*\))*)\)", code)
    if total and np.ndim(trace[name]) == 0:
        kind, expression = total.groups()
        return _sum_of_all(trace, cell, value, kind, expression, terms)
    if total := re.fullmatch(r"(\w+)\.sum\(axis=0, keepdims=True\)", code):
        column = total.group(1)
        return _sum(trace, cell, value, [((column, n, j),) for n in range(len(trace[column]))], terms)
    step = trace.step(name)
    shapes = {np.shape(trace[operand]) for operand in step.operands} - {()}
    if shapes != {np.shape(step.value)} or re.search(r"@|\.mT|\.(sum|mean|max|min)\b|\[", code):
        line = f"({code})[{i},{j}]" if np.ndim(step.value) else code
        return Worked(cell, line, "", value, ())  # a mistake's line, or a loss's, may be any expression
    symbols, numbers, sources = _cell_by_cell(trace, code, i, j, digits)
    return Worked(cell, symbols, numbers, value, sources)


def _sum(trace: Trace, cell: Cell, value: str, products: list[tuple[Cell, ...]], terms: int) -> Worked:
    """A sum of products, each given as the cells that are multiplied."""
    symbols = ["·".join(indexed(*factor) for factor in product) for product in products]
    numbers = [_product([_at(trace, factor) for factor in product]) for product in products]
    sources = tuple(factor for product in products for factor in product)
    return Worked(cell, _join(symbols, terms), _join(numbers, terms), value, sources, _evaluated(trace, products))


def _evaluated(trace: Trace, products: list[tuple[Cell, ...]]) -> tuple[Term, ...]:
    """Each product with its value; a term that is one cell has its name, since the number is its value."""
    found = []
    for product in products:
        factors = [_at(trace, factor) for factor in product]
        text = " × ".join(plain(factor, 4) for factor in factors) if len(product) > 1 else indexed(*product[0])
        with np.errstate(all="ignore"):
            found.append(Term(text, float(np.prod(factors))))
    return tuple(found)


def _sum_of_all(trace: Trace, cell: Cell, value: str, kind: str, code: str, terms: int) -> Worked:
    """The loss: the same expression for every entry, summed."""
    rows, cols = trace["y"].shape
    parts = [_cell_by_cell(trace, code, i, j) for i in range(rows) for j in range(cols)]
    symbols, numbers = _join([part[0] for part in parts], terms), _join([part[1] for part in parts], terms)
    if kind == "mean":
        symbols, numbers = (f"({text}) / {len(parts)}" for text in (symbols, numbers))
    values = np.broadcast_to(np.asarray(trace.evaluate(code), dtype=float), (rows, cols)).ravel().tolist()
    texts = (re.sub(r"\((\(−[^()]*)\) ", r"\1 ", part[1]) for part in parts)  # ((−2) − 1)² is (−2 − 1)²
    found = tuple(Term(text, value) for text, value in zip(texts, values, strict=True))
    return Worked(cell, symbols, numbers, value, tuple(source for part in parts for source in part[2]), found)


def _cell_by_cell(trace: Trace, code: str, i: int, j: int, digits: int = 4) -> tuple[str, str, tuple[Cell, ...]]:
    """An expression in which every matrix stands for its entry [i, j]."""
    sources: list[Cell] = []

    def symbol(match: re.Match[str]) -> str:
        name = match.group()
        if name not in trace:
            return name
        if np.ndim(trace[name]) == 0:
            return name
        sources.append((name, i, j))
        return indexed(name, i, j)

    def number(match: re.Match[str]) -> str:
        name = match.group()
        return _product([_at(trace, (name, i, j))], digits) if name in trace else name

    code = re.sub(r"(\w+)\.size", lambda match: str(trace[match.group(1)].size), code)
    code = re.sub(r"len\((\w+)\)", lambda match: str(len(trace[match.group(1)])), code)
    names = re.compile(r"\b[A-Za-z_]\w*")
    symbols, numbers = (_typeset(names.sub(replaced, code)) for replaced in (symbol, number))
    return symbols, numbers, tuple(dict.fromkeys(sources))


def _at(trace: Trace, cell: Cell) -> Any:
    name, i, j = cell
    value = trace[name]
    return value if np.ndim(value) == 0 else np.atleast_2d(value)[i, j]


def indexed(name: str, i: int, j: int) -> str:
    """A cell as it is written in a sum."""
    return name if name in ("L", "lr") else f"{name}[{i},{j}]"


def _typeset(code: str) -> str:
    return (
        code.replace("np.maximum", "max")
        .replace("np.", "")
        .replace(" ** 2", "²")
        .replace("**2", "²")
        .replace(" * ", "·")
        .replace(" - ", f" {MINUS} ")
        .replace("(-", f"({MINUS}")
    )


def _product(factors: list[Any], digits: int = 4) -> str:
    """Factors in parentheses; a single number only if it is negative."""
    if len(factors) == 1 and not factors[0] < 0:
        return plain(factors[0], digits)
    return "".join(f"({plain(factor, digits)})" for factor in factors)


def _join(parts: list[str], terms: int) -> str:
    if len(parts) > terms:
        parts = [*parts[: terms - 2], "…", parts[-1]]
    return " + ".join(parts)
