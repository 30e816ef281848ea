"""Right answers in other forms: none is refused, but where rounding decides on which side of a kink it lies."""

import ast
import itertools
from collections import Counter

import numpy as np
import pytest
from common import count
from known_programs import FORTY, PROGRAMS, programmed
from problems import varied_problem, whole_problem

from backprop_lab import (
    EXAMPLES,
    Linear,
    Network,
    Problem,
    ReLU,
    SumSquaredError,
    check,
    program,
    random_problem,
    trace,
)
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS
from backprop_lab.ui import Exercises

MADE = [
    *EXAMPLE_PROGRAMS.values(),
    *(lambda name=name: programmed(name) for name in PROGRAMS),
    *(lambda name=name: program(*FORTY[name]) for name in FORTY),
]


class Otherwise(ast.NodeTransformer):
    """Each part of a line in another form, or as it is, as the dice fall."""

    def __init__(self, rng):
        self.rng = rng

    def visit_BinOp(self, node):
        self.generic_visit(node)
        a, b = (f"({ast.unparse(side)})" for side in (node.left, node.right))
        forms = {
            ast.MatMult: [f"np.einsum('...ij,...jk->...ik', {a}, {b})", f"({b}.mT @ {a}.mT).mT",
                          f"{a}[..., ::-1] @ {b}[..., ::-1, :]", f"np.matmul({a}, {b})"],
            ast.Add: [f"{b} + {a}", f"{a} - (-{b})"],
            ast.Sub: [f"-({b} - {a})", f"{a} + -1 * {b}"],
            ast.Mult: [f"{b} * {a}", f"np.multiply({a}, {b})"],
            ast.Div: [f"{a} * (1 / {b})", f"np.divide({a}, {b})"],
        }.get(type(node.op), [])  # fmt: skip
        if isinstance(node.op, ast.Pow) and b == "(2)":
            forms = [f"{a} * {a}", f"np.square({a})"]
        return ast.parse(self.rng.choice(forms), mode="eval").body if forms and self.rng.random() < 0.7 else node

    def visit_Call(self, node):
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Attribute(of, "sum" | "mean" as how), [], keywords) if self.rng.random() < 0.7:
                rest = ", ".join(ast.unparse(each) for each in keywords)
                return ast.parse(
                    f"np.flip({ast.unparse(of)}).{how}({rest})"
                    if not any(each.arg == "axis" for each in keywords)
                    else f"np.{how}({ast.unparse(of)}, {rest})",
                    mode="eval",
                ).body
        return node


def in_another_form(t, name, rng):
    """The value of a line as it comes out in another form, in another precision or from numbers in one; or None."""
    step, kind = t.step(name), rng.choice([np.float64, np.float64, np.float32, np.longdouble])
    code = ast.unparse(Otherwise(rng).visit(ast.parse(step.code, mode="eval").body))
    values = {each: np.asarray(t[each]) for each in step.operands}
    values = {each: a.astype(kind) if a.dtype.kind == "f" else a for each, a in values.items()}
    with np.errstate(all="ignore"):
        try:
            answer = np.asarray(t.evaluate(code, **values))
        except (ValueError, IndexError, TypeError):  # such as vectors in einsum
            answer = np.asarray(t.evaluate(step.code, **values))
    return code, answer.astype(kind) if answer.dtype.kind == "f" else answer


def traces():
    """Of chains with all our parts and of programs, each with other numbers in each round."""
    for seed in itertools.count():
        yield trace((varied_problem, whole_problem)[seed % 2](seed))
        p = MADE[seed % len(MADE)]().redrawn(np.random.default_rng(seed))
        yield trace(p)


def test_right_answers_in_other_forms_are_right():
    rng, seen = np.random.default_rng(0), Counter()
    for t in traces():
        for step in t.steps:
            code, answer = in_another_form(t, step.name, rng)
            if np.isfinite(answer).all() and np.isfinite(np.asarray(step.value)).all():
                told = check(step.name, answer, t)
                assert told or told.cause[0] in ("kink", "only-rounding"), (step.name, step.code, code, str(told))
                seen[told.cause[0] if told.cause else f"right, in {answer.dtype}"] += 1
        if seen.total() >= count(30_000):
            break
    print(f"{seen.total()} right answers in other forms, none refused: {dict(seen)}")  # noqa: T201
    assert seen["kink"] + seen["only-rounding"] <= 0.01 * seen.total()


NEAR = {
    "H = np.maximum(A, 0)": "dH * [[False, False], [True, False]]",
    "H = np.where(A > 0, A, 0.2 * A)": "dH * [[0.2, 0.2], [1, 0.2]]",
    "H = A.max(axis=1, keepdims=True)": "dH * [[0, 1], [1, 0]]",
}


