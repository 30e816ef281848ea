"""One cell of any matrix, worked out: the cells it is computed from, and the sum with the numbers filled in.

The line that computes the matrix is read as Python reads it, and written once more for this one cell: a product `@` and
a sum become their terms, and whatever goes cell by cell stays as it is.
"""

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, product
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import tree_of
from backprop_lab.reading.parts import BINDS, COMPARISONS, Binds, Place, Reader, UnclearError, line_of, typeset
from backprop_lab.reading.slopes import but_for_rounding, cell_at, in_rows, is_slope, place_of, slopes_of, value_of
from backprop_lab.step.number_format import MINUS, plain, typed_number
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
    `indexed` is the cell as it is written in a sum.
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
    indexed: str = ""

    def __str__(self) -> str:
        if not self.symbols:
            return f"{self.indexed} = {self.value} (given)"
        worked = " = ".join((self.indexed, *self.lines))
        return f"{worked} {self.sign} {self.value}{', ' * bool(self.but)}{self.but}"

    @property
    def lines(self) -> list[str]:
        """The sum in symbols and in numbers; what says no more than the value does is left out."""
        return [line for line in (self.symbols, self.numbers) if line and line.strip("()") != self.value]


@np.errstate(all="ignore")
def work_out(trace: Trace, cell: Cell) -> Worked:
    """The sum behind a cell of `trace`, with at most TERMS terms, such as
    `X[0,1]·dY1[0,2] + X[1,1]·dY1[1,2] = (−2.062)(0) + (1.064)(16.4) = 17.45`.

    Raises KeyError if the trace has no such matrix, and IndexError if the matrix has no such cell.
    """
    name, i, j = cell
    least = 8 if trace.role(name) == "new" else 4  # an update may be too small to show in four digits
    exact = float(value_of(trace, name)[i, j])
    value, label = plain(exact, least), indexed(trace, cell)
    if name in trace.given:
        return Worked(cell, "", "", value, (), indexed=label)
    but = ""
    if name in but_for_rounding(trace) and (there := in_rows(trace[name])[i, j]) != exact:
        but = f"except for rounding: {plain(there, 2)}"
    code = line_of(trace, name)
    line, place = tree_of(code), (i, j) if is_slope(name) else place_of(np.shape(trace[name]), i, j)
    rounded = but_for_rounding(trace)
    ways = product([rounded, {}] if rounded else [{}], range(least, MOST_DIGITS + 1))  # `1e-17 > 0` needs it as it is
    first: Worked | None = None
    for shown, digits in ways:
        writing = _Writing(trace, digits, shown)
        try:
            written = writing.part(line, place)
        except UnclearError:  # a mistake's line, or one of a reader's own, may be any expression
            at = ",".join(map(str, place))
            return Worked(cell, f"({code})[{at}]" if at else code, "", value, (), but=but, indexed=label)
        terms = tuple(each.as_term(digits) for each in written.terms)
        around = written.around if terms else ""
        added = _evaluated(around, {"sum": _added([float(typed_number(term.written)) for term in terms])})
        come_to = [(written.comes_to, exact), *[(added, exact)] * bool(terms)]
        sign, sign_of_sum = (_sign(*come_to[at], least) for at in (0, -1))
        sources = tuple(writing.cells)
        worked = Worked(cell, *written[:2], value, sources, terms, around, sign, sign_of_sum, but, label)
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


def _evaluated(text: str, values: Mapping[str, Any]) -> float:
    """What something comes to that is written as in a sum; not a number where it says nothing to Python."""
    try:
        return float(eval(_compiled(text), _FUNCTIONS, values))
    except Exception:  # such as of a function of the reader's own
        return math.nan


@lru_cache(maxsize=1024)
def _compiled(text: str) -> CodeType:
    return compile(text.replace(")(", ")·(").translate(_AS_CODE), "<a sum>", "eval")


_AS_CODE = {ord(MINUS): "-", ord("·"): "*", ord("²"): "**2"}
_FUNCTIONS = {**vars(math), **vars(np), "max": lambda *of: np.max(of), "min": lambda *of: np.min(of)}


