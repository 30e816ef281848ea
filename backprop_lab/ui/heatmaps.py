"""Matrices as heatmaps side by side, with their numbers in the cells and names on their rows and columns."""

import io
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from backprop_lab.nn.arrays import as_readonly_array
from backprop_lab.nn.checking import in_short
from backprop_lab.nn.lines import Array
from backprop_lab.reading.scale import scale_of
from backprop_lab.step.checking import check_real
from backprop_lab.step.number_format import format_number, plain
from backprop_lab.ui.plot_settings import own_settings
from backprop_lab.ui.saving import place_for
from backprop_lab.ui.theme import DARK, HEATMAP, LIGHT, NOT_FINITE

CELL = (62, 34)  # the width and the height of a cell, in CSS pixels
GAP = 28  # between two matrices
MOST_CELLS = 128, 4096  # in a row or a column, and in all: a picture of some 35 million pixels


@dataclass(frozen=True, repr=False)
class Heatmaps:
    """A picture that a notebook shows where a cell ends with it; `alt` says in words what is on it."""

    png: bytes
    size: tuple[int, int]
    alt: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the picture, whose name ends with .png. Raises ValueError for another ending or no folder."""
        place_for(path, [".png"], "heatmaps are saved as a .png file").write_bytes(self.png)

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        return self.png, {"width": self.size[0], "height": self.size[1], "alt": self.alt}

    def __repr__(self) -> str:
        return self.alt


@own_settings()
def draw_heatmaps(
    matrices: Mapping[str, Any], rows: Sequence[str] = (), columns: Sequence[str] = (), *, dark: bool = False
) -> Heatmaps:
    """Matrices of one shape by their titles, such as `{"P": P, "y": y}`, with names for their rows and columns.

    All have the same colours, as on the board: red above 0, blue below, and darkest where a number is largest in size.
    Beneath them stands how far the scale is linear, and where it ends. With `dark`, they are on dark paper.
    Raises ValueError if there is none, if they differ in shape, if one is no full table of real numbers, if there are
    more numbers than anybody could read, and if there are not as many names as rows or columns.
    """
    tables = _tables(matrices)
    for which, labels in (("rows", rows), ("columns", columns)):
        if isinstance(labels, str) or not isinstance(labels, Collection):
            raise ValueError(f"{which} are names, a list with one for each; got {labels!r}")
    names = [
        list(map(str, given if len(given) else range(n)))
        for given, n in zip((rows, columns), tables[0].shape, strict=True)
    ]
    if (counts := tuple(map(len, names))) != tables[0].shape:
        raise ValueError(f"heatmaps of shape {tables[0].shape} need as many names of rows and columns; got {counts}")
    (high, wide), theme = tables[0].shape, DARK if dark else LIGHT
    width, height = wide * CELL[0], high * CELL[1]
    figure = Figure(figsize=(width / 100, height / 100), dpi=200, facecolor=theme.paper)  # 200: crisp on any screen
    scale = scale_of(tables)
    for k, (title, table) in enumerate(zip(matrices, tables, strict=True)):
        axes = figure.add_axes((k * (1 + GAP / width), 0, 1, 1))
        levels = scale.levels(table)
        colours = mpl.colormaps[HEATMAP].resampled(256)(levels / 2 + 0.5)
        colours[levels > 1] = mpl.colors.to_rgba(NOT_FINITE)
        axes.imshow(colours, aspect="auto")
        axes.set_title(title, fontsize=10, color=theme.ink)
        axes.set_xticks(range(wide), names[1], fontsize=9)
        axes.set_yticks(range(high), [""] * high if k else names[0], fontsize=9)
        axes.tick_params(length=0, labelcolor=theme.ink)
        if k == 0:
            legend = f"colours: linear to {plain(scale.linear, 3)}, darkest at {plain(scale.limit, 3)}"
            axes.set_xlabel(legend, fontsize=8, color=theme.faint, loc="left")
        for (i, j), number in np.ndenumerate(table):
            is_dark = (colours[i, j, :3] ** 2.2) @ [0.2126, 0.7152, 0.0722] < 0.18
            ink = "white" if is_dark else "black"
            axes.text(j, i, format_number(number), ha="center", va="center", fontsize=9, color=ink)
    FigureCanvasAgg(figure)
    drawn, data = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, bbox_inches="tight")  # with what stands around: it is as large as the names are
    picture = Image.open(drawn).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)  # a third of the size
    words = "; ".join(f"{title}: {_in_words(table, *names)}" for title, table in zip(matrices, tables, strict=True))
    return Heatmaps(data.getvalue(), (picture.width // 2, picture.height // 2), f"Heatmap. {words}.")


def _tables(matrices: Any) -> list[Array]:
    """The matrices as floats, all of one shape. Raises ValueError, naming one that cannot be drawn."""
    if not isinstance(matrices, Mapping):
        raise ValueError(f"heatmaps have titles: give matrices by name, such as {{'P': P}}; got {in_short(matrices)}")
    arrays = {str(title): as_readonly_array(title, matrix, is_data=True) for title, matrix in matrices.items()}
    check_real(**arrays)
    tables = [np.atleast_2d(array).astype(float) for array in arrays.values()]
    shapes = {table.shape for table in tables}
    if len(shapes) != 1 or tables[0].ndim != 2 or not tables[0].size:
        got = ", ".join(map(str, sorted(shapes))) or "none"
        raise ValueError(f"heatmaps side by side have one shape (rows, columns), with a number or more; got {got}")
    high, wide = tables[0].shape
    wide *= len(tables)
    if max(high, wide) > MOST_CELLS[0] or high * wide > MOST_CELLS[1]:
        raise ValueError(
            f"heatmaps show up to {MOST_CELLS[0]} rows, {MOST_CELLS[0]} columns side by side and {MOST_CELLS[1]:,} "
            f"numbers; here are {high:,}, {wide:,} and {high * wide:,}: draw a part of each, such as P[:20, :20]"
        )
    return tables


def _in_words(table: Any, rows: Sequence[str], columns: Sequence[str]) -> str:
    """Row by row, each number with the name of its column."""
    return ", ".join(
        f"{row}: "
        + " ".join(f"{column} {format_number(number)}" for column, number in zip(columns, numbers, strict=True))
        for row, numbers in zip(rows, table, strict=True)
    )
