"""A step's line as an equation of matrices.

Axes say what the rows and columns of an operand run along: `i` and `j` are those of the result, `k` is what a product
sums over, `n` and `m` are rows and columns that are summed, and `0` is a single row or column, the same for all.
"""

import ast
from typing import NamedTuple

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import tree_of
from backprop_lab.reading.parts import BINDS, SIGNS, Binds, Made, Place, Reader, UnclearError, typeset
from backprop_lab.reading.slopes import slopes_of, value_of
from backprop_lab.step.number_format import MINUS
from backprop_lab.step.trace import Trace

MOST_OPERANDS = 9  # in one picture
LONGEST_LABEL = 24

_POWERS = {"2": "²", "3": "³"}
_ALONG = {"n": "↓", "m": "→"}


class Operand(NamedTuple):
    """A matrix as it stands in an equation, `transposed` or not; `name` is empty if it is not on the board.

    `value` is as it lies on the board; where the value itself has other axes, these are its `shape`.
    """

    label: str
    name: str
    rows: str
    cols: str
    transposed: bool
    value: Array
    shape: tuple[int, ...] = ()


def equation(trace: Trace, name: str) -> list[str | Operand]:
    """What a step computes, as signs and matrices in order, to the result; `→` stands before it where the line is not
    an equation of few matrices. Raises KeyError if no step computes `name`.
    """
    step = trace.step(name)
    try:
        parts = _Picture(trace).parts(step.code, name)
        operands = [part for part in parts if isinstance(part, Operand)]
        if not 0 < len(operands) <= MOST_OPERANDS or (len(parts) == 1 and not operands[0].name):
            raise UnclearError
        return [*parts, "=", _matrix(trace, name)]
    except UnclearError:
        return listed(trace, name)


def listed(trace: Trace, name: str) -> list[str | Operand]:
    """The matrices that a step's line names, and `→` before its result. Raises KeyError if no step computes `name`."""
    operands, result = trace.step(name).operands, _matrix(trace, name)
    matrices = [_alone(_matrix(trace, each), result) for each in operands]
    first = [part for matrix in matrices[:MOST_OPERANDS] for part in (",", matrix)][1:]
    return [*first, *[", …"] * (len(matrices) > MOST_OPERANDS), "→", result]


def _matrix(trace: Trace, name: str) -> Operand:
    """A matrix of the board, with the axes of the result."""
    return Operand(name, name, "i", "j", False, value_of(trace, name), np.shape(trace[name]))


def _alone(matrix: Operand, result: Operand) -> Operand:
    """The same where it only stands before an arrow: with the axes of the result where it has as many."""
    rows, cols = (one == other for one, other in zip(matrix.value.shape, result.value.shape, strict=True))
    return matrix._replace(rows="i" if rows else "n", cols="j" if cols else "m")


