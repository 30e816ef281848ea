"""backprop_lab: one training step of a neural network, taken apart so that you can see every number move."""

from backprop_lab.feedback import check
from backprop_lab.gradcheck import check_gradients
from backprop_lab.layers import Linear, ReLU, Sigmoid, Tanh
from backprop_lab.losses import MeanSquaredError, SumSquaredError
from backprop_lab.mistakes import MISTAKES, plant
from backprop_lab.network import Network
from backprop_lab.problem import Problem, random_problem, worked_example
from backprop_lab.sweep import sweep
from backprop_lab.trace import trace

__version__ = "0.1.0"

__all__ = [
    "MISTAKES",
    "Linear",
    "MeanSquaredError",
    "Network",
    "Problem",
    "ReLU",
    "Sigmoid",
    "SumSquaredError",
    "Tanh",
    "check",
    "check_gradients",
    "plant",
    "random_problem",
    "sweep",
    "trace",
    "worked_example",
]
