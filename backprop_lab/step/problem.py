"""A problem: everything one training step needs."""

import math
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Number, Real
from types import MappingProxyType
from typing import Any, Self, cast

import numpy as np

from backprop_lab.nn.layers import Array, as_readonly_array, can_be_kept
from backprop_lab.nn.lines import LineError, Part, read_only
from backprop_lab.nn.lines import check_seed as check_seed
from backprop_lab.nn.lines import check_whole as check_whole
from backprop_lab.nn.losses import Loss
from backprop_lab.nn.network import Network, check_part
from backprop_lab.nn.optimizers import GradientDescent, Optimizer
from backprop_lab.nn.penalties import Penalty
from backprop_lab.nn.steps import Lines, Stage

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Problem:
    """A network, a loss, N samples X (N, D) with their targets y (N, K), and a learning rate lr; and how it is trained.

    A `penalty`, such as L2(0.1), is added to the loss. The `optimizer` makes the update, plain gradient descent if none
    is given. `state` is what a step has from the one before besides parameters: what the optimizer remembers, by names
    such as vW1, 0 at first; and, where an optimizer or a layer such as Dropout counts them, `step`, the number of this
    step, 1 at first. What is left out of it is as at first.

    X, y and what is remembered are kept read-only. Raises ValueError if X is empty or does not fit the network, if y
    has not the shape of the network's output or the loss refuses it, if a number of X or y is not finite, or if lr is
    not a positive, finite number; if the loss takes probabilities and y_pred is none; if there is nothing for a
    penalty to act on, or something in the state that is not remembered; and if a line of a part cannot be run, or
    gives another shape than what it is of.
    """

    network: Network
    loss: Loss
    X: Array
    y: Array
    lr: Any
    penalty: Penalty | None = field(default=None, kw_only=True)
    optimizer: Optimizer = field(default=GradientDescent(), kw_only=True)
    state: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.network, Network):
            raise ValueError(
                f"network must be a Network of layers, Network((Linear(W1, b1), ReLU(), Linear(W2, b2))); got "
                f"{self.network!r}"
            )
        self._settle()
        _check_finite(X=self.X, y=self.y)
        self._settle_state(self.state, NOTHING)
        _check_shapes(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "state": dict(self.state)}

    def __setstate__(self, parts: dict[str, Any]) -> None:
        vars(self).update(parts | {"state": MappingProxyType(parts["state"])})

    def evolve(self, **changes: Any) -> Self:
        """The same problem with some parts changed; the others stay, what is remembered too.

        Besides the parts themselves there are `parameters`, `data` and `state`, of which each may be some by name:
        `parameters={"W1": W1}`. Another optimizer starts with nothing remembered, at step 1.
        Raises TypeError for a part that no problem has, such as W1, and ValueError as Problem does.
        """
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        if "data" in changes:
            changes |= _some("data", changes.pop("data"), self.data)
        if "parameters" in changes:
            parameters = changes.pop("parameters")
            network = changes.get("network", self.network)
            changes["network"] = network.with_parameters(network.parameters | parameters)
        if alien := changes.keys() - parts.keys():
            raise TypeError(
                f"a Problem has {', '.join(parts)}; got {', '.join(sorted(alien))}. Other weights: "
                "parameters={'W1': ...}"
            )
        problem = object.__new__(type(self))
        problem.__dict__.update(vars(self) | changes)
        problem._settle(changes)
        _check_finite(**{name: getattr(problem, name) for name in ("X", "y") if name in changes})
        if changes.keys() - {"lr", "y", "loss"}:
            kept = NOTHING if changes.get("optimizer", self.optimizer) != self.optimizer else self.state
            problem._settle_state(changes.get("state", NOTHING), kept)
        return problem

    def updated(self, new: Mapping[str, Any]) -> Self:
        """The same problem in its next step, in which what was replaced by name, such as W1 or vW1, is `new`."""
        changes: dict[str, Any] = {"parameters": {name: new[name] for name in self.parameters}}
        if self.state:
            changes["state"] = {name: new[name] if name in new else value + 1 for name, value in self.state.items()}
        return self.evolve(**changes)

    def trained(self, lrs: Sequence[Any]) -> Self:
        """The same problem after an update at each of these learning rates, the last of which it keeps."""
        lines, names = self.lines, (*self.replaced,)
        step = lines.function(tuple(lines.replacing[name] for name in names), tuple(self.given))
        values, first = [*self.replaced.values()], self.state.get("step", 1)
        alone = any(value.ndim == 0 for value in values)
        for number, lr in enumerate(lrs, first):
            values = step(*self.data.values(), *values, lr, *self.drawn(number).values())
            if alone:  # NumPy may round a power of a plain number otherwise
                values = [*map(np.asarray, values)]
        new = dict(zip(names, map(read_only, values), strict=True))
        state = {name: first + len(lrs) if name == "step" else new[name] for name in self.state}
        return self.evolve(parameters={name: new[name] for name in self.parameters}, state=state, lr=lrs[-1])

    @property
    def parameters(self) -> dict[str, Array]:
        """Every weight and bias by name: see `Network.parameters`."""
        return self.network.parameters

    @property
    def upstream(self) -> Mapping[str, str]:
        """Gradients that are given, each with the name of what it is the gradient of; none in a network."""
        return NOTHING

    @property
    def stages(self) -> list[Stage]:
        """Its layers in a row, each with the names of what enters and leaves it; none in a program."""
        return self.network.stages

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that its lines are of: the layers, the loss, the penalty if it has one, and the optimizer."""
        return *self.network.layers, self.loss, *([self.penalty] if self.penalty else []), self.optimizer

    @property
    def data(self) -> dict[str, Array]:
        """X and y by name."""
        return {"X": self.X, "y": self.y}

    @property
    def loss_name(self) -> str:
        """The name of the loss."""
        return "L"

    @property
    def masks(self) -> dict[str, Any]:
        """What layers draw in a step: see `Network.masks`."""
        return self.network.masks

    @property
    def replaced(self) -> dict[str, Array]:
        """What an update replaces, by name: the parameters, and what is remembered."""
        return {**self.parameters, **{name: each for name, each in self.state.items() if name != "step"}}

    @property
    def given(self) -> dict[str, Any]:
        """What a training step starts from, by name: X, y, parameters, what is remembered, lr, and what is drawn."""
        given = {**self.data, **self.replaced, "lr": self.lr}
        return given | self.drawn(self.state["step"]) if "step" in self.state else given

    def drawn(self, step: int) -> dict[str, Any]:
        """What is given in the step of this number and in no other: the number, and masks; nothing if none counts."""
        if "step" not in self.state:
            return {}
        shapes: Mapping[str, tuple[int, ...]] = vars(self).get("_shapes", NOTHING)
        found: dict[str, Any] = {"step": step}
        for name, (layer, _, place) in self.masks.items():
            rng = np.random.default_rng([getattr(layer, "seed", 0), place, step])
            mask = called(layer, "drawn", shapes[name], rng)
            if np.shape(mask) != shapes[name]:
                raise ValueError(f"{layer!r}.drawn must give an array of shape {shapes[name]}; got {np.shape(mask)}")
            found[name] = read_only(np.asarray(mask))
        return found

    @property
    def lines(self) -> Lines:
        """The lines of one training step, in order: see `steps`."""
        return self.network.lines(self.loss, self.penalty, self.optimizer)

    def _settle(self, changed: Container[str] = ("X", "y", "network", "loss", "lr", "penalty", "optimizer")) -> None:
        """Make X and y read-only, and check what needs no computation, as far as it has changed."""
        for name in ("X", "y"):
            if name in changed:
                object.__setattr__(self, name, as_readonly_array(name, getattr(self, name)))
        if "lr" in changed:
            check_learning_rate(self.lr)
        if changed == {"lr"}:  # pragma: no mutate  quicker
            return
        check_part(self.loss, Loss, "the loss", "SumSquaredError")
        check_part(self.optimizer, Optimizer, "the optimizer", "GradientDescent")
        if self.penalty is not None:
            check_part(self.penalty, Penalty, "the penalty", "L2")
        if any(p.ndim > 2 for p in self.network.parameters.values()):
            raise ValueError(f"a problem has one network, not a stack of them; got {self.network}")
        inputs = getattr(self.network.layers[0], "inputs", None)
        if self.X.ndim != 2 or len(self.X) == 0 or inputs not in (None, self.X.shape[1]):
            sentence = f"X must have shape (samples, {inputs or 'inputs'}) with at least one sample; got {self.X.shape}"
            is_turned = self.X.ndim == 2 and len(self.X) == inputs
            raise ValueError(f"{sentence}. Samples are rows: X.T makes them so." if is_turned else sentence)
        outputs = getattr(self.network.layers[-1], "outputs", None)
        if outputs is not None and self.y.shape != (len(self.X), outputs):
            raise _misshapen(self.y, (len(self.X), outputs))
        check_targets(self.loss, self.y)

    def _settle_state(self, given: Any, kept: Mapping[str, Any]) -> None:
        """What is given of the state, what is kept of another one where it fits, and all else as at first."""
        parameters, lines, masks = self.parameters, self.lines, self.masks
        state: dict[str, Any] = {}
        for name in lines.replacing:
            if name not in parameters:
                before = kept.get(name)
                state[name] = before if before is not None and self._fits(name, before) else self._at_first(name)
        if masks or lines.count_steps:
            state["step"] = kept.get("step", 1)
        for name, value in _some("the state", given, state).items():
            if name == "step":
                check_whole("step", value, 1)
                state[name] = int(value)
            elif not can_be_kept(value, state[name]):
                state[name] = as_readonly_array(name, value)
                if not self._fits(name, state[name]):
                    of = f"the shape of {lines.memories[name]}," if name in lines.memories else "shape"
                    raise ValueError(f"{name} must have {of} {self._at_first(name).shape}; got {state[name].shape}")
            else:
                state[name] = value
        object.__setattr__(self, "state", MappingProxyType(state))
        if masks:  # which depend on shapes alone, and these not on what is drawn
            anything = self.replaced | {"X": self.X, "y": self.y, "lr": self.lr, "step": 1} | dict.fromkeys(masks, True)
            entering = tuple(X for _, X, _ in masks.values())
            found = lines.function(tuple(X for X in entering if X != "X"), tuple(anything))(*anything.values())
            shapes = dict(zip((X for X in entering if X != "X"), map(np.shape, found), strict=True))
            shapes["X"] = self.X.shape
            object.__setattr__(self, "_shapes", {name: shapes[X] for name, (_, X, _) in masks.items()})

    def _fits(self, name: str, value: Array) -> bool:
        """Whether an array has the shape of what a state calls so."""
        return bool(value.shape == self.parameters[self.lines.memories[name]].shape)

    def _at_first(self, name: str) -> Array:
        """What a state calls so, before the first step."""
        return as_readonly_array(name, np.zeros_like(self.parameters[self.lines.memories[name]]))


def _some(what: str, given: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """What is given by name. Raises ValueError for a name that is not known."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} is given by name, as a dictionary; got {given!r:.60}")
    if alien := [name for name in given if name not in known]:
        raise ValueError(f"{what} has {', '.join(known) or 'nothing in it'}; got {', '.join(map(str, alien))}")
    return dict(given)


