"""Pin every package that we install, with the hashes of its files: `make pins`.

What a learner has is in binder/requirements.txt. The tests, the classroom and Binder need that and more: their lists
begin with it, and go on with what is not in it. Options are passed on to uv: with `--upgrade` it takes the newest
versions, and without it, what is pinned stays.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEARNERS = Path("binder/requirements.txt")
LISTS = {
    LEARNERS: ("pyproject.toml", "--extra=lab", "--extra=binder"),
    Path("binder/notebook.txt"): ("--group=binder-image", f"--constraint={LEARNERS}"),
    Path("tests/requirements.txt"): ("--group=test", f"--constraint={LEARNERS}"),
    Path("classroom/requirements.txt"): ("--group=classroom", f"--constraint={LEARNERS}"),
    Path("docs/requirements.txt"): ("pyproject.toml", "--group=site"),
}
FOR_EVERY_PYTHON = ("--universal", "--python-version=3.11", "--fork-strategy=fewest")
HOW = ("--generate-hashes", "--no-annotate", "--quiet", "--custom-compile-command=make pins")
PIN = re.compile(r"^(\w\S*)==.*\n(?: .*\n)*", re.MULTILINE)  # a package with, on the lines below it, its hashes


def main() -> None:
    uv = Path(sys.executable).with_name("uv")
    for path, packages in LISTS.items():
        command = [uv, "pip", "compile", *packages, *FOR_EVERY_PYTHON, *HOW, *sys.argv[1:], f"--output-file={path}"]
        subprocess.run(command, cwd=ROOT, check=True)
        if f"--constraint={LEARNERS}" in packages:
            put_on_top(ROOT / path)


def put_on_top(path: Path) -> None:
    """Leave out of a list what the learners' has, and begin it with that one."""
    known = {pin[1] for pin in PIN.finditer((ROOT / LEARNERS).read_text(encoding="utf-8"))}
    text = path.read_text(encoding="utf-8")
    heading = text[: PIN.search(text).start()]
    own = [pin[0] for pin in PIN.finditer(text) if pin[1] not in known]
    path.write_text("".join([heading, f"-r ../{LEARNERS}\n", *own]), encoding="utf-8")


if __name__ == "__main__":
    main()
