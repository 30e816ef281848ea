"""A layer that is not in the package, made as CONTRIBUTING.md says: it goes the whole way, from its gradient to the lab."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from problems import LOSSES, identical

import backprop_lab
from backprop_lab import (
    MISTAKES,
    Linear,
    Network,
    Problem,
    SumSquaredError,
    check,
    check_gradients,
    feedback,
    plant,
    random_problem,
    trace,
)
from backprop_lab.gradcheck import central_differences, complex_step
from backprop_lab.layers import Activation, Formula
from backprop_lab.mistakes import Mistake, evaluate
from backprop_lab.sharpness import sharpness
from backprop_lab.sweep import sweep
from backprop_lab.ui import MistakeLab, StepThrough
from backprop_lab.ui.steps.remarks import proof
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import ACTIVATIONS
from backprop_lab.ui.steps.stepper import Stepper
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import slope_of


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """A ReLU that leaks: what is negative passes too, made smaller by `slope`, a number from 0 to 1."""

    slope: float | Fraction = 0.01

    def forward(self, X):
        """Y = max(X, slope X): X itself where it is positive, and slope X where it is not."""
        return np.maximum(X, self.slope * X)

    def backward(self, X, dY):
        """dX = dY where X > 0, and slope dY elsewhere."""
        return np.where(X > 0, dY, self.slope * dY), {}

    formulas = {  # noqa: RUF012
        "Y": Formula(
            "np.maximum({X}, {slope} * {X})",
            r"{Y} = \max({X},\,{slope}\,{X})",
            "Leaky ReLU",
            "A positive number passes unchanged; of a negative one, {slope} of it is left.",
        ),
        "dX": Formula(
            "{dY} * np.where({Y} > 0, 1, {slope})",
            r"{dX} = {dY} \odot ([{Y} > 0] + {slope}\,[{Y} \leq 0])",
            "Back through the leaky ReLU",
            "Where the unit was on, the gradient passes unchanged; elsewhere, {slope} of it does.",
        ),
    }


LEAK_FORGOTTEN = Mistake(
    name="leak-forgotten",
    title="Leak forgotten",
    resembles="the mask of a plain ReLU: below 0 this one still passes {slope} of {dY}",
    why="The mask of a plain ReLU comes to mind first.",
    look="The gradient is 0 where the unit is below 0.",
    lines={(LeakyReLU, "dX"): "{dY} * ({Y} > 0)"},
)
LEAK_ON_THE_WRONG_SIDE = replace(
    LEAK_FORGOTTEN,
    name="leak-upside-down",
    title="Leak on the wrong side",
    resembles="a slope that is upside down",
    lines={(LeakyReLU, "dX"): "{dY} * np.where({Y} > 0, {slope}, 1)"},
)

SLOPES = (0.01, 0.3, 1e-5)
every_slope = pytest.mark.parametrize("slope", SLOPES)


def leaky(slope=0.01, seed=0, loss=LOSSES[0], **sizes):
    """A deep network whose biases are not 0, so that no unit is at its corner."""
    sizes = {"samples": 3, "inputs": 3, "hidden": [4, 5], "outputs": 2, "lr": 0.01} | sizes
    p = random_problem(seed, activation=LeakyReLU(slope), **sizes)
    biases = {name: value + 0.3 for name, value in p.network.parameters.items() if name.startswith("b")}
    return replace(p, network=p.network.with_parameters(p.network.parameters | biases), loss=loss)


# The mathematics


@every_slope
@pytest.mark.parametrize("loss", LOSSES)
def test_its_gradients_are_those_of_the_complex_step_to_the_last_digits(slope, loss):
    for seed in range(10):
        assert max(check_gradients(leaky(slope, seed, loss), numeric=complex_step).values()) < 1e-13
        assert max(check_gradients(leaky(slope, seed, loss)).values()) < 1e-7


def test_its_gradients_in_fractions_are_those_of_finite_differences_exactly():
    """All of it by + - * / and a comparison: without rounding, central differences of a parabola are the slope itself."""
    rng = np.random.default_rng(0)

    def eighths(*shape):
        return rng.integers(-20, 21, shape).astype(object) * Fraction(1, 8) + Fraction(1, 101)

    layers = (Linear(eighths(2, 3), eighths(1, 3)), LeakyReLU(Fraction(1, 100)), Linear(eighths(3, 2), eighths(1, 2)))
    p = Problem(Network(layers), SumSquaredError(), eighths(3, 2), eighths(3, 2), Fraction(1, 10))
    Y1 = trace(p)["Y1"]
    assert (Y1 < 0).any()
    assert (Y1 > 0).any()
    gradients = p.network.gradients(p.loss, p.X, p.y)
    for name, expected in central_differences(p, h=Fraction(1, 10**30)).items():
        assert identical(gradients[name], expected)


def at_its_corner(slope):
    """A sample of zeros and biases of 0: every unit of the first layer stands at exactly 0 for it."""
    p = random_problem(1, samples=3, inputs=3, hidden=4, outputs=2, activation=LeakyReLU(slope))
    return replace(p, X=np.vstack([p.X[:2], np.zeros((1, 3))]))


@every_slope
def test_at_its_corner_a_gradient_check_takes_the_side_that_the_backward_pass_takes(slope):
    p = at_its_corner(slope)
    assert (trace(p)["Y1"][2] == 0).all()
    for numeric in (central_differences, complex_step):
        assert max(check_gradients(p, numeric=numeric).values()) < 1e-7
    t = trace(p)
    assert all(proof(t, step)[0] for step in t.steps if step.phase == "backward")


def test_the_bend_of_its_loss_is_that_of_the_gradients():
    """The Hessian by differences of gradients, whose largest eigenvalue is the sharpness, at a corner too."""
    p = leaky(0.3, hidden=3)
    start, h = p.network.parameters, 1e-6

    def gradient(name, where, h):
        moved = start[name].copy()
        moved[where] += h
        found = p.network.with_parameters(start | {name: moved}).gradients(p.loss, p.X, p.y)
        return np.concatenate([found[name].ravel() for name in start])

    entries = [(name, where) for name, value in start.items() for where in np.ndindex(value.shape)]
    hessian = np.array([(gradient(*entry, h) - gradient(*entry, -h)) / (2 * h) for entry in entries])
    assert sharpness(p) == pytest.approx(np.linalg.eigvalsh(hessian).max(), rel=1e-6)


def test_a_sweep_trains_it_as_a_loop_of_single_runs_does():
    runs = sweep(range(2), [0.001, 0.01], 20, activation=LeakyReLU())
    for i, seed in enumerate(runs.seeds):
        p = random_problem(seed, lr=0.01, activation=LeakyReLU())
        losses = []
        for _ in range(21):
            t = trace(p)
            losses.append(t["L"])
            p = t.next_problem()
        assert identical(runs.loss[i, 1], np.array(losses))


# Told to a learner


@every_slope
def test_the_code_shown_is_the_code_run_bit_for_bit_with_its_own_number_in_it(slope):
    t = trace(leaky(slope))
    for step in t.steps:
        assert identical(evaluate(step.code, t), step.value), step.code
    assert t.step("dY1").code == f"dH1 * np.where(H1 > 0, 1, {slope})"
    assert t.step("H1").latex == rf"H_{{1}} = \max(Y_{{1}},\,{slope}\,Y_{{1}})"
    assert str(slope) in t.step("H1").sentence
    assert t.step("dY1").operands == ("dH1", "H1")
    assert t.step("H1").operands == ("Y1",)


def test_two_slopes_in_one_network_are_told_apart():
    first = leaky()
    layers = (*first.network.layers[:3], LeakyReLU(0.2), *first.network.layers[4:])
    t = trace(replace(first, network=Network(layers)))
    assert [t.step(name).code for name in ("H1", "H2")] == ["np.maximum(Y1, 0.01 * Y1)", "np.maximum(Y2, 0.2 * Y2)"]
    assert LEAK_ON_THE_WRONG_SIDE.line(t, "dY1") == "dH1 * np.where(H1 > 0, 0.01, 1)"
    assert LEAK_ON_THE_WRONG_SIDE.line(t, "dY2") == "dH2 * np.where(H2 > 0, 0.2, 1)"


def test_the_board_has_its_slope_as_a_matrix_of_1_and_the_leak():
    t = trace(leaky(0.3))
    slope = slope_of(t, "slope1")
    assert slope.code == "np.where(H1 > 0, 1, 0.3)"
    assert identical(slope.value, np.where(t["Y1"] > 0, 1, 0.3))


def test_the_slope_is_what_comes_of_a_gradient_of_1_however_the_line_is_written():
    @dataclass(frozen=True)
    class Otherwise(LeakyReLU):
        formulas = LeakyReLU.formulas | {
            "dX": LeakyReLU.formulas["dX"]._replace(code="np.where({Y} > 0, {dY}, {slope} * {dY})")
        }

    t = trace(random_problem(0, activation=Otherwise()))
    assert identical(slope_of(t, "slope1").value, np.where(t["Y1"] > 0, 1, 0.01))


def test_any_of_its_cells_can_be_worked_out():
    t = trace(leaky())
    n, h = (int(i) for i in np.argwhere(t["Y1"] < 0)[0])
    worked = str(work_out(t, ("H1", n, h)))
    assert worked.startswith(f"H1[{n},{h}] = max(Y1[{n},{h}], 0.01·Y1[{n},{h}]) = max((−")
    assert f"dH1[{n},{h}]·where(H1[{n},{h}] > 0, 1, 0.01)" in str(work_out(t, ("dY1", n, h)))


def test_the_script_that_the_lab_copies_trains_it_with_numpy_alone():
    t, made = trace(leaky(0.3)), {}
    exec(numpy_script(t), made)
    assert all(identical(made[step.name], step.value) for step in t.steps if step.phase == "backward")


# Mistakes and feedback


def test_a_mistake_of_its_own_is_planted_and_a_gradient_check_sees_it():
    for mistake in (LEAK_FORGOTTEN, LEAK_ON_THE_WRONG_SIDE):
        p = leaky(0.3)
        t = trace(p)
        assert mistake.places(t) == ("dY2", "dY1")
        planted = plant(t, mistake, "dY1")
        wrong = {name: planted[f"d{name}"] for name in p.network.parameters}
        errors = check_gradients(p, wrong)
        assert errors["W1"] > 1e-3
        assert errors["W2"] < 1e-7


@every_slope
def test_feedback_names_a_mistake_of_its_own_and_is_content_with_the_right_answer(slope, monkeypatch):
    monkeypatch.setattr(feedback, "MISTAKES", (*MISTAKES, LEAK_FORGOTTEN, LEAK_ON_THE_WRONG_SIDE))
    t = trace(leaky(slope))
    right = {step.name: np.asarray(step.value).copy() for step in t.steps}
    assert all(check(name, answer, t) for name, answer in right.items())
    assert not check("dY1", t["dH1"], t), "the slope is missing"
    assert check("dY1", t["dH1"] * (t["H1"] > 0), t).cause == ("leak-forgotten",)
    assert "below 0 this one still passes" in str(check("dY1", t["dH1"] * (t["H1"] > 0), t))
    assert str(slope) in str(check("dY1", t["dH1"] * (t["H1"] > 0), t))
    assert check("dY1", np.where(t["H1"] > 0, slope, 1) * t["dH1"], t).cause == ("leak-upside-down",)
    slipped = plant(t, LEAK_FORGOTTEN, "dY1")
    assert check("dW1", slipped["dW1"], t).cause == ("leak-forgotten",)


# In the labs


def test_a_lab_offers_it_once_it_stands_in_the_list_of_activations(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "Leaky ReLU", LeakyReLU())
    lab = StepThrough(start="random", seed=3, activation="Leaky ReLU", step="dY1")
    assert "Leaky ReLU" in lab._activation.options
    assert lab.stepper.place.step.code == "dH1 * np.where(H1 > 0, 1, 0.01)"
    assert lab.call() == "StepThrough(start='random', seed=3, activation='Leaky ReLU', step='dY1')"
    assert MistakeLab("sign-flipped", start="random", activation="Leaky ReLU")


def test_a_stepper_steps_through_it_and_proves_every_gradient(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "Leaky ReLU", LeakyReLU())
    stepper = Stepper(start="random", seed=3, layers=2, activation="Leaky ReLU")
    proved = 0
    for _ in range(len(stepper.place.trace.steps)):
        stepper.next()
        if stepper.place.step.phase == "backward":
            agrees, sentence = proof(stepper.place.trace, stepper.place.step)
            assert agrees, sentence
            proved += 1
    assert proved == 11


# What CONTRIBUTING.md says


def test_contributing_says_it_in_ten_lines_and_every_file_that_it_names_is_there():
    root = Path(__file__).parent.parent
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = text.partition("### A new layer, mistake, lab or notebook\n\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split(" ")[0] for line in told] == [f"{number}." for number in range(1, 11)]
    named = set(re.findall(r"[\w/.]+\.(?:py|md|ipynb|toml)\b", "\n".join(told))) - {"notebooks/08_yours.ipynb"}
    assert len(named) > 15
    places = (root, root / "backprop_lab", root / "tests")
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []


def test_every_activation_of_the_package_stands_in_every_list_that_contributing_names():
    import problems

    from backprop_lab import layers, mistakes

    kinds = {kind for kind in vars(layers).values() if isinstance(kind, type) and issubclass(kind, Activation)}
    kinds -= {Activation}
    lists = {
        "__all__ of backprop_lab/__init__.py": [getattr(backprop_lab, name) for name in backprop_lab.__all__],
        "ACTIVATIONS of backprop_lab/mistakes.py": mistakes.ACTIVATIONS,
        "ACTIVATIONS of backprop_lab/ui/steps/setup.py": [type(layer) for layer in ACTIVATIONS.values()],
        "ACTIVATIONS of tests/problems.py": [type(layer) for layer in problems.ACTIVATIONS],
    }
    missing = [f"{kind.__name__} is not in {where}" for where, listed in lists.items() for kind in kinds - set(listed)]
    assert not missing, missing
