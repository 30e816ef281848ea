"""The solutions: the students' notebooks, every blank filled in and every check green, and kept out of sight."""

import ast
import contextlib
import io
import re
import runpy
import time
from pathlib import Path
from unittest import mock

import nbformat
import numpy as np
import pytest
from common import code_cells, notebooks

from backprop_lab.__main__ import copy_course, course
from backprop_lab.ui import Exercises, MistakeLab, StepThrough

ROOT = Path(__file__).parents[1]
STUDENT, SOLUTION = notebooks(), notebooks("solutions")
ASKS = re.compile(r"^(?:ask|check|solve)\(", re.MULTILINE)  # the line that shows what is thought of an answer

# Not 07: it puts predictions on trial in cells of its own, which assert, and asks for no line of the backward pass.
every_solution = pytest.mark.parametrize("name", [name for name in SOLUTION if not name.startswith("07")])


def has_blank(source):
    """Whether a piece of Python has the three dots in it where an answer is wanted."""
    return any(isinstance(node, ast.Constant) and node.value is ... for node in ast.walk(ast.parse(source)))


def sources(notebook):
    return [cell.source for cell in code_cells(notebook)]


def pairs(student, solution):
    """The cells of the students beside those of the teachers, who have more: those with the tag "solution"."""
    theirs = [cell for cell in solution.cells if "solution" not in cell.metadata.get("tags", [])]
    return list(zip(student.cells, theirs, strict=True))


def test_the_notebooks_with_blanks_are_those_that_have_solutions():
    assert {name for name in STUDENT if any(map(has_blank, sources(STUDENT[name])))} == SOLUTION.keys()


@every_solution
def test_a_solution_is_the_students_notebook_with_its_blanks_filled_in(name):
    for student, solution in pairs(STUDENT[name], SOLUTION[name]):
        assert (solution.id, solution.cell_type) == (student.id, student.cell_type)
        if student.cell_type == "markdown":
            assert solution.source == re.sub(r"\]\((\w+\.(?:ipynb|png))\)", r"](../\1)", student.source)
        elif has_blank(student.source):
            kept = [line for line in student.source.splitlines() if "..." not in line]
            assert [line for line in solution.source.splitlines() if line in kept] == kept, student.id
        else:
            added = solution.source.removesuffix(student.source.replace('"penguins.csv"', '"../penguins.csv"'))
            assert re.fullmatch(r"(?:feedback = .*\nassert feedback, feedback\n)?", added), student.id


@every_solution
def test_every_answer_of_a_solution_is_right_and_of_a_student_blank(name):
    def verdicts(notebook):
        return [cell.outputs[-1].data["text/plain"] for cell in code_cells(notebook) if ASKS.search(cell.source)]

    assert not [source for source in sources(SOLUTION[name]) if has_blank(source)]
    right, blank = verdicts(SOLUTION[name]), verdicts(STUDENT[name])
    assert len(right) == len(blank) >= 1
    assert not [said for said in right if not said.endswith(" is right.") and not said.startswith("That is it: ")]
    assert not [said for said in blank if "blank" not in said]


@every_solution
def test_no_answer_can_be_read_in_the_notebook_that_asks_for_it(name):
    filled = [(a, b) for a, b in pairs(STUDENT[name], SOLUTION[name]) if a.cell_type == "code" and has_blank(a.source)]
    lines = {line.strip() for a, b in filled for line in {*b.source.splitlines()} - {*a.source.splitlines()}}
    assert len(lines) >= 2
    cells = [cell for cell in STUDENT[name].cells if "LineUp(" not in cell.source]  # it shows right and wrong ones
    shown = "".join(cell.source + str(cell.get("outputs", "")) for cell in cells).replace(" ", "")
    answers = [re.sub(r"^return |^\w+ = |  #.*", "", line).replace(" ", "") for line in lines]
    assert not [answer for answer in answers if answer in shown]
    theirs = {line.strip() for other in STUDENT.values() for cell in other.cells for line in cell.source.splitlines()}
    assert not theirs & lines


def blocks(path):
    return re.findall(r"```python\n(.*?)```", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL)


CALLS = re.findall(r"^(?:StepThrough|MistakeLab)\(.*", "".join(blocks("notebooks/teaching_notes.md")), re.MULTILINE)


@pytest.mark.parametrize("call", CALLS)
def test_a_lab_opens_as_the_notes_write_it_for_the_projector(call):
    assert "large=True" in call
    lab = eval(call, {"StepThrough": StepThrough, "MistakeLab": MistakeLab})
    place = getattr(lab, "lab", lab).stepper.place
    assert place.note == ""
    assert "dW1" not in call or np.any(place.trace["dW1"]), "a class would look at zeros"


NBGRADER = "course/source/your_turn/06_your_turn.ipynb"
GRADED = {"make_otter.py": "graded/06_your_turn.ipynb", "make_nbgrader.py": NBGRADER}


def run_test(made, name, answer):
    """Runs the test of an exercise in a notebook whose answer cells put something else in place of what checks them."""
    (test,) = [cell.source for cell in made.cells if f'("{name}", {name}).feedback' in cell.source]
    names = {name: answer} | dict.fromkeys(["ask", "Exercises"], lambda *_, **__: mock.Mock(feedback=True))
    exec(test, names)
    names.get(f"test_{name}", lambda _: None)(answer)


