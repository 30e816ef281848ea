"""Which runs are on the map: what they were made from, how far they have come, and which are chosen. No drawing here."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from traitlets import HasTraits, Instance

from backprop_lab.layers import Array
from backprop_lab.network import Network
from backprop_lab.problem import Problem, random_problem
from backprop_lab.sharpness import critical_lr
from backprop_lab.sweep import Sweep, sweep_blocks
from backprop_lab.ui.steps.setup import ACTIVATIONS, check_whole

LEARNING_RATES = tuple(float(lr) for lr in np.logspace(-4, 1, 76))
RANGES = {"seeds": (1, 64), "steps": (10, 1000), "hidden": (1, 8)}
PAUSE = 0.1  # seconds between two states while a sweep runs, so that drawing them does not hold it up

RunIndex = tuple[int, int]  # the row and the column of a run on the map


@dataclass(frozen=True)
class Settings:
    """What a sweep is made from. Raises ValueError if a part of it is not one of those there are."""

    seeds: int = 32
    steps: int = 300
    hidden: int = 4
    activation: str = "ReLU"

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            check_whole(name, getattr(self, name), least, most)
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {self.activation!r}")

    @property
    def options(self) -> dict[str, Any]:
        """What `random_problem` and `sweep` want to know of it."""
        return {"hidden": self.hidden, "activation": ACTIVATIONS[self.activation]}


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of a map after `step` updates: a row for every seed, a column for every learning rate.

    `limits` is the critical learning rate of each row at the start. The rows go from the lowest limit to the highest, so
    that the limits are one line down the map.
    """

    settings: Settings
    sweep: Sweep
    limits: tuple[float, ...]
    step: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.sweep.seeds), len(self.sweep.lrs)

    @property
    def change(self) -> Array:
        """By how much each loss has been multiplied, (rows, columns): infinite where it is no longer a finite number."""
        # The sweep may be ahead of `step` in some of its runs, so `sweep.diverged` is not what to go by here.
        return self.sweep.loss[..., self.step] / self.sweep.loss[..., 0]

    def losses(self, run: RunIndex) -> Array:
        """The loss of a run after each of its updates so far, and before the first."""
        return self.sweep.loss[*run, : self.step + 1]

    def seed(self, run: RunIndex) -> int:
        return self.sweep.seeds[run[0]]

    def lr(self, run: RunIndex) -> float:
        return self.sweep.lrs[run[1]]

    def problem(self, run: RunIndex) -> Problem:
        """Where a run started from."""
        return self.sweep.problem(self.seed(run), self.lr(run))

    def network(self, run: RunIndex) -> Network:
        """What a run has trained, once all are done. Raises ValueError if it diverged."""
        return self.sweep.network(self.seed(run), self.lr(run))

    @property
    def done(self) -> bool:
        return self.step == self.settings.steps


@dataclass(frozen=True, eq=False)
class State:
    """All that the lab shows: never changed, only followed by another.

    `wanted` is what is trained, or was last; `runs` are on the map, None before the first are trained. Up to two runs are
    `chosen`, and while `comparing`, another one goes beside the first. `running` says that training is under way.
    """

    wanted: Settings
    runs: Runs | None = None
    chosen: tuple[RunIndex, ...] = ()
    comparing: bool = False
    running: bool = False


class Sweeper(HasTraits):
    """Trains all runs of a map, and knows which of them are chosen. Observe `state`: it is replaced as a whole.

    Methods raise ValueError, and change nothing, where what they are given makes no sense.
    """

    state = Instance(State)

    def __init__(self, **settings: Any) -> None:
        self._turn: object = None  # whose turn it is to train: a cancelled sweep finds that it is no longer its own
        super().__init__(state=State(Settings(**settings)))

    def train(self, **changes: Any) -> Iterator[None]:
        """Train all runs anew, with some fields of Settings changed. It works a few milliseconds each time the next is
        asked for, and ends early once it is cancelled or another has begun.

        The runs on the map stay there until there is a whole map of the new ones. Whatever is chosen stays chosen, if
        its seed is still there.
        """
        wanted = replace(self.state.wanted, **changes)
        self._turn = turn = object()
        self.state = replace(self.state, wanted=wanted, running=True)
        return self._run_sweep(wanted, turn)

    def _run_sweep(self, wanted: Settings, turn: object) -> Iterator[None]:
        runs, due = None, 0.0
        try:
            for runs in _sweep(wanted):
                yield
                if self._turn is not turn:
                    return
                if runs is not None and time.monotonic() >= due:
                    self._publish(runs)
                    due = time.monotonic() + PAUSE
            self._publish(runs, running=False)
        finally:
            if self._turn is turn:
                self.cancel()

    def cancel(self) -> None:
        """Stop where it is. The map keeps what it shows, and that is what is wanted from now on."""
        self._turn = None
        if self.state.running:
            runs = self.state.runs
            self.state = replace(self.state, running=False, wanted=runs.settings if runs else self.state.wanted)

    def _publish(self, runs: Runs | None, **changes: Any) -> None:
        assert runs is not None
        old, chosen = self.state.runs, self.state.chosen
        if old is not None and old.sweep is not runs.sweep:
            rows = {seed: row for row, seed in enumerate(runs.sweep.seeds)}
            chosen = tuple((rows[old.seed(run)], run[1]) for run in chosen if old.seed(run) in rows)
        self.state = replace(self.state, runs=runs, chosen=chosen, **changes)

    def choose(self, row: int, col: int) -> None:
        """Choose a run: beside the one chosen first while comparing, and else in place of all."""
        if self.state.runs is None:
            raise ValueError("there are no runs to choose from yet: press Run")
        rows, cols = self.state.runs.shape
        if not (0 <= row < rows and 0 <= col < cols):
            raise ValueError(f"there are {rows} rows and {cols} columns of runs; got row {row} and column {col}")
        first = self.state.chosen[:1] if self.state.comparing else ()
        self.state = replace(self.state, chosen=tuple(dict.fromkeys((*first, (row, col)))))

    def walk(self, down: int, right: int) -> None:
        """Choose the neighbour of the run chosen last, if there is one; at first, the run in the middle."""
        if self.state.runs is None:
            return
        rows, cols = self.state.runs.shape
        if not self.state.chosen:
            self.choose(rows // 2, cols // 2)
        else:
            row, col = self.state.chosen[-1]
            self.choose(min(max(row + down, 0), rows - 1), min(max(col + right, 0), cols - 1))

    def compare(self, on: bool) -> None:
        """Whether the next run goes beside the one that is chosen."""
        self.state = replace(self.state, comparing=on)


def _sweep(settings: Settings) -> Iterator[Runs | None]:
    """The runs, further trained each time; None while there is no whole map of them."""
    limits = []
    for seed in range(settings.seeds):
        limits.append((critical_lr(random_problem(seed, **settings.options)), seed))
        yield None
    limits.sort()
    for result in sweep_blocks([seed for _, seed in limits], LEARNING_RATES, settings.steps, **settings.options):
        yield Runs(settings, result, tuple(limit for limit, _ in limits), result.step) if result.step else None
