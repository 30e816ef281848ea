"""The losses one by one: their numbers by hand."""

import numpy as np

from backprop_lab import MeanSquaredError, SumSquaredError

y_pred = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
y = np.array([[1.0, 1.0], [1.0, 1.0], [7.0, 3.0]])


def test_the_sum_of_squares_and_their_mean_over_samples_and_outputs_with_their_gradients():
    assert SumSquaredError().value(y_pred, y) == 0 + 1 + 4 + 9 + 4 + 9
    assert SumSquaredError().gradient(y_pred, y).tolist() == [[0, 2], [4, 6], [-4, 6]]
    assert MeanSquaredError().value(y_pred, y) == 27 / 6
    assert MeanSquaredError().gradient(y_pred, y).tolist() == [[0, 2 / 6], [4 / 6, 1], [-4 / 6, 1]]
