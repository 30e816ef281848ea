"""The classic mistakes: that each line gives what a person who makes it gets, and what follows when it is planted."""

import re
from dataclasses import replace
from itertools import product

import common
import numpy as np
import pytest
from common import OVERFLOWING, complex_step_derivative, count, trained, with_numbers
from known_programs import FORTY, PROGRAMS, programmed
from own_parts import OWN_PROBLEMS
from problems import ACTIVATIONS, OPTIMIZERS, identical, losses_of, varied_problem, whole_problem

import backprop_lab
from backprop_lab import (
    EXAMPLES,
    L2,
    MISTAKES,
    Adam,
    BatchNorm,
    Dropout,
    GradientDescent,
    LayerNorm,
    Linear,
    Momentum,
    Nesterov,
    Network,
    Problem,
    ReLU,
    Sigmoid,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    Tanh,
    check,
    plant,
    program,
    random_problem,
    trace,
)
from backprop_lab.checks.numeric import loss_of, off_at_zero, relative_error
from backprop_lab.checks.rounding import terms_in
from backprop_lab.feedback.mistakes import INVISIBLE_TO_GRADIENT_CHECK, PARTS, mistakes_in
from backprop_lab.nn.lines import evaluate
from backprop_lab.nn.losses import HalfSquaredError, MeanSquaredError, SumSquaredError
from backprop_lab.nn.norms import NORMS
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS
from backprop_lab.step.random_problems import redrawn

OF_LAYERS = {name for name, mistake in MISTAKES.items() if mistake.lines}
OBLONG = {"inputs": 4, "hidden": [4], "outputs": 1}


def made(activation, loss=None, inputs=3, hidden=(3, 3), outputs=3):
    """A network in which nearly every line runs, where its sizes are equal, as they are if none are given."""
    parts = {"activation": activation, "loss": loss or SumSquaredError()}
    p = random_problem(5, samples=3, inputs=inputs, hidden=hidden, outputs=outputs, lr=0.1, **parts)
    return trace(with_numbers(p, **{name: b + 0.3 for name, b in p.network.parameters.items() if name[0] == "b"}))


def whole(optimizer, norm=BatchNorm, loss=None, outputs=1):
    """A step with a norm, a dropout and a penalty, in which something is remembered, of sizes that all differ."""
    rng, loss = np.random.default_rng(6), loss or SigmoidCrossEntropy()
    first, last = (Linear(rng.standard_normal(s), rng.standard_normal((1, s[1]))) for s in ((2, 4), (4, outputs)))
    layers = [first, norm(rng.standard_normal((1, 4)), rng.standard_normal((1, 4))), Tanh(), Dropout(0.4, 1), last]
    X, y = rng.standard_normal((5, 2)), np.float64(rng.random((5, outputs)) > 0.5)
    layers += [Sigmoid()] * loss.on_probabilities
    p = Problem(Network(layers), loss, X, y, 0.1, penalty=L2(0.3), optimizer=optimizer)
    drawn = {name: rng.standard_normal(a.shape) ** 2 for name, a in p.state.items() if name != "step"}
    return trace(p.evolve(state=drawn | {"step": 3}))


def each_placed(t):
    return [(mistake, name) for mistake in MISTAKES.values() for name in mistake.possible_at(t)]


def is_the_same(a, b):
    """But for rounding: another way to write the right line is no mistake."""
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True)


def test_no_line_of_the_table_is_idle():
    """Each runs in some network, and gives something else than the right line."""
    traces = [made(each, loss, outputs=K) for each, K in product(ACTIVATIONS, (1, 3)) for loss in losses_of(K)]
    traces += [whole(type(each)(decay=0.1), norm) for each in OPTIMIZERS for norm in NORMS.values()]
    for mistake in MISTAKES.values():
        same = np.array_equal if mistake.name in OVERFLOWING else is_the_same
        for key, lines in mistake.lines.items():
            for line in (lines,) if isinstance(lines, str) else lines:
                alone = replace(mistake, lines={key: line})
                wrong = ((alone.wrong_value(t, step.name), step.value) for t in traces for step in t.steps)
                assert any(a is not None and not same(a, b) for a, b in wrong), (mistake.name, line)


