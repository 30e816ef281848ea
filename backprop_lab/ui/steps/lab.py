"""The step-through lab: one training step, forward, backward and update, one step at a time."""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np

from backprop_lab.mistakes import MISTAKES
from backprop_lab.number_format import typed_number
from backprop_lab.problem import Problem, check_whole
from backprop_lab.tracing import Trace
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.board.operation import Operation
from backprop_lab.ui.controls import GROW, pair, row, sized, text_field, toggle
from backprop_lab.ui.hearing import serialize_messages
from backprop_lab.ui.lab import Lab
from backprop_lab.ui.page.step_view import StepView
from backprop_lab.ui.steps import frame, words
from backprop_lab.ui.steps.address import link_to
from backprop_lab.ui.steps.pictures import KINDS, picture
from backprop_lab.ui.steps.player import SPEEDS, Player
from backprop_lab.ui.steps.quiz import LESSONS, Quiz
from backprop_lab.ui.steps.recording import walk
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import AS_GIVEN, CUSTOM, SIZES, WORKED_EXAMPLE, Setup
from backprop_lab.ui.steps.stepper import LabState, Stepper
from backprop_lab.ui.values.equation import rules
from backprop_lab.ui.values.one_cell import indexed

SAVED = (*KINDS, "html")
PARTS = ("start", "seed", "lr", "play", "predict", "more", "call")  # what `hide` can name


