"""What a line of a forward pass of one's own computes, where that can be told from its form alone."""

import ast
from typing import NamedTuple

import numpy as np

from backprop_lab.nn.forms import of_form, parsed
from backprop_lab.nn.steps import Step


class Form(NamedTuple):
    """The form of a line, its title and its sentence, in which braces stand for what the form has there."""

    form: str
    title: str
    sentence: str


NO_OVERFLOW = "The largest number of each row becomes 0 and all others lie below it, so no power of e overflows."
TO_PROBABILITIES = "Every score becomes a positive number, and each row is divided by its sum, so that it adds up to 1."
FROM_SCORES = (
    "They are made from the scores, not from the probabilities: a tiny probability may have been rounded to 0, which "
    "has no logarithm."
)
SURPRISE = "How surprising are the right answers? Take minus the logarithm of the probability of each, and the mean."
FORMS = (
    Form(
        "np.tanh({X})",
        "Tanh",
        "Every number is squashed into the range from −1 to 1: large positive ones end up close to 1, large negative "
        "ones close to −1.",
    ),
    Form(
        "1 / (1 + np.exp(-{X}))",
        "Sigmoid",
        "Every number is squashed into the range from 0 to 1: large positive ones end up close to 1, large negative "
        "ones close to 0.",
    ),
    Form("np.maximum({X}, 0)", "ReLU", "A positive number passes through unchanged; a negative one becomes 0."),
    Form(
        "0.5 * {X} * (1 + np.tanh({Z}))",
        "GELU",
        "Large positive numbers pass through, large negative ones become 0, and in between it goes over smoothly.",
    ),
    Form("{X} - {X}.max(axis=1, keepdims=True)", "Scores minus the row maximum", NO_OVERFLOW),
    Form("np.exp({X} - {X}.max(axis=1, keepdims=True))", "Powers of e", NO_OVERFLOW),
    Form("np.exp({X}) / np.exp({X}).sum(axis=1, keepdims=True)", "Softmax probabilities", TO_PROBABILITIES),
    Form("np.exp({X}) / np.exp({X}).sum()", "Softmax probabilities", "Every score becomes a positive number, and all "
         "are divided by their sum, so that they add up to 1."),
    Form("{X} / {X}.sum(axis=1, keepdims=True)", "Divided by the sum of the row",
         "Each row is divided by its sum, so that it adds up to 1."),
    Form("{X} - np.log(np.exp({X}).sum(axis=1, keepdims=True))", "Log-probabilities", FROM_SCORES),
    Form("-({y} * np.log({p}) + (1 - {y}) * np.log(1 - {p})).mean()", "Cross-entropy", SURPRISE),
    Form("-{Q}[np.arange({n}), {y}].mean()", "Loss of the right classes",
         "From each row of {Q} one number is picked, that of its class in {y}; take minus their mean."),
    Form("-np.log({P}[np.arange({n}), {y}]).mean()", "Cross-entropy",
         "From each row of {P} the probability of its class in {y} is picked; take minus the mean of the logarithms."),
    Form("(({A} - {B})**2).sum()", "Sum of squares", "Every difference is squared, and all the squares are added up."),
    Form("(({A} - {B})**2).sum() / len({C})", "Squares, per row",
         "Every difference is squared, all the squares are added up and divided by the number of rows."),
    Form("(({A} - {B})**2).mean()", "Mean square", "Every difference is squared, and the mean of all squares taken."),
    Form("np.where({C}, {X}, {Z})", "A choice, number by number", "Where {C} holds it is {X}, elsewhere it is {Z}."),
    Form("{X}.mT", "Transpose", "Rows become columns: the numbers change places, and stay as they are."),
    Form("np.sin({X})", "Sine", "Every number goes into a wave between −1 and 1."),
    Form("np.cos({X})", "Cosine", "Every number goes into a wave between −1 and 1."),
    Form("np.exp({X})", "Powers of e", "Every number becomes a positive one: a sum becomes a product."),
    Form("np.log({X})", "Logarithm", "A product becomes a sum; it is below 0 for numbers between 0 and 1."),
)  # fmt: skip
SUMMED = {
    "sum": ("Sum", "The numbers of {each} are added up."),
    "mean": ("Mean", "The numbers of {each} are added up and divided by how many there are."),
    "max": ("Maximum", "The largest number of {each}."),
    "min": ("Minimum", "The smallest number of {each}."),
    "var": ("Variance", "How far the numbers of {each} are from their mean: the mean of the squared distances."),
    "std": ("Standard deviation", "How far the numbers of {each} are from their mean: the root of the mean square."),
}


