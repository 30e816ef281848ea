"""The trace of one training step: its names in order, and that every line of code shown is the code that was run."""

import ast

import numpy as np
import pytest
from hypothesis import given, settings
from problems import exact_problems, identical, is_exact, problems

from backprop_lab import Linear, MeanSquaredError, Network, Problem, Sigmoid, random_problem, trace, worked_example
from backprop_lab.lines import GradientDescent

EXAMPLE = trace(worked_example())
GIVEN = ("X", "y", "W1", "b1", "W2", "b2", "lr")


def names_in(code):
    """The names that an expression uses, in the order they are read, but for np."""
    found = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name))
    return tuple(dict.fromkeys(node.id for node in sorted(found, key=lambda node: node.col_offset) if node.id != "np"))


def assert_every_line_gives_its_value(t, same):
    """Each line sees only what was given and what the lines before it gave."""
    values = {"X": t["X"], "y": t["y"], "lr": t["lr"], **t.problem.network.parameters}
    for step in t.steps:
        result = eval(step.code, {"np": np}, values)
        assert same(result, step.value), f"{step.name} = {step.code} gives {result}, but the trace has {step.value}"
        values[step.name] = step.value


# The code shown is the code run


def test_the_code_shown_is_the_code_run_in_the_worked_example():
    assert_every_line_gives_its_value(EXAMPLE, identical)


@settings(max_examples=200)
@given(problems())
def test_the_code_shown_is_the_code_run_bit_for_bit(problem):
    assert_every_line_gives_its_value(trace(problem), identical)


@settings(max_examples=20)
@given(exact_problems())
def test_the_code_shown_is_the_code_run_and_fractions_stay_exact(problem):
    t = trace(problem)
    assert_every_line_gives_its_value(t, identical)
    assert all(is_exact(t[name]) for name in t.names)


@pytest.mark.parametrize("samples", [1, 300])
def test_the_code_shown_is_the_code_run_at_sizes_where_the_order_of_a_sum_matters(samples):
    p = random_problem(0, samples=samples, inputs=50, hidden=70, outputs=130)
    for loss in (p.loss, MeanSquaredError()):
        assert_every_line_gives_its_value(trace(Problem(p.network, loss, p.X, p.y, p.lr)), identical)


def test_the_code_shown_is_the_code_run_when_the_numbers_overflow():
    p = random_problem(0, lr=10.0, activation=Sigmoid())
    with np.errstate(all="ignore"):
        for _ in range(400):
            p = trace(p).next_problem()
        t = trace(p)
        assert not np.isfinite(t["L"])
        assert_every_line_gives_its_value(t, lambda a, b: np.array_equal(a, b, equal_nan=True))


@settings(max_examples=200)
@given(problems())
def test_the_operands_of_a_step_are_the_names_in_its_code(problem):
    for step in trace(problem).steps:
        assert step.operands == names_in(step.code)


# Names


def test_the_steps_of_the_worked_example_come_in_the_order_of_the_original():
    phases = {
        "forward": "Y1 H1 y_pred",
        "loss": "L",
        "backward": "dy_pred dH1 dW2 db2 dY1 dW1 db1",
        "update": "W1_new b1_new W2_new b2_new",
    }
    expected = [(name, phase) for phase, names in phases.items() for name in names.split()]
    assert isinstance(EXAMPLE.steps, tuple)
    assert [(step.name, step.phase) for step in EXAMPLE.steps] == expected
    assert EXAMPLE.names == GIVEN + tuple(name for name, _ in expected)
    assert tuple(EXAMPLE) == EXAMPLE.names


def test_the_steps_of_a_deeper_network_mirror_its_layers():
    t = trace(random_problem(0, hidden=(4, 5)))
    assert " ".join(step.name for step in t.steps) == (
        "Y1 H1 Y2 H2 y_pred L dy_pred dH2 dW3 db3 dY2 dH1 dW2 db2 dY1 dW1 db1 W1_new b1_new W2_new b2_new W3_new b3_new"
    )


@given(problems())
def test_a_step_says_where_its_line_comes_from(problem):
    """Its line is the template of its kind with the names of its place filled in; the update's is GradientDescent's."""
    for step in trace(problem).steps:
        assert step.template == step.kind.formulas[step.result]
        assert step.template.format_map(step.names) == step.code
        assert not set("{}") & set(step.code)
        assert (step.kind is GradientDescent) == (step.phase == "update")
        assert (step.title, step.sentence) == ("", ""), "only a planted mistake has any"


# Values


