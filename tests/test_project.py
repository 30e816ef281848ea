"""The files around the package agree with each other, and with what Binder and a fresh clone need."""

import os
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlparse

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import backprop_lab

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


def pins(folder):
    """The packages of a requirements.txt, each with the hashes of its files."""
    text = re.sub(r"^#.*\n", "", (ROOT / folder / "requirements.txt").read_text(), flags=re.MULTILINE)
    lines = text.replace(" \\\n    ", " ").splitlines()
    return {pin: hashes for pin, *hashes in (line.split(" --hash=") for line in lines)}


PINS = {folder: pins(folder) for folder in ("binder", "lite", "classroom")}
WANTED = [("binder", line) for line in PROJECT["dependencies"]]
WANTED += [("binder", line) for extra in ("lab", "binder", "test") for line in PROJECT["optional-dependencies"][extra]]
WANTED += [("lite", line) for line in PYPROJECT["dependency-groups"]["lite"]]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# Where packages come from is everyone's own business, and so is where a clone lies.
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian|security\.debian|conda\.anaconda")
MACHINE_PATH = re.compile(r"(?<![\w.~}/-])/(root|home|work|tmp|Users|opt(?!/tljh/))/[\w.]")  # all of TLJH have that one


@pytest.fixture(scope="session")
def text_files(project_files):
    """Every file of the project that holds text: its name and what it says."""
    texts = {}
    for name in project_files:
        path = ROOT / name
        if path.is_file():
            try:
                texts[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return texts


@pytest.mark.parametrize("pattern", [REGISTRY, MACHINE_PATH], ids=["registry", "path"])
def test_no_file_names_a_package_registry_or_a_folder_of_one_machine(pattern, text_files):
    assert "pyproject.toml" in text_files
    found = [f"{name}: {match.group()}" for name, text in text_files.items() for match in pattern.finditer(text)]
    assert not found


def test_the_search_for_them_finds_them():
    assert REGISTRY.search("https://" + "pypi" + ".org/simple")
    assert MACHINE_PATH.search('File "' + "/home" + '/ada/backprop-lab/trace.py"')
    assert not MACHINE_PATH.search("#!/usr/bin/env bash, tests/work/x, https://example.com/home/x, ~/work/x")


@pytest.mark.parametrize(("folder", "line"), WANTED)
def test_a_version_that_suits_is_pinned_for(folder, line):
    wanted = Requirement(line)
    pins = [
        pin for pin in map(Requirement, PINS[folder]) if canonicalize_name(pin.name) == canonicalize_name(wanted.name)
    ]
    assert len(pins) == 1, "run `make pins`"
    (pin,) = pins
    assert pin.marker is None
    (exactly,) = pin.specifier
    assert wanted.specifier.contains(exactly.version), "run `make pins`"


@pytest.mark.parametrize("folder", PINS)
def test_a_pin_is_one_exact_version_of_files_that_are_known_from_no_particular_place(folder):
    for line, hashes in PINS[folder].items():
        pin = Requirement(line)
        assert pin.url is None
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), line
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), line


@pytest.mark.parametrize("script", ["binder/postBuild", ".ci/run"])
def test_a_script_is_executable_and_stops_at_the_first_error(script):
    assert os.access(ROOT / script, os.X_OK)
    assert re.search(r"^set -e", (ROOT / script).read_text(), re.MULTILINE)


def test_the_oldest_and_the_newest_python_we_name_are_tested_on_every_system():
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert PROJECT["requires-python"] == f">={named[0]}"
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    assert f'python: ["{named[0]}", "{named[-1]}"]' in workflow
    assert "os: [ubuntu-latest, macos-latest, windows-latest]" in workflow


def test_every_file_that_states_the_version_states_the_same():
    assert version("backprop-lab") == backprop_lab.__version__
    assert f"\nversion: {backprop_lab.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert backprop_lab.__version__ in (ROOT / "CHANGELOG.md").read_text()


# Where our own files are named from outside: (in which file, at which address).
OUTSIDE = re.compile(r"https://(?:mybinder\.org/v2/|colab\.research\.google\.com/github/|github\.com/)[^\s)\"'`\\\\>]+")
ADDRESS = PROJECT["urls"]["Homepage"]
NAME = ADDRESS.removeprefix("https://github.com/")


def binder(path):
    return f"https://mybinder.org/v2/gh/{NAME}/HEAD?labpath={quote(path, safe='')}"


def colab(path):
    return f"https://colab.research.google.com/github/{NAME}/blob/main/{quote(path)}"


def named_from_outside(link):
    """The path of a file of ours that an address names, or None if it names no file of ours."""
    if link.startswith("https://mybinder.org/v2/"):
        path = parse_qs(urlparse(link).query).get("labpath", [None])[0]
        if path is None:  # a notebook of somebody else in our environment
            return None if link.startswith(f"https://mybinder.org/v2/gh/{NAME}/") else f"another repository than {NAME}"
        return path if link == binder(path) else f"another address than {binder(path)}"
    if link.startswith("https://colab."):
        path = unquote(link.partition("/blob/main/")[2])
        return path if link == colab(path) else f"another address than {colab(path)}"
    found = re.fullmatch(rf"{re.escape(ADDRESS)}/(?:blob|raw|tree)/main/([^#?]+)(?:#.*)?", link)
    return found and unquote(found[1])


