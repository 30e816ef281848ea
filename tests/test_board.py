"""The board and the operation: what is painted and framed at each step, and that the pictures lose nothing of it."""

from itertools import pairwise, product

import matplotlib as mpl
import numpy as np
import pytest
from common import alike, contrast, covers, pixels, with_numbers
from hypothesis import example as also
from hypothesis import given, settings
from own_parts import OWN_PROBLEMS
from PIL import Image
from problems import problems

from backprop_lab import (
    EXAMPLES,
    Adam,
    Momentum,
    SoftmaxCrossEntropy,
    Tanh,
    one_hot,
    program,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.reading.equation import Operand, equation
from backprop_lab.reading.scale import scales_of
from backprop_lab.reading.slopes import is_slope, value_of
from backprop_lab.step.number_format import format_number
from backprop_lab.training.history import Remembered
from backprop_lab.ui.board.board import SMALLEST_LABEL, Board
from backprop_lab.ui.board.cells import in_cell
from backprop_lab.ui.board.colours import COLOURS, digit_colours, in_few_colours
from backprop_lab.ui.board.layout import ACROSS, DOWN, READABLE
from backprop_lab.ui.board.operation import Operation
from backprop_lab.ui.steps.pictures import board_of
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.setup import Setup
from backprop_lab.ui.theme import LIGHT, NOT_FINITE, OPERAND, RESULT

LOSSES = [3.0, 2.0, 1.5]
DARK_GREY = 0x606060


def drawn(t, index, losses=(), **options):
    board = Board(t, **options)
    board.draw(t, index, losses)
    return board


def canvas(picture):
    """The colour of each of its pixels, as one number."""
    return pixels(picture.png()) @ [65536, 256, 1]


@pytest.mark.parametrize("size", [(714, 257), (800, 300), (970, 417), (1100, 480)])
def test_a_number_stands_in_the_middle_of_its_cell(size):
    t = trace(with_numbers(random_problem(1, 4, 3, 5, 2), X=np.full((4, 3), 0.85)))
    board = drawn(t, len(t.steps), width=size[0], height=size[1])
    box = next(box for box in board.boxes if box.name == "X")
    picture, (left, right) = canvas(board), np.rint(box.x + box.width / box.cols * np.arange(2)).astype(int)
    for top, below in pairwise(np.floor(box.y + box.height / box.rows * np.arange(5) + 0.5).astype(int)):
        cell = picture[top + 1 : below, left + 1 : right]
        written = np.flatnonzero((cell != cell[0, 0]).any(axis=1))
        assert abs(written[0] - (len(cell) - 1 - written[-1])) <= 1


def level_of(value, scales, name, t):
    """Where a number of a matrix should be from -1 to 1: the loss and the learning rate have no colour."""
    scale = scales.gradients if name in {s.name for s in t.steps if s.phase == "backward"} else scales.values
    sized = np.clip(np.arcsinh(value / scale.linear) / np.arcsinh(scale.limit / scale.linear), -1, 1)
    return 0 * value if name in ("L", "lr") else sized


def cells_of(board):
    """For each cell: its matrix, level and number; and where the page finds it, its colour and all its colours."""
    image, found = canvas(board), []
    high, wide = image.shape
    places = zip(board.boxes_on_page(), board.cells.levels, board.cells.numbers, strict=True)
    for (name, left, top, width, height, rows, cols), levels, numbers in places:
        for k, (i, j) in enumerate(np.ndindex(rows, cols)):
            y0, y1 = (round((top + height * (i + part) / rows) * high) for part in (0.14, 0.86))
            x0, x1 = (round((left + width * (j + part) / cols) * wide) for part in (0.06, 0.94))
            level, number = (np.nan, "") if levels is None else (levels[i, j], (numbers or {}) and numbers[k])
            found.append((name, level, number, f"#{image[y0, x0]:06x}", {*image[y0:y1, x0:x1].flat}))
    return found


def shades_at(place):
    """The colours from a cell's own to that of its digits, at a place on the scale of 256, or 256 for not finite."""
    shades = Image.fromarray(digit_colours()[place].view(np.uint8).reshape(1, -1, 4))
    return np.asarray(in_few_colours(shades, LIGHT).convert("RGB"), int)[0] @ [65536, 256, 1]


@settings(max_examples=8)
@given(problems())
@also(worked_example().evolve(parameters={"b2": [[np.nan, np.inf]], "b1": [[1e300, -11.0, 5e-324, -np.inf]]}))
def test_each_cell_has_the_colour_of_its_value_and_its_number(problem):
    """Once it is computed: before, it is empty."""
    t = trace(problem)
    board = Board(t, width=4000, height=1500, large=True)  # all cells have room for their numbers
    values = np.concatenate([np.ravel(value_of(t, box.name)) for box in board.boxes])
    for index in (len(t.steps), len(t.steps) // 2, 0):
        board.draw(t, index)
        place = LabState(Setup(), Remembered(t), index=index)
        for value, (name, level, number, colour, shades) in zip(values, cells_of(board), strict=True):
            if not place.shows(name):
                assert (np.isnan(level), number, len(shades)) == (True, "", 1)
                continue
            finite = np.isfinite(value)
            assert level == (pytest.approx(level_of(value, board.scales, name, t)) if finite else 2)
            assert alike(colour, COLOURS((level + 1) / 2) if finite else NOT_FINITE)
            assert number == format_number(value)
            assert len(shades) > 1, "there are digits in it"
            assert shades <= {*shades_at(min(255, int((level + 1) * 128)) if finite else 256)}


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.025, 0.0045, 0.0012, 0.001, 5.5e-4, 1e-4, 4.5e-5])
def test_a_learning_rate_of_two_digits_stands_in_its_cell_as_it_is(rate):
    text = in_cell("lr", rate)
    assert float(text.replace("−", "-")) == rate
    assert len(text) <= 6


