"""What goes wrong in class, done on purpose: the hub restarts, a kernel dies, a laptop is closed."""

import asyncio
import signal

import processes
from lesson import RATES, seconds
from student import BOARD, LEARNING_RATE

AWAY = 20.0  # seconds for which the laptop is closed


async def hub_restarts(checks, hub, ana, newcomer):
    await ana.page.run("kept = 'still here'")
    for how, number in (("stopped", signal.SIGTERM), ("killed", signal.SIGKILL)):
        hub.hub.send_signal(number)
        hub.hub.wait(30)
        moved = sorted([await ana.page.move(LEARNING_RATE, rate) for rate in RATES[:20]])
        checks.note(f"hub {how}: sliders move", True, f"{1000 * moved[10]:.0f} ms")
        work = {"type": "file", "format": "text", "content": f"written while the hub was {how}"}
        await ana.ask("PUT", "api/contents/work.txt", work)
        saved = await ana.ask("GET", "api/contents/work.txt")
        checks.note(f"hub {how}: work is saved", saved["content"] == work["content"])
        await checks.answered(f"hub {how}: somebody new logging in", newcomer.log_in(), 503)
        back = await seconds(hub.open_hub())
        kept = await ana.page.run("print(kept)")
        await ana.page.move(LEARNING_RATE, RATES[-1])
        checks.note(f"hub {how}, back after {back:.0f} s: the kernel is the same", kept == "still here", kept)
        server = (await ana.ask("GET", f"api/users/{ana.name}", base=ana.hub))["servers"][""]
        checks.note(f"hub {how}: it knows her server again", server["ready"] is True)
        await newcomer.log_in()


async def laptop_is_closed(checks, ana):
    await _play(ana.page)
    server, _ = processes.server_and_kernel(ana)
    frame, memory = ana.page.frame, processes.memory([server])
    await ana.page.close()
    await asyncio.sleep(AWAY)
    grown = processes.memory([server]) - memory
    page = await ana.open_page(ana.page.widgets)
    waited = await seconds(page.until(lambda: page.frame > frame + AWAY / 2))
    caught_up = f"connection lost for {AWAY:.0f} s while playing: the page is {page.frame - frame} pictures later"
    checks.note(caught_up, waited < AWAY / 4, f"after {waited:.1f} s")
    await page.tell(page.find(**BOARD), {"kind": "do", "what": "play"})
    await asyncio.sleep(0.5)
    waited = await page.move(LEARNING_RATE, RATES[5])
    kept = await page.run("print(kept)") == "still here"
    checks.note("connection lost: sliders move again, on the same kernel", kept, f"{1000 * waited:.0f} ms")
    checks.note("connection lost: what the server keeps for the page meanwhile", grown < 20, f"{grown:.1f} MB")


async def kernel_dies(checks, ana):
    await _play(ana.page)
    processes.server_and_kernel(ana)[1].kill()
    told = await seconds(ana.page.until(lambda: ana.page.restarted))
    checks.note("kernel killed while playing: the page is told", told < 10, f"after {told:.1f} s")
    back = told + await seconds(ana.page.open_lab())
    checks.note("kernel killed while playing: the cell, run again, has a lab", back < 30, f"after {back:.1f} s")


async def _play(page):
    board = page.find(**BOARD)
    await page.tell(board, {"kind": "speed", "speed": page.widgets[board]["layout_of_steps"]["speeds"][-1]})
    await page.tell(board, {"kind": "do", "what": "play"})
    frame = page.frame
    await page.until(lambda: page.frame >= frame + 10)
