"""The layers of a network: each turns an input `X` into an output `Y`, and a gradient `dY` back into `dX`.

A layer is its lines of NumPy, and nothing else: `formulas` has one for each of its results, in which `{X}`, `{W}`,
`{dY}` ... stand for names such as `H1`, `W2`, `dY2`. The docstring above them derives them. `dX` always means
d(loss)/dX and has the shape of `X`. Samples are rows: `X` is (N, D), one sample a row. What the lines give are pure
functions of arrays: no layer remembers what passed through it.

Each backward pass is the chain rule written out for one entry, as in Rumelhart, Hinton and
Williams, "Learning representations by back-propagating errors", Nature 323 (1986) 533-536.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any, ClassVar, Self

import numpy as np

from backprop_lab.nn.lines import Array as Array
from backprop_lab.nn.lines import Part, is_same

FLOATS, WHOLE, NUMBERS = "fc", "iu", "iufcO"  # kinds of dtype; O is of objects, such as fractions


class Layer(Part):
    """What a layer is made of: `formulas`, with a line for `Y`, for `dX`, and for the gradient of each parameter.

    `learnt` names the parameters, such as ("W", "b"), whose gradients are then `dW` and `db`. Before `Y` there may
    be other lines, and after it others for intermediate gradients, such as `dXhat`. The constructor takes the
    parameters in order or by name, then its own numbers, such as a slope. Its output is named by its `letter` and a
    number: Y if it has parameters, H if not, unless it sets another.

    One whose parameters a seed can draw has `redrawn(rng)`, as Linear does: the same layer with others.
    """

    letter: ClassVar[str] = ""
    is_elementwise: ClassVar[bool] = False  # whether each cell of Y comes from the same cell of X, and from no other
    can_die: ClassVar[bool] = False  # whether a unit can give 0 for every sample, and then pass no gradient back
    is_never_negative: ClassVar[bool] = False  # whether its output is always 0 or more
    _around = ("X", "Y")

    def __init__(self, *values: Any, **named: Any) -> None:
        names = (*self.learnt, *self.own_names())
        given = dict(zip(names, values, strict=False)) | named
        if len(values) > len(names) or not given.keys() <= {*names} or any(name not in given for name in self.learnt):
            takes = f"takes {', '.join(names)}" if names else "takes nothing"
            raise TypeError(
                f"{type(self).__name__} {takes}; got {', '.join(map(repr, values)) or ', '.join(named) or 'nothing'}"
            )
        self.__dict__.update(given | {name: as_readonly_array(name, given[name]) for name in self.learnt})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name} {p.shape}' for name, p in self.parameters.items())})"

    @property
    def known_name(self) -> str:
        """Linear, or a name of ACTIVATIONS, for one of ours as it is; "" for any other."""
        if type(self) is Linear:
            return "Linear" if vars(self).keys() == {"W", "b"} else ""
        return next((name for name, ours in ACTIVATIONS.items() if is_same(self, ours)), "")

    @property
    def parameters(self) -> dict[str, Array]:
        """Its parameters by name, read-only."""
        return {name: self.__dict__[name] for name in self.learnt}

    @property
    def is_weighted_sum(self) -> bool:
        """Whether it multiplies its input by `W`, and may add `b`, as its line says."""
        return self.formulas["Y"] in ("{X} @ {W} + {b}", "{X} @ {W}")

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """The same layer with other parameters; whatever a subclass added stays."""
        if not self.learnt:
            return self
        layer = object.__new__(type(self))
        others = {name: parameters[name] for name in self.learnt}
        for name, array in others.items():
            if not can_be_kept(array, self.__dict__[name]):
                others[name] = as_readonly_array(name, array)
        layer.__dict__.update(self.__dict__ | others)
        layer._check_shapes()
        return layer

    def _check_shapes(self) -> None:
        """Raise ValueError where the parameters do not go together."""

    def check_input(self, X: Array) -> None:
        """Raise ValueError where X does not fit the layer."""

    def forward(self, X: Array) -> Array:
        """Y (N, H) for X (N, D); stacks of them, (S, N, D), too. Raises ValueError where X does not fit the layer."""
        self.check_input(X)
        (Y,) = self._results(("Y",), {"X": X, **self.parameters})
        return np.asanyarray(Y)

    def backward(self, X: Array, dY: Array) -> Array:
        """dX (N, D) for what came in, X, and the gradient of what left, dY (N, H)."""
        (dX,) = self._results(("dX",), {"X": X, **self.parameters, "dY": dY})
        return np.asanyarray(dX)

    def gradients(self, X: Array, dY: Array) -> dict[str, Array]:
        """The gradient of each parameter, by the parameter's name."""
        names = tuple(f"d{name}" for name in self.learnt)
        found = self._results(names, {"X": X, **self.parameters, "dY": dY}) if names else []
        return dict(zip(self.learnt, found, strict=True))


