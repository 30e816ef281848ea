"""Gradients found without any calculus, to hold the calculus against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from backprop_lab.layers import Activation, Array, Formula, Layer
from backprop_lab.network import Network
from backprop_lab.problem import Problem
from backprop_lab.trace import Trace

LossOf = Callable[[Array], Array]  # the loss as a function of one array, or of a stack of such arrays


def loss_with(problem: Problem, name: str, value: Array) -> Array:
    """The loss if `name`, a parameter, X or the output of a layer such as H1, had another `value`.

    A stack of values, (S, ...), gives S losses. Raises KeyError if the problem has no such name.
    """
    network, parameters = problem.network, problem.network.parameters
    if name in parameters:
        y_pred = network.with_parameters(parameters | {name: value}).forward(problem.X)
    else:
        outputs = ["X", *(Y for _, _, Y, _ in network.stages)]
        if name not in outputs:
            raise KeyError(f"the loss does not depend on {name!r}, only on {', '.join([*outputs, *parameters])}")
        y_pred = value
        for layer in network.layers[outputs.index(name) :]:
            y_pred = layer.forward(y_pred)
    return np.asarray(problem.loss.value(y_pred, problem.y))


def central_difference(loss: LossOf, at: Array, h: Any = 1e-6) -> Array:
    """(L(p + h) - L(p - h)) / 2h for every entry p of `at`, with h in units of max(1, |p|).

    The error is of order h^2 from a curve that is not a parabola and of order 1e-16 L / h from rounding, so h must be neither too
    large nor too small. A ReLU that switches between p - h and p + h spoils its entries. With `Fraction` numbers
    and a squared error there is no rounding, and short of a switch the result is exact.
    Source: https://cs231n.github.io/neural-networks-3/#gradcheck
    """
    h = h * np.maximum(1, np.abs(at))
    moves = _one_entry_each(at) * h
    slopes: Array = (loss(at + moves) - loss(at - moves)).reshape(at.shape) / (2 * h)
    return slopes


def complex_step_derivative(loss: LossOf, at: Array, h: float = 1e-20) -> Array:
    """Im L(p + ih) / h for every entry p of `at`: nothing is subtracted, so it is right to the last digits.

    Needs every layer to pass complex numbers through. Source: Squire and Trapp, "Using complex variables to
    estimate derivatives of real functions", SIAM Review 40 (1998) 110-112.
    """
    slopes: Array = np.imag(loss(at + _one_entry_each(at) * (1j * h))).reshape(at.shape) / h
    return slopes


def corners(loss: LossOf, at: Array) -> Array:
    """Which entries of `at` stand at a corner of the loss, or within the 1e-6 of a central difference beside one.

    At a corner, as where the input of a ReLU is exactly 0, the slopes to the left and to the right differ, and no number
    is the gradient. Where the loss is only bent they differ in proportion to h: by half for half of it.
    """
    h = 1e-6 * np.maximum(1, np.abs(at))
    entries = _one_entry_each(at)
    here = loss(at + 0 * entries[:1])  # in the same precision as those around it

    def jump(h: Array) -> Array:
        bends: Array = (loss(at + entries * h) - 2 * here + loss(at - entries * h)).reshape(at.shape) / h
        return np.abs(bends)

    rounding = 1e-13 * np.abs(here) / h
    wide = jump(h)
    found: Array = np.any([abs(jump(h / n) - wide / n) > 0.05 * wide + n * rounding for n in (2, 4)], axis=0)
    return found


def _one_entry_each(at: Array) -> Array:
    """A stack of arrays shaped like `at`, each with a single 1: to move every entry alone, all of them side by side."""
    return np.eye(at.size, dtype=int).reshape(-1, *at.shape)


def central_differences(problem: Problem, h: Any = 1e-6) -> dict[str, Array]:
    """The central difference for every parameter: `{"W1": ..., "b1": ...}`."""
    parameters = problem.network.parameters
    return {name: central_difference(partial(loss_with, problem, name), p, h) for name, p in parameters.items()}


def complex_step(problem: Problem, h: float = 1e-20) -> dict[str, Array]:
    """The complex-step derivative for every parameter: `{"W1": ..., "b1": ...}`."""
    parameters = problem.network.parameters
    return {name: complex_step_derivative(partial(loss_with, problem, name), p, h) for name, p in parameters.items()}


def check_gradients(
    problem: Problem,
    gradients: Mapping[str, Array] | None = None,
    numeric: Callable[[Problem], Mapping[str, Array]] = central_differences,
) -> dict[str, float]:
    """How far the backward pass is from numeric gradients, one error per parameter: `{"W1": 3e-11, ...}`.

    The error is max|analytic - numeric| / max(1, max|analytic|): about 1e-9 when all is well, and far above 1e-5
    when the formula is wrong. `gradients` are the ones to check, those of `problem` unless given; `numeric` says
    how to find the others, `central_differences` or `complex_step`. Raises KeyError if a gradient is missing, and
    ValueError if one has another shape than its parameter.

    A ReLU whose input is exactly 0, as behind a layer that is silent for a sample, puts a corner into the loss. The
    backward pass takes it as off, so there the numeric gradient is that of the side where it is off.
    """
    if gradients is None:
        gradients = problem.network.gradients(problem.loss, problem.X, problem.y)
    errors = {}
    for name, expected in numeric(problem).items():
        if name not in gradients:
            raise KeyError(f"no gradient for {name}; got {', '.join(gradients) or 'none'}")
        if np.shape(gradients[name]) != expected.shape:
            raise ValueError(
                f"the gradient for {name} has shape {np.shape(gradients[name])}, but {name} has {expected.shape}"
            )
        expected = _beside_corners(problem, name, problem.network.parameters[name], expected)
        errors[name] = relative_error(gradients[name], expected)
    return errors


def check_step(trace: Trace, name: str, derivative: Callable[[LossOf, Array], Array] = central_difference) -> float:
    """How far one gradient of a trace, such as dH1 or dW1, is from a numeric derivative; the error as above.

    Raises KeyError if `name` is not a gradient in the trace.
    """
    gradients = [step.name for step in trace.steps if step.phase == "backward"]
    if name not in gradients:
        raise KeyError(f"{name!r} is not a gradient of this trace; those are {', '.join(gradients)}")
    value = name.removeprefix("d")
    numeric = derivative(partial(loss_with, trace.problem, value), trace[value])
    return relative_error(trace[name], _beside_corners(trace.problem, value, trace[value], numeric))


def _beside_corners(problem: Problem, name: str, at: Array, numeric: Array) -> Array:
    """A numeric gradient whose entries at a corner of the loss are those of the side where every ReLU at 0 is off."""
    corner = corners(partial(loss_with, problem, name), at)
    if not corner.any():
        return numeric
    slopes = complex_step_derivative(partial(loss_with, off_at_zero(problem), name), at)
    return np.where(corner, slopes, numeric)


@dataclass(frozen=True)
class JustBelow(Activation):
    """An activation whose input is a hair lower: at 0, where a ReLU has its corner, it is below it, and elsewhere it is the same.

    So it is whichever way the complex step goes.
    """

    activation: Layer
    formulas: ClassVar[dict[str, Formula]] = {}

    def forward(self, X: Array) -> Array:
        return self.activation.forward(X - np.finfo(float).tiny)

    def backward(self, X: Array, dY: Array) -> tuple[Array, dict[str, Array]]:
        return self.activation.backward(X - np.finfo(float).tiny, dY)


def off_at_zero(problem: Problem) -> Problem:
    """The same problem beside its corners, on the side that the backward pass takes: every ReLU at 0 is off."""
    layers = (JustBelow(layer) if isinstance(layer, Activation) else layer for layer in problem.network.layers)
    return replace(problem, network=Network(tuple(layers)))


def relative_error(analytic: Array, numeric: Array) -> float:
    """max|analytic - numeric| / max(1, max|analytic|)."""
    return float(np.max(np.abs(analytic - numeric)) / max(1, np.max(np.abs(analytic))))
