"""The backward pass against gradients found without calculus, and proof that an error planted in it turns them red."""

from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from problems import ACTIVATIONS, exact_problems, is_exact, problems

from backprop_lab import (
    Linear,
    MeanSquaredError,
    Network,
    Problem,
    ReLU,
    Sigmoid,
    SumSquaredError,
    Tanh,
    check_gradients,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.gradcheck import (
    central_difference,
    check_step,
    complex_step_derivative,
    corners,
    loss_with,
    numeric_gradient,
    relative_error,
)

numeric_methods = pytest.mark.parametrize("numeric", [central_difference, complex_step_derivative])


TINY = Fraction(1, 10**30)


def numeric_gradients(problem, derivative=central_difference):
    return {name: numeric_gradient(problem, name, derivative) for name in problem.network.parameters}


def gradients(problem):
    return problem.network.gradients(problem.loss, problem.X, problem.y)


def gradients_with_slopes(problem, slope):
    """Every gradient of a trace, those of H1 and Y1 included, with the slope found for it by moving its value."""
    t = trace(problem)
    names = [step.name for step in t.steps if step.phase == "backward"]
    return [(t[d_name], slope(partial(loss_with, problem, d_name[1:]), t[d_name[1:]])) for d_name in names]


def are_exactly_right(problem):
    """Whether the gradients equal central differences of fractions, the last digit included: the loss is a parabola in
    every parameter, so its central difference is its slope, and h is far too small to switch a ReLU.
    """
    expected = numeric_gradients(problem, partial(central_difference, h=TINY))
    found = gradients(problem)
    return all(is_exact(found[name]) and np.array_equal(found[name], expected[name]) for name in expected)


# The numeric gradients themselves


@numeric_methods
def test_the_slope_of_a_parabola_is_found(numeric):
    """L = (3w + b - 4)^2 at w = 2, b = 1 is 9; dL/dw = 2 * 3 * 3 and dL/db = 2 * 3."""
    p = Problem(Network((Linear([[2.0]], [[1.0]]),)), SumSquaredError(), [[3.0]], [[4.0]], 0.1)
    assert numeric_gradients(p, numeric) == {"W1": pytest.approx(18, rel=1e-8), "b1": pytest.approx(6, rel=1e-8)}


@numeric_methods
def test_every_numeric_gradient_has_the_shape_of_its_parameter(numeric):
    p = random_problem(0, hidden=(4, 5))
    shapes = {name: gradient.shape for name, gradient in numeric_gradients(p, numeric).items()}
    assert shapes == {name: parameter.shape for name, parameter in p.network.parameters.items()}


def test_a_large_parameter_is_moved_by_more():
    """L = (w - 99 999 997)^2 at w = 10^8, where a move of 10^-6 would drown in the rounding."""
    p = Problem(Network((Linear([[1e8]], [[0.0]]),)), SumSquaredError(), [[1.0]], [[1e8 - 3]], 0.1)
    assert numeric_gradient(p, "W1") == pytest.approx(6, rel=1e-12)


@pytest.mark.parametrize("name", ["X", "Y1", "H1", "y_pred", "W1", "b1", "W2", "b2"])
def test_the_loss_follows_any_value_it_depends_on(name):
    t = trace(worked_example())
    assert loss_with(t.problem, name, t[name]) == t["L"]
    assert loss_with(t.problem, name, np.stack([t[name], t[name] + 1, t[name] - 1])).shape == (3,)


@pytest.mark.parametrize("name", ["y", "lr", "L", "dW1", "W1_new", "W3"])
def test_the_loss_follows_nothing_else_and_what_it_follows_is_listed(name):
    with pytest.raises(KeyError, match=f"'{name}', only on X, Y1, H1, y_pred, W1, b1, W2, b2"):
        loss_with(worked_example(), name, np.ones((2, 2)))


# The backward pass is right


@settings(max_examples=200)
@given(problems())
def test_the_backward_pass_agrees_with_the_complex_step_to_thirteen_digits(problem):
    assert max(check_gradients(problem, derivative=complex_step_derivative).values()) < 1e-13


@settings(max_examples=60)
@given(exact_problems())
def test_the_backward_pass_of_a_relu_network_is_exact(problem):
    assert are_exactly_right(problem)


@settings(max_examples=200)
@given(problems())
def test_every_gradient_on_the_way_back_agrees_with_the_complex_step(problem):
    for gradient, slope in gradients_with_slopes(problem, complex_step_derivative):
        assert relative_error(gradient, slope) < 1e-13


@settings(max_examples=60)
@given(exact_problems())
def test_every_gradient_on_the_way_back_through_a_relu_network_is_exact(problem):
    for gradient, slope in gradients_with_slopes(problem, partial(central_difference, h=TINY)):
        assert np.array_equal(gradient, slope)


@numeric_methods
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_right_gradients_give_tiny_errors(activation, numeric):
    for seed in range(20):
        errors = check_gradients(random_problem(seed, activation=activation), derivative=numeric)
        assert list(errors) == ["W1", "b1", "W2", "b2"]
        assert max(errors.values()) < (1e-7 if numeric is central_difference else 1e-13)


@pytest.mark.parametrize("name", ["dy_pred", "dH1", "dW2", "db2", "dY1", "dW1", "db1"])
def test_one_gradient_of_a_trace_can_be_checked_alone(name):
    assert check_step(trace(worked_example()), name) < 1e-9


@pytest.mark.parametrize("name", ["dX", "W1", "Y1", "X", "y", "L", "lr", "W1_new"])
def test_what_is_not_a_gradient_cannot_be_checked(name):
    with pytest.raises(KeyError, match=name):
        check_step(trace(worked_example()), name)


def test_float32_numbers_can_be_checked_too():
    p = random_problem(0, activation=Tanh())
    narrow = p.network.with_parameters({name: a.astype("f4") for name, a in p.network.parameters.items()})
    assert max(check_gradients(Problem(narrow, p.loss, p.X.astype("f4"), p.y.astype("f4"), p.lr)).values()) < 1e-5


# A wrong gradient is noticed


@numeric_methods
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_one_wrong_entry_is_noticed_in_its_own_tensor_and_no_other(name, numeric):
    p = worked_example()
    wrong = {n: g.copy() for n, g in gradients(p).items()}
    wrong[name][0, -1] *= 1.01
    errors = check_gradients(p, wrong, numeric)
    assert [n for n, error in errors.items() if error > 1e-5] == [name]


def test_the_error_is_relative_to_the_largest_entry_but_never_to_less_than_one():
    p = Problem(Network((Linear([[2.0]], [[1.0]]),)), SumSquaredError(), [[3.0]], [[4.0]], 0.1)
    errors = check_gradients(p, {"W1": np.array([[20.0]]), "b1": np.array([[0.5]])}, complex_step_derivative)
    assert errors == {"W1": pytest.approx((20 - 18) / 20), "b1": pytest.approx(6 - 0.5)}


class PrintedError(SumSquaredError):
    """What the original printed as its loss, with the gradient that it then used."""

    def value(self, y_pred, y):
        return 2 * np.mean(y_pred - y, axis=(-2, -1))

    formulas = SumSquaredError.formulas | {"L": "2 * np.mean({y_pred} - {y})"}


@numeric_methods
def test_the_loss_that_the_original_printed_does_not_have_the_gradient_that_it_used(numeric):
    p = worked_example()
    printed = Problem(p.network, PrintedError(), p.X, p.y, p.lr)
    assert printed.loss.value(p.network.forward(p.X), p.y) == pytest.approx(5.63115493033, abs=5e-12)
    assert min(check_gradients(printed, derivative=numeric).values()) > 0.5


# Planted errors: each is the right class but for one slip in its backward pass, in the method and in its line


class MaskDropped(ReLU):
    def backward(self, X, dY):
        return dY

    formulas = ReLU.formulas | {"dX": "{dY}"}


class MaskOfTheOutputAlwaysTrue(ReLU):
    def backward(self, X, dY):
        return dY * (self.forward(X) >= 0)

    formulas = ReLU.formulas | {"dX": "{dY} * ({Y} >= 0)"}


class MaskOfTheGradient(ReLU):
    def backward(self, X, dY):
        return dY * (dY > 0)

    formulas = ReLU.formulas | {"dX": "{dY} * ({dY} > 0)"}


class ActivationsInsteadOfMask(ReLU):
    def backward(self, X, dY):
        return dY * self.forward(X)

    formulas = ReLU.formulas | {"dX": "{dY} * {Y}"}


class TanhNotSquared(Tanh):
    def backward(self, X, dY):
        return dY * (1 - self.forward(X))

    formulas = Tanh.formulas | {"dX": "{dY} * (1 - {Y})"}


class TanhOfTheInput(Tanh):
    def backward(self, X, dY):
        return dY * (1 - X**2)

    formulas = Tanh.formulas | {"dX": "{dY} * (1 - {X}**2)"}


class SigmoidHalfDone(Sigmoid):
    def backward(self, X, dY):
        return dY * self.forward(X)

    formulas = Sigmoid.formulas | {"dX": "{dY} * {Y}"}


class BiasAveraged(Linear):
    def gradients(self, X, dY):
        return super().gradients(X, dY) | {"b": dY.sum(axis=-2, keepdims=True) / len(dY)}

    formulas = Linear.formulas | {"db": "{dY}.sum(axis=0, keepdims=True) / len({dY})"}


class BiasOfTheFirstSample(Linear):
    def gradients(self, X, dY):
        return super().gradients(X, dY) | {"b": dY[:1]}

    formulas = Linear.formulas | {"db": "{dY}[:1]"}


class WeightsAveraged(Linear):
    def gradients(self, X, dY):
        return super().gradients(X, dY) | {"W": X.mT @ dY / len(dY)}

    formulas = Linear.formulas | {"dW": "{X}.mT @ {dY} / len({dY})"}


class WeightsTransposed(Linear):
    def gradients(self, X, dY):
        return super().gradients(X, dY) | {"W": dY.mT @ X}

    formulas = Linear.formulas | {"dW": "{dY}.mT @ {X}"}


class BackThroughUntransposedWeights(Linear):
    def backward(self, X, dY):
        return dY @ self.W

    formulas = Linear.formulas | {"dX": "{dY} @ {W}"}


class GradientForWeights(Linear):
    def backward(self, X, dY):
        return dY @ self.gradients(X, dY)["W"].mT

    formulas = Linear.formulas | {"dX": "{dY} @ {dW}.mT"}


class Accumulating(Linear):
    """A gradient that is added with += to that of the call before, never set back to zero: right the first time.

    No line can say so, and a problem of it is made unchecked.
    """

    def gradients(self, X, dY):
        self.total = getattr(self, "total", 0) + X.mT @ dY
        return super().gradients(X, dY) | {"W": self.total}


class UndoubledError(SumSquaredError):
    def gradient(self, y_pred, y):
        return y_pred - y

    formulas = SumSquaredError.formulas | {"dy_pred": "{y_pred} - {y}"}


class FlippedError(SumSquaredError):
    def gradient(self, y_pred, y):
        return 2 * (y - y_pred)

    formulas = SumSquaredError.formulas | {"dy_pred": "2 * ({y} - {y_pred})"}


class MeanForSumError(SumSquaredError):
    gradient = MeanSquaredError.gradient
    formulas = SumSquaredError.formulas | {"dy_pred": MeanSquaredError.formulas["dy_pred"]}


class SumForMeanError(MeanSquaredError):
    gradient = SumSquaredError.gradient
    formulas = MeanSquaredError.formulas | {"dy_pred": SumSquaredError.formulas["dy_pred"]}


class PerSampleError(MeanSquaredError):
    def gradient(self, y_pred, y):
        return 2 * (y_pred - y) / len(y)

    formulas = MeanSquaredError.formulas | {"dy_pred": "2 * ({y_pred} - {y}) / len({y})"}


EXACT_SLIPS = [
    *(MaskDropped, MaskOfTheOutputAlwaysTrue, MaskOfTheGradient, ActivationsInsteadOfMask),
    *(BiasAveraged, BiasOfTheFirstSample, WeightsAveraged, WeightsTransposed),
    *(BackThroughUntransposedWeights, GradientForWeights, Accumulating),
    *(UndoubledError, FlippedError, MeanForSumError, SumForMeanError, PerSampleError),
]
SLIPS = [*EXACT_SLIPS, TanhNotSquared, TanhOfTheInput, SigmoidHalfDone]


def problem_for(kind, numbers=np.asarray):
    """A problem with `kind` in place of the class it derives from. All sizes are 3, so no slip shows in a shape."""
    activation = kind.__base__() if issubclass(kind, Tanh | Sigmoid) else ReLU()
    loss = MeanSquaredError() if issubclass(kind, MeanSquaredError) else SumSquaredError()
    p = random_problem(1, samples=3, inputs=3, hidden=3, outputs=3, activation=activation)

    def with_kind(part):
        if isinstance(part, Linear):
            return (kind if issubclass(kind, Linear) else Linear)(numbers(part.W), numbers(part.b))
        return kind() if type(part) is kind.__base__ else part

    make = Problem.trusted if kind is Accumulating else Problem
    network = Network(with_kind(layer) for layer in p.network.layers)
    return make(network=network, loss=with_kind(loss), X=numbers(p.X), y=numbers(p.y), lr=p.lr)


to_fractions = np.vectorize(Fraction, otypes=[object])


@numeric_methods
@pytest.mark.parametrize("slip", SLIPS)
def test_a_planted_slip_is_caught_by_both_numeric_gradients(slip, numeric):
    p = problem_for(slip)
    gradients(p)  # so that what is checked is not the first call, which Accumulating gets right
    assert max(check_gradients(p, derivative=numeric).values()) > 1e-2


@pytest.mark.parametrize("slip", [slip for slip in SLIPS if slip is not Accumulating])
def test_the_first_gradient_of_a_trace_that_is_wrong_is_the_one_whose_line_has_the_slip(slip):
    t = trace(problem_for(slip))
    wrong = [step for step in t.steps if step.phase == "backward" and check_step(t, step.name) > 1e-3]
    ((result, _),) = slip.formulas.items() - slip.__base__.formulas.items()
    assert (wrong[0].kind, wrong[0].result) == (slip, result)


@pytest.mark.parametrize("slip", EXACT_SLIPS)
def test_a_planted_slip_is_caught_by_the_exact_comparison(slip):
    p = problem_for(slip, to_fractions)
    gradients(p)
    assert not are_exactly_right(p)


@pytest.mark.parametrize("kind", dict.fromkeys(slip.__base__ for slip in SLIPS), ids=lambda kind: kind.__name__)
def test_without_a_slip_the_same_problems_are_right(kind):
    unchanged = type("Unchanged", (kind,), {})
    p = problem_for(unchanged)
    gradients(p)
    assert max(check_gradients(p, derivative=central_difference).values()) < 1e-7
    assert max(check_gradients(p, derivative=complex_step_derivative).values()) < 1e-13
    if kind not in (Tanh, Sigmoid):
        assert are_exactly_right(problem_for(unchanged, to_fractions))


@pytest.mark.parametrize("distance", [0.0, 0.05, 0.2, 0.3, 0.33, 0.36, 0.5, 0.7, 0.9, 0.99, 1.2, 3.0])
@pytest.mark.parametrize("side", [1, -1])
def test_a_right_gradient_is_not_called_wrong_because_a_corner_is_near(distance, side):
    p = worked_example()
    b1 = p.network.parameters["b1"].copy()
    Y1 = trace(p)["Y1"]
    b1[0, 1] -= Y1[0, 1] - side * distance * 1e-6  # the unit is that far from its switch
    p = replace(p, network=p.network.with_parameters(p.network.parameters | {"b1": b1}))
    assert max(check_gradients(p).values()) < 1e-7
    wrong = p.network.gradients(p.loss, p.X, p.y)
    assert check_gradients(p, wrong | {"b1": wrong["b1"] + 1e-3})["b1"] > 1e-5


# Where a loss has a corner


def total(function):
    """A loss of one array, or of a stack of them: the sum of a function of each number."""
    return lambda stack: function(stack).sum(axis=-1)


def below(edge):
    return total(lambda p: np.maximum(edge - p, 0))


def above(edge):
    return total(lambda p: np.maximum(p - edge, 0))


@pytest.mark.parametrize("side", [above, below])
@pytest.mark.parametrize("distance", [0, 0.1e-6, 0.2e-6, 0.25e-6, 0.3e-6, 0.5e-6, 0.9e-6, -0.1e-6, -0.3e-6, -0.9e-6])
def test_a_corner_that_a_central_difference_would_step_over_is_found(side, distance):
    assert corners(side(0.3 + distance), np.array([0.3])) == [True]


@pytest.mark.parametrize("side", [above, below])
@pytest.mark.parametrize("distance", [1.1e-6, 1.9e-6, -1.1e-6, -1.9e-6])
def test_a_corner_that_a_central_difference_does_not_reach_is_not_found(side, distance):
    assert corners(side(0.3 + distance), np.array([0.3])) == [False]


def test_a_large_number_is_looked_around_as_far_as_a_central_difference_moves_it():
    assert corners(above(100.00005), np.array([100.0])) == [True]
    assert corners(above(100.00015), np.array([100.0])) == [False]


def test_each_entry_has_corners_of_its_own():
    at = np.array([0.3, -2.0, 0.3])
    assert corners(above(0.3), at).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "function",
    [
        lambda p: 0 * p,
        lambda p: 5 * p + 2,
        lambda p: p**2,
        lambda p: p**3 - 4 * p,
        lambda p: 1000 + p / 7,
        lambda p: 1e8 * (p - 1 / 3) ** 2,
        np.exp,
        np.tanh,
    ],
    ids=["zero", "line", "parabola", "cubic", "large", "steep", "exp", "tanh"],
)
@pytest.mark.parametrize("p", [0.0, 0.1, -0.7, 1 / 3, 2.5])
def test_a_smooth_loss_has_no_corner(function, p):
    assert corners(total(function), np.array([p, 1.3])).tolist() == [False, False]