class StepThrough(Lab):
    """The lab, ready to be shown: `StepThrough()` is the whole cell; `StepThrough(problem)` shows a problem of yours.

    It opens exactly where you say: at a `start`, a `seed`, a learning rate `lr`, an `iteration` and a `step` such as
    "dW1", with a `cell` such as "dW1[1,0]" worked out, and the sizes `samples`, `inputs`, `hidden`, `layers`, `outputs`
    of the network, its `activation` and its `loss`. A start is "random", an example such as "mazur" or "iris", or
    another of the menu. Of a `problem` with up to 64 samples, 128 units in a layer and 6 layers, data, layers and loss
    are its own; a seed draws other weights for it. `hide` removes controls, any of "start", "seed", "lr", "play",
    "predict", "more" and "call"; `large` is for the back row of a lecture hall; `mistake` names one to plant, out of
    the table `mistakes`; `questions`, of "tour" or "training", stand in the lab, one after another. Raises ValueError
    for a value that is not available.
    """

    def __init__(
        self,
        problem: Problem | None = None,
        *,
        hide: Sequence[str] = (),
        large: bool = False,
        mistake: str = "",
        questions: str = "",
        **place: Any,
    ) -> None:
        self._hidden = checked_parts(hide)
        self.stepper = Stepper(problem, mistake=mistake, **place)
        if questions and questions not in [*LESSONS]:
            raise ValueError(f"questions must be one of {', '.join(LESSONS)}; got {questions!r}")
        self._questions, self._quiz = questions, Quiz(LESSONS.get(questions, ()))
        self._large = large
        self._page: dict[str, Any] | None = None
        self._board: Board | None = None
        self._operation: Operation | None = None
        self._view = StepView(state={"playing": False, "speed": next(iter(SPEEDS))})
        self._player = Player(self.stepper, self._view, self._guarded)
        self._lines: list[Any] = []  # for which the view was laid out
        self._drawn: tuple[Any, ...] = ()  # what the pictures on the page show
        self._heard_cell = ""  # the name of the last report of a cell
        super().__init__()
        self.children = [*self._make_controls(), self._view]
        if large:
            self.add_class("bpl-large")
        self.stepper.observe(lambda _: self._show(), "place")
        self._quiz.observe(lambda _: self._show(), "place")
        labelled = [self._start, self._seed_field, self._lr_field]
        labelled += [*self._sizes.values(), self._activation, self._loss, self._mistake]
        self._view.tooltips = {control.description: control.tooltip for control in labelled}
        self._view.on_message(self._heard)
        serialize_messages(self._view)
        self._show()

    # The controls

    def _make_controls(self) -> list[widgets.Widget]:
        stepper = self.stepper
        self._start = widgets.Dropdown(
            options=_starts(stepper.place), description="start", tooltip="The numbers to start from", **sized("180px")
        )
        self._seed = widgets.IntSlider(
            min=0, max=100, readout=False, tooltip="Draw different random numbers", layout=GROW
        )
        self._seed_field = text_field(
            "seed",
            "100px",
            "A whole number, 0 or more, draws other numbers; an empty field brings the given ones back",
        )
        self._lr = widgets.FloatLogSlider(
            min=-6, max=1, step=0.05, readout=False, tooltip="How large a step each update takes", layout=GROW
        )
        self._lr_field = text_field("learning rate", "170px", "Type a learning rate: a positive number")
        self._on_change(self._start, lambda start: self._start_over(start=start))
        self._on_change(self._seed, lambda seed: stepper.set_up(seed=seed))
        self._on_change(self._seed_field, lambda text: stepper.set_up(seed=typed_number(text) if text else None))
        self._on_change(self._lr, self._slide_lr)
        self._on_change(self._lr_field, lambda text: stepper.set_lr(typed_number(text)))
        settings = {
            "start": self._start,
            "seed": pair(self._seed_field, self._seed),
            "lr": pair(self._lr_field, self._lr),
        }
        self._predict = toggle(
            "Predict first", "Predict what comes before it is shown: zeros, gradients, updates, whether the loss rises"
        )
        self._on_change(self._predict, stepper.predict)
        self._more = toggle(
            "More", "Network sizes, a planted mistake, all values as a table, the step as a NumPy script"
        )
        shown = [group for part, group in settings.items() if part not in self._hidden]
        toggles = {"predict": self._predict, "more": self._more}
        shown += [control for part, control in toggles.items() if part not in self._hidden]
        settings_row = row(*shown)
        settings_row.add_class("bpl-settings")
        return [settings_row, self._make_drawer()]

    def _make_drawer(self) -> widgets.Widget:
        """Controls that are needed less often, behind the button More."""
        stepper = self.stepper
        self._sizes = {
            name: widgets.IntText(
                description=(label := _SIZE_NAMES.get(name, name)),
                tooltip=f"From 1 to {most}",
                **sized(f"{60 + 7 * len(label)}px"),
            )
            for name, most in SIZES.items()
        }
        for name, field in self._sizes.items():
            self._on_change(field, partial(self._resize, name))
        self._activation = widgets.Dropdown(
            description="activation", tooltip="The activation after each hidden layer", **sized("180px")
        )
        self._loss = widgets.Dropdown(
            description="loss", tooltip="What the network is trained to make small", **sized("230px")
        )
        self._on_change(self._activation, lambda activation: self._start_over(activation=activation))
        self._on_change(self._loss, lambda loss: self._start_over(loss=loss))
        mistakes = [("none", ""), *((mistake.title, name) for name, mistake in stepper.mistakes.items())]
        self._mistake = widgets.Dropdown(
            options=mistakes, description="planted mistake", tooltip="Plant a classic mistake", **sized("330px")
        )
        self._on_change(self._mistake, stepper.plant)
        self._table = toggle("Values as a table", "Every number on the board as text, also for screen readers")
        self._script = toggle("As NumPy", "A plain script that prints the same numbers")
        self._on_change(self._table, partial(self._open_below, "bpl-tables"))
        self._on_change(self._script, partial(self._open_below, "bpl-script"))
        drawer = row(*self._sizes.values(), self._activation, self._loss, self._mistake, self._table, self._script)
        drawer.layout.display = "none"
        self._more.observe(lambda change: setattr(drawer.layout, "display", "" if change.new else "none"), "value")
        return drawer

    def _slide_lr(self, lr: float) -> None:
        """Follow the slider, unless it only rounded the learning rate to one of its own steps: no learner did that."""
        if not self._slider_shows(self.stepper.place.lr):
            self.stepper.set_lr(float(f"{lr:.2g}"))

    def _slider_shows(self, lr: float) -> bool:
        """Whether the slider is at the position nearest to this learning rate."""
        low, high = self._lr.base**self._lr.min, self._lr.base**self._lr.max
        return bool(abs(math.log10(self._lr.value) - math.log10(min(max(lr, low), high))) < self._lr.step / 2 + 1e-9)

    def _resize(self, name: str, size: int) -> None:
        self._start_over(**{name: size})

    def _restart(self) -> None:
        self._stop()
        self.stepper.restart()

    def _start_over(self, **changes: Any) -> None:
        """Set up something else; playing ends, since it was of what was there before."""
        self.stepper.set_up(**changes)
        self._stop()

    def _open_below(self, part: str, on: bool) -> None:
        """Show the values as a table, or the script, and scroll to it; or put it away."""
        self._tell(below=self._below(self.stepper.place))
        if on:
            self._view.scroll_to(part)

    @property
    def trace(self) -> Trace:
        """The training step on the board, of the iteration it is at."""
        return self.stepper.place.trace

    @property
    def step(self) -> str | None:
        """The name of the step that the lab is at, such as "dW1", or None before the first."""
        return self.stepper.place.step.name if self.stepper.place.step else None

    def go(self, step: str | None = None, iteration: int | None = None) -> None:
        """Go to a step by its name, None for the start, of this iteration or another.

        Raises ValueError if there is no step of that name, or if the iteration is not a whole number, 0 or more.
        """
        self.stepper.go(step, iteration)

    def save(self, path: str | os.PathLike[str], *, scale: float | None = None, iterations: int = 1) -> None:
        """Save what the lab shows now, as the ending of `path` says.

        `.png`, `.svg` or `.pdf`: the board, with its step and code above it. `.gif`: a walk through the steps of this
        iteration. `.html`: one file that steps, points and explains with no kernel and no network, through this
        iteration and, with `iterations`, the next ones. `scale` is how many pixels of a PNG or GIF a pixel of the lab
        is: 2 or 1 if it is left out. Raises ValueError for another ending.
        """
        check_whole("iterations", iterations, 1, 100)
        kind = Path(path).suffix.lower().removeprefix(".")
        if kind not in SAVED:
            endings = ", ".join(f".{each}" for each in KINDS)
            raise ValueError(
                f"a lab is saved as {endings} or .html, by the ending of the name; got {os.fspath(path)!r}"
            )
        Path(path).write_bytes(self._saved(kind, scale, int(iterations)))

    def _saved(self, kind: str, scale: float | None = None, iterations: int = 1) -> bytes:
        if kind == "html":
            return walk(self.stepper, self.call(), iterations, self._large).encode()
        return picture(self.stepper, kind, scale, self._large)

    def come_into_view(self) -> None:
        """Scroll the page to this lab, and give its board the keyboard focus."""
        self._view.scroll_into_view()

    def _come(self, wanted: Callable[[], bool]) -> None:
        self._view.come_once_shown(wanted)

    def on_message(self, handler: Callable[[str, dict[str, Any]], None]) -> None:
        """Call `handler(kind, message)` for every message of `StepView`, after this lab has heard it."""
        self._view.on_message(handler)

    # From the page to the stepper

    def _refuse(self, sentence: str) -> None:
        self._show_controls(self.stepper.place)
        super()._refuse(sentence)

    def _heard(self, kind: str, message: dict[str, Any]) -> None:
        """A message from the page."""
        stepper = self.stepper
        if kind == "page":
            self._page, self._board, self._drawn = message, None, ()
            self._guarded(self._show_view, stepper.place)
        elif kind == "gone":
            self._page = self._board = self._operation = None
            self._drawn = ()
            self._stop()
            stepper.forget()
        elif kind == "do":
            self._guarded(self._do, message["what"], message.get("text", ""))
        elif kind == "speed":
            self._player.speed = message["speed"]
            self._tell(speed=self._player.speed)
        elif kind == "jump":
            self._guarded(stepper.go_to, message["index"])
        elif kind == "shown":
            self._player.frame_on_page = message["frame"]
        elif kind == "cell":
            cell, self._heard_cell = message["cell"], message.get("name", "")
            self._guarded(stepper.choose, tuple(cell) if cell else None, message["pinned"])
            self._tell(heard=self._heard_cell)
        elif kind == "key":
            self._guarded(self._press, message["key"])

    def _do(self, what: str, text: str) -> None:
        """What a button of the view asks for, or what was typed there."""
        if what == "play":
            self._stop() if self._player.is_playing else self._play()
        elif what == "restart":
            self._restart()
        elif what == "edit":
            self.stepper.edit(typed_number(text))
        elif what == "answer":
            (self.stepper if self.stepper.place.question or not self._quiz.asked() else self._quiz).answer(text)
        elif what == "show":
            self._quiz.show()
        elif what == "next_question":
            self._quiz.next()
        elif what == "home":
            self._go_home()
        elif what == "why":
            self.stepper.give_reason(text)
        elif what == "save" and text in SAVED:
            self._view.download(f"{self.step or 'start'}.{text}", partial(self._saved, text))
        elif what == "link":
            self.link()  # which says why there is none
        elif what in ("next", "back", "next_phase", "next_iteration"):
            getattr(self.stepper, what)()

    def _go_home(self) -> None:
        """To the numbers that the question is about, at the present learning rate."""
        lr = self.stepper.place.lr
        self._start_over(start=WORKED_EXAMPLE)
        if not self._quiz.fits(home=True, trained=False, planted=bool(self.stepper.place.mistake)):
            self.stepper.plant("")
        self.stepper.set_lr(lr)

    def _press(self, key: str) -> None:
        """A key on the board: arrows step and choose a matrix; Enter pins a cell, then arrows move between cells."""
        stepper, place = self.stepper, self.stepper.place
        if key == "Escape":
            stepper.choose(None)
        elif key == "Enter":
            start = place.cell or ((place.step.name, 0, 0) if place.step else ("X", 0, 0))
            stepper.choose(start, pinned=not place.pinned)
        elif key in ("ArrowUp", "ArrowDown") and not place.pinned:
            stepper.choose_matrix(1 if key == "ArrowDown" else -1)
        elif place.pinned and key in _ARROWS:
            stepper.walk(*_ARROWS[key])
        else:
            moves: dict[str, Callable[[], None]] = {
                "ArrowRight": stepper.next,
                "ArrowLeft": stepper.back,
                "Home": partial(stepper.go_to, 0),
                "End": partial(stepper.go_to, len(place.trace.steps)),
            }
            moves[key]()

    def _play(self) -> None:
        self._start_task(self._player.play(ended=lambda: self._tell(playing=False)))
        self._tell(playing=True)

    def _stop(self) -> None:
        self._player.stop()
        self._tell(playing=False)

    # From the stepper to the page

    def _show(self) -> None:
        place = self.stepper.place
        self._show_view(place, words.note(place))
        self._show_controls(place)

    def _show_view(self, place: LabState, *said: str) -> None:
        """The pictures, if they are others, and the state; and what is `said` to the learner, if it is something else.

        The map goes ahead in a message of its own: the page shows it while the rest is still worked out.
        """
        view, trace, losses = self._view, place.trace, self.stepper.losses
        operation = self._show_map(place) if self._drawn != (now := self._what_is_drawn(place)) else None
        with view.hold_sync():
            if operation:
                operation.draw(trace, place.index, place.cell if place.pinned else None)
                view.operation = operation.png()
                self._tell(operation=[box[1:] for box in operation.boxes_on_page()])
                self._drawn = now
            if self._lines != (lines := [step[:3] for step in trace.steps]):
                self._lines = lines
                more = {"speeds": list(SPEEDS), "hidden": list(self._hidden), "large": self._large}
                view.layout_of_steps = frame.layout(trace, rules(trace)) | more
            view.alt = words.alt_text(place)
            told = frame.state(place, losses)
            told["question"] = told["question"] or self._asked(place)
            self._tell(**told, heard=self._heard_cell, below=self._below(place))
            if said:
                self._say(said)

    def _asked(self, place: LabState) -> dict[str, Any] | None:
        """The question that stands in the lab, if any."""
        return self._quiz.asked(place.setup == Setup() and not place.custom, place.iteration > 0, bool(place.mistake))

    def _show_map(self, place: LabState) -> Operation | None:
        """Show the map, and give the picture of the operation, both in the room that the page has for them, if any."""
        if (page := self._page) is None:
            return None
        with self._view.hold_sync():
            if self._board is None or self._operation is None or not self._board.fits(place.trace):
                (width, height), (across, down) = page["map"], page["operation"]
                looks = page["ratio"], page["dark"], self._large
                self._board = Board(place.trace, width, height, *looks)
                self._operation = Operation(across, down, *looks, self._board.gradient_limit)
                self._view.boxes = self._board.boxes_on_page()
            self._board.draw(place.trace, place.index, self.stepper.losses, framed=False)
            self._view.show(self._board.png())
        return self._operation

    @staticmethod
    def _what_is_drawn(place: LabState) -> tuple[Any, ...]:
        """What the pictures depend on: not on a cell that is only pointed at."""
        return place.remembered, place.index, place.cell if place.pinned else None

    def _tell(self, **changes: Any) -> None:
        """Change the state on the page, and leave the rest of it as it is."""
        self._view.state = {**self._view.state, **changes}

    def _say(self, sentences: Sequence[str], kind: str = "note") -> None:
        text = " ".join(filter(None, sentences))
        self._view.note = {"kind": kind, "text": text} if text else {}

    def _show_controls(self, place: LabState) -> None:
        with self._controls_follow():
            if self._start.options != (starts := _starts(place)):
                self._start.options = starts
            self._start.value = place.start
            seed = place.setup.seed
            self._seed.max = max(100, seed or 0)
            self._seed.value = seed or 0
            self._seed_field.value = "" if seed is None else str(seed)
            if not self._slider_shows(place.lr):
                self._lr.value = place.lr
            self._lr_field.value = f"{place.lr:.4g}"
            for name, field in self._sizes.items():
                field.value = getattr(place.setup, name)
            for menu, name in ((self._activation, "activation"), (self._loss, "loss")):
                if menu.options != (choices := place.setup.choices()[name]):
                    menu.options = choices
                menu.value = getattr(place.setup, name)
            self._mistake.value = place.mistake
            self._predict.value = place.predicting

    def _below(self, place: LabState) -> dict[str, str]:
        """What stands below the pictures: the ways to keep what is shown, and what *More* has opened."""
        but = ""
        if place.custom:
            but = " (without the numbers you changed; As NumPy keeps them)"
        elif place.setup.start == AS_GIVEN:
            but = " (where problem is the one that this lab was given)"
        if self.stepper.lr_changed:
            but += " (uses this learning rate from the start; here it was changed along the way)"
        link = ""
        with suppress(ValueError):
            link = self.link()
        return {
            "call": "" if "call" in self._hidden else self.call(),
            "but": but,
            "link": link,
            "tables": words.table(place) if self._table.value else "",
            "script": numpy_script(place.trace) if self._script.value else "",
        }

    def call(self) -> str:
        """The call that opens the lab in its present state, except that it leaves out numbers the learner changed."""
        named = [f"{name}={value!r}" for name, value in self._said().items()]
        return f"StepThrough({', '.join(['problem'] * (self.stepper.place.setup.start == AS_GIVEN) + named)})"

    def link(self) -> str:
        """The address that opens the lab alone in its present state, in a browser and with nothing installed.

        It has numbers of your own in it, X, y, weights and biases, in up to 2,000 characters. The environment variable
        BACKPROP_LAB_SITE names another web site than ours. Raises ValueError for what a link can't hold: more numbers,
        layers or a loss of your own, and a mistake that is not in MISTAKES.
        """
        place, stepper, said = self.stepper.place, self.stepper, self._said()
        if place.mistake and stepper.mistakes[place.mistake] is not MISTAKES.get(place.mistake):
            raise ValueError("A link holds no mistake of your own, only those of MISTAKES.")
        first, *later = stepper.rates.items()
        if later:
            said |= {"lr": first[1], "then": dict(later)}
        if place.custom or place.setup.start == AS_GIVEN:  # with its numbers, and not with what they were made from
            made_from = {field.name for field in fields(Setup)} - ({"seed"} if not place.custom else set())
            said = {name: value for name, value in said.items() if name not in made_from}
            said["problem"] = stepper.first_problem.evolve(lr=said.pop("lr", first[1]))
        return link_to(said)

    def _said(self) -> dict[str, Any]:
        """What the lab must be told to open in its present state, apart from a problem."""
        place, given = self.stepper.place, {}
        setup = place.setup
        plain = Setup(setup.start, given=setup.given)  # what it is if nothing but its start is said
        for field in fields(Setup):
            value = getattr(setup, field.name)
            if field.name not in ("start", "given") and value != getattr(plain, field.name):
                given[field.name] = value.item() if isinstance(value, np.generic) else value
        if setup.start != AS_GIVEN and (given or setup.start != WORKED_EXAMPLE):
            given = {"start": setup.start} | given
        if place.lr != self.stepper.setup_lr:
            given["lr"] = place.lr
        if place.iteration:
            given["iteration"] = int(place.iteration)
        if place.step:
            given["step"] = place.step.name
        if place.pinned and place.cell:
            given["cell"] = indexed(*place.cell)
        if place.mistake:
            given["mistake"] = place.mistake
        if self._questions:
            given["questions"] = self._questions
        if self._hidden:
            given["hide"] = list(self._hidden)
        if self._large:
            given["large"] = True
        return given

    def _still(self) -> bytes:
        place = self.stepper.place
        board = Board(place.trace, width=1000, large=self._large)
        board.draw(place.trace, place.index, self.stepper.losses, place.question or place.cell)
        return board.png()

    def __repr__(self) -> str:
        return self.call()


def checked_parts(hide: Any) -> tuple[str, ...]:
    """What `hide` names. Raises ValueError unless it is a list of any of PARTS."""
    if isinstance(hide, str) or not isinstance(hide, Iterable):
        raise ValueError(f"hide takes any of {', '.join(PARTS)}, as a list of them; got {hide!r}")
    parts = tuple(hide)
    if unknown := [part for part in parts if part not in PARTS]:
        raise ValueError(f"hide takes any of {', '.join(PARTS)}; got {', '.join(map(repr, unknown))}")
    return parts


def _starts(place: LabState) -> tuple[tuple[str, str], ...]:
    """The menu of starts, as (what it says, its value)."""
    names = (*place.setup.choices()["start"], *(CUSTOM,) * place.custom)
    return tuple((_START_NAMES.get(name, name), name) for name in names)


_START_NAMES = {"mazur": "Mazur's example", "xor": "XOR", "iris": "iris, 16 flowers", AS_GIVEN: "your problem"}
_SIZE_NAMES = {"hidden": "hidden units", "layers": "hidden layers"}
_ARROWS = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}
