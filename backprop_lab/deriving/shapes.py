"""The shape that each operation gives, known before it is run, or a sentence on why the shapes do not fit."""

import math
from collections.abc import Callable
from typing import Any

from backprop_lab.deriving.nodes import COMPARISONS, SIGNS, Node, Shape, broadcast, code

MOST_NUMBERS = 10_000_000  # in one value
MOST_EXPONENT = 100
ELEMENTWISE = {
    "exp": 1, "log": 1, "sqrt": 1, "tanh": 1, "sin": 1, "cos": 1, "log1p": 1, "square": 1, "abs": 1, "sign": 1,
    "logaddexp": 2, "maximum": 2, "minimum": 2, "clip": 3, "where": 3,
}  # fmt: skip
REDUCTIONS = ("sum", "mean", "var", "std", "max", "min")


class Misfit(ValueError):
    """Parts of a line do not go together; the sentence says which, their shapes, and what would be right."""


def shape_of(op: str, args: tuple[Any, ...], is_derived: bool = False) -> tuple[Shape, str]:
    """The shape and the kind of what an operation gives. Raises Misfit where it would not run, or not as meant."""
    rule = _RULES.get(op) or (_by_cell if op in SIGNS or op in COMPARISONS or op in ELEMENTWISE else None)
    shape, kind = rule(op, args) if rule else ((), "f")
    if rule is _by_cell and not is_derived:
        _check_each_with_each(args)
    if math.prod(shape) > MOST_NUMBERS:
        raise Misfit(f"it would hold {math.prod(shape):,} numbers, and more than {MOST_NUMBERS:,} are too many here")
    return shape, kind


def seen(node: Node) -> str:
    """A part with its shape, as sentences name it: `X (5, 3)`."""
    return f"{code(node)} {node.shape if node.shape else '(one number)'}"


def number_of(node: Node) -> float | None:
    """The number that an expression of plain numbers stands for; None if there is anything else in it."""
    if node.op == "number":
        return node.args[0]  # type: ignore[no-any-return]
    if node.op == "neg" or (node.op in SIGNS and node.op not in "@&|"):
        values = [number_of(part) for part in node.parts]
        if None not in values:
            return _calculated(node.op, *values)  # type: ignore[arg-type]
    return None


def _calculated(op: str, a: float, b: float = 0.0) -> float:
    if op == "**" and abs(b) > MOST_EXPONENT:
        raise Misfit(f"an exponent such as {b:g} is too large here: {MOST_EXPONENT} is the most")
    try:
        found = {
            "neg": lambda: -a, "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b,
            "**": lambda: a**b,
        }[op]()  # fmt: skip
        if isinstance(found, complex) or not math.isfinite(found):
            raise OverflowError
    except (ZeroDivisionError, OverflowError):
        raise Misfit("its numbers give none that a computer can hold") from None
    if isinstance(found, int) and abs(found) > 2**53:
        raise Misfit(f"a whole number such as {found:.3g} is too large: write it as a float, such as 1e20")
    return found


def _by_cell(op: str, args: tuple[Node, ...]) -> tuple[Shape, str]:
    kinds = {part.kind for part in args}
    if op in "&|" and kinds != {"b"}:
        raise Misfit(f"`{op}` joins masks such as `X > 0`; {_other(args, 'b')} is none")
    if op == "-" and kinds == {"b"}:
        raise Misfit(
            "NumPy subtracts no mask from a mask: `(H > 0) & ~(H > 1)` says which are in one and not the other"
        )
    shape = _met([part for part in args if part.shape != ()])
    if op in COMPARISONS or op in "&|":
        return shape, "b"
    if op == "**":
        exponent = number_of(args[1])
        if args[1].needs:
            raise Misfit(f"{code(args[1])} is learnt, and stands in an exponent: write np.exp({code(args[1])} * "
                         f"np.log({code(args[0])}))")  # fmt: skip
        if exponent is None and not args[1].is_fixed:
            raise Misfit(f"the exponent {seen(args[1])} is not one plain number: write np.exp({code(args[1])} * "
                         f"np.log({code(args[0])}))")  # fmt: skip
        if exponent is not None and abs(exponent) > MOST_EXPONENT:
            raise Misfit(f"an exponent such as {exponent:g} is too large here: {MOST_EXPONENT} is the most")
        if exponent is not None and exponent < 0 and args[0].kind in "ib" and number_of(args[0]) is None:
            raise Misfit(f"{code(args[0])} has whole numbers, and NumPy gives these no negative power: "
                         f"write 1.0 / {code(args[0], {}, 8)}**{-exponent:g}")  # fmt: skip
    if op in ("where",):
        kinds = {args[1].kind, args[2].kind}
    if op in ELEMENTWISE and op not in ("abs", "sign", "square", "maximum", "minimum", "clip", "where"):
        return shape, "f"
    if op in ("sign", "square") and kinds == {"b"}:
        raise Misfit(f"np.{op} takes no mask: multiply {code(args[0])} by 1.0 first")
    found = "f" if "f" in kinds or op == "/" else "i" if "i" in kinds or op in ("**",) else "b"
    return shape, found