def test_numbers_are_drawn_only_where_they_can_be_read_and_never_touch_their_neighbours():
    """Of numbers as long as they come, a margin of each cell keeps the colour of the cell."""
    t = trace(with_numbers(worked_example(), X=[[-1e-10, -1e300, -13.8], [5e-324, -1e-300, -9.99]]))
    for width, ratio in product((300, 460, 560, 700, 930, 1500), (1.0, 2.0)):
        board = drawn(t, 15, width=width, height=0.4 * width, ratio=ratio)
        box, image = board.layout.boxes["X"], canvas(board)
        readable = min(ACROSS * box.width / box.cols, DOWN * box.height / box.rows) >= READABLE
        assert (board.cells.numbers[0] is not None) == readable
        edges_x, edges_y = box.x + box.width / 3 * np.arange(4), box.y + box.height / 2 * np.arange(3)
        (xs, ys) = (np.floor(ratio * edges + 0.5).astype(int) for edges in (edges_x, edges_y))
        for (top, bottom), (left, right) in product(pairwise(ys), pairwise(xs)):
            cell = image[top + 1 : bottom, left + 1 : right]  # inside its lines
            assert len({*cell[0], *cell[-1], *cell[:, 0], *cell[:, -1]}) == 1, (width, ratio)


def test_squares_that_stand_for_several_cells_have_their_mean_and_the_reader_is_told():
    rng = np.random.default_rng(0)
    t = trace(random_problem(0, X=rng.standard_normal((63, 5)), y=rng.standard_normal((63, 2)), hidden=101))
    board = drawn(t, len(t.steps), width=930, height=345)
    for box, levels in zip(board.boxes, board.cells.levels, strict=True):
        value, (down, across) = value_of(t, box.name), box.means
        rows, cols = (np.arange(0, n, each) for n, each in zip(value.shape, (down, across), strict=True))
        means = [[value[i : i + down, j : j + across].mean() for j in cols] for i in rows]
        assert np.allclose(levels, level_of(np.array(means), board.scales, box.name, t))
        told = board.notes[box.name].text if box.name in board.notes else ""
        assert bool(told) == ((down, across) != (1, 1))
        assert told in ("", "avg") or told.endswith(f" {down} × {across}")
    board = Board(t, 390, 250)
    marked = {name for name, word in board.labels.items() if "≈" in word.text}
    assert marked | {*board.notes} == {box.name for box in board.boxes if box.means != (1, 1)}


