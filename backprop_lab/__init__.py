"""backprop_lab: one training step of a neural network, taken apart so that you can see every number move."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backprop_lab.checks.proof import check_gradients, prove
    from backprop_lab.course.drills import drill
    from backprop_lab.course.mysteries import mystery, solve
    from backprop_lab.feedback.check import check, check_function
    from backprop_lab.feedback.diagnosis import diagnose
    from backprop_lab.feedback.mistakes import MISTAKES, Mistake, plant
    from backprop_lab.feedback.own_lines import check_lines
    from backprop_lab.nn.layers import ACTIVATIONS, Activation, Layer, Linear, ReLU, Sigmoid, Tanh
    from backprop_lab.nn.losses import (
        LOSSES,
        HalfSquaredError,
        Loss,
        MeanSquaredError,
        SoftmaxCrossEntropy,
        SumSquaredError,
    )
    from backprop_lab.nn.network import Network
    from backprop_lab.step.examples import EXAMPLES, worked_example
    from backprop_lab.step.problem import Problem
    from backprop_lab.step.random_problems import one_hot, random_problem
    from backprop_lab.step.trace import trace
    from backprop_lab.training.sweep import sweep

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
    "check_lines",
    "diagnose",
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

# A name is looked up in these modules, in this order, when it is first asked for: nobody waits for what is not used.
_HOMES = (
    "nn.layers",
    "nn.losses",
    "nn.network",
    "step.problem",
    "step.trace",
    "step.random_problems",
    "step.examples",
    "checks.proof",
    "feedback.mistakes",
    "feedback.check",
    "feedback.diagnosis",
    "feedback.own_lines",
    "training.sweep",
    "course.drills",
    "course.mysteries",
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in _HOMES:
            module = import_module(f"{__name__}.{home}")
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
