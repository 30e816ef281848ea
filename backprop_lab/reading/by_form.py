"""What a line of a forward pass of one's own computes, where that can be told from its form alone."""

import ast

import numpy as np

from backprop_lab.nn.forms import of_form, parsed
from backprop_lab.nn.steps import Step
from backprop_lab.reading.words import COUNTED, LONGEST, WORDS
from backprop_lab.step.number_format import listed


def of_line(step: Step) -> tuple[str, str]:
    """The title and the sentence of a line: its code and none, if its form says nothing."""
    tree, axes = parsed(step.code), np.ndim(step.value)
    return (
        _of_form(step.code, "forms", axes)
        or _of_terms(tree, axes)
        or _upstream(step.code)
        or _reduction(tree, step)
        or _products(tree, axes)
        or _part(tree, step)
        or _of_form(step.code, "named", axes)
        or (step.code, "")
    )


def _of_form(code: str, table: str, axes: int) -> tuple[str, str] | None:
    """What the first form of a table says that a line has; of rows, those of a matrix."""
    for form, (title, sentence) in WORDS[table].items():
        of_rows = "axis=1" in form or ".shape[1]" in form
        found = of_form(code, form) if not of_rows or axes == 2 else None
        if found is not None and (table != "named" or all(map(str.isidentifier, found.values()))):
            return title.format_map(found), sentence.format_map(found)
    return None


def _of_terms(tree: ast.expr, axes: int) -> tuple[str, str] | None:
    """What is said of each term of a sum, where it is the same of all, as of the losses of several steps of time."""
    terms = [ast.unparse(term) for term in _terms(tree)]
    said = {_of_form(term, "forms", axes) for term in terms} if len(terms) > 1 else {None}
    if len(said) > 1 or not (alike := said.pop()):
        return None
    number = COUNTED.get(len(terms), str(len(terms)))
    return f"{alike[0]}: {number} terms", f"{alike[1]} The {number} terms are added up."


def _upstream(code: str) -> tuple[str, str] | None:
    """np.sum(out * dout), which is no loss, but stands for one."""
    found = of_form(code, "({out} * {dout}).sum()") or {}
    out, dout = found.get("out", ""), found.get("dout")
    if out.isidentifier() and dout == f"d{out}":
        return "In place of a loss", (
            f"All that is known of the loss is {dout}, its gradient for {out}. A sum of {out} times {dout} has exactly "
            "this gradient."
        )
    return None


def _reduction(tree: ast.expr, step: Step) -> tuple[str, str] | None:
    """A sum, a mean and the like, over the rows or columns of a matrix or over everything."""
    match tree:
        case ast.Call(ast.Attribute(of, name), [], keywords) if name in WORDS["sums"] and step.value is not None:
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in keywords}
            axis, axes = options.get("axis", ""), np.ndim(step.value) + (options.get("keepdims") != "True")
            each = {"0": "each column", "1": "each row", "-1": "each row"}.get(axis) if axes == 2 else None
            if not axis:
                each = "the whole array"
            elif each is None and axes > 2:
                each = f"each slice along axis {axis}"
            if each:
                title, sentence = WORDS["sums"][name]
                match of:
                    case ast.BinOp(base, ast.Pow(), ast.Constant(2)) if sentence.startswith("The numbers"):
                        of, sentence = base, sentence.replace("The numbers", "The squares of the numbers")
                        title += " of squares"
                if not isinstance(of, ast.Name):
                    code = ast.unparse(of)
                    told = code if len(code) <= LONGEST else "what is worked out first"
                    each = told if not axis else f"{each} of {told}"
                return f"{title} of {each}", sentence.format(each=each)
    return None


def _products(tree: ast.expr, axes: int) -> tuple[str, str] | None:
    """Products of matrices, or with a vector, which has no rows or columns; and what is added to them."""
    terms = [*_terms(tree)]
    products = [term for term in terms if isinstance(term, ast.BinOp) and isinstance(term.op, ast.MatMult)]
    rest = [term for term in terms if term not in products]
    if not 0 < len(products) <= 3:
        return None
    pair = "each row of {} with each column of {}" if axes > 1 else "{} with {}"
    pairs = [pair.format(ast.unparse(product.left), ast.unparse(product.right)) for product in products]
    said = f"Multiply {listed(pairs)}, and add up the products"
    if any(not isinstance(term, ast.Name) for term in rest[1:] + rest[:-1]) or (rest and axes == 0):
        return None
    is_are = "are" if len(rest) > 1 else "is"
    added = f"; then {listed([ast.unparse(term) for term in rest])} {is_are} added" if rest else ""
    title = "Weighted sums" if rest else "Matrix product" if axes else "Inner product"
    return title, f"{said}{added}."


def _terms(tree: ast.expr) -> list[ast.expr]:
    """The terms of a sum."""
    match tree:
        case ast.BinOp(left, ast.Add(), right):
            return [*_terms(left), *_terms(right)]
    return [tree]


def _part(tree: ast.expr, step: Step) -> tuple[str, str] | None:
    """Arrays joined or stacked, or some columns of one."""
    match tree:
        case ast.Call(ast.Attribute(ast.Name("np"), "concatenate"), [ast.List(parts) | ast.Tuple(parts)]):
            return "Joined", f"The numbers of {listed([ast.unparse(part) for part in parts])} in one array."
        case ast.Call(ast.Attribute(ast.Name("np"), "stack"), [ast.List(parts) | ast.Tuple(parts)]):
            return "Stacked", f"{listed([ast.unparse(part) for part in parts])}, one after the other along a new axis."
        case ast.Subscript(of, ast.Tuple([ast.Slice(None, None), ast.Slice(start, stop, None)])):
            first = ast.unparse(start) if start else "0"
            if np.ndim(step.value) == 2 and first.isdigit() and isinstance(stop, ast.Constant):
                last = int(first) + np.shape(step.value)[1] - 1
                which = f"Columns {first} to {last}" if last > int(first) else f"Column {first}"
                return "Some of the columns", f"{which} of {ast.unparse(of)}."
    return None