def test_a_table_of_mistakes_is_read_as_it_is_written_or_refused_with_what_is_wrong_in_it():
    words = "resembles: half of\n        {line}: so it is\n    cause:  a | b\n    symptom: none"
    table = mistakes_in(
        f"# The first\n\nhalf: Half: of it\n    {words}\n    *SquaredError.L: 1 |\n        2\n\n\n# End\n"
    )
    (half,) = table.values()
    assert (half.name, half.title, half.resembles) == ("half", "Half: of it", "half of {line}: so it is")
    assert (half.cause, half.symptom, half.once) == (" a | b", "none", False)
    squares = SumSquaredError, HalfSquaredError, MeanSquaredError
    assert half.lines == {(loss, "L"): ("1", "2") for loss in squares}
    several = "    Linear.dX, *Norm.dg*: -{right}\n    *.new: {move} | nothing\n    sin, cos in {A}: -{A} | 0"
    half = mistakes_in(f"half: Half\n    {words}\n{several}")["half"]
    steps = {Adam: "{mhat} / (np.sqrt({vhat}) + {eps})", Nesterov: "({dp} + {beta} * {v_new})", Momentum: "{v_new}"}
    steps[GradientDescent] = "{dp}"
    scaled = {(norm, "dgamma"): ("-({dY} * {Xhat}).sum(axis=0, keepdims=True)",) for norm in (BatchNorm, LayerNorm)}
    updates = {(optimizer, "new"): (step, "") for optimizer, step in steps.items()}
    written = {(Linear, "dX"): ("-{dY} @ {W}.mT",)} | scaled | updates
    assert {key: half.lines[key] for key in written} == written
    assert half.lines.keys() - written.keys() == {(type(each), "new") for each in OPTIMIZERS} - updates.keys()
    assert half.rules == (("sin", "{A}", ("-{A}", "0")), ("cos", "{A}", ("-{A}", "0")))
    assert mistakes_in(f"half: Half\n    {words}\n    once: halved twice is a quarter")["half"].once
    for key in ("Relu.dX", "*Norm.dgama"):
        with pytest.raises(
            ValueError, match=re.escape(f"half has a line for {key}, and no layer, loss or optimizer has")
        ):
            mistakes_in(f"half: Half\n    {key}: {{dY}}")
    with pytest.raises(ValueError, match="'    cause, why' should be a word, a colon and what belongs to it, such as "):
        mistakes_in("half: Half\n    cause, why")
    assert repr(MISTAKES) == "MISTAKES"


def test_what_is_said_of_a_mistake_wherever_it_is_made_names_no_value():
    for mistake in MISTAKES.values():
        assert not {*"{}"} & {*mistake.title, *mistake.cause, *mistake.symptom}, mistake.name


def test_what_can_go_wrong_with_any_activation_has_a_line_for_each():
    general = {"incoming-gradient-dropped", "matmul-for-star", "sign-flipped", "activation-forgotten"}
    for kind in map(type, ACTIVATIONS):
        of_it = {mistake.name for mistake in MISTAKES.values() for key in mistake.lines if key[0] in kind.__mro__}
        assert general <= of_it, f"{kind.__name__} has no line in {general - of_it}"
        assert of_it & {"mask-forgotten", "slope-forgotten"}, f"{kind.__name__} has no line in either of these"


def test_of_each_loss_and_each_optimizer_with_a_memory_there_is_a_mistake():
    for kind in map(type, losses_of(2)):
        assert any((each, "dy_pred") in MISTAKES["sign-flipped"].lines for each in kind.__mro__), kind.__name__
    for kind in (type(each) for each in OPTIMIZERS if len(each.formulas) > 1):
        for name in ("velocity-forgotten", "memory-unused"):
            assert any(key[0] in kind.__mro__ for key in MISTAKES[name].lines), f"{kind.__name__} has no line in {name}"


