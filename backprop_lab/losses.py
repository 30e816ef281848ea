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
    """What a network asks of a loss.

    One that does not take every y may also have `check_targets(y)`, which raises ValueError with a sentence that says
    why; a Problem calls it with the y that it is given.
    """

    @property
    def formulas(self) -> Mapping[str, str]: ...
    def value(self, y_pred: Array, y: Array) -> Any: ...
    def gradient(self, y_pred: Array, y: Array) -> Array: ...


def _check_shapes(y_pred: Array, y: Array) -> None:
    """Raise ValueError for shapes that would broadcast."""
    if y_pred.ndim < 2 or y_pred.shape[-2:] != y.shape[-2:]:
        raise ValueError(f"y_pred {y_pred.shape} and y {y.shape} must have the same shape (samples, outputs)")


def _difference(y_pred: Array, y: Array) -> Array:
    """y_pred - y, refusing shapes that would broadcast."""
    _check_shapes(y_pred, y)
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
class HalfSquaredError:
    """L = 1/2 sum of (y_pred - y)^2 over all samples and outputs, so that no 2 is left in the gradient.

    Raises ValueError where the shapes differ. Source: Rumelhart, Hinton and Williams (1986), equation 3; many courses
    have it too, such as Mazur, https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/
    """

    def value(self, y_pred: Array, y: Array) -> Any:
        """The loss: one number, or one for each problem of a stack."""
        return np.sum(_difference(y_pred, y) ** 2, axis=(-2, -1)) / 2

    def gradient(self, y_pred: Array, y: Array) -> Array:
        """dy_pred = y_pred - y, of shape (N, K): the 1/2 and the 2 from the square cancel."""
        return _difference(y_pred, y)

    formulas: ClassVar = {"L": "np.sum(({y_pred} - {y}) ** 2) / 2", "dy_pred": "{y_pred} - {y}"}


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


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """L = -sum of y log P over all samples and classes, divided by N; P is the softmax of the scores `y_pred`.

    P = exp(y_pred) / (sum of exp(y_pred) over the classes) turns a sample's row of K scores into K probabilities, and
    each row of y is the probabilities that they should be, as `one_hot` makes them of labels. A row's largest score is
    taken off first, which changes no probability and keeps exp from overflowing, and log P is written without P, which
    may be 0: so all is finite for scores up to 1e300. Raises ValueError where the shapes differ; a Problem also refuses
    targets that are not probabilities. The unit of L is the nat, as the logarithm is the natural one.
    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", in: Neurocomputing,
    Springer (1990) 227-236; Goodfellow, Bengio and Courville, "Deep Learning", MIT Press (2016), section 6.2.2.3.
    """

    def value(self, y_pred: Array, y: Array) -> Any:
        """The loss: one number, or one for each problem of a stack."""
        _check_shapes(y_pred, y)
        Z = _less_their_largest(y_pred)
        logP = Z - np.log(np.exp(Z).sum(axis=-1, keepdims=True))
        return -(y * logP).sum(axis=(-2, -1)) / y.shape[-2]

    def gradient(self, y_pred: Array, y: Array) -> Array:
        """dy_pred = (P - y) / N, of shape (N, K): d log P[n, k] / d y_pred[n, j] = (k == j) - P[n, j], so that
        dL / dy_pred[n, j] = -(sum over k of y[n, k] ((k == j) - P[n, j])) / N, and the y[n, k] add up to 1."""
        _check_shapes(y_pred, y)
        exp = np.exp(_less_their_largest(y_pred))
        P = exp / exp.sum(axis=-1, keepdims=True)
        gradient: Array = (P - y) / y.shape[-2]
        return gradient

    def check_targets(self, y: Array) -> None:
        """Raise ValueError unless y, of shape (N, K) with K > 1, has no negative number and each of its rows adds up
        to 1 within 1e-6."""
        wanted = "the targets of SoftmaxCrossEntropy are probabilities, one row a sample"
        if y.ndim != 2:
            raise ValueError(f"{wanted}; got y of shape {y.shape}: of labels, one_hot(labels) makes such rows")
        if y.shape[1] == 1:
            raise ValueError(
                f"{wanted}; got y of shape {y.shape}, and one score alone always has the probability 1: of labels, "
                f"one_hot(np.ravel(y)) makes rows; where only one class occurs, name the others too, as in "
                f"one_hot(labels, classes=['cat', 'dog'])"
            )
        numbers = np.real(y).astype(float)  # pragma: no mutate: astype(None) makes floats too
        off = np.abs(numbers.sum(axis=1) - 1)
        adds_up = off <= 1e-6  # pragma: no mutate: in binary, no row is off by exactly that
        right = (numbers >= 0).all(axis=1) & adds_up
        if not right.all():
            row = int(np.argmin(right))
            raise ValueError(
                f"{wanted}: none is negative, and a row adds up to 1, as one_hot(labels) gives them; "
                f"row {row} of y is {numbers[row].tolist()}"
            )

    formulas: ClassVar = {
        "Z": "{y_pred} - {y_pred}.max(axis=1, keepdims=True)",
        "P": "np.exp({Z}) / np.exp({Z}).sum(axis=1, keepdims=True)",
        "logP": "{Z} - np.log(np.exp({Z}).sum(axis=1, keepdims=True))",
        "L": "-({y} * {logP}).sum() / len({y})",
        "dy_pred": "({P} - {y}) / len({y})",
    }


def _less_their_largest(scores: Array) -> Array:
    """Scores less the largest of their row. Of complex numbers with equal real parts max takes any; P is the same."""
    difference: Array = scores - scores.max(axis=-1, keepdims=True)
    return difference


LOSSES: dict[str, Loss] = {
    "sum of squares": SumSquaredError(),
    "mean of squares": MeanSquaredError(),
    "half the sum of squares": HalfSquaredError(),
    "cross-entropy after a softmax": SoftmaxCrossEntropy(),
}
