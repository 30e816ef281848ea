"""The settings of the lab: the numbers to start from, the sizes, and the parts by name; and the problem they make."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from backprop_lab.nn.activations import ACTIVATIONS
from backprop_lab.nn.arrays import MOST_AXES
from backprop_lab.nn.layers import Dropout, Layer, Linear
from backprop_lab.nn.losses import LOSSES
from backprop_lab.nn.network import Network
from backprop_lab.nn.norms import NORMS, BatchNorm
from backprop_lab.nn.optimizers import OPTIMIZERS
from backprop_lab.nn.penalties import L2, Penalty
from backprop_lab.nn.steps import Stage
from backprop_lab.reading.slopes import in_rows
from backprop_lab.step.examples import EXAMPLES
from backprop_lab.step.problem import Problem, check_problem, check_seed, check_whole
from backprop_lab.step.random_problems import fitting, random_problem, redrawn
from backprop_lab.step.trace import trace


def dead_relu(problem: Problem) -> Problem:
    """The same problem with the first hidden unit pushed below zero for every sample: it is off for good."""
    stage, shift = _before_activations(problem)[0]
    row = problem.parameters[shift].copy()
    if isinstance(stage.layer, (*NORMS.values(),)):  # whose Xhat is at most the root of how many it is a mean of
        row[0, 0] -= 1 + math.sqrt(max(len(problem.X), row.size))
    else:
        row[0, 0] -= 1 + trace(problem)[stage.Y][:, 0].max()
    return problem.evolve(parameters={shift: row})


def all_active(problem: Problem) -> Problem:
    """The same problem with hidden biases shifted until every unit is on for every sample: no ReLU hides anything."""
    for stage, shift in _before_activations(problem):
        row = problem.parameters[shift] + (0.5 - trace(problem)[stage.Y].min(axis=0))
        problem = problem.evolve(parameters={shift: row})
    return problem


def _before_activations(problem: Problem) -> list[tuple[Stage, str]]:
    """What gives the input of each hidden activation, with the name of its last parameter: a bias, or a beta."""
    pairs = pairwise(problem.network.stages[:-1])
    return [(one, [*one.parameters.values()][-1]) for one, after in pairs if is_activation(after.layer)]


def diverging(problem: Problem) -> Problem:
    """The same problem with a learning rate so large that the loss overflows within a few hundred steps."""
    return problem.evolve(lr=2.0)


WORKED_EXAMPLE, RANDOM, AS_GIVEN, CUSTOM, NONE = "worked example", "random", "as given", "custom", "none"
RECIPES: dict[str, Callable[[Problem], Problem]] = {  # what becomes of random numbers
    RANDOM: lambda problem: problem,
    "dead ReLU": dead_relu,
    "diverging": diverging,
    "all active": all_active,
}
STARTS = (WORKED_EXAMPLE, *RECIPES, *(name for name in EXAMPLES if name != WORKED_EXAMPLE))
SIZES = {"samples": 64, "inputs": 128, "hidden": 128, "layers": 5, "outputs": 128}  # the most that a lab shows
MOST_LINES = 200
PENALTIES: dict[str, Penalty | None] = {NONE: None, "L2(0.01)": L2(0.01), "L2(0.1)": L2(0.1)}
DROPOUTS = {NONE: 0.0, "0.2": 0.2, "0.5": 0.5}
PARTS: dict[str, Mapping[str, Any]] = {"loss": LOSSES, "penalty": PENALTIES, "optimizer": OPTIMIZERS}
_example = cache(lambda name: EXAMPLES[name]())


@dataclass(frozen=True)
class Setup:
    """What a problem is made from: a start, a seed, the sizes of the network, and its parts by name.

    A start is an example with numbers of its own, or "as given": the problem `given`; then the seed draws other weights
    for its data, and with none they are its own. Or it is a recipe for random numbers, which the seed draws. The
    `activation` is that of the hidden layers, a `norm` stands before each of these activations, and a `dropout` with
    this chance after it; "as given" leaves them, and likewise the `loss`, the `penalty` and the `optimizer`, as the
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
    norm: str = AS_GIVEN
    dropout: str = AS_GIVEN
    loss: str = AS_GIVEN
    penalty: str = AS_GIVEN
    optimizer: str = AS_GIVEN
    given: Problem | None = None

    def __post_init__(self) -> None:
        """Settle what the start decides: the sizes of what has its own, and all of what is drawn."""
        if isinstance(self.dropout, float | int):
            self._settle(dropout=f"{self.dropout:g}" if self.dropout else NONE)
        if self.base is not None:
            self._settle(**sizes_of(self.base))
        else:
            usual = {name: names[0] for name, names in self.choices().items() if name != "start"}
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
            sizes = (self.samples, self.inputs, (self.hidden,) * self.layers, self.outputs)
            parts = {name: table[getattr(self, name)] for name, table in PARTS.items()}
            drawn = random_problem(self.seed or 0, *sizes, activation=ACTIVATIONS[self.activation], **parts)
            return RECIPES[self.start](self._with_parts(drawn))
        return self._with_parts(redrawn(base, self.seed))

    def _with_parts(self, problem: Problem) -> Problem:
        """The problem with the parts that are chosen by name, each in place of its own."""
        changes: dict[str, Any] = {}
        for name, table in PARTS.items():
            if (wanted := getattr(self, name)) in table and table[wanted] != getattr(problem, name):
                changes[name] = table[wanted]
        if not problem.stages:
            return problem.evolve(**changes) if changes else problem
        layers = self._layers(problem.network.layers)
        if "loss" in changes:
            layers = fitting(layers, changes["loss"])
        if layers != [*problem.network.layers]:
            changes["network"] = Network(layers)
        return replace(problem.evolve(**changes)) if changes else problem

    def _layers(self, layers: Sequence[Layer]) -> list[Layer]:
        """The layers with the activation, the norm and the dropout that are chosen in place of their own."""
        norm, chance = NORMS.get(self.norm), DROPOUTS.get(self.dropout)
        made: list[Layer] = []
        for layer, is_hidden in _hidden(_without(layers, self.norm != AS_GIVEN, self.dropout != AS_GIVEN)):
            if norm and is_hidden and made and made[-1].is_weighted_sum:
                W = made[-1].parameters["W"]
                if norm is BatchNorm and _is_free(made[-1], layers):  # it would take a bias off again
                    made[-1] = Linear(W)
                made.append(norm(np.ones_like(W[:1]), np.zeros_like(W[:1])))
            made.append(ACTIVATIONS.get(self.activation, layer) if is_hidden else layer)
            if chance and is_hidden:
                made.append(Dropout(chance, self.seed or 0))
        return made

    def choices(self) -> dict[str, tuple[str, ...]]:
        """What there is to choose from, for each field that is a choice by name."""
        tables: dict[str, Any] = {"activation": ACTIVATIONS, "norm": (NONE, *NORMS), "dropout": DROPOUTS, **PARTS}
        if (base := self.base) is not None:
            layers = [*_hidden(_without([stage.layer for stage in base.stages], True, True))]
            summed = [one.is_weighted_sum and is_hidden for (one, _), (_, is_hidden) in pairwise(layers)]
            if not any(summed):
                tables["norm"] = ()
            if not any(is_hidden for _, is_hidden in layers):
                tables |= {"activation": (), "dropout": ()}
            if not base.stages:  # whose layers, loss and penalty are lines
                tables |= {"loss": (), "penalty": ()}
            tables = {name: (AS_GIVEN, *table) for name, table in tables.items()}
        return {"start": (*(AS_GIVEN,) * (self.given is not None), *STARTS)} | {n: tuple(t) for n, t in tables.items()}

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
            is_drawn = self.base is None or self.base.stages  # else it is a program, which has none of these sizes
            sizes = {name: max(getattr(self if is_drawn else setup, name), 1) for name in SIZES}
            setup = replace(self, **{**sizes, **changes})
        return setup, sentences


