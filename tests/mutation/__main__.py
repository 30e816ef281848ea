"""Change the code in every small way, one change at a time, and see that some test notices: what `make mutants` calls.

    python tests/mutation                  every module of the table below
    python tests/mutation layers losses    these alone

A mutant that no test notices is either a hole in the tests or another way to write the same function. The second kind
stands in `equivalent.txt`, each with the reason. The run fails on any other, on one that is listed but did not survive,
and where a module had fewer mutants than the table says: a run that tried nothing proves nothing.

mutmut says what to change. Its own runner keeps all mutants of a file in memory and picks tests by the functions that
each of them calls, so it overlooks what a test file computes when it is loaded, and what a cache remembers. Here the
module's tests are loaded once, and run for each mutant in a process of its own, in which the functions have its code:
those first that noticed the latest mutants, then the quickest. Most mutants are killed this way in no time. For each
one that is not, the file itself is changed in a copy under `build/mutation`, in which all tests are loaded and run
again. There, Hypothesis tries at most ten examples a test.

Left alone are sentences, whose words no test needs to know by heart, and what stands outside of functions.
"""

import gc
import importlib.util
import os
import re
import resource
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from difflib import unified_diff
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import NamedTuple

# Loaded once, before the processes part, although not used here: hypothesis, ipywidgets, matplotlib and numpy.
import hypothesis  # noqa: F401
import ipywidgets  # noqa: F401
import libcst as cst
import matplotlib.pyplot  # noqa: F401
import numpy as np  # noqa: F401
import pytest
from mutmut.mutation.file_mutation import create_mutations

ROOT = Path(__file__).parents[2]
COPY = ROOT / "build" / "mutation"
EQUIVALENT = Path(__file__).parent / "equivalent.txt"
OUTPUT = COPY / "last_run.txt"
EXAMPLES = 10
# Most of a mutant's time is what pytest takes to start, so it starts without what these tests do not need.
LEFT_OUT = [f"-pno:{plugin}" for plugin in ("cacheprovider", "nbval", "anyio")]
OPTIONS = ["-x", "-q", "--tb=short", "-W", "ignore::pytest.PytestAssertRewriteWarning", *LEFT_OUT]
KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"

# The fewest mutants that a run must try for it to count, and the tests that should notice them.
MODULES = {
    "layers": (50, "layers network gradcheck tracing own_parts"),
    "losses": (30, "losses network gradcheck tracing"),
    "network": (80, "network layers problem tracing gradcheck own_parts"),
    "lines": (150, "lines tracing own_parts"),
    "rounding": (100, "rounding"),
    "problem": (150, "problem network worked_example own_parts"),
    "tracing": (50, "tracing gradcheck worked_example"),
    "gradcheck": (150, "gradcheck curvature own_parts"),
    "mistakes": (80, "mistakes mysteries own_parts"),
    "sweeping": (150, "sweeping own_parts"),
    "feedback": (300, "feedback exercise"),
    "ui/steps/setup": (50, "setup stepper"),
    "ui/steps/training": (50, "training stepper"),
    "ui/steps/stepper": (250, "stepper slopes"),
}

# Tests that take seconds and repeat, on many more problems, what others claim, and one of files that the copy lacks.
DESELECTED = (
    "test_mistakes.py::test_a_gradient_check_rejects_every_planted_mistake_that_changes_a_gradient",
    "test_feedback.py::test_every_mistake_is_named_on_two_hundred_problems",
    "test_feedback.py::test_ten_thousand_right_answers_within_rounding_are_right",
    "test_feedback.py::test_a_thousand_random_wrong_answers_are_not_called_by_a_name_that_does_not_give_them",
    "test_sweeping.py::test_after_500_steps_most_runs_still_agree_but_for_the_last_bits",
    "test_stepper.py::test_ten_thousand_iterations_leave_memory_flat",
)


class Mutant(NamedTuple):
    """A change: the function it is made in, such as `layers.forward`, and the lines before and after."""

    function: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.function}\n- {self.before}\n+ {self.after}"


