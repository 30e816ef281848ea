"""Hears what goes wrong out of sight, in a page or in the server's log, and overlooks what says nothing about us."""

import re

OTHER_MACHINE = re.compile(r"(http|ws)s?://(?!127\.0\.0\.1[:/])")
# A notebook that is closed before its kernel has answered what JupyterLab asked it for itself.
CONSOLE_NOISE = re.compile(r"Canceled future for (debug|create_subshell)_request message before replies were done")
GONE = (
    # A page that is closed while the server or a kernel is sending it something: in tornado, jupyter_server and pyzmq.
    r"(tornado\.\w+\.)?(WebSocket|Stream)ClosedError.*",
    # A kernel that is stopped or restarted while a page still talks to it, in ipykernel: its sockets or loop are gone.
    r"zmq\.error\.(ContextTerminated: .*|ZMQError: (Socket operation on non-socket|Context was terminated))",
    r"RuntimeError: (Event loop is closed|cannot schedule new futures after (interpreter )?shutdown)",
    r"KeyboardInterrupt",  # what jupyter_client sends before it stops one, also one that is only starting
)
BETWEEN = r"((Traceback|During handling|The above|handle:|future:|tornado\.\S*ClosedError|zmq\.error\.|[ ]).*\n|\n)*"
LOG_NOISE = re.compile(
    rf"^(.*\bexception\b.*|Traceback .*)\n{BETWEEN}[ ]*({'|'.join(GONE)})\n"
    r"|^\[C .* received signal 15, stopping\n",  # how we end it ourselves
    re.MULTILINE | re.IGNORECASE,
)
BAD_LOG_LINE = re.compile(r"Traceback \(most recent call last\)|\b\w*(Error|Exception)\b: |^\[[EC] ", re.MULTILINE)


def errors_in(log):
    """A part of a server's log without its noise, if an error is left in it."""
    left = LOG_NOISE.sub("", log)
    return left if BAD_LOG_LINE.search(left) else ""


class Witness:
    """Listens to pages: errors in the console, exceptions, requests to any other machine."""

    def __init__(self):
        self.heard = []

    def listen(self, page):
        page.on("console", lambda message: message.type == "error" and self.note(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.note(f"page: {error.stack or error}"))
        page.on("request", lambda request: OTHER_MACHINE.match(request.url) and self.note(f"asks {request.url}"))

    def note(self, text):
        if not CONSOLE_NOISE.search(text):
            self.heard.append(text)

    def forget(self, *starts):
        """Take what begins so off the list: an error that a test provokes."""
        self.heard[:] = [text for text in self.heard if not text.startswith(starts)]