def test_numbers_are_white_on_dark_cells_and_black_on_the_others_and_always_readable():
    colours = [[f"#{shade:06x}" for shade in shades_at(place)[[0, -1]]] for place in range(257)]
    assert min(contrast(cell, digit) for cell, digit in colours) >= 4.5
    assert {digit for _, digit in colours} == {"#ffffff", "#000000"}


def framed(board):
    """The frames, as (colour, matrix, first and last row, first and last column)."""
    found = []
    for segment, colour in zip(board.outlines.get_segments(), board.outlines.get_colors(), strict=True):
        (x0, y0), (x1, y1) = np.min(segment, axis=0), np.max(segment, axis=0)
        (box,) = [b for b in board.boxes if -2 < x0 - b.x < b.width and -2 < y0 - b.y < b.height]
        top, bottom = (round((y - box.y) / box.height * box.rows) for y in (y0, y1))
        left, right = (round((x - box.x) / box.width * box.cols) for x in (x0, x1))
        found.append((mpl.colors.to_hex(colour), box.name, (top, bottom - 1), (left, right - 1)))
    return found


def test_a_chosen_cell_is_framed_with_the_row_and_the_column_that_made_it(example):
    """Where none is chosen, the operands of the step are, and its result."""
    for index, step in enumerate(example.steps, start=1):
        sizes = {name: value_of(example, name).shape for name in (*step.operands, step.name)}
        *operands, result = [(name, (0, rows - 1), (0, cols - 1)) for name, (rows, cols) in sizes.items()]
        place = LabState(Setup(), Remembered(example), index=index)
        assert framed(board_of(place, [])) == [*((OPERAND, *whole) for whole in operands), (RESULT, *result)]
    assert framed(drawn(example, 15)) == [], "the page draws them"
    operands = [(OPERAND, "X", (1, 1), (0, 2)), (OPERAND, "W1", (0, 2), (2, 2)), (OPERAND, "b1", (0, 0), (2, 2))]
    for chosen in ("cell", "question"):
        place = LabState(Setup(), Remembered(example), index=15, **{chosen: ("Y1", 1, 2)})
        assert framed(board_of(place, [])) == [*operands, (RESULT, "Y1", (1, 1), (2, 2))]


@pytest.mark.parametrize(("start", "screen"), [("worked example", (930, 345)), ("attention", (700, 300))])
def test_a_frame_around_a_matrix_covers_no_letter_of_its_name(start, screen):
    t = trace(EXAMPLES[start]())
    board = Board(t, *screen, ratio=2)
    board.draw(t, len(t.steps))
    before = canvas(board)
    board.draw(t, len(t.steps), frames=[[b.name, 0, b.rows - 1, 0, b.cols - 1, "operand"] for b in board.boxes])
    for name, word in board.labels.items():
        reach = np.array([word.x, word.x + word.width, word.y - 0.75 * word.size, word.y + 0.25 * word.size])
        x0, x1, y0, y1 = np.round(2 * reach).astype(int)
        was, now = before[y0:y1, x0:x1], canvas(board)[y0:y1, x0:x1]
        assert (was < DARK_GREY).any()
        assert (now[was < DARK_GREY] < DARK_GREY).all(), name


