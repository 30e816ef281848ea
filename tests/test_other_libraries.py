"""The loss and every gradient compared with automatic differentiation: autograd, and PyTorch where it is installed."""

import importlib.util

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from problems import problems

from backprop_lab import Linear, MeanSquaredError, ReLU, Sigmoid, Tanh, trace

HAS_PYTORCH = importlib.util.find_spec("torch") is not None


def by_autograd(problem):
    """The loss and {"dW1": ...}, from nothing but the forward pass written once more."""
    squash = {ReLU: lambda v: anp.maximum(v, 0), Tanh: anp.tanh, Sigmoid: lambda v: 1 / (1 + anp.exp(-v))}

    def loss(parameters):
        found, value = iter(parameters), problem.X
        for layer in problem.network.layers:
            linear = isinstance(layer, Linear)
            value = anp.dot(value, next(found)) + next(found) if linear else squash[type(layer)](value)
        return (anp.mean if isinstance(problem.loss, MeanSquaredError) else anp.sum)((value - problem.y) ** 2)

    parameters = list(problem.network.parameters.values())
    return loss(parameters), autograd.grad(loss)(parameters)


def by_pytorch(problem):
    import torch

    squash = {ReLU: torch.relu, Tanh: torch.tanh, Sigmoid: torch.sigmoid}
    parameters = [torch.tensor(p, requires_grad=True) for p in problem.network.parameters.values()]
    found, value = iter(parameters), torch.tensor(problem.X)
    for layer in problem.network.layers:
        value = value @ next(found) + next(found) if isinstance(layer, Linear) else squash[type(layer)](value)
    reduction = "mean" if isinstance(problem.loss, MeanSquaredError) else "sum"
    loss = torch.nn.functional.mse_loss(value, torch.tensor(problem.y), reduction=reduction)
    loss.backward()
    return loss.item(), [p.grad.numpy() for p in parameters]


@pytest.mark.parametrize(
    "other",
    [
        by_autograd,
        pytest.param(by_pytorch, marks=pytest.mark.skipif(not HAS_PYTORCH, reason="PyTorch comes with make bench")),
    ],
)
def test_loss_and_gradients_are_those_of_another_library(other):
    worst = {"loss": 0.0, "gradients": 0.0}

    @settings(max_examples=200)
    @given(problems())
    def compare(problem):
        t = trace(problem)
        loss, gradients = other(problem)
        worst["loss"] = max(worst["loss"], abs(loss - t["L"]) / max(1, abs(t["L"])))
        for name, gradient in zip(problem.network.parameters, gradients, strict=True):
            size = max(1, np.max(np.abs(gradient)))
            worst["gradients"] = max(worst["gradients"], np.max(np.abs(t[f"d{name}"] - gradient)) / size)

    compare()
    print(  # noqa: T201
        f"\n  {other.__name__}: largest disagreement "
        f"{worst['loss']:.0e} in a loss, {worst['gradients']:.0e} in a gradient"
    )
    assert max(worst.values()) < 1e-13
