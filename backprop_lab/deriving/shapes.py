"""The shape that each operation gives, known before it is run, or a sentence on why the shapes do not fit."""

import math
from collections.abc import Callable
from fractions import Fraction
from operator import add, mul, neg, sub, truediv
from typing import Any

from backprop_lab.deriving.nodes import COMPARISONS, SIGNS, SIZES, TIGHT, Node, RefusedError, Shape, code, met, seen

MOST_NUMBERS = 10_000_000  # in one value
MOST_EXPONENT = 100
FUNCTIONS = {
    "exp": 1, "log": 1, "sqrt": 1, "tanh": 1, "sin": 1, "cos": 1, "log1p": 1, "square": 1, "abs": 1, "sign": 1,
    "logaddexp": 2, "maximum": 2, "minimum": 2, "clip": 3, "where": 3,
}  # fmt: skip
KEEPING = ("abs", "sign", "square", "maximum", "minimum", "clip", "where")  # whole numbers stay whole
_WAYS: dict[str, Callable[..., Any]] = {"neg": neg, "+": add, "-": sub, "*": mul, "/": truediv, "**": pow}
Result = tuple[Shape, str]


def shape_of(op: str, args: tuple[Any, ...]) -> Result:
    """The shape and the kind of what an operation gives. Raises RefusedError where it would not run."""
    by_cell = op in SIGNS or op in COMPARISONS or op in FUNCTIONS
    shape, kind = _RULES[op](*args) if op in _RULES else _by_cell(op, args) if by_cell else ((), "f")
    if math.prod(shape) > MOST_NUMBERS:
        raise RefusedError(f"it would hold {math.prod(shape):,} numbers, and more than {MOST_NUMBERS:,} are too many")
    return shape, kind


def number_of(node: Node) -> float | None:
    """The number that an expression of plain numbers stands for; None if there is anything else in it."""
    if node.op == "number":
        return node.args[0]  # type: ignore[no-any-return]
    parts = node.parts if node.op in ("neg", "+", "-", "*", "/", "**") else ()
    values = [number for part in parts if (number := number_of(part)) is not None]
    return _calculated(node.op, *values) if values and len(values) == len(parts) else None


def _calculated(op: str, *numbers: float) -> float:
    try:
        found: float = _WAYS[op](*numbers)
        if op in "+-*/" and isinstance(found, float):  # 1 - 0.9 is 0.1, as it is on paper
            found = float(_WAYS[op](*(Fraction(repr(number)) for number in numbers)))
        if isinstance(found, complex) or not math.isfinite(found) or abs(found) > (1e300, 2**53)[type(found) is int]:
            raise OverflowError
    except (ZeroDivisionError, OverflowError):
        raise RefusedError("its numbers give none that a computer can hold; whole ones end at 2**53") from None
    return found


def check_meant(parts: tuple[Node, ...]) -> None:
    """Raise RefusedError for a column and a row that would meet each with each, by mistake."""
    for a in parts:
        for b in parts:
            if len(a.shape) == 2 and a.shape[1] == 1 and b.shape == a.shape[:1] and b.shape != (1,):
                n, row = b.shape[0], code(b, None, TIGHT)
                raise RefusedError(
                    f"{seen(a)} and {seen(b)} would give ({n}, {n}), every pair of numbers: {row}[:, None] is a "
                    f"column, ({n}, 1); if every pair is meant, {row}[None, :] says so"
                )


def _by_cell(op: str, args: tuple[Node, ...]) -> Result:
    kinds = {part.kind for part in (args[1:] if op == "where" else args)}
    if op in "&|" and (wrong := [part for part in args if part.kind != "b"]):
        raise RefusedError(f"`{op}` joins masks such as `X > 0`; {seen(wrong[0])} is not one")
    if kinds == {"b"} and op in ("-", "sign", "square"):
        raise RefusedError(f"NumPy has no {op} of masks alone: multiply {code(args[0], None, 6)} by 1.0 first")
    if op == "where" and is_settled(args[0]):
        raise RefusedError(f"{code(args[0])} is always the same: write the one that it chooses")
    if op == "**":
        _check_power(*args)
    if op == "/" and number_of(args[1]) == 0:
        raise RefusedError("it divides by 0")
    try:
        shape = met(*(part.shape for part in args))
    except ValueError:
        a, b = next((a, b) for a in args for b in args if not _fit(a.shape, b.shape))
        raise RefusedError(f"{seen(a)} and {seen(b)} do not fit: from the last axis on, two lengths must be equal, or "
                           f"one of them 1{_mend(a, b)}") from None  # fmt: skip
    if op in COMPARISONS or op in "&|":
        return shape, "b"
    if "f" in kinds or op == "/" or (op in FUNCTIONS and op not in KEEPING):
        return shape, "f"
    return shape, "i" if "i" in kinds or op == "**" else "b"


