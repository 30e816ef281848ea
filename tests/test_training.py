"""Training: whichever way one goes through its iterations, each is the same to the last bit."""

from functools import partial

import pytest
from common import same_values

from backprop_lab import MISTAKES, random_problem, trace
from backprop_lab.ui.steps.training import Training, with_mistake


@pytest.mark.parametrize("mistake", ["", "mask-forgotten"])
def test_going_on_from_any_iteration_to_any_other_gives_the_same_bits(mistake):
    run = partial(with_mistake, MISTAKES[mistake]) if mistake else trace
    training = Training(random_problem(2, lr=0.01), run)
    first = [training.trace(k) for k in range(250)]
    for k in (0, 4, 3, 120, 121, 123, 0, 100, 249, 99, 199):
        assert same_values(training.trace(k), first[k])


def test_the_first_iteration_is_computed_once_and_its_learning_rate_is_a_float():
    runs = []
    training = Training(random_problem(2, lr=1), lambda problem: runs.append(problem) or trace(problem))
    assert type(training.trace(0).problem.lr) is float
    assert len(runs) == 1


def test_a_step_takes_the_same_work_however_many_iterations_there_were():
    runs = []
    training = Training(random_problem(0, 1, 1, 1, 1), lambda problem: runs.append(problem) or trace(problem))
    for k in range(1001):
        training.trace(k)
        assert len(runs) <= 2
        runs.clear()
    assert len(training._kept) == 11
    for back in (999, 500, 3):
        training.trace(back)
        assert len(runs) <= Training.STRIDE + 1
        runs.clear()
