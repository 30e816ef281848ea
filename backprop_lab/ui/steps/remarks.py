"""Remarks on a step beyond its formula: its gradient check, dead units, the size of an update, the loss."""

import math
from collections.abc import Sequence

import numpy as np

from backprop_lab.nn.norms import BatchNorm, LayerNorm
from backprop_lab.nn.steps import Stage, Step
from backprop_lab.step.number_format import listed, plain, told_apart
from backprop_lab.step.trace import Trace

# What the proof of a gradient comes to: its class on the page, its mark, and a word.
VERDICTS = {
    True: ("right", "✓ ", "agrees"),
    False: ("wrong", "✗ ", "wrong"),
    None: ("unknown", "", "inconclusive here"),
}


def dead_units(trace: Trace, name: str) -> list[int]:
    """The columns of a ReLU's output, such as H1, that are 0 for every sample."""
    dead: list[int] = np.flatnonzero(np.all(trace[name] == 0, axis=0)).tolist()
    return dead


def on_dead_units(trace: Trace, step: Step) -> str:
    """At a ReLU, forward or backward: which units are off for every sample, if not all of them are, and what follows.

    Such a unit of the first layer is off for good; another one may be on again when the layers before it change, unless
    its weights rule that out. With a planted mistake it may get a gradient, though it should not.
    """
    stages = trace.problem.stages
    for at, (layer, X, Y, *_) in _relus(trace):
        if step.name == Y or (step.role == "gradient" and step.of == X):
            dead = dead_units(trace, Y)
            if dead and len(dead) < trace[Y].shape[1]:
                units = ", ".join(str(unit) for unit in dead)
                one = len(dead) == 1
                which, they = (f"Unit {units} is", "it") if one else (f"Units {units} are", "they")
                before = stages[at - 1].layer if at else layer
                own = "weights" if before.is_weighted_sum or not before.learnt else " and ".join(before.learnt)
                weights = f"{'its' if one else 'their'} own {own} get"
                if _gets_gradient(trace, at, dead):
                    follows = f"{they} should get no gradient"
                elif trace.problem.penalty and before.penalised:
                    follows = f"{weights} no gradient now except from the penalty"
                elif _moves(trace, at, dead):
                    follows = f"{weights} no gradient now: only what is remembered, or decay, moves them"
                elif None in (chances := {unit: _may_come_back(trace, at, unit) for unit in dead}).values():
                    follows = f"{weights} no gradient now"
                elif not (others := [unit for unit in dead if chances[unit]]):
                    learn = "is dead, and learns" if one else "are dead, and learn"
                    follows = f"{they} {learn} nothing from these samples"
                else:
                    these = they if others == dead else f"only {', '.join(map(str, others))}"
                    follows = f"{weights} no gradient now; {these} may come back if earlier layers change"
                return f"{which} off for every sample: {follows}."
    return ""


def _may_come_back(trace: Trace, at: int, unit: int) -> bool | None:
    """Whether a unit of a ReLU, the layer `at`, that is off may be on again when the layers before it change.

    Not behind the first layer that learns, whose data stay. Nor where whatever comes out of the layer before, such as
    numbers from 0 up of a ReLU and up to 1 of a sigmoid, its weights and its bias can't raise above 0. What comes from
    a unit that is off for good does not count. None behind what is no weighted sum.
    """
    stages = trace.problem.stages
    if at and not stages[at - 1].layer.is_weighted_sum:
        return None
    if not any(stage.parameters or hasattr(stage.layer, "drawn") for stage in stages[: max(at - 1, 0)]):
        return False
    before, names = stages[at - 2], stages[at - 1].parameters
    least, most = before.layer.between
    while at > 2 and hasattr(before.layer, "drawn"):  # which makes each number larger where it is, or drops it
        at, before = at - 1, stages[at - 3]
        least, most = (end and math.copysign(math.inf, end) for end in before.layer.between)
    weights, bias = trace[names["W"]][:, unit], trace[names["b"]][0, unit] if "b" in names else 0
    if before.layer.can_die:
        gone = [k for k in dead_units(trace, before.Y) if _may_come_back(trace, at - 2, k) is False]
        weights = np.delete(weights, gone)
    weights = weights[weights != 0]
    return bool(bias + np.sum(np.maximum(least * weights, most * weights)) > 0)


def _moves(trace: Trace, at: int, units: Sequence[int]) -> bool:
    """Whether the update changes what these units of a ReLU, the layer `at`, are made with."""
    names = trace.problem.stages[at - 1].parameters.values() if at else ()
    new = trace.problem.lines.replacing
    return any(np.any((trace[new[name]] != trace[name])[:, list(units)]) for name in names)


