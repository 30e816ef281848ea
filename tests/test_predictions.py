"""Predictions and the questions of a lesson: what is asked, what counts as right, and what is said of an answer."""

import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from common import PAGE, count, gradients_of, tell, through, trained, view_of, with_numbers
from known_programs import programmed
from problems import varied_problem

from backprop_lab import MISTAKES, Linear, plant, program, random_problem, trace
from backprop_lab.course.predictions import asked_before, question
from backprop_lab.course.quiz import LESSONS, Quiz
from backprop_lab.reading.one_cell import work_out
from backprop_lab.step.number_format import format_number
from backprop_lab.ui import StepThrough
from backprop_lab.ui.steps import notes, remarks
from backprop_lab.ui.steps.frame import wrong_gradients
from backprop_lab.ui.steps.stepper import Stepper

TOUR, TRAINING = LESSONS["tour"], LESSONS["training"]


def judge(t, cell, text):
    return question(t, cell).judge(text)


def cells(t):
    return [((name, i, j), float(value)) for name in gradients_of(t) for (i, j), value in np.ndenumerate(t[name])]


def test_a_value_is_right_as_printed_and_a_small_one_is_not_0(example):
    t = plant(example, MISTAKES["mask-forgotten"])
    for cell, value in cells(t):
        assert all(judge(t, cell, text)[0] for text in (f"{value:.3g}", repr(value * 0.991), format_number(value)))
    assert judge(t, ("dW1", 0, 0), f"{t['dW1'][0, 0]:.2f}".replace(".", ","))[0], "as it is written in other countries"
    assert judge(t, ("dW1", 0, 0), f"{2 * t['dW1'][0, 0]:.4f} / 2")[0], "as it is worked out"
    worked = work_out(t, ("dW1", 1, 2))
    assert judge(t, ("dW1", 1, 2), "5.25") == (False, f"5.25 is not right: {worked}.")
    assert judge(t, ("dW1", 1, 2), "+") == (False, f"Not the right sign: {worked}.")
    p = with_numbers(example.problem, W2=example["W2"] * 1e-3)
    t = trace(with_numbers(p, y=p.network.forward(p.X) - 1e-3))  # as flat as near the end of training
    small = [(cell, value) for cell, value in cells(t) if 0 < abs(value) < 0.004]
    assert len(small) > 10
    for cell, value in small:
        typed = format_number(value), repr(3 * value), repr(-value)
        assert [judge(t, cell, text)[0] for text in typed] == [True, False, False]


def test_a_mistake_is_named_where_the_number_is_what_it_gives():
    named, t = set(), trace(random_problem(0, samples=3, inputs=3, hidden=3, outputs=3, lr=0.1))
    for mistake in MISTAKES.values():
        wrong = {name: mistake.wrong_value(t, name) for name in mistake.possible_at(t)}
        for (name, i, j), value in cells(t):
            if name in wrong and not np.isclose(wrong[name][i, j], value, rtol=0.01, atol=0.006):
                right, verdict = judge(t, (name, i, j), repr(float(wrong[name][i, j])))
                assert (right, " looks like " in verdict) == (False, True)
                named |= {mistake.name} if mistake.resemblance(t, name) in verdict else set()
    assert {"mask-forgotten", "sign-flipped", "factor-two-dropped", "transpose-forgotten", "mean-for-sum"} <= named


def test_once_numbers_have_overflowed_nothing_is_right_and_so_nothing_is_asked():
    t = trained(random_problem(0).evolve(parameters={"W1": np.full((3, 4), np.nan)}), 0)
    assert all(not right and "nan" in said for right, said in (judge(t, ("dW1", 0, 0), text) for text in "+-01"))
    assert not any(asked_before(t, step, np.random.default_rng(0)) for step in t.steps), "so nothing is asked either"


