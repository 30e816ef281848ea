"""The lab of lines to put in order: a Parsons problem made of the lines of a training step."""

import html
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import ipywidgets as widgets

from backprop_lab.course.puzzle import Puzzle
from backprop_lab.nn.losses import LOSSES
from backprop_lab.step.examples import worked_example
from backprop_lab.step.problem import Problem
from backprop_lab.step.program import Program
from backprop_lab.ui.comm_workarounds import serialize_messages
from backprop_lab.ui.controls import row
from backprop_lab.ui.lab import Lab
from backprop_lab.ui.page.line_list import LineList
from backprop_lab.ui.saving import place_for

TO_DO = "Number the lines in the boxes, in the order of your program, and put a cross in the box of any that stays out."
HEAD = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Lines to put in order</title>
<style>
:root { color-scheme: light dark; font: 1.05rem/1.5 system-ui, sans-serif; }
body { max-width: 50em; margin: 2em auto; padding: 0 1em; }
code, pre { font: 1em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; }
ul { padding: 0; }
li { display: flex; align-items: center; gap: 1em; margin: 0.5em 0; break-inside: avoid; }
li::before { content: ""; flex: none; width: 2.2em; height: 1.7em; border: 1.5px solid; border-radius: 4px; }
</style>
"""


class LineUp(Lab):
    r"""`LineUp()` is the whole cell: the lines of a training step to put in order, with wrong ones among them.

    `part` is "forward", which ends with the loss, "backward", or "whole"; without a problem it is the worked example.
    Every order that can be computed is right. Another `seed` draws other wrong lines, in another order. `lines` are
    lines of your own in place of a problem's, as a text, and `wrong` those that stay out: a text too, or a dictionary
    that says of each why. Raises ValueError if there is no such part or seed, if `problem` is not a Problem, or for
    what is no line. For example::

        LineUp(part="backward")
        LineUp(random_problem(1, hidden=(4, 4)), seed=2)  # one layer deeper, with other wrong lines
        LineUp(lines="m = X.mean(axis=0)\nD = X - m", wrong={"D = m - X": "the mean is taken off"})
    """

    def __init__(
        self,
        problem: Problem | None = None,
        part: str = "whole",
        seed: int = 0,
        *,
        lines: str | Iterable[str] | None = None,
        wrong: str | Iterable[str] | Mapping[str, str] = (),
    ) -> None:
        if problem is not None and not isinstance(problem, Problem):
            raise ValueError(f"LineUp takes a Problem, such as random_problem(1, hidden=(4, 4)); got {problem!r}")
        if problem is not None and lines is not None:
            raise ValueError("LineUp takes a problem or lines of your own, not both")
        if lines is None and wrong:
            raise ValueError("wrong lines of your own go with lines of your own: LineUp(lines=..., wrong=...)")
        self._problem = problem if problem is not None or lines is not None else worked_example()
        self.puzzle = Puzzle(self._problem, part, seed, lines, wrong)
        super().__init__()
        self._lines = LineList(lines=[line.text for line in self.puzzle.lines], goals=[*self.puzzle.goals])
        self._lines.on_msg(lambda _, message, __: self._guarded(self._heard, message))
        serialize_messages(self._lines)
        check = self._button("Check", self._check, "Can your program be computed, line by line?", "primary")
        hint = self._button("Hint", self._hint, "What could come next? Press again to see its line")
        again = self._button("Start again", self.puzzle.start_over, "Take all lines back")
        self.children = [widgets.HTML(self._task()), self._lines, row(check, hint, again), self._note]
        self.puzzle.observe(lambda _: self._show(), "place")
        self._show()

    def _task(self) -> str:
        """What is known before the first line, as HTML."""
        given = ", ".join(self.puzzle.known[: len(self.puzzle.known) - len(self.puzzle.before)])
        task = "Put lines into your program, in an order in which they can be computed. Some are wrong and stay out."
        text = f"{self._network()}Given: {given or 'nothing'}"
        before = "".join(f"{step.name} = {step.code}\n" for step in self.puzzle.before)
        run = f", and what these lines gave:</p><pre>{html.escape(before)}</pre>" if before else ".</p>"
        return f'<div class="bpl-task"><p>{task}</p><p>{html.escape(text)}{run}</div>'

    def _network(self) -> str:
        """The layers and the loss, where there are such."""
        if self._problem is None or isinstance(self._problem, Program):
            return ""
        layers = " → ".join(type(layer).__name__ for layer in self._problem.network.layers)
        loss = next((name for name, loss in LOSSES.items() if loss == self._problem.loss), None)
        return f"Network: {layers}. Loss: {loss or type(self._problem.loss).__name__}. "

    def _heard(self, message: dict[str, Any]) -> None:
        self.puzzle.move(message.get("line"), message.get("to"), message.get("at"))
        self._lines.said = self.puzzle.where(message["line"])

    def _show(self) -> None:
        """What was said of another order is said no longer."""
        self._note.value, self._lines.wrong, self._hinted = "", -1, False
        self._lines.place = self.puzzle.place._asdict()

    def _check(self) -> None:
        feedback = self.puzzle.judge()
        self._note.value = f'<div role="status">{feedback._repr_html_()}</div>'
        if feedback.where is not None:
            placed = [line for line in self.puzzle.place.program if line >= 0]
            self._lines.wrong = placed[feedback.where[0]]

    def _hint(self) -> None:
        """What could come next; pressed once more in the same place, the line itself."""
        said = re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(self.puzzle.hint(more=self._hinted)))
        self._note.value, self._hinted = f'<div role="status" style="line-height: 1.4">{said}</div>', True

    def save(self, path: str | os.PathLike[str]) -> None:  # type: ignore[override]
        """Save the task and its lines as a page to print, whose name ends with .html. Else raises ValueError."""
        place = place_for(path, [".html"], "lines are saved as an .html file")
        place.write_text(f"{HEAD}{self._without_kernel()[0]['text/html']}<p>{TO_DO}</p>\n", encoding="utf-8")

    def _without_kernel(self) -> tuple[dict[str, str], str]:
        lines = "".join(f"<li><code>{html.escape(line.text)}</code></li>" for line in self.puzzle.lines)
        return {"text/html": f"{self._task()}<ul>{lines}</ul>"}, ""
