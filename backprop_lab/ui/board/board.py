"""The board: one picture of a whole training step, every matrix a heatmap with its numbers in it.

It knows arrays and layout, and nothing of widgets or pages. What never changes is drawn once and kept. A new state
fills the cells and copies ready-made digits into them, pixel by pixel: drawn as paths, they would take matplotlib five
times as long.
"""

import io
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from PIL import Image

from backprop_lab.number_format import format_number
from backprop_lab.tracing import Trace
from backprop_lab.ui.board.cells import COLOURS, GRADIENT_LIMIT, VALUE_LIMIT, CellPainter, scaled
from backprop_lab.ui.board.layout import ASPECT, CELL_WIDTH, GAP, LARGE_CELL_WIDTH, LEFT, readable_layout
from backprop_lab.ui.board.text import EMPTY, numbers_at, outline_of
from backprop_lab.ui.drawing import own_settings
from backprop_lab.ui.theme import DARK, LIGHT, NOT_FINITE, OPERAND, RESULT, Theme
from backprop_lab.ui.values.one_cell import Cell, work_out
from backprop_lab.ui.values.slopes import is_slope, slope_of, slopes_of, value_of

READABLE = 0.3  # of a cell's width for an em: the smallest readable text in the head


class Block(NamedTuple):
    """A block of a matrix, from the first to the last of its `rows` and `cols`; None means all of them."""

    name: str
    rows: tuple[int, int] | None = None
    cols: tuple[int, int] | None = None


def blocks(cells: Sequence[Cell]) -> list[Block]:
    """The cells as blocks, one for each matrix: the cells of a sum are a row, a column or the whole of it."""
    found: dict[str, tuple[int, int, int, int]] = {}
    for name, i, j in cells:
        top, bottom, left, right = found.get(name, (i, i, j, j))
        found[name] = (min(top, i), max(bottom, i), min(left, j), max(right, j))
    return [Block(name, (top, bottom), (left, right)) for name, (top, bottom, left, right) in found.items()]


