"""Grade files of functions, for 06 or for a problem of your own: `python solutions/grade.py --seed 12 ada.py ben.py`.

Each file has a function for each line that you ask for, such as `def dW2(H1, dy_pred): return ...`. With `--problem
FILE`, that file has your own `problem`, and may have `names`, the lines that count; the seed draws other numbers and
sizes for it. Prints a line a student: the points, and what is said of the first answer that is wrong. The files are
run, so run them where a student's code may run; what takes longer than `--seconds` is stopped, except on Windows. Only
the student's own code counts, not what is worked out to tell what is wrong in it.
"""

import argparse
import runpy
import signal
import time
from pathlib import Path
from types import FrameType

from backprop_lab.ui import Exercises

OF_06 = ["Y1", "H1", "y_pred", "L", "dy_pred", "dH1", "dW2", "db2", "dY1", "dW1", "db1", "W1_new"]

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--problem", metavar="FILE", help="a file with a `problem`, and perhaps `names`")
parser.add_argument("--seed", type=int, required=True, help="draws the numbers on which answers are tried")
parser.add_argument("--seconds", type=int, default=30, help="the longest a file or an answer may take; 0: any time")
parser.add_argument("files", nargs="+", type=Path)
given = parser.parse_args()


class Watch:
    """Counts the time that a student's own code takes, and stops it, again and again, when that is too long."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.restart()
        if given.seconds and hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self.tick)
            signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)

    def restart(self) -> None:
        self.spent, self.last = 0.0, time.monotonic()

    def tick(self, _: int, frame: FrameType | None) -> None:
        """What has passed is the student's if a function of the file is running now, or what it has called."""
        passed, self.last = time.monotonic() - self.last, time.monotonic()
        while frame and frame.f_code.co_filename != self.path:
            frame = frame.f_back
        self.spent += passed if frame else 0
        if frame and self.spent > given.seconds:
            raise TimeoutError(f"it takes longer than {given.seconds} s")


own = runpy.run_path(given.problem) if given.problem else {}
names = own.get("names", None if own else OF_06)
for path in given.files:
    ask, wrong = Exercises(own.get("problem"), names=names, seed=given.seed), ""
    watch = Watch(str(path))
    try:
        answers = runpy.run_path(str(path))
    except Exception as error:  # a file that does not run has no points
        answers, wrong = {}, f"the file stops with {type(error).__name__}: {error}"
    for name in ask.names:
        try:
            watch.restart()
            feedback = ask(name, answers.get(name, ...)).feedback
            wrong = wrong or ("" if feedback else f"{name}: {feedback}")
        except TimeoutError as error:
            wrong = wrong or f"{name}: {error}"
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
    print(f"{path.stem}: {len(ask.solved)} of {len(ask.names)}. {wrong}")
