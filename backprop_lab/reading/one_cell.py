"""One cell of any matrix, worked out: the cells it is computed from, and the sum with the numbers filled in.

The line that computes the matrix is read as Python reads it, and written once more for this one cell: a product `@` and
a sum become their terms, and whatever goes cell by cell stays as it is.
"""

import ast
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.reading.slopes import but_for_rounding, is_slope, slope_of, value_of
from backprop_lab.step.number_format import MINUS, plain
from backprop_lab.step.trace import Trace

Cell = tuple[str, int, int]
TERMS = 8  # written out of a sum; a longer one is shortened in the middle
MOST_DIGITS = 17  # more tell nothing of a float
NEAR = 0.01  # as far from the result may be what the numbers shown come to; where terms cancel, that takes more digits


class Term(NamedTuple):
    """One term of a sum: in numbers, such as `−2.062 × 16.4`, or one cell by its name; and what it comes to.

    That is also `written` with as many digits as they have; `sign` is `=` where they give it, and otherwise `≈`.
    """

    text: str
    value: float
    sign: str
    written: str


class Worked(NamedTuple):
    """A cell as a sum: in `symbols` and in `numbers`, its `value` as text, and the `sources` it is computed from.

    `every_term` has them all, however long the sum, and is empty where the cell is no sum; `around` says what is done
    with it, such as `sum / 4`. `sign`, and for the terms `sign_of_sum`, is `=` where the numbers shown, worked out,
    give the value as it is shown, and otherwise `≈`. `but` is said of a 0 that the line gives but for rounding.
    """

    cell: Cell
    symbols: str
    numbers: str
    value: str
    sources: tuple[Cell, ...]
    every_term: tuple[Term, ...] = ()
    around: str = ""
    sign: str = "="
    sign_of_sum: str = "="
    but: str = ""

    def __str__(self) -> str:
        name = indexed(*self.cell)
        if not self.symbols:
            return f"{name} = {self.value} (given)"
        worked = " = ".join(part for part in (name, self.symbols, self.numbers) if part)
        return f"{worked} {self.sign} {self.value}{', ' * bool(self.but)}{self.but}"


@np.errstate(all="ignore")
def work_out(trace: Trace, cell: Cell) -> Worked:
    """The sum behind a cell of `trace`, with at most TERMS terms, such as
    `X[0,1]·dY1[0,2] + X[1,1]·dY1[1,2] = (−2.062)(0) + (1.064)(16.4) = 17.45`.

    Raises KeyError if the trace has no such matrix, and IndexError if the matrix has no such cell.
    """
    name, i, j = cell
    least = 8 if trace.role(name) == "new" else 4  # an update may be too small to show in four digits
    exact = float(value_of(trace, name)[i, j])
    value = plain(exact, least)
    if name in trace.given:
        return Worked(cell, "", "", value, ())
    but = ""
    if name in but_for_rounding(trace) and (there := np.atleast_2d(trace[name])[i, j]) != exact:
        but = f"but for rounding: {plain(there, 2)}"
    code = slope_of(trace, name).code if is_slope(name) else trace.step(name).code
    line = ast.parse(code, mode="eval").body
    rounded = but_for_rounding(trace)
    ways = product([rounded, {}] if rounded else [{}], range(least, MOST_DIGITS + 1))  # `1e-17 > 0` needs it as it is
    first: Worked | None = None
    for shown, digits in ways:
        writing = _Writing(trace, digits, shown)
        try:
            written = writing.part(line, i, j)
        except _NotWrittenError:  # a mistake's line, or one of a reader's own, may be any expression
            axes = 2 if is_slope(name) else np.ndim(trace[name])
            at = ",".join(map(str, (i, j)[2 - axes :]))
            return Worked(cell, f"({code})[{at}]" if at else code, "", value, (), but=but)
        terms = tuple(each.as_term(digits) for each in written.terms)
        around = written.around if terms else ""
        added = _evaluated(around, {"sum": _added([_read(term.written) for term in terms])})
        come_to = [(written.comes_to, exact), *[(added, exact)] * bool(terms)]
        sign, sign_of_sum = (_sign(*come_to[at], least) for at in (0, -1))
        sources = tuple(writing.sources)
        worked = Worked(cell, *written[:2], value, sources, terms, around, sign, sign_of_sum, but)
        if all(_is_near(*each) for each in (*come_to, *((part.comes_to, part.value) for part in written.terms))):
            return worked
        first = first or worked
    assert first is not None
    return first


def _sign(comes_to: float, exact: float, digits: int) -> str:
    """What stands between numbers as they are shown and a result as it is shown: whether they give it."""
    return "=" if plain(comes_to, digits) == plain(exact, digits) else "≈"


def _is_near(comes_to: float, exact: float) -> bool:
    return exact == 0 or not abs(comes_to - exact) > NEAR * abs(exact)  # as where one of them is not a number


