"""The layout: on any screen every matrix has a place of its own, each gradient beneath its value."""

from itertools import product

import numpy as np
import pytest
from common import covers, places_in
from own_parts import OWN_PROBLEMS

from backprop_lab import (
    OPTIMIZERS,
    Adam,
    BatchNorm,
    Linear,
    Network,
    ReLU,
    SoftmaxCrossEntropy,
    SumSquaredError,
    Tanh,
    program,
    random_problem,
    trace,
)
from backprop_lab.ui.board.cells import number_size
from backprop_lab.ui.board.layout import READABLE, SMALLEST, place_matrices, width_of

SCREENS = [(930, 345), (1180, 420), (390, 250), (1500, np.inf)]
SIZES = [
    *product([1, 8, 64], [1, 4], [[1], [8, 8], [128]], [1, 3]),
    (64, 64, [64, 64], 64), (64, 128, [128], 128), (8, 8, [8] * 6, 8), (2, 1, [1] * 6, 1), (64, 128, [128] * 6, 128),
]  # fmt: skip


def normed():
    """A network with a norm, 5 samples, and an optimizer with two memories."""
    p = random_problem(0, 5, 3, 4, 2, optimizer=Adam())
    first, _, last = p.network.layers
    norm = BatchNorm(np.ones((1, 4)), np.zeros((1, 4)))
    return p.evolve(network=Network([Linear(first.parameters["W"]), norm, ReLU(), last]))


@pytest.fixture(scope="module")
def every():
    """(what, layout, screen) of boards of all kinds of sizes, on all kinds of screens."""
    losses = SumSquaredError(), SoftmaxCrossEntropy()  # the latter, of several outputs, has lines before L
    drawn = {str(s): random_problem(0, *s, activation=Tanh(), loss=losses[s[-1] > 1]) for s in SIZES}
    drawn |= {
        f"{name} {s}": random_problem(0, *s, optimizer=rule) for name, rule in OPTIMIZERS.items() for s in SIZES[:9]
    }
    drawn |= {"normed": normed()} | OWN_PROBLEMS
    rooms = product({name: trace(p) for name, p in drawn.items()}.items(), SCREENS)
    return [(f"{what} on {screen}", place_matrices(t, *screen), screen, t) for (what, t), screen in rooms]


def test_the_board_fits_its_screen_with_all_values_and_nothing_overlaps(every):
    for what, found, (width, height), t in every:
        assert (found.width <= width_of(t, width) + 1e-6, found.height <= height + 1e-6) == (True, True), what
        size, places = [found.width, found.height], places_in(found)
        assert np.array_equal(covers(places, places), np.eye(len(places))), what
        assert ((places >= 0) & (places <= [*size, *size])).all(), what
        assert found.loss or "64" in what or "1, 1, 1, 1" in what or width < 500, what
        assert found.scales or len(t.problem.network.layers) > 8 or width < 500, what
        assert {*found.boxes} >= {*t.names}, what


def test_matrices_of_one_size_are_alike_gradients_and_new_weights_straight_beneath_their_values(every):
    for what, found, _, _ in every:
        boxes = found.boxes.values()
        for pairs in {(box.cols, box.width) for box in boxes}, {(box.rows, box.height) for box in boxes}:
            assert len(pairs) == len(dict(pairs)), what
        for name, box in found.boxes.items():
            if name.startswith("d") or name.endswith("_new"):
                value = found.boxes[name.removeprefix("d").removesuffix("_new")]
                assert (value.x, value.rows, value.cols) == (box.x, box.rows, box.cols), (what, name)
                assert value.y + value.height < box.y, (what, name)


def test_each_arrow_points_at_a_matrix_beside_it(every):
    for what, found, _, _ in every:
        boxes = found.boxes.values()
        for x, y, way in found.arrows:
            beside = max(b.x for b in boxes if b.x < x) if way < 0 else min(b.x for b in boxes if b.x > x)
            assert any(b.x == beside and b.y < y < b.y + b.height for b in boxes), (what, x, y)


def test_a_square_is_the_mean_of_as_few_cells_as_can_be_seen(every):
    for box in [box for _, found, _, _ in every for box in found.boxes.values()]:
        for side, n, each in zip((box.height, box.width), (box.rows, box.cols), box.means, strict=True):
            assert side * each / n >= SMALLEST - 1e-6 or n == 1, box
            assert each == 1 or side * (each - 1) / n < SMALLEST, box


def test_eight_samples_have_room_for_their_numbers_beside_the_file_list():
    for inputs, hidden, outputs in product((2, 3, 4, 5), (2, 4, 6), (1, 2)):
        found = place_matrices(trace(random_problem(0, 8, inputs, hidden, outputs)), 930, 318)
        for box in found.boxes.values():
            assert number_size(box.width / box.cols, box.height / box.rows) >= READABLE, (inputs, hidden, outputs)


def test_the_worked_example_has_room_for_its_numbers_on_a_laptop(example):
    found = place_matrices(example, 930, 345)
    assert (found.boxes["X"].width / 3 >= 36, found.boxes["X"].height / 2 >= 15, found.width > 925) == (True,) * 3


@pytest.mark.parametrize("screen", SCREENS)
def test_what_the_update_makes_of_a_memory_stands_beneath_it(screen):
    for p in (random_problem(0, optimizer=Adam()), normed()):
        boxes = place_matrices(trace(p), *screen).boxes
        for parameter, memory in product(p.network.parameters, "mv"):
            stack = [f"{memory}{parameter}", f"{memory}{parameter}_new", f"{memory}hat{parameter}"]
            assert {boxes[name].x for name in stack} == {boxes[stack[0]].x}, stack
            assert sorted(stack, key=lambda name: boxes[name].y) == stack
            between = {b.x for b in boxes.values() if boxes[parameter].x <= b.x < boxes[stack[0]].x}
            assert {name for name, b in boxes.items() if b.x in between and name[0] in "XYHN"} == set()


def test_a_norm_with_adam_has_room_for_its_numbers():
    for screen in (1366 - 66, 560), (1000, np.inf):
        found = place_matrices(trace(normed()), *screen)
        assert min(number_size(b.width / b.cols, b.height / b.rows) for b in found.boxes.values()) >= READABLE
        assert None not in (found.loss, found.scales)


def test_no_arrow_leads_out_of_a_memory():
    """The first new memory takes in the gradient beside it."""
    t = trace(random_problem(0, optimizer=Adam()))
    found = place_matrices(t, 1500)
    boxes = found.boxes
    assert boxes["W1"].x < boxes["mW1"].x < boxes["vW1"].x, "there is room for each beside the other"
    between = [way for x, _, way in found.arrows if boxes["W1"].x < x < boxes["mW1"].x]
    assert between == [1]
    assert [x for x, _, _ in found.arrows if boxes["mW1"].x < x < boxes["vW1"].x] == []
    assert [x for x, _, _ in found.arrows if boxes["vW1"].x < x < boxes["Y1"].x] == []


def test_an_edge_leads_from_a_value_that_skips_a_column_but_from_no_length():
    lines = "m, d = X.shape\nH = np.tanh(X @ W)\nZ = H * 2\nE = Z - H\nL = np.sum(E**2) / (m * d)"
    p = program(lines, {"W": np.eye(3)}, {"X": np.ones((2, 3))})
    layout = place_matrices(trace(p), 930, 345)
    ends = {name: (box.x + box.width, box.y + box.height / 2) for name, box in layout.boxes.items()}
    assert {name for name, end in ends.items() if end in {start for start, _ in layout.edges}} == {"H"}
