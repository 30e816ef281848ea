"""Where a picture or a page is saved."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def place_for(path: Any, endings: Sequence[str], kept: str) -> Path:
    """The path of a file that can be written. `kept` says what is saved, such as "heatmaps are saved as a .png file".

    Raises ValueError for what is no path, for another ending than these, and for a folder that there is not.
    """
    if not isinstance(path, str | os.PathLike) or Path(path).suffix.lower() not in endings:
        got = os.fspath(path) if isinstance(path, os.PathLike) else path
        raise ValueError(f"{kept}; got {got!r}")
    found = Path(path)
    if not found.parent.is_dir():
        raise ValueError(f"there is no folder {str(found.parent)!r} for {found.name}: make it first, or name another")
    return found