def _added(numbers: Sequence[float]) -> float:
    """Their sum; 0 where on paper, in decimals, it is 0."""
    total = float(sum(numbers))
    return total if abs(total) > 1e-14 * max(map(abs, numbers), default=0.0) else 0.0 * total


def _read(text: str) -> float:
    return float(text.replace(MINUS, "-"))


def _evaluated(text: str, values: Mapping[str, Any]) -> float:
    """What something comes to that is written as in a sum; not a number where it says nothing to Python."""
    try:
        return float(eval(_compiled(text), _FUNCTIONS, values))
    except Exception:  # such as of a function of the reader's own
        return math.nan


@lru_cache(maxsize=1024)
def _compiled(text: str) -> CodeType:
    return compile(text.translate(_AS_CODE), "<a sum>", "eval")


_AS_CODE = {ord(MINUS): "-", ord("·"): "*", ord("²"): "**2"}
_FUNCTIONS = {**vars(math), **vars(np), "max": lambda *of: np.max(of), "min": lambda *of: np.min(of)}


def spans(cells: Iterable[Cell]) -> list[tuple[str, int, int, int, int]]:
    """For each matrix the first and last row and column of these cells: those of a sum fill a row, a column or all."""
    found: dict[str, tuple[int, int, int, int]] = {}
    for name, i, j in cells:
        top, bottom, left, right = found.get(name, (i, i, j, j))
        found[name] = (min(top, i), max(bottom, i), min(left, j), max(right, j))
    return [(name, *span) for name, span in found.items()]


class _NotWrittenError(Exception):
    """A line has something in it that cannot be written for one cell."""


