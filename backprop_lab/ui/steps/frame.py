"""What the view of the step-through lab is told: one `state` for each frame, and a `layout` for each network.

Both are plain data, as `ui/page/step_view.py` describes them, so that they can be sent to a page or kept in a file.
"""

import math
import textwrap
from collections.abc import Iterable, Sequence, Set
from itertools import accumulate
from typing import Any

import numpy as np

from backprop_lab.checks.proof import prove
from backprop_lab.course.predictions import question
from backprop_lab.reading.one_cell import Cell, Worked, work_out
from backprop_lab.reading.parts import rules, taken_in
from backprop_lab.reading.slopes import is_slope, slope_of, slopes_of, value_of
from backprop_lab.step.number_format import plain
from backprop_lab.step.trace import Trace, found_once
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.place import LabState

AT_ONCE, WIDEST, GLUE = 28, 46, "\0"  # lines of a forward pass that are shown together, and their letters
Frame = list[Any]  # [name, first row, last row, first column, last column, "operand" or "result"]


def layout(trace: Trace) -> dict[str, Any]:
    """What stays while the network does: the steps, from which of them on each value is shown, and its sources."""
    numbers = {step.name: number for number, step in enumerate(trace.steps, start=1)}
    since = dict.fromkeys(trace.given, 0) | numbers
    since |= {name: numbers[slope.shown_with] for name, slope in slopes_of(trace).items()}
    steps = [[step.name, step.phase] for step in trace.steps]
    return {"steps": steps, "since": since, "rules": rules(trace), "users": users(trace), "forward": forward(trace)}


def forward(trace: Trace) -> list[str]:
    """The lines of the forward pass, if all can be read at once; a long one is broken outside parentheses."""
    lines: list[str] = []
    for name, code in ((step.name, step.code) for step in trace.steps if step.phase in ("forward", "loss")):
        depths = accumulate((letter == "(") - (letter == ")") for letter in code)
        glued = "".join(GLUE if letter == " " and depth else letter for letter, depth in zip(code, depths, strict=True))
        wrapped = textwrap.wrap(f"{name} = {glued}", WIDEST, subsequent_indent="    ", break_long_words=False)
        lines += [line.replace(GLUE, " ") for line in wrapped]
    return lines if len(lines) <= AT_ONCE else []


def users(trace: Trace) -> dict[str, list[str]]:
    """What each value of a program goes into. In a network of layers it goes into the next layer, and has none here."""
    found: dict[str, list[str]] = {}
    for step in () if trace.problem.stages else trace.steps:
        for name in taken_in(step):
            found.setdefault(name, []).append(step.name)
    return found


def state(place: LabState, losses: Sequence[float]) -> dict[str, Any]:
    """Where the lab is, in words and numbers."""
    trace, cell, loss = place.trace, place.cell, place.trace.problem.loss_name
    worked = work_out(trace, cell) if cell else None
    now = question(trace, place.question) if place.question else None  # what the learner should predict
    return {
        "index": place.index,
        "iteration": int(place.iteration),
        "loss": plain(value_of(trace, loss)[0, 0], 4) if place.shows(loss) else "",
        "cell": list(cell) if cell else None,
        "pinned": place.pinned,
        "frames": step_frames(place),
        "sources": sources(worked) if worked else [],
        "card": words.card(place),
        "remarks": words.remarks_on(place, losses),
        "badge": next((step.title for step in trace.steps if step.title), ""),
        "wrong": wrong_gradients(trace),
        "sum": the_sum(trace, worked) if worked else None,
        "edit": bool(place.pinned and cell and cell[0] in place.can_change),
        "question": now and {"title": now.title, "text": now.text, "choices": list(now.choices), "field": now.field},
        "why": bool(place.why),
    }


def step_frames(place: LabState) -> list[Frame]:
    """What to frame while no cell is chosen: what is asked about, or the matrices of the step."""
    if place.question:
        return _blocks(question(place.trace, place.question).cells, "result")
    if place.step is None:
        return []
    whole = []
    for name in (*place.step.operands, place.step.name):
        rows, cols = value_of(place.trace, name).shape
        kind = "result" if name == place.step.name else "operand"
        whole.append([name, 0, rows - 1, 0, cols - 1, kind])
    return whole


def worked_out(place: LabState, unread: Set[str]) -> int:
    """The number of the step that is shown worked out: of one asked about only where the board hides its numbers."""
    if not place.question:
        return place.index
    return 0 if unread.isdisjoint(place.trace.steps[place.index].operands) else place.index + 1


def sources(worked: Worked) -> list[Frame]:
    """What to frame while a cell is chosen: the cells it is computed from, and itself."""
    return _blocks(worked.sources, "operand") + _blocks([worked.cell], "result")


def _blocks(cells: Iterable[Cell], kind: str) -> list[Frame]:
    """For each matrix the first and last row and column of these cells: those of a sum fill a row, a column or all."""
    found: dict[str, tuple[int, int, int, int]] = {}
    for name, i, j in cells:
        top, bottom, left, right = found.get(name, (i, i, j, j))
        found[name] = (min(top, i), max(bottom, i), min(left, j), max(right, j))
    return [[name, *span, kind] for name, span in found.items()]


ENTRIES = 256  # of a matrix that is proved in passing


@found_once
def wrong_gradients(trace: Trace) -> list[str]:
    """The gradients that are proved wrong, by name; looked for only where some may be.

    That is where a mistake is planted, or where a layer or the loss is your own and matrices are small: larger ones
    would take seconds.
    """
    planted = any(step.title for step in trace.steps)
    own = not all(part.is_ours for part in trace.problem.parts)
    small = all(np.size(step.value) <= ENTRIES for step in trace.steps)
    gradients = [step.name for step in trace.steps if step.role == "gradient" and (planted or (own and small))]
    return [name for name in gradients if prove(trace, name).agrees is False]


def the_sum(trace: Trace, worked: Worked) -> dict[str, Any]:
    """A cell as evaluated terms, each with its share of the largest one; or, where it is no sum, as `lines`."""
    sizes = [abs(term.value) for term in worked.every_term]
    largest = max((size for size in sizes if math.isfinite(size)), default=0.0)
    terms = [
        {
            "text": term.text,
            "sign": term.sign,
            "value": term.written,
            "share": float(f"{term.value / largest:.3g}") if largest and math.isfinite(term.value) else 0.0,
            "largest": len(sizes) > 1 and abs(term.value) == largest > 0,
        }
        for term in worked.every_term
    ]
    name = worked.cell[0]
    return {
        "cell": worked.indexed,
        "label": slope_of(trace, name).code if is_slope(name) else f"{worked.value}, {worked.but}" * bool(worked.but),
        "terms": terms,
        "lines": [] if terms else worked.lines if worked.symbols else ["given"],
        "sign": worked.sign_of_sum if terms else worked.sign,
        "total": worked.value,
        "of": worked.around if worked.around != "sum" else "total",
        "words": str(worked),
    }
