"""The update: how a parameter moves, once its gradient is known."""

from dataclasses import dataclass
from typing import ClassVar

from backprop_lab.nn.lines import Part


@dataclass(frozen=True)
class GradientDescent(Part):
    """A step against the gradient, for every parameter `p`.

    The gradient `dp` points where the loss grows fastest, so the step goes the other way. `lr`, the learning rate of
    the problem, says how far; its unit is that of p squared per loss.
    """

    formulas: ClassVar = {"new": "{p} - {lr} * {dp}"}
