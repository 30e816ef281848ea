"""The mistake lab: whatever is done, the text, the check, the menu and the curves are those of the mistake chosen."""

import html
import re

import numpy as np
import pytest
from common import PAGE, SQUARE, plain, tell, trained

from backprop_lab import L2, MISTAKES, program, prove, random_problem, trace
from backprop_lab.training.history import that_fit
from backprop_lab.ui import MistakeLab, mistake_lab


@pytest.fixture(autouse=True)
def curves(monkeypatch):
    """The losses of each drawing of the curves: of three iterations, and not drawn, which takes long."""
    shown = []
    monkeypatch.setattr(mistake_lab, "ITERATIONS", 3)
    monkeypatch.setattr(mistake_lab, "draw_curves", lambda losses, *_: shown.append(losses) or "")
    return shown


def checked(lab):
    """The rows of the gradient check: {"dW1": ("agrees", its error)}."""
    row = r'<th scope="row">(\w+)</th>.*?(agrees|wrong|inconclusive here)</td><td>(.*?)</td>'
    return {name: (verdict, error) for name, verdict, error in re.findall(row, lab._checked.value)}


def test_it_opens_where_it_is_told_to_and_draws_again_for_a_page(curves):
    lab = MistakeLab()
    told = MistakeLab(mistake="raw-input", seed=3, lr=0.1, step="dW2")
    for each, expected in {lab: ("mask-forgotten", 1, 0.01, "db1"), told: ("raw-input", 3, 0.1, "dW2")}.items():
        place = each.lab.stepper.place
        assert (place.mistake, place.setup.seed, place.lr, place.step.name) == expected
    verdicts = {name: verdict for name, (verdict, _) in checked(lab).items()}
    assert verdicts == {"dW1": "wrong", "db1": "wrong", "dW2": "agrees", "db2": "agrees"}
    for kind, drawn in {"gone": 2, "page": 3}.items():
        tell(lab, kind, PAGE | {"view": kind})
        assert len(curves) == drawn
    assert MistakeLab(mistake="plus-for-minus")._text.value.split("<u>")[0].endswith("W1_new = W1 + lr * dW1</code> … ")


@pytest.mark.parametrize(
    ("mistake", "step"),
    [("penalty-not-in-gradient", "dW1"), ("penalty-not-in-loss", "L"), ("plus-for-minus", "W1_new"), ("", "db1")],
)
def test_it_opens_where_the_mistake_is_to_be_seen(mistake, step):
    lab = MistakeLab(random_problem(1, penalty=L2(0.1)), mistake=mistake).lab
    assert lab.step == step


def assert_all_is_of_the_mistake(lab, curves):
    place, problem = lab.lab.stepper.place, lab.lab.stepper.first_problem.evolve(lr=lab.lab.stepper.place.lr)
    assert lab._mistake.value == place.mistake
    fitting = [(mistake.title, name) for name, mistake in that_fit(MISTAKES, problem).items()]
    assert [*lab._mistake.options] == [("none: the correct backward pass", ""), *fitting]
    assert [*checked(lab)] == [f"d{name}" for name in problem.network.parameters]
    for name, (verdict, error) in checked(lab).items():
        proof = prove(place.trace, name)
        told = float(error.replace("−", "-").removesuffix("%")) / (100 if verdict == "wrong" else 1)
        assert told == pytest.approx(proof.error, rel=0.05)
        assert verdict == "wrong" or told >= proof.error, "no gradient is off by more than it says"
        assert verdict == {True: "agrees", False: "wrong"}[proof.agrees]
    made = {"correct": None} | ({"with the mistake": MISTAKES[place.mistake]} if place.mistake else {})
    drawn = {curve: [*losses] for curve, losses in curves[-1].items()}
    assert drawn == {curve: [trained(problem, k, made[curve])["L"] for k in range(4)] for curve in made}
    said, right = plain(lab._text.value), trace(problem)
    if place.mistake:
        mistake = MISTAKES[place.mistake]
        assert all(text.replace("`", "") in said for text in (mistake.cause, mistake.symptom))
        harmless = not mistake.planted_at(right)  # as a forgotten bias is where the biases are 0
        planted = trained(problem, int(harmless), mistake)
        lines = [f"{step.name} = {step.code}" for step in planted.steps if step.code != right.step(step.name).code]
        assert [plain(line) for line in re.findall("<code>.*?</code>", lab._text.value)] == lines
    assert bool(said) == bool(place.mistake)
    assert ("It changes nothing" in said) == bool(place.mistake and harmless)


