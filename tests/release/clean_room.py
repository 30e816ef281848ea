"""A clean room: a temporary folder that sees nothing of the checkout, its environment or this user's Jupyter."""

import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
HIDDEN = ("JUPYTER", "JPY_", "PYTHON", "IPYTHON", "VIRTUAL_ENV", "CONDA")


class CleanRoom:
    """Runs commands in `folder`, each timed. Given a `user` and the right to, they run as that user."""

    def __init__(self, folder: Path, user: int | None = None):
        self.folder = folder
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        self.identity = {"user": user, "group": user, "extra_groups": []} if user is not None and as_root else {}
        seen = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
        own = {f"JUPYTER_{kind}_DIR": str(folder / ".jupyter" / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
        self.environment = seen | own | {"IPYTHONDIR": str(folder / ".ipython"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        if self.identity:
            os.chown(folder, user, user)
            self.environment |= {"HOME": str(folder), "USER": "jovyan"}

    def run(self, *command: str | Path, cwd: Path | None = None, status: int = 0) -> str:
        """What a command prints. It must end with `status`, or the whole rehearsal fails with what it printed."""
        started = time.monotonic()
        words = [str(word) for word in command]
        done = subprocess.run(
            words,
            cwd=cwd or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            **self.identity,
        )
        shown = " ".join([Path(words[0]).name, *words[1:]]).replace(f"{self.folder}{os.sep}", "").split("\n")[0]
        print(f"  {time.monotonic() - started:5.1f} s  {shown:.110}", flush=True)
        if done.returncode != status:
            sys.exit(f"ended with {done.returncode} in place of {status}:\n{done.stdout}")
        return done.stdout

    def pins(self) -> tuple[str | Path, ...]:
        """What tells pip to install the pinned versions; without their hashes, since what is tried here has none."""
        pinned = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8")
        file = self.folder / "pins.txt"
        file.write_text(re.sub(r" \\\n +--hash=\S+", "", pinned), encoding="utf-8")
        return "--constraint", file

    def new_environment(self, name: str, *packages: str | Path, python: str = sys.executable) -> Path:
        """A virtual environment with these packages: the folder of its commands."""
        self.run(python, "-m", "venv", self.folder / name)
        commands = self.folder / name / SCRIPTS
        if packages:
            self.run(commands / "python", "-m", "pip", "install", "--quiet", *packages)
        return commands

    @contextmanager
    def serve(self, *command: str | Path, cwd: Path | None = None) -> Iterator["Server"]:
        """A Jupyter server on a free port, from when it answers until the block ends."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = Server(f"http://127.0.0.1:{port}", secrets.token_hex(16))
        words = [*map(str, command), "--no-browser", f"--port={port}"]
        log = self.folder / "server.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                words,
                cwd=cwd or self.folder,
                env=self.environment | {"JUPYTER_TOKEN": server.token},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                **self.identity,
            )
            started = time.monotonic()
            try:
                while not server.answers():
                    if process.poll() is not None or time.monotonic() > started + 120:
                        sys.exit(f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")
                    time.sleep(0.05)
                server.seconds = time.monotonic() - started
                print(f"  {server.seconds:5.1f} s  until the server answers", flush=True)
                yield server
            finally:
                process.terminate()
                process.wait(30)


class Server:
    """Where a Jupyter server is, its token, and the seconds from its command to its first answer."""

    def __init__(self, url: str, token: str):
        self.url, self.token, self.seconds = url, token, 0.0

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()

    def answers(self) -> bool:
        try:
            return bool(self.get("/api/status"))
        except OSError:
            return False


@contextmanager
def clean_room(user: int | None = None) -> Iterator[CleanRoom]:
    """A clean room that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="backprop_lab_", ignore_cleanup_errors=os.name == "nt") as folder:
        os.chmod(folder, 0o755)  # for a user other than the one who made it
        yield CleanRoom(Path(folder).resolve(), user)


def require(claim: bool, sentence: str) -> None:
    """Stop the rehearsal with a sentence that says what is not as it must be."""
    if not claim:
        sys.exit(f"not so: {sentence}")
