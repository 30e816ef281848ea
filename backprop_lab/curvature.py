"""How large a learning rate may be: near the weights the loss is a bowl, and where it bends most sets the limit."""

import math

import numpy as np

from backprop_lab.gradcheck import off_at_zero
from backprop_lab.layers import Array
from backprop_lab.problem import Problem


def curvature_along(problem: Problem, v: Array) -> Array:
    """H v, the Hessian of the loss times a direction v, both (P,): all P parameters in the order W1, b1, W2, ...

    H is the slope of the gradient g, so H v = Im g(p + ihv) / h, the complex step of `gradcheck` taken once more:
    nothing is subtracted, so it is right to the last digits. A ReLU stays on the straight piece that it is on.
    Source: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994) 147-160.
    """
    h = 1e-20
    network = off_at_zero(problem).network
    parameters = network.parameters
    splits = np.cumsum([p.size for p in parameters.values()])
    moved = {}
    for (name, p), part in zip(parameters.items(), np.split(v, splits[:-1]), strict=True):
        moved[name] = p + 1j * h * part.reshape(p.shape)
    gradients = network.with_parameters(moved).gradients(problem.loss, problem.X, problem.y)
    return np.concatenate([gradients[name].imag.ravel() for name in parameters]) / h


def sharpness(problem: Problem) -> float:
    """The largest eigenvalue of the Hessian of the loss with respect to all parameters, at the present weights.

    By the Lanczos method: v, Hv, HHv, ... made perpendicular are the rows of Q, and Q H Q^T is a small matrix T with
    three diagonals, whose largest eigenvalue soon is that of H. It stops when it is right to 1e-9 of the largest in
    size. Raises ValueError if the curvature is not finite, as after a divergence.
    Source: Golub and Van Loan, "Matrix Computations", 4th edition, sections 10.1 and 10.3.
    """
    size = sum(p.size for p in problem.network.parameters.values())
    v = np.random.default_rng(0).standard_normal(size)
    Q = v[None] / np.linalg.norm(v)
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        with np.errstate(all="ignore"):  # what overflows is found below
            w = curvature_along(problem, Q[-1])
            along = float(w @ Q[-1])
            w = w - Q.T @ (Q @ w)
        length = math.hypot(*w)  # of which no square overflows on the way, as in np.linalg.norm
        if not math.isfinite(along + length):
            raise ValueError("the curvature is not finite at these weights: they are too large, as after a divergence")
        diagonal.append(along)
        eigenvalues, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        beside.append(length)
        if len(Q) == size or length * abs(vectors[-1, -1]) <= 1e-9 * np.abs(eigenvalues).max():
            return float(eigenvalues[-1])
        Q = np.vstack([Q, w / length])


def critical_lr(problem: Problem) -> float:
    """2 / sharpness, beyond which gradient descent overshoots: infinite if the loss bends upwards nowhere.

    Where the loss bends by s, a step takes the distance from the bottom times 1 - lr s: it grows if lr > 2 / s.
    For one Linear layer with a squared error that is the whole truth. Elsewhere s changes as the weights move, and
    experiment and theory disagree: a run above the limit can jump to where the loss bends less and settle there
    (Lewkowycz and others, "The large learning rate phase of deep learning", 2020, arXiv:2003.02218), and
    a run below it can come to where the loss bends more, up to the limit (Cohen and others, "Gradient descent on
    neural networks typically occurs at the edge of stability", 2021, arXiv:2103.00065).
    """
    bend = sharpness(problem)
    return 2 / bend if bend > 0 else math.inf
