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


@pytest.mark.parametrize("name", MODULES)
def test_the_name_of_a_module_means_the_module_and_nothing_that_is_in_the_package(name):
    """As it would not if a package had a module `trace` and imported its function `trace`."""
    module = importlib.import_module(name)
    parent, _, leaf = name.rpartition(".")
    assert getattr(sys.modules[parent], leaf) is module
    namespace = {}
    exec(f"import {name} as m", namespace)
    assert namespace["m"] is module


def test_no_module_shares_its_name_with_a_function_or_a_class_of_the_package():
    named = {}
    for module in map(importlib.import_module, MODULES):
        for name, thing in vars(module).items():
            if (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__.startswith("backprop_lab"):
                named.setdefault(name, module.__name__)
    assert "trace" in named
    shared = {name: named[name] for name in {module.rpartition(".")[2] for module in MODULES} & named.keys()}
    assert not shared
