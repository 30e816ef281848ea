"""The layers of a network: each turns an input `X` into an output `Y`, and a gradient `dY` back into `dX`.

Everything here is a pure function of arrays: no layer remembers what passed through it.
`dX` always means d(loss)/dX and has the shape of `X`. Samples are rows: `X` is (N, D), one
sample a row. Axes in front of those two, as in (S, N, D), are a stack: S problems side by side.

Each backward pass is the chain rule written out for one entry, as in Rumelhart, Hinton and
Williams, "Learning representations by back-propagating errors", Nature 323 (1986) 533-536.
"""

from dataclasses import dataclass
from numbers import Number
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


class Formula(NamedTuple):
    """How one operation is told to a learner; `{X}`, `{W}`, `{dY}` ... stand for names such as `H1`, `W2`, `dY2`.

    A number that an activation has as a field, such as a `slope`, is put in for `{slope}`.
    """

    code: str
    latex: str
    title: str
    sentence: str


class Layer(Protocol):
    """What a network asks of a layer."""

    @property
    def parameters(self) -> dict[str, Array]: ...
    @property
    def formulas(self) -> dict[str, Formula]: ...
    def forward(self, X: Array) -> Array: ...
    def backward(self, X: Array, dY: Array) -> tuple[Array, dict[str, Array]]: ...