BY_HAND = r"""
in made(ReLU(), **OBLONG), where X is (3, 4), W1 (4, 4) and W2 (4, 1)
  dY1: mask-forgotten = dH1 | mask-always-true = np.where(H1 >= 0, dH1, 0) | mask-from-gradient = np.maximum(dH1, 0)
  dY1: mask-from-another-layer = np.where(X > 0, dH1, 0) | mask-upside-down = np.where(H1 > 0, 0, dH1)
  dY1: incoming-gradient-dropped = np.where(H1 > 0, 1.0, 0) | parentheses-forgotten = np.where(dH1 * H1 > 0, 1.0, 0.0)
  dY1: value-for-mask = np.where(H1 > 0, dH1 * H1, 0) | slope-of-another-activation = dH1 - dH1 * H1 * H1
  dW1: transpose-forgotten = None | result-transposed = dW1.T | input-of-another-layer = np.dot(H1.T, dY1)
  dW1: mean-for-sum = dW1 / 3 | sign-flipped = -dW1
  dH1: star-for-matmul = np.array([[dy_pred[n, 0] * W2[h, 0] for h in range(4)] for n in range(3)])
  dH1: updated-weights = np.dot(dy_pred, (W2 - lr * dW2).T) | gradient-for-weights = np.dot(dy_pred, dW2.T)
  dW2: star-for-matmul = None | raw-input = np.dot(Y1.T, dy_pred) | input-of-another-layer = np.dot(X.T, dy_pred)
  W1_new: weights-for-gradient = W1 - lr * W1 | plus-for-minus = W1 + lr * dW1 | lr-twice = W1 - lr**2 * dW1
  W1_new: old-value-dropped = -lr * dW1 | lr-on-the-weights = lr * W1 - lr * dW1
  db1: activation-skipped-backward = np.array([dH1.sum(0)]) | sum-forgotten = dY1 | dimension-dropped = np.sum(dY1, 0)
  db1: sum-over-units = np.array([[row.sum()] for row in dY1]) | axis-forgotten = np.sum(dY1)
  db1: bias-from-weights = np.array([np.sum(dW1, 0)])
  dy_pred: mean-for-sum = 2 / 3 * (y_pred - y) | factor-two-dropped = y_pred - y | sign-flipped = 2 * (y - y_pred)
  dy_pred: broadcast-to-square = np.array([[2 * (p - q) for q in y[:, 0]] for p in y_pred[:, 0]])
  dy_pred: loss-for-gradient = 2 * np.square(y - y_pred) | absolute-error = np.where(y_pred > y, 1.0, -1.0)
  dy_pred: slope-at-the-output = 2 * (y - y_pred) * (y_pred**2 - y_pred) | cross-entropy = -(y / y_pred)
  L: another-loss = np.sum((y - y_pred) ** 2) / y.size | loss-not-squared = 2 * (y_pred - y).mean()
  L: loss-halved = 0.5 * np.sum((y - y_pred) ** 2)
  L: broadcast-to-square = sum((p - q) ** 2 for q in y[:, 0] for p in y_pred[:, 0])
  L: absolute-error = np.abs(y - y_pred).sum() | root-of-the-loss = np.linalg.norm(y - y_pred) / np.sqrt(3)
  b1_new: lr-forgotten = b1 - db1 | not-updated = b1
  Y1: bias-forgotten = np.dot(X, W1) | bias-inside = np.dot(X, W1) + X.sum(axis=1, keepdims=True) * b1
  Y1: activation-added = np.maximum(0, Y1)
  y_pred: activation-forgotten = np.dot(Y1, W2) + b2
  H1: slope-for-value = np.sign(H1) | another-activation = np.abs(Y1)
in made(ReLU()), where every matrix is (3, 3)
  dY2: mask-from-another-layer = np.where(H1 > 0, dH2, 0) | matmul-for-star = np.dot(dH2, np.where(H2 > 0, 1.0, 0.0))
  dW1: transpose-forgotten = np.dot(X, dY1) | operands-swapped = np.dot(dY1, X.T)
  Y1: star-for-matmul = np.multiply(X, W1) + b1
in made(ReLU(), MeanSquaredError(), **OBLONG)
  dy_pred: sum-for-mean = 2 * (y_pred - y) | factor-two-dropped = (y_pred - y) / y.size
in made(ReLU(), HalfSquaredError(), **OBLONG)
  dy_pred: half-forgotten = 2 * y_pred - 2 * y
  L: mean-for-sum = np.mean((y_pred - y) ** 2) / 2
in made(Tanh(), **OBLONG)
  dY1: slope-forgotten = dH1 | slope-of-input = dH1 * (1 - Y1 * Y1) | slope-of-output = dH1 * (1 - np.tanh(H1) ** 2)
  dY1: slope-half-written = dH1 - dH1 * H1 | slope-of-tan = dH1 * (1 + H1 * H1)
  dY1: incoming-gradient-dropped = 1 - H1 * H1
  dW1: slope-twice = np.dot(X.T, dY1 - dY1 * H1 * H1)
in made(Sigmoid(), **OBLONG)
  dY1: slope-of-input = dH1 * (Y1 - Y1 * Y1) | sign-flipped = dH1 * (H1 - 1) * H1
  db1: slope-twice = np.array([np.sum(dY1 * (H1 - H1 * H1), 0)])
in made(ReLU(), SoftmaxCrossEntropy()), where N and K are 3
  L: softmax-forgotten = -y_pred[y == 1].sum() / 3 | mean-over-classes = -np.log(P[y == 1]).sum() / 9
  L: squares-for-cross-entropy = np.square(P - y).sum(axis=1).mean()
  logP: softmax-twice = np.log([row / sum(row) for row in np.exp(P)])
  P: softmax-axis = np.array([column / sum(column) for column in np.exp(y_pred.T - y_pred.max(axis=1))]).T
  P: sigmoid-for-softmax = (1 + np.tanh(y_pred / 2)) / 2
  dy_pred: sum-for-mean = P - y | softmax-diagonal = np.where(y == 1, (P - 1) / 3, 0)
  dy_pred: labels-for-one-hot = (P - y.argmax(axis=1)[:, None]) / 3 | another-logarithm = (P - y) / 3 / np.log(2)
in surer(made(ReLU(), SoftmaxCrossEntropy()), 1e4), with scores of 800 and more, and some P of 0
  P: shift-forgotten = np.array([row / sum(row) for row in np.exp(y_pred)])
  logP: log-of-zero = np.log(P)
in made(LeakyReLU(), **OBLONG)
  dY1: leak-forgotten = np.where(Y1 > 0, dH1, 0)
in made(GELU(), **OBLONG)
  dY1: slope-half-written = dH1 / 2 + dH1 * T1 / 2
in whole(Momentum(decay=0.2)), where N is 5, H 4 and D 2
  dW1: penalty-not-in-gradient = np.dot(X.T, dY1) | penalty-factor = dW1 - 0.3 * W1
  dW1: penalty-square = np.dot(X.T, dY1) + 0.3 * np.square(W1)
  db1: penalty-on-biases = db1 + 0.6 * b1
  L: penalty-not-in-loss = L - R | penalty-factor-in-loss = L - R / 2
  L: half-of-the-answers = -np.log(P[y == 1]).sum() / y.size + R
  dy_pred: half-of-the-answers = np.where(y == 1, P - 1, 0) / 5 | scores-for-probabilities = (y_pred - y) / 5
  dy_pred: sigmoid-slope-once-more = (P - y) / 5 * (P - P * P)
  dy_pred: sigmoid-slope-forgotten = np.where(y == 1, -1 / P, 1 / (1 - P)) / 5
  dH1: dropout-forgotten-backward = dD1 | dropout-not-scaled = np.where(mask1, dD1, 0)
  dH1: dropout-drawn-anew = np.where(np.random.default_rng(0).random((5, 4)) < 0.4, 0, dD1) / 0.6
  dY1: norm-of-constants = dXhat1 / np.sqrt(np.var(Y1, axis=0) + 1e-5)
  dY1: norm-path-missing = dXhat1 / np.sqrt(np.var(Y1, axis=0) + 1e-5) + np.mean(dY1, axis=0) + dmu1 / 5
  dY1: norm-share-forgotten = dXhat1 / np.sqrt(np.var(Y1, axis=0) + 1e-5) + 2 * dvar1 * (Y1 - mu1) + dmu1
  dY1: norm-share-of-other-length = dXhat1 / np.sqrt(np.var(Y1, axis=0) + 1e-5) + (dvar1 * 2 * (Y1 - mu1) + dmu1) / 4
  dvar1: norm-power-divided = np.sum(dXhat1 * (Y1 - mu1), 0, keepdims=True) / (-4 * (var1 + 1e-5) ** 3)
  dY1: norm-over-everything = (dXhat1 - (dXhat1.sum() + Xhat1 * (dXhat1 * Xhat1).sum()) / 5) / (var1 + 1e-5) ** 0.5
  var1: variance-of-a-sample = np.var(Y1, axis=0, ddof=1, keepdims=True)
  dgamma1: norm-sum-forgotten = dgamma1 / 5 | gamma-without-its-input = dbeta1
  dXhat1: gamma-forgotten-backward = dN1
  vW1_new: velocity-forgotten = dW1 | velocity-sign = vW1 * 0.9 - dW1 | velocity-mixed = vW1 * 0.9 + dW1 * 0.1
  vW1_new: decay-as-penalty = vW1 * 0.9 + dW1 + W1 / 5
  W1_new: velocity-sign = 0.98 * W1 + vW1_new
  W1_new: memory-unused = 0.98 * W1 - dW1 / 10 | memory-of-before = 0.98 * W1 - 0.1 * vW1
  W1_new: decay-forgotten = W1 - vW1_new / 10 | decay-as-penalty = None
  W1_new: penalty-twice = 0.92 * W1 - vW1_new / 10
  W1_new: plus-for-minus = 0.98 * W1 + vW1_new / 10 | not-updated = W1
  vb1_new: decay-as-penalty = None
in whole(Nesterov()), with no decay
  W1_new: memory-unused = W1 - vW1_new / 10 | decay-forgotten = None
  W1_new: memory-of-afterwards = W1 - 0.19 * dW1 - 0.081 * vW1_new
in whole(Adam(decay=0.2), LayerNorm)
  dY1: norm-of-constants = (dXhat1.T / np.sqrt(np.var(Y1, axis=1) + 1e-5)).T
  dY1: norm-gamma-outside = (dN1.T - dN1.mean(1) - Xhat1.T * (dN1 * Xhat1).mean(1)).T * gamma1 / np.sqrt(var1 + 1e-5)
  mhatW1: adam-not-corrected = mW1_new | adam-counted-from-zero = mW1_new / 0.19 | memory-of-before = mW1 / 0.271
  W1_new: adam-eps-in-the-root = 0.98 * W1 - 0.1 * mhatW1 * (vhatW1 + 1e-8) ** -0.5
  vW1_new: adam-square-forgotten = 0.999 * vW1 + 0.001 * dW1
  vW1_new: decay-as-penalty = vW1 * 0.999 + (dW1 + W1 / 5) ** 2 / 1000
in whole(GradientDescent(), loss=BinaryCrossEntropy())
  dy_pred: gradient-behind-the-sigmoid = (y_pred - y) / 5
  dy_pred: mean-over-samples = (y_pred - y) / (y_pred - y_pred**2) / 5
  dY2: gradient-of-a-cross-entropy = y_pred - y
"""


