"""The optimizers: how a parameter moves, once its gradient is known, and what is remembered of it for the next step."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from backprop_lab.nn.lines import Part, check_number, literal
from backprop_lab.nn.menus import Menu

DECAY = "{lr} * {decay} * {p}"  # what a decay takes off a parameter, beside the step


@dataclass(frozen=True)
class Optimizer(Part):
    """What an update is made of: `formulas`, with a line for `new`, what a parameter `{p}` is in the next step.

    In a line `{dp}` is the gradient of the parameter, `{lr}` the learning rate of the problem and `{step}` the number
    of the step, from 1. `memory` names what is remembered of each parameter, such as ("v",): `{v}` is what it is in
    this step, 0 in the first, and the line for `v_new` says what it is in the next. Other lines may stand between.

    `decay` makes what the layers call `penalised` smaller in each step by lr * decay of itself, beside all else
    ("decoupled"): no memory has a part of it. For plain descent that is the same as a penalty L2(decay / 2); for the
    others it is not. Its unit is that of 1 / lr. Raises ValueError if it is no number from 0 up.
    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, arXiv:1711.05101.
    """

    decay: Any = field(default=0.0, kw_only=True)
    memory: ClassVar[tuple[str, ...]] = ()
    _around = ("p", "lr", "step", "new")

    def __post_init__(self) -> None:
        check_number("decay", self.decay, such_as="0.01")

    def own_names(self) -> tuple[str, ...]:
        return tuple(name for name in super().own_names() if name not in self.memory)

    def own_numbers(self) -> dict[str, str]:
        return super().own_numbers() | ({"decay": literal(self.decay)} if self.decay else {})


class GradientDescent(Optimizer):
    """A step against the gradient, for every parameter `p`.

    The gradient `dp` points where the loss grows fastest, so the step goes the other way. `lr`, the learning rate of
    the problem, says how far; its unit is that of p squared per loss.
    """

    formulas: ClassVar = {"new": "{p} - {lr} * {dp}"}


@dataclass(frozen=True)
class Momentum(Optimizer):
    """A step along the velocity, the sum of all gradients so far, in which older ones count less and less.

    v_new = dp + beta dp' + beta^2 dp'' + ... has the gradients of this step, of the one before, and so on. What they
    have in common adds up, to 1 / (1 - beta) times as much in the end, and what changes its sign cancels. Of all that,
    one number is remembered for each number of p: the velocity of the step before, v = dp' + beta dp'' + ..., as
    v_new = beta v + dp.

    Raises ValueError unless beta is from 0 up and below 1.
    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics
    and Mathematical Physics 4 (1964) 1-17; with lr outside of the velocity, as PyTorch has it.
    """

    beta: Any = 0.9
    memory = ("v",)
    formulas: ClassVar = {"v_new": "{beta} * {v} + {dp}", "new": "{p} - {lr} * {v_new}"}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("beta", self.beta, 1, such_as="0.9")


class Nesterov(Momentum):
    """Momentum that looks ahead: the step takes the velocity as it would be if the same gradient came once more.

    Nesterov's method takes its gradient not at p, but where the velocity will have carried it, at p - lr beta v. If
    that point is what is kept and called p, each step from it goes by dp + beta v_new: so it is written here, with
    gradients at p itself, as PyTorch has it.

    Source: Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", Soviet
    Mathematics Doklady 27 (1983) 372-376; Sutskever and others, "On the importance of initialization and momentum in
    deep learning", ICML (2013), section 2 and appendix A.1; Bengio and others, arXiv:1212.0901, section 3.5.
    """

    formulas: ClassVar = {"v_new": "{beta} * {v} + {dp}", "new": "{p} - {lr} * ({dp} + {beta} * {v_new})"}


@dataclass(frozen=True)
class Adam(Optimizer):
    """A step of about lr for each number, whatever the size of its gradients: their mean, divided by their usual size.

    m_new is a mean of the gradients so far, in which older ones count less and less, and v_new one of their squares. As
    both begin at 0, they are too small at first: after t steps with equal gradients, m_new is 1 - beta1^t times the
    gradient. So mhat = m_new / (1 - beta1^t), and vhat likewise. The step is lr mhat / sqrt(vhat): as long as lr where
    the gradients hardly change, and as a rule shorter where their signs do. Where they grow all at once, after many
    steps, it is longer for a while if beta2 is above beta1, as v_new then follows more slowly. eps keeps it from a
    division by 0. t is `step`, which is 1 in the first.

    Raises ValueError unless both betas are from 0 up and below 1, and eps is no negative number.
    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2014, arXiv:1412.6980, algorithm 1. With a
    decay it is AdamW of Loshchilov and Hutter.
    """

    beta1: Any = 0.9
    beta2: Any = 0.999
    eps: Any = 1e-8
    memory = ("m", "v")
    formulas: ClassVar = {
        "m_new": "{beta1} * {m} + (1 - {beta1}) * {dp}",
        "v_new": "{beta2} * {v} + (1 - {beta2}) * {dp}**2",
        "mhat": "{m_new} / (1 - {beta1}**{step})",
        "vhat": "{v_new} / (1 - {beta2}**{step})",
        "new": "{p} - {lr} * {mhat} / (np.sqrt({vhat}) + {eps})",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("beta1", self.beta1, 1, such_as="0.9")
        check_number("beta2", self.beta2, 1, such_as="0.999")
        check_number("eps", self.eps, such_as="1e-8")


OPTIMIZERS: Menu[Optimizer] = Menu({
    "gradient descent": GradientDescent(),
    "momentum": Momentum(),
    "Nesterov momentum": Nesterov(),
    "Adam": Adam(),
})  # fmt: skip
