"""The learning-rate lab: many seeds at many learning rates, trained at once, on one map; any run can be opened."""

import asyncio
from typing import Any

import ipywidgets as widgets
import numpy as np

from backprop_lab.sharpness import critical_lr
from backprop_lab.sweep import Sweep, sweep, sweep_blocks
from backprop_lab.ui.board_view import BoardView
from backprop_lab.ui.controls import row, sized, toggle
from backprop_lab.ui.curves import curves
from backprop_lab.ui.lab import Lab
from backprop_lab.ui.run_map import RunMap
from backprop_lab.ui.step_through import StepThrough
from backprop_lab.ui.stepper import ACTIVATIONS

LEARNING_RATES = tuple(float(lr) for lr in np.logspace(-4, 1, 76))
PAUSE = 0.25  # seconds between two pictures while a sweep runs


class LearningRateLab(Lab):
    """`LearningRateLab()` is the whole cell: `seeds` rows, `steps` updates, networks of `hidden` units.

    The sweep runs when the lab is first seen, and again whenever a control is moved; it can be cancelled, and
    what it has come to stays. Up to two runs are chosen with a click: their loss curves stand below the map.
    """

    def __init__(self, seeds: int = 32, steps: int = 300, hidden: int = 4, activation: str = "ReLU") -> None:
        self.sweep: Sweep | None = None
        self.chosen: list[tuple[int, int]] = []
        self._limits: list[float] = []
        self._map: RunMap | None = None
        self._running: asyncio.Task[None] | None = None
        super().__init__()
        controls = self._make_controls(seeds, steps, hidden, activation)
        self._view = BoardView(label="Map of all runs. Arrow keys move to another run, Enter keeps it for comparison")
        self._curves, self._opened = widgets.HTML(), widgets.VBox()
        self.children = [*controls, self._view, self._note, self._curves, self._opened]
        self._view.heard(lambda kind, message: self._do(self._heard, kind, message))

    def _make_controls(self, seeds: int, steps: int, hidden: int, activation: str) -> list[widgets.Widget]:
        slider: dict[str, Any] = {"continuous_update": False, **sized("210px")}
        self._seeds = widgets.IntSlider(seeds, 4, 64, description="seeds", tooltip="How many rows", **slider)
        self._steps = widgets.IntSlider(
            steps, 10, 1000, 10, description="steps", tooltip="How many updates each run makes", **slider
        )
        self._hidden = widgets.IntSlider(
            hidden, 1, 8, description="hidden units", tooltip="How wide the hidden layer is", **slider
        )
        self._activation = widgets.Dropdown(
            options=list(ACTIVATIONS),
            value=activation,
            description="activation",
            tooltip="Of every unit",
            **sized("180px"),
        )
        settings = (self._seeds, self._steps, self._hidden, self._activation)
        for control in settings:
            self._steers(control, lambda _: self.start())
        self._run = self._button("Run", lambda: self.cancel() if self._running else self.start(), "Train, or cancel")
        self._progress = widgets.IntProgress(min=0, max=steps, description="steps", layout={"width": "260px"})
        self._beside = toggle("Compare", "The next click chooses a second run")
        self._open = self._button(
            "Open in the step-through lab", self._open_chosen, "Walk through the chosen run, step by step"
        )
        self._open.disabled = True
        return [row(*settings), row(self._run, self._progress, self._beside, self._open)]

    # Running

    def start(self) -> None:
        """Train every run anew, with the controls as they are; a sweep that is under way gives way to it."""
        self.cancel()
        self._running = self._go_on(self._train())

    def cancel(self) -> None:
        """Stop where it is, and keep what it has come to."""
        if self._running is not None:
            self._running.cancel()
            self._running = None
            self._run.description = "Run"

    def _setting(self) -> tuple[range, tuple[float, ...], int]:
        return range(self._seeds.value), LEARNING_RATES, self._steps.value

    def _options(self) -> dict[str, Any]:
        return {"hidden": self._hidden.value, "activation": ACTIVATIONS[self._activation.value]}

    async def _train(self) -> None:
        self._run.description = "Cancel"
        blocks = sweep_blocks(*self._setting(), **self._options())
        self._progress.max, self._progress.value = self._steps.value, 0
        self.sweep = None
        clock = asyncio.get_running_loop().time
        due = 0.0
        try:
            for result in blocks:
                if self.sweep is None:
                    self._limits = [critical_lr(problem) for problem in result.problems]
                    self.chosen = [(row, col) for row, col in self.chosen if row < len(result.seeds)]
                self.sweep = result
                if clock() >= due:
                    due = clock() + PAUSE
                    self._show()
                await asyncio.sleep(0)  # so that the page is heard in between
            self._running = None
            self._run.description = "Run"
        finally:
            self._show()

    # From the page

    def _heard(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "page":
            self._map = RunMap(message["width"], ratio=message["ratio"], dark=message["dark"])
            x, y, width, height = self._map.box
            self._box = ("runs", x, y, width, height)
            if self.sweep is None and self._running is None:
                self.start()
            else:
                self._show()
        elif kind == "cell" and message["pinned"] and self.sweep is not None:
            self.choose(message["cell"][1], message["cell"][2], self._beside.value)
        elif kind == "key":
            self._press(message["key"])

    def _press(self, key: str) -> None:
        moves = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}
        if key == "Enter":
            self._beside.value = not self._beside.value
        elif key in moves and self.sweep is not None:
            row, col = self.chosen[-1] if self.chosen else (0, 0)
            down, right = moves[key]
            rows, cols = self.sweep.diverged.shape
            self.choose(min(max(row + down, 0), rows - 1), min(max(col + right, 0), cols - 1), self._beside.value)

    def choose(self, row: int, col: int, beside: bool = False) -> None:
        """Choose the run of a row and a column of the map, `beside` the one chosen first, or in its place."""
        self.chosen = [*self.chosen[:1], (row, col)] if beside else [(row, col)]
        self._open.disabled = False
        self._show()

    def _open_chosen(self) -> None:
        """The step-through lab on the run chosen last, below the map."""
        if self.sweep is not None and self.chosen:
            row, col = self.chosen[-1]
            place: dict[str, Any] = {"seed": self.sweep.seeds[row], "lr": self.sweep.lrs[col]}
            lab = StepThrough(start="random", hidden=self._hidden.value, activation=self._activation.value, **place)
            self._opened.children = (lab,)

    # To the page

    def _still(self) -> bytes:
        result = self.sweep or sweep(*self._setting(), **self._options())
        still = RunMap(900)
        still.draw(result, [critical_lr(problem) for problem in result.problems], self.chosen)
        return still.png()

    def _show(self) -> None:
        """The map, the progress and the chosen runs, as far as the sweep has come."""
        if self.sweep is None:
            return
        self._progress.value = self.sweep.step
        told = [self._told(row, col) for row, col in self.chosen] or ["Click a run to see how its loss came down."]
        self._say(told)
        losses = {
            self._name(row, col): self.sweep.loss[row, col, : self.sweep.step + 1].tolist() for row, col in self.chosen
        }
        self._curves.value = curves(losses) if losses else ""
        if self._map is None:
            return
        self._map.draw(self.sweep, self._limits, self.chosen)
        rows, cols = self.sweep.diverged.shape
        with self._view.hold_sync():
            self._view.boxes = [(*self._box, rows, cols)]
            self._view.alt = self._in_words()
            self._view.picture = self._map.png()
            self._view.frame += 1

    def _name(self, row: int, col: int) -> str:
        assert self.sweep is not None
        return f"seed {self.sweep.seeds[row]}, learning rate {self.sweep.lrs[col]:.3g}"

    def _told(self, row: int, col: int) -> str:
        """One run in a sentence."""
        assert self.sweep is not None
        loss, end = self.sweep.loss[row, col], int(self.sweep.diverged[row, col])
        went = (
            f"diverged at step {end}"
            if end >= 0
            else f"the loss went from {loss[0]:.4g} to {loss[self.sweep.step]:.4g} in {self.sweep.step} steps"
        )
        return f"{self._name(row, col)}: {went}. At the start theory sets the limit at {self._limits[row]:.3g}."

    def _in_words(self) -> str:
        """The map for those who do not see it."""
        assert self.sweep is not None
        rows, cols = self.sweep.diverged.shape
        best = np.nanargmin(np.nanmedian(self.sweep.loss[..., self.sweep.step], axis=0))
        return (
            f"Map of {rows} seeds at {cols} learning rates from {self.sweep.lrs[0]:g} to {self.sweep.lrs[-1]:g}, after "
            f"{self.sweep.step} steps. {np.mean(self.sweep.diverged >= 0):.0%} of the runs diverged. The median loss is "
            f"lowest at the learning rate {self.sweep.lrs[best]:.2g}."
        )
