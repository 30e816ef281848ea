"""Lines that are one slip of the pen away from the right one: another name, another sign, parentheses moved.

What is worth a name and a story, such as the parentheses forgotten around a mask, is in `mistakes.txt`, and is said
first: see `explaining.py`. These need neither: they are made from the right line of any layer or loss, one change at a
time, so they are known for layers of your own as well.
"""

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import chain, combinations, product
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.feedback.changes import (
    Change,
    another_count,
    everywhere,
    further_changes,
    of_other_numbers,
    of_other_values,
    written_out,
)
from backprop_lab.feedback.function_code import asked_for, compiled, shows, values_in
from backprop_lab.feedback.rule_lines import SLOPES, made_with
from backprop_lab.nn.forms import expressions, of_form, untransposed
from backprop_lab.nn.lines import is_a_line_of_ours, names_in, tree_of
from backprop_lab.step.trace import Trace, found_once
from backprop_lab.step.written import OwnLine

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**"}
OTHER_SIGNS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult, ast.Div),
    ast.Mult: (ast.MatMult, ast.Add, ast.Sub, ast.Div),
    ast.Div: (ast.Mult, ast.Add, ast.Sub),
    ast.MatMult: (ast.Mult,),
    ast.Pow: (ast.Mult,),
}
QUESTIONS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}
FUNCTIONS = (
    ("maximum", "minimum", "max", "min"),
    ("sum", "mean", "max"),
    ("exp", "log"),
    ("tanh", "tan", "sinh", "cosh"),
)
OTHER_NUMBERS = {0: (1,), 1: (2, 0), 2: (1, 3, 4)}
UNDONE = re.compile(r"a `[*/]` where `[*/]` was").search  # with some sizes that makes the difference of a factor
IN_PLACE_OF_A_NAME = ("{}.T", "-{}", "{} ** 2", "np.abs({})", "{} > 0", "np.sqrt({})", "np.mean({})",
    "np.sum({})", "1 - {}", "np.tanh({})", "np.exp({})", "np.maximum({}, 0)", "np.mean({}, axis=0)",
    "np.sum({}, axis=0)")  # fmt: skip
OF_0_AND_1 = ("{}.T", "-{}", "1 - {}")  # of these alone: the others would hold only since the numbers are 0 and 1
AROUND_A_PART = {"({}) ** 2": "a square", "np.abs({})": "np.abs", "np.sqrt({})": "a root",
    "np.maximum({}, 0)": "np.maximum", "({}).T": "a transpose"}  # fmt: skip
TWICE = "the slope of the activation is in it twice"
OFF_EVERY_CLASS = "1 is taken off every class, not only the true one: subtract y, or write `[range(N), labels] -= 1`"


class Slip(NamedTuple):
    """A line with one slip in it, the same compiled, what the slip is, in words, and the right line."""

    line: str
    code: CodeType
    words: str
    right: str


def one_slip_away(trace: Trace, name: str) -> tuple[Slip, ...]:
    """Every line that is one slip away from the right one for `name`, the likeliest first."""
    return _of_line(trace, name, trace.step(name).code)


def known_for(trace: Trace, name: str) -> list[str]:
    """What may be used for a value: all before it, and gradients after it that are found without it."""
    names, after = [*trace.names], made_with(trace, name)
    known = names[: names.index(name)]
    gradients = (step.name for step in trace.steps if step.role == "gradient" and step.name not in after)
    return list(dict.fromkeys([*known, *gradients]))


@found_once
def _of_line(trace: Trace, name: str, code: str) -> tuple[Slip, ...]:
    """The same for one of the lines that give it."""
    names = known_for(trace, name) + [name] * (trace.role(name) == "new")  # which somebody has taken off twice
    data = {each: np.asarray(trace[each]) for each in trace.problem.data}
    binary = tuple(each for each, x in data.items() if ((x == 0) | (x == 1)).all())
    has_classes = (
        "y" in binary and data["y"].ndim == 2 and data["y"].shape[1] > 1 and bool((data["y"].sum(axis=1) == 1).all())
    )
    found = chain(of_other_numbers(trace, code), of_other_values(trace, names, code))
    others = ((ast.unparse(tree_of(line)), words) for line, words in found)
    slips = (Slip(line, compiled(line), words, code) for line, words in others)
    return (*_slips(code, tuple(names), binary, has_classes), *slips)


