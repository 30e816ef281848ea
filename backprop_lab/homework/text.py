"""A learner's backward pass as text: its statements, in order, and what each writes and reads.

Only plain lines are taken: names, numbers, operators, indices, functions of NumPy and methods of arrays. What a name is
wrapped in makes no difference: `cache["A1"]`, `self.A1` and `A1` are one, and `grads["W1"] = ` gives dW1. A loop over
names is its turns. Functions that the text defines and calls, such as the slope of a sigmoid, are run as they are.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from copy import deepcopy
from dataclasses import dataclass, replace
from keyword import iskeyword
from textwrap import dedent
from typing import Any

from backprop_lab.feedback.answers import a_kind
from backprop_lab.homework.batches import check_batches
from backprop_lab.homework.loops import BY_RUNNING, Unrolled
from backprop_lab.homework.names import A_GRADIENT
from backprop_lab.homework.own_numbers import WithGivenMasks, mark_own_numbers
from backprop_lab.homework.scripts import Once, is_given, is_note, stored, writes_layers
from backprop_lab.homework.spellings import (
    Collected,
    Plain,
    WithBraces,
    appends,
    as_numpy,
    as_python,
    bare,
    in_layers,
    is_to_be_filled,
    name_gradients,
    of_it,
    places_in,
)
from backprop_lab.homework.statements import Statement, compiled, in_turn
from backprop_lab.nn.forms import is_written

REFUSED = ("save", "load", "file", "txt", "random", "lib", "test", "memmap", "DataSource", "show_", "set", "ctypes")
MODULES = {"np", "numpy", "math"}
IN_PLACE = re.compile(r"(add|subtract)\.at|put_along_axis|fill_diagonal|copyto|put(mask)?|place")  # the first argument
LONGEST_POWER = 3  # digits in a power of a whole number, which is worked out to its last digit
TURNS = "in it, which is not followed here: write its turns one by one"
KINDS = {
    "ListComp": f"a list comprehension {TURNS}",
    "GeneratorExp": f"a `for` in parentheses {TURNS}",
    "DictComp": f"a dictionary made by a `for` {TURNS}",
    "Dict": "a dictionary in it, which is not followed here: give its values names",
    "JoinedStr": "a text with braces in it, which is not followed here",
    "Expr": "a line that gives its result no name",
    "Compare": "a comparison, which gives nothing a name: write a single =",
}
TAKEN = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Attribute,
    ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.keyword, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.expr_context, ast.IfExp, ast.Assign, ast.AugAssign)  # fmt: skip
OF_HELPERS = (ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.If, ast.Expr, ast.Pass)
GOES_BACK = re.compile("back|bprop|grad")
OF_A_LAYER = re.compile("(?:d|grad_?)_?(?:[WwBb]|weights?|bias(?:es)?)")
Helpers = Mapping[str, ast.FunctionDef]


def statements_in(text: str, last: int, lists: Mapping[str, list[str]], by_name: bool) -> list[Statement]:
    """The statements of a text, for a network whose last layer has that number, or 0; `lists` have names in them.

    With `by_name`, a name such as di is the gradient of `i[t]` in each turn of a loop over time.

    Raises ValueError, naming the line, for what is no Python, or more than plain lines.
    """
    try:
        tree = WithBraces().visit(ast.parse(as_python(dedent(text).strip("\n"))))
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise ValueError(f"line {error.lineno}, `{line}`, is not Python: {error.msg}") from None
    as_numpy(tree)
    check_batches(tree.body, {})
    tree = WithGivenMasks().visit(tree) if last else tree
    mark_own_numbers(tree)
    once = Once(tree, last)
    tree = Unrolled(once.visit(tree), last, lists, by_name).visit(tree)
    tree = Collected(tree, last).visit(tree)
    name_gradients(tree)
    in_layers(tree, last, lists)
    script = _Script(_helpers(tree, once.judged, last), once.is_idle)
    if last > 1:
        _check_layers(tree, script, last)
    _check_classes(tree)
    return [*in_turn([_with(script.helpers, each) for each in _followed(tree.body, script)])]


@dataclass(frozen=True)
class _Script:
    helpers: Helpers
    is_idle: Callable[[ast.stmt], bool]


def _check_layers(tree: ast.AST, script: _Script, last: int) -> None:
    """Raise ValueError for the backward pass of one layer, whichever it is, where a network has several."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in script.helpers:
            parts, text = [*ast.walk(node)], ast.unparse(node)
            written = {bare(each) for each in parts if isinstance(each, ast.Name | ast.Attribute) and is_written(each)}
            is_of_all = re.search(r"[A-Za-z_]\d", text) or ast.For in map(type, parts)
            if any(map(OF_A_LAYER.fullmatch, written)) and not is_of_all:
                raise ValueError(
                    f"line {node.lineno}, `{text.splitlines()[0]}`, is for one layer, and this network has {last}: "
                    f"only lines that say which layer they are of are followed, such as `dW1 = ...`; {BY_RUNNING}"
                )


