"""What became of a run, or of all runs of a map, in words; and where theory and experiment part."""

import math
from dataclasses import replace

import numpy as np

from backprop_lab.sharpness import critical_lr
from backprop_lab.ui.rates.sweeper import RunIndex, Runs


def name_of(runs: Runs, run: RunIndex) -> str:
    """As in `seed 3, learning rate 0.01`."""
    return f"seed {runs.seed(run)}, learning rate {runs.lr(run):.3g}"


def on_run(runs: Runs, run: RunIndex) -> str:
    """Where the loss of a run began, where it has come to, and what theory would have said."""
    losses = runs.losses(run)
    if math.isfinite(losses[-1]):
        what = f"The loss went from {losses[0]:.4g} to {losses[-1]:.4g} in {runs.step} steps."
    else:
        what = f"The loss began at {losses[0]:.4g} and was beyond all numbers after step {np.isinf(losses).argmax()}."
    limit, lr, came_down = runs.limits[run[0]], runs.lr(run), losses[-1] < losses[0]
    told = f"{what} Its learning rate is {lr / limit:.2g} times the limit that theory sets at its start, {limit:.3g}"
    if came_down == (lr < limit):
        return f"{told}, so this was to be expected."
    told += ": here theory and experiment part."
    if came_down and runs.done:
        now = critical_lr(replace(runs.problem(run), network=runs.network(run)))
        told += f" Where it has ended the loss bends {'less' if now > limit else 'more'}, and the limit is {now:.3g}."
    return told


def on_map(runs: Runs) -> str:
    """All runs in some sentences."""
    came_down, lost = runs.change < 1, np.isinf(runs.change)
    below = np.array(runs.sweep.lrs) < np.array(runs.limits)[:, None]
    best = runs.sweep.lrs[int(np.argmin(np.median(runs.change, axis=0)))]
    return (
        f"After {runs.step} steps the loss has come down in {np.mean(came_down[below]):.0%} of the runs below the limit "
        f"that theory sets at their start, and in {np.mean(came_down[~below]):.0%} of those above it: there theory and "
        f"experiment part. In {np.mean(lost):.0%} of all runs it is beyond all numbers. The median seed does best at a "
        f"learning rate of {best:.2g}."
    )


def of_picture(runs: Runs) -> str:
    """The map for those who do not see it."""
    rows, cols = runs.shape
    lrs = runs.sweep.lrs
    return f"Map of {rows} seeds, in rows, at {cols} learning rates from {lrs[0]:g} to {lrs[-1]:g}. {on_map(runs)}"