def likely_slips(trace: Trace, name: str, function: Any) -> tuple[Slip, ...]:
    """Those of them that somebody may have made: all, or those that can be seen in the learner's function.

    The line of a part of your own may be one that nobody would write, such as one by a complex step, or that a learner
    would write in another way; then a slip in it is no help. The lines of a program are as people write them.
    """
    step, slips = trace.step(name), one_slip_away(trace, name)
    if step.kind is OwnLine or step.adds_up_places or is_a_line_of_ours(step.kind, step.result, step.template):
        return slips
    return tuple(slip for slip in slips if shows(function, slip.line))


def longer_slips(trace: Trace, name: str, function: Any) -> tuple[Slip, ...]:
    """Those of the line with what the function does not ask for written out, if it asks for what that is made of."""
    lines = written_out(trace, name, asked_for(function))
    slips = chain(*(_of_line(trace, name, line) for line in lines))
    return tuple(each for each in slips if "itself was meant" not in each.words or shows(function, each.line))


@lru_cache(maxsize=256)
def _slips(code: str, names: tuple[str, ...], binary: tuple[str, ...], has_classes: bool) -> tuple[Slip, ...]:
    right = tree_of(code)
    slips: dict[str, Slip] = {}
    for tree in (right, _from_the_right(right)):
        for line, words in chain(_changes(ast.Expression(tree), names, binary, has_classes), everywhere(tree, names)):
            if line != code and line not in slips:
                slips[line] = Slip(line, compiled(line), words, code)
    return tuple(slips.values())


def _changes(
    line: ast.Expression, names: Sequence[str], binary: Sequence[str], has_classes: bool
) -> Iterator[tuple[str, str]]:
    """Each line with one change, and what it is; the change is made in the line itself, and taken back."""
    parts = [*expressions(line)]
    counted = [call.args for call, _ in parts if isinstance(call, ast.Call) and ast.unparse(call.func) == "len"]
    used = [part for part, _ in parts if isinstance(part, ast.Name) and part.id in names]
    operands = list(dict.fromkeys(name.id for name in used))
    signed = [call.args[0] for call, _ in parts if isinstance(call, ast.Call) and ast.unparse(call.func) == "np.sign"]
    for part, put in [each for each in parts if [each[0]] not in counted]:  # whose transpose has another length
        for other, slip in chain(another_count(part, operands), changed(part, names, binary, has_classes)):
            if part not in signed or "** 2` used" not in slip:  # a sign that is 1 is hardly that of a square
                put(other)
                yield ast.unparse(line), slip
                put(part)
    others = [(operand, name) for operand, name in product(operands, names) if name != operand]
    renamings = [({operand: name}, f"{name} used where {operand} was meant") for operand, name in others]
    swapped = combinations(operands, 2)
    renamings += [({one: two, two: one}, f"{one} and {two} have changed places") for one, two in swapped]
    as_it_was = [name.id for name in used]
    for new, slip in renamings:  # wherever they stand
        for name, was in zip(used, as_it_was, strict=True):
            name.id = new.get(was, was)
        yield ast.unparse(line), slip
    for name, was in zip(used, as_it_was, strict=True):
        name.id = was
    for part, put in parts[1:]:  # around all it would give it away
        has_names = any(isinstance(each, ast.Name) for each in ast.walk(part))
        if isinstance(part, ast.BinOp) and not isinstance(part.op, ast.Pow) and has_names:
            is_slope = any(of_form(ast.unparse(part), form) for form in SLOPES.values())
            for template, what in AROUND_A_PART.items():
                put(tree_of(template.format(ast.unparse(part))))
                is_twice = is_slope and what == "a square"
                yield ast.unparse(line), TWICE if is_twice else f"{what}, which does not belong there"
            put(part)


