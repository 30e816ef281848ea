"""Where the matrices and signs of an equation stand in a room, with the largest numbers that find room in it.

An equation that is too long for one line goes on in the next, at a sum or before its result.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple

from backprop_lab.reading.equation import Operand
from backprop_lab.reading.slopes import is_slope
from backprop_lab.step.number_format import MINUS
from backprop_lab.ui.board.cells import number_size
from backprop_lab.ui.board.layout import ACROSS, DOWN, MARGIN, Box, largest_fitting
from backprop_lab.ui.board.text import Word

COMFORTABLE = 9.0  # CSS pixels an em, of numbers where only some rows and columns are shown
LEAST, WIDEST, WIDEST_LARGE = 0.2, 64.0, 104.0  # a cell
ACROSS_DOWN = 0.52  # a cell's height by its width
ALL = 10**6, 10**6  # rows and columns
MOST_LINES = 24  # rows or columns shown of a matrix that is not shown whole
MOST_BREAKS = 3
WORTH = 1.15  # so much larger must the numbers be for an equation to be broken
BETWEEN = 3.0  # CSS pixels between matrices that stand beneath each other

Part = str | Operand


class Room(NamedTuple):
    """CSS pixels across and down; where it is `large`, for the back row, cells may be larger."""

    width: float
    height: float
    large: bool


class Placed(NamedTuple):
    """An operand in its place; of `rows` and `cols`, which are shown, with None for an ellipsis."""

    operand: Operand
    x: float
    y: float
    cell: tuple[float, float]
    rows: list[int | None]
    cols: list[int | None]

    def box(self, top: int, bottom: int, left: int, right: int) -> Box:
        """Some of its cells, from one line of them up to another."""
        wide, tall = self.cell
        return Box(
            self.operand.name, self.x + left * wide, self.y + top * tall, (right - left) * wide,
            (bottom - top) * tall, bottom - top, right - left, "",
        )  # fmt: skip


@dataclass(frozen=True)
class Arrangement:
    """An equation in its room, with an em of `em` CSS pixels for numbers, or 0 for none."""

    placed: list[Placed]
    signs: list[Word]
    labels: list[Word]
    em: float


class Way(NamedTuple):
    """An equation in lines; or in one, of which the part at `beneath`, a bias, stands beneath the weights before it."""

    lines: Sequence[Sequence[Part]]
    beneath: int = -1

    @property
    def is_stacked(self) -> bool:
        return self.beneath > 0


def arranged(parts: Sequence[Part], chosen: tuple[int, int] | None, room: Room) -> Arrangement:
    """An equation with the largest numbers that it can have in a room.

    All cells are shown if their numbers can be read; if not, as many rows and columns as can be read, that of the
    `chosen` cell of the result among them; and if those are fewer than three, all cells as colours alone.
    """
    ways = [Way([parts]), *[Way([parts], 4)] * _stackable(parts)]
    whole = max((_fitted(way, chosen, room) for way in ways), key=_size)
    if whole.em < COMFORTABLE * (1 + room.large):
        ways += map(Way, broken := [*_broken(parts)])
        longer = max((_fitted(Way(lines), chosen, room) for lines in broken), key=_size, default=whole)
        whole = longer if _size(longer) > tuple(WORTH * size for size in _size(whole)) else whole
    if whole.em:
        return whole
    sizes = [n for part in parts if isinstance(part, Operand) for n in part.value.shape]
    largest, few, many = whole, 2, min(max(sizes) - 1, MOST_LINES)
    while few < many:
        most = (few + many + 1) // 2
        best = max(
            (
                _fitted(way, chosen, room, (rows, most))
                for way in ways
                for rows in {most, max(3, _rows_in(room.height, way))}
            ),
            key=lambda one: (min(one.em, COMFORTABLE), sum(len(p.rows) * len(p.cols) for p in one.placed)),
        )
        if best.em >= COMFORTABLE:
            largest, few = best, most
        else:
            many = most - 1
    return largest


def _size(shown: Arrangement) -> tuple[float, float]:
    """How large its numbers are; and its cells, where there are none."""
    return shown.em, min(shown.placed[0].cell)


def _stackable(parts: Sequence[Part]) -> bool:
    """Whether a bias is added to a product, which can stand beneath the weights."""
    if len(parts) < 5 or parts[1] != "@" or parts[3] != "+":
        return False
    weights, bias = parts[2], parts[4]
    return isinstance(weights, Operand) and isinstance(bias, Operand) and weights.cols == bias.cols == "j"


def _broken(parts: Sequence[Part]) -> Iterator[list[list[Part]]]:
    """An equation in two lines, in three and in four, which are as short as they can be."""
    widths = [Word(part, 0, 0, 1).width + 0.7 if isinstance(part, str) else 2.5 * part.value.shape[1] for part in parts]
    places = dict(_places(parts))
    for breaks in range(1, min(MOST_BREAKS, len(places)) + 1):
        ways = [(0, *way, len(parts)) for way in combinations(places, breaks)]
        _, *best, _ = min(ways, key=lambda way: max(sum(widths[start:end]) for start, end in pairwise(way)))
        lines: list[list[Part]] = [[]]
        for k, part in enumerate(parts):
            if k in best:
                before, after = places[k]
                lines[-1] += [before] * bool(before)
                lines.append([after] * bool(after))
            else:
                lines[-1].append(part)
        yield lines


def _places(parts: Sequence[Part]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Which signs an equation may be broken at, and what of each stays in its line and goes into the next."""
    depth = 0
    for k, part in enumerate(parts):
        if isinstance(part, str):
            before, sign = part[:-1].rstrip(), part[-1]
            depth += before.count("(") - before.count(")")
            if not depth and part == ",":
                yield k, (",", "")
            elif not depth and k and sign in f"+{MINUS}=→":
                yield k, (before, sign)
            depth += (sign == "(") - (sign == ")")


