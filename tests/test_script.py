"""The step as a plain script: NumPy alone, and to the last bit the same numbers."""

import re
import subprocess
import sys
from itertools import product

import numpy as np
from common import SQUARE, trained
from problems import identical

from backprop_lab import MISTAKES, random_problem
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import Setup


def assert_the_script_gives_every_number_and_needs_numpy_alone(t):
    script, values = numpy_script(t), {"print": lambda *_, **__: None}
    with np.errstate(all="ignore"):
        exec(compile(script, "a script", "exec"), values)
    for name in t.names:
        value, right = np.asarray(values[name]), np.asarray(t[name])
        assert identical(value, right) or (np.isnan(right).any() and np.array_equal(value, right, equal_nan=True)), name
    math = ["math"] * any("math." in step.code for step in t.steps)  # of Python itself
    assert re.findall(r"^ *(?:import|from) (\w+)", script, re.MULTILINE) == [*math, "numpy"]
    assert {f"{step.name} = {step.code}" for step in t.steps} <= {*script.splitlines()}, "by the lines of the board"


def test_python_with_numpy_alone_prints_the_same_numbers(example, tmp_path):
    (tmp_path / "step.py").write_text(numpy_script(example), encoding="utf-8")
    command = [sys.executable, "-I", tmp_path / "step.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True)
    assert ran.stdout == "".join(f"{step.name} =\n{step.value}\n" for step in example.steps)


def test_the_script_gives_any_numbers_whatever_mistake_is_planted():
    problem, b = random_problem(0, lr=2.0), {"b1": [[np.inf, -np.inf, np.nan, 1e300]], "b2": [[5e-324, -0.0]]}
    for t in (trained(problem, 190), trained(problem, 400), trained(problem.evolve(parameters=b), 0)):
        assert_the_script_gives_every_number_and_needs_numpy_alone(t)
    rooms = SQUARE, SQUARE | {"activation": "Sigmoid"}, {"samples": 1, "hidden": 1}, {"outputs": 1}
    for mistake, sizes in product(MISTAKES.values(), rooms):
        problem = Setup("random", seed=1, **sizes).problem().evolve(lr=0.05)
        assert_the_script_gives_every_number_and_needs_numpy_alone(trained(problem, 3, mistake))
