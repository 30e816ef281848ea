"""The words for lines, forms and rules, which stand in `words.txt`."""

import re
from pathlib import Path

from backprop_lab.nn import activations, layers, losses, norms, optimizers, penalties
from backprop_lab.nn.lines import Part

PARTS = {  # what a table of text calls them
    name: part
    for module in (layers, activations, losses, norms, optimizers, penalties)
    for name, part in vars(module).items()
    if isinstance(part, type) and issubclass(part, Part)
}
COUNTED = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
LONGEST = 28  # characters of a part of a line that stands in a sentence; a longer one is told by what it is
Rows = dict[str, tuple[str, ...]]


def tables_in(text: str) -> dict[str, Rows]:
    """The tables of a text by name, each with its rows by key; `words.txt` says how they are written.

    Raises ValueError for a row without a colon, and for one whose key another row of its table has.
    """
    tables: dict[str, Rows] = {}
    whole = re.sub(r"\n +", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    for line in filter(None, whole.splitlines()):
        if line.startswith("["):
            rows = tables[line.strip("[]")] = {}
            continue
        key, colon, said = line.partition(": ")
        if not colon or key in rows:
            raise ValueError(f"{line!r} should be a key of its own, a colon and what is said, such as 'exp: Powers'")
        rows[key] = tuple(said.split(" | "))
    return tables


WORDS = tables_in(Path(__file__).with_name("words.txt").read_text(encoding="utf-8"))
