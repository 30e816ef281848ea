"""The board to keep, with lines of text above it: as a figure whose words and numbers are text and whose cells vectors,
so that an SVG or PDF is sharp at any size, and its text can be searched; or as painted, for a PNG or a GIF."""

import io
import math
import textwrap
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from backprop_lab.ui.board.board import Board
from backprop_lab.ui.board.cells import BESIDE, LINED, colours_of, number_size
from backprop_lab.ui.board.colours import digit_colours, in_few_colours
from backprop_lab.ui.board.layout import MARGIN, Box
from backprop_lab.ui.board.picture import Picture
from backprop_lab.ui.board.text import DIGIT_HEIGHT, FAMILY, Word
from backprop_lab.ui.plot_settings import own_settings
from backprop_lab.ui.theme import GREY, LIGHT, PHASES

MONO = "DejaVu Sans Mono"
MONO_WIDTH = 0.602  # of an em
SMALLEST = 11.0  # CSS pixels an em
ROW, BAR = 22.0, 8.0  # the heights of a line of text and of a progress bar, in CSS pixels


class Head(NamedTuple):
    """What stands above the board: the phase with its colour, a title, the place, and `lines` of text in a colour, the
    first of which is code."""

    phase: str
    title: str
    place: str
    lines: Sequence[tuple[str, str]]

    @property
    def height(self) -> float:
        """In CSS pixels."""
        return 30.0 + ROW * len(self.lines)

    @property
    def words(self) -> tuple[Word, Word, Word]:
        """Phase, title and place, each where it begins, or ends, from the left and the right edge."""
        chip, place = Word(self.phase, 3 * MARGIN, 20, 13), Word(self.place, -2 * MARGIN, 20, 13, align=1)
        return chip, Word(self.title, chip.x + chip.width + 4 * MARGIN, 22, 19, bold=True), place

    def fits(self, width: float) -> bool:
        """Whether the place has room beside the title."""
        _, title, place = self.words
        return title.x + title.width + place.width + 5 * MARGIN <= width

    @property
    def colour(self) -> str:
        """That of the phase, behind white letters."""
        return LIGHT.phase(self.phase) if self.phase in PHASES else GREY


@own_settings()
def poster(board: Board, head: Head) -> Figure:
    """The board as last drawn, below its head, as vectors and text; it can't be drawn again."""
    figure, axes = board.figure, board.axes
    figure.set_size_inches(board.width / 100, (head.height + board.height) / 100)
    axes.set_ylim(board.height, -head.height)
    for patch, words in board.words.items():
        patch.set_visible(False)
        for word in words:
            _write(board, word, patch.get_facecolor())
    _write_head(board, head)
    for box, levels, numbers in zip(board.boxes, board.cells.levels, board.cells.numbers, strict=True):
        _cells(board, box, levels, numbers)
    for x, top, width, height in board.ramps:
        shades = _colours()[None, np.linspace(0, 255, 65).astype(int), 0]
        axes.pcolormesh(x + width * np.arange(66) / 65, [top, top + height], shades, edgecolors="face", linewidth=0.3)
    return figure


@own_settings()
def painted(board: Board, head: Head, progress: float | None = None) -> Image.Image:
    """The board as last drawn, below its head, as pixels, and beneath it a bar for the progress, from 0 to 1."""
    fills = tuple(map(LIGHT.phase, PHASES))
    above = Picture(board.width, head.height, board.ratio, board.theme, more=fills)
    above.axes.set_ylim(0, -head.height)
    _write_head(above, head)
    above.canvas.draw()
    parts = [Image.fromarray(np.asarray(above.canvas.buffer_rgba())), board.image()]
    if progress is not None:
        wide, gap, tall = (round(board.ratio * size) for size in (board.width, 2, BAR))
        parts.append(bar := Image.new("RGB", (wide, tall), board.theme.paper))
        bar.paste(board.theme.grid, (0, gap, wide, tall))
        bar.paste(head.colour, (0, gap, round(wide * progress), tall))
    whole = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)))
    for k, part in enumerate(parts):
        whole.paste(part.convert("RGB"), (0, sum(each.height for each in parts[:k])))
    return in_few_colours(whole, board.theme, more=fills)


