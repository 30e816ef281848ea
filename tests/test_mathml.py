"""Formulas as MathML: well formed, and with every symbol of the LaTeX in its place."""

import re
from string import Formatter
from xml.etree import ElementTree

import pytest

from backprop_lab.ui.values.explanations import EXPLANATIONS, _in_latex
from backprop_lab.ui.values.mathml import mathml

LR = '<mi mathvariant="normal">lr</mi>'
HALF = "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>"


@pytest.mark.parametrize(("latex", "inside"), [
    (r"x_{1}^{2}", "<msubsup><mi>x</mi><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></msubsup>"),
    ("a^{2}-1", "<msup><mi>a</mi><mrow><mn>2</mn></mrow></msup><mo>−</mo><mn>1</mn>"),
    (r"\frac{1}{2}\,a", f'{HALF}<mspace width="0.2em"></mspace><mi>a</mi>'),
    (r"\nabla L", r"<mtext>\nabla</mtext><mi>L</mi>"),  # a command that is not known stands as it is written
    (r"\max(0)>\mathrm{lr}", f"<mi>max</mi><mo>(</mo><mn>0</mn><mo>)</mo><mo>&gt;</mo>{LR}"),
])  # fmt: skip
def test_a_formula_becomes_mathml(latex, inside):
    assert mathml(latex) == f"<math><mrow>{inside}</mrow></math>"


def test_every_formula_of_ours_is_known_and_each_of_its_letters_and_numbers_is_there():
    for explanation in EXPLANATIONS.values():
        names = [field for _, field, _, _ in Formatter().parse(explanation.latex) if field]
        latex = explanation.latex.format_map({name: _in_latex(name) for name in names})
        assert "mtext" not in mathml(latex)
        text = "".join(ElementTree.fromstring(mathml(latex)).itertext())
        plain = re.sub(r"\\(?:frac|mathrm|top|odot|sum|neq|,)", "", latex)
        assert sorted(re.findall(r"\w", text)) == sorted(re.findall(r"[^\W_]", plain)), latex
