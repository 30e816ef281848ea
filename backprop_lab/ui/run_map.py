"""The map of a sweep: a seed in every row, a learning rate in every column, coloured by how far the loss came down."""

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from backprop_lab.sweep import Sweep
from backprop_lab.ui.board import DARK, LIGHT

LOSSES = mpl.colormaps["YlGnBu_r"].with_extremes(bad="#d7301f")  # deep blue for a low loss, red where it diverged
LIMITS = (1e-4, 1e2)  # of the colours, fixed, so that any two maps compare
MARGINS = (60, 104, 20, 46)  # left, right, top and bottom of the map, in CSS pixels
MARKS = ("#ff8c00", "#ff4fd8")  # around the first and the second chosen run


class RunMap:
    """The picture of a sweep, `width` by `height` CSS pixels, drawn at `ratio` device pixels for each of them."""

    def __init__(self, width: int, height: int = 420, ratio: float = 1.0, dark: bool = False) -> None:
        theme = DARK if dark else LIGHT
        self.size = (width, height)
        self.figure = Figure(figsize=(width / 100, height / 100), dpi=100 * ratio, facecolor=theme.paper)
        self.canvas = FigureCanvasAgg(self.figure)
        left, right, top, bottom = MARGINS
        self.box = (left / width, top / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
        x, y, w, h = self.box
        self.axes = self.figure.add_axes((x, 1 - y - h, w, h))
        scale = self.figure.add_axes((x + w + 0.02, 1 - y - h, 0.016, h))
        self.image = self.axes.imshow(np.ones((1, 1)), LOSSES, LogNorm(*LIMITS), aspect="auto", interpolation="nearest")
        self.limit = [LineCollection([], colors=c, linewidths=w) for c, w in (("#111111", 4.5), ("#ffffff", 2))]
        for line in self.limit:
            self.axes.add_collection(line, autolim=False)
        self.marks = [self.axes.plot([], [], "o", ms=13, mfc="none", mew=3, color=colour)[0] for colour in MARKS]
        Colorbar(scale, self.image).set_label("loss at the end", color=theme.ink)
        self.axes.set_xlabel("learning rate", color=theme.ink)
        self.axes.set_ylabel("seed", color=theme.ink)
        for axes in (self.axes, scale):
            axes.tick_params(colors=theme.ink, which="both")
            axes.spines[:].set_color(theme.faint)

    def draw(self, sweep: Sweep, limits: Sequence[float], chosen: Sequence[tuple[int, int]]) -> None:
        """Show the losses that a sweep has come to, a line where theory sets the limit, and the chosen runs.

        `limits` has the critical learning rate of each seed; `chosen` the rows and columns of up to two runs.
        """
        rows, cols = sweep.diverged.shape
        loss = np.clip(sweep.loss[..., sweep.step], *LIMITS)
        self.image.set_data(np.ma.array(loss, mask=sweep.diverged >= 0))
        self.image.set_extent((-0.5, cols - 0.5, rows - 0.5, -0.5))
        first, last = np.log10(sweep.lrs[0]), np.log10(sweep.lrs[-1])

        def column(lr: float) -> float:
            return float((np.log10(lr) - first) / (last - first) * (cols - 1)) if cols > 1 else 0.0

        decades = np.arange(np.ceil(first - 1e-9), np.floor(last + 1e-9) + 1)
        self.axes.set_xticks([column(10.0**decade) for decade in decades], [f"{10.0**decade:g}" for decade in decades])
        seeds = np.unique(np.linspace(0, rows - 1, min(rows, 9)).astype(int))
        self.axes.set_yticks(seeds, [str(sweep.seeds[k]) for k in seeds])
        segments = [[(column(lr), k - 0.5), (column(lr), k + 0.5)] for k, lr in enumerate(limits) if np.isfinite(lr)]
        for line in self.limit:
            line.set_segments(segments)
        self.axes.set(xlim=(-0.5, cols - 0.5), ylim=(rows - 0.5, -0.5))
        for mark, place in zip(self.marks, [*chosen, None, None], strict=False):
            mark.set_data(*([place[1]], [place[0]]) if place else ([], []))

    def png(self) -> bytes:
        """The picture as it was last drawn."""
        data = io.BytesIO()
        self.figure.savefig(data, format="png", dpi="figure", pil_kwargs={"compress_level": 1})
        return data.getvalue()
