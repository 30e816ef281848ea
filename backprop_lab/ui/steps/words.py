"""What the lab says in words: the card of the step, the picture's alt text, the values as a table."""

from collections.abc import Sequence

import numpy as np

from backprop_lab.checks.proof import prove
from backprop_lab.nn.steps import SCALARS
from backprop_lab.reading.explanations import explain
from backprop_lab.reading.mathml import mathml
from backprop_lab.reading.slopes import value_of
from backprop_lab.step.number_format import format_number, plain
from backprop_lab.step.trace import Trace
from backprop_lab.ui.steps import remarks
from backprop_lab.ui.steps.place import LabState


def card(place: LabState) -> dict[str, str]:
    """The current step: phase, title, sentence, formula, line of NumPy and shapes; the numbers do not affect it.

    The formula is MathML, everything else plain text. `right` is the line that a planted mistake has replaced.
    """
    step, trace = place.step, place.trace
    empty = dict.fromkeys(("formula", "code", "right", "shapes"), "")
    if step is None:
        start = f"The board shows everything that is given: {given(trace)}."
        again = "The new weights are in the top row now." if place.iteration else start
        text = f"{again} Press Next to compute the first value."
        return empty | {"phase": "start", "place": "", "title": "What is given", "sentence": text}
    explanation = explain(step, trace.names)
    right = next(line for line in trace.problem.lines if line.name == step.name)
    return empty | {
        "phase": step.phase,
        "place": f"step {place.index} of {len(trace.steps)}",
        "title": explanation.title,
        "sentence": explanation.sentence,
        "formula": mathml(explanation.latex) if explanation.latex else "",
        "code": f"{step.name} = {step.code}",
        "right": f"{right.name} = {right.code}" if step.title else "",
        "shapes": " → ".join(trace.shapes(step).rsplit(" -> ", 1)),
    }


def given(trace: Trace) -> str:
    """What a step starts from, in words."""
    problem = trace.problem
    kinds = {name.rstrip("0123456789") for name in problem.parameters}
    parts = [
        "samples X, targets y",
        "weights" if kinds - {"b", "gamma", "beta"} else "",
        "biases" if "b" in kinds else "",
        "the scales and shifts of norms" if "gamma" in kinds else "",
    ]
    if not problem.stages:
        parts = [name for name in trace.given if name not in (*SCALARS, *problem.lines.memories)]
    parts += ["what the optimizer remembers" if problem.lines.memories else ""]
    parts += ["the masks of this step" if problem.masks else ""]
    return f"{', '.join(filter(None, parts))} and the learning rate"


def remarks_on(place: LabState, losses: Sequence[float]) -> list[dict[str, str]]:
    """Remarks on the numbers of the current step, shown below its card: each with its kind and its text."""
    step, trace, colours = place.step, place.trace, remarks.on_colours(place.renewed, place.iteration)
    if step is None:
        return [{"kind": "remark", "text": colours}] if colours else []
    proofs = []
    if step.role == "gradient":
        proof = prove(trace, step.name)
        kind, mark, _ = remarks.VERDICTS[proof.agrees]
        proofs.append({"kind": kind, "text": mark + proof.sentence})
    texts = (
        remarks.on_dead_units(trace, step),
        remarks.on_norm(step),
        remarks.on_update(trace, step),
        "" if place.predicting and place.index < len(trace.steps) else remarks.on_next_loss(trace, step),
        remarks.on_loss(step, losses),
        colours,
    )
    return proofs + [{"kind": "remark", "text": text} for text in texts if text]


def note(place: LabState) -> dict[str, str]:
    """What is said to the learner at this place, or that a whole layer is dead there; {} if there is nothing to say."""
    text = place.note or remarks.all_dead(place.trace, place.index)
    return {"kind": "note", "text": text} if text else {}


def alt_text(place: LabState) -> str:
    """The picture in words: the step it shows and the values it computed."""
    step = place.step
    if step is None:
        return f"Board at the start of iteration {place.iteration}: {given(place.trace)}."
    return (
        f"Board at iteration {place.iteration}, step {place.index} of {len(place.trace.steps)}, {step.phase}: "
        f"{step.name} = {step.code}, which gives {_rows(value_of(place.trace, step.name))}."
    )


def table(place: LabState) -> str:
    """Every value on the board, as tables that a screen reader can navigate."""
    names = [name for name in place.trace if place.shows(name)]
    return "".join(matrix_table(place.trace, name) for name in names)


def matrix_table(trace: Trace, name: str) -> str:
    """One value as a table, with the rows that it has on the board, and the axes that it has itself."""
    value = value_of(trace, name)
    body = "".join(f"<tr>{''.join(f'<td>{plain(v, 6)}</td>' for v in row)}</tr>" for row in value.tolist())
    axes = (np.shape(trace[name]) if name in trace else ()) or value.shape
    return f"<table><caption>{name}, {' by '.join(map(str, axes))}</caption>{body}</table>"


def _rows(value: object) -> str:
    rows = np.asarray(value, dtype=float).tolist()
    return "; ".join(", ".join(format_number(v) for v in row) for row in rows)