def _check_classes(tree: ast.Module) -> None:
    """Raise ValueError for two classes with a backward pass each: nobody knows which belongs to the problem."""
    passes = dict[str, tuple[str, int]]()
    for each in (each for each in tree.body if isinstance(each, ast.ClassDef)):
        for method in (method for method in each.body if isinstance(method, ast.FunctionDef)):
            if GOES_BACK.search(method.name) and any(map(A_GRADIENT.fullmatch, stored(method))):
                other, line = passes.setdefault(method.name, (each.name, method.lineno))
                if other != each.name:
                    raise ValueError(
                        f"lines {line} and {method.lineno} both have a `{method.name}`, of {other} and of {each.name}: "
                        f"hand in only the class that this problem is about; {BY_RUNNING}"
                    )


def _followed(nodes: Sequence[ast.stmt], script: _Script) -> Iterator[Statement]:
    """The statements of some nodes. What cannot be followed, and what nobody uses, is passed over."""
    for node in nodes:
        try:
            yield from [*_statements(node, script)]
        except ValueError:
            if not script.is_idle(node):
                raise


def _statements(node: ast.stmt, script: _Script) -> Iterator[Statement]:
    match node:
        case ast.FunctionDef(name) | ast.Assign([ast.Name(name)], ast.Lambda()) if name in script.helpers:
            return
        case ast.FunctionDef("__init__", body=body):
            plain = (each for each in body if isinstance(each, ast.Assign))
            yield from _followed([each for each in plain if ast.Call not in map(type, ast.walk(each))], script)
        case ast.With([ast.withitem(ast.Call(ast.Attribute(attr="errstate" | "no_grad")))], body):
            yield from _followed(body, script)
        case ast.FunctionDef(body=body) | ast.ClassDef(body=body):
            for argument, number in _defaults(node):
                yield from _statements(ast.copy_location(ast.Assign([argument], number), node), script)
            for statement in _followed(body, script):
                yield replace(statement, scope=node.lineno) if isinstance(node, ast.FunctionDef) else statement
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Expr(ast.Constant()) | ast.AnnAssign(value=None):
            return
        case ast.Assign() | ast.AugAssign() | ast.Expr() if is_given(node):
            return
        case ast.Expr(ast.Call(ast.Attribute(_, "append"), [ast.Name() | ast.Attribute() | ast.Subscript()])):
            return
        case ast.Expr(value) if appends(value):
            return
        case ast.If(body=lines, orelse=others) | ast.For(body=lines, orelse=others) if all(
            isinstance(each, ast.Expr) and appends(each.value) for each in (*lines, *others)
        ):
            return
        case ast.Assign([_], value) if is_to_be_filled(value):
            return
        case ast.Expr(
            ast.Call(ast.Attribute(ast.Name("np" | "numpy")) | ast.Attribute(ast.Attribute()) as f, args, kw)
        ):
            changed = args[:1] if IN_PLACE.fullmatch(ast.unparse(f).split(".", 1)[1]) else []
            written = [each.value for each in kw if each.arg == "out"] or changed
            if not written:
                raise ValueError(f"line {node.lineno}, `{ast.unparse(node)}`, gives its result no name")
            yield from _written(node, node, written[0])
        case ast.Return(value):
            for at, each in enumerate(_returned(value)):
                if isinstance(each, ast.Dict):
                    yield from _of_a_dictionary(node, each, "grads")
                elif not isinstance(each, ast.Name | ast.Constant):
                    named = ast.Name(f"d_returned_{at + 1}", ast.Store())
                    yield from _written(node, ast.Assign([named], each))
        case ast.Assign([_, _, *_] as targets, value):  # dW1 = db1 = None
            first = ""
            for target in targets:
                for statement in _statements(ast.copy_location(ast.Assign([target], value), node), script):
                    yield replace(statement, beside=first)
                    first = first or statement.name
        case ast.Assign([ast.Name(name)], ast.Dict([ast.Constant(int()), *_])) if "grad" not in name:  # A = {0: X}
            yield from _written(node, node)
        case ast.Assign([ast.Name() | ast.Attribute() as holder], ast.Dict() as value):
            yield from _of_a_dictionary(node, value, bare(holder))
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(holder), "update"), args)):
            for each in args:
                yield from _of_a_dictionary(node, each, holder)
        case ast.AnnAssign(target, _, ast.expr() as value):
            yield from _written(node, ast.Assign([target], value))
        case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)) if len(targets) == len(values):
            for target, value in zip(targets, values, strict=True):
                yield from _statements(ast.copy_location(ast.Assign([target], value), node), script)
        case ast.Assign([ast.Tuple(targets)], ast.Attribute(attr="shape") | ast.Call() as value):
            for at, target in enumerate(targets):
                (part,) = ast.parse(f"{ast.unparse(target)} = {ast.unparse(value)}[{at}]").body
                if ast.unparse(target) != "_":
                    yield from _written(node, part)
        case ast.Assign([ast.Tuple()], ast.Name() | ast.Attribute()):  # W1, b1 = cache: names that are known
            return
        case ast.Assign() | ast.AugAssign():
            yield from _written(node, node)
        case _:
            of = node.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Compare) else node
            kind = KINDS.get(type(of).__name__, a_kind(node).lower())
            mend = f"write out what it does, layer by layer{_of_time(node)}; {BY_RUNNING}"
            raise ValueError(
                f"line {node.lineno}, `{ast.unparse(node).splitlines()[0]}`, is {kind}: only lines such as "
                f"`dW1 = X.T @ dZ1` are followed, so {mend}"
            )