def check_problem(problem: Any) -> None:
    """Raise ValueError if what should be a Problem is something else."""
    if not isinstance(problem, Problem):
        is_class = isinstance(problem, type)
        kind = f"the class {problem.__name__} itself" if is_class else f"a value of type {type(problem).__name__}"
        got = f"{problem!r}, {kind}" if isinstance(problem, str) else kind
        raise ValueError(
            f"this takes a Problem, not {got}: worked_example() is one, random_problem(0, X=X, y=y) makes one of your "
            "data, and Problem(network, loss, X, y, lr) one of your network"
        )


def _check_finite(**data: Array) -> None:
    """Raise ValueError, naming the first cell, if data has nan or inf in it."""
    for name, array in data.items():
        with np.errstate(invalid="ignore"):  # of numbers of any kind, such as fractions with a nan among them
            finite = array - array == 0
        if not finite.all():
            row, column = map(int, np.argwhere(~finite)[0])
            sentence = f"{name}[{row}, {column}] is {array[row, column]}, and data must be finite"
            kept = np.flatnonzero(finite.any(axis=0))
            if name == "X" and len(array) > 1 and 0 < len(kept) < array.shape[1]:
                gone = ", ".join(map(str, np.flatnonzero(~finite.any(axis=0))))
                raise ValueError(f"{sentence}. No sample has column {gone}: {name}[:, {kept.tolist()}] leaves it out")
            keep = f"keep = np.isfinite({name}).all(axis=1); X, y = X[keep], y[keep]"
            raise ValueError(f"{sentence}. To leave such samples out: {keep}")


