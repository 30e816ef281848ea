"""The pages of the site that have code: it runs, and prints what stands below it."""

import contextlib
import io
import linecache
import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from backprop_lab.ui import StepThrough

PAGES = Path(__file__).parents[1] / "docs" / "pages"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["training", "homework", "own_forward_pass"])
def test_the_code_of_a_page_prints_what_everybody_reads_below_it(name):
    """`SAVE=1` writes it there anew. What needs PyTorch runs where it is installed."""
    path, scope = PAGES / f"{name}.md", {}

    def run(block):
        code, _ = block.groups()
        if "import torch" in code and not find_spec("torch"):
            return block[0]
        printed = io.StringIO()
        file = f"<{name} {len(linecache.cache)}>"
        linecache.cache[file] = len(code), None, code.splitlines(keepends=True), file  # as of a cell, it can be read
        with contextlib.redirect_stdout(printed):
            exec(compile(code, file, "exec"), scope)
        text = "".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines())
        return f"```python\n{code}```\n" + (f"\n```text\n{text}```\n" if text else "")

    before = path.read_text(encoding="utf-8")
    now = BLOCK.sub(run, before)
    assert before.count("```python") > 3
    if os.environ.get("SAVE"):
        path.write_text(now, encoding="utf-8")
    assert now == path.read_text(encoding="utf-8")
    for call in re.findall(r"`(StepThrough\([^`]*step=[^`]*\))`", before):
        lab = eval(call, {"StepThrough": StepThrough})
        assert f'step="{lab.step}"' in call
        assert eval(lab.call(), {"StepThrough": StepThrough}).call() == lab.call()
