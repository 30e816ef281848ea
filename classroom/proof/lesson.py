"""A lesson: the whole class opens the lab at once, moves sliders as in class, then all drag at the same time."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from typing import Any

import processes
from room import TestHub
from student import CELL, Student

LESSON = 20.0  # seconds, in which everybody moves a slider once a second
RATES = [10 ** (exponent / 20) for exponent in range(-60, -19)]  # where the slider can stand
DRAG = 5.0  # seconds, in which everybody drags as fast as pictures come


async def run_class(room: TestHub, students: Sequence[Student]) -> dict[str, Any]:
    """What it took, in figures; seconds and MB unless a name says something else."""
    for student in students:
        await student.sign_up()
    before = time.perf_counter()
    log_in = await asyncio.gather(*(_seconds(student.log_in()) for student in students))
    idle = _machine(room, students)
    starts = await asyncio.gather(*(_start(student) for student in students))
    all_there = time.perf_counter() - before
    started = _machine(room, students)

    await asyncio.sleep(1)
    quiet = _machine(room, students)
    moves = _flat(await asyncio.gather(*(_move_now_and_then(student) for student in students)))
    paced = _machine(room, students)
    drags = _flat(await asyncio.gather(*(_drag(student) for student in students)))
    dragged = _machine(room, students)

    pids = {student.name: processes.of(student.name) for student in students}
    memory = [processes.memory(process.pid for process in pids[student.name]) for student in students]
    kernels = [processes.memory([p.pid]) for found in pids.values() for p in found if p.is_kernel]
    peaks = [sum(processes.peak(p.pid) for p in found) for found in pids.values()]
    wires = [student.page.picture_bytes / 1000 for student in students]
    return {
        "students": len(students),
        "log in": _percentiles(log_in),
        "server": _percentiles([start[0] for start in starts]),
        "kernel": _percentiles([start[1] for start in starts]),
        "cell to picture": _percentiles([start[2] for start in starts]),
        "start": _percentiles([sum(start) for start in starts]),
        "from log in until all have a picture": all_there,
        "core seconds a start": (started["ours"] - idle["ours"]) / len(students),
        "moves": len(moves),
        "move ms": _percentiles([1000 * seconds for seconds in moves]),
        "core ms a move": 1000 * (paced["ours"] - quiet["ours"]) / len(moves),
        "drags": len(drags),
        "drag ms": _percentiles([1000 * seconds for seconds in drags]),
        "pictures a second for each who drags": len(drags) / len(students) / (dragged["at"] - paced["at"]),
        "memory a student": _percentiles(memory),
        "memory of a kernel": _percentiles(kernels),
        "peak of a student": max(peaks),
        "hub memory": processes.memory([room.hub.pid]),
        "proxy memory": processes.memory([room.proxy.pid]),
        "KB a picture": sum(wires) / len(wires),
        "cores that others kept busy": (dragged["others"] - idle["others"]) / (dragged["at"] - idle["at"]),
    }


async def _start(student: Student) -> tuple[float, float, float]:
    """How long the server, the kernel and the first picture took."""
    server = await _seconds(student.start_server())
    kernel = await _seconds(student.open_notebook())
    return server, kernel, await _seconds(open_lab(student))


async def open_lab(student: Student) -> None:
    """Run the cell, see the picture, and go where every slider changes it."""
    await student.page.run(CELL)
    await student.page.show_lab()
    await student.page.go_to_end()


async def _move_now_and_then(student: Student) -> list[float]:
    """Move a slider once a second, at no particular beat: the learning rate, and now and then the seed."""
    page, found, end = student.page, [], time.perf_counter() + LESSON
    chance, rates, seeds = random.Random(student.name), _wander(RATES), _wander(range(1, 101))
    for turn in count(1):
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        if time.perf_counter() > end:
            return found
        if turn % 8:
            found.append(await page.move(page.lr, next(rates)))
        else:
            found.append(await page.move(page.seed, next(seeds)))
            await page.go_to_end()
    raise AssertionError("this line is never reached")


async def _drag(student: Student) -> list[float]:
    """Drag the learning rate to and fro; a page sends the next value as soon as the last one is on the screen."""
    page, found, end = student.page, [], time.perf_counter() + DRAG
    for rate in _wander(RATES[::-1]):
        if time.perf_counter() > end:
            break
        found.append(await page.move(page.lr, rate))
    return found


def _wander(places: Sequence[float]) -> Iterator[float]:
    """To and fro, so that the slider really moves each time."""
    return cycle([*places, *places[-2:0:-1]])


async def _seconds(done: Any) -> float:
    before = time.perf_counter()
    await done
    return time.perf_counter() - before


def _machine(room: TestHub, students: Sequence[Student]) -> dict[str, float]:
    """When it is, and how long all cores have worked: for this class, and for anybody else but the one who measures."""
    names = {student.name for student in students}
    pids = [process.pid for process in processes.of_students() if process.student in names]
    ours = processes.processor_time([*pids, room.hub.pid, room.proxy.pid])
    return {
        "at": time.perf_counter(),
        "ours": ours,
        "others": processes.machine_time() - ours - time.process_time(),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    """The 50th and the 99th: the value that at least so many of a hundred do not exceed."""
    ordered = sorted(values)
    return {f"p{part}": ordered[max(0, -(-len(ordered) * part // 100) - 1)] for part in (50, 99)}


def _flat(lists: Sequence[Sequence[float]]) -> list[float]:
    return [value for values in lists for value in values]
