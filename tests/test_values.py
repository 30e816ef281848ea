"""What is said of a value: its sum, its equation and its slope are those that were run, number by number."""

import math
import re
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from common import surer, through, trained, with_first_bias, with_numbers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from own_parts import OWN_PROBLEMS, Centred, ConcatenatedReLU, Softmax
from problems import ACTIVATIONS, losses_of, problems, varied_problem

from backprop_lab import MISTAKES, Mistake, SoftmaxCrossEntropy, plant, program, random_problem, trace, worked_example
from backprop_lab.course.predictions import question
from backprop_lab.nn.activations import Tanh
from backprop_lab.nn.layers import Linear
from backprop_lab.reading.equation import Operand, equation
from backprop_lab.reading.one_cell import TERMS, work_out
from backprop_lab.reading.parts import rules
from backprop_lab.reading.slopes import slope_of, slopes_of, value_of
from backprop_lab.step.number_format import plain, typed_number
from backprop_lab.ui.steps.frame import the_sum
from backprop_lab.ui.steps.setup import Setup

FUNCTIONS = {**vars(np), "np": np, "math": math, "max": lambda *numbers: np.max(numbers)}
WRITTEN = r"\b(?:(\w+)\[(?:(\d+),)?(\d+)\]|lr\b)"  # a cell in the symbols


def bare(numbers):
    return re.sub("[()]", "", numbers.replace(")(", "·"))


def check_cell(worked, value, t):
    """The symbols give the value; in the numbers, each number stands where its symbol does."""
    digits = 8 if worked.cell[0].endswith("_new") else 4  # enough to see that a weight moved

    def filled_in(digits):  # without the parentheses that the numbers have and the symbols need not
        def number(written):
            name, i, j = written.groups()
            return plain(value_of(t, name)[int(i or 0), int(j)] if name else t["lr"], digits)

        return bare(re.sub(WRITTEN, number, worked.symbols))

    if worked.numbers:  # and where terms cancel, with more digits
        assert bare(worked.numbers) in map(filled_in, range(digits, 18))
    if "…" not in worked.symbols:
        code = worked.symbols.replace("·", "*").replace("−", "-").replace("²", "**2").replace(")(", ")*(")
        found = float(eval(code, FUNCTIONS, dict(t)))
        assert found == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), str(worked)
    shown = float(worked.value.replace("−", "-"))
    assert shown == pytest.approx(value, rel=5.0001 * 10.0**-digits, abs=0, nan_ok=True)
    numbers = f"{worked.numbers}({worked.value})".replace("exp(−0)", "")  # the minus of the line, as in exp(−x)
    assert not re.search(r"-|\(−0\)", numbers), "a proper minus sign, and none before 0"
    if worked.numbers and "…" not in worked.symbols:
        written = {(name, int(i or 0), int(j)) for name, i, j in re.findall(WRITTEN, worked.symbols) if name}
        assert {*worked.sources} == written
    if worked.every_term:
        came_to = {"sum": sum(term.value for term in worked.every_term)}
        assert value == pytest.approx(eval(worked.around.replace("−", "-").replace("·", "*"), came_to), rel=1e-9)
        for text, number, *_ in worked.every_term:
            if " × " in text and not set(text) & set("()"):
                assert np.prod([*map(typed_number, text.split(" × "))]) == pytest.approx(number, rel=2e-3)


def named(rule, t, i, j):
    """The cells that a rule names for the cell [i, j]."""
    found = set()
    for name, rows, cols in rule:
        high, wide = value_of(t, name).shape
        one = {"i": [i], "j": [j], "0": [0]}
        found |= {(name, r, c) for r in (one | {"*": range(high)})[rows] for c in (one | {"*": range(wide)})[cols]}
    return found


def gives(parts):
    """What the equation gives up to its last sign, read as it stands: signs, words and matrices."""
    values = {f"v{k}": part.value for k, part in enumerate(parts[:-2]) if isinstance(part, Operand)}
    text = " ".join(part if isinstance(part, str) else f"v{k}" for k, part in enumerate(parts[:-2]))
    text = text.replace("−", "-").replace("²", "**2").replace("³", "**3")
    for sign, axis in (("↓", 0), ("→", 1)):
        text = re.sub(f"^sum {sign}(.*)", rf"sum(\1, axis={axis}, keepdims=True)", text)
    with np.errstate(all="ignore"):
        return eval(text, vars(np) | {"max": np.maximum, "min": np.minimum} | values)