def as_readonly_array(name: str, value: Any) -> Array:
    """A read-only copy of `value` as an array, whole numbers as floats, which don't wrap round where they grow large.

    Raises ValueError, naming `name`, if it is not a full table of numbers.
    """
    if is_masked(value):
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


def is_masked(value: Any) -> bool:
    """Whether it is a masked array with a cell that is masked. Who has one has loaded `np.ma`, which takes long."""
    ma: Any = sys.modules.get("numpy.ma")
    return ma is not None and isinstance(value, ma.MaskedArray) and bool(ma.is_masked(value))


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


class Linear(Layer):
    """A fully connected layer: every output is a weighted sum of all inputs, plus a bias, if it has one.

    `X` is (N, D), `W` (D, H) and `b` (1, H): D numbers per sample come in, and H go out, so `Y` and `dY` are (N, H).
    One output is Y[n, h] = sum over d of X[n, d] W[d, h] + b[0, h]. By the chain rule, a gradient is the sum, over all
    outputs that a number has a part in, of their gradients times the slope of each with respect to it.

    So
        dX[n, d] = sum over h of dY[n, h] W[d, h]    every output that X[n, d] feeds
        dW[d, h] = sum over n of X[n, d] dY[n, h]    every sample that W[d, h] weighs
        db[0, h] = sum over n of dY[n, h]            every sample that b[0, h] shifts

    `@` sums over the last index of its left factor and the first of its right one. For dX the sum is over h, which is
    last in both, so `W` is transposed; for dW it is over n, which is first in both, so `X` is. `.mT` is the transpose
    of the last two axes. `keepdims=True` keeps db a row, (1, H), as `b` is. No line divides by N: where the loss is a
    mean, dY has been divided already.

    `W` and `b` are kept read-only. Raises ValueError if `b` is not one row as wide as `W`, or if `X` is not D wide.
    """

    W: Array
    b: Array
    learnt = ("W", "b")
    formulas: ClassVar = {
        "Y": "{X} @ {W} + {b}",
        "dX": "{dY} @ {W}.mT",
        "dW": "{X}.mT @ {dY}",
        "db": "{dY}.sum(axis=0, keepdims=True)",
    }

    def __init__(self, W: Any, b: Any = None) -> None:
        if b is None:  # the same lines, without b and db
            lines = {name: self.formulas[name] for name in ("Y", "dX", "dW")}
            self.__dict__.update(learnt=("W",), formulas=lines | {"Y": lines["Y"].removesuffix(" + {b}")})
        super().__init__(*((W, b)[: len(self.learnt)]))
        self._check_shapes()

    def _check_shapes(self) -> None:
        W = self.W.shape
        if len(W) < 2 or 0 in W:
            raise ValueError(f"W must have shape (inputs, outputs), such as (3, 4); got {W}")
        if "b" not in self.learnt:
            return
        b = self.b.shape
        if b[-2:] != (1, W[-1]):
            sentence = f"b must be one row as wide as W, of shape (1, {W[-1]}); got b {b} for W {W}"
            is_row = len(W) == 2 and self.b.size == W[1]
            raise ValueError(f"{sentence}: np.reshape(b, (1, -1)) makes it so" if is_row else sentence)
        if len(W) > 2 and len(b) > 2 and W[:-2] != b[:-2]:
            raise ValueError(f"a stack has as many b as W; got b {b} for W {W}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.W.shape}"

    @property
    def inputs(self) -> int:
        """D, how many numbers a sample it takes. A network whose layers say so can tell that they do not chain."""
        return int(self.W.shape[-2])

    @property
    def outputs(self) -> int:
        """H, how many numbers a sample it gives."""
        return int(self.W.shape[-1])

    def check_input(self, X: Array) -> None:
        if np.ndim(X) < 2 or X.shape[-1] != self.W.shape[-2]:
            raise ValueError(
                f"X {np.shape(X)} does not fit W {self.W.shape}: X needs shape (samples, {self.W.shape[-2]})"
            )

    def redrawn(self, rng: "np.random.Generator") -> Self:
        """The same layer with another `W`, standard normal numbers divided by the square root of D, and `b` 0.

        So Y has about the same spread as X.
        """
        kind: Any = self.W.dtype if self.W.dtype.kind == "f" else float  # of what is drawn: no fractions
        W = rng.standard_normal((self.inputs, self.outputs)) / math.sqrt(self.inputs)
        zeros = {name: np.zeros(array.shape, kind) for name, array in self.parameters.items()}
        return self.with_parameters({**zeros, "W": W.astype(kind)})


def can_be_kept(array: Any, before: Array) -> bool:
    """Whether an array that takes the place of another is of the same kind, and nobody can write to it."""
    return (
        isinstance(array, np.ndarray)
        and array.dtype is before.dtype
        and array.shape == before.shape
        and array.base is None
        and not array.flags.writeable
    )


class Activation(Layer):
    """A function applied cell by cell: `Y` has the shape of `X`, and there is nothing to learn in it.

    Y[n, h] depends on X[n, h] alone, so the chain rule has one term and no sum: dX is dY times the slope at that cell,
    with `*` and not `@`. Each kind is a frozen dataclass; a number of its own, such as a slope, would be a field.
    """

    is_elementwise = True


@dataclass(frozen=True)
class ReLU(Activation):
    """Rectified linear unit: keeps what is positive and sets the rest to 0.

    The slope of max(x, 0) is 1 for x > 0 and 0 for x < 0; at 0 there is none, and 0 is the usual choice. The mask
    `{Y} > 0` is that slope, as True and False count as 1 and 0; and Y is positive exactly where X is.
    """

    formulas: ClassVar = {"Y": "np.maximum({X}, 0)", "dX": "{dY} * ({Y} > 0)"}
    can_die = is_never_negative = True


@dataclass(frozen=True)
class Tanh(Activation):
    """Hyperbolic tangent: squeezes every number into (-1, 1).

    As tanh = sinh / cosh, its slope is (cosh^2 - sinh^2) / cosh^2 = 1 - tanh^2, and tanh(x) is what has come out: Y.
    """

    formulas: ClassVar = {"Y": "np.tanh({X})", "dX": "{dY} * (1 - {Y}**2)"}


@dataclass(frozen=True)
class Sigmoid(Activation):
    """Logistic function: squeezes every number into (0, 1).

    With s(x) = 1 / (1 + e^-x), the slope is e^-x / (1 + e^-x)^2 = s(x) (1 - s(x)), as 1 - s(x) = e^-x / (1 + e^-x);
    and s(x) is what has come out: Y. For very negative X, e^-x overflows to infinity in silence, and Y comes out as 0,
    which is right to the last digit.
    """

    formulas: ClassVar = {"Y": "1 / (1 + np.exp(-{X}))", "dX": "{dY} * {Y} * (1 - {Y})"}
    is_never_negative = True


ACTIVATIONS: dict[str, Layer] = {"ReLU": ReLU(), "Tanh": Tanh(), "Sigmoid": Sigmoid()}  # by name, as in a menu
