"""Replay: what can be recorded is trained as it is without, and what cannot be recorded is left to the plain way."""

import numpy as np
import pytest
from common import in_other_numbers
from own_parts import OWN_PROBLEMS
from problems import ACTIVATIONS, LOSSES, identical

from backprop_lab import Network, SumSquaredError, Tanh, random_problem, sweeping
from backprop_lab.replaying import Replay
from backprop_lab.sweeping import FEW_RUNS

CANNOT = ("leaky ReLU", "arctan by math.atan", "Huber", "Huber by sample", "mean without an axis")


def block(problem):
    """A stack of runs as a sweep trains it, each at another learning rate and with other weights."""
    rng, kind = np.random.default_rng(0), problem.X.dtype
    start = problem.network.parameters.items()
    stack = {name: (p + 0.1 * rng.standard_normal((FEW_RUNS, *p.shape))).astype(kind) for name, p in start}
    X, y = (np.stack([data] * FEW_RUNS) for data in (problem.X, problem.y))
    return stack, X, y, np.geomspace(1e-3, 1e-2, FEW_RUNS, dtype=kind).reshape(-1, 1, 1)


def trained(problem, given):
    *_, (_, (parameters, losses)) = sweeping._train_block(problem, *given, 9)
    return parameters, losses


@pytest.fixture
def replays(monkeypatch):
    made, replay = [], sweeping._replay
    monkeypatch.setattr(sweeping, "_replay", lambda *given: made.append(replay(*given)) or made[-1])
    return made


def is_replayed_to_the_same(problem, replays, monkeypatch):
    given = block(problem)
    before = [array.copy() for array in (*given[0].values(), *given[1:])]
    parameters, losses = trained(problem, given)
    assert all(map(identical, [*given[0].values(), *given[1:]], before)), "what is given stays as it was"
    monkeypatch.setattr(sweeping, "_replay", lambda *_: None)
    plain, plain_losses = trained(problem, given)
    near = 1e-14 if problem.X.dtype == float else 1e-6
    np.testing.assert_allclose(losses, plain_losses, rtol=0, atol=near * np.abs(plain_losses[:, 0]).max())
    for name, p in plain.items():
        np.testing.assert_allclose(parameters[name], p, rtol=0, atol=10 * near)
    return isinstance(replays[-1], Replay)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("kind", [float, np.float32])
def test_every_activation_and_loss_is_replayed_to_the_same_runs(activation, loss, kind, replays, monkeypatch):
    problem = random_problem(1, 5, 3, (3, 3), 3, activation=activation, loss=loss)  # results fit on their operands
    assert is_replayed_to_the_same(in_other_numbers(problem, kind), replays, monkeypatch)
    twice = [[float(replays[0].step(last)[7]) for last in (True, False, False)] for _ in range(2)]
    assert twice[0][0] == twice[0][1] > twice[0][2] > twice[1][0] == twice[1][1], "the losses now, and then a step"


@pytest.mark.parametrize("name", OWN_PROBLEMS)
def test_of_ones_own_parts_what_cannot_be_recorded_is_trained_without(name, replays, monkeypatch):
    if sweeping._can_be_stacked(OWN_PROBLEMS[name]):
        assert is_replayed_to_the_same(OWN_PROBLEMS[name], replays, monkeypatch) == (name not in CANNOT)


class Slices(Tanh):
    """Sums along two axes and parts of the same, as no real activation would."""

    def backward(self, X, dY):
        return dY * (dY.sum(axis=-1, keepdims=True) - dY.sum(axis=-2, keepdims=True) + X[..., 1:2] - X[..., :1])


class RootError(SumSquaredError):
    """Its gradient needs its value again, which is also what is told of a run."""

    def value(self, y_pred, y):
        return np.sqrt(super().value(y_pred, y))

    def gradient(self, y_pred, y):
        return (y_pred - y) / self.value(y_pred, y)[..., None, None]


def test_what_differs_in_an_option_or_in_its_place_alone_is_not_taken_for_the_same(replays, monkeypatch):
    p = random_problem(0, samples=2, hidden=2, outputs=1)  # a loss has the size of other results
    first, _, last = p.network.layers
    network = Network([first, Slices(), last])
    assert is_replayed_to_the_same(p.evolve(network=network, loss=RootError()), replays, monkeypatch)


def writing(X):
    Y = np.tanh(X)
    np.asarray(Y)[..., 0] *= 0.5
    return Y


UNSEEN = {
    "looks at a value": lambda X: np.tanh(X) if X.max(keepdims=True) > -1e9 else X,
    "writes into a result": writing,
    "writes elsewhere": lambda X: np.tanh(X, out=np.empty_like(X)),
    "writes some cells": lambda X: np.add(np.tanh(X), 0.5, where=np.asarray(X) > 0),
    "copies": lambda X: X + np.asarray(np.tanh(X)).copy(),
}


@pytest.mark.parametrize("does", UNSEEN)
def test_a_layer_that_looks_at_values_or_writes_or_copies_them_unseen_is_never_replayed(does):
    p = random_problem(0)
    stack, X, y, lr = block(p)
    first, _, last = p.network.layers
    kind = type("Unseen", (Tanh,), {"forward": lambda self, X: UNSEEN[does](X)})
    for part, recordable in [(Tanh(), True), (kind(), False)]:
        network = Network([first, part, last]).with_parameters(stack)
        replay = sweeping._replay(network, p.loss, X.copy(), y.copy(), lr.copy())
        assert isinstance(replay, Replay) == recordable
