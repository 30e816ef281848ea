"""The command `backprop-lab`: copies the course notebooks to a folder and opens JupyterLab on the first one.

`python -m backprop_lab` does the same if the folder of installed commands is not on the PATH.
"""

import argparse
import errno
import hashlib
import importlib.util
import io
import json
import os
import secrets
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backprop_lab import __version__

FOLDER = "backprop_lab_notebooks"
FIRST = "00_start_here.ipynb"
FOR_STUDENTS = ("*.ipynb", "*.png", "*.csv")
FOR_TEACHERS = ("teaching_notes.md", "solutions/*.*")

# A file in the learner's folder that records each notebook as it was copied, to tell later whether the learner has
# changed it.
RECORD = ".backprop_lab.json"

# What JupyterLab and other editors write into the metadata of a cell that was only run or folded.
BY_ITSELF = (
    "collapsed",
    "execution",
    "ExecuteTime",
    "jp-MarkdownHeadingCollapsed",
    "jupyter",
    "scrolled",
    "trusted",
    "vscode",
)

# A folder with settings for JupyterLab, which then does not ask whether to show news about Jupyter. (With
# `--LabApp.news_url=None` there is no news, but JupyterLab 4.6 still asks.)
SETTINGS = Path(__file__).with_name("jupyter")

HELP = f"""\
Copies the course notebooks to a folder of your own and opens JupyterLab on the first one, {FIRST[:2]}_start_here.
Press Ctrl-C twice to stop JupyterLab. Run the same command again to pick up where you left off.
"""
MORE_HELP = """\
Your changes are never overwritten. If a newer backprop-lab has a newer version of a notebook you changed, it is saved
beside yours; a notebook that you have only read and run is replaced. If you delete a notebook, the command restores the
original.

Everything after -- is passed on to JupyterLab:
  backprop-lab my_course -- --no-browser --port 9000
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 if all went well."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    end = given.index("--") if "--" in given else len(given)
    options = parser().parse_args(given[:end])
    folder = options.folder
    try:
        folder = Path(os.path.realpath(default_folder() if folder is None else folder))
        if folder.is_symlink():  # though all links have been followed
            raise OSError(errno.ELOOP, "this is a link that leads back to itself", str(folder))
        sentences = copy_course(folder, course(options.with_solutions))
    except OSError as error:
        place = error.filename or folder or "the folder that you are in"
        return complain(f"{place}: {error.strerror}.\nTo use a different folder, run: backprop-lab FOLDER")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder may have a name that the terminal cannot write
    for sentence in sentences:
        say(sentence, folder)
    return 0 if options.copy_only else open_jupyterlab(folder, given[end + 1 :])


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backprop-lab",
        usage="%(prog)s [-h] [--with-solutions] [--copy-only] [--version] [folder] [-- ...]",
        description=HELP,
        epilog=MORE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, help=f"the folder for your notebooks (default: {FOLDER})")
    parser.add_argument(
        "--with-solutions", action="store_true", help="for teachers: also copy the solutions and the teaching notes"
    )
    parser.add_argument(
        "--copy-only", action="store_true", help="do not open JupyterLab, for example because you use another editor"
    )
    parser.add_argument("--version", action="version", version=f"backprop-lab {__version__}")
    return parser


def default_folder() -> Path:
    """The current folder if it already holds the course, or else a new one inside it."""
    here = Path.cwd()
    return here if (here / RECORD).is_file() else here / FOLDER


def course(with_solutions: bool) -> dict[str, bytes]:
    """The files of the course by path, with `/` between the parts.

    In a wheel they are inside the package, in a checkout beside it.
    """
    package = Path(__file__).parent
    source = next(folder / "notebooks" for folder in (package, package.parent) if (folder / "notebooks").is_dir())
    patterns = FOR_STUDENTS + FOR_TEACHERS if with_solutions else FOR_STUDENTS
    paths = sorted(path for pattern in patterns for path in source.glob(pattern))
    return {path.relative_to(source).as_posix(): path.read_bytes() for path in paths}


def copy_course(folder: Path, files: dict[str, bytes], version: str = __version__) -> list[str]:
    """Bring `folder` up to date and return messages for the learner.

    A file that the learner changed stays as it is; if the course has a newer one, that is put beside it, once, with
    `version` in its name. A file that has not been changed since it was copied is replaced. Raises OSError if a file
    cannot be written, or would be written outside of `folder`.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "this is a file, and the notebooks need a folder", str(folder))
    for inside in {(folder / name).parent for name in files} - {folder}:
        if inside.is_symlink():
            raise OSError(errno.ELOOP, "this is a link, and nothing is written through it", str(inside))
    record = read_record(folder)
    copied, replaced, beside = [], [], []
    for name, content in files.items():
        new, place = fingerprint(content), name
        while True:
            there, before = fingerprint_of(folder / place), record.get(place)
            if there in (None, before, new) or before == new:
                break
            stem, suffix = os.path.splitext(place)  # the learner changed an older one: put it beside that
            place = f"{stem}_{version}{suffix}"
        if there is None and (place == name or before != new):
            write(folder / place, content)
            if place == name:
                copied.append(name)
            else:
                beside.append((name, place))
        elif there == before != new:
            write(folder / place, content)
            replaced.append(place)
        if before != new:
            record[place] = new
            write(folder / RECORD, json.dumps(record, indent=1).encode())
    sentences = [f"Your notebooks are in {folder}"]
    if copied:
        sentences.append(f"Copied: {', '.join(copied)}")
    if replaced:
        sentences.append(f"Replaced with newer versions, since you had not changed them: {', '.join(replaced)}")
    return sentences + [f"{name} is as you left it. A newer version is beside it: {place}" for name, place in beside]


