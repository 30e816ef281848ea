"""The layout: every matrix has a place of its own, each gradient beneath its value, whatever the sizes."""

from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest

from backprop_lab import ReLU, Sigmoid, Tanh, random_problem, trace, worked_example
from backprop_lab.ui.board.layout import GAP, HEAD, LABEL, LEFT, RIGHT, place_matrices
from backprop_lab.ui.values.slopes import value_of

ALL_SIZES = [
    *product(range(1, 9), [1, 4, 8], [1, 4, 8], [1], [1, 4, 8]),
    *product([1, 4, 8], range(1, 9), [1, 4, 8], [2], [1, 4, 8]),
    *product([1, 4, 8], [1, 4, 8], range(1, 9), [3], [1, 4, 8]),
    *product([1, 4, 8], [1, 4, 8], [1, 4, 8], [1, 2, 3], range(1, 9)),
]


@cache
def traced(samples, inputs, hidden, layers, outputs):
    return trace(random_problem(0, samples, inputs, [hidden] * layers, outputs))


def layouts():
    """Every layout that a board can have: for all sizes, in every number of bands."""
    for sizes in dict.fromkeys(ALL_SIZES):
        for bands in range(1, sizes[3] + 2):
            yield (*sizes, bands), place_matrices(traced(*sizes), bands)


EVERY = dict(layouts())
EXAMPLE = place_matrices(trace(worked_example()))


def edges(found):
    """Left, top, right and bottom of every box, its name above it included."""
    return np.array([(b.x, b.y - LABEL, b.x + b.cols, b.y + b.rows) for b in found.boxes.values()])


def covers(some, others):
    """Which of some rectangles have an area in common with which of the others."""
    (left, top, right, bottom), (l2, t2, r2, b2) = some.T[:, :, None], others.T
    across = np.minimum(right, r2) - np.maximum(left, l2) > 1e-9
    down = np.minimum(bottom, b2) - np.maximum(top, t2) > 1e-9
    return across & down


def test_all_sizes_from_1_to_8_and_1_to_3_layers_are_tried():
    tried = np.array([sizes[:5] for sizes in EVERY])
    for column, most in enumerate([8, 8, 8, 3, 8]):
        assert set(tried[:, column]) == set(range(1, most + 1))
    assert len(EVERY) > 1000


def test_no_two_matrices_overlap_nor_does_a_name_run_into_the_matrix_above_it():
    for sizes, found in EVERY.items():
        each = edges(found)
        assert np.array_equal(covers(each, each), np.eye(len(each))), sizes


def test_nothing_lies_outside_the_board_or_under_the_head_or_the_colour_bars():
    for sizes, found in EVERY.items():
        left, top, right, bottom = edges(found).T
        assert left.min() >= LEFT - 1e-9, sizes
        assert top.min() >= HEAD - 1e-9, sizes
        assert right.max() <= found.width - RIGHT + 1e-9, sizes
        assert bottom.max() <= found.height, sizes


def test_the_loss_curve_has_a_place_of_its_own_large_enough_to_read():
    for sizes, found in EVERY.items():
        x, y, width, height = found.loss
        assert width >= 3, sizes
        assert height >= 1.5, sizes
        assert x + width <= found.width
        assert y + height <= found.height
        curve = np.array([(x, y - LABEL, x + width, y + height)])
        assert not covers(curve, edges(found)).any(), sizes


@pytest.mark.parametrize("activation", [ReLU(), Tanh(), Sigmoid()])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bands", [1, 2, 4])
def test_every_value_of_the_trace_and_every_slope_has_a_box_of_its_shape(activation, layers, bands):
    t = trace(random_problem(0, 3, 2, [4] * layers, 5, activation=activation))
    found = place_matrices(t, bands)
    assert set(found.boxes) == {*t.names, *(f"slope of H{n}" for n in range(1, layers + 1))}
    for name, box in found.boxes.items():
        assert box.name == name
        assert (box.rows, box.cols) == np.shape(np.atleast_2d(value_of(t, name)))


