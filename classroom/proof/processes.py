"""What a student costs: memory and processor time of the processes that are theirs, read from /proc."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MB = 2**20
TICK = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """A process that a hub started for a student."""

    pid: int
    student: str
    is_kernel: bool


def of_students() -> list[Process]:
    """Every process on this machine that carries a student's name; a kernel inherits its server's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # somebody else's, or gone
        for entry in environment:
            if entry.startswith(b"JUPYTERHUB_USER="):
                name = entry.partition(b"=")[2].decode()
                found.append(Process(int(folder.name), name, b"ipykernel" in command))
    return found


def of(name: str) -> list[Process]:
    return [process for process in of_students() if process.student == name]


def memory(pids: Iterable[int]) -> float:
    """Their memory in MB: what is theirs alone, and their share of what they have in common with others (PSS)."""
    return sum(_kilobytes(pid, "smaps_rollup", "Pss") for pid in pids) * 1024 / MB


def peak(pid: int) -> float:
    """The most memory in MB that a process ever had, everything counted that it shares with others."""
    return _kilobytes(pid, "status", "VmHWM") * 1024 / MB


def processor_time(pids: Iterable[int]) -> float:
    """How many seconds they, and their children that ended, have kept one core busy."""
    return sum(_ticks(pid) for pid in pids) / TICK


def machine_time() -> float:
    """How many seconds all cores of the machine together have been busy, for anybody."""
    user, nice, system, _idle, _wait, interrupts, soft, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft + steal) / TICK


def descendants(pid: int) -> Iterator[int]:
    """A process and all that come from it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from descendants(int(child))


def _kilobytes(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"/proc/{pid}/{file} says nothing of {name}")


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))  # user and system time, its own and that of children it waited for
