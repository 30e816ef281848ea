"""The loss and every gradient beside autograd's, and cross-entropy beside PyTorch's where that is installed."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
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


def test_cross_entropy_and_its_gradient_are_those_of_pytorch_for_scores_up_to_10_000():
    torch = pytest.importorskip("torch", reason="PyTorch comes with make bench")
    rng, ours, off = np.random.default_rng(0), SoftmaxCrossEntropy(), [0.0, 0.0]
    for number in range(200):
        N, K = (1, 2) if number == 0 else (64, 10) if number == 1 else rng.integers([1, 2], [65, 11])
        scores = rng.uniform(-1, 1, (N, K)) * 10 ** rng.uniform(-3, 4)
        y = np.eye(K)[rng.integers(0, K, N)] if number % 2 else rng.dirichlet(np.ones(K), N)
        theirs = torch.tensor(scores, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(theirs, torch.tensor(y))
        loss.backward()
        off[0] = max(off[0], abs(ours.value(scores, y) - loss.item()) / max(1, abs(loss.item())))
        off[1] = max(off[1], np.max(np.abs(ours.gradient(scores, y) - theirs.grad.numpy())))
    print(f"\n  cross-entropy: {number + 1} problems, {off[0]:.0e} off in the loss, {off[1]:.0e} in dy_pred")  # noqa: T201
    assert max(off) < 1e-12