class _Picture(Reader):
    """The lines of a trace as signs and matrices."""

    def parts(self, code: str, name: str) -> list[str | Operand]:
        """The line that computes `name`."""
        for slope_name, slope in slopes_of(self.trace).items():
            before, _, after = code.partition(" * ")
            if slope.shown_with == name and before in self.trace and after in (slope.code, f"({slope.code})"):
                return [
                    _matrix(self.trace, before),
                    "*",
                    Operand(slope.code.replace("np.", ""), slope_name, "i", "j", False, slope.value),
                ]
        node = tree_of(code)
        op, parts, over = self.made(node, ("i", "j"))
        if op == "sum" and len(over) == 1 and self.shape(node):
            inner = _joined(self.read(*parts[0]))
            sign = f"sum {_ALONG[''.join(over)]}"
            return [sign, *inner] if len(inner) == 1 else _joined([f"{sign} (", *inner, ")"])
        return _joined(self.read(node, ("i", "j")))

    def read(self, node: ast.expr, place: Place, within: int = 0) -> list[str | Operand]:
        """The parts of an expression, in brackets where it stands beside a sign that binds more strongly."""
        if isinstance(node, ast.Attribute) and node.attr in ("mT", "T"):
            match self.read(node.value, self.placed(node, place)[::-1]):
                case [Operand(name=name) as matrix] if name in self.trace:
                    return [_turned(matrix)]
            return [self._worked_out(node, place, "")]
        try:
            made = self.made(node, place)
        except UnclearError:
            return [self._worked_out(node, place, "")]
        sign = SIGNS.get(type(getattr(node, "op", None)), "") if made.op == "number" else made.op
        strength = BINDS.get(sign, Binds.WHOLE)
        found = self._inside(node, place, made, strength)
        return ["(", *found, ")"] if strength < within else found

    def _inside(self, node: ast.expr, place: Place, made: Made, strength: int) -> list[str | Operand]:
        op, parts, over = made
        match op:
            case "cell" if isinstance(node, ast.Name) and len(place) < 3:
                return [self._operand(node.id, node.id, place, value_of(self.trace, node.id))]
            case "number":
                return [typeset(ast.unparse(node))]
            case "count":
                return [str(self.value(node))]
            case "@" if "k" in self.placed(node, place):
                raise UnclearError  # a product of a product
            case "+" | "-" | "*" | "/" | "@":
                left, right = self.read(*parts[0], strength), self.read(*parts[1], strength + 1)
                return [*left, op.replace("-", MINUS), *right]
            case "**" if isinstance(power := parts[1][0], ast.Constant):
                sign = str(power.value)
                return [*self.read(*parts[0], strength + 1), _POWERS.get(sign, f"**{sign}")]
            case "neg":
                first, *rest = self.read(*parts[0], strength)
                return [MINUS + first, *rest] if isinstance(first, str) else [MINUS, first, *rest]
            case "sum" | "mean" if not self.shape(node):
                return [f"{op}(", *self.read(*parts[0]), ")"]
            case _ if op == "einsum" or isinstance(getattr(np, op, None), np.ufunc):
                inside = [self.read(*part) for part in parts]
                return [f"{typeset(op)}(", *inside[0], *(part for more in inside[1:] for part in (",", *more)), ")"]
        along = _ALONG.get("".join(over))
        return [self._worked_out(node, place, f"{op} {along} {ast.unparse(parts[0][0])}" if along else "")]

    def _worked_out(self, node: ast.expr, place: Place, label: str) -> Operand:
        """What part of a line gives, such as a mask or the sum of each row, as a matrix with that part as its label."""
        code = ast.unparse(node)
        label = (label or code).replace("np.", "")
        shape = self.shape(node)
        value = self.value(node)
        if len(shape) != 2 or value.dtype.kind not in "biuf" or len(label) > LONGEST_LABEL:
            raise UnclearError
        same = [name for name, slope in slopes_of(self.trace).items() if slope.code == code]
        return self._operand(label, same[0] if same else "", place, value)

    def _operand(self, label: str, name: str, place: Place, value: Array) -> Operand:
        rows, cols = ("0" if n == 1 else str(at) for n, at in zip(value.shape, (0, 0, *place)[-2:], strict=True))
        return Operand(label, name, rows, cols, False, value, np.shape(self.trace[name]) if name in self.trace else ())


def _turned(of: Operand) -> Operand:
    label = of.name if of.transposed else f"{of.name}.mT"
    return Operand(label, of.name, of.cols, of.rows, not of.transposed, of.value.T)


def _joined(parts: list[str | Operand]) -> list[str | Operand]:
    """The parts with the texts that follow each other in one."""
    found: list[str | Operand] = []
    for part in parts:
        if found and isinstance(part, str) and isinstance(found[-1], str):
            found[-1] = f"{found[-1]} {part}" if found[-1][-1] not in "(" and part not in "),²³" else found[-1] + part
        else:
            found.append(part)
    return found
