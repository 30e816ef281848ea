"""Build what is published, and do with it what the README says; what was built lies in `dist/` if all went well."""

import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from clean_room import ROOT, CleanRoom, clean_room, require

LOADS_NUMPY_ALONE = """
import sys, backprop_lab
backprop_lab.trace(backprop_lab.worked_example())
assert "site-packages" in backprop_lab.__file__, backprop_lab.__file__
assert "numpy" in sys.modules and not {"matplotlib", "ipywidgets", "anywidget"} & set(sys.modules)
"""


def main() -> None:
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    with clean_room() as room:  # the wheel is built from the sdist: so this one lacks nothing
        tools, built = room.new_environment("tools", "build", "twine"), room.folder / "built"
        room.run(tools / "python", "-m", "build", "--outdir", built, ROOT)
        (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
        room.run(tools / "python", "-m", "twine", "check", "--strict", wheel, sdist)
        what_is_published(wheel, sdist)
        first_lines(room, wheel)
        dist.mkdir()
        for path in (wheel, sdist):
            shutil.copy(path, dist)
            print(f"dist/{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def what_is_published(wheel: Path, sdist: Path) -> None:
    """Nothing that lies about in somebody's checkout, and links that also work on the package's page."""
    with zipfile.ZipFile(wheel) as archive, tarfile.open(sdist) as source:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        page = archive.read(metadata).decode()
        names = {name.replace("backprop_lab/notebooks/", "notebooks/") for name in archive.namelist()}
        names = {name for name in names if ".dist-info/" not in name}
        names |= {name.partition("/")[2] for name in source.getnames()} - {"PKG-INFO"}
    relative = re.findall(r"\]\((?!\w+:|#)[^)]+\)", page)
    require(not relative, f"every link in the metadata is a whole address, but {relative}")
    if (ROOT / ".git").exists():
        listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT).decode()
        lost = sorted(names - {*listed.split("\0")})
        require(not lost, f"all that would be published is in git; add or remove {lost}")


def first_lines(room: CleanRoom, wheel: Path) -> None:
    """Install the wheel where nothing else is, first without JupyterLab, and use it."""
    commands = room.new_environment("learner", wheel, *room.pins())
    room.run(commands / "python", "-c", LOADS_NUMPY_ALONE)
    require("--with-solutions" in room.run(commands / "backprop-lab", "--help"), "--help names the options")
    room.run(commands / "backprop-lab", "course", status=1)  # without JupyterLab

    room.run(commands / "python", "-m", "pip", "install", "--quiet", f"{wheel}[lab]", *room.pins())
    room.run(commands / "backprop-lab", "teacher", "--with-solutions", "--copy-only")
    require((room.folder / "teacher" / "solutions").is_dir(), "the solutions are in the wheel")

    with room.serve(commands / "backprop-lab", "course", "--") as server:
        page = server.request("/lab/tree/00_start_here.ipynb")
        require(b"jupyter-config-data" in page, "JupyterLab's page is served")
        server.request("/api/contents/00_start_here.ipynb")  # and so is the notebook
    for notebook in ("00_start_here", "02_step_through", "07_learning_rate"):
        given = room.folder / "course" / f"{notebook}.ipynb"
        room.run(commands / "jupyter", "nbconvert", "--to", "notebook", "--execute", "--output-dir", "run", given)


if __name__ == "__main__":
    main()
