"""`-m docs.record_starts FOLDER`: save each start of the lab with numbers of its own as a recording, without Python."""

import sys
from pathlib import Path

from backprop_lab import EXAMPLES
from backprop_lab.ui import StepThrough

folder = Path(sys.argv[1])
folder.mkdir()
for start in EXAMPLES:
    StepThrough(start=start).save(folder / f"{start}.html")
