"""How a learner lays out arrays, and what their letters stand for: what is tried where names alone do not say it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_lab.step.trace import Trace


@dataclass(frozen=True)
class Layout:
    """How a learner lays out their arrays: samples in columns, W with a row for each output, flat biases, labels.

    `penalty` is how many times the c of an L2 they call `reg`, as many write c / 2, or divide by the samples too.
    `velocity` is what is in all that momentum remembers, beside the gradients: "-lr" in `v = 0.9 * v - lr * dW`.
    `from_1` is "deltas" where their numbers count the input, so that delta2 is dY1, "all" where all do: a1 is X; and
    "back" where they count from the output, so that delta1 is its delta.
    `before` is the letter that stands for what enters an activation, such as a where h stands for what leaves it, or h
    beside `h_relu`; `last` is the one for what comes out of the network, such as a where h is hidden. `scores` says
    that the last output is meant before the softmax, `masks` that `D1` is a mask, and `squares` that Adam's v and s are
    what is called m and v here. Gradients are `crossed` where `z1 = sigmoid(a1)`, and da1 is that of z1, and dz1 of a1,
    as in Saitoh's "Deep Learning from Scratch". What is `passing` stands for many values.
    """

    columns: bool = False
    rows_of_outputs: bool = False
    flat: bool = False
    labels: bool = False
    from_1: str = ""
    velocity: str = ""
    penalty: float = 1.0
    before: str = ""
    last: str = ""
    scores: bool = False
    masks: bool = False
    squares: bool = False
    crossed: bool = False
    passing: frozenset[str] = frozenset()

    def is_across(self, trace: Trace, name: str) -> bool:
        """Whether a value, or a gradient, is the transpose of the package's."""
        owner = trace.owner(name) or name
        is_parameter = owner in trace.given and owner not in trace.problem.data
        return self.rows_of_outputs if is_parameter and not is_bias(trace, owner) else self.columns

    def laid_out(self, trace: Trace, name: str) -> Any:
        """A value of a trace, or a gradient, as this learner has it."""
        value, owner = np.asarray(trace[name]), trace.owner(name) or name
        if name in trace.problem.data and is_count(value):
            return int(value)  # as range wants it
        if owner == "y" and self.labels:
            return value.argmax(axis=1)
        if self.flat and owner in trace.given and is_bias(trace, owner):
            return value.ravel()
        value, times = value.T if self.is_across(trace, name) else value, self.scale(trace, name)
        return value if times == 1 else times * value  # a mask stays one of truth values

    def scale(self, trace: Trace, name: str) -> Any:
        """How many times the package's a value is."""
        is_velocity = self.velocity and (trace.owner(name) or name) in trace.problem.state and name[0] == "v"
        return {"-": -1, "lr": trace["lr"], "-lr": -trace["lr"]}[self.velocity] if is_velocity else 1


def is_count(value: Any) -> bool:
    """Whether a datum is a single whole number."""
    return value.ndim == 0 and float(value).is_integer()


def is_bias(trace: Trace, parameter: str) -> bool:
    return np.shape(trace[parameter])[:1] == (1,) and not parameter.startswith("W")
