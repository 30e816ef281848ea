"""The step as a plain script: NumPy alone, and to the last bit the same numbers."""

import re
import subprocess
import sys
from itertools import product

import numpy as np
from common import SQUARE, trained
from hypothesis import given, settings
from problems import identical, problems

from backprop_lab import MISTAKES, random_problem, trace, worked_example
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import Setup


def extremes():
    """Numbers that have overflowed, or were typed in to be as large, small and strange as they come."""
    typed = ([[np.inf, -np.inf, np.nan], [1.0, 2.0, 3.0]], [[1e300, 5e-324, -0.0], [1.0, 2.0, 3.0]])
    return [
        trained(random_problem(0, lr=2.0), 190), trained(random_problem(0, lr=2.0), 400),
        *(trained(random_problem(3).evolve(X=X), 0) for X in typed),
    ]  # fmt: skip


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


def test_python_with_numpy_alone_prints_the_same_numbers_and_sees_no_file_but_the_script(tmp_path):
    for t in (trace(worked_example()), extremes()[1]):
        (tmp_path / "step.py").write_text(numpy_script(t), encoding="utf-8")
        command = [sys.executable, "-I", tmp_path / "step.py"]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True)
        assert ran.stdout == "".join(f"{step.name} =\n{step.value}\n" for step in t.steps)


@settings(max_examples=40)
@given(problems())
def test_every_number_of_any_network_is_the_same_to_the_last_bit_by_the_lines_of_the_board(problem):
    t = trace(problem)
    assert_the_script_gives_every_number_and_needs_numpy_alone(t)
    shown, script = [f"{step.name} = {step.code}" for step in t.steps], numpy_script(t)
    assert [line for line in script.splitlines() if line in shown] == shown
    assert script.endswith(")\n")


def test_however_large_or_small_the_numbers_and_whatever_mistake_is_planted_the_script_gives_them():
    for t in extremes():
        assert_the_script_gives_every_number_and_needs_numpy_alone(t)
    rooms = SQUARE, SQUARE | {"activation": "Sigmoid"}, {"samples": 1, "hidden": 1}, {"outputs": 1}
    for mistake, sizes in product(MISTAKES.values(), rooms):
        problem = Setup("random", seed=1, **sizes).problem().evolve(lr=0.05)
        assert_the_script_gives_every_number_and_needs_numpy_alone(trained(problem, 3, mistake))
