"""The learning-rate lab: many networks at many learning rates, trained together, on one map; any run can be opened."""

import asyncio
import html
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any
from weakref import WeakSet

import ipywidgets as widgets

from backprop_lab.step.number_format import typed_number
from backprop_lab.step.problem import Problem
from backprop_lab.ui.comm_workarounds import TURN, serialize_messages
from backprop_lab.ui.controls import ARROWS, GROW, menu, pair, row, sized, text_field, toggle
from backprop_lab.ui.curves import draw_curves
from backprop_lab.ui.lab import Lab
from backprop_lab.ui.page.step_view import StepView
from backprop_lab.ui.rates import verdicts
from backprop_lab.ui.rates.run_map import NAMES, RunMap
from backprop_lab.ui.rates.sweeper import RANGES, Settings, State, Sweeper
from backprop_lab.ui.steps.lab import StepThrough
from backprop_lab.ui.steps.setup import AS_GIVEN, Setup, differing
from backprop_lab.ui.theme import CURVES

BESIDE_MAP = 470  # CSS pixels of a window's height taken by controls, curves, text and JupyterLab itself
NARROWEST = 420  # CSS pixels; on a narrower page, the picture is scaled down
HEIGHTS = (300, 600)  # of the map, in CSS pixels, whatever the window's
LABEL = "Map of all runs. Arrow keys choose a run; Enter turns comparing with another run on or off"
PATIENCE = 0.3  # seconds that a training has to be shown before the slider's next move ends it


