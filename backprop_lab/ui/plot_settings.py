"""Every picture is drawn under matplotlib's own settings, so that it is the same on every machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl

from backprop_lab.ui.comm_workarounds import TURN

# The mapping of matplotlib takes ten times as long to read; what it checks has been checked in these.
_OWN = {name: value for name, value in dict.items(mpl.rcParamsDefault) if name != "backend"}


@contextmanager
def own_settings() -> Iterator[None]:
    """Within this, and in a function with `@own_settings()`, a matplotlibrc or a style of the learner has no effect.

    Only what differs is set, and afterwards set back: setting all would take longer, and undo what a cell that runs
    meanwhile in another thread sets. Two threads that draw wait for each other.
    """
    settings = mpl.rcParams
    with TURN:
        foreign = {name: value for name, own in _OWN.items() if (value := dict.get(settings, name)) != own}
        for name in foreign:
            dict.__setitem__(settings, name, _OWN[name])
        try:
            yield
        finally:
            for name, before in foreign.items():
                if dict.get(settings, name) == _OWN[name]:
                    dict.__setitem__(settings, name, before)
