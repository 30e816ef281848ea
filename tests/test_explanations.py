"""What the lines of a step mean, in LaTeX, as MathML and in words: ours for our lines, a title for anyone else's."""

import re
from string import Formatter
from xml.etree import ElementTree

import numpy as np
import pytest
from common import check_said, count
from hypothesis import given
from hypothesis import strategies as st
from known_programs import FORTY, PROGRAMS, programmed
from problems import problems, whole_problem
from random_programs import MAY_BE_REFUSED, RandomProgram

from backprop_lab import MISTAKES, Adam, HalfSquaredError, plant, program, random_problem, trace
from backprop_lab.deriving import rules
from backprop_lab.deriving.shapes import FUNCTIONS
from backprop_lab.nn.activations import Activation, LeakyReLU
from backprop_lab.reading.by_rule import RULES, telling_of
from backprop_lab.reading.explanations import EXPLANATIONS, explain
from backprop_lab.reading.mathml import LETTERS, mathml
from backprop_lab.reading.words import tables_in
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS
from backprop_lab.training.history import Remembered
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.setup import Setup


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


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("W_hy", "W_{hy}"),
        ("Why", "W_{hy}"),
        ("by", "b_{y}"),
        ("theta", r"\theta "),
        ("gamma1", r"\gamma _{1}"),
        ("see", r"\mathrm{see}"),
        ("day", r"\mathrm{day}"),
        ("h_prev", r"h_{\mathrm{prev}}"),
    ],
)
def test_a_name_of_several_letters_is_one_name_in_a_formula(name, written):
    """And no product of its letters: beside data y, "W_h y" would be one of weights and data."""
    plain = trace(program(f"L = np.sum((X * {name}) ** 2)", {name: np.ones(2)}, {"X": np.ones((3, 2))}, lr=0.1))
    new = rf"{written}^{{\mathrm{{new}}}}"
    assert explain(plain.step(f"{name}_new")).latex == rf"{new} = {written} - \mathrm{{lr}}\,d{written}"
    remembered = trace(plain.problem.evolve(optimizer=Adam()))
    assert explain(remembered.step(f"mhat{name}")).latex.startswith(
        rf"\hat{{m}}_{{{written}}} = \frac{{m_{{{written}}}^"
    )


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
        plain = re.sub(r"\\(?:pi|mu|gamma|beta)", lambda found: LETTERS[found[0][1:]], plain)
        assert sorted(re.findall(r"\w", text)) == sorted(re.findall(r"[^\W_]", plain)), latex


def test_a_table_of_words_is_read_as_it_is_written_or_refused_with_its_row():
    text = "# Said once\n[forms]\n{X}[:, {k}]: Part | Some of\n    {X}: those\n\n[sums]\nsum: All\n"
    assert tables_in(text) == {"forms": {"{X}[:, {k}]": ("Part", "Some of {X}: those")}, "sums": {"sum": ("All",)}}
    for row in ("exp", "sum: All"):
        with pytest.raises(ValueError, match=f"'{row}' should be a key of its own, a colon and what is said, such as"):
            tables_in(f"{text}{row}")


def programs():
    """Steps of the programs that courses ask for, of those of others, of the examples, and of some drawn at random."""
    yield from (trace(programmed(name)) for name in PROGRAMS)
    yield from (trace(program(*each)) for each in FORTY.values())
    yield from (trace(made()) for made in EXAMPLE_PROGRAMS.values())
    for seed in range(count(800)):
        p = RandomProgram(seed)
        try:
            yield trace(program([f"{name} = {code}" for name, code in p.lines], p.parameters, p.data))
        except ValueError as error:
            if not re.search(f"{MAY_BE_REFUSED}|no part in the loss", str(error)):
                raise


def test_nearly_every_gradient_of_a_program_has_a_sentence_and_no_line_has_an_invented_one():
    said = gradients = formulas = 0
    for t in programs():
        for step in t.steps:
            latex, title, sentence = explain(step)
            assert title
            assert "mtext" not in mathml(latex)
            formulas += step.phase != "update" and bool(latex)
            assert not set("{}") & set(title + sentence)
            assert sentence == "" or sentence.endswith((".", "?"))
            gradients += step.role == "gradient"
            said += step.role == "gradient" and bool(sentence)
            if not sentence and step.role == "value" and step.phase != "update":
                assert title == step.code
    print(f"{said} of {gradients} gradients have a sentence, {formulas} lines a formula")  # noqa: T201
    assert said >= 0.95 * gradients


