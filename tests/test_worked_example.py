"""The worked example against the notebook it comes from: every number that was printed then comes out again."""

from pathlib import Path

import numpy as np
import pytest
from problems import identical

OUTPUT = Path(__file__).parent / "data" / "original_output.txt"
PRINTED = dict(block.split("\n", 1) for block in OUTPUT.read_text(encoding="utf-8").strip().split("\n\n"))


def as_printed(value):
    """What `print` showed in the NumPy of the original."""
    with np.printoptions(legacy="1.13"):
        return str(value)


@pytest.mark.parametrize("name", [name for name in PRINTED if name != "L"])
def test_every_array_comes_out_character_for_character(name, example):
    value = example[name]
    if name in ("db1", "db2"):  # the original dropped the first dimension here; we keep (1, H)
        value = value[0]
    assert as_printed(value) == PRINTED[name]
    assert len(PRINTED) == 21, "the original printed twenty arrays and one number"


def test_the_printed_loss_comes_out_to_its_last_digit_and_is_not_the_loss_that_is_trained(example):
    assert as_printed(2 * np.mean(example["y_pred"] - example["y"])) == PRINTED["L"]
    assert as_printed(example["L"]) != PRINTED["L"]
    assert example["L"] == np.sum((example["dy_pred"] / 2) ** 2)


def test_the_lines_of_the_original_give_the_same_bits(example):
    W1, b1, W2, b2, X, y, lr = (example[name] for name in ("W1", "b1", "W2", "b2", "X", "y", "lr"))

    Y1 = X.dot(W1) + b1
    H1 = np.maximum(Y1, 0)
    y_pred = H1.dot(W2) + b2

    dy_pred = 2 * (y_pred - y)
    dH1 = dy_pred.dot(W2.T)
    dW2 = H1.T.dot(dy_pred)
    db2 = dy_pred.sum(axis=0)
    dY1 = dH1 * (H1 > 0)
    dW1 = X.T.dot(dY1)
    db1 = dY1.sum(axis=0)

    original = {
        "Y1": Y1, "H1": H1, "y_pred": y_pred,
        "dy_pred": dy_pred, "dH1": dH1, "dW2": dW2, "db2": db2[None], "dY1": dY1, "dW1": dW1, "db1": db1[None],
        "W1_new": W1 - lr * dW1, "b1_new": b1 - lr * db1, "W2_new": W2 - lr * dW2, "b2_new": b2 - lr * db2,
    }  # fmt: skip
    assert [name for name, value in original.items() if not identical(example[name], value)] == []
