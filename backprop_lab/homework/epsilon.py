"""A loss without its epsilon: who adds 1e-8 inside a logarithm seldom means its slope to be in the gradient."""

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from inspect import signature
from typing import Any

from backprop_lab.homework.code import Code
from backprop_lab.homework.loss import OwnLoss
from backprop_lab.homework.mending import own_code
from backprop_lab.step.number_format import listed

LARGEST = 1e-4  # that is an epsilon


@contextmanager
def without_epsilon(own: OwnLoss) -> Iterator[tuple[OwnLoss | None, str]]:
    """The loss with 0 in place of each small number that its code adds, and these; None where there is no such loss.

    The learner's functions are as they were when this ends.
    """
    known = dict(own.functions())
    codes = own_code([*known])
    places = [place for code in codes for place in _left_out(code, known[code.function])]
    there = None
    try:
        with suppress(ValueError):  # as where the loss stops without it
            for code in codes if places else ():
                code.put_in_place()
            there = OwnLoss(own.loss, own.at, own.given) if places else None
        yield there, listed([*dict.fromkeys(places)])
    finally:
        for code in codes:
            code.put_back()


def _left_out(code: Code, known: Mapping[str, Any]) -> Iterator[str]:
    """Put 0 in place of each small number that is added in a function, as 1e-8 or by name; yields what stood there."""
    numbers = {**known, **{name: each.default for name, each in signature(code.function).parameters.items()}}
    for node in ast.walk(code.tree):
        is_sum = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
        for side in ("left", "right") if is_sum else ():
            part = getattr(node, side)
            value = part.value if isinstance(part, ast.Constant) else numbers.get(getattr(part, "id", ""))
            if isinstance(value, float) and 0 < value <= LARGEST:
                yield f"`{ast.unparse(part)}` in line {code.first + part.lineno - 1}"
                setattr(node, side, ast.copy_location(ast.Constant(0.0), part))
