"""An activation and a loss are added in three places: the class with its name in one table, its export, its words."""

from dataclasses import dataclass

import numpy as np
import pytest
from common import trained

import backprop_lab
from backprop_lab import ACTIVATIONS, LOSSES, Activation, check, check_gradients, prove, random_problem, sweep, trace
from backprop_lab.ui import LearningRateLab, StepThrough
from backprop_lab.ui.steps import words
from backprop_lab.ui.values.explanations import EXPLANATIONS, Explanation, explain


@dataclass(frozen=True)
class Softplus(Activation):
    def forward(self, X):
        return np.log(1 + np.exp(X))

    def backward(self, X, dY):
        return dY / (1 + np.exp(-X))

    formulas = {"Y": "np.log(1 + np.exp({X}))", "dX": "{dY} / (1 + np.exp(-{X}))"}  # noqa: RUF012


@dataclass(frozen=True)
class LogCosh:
    def value(self, y_pred, y):
        return np.sum(np.log(np.cosh(y_pred - y)), axis=(-2, -1))

    def gradient(self, y_pred, y):
        return np.tanh(y_pred - y)

    formulas = {"L": "np.sum(np.log(np.cosh({y_pred} - {y})))", "dy_pred": "np.tanh({y_pred} - {y})"}  # noqa: RUF012


WORDS = {
    Softplus.formulas["Y"]: (r"{Y} = \log(1 + e^{{{X}}})", "Softplus", "A ReLU with a round corner."),
    Softplus.formulas["dX"]: (r"{dX} = {dY} \odot \sigma({X})", "Back through it", "Its slope is a sigmoid of {X}."),
    LogCosh.formulas["L"]: (r"{L} = \sum \log\cosh({y_pred} - {y})", "Loss", "Square small differences only."),
}


@pytest.fixture(autouse=True)
def added(monkeypatch):
    for table, name, kind in [(ACTIVATIONS, "Softplus", Softplus), (LOSSES, "log cosh", LogCosh)]:
        monkeypatch.setitem(table, name, kind())
        monkeypatch.setattr(backprop_lab, kind.__name__, kind, raising=False)
    for line, told in WORDS.items():
        monkeypatch.setitem(EXPLANATIONS, line, Explanation(*told))


def test_a_new_activation_is_in_the_menus_has_its_words_and_slope_and_every_step_of_it_is_proved():
    lab = StepThrough(start="random", seed=3, layers=2, activation="Softplus", step="dY1")
    assert "Softplus" in lab._activation.options
    assert "Softplus" in LearningRateLab(seeds=1, steps=10)._activation.options
    assert "Back through it" in words.card(lab.stepper.place)
    assert "Its slope is a sigmoid of Y1." in words.card(lab.stepper.place)
    lab.stepper.choose(("slope of H1", 0, 0))
    assert lab.stepper.place.cell == ("slope of H1", 0, 0)
    t = lab.stepper.place.trace
    assert all(prove(t, step.name).agrees for step in t.steps if step.phase == "backward")


def test_a_new_activation_is_checked_and_swept():
    problem = random_problem(1, lr=0.01, activation=ACTIVATIONS["Softplus"])
    t = trace(problem)
    assert max(check_gradients(problem).values()) < 1e-7
    assert all(check(step.name, step.value, t) for step in t.steps)
    assert "activation" in str(check("H1", t["Y1"], t)), "the mistakes of every activation are its mistakes too"
    losses = sweep([1], [0.01], steps=3, activation=ACTIVATIONS["Softplus"]).loss[0, 0]
    assert losses[1] == trained(problem, 1)["L"]


def test_a_new_loss_is_traced_explained_checked_and_swept():
    problem = random_problem(1, loss=LOSSES["log cosh"])
    t = trace(problem)
    assert explain(t.step("L")).sentence == "Square small differences only."
    assert explain(t.step("dy_pred")).title == "Gradient of the loss", "a line without words has a plain title"
    assert max(check_gradients(problem).values()) < 1e-7
    assert all(check(step.name, step.value, t) for step in t.steps)
    losses = sweep([1], [0.01], steps=2, loss=LOSSES["log cosh"]).loss[0, 0]
    assert losses[1] < losses[0] == t["L"]
