"""Replay: what can be recorded is trained as it is without, and what cannot be recorded is left to the plain way."""

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS
from problems import ACTIVATIONS, LOSSES

from backprop_lab import Network, Tanh, random_problem, sweeping
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
    return [*sweeping._train_block(problem, *given, 9)][-1][1]


@pytest.fixture
def replays(monkeypatch):
    made, replay = [], sweeping._replay
    monkeypatch.setattr(sweeping, "_replay", lambda *given: made.append(replay(*given)) or made[-1])
    return made


def is_replayed_to_the_same(problem, replays, monkeypatch):
    given = block(problem)
    parameters, losses = trained(problem, given)
    monkeypatch.setattr(sweeping, "_replay", lambda *_: None)
    plain, plain_losses = trained(problem, given)
    np.testing.assert_allclose(losses, plain_losses, rtol=0, atol=1e-14 * np.abs(plain_losses[:, 0]).max())
    for name, p in plain.items():
        np.testing.assert_allclose(parameters[name], p, rtol=0, atol=1e-13)
    return isinstance(replays[-1], Replay)


OURS = {f"{part}, {loss}": random_problem(1, 5, 3, (3, 3), 3, activation=part, loss=loss)
    for part in ACTIVATIONS for loss in LOSSES}  # fmt: skip
STACKED = {name: p for name, p in (OURS | OWN_PROBLEMS).items() if sweeping._can_be_stacked(p)}


@pytest.mark.parametrize("name", STACKED)
def test_what_can_be_recorded_is_replayed_to_the_same_and_what_cannot_is_trained_without(name, replays, monkeypatch):
    assert is_replayed_to_the_same(STACKED[name], replays, monkeypatch) == (name not in CANNOT)


class Slices(Tanh):
    def backward(self, X, dY):
        return dY * (dY.sum(axis=-1, keepdims=True) - dY.sum(axis=-2, keepdims=True) + X[..., 1:2] - X[..., :1])


def test_what_differs_in_an_option_or_in_its_place_alone_is_not_taken_for_the_same(replays, monkeypatch):
    p = random_problem(0, samples=2, hidden=2, outputs=1)  # a loss has the size of other results
    first, _, last = p.network.layers
    network = Network([first, Slices(), last])
    assert is_replayed_to_the_same(p.evolve(network=network), replays, monkeypatch)


def writing(_, X):
    Y = np.tanh(X)
    np.asarray(Y)[..., 0] *= 0.5
    return Y


UNSEEN = {
    "looks at a value": lambda _, X: np.tanh(X) if X.max(keepdims=True) > -1e9 else X,
    "writes into a result": writing,
    "copies": lambda _, X: X + np.asarray(np.tanh(X)).copy(),
}


@pytest.mark.parametrize("forward", UNSEEN.values(), ids=UNSEEN)
def test_a_layer_that_looks_at_values_or_writes_or_copies_them_unseen_is_never_replayed(forward):
    p = random_problem(0)
    stack, *data = block(p)
    first, _, last = p.network.layers
    for part, recordable in [(Tanh(), True), (type("Unseen", (Tanh,), {"forward": forward})(), False)]:
        network = Network([first, part, last]).with_parameters(stack)
        replay = sweeping._replay(network, p.loss, *(each.copy() for each in data))
        assert isinstance(replay, Replay) == recordable
