"""Replay: what can be recorded is trained as it is without, and what cannot be recorded is left to the plain way."""

from typing import ClassVar
from unittest import mock

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS

from backprop_lab import ACTIVATIONS, SumSquaredError, Tanh, random_problem, sweeping
from backprop_lab.replaying import Replay, replay_of
from backprop_lab.sweeping import FEW_RUNS

SQUARES = SumSquaredError.formulas["L"]
CANNOT = (
    "shared", "leaky ReLU", "arctan by math.atan", "Huber", "Huber by sample", "mean without an axis", "twice as wide",
)  # fmt: skip


def block(problem):
    """A stack of runs as a sweep trains it, each at another learning rate and with other weights."""
    rng, kind = np.random.default_rng(0), problem.X.dtype
    start = problem.network.parameters.items()
    stack = {name: (p + 0.1 * rng.standard_normal((FEW_RUNS, *p.shape))).astype(kind) for name, p in start}
    X, y = (np.stack([data] * FEW_RUNS) for data in (problem.X, problem.y))
    return stack, X, y, np.geomspace(1e-3, 1e-2, FEW_RUNS, dtype=kind).reshape(-1, 1, 1)


def is_recorded(problem, given):
    stack, *data = given
    network = problem.network.with_parameters(stack)
    return isinstance(replay_of(network, problem.loss, *(each.copy() for each in data)), Replay)


def with_layer(part, **sizes):
    problem = random_problem(0, **sizes)
    first, _, last = problem.network.layers
    return problem.evolve(network=type(problem.network)([first, part, last]))


class Slices(Tanh):
    """Operations that differ in an option alone, and in the place of what they take."""

    def backward(self, X, dY):
        return dY * (dY.sum(axis=-1, keepdims=True) - dY.sum(axis=-2, keepdims=True) + X[..., 1:2] - X[..., :1])


class Shared(Tanh):
    """Looks at a value, so that it is not recorded, and multiplies a stack by what is none, and the other way round."""

    def forward(self, X):
        nothing = X[..., 0] @ np.zeros((1, X.shape[-2], 1))
        return np.tanh(X) @ np.eye(X.shape[-1]) + nothing.sum() if X.max() > -1e9 else X


class RootError(SumSquaredError):
    formulas: ClassVar = {"L": f"np.sqrt({SQUARES})", "dy_pred": f"({{y_pred}} - {{y}}) / np.sqrt({SQUARES})"}

    def value(self, y_pred, y):
        return np.sqrt(super().value(y_pred, y))

    def gradient(self, y_pred, y):
        return (y_pred - y) / self.value(y_pred, y)[..., None, None]


PROBLEMS = {f"{part}": random_problem(1, 5, 3, (3, 3), 3, activation=part) for part in ACTIVATIONS.values()}
PROBLEMS |= OWN_PROBLEMS | {"slices": with_layer(Slices(), samples=2, hidden=2, outputs=1)}  # a loss of the same size
PROBLEMS |= {"shared": with_layer(Shared()), "square": random_problem(1, 3, 3, (3, 3), 3, activation=Tanh())}
PROBLEMS |= {"root": random_problem(1, 2, 2, 2, 1, loss=RootError())}  # of which the gradient takes the loss
STACKED = {name: p for name, p in PROBLEMS.items() if sweeping._can_be_stacked(p)}


@pytest.mark.parametrize("name", STACKED)
def test_what_can_be_recorded_is_replayed_to_the_same_and_what_cannot_is_trained_without(name):
    problem, given = STACKED[name], block(STACKED[name])
    assert is_recorded(problem, given) == (name not in CANNOT)
    parameters, losses = [*sweeping._train_block(problem, *given, 9)][-1][1]
    with mock.patch.object(sweeping, "replay_of", return_value=None) as replay:
        plain, plain_losses = [*sweeping._train_block(problem, *given, 9)][-1][1]
    assert replay.called
    np.testing.assert_allclose(losses, plain_losses, rtol=0, atol=1e-14 * np.abs(plain_losses[:, 0]).max())
    for name, p in plain.items():
        np.testing.assert_allclose(parameters[name], p, rtol=0, atol=1e-13)


def writing(_, X):
    Y = np.tanh(X)
    np.asarray(Y)[..., 0] *= 0.5
    return Y


def elsewhere(_, X):
    Y = np.empty(X.shape)
    np.tanh(X, out=Y)
    return Y


UNSEEN = {
    "writes elsewhere": elsewhere,
    "writes some cells": lambda _, X: np.maximum(X, X, where=np.isfinite(X)),
    "looks at a value": lambda _, X: np.tanh(X) if X.max(keepdims=True) > -1e9 else X,
    "writes into a result": writing,
    "copies": lambda _, X: X + np.asarray(np.tanh(X)).copy(),
}


@pytest.mark.parametrize("forward", UNSEEN.values(), ids=UNSEEN)
def test_a_layer_that_looks_at_values_or_writes_or_copies_them_unseen_is_never_replayed(forward):
    problem = with_layer(type("Unseen", (Tanh,), {"forward": forward})())
    assert not is_recorded(problem, block(problem))