def check(t, steps):
    """Check of some steps and their slopes each cell's sum, rule and equation; what is not written out is returned."""
    ruled, not_written_out, names = rules(t), set(), [step.name for step in steps]
    for name in [*names, *(slope for slope, shown in slopes_of(t).items() if shown.shown_with in names)]:
        for (i, j), value in np.ndenumerate(value_of(t, name)):
            worked = work_out(t, (name, i, j))
            not_written_out |= set() if worked.numbers else {name}
            check_cell(worked, float(value), t)
            if name in ruled and worked.sources:
                assert named(ruled[name], t, i, j) == {*worked.sources}, worked.cell
    for step in steps:
        *parts, sign, result = equation(t, step.name)
        operands = [part for part in parts if isinstance(part, Operand)]
        for part in operands:
            if part.name:
                value = value_of(t, part.name)
                assert np.array_equal(part.value, value.T if part.transposed else value, equal_nan=True)
                assert part.transposed == part.label.endswith(".mT")
        assert (result.label, result.value is not None) == (step.name, True)
        if sign == "=":
            assert np.allclose(gives([*parts, sign, result]), step.value, equal_nan=True), step.code
        else:
            assert (sign, [part.name for part in operands]) == ("→", [*step.operands][:5])
    return not_written_out


@settings(max_examples=25)
@given(problems())
@example(varied_problem(63289))  # whose sigmoids are of the 0 that a ReLU gives
def test_sum_rule_and_equation_are_what_was_run(problem):
    t = trace(problem)
    assert check(t, t.steps) == set()
    assert {step.name for step in t.steps} <= {*rules(t)}
    assert [step.code for step in t.steps if "→" in equation(t, step.name)] == []


EINSUMS = {  # how they are drawn, with the shapes of A and W
    "nd,dh->nh": ("A @ W", (4, 3), (3, 2)),
    "nd,md->nm": ("A @ W.mT", (4, 3), (2, 3)),
    "dn,md->mn": ("W @ A", (3, 4), (2, 3)),
    "ji,j->i": ("A.mT @ W", (3, 2), (3,)),
    "i,i->": ("A @ W", (3,), (3,)),
    "ij,ij->ij": ("A * W", (2, 2), (2, 2)),
    "ij,ji->ij": ("A * W.mT", (2, 2), (2, 2)),
    "ij,j->ij": ("A * W", (3, 2), (2,)),
    "ij,->ji": ("A.mT * W", (3, 2), ()),
    "ij,i->ij": ("einsum( A , W )", (2, 2), (2,)),
    "i,j->ij": ("einsum( A , W )", (3,), (2,)),
    "ij,ij->i": ("einsum( A , W )", (3, 2), (3, 2)),
    "ij,ji->": ("einsum( A , W )", (3, 2), (2, 3)),
    "DI,ID->D": ("einsum( A , W )", (3, 2), (2, 3)),
    "abc,cd->abd": ("A , W →", (2, 3, 4), (4, 2)),
    "ab,cb->abc": ("A , W →", (2, 3), (2, 3)),
}


def einsum(spec):
    """A step with the product in it, whose gradients are more of them."""
    rng, (_, left, right) = np.random.default_rng(2), EINSUMS[spec]
    lines = f'S = np.einsum("{spec}", A, W)\nR = np.tanh(S)\nL = R * R' + "\nloss = np.sum(L)" * (spec[-1] != ">")
    parameters = {"A": rng.standard_normal(left), "W": rng.standard_normal(right)}
    return trace(program(lines, parameters, {}))


@pytest.mark.parametrize("spec", EINSUMS)
def test_an_einsum_is_drawn_as_the_product_that_it_is_or_by_its_name(spec):
    t = einsum(spec)
    *parts, sign, _ = equation(t, "S")
    drawn = " ".join(part if isinstance(part, str) else part.label for part in parts) + " →" * (sign == "→")
    assert drawn == EINSUMS[spec][0]
    for step in t.steps:
        *parts, sign, result = equation(t, step.name)
        if sign == "=" and "einsum(" not in parts and np.ndim(step.value) == 2:
            assert np.allclose(gives([*parts, sign, result]), step.value), step.code


