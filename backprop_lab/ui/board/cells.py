"""The cells of a picture: each filled with a colour, with ready-made digits copied into it, pixel by pixel."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

from backprop_lab.nn.layers import Array
from backprop_lab.reading.scale import Scale
from backprop_lab.step.number_format import format_number, in_powers_of_10, plain
from backprop_lab.ui.board.colours import digit_numbers, number_of
from backprop_lab.ui.board.layout import ACROSS, DOWN, READABLE, Box
from backprop_lab.ui.board.text import DIGIT_HEIGHT, FAMILY
from backprop_lab.ui.plot_settings import own_settings
from backprop_lab.ui.theme import Theme

BESIDE = 3  # CSS pixels of a cell's width that stay free of a number, for a frame
LINED = 8  # CSS pixels: smaller cells have no lines between them
with own_settings():
    DIGITS = findfont(FontProperties(family=FAMILY))


class _Grid(NamedTuple):
    """The pixels of a box: for each of them down and across, which square it is in; where its lines are; how large its
    numbers are, and how wide they can be."""

    top: int
    left: int
    down: Array
    across: Array
    rows: list[int]
    cols: list[int]
    em: float
    room: int


class CellPainter:
    """The cells of some boxes, each on one of `scales`, in a picture: `pixels`, as numbers of its palette.

    `levels` has, for each box, the places of its squares on the colour scale, from -1 to 1, or 2 if not finite; and
    `numbers` the text in its cells, row by row. Both are None for a box that is not shown yet, and an empty grid.
    """

    def __init__(
        self, boxes: Sequence[Box], scales: Sequence[Scale], theme: Theme, ratio: float, pixels: Array
    ) -> None:
        self.boxes, self._scales, self._ratio, self.pixels = boxes, scales, ratio, pixels
        self._shades = digit_numbers(theme)
        self._lines, self._paper = (number_of(colour, theme) for colour in (theme.grid, theme.paper))
        self._line = max(1, round(0.6 * ratio))
        self._grids = [self._grid(box) for box in boxes]
        self.levels: list[Array | None] = [None] * len(boxes)
        self.numbers: list[list[str] | None] = [None] * len(boxes)
        self._filled: list[bytes | None] = [b""] * len(boxes)  # the matrix of each that is in the picture

    def fill(self, values: Sequence[Array | None]) -> None:
        """Give each box its matrix, or None if it is not shown yet."""
        for k, matrix in enumerate(values):
            content = None if matrix is None else np.asarray(matrix, dtype=float).tobytes()
            if content == self._filled[k]:
                continue
            self._filled[k] = content
            self.levels[k] = self.numbers[k] = None
            box = self.boxes[k]
            if matrix is not None:
                self.levels[k] = self._scales[k].levels(means_of(matrix, box.means))
                if self._grids[k].em:
                    self.numbers[k] = [in_cell(box.name, value) for value in matrix.ravel().tolist()]
            self._paint(self._grids[k], self.levels[k], self.numbers[k])

    def _grid(self, box: Box) -> _Grid:
        (down, across), ratio = box.means, self._ratio
        rows = _edges(box.y * ratio, box.height * ratio, box.rows, down)
        cols = _edges(box.x * ratio, box.width * ratio, box.cols, across)
        lined = min(box.width / box.cols, box.height / box.rows) >= LINED
        lines = [edges if lined else edges[[0, -1]] for edges in (rows, cols)]
        squares = [np.repeat(np.arange(len(edges) - 1), np.diff(edges)) for edges in (rows, cols)]
        em = number_size(box.width / box.cols, box.height / box.rows) * ratio
        return _Grid(
            int(rows[0]), int(cols[0]), squares[0], squares[1],
            (lines[0] - rows[0]).tolist(), (lines[1] - cols[0]).tolist(), em,
            int(np.diff(cols).min() - self._line - BESIDE * ratio),
        )  # fmt: skip

    @property
    def unread(self) -> set[str]:
        """The matrices whose cells are too small for numbers."""
        return {box.name for box, grid in zip(self.boxes, self._grids, strict=True) if not grid.em}

    def _paint(self, grid: _Grid, levels: Array | None, numbers: list[str] | None) -> None:
        high, wide, line = len(grid.down), len(grid.across), self._line
        area = self.pixels[grid.top : grid.top + high + line, grid.left : grid.left + wide + line]
        colours = None if levels is None else colours_of(levels)
        if colours is None:
            area[:] = self._paper
        else:
            inside = area[:high, :wide]  # less than the box where that does not fit a tiny picture
            squares = self._shades[:, 0].take(colours)
            inside[:] = squares[:, grid.across[: inside.shape[1]]][grid.down[: inside.shape[0]]]
        inner = self._lines if colours is None else self._paper
        for lines, sides in ((grid.rows, area), (grid.cols, area.T)):
            for at in lines[1:-1]:
                sides[at : at + line] = inner
        for lines, sides in ((grid.rows, area), (grid.cols, area.T)):
            for at in (lines[0], lines[-1]):
                sides[at : at + line] = self._lines
        if colours is not None and numbers:
            self._write(area, grid, numbers, colours.ravel().tolist())

    def _write(self, area: Array, grid: _Grid, numbers: list[str], colours: list[int]) -> None:
        """Put a number into the middle of each cell."""
        line, places = self._line, product(pairwise(grid.rows), pairwise(grid.cols))
        for ((above, below), (before, after)), number, colour in zip(places, numbers, colours, strict=True):
            digits = _digits(number, grid.em, grid.room)
            high, wide = digits.shape
            top, left = (above + line + below - high + 1) // 2, (before + line + after - wide + 1) // 2
            area[top : top + high, left : left + wide] = self._shades[colour].take(digits)


def in_cell(name: str, value: float) -> str:
    """A number as it stands in a cell; a learning rate as it is typed, so that 0.0045 is not read as 0.004."""
    if name != "lr" or not 0 < value < 10:
        return format_number(value)
    if value >= 0.001:
        return plain(value, 3 if value >= 0.005 else 2)
    return in_powers_of_10(value, 1)


def number_size(width: float, height: float) -> float:
    """The em of numbers in cells of this width and height in CSS pixels, or 0 if they could not be read."""
    em = min(ACROSS * width, DOWN * height)
    return em if em >= READABLE else 0.0


def colours_of(levels: Array) -> Array:
    """The numbers of their colours, from 0 to 255; 256 means not finite."""
    return np.where(levels > 1, 256, np.minimum((levels + 1) * 128, 255)).astype(int)


def means_of(values: Array, each: tuple[int, int]) -> Array:
    """The mean of each group of so many rows and columns; the last group may be smaller."""
    values = np.asarray(values, dtype=float)
    with np.errstate(all="ignore"):
        for axis, step in enumerate(each):
            if step > 1:
                starts = np.arange(0, values.shape[axis], step)
                counts = np.diff([*starts, values.shape[axis]])
                values = np.add.reduceat(values / step, starts, axis) * np.expand_dims(step / counts, 1 - axis)
    return values


def _edges(start: float, length: float, n: int, each: int) -> Array:
    """The pixels at which squares of so many cells begin, and the last one ends."""
    at = np.array([*range(0, n, each), n])
    return np.floor(start + length * at / n + 0.5).astype(int)


@lru_cache(maxsize=4096)
def _digits(number: str, em: float, room: int) -> Array:
    """How much of each pixel a number covers, 0 to 255, with an em of `em` pixels, or fewer if there is no room."""
    digits = [_digit(character, em) for character in number]
    while em >= 1 and sum(digit.shape[1] for digit in digits) > room:
        em *= 0.95
        digits = [_digit(character, em) for character in number]
    return np.concatenate(digits, axis=1)


@lru_cache(maxsize=1024)
def _digit(character: str, em: float) -> Array:
    font = ImageFont.truetype(DIGITS, max(1.0, em), layout_engine=ImageFont.Layout.BASIC)
    digit, beside = round(DIGIT_HEIGHT * em), round(0.2 * em)
    image = Image.new("L", (round(font.getlength(character)), digit + 2 * beside))
    ImageDraw.Draw(image).text((0, beside + digit), character, 255, font, anchor="ls")
    return np.asarray(image)
