"""A layer that is not in the package goes all the way to the lab; its mathematics is in test_own_parts.py."""

import re
from dataclasses import dataclass, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from common import gradients_of, with_numbers
from own_parts import LeakyReLU
from problems import identical

import backprop_lab
from backprop_lab import ACTIVATIONS, LOSSES, check_gradients, layers, losses, prove, random_problem, trace
from backprop_lab.ui import MistakeLab, StepThrough
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import slope_of


@pytest.mark.parametrize("slope", [0.01, 0.3, 1e-5])
def test_at_its_corner_a_gradient_check_takes_the_side_that_the_backward_pass_takes(slope):
    """A sample of zeros and biases of 0: every unit of the first layer stands at exactly 0 for it."""
    p = random_problem(1, samples=3, activation=LeakyReLU(slope))
    p = with_numbers(p, X=np.vstack([p.X[:2], np.zeros((1, 3))]))
    t = trace(p)
    assert (t["Y1"][2] == 0).all()
    assert max(check_gradients(p).values()) < 1e-7
    assert all(prove(t, name).agrees for name in gradients_of(t))


@dataclass(frozen=True)
class Otherwise(LeakyReLU):
    formulas = LeakyReLU.formulas | {"dX": "np.where({Y} > 0, {dY}, {slope} * {dY})"}


@pytest.mark.parametrize("kind", [LeakyReLU, Otherwise])
def test_the_board_has_its_slope_as_a_matrix_of_1_and_the_leak_however_the_line_is_written(kind):
    t = trace(random_problem(0, activation=kind(0.3)))
    assert identical(slope_of(t, "slope of H1").value, np.where(t["Y1"] > 0, 1, 0.3))


def test_any_of_its_cells_can_be_worked_out():
    t = trace(random_problem(0, activation=LeakyReLU()))
    n, h = (int(i) for i in np.argwhere(t["Y1"] < 0)[0])
    assert f"H1[{n},{h}] = max(Y1[{n},{h}], 0.01·Y1[{n},{h}]) = max((−" in str(work_out(t, ("H1", n, h)))
    assert f"dH1[{n},{h}]·where(H1[{n},{h}] > 0, 1, 0.01)" in str(work_out(t, ("dY1", n, h)))


def test_a_lab_says_its_call_and_another_lab_takes_it_once_it_stands_in_the_list_of_activations(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "Leaky ReLU", LeakyReLU())
    lab = StepThrough(start="random", seed=3, activation="Leaky ReLU", step="dY1")
    assert lab.stepper.place.step.code == "dH1 * np.where(H1 > 0, 1, 0.01)"
    assert lab.call() == "StepThrough(start='random', seed=3, activation='Leaky ReLU', step='dY1')"
    assert MistakeLab("sign-flipped", start="random", activation="Leaky ReLU")


# What CONTRIBUTING.md says


def test_every_file_that_contributing_names_for_adding_things_is_there():
    root = Path(__file__).parent.parent
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = text.partition("## Adding things\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"[\w/.]+\.(?:py|md|ipynb|toml)\b", told)) - {"notebooks/08_yours.ipynb"}
    assert len(named) > 15
    places = (root, root / "backprop_lab", root / "backprop_lab/ui", root / "tests")
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []


@pytest.mark.parametrize(("table", "module"), [(ACTIVATIONS, layers), (LOSSES, losses)], ids=["activations", "losses"])
def test_every_activation_and_every_loss_of_the_package_stands_in_the_one_list_of_its_kind(table, module):
    """From which the menus, the sweep and the tests take them."""
    classes = {kind for kind in vars(module).values() if isinstance(kind, type) and is_dataclass(kind)}
    assert {type(each) for each in table.values()} == classes
    assert {kind.__name__ for kind in classes} <= set(backprop_lab.__all__)
