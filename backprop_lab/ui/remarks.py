"""What there is to say about a step beyond its formula: the proof, the gate, and the size of an update."""

import math
from collections.abc import Sequence

import numpy as np

from backprop_lab.gradcheck import central_difference, check_step, complex_step_derivative
from backprop_lab.layers import Array, Layer, ReLU
from backprop_lab.trace import Step, Trace

AGREES = 1e-5  # far above the error of a right gradient, about 1e-9, and far below that of a wrong one


def proof(trace: Trace, step: Step) -> tuple[bool | None, str]:
    """Whether a gradient agrees with numeric ones, and a sentence that says so.

    Finite differences come first; where they fail, the complex step has the last word, since it knows no rounding
    however large the numbers are. None where it cannot be told: for steps that are no gradients, once numbers
    have overflowed, and where the loss has nothing but corners.
    """
    if step.phase != "backward":
        return None, ""
    size = float(np.max(np.abs(step.value)))
    wrong = ""
    for derivative, how in ((central_difference, "finite differences"), (complex_step_derivative, "the complex step")):
        with np.errstate(all="ignore"):
            error = check_step(trace, step.name, derivative)
        if 0 < size < 1:
            error /= size  # of a small gradient too, the proof is worth something
        if error <= AGREES:
            return True, f"agrees with {how} to {error:.0e}"
        if math.isfinite(error):
            wrong = wrong or f"does not agree with {how}: it is off by {error:.0%}"
    if math.isfinite(error):
        return False, wrong
    if np.isfinite(step.value).all() and math.isfinite(trace["L"]):
        return (
            None,
            "Every ReLU behind it stands exactly at 0: the loss has a corner there, and no slope to compare with.",
        )
    return None, "The numbers have overflowed, so there is nothing to compare with."


def dead_units(trace: Trace, name: str) -> list[int]:
    """The columns of a ReLU's output, such as H1, that are 0 for every sample."""
    return np.flatnonzero(~np.any(trace[name] > 0, axis=0)).tolist()


def gate(trace: Trace, step: Step) -> str:
    """At a ReLU, forward or backward: which units are off for every sample, if not all of them are."""
    for _, X, Y, _ in _relus(trace):
        if step.name in (Y, f"d{X}"):
            dead = dead_units(trace, Y)
            if dead and len(dead) < trace[Y].shape[1]:
                units = ", ".join(str(unit) for unit in dead)
                which, they = (f"Unit {units} is", "it") if len(dead) == 1 else (f"Units {units} are", "they")
                return f"{which} off for every sample: dead, and {they} cannot learn."
    return ""


def all_dead(trace: Trace, index: int) -> str:
    """A warning, once it is on the board, that a whole layer of ReLUs is off for every sample."""
    for _, _, Y, _ in _relus(trace):
        shown = any(step.name == Y for step in trace.steps[:index])
        if shown and len(dead_units(trace, Y)) == trace[Y].shape[1]:
            return f"Every unit of {Y} is off for every sample: no gradient passes, and nothing before it can learn."
    return ""


def _relus(trace: Trace) -> list[tuple[Layer, str, str, int]]:
    return [stage for stage in trace.problem.network.stages if isinstance(stage[0], ReLU)]


def update(trace: Trace, step: Step) -> str:
    """At an update: how far the largest entry moved, and how that compares with the size of the parameter."""
    if step.phase != "update":
        return ""
    old, new = trace[step.operands[0]], step.value
    change = float(np.max(np.abs(new - old)))
    size = _norm(old)
    if not math.isfinite(change):
        return "The numbers have overflowed."
    ratio = f"; the step is {_norm(new - old) / size:.1e} of its size" if size > 0 else ""
    return f"The largest change is {change:.2g}{ratio}."


def loss(step: Step, losses: Sequence[float]) -> str:
    """At the loss: how it moved since the iteration before."""
    if step.phase != "loss" or len(losses) < 2:
        return ""
    before, now = losses[-2], losses[-1]
    if not math.isfinite(now):
        return "The loss has overflowed."
    if now == before:
        return "The loss did not change."
    return f"The loss went {'down' if now < before else 'up'}, from {before:.6g} to {now:.6g}."


def _norm(array: Array) -> float:
    return float(np.sqrt(np.sum(np.square(array))))
