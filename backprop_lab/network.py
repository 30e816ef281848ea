"""A network: an ordered tuple of layers, run forward, run backward, and moved one step downhill."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from backprop_lab.layers import Activation, Array, Layer
from backprop_lab.losses import Loss


class Stage(NamedTuple):
    """A layer in its place: the names of what enters and leaves it, and the number of its parameters."""

    layer: Layer
    X: str
    Y: str
    number: int


class Network:
    """Layers in order, such as `Network((Linear(W1, b1), ReLU(), Linear(W2, b2)))`.

    The first layer has parameters, and no two without parameters follow each other. Names count the layers that have
    parameters: `W1 b1 Y1`, then `H1` after its activation, `W2 b2 Y2` and so on; what comes out last is `y_pred`.
    Raises ValueError if a layer lacks something that a network needs, or if the layers do not chain, naming both layers
    and both shapes.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        if not isinstance(layers, Iterable):
            raise ValueError(f"a network takes its layers in a list, such as [Linear(W, b), ReLU()]; got {layers!r}")
        self.layers = tuple(layers)
        _check_layers(self.layers)
        self._names = tuple(  # of each layer's parameters, such as (("W", "W1"), ("b", "b1"))
            tuple((p, f"{p}{stage.number}") for p in stage.layer.parameters) for stage in self.stages
        )

    def __repr__(self) -> str:
        return f"Network({', '.join(map(repr, self.layers))})"

    @property
    def parameters(self) -> dict[str, Array]:
        """Every weight and bias by name, in order: `{"W1": (D, H), "b1": (1, H), "W2": ...}`."""
        named = zip(self.layers, self._names, strict=True)
        return {name: layer.parameters[p] for layer, names in named for p, name in names}

    @property
    def stages(self) -> list[Stage]:
        """Each layer with its names and its number, such as `Stage(relu, "Y1", "H1", 1)`."""
        stages: list[Stage] = []
        number, entering = 0, "X"
        for layer in self.layers:
            number += bool(layer.parameters)
            leaving = f"{'Y' if layer.parameters else 'H'}{number}"
            if len(stages) == len(self.layers) - 1:
                leaving = "y_pred"
            stages.append(Stage(layer, entering, leaving, number))
            entering = leaving
        return stages

    def forward(self, X: Array) -> Array:
        """y_pred (N, K) for X (N, D). Raises ValueError if X is not D wide."""
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def gradients(self, loss: Loss, X: Array, y: Array) -> dict[str, Array]:
        """d(loss)/dp for every parameter p, each in the shape of p: `{"W1": dW1, "b1": db1, ...}`.

        The gradient with respect to X itself is left out: nothing needs it, and in a wide network
        it is a third of the work. Raises ValueError if X or y has the wrong shape.
        """
        inputs = [X]
        for layer in self.layers:
            inputs.append(layer.forward(inputs[-1]))
        dY = loss.gradient(inputs.pop(), y)
        found = []
        for layer, names in zip(reversed(self.layers), reversed(self._names), strict=True):
            X = inputs.pop()
            if names:
                found.append((names, layer.gradients(X, dY)))
            if inputs:
                dY = layer.backward(X, dY)
        return {name: gradients[p] for names, gradients in reversed(found) for p, name in names}

    def update(self, grads: Mapping[str, Array], lr: Any) -> Self:
        """A new network one step downhill, p - lr * dp for every parameter p; this one is untouched.

        `lr` has the unit of parameter squared per loss. Raises KeyError if a gradient is missing, and
        ValueError if one has another shape than its parameter.
        """
        layers = []
        for layer, names in zip(self.layers, self._names, strict=True):
            if names:
                moved, parameters = {}, layer.parameters
                for p, name in names:
                    parameter = parameters[p]
                    # The quick way, for arrays. What it does not know, such as a list, check_gradient looks up again.
                    gradient = grads.get(name)  # pragma: no mutate  the slow way gives the same
                    shape = getattr(gradient, "shape", None)  # pragma: no mutate  the slow way gives the same
                    if shape != parameter.shape:
                        gradient = check_gradient(name, grads, parameter)
                    new = moved[p] = downhill(parameter, gradient, lr)
                    new.setflags(write=False)
                layer = layer.with_parameters(moved)
            layers.append(layer)
        return self._having(layers)

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """The same layers with other numbers in them: `{"W1": ..., "b1": ..., ...}`, all of them."""
        if missing := [name for name in self.parameters if name not in parameters]:
            raise KeyError(f"no numbers for {', '.join(missing)}; got {', '.join(parameters) or 'none'}")
        network = self._having(
            layer.with_parameters({p: parameters[name] for p, name in names}) if names else layer
            for layer, names in zip(self.layers, self._names, strict=True)
        )
        _check_chain(network.layers)
        return network

    def _having(self, layers: Iterable[Layer]) -> Self:
        """A copy with other layers of the same kinds, not checked again."""
        network = object.__new__(type(self))
        network.__dict__.update(self.__dict__, layers=tuple(layers))
        return network


