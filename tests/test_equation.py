"""A step as an equation of matrices: it gives what the step gives, and says which cells each cell is made of."""

import re

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
        ranges = [
            range(n) if axis == "*" else [{"i": i, "j": j, "0": 0}[axis]] for n, axis in ((high, rows), (wide, cols))
        ]
        found |= {(name, r, c) for r in ranges[0] for c in ranges[1]}
    return found


def agrees_with_the_sums(t):
    """Whether each rule names the cells that the sum of a cell is made of; a cell without a sum proves nothing."""
    ruled = rules(t)
    for name in ruled:
        for i, j in np.ndindex(value_of(t, name).shape):
            sources = {*work_out(t, (name, i, j)).sources}
            assert not sources or cells(ruled[name], t, i, j) == sources, (name, i, j)
    return True


@settings(max_examples=count(100))
@given(problems())
def test_the_rule_of_a_matrix_names_the_cells_that_the_sum_of_each_of_its_cells_is_made_of(problem):
    t = trace(problem)
    assert agrees_with_the_sums(t)
    assert {step.name for step in t.steps} <= {*rules(t)}


@pytest.mark.parametrize("name", OWN_PROBLEMS)
def test_so_it_does_for_layers_and_losses_of_ones_own_or_there_is_none(name):
    assert agrees_with_the_sums(trace(OWN_PROBLEMS[name]))


def gives(parts):
    """What the equation gives up to its last sign, read as it stands: signs, words and matrices."""
    values = {f"v{k}": part.value for k, part in enumerate(parts[:-2]) if isinstance(part, Operand)}
    text = " ".join(part if isinstance(part, str) else f"v{k}" for k, part in enumerate(parts[:-2]))
    down = re.match("sum ([↓→])", text)
    text = text.removeprefix("sum ↓").removeprefix("sum →").replace("−", "-").replace("²", "**2").replace("³", "**3")
    text = re.sub(
        r"([a-z]+)\(", lambda word: f"np.{ {'max': 'maximum', 'min': 'minimum'}.get(word[1], word[1]) }(", text
    )
    if down:
        text = f"np.sum({text}, axis={int(down[1] == '→')}, keepdims=True)"
    with np.errstate(all="ignore"):
        return eval(text.strip(), {"np": np, **values})


def is_true(t):
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
    return True


@settings(max_examples=count(100))
@given(problems())
def test_every_line_of_ours_is_an_equation_that_gives_what_the_step_gives(problem):
    t = trace(problem)
    assert is_true(t)
    assert all("→" not in equation(t, step.name) for step in t.steps)


@pytest.mark.parametrize("name", OWN_PROBLEMS)
def test_a_line_of_ones_own_is_a_true_equation_or_its_operands_and_an_arrow(name):
    assert is_true(trace(OWN_PROBLEMS[name]))


@pytest.mark.parametrize("name", MISTAKES)
def test_so_is_every_planted_mistake(name):
    for seed, (activation, loss) in enumerate((a, loss) for a in ACTIVATIONS for loss in LOSSES):
        X = np.random.default_rng(seed).standard_normal((3, 3))
        p = random_problem(seed, X=X, y=np.eye(3), hidden=[3, 3], activation=activation, loss=loss)
        if MISTAKES[name].possible_at(trace(p)):
            t = with_mistake(trace(p), MISTAKES[name])
            assert is_true(t)
            assert agrees_with_the_sums(t)


def test_a_mask_and_a_transposed_matrix_are_shown_as_they_are_used_and_the_axes_say_what_meets(example):
    *parts, _, result = equation(example, "dW1")
    assert [part if isinstance(part, str) else (part.label, part.rows, part.cols) for part in (*parts, result)] == [
        ("X.mT", "i", "k"), "@", ("dY1", "k", "j"), ("dW1", "i", "j"),
    ]  # fmt: skip
    left, sign, mask, *_ = equation(example, "dY1")
    assert (left.label, sign, mask.label, mask.name) == ("dH1", "*", "H1 > 0", "slope of H1")
    assert equation(example, "db1")[0] == "sum ↓"
    assert rules(example)["dW1"] == [("X", "*", "i"), ("dY1", "*", "j")]
    assert rules(example)["slope of H1"] == [("H1", "i", "j")]
