"""The solutions: the students' notebooks, every blank filled in and every check green, and kept out of sight."""

import ast
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from backprop_lab.ui import Exercises, MistakeLab, StepThrough

FOLDER = Path(__file__).parent.parent / "notebooks"
STUDENT = {path.name: nbformat.read(path, as_version=4) for path in sorted(FOLDER.glob("*.ipynb"))}
SOLUTION = {path.name: nbformat.read(path, as_version=4) for path in sorted((FOLDER / "solutions").glob("*.ipynb"))}

ASKS = re.compile(r"^(?:ask|check|solve)\((.*)\)$", re.MULTILINE)  # the line that shows what is thought of an answer
ASSERTED = re.compile(r"feedback = .*\nassert feedback, feedback\n")  # what may stand before it in a solution

# Not 07: it puts predictions on trial in cells of its own, which assert, and asks for no line of the backward pass.
NOTES = (FOLDER / "teaching_notes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", NOTES, re.DOTALL)
CALLS = [line for block in BLOCKS for line in block.splitlines() if re.match(r"(StepThrough|MistakeLab)\(", line)]
README = (FOLDER.parent / "README.md").read_text(encoding="utf-8")

every_solution = pytest.mark.parametrize("name", [name for name in SOLUTION if not name.startswith("07")])


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def has_blank(source):
    """Whether a piece of Python has the three dots in it where an answer is wanted."""
    nodes = ast.walk(ast.parse(source))
    return any(isinstance(node, ast.Constant) and node.value is ... for node in nodes)


def without_the_teachers_cells(solution):
    """The cells that the students have too; the others carry the tag "solution"."""
    return [cell for cell in solution.cells if "solution" not in cell.metadata.get("tags", [])]


def filled_lines(student, solution):
    """The lines that a student has to find: those of a filled cell that are not in the blank one."""
    lines = []
    for blank, filled in zip(student.cells, without_the_teachers_cells(solution), strict=True):
        if blank.cell_type == "code" and has_blank(blank.source):
            lines += [line for line in filled.source.splitlines() if line not in blank.source.splitlines()]
    return lines


def answer_in(line):
    """What stands for the blank: `X @ W1` in `return X @ W1`, in `Y1 = X @ W1` and in `Y1 = X @ W1  # why`."""
    line = line.strip().removeprefix("return ")
    statement = ast.parse(line).body[0]
    return ast.get_source_segment(line, getattr(statement, "value", statement))


def shown(notebook):
    """All that a reader can see of a notebook as text, without the spaces in it."""
    texts = []
    for cell in notebook.cells:
        texts.append(cell.source)
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), *(str(data) for data in output.get("data", {}).values())]
    return "".join("\n".join(texts).split())


def leaks(student, solution):
    """The answers that can be read in the student's own notebook."""
    text = shown(student)
    return [line for line in filled_lines(student, solution) if "".join(answer_in(line).split()) in text]


# A pair for each


def test_the_notebooks_with_blanks_are_those_that_have_solutions():
    with_blanks = {name for name, notebook in STUDENT.items() if any(has_blank(c.source) for c in code(notebook))}
    assert with_blanks == set(SOLUTION)
    assert {"05_plant_a_bug.ipynb", "06_your_turn.ipynb"} <= with_blanks


@every_solution
def test_a_solution_has_the_cells_of_the_students_in_their_order(name):
    student, solution = STUDENT[name].cells, without_the_teachers_cells(SOLUTION[name])
    assert [(cell.id, cell.cell_type) for cell in solution] == [(cell.id, cell.cell_type) for cell in student]


@every_solution
def test_the_prose_is_the_same_but_that_links_lead_one_folder_up(name):
    for student, solution in zip(STUDENT[name].cells, without_the_teachers_cells(SOLUTION[name]), strict=True):
        if student.cell_type == "markdown":
            assert solution.source == re.sub(r"\]\((\w+\.(?:ipynb|png))\)", r"](../\1)", student.source)


@every_solution
def test_the_code_is_the_same_but_for_the_blanks_and_that_answers_must_be_right(name):
    for student, solution in zip(STUDENT[name].cells, without_the_teachers_cells(SOLUTION[name]), strict=True):
        if student.cell_type != "code" or student.source == solution.source:
            continue
        if has_blank(student.source):
            kept = [line for line in student.source.splitlines() if "..." not in line]
            assert [line for line in solution.source.splitlines() if line in kept] == kept, student.id
        else:
            assert ASSERTED.fullmatch(solution.source.removesuffix(student.source)), student.id


# Run, and right


@every_solution
def test_a_solution_has_no_blank_left(name):
    assert not [cell.id for cell in code(SOLUTION[name]) if has_blank(cell.source)]


@every_solution
def test_a_solution_was_run_from_top_to_bottom_without_an_error(name):
    cells = code(SOLUTION[name])
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run it and save it"
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def verdicts(notebook):
    """What was said of each answer."""
    return [cell.outputs[-1].data["text/plain"] for cell in code(notebook) if ASKS.search(cell.source)]


