"""Put each small fault of this folder into a copy of the project, and see that the test it names turns red.

    python tests/faults stepper      those whose names contain a word; without one, every fault

A fault is a patch. Above it stand a sentence that says what it breaks, and a line `Caught by:` with the test to run.
Where the code has moved and a patch no longer applies, make the same fault again.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def is_caught(path: Path, copy: Path) -> bool:
    (test,) = re.findall(r"^Caught by: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    subprocess.run(["git", "apply", path], cwd=copy, check=True)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    run = subprocess.run(command, cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)}, capture_output=True, text=True)
    subprocess.run(["git", "apply", "--reverse", path], cwd=copy, check=True)
    caught = run.returncode == 1  # tests failed; another number says that they could not be run
    print(f"{path.stem}: {'caught' if caught else run.stdout + 'NOT CAUGHT'} by {test}", flush=True)
    return caught


found = [path for path in sorted(HERE.glob("*.patch")) if all(word in path.stem for word in sys.argv[1:])]
with tempfile.TemporaryDirectory() as folder:
    copy = Path(folder, "project")
    shutil.copytree(HERE.parents[1], copy, ignore=shutil.ignore_patterns(".*", "build", "dist", "mutants"))
    missed = [path.stem for path in found if not is_caught(path, copy)]
print(f"{len(found)} faults, {len(found) - len(missed)} caught")
sys.exit(f"not caught: {', '.join(missed)}" if missed or not found else None)