@pytest.mark.parametrize("spec", EINSUMS)
def test_a_cell_of_an_einsum_is_a_sum_of_products_of_the_cells_that_its_rule_names(spec):
    t = einsum(spec)
    ruled = rules(t)
    for name in ("S", "dA", "dW"):
        for (i, j), value in np.ndenumerate(value_of(t, name)):
            worked = work_out(t, (name, i, j))
            assert re.fullmatch(r"[−+·\w\[\], ]+", worked.symbols), "arithmetic, and no name of a function"
            if "…" not in worked.symbols:
                found = eval(worked.symbols.replace("·", "*").replace("−", "-"), dict(t))
                assert found == pytest.approx(float(value), rel=1e-9)
            if max(np.ndim(t[each]) for each in ("A", "W", "S")) < 3:
                assert named(ruled[name], t, i, j) == {*worked.sources}, worked.cell


@pytest.mark.parametrize("own", OWN_PROBLEMS)
def test_so_they_are_for_ones_own_parts_where_cells_can_say_it(own):
    t = trace(OWN_PROBLEMS[own])
    not_so = {"arctan by math.atan": {"H1"}, "twice as wide": {"dY1"}}
    assert check(t, t.steps) == not_so.get(own, set())


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_so_they_are_for_every_planted_mistake(mistake, activation):
    of_losses = [loss for loss in losses_of(3) if type(loss) in {kind for kind, _ in MISTAKES[mistake].lines}]
    square = [((3, 3, [3, 3], 3), loss) for loss in of_losses or losses_of(3)[:1]]
    for sizes, loss in [*square, *((sizes, losses_of(1)[0]) for sizes in ((1, 1, 1), (3, 3, 4, 1), ()))]:
        problem = random_problem(1, *sizes, lr=0.05, activation=activation, loss=loss)
        t = trained(problem, 1, MISTAKES[mistake])  # one iteration, so that no bias is 0
        check(t, [step for step in t.steps if step.title])


def exactly(numbers):
    """What is written in decimals comes to on paper; None if there is more in it than arithmetic."""
    if re.search(r"[^\d.e()+−·×²/<>= ]", numbers):
        return None
    code = numbers.replace(")(", ")·(").translate(
        {ord(one): to for one, to in {"·": "*", "×": "*", "²": "**2"}.items()}
    )
    code = re.sub(r"\d[\d.]*(e−?\d+)?", lambda number: f"F('{number[0].replace('−', '-')}')", code)
    return eval(code.replace("−", "-"), {"F": Fraction})


def beyond(result, numbers, digits):
    """By how much the numbers miss what is shown, beyond half of its last digit; they are never far from it."""
    off, size = abs(exactly(numbers) - exactly(result)), abs(exactly(result))
    assert off <= size / 90 or not size, (numbers, result)
    return off - (Fraction(10) ** (math.floor(math.log10(size)) + 1 - digits) / 2 if size else 0)


def test_an_equality_that_the_digits_shown_do_not_give_is_written_as_what_it_is():
    p = program("r = (S**2).max(axis=1)\nL = np.sum(r)", {"S": np.array([[1 / 3, -0.2]])}, {})
    assert str(work_out(trace(p), ("dS", 0, 0))).endswith(" = 2·1·(1)·0.3333 / ((1) + ((−0.2)² == 0.1111)) ≈ 0.6667")


def test_a_mask_turned_round_axes_that_change_places_and_an_identity_are_worked_out():
    lines = """
        A = S * ~hidden + np.eye(2)
        B = (A * C).transpose(1, 2, 0)
        L = np.sum(B)
    """
    data = {"hidden": np.array([[True, False], [False, False]]), "C": np.ones((3, 2, 2))}
    t = trace(program(lines, {"S": np.array([[5.0, 6.0], [7.0, 8.0]])}, data))
    assert str(work_out(t, ("A", 0, 0))) == "A[0,0] = S[0,0]·(1 − hidden[0,0]) + 1 = 5·(1 − 1) + 1 = 1"
    assert str(work_out(t, ("B", 0, 2))) == "B[0,0,2] = A[0,0]·C[2,0,0] = 1·1 = 1"
    assert str(work_out(t, ("dB", 0, 2))) == "dB[0,0,2] = 1"


