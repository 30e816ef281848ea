"""Slips that change more than a name or a sign: another function, what stands outside of one, or all terms at once."""

import ast
import re
from collections.abc import Collection, Iterator
from itertools import product

import numpy as np

from backprop_lab.nn.forms import expressions, of_form, terms_of_sum, untransposed, with_others
from backprop_lab.nn.lines import names_in, tree_of
from backprop_lab.nn.losses import BinaryCrossEntropy
from backprop_lab.nn.norms import BatchNorm, LayerNorm
from backprop_lab.step.number_format import listed
from backprop_lab.step.trace import Trace

Change = tuple[ast.expr, str]  # what may be typed in place of a part of a line, and what the slip is, in words

ACTIVATIONS = {"a sigmoid": "1 / (1 + np.exp(-{X}))", "a tanh": "np.tanh({X})", "a ReLU": "np.maximum({X}, 0)"}
OF_SQUARES = {
    "var": "a variance, which subtracts the mean first, where the mean of the squares was meant",
    "std": "a standard deviation, which has a root in it, where the mean of the squares was meant",
}
NORM = (  # the gradient of what a norm takes, in one line, as most people write it
    "({{dXhat}} - {{dXhat}}.mean(axis={0}, keepdims=True) - {{Xhat}} * ({{dXhat}} * {{Xhat}}).mean(axis={0}, "
    "keepdims=True)) / np.sqrt({{var}} + {{eps}})"
)
DVAR = "({{dXhat}} * {{Xhat}}).sum(axis={0}, keepdims=True) * -0.5 / ({{var}} + {{eps}})"
OTHER_FORMS: dict[tuple[type, str], str] = {
    (norm, result): form.format(axis)
    for norm, axis in ((BatchNorm, 0), (LayerNorm, 1))
    for result, form in (("dX", NORM), ("dvar", DVAR))
} | {(BinaryCrossEntropy, "dy_pred"): "-({y} / {y_pred} - (1 - {y}) / (1 - {y_pred})) / {y}.size"}
AXIS = re.compile(r"axis=([01])\b")
LENGTH = re.compile(r"len\((\w+)\)|\b(\w+)\.shape\[1\]")
FLOAT = r"(?<![\w.])\d+\.\d+(?:e-?\d+)?(?![\w.])"
EVERY_COLUMN = "a matrix product, of every column with every other: each should meet its own, by `*` and a sum"
ONE_OF_TWO = "reaches only one of two terms: the parentheses of the sum are missing"
DEEP = 5  # how many lines may be written as one
LONG = 300  # letters of a line, beyond which nobody writes it as one