def test_each_mistake_gives_what_someone_who_makes_it_by_hand_gets():
    tried = set()
    for line in BY_HAND.strip().splitlines():
        if line.startswith("in "):
            names = (
                PARTS | vars(common) | globals() | {name: getattr(backprop_lab, name) for name in backprop_lab.__all__}
            )
            t = eval(re.match(r"in (.*?)(?:, w.*)?$", line)[1], names)
            continue
        name, entries = line.strip().split(": ", 1)
        for mistake, code in (entry.split(" = ", 1) for entry in entries.split(" | ")):
            wrong = MISTAKES[mistake].wrong_value(t, name)
            with np.errstate(all="ignore"):
                value = eval(code, {"np": np, **t})
            assert (np.shape(wrong), wrong is None) == (np.shape(value), value is None), (name, mistake)
            if value is not None:  # else NumPy refuses the line
                np.testing.assert_allclose(wrong, value, rtol=1e-12, atol=1e-14, err_msg=f"{name}: {mistake}")
            tried.add(mistake)
    assert tried == OF_LAYERS, "put those that are missing into the lines by hand above"


BY_RULE = r"""
in planar_tanh_sigmoid, where X is (6, 2), W1 (2, 4) and W2 (4, 1)
  dZ1: slope-forgotten = dA1 | slope-of-input = dA1 * (1 - Z1 * Z1) | slope-half-written = dA1 - dA1 * A1
  dZ1: incoming-gradient-dropped = 1 - A1 * A1 | value-for-slope = dA1 * A1
  dZ1: slope-of-output = dA1 * (1 - np.tanh(A1) ** 2)
  dZ1: slope-of-another-activation = dA1 * A1 * (1 - A1) | incoming-gradient-dropped = 1 / (1 - A1 * A1)
  dZ2: sigmoid-slope-once-more = (A2 - y) * A2 * (1 - A2) / 6
  dZ2: sigmoid-slope-forgotten = np.where(y == 1, -1 / A2, 1 / (1 - A2)) / 6
  db1: sum-forgotten = dZ1 | dimension-dropped = np.sum(dZ1, 0) | axis-forgotten = np.sum(dZ1)
  db1: sum-over-the-other-axis = np.array([[row.sum()] for row in dZ1]) | mean-over-copies = dZ1.sum(0)[None] / 6
  db1: step-skipped = np.array([dA1.sum(0)]) | slope-twice = np.sum(dZ1 - dZ1 * A1 * A1, axis=0, keepdims=True)
  dW2: factor-of-before = np.dot(Z1.T, dZ2) | gradient-of-the-factor = np.dot(dA1.T, dZ2)
  dA1: factor-of-afterwards = np.dot(dZ2, W2_new.T) | transpose-forgotten = None
in three_layer_l2
  dZ2: mask-left-out = dA2 | mask-upside-down = np.where(A2 > 0, 0, dA2) | mask-from-gradient = np.maximum(dA2, 0)
  dZ2: value-for-mask = dA2 * A2 | value-for-mask = dA2 * Z2
  dW2: path-forgotten = np.dot(A1.T, dZ2) | path-twice = 2 * dW2 - np.dot(A1.T, dZ2)
  dW2: operands-swapped = None | star-for-matmul = None
in batchnorm_layer
  dgamma: factor-left-out = dout.sum(0)
  dx: statistic-as-constant = dxc | sum-for-mean = dxc + dmu | mean-over-another-number = dxc + dmu / x.size
  dxhat: factor-of-its-own = dout * xhat
  dvar: root-as-factor = dstd * std / 2
  dstd: divisor-as-factor = np.sum(dxhat * xhat, 0) / std
  dmu: minus-of-a-difference = dxc.sum(0)
in min_char_rnn
  dWhh: product-transposed = np.dot(dh2_in.T, h1) + np.dot(h0.T, dh1_in) + np.dot(hprev.T, dh0_in)
  dWhh: path-forgotten = np.dot(h1.T, dh2_in)
  dWhy: last-path-alone = np.outer(h0, dy0)
in causal_attention
  dscaled: softmax-as-division = dA_sig * A_sig | softmax-diagonal = dA_sig * (A_sig - A_sig**2)
  dscaled: slope-forgotten = dA_sig
  dA_w: factor-left-out = dscaled
  dK: transpose-forgotten = np.dot(dA_w, Q)
  dWq: gradients-of-all-uses = np.dot(X.T, dQ + dK + dV)
  dQ: factor-twice = np.dot(dA_w, K) / np.sqrt(2)
in softmax_classifier, with 5 samples
  dscores: pick-forgotten = prob / 5 | pick-everywhere = prob / 5 - 0.2
  dscores: softmax-twice = (prob - prob**2) * np.where(np.arange(prob.shape[1]) == y[:, None], prob - 1, prob) / 5
  dscores: softmax-slope-forgotten = np.where(np.arange(prob.shape[1]) == y[:, None], -1 / prob / 5, 0)
in cs231n_two_layer
  dX: transposed-once-more = dx.ravel(order="F").reshape(X.shape)
in cbow
  dW_in: rows-overwritten = overwritten(W_in, ctx[:, 0], dleft) + added(W_in, ctx[:, 1], dright)
  dh: factor-too-early = np.dot(dscores, W_out.T) / 2
  dW_out: term-for-sum = np.dot(left.T, dscores) | term-for-sum = np.dot(right.T, dscores)
in lstm_cell, where what is joined is (4, 5) and (4, 3)
  da_prev: joined-the-other-way-round = dconcat[:, 3:]
  dconcat: step-skipped = dot @ Wo.T + dcct @ Wc.T + dit @ Wi.T + dft @ Wf.T
  dft: slope-too-early = dft * ft - dft * ft * ft
  dot: slope-for-factor = da_next * (1 - a_next_tanh * a_next_tanh)
in convolution, where H is (4, 3)
  dH: max-as-mean = np.hstack([dm, dm, dm]) / 3 | max-as-mean = np.hstack([dm, dm, dm])
in udl_deep_relu
  df3: power-not-lowered = 2 * np.square(f3 - y) | factor-two-dropped = f3 - y
"""


