"""Gradients without calculus, to check backpropagation against."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backprop_lab.layers import Array, Layer
from backprop_lab.network import Network, check_gradient
from backprop_lab.problem import Problem
from backprop_lab.tracing import Trace

LossOf = Callable[[Array], Array]  # the loss as a function of one array, or of a stack of such arrays
Derivative = Callable[[LossOf, Array], Array]


def loss_with(problem: Problem, name: str, value: Array) -> Array:
    """The loss if `name`, a parameter, X or the output of a layer such as H1, had another `value`.

    A stack of values, (S, ...), gives S losses. Raises KeyError if the problem has no such name.
    """
    return loss_of(problem, name)(value)


def loss_of(problem: Problem, name: str) -> LossOf:
    """The loss as a function of one value, or of a stack: see `loss_with`.

    A stack is run all at once, unless the first one shows that a layer or the loss takes one problem at a time.
    """
    network, parameters = problem.network, problem.network.parameters
    outputs = ["X", *(stage.Y for stage in network.stages)]
    if name not in (*outputs, *parameters):
        raise KeyError(f"the loss does not depend on {name!r}, only on {', '.join([*outputs, *parameters])}")
    dimensions = parameters[name].ndim if name in parameters else 2
    takes_stacks: bool | None = None

    def loss(value: Array) -> Array:
        if name in parameters:
            y_pred = network.with_parameters(parameters | {name: value}).forward(problem.X)
        else:
            y_pred = value
            for layer in network.layers[outputs.index(name) :]:
                y_pred = layer.forward(y_pred)
        return np.asarray(problem.loss.value(y_pred, problem.y))

    def loss_of_stack(value: Array) -> Array:
        nonlocal takes_stacks
        if np.ndim(value) <= dimensions:
            return loss(value)
        if takes_stacks is None:
            takes_stacks = _agree(loss, value)
        return loss(value) if takes_stacks else np.array([loss(each) for each in value])

    return loss_of_stack


def _agree(loss: LossOf, stack: Array) -> bool:
    """Whether a stack gives as many losses as it has values, the first of which is that of its first value alone."""
    first = loss(stack[0])
    try:
        losses = loss(stack)
    except Exception:  # what was written for one problem at a time may fail in any way
        return False
    if losses.shape != stack.shape[:1]:
        return False
    same = losses[0] == first or abs(losses[0] - first) <= 1e-10 * abs(first) or losses[0] != losses[0]
    return bool(same)


def central_difference(loss: LossOf, at: Array, h: Any = 1e-6) -> Array:
    """(L(p + h) - L(p - h)) / 2h for every entry p of `at`, with h in units of max(1, |p|).

    The error is of order h^2 from a curve that is not a parabola and of order 1e-16 L / h from rounding, so h must be
    neither too large nor too small. A ReLU that switches between p - h and p + h spoils its entries. With `Fraction`
    numbers and a squared error there is no rounding, and without a switch the result is exact.
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

    At a corner, as where the input of a ReLU is exactly 0, the slopes to the left and to the right differ, and no
    number is the gradient. Where the loss is only bent they differ in proportion to h: by half for half of it.
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


def numeric_gradient(
    problem: Problem, name: str, derivative: Derivative = central_difference, at: Array | None = None
) -> Array:
    """d(loss)/d(name), found by moving each entry of `name`: a parameter, X or the output of a layer such as H1.

    `at` is where to take it, by default the value that `name` has in the problem; `derivative` is `central_difference`
    or `complex_step_derivative`. A ReLU whose input is exactly 0, as behind a layer whose units are all off for a
    sample, puts a corner into the loss. The backward pass takes the ReLU as off, so there the numeric gradient is that
    of the side where it is off. Raises KeyError if the problem has no such name.
    """
    at = _value_of(problem, name) if at is None else at
    loss = loss_of(problem, name)
    numeric = derivative(loss, at)
    corner = corners(loss, at)
    if not corner.any():
        return numeric
    slopes = complex_step_derivative(loss_of(off_at_zero(problem), name), at)
    return np.where(corner, slopes, numeric)


def _value_of(problem: Problem, name: str) -> Array:
    """A parameter, X, or the output of a layer. Raises KeyError if the problem has no such name."""
    values = {"X": problem.X, **problem.network.parameters}
    for layer, X, Y, _ in problem.network.stages:
        if name not in values:
            values[Y] = layer.forward(values[X])
    if name not in values:
        raise KeyError(f"the loss does not depend on {name!r}, only on {', '.join(values)}")
    return values[name]


def check_gradients(
    problem: Problem, gradients: Mapping[str, Array] | None = None, derivative: Derivative = central_difference
) -> dict[str, float]:
    """How far the backward pass is from numeric gradients, one error per parameter: `{"W1": 3e-11, ...}`.

    The error is max|analytic - numeric| / max(1, max|analytic|): about 1e-9 when all is well, and far above 1e-5
    when the formula is wrong. `gradients` are the ones to check, those of `problem` unless given; `derivative` says
    how to find the others, as in `numeric_gradient`. Raises KeyError if a gradient is missing, and ValueError if one
    has another shape than its parameter.
    """
    if gradients is None:
        gradients = problem.network.gradients(problem.loss, problem.X, problem.y)
    errors = {}
    for name, parameter in problem.network.parameters.items():
        check_gradient(name, gradients, parameter)
        errors[name] = relative_error(gradients[name], numeric_gradient(problem, name, derivative))
    return errors


def check_step(trace: Trace, name: str, derivative: Derivative = central_difference) -> float:
    """How far one gradient of a trace, such as dH1 or dW1, is from a numeric derivative; the error as above.

    Raises KeyError if `name` is not a gradient in the trace.
    """
    gradients = [step.name for step in trace.steps if step.phase == "backward"]
    if name not in gradients:
        raise KeyError(f"{name!r} is not a gradient of this trace; those are {', '.join(gradients)}")
    value = name.removeprefix("d")
    return relative_error(trace[name], numeric_gradient(trace.problem, value, derivative, at=trace[value]))


class OffAtZero:
    """A layer whose input is shifted down by the smallest float, so that 0, the corner of a ReLU, is on the off side.

    Elsewhere it is the same layer. A complex step cannot take it back across the corner.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def forward(self, X: Array) -> Array:
        return self._layer.forward(X - np.finfo(float).tiny)

    def backward(self, X: Array, dY: Array) -> Array:
        return self._layer.backward(X - np.finfo(float).tiny, dY)


def off_at_zero(problem: Problem) -> Problem:
    """The same problem just off its corners, on the side that the backward pass takes: every ReLU at 0 is off."""
    layers = (layer if layer.parameters else OffAtZero(layer) for layer in problem.network.layers)
    return problem.evolve(network=Network(layers))


def relative_error(analytic: Array, numeric: Array) -> float:
    """max|analytic - numeric| / max(1, max|analytic|)."""
    return float(np.max(np.abs(analytic - numeric)) / max(1, np.max(np.abs(analytic))))
