"""A network: an ordered tuple of layers, run forward, run backward, and moved one step downhill.

What else a step may have, a penalty, an optimizer with its memory, what a layer draws, belongs to a Problem.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from backprop_lab.nn.arrays import as_numbers, can_be_kept
from backprop_lab.nn.chain import lines_of
from backprop_lab.nn.checking import check_formulas, check_part, in_short
from backprop_lab.nn.layers import Array, Layer
from backprop_lab.nn.lines import Part, check_learning_rate
from backprop_lab.nn.losses import Loss
from backprop_lab.nn.optimizers import GradientDescent, Optimizer
from backprop_lab.nn.penalties import Penalty
from backprop_lab.nn.running import Function, function_of
from backprop_lab.nn.steps import Lines, Stage, masks_of, stages_of

_DESCENT = GradientDescent()


class Network:
    """Layers in order, such as `Network((Linear(W1, b1), ReLU(), Linear(W2, b2)))`.

    Names count the layers that have parameters: `W1 b1 Y1`, then `H1` after its activation, `W2 b2 Y2` and so on; what
    comes out last is `y_pred`. A layer that stands in several places shares its parameters, which are called after the
    first, and their gradient is the sum of what each place gives. Raises ValueError if a layer lacks something that a
    network needs, or if the layers do not chain, naming both layers and both shapes.
    """

    def __init__(self, layers: Iterable[Layer], *more: Layer) -> None:
        if more or not isinstance(layers, Iterable) or isinstance(layers, str | np.ndarray):
            got = ", ".join(in_short(each) for each in (layers, *more))
            brackets = ": put [ and ] around them" * bool(more)
            raise ValueError(
                f"a network takes its layers in a list, such as [Linear(W, b), ReLU()]; got {got}{brackets}"
            )
        self.layers = tuple(layers)
        _check_layers(self.layers)
        self._names = tuple((*stage.parameters.items(),) for stage in stages_of(self.layers))
        self._kinds = self.layers  # with the numbers of some network of these layers
        self._lines: dict[str, Any] = {}  # shared by all networks of these layers
        named = zip(self.layers, self._names, strict=True)
        self._parameters = {name: layer.parameters[p] for layer, names in named for p, name in names}

    def __repr__(self) -> str:
        return f"Network({', '.join(map(repr, self.layers))})"

    def __getstate__(self) -> dict[str, Any]:
        return {"layers": self.layers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["layers"])  # type: ignore[misc]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, each with its parameters."""
        return self._layers_with(self._parameters)

    def _layers_with(self, parameters: Mapping[str, Any]) -> tuple[Layer, ...]:
        """These layers with other numbers; one that stands in two places is one still."""
        named = zip(self._kinds, self._names, strict=True)
        made = {id(k): k.with_parameters({p: parameters[name] for p, name in names}) for k, names in named}
        return tuple(made[id(layer)] for layer in self._kinds)

    @property
    def parameters(self) -> dict[str, Array]:
        """Every weight and bias by name, in order: `{"W1": (D, H), "b1": (1, H), "W2": ...}`."""
        return dict(self._parameters)

    @property
    def _is_stack(self) -> bool:
        return any(parameter.ndim > 2 for parameter in self._parameters.values())

    @property
    def stages(self) -> list[Stage]:
        """Each layer with its names and its number, such as `Stage(relu, "Y1", "H1", 1, {})`."""
        return stages_of(self.layers)

    @property
    def masks(self) -> dict[str, tuple[Layer, str, int]]:
        """What layers draw in a step, by name, with the layer, the name of what enters it, and its place from 0."""
        if not any(hasattr(layer, "drawn") for layer in self._kinds):  # pragma: no mutate  quicker
            return {}
        stages = stages_of(self._kinds)
        return {name: (stages[at].layer, stages[at].X, at) for at, name in masks_of(stages).items()}

    def lines(self, loss: Loss, penalty: Penalty | None = None, optimizer: Optimizer = _DESCENT) -> Lines:
        """The lines of one training step with this loss: see `steps`. They are made once, and kept.

        They are made again once a number of a layer, the loss, the penalty or the optimizer has changed, such as a
        slope.
        """
        kept, beside = self._lines.get("kept"), (loss, penalty, optimizer)
        if not isinstance(loss, Loss):
            check_part(loss, Loss, "the loss", "SumSquaredError")
        if (
            kept is None
            or any(one is not other for one, other in zip(kept[0], beside, strict=True))
            or (kept[1] and any(part.own_numbers() != numbers for part, numbers in kept[1]))
        ):
            parts = [part for part in (*self._kinds, *beside) if part is not None]
            for part in beside:
                if part is not None and not part.is_ours:
                    check_formulas(part)
            numbered = [(part, part.own_numbers()) for part in parts if part.own_names()]
            if (key := (penalty is None, self._names, *map(_kind, parts))) not in _WRITTEN:
                if len(_WRITTEN) > MOST_WRITTEN:
                    _WRITTEN.clear()
                _WRITTEN[key] = lines_of(stages_of(self._kinds), *beside)
            kept = self._lines["kept"] = beside, numbered, _WRITTEN[key]
        lines: Lines = kept[2]
        return lines

    def forward(self, X: Array) -> Array:
        """y_pred (N, K) for X (N, D), as when the network is used: without Dropout, which is for training.

        BatchNorm takes the mean and the variance of these samples. Raises ValueError if X is not D wide.
        """
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def gradients(self, loss: Loss, X: Array, y: Array) -> dict[str, Array]:
        """d(loss)/dp for every parameter p, each in the shape of p: `{"W1": dW1, "b1": db1, ...}`.

        The gradient with respect to X itself is left out: nothing needs it, and in a wide network
        it is a third of the work. Raises ValueError if X or y has the wrong shape.
        """
        lines, names = self.lines(loss), (*self._parameters,)
        wanted = _gradients_of(names)
        try:
            self._kinds[0].check_input(X)
            if X.ndim > 2 or self._is_stack:
                y_pred, *found = lines.call(wanted, {"X": X, "y": y, **self._parameters})
            else:
                plain: Any = lines.function(wanted, ("X", "y", *names))
                y_pred, *found = plain.plain(X, y, *self._parameters.values())
        except Exception:  # which line stops, or why it does, is said below
            if not (isinstance(X, np.ndarray) and isinstance(y, np.ndarray)):
                return self.gradients(loss, as_numbers("X", X), as_numbers("y", y))
            loss.check_shapes(self.forward(X), y)
            lines.call(wanted, {"X": X, "y": y, **self._parameters})
            raise
        loss.check_shapes(y_pred, y)
        return dict(zip(names, found, strict=True))

    def update(self, grads: Mapping[str, Array], lr: Any) -> Self:
        """A new network one step downhill, p - lr * dp for every parameter p; this one is untouched.

        That is plain gradient descent: another optimizer, with its memory and the number of the step, is part of a
        Problem, and `trace(problem).next_problem()` is the same problem after its update.
        `lr` has the unit of parameter squared per loss. Raises KeyError if a gradient is missing or of nothing here,
        and ValueError if one has another shape than its parameter, or if lr is not a positive, finite number.
        """
        check_learning_rate(lr)
        found = [check_gradient(name, grads, parameter) for name, parameter in self._parameters.items()]
        if len(grads) > len(found):
            raise _unknown(grads, self._parameters)
        move: Any = _update(tuple(self._parameters))
        moved = move.plain(*self._parameters.values(), *found, lr)
        for new in moved:
            new.setflags(False)
        return self._having(dict(zip(self._parameters, moved, strict=True)))

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """The same layers with other numbers in them: `{"W1": ..., "b1": ..., ...}`, all of them.

        Of a problem, `problem.evolve(parameters=...)` changes some and keeps all else, such as what is remembered.
        """
        if type(parameters) is not dict and not isinstance(parameters, Mapping):
            raise ValueError(f"parameters are given by name, as a dictionary; got {in_short(parameters)}")
        if missing := [name for name in self._parameters if name not in parameters]:
            raise KeyError(f"no numbers for {', '.join(missing)}; got {', '.join(parameters) or 'none'}")
        if len(parameters) > len(self._parameters):
            raise _unknown(parameters, self._parameters)
        if all(can_be_kept(parameters[name], before) for name, before in self._parameters.items()):  # as in training
            return self._having({name: parameters[name] for name in self._parameters})
        layers = self._layers_with(parameters)
        _check_chain(layers)
        named = zip(layers, self._names, strict=True)
        network = self._having({name: layer.parameters[p] for layer, names in named for p, name in names})
        network.__dict__.update(layers=layers, _kinds=layers)
        return network

    def _having(self, parameters: dict[str, Array]) -> Self:
        """A copy with other parameters of the same shapes, not checked again."""
        network = object.__new__(type(self))
        network.__dict__.update(self.__dict__, _parameters=parameters)
        network.__dict__.pop("layers", None)
        return network