def _write_head(picture: Picture, head: Head) -> None:
    """The words above a board, that end where y is 0."""
    theme, width, top = picture.theme, picture.width, -head.height
    chip, title, place = (word._replace(y=top + word.y) for word in head.words)
    _write(picture, chip, "#ffffff", bbox={"boxstyle": "round,pad=0.25", "facecolor": head.colour, "edgecolor": "none"})
    size = title.size * min(1.0, (width - title.x - 2 * MARGIN) / title.width)
    _write(picture, title._replace(size=size), theme.ink)
    _write(picture, place._replace(x=width + place.x), theme.faint)
    for k, (text, ink) in enumerate(head.lines):
        letter = math.floor((width - 4 * MARGIN) / max(1, len(text)))  # hinting makes each some whole pixels wide
        em = min(15.0, letter / MONO_WIDTH)
        word = Word(text, 2 * MARGIN, top + 30 + ROW * (k + 0.72), em, bold=k == 0)
        _write(picture, word, ink, family=MONO)


def wrapped(lines: Sequence[tuple[str, str]], width: float) -> list[tuple[str, str]]:
    """Lines of text, each in as many as it takes where its letters would be smaller than SMALLEST."""
    most = int((width - 4 * MARGIN) / math.ceil(MONO_WIDTH * SMALLEST))
    return [
        (part, ink)
        for text, ink in lines
        for part in textwrap.wrap(text, most, subsequent_indent="    ", break_long_words=False) or [""]
    ]


def _cells(board: Board, box: Box, levels: Any, numbers: Sequence[str] | None) -> None:
    """The cells of a matrix, or an empty grid, as polygons, and their numbers."""
    theme, (down, across) = board.theme, box.means
    wide, tall = box.width / box.cols, box.height / box.rows
    tops = box.y + tall * np.array([*range(0, box.rows, down), box.rows])
    lefts = box.x + wide * np.array([*range(0, box.cols, across), box.cols])
    outline = Rectangle((box.x, box.y), box.width, box.height, fill=False, edgecolor=theme.grid, lw=0.6 * board.pixel)
    board.axes.add_patch(outline)
    lined, line = min(wide, tall) >= LINED, theme.grid if levels is None else theme.paper
    colours = np.zeros((len(tops) - 1, len(lefts) - 1, 4)) if levels is None else _colours()[colours_of(levels), 0]
    board.axes.pcolormesh(
        lefts, tops, colours, edgecolors=line if lined else "face", linewidth=0.6 * board.pixel, antialiased=True,
        zorder=0.5,
    )  # fmt: skip
    if not numbers:
        return
    em, inks = number_size(wide, tall), _colours()[colours_of(levels).ravel(), 1]
    for ((top, bottom), (left, right)), ink, text in zip(
        product(pairwise(tops), pairwise(lefts)), inks, numbers, strict=True
    ):
        word = Word(text, (left + right) / 2, 0, em, align=0.5)
        word = word._replace(size=em * min(1.0, (wide - BESIDE) / word.width))
        _write(board, word._replace(y=(top + bottom) / 2 + DIGIT_HEIGHT / 2 * word.size), ink)


def _colours() -> Any:
    """For each colour of the scale that colour, and that of the digits on it, as RGBA from 0 to 1."""
    return np.ascontiguousarray(digit_colours()[:, [0, 255]]).view(np.uint8).reshape(-1, 2, 4) / 255


def _write(picture: Picture, word: Word, colour: Any, **more: Any) -> None:
    """A word as text."""
    picture.axes.text(
        word.x, word.y, word.text, fontsize=word.size * picture.pixel, color=colour, va="baseline", parse_math=False,
        ha={0: "left", 0.5: "center", 1: "right"}[word.align], weight="bold" if word.bold else "normal",
        **{"family": FAMILY} | more,
    )  # fmt: skip


@own_settings()
def written(figure: Figure, kind: str) -> bytes:
    """A figure as a file that is "svg" or "pdf", with its text as text."""
    data, date = io.BytesIO(), {"svg": "Date", "pdf": "CreationDate"}[kind]  # the same picture is the same file
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "backprop_lab", "pdf.fonttype": 42}):
        figure.savefig(data, format=kind, metadata={date: None})
    if kind == "pdf":
        return data.getvalue()
    svg = data.getvalue()  # has no font in it, and is seen where there may be no DejaVu
    for name, alike in ((b"'DejaVu Sans'", b"Verdana, sans-serif"), (b"'DejaVu Sans Mono'", b"Menlo, monospace")):
        svg = svg.replace(name, name + b", " + alike)
    return svg
