"""The board: what is painted, framed and written on it at each step, and that the picture loses nothing of it."""

import io
import subprocess
import sys
from itertools import product

import matplotlib as mpl
import numpy as np
import pytest
from common import contrast, covers, with_numbers
from hypothesis import example as also
from hypothesis import given, settings
from PIL import Image
from problems import problems

from backprop_lab import Tanh, random_problem, trace, worked_example
from backprop_lab.number_format import format_number
from backprop_lab.ui.board.board import READABLE, Board
from backprop_lab.ui.board.cells import COLOURS, GRADIENT_LIMIT, VALUE_LIMIT, digit_colours
from backprop_lab.ui.board.layout import CELL_WIDTH, LARGE_CELL_WIDTH
from backprop_lab.ui.board.text import outline_of
from backprop_lab.ui.theme import DARK, LIGHT, NOT_FINITE, OPERAND, RESULT
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import value_of

LOSSES = [3.0, 2.0, 1.5]
LARGEST = (0, 8, 8, 8, 8)
EXTREME = [[1e300, -11.0, 5e-324], [np.nan, np.inf, -np.inf]]


def drawn(t, index, losses=(), cell=None, **options):
    board = Board(t, **options)
    board.draw(t, index, losses, cell)
    return board


def pixels(board):
    return np.asarray(board.canvas.buffer_rgba())[..., :3].astype(int)


def picture(board):
    return Image.open(io.BytesIO(board.png()))


def cells_of(board):
    """For each cell: its matrix, level and number; and where the page finds it, its colour and all its colours."""
    image, found = pixels(board) @ [65536, 256, 1], []
    high, wide = image.shape
    for name, left, top, width, height, rows, cols in board.boxes_on_page():
        for i, j in np.ndindex(rows, cols):
            y0, y1 = (round((top + height * (i + part) / rows) * high) for part in (0.12, 0.88))
            x0, x1 = (round((left + width * (j + part) / cols) * wide) for part in (0.06, 0.94))
            found.append((name, f"#{image[y0, x0]:06x}", {*image[y0:y1, x0:x1].flat}))
    names, colours, shades = zip(*found, strict=True)
    return list(zip(names, board.cells.levels, board.cells.numbers, colours, shades, strict=True))


def shades_at(place):
    """The colours from a cell's own to that of its digits, at a place on the scale of 256, or 256 for not finite."""
    return digit_colours()[place].view(np.uint8).reshape(-1, 4)[:, :3] @ [65536, 256, 1]


@settings(max_examples=8)
@given(problems())
@also(worked_example().evolve(X=EXTREME))
def test_each_cell_has_the_colour_of_its_value_on_a_fixed_scale_and_its_number_in_it(problem):
    t = trace(problem)
    board = drawn(t, len(t.steps))
    values = np.concatenate([np.ravel(value_of(t, box.name)) for box in board.boxes])
    for value, (name, level, number, colour, shades) in zip(values, cells_of(board), strict=True):
        limit = np.inf if name in ("L", "lr") else GRADIENT_LIMIT if name.startswith("d") else VALUE_LIMIT
        finite = np.isfinite(value)
        assert level == (pytest.approx(np.clip(np.arcsinh(value) / np.arcsinh(limit), -1, 1)) if finite else 2)
        assert colour == (mpl.colors.to_hex(COLOURS((level + 1) / 2)) if finite else NOT_FINITE)
        assert number == format_number(value)
        assert len(shades) > 1, "there are digits in it"
        assert shades <= {*shades_at(min(255, int((level + 1) * 128)) if finite else 256)}


def test_what_is_not_computed_yet_is_an_empty_grid():
    t = trace(random_problem(1, hidden=[3, 2], samples=4))
    board = Board(t)
    for index in range(len(t.steps) + 1):
        board.draw(t, index)
        computed = {*t.given, *(step.name for step in t.steps[:index])}
        computed |= {f"slope of H{n}" for n in (1, 2) if f"dY{n}" in computed}
        for name, level, number, _, shades in cells_of(board):
            assert (not np.isnan(level)) == bool(number) == (len(shades) > 1) == (name in computed)


