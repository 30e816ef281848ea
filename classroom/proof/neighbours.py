"""Whether one student gets at another: through the hub, and from a kernel on the same machine."""

import asyncio
import json
from collections.abc import Awaitable

import processes
from report import Found
from room import TestHub
from student import NOTEBOOK, RefusedError, Student

SECRET = "what ana alone should see"


async def try_it(room: TestHub, ana: Student, ben: Student) -> list[Found]:
    """Ben tries; both have a kernel running. Ana succeeds at each attempt, or else it would prove nothing."""
    found = []
    token = (await _new_token(ben))["token"]
    ana_token = (await _new_token(ana))["token"]
    for what, path in (
        ("her files", "api/contents"),
        ("her notebook", f"api/contents/{NOTEBOOK}"),
        ("her kernels", "api/kernels"),
    ):
        found.append(
            await _refused(f"ben's cookie at {what}", ben.ask("GET", path, base=ana.base), ana.ask("GET", path))
        )
        found.append(await _refused(f"ben's token at {what}", _with(token, ana, path), _with(ana_token, ana, path)))
    kernels = {"kernel": {"name": "python3"}, "path": "x.ipynb", "type": "notebook", "name": ""}
    found.append(
        await _refused(
            "ben's cookie starting a kernel there",
            ben.ask("POST", "api/sessions", kernels, base=ana.base),
            ana.ask("POST", "api/sessions", kernels),
        )
    )
    found.append(await _refused("ben's websocket to her kernel", _websocket(ben, ana), _websocket(ana, ana)))
    found.append(await _refused("ben's page of her lab", _page(ben, ana), _page(ana, ana)))
    hub_path = f"/hub/api/users/{ana.name}"
    found.append(await _refused("ben asking the hub about her", _hub(ben, "GET", hub_path), _hub(ana, "GET", hub_path)))
    found.append(await _not_done("ben stopping her server", _hub(ben, "DELETE", f"{hub_path}/server")))
    if room.separate:  # as one and the same account they can do everything to each other
        found += await _from_the_kernel(room, ana, ben)
    return found


async def _from_the_kernel(room: TestHub, ana: Student, ben: Student) -> list[Found]:
    """What Ben's kernel reaches on the machine that it shares with Ana's."""
    home = room.homes / ana.name
    server, kernel = (next(p.pid for p in processes.of(ana.name) if p.is_kernel is k) for k in (False, True))
    connection = (await ana.page.run("import ipykernel; print(ipykernel.get_connection_file())")).strip()
    iopub = json.loads((await ana.page.run(f"print(open({connection!r}).read())")).strip())["iopub_port"]
    port = (await ana.page.run("import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])")).strip()
    attempts = {
        "her notebook as a file": f"open({str(home / NOTEBOOK)!r}).read()",
        "a list of her files": f"__import__('os').listdir({str(home)!r})",
        "writing a file into her home": f"open({str(home / 'ben_was_here')!r}, 'w').close()",
        "the key of her kernel": f"open({connection!r}).read()",
        "the token of her server": f"open('/proc/{server}/environ').read().index('JUPYTERHUB_API_TOKEN')",
        "killing her kernel": f"__import__('os').kill({kernel}, 0)",
    }
    found = []
    for what, code in attempts.items():
        await ana.page.run(code)  # she can
        try:
            await ben.page.run(code)
            refused = ""
        except RuntimeError as error:
            refused = str(error).partition(":")[0]
        found.append(Found(f"from ben's kernel: {what}", refused == "PermissionError", refused or "DONE"))
    ask = (
        "import os, urllib.request, urllib.error\n"
        "token = {'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']}\n"
        f"request = urllib.request.Request({port!r} + 'api/contents', headers=token)\n"
        "try: print(urllib.request.urlopen(request).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)"
    )
    hers, his = [(await student.page.run(ask)).strip() for student in (ana, ben)]
    found.append(Found("from ben's kernel: her server, past the proxy", (hers, his) == ("200", "403"), his))
    found.append(await _eavesdrop(ana, ben, iopub))
    return found


async def _eavesdrop(ana: Student, ben: Student, iopub: int) -> Found:
    """Ben's kernel connects to the port on which Ana's tells her page what it prints, and listens."""
    listen = (
        "import time, zmq\n"
        "with zmq.Context() as context, context.socket(zmq.SUB) as ear:\n"
        "    ear.subscribe(b'')\n"
        f"    ear.connect('tcp://127.0.0.1:{iopub}')\n"
        "    heard, end = b'', time.monotonic() + 3\n"
        "    while time.monotonic() < end:\n"
        "        if ear.poll(100): heard += b''.join(ear.recv_multipart())\n"
        f"    ear.close(0); print({SECRET!r}.encode() in heard)"
    )
    listening = asyncio.create_task(ben.page.run(listen))
    while not listening.done():
        await asyncio.sleep(0.3)
        assert SECRET in await ana.page.run(f"print({SECRET!r})")
    heard = (await listening).strip()
    return Found("from ben's kernel: what hers prints", heard == "False", "not heard" if heard == "False" else "HEARD")


async def _refused(what: str, attempt: Awaitable[object], control: Awaitable[object]) -> Found:
    await control
    return await _not_done(what, attempt)


async def _not_done(what: str, attempt: Awaitable[object]) -> Found:
    try:
        await attempt
    except RefusedError as error:
        return Found(what, error.status in (403, 404), str(error.status))
    return Found(what, False, "DONE")


async def _new_token(student: Student) -> dict[str, str]:
    return await _hub(student, "POST", f"/hub/api/users/{student.name}/tokens")


async def _hub(student: Student, method: str, path: str) -> dict[str, str]:
    body = {} if method == "POST" else None
    return await student.ask(method, path.removeprefix("/hub/"), body, base=f"{student.hub}/hub/")


async def _with(token: str, owner: Student, path: str) -> None:
    """Ask as a script does, with a token and no cookie."""
    async with (
        owner.http.__class__() as http,
        http.get(owner.base + path, headers={"Authorization": f"token {token}"}) as answer,
    ):
        if answer.status != 200:
            raise RefusedError(answer.status)


async def _websocket(who: Student, owner: Student) -> None:
    url = f"{owner.base}api/kernels/{owner.kernel}/channels"
    try:
        async with who.http.ws_connect(url, origin=who.hub):
            pass
    except Exception as error:
        raise RefusedError(getattr(error, "status", 0)) from None


async def _page(who: Student, owner: Student) -> None:
    async with who.http.get(f"{owner.base}lab") as answer:
        if answer.status != 200 or str(answer.url) != f"{owner.base}lab":
            raise RefusedError(answer.status)