class LearningRateLab(Lab):
    """`LearningRateLab()` is the whole cell: `seeds` networks, each trained for `steps` updates at many learning rates.

    Each has `hidden` units with an `activation`, and an `optimizer` moves it. `LearningRateLab(problem)` trains a
    problem of yours: its own weights, as given, and those that other seeds draw for its data. Moving a control trains
    them all again; this can be cancelled, and the map then keeps what it shows. A click chooses a run, and up to two
    can be compared: their loss curves appear below the map, and the last one chosen opens in the step-through lab.
    Raises ValueError for a setting that is not available.
    """

    def __init__(
        self,
        problem: Problem | None = None,
        *,
        seeds: int = 32,
        steps: int = 300,
        hidden: int | None = None,
        activation: str | None = None,
        optimizer: str | None = None,
    ) -> None:
        settings = {"hidden": hidden, "activation": activation, "optimizer": optimizer}
        self.sweeper = Sweeper(TURN, problem=problem, seeds=seeds, steps=steps, **settings)
        self._map: RunMap | None = None
        self._drawn: tuple[Any, ...] = ()  # what the picture on the page shows
        self._lab: StepThrough | None = None
        self._slid: dict[str, int] = {}  # where sliders have been moved to, and no training has begun yet
        self._hand: asyncio.Task[None] | None = None
        super().__init__()
        controls = self._make_controls()
        self._view = StepView(label=LABEL)
        self._view.tooltips = self._tooltips
        self._summary, self._curves = widgets.HTML(), widgets.HTML()
        self._chosen = widgets.HTML(layout={"flex": "1 1 260px"})
        self._opened = widgets.VBox()  # where a lab stands alone, below this one
        self._opened.add_class("bpl-opened")
        chosen = widgets.HBox([self._curves, self._chosen], layout={"flex_flow": "row wrap", "align_items": "center"})
        self.children = [*controls, self._view, chosen, self._summary, self._opened]
        self.sweeper.observe(lambda change: self._guarded(self._follow, change.old, change.new), "state")
        self._view.on_message(lambda kind, message: self._guarded(self._heard, kind, message))
        serialize_messages(self._view)
        self._show(self.sweeper.state)

    def _make_controls(self) -> list[widgets.Widget]:
        self._sliders, self._fields, wanted = {}, {}, self.sweeper.state.wanted
        applies = {"seeds": wanted.has_seeds, "steps": True, "hidden": wanted.problem is None}
        for name, label, tooltip in _NUMBERS:
            if not applies[name]:
                continue
            least, most = RANGES[name]
            self._fields[name] = text_field(label, "140px", f"{tooltip}: a whole number from {least} to {most}")
            self._sliders[name] = widgets.IntSlider(least, least, most, readout=False, tooltip=tooltip, layout=GROW)
            self._on_change(self._fields[name], partial(self._choose, name))
            self._on_change(self._sliders[name], partial(self._slide, name))
        self._menus = {
            "activation": menu("activation", "180px", "The activation of the hidden units"),
            "optimizer": menu("optimizer", "230px", "How each update uses the gradients"),
        }
        for name, names in wanted.choices.items():
            self._menus[name].options = names
            self._on_change(self._menus[name], partial(self._choose, name))
        self._run = self._button("Run", self._run_or_cancel, "Train all networks again, or cancel training")
        self._run.layout.width = "90px"
        self._progress = widgets.IntProgress(**sized("280px"))
        self._compare = toggle("Compare", "Show the next run you choose beside the first")
        self._on_change(self._compare, self.sweeper.compare)
        self._open = self._button("Open", self._open_chosen, "Go through the run chosen last, step by step, below")
        pairs = [pair(field, self._sliders[name]) for name, field in self._fields.items()]
        menus = [self._menus[name] for name, names in wanted.choices.items() if len(names) > 1]
        return [row(*pairs, *menus), row(self._run, self._progress, self._compare, self._open, self._note)]

    # From the page to the state

    def _heard(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "page":
            height = min(max(message["height"] - BESIDE_MAP, HEIGHTS[0]), HEIGHTS[1])
            self._map = RunMap(max(message["width"], NARROWEST), height, message["ratio"], message["dark"])
            if self.sweeper.state.runs is None and not self.sweeper.state.running:
                self._start_sweep()
            self._show_map(self.sweeper.state)
        elif kind == "gone":
            self._map, self._drawn = None, ()
            self.sweeper.forget()
        elif kind == "cell" and message["clicked"] and message["cell"] is not None:
            self.sweeper.choose(*message["cell"][1:])
        elif kind == "key" and message["key"] == "Enter":
            self.sweeper.compare(not self.sweeper.state.comparing)
        elif kind == "key" and message["key"] in ARROWS:
            self.sweeper.walk(*ARROWS[message["key"]])

    def _choose(self, name: str, text: str) -> None:
        self._start_sweep(**{name: typed_number(text) if name in self._fields else text})

    def _slide(self, name: str, number: int) -> None:
        self._slid[name] = number
        if self._hand is None or self._hand.done():
            self._start_sweep()
        else:
            self._show_controls(self.sweeper.state)

    async def _follow_hand(self, pieces: Iterator[None]) -> None:
        """Train, and again while sliders move, but show first what is nearly trained."""
        while True:
            begun = time.monotonic()
            for _ in pieces:
                await asyncio.sleep(0)  # so that the page and other cells get their turn in between
                if self._slid and time.monotonic() > begun + PATIENCE:
                    break
            with TURN:
                if not self._slid:
                    return
                pieces = self._train()

    def _run_or_cancel(self) -> None:
        if self.sweeper.state.running:
            self._slid = {}
            self.sweeper.cancel()
        else:
            self._start_sweep()

    def _start_sweep(self, **changes: Any) -> None:
        self._hand = self._start_task(self._follow_hand(self._train(**changes)))

    def _train(self, **changes: Any) -> Iterator[None]:
        slid, self._slid = self._slid, {}
        return self.sweeper.train(**slid | changes)

    def _open_chosen(self) -> None:
        """Open the run chosen last, at its start, below the map."""
        runs, chosen = self.sweeper.state.runs, self.sweeper.state.chosen
        assert runs is not None  # the button is off until a run is chosen
        run, settings = chosen[-1], runs.settings
        start: dict[str, Any] = {"start": "random", "hidden": settings.hidden} if settings.problem is None else {}
        setup: dict[str, Any] = {"seed": runs.seed(run), **settings.chosen}
        if self._lab is None:
            self._lab = StepThrough(settings.problem, lr=runs.lr(run), **start, **setup)
            self._opened.children = [self._lab]
        else:
            stepper = self._lab.stepper
            self._lab._stop()  # what plays is the run before
            stepper.plant("")
            stepper.set_up(**asdict(Setup(**start)) if start else {"start": AS_GIVEN})
            stepper.set_up(**setup)
            stepper.set_lr(runs.lr(run))
        self._lab.come_into_view()

    # From the state to the page

    def _refuse(self, sentence: str) -> None:
        self._show_controls(self.sweeper.state)
        super()._refuse(sentence)

    def _follow(self, old: State, new: State) -> None:
        if new.running > old.running or any(getattr(old, part) != getattr(new, part) for part in _ASKED_FOR):
            self._note.value = ""  # an earlier refusal is no longer of interest
        self._show(new)

    def _show(self, state: State) -> None:
        self._show_controls(state)
        self._show_map(state)
        self._show_runs(state)  # last, since the curves take the longest

    def _show_controls(self, state: State) -> None:
        with self._controls_follow():
            for name, field in self._fields.items():
                number = self._slid.get(name, getattr(state.wanted, name))
                field.value, self._sliders[name].value = str(number), number
            for name, menu_of in self._menus.items():
                menu_of.value = getattr(state.wanted, name)
            self._run.description = "Cancel" if state.running else "Run"
            self._compare.value = state.comparing
            step, steps = (state.runs.step, state.runs.settings.steps) if state.runs else (0, state.wanted.steps)
            self._progress.max, self._progress.value = steps, step
            self._progress.description = f"step {step} of {steps}{f', {state.progress}' if state.progress else ''}"
            self._open.disabled = not state.chosen
            self._open.description = f"Open {NAMES[max(len(state.chosen), 1) - 1]} step by step"

    def _show_runs(self, state: State) -> None:
        """The text about all runs, and about the chosen ones with their curves."""
        if state.runs is None:
            self._curves.value = ""
            return
        self._summary.value = f'<div class="bpl-text">{html.escape(verdicts.on_map(state.runs))}</div>'
        texts, losses = "", {}
        for run, name, colour in zip(state.chosen, NAMES, CURVES, strict=False):
            title = f"{name}: {verdicts.name_of(state.runs, run)}"
            losses[title] = state.runs.losses(run).tolist()
            verdict = html.escape(verdicts.on_run(state.runs, run))
            texts += f'<p style="border-color: {colour}"><b>{html.escape(title)}.</b> {verdict}</p>'
        self._chosen.value = f'<div class="bpl-runs" role="status">{texts or _HOW_TO_CHOOSE}</div>'
        self._curves.value = draw_curves(losses, width=480, height=220) if losses else ""

    def _show_map(self, state: State) -> None:
        shown = self._map, state.runs, state.chosen
        if state.runs is None or self._map is None or shown == self._drawn:
            return
        self._drawn = shown
        self._map.draw(state.runs, state.chosen)
        with self._view.hold_sync():
            self._view.boxes = [("runs", *self._map.box, *state.runs.shape)]
            self._view.alt = verdicts.of_picture(state.runs)
            self._view.show(self._map.png())

    def __repr__(self) -> str:
        """The call that opens the lab with its present settings."""
        wanted = self.sweeper.state.wanted
        own = differing(wanted, Settings(problem=wanted.problem))
        named = [f"{name}={value!r}" for name, value in own.items()]
        return f"LearningRateLab({', '.join(['problem'] * (wanted.problem is not None) + named)})"

    def _still(self, scale: float = 1.0, dark: bool = False) -> tuple[bytes, str]:
        if self.sweeper.state.runs is None:
            for _ in self.sweeper.train():
                pass
        if self._map is None:  # no page shows it yet, and perhaps none ever will: only the last such lab keeps its runs
            for before in {*_not_shown_yet} - {self}:
                _not_shown_yet.discard(before)
                if before._map is None:
                    before.sweeper.forget()
            _not_shown_yet.add(self)
        assert self.sweeper.state.runs is not None
        still = RunMap(900, ratio=scale, dark=dark)
        still.draw(self.sweeper.state.runs, self.sweeper.state.chosen)
        return still.png(), verdicts.of_picture(self.sweeper.state.runs)


_not_shown_yet: WeakSet[LearningRateLab] = WeakSet()  # one lab at most
_HOW_TO_CHOOSE = "<p>Click a run, or move to one with the arrow keys, to see its loss curve.</p>"
_NUMBERS = (
    ("seeds", "seeds", "How many networks"),
    ("steps", "steps", "How many updates each network makes"),
    ("hidden", "hidden units", "How many hidden units each network has"),
)
_ASKED_FOR = ("wanted", "chosen", "comparing")  # the parts of a state that the learner decides
