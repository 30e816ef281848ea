"""What can be told without PyTorch: what no module is, and that each line is what PyTorch's pages say of its operation.

`make bench`, which installs it, holds whole modules against autograd.
"""

import math
import subprocess
import sys
import warnings
from statistics import fmean, pvariance
from typing import NamedTuple

import numpy as np
import pytest

from backprop_lab import from_torch
from backprop_lab.step.torch_lines import BY_CELL, WRITTEN, check_given, check_slopes, targets_fit


@pytest.mark.parametrize("no_module", [None, "Linear", 3.0, type("Sequential", (), {})(), dict])
def test_what_is_no_module_is_refused_and_pytorch_is_not_loaded_for_that(no_module):
    with pytest.raises(ValueError, match=r"takes a module, such as torch\.nn\.Sequential\(\.\.\.\); got "):
        from_torch(no_module, [[1.0]], [[1.0]], None)
    code = "import sys; from backprop_lab import from_torch; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.parametrize(
    ("inputs", "loss", "told"),
    [
        ((None,), max, "X is a tensor, or numbers that make one; got None"),
        (("a",), max, "X is a tensor, or numbers that make one; got 'a'"),
        (([1.0], [1.0]), max, "forward of this module takes input; got 2 inputs"),
        (([1.0],), float, r"the loss is one of torch.nn, as in MSELoss\(\), or a function"),
        (([1.0],), None, r"the loss is one of torch.nn, as in MSELoss\(\), or a function"),
    ],
)
def test_what_is_no_tensor_no_loss_or_one_input_too_many_is_refused_in_words(inputs, loss, told):
    with pytest.raises(ValueError, match=told):
        check_given(["input"], inputs, [1.0], loss)


def test_targets_that_a_loss_would_broadcast_are_refused():
    told = "Using a target size (torch.Size([5, 1])) that is different to the input size (torch.Size([5, 2]))."
    with (
        pytest.raises(ValueError, match=r"y must have the shape of what the module gives, \(5, 2\); got \(5, 1\)"),
        targets_fit((5, 2), (5, 1)),
    ):
        warnings.warn(told, stacklevel=1)  # as PyTorch's losses do
    with pytest.warns(UserWarning, match="another"), targets_fit((5, 2), (5, 2)):
        warnings.warn("another one", stacklevel=1)


def value_of(name, **given):
    """What the lines for an operation of PyTorch give, the last of them, from what it takes."""
    scope = {"np": np, **given}
    takes, *lines = WRITTEN[name]
    assert {each.split("=")[0] for each in takes.split()} <= {*given, "normalized_shape", "reduction"}
    for line in lines:
        letter, template = line.split(": ", 1)
        names = {each: each for each in scope} | {"reduction": given.get("reduction")}
        scope[letter] = eval(template.format_map(names), scope)
    return np.asarray(scope[letter])


def sigmoid(x):
    return 0.5 * (1 + math.tanh(x / 2))


