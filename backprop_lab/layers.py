"""The layers of a network: each turns an input `X` into an output `Y`, and a gradient `dY` back into `dX`.

Everything here is a pure function of arrays: no layer remembers what passed through it.
`dX` always means d(loss)/dX and has the shape of `X`. Samples are rows: `X` is (N, D), one
sample a row. Axes in front of those two, as in (S, N, D), are a stack: S problems side by side.

Besides its methods, a layer writes each of its results as a line of NumPy, in `formulas`. There `{X}`, `{W}`,
`{dY}` ... stand for names such as `H1`, `W2`, `dY2`, and `{slope}` for a number that the layer has as an attribute.

Each backward pass is the chain rule written out for one entry, as in Rumelhart, Hinton and
Williams, "Learning representations by back-propagating errors", Nature 323 (1986) 533-536.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any, ClassVar, Protocol, Self

import numpy as np

Array = np.ndarray[Any, Any]
FLOATS, WHOLE, NUMBERS = "fc", "iu", "iufcO"  # kinds of dtype; O is of objects, such as fractions


class Layer(Protocol):
    """What a network asks of a layer; the last two only of one that has parameters.

    One whose parameters a seed can draw may also have `redrawn(rng)`, as Linear does: the same layer with others.
    """

    @property
    def parameters(self) -> Mapping[str, Array]: ...
    @property
    def formulas(self) -> Mapping[str, str]: ...
    def forward(self, X: Array) -> Array: ...
    def backward(self, X: Array, dY: Array) -> Array: ...
    def gradients(self, X: Array, dY: Array) -> Mapping[str, Array]: ...
    def with_parameters(self, parameters: Mapping[str, Any]) -> Self: ...


def as_readonly_array(name: str, value: Any) -> Array:
    """A read-only copy of `value` as an array, whole numbers as floats, which don't wrap round where they grow large.

    Raises ValueError, naming `name`, if it is not a full table of numbers.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} must hold a number in every cell, but some are masked: fill them first")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a full table of numbers, but its rows differ in length") from None
    of_objects = array.dtype.kind == "O"
    if array.dtype.kind not in NUMBERS or (of_objects and not all(isinstance(v, Number) for v in array.flat)):
        raise ValueError(f"{name} must hold numbers, got {array.dtype}: {_no_numbers(name, value, array)}")
    if of_objects and any(isinstance(v, float) for v in array.flat) and all(map(_is_plain, array.flat)):
        array = array.astype(float)  # a column of True and False among floats  # pragma: no mutate  None is float
    kind = np.result_type(array, np.float32) if array.dtype.kind in WHOLE else array.dtype  # int64 becomes float64
    array = array.astype(kind)  # a copy, in the same memory layout: a sweep chooses one for speed
    array.setflags(write=False)
    return array


def _is_plain(number: Any) -> bool:
    return isinstance(number, float | int | np.bool | np.integer)


def _no_numbers(name: str, value: Any, array: Array) -> str:
    """What there is in place of numbers, and the line that makes numbers of it or leaves it out."""
    if array.dtype.kind == "O" and array.ndim == 2:
        wrong = np.array([[not isinstance(v, Number) for v in row] for row in array])
        row, column = np.argwhere(wrong)[0]
        names = getattr(value, "columns", None)  # of a DataFrame
        columns = list(range(array.shape[1])) if names is None else list(names)
        kept = [each for each, column_of in zip(columns, wrong.T, strict=True) if not column_of.any()]
        found = f"in row {row} of column {columns[column]!r} stands {array[row, column]!r}"
        matrix = name if isinstance(value, np.ndarray) else f"np.array({name})"
        chosen = f"{matrix}[:, {kept}].astype(float)" if names is None else f"{name}[{kept}]"
        return f"{found}. {chosen} leaves such columns out." if kept else found
    if array.dtype.kind == "b":
        return f"{value!r}. np.asarray({name}, float) makes 0 and 1 of them."
    if array.dtype.kind == "U" and array.ndim == 1 and array.size:
        return f"{value!r}. one_hot({name}) makes a row of 0 and 1 of each name."
    return repr(value)


