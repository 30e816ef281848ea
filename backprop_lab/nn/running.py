"""Lines become one function, for one problem, for stacks of them and for a complex step."""

import ast
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np

from backprop_lab.nn.lines import (
    NAMESPACE,
    RESERVED,
    Named,
    Part,
    called,
    fields_of,
    formulas_of,
    names_in,
    read_only,
    tree_of,
)
from backprop_lab.nn.memory import MEMORY, Operations
from backprop_lab.nn.stacking import CannotBeStackedError, Stacking, ones, picked, products

Function = Callable[..., Any]
NOISE = "_rounding"  # a generator that is given so: each operation is then rounded at random
BUFFER = 1024  # numbers; in a larger one, NumPy lays out what it repeats for each row of a stack, as learning rates are
NOISY = 32 * np.finfo(float).eps  # of a number: how much is added or taken off, as a rule
# What makes a value read-only; a call takes longer, and nearly all are arrays of their own.
_KEEPS = "; {0}.setflags(False) if {0}.__class__ is _array and {0}.base is None else ({0} := _keep({0}))"


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
    known = tuple((name, dimensions[name]) for name in given)
    if together := _of_stacks(lines, tuple(given), results, known, analytic):
        missing = {name: tuple(range(1, 3 - dimensions[name])) for name in stacked}
        with suppress(LineError):  # as where a stack is to be joined to what is none
            return [*together(*(np.expand_dims(v, missing[n]) if missing.get(n) else v for n, v in given.items()))]
    runs = range(max(len(given[name]) for name in stacked))
    each = [alone(*(v[k % len(v)] if n in stacked else v for n, v in given.items())) for k in runs]
    return [np.array(values) for values in zip(*each, strict=True)]


