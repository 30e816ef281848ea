"""What the lines of a step mean, in LaTeX, as MathML and in words: ours for our lines, a title for anyone else's."""

import re
from string import Formatter
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import problems, whole_problem

from backprop_lab import MISTAKES, Adam, HalfSquaredError, plant, random_problem, trace
from backprop_lab.reading.explanations import EXPLANATIONS, explain
from backprop_lab.reading.mathml import LETTERS, mathml


@given(st.one_of(problems(), st.integers(0, 2**32 - 1).map(whole_problem)))
def test_every_step_has_a_title_and_a_sentence_without_placeholders(problem):
    for step in trace(problem).steps:
        latex, title, sentence = explain(step)
        assert "mtext" not in mathml(latex)
        assert title
        assert sentence.endswith((".", "?"))
        assert not set("{}") & set(step.code + title + sentence)


def test_a_formula_is_written_as_in_a_book_and_crossed_out_for_a_mistake(example):
    formulas = {"y_pred": r"y_{\mathrm{pred}} = H_{1}\,W_{2} + b_{2}", "dW1": r"dW_{1} = X^{\top}\,dY_{1}"}
    assert {name: explain(example.step(name)).latex for name in formulas} == formulas
    mistake = MISTAKES["mask-forgotten"]
    explanation = explain(plant(example, mistake, "dY1").step("dY1"))
    assert explanation == (r"dY_{1} \neq dH_{1} \odot [H_{1} > 0]", mistake.title, mistake.cause)


@pytest.mark.parametrize(("eps", "written"), [(1e-8, "10^{-8}"), (2.5e-7, r"2.5 \cdot 10^{-7}"), (0.01, "0.01")])
def test_a_small_number_in_a_formula_is_a_power_of_ten(eps, written):
    step = trace(random_problem(1, optimizer=Adam(eps=eps))).step("W1_new")
    assert explain(step).latex.endswith(rf" + {written}}}")
    assert "<mi>e</mi>" not in mathml(explain(step).latex)


def test_a_line_of_ones_own_is_not_explained_as_one_of_ours(example):
    gradient = trace(example.problem.evolve(loss=HalfSquaredError())).step("dy_pred")
    assert explain(gradient).sentence
    assert explain(gradient._replace(name="E", result="E", of="E")) == ("", "Gradient for E", "")


def test_a_formula_becomes_mathml_and_an_unknown_command_stands_as_written():
    one, two = "<mrow><mn>1</mn></mrow>", "<mrow><mn>2</mn></mrow>"
    inside = f"<mfrac>{one}{two}</mfrac><msubsup><mi>x</mi>{one}{two}</msubsup><msup><mi>a</mi>{two}</msup>"
    inside += '<mo>−</mo><mo stretchy="false">[</mo><mtext>\\nabla</mtext>'
    assert mathml(r"\frac{1}{2}x_{1}^{2}a^{2}-[\nabla") == f"<math><mrow>{inside}</mrow></math>"


def test_every_formula_of_ours_is_drawn_with_all_its_letters():
    for explanation in EXPLANATIONS.values():
        names = [field for _, field, _, _ in Formatter().parse(explanation.latex) if field]
        latex = explanation.latex.format_map({name: name for name in names})
        assert "mtext" not in mathml(latex)
        text = "".join(ElementTree.fromstring(mathml(latex)).itertext())
        plain = re.sub(r"\\(?:frac|mathrm|top|odot|sum|neq|leq|cdot|sqrt|hat|,)", "", latex)
        plain = re.sub(r"\\(?:pi|mu|gamma|beta)", lambda found: LETTERS[found[0]], plain)
        assert sorted(re.findall(r"\w", text)) == sorted(re.findall(r"[^\W_]", plain)), latex
