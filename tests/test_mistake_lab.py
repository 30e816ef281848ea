"""The mistake lab: whichever mistake is chosen, the text, the check and the curves are those of that mistake."""

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from backprop_lab import MISTAKES, plant, random_problem, trace
from backprop_lab.mistakes import INVISIBLE_TO_GRADIENT_CHECK
from backprop_lab.number_format import typed_number
from backprop_lab.ui import MistakeLab, mistake_lab
from backprop_lab.ui.steps.remarks import proof
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.steps.training import can_be_planted

SQUARE = {"samples": 3, "inputs": 3, "hidden": 3, "outputs": 3}
NETWORKS = {
    "as it opens": {},
    "square": SQUARE,
    "square and deep": SQUARE | {"layers": 2},
    "square with tanh": SQUARE | {"activation": "Tanh"},
    "one sample": {"samples": 1},
    "one output": {"outputs": 1},
}

NONE = "none: the correct backward pass"


def plain(html):
    return unescape(re.sub(r"<[^>]+>", " ", html))


def choices(lab):
    """What the menu offers, as {name: title}; the empty name is for none."""
    return {name: title for title, name in lab._mistake.options}


def verdicts(lab):
    """The rows of the gradient check, as {"dW1": "agrees"}."""
    rows = re.findall(r'<th scope="row">(\w+)</th>.*?(agrees|wrong|cannot be checked)</td>', lab._checked.value)
    return dict(rows)


def ends(lab):
    """Where the curves begin and end according to the alt text: {"correct": (0.95, 0.02)}."""
    alt = unescape(re.search('alt="([^"]*)"', lab._curves.value)[1])
    found = re.findall(r"(correct|with the mistake) goes from (\S+) to ([^\s;]+?)[.;]?(?= |$)", alt)
    return {curve: (typed_number(first), typed_number(last)) for curve, first, last in found}


def trained(problem, iterations, mistake=None):
    """The loss after some iterations, with a mistake in each wherever it changes something."""
    for _ in range(iterations):
        t = trace(problem)
        for name in mistake.possible_at(t) if mistake else ():
            t = plant(t, mistake, name)
        problem = t.next_problem()
    t = trace(problem)
    for name in mistake.possible_at(t) if mistake else ():
        t = plant(t, mistake, name)
    return float(t["L"])


@pytest.fixture
def drawn(monkeypatch):
    """The losses that the curves would show, of three iterations, without drawing them."""
    shown = {}

    def remember(losses):
        shown.clear()
        shown.update(losses)
        return ""

    monkeypatch.setattr(mistake_lab, "ITERATIONS", 3)
    monkeypatch.setattr(mistake_lab, "draw_curves", remember)
    return shown


def offered(sizes):
    """Every mistake that the lab of a network has in its menu."""
    problem = Setup(start="random", seed=1, **sizes).problem()
    return [mistake for mistake in MISTAKES.values() if can_be_planted(mistake, problem)]


EVERY_MISTAKE = [
    pytest.param(sizes, mistake, id=f"{mistake.name}, {network}")
    for network, sizes in NETWORKS.items()
    for mistake in offered(sizes)
]


# As it opens


def test_it_opens_with_the_forgotten_mask_on_seed_one():
    lab = MistakeLab()
    place = lab.lab.stepper.place
    assert (place.mistake, place.setup.seed, place.lr, place.step.name) == ("mask-forgotten", 1, 0.01, "db1")
    assert verdicts(lab) == {"dW1": "wrong", "db1": "wrong", "dW2": "agrees", "db2": "agrees"}
    assert "dY1 = dH1" in plain(lab._text.value)


def test_the_forgotten_mask_trains_faster_there_as_the_course_says_it_does():
    right, wrong = ends(MistakeLab()).values()
    assert wrong[1] < 0.1 * right[1]
    right, wrong = ends(MistakeLab(lr=0.1)).values()
    assert right[1] < 1e-6 * wrong[1]


def test_it_opens_where_it_is_told_to():
    place = MistakeLab("raw-input", seed=3, lr=0.1, step="dW2", samples=4).lab.stepper.place
    assert (place.mistake, place.setup.seed, place.lr, place.step.name) == ("raw-input", 3, 0.1, "dW2")
    assert place.trace["X"].shape == (4, 3)


@pytest.mark.parametrize("mistake", ["mask forgotten", "transpose-forgotten"])
def test_a_mistake_that_there_is_not_or_has_no_room_is_refused_by_name(mistake):
    with pytest.raises(ValueError, match=r"(?i)there is no mistake|cannot be planted"):
        MistakeLab(mistake)


def test_for_the_back_row_its_words_are_as_large_as_the_board():
    assert "bpl-large" in MistakeLab(large=True)._dom_classes
    assert "bpl-large" not in MistakeLab()._dom_classes


# Every mistake


@pytest.mark.parametrize("sizes", NETWORKS.values(), ids=NETWORKS)
def test_the_menu_offers_every_mistake_that_the_network_has_room_for(drawn, sizes):
    assert choices(MistakeLab("", **sizes)) == {"": NONE} | {mistake.name: mistake.title for mistake in offered(sizes)}


