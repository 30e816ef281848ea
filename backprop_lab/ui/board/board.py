"""The board: one picture of a whole training step, every matrix a heatmap, with its numbers where they can be read.

It knows arrays and layout, and nothing of widgets or pages. What never changes is drawn once and kept. A new state
fills the cells and copies ready-made digits into them, pixel by pixel: drawn as paths, they would take matplotlib five
times as long.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from backprop_lab.nn.layers import Array
from backprop_lab.nn.steps import SCALARS
from backprop_lab.reading.mathml import LETTERS
from backprop_lab.reading.scale import Scales, kinds_of, scales_of
from backprop_lab.reading.slopes import is_slope, slope_of, slopes_of, value_of
from backprop_lab.step.number_format import format_number, plain
from backprop_lab.step.trace import Trace
from backprop_lab.ui.board.cells import CellPainter
from backprop_lab.ui.board.colours import digit_colours
from backprop_lab.ui.board.columns import AVERAGED
from backprop_lab.ui.board.layout import READABLE, Box, Layout, place_matrices
from backprop_lab.ui.board.picture import Picture
from backprop_lab.ui.board.text import EMPTY, Word
from backprop_lab.ui.plot_settings import own_settings
from backprop_lab.ui.theme import DARK, LIGHT, OPERAND, RESULT

SMALLEST_LABEL = 6.5  # CSS pixels an em
A_LETTER = re.compile(rf"^(d|[mv](?:hat)?)?({'|'.join(LETTERS)})(?=\d*(?:_new)?$)")
RENEWED_MARK = "▶"  # beside a colour scale that is another than in the iteration before
AVERAGED_MARK = "≈"  # where there is no room to say that squares are means


class Board(Picture):
    """The picture of one trace, at most `width` by `height` CSS pixels, at `ratio` device pixels for each of them.

    `large` cells are for the back row. A board is made for the shapes of its first trace; `draw` takes any other trace
    of the same shapes. The colours have the scales that this trace sets, unless other `scales` are given; those that
    are `renewed`, of "values" and "gradients", are marked. Raises ValueError for a network that is too large for it:
    see `layout`.
    """

    @own_settings()
    def __init__(
        self,
        trace: Trace,
        width: float = 900,
        height: float = math.inf,
        ratio: float = 1.0,
        dark: bool = False,
        large: bool = False,
        scales: Scales | None = None,
        renewed: Sequence[str] = (),
    ) -> None:
        self._layout_key = _layout_key(trace)
        self.layout = place_matrices(trace, width, height, large)
        super().__init__(round(self.layout.width), round(self.layout.height), ratio, DARK if dark else LIGHT)
        self.boxes = list(self.layout.boxes.values())
        self._kinds = kinds_of(trace)
        self._draw_background(trace)
        self._make_artists()
        self.rescale(scales or scales_of([trace]), renewed)

    @own_settings()
    def rescale(self, scales: Scales, renewed: Sequence[str] = ()) -> None:
        """Take other scales for the colours of all matrices; what has been drawn is gone."""
        self.scales, self.renewed = scales, renewed
        np.asarray(self.canvas.buffer_rgba())[:] = self._without_scales
        self.ramps: list[tuple[float, float, float, float]] = []
        if self.layout.scales:
            self._draw_scales(*self.layout.scales)
        self._background = np.array(self.canvas.buffer_rgba())
        self._empty = self.take()
        of_boxes = [scales.of(box.name, self._kinds) for box in self.boxes]
        self.cells = CellPainter(self.boxes, of_boxes, self.theme, self.ratio, self._empty.copy())
        self._plotted: object = None

    @own_settings()
    def draw(
        self, trace: Trace, index: int, losses: Sequence[float] = (), frames: Sequence[Sequence[Any]] = ()
    ) -> None:
        """Show the first `index` steps of `trace`, and the losses so far.

        The loss of this iteration, the last of `losses`, is shown once its step is. Where no page draws them, `frames`
        are [name, first row, last row, first column, last column, "operand" or "result"].
        """
        shown = {*trace.given, *(step.name for step in trace.steps[:index])}
        shown |= {name for name in self.layout.boxes if is_slope(name) and slope_of(trace, name).shown_with in shown}
        self.cells.fill([value_of(trace, box.name) if box.name in shown else None for box in self.boxes])
        self._plot_losses(losses if trace.problem.loss_name in shown else losses[:-1])
        self.pixels = self.cells.pixels.copy()
        corner, drawn, colours = self._curve_pixels
        self.pixels[corner][drawn] = colours
        self._outline(frames)

    def fits(self, trace: Trace) -> bool:
        """Whether a trace has the shapes and layers this board was made for."""
        return bool(self._layout_key == _layout_key(trace))

    def boxes_on_page(self) -> list[tuple[str, float, float, float, float, int, int]]:
        """Where each matrix is: its name; left, top, width and height in fractions of the picture; rows and columns."""
        W, H = self.width, self.height
        return [(b.name, b.x / W, b.y / H, b.width / W, b.height / H, b.rows, b.cols) for b in self.boxes]

    def _draw_background(self, trace: Trace) -> None:
        layout, theme, font = self.layout, self.theme, self.layout.font
        self.notes = {box.name: word for box in self.boxes if (word := _note(trace, box, layout))}
        marks = {b.name: AVERAGED_MARK for b in self.boxes if b.means != (1, 1) and b.name not in self.notes}
        words = [(box.name, _label(trace, box, layout, marks.get(box.name, ""))) for box in self.boxes]
        self.labels = {name: word for name, word in words if word}
        if layout.edges:
            self._draw_edges()
            for word in self.labels.values():  # so that no edge strikes out its letters
                place = (word.x - 1, word.y - 0.8 * word.size), word.width + 2, word.size
                self.axes.add_artist(Rectangle(*place, color=theme.paper, lw=0, zorder=0.45))
        self.write([*self.labels.values()], theme.ink)
        self.write([*self.notes.values()], theme.faint)
        if layout.gap >= 7:
            half = min(0.34 * layout.gap, 0.5 * font)
            style = {"arrowstyle": "-|>", "color": theme.faint, "lw": 1.1 * self.pixel, "shrinkA": 0, "shrinkB": 0}
            style["mutation_scale"] = 0.65 * font * self.pixel
            for x, y, way in layout.arrows:
                self.axes.annotate("", (x + way * half, y), (x - way * half, y), arrowprops=style)
        self.plot: tuple[float, float, float, float] | None = None
        if layout.loss:
            self._draw_axes(*layout.loss)
        self.canvas.draw()
        self._without_scales = np.array(self.canvas.buffer_rgba())

    def _draw_edges(self) -> None:
        """What skips a level, behind all else."""
        curves = []
        for (x, y), (right, end) in self.layout.edges:
            sag = 2.4 * self.layout.font if abs(end - y) < self.layout.font else 0.0  # or it runs through the arrows
            middle = (x + right) / 2
            bend = [(x, y), (middle, y + sag), (middle, end + sag), (right, end)]
            curves.append(Path(bend, [Path.MOVETO, *[Path.CURVE4] * 3]))
            tip = min(4.0, 0.4 * self.layout.gap)  # before what it leads to, or it would seem to end anywhere
            curves.append(Path([(right - tip, end - tip), (right, end), (right - tip, end + tip)]))
        self.axes.add_artist(
            PathCollection(curves, facecolors="none", edgecolors=self.theme.faint, lw=0.8 * self.pixel, zorder=0.4)
        )

    def _draw_axes(self, x: float, y: float, width: float, height: float) -> None:
        """The axes of the loss, with its title; its ticks come with the losses."""
        theme, font = self.theme, self.layout.font
        title = Word("loss by iteration", x, y + font, font, bold=True)
        self.write([title._replace(size=font * min(1, width / title.width))], theme.ink)
        self.plot = (x + 3.4 * font, y + 1.9 * font, width - 4.2 * font, height - 3.4 * font)
        x, y, width, height = self.plot
        axes = PathPatch(Path([(x, y), (x, y + height), (x + width, y + height)]), fill=False, edgecolor=theme.faint)
        axes.set_linewidth(self.pixel)
        self.axes.add_artist(axes)

    def _draw_scales(self, x: float, y: float, width: float, height: float) -> None:
        """What the colours of values, of gradients and of memories mean."""
        by_kind, ratio = self.scales.by_kind(), self.ratio
        em = min(0.8 * self.layout.font, height / len(by_kind) / 3.8)
        pixels = np.asarray(self.canvas.buffer_rgba()).view(np.uint32)[..., 0]
        words, marks, room, width = [], [], width, min(width, 13 * em)
        for k, (name, scale) in enumerate(by_kind.items()):
            top = y + k * height / len(by_kind) + 1.2 * em
            linear = f"linear to {_short(scale.linear)}"
            title = Word(f"{name}, {linear}", x, top - 0.35 * em, em)
            if title.width <= room:
                words.append(title)
            else:
                second = Word(linear, x, top + 2.65 * em, em)
                words += [title._replace(text=name), second._replace(size=em * min(1, room / second.width))]
            inner = x + 1.4 * em, width - 2.8 * em
            left, right = round(inner[0] * ratio), round((inner[0] + inner[1]) * ratio)
            self.ramps.append((inner[0], top, inner[1], 0.7 * em))
            if name in self.renewed:
                marks.append(Word(RENEWED_MARK, inner[0] - 0.2 * em, top + 0.7 * em, 1.1 * em, align=1))
            shades = np.linspace(0, 255, right - left).round().astype(int)
            pixels[round(top * ratio) : round((top + 0.7 * em) * ratio), left:right] = digit_colours()[shades, 0]
            below = top + 1.7 * em
            ends = [Word(_short(end), 0, below, em) for end in (-scale.limit, scale.limit)]
            size = em * min(1, (room - 0.5 * em) / sum(word.width for word in ends))
            for word, at in zip(ends, (inner[0], inner[0] + inner[1]), strict=True):
                half = size / em * word.width / 2
                words.append(word._replace(x=min(max(at, x + half), x + room - half), size=size, align=0.5))
            if width > 10 * em:
                words.append(Word("0", inner[0] + inner[1] / 2, below, em, align=0.5))
        for patch, texts in ((self.scale_words, words), (self.scale_marks, marks)):
            self.rewrite(patch, texts)
            self.axes.draw_artist(patch)

    def _make_artists(self) -> None:
        theme = self.theme
        self.outlines = LineCollection([], colors=[], capstyle="projecting", joinstyle="miter")
        self.curve = PathPatch(EMPTY, fill=False, edgecolor=theme.ink, lw=1.6 * self.pixel, joinstyle="round")
        self.curve_end = PathPatch(EMPTY, facecolor=theme.loss, lw=0)
        self.curve_ticks, self.curve_label = self.write([], theme.faint), self.write([], theme.loss)
        self.scale_words, self.scale_marks = self.write([], theme.faint), self.write([], theme.ink)
        self.axes.add_collection(self.outlines, autolim=False)
        for patch in (self.curve, self.curve_end):
            self.axes.add_artist(patch)

    def _outline(self, frames: Sequence[Sequence[Any]]) -> None:
        looks = [{"operand": (OPERAND, 2.0), "result": (RESULT, 2.6)}[kind] for *_, kind in frames]
        self.outlines.set_segments([_frame(self.layout.boxes[name], *cells) for name, *cells, _ in frames])
        self.outlines.set_color([colour for colour, _ in looks])
        self.outlines.set_linewidth([width * self.pixel for _, width in looks] or [0])
        if frames:
            canvas, before = np.asarray(self.canvas.buffer_rgba()), np.asarray(self.image().convert("RGBA"))
            canvas[:] = before
            self.axes.draw_artist(self.outlines)
            self.pixels = np.where((canvas != before).any(axis=-1), self.take(), self.pixels)

    def _plot_losses(self, losses: Sequence[float]) -> None:
        """The losses on a logarithmic scale, with a dot on the current one; losses that overflowed are left out."""
        last = len(losses) - 1
        at = np.unique(np.linspace(0, last, min(last + 1, 200)).astype(int))  # at most 200, spread evenly
        known = np.asarray(losses)[at]
        if (plotted := (last, known.tobytes())) == self._plotted:
            return
        self._plotted = plotted
        self._set_curve(last, at, known)
        x, y, *_ = self.plot or (self.width, self.height)
        em = self.layout.font
        left, top = (max(0, int(self.ratio * edge)) for edge in (x - 7 * em, y - em))  # its numbers included
        corner = slice(top, None), slice(left, None)
        canvas, background = np.asarray(self.canvas.buffer_rgba())[corner], self._background[corner]
        canvas[:] = background
        for artist in (self.curve, self.curve_end, self.curve_ticks, self.curve_label):
            self.axes.draw_artist(artist)
        drawn = canvas.view(np.uint32)[..., 0] != background.view(np.uint32)[..., 0]
        self._curve_pixels = corner, drawn, self.numbers_of(canvas[drawn][None])[0]

    def _set_curve(self, last: int, at: Array, known: Array) -> None:
        """Give the curve, its dot and its numbers their outlines: `known` are the losses `at` some iterations."""
        finite = np.isfinite(known) & (known > 0)
        if self.plot is None or not finite.any():
            for patch in (self.curve, self.curve_end):
                patch.set_path(EMPTY)
            self.rewrite(self.curve_ticks, [])
            self.rewrite(self.curve_label, [])
            return
        x0, y0, width, height = self.plot
        logs, em = np.log10(known[finite]), 0.85 * self.layout.font
        low, high = logs.min(), logs.max()
        flat = high - low < 1e-9  # in the middle: there is nothing yet that it could be high or low against
        x = x0 + 0.06 * width + 0.88 * width * at[finite] / max(1, last)
        y = y0 + height * (np.full(len(logs), 0.5) if flat else 0.9 - 0.75 * (logs - low) / (high - low))
        self.curve.set_path(Path(np.column_stack([x, y])))
        dot = Path.unit_circle()
        self.curve_end.set_path(Path(np.asarray(dot.vertices) * 0.28 * self.layout.font + (x[-1], y[-1]), dot.codes))
        below, left = y0 + height + 1.25 * em, x0 - 0.4 * em
        current = Word(format_number(known[finite][-1]), left, y[-1] + 0.36 * em, em, align=1, bold=True)
        ends = {int(np.argmax(logs)), int(np.argmin(logs))} if not flat else set()
        ticks = [
            Word(format_number(known[finite][k]), left, y[k] + 0.36 * em, em, align=1)
            for k in ends if abs(y[k] - y[-1]) > em
        ]  # fmt: skip
        ticks.append(Word("0", x0 + 0.06 * width, below, em, align=0.5))
        if last:
            ticks.append(Word(str(last), x0 + 0.94 * width, below, em, align=0.5))
        self.rewrite(self.curve_ticks, ticks)
        self.rewrite(self.curve_label, [current])


def _layout_key(trace: Trace) -> Any:
    """What the layout of a trace depends on."""
    shapes = [np.shape(trace[name]) for name in trace.given]
    return [step[:3] for step in trace.steps], shapes, [*slopes_of(trace)]


def _short(number: float) -> str:
    """A round number, with as few characters as it has: `0.005`, `−2e−5`."""
    return re.sub(r"(?<=e)[+]?(−?)0*", r"\1", plain(number, 3))


def _frame(box: Box, top: int, bottom: int, left: int, right: int) -> list[tuple[float, float]]:
    """The outline of a block, from its first to its last row and column, as a closed line."""
    wide, high = box.width / box.cols, box.height / box.rows
    x0, x1 = box.x + left * wide, box.x + (right + 1) * wide
    y0, y1 = box.y + top * high, box.y + (bottom + 1) * high
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]


def _label(trace: Trace, box: Box, layout: Layout, mark: str = "") -> Word | None:
    """The name of a matrix, or of a slope its formula, such as `H1 > 0`; a short one where that could not be read.

    With memories, "new" would not say which: it is the name, with γ for gamma where that helps, or as much of it as can
    be read. A `mark` stands behind, or in its place.
    """
    texts = [slope_of(trace, box.name).code, "slope"] if is_slope(box.name) else [box.name]
    if box.row == "new weights" and box.name not in SCALARS and not trace.problem.lines.memories:
        texts.append("new")
    texts = [f"{text} {mark}" for text in texts] + [mark] if mark else texts
    short = A_LETTER.sub(lambda name: (name[1] or "") + LETTERS[name[2]], texts[-1])
    cut = (f"{short[:letters]}…" for letters in range(len(short) - 1, 2, -1))
    ways = (_fitting(way, box, layout, layout.font, bold=True) for way in (texts, [short], *([text] for text in cut)))
    return next(filter(None, ways), None)


def _note(trace: Trace, box: Box, layout: Layout) -> Word | None:
    """That squares are means of several cells."""
    if box.means == (1, 1):
        return None
    down, across = box.means
    name = _label(trace, box, layout)
    taken = name.width + 4 if name else 0
    texts = [f"{box.rows} × {box.cols}, averaged {down} × {across}", f"avg {down} × {across}", AVERAGED]
    return _fitting(texts, box._replace(x=box.x + taken, width=box.width - taken), layout, 0.85 * layout.font)


def _fitting(texts: list[str], box: Box, layout: Layout, size: float, bold: bool = False) -> Word | None:
    """The first of some texts that can be read in the room above a box, as large as it can be up to a size."""
    right = min(x for x in [layout.width, *(b.x for b in layout.boxes.values() if b.x > box.x + box.width)])
    for text in texts:
        word = Word(text, box.x, 0, size, bold=bold)
        word = word._replace(y=box.y - max(0.34 * layout.font, word.drop + 1.5))  # a frame leaves the tail of a "y"
        fitting = min(1.0, (right - 4 - box.x) / word.width)
        if fitting * size >= (SMALLEST_LABEL if text is texts[-1] else READABLE):
            return word._replace(size=fitting * size)
    return None
