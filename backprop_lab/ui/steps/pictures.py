"""What the lab shows, as a picture to keep: for a slide, a book or a page."""

import io
from collections.abc import Sequence

from IPython import get_ipython
from matplotlib.figure import Figure

from backprop_lab.reading.one_cell import work_out
from backprop_lab.ui.board.board import RENEWED_MARK, Board
from backprop_lab.ui.board.poster import Head, painted, poster, wrapped, written
from backprop_lab.ui.lab import checked_scale
from backprop_lab.ui.running import nobody_is_there
from backprop_lab.ui.steps import frame, words
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.remarks import on_colours
from backprop_lab.ui.steps.stepper import Stepper
from backprop_lab.ui.theme import DARK, LIGHT, Theme

KINDS = ("png", "svg", "pdf", "gif")
WIDTH = 1000  # CSS pixels


def picture(
    stepper: Stepper,
    kind: str,
    scale: float | None = None,
    large: bool = False,
    dark: bool = False,
    seconds: float = 1.0,
) -> bytes:
    """A file of one of KINDS, in which each step of a GIF stays for some seconds, and the last for three times as long.

    Raises ValueError for a scale that makes no picture, and for such seconds.
    """
    scale = checked_scale(scale, 1.0 if kind == "gif" else 2.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.05 <= seconds <= 60:
        raise ValueError(f"seconds, how long a GIF shows each step, must be a number from 0.05 to 60; got {seconds!r}")
    theme = DARK if dark else LIGHT
    data = io.BytesIO()
    if kind != "gif":
        figure = _poster(stepper.place, stepper.losses, large, dark)
        if kind != "png":
            try:
                return written(figure, kind)
            except ImportError as error:  # as on the web site, whose Python would be larger with it
                raise ValueError(f"This Python cannot write a {kind.upper()}; an SVG is as sharp.") from error
        painted(figure, theme, scale).save(data, "PNG")
        return data.getvalue()
    looks = [stepper.look(stepper.place.iteration, k + 1) for k in range(len(stepper.place.trace.steps))]
    rows = max(len(head(*look, theme).lines) for look in looks)
    posters = (_poster(*look, large, dark, rows, (k + 1) / len(looks)) for k, look in enumerate(looks))
    frames = [painted(each, theme, scale) for each in posters]
    times = [*[1000 * seconds] * (len(frames) - 1), 3000 * seconds]
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    return data.getvalue()


def still(stepper: Stepper, scale: float, large: bool, dark: bool) -> bytes:
    """The PNG that stands in for the lab. The words above it take a moment, and who is there has them in the lab."""
    if nobody_is_there(get_ipython()):
        return picture(stepper, "png", scale, large, dark)
    return board_of(stepper.place, stepper.losses, large, dark).png()


def _poster(
    place: LabState, losses: Sequence[float], large: bool, dark: bool, rows: int = 0, progress: float | None = None
) -> Figure:
    """The board of a place, below at least `rows` lines of text."""
    board = board_of(place, losses, large, dark)
    above = head(place, losses, board.theme)
    lines = [*above.lines, *[("", board.theme.ink)] * (rows - len(above.lines))]
    return poster(board, above._replace(lines=lines), progress)


def board_of(place: LabState, losses: Sequence[float], large: bool, dark: bool = False) -> Board:
    """The board as it is kept, with the cells framed that the place is about."""
    board = Board(place.trace, WIDTH, dark=dark, large=large, scales=place.scales, renewed=place.renewed)
    cell = place.question or place.cell
    frames = frame.sources(work_out(place.trace, cell)) if cell else frame.step_frames(place)
    board.draw(place.trace, place.index, losses, frames)
    return board


def head(place: LabState, losses: Sequence[float], theme: Theme) -> Head:
    """The step in words, its code, and the chosen cell worked out, or what its proof says, as lines that fit."""
    card, state = words.card(place), frame.state(place, losses)
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
    return Head(card["phase"], card["title"], where, wrapped(lines, WIDTH))
