"""What a student's browser says to the hub and to a kernel, without the browser."""

import asyncio
import html
import json
import re
import secrets
import time
from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiohttp
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1

NOTEBOOK = "backprop_lab_notebooks/02_step_through.ipynb"
CELL = "from backprop_lab.ui import StepThrough; StepThrough()"
PROTOCOL = "v1.kernel.websocket.jupyter.org"  # the one that JupyterLab asks for
PAGE = {"kind": "page", "width": 1100, "height": 900, "ratio": 1, "dark": False}
PATIENCE = 120.0  # seconds; longer than the slowest start of the largest class on a small machine


class RefusedError(Exception):
    """The hub or a server says no."""

    def __init__(self, status: int, sentence: str = "") -> None:
        super().__init__(f"{status} {sentence}")
        self.status = status


class Student:
    """A browser with the student's cookies in it, and at most one notebook open."""

    def __init__(self, hub: str, name: str, password: str) -> None:
        self.hub, self.name, self.password = hub, name, password
        self.http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # that is, for an address in numbers
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
        )
        self.base = f"{hub}/user/{name}/"
        self.kernel = ""
        self.session = secrets.token_hex(16)  # what tells one page of a kernel from another
        self._page: KernelPage | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._page:
            await self._page.close()
        await self.http.close()

    @property
    def page(self) -> "KernelPage":
        """The notebook that was opened last."""
        if self._page is None:
            raise LookupError(f"{self.name} has no notebook open")
        return self._page

    # The hub

    async def sign_up(self) -> str:
        """Choose a password, and return what the hub answers."""
        page = await self._form("signup", {"signup_password": None, "signup_password_confirmation": self.password})
        alert = re.search(r'class="alert[^>]*>(.*?)</div>', page, re.DOTALL)
        return " ".join(re.sub("<[^>]*>", " ", alert.group(1)).split()) if alert else ""

    async def log_in(self) -> None:
        """Raises RefusedError if the hub does not let this student in."""
        await self._form("login", {"password": self.password})
        async with self.http.get(f"{self.hub}/hub/home", allow_redirects=False) as home:
            if home.status != 200:
                raise RefusedError(home.status, "the hub asks who this is")

    async def _form(self, name: str, fields: dict[str, str | None]) -> str:
        url = f"{self.hub}/hub/{name}"
        async with self.http.get(url):
            pass  # sets the cookie that proves that the form is ours
        filled = {field: self.password if value is None else value for field, value in fields.items()}
        data = {"username": self.name, "_xsrf": self._xsrf(url), **filled}
        async with self.http.post(url, data=data, params={"next": "/hub/home"}) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise RefusedError(answer.status, _sentence(text))
            return text

    async def start_server(self) -> None:
        """Start the student's own server, and wait until its page can be opened."""
        async with self.http.get(f"{self.hub}/hub/spawn/{self.name}") as answer:
            await answer.read()
        url = f"{self.hub}/hub/api/users/{self.name}/server/progress"
        async with self.http.get(url, params={"_xsrf": self._xsrf(f"{self.hub}/hub/")}) as progress:
            if progress.status != 400:  # which says that it runs already
                async for line in progress.content:
                    if line.startswith(b"data:"):
                        told = json.loads(line.removeprefix(b"data:"))
                        if told.get("failed"):
                            raise RefusedError(500, told.get("message", ""))
                        if told.get("ready"):
                            break
        async with self.http.get(f"{self.base}lab") as answer:
            await answer.read()
            if answer.status != 200 or not str(answer.url).startswith(self.base):
                raise RefusedError(answer.status, str(answer.url))

    async def stop_server(self) -> None:
        url = f"{self.hub}/hub/api/users/{self.name}/server"
        async with self.http.delete(url, headers={"X-XSRFToken": self._xsrf(f"{self.hub}/hub/")}) as answer:
            if answer.status >= 400:
                raise RefusedError(answer.status, await answer.text())
        while True:  # 202 says that it is still stopping
            async with self.http.get(f"{self.hub}/hub/api/users/{self.name}") as answer:
                if answer.status != 200 or not (await answer.json())["servers"]:
                    return
            await asyncio.sleep(0.2)

    # The student's server

    async def ask(self, method: str, path: str, body: Any = None, base: str | None = None) -> Any:
        """Talk to the API of a server as its page does; of another student's, if `base` is given."""
        base = base or self.base
        headers = {"X-XSRFToken": self._xsrf(base)}
        async with self.http.request(method, base + path, json=body, headers=headers, allow_redirects=False) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise RefusedError(answer.status, _sentence(text))
            return json.loads(text or "null")

    async def open_notebook(self, path: str = NOTEBOOK) -> "KernelPage":
        """Start a kernel for a notebook, and connect to it."""
        body = {"path": path, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        await self.ask("GET", f"api/contents/{path}?content=1")
        self.kernel = (await self.ask("POST", "api/sessions", body))["kernel"]["id"]
        return await self.connect()

    async def connect(self, base: str | None = None, kernel: str = "") -> "KernelPage":
        """Connect to the kernel, or connect again, as the same page."""
        url = f"{base or self.base}api/kernels/{kernel or self.kernel}/channels?session_id={self.session}"
        try:
            socket = await self.http.ws_connect(url, protocols=[PROTOCOL], max_msg_size=0, origin=self.hub)
        except aiohttp.WSServerHandshakeError as error:
            raise RefusedError(error.status, error.message) from None
        self._page = KernelPage(socket, self._page)
        await self.page.ask("shell", "kernel_info_request", {})
        return self.page

    def _xsrf(self, url: str) -> str:
        cookie = self.http.cookie_jar.filter_cookies(aiohttp.client.URL(url)).get("_xsrf")
        return cookie.value if cookie else ""


class KernelPage:
    """The end of a kernel's websocket that the page holds, and what the page knows of the widgets.

    A page that connects again remembers the widgets of the one `before`.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, before: "KernelPage | None" = None) -> None:
        self.socket = socket
        self.models: dict[str, dict[str, Any]] = before.models if before else {}
        self.frame = 0
        self.picture_bytes = 0
        self.restarted = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._idle: dict[str, asyncio.Future[None]] = {}
        self._new_picture = asyncio.Condition()
        self._printed: dict[str, str] = {}
        self._listener = asyncio.create_task(self._listen())

    async def close(self) -> None:
        self._listener.cancel()
        await self.socket.close()

    def drop(self) -> None:
        """Lose the connection without a word, as when a laptop is closed."""
        self._listener.cancel()
        transport = self.socket._response.connection.transport
        transport.abort()

    def forget(self) -> None:
        """Forget the widgets of a kernel that is no more."""
        self.models.clear()
        self.frame = 0

    # What the page says

    async def run(self, code: str) -> str:
        """Run a cell to its end and return what it printed; raises RuntimeError with the kernel's own words."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                   "allow_stdin": False, "stop_on_error": True}  # fmt: skip
        reply, message = await self.ask("shell", "execute_request", content)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{reply['content'].get('ename')}: {reply['content'].get('evalue')}")
        return self._printed.pop(message, "")

    async def show_lab(self) -> None:
        """Tell the lab how large the page is, and wait for its first picture."""
        await self._until_new_picture(self.send_to(self.board, {"method": "custom", "content": PAGE}))

    async def go_to_end(self) -> None:
        """Go to the last step of the iteration, where every slider changes the picture."""
        jump = {"kind": "jump", "index": len(self.models[self.board]["steps"])}
        await self._until_new_picture(self.send_to(self.board, {"method": "custom", "content": jump}))

    async def move(self, model: str, value: float) -> float:
        """Move a slider and wait for the new picture; return after how many seconds it came."""
        before = time.perf_counter()
        sent = self.send_to(model, {"method": "update", "state": {"value": value}, "buffer_paths": []})
        await self._until_new_picture(sent)
        return time.perf_counter() - before

    @property
    def boards(self) -> list[str]:
        return [model for model, state in self.models.items() if "frame" in state and "boxes" in state]

    @property
    def board(self) -> str:
        (board,) = self.boards
        return board

    @property
    def seed(self) -> str:
        return self._model(lambda state: state.get("_model_name") == "IntSliderModel")

    @property
    def lr(self) -> str:
        return self._model(lambda state: state.get("_model_name") == "FloatLogSliderModel")

    def described(self, text: str) -> str:
        return self._model(lambda state: state.get("description") == text)

    def _model(self, fits: Any) -> str:
        found = [model for model, state in self.models.items() if fits(state)]
        if len(found) != 1:
            raise LookupError(f"the lab has {len(found)} such widgets")
        return found[0]

    async def ask(self, channel: str, kind: str, content: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Send a request, and wait for its reply and until all that it printed has come."""
        message = secrets.token_hex(16)
        loop = asyncio.get_running_loop()
        self._waiting[message], self._idle[message] = loop.create_future(), loop.create_future()
        await self._send(channel, kind, content, message)
        reply = await self._comes(self._waiting[message])
        await self._comes(self._idle[message])
        del self._waiting[message], self._idle[message]
        return reply, message

    async def send_to(self, model: str, data: dict[str, Any]) -> None:
        await self._send("shell", "comm_msg", {"comm_id": model, "data": data}, secrets.token_hex(16))

    async def _send(self, channel: str, kind: str, content: dict[str, Any], message: str) -> None:
        header = {"msg_id": message, "msg_type": kind, "username": "", "session": "", "version": "5.2",
                  "date": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())}  # fmt: skip
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        await self.socket.send_bytes(serialize_msg_to_ws_v1(parts, channel))

    # What the page hears

    async def _until_new_picture(self, sent: Awaitable[None]) -> None:
        frame = self.frame
        await sent
        await self._comes(self._frame_after(frame))

    async def _frame_after(self, frame: int) -> None:
        async with self._new_picture:
            await self._new_picture.wait_for(lambda: self.frame > frame)

    async def _listen(self) -> None:
        async for frame in self.socket:
            if frame.type is aiohttp.WSMsgType.BINARY:
                await self._heard(frame.data)

    async def _comes(self, awaited: Awaitable[Any]) -> Any:
        """What is waited for, unless the connection ends before."""
        task = asyncio.ensure_future(awaited)
        await asyncio.wait({task, self._listener}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        task.cancel()
        if self._listener.done():
            self._listener.result()  # raises what went wrong, if that was it
            raise ConnectionError("the connection to the kernel was closed")
        raise TimeoutError(f"nothing came within {PATIENCE:.0f} s")

    async def _heard(self, frame: bytes) -> None:
        channel, parts = deserialize_msg_from_ws_v1(frame)
        header, parent, _, content = (json.loads(part) for part in parts[:4])
        kind, about = header["msg_type"], parent.get("msg_id", "")
        if channel in ("shell", "control"):
            if about in self._waiting:
                self._waiting[about].set_result({"header": header, "content": content})
        elif kind == "status":
            state = content["execution_state"]
            if state == "idle" and about in self._idle:
                self._idle[about].set_result(None)
            elif state in ("restarting", "autorestarting"):
                self.restarted.set()
        elif kind == "stream" and about:
            self._printed[about] = self._printed.get(about, "") + content["text"]
        elif kind == "comm_open":
            self.models[content["comm_id"]] = content["data"].get("state", {})
        elif kind == "comm_close":
            self.models.pop(content["comm_id"], None)
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            await self._updated(content["comm_id"], content["data"], parts[4:])

    async def _updated(self, model: str, data: dict[str, Any], buffers: list[bytes]) -> None:
        with suppress(KeyError):
            self.models[model].update(data["state"])
        if "frame" in data["state"]:
            number = data["state"]["frame"]
            if ["picture"] in data["buffer_paths"]:  # it stays away where it is the same as before
                self.picture_bytes = len(buffers[data["buffer_paths"].index(["picture"])])
                await self.send_to(model, {"method": "custom", "content": {"kind": "shown", "frame": number}})
            async with self._new_picture:
                self.frame = number
                self._new_picture.notify_all()


def _sentence(page: str) -> str:
    """What an error page says to the person in front of it."""
    shown = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(shown).split())[:1000]
