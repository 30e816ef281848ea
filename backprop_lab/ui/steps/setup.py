"""What the lab can be set to: where to start from, the sizes of the network, its activation; and the problem that makes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backprop_lab.layers import Layer, Linear, ReLU, Sigmoid, Tanh
from backprop_lab.problem import Problem, check_seed, random_problem, worked_example


def dead_relu(problem: Problem) -> Problem:
    """The same problem with the first hidden unit pushed below zero for every sample: it is off and cannot learn."""
    parameters = problem.network.parameters
    b1 = parameters["b1"].copy()
    b1[0, 0] = -1 - np.max(problem.X @ parameters["W1"][:, :1])
    return replace(problem, network=problem.network.with_parameters(parameters | {"b1": b1}))


def all_active(problem: Problem) -> Problem:
    """The same problem with every hidden bias raised until every unit is on for every sample: no ReLU hides anything."""
    parameters, X = problem.network.parameters, problem.X
    for layer, _, _, number in problem.network.stages[:-1]:
        if isinstance(layer, Linear):
            b = 0.5 - np.min(X @ layer.W, axis=0, keepdims=True)
            parameters[f"b{number}"] = b
            layer = Linear(layer.W, b)
        X = layer.forward(X)
    return replace(problem, network=problem.network.with_parameters(parameters))


def diverging(problem: Problem) -> Problem:
    """The same problem with a learning rate so large that the loss overflows within some hundred steps."""
    return replace(problem, lr=2.0)


WORKED_EXAMPLE, CUSTOM = "worked example", "custom"
STARTS: dict[str, Callable[[Problem], Problem]] = {
    WORKED_EXAMPLE: lambda _: worked_example(),
    "random": lambda problem: problem,
    "dead ReLU": dead_relu,
    "diverging": diverging,
    "all active": all_active,
}
ACTIVATIONS: dict[str, Layer] = {"ReLU": ReLU(), "Tanh": Tanh(), "Sigmoid": Sigmoid()}
SIZES = {"samples": 8, "inputs": 8, "hidden": 8, "layers": 3, "outputs": 8}  # and the largest that the board shows


@dataclass(frozen=True)
class Setup:
    """What a problem is made from: a starting point, a seed, and the sizes of the network."""

    start: str = WORKED_EXAMPLE
    seed: int = 0
    samples: int = 2
    inputs: int = 3
    hidden: int = 4
    layers: int = 1
    outputs: int = 2
    activation: str = "ReLU"

    def problem(self) -> Problem:
        """Raises ValueError if a part of the setup is not one of those there are."""
        check_seed(self.seed)
        for name, choices in [("start", tuple(STARTS)), ("activation", tuple(ACTIVATIONS))]:
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}")
        for name, most in SIZES.items():
            check_whole(name, getattr(self, name), 1, most)
        hidden = (self.hidden,) * self.layers
        activation = ACTIVATIONS[self.activation]
        return STARTS[self.start](
            random_problem(self.seed, self.samples, self.inputs, hidden, self.outputs, activation=activation)
        )

    def settled(self) -> "Setup":
        """The same, but for the worked example, whose seed and sizes are its own."""
        return Setup() if self.start == WORKED_EXAMPLE else self


def check_whole(name: str, number: Any, least: int, most: int) -> None:
    """Raise ValueError unless it is a whole number in this range."""
    if not isinstance(number, int | np.integer) or isinstance(number, bool) or not least <= number <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}; got {number!r}")