def further_changes(part: ast.expr) -> Iterator[Change]:
    """What may be typed in place of one part of a line, or of the whole line."""
    for what, form in ACTIVATIONS.items() if isinstance(part, ast.Call | ast.BinOp) else ():
        if found := of_form(ast.unparse(part), form):
            for another, its_form in ACTIVATIONS.items():
                if another != what:
                    yield tree_of(its_form.format(X=f"({found['X']})")), f"{another} where {what} was meant"
            if what == "a sigmoid":
                yield tree_of(found["X"]), "the sigmoid is missing"
                yield from _outside(tree_of(found["X"]), "the sigmoid", form)
    match part:
        case ast.Call(ast.Attribute(ast.Name("np"), "where"), [asked, one, other], []):
            yield ast.Call(part.func, [asked, other, one], []), "the two choices of np.where have changed places"
            yield one, "np.where is missing, and with it the mask"
            yield other, "np.where is missing, and with it the first of its two choices"
            if ast.unparse(other) != "0":
                elsewhere = ast.Call(part.func, [asked, one, ast.Constant(0)], [])
                yield elsewhere, f"where the condition fails, it should be {ast.unparse(other)}, not 0"
        case ast.Call(ast.Attribute(ast.Name("np"), name), [X], []):
            if name == "sqrt":
                yield ast.BinOp(X, ast.Pow(), ast.Constant(2)), "a square where a root was meant"
            yield from _outside(X, f"np.{name}", f"np.{name}({{X}})")
        case ast.Call(ast.Attribute(of, "mean" | "sum" as how), args, keywords):
            yield tree_of(f"np.sqrt({ast.unparse(part)})"), "a root that does not belong there"
            match of, [(each.arg, ast.unparse(each.value)) for each in keywords]:
                case ast.BinOp(a, ast.Mult(), b), [("axis", "0"), *_] if how == "sum":
                    for one, other in ((a, b), (b, a)):
                        yield ast.BinOp(ast.Attribute(one, "mT"), ast.MatMult(), other), EVERY_COLUMN
            match [of, *args]:
                case [*module, ast.BinOp(X, ast.Pow(), ast.Constant(2))] if how == "mean":
                    for name, words in OF_SQUARES.items():
                        function = ast.Attribute(module[0] if module else X, name)
                        yield ast.Call(function, [X] if module else [], keywords), words
            for keyword in keywords:
                if keyword.arg == "axis" and ast.unparse(keyword.value) == "-1":
                    rest = [each for each in keywords if each is not keyword]
                    for axis in ("0", "(0, 1)"):
                        along = ast.keyword("axis", tree_of(axis))
                        yield ast.Call(part.func, args, [along, *rest]), "a mean or sum along another axis"
        case ast.Call(ast.Name("len")) | ast.Subscript(ast.Attribute(_, "shape"), ast.Constant()):
            yield ast.BinOp(part, ast.Sub(), ast.Constant(1)), f"1 less than {ast.unparse(part)}"
        case ast.BinOp(ast.BinOp(a, ast.MatMult() as op, b), ast.MatMult(), c):
            for kept, lost in (((a, c), b), ((b, c), a), ((a, b), c)):
                yield ast.BinOp(kept[0], op, kept[1]), f"{ast.unparse(lost)} is missing"
        case ast.Attribute(ast.BinOp(a, ast.MatMult(), b), "mT" | "T" as turned):
            for kept_one, lost in ((a, b), (b, a)):
                yield ast.Attribute(kept_one, turned), f"{ast.unparse(ast.Attribute(lost, turned))} is missing"
        case ast.BinOp(base, ast.Pow(), exponent):
            yield base, f"`** {ast.unparse(exponent)}` is missing"
        case ast.Subscript(ast.Call(ast.Attribute(ast.Name("np"), "eye")), ast.Name(labels)):
            yield tree_of(f"{labels}[:, None]"), f"the numbers in {labels}, where a 1 at each of these places was meant"
        case ast.BinOp(ast.BinOp(a, ast.Add() | ast.Sub() as op, b), ast.Div() as by, divisor):
            yield ast.BinOp(ast.BinOp(a, by, divisor), op, b), f"`/ {ast.unparse(divisor)}` {ONE_OF_TWO}"
        case ast.BinOp(left, ast.Div(), ast.Call(ast.Attribute(ast.Name("np"), name), [X], [])):
            yield from _outside(X, f"np.{name}", f"({ast.unparse(left)}) / np.{name}({{X}})")
        case ast.BinOp(left, ast.Mult(), right):
            yield from _of_one_term(part)
            if isinstance(left, ast.UnaryOp):
                yield ast.UnaryOp(left.op, right), f"{ast.unparse(left.operand)} is missing"
        case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
            two = ast.Constant(2)
            yield ast.BinOp(ast.BinOp(two, ast.Mult(), left), op, right), f"{ast.unparse(left)} counts twice"
            yield ast.BinOp(left, op, ast.BinOp(two, ast.Mult(), right)), f"{ast.unparse(right)} counts twice"
            match left, right:
                case ast.BinOp(a, ast.Mult(), x), ast.BinOp(b, ast.Mult(), y):
                    swapped = f"{ast.unparse(a)} and {ast.unparse(b)} have changed places"
                    yield ast.BinOp(ast.BinOp(b, ast.Mult(), x), op, ast.BinOp(a, ast.Mult(), y)), swapped
            if isinstance(op, ast.Sub):
                for one, _ in _of_one_term(right, "- "):
                    yield ast.BinOp(left, op, one), "the minus reaches only one of two terms: parentheses are missing"


def another_count(part: ast.expr, arrays: Collection[str] = ()) -> Iterator[Change]:
    """The number of rows, of columns or of entries of an array in place of another one of these.

    In place of a `len` may also stand the number of columns of other arrays.
    """
    match part:
        case ast.Call(ast.Name("len"), [of]):
            own = "rows"
        case ast.Subscript(ast.Attribute(of, "shape"), ast.Constant(0 | 1 as axis)):
            own = "columns" if axis else "rows"
        case ast.Attribute(of, "size"):
            own = "entries"
        case _:
            return
    ways = [("rows", "len({})"), ("columns", "{}.shape[1]"), ("entries", "{}.size")]
    ways += [("columns", f"{array}.shape[1]") for array in arrays if isinstance(part, ast.Call)]
    for what, form in ways:
        if what != own:
            words = f"a number of {what} where that of {own}, {ast.unparse(part)}, was meant"
            yield tree_of(form.format(ast.unparse(of))), words


def _outside(X: ast.expr, what: str, form: str) -> Iterator[Change]:
    """A function of a part of the sum that it is of: np.sqrt(a) + b for np.sqrt(a + b)."""
    outside = ""
    while isinstance(X, ast.BinOp) and isinstance(X.op, ast.Add | ast.Sub):
        sign = "+" if isinstance(X.op, ast.Add) else "-"
        outside, X = f" {sign} {ast.unparse(X.right)}{outside}", X.left
        words = f"`{outside.strip()}` stands outside of {what}, and belongs inside: the parentheses end too early"
        yield tree_of(form.format(X=f"({ast.unparse(X)})") + outside), words


