"""The mistake lab: plant a classic mistake and see its effect on the board, the gradient check and the training."""

import html
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np

from backprop_lab.checks.proof import prove
from backprop_lab.feedback.mistakes import Mistake
from backprop_lab.step.number_format import at_most, percent
from backprop_lab.step.problem import Problem
from backprop_lab.step.trace import Trace, trace
from backprop_lab.training.history import Training, that_fit, with_mistake
from backprop_lab.ui.controls import menu
from backprop_lab.ui.curves import draw_curves
from backprop_lab.ui.lab import Lab
from backprop_lab.ui.steps.controls import checked_parts
from backprop_lab.ui.steps.lab import StepThrough
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.remarks import VERDICTS

ITERATIONS = 100
CURVES = 310, 78  # CSS pixels
SCROLLS = 'tabindex="0" role="group" aria-label="{}"'  # where there is more than fits beside the curves
HIDDEN = ("play", "predict", "more", "call")  # controls of the step-through lab that are not needed here


class MistakeLab(Lab):
    """`MistakeLab()` is the whole cell, with random numbers; `MistakeLab(problem)` has a problem of yours.

    `mistake` names the first mistake, "" none; if it is left out, that is the forgotten mask, or else the first that
    changes something in this network. Everything else is passed to StepThrough.
    Above the step-through lab with the mistake in it are its symptom and its cause, the gradient check of every
    parameter, and the loss over a hundred iterations, with the mistake and without it.
    """

    def __init__(self, problem: Problem | None = None, *, mistake: str | None = None, **place: Any) -> None:
        opening = dict(place)
        if problem is None and "start" not in place:
            opening = {"start": "random", "seed": 1, "lr": 0.01} | place
        hide = (*HIDDEN, *checked_parts(opening.pop("hide", ())))
        self.lab = StepThrough(problem, mistake=mistake or "", hide=hide, **opening)
        stepper = self.lab.stepper
        if mistake is None:
            stepper.plant(_first_mistake(stepper.first_problem, stepper.mistakes))
        if "step" not in opening:
            made = stepper.place.trace
            steps, right = made.steps, trace(made.problem)
            gradients = [at for at, step in enumerate(steps, start=1) if step.role == "gradient"]
            wrong = [at for at in gradients if not np.array_equal(steps[at - 1].value, right[steps[at - 1].name])]
            planted = [at for at, step in enumerate(steps, start=1) if step.title]
            in_a_row = stepper.first_problem.stages  # then a gradient that is wrong makes those after it wrong, too
            stepper.go_to([*(wrong[::-1] if in_a_row else ()), *planted, gradients[-1]][0])
        self._mistake = menu("mistake", "430px", "The mistake to make in every iteration")
        self._text, self._checked, self._curves = widgets.HTML(), widgets.HTML(), widgets.HTML()
        super().__init__()
        self._is_large = bool(opening.get("large"))
        if self._is_large:
            self.add_class("bpl-large")
        head = widgets.HBox([widgets.VBox([self._mistake, self._note, self._text]), self._checked, self._curves])
        head.add_class("bpl-mistake")
        self.children = [head, self.lab]
        self._trained: tuple[Problem, float, str] | None = None
        self.lab.stepper.observe(lambda _: self._show(self.lab.stepper.place), "place")
        self.lab._view.on_message(self._heard)
        self._on_change(self._mistake, self.lab.stepper.plant)
        self._show(self.lab.stepper.place)

    def _show(self, place: LabState) -> None:
        """Follow the stepper: the check is of the numbers on the board, the curves are of the training as a whole."""
        self._checked.value = _check(place.trace, most=2 if self._is_large else 4)
        first = self.lab.stepper.first_problem
        if self._trained is not None and self._trained[0] is first and self._trained[1:] == (place.lr, place.mistake):
            return
        self._trained = (first, place.lr, place.mistake)
        self._show_choice(first, place.mistake)
        problem = first.evolve(lr=place.lr)
        losses = {"correct": hundred_losses(problem)}
        if place.mistake:
            losses["with the mistake"] = hundred_losses(problem, self.lab.stepper.mistakes[place.mistake])
        self._curves.value = draw_curves(losses, *CURVES)

    def _heard(self, kind: str, _: dict[str, Any]) -> None:
        """A message from the page: while nobody looks, no picture is kept."""
        if kind == "gone":
            self._curves.value, self._trained = "", None
        elif kind == "page" and self._trained is None:
            self._guarded(self._show, self.lab.stepper.place)

    def _show_choice(self, problem: Problem, chosen: str) -> None:
        """Offer the mistakes that can be planted in this network, and explain the chosen one."""
        right = trace(problem)
        choices = [(m.title, name) for name, m in that_fit(self.lab.stepper.mistakes, problem).items()]
        with self._controls_follow():
            self._mistake.options = [("none: the correct backward pass", ""), *choices]
            self._mistake.value = chosen
        text = ""
        if chosen:
            mistake = self.lab.stepper.mistakes[chosen]
            made, harmless = mistake.planted_at(right), ""
            if not made:
                made = tuple(step.name for step in right.steps if _runs(mistake, right, step.name))
                harmless = " It changes nothing with these numbers."
            lines = {name: mistake.wrong_line(right, name) for name in made}
            codes = [f"<code>{html.escape(f'{name} = {line}')}</code>" for name, line in lines.items()]
            first = "".join(codes[:1]) + " …" * (len(codes) > 1)
            if all(mistake.is_all_of(right.step(name)) for name in lines):
                text = f"<p><b>On the board:</b> {html.escape(mistake.symptom)}</p>"
            text += (
                f"<details><summary><b>Written instead:</b>{harmless} {first} <u>Why?</u></summary>"
                f"<p>{html.escape(mistake.cause.replace('`', ''))}</p>{'<br>'.join(codes[1:])}</details>"
            )
        self._text.value = f'<div {SCROLLS.format("The mistake")} class="bpl-text">{text}</div>'

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Save the step-through lab with the mistake in it: see `StepThrough.save`."""
        self.lab.save(path, **options)

    def _still(self, scale: float = 1.0, dark: bool = False) -> tuple[bytes, str]:
        return self.lab._still(scale, dark)


def _runs(mistake: Mistake, right: Trace, name: str) -> bool:
    """Whether NumPy takes the wrong line, and it gives the shape of the right one."""
    value = mistake.wrong_value(right, name)
    return value is not None and bool(np.shape(value) == np.shape(right[name]))


def _first_mistake(problem: Problem, mistakes: Mapping[str, Mistake]) -> str:
    """The forgotten mask, or else the first mistake that changes something in this network; "" if none does."""
    right = trace(problem)
    effective = [name for name, mistake in mistakes.items() if mistake.planted_at(right)]
    return "mask-forgotten" if "mask-forgotten" in effective else next(iter(effective), "")


def hundred_losses(problem: Problem, mistake: Mistake | None = None) -> Sequence[float]:
    """The losses of a hundred iterations."""
    training = Training(problem, partial(with_mistake, mistake) if mistake else trace)
    for iteration in range(ITERATIONS + 1):
        training.trace(iteration)
    return training.losses


def _check(traced: Trace, most: int) -> str:
    """The gradient check of every parameter, as a table; of more than `most`, two in a row."""
    rows, gradients = [], {step.of: step.name for step in traced.steps if step.role == "gradient"}
    for name in map(gradients.__getitem__, traced.problem.parameters):
        proof = prove(traced, name)
        kind, mark, verdict = VERDICTS[proof.agrees]
        error = ""
        if proof.agrees is not None:
            error = at_most(proof.error, 2) if proof.agrees else percent(proof.error, 2)
        rows.append(f'<th scope="row">{name}</th><td class="bpl-{kind}">{mark}{verdict}</td><td>{error}</td>')
    across = 1 + (len(rows) > most)
    table = "".join(f"<tr>{''.join(rows[at : at + across])}</tr>" for at in range(0, len(rows), across))
    table = f'<table class="bpl-check"><caption>Gradient check</caption>{table}</table>'
    return f"<div {SCROLLS.format('Gradient check')}>{table}</div>"
