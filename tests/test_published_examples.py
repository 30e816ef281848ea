"""Worked examples that others have published, in their own conventions, come out of our layers to every digit printed.

Those before the softmax have half of a squared error as their loss: their gradients are half of ours, and their
learning rate is twice ours.
"""

import numpy as np

from backprop_lab import MISTAKES, Network, Problem, one_hot, plant, trace
from backprop_lab.layers import Linear, Sigmoid
from backprop_lab.lines import evaluate, run
from backprop_lab.losses import SoftmaxCrossEntropy, SumSquaredError


def assert_printed(values, texts):
    """Each value, a line of NumPy, rounded to as many decimals as were printed of it, is what was printed."""
    for code, printed in texts.items():
        for number, text in zip(np.ravel(evaluate(code, values)), printed.split(), strict=True):
            rounded = f"{number + 0.0:.{len(text.partition('.')[2])}f}"
            assert rounded in (text, f"-{text}" if float(text) == 0 else text), code


def step(layers, X, y, lr, loss=None):
    return trace(Problem(Network(layers), loss or SumSquaredError(), np.array(X, float), np.array(y, float), lr))


def softmax_of(scores, labels):
    """The step of scores that are given: the one layer leaves them as they are."""
    K = np.shape(scores)[1]
    layer = Linear(np.eye(K), np.zeros((1, K)))
    return step((layer,), scores, one_hot(labels, K), 0.1, SoftmaxCrossEntropy())


def mazur():
    first = Linear([[0.15, 0.25], [0.2, 0.3]], [[0.35, 0.35]])
    second = Linear([[0.4, 0.5], [0.45, 0.55]], [[0.6, 0.6]])
    return step((first, Sigmoid(), second, Sigmoid()), [[0.05, 0.1]], [[0.01, 0.99]], 0.25)


def test_mazur_two_layers_of_sigmoids():
    """https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/, in which biases stay fixed."""
    assert_printed(mazur(), {
        "Y1[0, 0]": "0.3775", "H1": "0.593269992 0.596884378", "Y2[0, 0]": "1.105905967",
        "y_pred": "0.75136507 0.772928465", "(y_pred - y)**2 / 2": "0.274811083 0.023560026", "L / 2": "0.298371109",
        "dy_pred[0, 0] / 2": "0.74136507", "dY2[0, 0] / 2": "0.138498562",
        "dY2[0, 0] / 2 * W2[0, 0]": "0.055399425", "dW2[0, 0] / 2": "0.082167041",
        "dH1[0, 0] / 2": "0.036350306", "dW1[0, 0] / 2": "0.000438568",
        "W2_new.T": "0.35891648 0.408666186 0.511301270 0.561370121",
        "W1_new.T": "0.149780716 0.19956143 0.24975114 0.29950229",
    })  # fmt: skip


def test_mazur_after_the_first_round_goes_on_with_weights_that_are_updated_already():
    """The same page says that the old weights are used on the way back; the numbers it goes on to print say otherwise:
    they are those of our mistake "updated-weights". Without it the loss after one round is 0.291027774.
    """
    right, theirs = mazur(), plant(mazur(), MISTAKES["updated-weights"], "dH1")

    def after(t, rounds):
        given = dict(t.given)
        for _ in range(rounds + 1):
            values = {step.name: step.value for step in run(t.steps, given)}
            given |= {"W1": values["W1_new"], "W2": values["W2_new"]}
        return values

    assert_printed(after(right, 1), {"L / 2": "0.291027774"})
    assert_printed(after(theirs, 1), {"L / 2": "0.291027924"})
    # Of the printed 0.0000351085 the last digits do not follow from these outputs.
    assert_printed(after(theirs, 10_000), {"y_pred": "0.015912196 0.984065734", "L / 2": "0.0000351"})


def test_han_and_kamber_errors_that_are_added():
    """Han, Kamber and Pei, "Data Mining: Concepts and Techniques", 3rd edition 2011, example 9.1. Err is the negative
    of a gradient with respect to what enters the sigmoid. Of the output, the book goes on with the digits it prints.
    """
    first = Linear([[0.2, -0.3], [0.4, 0.1], [-0.5, 0.2]], [[-0.4, 0.2]])
    layers = (first, Sigmoid(), Linear([[-0.3], [-0.2]], [[0.1]]), Sigmoid())
    assert_printed(step(layers, [[1, 0, 1]], [[1]], 0.45), {
        "Y1": "-0.7 0.1", "H1": "0.332 0.525", "Y2": "-0.105", "y_pred": "0.474",
        "-dY2 / 2": "0.1312", "y_pred.round(3) * (1 - y_pred.round(3))**2": "0.1311", "-dY1 / 2": "-0.0087 -0.0065",
        "W2_new": "-0.261 -0.138", "W1_new": "0.192 -0.306 0.4 0.1 -0.508 0.194",
        "b2_new": "0.218", "b1_new": "-0.408 0.194",
    })  # fmt: skip


def test_cs231n_softmax_classifier_of_one_picture():
    """Karpathy, https://cs231n.github.io/linear-classify/, "SVM vs. Softmax": the figure, and the scores below it."""
    W = [[0.01, -0.05, 0.1, 0.05], [0.7, 0.2, 0.05, 0.16], [0.0, -0.45, -0.2, 0.03]]
    layer = Linear(np.transpose(W), [[0.0, 0.2, -0.3]])
    assert_printed(step((layer,), [[-15, 22, -44, 56]], one_hot([2], 3), 0.1, SoftmaxCrossEntropy()), {
        "y_pred": "-2.85 0.86 0.28", "np.exp(y_pred)": "0.058 2.36 1.32", "P[:, 1:]": "0.631 0.353", "L": "1.04",
        # The figure goes on with the digits it prints: 0.058 / 3.738, where P is 0.0154.
        "np.exp(y_pred[:, :1]).round(3) / np.exp(y_pred).round(2).sum()": "0.016",
    })  # fmt: skip
    assert_printed(softmax_of([[1, -2, 0], [0.5, -1, 0]], [0, 0]), {"P": "0.7 0.04 0.26 0.55 0.12 0.33"})


def test_dive_into_deep_learning_cross_entropy_of_two_samples():
    """Zhang, Lipton, Li and Smola, https://d2l.ai/chapter_linear-classification/softmax-regression-scratch.html: the
    probabilities are given, so the scores are their logarithms."""
    t = softmax_of(np.log([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]]), [0, 2])
    assert_printed(t, {"P[y == 1]": "0.1000 0.5000", "-(y * logP).sum(axis=1)": "2.3026 0.6931"})
