"""What Binder does with this repository, rehearsed without Docker by an unprivileged user, on what git holds."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from clean_room import ROOT, CleanRoom, clean_room, require
from first_move import see_the_lab

NOTEBOOK = "notebooks/02_step_through.ipynb"
USER = 1000


def main() -> None:
    version = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    with clean_room() as room:
        base = base_image(room, version)
    with clean_room(USER) as room:
        python, checkout = new_python(room, version), export(room)
        room.run(python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *base)
        print("    Binder's own:", room.run("du", "-sh"))
        path = f"{python.parent}{os.pathsep}{room.environment['PATH']}"
        room.environment |= {"PATH": path, "JUPYTER_PREFER_ENV_PATH": "1"}
        room.run(python, "-m", "pip", "install", "--no-cache-dir", "-r", "binder/requirements.txt", cwd=checkout)
        room.run("./binder/postBuild", cwd=checkout)
        print("    with ours:", room.run("du", "-sh"))
        room.run(python, "-m", "pip", "check")
        found = room.run(python.parent / "jupyter", "labextension", "list")
        require("enabled" in found and "outdated" not in found, f"all extensions fit, but:\n{found}")
        pulls = re.search(r"nbgitpuller .*OK", room.run(python.parent / "jupyter", "server", "extension", "list"))
        require(pulls is not None, "a teacher's own notebooks can be fetched by nbgitpuller")
        command = (python.parent / "jupyter", "notebook", "--ip", "127.0.0.1")
        see_the_lab("Binder", room, command, f"lab/tree/{NOTEBOOK}?", cwd=checkout, quiet=True)


def export(room: CleanRoom) -> Path:
    """What git holds, and nothing that lies about."""
    folder, archive = room.folder / "checkout", room.folder / "head.tar"
    subprocess.run(["git", "archive", "HEAD", "-o", archive], cwd=ROOT, check=True)
    shutil.unpack_archive(archive, folder, filter="data")
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
    return folder


def base_image(room: CleanRoom, version: str) -> list[str]:
    """The packages that repo2docker has for this Python before it comes to ours, each with its version."""
    tools = room.new_environment("tools", "jupyter-repo2docker")
    (conda,) = (tools.parent / "lib").glob("python*/site-packages/repo2docker/buildpacks/conda")
    wanted = (conda / f"environment.py-{version}.yml").read_text(encoding="utf-8")
    locked = (conda / f"environment.py-{version}-linux-64.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"/([\w-]+)-(\d[\w.]*)-[^/]*\.conda", locked))
    packages = [name for name in re.findall(r"^- ([\w-]+)=", wanted, re.MULTILINE) if name not in ("python", "nodejs")]
    return [f"{name.removesuffix('-singleuser')}=={versions[name]}" for name in packages]


def new_python(room: CleanRoom, version: str) -> Path:
    """A Python of this version with nothing installed: pyenv's, copied to where all can read it, or the PATH's."""
    python, home = f"python{version}", room.folder / "python"
    for found in sorted(Path.home().glob(f".pyenv/versions/{version}.*"))[-1:]:
        shutil.copytree(found, home, symlinks=True, ignore=shutil.ignore_patterns("test", "site-packages"))
        room.environment["LD_LIBRARY_PATH"] = str(home / "lib")
        python = str(home / "bin" / "python3")
    require(shutil.which(python) is not None, f"Python {version}, which Binder takes, is here too")
    return room.new_environment("environment", python=python) / "python"


if __name__ == "__main__":
    main()