class Board:
    """The picture of one trace, at most `width` CSS pixels wide, drawn at `ratio` device pixels for each of them.

    It is kept below `height` CSS pixels if the cells stay wide enough to read; `large` cells are for the back row.
    A board is made for the shapes of its first trace; `draw` takes any other trace of the same shapes.
    """

    @own_settings()
    def __init__(
        self,
        trace: Trace,
        width: int = 900,
        height: float = math.inf,
        ratio: float = 1.0,
        dark: bool = False,
        large: bool = False,
    ) -> None:
        self.theme = DARK if dark else LIGHT
        self._layout_key = _layout_key(trace)
        narrowest, widest = LARGE_CELL_WIDTH if large else CELL_WIDTH
        self.layout = readable_layout(trace, width, narrowest)
        fitting = max(narrowest, min(widest, height / (self.layout.height * ASPECT)))
        self.width = min(width, round(self.layout.width * fitting))
        self.cell_width = self.width / self.layout.width
        self.height = round(self.layout.height * self.cell_width * ASPECT)
        self.boxes = list(self.layout.boxes.values())
        size = (max(1, round(self.width * ratio)), max(1, round(self.height * ratio)))
        # Slightly more than this many pixels: 464 can come out as 463.99, which matplotlib before 3.11 cuts to 463.
        across, down = ((pixels + 1e-6) / 100 for pixels in size)
        self.figure = Figure(figsize=(across, down), dpi=100, facecolor=self.theme.paper)
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_axes((0, 0, 1, 1), frameon=False)
        self.axes.set(xlim=(0, self.layout.width), ylim=(self.layout.height, 0), xticks=[], yticks=[])
        self.pixel = ratio * 72 / 100  # a CSS pixel in points, the unit of line widths
        self._make_artists()
        self._draw_background(trace)

    @own_settings()
    def draw(self, trace: Trace, index: int, losses: Sequence[float] = (), cell: Cell | None = None) -> None:
        """Show the first `index` steps of `trace`, with the last of them as the current one, and the losses so far.

        The loss of this iteration, the last of `losses`, is shown once its step is.
        The operands of the current step and its result are framed; or, if a `cell` is given, that cell and its sources.
        """
        shown = {*trace.given, *(step.name for step in trace.steps[:index])}
        step = trace.steps[index - 1] if index else None
        values = [np.ravel(value_of(trace, box.name)) for box in self.boxes]
        shown |= {name for name in self.layout.boxes if is_slope(name) and slope_of(trace, name).shown_with in shown}
        visible = np.repeat([box.name in shown for box in self.boxes], [len(v) for v in values])
        self.cells.fill(np.concatenate(values), visible)
        operands, results, worked = [], [], ""
        if cell is not None:
            operands, results = blocks(work_out(trace, cell).sources), blocks([cell])
            worked = self._sum_in_head(trace, cell) if visible[self._at(cell)] else ""
        elif step is not None:
            operands, results = [Block(name) for name in step.operands], [Block(step.name)]
        self._outline(operands, results)
        self._write_head(trace, index, worked, len(losses) - 1)
        self._plot_losses(losses if "L" in shown else losses[:-1])
        self.canvas.restore_region(self._background)
        self.cells.paint(self.canvas.buffer_rgba(), 0.315 * self.axes.bbox.width / self.layout.width)
        for artist in (self.outlines, *self.head, self.curve, self.curve_end, self.curve_labels):
            self.axes.draw_artist(artist)

    def _at(self, cell: Cell) -> int:
        """The index of a cell among all cells of the board."""
        name, i, j = cell
        before = sum(box.rows * box.cols for box in self.boxes[: list(self.layout.boxes).index(name)])
        return before + i * self.layout.boxes[name].cols + j

    def fits(self, trace: Trace) -> bool:
        """Whether a trace has the shapes and layers this board was made for."""
        return bool(self._layout_key == _layout_key(trace))

    def png(self) -> bytes:
        """The picture as last drawn."""
        size, pixels = self.canvas.get_width_height(), self.canvas.buffer_rgba()
        picture = Image.frombuffer("RGBA", size, pixels, "raw", "RGBA", 0, 1).convert("RGB")
        data = io.BytesIO()
        picture.quantize(palette=_palette(self.theme), dither=Image.Dither.NONE).save(data, "PNG", compress_level=1)
        return data.getvalue()

    def boxes_on_page(self) -> list[tuple[str, float, float, float, float, int, int]]:
        """Where each matrix is: its name; left, top, width and height in fractions of the picture; rows and columns."""
        W, H = self.layout.width, self.layout.height
        return [(b.name, b.x / W, b.y / H, b.cols / W, b.rows / H, b.rows, b.cols) for b in self.boxes]

    def _draw_background(self, trace: Trace) -> None:
        ax, theme, layout = self.axes, self.theme, self.layout
        size = self.cell_width * 0.36 * self.pixel
        for box in self.boxes:
            label = _label(trace, box.name)
            fitting = min(1, (box.cols + GAP - 0.25) / (0.36 * outline_of(label, bold=True).width))
            style: dict[str, Any] = {"color": theme.ink, "size": size * fitting, "weight": "bold", "parse_math": False}
            ax.text(box.x, box.y - 0.31, label, **style)
        for name, top, bottom in layout.rows:
            side: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "center", "color": theme.faint}
            ax.text(0.42, (top + bottom) / 2, name, size=size * 0.9, **side)
        arrow = {"arrowstyle": "-|>", "color": theme.faint, "lw": 1.2 * self.pixel, "mutation_scale": size * 0.8}
        for x, y, direction in layout.arrows:
            tip, tail = x + direction * GAP * 0.32, x - direction * GAP * 0.32
            ax.annotate("", (tip, y), (tail, y), arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0})
        for (_, top, bottom), limit in zip(layout.rows, (VALUE_LIMIT, GRADIENT_LIMIT), strict=False):
            self._draw_colour_bar(top, bottom, limit, size * 0.85)
        x, y, width, height = layout.loss
        ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=theme.grid, lw=self.pixel))
        ax.text(x, y - 0.24, "loss by iteration", color=theme.ink, size=size, weight="bold")
        self.canvas.draw()  # the cells are still empty, so only their grid is drawn
        self._background = self.canvas.copy_from_bbox(self.figure.bbox)

    def _draw_colour_bar(self, top: float, bottom: float, limit: float, size: float) -> None:
        x = self.layout.width - 1.9
        bar = np.linspace(1, -1, 128)[:, None]
        self.axes.imshow(bar, COLOURS, vmin=-1, vmax=1, extent=(x, x + 0.35, bottom, top), aspect="auto", zorder=0)
        taken: list[float] = []
        for tick in [0.0, limit, -limit, limit / 10, -limit / 10, 1.0, -1.0]:
            y = (top + bottom) / 2 - float(scaled(np.array(tick), limit)) * (bottom - top) / 2
            if all(abs(y - other) > 0.7 for other in taken):
                taken.append(y)
                self.axes.text(x + 0.48, y, format_number(tick), va="center", color=self.theme.faint, size=size)

    def _make_artists(self) -> None:
        theme = self.theme
        self.cells = CellPainter(self.axes, self.boxes, theme, self.pixel)
        self.outlines = LineCollection([], colors=[], capstyle="projecting", joinstyle="miter")
        self.head = [PathPatch(EMPTY, facecolor=theme.ink, lw=0) for _ in range(3)]
        self.curve = PathPatch(EMPTY, fill=False, edgecolor=theme.ink, lw=1.6 * self.pixel, joinstyle="round")
        self.curve_end = PathPatch(EMPTY, facecolor=theme.loss, lw=0)
        self.curve_labels = PathPatch(EMPTY, facecolor=theme.ink, lw=0)
        self.axes.add_collection(self.outlines, autolim=False)
        for patch in (*self.head, self.curve, self.curve_end, self.curve_labels):
            self.axes.add_patch(patch)

    def _outline(self, operands: Sequence[Block], results: Sequence[Block]) -> None:
        """Frame the operands and the result of the step, or of the chosen cell."""
        chosen = [(block, OPERAND, 2.4) for block in operands] + [(block, RESULT, 3.4) for block in results]
        self.outlines.set_segments([self._frame(block) for block, _, _ in chosen])
        self.outlines.set_color([colour for _, colour, _ in chosen])
        self.outlines.set_linewidth([width * self.pixel for _, _, width in chosen] or [0])

    def _frame(self, block: Block) -> list[tuple[float, float]]:
        """The outline of a block, as a closed line slightly outside it."""
        box = self.layout.boxes[block.name]
        top, bottom = block.rows or (0, box.rows - 1)
        left, right = block.cols or (0, box.cols - 1)
        x0, x1 = box.x + left - 0.05, box.x + right + 1.05
        y0, y1 = box.y + top - 0.05 / ASPECT, box.y + bottom + 1 + 0.05 / ASPECT
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]

    def _sum_in_head(self, trace: Trace, cell: Cell) -> str:
        """The cell as a sum, with as many terms as are readable in one line."""
        room = (self.layout.width - LEFT - 5) / READABLE
        sums = [str(work_out(trace, cell, terms)) for terms in (8, 6, 5, 4, 3)]
        return next((each for each in sums if outline_of(each).width <= room), sums[-1])

    def _write_head(self, trace: Trace, index: int, worked: str, iteration: int) -> None:
        """The phase, and beside it the step, with its shapes if there is room, or the sum of the chosen cell."""
        if index:
            step = trace.steps[index - 1]
            phase, colour = step.phase.upper(), self.theme.phase(step.phase)
            text, aside = f"{step.name} = {step.code}", trace.shapes(step)
        else:
            phase, colour, aside = "START", self.theme.faint, ""
            given = "the new weights have moved up" if iteration else "the given values"
            text = f"{given}; press Next"
        if worked:
            text, aside = worked, ""
        x = LEFT
        for patch, word, bold, em in zip(
            self.head, (phase, text, aside), (True, False, False), (0.48, 0.42, 0.36), strict=True
        ):
            outline = outline_of(word, bold)
            room = self.layout.width - x - 0.3
            if not word or room < 1 or (word is aside and room / outline.width < READABLE):
                patch.set_path(EMPTY)
                continue
            em = min(em, room / outline.width)
            patch.set_path(Path(outline.vertices * (em, -em / ASPECT) + (x, 1.05), outline.codes))
            x += outline.width * em + 0.7
        self.head[0].set_facecolor(colour)
        self.head[2].set_facecolor(self.theme.faint)

    def _plot_losses(self, losses: Sequence[float]) -> None:
        """The losses on a logarithmic scale, with a dot on the current one; losses that overflowed are left out."""
        last = len(losses) - 1
        at = np.unique(np.linspace(0, last, 200).astype(int)) if losses else np.empty(0, int)
        known = np.array([losses[k] for k in at])
        finite = np.isfinite(known) & (known > 0)
        if not finite.any():
            for patch in (self.curve, self.curve_end, self.curve_labels):
                patch.set_path(EMPTY)
            return
        x0, y0, width, height = self.layout.loss
        logs = np.log10(known[finite])
        low, high = np.floor(logs.min()), np.ceil(logs.max() + 1e-9)
        if logs.min() == logs.max():  # in the middle: there is nothing yet that it could be high or low against
            low, high = logs[0] - 0.5, logs[0] + 0.5
        x = x0 + 0.3 + (width - 0.6) * at[finite] / max(1, last)
        y = y0 + height * (0.94 - 0.88 * (logs - low) / max(1.0, high - low))
        self.curve.set_path(Path(np.column_stack([x, y])))
        ends = [0, len(x) - 1][: len(x)]
        labels = [format_number(known[finite][k]) for k in ends]
        places = np.array([(x[k] + (0.3 if k == 0 else -0.3), y[k] + (0.9 if y[k] < y0 + 1.6 else -0.8)) for k in ends])
        self.curve_labels.set_path(numbers_at(labels, places))
        dot = Path.unit_circle()
        self.curve_end.set_path(Path(np.asarray(dot.vertices) * (0.13, 0.13 / ASPECT) + (x[-1], y[-1]), dot.codes))


def _layout_key(trace: Trace) -> Any:
    """What the layout of a trace depends on."""
    return [step[:3] for step in trace.steps], [np.shape(trace[name]) for name in trace.given], [*slopes_of(trace)]


def _label(trace: Trace, name: str) -> str:
    """The label of a matrix: its name, or for a slope its formula, such as `H1 > 0`."""
    return slope_of(trace, name).code if is_slope(name) else name


@lru_cache(maxsize=2)
def _palette(theme: Theme) -> Image.Image:
    """At most 256 colours, in which the board loses nothing that the eye can see."""
    rows = [COLOURS(np.linspace(0, 1, 64))[:, :3]]
    fixed = [mpl.colors.to_rgb(c) for c in (*theme, OPERAND, RESULT, NOT_FINITE)]
    paper = np.array(mpl.colors.to_rgb(theme.paper))
    for colour in fixed:
        rows.append(paper + np.linspace(0, 1, 8)[1:, None] * (np.array(colour) - paper))
    rows.append(np.linspace(0, 1, 32)[:, None] * np.ones(3))
    colours = np.concatenate(rows)[:256]
    image = Image.new("P", (1, 1))
    image.putpalette((colours * 255).round().astype(np.uint8).tobytes())
    return image