OF_A_NUMBER = {  # as PyTorch's own pages write them, in another form than the lines
    "relu": lambda x: max(x, 0.0), "tanh": lambda x: 2 * sigmoid(2 * x) - 1, "sigmoid": sigmoid,
    "square": lambda x: x * x, "silu": lambda x: x * sigmoid(x), "neg": lambda x: 0 - x,
    "logsigmoid": lambda x: math.log(sigmoid(x)),
    "relu6": lambda x: min(max(x, 0.0), 6.0), "reciprocal": lambda x: x**-1, "exp": math.exp, "sin": math.sin,
    "cos": lambda x: math.sin(x + math.pi / 2), "abs": math.fabs,
}  # fmt: skip
OF_A_POSITIVE_ONE = {"log": math.log, "log1p": math.log1p, "sqrt": math.sqrt, "rsqrt": lambda x: x**-0.5}
WITH_OWN_NUMBERS = [
    ("leaky_relu", {"negative_slope": 0.2}, lambda x: x if x > 0 else 0.2 * x),
    ("elu", {"alpha": 0.7}, lambda x: x if x > 0 else 0.7 * math.expm1(x)),
    ("softplus", {"beta": 2.0}, lambda x: math.log(1 + math.exp(2 * x)) / 2),
    ("gelu", {}, lambda x: x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ("hardtanh", {"min_val": -1.5, "max_val": 0.5}, lambda x: min(max(x, -1.5), 0.5)),
]
NUMBERS = np.array([-7.0, -2.0, -0.3, 0.4, 1.7, 8.0])


def test_each_line_for_a_function_of_one_number_gives_what_pytorch_says_it_is():
    for table, numbers in ((OF_A_NUMBER, NUMBERS), (OF_A_POSITIVE_ONE, np.abs(NUMBERS))):
        for name, function in table.items():
            got = eval(BY_CELL[name].format("x"), {"np": np, "x": numbers})
            assert np.allclose(got, [function(x) for x in numbers], rtol=1e-12, atol=1e-15), name
    for name, own, function in WITH_OWN_NUMBERS:
        assert np.allclose(value_of(name, x=NUMBERS, **own), [function(x) for x in NUMBERS], rtol=1e-12), name


def test_norms_and_softmaxes_are_those_of_each_column_or_row():
    X = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]])
    P = [[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in X]
    assert np.allclose(value_of("softmax", x=X, dim=1), P)
    assert np.allclose(value_of("log_softmax", x=X, dim=1), np.log(P))
    own = {"weight": np.array([2.0, 1.0, 3.0]), "bias": np.array([0.5, 0.0, -1.0]), "eps": 1e-3}
    for name, lines in (("batch_norm", X.T), ("layer_norm", X)):
        normed = np.array([[(x - fmean(line)) / math.sqrt(pvariance(line) + 1e-3) for x in line] for line in lines])
        expected = (normed.T if name == "batch_norm" else normed) * own["weight"] + own["bias"]
        assert np.allclose(value_of(name, x=X, **own), expected), name


def test_cells_are_the_equations_of_pytorchs_pages():
    rng = np.random.default_rng(0)
    x, hx, cx = rng.standard_normal((3, 1, 2))
    sizes = {"n": 2, "n2": 4, "n3": 6, "n4": 8}
    for name, gates in (("rnn_cell", 1), ("lstm_cell", 4), ("gru_cell", 3)):
        own = {"weight_ih": rng.standard_normal((2 * gates, 2)), "weight_hh": rng.standard_normal((2 * gates, 2))}
        own |= {"bias_ih": rng.standard_normal(2 * gates), "bias_hh": rng.standard_normal(2 * gates)}
        expected = []
        for k in range(2):
            units = range(k, 2 * gates, 2)
            a = [float(own["weight_ih"][unit] @ x[0] + own["bias_ih"][unit]) for unit in units]
            b = [float(own["weight_hh"][unit] @ hx[0] + own["bias_hh"][unit]) for unit in units]
            both = [one + other for one, other in zip(a, b, strict=True)]
            if name == "rnn_cell":
                expected.append(math.tanh(both[0]))
            elif name == "lstm_cell":
                i, f, g, o = sigmoid(both[0]), sigmoid(both[1]), math.tanh(both[2]), sigmoid(both[3])
                expected.append(o * math.tanh(f * cx[0, k] + i * g))
            else:
                r, z = sigmoid(both[0]), sigmoid(both[1])
                expected.append((1 - z) * math.tanh(a[2] + r * b[2]) + z * hx[0, k])
        assert np.allclose(value_of(name, x=x, hx=hx, cx=cx, **own, **sizes), [expected]), name


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_are_the_equations_of_pytorchs_pages(reduction):
    take = {"mean": fmean, "sum": math.fsum}[reduction]
    x, y = np.array([[0.2, 0.9, 2.5], [0.7, 0.1, 0.6]]), np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.25]])
    pairs = [*zip(x.flat, y.flat, strict=True)]
    each = {
        "mse_loss": lambda x, y: (x - y) ** 2,
        "l1_loss": lambda x, y: abs(x - y),
        "huber_loss": lambda x, y: (x - y) ** 2 / 2 if abs(x - y) <= 1.0 else abs(x - y) - 0.5,
        "binary_cross_entropy_with_logits": lambda x, y: -y * math.log(sigmoid(x)) - (1 - y) * math.log(sigmoid(-x)),
    }
    for name, function in each.items():
        expected = take([function(*pair) for pair in pairs])
        assert value_of(name, x=x, y=y, reduction=reduction, delta=1.0) == pytest.approx(expected, rel=1e-12), name
    inside = np.clip(x, 0.05, 0.95)
    expected = take([-math.log(p if t else 1 - p) for p, t in zip(inside.flat, (y == 1).flat, strict=True)])
    assert value_of("binary_cross_entropy", x=inside, y=(y == 1) + 0.0, reduction=reduction) == pytest.approx(expected)
    logP = [[math.log(math.exp(one) / sum(map(math.exp, row))) for one in row] for row in x]
    expected = take([-logP[0][2], -logP[1][0]])
    for name, given, targets in (("cross_entropy", x, [2, 0]), ("nll_loss", np.array(logP), [2, 0])):
        assert value_of(name, x=given, y=np.array(targets), reduction=reduction) == pytest.approx(expected), name
    weighed = take([-sum(t * p for t, p in zip(*rows, strict=True)) for rows in zip(y, logP, strict=True)])
    assert value_of("cross_entropy, probabilities", x=x, y=y, reduction=reduction) == pytest.approx(weighed)


def test_the_tables_of_this_file_leave_no_operation_out():
    told = {name for name, *_ in WITH_OWN_NUMBERS} | {"softmax", "log_softmax", "batch_norm", "layer_norm"}
    told |= {"rnn_cell", "lstm_cell", "gru_cell", "linear", "embedding"} | {name for name in WRITTEN if "loss" in name}
    assert {*WRITTEN} - told == {name for name in WRITTEN if "entropy" in name}
    of_two = {name for name, line in BY_CELL.items() if "{1}" in line}
    assert {*BY_CELL} - of_two == {*OF_A_NUMBER, *OF_A_POSITIVE_ONE}


class Tensor(NamedTuple):
    """As much of one as has to be known of a gradient."""

    numbers: list[float]

    def cpu(self):
        return self

    def numpy(self):
        return np.array(self.numbers)


def test_a_gradient_that_autograd_has_not_is_refused_and_rounding_is_not():
    values = {"dW1": np.array([1.0, -2.0]), "db1": np.array([1e-17])}
    check_slopes({"W1": Tensor([1.0, -2.0 + 1e-12]), "b1": None}, values, 1e-9)
    check_slopes({"W1": Tensor([1.0, -2.0]), "b1": Tensor([-1e-17])}, values, 1e-9)
    for slopes in ({"W1": None, "b1": None}, {"W1": Tensor([1.0, 0.0]), "b1": None}):
        with pytest.raises(
            ValueError, match=r"dW1 of these lines is not the \.grad of the module, which holds a path or part"
        ):
            check_slopes(slopes, values, 1e-9)
