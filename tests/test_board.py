"""The board: what its artists are set to, that two boards compare by eye, and that the picture loses nothing of it."""

import io
import re
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache

import matplotlib as mpl
import numpy as np
import pytest
from colours import contrast, luminance
from hypothesis import given, settings
from PIL import Image
from problems import ACTIVATIONS, problems

from backprop_lab import MISTAKES, Sigmoid, Tanh, plant, random_problem, trace, worked_example
from backprop_lab.number_format import format_number
from backprop_lab.ui.board.board import READABLE, Board, blocks
from backprop_lab.ui.board.cells import COLOURS, GRADIENT_LIMIT, VALUE_LIMIT
from backprop_lab.ui.board.layout import CELL_WIDTH, LARGE_CELL_WIDTH
from backprop_lab.ui.board.text import outline_of
from backprop_lab.ui.theme import DARK, LIGHT, NOT_FINITE, OPERAND, RESULT
from backprop_lab.ui.values.one_cell import work_out
from backprop_lab.ui.values.slopes import is_slope, slope_of, value_of

EXAMPLE = trace(worked_example())
NAMES = [step.name for step in EXAMPLE.steps]
LOSSES = [3.0, 2.0, 1.5]


@lru_cache(maxsize=32)
def board_of(t, **options):
    """A board is made once for each trace, since any draw replaces what the one before left."""
    return Board(t, **options)


def drawn(t, index, losses=(), cell=None, **options):
    board = board_of(t, **options)
    board.draw(t, index, losses, cell)
    return board


def cells_of(board, name):
    """Where the cells of a matrix are among all of the board."""
    start = 0
    for box in board.boxes:
        if box.name == name:
            return slice(start, start + box.rows * box.cols)
        start += box.rows * box.cols
    raise KeyError(name)


def levels(board, name):
    return board.cells.levels[cells_of(board, name)]


def shown(board):
    """The names of the matrices whose cells are filled."""
    return {box.name for box in board.boxes if not np.isnan(levels(board, box.name)).any()}


def picture(board):
    return Image.open(io.BytesIO(board.png()))


def pixels(board):
    return np.asarray(board.canvas.buffer_rgba())[..., :3].astype(int)


def looks(board):
    """{(box, row, column): the colours inside of that cell, and the one in its corner}"""
    image, found = pixels(board), {}
    high, wide = image.shape[:2]
    for name, left, top, width, height, rows, cols in board.boxes_on_page():
        for i, j in np.ndindex(rows, cols):
            y0, y1 = (round((top + height * (i + part) / rows) * high) for part in (0.12, 0.88))
            x0, x1 = (round((left + width * (j + part) / cols) * wide) for part in (0.06, 0.94))
            cell = image[y0:y1, x0:x1].reshape(-1, 3)
            found[name, i, j] = np.unique(cell, axis=0), cell[0]
    return found


def numbered(board):
    """{box: how many of its cells have digits in them}"""
    inside = looks(board)
    return {box.name: sum(len(inside[key][0]) > 1 for key in inside if key[0] == box.name) for box in board.boxes}


def with_numbers(**numbers):
    """The worked example with some first cells typed over."""
    p = worked_example()
    for name, number in numbers.items():
        array = EXAMPLE[name].copy()
        array[0, 0] = number
        if name in ("X", "y"):
            p = replace(p, **{name: array})
        else:
            p = replace(p, network=p.network.with_parameters(p.network.parameters | {name: array}))
    with np.errstate(all="ignore"):
        return trace(p)


# Numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.0, "−1"),
        (2, "2"),
        (-7, "−7"),
        (999.0, "999"),
        (1000.0, "1000"),
        (-13.83, "−13.8"),
        (13.85, "13.8"),
        (17.449, "17.4"),
        (0.02, "0.02"),
        (-0.5, "−0.50"),
        (3.14159, "3.14"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.94, "99.9"),
        (99.96, "100"),
        (252.358, "252"),
        (999.7, "1000"),
        (9999.4, "9999"),
        (9999.6, "1e4"),
        (123456.0, "1e5"),
        (9.6e9, "1e10"),
        (-4.2e12, "−4e12"),
        (1e300, "1e300"),
        (0.005, "0.01"),
        (0.00499, "5e−3"),
        (1e-5, "1e−5"),
        (-1e-5, "−1e−5"),
        (1e-6, "1e−6"),
        (9.7e-4, "1e−3"),
        (5e-324, "5e−324"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (float("-inf"), "−inf"),
        (np.float64(-0.0), "0"),
    ],
)  # fmt: skip
def test_a_number_is_printed_short_and_honest(value, text):
    assert format_number(value) == text


