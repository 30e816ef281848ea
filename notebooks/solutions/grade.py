"""Grade files of functions, for 06 or for a problem of your own: `python solutions/grade.py --seed 12 ada.py ben.py`.

Each file has a function for each line that you ask for, such as `def dW2(H1, dy_pred): return ...`. With `--problem
FILE`, that file has your own `problem`, and may have `names`, the lines that count; the seed draws other numbers and
sizes for it. Prints a line a student: the points, and what is said of the first answer that is wrong. The files are
run, so run them where a student's code may run.
"""

import argparse
import runpy
from pathlib import Path

from backprop_lab.ui import Exercises

OF_06 = ["Y1", "H1", "y_pred", "L", "dy_pred", "dH1", "dW2", "db2", "dY1", "dW1", "db1", "W1_new"]

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--problem", metavar="FILE", help="a file with a `problem`, and perhaps `names`")
parser.add_argument("--seed", type=int, required=True, help="draws the numbers on which answers are tried")
parser.add_argument("files", nargs="+", type=Path)
given = parser.parse_args()
own = runpy.run_path(given.problem) if given.problem else {}
names = own.get("names", None if own else OF_06)
for path in given.files:
    ask, wrong = Exercises(own.get("problem"), names=names, seed=given.seed), ""
    try:
        answers = runpy.run_path(str(path))
    except Exception as error:  # a file that does not run has no points
        answers, wrong = {}, f"the file stops with {type(error).__name__}: {error}"
    for name in ask.names:
        feedback = ask(name, answers.get(name, ...)).feedback
        wrong = wrong or ("" if feedback else f"{name}: {feedback}")
    print(f"{path.stem}: {len(ask.solved)} of {len(ask.names)}. {wrong}")
