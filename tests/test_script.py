"""The step as a plain script: NumPy alone, and to the last bit the same numbers."""

import ast
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from problems import identical, problems

from backprop_lab import MISTAKES, MeanSquaredError, Sigmoid, Tanh, random_problem, trace, worked_example
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.stepper import Stepper


def expected(t):
    """What the script prints: each name, then the value as NumPy prints it."""
    return "".join(f"{step.name} =\n{step.value}\n" for step in t.steps)


def run(script, folder):
    """By a plain Python that sees no file but the script; warnings of NumPy are not errors here."""
    path = folder / "step.py"
    path.write_text(script, encoding="utf-8")
    ran = subprocess.run([sys.executable, "-I", path], cwd=folder, capture_output=True, text=True, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def values_of(script, capsys):
    """The same in this process, where it takes no time: what it prints and what it computes."""
    names = {}
    with np.errstate(all="ignore"):
        exec(compile(script, "a script", "exec"), names)
    return capsys.readouterr().out, names


def diverged(problem, iterations):
    with np.errstate(all="ignore"):
        for _ in range(iterations):
            problem = trace(problem).next_problem()
        return trace(problem)


def with_numbers(**numbers):
    """A random problem with some cells typed over, as {name: number} in its first cell."""
    p = random_problem(3)
    changed = {}
    for name, number in numbers.items():
        array = (getattr(p, name) if name in "Xy" else p.network.parameters[name]).copy()
        array[0, 0] = number
        changed[name] = array
    parameters = p.network.parameters | {k: v for k, v in changed.items() if k not in "Xy"}
    data = {k: v for k, v in changed.items() if k in "Xy"}
    with np.errstate(all="ignore"):
        return trace(replace(p, network=p.network.with_parameters(parameters), **data))


STATES = {
    "worked example": trace(worked_example()),
    "three hidden layers of tanh": trace(random_problem(1, 3, 2, [4, 3, 2], 1, 0.05, Tanh())),
    "sigmoid and mean squared error": trace(
        replace(random_problem(2, 5, activation=Sigmoid()), loss=MeanSquaredError())
    ),
    "one of everything": trace(random_problem(4, 1, 1, 1, 1)),
    "eight of everything": trace(random_problem(5, 8, 8, [8, 8, 8], 8)),
    "overflowed": diverged(random_problem(0, lr=2.0), 190),
    "nothing but nan": diverged(random_problem(0, lr=2.0), 400),
    "inf, -inf and nan typed in": with_numbers(X=np.inf, W1=-np.inf, y=np.nan),
    "huge and tiny": with_numbers(X=1e300, W2=5e-324, b1=-0.0),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_python_with_numpy_alone_prints_the_same_numbers(state, tmp_path):
    t = STATES[state]
    assert run(numpy_script(t), tmp_path) == expected(t)


def test_there_are_states_that_are_not_finite_to_try():
    assert not np.isfinite(STATES["overflowed"]["L"])
    assert np.isnan(STATES["nothing but nan"]["W1"]).all()
    assert np.isposinf(STATES["inf, -inf and nan typed in"]["X"][0, 0])


@settings(max_examples=40)
@given(problems())
def test_every_number_of_any_network_is_the_same_to_the_last_bit(problem):
    t = trace(problem)
    names = {}
    script = numpy_script(t).replace("print(", "(lambda *words, **how: None)(")
    exec(compile(script, "a script", "exec"), names)
    for name in t.names:
        assert identical(names[name], np.asarray(t[name])) or names[name] == t[name]


SQUARE = {"samples": 3, "inputs": 3, "hidden": 3, "outputs": 3, "layers": 2}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=lambda mistake: mistake.name)
def test_with_a_planted_mistake_the_script_makes_it_too(mistake, capsys):
    for sizes in (
        SQUARE,
        SQUARE | {"activation": "Sigmoid"},
        {},
        {"samples": 1, "hidden": 1},
        {"samples": 3, "outputs": 1},
    ):
        stepper = Stepper(start="random", seed=1, lr=0.05, iteration=2, **sizes)
        try:
            stepper.plant(mistake.name)
        except ValueError:
            continue
        stepper.next_iteration()
        printed, _ = values_of(numpy_script(stepper.place.trace), capsys)
        for step in stepper.place.trace.steps:
            assert f"{step.name} =\n{step.value}\n" in printed


def test_a_planted_mistake_in_a_plain_python(tmp_path):
    stepper = Stepper(start="random", seed=1)
    stepper.plant("mask-forgotten")
    assert "dY1 = dH1\n" in numpy_script(stepper.place.trace)
    assert run(numpy_script(stepper.place.trace), tmp_path) == expected(stepper.place.trace)


def test_it_imports_numpy_and_nothing_else_and_calls_nothing_but_numpy_and_print():
    for t in STATES.values():
        tree = ast.parse(numpy_script(t))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert [alias.name for node in imports for alias in node.names] == ["numpy"]
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert names - set(t.names) <= {"np", "print"}


def test_it_has_the_lines_of_the_board_in_their_order_under_their_phases():
    t = STATES["worked example"]
    lines = numpy_script(t).splitlines()
    assert [line for line in lines if line.startswith("# ")] == ["# forward", "# loss", "# backward", "# update"]
    assert [line for line in lines if line in {f"{s.name} = {s.code}" for s in t.steps}] == [
        f"{step.name} = {step.code}" for step in t.steps
    ]
    assert lines[-1] != ""
    assert numpy_script(t).endswith("\n")


def test_each_number_that_is_given_is_written_so_that_it_comes_back_to_the_last_bit():
    t = STATES["huge and tiny"]
    names = {}
    with np.errstate(all="ignore"):
        exec(numpy_script(t).replace("print(", "(lambda *words, **how: None)("), names)
    for name in t.given:
        assert identical(names[name], np.asarray(t[name])) or names[name] == t[name]
    assert np.signbit(names["b1"][0, 0])
    assert names["W2"][0, 0] == 5e-324
