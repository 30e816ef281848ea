"""The server of every student: it brings the notebooks, and leaves out what the course does not need.

README.md says where this file goes, and what each part was measured to save.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

c = get_config()  # noqa: F821

# The notebooks, in a folder of the student's own; what they changed there is never overwritten. A separate process does
# this: its memory is freed when it ends, and if it fails (a full disk), the server still starts.
subprocess.run(
    [sys.executable, "-m", "backprop_lab", "--copy-only", "backprop_lab_notebooks"], cwd=Path.home(), check=False
)

# No language server, no classic Notebook, no manager of extensions, no news of Jupyter, and nobody is asked about them.
c.ServerApp.jpserver_extensions = {"jupyter_lsp": False, "notebook_shim": False}
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
folders = (os.environ.get("JUPYTER_CONFIG_PATH"), str(Path(find_spec("backprop_lab").origin).with_name("jupyter")))
os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, folders))

# What a kernel inherits: more threads than the one core that every student has would only wait for each other.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"


KERNEL = """
import sys
sys.path.pop(0)  # the folder of the notebook, which IPython puts back
sys.modules["debugpy"] = None
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


class LeanKernels(KernelSpecManager):
    """Kernels without the debugger, which takes as much memory as NumPy."""

    def get_kernel_spec(self, kernel_name):
        spec = super().get_kernel_spec(kernel_name)
        if spec.argv[1:3] == ["-m", "ipykernel_launcher"]:
            spec.argv[1:3] = ["-c", KERNEL]
        return spec


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Sends each message at once.

    Otherwise a picture waits until the proxy has acknowledged the message before it (Nagle's algorithm), and the proxy
    takes 40 ms to do so, in the hope of an answer to send along.
    """

    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()


c.ServerApp.kernel_spec_manager_class = LeanKernels
c.ServerApp.kernel_websocket_connection_class = PromptConnection

# Every account of a machine can connect to the ports of a kernel, and would read what it tells the page.
if "transport_encryption" not in MappingKernelManager.class_trait_names():
    raise RuntimeError("neighbours could listen to this kernel; to keep them out: pip install --upgrade jupyter-server")
c.MappingKernelManager.transport_encryption = "required"

# A kernel that is idle and has no page goes after an hour: someone who looks into nine notebooks has nine kernels.
c.MappingKernelManager.cull_idle_timeout = 3600
c.MappingKernelManager.cull_interval = 300