def _fitted(way: Way, chosen: tuple[int, int] | None, room: Room, most: tuple[int, int] = ALL) -> Arrangement:
    """The equation with cells as large as they can be, and at most so many rows and columns of each matrix."""
    limit = {"i": most[0], "n": most[0], "j": most[1], "m": most[1], "k": min(most), "0": 1}
    at = dict(zip("ij", chosen, strict=True)) if chosen else {}
    shown = [
        [
            tuple(_some(n, limit[axis], at.get(axis)) for n, axis in zip(p.value.shape, (p.rows, p.cols), strict=True))
            if isinstance(p, Operand) else ()
            for p in line
        ]
        for line in way.lines
    ]  # fmt: skip
    in_line = [max(len(each[0]) for k, each in enumerate(line) if each and k != way.beneath) for line in shown]
    rows: float = sum(in_line)
    if way.is_stacked:  # the weights stand in the middle
        rows = max(rows, (rows + len(shown[0][2][0])) / 2 + 1)

    takes = [
        [
            (0.0, 0, 0.0) if way.beneath - 1 <= k <= way.beneath > 0
            else (Word(part, 0, 0, 1).width + 0.7, 0, 0.0) if isinstance(part, str)
            else (0.0, len(cells[1]), Word(_shortest(part), 0, 0, 0.75, bold=True).width)
            for k, (part, cells) in enumerate(zip(*each, strict=True))
        ]
        for each in zip(way.lines, shown, strict=True)
    ]  # fmt: skip

    def widths(line: int, cell: float, em: float, label: float) -> list[float]:
        """How much room each part of a line takes across: so many ems, cells or ems of its label.

        One that stands beneath another takes none.
        """
        return [max(em * sign, cell * cols, label * name) for sign, cols, name in takes[line]]

    def needed(cell: float) -> float:
        em, label = _sizes(cell, math.inf)
        across = max(sum(widths(line, cell, em, label)) for line in range(len(shown)))
        return across + 2 * MARGIN + (0.9 * em if way.is_stacked else 0)

    def beside(tall: float) -> float:
        """How wide a cell of this height is."""
        return min(widest, (3.2 if tall > 6 else 12.8) * tall)

    def needed_down(tall: float) -> float:
        labels = len(shown) + way.is_stacked
        return rows * tall + labels * 1.45 * _sizes(beside(tall), tall)[1] + (labels - 1) * BETWEEN + 2 * MARGIN

    widest = largest_fitting(LEAST, WIDEST_LARGE if room.large else WIDEST, 24, lambda cell: needed(cell) <= room.width)
    highest = ACROSS_DOWN * widest if widest >= 16 else 1.5 * widest
    tall = largest_fitting(LEAST, highest, 24, lambda tall: needed_down(tall) <= room.height)
    wide = beside(tall)
    em, label = _sizes(wide, tall)
    if len(shown) > 1:  # no sign is higher than its line
        em = min(em, tall * min(in_line) / 1.12)
    placed: list[Placed] = []
    signs: list[Word] = []
    labels: list[Word] = []
    y = MARGIN
    for line, parts in enumerate(way.lines):
        x, middle, before = MARGIN, y + 1.45 * label + in_line[line] * tall / 2, len(placed)
        for k, (part, across) in enumerate(zip(parts, widths(line, wide, em, label), strict=True)):
            if isinstance(part, str):
                if k != way.beneath - 1:
                    signs.append(Word(part, x + across / 2, middle + 0.36 * em, em, align=0.5))
            elif k == way.beneath:
                over = placed[-1]
                under = over.y + len(over.rows) * tall + 1.45 * label + BETWEEN
                plus = min(em, tall)
                signs.append(Word("+", over.x - 0.45 * plus, under + tall / 2 + 0.36 * plus, plus, align=1))
                placed.append(Placed(part, over.x, under, (wide, tall), *shown[line][k]))
            else:
                top = middle - len(shown[line][k][0]) * tall / 2
                placed.append(Placed(part, x, top, (wide, tall), *shown[line][k]))
            x += across
        labels += [_label(p, label, placed[before:], room.width - MARGIN) for p in placed[before:]]
        y += 1.45 * label + in_line[line] * tall + BETWEEN
    return Arrangement(placed, signs, labels, number_size(wide, tall))


