"""Derivatives of the loss without calculus, to check backpropagation against; `proof` says how far to trust them."""

import ast
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.nn.running import NOISE
from backprop_lab.nn.steps import Lines, Step, filled
from backprop_lab.step.problem import Problem
from backprop_lab.step.program import Program

_CORNERS = re.compile(r"[<>]|[=!]=|\b(abs|absolute|fabs|minimum|clip|where|max|min|sign|fmax|fmin)\b")
LossOf = Callable[..., Any]  # the loss as a function of one array


def loss_with(problem: Problem, name: str, value: Array) -> Array:
    """The loss if `name`, a parameter, X or the output of a layer such as H1, had another `value`.

    A stack of values, (S, ...), gives S losses. Raises KeyError if the problem has no such name.
    """
    loss: Array = loss_of(problem, name)(value)
    return loss


def loss_of(problem: Problem, name: str, lines: Lines | None = None) -> LossOf:
    """The loss as a function of one value of the step before the loss, or of a stack: see `loss_with`.

    The lines after that value are run, over a stack all at once, unless one takes one problem at a time: those of the
    problem, or others in their place, such as `off_at_zero` gives. With a random generator, `noise`, every operation in
    them is rounded at random.
    """
    given, all_lines = problem.given, problem.lines if lines is None else lines
    before = [s.name for s in all_lines if s.phase in ("forward", "loss") and s.name != problem.loss_name]
    of_data = (*problem.data, *problem.state) if isinstance(problem, Program) else ("X",)
    names = [*problem.parameters, *of_data, *before]
    if name not in names:
        raise KeyError(f"the loss does not depend on {name!r}, only on {', '.join(names)}")
    after = Lines(step for step in all_lines if step.name != name)
    at = given[name] if name in given else all_lines.function((name,), tuple(given))(*given.values())[0]
    dimensions = {each: np.ndim(value) for each, value in {**given, name: at}.items()}

    def loss(value: Array, noise: Any = None) -> Array:
        value = np.asarray(value)
        known = given | {name: value} | ({} if noise is None else {NOISE: noise})
        (L,) = after.call((problem.loss_name,), known, dimensions, analytic=np.iscomplexobj(value))
        return np.broadcast_to(L, value.shape[: value.ndim - np.ndim(at)])

    return loss


def central_difference(loss: LossOf, at: Array, h: Any = 1e-6) -> Array:
    """(L(p + h) - L(p - h)) / 2h for every entry p of `at`, with h in units of max(1, |p|).

    `loss` is any function of an array that gives a number. The error is of order h^2 from a curve that is not a
    parabola and of order 1e-16 L / h from rounding, so h must be neither too large nor too small. A ReLU that switches
    between p - h and p + h spoils its entries. With `Fraction` numbers and a squared error there is no rounding, and
    without a switch the result is exact.
    Source: https://cs231n.github.io/neural-networks-3/#gradcheck
    """
    h = h * np.maximum(1, np.abs(at))
    moves = one_entry_each(at) * h
    found = [loss(at + move) - loss(at - move) for move in moves]
    slopes: Array = np.array(found).reshape(at.shape) / (2 * h)
    return slopes


def one_entry_each(at: Array) -> Array:
    """A stack of arrays shaped like `at`, each with a single 1: to move every entry alone, all of them side by side."""
    return np.eye(at.size, dtype=int).reshape(at.size, *at.shape)


def off_at_zero(problem: Problem) -> Lines:
    """Its lines just off their corners, on the side that the backward pass takes: every ReLU at 0 is off.

    What comes to a layer without parameters, which alone may have corners, is taken to be less by the smallest float.
    In a program that is what a maximum with 0 takes.
    """
    if isinstance(problem, Program):
        return Lines(step._replace(code=_off_corner(step.code)[0]) for step in problem.lines)
    bare = {stage.Y for stage in problem.stages if not stage.layer.learnt}
    return Lines(_off_at_zero(step) if step.names.get("Y") in bare else step for step in problem.lines)


def has_corners(problem: Problem) -> bool:
    """Whether a line of a program may have a corner that `off_at_zero` does not know."""
    codes = [step.code for step in problem.lines if step.phase in ("forward", "loss")]
    return isinstance(problem, Program) and any(_CORNERS.search(code) or not _off_corner(code)[1] for code in codes)


def takes_complex(problem: Problem) -> bool:
    """Whether a complex step is sure to hold: each function of a program has its rule for one, and no line a corner."""
    return isinstance(problem, Program) and not has_corners(problem)


@lru_cache(maxsize=512)
def _off_corner(code: str) -> tuple[str, bool]:
    """A line in which each maximum of something and 0 takes a little less of it, and whether there is no other one."""
    if "maximum" not in code:
        return code, True
    tree, no_other = ast.parse(code, mode="eval"), True
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.maximum" and len(node.args) == 2:
            zeros = [isinstance(each, ast.Constant) and each.value == 0 for each in node.args]
            no_other = no_other and any(zeros)
            node.args = [
                each if is_zero or not any(zeros) else ast.BinOp(each, ast.Sub(), ast.Constant(sys.float_info.min))
                for each, is_zero in zip(node.args, zeros, strict=True)
            ]
    return ast.unparse(tree), no_other


def _off_at_zero(step: Step) -> Step:
    less = {**step.names, "X": f"({step.names['X']} - {sys.float_info.min})"}
    return step._replace(code=filled(step.template, less)[0])


def relative_error(analytic: Array, numeric: Array) -> float:
    """max|analytic - numeric| / max(max|analytic|, max|numeric|); 0 where all are 0, nan where a number is not finite.

    So a gradient that is wrong by 1 % has an error of about 1e-2, however small or large it is.
    """
    analytic, numeric = (np.asarray(each, dtype=float) for each in (analytic, numeric))
    size = max(np.max(np.abs(analytic)), np.max(np.abs(numeric)))
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(analytic - numeric)) / size) if size else 0.0
