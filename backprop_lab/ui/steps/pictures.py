"""What the lab shows, as a picture to keep: for a slide, a book or a page."""

import io
from collections.abc import Iterator, Sequence
from numbers import Real

from IPython import get_ipython
from PIL.Image import Image

from backprop_lab.reading.one_cell import work_out
from backprop_lab.ui.board.board import RENEWED_MARK, Board
from backprop_lab.ui.board.poster import Head, painted, poster, wrapped, written
from backprop_lab.ui.lab import checked_scale
from backprop_lab.ui.running import nobody_is_there
from backprop_lab.ui.steps import frame, words
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.remarks import on_colours
from backprop_lab.ui.steps.stepper import Stepper

# Each with the options that it has.
KINDS = {"png": ("scale", "dark"), "svg": ("dark",), "pdf": ("dark",), "gif": ("scale", "dark", "seconds")}
# CSS pixels: the first, unless numbers find room on a wider one alone, of the smallest area
WIDTHS = (1000, 1400, 2000)


def picture(stepper: Stepper, kind: str, scale: float | None = None, dark: bool = False, seconds: float = 1.0) -> bytes:
    """A file of one of KINDS, in which each step of a GIF stays for some seconds, and the last for three times as long.

    Raises ValueError for a scale that makes no picture, and for such seconds.
    """
    scale = checked_scale(scale, 1.0 if kind == "gif" else 2.0)
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not 0.05 <= float(seconds) <= 60:
        raise ValueError(f"seconds, how long a GIF shows each step, must be a number from 0.05 to 60; got {seconds!r}")
    data, now = io.BytesIO(), (stepper.place, stepper.losses)
    width, *wider = WIDTHS
    if board_of(*now, dark).cells.unread:
        boards = {width: board_of(*now, dark, width) for width in wider}
        areas = {width: board.width * board.height for width, board in boards.items() if not board.cells.unread}
        width = min(areas, key=areas.__getitem__, default=width)
    board = board_of(*now, dark, width, 1.0 if kind in ("svg", "pdf") else scale)
    if kind == "png":
        painted(board, head(*now, board)).save(data, "PNG")
    elif kind != "gif":
        try:
            return written(poster(board, head(*now, board)), kind)
        except ImportError as error:  # as on the web site, whose Python would be larger with it
            raise ValueError(f"This Python cannot write a {kind.upper()}; an SVG is as sharp.") from error
    else:
        frames = [*_walk(stepper, board)]
        stays = 1000 * float(seconds)
        times = [*[stays] * (len(frames) - 1), 3 * stays]
        frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    return data.getvalue()


def _walk(stepper: Stepper, board: Board) -> Iterator[Image]:
    """A picture of each step of the iteration, all of them as high."""
    steps = len(stepper.place.trace.steps)
    looks = [stepper.look(stepper.place.iteration, index) for index in range(1, steps + 1)]
    heads = [head(*look, board) for look in looks]
    rows = max(len(each.lines) for each in heads)
    for index, (look, above) in enumerate(zip(looks, heads, strict=True), start=1):
        _draw(board, *look)
        yield painted(
            board, above._replace(lines=[*above.lines, *[("", board.theme.ink)] * rows][:rows]), index / steps
        )


def still(stepper: Stepper, scale: float, dark: bool) -> bytes:
    """The PNG that stands in for the lab. The words above it take a moment, and who is there has them in the lab."""
    if nobody_is_there(get_ipython()):
        return picture(stepper, "png", scale, dark)
    return board_of(stepper.place, stepper.losses, dark).png()


def board_of(
    place: LabState, losses: Sequence[float], dark: bool = False, width: float = WIDTHS[0], ratio: float = 1.0
) -> Board:
    """The board as it is kept, with the cells framed that the place is about."""
    board = Board(place.trace, width, ratio=ratio, dark=dark, scales=place.scales, renewed=place.renewed)
    _draw(board, place, losses)
    return board


def _draw(board: Board, place: LabState, losses: Sequence[float]) -> None:
    cell = place.question or place.cell
    frames = frame.sources(work_out(place.trace, cell)) if cell else frame.step_frames(place)
    board.draw(place.trace, place.index, losses, frames)


def head(place: LabState, losses: Sequence[float], board: Board) -> Head:
    """The step in words, its code, and the chosen cell worked out, or what its proof says, as lines that fit."""
    theme, card, state = board.theme, words.card(place), frame.state(place, losses)
    loss = f"loss {state['loss']}" if state["loss"] else ""
    where = " · ".join(filter(None, (card["place"], f"iteration {place.iteration}", loss)))
    lines = [(card["code"], theme.wrong if card["right"] else theme.ink)] if card["code"] else []
    lines += [(card["right"], theme.right)] if card["right"] else []
    if place.question:
        lines = [(state["question"]["title"], theme.ink), (state["question"]["text"], theme.faint)]
    elif place.cell:
        lines.append((str(work_out(place.trace, place.cell)), theme.right))
    else:
        colours = {"right": theme.right, "wrong": theme.wrong}
        proofs = [(remark["text"], colours[remark["kind"]]) for remark in state["remarks"] if remark["kind"] in colours]
        lines += proofs[:1]
    if renewed := on_colours(place.renewed, place.iteration):
        lines.append((f"{RENEWED_MARK} {renewed}", theme.faint))
    above = Head(card["phase"], card["title"], where, [])
    if not above.fits(board.width):
        lines.append((where, theme.faint))
        above = above._replace(place="")
    return above._replace(lines=wrapped(lines, board.width))