def answers(found, name, i, j):
    """Every answer that can be chosen and some that can be typed, and which of them are right."""

    def way(change, *ways):  # an overflow is up, and infinity less infinity is too
        return {*ways}, {ways[1 + int(np.sign(change))] if change == change else ways[2]}

    if name == "L":
        return way(found["then"] - found["L"], "falls", "stays", "rises")
    if name.endswith("_new"):
        return way((found[name] - found[name.removesuffix("_new")])[i, j], "down", "stays", "up")
    if name.startswith("d"):
        value = float(found[name][i, j])
        offered, right = way(value, "−", "0", "+")
        near, far = repr(value * 1.009), {repr(value * 1.02 or 1.0), repr(value * 0.98 or 1.0), repr(-value or 1.0)}
        return offered | {near} | far, right | {near}
    zero, units = {unit for unit, value in enumerate(found[name][i]) if value == 0}, range(found[name].shape[1])
    typed = {", ".join(map(str, some)): {*some} for n in units for some in combinations(units, n + 1)}
    means = typed | {"none": set(), "all": {*units}}
    return means.keys(), {text for text, some in means.items() if some == zero}


def test_every_answer_to_every_kind_of_question_is_judged_as_it_is():
    rng, asked = np.random.default_rng(5), Counter()
    while min([asked[kind] for kind in ("forward", "loss", "backward", "update")]) < count(2000):
        seed = int(rng.integers(10**6))
        lr = float(10.0 ** rng.uniform(-18, 1))
        problem = random_problem(seed, samples=2, inputs=2, hidden=(3, 2)[: 1 + seed % 2], lr=lr)
        t = trained(problem, 0, MISTAKES["plus-for-minus"] if seed % 3 == 0 else None)
        with np.errstate(all="ignore"):
            found = {**t, "then": trace(t.next_problem())["L"]}
        for step in t.steps:
            if cell := asked_before(t, step, rng):
                now, (offered, right) = question(t, cell), answers(found, *cell)
                assert {text for text in offered if now.judge(text)[0]} == right, (now.title, seed)
                assert {*now.choices} <= offered
                assert now.why
                asked[t.step(cell[0]).phase] += 1
    print(f"questions, each answered in every way: {dict(asked)}")  # noqa: T201


def test_the_cells_that_the_teaching_notes_stop_at_are_as_they_say():
    stepper, asked = Stepper(step="L"), {}
    stepper.predict(True)
    while stepper.place.iteration < 2:
        stepper.next()
        if cell := stepper.place.question:
            asked[stepper.place.iteration, cell[0]] = *cell[1:], stepper.place.trace
    i, j, t = asked[0, "dW1"]
    assert np.prod(np.sign(t["X"][:, i] * t["dY1"][:, j])) == -1
    i, j, t = asked[1, "dY1"]
    assert t["H1"][i, j] == 0


def test_each_kind_of_question_gives_a_verdict_and_our_reason(example):
    t = trace(example.problem.evolve(lr=0.05))
    zeros, way, rise = (question(t, cell) for cell in [("H1", 0, 0), ("W1_new", 1, 0), ("L", 0, 0)])
    assert zeros.judge("0, 1") == (False, "Not quite: in row 0 of H1, units 0, 1 and 2 are 0.")
    assert all(zeros.judge(text)[0] for text in ("units 0, 1 and 2", "0 & 1 & 2", "0 1, and 2", "2; 1; 0"))
    with pytest.raises(ValueError, match="type the numbers of units"):
        zeros.judge("and 2")
    assert way.judge("up")[1].startswith("Right: W1_new[1,0] = W1[1,0]")
    assert way.why.startswith("A step goes against the gradient. W1_new = W1 - lr * dW1, and dW1[1,0] is −11.8")
    assert rise.judge("stays")[1].startswith("No: the loss goes from 52.15")
    assert rise.why.endswith(" The step is too long: along the way the loss turns and rises.")
    assert "too long" not in question(plant(t, MISTAKES["mask-forgotten"]), ("L", 0, 0)).why, "a gradient is wrong here"
    for other, said in (
        (2, "−2 is one of the largest in size of its 3 terms, but"),
        (0, "2 is one of the largest in size of its 3 terms, which"),
    ):
        tied = through(Linear([[1.0]], [[0.0]]), X=np.ones((3, 1)), y=[[0.0], [other], [0.5]])
        assert f" 1 × {said}" in question(tied, ("dW1", 0, 0)).why


