"""The colours of a picture: at most 256, in which it loses nothing that the eye can see, so that its PNG is small."""

from functools import lru_cache

import matplotlib as mpl
import numpy as np
from PIL import Image

from backprop_lab.nn.layers import Array
from backprop_lab.ui.theme import HEATMAP, NOT_FINITE, OPERAND, RESULT, Theme

COLOURS = mpl.colormaps[HEATMAP].resampled(256)


def in_few_colours(picture: Image.Image, theme: Theme, of_scale: int = 64, more: tuple[str, ...] = ()) -> Image.Image:
    """The same in the colours of `palette`; its pixels are their numbers there."""
    return picture.convert("RGB").quantize(palette=palette(theme, of_scale, more), dither=Image.Dither.NONE)


@lru_cache(maxsize=4)
def palette(theme: Theme, of_scale: int = 64, more: tuple[str, ...] = ()) -> Image.Image:
    """The 256 colours, as a picture without pixels: so many of the scale of values, and shades of those of the theme
    and of some `more`."""
    rows = [COLOURS(np.linspace(0, 1, of_scale))[:, :3]]
    fixed = [mpl.colors.to_rgb(c) for c in (*theme, OPERAND, RESULT, NOT_FINITE, *more)]
    paper = np.array(mpl.colors.to_rgb(theme.paper))
    for colour in fixed:
        rows.append(paper + np.linspace(0, 1, 8)[1:, None] * (np.array(colour) - paper))
    rows.append(np.linspace(0, 1, 32)[:, None] * np.ones(3))
    colours = np.concatenate(rows)[:256]
    image = Image.new("P", (1, 1))
    image.putpalette((colours * 255).round().astype(np.uint8).tobytes())
    return image


def number_of(colour: str, theme: Theme) -> int:
    """The number of a colour in the palette."""
    pixel = Image.new("RGB", (1, 1), tuple(round(255 * part) for part in mpl.colors.to_rgb(colour)))
    return int(np.asarray(in_few_colours(pixel, theme))[0, 0])


@lru_cache(maxsize=1)
def digit_colours() -> Array:
    """For each colour of the scale, and last for not finite: all shades between it and the colour of its digits, as
    pixels of RGBA bytes."""
    below = 255 * np.concatenate([COLOURS(np.arange(256))[:, :3], [mpl.colors.to_rgb(NOT_FINITE)]])
    is_dark = (below / 255) ** 2.2 @ [0.2126, 0.7152, 0.0722] < 0.18
    ink = np.where(is_dark[:, None], 255.0, 0.0)
    pixels = np.full((len(below), 256, 4), 255, np.uint8)
    pixels[..., :3] = np.rint(below[:, None] + (ink - below)[:, None] * np.linspace(0, 1, 256)[:, None])
    return pixels.view(np.uint32)[..., 0]


@lru_cache(maxsize=2)
def digit_numbers(theme: Theme) -> Array:
    """The same, as their numbers in the palette."""
    shades = digit_colours().view(np.uint8).reshape(257, 256, 4)
    return np.asarray(in_few_colours(Image.fromarray(shades), theme)).copy()
