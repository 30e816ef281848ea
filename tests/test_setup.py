"""The setup: each start is what its name says, and a part that makes no sense is refused by name."""

import numpy as np
import pytest
from problems import identical

from backprop_lab import Linear, Network, Problem, random_problem, trace, worked_example
from backprop_lab.ui.steps.setup import STARTS, Setup, all_active, dead_relu, diverging

DEEP = random_problem(3, samples=5, hidden=(4, 3))


def outputs(problem):
    """What leaves each linear layer but the last, before its ReLU."""
    t = trace(problem)
    return [t[f"Y{n}"] for n in range(1, len(problem.network.parameters) // 2)]


def differing(problem, other):
    """The names of the parameters in which two problems differ; X, y, loss and learning rate must be the same."""
    assert identical(problem.X, other.X)
    assert identical(problem.y, other.y)
    assert (problem.loss, problem.lr) == (other.loss, other.lr)
    theirs = other.network.parameters
    return [name for name, p in problem.network.parameters.items() if not identical(p, theirs[name])]


@pytest.mark.parametrize("p", [random_problem(0), DEEP], ids=["shallow", "deep"])
def test_with_a_dead_relu_the_first_unit_is_off_by_one_or_more_for_every_sample_and_nothing_else_is_touched(p):
    dead = dead_relu(p)
    assert differing(p, dead) == ["b1"]
    assert outputs(dead)[0][:, 0].max() == pytest.approx(-1)
    assert identical(outputs(dead)[0][:, 1:], outputs(p)[0][:, 1:])
    assert trace(dead)["dW1"][:, 0].tolist() == [0, 0, 0]
    assert not p.network.parameters["b1"].any()


@pytest.mark.parametrize("p", [random_problem(0), DEEP], ids=["shallow", "deep"])
def test_where_all_are_active_each_unit_is_on_by_a_half_at_least_for_the_sample_that_moves_it_least(p):
    active = all_active(p)
    assert differing(p, active) == [f"b{n}" for n in range(1, len(p.network.parameters) // 2)]
    for Y in outputs(active):
        np.testing.assert_allclose(Y.min(axis=0), 0.5, atol=1e-12)


def test_units_without_an_activation_are_raised_too():
    plain = Network(tuple(layer for layer in DEEP.network.layers if isinstance(layer, Linear)))
    for Y in outputs(all_active(Problem(plain, DEEP.loss, DEEP.X, DEEP.y, 0.1))):
        np.testing.assert_allclose(Y.min(axis=0), 0.5, atol=1e-12)


def test_a_diverging_problem_differs_in_its_learning_rate_alone_and_overflows_within_some_hundred_steps():
    p = diverging(DEEP)
    assert p.lr == 2
    assert differing(p, Problem(DEEP.network, DEEP.loss, DEEP.X, DEEP.y, 2.0)) == []
    with np.errstate(all="ignore"):
        for _ in range(300):
            p = trace(p).next_problem()
        assert not np.isfinite(trace(p)["L"])


def test_the_default_setup_is_the_worked_example():
    problem = Setup().problem()
    for name in ("X", "y"):
        assert identical(getattr(problem, name), getattr(worked_example(), name))


def test_every_start_can_be_made_of_every_seed_and_says_so():
    for start in STARTS:
        problem = Setup(start=start, seed=11).problem()
        assert isinstance(problem.network, Network)
    assert identical(Setup(start="dead ReLU", seed=11).problem().network.parameters["b1"],
                     dead_relu(random_problem(11)).network.parameters["b1"])  # fmt: skip


def test_a_size_that_makes_no_sense_is_named():
    with pytest.raises(ValueError, match=r"^samples must be a whole number from 1 to 8; got 9"):
        Setup(start="random", samples=9).problem()
