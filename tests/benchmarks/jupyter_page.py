"""A page of a real JupyterLab in a real Chromium, on which some cells have run."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Page

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))
from launch import chromium_page, jupyterlab, own_environment  # noqa: E402

RUN_ALL = """async () => {
    const app = window.jupyterapp;
    while (!app.shell.currentWidget?.sessionContext) await new Promise((go) => setTimeout(go, 100));
    await app.shell.currentWidget.sessionContext.ready;
    await app.commands.execute("notebook:run-all-cells");
}"""


@contextmanager
def jupyter_page(cells: Sequence[str], script: Path, width: int = 1280, height: int = 800) -> Iterator[Page]:
    """The page once all `cells` have run, with `script` loaded into it before anything else.

    The kernel can import what lies beside this file. Nothing of the user's own Jupyter is read or written.
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nbformat.write(notebook, folder / "bench.ipynb")
        environment = own_environment(folder, PYTHONPATH=f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        window = {"width": width, "height": height}
        with jupyterlab(folder, folder, environment) as server, chromium_page(viewport=window) as page:
            page.set_default_timeout(60_000)
            page.add_init_script(path=script)
            page.goto(f"{server.url}/lab/tree/bench.ipynb?token={server.token}")
            page.wait_for_selector(".jp-Notebook")
            page.evaluate(RUN_ALL)
            outputs = page.locator('[data-mime-type="application/vnd.jupyter.stderr"], .jp-RenderedText pre')
            if errors := [text for text in outputs.all_inner_texts() if "Traceback" in text]:
                raise RuntimeError(f"a cell failed:\n{errors[0]}")
            yield page
