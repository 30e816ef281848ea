"""Lines of NumPy: a part of a network is a class made of them, and the lines of a step become one function.

A line sees the values before it, `np`, `math` and `Fraction`.
"""

import ast
import builtins
import keyword
import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from numbers import Real
from string import Formatter
from types import CodeType
from typing import Any, ClassVar

import numpy as np

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]
Named = tuple[tuple[str, str], ...]  # lines by name, such as (("Y1", "X @ W1 + b1"), ...)
NAMESPACE = {"np": np, "math": math, "Fraction": Fraction}
RESERVED = {*dir(builtins), *keyword.kwlist, "_array", "_keep", "_alone"}
# What makes a value read-only; a call takes longer, and nearly all are arrays of their own.
_KEEPS = "if {0}.__class__ is _array and {0}.base is None: {0}.setflags(False)\nelse: {0} = _keep({0})"


class Part:
    """What a step is made of: a layer, a loss, a penalty or an optimizer, each a class with lines.

    `formulas` has a line of NumPy for each of its results, by the name of that result, in the order in which they are
    shown. In a line `{X}`, `{W}`, `{dY}` ... stand for the names at its place, such as `H1`, `W2`, `dY2`, and anything
    else in braces for a number of its own: an attribute, such as a slope. `learnt` names its parameters.

    A part of your own may say what its lines mean: `title`, `sentence` and `formula`, in LaTeX, each for results by
    name, such as {"Y": "Swish", "dX": "Gradient of Swish"}, or one text for Y, L or new. The card shows them, with the
    names around it for {X}, {dY} and so on; braces of LaTeX are doubled.
    """

    formulas: ClassVar[Mapping[str, str]] = {}
    title: ClassVar[Mapping[str, str] | str] = {}
    sentence: ClassVar[Mapping[str, str] | str] = {}
    formula: ClassVar[Mapping[str, str] | str] = {}
    learnt: ClassVar[tuple[str, ...]] = ()
    _around: ClassVar[tuple[str, ...]] = ()  # what a line may name besides results, parameters and numbers

    @property
    def is_ours(self) -> bool:
        """Whether its class is one of this package's, and no reader's own."""
        return type(self).__module__.startswith("backprop_lab.")

    def own_names(self) -> tuple[str, ...]:
        """The names of its own numbers, in the order in which its lines use them."""
        drawn = ("mask",) if hasattr(self, "drawn") else ()
        return _own_names(tuple(self.formulas.items()), (*self._around, *self.learnt, *drawn))

    def own_numbers(self) -> dict[str, str]:
        """Its own numbers as they stand in its lines; those that it lacks are left out."""
        return {name: literal(getattr(self, name)) for name in self.own_names() if hasattr(self, name)}

    def _results(self, names: tuple[str, ...], given: Mapping[str, Any]) -> list[Any]:
        """Some of its results, from what is given by name. Stacks of it, (S, N, D), give stacks of results."""
        numbers = self.own_numbers()
        own = {field: numbers.get(field, field) for line in self.formulas.values() for field in fields_of(line)}
        lines = tuple((name, line.format_map(own)) for name, line in self.formulas.items())
        return call(lines, names, given, dict.fromkeys(given, 2))


def is_a_line_of_ours(kind: type, result: str, template: str) -> bool:
    """Whether a class has a line from one of this package's classes, which it may derive from."""
    ours = (each for each in kind.__mro__ if each.__module__.startswith("backprop_lab."))
    return any(vars(each).get("formulas", {}).get(result) == template for each in ours)


@lru_cache(maxsize=256)
def _own_names(formulas: Named, known: tuple[str, ...]) -> tuple[str, ...]:
    """The names in the formulas that are no results and nothing known."""
    values = {*known, *(f"d{name}" for name in known), *(result for result, _ in formulas)}
    found = dict.fromkeys(field for _, template in formulas for field in fields_of(template))
    return tuple(field for field in found if field not in values)


@lru_cache(maxsize=1024)
def fields_of(template: str) -> tuple[str, ...]:
    """The names in braces in a template, in order."""
    return tuple(field for _, field, _, _ in Formatter().parse(template) if field)


