"""A picture in CSS pixels, y downwards, drawn by matplotlib at any density of the screen, and its PNG."""

import io
from collections.abc import Sequence
from functools import lru_cache

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from PIL import Image

from backprop_lab.ui.board.cells import COLOURS
from backprop_lab.ui.board.text import Word, path_of
from backprop_lab.ui.theme import NOT_FINITE, OPERAND, RESULT, RIGHT, WRONG, Theme


class Picture:
    """A canvas of `width` by `height` CSS pixels, at `ratio` device pixels for each of them."""

    def __init__(self, width: float, height: float, ratio: float, theme: Theme) -> None:
        self.theme = theme
        size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
        # Slightly more than this many pixels: 464 can come out as 463.99, which matplotlib before 3.11 cuts to 463.
        across, down = ((pixels + 1e-6) / 100 for pixels in size)
        self.figure = Figure(figsize=(across, down), dpi=100, facecolor=theme.paper)
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_axes((0, 0, 1, 1), frameon=False)
        self.axes.set(xlim=(0, size[0] / ratio), ylim=(size[1] / ratio, 0), xticks=[], yticks=[])
        self.words: dict[PathPatch, Sequence[Word]] = {}  # as whose outlines each of these is drawn
        self.pixel = ratio * 72 / 100  # a CSS pixel in points, the unit of line widths

    def write(self, words: Sequence[Word], colour: str) -> PathPatch:
        """Add words to the picture, as one artist."""
        patch = PathPatch(path_of(words), facecolor=colour, lw=0)
        self.axes.add_artist(patch)
        self.words[patch] = words
        return patch

    def rewrite(self, patch: PathPatch, words: Sequence[Word]) -> None:
        """Put other words in the place of those of an artist."""
        patch.set_path(path_of(words))
        self.words[patch] = words

    def png(self) -> bytes:
        """The picture as last drawn."""
        size, pixels = self.canvas.get_width_height(), self.canvas.buffer_rgba()
        picture = Image.frombuffer("RGBA", size, pixels, "raw", "RGBA", 0, 1)
        data = io.BytesIO()
        in_few_colours(picture, self.theme).save(data, "PNG", compress_level=1)
        return data.getvalue()


def in_few_colours(picture: Image.Image, theme: Theme) -> Image.Image:
    """The same with at most 256 colours, in which a picture loses nothing that the eye can see."""
    return picture.convert("RGB").quantize(palette=_palette(theme), dither=Image.Dither.NONE)


@lru_cache(maxsize=2)
def _palette(theme: Theme) -> Image.Image:
    rows = [COLOURS(np.linspace(0, 1, 64))[:, :3]]
    fixed = [mpl.colors.to_rgb(c) for c in (*theme, OPERAND, RESULT, NOT_FINITE, RIGHT, WRONG)]
    paper = np.array(mpl.colors.to_rgb(theme.paper))
    for colour in fixed:
        rows.append(paper + np.linspace(0, 1, 8)[1:, None] * (np.array(colour) - paper))
    rows.append(np.linspace(0, 1, 32)[:, None] * np.ones(3))
    colours = np.concatenate(rows)[:256]
    image = Image.new("P", (1, 1))
    image.putpalette((colours * 255).round().astype(np.uint8).tobytes())
    return image
