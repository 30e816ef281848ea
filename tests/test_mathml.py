"""Formulas as MathML: well formed, and with every symbol of the LaTeX in its place."""

import re
from string import Formatter
from xml.etree import ElementTree

from backprop_lab.ui.values.explanations import EXPLANATIONS, _in_latex
from backprop_lab.ui.values.mathml import mathml


def test_a_formula_becomes_mathml_and_a_command_that_is_not_known_stands_as_it_is_written():
    one, two = "<mrow><mn>1</mn></mrow>", "<mrow><mn>2</mn></mrow>"
    inside = f"<mfrac>{one}{two}</mfrac><msubsup><mi>x</mi>{one}{two}</msubsup><msup><mi>a</mi>{two}</msup>"
    inside += "<mo>−</mo><mtext>\\nabla</mtext>"
    assert mathml(r"\frac{1}{2}x_{1}^{2}a^{2}-\nabla") == f"<math><mrow>{inside}</mrow></math>"


def test_every_formula_of_ours_is_known_and_each_of_its_letters_and_numbers_is_there():
    for explanation in EXPLANATIONS.values():
        names = [field for _, field, _, _ in Formatter().parse(explanation.latex) if field]
        latex = explanation.latex.format_map({name: _in_latex(name) for name in names})
        assert "mtext" not in mathml(latex)
        text = "".join(ElementTree.fromstring(mathml(latex)).itertext())
        plain = re.sub(r"\\(?:frac|mathrm|top|odot|sum|neq|,)", "", latex)
        assert sorted(re.findall(r"\w", text)) == sorted(re.findall(r"[^\W_]", plain)), latex