@settings(max_examples=200)
@given(problems())
def test_the_trace_holds_what_the_network_computes(problem):
    t, network = trace(problem), problem.network
    assert identical(t["y_pred"], network.forward(problem.X))
    assert identical(t["L"], problem.loss.value(t["y_pred"], problem.y))
    for name, g in network.gradients(problem.loss, problem.X, problem.y).items():
        assert identical(t[f"d{name}"], g)


def test_no_time_is_spent_on_the_gradient_for_the_input():
    class First(Linear):
        def backward(self, X, dY):
            raise AssertionError("nobody asked for dX")

    p = worked_example()
    first, *rest = p.network.layers
    network = Network((First(first.W, first.b), *rest))
    network.gradients(p.loss, p.X, p.y)
    assert "dX" not in trace(Problem(network, p.loss, p.X, p.y, p.lr))


@given(problems())
def test_every_gradient_has_the_shape_of_what_it_belongs_to(problem):
    t = trace(problem)
    pairs = [(name, f"d{name}") for name in t if f"d{name}" in t]
    assert len(pairs) == sum(step.phase == "backward" for step in t.steps)
    assert [name for name, gradient in pairs if t[name].shape != t[gradient].shape] == []


@given(problems())
def test_every_step_is_found_by_its_name(problem):
    t = trace(problem)
    for step in t.steps:
        assert t[step.name] is step.value
        assert t.step(step.name) is step


@pytest.mark.parametrize("name", [name for name in EXAMPLE.names if name not in ("L", "lr")])
def test_every_array_of_a_trace_is_read_only(name):
    with pytest.raises(ValueError, match="read-only"):
        EXAMPLE[name][0, 0] = 99


def test_tracing_twice_gives_the_same_bits():
    again = trace(worked_example())
    assert all(identical(again[name], EXAMPLE[name]) for name in EXAMPLE.names)


@pytest.mark.parametrize("unknown", ["dX", "w1", 3, ["W1"]], ids=repr)
def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(unknown):
    with pytest.raises(KeyError) as refusal:
        EXAMPLE[unknown]
    assert repr(unknown) in str(refusal.value)
    assert ", ".join(EXAMPLE.names) in str(refusal.value)


def test_what_was_given_has_no_step_and_those_that_are_there_are_listed():
    with pytest.raises(KeyError, match=r"no step computes 'W1'; the steps are Y1, H1, y_pred, L, dy_pred, .*, b2_new"):
        EXAMPLE.step("W1")


def test_what_was_given_is_kept_apart():
    assert tuple(EXAMPLE.given) == GIVEN
    assert all(EXAMPLE.given[name] is EXAMPLE[name] for name in GIVEN)


def test_a_name_can_be_asked_for():
    assert "dW1" in EXAMPLE
    assert "dX" not in EXAMPLE


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("Y1", "(2, 3) @ (3, 4) + (1, 4) -> (2, 4)"),
        ("H1", "np.maximum((2, 4), 0) -> (2, 4)"),
        ("L", "np.sum(((2, 2) - (2, 2)) ** 2) -> one number"),
        ("dH1", "(2, 2) @ (2, 4) -> (2, 4)"),
        ("dW1", "(3, 2) @ (2, 4) -> (3, 4)"),
        ("db1", "(2, 4).sum(axis=0, keepdims=True) -> (1, 4)"),
        ("W2_new", "(4, 2) - lr * (4, 2) -> (4, 2)"),
    ],
)
def test_the_shapes_that_meet_in_a_step_stand_where_its_names_do(name, shapes):
    assert EXAMPLE.shapes(EXAMPLE.step(name)) == shapes


# On to the next step


@given(problems())
def test_the_next_problem_is_the_updated_network_and_the_same_data(problem):
    grads = problem.network.gradients(problem.loss, problem.X, problem.y)
    updated = problem.network.update(grads, problem.lr)
    after = trace(problem).next_problem()
    assert (after.loss, after.lr) == (problem.loss, problem.lr)
    assert identical(after.X, problem.X)
    assert identical(after.y, problem.y)
    assert list(map(type, after.network.layers)) == list(map(type, problem.network.layers))
    for name, parameter in after.network.parameters.items():
        assert identical(parameter, updated.parameters[name])


def test_the_step_that_was_taken_stays_as_it_was():
    p = random_problem(3)
    t = trace(p)
    before = {name: np.copy(t[name]) for name in t.names}
    trace(t.next_problem())
    assert all(identical(t[name], value) for name, value in before.items())
    assert t.problem is p


def test_one_step_of_the_worked_example_lowers_its_loss():
    assert trace(EXAMPLE.next_problem())["L"] < EXAMPLE["L"]
