"""Save each start of the lab that has numbers of its own as a recording, which needs no Python: `-m docs.record_starts FOLDER`."""

import sys
from pathlib import Path

from backprop_lab import EXAMPLES
from backprop_lab.ui import StepThrough

folder = Path(sys.argv[1])
folder.mkdir()
for start in EXAMPLES:
    StepThrough(start=start).save(folder / f"{start}.html")
