"""A problem: everything one training step needs, and good problems to start from."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Real
from typing import Any, cast

import numpy as np

from backprop_lab.layers import Array, Layer, Linear, ReLU, frozen
from backprop_lab.losses import Loss, SumSquaredError
from backprop_lab.network import Network


@dataclass(frozen=True, eq=False)
class Problem:
    """A network, a loss, N samples X (N, D) with their targets y (N, K), and a learning rate lr.

    X and y are kept read-only. Raises ValueError if X is empty or does not fit the network, if y has not
    the shape of the network's output, or if lr is not a positive, finite number.
    """

    network: Network
    loss: Loss
    X: Array
    y: Array
    lr: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", frozen("X", self.X))
        object.__setattr__(self, "y", frozen("y", self.y))
        parameters = list(self.network.parameters.values())
        if any(p.ndim != 2 for p in parameters):
            raise ValueError(f"a problem has one network, not a stack of them; got {self.network}")
        D, K = parameters[0].shape[0], parameters[-1].shape[1]
        if self.X.ndim != 2 or self.X.shape[0] == 0 or self.X.shape[1] != D:
            raise ValueError(f"X must have shape (samples, {D}) with at least one sample; got {self.X.shape}")
        if self.y.shape != (len(self.X), K):
            raise ValueError(f"y must have shape {(len(self.X), K)}, one row of targets a sample; got {self.y.shape}")
        check_learning_rate(self.lr)


def check_learning_rate(lr: Any) -> None:
    """Raise ValueError unless lr is a positive, finite number."""
    if not isinstance(lr, Real) or isinstance(lr, bool) or not 0 < cast(float, lr) <= sys.float_info.max:
        raise ValueError(f"the learning rate must be a positive, finite number such as 0.01; got {lr!r}")


def check_seed(seed: Any) -> None:
    """Raise ValueError unless seed is a whole number, 0 or more."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"the seed must be a whole number, 0 or more, such as 3; got {seed!r}")


def random_problem(
    seed: int,
    samples: int = 2,
    inputs: int = 3,
    hidden: int | Sequence[int] = 4,
    outputs: int = 2,
    lr: float = 1e-3,
    activation: Layer = ReLU(),  # noqa: B008  a ReLU has no state to share
) -> Problem:
    """A problem of standard normal numbers, always the same for the same seed; biases start at zero.

    `hidden` is the width of the hidden layer, or a sequence of widths for a deeper network. Numbers are drawn
    from `np.random.default_rng(seed)` in the order W1, W2, ..., X, y. Raises ValueError if the seed is not
    a whole number from 0 up, if a size is not a whole number from 1 up, or if lr is not positive and finite.
    """
    check_seed(seed)
    hidden = tuple(hidden) if isinstance(hidden, Sequence) else (hidden,)
    for name, size in [
        ("samples", samples),
        ("inputs", inputs),
        *(("hidden", h) for h in hidden),
        ("outputs", outputs),
    ]:
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more; got {size!r}")
    rng = np.random.default_rng(seed)
    widths = (inputs, *hidden, outputs)
    layers: list[Layer] = []
    for D, H in pairwise(widths):
        layers += [Linear(rng.standard_normal((D, H)), np.zeros((1, H))), activation]
    X = rng.standard_normal((samples, inputs))
    y = rng.standard_normal((samples, outputs))
    return Problem(Network(tuple(layers[:-1])), SumSquaredError(), X, y, lr)


def dead_relu(problem: Problem) -> Problem:
    """The same problem with the first hidden unit pushed below zero for every sample: it is off and cannot learn."""
    parameters = problem.network.parameters
    b1 = parameters["b1"].copy()
    b1[0, 0] = -1 - np.max(problem.X @ parameters["W1"][:, :1])
    return replace(problem, network=problem.network.with_parameters(parameters | {"b1": b1}))


def all_active(problem: Problem) -> Problem:
    """The same problem with every hidden bias raised until every unit is on for every sample: no ReLU hides anything."""
    parameters, X = problem.network.parameters, problem.X
    for layer, _, _, number in problem.network.stages[:-1]:
        if isinstance(layer, Linear):
            b = 0.5 - np.min(X @ layer.W, axis=0, keepdims=True)
            parameters[f"b{number}"] = b
            layer = Linear(layer.W, b)
        X = layer.forward(X)
    return replace(problem, network=problem.network.with_parameters(parameters))


def diverging(problem: Problem) -> Problem:
    """The same problem with a learning rate so large that the loss overflows within some hundred steps."""
    return replace(problem, lr=2.0)


def worked_example() -> Problem:
    """The two-layer ReLU network that this package grew out of: 2 samples, 3 inputs, 4 hidden units, 2 outputs.

    It was an unseeded notebook; these inputs, recovered from its printed output to full precision,
    bring back every digit that it printed.
    """
    W1 = [
        [-0.6254502210453391, -0.6707308601593341, -2.560507322207642, -0.53648352258681],
        [0.09981771805424977, 0.703687083024079, 0.13340160454545452, -0.74292811836949],
        [0.9667024108682931, -0.9824324631878844, 0.998489066271419, -0.8078810502071881],
    ]
    W2 = [
        [-1.1430685356191024, -1.1015255940665214],
        [-0.6062985314468713, -1.28553044053064],
        [0.3433115626390285, 1.476039162999638],
        [0.2781172399545555, 1.8896296639932464],
    ]
    X = [
        [-0.1581099223548433, -2.062160996361601, -0.9307661265207111],
        [-1.9501523691578138, 1.0642929769231209, -1.1513507645454544],
    ]
    y = [
        [-2.046718558285749, 1.0079300279403915],
        [0.1286508954545455, -1.9047346306630903],
    ]
    network = Network((Linear(W1, np.zeros((1, 4))), ReLU(), Linear(W2, np.zeros((1, 2)))))
    return Problem(network, SumSquaredError(), np.array(X), np.array(y), lr=1e-6)
