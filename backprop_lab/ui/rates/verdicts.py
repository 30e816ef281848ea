"""The result of a run, or of all runs of a map, in words; and where theory and experiment disagree."""

import math

import numpy as np

from backprop_lab.curvature import critical_lr
from backprop_lab.number_format import plain
from backprop_lab.ui.rates.sweeper import RunIndex, Runs


def name_of(runs: Runs, run: RunIndex) -> str:
    """The name of a run, such as `seed 3, learning rate 0.01`."""
    return f"seed {runs.seed(run)}, learning rate {plain(runs.lr(run), 3)}"


def on_run(runs: Runs, run: RunIndex) -> str:
    """The loss of a run at the start and now, and what theory predicts."""
    losses = runs.losses(run)
    if math.isfinite(losses[-1]):
        text = f"The loss went from {plain(losses[0], 4)} to {plain(losses[-1], 4)} in {runs.step} steps."
    else:
        text = f"The loss began at {plain(losses[0], 4)} and had overflowed after step {np.isinf(losses).argmax()}."
    limit, lr, came_down = runs.limits[run[0]], runs.lr(run), losses[-1] < losses[0]
    text += f" The learning rate is {plain(lr / limit, 2)} times the theoretical limit at the start, {plain(limit, 3)}"
    if came_down == (lr < limit):
        return f"{text}, so this was to be expected."
    text += ": here theory and experiment disagree."
    if came_down and runs.done:
        now = critical_lr(runs.problem(run).evolve(network=runs.network(run)))
        less_or_more = "less" if now > limit else "more"
        text += f" Where the run ended, the loss bends {less_or_more}, and the limit is {plain(now, 3)}."
    return text


def on_map(runs: Runs) -> str:
    """All runs in a few sentences."""
    came_down, lost = runs.change < 1, np.isinf(runs.change)
    below = np.array(runs.sweep.lrs) < np.array(runs.limits)[:, None]
    best = runs.sweep.lrs[int(np.argmin(np.median(runs.change, axis=0)))]
    return (
        f"After {runs.step} steps, the loss has come down in {np.mean(came_down[below]):.0%} of the runs below the "
        f"theoretical limit at their start, and in {np.mean(came_down[~below]):.0%} of those above it: there, theory "
        f"and experiment disagree. In {np.mean(lost):.0%} of all runs it has overflowed. The median seed does best at "
        f"a learning rate of {plain(best, 2)}."
    )


def of_picture(runs: Runs) -> str:
    """The alt text of the map."""
    rows, cols = runs.shape
    lrs = f"{cols} learning rates from {plain(runs.sweep.lrs[0])} to {plain(runs.sweep.lrs[-1])}"
    return f"Map of {rows} seeds, in rows, at {lrs}. {on_map(runs)}"