@pytest.mark.parametrize("sizes", [(2, 3, [4], 2), (1, 3, [1, 1, 1], 1), (8, 8, 8, 8), (64, 4, [128], 3)])
def test_a_label_stands_free_of_other_labels_of_matrices_and_of_the_edge(sizes):
    t = trace(random_problem(0, *sizes, activation=Tanh()))  # whose formula for the slope is the longest
    for screen in ((930, 345), (390, 250)):
        board = Board(t, *screen)
        words = [*board.labels.values(), *board.notes.values()]
        labels = np.array([(w.x, w.y - 0.75 * w.size, w.x + w.width, w.y + 0.2 * w.size) for w in words])
        boxes = np.array([(b.x, b.y, b.x + b.width, b.y + b.height) for b in board.boxes])
        assert ((labels >= 0) & (labels <= [board.width, board.height] * 2)).all()
        assert not covers(labels, boxes).any()
        assert np.array_equal(covers(labels, labels, by=0.02), np.eye(len(labels)))
        if screen == (930, 345):
            assert {name for name in t if not name.endswith("_new")} <= {word.text for word in board.labels.values()}


@pytest.mark.parametrize("name", ["residual", "lstm", "transformer block"])
def test_no_edge_strikes_out_the_letters_of_a_label(name, monkeypatch):
    t = trace(EXAMPLES[name]())
    board = drawn(t, len(t.steps), ratio=2)
    with_edges = canvas(board)
    monkeypatch.setattr("backprop_lab.ui.board.layout._edges", lambda *_: [])
    without = canvas(drawn(t, len(t.steps), ratio=2))
    assert (with_edges != without).any()
    for word in board.labels.values():
        x0, x1, y0, y1 = 2 * np.array([word.x, word.x + word.width, word.y - 0.73 * word.size, word.y])
        letters = np.s_[round(y0) : round(y1), round(x0) : round(x1)]
        assert np.array_equal(with_edges[letters], without[letters]), word.text


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("optimizer", ["gradient descent", "momentum", "Adam"])
def test_on_a_phone_every_box_has_its_name(optimizer, layers):
    for norm, dropout in product(("none", "BatchNorm", "LayerNorm"), ("none", "0.2")):
        setup = Setup("random", samples=4, layers=layers, norm=norm, dropout=dropout, optimizer=optimizer)
        board = Board(trace(setup.problem()), 386, 330, 2)
        assert {box.name for box in board.boxes} == {*board.labels}, (norm, dropout)


@pytest.mark.parametrize("layers", [1, 2])
def test_on_a_laptop_every_box_has_its_name_or_as_much_of_it_as_there_is_room_for(layers):
    for norm, dropout, optimizer in product(("BatchNorm", "LayerNorm"), ("none", "0.2"), ("momentum", "Adam")):
        setup = Setup("random", samples=4, layers=layers, norm=norm, dropout=dropout, optimizer=optimizer)
        board = Board(trace(setup.problem()), 806, 330, 2)
        labels = {box.name: board.labels[box.name] for box in board.boxes if not is_slope(box.name)}
        cut = {name: word.text.removesuffix("…") for name, word in labels.items() if word.text != name}
        spelled = {name: text.replace("γ", "gamma").replace("β", "beta") for name, text in cut.items()}
        assert all(name.startswith(text) and len(text) > 2 for name, text in spelled.items()), cut
        assert not any("gam" in text or "bet" in text for text in cut.values()), "where no letter of them fits, γ does"
        assert all(word.size >= SMALLEST_LABEL for word in labels.values())


@pytest.mark.parametrize("optimizer", [Momentum(), Adam()])
@pytest.mark.parametrize("screen", [(930, 345), (1300, 560), (390, 250)])
def test_with_memories_a_label_is_the_name_of_its_matrix(optimizer, screen):
    t = trace(random_problem(0, 5, 3, [4, 4], 2, activation=Tanh(), optimizer=optimizer))
    board = Board(t, *screen)
    words = {name: word.text for name, word in board.labels.items() if not is_slope(name)}
    assert {*words} <= {*t.names}
    assert all(text == name for name, text in words.items())
    assert {*words} == {*t.names}
    ends = np.array([(w.x, w.y - 0.75 * w.size, w.x + w.width, w.y + 0.2 * w.size) for w in board.labels.values()])
    boxes = np.array([(b.x, b.y, b.x + b.width, b.y + b.height) for b in board.boxes])
    assert not covers(ends, boxes).any()
    assert np.array_equal(covers(ends, ends, by=0.02), np.eye(len(ends)))