def test_no_step_is_called_too_long_whose_loss_rises_for_another_reason():
    lines = "h1 = np.tanh(x @ Wx + h0 @ Wh)\nh0_new = h1\nL = np.sum((h1 @ Wy - y) ** 2)"
    weights, data = {"Wx": [[0.5]], "Wh": [[2.0]], "Wy": [[1.0]]}, {"x": [[1.0]], "h0": [[0.0]], "y": [[0.0]]}
    t = trace(program(lines, weights, data, lr=1e-6))
    assert t.next_loss() > 3 * t["L"]
    asked = question(t, ("L", 0, 0))
    assert asked.text.endswith("With all the new weights and the next h0, will the loss rise?")
    assert asked.why.endswith(" But the next step has its own h0, so its loss is a different one.")
    assert remarks.on_next_loss(t, t.steps[-1]).startswith("With all the new weights and the next h0, the loss will be")
    still = (trace(varied_problem(seed).evolve(lr=1e-16)) for seed in range(2000))
    t = next(t for t in still if t.next_loss() > t["L"])  # by rounding alone
    assert "too long" not in question(t, ("L", 0, 0)).why


def test_nothing_is_asked_of_a_loss_that_will_be_no_number_and_a_loss_may_overflow_downwards():
    def last(w, lr):
        t = trace(program("L = np.sum(np.log(w))", {"w": [w]}, {}, lr=lr))
        return t, asked_before(t, t.steps[-1], np.random.default_rng(0))

    assert last(0.5, 1.0)[1] is None, "of the logarithm of a negative number"
    t, cell = last(0.5, 0.25)
    assert t.next_loss() == -np.inf
    assert judge(t, cell, "falls") == (True, "Right: the loss goes from −0.6931 until it overflows.")


def test_a_typed_number_is_held_against_mistakes_in_an_array_of_three_axes():
    t = trace(programmed("layernorm_layer"))
    (cell,) = [(s.name, 0, 0) for s in t.steps if s.role == "gradient" and np.ndim(s.value) == 3][:1]
    assert judge(t, cell, repr(1.5 * float(t[cell[0]].flat[0]) + 1))[0] is False


def test_a_term_is_said_to_decide_the_sign_only_where_it_does():
    found = Counter()
    for seed in range(count(300)):
        t = trace(random_problem(seed, samples=4, inputs=3, hidden=4, outputs=4, lr=0.01))
        for cell, value in cells(t):
            why = question(t, cell).why
            terms = [term.value for term in work_out(t, cell).every_term]
            if said := re.search(r"(of its \d+ terms.*)", why):
                largest = max(map(abs, terms))
                those = [term for term in terms if abs(term) == largest and np.sign(term) == np.sign(value)]
                against = -sum(term * np.sign(value) for term in terms if np.sign(term) == -np.sign(value))
                decides = abs(sum(those)) > against and len(those) == sum(abs(term) == largest for term in terms)
                assert ("decide" in said[1].replace("not decide", "")) == decides, (cell, why)
                assert ("outweigh" in said[1]) == (not those and value != 0)
                found[decides, bool(those)] += 1
    assert len(found) == 3, found


def test_a_term_with_which_a_sentence_begins_keeps_its_name():
    for seed in range(20):
        t = trace(random_problem(seed, samples=4, hidden=4))
        for cell, _ in cells(t):
            names = re.findall(r"(\w+)\[\d,\d\]", question(t, cell).why)
            assert {*names} <= {*t.names}, cell


def test_what_is_right_in_the_tour_and_about_training_is_right_on_the_board(example):
    t, mistake = example, MISTAKES["mask-forgotten"]
    squares, rate = (t["y_pred"] - t["y"]) ** 2, float(re.search(r"\d\S*\d", TOUR[6].text)[0])
    assert [each.right for each in TOUR] == [
        ("the first", "the second", "the third")[np.argmax(t["X"][0] * t["W1"][:, 3])],
        str(np.sum(t["H1"] == 0)),
        "more than half" if squares.max() > 0.6 * t["L"] else "",
        {1: "+", 0: "0", -1: "−"}[int(np.sign(t["dy_pred"][0, 1]))],
        str(np.sum(t["dY1"] != t["dH1"])),
        ("the first", "the second")[int(np.flatnonzero(t["X"][:, 1] * t["dY1"][:, 0] == 0)[0])],
        f"{1e-3 / rate:.0f}",
        str(sum((trace(random_problem(seed))["H1"] == 0).all(axis=0).any() for seed in range(10))),
    ]
    right, wrong = (trained(t.problem.evolve(lr=0.01), 10, made) for made in (None, mistake))
    assert all(f"{made['L']:.2f}" in TRAINING[1].answer for made in (right, wrong))
    assert [each.right for each in TRAINING] == [
        str((trained(t.problem.evolve(lr=0.05), 2)["H1"] == 0).all(axis=0).sum()),
        "with the mistake" if wrong["L"] < right["L"] else "without the mistake",
        str(len(wrong_gradients(plant(t, mistake)))),
    ]


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_next_question_comes_only_after_a_right_answer(lesson):
    quiz, questions = Quiz(LESSONS[lesson]), LESSONS[lesson]
    for number, each in enumerate(questions, start=1):
        asked = quiz.asked()
        assert (asked["text"], asked["choices"], asked["told"]) == (each.text, [*each.choices], "")
        with pytest.raises(ValueError, match="answer"):
            quiz.next()
        for wrong in [text for text in each.choices or ("99",) if text != each.right] * (number > 1):
            quiz.answer(wrong)
            assert quiz.asked()["told"] == f"{wrong.capitalize()} is not right. {each.hint}"
        quiz.show() if number == 2 else quiz.answer(each.right)
        assert quiz.asked()["told"].removeprefix("Right. ") == each.answer
        with pytest.raises(ValueError, match="there is no question"):
            quiz.answer(each.right)
        quiz.next()
    assert quiz.asked()["text"] == f"You got 1 of {len(questions)} right at the first try."
    quiz.next()
    assert quiz.asked() is None


