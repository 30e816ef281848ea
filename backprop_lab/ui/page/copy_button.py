"""A button that copies a text to the clipboard."""

from pathlib import Path

import anywidget
import traitlets


class CopyButton(anywidget.AnyWidget):
    """Copies `text` when pressed, and says so."""

    _esm = Path(__file__).with_suffix(".js")

    text = traitlets.Unicode(help="what is copied").tag(sync=True)
    label = traitlets.Unicode("Copy", help="what stands on the button").tag(sync=True)