def overwritten(table, places, rows):
    found = np.zeros(table.shape)
    found[places] = rows
    return found


def added(table, places, rows):
    found = np.zeros(table.shape)
    np.add.at(found, places, rows)
    return found


def test_each_mistake_by_rule_gives_what_someone_who_makes_it_by_hand_gets():
    tried = set()
    for line in BY_RULE.strip().splitlines():
        if line.startswith("in "):
            name = re.match(r"in (\w+)", line)[1]
            t = trace(redrawn(EXAMPLES[name]() if name in EXAMPLES else programmed(name), 1))
            continue
        name, entries = line.strip().split(": ", 1)
        for mistake, code in (entry.split(" = ", 1) for entry in entries.split(" | ")):
            value = eval(code, {"np": np, "overwritten": overwritten, "added": added, **t})
            wrong = [value for _, value in MISTAKES[mistake].wrong_values(t, name)]
            if value is None:
                assert not wrong, (name, mistake)
            else:
                fitting = [each for each in wrong if np.shape(each) == np.shape(value)]
                assert any(np.allclose(each, value, rtol=1e-12, atol=1e-14) for each in fitting), (name, mistake)
            tried.add(mistake)
    by_rule = {name for name, mistake in MISTAKES.items() if mistake.rules}
    assert tried == by_rule, "put those that are missing into the lines by hand above"