def summed_to(value, shape):
    """What broadcasting has made of a value of some shape, added up again."""
    value = np.asarray(value)
    value = value.sum(axis=tuple(range(max(0, value.ndim - len(shape)))))
    return value.sum(axis=tuple(k for k, n in enumerate(shape) if n == 1 != value.shape[k]), keepdims=True)


CLAIMS = {  # what the sentence of a rule says, in numbers
    "+": lambda up, X, Y, Z: up,
    "- 0": lambda up, X, Y, Z: up,
    "- 1": lambda up, X, Y, Z: -up,
    "neg": lambda up, X, Y, Z: -up,
    "*": lambda up, X, Y, Z: up * Z,
    "* number": lambda up, X, Y, Z: up * Z,
    "/ 0": lambda up, X, Y, Z: up / Z,
    "/ 1": lambda up, X, Y, Z: up * -Y / X,
    "**": lambda up, X, Y, Z: up * Z * X ** (Z - 1),
    "square": lambda up, X, Y, Z: up * 2 * X,
    "exp": lambda up, X, Y, Z: up * Y,
    "log": lambda up, X, Y, Z: up / X,
    "log1p": lambda up, X, Y, Z: up / (1 + X),
    "sqrt": lambda up, X, Y, Z: up / (2 * Y),
    "tanh": lambda up, X, Y, Z: up * (1 - Y**2),
    "sin": lambda up, X, Y, Z: up * np.cos(X),
    "cos": lambda up, X, Y, Z: up * -np.sin(X),
    "abs": lambda up, X, Y, Z: up * np.sign(X),
    "logaddexp": lambda up, X, Y, Z: up * np.exp(X) / (np.exp(X) + np.exp(Z)),
    "sigmoid": lambda up, X, Y, Z: up * Y * (1 - Y),
    "sigmoid minus": lambda up, X, Y, Z: -up * Y * (1 - Y),
    "log-sigmoid minus": lambda up, X, Y, Z: -up * np.exp(X) / (1 + np.exp(X)),
    "silu": lambda up, X, Y, Z: up * (np.exp(X) * (1 + X + np.exp(X)) / (1 + np.exp(X)) ** 2),
    "softplus": lambda up, X, Y, Z: up * np.exp(X) / (1 + np.exp(X)),
    "relu": lambda up, X, Y, Z: np.where(X > 0, up, 0),
    "maximum": lambda up, X, Y, Z: np.where(X == Z, np.nan, np.where(X > Z, up, 0)),  # of equal ones nothing is said
    "minimum": lambda up, X, Y, Z: np.where(X == Z, np.nan, np.where(X < Z, up, 0)),
    "clip": lambda up, X, Y, Z: np.where(Y == X, up, 0),
    "where 1": lambda up, X, Y, Z: np.where(Z, up, 0),
    "where 2": lambda up, X, Y, Z: np.where(Z, 0, up),
    "@ 0": lambda up, X, Y, Z: up @ Z.mT,
    "@ 1": lambda up, X, Y, Z: Z.mT @ up,
    "mT": lambda up, X, Y, Z: up.mT,
    "reshape": lambda up, X, Y, Z: up.reshape(X.shape),
    "index rows": lambda up, X, Y, Z: rows_added(up, X, Z),
    "softmax": lambda up, X, Y, Z: Y * (up - (up * Y).sum(axis=adding_up(Y), keepdims=True)),
}


def adding_up(P):
    """The axis along which probabilities add up to 1; all axes, if they do so together."""
    return next((axis for axis in range(P.ndim) if np.allclose(P.sum(axis=axis), 1)), None)


def rows_added(up, X, Z):
    found = np.zeros(X.shape)
    np.add.at(found, Z, up)
    return found


