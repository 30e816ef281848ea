"""The runs on the map: their settings, how far they are trained, and which are chosen. No drawing here."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from traitlets import HasTraits, Instance

from backprop_lab.nn.layers import Array
from backprop_lab.step.problem import Problem, check_problem, check_whole
from backprop_lab.step.random_problems import can_be_redrawn, redrawn
from backprop_lab.training.curvature import critical_lr, iter_sharpness, limit_of, with_decay_as_penalty
from backprop_lab.training.sweep import Sweep, in_floats, sweep_problems
from backprop_lab.ui.steps.setup import AS_GIVEN, RANDOM, Setup

LEARNING_RATES = tuple(float(lr) for lr in np.logspace(-4, 1, 76))
RANGES = {"seeds": (1, 64), "steps": (10, 1000), "hidden": (1, 8)}
CHOICES = ("activation", "optimizer")
QUICK = 10**6  # numbers of the data times parameters; with more, no limit is worked out where a run has ended
LARGEST = np.finfo(float).max
PAUSE = 0.15  # seconds between two states while a sweep runs, so that drawing them does not hold it up

RunIndex = tuple[int, int]  # the row and the column of a run on the map


@dataclass(frozen=True)
class Settings:
    """The settings of a sweep. Raises ValueError for a setting that is not available.

    A `problem` has hidden units of its own; there are its weights as given, and `seeds` - 1 seeds that draw others for
    its data, or none where no seed can. Its activation and its optimizer, "as given", may be others too.
    """

    seeds: int = 32
    steps: int = 300
    hidden: int | None = None
    activation: str | None = None
    optimizer: str | None = None
    problem: Problem | None = None

    def __post_init__(self) -> None:
        if self.problem is not None:
            check_problem(self.problem)
            if self.hidden is not None:
                raise ValueError(f"your problem has hidden units of its own: leave out hidden={self.hidden!r}")
        for name in (*CHOICES, *["hidden"] * (self.problem is None)):
            object.__setattr__(self, name, getattr(self.setup, name))
        for name, (least, most) in RANGES.items():
            if name != "hidden" or self.problem is None:
                check_whole(name, getattr(self, name), least, most)
                object.__setattr__(self, name, int(getattr(self, name)))
        _ = self.given  # what cannot be trained is refused at once

    @cached_property
    def setup(self) -> Setup:
        """What all runs start from, whatever their seed."""
        chosen = {name: value for name in ("hidden", *CHOICES) if (value := getattr(self, name)) is not None}
        return Setup(RANDOM if self.problem is None else AS_GIVEN, given=self.problem, **chosen)

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The activations and the optimizers that there are to choose from."""
        return {name: names for name, names in self.setup.choices().items() if name in CHOICES}

    @property
    def chosen(self) -> dict[str, Any]:
        """What is chosen by name, as Setup takes it."""
        return {name: getattr(self, name) for name in CHOICES}

    @cached_property
    def given(self) -> Problem:
        """Where the runs of the weights as given start, or those of seed 0."""
        return in_floats(self.setup.problem())

    @property
    def has_seeds(self) -> bool:
        """Whether a seed draws any number."""
        return self.problem is None or can_be_redrawn(self.problem)

    @property
    def all_seeds(self) -> tuple[int | None, ...]:
        """The seeds; None is for the weights as given."""
        if self.problem is None:
            return tuple(range(self.seeds))
        return (None, *range(self.seeds - 1)) if self.has_seeds else (None,)

    def start(self, seed: int | None) -> Problem:
        """Where the runs of a seed start."""
        if self.problem is not None:
            return redrawn(self.given, seed)
        return replace(self.setup, seed=seed).problem()


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of a map after `step` updates: a row for every seed, a column for every learning rate.

    `limits` holds the critical learning rate of each row at the start: nan where it cannot be told, and `untold` says
    why. The rows are sorted by it, lowest first, so that the limits form one line down the map.
    """

    settings: Settings
    sweep: Sweep
    limits: tuple[float, ...]
    step: int
    untold: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.sweep.seeds), len(self.sweep.lrs)

    @property
    def change(self) -> Array:
        """The factor by which each loss has changed, (rows, columns); infinite where it has overflowed.

        A loss that comes down to 0 or below has the factor 0. Where it starts there, no factor says how it has changed:
        then it is 0 for one that fell, 1 for one that stayed, and the largest number there is for one that grew.
        """
        # Some runs of the sweep may be ahead of `step`, so `sweep.diverged` cannot be used here.
        first, latest = self.sweep.loss[..., 0], self.sweep.loss[..., self.step]
        with np.errstate(all="ignore"):
            factor = np.where(first > 0, np.maximum(latest, 0) / first, np.where(latest < first, 0, LARGEST))
        factor = np.where(latest == first, 1, np.minimum(factor, LARGEST))
        return np.where(np.isfinite(latest), factor, np.inf)

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

    @property
    def done(self) -> bool:
        return self.step == self.settings.steps

    def limit_at_end(self, run: RunIndex) -> float | None:
        """The critical learning rate where a run has ended; None if it cannot be told, or not in a moment."""
        problem = self.problem(run)
        data, parameters = ([value.size for value in each.values()] for each in (problem.data, problem.parameters))
        if not self.done or max(data, default=1) * sum(parameters) > QUICK:
            return None
        try:
            return critical_lr(self.sweep.trained(self.seed(run), self.lr(run)))
        except ValueError:
            return None


@dataclass(frozen=True, eq=False)
class State:
    """Everything the lab shows: never changed, only replaced by the next.

    `wanted` are the settings now being trained, or trained last; `runs` are on the map, None before there are any.
    Up to two runs are `chosen`; while `comparing`, the next one goes beside the first. `running` says that training is
    under way, and `progress` how far it is, or how many seconds it still takes.
    """

    wanted: Settings
    runs: Runs | None = None
    chosen: tuple[RunIndex, ...] = ()
    comparing: bool = False
    running: bool = False
    progress: str = ""


class Sweeper(HasTraits):
    """Trains all runs of a map, and knows which of them are chosen. Observe `state`: the whole of it is replaced.

    Methods raise ValueError, and change nothing, if their arguments make no sense.
    """

    state = Instance(State)

    def __init__(self, alone: AbstractContextManager[Any] | None = None, **settings: Any) -> None:
        """`alone` is held while progress is shown: within it nobody else changes the state."""
        self._alone = alone or nullcontext()
        self._forgotten: list[tuple[int | None, float]] = []  # the runs that were chosen, by seed and learning rate
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
        runs, due = None, time.monotonic() + PAUSE
        try:
            for runs, progress in _sweep(wanted):
                yield
                with self._alone:
                    if self._turn is not turn:
                        return
                    if time.monotonic() >= due:
                        self._publish(runs, progress=progress)
                        due = time.monotonic() + PAUSE
            with self._alone:
                if self._turn is turn:
                    self._publish(runs, progress="", running=False)
        finally:
            if self._turn is turn:
                self.cancel()

    def cancel(self) -> None:
        """Stop training. The map keeps what it shows, and its settings are the `wanted` ones from now on."""
        self._turn = None
        if self.state.running:
            runs = self.state.runs
            self.state = replace(
                self.state, running=False, progress="", wanted=runs.settings if runs else self.state.wanted
            )

    def forget(self) -> None:
        """Keep no runs while nobody looks, and train no more. `train` brings the same ones back, and those chosen."""
        self.cancel()
        runs = self.state.runs
        if runs is not None:
            self._forgotten = [(runs.seed(run), runs.lr(run)) for run in self.state.chosen]
            self.state = replace(self.state, runs=None, chosen=())

    def _publish(self, runs: Runs | None, **changes: Any) -> None:
        """Show other runs, if there are any, and what else has changed."""
        old, chosen = self.state.runs, self.state.chosen
        if runs is not None and (old is None or old.sweep is not runs.sweep):
            wanted = [(old.seed(run), old.lr(run)) for run in chosen] if old is not None else self._forgotten
            rows = {seed: row for row, seed in enumerate(runs.sweep.seeds)}
            cols = {lr: col for col, lr in enumerate(runs.sweep.lrs)}
            chosen = tuple((rows[seed], cols[lr]) for seed, lr in wanted if seed in rows and lr in cols)
            self._forgotten = []
        self.state = replace(self.state, runs=runs or old, chosen=chosen, **changes)

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


def _sweep(settings: Settings) -> Iterator[tuple[Runs | None, str]]:
    """The runs, trained further each time, None until there is a complete map of them; and how far this is."""
    limits: list[tuple[float, int | None]] = []
    starts, untold = {seed: settings.start(seed) for seed in settings.all_seeds}, ""
    for seed, start in starts.items():
        limit = math.nan
        try:
            bowl = with_decay_as_penalty(start)
            for bend in iter_sharpness(bowl):
                limit = limit_of(bend, bowl.optimizer)
                yield None, f"limit {len(limits) + 1} of {len(starts)}"
        except ValueError as reason:
            limit, untold = math.nan, str(reason)
        limits.append((limit, seed))
    limits.sort(key=lambda row: (math.isnan(row[0]), row[0]))
    progress, started, whole = "", time.monotonic(), None
    seeds = [seed for _, seed in limits]
    for result in sweep_problems(
        [starts[seed] for seed in seeds], _learning_rates(settings, limits), settings.steps, seeds
    ):
        whole = result.left if whole is None else whole
        took = time.monotonic() - started
        if whole > result.left and took > 1:  # until then, nobody can tell
            seconds = took * result.left / (whole - result.left)
            left = f"{seconds:.0f} s left" if seconds < 100 else f"{seconds / 60:.0f} min left"
            progress = left if seconds >= 1 else ""
        runs = Runs(settings, result, tuple(limit for limit, _ in limits), result.step, untold) if result.step else None
        yield runs, progress


def _learning_rates(settings: Settings, limits: list[tuple[float, int | None]]) -> tuple[float, ...]:
    """The learning rates of the map: five decades; for a problem of your own, around most of its limits."""
    known = [limit for limit, _ in limits if 0 < limit < math.inf]
    if settings.problem is None or not known:
        return LEARNING_RATES
    middle = round(math.log10(known[len(known) // 2]))
    return tuple(10.0 ** (k / 15) for k in range(15 * (middle - 3), 15 * (middle + 2) + 1))
