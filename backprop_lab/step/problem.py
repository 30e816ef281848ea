"""A problem: everything one training step needs."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from backprop_lab.nn.arrays import as_readonly_array, can_be_kept
from backprop_lab.nn.checking import check_part
from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import Part, read_only
from backprop_lab.nn.lines import check_seed as check_seed
from backprop_lab.nn.lines import check_whole as check_whole
from backprop_lab.nn.losses import Loss
from backprop_lab.nn.network import Network
from backprop_lab.nn.optimizers import GradientDescent, Optimizer
from backprop_lab.nn.penalties import Penalty
from backprop_lab.nn.running import needed
from backprop_lab.nn.steps import Lines, Stage
from backprop_lab.step.checking import (
    called,
    check_finite,
    check_learning_rate,
    check_shapes,
    check_targets,
    checked_each,
    misshapen,
)

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
    _first: ClassVar[Mapping[str, Array]] = NOTHING  # of the state, what does not begin with 0

    def __post_init__(self) -> None:
        if not isinstance(self.network, Network):
            raise ValueError(
                f"network must be a Network of layers, Network((Linear(W1, b1), ReLU(), Linear(W2, b2))); got "
                f"{self.network!r}"
            )
        self._settle()
        check_finite(X=self.X, y=self.y)
        self._settle_state(self.state)
        check_shapes(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "state": dict(self.state)}

    def __setstate__(self, parts: dict[str, Any]) -> None:
        vars(self).update(parts | {"state": MappingProxyType(parts["state"])})

    def evolve(self, **changes: Any) -> Self:
        """The same problem with some parts changed; the others stay, what is remembered too.

        Besides the parts themselves there are `parameters`, `data` and `state`, of which each may be some by name:
        `parameters={"W1": W1}`. Another optimizer starts with nothing remembered, at step 1.
        Raises TypeError for a part that no problem has, such as W1, and ValueError for a name that is none of its
        parameters or data, and as Problem does.
        """
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        if "data" in changes:
            changes |= self._some("data", changes.pop("data"), self.data)
        if "parameters" in changes:
            network = changes.get("network", self.network)
            known = network.parameters
            changes["network"] = network.with_parameters(
                known | self._some("parameters", changes.pop("parameters"), known)
            )
        if alien := changes.keys() - parts.keys():
            raise TypeError(
                f"a Problem has {', '.join(parts)}; got {', '.join(sorted(alien))}. Other weights: "
                "parameters={'W1': ...}"
            )
        problem = object.__new__(type(self))
        problem.__dict__.update(vars(self) | changes)
        problem._settle(changes)
        check_finite(**{name: getattr(problem, name) for name in ("X", "y") if name in changes})
        if changes.keys() - {"lr", "y", "loss"}:
            problem._settle_state(changes.get("state", NOTHING), self)
        return problem

    def updated(self, new: Mapping[str, Any]) -> Self:
        """The same problem in its next step, in which what was replaced by name, such as W1 or vW1, is `new`."""
        try:
            changes: dict[str, Any] = {"parameters": {name: new[name] for name in self.parameters}}
        except KeyError as missing:
            raise KeyError(f"no numbers for {missing.args[0]}; got {', '.join(new) or 'none'}") from None
        if self.state:
            changes["state"] = {name: new[name] if name in new else value + 1 for name, value in self.state.items()}
        return self.evolve(**changes)

    def trained(self, lrs: Sequence[Any]) -> Self:
        """The same problem after an update at each of these learning rates, the last of which it keeps.

        Raises ValueError if there is none, or if one is not a positive, finite number.
        """
        checked_each("lrs", lrs, check_learning_rate)
        lines, names = self.lines, (*self.replaced,)
        step = lines.function(tuple(lines.replacing[name] for name in names), tuple(self.given))
        values, first = [*self.replaced.values()], self.state.get("step", 1)
        alone = any(value.ndim == 0 for value in values)
        for number, lr in enumerate(lrs, first):
            values = step(*self.data.values(), *values, lr, *self.drawn(number).values())
            if alone:  # NumPy may round a power of a plain number otherwise
                values = [*map(np.asarray, values)]
        new = dict(zip(names, map(read_only, values), strict=True))
        return self.updated(new | {"step": first + len(lrs)}).evolve(lr=lrs[-1])

    @property
    def parameters(self) -> dict[str, Array]:
        """Every weight and bias by name: see `Network.parameters`."""
        return self.network.parameters

    @property
    def upstream(self) -> Mapping[str, str]:
        """Gradients that are given, each with the name of what it is the gradient of; none in a network."""
        return NOTHING

    @property
    def stages(self) -> Sequence[Stage]:
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
    def masks(self) -> Mapping[str, Any]:
        """What layers draw in a step: see `Network.masks`."""
        return self.network.masks

    @property
    def of_each_step(self) -> tuple[str, ...]:
        """What a step has of its own that its loss depends on, besides weights: what it starts from, and masks."""
        if not self._first:
            return tuple(self.masks)
        uses: dict[str, Iterable[str]] = {step.name: step.operands for step in self.lines}
        uses |= {name: [self.lines.replacing[name]] for name in self._first}
        return (*(name for name in self._first if name in needed(uses, [self.loss_name])), *self.masks)

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
            is_turned = self.X.ndim == 2 and len(self.X) == inputs and self.X.shape[1] in self.y.shape
            raise ValueError(f"{sentence}. Samples are rows: X.T makes them so." if is_turned else sentence)
        outputs = getattr(self.network.layers[-1], "outputs", None)
        if outputs is not None and self.y.shape != (len(self.X), outputs):
            raise misshapen(self.y, (len(self.X), outputs))
        check_targets(self.loss, self.y)

    def _settle_state(self, given: Any, before: "Problem | None" = None) -> None:
        """What is given of the state, what is kept of the problem `before` where it fits, and all else as at first.

        Another optimizer has nothing remembered.
        """
        parameters, lines, masks, first = self.parameters, self.lines, self.masks, self._first
        kept = before.state if before else NOTHING
        if before and before.optimizer != self.optimizer:
            kept = {name: value for name, value in kept.items() if name in first}
        state: dict[str, Any] = {}
        for name in lines.replacing:
            if name not in parameters:
                like = first[name] if name in first else parameters[lines.memories[name]]
                state[name] = kept.get(name)
                if state[name] is None or state[name].shape != like.shape:
                    state[name] = like if name in first else as_readonly_array(name, np.zeros_like(like))
        if masks or lines.count_steps:
            state["step"] = kept.get("step", 1)
        for name, value in self._some("the state", given, state).items():
            if name == "step":
                check_whole("step", value, 1)
                state[name] = int(value)
            elif can_be_kept(value, state[name]):
                state[name] = value
            else:
                shape, state[name] = state[name].shape, as_readonly_array(name, value)
                if state[name].shape != shape:
                    of = f"the shape of {lines.memories[name]}," if name in lines.memories else "shape"
                    raise ValueError(f"{name} must have {of} {shape}; got {state[name].shape}")
        object.__setattr__(self, "state", MappingProxyType(state))
        if masks:  # which depend on shapes alone, and these not on what is drawn
            anything = self.replaced | {"X": self.X, "y": self.y, "lr": self.lr, "step": 1} | dict.fromkeys(masks, True)
            entering = tuple(X for _, X, _ in masks.values())
            found = lines.function(entering, tuple(anything))(*anything.values())
            object.__setattr__(self, "_shapes", dict(zip(masks, map(np.shape, found), strict=True)))

    def _some(self, what: str, given: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """What is given by name. Raises ValueError for a name that is not known."""
        if not isinstance(given, Mapping):
            verb = "is" if what == "the state" else "are"
            raise ValueError(f"{what} {verb} given by name, as a dictionary; got {given!r:.60}")
        if alien := [str(name) for name in given if name not in known]:
            name = next((each for each in alien if each in self._first), "")
            hint = f": {name} is replaced in each step, so it is state={{{name!r}: ...}}" * bool(name)
            raise ValueError(f"{what} has {', '.join(known) or 'nothing in it'}; got {', '.join(alien)}{hint}")
        return dict(given)


def check_problem(problem: Any) -> None:
    """Raise ValueError if what should be a Problem is something else."""
    if not isinstance(problem, Problem):
        is_class = isinstance(problem, type)
        kind = f"the class {problem.__name__} itself" if is_class else f"a value of type {type(problem).__name__}"
        got = f"{problem!r}, {kind}" if isinstance(problem, str) else kind
        if isinstance(getattr(problem, "problem", None), Problem):
            raise ValueError(f"this takes a Problem, not {got}: that has one, its .problem")
        raise ValueError(
            f"this takes a Problem, not {got}: worked_example() is one, random_problem(0, X=X, y=y) makes one of your "
            "data, and Problem(network, loss, X, y, lr) one of your network"
        )