def test_numbers_are_white_on_dark_cells_and_black_on_the_others_and_always_readable():
    digits = set()
    for place in range(257):
        cell, digit = (f"#{shade:06x}" for shade in shades_at(place)[[0, -1]])
        digits.add(digit)
        assert contrast(cell, digit) >= 4.5
    assert digits == {"#ffffff", "#000000"}


def framed(board):
    """The frames, as (colour, matrix, first and last row, first and last column)."""
    found = []
    for segment, colour in zip(board.outlines.get_segments(), board.outlines.get_colors(), strict=True):
        (x0, y0), (x1, y1) = np.min(segment, axis=0), np.max(segment, axis=0)
        (box,) = [b for b in board.boxes if -0.1 < x0 - b.x < b.cols and -0.1 < y0 - b.y < b.rows]
        rows, cols = (round(y0 - box.y), round(y1 - box.y) - 1), (round(x0 - box.x), round(x1 - box.x) - 1)
        found.append((mpl.colors.to_hex(colour), box.name, rows, cols))
    return found


def test_a_chosen_cell_is_framed_with_the_row_and_the_column_that_made_it(example):
    """Where none is chosen, the operands of the step are, and its result."""
    for index, step in enumerate(example.steps, start=1):
        sizes = {name: value_of(example, name).shape for name in (*step.operands, step.name)}
        *operands, result = [(name, (0, rows - 1), (0, cols - 1)) for name, (rows, cols) in sizes.items()]
        assert framed(drawn(example, index)) == [*((OPERAND, *whole) for whole in operands), (RESULT, *result)]
    operands = [(OPERAND, "X", (1, 1), (0, 2)), (OPERAND, "W1", (0, 2), (2, 2)), (OPERAND, "b1", (0, 0), (2, 2))]
    assert framed(drawn(example, 15, cell=("Y1", 1, 2))) == [*operands, (RESULT, "Y1", (1, 1), (2, 2))]


def says(patch, text, bold=False):
    """Whether a text is the one that was drawn, glyph for glyph."""
    drawn = patch.get_path()
    return np.array_equal(drawn.codes if len(drawn.vertices) else [], outline_of(text, bold).codes)


def extent(patch):
    """From where to where a text goes, in cells; of no text, from 0 to 0."""
    x = patch.get_path().vertices[:, 0]
    return (x.min(), x.max()) if x.size else (0, 0)


def test_the_first_line_has_the_phase_the_line_of_the_step_and_its_shapes(example):
    board = Board(example, width=860, large=True)
    phase, line, shapes = board.head
    for index, step in enumerate(example.steps, start=1):
        board.draw(example, index)
        assert says(phase, step.phase.upper(), bold=True)
        assert says(line, f"{step.name} = {step.code}")
        told = "" if step.name in ("db1", "db2") else example.shapes(step)  # there is no room to read those two
        assert says(shapes, told)
        assert np.ptp(extent(shapes)) >= outline_of(told).width * 0.98 * READABLE
        assert max(extent(text)[1] for text in board.head) <= board.layout.width
    for losses, given_values in ([1.0], "the given values"), (LOSSES, "the new weights have moved up"):
        board.draw(example, 0, losses)
        assert says(line, f"{given_values}; press Next")


def test_a_chosen_cell_has_its_sum_there_cut_until_it_can_be_read_but_not_before_it_is_computed():
    t = trace(random_problem(*LARGEST))
    board = Board(t, width=1000)
    for cell in [("X", 0, 0), ("L", 0, 0), ("dW1", 0, 0), ("Y1", 7, 7)]:
        board.draw(t, len(t.steps), [1.0], cell)
        sums = [str(work_out(t, cell, terms)) for terms in (8, 6, 5, 4, 3)]
        (shown,) = {text for text in sums if says(board.head[1], text)}
        assert ("…" in shown) == (cell[0] != "X")
        assert np.ptp(extent(board.head[1])) / len(shown) > 0.14, "cells' widths a letter"
        assert extent(board.head[1])[1] <= board.layout.width
        board.draw(t, 0, [1.0], cell)
        assert says(board.head[1], "the given values; press Next") == (cell[0] != "X")


