"""The notebooks as literature: short cells, saved as they were run, and no number in them that nothing compares."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from backprop_lab import MISTAKES
from backprop_lab.ui.steps.stepper import Stepper

FOLDER = Path(__file__).parent.parent / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
NOTEBOOKS = {path.name: nbformat.read(path, as_version=4) for path in PATHS}
WORKED_EXAMPLE = NOTEBOOKS["01_worked_example.ipynb"]
TOUR = NOTEBOOKS["02_step_through.ipynb"]
LESSONS = {name: notebook for name, notebook in NOTEBOOKS.items() if name != "00_start_here.ipynb"}
ORIGINAL = (Path(__file__).parent / "data" / "original_output.txt").read_text().strip().split("\n\n")

LONGEST_CELL, MEDIAN_CELL, LARGEST_FILE = 15, 5, 300_000  # lines, lines, bytes
ALLOWED_IMPORTS = {"backprop_lab", "numpy", "matplotlib", *sys.stdlib_module_names}
WIDGETS = ("application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json")

every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS.values(), ids=NOTEBOOKS)
NOTES = FOLDER / "teaching_notes.md"
every_lesson = pytest.mark.parametrize("notebook", LESSONS.values(), ids=LESSONS)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def text_of(output):
    """What an output says in plain text: printed, or the value of a cell that is not a picture."""
    if output.output_type == "stream":
        return output.text
    return "" if "image/png" in output.data else output.data["text/plain"]


def printed(cell):
    """All that a cell printed."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def headings(notebook):
    return [line for text in prose(notebook) for line in text.splitlines() if re.match("#+ ", line)]


# Saved as it was run


@every_notebook
def test_every_code_cell_was_run_in_order_from_a_fresh_kernel(notebook):
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))


@every_notebook
def test_no_cell_shows_an_error_or_a_warning(notebook):
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


@every_notebook
def test_nothing_is_saved_of_a_widget_that_only_lives_with_its_kernel(notebook):
    assert "widgets" not in notebook.metadata
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.get("data", {}).keys() & set(WIDGETS)]


@pytest.mark.parametrize("path", PATHS, ids=NOTEBOOKS)
def test_the_file_is_small(path):
    assert path.stat().st_size < LARGEST_FILE


@every_notebook
def test_any_python_3_kernel_can_run_it(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


@every_notebook
def test_every_cell_has_an_id_that_says_what_it_is(notebook):
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert not [name for name in ids if re.fullmatch(r"[0-9a-f-]{8,}", name)], "these were made up by a machine"


def test_make_notebooks_leaves_a_notebook_that_complains_as_it_was_and_says_where(tmp_path):
    path = tmp_path / "complains.ipynb"
    cell = new_code_cell("import sys\n\nprint('no such font', file=sys.stderr)", id="the-fonts")
    nbformat.write(new_notebook(cells=[cell]), path)
    before = path.read_bytes()
    run = subprocess.run(
        [sys.executable, FOLDER.parent / "tools" / "run_and_save.py", path], capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "its cell the-fonts complains:\n\nno such font" in run.stderr
    assert path.read_bytes() == before


# Written to be read


@every_notebook
def test_code_cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code(notebook)]
    assert max(lengths) <= LONGEST_CELL
    assert median(lengths) <= MEDIAN_CELL


@every_notebook
def test_every_code_cell_is_plain_python(notebook):
    """No magic, no shell, and nothing at the end of a line that hides what the line gives."""
    for cell in code(notebook):
        ast.parse(cell.source)  # refuses lines that start with % or !
        assert not [line for line in cell.source.splitlines() if line.rstrip().endswith(";")]


@every_notebook
def test_it_imports_only_the_package_numpy_matplotlib_and_the_standard_library(notebook):
    found = set()
    for node in [node for cell in code(notebook) for node in ast.walk(ast.parse(cell.source))]:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    assert "backprop_lab" in found
    assert found <= ALLOWED_IMPORTS


@every_notebook
def test_it_opens_with_what_you_will_do_need_and_how_long_it_takes(notebook):
    opening = notebook.cells[0]
    assert opening.cell_type == "markdown"
    assert opening.source.startswith("# ")
    for promise in ("**What you will do", "**What you need.**", "**Time.**"):
        assert promise in opening.source
    assert sum(line.startswith("# ") for line in headings(notebook)) == 1


@every_lesson
def test_it_closes_with_a_few_exercises_and_where_to_go_next(notebook):
    assert headings(notebook)[-2:] == ["## Exercises", "## Where to go next"]
    _, _, closing = "\n".join(prose(notebook)).partition("## Exercises\n")
    assert 3 <= len(re.findall(r"^(?:\*\*)?\d+\. ", closing, re.MULTILINE)) <= 6


@every_notebook
def test_a_link_to_another_notebook_leads_somewhere(notebook):
    for target in re.findall(r"\]\(([^)]+\.ipynb)\)", "\n".join(prose(notebook))):
        assert target.startswith("https://") or (FOLDER / target).is_file()


def test_what_is_counted_in_words_is_so_many():
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert "forty classic mistakes" in readme
    assert round(len(MISTAKES), -1) == 40, "say another number in README, 05 and 06 (and solutions/06)"
    assert "all eight notebooks" in " ".join(readme.split())
    assert len(NOTEBOOKS) == 8, "say another number in README, classroom/README and CHANGELOG"


def numbers(text):
    """Every number with a decimal point or an exponent, as (how it is written, what it is)."""
    found = re.findall(r"(?<![\w.])-?\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)(?![\w.]*\d)", text.replace("−", "-"))
    return [(number, float(number)) for number in found]


def rounds_to(known, written):
    """Whether one of the `known` numbers, rounded, is the `written` one; the sentence may give its sign in words."""
    mantissa = written.partition("e")[0]
    decimals = len(mantissa.partition(".")[2])
    return any(f"{abs(value):.{decimals}f}" == mantissa.lstrip("-") for value in known) or float(written) in known


@pytest.mark.parametrize("notebook", [WORKED_EXAMPLE, TOUR], ids=["worked example", "tour"])
def test_every_number_in_the_prose_is_in_a_cell_that_computes_or_asserts_it(notebook):
    known = [value for cell in code(notebook) for _, value in numbers(f"{cell.source}\n{printed(cell)}")]
    prose_before_exercises = "\n".join(prose(notebook)).partition("## Exercises\n")[0]
    missing = {written for written, _ in numbers(prose_before_exercises) if not rounds_to(known, written)}
    assert not missing


# Compared, every time


@every_notebook
def test_nbval_is_told_to_skip_nothing(notebook):
    assert not [cell.id for cell in notebook.cells if "nbval" in f"{cell.source} {cell.metadata}".lower()]


def test_nbval_rejects_every_cell_whose_saved_number_is_wrong(tmp_path):
    """One digit is changed in every cell that tells a number: nbval must refuse just those, and pass all others."""
    notebook = nbformat.reads(nbformat.writes(WORKED_EXAMPLE), as_version=4)
    wrong = 0
    for cell in code(notebook):
        for output in reversed(cell.outputs):
            if digits := list(re.finditer(r"\d", text_of(output))):
                last = digits[-1]
                text = f"{last.string[: last.start()]}{(int(last[0]) + 1) % 10}{last.string[last.end() :]}"
                output.update({"text": text} if output.output_type == "stream" else {"data": {"text/plain": text}})
                wrong += 1
                break
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=60", "-rN"]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--color=no", "wrong.ipynb"], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    assert f"{wrong} failed, {len(code(notebook)) - wrong} passed" in run.stdout
    assert run.stdout.count("Cell outputs differ") == wrong > 20