@pytest.mark.parametrize(
    ("layers", "answer", "told"),
    [
        ((Sigmoid(), Dropout(0.4)), "H1.mT @ dy_pred", "fed by the Dropout's output"),
        ((Dropout(0.4),), "Y1.mT @ dy_pred", "fed by the Dropout's output"),
        ((Sigmoid(),), "Y1.mT @ dy_pred", "fed by the activation's output"),
    ],
)
def test_of_a_value_from_before_a_layer_it_is_said_which_layer_that_is(layers, answer, told):
    first, last = random_problem(0, 5, 3, 4, 2).network.layers[::2]
    p = random_problem(0, 5, 3, 4, 2).evolve(network=Network([first, *layers, last]))
    t = trace(p)
    assert told in str(check("dW2", t.evaluate(answer), t))


def test_of_a_forgotten_path_it_is_said_which_one_is_missing():
    t = trace(EXAMPLES["transformer block"]())
    told = str(check("dN1", t.evaluate("dV @ Wv.mT + dQ @ Wq.mT"), t))
    assert "and without `dK @ Wk.mT` not all of them are here" in told


def test_a_single_number_is_told_to_be_a_whole_number_of_times_the_right_one_and_no_other():
    t = trace(EXAMPLES["convolution"]())
    assert "Yours is 3 times what it should be." in str(check("db", 3 * t["db"], t))
    assert "times what it should be" not in str(check("db", 3.1 * t["db"], t))


