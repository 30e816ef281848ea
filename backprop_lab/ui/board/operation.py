"""The current step as the equation that it is, large: heatmaps with their numbers, and the signs between them.

A transposed operand is shown transposed. Where there is no room for the numbers of all cells, some rows and columns are
shown, with an ellipsis for the others: the first ones, and that of the chosen cell.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.reading.equation import Operand, equation, listed
from backprop_lab.reading.one_cell import Cell
from backprop_lab.reading.scale import NO_SCALE, Scale, Scales, kinds_of
from backprop_lab.reading.slopes import is_slope
from backprop_lab.step.trace import Trace
from backprop_lab.ui.board.cells import CellPainter, number_size
from backprop_lab.ui.board.layout import ACROSS, DOWN, MARGIN, Box
from backprop_lab.ui.board.picture import Picture
from backprop_lab.ui.board.text import Word
from backprop_lab.ui.plot_settings import own_settings
from backprop_lab.ui.theme import DARK, LIGHT

COMFORTABLE = 9.0  # CSS pixels an em, of numbers where only some rows and columns are shown
WIDEST, WIDEST_LARGE = 64.0, 104.0  # a cell
ACROSS_DOWN = 0.52  # a cell's height by its width
ALL = 10**6, 10**6  # rows and columns
MOST_LINES = 24  # rows or columns shown of a matrix that is not shown whole


class Placed(NamedTuple):
    """An operand in its place; of `rows` and `cols`, which are shown, with None for an ellipsis."""

    operand: Operand
    x: float
    y: float
    cell: tuple[float, float]
    rows: list[int | None]
    cols: list[int | None]


@dataclass(frozen=True)
class Arrangement:
    """An equation in its room, with an em of `em` CSS pixels for numbers, or 0 for none."""

    placed: list[Placed]
    signs: list[Word]
    labels: list[Word]
    em: float


class Operation(Picture):
    """The picture of one step, in `width` by `height` CSS pixels, at `ratio` device pixels for each of them.

    Its colours have the `scales` of the board; `large` cells are for the back row.
    """

    @own_settings()
    def __init__(
        self, scales: Scales, width: float, height: float, ratio: float = 1.0, dark: bool = False, large: bool = False
    ) -> None:
        super().__init__(width, height, ratio, DARK if dark else LIGHT)
        self.width, self.height, self.large, self._scales = width, height, large, scales
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

    def _arrange(self, parts: Sequence[str | Operand], chosen: tuple[int, int] | None) -> Arrangement:
        """The equation in this picture; where one that differs in numbers alone has been there, in the same way."""
        key = chosen, *(part if isinstance(part, str) else (part[:5], part.value.shape) for part in parts)
        if key not in self._arranged:
            if len(self._arranged) > 100:
                self._arranged.clear()
            self._arranged[key] = self._largest(parts, chosen)
        alike, operands = self._arranged[key], [part for part in parts if isinstance(part, Operand)]
        placed = [p._replace(operand=operand) for p, operand in zip(alike.placed, operands, strict=True)]
        return replace(alike, placed=placed)

    def _largest(self, parts: Sequence[str | Operand], chosen: tuple[int, int] | None) -> Arrangement:
        """An equation with the largest numbers that it can have in this picture.

        All cells are shown if their numbers can be read; if not, as many rows and columns as can be read; and if those
        are fewer than three, all cells as colours alone.
        """
        stacks = [False, True] if _stackable(parts) else [False]
        whole = max((self._fitted(parts, chosen, stack) for stack in stacks), key=lambda one: one.em)
        if whole.em:
            return whole
        sizes = [n for part in parts if isinstance(part, Operand) for n in part.value.shape]
        largest, few, many = whole, 2, min(max(sizes) - 1, MOST_LINES)
        while few < many:
            most = (few + many + 1) // 2
            best = max(
                (
                    self._fitted(parts, chosen, stack, (rows, most))
                    for stack in stacks
                    for rows in {most, max(3, _lines(self.height, stack))}
                ),
                key=lambda one: (min(one.em, COMFORTABLE), sum(len(p.rows) * len(p.cols) for p in one.placed)),
            )
            if best.em >= COMFORTABLE:
                largest, few = best, most
            else:
                many = most - 1
        return largest

    def _fitted(
        self, parts: Sequence[str | Operand], chosen: tuple[int, int] | None, stack: bool, most: tuple[int, int] = ALL
    ) -> Arrangement:
        """The equation with cells as large as they can be, and at most so many rows and columns of each matrix."""
        limit = {"i": most[0], "n": most[0], "j": most[1], "m": most[1], "k": min(most), "0": 1}
        at = dict(zip("ij", chosen, strict=True)) if chosen else {}
        lines = [
            tuple(_some(n, limit[axis], at.get(axis)) for n, axis in zip(p.value.shape, (p.rows, p.cols), strict=True))
            if isinstance(p, Operand) else ()
            for p in parts
        ]  # fmt: skip
        beneath = 4 if stack else -1  # the bias stands beneath the weights
        in_line = max(len(each[0]) for k, each in enumerate(lines) if each and k != beneath)
        rows = (
            max(in_line, (in_line + len(lines[2][0])) / 2 + 1) if stack else in_line
        )  # the weights stand in the middle

        signs = [
            Word(p, 0, 0, 1).width + 0.7 if isinstance(p, str) and k != beneath - 1 else 0 for k, p in enumerate(parts)
        ]
        names = [Word(_shortest(p), 0, 0, 0.75, bold=True).width if isinstance(p, Operand) else 0.0 for p in parts]
        least = [(k, len(each[1])) for k, each in enumerate(lines) if each and k != beneath]

        def widths(cell: float, em: float, label: float) -> list[float]:
            """How much room each part takes across; one that stands beneath another takes none."""
            all_widths = [em * sign for sign in signs]
            for k, n in least:
                all_widths[k] = max(n * cell, label * names[k])
            return all_widths

        def room(cell: float) -> float:
            em, label = _sizes(cell, math.inf)
            return sum(widths(cell, em, label)) + 2 * MARGIN + (0.9 * em if stack else 0)

        low, high = 0.5, WIDEST_LARGE if self.large else WIDEST
        for _ in range(24):
            middle = (low + high) / 2
            low, high = (middle, high) if room(middle) <= self.width else (low, middle)
        _, label = _sizes(low, math.inf)
        free = self.height - 2 * MARGIN - 1.45 * label * (2 if stack else 1) - (3 if stack else 0)
        tall = max(0.2, min(ACROSS_DOWN * low if low >= 16 else 1.5 * low, free / rows))
        wide = min(low, (3.2 if tall > 6 else 12.8) * tall)
        em, label = _sizes(wide, tall)
        across = widths(wide, em, label)
        middle = MARGIN + 1.45 * label + in_line * tall / 2
        x = MARGIN
        placed: list[Placed] = []
        words: list[Word] = []
        for k, part in enumerate(parts):
            if k == beneath:
                above = placed[-1]
                y = above.y + len(above.rows) * tall + 1.45 * label + 3
                plus = min(em, tall)
                words.append(Word("+", above.x - 0.45 * plus, y + tall / 2 + 0.36 * plus, plus, align=1))
                placed.append(Placed(parts[k], above.x, y, (wide, tall), *lines[k]))  # type: ignore[arg-type]
            elif isinstance(part, Operand):
                placed.append(Placed(part, x, middle - len(lines[k][0]) * tall / 2, (wide, tall), *lines[k]))
            elif k != beneath - 1:
                words.append(Word(part, x + across[k] / 2, middle + 0.36 * em, em, align=0.5))
            x += across[k]
        labels = [_label(p, label, placed, self.width - MARGIN) for p in placed]
        return Arrangement(placed, words, labels, number_size(wide, tall))

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


def _lines(height: float, stacked: bool) -> int:
    """How many rows of readable numbers there is room for."""
    return min(MOST_LINES, int((height - 2 * MARGIN - (36 if stacked else 18)) * DOWN / COMFORTABLE) - stacked)


def _stackable(parts: Sequence[str | Operand]) -> bool:
    """Whether a bias is added to a product, which can stand beneath the weights."""
    if len(parts) < 5 or parts[1] != "@" or parts[3] != "+":
        return False
    weights, bias = parts[2], parts[4]
    return isinstance(weights, Operand) and isinstance(bias, Operand) and weights.cols == bias.cols == "j"


def _sizes(wide: float, tall: float) -> tuple[float, float]:
    """The em of signs and of labels beside cells of this size."""
    em = min(ACROSS * wide, DOWN * tall)
    return min(max(10.0, min(0.5 * wide, 1.5 * tall)), 26.0), min(max(9.0, 1.15 * em + 1), 15.0)


def _some(n: int, most: int, chosen: int | None) -> list[int | None]:
    """At most so many of n rows or columns: the first ones and the chosen one, with None for those left out."""
    if n <= most:
        return list(range(n))
    if chosen is None or chosen < most - 1:
        return [*range(most - 1), None]
    last = [None, chosen] if chosen == n - 1 else [None, chosen, None]
    return [*range(most - len(last)), *last]


def _shortest(operand: Operand) -> str:
    """Its label, or a word for what could not be read beside so few columns: a slope, or what part of a line gives."""
    most = max(12, 5 * operand.value.shape[1])
    if len(operand.label) <= most:
        return operand.label
    return "slope" if is_slope(operand.name) else operand.label[: most - 1] + "…"


def _label(placed: Placed, size: float, others: Sequence[Placed], end: float) -> Word:
    """The name of an operand and its whole shape, as they fit between its neighbours."""
    axes = placed.operand.shape or placed.operand.value.shape
    room = min([*(other.x for other in others if other.x > placed.x), end + 4]) - placed.x - 4
    averaged = _box(placed, 0, len(placed.rows), 0, len(placed.cols)).means
    note = f", averaged {averaged[0]} × {averaged[1]}" if averaged != (1, 1) else ""
    shape = f" {axes}" if placed.operand.value.size > 1 else ""
    label, short = placed.operand.label, _shortest(placed.operand)
    texts = [label + shape + note, label + note, short + shape + note, short + note]
    words = [Word(text, placed.x, placed.y - 0.35 * size, size, bold=True) for text in texts]
    fitting = next((word for word in words if word.width <= room), words[-1])
    return fitting._replace(size=size * min(1.0, room / fitting.width))


def _box(placed: Placed, top: int, bottom: int, left: int, right: int) -> Box:
    wide, tall = placed.cell
    return Box(
        placed.operand.name, placed.x + left * wide, placed.y + top * tall, (right - left) * wide,
        (bottom - top) * tall, bottom - top, right - left, "",
    )  # fmt: skip


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
        blocks.append((_box(placed, top, bottom, left, right), scale, value))
    return blocks


def _ellipses(placed: Placed) -> list[Word]:
    """An ellipsis in each cell that stands for others."""
    wide, tall = placed.cell
    size = min(0.4 * wide, 0.8 * tall)
    cells = product(enumerate(placed.rows), enumerate(placed.cols))
    at = [("⋮" if row is None else "…", r + 0.5, c + 0.5) for (r, row), (c, col) in cells if None in (row, col)]
    return [Word(dots, placed.x + c * wide, placed.y + r * tall + 0.25 * size, size, 0.5) for dots, r, c in at]