def changed(part: ast.expr, names: Sequence[str], binary: Sequence[str], has_classes: bool) -> Iterator[Change]:
    """What may be typed in place of one part of a line, or of the whole line."""
    match part:
        case ast.BinOp():
            yield from _of_a_sign(part)
            match part:
                case ast.BinOp(scores, ast.Sub(), ast.Name("y")):
                    one = OFF_EVERY_CLASS if has_classes else "a 1 where y was meant"
                    yield ast.BinOp(scores, ast.Sub(), ast.Constant(1)), one
                    if has_classes:  # as `[:, labels] -= 1` does where only some occur
                        yield ast.BinOp(scores, ast.Sub(), tree_of("y.max(axis=0)")), one
        case ast.Compare(left, [op], [right]) if type(op) in QUESTIONS:
            for other, sign in QUESTIONS.items():
                if not isinstance(op, other):
                    meant = f"a `{sign}` where `{QUESTIONS[type(op)]}` was meant"
                    yield ast.Compare(left, [other()], [right]), meant
        case ast.UnaryOp(ast.USub(), positive):
            yield positive, f"the minus before {ast.unparse(positive)} is missing"
        case ast.Attribute(matrix, "mT" | "T"):
            yield matrix, f"{ast.unparse(matrix)} should be transposed"
            turned = ast.Attribute(ast.Attribute(matrix, "T"), "shape")
            reshaped = ast.Call(ast.Attribute(matrix, "reshape"), [turned], [])
            yield reshaped, "reshape keeps the order of the numbers, which a transpose changes"
        case ast.Call():
            yield from _of_a_call(part)
        case ast.Constant(int() as number):
            for less_or_more in OTHER_NUMBERS.get(number, ()):
                yield ast.Constant(less_or_more), f"a {less_or_more} where {number} was meant"
        case ast.Constant(float() as number) if 0 < number < 1:
            beside = (10 * number, number / 10, 2 * number, number / 2, 1 - number, 1 - (1 - number) / 10)
            for instead in dict.fromkeys(float(f"{each:.6g}") for each in beside):
                if instead < 1 and instead != number:
                    yield ast.Constant(instead), f"{instead} used where {number} was meant"
        case ast.Name(name) if name in names:
            for template in OF_0_AND_1 if name in binary else IN_PLACE_OF_A_NAME:
                used = template.format(name)
                yield tree_of(used), f"`{used}` used where {name} itself was meant"
    yield from further_changes(part)


def _of_a_sign(part: ast.BinOp) -> Iterator[Change]:
    """Other parentheses, another sign, its sides swapped, one of them missing, or transposed otherwise."""
    left, op, right = part.left, part.op, part.right
    sign = SIGNS.get(type(op))
    if sign is None:
        return
    yield from _regrouped(part, sign)
    if isinstance(op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
        yield ast.BinOp(right, op, left), f"a `{sign}` with its two sides swapped"
    match left:
        case ast.BinOp(a, ast.Add() | ast.Sub() as inner, b) if isinstance(op, ast.Pow):
            yield ast.BinOp(ast.BinOp(a, op, right), inner, ast.BinOp(b, op, right)), "each term has its own power"
    if isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div):
        for kept, lost in ((left, right), (right, left)):
            is_sum = isinstance(lost, ast.BinOp) and isinstance(lost.op, ast.Add | ast.Sub) and isinstance(op, ast.Mult)
            is_one = isinstance(lost, ast.Name | ast.Constant | ast.Call | ast.UnaryOp | ast.Attribute | ast.Subscript)
            if is_sum or is_one or isinstance(op, ast.Add | ast.Sub):
                of_it = ast.BinOp(ast.Constant(1), op, kept) if kept is right and isinstance(op, ast.Div) else kept
                is_1_less = isinstance(lost, ast.Constant) and kept is right and isinstance(op, ast.Sub)
                what = f"`{ast.unparse(lost)} -`" if is_1_less else ast.unparse(lost)
                is_divisor = isinstance(op, ast.Div) and lost is right
                yield of_it, f"the factor 1 / {what} is missing" if is_divisor else f"{what} is missing"
    for other in OTHER_SIGNS[type(op)]:
        yield ast.BinOp(left, other(), right), f"a `{SIGNS[other]}` where `{sign}` was meant"
    if isinstance(op, ast.Add):
        yield ast.BinOp(right, ast.Sub(), left), "a `-` where `+` was meant"
        leftmost, terms = left, 2
        while isinstance(leftmost, ast.BinOp) and isinstance(leftmost.op, ast.Add):
            leftmost, terms = leftmost.left, terms + 1
        if terms > 2:
            yield leftmost, f"only one of {terms} terms is there, and the others are missing"
    if isinstance(op, ast.MatMult):
        one, two = ((each, ast.Attribute(each, "mT")) for each in map(untransposed, (left, right)))
        for a, b in (*product(one, two), *product(two, one)):
            yield ast.BinOp(a, op, b), "the factors of a product are in the wrong order or wrongly transposed"


