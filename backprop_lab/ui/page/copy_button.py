"""A button that copies text to the clipboard."""

from pathlib import Path

import anywidget
import traitlets


class CopyButton(anywidget.AnyWidget):
    """Copies `text` when pressed, and confirms it; while there is none, sends a message, and someone may say why."""

    _esm = Path(__file__).with_suffix(".js")

    text = traitlets.Unicode(help="the text to copy").tag(sync=True)
    label = traitlets.Unicode("Copy", help="the text on the button").tag(sync=True)