@pytest.mark.parametrize("line", NEAR)
def test_an_answer_on_the_other_side_of_a_kink_is_told_that_rounding_decides(line):
    """0.1 + 0.2 - 0.3 is 5.6e-17, and in another order 2.8e-17; somebody may get a number that is not above 0."""
    X, W = np.array([[0.1, 0.2, -0.3], [1.0, 2.0, 3.0]]), np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    t = trace(program(f"A = X @ W\n{line}\nL = np.sum((H - y)**2)", {"W": W}, {"X": X, "y": [[1.0], [2.0]]}))
    answer = eval(NEAR[line], {"np": np, "dH": t["dH"]})
    told = check("dA", answer, t)
    assert told.cause == ("kink",), str(told)
    assert "nobody can tell" in str(told)
    assert "<b>Too near to tell.</b>" in told._repr_html_()
    assert check("dW", X.T @ answer, t).cause == ("kink",)
    assert check("dA", 2 * answer, t).cause != ("kink",)
    assert check("dA", t["dA"], t)
    assert check("dA", t["dA"] * (1 + 1e-10), t).cause != ("kink",), "off by more than rounding, and by no kink"


def test_of_numbers_that_are_equally_large_the_first_may_take_the_gradient_but_none_twice():
    """As NumPy's argmax does: here they share it. Each is a slope of a maximum where it has a corner."""
    t = trace(EXAMPLES["convolution"]().redrawn(np.random.default_rng(0)))
    H, dm, first = t["H"], t["dm"], np.eye(3)[t["H"].argmax(axis=1)]
    assert ((t["m"] == H).sum(axis=1) > 1).any(), "a row of a ReLU's zeros"
    told = check("dH", dm * first, t)
    assert told
    assert "takes the first" in told.message
    assert check("dZ", dm * first * (H > 0), t)
    for wrong in (dm * (t["m"] == H), dm * (H > 0), dm * np.eye(3)[H.argmin(axis=1)], 2 * dm * first):
        assert not check("dH", wrong, t)
    assert Exercises(EXAMPLES["convolution"]())("dH", lambda dm, H: dm * np.eye(3)[H.argmax(axis=1)])


@pytest.mark.parametrize("at_0", [0.5, 1.0])
def test_another_slope_at_exactly_0_is_told_as_that_and_no_other_answer_is(at_0):
    X, rng = np.array([[0.0, 0, 0], [1, 2, -1], [0.5, -1, 2]]), np.random.default_rng(0)
    network = Network([Linear(rng.normal(size=(3, 4)), np.zeros((1, 4))), ReLU(), Linear(rng.normal(size=(4, 2)))])
    t = trace(Problem(network, SumSquaredError(), X, rng.normal(size=(3, 2)), lr=0.1))
    dY1 = t["dH1"] * np.heaviside(t["Y1"], at_0)
    for name, answer in (("dY1", dY1), ("dW1", X.T @ dY1), ("db1", dY1.sum(axis=0, keepdims=True))):
        told = check(name, answer, t)
        assert bool(told) == (name == "dW1"), "the zeros of X take all of that away"
        assert told or (told.cause == ("kink",) and "exactly 0" in str(told)), str(told)
        assert check(name, 2 * answer, t).cause != ("kink",)
    assert check("dY1", t["dH1"], t).cause != ("kink",)


@pytest.mark.parametrize("line", ["np.where(A > 0, A + 1, 0.0)", "(A > 0) * 1.0 + A"])
def test_a_jump_at_exactly_0_is_no_kink_where_any_slope_would_do(line):
    X, W = np.array([[1.0, -1.0], [2.0, 1.0]]), np.ones((2, 1))
    t = trace(program(f"A = X @ W\nZ = {line}\nL = np.sum((Z - y)**2)", {"W": W}, {"X": X, "y": np.zeros((2, 1))}))
    Z = t["Z"] + (t["A"] == 0)
    for name, answer in (("Z", Z), ("dZ", 2 * Z)):
        told = check(name, answer, t)
        assert not told
        assert "slope at a kink" not in str(told)


@pytest.mark.parametrize(("lr", "kind"), [(1e-13, float), (1e-8, np.float32)])
def test_a_parameter_that_has_not_moved_or_uphill_is_not_called_right_where_the_step_is_lost_in_rounding(lr, kind):
    t = trace(random_problem(3, 5, 3, 4, 2, lr=lr))
    for wrong in (t["W1"], t["W1"] + lr * t["dW1"]):
        told = check("W1_new", wrong.astype(kind), t)
        assert told.cause == ("only-rounding",)
        assert "lost in the rounding" in str(told)
    for right in (t["W1"] - lr * t["dW1"], -(lr * t["dW1"] - t["W1"])):
        assert check("W1_new", right, t)
        assert check("W1_new", right.astype(kind), t), "the nearest that there is"


@pytest.mark.parametrize("lr", np.geomspace(1e-10, 1e-6, 20).tolist())
def test_a_step_that_is_computed_in_single_precision_is_right_however_little_of_it_is_left(lr):
    for seed in range(10):
        t = trace(random_problem(seed, 3, 2, 2, 1, lr=lr))
        single = {name: np.float32(t[name]) for name in ("W1", "dW1", "lr")}
        assert check("W1_new", single["W1"] - single["lr"] * single["dW1"], t)
