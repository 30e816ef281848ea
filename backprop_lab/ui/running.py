"""Whether the cell that runs was run by hand and alone, or with nobody there, as far as a kernel can tell."""

import os
import time
from collections.abc import Callable
from typing import Any

from IPython import get_ipython

PAUSE = 0.3  # seconds: cells in a queue follow each other faster than this, and cells run by hand do not


class Cells:
    """Hears of every cell that `shell` begins and ends from now on; the one that is running may be its first."""

    def __init__(self, shell: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ended = 0.0
        self.begun = 0
        self.came_alone = False  # the running one: not just after another
        if shell is not None:
            self.came_alone = len(shell.user_ns["In"]) == 2  # there is an empty one before the first
            shell.events.register("pre_run_cell", self._begin)
            shell.events.register("post_run_cell", self._end)

    def _begin(self, _: Any) -> None:
        self.begun += 1
        self.came_alone = self._clock() - self._ended > PAUSE

    def _end(self, _: Any) -> None:
        self._ended = self._clock()


CELLS = Cells(get_ipython())


def nobody_is_there(shell: Any) -> bool:
    """Whether a notebook is run only for what it leaves, as by `nbconvert --execute`.

    Such a program takes no input. Neither does Voila, but it has a reader.
    """
    takes_input = getattr(getattr(shell, "kernel", None), "_allow_stdin", True)
    return not takes_input and not os.environ.get("SERVER_SOFTWARE", "").startswith("voila/")


def without_view_if_nobody_is_there(bundle: Any) -> Any:
    """What a cell shows. A widget that nobody can use would hide what stands in for it, and be blank offline."""
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    if nobody_is_there(get_ipython()):
        data.pop("application/vnd.jupyter.widget-view+json", None)
    return bundle
