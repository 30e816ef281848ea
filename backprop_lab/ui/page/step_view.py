"""The board on the page: the picture, the timeline above it, and what the pointer and the keys do there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from backprop_lab.ui.theme import custom_properties


class StepView(anywidget.AnyWidget):
    """Shows a picture and reports what happens to it, as messages `{"kind": ...}`.

    kind "page": `view` is the name of the view that tells it, since there may be several; `width` of the board and
        `height` of the window in CSS pixels, `ratio` of device pixels to them, `dark` theme or not; sent first of all,
        and again when one of them changes
    kind "gone": the last view has left, with its cell, its notebook or its page; another may come
    kind "jump": `index` of the step chosen on the timeline; kind "key": `key` pressed on the board
    kind "shown": `frame` of the picture that is now on the page
    kind "cell": `cell` under the pointer as [name, row, column], or None; whether it was `clicked`, and whether it is
        `pinned`, which a second click ends
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = custom_properties() + Path(__file__).with_name("labs.css").read_text(encoding="utf-8")

    picture = traitlets.Bytes(help="the board as PNG").tag(sync=True)
    alt = traitlets.Unicode(help="the picture in words").tag(sync=True)
    label = traitlets.Unicode(
        "Board. Left and right arrows step, up and down choose a matrix, Enter pins a cell", help="what the keys do"
    ).tag(sync=True)
    steps: Any = traitlets.List(help="[name, phase] of every step, in order").tag(sync=True)
    index = traitlets.Int(help="how many steps are shown").tag(sync=True)
    boxes: Any = traitlets.List(help="for every matrix: name, left, top, width, height, rows, columns").tag(sync=True)
    pinned = traitlets.Bool(help="whether the chosen cell stays, wherever the pointer moves").tag(sync=True)
    aspect = traitlets.Float(2.0, help="width divided by height of the picture, to keep room for it").tag(sync=True)
    tooltips: Any = traitlets.Dict(help="for the labelled controls around the board, by label").tag(sync=True)
    frame = traitlets.Int(help="the number of the picture").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._comes = False
        self._views: set[str] = set()  # now on a page
        self._left: set[str] = set()
        self._handlers: list[Callable[[str, dict[str, Any]], None]] = []
        self.last_new_frame = 0  # the latest frame with a picture of its own
        self.on_msg(lambda _, message, __: self._receive(message.get("kind"), message))

    def show(self, picture: bytes) -> None:
        """Put a PNG on the page. If it is the same as before, the page sends no message "shown" for it."""
        self.frame += 1
        if picture != self.picture:
            self.picture, self.last_new_frame = picture, self.frame

    def scroll_into_view(self) -> None:
        """Scroll the page to the lab around this and focus the board: now, or as soon as it is shown."""
        self._comes = not self._views
        if self._views:
            self.send({"do": "come"})

    def _receive(self, kind: str, message: dict[str, Any]) -> None:
        view = message.get("view", "")
        if kind == "page":
            if view in self._left:  # the first message of all may be handled after a later one: see `hearing`
                return
            self._views.add(view)
        elif kind == "gone":
            self._left.add(view)
            self._views.discard(view)
            if self._views:
                return
            self.picture = b""
        for handler in self._handlers:
            handler(kind, message)
        if self._comes and kind == "shown":  # only once the picture is there, since its size may change
            self.scroll_into_view()

    def on_message(self, handler: Callable[[str, dict[str, Any]], None]) -> None:
        """Call `handler(kind, message)` for every message from the page."""
        self._handlers.append(handler)