def test_the_losses_are_a_curve_in_its_frame_with_a_dot_on_the_last(example):
    board, L = Board(example), example.names.index("L") - len(example.given) + 1
    falling = [100.0, 10.0, 1.0, 0.1]
    for losses, index, points in [
        ([], 15, 0), ([np.inf, np.nan], 15, 0), ([1.0, 1e300, np.inf, np.nan], 15, 2), ([5e-324], 15, 1),
        (np.geomspace(1000, 0.001, 10_001).tolist(), 15, 200), (falling, L - 1, 3), (falling, L, 4),
    ]:  # fmt: skip
        board.draw(example, index, losses)
        curve, dot = (each.get_path().vertices for each in (board.curve, board.curve_end))
        x, y, width, height = board.plot
        assert ((curve >= [x, y]) & (curve <= [x + width, y + height])).all()
        assert (len(curve), len(dot) > 0) == (points, points > 0)
        if points:
            assert np.allclose((dot.min(axis=0) + dot.max(axis=0)) / 2, curve[-1], atol=0.1)
    assert (np.diff(curve, axis=0) > 0).all(), "to the right, and down the page"
    assert np.allclose(np.diff(curve, 2, axis=0), 0), "powers of ten are a straight line"


def test_a_picture_leaves_nothing_of_the_one_before(example):
    board, then = Board(example), trace(example.next_problem())
    for shown in [(example, 12, LOSSES), (then, 9, LOSSES[:1]), (then, 3), (then, 12, LOSSES), (example, 0)]:
        board.draw(*shown)
        assert board.png() == drawn(*shown, scales=board.scales).png()
    for scales in (scales_of([then], (1e-5, 2e7)), scales_of([example])):
        board.rescale(scales)
        board.draw(then, 12, LOSSES)
        assert board.png() == drawn(then, 12, LOSSES, scales=scales).png()
    below, wide = Operation(scales_of([example]), *ROOMS[0]), trace(random_problem(0, samples=12, hidden=12))
    for cell in np.ndindex(12, 12):  # more arrangements than it remembers
        below.draw(wide, 1, ("Y1", *cell))
    assert len(below._arranged) < 144
    for index in (10, 3):
        below.draw(example, index)
        assert below.png() == operation(example, index).png()
    below.rescale(scales_of([example], (1e-5, 2e7)))
    below.draw(example, 3)
    assert below.png() != operation(example, 3).png()
    below.draw(example, 0)
    assert (below.boxes_on_page(), {*canvas(below).flat}) == ([], {0xFFFFFF}), "empty at the start"


ROOMS = [(600, 150), (390, 130), (1180, 200)]
X, y = np.random.default_rng(0).standard_normal((16, 4)), one_hot(np.arange(16) % 3)
PROBLEMS = {
    "worked example": worked_example(),
    "one sample": random_problem(0, samples=1, loss=SoftmaxCrossEntropy()),
    "16 samples, 4-10-3": random_problem(0, X=X, y=y, hidden=10, loss=SoftmaxCrossEntropy()),
    "64 samples, 128 units": random_problem(0, 64, 4, [128], 3),
} | OWN_PROBLEMS


def operation(t, index, room=ROOMS[0], cell=None, **options):
    operation = Operation(scales_of([t]), *room, **options)
    operation.draw(t, index, cell)
    return operation