def test_no_symptom_is_told_of_a_line_of_which_one_term_is_wrong():
    """Of A + relu(A) @ W2 the mask of one path is taken from the gradient, and negative numbers remain in dA."""
    draw = np.random.default_rng(0).standard_normal
    X, y, W0, W2 = draw((4, 3)), draw((4, 2)), draw((3, 2)), draw((2, 2))
    lines = "A = X @ W0\nH = np.maximum(A, 0)\nR = {}H @ W2\nL = np.sum((R - y)**2)"
    for skip, is_told in (("A + ", False), ("", True)):
        p = program(lines.format(skip), {"W0": W0, "W2": W2}, {"X": X, "y": y})
        assert ("On the board:" in MistakeLab(p, mistake="mask-from-gradient")._text.value) == is_told
    penalised = random_problem(1, penalty=L2(0.1))
    for name, is_told in (("weights-for-gradient", False), ("penalty-not-in-gradient", True), ("mask-forgotten", True)):
        assert ("On the board:" in MistakeLab(penalised, mistake=name)._text.value) == is_told


@pytest.mark.parametrize(("start", "rows"), [("worked example", 4), ("rnn", 3), ("transformer block", 7)])
def test_each_gradient_is_checked_and_of_up_to_eight_all_rows_are_seen(start, rows):
    lab = MistakeLab(start=start)
    assert lab._checked.value.count("<tr>") == rows
    assert [*checked(lab)] == [f"d{name}" for name in lab.lab.stepper.first_problem.parameters]


@pytest.mark.parametrize("name", ["mask-forgotten", "mean-for-sum", "plus-for-minus", "bias-forgotten"])
def test_whatever_is_done_text_check_menu_and_curves_are_of_the_mistake(name, curves):
    lab = MistakeLab(mistake="", **SQUARE)
    stepper = lab.lab.stepper
    for trains, move in [
        (True, lambda: setattr(lab._mistake, "value", name)), (False, stepper.next_iteration),
        (False, lambda: stepper.choose(("y", 0, 0), pinned=True)), (True, lambda: stepper.edit(3.0)),
        (True, lambda: stepper.set_lr(0.02)), (True, lambda: stepper.set_up(hidden=4)),
        (True, lambda: setattr(lab._mistake, "value", "")),
    ]:  # fmt: skip
        before = len(curves)
        move()
        assert_all_is_of_the_mistake(lab, curves)
        assert (len(curves) > before) == trains


def test_of_a_mistake_that_does_no_harm_only_lines_that_numpy_takes_are_shown():
    rng = np.random.default_rng(0)
    lines = "H = np.tanh(E @ W)\ns = H @ V\nL = np.mean((s - y) ** 2)"
    parameters = {"W": rng.standard_normal((2, 3)), "V": rng.standard_normal((3, 1))}
    p = program(lines, parameters, {"E": rng.standard_normal((4, 2)), "y": rng.standard_normal((4, 1))})
    lab, t, harmless = MistakeLab(p), trace(p), 0
    for _, mistake in lab._mistake.options[1:]:
        lab._mistake.value = mistake
        text = html.unescape(lab._text.value)
        harmless += "changes nothing" in text
        for name, line in re.findall("<code>(\\w+) = (.*?)</code>", text):
            assert np.shape(t.evaluate(line)) == np.shape(t[name]), (mistake, name, line)
    assert harmless
