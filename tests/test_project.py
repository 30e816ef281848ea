"""The files around the package agree with each other, and with what Binder and a fresh clone need."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from common import notebooks
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import backprop_lab
import backprop_lab.ui
from backprop_lab import ACTIVATIONS, LOSSES, MISTAKES, OPTIMIZERS, Activation, Loss, Optimizer
from backprop_lab.nn import activations, losses, optimizers
from backprop_lab.reading.words import WORDS, tables_in

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXTRAS, GROUPS = PROJECT["optional-dependencies"], PYPROJECT["dependency-groups"]
WANTED = {
    (LEARNERS := "binder/requirements.txt"): PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["binder"],
    "binder/notebook.txt": GROUPS["binder-image"],
    "tests/requirements.txt": GROUPS["test"],
    "classroom/requirements.txt": GROUPS["classroom"],
    "docs/requirements.txt": PROJECT["dependencies"] + GROUPS["site"],
}


def pins(path):
    """What a list adds, by the package's name: each as it is pinned, with the hashes of its files."""
    text = re.sub(r"^(?:#|-r ).*\n", "", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace(" \\\n    ", " ").splitlines()
    return {canonicalize_name(Requirement(line.partition(" ")[0]).name): line for line in lines}


def test_a_lab_that_is_sought_in_the_core_is_said_to_be_in_ui():
    with pytest.raises(
        ImportError, match=r"^StepThrough is one of the labs: from backprop_lab\.ui import StepThrough$"
    ):
        exec("from backprop_lab import StepThrough")
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from backprop_lab import Nothing")
    assert not hasattr(backprop_lab, "Nothing")


@pytest.mark.parametrize("path", WANTED)
def test_what_a_place_needs_is_pinned_to_known_files_of_one_version(path):
    pinned = pins(path)
    for line in pinned.values():
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; .+?)?( --hash=sha256:[0-9a-f]{64})+", line)
    if not path.startswith("docs") and path != LEARNERS:  # these go on top of a learner's
        assert "\n-r ../binder/requirements.txt\n" in (ROOT / path).read_text(encoding="utf-8")
        assert not pinned.keys() & pins(LEARNERS).keys()
        pinned |= pins(LEARNERS)
    for wanted in map(Requirement, WANTED[path]):
        pin, *_ = pinned[canonicalize_name(wanted.name)].split(" --hash=")
        assert wanted.specifier.contains(pin.partition("==")[2]), f"{wanted}: run `make pins`"


NAMED_NOWHERE = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian|security\.debian|conda\.anaconda"
    r"|(?<![\w.~}/-])/(root|home|work|tmp|Users|opt(?!/tljh/))/[\w.]"  # each TLJH has the one in opt
)


def test_no_file_names_a_package_registry_or_a_folder_of_one_machine(project_files):
    assert NAMED_NOWHERE.search('File "' + "/home" + '/ada/backprop-lab/trace.py"')
    assert not NAMED_NOWHERE.search("#!/usr/bin/env bash, tests/work/x, https://example.com/home/x, ~/work/x")
    assert "pyproject.toml" in project_files
    contents = {name: (ROOT / name).read_bytes() for name in project_files if (ROOT / name).is_file()}
    texts = {name: content.decode("utf-8") for name, content in contents.items() if b"\0" not in content}
    assert not [(name, match[0]) for name, text in texts.items() for match in NAMED_NOWHERE.finditer(text)]


def test_no_file_of_code_is_longer_than_one_keeps_in_mind(project_files):
    code = [ROOT / name for name in project_files if re.match(r"(backprop_lab|docs|tools)/.*\.(py|js|css)$", name)]
    assert len(code) > 150
    assert not {path.name: length for path in code if (length := len(path.read_text("utf-8").splitlines())) > 330}


def test_no_style_sheet_of_the_labs_reaches_into_what_another_one_is_for():
    sheets = {at.stem: re.findall(r"\.(bpl-[\w-]+)", at.read_text()) for at in (ROOT / "backprop_lab").rglob("*.css")}
    assert not {*sheets.pop("line_list")} & set().union(*sheets.values())


def test_every_public_name_has_its_docstring_and_its_line_in_the_reference():
    assert backprop_lab.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    reference = (ROOT / "docs" / "pages" / "api.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)$", reference, re.MULTILINE)
    assert sorted(listed) == sorted([*backprop_lab.__all__, *backprop_lab.ui.__all__])
    assert all(getattr(backprop_lab, name).__doc__ for name in backprop_lab.__all__)


NEEDS_PUBLISHING = re.compile(r"mybinder\.org|colab\.|backprop-lab\.github\.io|git clone|pip install .*backprop-lab")
COLAB = PROJECT["urls"]["Homepage"].replace("github.com", "colab.research.google.com/github") + "/blob/main/notebooks"
WAYS = (ROOT / "docs" / "pages" / "ways.md").read_text(encoding="utf-8")


def sections(text):
    return {part.partition("\n")[0]: part for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)}


def commands(text):
    blocks = re.findall(r"(?:^    .*\n)+", f"{text}\n", re.MULTILINE)
    return [[line.partition("  #")[0].strip() for line in block.splitlines()] for block in blocks]


def test_readme_and_first_notebook_begin_with_commands_that_work_in_a_checkout():
    with_make, unix, windows = commands(sections(README)["## Start here"])
    assert with_make == ["make lab", "make test"]
    assert unix == ["python3 -m venv .venv", '.venv/bin/pip install ".[lab]"', ".venv/bin/backprop-lab"]
    assert windows == [line.replace("python3", "py").replace(".venv/bin/", ".venv\\Scripts\\") for line in unix]
    (cell,) = (cell for cell in notebooks()["00_start_here.ipynb"].cells if cell.id == "how-to-get-it-running")
    today, _, _ = cell.source.partition("**Once it is published,**")
    assert commands(today) == [with_make[:1], unix]
    assert not NEEDS_PUBLISHING.search(today)


