"""Where each matrix is on the board, in cells: values on top, gradients beneath them, new weights at the bottom."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backprop_lab.tracing import Trace
from backprop_lab.ui.values.slopes import SLOPE, slopes_of

LABEL = 0.93  # height of a name above its matrix
GAP = 0.75  # between two columns
ROW_GAP = 0.5  # between values, gradients and new weights
HEAD = 1.7  # the line on top that names the phase and the step
LEFT = 1.0  # room for the names of the rows
RIGHT = 2.3  # room for the colour bars
ASPECT = 0.62  # a cell's height divided by its width
CELL_WIDTH = (26, 58)  # CSS pixels: with narrower cells, a board is broken into bands; wider ones are not used
LARGE_CELL_WIDTH = (37, 90)  # the same for the back row of a lecture hall


class Box(NamedTuple):
    """A matrix on the board: its upper left corner and size, in cells, and which of ROWS it is in; y points down."""

    name: str
    x: float
    y: float
    rows: int
    cols: int
    row: str


@dataclass(frozen=True)
class Layout:
    """The whole board: `rows` has the name, top and bottom of each row of matrices."""

    width: float
    height: float
    boxes: dict[str, Box]
    rows: list[tuple[str, float, float]]
    arrows: list[tuple[float, float, int]]
    loss: tuple[float, float, float, float]


class _Column(NamedTuple):
    """Matrices one above the other, as (name, rows, columns), for each row of the board."""

    values: list[tuple[str, int, int]]
    gradients: list[tuple[str, int, int]]
    new: list[tuple[str, int, int]]

    @property
    def width(self) -> int:
        return max(cols for row in self for _, _, cols in row)


ROWS = ("values", "gradients", "new weights")


def place_matrices(trace: Trace, bands: int = 1) -> Layout:
    """Place every matrix of `trace`; a wide network may be broken into `bands`, one below the other."""
    groups = _groups(trace)
    bands = min(bands, len(groups))
    boxes: dict[str, Box] = {}
    rows: list[tuple[str, float, float]] = []
    arrows: list[tuple[float, float, int]] = []
    y, width = HEAD, 0.0
    for band in _split(groups, bands):
        columns = [column for group in band for column in group]
        for row, name in enumerate(ROWS):
            height = max(sum(LABEL + n for _, n, _ in column[row]) for column in columns)
            x = LEFT
            for position, column in enumerate(columns):
                top = y
                for matrix, n, cols in column[row]:
                    boxes[matrix] = Box(matrix, x, top + LABEL, n, cols, name)
                    top += LABEL + n
                x += column.width + GAP
                to_nowhere = row == 1 and not column.gradients
                if position < len(columns) - 1 and row < 2 and not to_nowhere:
                    arrows.append((x - GAP / 2, y + LABEL + len(trace["X"]) / 2, 1 if row == 0 else -1))
            width = max(width, x - GAP)
            rows.append((name, y + LABEL, y + height))
            y += height + ROW_GAP
        y += ROW_GAP * (bands > 1)
    last = boxes[f"{[*trace.problem.network.parameters][-1]}_new"]
    left = last.x + last.cols + GAP
    _, top, bottom = rows[-1]
    loss = (left + 0.6, top, width + RIGHT - 0.3 - left - 0.6, bottom - top)
    return Layout(width + RIGHT, y, boxes, rows, arrows, loss)


def readable_layout(trace: Trace, width: float, narrowest: float) -> Layout:
    """The layout with the fewest bands whose cells are wide enough to read, or else the one with the widest cells."""
    tries = [place_matrices(trace, bands) for bands in range(1, len(_groups(trace)) + 1)]
    return next((one for one in tries if width / one.width >= narrowest), min(tries, key=lambda one: one.width))


def aspect_ratio(trace: Trace, width: float, large: bool = False) -> float:
    """The width of a board divided by its height, before it is drawn."""
    found = readable_layout(trace, width, (LARGE_CELL_WIDTH if large else CELL_WIDTH)[0])
    return found.width / (found.height * ASPECT)


def _groups(trace: Trace) -> list[list[_Column]]:
    """The columns of the board, one group for each layer with parameters and the activation after it."""

    def sized(*names: str) -> list[tuple[str, int, int]]:
        return [(name, *np.atleast_2d(trace[name]).shape) for name in names]

    slopes = slopes_of(trace)
    groups: list[list[_Column]] = []
    for layer, X, Y, n in trace.problem.network.stages:
        if layer.parameters:
            names = [f"{p}{n}" for p in layer.parameters]
            above, below, new = (sized(*(form.format(name) for name in names)) for form in ("{}", "d{}", "{}_new"))
            groups.append([_Column(sized("X"), [], sized("lr"))] if X == "X" else [])
            groups[-1] += [_Column(above, below, new), _Column(sized(Y), sized(f"d{Y}"), [])]
        else:
            slope = [(SLOPE + Y, *trace[Y].shape)] if SLOPE + Y in slopes else []
            groups[-1].append(_Column(sized(Y), sized(f"d{Y}") + slope, []))
    groups[-1].append(_Column(sized("y", *(step.name for step in trace.steps if step.phase == "loss")), [], []))
    return groups


def _split(groups: list[list[_Column]], bands: int) -> list[list[list[_Column]]]:
    """Break the groups into bands of about equal width, in order."""
    widths = [sum(column.width + GAP for column in group) for group in groups]
    split: list[list[list[_Column]]] = [[]]
    share, filled = sum(widths) / bands, 0.0
    for group, width in zip(groups, widths, strict=True):
        if split[-1] and len(split) < bands and filled + width / 2 > share * len(split):
            split.append([])
        split[-1].append(group)
        filled += width
    return split