def call(
    lines: Named,
    results: tuple[str, ...],
    given: Mapping[str, Any],
    dimensions: Mapping[str, int],
    analytic: bool = False,
) -> list[Any]:
    """Some results of lines. What has more dimensions than `dimensions` says is a stack, (S, ...), and so are they.

    Where the lines do not take a stack as they are, they are run for each of its entries. Raises ValueError with the
    line that NumPy refuses. See `function_of`.
    """
    stacked = [name for name, value in given.items() if np.ndim(value) > dimensions[name]]
    alone = function_of(lines, tuple(given), results, analytic=analytic)
    if not stacked:
        return [*alone(*given.values())]
    with suppress(CannotBeStackedError, LineError):  # as where a stack is to be joined to what is none
        known = tuple((name, dimensions[name]) for name in given)
        together = function_of(lines, tuple(given), results, known, analytic=analytic)
        missing = {name: tuple(range(1, 3 - dimensions[name])) for name in stacked}
        return [*together(*(np.expand_dims(v, missing[n]) if missing.get(n) else v for n, v in given.items()))]
    runs = range(max(len(given[name]) for name in stacked))
    each = [alone(*(v[k % len(v)] if n in stacked else v for n, v in given.items())) for k in runs]
    return [np.array(values) for values in zip(*each, strict=True)]


