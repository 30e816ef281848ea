"""Problems to start from: random numbers, or your own data with random weights, always the same for the same seed."""

import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from backprop_lab.nn.activations import ReLU, Sigmoid
from backprop_lab.nn.arrays import as_readonly_array, is_masked
from backprop_lab.nn.layers import Array, Layer, Linear
from backprop_lab.nn.losses import Loss, SumSquaredError
from backprop_lab.nn.network import Network
from backprop_lab.nn.optimizers import GradientDescent, Optimizer
from backprop_lab.nn.penalties import Penalty
from backprop_lab.step.checking import are_whole, called, check_size, check_targets
from backprop_lab.step.problem import Problem, check_seed, check_whole

if TYPE_CHECKING:  # what derives lines takes a while to load, and a problem of layers needs none of it
    from backprop_lab.step.program import Program

MOST_CLASSES = 1_000_000


def random_problem(
    seed: int,
    samples: int | None = None,
    inputs: int | None = None,
    hidden: int | Sequence[int] = 4,
    outputs: int | None = None,
    lr: float = 1e-3,
    activation: Layer = ReLU(),  # noqa: B008  a ReLU has no state to share
    loss: Loss = SumSquaredError(),  # noqa: B008
    *,
    X: Any = None,
    y: Any = None,
    penalty: Penalty | None = None,
    optimizer: Optimizer = GradientDescent(),  # noqa: B008
) -> Problem:
    """A problem of standard normal numbers, always the same for the same seed; biases start at zero.

    There are 2 samples, 3 inputs and 2 outputs unless given. `hidden` is the width of the hidden layer, or a sequence
    of widths for a deeper network. Numbers are drawn from `np.random.default_rng(seed)` in the order W1, W2, ..., X, y.
    Where the loss refuses such a y, the largest number of each row becomes 1 and the others 0; of a single output, each
    number above 0 becomes 1. Where the loss takes probabilities, the last layer is a Sigmoid. `penalty` and `optimizer`
    are those of the Problem.

    With data of your own, X (N, D) and y (N, K), as lists, arrays or DataFrames, only the weights are drawn, and the
    sizes are those of the data. Each weight is then divided by the square root of the number of inputs of its layer, so
    that a weighted sum is about as large as the inputs are, and a wide or deep network starts with moderate numbers.
    Source: LeCun, Bottou, Orr and Müller, "Efficient BackProp", in: Neural Networks: Tricks of the Trade, Springer
    (1998), section 4.6.

    Raises ValueError if the seed is not a whole number from 0 up, if a size is not a whole number from 1 up or not that
    of X and y, if one of X and y is missing or no table of numbers, if they differ in samples, or if lr is not positive
    and finite; and as Problem does.
    """
    check_seed(seed)
    data = None if X is None and y is None else _tables(X, y)
    is_row = isinstance(hidden, Sequence) or getattr(hidden, "ndim", 0) == 1
    widths: tuple[Any, ...] = tuple(cast("Any", hidden)) if is_row else (hidden,)
    for width in widths:
        check_whole("hidden", width, 1)
    known = (2, 3, 2) if data is None else (*data[0].shape, data[1].shape[1])
    sizes = dict(zip(("samples", "inputs", "outputs"), known, strict=True))
    for name, size in (("samples", samples), ("inputs", inputs), ("outputs", outputs)):
        if size is not None:
            check_whole(name, size, 1)
            if data is not None and size != sizes[name]:
                raise ValueError(
                    f"{name} is {size}, but X {data[0].shape} and y {data[1].shape} have {sizes[name]}: leave it out"
                )
            sizes[name] = size
    numbers = sum(D * H for D, H in pairwise((sizes["inputs"], *widths, sizes["outputs"])))
    if data is None:
        numbers += sizes["samples"] * (sizes["inputs"] + sizes["outputs"])
    check_size("such a problem", numbers, "take fewer samples, inputs, units or outputs")
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    for D, H in pairwise((sizes["inputs"], *widths, sizes["outputs"])):
        W = rng.standard_normal((D, H))
        layers += [Linear(W if data is None else W / math.sqrt(D), np.zeros((1, H))), activation]
    if data is None:
        X = rng.standard_normal((sizes["samples"], sizes["inputs"]))
        y = _drawn_targets(loss, rng.standard_normal((sizes["samples"], sizes["outputs"])))
    else:
        X, y = data
    network = Network(fitting(layers[:-1], loss))
    return Problem(network, loss, X, y, lr, penalty=penalty, optimizer=optimizer)