def test_a_gradient_lies_straight_beneath_its_value_and_a_new_weight_beneath_both():
    for sizes, found in EVERY.items():
        boxes = found.boxes
        for name, box in boxes.items():
            if name.startswith("d"):
                value = boxes[name[1:]]
                assert (value.x, value.rows, value.cols) == (box.x, box.rows, box.cols), sizes
                assert value.y + value.rows < box.y, sizes
            if name.endswith("_new"):
                old = name.removesuffix("_new")
                assert boxes[old].x == boxes[f"d{old}"].x == box.x, sizes
                assert boxes[old].y < boxes[f"d{old}"].y < box.y, sizes


def test_the_data_flow_from_left_to_right_and_the_rest_goes_with_them():
    boxes = EXAMPLE.boxes
    path = ["X", "W1", "Y1", "H1", "W2", "y_pred", "y"]
    for before, after in pairwise(path):
        assert boxes[before].x + boxes[before].cols + GAP == pytest.approx(boxes[after].x)
        assert boxes[before].y == boxes[after].y
    for above, below in [("W1", "b1"), ("W2", "b2"), ("y", "L"), ("dH1", "slope of H1")]:
        assert boxes[above].x == boxes[below].x
        assert boxes[above].y + boxes[above].rows + LABEL == boxes[below].y


def test_the_three_rows_are_named_and_hold_what_they_say():
    for sizes, found in EVERY.items():
        names = [name for name, _, _ in found.rows]
        assert names == ["values", "gradients", "new weights"] * (len(names) // 3)
        assert len(names) // 3 <= sizes[5]
        for name, box in found.boxes.items():
            if name in ("X", "y", "L"):
                kind = "values"
            elif name.endswith("_new") or name == "lr":
                kind = "new weights"
            else:
                kind = "gradients" if name.startswith(("d", "slope")) else "values"
            assert any(
                row == kind and top <= box.y + 1e-9 and box.y + box.rows <= bottom + 1e-9
                for row, top, bottom in found.rows
            ), (sizes, name)


def test_rows_do_not_overlap():
    for sizes, found in EVERY.items():
        ends = [end for _, top, bottom in found.rows for end in (top, bottom)]
        assert ends == sorted(ends), sizes


def test_arrows_stand_in_the_gaps_forward_above_and_backward_below():
    for sizes, found in EVERY.items():
        arrows = np.array([(x - GAP * 0.32, y - 0.1, x + GAP * 0.32, y + 0.1) for x, y, _ in found.arrows])
        assert not covers(arrows, edges(found)).any(), sizes
        for _, y, direction in found.arrows:
            (row,) = [name for name, top, bottom in found.rows if top - LABEL <= y <= bottom]
            assert direction == {"values": 1, "gradients": -1}[row], sizes


def test_there_is_an_arrow_between_each_two_columns_of_the_worked_example():
    forward = [x for x, _, direction in EXAMPLE.arrows if direction == 1]
    backward = [x for x, _, direction in EXAMPLE.arrows if direction == -1]
    assert len(forward) == 6, "X W1 Y1 H1 W2 y_pred y"
    assert len(backward) == 5, "y_pred W2 H1 Y1 W1 and from the loss; none to X"


def test_more_bands_make_a_board_narrower_and_lose_nothing():
    for sizes in [(2, 3, 4, 3, 2), (8, 8, 8, 3, 8), (1, 1, 1, 2, 1)]:
        one, *more = [place_matrices(traced(*sizes), bands) for bands in range(1, sizes[3] + 2)]
        for banded in more:
            assert banded.width < one.width
            assert banded.height > one.height
            assert {n: b[3:] for n, b in banded.boxes.items()} == {n: b[3:] for n, b in one.boxes.items()}


def test_there_are_never_more_bands_than_linear_layers():
    assert place_matrices(trace(worked_example()), 9) == place_matrices(trace(worked_example()), 2)


def test_a_layer_is_not_torn_apart():
    for sizes, found in EVERY.items():
        for number in range(1, sizes[3] + 2):
            names = [name for name in found.boxes if name in (f"W{number}", f"Y{number}", f"H{number}")]
            assert len({found.boxes[name].y for name in names}) == 1, sizes
