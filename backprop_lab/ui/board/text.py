"""Words and numbers as outlines, ready to be drawn into the picture; each glyph is made once and kept."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from backprop_lab.layers import Array
from backprop_lab.ui.board.layout import ASPECT

FAMILY = "DejaVu Sans"
DIGIT_HEIGHT = 0.73  # of an em
EMPTY = Path(np.empty((0, 2)))


class Outline(NamedTuple):
    """A string as outlines, in ems from its left end on the baseline, with y upwards."""

    vertices: Array
    codes: Array
    width: float


@lru_cache(maxsize=8)  # those of one picture, since many change from one to the next; a long sum takes 50 KB
def outline_of(string: str, bold: bool = False) -> Outline:
    glyphs = [_glyph(character, bold) for character in string]
    widths = [glyph.width for glyph in glyphs]
    starts = np.concatenate([[0.0], np.cumsum(widths)])
    vertices = [glyph.vertices + (start, 0) for glyph, start in zip(glyphs, starts[:-1], strict=True)]
    return Outline(
        np.concatenate([np.empty((0, 2)), *vertices]),
        np.concatenate([np.empty(0, Path.code_type), *(glyph.codes for glyph in glyphs)]),
        starts[-1],
    )


@lru_cache(maxsize=512)
def _glyph(character: str, bold: bool) -> Outline:
    prop = FontProperties(family=FAMILY, weight="bold" if bold else "normal")

    def right_end(string: str) -> float:
        return float(TextPath((0, 0), string, size=1, prop=prop).get_extents().x1)

    advance = right_end(f"|{character}|") - right_end("||")
    if character == " ":
        return Outline(np.empty((0, 2)), np.empty(0, Path.code_type), advance)
    path = TextPath((0, 0), character, size=1, prop=prop)
    return Outline(np.asarray(path.vertices), np.asarray(path.codes), advance)


def numbers_at(strings: list[str], centres: Array) -> Path:
    """All of `strings`, one or more, each centred in its cell and squeezed if it is too long, as one path."""
    glyphs = [outline_of(s) for s in strings]
    widths = np.array([g.width for g in glyphs])
    em = 0.33  # of a cell's width
    squeeze = np.minimum(1, 0.94 / (em * widths))
    scale = em * np.column_stack([squeeze, np.full(len(glyphs), -1 / ASPECT)])
    start = centres + np.column_stack([-widths / 2, np.full(len(glyphs), -DIGIT_HEIGHT / 2)]) * scale
    counts = [len(g.vertices) for g in glyphs]
    vertices = np.concatenate([g.vertices for g in glyphs]) * np.repeat(scale, counts, axis=0) + np.repeat(
        start, counts, axis=0
    )
    return Path(vertices, np.concatenate([g.codes for g in glyphs]))
