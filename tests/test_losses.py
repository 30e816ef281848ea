"""The losses one by one: their numbers by hand, one loss for each problem of a stack, and what they refuse."""

import re
from fractions import Fraction

import numpy as np
import pytest
from problems import LOSSES, identical, is_exact

from backprop_lab import MeanSquaredError, SumSquaredError

y_pred = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
y = np.array([[1.0, 1.0], [1.0, 1.0], [7.0, 3.0]])
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def test_the_sum_of_squares_by_hand():
    assert SumSquaredError().value(y_pred, y) == 0 + 1 + 4 + 9 + 4 + 9
    assert identical(SumSquaredError().gradient(y_pred, y), np.array([[0.0, 2.0], [4.0, 6.0], [-4.0, 6.0]]))


def test_the_mean_of_squares_is_the_sum_over_samples_and_outputs_divided_by_their_number():
    assert MeanSquaredError().value(y_pred, y) == 27 / 6
    assert identical(MeanSquaredError().gradient(y_pred, y), np.array([[0.0, 2.0], [4.0, 6.0], [-4.0, 6.0]]) / 6)


@every_loss
def test_a_perfect_prediction_costs_nothing_and_asks_for_nothing(loss):
    assert loss.value(y, y) == 0
    assert not loss.gradient(y, y).any()


@every_loss
def test_a_stack_of_predictions_gives_one_loss_each(loss):
    """The same numbers up to the last bits: NumPy may add up a stack in another order."""
    stack, targets = np.stack([y_pred, y_pred**2, -y_pred]), np.stack([y, y + 1, y + 2])
    values, gradients = loss.value(stack, targets), loss.gradient(stack, targets)
    assert values.shape == (3,)
    for i in range(3):
        np.testing.assert_allclose(values[i], loss.value(stack[i], targets[i]), rtol=1e-12)
        assert identical(gradients[i], loss.gradient(stack[i], targets[i]))


@every_loss
def test_a_stack_of_predictions_may_share_one_target(loss):
    stack = np.stack([y_pred, 2 * y_pred])
    np.testing.assert_allclose(loss.value(stack, y), [loss.value(y_pred, y), loss.value(2 * y_pred, y)], rtol=1e-12)
    assert identical(loss.gradient(stack, y)[1], loss.gradient(2 * y_pred, y))


@every_loss
def test_a_loss_leaves_its_inputs_as_they_were(loss):
    mine, target = y_pred.copy(), y.copy()
    loss.value(mine, target)
    loss.gradient(mine, target)
    assert identical(mine, y_pred)
    assert identical(target, y)


@every_loss
def test_float32_stays_float32(loss):
    narrow = y_pred.astype("f4"), y.astype("f4")
    assert loss.value(*narrow).dtype == loss.gradient(*narrow).dtype == np.float32


@every_loss
def test_complex_numbers_pass_through_with_both_their_parts(loss):
    """The square is (a + ih)^2, not |a + ih|^2, whose imaginary part would be lost."""
    h, gradient = 1e-20, loss.gradient(y_pred, y)
    assert loss.value(y_pred + 1j * h, y).imag / h == pytest.approx(gradient.sum(), rel=1e-14)
    assert loss.gradient(y_pred + 1j * h, y).dtype == complex


@every_loss
def test_fractions_pass_through_exactly(loss):
    thirds = np.full((2, 2), Fraction(1, 3))
    value, gradient = loss.value(thirds, 0 * thirds), loss.gradient(thirds, 0 * thirds)
    share = 1 if isinstance(loss, SumSquaredError) else Fraction(1, 4)
    assert value == Fraction(4, 9) * share
    assert (gradient == Fraction(2, 3) * share).all()
    assert is_exact(value)
    assert is_exact(gradient)


@every_loss
def test_whole_numbers_work(loss):
    whole = y_pred.astype(int), y.astype(int)
    assert loss.value(*whole) == loss.value(y_pred, y)
    np.testing.assert_array_equal(loss.gradient(*whole), loss.gradient(y_pred, y))


@every_loss
@pytest.mark.parametrize("method", ["value", "gradient"])
@pytest.mark.parametrize(
    ("mine", "target"), [((3,), (3,)), ((3, 1), (3,)), ((3,), (3, 1)), ((3, 2), (3, 1)), ((3, 2), (1, 2))]
)
def test_shapes_that_would_broadcast_are_refused_and_both_are_named(loss, method, mine, target):
    message = f"y_pred {mine} and y {target} must have the same shape (samples, outputs)"
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(loss, method)(np.zeros(mine), np.zeros(target))