def _rows_in(height: float, way: Way) -> int:
    """How many rows of readable numbers there is room for in each line."""
    above = len(way.lines) + way.is_stacked
    free = height - 2 * MARGIN - 18 * above - BETWEEN * (len(way.lines) - 1)
    return min(MOST_LINES, (int(free * DOWN / COMFORTABLE) - way.is_stacked) // len(way.lines))


def _sizes(wide: float, tall: float) -> tuple[float, float]:
    """The em of signs and of labels beside cells of this size."""
    em = min(ACROSS * wide, DOWN * tall)
    return min(max(10.0, min(0.5 * wide, 1.5 * tall)), 26.0), min(max(9.0, 1.15 * em + 1), 15.0)


def _some(n: int, most: int, chosen: int | None) -> list[int | None]:
    """At most so many of n rows or columns: the first ones and the chosen one, with None for those left out."""
    if n <= most:
        return list(range(n))
    if chosen is None or chosen < most - 1:
        return [*range(most - 1), None]
    last = [None, chosen] if chosen == n - 1 else [None, chosen, None]
    return [*range(most - len(last)), *last]


def _shortest(operand: Operand) -> str:
    """Its label, or a word for what could not be read beside so few columns: a slope, or what part of a line gives."""
    most = max(12, 5 * operand.value.shape[1])
    if len(operand.label) <= most:
        return operand.label
    return "slope" if is_slope(operand.name) else operand.label[: most - 1] + "…"


def _label(placed: Placed, size: float, others: Sequence[Placed], end: float) -> Word:
    """The name of an operand and its whole shape, as they fit between its neighbours."""
    axes = placed.operand.shape or placed.operand.value.shape
    room = min([*(other.x for other in others if other.x > placed.x), end + 4]) - placed.x - 4
    averaged = placed.box(0, len(placed.rows), 0, len(placed.cols)).means
    note = f", averaged {averaged[0]} × {averaged[1]}" if averaged != (1, 1) else ""
    shape = f" {axes}" if placed.operand.value.size > 1 else ""
    label, short = placed.operand.label, _shortest(placed.operand)
    texts = [label + shape + note, label + note, short + shape + note, short + note]
    words = [Word(text, placed.x, placed.y - 0.35 * size, size, bold=True) for text in texts]
    fitting = next((word for word in words if word.width <= room), words[-1])
    return fitting._replace(size=size * min(1.0, room / fitting.width))