class LineError(ValueError):
    """A line cannot be run. `name` is what it should have given."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


@lru_cache(maxsize=512)
def function_of(
    lines: Named,
    given: tuple[str, ...],
    results: tuple[str, ...],
    dimensions: tuple[tuple[str, int], ...] | None = None,
    keep: bool = False,
    analytic: bool = False,
) -> Function:
    """The lines as one function of what is given, in that order, which returns the results. Made once, and kept.

    Lines that no result needs are left out, and one that uses a later value waits for it. With `keep`, each value is
    made read-only before a line uses it, and all that is given or results is returned by name. With `dimensions`, of
    each value that is given, the function takes stacks: see `_Stacking`. With `analytic`, it takes a complex step: see
    `_Analytic`. What overflows does so without a warning. Raises ValueError if a line is no Python, if it uses a name
    that nothing gives, or if lines wait for each other; its function does so, naming the line, if NumPy refuses one.
    """
    codes = dict(lines)
    ordered = _trees(codes, results, given)
    if analytic:
        ordered = {name: _Analytic().visit(tree) for name, tree in ordered.items()}
    if dimensions is not None:
        known, rewritten = dict(dimensions), {}
        if many := [name for name, axes in known.items() if axes > 2]:
            raise CannotBeStackedError(f"The value {many[0]}, with {known[many[0]]} axes,")
        for name, tree in ordered.items():
            try:
                rewritten[name], known[name] = _Stacking(known).visit(tree)
            except CannotBeStackedError:
                raise CannotBeStackedError(f"The line {name} = {codes[name]}") from None
        ordered = rewritten
    body: list[ast.stmt] = []
    for number, (name, tree) in enumerate(ordered.items(), 1):
        statements: list[ast.stmt] = [ast.Assign([ast.Name(name, ast.Store())], tree)]
        if keep:
            statements += ast.parse(_KEEPS.format(name)).body
        for node in chain(*map(ast.walk, statements)):  # the number of its line tells which one stopped
            vars(node).update(lineno=number, end_lineno=number, col_offset=0, end_col_offset=0)
        body += statements
    ends = [f"_alone({name}, {known[name]})" if dimensions and known[name] < 2 else name for name in results]
    by_name = (f"{name!r}: {name}" for name in (*given, *results))
    returned = f"{{{', '.join(by_name)}}}" if keep else f"[{', '.join(ends)}]"
    made = ast.parse(f"def step({', '.join(given)}):\n    return {returned}")
    function: Any = made.body[0]
    function.body[:0] = body
    scope: dict[str, Any] = {**NAMESPACE, "_keep": read_only, "_array": np.ndarray, "_alone": _without_axes}
    scope |= {f"_analytic_{name}": other for name, other in _OTHERWISE.items()}
    exec(compile(made, "<lines of NumPy>", "exec"), scope)
    run, names = scope["step"], tuple(ordered)

    def step(*values: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                return run(*values)
        except Exception as error:  # whatever NumPy raises, or a function of your own
            at = error.__traceback__ and error.__traceback__.tb_next
            if at is None or not 0 < at.tb_lineno <= len(names):
                raise
            name = names[at.tb_lineno - 1]
            raise LineError(name, f"{name} = {codes[name]} stopped with {type(error).__name__}: {error}") from error

    vars(step)["plain"] = run  # without silence, and without a word on which line it was
    return step


def _trees(codes: Mapping[str, str], results: Iterable[str], given: tuple[str, ...]) -> dict[str, ast.expr]:
    """The lines that some results need, as trees, each after those whose values it uses."""
    known = {*given}
    uses = {name: [each for each in names_in(code) if each not in known] for name, code in codes.items()}
    wanted, trees = needed(uses, results), dict[str, ast.expr]()
    for name in in_order({name: each for name, each in uses.items() if name in wanted}):
        for missing in uses[name]:
            if missing not in trees and missing not in RESERVED and missing not in NAMESPACE:
                raise LineError(
                    name,
                    f"{name} = {codes[name]} uses {missing}, which no line gives; before {name} there are "
                    f"{', '.join((*given, *trees))}, as well as {', '.join(NAMESPACE)}",
                )
        trees[name] = _tree(codes[name])
    return trees


def needed(uses: Mapping[str, Iterable[str]], results: Iterable[str]) -> set[str]:
    """The lines that some results need, these among them; `uses` says what each line uses."""
    found, todo = set[str](), [*results]
    while todo:
        if (name := todo.pop()) in uses and name not in found:
            found.add(name)
            todo.extend(uses[name])
    return found


def in_order(uses: Mapping[str, Iterable[str]]) -> list[str]:
    """Lines by name, each after those that it uses. Raises LineError where some wait for each other."""
    ordered: dict[str, None] = {}

    def add(name: str, waiting: tuple[str, ...]) -> None:
        if name in waiting:
            circle = [each for each in uses if each in waiting[waiting.index(name) :]]
            raise LineError(name, f"the lines for {' and '.join(circle)} wait for each other")
        if name not in ordered:
            for each in uses[name]:
                if each in uses and each != name:
                    add(each, (*waiting, name))
            ordered[name] = None

    for name in uses:
        add(name, ())
    return [*ordered]


@lru_cache(maxsize=1024)
def names_in(code: str) -> tuple[str, ...]:
    """The names that a line takes from outside, in order."""
    nodes = [*ast.walk(_tree(code))]
    own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    places = [(n.lineno, n.col_offset, n.id) for n in nodes if isinstance(n, ast.Name) and n.id not in own]
    return tuple(dict.fromkeys(name for _, _, name in sorted(places)))


def _tree(code: str) -> ast.expr:
    try:
        return ast.parse(code, "<a line of NumPy>", "eval").body
    except SyntaxError as error:
        raise ValueError(f"the line `{code}` is not a Python expression: {error.msg}") from None


def as_term(code: str) -> str:
    """A line as it stands in a sum: in parentheses if it has an operator that binds less than `+`."""
    tree = _tree(code)
    weak = ast.Compare, ast.BoolOp, ast.IfExp, ast.Lambda, ast.NamedExpr
    is_weak = isinstance(tree, weak) or isinstance(getattr(tree, "op", None), ast.Not)
    is_bitwise = isinstance(getattr(tree, "op", None), ast.BitOr | ast.BitXor | ast.BitAnd | ast.LShift | ast.RShift)
    return f"({code})" if is_weak or is_bitwise else code


def called(node: ast.expr) -> tuple[str, list[ast.expr], list[ast.keyword]] | None:
    """The function of NumPy or method of an array that is called here, what it is called on, and its options.

    `np.sum(X, axis=0)` and `X.sum(axis=0)` are the same. None if nothing is called, or something else.
    """
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    name, of = node.func.attr, node.func.value
    if isinstance(of, ast.Name) and of.id in NAMESPACE:
        return (name, node.args, node.keywords) if of.id == "np" else None
    return name, [of, *node.args], node.keywords


def goes_cell_by_cell(name: str, n: int) -> bool:
    """Whether a function of NumPy, called on n things, takes a cell of each, as NumPy broadcasts, to one of its own."""
    function = getattr(np, name, None)
    if isinstance(function, np.ufunc):
        return not function.signature and (function.nin, function.nout) == (n, 1)
    return name in ("where", "clip") and n == 3


def _absolute(x: Any) -> Any:
    return x * np.sign(np.real(x))


def _log_of_sum(x: Any, y: Any) -> Any:
    """log(e^x + e^y) by way of the larger one, so that nothing overflows."""
    is_larger = np.real(x) >= np.real(y)
    return np.where(is_larger, x, y) + np.log1p(np.exp(np.where(is_larger, y - x, x - y)))


def _variance(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    away = x - np.mean(x, axis=axis, keepdims=True)
    return np.mean(away * away, axis=axis, keepdims=keepdims)


_OTHERWISE: dict[str, Function] = {
    "abs": _absolute, "absolute": _absolute, "fabs": _absolute, "sign": lambda x: np.sign(np.real(x)),
    "logaddexp": _log_of_sum, "var": _variance, "std": lambda *given, **options: np.sqrt(_variance(*given, **options)),
}  # fmt: skip


class _Analytic(ast.NodeTransformer):
    """Puts others in place of functions that drop an imaginary part or go another way with it: these keep to the branch
    of the real part, so that a complex step goes through them."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name, arguments, options = called(node) or (getattr(node.func, "id", ""), node.args, node.keywords)
        other = ast.Name(f"_analytic_{name}", ast.Load())
        return ast.Call(other, arguments, options) if name in _OTHERWISE else node