def test_a_number_fits_its_cell_and_reads_back_near_its_value():
    rng = np.random.default_rng(0)
    for value in np.concatenate([rng.standard_normal(500), 10 ** rng.uniform(-9, 9, 500) * rng.choice([-1, 1], 500)]):
        text = format_number(value)
        assert len(text) <= 5
        assert not re.fullmatch(r"−?0\.0*", text)
        half = 0.5 * abs(value) if "e" in text else 0.0051 if abs(value) < 9.995 else 0.01 * abs(value)
        assert abs(float(text.replace("−", "-")) - value) <= half, text


# Cells


def test_every_cell_of_every_matrix_has_its_place():
    board = board_of(EXAMPLE)
    board.draw(EXAMPLE, 0)
    assert (
        len(board.cells.levels)
        == len(board.cells.numbers)
        == sum(np.size(value_of(EXAMPLE, box.name)) for box in board.boxes)
    )


@pytest.mark.parametrize("index", range(len(NAMES) + 1))
def test_what_is_not_computed_yet_is_an_empty_grid(index):
    board = drawn(EXAMPLE, index)
    computed = {*EXAMPLE.given, *NAMES[:index]}
    assert shown(board) == computed | ({"slope of H1"} if "dY1" in computed else set())
    for box in board.boxes:
        empty = np.isnan(levels(board, box.name))
        assert empty.all() == (box.name not in shown(board))


@pytest.mark.parametrize("index", [0, 1, 4, 9, 15])
def test_each_cell_that_is_shown_has_its_number_in_it_and_no_other_cell_has(index):
    board = drawn(EXAMPLE, index)
    counts = numbered(board)
    for box in board.boxes:
        assert counts[box.name] == (box.rows * box.cols if box.name in shown(board) else 0)


def test_the_gate_comes_to_light_with_its_step_and_is_0_or_1():
    t = trace(random_problem(1, hidden=[3, 2], samples=4))
    board = Board(t)
    for index, step in enumerate(t.steps, start=1):
        board.draw(t, index)
        for number in (1, 2):
            revealed = t.steps.index(t.step(f"dY{number}")) < index
            assert (f"slope of H{number}" in shown(board)) == revealed, step.name
    assert set(levels(board, "slope of H1")) <= {0.0, float(levels(board, "slope of H1").max())}


@settings(max_examples=8)
@given(problems())
def test_the_colour_of_a_cell_is_its_value_on_a_fixed_scale(problem):
    t = trace(problem)
    board = Board(t)
    board.draw(t, len(t.steps))
    assert np.abs(board.cells.levels).max() <= 1
    for box in board.boxes:
        if box.name not in ("L", "lr"):
            limit = GRADIENT_LIMIT if box.name.startswith("d") else VALUE_LIMIT
            expected = np.clip(np.arcsinh(np.ravel(value_of(t, box.name))) / np.arcsinh(limit), -1, 1)
            assert np.allclose(levels(board, box.name), expected)


def test_two_traces_have_the_same_scale_so_that_the_same_number_has_the_same_colour():
    for name in ("X", "dW1", "W1_new"):
        both = []
        for t in (EXAMPLE, trace(random_problem(7, lr=5.0))):
            board = Board(t)
            board.draw(t, len(t.steps))
            both.append(dict(zip(np.ravel(t[name]).round(9), levels(board, name), strict=True)))
            painted = [cell for (box, *_), (_, cell) in looks(board).items() if box == name]
            assert np.array_equal(painted, np.rint(255 * COLOURS((levels(board, name) + 1) / 2)[:, :3]))
        values = sorted({*both[0].items(), *both[1].items()})
        steps = np.diff([level for _, level in values])
        assert (steps >= 0).all(), "one scale for both: more is never bluer"