def test_what_is_said_of_a_rule_is_true_of_the_numbers_of_its_line():
    assert {*rules.RULES} <= {key.split()[0] for key in CLAIMS}, "each rule with a sentence"
    seen, turned = dict.fromkeys(CLAIMS, 0), 0
    for t in programs():
        for step in (each for each in t.steps if each.role == "gradient" and len(each.paths) == 1):
            ways = [passed for passed in step.paths[0] if passed.rule not in ("line", "broadcast")]
            telling, is_minus = telling_of(ways)
            lines = [passed.Y for passed in step.paths[0] if passed.rule == "line"]
            up = next((name for name in step.operands if name in (f"d{lines[0]}", f"d{lines[0]}_total")), "")
            if len(telling) != 1 or not up or len(lines) != 1:
                continue
            (one,) = telling
            keys = (f"{one.by} {one.how}", f"{one.by} {one.at}", one.by)
            key = next((key for key in keys if key in RULES), "")
            key = f"where {one.at}" if key == "where" else key
            if key not in CLAIMS or (key == "softmax" and one.how != ""):
                continue
            names = {name: t.evaluate(code) if code else None for name, code in one._asdict().items() if name in "XYZ"}
            with np.errstate(all="ignore"):
                came = summed_to(-t[up] if is_minus else t[up], np.shape(names["Y"]))
                expected = summed_to(CLAIMS[key](came, **names), np.shape(step.value))
            wanted = np.where(np.isnan(expected), step.value, expected)
            assert np.allclose(step.value, wanted, rtol=1e-7, atol=1e-9), (step.name, step.code, key, step.paths)
            sentence = explain(step).sentence
            assert (f"−{up}" in sentence) == (is_minus and up in sentence), (step.code, sentence)
            assert bool(re.search("gets (a|another) minus sign", sentence)) == is_minus
            seen[key] += 1
            turned += is_minus
    print(", ".join(f"{key} {n}" for key, n in seen.items()), f"{turned} with a minus")  # noqa: T201
    assert sum(n > 0 for n in seen.values()) >= 20
    assert turned


SOFTMAX = "a = X @ W\nP = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)\n"


@pytest.mark.parametrize(
    ("lines", "name", "said"),
    [
        (f"{SOFTMAX}L = -np.sum(y * np.log(P))", "da", "The slope for each score is its probability minus its target."),
        (f"{SOFTMAX}L = -np.sum(c * np.log(P))", "da", "a product with c, a sum and a minus sign: the upstream"),
        (f"{SOFTMAX}L = np.sum(y * np.log(P))", "da", "a product with y and a sum: the upstream"),
        (f"{SOFTMAX}L = -np.sum(np.log(P))", "da", "a sum and a minus sign: the upstream"),
        (
            "a = X @ W\nh = c - 2 * a\nL = np.sum(h**2)",
            "da",
            "a is multiplied by 2, so −dh is multiplied by 2 as well.",
        ),
        ("h = c - (y + X @ W)\nL = np.sum(h**2)", "dW", "−dh down that column"),
        ("a = X @ W\nh = c - (y - a)\nL = np.sum(h**2)", "da", "so −dh passes through with the opposite sign. On its"),
        (
            "h = c - (X @ W + b)\nL = np.sum(h**2)",
            "db",
            "is subtracted, so dh passes through with the opposite sign. The",
        ),
        (
            "a = X @ W\nh = y * a - a\nk = c - a\nL = np.sum(h**2) + np.sum(k)",
            "da",
            "a goes into k through a minus sign and into h twice:",
        ),
        ("m = (X @ W).sum(axis=1)\nr = m[:, None]\nL = np.sum((r - y)**2)", "dm", "A new axis moves no number"),
        ("a = X @ W\np = 1 / (1 + np.exp(-a))\nL = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))", "da", "cancels"),
        (
            "a = X @ W\np = 1 / (1 + np.exp(-a))\nL = np.mean((p - y)**2)",
            "da",
            "dp is scaled by the slope of the sigmoid",
        ),
        (
            "a = X @ W\np = 1 / (1 + np.exp(a))\nL = np.mean((p - y)**2)",
            "da",
            "nears 0 or 1, with a minus, as it falls where a rises.",
        ),
        (
            "a = X @ W\nL = -np.mean(np.log(1 / (1 + np.exp(-a))))",
            "da",
            "a sigmoid, a mean and a minus sign: the upstream",
        ),
        ("h = X @ c.mT @ W\nL = np.sum(h**2)", "dW", ": a product with (X @ c.mT) transposed."),
    ],
)
def test_a_sentence_is_said_where_it_is_true_and_no_name_gets_a_capital(lines, name, said):
    rng = np.random.default_rng(1)
    learnt = {"W": rng.random((3, 3)), "b": rng.random((1, 3))}
    given = {"X": rng.random((3, 3)), "y": np.eye(3), "c": rng.random((3, 3))}
    t = trace(program(lines, {each: learnt[each] for each in learnt if each in lines}, given))
    assert said in explain(t.step(name)).sentence


