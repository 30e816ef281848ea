"""Run notebooks from top to bottom, each in a fresh kernel, and save them with their outputs (`make notebooks`).

A saved notebook holds nothing that differs from one run or machine to the next.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

KEPT = ("tags", "slideshow")

for path in map(Path, sys.argv[1:]):
    print(f"Running {path}", flush=True)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        resources={"metadata": {"path": path.parent}},
        record_timing=False,
        coalesce_streams=True,  # or one print may be saved as two outputs, as its timing has it
        extra_arguments=["--log-level=ERROR"],  # or each kernel warns that it talks over TCP
    )
    client.execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                sys.exit(f"{path} is left as it was, because its cell {cell.id} complains:\n\n{output.text}")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in KEPT}
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
