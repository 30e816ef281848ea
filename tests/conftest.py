"""What holds for every test: Hypothesis tries the same examples in every run, and NumPy prints as it does by itself."""

import gc
import json
import os
import subprocess
from functools import _lru_cache_wrapper
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from backprop_lab import trace, worked_example

pytest.register_assert_rewrite("common")  # to see what differs
settings.register_profile("backprop_lab", derandomize=True, deadline=None)
settings.load_profile("backprop_lab")

# NumPy's own, whatever a sitecustomize.py of this machine has set.
np.set_printoptions(
    precision=8, threshold=1000, edgeitems=3, linewidth=75, suppress=False, nanstr="nan", infstr="inf", sign="-",
    floatmode="maxprec", formatter=None, legacy=False,
)  # fmt: skip


@pytest.fixture(scope="session")
def caches():
    gc.unfreeze()  # mutmut freezes what is there before it forks, and nothing frozen is listed
    found = [each for each in gc.get_objects() if isinstance(each, _lru_cache_wrapper)]
    ours = [each for each in found if each.__module__.startswith(("backprop_lab", "test_"))]
    assert ours, "the package keeps what it has worked out"
    return ours


@pytest.fixture(autouse="MUTANT_UNDER_TEST" in os.environ)
def nothing_known_from_before(caches):
    """So that `make mutants` knows what a test depends on, and a mutant meets nothing that was found without it."""
    for each in caches:
        each.cache_clear()


@pytest.fixture
def example():
    """The trace of the worked example, made anew for each test: so `make mutants` knows which tests depend on it."""
    return trace(worked_example())


@pytest.fixture(scope="session")
def project_files(tmp_path_factory):
    """The name of every file of the project but those that .gitignore names, in a clone or an unpacked archive."""
    empty, root = tmp_path_factory.mktemp("empty") / "repository", Path(__file__).parent.parent
    subprocess.run(["git", "init", "--quiet", "--bare", empty], check=True)
    git = ["git", f"--git-dir={empty}", f"--work-tree={root}", "ls-files", "-z", "--others", "--exclude-standard"]
    return [name for name in subprocess.check_output(git, cwd=root, text=True, encoding="utf-8").split("\0") if name]


def pytest_collection_modifyitems(items):  # a mutant meets the fastest tests first: most are caught by one of them
    if os.environ.get("MUTANT_UNDER_TEST") and (known := Path("mutmut-stats.json")).is_file():
        seconds = json.loads(known.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0))


def pytest_terminal_summary(terminalreporter):
    """Show what passed tests printed, such as how many cases they tried; `make figures` keeps that of whole counts."""
    said = {}
    for report in terminalreporter.getreports("passed"):
        text = report.capstdout.strip()
        if text and not text.startswith("Your notebooks are in"):  # which is what the command says
            test = report.nodeid.partition("::test_")[2].replace("_", " ")
            said[test] = text
            terminalreporter.write_line(f"{test}: {text}")
    if said and os.environ.get("FULL_COUNTS"):
        kept = Path(__file__).parents[1] / "build" / "printed.json"
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(dict(sorted(said.items())), indent=1), encoding="utf-8")
