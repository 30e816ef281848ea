"""What a learner says that names of their own stand for: `{"q": "H1", "hs": ["h0", "h1", "h2"]}`."""

from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np

from backprop_lab.homework.layout import Layout
from backprop_lab.homework.names import Names
from backprop_lab.nn.arrays import NUMBERS
from backprop_lab.step.trace import Trace


def check_names(own: Mapping[str, Any], given: Trace) -> None:
    """Raise ValueError for what is not there, and for numbers of the problem in place of their name.

    Lines are run on problems with other numbers too.
    """
    if nothing := [name for name, value in own.items() if value is None]:
        raise ValueError(f"names says what {nothing[0]} is, such as {{{nothing[0]!r}: 'H1'}}; got None")
    held = ([*each.values()] if isinstance(each, Mapping) else each for each in own.values())
    said = chain.from_iterable(each if isinstance(each, list | tuple) else [each] for each in held)
    if unknown := [each for each in said if isinstance(each, str) and each not in given]:
        raise ValueError(f"there is no {unknown[0]!r} in this problem; there are {', '.join(given)}")
    usual = Names(given, Layout(), {})
    laid_out = [Layout(), Layout(columns=True, rows_of_outputs=True), Layout(flat=True), Layout(labels=True)]
    for name, value in own.items():
        if isinstance(value, list | tuple) and not places(name, value):
            with suppress(ValueError):
                if np.asarray(value).dtype.kind in NUMBERS + "b":
                    continue
            raise ValueError(
                f"names says what {name} is by a name of this problem, a list of such names, a number or an array; got "
                f"{value!r:.60}"
            )
    picking = {of: np.asarray(given[of]) for of in given.problem.data}
    single = {int(value): of for of, value in picking.items() if value.ndim == 0 and value.dtype.kind in "iu"}
    for name, value in own.items():
        if isinstance(value, np.ndarray | list | tuple) and np.ndim(value) and not places(name, value):
            layouts = laid_out[: 3 + (np.ndim(given.get("y", 0)) == 2)]
            same = (of for of in given for each in layouts if np.array_equal(each.laid_out(given, of), value))
            listed = [single.get(each, "") for each in np.ravel(value).tolist()]  # as those of c0, c1 and c2
            meant: Any = usual.of(name) or next((of for of in same if np.ptp(given[of])), "")
            if meant := meant or (all(listed) and listed):
                raise ValueError(
                    f"say what {name} is by its name in this problem, names={{{name!r}: {meant!r}}}, and not by its "
                    "numbers: the lines are tried with others too"
                )


def places(name: str, held: Any) -> list[str]:
    """The names at 0, 1 and so on of a list that is given, or of a dictionary, at whose end stands the one at -1.

    Of None, nobody knows what it is; [] if it has numbers in it. Raises ValueError for other keys.
    """
    if isinstance(held, Mapping):
        if odd := [at for at in held if not isinstance(at, int) or at < -1]:
            raise ValueError(f"names says what {name} has at 0, 1 and so on, and perhaps at -1; got a key {odd[0]!r}")
        held = [held.get(at) for at in (*range(max(held, default=-1) + 1), *[-1] * (-1 in held))]
    is_of_names = isinstance(held, list | tuple) and all(isinstance(each, str | None) for each in held)
    return [each or f"{name}_{at}" for at, each in enumerate(held)] if is_of_names else []
