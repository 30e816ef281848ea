"""What the lab says in words: the card below the board, the picture's alt text, the values as a table."""

import html
from collections.abc import Sequence

import numpy as np

from backprop_lab.number_format import format_number, plain
from backprop_lab.proving import prove
from backprop_lab.ui.steps import remarks
from backprop_lab.ui.steps.stepper import LabState
from backprop_lab.ui.values.explanations import explain

START = "The board shows everything that is given: samples X, targets y, weights, biases and the learning rate."


def card(place: LabState) -> str:
    """The current step: phase, title, sentence, formula, line of NumPy and shapes; the numbers do not affect it."""
    step, trace = place.step, place.trace
    if step is None:
        again = "The new weights have moved up." if place.iteration else START
        text = f"<p>{again} Press <b>Next</b> to compute the first value.</p>"
        return f'<div class="bpl-card"><div>{_heading("start", "What is given", place)}{text}</div></div>'
    explanation = explain(step)
    formula = f'<div class="bpl-formula">${explanation.latex}$</div>' if explanation.latex else ""
    code = html.escape(f"{step.name} = {step.code}")
    shapes = html.escape(trace.shapes(step).replace("->", "→"))
    return (
        f'<div class="bpl-card bpl-{step.phase}">'
        f"<div>{_heading(step.phase, explanation.title, place)}<p>{html.escape(explanation.sentence)}</p></div>"
        f'<div>{formula}<code>{code}</code><div class="bpl-shapes">{shapes}</div></div></div>'
    )


def _heading(phase: str, title: str, place: LabState) -> str:
    return (
        f'<div><span class="bpl-chip">{phase}</span> <b>{html.escape(title)}</b> '
        f'<span class="bpl-iteration">iteration {place.iteration}</span></div>'
    )


def remarks_on(place: LabState, losses: Sequence[float]) -> str:
    """Remarks on the numbers of the current step, shown below its card."""
    step, trace = place.step, place.trace
    if step is None:
        return ""
    parts = []
    if step.phase == "backward":
        proof = prove(trace, step.name)
        kind, mark, _ = remarks.VERDICTS[proof.agrees]
        parts.append(f'<span class="bpl-{kind}">{mark}{html.escape(proof.sentence)}</span>')
    for remark in (
        remarks.on_dead_units(trace, step),
        remarks.on_update(trace, step),
        remarks.on_next_loss(trace, step),
        remarks.on_loss(step, losses),
    ):
        if remark:
            parts.append(f"<span>{html.escape(remark)}</span>")
    return f'<div class="bpl-remarks bpl-{step.phase}">{"".join(parts)}</div>' if parts else ""


def alt_text(place: LabState) -> str:
    """The picture in words: the step it shows and the values it computed."""
    step = place.step
    if step is None:
        return (
            f"Board at the start of iteration {place.iteration}: X, y, the weights, the biases and the learning rate."
        )
    return (
        f"Board at iteration {place.iteration}, step {place.index} of {len(place.trace.steps)}, {step.phase}: "
        f"{step.name} = {step.code}, which gives {_rows(step.value)}."
    )


def table(place: LabState) -> str:
    """Every value on the board, as tables that a screen reader can navigate."""
    names = [name for name in place.trace if place.shows(name)]
    return f'<div class="bpl-tables">{"".join(_matrix(name, place.trace[name]) for name in names)}</div>'


def _matrix(name: str, value: object) -> str:
    rows = np.atleast_2d(np.asarray(value, dtype=float)).tolist()
    body = "".join(f"<tr>{''.join(f'<td>{plain(v, 6)}</td>' for v in row)}</tr>" for row in rows)
    return f"<table><caption>{name}, {len(rows)} by {len(rows[0])}</caption>{body}</table>"


def _rows(value: object) -> str:
    rows = np.atleast_2d(np.asarray(value, dtype=float)).tolist()
    return "; ".join(", ".join(format_number(v) for v in row) for row in rows)
