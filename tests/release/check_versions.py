"""The same numbers everywhere: with the oldest and newest packages, on every Python, with other kernels for products.

Unit tests and every notebook run in environments made with uv. Named Pythons are tried alone.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from clean_room import ROOT, SCRIPTS, CleanRoom, clean_room

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: Python :: 3." in line]
SHOWN = ("numpy", "matplotlib", "ipywidgets", "anywidget")
TOOLS = ("pytest", "hypothesis", "autograd", "nbval", "ipykernel", "threadpoolctl")

QUIET = ("-W", "ignore::DeprecationWarning", "-W", "ignore::PendingDeprecationWarning")  # an old package's own ways
NBVAL = ("--nbval", "--nbval-current-env", "--nbval-cell-timeout=120")

# The tests that depend most on NumPy, matplotlib or ipywidgets; the notebooks cover mistakes, feedback and sweeps.
UNIT = "layers problem own_parts gradcheck proving rounding sweeping stepper values words board step_through"
NUMBERS = "published_examples tracing"
KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX")

VERSIONS = f"from importlib.metadata import version; print(*map(version, {SHOWN}))"
ARCHITECTURE = """import numpy, threadpoolctl
print(*(pool["architecture"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"))"""


def main() -> None:
    pythons = {version: find_python(version) for version in sys.argv[1:] or PYTHONS}
    failures: list[str] = []

    def tell(row: str, commands: Path, tests: str, *notebooks: str) -> None:
        """Run the tests of one row; what fails is told at the end, after all the others."""
        results = []
        files = [[*QUIET, *(f"tests/test_{name}.py" for name in tests.split())]]
        files += [[*NBVAL, *sorted((ROOT / "notebooks").glob(f"{pattern}.ipynb"))] for pattern in notebooks]
        for command in files:
            try:
                said = room.run(commands / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *command, cwd=ROOT)
                results.append(said.strip().splitlines()[-1].strip("= "))
            except SystemExit as failure:
                results.append("FAILED")
                failures.append(f"{row}: {failure}")
        print(f"{row}: {'; '.join(results)}", flush=True)

    with clean_room() as room:
        uv = room.new_environment("uv", "uv") / "uv"
        for version, python in pythons.items():
            for age in ("lowest-direct", "highest"):
                commands = environment(room, uv, f"{version}-{age}", python, age)
                versions = room.run(commands / "python", "-c", VERSIONS).strip()
                tell(f"Python {version}, {', '.join(SHOWN)} {versions}", commands, f"{UNIT} {NUMBERS}", "*")

        numbers = (commands, NUMBERS, "01_*", "06_*")
        for kernel in KERNELS:
            room.environment["OPENBLAS_CORETYPE"] = kernel
            used = room.run(commands / "python", "-c", ARCHITECTURE).strip()
            tell(f"kernel {kernel} asked for, {used} used", *numbers)
    sys.exit("\n".join(failures) or None)


def find_python(version: str) -> Path:
    """A Python of this version: on the PATH, or where pyenv keeps its own."""
    for candidate in (shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        if candidate and not subprocess.run([candidate, "-c", ""], stderr=subprocess.DEVNULL).returncode:
            return Path(candidate)
    return sys.exit(f"there is no python{version} on the PATH, nor in ~/.pyenv")


def environment(room: CleanRoom, uv: Path, name: str, python: Path, age: str) -> Path:
    """An environment with this package, the oldest or newest versions of what it needs, and the newest test tools."""
    commands, pins = room.folder / name / SCRIPTS, room.folder / f"{name}.txt"
    options = ("--quiet", "--python", commands / "python", "--only-binary", ":all:")
    room.run(uv, "venv", "--quiet", "--python", python, room.folder / name)
    room.run(uv, "pip", "compile", *options, "--resolution", age, ROOT / "pyproject.toml", "-o", pins)
    room.run(uv, "pip", "install", *options, "--requirements", pins, *TOOLS)
    room.run(uv, "pip", "install", *options[:3], "--no-deps", ROOT)
    return commands


if __name__ == "__main__":
    main()
