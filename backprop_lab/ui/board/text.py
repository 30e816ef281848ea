"""Words and numbers as outlines, ready to be drawn into the picture; each glyph is made once and kept."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from backprop_lab.nn.layers import Array

FAMILY = "DejaVu Sans"
DIGIT_HEIGHT = 0.73  # of an em
EMPTY = Path(np.empty((0, 2)))


class Outline(NamedTuple):
    """A string as outlines, in ems from its left end on the baseline, with y upwards."""

    vertices: Array
    codes: Array
    width: float


class Word(NamedTuple):
    """A string with its baseline at `y`, `size` pixels an em; `align` is 0 if it begins at `x`, 1 if it ends there."""

    text: str
    x: float
    y: float
    size: float
    align: float = 0.0
    bold: bool = False

    @property
    def width(self) -> float:
        return outline_of(self.text, self.bold).width * self.size

    @property
    def drop(self) -> float:
        """How far its letters reach below the baseline."""
        return -float(outline_of(self.text, self.bold).vertices[:, 1].min(initial=0)) * self.size


@lru_cache(maxsize=16)  # those of one picture, since many change from one to the next
def outline_of(string: str, bold: bool = False) -> Outline:
    glyphs = [_glyph(character, bold) for character in string]
    widths = [glyph.width for glyph in glyphs]
    starts = np.concatenate([[0.0], np.cumsum(widths)])
    vertices = [glyph.vertices + (start, 0) for glyph, start in zip(glyphs, starts[:-1], strict=True)]
    return Outline(
        np.concatenate([np.empty((0, 2)), *vertices]),
        np.concatenate([np.empty(0, Path.code_type), *(glyph.codes for glyph in glyphs)]),
        float(starts[-1]),
    )


@lru_cache(maxsize=512)
def _glyph(character: str, bold: bool) -> Outline:
    prop = FontProperties(family=FAMILY, weight="bold" if bold else "normal")

    def right_end(string: str) -> float:
        outline = TextPath((0, 0), string, size=1, prop=prop)
        return float(np.max(outline.vertices[:, 0]))  # it ends with a bar, which has no curves

    advance = right_end(f"|{character}|") - right_end("||")
    if character == " ":
        return Outline(np.empty((0, 2)), np.empty(0, Path.code_type), advance)
    path = TextPath((0, 0), character, size=1, prop=prop)
    return Outline(np.asarray(path.vertices), np.asarray(path.codes), advance)


def path_of(words: Sequence[Word]) -> Path:
    """All words as one path, in pixels with y downwards."""
    if not words:
        return EMPTY
    vertices = []
    for word in words:
        outline = outline_of(word.text, word.bold)
        start = word.x - word.align * outline.width * word.size, word.y
        vertices.append(outline.vertices * (word.size, -word.size) + start)
    return Path(np.concatenate(vertices), np.concatenate([outline_of(w.text, w.bold).codes for w in words]))
