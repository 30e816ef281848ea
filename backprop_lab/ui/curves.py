"""Loss curves as a picture that is readable on light and dark backgrounds."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from backprop_lab.step.number_format import plain
from backprop_lab.ui.plot_settings import own_settings
from backprop_lab.ui.theme import CURVES, GREY

EXPLODED = 1e6  # times the loss at the start: where the axis ends
LOW = 150  # a picture that is lower has room for small letters, and for the ends of its axis alone


@own_settings()
def draw_curves(losses: Mapping[str, Sequence[float]], width: float = 560, height: float = 230) -> str:
    """An HTML image of losses by iteration, on a logarithmic scale, `width` by `height` CSS pixels.

    A loss that explodes leaves the picture at the top, so that the other curves keep their shape; a point stands for
    one that is a number once.
    """
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot(facecolor="none")
    for (name, values), colour in zip(losses.items(), CURVES, strict=False):
        known = np.array(values, dtype=float)
        known[~((known > 0) & (known < 1e200))] = np.nan  # beyond that, the ends of the axis itself would overflow
        alone = "o" if np.count_nonzero(known > 0) == 1 else None
        axes.plot(known, color=colour, lw=2.2, marker=alone, label=name)
    axes.set(yscale="log", xlabel="iteration", ylabel="loss")
    highest = EXPLODED * max((values[0] for values in losses.values() if 0 < values[0] < 1e200), default=1.0)
    size = 7.0 if height < LOW else 10.0
    shown = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    is_cut, shown = np.any(shown > highest), shown[shown <= highest]
    last = max(1, *(len(values) - 1 for values in losses.values()))
    axes.set_xlim(-0.05 * last, 1.05 * last)
    axes.locator_params("x", integer=True)
    if is_cut and shown.size:
        axes.set_ylim(shown.min() * (shown.min() / highest) ** 0.05, highest)
    if height < LOW and shown.size:
        ends = sorted({float(shown.min()), float(shown.max())})
        axes.set_yticks(ends, [plain(y, 2) for y in ends])
        axes.set_yticks([], minor=True)
    axes.tick_params(colors=GREY, which="both", labelsize=size)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set(color=GREY, size=size)
    axes.spines[:].set_color(GREY)
    beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if height < LOW else {}
    axes.legend(frameon=False, labelcolor=GREY, fontsize=size, **beside)
    data = io.BytesIO()
    figure.set_dpi(200)  # crisp on a high-density screen too
    FigureCanvasAgg(figure).print_png(data)
    summary = "; ".join(
        f"{name} goes from {plain(values[0], 4)} to {plain(values[-1], 4)}" for name, values in losses.items()
    )
    source = base64.b64encode(data.getvalue()).decode()
    alt = html.escape(f"Loss by iteration, on a logarithmic scale: {summary}.")
    return f'<img alt="{alt}" style="width: {width}px; max-width: 100%" src="data:image/png;base64,{source}">'
