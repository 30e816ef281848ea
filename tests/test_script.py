"""The step as a plain script: NumPy alone, and to the last bit the same numbers."""

import re
import subprocess
import sys

import numpy as np
import pytest
from common import SQUARE, trained
from hypothesis import given, settings
from problems import identical, problems

from backprop_lab import MISTAKES, random_problem, trace, worked_example
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import Setup


def typed_in(X):
    return trained(random_problem(3).evolve(X=X), 0)


STATES = {
    "worked example": lambda: trace(worked_example()),
    "overflowed": lambda: trained(random_problem(0, lr=2.0), 190),
    "nothing but nan": lambda: trained(random_problem(0, lr=2.0), 400),
    "inf, -inf and nan typed in": lambda: typed_in([[np.inf, -np.inf, np.nan], [1.0, 2.0, 3.0]]),
    "huge and tiny": lambda: typed_in([[1e300, 5e-324, -0.0], [1.0, 2.0, 3.0]]),
}


def assert_the_script_gives_every_number_and_needs_numpy_alone(t):
    script, values = numpy_script(t), {"print": lambda *_, **__: None}
    with np.errstate(all="ignore"):
        exec(compile(script, "a script", "exec"), values)
    for name in t.names:
        value, right = np.asarray(values[name]), np.asarray(t[name])
        assert identical(value, right) or (np.isnan(right).any() and np.array_equal(value, right, equal_nan=True)), name
    assert re.findall(r"^ *(?:import|from) (\w+)", script, re.MULTILINE) == ["numpy"]
    phases = ["# forward", "# loss", "# backward", "# update"]
    assert re.findall("^#.*", script, re.MULTILINE) == phases


@pytest.mark.parametrize("state", ["worked example", "nothing but nan"])
def test_python_with_numpy_alone_prints_the_same_numbers_and_sees_no_file_but_the_script(state, tmp_path):
    t, path = STATES[state](), tmp_path / "step.py"
    path.write_text(numpy_script(t), encoding="utf-8")
    command = [sys.executable, "-I", path]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True)
    assert ran.stdout == "".join(f"{step.name} =\n{step.value}\n" for step in t.steps)


@pytest.mark.parametrize("state", STATES)
def test_every_number_is_the_same_to_the_last_bit_however_large_or_small(state):
    t = STATES[state]()
    assert_the_script_gives_every_number_and_needs_numpy_alone(t)
    assert {"overflowed": np.isinf(t["L"]), "nothing but nan": np.isnan(t["W1"]).all()}.get(state, True)


@settings(max_examples=40)
@given(problems())
def test_every_number_of_any_network_is_the_same_to_the_last_bit_by_the_lines_of_the_board(problem):
    t = trace(problem)
    assert_the_script_gives_every_number_and_needs_numpy_alone(t)
    shown, script = [f"{step.name} = {step.code}" for step in t.steps], numpy_script(t)
    assert [line for line in script.splitlines() if line in shown] == shown
    assert script.endswith(")\n")


@pytest.mark.parametrize("name", MISTAKES)
def test_with_a_planted_mistake_the_script_makes_it_too(name):
    squares = SQUARE, SQUARE | {"activation": "Sigmoid"}
    for sizes in (*squares, {"samples": 1, "hidden": 1}, {"samples": 3, "outputs": 1}):
        problem = Setup("random", seed=1, **sizes).problem().evolve(lr=0.05)
        assert_the_script_gives_every_number_and_needs_numpy_alone(trained(problem, 3, MISTAKES[name]))
