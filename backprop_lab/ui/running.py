"""Whether a notebook is run with nobody there, as far as a kernel can tell."""

import os
from collections.abc import Mapping
from typing import Any

from IPython import get_ipython


def nobody_is_there(shell: Any) -> bool:
    """Whether a notebook is run only for what it leaves, as by `nbconvert --execute`.

    Such a program takes no input. Neither does Voila, but it has a reader.
    """
    takes_input = getattr(getattr(shell, "kernel", None), "_allow_stdin", True)
    return not takes_input and not os.environ.get("SERVER_SOFTWARE", "").startswith("voila/")


def without_view_if_nobody_is_there(bundle: Any, stands_in: Mapping[str, str], alt: str = "") -> Any:
    """What a cell shows, and that in words. A widget that nobody can use would hide what stands in for it, and be blank
    offline."""
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    data.update(stands_in)
    if nobody_is_there(get_ipython()):
        data.pop("application/vnd.jupyter.widget-view+json", None)
    return data, metadata | ({"image/png": {"alt": alt}} if alt else {})
