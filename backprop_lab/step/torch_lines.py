"""The lines of NumPy for operations of PyTorch, by the name of the function or method."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.lines import literal

BY_CELL = {  # {0} is what comes in first
    "relu": "np.maximum({0}, 0)", "tanh": "np.tanh({0})", "sigmoid": "1 / (1 + np.exp(-{0}))", "exp": "np.exp({0})",
    "log": "np.log({0})", "log1p": "np.log1p({0})", "sqrt": "np.sqrt({0})", "abs": "np.abs({0})", "neg": "-{0}",
    "sin": "np.sin({0})", "cos": "np.cos({0})", "square": "{0} ** 2", "rsqrt": "1 / np.sqrt({0})",
    "silu": "{0} / (1 + np.exp(-{0}))", "reciprocal": "1 / {0}", "logsigmoid": "-np.logaddexp(0, -{0})",
    "relu6": "np.clip({0}, 0, 6)", "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "truediv": "{0} / {1}",
    "div": "{0} / {1}", "pow": "{0} ** {1}", "matmul": "{0} @ {1}", "mm": "{0} @ {1}", "bmm": "{0} @ {1}",
    "maximum": "np.maximum({0}, {1})", "minimum": "np.minimum({0}, {1})", "logaddexp": "np.logaddexp({0}, {1})",
    "where": "np.where({0}, {1}, {2})", "masked_fill": "np.where({1}, {2}, {0})", "lt": "{0} < {1}",
    "le": "{0} <= {1}", "gt": "{0} > {1}", "ge": "{0} >= {1}", "eq": "{0} == {1}", "ne": "{0} != {1}",
}  # fmt: skip
_LESS_THE_LARGEST = "Z: {x} - {x}.max(axis={dim}, keepdims=True)"
_POWERS = "np.exp({Z}).sum(axis={dim}, keepdims=True)"
_SUMS = "{x} @ {weight_ih}.mT + {bias_ih}", "{hx} @ {weight_hh}.mT + {bias_hh}"


def _normalised(axis: int) -> tuple[str, ...]:
    along = f"axis={axis}, keepdims=True"
    return (
        f"mu: {{x}}.mean({along})",
        f"var: (({{x}} - {{mu}}) ** 2).mean({along})",
        "Xhat: ({x} - {mu}) / np.sqrt({var} + {eps})",
        "N: {weight} * {Xhat} + {bias}",
    )


WRITTEN: dict[str, tuple[str, ...]] = {  # first what it takes; then each line, with the letter of its name; None goes
    "linear": ("x weight bias=", "Y: {x} @ {weight}.mT + {bias}"),
    "leaky_relu": ("x negative_slope=0.01", "H: np.maximum({x}, {negative_slope} * {x})"),
    "elu": ("x alpha=1.0", "H: np.maximum({x}, 0) + {alpha} * (np.exp(np.minimum({x}, 0)) - 1)"),
    "softplus": ("x beta=1.0", "H: np.logaddexp(0, {beta} * {x}) / {beta}"),
    "gelu": ("x", "T: np.tanh(0.7978845608028654 * ({x} + 0.044715 * {x} ** 3))", "H: {x} * (1 + {T}) / 2"),
    "hardtanh": ("x min_val max_val", "H: np.clip({x}, {min_val}, {max_val})"),
    "softmax": ("x dim", _LESS_THE_LARGEST, "P: np.exp({Z}) / " + _POWERS),
    "log_softmax": ("x dim", _LESS_THE_LARGEST, f"logP: {{Z}} - np.log({_POWERS})"),
    "batch_norm": ("x weight bias eps", *_normalised(0)),
    "layer_norm": ("x normalized_shape= weight= bias= eps=1e-05", *_normalised(-1)),
    "embedding": ("x weight", "E: {weight}[{x}]"),
    "rnn_cell": ("x hx weight_ih weight_hh bias_ih bias_hh", f"h: np.tanh({_SUMS[0]} + {_SUMS[1]})"),
    "lstm_cell": (
        "x hx cx weight_ih weight_hh bias_ih bias_hh",
        f"a: {_SUMS[0]} + {_SUMS[1]}",
        "i: 1 / (1 + np.exp(-{a}[..., 0:{n}]))",
        "f: 1 / (1 + np.exp(-{a}[..., {n}:{n2}]))",
        "g: np.tanh({a}[..., {n2}:{n3}])",
        "o: 1 / (1 + np.exp(-{a}[..., {n3}:{n4}]))",
        "c: {f} * {cx} + {i} * {g}",
        "h: {o} * np.tanh({c})",
    ),
    "gru_cell": (
        "x hx weight_ih weight_hh bias_ih bias_hh",
        f"a: {_SUMS[0]}",
        f"b: {_SUMS[1]}",
        "r: 1 / (1 + np.exp(-({a}[..., 0:{n}] + {b}[..., 0:{n}])))",
        "z: 1 / (1 + np.exp(-({a}[..., {n}:{n2}] + {b}[..., {n}:{n2}])))",
        "g: np.tanh({a}[..., {n2}:{n3}] + {r} * {b}[..., {n2}:{n3}])",
        "h: (1 - {z}) * {g} + {z} * {hx}",
    ),
    "mse_loss": ("x y reduction=mean", "loss: np.{reduction}(({x} - {y}) ** 2)"),
    "l1_loss": ("x y reduction=mean", "loss: np.{reduction}(np.abs({x} - {y}))"),
    "huber_loss": (
        "x y reduction=mean delta=1.0",
        "E: {x} - {y}",
        "loss: np.{reduction}(np.where(np.abs({E}) <= {delta}, {E} ** 2 / 2, {delta} * (np.abs({E}) - {delta} / 2)))",
    ),
    "cross_entropy": (
        "x y reduction=mean",
        _LESS_THE_LARGEST.replace("{dim}", "1"),
        f"logP: {{Z}} - np.log({_POWERS.replace('{dim}', '1')})",
        "loss: -np.{reduction}({logP}[np.arange(len({y})), {y}])",
    ),
    "cross_entropy, probabilities": (
        "x y reduction=mean",
        _LESS_THE_LARGEST.replace("{dim}", "1"),
        f"logP: {{Z}} - np.log({_POWERS.replace('{dim}', '1')})",
        "loss: -np.{reduction}(({y} * {logP}).sum(axis=1))",
    ),
    "nll_loss": ("x y reduction=mean", "loss: -np.{reduction}({x}[np.arange(len({y})), {y}])"),
    "binary_cross_entropy": (
        "x y reduction=mean", "loss: -np.{reduction}({y} * np.log({x}) + (1 - {y}) * np.log(1 - {x}))",
    ),
    "binary_cross_entropy_with_logits": (
        "x y reduction=mean",
        "loss: np.{reduction}({y} * np.logaddexp(0, -{x}) + (1 - {y}) * np.logaddexp(0, {x}))",
    ),
}  # fmt: skip
_CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
MODULES: dict[str, tuple[str, tuple[str, ...]]] = {  # the function that it is, and what that takes of the module
    "Linear": ("linear", ("weight", "bias")), "LeakyReLU": ("leaky_relu", ("negative_slope",)),
    "ELU": ("elu", ("alpha",)), "GELU": ("gelu", ("approximate",)), "Softplus": ("softplus", ("beta", "threshold")),
    "Hardtanh": ("hardtanh", ("min_val", "max_val")), "Softmax": ("softmax", ("dim",)),
    "LogSoftmax": ("log_softmax", ("dim",)), "BatchNorm1d": ("batch_norm", ("weight", "bias", "eps")),
    "LayerNorm": ("layer_norm", ("weight", "bias", "eps")), "Embedding": ("embedding", ("weight", "max_norm")),
    "Dropout": ("dropout", ("p",)), "Flatten": ("flatten", ()), "RNNCell": ("rnn_cell", _CELL),
    "LSTMCell": ("lstm_cell", _CELL), "GRUCell": ("gru_cell", _CELL), "MSELoss": ("mse_loss", ("reduction",)),
    "L1Loss": ("l1_loss", ("reduction",)), "HuberLoss": ("huber_loss", ("reduction", "delta")),
    "CrossEntropyLoss": ("cross_entropy", ("weight", "reduction", "label_smoothing")),
    "NLLLoss": ("nll_loss", ("weight", "reduction")), "BCELoss": ("binary_cross_entropy", ("weight", "reduction")),
    "BCEWithLogitsLoss": ("binary_cross_entropy_with_logits", ("weight", "reduction", "pos_weight")),
}  # fmt: skip
LETTERS = {  # of a module's parameters
    "weight": "W", "bias": "b", "weight_ih": "Wx", "weight_hh": "Wh", "bias_ih": "bx", "bias_hh": "bh",
}  # fmt: skip


class Value(NamedTuple):
    """A tensor, and the name that it has in the lines."""

    name: str
    tensor: Any


def flat(tree: Any) -> list[Any]:
    """What stands in lists and tuples in each other; a value is one thing."""
    if isinstance(tree, Value) or not isinstance(tree, list | tuple):
        return [tree]
    return [each for part in tree for each in flat(part)]


def real_of(tree: Any) -> Any:
    """The same with tensors in place of values."""
    if isinstance(tree, Value):
        return tree.tensor
    if isinstance(tree, Mapping):
        return {key: real_of(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [*map(real_of, tree)]
    return tuple(map(real_of, tree)) if isinstance(tree, tuple) else tree


def text_of(value: Any) -> str:
    return value.name if isinstance(value, Value) else literal(value)


def index_of(item: Any) -> str:
    if isinstance(item, slice):
        ends = (item.start, item.stop, item.step)[: 2 + bool(item.step)]
        return ":".join("" if end is None else str(end) for end in ends)
    return "..." if item is Ellipsis else text_of(item)


def check_given(names: Sequence[str], inputs: Sequence[Any], y: Any, loss: Any) -> None:
    """Raises ValueError if there are more inputs than a module takes, if one or y is no tensor, or without a loss."""
    if not callable(loss) or isinstance(loss, type):
        raise ValueError(
            f"the loss is one of torch.nn, as in MSELoss(), or a function of the output and y; got {loss!r}"
        )
    if len(names) < len(inputs):
        raise ValueError(f"forward of this module takes {' and '.join(names)}; got {len(inputs)} inputs")
    named = zip(names if len(inputs) > 1 else ("X",), inputs, strict=False)
    for name, given in (*named, ("y", y)):
        if not hasattr(given, "detach") and np.asarray(given).dtype.kind not in "biuf":
            raise ValueError(f"{name} is a tensor, or numbers that make one; got {given!r:.80}")


@contextmanager
def targets_fit(given: Sequence[int], targets: Sequence[int]) -> Iterator[None]:
    """Within this, a loss refuses targets that PyTorch would broadcast to what the module gives, with a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Using a target size", UserWarning)
        try:
            yield
        except UserWarning:
            shapes = f"{tuple(given)}; got {tuple(targets)}"
            raise ValueError(f"y must have the shape of what the module gives, {shapes}, which broadcasts") from None


def check_slopes(slopes: Mapping[str, Any], values: Mapping[str, Any], near: float) -> None:
    """Raise ValueError where a gradient of the lines is not autograd's, as of what is done under torch.no_grad.

    `slopes` are autograd's by parameter, None where there is none.
    """
    theirs = {name: 0.0 if each is None else each.cpu().numpy() for name, each in slopes.items()}
    size = {name: float(np.max(np.abs(each), initial=0.0)) for name, each in theirs.items()}
    for name, each in theirs.items():
        off = float(np.max(np.abs(values[f"d{name}"] - each), initial=0.0))
        if off > max(near * max(size.values()), math.sqrt(near) * size[name]):
            raise ValueError(f"d{name} of these lines is not the .grad of the module, which holds a path or part back, "
                             "as torch.no_grad and the padding_idx of an Embedding do")  # fmt: skip