def test_one_place_says_what_needs_publishing_and_has_every_notebook():
    assert not NEEDS_PUBLISHING.search(README)
    of_ways = sections(WAYS)
    published = "## Once it is published"
    assert [heading for heading, text in of_ways.items() if NEEDS_PUBLISHING.search(text)] == [published]
    assert "None of this works yet" in of_ways[published]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"| [{path.stem}](notebooks/{path.name}) |" in sections(README)["## The notebooks"]
        assert f"]({COLAB}/{path.name})" in of_ways[published]
    in_words = {15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen"}
    assert f"A course of {in_words[len([*(ROOT / 'notebooks').glob('*.ipynb')])]} Jupyter notebooks" in README


def test_every_activation_loss_and_optimizer_is_in_the_list_of_all():
    for table, module, base in (
        (ACTIVATIONS, activations, Activation),
        (LOSSES, losses, Loss),
        (OPTIMIZERS, optimizers, Optimizer),
    ):
        kinds = (kind for name, kind in vars(module).items() if isinstance(kind, type) and name[0] != "_")
        classes = {kind for kind in kinds if issubclass(kind, base)} - {base}
        assert {type(each) for each in table.values()} == classes
        assert {kind.__name__ for kind in classes} <= {*backprop_lab.__all__}


def test_a_first_trace_loads_nothing_slow_of_numpy_and_nothing_that_derives_lines():
    first = "from backprop_lab import trace, worked_example; trace(worked_example())"
    code = f"import sys, numpy; before = {{*sys.modules}}; {first}; print(*{{*sys.modules}} - before)"
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert "backprop_lab.step.trace" in loaded
    assert not [name for name in loaded if name.startswith(("numpy.", "backprop_lab.deriving"))]


SLIPS = {  # what no sentence has; the English of this house is British
    "a word twice": r"\b([A-Za-z]+) \1\b",
    "two spaces": r"\S  +\S",
    "curly quotes": r"[\u2018-\u201d]",
    "a space before a comma": r"[a-z)] [,.;?!](?:\s|$)",
    "a for an": r"\b[Aa] (?!one\b)(?:[aeio]|u[^ns]|un[^i])\w",
    "an for a": r"\b[Aa]n (?:[b-df-gj-np-tv-z]\w\w|uni|one\b)",
    "its and it's": r"\bit's\b|\bits (?:an?|the|not|been)\b",
    "American": r"(?<!-)\b(?:colors?\b(?![-:])|center|gray|toward\b|behavior|learned\b|canceled|labeled|normalized\b)",
    "no English": r"\bcan not\b|\bbelongs? into\b|\bis no (?:Python|number)\b|\bcall [^:;]+ otherwise\b",
}


def texts_in(path):
    """(text, whether it ends in a full stop, None where it may or may not) for the strings of a Python file."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    left_out = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    left_out |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    raised = {id(each) for node in nodes if isinstance(node, ast.Raise) for each in getattr(node.exc, "args", ())}
    for node in nodes:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            parts = [part.value for part in getattr(node, "values", [node])]
            text = "".join(part if isinstance(part, str) else f"{{{ast.unparse(part)}}}" for part in parts)
            begins = re.match(r"(?:(A|An|The|This|There|Your|In|With|No)|[a-z]+) .*[^},]$", text, re.DOTALL)
            if id(node) not in left_out:
                yield text, bool(begins[1]) if begins and id(node) in raised else None


def all_said():
    """Every text that a lab, the feedback or an error can say, as (file, text, whether it ends in a full stop)."""
    package = ROOT / "backprop_lab"
    for one in MISTAKES.values():
        kinds = {one.title: False, one.resembles: False, one.cause: True, one.symptom: True}
        yield from (("mistakes.txt", text, ends) for text, ends in kinds.items())
    rows = [row for table in WORDS.values() for row in table.values()]
    yield from (("words.txt", text, text == row[-1]) for row in rows for text in row)
    lessons = tables_in((package / "course" / "lessons.txt").read_text(encoding="utf-8"))
    yield from (("lessons.txt", text, None) for table in lessons.values() for row in table.values() for text in row)
    for path in sorted(package.rglob("*.py")):
        yield from ((path.name, *found) for found in texts_in(path))
    for path in [*package.glob("ui/page/*.js"), *ROOT.glob("docs/lite/*.js")]:
        found = re.findall(r'"([^"\n]+)"|`([^`]+)`', path.read_text(encoding="utf-8"))
        yield from ((path.name, quoted or template, None) for quoted, template in found)


def test_every_sentence_is_british_english_and_ends_as_its_kind_does():
    """With `pytest -s`, the list of them is printed: all texts of four words or more that are not of code alone."""
    said = [each for each in all_said() if len(re.findall(r"(?<![\w.{])[A-Za-z]{2,}(?![\w(={.])", each[1])) > 3]
    for file, text, ends in said:
        print(f"{file}: {text}")  # noqa: T201
        found = re.sub(r"{[^{}]*}|</?\w[^>]*>", "_", text)
        assert not [slip for slip, form in SLIPS.items() if re.search(form, found)], (file, text)
        assert ends in (None, bool(re.search(r"(?<!\.\.)[.?]\)?$", text))), (file, text)