def test_what_a_question_is_about_is_said_where_the_board_has_other_numbers():
    quiz = Quiz(LESSONS["tour"])
    for each in quiz.questions:
        quiz.place = quiz.place._replace(at=quiz.questions.index(each), shown=False)
        about = "the worked example as it is" if each.where == "home" else "random numbers"
        assert f"about {about}" in quiz.asked(home=False, drawn=False)["text"]
    assert {each.where for each in quiz.questions} == {"home", "drawn"}


def test_a_tours_question_stands_beside_a_prediction_of_the_same_numbers_only():
    lab = StepThrough(questions="tour", step="L")

    def do(what, text=""):
        tell(lab, "do", {"what": what, "text": text})
        return view_of(lab).state["tour"]

    assert do("next")["title"] == "Question 1 of 8"
    lab.stepper.predict(True)
    assert do("next")["title"] == "Question 1 of 8"
    assert view_of(lab).state["question"]["title"].startswith("Predict dH1")
    assert do("answer", "99")["told"] == "", "that was the answer to the other"
    assert do("tour", "the second")["told"].startswith("Right. ")
    do("next_question")
    assert do("show")["told"] == TOUR[1].answer
    for elsewhere in ({"start": "iris"}, {"hidden": 6}, {"activation": "Tanh"}, {}):
        lab.stepper.set_up(**elsewhere) if elsewhere else lab.stepper.next_iteration()
        assert "the board has other numbers now" in view_of(lab).state["tour"]["text"]
        assert (view_of(lab).state["tour"]["told"], do("home")["told"]) == ("", TOUR[1].answer)
        assert lab.stepper.place.lr == 1e-6, "and not that of where it comes from"
    lab.stepper.set_lr(0.5)
    lab.stepper.set_up(seed=3)
    assert (do("home")["told"], lab.stepper.place.lr) == (TOUR[1].answer, 0.5), "which the learner has chosen"
    lab = StepThrough(questions="training", mistake="mask-forgotten", lr=0.01)
    assert do("home")["text"] == TRAINING[0].text == do("next_iteration")["text"], "it is about right gradients"
    lab._quiz.place = lab._quiz.place._replace(at=2)
    lab.stepper.plant("mask-forgotten")
    lab.stepper.set_up(start="random")
    assert (do("home")["text"], lab.stepper.place.mistake) == (TRAINING[2].text, "mask-forgotten"), "still planted"


def test_a_tours_question_is_answered_in_digits_or_in_words():
    lab = StepThrough(questions="tour")

    def told(text):
        tell(lab, "do", {"what": "tour", "text": text})
        return view_of(lab).state["tour"]["told"]

    assert told("the first") == "Y1 is still empty: press Next until it fills, then look"
    lab.go("Y1")
    told("the second")
    tell(lab, "do", {"what": "next_question"})
    for text in ("8", "3"):
        assert told(text) == "H1 is still empty: press Next until it fills, then look"
    assert not view_of(lab).note, "it is said where it was asked"
    lab.go("H1")
    assert told("many") == "answer with a number, such as 12 or 0.5, without commas; got 'many'"
    assert told(" Three").startswith("Right. Three, all in the first row")
    lab._quiz.place = lab._quiz.place._replace(at=7, told="", shown=False)
    for setup, is_asked in [({"start": "random"}, True), ({"seed": 7}, True), ({"samples": 8}, False)]:
        lab.stepper.set_up(**setup)
        assert ("is at least one unit off" in view_of(lab).state["tour"]["text"]) == is_asked, setup