MOST_WRITTEN = 256
_WRITTEN: dict[Any, Lines] = {}  # the lines of all networks of the same kinds of layers, with a loss and so on


def _kind(part: Part) -> Any:
    """All that the lines of a part depend on."""
    own = (*part.formulas.items(),), (*part.own_numbers().items(),)
    return type(part), part.learnt, getattr(part, "penalised", ()), *own


@lru_cache(maxsize=256)
def _gradients_of(names: tuple[str, ...]) -> tuple[str, ...]:
    return ("y_pred", *(f"d{name}" for name in names))


@lru_cache(maxsize=256)
def _update(names: tuple[str, ...]) -> Function:
    """The update of all parameters as one function of these, their gradients and the learning rate."""
    of = [(name, {"p": name, "dp": f"d{name}", "lr": "lr"}) for name in names]
    lines = tuple((f"{name}_new", GradientDescent.formulas["new"].format_map(around)) for name, around in of)
    return function_of(lines, (*names, *(f"d{name}" for name in names), "lr"), tuple(name for name, _ in lines))


def _unknown(given: Mapping[str, Any], parameters: Mapping[str, Any]) -> KeyError:
    alien = ", ".join(map(str, given.keys() - parameters.keys()))
    return KeyError(f"the network has {', '.join(parameters)}; got {alien} as well")


