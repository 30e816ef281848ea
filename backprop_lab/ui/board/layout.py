"""Where each matrix is on the board, in CSS pixels: values on top, gradients beneath them, then the new weights.

The board fits the width and height that it is given. Cells shrink until it does; where one side of them would fall
below SMALLEST, squares of the picture stand for the mean of some cells in a row, a column or a block.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from itertools import accumulate, chain, combinations
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.reading.parts import taken_in
from backprop_lab.step.trace import Trace
from backprop_lab.ui.board.columns import Column, columns_of, ways_of

MARGIN = 4.0  # at the edges, in which frames fit
SMALLEST = 2.0  # the side of a cell, or of a square that stands for several
WIDEST, WIDEST_LARGE = 58.0, 90.0  # a cell; the second for the back row of a lecture hall
FLAT, TALL, NATURAL = 3.0, 2.5, 0.52  # width by height at most, height by width at most, and height by width if free
POWERS = (1.0, 0.85, 0.7, 0.55, 0.4)  # of the number of cells that a side grows with: the large ones give way first
READABLE = 7.3  # CSS pixels an em: smaller numbers are left out
ACROSS, DOWN = 0.292, 0.75  # of a cell's width and height for an em: then −13.8 leaves a margin
PHONE, LEAST_COLUMN = 500, 36  # CSS pixels: a narrower page is that of a phone; and how wide a column is there
SHRINK = (0.9, 0.8)  # of labels, where that leaves room for numbers that can be read


Area = tuple[float, float, float, float]  # left, top, width and height
Edge = tuple[tuple[float, float], tuple[float, float]]
Stack = list[tuple[str, str, float, int, int]]  # the matrices of a column, each with its row, top, rows and columns


class Room(NamedTuple):
    """What something needs beside the matrices, in ems of labels; and its height by its width at most."""

    least_wide: float
    least_high: float
    most_wide: float
    most_high: float
    tall: float


LOSS, SCALES = Room(7.5, 5.0, 26.0, 12.0, 0.75), Room(5.2, 6.2, 16.0, 7.2, math.inf)
THREE_SCALES = SCALES._replace(least_high=1.5 * SCALES.least_high, most_high=1.5 * SCALES.most_high)  # with memories


class Box(NamedTuple):
    """A matrix on the board: its upper left corner and size, how many cells it has, and in which row it is."""

    name: str
    x: float
    y: float
    width: float
    height: float
    rows: int
    cols: int
    row: str

    @property
    def means(self) -> tuple[int, int]:
        """How many cells, down and across, a square of the picture is the mean of: (1, 1) if every cell is shown."""
        sides = (self.height, self.rows), (self.width, self.cols)
        down, across = (max(1, math.ceil(SMALLEST * n / side - 1e-9)) for side, n in sides)
        return down, across


@dataclass(frozen=True)
class Layout:
    """The whole board, with labels of `font` pixels.

    `arrows` have x, y and a direction, 1 to the right; `edges`, of what is used further on than in the next column, two
    ends (x, y); `loss` and `scales`, if there is room, are for the loss plot with its axes, and for the colour scales.
    """

    width: float
    height: float
    font: float
    gap: float
    boxes: dict[str, Box]
    arrows: list[tuple[float, float, int]]
    edges: list[Edge]
    loss: Area | None
    scales: Area | None


ROWS = ("values", "gradients", "new weights")


def place_matrices(trace: Trace, width: float, height: float = math.inf, large: bool = False) -> Layout:
    """Place every matrix of `trace` in a picture of at most `width` by `height` CSS pixels, but for `width_of`."""
    width = width_of(trace, width)
    legend = THREE_SCALES if trace.problem.lines.memories else SCALES
    found: list[tuple[list[Column], Layout]] = []
    for way in ways_of(trace):
        columns = columns_of(trace, *way)
        if all(columns != others for others, _ in found):
            found.append((columns, _read_best(columns, legend, width, height, large)))
    are_low = height == math.inf and not trace.problem.stages  # a stack may be as high as it likes, and had better not

    def how_good(each: tuple[list[Column], Layout]) -> tuple[float, float]:
        return min(READABLE, _smallest_number(each[1])), -each[1].height * are_low

    columns, layout = max(found, key=how_good)
    if averaged := {name for name, box in layout.boxes.items() if box.means != (1, 1)}:
        layout = _placed(columns, legend, width, height, large, averaged)
    return replace(layout, edges=_edges(trace, columns, layout.boxes))


def width_of(trace: Trace, width: float) -> float:
    """How wide a board is made where there is so much room: on a phone one of many columns is wider, and scrolls."""
    if width >= PHONE:
        return width
    ways = [len(columns_of(trace, *way)) for way in ways_of(trace)]
    least = LEAST_COLUMN * (1.3 if trace.problem.lines.memories else 1)  # whose names are longer
    return max(width, least * (max(ways) if trace.problem.stages else min(ways)))


def _read_best(columns: list[Column], legend: Room, width: float, height: float, large: bool) -> Layout:
    """Their layout with labels that are as large as leaves room for numbers that can be read."""
    usual = _placed(columns, legend, width, height, large)
    smaller = (_placed(columns, legend, width, height, large, shrink=shrink) for shrink in SHRINK)
    return next((layout for layout in chain([usual], smaller) if _smallest_number(layout) >= READABLE), usual)


def _smallest_number(layout: Layout) -> float:
    """The em that there is room for in every cell."""
    boxes = layout.boxes.values()
    return min(min(ACROSS * box.width / box.cols, DOWN * box.height / box.rows) for box in boxes)


def _placed(
    columns: list[Column],
    legend: Room,
    width: float,
    height: float,
    large: bool,
    averaged: Container[str] = (),
    shrink: float = 1.0,
) -> Layout:
    """The layout, with room for the labels of matrices whose squares are means."""
    font = shrink * float(np.clip(8 + 5 * (min(width / 930, height / 345) - 0.42), 8, 16 if large else 13))
    label, row_gap = 1.3 * font, 0.45 * font
    gap = min(1.3 * font, 0.2 * width / len(columns))
    room = width - 2 * MARGIN - gap * (len(columns) - 1)
    names = [min(0.7 * font * column.longest(averaged) - gap + 5, room / len(columns)) for column in columns]

    def widths(cell: float, power: float) -> list[float]:
        return [max(name, cell * column.cols**power) for name, column in zip(names, columns, strict=True)]

    widest = WIDEST_LARGE if large else WIDEST
    across, cell_width = _first_with(5, lambda cell, power: sum(widths(cell, power)) <= room, widest)

    def boxes(cell: float, power: float) -> list[Stack]:
        return _stacked(columns, lambda n: cell * n**power, label, row_gap)

    def bottom(cell: float, power: float) -> float:
        return MARGIN + max(top + float(cell * n**power) for stack in boxes(cell, power) for _, _, top, n, _ in stack)

    highest = (NATURAL if height == math.inf else TALL) * cell_width
    down, cell_height = _first_with(4, lambda cell, power: bottom(cell, power) <= height, highest)
    if across == down == 1:
        cell_width = min(cell_width, FLAT * cell_height)
    used = widths(cell_width, across)
    gap = min(2.2 * font, gap + max(0.0, (room - sum(used)) / max(1, len(columns) - 1)))
    lefts = MARGIN + np.cumsum([0.0, *(w + gap for w in used)])
    right, end = float(lefts[-1] - gap), bottom(cell_height, down)
    placed = {
        name: Box(name, float(x), top, cell_width * cols**across, cell_height * rows**down, rows, cols, row)
        for x, stack in zip(lefts, boxes(cell_height, down), strict=False)
        for name, row, top, rows, cols in stack
    }
    left_of = lefts[1] - gap if len(lefts) > 1 else right
    beneath = _beneath_samples(legend, columns[0], placed, font, left_of, row_gap)

    def beside(needs: Room, taken: Area | None = None, between: bool = False) -> Any:
        others = {"": Box("", *taken, 1, 1, "")} if taken else {}
        return _free(needs, placed | others, lefts, right, end, font, gap, between)

    loss = beside(LOSS)
    scales = beneath or beside(legend, loss)
    if loss and not scales:  # it has taken all the room there is
        loss, scales = _shared(loss, legend, font)
        if not scales and width < PHONE:  # where the loss stands above, as a number
            scales = beside(legend)
            loss = beside(LOSS, scales)
    scales = scales or beside(legend, loss, between=True) or beside(SCALES, loss)  # for three, in smaller letters
    arrows = _arrows(columns, placed, lefts, gap)
    return Layout(right + MARGIN, end, font, gap, placed, arrows, [], loss, scales)


def _first_with(readable: float, fits: Callable[[float, float], bool], most: float) -> tuple[float, float]:
    """The first of POWERS with which a side of one cell that is `readable` fits, or the last; and the largest such."""
    power = next((power for power in POWERS if fits(min(readable, most), power)), POWERS[-1])
    if fits(most, power):
        return power, most
    return power, max(largest_fitting(0.0, most, 40, lambda side: fits(side, power)), 0.01)


def largest_fitting(low: float, high: float, halvings: int, fits: Callable[[float], bool]) -> float:
    """The largest size between two that fits, as nearly as so many halvings come to it."""
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _stacked(columns: list[Column], height: Callable[[int], float], label: float, row_gap: float) -> list[Stack]:
    """Each column with the tops of its matrices.

    Gradients begin where the highest column of values ends, and new weights where the highest of their columns does: a
    slope stands beside them, not above.
    """
    stacks: list[Stack] = [[] for _ in columns]
    ends = [MARGIN for _ in columns]
    top = MARGIN
    for row, name in enumerate(ROWS):
        for k, column in enumerate(columns):
            y = top
            for matrix, rows, cols in column.rows[row]:
                stacks[k].append((matrix, name, y + label, rows, cols))
                y += label + height(rows)
                ends[k] = y
        above = [end for end, column in zip(ends, columns, strict=True) if row == 0 or column.new]
        top = max(above) + row_gap
    return stacks


def _arrows(
    columns: list[Column], placed: dict[str, Box], lefts: np.ndarray, gap: float
) -> list[tuple[float, float, int]]:
    """One to each column of values after the first, and one back to each of gradients, in the middle of what samples go
    through, or of what is lower.

    None leads out of memories, or to them but from the gradient that their new values take in, which then has none of
    its own.
    """

    def arrow(x: float, column: list[tuple[str, int, int]], way: int) -> tuple[float, float, int]:
        box = placed[column[0][0]]
        heights = [placed[name].height for name, _, _ in (*columns[0].values[:1], column[0])]
        return float(x - gap / 2), box.y + min(heights) / 2, way

    arrows = []
    for x, left, here in zip(lefts[1:], columns, [*columns[1:], Column([], [], [])], strict=True):
        takes_in = here.memories and not left.memories and bool(here.gradients)
        if takes_in:
            arrows.append(arrow(x, here.gradients, 1))
        elif here.values and not (here.memories or left.memories) and here.takes_in and (arrows or columns[0].values):
            arrows.append(arrow(x, here.values, 1))
        if left.gradients and not left.memories and left.gives_back and not takes_in:
            arrows.append(arrow(x, left.gradients, -1))
    return arrows


def _edges(trace: Trace, columns: list[Column], placed: dict[str, Box]) -> list[Edge]:
    """From each value or datum of a program to where it is used, if that is further on than in the next column but for
    those of parameters. A whole number, such as a length, has none: it says little, and may be used everywhere."""
    problem = trace.problem
    if problem.stages:
        return []
    levels: dict[str, int] = {}
    for column in columns:
        names = [name for name, _, _ in column.values if name not in {**problem.parameters, **problem.lines.memories}]
        levels |= dict.fromkeys(names, max(levels.values(), default=-1) + 1)
    lengths = {name for name in levels if np.ndim(trace[name]) == 0 and np.asarray(trace[name]).dtype.kind in "iu"}
    before = [step for step in trace.steps if step.phase in ("forward", "loss")]
    pairs = [(name, step.name) for step in before for name in taken_in(step) if name not in lengths]
    uses = [
        (placed[name], placed[user]) for name, user in pairs if levels.get(name, math.inf) < levels.get(user, 0) - 1
    ]
    return [((one.x + one.width, one.y + one.height / 2), (to.x, to.y + 0.8 * to.height)) for one, to in uses]


def _free(
    needs: Room,
    placed: dict[str, Box],
    lefts: np.ndarray,
    right: float,
    end: float,
    font: float,
    gap: float,
    between: bool = False,
) -> Area | None:
    """Free room: as much as there is at the right, or if that is too little, between two columns of weights.

    It is beneath all matrices, or `between` values and gradients too, where one beside them is much higher.
    """
    best, place = 0.0, None
    for first, last in combinations(range(1, len(lefts)), 2):
        is_last = last == len(lefts) - 1
        x, x1 = float(lefts[first]), right if is_last else float(lefts[last] - gap)
        width, more = min(x1 - x, needs.most_wide * font), 1000 * is_last
        if width < needs.least_wide * font or width + more <= best:
            continue
        above = [box for box in placed.values() if box.x < x1 and box.x + box.width > x]
        tops = sorted((box.y, box.y + box.height) for box in above)
        free_from = [*accumulate((bottom for _, bottom in tops), max, initial=MARGIN)]
        for bottom in (end - MARGIN, *(box.y - 1.8 * font for box in above if between)):
            y = free_from[bisect_left(tops, (bottom,))] + 0.5 * font
            height = min(bottom - y, needs.tall * (x1 - x), needs.most_high * font)
            size = min(width, 2 * height) + more
            if height >= needs.least_high * font and size > best:
                best, place = size, (x, bottom - height, width, height)
    return place


def _shared(place: Area, legend: Room, font: float) -> tuple[Area, Area | None]:
    """A place for the loss as one for it, and beside it one for the scales, or None if that is too little."""
    x, y, width, height = place
    wide = max(legend.least_wide * font, min(legend.most_wide * font, width / 3))
    if width < wide + (LOSS.least_wide + 1) * font or height < legend.least_high * font:
        return place, None
    return (x, y, width - wide - font, height), (x + width - wide, y, wide, min(height, legend.most_high * font))


def _beneath_samples(
    legend: Room, column: Column, placed: dict[str, Box], font: float, right: float, row_gap: float
) -> Area | None:
    """Room for the colour scales in the first column, above the learning rate, if they can be read there."""
    lr, highest = placed["lr"], legend.most_high * font
    boxes = [placed[name] for name, _, _ in column.values + column.gradients + column.new]
    above = [box for box in boxes if box.y < lr.y]  # with a state of the next step, such as a running mean
    samples = max(above, key=lambda box: box.y, default=lr._replace(y=0.0, height=MARGIN))
    top, bottom = samples.y + samples.height + 2 * row_gap, lr.y - 1.3 * font - row_gap
    place = (samples.x, max(top, bottom - highest), float(right - samples.x), min(bottom - top, highest))
    return place if place[2] >= legend.least_wide * font and place[3] >= legend.least_high * font else None
