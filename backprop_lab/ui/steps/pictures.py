"""What the lab shows, as a picture to keep: for a slide, a book or a page."""

import io
from collections.abc import Sequence

from matplotlib.figure import Figure

from backprop_lab.reading.one_cell import work_out
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.board.poster import Head, painted, poster, written
from backprop_lab.ui.steps import frame, words
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.stepper import Stepper
from backprop_lab.ui.theme import LIGHT, RIGHT, WRONG

KINDS = ("png", "svg", "pdf", "gif")
WIDTH = 1000  # CSS pixels
PAUSE = 1000  # milliseconds that each step of a GIF stays; the last stays for three times as long
COLOURS = {"right": RIGHT, "wrong": WRONG}


def picture(stepper: Stepper, kind: str, scale: float | None = None, large: bool = False) -> bytes:
    """A file of one of KINDS. Raises ValueError for a scale that makes no picture."""
    if scale is None:
        scale = 1.0 if kind == "gif" else 2.0
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0.25 <= scale <= 8:
        raise ValueError(f"scale must be a number from 0.25 to 8; got {scale!r}")
    data = io.BytesIO()
    if kind != "gif":
        figure = _poster(stepper.place, stepper.losses, large)
        if kind != "png":
            try:
                return written(figure, kind)
            except ImportError as error:  # as on the web site, whose Python would be larger with it
                raise ValueError(f"This Python cannot write a {kind.upper()}; an SVG is as sharp.") from error
        painted(figure, LIGHT, scale).save(data, "PNG")
        return data.getvalue()
    looks = [stepper.look(stepper.place.iteration, k + 1) for k in range(len(stepper.place.trace.steps))]
    rows = max(len(head(*look).lines) for look in looks)
    frames = [painted(_poster(*look, large, rows, (k + 1) / len(looks)), LIGHT, scale) for k, look in enumerate(looks)]
    times = [*[PAUSE] * (len(frames) - 1), 3 * PAUSE]
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    return data.getvalue()


def _poster(
    place: LabState, losses: Sequence[float], large: bool, rows: int = 0, progress: float | None = None
) -> Figure:
    """The board of a place, below at least `rows` lines of text."""
    above = head(place, losses)
    lines = [*above.lines, *[("", LIGHT.ink)] * (rows - len(above.lines))]
    return poster(board_of(place, losses, large), above._replace(lines=lines), progress)


def board_of(place: LabState, losses: Sequence[float], large: bool) -> Board:
    """The board as it is kept, with the cells framed that the place is about."""
    board = Board(place.trace, WIDTH, large=large, scales=place.scales, renewed=place.renewed)
    board.draw(place.trace, place.index, losses, place.question or place.cell)
    return board


def head(place: LabState, losses: Sequence[float]) -> Head:
    """The step in words, its code, and the chosen cell worked out, or what its proof says."""
    card, state = words.card(place), frame.state(place, losses)
    loss = f"loss {state['loss']}" if state["loss"] else ""
    where = " · ".join(filter(None, (card["place"], f"iteration {place.iteration}", loss)))
    lines = [(card["code"], WRONG if card["right"] else LIGHT.ink)] if card["code"] else []
    lines += [(card["right"], RIGHT)] if card["right"] else []
    if place.question:
        lines = [(state["question"]["title"], LIGHT.ink), (state["question"]["text"], LIGHT.faint)]
    elif place.cell:
        lines.append((str(work_out(place.trace, place.cell)), RIGHT))
    else:
        proofs = [(remark["text"], COLOURS[remark["kind"]]) for remark in state["remarks"] if remark["kind"] in COLOURS]
        lines += proofs[:1]
    return Head(card["phase"], card["title"], where, lines)