@pytest.mark.parametrize(
    ("lines", "name", "latex"),
    [
        ("H = X @ W\nmu = H.mean(axis=1, keepdims=True)\nL = np.sum(mu**2)", "mu", ""),
        ("A = X @ W\nmu = A.mean(axis=1, keepdims=True)\nL = np.sum(mu**2)", "mu",
         r"\mu [n] = \frac{1}{H} \sum_h A[n, h]"),
        ("K = X @ W\nL = np.mean((K - y)**2)", "dK", ""),
        ("A = X @ W\nL = np.mean((A - y)**2)", "dA", r"dA = \frac{2}{NK}\,(A - y)"),
        ("A = (X @ W)[None]\nL = np.mean((A - z)**2)", "dA", ""),
        ("p = X @ W\nv = ((p - y) ** 2).mean(axis=0, keepdims=True)\nL = np.sum(v**2)", "v",
         r"v = \frac{1}{N} \sum_n (p - y)^2[n]"),
    ],
)  # fmt: skip
def test_a_formula_stands_where_its_counts_and_places_are_those_of_the_line(lines, name, latex):
    rng = np.random.default_rng(1)
    given = {"X": rng.random((2, 3)), "y": rng.random((2, 4)), "z": rng.random((1, 2, 4))}
    t = trace(program(lines, {"W": rng.random((3, 4))}, given))
    assert explain(t.step(name)).latex == latex


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        ("i = np.tanh(a[:, :2])\nf = a[:, 2:]\nL = np.sum(i * f)", "put side by side again"),
        ("i = np.tanh(a[:, :2])\nf = np.sin(a[:, 2:])\nL = np.sum(i * f) + np.sum(a**2)",
         "added up, side by side again where it is of a part"),
        ("i = np.tanh(a[:, :2])\nf = a[:, 2:]\nL = np.sum(np.concatenate([i, f], axis=1) * a)",
         "added up, side by side again where it is of a part"),
        ("i = a[0] * 2\nf = np.sin(a[1])\nL = np.sum(i * f) - np.sum(a)",
         "added up, side by side again where it is of a part"),
        ("i = np.tanh(a)\nL = np.sum(np.concatenate([i, i], axis=1)) + np.sum(a * np.concatenate([y, y], axis=1))",
         "added up"),
    ],
)  # fmt: skip
def test_what_comes_back_side_by_side_and_what_is_added_is_said_as_its_line_has_it(lines, how):
    t = trace(program(lines, {"a": np.eye(2, 4)}, {"y": np.ones((2, 2))}))
    assert explain(t.step("da")).sentence.endswith(f": what comes back along these paths is {how}.")


@pytest.mark.parametrize(
    ("lines", "step", "count"),
    [
        ("mu = X.mean(axis=0, keepdims=True)\n{} = X - mu\nL = np.sum({}**2 * w)", 1, "N"),
        ("mu = X.mean(axis=1, keepdims=True)\n{} = X - mu\nL = np.sum({}**2 * w)", 1, "H"),
        ("{} = X @ w\nO = np.tanh({})\nL = np.mean((O - X)**2)", 4, "K"),
    ],
)  # fmt: skip
def test_no_formula_on_a_card_counts_by_a_letter_that_is_a_matrix_on_the_board(lines, step, count):
    def formula(name):
        t = trace(program(lines.format(name, name), {"w": np.eye(2)}, {"X": np.eye(2)}))
        return words.card(LabState(Setup(), Remembered(t), index=step))["formula"]

    assert f"<mi>{count}</mi>" in formula("Z")
    assert formula(count) == ""


