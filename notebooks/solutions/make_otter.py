"""Make 06_your_turn an assignment for otter-grader: `python solutions/make_otter.py SEED`, in the course's folder."""

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_raw_cell

CONFIG = """# ASSIGNMENT CONFIG
requirements: requirements.txt
generate: true
export_cell: false
tests:
  ok_format: false"""
TEST = """def test_{0}({0}):
    from backprop_lab.ui import Exercises

    feedback = Exercises(seed={1})("{0}", {0}).feedback
    assert feedback, feedback"""

seed = int(sys.argv[1])
course = Path("notebooks") if Path("notebooks").is_dir() else Path()  # in a checkout, or a copied folder
notebook = nbformat.read(course / "solutions/06_your_turn.ipynb", as_version=4)
blank = {cell.id: cell for cell in nbformat.read(course / "06_your_turn.ipynb", as_version=4).cells}
cells = [new_raw_cell(CONFIG)]
for cell in notebook.cells:
    asked = re.search(r'^ask\("(\w+)"', cell.source, re.MULTILINE) if cell.cell_type == "code" else None
    if asked:
        name = asked[1]
        cell.source = re.sub(r"^(    return .*)$", r"\1  # SOLUTION", cell.source, flags=re.MULTILINE)
        cells += [new_raw_cell(f"# BEGIN QUESTION\nname: {name}\npoints: 1")]
        cells += [new_raw_cell("# BEGIN SOLUTION"), cell, new_raw_cell("# END SOLUTION")]
        cells += [new_raw_cell("# BEGIN TESTS"), new_code_cell(TEST.format(name, seed)), new_raw_cell("# END TESTS")]
        cells += [new_raw_cell("# END QUESTION")]
    elif cell.id in blank:
        cells.append(blank[cell.id])
notebook.cells = cells
Path("graded").mkdir(exist_ok=True)
Path("graded/requirements.txt").write_text("backprop-lab\n")
nbformat.write(notebook, "graded/06_your_turn.ipynb")
