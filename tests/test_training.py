"""Training: whichever way one goes through its iterations, each is the same to the last bit."""

from problems import identical

from backprop_lab import random_problem, trace
from backprop_lab.ui.steps.training import Training


def same_values(a, b):
    return a.names == b.names and all(identical(a[name], b[name]) for name in a.names)


def test_going_on_from_any_iteration_to_any_other_gives_the_same_bits():
    training = Training(random_problem(2, lr=0.01))
    first = [training.trace(k) for k in range(250)]
    for k in (0, 4, 3, 120, 121, 123, 0, 100, 249, 99, 199):
        assert same_values(training.trace(k), first[k])


def test_the_first_iteration_is_computed_once_and_its_learning_rate_is_a_float():
    computed = []

    def counted(problem):
        computed.append(problem)
        return trace(problem)

    training = Training(random_problem(2, lr=1), counted)
    assert type(training.trace(0).problem.lr) is float
    assert len(computed) == 1


def test_what_came_after_another_learning_rate_is_dropped_with_its_losses():
    training = Training(random_problem(2))
    for k in range(6):
        training.trace(k)
    training.trace(2, lr=0.5)
    assert (len(training.lrs), len(training.losses), training.lrs[2]) == (3, 3, 0.5)


def test_a_step_takes_the_same_work_however_many_iterations_there_were():
    runs = []

    def run(problem):
        runs.append(problem)
        return trace(problem)

    training = Training(random_problem(0, samples=1, inputs=1, hidden=1, outputs=1), run)
    work = []
    for k in range(2001):
        runs.clear()
        training.trace(k)
        work.append(len(runs))
    assert max(work) <= 2
    assert len(training._kept) == 21
    for back in (1999, 1500, 3):
        runs.clear()
        training.trace(back)
        assert len(runs) <= Training.STRIDE + 1
