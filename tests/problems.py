"""The random problems that the tests try, in floats and in fractions, and when two results count as identical."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

import backprop_lab
from backprop_lab import Linear, Network, Problem, ReLU, SoftmaxCrossEntropy

ACTIVATIONS = tuple(backprop_lab.ACTIVATIONS.values())
LOSSES = tuple(backprop_lab.LOSSES.values())
SQUARED = tuple(loss for loss in LOSSES if not isinstance(loss, SoftmaxCrossEntropy))  # which take any target


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
    y = y if loss in SQUARED else np.eye(y.shape[1])[y.argmax(axis=1)]  # the largest of each row says which class it is
    return Problem(Network(layers), loss, X, y, lr)


def losses_of(outputs):
    """Those that take so many outputs: probabilities take two or more."""
    return LOSSES if outputs > 1 else SQUARED


def identical(a, b):
    """The same type, shape and bits (so that -0.0 is not 0.0); if some do not count, or there are none, as printed."""
    a, b = np.asarray(a), np.asarray(b)
    same = repr(a.tolist()) == repr(b.tolist()) if a.dtype.char in "OgG" else a.tobytes() == b.tobytes()
    return a.dtype == b.dtype and a.shape == b.shape and same