def _check_power(base: Node, power: Node) -> None:
    number, instead = number_of(power), "give the powers among the data"
    if base.needs or power.needs:
        above = ", for bases above 0" * (number_of(base) is None)
        instead = f"write np.exp({code(power)} * np.log({code(base)})){above}"
    if power.needs:
        raise RefusedError(f"{code(power)} is learnt, and stands in an exponent: {instead}")
    if number is None and not power.is_fixed:
        raise RefusedError(f"the exponent {seen(power)} is not one plain number: {instead}")
    if number is not None and abs(number) > MOST_EXPONENT:
        raise RefusedError(f"an exponent such as {number:g} is too large here: {MOST_EXPONENT} is the most")
    if number is not None and number < 0 and base.kind != "f" and number_of(base) is None:
        raise RefusedError(f"NumPy gives whole numbers no negative power: write (1.0 * {code(base)})**{number:g}")


def _fit(a: Shape, b: Shape) -> bool:
    return all(m in (1, n) or n == 1 for m, n in zip(reversed(a), reversed(b), strict=False))


def _turning(node: Node) -> str:
    text = code(node.args[0]) if node.op == "mT" else f"{code(node, None, TIGHT)}.mT"
    return f"; {text}, of shape {node.shape[::-1]}, would fit"


def _mend(a: Node, b: Node) -> str:
    """What would make two arrays fit, if it is plain."""
    for each, other in ((b, a), (a, b)):
        text = code(each, None, TIGHT)
        if len(each.shape) == 2 and _fit(each.shape[::-1], other.shape):
            return _turning(each)
        if len(each.shape) == 1 and len(other.shape) == 2 and other.shape[0] == each.shape[0]:
            return f"; {text}[:, None] would be {(*each.shape, 1)}"
    return ""


def is_settled(node: Node) -> bool:
    """Whether a part is made of plain numbers and sizes alone, so that Python computes it, and always the same."""
    return node.op in ("number", "np", "math", *SIZES) or bool(node.parts and all(map(is_settled, node.parts)))


def _turned_round(of: Node) -> Result:
    if of.kind != "b":
        raise RefusedError(f"`~` inverts a mask such as `X > 0`; {seen(of)} is not one")
    if is_settled(of):
        raise RefusedError(f"write the opposite of {code(of)} in place of ~, which makes -2 of True")
    return of.shape, "b"


def _minus(of: Node) -> Result:
    if of.kind == "b":
        raise RefusedError(f"NumPy takes no minus of the mask {code(of)}: write -1.0 * ({code(of)})")
    return of.shape, of.kind


def _product(a: Node, b: Node) -> Result:
    if a.shape == () or b.shape == ():
        raise RefusedError(f"`@` joins matrices, and one of {seen(a)} and {seen(b)} is a number: write * there")
    if 1 in (len(a.shape), len(b.shape)) and len(a.shape) + len(b.shape) > 3:
        row = next(each for each in (a, b) if len(each.shape) == 1)
        first = code(a, None, TIGHT) if row is b else f"{code(a, None, TIGHT)}[:, None]"
        write = f"np.sum({first} * {code(b, None, TIGHT)}, axis={-1 if row is b else -2})"
        raise RefusedError(f"{seen(a)} @ {seen(b)} has no rule: write {write}")
    inner, other = a.shape[-1], b.shape[max(len(b.shape) - 2, 0)]
    try:
        if inner != other:
            raise ValueError
        shape = met(a.shape[:-2], b.shape[:-2]) + a.shape[-2:-1] + (b.shape[-1:] if len(b.shape) > 1 else ())
    except ValueError:
        mend = ""
        if len(a.shape) == len(b.shape) == 2:
            turned = next((x for x in (b, a) if (x.shape[1] == inner if x is b else x.shape[0] == other)), None)
            mend = _turning(turned) if turned else ""
        raise RefusedError(f"{seen(a)} @ {seen(b)} does not fit: the last length of the left, {inner}, must be the "
                           f"first of the right, {other}{mend}") from None  # fmt: skip
    return shape, "f" if "f" in (a.kind, b.kind) else "i"


def _reduce(of: Node, axes: tuple[int, ...] | None, keepdims: bool, name: str) -> Result:
    gone = range(len(of.shape)) if axes is None else axes
    if any(of.shape[k] == 0 for k in gone):
        raise RefusedError(f"{seen(of)} has no number to take the {name} of")
    if of.kind == "b" and name != "sum":
        raise RefusedError(f"the {name} of a mask: multiply {code(of, None, 6)} by 1.0 first")
    shape = tuple(1 if k in gone else n for k, n in enumerate(of.shape) if keepdims or k not in gone)
    return shape, "f" if name in ("mean", "var", "std") else of.kind.replace("b", "i")


def _turned(of: Node) -> Result:
    if of.shape == ():
        raise RefusedError(f"{seen(of)} has no axes to swap: leave .T out")
    if len(of.shape) < 2:
        column = f"{code(of, None, TIGHT)}[:, None] makes a column of it"
        raise RefusedError(f"{seen(of)} has no two axes to swap: leave .T out before an @; {column}")
    return (*of.shape[:-2], of.shape[-1], of.shape[-2]), of.kind


def lengths(sizes: Any) -> Shape:
    """Sizes as lengths: those of a value's shape, or each that is written out, as a number or as len(X)."""
    return sizes.shape if isinstance(sizes, Node) else tuple(map(length, sizes))