def test_what_fills_a_gradient_is_worked_out():
    t = trace(program("S = X @ W\nm = np.mean(S)\nL = m**2", {"W": np.ones((2, 1))}, {"X": np.eye(2)}))
    assert t.step("dS").code == "np.full_like(S, dm / S.size)"
    assert str(work_out(t, ("dS", 1, 0))) == "dS[1,0] = dm / 2 = 2 / 2 = 1"
    t = trace(program("S = X @ W\nL = 0.2 * np.sum(S)", {"W": np.ones((2, 1))}, {"X": np.eye(2)}))
    assert t.step("dS").code == "np.full_like(S, 0.2)"
    assert str(work_out(t, ("dS", 1, 0))) == "dS[1,0] = 0.2"


def test_a_pool_of_a_window_is_worked_out_though_its_line_has_more_axes_than_a_lab_shows():
    lines = "P = (w * X).reshape(1, 2, 2, 2, 2).max(axis=(2, 4))\nL = np.sum(P)"
    t = trace(program(lines, {"w": np.array(2.0)}, {"X": np.arange(16.0).reshape(1, 4, 4)}))
    said = "P[0,0,1] = max(w·X[0,0,2], w·X[0,0,3], w·X[0,1,2], w·X[0,1,3]) = max(2·2, 2·3, 2·6, 2·7) = 14"
    assert str(work_out(t, ("P", 0, 1))) == said


def test_an_equals_sign_stands_only_where_the_shown_numbers_give_the_result():
    signs = Counter()
    at_rates = {"the worked example": 0.01, "random": 0.01, "iris": None, "xor": None, "mazur": None}
    for start, iterations in product(at_rates, (0, 50, 100, 300)):
        problem = worked_example() if start == "the worked example" else Setup(start).problem()
        t = trained(problem.evolve(lr=at_rates[start] or problem.lr), iterations)
        for name in [*(step.name for step in t.steps), *slopes_of(t)]:
            for i, j in np.ndindex(value_of(t, name).shape):
                worked = work_out(t, (name, i, j))
                last = worked.numbers if worked.numbers.strip("()") != worked.value else worked.symbols
                assert str(worked).endswith(f"{last} {worked.sign} {worked.value}")
                told, least = the_sum(t, worked), 8 if name.endswith("_new") else 4
                written = re.findall(r"[\d.]+", worked.numbers)
                longest = max([least, *(len(number.replace(".", "").lstrip("0")) for number in written)])
                shown = [(worked.numbers, worked.sign, worked.value, least)]
                shown += [(each["text"], each["sign"], each["value"], longest) for each in told["terms"]]
                added = " + ".join(f"({each['value']})" for each in told["terms"]) or told["lines"][-1]
                added = worked.around.replace("sum", f"({added})") or added
                shown += [(added, told["sign"], told["total"], least)]
                for numbers, sign, result, digits in shown:
                    if exactly(numbers) is not None:
                        below_1 = sign == "≈" and re.fullmatch("−?10*", result)  # there is one digit more
                        off = beyond(result, numbers, digits + bool(below_1))
                        assert off <= 0 if sign == "=" else off >= 0, (numbers, sign, result)
                        signs[sign] += 1
    print(f"{signs['=']} equals signs, and {signs['≈']} that say that it is near")  # noqa: T201