def downhill(parameter: Any, gradient: Any, lr: Any) -> Any:
    """Gradient descent: where a parameter is after one step."""
    return parameter - lr * gradient


def check_gradient(name: str, grads: Mapping[str, Any], parameter: Array) -> Array:
    """The gradient of a parameter. Raises KeyError if it is missing, and ValueError if it has another shape."""
    try:
        gradient = np.asarray(grads[name])
    except KeyError:
        raise KeyError(f"no gradient for {name}; got {', '.join(grads) or 'none'}") from None
    if gradient.shape != parameter.shape:
        raise ValueError(f"the gradient for {name} has shape {gradient.shape}, but {name} has {parameter.shape}")
    return gradient


def _check_layers(layers: tuple[Layer, ...]) -> None:
    for number, layer in enumerate(layers, start=1):
        if isinstance(layer, type):
            raise ValueError(f"layer {number} is {layer.__name__} itself, and a network needs one that was made of it")
        needed = ["parameters", "formulas", "forward", "backward"]
        needed += ["gradients", "with_parameters"] if getattr(layer, "parameters", None) else []
        if missing := [each for each in needed if not hasattr(layer, each)]:
            raise ValueError(
                f"layer {number}, {layer!r}, lacks {', '.join(missing)}; a layer needs {', '.join(needed)}"
            )
        before = next(at for at, each in enumerate(layers, start=1) if each is layer)
        if layer.parameters and before < number:
            raise ValueError(
                f"layer {number} is layer {before} once more, and its numbers would be trained apart, as if there were "
                "two: weights that stay the same in two places are not possible yet, so make each layer its own, "
                f"such as {type(layer).__name__}({', '.join(f'{name}.copy()' for name in layer.parameters)})"
            )
        for name, parameter in layer.parameters.items():
            if not isinstance(parameter, np.ndarray | np.generic):
                kind = type(parameter).__name__
                raise ValueError(
                    f"layer {number}, {layer!r}, must keep its parameter {name} as an array, not as a {kind}"
                )
    _check_chain(layers)


def _check_chain(layers: tuple[Layer, ...]) -> None:
    if not layers or not layers[0].parameters:
        raise ValueError(f"a network starts with a layer that has parameters, such as Linear; got {layers!r}")
    before: Layer | None = layers[0]  # the last layer with parameters, if what it gives is as wide as what comes in
    for number, layer in enumerate(layers[1:], start=2):
        if not layer.parameters:
            if not layers[number - 2].parameters:
                raise ValueError(
                    f"layer {number}, {layer!r}, follows another layer without parameters: put one that has some, such "
                    "as Linear, between them"
                )
            before = before if isinstance(layer, Activation) else None
            continue
        given, taken = getattr(before, "outputs", None), getattr(layer, "inputs", None)
        if given != taken and None not in (given, taken):
            turned = getattr(layer, "outputs", None) in (given, getattr(before, "inputs", None))
            raise ValueError(
                f"layer {number}, {layer!r}, takes {taken} numbers a sample, but {before!r} before it gives {given}"
                + (". Where W has a row for each output, as in PyTorch, give W.T" if turned else "")
            )
        before = layer