def test_a_number_keeps_its_colour_when_others_change():
    before, after = drawn(EXAMPLE, 15), None
    level = levels(before, "X")[1]
    after = drawn(with_numbers(X=1000.0), 15)
    assert levels(after, "X")[1] == level
    assert levels(after, "X")[0] == 1, "beyond the end of the scale is the end of the scale"


def test_zero_is_in_the_middle_and_signs_are_opposite():
    board = drawn(with_numbers(X=0.0, W1=1.0, b1=-1.0), 15)
    assert levels(board, "X")[0] == 0
    assert levels(board, "W1")[0] == -levels(board, "b1")[0] > 0
    assert levels(board, "slope of H1").min() == 0


def test_the_loss_and_the_learning_rate_are_on_no_scale():
    board = drawn(EXAMPLE, 15)
    assert levels(board, "L").tolist() == levels(board, "lr").tolist() == [0]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_has_a_colour_of_its_own(number):
    board = drawn(with_numbers(X=number), 0)
    level = levels(board, "X")[0]
    assert level == 2
    assert mpl.colors.to_hex(looks(board)["X", 0, 0][1] / 255) == NOT_FINITE
    assert 0 <= levels(board, "X")[1:].max() <= 1
    assert numbered(board)["X"] == 6


@pytest.mark.parametrize("number", [1e300, -1e300, 1e-300, 5e-324])
def test_huge_and_tiny_numbers_are_drawn_in_silence(number):
    board = drawn(with_numbers(X=number, y=-number), 15)
    assert abs(levels(board, "X")[0]) <= 1
    assert numbered(board)["X"] == 6


def test_numbers_are_white_on_dark_cells_and_dark_on_the_others_and_always_readable():
    white_on, dark_on = [], []
    values = np.sinh(np.linspace(-1, 1, 256) * np.arcsinh(VALUE_LIMIT))
    p = random_problem(0, samples=8, inputs=8)
    for part in values.reshape(4, 8, 8):
        t = trace(replace(p, X=part))
        board = drawn(t, 0, ratio=3.0)
        for (name, *_), (colours, cell) in looks(board).items():
            if name == "X":
                digit = max(colours, key=lambda colour: np.abs(colour - cell).sum())
                both = [mpl.colors.to_hex(colour / 255) for colour in (cell, digit)]
                (white_on if digit.min() > 128 else dark_on).append(both)
    assert len(dark_on) + len(white_on) == 256
    assert max(luminance(cell) for cell, _ in white_on) <= min(luminance(cell) for cell, _ in dark_on) + 0.01
    assert min(contrast(cell, digit) for cell, digit in white_on + dark_on) >= 4.5


# Outlines


def outlined(board):
    """The frames, as (colour, name, rows, columns)."""
    found = []
    for segment, colour in zip(board.outlines.get_segments(), board.outlines.get_colors(), strict=True):
        (x0, y0), (x1, y1) = np.min(segment, axis=0), np.max(segment, axis=0)
        for box in board.boxes:
            if box.x - 0.1 < x0 < box.x + box.cols and box.y - 0.1 < y0 < box.y + box.rows:
                rows = round(y0 - box.y), round(y1 - box.y) - 1
                cols = round(x0 - box.x), round(x1 - box.x) - 1
                found.append((mpl.colors.to_hex(colour), box.name, rows, cols))
    return found


def whole(t, name):
    rows, cols = np.shape(np.atleast_2d(value_of(t, name)))
    return name, (0, rows - 1), (0, cols - 1)


@pytest.mark.parametrize("index", range(1, len(NAMES) + 1))
def test_the_operands_of_a_step_are_framed_in_one_colour_and_its_result_in_another(index):
    step = EXAMPLE.steps[index - 1]
    assert outlined(drawn(EXAMPLE, index)) == [
        *((OPERAND, *whole(EXAMPLE, name)) for name in step.operands),
        (RESULT, *whole(EXAMPLE, step.name)),
    ]


def test_before_the_first_step_nothing_is_framed():
    drawn(EXAMPLE, 3)
    assert outlined(drawn(EXAMPLE, 0)) == []