MANY: dict[str, Callable[[Sequence[float]], float]] = {
    "max": max, "min": min, "prod": math.prod, "var": np.var, "std": np.std,
}  # fmt: skip


class _Part(NamedTuple):
    """A part of a line for one cell, in symbols and in numbers, how tightly it binds, and what the numbers come to.

    Of a sum, or what is made of one, it has the terms, each with its `value`, and in words what is `around` the sum.
    """

    symbols: str
    numbers: str
    binds: int = Binds.WHOLE
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
        if re.fullmatch(r"\w+(\[[\d,]+\])?", self.symbols):
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


def _joined(template: str, parts: Sequence[_Part], binds: int = Binds.WHOLE) -> _Part:
    """The parts in the places of a template, such as `{} / {}`."""
    symbols, numbers = (template.format(*(part[at] for part in parts)) for at in (0, 1))
    values = {f"v{k}": np.float64(part.comes_to) for k, part in enumerate(parts)}
    return _Part(symbols, numbers, binds, _evaluated(template.format(*values), values))


class _Writing(Reader):
    """What is written of a line, and the cells that it is made of so far; some values are `shown` as others."""

    def __init__(self, trace: Trace, digits: int, shown: Mapping[str, Array]) -> None:
        super().__init__(trace, shown)
        self.cells: dict[Cell, None] = {}
        self._digits = digits

    def part(self, node: ast.expr, place: Place) -> _Part:
        """A part of the line for one cell of what is around it. Raises UnclearError if it cannot be written."""
        op, parts, over = self.made(node, place)
        match op:
            case "cell":
                return self._cell(*parts[0])
            case "number":
                text = typeset(ast.unparse(node))
                binds = Binds.ADDED if isinstance(node, ast.BinOp) else Binds.WHOLE
                return _Part(text, text, binds, float(self.value(node)))
            case "same":
                return self.part(*parts[0])
            case "count":
                count = str(self.value(node))
                return _Part(count, count, comes_to=float(count))
        if over or op == "einsum":  # where nothing is added up, of one term
            return self._of_many(op, parts, over)
        one, *others = inside = [self.part(*each) for each in parts]
        match op:
            case "neg":
                return _joined(MINUS + "{}", [one.within(Binds.NEGATIVE)], Binds.NEGATIVE).kept(one, MINUS + "{}")
            case "+" if any(each.terms and each.around == "sum" for each in inside):
                values = (each._replace(value=float(self.number(*at))) for each, at in zip(inside, parts, strict=True))
                terms = ((each.terms if each.around == "sum" else ()) or (each,) for each in values)
                return self._sum([*chain(*terms)])
            case "**":
                sign = "{}²" if others[0].symbols == "2" else "{} ** {}"
                return _joined(sign, [one.within(Binds.WHOLE), others[0].within(Binds.POWER)], Binds.POWER)
            case "+" | "-" | "*" | "/":
                sign = {"-": f"{{}} {MINUS} {{}}", "*": "{}·{}"}.get(op, f"{{}} {op} {{}}")
                right, scales = others[0].within(BINDS[op] + 1), op in "*/" and not self.shape(parts[1][0])
                found = _joined(sign, [one.within(BINDS[op]), right], BINDS[op])
                return found.kept(one, sign.format("{}", right.numbers)) if scales else found
            case _ if op in COMPARISONS:
                found = _joined(f"{{}} {op} {{}}", [side.within(Binds.ADDED) for side in inside], Binds.COMPARED)
                if op == "==" and found.comes_to != (holds := float(self.number(node, place))):
                    return found._replace(numbers=f"{holds:.0f}", comes_to=holds)  # 0.3333² is not 0.1111
                return found
        template = f"{typeset(op)}({', '.join(['{}'] * len(inside))})"
        return _joined(template, [part.bare() for part in inside])

    def _cell(self, node: ast.expr, place: Place) -> _Part:
        """One number: in parentheses if it is negative."""
        number = plain(self.value(node)[place], self._digits)
        symbol = number
        if isinstance(node, ast.Name):
            symbol = f"{node.id}[{','.join(map(str, place))}]" if place else node.id
            if place:
                self.cells[node.id, *cell_at(np.shape(self.trace[node.id]), place)] = None
        text = f"({number})" if number.startswith(MINUS) else number
        return _Part(symbol, text, comes_to=float(typed_number(number)))

    def _of_many(self, op: str, parts: Sequence[tuple[ast.expr, Place]], over: Mapping[str, int]) -> _Part:
        """What many cells make together: the terms of a product @ or of a sum, or the largest of them."""
        terms = []
        for at in product(*map(range, over.values())):
            here = dict(zip(over, at, strict=True))
            cells = [(node, tuple(here.get(index, index) for index in place)) for node, place in parts]
            term = self._term(cells)
            terms.append(term._replace(value=float(math.prod(self.number(*cell) for cell in cells))))
        if op in MANY:
            listed = _shortened([term.bare() for term in terms])
            written = _joined(f"{op}({', '.join(['{}'] * len(listed))})", listed)
            return written._replace(comes_to=float(MANY[op]([term.comes_to for term in terms])))
        total = self._sum(terms)
        if op != "mean":
            return total
        mean = _joined(f"{{}} / {len(terms)}", [total.within(Binds.MULTIPLIED)], Binds.MULTIPLIED)
        return mean.kept(total, f"{{}} / {len(terms)}")

    def _term(self, cells: Sequence[tuple[ast.expr, Place]]) -> _Part:
        """The product of some cells; or one alone."""
        first, *others = (self.part(*cell) for cell in cells)
        if not others:
            return first
        sides = [first.within(Binds.MULTIPLIED), *(other.within(Binds.NEGATIVE) for other in others)]
        term = _joined("·".join(["{}"] * len(sides)), sides, Binds.MULTIPLIED)
        if all(isinstance(node, ast.Name | ast.Attribute) for node, _ in cells):
            term = term._replace(numbers="".join(f"({side.bare().numbers})" for side in sides))
        return term

    def _sum(self, parts: list[_Part]) -> _Part:
        if len(parts) == 1:
            return parts[0]._replace(terms=tuple(parts))
        terms = [part.within(Binds.ADDED) for part in parts]
        shown = _shortened(terms)
        total = _joined(" + ".join(["{}"] * len(shown)), shown, Binds.ADDED)
        symbols, numbers = (text.replace(f" + {MINUS}", f" {MINUS} ") for text in total[:2])
        return _Part(symbols, numbers, Binds.ADDED, _added([part.comes_to for part in terms]), tuple(terms))


def _shortened(parts: list[_Part]) -> list[_Part]:
    return parts if len(parts) <= TERMS else [*parts[: TERMS - 2], _Part("…", "…"), parts[-1]]


def indexed(trace: Trace, cell: Cell) -> str:
    """A cell as it is written in a sum: a number by its name, and one of a row or of more axes as in code."""
    name, i, j = cell
    place = (i, j) if is_slope(name) else place_of(np.shape(trace[name]), i, j)
    return f"{name}[{','.join(map(str, place))}]" if place else name


def cell_written(trace: Trace, text: Any) -> Cell | None:
    """The cell that is written so, as `indexed` writes it; None if there is none."""
    named = re.fullmatch(r"([^\[\]]+)(?:\[(\d{1,4}(?:, ?\d{1,4})*)\])?", text) if isinstance(text, str) else None
    if named is None or not (named[1] in trace or named[1] in slopes_of(trace)):
        return None
    name, place = named[1], tuple(map(int, named[2].split(","))) if named[2] else ()
    shape = value_of(trace, name).shape if is_slope(name) else np.shape(trace[name])
    is_there = len(place) == len(shape) and all(at < n for at, n in zip(place, shape, strict=True))
    return (name, *cell_at(shape, place)) if is_there else None
