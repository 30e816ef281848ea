"""Workarounds for how ipykernel and ipywidgets handle messages, each with the versions that need it; and for few
processors."""

import sys
import threading
import time
from typing import Any

TURN = threading.RLock()  # one lock for all labs, since one lab may contain another
AHEAD = 0.0 if sys.platform == "emscripten" else 0.006  # seconds; in the browser's Python a page never waits for it


def let_go_ahead(widget: Any) -> None:
    """Leave the processor to what a kernel has just sent, for as long as a server takes to pass it on.

    Otherwise the server and the page wait for the kernel to work out what comes after it, on a machine with two
    processors or fewer, such as a student's share of a class or of Binder.
    """
    if getattr(widget.comm, "kernel", None) is not None:
        time.sleep(AHEAD)


def serialize_messages(widget: Any) -> None:
    """Handle the page's messages to widgets one at a time.

    JupyterLab and ipykernel 7 handle messages to a widget in a separate thread, except for the first message to each
    widget, which the main thread handles. A slider moved while the message of another control is being handled would
    jump back. Needed since ipykernel 7.0, the first version with subshells.
    """
    handle = widget._handle_msg  # the handler that ipywidgets 8 registers

    def handle_in_turn(message: Any) -> None:
        with TURN:
            handle(message)
        tell_page_it_is_done(widget.comm, message)

    widget.comm.on_msg(handle_in_turn)


def tell_page_it_is_done(comm: Any, message: Any) -> None:
    """Tell the page that a message to a widget has been handled; a control waits for that before it sends another.

    The kernel does so itself, except that ipykernel 7.4 does not if the message came while a cell was running
    (`shell_main` in its kernelbase.py), and the control would be dead from then on. Saying it twice does no harm.
    """
    kernel = getattr(comm, "kernel", None)
    if kernel is not None and kernel.session is not None:
        kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=message)