def test_a_chosen_cell_is_framed_with_the_row_and_the_column_that_made_it():
    assert outlined(drawn(EXAMPLE, 15, cell=("dW1", 1, 2))) == [
        (OPERAND, "X", (0, 1), (1, 1)),
        (OPERAND, "dY1", (0, 1), (2, 2)),
        (RESULT, "dW1", (1, 1), (2, 2)),
    ]
    assert outlined(drawn(EXAMPLE, 15, cell=("Y1", 1, 2))) == [
        (OPERAND, "X", (1, 1), (0, 2)),
        (OPERAND, "W1", (0, 2), (2, 2)),
        (OPERAND, "b1", (0, 0), (2, 2)),
        (RESULT, "Y1", (1, 1), (2, 2)),
    ]


def test_a_bias_gradient_frames_the_column_that_it_sums_and_a_given_cell_only_itself():
    assert outlined(drawn(EXAMPLE, 15, cell=("db1", 0, 3))) == [
        (OPERAND, "dY1", (0, 1), (3, 3)),
        (RESULT, "db1", (0, 0), (3, 3)),
    ]
    assert outlined(drawn(EXAMPLE, 15, cell=("W2", 3, 0))) == [(RESULT, "W2", (3, 3), (0, 0))]
    assert outlined(drawn(EXAMPLE, 15, cell=("lr", 0, 0))) == [(RESULT, "lr", (0, 0), (0, 0))]


@settings(max_examples=6)
@given(problems())
def test_what_is_framed_for_a_cell_is_what_it_was_made_from(problem):
    t = trace(problem)
    board = Board(t)
    for step in t.steps:
        cell = (step.name, 0, 0)
        board.draw(t, len(t.steps), (), cell)
        *operands, (colour, name, rows, cols) = outlined(board)
        assert (colour, name, rows, cols) == (RESULT, step.name, (0, 0), (0, 0))
        framed = {
            (name, i, j)
            for _, name, (top, bottom), (left, right) in operands
            for i in range(top, bottom + 1)
            for j in range(left, right + 1)
        }
        assert framed == set(work_out(t, cell).sources)


def test_cells_come_in_blocks_one_for_each_matrix():
    found = blocks([("X", 0, 1), ("W1", 1, 2), ("X", 0, 3), ("W1", 3, 2)])
    assert [tuple(block) for block in found] == [("X", (0, 0), (1, 3)), ("W1", (1, 3), (2, 2))]
    assert blocks([]) == []


# Head, labels and the loss curve


@pytest.mark.parametrize("index", range(len(NAMES) + 1))
def test_the_head_has_the_colour_of_the_phase(index):
    board = drawn(EXAMPLE, index)
    phase = LIGHT.phase(EXAMPLE.steps[index - 1].phase) if index else LIGHT.faint
    assert mpl.colors.to_hex(board.head[0].get_facecolor()) == phase
    assert all(len(patch.get_path().vertices) for patch in board.head[:2])


ONE_OF_EACH = trace(random_problem(0, 1, 1, 1, 1))


@pytest.mark.parametrize(
    "t", [EXAMPLE, ONE_OF_EACH, trace(random_problem(0, 8, 8, 8, 8))], ids=["example", "smallest", "largest"]
)
def test_the_head_fits_on_the_board_at_every_step(t):
    board = Board(t)
    for index in range(len(t.steps) + 1):
        board.draw(t, index)
        assert end_of_head(board) <= board.layout.width, t.steps[index - 1].name


@pytest.mark.parametrize(
    "t", [EXAMPLE, trace(random_problem(1, 3, 3, [3, 3], 3, 0.1, Sigmoid()))], ids=["example", "sigmoid"]
)
def test_the_head_fits_on_the_board_with_the_line_of_any_mistake(t):
    board = Board(t)
    for mistake in MISTAKES.values():
        for place in mistake.possible_at(t):
            board.draw(plant(t, mistake, place), t.steps.index(t.step(place)) + 1)
            assert end_of_head(board) <= board.layout.width, mistake.wrong_line(t, place)


def test_the_head_has_the_sum_of_a_chosen_cell_and_it_fits_however_long_it_is():
    t = trace(random_problem(0, 8, 8, 8, 8))
    board = Board(t)
    for cell in [("dW1", 0, 0), ("L", 0, 0), ("Y1", 7, 7), ("X", 0, 0)]:
        board.draw(t, len(t.steps))
        without = board.head[1].get_path().vertices
        board.draw(t, len(t.steps), (), cell)
        assert not np.array_equal(board.head[1].get_path().vertices, without)
        assert end_of_head(board) <= board.layout.width, cell