class LineError(ValueError):
    """A line cannot be run. `name` is what it should have given."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


@lru_cache(maxsize=4096)
def function_of(
    lines: Named,
    given: tuple[str, ...],
    results: tuple[str, ...],
    dimensions: tuple[tuple[str, int], ...] | None = None,
    keep: bool = False,
    analytic: bool = False,
    repeated: bool = False,
) -> Function:
    """The lines as one function of what is given, in that order, which returns the results. Made once, and kept.

    Lines that no result needs are left out, and one that uses a later value waits for it. With `keep`, each value is
    made read-only before a line uses it, and all that is given or results is returned by name. With `dimensions`, of
    each value that is given, the function takes stacks: see `Stacking`; if it is `repeated` besides, it is made for
    `Repeated`. With `analytic`, it takes a complex step: see `_Analytic`. With NOISE among what is given, it computes a
    little differently each time. What overflows does so without a warning. Raises ValueError if a line is no Python, if
    it uses a name that nothing gives, or if lines wait for each other; its function does so, naming the line, if NumPy
    refuses one.
    """
    codes, operations = dict(lines), None
    ordered = {name: _on_one_line(codes[name]) for name in _that_are_needed(codes, results, given)}
    if analytic:
        ordered = {name: ast.unparse(_Analytic().visit(tree_of(code))) for name, code in ordered.items()}
    if dimensions is not None:
        known = dict(dimensions)
        if many := [name for name, axes in known.items() if axes > 2]:
            raise CannotBeStackedError(f"The value {many[0]}, with {known[many[0]]} axes,")
        operations = Operations(known) if repeated else None
        for name, code in ordered.items():
            try:
                tree, known[name] = (operations or Stacking(known)).visit(tree_of(code))
            except CannotBeStackedError:
                raise CannotBeStackedError(f"The line {name} = {codes[name]}") from None
            ordered[name] = operations.after(tree, name) if operations else ast.unparse(tree)
    if NOISE in given:
        ordered = {name: ast.unparse(_Noisy().visit(tree_of(code))) for name, code in ordered.items()}
    # Each line of the function is one of these, so that the number of its line tells which one stopped.
    body = [f"    {name} = {code}{_KEEPS.format(name) if keep else ''}" for name, code in ordered.items()]
    ends = [f"_alone({name}, {known[name]})" if dimensions and known[name] < 2 else name for name in results]
    by_name = (f"{name!r}: {name}" for name in (*given, *results))
    returned = f"{{{', '.join(by_name)}}}" if keep else f"[{', '.join(ends)}]"
    if operations:
        operations.end(results)
        given, returned = (*given, MEMORY), f"{returned}, [{', '.join(operations.functions)}]"
    made = "\n".join([f"def step({', '.join(given)}):", *body, f"    return {returned}"])
    scope: dict[str, Any] = {
        **NAMESPACE,
        "_keep": read_only,
        "_array": np.ndarray,
        "_alone": _without_axes,
        "_products": products,
        "_picked": picked,
        "_ones": ones,
        "_noisy": _noisy,
    }
    scope |= {f"_analytic_{name}": other for name, other in _OTHERWISE.items()}
    exec(compile(made, "<lines of NumPy>", "exec"), scope)
    run, names = scope["step"], tuple(ordered)

    def step(*values: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                if operations:
                    np.setbufsize(BUFFER)
                return run(*values)
        except Exception as error:  # whatever NumPy raises, or a function of your own
            at = error.__traceback__ and error.__traceback__.tb_next
            if at is None or not 1 < at.tb_lineno <= len(names) + 1:
                raise
            name = names[at.tb_lineno - 2]
            raise LineError(name, f"{name} = {codes[name]} stopped with {type(error).__name__}: {error}") from error

    # `plain` is without silence, and without a word on which line it was.
    vars(step).update(plain=run, operations=operations)
    return step


@lru_cache(maxsize=4096)
def _of_stacks(
    lines: Named,
    given: tuple[str, ...],
    results: tuple[str, ...],
    dimensions: tuple[tuple[str, int], ...],
    analytic: bool,
) -> Function | None:
    """The lines as one function of stacks, or None where they cannot be that."""
    with suppress(CannotBeStackedError, LineError):
        return function_of(lines, given, results, dimensions, analytic=analytic)
    return None


def _that_are_needed(codes: Mapping[str, str], results: Iterable[str], given: tuple[str, ...]) -> list[str]:
    """The names of the lines that some results need, each after those whose values it uses."""
    known = {*given}
    uses = {name: [each for each in names_in(code) if each not in known] for name, code in codes.items()}
    wanted, found = needed(uses, results), list[str]()
    for name in in_order({name: each for name, each in uses.items() if name in wanted}):
        for missing in uses[name]:
            if missing not in found and missing not in RESERVED and missing not in NAMESPACE:
                raise LineError(
                    name,
                    f"{name} = {codes[name]} uses {missing}, which no line gives; before {name} there are "
                    f"{', '.join((*given, *found))}, as well as {', '.join(NAMESPACE)}",
                )
        found.append(name)
    return found


def _on_one_line(code: str) -> str:
    """A line as it stands, unless it has a line break or a comment in it."""
    return code if code.isprintable() and "#" not in code else ast.unparse(tree_of(code))


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


class _Noisy(ast.NodeTransformer):
    """Has what each operator and each function gives rounded at random."""

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node, ast.BinOp | ast.Call):
            return node
        return ast.Call(ast.Name("_noisy", ast.Load()), [node, ast.Name(NOISE, ast.Load())], [])


def _noisy(value: Any, rng: Any) -> Any:
    """A value with a little more or less in each number, but for those that are exact, as 0, 1 and 0.5 are.

    They are taken to be exact if single precision holds them.
    """
    if getattr(value, "dtype", np.dtype(int)).kind not in "fc":
        return value
    real = np.real(value)
    noise = 1 + NOISY * rng.standard_normal(np.shape(value))
    return np.where(real == np.float32(real), value, value * noise)


def _without_axes(value: Any, dimensions: int) -> Any:
    """What is one number to a problem, (S, 1, 1), as one for each of the stack, (S,); a row, (S, 1, N), as (S, N)."""
    if np.ndim(value) < 2:
        return value
    return value[..., 0, :] if dimensions else value[..., 0, 0]


def results_of(part: Part, names: tuple[str, ...], given: Mapping[str, Any]) -> list[Any]:
    """Some results of a part, from what is given by name. Stacks of it, (S, N, D), give stacks of results."""
    numbers, formulas = part.own_numbers(), formulas_of(part, names)
    own = {field: numbers.get(field, field) for line in formulas.values() for field in fields_of(line)}
    lines = tuple((name, line.format_map(own)) for name, line in formulas.items())
    return call(lines, names, given, dict.fromkeys(given, 2))
