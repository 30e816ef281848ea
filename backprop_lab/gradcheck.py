"""Derivatives of the loss without calculus, to check backpropagation against; `proving` says how far to trust them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_lab.layers import Array, Layer
from backprop_lab.network import Network
from backprop_lab.problem import Problem

LossOf = Callable[[Array], Array]  # the loss as a function of one array, or of a stack of such arrays


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
    moves = one_entry_each(at) * h
    slopes: Array = (loss(at + moves) - loss(at - moves)).reshape(at.shape) / (2 * h)
    return slopes


def complex_step_derivative(loss: LossOf, at: Array, h: float = 1e-20) -> Array:
    """Im L(p + ih) / h for every entry p of `at`: nothing is subtracted, so it is right to the last digits.

    Needs every layer to pass complex numbers through. Source: Squire and Trapp, "Using complex variables to
    estimate derivatives of real functions", SIAM Review 40 (1998) 110-112.
    """
    slopes: Array = np.imag(loss(at + one_entry_each(at) * (1j * h))).reshape(at.shape) / h
    return slopes


def one_entry_each(at: Array) -> Array:
    """A stack of arrays shaped like `at`, each with a single 1: to move every entry alone, all of them side by side."""
    return np.eye(at.size, dtype=int).reshape(at.size, *at.shape)


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
    # Layers with parameters have no corners.
    layers = (layer if layer.parameters else OffAtZero(layer) for layer in problem.network.layers)  # pragma: no mutate
    return problem.evolve(network=Network(layers))


def relative_error(analytic: Array, numeric: Array) -> float:
    """max|analytic - numeric| / max(max|analytic|, max|numeric|); 0 where all are 0, nan where a number is not finite.

    So a gradient that is wrong by 1 % has an error of about 1e-2, however small or large it is.
    """
    analytic, numeric = (np.asarray(each, dtype=float) for each in (analytic, numeric))
    size = max(np.max(np.abs(analytic)), np.max(np.abs(numeric)))
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(analytic - numeric)) / size) if size else 0.0