def _misshapen(y: Array, shape: tuple[int, ...]) -> ValueError:
    """An error for y, and the line that gives it the shape, if there is one."""
    sentence = f"y must have shape {shape}, one row of targets a sample; got {y.shape}"
    if y.shape == shape[::-1]:
        return ValueError(f"{sentence}. Samples are rows: y.T makes them so.")
    if y.shape in (shape[:1], (*shape[:1], 1)) and shape[1] > 1:
        return ValueError(f"{sentence}. If these are labels, one_hot(np.ravel(y), {shape[1]}) makes such rows of them.")
    if y.size == math.prod(shape):
        return ValueError(f"{sentence}. np.reshape(y, {shape}) makes it so.")
    return ValueError(sentence)


def check_targets(loss: Loss, y: Array) -> None:
    """Raise ValueError, with its sentence, if the loss refuses y."""
    if hasattr(loss, "check_targets"):
        called(loss, "check_targets", y)


def _check_shapes(problem: Problem) -> None:
    """Run every line of a training step, and raise ValueError, naming it, if one gives another shape than it must.

    A gradient has that of what it is of, L is one number, and y_pred has that of y.
    """
    lines, given = problem.lines, problem.given
    try:
        values = lines.run(given)
    except LineError as error:  # the first that is wrong is named, not one that follows
        names = lines.names[: lines.names.index(error.name)]
        before = lines.function(names, tuple(given))(*given.values())
        _compare_shapes(problem, dict(zip(names, before, strict=True)))
        raise
    _compare_shapes(problem, values)
    y_pred = values["y_pred"]
    if problem.loss.on_probabilities and not (right := (y_pred >= 0) & (y_pred <= 1)).all():
        row, column = map(int, np.argwhere(~right)[0])
        raise ValueError(
            f"{problem.loss!r} takes probabilities, from 0 to 1, and y_pred[{row}, {column}] is "
            f"{y_pred[row, column]}: let the last layer be a Sigmoid(), or take SigmoidCrossEntropy(), of scores"
        )


