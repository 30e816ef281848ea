"""A step's line as an equation of matrices, and the cells that each cell of its result is made of.

Axes say what the rows and columns of an operand run along: `i` and `j` are those of the result, `k` is what a product
sums over, `n` and `m` are rows and columns that are summed, and `0` is a single row or column, the same for all.
"""

import ast
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.reading.slopes import is_slope, slope_of, slopes_of, value_of
from backprop_lab.step.number_format import MINUS, plain
from backprop_lab.step.trace import Trace

Source = tuple[str, str, str]  # a matrix, and its rows and columns: i, j, all of them (*), or the only one (0)
MOST_OPERANDS = 5  # in one picture
LONGEST_LABEL = 24

_SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: MINUS, ast.Mult: "*", ast.Div: "/", ast.MatMult: "@"}
_STRENGTH: dict[Any, int] = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2, ast.MatMult: 2, ast.USub: 3, ast.Pow: 4}
_REDUCTIONS = {"sum", "mean", "max", "min", "prod"}
_PRODUCTS = {"dot", "matmul"}
_CELL_BY_CELL = {"where", "clip"}  # besides the ufuncs
_POWERS = {"2": "²", "3": "³"}


class Operand(NamedTuple):
    """A matrix as it stands in an equation, `transposed` or not; `name` is empty if it is not on the board."""

    label: str
    name: str
    rows: str
    cols: str
    transposed: bool
    value: Array


class _UnclearError(Exception):
    """The line is another expression than those that are known here."""


def equation(trace: Trace, name: str) -> list[str | Operand]:
    """What a step computes, as signs and matrices in order, to the result; `→` stands before it where the line is not
    an equation of few matrices. Raises KeyError if no step computes `name`.
    """
    step = trace.step(name)
    result = Operand(name, name, "i", "j", False, value_of(trace, name))
    try:
        parts = _Reader(trace).parts(step.code, name)
        operands = [part for part in parts if isinstance(part, Operand)]
        if not 0 < len(operands) <= MOST_OPERANDS or (len(parts) == 1 and not operands[0].name):
            raise _UnclearError
        return [*parts, "=", result]
    except (_UnclearError, SyntaxError):
        return listed(trace, name)


def listed(trace: Trace, name: str) -> list[str | Operand]:
    """The matrices that a step's line names, and `→` before its result. Raises KeyError if no step computes `name`."""
    step = trace.step(name)
    result = Operand(name, name, "i", "j", False, value_of(trace, name))
    matrices = [Operand(n, n, *_alone(n, trace, result.value), False, value_of(trace, n)) for n in step.operands]
    operands = [part for matrix in matrices[:MOST_OPERANDS] for part in (",", matrix)][1:]
    return [*operands, *[", …"] * (len(matrices) > MOST_OPERANDS), "→", result]


def rules(trace: Trace) -> dict[str, list[Source]]:
    """What cell [i, j] of each computed matrix or slope is made of, as (matrix, rows, columns), if its line says so.

    `("X", "*", "i"), ("dY1", "*", "j")` are column i of X and column j of dY1.
    """
    found = {}
    for name in [*(step.name for step in trace.steps), *slopes_of(trace)]:
        code = slope_of(trace, name).code if is_slope(name) else trace.step(name).code
        try:
            sources = dict.fromkeys(_Reader(trace).sources(ast.parse(code, mode="eval").body, "i", "j"))
        except _UnclearError:
            continue
        found[name] = [each for each in sources if not any(_within(each, other) for other in sources)]
    return found


def _within(one: Source, other: Source) -> bool:
    """Whether all cells of one are among those of another."""
    return one != other and one[0] == other[0] and all(b in (a, "*") for a, b in zip(one[1:], other[1:], strict=True))


def _alone(name: str, trace: Trace, result: Array) -> tuple[str, str]:
    """The axes of a matrix that only stands before an arrow: those of the result where it has as many."""
    rows, cols = value_of(trace, name).shape
    return "i" if rows == result.shape[0] else "n", "j" if cols == result.shape[1] else "m"