def frozen(name: str, value: Any) -> Array:
    """A read-only copy of `value` as an array. Raises ValueError, with `name` in it, if it is not a table of numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a full table of numbers, but its rows differ in length") from None
    if array.dtype.kind not in "iufcO" or (
        array.dtype.kind == "O" and not all(isinstance(v, Number) for v in array.flat)
    ):
        raise ValueError(f"{name} must hold numbers, got {array.dtype}: {value!r}")
    array = array.copy(order="K")  # as it lies: a sweep lays its stacks out for speed
    array.setflags(write=False)
    return array


class Linear:
    """A fully connected layer: every output is a weighted sum of all inputs, plus a bias.

    `W` is (D, H) and `b` is (1, H): D numbers come in, H go out. Both are kept read-only.
    Raises ValueError if `b` is not one row as wide as `W`, or if `X` is not D wide.
    """

    def __init__(self, W: Any, b: Any) -> None:
        self.W = frozen("W", W)
        self.b = frozen("b", b)
        if self.W.ndim < 2 or 0 in self.W.shape:
            raise ValueError(f"W must have shape (inputs, outputs), such as (3, 4); got {self.W.shape}")
        if self.b.shape[-2:] != (1, self.W.shape[-1]):
            raise ValueError(
                f"b must be one row as wide as W, of shape (1, {self.W.shape[-1]}); got b {self.b.shape} for W {self.W.shape}"
            )
        if self.W.ndim > 2 and self.b.ndim > 2 and self.W.shape[:-2] != self.b.shape[:-2]:
            raise ValueError(f"a stack has as many b as W; got b {self.b.shape} for W {self.W.shape}")

    def __repr__(self) -> str:
        return f"Linear{self.W.shape}"

    @property
    def parameters(self) -> dict[str, Array]:
        return {"W": self.W, "b": self.b}

    def forward(self, X: Array) -> Array:
        """Y = X W + b, from (N, D) to (N, H)."""
        if X.ndim < 2 or X.shape[-1] != self.W.shape[-2]:
            raise ValueError(f"X {X.shape} does not fit W {self.W.shape}: X needs shape (samples, {self.W.shape[-2]})")
        return X @ self.W + self.b

    def backward(self, X: Array, dY: Array) -> tuple[Array, dict[str, Array]]:
        """Take dY (N, H) back to dX (N, D), and to dW (D, H) and db (1, H).

        One output is Y[n, h] = sum over d of X[n, d] W[d, h] + b[0, h], so
            dX[n, d] = sum over h of dY[n, h] W[d, h]    every output that X[n, d] fed
            dW[d, h] = sum over n of X[n, d] dY[n, h]    every sample that W[d, h] weighed
            db[0, h] = sum over n of dY[n, h]            every sample that b[0, h] shifted
        """
        dX = dY @ self.W.mT
        return dX, self.gradients(X, dY)

    def gradients(self, X: Array, dY: Array) -> dict[str, Array]:
        """Only dW and db: all that the first layer of a network needs."""
        dW = X.mT @ dY
        db = dY.sum(axis=-2, keepdims=True)
        return {"W": dW, "b": db}

    formulas: ClassVar = {
        "Y": Formula(
            "{X} @ {W} + {b}",
            r"{Y} = {X}\,{W} + {b}",
            "Weighted sums",
            "Every unit takes each sample's row of {X}, weighs it with its own column of {W}, and adds its bias.",
        ),
        "dX": Formula(
            "{dY} @ {W}.mT",
            r"{dX} = {dY}\,{W}^{{\top}}",
            "Gradient for {X}",
            "{X} moved the loss through every output it fed, so {dY} goes back through the same weights {W}, transposed.",
        ),
        "dW": Formula(
            "{X}.mT @ {dY}",
            r"{dW} = {X}^{{\top}}\,{dY}",
            "Gradient for {W}",
            "A weight matters as much as what came in through it times what is asked of its output, added up over the samples.",
        ),
        "db": Formula(
            "{dY}.sum(axis=0, keepdims=True)",
            r"{db} = \sum_n {dY}[n]",
            "Gradient for {b}",
            "A bias shifts its output by the same amount for every sample, so its gradient is the column sum of {dY}.",
        ),
    }


class Activation:
    """A function applied cell by cell: `Y` has the shape of `X`, and there is nothing to learn in it.

    Each kind is a frozen dataclass; its fields are numbers that somebody chose, such as a slope.
    """

    parameters: ClassVar[dict[str, Array]] = {}


@dataclass(frozen=True)
class ReLU(Activation):
    """Rectified linear unit: keeps what is positive, silences the rest. Its slope at 0 is taken as 0."""

    def forward(self, X: Array) -> Array:
        """Y = max(X, 0)."""
        return np.maximum(X, 0)

    def backward(self, X: Array, dY: Array) -> tuple[Array, dict[str, Array]]:
        """dX = dY where the unit was on, 0 where it was off: the slope of max(x, 0) is 1 for x > 0, else 0."""
        return dY * (X > 0), {}

    formulas: ClassVar = {
        "Y": Formula(
            "np.maximum({X}, 0)",
            r"{Y} = \max({X},\,0)",
            "ReLU",
            "A positive number passes unchanged; a negative one becomes 0, and that unit is off for that sample.",
        ),
        # The gate is told through the output, as (Y > 0): it is the same gate, since max(x, 0) > 0 exactly where x > 0.
        "dX": Formula(
            "{dY} * ({Y} > 0)",
            r"{dX} = {dY} \odot [{Y} > 0]",
            "Back through the ReLU",
            "Where the unit was on, the gradient passes unchanged; where it was off, {X} had no effect, so its gradient is 0.",
        ),
    }


@dataclass(frozen=True)
class Tanh(Activation):
    """Hyperbolic tangent: squeezes every number into (-1, 1)."""

    def forward(self, X: Array) -> Array:
        """Y = tanh(X)."""
        return np.tanh(X)

    def backward(self, X: Array, dY: Array) -> tuple[Array, dict[str, Array]]:
        """dX = dY (1 - Y^2): the slope of tanh is 1 - tanh^2."""
        Y = self.forward(X)
        return dY * (1 - Y**2), {}

    formulas: ClassVar = {
        "Y": Formula(
            "np.tanh({X})",
            r"{Y} = \tanh({X})",
            "Tanh",
            "Every number is squeezed into the range from -1 to 1; large ones end up close to the edge.",
        ),
        "dX": Formula(
            "{dY} * (1 - {Y}**2)",
            r"{dX} = {dY} \odot (1 - {Y}^2)",
            "Back through the tanh",
            "The gradient is scaled by the slope of tanh, which is 1 in the middle and fades to 0 where {Y} is near -1 or 1.",
        ),
    }


@dataclass(frozen=True)
class Sigmoid(Activation):
    """Logistic function: squeezes every number into (0, 1)."""

    def forward(self, X: Array) -> Array:
        """Y = 1 / (1 + e^-X). For very negative X the power overflows to infinity, and Y is rightly 0."""
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-X))

    def backward(self, X: Array, dY: Array) -> tuple[Array, dict[str, Array]]:
        """dX = dY Y (1 - Y): the slope of the logistic function is Y (1 - Y)."""
        Y = self.forward(X)
        return dY * Y * (1 - Y), {}

    formulas: ClassVar = {
        "Y": Formula(
            "1 / (1 + np.exp(-{X}))",
            r"{Y} = \frac{{1}}{{1 + e^{{-{X}}}}}",
            "Sigmoid",
            "Every number is squeezed into the range from 0 to 1; large ones end up close to the edge.",
        ),
        "dX": Formula(
            "{dY} * {Y} * (1 - {Y})",
            r"{dX} = {dY} \odot {Y} \odot (1 - {Y})",
            "Back through the sigmoid",
            "The gradient is scaled by the slope of the sigmoid, at most 1/4, which fades to 0 where {Y} is near 0 or 1.",
        ),
    }
