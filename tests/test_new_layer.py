"""A new activation or loss, added to the one list of its kind and to the words, goes all the way to the labs."""

import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest
from own_parts import Huber, LeakyReLU

import backprop_lab
from backprop_lab import ACTIVATIONS, LOSSES, layers, losses, random_problem, trace
from backprop_lab.ui import LearningRateLab, MistakeLab, StepThrough
from backprop_lab.ui.steps import words
from backprop_lab.ui.values.explanations import EXPLANATIONS, Explanation, explain

WORDS = {
    LeakyReLU.formulas["dX"]: (r"{dX} = {dY} \odot s", "Back through it", "Where {X} is below 0, a little passes."),
    Huber.formulas["L"]: (r"{L} = \sum h", "Loss", "Square small differences only."),
}


@pytest.fixture
def added(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "Leaky ReLU", LeakyReLU())
    monkeypatch.setitem(LOSSES, "Huber", Huber())
    for line, told in WORDS.items():
        monkeypatch.setitem(EXPLANATIONS, line, Explanation(*told))


def test_a_new_part_is_in_the_menus_and_in_the_call_of_a_lab_and_has_its_words_and_without_them_a_plain_title(added):
    lab = StepThrough(start="random", seed=3, activation="Leaky ReLU", step="dY1")
    assert lab.call() == "StepThrough(start='random', seed=3, activation='Leaky ReLU', step='dY1')"
    assert "Leaky ReLU" in lab._activation.options
    assert "Leaky ReLU" in LearningRateLab(seeds=1, steps=10)._activation.options
    assert MistakeLab(mistake="sign-flipped", start="random", activation="Leaky ReLU")
    assert lab.stepper.place.step.code == "dH1 * np.where(H1 > 0, 1, 0.01)"
    card = words.card(lab.stepper.place)
    assert (card["title"], card["sentence"]) == ("Back through it", "Where Y1 is below 0, a little passes.")
    t = trace(random_problem(1, loss=LOSSES["Huber"]))
    assert explain(t.step("L")).sentence == "Square small differences only."
    assert explain(t.step("dy_pred")).title == "Gradient of the loss"


def test_every_file_that_contributing_names_for_adding_things_is_there():
    root = Path(__file__).parent.parent
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = text.partition("## Adding things\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"[\w/.]+\.(?:py|md|ipynb|toml)\b", told)) - {"notebooks/08_yours.ipynb"}
    assert len(named) > 15
    places = (root, root / "backprop_lab", root / "backprop_lab/ui", root / "tests")
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []


def test_every_activation_and_loss_of_the_package_is_in_the_list_from_which_menus_sweep_and_tests_take_them():
    for table, module in ((ACTIVATIONS, layers), (LOSSES, losses)):
        classes = {kind for kind in vars(module).values() if isinstance(kind, type) and is_dataclass(kind)}
        assert {type(each) for each in table.values()} == classes
        assert {kind.__name__ for kind in classes} <= {*backprop_lab.__all__}
