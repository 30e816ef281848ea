"""Build what is published, and do with it what the README says to do then: what `make wheel` calls.

Any Python that backprop_lab supports runs this file, on any system, with nothing installed. What was built lies in
`dist/` afterwards, if and only if all went well.
"""

import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from clean_room import ROOT, CleanRoom, clean_room, require

LOADS_NUMPY_ALONE = """
import sys, backprop_lab
assert "site-packages" in backprop_lab.__file__, backprop_lab.__file__
assert "numpy" in sys.modules and not {"matplotlib", "ipywidgets", "anywidget"} & set(sys.modules)
"""


def main() -> None:
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    with clean_room() as room:
        wheel, sdist = build(room)
        nothing_untracked(wheel, sdist)
        links_work_on_any_page(wheel)
        first_lines(room, wheel)
        dist.mkdir()
        for path in (wheel, sdist):
            shutil.copy(path, dist)
            print(f"dist/{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def build(room: CleanRoom) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it: so the sdist lacks nothing."""
    print("Building, and checking the metadata.")
    tools = room.new_environment("tools", "build", "twine")
    room.run(tools / "python", "-m", "build", "--outdir", room.folder / "built", ROOT)
    (wheel,) = (room.folder / "built").glob("*.whl")
    (sdist,) = (room.folder / "built").glob("*.tar.gz")
    room.run(tools / "python", "-m", "twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def nothing_untracked(wheel: Path, sdist: Path) -> None:
    """What lies about in somebody's checkout is not published."""
    if not (ROOT / ".git").exists():
        return
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    tracked = set(listed.decode().split("\0"))
    with zipfile.ZipFile(wheel) as archive:
        names = {name.replace("backprop_lab/notebooks/", "notebooks/") for name in archive.namelist()}
    names = {name for name in names if ".dist-info/" not in name}
    with tarfile.open(sdist) as archive:
        names |= {name.partition("/")[2] for name in archive.getnames()} - {"PKG-INFO"}
    require(names <= tracked, f"all that would be published is in git; add or remove {sorted(names - tracked)}")


def links_work_on_any_page(wheel: Path) -> None:
    """The README is also the package's page, where no file of the repository lies beside it."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        page = archive.read(name).decode()
    links = re.findall(r"\]\(([^)]+)\)", page)
    relative = [link for link in links if not re.match(r"\w+:|#", link)]
    require(bool(links) and not relative, f"every link in the metadata is a whole address, but {relative}")


def first_lines(room: CleanRoom, wheel: Path) -> None:
    """Install the wheel where nothing else is, first without JupyterLab, and use it."""
    pins = room.pins()
    print("Installing the wheel without JupyterLab.")
    commands = room.new_environment("learner", wheel, *pins)
    room.run(commands / "python", "-c", LOADS_NUMPY_ALONE)
    require("--with-solutions" in room.run(commands / "backprop-lab", "--help"), "--help names the options")
    room.run(commands / "backprop-lab", "course", status=1)  # without JupyterLab

    print("Installing the wheel with JupyterLab.")
    room.run(commands / "python", "-m", "pip", "install", "--quiet", f"{wheel}[lab]", *pins)
    room.run(commands / "backprop-lab", "teacher", "--with-solutions", "--copy-only")
    for path in sorted((room.folder / "teacher").rglob("*.*")):
        name = path.relative_to(room.folder / "teacher")
        if not name.name.startswith("."):
            require(path.read_bytes() == (ROOT / "notebooks" / name).read_bytes(), f"{name} is copied as it is")
    require((room.folder / "teacher" / "solutions").is_dir(), "the solutions are in the wheel")

    with room.serve(commands / "backprop-lab", "course", "--") as server:
        page = server.request("/lab/tree/00_start_here.ipynb")
        require(b"jupyter-config-data" in page, "JupyterLab's page is served")
        server.request("/api/contents/00_start_here.ipynb")  # and so is the notebook
    for name in ("00_start_here", "02_step_through", "07_learning_rate"):
        given = room.folder / "course" / f"{name}.ipynb"
        room.run(commands / "jupyter", "nbconvert", "--to", "notebook", "--execute", "--output-dir", "run", given)


if __name__ == "__main__":
    main()
