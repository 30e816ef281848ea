"""The norms: layers that give numbers a mean of 0 and a spread of 1, and then one of each that is learnt."""

from typing import Any, ClassVar, Self

import numpy as np

from backprop_lab.nn.layers import Layer
from backprop_lab.nn.lines import Array


class _Norm(Layer):
    """What the norms share: `gamma` and `beta` are one row, (1, H), with a number for each of the H inputs."""

    gamma: Array
    beta: Array
    letter, learnt, eps = "N", ("gamma", "beta"), 1e-5

    def __init__(self, gamma: Any, beta: Any) -> None:
        super().__init__(gamma, beta)
        self._check_shapes()

    def _check_shapes(self) -> None:
        for name, row in self.parameters.items():
            if row.ndim < 2 or row.shape[-2:] != (1, self.gamma.shape[-1]) or 0 in row.shape:
                raise ValueError(
                    f"gamma and beta must be one row each, with a number for each input, of shape (1, inputs); got "
                    f"{name} {row.shape}"
                    + (f": np.reshape({name}, (1, -1)) makes it so" if row.ndim == 1 and row.size else "")
                )

    def check_input(self, X: Array) -> None:
        if np.ndim(X) < 2 or X.shape[-1] != self.inputs:
            raise ValueError(
                f"X {np.shape(X)} does not fit gamma {self.gamma.shape}: X needs shape (samples, {self.inputs})"
            )

    @property
    def inputs(self) -> int:
        """H, how many numbers a sample it takes."""
        return int(self.gamma.shape[-1])

    outputs = inputs  # and gives

    def redrawn(self, rng: "np.random.Generator") -> Self:
        """The same layer as it starts, whatever the seed: with 1 as each `gamma` and 0 as each `beta`."""
        return self.with_parameters({"gamma": np.ones_like(self.gamma), "beta": np.zeros_like(self.beta)})


class BatchNorm(_Norm):
    """Each unit minus its mean over the batch, divided by its spread there; then scaled by gamma, shifted by beta.

    `X` and `Y` are (N, H), `gamma` and `beta` (1, H), and so are `mu`, the mean of each column of X, and `var`, the
    mean of the squared distances from it. Xhat = (X - mu) / sqrt(var + eps) has a mean of 0 and a spread of nearly 1 in
    each column, and Y = gamma Xhat + beta. eps = 1e-5 keeps a column of equal numbers from a division by 0.

    A cell of X moves its own cell of Xhat, and by mu and var all of its column. So the gradient comes to it along three
    paths. dXhat = dY gamma, as each cell of Xhat feeds one of Y.

    With s = sqrt(var[0, h] + eps)
        dvar[0, h] = sum over n of dXhat[n, h] (X[n, h] - mu[0, h]) (-1/2) / s^3    as 1 / s has the slope (-1/2) / s^3
        dmu[0, h] = -(sum over n of dXhat[n, h]) / s    and nothing by way of var, where the distances from mu cancel
        dX[n, h] = dXhat[n, h] / s + dvar[0, h] 2 (X[n, h] - mu[0, h]) / N + dmu[0, h] / N

    since X[n, h] is one of N in the mean mu, and the square of its distance from mu one of N in the mean var. The
    slope of Y for gamma is Xhat, and for beta 1: dgamma is the sum of dY Xhat over the samples, which all have the same
    gamma, and dbeta that of dY.

    The mean and variance are the batch's own. At test time, where there may be one sample alone, libraries take those
    of the training data in their place, which they have averaged on the way; a training step, which is all that this
    is about, has no need of these. A bias in a Linear directly before is taken off again with the mean: write
    Linear(W). Raises ValueError if gamma and beta are not one row each, or X is not as wide. Source: Ioffe and
    Szegedy, "Batch normalization", 2015, arXiv:1502.03167, section 3.
    """

    formulas: ClassVar = {
        "mu": "{X}.mean(axis=0, keepdims=True)",
        "var": "(({X} - {mu}) ** 2).mean(axis=0, keepdims=True)",
        "Xhat": "({X} - {mu}) / np.sqrt({var} + {eps})",
        "Y": "{gamma} * {Xhat} + {beta}",
        "dXhat": "{dY} * {gamma}",
        "dvar": "({dXhat} * ({X} - {mu})).sum(axis=0, keepdims=True) * -0.5 / ({var} + {eps}) ** 1.5",
        "dmu": "-{dXhat}.sum(axis=0, keepdims=True) / np.sqrt({var} + {eps})",
        "dX": "{dXhat} / np.sqrt({var} + {eps}) + {dvar} * 2 * ({X} - {mu}) / len({X}) + {dmu} / len({X})",
        "dgamma": "({dY} * {Xhat}).sum(axis=0, keepdims=True)",
        "dbeta": "{dY}.sum(axis=0, keepdims=True)",
    }


class LayerNorm(_Norm):
    """Each sample minus the mean of its own units, divided by their spread; then scaled by gamma, shifted by beta.

    As BatchNorm, but the mean and the variance are those of a row of X, over its H units: `mu` and `var` are (N, 1). No
    sample depends on another, so nothing is different at test time. `gamma` and `beta` are (1, H), a number for each
    unit, and their gradients are sums over the samples, as in BatchNorm.

    The gradient comes to X[n, h] along three paths, as there.

    With s = sqrt(var[n, 0] + eps)
        dvar[n, 0] = sum over h of dXhat[n, h] (X[n, h] - mu[n, 0]) (-1/2) / s^3
        dmu[n, 0] = -(sum over h of dXhat[n, h]) / s
        dX[n, h] = dXhat[n, h] / s + dvar[n, 0] 2 (X[n, h] - mu[n, 0]) / H + dmu[n, 0] / H

    Raises ValueError if gamma and beta are not one row each, or X is not as wide.
    Source: Ba, Kiros and Hinton, "Layer normalization", 2016, arXiv:1607.06450.
    """

    formulas: ClassVar = {
        "mu": "{X}.mean(axis=1, keepdims=True)",
        "var": "(({X} - {mu}) ** 2).mean(axis=1, keepdims=True)",
        "Xhat": "({X} - {mu}) / np.sqrt({var} + {eps})",
        "Y": "{gamma} * {Xhat} + {beta}",
        "dXhat": "{dY} * {gamma}",
        "dvar": "({dXhat} * ({X} - {mu})).sum(axis=1, keepdims=True) * -0.5 / ({var} + {eps}) ** 1.5",
        "dmu": "-{dXhat}.sum(axis=1, keepdims=True) / np.sqrt({var} + {eps})",
        "dX": "{dXhat} / np.sqrt({var} + {eps}) + {dvar} * 2 * ({X} - {mu}) / {X}.shape[1] + {dmu} / {X}.shape[1]",
        "dgamma": "({dY} * {Xhat}).sum(axis=0, keepdims=True)",
        "dbeta": "{dY}.sum(axis=0, keepdims=True)",
    }


NORMS: dict[str, type[_Norm]] = {kind.__name__: kind for kind in (BatchNorm, LayerNorm)}  # as in a menu
