"""One cell, worked out: that the sum written out is the sum that was run, number by number and source by source."""

import re
from dataclasses import replace
from math import floor, log10

import numpy as np
import pytest
from hypothesis import given, settings
from problems import problems

from backprop_lab import (
    MISTAKES,
    Linear,
    MeanSquaredError,
    Network,
    Tanh,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.stepper import Stepper
from backprop_lab.ui.values.one_cell import TERMS, work_out
from backprop_lab.ui.values.slopes import slope_of, value_of

EXAMPLE = trace(worked_example())
NUMBER = r"\d+(?:\.\d+)?(?:e[-+]?\d+)?"


class Interval:
    """A number known only to the digits that were printed: all that it may be, and so for all that is made of it."""

    def __init__(self, low, high):
        self.low, self.high = min(low, high), max(low, high)

    def _with(self, other, operation):
        other = other if isinstance(other, Interval) else Interval(other, other)
        ends = [operation(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(ends), max(ends))

    def __add__(self, other):
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._with(other, lambda a, b: a - b)

    def __mul__(self, other):
        return self._with(other, lambda a, b: a * b)

    def __truediv__(self, other):
        return self._with(other, lambda a, b: a / b)

    def __neg__(self):
        return Interval(-self.high, -self.low)

    def __pow__(self, power):
        square = self * self
        return Interval(0 if self.low < 0 < self.high else square.low, square.high)

    def __gt__(self, other):
        return self.low > other.high

    def __ge__(self, other):
        return self.low >= other.high

    def __le__(self, other):
        return self.high <= other.low

    def through(self, function):
        """Where the function only rises."""
        return Interval(function(self.low), function(self.high))


def printed(text):
    """All numbers that are printed so: half a unit in the last of 4, or for a longer one 8, digits either way."""
    number = float(text)
    digits = 4 if len(re.sub(r"e.*|\.|^0\.0*", "", text)) <= 4 else 8
    half = 0.5000001 * 10.0 ** (floor(log10(abs(number))) + 1 - digits) if number else 0
    return Interval(number - half, number + half)


NAMES = {
    "printed": printed,
    "max": lambda x, zero: x.through(lambda v: max(v, 0)),
    "exp": lambda x: x.through(np.exp),
    "tanh": lambda x: x.through(np.tanh),
}


def plain(text):
    """What is shown, as an expression of Python."""
    return text.replace("·", "*").replace("−", "-").replace("²", "**2").replace(")(", ")*(")


def from_numbers(numbers):
    """What the numbers shown add up to."""
    expression = re.sub(rf"(?<![\w.])(?<!\*\*){NUMBER}", lambda found: f"printed('{found.group()}')", plain(numbers))
    result = eval(expression, NAMES)
    return result if isinstance(result, Interval) else Interval(float(result), float(result))


def from_symbols(symbols, t):
    """What the symbols shown give over the arrays of the trace."""
    functions = {"max": np.maximum, "exp": np.exp, "tanh": np.tanh, "np": np}
    return float(eval(plain(symbols), functions | {name: t[name] for name in t}))


def shown_value(worked):
    return float(worked.value.replace("−", "-"))


def cells(t):
    """Every cell that is computed, slopes included."""
    slopes = [f"slope of {Y}" for layer, _, Y, _ in t.problem.network.stages if not layer.parameters]
    for name in [*(step.name for step in t.steps), *slopes]:
        for i, j in np.ndindex(np.atleast_2d(value_of(t, name)).shape):
            yield name, i, j


def value_at(t, cell):
    name, i, j = cell
    return float(np.atleast_2d(value_of(t, name))[i, j])


# The sum


@settings(max_examples=25)
@given(problems())
def test_the_symbols_of_every_cell_of_every_step_give_its_value(problem):
    t = trace(problem)
    for cell in cells(t):
        worked = work_out(t, cell)
        assert worked.cell == cell
        if "…" not in worked.symbols:
            assert from_symbols(worked.symbols, t) == pytest.approx(value_at(t, cell), rel=1e-9, abs=1e-12), worked


@settings(max_examples=25)
@given(problems())
def test_the_numbers_of_every_cell_of_every_step_give_its_value_to_the_printed_digits(problem):
    t = trace(problem)
    for cell in cells(t):
        worked = work_out(t, cell)
        if "…" not in worked.numbers:
            found, value = from_numbers(worked.numbers), value_at(t, cell)
            assert found.low - 1e-9 <= value <= found.high + 1e-9, (str(worked), value)


@settings(max_examples=25)
@given(problems())
def test_the_value_is_shown_to_four_digits_and_after_an_update_to_eight(problem):
    t = trace(problem)
    for cell in cells(t):
        shown, value = shown_value(work_out(t, cell)), value_at(t, cell)
        assert shown == pytest.approx(value, rel=5.0001e-8 if cell[0].endswith("_new") else 5.0001e-4, abs=0)


@settings(max_examples=25)
@given(problems())
def test_numbers_and_symbols_have_the_same_form(problem):
    """Term for term and operation for operation; parentheses are only around factors and negative numbers."""
    t = trace(problem)
    for cell in cells(t):
        worked = work_out(t, cell)
        number = rf"\(?[−]?{NUMBER}\)?"
        by_shape = re.sub(r"\)\(|·", "*", re.sub(r"\w+\[\d+,\d+\]|\blr\b", "v", worked.symbols))
        terms = [len(re.findall(r" \+ ", text)) for text in (worked.symbols, worked.numbers)]
        assert terms[0] == terms[1]
        assert len(re.findall("v", by_shape)) <= len(re.findall(number, worked.numbers))


def test_a_weight_gradient_is_the_row_and_the_column_that_made_it():
    worked = work_out(EXAMPLE, ("dW1", 1, 2))
    assert worked.symbols == "X[0,1]·dY1[0,2] + X[1,1]·dY1[1,2]"
    assert worked.numbers == "(−2.062)(0) + (1.064)(16.4)"
    assert str(worked) == ("dW1[1,2] = X[0,1]·dY1[0,2] + X[1,1]·dY1[1,2] = (−2.062)(0) + (1.064)(16.4) = 17.45")
    assert worked.sources == (("X", 0, 1), ("dY1", 0, 2), ("X", 1, 1), ("dY1", 1, 2))


def test_a_bias_gradient_is_the_column_that_it_sums():
    worked = work_out(EXAMPLE, ("db1", 0, 3))
    assert worked.symbols == "dY1[0,3] + dY1[1,3]"
    assert worked.sources == (("dY1", 0, 3), ("dY1", 1, 3))


def test_a_gradient_behind_the_relu_shows_the_gate():
    worked = work_out(EXAMPLE, ("dY1", 0, 3))
    assert worked.symbols == "dH1[0,3]·(H1[0,3] > 0)"
    assert set(worked.sources) == {("dH1", 0, 3), ("H1", 0, 3)}


def test_a_new_weight_is_the_old_one_less_the_learning_rate_times_its_gradient():
    worked = work_out(EXAMPLE, ("W1_new", 0, 0))
    assert worked.symbols == "W1[0,0] − lr·dW1[0,0]"
    old, lr, gradient = (EXAMPLE["W1"][0, 0], EXAMPLE["lr"], EXAMPLE["dW1"][0, 0])
    assert worked.numbers == f"({old:.8g}) − {lr:.8g}·{gradient:.8g}".replace("-", "−").replace("e−06", "e−06")
    assert worked.sources == (("W1", 0, 0), ("dW1", 0, 0))


def test_an_update_shows_enough_digits_to_see_that_the_weight_moved():
    for name in ("W1_new", "W2_new"):
        for i, j in np.ndindex(EXAMPLE[name].shape):
            if EXAMPLE[name][i, j] != EXAMPLE[name.removesuffix("_new")][i, j]:
                old = f"{EXAMPLE[name.removesuffix('_new')][i, j]:.8g}".replace("-", "−")
                assert work_out(EXAMPLE, (name, i, j)).value != old


def test_the_loss_adds_up_every_entry():
    worked = work_out(EXAMPLE, ("L", 0, 0))
    assert worked.symbols.startswith("(y_pred[0,0] − y[0,0])² + (y_pred[0,1] − y[0,1])² + ")
    assert str(worked).startswith("L = (")
    assert len(worked.sources) == 8


def test_the_mean_is_divided_by_the_number_of_entries():
    p = worked_example()
    worked = work_out(trace(replace(p, loss=MeanSquaredError())), ("L", 0, 0))
    assert worked.symbols.endswith(") / 4")


@pytest.mark.parametrize("name", ["X", "y", "W1", "b1", "lr"])
def test_what_is_given_is_said_to_be_given(name):
    worked = work_out(EXAMPLE, (name, 0, 0))
    assert (worked.symbols, worked.numbers, worked.sources) == ("", "", ())
    assert str(worked) == f"{'lr' if name == 'lr' else f'{name}[0,0]'} = {worked.value} (given)"
    assert shown_value(worked) == pytest.approx(value_at(EXAMPLE, (name, 0, 0)), rel=1e-3)


def test_a_slope_is_worked_out_as_its_formula():
    worked = work_out(EXAMPLE, ("slope of H1", 1, 2))
    assert str(worked) == f"slope of H1[1,2] = H1[1,2] > 0 = {EXAMPLE['H1'][1, 2]:.4g} > 0 = 1"
    assert worked.sources == (("H1", 1, 2),)
    t = trace(random_problem(0, activation=Tanh()))
    assert work_out(t, ("slope of H1", 0, 1)).symbols == "1 − H1[0,1]²"


def test_a_cell_is_called_by_its_name_and_place():
    assert str(work_out(EXAMPLE, ("dH1", 1, 3))).startswith("dH1[1,3] = ")
    assert str(work_out(EXAMPLE, ("L", 0, 0))).startswith("L = ")


# Sources


def random_names(t, rng, signs):
    """Other numbers in every array of the trace, far enough from 0."""
    return {name: rng.uniform(0.5, 1.5, np.shape(t[name])) * rng.choice(signs, np.shape(t[name])) for name in t}


@settings(max_examples=15)
@given(problems())
def test_the_sources_are_exactly_the_cells_that_the_cell_depends_on(problem):
    """Change any one number of any operand: the cell changes if, and only if, that number is among its sources."""
    t, rng = trace(problem), np.random.default_rng(0)
    for step in t.steps:
        changes = {}  # for each source, the cells that change with it
        for signs in ([1], [1, -1]):  # with every gate open, and with some shut
            names = random_names(t, rng, signs)
            before = np.atleast_2d(eval(step.code, {"np": np}, names))
            for operand in set(step.operands) - {"lr"}:
                for at in np.ndindex(names[operand].shape):
                    changed = names[operand].copy()
                    changed[at] *= -1.5
                    after = np.atleast_2d(eval(step.code, {"np": np}, names | {operand: changed}))
                    changes.setdefault((operand, *at), set()).update(map(tuple, np.argwhere(after != before).tolist()))
        for i, j in np.ndindex(before.shape):
            depends_on = {source for source, cells in changes.items() if (i, j) in cells}
            assert set(work_out(t, (step.name, i, j)).sources) == depends_on, (step.name, i, j)


@settings(max_examples=15)
@given(problems())
def test_the_source_of_a_slope_is_the_cell_of_the_output_it_stands_in(problem):
    t = trace(problem)
    for layer, _, Y, _ in problem.network.stages:
        if not layer.parameters:
            for i, j in np.ndindex(t[Y].shape):
                assert work_out(t, (f"slope of {Y}", i, j)).sources == ((Y, i, j),)


# Long sums


@pytest.mark.parametrize("inner", [TERMS - 1, TERMS, TERMS + 1, 30])
def test_a_long_sum_is_cut_in_the_middle_and_keeps_all_its_sources(inner):
    p = random_problem(0, inputs=inner, hidden=2)
    network = Network((Linear(p.network.parameters["W1"], [[1.0, 2.0]]), *p.network.layers[1:]))
    worked = work_out(trace(replace(p, network=network)), ("Y1", 1, 1))
    terms = [f"X[1,{k}]·W1[{k},1]" for k in range(inner)] + ["b1[0,1]"]
    if len(terms) > TERMS:
        terms = [*terms[: TERMS - 2], "…", terms[-1]]
    assert worked.symbols == " + ".join(terms)
    assert worked.numbers.count(" + ") == worked.symbols.count(" + ")
    assert ("…" in worked.numbers) == ("…" in worked.symbols)
    assert len(worked.sources) == 2 * inner + 1


def test_the_loss_of_many_entries_is_cut_too():
    t = trace(random_problem(0, samples=8, outputs=8))
    worked = work_out(t, ("L", 0, 0))
    assert worked.symbols.count("²") == TERMS - 1
    assert len(worked.sources) == 128


# Numbers


def test_zero_is_never_minus_0_and_minus_is_a_minus_sign():
    t = trace(random_problem(3))
    for cell in cells(t):
        worked = work_out(t, cell)
        for text in (worked.numbers, worked.value):
            assert not re.search(r"[-−]0(?![.\d])", text), str(worked)
            assert "-" not in text


def test_numbers_that_have_overflowed_are_written_as_they_are():
    p = random_problem(0)
    with np.errstate(all="ignore"):
        t = trace(replace(p, X=np.array([[np.nan, np.inf, 1.0], [1.0, 1.0, -np.inf]])))
    said = [str(work_out(t, cell)) for cell in cells(t)]
    assert any("nan" in text for text in said)
    assert "inf" in str(work_out(t, ("X", 0, 1)))


# What there is none of


@pytest.mark.parametrize("cell", [("dX", 0, 0), ("slope of H2", 0, 0), ("", 0, 0)])
def test_a_matrix_that_there_is_none_of_is_refused(cell):
    with pytest.raises(KeyError, match="there is no"):
        work_out(EXAMPLE, cell)


@pytest.mark.parametrize("cell", [("X", 2, 0), ("dW1", 0, 4), ("Y1", 9, 9), ("L", 0, 1), ("slope of H1", 2, 0)])
def test_a_cell_that_its_matrix_has_not_is_refused(cell):
    with pytest.raises(IndexError):
        work_out(EXAMPLE, cell)


# Planted mistakes

SQUARE = {"samples": 3, "inputs": 3, "hidden": 3, "outputs": 3, "layers": 2}
SIZES = [
    SQUARE,
    {"samples": 1, "inputs": 1, "hidden": 1},
    {"samples": 1, "hidden": 2},
    {"samples": 3, "outputs": 1},
    {},
]


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=lambda mistake: mistake.name)
def test_the_sum_shown_for_a_planted_mistake_is_the_sum_that_was_run(mistake):
    """Its line may be anything: then it is shown as it is, with the cell's place behind it."""
    for activation in ("ReLU", "Tanh", "Sigmoid"):
        for sizes in SIZES:
            stepper = Stepper(start="random", seed=1, lr=0.05, activation=activation, **sizes)
            try:
                stepper.plant(mistake.name)
            except ValueError:
                continue
            stepper.next_iteration()  # so that no bias is 0
            t = stepper.place.trace
            planted = mistake.possible_at(trace(t.problem))
            for cell in cells(t):
                if cell[0] not in planted and not cell[0].startswith("slope"):
                    continue  # its line is the right one
                worked = work_out(t, cell)
                if "…" not in worked.symbols:
                    given = from_symbols(worked.symbols, t)
                    assert given == pytest.approx(value_at(t, cell), rel=1e-9, abs=1e-12), str(worked)
                    if worked.numbers:
                        found = from_numbers(worked.numbers)
                        assert found.low - 1e-9 <= value_at(t, cell) <= found.high + 1e-9, str(worked)


def test_every_cell_of_the_largest_board_can_be_worked_out():
    t = trace(Setup(start="random", samples=8, inputs=8, hidden=8, layers=3, outputs=8).problem())
    for cell in cells(t):
        assert str(work_out(t, cell))
    assert slope_of(t, "slope of H3").value.shape == (8, 8)
