"""Training: whichever way one goes through its iterations, each is the same to the last bit and costs the same."""

from common import same_values

from backprop_lab import random_problem, trace
from backprop_lab.ui.steps.training import Training


def test_going_on_from_any_iteration_to_any_other_gives_the_same_bits():
    training = Training(random_problem(2, lr=0.01))
    first = [training.trace(k) for k in range(250)]
    for k in (0, 4, 3, 120, 121, 123, 0, 100, 249, 99, 199):
        assert same_values(training.trace(k), first[k])


def test_a_step_takes_the_same_work_however_many_iterations_there_were():
    runs = []
    training = Training(random_problem(0, 1, 1, 1, 1, lr=1), lambda problem: runs.append(problem) or trace(problem))
    assert type(training.trace(0).problem.lr) is float
    assert len(runs) == 1, "the first iteration is computed once"
    for k in range(1001):
        runs.clear()
        training.trace(k)
        assert len(runs) <= 2
    assert len(training._kept) == 11
    for back in (999, 500, 3):
        runs.clear()
        training.trace(back)
        assert len(runs) <= Training.STRIDE + 1