def test_together_the_networks_offer_nearly_every_mistake():
    names = {mistake.name for sizes in NETWORKS.values() for mistake in offered(sizes)}
    missing = {mistake.name for mistake in MISTAKES.values()} - names
    no_room = {"sum-for-mean", "axis-forgotten", "dimension-dropped", "sum-over-units"}  # in any lab
    assert missing == no_room, f"NETWORKS needs one with room for {missing - no_room}"


@pytest.mark.parametrize(("sizes", "mistake"), EVERY_MISTAKE)
def test_a_chosen_mistake_is_told_and_shows_in_the_check_or_in_the_curves(drawn, sizes, mistake):
    lab = MistakeLab("", **sizes)
    assert set(verdicts(lab).values()) == {"agrees"}
    lab._mistake.value = mistake.name
    assert lab._note.value == ""
    assert lab.lab.stepper.place.mistake == lab._mistake.value == mistake.name

    told, t = plain(lab._text.value), trace(lab.lab.stepper.first_problem)
    assert lab._text.value.count("<code>") >= 1
    assert mistake.cause.replace("`", "") in told
    assert mistake.symptom in told
    places = mistake.planted_at(t)
    assert f"{places[0]} = {mistake.wrong_line(t, places[0])}" in told if places else "It changes nothing" in told

    trained_alike = np.array_equal(drawn["correct"], drawn["with the mistake"])
    if places or mistake.name == "bias-forgotten":
        assert "wrong" in verdicts(lab).values() or not trained_alike
    if mistake.name in (*INVISIBLE_TO_GRADIENT_CHECK, "bias-forgotten"):
        assert set(verdicts(lab).values()) == {"agrees"}


@pytest.mark.parametrize("name", ["sign-flipped", "mean-for-sum", "plus-for-minus", "weights-for-gradient"])
def test_the_wrong_lines_that_are_told_are_those_on_the_board(drawn, name):
    lab = MistakeLab(name)
    right = trace(lab.lab.stepper.first_problem)
    board = [f"{step.name} = {step.code}" for step in lab.lab.stepper.place.trace.steps]
    made = [line for line, step in zip(board, right.steps, strict=True) if line != f"{step.name} = {step.code}"]
    assert [unescape(line) for line in re.findall("<code>(.*?)</code>", lab._text.value)] == made


def test_the_mean_for_the_sum_divides_by_the_number_of_samples_once(drawn):
    lab = MistakeLab("mean-for-sum", samples=4)
    board, right = lab.lab.stepper.place.trace, trace(lab.lab.stepper.first_problem)
    for name in verdicts(lab):
        np.testing.assert_allclose(board[name], right[name] / 4)


@pytest.mark.parametrize(("sizes", "mistake"), EVERY_MISTAKE)
def test_a_row_is_red_just_where_the_gradient_on_the_board_is_not_the_right_one(drawn, sizes, mistake):
    lab = MistakeLab(mistake.name, **sizes)
    board, right = lab.lab.stepper.place.trace, trace(lab.lab.stepper.first_problem)
    for name, said in verdicts(lab).items():
        assert said == ("agrees" if np.allclose(board[name], right[name], rtol=1e-7, atol=1e-9) else "wrong"), name


@pytest.mark.parametrize("name", ["mask-forgotten", "raw-input", "bias-from-weights", "not-updated", "lr-twice"])
def test_the_orange_curve_is_the_loss_of_someone_who_makes_the_mistake_in_every_iteration(name):
    (mistake,) = [each for each in MISTAKES.values() if each.name == name]
    problem = random_problem(1, lr=0.01)
    curves = ends(MistakeLab(name))
    assert curves["correct"] == pytest.approx((trained(problem, 0), trained(problem, 100)), rel=1e-3)
    wrong = (trained(problem, 0, mistake), trained(problem, 100, mistake))
    assert curves["with the mistake"] == pytest.approx(wrong, rel=1e-3)


def test_with_no_mistake_everything_agrees_and_one_curve_is_left():
    lab = MistakeLab()
    lab._mistake.value = ""
    assert set(verdicts(lab).values()) == {"agrees"}
    assert list(ends(lab)) == ["correct"]
    assert plain(lab._text.value).strip() == ""
    assert lab.lab.stepper.place.mistake == ""


def test_a_mistake_in_the_update_is_not_seen_by_the_check_but_by_the_curves():
    for name in ("plus-for-minus", "lr-twice", "not-updated"):
        lab = MistakeLab(name)
        assert set(verdicts(lab).values()) == {"agrees"}
        right, wrong = ends(lab).values()
        assert not wrong[1] < 10 * right[1]


# Following the learner


