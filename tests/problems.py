"""The random problems that the tests try, in floats and in fractions, and when two results count as identical."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

import backprop_lab
from backprop_lab import (
    L2,
    BatchNorm,
    Dropout,
    HalfSquaredError,
    LayerNorm,
    Linear,
    MeanSquaredError,
    Network,
    Problem,
    ReLU,
    Sigmoid,
    SumSquaredError,
)  # fmt: skip
from backprop_lab.step.checking import check_targets
from backprop_lab.step.random_problems import fitting

ACTIVATIONS = tuple(backprop_lab.ACTIVATIONS.values())
LOSSES = tuple(backprop_lab.LOSSES.values())
OPTIMIZERS = tuple(backprop_lab.OPTIMIZERS.values())
SQUARED = tuple(loss for loss in LOSSES if isinstance(loss, SumSquaredError | HalfSquaredError | MeanSquaredError))


def problems():
    return st.integers(0, 2**32 - 1).map(lambda seed: varied_problem(seed).evolve(lr=0.01))


def varied_problem(seed, exact=False):
    """Standard normal numbers in 1 to 4 linear layers, with or without an activation after each; any loss.

    Every second one has equal sizes. The biases are drawn too: at zero bias, a layer that hears nothing from a silent
    one sits at its kink. If exact, a ReLU network of fractions: whatever is computed from them by + - * / is free of
    rounding; drawn as floats, they are so far from any kink that a step of 10^-30 cannot reach it.
    """
    rng = np.random.default_rng(seed)

    def drawn(*shape):
        numbers = rng.standard_normal(shape)
        return np.vectorize(Fraction, otypes=[object])(numbers) if exact else numbers

    depth = int(rng.integers(1, 5))
    samples, *widths = rng.integers(1, 4 if exact else 6, depth + 2).tolist()
    if seed % 2 == 0:
        samples = widths[0] = max(2, widths[0])
        widths = [samples] * len(widths)
    elif seed % 4 == 1:
        samples, widths[-1] = samples + 1, 1
    layers = []
    for at, (D, H) in enumerate(pairwise(widths), 1):
        layers.append(Linear(drawn(D, H), drawn(1, H)))
        if rng.random() < (0.8 if at < depth else 0.2):
            layers.append(ReLU() if exact else ACTIVATIONS[rng.integers(len(ACTIVATIONS))])
    losses = SQUARED if exact else losses_of(widths[-1])
    loss, lr = losses[rng.integers(len(losses))], Fraction(1, 100) if exact else float(10 ** rng.uniform(-6, 1))
    X, y = drawn(samples, widths[0]), drawn(samples, widths[-1])
    if loss.on_probabilities and not layers[-1].learnt:
        layers[-1] = Sigmoid()
    return Problem(Network(fitting(layers, loss)), loss, X, targets_of(loss, y), lr)


def whole_problem(seed):
    """One of these with any penalty and optimizer, with norms and a dropout among its layers or without.

    It is at its first step, or at a later one, where what is remembered is no longer 0.
    """
    p, rng = varied_problem(seed), np.random.default_rng([seed, 1])
    layers = []
    for layer in p.network.layers:
        layers.append(layer)
        norm = (BatchNorm, LayerNorm)[rng.integers(2)]
        numbers = len(p.X) if norm is BatchNorm else getattr(layer, "outputs", 0)  # of a mean: two are always 1 and -1
        if numbers > 2 and isinstance(layer, Linear) and layer is not p.network.layers[-1] and rng.random() < 0.4:
            row = (1, layer.outputs)
            if norm is BatchNorm:  # takes a bias before it off again
                layers[-1] = Linear(layer.W)
            layers.append(norm(rng.standard_normal(row), rng.standard_normal(row)))
        if layer is not p.network.layers[-1] and rng.random() < 0.2:
            layers.append(Dropout(0.3, seed=seed))
    decay = (0.0, 0.05)[rng.integers(2)]
    optimizer = type(OPTIMIZERS[rng.integers(len(OPTIMIZERS))])(decay=decay)
    penalty = (None, L2(0.03))[rng.integers(2)]
    p = Problem(Network(layers), p.loss, p.X, p.y, p.lr, penalty=penalty, optimizer=optimizer)
    if rng.random() < 0.7 and p.state:
        drawn = {name: rng.standard_normal(a.shape) ** 2 for name, a in p.state.items() if name != "step"}
        p = p.evolve(state=drawn | ({"step": int(rng.integers(2, 9))} if "step" in p.state else {}))
    return p


def losses_of(outputs):
    """Those that take so many outputs: those of classes take two or more."""
    return LOSSES if outputs > 1 else tuple(loss for loss in LOSSES if type(loss).__name__ != "SoftmaxCrossEntropy")


def targets_of(loss, y):
    """Targets of the shape of y that a loss takes: the numbers of y, 0 and 1, a 1 in each row, or -1 and 1."""
    for targets in (y, np.float64(y > 0), np.eye(y.shape[1])[y.argmax(axis=1)], np.where(y > 0, 1.0, -1.0)):
        try:
            check_targets(loss, targets)
        except ValueError:
            continue
        return targets
    raise ValueError(f"no targets for {loss}")


def identical(a, b):
    """The same type, shape and bits (so that -0.0 is not 0.0); if some do not count, or there are none, as printed."""
    a, b = np.asarray(a), np.asarray(b)
    same = repr(a.tolist()) == repr(b.tolist()) if a.dtype.char in "OgG" else a.tobytes() == b.tobytes()
    return a.dtype == b.dtype and a.shape == b.shape and same
