"""Every layer and every loss is a pure function of arrays, whatever kind of number is in them."""

from fractions import Fraction

import numpy as np
import pytest
from problems import ACTIVATIONS, LOSSES, identical, is_exact

from backprop_lab import Linear

PARTS = {repr(part): part for part in (Linear, *ACTIVATIONS, *LOSSES)}
KINDS = {"float32": np.float32, "complex": complex, "whole numbers": int, "fractions": Fraction}
CASES = [(name, kind) for name in PARTS for kind in KINDS]
for name in ("Tanh()", "Sigmoid()"):
    CASES.remove((name, "fractions"))  # they take a power of e


def of(kind, *rows):
    return np.array(rows).astype(object) * Fraction(1) if kind is Fraction else np.array(rows, kind)


def made(name, kind=float):
    return Linear(of(kind, [1, 2], [3, -4]), of(kind, [5, -6])) if name == repr(Linear) else PARTS[name]


def given(kind=float):
    """X and dY for a layer; for a loss they are y_pred and y."""
    return of(kind, [1, -2], [3, 1], [-1, 2]), of(kind, [2, 1], [-1, 3], [1, 1])


def results(part, X, dY):
    """Everything that a layer or a loss computes."""
    if hasattr(part, "value"):
        return [part.value(X, dY), part.gradient(X, dY)]
    return [part.forward(X), part.backward(X, dY), *part.gradients(X, dY).values()]


@pytest.mark.parametrize("name", PARTS)
def test_what_is_given_stays_as_it_was_results_are_new_arrays_and_nothing_is_remembered(name):
    part, mine = made(name), given()
    found = results(part, *mine)
    for array, before in zip(mine, given(), strict=True):
        assert identical(array, before)
        assert array.flags.writeable
        assert not any(np.shares_memory(array, result) for result in found)
    results(part, *(array + 1 for array in mine))
    assert all(map(identical, found, results(part, *mine)))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_kind_of_number_gives_what_floats_give_and_is_kept(name, kind):
    found = results(made(name, KINDS[kind]), *given(KINDS[kind]))
    for result, in_floats in zip(found, results(made(name), *given()), strict=True):
        np.testing.assert_allclose(np.asarray(result, complex), in_floats, rtol=1e-5)
        if kind == "fractions":
            assert is_exact(result)
        elif kind != "whole numbers":
            assert result.dtype == KINDS[kind]
