"""A class's JupyterHub on this machine, with the configuration of classroom/, on ports that nobody else has."""

import asyncio
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import aiohttp
import processes
import psutil

CLASSROOM = Path(__file__).parents[2] / "classroom"
SERVER_CONFIG = Path(sys.prefix, "etc", "jupyter", "jupyter_server_config.py")  # where README.md has it put
PARTS = ("require_closed_signup.py", "jupyterhub_config.py")
FIRST_UID = 52000

# Settings for a machine without systemd and a hub that runs for minutes only. Everything else is that of the class.
AROUND = """
c = get_config()
for part in {parts!r}:
    load_subconfig("{folder}/" + part)
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
c.Authenticator.allowed_users = set({names!r})
c.Authenticator.admin_users = {{"teacher"}}
{more}
"""


class TestHub:
    """A proxy and a hub, with accounts that only it and what it starts see; `separate` takes root and `unshare`."""

    def __init__(self, folder, students, more=""):
        self.folder, self.homes, self.log = folder, folder / "homes", folder / "hub.log"
        self.names = [*students, "teacher"]
        with ExitStack() as stack:
            free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
            self.port, self.hub_port, self.api_port = (one.getsockname()[1] for one in free)
        self.url = f"http://127.0.0.1:{self.port}"
        self.separate = os.geteuid() == 0 and not subprocess.call(["unshare", "--mount", "true"])
        error = f"--error-target=http://127.0.0.1:{self.hub_port}/hub/error"
        addresses = [f"--port={self.port}", f"--api-port={self.api_port}", "--ip=127.0.0.1", "--api-ip=127.0.0.1"]
        self._proxy_command = ["configurable-http-proxy", *addresses, error]
        path = f"{sys.prefix}/bin:{os.environ['PATH']}"
        self._environment = os.environ | {"CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32), "PATH": path}
        spawner = "localprocess" if self.separate else "simple"
        for (
            part
        ) in PARTS:  # the hub may see nothing of a checkout in a closed folder, and goes on without what is missing
            shutil.copy(CLASSROOM / part, folder)
        (folder / "around.py").write_text(AROUND.format(**vars(self), parts=PARTS, spawner=spawner, more=more))
        SERVER_CONFIG.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CLASSROOM / SERVER_CONFIG.name, SERVER_CONFIG)
        self.homes.mkdir()
        self.homes.chmod(0o755)
        accounts, groups = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
        for uid, name in enumerate(self.names if self.separate else (), FIRST_UID):
            home = self.homes / name
            accounts += f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n"
            groups += f"{name}:x:{uid}:\n"
            home.mkdir(0o750)
            os.chown(home, uid, uid)
        (self.folder / "passwd").write_text(accounts)
        (self.folder / "group").write_text(groups)

    async def __aenter__(self):
        self.proxy = self._popen(self._proxy_command)
        await self.open_hub()
        return self

    async def __aexit__(self, *_):
        for process in (self.hub, self.proxy):
            if process.poll() is None:
                process.terminate()
                process.wait(30)
        for process in processes.of(*self.names):
            if process.info["environ"].get("HOME", "").startswith(str(self.homes)) and not processes.is_kernel(process):
                process.terminate()

    async def open_hub(self):
        """Start the hub and wait until it answers, first by itself and then through the proxy."""
        command = [sys.executable, "-m", "jupyterhub", "-f", str(self.folder / "around.py")]
        if self.separate:
            mounts = [(self.folder / name, Path("/etc", name)) for name in ("passwd", "group")] + self._way_to_python()
            script = "".join(f"mount --rbind {shlex.quote(str(a))} {shlex.quote(str(b))}\n" for a, b in mounts)
            command = ["unshare", "--mount", "sh", "-ec", f'{script}exec "$@"', "sh", *command]
        self.hub = self._popen(command)
        until, waiting = time.monotonic() + 60, [self.hub_port, self.port]
        async with aiohttp.ClientSession(raise_for_status=True) as http:
            while waiting:
                if self.hub.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the hub did not start:\n{self.log.read_text()[-3000:]}")
                await asyncio.sleep(0.2)
                with suppress(aiohttp.ClientError):
                    async with http.get(f"http://127.0.0.1:{waiting[0]}/hub/api/"):
                        del waiting[0]

    def _popen(self, command):
        with self.log.open("a") as log:
            return psutil.Popen(command, cwd=self.folder, env=self._environment, stdout=log, stderr=log)

    def _way_to_python(self):
        """What to mount where, if Python lies in a closed folder: students see one with nothing but the way to it."""
        python, view = Path(sys.base_prefix), self.folder / "way_to_python"
        for closed in reversed(python.parents):
            if not closed.stat().st_mode & 1:
                (way := view / python.relative_to(closed)).mkdir(parents=True, exist_ok=True)
                return [(python, way), (view, closed)]
        return []
