"""The step view on the page: pictures, card, timeline, buttons and sum, and what the pointer and the keys do there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from backprop_lab.ui.page.joined import joined
from backprop_lab.ui.theme import custom_properties


class StepView(anywidget.AnyWidget):
    """Shows a state, which is plain data, and reports what is done to it, as messages `{"kind": ...}`.

    Without steps in its `layout_of_steps`, it shows only a picture, such as the map of runs.

    kind "page": `view` is the name of the view that tells it, since there may be several; `width` of the view and
        `height` of the panel around it in CSS pixels, `ratio` of device pixels to them, `dark` theme or not, and what
        room there is for the pictures, `map` and `operation`, as [width, height]; sent first of all, and again when one
        of them changes
    kind "gone": the last view has left, with its cell, its notebook or its page; another may come
    kind "do": `what` of "restart", "back", "next", "next_phase", "next_iteration", "play", "show", "next_question",
        "home", and "answer", "tour" (an answer to its question), "why", "edit" and "save" with a `text`, "link" where
        there is none to copy
    kind "speed": the `speed` that was chosen
    kind "jump": `index` of the step chosen on the timeline; kind "key": `key` pressed on the map
    kind "shown": `frame` of the picture that is now on the page, and the name of the `view`; said of the first picture
        of a view, and while the state is `playing`
    kind "cell": `cell` under the pointer as [name, row, column], or None; whether it was `clicked`, and whether it is
        `pinned`, which a second click ends; `name` of this report, which the state answers as `heard`
    """

    _esm = joined(Path(__file__).with_suffix(".js"))
    _css = custom_properties() + "\n".join(
        Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("board.css", "card.css", "labs.css")
    )

    picture = traitlets.Bytes(help="the map as PNG").tag(sync=True)
    operation = traitlets.Bytes(help="the current step as an equation, as PNG").tag(sync=True)
    alt = traitlets.Unicode(help="the picture in words").tag(sync=True)
    label = traitlets.Unicode(
        "Board. Left and right arrows step, up and down choose a matrix, Enter pins a cell", help="what the keys do"
    ).tag(sync=True)
    layout_of_steps: Any = traitlets.Dict(
        help="`steps` as [name, phase], `since`: the step from which on each matrix is shown, `users`: in a program, "
        "what a value goes into, `forward`: the lines that are shown before the first step, "
        "`rules`: what a cell is made of, `speeds`, what is `hidden`, and whether it is `large`"
    ).tag(sync=True)
    state: Any = traitlets.Dict(help="where the lab is, as `ui/steps/frame.py` makes it").tag(sync=True)
    note: Any = traitlets.Dict(help="the `kind` and the `text` of what is said to the learner, if anything").tag(
        sync=True
    )
    boxes: Any = traitlets.List(help="for every matrix: name, left, top, width, height, rows, columns").tag(sync=True)
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

    def scroll_to(self, part: str) -> None:
        """Scroll the page to a part of the lab around this, by its class."""
        self.send({"do": "come", "to": part})

    def download(self, name: str, make: Callable[[], bytes]) -> None:
        """Give the learner a file: the page puts it where the browser keeps what it downloads. If it cannot be made,
        the page hears that too, with an empty one."""
        data = b""
        try:
            data = make()
        finally:
            self.send({"do": "download", "name": name}, [data])

    def _receive(self, kind: str, message: dict[str, Any]) -> None:
        view = message.get("view", "")
        if kind == "page":
            if view in self._left:  # the first message of all may be handled after a later one: see `comm_workarounds`
                return
            self._views.add(view)
        elif kind == "gone":
            self._left.add(view)
            self._views.discard(view)
            if self._views:
                return
            self.picture = self.operation = b""
        for handler in self._handlers:
            handler(kind, message)
        if self._comes and kind == "shown":  # only once the picture is there, since its size may change
            self.scroll_into_view()

    def on_message(self, handler: Callable[[str, dict[str, Any]], None]) -> None:
        """Call `handler(kind, message)` for every message from the page."""
        self._handlers.append(handler)
