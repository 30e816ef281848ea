"""backprop_lab: one training step of a neural network, taken apart so that you can see every number move."""

from backprop_lab.drills import drill
from backprop_lab.examples import EXAMPLES, worked_example
from backprop_lab.feedback import check, check_function
from backprop_lab.layers import ACTIVATIONS, Activation, Layer, Linear, ReLU, Sigmoid, Tanh
from backprop_lab.losses import LOSSES, HalfSquaredError, Loss, MeanSquaredError, SoftmaxCrossEntropy, SumSquaredError
from backprop_lab.mistakes import MISTAKES, Mistake, plant
from backprop_lab.mysteries import mystery, solve
from backprop_lab.network import Network
from backprop_lab.problem import Problem
from backprop_lab.proving import check_gradients, prove
from backprop_lab.starting import one_hot, random_problem
from backprop_lab.sweeping import sweep
from backprop_lab.tracing import trace

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "EXAMPLES",
    "LOSSES",
    "MISTAKES",
    "Activation",
    "HalfSquaredError",
    "Layer",
    "Linear",
    "Loss",
    "MeanSquaredError",
    "Mistake",
    "Network",
    "Problem",
    "ReLU",
    "Sigmoid",
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