def test_nearly_every_gradient_of_a_program_has_a_mistake_which_its_numbers_give_away():
    gradients = possible = planted = named = 0
    made = [programmed(name) for name in PROGRAMS] + [make() for make in EXAMPLE_PROGRAMS.values()]
    for seed, p in enumerate(made):
        t = trace(redrawn(p, seed + 1))
        for step in (step for step in t.steps if step.role == "gradient"):
            found = [m for m in MISTAKES.values() if m.rules and step.name in possible_at(m, t, step)]
            gradients, possible = gradients + 1, possible + bool(found)
            for mistake in found[seed % 3 :: 3]:
                wrong = plant(t, mistake, step.name)
                assert identical(evaluate(wrong.step(step.name).code, wrong), wrong[step.name])
                feedback = check(step.name, wrong[step.name], t)
                planted, named = planted + 1, named + (mistake.name in feedback.cause)
                for cause in feedback.cause:
                    values = [value for _, value in MISTAKES[cause].wrong_values(t, step.name)]
                    assert any(
                        np.allclose(value, wrong[step.name]) for value in values if value.shape == step.value.shape
                    )
                assert not {*"{}"} & {*str(feedback)}
    print(f"{possible} of {gradients} gradients; {named} of {planted} planted mistakes named")  # noqa: T201
    assert possible >= 0.95 * gradients
    assert named >= 0.98 * planted


def possible_at(mistake, t, step):
    wrong = mistake.wrong_value(t, step.name)
    is_one = wrong is not None and np.shape(wrong) == np.shape(step.value)
    return [step.name] if is_one and not np.allclose(wrong, step.value, rtol=1e-9, atol=1e-12) else []


def test_it_is_planted_wherever_it_changes_something_or_once_at_the_first_gradient(example):
    assert MISTAKES["mask-forgotten"].possible_at(example) == ("dY1",)
    assert MISTAKES["plus-for-minus"].possible_at(example) == ("W1_new", "b1_new", "W2_new", "b2_new")
    assert MISTAKES["bias-forgotten"].possible_at(example) == (), "the biases are 0"
    perfect = trace(with_numbers(example.problem, y=example["y_pred"]))
    assert MISTAKES["factor-two-dropped"].possible_at(perfect) == (), "half of 0 is none"
    t = made(ReLU())
    assert MISTAKES["mask-forgotten"].planted_at(t) == ("dY2", "dY1")
    assert MISTAKES["sign-flipped"].planted_at(t) == MISTAKES["mean-for-sum"].planted_at(t) == ("dy_pred",)
    assert replace(MISTAKES["loss-halved"], once=True).planted_at(t) == ("L",), "the first value if it is no gradient"


@pytest.mark.parametrize("name", ["micrograd_readme", "planar_tanh_sigmoid", "triplet loss"])
def test_in_a_program_it_is_planted_where_no_lines_wait_for_each_other(name):
    p = program(*FORTY[name]) if name in FORTY else programmed(name)
    right, planted = trace(p), set()
    for mistake in MISTAKES.values():
        t = plant(right, mistake)
        at = tuple(step.name for step in t.steps if step.title)
        assert {*at} == {*mistake.planted_at(right)}
        assert bool(at) == bool(mistake.possible_at(right))
        planted |= {mistake.name} if at else set()
    assert len(planted) > 10
    assert ("gradient-of-the-factor" in planted) == (name != "triplet loss")


def test_a_planted_step_shows_the_wrong_line_and_what_follows_follows_from_it(example):
    assert MISTAKES["gradient-for-weights"].titled(example.step("dH1")) == "dW2 used where W2 was meant"
    assert replace(MISTAKES["mask-forgotten"], title="W or b").titled(example.step("L")) == "W or b"
    wrong = plant(example, MISTAKES["mask-always-true"], "dY1")
    np.testing.assert_array_equal(wrong["dY1"], example["dH1"])
    np.testing.assert_array_equal(wrong["dW1"], example["X"].T @ example["dH1"])
    step = wrong.step("dY1")
    assert (step.code, step.operands) == ("dH1 * (H1 >= 0)", ("dH1", "H1"))
    assert step.title == "ReLU mask >= 0 of the ReLU's own output"
    assert step.sentence.startswith(">= 0 is harmless "), "without the backticks of its cause"
    assert example.step("dY1").code == "dH1 * (H1 > 0)", "the right trace is untouched"


