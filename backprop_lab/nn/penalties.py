"""The penalties: what is added to the loss for large weights, so that a network keeps them small."""

from dataclasses import dataclass
from typing import Any, ClassVar

from backprop_lab.nn.lines import Part, check_number


class Penalty(Part):
    """What a penalty is made of: `formulas`, with a line for `R`, the number that is added to the loss, and `dp`.

    It acts on what the layers call `penalised`: the weights of a Linear, but not its bias. `size` is what one of these
    parameters, `{p}`, comes to, such as a sum of squares; in the line for `R`, `{sizes}` is the sum of all of them.
    `dp` is what R adds to the gradient of a parameter.
    """

    _around = ("p", "sizes")


@dataclass(frozen=True)
class L2(Penalty):
    """R = c times the sum of the squares of all weights.

    Each square depends on its own weight alone, so the slope of R for a weight p is 2 c p, which is added to its
    gradient. A step against it makes each weight smaller by the same part of itself. Many write c / 2, or divide by the
    number of samples too: c is then another, and the 2 of c / 2 cancels. Raises ValueError if c is no number from 0 up.
    Source: Krogh and Hertz, "A simple weight decay can improve generalization", NIPS 4 (1991) 950-957; as here in
    https://cs231n.github.io/neural-networks-2/#reg but for its 1/2.
    """

    c: Any
    formulas: ClassVar = {"size": "np.sum({p}**2)", "R": "{c} * {sizes}", "dp": "2 * {c} * {p}"}

    def __post_init__(self) -> None:
        check_number("c", self.c, such_as="0.01")