class _Reader:
    """Reads the lines of one trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def value(self, node: ast.expr) -> Any:
        try:
            return self.trace.evaluate(ast.unparse(node))
        except Exception:  # such as of the arguments in `np.maximum(*(X, 0))`, which are no value alone
            raise _UnclearError from None

    def matrix(self, node: ast.expr) -> tuple[str, bool] | None:
        """The name of a matrix or number and whether it is transposed, if the node is no more than that."""
        if isinstance(node, ast.Attribute) and node.attr in ("mT", "T") and (inner := self.matrix(node.value)):
            return inner[0], not inner[1]
        return (node.id, False) if isinstance(node, ast.Name) and node.id in self.trace else None

    def constant(self, node: ast.expr) -> str | None:
        """A number that stands in the line, or how many of something there are."""
        if isinstance(node, ast.Constant) or (isinstance(node, ast.Attribute) and node.attr == "size"):
            return str(self.value(node))
        if not any(isinstance(part, ast.Name) and part.id in self.trace for part in ast.walk(node)):
            number = self.value(node)  # such as of math.sqrt(2 / math.pi)
            return plain(number, 7) if isinstance(number, float) else None
        is_count = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"
        return str(self.value(node)) if is_count else None

    def called(self, node: ast.expr) -> tuple[str, list[ast.expr], dict[str, Any]] | None:
        """The function of NumPy or method of an array that is called, with what it is called on, and its options."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            return None
        options = {word.arg: self.value(word.value) for word in node.keywords if word.arg}
        of = node.func.value
        if isinstance(of, ast.Name) and of.id == "np":
            return node.func.attr, node.args, options
        return node.func.attr, [of, *node.args], options

    def is_product(self, called: tuple[str, list[ast.expr], dict[str, Any]]) -> bool:
        """Whether it is `dot` or `matmul` of two matrices; of a number and a matrix, `dot` goes cell by cell."""
        function, arguments, _ = called
        return function in _PRODUCTS and [np.ndim(self.value(argument)) for argument in arguments] == [2, 2]

    # Which cells

    def sources(self, node: ast.expr, rows: str, cols: str) -> list[Source]:
        if matrix := self.matrix(node):
            name, transposed = matrix
            shape = np.shape(self.trace[name])
            if not shape:
                return []
            found = (cols, rows) if transposed else (rows, cols)
            across = tuple("0" if n == 1 else axis for n, axis in zip((1, *shape)[-2:], found, strict=True))
            return [(name, across[0], across[1])]
        if self.constant(node) is not None:
            return []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            return self.sources(node.left, rows, "*") + self.sources(node.right, "*", cols)
        if isinstance(node, ast.BinOp):
            return self.sources(node.left, rows, cols) + self.sources(node.right, rows, cols)
        if isinstance(node, ast.UnaryOp):
            return self.sources(node.operand, rows, cols)
        if isinstance(node, ast.Compare):
            return [each for side in (node.left, *node.comparators) for each in self.sources(side, rows, cols)]
        if not (called := self.called(node)):
            raise _UnclearError
        function, arguments, options = called
        if self.is_product(called):
            return self.sources(arguments[0], rows, "*") + self.sources(arguments[1], "*", cols)
        if function in _REDUCTIONS and len(arguments) == 1:
            axis = options.get("axis")
            if axis is None:
                rows = cols = "*"
            elif options.get("keepdims"):
                rows, cols = ("*", cols) if axis in (0, -2) else (rows, "*")
            else:
                raise _UnclearError
        elif function not in _CELL_BY_CELL and (
            function in _PRODUCTS or not isinstance(getattr(np, function, None), np.ufunc)
        ):
            raise _UnclearError
        return [each for argument in arguments for each in self.sources(argument, rows, cols)]

    # As a picture

    def parts(self, code: str, name: str) -> list[str | Operand]:
        """The line that computes `name`."""
        for slope_name, slope in slopes_of(self.trace).items():
            before, _, after = code.partition(" * ")
            if slope.shown_with == name and before in self.trace and after in (slope.code, f"({slope.code})"):
                left = Operand(before, before, "i", "j", False, value_of(self.trace, before))
                return [left, "*", Operand(slope.code.replace("np.", ""), slope_name, "i", "j", False, slope.value)]
        node = ast.parse(code, mode="eval").body
        if (called := self.called(node)) and called[0] == "sum" and called[2].get("axis") is not None:
            _, arguments, options = called
            down = options["axis"] in (0, -2)
            inner = _joined(self.read(arguments[0], *(("n", "j") if down else ("i", "m"))))
            sign = "sum ↓" if down else "sum →"
            return [sign, *inner] if len(inner) == 1 else _joined([f"{sign} (", *inner, ")"])
        return _joined(self.read(node, "i", "j"))

    def read(self, node: ast.expr, rows: str, cols: str, within: int = 0) -> list[str | Operand]:
        """The parts of an expression, in brackets where it stands beside a sign that binds more strongly."""
        if matrix := self.matrix(node):
            name, transposed = matrix
            value = value_of(self.trace, name)
            label = f"{name}.mT" if transposed else name
            return [self._operand(label, name, rows, cols, value.T if transposed else value, transposed)]
        if (constant := self.constant(node)) is not None:
            return [constant]
        strength = _STRENGTH.get(type(getattr(node, "op", None)), 5)
        found = self._inside(node, rows, cols, strength)
        return ["(", *found, ")"] if strength < within else found

    def _inside(self, node: ast.expr, rows: str, cols: str, strength: int) -> list[str | Operand]:
        called = self.called(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            return self._product(node.left, node.right, rows, cols)
        if called and self.is_product(called):
            return self._product(called[1][0], called[1][1], rows, cols)
        if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            left, right = self.read(node.left, rows, cols, strength), self.read(node.right, rows, cols, strength + 1)
            return [*left, _SIGNS[type(node.op)], *right]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
            power = str(node.right.value)
            return [*self.read(node.left, rows, cols, strength + 1), _POWERS.get(power, f"**{power}")]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            first, *rest = self.read(node.operand, rows, cols, strength)
            return [MINUS + first, *rest] if isinstance(first, str) else [MINUS, first, *rest]
        if called:
            function, arguments, options = called
            if function in ("sum", "mean") and len(arguments) == 1 and not options:
                return [f"{function}(", *self.read(arguments[0], "n", "m"), ")"]
            if isinstance(getattr(np, function, None), np.ufunc) and not options:
                inside = [self.read(argument, rows, cols) for argument in arguments]
                short = {"maximum": "max", "minimum": "min"}.get(function, function)
                return [f"{short}(", *inside[0], *(part for more in inside[1:] for part in (",", *more)), ")"]
        return [self._worked_out(node, rows, cols)]

    def _product(self, left: ast.expr, right: ast.expr, rows: str, cols: str) -> list[str | Operand]:
        if "k" in (rows, cols):
            raise _UnclearError  # a product of a product
        strength = _STRENGTH[ast.MatMult]
        return [*self.read(left, rows, "k", strength), "@", *self.read(right, "k", cols, strength + 1)]

    def _worked_out(self, node: ast.expr, rows: str, cols: str) -> Operand:
        """What part of a line gives, such as a mask or the sum of each row, as a matrix with that part as its label."""
        label = ast.unparse(node).replace("np.", "")
        if (called := self.called(node)) and called[0] in _REDUCTIONS and len(called[1]) == 1:
            label = ast.unparse(called[1][0]).replace("np.", "")
            label = f"{called[0]} {'↓' if called[2].get('axis') in (0, -2) else '→'} {label}"
        value = np.asarray(self.value(node))
        if value.ndim != 2 or value.dtype.kind not in "biuf" or len(label) > LONGEST_LABEL:
            raise _UnclearError
        same = [name for name, slope in slopes_of(self.trace).items() if slope.code == ast.unparse(node)]
        return self._operand(label, same[0] if same else "", rows, cols, value, False)

    def _operand(self, label: str, name: str, rows: str, cols: str, value: Array, transposed: bool) -> Operand:
        axes = ["0" if n == 1 and axis != "k" else axis for n, axis in zip(value.shape, (rows, cols), strict=True)]
        return Operand(label, name, axes[0], axes[1], transposed, value)


def _joined(parts: list[str | Operand]) -> list[str | Operand]:
    """The parts with the texts that follow each other in one."""
    found: list[str | Operand] = []
    for part in parts:
        if found and isinstance(part, str) and isinstance(found[-1], str):
            found[-1] = f"{found[-1]} {part}" if found[-1][-1] not in "(" and part not in "),²³" else found[-1] + part
        else:
            found.append(part)
    return found