def test_the_symptoms_of_a_softmax_gone_wrong_are_those_that_its_board_shows():
    symptoms = {name: MISTAKES[name].symptom for name in ("shift-forgotten", "softmax-twice", "sigmoid-for-softmax")}
    p = random_problem(0, loss=SoftmaxCrossEntropy(), outputs=3)
    for sizes in ([800.0, 0.0, -5.0], [-800.0, -750.0, -900.0]):
        t = plant(trace(with_numbers(p, W2=0 * p.network.layers[-1].W, b2=[sizes])), MISTAKES["shift-forgotten"])
        assert np.isnan(t["P"]).any()
        assert np.isinf(t["logP"]).all()
        assert "nan in P, and logP is inf or -inf" in symptoms["shift-forgotten"]
    twice, t = MISTAKES["softmax-twice"], trace(random_problem(3, samples=4, outputs=3, lr=1.0, loss=p.loss))
    for _ in range(3000):
        t = trace(plant(t, twice, "dy_pred").next_problem())
    assert t["L"] < 0.05, "planted in the gradient alone"
    assert "Where logP has it, the loss stays far above 0" in symptoms["softmax-twice"]
    sure = trace(with_numbers(p, W2=0 * p.network.layers[-1].W, b2=[[20.0, 0.0, 0.0]]))
    assert np.abs(plant(sure, twice, "dy_pred")["dy_pred"]).max() < 1e-6 < np.abs(sure["dy_pred"]).max(), "and wrong"
    assert "fades once the network is sure, be it right or wrong" in symptoms["softmax-twice"]
    for scores, adds_up in (([0.3, -0.3], True), ([0.3, -0.2], False), ([2.0, 1.0], False)):
        two = random_problem(0, loss=p.loss)
        two = trace(with_numbers(two, W2=0 * two.network.layers[-1].W, b2=[scores]))
        total = plant(two, MISTAKES["sigmoid-for-softmax"])["P"].sum(axis=1)
        assert np.allclose(total, 1) == adds_up
        assert "opposite numbers, such as 0.3 and -0.3" in symptoms["sigmoid-for-softmax"]


def test_in_a_planted_trace_the_code_shown_is_the_code_run():
    diverging = [trained(random_problem(0, lr=1e200), iterations) for iterations in range(3)]
    assert [float(t["L"]) for t in diverging[1:]] == [np.inf, pytest.approx(np.nan, nan_ok=True)]
    varied = (trace(make(s)) for make in (varied_problem, whole_problem) for s in range(count(30)))
    for t in [*diverging, *map(trace, OWN_PROBLEMS.values()), *varied]:
        for mistake, name in each_placed(t):
            wrong = plant(t, mistake, name)
            for step, right in zip(wrong.steps, t.steps, strict=True):
                if t.names.index(step.name) < t.names.index(name):
                    assert identical(step.value, right.value)
                assert np.shape(step.value) == np.shape(right.value)
                assert identical(evaluate(step.code, wrong), step.value), (mistake.name, name, step.name)


def test_a_gradient_check_rejects_every_planted_mistake_that_changes_a_gradient():
    def largest(one, other):
        return max((relative_error(one[name], other[name]) for name in numeric), default=0.0)

    seen = set()
    problems = [varied_problem(seed) for seed in range(max(12, count(80, 4)))]
    problems += [whole_problem(seed) for seed in range(max(12, count(80, 8)))]
    for t in map(trace, problems):
        of, lines = {f"d{name}": terms_in(t)[f"d{name}"].terms for name in t.problem.parameters}, off_at_zero(t.problem)
        right = {d: t[d] for d, terms in of.items() if np.abs(t[d]).max() > 1e-9 * terms.max()}  # or it is rounding
        numeric = {d: complex_step_derivative(loss_of(t.problem, d[1:], lines), t[d[1:]]) for d in right}
        for mistake, place in each_placed(t):
            wrong = plant(t, mistake, place)
            change, error = largest(wrong, right), largest(wrong, numeric)
            if np.isfinite(change):  # else it divides by a prediction of 0
                assert error < 1e-6 if change == 0 else error > 1e-5 or change < 1e-5, (mistake.name, place)
                if change > 1e-5:
                    seen.add(mistake.name)
    another_shape = {"sum-forgotten", "sum-over-units", "axis-forgotten", "dimension-dropped", "broadcast-to-square"}
    another_shape |= {"norm-sum-forgotten"} - seen
    unseen = {*INVISIBLE_TO_GRADIENT_CHECK, "shift-forgotten", "log-of-zero"}  # which are right until it overflows
    assert seen.isdisjoint(unseen)
    assert seen | unseen | another_shape == OF_LAYERS
