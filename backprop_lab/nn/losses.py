"""The losses: one number that says how far `y_pred` is from `y`, and its gradient with respect to `y_pred`.

Shapes: `y_pred` and `y` are both (N, K), N samples of K outputs, and must be equal: (N,) against (N, 1)
would silently broadcast to (N, N). Axes in front are a stack of problems; `value` then gives one loss for each.
"""

from typing import Any, ClassVar

import numpy as np

from backprop_lab.nn.arrays import as_numbers, first_true
from backprop_lab.nn.lines import Array, Part
from backprop_lab.nn.running import results_of


class Loss(Part):
    """What a loss is made of: `formulas`, with a line for `L` and one for `dy_pred`.

    Before `L` there may be others, such as one for probabilities `P`, that those after them use. A loss that does not
    take every y may have `check_targets(y)`, which raises ValueError with a sentence that says why; a Problem calls it
    with the y that it is given.
    """

    on_probabilities: ClassVar[bool] = False  # whether y_pred must be from 0 to 1, as what leaves a Sigmoid is
    _around = ("y_pred", "y")

    def value(self, y_pred: Array, y: Array) -> Any:
        """The loss: one number, or one for each problem of a stack. Raises ValueError where the shapes differ.

        Likewise where the loss takes probabilities, and something else is given.
        """
        y_pred, y = self._checked(y_pred, y)
        (L,) = results_of(self, ("L",), {"y_pred": y_pred, "y": y})
        return L

    def gradient(self, y_pred: Array, y: Array) -> Array:
        """dy_pred, of shape (N, K). Raises ValueError where the shapes differ."""
        y_pred, y = self._checked(y_pred, y)
        (dy_pred,) = results_of(self, ("dy_pred",), {"y_pred": y_pred, "y": y})
        return np.asanyarray(dy_pred)

    def _checked(self, y_pred: Any, y: Any) -> tuple[Array, Array]:
        y_pred, y = as_numbers("y_pred", y_pred), as_numbers("y", y)
        self.check_shapes(y_pred, y)
        if self.on_probabilities:
            self.check_predictions(y_pred)
            if check_targets := getattr(self, "check_targets", None):
                check_targets(y)
        return y_pred, y

    def check_predictions(self, y_pred: Array) -> None:
        """Raise ValueError, naming the first, for a prediction that is no probability where the loss takes these."""
        if self.on_probabilities and not (right := (y_pred >= 0) & (y_pred <= 1)).all():
            at = first_true(~right)
            raise ValueError(
                f"{self!r} takes probabilities, from 0 to 1, and y_pred{list(at)} is {y_pred[at]}: let the last layer "
                "be a Sigmoid(), or take SigmoidCrossEntropy() for scores"
            )

    def check_shapes(self, y_pred: Array, y: Array) -> None:
        """Raise ValueError for shapes that would broadcast."""
        if np.ndim(y_pred) < 2 or y_pred.shape[-2:] != np.shape(y)[-2:]:
            raise ValueError(
                f"y_pred {np.shape(y_pred)} and y {np.shape(y)} must have the same shape (samples, outputs)"
            )


class SumSquaredError(Loss):
    """L = sum of (y_pred - y)^2 over all samples and outputs.

    Each square depends on its own entry alone, so one term of the sum is left; with u = y_pred - y, the slope of u^2
    is 2 u.
    """

    formulas: ClassVar = {"L": "np.sum(({y_pred} - {y}) ** 2)", "dy_pred": "2 * ({y_pred} - {y})"}


class HalfSquaredError(Loss):
    """L = 1/2 sum of (y_pred - y)^2 over all samples and outputs.

    As in SumSquaredError, but the 1/2 and the 2 from the square cancel.
    Source: Rumelhart, Hinton and Williams (1986), equation 3; many courses have it too, such as
    Mazur, https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/
    """

    formulas: ClassVar = {"L": "np.sum(({y_pred} - {y}) ** 2) / 2", "dy_pred": "{y_pred} - {y}"}


class MeanSquaredError(Loss):
    """L = mean of (y_pred - y)^2 over all samples and outputs.

    As in SumSquaredError, but `np.mean` divides by the number of squares, N K, which is `y.size`.
    """

    formulas: ClassVar = {"L": "np.mean(({y_pred} - {y}) ** 2)", "dy_pred": "2 * ({y_pred} - {y}) / {y}.size"}