def test_the_head_does_not_give_away_the_cell_that_is_asked_for():
    """A prediction frames a cell of a step that is not shown yet."""
    board = drawn(EXAMPLE, 8)
    without = board.head[1].get_path().vertices
    board.draw(EXAMPLE, 8, (), ("dY1", 0, 0))
    assert np.array_equal(board.head[1].get_path().vertices, without)


def end_of_head(board):
    """Where the words in the first line end, in cells."""
    return max(np.asarray(patch.get_path().vertices)[:, 0].max(initial=0) for patch in board.head)


def text_extents(board):
    """Each text of the background, with what it covers, in cells."""
    renderer, to_cells = board.canvas.get_renderer(), board.axes.transData.inverted()
    for text in board.axes.texts:
        if text.get_text():
            corners = to_cells.transform(text.get_window_extent(renderer).get_points())
            yield text.get_text(), *corners.min(axis=0), *corners.max(axis=0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("samples", "inputs", "hidden", "outputs"), [
    (2, 3, [4], 2), (1, 1, [1], 1), (2, 1, [1], 1), (2, 2, [2], 2), (8, 8, [8], 8),
    (1, 3, [1, 1, 1], 1), (3, 1, [3, 3, 3], 2),
])  # fmt: skip
def test_every_text_stands_free_of_matrices_of_other_texts_and_of_the_edge(
    activation, samples, inputs, hidden, outputs
):
    t = trace(random_problem(0, samples, inputs, hidden, outputs, activation=activation))
    board = Board(t)
    texts = list(text_extents(board))
    for text, x0, y0, x1, y1 in texts:
        assert 0 <= x0 < x1 <= board.layout.width, text
        assert 0 <= y0 < y1 <= board.layout.height, text
        for other, a0, b0, a1, b1 in texts:
            apart = (
                (text, x0, y0) == (other, a0, b0)
                or x1 <= a0 + 0.02
                or a1 <= x0 + 0.02
                or y1 <= b0 + 0.02
                or b1 <= y0 + 0.02
            )
            assert apart, (text, other)
        for box in board.boxes:
            apart = x1 <= box.x or box.x + box.cols <= x0 or y1 <= box.y or box.y + box.rows <= y0
            assert apart, (text, box.name)


def test_every_matrix_is_labelled_and_a_gate_by_its_formula():
    board = board_of(EXAMPLE)
    labels = [text.get_text() for text in board.axes.texts]
    for box in board.boxes:
        assert (slope_of(EXAMPLE, box.name).code if is_slope(box.name) else box.name) in labels
    assert "H1 > 0" in labels
    assert {"values", "gradients", "new weights", "loss by iteration"} <= set(labels)


def test_there_is_a_colour_bar_for_values_and_one_for_gradients_with_their_ends():
    board = board_of(EXAMPLE)
    assert len(board.axes.images) == 2
    labels = [text.get_text() for text in board.axes.texts]
    for end in (VALUE_LIMIT, GRADIENT_LIMIT):
        assert format_number(end) in labels
        assert format_number(-end) in labels


def test_the_shapes_beside_a_line_can_be_read_or_are_left_out():
    left_out = set()
    for large in (False, True):
        for sizes in ({}, {"samples": 3, "hidden": 3, "outputs": 3}):
            t = trace(random_problem(1, **sizes))
            board = Board(t, width=860, large=large)
            for index, step in enumerate(t.steps, start=1):
                board.draw(t, index, LOSSES)
                x = np.asarray(board.head[2].get_path().vertices)[:, 0]
                if x.size:
                    assert (x.max() - x.min()) / outline_of(t.shapes(step)).width > 0.98 * READABLE
                else:
                    left_out.add(step.name)
    assert left_out == {"db1", "db2"}, "their lines are long"


def curve(board):
    return np.asarray(board.curve.get_path().vertices)


