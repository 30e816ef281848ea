"""What `import backprop_lab` brings with it: every public name, and nothing heavier than NumPy."""

import importlib
import inspect
import pkgutil
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


def test_no_module_shares_its_name_with_a_function_or_a_class_of_the_package():
    """As it would if there were a module `trace` beside the function: the name would mean one or the other."""
    modules = [info.name for info in pkgutil.walk_packages(backprop_lab.__path__, "backprop_lab.")]
    modules.remove("backprop_lab.__main__")
    named = {}
    for module in map(importlib.import_module, modules):
        for name, thing in vars(module).items():
            if (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__.startswith("backprop_lab"):
                named[name] = thing
    assert "trace" in named
    assert named.keys().isdisjoint(module.rpartition(".")[2] for module in modules)