COMPARED, ADDED, MULTIPLIED, NEGATIVE, POWER, WHOLE = range(6)  # from what binds least, as in Python
SIGNS: dict[type, tuple[str, int]] = {
    ast.Add: ("{} + {}", ADDED),
    ast.Sub: (f"{{}} {MINUS} {{}}", ADDED),
    ast.Mult: ("{}·{}", MULTIPLIED),
    ast.Div: ("{} / {}", MULTIPLIED),
    ast.Pow: ("{} ** {}", POWER),
}
QUESTIONS: dict[type, str] = {
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
SHORT = {"maximum": "max", "minimum": "min"}


class _Part(NamedTuple):
    """A part of a line for one cell, in symbols and in numbers, how tightly it binds, and what the numbers come to.

    Of a sum, or what is made of one, it has the terms, each with its `value`, and in words what is `around` the sum.
    """

    symbols: str
    numbers: str
    binds: int = WHOLE
    comes_to: float = math.nan
    terms: tuple["_Part", ...] = ()
    value: float = math.nan
    around: str = "sum"

    def within(self, binds: int) -> "_Part":
        """The same as part of something that binds so tightly: in parentheses if it binds less."""
        return self if self.binds >= binds else _joined("({})", [self])._replace(value=self.value)

    def kept(self, of: "_Part", around: str) -> "_Part":
        """The same with the terms of the sum that it is made of."""
        return self._replace(terms=of.terms, around=around.replace("{}", of.around))

    def as_term(self, digits: int) -> Term:
        if re.fullmatch(r"\w+(\[\d+,\d+\])?", self.symbols):
            text = self.symbols
        elif re.fullmatch(r"(\([^()]*\)){2,}", self.numbers):
            text = " × ".join(re.findall(r"\(([^()]*)\)", self.numbers))
        else:
            text = self.numbers.replace("·", " × ")
        return Term(text, self.value, _sign(self.comes_to, self.value, digits), plain(self.value, digits))

    def bare(self) -> "_Part":
        """A negative number without its parentheses; anything else as it is."""
        inner = self.numbers[1:-1]
        is_number = self.numbers.startswith(f"({MINUS}") and not {*inner} & {*"()· /"}
        return self._replace(numbers=inner) if is_number else self


def _joined(template: str, parts: Sequence[_Part], binds: int = WHOLE) -> _Part:
    """The parts in the places of a template, such as `{} / {}`."""
    symbols, numbers = (template.format(*(part[at] for part in parts)) for at in (0, 1))
    values = {f"v{k}": np.float64(part.comes_to) for k, part in enumerate(parts)}
    return _Part(symbols, numbers, binds, _evaluated(template.format(*values), values))


class _Writing:
    """What is written of a line, and the cells that it is made of so far; some values are `shown` as others."""

    def __init__(self, trace: Trace, digits: int, shown: Mapping[str, Array]) -> None:
        self.trace = trace
        self._shown = shown
        self.sources: dict[Cell, None] = {}
        self._digits = digits
        self._shapes: dict[ast.expr, tuple[int, ...]] = {}
        self._values: dict[ast.expr, Any] = {}

    def part(self, node: ast.expr, i: int, j: int) -> _Part:
        """A part of the line for cell [i, j] of what is around it. Raises _NotWrittenError if it has no such cell."""
        shape = self._shape(node)
        if len(shape) not in (0, 2):
            raise _NotWrittenError
        if shape:
            i, j = (at if size > 1 else 0 for at, size in zip((i, j), shape, strict=True))  # as NumPy broadcasts
        match node:
            case ast.Name(name) if name in self.trace:
                return self._cell(name, i, j)
            case ast.Attribute(matrix, "mT" | "T"):
                return self.part(matrix, j, i)
            case _ if not shape and not self._has_cells(node):
                text = _typeset(ast.unparse(node))
                binds = ADDED if isinstance(node, ast.BinOp) else WHOLE
                return _Part(text, text, binds, float(self._value(node)))
            case ast.Call(ast.Attribute(ast.Name("np"), "array")) if not self._has_cells(
                node
            ):  # its own, such as a mask
                number = self._at(node, i, j)
                text = plain(float(number), self._digits)
                return _Part(text, f"({text})" if text.startswith(MINUS) else text, comes_to=_read(text))
            case ast.Attribute(_, "size") | ast.Call(ast.Name("len")) | ast.Subscript(ast.Attribute(_, "shape")):
                count = str(self.trace.evaluate(ast.unparse(node)))
                return _Part(count, count, comes_to=float(count))
            case ast.UnaryOp(ast.USub(), operand):
                inner = self.part(operand, i, j)
                found = _joined(MINUS + "{}", [inner.within(NEGATIVE)], NEGATIVE).kept(inner, MINUS + "{}")
                return found._replace(numbers="0", binds=WHOLE) if inner.numbers == "0" else found
            case ast.Compare(left, [asked], [right]) if type(asked) in QUESTIONS:
                sides = self.part(left, i, j).within(ADDED), self.part(right, i, j).within(ADDED)
                return _joined(f"{{}} {QUESTIONS[type(asked)]} {{}}", sides, COMPARED)
            case ast.BinOp(left, ast.MatMult(), right):
                return self._product(left, right, i, j)
            case ast.BinOp(left, op, right) if type(op) in SIGNS:
                one, other = self.part(left, i, j), self.part(right, i, j)
                if isinstance(op, ast.Add) and one.terms and one.around == "sum":
                    return self._sum([*one.terms, other._replace(value=float(self._at(right, i, j)))])
                found = self._between(*SIGNS[type(op)], one, other)
                scales = isinstance(op, ast.Mult | ast.Div) and not self._shape(right)
                return found.kept(one, SIGNS[type(op)][0].format("{}", other.numbers)) if scales else found
            case ast.Call(ast.Attribute(ast.Name("np"), name), args, keywords):
                return self._call(name, args, keywords, i, j)
            case ast.Call(ast.Attribute(matrix, "sum" | "mean" | "max" | "min" as kind), args, keywords):
                return self._of_many(kind, matrix, args, keywords, i, j)
            case ast.Call(ast.Call(ast.Attribute(ast.Name("np"), "vectorize"), [function]), args, []):
                return self._of_each(ast.unparse(function), args, i, j)
        raise _NotWrittenError

    def _shape(self, node: ast.expr) -> tuple[int, ...]:
        if node not in self._shapes:
            try:
                self._shapes[node] = self._found_shape(node)
            except Exception:  # such as of the arguments in `np.maximum(*(X, 0))`, which are no value alone
                raise _NotWrittenError from None
        return self._shapes[node]

    def _found_shape(self, node: ast.expr) -> tuple[int, ...]:
        """Without computing large products and sums once more."""
        match node:
            case ast.Name(name) if name in self.trace:
                return np.shape(self.trace[name])
            case ast.BinOp(left, ast.MatMult(), right):
                return (*self._shape(left)[:-1], *self._shape(right)[1:])
            case ast.BinOp(left, _, right):
                return np.broadcast_shapes(self._shape(left), self._shape(right))
        return np.shape(self.trace.evaluate(ast.unparse(node)))

    def _has_cells(self, node: ast.expr) -> bool:
        return any(isinstance(part, ast.Name) and part.id in self.trace for part in ast.walk(node))

    def _at(self, node: ast.expr, i: int, j: int) -> Any:
        """The number that a part of the line has at [i, j], as NumPy broadcasts."""
        value = self._value(node)
        return value[min(i, len(value) - 1), min(j, value.shape[1] - 1)] if np.ndim(value) else value

    def _value(self, node: ast.expr) -> Any:
        if node not in self._values:
            self._values[node] = np.asarray(self.trace.evaluate(ast.unparse(node), **self._shown))
        return self._values[node]

    def _cell(self, name: str, i: int, j: int) -> _Part:
        """One number: in parentheses if it is negative."""
        value, symbol = self._shown.get(name, self.trace[name]), name
        if np.ndim(value):
            self.sources[name, i, j] = None
            value, symbol = value[i, j], indexed(name, i, j)
        number = plain(value, self._digits)
        return _Part(symbol, f"({number})" if number.startswith(MINUS) else number, comes_to=_read(number))

    def _between(self, sign: str, binds: int, left: _Part, right: _Part) -> _Part:
        """Two parts with a sign between them."""
        if sign == "{} ** {}":
            return _joined("{}²" if right.symbols == "2" else sign, [left.within(WHOLE), right.within(POWER)], POWER)
        return _joined(sign, [left.within(binds), right.within(binds + 1)], binds)

    def _product(self, left: ast.expr, right: ast.expr, i: int, j: int) -> _Part:
        """The row of one matrix and the column of another, as the sum of their products."""
        if not len(self._shape(left)) == len(self._shape(right)) == 2:
            raise _NotWrittenError
        terms = []
        for k in range(self._shape(left)[1]):
            sides = self.part(left, i, k).within(MULTIPLIED), self.part(right, k, j).within(NEGATIVE)
            term = _joined("{}·{}", sides, MULTIPLIED)
            if all(isinstance(side, ast.Name | ast.Attribute) for side in (left, right)):
                term = term._replace(numbers="".join(f"({side.bare().numbers})" for side in sides))
            value = float(self._at(left, i, k) * self._at(right, k, j))
            terms.append(term._replace(value=value))
        return self._sum(terms)

    def _call(self, name: str, args: list[ast.expr], keywords: list[ast.keyword], i: int, j: int) -> _Part:
        """A function of NumPy that goes cell by cell, or takes many cells."""
        match name, args:
            case "dot" | "matmul", [left, right]:
                return self._product(left, right, i, j)
            case "sum" | "mean" | "max" | "min", [matrix, *others]:
                return self._of_many(name, matrix, others, keywords, i, j)
        function = getattr(np, name, None)
        is_of_each = name in ("where", "clip") or (isinstance(function, np.ufunc) and not function.signature)
        if keywords or not is_of_each:
            raise _NotWrittenError
        return self._of_each(SHORT.get(name, name), args, i, j)

    def _of_each(self, function: str, args: list[ast.expr], i: int, j: int) -> _Part:
        template = f"{_typeset(function)}({', '.join(['{}'] * len(args))})"
        return _joined(template, [self.part(arg, i, j).bare() for arg in args])

    def _of_many(
        self, kind: str, matrix: ast.expr, args: list[ast.expr], keywords: list[ast.keyword], i: int, j: int
    ) -> _Part:
        """A sum, a mean or the largest of a row, a column, or all cells."""
        axes = [ast.unparse(each) for each in (*args, *(word.value for word in keywords if word.arg == "axis"))]
        if len(self._shape(matrix)) != 2 or axes not in ([], ["0"], ["-2"], ["1"], ["-1"]):
            raise _NotWrittenError
        rows, columns = map(range, self._shape(matrix))
        if axes in (["0"], ["-2"]):
            columns = range(j, j + 1)
        elif axes:
            rows = range(i, i + 1)
        cells = [(row, column) for row in rows for column in columns]
        parts = [self.part(matrix, *cell)._replace(value=float(self._at(matrix, *cell))) for cell in cells]
        if kind in ("max", "min"):
            listed = _shortened([part.bare() for part in parts])
            most = max if kind == "max" else min
            written = _joined(f"{kind}({', '.join(['{}'] * len(listed))})", listed)
            return written._replace(comes_to=most(part.comes_to for part in parts))
        total = self._sum(parts)
        if kind == "sum":
            return total
        mean = _joined(f"{{}} / {len(parts)}", [total.within(MULTIPLIED)], MULTIPLIED)
        return mean.kept(total, f"{{}} / {len(parts)}")

    def _sum(self, parts: list[_Part]) -> _Part:
        if len(parts) == 1:
            return parts[0]._replace(terms=tuple(parts))
        terms = [part.within(ADDED) for part in parts]
        shown = _shortened(terms)
        total = _joined(" + ".join(["{}"] * len(shown)), shown, ADDED)
        symbols, numbers = (text.replace(f" + {MINUS}", f" {MINUS} ") for text in total[:2])
        return _Part(symbols, numbers, ADDED, _added([part.comes_to for part in terms]), tuple(terms))


def _shortened(parts: list[_Part]) -> list[_Part]:
    return parts if len(parts) <= TERMS else [*parts[: TERMS - 2], _Part("…", "…"), parts[-1]]


def indexed(name: str, i: int, j: int) -> str:
    """A cell as it is written in a sum."""
    return name if name in ("L", "lr") else f"{name}[{i},{j}]"


def _typeset(code: str) -> str:
    return code.replace("np.", "").replace("math.", "").replace("-", MINUS)
