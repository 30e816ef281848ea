"""The trace of one training step: its names in order, that each line shown is the code that was run, and such lines."""

import math
import re
from fractions import Fraction
from itertools import groupby, product

import numpy as np
import pytest
from common import count, in_other_numbers, same_values, trained
from problems import ACTIVATIONS, LOSSES, identical, varied_problem, whole_problem

from backprop_lab import EXAMPLES, Sigmoid, program, random_problem, trace
from backprop_lab.nn.lines import evaluate, literal
from backprop_lab.nn.optimizers import Optimizer
from backprop_lab.nn.steps import Lines, Step


def assert_every_line_gives_its_value(t):
    """Each line sees what was given and what the lines before it gave, and is a formula with its names filled in."""
    values = dict(t.given)
    for step in t.steps:
        values[step.name] = eval(step.code, {"np": np, "math": math}, values)
        assert identical(values[step.name], step.value), f"{step.name} = {step.code}"
        names = re.findall(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\(|=)", step.code)
        assert step.operands == tuple(dict.fromkeys(name for name in names if name in values))
        assert step.name in ("L", "R") or not step.value.flags.writeable
        line, beside = step.kind.formulas[step.result], step.beside
        assert step.template in (line, line.removesuffix(" + {b}"))
        added = f" {beside.sign} {beside.template.format_map(beside.names)}" if beside else ""
        assert f"{step.template.format_map(step.names)}{added}" == step.code
        assert issubclass(step.kind, Optimizer) == (step.phase == "update")
        assert (step.role == "gradient") == (step.phase == "backward")
        assert step.role != "gradient" or step.value.shape == t[step.of].shape


@pytest.mark.parametrize("exact", [False, True])
def test_the_code_shown_is_the_code_run_bit_for_bit(exact):
    for problem in (varied_problem(seed, exact) for seed in range(count(500))):
        t, network = trace(problem), problem.network
        assert_every_line_gives_its_value(t)
        assert not exact or all(isinstance(number, int | Fraction) for a in t.values() for number in np.ravel(a))
        grads = network.gradients(problem.loss, problem.X, problem.y)
        assert identical(t["y_pred"], network.forward(problem.X))
        assert identical(t["L"], problem.loss.value(t["y_pred"], problem.y))
        assert all(identical(t[f"d{name}"], g) for name, g in grads.items())
        assert same_values(trace(t.next_problem()), trace(problem.evolve(network=network.update(grads, problem.lr))))
        assert same_values(t, trace(problem))


def test_so_it_is_with_norms_dropout_penalties_and_optimizers_and_training_runs_the_same_lines():
    for problem in (whole_problem(seed) for seed in range(count(300))):
        t = trace(problem)
        assert_every_line_gives_its_value(t)
        again = problem
        for _ in range(3):
            again = trace(again).next_problem()
        assert same_values(trace(problem.trained([problem.lr] * 3)), trace(again))
        assert again.state.get("step", 4) == problem.state.get("step", 1) + 3
        assert identical(t.next_loss(), trace(t.next_problem())["L"])


def test_so_it_is_at_large_sizes_and_when_the_numbers_overflow():
    sizes = {"inputs": 50, "hidden": 70, "outputs": 130}
    large = [trace(random_problem(0, samples, **sizes, loss=loss)) for samples in (1, 300) for loss in LOSSES]
    lost = trained(random_problem(0, lr=10.0, activation=Sigmoid()), 400)
    assert not np.isfinite(lost["L"])
    with np.errstate(all="ignore"):
        for t in (*large, lost):
            assert_every_line_gives_its_value(t)


def test_float32_stays_float32_to_the_last_step():
    for activation, loss in product(ACTIVATIONS, LOSSES):
        t = trace(in_other_numbers(random_problem(0, activation=activation, loss=loss), np.float32))
        assert {t[name].dtype for name in t if name != "lr"} == {np.dtype("f4")}


def test_the_steps_go_forward_through_the_layers_and_back_as_in_a_mirror():
    t = trace(random_problem(0, hidden=(4, 5)))
    phases = groupby(t.steps, lambda step: step.phase)
    assert [(phase, " ".join(step.name for step in steps)) for phase, steps in phases] == [
        ("forward", "Y1 H1 Y2 H2 y_pred"),
        ("loss", "L"),
        ("backward", "dy_pred dH2 dW3 db3 dY2 dH1 dW2 db2 dY1 dW1 db1"),
        ("update", "W1_new b1_new W2_new b2_new W3_new b3_new"),
    ]
    assert " ".join(t.given) == "X y W1 b1 W2 b2 W3 b3 lr"
    assert all(t[name] is array for name, array in t.problem.network.parameters.items()), "nobody can write to those"
    assert t.names == tuple(t) == (*t.given, *(step.name for step in t.steps))


def test_the_shapes_of_a_step_stand_for_its_names_and_unknown_names_are_refused(example):
    shapes = {"dW1": "(3, 2) @ (2, 4) -> (3, 4)", "L": "np.sum(((2, 2) - (2, 2)) ** 2) -> one number"}
    assert {name: example.shapes(example.step(name)) for name in shapes} == shapes
    outer = trace(program('O = np.einsum("i,j->ij", i, j)\nL = np.sum(O**2)', {"i": np.ones(3), "j": np.ones(2)}, {}))
    assert outer.shapes(outer.step("O")) == 'np.einsum("i,j->ij", (3,), (2,)) -> (3, 2)'
    block = trace(EXAMPLES["transformer block"]())
    shapes = {
        "dscores": "((5, 2) - np.eye(2)[(5,)]) / 5 -> (5, 2)",
        "Z": "np.where((5, 5), (5, 5) / np.sqrt(3), -1e9) -> (5, 5)",
    }
    assert {name: block.shapes(block.step(name)) for name in shapes} == shapes
    arrays = {"B": np.ones((2, 3, 4)), "C": np.ones((2, 3))}
    for line, shape in {
        "B.mT @ B": "(2, 4, 3) @ (2, 3, 4)",
        "C.T * C.shape[-1]": "(3, 2) * 3",
        "B.reshape(B.mT.shape)": "(2, 3, 4).reshape((2, 4, 3))",
    }.items():
        stack = trace(program(f"O = {line}\nL = np.sum(O**2)", {line[0]: arrays[line[0]]}, {}))
        assert stack.shapes(stack.step("O")).startswith(f"{shape} -> "), line
    for look_up, known in ((example.__getitem__, example.names), (example.step, [s.name for s in example.steps])):
        with pytest.raises(KeyError, match=f"'dX'.* {', '.join(known)}"):
            look_up("dX")
    with pytest.raises(KeyError, match=r"in quotes, as in t\['dW1'\]"):
        example[example["dW1"]]


X = np.array([[4.0, -1.0], [0.25, 2.0]])


def values_of(given, **codes):
    lines = Lines(Step(name, "forward", code, (), object, "Y", code, {}) for name, code in codes.items())
    found = lines.run(given)
    return {name: found[name] for name in found if name not in given}


def test_a_line_sees_what_is_before_it_and_gives_nobodys_view():
    code = "np.array(list(map(lambda row: [math.sqrt(abs(x)) for x in row], X)))"
    assert identical(evaluate(code, {"X": X}), np.sqrt(np.abs(X)))
    assert identical(values_of({"X": X}, Y=code)["Y"], np.sqrt(np.abs(X)))
    with np.errstate(all="raise"):
        assert values_of({"X": X}, Y="np.exp(1e3 * X).max()") == {"Y": np.inf}
        assert evaluate("np.exp(1e3 * X).max()", {"X": X}) == np.inf
    for value in values_of({"X": X}, A="X.T", B="X[:1]", C="X + 1").values():
        assert (value.flags.writeable, np.shares_memory(value, X)) == (False, False)


NUMBERS = [
    *(0.1 + 0.2, -0.5, -0.0, 5e-324, 1e22, math.inf, -math.inf, math.nan, -3, 10**30, True, Fraction(-7, 2), 1 + 2j),
    *(np.float64(-0.1), np.float32(0.1), np.int64(-4), np.longdouble(0.1), np.array([[0.1, -0.2], [math.nan, 1]])),
    *(np.array([0.1], np.float32), np.array([[Fraction(1, 3), -2]], dtype=object), np.array([True, False])),
]


def test_a_number_stands_in_a_line_plainly_to_the_last_bit():
    for number in NUMBERS:
        with np.errstate(all="ignore"):
            for code, right in ((literal(number), number), (f"{literal(number)}**2", number**2)):
                read = evaluate(code, {})
                assert identical(read, right) or (np.isnan(right).any() and np.array_equal(read, right, equal_nan=True))
    assert [literal(number) for number in (np.float64(0.2), -0.5)] == ["0.2", "(-0.5)"]


def test_a_line_waits_for_a_later_value_and_keeps_its_place():
    found = values_of({"a": 1}, p="q", q="a + 1", r="s + 1", s="p * 10")
    assert list(found.items()) == [("p", 2), ("q", 2), ("r", 21), ("s", 20)]


@pytest.mark.parametrize(("codes", "said"), [
    ({"p": "q", "q": "p"}, "the lines for p and q wait for each other"),
    ({"p": "q + s", "q": "a"}, "p = q + s uses s, which no line gives; before p there are a, q, as well as np, math"),
    ({"p": "1 / 0"}, "p = 1 / 0 stopped with ZeroDivisionError: division by zero"),
    ({"p": "b = a"}, "the line `b = a` is not a Python expression: "),
])  # fmt: skip
def test_lines_that_cannot_be_run_are_refused_with_the_line_that_cannot(codes, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        values_of({"a": np.array(2.0)}, **codes)