def check_by_name(grads: Any) -> None:
    """Raise ValueError unless gradients are given as a dictionary."""
    if not isinstance(grads, Mapping):
        got = in_short(grads)
        raise ValueError(f"gradients are given by name, as a dictionary such as {{'W1': dW1}}; got {got}")


def check_gradient(name: str, grads: Mapping[str, Any], parameter: Array) -> Array:
    """The gradient of a parameter. Raises KeyError if it is missing, and ValueError if it has another shape."""
    if type(grads) is not dict:
        check_by_name(grads)
    if (given := grads.get(name)) is None:
        raise KeyError(f"no gradient for {name}; got {', '.join(grads) or 'none'}{' as None' * (name in grads)}")
    gradient: Array = np.asanyarray(given)
    if gradient.shape != parameter.shape:
        turned = ": its transpose, .T, fits" if gradient.shape == parameter.shape[::-1] else ""
        raise ValueError(
            f"the gradient for {name} has shape {gradient.shape}, but {name} has {parameter.shape}{turned}"
        )
    return gradient


def _check_layers(layers: tuple[Layer, ...]) -> None:
    for number, layer in enumerate(layers, start=1):
        check_part(layer, Layer, f"layer {number}", "ReLU")
    if not any(layer.learnt for layer in layers):
        raise ValueError(f"a network has a layer with parameters, such as Linear; got {layers!r}")
    _check_chain(layers)


def _check_chain(layers: tuple[Layer, ...]) -> None:
    """Raise ValueError where a layer takes another width than comes to it, as far as layers say what they take."""
    before: Layer | None = None  # the last layer with parameters, if what it gives is as wide as what comes in
    for number, layer in enumerate(layers, start=1):
        if not layer.learnt:
            before = before if layer.is_elementwise else None
            continue
        given, taken = getattr(before, "outputs", None), getattr(layer, "inputs", None)
        if given != taken and None not in (given, taken):
            turned = getattr(layer, "outputs", None) in (given, getattr(before, "inputs", None))
            raise ValueError(
                f"layer {number}, {layer!r}, takes {taken} numbers a sample, but {before!r} before it gives {given}"
                + (". Where W has a row for each output, as in PyTorch, give W.T" if turned else "")
            )
        before = layer
