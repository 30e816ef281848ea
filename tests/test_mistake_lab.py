"""The mistake lab: whichever mistake is chosen, the text, the check and the curves are those of that mistake."""

import re

import numpy as np
import pytest
from common import SQUARE, plain, trained

from backprop_lab import MISTAKES, prove, random_problem, trace
from backprop_lab.ui import MistakeLab, mistake_lab

ROWS = r'<th scope="row">(\w+)</th>.*?(agrees|wrong|cannot be told here)</td><td>(.*?)</td>'


@pytest.fixture(autouse=True)
def curves(monkeypatch):
    """The losses of each drawing of the curves: of three iterations, and not drawn, which takes long."""
    shown = []

    def remember(losses):
        shown.append({name: list(values) for name, values in losses.items()})
        return ""

    monkeypatch.setattr(mistake_lab, "ITERATIONS", 3)
    monkeypatch.setattr(mistake_lab, "draw_curves", remember)
    return shown


def losses(problem, name):
    """What the curves should show."""
    made = {"correct": None, "with the mistake": MISTAKES[name]}
    return {curve: [trained(problem, k, mistake)["L"] for k in range(4)] for curve, mistake in made.items()}


def checked(lab):
    """The rows of the gradient check, as {"dW1": "agrees"}."""
    return {name: verdict for name, verdict, _ in re.findall(ROWS, lab._checked.value)}


def choices(lab):
    return {name for _, name in lab._mistake.options}


def test_it_opens_with_the_forgotten_mask_on_seed_one_or_where_it_is_told_to():
    lab, told = MistakeLab(), MistakeLab("raw-input", seed=3, lr=0.1, step="dW2", samples=4, large=True, hide=["seed"])
    for each, expected in {lab: ("mask-forgotten", 1, 0.01, "db1", 2), told: ("raw-input", 3, 0.1, "dW2", 4)}.items():
        place = each.lab.stepper.place
        shown = (place.mistake, place.setup.seed, place.lr, place.step.name, len(place.trace["X"]))
        assert shown[: len(expected)] == expected
    assert checked(lab) == {"dW1": "wrong", "db1": "wrong", "dW2": "agrees", "db2": "agrees"}
    assert {*lab.lab._hidden} == {"play", "predict", "more", "call"} == {*told.lab._hidden} - {"seed"}
    assert lab._still() == lab.lab._still(), "where no kernel is, the board stands in"
    assert ["bpl-large" in each._dom_classes for each in (lab, told)] == [False, True]


@pytest.mark.parametrize("name", ["mask-forgotten", "mean-for-sum", "plus-for-minus", "bias-forgotten"])
def test_a_chosen_mistake_is_explained_planted_checked_and_trained_with(name, curves):
    lab, mistake = MistakeLab("", **SQUARE), MISTAKES[name]
    lab._mistake.value = name
    board, right, said = lab.lab.stepper.place.trace, trace(lab.lab.stepper.first_problem), plain(lab._text.value)
    assert (lab.lab.stepper.place.mistake, lab._note.value) == (name, "")
    assert mistake.cause.replace("`", "") in said
    assert mistake.symptom in said
    planted = trained(right.problem, 1, mistake) if name == "bias-forgotten" else board  # the biases begin at 0
    made = [step for step in planted.steps if step.code != right.step(step.name).code]
    lines = [plain(line) for line in re.findall("<code>.*?</code>", lab._text.value)]
    assert lines == [f"{step.name} = {step.code}" for step in made]
    assert ("It changes nothing" in said) == (name == "bias-forgotten")
    for gradient, verdict in checked(lab).items():
        assert verdict == ("agrees" if np.allclose(board[gradient], right[gradient], rtol=1e-7) else "wrong")
    assert curves[-1] == losses(right.problem, name)
    lab._mistake.value = ""
    assert set(checked(lab).values()) == {"agrees"}
    assert (list(curves[-1]), plain(lab._text.value)) == (["correct"], "")


def test_the_menu_offers_what_the_network_has_room_for_and_drops_what_it_has_not():
    lab, default = MistakeLab("", **SQUARE), choices(MistakeLab())
    assert choices(lab) - default >= {"operands-swapped", "transpose-forgotten"}
    lab.lab.stepper.set_up(hidden=4)
    assert "operands-swapped" not in choices(lab)
    titles = {name: title for title, name in lab._mistake.options}
    assert titles[""] == "none: the correct backward pass"
    assert all(titles[name] == MISTAKES[name].title for name in titles if name)


def test_the_check_belongs_to_the_numbers_on_the_board():
    lab = MistakeLab("updated-weights")
    for _ in range(3):
        lab.lab.stepper.next_iteration()
        board = lab.lab.stepper.place.trace
        for name, verdict, error in re.findall(ROWS, lab._checked.value):
            told = float(error.replace("−", "-").removesuffix("%")) / (100 if verdict == "wrong" else 1)
            assert told == pytest.approx(prove(board, name).error, rel=0.05)
            assert error.endswith("%") == (verdict == "wrong")


def test_whatever_changes_the_training_draws_its_curves_from_iteration_0_and_keeps_the_mistake(curves):
    lab, y = MistakeLab(), random_problem(1).y.copy()
    stepper, y[0, 0] = lab.lab.stepper, 3.0
    stepper.choose(("y", 0, 0), pinned=True)
    stepper.edit(3.0)
    typed_over = random_problem(1, lr=0.01).evolve(y=y)
    for change, problem in [
        (stepper.next_iteration, typed_over),
        (lambda: stepper.set_lr(0.02), typed_over.evolve(lr=0.02)),
        (lambda: stepper.set_up(seed=2), random_problem(2, lr=0.02)),
    ]:
        change()
        assert curves[-1] == losses(problem, "mask-forgotten")
        assert lab._mistake.value == stepper.place.mistake == "mask-forgotten"


def test_stepping_does_not_train_again(curves):
    stepper = MistakeLab().lab.stepper
    for move in (stepper.back, stepper.next, stepper.next_phase, stepper.next_iteration):
        move()
    stepper.choose(("dW1", 0, 0), pinned=True)
    assert len(curves) == 1
