"""The cells of the board: each filled with a colour, with ready-made digits copied into it, pixel by pixel."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

from backprop_lab.layers import Array
from backprop_lab.number_format import format_number
from backprop_lab.ui.board.layout import Box
from backprop_lab.ui.board.text import DIGIT_HEIGHT, FAMILY
from backprop_lab.ui.drawing import own_settings
from backprop_lab.ui.theme import HEATMAP, NOT_FINITE, Theme
from backprop_lab.ui.values.slopes import is_slope

# Where the colour scales end; fixed, so that any two pictures can be compared.
VALUE_LIMIT, GRADIENT_LIMIT = 10.0, 100.0
COLOURS = mpl.colormaps[HEATMAP].resampled(256)
with own_settings():
    DIGITS = findfont(FontProperties(family=FAMILY))


class CellPainter:
    """All cells of some boxes, one after the other: `levels` holds their places on the colour scale from -1 to 1 (2 if
    not finite, nan if not shown yet), and `numbers` the text in them (empty if not shown yet).

    Their grid is drawn into the axes once, when the painter is made; painting fills it.
    """

    def __init__(self, axes: Axes, boxes: Sequence[Box], theme: Theme, pixel: float) -> None:
        """`pixel` is the size of a CSS pixel in points; line widths are relative to it."""
        origins = np.array([(box.x + j, box.y + i) for box in boxes for i in range(box.rows) for j in range(box.cols)])
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
        width = 0.6 * pixel
        grid = PolyCollection(
            origins[:, None] + corners, facecolors=theme.paper, edgecolors=theme.grid, linewidths=width
        )
        axes.add_collection(grid, autolim=False)
        self._axes = axes
        self._limits = np.repeat([limit_of(box) for box in boxes], [box.rows * box.cols for box in boxes])
        self._pixels = self._cell_pixels(origins, width * 100 / 72)
        self.levels = np.full(len(origins), np.nan)
        self.numbers = [""] * len(origins)
        self._digits: dict[tuple[str, int], Array] = {}  # those now in the picture, by number and room

    def fill(self, values: Array, visible: Array) -> None:
        """Give every cell its value; cells that are not `visible` stay empty."""
        self.levels = np.where(visible, scaled(values, self._limits), np.nan)
        numbers = zip(values.tolist(), visible.tolist(), strict=True)
        self.numbers = [format_number(v) if shown else "" for v, shown in numbers]

    def _cell_pixels(self, origins: Array, line: float) -> list[list[int]]:
        """The pixels of each cell inside its grid lines, which are `line` pixels wide: left, top, right, bottom."""
        height = self._axes.figure.canvas.get_width_height()[1]
        corners = np.hstack([self._axes.transData.transform(points) for points in (origins, origins + 1)])
        corners[:, 1::2] = height - corners[:, 1::2]
        lines = np.floor(corners + 0.5) + round(line) % 2 / 2  # where Agg draws them
        inside: list[list[int]] = np.rint(lines + np.array([1, 1, -1, -1]) * line / 2).astype(int).tolist()
        return inside

    def paint(self, picture: Any, em: float) -> None:
        """Fill the cells into a picture of RGBA bytes, with digits whose em is `em` pixels."""
        pixels = np.asarray(picture).view(np.uint32)[..., 0]
        levels = np.nan_to_num(self.levels)
        colours = np.where(levels > 1, 256, np.clip((levels + 1) * 128, 0, 255)).astype(int).tolist()
        ramps = digit_colours()
        before, self._digits = self._digits, {}
        for (x, y, right, bottom), number, colour in zip(self._pixels, self.numbers, colours, strict=True):
            if not number:
                continue
            cell, ramp = pixels[y:bottom, x:right], ramps[colour]
            cell[:] = ramp[0]
            room = int(0.96 * (right - x))
            digits = before.get((number, room))
            if digits is None:
                digits = _digits(number, em, room)
            self._digits[number, room] = digits
            top, left = ((outer - inner) // 2 for outer, inner in zip(cell.shape, digits.shape, strict=True))
            if top >= 0 and left >= 0:
                cell[top : top + digits.shape[0], left : left + digits.shape[1]] = ramp.take(digits)


def limit_of(box: Box) -> float:
    """Where a box's colour scale ends; the loss, the learning rate and slopes do not use the scale of their row."""
    if box.name in ("L", "lr"):
        return math.inf
    return GRADIENT_LIMIT if box.row == "gradients" and not is_slope(box.name) else VALUE_LIMIT


def scaled(values: Array, limit: Any) -> Array:
    """Values on a fixed scale from -1 to 1, almost linear up to 1 and logarithmic beyond; 2 means not finite."""
    with np.errstate(invalid="ignore"):
        levels = np.clip(np.arcsinh(values) / np.arcsinh(limit), -1, 1)
    return np.where(np.isfinite(values), levels, 2.0)


def _digits(number: str, em: float, room: int) -> Array:
    """How much of each pixel a number covers, 0 to 255, with an em of `em` pixels, or fewer if there is no room."""
    digits = np.hstack([_digit(character, em) for character in number])
    return digits if digits.shape[1] <= room or em < 2 else _digits(number, 0.9 * em, room)


@lru_cache(maxsize=512)
def _digit(character: str, em: float) -> Array:
    font = ImageFont.truetype(DIGITS, max(1.0, em), layout_engine=ImageFont.Layout.BASIC)
    height = round(em * 1.1)
    image = Image.new("L", (round(font.getlength(character)), height))
    baseline = height / 2 + DIGIT_HEIGHT / 2 * em
    ImageDraw.Draw(image).text((0, round(baseline)), character, 255, font, anchor="ls")
    return np.asarray(image)


@lru_cache(maxsize=1)
def digit_colours() -> Array:
    """For each colour of the scale, and last for not finite: all shades between it and the colour of its digits."""
    below = 255 * np.concatenate([COLOURS(np.arange(256))[:, :3], [mpl.colors.to_rgb(NOT_FINITE)]])
    is_dark = (below / 255) ** 2.2 @ [0.2126, 0.7152, 0.0722] < 0.18
    ink = np.where(is_dark[:, None], 255.0, 0.0)
    pixels = np.full((len(below), 256, 4), 255, np.uint8)
    pixels[..., :3] = np.rint(below[:, None] + (ink - below)[:, None] * np.linspace(0, 1, 256)[:, None])
    return pixels.view(np.uint32)[..., 0]