@pytest.mark.parametrize("sizes", [(2, 3, [4], 2), (1, 1, [1], 1), LARGEST[1:], (1, 3, [1, 1, 1], 1)])
def test_every_matrix_has_a_label_and_each_stands_free_of_matrices_of_other_labels_and_of_the_edge(sizes):
    t = trace(random_problem(0, *sizes, activation=Tanh()))  # whose formula for the slope is the longest
    board = Board(t)
    assert {*t} <= {text.get_text() for text in board.axes.texts}
    renderer, to_cells = board.canvas.get_renderer(), board.axes.transData.inverted()
    extents = [text.get_window_extent(renderer) for text in board.axes.texts if text.get_text()]
    corners = np.sort([to_cells.transform(each.get_points()) for each in extents], axis=1)
    labels = corners.reshape(-1, 4)
    boxes = np.array([(box.x, box.y, box.x + box.cols, box.y + box.rows) for box in board.boxes])
    assert (corners >= 0).all()
    assert (corners <= [board.layout.width, board.layout.height]).all()
    assert not covers(labels, boxes).any()
    assert np.array_equal(covers(labels, labels, by=0.02), np.eye(len(labels)))


def test_the_losses_are_a_curve_in_its_frame_that_falls_as_they_do_to_a_dot_on_the_last(example):
    board = drawn(example, 15, [100.0, 10.0, 1.0, 0.1])
    points, dot, labels = (each.get_path().vertices for each in (board.curve, board.curve_end, board.curve_labels))
    left, top, width, height = board.layout.loss
    frame = np.array([[left, top], [left + width, top + height]])
    assert len(points) == 4
    assert (np.diff(points, axis=0) > 0).all(), "to the right, and down the page"
    assert np.allclose(np.diff(points, 2, axis=0), 0), "powers of ten are a straight line"
    assert ((frame[0] <= points) & (points <= frame[1])).all()
    assert np.allclose((dot.min(axis=0) + dot.max(axis=0)) / 2, points[-1], atol=0.01)
    assert ((frame[0] - 0.5 <= labels) & (labels <= frame[1] + 0.5)).all()


def test_the_curve_has_each_loss_that_has_a_logarithm_or_as_many_as_fit(example):
    for losses, points in [
        ([], 0), ([np.inf, np.nan], 0), ([0.0], 0), ([-1.0], 0), ([1.0, 1e100, 1e300, np.inf, np.nan], 3), ([2.0], 1),
        ([2.0, 2.0], 2), ([1e-300, 1e300], 2), ([5e-324], 1), (np.geomspace(1000, 0.001, 10_001).tolist(), 200),
    ]:  # fmt: skip
        board = drawn(example, 15, LOSSES)
        board.draw(example, 15, losses)
        curve, *ends = (each.get_path().vertices for each in (board.curve, board.curve_end, board.curve_labels))
        assert len(curve) == points
        assert np.isfinite(curve).all()
        assert all(bool(len(each)) == (points > 0) for each in ends)


def test_the_loss_of_an_iteration_is_on_the_curve_once_it_is_on_the_board(example):
    board, L = Board(example), example.names.index("L") - len(example.given) + 1
    for index in range(len(example.steps) + 1):
        for losses in (LOSSES, [52.2]):
            board.draw(example, index, losses)
            assert len(board.curve.get_path().vertices) == len(losses) - (index < L)


def test_a_loss_that_is_the_only_one_is_in_the_middle_of_its_frame(example):
    for losses in ([1e-300], [1.0], [52.2] * 3, [1e300]):
        board = drawn(example, 15, losses)
        _, top, _, height = board.layout.loss
        assert np.allclose((board.curve.get_path().vertices[:, 1] - top) / height, 0.5)