def _other(args: tuple[Node, ...], kind: str) -> str:
    return next(seen(part) for part in args if part.kind != kind)


def _met(arrays: list[Node]) -> Shape:
    """The shape of arrays that meet cell by cell."""
    if not arrays:
        return ()
    try:
        shape = broadcast(*(part.shape for part in arrays))
    except ValueError:
        a, b = next((a, b) for a in arrays for b in arrays if not _fit(a.shape, b.shape))
        raise Misfit(f"{seen(a)} and {seen(b)} do not fit: from the last on, two lengths are equal, or one of them is "
                     f"1{_mend(a, b)}") from None  # fmt: skip
    return shape


def _check_each_with_each(parts: tuple[Node, ...]) -> None:
    for a in parts:
        for b in parts:
            if len(a.shape) == 2 and a.shape[1] == 1 and b.shape == a.shape[:1] and b.shape != (1,):
                n, row = b.shape[0], code(b, {}, 9)
                raise Misfit(f"{seen(a)} and {seen(b)} would give ({n}, {n}), each number with each: {row}[:, None] is a "
                             f"column, ({n}, 1); if each with each is meant, {row}[None, :] says so")  # fmt: skip


def _fit(a: Shape, b: Shape) -> bool:
    return all(m in (1, n) or n == 1 for m, n in zip(reversed(a), reversed(b), strict=False))


def _mend(a: Node, b: Node) -> str:
    """What would make two arrays fit, if it is plain."""
    for each, other in ((b, a), (a, b)):
        if len(each.shape) == 2 and _fit(each.shape[::-1], other.shape):
            return f"; {code(each, {}, 9)}.mT would be {each.shape[::-1]}"
        if len(each.shape) == 1 and len(other.shape) == 2 and other.shape[0] == each.shape[0]:
            return f"; {code(each, {}, 9)}[:, None] would be {(*each.shape, 1)}"
    return ""


