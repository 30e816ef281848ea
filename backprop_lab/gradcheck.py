"""Gradients found without any calculus, to hold the calculus against."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backprop_lab.layers import Array
from backprop_lab.network import Network
from backprop_lab.problem import Problem


def central_differences(problem: Problem, h: Any = 1e-6) -> dict[str, Array]:
    """(L(p + h) - L(p - h)) / 2h for every entry p of every parameter.

    The error is of order h^2 from the curve's bend and of order 1e-16 L / h from rounding, so h must be neither too
    large nor too small. A ReLU that switches between p - h and p + h spoils its entries. With
    `Fraction` numbers and a squared error there is no rounding, and short of a switch the result is exact.
    Source: https://cs231n.github.io/neural-networks-3/#gradcheck
    """
    return _entry_by_entry(problem, lambda loss, step: (loss(step * h) - loss(step * -h)) / (2 * h))


def complex_step(problem: Problem, h: float = 1e-20) -> dict[str, Array]:
    """Im L(p + ih) / h for every entry p: nothing is subtracted, so it is right to the last digits.

    Needs every layer to pass complex numbers through. Source: Squire and Trapp, "Using complex variables to
    estimate derivatives of real functions", SIAM Review 40 (1998) 110-112.
    """
    return _entry_by_entry(problem, lambda loss, step: np.imag(loss(step * (1j * h))) / h)


def _entry_by_entry(problem: Problem, slope: Callable[[Callable[[Array], Array], Array], Array]) -> dict[str, Array]:
    """Move one entry at a time, all of them side by side: a parameter of P entries becomes a stack of P networks."""
    parameters = problem.network.parameters
    gradients = {}
    for name, parameter in parameters.items():
        one_each = np.eye(parameter.size, dtype=int).reshape(-1, *parameter.shape)

        def loss(moves: Array, name: str = name, parameter: Array = parameter) -> Array:
            network: Network = problem.network.with_parameters(parameters | {name: parameter + moves})
            y_pred = network.forward(problem.X)
            return np.asarray(problem.loss.value(y_pred, problem.y))

        gradients[name] = slope(loss, one_each).reshape(parameter.shape)
    return gradients


def check_gradients(
    problem: Problem,
    gradients: Mapping[str, Array] | None = None,
    numeric: Callable[[Problem], Mapping[str, Array]] = central_differences,
) -> dict[str, float]:
    """How far the backward pass is from numeric gradients, one error per parameter: `{"W1": 3e-11, ...}`.

    The error is max|analytic - numeric| / max(1, max|analytic|): about 1e-9 when all is well, and far above 1e-5
    when the formula is wrong. `gradients` are the ones to check, those of `problem` unless given; `numeric` says
    how to find the others, `central_differences` or `complex_step`.
    """
    if gradients is None:
        gradients = problem.network.gradients(problem.loss, problem.X, problem.y)
    expected = numeric(problem)
    return {name: relative_error(gradients[name], expected[name]) for name in problem.network.parameters}


def relative_error(analytic: Array, numeric: Array) -> float:
    """max|analytic - numeric| / max(1, max|analytic|)."""
    return float(np.max(np.abs(analytic - numeric)) / max(1, np.max(np.abs(analytic))))
