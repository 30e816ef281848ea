"""Whether one student gets at another: through the hub, and from a kernel on the same machine."""

import asyncio
import json

import aiohttp
import processes
from student import NOTEBOOK

HER_SERVER = """
import os, requests
token = {{"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}}
print(requests.get({url!r} + "api/contents", headers=token).status_code)
"""
LISTEN = """
import zmq
with zmq.Context() as context, context.socket(zmq.SUB) as ear:
    ear.subscribe(b"")
    ear.connect("tcp://127.0.0.1:{port}")
    print(ear.poll(3000) > 0)
    ear.close(0)
"""


async def keep_apart(checks, hub, ana, ben):
    """Ben tries; both have a kernel running. Ana succeeds at each attempt, or else it would prove nothing."""
    her_hub, tokens = f"api/users/{ana.name}", {}
    for who in (ana, ben):
        tokens[who] = (await who.ask("POST", f"api/users/{who.name}/tokens", {}, base=who.hub))["token"]
    new = {"kernel": {"name": "python3"}, "path": "x.ipynb", "type": "notebook", "name": ""}
    attempts = {
        "ben's cookie starting a kernel there": lambda who: who.ask("POST", "api/sessions", new, base=ana.base),
        "ben's websocket to her kernel": lambda who: who.connect(ana),
        "ben's page of her lab": lambda who: who.open_lab(ana),
        "ben asking the hub about her": lambda who: who.ask("GET", her_hub, base=ana.hub),
    }
    for what, path in {"files": "contents", "notebook": f"contents/{NOTEBOOK}", "kernels": "kernels"}.items():
        attempts |= {
            f"ben's cookie at her {what}": lambda who, p=path: who.ask("GET", f"api/{p}", base=ana.base),
            f"ben's token at her {what}": lambda who, p=path: _by_token(tokens[who], f"{ana.base}api/{p}"),
        }
    for what, attempt in attempts.items():
        await attempt(ana)
        await checks.answered(what, attempt(ben), 403, 404)
    stopping = ben.ask("DELETE", f"{her_hub}/server", base=ben.hub)
    await checks.answered("ben stopping her server", stopping, 403, 404)
    if hub.separate:  # as one and the same account they can do everything to each other
        await _keep_apart_on_the_machine(checks, hub.homes / ana.name, ana, ben)


async def _keep_apart_on_the_machine(checks, home, ana, ben):
    server, kernel = processes.server_and_kernel(ana)
    connection = await ana.page.run("import ipykernel; print(ipykernel.get_connection_file())")
    attempts = {
        "her notebook as a file": f"open({str(home / NOTEBOOK)!r}).read()",
        "a list of her files": f"__import__('os').listdir({str(home)!r})",
        "writing a file into her home": f"open({str(home / 'ben_was_here')!r}, 'w').close()",
        "the key of her kernel": f"open({connection!r}).read()",
        "the token of her server": f"open('/proc/{server.pid}/environ').read().index('JUPYTERHUB_API_TOKEN')",
        "killing her kernel": f"__import__('os').kill({kernel.pid}, 0)",
    }
    for what, code in attempts.items():
        await ana.page.run(code)
        error = await ben.page.run(f"try: {code}\nexcept Exception as error: print(type(error).__name__)")
        checks.note(f"from ben's kernel: {what}", error == "PermissionError", error)
    ask = HER_SERVER.format(url=await ana.page.run("import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])"))
    hers, his = await ana.page.run(ask), await ben.page.run(ask)
    checks.note("from ben's kernel: her server, past the proxy", (hers, his) == ("200", "403"), his)
    port = json.loads(await ana.page.run(f"print(open({connection!r}).read())"))["iopub_port"]
    listening = asyncio.create_task(ben.page.run(LISTEN.format(port=port)))
    while not listening.done():
        await asyncio.sleep(0.1)
        await ana.page.run("print('what ana alone should see')")
    checks.note("from ben's kernel: what hers prints", await listening == "False", f"heard: {await listening}")


async def _by_token(token, url):
    async with aiohttp.ClientSession(headers={"Authorization": f"token {token}"}, raise_for_status=True) as http:
        (await http.get(url)).close()
