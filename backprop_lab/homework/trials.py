"""What a learner's lines are tried on: the problem with every gradient that they give, and with other numbers."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np

from backprop_lab.homework.layout import Layout, is_count
from backprop_lab.homework.names import ACTIVATED, AFTER, BEFORE, TARGETS, Names
from backprop_lab.homework.statements import ANOTHER_NAME, Statement
from backprop_lab.nn.layers import Array
from backprop_lab.step.problem import Problem
from backprop_lab.step.program import Program
from backprop_lab.step.trace import Trace, trace

CROSSED = re.compile(r"z(_?\d+)")  # which is read from a, and not the other way round
MASKED = re.compile(r"\* D\d+\b(?! @|\.)|\*= D\d+\b|multiply\([^,]*, D\d+\)|\bD\d+ \* d")  # of which D1 is the mask
OTHERS, TRIES = 3, 60  # problems with other numbers, on which lines are judged, and how many are tried


def with_gradients(given: Trace, own: Mapping[str, Any], statements: Sequence[Statement]) -> Trace:
    """The trace of a program with a gradient for each of its values for which the learner has a line.

    Nobody asks for that of a target: where y is one, `dy` is that of what is held against it.
    """
    problem, names = given.problem, Names(given, Layout(), own)
    of = dict.fromkeys(names.of_gradient(each.name) for each in statements)
    for name in of:
        is_target = name.lower() in TARGETS and name in problem.data
        if isinstance(problem, Program) and name and f"d{name}" not in given and not is_target:
            with suppress(ValueError):  # it has no slope, or no part in the loss
                problem = problem.with_gradients([name])
    return given if problem is given.problem else trace(problem)


def one_after_the_other(given: Trace, statements: Sequence[Statement]) -> frozenset[str]:
    """Names that stand for many values, such as dx in `dx = dx @ W2.T`, and not for the gradient of the data x.

    So does dout, once a line has used it and it goes on as another, and w in `w = W2` and `W2 = w`, and not for W1; and
    grad_W2 is only a part of dW2 in `dW2 = grad_W2 + reg * W2`.
    """
    problem, names = given.problem, Names(given, Layout(), {})
    begun = Counter(each.name for each in statements if each.text.startswith(f"{each.name} = "))
    parts = {name for each in problem.parameters for name in (each, f"d{each}")}
    passing = {name for name in begun if begun[name] > 1 and names.of_gradient(name) in problem.data}
    for at, each in enumerate(statements):
        of, is_copy = names.gradient(each.name), ANOTHER_NAME.fullmatch(each.text)
        if each.text.startswith(f"{each.name} = ") and given.role(of) == "gradient":
            others = {} if is_copy else each.reads & {*begun} - {each.name}
            passing |= {read for read in others if names.gradient(read) == of}
            is_used = any(each.name in other.reads and each.name != other.name for other in statements[:at])
            if each.goes_on and is_used and not re.search(r"\d", each.name) and names.is_on_the_way(of):
                passing.add(each.name)
    for copied in (ANOTHER_NAME.fullmatch(each.text) for each in statements):
        meant = {name: names.of(name) or names.gradient(name) for name in copied.groups()} if copied else {}
        if len({*meant.values()}) == 2 and parts.issuperset(meant.values()):
            passing |= {name for name in meant if not re.search(r"\d", name)}
    return frozenset(passing)


def others(problem: Problem, keeps_data: bool = False, keeps_step: bool = True) -> list[Trace]:
    """The same network with other numbers in it, and other samples, where something gets everywhere; and if a single
    number may be 0, as behind a ReLU, one in which it is.

    A program may keep its data, which may hang together in a way that others would not; and a step its number, where
    that is said in the lines.
    """
    found, with_zeros = list[Trace](), list[Trace]()
    for seed in range(TRIES):
        rng = np.random.default_rng(seed)
        parameters = {name: rng.standard_normal(value.shape) for name, value in problem.parameters.items()}
        if isinstance(problem, Program):
            data = {} if keeps_data else {name: _drawn(value, rng) for name, value in problem.data.items()}
            changed: dict[str, Any] = {"data": data}
        else:
            y = np.asarray(problem.y, float)
            targets = rng.permutation(y) if hasattr(problem.loss, "check_targets") else _drawn(y, rng)
            state = {name: _drawn(value, rng) ** 2 for name, value in problem.state.items() if np.ndim(value)}
            if not keeps_step and "step" in problem.state:
                state["step"] = problem.state["step"] + 2
            changed = {"X": rng.standard_normal(problem.X.shape), "y": targets, "state": {**problem.state, **state}}
        with suppress(ValueError):  # a part of a reader's own may refuse them
            other = trace(problem.evolve(parameters=parameters, **changed))
            values = [np.asarray(value, float) for value in other.values()]
            if all(np.isfinite(value).all() for value in values):
                empty = [value.size for value in values if not value.any()]
                if not empty or 1 in empty:
                    (with_zeros if empty else found).append(other)
        if len(found) == OTHERS:
            break
    return found + with_zeros[:1]


def _drawn(data: Array, rng: np.random.Generator) -> Array:
    """Other numbers of the same kind: what says where, such as 0 and 1, or a place, is only put in another order."""
    says_where = data.dtype.kind != "f" or (np.isin(data, (0, 1)).all() and data.any()) or np.max(np.abs(data)) > 1e6
    if says_where or is_count(data):
        return rng.permutation(data) if data.ndim else data
    return np.asarray(rng.standard_normal(data.shape))


def layouts(given: Trace, statements: Sequence[Statement], passing: frozenset[str]) -> Iterator[Layout]:
    """Every layout that may make a difference, the likeliest first."""
    used = {name for each in statements for name in (each.name, *each.reads)}
    y, names = np.asarray(given.get("y", 0)), Names(given, Layout(), {})
    can_be_labels = y.ndim == 2 and y.shape[1] > 1 and np.isin(y, (0, 1)).all()
    letters = ["a"] if {"a", "h"} <= {name.lower().strip("d0123456789") for name in used} else []
    hidden = {name.lower() for name in used if names.last == 2 and names.of(name) == names.after[1]}
    letters += sorted({name[1] for each in used if (name := ACTIVATED.fullmatch(each.lower())) and name[1] in AFTER})

    def has(what: str, name: str) -> bool:
        return what in given and any(re.fullmatch(name, each) for each in used)

    one_more = re.compile(
        rf"(?:d_?)?(?:[{''.join(sorted(each for each in BEFORE | AFTER if len(each) == 1))}]|delta|δ)_?{names.last + 1}"
    )
    has_one_more = any(map(one_more.fullmatch, map(str.lower, used)))
    counts_deltas = {"delta1", "delta2"} <= {name.replace("_", "") for name in used}
    pairs = ((CROSSED.fullmatch(each.name), each.reads) for each in statements)
    is_crossed = any(z and f"a{z[1]}" in reads and {f"da{z[1]}", f"dz{z[1]}"} <= used for z, reads in pairs)
    remembers = {name[0] for name in given.problem.state if np.ndim(given[name])}
    has_penalty = any(map(names.is_penalty, used))
    ways: dict[str, Sequence[Any]] = {
        "penalty": (1.0, 2.0, 2.0 * names.samples, float(names.samples))[: 1 + 3 * has_penalty],
        "velocity": ("", "-lr", "lr", "-")[: 1 + 3 * (remembers == {"v"})],
        "from_1": ("", *["deltas", "all"] * has_one_more, *["back"] * counts_deltas),
        "scores": (False, True)[: 1 + ("P" in given)],
        "before": ("", *letters),
        "last": ("", *["a"] * ({"a"} < hidden)),
        "masks": sorted({False, has("mask1", r"D\d+")}, reverse=any(MASKED.search(each.text) for each in statements)),
        "squares": (False, True)[: 1 + has("mW1", r"[sS]_?d?[Ww]\w*")],
        "labels": (False, True)[: 1 + can_be_labels],
        "flat": (False, True),
        "rows_of_outputs": (False, True)[: 2 - isinstance(given.problem, Program)],  # its shapes are the learner's own
        "columns": (False, True),
        "crossed": (False, True)[: 1 + is_crossed],
        "passing": (passing,),
    }
    for choice in product(*ways.values()):
        layout = Layout(**dict(zip(ways, choice, strict=True)))
        if not (layout.flat and layout.columns):
            yield layout
