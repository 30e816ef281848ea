"""The worked example against the notebook it comes from: every number that was printed then comes out again."""

from pathlib import Path

import numpy as np
import pytest

OUTPUT = Path(__file__).parent / "data" / "original_output.txt"
PRINTED = dict(block.split("\n", 1) for block in OUTPUT.read_text(encoding="utf-8").strip().split("\n\n"))


@pytest.mark.parametrize("name", PRINTED)
def test_every_number_comes_out_character_for_character(name, example):
    value = example[name]
    if name in ("db1", "db2"):  # the original dropped the first dimension here; we keep (1, H)
        value = value[0]
    if name == "L":  # what it printed is not the loss that is trained
        value = 2 * np.mean(example["y_pred"] - example["y"])
        assert example["L"] == np.sum((example["dy_pred"] / 2) ** 2)
    with np.printoptions(legacy="1.13"):  # as the NumPy of the original did
        assert str(value) == PRINTED[name]
    assert len(PRINTED) == 21
