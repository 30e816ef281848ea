"""The current step as the equation that it is, large: heatmaps with their numbers, and the signs between them.

A transposed operand is shown transposed. Where there is no room for the numbers of all cells, some rows and columns are
shown, with an ellipsis for the others: the first ones, and that of the chosen cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.reading.equation import Operand, equation, listed
from backprop_lab.reading.one_cell import Cell
from backprop_lab.reading.scale import NO_SCALE, Scale, Scales, kinds_of
from backprop_lab.step.trace import Trace
from backprop_lab.ui.board.arrangement import Arrangement, Part, Placed, Room, arranged
from backprop_lab.ui.board.cells import CellPainter
from backprop_lab.ui.board.layout import Box
from backprop_lab.ui.board.picture import Picture
from backprop_lab.ui.board.text import Word
from backprop_lab.ui.plot_settings import own_settings
from backprop_lab.ui.theme import DARK, LIGHT


class Operation(Picture):
    """The picture of one step, in `width` by `height` CSS pixels, at `ratio` device pixels for each of them.

    Its colours have the `scales` of the board; `large` cells are for the back row.
    """

    @own_settings()
    def __init__(
        self, scales: Scales, width: float, height: float, ratio: float = 1.0, dark: bool = False, large: bool = False
    ) -> None:
        super().__init__(width, height, ratio, DARK if dark else LIGHT)
        self.large, self._scales = large, scales
        self.canvas.draw()
        self._background = np.array(self.canvas.buffer_rgba())
        self._empty = self.take()
        self._inked, self._faint = self.write([], self.theme.ink), self.write([], self.theme.faint)
        self.shown: Arrangement | None = None
        self._written: list[Word] | None = None  # the labels of the step that the painter paints
        self._arranged: dict[Any, Arrangement] = {}  # those of this network's steps, which differ in numbers alone

    def rescale(self, scales: Scales) -> None:
        """Take other scales for the colours of the next pictures."""
        self._scales, self._written = scales, None

    @own_settings()
    def draw(self, trace: Trace, index: int, cell: Cell | None = None, is_asked: bool = False) -> None:
        """Show step `index` of `trace`, counted from 1, or nothing for 0; a chosen `cell` of its result is among those
        that are shown. Where the learner `is_asked` what it gives, its result is not filled in yet."""
        self.shown = None
        if not index:
            self.pixels = self._empty
            return
        self.shown = self._of_step(trace, trace.steps[index - 1].name, cell)
        kinds = kinds_of(trace)
        blocks = [block for placed in self.shown.placed for block in _blocks(placed, self._scales, kinds)]
        if self._written is not self.shown.labels:
            self._write(self.shown)
            boxes, scales = [box for box, _, _ in blocks], [scale for _, scale, _ in blocks]
            self._painter = CellPainter(boxes, scales, self.theme, self.ratio, self.take())
        result = len(_blocks(self.shown.placed[-1], self._scales, kinds)) if is_asked else 0
        self._painter.fill([None if k >= len(blocks) - result else each[2] for k, each in enumerate(blocks)])
        self.pixels = self._painter.pixels

    def _of_step(self, trace: Trace, name: str, cell: Cell | None = None) -> Arrangement:
        chosen = (cell[1], cell[2]) if cell and cell[0] == name else None
        shown = self._arrange(equation(trace, name), chosen)
        if shown.em:
            return shown
        alone = self._arrange(listed(trace, name), chosen)  # a line so long that no number can be read: the card has it
        return alone if alone.em else shown

    def shows_all(self, trace: Trace, name: str) -> bool:
        """Whether every number of what a step computes can be read here."""
        shown = self._of_step(trace, name)
        return shown.em > 0 and all(None not in (*each.rows, *each.cols) for each in shown.placed)

    def _write(self, shown: Arrangement) -> None:
        """Draw all but the cells."""
        np.asarray(self.canvas.buffer_rgba())[:] = self._background
        dots = [word for placed in shown.placed for word in _ellipses(placed)]
        for patch, words in ((self._inked, shown.labels), (self._faint, [*shown.signs, *dots])):
            self.rewrite(patch, words)
            self.axes.draw_artist(patch)
        self._written = shown.labels

    def _arrange(self, parts: Sequence[Part], chosen: tuple[int, int] | None) -> Arrangement:
        """The equation in this picture; where one that differs in numbers alone has been there, in the same way."""
        key = chosen, *(part if isinstance(part, str) else (part[:5], part.value.shape) for part in parts)
        if key not in self._arranged:
            if len(self._arranged) > 100:
                self._arranged.clear()
            self._arranged[key] = arranged(parts, chosen, Room(self.width, self.height, self.large))
        alike, operands = self._arranged[key], [part for part in parts if isinstance(part, Operand)]
        placed = [p._replace(operand=operand) for p, operand in zip(alike.placed, operands, strict=True)]
        return replace(alike, placed=placed)

    def boxes_on_page(self) -> list[list[Any]]:
        """Of each operand and last the result: its name or ""; left, top, width and height in fractions of the picture;
        how many rows and columns are drawn; whether it is transposed; and which rows and columns these are, as they
        stand here, with None for an ellipsis."""
        W, H = self.width, self.height
        return [
            [p.operand.name, p.x / W, p.y / H, len(p.cols) * p.cell[0] / W,
             len(p.rows) * p.cell[1] / H, len(p.rows), len(p.cols), p.operand.transposed, p.rows, p.cols]
            for p in (self.shown.placed if self.shown else [])
        ]  # fmt: skip


def _runs(lines: Sequence[int | None]) -> list[tuple[int, int]]:
    """From where to where there is no ellipsis."""
    ends = [-1, *(k for k, line in enumerate(lines) if line is None), len(lines)]
    return [(a + 1, b) for a, b in pairwise(ends) if b > a + 1]


def _blocks(placed: Placed, scales: Scales, kinds: Mapping[str, str]) -> list[tuple[Box, Scale, Array]]:
    """The blocks of an operand that are shown, each with its colour scale, and its values."""
    name = placed.operand.name
    scale = NO_SCALE if not name and placed.operand.value.shape == (1, 1) else scales.of(name, kinds)
    blocks = []
    for (top, bottom), (left, right) in product(_runs(placed.rows), _runs(placed.cols)):
        row, col = placed.rows[top], placed.cols[left]  # an ellipsis stands between lines that do not follow each other
        value = placed.operand.value[row:, col:][: bottom - top, : right - left]
        blocks.append((placed.box(top, bottom, left, right), scale, value))
    return blocks


def _ellipses(placed: Placed) -> list[Word]:
    """An ellipsis in each cell that stands for others."""
    wide, tall = placed.cell
    size = min(0.4 * wide, 0.8 * tall)
    cells = product(enumerate(placed.rows), enumerate(placed.cols))
    at = [("⋮" if row is None else "…", r + 0.5, c + 0.5) for (r, row), (c, col) in cells if None in (row, col)]
    return [Word(dots, placed.x + c * wide, placed.y + r * tall + 0.25 * size, size, 0.5) for dots, r, c in at]
