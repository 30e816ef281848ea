"""Workarounds for how ipykernel and ipywidgets handle messages; each names the versions that need it."""

import threading
from typing import Any

TURN = threading.RLock()  # one lock for all labs, since one lab may contain another


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
