"""Work-arounds for how ipykernel and ipywidgets hear what the page says; each names the version that needs it, and can go with it."""

import threading
from typing import Any

TURN = threading.RLock()  # one for all labs, since one may stand in another


def serialize_messages(widget: Any) -> None:
    """Let what the page says of a widget wait until what it said before is answered.

    JupyterLab and ipykernel 7 let widgets be heard in a thread of their own, but the first word about each in the
    main one. A slider that is moved while another is being answered would be set back where it was. Needed since
    ipykernel 7.0, the first with subshells.
    """
    hear = widget._handle_msg  # what ipywidgets 8 itself registers

    def hear_in_turn(message: Any) -> None:
        with TURN:
            hear(message)
        tell_page_it_is_done(widget.comm, message)

    widget.comm.on_msg(hear_in_turn)


def tell_page_it_is_done(comm: Any, message: Any) -> None:
    """Say that a message to a widget is answered, which a control waits for before it sends what comes next.

    A kernel says so itself, but ipykernel 7.4 does not when the message came while a cell was running (`shell_main` in its
    kernelbase.py), and the control would be dead from then on. To be told twice does no harm.
    """
    kernel = getattr(comm, "kernel", None)
    if kernel is not None and kernel.session is not None:
        kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=message)
