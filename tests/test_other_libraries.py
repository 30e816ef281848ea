"""The loss and every gradient beside autograd's."""

import autograd
import autograd.numpy as anp
from common import count, off_by
from hypothesis import given, settings
from problems import problems

from backprop_lab import HalfSquaredError, Linear, MeanSquaredError, ReLU, Sigmoid, SoftmaxCrossEntropy, Tanh, trace


def by_autograd(problem):
    """The loss and {"dW1": ...}, from nothing but the forward pass written once more."""
    squash = {ReLU: lambda v: anp.maximum(v, 0), Tanh: anp.tanh, Sigmoid: lambda v: 1 / (1 + anp.exp(-v))}

    def loss(parameters):
        found, value = iter(parameters), problem.X
        for layer in problem.network.layers:
            linear = isinstance(layer, Linear)
            value = anp.dot(value, next(found)) + next(found) if linear else squash[type(layer)](value)
        if isinstance(problem.loss, SoftmaxCrossEntropy):
            return -anp.sum(problem.y * (value - anp.log(anp.sum(anp.exp(value), axis=1, keepdims=True)))) / len(value)
        mean, half = (isinstance(problem.loss, kind) for kind in (MeanSquaredError, HalfSquaredError))
        return (anp.mean if mean else anp.sum)((value - problem.y) ** 2) / (2 if half else 1)

    parameters = list(problem.network.parameters.values())
    return loss(parameters), autograd.grad(loss)(parameters)


def test_loss_and_gradients_are_those_of_another_library():
    in_loss, in_gradients = [], []

    @settings(max_examples=count(500))
    @given(problems())
    def compare(problem):
        t = trace(problem)
        loss, gradients = by_autograd(problem)
        in_loss.append(off_by(t, "L", loss))
        for name, gradient in zip(problem.network.parameters, gradients, strict=True):
            in_gradients.append(off_by(t, f"d{name}", gradient))
        assert max(in_loss + in_gradients) < 1e-14

    compare()
    worst = f"{max(in_loss):.0e} in a loss, {max(in_gradients):.0e} in a gradient"
    print(f"\n  by autograd: {len(in_loss)} networks, largest disagreement {worst}")  # noqa: T201