def _gets_gradient(trace: Trace, at: int, units: Sequence[int]) -> bool:
    """Whether any of these units of a ReLU, the layer `at`, has a gradient where it enters, or in what it is made with.

    That is what the layer before learns, but for a penalty: a LayerNorm passes on to weights what came for other units.
    """
    stages = trace.problem.stages
    of = (stages[at].X, *(stages[at - 1].parameters.values() if at else ()))
    gradients = [step for step in trace.steps if step.role == "gradient" and step.of in of]
    return any(np.any(step.value[:, list(units)] != 0) for step in gradients if not step.beside)


def on_norm(step: Step) -> str:
    """At what a norm makes of so few numbers that nothing of them is left."""
    if step.result != "Xhat" or step.kind not in (BatchNorm, LayerNorm):
        return ""
    numbers, what = (len(step.value), "samples") if step.kind is BatchNorm else (step.value.shape[1], "units")
    if numbers > 2:
        return ""
    come = "two numbers become 1 and −1 unless they are nearly equal, and 1 and −1 let hardly any gradient back"
    come = come if numbers == 2 else "a number alone becomes 0, and hardly any gradient gets back"
    return f"Once normalised, {come}. Take more {what}."


def all_dead(trace: Trace, index: int) -> str:
    """A warning, once it is on the board, that a whole layer of ReLUs is off for every sample."""
    for at, (_, _, Y, *_) in _relus(trace):
        shown = any(step.name == Y for step in trace.steps[:index])
        dead = dead_units(trace, Y)
        if shown and len(dead) == trace[Y].shape[1]:
            follows = "no gradient gets through, and nothing before it learns from these samples"
            if _gets_gradient(trace, at, dead):
                follows = "no gradient should get through"
            elif _goes_on(trace, at):
                follows = "no gradient gets through now"
            return f"Every unit of {Y} is off for every sample: {follows}."
    return ""


def _goes_on(trace: Trace, at: int) -> bool:
    """Whether what comes to a layer may be another in the next step, though no gradient gets through to it."""
    before = trace.problem.stages[:at]
    new, names = trace.problem.lines.replacing, [name for stage in before for name in stage.parameters.values()]
    return any(hasattr(stage.layer, "drawn") for stage in before) or any(
        np.any(trace[new[name]] != trace[name]) for name in names
    )


def _relus(trace: Trace) -> list[tuple[int, Stage]]:
    """The ReLUs and their places, up to the first behind a layer that stands in two: it learns elsewhere, too."""
    stages = trace.problem.stages
    names = [name for stage in stages for name in stage.parameters.values()]
    apart = [all(names.count(name) == 1 for name in stage.parameters.values()) for stage in stages]
    return [(at, stage) for at, stage in enumerate(stages) if stage.layer.can_die and all(apart[:at])]


def on_update(trace: Trace, step: Step) -> str:
    """At an update: the largest change of an entry, and the size of the update relative to the parameter."""
    if step.role != "new":
        return ""
    parameter = step.of
    old, new = trace[parameter], step.value
    with np.errstate(all="ignore"):
        change = float(np.max(np.abs(new - old)))
        size, step_size = math.hypot(*np.ravel(old)), math.hypot(*np.ravel(new - old))
    if not math.isfinite(change):
        return "The numbers have overflowed, or are nan."
    ratio = step_size / size if size > 0 else math.inf  # which may be too large for a float, too
    times = "as large as" if plain(ratio, 2) == "1" else f"{plain(ratio, 2)} times the size of"
    of_size = f"; the update is {times} {parameter}" if ratio < math.inf else ""
    return f"The largest change is {plain(change, 2)}{of_size}."


def on_next_loss(trace: Trace, step: Step) -> str:
    """At an update: the loss with all the new weights, so that you can search for a good learning rate by eye."""
    if step.phase != "update":
        return ""
    loss, next_loss = float(trace[trace.problem.loss_name]), float(trace.next_loss())
    own = trace.problem.of_each_step
    then = f"With all the new weights{f' and the next {listed(own)}' * bool(own)}, the loss will"
    if not math.isfinite(next_loss):
        be = "not be a number (nan)" if math.isnan(next_loss) else "overflow"
        return f"{then} {be}."
    will_be, is_now = told_apart(next_loss, loss, 6)
    return f"{then} be {will_be}; now it is {is_now}."


def on_colours(renewed: Sequence[str], iteration: int) -> str:
    """Which numbers have another colour scale than in the iteration before, or than with most seeds, and why."""
    if not renewed:
        return ""
    new, old = ("New", "the one before") if iteration else ("Own", "the usual one")
    return f"{new} colour scale for {listed(renewed)}: on {old}, too many would look alike."


def on_loss(step: Step, losses: Sequence[float]) -> str:
    """At the loss: how it has changed since the iteration before."""
    if step.phase != "loss" or len(losses) < 2:
        return ""
    before, loss = losses[-2:]
    if not math.isfinite(loss):
        return f"The loss {'is not a number (nan)' if math.isnan(loss) else 'has overflowed'}."
    if loss == before:
        return "The loss did not change."
    was, is_now = told_apart(before, loss, 6)
    return f"The loss went {'down' if loss < before else 'up'}, from {was} to {is_now}."