@pytest.mark.parametrize(
    ("code", "title", "sentence"),
    [
        ("A.max(axis=1)", "Maximum of each row", "The largest number of each row."),
        ("np.sum(A)", "Sum of the whole array", "The numbers of the whole array are added up."),
        ("np.abs(A).max(axis=1)", "Maximum of each row of np.abs(A)", "The largest number of each row of np.abs(A)."),
        ("(A**2).max(axis=1)", "Maximum of each row of A ** 2", "The largest number of each row of A ** 2."),
        ("(A**2).sum(axis=1)", "Sum of squares of each row", "The squares of the numbers of each row are added up."),
        ("((A - B)**2).sum(axis=0)", "Sum of squares of each column of A - B",
         "The squares of the numbers of each column of A - B are added up."),
        ("A.mean(axis=1).max()", "Maximum of A.mean(axis=1)", "The largest number of A.mean(axis=1)."),
        ("np.sum(np.abs(A))", "Sum of np.abs(A)", "The numbers of np.abs(A) are added up."),
        ("np.mean(A.sum(axis=1))", "Mean of A.sum(axis=1)",
         "The numbers of A.sum(axis=1) are added up and divided by how many there are."),
        ("np.sum(np.tanh(A) * np.exp(B) + np.sin(A), axis=1)", "Sum of each row of what is worked out first",
         "The numbers of each row of what is worked out first are added up."),
    ],
)  # fmt: skip
def test_a_reduction_is_said_to_be_of_what_it_reduces(code, title, sentence):
    t = trace(program(f"m = {code}\nL = np.sum(m[None])", {"A": np.array([[-3.0, 1.0], [2.0, 1.0]])}, {"B": np.eye(2)}))
    assert explain(t.step("m"))[1:] == (title, sentence)


@pytest.mark.parametrize(
    ("line", "title", "sentence"),
    [
        ("B.max(axis=2)", "Maximum of each slice along axis 2", "The largest number of each slice along axis 2."),
        ("np.stack([A, z], axis=1)", "Stacked", "A and z, one after the other along a new axis."),
        ("A + z", "Sum", "A and z are added: each counts with a slope of 1."),
        ("z * A", "Product", "z and A are multiplied, cell by cell: each is the slope for the other."),
        ("A * A", "Square", "A is multiplied by itself, cell by cell."),
        ("(1 - z) * A + z * C", "A mixture", "z is the share of C in it, number by number, and the rest is A."),
        ("A / np.sqrt(C.shape[1])", "Scaled",
         "A sum over a row of C grows about like the root of its length: this makes up for that."),
        ("B / np.sqrt(B.shape[1])", "B / np.sqrt(B.shape[1])", ""),
        ("A / np.sqrt(z + 1e-5)", "Divided by a root",
         "A is divided by the root of z; the 1e-5 prevents a division by 0."),
        ("B / B.sum(axis=-1, keepdims=True)", "Divided by the sum",
         "All numbers along the last axis are divided by their sum, so that they add up to 1."),
        ("B - B.max(axis=-1, keepdims=True)", "Scores minus the maximum",
         "The largest number along the last axis becomes 0 and no other lies above it, so no power of e overflows."),
    ],
)  # fmt: skip
def test_common_lines_of_attention_gates_and_pools_have_words(line, title, sentence):
    learnt = {"A": np.array([[-3.0, 1.0], [2.0, 1.0]]), "B": np.ones((2, 2, 3))}
    given = {"C": np.ones((2, 2)), "z": np.full((2, 2), 0.25)}
    used = [{name: of[name] for name in of if name in line} for of in (learnt, given)]
    t = trace(program(f"m = {line}\nL = np.sum(m**2)", *used))
    assert explain(t.step("m"))[1:] == (title, sentence)


@pytest.mark.parametrize("C", [np.eye(3), np.ones(3)])
def test_what_is_said_of_a_lookup_is_true_of_rows_and_of_single_numbers(C):
    t = trace(program("E = C[ix]\nL = np.sum(E**2)", {"C": C}, {"ix": np.array([0, 2])}))
    assert explain(t.step("E"))[1:] == ("Lookup", "For each index in ix, the entry of C at that place is looked up.")
    assert explain(t.step("dC")).sentence.startswith("ix picks from C: what it picked gets ")


def test_a_gate_is_called_a_gelu_only_if_it_is_one():
    gelu = "0.5 * g * (1 + np.tanh(np.sqrt(2 / np.pi) * (g + 0.044715 * g**3)))"
    lines = f"h = {gelu}\nk = 0.5 * g * (1 + np.tanh(g))\nL = np.sum((h * w + k)**2)"
    t = trace(program(lines, {"w": 1.5}, {"g": np.eye(2)}))
    assert [explain(t.step(name)).title == "GELU" for name in "hk"] == [True, False]


def test_what_is_said_of_a_part_holds_for_each_of_its_numbers():
    t = trace(random_problem(1, optimizer=Adam(beta1=0.9, beta2=0.5), activation=LeakyReLU(0.0)))
    assert explain(t.step("vW1_new")).sentence == (
        "A mean of the squares of the gradients so far, in which older ones count less and less."
    )
    assert explain(t.step("H1")).sentence.endswith("a negative one is multiplied by 0.0, where a ReLU would make it 0.")