def test_the_losses_are_a_curve_in_its_frame_that_falls_as_they_do():
    board = drawn(EXAMPLE, 0, [100.0, 10.0, 1.0, 0.1])
    points = curve(board)
    x, y, width, height = board.layout.loss
    assert len(points) == 4
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) > 0).all(), "down the page"
    assert np.allclose(np.diff(points[:, 1], 2), 0), "powers of ten are a straight line"
    assert ((points >= (x, y)) & (points <= (x + width, y + height))).all()
    dot = np.asarray(board.curve_end.get_path().vertices)
    assert np.allclose((dot.min(axis=0) + dot.max(axis=0)) / 2, points[-1], atol=0.01)
    labels = np.asarray(board.curve_labels.get_path().vertices)
    assert ((labels >= (x - 0.5, y - 0.5)) & (labels <= (x + width + 0.5, y + height + 0.5))).all()


def test_without_losses_there_is_no_curve():
    drawn(EXAMPLE, 0, LOSSES)
    board = drawn(EXAMPLE, 0, [])
    assert (
        len(curve(board))
        == len(board.curve_end.get_path().vertices)
        == len(board.curve_labels.get_path().vertices)
        == 0
    )


@pytest.mark.parametrize("losses", [[np.nan], [np.inf, np.nan], [0.0], [-1.0]])
def test_losses_that_have_no_logarithm_draw_no_curve(losses):
    assert len(curve(drawn(EXAMPLE, 0, losses))) == 0


def test_a_loss_that_overflowed_is_left_out_and_the_others_stay():
    assert len(curve(drawn(EXAMPLE, 0, [1.0, 1e100, 1e300, np.inf, np.nan]))) == 3


@pytest.mark.parametrize("losses", [[2.0], [2.0, 2.0], [1e-300, 1e300], [5e-324]])
def test_one_loss_and_equal_losses_are_drawn_too(losses):
    points = curve(drawn(EXAMPLE, 0, losses))
    assert len(points) == len(losses)
    assert np.isfinite(points).all()


def test_a_curve_of_ten_thousand_iterations_has_no_more_points_than_fit():
    losses = np.geomspace(1000, 0.001, 10_001).tolist()
    points = curve(drawn(EXAMPLE, 0, losses))
    assert 100 <= len(points) <= 200
    dense = curve(drawn(EXAMPLE, 0, losses[:1] + losses[-1:]))
    assert np.allclose(points[[0, -1]], dense[[0, -1]])


# Drawing again


def test_a_draw_leaves_nothing_of_the_one_before():
    board = Board(EXAMPLE)
    other = with_numbers(X=50.0, W1=np.nan)
    board.draw(EXAMPLE, 6, LOSSES, ("dH1", 0, 1))
    first = board.png()
    for t, index, losses, cell in [
        (other, 15, [5.0, np.inf], None),
        (EXAMPLE, 0, [], ("X", 1, 1)),
        (other, 2, [1.0], None),
    ]:
        board.draw(t, index, losses, cell)
        assert board.png() != first
    board.draw(EXAMPLE, 6, LOSSES, ("dH1", 0, 1))
    assert board.png() == first
    fresh = Board(EXAMPLE)
    fresh.draw(EXAMPLE, 6, LOSSES, ("dH1", 0, 1))
    assert fresh.png() == first


def test_the_artists_are_made_once():
    board = Board(EXAMPLE)
    children = board.axes.get_children()
    for index in range(16):
        board.draw(EXAMPLE, index, LOSSES, ("X", 0, 0) if index % 2 else None)
    assert all(a is b for a, b in zip(board.axes.get_children(), children, strict=True))


def test_a_board_fits_a_trace_of_the_same_shapes_and_lines_and_no_other():
    board = board_of(EXAMPLE)
    assert board.fits(trace(random_problem(9)))
    assert board.fits(with_numbers(X=3.0))
    assert not board.fits(trace(random_problem(9, hidden=5)))
    assert not board.fits(trace(random_problem(9, samples=3)))
    assert not board.fits(trace(random_problem(9, activation=Tanh())))
    mistake = next(m for m in MISTAKES.values() if m.name == "mask-forgotten")
    assert not board.fits(plant(EXAMPLE, mistake, "dY1")), "the line it shows is another"


# The picture


