"""Where a picture or a page is saved, and what it can be told."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

USUAL = {"scale": None, "iterations": 1, "dark": False, "seconds": 1.0}  # options where none are given


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


def used_options(given: Mapping[str, Any], kinds: Mapping[str, Sequence[str]], kind: str) -> dict[str, Any]:
    """Those of the options given that a kind of file has; `kinds` says which each has.

    Raises ValueError for another one, unless it is as USUAL.
    """
    for name, value in given.items():
        if name not in kinds[kind] and (isinstance(value, Iterable) or value != USUAL[name]):
            others = ", ".join(f".{each}" for each, names in kinds.items() if name in names)
            raise ValueError(f"{name} is for {others} files: leave it out for .{kind}; got {value!r}")
    return {name: given[name] for name in kinds[kind]}