def test_a_number_that_is_nothing_but_rounding_is_0_and_says_so():
    """The value of the trace stays: it is what the line gives."""
    t = through(Linear([[0.1], [0.2], [-0.3]], [[0.0]]), X=[[1.0, 1.0, 1.0], [1.0, 2.0, 1.0]], y=[[0.0], [0.25]])
    assert t["y_pred"][0, 0] == 0.1 + 0.2 - 0.3 != 0
    assert [value_of(t, name)[0, 0] for name in ("y_pred", "dy_pred")] == [0, 0]
    told = the_sum(t, work_out(t, ("y_pred", 0, 0)))
    assert (told["sign"], told["total"], told["label"]) == ("=", "0", "0, except for rounding: 5.6e−17")
    assert str(work_out(t, ("dy_pred", 0, 0))) == (
        "dy_pred[0,0] = 2·(y_pred[0,0] − y[0,0]) = 2·(0 − 0) = 0, except for rounding: 1.1e−16"
    )
    assert np.array_equal(value_of(t, "dy_pred")[1], t["dy_pred"][1]), "what is more than rounding stays"
    asked = question(t, ("dy_pred", 0, 0))
    assert asked.judge("0")[0]
    assert not asked.judge("+")[0]


@pytest.mark.parametrize("size", [1e-8, 1e-12, 1e-30, 1e-300])
def test_a_small_number_that_is_more_than_rounding_is_never_shown_as_0(size):
    given = through(Linear([[size]], [[0.0]]), X=[[1.0]], y=[[0.0]])
    assert all((value_of(given, name) == 0).all() == (np.all(given[name] == 0)) for name in given)
    after = trained(Setup("xor").problem(), 300)  # whose predictions are 5e-9 off, and the squares 3e-17
    assert np.array_equal(value_of(after, "L")[0, 0], after["L"])
    sure = trace(random_problem(5, samples=3, loss=SoftmaxCrossEntropy()))
    sure = surer(sure, math.log10(1 / size))
    assert np.array_equal(value_of(sure, "P"), sure["P"]), "a probability is as exact as it is small"


def test_of_fractions_nothing_is_rounding():
    t = trace(varied_problem(3, exact=True))
    assert all(np.array_equal(value_of(t, name), np.atleast_2d(t[name])) for name in t)


SAID = [
    "lr = 1e−06 (given)",
    "dy_pred[0,1] = 2·(y_pred[0,1] − y[0,1]) = 2·(4.476 − 1.008) = 6.936",
    "dW1[1,2] = X[0,1]·dY1[0,2] + X[1,1]·dY1[1,2] = (−2.062)(0) + (1.064)(16.4) = 17.45",
    "dY1[0,3] = dH1[0,3]·(H1[0,3] > 0) = 14.61·(2.369 > 0) = 14.61",
    "slope of H1[1,2] = H1[1,2] > 0 = 3.986 > 0 = 1",
    "W1_new[0,0] = W1[0,0] − lr·dW1[0,0] = (−0.62545022) − 1e−06·21.7635 = −0.62547198",
]


def test_a_cell_is_said_in_symbols_numbers_and_value(example):
    for said in SAID:
        name, i, j = re.match(r"([\w ]+)(?:\[(\d),(\d)\])? = ", said).groups(default=0)
        assert str(work_out(example, (name, int(i), int(j)))) == said
    P = "P[1,0] = exp(Z[1,0]) / (exp(Z[1,0]) + exp(Z[1,1])) = exp(0) / (exp(0) + exp(−0.3912)) = 0.5966"
    assert str(work_out(trace(random_problem(5, loss=SoftmaxCrossEntropy())), ("P", 1, 0))) == P
    doubled = {(Linear, "db"): "{dY}.sum(axis=0, keepdims=True) * len({{1, 2}})"}
    assert work_out(plant(example, Mistake("", "", "", "", "", doubled)), ("db1", 0, 1)).around == "sum·len({1, 2})"
    parts = {part.label: (part.rows, part.cols) for part in equation(example, "dW1")[::2]}
    assert parts == {"X.mT": ("i", "k"), "dY1": ("k", "j"), "dW1": ("i", "j")}, "the axes say what meets"
    mask = equation(example, "dY1")[2]
    assert (mask.label, mask.name) == ("H1 > 0", "slope of H1")


@pytest.mark.parametrize("inner", [TERMS - 1, TERMS, TERMS + 1, 30])
def test_a_long_sum_is_cut_in_the_middle_and_keeps_all_its_sources(inner):
    worked = work_out(trace(random_problem(0, inputs=inner, hidden=2)), ("Y1", 1, 1))
    terms = [f"X[1,{k}]·W1[{k},1]" for k in range(inner)] + ["b1[0,1]"]
    if len(terms) > TERMS:
        terms = [*terms[: TERMS - 2], "…", terms[-1]]
    assert worked.symbols == " + ".join(terms)
    assert len(worked.sources) == 2 * inner + 1


