"""A class rehearsed: a real hub, students by the real protocol, and what they cost. `make classroom` runs it."""

import argparse
import asyncio
import os
import platform
import re
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import aiohttp
import isolation
import lesson
import login
import recovery
import report
from hub import TestHub
from student import RefusedError, Student


async def main(given):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    say(f"{os.cpu_count()} cores, {memory:.0f} GB of memory, load {os.getloadavg()[0]:.1f}; {platform.platform()}")
    (processor, *_) = *re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()), platform.processor()
    machine = {"cores": os.cpu_count(), "memory GB": round(memory), "processor": processor}
    found = {"date": datetime.now(UTC).isoformat(timespec="minutes"), "machine": machine, "lessons": []}
    with tempfile.TemporaryDirectory(prefix="backprop_lab_class_") as name:
        folder, checks = Path(name), Checks()
        folder.chmod(0o755)  # the students' homes are in it
        classes = [[f"s{size}x{number:02}" for number in range(1, size + 1)] for size in given.students]
        async with TestHub(folder, [*chain.from_iterable(classes), "ana", "ben", "cleo"]) as hub:
            if not hub.separate:
                say("NOT TESTED, THAT FILES ARE KEPT FROM NEIGHBOURS: separate accounts take root and unshare.")
            for names in classes:
                say(f"{len(names)} at once: start, then a slider a second, then all drag.")
                async with at_their_computers(hub, *names) as students:
                    found["lessons"].append(await lesson.run_class(hub, students))
                    await asyncio.gather(*(student.stop_server() for student in students))
            await what_must_hold(checks, hub)
            say("Cleo runs every notebook of the course and leaves all of them open.")
            async with at_their_computers(hub, "cleo") as (cleo,):
                await cleo.log_in()
                await cleo.start_server()
                found["course"] = await lesson.run_course(cleo)
        await login.to_hubs_left_open(checks, folder)
        login.every_option_is_known(checks)
        for what, good in report.limits(found):
            checks.note(what, good)
    say("What a student waits for (half of all wait less / all but one in a hundred), and costs:")
    print(report.lessons(found))
    say("What larger classes need, worked out from the last line:")
    print(report.larger_classes(found))
    if given.record:
        report.record(found)
    right = checks.number - len(checks.wrong)
    say(f"{right} of {checks.number} as it should be. Not so: {'; '.join(checks.wrong) or 'none'}.")
    return len(checks.wrong) > 0


async def what_must_hold(checks, hub):
    say("Ben tries what he can to get at Ana.")
    async with at_their_computers(hub, "ana", "ben", "cleo") as (ana, ben, cleo):
        await cleo.sign_up()
        for student in (ana, ben):
            await student.sign_up()
            await student.log_in()
            await student.start_server()
            await student.open_notebook()
        await isolation.keep_apart(checks, hub, ana, ben)
        await ben.stop_server()
        say("The hub restarts, her laptop closes, her kernel is killed.")
        await ana.page.open_lab()
        await recovery.hub_restarts(checks, hub, ana, cleo)
        await recovery.laptop_is_closed(checks, ana)
        await recovery.kernel_dies(checks, ana)
        await ana.stop_server()
    say("Who gets in, and where the hub stands open to everybody.")
    await login.to_the_class(checks, hub)


@asynccontextmanager
async def at_their_computers(hub, *names):
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Student(hub.url, name)) for name in names]


class Checks:
    """What was tried and how it went, told as it happens."""

    def __init__(self):
        self.number, self.wrong = 0, []

    def note(self, what, good, how=""):
        print(f"{'as it should be' if good else 'NOT AS IT SHOULD':16}  {what}{how and ': '}{how}", flush=True)
        self.number += 1
        self.wrong += [] if good else [what]

    async def answered(self, what, attempt, *statuses, because=""):
        """Note whether it ends with one of these, and for this reason; 200 if nobody refuses it."""
        status, said = 200, "done"
        try:
            await attempt
        except (RefusedError, aiohttp.ClientResponseError) as error:
            status, said = error.status, str(error)
        self.note(what, status in statuses and because in said, said[:80])


def say(sentence):
    print(f"\n== {sentence}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests/classroom", description=__doc__)
    parser.add_argument("--students", type=int, nargs="+", default=[1, 5], help="sizes of classes")
    parser.add_argument("--record", action="store_true", help="keep the figures in measured.json and the README")
    sys.exit(asyncio.run(main(parser.parse_args())))
