"""Problems to start from: the original worked example, and small ones that many courses know."""

from collections.abc import Callable

import numpy as np

from backprop_lab.nn.activations import ReLU, Sigmoid, Tanh
from backprop_lab.nn.layers import Linear
from backprop_lab.nn.losses import HalfSquaredError, SoftmaxCrossEntropy, SumSquaredError
from backprop_lab.nn.menus import Menu
from backprop_lab.nn.network import Network
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS
from backprop_lab.step.problem import Problem
from backprop_lab.step.random_problems import one_hot, random_problem


def worked_example() -> Problem:
    """The two-layer ReLU network that this package grew out of: 2 samples, 3 inputs, 4 hidden units, 2 outputs.

    It was an unseeded notebook; these inputs, recovered from its printed output to full precision,
    bring back every digit that it printed.
    """
    W1 = [
        [-0.6254502210453391, -0.6707308601593341, -2.560507322207642, -0.53648352258681],
        [0.09981771805424977, 0.703687083024079, 0.13340160454545452, -0.74292811836949],
        [0.9667024108682931, -0.9824324631878844, 0.998489066271419, -0.8078810502071881],
    ]
    W2 = [
        [-1.1430685356191024, -1.1015255940665214],
        [-0.6062985314468713, -1.28553044053064],
        [0.3433115626390285, 1.476039162999638],
        [0.2781172399545555, 1.8896296639932464],
    ]
    X = [
        [-0.1581099223548433, -2.062160996361601, -0.9307661265207111],
        [-1.9501523691578138, 1.0642929769231209, -1.1513507645454544],
    ]
    y = [
        [-2.046718558285749, 1.0079300279403915],
        [0.1286508954545455, -1.9047346306630903],
    ]
    network = Network((Linear(W1, np.zeros((1, 4))), ReLU(), Linear(W2, np.zeros((1, 2)))))
    return Problem(network, SumSquaredError(), np.array(X), np.array(y), lr=1e-6)


def mazur() -> Problem:
    """A 2-2-2 network of sigmoids and one sample, with half the sum of squares as its loss and a learning rate of 0.5.

    The page that these numbers are from writes its weights row by row, one row an output, and leaves its biases as they
    are; a step here moves them too.
    Source: Mazur, https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/
    """
    first = Linear([[0.15, 0.25], [0.20, 0.30]], [[0.35, 0.35]])
    second = Linear([[0.40, 0.50], [0.45, 0.55]], [[0.60, 0.60]])
    network = Network((first, Sigmoid(), second, Sigmoid()))
    return Problem(network, HalfSquaredError(), np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]]), lr=0.5)


def xor() -> Problem:
    """The exclusive or: four samples of two inputs, which no straight line can tell apart, and four hidden units.

    Source of the example: Rumelhart, Hinton and Williams (1986); the weights are drawn.
    """
    X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    y = [[0.0], [1.0], [1.0], [0.0]]
    return random_problem(1, X=X, y=y, lr=0.1, activation=Tanh())


def iris() -> Problem:
    """A mini-batch of 16 irises: four lengths in centimetres, each less its mean and divided by its standard deviation
    in the batch; ten hidden units; three species, as scores for a softmax with cross-entropy.

    Source: the first flowers of each species in Fisher, "The use of multiple measurements in taxonomic problems",
    Annals of Eugenics 7 (1936) 179-188; the weights are drawn.
    """
    measured = np.array(_IRISES)
    X = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    y = one_hot(np.repeat(range(3), (6, 5, 5)))
    return random_problem(0, X=X, y=y, hidden=10, lr=0.1, loss=SoftmaxCrossEntropy())


_IRISES = (  # sepal length and width, petal length and width; six setosa, five versicolor, five virginica
    (5.1, 3.5, 1.4, 0.2),
    (4.9, 3.0, 1.4, 0.2),
    (4.7, 3.2, 1.3, 0.2),
    (4.6, 3.1, 1.5, 0.2),
    (5.0, 3.6, 1.4, 0.2),
    (5.4, 3.9, 1.7, 0.4),
    (7.0, 3.2, 4.7, 1.4),
    (6.4, 3.2, 4.5, 1.5),
    (6.9, 3.1, 4.9, 1.5),
    (5.5, 2.3, 4.0, 1.3),
    (6.5, 2.8, 4.6, 1.5),
    (6.3, 3.3, 6.0, 2.5),
    (5.8, 2.7, 5.1, 1.9),
    (7.1, 3.0, 5.9, 2.1),
    (6.3, 2.9, 5.6, 1.8),
    (6.5, 3.0, 5.8, 2.2),
)

EXAMPLES: Menu[Callable[[], Problem]] = Menu({
    "worked example": worked_example,
    "mazur": mazur,
    "xor": xor,
    "iris": iris,
    **EXAMPLE_PROGRAMS,
})  # fmt: skip