@pytest.mark.parametrize("tool", GRADED)
def test_a_grading_tools_script_gives_each_exercise_a_test(tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_course(tmp_path, course(with_solutions=True))
    with mock.patch("sys.argv", [tool, "12"]):
        runpy.run_path(f"solutions/{tool}")
    made = nbformat.read(GRADED[tool], as_version=4)
    nbformat.validate(made)
    text = "\n".join(cell.source for cell in made.cells)
    names = re.findall(r'^ask\("(\w+)"', "\n".join(sources(STUDENT["06_your_turn.ipynb"])), re.MULTILINE)
    assert len(names) == 12
    for name in names:
        assert text.count(f'Exercises(seed=12)("{name}", {name}).feedback') == text.count(f"def {name}(") == 1
    assert "assert ask.solved" not in text, "that cell is for teachers"
    assert "dW, db = [...] * len(W)" in text, "what has no test is handed out as a blank"
    run_test(made, "dY1", lambda dH1, H1: dH1 * (H1 > 0))
    with pytest.raises(AssertionError, match="mask is missing"):
        run_test(made, "dY1", lambda dH1: dH1)


def test_the_line_for_any_other_way_to_grade_counts_the_points():
    (block,) = [block for block in blocks("notebooks/solutions/grading.md") if "points = sum(" in block]
    answers = type("Answers", (), {"dW2": staticmethod(lambda H1, dy_pred: H1.mT @ dy_pred), "dY1": lambda dH1: dH1})
    found = {"answers": answers}
    exec(block, found)
    assert found["points"] == 1


def test_a_file_of_functions_is_graded_for_06_and_for_a_problem_of_ones_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("ada.py").write_text("def dW2(H1, dy_pred): return H1.mT @ dy_pred\ndef dY1(dH1): return dH1\n")
    Path("ben.py").write_text("1 / 0")
    own = "from backprop_lab import *\nproblem = random_problem(1).evolve(penalty=L2(0.1))\nnames = ['dY1', 'dW2']\n"
    Path("own.py").write_text(own)
    for more in ([], ["--problem", "own.py"]):
        with mock.patch("sys.argv", ["grade.py", "--seed", "12", *more, "ada.py", "ben.py"]):
            runpy.run_path(str(ROOT / "notebooks" / "solutions" / "grade.py"))
    of_06, failed, of_own, _ = capsys.readouterr().out.splitlines()
    assert of_06 == "ada: 1 of 12. Y1: Put your Y1 in place of the blank."
    assert failed == "ben: 0 of 12. the file stops with ZeroDivisionError: division by zero"
    assert of_own.startswith("ada: 0 of 2. dY1: This looks like dH1: the ReLU's mask is missing")


def test_a_file_or_an_answer_that_never_ends_is_stopped_and_the_next_ones_are_graded(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("ada.py").write_text("while True: pass")
    Path("ben.py").write_text("def Y1(X):\n    while True: pass\n\ndef dW2(H1, dy_pred): return H1.mT @ dy_pred\n")
    with mock.patch("sys.argv", ["grade.py", "--seed", "12", "--seconds", "1", "ada.py", "ben.py"]):
        runpy.run_path(str(ROOT / "notebooks" / "solutions" / "grade.py"))
    ada, ben = capsys.readouterr().out.splitlines()
    assert ada == "ada: 0 of 12. the file stops with TimeoutError: it takes longer than 1 s"
    assert re.match("ben: 1 of 12. Y1: .*it takes longer than 1 s", ben), ben


def test_what_the_package_works_out_itself_is_not_counted_against_a_student(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("ada.py").write_text("def dY1(dH1): return dH1\ndef dW2(H1, dy_pred): return H1.mT @ dy_pred\n")
    Path("own.py").write_text("from backprop_lab import *\nproblem, names = random_problem(1), ['dY1', 'dW2']\n")
    asked = Exercises.__call__

    def slow(*given):
        until = time.monotonic() + 1.3
        while time.monotonic() < until:  # a sleep would be one step that nothing can stop
            pass
        return asked(*given)

    arguments = ["grade.py", "--problem", "own.py", "--seed", "12", "--seconds", "1", "ada.py"]
    with mock.patch("sys.argv", arguments), mock.patch.object(Exercises, "__call__", slow):
        runpy.run_path(str(ROOT / "notebooks" / "solutions" / "grade.py"))
    assert "1 of 2. dY1: This looks like dH1" in capsys.readouterr().out


def test_the_code_for_teachers_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("docs/pages/teachers.md"):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(block, names)
    assert {path.name for path in tmp_path.iterdir()} == {"dW1.svg", "step.gif", "walk.html"}
    assert names["ask"].solved == {"dW2"}
    ask = names["Exercises"](names["recurrent"].problem, names=["dWh"], seed=12)
    assert not ask("dWh", lambda h1, dh2_in: h1.mT @ dh2_in).feedback, "a path forgotten shows in its numbers"
