"""One cell, worked out: that the sum written out is the sum that was run, number by number and source by source."""

import math
import re

import numpy as np
import pytest
from common import trained
from hypothesis import given, settings
from own_parts import OWN_PROBLEMS
from problems import ACTIVATIONS, losses_of, problems

from backprop_lab import MISTAKES, Linear, Mistake, SoftmaxCrossEntropy, plant, random_problem, trace
from backprop_lab.number_format import plain, typed_number
from backprop_lab.ui.values.one_cell import TERMS, work_out
from backprop_lab.ui.values.slopes import slopes_of, value_of

FUNCTIONS = {**vars(np), "np": np, "math": math, "max": lambda *numbers: np.max(numbers)}
WRITTEN = r"\b(?:(\w+)\[(\d+),(\d+)\]|lr\b)"  # a cell in the symbols


def cells(t):
    for name in [*(step.name for step in t.steps), *slopes_of(t)]:
        for (i, j), value in np.ndenumerate(value_of(t, name)):
            yield (name, i, j), float(value)


def check_sum(worked, value, t):
    """The symbols give the value; in the numbers, each number stands where its symbol does."""
    digits = 8 if worked.cell[0].endswith("_new") else 4  # enough to see that a weight moved

    def number(written):
        name, i, j = written.groups()
        return plain(t[name][int(i), int(j)] if name else t["lr"], digits)

    if worked.numbers:  # without the parentheses that the numbers have and the symbols need not
        texts = (worked.numbers, re.sub(WRITTEN, number, worked.symbols))
        assert len({re.sub("[()]", "", text.replace(")(", "·")) for text in texts}) == 1
    if "…" not in worked.symbols:
        code = worked.symbols.replace("·", "*").replace("−", "-").replace("²", "**2").replace(")(", ")*(")
        found = float(eval(code, FUNCTIONS | dict(t)))
        assert found == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), str(worked)


SAID = [
    "lr = 1e−06 (given)",
    "dy_pred[0,1] = 2·(y_pred[0,1] − y[0,1]) = 2·(4.476 − 1.008) = 6.936",
    "dW1[1,2] = X[0,1]·dY1[0,2] + X[1,1]·dY1[1,2] = (−2.062)(0) + (1.064)(16.4) = 17.45",
    "dY1[0,3] = dH1[0,3]·(H1[0,3] > 0) = 14.61·(2.369 > 0) = 14.61",
    "slope of H1[1,2] = H1[1,2] > 0 = 3.986 > 0 = 1",
    "W1_new[0,0] = W1[0,0] − lr·dW1[0,0] = (−0.62545022) − 1e−06·21.7635 = −0.62547198",
]


def test_a_cell_is_said_in_its_symbols_its_numbers_and_its_value(example):
    for said in SAID:
        name, i, j = re.match(r"([\w ]+)(?:\[(\d),(\d)\])? = ", said).groups(default=0)
        assert str(work_out(example, (name, int(i), int(j)))) == said
    P = "P[1,0] = exp(Z[1,0]) / (exp(Z[1,0]) + exp(Z[1,1])) = exp(0) / (exp(0) + exp(−0.3912)) = 0.5966"
    assert str(work_out(trace(random_problem(5, loss=SoftmaxCrossEntropy())), ("P", 1, 0))) == P


def check_all_cells(t, not_written_out=()):
    for cell, value in cells(t):
        worked = work_out(t, cell)
        assert bool(worked.numbers) is (cell[0] not in not_written_out)
        check_sum(worked, value, t)
        digits = 8 if cell[0].endswith("_new") else 4
        assert float(worked.value.replace("−", "-")) == pytest.approx(value, rel=5.0001 * 10.0**-digits, abs=0)
        assert not re.search(r"-|−0(?![.\d])", worked.numbers + worked.value), "a proper minus sign, and none before 0"
        if worked.numbers and "…" not in worked.symbols:
            written = {(name, int(i), int(j)) for name, i, j in re.findall(WRITTEN, worked.symbols) if name}
            assert {*worked.sources} == written
        if worked.every_term:
            came_to = {"sum": sum(term.value for term in worked.every_term)}
            assert value == pytest.approx(eval(worked.around.replace("−", "-").replace("·", "*"), came_to), rel=1e-9)
            for text, number in worked.every_term:
                if " × " in text and not set(text) & set("()"):
                    assert np.prod([*map(typed_number, text.split(" × "))]) == pytest.approx(number, rel=2e-3)


@settings(max_examples=25)
@given(problems())
def test_a_sum_written_out_for_any_cell_is_the_cells_own_value_and_its_sources_are_the_cells_in_it(problem):
    check_all_cells(trace(problem))


@pytest.mark.parametrize("own", OWN_PROBLEMS)
def test_so_it_is_for_layers_and_losses_of_ones_own_but_for_what_is_no_expression_of_cells(own):
    check_all_cells(
        trace(OWN_PROBLEMS[own]), {"arctan by math.atan": ["H1"], "Huber by sample": ["S", "L"]}.get(own, ())
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_sum_shown_for_a_planted_mistake_is_the_sum_that_was_run(mistake, activation):
    of_losses = [loss for loss in losses_of(3) if type(loss) in {kind for kind, _ in MISTAKES[mistake].lines}]
    square = [((3, 3, [3, 3], 3), loss) for loss in of_losses or losses_of(3)[:1]]
    for sizes, loss in [*square, *((sizes, losses_of(1)[0]) for sizes in ((1, 1, 1), (3, 3, 4, 1), ()))]:
        problem = random_problem(1, *sizes, lr=0.05, activation=activation, loss=loss)
        t = trained(problem, 1, MISTAKES[mistake])  # one iteration, so that no bias is 0
        planted = {step.name for step in t.steps if step.title}
        for cell, value in cells(t):
            if cell[0] in planted or cell[0] in slopes_of(t):
                check_sum(work_out(t, cell), value, t)


@pytest.mark.parametrize("inner", [TERMS - 1, TERMS, TERMS + 1, 30])
def test_a_long_sum_is_cut_in_the_middle_and_keeps_all_its_sources(inner):
    worked = work_out(trace(random_problem(0, inputs=inner, hidden=2)), ("Y1", 1, 1))
    terms = [f"X[1,{k}]·W1[{k},1]" for k in range(inner)] + ["b1[0,1]"]
    if len(terms) > TERMS:
        terms = [*terms[: TERMS - 2], "…", terms[-1]]
    assert worked.symbols == " + ".join(terms)
    assert len(worked.sources) == 2 * inner + 1


def test_what_stands_around_a_sum_is_said_even_if_it_has_braces(example):
    doubled = {(Linear, "db"): "{dY}.sum(axis=0, keepdims=True) * len({{1, 2}})"}
    worked = work_out(plant(example, Mistake("", "", "", "", "", doubled)), ("db1", 0, 1))
    assert worked.around == "sum·len({1, 2})"


def test_numbers_that_have_overflowed_are_written_as_they_are():
    for activation in ACTIVATIONS:
        problem = random_problem(0, activation=activation)
        t = trained(problem.evolve(X=[[np.nan, np.inf, 1.0], [1.0, 1.0, -np.inf]]), 0)
        assert "(nan)(" in work_out(t, ("Y1", 0, 0)).numbers
        assert all(str(work_out(t, cell)) for cell, _ in cells(t))
        assert work_out(t, ("X", 1, 2)).value == "−inf"
