"""The result of a run, or of all runs of a map, in words; and how far the limit at the start reaches."""

import math

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.nn.optimizers import GradientDescent, Momentum, Nesterov
from backprop_lab.step.number_format import listed, plain
from backprop_lab.step.problem import Problem
from backprop_lab.step.random_problems import kept_by_seeds
from backprop_lab.ui.rates.sweeper import RunIndex, Runs


def name_of(runs: Runs, run: RunIndex) -> str:
    """The name of a run, such as `seed 3, learning rate 0.01`."""
    seed = runs.seed(run)
    return f"{'the weights as given' if seed is None else f'seed {seed}'}, learning rate {plain(runs.lr(run), 3)}"


def on_run(runs: Runs, run: RunIndex) -> str:
    """The loss of a run at the start and now, and what the limit at the start says of it.

    It is a limit of stability near the start: a run above it that comes down contradicts nothing.
    """
    losses = runs.losses(run)
    if math.isfinite(losses[-1]):
        text = f"The loss went from {plain(losses[0], 4)} to {plain(losses[-1], 4)} in {runs.step} steps."
    elif math.isfinite(losses[0]):
        step = np.isinf(losses).argmax()
        text = f"The loss began at {plain(losses[0], 4)} and had overflowed or was not a number after step {step}."
    else:
        text = "The loss had overflowed or was not a number at the start."
    limit, lr, came_down = runs.limits[run[0]], runs.lr(run), losses[-1] < losses[0]
    if math.isnan(limit):
        return f"{text} No limit is known at its start."
    if math.isinf(limit):
        return f"{text} At the start the loss has no positive curvature, so the theory sets no limit."
    text += f" The learning rate is {plain(lr / limit, 3)} times the limit of stability at the start, {plain(limit, 3)}"
    if losses[-1] == losses[0]:
        return f"{text}."
    if own := _own(runs):
        return f"{text}, but each step has its own {listed(own)}, and the loss changes with that, too."
    if came_down == (lr < limit):
        return f"{text}, so this was to be expected."
    if (at_end := runs.limit_at_end(run)) is None:
        only = ", and one of directions in which the loss bends upwards" * (lr < limit and not came_down)
        return f"{text}, but that limit is local{only}."
    if math.isclose(at_end, limit, rel_tol=1e-3):
        return f"{text}. It ended where the curvature is the same: it may take more steps to do what the limit says."
    last = losses[-max(2, len(losses) // 10) :]
    is_calm = lr < at_end and np.all(np.diff(last) <= 0.01 * np.abs(last[:-1]))  # and so no more rises
    there = f"the limit is {plain(at_end, 3)}" if at_end < math.inf else "there is no limit"
    text += f", but that limit is local. The run {'settled' if is_calm else 'ended'} where the curvature is"
    return f"{text} {'lower' if at_end > limit else 'higher'}, and {there}."


def on_map(runs: Runs) -> str:
    """All runs in a few sentences."""
    came_down, lost = runs.change < 1, np.isinf(runs.change)
    limits, lrs = np.array(runs.limits)[:, None], np.array(runs.sweep.lrs, dtype=float)
    below, above = lrs < limits, lrs >= limits
    text = f"After {runs.step} steps, the loss has come down in "
    if below.any() and above.any():
        text += (
            f"{_share(came_down[below])} of the runs below the limit of stability at their start, and in "
            f"{_share(came_down[above])} of those above it"
        )
        if came_down[above].any():
            text += ": that limit is local, and a run can settle where the curvature is lower, or take longer to grow."
        else:
            text += ", as the theory predicts." if came_down[below].all() and not _own(runs) else "."
    else:
        text += f"{_share(came_down)} of the runs."
    with np.errstate(over="ignore"):  # the mean of two of the largest numbers
        medians = np.median(runs.change, axis=0)
    who = "median seed" if len(runs.sweep.seeds) > 1 else "network"
    text += f" In {_share(lost)} of all runs the loss has overflowed or is not a number."
    if medians.min() < 1 and not _has_no_factor(runs):
        best = runs.sweep.lrs[int(np.argmin(medians))]
        text += f" The {who} does best at a learning rate of {plain(best, 2)}."
    return " ".join([text, *notes_on(runs)])


def _own(runs: Runs) -> tuple[str, ...]:
    return runs.sweep.problems[0].of_each_step


def _share(chosen: Array) -> str:
    """How many are true, in per cent, of which 0% are none and 100% are all."""
    share = float(np.mean(chosen))
    return "under 1%" if 0 < share < 0.01 else "over 99%" if 0.99 < share < 1 else f"{share:.0%}"


def _has_no_factor(runs: Runs) -> bool:
    """Whether a loss is where no factor says how far it has come down."""
    return bool((runs.sweep.loss[..., 0] <= 0).any() or (runs.sweep.loss[..., runs.step] < 0).any())


def notes_on(runs: Runs) -> list[str]:
    """What a map cannot show, and why, in sentences."""
    notes = [theory(runs.sweep.problems[0])] if np.isfinite(runs.limits).any() else []
    if runs.untold:
        whose = "any run" if np.isnan(runs.limits).all() else "some runs"
        notes.append(f"No limit is shown for {whose}. {runs.untold[0].upper()}{runs.untold[1:]}.")
    if _has_no_factor(runs):
        notes.append("Where the loss is at 0 or below, the darkest colours say only whether it fell or grew.")
    if runs.settings.problem is not None:
        notes += [kept_by_seeds(runs.settings.problem), runs.sweep.one_by_one]
    return [note for note in notes if note]


def theory(problem: Problem) -> str:
    """Where its limit comes from, where that is more than how the loss bends; "" for plain descent without more."""
    optimizer = problem.optimizer
    limits: dict[type, str] = {Momentum: "2 (1 + β) / λ", Nesterov: "2 (1 + β) / ((1 + 2β) λ)"}
    of_beta = f", with β = {optimizer.beta:g}" if isinstance(optimizer, Momentum) else ""
    besides = " and ".join(["its penalty"] * bool(problem.penalty) + ["the decay"] * bool(optimizer.decay))
    if type(optimizer) is GradientDescent and not besides:
        return ""
    curvature = f"the largest curvature of the loss{f', {besides} included' if besides else ''}"
    return f"The limit is {limits.get(type(optimizer), '2 / λ')}{of_beta}, where λ is {curvature}."


def of_picture(runs: Runs) -> str:
    """The alt text of the map."""
    rows, cols = runs.shape
    lrs = f"{cols} learning rates from {plain(runs.sweep.lrs[0])} to {plain(runs.sweep.lrs[-1])}"
    seeds = f"{rows} seeds" if None not in runs.sweep.seeds else f"the weights as given and {rows - 1} seeds"
    if rows == 1:
        seeds = "the weights as given" if None in runs.sweep.seeds else f"seed {runs.sweep.seeds[0]}"
    return f"Map of {seeds}{', in rows,' * (rows > 1)} at {lrs}. {on_map(runs)}"
