"""The activations: layers that go cell by cell and learn nothing, each its line and the slope of it."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from backprop_lab.nn.layers import Layer
from backprop_lab.nn.lines import check_number


class Activation(Layer):
    """A function applied cell by cell: `Y` has the shape of `X`, and there is nothing to learn in it.

    Y[n, h] depends on X[n, h] alone, so the chain rule has one term and no sum: dX is dY times the slope at that cell,
    with `*` and not `@`. Each kind here is a frozen dataclass; a number of its own, such as LeakyReLU's slope, is a
    field.
    """

    is_elementwise = True


@dataclass(frozen=True)
class ReLU(Activation):
    """Rectified linear unit: keeps what is positive and sets the rest to 0.

    The slope of max(x, 0) is 1 for x > 0 and 0 for x < 0; at 0 there is none, and 0 is the usual choice. The mask
    `{Y} > 0` is that slope, as True and False count as 1 and 0; and Y is positive exactly where X is.
    """

    formulas: ClassVar = {"Y": "np.maximum({X}, 0)", "dX": "{dY} * ({Y} > 0)"}
    can_die = True
    between = (0, math.inf)


@dataclass(frozen=True)
class Tanh(Activation):
    """Hyperbolic tangent: squeezes every number into (-1, 1).

    As tanh = sinh / cosh, its slope is (cosh^2 - sinh^2) / cosh^2 = 1 - tanh^2, and tanh(x) is what has come out: Y.
    """

    formulas: ClassVar = {"Y": "np.tanh({X})", "dX": "{dY} * (1 - {Y}**2)"}
    between = (-1, 1)


@dataclass(frozen=True)
class Sigmoid(Activation):
    """Logistic function: squeezes every number into (0, 1).

    With s(x) = 1 / (1 + e^-x), the slope is e^-x / (1 + e^-x)^2 = s(x) (1 - s(x)), as 1 - s(x) = e^-x / (1 + e^-x);
    and s(x) is what has come out: Y. For very negative X, e^-x overflows to infinity in silence, and Y comes out as 0,
    where s(x) is below 1 over the largest float.
    """

    formulas: ClassVar = {"Y": "1 / (1 + np.exp(-{X}))", "dX": "{dY} * {Y} * (1 - {Y})"}
    between = (0, 1)


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """A ReLU that lets a little of what is negative through: `slope` times it.

    For a slope s from 0 up and below 1, the larger of x and s x is x where x > 0, and s x elsewhere. So the slope is 1
    where x > 0 and s where x < 0; at 0 there is none, and s is taken. Y is positive exactly where X is.

    Raises ValueError if the slope is another number.
    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML (2013).
    """

    slope: Any = 0.01
    formulas: ClassVar = {
        "Y": "np.maximum({X}, {slope} * {X})",
        "dX": "{dY} * ({Y} > 0) + {slope} * {dY} * ({Y} <= 0)",
    }

    def __post_init__(self) -> None:
        check_number("slope", self.slope, 1, such_as="0.01")


@dataclass(frozen=True)
class GELU(Activation):
    """Gaussian error linear unit, in its tanh form: x times nearly the chance that a standard normal number is below x.

    That chance is (1 + erf(x / sqrt(2))) / 2. This is the form with a tanh in place of erf, whose Y differs by at most
    5e-4, and which GPT-2 and others use; in PyTorch it is `GELU(approximate="tanh")`.

    With u = sqrt(2 / pi) (x + 0.044715 x^3) and T = tanh(u), Y is x (1 + T) / 2. Both factors move with x: by the
    product rule the slope is (1 + T) / 2 + x / 2 times the slope of T, which is (1 - T^2) times that of u, and u has
    the slope sqrt(2 / pi) (1 + 0.134145 x^2), as 3 * 0.044715 = 0.134145.
    Source: Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016, arXiv:1606.08415, section 2.
    """

    formulas: ClassVar = {
        "T": "np.tanh(math.sqrt(2 / math.pi) * ({X} + 0.044715 * {X}**3))",
        "Y": "{X} * (1 + {T}) / 2",
        "dX": "{dY} * ((1 + {T}) / 2 + {X} / 2 * (1 - {T}**2) * math.sqrt(2 / math.pi) * (1 + 0.134145 * {X}**2))",
    }


ACTIVATIONS: dict[str, Layer] = {  # by name, as in a menu
    "ReLU": ReLU(),
    "Tanh": Tanh(),
    "Sigmoid": Sigmoid(),
    "LeakyReLU": LeakyReLU(),
    "GELU": GELU(),
}
