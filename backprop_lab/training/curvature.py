"""How large a learning rate may be: near the weights the loss is a bowl, and where it bends most sets the limit."""

import math
import warnings
from collections.abc import Iterator

import numpy as np

from backprop_lab.checks.numeric import has_corners, loss_of, off_at_zero
from backprop_lab.nn.lines import Array
from backprop_lab.nn.optimizers import GradientDescent, Momentum, Nesterov, Optimizer
from backprop_lab.nn.penalties import L2
from backprop_lab.nn.steps import Lines
from backprop_lab.step.problem import Problem
from backprop_lab.step.program import Program
from backprop_lab.training.sweep import in_floats

_DESCENT = GradientDescent()
SMALL = 100  # parameters: up to here, the whole Hessian takes less time than some of its products
SEED = 7_041_913  # of the direction to begin with, which is that of nobody's data: those may bend the loss in no other
RIGHT = 1e-9  # of the largest curvature in size: how far a sharpness may be off
MOVES = (1e-4, 1e-5, 1e-6)  # along a direction: where one is too long or too short, another does


def curvature_along(problem: Problem, v: Array) -> Array:
    """H v, the Hessian of the loss times a direction v, both (P,): all P parameters in the order W1, b1, W2, ...

    A stack of directions, (S, P), gives as many products, if the layers and the loss take stacks.

    H is the slope of the gradient g, so H v = Im g(p + ihv) / h, the complex step of `moves` taken once more:
    nothing is subtracted, so it is right to the last digits. A ReLU stays on the straight piece that it is on.
    Source: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994) 147-160.
    """
    h = 1e-20
    return _gradient(problem, off_at_zero(problem), 1j * h * v).imag / h


def _gradient(problem: Problem, lines: Lines, away: Array) -> Array:
    """The gradient, (P,), at the parameters of a problem moved `away` by (P,); or those of a stack, (S, P)."""
    parameters, moved, at = problem.parameters, {}, 0
    gradient_of = {step.of: step.name for step in lines if step.role == "gradient"}
    for name, p in parameters.items():
        moved[name] = p + away[..., at : at + p.size].reshape(*away.shape[:-1], *p.shape)
        at += p.size
    names = tuple(gradient_of[name] for name in parameters)
    dimensions = {name: np.ndim(value) for name, value in problem.given.items()}
    found = lines.call(names, problem.given | moved, dimensions, analytic=np.iscomplexobj(away))
    along = zip(found, parameters.values(), strict=True)
    return np.concatenate([gradient.reshape(*away.shape[:-1], p.size) for gradient, p in along], axis=-1)


def sharpness(problem: Problem) -> float:
    """The largest eigenvalue of the Hessian of the loss with respect to all parameters, at the present weights.

    Raises ValueError if the curvature is not finite, as after a divergence, if a number is complex, and if a layer or
    the loss of a reader's own keeps it from being told, as what is computed by `math` does.
    """
    *_, bend = iter_sharpness(problem)
    return bend


def iter_sharpness(problem: Problem) -> Iterator[float]:
    """The same, better and better: yields what is known after each product with the Hessian, at last the sharpness.

    By the Lanczos method: v, Hv, HHv, ... made perpendicular are the rows of Q, and Q H Q^T is a small matrix T with
    three diagonals, whose largest eigenvalue soon is that of H. It stops when it is right to RIGHT of the largest in
    size; one that is smaller than that is 0. Source: Golub and Van Loan, "Matrix Computations", 4th edition, sections
    10.1 and 10.3; Giraud and others, "The loss of orthogonality in the Gram-Schmidt orthogonalization process",
    Computers and Mathematics with Applications 50 (2005) 1069-1075, for why twice is enough. With SMALL parameters or
    fewer, H itself is made, and its eigenvalue found at once.
    """
    problem = in_floats(problem)
    size = sum(p.size for p in problem.parameters.values())
    first, value = next(iter(problem.parameters.items()))
    _finite(math.nan if np.isnan(loss_of(problem, first)(value)) else 0.0)  # a logarithm below 0 has a complex one
    ours = _is_ours(problem)
    if ours and size <= SMALL:
        with np.errstate(all="ignore"):
            H = curvature_along(problem, np.eye(size))
        yield _largest(np.linalg.eigvalsh(H) if np.isfinite(H).all() else np.array([math.nan]))
        return
    v = np.random.default_rng(SEED).standard_normal(size)
    if not ours and not _can_be_told(problem, v):
        raise ValueError(
            "how the loss bends cannot be told: a line does not pass complex numbers through, is at a corner, or is "
            "no gradient"
        )
    Q = v[None] / np.linalg.norm(v)
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        with np.errstate(all="ignore"):  # what overflows is found below
            w = curvature_along(problem, Q[-1])
            along = float(w @ Q[-1])
            for _ in range(2):  # once is not enough where little is left of w
                w = w - Q.T @ (Q @ w)
        length = _finite(math.hypot(*w))  # of which no square overflows on the way, as in np.linalg.norm
        diagonal.append(along)
        T = np.diag(beside, -1) + np.diag(diagonal)
        eigenvalues, vectors = np.linalg.eigh(T)  # of which it reads the lower half
        beside.append(length)
        yield _largest(eigenvalues)
        if len(Q) == size or length * abs(vectors[-1, -1]) <= RIGHT * np.abs(eigenvalues).max():
            return
        Q = np.vstack([Q, w / length])


