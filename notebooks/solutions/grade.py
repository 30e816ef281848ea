"""Grade files of functions, for 06 or for a problem of your own: `python solutions/grade.py --seed 12 ada.py ben.py`.

Each file has a function for each line that you ask for, such as `def dW2(H1, dy_pred): return ...`. With `--problem
FILE`, that file has your own `problem`, and may have `names`, the lines that count; the seed draws other numbers and
sizes for it. Prints a line a student: the points, and what is said of the first answer that is wrong. The files are
run, so run them where a student's code may run; what takes longer than `--seconds` is stopped, except on Windows.
"""

import argparse
import runpy
import signal
from pathlib import Path

from backprop_lab.ui import Exercises

OF_06 = ["Y1", "H1", "y_pred", "L", "dy_pred", "dH1", "dW2", "db2", "dY1", "dW1", "db1", "W1_new"]

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--problem", metavar="FILE", help="a file with a `problem`, and perhaps `names`")
parser.add_argument("--seed", type=int, required=True, help="draws the numbers on which answers are tried")
parser.add_argument("--seconds", type=int, default=30, help="the longest that a file or an answer may take")
parser.add_argument("files", nargs="+", type=Path)
given = parser.parse_args()


def take_too_long(*_: object) -> None:
    raise TimeoutError(f"it takes longer than {given.seconds} s")


def wait(seconds: int) -> None:
    """Let what comes next take so long, and if it goes on, stop it every second; for 0, as long as it likes."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, take_too_long)
        signal.setitimer(signal.ITIMER_REAL, seconds, min(seconds, 1))


own = runpy.run_path(given.problem) if given.problem else {}
names = own.get("names", None if own else OF_06)
for path in given.files:
    ask, wrong = Exercises(own.get("problem"), names=names, seed=given.seed), ""
    try:
        wait(given.seconds)
        answers = runpy.run_path(str(path))
    except Exception as error:  # a file that does not run has no points
        answers, wrong = {}, f"the file stops with {type(error).__name__}: {error}"
    for name in ask.names:
        try:
            wait(given.seconds)
            feedback = ask(name, answers.get(name, ...)).feedback
            wrong = wrong or ("" if feedback else f"{name}: {feedback}")
        except TimeoutError as error:
            wrong = wrong or f"{name}: {error}"
    wait(0)
    print(f"{path.stem}: {len(ask.solved)} of {len(ask.names)}. {wrong}")