def main() -> None:
    modules = sys.argv[1:] or list(MODULES)
    if unknown := set(modules) - MODULES.keys():
        sys.exit(f"no module {', '.join(sorted(unknown))} in the table; it has {', '.join(MODULES)}")
    make_copy()
    os.chdir(COPY)
    sys.dont_write_bytecode = False  # what does not change is compiled once
    known, wrong = listed(), []
    print(f"{'module':12}{'mutants':>9}{'killed':>9}{'timed out':>11}{'equivalent':>12}{'survived':>10}{'minutes':>9}")
    for module in modules:
        started = time.monotonic()
        found = try_all(module)
        survivors = [mutant for mutant, outcome in found if outcome == SURVIVED]
        counts = Counter(outcome for _, outcome in found)
        equivalent = sum(mutant in known for mutant in survivors)
        numbers = (
            f"{len(found):9}{counts[KILLED]:9}{counts[TIMED_OUT]:11}{equivalent:12}{len(survivors) - equivalent:10}"
        )
        print(f"{module:12}{numbers}{(time.monotonic() - started) / 60:9.1f}", flush=True)

        least = MODULES[module][0]
        if len(found) < least:
            wrong.append(f"{module}: {len(found)} mutants were tried, and a run counts from {least} on")
        wrong += [f"survived:\n{mutant}" for mutant in survivors if mutant not in known]
        gone = {mutant for mutant in known if mutant.function.startswith(f"{module}.")} - set(survivors)
        wrong += [f"listed in {EQUIVALENT.name}, but none such survived:\n{mutant}" for mutant in sorted(gone)]
    sys.exit("\n" + "\n\n".join(wrong) if wrong else None)


def make_copy() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT / "backprop_lab", COPY / "backprop_lab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "data", COPY / "tests" / "data")
    for source in (ROOT / "tests").glob("*.py"):
        text = source.read_text(encoding="utf-8")
        text = re.sub(r"max_examples=(\d+)", lambda found: f"max_examples={min(int(found[1]), EXAMPLES)}", text)
        if source.name == "conftest.py":
            text = text.replace("deadline=None", f"deadline=None, max_examples={EXAMPLES}")
        (COPY / "tests" / source.name).write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", COPY)
    (COPY / "setup.cfg").write_text("[mutmut]\nsource_paths=backprop_lab\n")


def try_all(module: str) -> list[tuple[Mutant, str]]:
    """Every mutant of a module, and what became of it."""
    path = COPY / "backprop_lab" / f"{module}.py"
    original = path.read_text(encoding="utf-8")
    tests = [f"tests/test_{name}.py" for name in MODULES[module][1].split()]
    if run_apart(partial(run_tests, tests, Clock()), processor_seconds=3600) != SURVIVED:
        sys.exit(
            f"the tests of {module} must pass before anything is changed, but here they fail:\n{OUTPUT.read_text()}"
        )
    durations = Clock.read()
    limit = 10 + 3 * round(sum(durations.values()))
    tried = list(mutants(module, original))
    patched = Patched(module, [original, *(text for _, text in tried)], durations, limit)
    run_apart(partial(run_tests, tests, patched), processor_seconds=3600)
    unchanged, *outcomes = patched.FILE.read_text().splitlines()
    if unchanged != SURVIVED:
        sys.exit(f"the tests of {module} must pass in any order, and when they run in a process that was forked")
    found = []
    try:
        for (mutant, text), outcome in zip(tried, outcomes, strict=True):
            if outcome == SURVIVED:
                path.write_text(text, encoding="utf-8")
                # Two may be written in one second and be equally long, and Python takes such files to be the same.
                Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)
                outcome = run_apart(partial(run_tests, tests, LikelyFirst(durations)), limit)
            found.append((mutant, outcome))
    finally:
        path.write_text(original, encoding="utf-8")
    return found


def mutants(module: str, original: str):
    """Each mutant with the text of the whole file."""
    plain = cst.parse_module(original).visit(Undecorated())
    tree, mutations, *_ = create_mutations(f"{module}.py", plain.code)
    lines = tree.code.splitlines()
    for mutation in mutations:
        function = mutation.contained_by_top_level_function
        if isinstance(function, cst.FunctionDef) and not is_sentence(mutation.original_node):
            text = tree.deep_replace(mutation.original_node, mutation.mutated_node).code
            changed = list(unified_diff(lines, text.splitlines(), n=0, lineterm=""))[2:]
            before, after = (" ".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+")
            yield Mutant(f"{module}.{function.name.value}", before, after), text


def is_sentence(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.SimpleString) and bool(re.search(r"[a-z,.:] [a-zA-Z]", node.value))


class Undecorated(cst.CSTTransformer):
    """mutmut leaves decorated functions alone, so `@property def f` is told as `def f`, then `f = property(f)`."""

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef):  # noqa: N802
        if len(updated_node.decorators) != 1:
            return updated_node
        decorator = cst.Module([]).code_for_node(updated_node.decorators[0].decorator)
        name = updated_node.name.value
        below = cst.parse_statement(f"{name} = {decorator}({name})")
        return cst.FlattenSentinel([updated_node.with_changes(decorators=[]), below])


