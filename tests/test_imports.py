"""What `import backprop_lab` brings with it: every public name, and nothing heavier than NumPy."""

import subprocess
import sys

import pytest

import backprop_lab


@pytest.fixture(scope="module")
def loaded():
    """The top-level packages that a fresh interpreter has loaded after `import backprop_lab`."""
    code = "import sys, backprop_lab; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {module.partition(".")[0] for module in run.stdout.split()}


@pytest.mark.parametrize("heavy", ["matplotlib", "ipywidgets", "traitlets", "anywidget", "IPython", "PIL"])
def test_the_import_loads_nothing_heavy(heavy, loaded):
    assert "numpy" in loaded
    assert heavy not in loaded


@pytest.mark.parametrize("name", backprop_lab.__all__)
def test_every_public_name_is_there(name):
    assert getattr(backprop_lab, name).__doc__