def _largest(eigenvalues: Array) -> float:
    """The last of them, in order; 0 where it is no more than rounding beside the others."""
    largest = float(eigenvalues[-1])
    return 0.0 if abs(largest) <= RIGHT * np.abs(eigenvalues).max() else _finite(largest)


def _finite(number: float) -> float:
    """The number, where it is one. Raises ValueError for the others."""
    if not math.isfinite(number):
        raise ValueError(
            "the curvature is not finite at these weights, as after a divergence, or where a logarithm has no value"
        )
    return float(number)


def _is_ours(problem: Problem) -> bool:
    """Whether all parts are those of this package, which pass complex numbers through, with no corner but at a ReLU."""
    return all(part.is_ours for part in problem.parts) and not has_corners(problem)


def _can_be_told(problem: Problem, v: Array) -> bool:
    """Whether H v is what differences of the gradient a little to either side say, and H, as it must be, symmetric."""
    u, lines = v[::-1], problem.lines
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):  # pragma: no mutate  only for quiet
            Hv, Hu = curvature_along(problem, v), curvature_along(problem, u)
            differences = [
                (_gradient(problem, lines, h * v) - _gradient(problem, lines, -h * v)) / (2 * h) for h in MOVES
            ]
    except Exception:  # of what is not written for complex numbers
        return False
    off = min(np.max(np.abs(difference - Hv)) for difference in differences)
    is_near, skew = off <= 1e-4 * np.max(np.abs(Hv)), abs(u @ Hv - v @ Hu)  # pragma: no mutate  skew tells nearly all
    return bool(is_near and skew <= 1e-6 * np.sum(np.abs(u * Hv)))  # pragma: no mutate  and rounding is far below 1e-6


def critical_lr(problem: Problem) -> float:
    """The learning rate beyond which training overshoots at the present weights: infinite if the loss bends upwards
    nowhere. 2 / sharpness for gradient descent; for the others see `limit_of`.

    Where the loss bends by s, a step of gradient descent takes the distance from the bottom times 1 - lr s: it grows if
    lr > 2 / s. A penalty is part of the loss, and plain descent with a decay is descent with a penalty of half of it.
    For one Linear layer with a squared error that is the whole truth. Elsewhere s changes as the weights move, and
    the limit is a local one: a run above it can jump to where the loss bends less and settle there
    (Lewkowycz and others, "The large learning rate phase of deep learning", 2020, arXiv:2003.02218), and
    a run below it can come to where the loss bends more, up to the limit (Cohen and others, "Gradient descent on
    neural networks typically occurs at the edge of stability", 2021, arXiv:2103.00065).
    Raises ValueError as `sharpness` does, and where no limit is known for the optimizer.
    """
    problem = with_decay_as_penalty(problem)
    return limit_of(sharpness(problem), problem.optimizer)


def with_decay_as_penalty(problem: Problem) -> Problem:
    """The same problem for plain descent, with its decay as a penalty; as it is if it has no decay.

    Raises ValueError where a decay is something else: with a memory, or beside a penalty that is no L2.
    """
    optimizer, penalty = problem.optimizer, problem.penalty
    if not optimizer.decay:
        return problem
    if isinstance(problem, Program):
        raise ValueError(f"no limit is known for {optimizer!r} in a program: write its decay as a part of the loss, "
                         f"such as {optimizer.decay / 2:g} * np.sum(W**2)")  # fmt: skip
    if type(optimizer) is not GradientDescent or type(penalty) not in (type(None), L2):
        raise ValueError(f"no limit is known for {optimizer!r}, whose decay is no part of the loss")
    c = (penalty.c if isinstance(penalty, L2) else 0) + optimizer.decay / 2
    return problem.evolve(penalty=L2(c), optimizer=GradientDescent())


def limit_of(bend: float, optimizer: Optimizer = _DESCENT) -> float:
    """The learning rate beyond which an optimizer overshoots where the loss bends by so much.

    With a momentum, the distances x from the bottom follow x'' = (1 + beta - lr bend) x' - beta x, whose terms stay
    bounded up to lr bend = 2 (1 + beta); Nesterov's, x'' = (1 + beta) (1 - lr bend) x' - beta (1 - lr bend) x, up to
    2 (1 + beta) / (1 + 2 beta). Raises ValueError for another optimizer, such as Adam, whose step does not depend on
    how steep the loss is.
    Source: Polyak (1964), as at Momentum; Cohen and others (2021), appendix B.
    """
    if type(optimizer) not in (GradientDescent, Momentum, Nesterov) or optimizer.decay:
        raise ValueError(f"no limit is known for {optimizer!r}: the length of its steps depends on more than the slope")
    beta = optimizer.beta if isinstance(optimizer, Momentum) else 0.0
    by = 1 + 2 * beta if isinstance(optimizer, Nesterov) else 1.0
    return float(2 * (1 + beta) / by / bend) if bend > 0 else math.inf