def test_no_relu_is_asked_about_where_something_else_is_planted_in_its_place():
    planted = plant(trace(random_problem(0)), MISTAKES["activation-forgotten"])
    assert planted.step("H1").title
    assert asked_before(planted, planted.step("H1"), np.random.default_rng(0)) is None
    assert "before each gradient and update" in notes.on_predicting([planted.step("dW1")], alone=False)


def test_what_the_loss_would_do_by_a_planted_gradient_is_said_of_that_gradient_alone():
    why = question(plant(trace(random_problem(0, lr=1e-4)), MISTAKES["sign-flipped"]), ("L", 0, 0)).why
    assert why.startswith("If the gradients shown were right and constant along the step, the loss would change by −")
    assert question(trace(random_problem(0, lr=1e-4)), ("L", 0, 0)).why.startswith("If the gradient stayed constant")


def test_numbers_that_are_not_multiplied_with_each_other_are_no_reason_for_the_way_of_a_state():
    p = program("a = np.tanh(x @ W)\nh_new = R @ a\nL = np.sum(a**2)", {"W": np.ones((2, 2))},
                {"x": np.eye(2), "R": np.eye(2), "h": np.zeros((2, 2))})  # fmt: skip
    why = question(trace(p), ("h_new", 0, 1)).why
    assert why.startswith("h_new = R @ a: it moves by "), why


def test_nothing_is_asked_that_a_board_and_its_operation_are_too_small_for():
    room = {"width": 390, "height": 800, "ratio": 2.0, "dark": False, "view": "a"}
    every = {"forward", "loss", "backward", "update"}
    for size, below, phases in (
        ([390, 200], [390, 40], {"loss", "update"}),
        ([390, 200], [390, 116], every),
        ([930, 318], [390, 40], every),
    ):
        lab, asked = StepThrough(lr=0.01), set()
        tell(lab, "page", room | {"map": size, "operation": below})
        lab.stepper.predict(True)
        note = view_of(lab).note["text"]
        assert ("too small" in note) == (len(phases) == 2)
        while lab.stepper.place.iteration == 0:
            lab.stepper.next()
            if cell := lab.stepper.place.question:
                asked.add(lab.trace.step(cell[0]).phase)
        assert asked == phases
        told = re.findall(r"\w+", note.partition("only before")[2])
        assert not told or {lab.trace.step(name).phase for name in told if name != "and"} <= phases


@pytest.mark.parametrize("start", ["worked example", "rnn"])
def test_in_a_lecture_hall_the_operation_shows_what_a_question_is_about_and_no_answer(start):
    lab = StepThrough(start=start, large=True)
    tell(lab, "page", PAGE | {"map": [650, 300], "operation": [1290, 220], "view": "a"})
    lab.stepper.predict(True)
    asked = []
    while lab.stepper.place.iteration == 0:
        lab.stepper.next()
        _, operation = lab._pictures
        filled = [numbers is not None for numbers in operation._painter.numbers] if operation.shown else []
        if (cell := lab.stepper.place.question) and cell[0] != "L":
            asked.append(cell[0])
            step = lab.trace.steps[lab.stepper.place.index]
            if not lab.stepper.unread.isdisjoint(step.operands):
                assert operation.shown.placed[-1].operand.name == step.name
                assert all(filled[:-1])
        assert all(filled) is not bool(filled and lab.stepper.place.question)
    gradients = [step.name for step in lab.trace.steps if step.role == "gradient"]
    assert {*gradients} <= {*asked}


def test_where_the_board_shows_all_numbers_a_question_does_not_give_its_line_away():
    lab = StepThrough()
    tell(lab, "page", PAGE | {"map": [930, 345], "operation": [930, 170], "view": "a"})
    lab.stepper.predict(True)
    lab.go("L")
    assert lab._pictures[1].shown
    lab.stepper.next()
    assert lab.stepper.place.question
    assert lab._pictures[1].shown is None