def _of_one_term(product: ast.expr, sign: str = "") -> Iterator[Change]:
    """Factors that reach one of two terms alone: a * c + b * c * d for (a + b) * c * d; or a sign that does."""
    factors = _factors(product)
    for at, factor in enumerate(factors):
        if not isinstance(factor, ast.BinOp) or not isinstance(factor.op, ast.Add) or len(factors) > 5:
            continue
        codes = [f"({ast.unparse(each)})" for each in factors[:at] + factors[at + 1 :]]
        a, b = (f"({ast.unparse(each)})" for each in (factor.left, factor.right))
        if sign:
            yield tree_of(f"{' * '.join([a, *codes])} - {' * '.join([b, *codes])}"), ""
        for kept in range(len(codes)) if not sign else ():
            lost = " * ".join(code if " " in code else code[1:-1] for code in codes[kept:])
            for one, other in ((codes[:kept], codes), (codes, codes[:kept])):
                line = f"{' * '.join([a, *one])} + {' * '.join([b, *other])}"
                yield tree_of(line), f"`{lost}` {ONE_OF_TWO}"


def _factors(part: ast.expr) -> list[ast.expr]:
    match part:
        case ast.BinOp(left, ast.Mult(), right):
            return [*_factors(left), right]
    return [part]


def everywhere(line: ast.expr, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The line with all names of a series one step further, or those of another layer or gate in place of its own, or
    with one part of an array in all of its terms.
    """
    used = [name for name in names_in(ast.unparse(line)) if name in names]
    series: dict[str, list[int]] = {}
    for stem, number in (each.groups() for name in used if (each := re.fullmatch(r"(.*?\D)(\d+)", name))):
        series.setdefault(stem, []).append(int(number))
    for stem, numbers in series.items():
        for by, when in ((1, "later"), (-1, "earlier")):
            moved = {f"{stem}{number}": f"{stem}{number + by}" for number in numbers}
            if by > 0 and len(before := [name for name in used if re.fullmatch(rf"{re.escape(stem)}\D+", name)]) == 1:
                moved[before[0]] = f"{stem}{min(numbers)}"  # what comes before the first, such as h_prev
            if len(moved) > 1 and {*moved.values()} <= {*names}:
                used_here, meant = listed([*moved.values()]), listed([*moved])
                words = f"one step {when} than it should be: {used_here} used where {meant} were meant"
                yield with_others(line, moved), words
    terms = terms_of_sum(line)[0]
    for term, stem in product(terms if len(terms) > 1 else (), series):
        numbered = [name for name in names if re.fullmatch(rf"{re.escape(stem)}\d+", name)]
        there = [name for name in names_in(ast.unparse(term)) if name in numbered]
        for here, another in product(there, [name for name in numbered if name not in used]):
            more = with_others(term, {here: another})
            yield f"{ast.unparse(line)} + {more}", f"`{more}` is too much"
    for end in sorted({name[-1] for name in used if len(name) > 1}):
        own = [name for name in used if len(name) > 1 and name.endswith(end)]
        for other in sorted({name[-1] for name in names} - {end}) if len(own) > 1 else ():
            moved = {name: name[:-1] + other for name in own}
            if {*moved.values()} <= {*names}:
                words = f"{' and '.join(moved.values())} used where {' and '.join(moved)} were meant"
                yield with_others(line, moved), words
    slices = [each for each in ast.walk(line) if isinstance(each, ast.Subscript)]
    for base in dict.fromkeys(ast.unparse(each.value) for each in slices):
        parts = list(dict.fromkeys(ast.unparse(each) for each in slices if ast.unparse(each.value) == base))
        for one in parts if len(parts) > 1 else ():
            words = f"`{one}` stands in every term, but each needs its own part of {base}"
            yield with_others(line, dict.fromkeys(parts, one)), words
    yield from _in_all_terms(line)


def _in_all_terms(line: ast.expr) -> Iterator[tuple[str, str]]:
    """The line with one slip made in every axis, sign or product; or with sums multiplied, for a sum of products."""
    code, terms, signs = ast.unparse(line), *terms_of_sum(line)
    across = AXIS.sub(lambda axis: f"axis={1 - int(axis[1])}", code)
    if 1 < code.count("axis=") == len(AXIS.findall(code)):
        yield across, "everything goes along the other axis"
    if across != code:  # and is divided by as many as there are along that
        others = LENGTH.sub(lambda length: f"{length[1] or length[2]}.shape[{int(bool(length[1]))}]", across)
        yield others, "everything goes along the other axis"
    if len(terms) > 2:
        rest = (
            f"{'-' if sign == '+' else '+'} {ast.unparse(each)}" for sign, each in zip(signs, terms[1:], strict=True)
        )
        yield " ".join([ast.unparse(terms[0]), *rest]), "all signs between the terms are the other way round"
    factors = [
        (term.left, term.right) for term in terms if isinstance(term, ast.BinOp) and isinstance(term.op, ast.MatMult)
    ]
    transposed = [[untransposed(each) is not each for each in both] for both in factors]
    was = transposed[0] if transposed else []
    if len(terms) < 2 or transposed != [was] * len(terms) or "-" in signs:
        return
    bare = [[untransposed(each) for each in both] for both in factors]
    plain = [[f"({ast.unparse(x)})" if isinstance(x, ast.BinOp) else ast.unparse(x) for x in both] for both in bare]
    for is_swapped, *turned in product((False, True), repeat=3):
        if is_swapped and turned == [not each for each in was]:
            continue  # it is the right one transposed, and told as that
        one, two = (".mT" * each for each in turned)
        ways = [f"{b}{two} @ {a}{one}" if is_swapped else f"{a}{one} @ {b}{two}" for a, b in plain]
        yield " + ".join(ways), "in every product the factors are in the wrong order or wrongly transposed"
    left, right = (" + ".join(each) for each in zip(*plain, strict=True))
    one, two = (".mT" * each for each in was)
    for side, same in product((0, 1), plain):
        ways = [f"{same[0]}{one} @ {b}{two}" if side == 0 else f"{a}{one} @ {same[1]}{two}" for a, b in plain]
        yield " + ".join(ways), f"{same[side]} stands in every term, but each needs its own"
    also = f"{plain[0][0]}{one} @ {plain[1][1]}{two}"
    words = f"a product of two sums, which has terms such as `{also}` in it too"
    yield f"({left}){one} @ ({right}){two}", f"{words}: multiply place by place, then add up the products"


def of_other_numbers(trace: Trace, code: str) -> Iterator[tuple[str, str]]:
    """The line with a number of another line in place of its own, or of the rate, such as the other beta of Adam."""
    numbers = dict.fromkeys(re.findall(FLOAT, " ".join(step.code for step in trace.steps)))
    for own in dict.fromkeys(re.findall(rf"{FLOAT}|\blr\b", code)):
        for other in numbers:
            if other != own:
                changed = re.sub(rf"(?<![\w.]){re.escape(own)}(?![\w.])", other, code)
                yield changed, f"{other} used where {own} was meant"


def of_other_values(trace: Trace, known: Collection[str], code: str) -> Iterator[tuple[str, str]]:
    """The line with a value in place of a part that it shares a name with, such as std for np.exp(s), where std is made
    of s; or with a gradient and another one in place of that gradient."""
    steps = [step for step in trace.steps if step.name in known]
    gradients = [step.name for step in steps if step.role == "gradient"]
    made_of = {step.name: {step.name, *step.operands} for step in steps if step.phase == "forward"}
    line = ast.Expression(tree_of(code))
    for part, put in [*expressions(line)][1:]:
        names = {*names_in(ast.unparse(part))} if isinstance(part, ast.BinOp | ast.Call) else set()
        for value in [value for value, of in made_of.items() if of & names and value not in names]:
            put(ast.Name(value))
            yield ast.unparse(line), f"{value} used where {ast.unparse(part)} was meant"
        own = part.id if isinstance(part, ast.Name) else ""
        for other in gradients if own in gradients else ():
            if other != own and np.shape(trace[other]) == np.shape(trace[own]):
                put(ast.BinOp(part, ast.Add(), ast.Name(other)))
                yield ast.unparse(line), f"`+ {other}` is too much"
        put(part)


def written_out(trace: Trace, name: str, asked: Collection[str]) -> list[str]:
    """The line for a name with what a function does not ask for written out, where it asks for what that is made of.

    First the form that most people write, if it is another, then with a little written out, then with more; no line
    that is longer than anybody writes one.
    """
    steps = {step.name: step for step in trace.steps}

    def asks_for_a_part(inner: str) -> bool:
        operands = steps[inner].operands
        return any(each in asked or (each in steps and asks_for_a_part(each)) for each in operands)

    def longer(line: str) -> str:
        inner = (each for each in names_in(line) if each in steps and each not in asked and asks_for_a_part(each))
        return with_others(tree_of(line), {each: steps[each].code for each in inner})

    lines = [ast.unparse(tree_of(steps[name].code))] if name in steps else []
    other = OTHER_FORMS.get((steps[name].kind, steps[name].result)) if lines else None
    form = [steps[name].rewritten(other, "", "").code] if other else []
    while lines and len(lines) < DEEP and (more := longer(lines[-1])) != lines[-1]:
        lines.append(more)
    return [line for line in form + lines[1:] if len(line) <= LONG]