# What somebody who has only this folder reads first.
NEEDS_PUBLISHING = re.compile(
    r'mybinder\.org|colab\.|backprop-lab\.github\.io|git clone|pip install (-\S+ )*"?backprop-lab'
)
PUBLISHED = "## Once it is published"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTIONS = {text.partition("\n")[0]: text for text in re.split(r"^(?=## )", README, flags=re.MULTILINE)}


def commands(text):
    """The blocks of commands in Markdown, each as its lines without comments."""
    blocks = re.findall(r"(?:^    .*\n)+", f"{text}\n", re.MULTILINE)
    return [[line.partition("  #")[0].strip() for line in block.splitlines()] for block in blocks]


def test_the_readme_begins_with_what_works_in_a_checkout():
    with_make, unix, windows = commands(list(SECTIONS.values())[1])
    assert with_make == ["make lab", "make test"]
    assert unix == ["python3 -m venv .venv", '.venv/bin/pip install ".[lab]"', ".venv/bin/backprop-lab"]
    assert windows == [line.replace("python3", "py").replace(".venv/bin/", ".venv\\Scripts\\") for line in unix]


def test_the_readme_says_in_one_place_what_works_only_once_it_is_published():
    assert [heading for heading, text in SECTIONS.items() if NEEDS_PUBLISHING.search(text)] == [PUBLISHED]
    assert "None of this works yet" in SECTIONS[PUBLISHED]


def test_there_the_readme_opens_the_course_on_binder():
    assert f"]({binder('notebooks/00_start_here.ipynb')})" in SECTIONS[PUBLISHED]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_readme_links_each_notebook_here_and_once_it_is_published_in_colab(path):
    assert f"| [{path.stem}](notebooks/{path.name}) |" in SECTIONS["## The notebooks"]
    assert f"]({colab(f'notebooks/{path.name}')})" in SECTIONS[PUBLISHED]


def test_start_here_gives_the_commands_of_the_readme_and_says_what_needs_publishing():
    notebook = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.id == "how-to-get-it-running")
    today, _, later = cell.source.partition("**Once it is published,**")
    with_make, unix, _ = commands(list(SECTIONS.values())[1])
    assert commands(today) == [with_make[:1], unix]
    assert not NEEDS_PUBLISHING.search(today)
    assert NEEDS_PUBLISHING.search(later)


def test_every_link_to_a_file_of_ours_has_our_address_and_names_a_file_that_exists(text_files):
    found = [
        (name, link)
        for name, text in text_files.items()
        for link in OUTSIDE.findall(text)
        if name != "tests/test_project.py"
    ]
    assert {link for _, link in found} >= {binder("notebooks/00_start_here.ipynb"), ADDRESS}
    paths = {(name, link): named_from_outside(link) for name, link in found}
    wrong = {key: path for key, path in paths.items() if path is not None and not (ROOT / path).is_file()}
    assert not wrong


def test_the_teaching_notes_make_a_link_that_asks_nbgitpuller_for_the_teachers_notebook(capsys):
    notes = (ROOT / "notebooks" / "teaching_notes.md").read_text(encoding="utf-8")
    (lines,) = (block for block in re.findall(r"```python\n(.*?)```", notes, re.DOTALL) if "mybinder" in block)
    exec(lines, {})
    link = urlparse(capsys.readouterr().out.strip())
    assert f"https://{link.netloc}{link.path}" == f"https://mybinder.org/v2/gh/{NAME}/HEAD"
    (inside,) = parse_qs(link.query)["urlpath"]
    command, _, query = inside.partition("?")
    assert command == "git-pull"
    asked = {"repo": "https://github.com/ada/lessons", "branch": "main", "urlpath": "lab/tree/lessons/lesson_1.ipynb"}
    assert {name: value for name, (value,) in parse_qs(query).items()} == asked
    assert "nbgitpuller" in {canonicalize_name(Requirement(pin).name) for pin in PINS["binder"]}


def test_such_a_link_with_a_slip_in_it_is_found():
    for slip in (
        binder("notebooks/00_start_her.ipynb"),
        binder("notebooks/00_start_here.ipynb").replace("HEAD", "main"),
        colab("notebooks/00_start_here.ipynb").replace(NAME, "somebody/else"),
        f"{ADDRESS}/blob/main/NOTES.md",
    ):
        assert OUTSIDE.fullmatch(slip)
        assert not (ROOT / named_from_outside(slip)).is_file()


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_saved_notebook_was_run_from_top_to_bottom_and_holds_no_widget_state(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run `make notebooks`"
    assert notebook.metadata.keys() == {"kernelspec", "language_info"}, "run `make notebooks`"
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert not [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
