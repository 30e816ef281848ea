"""What the browser tests overlook in the server's log, and that nothing else hides in it."""

import pytest
from witness import errors_in

REPORT = '{head}\nTraceback (most recent call last):\n  File "a.py", line 1, in f\n    f()\n{error}\n'
FINE = "[I 2026-11-24 10:00:00.000 ServerApp] Kernel started: 45992d9a\n"
SERVER, KERNEL = (
    "[E 2026-11-24 ServerApp] Uncaught exception GET /api",
    "ERROR:tornado.general:Uncaught exception in ZMQ",
)
GONE = [
    (SERVER, "tornado.iostream.StreamClosedError: Stream is closed"),
    ("Task exception was never retrieved\nfuture: <Task>", "tornado.websocket.WebSocketClosedError"),
    (KERNEL, "zmq.error.ZMQError: Socket operation on non-socket"),
    ("Exception ignored in: <coroutine object>", "RuntimeError: Event loop is closed"),
    (FINE.strip(), "KeyboardInterrupt"),
]
BROKEN = [
    (SERVER, "OSError: disk full"),
    ("Task exception was never retrieved\nfuture: <Task>", "KeyError: 'comm'"),
    (KERNEL, "zmq.error.ZMQError: Address already in use"),
    ("Exception ignored in: <coroutine object>", "ValueError: no such step"),
    ("starting", "ZeroDivisionError: division by zero"),
]


@pytest.mark.parametrize(("head", "error"), GONE, ids=["a request", "a task", "a kernel", "a loop", "a start"])
def test_a_page_or_a_kernel_that_went_away_is_overlooked_and_hides_no_error_beside_it(head, error):
    gone = REPORT.format(head=head, error=error)
    assert not errors_in(FINE + gone + FINE + gone + gone + "[C 2026-11-24 ServerApp] received signal 15, stopping\n")
    for broken in (*(REPORT.format(head=head, error=error) for head, error in BROKEN), "[C 2026 ServerApp] no room\n"):
        assert errors_in(FINE + gone + broken + gone + FINE).replace(FINE, "") == broken
