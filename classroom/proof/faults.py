"""What goes wrong in class, done on purpose: the hub restarts, a kernel dies, a laptop is closed."""

import asyncio
import os
import signal
import time

import aiohttp
import processes
from lesson import RATES, open_lab
from report import Found
from room import TestHub
from student import RefusedError, Student

AWAY = 20.0  # seconds for which the laptop is closed


async def hub_restarts(room: TestHub, ana: Student, newcomer: Student) -> list[Found]:
    """The hub is stopped in the middle of a lesson, then killed; students go on meanwhile and afterwards."""
    await ana.page.run("kept = 'still here'")
    found = []
    for how, number in (("stopped", signal.SIGTERM), ("killed", signal.SIGKILL)):
        room.hub.send_signal(number)
        room.hub.wait(30)
        moved = [await ana.page.move(ana.page.lr, rate) for rate in RATES[:20]]
        found.append(Found(f"hub {how}: sliders move", True, f"{1000 * sorted(moved)[10]:.0f} ms"))
        text = f"written while the hub was {how}"
        body = {"type": "file", "format": "text", "content": text}
        await ana.ask("PUT", "api/contents/work.txt", body)
        saved = (await ana.ask("GET", "api/contents/work.txt"))["content"]
        found.append(Found(f"hub {how}: work is saved", saved == text, "saved"))
        try:
            await newcomer.log_in()
            found.append(Found(f"hub {how}: nobody new gets in", False, "let in by no hub"))
        except (RefusedError, aiohttp.ClientError) as error:
            found.append(Found(f"hub {how}: nobody new gets in", True, str(getattr(error, "status", error))))
        before = time.perf_counter()
        await room.open_hub()
        kept = (await ana.page.run("print(kept)")).strip()
        await ana.page.move(ana.page.lr, RATES[-1])
        found.append(
            Found(
                f"hub {how}, back after {time.perf_counter() - before:.0f} s: the kernel is the same",
                kept == "still here",
                kept,
            )
        )
        servers = (await ana.ask("GET", f"api/users/{ana.name}", base=f"{room.url}/hub/"))["servers"]
        found.append(Found(f"hub {how}: it knows her server again", servers[""]["ready"] is True, "ready"))
        await newcomer.log_in()
    return found


async def kernel_dies(ana: Student) -> list[Found]:
    """The kernel is killed while the lab plays."""
    await _play(ana)
    os.kill(next(p.pid for p in processes.of(ana.name) if p.is_kernel), signal.SIGKILL)
    before = time.perf_counter()
    async with asyncio.timeout(30):
        await ana.page.restarted.wait()
    told = time.perf_counter() - before
    ana.page.forget()
    await open_lab(ana)
    back = time.perf_counter() - before
    return [
        Found(f"kernel killed while playing: the page is told after {told:.1f} s", told < 10, "kernel restarts"),
        Found("kernel killed while playing: the cell, run again, has a lab", back < 30, f"after {back:.1f} s"),
    ]


async def laptop_closes(ana: Student) -> list[Found]:
    """The page's connection is lost while the lab plays, and comes back after a while."""
    await _play(ana)
    server = next(p.pid for p in processes.of(ana.name) if not p.is_kernel)
    frame, memory = ana.page.frame, processes.memory([server])
    ana.page.drop()
    await asyncio.sleep(AWAY)
    grown = processes.memory([server]) - memory
    page = await ana.connect()
    async with asyncio.timeout(10):
        while page.frame <= frame:
            await asyncio.sleep(0.05)
    replayed = page.frame - frame
    await page.send_to(page.described("Play"), _value(False))
    await asyncio.sleep(0.5)
    waited = await page.move(page.lr, RATES[5])
    kept = (await page.run("print('there')")).strip() == "there"
    caught_up = f"connection lost for {AWAY:.0f} s while playing: the page catches up"
    return [
        Found(caught_up, replayed > 0, f"{replayed} pictures later"),
        Found("connection lost: sliders move again", kept, f"{1000 * waited:.0f} ms"),
        Found("connection lost: what the server keeps for the page meanwhile", grown < 20, f"{grown:.1f} MB"),
    ]


async def _play(student: Student) -> None:
    """Press Play at its fastest, and see it play."""
    page = student.page
    speed = page.described("speed")
    fastest = len(page.models[speed]["_options_labels"]) - 1
    await page.send_to(speed, {"method": "update", "state": {"index": fastest}, "buffer_paths": []})
    await page.send_to(page.described("Play"), _value(True))
    frame = page.frame
    async with asyncio.timeout(10):
        while page.frame < frame + 10:
            await asyncio.sleep(0.05)


def _value(value: bool) -> dict[str, object]:
    return {"method": "update", "state": {"value": value}, "buffer_paths": []}
