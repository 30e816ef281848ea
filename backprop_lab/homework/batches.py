"""Whether all lines of a turn of training use the same samples: each batch is cut from X and from y alike."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from backprop_lab.homework.names import A_GRADIENT, INPUTS, TARGETS
from backprop_lab.homework.spellings import bare

Rows = Mapping[str, tuple[str, ...] | None]  # by which indices a name is cut from the data; None if nobody knows
Used = tuple[ast.stmt, str, tuple[str, ...]]  # in which line, which name, and by which indices it is cut
DATA = (INPUTS | TARGETS) - {"data", "features"}  # of which columns are cut, too


def check_batches(body: Sequence[ast.stmt], rows: Rows, is_inner: bool = False) -> None:
    """Raise ValueError where gradients are made of other samples of X than of y, or of all and of a batch.

    `rows` are those of the data before, and `is_inner` says that this is the body of a loop or of a function.
    """
    now, lines = dict(rows), list[tuple[ast.Assign | ast.AugAssign, Rows]]()
    for line in body:
        match line:
            case ast.Assign([target], value):
                lines.append((line, dict(now)))
                pairs = [(target, value)]
                if isinstance(target, ast.Tuple):
                    values = value.elts if isinstance(value, ast.Tuple) else [ast.Constant(None)] * len(target.elts)
                    pairs = [*zip(target.elts, values, strict=False)]
                now |= {bare(one): _rows_of(bare(one), cut, now, is_inner) for one, cut in pairs if _is_data(one)}
            case ast.AugAssign():
                lines.append((line, dict(now)))
            case ast.FunctionDef():
                given = {each.arg for each in line.args.args}
                check_batches(line.body, {name: each for name, each in now.items() if name not in given}, True)
            case ast.For():
                given = {name for name in _names(line.target) if name.lower() in DATA}
                check_batches(line.body, now | dict.fromkeys(given), True)
            case ast.While() | ast.With() | ast.ClassDef():
                check_batches(line.body, now, is_inner or isinstance(line, ast.While))
    pairs_used = combinations(_used(lines) if is_inner else (), 2)
    if pair := next((each for each in pairs_used if _differ(*each)), None):
        (before, known, known_by), (line, name, indices) = sorted(pair, key=lambda each: each[0].lineno)
        raise ValueError(
            f"line {line.lineno}, `{ast.unparse(line)}`, uses {_said(name, indices)}, and line {before.lineno} uses "
            f"{_said(known, known_by)}: each turn needs the same samples of X and y, so give both the same index"
        )


def _differ(one: Used, other: Used) -> bool:
    """Whether one is of a batch, and the other of all samples, or data of the other kind of another batch."""
    has_name = any(indices and "[" not in name for _, name, indices in (one, other))  # else it may be a part, as X[0:2]
    is_one_of_all = not (one[2] and other[2])
    return has_name and one[2] != other[2] and (is_one_of_all or _is_input(one[1]) != _is_input(other[1]))


def _used(lines: Sequence[tuple[ast.Assign | ast.AugAssign, Rows]]) -> list[Used]:
    """The data of which gradients are made, in order."""
    found, needed = list[Used](), set[str]()
    for line, rows in reversed(lines):
        targets = line.targets if isinstance(line, ast.Assign) else [line.target]
        written = {name for one in targets for name in _names(one)}
        is_used = any(name in needed or A_GRADIENT.fullmatch(name) for name in written)
        if is_used and not any(name.lower() in DATA for name in written):
            if isinstance(line, ast.Assign) and all(isinstance(one, ast.Name) for one in targets):
                needed -= written  # what it was before is not used
            needed |= {*_names(line.value)}
            found += [(line, name, each) for name, each in _data_in(line.value, rows) if each is not None]
    return found[::-1]


def _data_in(part: ast.AST, rows: Rows) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """The data that a part has in it, and by which indices they are cut; how many there are, `len(X)`, is none."""
    match part:
        case ast.Subscript(of, index) if _is_data(of) and (place := _place(index)) != "":
            before = rows.get(bare(of), ())
            yield ast.unparse(part), None if before is None or place is None else (*before, place)
        case ast.Name() | ast.Attribute() if _is_data(part) and bare(part) in rows.keys() | {"X", "y"}:
            yield bare(part), rows.get(bare(part), ())
        case ast.Attribute(attr="shape" | "size") | ast.Call(ast.Name("len")):
            return
        case _:
            for each in ast.iter_child_nodes(part):
                yield from _data_in(each, rows)


def _rows_of(name: str, value: ast.expr, rows: Rows, is_inner: bool) -> tuple[str, ...] | None:
    """By which indices what is written is cut; before all turns only `X = X[perm]` says something of the other."""
    found = {cut if _is_input(of) == _is_input(name) else None for of, cut in _data_in(value, rows)}
    if not is_inner:
        is_shuffled = re.fullmatch(rf"{name}\[\w+\]", ast.unparse(value))
        return found.pop() if is_shuffled and found else ()
    return found.pop() if len(found) == 1 else None


def _place(index: ast.expr) -> str | None:
    """The index of the samples, be they rows or columns; "" for all of them, and None for one, as `X[t]` is."""
    match index:
        case ast.Tuple([ast.Slice(None, None, None), ast.Slice() | ast.Name() as columns, *_]):
            is_open = any(isinstance(each, ast.Name) for each in ast.walk(columns))  # X[:, :2] are features
            return _place(columns) if is_open else ""
        case ast.Slice(None, None, None) | ast.Tuple([ast.Slice(None, None, None), *_]) | ast.Attribute():
            return ""
        case ast.Tuple([first, *_]):
            return _place(first)
        case ast.Constant(value):
            return None if isinstance(value, int) else ""
        case ast.Name(name) if len(name) > 1:
            return name
        case ast.Name() | ast.BinOp():
            return None
    return ast.unparse(index)


def _names(part: ast.AST) -> Iterator[str]:
    return (bare(each) for each in ast.walk(part) if isinstance(each, ast.Name | ast.Attribute))


def _is_data(part: ast.AST) -> bool:
    return isinstance(part, ast.Name | ast.Attribute) and bare(part).lower() in DATA


def _is_input(name: str) -> bool:
    return name.partition("[")[0].removeprefix("self.").lower() in INPUTS


def _said(name: str, indices: tuple[str, ...]) -> str:
    if "[" in name and len(indices) == 1:
        return name
    return f"{name}, with the samples {''.join(f'[{each}]' for each in indices)}" if indices else f"all of {name}"
