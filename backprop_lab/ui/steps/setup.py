"""The settings of the lab: the numbers to start from, sizes, activation, loss, optimizer; and the problem they make."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np

from backprop_lab.nn.layers import ACTIVATIONS, Layer
from backprop_lab.nn.losses import LOSSES
from backprop_lab.nn.network import Network
from backprop_lab.nn.optimizers import OPTIMIZERS
from backprop_lab.reading.parts import MOST_AXES
from backprop_lab.reading.slopes import in_rows
from backprop_lab.step.examples import EXAMPLES
from backprop_lab.step.problem import Problem, check_problem, check_seed, check_whole
from backprop_lab.step.program import Program
from backprop_lab.step.random_problems import fitting, random_problem, redrawn
from backprop_lab.step.trace import trace


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
            b = layer.parameters["b"] + (0.5 - layer.forward(X).min(axis=0))
            layer = layer.with_parameters({**layer.parameters, "b": b})
        layers.append(layer)
        X = layer.forward(X)
    return problem.evolve(network=Network((*layers, last)))


def diverging(problem: Problem) -> Problem:
    """The same problem with a learning rate so large that the loss overflows within a few hundred steps."""
    return problem.evolve(lr=2.0)


WORKED_EXAMPLE, RANDOM, AS_GIVEN, CUSTOM = "worked example", "random", "as given", "custom"
RECIPES: dict[str, Callable[[Problem], Problem]] = {  # what becomes of random numbers
    RANDOM: lambda problem: problem,
    "dead ReLU": dead_relu,
    "diverging": diverging,
    "all active": all_active,
}
STARTS = (WORKED_EXAMPLE, *RECIPES, *(name for name in EXAMPLES if name != WORKED_EXAMPLE))
SIZES = {"samples": 64, "inputs": 128, "hidden": 128, "layers": 5, "outputs": 128}  # the most that a lab shows
MOST_LINES = 200
_example = cache(lambda name: EXAMPLES[name]())


@dataclass(frozen=True)
class Setup:
    """What a problem is made from: a start, a seed, the sizes of the network, its activation, its loss, its optimizer.

    A start is an example with numbers of its own, or "as given": the problem `given`; then the seed draws other weights
    for its data, and with none they are its own. Or it is a recipe for random numbers, which the seed draws. The
    `activation` is that of the hidden layers; "as given" leaves it, and likewise the `loss` and the `optimizer`, as the
    start has it. Another optimizer than that of the start has nothing to remember yet.
    """

    start: str = WORKED_EXAMPLE
    seed: int | None = None
    samples: int = 2
    inputs: int = 3
    hidden: int = 4
    layers: int = 1
    outputs: int = 2
    activation: str = AS_GIVEN
    loss: str = AS_GIVEN
    optimizer: str = AS_GIVEN
    given: Problem | None = None

    def __post_init__(self) -> None:
        """Settle what the start decides: the sizes of what has its own, and all of what is drawn."""
        if self.base is not None:
            self._settle(**sizes_of(self.base))
        else:
            usual = {"activation": "ReLU", "loss": "sum of squares", "optimizer": "gradient descent"}
            self._settle(**{name: to for name, to in usual.items() if getattr(self, name) == AS_GIVEN})
            self._settle(seed=0 if self.seed is None else self.seed)

    def _settle(self, **settled: Any) -> None:
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    @property
    def base(self) -> Problem | None:
        """The problem that the start has, or None if it is drawn."""
        if self.start == AS_GIVEN:
            return self.given
        return _example(self.start) if isinstance(self.start, str) and self.start in EXAMPLES else None

    def problem(self) -> Problem:
        """The problem. Raises ValueError if a field has a value that is not available."""
        for name, choices in self.choices().items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}")
        base = self.base
        if base is None:
            check_seed(self.seed)
            for name, most in SIZES.items():
                check_whole(name, getattr(self, name), 1, most)
            drawn = random_problem(
                self.seed or 0,
                self.samples,
                self.inputs,
                (self.hidden,) * self.layers,
                self.outputs,
                activation=ACTIVATIONS[self.activation],
                loss=LOSSES[self.loss],
                optimizer=OPTIMIZERS[self.optimizer],
            )
            return RECIPES[self.start](drawn)
        problem = redrawn(base, self.seed)
        if self.optimizer != AS_GIVEN:
            problem = problem.evolve(optimizer=OPTIMIZERS[self.optimizer])
        if self.activation == self.loss == AS_GIVEN:
            return problem
        *hidden, last = problem.network.layers
        if self.activation != AS_GIVEN:
            hidden = [ACTIVATIONS[self.activation] if is_activation(layer) else layer for layer in hidden]
        loss = problem.loss if self.loss == AS_GIVEN else LOSSES[self.loss]
        return replace(problem, network=Network(fitting((*hidden, last), loss)), loss=loss)

    def choices(self) -> dict[str, tuple[str, ...]]:
        """What there is to choose from, for each field that is a choice by name."""
        has_its_own = (AS_GIVEN,) * (self.base is not None)
        layers = not isinstance(self.base, Program)
        return {
            "start": (*(AS_GIVEN,) * (self.given is not None), *STARTS),
            "activation": (*has_its_own, *(ACTIVATIONS if layers else ())),
            "loss": (*has_its_own, *(LOSSES if layers else ())),
            "optimizer": (*has_its_own, *OPTIMIZERS),
        }

    def changed(self, changes: Mapping[str, Any]) -> tuple["Setup", list[str]]:
        """The setup with some fields changed, and sentences to say if more has changed than was asked for.

        A start with sizes of its own becomes random numbers when one of them changes; so does the worked example with a
        seed. If it had no hidden layer, the random numbers get one.
        """
        sentences: list[str] = []
        if "start" not in changes:
            gone = changes.keys() & {*SIZES, *({"seed"} if self.start == WORKED_EXAMPLE else ())}
            if self.base is None or not gone:
                return replace(self, **changes), []
            changes = {**changes, "start": RANDOM}
            whose = "your problem" if self.start == AS_GIVEN else self.start
            sentences = [f"Random numbers now: choose {whose} under start to go back."]
        setup = Setup(changes["start"], given=self.given)
        if setup.base is None:
            at_least = {name: max(getattr(self, name), 1) for name in ("hidden", "layers")}
            setup = replace(self, **{**at_least, **changes})
        return setup, sentences


def is_activation(layer: Layer) -> bool:
    """Whether another activation may take its place: it learns nothing, and draws nothing."""
    return not layer.learnt and not hasattr(layer, "drawn")


def chosen(problem: Problem | None, settings: Mapping[str, Any]) -> Setup:
    """The setup to open with: a problem with its own numbers, or what `settings`, which are fields of Setup, come to.

    Raises TypeError for what is not such a field, and ValueError if the values make no sense.
    """
    settled = dict(settings)
    if problem is not None:
        if "start" in settings:
            raise ValueError(f"give a problem or a start, and not both; got start={settings['start']!r} as well")
        settled |= {"start": AS_GIVEN, "given": checked(problem)}
    elif settings and "start" not in settings:
        settled["start"] = RANDOM  # the worked example has numbers and sizes of its own
    known = [field.name for field in fields(Setup)]
    if alien := [name for name in settled if name not in known]:
        takes = ", ".join(("problem, lr, iteration, step, cell, mistake, limit", *known[:-1]))
        raise TypeError(
            f"StepThrough takes no {alien[0]}; it takes {takes}, and how it is shown: hide, large, questions"
        )
    setup = Setup(**settled)
    if setup.base is not None and (sizes := settings.keys() & SIZES.keys()):
        raise ValueError(f"{', '.join(sorted(sizes))}: {setup.start!r} has sizes of its own; leave them out")
    return setup


def sizes_of(problem: Problem) -> dict[str, int]:
    """The sizes of a problem by name; `hidden` is the width of its first hidden layer, or 0 if it has none.

    A program has none: no one number says how large it is.
    """
    if isinstance(problem, Program):
        return dict.fromkeys(SIZES, 0)
    first, *others = problem.network.layers
    layers = sum(bool(layer.parameters) for layer in others)
    with np.errstate(all="ignore"):
        hidden = first.forward(problem.X).shape[1] if layers else 0
    return {
        "samples": len(problem.X),
        "inputs": problem.X.shape[1],
        "hidden": hidden,
        "layers": layers,
        "outputs": problem.y.shape[1],
    }


def checked(problem: Problem) -> Problem:
    """A problem that the lab can show. Raises ValueError, saying why not and what would do, for anything else."""
    check_problem(problem)
    layers = sum(bool(layer.learnt) for layer, *_ in problem.stages)
    if problem.stages and (samples := len(problem.X)) > (most := SIZES["samples"]):
        instead = f"X[:{most}] and y[:{most}] are the first of them"
        raise ValueError(f"a lab shows up to {most} samples, and here are {samples}: {instead}")
    if layers > (most := SIZES["layers"] + 1):
        instead = "a shallower network shows the same steps"
        raise ValueError(f"a lab shows up to {most} layers with parameters, and here are {layers}: {instead}")
    if len(problem.lines) > MOST_LINES:
        instead = "fewer turns of the same lines show as much"
        raise ValueError(f"a lab shows up to {MOST_LINES} lines a step, and here are {len(problem.lines)}: {instead}")
    for name, value in trace(problem).items():
        if np.iscomplexobj(value):
            raise ValueError(f"a lab shows real numbers, and {name} is complex: {name}.real is its real part")
        if np.ndim(value) > MOST_AXES:
            raise ValueError(
                f"a lab shows values of up to {MOST_AXES} axes, and {name} has the shape {np.shape(value)}"
            )
        most = SIZES["hidden"]
        if any(length > most for length in in_rows(value).shape):
            instead = "a narrower network shows the same steps"
            raise ValueError(f"a lab shows up to {most} rows and columns, and {name} is {np.shape(value)}: {instead}")
    return problem
