"""Make 06_your_turn an assignment for nbgrader: `python solutions/make_nbgrader.py SEED`, in the course's folder."""

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

TEST = """from textwrap import fill

from backprop_lab.ui import Exercises

feedback = Exercises(seed={1})("{0}", {0}).feedback
assert feedback, fill(str(feedback), 80)"""


def mark(cell, name, **kind):
    told = {"schema_version": 3, "grade_id": name, "grade": False, "solution": False, "locked": True, "task": False}
    cell.metadata["nbgrader"] = told | kind
    return cell


seed = int(sys.argv[1])
course = Path("notebooks") if Path("notebooks").is_dir() else Path()  # in a checkout, or a copied folder
notebook = nbformat.read(course / "solutions/06_your_turn.ipynb", as_version=4)
blank = {cell.id: cell for cell in nbformat.read(course / "06_your_turn.ipynb", as_version=4).cells}
cells = []
for cell in notebook.cells:
    asked = re.search(r'^ask\("(\w+)"', cell.source, re.MULTILINE) if cell.cell_type == "code" else None
    if asked:
        name = asked[1]
        hidden = r"    ### BEGIN SOLUTION\n\1\n    ### END SOLUTION"
        cell.source = re.sub(r"^(    return .*)$", hidden, cell.source, flags=re.MULTILINE)
        cells.append(mark(cell, name, solution=True, locked=False))
        cells.append(mark(new_code_cell(TEST.format(name, seed)), f"test-{name}", grade=True, points=1))
    elif cell.id in blank:
        cells.append(blank[cell.id])
notebook.cells = cells
Path("course/source/your_turn").mkdir(parents=True, exist_ok=True)
nbformat.write(notebook, "course/source/your_turn/06_your_turn.ipynb")
Path("course/nbgrader_config.py").write_text(
    'c = get_config()\nc.CourseDirectory.course_id = "backprop"\n'
    'c.ClearSolutions.code_stub = {"python": "return ..."}\n'
)
