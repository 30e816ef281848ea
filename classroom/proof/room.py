"""A class's JupyterHub on this machine, with the configuration of this folder, on ports that nobody else has."""

import asyncio
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import aiohttp
from processes import of_students

CLASSROOM = Path(__file__).parents[1]
SERVER_CONFIG = Path(sys.prefix, "etc", "jupyter", "jupyter_server_config.py")  # where README.md has it put
FIRST_UID = 52000

# To compare with: JupyterHub as it comes, but for the notebooks, which have to come from somewhere.
UNTRIMMED_HUB = 'c.Spawner.cmd = ["jupyterhub-singleuser"]'
UNTRIMMED_SERVER = """
import subprocess, sys, pathlib
subprocess.run([sys.executable, "-m", "backprop_lab", "--copy-only", "backprop_lab_notebooks"], cwd=pathlib.Path.home())
"""

# Settings for a machine without systemd and a hub that runs for minutes only. Everything else is that of the class.
AROUND = """
c = get_config()
for part in {parts}:
    load_subconfig(part)

c.JupyterHub.spawner_class = "{spawner}"
c.SimpleLocalProcessSpawner.home_dir_template = "{homes}/{{username}}"
c.JupyterHub.bind_url = "{url}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"

# The Littlest JupyterHub says the same: the proxy is a service of its own, and servers outlive the hub.
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.Authenticator.allowed_users = set({students!r})
c.Authenticator.admin_users = {{"teacher"}}
{more}
"""


def separate_accounts() -> bool:
    """Whether each student can have an account of the system here: that takes root, and `unshare`."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


class TestHub:
    """A proxy and a hub, and an account and a home for every student.

    The accounts are seen by the hub and what it starts, and by nothing else on this machine.
    """

    def __init__(
        self, folder: Path, proxy_command: str, students: Sequence[str], *, more: str = "", untrimmed: bool = False
    ) -> None:
        self.folder, self.students = folder, list(students)
        self.hub_port, self.api_port, self.port = _free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}"
        self.separate = separate_accounts()
        self.homes = folder / "homes"
        self.log = folder / "hub.log"
        self._proxy_command = proxy_command
        self._environment = os.environ | {
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32),
            "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
        }
        self._config = folder / "around.py"
        self._config.write_text(
            AROUND.format(
                parts=[str(CLASSROOM / name) for name in ("require_closed_signup.py", "jupyterhub_config.py")],
                spawner="localprocess" if self.separate else "simple",
                **{name: getattr(self, name) for name in ("homes", "url", "hub_port", "api_port", "folder")},
                students=[*self.students, "teacher"],
                more=UNTRIMMED_HUB if untrimmed else more,
            )
        )
        SERVER_CONFIG.parent.mkdir(parents=True, exist_ok=True)
        trimmed = (CLASSROOM / SERVER_CONFIG.name).read_text()
        SERVER_CONFIG.write_text(UNTRIMMED_SERVER if untrimmed else trimmed)
        self._make_homes()

    async def __aenter__(self) -> Self:
        with self.log.open("a") as log:
            proxy = [
                self._proxy_command,
                "--ip=127.0.0.1",
                f"--port={self.port}",
                "--api-ip=127.0.0.1",
                f"--api-port={self.api_port}",
                f"--error-target=http://127.0.0.1:{self.hub_port}/hub/error",
            ]
            self.proxy = subprocess.Popen(proxy, env=self._environment, stdout=log, stderr=log)
        await self.open_hub()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything that was started, the students' servers too."""
        for process in (self.hub, self.proxy):
            process.terminate()
        for process in (self.hub, self.proxy):
            process.wait(30)
        for student in of_students():
            if student.student in [*self.students, "teacher"] and not student.is_kernel and self._is_ours(student.pid):
                os.kill(student.pid, signal.SIGTERM)

    async def open_hub(self) -> None:
        """Start the hub and wait until it answers."""
        command = [sys.executable, "-m", "jupyterhub", "-f", str(self._config)]
        if self.separate:
            mounts = [(self.folder / name, Path("/etc", name)) for name in ("passwd", "group")] + self._way_to_python()
            script = "".join(f"mount --rbind {shlex.quote(str(a))} {shlex.quote(str(b))}\n" for a, b in mounts)
            command = ["unshare", "--mount", "sh", "-ec", f'{script}exec "$@"', "sh", *command]
        with self.log.open("a") as log:
            self.hub = subprocess.Popen(command, cwd=self.folder, env=self._environment, stdout=log, stderr=log)
        until = time.monotonic() + 60
        async with aiohttp.ClientSession() as http:
            for url in (
                f"http://127.0.0.1:{self.hub_port}/hub/api/",
                f"{self.url}/hub/api/",
            ):  # itself, then by the proxy
                while not await _answers(http, url):
                    if self.hub.poll() is not None or time.monotonic() > until:
                        raise RuntimeError(f"the hub did not start:\n{self.log.read_text()[-3000:]}")
                    await asyncio.sleep(0.2)

    def _make_homes(self) -> None:
        """Homes as The Littlest JupyterHub makes them: closed to everybody but the student."""
        self.homes.mkdir()
        self.homes.chmod(0o755)
        if not self.separate:
            return
        accounts, groups = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
        for uid, name in enumerate([*self.students, "teacher"], FIRST_UID):
            home = self.homes / name
            accounts += f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n"
            groups += f"{name}:x:{uid}:\n"
            home.mkdir(0o750)
            os.chown(home, uid, uid)
        (self.folder / "passwd").write_text(accounts)
        (self.folder / "group").write_text(groups)

    def _way_to_python(self) -> list[tuple[Path, Path]]:
        """What to mount where so that students reach this Python, if it lies in a folder that is closed to them.

        In place of that folder they see one that is empty but for the way to Python.
        """
        python = Path(sys.base_prefix)
        closed = next((folder for folder in reversed(python.parents) if not folder.stat().st_mode & 1), None)
        if closed is None:
            return []
        view = self.folder / "way_to_python"
        way = view / python.relative_to(closed)
        way.mkdir(parents=True, exist_ok=True)
        return [(python, way), (view, closed)]

    def _is_ours(self, pid: int) -> bool:
        return str(self.homes).encode() in Path(f"/proc/{pid}/environ").read_bytes()


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
