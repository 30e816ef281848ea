"""What Binder does with this repository, rehearsed without Docker.

The steps of repo2docker's Dockerfile are replayed on what git holds, by an unprivileged user, into a Python of
binder/runtime.txt; for conda's packages of its base image, pip installs the same versions.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from clean_room import ROOT, CleanRoom, clean_room, require
from first_move import see_the_lab
from launch import chromium_page

NOTEBOOK = "notebooks/02_step_through.ipynb"
USER = 1000

# In this order, so that what is pinned stays in Docker's cache while only our code changes.
STEPS = (
    r"^FROM \S*buildpack-deps:",
    r"^COPY [^\n]* src/binder/requirements\.txt \$\{REPO_DIR\}/binder/requirements\.txt$",
    r'^RUN \$\{KERNEL_PYTHON_PREFIX\}/bin/pip install --no-cache-dir -r "binder/requirements\.txt"$',
    r"^COPY [^\n]* src/ \$\{REPO_DIR\}/$",
    r"^RUN \./binder/postBuild$",
)


def main() -> None:
    version = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    with clean_room() as room:
        base = dockerfile(room, export(room), version)
    with clean_room(USER) as room:
        python, checkout = new_python(room, version), export(room)
        print("Replaying the steps: what the base image holds, and what this repository adds.")
        room.run(python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *base)
        path = f"{python.parent}{os.pathsep}{room.environment['PATH']}"
        room.environment |= {"PATH": path, "JUPYTER_PREFER_ENV_PATH": "1"}
        room.run(python, "-m", "pip", "install", "--no-cache-dir", "-r", "binder/requirements.txt", cwd=checkout)
        room.run("./binder/postBuild", cwd=checkout)
        room.run(python, "-m", "pip", "check")
        found = room.run(python.parent / "jupyter", "labextension", "list")
        require("enabled" in found and "outdated" not in found, f"all extensions fit, but:\n{found}")

        # As a Binder link opens the lab: ours, and a teacher's; and as the page of Jupyter Notebook shows it.
        lessons = teachers_repository(room).as_uri()
        pull = urlencode({"repo": lessons, "branch": "main", "urlpath": "lab/tree/lessons/lesson_1.ipynb"})
        command = (python.parent / "jupyter", "notebook", "--ip", "127.0.0.1")
        ways = {
            "ours": f"lab/tree/{NOTEBOOK}?",
            "a teacher's own": f"git-pull?{pull}&",
            "Notebook": f"notebooks/{NOTEBOOK}?",
        }
        for whose, path in ways.items():
            shutil.rmtree(room.folder / ".jupyter", ignore_errors=True)  # a session has no tab open from another
            see_the_lab(f"Binder, with {whose}", room, command, path, cwd=checkout, quiet=True)
        with room.serve(*command, cwd=checkout) as server, chromium_page() as page:
            page.goto(f"{server.url}/tree/notebooks?token={server.token}")
            page.get_by_text("02_step_through.ipynb").first.wait_for()


def export(room: CleanRoom) -> Path:
    """A folder with what git holds, and nothing that lies about."""
    folder, archive = room.folder / "checkout", room.folder / "head.tar"
    subprocess.run(["git", "archive", "HEAD", "-o", archive], cwd=ROOT, check=True)
    shutil.unpack_archive(archive, folder, filter="data")
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
    return folder


def dockerfile(room: CleanRoom, checkout: Path, version: str) -> list[str]:
    """Hold the Dockerfile against what we rely on; returns the packages of the base image, each with its version."""
    tools = room.new_environment("tools", "jupyter-repo2docker")
    identity = ("--user-id", str(USER), "--user-name", "jovyan")
    text = room.run(tools / "jupyter-repo2docker", "--no-build", "--debug", *identity, ".", cwd=checkout)
    require(f"python={version}" in text, f"Binder takes Python {version}")
    found = re.search(".*".join(STEPS), text, re.MULTILINE | re.DOTALL)
    require(found is not None, f"the Dockerfile has, in this order, {STEPS}")
    (conda,) = (tools.parent / "lib").glob("python*/site-packages/repo2docker/buildpacks/conda")
    wanted = re.findall(
        r"^- ([\w-]+)=", (conda / f"environment.py-{version}.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    locked = (conda / f"environment.py-{version}-linux-64.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"/([\w-]+)-(\d[\w.]*)-[^/]*\.conda", locked))
    packages = [name for name in wanted if name not in ("python", "nodejs")]
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


def teachers_repository(room: CleanRoom) -> Path:
    """A repository with notebooks and nothing else, as a teacher has it somewhere on the web."""
    folder = room.folder / "web" / "lessons"
    room.run("git", "init", "--quiet", "--initial-branch=main", folder)
    shutil.copy(ROOT / NOTEBOOK, folder / "lesson_1.ipynb")
    room.run("git", "add", ".", cwd=folder)
    author = ("-c", "user.name=Teacher", "-c", "user.email=teacher@example.com")
    room.run("git", *author, "commit", "--quiet", "--message", "The first lesson", cwd=folder)
    return folder


if __name__ == "__main__":
    main()
