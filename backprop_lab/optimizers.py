"""The update: how a parameter moves, once its gradient is known."""

from dataclasses import dataclass
from typing import ClassVar

from backprop_lab.lines import Part


@dataclass(frozen=True)
class GradientDescent(Part):
    """A small step against the gradient, for every parameter `p`: `lr` has the unit of p squared per loss."""

    formulas: ClassVar = {"new": "{p} - {lr} * {dp}"}