def test_what_is_said_of_the_lines_of_programs_is_what_somebody_has_read():
    said = {}
    for name in (
        "softmax_classifier",
        "makemore_4",
        "causal_attention",
        "lstm_cell",
        "conv1d_scan",
        "micrograd_readme",
    ):
        for step in trace(programmed(name)).steps:
            if step.phase != "update":
                latex, title, sentence = explain(step)
                words = f"{title}. {sentence}" if title != step.code else ""
                said[f"{name}: {step.name} = {step.code}"] = "\n".join(filter(None, (words, latex)))
    check_said("programs", said)


def test_a_shortcut_and_two_products_that_are_added_have_a_sentence():
    R, c = (trace(EXAMPLE_PROGRAMS[of]()).step(name) for of, name in (("residual", "R"), ("lstm", "c")))
    said = "Multiply each row of H1 with each column of W2, and add up the products; then X and b2 are added."
    assert explain(R)[1:] == ("Weighted sums", said)
    assert explain(c)[1:] == (
        "Two products, added",
        "f is multiplied by c0, and i by g, cell by cell; the two are added.",
    )


def test_of_terms_that_are_alike_it_is_said_what_each_is_and_that_they_are_added_up():
    assert explain(trace(EXAMPLE_PROGRAMS["rnn"]()).step("L"))[1:] == (
        "Sum of squares: three terms",
        "Every difference is squared, and all the squares are added up. The three terms are added up.",
    )
    lines = "L = np.sum((X @ w - y)**2) + np.sum(w**2)"
    t = trace(program(lines, {"w": np.ones((3, 1))}, {"X": np.ones((2, 3)), "y": np.zeros((2, 1))}))
    assert explain(t.step("L")).title == t.step("L").code


def test_a_vector_has_no_rows_and_columns_to_multiply():
    t = trace(program("s = X @ w\nL = np.sum(s**2)", {"w": np.ones(3)}, {"X": np.ones((2, 3))}))
    assert explain(t.step("s")).sentence == "Multiply X with w, and add up the products."


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("np.exp(T) / np.exp(T).sum(axis=1, keepdims=True)", ""),
        ("T / T.sum(axis=1, keepdims=True)", ""),
        ("T - T.max(axis=1, keepdims=True)", ""),
        ("np.exp(T - T.max(axis=1, keepdims=True))", "No number is below 0 any more, and a sum becomes a product."),
        ("w[:, 1:9]", "Columns 1 to 3 of w."),
        ("w[:, 1:2]", "Column 1 of w."),
    ],
)
def test_rows_and_columns_are_named_where_there_are_such(code, sentence):
    given = {"T": np.ones((2, 3, 4))}
    t = trace(program(f"v = {code}\nL = np.sum(v * v) + np.sum(w)", {"w": np.ones((2, 4))}, given))
    assert explain(t.step("v")) == ("", explain(t.step("v")).title, sentence)


def with_words(**words):
    """The lines of a step with a ReLU of one's own that says what its lines mean."""
    formulas = {"Y": "np.maximum({X}, 0)", "dX": "{dY} * ({Y} > 0)"}
    ramp = type("Ramp", (Activation,), {"formulas": formulas, **words})
    return trace(random_problem(0, activation=ramp()))


def test_a_part_of_ones_own_says_what_its_lines_mean_with_the_names_at_their_place():
    t = with_words(
        title={"Y": "Ramp", "dX": "Back down the ramp"},
        sentence="{X}, where it is above 0.",
        formula=r"{Y} = {X}^{{+}}",
    )
    assert explain(t.step("H1")) == (r"H_{1} = Y_{1}^{+}", "Ramp", "Y1, where it is above 0.")
    assert explain(t.step("dY1")).title == "Back down the ramp"
    card = words.card(LabState(Setup(), Remembered(t), index=2))
    assert (card["title"], card["sentence"]) == ("Ramp", "Y1, where it is above 0.")
    assert "<msubsup>" in card["formula"]
    with pytest.raises(
        ValueError, match=r"Ramp\.formula has braces that stand for no name of its lines, '\+': those of LaTeX"
    ):
        explain(with_words(formula="{Y} = {X}^{+}").step("H1"))