def _compare_shapes(problem: Problem, values: Mapping[str, Any]) -> None:
    like = {name: np.shape(value) for name, value in {**problem.given, **values}.items()}
    for layer, X, Y, *_ in problem.network.stages:
        if layer.is_elementwise:
            like[Y] = like[X]
        elif Y in values and hasattr(layer, "outputs"):
            like[Y] = (len(problem.X), layer.outputs)
        if Y == "y_pred" and Y in values and like[Y] != problem.y.shape:
            raise _misshapen(problem.y, like[Y])
    like |= {"L": (), "R": ()}
    outputs = {stage.Y for stage in problem.network.stages}
    for step in problem.lines:
        if step.name not in values or not (step.of or step.name in outputs or step.result in ("L", "R")):
            continue  # a line between may give anything
        value, shape = values[step.name], like[step.of or step.name]
        is_number = isinstance(value, np.ndarray | Number)
        if not is_number or np.shape(value) != shape:
            got = f"shape {np.shape(value)}" if is_number else f"a {type(value).__name__}"
            of = f", like {step.of}" if step.of else ""
            wanted = f"an array of shape {shape}{of}" if shape else "one number"
            raise ValueError(
                f"the line {step.name} = {step.code} of {step.kind.__name__} must give {wanted}; got {got}"
            )


def called(owner: Any, method: str, *arguments: Any) -> Any:
    """What a method returns. Raises ValueError, saying what happened, whatever the method raises."""
    try:
        return getattr(owner, method)(*arguments)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"{owner!r}.{method} stopped with {type(error).__name__}: {error}") from error


def check_learning_rate(lr: Any) -> None:
    """Raise ValueError unless lr is a positive, finite number."""
    number = lr.item() if isinstance(lr, np.generic) else lr  # a float32 would overflow in the comparison
    real = cast(float, number)  # pragma: no mutate  for the types
    if not isinstance(number, Real) or isinstance(number, bool) or not 0 < real <= sys.float_info.max:
        point = ", which needs a point in place of the comma" if isinstance(lr, str) and "," in lr else ""
        raise ValueError(f"the learning rate must be a positive, finite number such as 0.01; got {lr!r}{point}")