def of_line(step: Step) -> tuple[str, str]:
    """The title and the sentence of a line: its code and none, if its form says nothing."""
    for form, title, sentence in FORMS:
        if sentence and (found := of_form(step.code, form)) is not None:
            return title, sentence.format_map(found)
    tree = parsed(step.code)
    return _upstream(tree) or _reduction(tree, step) or _products(tree) or _join(tree, step) or (step.code, "")


def _upstream(tree: ast.expr) -> tuple[str, str] | None:
    """np.sum(out * dout), which is no loss, but stands for one."""
    match tree:
        case ast.Call(ast.Attribute(ast.BinOp(ast.Name(out), ast.Mult(), ast.Name(dout)), "sum"), [], []):
            if dout == f"d{out}":
                return "In place of a loss", (
                    f"Of the loss only its gradient for {out} is known, {dout}. A sum of {out} times {dout} has just "
                    "this gradient."
                )
    return None


def _reduction(tree: ast.expr, step: Step) -> tuple[str, str] | None:
    """A sum, a mean and the like, over the rows or columns of a matrix or over everything."""
    match tree:
        case ast.Call(ast.Attribute(of, name), [], keywords) if name in SUMMED and step.value is not None:
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in keywords}
            axis, axes = options.get("axis"), np.ndim(step.value) + (options.get("keepdims") != "True")
            each = {"0": "each column", "1": "each row", "-1": "each row"}.get(axis or "") if axes == 2 else None
            if axis is None:
                each = "the whole array"
            if each:
                title, sentence = SUMMED[name]
                of_squares = isinstance(of, ast.BinOp) and isinstance(of.op, ast.Pow) and ast.unparse(of.right) == "2"
                said = sentence.replace("The numbers", "The squares of the numbers") if of_squares else sentence
                return f"{title} of {each}", said.format(each=each)
    return None


def _products(tree: ast.expr) -> tuple[str, str] | None:
    """Products of matrices, and what is added to them."""
    terms = [*_terms(tree)]
    products = [term for term in terms if isinstance(term, ast.BinOp) and isinstance(term.op, ast.MatMult)]
    rest = [term for term in terms if term not in products]
    if not products or len(products) > 3:
        return None
    pairs = [f"each row of {ast.unparse(p.left)} with each column of {ast.unparse(p.right)}" for p in products]
    said = f"Multiply {_listed(pairs)}, and add up the products"
    if any(not isinstance(term, ast.Name) for term in rest[1:] + rest[:-1]):
        return None
    is_are = "are" if len(rest) > 1 else "is"
    added = f"; then {_listed([ast.unparse(term) for term in rest])} {is_are} added" if rest else ""
    return "Weighted sums" if rest else "Matrix product", f"{said}{added}."


def _terms(tree: ast.expr) -> list[ast.expr]:
    """The terms of a sum."""
    match tree:
        case ast.BinOp(left, ast.Add(), right):
            return [*_terms(left), *_terms(right)]
    return [tree]


def _join(tree: ast.expr, step: Step) -> tuple[str, str] | None:
    """Arrays joined, scaled and shifted, reshaped, or a part of one."""
    match tree:
        case ast.Call(ast.Attribute(ast.Name("np"), "concatenate"), [ast.List(parts) | ast.Tuple(parts)]):
            return "Joined", f"The numbers of {_listed([ast.unparse(part) for part in parts])} in one array."
        case ast.Subscript(ast.Name(of), ast.Name(index)):
            return "Lookup", f"One entry of {of} is looked up for each index in {index}."
        case ast.Call(ast.Attribute(of, "reshape")):
            return "Another shape", f"The numbers of {ast.unparse(of)} stay as they are and in order, in another shape."
        case ast.Subscript(of, ast.Tuple([ast.Slice(None, None), ast.Slice(start, stop, None)])):
            first = ast.unparse(start) if start else "0"
            if np.ndim(step.value) == 2 and first.isdigit() and isinstance(stop, ast.Constant):
                last = int(stop.value) - 1  # type: ignore[arg-type]
                return "Some of the columns", f"Columns {first} to {last} of {ast.unparse(of)}."
        case ast.BinOp(
            ast.BinOp(ast.Name(a), ast.Mult(), ast.Name(X)), ast.Add(), ast.BinOp(ast.Name(b), ast.Mult(), ast.Name(Z))
        ):
            return "Two products, added", f"{a} is multiplied by {X}, and {b} by {Z}, cell by cell; the two are added."
        case ast.BinOp(ast.BinOp(ast.Name(X), ast.Mult(), ast.Name(Z)), ast.Add(), ast.Name(b)):
            return "Scaled and shifted", f"{X} is multiplied by {Z}, cell by cell, and {b} is added."
        case ast.BinOp(ast.Name(X), ast.Sub(), ast.Name(mean)):
            return f"{X} minus {mean}", f"How far each number of {X} lies above that of {mean}."
    return None


def _listed(parts: list[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last
