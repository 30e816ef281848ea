"""The settings of the lab: the starting point, the sizes of the network, its activation; and the problem they make."""

from collections.abc import Callable
from dataclasses import dataclass

from backprop_lab.layers import ACTIVATIONS, Layer
from backprop_lab.network import Network
from backprop_lab.problem import Problem, check_seed, check_whole, random_problem, worked_example


def dead_relu(problem: Problem) -> Problem:
    """The same problem with the first hidden unit pushed below zero for every sample: it is off and cannot learn."""
    first, *rest = problem.network.layers
    b = first.parameters["b"].copy()
    b[0, 0] -= 1 + first.forward(problem.X)[:, 0].max()
    return problem.evolve(network=Network((first.with_parameters({**first.parameters, "b": b}), *rest)))


def all_active(problem: Problem) -> Problem:
    """The same problem with hidden biases shifted until every unit is on for every sample: no ReLU hides anything."""
    *hidden, last = problem.network.layers
    layers: list[Layer] = []
    X = problem.X
    for layer in hidden:
        if layer.parameters:
            b = layer.parameters["b"] + (0.5 - layer.forward(X).min(axis=0, keepdims=True))
            layer = layer.with_parameters({**layer.parameters, "b": b})
        layers.append(layer)
        X = layer.forward(X)
    return problem.evolve(network=Network((*layers, last)))


def diverging(problem: Problem) -> Problem:
    """The same problem with a learning rate so large that the loss overflows within a few hundred steps."""
    return problem.evolve(lr=2.0)


WORKED_EXAMPLE, CUSTOM = "worked example", "custom"
STARTS: dict[str, Callable[[Problem], Problem]] = {
    WORKED_EXAMPLE: lambda _: worked_example(),
    "random": lambda problem: problem,
    "dead ReLU": dead_relu,
    "diverging": diverging,
    "all active": all_active,
}
SIZES = {"samples": 8, "inputs": 8, "hidden": 8, "layers": 3, "outputs": 8}  # the largest that the board shows


@dataclass(frozen=True)
class Setup:
    """What a problem is made from: a starting point, a seed, the sizes of the network and its activation."""

    start: str = WORKED_EXAMPLE
    seed: int = 0
    samples: int = 2
    inputs: int = 3
    hidden: int = 4
    layers: int = 1
    outputs: int = 2
    activation: str = "ReLU"

    def problem(self, make: Callable[..., Problem] = Problem) -> Problem:
        """The problem, drawn by `random_problem`. Raises ValueError if a field has a value that is not available."""
        check_seed(self.seed)
        for name, choices in [("start", tuple(STARTS)), ("activation", tuple(ACTIVATIONS))]:
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}")
        for name, most in SIZES.items():
            check_whole(name, getattr(self, name), 1, most)
        hidden = (self.hidden,) * self.layers
        activation = ACTIVATIONS[self.activation]
        return STARTS[self.start](
            random_problem(self.seed, self.samples, self.inputs, hidden, self.outputs, activation=activation, make=make)
        )

    def settled(self) -> "Setup":
        """The same setup, except for the worked example, which has a seed and sizes of its own."""
        return Setup() if self.start == WORKED_EXAMPLE else self