def test_the_check_belongs_to_the_numbers_on_the_board(drawn):
    lab = MistakeLab("updated-weights")
    for iteration in (1, 2, 3):
        lab.lab.stepper.next_iteration()
        board = lab.lab.stepper.place.trace
        assert lab.lab.stepper.place.iteration == iteration
        for parameter in board.problem.network.parameters:
            _, sentence = proof(board, board.step(f"d{parameter}"))
            error = re.escape(sentence.rsplit()[-1])
            assert re.search(rf">d{parameter}<.*?>{error}<", lab._checked.value.replace("</tr>", "\n"))


def test_stepping_does_not_train_again(monkeypatch):
    lab = MistakeLab()
    monkeypatch.setattr(mistake_lab, "hundred_losses", lambda *_: pytest.fail("it trained"))
    stepper = lab.lab.stepper
    for move in (stepper.back, stepper.next, stepper.next_phase, stepper.next_iteration, lambda: stepper._go(0, 3)):
        move()
    stepper.choose(("dW1", 0, 0), pinned=True)
    stepper.choose(None)


def test_another_learning_rate_draws_both_curves_again_and_keeps_the_mistake():
    lab = MistakeLab("raw-input")
    lab.lab.stepper.set_lr(0.02)
    right, wrong = ends(lab).values()
    assert lab._mistake.value == "raw-input"
    assert right[1] == pytest.approx(trained(random_problem(1, lr=0.02), 100), rel=1e-3)
    assert wrong[1] != right[1]


def test_the_curves_begin_at_iteration_0_whatever_iteration_is_on_the_board():
    lab = MistakeLab()
    for _ in range(5):
        lab.lab.stepper.next_iteration()
    lab.lab.stepper.set_lr(0.02)
    assert ends(lab)["correct"][0] == pytest.approx(trained(random_problem(1), 0), rel=1e-3)


def test_another_seed_keeps_the_mistake_and_changes_all_the_rest():
    lab = MistakeLab()
    before = lab._checked.value, lab._curves.value
    lab.lab.stepper.set_up(seed=2)
    assert lab._mistake.value == lab.lab.stepper.place.mistake == "mask-forgotten"
    assert lab._checked.value != before[0]
    assert ends(lab)["correct"][1] == pytest.approx(trained(random_problem(2, lr=0.01), 100), rel=1e-3)


def test_a_number_typed_over_counts_for_the_curves_too():
    lab = MistakeLab()
    lab.lab.stepper.choose(("y", 0, 0), pinned=True)
    lab.lab.stepper.edit(3.0)
    y = random_problem(1).y.copy()
    y[0, 0] = 3.0
    problem = replace(random_problem(1, lr=0.01), y=y)
    assert ends(lab)["correct"] == pytest.approx((trained(problem, 0), trained(problem, 100)), rel=1e-3)


def test_the_menu_offers_what_the_network_has_room_for_and_drops_what_it_has_not():
    lab = MistakeLab("transpose-forgotten", **SQUARE)
    lab.lab.stepper.set_up(hidden=4)
    assert "transpose-forgotten" not in choices(lab) or "dW2" not in plain(lab._text.value)
    assert lab._mistake.value == lab.lab.stepper.place.mistake
    assert "operands-swapped" in choices(MistakeLab(**SQUARE))
    assert "operands-swapped" not in choices(MistakeLab())


@pytest.mark.parametrize("name", ["", "lr-forgotten", "plus-for-minus"])
def test_a_training_that_explodes_leaves_the_lab_usable_and_its_check_honest(name):
    lab = MistakeLab(name, lr=2.0)
    for _ in range(12):
        lab.lab.stepper.next_iteration()
        assert "wrong" not in verdicts(lab).values(), "these gradients are right, only large"
    assert not np.isfinite(lab.lab.stepper.losses[-1])
    lab.lab.stepper.set_lr(0.01)
    lab.lab.stepper.restart()
    assert np.isfinite(ends(lab)["correct"][1])


@pytest.mark.parametrize(
    ("name", "sizes"), [("plus-for-minus", SQUARE), ("lr-forgotten", NETWORKS["square with tanh"])]
)
def test_the_curves_have_room_for_a_loss_that_explodes(name, sizes):
    right, wrong = ends(MistakeLab(name, **sizes)).values()
    assert right[1] < right[0] == wrong[0]
    assert not wrong[1] <= 1e100


# On the page


def test_the_menu_can_be_named_and_says_none_for_none():
    lab = MistakeLab()
    assert lab._mistake.description == "mistake"
    assert lab._mistake.tooltip
    assert choices(lab)[""] == NONE


def test_what_the_step_through_lab_can_do_without_here_is_not_shown():
    lab = MistakeLab()
    assert {"play", "predict", "more", "call"} <= set(lab.lab._hidden)


def test_the_curves_say_in_words_where_they_begin_and_end():
    assert set(ends(MistakeLab())) == {"correct", "with the mistake"}
    assert 'alt="Loss by iteration' in MistakeLab()._curves.value


def test_where_no_kernel_is_the_board_stands_in_as_a_picture():
    bundle = MistakeLab()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"] == "MistakeLab()"
    assert len(data["image/png"]) > 1000


def test_more_can_be_hidden(drawn):
    assert "'seed'" in MistakeLab(hide=["seed"]).lab.call()
