"""The layers of a network: each turns an input `X` into an output `Y`, and a gradient `dY` back into `dX`.

A layer is its lines of NumPy, and nothing else: `formulas` has one for each of its results, in which `{X}`, `{W}`,
`{dY}` ... stand for names such as `H1`, `W2`, `dY2`. The docstring above them derives them. `dX` always means
d(loss)/dX and has the shape of `X`. Samples are rows: `X` is (N, D), one sample a row. What the lines give are pure
functions of arrays: no layer remembers what passed through it.

Each backward pass is the chain rule written out for one entry, as in Rumelhart, Hinton and
Williams, "Learning representations by back-propagating errors", Nature 323 (1986) 533-536.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from backprop_lab.nn.arrays import as_numbers, as_readonly_array, can_be_kept
from backprop_lab.nn.lines import Array as Array
from backprop_lab.nn.lines import Part, check_number, check_seed
from backprop_lab.nn.running import results_of


class Layer(Part):
    """What a layer is made of: `formulas`, with a line for `Y`, for `dX`, and for the gradient of each parameter.

    `learnt` names the parameters, such as ("W", "b"), whose gradients are then `dW` and `db`. Before `Y` there may
    be other lines, and after it others for intermediate gradients, such as `dXhat`. The constructor takes the
    parameters in order or by name, then its own numbers, such as a slope. Its output is named by its `letter` and a
    number: Y if it has parameters, H if not, unless it sets another.

    One whose parameters a seed can draw has `redrawn(rng)`, as Linear does: the same layer with others. One that
    chance has a part in has `drawn(shape, rng)`, as Dropout does: what a step draws for an input X of that shape, which
    its lines call `{mask}`. `rng` depends on its `seed`, its place and the number of the step, and on nothing else.
    """

    letter: ClassVar[str] = ""
    penalised: ClassVar[tuple[str, ...]] = ()  # of what is learnt, what a penalty and a decay make small
    is_elementwise: ClassVar[bool] = False  # whether each cell of Y comes from the same cell of X, and from no other
    can_die: ClassVar[bool] = False  # whether a unit can give 0 for every sample, and then pass no gradient back
    between: ClassVar[tuple[float, float]] = (-math.inf, math.inf)  # what its output never leaves
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
        """Y (N, H) for X (N, D); stacks of them, (S, N, D), too. Raises ValueError where X does not fit the layer.

        A layer that draws, such as Dropout, is left out: X itself comes out, as when a network is used.
        """
        X = as_numbers("X", X)
        self.check_input(X)
        if hasattr(self, "drawn"):
            return X
        (Y,) = results_of(self, ("Y",), {"X": X, **self.parameters})
        return np.asanyarray(Y)

    def backward(self, X: Array, dY: Array) -> Array:
        """dX (N, D) for what came in, X, and the gradient of what left, dY (N, H).

        Raises ValueError where they do not fit, and for a layer that draws: what it has drawn belongs to a step.
        """
        if hasattr(self, "drawn"):
            raise ValueError(f"{self!r} goes back through the mask of a step, which trace(problem) has")
        (dX,) = self._back(("dX",), X, dY)
        return np.asanyarray(dX)

    def gradients(self, X: Array, dY: Array) -> dict[str, Array]:
        """The gradient of each parameter, by the parameter's name. Raises ValueError where X or dY does not fit."""
        found = self._back(tuple(f"d{name}" for name in self.learnt), X, dY)
        return dict(zip(self.learnt, found, strict=True))

    def _back(self, results: tuple[str, ...], X: Array, dY: Array) -> list[Any]:
        """Some results of the backward pass. Raises ValueError where X or dY does not fit."""
        X, Y, dY = as_numbers("X", X), self.forward(X), as_numbers("dY", dY)
        if dY.shape[-2:] != Y.shape[-2:]:
            raise ValueError(f"dY {dY.shape} does not fit Y {Y.shape}: it needs the shape of Y")
        return results_of(self, results, {"X": X, **self.parameters, "dY": dY})


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
    learnt, penalised = ("W", "b"), ("W",)
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
            if len(W) == 2 and self.b.size == W[1]:
                sentence += ": np.reshape(b, (1, -1)) makes it so"
            elif len(W) == 2 and self.b.size == W[0]:
                sentence += f": W.T, of shape {W[::-1]}, fits it, with a row for each input"
            raise ValueError(sentence)
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


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets each number to 0 with the chance `p`, anew in each step, so that no unit can rely on another one.

    The mask has True where a number stays. With the chance 1 - p it does, and then it is divided by 1 - p, so that Y is
    X on average: E[Y] = (1 - p) X / (1 - p). Given the mask, each cell of Y is its cell of X times a number, and so dX
    is dY times the same number: the same mask goes back, not another one.

    The mask is drawn with `seed`, the place of this layer in its network, and the number of the step, and with nothing
    else: so a step can be made again, and all runs of a sweep have the same masks. Where a network is used and not
    trained, Dropout is left out, and nothing needs to be scaled: `Network.forward` does so.
    Raises ValueError if p is not from 0 up and below 1, or the seed is no whole number from 0 up.
    Source: Srivastava and others, "Dropout: a simple way to prevent neural networks from overfitting", Journal of
    Machine Learning Research 15 (2014) 1929-1958; divided in training, as most libraries do, it is "inverted dropout".
    """

    p: Any
    seed: int = 0
    letter, is_elementwise = "D", True
    formulas: ClassVar = {"Y": "{X} * {mask} / (1 - {p})", "dX": "{dY} * {mask} / (1 - {p})"}

    def __post_init__(self) -> None:
        check_number("p", self.p, 1, such_as="0.5")
        check_seed(self.seed)

    def drawn(self, shape: tuple[int, ...], rng: "np.random.Generator") -> Array:
        """The mask: True where a number stays."""
        return np.asarray(rng.random(shape) >= self.p)
