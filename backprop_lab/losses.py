"""The losses: one number that says how far `y_pred` is from `y`, and its gradient with respect to `y_pred`.

Shapes: `y_pred` and `y` are both (N, K), N samples of K outputs, and must be equal: (N,) against (N, 1)
would silently broadcast to (N, N). Axes in front are a stack; `value` then gives one loss for each.

`formulas` has the lines for `L` and `dy_pred`, as a layer's do; before `L` there may be others, such as one for
probabilities `P`, that those after them use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from backprop_lab.layers import Array


class Loss(Protocol):
    """What a network asks of a loss."""

    @property
    def formulas(self) -> Mapping[str, str]: ...
    def value(self, y_pred: Array, y: Array) -> Any: ...
    def gradient(self, y_pred: Array, y: Array) -> Array: ...


def _difference(y_pred: Array, y: Array) -> Array:
    """y_pred - y, refusing shapes that would broadcast."""
    if y_pred.ndim < 2 or y_pred.shape[-2:] != y.shape[-2:]:
        raise ValueError(f"y_pred {y_pred.shape} and y {y.shape} must have the same shape (samples, outputs)")
    return y_pred - y


@dataclass(frozen=True)
class SumSquaredError:
    """L = sum of (y_pred - y)^2 over all samples and outputs. Raises ValueError where the shapes differ."""

    def value(self, y_pred: Array, y: Array) -> Any:
        """The loss: one number, or one for each problem of a stack."""
        return np.sum(_difference(y_pred, y) ** 2, axis=(-2, -1))

    def gradient(self, y_pred: Array, y: Array) -> Array:
        """dy_pred = 2 (y_pred - y), of shape (N, K): each square depends on its own entry alone."""
        return 2 * _difference(y_pred, y)

    formulas: ClassVar = {"L": "np.sum(({y_pred} - {y}) ** 2)", "dy_pred": "2 * ({y_pred} - {y})"}


@dataclass(frozen=True)
class MeanSquaredError:
    """L = mean of (y_pred - y)^2 over all samples and outputs. Raises ValueError where the shapes differ."""

    def value(self, y_pred: Array, y: Array) -> Any:
        """The loss: one number, or one for each problem of a stack."""
        return np.mean(_difference(y_pred, y) ** 2, axis=(-2, -1))

    def gradient(self, y_pred: Array, y: Array) -> Array:
        """dy_pred = 2 (y_pred - y) / (N K), of shape (N, K): the mean divides every square by their number."""
        difference = _difference(y_pred, y)
        N, K = y.shape[-2:]
        gradient: Array = 2 * difference / (N * K)
        return gradient

    formulas: ClassVar = {"L": "np.mean(({y_pred} - {y}) ** 2)", "dy_pred": "2 * ({y_pred} - {y}) / {y}.size"}


LOSSES: dict[str, Loss] = {"sum of squares": SumSquaredError(), "mean of squares": MeanSquaredError()}