@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0, 3.0])
@pytest.mark.parametrize("width", [320, 861, 1200])
def test_the_png_decodes_to_the_size_of_the_board_at_any_density_of_screen(width, ratio):
    board = drawn(EXAMPLE, 4, LOSSES, width=width, ratio=ratio)
    image = picture(board)
    image.load()
    assert image.format == "PNG"
    assert image.size == (round(board.width * ratio), round(board.height * ratio))
    assert board.width <= width


def test_at_twice_the_density_everything_is_where_it_was_and_lines_are_twice_as_wide():
    one, two = drawn(EXAMPLE, 4, LOSSES), drawn(EXAMPLE, 4, LOSSES, ratio=2.0)
    assert (one.width, one.height, one.boxes_on_page()) == (two.width, two.height, two.boxes_on_page())
    grid_of_one, grid_of_two = (board.axes.collections[0].get_linewidth()[0] for board in (one, two))
    assert grid_of_two == pytest.approx(2 * grid_of_one)
    small = np.asarray(picture(two).convert("RGB").resize((one.width, one.height), Image.Resampling.BOX)).astype(int)
    assert np.abs(small - pixels(one)).mean() < 4


@pytest.mark.parametrize(("size", "dark"), [("small", False), ("small", True), ("large", False)])
def test_the_palette_loses_nothing_that_an_eye_can_see(dark, size):
    """In areas of one colour at most 10 of 255; at the edges of digits and lines, where colours blend, at most 72."""
    problem = random_problem(0, lr=0.1) if size == "small" else random_problem(2, 8, 8, [8, 8, 8], 8, lr=0.1)
    t = trace(problem)
    board = Board(t, dark=dark)
    for index in (6, len(t.steps)):
        board.draw(t, index, LOSSES)
        full = pixels(board)
        lost = np.abs(np.asarray(picture(board).convert("RGB")).astype(int) - full).max(axis=-1)
        flat = np.ones(lost.shape, dtype=bool)
        for axis in (0, 1):
            for shift in (1, -1):
                flat &= (np.roll(full, shift, axis) == full).all(axis=-1)
        assert flat.mean() > 0.4
        assert lost[flat].max() <= 10
        assert lost.max() <= 72
        assert lost.mean() <= 3


@pytest.mark.parametrize(("dark", "theme"), [(False, LIGHT), (True, DARK)])
def test_the_paper_and_the_empty_grids_have_the_colour_of_the_theme(dark, theme):
    board = drawn(EXAMPLE, 0, dark=dark)
    paper = np.array(mpl.colors.to_rgb(theme.paper)) * 255
    image = np.asarray(picture(board).convert("RGB"))
    assert np.abs(image[1, 1] - paper).max() <= 3
    box = board.layout.boxes["dW2"]
    y, x = (round(v * board.cell_width) for v in ((box.y + 0.5) * 0.62, box.x + 0.5))
    assert np.abs(image[y, x] - paper).max() <= 3


def test_the_picture_is_small_enough_for_a_slow_wire():
    assert len(drawn(EXAMPLE, 15, LOSSES, width=860).png()) < 60_000


def test_a_large_board_of_the_worked_example_is_one_row_in_a_notebook_that_fills_a_projector_of_1280_pixels():
    """What JupyterLab leaves of it to a lab, with its list of files closed, is 1095 pixels."""
    board = Board(EXAMPLE, width=1095, height=800, large=True)
    tops = {name: box.y for name, box in board.layout.boxes.items()}
    assert tops["y_pred"] == tops["X"]


def test_a_large_board_has_larger_cells_for_the_back_row():
    usual, large = Board(EXAMPLE, width=4000), Board(EXAMPLE, width=4000, large=True)
    assert large.cell_width > usual.cell_width
    assert usual.cell_width == pytest.approx(CELL_WIDTH[1], rel=0.01)
    assert large.cell_width == pytest.approx(LARGE_CELL_WIDTH[1], rel=0.01)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("size", [1, 4, 8])
@pytest.mark.parametrize("width", [640, 1024])
def test_a_board_is_as_wide_as_it_may_be_and_its_cells_can_be_read(layers, size, width):
    t = trace(random_problem(0, size, size, [size] * layers, size))
    board = Board(t, width=width)
    assert board.width <= width
    one_band = len(board.layout.rows) == 3
    assert board.cell_width >= CELL_WIDTH[0] - 0.5 or not one_band
    assert board.cell_width >= 13, "the numbers can still be told apart"
    assert board.cell_width <= CELL_WIDTH[1] + 0.5


