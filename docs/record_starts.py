"""`-m docs.record_starts FOLDER`: save each start of the lab with numbers of its own as a recording, without Python.

Each has a file for each width and theme, such as `wide-light/lstm.html`: a reader waits for the pictures of one alone.
"""

import json
import re
import sys
from itertools import product
from pathlib import Path

from backprop_lab import EXAMPLES
from backprop_lab.ui import StepThrough
from backprop_lab.ui.steps.recording import in_script


def save_starts(folder: Path) -> None:
    for width, theme in product(("wide", "narrow"), ("light", "dark")):
        (folder / f"{width}-{theme}").mkdir(parents=True)
    for start in EXAMPLES:
        whole = folder / f"{start}.html"
        StepThrough(start=start).save(whole)
        for part in folder.iterdir():
            if part.is_dir():
                (part / whole.name).write_text(
                    with_pictures_of(whole.read_text("utf-8"), *part.name.split("-")), "utf-8"
                )
        whole.unlink()


def with_pictures_of(page: str, width: str, theme: str) -> str:
    """A saved walk with the pictures of one width and one theme alone."""
    before, data, after = re.split(r'(?<=id="recording">)(.*?)(?=</script>)', page, maxsplit=1, flags=re.DOTALL)
    recording = json.loads(data)
    kept = recording["pictures"][width]
    for each in (*kept["boards"], *(step for iteration in kept["steps"] for step in iteration)):
        del each["dark" if theme == "light" else "light"]
    recording["pictures"] = {width: kept}
    return before + in_script(recording) + after


if __name__ == "__main__":
    save_starts(Path(sys.argv[1]))
