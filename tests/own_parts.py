"""Layers and losses of a reader's own, and a problem with each: the package must treat them like its own."""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from backprop_lab import Network, Problem
from backprop_lab.nn.activations import Activation, ReLU, Tanh
from backprop_lab.nn.layers import Layer, Linear
from backprop_lab.nn.losses import Loss, MeanSquaredError, SumSquaredError


class Dotted(Linear):
    """A Linear with lines of its own for two results; the others are as before."""

    formulas: ClassVar = Linear.formulas | {"Y": "np.dot({X}, {W}) + {b}", "dW": "np.dot({X}.mT, {dY})"}


class WithoutBias(Layer):
    learnt = ("W",)
    formulas: ClassVar = {"Y": "{X} @ {W}", "dX": "{dY} @ {W}.mT", "dW": "{X}.mT @ {dY}"}


class Scale(Layer):
    """Every unit times a number `a` of its own, (1, H), that is learned."""

    learnt = ("a",)
    formulas: ClassVar = {"Y": "{a} * {X}", "dX": "{a} * {dY}", "da": "np.sum({dY} * {X}, axis=0, keepdims=True)"}


class ConcatenatedReLU(Layer):
    """Twice as wide as what comes in: its positive part beside its negative one (Shang et al., 2016)."""

    formulas: ClassVar = {
        "Y": "np.hstack([np.maximum({X}, 0), np.maximum(-{X}, 0)])",
        "dX": "np.hsplit({dY}, 2)[0] * ({X} > 0) - np.hsplit({dY}, 2)[1] * ({X} < 0)",
    }


@dataclass(frozen=True)
class LeakyReLU(Activation):
    slope: float | Fraction = 0.01
    formulas: ClassVar = {"Y": "np.maximum({X}, {slope} * {X})", "dX": "{dY} * np.where({Y} > 0, 1, {slope})"}


class LogOfMath(Activation):
    formulas: ClassVar = {"Y": "np.vectorize(math.log, otypes=[float])({X})", "dX": "{dY} / {X}"}


class Steep(Tanh):
    """Its gradient is a hundredth too large."""

    formulas: ClassVar = Tanh.formulas | {"dX": "1.01 * {dY} * (1 - {Y}**2)"}


class Arctan(Layer):
    """By the `math` of Python; forward it is a comprehension, which takes one matrix at a time and no stack."""

    formulas: ClassVar = {
        "Y": "np.array([[math.atan(x) for x in row] for row in {X}])",
        "dX": "{dY} * np.vectorize(math.cos)({Y}) ** 2",
    }


class Softmax(Layer):
    """Not cell by cell: each unit's output depends on all units of its sample."""

    formulas: ClassVar = {
        "Y": "np.exp({X} - {X}.max(axis=1, keepdims=True)) / "
        "np.exp({X} - {X}.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)",
        "dX": "{Y} * ({dY} - ({dY} * {Y}).sum(axis=1, keepdims=True))",
    }


class Centred(Activation):
    """Not cell by cell: what comes in, less the mean of the batch; so a bias before it changes nothing."""

    formulas: ClassVar = {
        name: f"{{{x}}} - {{{x}}}.mean(axis=0, keepdims=True)" for name, x in (("Y", "X"), ("dX", "dY"))
    }


class BatchNorm(Layer):
    """Each unit less its mean over the batch, in units of its spread there, then scaled and shifted.

    With Xhat = (X - mu) / sqrt(var + eps), a cell of X moves its own cell of Xhat, and all of its column by mu and var:
    dX = (dXhat - mean of dXhat - Xhat * mean of dXhat * Xhat) / sqrt(var + eps), the means over the batch.
    Source: Ioffe and Szegedy, "Batch normalization", 2015, arXiv:1502.03167.
    """

    letter, learnt, eps = "N", ("gamma", "beta"), 1e-5
    formulas: ClassVar = {
        "mu": "{X}.mean(axis=0, keepdims=True)",
        "var": "(({X} - {mu}) ** 2).mean(axis=0, keepdims=True)",
        "Xhat": "({X} - {mu}) / np.sqrt({var} + {eps})",
        "Y": "{gamma} * {Xhat} + {beta}",
        "dXhat": "{dY} * {gamma}",
        "level": "{dXhat}.mean(axis=0, keepdims=True)",
        "slant": "({dXhat} * {Xhat}).mean(axis=0, keepdims=True)",
        "dX": "({dXhat} - {level} - {Xhat} * {slant}) / np.sqrt({var} + {eps})",
        "dgamma": "({dY} * {Xhat}).sum(axis=0, keepdims=True)",
        "dbeta": "{dY}.sum(axis=0, keepdims=True)",
    }


class Masked(Layer):
    """A dropout whose mask is given: what it lets through is divided by the share of what it lets through."""

    formulas: ClassVar = {"Y": "{X} * {mask} / {keep}", "dX": "{dY} * {mask} / {keep}"}


@dataclass
class Huber(Loss):
    """A square up to `delta`, and a straight line beyond it. Not hashable: `delta` can be changed."""

    delta: float = 1.0

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


class BinaryCrossEntropy(Loss):
    """Of probabilities, as most would write it: the mean over all cells."""

    formulas: ClassVar = {
        "L": "-np.mean({y} * np.log({y_pred}) + (1 - {y}) * np.log(1 - {y_pred}))",
        "dy_pred": "({y_pred} - {y}) / ({y_pred} * (1 - {y_pred})) / {y}.size",
    }


class BinaryCrossEntropyOnScores(Loss):
    """The same of scores, with their probabilities as a line before it."""

    formulas: ClassVar = {
        "P": "1 / (1 + np.exp(-{y_pred}))",
        "L": "-np.mean({y} * np.log({P}) + (1 - {y}) * np.log(1 - {P}))",
        "dy_pred": "({P} - {y}) / {y}.size",
    }


def linear(D, H, kind=Linear, seed=0):
    rng = np.random.default_rng(seed)
    return kind(rng.standard_normal((D, H)), rng.standard_normal((1, H)))


def own_problem(*hidden, loss=None, first=None, y=None, before=()):
    """3 samples of 4 numbers, 3 hidden units and 2 outputs, with some parts of one's own."""
    layers, rng = (*before, first or linear(4, 3), *hidden, linear(3, 2, seed=1)), np.random.default_rng(2)
    X, targets = rng.standard_normal((3, 4)), rng.standard_normal((3, 2))
    return Problem(Network(layers), loss or SumSquaredError(), X, targets if y is None else y, 0.01)


NORM = {"gamma": [[1.5, -0.5, 1.0]], "beta": [[0.2, 0.0, -0.1]]}
MASK = np.array([[True, False, True], [True, True, False], [False, True, True]])
SHARED = linear(3, 3, seed=4)
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
    "batch norm": own_problem(BatchNorm(**NORM), Tanh(), first=Linear(linear(4, 3).W)),
    "a mask after a ReLU": own_problem(ReLU(), Masked(mask=MASK, keep=2 / 3)),
    "a norm first": own_problem(ReLU(), before=[BatchNorm([[1.0, 2.0, 0.5, -1.0]], [[0.0, 0.1, 0.0, 0.3]])]),
    "two activations in a row": own_problem(Tanh(), ReLU()),
    "an activation first": own_problem(Tanh(), before=[ReLU()]),
    "a layer in two places": own_problem(ReLU(), SHARED, Tanh(), SHARED),
}
