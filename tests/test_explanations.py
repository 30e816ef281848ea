"""What the lines of a step mean, in LaTeX and in words: ours for our lines, a plain title for anyone else's."""

from itertools import accumulate

from hypothesis import given
from problems import problems

from backprop_lab import MISTAKES, HalfSquaredError, plant, trace
from backprop_lab.ui.values.explanations import explain


@given(problems())
def test_every_step_has_a_title_a_sentence_and_a_formula_that_mathjax_can_set(problem):
    for step in trace(problem).steps:
        latex, title, sentence = explain(step)
        depths = [*accumulate((c == "{") - (c == "}") for c in latex)]
        assert min(depths) == depths[-1] == 0, f"the braces of {latex}"
        assert r"\text" not in latex, "MathJax keeps whatever it has set with a text in it"
        assert title
        assert sentence.endswith((".", "?"))
        assert not set("{}") & set(step.code + title + sentence), "no placeholder is left"


def test_a_formula_is_written_as_in_a_book_and_for_a_planted_mistake_it_is_crossed_out(example):
    formulas = {
        "y_pred": r"y_{\mathrm{pred}} = H_{1}\,W_{2} + b_{2}",
        "dW1": r"dW_{1} = X^{\top}\,dY_{1}",
    }
    assert {name: explain(example.step(name)).latex for name in formulas} == formulas
    mistake = MISTAKES["mask-forgotten"]
    explanation = explain(plant(example, mistake, "dY1").step("dY1"))
    assert explanation == (r"dY_{1} \neq dH_{1} \odot [H_{1} > 0]", mistake.title, mistake.cause)


def test_a_line_of_ones_own_is_not_explained_as_ours_that_reads_the_same_and_makes_something_else(example):
    gradient = trace(example.problem.evolve(loss=HalfSquaredError())).step("dy_pred")
    assert explain(gradient).sentence
    assert explain(gradient._replace(name="E", result="E")) == ("", "Gradient for E", "")
