"""What `import backprop_lab` brings with it: every public name, and nothing heavier than NumPy."""

import subprocess
import sys

import backprop_lab


def test_the_import_loads_nothing_heavy_and_every_public_name_is_there():
    code = "import sys, backprop_lab; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in run.stdout.split()}
    assert "numpy" in loaded
    assert loaded.isdisjoint({"matplotlib", "ipywidgets", "traitlets", "anywidget", "IPython", "PIL"})
    assert all(getattr(backprop_lab, name).__doc__ for name in backprop_lab.__all__)
