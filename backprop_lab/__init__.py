"""backprop_lab: one training step of a neural network, taken apart so that you can see every number move."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backprop_lab.checks.proof import check_gradients, prove
    from backprop_lab.course.drills import drill
    from backprop_lab.course.mysteries import mystery, solve
    from backprop_lab.feedback.check import check, check_function
    from backprop_lab.feedback.mistakes import MISTAKES, Mistake, plant
    from backprop_lab.homework.diagnosis import diagnose
    from backprop_lab.homework.lines import check_lines
    from backprop_lab.nn.activations import ACTIVATIONS, GELU, Activation, LeakyReLU, ReLU, Sigmoid, Tanh
    from backprop_lab.nn.layers import Dropout, Layer, Linear
    from backprop_lab.nn.losses import (
        LOSSES,
        BinaryCrossEntropy,
        HalfSquaredError,
        Loss,
        MeanSquaredError,
        SigmoidCrossEntropy,
        SoftmaxCrossEntropy,
        SumSquaredError,
    )
    from backprop_lab.nn.network import Network
    from backprop_lab.nn.norms import BatchNorm, LayerNorm
    from backprop_lab.nn.optimizers import OPTIMIZERS, Adam, GradientDescent, Momentum, Nesterov, Optimizer
    from backprop_lab.nn.penalties import L2, Penalty
    from backprop_lab.step.examples import EXAMPLES, worked_example
    from backprop_lab.step.from_torch import from_torch
    from backprop_lab.step.problem import Problem
    from backprop_lab.step.program import program
    from backprop_lab.step.random_problems import one_hot, random_problem
    from backprop_lab.step.trace import trace
    from backprop_lab.training.sweep import sweep

__version__ = "0.2.0"

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
    "check_lines",
    "diagnose",
    "drill",
    "from_torch",
    "mystery",
    "one_hot",
    "plant",
    "program",
    "prove",
    "random_problem",
    "solve",
    "sweep",
    "trace",
    "worked_example",
]


def public_names(package: str, names: Sequence[str], homes: Sequence[str]) -> tuple[Callable[..., Any], ...]:
    """The `__getattr__` and the `__dir__` of a package that looks names up when they are first asked for.

    It looks in the modules `homes`, in this order: nobody waits for what is not used.
    """
    known = vars(sys.modules[package])

    def load(name: str) -> Any:
        for home in homes if name in names else ():
            module = import_module(f"{package}.{home}")
            if hasattr(module, name):
                known[name] = getattr(module, name)
                return known[name]
        if not name.startswith("_") and name in getattr(import_module(f"{__name__}.ui"), "__all__", ()):
            raise ImportError(f"{name} is one of the labs: from {__name__}.ui import {name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load, lambda: sorted({*known, *names})


_HOMES = (
    "nn.activations",
    "nn.layers",
    "nn.losses",
    "nn.penalties",
    "nn.optimizers",
    "nn.network",
    "step.problem",
    "step.trace",
    "step.random_problems",
    "step.examples",
    "nn.norms",
    "step.program",
    "step.from_torch",
    "checks.proof",
    "feedback.mistakes",
    "feedback.check",
    "homework.diagnosis",
    "homework.lines",
    "training.sweep",
    "course.drills",
    "course.mysteries",
)
__getattr__, __dir__ = public_names(__name__, __all__, _HOMES)
