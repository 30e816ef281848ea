"""A clean room: a temporary folder that sees nothing of the checkout, its environment or this user's Jupyter."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))
from launch import own_environment, serving  # noqa: E402

SCRIPTS = "Scripts" if os.name == "nt" else "bin"
HIDDEN = ("PYTHON", "VIRTUAL_ENV", "CONDA")


class CleanRoom:
    """Runs commands in `folder`. Given a `user` and the right to, they run as that user."""

    def __init__(self, folder: Path, user: int | None = None):
        self.folder, self.identity = folder, {}
        own = own_environment(folder / ".jupyter", PIP_DISABLE_PIP_VERSION_CHECK="1")
        self.environment = {name: value for name, value in own.items() if not name.startswith(HIDDEN)}
        if user is not None and os.geteuid() == 0:
            self.identity = {"user": user, "group": user, "extra_groups": []}
            os.chown(folder, user, user)
            self.environment |= {"HOME": str(folder), "USER": "jovyan"}

    def run(self, *command: str | Path, cwd: Path | None = None, status: int = 0) -> str:
        """What a command prints. It must end with `status`, or the whole rehearsal fails with what it printed."""
        words = [str(word) for word in command]
        options = {"cwd": cwd or self.folder, "env": self.environment, "encoding": "utf-8", "errors": "replace"}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(words, **pipes, **options, **self.identity)
        shown = " ".join(words).replace(f"{self.folder}{os.sep}", "").splitlines()[0]
        print(f"  {shown:.120}", flush=True)
        require(done.returncode == status, f"it ends with {status}, but with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def pins(self) -> tuple[str | Path, ...]:
        """What tells pip to install the pinned versions; without their hashes, since what is tried here has none."""
        pinned, file = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8"), self.folder / "pins.txt"
        file.write_text(re.sub(r" \\\n +--hash=\S+", "", pinned), encoding="utf-8")
        return "--constraint", file

    def new_environment(self, name: str, *packages: str | Path, python: str | Path = sys.executable) -> Path:
        """A virtual environment with these packages: the folder of its commands."""
        self.run(python, "-m", "venv", self.folder / name)
        commands = self.folder / name / SCRIPTS
        if packages:
            self.run(commands / "python", "-m", "pip", "install", "--quiet", *packages)
        return commands

    def serve(self, *command: str | Path, cwd: Path | None = None) -> AbstractContextManager[Any]:
        options = {"cwd": cwd or self.folder, **self.identity}
        return serving((*command, "--no-browser"), self.folder, self.environment, **options)


@contextmanager
def clean_room(user: int | None = None) -> Iterator[CleanRoom]:
    with tempfile.TemporaryDirectory(prefix="backprop_lab_", ignore_cleanup_errors=os.name == "nt") as folder:
        os.chmod(folder, 0o755)  # for a user other than the one who made it
        yield CleanRoom(Path(folder).resolve(), user)


def require(claim: bool, sentence: str) -> None:
    """Stop the rehearsal with a sentence that says what is not as it must be."""
    if not claim:
        sys.exit(f"not so: {sentence}")
