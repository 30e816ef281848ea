"""A module of PyTorch is not needed to be told what one is; `make bench`, which installs it, has modules."""

import subprocess
import sys

import pytest

from backprop_lab import from_torch


@pytest.mark.parametrize("no_module", [None, "Linear", 3.0, type("Sequential", (), {})(), dict])
def test_what_is_no_module_is_refused_and_pytorch_is_not_loaded_for_that(no_module):
    with pytest.raises(ValueError, match=r"takes a module, such as torch\.nn\.Sequential\(\.\.\.\); got "):
        from_torch(no_module, [[1.0]], [[1.0]], None)
    code = "import sys; from backprop_lab import from_torch; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
