"""Two lists on the page, between and in which lines are moved by mouse, finger or keyboard."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from backprop_lab.ui.page.joined import joined


class LineList(anywidget.AnyWidget):
    """Shows lines to choose from and a program of lines, and reports that one should be moved, as a message.

    `{"kind": "move", "line": 3, "to": "program", "at": 5}`: there are to be 5 others before it there, goals included.
    """

    _esm = joined(Path(__file__).with_suffix(".js"))
    _css = Path(__file__).with_suffix(".css")

    lines: Any = traitlets.List(help="the text of every line, by its number").tag(sync=True)
    goals: Any = traitlets.List(help="the headings of the program, in order").tag(sync=True)
    place: Any = traitlets.Dict(help="the numbers in `pool` and in `program`; there -1 is the first goal").tag(
        sync=True
    )
    wrong = traitlets.Int(-1, help="the number of the line that is marked, or -1").tag(sync=True)
    said = traitlets.Unicode(help="what a screen reader says of the last move").tag(sync=True)
