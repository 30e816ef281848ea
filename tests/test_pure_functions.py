"""Every layer and every loss is a pure function of arrays, and float32 stays float32 in it."""

import numpy as np
import pytest
from common import in_other_numbers
from problems import ACTIVATIONS, LOSSES, identical

from backprop_lab import Linear, random_problem, trace

PARTS = (Linear(np.array([[1.0, 2.0], [3.0, -4.0]]), np.array([[5.0, -6.0]])), *ACTIVATIONS, *LOSSES)


def given():
    """X and dY for a layer; for a loss they are y_pred and y."""
    return np.array([[1.0, -2.0], [3.0, 1.0], [-1.0, 2.0]]), np.array([[2.0, 1.0], [-1.0, 3.0], [1.0, 1.0]])


def results(part, X, dY):
    """Everything that a layer or a loss computes."""
    if hasattr(part, "value"):
        return [part.value(X, dY), part.gradient(X, dY)]
    return [part.forward(X), part.backward(X, dY), *part.gradients(X, dY).values()]


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_what_is_given_stays_as_it_was_results_are_new_arrays_and_nothing_is_remembered(part):
    mine = given()
    found = results(part, *mine)
    for array, before in zip(mine, given(), strict=True):
        assert identical(array, before)
        assert array.flags.writeable
        assert not any(np.shares_memory(array, result) for result in found)
    results(part, *(array + 1 for array in mine))
    assert all(map(identical, found, results(part, *mine)))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_float32_stays_float32_to_the_last_step(activation, loss):
    t = trace(in_other_numbers(random_problem(0, activation=activation, loss=loss), np.float32))
    assert {t[name].dtype for name in t if name != "lr"} == {np.dtype("f4")}
