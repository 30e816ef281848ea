"""What the browser tests overlook in the server's log, and that nothing else hides in it."""

import pytest
from conftest import errors_in

GONE = [
    """\
Exception in callback BaseAsyncIOLoop._handle_events(65, 1)
handle: <Handle BaseAsyncIOLoop._handle_events(65, 1)>
Traceback (most recent call last):
  File "asyncio/events.py", line 80, in _run
    self._context.run(self._callback, *self._args)
  File "zmq/eventloop/zmqstream.py", line 570, in _run_callback
    f = callback(*args, **kwargs)
        ^^^^^^^^^^^^^^^^^^^^^^^^^
tornado.websocket.WebSocketClosedError
""",
    """\
Task exception was never retrieved
future: <Task finished name='Task-9' coro=<WebSocketProtocol13.write_message()> exception=WebSocketClosedError()>
Traceback (most recent call last):
  File "tornado/websocket.py", line 1114, in wrapper
    await fut
tornado.iostream.StreamClosedError: Stream is closed

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "tornado/websocket.py", line 1116, in wrapper
    raise WebSocketClosedError()
tornado.websocket.WebSocketClosedError
""",
    """\
[E 2026-11-24 10:00:00.000 ServerApp] Uncaught exception GET /api/contents (127.0.0.1)
    HTTPServerRequest(protocol='http', method='GET', uri='/api/contents', version='HTTP/1.1', remote_ip='127.0.0.1')
    Traceback (most recent call last):
      File "tornado/web.py", line 1848, in _execute
        result = await result
    tornado.iostream.StreamClosedError: Stream is closed
""",
    """\
[E 2026-11-24 10:00:00.000 ServerApp] Uncaught exception in zmqstream callback
    Traceback (most recent call last):
      File "zmq/eventloop/zmqstream.py", line 570, in _run_callback
        f = callback(*args, **kwargs)
    tornado.websocket.WebSocketClosedError
""",
    """\
Exception ignored in: <coroutine object _async_in_context.<locals>.run_in_context at 0x7f0000000000>
Traceback (most recent call last):
  File "ipykernel/utils.py", line 60, in run_in_context
    return await coro
RuntimeError: Event loop is closed
""",
    """\
ERROR:tornado.general:Uncaught exception in ZMQStream callback
Traceback (most recent call last):
  File "ipykernel/kernelbase.py", line 708, in _publish_status
    self.session.send(
  File "zmq/backend/cython/_zmq.py", line 1473, in zmq.backend.cython._zmq._send_copy
  File "zmq/backend/cython/_zmq.py", line 190, in zmq.backend.cython._zmq._check_rc
zmq.error.ZMQError: Socket operation on non-socket
""",
    "[C 2026-11-24 10:00:00.000 ServerApp] received signal 15, stopping\n",
]
FINE = "[I 2026-11-24 10:00:00.000 ServerApp] Kernel started: 45992d9a\n"
BROKEN = [
    """\
Traceback (most recent call last):
  File "a.py", line 1, in f
    f()
ZeroDivisionError: division by zero
""",
    """\
[E 2026-11-24 10:00:00.000 ServerApp] Uncaught exception GET /api/contents (127.0.0.1)
    Traceback (most recent call last):
      File "a.py", line 1, in f
    OSError: disk full
""",
    """\
Task exception was never retrieved
future: <Task finished name='Task-9' coro=<f()> exception=KeyError('comm')>
Traceback (most recent call last):
  File "a.py", line 1, in f
KeyError: 'comm'
""",
    """\
Exception ignored in: <coroutine object _async_in_context.<locals>.run_in_context at 0x7f0000000000>
Traceback (most recent call last):
  File "a.py", line 1, in f
ValueError: no such step
""",
    """\
ERROR:tornado.general:Uncaught exception in ZMQStream callback
Traceback (most recent call last):
  File "a.py", line 1, in f
zmq.error.ZMQError: Address already in use
""",
    "[C 2026-11-24 10:00:00.000 ServerApp] no room on this port\n",
]


@pytest.mark.parametrize("gone", GONE)
def test_a_page_or_a_kernel_that_went_away_is_overlooked(gone):
    assert not errors_in(FINE + gone + FINE + gone + gone + FINE)


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("gone", ["", *GONE])
def test_an_error_shows_whatever_stands_around_it(broken, gone):
    left = errors_in(FINE + gone + broken + gone + FINE)
    assert broken in left
    assert errors_in(broken) == broken
