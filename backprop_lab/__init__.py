"""backprop_lab: one training step of a neural network, taken apart so that you can see every number move."""

from backprop_lab.drills import drill
from backprop_lab.examples import EXAMPLES, worked_example
from backprop_lab.feedback import check, check_function
from backprop_lab.layers import (
    ACTIVATIONS,
    GELU,
    Activation,
    BatchNorm,
    Dropout,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    ReLU,
    Sigmoid,
    Tanh,
)
from backprop_lab.losses import (
    LOSSES,
    BinaryCrossEntropy,
    HalfSquaredError,
    Loss,
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumSquaredError,
)
from backprop_lab.mistakes import MISTAKES, Mistake, plant
from backprop_lab.mysteries import mystery, solve
from backprop_lab.network import Network
from backprop_lab.optimizers import OPTIMIZERS, Adam, GradientDescent, Momentum, Nesterov, Optimizer
from backprop_lab.penalties import L2, Penalty
from backprop_lab.problem import Problem
from backprop_lab.proving import check_gradients, prove
from backprop_lab.starting import one_hot, random_problem
from backprop_lab.sweeping import sweep
from backprop_lab.tracing import trace

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "EXAMPLES",
    "GELU",
    "L2",
    "LOSSES",
    "MISTAKES",
    "OPTIMIZERS",
    "Activation",
    "Adam",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Dropout",
    "GradientDescent",
    "HalfSquaredError",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Loss",
    "MeanSquaredError",
    "Mistake",
    "Momentum",
    "Nesterov",
    "Network",
    "Optimizer",
    "Penalty",
    "Problem",
    "ReLU",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "SumSquaredError",
    "Tanh",
    "check",
    "check_function",
    "check_gradients",
    "drill",
    "mystery",
    "one_hot",
    "plant",
    "prove",
    "random_problem",
    "solve",
    "sweep",
    "trace",
    "worked_example",
]
