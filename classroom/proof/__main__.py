"""The proof of this folder: a real hub, students by the real protocol, and what they cost. `make classroom` runs it."""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import course
import faults
import lesson
import login_checks
import neighbours
import processes
from jupyter_client.manager import start_new_kernel
from report import Found, limits, show_found, show_lessons, show_needs
from room import CLASSROOM, TestHub
from student import Student

MEASURED = CLASSROOM / "measured.json"
PACKAGES = ("jupyterhub", "jupyter-server", "jupyterlab", "ipykernel", "numpy", "matplotlib", "ipywidgets", "anywidget")


async def main(arguments: argparse.Namespace) -> int:
    sizes = arguments.students
    say(f"{os.cpu_count()} cores, {_memory():.0f} GB of memory, load {os.getloadavg()[0]:.1f}; {platform.platform()}")
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": {"cores": os.cpu_count(), "memory GB": round(_memory()), "processor": _processor()},
        "python": platform.python_version(),
        "packages": {package: version(package) for package in PACKAGES},
        "a bare kernel": bare_kernel(),
        "lessons": [],
    }
    say(f"A bare kernel, in which nothing was imported: {found['a bare kernel']:.0f} MB.")
    checks: list[Found] = []
    with tempfile.TemporaryDirectory(prefix="backprop_lab_class_") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the students' homes are in it
        classes = [[f"s{size}x{number:02}" for number in range(1, size + 1)] for size in sizes]
        names = ["ana", "ben", "cleo", *chain.from_iterable(classes)]
        room = TestHub(folder, arguments.proxy, names, untrimmed=arguments.untrimmed)
        if room.separate:
            say("Every student has an account of the system, as with The Littlest JupyterHub; only this hub sees them.")
        else:
            say(
                "NO SEPARATE ACCOUNTS, SO THAT FILES ARE KEPT FROM NEIGHBOURS IS NOT TESTED: "
                "that takes root and unshare."
            )
        async with room:
            for names in classes:
                say(
                    f"{len(names)} at once: start, {lesson.LESSON:.0f} s of moving a slider a second, "
                    f"{lesson.DRAG:.0f} s of dragging."
                )
                async with AsyncExitStack() as class_:
                    students = [await class_.enter_async_context(_student(room, name)) for name in names]
                    found["lessons"].append(await lesson.run_class(room, students))
                    await asyncio.gather(*(student.stop_server() for student in students))
            if arguments.untrimmed:
                show_lessons(found)
                return 0
            say("Ben tries what he can to get at Ana, the hub restarts, her laptop closes, her kernel is killed.")
            checks += await _with_ana_and_ben(room)
            checks += await login_checks.of_the_class(room)
            if arguments.course:
                say("Cleo runs every notebook of the course and leaves all of them open.")
                found["course"] = await _with_cleo(room)
        say("Hubs that stand open to everybody.")
        checks += await login_checks.left_open(folder, arguments.proxy)
    checks += [*login_checks.every_option_is_known(), *limits(found)]
    show_found(checks)
    show_lessons(found)
    show_needs(found)
    if arguments.record:
        MEASURED.write_text(json.dumps(_rounded(found), indent=1) + "\n")
        say(f"Recorded in {MEASURED.name}.")
    wrong = [check.what for check in checks if not check.good]
    say(f"{len(checks) - len(wrong)} of {len(checks)} as it should be. Not so: {'; '.join(wrong) or 'none'}.")
    return len(wrong) > 0


async def _with_ana_and_ben(room: TestHub) -> list[Found]:
    async with _student(room, "ana") as ana, _student(room, "ben") as ben, _student(room, "cleo") as cleo:
        for student in (ana, ben, cleo):
            await student.sign_up()
        for student in (ana, ben):
            await student.log_in()
            await student.start_server()
            await student.open_notebook()
            await lesson.open_lab(student)
        checks = await neighbours.try_it(room, ana, ben)
        await ben.stop_server()
        checks += await faults.hub_restarts(room, ana, cleo)
        checks += await faults.laptop_closes(ana)
        checks += await faults.kernel_dies(ana)
        await ana.stop_server()
    return checks


async def _with_cleo(room: TestHub) -> dict[str, Any]:
    async with _student(room, "cleo") as cleo:
        await cleo.log_in()
        await cleo.start_server()
        found = await course.run_course(cleo)
        await cleo.stop_server()
    return found


def bare_kernel() -> float:
    """The memory of a kernel of the usual kind, in which nothing was imported."""
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL)  # where it says that it is not encrypted
    try:
        client.execute_interactive("1", timeout=60, output_hook=lambda _: None)
        return processes.memory([manager.provisioner.pid])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def say(sentence: str) -> None:
    print(f"\n== {sentence}", flush=True)


def _student(room: TestHub, name: str) -> Student:
    return Student(room.url, name, f"the password of {name}")


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _processor() -> str:
    names = [line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return names[0] if names else platform.processor()


def _rounded(value: Any) -> Any:
    """The same with three digits: more would say nothing."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.3g}") if isinstance(value, float) else value


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="classroom/proof", description=__doc__)
    parser.add_argument("--students", type=int, nargs="+", default=[1, 5], help="sizes of classes")
    parser.add_argument("--proxy", default="configurable-http-proxy", help="the proxy's command")
    parser.add_argument("--course", action="store_true", help="also run every notebook of the course")
    parser.add_argument("--untrimmed", action="store_true", help="only the figures, and of JupyterHub as it comes")
    parser.add_argument("--record", action="store_true", help="keep the figures in measured.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parse(sys.argv[1:]))))