def test_a_comment_on_a_line_of_a_program_is_what_its_card_says():
    lines = 'A = X @ W  # one score a class\nB = A * 1.0 #\nL = np.sum((B - y)**2)  # "#" may stand in it'
    t = trace(program(lines, {"W": np.ones((2, 3))}, {"X": np.eye(2), "y": np.eye(2, 3)}))
    assert explain(t.step("A")).sentence == "one score a class"
    assert explain(t.step("L")).sentence == '"#" may stand in it'
    assert [step.code for step in t.steps][:2] == ["X @ W", "A * 1.0"]
    assert explain(t.step("B")).sentence == ""


def test_a_comment_is_not_said_of_a_part_that_gets_a_line_of_its_own():
    line = "S = np.tanh(X @ W) @ q[:, None]  # (B, T, 1)\nL = np.sum(S**2)"
    t = trace(program(line, {"W": np.ones((3, 4)), "q": np.ones(4)}, {"X": np.ones((2, 5, 3))}))
    assert [step.note for step in t.steps if step.phase == "forward"] == ["", "(B, T, 1)"]


def sentences_of(lines, parameters, data):
    t = trace(program(lines, parameters, data))
    return {step.name: explain(step).sentence for step in t.steps if step.role == "gradient"}


def test_of_two_branches_of_a_choice_nothing_is_added_up():
    x = {"x": np.array([1.0, -2.0])}
    t = trace(program("H = np.where(x > 0, x, 0.2 * x)\nL = np.sum(H**2)", x, {}))
    assert t.step("dx").code == "np.where(x > 0, dH, 0.2 * dH)"
    for line in (
        "np.where(x > 0, x, 0.2 * x)", "np.where(np.abs(x) < 1, 0.5 * x**2, np.abs(x) - 0.5)",
        "np.minimum(x * a, np.clip(x, 0.8, 1.2) * a)",
    ):  # fmt: skip
        said = "x goes into H twice: what comes back along these paths is taken where it was chosen."
        for around in (line, f"3 * {line}"):
            assert sentences_of(f"H = {around}\nL = np.sum(H**2)", x, {"a": np.array([2.0, 1.0])})["dx"] == said
    for line in ("np.where(a > 0, x * np.exp(x), 0)", "np.where(a > 0, x, 1) * np.where(a > 0, 2, x)"):
        said = sentences_of(f"H = {line}\nL = np.sum(H**2)", x, {"a": np.array([2.0, 1.0])})["dx"]
        assert said.endswith("is added up."), line


def test_a_value_times_itself_is_a_square_and_goes_there_once():
    said = sentences_of("H = (x - 1) * (x - 1)\nL = np.sum(H * a)", {"x": np.ones(2)}, {"a": np.ones(2)})["dx"]
    assert said == "x - 1 is squared, and the slope of a square is twice the number."


def test_a_maximum_that_is_taken_off_is_said_to_get_nothing():
    lines = "Z = x - np.max(x)\nL = np.log(np.exp(Z).sum()) - Z[1]"
    said = sentences_of(lines, {"x": np.array([1.0, -2.0])}, {})["dx"]
    assert said.endswith("It adds up to 0, so the maximum that is taken off gets none of it.")


def test_a_loss_with_a_penalty_in_it_is_no_weighted_sum():
    t = trace(program("L = np.mean((X @ w - 1)**2) + 0.1 * w @ w", {"w": np.ones(2)}, {"X": np.eye(2)}))
    assert "Weighted" not in explain(t.step("L")).title
    t = trace(program("L = w @ w", {"w": np.ones(2)}, {}))
    assert explain(t.step("L")).title == "Inner product"


def test_each_function_that_a_program_may_use_has_a_sentence():
    lines = [f"np.{name}({', '.join('ZA'[:n])})" for name, n in FUNCTIONS.items() if n < 3]
    lines += ["abs(Z)", "np.clip(Z, -1, 1)", "Z.clip(-1, 1)", "np.where(A > 0, Z, A)"]
    for line in lines:
        p = program(f"Z = X * w\nA = 2 * X\nH = {line}\nL = np.sum(H * Z)", {"w": [2.0]}, {"X": [[1.0, 2.0]]})
        assert explain(trace(p).step("H")).sentence, line
    assert {line.split("(")[0].removeprefix("np.") for line in lines} >= {*FUNCTIONS}
