"""What Binder does with this repository, rehearsed without Docker: part of `make release-check`.

repo2docker writes its Dockerfile and builds nothing; the steps that it names are then replayed on what git holds, by an
unprivileged user, into a Python of binder/runtime.txt. In its base image repo2docker puts conda's packages; here pip
installs the same versions. It needs a Python that has playwright, such as that of .venv.
"""

import io
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from urllib.parse import urlencode

from clean_room import ROOT, CleanRoom, clean_room, require
from first_move import see_the_lab

NOTEBOOK = "notebooks/02_step_through.ipynb"
USER = 1000

# In this order, so that what is pinned stays in Docker's cache while only our code changes.
STEPS = (
    r"^FROM \S*buildpack-deps:",
    r"^COPY .* src/binder/requirements\.txt \$\{REPO_DIR\}/binder/requirements\.txt$",
    r'^RUN \$\{KERNEL_PYTHON_PREFIX\}/bin/pip install --no-cache-dir -r "binder/requirements\.txt"$',
    r"^COPY .* src/ \$\{REPO_DIR\}/$",
    r"^RUN \./binder/postBuild$",
)


def main() -> None:
    version = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    with clean_room() as room:
        base = dockerfile(room, export(room), version)
    with clean_room(USER) as room:
        python = new_python(room, version)
        print("Replaying the steps. What the base image holds:")
        room.run(python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *base)
        print("What this repository adds:")
        checkout = export(room)
        room.environment["PATH"] = f"{python.parent}{os.pathsep}{room.environment['PATH']}"
        room.environment["JUPYTER_PREFER_ENV_PATH"] = "1"
        room.run(python, "-m", "pip", "install", "--no-cache-dir", "-r", "binder/requirements.txt", cwd=checkout)
        room.run("./binder/postBuild", cwd=checkout)

        # As a Binder link opens the lab: ours, and a teacher's.
        lessons = teachers_repository(room).as_uri()
        pull = urlencode({"repo": lessons, "branch": "main", "urlpath": "lab/tree/lessons/lesson_1.ipynb"})
        paths = {"": f"lab/tree/{NOTEBOOK}?", ", with a teacher's own notebook": f"git-pull?{pull}&"}
        for name, path in paths.items():
            shutil.rmtree(room.folder / ".jupyter", ignore_errors=True)  # a session has no tab open from another
            command = (python.parent / "jupyter", "notebook", "--ip", "127.0.0.1")
            see_the_lab(f"Binder{name}", room, command, path, cwd=checkout, quiet=True)


def export(room: CleanRoom) -> Path:
    """A folder with what git holds, and nothing that lies about."""
    folder = room.folder / "checkout"
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
    return folder


def dockerfile(room: CleanRoom, checkout: Path, version: str) -> list[str]:
    """Hold the Dockerfile against what we rely on; returns the packages of the base image, each with its version."""
    print("Asking repo2docker.")
    tools = room.new_environment("tools", "jupyter-repo2docker")
    identity = ("--user-id", str(USER), "--user-name", "jovyan")
    text = room.run(tools / "jupyter-repo2docker", "--no-build", "--debug", *identity, ".", cwd=checkout)
    require(f"python={version}" in text, f"Binder takes Python {version}")
    at = 0
    for step in STEPS:
        found = re.compile(step, re.MULTILINE).search(text, at)
        require(found is not None, f"the Dockerfile has, at its place, {step}")
        at = found.end()
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
    python: str | Path = f"python{version}"
    if found := sorted(Path.home().glob(f".pyenv/versions/{version}.*")):
        home = room.folder / "python"
        shutil.copytree(found[-1], home, symlinks=True, ignore=shutil.ignore_patterns("test", "site-packages"))
        room.environment["LD_LIBRARY_PATH"] = str(home / "lib")
        python = home / "bin" / "python3"
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