def test_a_board_keeps_below_the_height_of_the_window_while_its_cells_stay_wide_enough():
    free = Board(EXAMPLE, width=1300)
    for height in (free.height * 0.9, free.height * 0.7):
        board = Board(EXAMPLE, width=1300, height=height)
        assert height - 20 <= board.height <= height + 1
        assert board.cell_width >= CELL_WIDTH[0]
    assert Board(EXAMPLE, width=1300, height=10).cell_width == pytest.approx(CELL_WIDTH[0], abs=0.5)
    assert Board(EXAMPLE, width=1300, height=5000).height == free.height


@pytest.mark.parametrize("width", [1, 10, 50])
def test_a_page_with_hardly_any_room_gets_a_picture_all_the_same(width):
    board = Board(EXAMPLE, width=width)
    board.draw(EXAMPLE, 15, LOSSES)
    picture(board).load()


@settings(max_examples=8)
@given(problems())
def test_where_the_boxes_are_on_the_page_is_told_in_fractions_of_the_picture(problem):
    t = trace(problem)
    board = Board(t, width=900)
    found = board.boxes_on_page()
    assert [name for name, *_ in found] == [box.name for box in board.boxes]
    for name, left, top, width, height, rows, cols in found:
        assert 0 <= left < left + width <= 1
        assert 0 <= top < top + height <= 1
        assert (rows, cols) == np.shape(np.atleast_2d(value_of(t, name)))
        assert width / cols == pytest.approx(board.cell_width / board.width)
    for k, (name, left, top, width, height, *_) in enumerate(found):
        for other, left2, top2, width2, height2, *_ in found[:k]:
            apart = left + width <= left2 or left2 + width2 <= left or top + height <= top2 or top2 + height2 <= top
            assert apart, (name, other)


def test_a_cell_on_the_page_is_the_cell_on_the_picture():
    """The middle of a cell, found as the page finds it, has the colour of that cell."""
    t = with_numbers(X=-20.0)
    board = Board(t, width=900)
    board.draw(t, 0)
    image = np.asarray(picture(board).convert("RGB")).astype(int)
    found = {name: box for name, *box in board.boxes_on_page()}
    left, top, width, height, rows, cols = found["X"]
    for i in range(rows):
        for j in range(cols):
            x, y = (left + width * (j + 0.08) / cols) * board.width, (top + height * (i + 0.12) / rows) * board.height
            colour = np.array(COLOURS((levels(board, "X").reshape(rows, cols)[i, j] + 1) / 2)[:3]) * 255
            assert np.abs(image[round(y), round(x)] - colour).max() <= 12, (i, j)


# No pyplot


def test_the_labs_load_no_pyplot_and_choose_no_backend():
    """pyplot would keep every figure alive and draw under the cell."""
    code = (
        "import sys, matplotlib; before = dict.__getitem__(matplotlib.rcParams, 'backend'); import backprop_lab.ui; "
        "print('matplotlib.pyplot' in sys.modules, 'matplotlib.figure' in sys.modules, "
        "dict.__getitem__(matplotlib.rcParams, 'backend') is before)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True", "True"]


def test_a_board_changes_no_settings_of_matplotlib():
    before = dict(mpl.rcParams)
    board = Board(EXAMPLE, dark=True, large=True)
    board.draw(EXAMPLE, 15, LOSSES)
    board.png()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("cell", [("L", 0, 0), ("dW1", 0, 0), ("Y2", 3, 2)])
def test_a_long_sum_is_cut_until_it_can_be_read_in_the_head(cell):
    t = trace(random_problem(1, samples=8, inputs=8, hidden=(8, 8), outputs=8))
    board = Board(t, width=1000)
    shown = board._sum_in_head(t, cell)
    assert "…" in shown
    assert len(shown) < len(str(work_out(t, cell)))
    board.draw(t, len(t.steps), [1.0], cell)
    vertices = board.head[1].get_path().vertices
    assert np.ptp(vertices[:, 0]) / len(shown) > 0.14  # cells' widths a letter; it was half of that