def _unary(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    (of,) = args
    if op == "~" and of.kind != "b":
        raise Misfit(f"`~` turns a mask such as `X > 0` round; {seen(of)} is none")
    if op == "~" and of.shape == () and of.op in COMPARISONS and number_of(of.args[0]) is not None:
        raise Misfit(f"write the opposite comparison in place of ~({code(of)})")
    if op == "neg" and of.kind == "b":
        raise Misfit(f"NumPy takes no minus of the mask {code(of)}: write -1.0 * ({code(of)})")
    return of.shape, of.kind


def _product(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    a, b = args
    if a.shape == () or b.shape == ():
        raise Misfit(f"`@` joins matrices, and in {seen(a)} @ {seen(b)} there is one number: write * there")
    inner, other = a.shape[-1], b.shape[-2] if len(b.shape) > 1 else b.shape[-1]
    kind = "f" if "f" in a.kind + b.kind else "i"
    try:
        if inner != other:
            raise ValueError
        batch = broadcast(a.shape[:-2], b.shape[:-2])
    except ValueError:
        turned = [
            f"; {code(x, {}, 9)}.mT would be {x.shape[::-1]}"
            for x, y in ((b, a), (a, b))
            if len(x.shape) == len(y.shape) == 2 and (x.shape[1] == inner if x is b else x.shape[0] == other)
        ]
        raise Misfit(f"{seen(a)} @ {seen(b)} does not fit: the last length of the left, {inner}, must be the "
                     f"{'first' if len(b.shape) < 3 else 'last but one'} of the right, {other}{(turned or [''])[0]}"
                     ) from None  # fmt: skip
    return batch + (a.shape[-2:-1] if len(a.shape) > 1 else ()) + (b.shape[-1:] if len(b.shape) > 1 else ()), kind


def _reduce(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    name, of, axes, keepdims = args
    if name == "var" and of.kind == "b":
        raise Misfit(f"np.var takes no mask: multiply {code(of)} by 1.0 first")
    axes = range(len(of.shape)) if axes is None else axes
    if name in ("max", "min") and any(of.shape[k] == 0 for k in axes):
        raise Misfit(f"{seen(of)} has no number to take the {name} of")
    kept = [1 if k in axes else n for k, n in enumerate(of.shape) if keepdims or k not in axes]
    whole = "i" if name == "sum" and of.kind == "b" else of.kind
    return tuple(kept), "f" if name in ("mean", "var", "std") else whole


def _turned(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    (of,) = args
    if len(of.shape) < 2:
        raise Misfit(
            f"{seen(of)} has no two axes to swap: {code(of, {}, 9)}[:, None] makes a column of a row of numbers"
        )
    return (*of.shape[:-2], of.shape[-1], of.shape[-2]), of.kind


def lengths(sizes: Any) -> Shape:
    """What sizes are in numbers: those of a value's shape, or of each length that is written out."""
    if isinstance(sizes, Node):
        return sizes.shape
    return tuple(length(each) for each in sizes)


def length(size: Any) -> int:
    """A size in numbers: a plain one, or one written as len(X), X.shape[1] or X.size."""
    if not isinstance(size, Node):
        return int(size)
    of = size.args[0].shape
    return {"len": lambda: of[0], "axis": lambda: of[size.args[1]], "size": lambda: math.prod(of)}[size.op]()


def _reshape(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    of, sizes = args
    shape = lengths(sizes)
    if -1 in shape:
        rest = -math.prod(shape)
        shape = tuple(math.prod(of.shape) // rest if n == -1 and rest else n for n in shape)
    if math.prod(shape) != math.prod(of.shape) or min(shape, default=1) < 0:
        raise Misfit(f"{seen(of)} has {math.prod(of.shape)} numbers, and {shape} would hold {math.prod(shape)}")
    return shape, of.kind


def _index(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    of, items = args
    shape: list[int] = []
    arrays = [item for item in items if isinstance(item, Node)]
    at, placed = 0, False
    for item in items:
        if item == "None":
            shape.append(1)
            continue
        n = of.shape[at]
        at += 1
        if isinstance(item, tuple):
            shape.append(len(range(n)[slice(*item)]))
        elif item == ":":
            shape.append(n)
        elif isinstance(item, Node) and not placed:
            placed = True
            shape.extend(_met([each for each in arrays if each.shape != ()]))
    return (*shape, *of.shape[at:]), of.kind


def _joined(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    axis, parts = args
    first = parts[0].shape
    for part in parts[1:]:
        same = [m == n for m, n in zip(first, part.shape, strict=False)]
        if op == "concatenate" and axis < len(same):
            same[axis] = True
        if len(part.shape) != len(first) or not all(same):
            raise Misfit(f"np.{op} joins {seen(parts[0])} and {seen(part)} only if all other lengths are equal")
    kind = "f" if any(part.kind == "f" for part in parts) else parts[0].kind
    if op == "stack":
        return (*first[:axis], len(parts), *first[axis:]), kind
    return (*first[:axis], sum(part.shape[axis] for part in parts), *first[axis + 1 :]), kind


def _einsum(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    spec, a, b = args
    inputs, output = spec.split("->")
    sizes: dict[str, int] = {}
    for letters, of in zip(inputs.split(","), (a, b), strict=True):
        if len(letters) != len(of.shape):
            raise Misfit(
                f"einsum has {len(letters)} letters, {letters}, for {seen(of)}, which has {len(of.shape)} axes"
            )
        for letter, n in zip(letters, of.shape, strict=True):
            if sizes.setdefault(letter, n) != n:
                raise Misfit(f"einsum's {letter} is {sizes[letter]} long in {seen(a)} and {n} in {seen(b)}")
    return tuple(sizes[letter] for letter in output), "f"


def _filled(op: str, args: tuple[Any, ...]) -> tuple[Shape, str]:
    return args[0].shape, "f"


_RULES: dict[str, Callable[[str, Any], tuple[Shape, str]]] = {
    "neg": _unary, "~": _unary, "@": _product, "reduce": _reduce, "mT": _turned, "reshape": _reshape, "index": _index,
    "concatenate": _joined, "stack": _joined, "einsum": _einsum,
    "number": lambda _, args: ((), "i" if isinstance(args[0], int) else "f"),
    "len": lambda _, args: ((), "i"), "axis": lambda _, args: ((), "i"), "size": lambda _, args: ((), "i"),
    "arange": lambda _, args: ((length(args[0]),), "i"),
    "eye": lambda _, args: ((length(args[0]),) * 2, "f"),
    "ones_like": _filled, "zeros_like": _filled, "full_like": _filled,
    "broadcast": lambda _, args: (lengths(args[1]), args[0].kind),
    "pad": lambda _, args: (tuple(n + before + after for n, (before, after) in
                                  zip(args[0].shape, args[1], strict=True)), args[0].kind),
}  # fmt: skip