def run_tests(tests: list[str], plugin: object) -> int:
    """Run tests up to the first failure. A mutant that cannot be loaded is killed too."""
    sys.path.insert(0, str(COPY))
    return pytest.main([*OPTIONS, *(f"--deselect=tests/{name}" for name in DESELECTED), *tests], plugins=[plugin])


def run_apart(work: Callable[[], int], processor_seconds: int) -> str:
    """Do something in a process of its own: what became of the mutant in there, by the status that `work` returns."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds + 5))
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        output = os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        gc.freeze()  # what is there already is no garbage, and need not be looked through again and again
        status = 1
        try:
            status = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, how = os.waitpid(child, 0)
    if os.WIFSIGNALED(how):
        return TIMED_OUT
    return SURVIVED if os.WEXITSTATUS(how) == 0 else KILLED


class Clock:
    """Writes down how long each test takes."""

    FILE = Path("durations.txt")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        with self.FILE.open("a") as file:
            file.write(f"{report.duration}\t{report.nodeid}\n")

    @classmethod
    def read(cls) -> dict[str, float]:
        """The seconds of each test; the file is gone afterwards."""
        seconds = Counter()
        for line in cls.FILE.read_text().splitlines():
            duration, test = line.split("\t", 1)
            seconds[test] += float(duration)
        cls.FILE.unlink()
        return seconds


class LikelyFirst:
    """Runs the tests that noticed the latest mutants first, then the quickest ones: one that fails is enough."""

    NOTICED = Path("noticed_by.txt")

    def __init__(self, durations: dict[str, float]) -> None:
        self.durations = durations
        self.latest: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.durations.get(item.nodeid, 0.0))
        items.sort(key=lambda item: -self.latest.index(item.nodeid) if item.nodeid in self.latest else 1)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.NOTICED.write_text(report.nodeid, encoding="utf-8")

    def learn(self) -> None:
        """Which test it was this time; of the latest, twenty are remembered."""
        if self.NOTICED.exists():
            test = self.NOTICED.read_text(encoding="utf-8")
            self.latest = [*(each for each in self.latest[-20:] if each != test), test]
            self.NOTICED.unlink()


class Patched(LikelyFirst):
    """In place of running the tests that were loaded, runs them for each mutant, and writes down what became of it."""

    FILE = Path("outcomes.txt")

    def __init__(self, module: str, texts: list[str], durations: dict[str, float], limit: int) -> None:
        super().__init__(durations)
        self.module, self.texts, self.limit = module.replace("/", "."), texts, limit

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        with self.FILE.open("w") as file:
            for text in self.texts:
                self.pytest_collection_modifyitems(session.items)
                print(run_apart(partial(self.run, session, text), self.limit), file=file, flush=True)
                self.learn()
        return True

    def run(self, session: pytest.Session, text: str) -> int:
        new = dict(codes(compile(text, self.module, "exec")))
        for function in functions(sys.modules[f"backprop_lab.{self.module}"]):
            code = new.get(function.__code__.co_qualname, function.__code__)
            if code.co_freevars != function.__code__.co_freevars:
                return 0  # Python cannot change this one in place, so the file will tell
            function.__code__ = code
        for item, following in pairwise([*session.items, None]):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
        return 0


def codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """The code of every function in a compiled module, by its name."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_name != "<lambda>":  # of which there may be several
                yield inner.co_qualname, inner
            yield from codes(inner)


def functions(owner: ModuleType | type) -> Iterator[FunctionType]:
    """The functions of a module and of its classes, decorated or not."""
    for value in vars(owner).values():
        inner = getattr(value, "fget", None) or getattr(value, "__func__", None) or getattr(value, "__wrapped__", value)
        if isinstance(inner, FunctionType):
            yield inner
        elif isinstance(inner, type) and isinstance(owner, ModuleType) and inner.__module__ == owner.__name__:
            yield from functions(inner)


def listed() -> set[Mutant]:
    """The mutants of equivalent.txt. A block has a function, its line `- before` and `+ after`, and the reason."""
    found = set()
    for block in EQUIVALENT.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.strip().splitlines() if not line.startswith("#")]
        if lines:
            function, before, after, *reason = lines
            if before[:1] != "-" or after[:1] != "+" or not reason:
                sys.exit(
                    f"{EQUIVALENT.name}: a function, `- before`, `+ after` and a reason make a block, but not\n{block}"
                )
            found.add(Mutant(function, before[1:].strip(), after[1:].strip()))
    return found


if __name__ == "__main__":
    main()
