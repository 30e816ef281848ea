"""The losses one by one: their numbers by hand."""

import numpy as np
from problems import identical

from backprop_lab import MeanSquaredError, SumSquaredError

y_pred = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
y = np.array([[1.0, 1.0], [1.0, 1.0], [7.0, 3.0]])
twice_the_difference = np.array([[0.0, 2.0], [4.0, 6.0], [-4.0, 6.0]])


def test_the_sum_of_squares_by_hand():
    assert SumSquaredError().value(y_pred, y) == 0 + 1 + 4 + 9 + 4 + 9
    assert identical(SumSquaredError().gradient(y_pred, y), twice_the_difference)


def test_the_mean_of_squares_is_the_sum_over_samples_and_outputs_divided_by_their_number():
    assert MeanSquaredError().value(y_pred, y) == 27 / 6
    assert identical(MeanSquaredError().gradient(y_pred, y), twice_the_difference / 6)
