"""The step-through lab: one training step, forward, backward and update, one step at a time."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from backprop_lab.course.quiz import LESSONS, Quiz
from backprop_lab.step.number_format import typed_number
from backprop_lab.step.problem import Problem
from backprop_lab.step.trace import Trace
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.board.operation import Operation
from backprop_lab.ui.comm_workarounds import let_go_ahead, serialize_messages
from backprop_lab.ui.controls import ARROWS
from backprop_lab.ui.lab import Lab
from backprop_lab.ui.page.step_view import StepView
from backprop_lab.ui.saving import place_for, used_options
from backprop_lab.ui.steps import frame, reopen, words
from backprop_lab.ui.steps.controls import Controls, checked_parts
from backprop_lab.ui.steps.pictures import KINDS, picture, still
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.player import SPEEDS, Player
from backprop_lab.ui.steps.recording import walk
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import RANDOM, WORKED_EXAMPLE, Setup
from backprop_lab.ui.steps.stepper import Stepper

SAVED = {**KINDS, "html": ("iterations",)}


class StepThrough(Lab):
    """The lab, ready to be shown: `StepThrough()` is the whole cell; `StepThrough(problem)` shows a problem of yours.

    It opens exactly where you say: at a `start`, a `seed`, a learning rate `lr`, an `iteration` and a `step` such as
    "dW1", with a `cell` such as "dW1[1,0]" worked out, and the sizes `samples`, `inputs`, `hidden`, `layers`, `outputs`
    of the network, its `activation`, `norm`, `dropout`, `loss`, `penalty` and `optimizer`, each by a name in its menu,
    such as "Adam". A start is "random", an example such as "mazur" or "iris", or another of the menu. A `problem`, of
    up to 64 samples, 128 units in a layer and 6 layers, has data, layers and loss of its own; a seed draws other
    weights for it. `hide` removes controls, any of "start", "seed", "lr", "play", "predict", "more" and "call"; `large`
    is for the back row of a lecture hall; `mistake` names one to plant, out of the table `mistakes`; `questions`, of
    "tour" or "training", stand in the lab, one after another. `limit` is where the colours end, one number or two, of
    values and of gradients with what an optimizer remembers; if it is left out, the problem's first step says where,
    and a scale is renewed once too many cells look alike. Raises ValueError for a value that is not available.
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
        self._looks: dict[str, Any] = {"questions": questions, "hide": [*checked_parts(hide)], "large": bool(large)}
        self.stepper = Stepper(problem, mistake=mistake, **place)
        if questions and questions not in [*LESSONS]:
            raise ValueError(f"questions must be one of {', '.join(LESSONS)}; got {questions!r}")
        self._quiz = Quiz(LESSONS.get(questions, ()))
        self._page: dict[str, Any] | None = None  # its message that says what room there is
        self._pictures: tuple[Board, Operation] | None = None  # which fit there
        self._drawn: tuple[Any, ...] = ()  # what they show
        self._lines: list[Any] = []  # for which the view was laid out
        self._heard_cell = ""  # the name of the last report of a cell
        self._view = StepView(state={"playing": False, "speed": next(iter(SPEEDS))})
        self._player = Player(self.stepper, self._view, self._guarded)
        super().__init__()
        self._controls = Controls(self.stepper, self._looks["hide"], self._on_change, self._start_over)
        for control, part in self._controls.opening.items():
            self._on_change(control, partial(self._open_below, part))
        self.children = [*self._controls.rows, self._view]
        if large:
            self.add_class("bpl-large")
        self.stepper.observe(lambda _: self._show(), "place")
        self._quiz.observe(lambda _: self._show(), "place")
        self._view.tooltips = self._tooltips
        self._view.on_message(self._heard)
        serialize_messages(self._view)
        self._show()

    def _start_over(self, field: str, value: Any) -> None:
        """Set up something else; playing ends, since it was of what was there before."""
        self.stepper.set_up(**{field: value})
        self._stop()

    def _open_below(self, part: str, on: bool) -> None:
        """Show what *More* has, and the values as a table, or the script, and scroll to it; or put it away."""
        self._show_controls(self.stepper.place)
        self._tell(below=self._below(self.stepper.place))
        if on and part:
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

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        scale: float | None = None,
        iterations: int = 1,
        dark: bool = False,
        seconds: float = 1.0,
    ) -> None:
        """Save what the lab shows now, in the format that the ending of `path` names.

        `.png`, `.svg` or `.pdf`: the board, with its step and code above it. `.gif`: a walk through the steps of this
        iteration. `.html`: one file that steps, points and explains with no kernel and no network, through this
        iteration and, with `iterations`, the next ones, in the theme of who opens it. A picture is 1000 of the lab's
        pixels wide, or up to 2000 for all numbers, on light or `dark` paper. A PNG or GIF has `scale` for each, 0.25
        to 8, or else 2 and 1; a GIF shows a step for `seconds`. Raises ValueError for a bad ending, number or option.
        """
        kinds = f"a lab is saved as a {', '.join(f'.{each}' for each in KINDS)} or .html file"
        place = place_for(path, [f".{each}" for each in SAVED], kinds)
        kind = place.suffix.lower().removeprefix(".")
        options = {"scale": scale, "iterations": iterations, "dark": dark, "seconds": seconds}
        place.write_bytes(self._saved(kind, **used_options(options, SAVED, kind)))

    def _saved(self, kind: str, iterations: int = 1, **options: Any) -> bytes:
        if kind == "html":
            return walk(self.stepper, self.call(), iterations, self._looks["large"]).encode()
        return picture(self.stepper, kind, **options)

    def come_into_view(self) -> None:
        """Scroll the page to this lab, and give its board the keyboard focus."""
        self._view.scroll_into_view()

    # From the page to the stepper

    def _refuse(self, sentence: str) -> None:
        self._show_controls(self.stepper.place)
        self._view.note = {"kind": "refused", "text": sentence}

    def _heard(self, kind: str, message: dict[str, Any]) -> None:
        """A message from the page."""
        stepper = self.stepper
        if kind in ("page", "gone"):
            self._page, self._pictures, self._drawn = message if kind == "page" else None, None, ()
        if kind == "page":
            self._guarded(self._show_view, stepper.place)
        elif kind == "gone":
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
        actions: dict[str, Callable[[], object]] = {
            "play": self._stop if self._player.is_playing else self._play,
            "edit": lambda: self.stepper.edit(typed_number(text)),
            "answer": partial(self.stepper.answer, text),
            "tour": partial(self._answer_tour, text),
            "show": self._quiz.show,
            "next_question": self._quiz.next,
            "home": self._go_home,
            "why": partial(self.stepper.give_reason, text),
            "link": self.link,  # which says why there is none
            **{to: getattr(self.stepper, to) for to in ("restart", "next", "back", "next_phase", "next_iteration")},
        }
        if what == "restart":
            self._stop()
        if what == "save" and text in SAVED:
            self._view.download(f"{self.step or 'start'}.{text}", partial(self._saved, text))
        elif what in actions:
            actions[what]()

    def _answer_tour(self, text: str) -> None:
        """Answer the question that stands in the lab; what is no answer is refused there."""
        try:
            self._quiz.answer(text, self.stepper.place.shows)
        except ValueError as error:
            refusal = {"told": str(error), "right": False, "refused": True}
            self._tell(tour=(self._asked(self.stepper.place) or {}) | refusal)

    def _go_home(self) -> None:
        """To the numbers that the question is about, at a learning rate that the learner has chosen."""
        lr, is_chosen = self.stepper.place.lr, self.stepper.place.lr != self.stepper.setup_lr
        self._start_over("start", WORKED_EXAMPLE)
        if not self._quiz.fits(home=True, drawn=False, trained=False, planted=bool(self.stepper.place.mistake)):
            self.stepper.plant("")
        self.stepper.set_lr(lr if is_chosen else self.stepper.setup_lr)

    def _press(self, key: str) -> None:
        """A key on the board: arrows step and choose a matrix; Enter pins a cell, then arrows move between cells."""
        stepper, place = self.stepper, self.stepper.place
        chosen = place.cell or (self.step or next(iter(place.trace.given)), 0, 0)
        moves: dict[str, Callable[[], None]] = {
            "Escape": partial(stepper.choose, None),
            "Enter": partial(stepper.choose, chosen, pinned=not place.pinned),
            "ArrowUp": partial(stepper.choose_matrix, -1),
            "ArrowDown": partial(stepper.choose_matrix, 1),
            "ArrowLeft": stepper.back,
            "ArrowRight": stepper.next,
            "Home": partial(stepper.go_to, 0),
            "End": partial(stepper.go_to, len(place.trace.steps)),
        }
        if place.pinned:
            moves |= {arrow: partial(stepper.walk, *way) for arrow, way in ARROWS.items()}
        moves[key]()

    def _play(self) -> None:
        self._start_task(self._player.play(ended=partial(self._guarded, partial(self._tell, playing=False))))
        self._tell(playing=True)

    def _stop(self) -> None:
        self._player.stop()
        self._tell(playing=False)

    # From the stepper to the page

    def _show(self) -> None:
        place = self.stepper.place
        self._show_view(place, words.note(place))
        self._show_controls(place)

    def _show_view(self, place: LabState, note: dict[str, str] | None = None) -> None:
        """The pictures, if they are others, and the state; and a `note` to the learner, or {} for none, if it is new.

        The map goes ahead in a message of its own: the page shows it while the rest is still worked out.
        """
        view, trace = self._view, place.trace
        chosen = place.question or (place.cell if place.pinned else None)  # one that is only pointed at is not drawn
        shown = (place.remembered, place.index, chosen)
        operation = self._show_map(place) if self._drawn != shown else None
        with view.hold_sync():
            if operation:
                operation.draw(trace, frame.worked_out(place, self.stepper.unread), chosen, bool(place.question))
                view.operation = operation.png()
                self._tell(operation=operation.boxes_on_page())
                self._drawn = shown
            if self._lines != (lines := [step[:3] for step in trace.steps]):
                self._lines = lines
                more = {"speeds": list(SPEEDS), "hidden": self._looks["hide"], "large": self._looks["large"]}
                view.layout_of_steps = frame.layout(trace) | more
            view.alt = words.alt_text(place)
            state = frame.state(place, self.stepper.losses)
            self._tell(**state, tour=self._asked(place), heard=self._heard_cell, below=self._below(place))
            if note is not None:
                view.note = note

    def _asked(self, place: LabState) -> dict[str, Any] | None:
        """The question that stands in the lab, if any."""
        home, drawn = (place.setup == each and not place.custom for each in (Setup(), Setup(RANDOM, place.setup.seed)))
        return self._quiz.asked(home, drawn, place.iteration > 0, bool(place.mistake))

    def _show_map(self, place: LabState) -> Operation | None:
        """Show the map, and give the picture of the operation, both in the room that the page has for them, if any."""
        if (page := self._page) is None:
            return None
        with self._view.hold_sync():
            if self._pictures is None or not self._pictures[0].fits(place.trace):
                (width, height), (across, down) = page["map"], page["operation"]
                looks = page["ratio"], page["dark"], self._looks["large"]
                board = Board(place.trace, width, height, *looks, place.scales, place.renewed)
                self._pictures = board, (operation := Operation(place.scales, across, down, *looks))
                self.stepper.unread = board.cells.unread
                self.stepper.reads = lambda name: operation.shows_all(self.stepper.place.trace, name)
                self._view.boxes = board.boxes_on_page()
            board, operation = self._pictures
            if (board.scales, board.renewed) != (place.scales, place.renewed):
                board.rescale(place.scales, place.renewed)
                operation.rescale(place.scales)
            board.draw(place.trace, place.index, self.stepper.losses)
            self._view.show(board.png())
        let_go_ahead(self._view)
        return operation

    def _tell(self, **changes: Any) -> None:
        """Change the state on the page, and leave the rest of it as it is."""
        self._view.state = {**self._view.state, **changes}

    def _show_controls(self, place: LabState) -> None:
        with self._controls_follow():
            self._controls.show(place)

    def _below(self, place: LabState) -> dict[str, str]:
        """What stands below the pictures: the ways to keep what is shown, and what *More* has opened."""
        return reopen.ways(self.stepper, self._looks) | {
            "tables": words.table(place) if self._controls.table.value else "",
            "script": numpy_script(place.trace) if self._controls.script.value else "",
        }

    def call(self) -> str:
        """The call that opens the lab in its present state, except that it leaves out numbers the learner changed."""
        return reopen.call_for(self.stepper, self._looks)

    def link(self) -> str:
        """The address that opens the lab alone in its present state, in a browser and with nothing installed.

        It has numbers of your own in it, X, y, weights and biases, in up to 6,000 characters. The environment variable
        BACKPROP_LAB_SITE names another web site than ours. Raises ValueError for what a link can't hold: more numbers,
        layers or a loss of your own, a mistake that is not in MISTAKES, and an iteration that takes a browser long.
        """
        return reopen.link_for(self.stepper, self._looks)

    def _still(self, scale: float = 1.0, dark: bool = False) -> tuple[bytes, str]:
        return still(self.stepper, scale, dark), words.alt_text(self.stepper.place)

    def __repr__(self) -> str:
        return self.call()