def test_a_corner_of_a_large_loss_is_found_above_its_rounding():
    assert corners(total(lambda p: 1000 + np.abs(p)), np.array([0.0])) == [True]


# What is asked for


def test_the_complex_step_is_as_long_as_it_is_told():
    """Im (w + ih)^3 / h is 3 w^2 - h^2: at h = 2, no longer the slope."""
    assert complex_step_derivative(lambda stack: (stack**3).sum(axis=-1), np.array([1.0]), 2.0) == [-1]


def test_a_missing_gradient_is_named_with_those_there_are():
    p = worked_example()
    with pytest.raises(KeyError, match=r"no gradient for b1; got W1, W2\b"):
        check_gradients(p, {"W1": p.network.parameters["W1"], "W2": p.network.parameters["W2"]})
    with pytest.raises(KeyError, match="no gradient for W1; got none"):
        check_gradients(p, {})


def test_a_gradient_of_another_shape_is_refused_with_both_shapes():
    p = worked_example()
    with pytest.raises(ValueError, match=r"the gradient for b1 has shape \(4,\), but b1 has \(1, 4\)"):
        check_gradients(p, gradients(p) | {"b1": np.zeros(4)})


def test_what_is_no_gradient_is_refused_with_those_there_are():
    t = trace(worked_example())
    with pytest.raises(KeyError, match="'H1' is not a gradient of this trace; those are dy_pred, dH1, dW2, db2, dY1"):
        check_step(t, "H1")
