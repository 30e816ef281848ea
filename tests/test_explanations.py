"""What the lines of a step mean, in LaTeX and in words: ours for our lines, a plain title for anyone else's."""

import pytest
from hypothesis import given
from own_parts import OWN_PROBLEMS
from problems import problems

from backprop_lab import MISTAKES, plant, trace, worked_example
from backprop_lab.ui.values.explanations import EXPLANATIONS, explain

EXAMPLE = trace(worked_example())


@given(problems())
def test_the_formula_of_every_step_has_balanced_braces(problem):
    for step in trace(problem).steps:
        depth = 0
        for character in explain(step).latex:
            depth += (character == "{") - (character == "}")
            assert depth >= 0, explain(step).latex
        assert depth == 0, explain(step).latex


@given(problems())
def test_no_formula_stays_in_the_page_when_the_next_one_comes(problem):
    """MathJax keeps whatever it has set with a text in it, and a lab sets a formula at every step."""
    assert not [explain(step).latex for step in trace(problem).steps if r"\text" in explain(step).latex]


@given(problems())
def test_no_placeholder_is_left_in_the_words_of_a_step(problem):
    for step in trace(problem).steps:
        said = explain(step)
        assert said.title
        assert said.sentence.endswith((".", "?"))
        assert not set("{}") & set(step.code + said.title + said.sentence)


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("y_pred", r"y_{\mathrm{pred}} = H_{1}\,W_{2} + b_{2}"),
        ("dW1", r"dW_{1} = X^{\top}\,dY_{1}"),
        ("W1_new", r"W_{1}^{\mathrm{new}} = W_{1} - \mathrm{lr}\,dW_{1}"),
    ],
)
def test_a_formula_is_written_as_in_a_book(name, latex):
    assert explain(EXAMPLE.step(name)).latex == latex


def test_a_planted_mistake_has_its_own_words_and_the_right_formula_crossed_out():
    mistake = MISTAKES["mask-forgotten"]
    explanation = explain(plant(EXAMPLE, mistake, "dY1").step("dY1"))
    assert explanation == (r"dY_{1} \neq dH_{1} \odot [H_{1} > 0]", mistake.title, mistake.cause)


@pytest.mark.parametrize("problem", OWN_PROBLEMS.values(), ids=OWN_PROBLEMS.keys())
def test_our_words_are_there_only_where_the_line_is_ours(problem):
    for step in trace(problem).steps:
        explanation = explain(step)
        assert explanation.title
        assert bool(explanation.latex) == bool(explanation.sentence) == (step.template in EXPLANATIONS)