def fitting(layers: Sequence[Layer], loss: Loss) -> list[Layer]:
    """The layers, with a Sigmoid at the end if the loss takes probabilities and weighted sums come last."""
    ends_in_sums = bool(layers[-1].learnt) and getattr(loss, "on_probabilities", False)
    return [*layers, *[Sigmoid()] * ends_in_sums]


def redrawn(problem: Problem, seed: int | None) -> Problem:
    """The same problem with the weights of another seed, those of `random_problem(seed, X=X, y=y)`; None: as they are.

    Each layer, from first to last, draws its own with its method `redrawn`; one without keeps its numbers, as
    `kept_by_seeds` says. A program's parameters keep their mean and their spread, and those that are all one number
    stay as they are. What an optimizer remembers of other weights is forgotten; its steps count on.
    Raises ValueError if the seed is not a whole number from 0 up, or if a layer cannot draw.
    """
    if seed is None:
        return problem
    check_seed(seed)
    rng = np.random.default_rng(seed)
    if not problem.stages:
        return _with_nothing_remembered(cast("Program", problem).redrawn(rng))
    made = {id(layer): layer for layer in problem.network.layers}
    made |= {at: called(layer, "redrawn", rng) for at, layer in made.items() if hasattr(layer, "redrawn")}
    network = Network(made[id(layer)] for layer in problem.network.layers)
    for name, parameter in problem.network.parameters.items():
        if (drawn := network.parameters.get(name)) is None or drawn.shape != parameter.shape:
            raise ValueError(
                f"redrawn must give {name} the shape {parameter.shape}; got {getattr(drawn, 'shape', drawn)}"
            )
    return _with_nothing_remembered(problem.evolve(network=network))


def _with_nothing_remembered(problem: Problem) -> Problem:
    memories = {name: np.zeros_like(problem.state[name]) for name in problem.lines.memories}
    return problem.evolve(state=memories) if memories else problem


def can_be_redrawn(problem: Problem) -> bool:
    """Whether another seed gives `redrawn` any other number."""
    if not problem.stages:
        return any(np.ptp(np.asarray(p, dtype=float)) > 0 for p in problem.parameters.values())
    return any(hasattr(stage.layer, "redrawn") for stage in problem.stages)


def kept_by_seeds(problem: Problem) -> str:
    """Which numbers `redrawn` leaves as they are, in a sentence; "" if all that is learnt is drawn anew.

    Of a problem of layers, those that a layer cannot draw; of a program, those that are all one number, as biases of 0.
    """
    if problem.stages:
        kept = {
            name: type(stage.layer).__name__
            for stage in problem.stages
            for name in stage.parameters.values()
            if not hasattr(stage.layer, "redrawn")
        }
    else:
        kept = {name: "" for name, p in problem.parameters.items() if np.asarray(p, dtype=float).std() == 0}
    stay, all_of = ("stays", "all its numbers") if len(kept) == 1 else ("stay", "all numbers of each")
    kinds = " or ".join(dict.fromkeys(kept.values()))
    why = f"{kinds} cannot draw its numbers" if problem.stages else f"{all_of} are the same"
    return f"{', '.join(kept)} {stay} as given, whatever the seed: {why}." if kept else ""


