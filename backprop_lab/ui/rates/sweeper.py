"""The runs on the map: their settings, how far they are trained, and which are chosen. No drawing here."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from traitlets import HasTraits, Instance

from backprop_lab.curvature import critical_lr
from backprop_lab.layers import ACTIVATIONS, Array
from backprop_lab.network import Network
from backprop_lab.problem import Problem, check_whole, random_problem
from backprop_lab.sweeping import Sweep, iter_sweep

LEARNING_RATES = tuple(float(lr) for lr in np.logspace(-4, 1, 76))
RANGES = {"seeds": (1, 64), "steps": (10, 1000), "hidden": (1, 8)}
PAUSE = 0.1  # seconds between two states while a sweep runs, so that drawing them does not hold it up

RunIndex = tuple[int, int]  # the row and the column of a run on the map


@dataclass(frozen=True)
class Settings:
    """The settings of a sweep. Raises ValueError for a setting that is not available."""

    seeds: int = 32
    steps: int = 300
    hidden: int = 4
    activation: str = "ReLU"

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            check_whole(name, getattr(self, name), least, most)
        if not isinstance(self.activation, str) or self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {self.activation!r}")

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments for `random_problem` and `iter_sweep`."""
        return {"hidden": self.hidden, "activation": ACTIVATIONS[self.activation]}


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of a map after `step` updates: a row for every seed, a column for every learning rate.

    `limits` holds the critical learning rate of each row at the start. The rows are sorted by it, lowest first, so that
    the limits form one line down the map.
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
        """The factor by which each loss has changed, (rows, columns); infinite where it has overflowed."""
        # Some runs of the sweep may be ahead of `step`, so `sweep.diverged` cannot be used here.
        with np.errstate(over="ignore"):
            return self.sweep.loss[..., self.step] / self.sweep.loss[..., 0]

    def losses(self, run: RunIndex) -> Array:
        """The loss of a run before its first update and after each one so far."""
        return self.sweep.loss[*run, : self.step + 1]

    def seed(self, run: RunIndex) -> int | None:
        return self.sweep.seeds[run[0]]

    def lr(self, run: RunIndex) -> float:
        return self.sweep.lrs[run[1]]

    def problem(self, run: RunIndex) -> Problem:
        """The problem that a run started from."""
        return self.sweep.problem(self.seed(run), self.lr(run))

    def network(self, run: RunIndex) -> Network:
        """The trained network of a run, once all runs are done. Raises ValueError if it diverged."""
        return self.sweep.network(self.seed(run), self.lr(run))

    @property
    def done(self) -> bool:
        return self.step == self.settings.steps


@dataclass(frozen=True, eq=False)
class State:
    """Everything the lab shows: never changed, only replaced by the next.

    `wanted` are the settings now being trained, or trained last; `runs` are on the map, None before there are any.
    Up to two runs are `chosen`; while `comparing`, the next one goes beside the first. `running` says that training is
    under way.
    """

    wanted: Settings
    runs: Runs | None = None
    chosen: tuple[RunIndex, ...] = ()
    comparing: bool = False
    running: bool = False


class Sweeper(HasTraits):
    """Trains all runs of a map, and knows which of them are chosen. Observe `state`: the whole of it is replaced.

    Methods raise ValueError, and change nothing, if their arguments make no sense.
    """

    state = Instance(State)

    def __init__(self, **settings: Any) -> None:
        self._forgotten: list[tuple[int | None, int]] = []  # the runs that were chosen, by seed and column
        self._turn: object = None  # of the sweep that may train: one that was cancelled finds another one here, or None
        super().__init__(state=State(Settings(**settings)))

    def train(self, **changes: Any) -> Iterator[None]:
        """Train all runs again, with some fields of Settings changed. Each `next` of the iterator works for a few
        milliseconds; it ends early once it is cancelled or another one has begun.

        The old runs stay on the map until there is a complete map of the new ones. A chosen run stays chosen if its
        seed is still there.
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
        """Stop training. The map keeps what it shows, and its settings are the `wanted` ones from now on."""
        self._turn = None
        if self.state.running:
            runs = self.state.runs
            self.state = replace(self.state, running=False, wanted=runs.settings if runs else self.state.wanted)

    def forget(self) -> None:
        """Keep no runs while nobody looks, and train no more. `train` brings the same ones back, and those chosen."""
        self.cancel()
        runs = self.state.runs
        if runs is not None:
            self._forgotten = [(runs.seed(run), run[1]) for run in self.state.chosen]
            self.state = replace(self.state, runs=None, chosen=())

    def _publish(self, runs: Runs | None, **changes: Any) -> None:
        assert runs is not None
        old, chosen = self.state.runs, self.state.chosen
        if old is None or old.sweep is not runs.sweep:
            seeds = [(old.seed(run), run[1]) for run in chosen] if old is not None else self._forgotten
            rows = {seed: row for row, seed in enumerate(runs.sweep.seeds)}
            chosen = tuple((rows[seed], column) for seed, column in seeds if seed in rows)
            self._forgotten = []
        self.state = replace(self.state, runs=runs, chosen=chosen, **changes)

    def choose(self, row: int, col: int) -> None:
        """Choose a run: beside the one chosen first while comparing, otherwise in place of all."""
        if self.state.runs is None:
            raise ValueError("there are no runs to choose from yet: press Run")
        rows, cols = self.state.runs.shape
        whole = isinstance(row, int) and isinstance(col, int)
        if not (whole and 0 <= row < rows and 0 <= col < cols):
            raise ValueError(f"there are {rows} rows and {cols} columns of runs; got row {row} and column {col}")
        first = self.state.chosen[:1] if self.state.comparing else ()
        self.state = replace(self.state, chosen=tuple(dict.fromkeys((*first, (row, col)))))

    def walk(self, down: int, right: int) -> None:
        """Choose a neighbour of the run chosen last, if there is one; at first, the run in the middle."""
        if self.state.runs is None:
            return
        rows, cols = self.state.runs.shape
        if not self.state.chosen:
            self.choose(rows // 2, cols // 2)
        else:
            row, col = self.state.chosen[-1]
            self.choose(min(max(row + down, 0), rows - 1), min(max(col + right, 0), cols - 1))

    def compare(self, on: bool) -> None:
        """Turn comparing on or off: whether the next run goes beside the one chosen first."""
        self.state = replace(self.state, comparing=on)


def _sweep(settings: Settings) -> Iterator[Runs | None]:
    """The runs, trained further each time; None until there is a complete map of them."""
    limits = []
    for seed in range(settings.seeds):
        limits.append((critical_lr(random_problem(seed, **settings.options)), seed))
        yield None
    limits.sort()
    for result in iter_sweep([seed for _, seed in limits], LEARNING_RATES, settings.steps, **settings.options):
        yield Runs(settings, result, tuple(limit for limit, _ in limits), result.step) if result.step else None
