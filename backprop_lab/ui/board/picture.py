"""A picture in CSS pixels, y downwards, drawn by matplotlib at any density of the screen, and its PNG.

What matplotlib draws is taken over as `pixels`, numbers of the colours of a palette; cells are painted there.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from PIL import Image

from backprop_lab.nn.layers import Array
from backprop_lab.ui.board.colours import in_few_colours, palette
from backprop_lab.ui.board.text import Word, path_of
from backprop_lab.ui.theme import Theme


class Picture:
    """A canvas of `width` by `height` CSS pixels, at `ratio` device pixels for each of them.

    Its palette has `of_scale` colours of the scale of values, and shades of `more`.
    """

    def __init__(
        self, width: float, height: float, ratio: float, theme: Theme, of_scale: int = 64, more: tuple[str, ...] = ()
    ) -> None:
        self.width, self.height, self.ratio = width, height, ratio
        self.theme, self._colours = theme, (theme, of_scale, more)
        size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
        # Slightly more than this many pixels: 464 can come out as 463.99, which matplotlib before 3.11 cuts to 463.
        across, down = ((pixels + 1e-6) / (100 * ratio) for pixels in size)
        self.figure = Figure(figsize=(across, down), dpi=100 * ratio, facecolor=theme.paper)
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_axes((0, 0, 1, 1), frameon=False)
        self.axes.set(xlim=(0, size[0] / ratio), ylim=(size[1] / ratio, 0), xticks=[], yticks=[])
        self.pixels: Array
        self.words: dict[PathPatch, Sequence[Word]] = {}  # as whose outlines each of these is drawn
        self.pixel = 72 / 100  # a CSS pixel in points, the unit of line widths

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

    def take(self) -> Array:
        """What matplotlib has drawn, as numbers of the colours of the palette."""
        return self.numbers_of(np.asarray(self.canvas.buffer_rgba()))

    def numbers_of(self, pixels: Array) -> Array:
        """Rows of pixels of RGBA bytes, as numbers of the colours of the palette."""
        return np.array(in_few_colours(Image.fromarray(pixels), *self._colours))

    def image(self) -> Image.Image:
        """The picture as last drawn."""
        image = Image.fromarray(self.pixels)
        image.putpalette(palette(*self._colours).getpalette() or [])
        return image

    def png(self) -> bytes:
        """The picture as last drawn."""
        data = io.BytesIO()
        self.image().save(data, "PNG", compress_level=1)
        return data.getvalue()
