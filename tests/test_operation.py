"""The operation as a picture: it fits its room, each cell shown is the cell it says, and its numbers can be read."""

from itertools import product

import numpy as np
import pytest
from common import alike, covers
from own_parts import OWN_PROBLEMS, with_gelu

from backprop_lab import SoftmaxCrossEntropy, one_hot, random_problem, trace, worked_example
from backprop_lab.ui.board.cells import READABLE, limit_of, scaled
from backprop_lab.ui.board.colours import COLOURS
from backprop_lab.ui.board.operation import Operation
from backprop_lab.ui.values.equation import Operand, equation

ROOMS = [(600, 150), (390, 130), (1180, 200)]
X, y = np.random.default_rng(0).standard_normal((16, 4)), one_hot(np.arange(16) % 3)
PROBLEMS = {
    "worked example": worked_example(),
    "16 samples, 4-10-3": random_problem(0, X=X, y=y, hidden=10, loss=SoftmaxCrossEntropy()),
    "64 samples, 128 units": random_problem(0, 64, 4, [128], 3),
} | OWN_PROBLEMS


def drawn(t, index, room=ROOMS[0], cell=None, **options):
    operation = Operation(*room, **options)
    operation.draw(t, index, cell)
    return operation


def pixels(operation):
    return np.asarray(operation.image().convert("RGB"), int) @ [65536, 256, 1]


@pytest.mark.parametrize("name", PROBLEMS)
def test_everything_lies_in_the_room_and_nothing_on_anything_else(name):
    t = trace(PROBLEMS[name])
    for room, index in product(ROOMS, range(1, len(t.steps) + 1)):
        shown = drawn(t, index, room).shown
        boxes = [(p.x, p.y, p.x + len(p.cols) * p.cell[0], p.y + len(p.rows) * p.cell[1]) for p in shown.placed]
        words = [
            (left := w.x - w.align * w.width, w.y - 0.7 * w.size, left + w.width, w.y + 0.2 * w.size)
            for w in (*shown.labels, *shown.signs)
        ]
        each = np.array([*boxes, *words])
        assert ((each >= 0) & (each <= [*room, *room])).all(), (room, t.steps[index - 1].name)
        assert np.array_equal(covers(each, each, by=0.5), np.eye(len(each))), (room, t.steps[index - 1].name)


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_cell_on_the_page_has_the_colour_of_the_value_that_it_says_and_the_chosen_one_is_there(name):
    t = trace(PROBLEMS[name])
    for index, step in enumerate(t.steps, start=1):
        i, j = (n - 1 for n in np.atleast_2d(step.value).shape)
        operation = drawn(t, index, cell=(step.name, i, j))
        image = pixels(operation)
        high, wide = image.shape
        parts = [part for part in equation(t, step.name) if isinstance(part, Operand)]
        for part, box in zip(parts, operation.boxes_on_page(), strict=True):
            label, matrix, left, top, width, height, rows, cols, transposed, at_rows, at_cols = box
            assert (label, matrix, transposed) == (part.label, part.name, part.transposed)
            limit = limit_of(matrix, "gradients" if matrix.startswith("d") else "")
            limit = np.inf if not matrix and part.value.size == 1 else limit
            for r, c in product(range(rows), range(cols)):
                x = round((left + width * (c + 0.08) / cols) * wide)
                y = round((top + height * (r + 0.15) / rows) * high)
                if at_rows[r] is None or at_cols[c] is None:
                    assert image[y, x] == 0xFFFFFF
                    continue
                level = float(scaled(np.array(part.value[at_rows[r], at_cols[c]], dtype=float), limit))
                assert alike(f"#{image[y, x]:06x}", COLOURS((level + 1) / 2)), (step.name, label, r, c)
        assert (i in at_rows, j in at_cols) == (True, True), step.name
        assert operation.shown.em >= READABLE
        for word, placed in zip(operation.shown.labels, operation.shown.placed, strict=True):
            shape = placed.operand.value.shape
            left_out = None in (*placed.rows, *placed.cols)
            assert left_out == ((placed.rows, placed.cols) != tuple([*range(n)] for n in shape))
            worked_out = not placed.operand.name  # such as the sum of each row, beside a matrix with as many rows
            assert not left_out or worked_out or word.text.endswith(str(shape)), "beside the ellipsis stands its shape"


def test_a_line_too_long_for_its_numbers_is_shown_without_its_signs():
    t = trace(with_gelu())
    shown = {step.name: drawn(t, index, (380, 116)).shown for index, step in enumerate(t.steps, start=1)}
    assert min(each.em for each in shown.values()) > 0
    assert [word.text for word in shown["H1"].signs] == ["→"]


def test_from_the_back_row_the_digits_of_the_worked_example_are_2_4_percent_of_a_projector_high(example):
    for index, step in enumerate(example.steps, start=1):
        assert 0.73 * drawn(example, index, (1180, 200), large=True).shown.em >= 0.024 * 720, step.name


def test_a_picture_leaves_nothing_of_the_one_before_and_is_empty_at_the_start(example):
    operation = drawn(example, 10)
    operation.draw(example, 3)
    assert operation.png() == drawn(example, 3).png()
    operation.draw(example, 0)
    assert (operation.boxes_on_page(), {*pixels(operation).flat}) == ([], {0xFFFFFF})