def one_hot(labels: Any, classes: Any = None) -> Array:
    """A row for each label, with 1 in the column of its class and 0 elsewhere: (N,) labels become (N, K) floats.

    `labels` are whole numbers or strings. `classes` is the number of classes, whose labels are then 0 to K - 1, or
    their names in the order of the columns; by default the labels that occur, sorted, so that 0, 2 and 5 have three
    columns, and with `classes=6` six. Raises ValueError, naming the label, if one is not a class, or not a whole
    number or a string, and if a name appears twice in `classes`.
    """
    found = _names("labels", labels)
    if classes is None:
        kinds = {isinstance(label, str) for label in found}
        if len(kinds) > 1:
            raise ValueError(f"labels must be all whole numbers or all strings, and some are strings; got {labels!r}")
        names = sorted(set(found))
    elif np.ndim(classes) == 0 and not isinstance(classes, str):
        check_whole(
            "classes", classes, 1, MOST_CLASSES, such_as=", or the names of the classes, such as ['cat', 'dog']"
        )
        names = list(range(classes))
    else:
        names = _names("classes", classes)
        if len(set(names)) < len(names):
            raise ValueError(f"classes must have each name once, in the order of the columns; got {names}")
    columns = {name: column for column, name in enumerate(names)}
    if lost := [n for n, label in enumerate(found) if label not in columns]:
        known = f"the classes {', '.join(map(repr, names))}"
        if np.ndim(classes) == 0:
            known = f"the whole numbers below classes={classes}"
        raise ValueError(f"labels[{lost[0]}] is {found[lost[0]]!r}, which is not one of {known}")
    check_size(f"{len(found):,} rows of {len(names):,} classes", len(found) * len(names), "take fewer of either")
    rows = np.zeros((len(found), len(columns)))
    rows[range(len(found)), [columns[label] for label in found]] = 1
    return rows


def _names(what: str, given: Any) -> list[Any]:
    """Labels, or names of classes, as a list. Raises ValueError if they are not (N,) whole numbers or strings."""
    if is_masked(given):
        raise ValueError(f"{what} must be known in every cell, but some are masked: leave those out first")
    found = np.asarray(given, dtype=object)
    if found.ndim != 1 or found.size == 0:
        raise ValueError(
            f"{what} must be a row of whole numbers or strings, such as [0, 2, 1] or ['cat', 'dog'], of shape (N,); "
            f"got {given!r}, of shape {found.shape}"
        )
    for n, label in enumerate(found):
        if not isinstance(label, str | int | np.integer | np.bool):
            mend = f": {what} of floats become whole numbers by np.ravel({what}).astype(int)"
            raise ValueError(
                f"{what} must be whole numbers or strings, such as 2 or 'cat'; {what}[{n}] is {label!r}"
                f"{mend * (isinstance(label, float) and label.is_integer())}"
            )
    return list(found)


def _tables(X: Any, y: Any) -> tuple[Array, Array]:
    """X and y as arrays. Raises ValueError unless they are tables of numbers with as many rows."""
    if X is None or y is None:
        raise ValueError(f"X and y belong together, a row of each for a sample; got {'X' if y is None else 'y'} alone")
    X, y = as_readonly_array("X", X), as_readonly_array("y", y)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must have shape (samples, inputs), with at least one of each; got {X.shape}")
    if y.ndim == 1:
        columns = ", and one_hot(np.ravel(y).astype(int)) a column for each class" * are_whole(y)
        raise ValueError(
            f"y must have shape (samples, outputs); got {y.shape}: np.reshape(y, (-1, 1)) makes one output of "
            f"it{columns}"
        )
    if y.ndim != 2 or 0 in y.shape or len(y) != len(X):
        turned = ""
        if y.ndim == 2:
            ways = {(X.shape[1], y.shape[0]): "X.T makes", (X.shape[1], y.shape[1]): "X.T and y.T make"}
            ways |= {(X.shape[0], y.shape[1]): "y.T makes"}
            turned = next(
                (f". Where samples are columns, {way} rows of them." for (one, two), way in ways.items() if one == two),
                "",
            )
        raise ValueError(f"y must have shape ({len(X)}, outputs), a row for each of X {X.shape}; got {y.shape}{turned}")
    return X, y


def _drawn_targets(loss: Loss, drawn: Array) -> Array:
    """Drawn numbers as targets; where the loss refuses them, the largest of each row becomes 1 and the others 0.

    A single output has no other: there each number above 0 becomes 1. Where those are refused too, the others are -1.
    """
    ones = np.eye(drawn.shape[1])[drawn.argmax(axis=1)] if drawn.shape[1] > 1 else np.float64(drawn > 0)
    for targets in (drawn, np.asarray(ones)):
        with suppress(ValueError):
            check_targets(loss, targets)
            return targets
    return np.where(drawn > 0, 1.0, -1.0)
