"""The map of many runs: a network in every row, a learning rate in every column, coloured by the change of the loss."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.text import Annotation
from matplotlib.textpath import TextPath

from backprop_lab.nn.layers import Array
from backprop_lab.nn.optimizers import Momentum, Nesterov, Optimizer
from backprop_lab.ui.board.colours import COLOURS
from backprop_lab.ui.board.picture import Picture
from backprop_lab.ui.board.text import Word
from backprop_lab.ui.plot_settings import own_settings
from backprop_lab.ui.rates.sweeper import RunIndex, Runs
from backprop_lab.ui.theme import CURVES, DARK, LIGHT, LOST

DECADES = 4  # from the middle of the colours to each end: a loss that fell or grew by a factor of 10,000
NAMES = "AB"  # of the chosen runs
STANDARD = 1000  # CSS pixels; on a wider map everything is larger
MARGINS = (66, 124, 28, 44)  # left, right, top and bottom of the map, in CSS pixels
TEXT = 9.5  # points, of 1.4 CSS pixels each
ROOM = 15  # CSS pixels for the number of a row


class RunMap(Picture):
    """The picture of many runs, `width` by `height` CSS pixels, drawn at `ratio` device pixels for each of them.

    A loss that is as it was at the start is pale, one that fell is blue, one that grew is red, and one that overflowed
    is striped. A white line marks the local limit of each row.
    """

    @own_settings()
    def __init__(self, width: float, height: float = 420, ratio: float = 1.0, dark: bool = False) -> None:
        larger = min(max(width / STANDARD, 1.0), 1.5)  # a large screen is viewed from further away
        width, height = width / larger, height / larger
        super().__init__(width, height, ratio * larger, DARK if dark else LIGHT, 120, (LOST, *CURVES))
        left, right, top, bottom = MARGINS
        self.size = (width - left - right, height - top - bottom)  # of the map itself, in CSS pixels
        x, y, w, h = self.box = (left / width, top / height, self.size[0] / width, self.size[1] / height)
        self.map = self._make_axes(x, 1 - y - h, w, h)
        self.map.set_xlabel("learning rate", color=self.theme.ink, fontsize=TEXT)
        self.map.set_ylabel("seed", color=self.theme.ink, fontsize=TEXT)
        self._make_scale(x + w + 16 / width, 1 - y - h, 14 / width, h)
        self._make_artists()
        self._laid_out_for: object = None
        self._ground: tuple[object, Any] = (None, None)  # what is drawn once, and for what

    def _make_axes(self, x: float, y: float, width: float, height: float) -> Axes:
        axes = self.figure.add_axes((x, y, width, height), facecolor=self.theme.paper)
        axes.tick_params(colors=self.theme.ink, labelsize=TEXT)
        axes.spines[:].set_color(self.theme.faint)
        return axes

    def _make_scale(self, x: float, y: float, width: float, height: float) -> None:
        """The colour scale, to the right of the map."""
        striped, gap = (pixels * height / self.size[1] for pixels in (30, 14))
        scale = self._make_axes(x, y, width, height - striped - gap)
        scale.imshow(np.linspace(-DECADES, DECADES, 256)[:, None], COLOURS, aspect="auto", origin="lower")
        names = ["÷ 10,000", "÷ 100", "initial loss", "× 100", "× 10,000"]
        scale.set_yticks(np.linspace(0, 255, len(names)), names)
        lost = self._make_axes(x, y + height - striped, width, striped)
        lost.set_yticks([0.5], ["overflowed"])
        lost.add_patch(_stripes(lost))
        for axes in (scale, lost):
            axes.set_xticks([])
            axes.yaxis.tick_right()

    def _make_artists(self) -> None:
        """The artists that change from one picture to the next, and the stripes behind them."""
        self.map.add_patch(_stripes(self.map))
        self.limit = [
            self.map.plot([], [], color=colour, lw=width, solid_joinstyle="miter", animated=True)[0]
            for colour, width in (("#111111", 4.5), ("#ffffff", 2))
        ]
        self.map.yaxis.set_label_coords((20 - MARGINS[0]) / self.size[0], 0.5)
        self.limit_label, self.names = self.write([], self.theme.ink), self.write([], self.theme.ink)
        for patch in (self.limit_label, self.names):
            patch.set_animated(True)
        self.marks = [self._make_mark(name, colour) for name, colour in zip(NAMES, CURVES, strict=False)]

    def _make_mark(self, name: str, colour: str) -> tuple[Line2D, Line2D, Annotation]:
        """A ring around a chosen run, visible on every colour of the map, with its name beside it."""
        halo, ring = (
            self.map.plot([], [], "o", ms=15, mfc="none", mec=edge, mew=width, animated=True, clip_on=False)[0]
            for edge, width in (("#ffffff", 6), (colour, 3))
        )
        label = self.map.annotate(
            name,
            (0, 0),
            xytext=(11, 11),
            textcoords="offset points",
            color="#ffffff",
            fontsize=TEXT,
            fontweight="bold",
            ha="center",
            va="center",
            animated=True,
            bbox={"boxstyle": "circle,pad=0.15", "facecolor": colour, "edgecolor": "#ffffff"},
        )
        return halo, ring, label

    @own_settings()
    def draw(self, runs: Runs, chosen: tuple[RunIndex, ...] = ()) -> None:
        """Show how the loss of each run has changed, the local limits, and which runs are chosen."""
        if self._laid_out_for is not runs.sweep:
            self._lay_out(runs)
        np.asarray(self.canvas.buffer_rgba())[:] = self._background
        self._paint(runs.change)
        for stroke in self.limit:
            self.map.draw_artist(stroke)
        for (halo, ring, label), (row, col) in zip(self.marks, chosen, strict=False):
            halo.set_data([col], [row])
            ring.set_data([col], [row])
            label.xy = col, row
            for artist in (halo, ring, label):
                self.map.draw_artist(artist)
        self.pixels = self.take()

    def _paint(self, change: Array) -> None:
        """Fill the cells, but not those of losses that have overflowed."""
        pixels = np.asarray(self.canvas.buffer_rgba()).view(np.uint32)[..., 0]
        edges = np.rint(self.map.get_window_extent().extents).astype(int)
        inside = pixels[len(pixels) - edges[3] : len(pixels) - edges[1], edges[0] : edges[2]]
        row, col = (np.arange(many) * cells // many for many, cells in zip(inside.shape, change.shape, strict=True))
        colours = COLOURS((levels(change) / DECADES + 1) / 2, bytes=True).view(np.uint32)[..., 0]
        np.copyto(inside, colours[row][:, col], where=np.isfinite(change)[row][:, col])

    def _lay_out(self, runs: Runs) -> None:
        """Draw everything that stays the same while these runs are trained."""
        rows, cols = runs.shape
        first, last = (math.log10(lr) for lr in (runs.sweep.lrs[0], runs.sweep.lrs[-1]))

        def column(lr: float) -> float:
            return (math.log10(lr) - first) / (last - first) * (cols - 1)

        apart = math.ceil(ROOM * rows / self.size[1])
        given = [row for row, seed in enumerate(runs.sweep.seeds) if seed is None]  # one row, if any, with a name
        numbered = [row for row in range(0, rows, apart) if all(abs(row - other) >= apart for other in given)] + given
        left, top, em = MARGINS[0], MARGINS[2], TEXT * 100 / 72
        names = ["given" if seed is None else str(seed) for seed in runs.sweep.seeds]
        beside = [(names[row], top + self.size[1] * (row + 0.5) / rows) for row in numbered]
        self.rewrite(self.names, [Word(name, left - 7, y + 0.36 * em, em, align=1) for name, y in beside])
        known = [(lr if 0 < lr < math.inf else math.nan, row) for row, lr in enumerate(runs.limits)]
        line = [(column(lr), row + edge) for lr, row in known for edge in (-0.5, 0.5)]
        for stroke in self.limit:
            stroke.set_data(*np.array(line).reshape(-1, 2).T)
        limits = [col for col, _ in line if not math.isnan(col)]
        self.limit_label.set_visible(bool(limits))
        middle = left + self.size[0] * (min(max([*limits[:1], 0]), cols - 1) + 0.5) / cols
        outlines, codes = _as_outlines(limit_label(runs.sweep.problems[0].optimizer))
        self.limit_label.set_path(Path(outlines + (middle, top - 7), codes))
        if self._ground[0] != (drawn_for := (rows, numbered, runs.sweep.lrs, bool(limits))):
            decades = [10.0**k for k in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)]
            self.map.set(xlim=(-0.5, cols - 0.5), ylim=(rows - 0.5, -0.5))
            self.map.set_xticks([column(lr) for lr in decades], [f"{lr:g}" for lr in decades])
            self.map.set_yticks(numbered, [""] * len(numbered))
            self.map.set_ylabel("seed, lowest limit on top" if limits else "seed")
            self.canvas.draw()
            self._ground = drawn_for, np.array(self.canvas.buffer_rgba())
        canvas = np.asarray(self.canvas.buffer_rgba())
        canvas[:] = self._ground[1]
        for artist in (self.names, self.limit_label):
            self.axes.draw_artist(artist)
        self._background = canvas.copy()
        self._laid_out_for = runs.sweep


def limit_label(optimizer: Optimizer) -> str:
    """What stands above the line of the limits: see `limit_of` in `curvature`."""
    curvature = r"\lambda_\mathrm{max}"
    formulas: dict[type, str] = {
        Momentum: rf"2(1+\beta)/{curvature}",
        Nesterov: rf"2(1+\beta)/((1+2\beta)\,{curvature})",
    }
    return f"local limit of stability, ${formulas.get(type(optimizer), f'2/{curvature}')}$"


@lru_cache
def _as_outlines(label: str) -> tuple[Array, Array]:
    """Words as outlines around their middle."""
    words = TextPath((0, 0), label, size=TEXT * 100 / 72)
    middle = words.get_extents().x1 / 2, 0
    return (np.asarray(words.vertices) - middle) * (1, -1), np.asarray(words.codes)


def levels(change: Array) -> Array:
    """By how many decades each loss has fallen (below 0) or grown."""
    with np.errstate(divide="ignore"):
        return np.clip(np.log10(change), -DECADES, DECADES)


def _stripes(axes: Axes) -> Rectangle:
    """Stripes over the whole of the axes, for losses that have overflowed."""
    return Rectangle(
        (0, 0), 1, 1, transform=axes.transAxes, hatch="////", facecolor="none", edgecolor=LOST, linewidth=0
    )
