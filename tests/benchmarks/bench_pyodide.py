"""How long the largest example takes to derive in the browser's Python, which Node.js runs here.

It needs Pyodide's files, in the folder PYODIDE_DIST or in build/pyodide, where `make site` leaves them.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tables import Bar, as_json, show_bars

ROOT = Path(__file__).parents[2]
PYODIDE = Path(os.environ.get("PYODIDE_DIST") or ROOT / "build" / "pyodide").resolve()

DERIVE = """
import sys, time
sys.path.insert(0, "/package")
from backprop_lab import EXAMPLES
started = time.perf_counter()
EXAMPLES["transformer block"]()
time.perf_counter() - started
"""

SCRIPT = """
const [folder, root, code] = process.argv.slice(-3);
const { loadPyodide } = await import(`${folder}/pyodide.mjs`);
const python = await loadPyodide({ indexURL: `${folder}/`, packageCacheDir: `${folder}/` });
await python.loadPackage(["numpy", "traitlets"], { messageCallback() {} });
python.FS.mkdir("/package");
python.FS.mount(python.FS.filesystems.NODEFS, { root }, "/package");
console.log(await python.runPythonAsync(code));
process.exit(0);
"""


def main() -> dict[str, Any]:
    if not shutil.which("node") or not (PYODIDE / "pyodide.mjs").is_file():
        print(f"Left out: this needs Node.js, and Pyodide's files in {PYODIDE}.")
        return {}
    command = ["node", "--input-type=module", "--eval", SCRIPT, "--", str(PYODIDE), str(ROOT), DERIVE]
    answers = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)]
    seconds = [float(answer.splitlines()[-1]) for answer in answers]
    bars = [Bar("deriving a transformer block in the browser's Python, s", min(seconds), 1.5)]
    show_bars(bars)
    return {"seconds": seconds, "bars": as_json(bars)}


if __name__ == "__main__":
    main()
