"""Layers and losses of a reader's own, and a problem with each: the package must treat them like its own."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from backprop_lab import Network, Problem
from backprop_lab.layers import Activation, Linear, ReLU, Tanh
from backprop_lab.losses import MeanSquaredError, SumSquaredError


class Dotted(Linear):
    """A Linear with lines of its own for two results; the others are as before."""

    formulas: ClassVar = Linear.formulas | {"Y": "np.dot({X}, {W}) + {b}", "dW": "np.dot({X}.mT, {dY})"}


class Own:
    """Made of nothing of ours: the parameters are those that it is given by name."""

    def __init__(self, **parameters):
        self.parameters = {name: np.asarray(value) for name, value in parameters.items()}

    def with_parameters(self, parameters):
        return type(self)(**parameters)


class WithoutBias(Own):
    def forward(self, X):
        return X @ self.parameters["W"]

    def backward(self, X, dY):
        return dY @ self.parameters["W"].mT

    def gradients(self, X, dY):
        return {"W": X.mT @ dY}

    formulas: ClassVar = {"Y": "{X} @ {W}", "dX": "{dY} @ {W}.mT", "dW": "{X}.mT @ {dY}"}


class Scale(Own):
    """Every unit times a number `a` of its own, (1, H), that is learned."""

    def forward(self, X):
        return self.parameters["a"] * X

    def backward(self, X, dY):
        return self.parameters["a"] * dY

    def gradients(self, X, dY):
        return {"a": (dY * X).sum(axis=-2, keepdims=True)}

    formulas: ClassVar = {"Y": "{a} * {X}", "dX": "{a} * {dY}", "da": "np.sum({dY} * {X}, axis=0, keepdims=True)"}


class ConcatenatedReLU(Own):
    """Twice as wide as what comes in: its positive part beside its negative one (Shang et al., 2016)."""

    def forward(self, X):
        return np.concatenate([np.maximum(X, 0), np.maximum(-X, 0)], axis=-1)

    def backward(self, X, dY):
        above, below = np.split(dY, 2, axis=-1)
        return above * (X > 0) - below * (X < 0)

    formulas: ClassVar = {
        "Y": "np.hstack([np.maximum({X}, 0), np.maximum(-{X}, 0)])",
        "dX": "np.hsplit({dY}, 2)[0] * ({X} > 0) - np.hsplit({dY}, 2)[1] * ({X} < 0)",
    }


@dataclass(frozen=True)
class LeakyReLU(Activation):
    slope: float | Fraction = 0.01

    def forward(self, X):
        return np.maximum(X, self.slope * X)

    def backward(self, X, dY):
        return np.where(X > 0, dY, self.slope * dY)

    formulas: ClassVar = {"Y": "np.maximum({X}, {slope} * {X})", "dX": "{dY} * np.where({Y} > 0, 1, {slope})"}


class LogOfMath(Activation):
    forward, backward = np.vectorize(math.log, otypes=[float]), staticmethod(lambda X, dY: dY / X)
    formulas: ClassVar = {"Y": "np.vectorize(math.log, otypes=[float])({X})", "dX": "{dY} / {X}"}


class Steep(Tanh):
    """Its gradient is a hundredth too large, in line and method alike."""

    formulas: ClassVar = Tanh.formulas | {"dX": "1.01 * {dY} * (1 - {Y}**2)"}

    def backward(self, X, dY):
        return 1.01 * dY * (1 - self.forward(X) ** 2)


class Arctan:
    """By the `math` of Python; forward it is a comprehension, which takes one matrix at a time and no stack."""

    parameters: ClassVar = {}

    def forward(self, X):
        return np.array([[math.atan(x) for x in row] for row in X])

    def backward(self, X, dY):
        return dY * np.vectorize(math.cos)(self.forward(X)) ** 2

    formulas: ClassVar = {
        "Y": "np.array([[math.atan(x) for x in row] for row in {X}])",
        "dX": "{dY} * np.vectorize(math.cos)({Y}) ** 2",
    }


class Softmax(Activation):
    """Not cell by cell: each unit's output depends on all units of its sample."""

    def forward(self, X):
        e = np.exp(X - X.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def backward(self, X, dY):
        Y = self.forward(X)
        return Y * (dY - (dY * Y).sum(axis=-1, keepdims=True))

    formulas: ClassVar = {
        "Y": "np.exp({X} - {X}.max(axis=1, keepdims=True)) / "
        "np.exp({X} - {X}.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)",
        "dX": "{Y} * ({dY} - ({dY} * {Y}).sum(axis=1, keepdims=True))",
    }


@dataclass
class Huber:
    """A square up to `delta`, and a straight line beyond it. Not hashable: `delta` can be changed."""

    delta: float = 1.0

    def value(self, y_pred, y):
        d = np.abs(y_pred - y)
        return np.where(d <= self.delta, d**2 / 2, self.delta * (d - self.delta / 2)).sum(axis=(-2, -1))

    def gradient(self, y_pred, y):
        return np.clip(y_pred - y, -self.delta, self.delta)

    formulas: ClassVar = {
        "L": "np.sum(np.where(np.abs({y_pred} - {y}) <= {delta}, ({y_pred} - {y}) ** 2 / 2, "
        "{delta} * (np.abs({y_pred} - {y}) - {delta} / 2)))",
        "dy_pred": "np.clip({y_pred} - {y}, -{delta}, {delta})",
    }


class HuberBySample(Huber):
    """The same with lines before L: of truth values, and with one number a sample."""

    formulas: ClassVar = {
        "E": "{y_pred} - {y}",
        "near": "np.abs({E}) <= {delta}",
        "S": "np.sum(np.where({near}, {E} ** 2 / 2, {delta} * (np.abs({E}) - {delta} / 2)), axis=1)",
        "L": "np.sum({S})",
        "dy_pred": "np.where({near}, {E}, {delta} * np.sign({E}))",
    }


class BinaryCrossEntropy:
    """Of probabilities, as most would write it: the mean over all cells."""

    formulas: ClassVar = {
        "L": "-np.mean({y} * np.log({y_pred}) + (1 - {y}) * np.log(1 - {y_pred}))",
        "dy_pred": "({y_pred} - {y}) / ({y_pred} * (1 - {y_pred})) / {y}.size",
    }

    def value(self, y_pred, y):
        return -np.mean(y * np.log(y_pred) + (1 - y) * np.log(1 - y_pred), axis=(-2, -1))

    def gradient(self, y_pred, y):
        return (y_pred - y) / (y_pred * (1 - y_pred)) / y.size


class BinaryCrossEntropyOnScores(BinaryCrossEntropy):
    """The same of scores, with their probabilities as a line before it."""

    formulas: ClassVar = {
        "P": "1 / (1 + np.exp(-{y_pred}))",
        "L": "-np.mean({y} * np.log({P}) + (1 - {y}) * np.log(1 - {P}))",
        "dy_pred": "({P} - {y}) / {y}.size",
    }

    def value(self, y_pred, y):
        return super().value(1 / (1 + np.exp(-y_pred)), y)

    def gradient(self, y_pred, y):
        return (1 / (1 + np.exp(-y_pred)) - y) / y.size


class PlainMean:
    """A mean without an axis, as one would write it: right for one problem, and not for a stack."""

    formulas, gradient = MeanSquaredError.formulas, MeanSquaredError.gradient

    def value(self, y_pred, y):
        return np.mean((y_pred - y) ** 2)


def linear(D, H, kind=Linear, seed=0):
    rng = np.random.default_rng(seed)
    return kind(rng.standard_normal((D, H)), rng.standard_normal((1, H)))


def own_problem(*hidden, loss=None, first=None, y=None):
    """3 samples of 4 numbers, 3 hidden units and 2 outputs, with some parts of one's own."""
    layers, rng = (first or linear(4, 3), *hidden, linear(3, 2, seed=1)), np.random.default_rng(2)
    X, targets = rng.standard_normal((3, 4)), rng.standard_normal((3, 2))
    return Problem(Network(layers), loss or SumSquaredError(), X, targets if y is None else y, 0.01)


OWN_PROBLEMS = {
    "Linear with its own formula": own_problem(ReLU(), first=linear(4, 3, Dotted)),
    "Linear without bias": own_problem(Tanh(), first=WithoutBias(W=linear(4, 3).W)),
    "parameter called a": own_problem(Scale(a=[[0.5, -2.0, 1.5]]), loss=MeanSquaredError()),
    "twice as wide": own_problem(ConcatenatedReLU(), linear(6, 3)),
    "leaky ReLU": own_problem(LeakyReLU(0.2)),
    "arctan by math.atan": own_problem(Arctan()),
    "softmax as an activation": own_problem(Softmax()),
    "Huber": own_problem(ReLU(), loss=Huber(0.75)),
    "Huber by sample": own_problem(ReLU(), loss=HuberBySample(0.75)),
    "mean without an axis": own_problem(ReLU(), loss=PlainMean()),
}
