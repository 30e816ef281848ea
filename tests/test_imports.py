"""What `import backprop_lab` brings with it: every public name, and nothing heavier than NumPy."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import backprop_lab

MODULES = [
    info.name
    for info in pkgutil.walk_packages(backprop_lab.__path__, "backprop_lab.")
    if not info.name.endswith("__main__")
]


def test_the_import_loads_nothing_heavy():
    code = "import sys, backprop_lab; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in run.stdout.split()}
    assert "numpy" in loaded
    assert loaded.isdisjoint({"matplotlib", "ipywidgets", "traitlets", "anywidget", "IPython", "PIL"})


@pytest.mark.parametrize("name", backprop_lab.__all__)
def test_every_public_name_is_there(name):
    assert getattr(backprop_lab, name).__doc__


def test_no_module_shares_its_name_with_a_function_or_a_class_of_the_package():
    """As it would if there were a module `trace` beside the function: the name would mean one or the other."""
    named = {}
    for module in map(importlib.import_module, MODULES):
        parent, _, leaf = module.__name__.rpartition(".")
        assert getattr(sys.modules[parent], leaf) is module
        for name, thing in vars(module).items():
            if (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__.startswith("backprop_lab"):
                named.setdefault(name, module.__name__)
    assert "trace" in named
    assert named.keys().isdisjoint(module.rpartition(".")[2] for module in MODULES)
