"""The questions that stand in the lab: the right answers are those of the numbers, and an answer comes before ours."""

import numpy as np
import pytest
from common import trained, with_mistake

from backprop_lab import MISTAKES, random_problem, trace
from backprop_lab.ui import StepThrough
from backprop_lab.ui.steps.frame import wrong_gradients
from backprop_lab.ui.steps.quiz import LESSONS, TOUR, TRAINING, Quiz


def dead(t):
    return int(np.sum(np.all(t["H1"] == 0, axis=0)))


def test_what_is_right_in_the_tour_and_about_training_is_right_on_the_board(example):
    t, mistake = example, MISTAKES["mask-forgotten"]
    squares = (t["y_pred"] - t["y"]) ** 2
    assert [question.right for question in TOUR] == [
        ("the first", "the second", "the third")[np.argmax(t["X"][0] * t["W1"][:, 3])],
        str(np.sum(t["H1"] == 0)),
        "more than half" if squares.max() > 0.6 * t["L"] else "",
        {1: "+", 0: "0", -1: "−"}[int(np.sign(t["dy_pred"][0, 1]))],
        str(np.sum(t["dY1"] != t["dH1"])),
        ("the first", "the second")[int(np.flatnonzero(t["X"][:, 1] * t["dY1"][:, 0] == 0)[0])],
        f"{1e-3 / float(TOUR[6].text.split()[1]):.0f}",
        str(sum(dead(trace(random_problem(seed))) > 0 for seed in range(10))),
    ]
    right, wrong = (trained(t.problem.evolve(lr=0.01), 10, made) for made in (None, mistake))
    assert all(f"{made['L']:.2f}" in TRAINING[1].answer for made in (right, wrong))
    assert [question.right for question in TRAINING] == [
        str(dead(trained(t.problem.evolve(lr=0.05), 2))),
        "with the mistake" if wrong["L"] < right["L"] else "without the mistake",
        str(len(wrong_gradients(with_mistake(t, mistake)))),
    ]


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_wrong_answer_gets_a_sentence_a_right_one_ours_and_only_then_the_next_question_comes(lesson):
    quiz, questions = Quiz(LESSONS[lesson]), LESSONS[lesson]
    for number, question in enumerate(questions, start=1):
        asked = quiz.asked()
        assert (asked["text"], asked["choices"], asked["told"]) == (question.text, [*question.choices], "")
        with pytest.raises(ValueError, match="answer"):
            quiz.next()
        for wrong in [text for text in question.choices or ("99",) if text != question.right] * (number > 1):
            quiz.answer(wrong)
            assert quiz.asked()["told"] == f"{wrong} is not right. {question.hint}"
        quiz.show() if number == 2 else quiz.answer(question.right)
        assert quiz.asked()["told"].removeprefix("Right. ") == question.answer
        with pytest.raises(ValueError, match="there is no question"):
            quiz.answer(question.right)
        quiz.next()
    assert quiz.asked()["text"] == f"1 of {len(questions)} were right at the first answer."
    quiz.next()
    assert quiz.asked() is None


def test_the_question_stands_in_the_lab_a_prediction_comes_before_it_and_of_other_numbers_it_is_not_asked():
    lab = StepThrough(questions="tour", step="L")

    def do(what, text=""):
        lab._heard("do", {"what": what, "text": text})
        return lab._view.state["question"]

    assert do("next")["title"] == "Question 1 of 8"
    lab.stepper.predict(True)
    assert do("next")["title"].startswith("Predict dH1")
    assert do("answer", "99")["title"] == "Question 1 of 8"
    assert do("answer", "the second")["told"].startswith("Right. ")
    do("next_question")
    assert do("show")["told"] == TOUR[1].answer
    for elsewhere in ({"start": "iris"}, {"hidden": 6}, {"activation": "Tanh"}, {}):
        lab.stepper.set_up(**elsewhere) if elsewhere else lab.stepper.next_iteration()
        assert "other numbers are on the board" in lab._view.state["question"]["text"]
        assert (lab._view.state["question"]["told"], do("home")["told"]) == ("", TOUR[1].answer)
    lab = StepThrough(questions="training", mistake="mask-forgotten", lr=0.01)
    assert do("home")["text"] == TRAINING[0].text == do("next_iteration")["text"], "it is about right gradients"
    lab._quiz.place = lab._quiz.place._replace(at=2)
    lab.stepper.plant("mask-forgotten")
    lab.stepper.set_up(start="random")
    assert (do("home")["text"], lab.stepper.place.mistake) == (TRAINING[2].text, "mask-forgotten"), "still planted"
    with pytest.raises(ValueError, match=r"questions must be one of tour, training; got \['tour'\]"):
        StepThrough(questions=["tour"])