def _of_time(node: ast.stmt) -> str:
    """What helps with a loop over steps of time, which reads `hs[t]` and `hs[t - 1]`: to say what hs has in it."""
    held = next((name for name, at in places_in(node).items() if any(one[-4:] in (" - 1", " + 1") for one in at)), "")
    is_meant = held and isinstance(node, ast.For)
    return f", or say what is in such lists, as in names={{{held!r}: ['h0', 'h1', 'h2']}}" if is_meant else ""


def _defaults(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The numbers that a function has for arguments that it is not given, such as `reg=0.1`."""
    if isinstance(node, ast.FunctionDef) and (given := node.args.defaults):
        for argument, number in zip(node.args.args[-len(given) :], given, strict=True):
            if isinstance(number, ast.Constant) and isinstance(number.value, int | float):
                yield ast.Name(argument.arg, ast.Store()), number


def _of_a_dictionary(node: ast.stmt, value: ast.expr, holder: str) -> Iterator[Statement]:
    """`{"dW1": X.T @ dZ1}` writes dW1; what is a name already is collected, and anything else is no gradient."""
    if not isinstance(value, ast.Dict):
        return
    for key, each in zip(value.keys, value.values, strict=True):
        if not isinstance(key, ast.Constant) or isinstance(each, ast.Constant) or is_note(str(key.value)):
            continue
        name = of_it(str(key.value), holder)
        if ast.unparse(each) == key.value or not name.isidentifier() or iskeyword(name):  # as {"W1": W1} and {"": X}
            continue
        target = ast.Name(name, ast.Store())
        for statement in _written(node, ast.Assign([target], each)):
            yield replace(statement, collects=isinstance(each, ast.Name))


def _returned(value: ast.expr | None) -> Iterator[ast.expr]:
    """What a function gives back, each by itself."""
    if isinstance(value, ast.Tuple | ast.List):
        for each in value.elts:
            yield from _returned(each)
    elif value is not None:
        yield value


def _written(node: ast.stmt, statement: ast.stmt, into: ast.expr | None = None) -> Iterator[Statement]:
    """A statement with plain names in it, after those that it names within; a call writes `into` an argument.

    Raises ValueError for what is not taken.
    """
    for inner in (each for each in ast.walk(statement) if isinstance(each, ast.NamedExpr)):
        yield from _written(node, ast.Assign([inner.target], inner.value))
    plain: Any = ast.fix_missing_locations(Plain().visit(statement))
    base = target = Plain().visit(into) if into else getattr(plain, "targets", [getattr(plain, "target", None)])[0]
    while isinstance(base, ast.Subscript):
        base = base.value
    if not isinstance(base, ast.Name):
        raise ValueError(f"line {node.lineno}: `{ast.unparse(target)}` cannot be written to here; give it a name")
    for part in ast.walk(plain.value if into else plain):
        _check(part, node.lineno)
    reads = {part.id for part in ast.walk(plain) if isinstance(part, ast.Name) and part is not base}
    if isinstance(plain, ast.Assign) and ast.unparse(plain.value) == ast.unparse(target):  # W1 = params["W1"]
        return
    goes_on = not isinstance(plain, ast.Assign) or target is not base or base.id in reads
    text = ast.unparse(plain)
    yield Statement(node.lineno, text, base.id, frozenset(reads - MODULES), goes_on, compiled(text))


def _helpers(tree: ast.Module, judged: Set[str], last: int) -> dict[str, ast.FunctionDef]:
    """The functions that a text defines and calls, but for those that write gradients of layers: these are followed.

    Raises ValueError for what is not taken in them.
    """
    plain = Plain().visit(deepcopy(tree))
    called = {ast.unparse(each.func) for each in ast.walk(plain) if isinstance(each, ast.Call)}
    found = {}
    for node in ast.walk(plain):
        match node:
            case ast.Assign([ast.Name(name)], ast.Lambda(args, inner)):
                body: list[ast.stmt] = [ast.Return(inner)]
            case ast.FunctionDef(name, args, body) if name not in judged and not writes_layers(node, last):
                pass
            case _:
                continue
        if name in called:
            args.args = [ast.arg(each.arg) for each in args.args if each.arg != "self"]  # without their types
            (helper,) = ast.parse("\n" * (node.lineno - 1) + f"def {name}({ast.unparse(args)}): pass").body
            assert isinstance(helper, ast.FunctionDef)
            helper.body, found[name] = body or [ast.Pass()], helper
            for part in ast.walk(helper):
                _check(part, node.lineno, TAKEN + OF_HELPERS)
    return found


def _with(helpers: Helpers, statement: Statement) -> Statement:
    """A statement with the functions that it calls, and what these read."""
    used, reads = set[str](), set(statement.reads)
    while more := (reads & {*helpers}) - used:
        used |= more
        for name in more:
            names = [each for each in ast.walk(helpers[name]) if isinstance(each, ast.Name)]
            inside = {each.arg for each in helpers[name].args.args} | {each.id for each in names if is_written(each)}
            reads |= {each.id for each in names} - inside
    if not used:
        return statement
    code = compiled("\n".join([*(ast.unparse(helpers[name]) for name in used), statement.text]))
    calls = tuple((name, helpers[name].lineno) for name in sorted(used))
    return replace(statement, reads=frozenset(reads - used - MODULES), code=code, calls=calls)


def _check(part: ast.AST, line: int, taken: tuple[type, ...] = TAKEN) -> None:
    """Raise ValueError for a part of a line that is not taken."""
    by_number = isinstance(part, ast.Dict) and {type(getattr(key, "value", "")) for key in part.keys} == {int}
    if not isinstance(part, taken) and not by_number:
        kind = KINDS.get(type(part).__name__, f"{a_kind(part).lower()} in it, which is not followed here")
        raise ValueError(f"line {line} has {kind}")
    match part:
        case ast.BinOp(ast.Constant(int()), ast.Pow(), ast.BinOp() | ast.Constant(int()) as power):
            if isinstance(power, ast.BinOp) or len(ast.unparse(power)) > LONGEST_POWER:
                raise ValueError(f"line {line} has {ast.unparse(part)} in it, a number with too many digits")
    if isinstance(part, ast.Attribute) and (part.attr.startswith("_") or any(word in part.attr for word in REFUSED)):
        raise ValueError(f"line {line} uses .{part.attr}, which is not followed here: write what it does in NumPy")