class SoftmaxCrossEntropy(Loss):
    """L = -sum of y log P over all samples and classes, divided by N; P is the softmax of the scores `y_pred`.

    P[n, k] = exp(y_pred[n, k]) / (sum over i of exp(y_pred[n, i])) turns a sample's row of K scores into K
    probabilities, and each row of y holds the probabilities that they should be, such as `one_hot` makes from labels.
    Z is the scores less the largest of their row, which cancels from P and keeps exp from overflowing. Then logP is Z
    less the logarithm of a sum that is at least 1, and finite even where P rounds to 0. The sum over classes is the
    loss of a sample, and L the mean of these.

    The slope of log P[n, k] for the score y_pred[n, j] is (1 if k is j, else 0) - P[n, j], since that of the logarithm
    of the sum over i is exp(y_pred[n, j]) divided by the sum.

    So, as the y[n, k] of a sample add up to 1,
        dy_pred[n, j] = -(sum over k of y[n, k] ((1 if k is j, else 0) - P[n, j])) / N = (P[n, j] - y[n, j]) / N

    All is finite for scores up to 1e300. The unit of L is the nat, as the logarithm is the natural one. A Problem
    refuses targets that are not probabilities.
    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", in: Neurocomputing,
    Springer (1990) 227-236; Goodfellow, Bengio and Courville, "Deep Learning", MIT Press (2016), section 6.2.2.3.
    """

    formulas: ClassVar = {
        "Z": "{y_pred} - {y_pred}.max(axis=1, keepdims=True)",
        "P": "np.exp({Z}) / np.exp({Z}).sum(axis=1, keepdims=True)",
        "logP": "{Z} - np.log(np.exp({Z}).sum(axis=1, keepdims=True))",
        "L": "-({y} * {logP}).sum() / len({y})",
        "dy_pred": "({P} - {y}) / len({y})",
    }

    def check_targets(self, y: Array) -> None:
        """Raise ValueError unless y, of shape (N, K) with K > 1, has no negative number and each of its rows adds up
        to 1 within 1e-6."""
        wanted = "the targets of SoftmaxCrossEntropy are probabilities, one row a sample"
        if y.ndim != 2:
            raise ValueError(f"{wanted}; got y of shape {y.shape}: one_hot(labels) makes such rows from labels")
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


class _BinaryCrossEntropy(Loss):
    """What both forms share: their targets."""

    def check_targets(self, y: Array) -> None:
        """Raise ValueError unless each number of y is from 0 to 1."""
        numbers = np.real(y).astype(float)
        right = (numbers >= 0) & (numbers <= 1)
        if not right.all():
            at = first_true(~right)
            raise ValueError(
                f"the targets of {type(self).__name__} are probabilities, from 0 to 1, such as 0 for no and 1 for yes; "
                f"y{list(at)} is {numbers[at]}"
            )


class BinaryCrossEntropy(_BinaryCrossEntropy):
    """L = -mean of y log P + (1 - y) log(1 - P) over all samples and outputs; P is the probability `y_pred`.

    Each output answers a question of its own with yes or no, and y says how likely a yes should be: mostly 1 or 0. What
    counts is the logarithm of the probability that is given to the right answer. logQ is that of a no, 1 - P.

    The slope of log P is 1 / P, and that of log(1 - P) is -1 / (1 - P); each entry is one of N K in the mean. So
        dy_pred = -(y / P - (1 - y) / (1 - P)) / (N K) = (P - y) / (P (1 - P)) / (N K)

    since y (1 - P) - (1 - y) P = y - P over the common denominator.

    Probabilities come out of a Sigmoid; numbers outside of 0 to 1 are refused, as predictions and as targets. Where
    one is 0 or 1 to the last digit, one of its logarithms is infinite, and L is so too, or no number:
    SigmoidCrossEntropy, which takes scores, has no such limit. Source: Goodfellow, Bengio and Courville, "Deep
    Learning", MIT Press (2016), section 6.2.2.2; the mean over all is that of PyTorch's BCELoss.
    """

    on_probabilities = True
    formulas: ClassVar = {
        "logP": "np.log({y_pred})",
        "logQ": "np.log(1 - {y_pred})",
        "L": "-np.mean({y} * {logP} + (1 - {y}) * {logQ})",
        "dy_pred": "({y_pred} - {y}) / ({y_pred} * (1 - {y_pred})) / {y}.size",
    }


class SigmoidCrossEntropy(_BinaryCrossEntropy):
    """BinaryCrossEntropy of P = the sigmoid of the scores `y_pred`, with a loss that is finite however sure they are.

    Each score s stands for the probability P = 1 / (1 + e^-s). Its logarithm is -log(e^0 + e^-s), and that of 1 - P is
    -log(e^0 + e^s). `np.logaddexp(0, s)` is log(e^0 + e^s) without a power that overflows: the larger of the two, s or
    0, plus log(1 + e^-a), where a is the size of s. So both are finite for scores up to 1e300, where P itself rounds to
    0 or 1.

    By the chain rule the gradient is that of BinaryCrossEntropy, (P - y) / (P (1 - P)) / (N K), times the slope of the
    sigmoid, P (1 - P), which cancels, and what is left is dy_pred = (P - y) / (N K).

    A Problem refuses targets that are not from 0 to 1. The mean over all is that of PyTorch's BCEWithLogitsLoss.
    Source: Goodfellow, Bengio and Courville, "Deep Learning", MIT Press (2016), section 6.2.2.2.
    """

    formulas: ClassVar = {
        "P": "1 / (1 + np.exp(-{y_pred}))",
        "logP": "-np.logaddexp(0, -{y_pred})",
        "logQ": "-np.logaddexp(0, {y_pred})",
        "L": "-np.mean({y} * {logP} + (1 - {y}) * {logQ})",
        "dy_pred": "({P} - {y}) / {y}.size",
    }


LOSSES: dict[str, Loss] = {
    "sum of squares": SumSquaredError(),
    "mean of squares": MeanSquaredError(),
    "half the sum of squares": HalfSquaredError(),
    "cross-entropy after a softmax": SoftmaxCrossEntropy(),
    "binary cross-entropy": BinaryCrossEntropy(),
    "cross-entropy after a sigmoid": SigmoidCrossEntropy(),
}
