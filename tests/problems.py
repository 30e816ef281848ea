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


@st.composite
def problems(draw):
    """Standard normal numbers in networks of 1 to 4 linear layers, with or without an activation after each.

    The biases are drawn too: at zero bias, a layer that hears nothing from a silent one sits at its kink.
    """
    rng, widths = _drawn(draw, up_to=6)
    layers = []
    for shape in pairwise(widths):
        layers.append(Linear(rng.standard_normal(shape), rng.standard_normal((1, shape[1]))))
        layers += draw(st.sampled_from([(), *((activation,) for activation in ACTIVATIONS)]))
    samples = draw(st.integers(1, 6))
    X, y = rng.standard_normal((samples, widths[0])), rng.standard_normal((samples, widths[-1]))
    loss = draw(st.sampled_from(losses_of(widths[-1])))
    return Problem(Network(tuple(layers)), loss, X, fitting(loss, y), lr=0.01)


def losses_of(outputs):
    """Those that take so many outputs: probabilities take two or more."""
    return LOSSES if outputs > 1 else SQUARED


def fitting(loss, y):
    """Numbers as targets: as they are for squared errors, else the largest of each row says which class it is."""
    return y if loss in SQUARED else np.eye(y.shape[1])[y.argmax(axis=1)]


@st.composite
def exact_problems(draw):
    """ReLU networks of fractions: whatever is computed from them by + - * / is free of rounding.

    Drawn as floats, they are so far from any kink that a step of 10^-30 cannot reach it.
    """
    rng, widths = _drawn(draw, up_to=3)

    def fractions(*shape):
        return np.vectorize(Fraction, otypes=[object])(rng.standard_normal(shape))

    linear = [Linear(fractions(*shape), fractions(1, shape[1])) for shape in pairwise(widths)]
    layers = [part for layer in linear for part in (layer, ReLU())][:-1]
    samples = draw(st.integers(1, 3))
    X, y = fractions(samples, widths[0]), fractions(samples, widths[-1])
    return Problem(Network(layers), draw(st.sampled_from(SQUARED)), X, y, lr=Fraction(1, 100))


def _drawn(draw, up_to):
    """A generator of numbers, and the sizes between and around 1 to 4 linear layers."""
    rng, depth = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.integers(1, 4))
    return rng, draw(st.lists(st.integers(1, up_to), min_size=depth + 1, max_size=depth + 1))


def varied_problem(seed):
    """Up to four linear layers, any activation and loss, biases that are not 0; every second one has equal sizes."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 4))
    samples, *widths = rng.integers(1, 6, depth + 2).tolist()
    if seed % 2 == 0:
        samples = widths[0] = max(2, widths[0])
        widths = [samples] * len(widths)
    elif seed % 4 == 1:
        samples, widths[-1] = samples + 1, 1
    layers = []
    for D, H in pairwise(widths):
        layers.append(Linear(rng.standard_normal((D, H)), rng.standard_normal((1, H))))
        if len(layers) < 2 * depth - 1 or rng.random() < 0.2:
            layers.append(ACTIVATIONS[rng.integers(len(ACTIVATIONS))])
    lr = float(10 ** rng.uniform(-6, 1))
    X, y = rng.standard_normal((samples, widths[0])), rng.standard_normal((samples, widths[-1]))
    losses = losses_of(widths[-1])
    loss = losses[rng.integers(len(losses))]
    return Problem(Network(tuple(layers)), loss, X, fitting(loss, y), lr)


def identical(a, b):
    """The same type, shape and bits (so that -0.0 is not 0.0); for fractions, which have no bits, the same numbers."""
    a, b = np.asarray(a), np.asarray(b)
    same = a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()
    return a.dtype == b.dtype and a.shape == b.shape and same


def is_exact(array):
    """No float has crept in."""
    return all(isinstance(number, int | Fraction) for number in np.ravel(np.asarray(array, dtype=object)))
