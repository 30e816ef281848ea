"""Lines of NumPy, as text and as trees: a part of a network is a class made of them.

A line sees the values before it, `np`, `math` and `Fraction`.
"""

import ast
import builtins
import keyword
import math
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from inspect import CO_VARARGS, CO_VARKEYWORDS
from numbers import Real
from types import CodeType
from typing import Any, ClassVar, Self

import numpy as np

Array = np.ndarray[Any, Any]
Named = tuple[tuple[str, str], ...]  # lines by name, such as (("Y1", "X @ W1 + b1"), ...)
IN_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def _fraction(*numbers: Any) -> Any:
    """A number without rounding: `fractions`, which loads `decimal`, waits for the first line that needs one."""
    from fractions import Fraction

    return Fraction(*numbers)


NAMESPACE = {"np": np, "math": math, "Fraction": _fraction}
RESERVED = {*dir(builtins), *keyword.kwlist}


class _Made:
    """Says what a part takes, where it is given something else. `Part` comes before it, whose signature is its own."""

    _around: ClassVar[tuple[str, ...]] = ()  # what a line may name besides results, parameters and numbers

    def __new__(cls, *given: Any, **named: Any) -> Self:
        if misfit := _misfit(cls, given, named):
            raise TypeError(f"{cls.__name__} {misfit}")
        return super().__new__(cls)


class Part(_Made):
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

    def __init__(self) -> None:
        """A part without numbers takes none."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.learnt and name in vars(self):
            raise AttributeError(
                f"{name} of {self!r} is read-only: a network with other numbers is made by network.with_parameters("
                "parameters), a problem by problem.evolve(parameters={'W1': ...})"
            )
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        """Whether both are of one class and have nothing of their own; a dataclass compares its fields."""
        return self is other or (type(self) is type(other) and not vars(self) and not vars(other))

    def __hash__(self) -> int:
        return object.__hash__(self if vars(self) else type(self))

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


def _misfit(kind: type[_Made], given: tuple[Any, ...], named: Mapping[str, Any]) -> str:
    """Why a part cannot be made of these, and what it takes; "" if it can, and for none at all, as in a copy."""
    init: Any = kind.__init__
    code, places = init.__code__, init.__code__.co_argcount
    takes = code.co_varnames[1 : places + code.co_kwonlyargcount]
    if code.co_flags & (CO_VARARGS | CO_VARKEYWORDS) or not (given or named):
        return ""
    known = f"takes {', '.join(takes) or 'nothing'}" + " by name" * (places == 1 and len(takes) > 0)
    alien, too_many = [name for name in named if name not in takes], len(given) >= places
    if alien or too_many:
        meant = "lr" in kind._around and (too_many or {"lr", "learning_rate", "eta"} & {*alien})
        rate = ": the learning rate is the problem's, as in problem.evolve(lr=0.1)" if meant else ""
        return f"{known}; got {', '.join(alien or map(repr, given))}{rate}"
    needed = takes[len(given) : places - 1 - len(init.__defaults__ or ())]
    missing = [name for name in needed if name not in named]
    return f"{known}; {', '.join(missing)} is missing" if missing else ""


def formulas_of(part: Part, results: tuple[str, ...]) -> Mapping[str, str]:
    """The formulas of a part. Raises ValueError if there is none for one of these results."""
    if missing := [result for result in results if result not in part.formulas]:
        raise ValueError(
            f"{part!r} has no line for {', '.join(missing)}: its formulas need one for each of {', '.join(results)}"
        )
    return part.formulas


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
    return tuple(field for field in IN_BRACES.findall(template) if field)


@lru_cache(maxsize=4096)
def names_in(code: str) -> tuple[str, ...]:
    """The names that a line takes from outside, in order."""
    nodes = [*ast.walk(tree_of(code))]
    own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    places = [(n.lineno, n.col_offset, n.id) for n in nodes if isinstance(n, ast.Name) and n.id not in own]
    return tuple(dict.fromkeys(name for _, _, name in sorted(places)))


def tree_of(code: str) -> ast.expr:
    try:
        return ast.parse(code, "<a line of NumPy>", "eval").body
    except SyntaxError as error:
        raise ValueError(f"the line `{code}` is not a Python expression: {error.msg}") from None


def as_term(code: str) -> str:
    """A line as it stands in a sum: in parentheses if it has an operator that binds less than `+`."""
    tree = tree_of(code)
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


def evaluate(code: str, values: Mapping[str, Any]) -> Any:
    """What a line of NumPy gives over values by name, with no warning if it overflows. Raises what NumPy raises."""
    with np.errstate(all="ignore"):
        return eval(compiled(code), {**NAMESPACE, **values})


@lru_cache(maxsize=1024)
def compiled(code: str) -> CodeType:
    """A line of NumPy, ready to run. Raises ValueError if it is not Python."""
    return compile(ast.Expression(tree_of(code)), "<a line of NumPy>", "eval")


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


def check_learning_rate(lr: Any) -> None:
    """Raise ValueError unless lr is a positive, finite number."""
    if type(lr) is float and 0 < lr < math.inf:
        return
    number: Any = lr.item() if isinstance(lr, np.generic) else lr  # a float32 would overflow in the comparison
    is_real = isinstance(number, Real) and not isinstance(number, bool)
    if not is_real or not 0 < number <= sys.float_info.max:
        why = ""
        if isinstance(lr, str) and "," in lr:
            why = ", which needs a point in place of the comma"
        elif type(number).__name__ == "Decimal" or (isinstance(lr, np.ndarray) and lr.size == 1):
            why = f", {'an array' if isinstance(lr, np.ndarray) else 'a Decimal'}: float(lr) makes a plain number of it"
        raise ValueError(f"the learning rate must be a positive, finite number such as 0.01; got {lr!r}{why}")