def test_a_draw_leaves_nothing_of_the_one_before(example):
    other = trace(with_numbers(worked_example(), X=50 + example["X"]))
    board, state = Board(example), (example, 6, LOSSES, ("dH1", 0, 1))
    alone = drawn(*state).png()
    for before in [(other, 15, [5.0, np.inf]), (example, 0, [], ("X", 1, 1)), (other, 2, [1.0])]:
        board.draw(*before)
        assert board.png() != alone
        board.draw(*state)
        assert board.png() == alone


def test_the_png_has_the_size_of_the_board_at_any_density_of_screen(example):
    for width, ratio in [(1, 1.0), (320, 3.0), (861, 1.25)]:
        board, plain = (drawn(example, 4, LOSSES, width=width, ratio=each) for each in (ratio, 1.0))
        assert board.boxes_on_page() == plain.boxes_on_page()
        thin, thick = ([lines.get_linewidth()[0] for lines in each.axes.collections] for each in (plain, board))
        assert thick == pytest.approx([ratio * width for width in thin]), "a line looks as wide"
        assert picture(board).size == (max(1, round(board.width * ratio)), max(1, round(board.height * ratio)))
        assert len(board.png()) < 60_000 * ratio**2, "small enough for a slow wire"


@pytest.mark.parametrize(("theme", "sizes"), [(DARK, (0,)), (LIGHT, (2, 8, 8, [8, 8, 8], 8))])
def test_the_palette_loses_nothing_that_an_eye_can_see(theme, sizes):
    """In areas of one colour at most 10 of 255; at the edges of digits and lines, at most 72."""
    t = trace(random_problem(*sizes, lr=0.1))
    board = drawn(t, len(t.steps), LOSSES, dark=theme is DARK)
    full = pixels(board)
    assert mpl.colors.to_hex(full[1, 1] / 255) == theme.paper
    lost = np.abs(np.asarray(picture(board).convert("RGB")).astype(int) - full).max(axis=-1)
    around = [np.roll(full, shift, axis) for axis in (0, 1) for shift in (1, -1)]
    flat = np.all([other == full for other in around], axis=(0, -1))
    assert flat.mean() > 0.4
    assert lost[flat].max() <= 10
    assert lost.max() <= 72
    assert lost.mean() <= 3


def test_a_board_keeps_within_the_width_and_height_of_the_window_and_its_cells_can_be_read(example):
    for width, size, layers in product((1, 640, 1024), (4, 8), (1, 3)):
        board = Board(trace(random_problem(0, size, size, [size] * layers, size)), width=width)
        narrowest = CELL_WIDTH[0] if len(board.layout.rows) == 3 else 13  # in more bands than one
        assert board.width <= width
        assert width == 1 or narrowest - 0.5 <= board.cell_width <= CELL_WIDTH[1] + 0.5
    low, board, free = (Board(example, width=2000, height=height) for height in (10, 500, 5000))
    assert [low.cell_width, free.cell_width] == pytest.approx(CELL_WIDTH, abs=0.5)
    assert 480 <= board.height <= 501
    large = Board(example, width=1095, height=800, large=True)  # what JupyterLab leaves of a projector of 1280 pixels
    assert large.cell_width >= LARGE_CELL_WIDTH[0]


def test_the_labs_load_no_pyplot_which_would_draw_under_the_cell_and_change_no_setting_of_matplotlib():
    code = """import sys, matplotlib; settings = dict(dict.items(matplotlib.rcParams))
from backprop_lab import trace, ui, worked_example; from backprop_lab.ui.board.board import Board
t = trace(worked_example()); board = Board(t, dark=True); board.draw(t, 15, [1.0]); board.png()
print('matplotlib.pyplot' in sys.modules, dict(dict.items(matplotlib.rcParams)) == settings)"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