def length(size: Any) -> int:
    """A size as a length: a plain number, one that is written as len(X), X.shape[1] or X.size, or a name of that."""
    if not isinstance(size, Node):
        return int(size)
    size = size.args[1] if size.op == "name" else size
    shape, at = size.args[0].shape, {"len": 0, "axis": size.args[-1]}.get(size.op)
    return math.prod(shape) if at is None else shape[at]


def _reshape(of: Node, sizes: Any) -> Result:
    shape, n = lengths(sizes), math.prod(of.shape)
    rest = -math.prod(shape)
    if -1 in shape:
        shape = tuple(n // rest if size == -1 and rest else size for size in shape)
    if math.prod(shape) != n or min(shape, default=1) < 0:
        raise RefusedError(f"{seen(of)} has {n} numbers, and {shape} would hold {math.prod(shape)}")
    return shape, of.kind


def _index(of: Node, items: tuple[Any, ...]) -> Result:
    shape: list[int] = []
    arrays = [item.shape for item in items if isinstance(item, Node)]
    own = iter(of.shape)
    for item in items:
        n = 1 if item is None else next(own)
        if isinstance(item, Node):
            shape.extend(met(*arrays))
            arrays = []
        elif not isinstance(item, int):
            shape.append(len(range(n)[item.slice]) if isinstance(item, Part) else n)
    return (*shape, *own), of.kind


class Part(str):
    """A slice as it is written, such as 1:3."""

    @property
    def slice(self) -> slice:
        return slice(*(int(end) if end else None for end in self.split(":")))


def _joined(parts: tuple[Node, ...], axis: int, is_new: bool = False) -> Result:
    first = parts[0].shape
    for part in parts[1:]:
        here = [n for k, n in enumerate(part.shape) if is_new or k != axis]
        if len(part.shape) != len(first) or here != [n for k, n in enumerate(first) if is_new or k != axis]:
            raise RefusedError(f"{seen(parts[0])} and {seen(part)} cannot be joined: all other lengths must be equal")
    kind = "f" if any(part.kind == "f" for part in parts) else parts[0].kind
    along = len(parts) if is_new else sum(part.shape[axis] for part in parts)
    return (*first[:axis], along, *first[axis + (not is_new) :]), kind


def einsum_letters(given: Any) -> str:
    """The letters of an einsum that has a rule. Raises RefusedError for others."""
    spec = given.replace(" ", "") if isinstance(given, str) else ""
    inputs, arrow, output = spec.partition("->")
    a, comma, b = inputs.partition(",")
    if not arrow or not comma or not (a + b + output).isalpha() or not spec.isascii() or len(spec) > 40:
        raise RefusedError('np.einsum is known for two values, with what comes out: np.einsum("nd,dh->nh", X, W)')
    if any(len({*letters}) < len(letters) for letters in (a, b, output)):
        raise RefusedError(f'"{spec}" has a letter twice in one value: take the diagonal or the sum in another line')
    if not {*output} <= {*a, *b} or not {*a} <= {*b, *output} or not {*b} <= {*a, *output}:
        raise RefusedError(f'a letter stands only once in "{spec}": sum over it first, in a line of its own')
    return spec


def _einsum(spec: str, a: Node, b: Node) -> Result:
    inputs, output = spec.split("->")
    sizes: dict[str, int] = {}
    for letters, of in zip(inputs.split(","), (a, b), strict=True):
        if len(letters) != len(of.shape):
            raise RefusedError(f"einsum has {len(letters)} letters, {letters}, for {seen(of)}")
        for letter, n in zip(letters, of.shape, strict=True):
            if sizes.setdefault(letter, n) != n:
                raise RefusedError(f"einsum's {letter} is {sizes[letter]} long in {seen(a)} and {n} in {seen(b)}")
    return tuple(sizes[letter] for letter in output), "f"


_RULES: dict[str, Callable[..., Result]] = {
    "~": _turned_round, "neg": _minus, "@": _product, "reduce": _reduce, "mT": _turned, "reshape": _reshape,
    "index": _index, "concatenate": _joined, "einsum": _einsum,
    "stack": lambda parts, axis: _joined(parts, axis, is_new=True),
    "transpose": lambda of, axes: (tuple(of.shape[k] for k in axes), of.kind),
    "number": lambda number: ((), "i" if isinstance(number, int) else "f"),
    "len": lambda _: ((), "i"), "axis": lambda *_: ((), "i"), "size": lambda _: ((), "i"),
    "arange": lambda n: ((length(n),), "i"), "eye": lambda n, *_: ((length(n), length(n)), "f"),
    "ones_like": lambda of: (of.shape, "f"), "zeros_like": lambda of: (of.shape, "f"),
    "full_like": lambda of, _: (of.shape, "f"), "broadcast_to": lambda of, sizes: (lengths(sizes), of.kind),
    "pad": lambda of, widths: (tuple(n + sum(w) if sum(w) else n for n, w in zip(of.shape, widths, strict=True)),
                               of.kind),
}  # fmt: skip
