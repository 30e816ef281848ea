"""What there is to say about a step beyond its formula: the proof, the gate, and the size of an update."""

import math
from collections.abc import Sequence

import numpy as np

from backprop_lab.gradcheck import central_difference, check_step, complex_step_derivative
from backprop_lab.layers import Layer, ReLU
from backprop_lab.trace import Step, Trace

AGREES = 1e-5  # far above the error of a right gradient, about 1e-9, and far below that of a wrong one


def proof(trace: Trace, step: Step) -> tuple[bool | None, str]:
    """Whether a gradient agrees with numeric ones, and a sentence that says so.

    Finite differences come first; where they fail, the complex step has the last word, since it knows no rounding
    however large the numbers are. None where it cannot be told: for steps that are no gradients, and once numbers
    have overflowed.
    """
    if step.phase != "backward":
        return None, ""
    size = float(np.max(np.abs(step.value)))
    allowed = AGREES * size + 1e-12 * _terms(trace, step)
    wrong = ""
    for derivative, how in ((central_difference, "finite differences"), (complex_step_derivative, "the complex step")):
        with np.errstate(all="ignore"):
            error = check_step(trace, step.name, derivative)
        if error * max(1, size) <= allowed:
            return True, f"agrees with {how} {f'to {error:.0e}' if error else 'exactly'}"
        if math.isfinite(error):
            wrong = wrong or f"does not agree with {how}: it is off by {error / (min(1, size) or 1):.0%}"
    if math.isfinite(error):
        return False, wrong
    return None, "The numbers have overflowed, so there is nothing to compare with."


def _terms(trace: Trace, step: Step) -> float:
    """How large the terms can be that a gradient is added up from: what it is right to, it is right to against them."""
    upstream = [each.value for each in trace.steps[: trace.steps.index(step)] if each.phase == "backward"]
    forward = [trace["X"], *(trace[Y] for _, _, Y, _ in trace.problem.network.stages)]
    with np.errstate(all="ignore"):
        terms = max((float(np.max(np.abs(v))) for v in upstream), default=0.0) * max(
            float(np.max(np.abs(v))) for v in forward
        )
    return terms if math.isfinite(terms) else 0.0


def dead_units(trace: Trace, name: str) -> list[int]:
    """The columns of a ReLU's output, such as H1, that are 0 for every sample."""
    dead: list[int] = np.flatnonzero(np.all(trace[name] == 0, axis=0)).tolist()
    return dead


def on_dead_units(trace: Trace, step: Step) -> str:
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


def on_update(trace: Trace, step: Step) -> str:
    """At an update: how far the largest entry moved, and how that compares with the size of the parameter."""
    if step.phase != "update":
        return ""
    old, new = trace[step.operands[0]], step.value
    with np.errstate(all="ignore"):
        change = float(np.max(np.abs(new - old)))
        size, step_size = math.hypot(*np.ravel(old)), math.hypot(*np.ravel(new - old))
    if not math.isfinite(change):
        return "The numbers have overflowed."
    of_size = f"; the step is {step_size / size:.1e} of the size of {step.operands[0]}" if size > 0 else ""
    return f"The largest change is {change:.2g}{of_size}."


def on_next_loss(trace: Trace, step: Step) -> str:
    """At an update: what the loss will be with all the new weights, so that a learning rate can be searched for by eye."""
    if step.phase != "update":
        return ""
    after = trace.next_problem()
    with np.errstate(all="ignore"):
        now, then = float(trace["L"]), float(after.loss.value(after.network.forward(after.X), after.y))
    if not math.isfinite(then):
        return "With all the new weights the loss will overflow."
    return f"With all the new weights the loss will be {_apart(then, now)[0]}; now it is {_apart(then, now)[1]}."


def on_loss(step: Step, losses: Sequence[float]) -> str:
    """At the loss: how it moved since the iteration before."""
    if step.phase != "loss" or len(losses) < 2:
        return ""
    before, now = losses[-2], losses[-1]
    if not math.isfinite(now):
        return "The loss has overflowed."
    if now == before:
        return "The loss did not change."
    was, is_now = _apart(before, now)
    return f"The loss went {'down' if now < before else 'up'}, from {was} to {is_now}."


def _apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers to six digits, or to as many as it takes to tell them apart."""
    pairs = [(f"{one:.{digits}g}", f"{other:.{digits}g}") for digits in range(6, 18)]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