def _without(layers: Sequence[Layer], norms: bool, dropouts: bool) -> list[Layer]:
    """The layers without norms, or without dropouts; a bias that a batch norm would have taken off is back, as 0."""
    gone = (*NORMS.values(),) * norms + (Dropout,) * dropouts
    left: list[Layer] = []
    for layer in layers:
        if not isinstance(layer, gone):
            left.append(layer)
        elif isinstance(layer, BatchNorm) and left and _is_free(left[-1], layers) and "b" not in left[-1].learnt:
            W = left[-1].parameters["W"]
            left[-1] = Linear(W, np.zeros_like(W[:1]))
    return left


def _is_free(layer: Layer, layers: Sequence[Layer]) -> bool:
    """Whether it is a Linear that stands in one place alone, so that another may take its place."""
    return type(layer) is Linear and sum(each is layer for each in layers) < 2


def _hidden(layers: Sequence[Layer]) -> list[tuple[Layer, bool]]:
    """Each layer, and whether it is an activation with something to learn behind it."""
    last = max((at for at, layer in enumerate(layers) if layer.learnt), default=0)
    return [(layer, at < last and is_activation(layer)) for at, layer in enumerate(layers)]


def is_activation(layer: Layer) -> bool:
    """Whether another activation may take its place: it learns nothing, and draws nothing."""
    return not layer.learnt and not hasattr(layer, "drawn")


def differing(settings: Any, usual: Any) -> dict[str, Any]:
    """The fields of a dataclass in which it differs from another one, by name."""
    pairs = {field.name: (getattr(settings, field.name), getattr(usual, field.name)) for field in fields(settings)}
    return {name: value for name, (value, other) in pairs.items() if value != other}


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
        whose = "your problem" if setup.start == AS_GIVEN else repr(setup.start)
        raise ValueError(f"{', '.join(sorted(sizes))}: {whose} has sizes of its own; leave them out")
    return setup


def sizes_of(problem: Problem) -> dict[str, int]:
    """The sizes of a problem by name; `hidden` is the width of its first hidden layer, or 0 if it has none.

    A program has none: no one number says how large it is.
    """
    if not problem.stages:
        return dict.fromkeys(SIZES, 0)
    *before, last = problem.stages
    X, layers = problem.X, max(last.number - 1, 0)
    with np.errstate(all="ignore"):
        for stage in before:
            if stage.number < 2:
                X = stage.layer.forward(X)
    return {
        "samples": len(problem.X),
        "inputs": problem.X.shape[1],
        "hidden": X.shape[1] if layers else 0,
        "layers": layers,
        "outputs": problem.y.shape[1],
    }


def checked(problem: Problem) -> Problem:
    """A problem that the lab can show. Raises ValueError, saying why not and what would do, for anything else."""
    check_problem(problem)
    layers = problem.stages[-1].number if problem.stages else 0
    if problem.stages and (samples := len(problem.X)) > (most := SIZES["samples"]):
        instead = f"take the first, X[:{most}] and y[:{most}]"
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