def read_record(folder: Path) -> dict[str, str]:
    """The fingerprint of each file that was copied to `folder` before. Empty if there is no readable record."""
    kind = kind_of(folder / RECORD)
    if kind is None:
        return {}
    if not stat.S_ISREG(kind):
        raise OSError(
            errno.EINVAL, "this is not an ordinary file, and the record of what was copied is one", folder / RECORD
        )
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def kind_of(path: Path) -> int | None:
    """The mode of what is at `path`, of a link itself and not of where it leads, or None if there is nothing."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def fingerprint_of(path: Path) -> str | None:
    """The fingerprint of the file at `path`; one that no file has for a link, a FIFO or a folder; None for nothing."""
    kind = kind_of(path)
    if kind is None:
        return None
    return fingerprint(path.read_bytes()) if stat.S_ISREG(kind) else "not a file"


def fingerprint(content: bytes) -> str:
    """The same for two files with the same content; of a notebook, only what someone has made of its cells counts."""
    try:
        cells = [_made(cell) for cell in json.loads(content)["cells"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # not a notebook
    else:
        content = json.dumps(cells, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _made(cell: dict[str, Any]) -> tuple[Any, ...]:
    """What people put into a cell: not its outputs, and nothing that an editor writes by itself."""
    settings = {name: value for name, value in cell.get("metadata", {}).items() if name not in BY_ITSELF}
    return cell["cell_type"], "".join(cell["source"]), cell.get("attachments", {}), settings


def write(path: Path, content: bytes) -> None:
    """Write a file completely or not at all: half a notebook, on a full disk, would later look like an edited one.

    It is written under a name that nobody can foresee and that must be new, so that two commands at once do not meet,
    and no link leads elsewhere.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def open_jupyterlab(folder: Path, flags: Sequence[str]) -> int:
    """Run JupyterLab on `folder` until it is stopped. What `flags` say takes precedence."""
    if importlib.util.find_spec("jupyterlab") is None:
        return complain('JupyterLab is not installed. To install it: pip install "backprop-lab[lab]"')
    from jupyterlab.labapp import main as run  # takes a second to import, which --help should not wait for

    say("Starting JupyterLab. Press Ctrl-C twice to stop it.", folder)
    folders = (os.environ.get("JUPYTER_CONFIG_PATH"), str(SETTINGS))
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, folders))
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    ours = {"--ServerApp.root_dir": str(folder), "--LabApp.default_url": f"/lab/tree/{FIRST}"}
    given = {flag.partition("=")[0] for flag in flags}  # JupyterLab refuses an option that it is given twice
    run([*(f"{name}={value}" for name, value in ours.items() if name not in given), *as_root, *flags])
    return 0


def say(sentence: str, folder: Path) -> None:
    """Print a sentence; where nothing can be printed, as into a pipe that nobody reads, say that once on stderr."""
    try:
        print(sentence, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would try it again when it ends
        complain(f"your notebooks are in {folder}, but this could not be printed: {error.strerror}.")


def complain(sentence: str) -> int:
    """Print what is wrong, and return the exit status of a failed command."""
    print(f"backprop-lab: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