def is_green(verdict):
    return verdict.endswith(" is right.") or verdict.startswith("What was run is ")


@every_solution
def test_every_check_of_a_solution_is_green(name):
    found = verdicts(SOLUTION[name])
    assert len(found) == len(verdicts(STUDENT[name])) >= 3
    assert [verdict for verdict in found if not is_green(verdict)] == []


@every_solution
def test_a_solution_asserts_every_answer_so_that_nbval_fails_when_one_goes_wrong(name):
    """Each by itself, or all at once at the end."""
    asserted = "\n".join(cell.source for cell in code(SOLUTION[name]) if "assert " in cell.source)
    if "assert ask.solved == set(ask.names)" in asserted:
        return
    for cell in code(STUDENT[name]):
        for asked in ASKS.findall(cell.source):
            assert f"({asked.partition(',')[0]}, " in asserted, asked


@every_solution
def test_the_blanks_of_a_student_were_saved_with_a_prompt(name):
    assert [verdict for verdict in verdicts(STUDENT[name]) if "blank" not in verdict] == []


# Out of sight


@every_solution
def test_there_is_something_to_find_in_every_solution(name):
    assert len(filled_lines(STUDENT[name], SOLUTION[name])) >= 3


@every_solution
def test_no_answer_can_be_read_in_the_notebook_that_asks_for_it(name):
    assert leaks(STUDENT[name], SOLUTION[name]) == []


@every_solution
def test_no_line_of_a_solution_stands_in_any_notebook_of_the_students(name):
    lines = {line.strip() for line in filled_lines(STUDENT[name], SOLUTION[name])}
    for other, notebook in STUDENT.items():
        theirs = {line.strip() for cell in notebook.cells for line in cell.source.splitlines()}
        assert not lines & theirs, other


def test_no_notebook_of_the_students_leads_to_the_solutions():
    assert not [name for name, notebook in STUDENT.items() if "solutions/" in shown(notebook)]


def test_a_leak_is_found_in_code_in_prose_and_in_an_output():
    blank, filled = "def Y(X, W):\n    return ...", "def Y(X, W):\n    return X @ W  # rows by columns"
    solution = new_notebook(cells=[new_code_cell(filled), new_code_cell("print(1)")])

    def student(last, text=""):
        outputs = [new_output("stream", text=text)] if text else []
        return new_notebook(cells=[new_code_cell(blank), new_code_cell(last, outputs=outputs)])

    assert leaks(student("print(1)"), solution) == []
    for told in (student("Z = X@W"), student("print(1)", text="Y = X @ W"), student("# try `X @ W`")):
        assert leaks(told, solution) == ["    return X @ W  # rows by columns"]


def test_a_blank_is_told_from_dots_that_ask_nothing():
    assert has_blank("def Y(X):\n    return ...")
    assert has_blank("Y = [[... for k in range(2)] for i in range(4)]")
    assert not has_blank('print("wait...")  # and so on ...')


# The teaching notes


def test_the_notes_show_labs_for_the_projector():
    assert len(CALLS) >= 5
    assert all("large=True" in call for call in CALLS)
    assert re.search(r"^(StepThrough\(.*large=True\))", README, re.MULTILINE)[1] in CALLS, "the one of the front page"


@pytest.mark.parametrize("call", CALLS)
def test_a_lab_opens_as_the_notes_write_it(call):
    lab = eval(call, {"StepThrough": StepThrough, "MistakeLab": MistakeLab})
    stepper = (lab if isinstance(lab, StepThrough) else lab.lab).stepper
    assert stepper.place.note == ""
    if "dW1" in call:
        assert np.any(stepper.place.trace["dW1"]), "a class would look at zeros"


@pytest.mark.parametrize(
    ("tool", "made"),
    [
        ("make_otter.py", "graded/06_your_turn.ipynb"),
        ("make_nbgrader.py", "course/source/your_turn/06_your_turn.ipynb"),
    ],
)
def test_the_script_for_a_grading_tool_gives_every_exercise_a_test(tool, made, tmp_path, monkeypatch):
    (script,) = [block for block in BLOCKS if f"`{tool}`" in NOTES[: NOTES.index(block)].splitlines()[-3]]
    (tmp_path / "notebooks").symlink_to(FOLDER, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    exec(script, {})
    graded = nbformat.read(tmp_path / made, as_version=4)
    nbformat.validate(graded)
    text = "\n".join(cell.source for cell in graded.cells)
    for name in Exercises().names:
        assert text.count(f'Exercises()("{name}", {name}).feedback') == 1
        assert text.count(f"def {name}(") == 1
    assert text.count("SOLUTION") >= 2 * 15
    assert "assert ask.solved" not in text, "that cell is for teachers"
    assert "](../" not in text


def test_the_line_for_any_other_way_to_grade_counts_the_points():
    (block,) = [block for block in BLOCKS if "points = sum(" in block]
    answers = type("Answers", (), {"dW2": staticmethod(lambda H1, dy_pred: H1.mT @ dy_pred), "dY1": lambda dH1: dH1})
    found = {"answers": answers}
    exec(block, found)
    assert found["points"] == 1