class Linear:
    """A fully connected layer: every output is a weighted sum of all inputs, plus a bias.

    `W` is (D, H) and `b` is (1, H): D numbers come in, H go out. Both are kept read-only.
    Raises ValueError if `b` is not one row as wide as `W`, or if `X` is not D wide.
    """

    def __init__(self, W: Any, b: Any) -> None:
        self.W = as_readonly_array("W", W)
        self.b = as_readonly_array("b", b)
        self._check_shapes()

    def _check_shapes(self) -> None:
        W, b = self.W.shape, self.b.shape
        if len(W) < 2 or 0 in W:
            raise ValueError(f"W must have shape (inputs, outputs), such as (3, 4); got {W}")
        if b[-2:] != (1, W[-1]):
            sentence = f"b must be one row as wide as W, of shape (1, {W[-1]}); got b {b} for W {W}"
            is_row = len(W) == 2 and self.b.size == W[1]
            raise ValueError(f"{sentence}: np.reshape(b, (1, -1)) makes it so" if is_row else sentence)
        if len(W) > 2 and len(b) > 2 and W[:-2] != b[:-2]:
            raise ValueError(f"a stack has as many b as W; got b {b} for W {W}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.W.shape}"

    @property
    def parameters(self) -> dict[str, Array]:
        return {"W": self.W, "b": self.b}

    @property
    def inputs(self) -> int:
        """D, how many numbers a sample it takes. A network whose layers say so can tell that they do not chain."""
        return int(self.W.shape[-2])

    @property
    def outputs(self) -> int:
        """H, how many numbers a sample it gives."""
        return int(self.W.shape[-1])

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """The same layer with another `W` and `b`; whatever a subclass added stays."""
        W, b = parameters["W"], parameters["b"]
        layer = object.__new__(type(self))
        if _can_be_kept(W, self.W) and _can_be_kept(b, self.b):  # as in every update
            layer.__dict__.update(self.__dict__, W=W, b=b)
        else:
            layer.__dict__.update(self.__dict__, W=as_readonly_array("W", W), b=as_readonly_array("b", b))
            layer._check_shapes()
        return layer

    def redrawn(self, rng: np.random.Generator) -> Self:
        """The same layer with another `W`, standard normal numbers divided by the square root of D, and `b` 0."""
        kind: Any = self.W.dtype if self.W.dtype.kind == "f" else float  # of what is drawn: no fractions
        W = rng.standard_normal((self.inputs, self.outputs)) / math.sqrt(self.inputs)
        return self.with_parameters({**self.parameters, "W": W.astype(kind), "b": np.zeros(self.b.shape, kind)})

    def forward(self, X: Array) -> Array:
        """Y = X W + b, from (N, D) to (N, H)."""
        if X.ndim < 2 or X.shape[-1] != self.W.shape[-2]:
            raise ValueError(f"X {X.shape} does not fit W {self.W.shape}: X needs shape (samples, {self.W.shape[-2]})")
        return X @ self.W + self.b

    def backward(self, X: Array, dY: Array) -> Array:
        """Take dY (N, H) back to dX (N, D).

        One output is Y[n, h] = sum over d of X[n, d] W[d, h] + b[0, h], so
            dX[n, d] = sum over h of dY[n, h] W[d, h]    every output that X[n, d] feeds
        """
        return dY @ self.W.mT

    def gradients(self, X: Array, dY: Array) -> dict[str, Array]:
        """dW (D, H) and db (1, H).

        From the same sum,
            dW[d, h] = sum over n of X[n, d] dY[n, h]    every sample that W[d, h] weighs
            db[0, h] = sum over n of dY[n, h]            every sample that b[0, h] shifts
        """
        return {"W": X.mT @ dY, "b": dY.sum(axis=-2, keepdims=True)}

    formulas: ClassVar = {
        "Y": "{X} @ {W} + {b}",
        "dX": "{dY} @ {W}.mT",
        "dW": "{X}.mT @ {dY}",
        "db": "{dY}.sum(axis=0, keepdims=True)",
    }


def _can_be_kept(array: Any, before: Array) -> bool:
    """Whether an array that takes the place of another is of the same kind, and nobody can write to it."""
    return (
        isinstance(array, np.ndarray)
        and array.dtype is before.dtype
        and array.shape == before.shape
        and array.base is None
        and not array.flags.writeable
    )


class Activation:
    """A function applied cell by cell: `Y` has the shape of `X`, and there is nothing to learn in it.

    Each kind is a frozen dataclass; its fields are numbers that somebody chose, such as a slope.
    """

    parameters: ClassVar[dict[str, Array]] = {}

    def gradients(self, X: Array, dY: Array) -> dict[str, Array]:
        return {}

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        return self


@dataclass(frozen=True)
class ReLU(Activation):
    """Rectified linear unit: keeps what is positive and sets the rest to 0. Its slope at 0 is taken as 0."""

    def forward(self, X: Array) -> Array:
        """Y = max(X, 0)."""
        return np.maximum(X, 0)

    def backward(self, X: Array, dY: Array) -> Array:
        """dX = dY where the unit was on, 0 where it was off: the slope of max(x, 0) is 1 for x > 0, else 0."""
        dX: Array = dY * (X > 0)
        return dX

    # The mask is written in terms of Y: max(x, 0) > 0 exactly where x > 0.
    formulas: ClassVar = {"Y": "np.maximum({X}, 0)", "dX": "{dY} * ({Y} > 0)"}


@dataclass(frozen=True)
class Tanh(Activation):
    """Hyperbolic tangent: squeezes every number into (-1, 1)."""

    def forward(self, X: Array) -> Array:
        """Y = tanh(X)."""
        return np.tanh(X)

    def backward(self, X: Array, dY: Array) -> Array:
        """dX = dY (1 - Y^2): the slope of tanh is 1 - tanh^2."""
        Y = self.forward(X)
        dX: Array = dY * (1 - Y**2)
        return dX

    formulas: ClassVar = {"Y": "np.tanh({X})", "dX": "{dY} * (1 - {Y}**2)"}


@dataclass(frozen=True)
class Sigmoid(Activation):
    """Logistic function: squeezes every number into (0, 1)."""

    def forward(self, X: Array) -> Array:
        """Y = 1 / (1 + e^-X). For very negative X the power overflows to infinity, and Y is rightly 0."""
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-X))

    def backward(self, X: Array, dY: Array) -> Array:
        """dX = dY Y (1 - Y): the slope of the logistic function is Y (1 - Y)."""
        Y = self.forward(X)
        dX: Array = dY * Y * (1 - Y)
        return dX

    formulas: ClassVar = {"Y": "1 / (1 + np.exp(-{X}))", "dX": "{dY} * {Y} * (1 - {Y})"}


ACTIVATIONS: dict[str, Layer] = {"ReLU": ReLU(), "Tanh": Tanh(), "Sigmoid": Sigmoid()}  # by name, as in a menu