def _regrouped(part: ast.BinOp, sign: str) -> Iterator[Change]:
    """The same names and signs with other parentheses, such as X @ (W + b)."""
    slip = "parentheses are missing or misplaced, so that `{}` comes before `{}`"
    sides = [(part.left, part.right)] + [(part.right, part.left)] * isinstance(part.op, ast.Mult)  # a * b is b * a
    for left, right in sides:
        for a, inner, b in _either_way(left):
            if type(inner) is not type(part.op):
                yield ast.BinOp(a, inner, ast.BinOp(b, part.op, right)), slip.format(sign, SIGNS[type(inner)])
        for a, inner, b in _either_way(right):
            if type(inner) is not type(part.op):
                yield ast.BinOp(ast.BinOp(left, part.op, a), inner, b), slip.format(sign, SIGNS[type(inner)])
        if isinstance(right, ast.Compare) and type(right.ops[0]) in QUESTIONS:
            compared = ast.Compare(ast.BinOp(left, part.op, right.left), right.ops, right.comparators)
            yield compared, slip.format(sign, QUESTIONS[type(right.ops[0])])


def _either_way(part: ast.expr) -> list[tuple[ast.expr, ast.operator, ast.expr]]:
    """The two sides of a part with their sign between them, and the other way round too if it is a product."""
    if not isinstance(part, ast.BinOp) or type(part.op) not in SIGNS:
        return []
    ways = [(part.left, part.op, part.right), (part.right, part.op, part.left)]
    return ways[: 1 + isinstance(part.op, ast.Mult)]


def _of_a_call(call: ast.Call) -> Iterator[Change]:
    """Another function, or axis, or none."""
    if not isinstance(call.func, ast.Attribute):
        return
    module, short = call.func.value, call.func.attr
    called = ast.unparse(call.func)
    for family in FUNCTIONS:
        for other in family if short in family else ():
            if other != short:
                renamed = ast.Attribute(module, other)
                yield ast.Call(renamed, call.args, call.keywords), f"{other} where {short} was meant"
    for at, keyword in enumerate(call.keywords):
        rest = call.keywords[:at] + call.keywords[at + 1 :]
        yield ast.Call(call.func, call.args, rest), f"{called} without {keyword.arg}"
        match keyword:
            case ast.keyword("axis", ast.Constant(0 | 1 as axis)):
                along = ast.keyword("axis", ast.Constant(1 - axis))
                keywords = [*call.keywords[:at], along, *call.keywords[at + 1 :]]
                yield ast.Call(call.func, call.args, keywords), f"{called} along the other axis"
    yield ast.Call(call.func, call.args, []), f"{called} without an axis takes all the numbers at once"
    if short in ("sum", "mean") and "axis" not in [keyword.arg for keyword in call.keywords]:
        for axis in (0, 1):
            keywords = [*call.keywords, ast.keyword("axis", ast.Constant(axis))]
            yield ast.Call(call.func, call.args, keywords), f"{called} along one axis only, like Python's own sum"
    of = call.args[0] if call.args else module
    if not isinstance(of, ast.Constant):  # such as the letters of an einsum
        yield of, f"{short} is missing"
    match call.args:
        case [ast.BinOp(base, ast.Pow() as power, exponent), *others]:
            late = ast.BinOp(ast.Call(call.func, [base, *others], call.keywords), power, exponent)
            yield late, f"`**` comes after {short}, and should come before it"


def is_shown(function: Any, slip: Slip, names: Collection[str] = ()) -> bool:
    """Whether a function asks for the names that a slip has, but for lengths, and shows what it puts in their place."""
    asked = asked_for(function)
    gone = {*names_in(slip.right)} - {*names_in(slip.line)}  # which a function that asks for it has not replaced
    fits = "itself" in slip.words or (shows(function, slip.line) and gone.isdisjoint(asked))
    return not asked or (values_in(slip.line, names) <= {*asked} and (fits or " used where " not in slip.words))


def _from_the_right(line: ast.expr) -> ast.expr:
    """The same line with a * b * c as a * (b * c), whose parts are others."""
    match line:
        case ast.BinOp(ast.BinOp(a, ast.Mult(), b), ast.Mult(), c):
            return ast.BinOp(a, ast.Mult(), ast.BinOp(b, ast.Mult(), c))
    return line