def _without_axes(value: Any, dimensions: int) -> Any:
    """What is one number to a problem, (S, 1, 1), as one for each of the stack, (S,); a row, (S, 1, N), as (S, N)."""
    if np.ndim(value) < 2:
        return value
    return value[..., 0, :] if dimensions else value[..., 0, 0]


class CannotBeStackedError(Exception):
    """A line does something that nobody has said how to do for many problems at once. It says which line."""


_REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std")


class _Stacking:
    """A line rewritten so that it takes a stack of problems, (S, N, D), to what it gives for each of them alone.

    Axes are counted from the end, a length is that of one problem, and a sum over all is one over the last two axes. In
    a stack each value has these two at least: what is one number to a problem is (S, 1, 1), a row of numbers (S, 1, N).
    `dimensions` says how many the values have to one problem. Raises CannotBeStackedError for what is not known here.
    """

    def __init__(self, dimensions: Mapping[str, int]) -> None:
        self.dimensions = dimensions

    def visit(self, node: ast.expr) -> tuple[ast.expr, int]:
        """A part of a line, rewritten, and how many dimensions it has to one problem."""
        match node:
            case ast.Constant() | ast.Attribute(ast.Name("math"), "pi" | "e"):
                return node, 0
            case ast.Name(name) if name in self.dimensions:
                return node, self.dimensions[name]
            case ast.UnaryOp(op, operand):
                of, n = self.visit(operand)
                return ast.UnaryOp(op, of), n
            case ast.BinOp(left, op, right):
                (a, m), (b, n) = self.visit(left), self.visit(right)
                if not isinstance(op, ast.MatMult) or (m, n) == (2, 2):
                    return ast.BinOp(a, op, b), max(m, n)
            case ast.Compare(left, [op], [right]):
                (a, m), (b, n) = self.visit(left), self.visit(right)
                return ast.Compare(a, [op], [b]), max(m, n)
            case ast.Attribute(value, "T" | "mT"):
                of, n = self.visit(value)
                if n == 2:
                    return ast.Attribute(of, "mT", ast.Load()), 2
            case ast.Attribute(value, "size") if self.visit(value)[1] == 2:
                return ast.BinOp(self._length(value, 0)[0], ast.Mult(), self._length(value, 1)[0]), 0
            case ast.Subscript(ast.Attribute(of, "shape"), ast.Constant(0 | 1) as axis):
                return self._length(of, 1 if axis.value else 0)
            case ast.Call(ast.Name("len"), [of]):
                return self._length(of, 0)
            case ast.Call(ast.Attribute(ast.Name("math")) as function, arguments, []):
                if not {*names_in(ast.unparse(node))} - NAMESPACE.keys():  # else it is none of many problems
                    return ast.Call(function, [self.visit(each)[0] for each in arguments], []), 0
            case ast.Call():
                return self._call(*called(node) or ("", [], []))
        raise CannotBeStackedError

    def _length(self, node: ast.expr, axis: int) -> tuple[ast.expr, int]:
        of, n = self.visit(node)
        if axis >= n or n > 2:
            raise CannotBeStackedError
        shape = ast.Attribute(of, "shape", ast.Load())
        return ast.Subscript(shape, ast.Constant(axis - n), ast.Load()), 0

    def _call(self, name: str, arguments: list[ast.expr], options: list[ast.keyword]) -> tuple[ast.expr, int]:
        if name == "array":  # a matrix of its own, which is the same for all
            with suppress(ValueError):
                return ast.Call(_of_numpy(name), arguments, options), np.ndim(ast.literal_eval(arguments[0]))
        if name in _REDUCTIONS and arguments:
            return self._reduced(name, arguments, options)
        if name in ("dot", "matmul"):
            return self.visit(ast.BinOp(arguments[0], ast.MatMult(), arguments[1]))
        if name in ("concatenate", "hstack", "vstack"):
            return self._joined(name, arguments, options)
        if options or not goes_cell_by_cell(name, len(arguments)):
            raise CannotBeStackedError
        parts = [self.visit(argument) for argument in arguments]
        return ast.Call(_of_numpy(name), [part for part, _ in parts], []), max(n for _, n in parts)

    def _reduced(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> tuple[ast.expr, int]:
        options = {each.arg: each.value for each in keywords} | dict(zip(("axis",), arguments[1:], strict=False))
        of, n = self.visit(arguments[0])
        try:
            axis, keepdims = (ast.literal_eval(options.pop(each, ast.Constant(None))) for each in ("axis", "keepdims"))
        except ValueError:
            raise CannotBeStackedError from None
        if options or n > 2 or len(arguments) > 2 or not isinstance(axis, int | None):
            raise CannotBeStackedError
        if n == 0 or (axis is not None and not -n <= axis < n):
            raise CannotBeStackedError
        over: Any = ast.Constant(axis if axis is None or axis < 0 else axis - n)
        if axis is None:
            over = ast.Tuple([ast.Constant(-2), ast.Constant(-1)], ast.Load())
        along = [ast.keyword("axis", over)]
        if n == 2 and axis in (1, -1) and not keepdims:
            turned = ast.Call(_of_numpy(name), [of], along)  # a number a row: together they are a row themselves
            return ast.Call(_of_numpy("expand_dims"), [turned, ast.Constant(-2)], []), 1
        left = n if keepdims else 0 if axis is None else n - 1
        return ast.Call(_of_numpy(name), [of], [*along, ast.keyword("keepdims", ast.Constant(True))]), left

    def _joined(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> tuple[ast.expr, int]:
        axis: Any = {"hstack": 1, "vstack": 0}.get(name, 0)
        given = [each.value for each in keywords if each.arg == "axis"] + arguments[1:]
        axis = given[0].value if given and isinstance(given[0], ast.Constant) else axis
        parts = [self.visit(each) for each in getattr(arguments[0], "elts", [])]
        if not parts or axis not in (0, 1) or {n for _, n in parts} != {2}:
            raise CannotBeStackedError
        joined = ast.List([part for part, _ in parts], ast.Load())
        return ast.Call(_of_numpy("concatenate"), [joined, ast.Constant(axis - 2)], []), 2


def _of_numpy(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load())


def evaluate(code: str, values: Mapping[str, Any]) -> Any:
    """What a line of NumPy gives over values by name, with no warning if it overflows. Raises what NumPy raises."""
    with np.errstate(all="ignore"):
        return eval(compiled(code), {**NAMESPACE, **values})


@lru_cache(maxsize=1024)
def compiled(code: str) -> CodeType:
    """A line of NumPy, ready to run. Raises ValueError if it is not Python."""
    return compile(ast.Expression(_tree(code)), "<a line of NumPy>", "eval")


def literal(value: Any) -> str:
    """A number, or an array of numbers, as source code that gives it back to the last bit."""
    if isinstance(value, np.ndarray):
        text = _with_np(repr(value.tolist()))
        kept = value.dtype in (np.float64, np.int64, np.complex128, object)
        return f"np.array({text})" if kept else f"np.array({text}, dtype=np.{value.dtype.name})"
    if isinstance(value, np.float64 | np.complex128):
        value = value.item()
    if isinstance(value, complex):  # 0 - 1j has another 0 than -1j
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    text = _with_np(repr(value))
    return f"({text})" if text.startswith("-") else text


def _with_np(text: str) -> str:
    return re.sub(r"\b(nan|inf)\b", r"np.\1", text)


def read_only(value: Any) -> Any:
    """`value`, read-only if it is an array: itself, or a copy where someone else could write to it."""
    if isinstance(value, np.ndarray):
        if value.base is not None and value.flags.writeable:
            value = value.copy("K")  # in the same layout, by which a line that adds it up may round
        value.setflags(False)
    return value


def check_whole(name: str, number: Any, least: int, most: int | None = None, such_as: str = "") -> None:
    """Raise ValueError unless `number` is a whole number from `least` to `most`."""
    is_whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if not is_whole or not least <= number <= (most or math.inf):
        wanted = f" from {least} to {most}" if most else f", {least} or more"
        raise ValueError(f"{name} must be a whole number{wanted}{such_as}; got {number!r}")


def check_seed(seed: Any) -> None:
    """Raise ValueError unless seed is a whole number, 0 or more."""
    check_whole("the seed", seed, 0, such_as=", such as 3")


def check_number(name: str, number: Any, below: float = math.inf, such_as: str = "0.1") -> None:
    """Raise ValueError unless `number` is a number from 0 up and below another."""
    is_real = isinstance(number, Real) and not isinstance(number, bool)
    if not is_real or not 0 <= number < below:
        wanted = f" and below {below}" if below < math.inf else ""
        raise ValueError(f"{name} must be a number from 0 up{wanted}, such as {such_as}; got {number!r}")
