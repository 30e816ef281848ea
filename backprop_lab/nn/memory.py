"""Lines of stacks as single operations, each done once, which write into memory that is kept from call to call."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from backprop_lab.nn.lines import Array, names_in
from backprop_lab.nn.stacking import Stacking

MEMORY = "_memory"  # that of each operation, by its number
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.USub: "negative",
    ast.Gt: "greater", ast.GtE: "greater_equal", ast.Lt: "less", ast.LtE: "less_equal",
}  # fmt: skip


class Operations(Stacking):
    """Stacking that also takes lines apart: an operation on arrays has a name, and the same is done once only."""

    def __init__(self, dimensions: Mapping[str, int]) -> None:
        super().__init__(dimensions)
        self.functions: dict[str, str] = {}  # of each operation, by name, where it can write into memory; else ""
        self.last: dict[str, float] = {}  # the number of the operation that uses a value last
        self.results: dict[str, str] = {}  # the operations that results are
        self._known: dict[str, str] = {}  # the name of what code gives, where an operation does
        self._before: list[str] = []

    def after(self, tree: ast.expr, name: str) -> str:
        """The code of a line, after the operations that it needs. From then on its name is one of what they give."""
        code, before, self._before = ast.unparse(tree), self._before, []
        if isinstance(tree, ast.Name):
            self._known[name] = code
        self._use(names_in(code), np.inf if isinstance(tree, ast.Attribute | ast.Subscript) else len(self.functions))
        return f"({', '.join([*before, code])})[-1]" if before else code

    def end(self, results: Iterable[str]) -> None:
        """These are what the lines are for, and nobody may write over them."""
        for name in results:
            if self.last.get(self._known.get(name, name), 0) < np.inf:
                self.results[name] = self._known.get(name, name)
        self._use(results, np.inf)

    def _use(self, names: Iterable[str], number: float) -> None:
        """The operation with this number uses these values."""
        for name in names:
            known = self._known.get(name, name)
            self.last[known] = max(number, self.last.get(known, 0))

    def visit(self, node: ast.expr) -> tuple[ast.expr, int]:
        tree, n = super().visit(node)
        code, number = ast.unparse(tree), len(self.functions)
        if code not in self._known and n and isinstance(tree, ast.BinOp | ast.UnaryOp | ast.Compare | ast.Call):
            self._use(names_in(code), number)
            name = self._known[code] = f"_{number}"
            self.functions[name], operands = _function_of(tree)
            given = ", ".join([*map(ast.unparse, operands), f"out={MEMORY}[{number}]"])
            self._before.append(f"{name} := " + (f"{self.functions[name]}({given})" if operands else code))
        return (ast.Name(self._known[code], ast.Load()) if code in self._known else tree), n


def _function_of(tree: ast.expr) -> tuple[str, list[ast.expr]]:
    """The function of NumPy that an operation is, if it can write into memory, and what it takes; else ""."""
    match tree:
        case ast.BinOp(base, ast.Pow(), ast.Constant(2)):
            return "np.square", [base]
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            return f"np.{_OPERATORS[type(op)]}", [left, right]
        case ast.Compare(left, [op], [right]) if type(op) in _OPERATORS:
            return f"np.{_OPERATORS[type(op)]}", [left, right]
        case ast.UnaryOp(ast.USub(), operand):
            return "np.negative", [operand]
        case ast.Call(ast.Name("_products"), operands):
            return "_products", operands
        case ast.Call(ast.Attribute(ast.Name("np"), name), operands, []) if isinstance(getattr(np, name), np.ufunc):
            return f"np.{name}", operands
    return "", []


def _over_given(operations: Operations, replacing: Mapping[str, str]) -> Iterator[int]:
    """The operations that may write over what their results replace, since nobody uses it after them."""
    for number, (name, function) in enumerate(operations.functions.items()):
        replaced = [of for of, new in replacing.items() if operations.results.get(new) == name]
        if replaced and function and all(operations.last.get(of, 0) <= number for of in replaced):
            yield number


class Repeated:
    """A function of stacks that is called again and again with arrays of the same shapes, and keeps its memory.

    An operation writes where a value lies that nobody uses any more: over its own operand too, if it goes cell by cell.
    A result that replaces what is given, as W1_new does W1, writes over that, and is to be given in the next call.
    """

    def __init__(self, run: Callable[..., Any], operations: Operations, replacing: Mapping[str, str]) -> None:
        self._run, self._functions = run, [*operations.functions.values()]
        self._last = [operations.last.get(name, number) for number, name in enumerate(operations.functions)]
        self._over_given = set(_over_given(operations, replacing))
        self._memory: list[Array | None] = [None] * len(self._functions)
        self._kinds: list[Any] | None = []

    def __call__(self, *values: Any) -> Any:
        results, made = self._run(*values, self._memory)
        if self._kinds is not None:  # until two calls have had the same kinds of numbers, and so have all after them
            before, self._kinds = self._kinds, [getattr(value, "dtype", type(value)) for value in values]
            if self._kinds == before:
                self._memory, self._kinds = self._shared(made), None
        return results

    def _shared(self, made: list[Any]) -> list[Array | None]:
        """Where each operation writes, by what it has made in memory of its own; None is such memory each time."""
        memory: list[Array | None] = []
        for number, (function, value, last) in enumerate(zip(self._functions, made, self._last, strict=True)):
            until = number - (function == "_products")  # pragma: no mutate  NumPy would copy an operand first
            busy = {id(each) for each, used in zip(memory, self._last, strict=False) if used > until}
            free = (each for each in memory if each is not None and id(each) not in busy and _alike(each, value))
            kept = function and last < np.inf
            memory.append(next(free, value) if kept else value if number in self._over_given else None)
        return memory


def _alike(one: Array, other: Array) -> bool:
    return (one.shape, one.strides, one.dtype) == (other.shape, other.strides, other.dtype)
