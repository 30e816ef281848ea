"""What a student's browser says to the hub and to a kernel, without the browser, which would cost more than both."""

import asyncio
import json
import time
from collections import defaultdict

import aiohttp
from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1

NOTEBOOK = "backprop_lab_notebooks/02_step_through.ipynb"
PROTOCOL = "v1.kernel.websocket.jupyter.org"  # the one that JupyterLab asks for
BOARD = {"_anywidget_id": "backprop_lab.ui.page.step_view.StepView"}
LEARNING_RATE, SEED = "FloatLogSliderModel", "IntSliderModel"  # the lab has one of each
ROOM = {"map": [1100, 420], "operation": [500, 250]}
PAGE = {"kind": "page", "width": 1100, "height": 900, **ROOM, "ratio": 1, "dark": False}
PATIENCE = 120.0  # seconds; longer than the slowest start of the largest class on a small machine


class RefusedError(Exception):
    """The hub or a server says no."""

    def __init__(self, status, sentence=""):
        super().__init__(f"{status} {sentence}")
        self.status = status


class Student:
    """A browser with the student's cookies in it, and the notebooks that are open; `page` is the last of them."""

    def __init__(self, hub, name, password=None):
        self.hub, self.name, self.password = f"{hub}/hub/", name, password or f"the password of {name}"
        self.base, self.kernel, self.pages = f"{hub}/user/{name}/", "", []
        self._session = Session(key=b"")  # its name tells one page of a kernel from another

    async def __aenter__(self):
        jar = aiohttp.CookieJar(unsafe=True)  # that is, for an address in numbers
        self.http = aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=PATIENCE))
        return self

    async def __aexit__(self, *_):
        for page in self.pages:
            await page.close()
        await self.http.close()

    async def sign_up(self):
        await self._fill_in("signup", signup_password=self.password, signup_password_confirmation=self.password)

    async def log_in(self):
        await self._fill_in("login", password=self.password)
        async with self.http.get(f"{self.hub}home", allow_redirects=False) as home:
            if home.status != 200:
                raise RefusedError(home.status, "the hub asks who this is")

    async def _fill_in(self, form, **fields):
        await self._look_at(self.hub + form)  # sets the cookie that proves that the form is ours
        fields |= {"username": self.name, "_xsrf": self._xsrf(self.hub + form)}
        async with self.http.post(self.hub + form, data=fields, params={"next": "/hub/home"}) as answer:
            if answer.status >= 400:
                raise RefusedError(answer.status, await answer.text())

    async def start_server(self):
        await self._look_at(f"{self.hub}spawn/{self.name}")
        await self._look_at(f"{self.hub}api/users/{self.name}/server/progress?_xsrf={self._xsrf(self.hub)}")
        await self.open_lab(self)

    async def open_lab(self, owner):
        """Load the page of JupyterLab from their own server, or try to from another student's."""
        status, url = await self._look_at(f"{owner.base}lab")
        if (status, url) != (200, f"{owner.base}lab"):
            raise RefusedError(status, url)

    async def stop_server(self):
        await self.ask("DELETE", f"api/users/{self.name}/server", base=self.hub)
        while (await self.ask("GET", f"api/users/{self.name}", base=self.hub))["servers"]:
            await asyncio.sleep(0.2)

    async def _look_at(self, url):
        """The status of a page, and its address, which may be another."""
        async with self.http.get(url) as answer:
            await answer.read()
            return answer.status, str(answer.url)

    async def ask(self, method, path, body=None, base=None):
        """Talk to the API of their server as its page does; of the hub or another student's, if `base` is given."""
        url, headers = (base or self.base) + path, {"X-XSRFToken": self._xsrf(base or self.base)}
        async with self.http.request(method, url, json=body, headers=headers, allow_redirects=False) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise RefusedError(answer.status, text)
            return json.loads(text or "null")

    async def open_notebook(self, path=NOTEBOOK):
        body = {"path": path, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        self.kernel = (await self.ask("POST", "api/sessions", body))["kernel"]["id"]
        await self.open_page({})
        await self.page.run("")  # answered once the kernel is there
        return (await self.ask("GET", f"api/contents/{path}"))["content"]

    async def open_page(self, widgets):
        self.page = Page(await self.connect(self, self._session.session), self._session, widgets)
        self.pages.append(self.page)
        return self.page

    async def connect(self, owner, session="another page"):
        url = f"{owner.base}api/kernels/{owner.kernel}/channels?session_id={session}"
        return await self.http.ws_connect(url, protocols=[PROTOCOL], max_msg_size=0, origin=self.hub[:-5])

    def _xsrf(self, url):
        cookie = self.http.cookie_jar.filter_cookies(aiohttp.client.URL(url)).get("_xsrf")
        return cookie.value if cookie else ""


class Page:
    """An open notebook: its end of a kernel's websocket, and the state of each widget by its id."""

    def __init__(self, socket, session, widgets):
        self.widgets, self.frame, self.restarted = widgets, 0, False
        self._socket, self._session = socket, session
        self._replies, self._idle, self._printed, self._news = {}, set(), defaultdict(str), asyncio.Event()
        self._listener = asyncio.create_task(self._listen())
        self._listener.add_done_callback(lambda _: self._news.set())

    async def close(self):
        self._listener.cancel()
        await self._socket.close()

    async def run(self, code):
        """What a cell printed; raises RuntimeError with the kernel's own words."""
        message = await self._send("execute_request", {"code": code, "silent": False, "allow_stdin": True})
        await self.until(lambda: message in self._replies and message in self._idle)
        reply = self._replies.pop(message)
        if reply["status"] != "ok":
            raise RuntimeError(f"{reply.get('ename')}: {reply.get('evalue')}")
        return self._printed.pop(message, "").strip()

    async def open_lab(self):
        """Run the cell, wait for the picture, and go to the last step, where every slider changes it."""
        self.widgets.clear()
        self.frame = 0
        await self.run("from backprop_lab.ui import StepThrough; StepThrough()")
        await self.picture_after(self.tell(self.find(**BOARD), PAGE))
        await self.go_to_end()

    async def go_to_end(self):
        board = self.find(**BOARD)
        steps = self.widgets[board]["layout_of_steps"]["steps"]
        await self.picture_after(self.tell(board, {"kind": "jump", "index": len(steps)}))

    async def move(self, slider, value):
        """Move the slider of this kind, and return after how many seconds the new picture was there."""
        return await self.picture_after(self.set(self.find(_model_name=slider), value=value))

    async def set(self, widget, **state):
        data = {"method": "update", "state": state, "buffer_paths": []}
        await self._send("comm_msg", {"comm_id": widget, "data": data})

    async def tell(self, widget, content):
        await self._send("comm_msg", {"comm_id": widget, "data": {"method": "custom", "content": content}})

    async def _send(self, kind, content):
        message = self._session.msg(kind, content)
        await self._socket.send_bytes(serialize_msg_to_ws_v1(message, "shell", self._session.pack))
        return message["header"]["msg_id"]

    def having(self, **state):
        return [widget for widget, known in self.widgets.items() if state.items() <= known.items()]

    def find(self, **state):
        (found,) = self.having(**state)
        return found

    async def picture_after(self, sent):
        """Send it, and return after how many seconds a new picture was there."""
        frame, before = self.frame, time.perf_counter()
        await sent
        await self.until(lambda: self.frame > frame)
        return time.perf_counter() - before

    async def until(self, happened):
        async with asyncio.timeout(PATIENCE):
            while not happened():
                if self._listener.done():
                    raise ConnectionError("the connection to the kernel is closed") from self._listener.exception()
                self._news.clear()
                await self._news.wait()

    async def _listen(self):
        async for frame in self._socket:
            _, parts = deserialize_msg_from_ws_v1(frame.data)
            header, parent, _, content = map(json.loads, parts[:4])
            kind, about, data = header["msg_type"], parent.get("msg_id"), content.get("data", {})
            if kind == "execute_reply":
                self._replies[about] = content
            elif kind == "status" and content["execution_state"] == "idle":
                self._idle.add(about)
            elif kind == "status":
                self.restarted |= "restarting" in content["execution_state"]
            elif kind == "stream":
                self._printed[about] += content["text"]
            elif kind == "comm_open":
                self.widgets[content["comm_id"]] = data.get("state", {})
            elif kind == "comm_msg" and data.get("method") == "update":
                self.widgets.get(content["comm_id"], {}).update(data["state"])
                if ["picture"] in data["buffer_paths"]:  # it stays away where it is the same as before
                    await self.tell(content["comm_id"], {"kind": "shown", "frame": data["state"]["frame"]})
                self.frame = data["state"].get("frame", self.frame)
            self._news.set()
