"""The mistake lab: plant a classic mistake in a backward pass and see what it does to the board, the check and the training."""

import html
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets

from backprop_lab.mistakes import MISTAKES
from backprop_lab.problem import Problem
from backprop_lab.trace import Trace
from backprop_lab.ui.controls import sized
from backprop_lab.ui.curves import draw_curves
from backprop_lab.ui.lab import Lab
from backprop_lab.ui.steps.lab import StepThrough
from backprop_lab.ui.steps.remarks import proof
from backprop_lab.ui.steps.stepper import LabState
from backprop_lab.ui.steps.training import BY_NAME, Training, can_be_planted, quiet_trace, with_mistake

ITERATIONS = 100
HIDDEN = ("play", "predict", "more", "call")  # what the step-through lab can do without here


class MistakeLab(Lab):
    """`MistakeLab()` is the whole cell; `mistake` is the name of the one to begin with, the rest goes to StepThrough.

    Beside the step-through lab with the mistake in it stand the gradient check of every parameter and the loss
    over a hundred iterations, with the mistake and without it.
    """

    def __init__(self, mistake: str = "mask-forgotten", **place: Any) -> None:
        opening: dict[str, Any] = {"start": "random", "seed": 1, "lr": 0.01, "step": "db1"} | place
        hide = (*HIDDEN, *opening.pop("hide", ()))
        self.lab = StepThrough(mistake=mistake, hide=hide, **opening)
        self._mistake = widgets.Dropdown(
            description="mistake",
            tooltip="Which mistake is made in every iteration",
            **sized("430px"),
        )
        self._told, self._checked, self._curves = widgets.HTML(), widgets.HTML(), widgets.HTML()
        beside = widgets.HBox([self._checked, self._curves], layout={"flex_flow": "row wrap"})
        super().__init__()
        if opening.get("large"):
            self.add_class("bpl-large")
        self.children = [self._mistake, self._note, self._told, beside, self.lab]
        self._trained: tuple[Problem, float, str] | None = None
        self.lab.stepper.observe(lambda _: self._show(self.lab.stepper.place), "place")
        self._on_change(self._mistake, self.lab.stepper.plant)
        self._show(self.lab.stepper.place)

    def _show(self, place: LabState) -> None:
        """Follow the stepper: the check belongs to the numbers on the board, the curves to the training as a whole."""
        self._checked.value = _check(place.trace)
        first = self.lab.stepper.first_problem
        if self._trained is not None and self._trained[0] is first and self._trained[1:] == (place.lr, place.mistake):
            return
        self._trained = (first, place.lr, place.mistake)
        self._show_choice(first, place.mistake)
        problem = replace(first, lr=place.lr)
        losses = {"right": hundred_losses(problem, "")}
        if place.mistake:
            losses["with the mistake"] = hundred_losses(problem, place.mistake)
        self._curves.value = draw_curves(losses)

    def _show_choice(self, problem: Problem, chosen: str) -> None:
        """Offer the mistakes that this network has room for, and tell of the chosen one."""
        right = quiet_trace(problem)
        choices = [(m.title, m.name) for m in MISTAKES if can_be_planted(m, problem)]
        with self._controls_follow():
            self._mistake.options = [("none: the right backward pass", ""), *choices]
            self._mistake.value = chosen
        told = ""
        if chosen:
            mistake = BY_NAME[chosen]
            made, harmless = mistake.made_at(right), ""
            if not made:
                made, harmless = tuple(step.name for step in right.steps), " It changes nothing at these numbers."
            lines = {name: mistake.line(right, name) for name in made}
            code = "<br>".join(
                f"<code>{html.escape(f'{name} = {line}')}</code>" for name, line in lines.items() if line
            )
            told = (
                f"<p>{html.escape(mistake.why.replace('`', ''))}</p><p><b>On the board:</b> {html.escape(mistake.look)}</p>"
                f"<p><b>What is written instead:</b>{harmless}<br>{code}</p>"
            )
        self._told.value = f'<div class="bpl-told">{told}</div>'

    def _still(self) -> bytes:
        return self.lab._still()


def hundred_losses(problem: Problem, mistake: str) -> Sequence[float]:
    """The losses of a hundred iterations."""
    training = Training(problem, partial(with_mistake, BY_NAME[mistake]) if mistake else quiet_trace)
    for iteration in range(ITERATIONS + 1):
        training.trace(iteration)
    return training.losses


def _check(traced: Trace) -> str:
    """The gradient check of every parameter, as a table."""
    rows = ""
    for name in traced.problem.network.parameters:
        proved, sentence = proof(traced, traced.step(f"d{name}"))
        kind, verdict = {True: ("right", "✓ agrees"), False: ("wrong", "✗ wrong"), None: ("untold", "cannot be told")}[
            proved
        ]
        error = sentence.rsplit(" ", 1)[-1] if proved is not None else ""
        rows += f'<tr><th scope="row">d{name}</th><td class="bpl-{kind}">{verdict}</td><td>{error}</td></tr>'
    return f'<table class="bpl-check"><caption>Gradient check, by finite differences</caption>{rows}</table>'