@pytest.mark.parametrize("name", [*PROBLEMS, "rnn", "lstm", "attention", "transformer block"])
def test_everything_in_the_operation_lies_in_its_room_and_nothing_on_anything_else(name):
    t = trace(PROBLEMS[name] if name in PROBLEMS else EXAMPLES[name]())
    below = {room: Operation(scales_of([t]), *room) for room in ROOMS}
    for room, index in product(ROOMS, range(1, len(t.steps) + 1)):
        below[room].draw(t, index)
        shown = below[room].shown
        each = [(p.x, p.y, p.x + len(p.cols) * p.cell[0], p.y + len(p.rows) * p.cell[1]) for p in shown.placed]
        for word in (*shown.labels, *shown.signs):
            left = word.x - word.align * word.width
            each.append((left, word.y - 0.7 * word.size, left + word.width, word.y + 0.2 * word.size))
        each = np.array(each)
        assert ((each >= 0) & (each <= [*room, *room])).all(), (room, t.steps[index - 1].name)
        assert np.array_equal(covers(each, each, by=0.5), np.eye(len(each))), (room, t.steps[index - 1].name)


GATES = "s = r1 * c1 @ U1 + r2 * c2 @ U2 + (r1 + r2) * c3\nL = np.sum(s**2)"


def test_a_long_equation_goes_on_in_the_next_line_at_a_sum_or_before_its_result():
    rng = np.random.default_rng(0)
    learnt, given = (
        {name: rng.standard_normal((2, 2)) for name in names.split()} for names in ("r1 r2 U1 U2", "c1 c2 c3")
    )
    t = trace(program(GATES, learnt, given))
    index = [step.name for step in t.steps].index("s") + 1
    for room in ROOMS:
        op = operation(t, index, room)
        lines = {}
        for word in (*op.shown.signs, *op.shown.labels):
            if word in op.shown.signs:
                lines.setdefault(word.y, []).append(word.text)
        begins = [min((w for w in op.shown.signs if w.y == y), key=lambda w: w.x).text for y in [*lines][1:]]
        assert op.shows_all(t, "s")
        assert {*begins} <= {"+", "="}
        assert (len(lines) > 1) == (room[0] < 1000)


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_cell_of_the_operation_has_its_colour_and_the_chosen_one_is_there(name):
    t = trace(PROBLEMS[name])
    scales = scales_of([t])
    for index, step in enumerate(t.steps, start=1):
        i, j = (n - 1 for n in np.atleast_2d(step.value).shape)
        drawn = operation(t, index, cell=(step.name, i, j))
        image = canvas(drawn)
        high, wide = image.shape
        parts = [part for part in equation(t, step.name) if isinstance(part, Operand)]
        for part, placed, box in zip(parts, drawn.shown.placed, drawn.boxes_on_page(), strict=True):
            matrix, left, top, width, height, rows, cols, transposed, at_rows, at_cols = box
            assert (placed.operand.label, matrix, transposed) == (part.label, part.name, part.transposed)
            no_colour = not matrix and part.value.size == 1
            for r, c in np.ndindex(rows, cols):
                x = round((left + width * (c + 0.08) / cols) * wide)
                y = round((top + height * (r + 0.15) / rows) * high)
                if at_rows[r] is None or at_cols[c] is None:
                    assert image[y, x] == 0xFFFFFF
                    continue
                value = float(part.value[at_rows[r], at_cols[c]])
                level = level_of(value, scales, "L" if no_colour else matrix, t)
                assert alike(f"#{image[y, x]:06x}", COLOURS((level + 1) / 2)), (step.name, part.label, r, c)
        assert (i in at_rows, j in at_cols) == (True, True), step.name
        assert drawn.shown.em >= READABLE
        if name == "worked example":  # 2.4 percent of a projector's picture can be read from the back row
            assert 0.73 * operation(t, index, (1180, 200), large=True).shown.em >= 0.024 * 720
        for word, placed in zip(drawn.shown.labels, drawn.shown.placed, strict=True):
            shape = placed.operand.value.shape
            whole = (placed.rows, placed.cols) == tuple([*range(n)] for n in shape)
            worked_out = not placed.operand.name  # such as the sum of each row, beside a matrix with as many rows
            assert whole == (None not in (*placed.rows, *placed.cols))
            assert whole or worked_out or word.text.endswith(str(shape)), "beside the ellipsis stands its shape"
