"""A network: an ordered tuple of layers, run forward, run backward, and moved one step downhill."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from backprop_lab.layers import Activation, Array, Layer, Linear
from backprop_lab.losses import Loss

T = TypeVar("T")


class Network:
    """Layers in order, such as `Network((Linear(W1, b1), ReLU(), Linear(W2, b2)))`.

    The first layer is Linear, and no two activations follow each other. Names count the linear layers:
    `W1 b1 Y1`, then `H1` after its activation, `W2 b2 Y2` and so on; what comes out last is `y_pred`.
    Raises ValueError if the layers do not chain, naming both layers and both shapes.
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.layers = tuple(layers)
        _check_chain(self.layers)

    def __repr__(self) -> str:
        return f"Network({', '.join(map(repr, self.layers))})"

    @property
    def parameters(self) -> dict[str, Array]:
        """Every weight and bias by name, in order: `{"W1": (D, H), "b1": (1, H), "W2": ...}`."""
        return _numbered(layer.parameters for layer in self.layers)

    @property
    def stages(self) -> list[tuple[Layer, str, str, int]]:
        """Each layer with the names of what enters and leaves it, and its number: `(relu, "Y1", "H1", 1)`."""
        stages, number, entering = [], 0, "X"
        for position, layer in enumerate(self.layers, start=1):
            number += isinstance(layer, Linear)
            leaving = f"{'Y' if isinstance(layer, Linear) else 'H'}{number}"
            if position == len(self.layers):
                leaving = "y_pred"
            stages.append((layer, entering, leaving, number))
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
        first, *rest = self.layers
        assert isinstance(first, Linear)
        inputs = [X]
        for layer in self.layers:
            inputs.append(layer.forward(inputs[-1]))
        dY = loss.gradient(inputs.pop(), y)
        grads = []
        for layer in reversed(rest):
            dY, found = layer.backward(inputs.pop(), dY)
            grads.append(found)
        grads.append(first.gradients(X, dY))
        return _numbered(reversed(grads))

    def update(self, grads: Mapping[str, Array], lr: Any) -> "Network":
        """A new network one step downhill, p - lr * dp for every parameter p; this one is untouched.

        `lr` has the unit of parameter squared per loss. Raises KeyError if a gradient is missing, and
        ValueError if one has another shape than its parameter.
        """
        layers, number = [], 0
        for layer in self.layers:
            if isinstance(layer, Linear):
                number += 1
                W = _moved(f"W{number}", layer.W, grads, lr)
                b = _moved(f"b{number}", layer.b, grads, lr)
                layer = _like(layer, W=W, b=b)
            layers.append(layer)
        return _like(self, layers=tuple(layers))

    def with_parameters(self, parameters: Mapping[str, Array]) -> "Network":
        """The same layers with other numbers in them: `{"W1": ..., "b1": ..., ...}`, all of them."""
        if missing := [name for name in self.parameters if name not in parameters]:
            raise KeyError(f"no numbers for {', '.join(missing)}; got {', '.join(parameters) or 'none'}")
        return Network(
            tuple(
                type(layer)(parameters[f"W{number}"], parameters[f"b{number}"]) if isinstance(layer, Linear) else layer
                for layer, _, _, number in self.stages
            )
        )


def _moved(name: str, parameter: Array, grads: Mapping[str, Array], lr: Any) -> Array:
    """One parameter after the update, read-only as a Linear's are."""
    if name not in grads:
        raise KeyError(f"no gradient for {name}; got {', '.join(grads) or 'none'}")
    gradient = np.asarray(grads[name])
    if gradient.shape != parameter.shape:
        raise ValueError(f"the gradient for {name} has shape {gradient.shape}, but {name} has {parameter.shape}")
    moved: Array = parameter - lr * gradient
    moved.setflags(write=False)
    return moved


def _like(original: T, **changes: Any) -> T:
    """A copy of `original` with some attributes changed, none checked again: the shapes are as they were."""
    copy = object.__new__(type(original))
    copy.__dict__.update(original.__dict__, **changes)
    return copy


def _numbered(dicts: Any) -> dict[str, Array]:
    """[{"W": a, "b": b}, {}, {"W": c, "b": d}] -> {"W1": a, "b1": b, "W2": c, "b2": d}: activations, empty, do not count."""
    return {
        f"{letter}{number}": array
        for number, arrays in enumerate(filter(None, dicts), start=1)
        for letter, array in arrays.items()
    }


def _check_chain(layers: tuple[Layer, ...]) -> None:
    if not layers or not isinstance(layers[0], Linear):
        raise ValueError(f"a network starts with a Linear layer, got {layers!r}")
    before = layers[0]
    for number, layer in enumerate(layers[1:], start=2):
        if isinstance(layer, Linear):
            if before.W.shape[-1] != layer.W.shape[-2]:
                raise ValueError(
                    f"layer {number} has W {layer.W.shape}, which takes {layer.W.shape[-2]} numbers a sample, but the "
                    f"Linear layer before it has W {before.W.shape}, which gives {before.W.shape[-1]}"
                )
            before = layer
        elif not isinstance(layer, Activation):
            raise ValueError(f"layer {number} must be Linear or an activation such as ReLU(), got {layer!r}")
        elif isinstance(layers[number - 2], Activation):
            raise ValueError(f"layer {number}, {layer!r}, follows another activation: put a Linear layer between them")
