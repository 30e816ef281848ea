"""A step as an equation of matrices: it gives what the step gives, and says which cells each cell is made of."""

import re
from itertools import product

import numpy as np
import pytest
from common import count, with_mistake
from hypothesis import given, settings
from own_parts import OWN_PROBLEMS
from problems import ACTIVATIONS, LOSSES, problems

from backprop_lab import MISTAKES, random_problem, trace
from backprop_lab.ui.values.equation import Operand, equation, rules
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import value_of


def cells(rule, t, i, j):
    """The cells that a rule names for the cell [i, j]."""
    found = set()
    for name, rows, cols in rule:
        high, wide = value_of(t, name).shape
        one = {"i": [i], "j": [j], "0": [0]}
        found |= {(name, r, c) for r in (one | {"*": range(high)})[rows] for c in (one | {"*": range(wide)})[cols]}
    return found


def check_rules(t):
    """Each rule names the cells that the sum of a cell is made of; a cell without a sum proves nothing."""
    ruled = rules(t)
    for name in ruled:
        for i, j in np.ndindex(value_of(t, name).shape):
            sources = {*work_out(t, (name, i, j)).sources}
            assert not sources or cells(ruled[name], t, i, j) == sources, (name, i, j)


@settings(max_examples=count(100))
@given(problems())
def test_the_rule_of_a_matrix_names_the_cells_that_the_sum_of_each_of_its_cells_is_made_of(problem):
    check_rules(trace(problem))
    assert {step.name for step in trace(problem).steps} <= {*rules(trace(problem))}


def gives(parts):
    """What the equation gives up to its last sign, read as it stands: signs, words and matrices."""
    values = {f"v{k}": part.value for k, part in enumerate(parts[:-2]) if isinstance(part, Operand)}
    text = " ".join(part if isinstance(part, str) else f"v{k}" for k, part in enumerate(parts[:-2]))
    text = text.replace("−", "-").replace("²", "**2").replace("³", "**3")
    for sign, axis in (("↓", 0), ("→", 1)):
        text = re.sub(f"^sum {sign}(.*)", rf"sum(\1, axis={axis}, keepdims=True)", text)
    with np.errstate(all="ignore"):
        return eval(text, vars(np) | {"max": np.maximum, "min": np.minimum} | values)


def check_equations(t):
    for step in t.steps:
        *parts, sign, result = equation(t, step.name)
        for part in parts:
            if isinstance(part, Operand) and part.name:
                value = value_of(t, part.name)
                assert np.array_equal(part.value, value.T if part.transposed else value, equal_nan=True)
                assert part.transposed == part.label.endswith(".mT")
        assert (result.label, result.value is not None) == (step.name, True)
        if sign == "=":
            assert np.allclose(gives([*parts, sign, result]), step.value, equal_nan=True), step.code
        else:
            assert sign == "→"
            assert [part.name for part in parts if isinstance(part, Operand)] == list(step.operands)[:5]


@settings(max_examples=count(100))
@given(problems())
def test_every_line_of_ours_is_an_equation_that_gives_what_the_step_gives(problem):
    t = trace(problem)
    check_equations(t)
    assert all("→" not in equation(t, step.name) for step in t.steps)


@pytest.mark.parametrize("name", OWN_PROBLEMS)
def test_a_line_of_ones_own_is_a_true_equation_or_its_operands_and_an_arrow_and_its_rule_is_true_or_there_is_none(name):
    check_equations(trace(OWN_PROBLEMS[name]))
    check_rules(trace(OWN_PROBLEMS[name]))


@pytest.mark.parametrize("name", MISTAKES)
def test_so_is_every_planted_mistake(name):
    for seed, (activation, loss) in enumerate(product(ACTIVATIONS, LOSSES)):
        X = np.random.default_rng(seed).standard_normal((3, 3))
        p = random_problem(seed, X=X, y=np.eye(3), hidden=[3, 3], activation=activation, loss=loss)
        if MISTAKES[name].possible_at(trace(p)):
            t = with_mistake(trace(p), MISTAKES[name])
            check_equations(t)
            check_rules(t)


def test_a_mask_and_a_transposed_matrix_are_shown_as_they_are_used_and_the_axes_say_what_meets(example):
    left, sign, right, _, result = equation(example, "dW1")
    assert [(part.label, part.rows, part.cols) for part in (left, right, result)] == [
        ("X.mT", "i", "k"), ("dY1", "k", "j"), ("dW1", "i", "j"),
    ]  # fmt: skip
    mask = equation(example, "dY1")[2]
    assert (sign, mask.label, mask.name) == ("@", "H1 > 0", "slope of H1")
