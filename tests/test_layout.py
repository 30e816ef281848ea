"""The layout: every matrix has a place of its own, each gradient beneath its value, whatever the sizes."""

from itertools import product

import numpy as np
import pytest
from common import covers

from backprop_lab import random_problem, trace
from backprop_lab.ui.board.layout import HEAD, LABEL, LEFT, RIGHT, place_matrices

FEW = [1, 2, 4, 8]


@pytest.fixture(scope="module")
def every():
    """(sizes, layout) of boards of all kinds of sizes, in every number of bands that there can be."""
    layouts = []
    for samples, inputs, hidden, layers, outputs in product(FEW, FEW, FEW, [1, 2, 3], FEW):
        t = trace(random_problem(0, samples, inputs, [hidden] * layers, outputs))
        layouts += [((samples, inputs, hidden, layers, outputs, n), place_matrices(t, n)) for n in range(1, layers + 2)]
    return layouts


def edges(found):
    """Left, top, right and bottom of every box, its name above it included."""
    return np.array([(b.x, b.y - LABEL, b.x + b.cols, b.y + b.rows) for b in found.boxes.values()])


def test_no_two_matrices_overlap_nor_does_a_name_run_into_the_matrix_above_it(every):
    for sizes, found in every:
        each = edges(found)
        assert np.array_equal(covers(each, each), np.eye(len(each))), sizes


def test_nothing_lies_outside_the_board_or_under_head_or_bars_and_the_loss_curve_has_room_to_be_read(every):
    for sizes, found in every:
        (left, top), (right, bottom) = edges(found).min(axis=0)[:2] + 1e-9, edges(found).max(axis=0)[2:] - 1e-9
        assert LEFT <= left < right <= found.width - RIGHT, sizes
        assert HEAD <= top < bottom <= found.height, sizes
        x, y, width, height = found.loss
        assert 3 <= width <= found.width - x, sizes
        assert 1.5 <= height <= found.height - y, sizes
        assert not covers(np.array([(x, y - LABEL, x + width, y + height)]), edges(found)).any(), sizes


def test_the_three_rows_hold_what_they_say_each_gradient_straight_beneath_its_value_and_new_weights_beneath_both(every):
    kinds = {"X": "values", "y": "values", "L": "values", "lr": "new weights"}
    for sizes, found in every:
        bands, rest = divmod(len(found.rows), 3)
        assert (bands <= sizes[5], rest) == (True, 0)
        assert [name for name, _, _ in found.rows] == ["values", "gradients", "new weights"] * bands
        for name, box in found.boxes.items():
            kind = "new weights" if name.endswith("_new") else "gradients" if name[0] in "ds" else "values"
            rows = [row for row, top, bottom in found.rows if top - 1e-9 <= box.y <= box.y + box.rows <= bottom + 1e-9]
            assert rows == [kinds.get(name, kind)], (sizes, name)
            above = name[1:] if name.startswith("d") else f"d{name.removesuffix('_new')}" if "_new" in name else name
            value = found.boxes[above]
            assert (value.x, value.rows, value.cols) == (box.x, box.rows, box.cols), sizes
            assert above == name or value.y + value.rows < box.y, sizes


def test_more_bands_make_a_board_narrower_lose_nothing_and_tear_no_layer_apart(every, example):
    one = {sizes[:-1]: found for sizes, found in every if sizes[-1] == 1}
    for sizes, found in every:
        whole = one[sizes[:-1]]
        assert found is whole or (found.width < whole.width and found.height > whole.height), sizes
        assert found.boxes.keys() == whole.boxes.keys()
        for n in range(1, sizes[3] + 2):
            assert len({found.boxes[name].y for name in (f"W{n}", f"Y{n}", f"H{n}") if name in found.boxes}) == 1, sizes
    assert place_matrices(example, 9) == place_matrices(example, 2), "no more bands than linear layers"
