"""The step-through lab: one training step, forward, backward and update, under the learner's hand."""

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np

from backprop_lab.ui.board import Board, format_number
from backprop_lab.ui.board_view import BoardView
from backprop_lab.ui.stepper import STARTS, Place, Stepper


class StepThrough(widgets.VBox):
    """The lab, ready to be shown: `StepThrough()` is the whole cell."""

    def __init__(self) -> None:
        self.stepper = Stepper()
        self._view = BoardView()
        self._page: dict[str, Any] | None = None
        self._board: Board | None = None
        self._following = False  # while the controls follow the stepper, they do not steer it
        self._make_controls()
        self._note = widgets.HTML()
        self._card = widgets.HTMLMath()
        super().__init__([self._settings, self._buttons, self._note, self._view, self._card])
        self.add_class("bpl-lab")
        self.stepper.observe(lambda _: self._show(), "place")
        self._view.heard(self._heard)
        self._show()

    def _make_controls(self) -> None:
        stepper = self.stepper
        self._start = widgets.Dropdown(options=STARTS, description="start", tooltip="Choose a problem to start from")
        self._seed = widgets.IntSlider(min=0, max=100, description="seed", readout=False, tooltip="Draw other numbers")
        self._seed_field = _number_field("seed, as a number")
        self._lr = widgets.FloatLogSlider(
            min=-6, max=1, step=0.05, description="learning rate", readout=False, tooltip="How far each update goes"
        )
        self._lr_field = _number_field("learning rate, as a number")
        self._steers(self._start, lambda start: stepper.begin(start, stepper.place.seed))
        self._steers(self._seed, stepper.set_seed)
        self._steers(self._seed_field, lambda text: stepper.set_seed(_number(text)))
        self._steers(self._lr, stepper.set_lr)
        self._steers(self._lr_field, lambda text: stepper.set_lr(_number(text)))
        fields = [self._start, self._seed, self._seed_field, self._lr, self._lr_field]
        self._settings = widgets.HBox(fields, layout={"flex_flow": "row wrap"})
        self._buttons = widgets.HBox(
            [
                self._button("Restart", stepper.restart, "Back to the start, with the same numbers"),
                self._button("Back", stepper.back, "One step back"),
                self._button("Next", stepper.next, "One step on", "primary"),
                self._button("Next phase", stepper.next_phase, "On to the end of this phase"),
                self._button("Next iteration", stepper.next_iteration, "The same step, with the new weights"),
            ],
            layout={"flex_flow": "row wrap"},
        )

    def _button(self, label: str, action: Callable[[], None], tooltip: str, style: str = "") -> widgets.Button:
        button = widgets.Button(description=label, tooltip=tooltip, button_style=style, layout={"width": "auto"})
        button.on_click(lambda _: self._do(action))
        return button

    def _steers(self, control: widgets.ValueWidget, action: Callable[[Any], None]) -> None:
        control.observe(lambda change: self._do(action, change.new), "value")

    def _do(self, action: Callable[..., None], *arguments: Any) -> None:
        """Run what a control asks for; what goes wrong is said in the lab, and the state stays as it was."""
        if self._following:
            return
        try:
            action(*arguments)
        except (ValueError, KeyError) as refused:
            self._refuse(str(refused))
        except Exception as broken:
            self._refuse(f"Something broke inside the lab ({type(broken).__name__}: {broken}). Please report it.")

    def _refuse(self, sentence: str) -> None:
        self._show_controls(self.stepper.place)
        self._say(sentence, "refused")

    def _heard(self, kind: str, message: dict[str, Any]) -> None:
        """A message from the page."""
        stepper = self.stepper
        if kind == "page":
            self._page = {name: message[name] for name in ("width", "ratio", "dark")}
            self._board = None
            self._do(self._show_board, stepper.place)
        elif kind == "jump":
            self._do(stepper.go_to, message["index"])
        elif kind == "key":
            moves = {
                "ArrowRight": stepper.next,
                "ArrowLeft": stepper.back,
                "Home": lambda: stepper.go_to(0),
                "End": lambda: stepper.go_to(len(stepper.place.trace.steps)),
            }
            self._do(moves[message["key"]])

    def _show(self) -> None:
        place = self.stepper.place
        self._show_board(place)
        self._show_card(place)
        self._show_controls(place)
        self._say(place.note, "note")

    def _show_board(self, place: Place) -> None:
        with self._view.hold_sync():
            self._view.steps = [[step.name, step.phase] for step in place.trace.steps]
            self._view.index = place.index
            self._view.alt = _in_words(place)
            if self._page is None:  # nobody is looking yet
                return
            if self._board is None or not self._board.fits(place.trace):
                self._board = Board(place.trace, **self._page)
            self._board.draw(place.trace, place.index, self.stepper.losses)
            self._view.picture = self._board.png()

    def _show_card(self, place: Place) -> None:
        step = place.step
        if step is None:
            words = "Everything that is given stands on the board: the samples X, their targets y, the weights and biases."
            self._card.value = _card("start", f"Iteration {place.iteration}", f"{words} Press Next to compute the first value.")
        else:
            code = f"{step.name} = {step.code}"
            self._card.value = _card(
                step.phase, step.title, step.sentence, f"${step.latex}$", code, place.trace.shapes(step)
            )

    def _show_controls(self, place: Place) -> None:
        self._following = True
        try:
            self._start.value = place.start
            self._seed.max = max(100, place.seed)
            self._seed.value = place.seed
            self._seed_field.value = str(place.seed)
            self._lr.value = place.lr
            self._lr_field.value = f"{place.lr:.4g}"
        finally:
            self._following = False

    def _say(self, sentence: str, kind: str) -> None:
        self._note.value = f'<div class="bpl-{kind}" role="status">{html.escape(sentence)}</div>' if sentence else ""


def _number_field(name: str) -> widgets.Text:
    return widgets.Text(continuous_update=False, layout={"width": "80px"}, tooltip=name)


def _number(text: str) -> int | float | str:
    """What was typed, as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _in_words(place: Place) -> str:
    """The picture for those who do not see it."""
    step = place.step
    if step is None:
        return f"Board at the start of iteration {place.iteration}: only X, y, the weights and the learning rate are known."
    rows = np.atleast_2d(step.value).tolist()
    numbers = "; ".join(", ".join(format_number(v) for v in row) for row in rows)
    return (
        f"Board at iteration {place.iteration}, step {place.index} of {len(place.trace.steps)}, {step.phase}: "
        f"{step.name} = {step.code}, which gives {numbers}."
    )


def _card(phase: str, title: str, sentence: str, formula: str = "", code: str = "", shapes: str = "") -> str:
    return (
        f'<div class="bpl-card bpl-{phase}"><div class="bpl-says"><div><span class="bpl-chip">{phase}</span> '
        f"<b>{title}</b></div><p>{sentence}</p></div>"
        f'<div class="bpl-formula">{formula}</div>'
        f'<div class="bpl-code"><code>{html.escape(code)}</code><br><span>{html.escape(shapes)}</span></div></div>'
    )