# The worked example


def test_the_worked_example_prints_all_that_the_original_printed_in_its_order():
    text = "".join(printed(cell) for cell in code(WORKED_EXAMPLE))
    at = 0
    for block in ORIGINAL:
        name, _, value = block.partition("\n")
        assert f"{value}\n" in text[at:], f"{name} is not there, or not in its place"
        at = text.index(f"{value}\n", at) + len(value)


# The tour


def test_the_tour_has_ten_questions_each_with_an_answer_folded_away():
    questions = [text for text in prose(TOUR) if "### Question" in text]
    assert [int(re.search(r"### Question (\d+)", text)[1]) for text in questions] == list(range(1, 11))
    for text in questions:
        asked, _, answered = text.partition("<details><summary>Answer</summary>\n\n")
        assert "?" in asked
        assert answered.rstrip().endswith("\n\n</details>")


def test_the_labs_of_the_tour_are_saved_as_pictures():
    labs = [cell for cell in code(TOUR) if "StepThrough(" in cell.source]
    assert len(labs) == 2
    assert all("image/png" in cell.outputs[0].data for cell in labs)


def test_the_tour_computes_each_of_its_ten_answers():
    answers = [
        (int(number[1]), following.cell_type)
        for cell, following in zip(TOUR.cells, TOUR.cells[1:], strict=False)
        if cell.cell_type == "markdown" and (number := re.match(r"\*\*(\d+)\.\*\*", cell.source))
    ]
    assert answers == [(number, "code") for number in range(1, 11)]


def test_the_lab_asks_for_the_cell_that_the_tour_speaks_of():
    stepper = Stepper(step="L")
    stepper.predict(True)
    stepper.next()
    assert stepper.place.question == ("dy_pred", 0, 1)


def test_the_tour_says_at_which_iteration_the_diverging_start_overflows():
    answer = "*Exercise 3.* At iteration 182."
    assert answer in "\n".join(prose(TOUR))
    diverging = Stepper(start="diverging", iteration=200)
    assert "overflowed at iteration 182:" in diverging.place.note


def test_planting_a_mistake_keeps_the_learning_rate_as_the_tour_sets_it():
    stepper = Stepper(lr=0.05, step="H1")
    stepper.set_lr(0.01)
    stepper.restart()
    stepper.plant("mask-forgotten")
    assert stepper.place.lr == 0.01


def test_the_map_of_the_course_gives_the_minutes_that_each_lesson_gives_itself():
    rows = re.findall(
        r"^\| \[(\w+)\]\(\1\.ipynb\) \|.*\| (\d+) \|$", "\n".join(prose(NOTEBOOKS["00_start_here.ipynb"])), re.M
    )
    own = {
        name.removesuffix(".ipynb"): re.search(r"\*\*Time\.\*\* About (\d+) minutes", prose(notebook)[0])[1]
        for name, notebook in LESSONS.items()
    }
    assert dict(rows) == own
    assert dict(re.findall(r"^\| \[(\w+)\]\(\1\.ipynb\) \| (\d+) \|", NOTES.read_text(), re.M)).items() >= own.items()
