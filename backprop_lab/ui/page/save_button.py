"""A button that saves a file where the reader is: the browser downloads it, wherever Python runs."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets


class SaveButton(anywidget.AnyWidget):
    """When pressed, sends a message with the `kind` that was chosen; `give` is the answer."""

    _esm = Path(__file__).with_suffix(".js")

    kinds: Any = traitlets.List(help="the endings to choose from").tag(sync=True)

    def give(self, name: str, data: bytes) -> None:
        """Answer with a file; with none, where `name` is empty."""
        self.send({"name": name}, [data])
