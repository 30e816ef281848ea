"""What the browser tests overlook in the server's log, and that nothing else hides in it."""

import pytest
from witness import errors_in

REPORT = "{}\nTraceback (most recent call last):\n  File 'a.py', line 1, in f\n    f()\n{}\n"
FINE = "[I 2026-11-24 10:00:00.000 ServerApp] Kernel started: 45992d9a\n"
HEADS = "[E 2026-11-24 ServerApp] Uncaught exception GET /api", "Task exception was never retrieved\nfuture: <Task>"
GONE = ("tornado.iostream.StreamClosedError: Stream is closed", "zmq.error.ZMQError: Socket operation on non-socket")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("error", GONE)
def test_a_page_or_a_kernel_that_went_away_is_overlooked_and_hides_no_error_beside_it(head, error):
    gone = REPORT.format(head, error)
    assert not errors_in(FINE + gone + FINE + gone + gone + "[C 2026-11-24 ServerApp] received signal 15, stopping\n")
    for broken in (REPORT.format(head, "zmq.error.ZMQError: Address already in use"), "[C 2026 ServerApp] no room\n"):
        assert errors_in(FINE + gone + broken + gone + FINE).replace(FINE, "") == broken
