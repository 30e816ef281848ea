"""The setup: each start is what its name says, and is made of its seed and sizes."""

import numpy as np
import pytest
from common import trained
from problems import identical

from backprop_lab import LOSSES, Network, random_problem, trace, worked_example
from backprop_lab.examples import iris, mazur
from backprop_lab.layers import Tanh
from backprop_lab.problem import redrawn
from backprop_lab.ui.steps.setup import AS_GIVEN, Setup, all_active, dead_relu


def outputs(problem):
    """What leaves each linear layer but the last, before its ReLU."""
    t = trace(problem)
    return [t[f"Y{n}"] for n in range(1, len(problem.network.parameters) // 2)]


def differing(problem, other):
    """The names of what differs in two problems."""
    one, two = ({"X": p.X, "y": p.y, "lr": p.lr, **p.network.parameters} for p in (problem, other))
    return [name for name in one if not identical(one[name], two[name])]


def test_with_a_dead_relu_one_unit_is_off_for_every_sample_and_stays_so_and_where_all_are_active_each_is_on():
    p = random_problem(3, samples=5, hidden=(4, 3))
    dead, active = dead_relu(p), all_active(p)
    assert (differing(p, dead), differing(p, active)) == (["b1"], ["b1", "b2"])
    assert outputs(dead)[0][:, 0].max() == pytest.approx(-1)
    assert identical(outputs(dead)[0][:, 1:], outputs(p)[0][:, 1:])
    assert np.array_equal(trained(dead, 20)["W1"][:, 0], p.network.parameters["W1"][:, 0])
    for Y in outputs(active):
        np.testing.assert_allclose(Y.min(axis=0), 0.5, atol=1e-12)


def test_every_start_is_made_of_its_seed_and_sizes():
    first, _, *others = mazur().network.layers
    for setup, made in {
        Setup(): worked_example(),
        Setup("random", 11, samples=3, inputs=5, hidden=2, outputs=4): random_problem(11, 3, 5, 2, 4),
        Setup("dead ReLU", seed=11): dead_relu(random_problem(11)),
        Setup("all active", seed=11): all_active(random_problem(11)),
        Setup("diverging", seed=11, layers=2): random_problem(11, hidden=(4, 4), lr=2.0),
        Setup("random", loss=(softmax := "cross-entropy after a softmax")): random_problem(0, loss=LOSSES[softmax]),
        Setup("iris", 5): redrawn(iris(), 5),
        Setup(AS_GIVEN, given=mazur(), activation="Tanh"): mazur().evolve(network=Network((first, Tanh(), *others))),
    }.items():
        assert differing(setup.problem(), made) == [], setup
        assert setup.problem().network.layers[1::2] == made.network.layers[1::2], setup
        assert setup.problem().loss == made.loss, setup