@settings(max_examples=100)
@given(problems() | st.sampled_from([*OWN_PROBLEMS.values()]))
def test_each_activation_has_the_slope_that_its_gradient_is_multiplied_by(problem):
    t = trace(problem)
    others = Softmax | ConcatenatedReLU
    stages = [stage for stage in problem.network.stages if f"d{stage.X}" in t]
    one_by_one = [s for s in stages if not (s.layer.parameters or isinstance(s.layer, others))]
    assert [*slopes_of(t)] == [f"slope of {Y}" for _, _, Y, *_ in one_by_one]
    for _, X, Y, *_ in one_by_one:
        slope = slope_of(t, f"slope of {Y}")
        assert slope.shown_with == f"d{X}"
        assert slope.code in t.step(f"d{X}").code.replace(f"d{Y} * ", ""), "as it stands in the backward line"
        assert slope.value.shape == t[X].shape
        assert np.array_equal(t.evaluate(slope.code), slope.value)
        assert np.allclose(t[f"d{Y}"] * slope.value, t[f"d{X}"], rtol=1e-14, atol=0)


@pytest.mark.parametrize("layer", [Softmax(), Centred()])
def test_a_layer_that_is_not_cell_by_cell_has_no_slope(layer):
    """Where a softmax is sure, or has one unit alone, dX is 0, or 1e-17: that is not 0 times dY for another dY."""
    for samples, hidden, scale in [(1, 1, 1), (2, 1, 1), (1, 3, 1), (3, 3, 0), (3, 3, 50), (3, 3, 1e5), (1, 2, 1e-12)]:
        p = random_problem(0, samples, hidden=hidden, activation=layer)
        for at in ({"W1": scale * p.network.parameters["W1"]}, {"X": scale * p.X}):
            assert slopes_of(trace(with_numbers(p, **at))) == {}, (samples, hidden, scale)


def test_a_slope_that_overflows_does_so_without_a_warning():
    for activation in ACTIVATIONS:
        right = trace(with_numbers(random_problem(1, activation=activation), W1=np.full((3, 4), 1e200)))
        assert "slope of H1" in slopes_of(plant(right, MISTAKES["another-activation"]))


def test_a_slope_is_from_the_left_at_a_corner():
    slope = slope_of(with_first_bias(-2.0), "slope of H1")  # of 1, 2 and 3
    assert (slope.value.tolist(), slope.code) == ([[0], [0], [1]], "H1 > 0")


def test_a_sum_of_products_has_each_of_their_terms():
    """As where what comes along several paths is added up: the largest term is one product, and no sum."""
    rng = np.random.default_rng(0)
    given = {"X": rng.random((2, 3)), "Z": rng.random((2, 2)), "c": np.ones((1, 4))}
    learnt = {"W": rng.random((3, 4)), "V": rng.random((2, 4))}
    t = trace(program("S = X @ W + Z @ V\nR = c + X @ W\nL = (S * R).sum()", learnt, given))
    assert [term.text.count("×") for term in work_out(t, ("S", 0, 1)).every_term] == [1] * 5
    assert [term.text.count("×") for term in work_out(t, ("R", 0, 1)).every_term] == [0, 1, 1, 1]


@pytest.mark.parametrize(("seed", "lr", "iterations"), [(1, 5, 12), (2, 5, 12), (3, 4.5, 20)])
def test_in_a_run_that_diverges_what_does_not_cancel_is_shown_as_it_was_computed(seed, lr, iterations):
    """A huge gradient times the slope 0 of a saturated unit is 0, however much rounding there may be on its way."""
    t = trained(random_problem(seed, samples=4, activation=Tanh(), lr=lr), iterations)
    assert np.abs(t["L"]) > 1e20
    for name in ("dW1", "db1", "W1_new", "b1_new"):
        assert np.array_equal(value_of(t, name), t[name]), name
        assert all("rounding" not in str(work_out(t, (name, 0, j))) for j in range(t[name].shape[1])), name
