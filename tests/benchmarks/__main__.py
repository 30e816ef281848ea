"""All benchmarks, one after the other: `make bench`. What they found goes into build/bench.json."""

import importlib
import json
import platform
import sys
import traceback
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOUND = HERE.parents[1] / "build" / "bench.json"
PACKAGES = ("numpy", "matplotlib", "pillow", "ipywidgets", "anywidget", "jupyterlab", "ipykernel", "ipympl", "torch")


def machine() -> dict[str, Any]:
    """Where and with what this was measured."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {"processor": processor(), "python": platform.python_version(), "packages": versions}


def processor() -> str:
    """Its name, and how many cores there are."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0]} x {len(names)}" if names else platform.processor()


def main() -> int:
    """Run every bench_*.py here; one that breaks does not keep the others from running."""
    found: dict[str, Any] = {"date": datetime.now(UTC).isoformat(timespec="minutes"), "machine": machine()}
    broken = []
    for path in sorted(HERE.glob("bench_*.py")):
        print(f"\n== {path.stem}", flush=True)
        try:
            found[path.stem] = importlib.import_module(path.stem).main()
        except Exception:
            traceback.print_exc()
            broken.append(path.stem)
    FOUND.parent.mkdir(exist_ok=True)
    FOUND.write_text(json.dumps(found, indent=1) + "\n")
    bars = [bar for part in found.values() if isinstance(part, dict) for bar in part.get("bars", [])]
    missed = [bar["what"] for bar in bars if not bar["met"]]
    print(f"\n{len(bars) - len(missed)} of {len(bars)} bars met. Missed: {'; '.join(missed) or 'none'}.")
    print(f"Every number is in {FOUND}.")
    return len(broken)


if __name__ == "__main__":
    sys.exit(main())
