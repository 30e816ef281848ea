"""The command `backprop-lab`: what a learner wrote is never lost, and each error is reported in a sentence."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import nbformat
import pytest
from common import raises
from launch import own_environment

from backprop_lab.__main__ import FIRST, RECORD, copy_course, course, main

ROOT = Path(__file__).parent.parent


def course_of(*sources):
    """A course of one notebook, with a cell for each source."""
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{place}") for place, source in enumerate(sources)]
    return {"a.ipynb": nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()}


OLD, NEW = course_of("1 + 1"), course_of("1 + 1", "2 + 2")


def edit(path, **cell):
    """Change the first cell: its source, as a learner does, or these parts of it."""
    changed = json.loads(path.read_bytes())
    changed["cells"][0] |= cell or {"source": "my own work"}
    path.write_text(json.dumps(changed), encoding="utf-8")
    return path.read_bytes()


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_the_folder_lies_where_the_command_was_typed_unless_it_was_typed_inside(tmp_path, monkeypatch):
    for place in (tmp_path, "backprop_lab_notebooks"):
        monkeypatch.chdir(place)
        main(["--copy-only"])
        assert ("backprop_lab_notebooks" in names(Path.cwd())) == (place is tmp_path)


def test_a_student_gets_the_notebooks_and_a_teacher_all_that_lies_beside_them(tmp_path, capsys, project_files):
    folder = tmp_path / "new" / "folder"
    assert main([str(folder), "--copy-only"]) == 0
    assert f"Your notebooks are in {folder}\n" in capsys.readouterr().out
    notebooks = (path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert names(folder) == sorted([*notebooks, "lab.png", "penguins.csv"])
    main([str(folder), "--copy-only", "--with-solutions"])
    copied = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    del copied[RECORD]
    beside = [name for name in project_files if name.startswith("notebooks/")]
    assert copied == {name.removeprefix("notebooks/"): (ROOT / name).read_bytes() for name in beside}


def test_what_is_in_the_way_of_the_folder_is_named_and_kept(tmp_path, capsys):
    thesis = tmp_path / "thesis"
    thesis.write_text("years of work", encoding="utf-8")
    for folder, said in [(thesis, f"{thesis}: this is a file"), (thesis / "inside", "run: backprop-lab FOLDER")]:
        assert main([str(folder), "--copy-only"]) == 1
        assert said in capsys.readouterr().err
    assert thesis.read_text(encoding="utf-8") == "years of work"


CHANGES = {
    "a cell edited": edit,
    "no notebook any more": lambda path: path.write_bytes(b"\xff\xfe"),
    "its cells have no type": lambda path: path.write_bytes(b'{"cells": [{"source": 3}]}'),
    "no record of what was copied": lambda path: path.with_name(RECORD).unlink(),
    "half a record": lambda path: path.with_name(RECORD).write_bytes(b"{"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_the_learner_wrote_stays_and_the_newer_notebook_lies_beside_it(change, tmp_path):
    path = tmp_path / "a.ipynb"
    copy_course(tmp_path, OLD, "1.0")
    change(path)
    mine = path.read_bytes()
    told = copy_course(tmp_path, NEW, "2.0")
    assert told[1:] == ["a.ipynb is as you left it. A newer version is beside it: a_2.0.ipynb"]
    assert (path.read_bytes(), (tmp_path / "a_2.0.ipynb").read_bytes()) == (mine, NEW["a.ipynb"])


def test_a_notebook_only_run_is_replaced_and_a_deleted_one_comes_back(tmp_path):
    path = tmp_path / "a.ipynb"
    copy_course(tmp_path, OLD, "1.0")
    metadata = {"execution": {"iopub.execute_input": "2026-11-25T10:00:00Z"}, "scrolled": True}
    edit(path, outputs=[nbformat.v4.new_output("stream", text="2\n")], execution_count=7, metadata=metadata)
    told = ["Replaced with newer versions, since you had not changed them: a.ipynb"]
    assert copy_course(tmp_path, NEW, "2.0")[1:] == told
    assert (names(tmp_path), path.read_bytes()) == (["a.ipynb"], NEW["a.ipynb"])
    path.unlink()
    copy_course(tmp_path, NEW, "2.0")
    assert path.read_bytes() == NEW["a.ipynb"]


def test_each_newer_notebook_is_offered_once_and_may_be_edited_or_deleted_too(tmp_path):
    copy_course(tmp_path, OLD, "1.0")
    edit(tmp_path / "a.ipynb")
    copy_course(tmp_path, NEW, "2.0")
    edit(tmp_path / "a_2.0.ipynb", source="also mine")
    assert len(copy_course(tmp_path, NEW, "2.0")) == 1
    copy_course(tmp_path, course_of("3 + 3"), "2.0")  # of the same number: a development version
    copy_course(tmp_path, last := course_of("4 + 4"), "3.0")
    first = {name: nbformat.read(tmp_path / name, as_version=4).cells[0].source for name in names(tmp_path)}
    mine, offered = {"a.ipynb": "my own work", "a_2.0.ipynb": "also mine"}, {"a_2.0_2.0.ipynb": "3 + 3"}
    assert first == mine | offered | {"a_3.0.ipynb": "4 + 4"}
    (tmp_path / "a_3.0.ipynb").unlink()
    assert len(copy_course(tmp_path, last, "3.0")) == 1
    assert "a_3.0.ipynb" not in names(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has links only for administrators")
def test_nothing_is_written_through_a_symbolic_link(tmp_path, capsys):
    (outside := tmp_path / "outside").write_bytes(OLD["a.ipynb"])
    (elsewhere := tmp_path / "elsewhere").mkdir()
    for name, target in [("a.ipynb", outside), (RECORD, outside), ("solutions", elsewhere)]:
        (folder := tmp_path / name.strip(".")).mkdir()
        (folder / name).symlink_to(target)
        if name == "a.ipynb":
            copy_course(folder, NEW, "2.0")
            assert (folder / "a_2.0.ipynb").read_bytes() == NEW["a.ipynb"]
        else:
            assert main([str(folder), "--copy-only", "--with-solutions"]) == 1
            assert f"{folder / name}" in capsys.readouterr().err
        assert (folder / name).is_symlink()
    assert outside.read_bytes() == OLD["a.ipynb"]
    assert names(elsewhere) == []


def test_two_commands_at_once_both_end_well_and_leave_one_whole_course(tmp_path):
    command = [sys.executable, "-m", "backprop_lab", tmp_path / "course", "--copy-only"]
    options = {"env": own_environment(tmp_path, PYTHONPATH=str(ROOT)), "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, **options) for _ in range(3)]
    assert [(one.communicate()[1], one.returncode) for one in running] == [("", 0)] * 3
    copied = {path.name: path.read_bytes() for path in (tmp_path / "course").iterdir()}
    assert {*json.loads(copied.pop(RECORD))} == {*copied}
    assert copied == course(False)


@pytest.mark.skipif(os.name == "nt", reason="Windows has links only for administrators")
def test_a_link_that_leads_back_to_itself_is_named(tmp_path, capsys):
    (loop := tmp_path / "loop").symlink_to(tmp_path / "back")
    (tmp_path / "back").symlink_to(loop)
    for folder, why in [(loop, "a link that leads back to itself"), (loop / "inside", "levels of symbolic links")]:
        assert main([str(folder), "--copy-only"]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"backprop-lab: {folder}")
        assert why in said


def copy_only(folder, home, **options):
    """The command in a process of its own: how it ends, and what it prints to stderr."""
    command = [sys.executable, "-m", "backprop_lab", folder, "--copy-only"]
    environment = own_environment(home, PYTHONPATH=str(ROOT), **options.pop("env", {}))
    done = subprocess.run(command, env=environment, encoding="utf-8", check=False, **{"stderr": -1} | options)
    return done.returncode, done.stderr, done.stdout


def test_a_folder_whose_name_the_terminal_cannot_write_is_filled(tmp_path):
    (folder := tmp_path / "caf\N{LATIN SMALL LETTER E WITH ACUTE}").mkdir()
    told = copy_only(folder, tmp_path, env={"PYTHONIOENCODING": "ascii"}, stdout=subprocess.PIPE)
    assert told[:2] == (0, "")
    assert told[2].startswith(f"Your notebooks are in {tmp_path / 'caf'}\\xe9\nCopied: ")
    assert FIRST in names(folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes and devices")
def test_where_nothing_can_be_printed_the_notebooks_are_copied(tmp_path):
    reads, broken = os.pipe()
    os.close(reads)
    with open(broken, "w", encoding="utf-8") as pipe, open("/dev/full", "w", encoding="utf-8") as full:
        for out, why in ((pipe, "Broken pipe"), (full, "No space left on device")):
            status, said, _ = copy_only(tmp_path / why, tmp_path, stdout=out)
            sentence = f"backprop-lab: your notebooks are in {tmp_path / why}, but this could not be printed: {why}."
            assert (status, said) == (0, f"{sentence}\n")
            assert FIRST in names(tmp_path / why)


def test_a_full_disk_leaves_no_half_of_a_notebook(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Path, "replace", raises(OSError(28, "No space left on device")))  # which ends each writing
    assert main([str(tmp_path), "--copy-only"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_without_jupyterlab_the_notebooks_are_there_and_pips_line_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert main([str(tmp_path)]) == 1
    assert FIRST in names(tmp_path)
    assert 'pip install "backprop-lab[lab]"' in capsys.readouterr().err


def test_jupyterlab_opens_on_the_first_notebook_with_the_flags_that_are_passed_on(tmp_path, monkeypatch):
    """What it does with them is seen by `tests/release/check_wheel.py`."""
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")
    monkeypatch.setattr("jupyterlab.labapp.main", run := mock.Mock())
    assert main([str(tmp_path), "--", "--port=8899"]) == 0
    root, start, *_, last = run.call_args[0][0]
    assert (root, last) == (f"--ServerApp.root_dir={tmp_path}", "--port=8899")
    assert start == f"--LabApp.default_url=/lab/tree/{FIRST}"


def without_make():
    """The environment, but for what a `make` that runs these tests has put into it."""
    return {name: os.environ[name] for name in os.environ.keys() - {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make, as on Windows")
def test_make_lab_opens_a_copy_that_git_ignores_without_solutions_with_the_flags_given(tmp_path, monkeypatch):
    make = ["make", "--dry-run", "--no-print-directory", "lab", "LABFLAGS=--no-browser --port=8899"]
    last = subprocess.check_output(make, cwd=ROOT, env=without_make(), encoding="utf-8").splitlines()[-1]
    command, folder, *flags = shlex.split(last.removeprefix("exec "))
    assert command == ".venv/bin/backprop-lab"
    assert f"{folder}/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    monkeypatch.setattr("jupyterlab.labapp.main", run := mock.Mock())
    monkeypatch.chdir(tmp_path)
    assert main([folder, *flags]) == 0
    (given,) = run.call_args[0]
    starts = [flag for flag in given if flag.startswith("--LabApp.default_url")]
    assert starts == ["--LabApp.default_url=/lab/tree/02_step_through.ipynb"], "JupyterLab takes no more than one"
    assert (given[0], given[-2:]) == (f"--ServerApp.root_dir={tmp_path / folder}", ["--no-browser", "--port=8899"])
    assert {"02_step_through.ipynb", "solutions"} & {*names(tmp_path / folder)} == {"02_step_through.ipynb"}


PYTHON_OF_A_TEST = """#!/bin/sh
case "$*" in
*" venv "*)
    mkdir -p .venv/bin && cp "$0" .venv/bin/python
    printf '%s' "$UV_OF_A_TEST" > .venv/bin/uv && chmod +x .venv/bin/uv ;;
*) echo "$(basename "$0") $*" >> asked ;;
esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make, as on Windows")
@pytest.mark.parametrize("reached", [True, False], ids=["uv gets all", "uv gets nothing"])
def test_make_installs_with_uv_and_with_pip_what_uv_cannot_get(tmp_path, reached):
    files = ("binder/requirements.txt", "tests/requirements.txt", "pyproject.toml", "backprop_lab/__init__.py")
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    python = tmp_path / "python"
    python.write_text(PYTHON_OF_A_TEST)
    python.chmod(0o755)
    uv = f"#!/bin/sh\necho uv $* >> asked\n{'true' if reached else 'false'}\n"
    make = ["make", "--file", str(ROOT / "Makefile"), ".venv/.tests", f"PYTHON={python}"]
    subprocess.run(make, cwd=tmp_path, env={**without_make(), "UV_OF_A_TEST": uv}, check=True, capture_output=True)
    asked = [line.split() for line in (tmp_path / "asked").read_text().splitlines()]
    for last in ("binder/requirements.txt", ".", "tests/requirements.txt"):
        tools = ["uv", *["python"] * (not reached)]
        assert [line[0] for line in asked if line[-1] == last] == tools, last
