"""A lesson: the whole class opens the lab at once, moves sliders as in class, then all drag at the same time."""

import asyncio
import random
import time
from itertools import chain, cycle

import processes
import psutil
from student import BOARD, LEARNING_RATE, PAGE, SEED

LESSON = 20.0  # seconds, in which everybody moves a slider once a second
RATES = [10 ** (exponent / 20) for exponent in range(-60, -19)]  # where the slider can stand
DRAG = 5.0  # seconds, in which everybody drags as fast as pictures come


async def run_class(hub, students):
    """What it took, in figures; seconds and MB unless a name says something else."""

    async def start(student):
        await student.start_server()
        await student.open_notebook()
        await student.page.open_lab()

    async def of_all(task):
        return await asyncio.gather(*(task(student) for student in students)), _machine(hub, students)

    for student in students:
        await student.sign_up()
    log_in, idle = await of_all(lambda student: seconds(student.log_in()))
    starts, started = await of_all(lambda student: seconds(start(student)))
    await asyncio.sleep(1)
    quiet = _machine(hub, students)
    moves, paced = await of_all(_move_now_and_then)
    drags, dragged = await of_all(_drag)
    theirs = [processes.of(student.name) for student in students]
    kernels = [process for found in theirs for process in found if processes.is_kernel(process)]
    return {
        "students": len(students), "log in": _percentiles(log_in), "start": _percentiles(starts),
        "core seconds a start": (started["ours"] - idle["ours"]) / len(students),
        "move ms": _percentiles(1000 * each for each in chain.from_iterable(moves)),
        "core ms a move": 1000 * (paced["ours"] - quiet["ours"]) / sum(map(len, moves)),
        "drag ms": _percentiles(1000 * each for each in chain.from_iterable(drags)),
        "memory a student": _percentiles(map(processes.memory, theirs)),
        "memory of a kernel": _percentiles(processes.memory([kernel]) for kernel in kernels),
        "peak of a student": max(map(processes.peak, theirs)),
        "hub memory": processes.memory([hub.hub]), "proxy memory": processes.memory([hub.proxy]),
        "cores that others kept busy": (dragged["others"] - idle["others"]) / (dragged["at"] - idle["at"]),
    }  # fmt: skip


async def run_course(student):
    """Every notebook run to its end, each board shown, and left open: each kernel's peak, and the memory of all."""
    peaks = {}
    folder = (await student.ask("GET", "api/contents/backprop_lab_notebooks"))["content"]
    for name, path in sorted((entry["name"], entry["path"]) for entry in folder if entry["type"] == "notebook"):
        before, shown = processes.of(student.name), set()
        notebook = await student.open_notebook(path)
        for source in (cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"):
            try:
                await student.page.run(source)
            except RuntimeError as error:
                if "NotImplementedError" not in str(error):  # an exercise that is not solved yet
                    raise RuntimeError(f"{name}: {source[:100]!r}: {error}") from None
            for board in set(student.page.having(**BOARD)) - shown:
                shown.add(board)
                await student.page.tell(board, PAGE)
        peaks[name] = processes.peak(set(processes.of(student.name)) - set(before))
    return {"peak of each kernel": peaks, "all notebooks open": processes.memory(processes.of(student.name))}


async def _move_now_and_then(student):
    """Move a slider once a second, at no particular beat: the learning rate, and now and then the seed."""
    page, found, end = student.page, [], time.perf_counter() + LESSON
    chance, rates, seeds = random.Random(student.name), cycle([*RATES, *RATES[-2:0:-1]]), cycle(range(1, 101))
    while time.perf_counter() < end:
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        if len(found) % 8 != 7:
            found.append(await page.move(LEARNING_RATE, next(rates)))
        else:
            found.append(await page.move(SEED, next(seeds)))  # the step stays
    return found


async def _drag(student):
    """Drag the learning rate to and fro; a page sends the next value as soon as the last one is on the screen."""
    found, rates, end = [], cycle([*RATES[::-1], *RATES[1:-1]]), time.perf_counter() + DRAG
    while time.perf_counter() < end:
        found.append(await student.page.move(LEARNING_RATE, next(rates)))
    return found


async def seconds(done):
    before = time.perf_counter()
    await done
    return time.perf_counter() - before


def _machine(hub, students):
    """When it is, and how long all cores have worked: for this class, and for anybody else but the one who measures."""
    theirs, all_cores = processes.of(*(student.name for student in students)), psutil.cpu_times()
    ours = sum(sum(process.cpu_times()[:4]) for process in (*theirs, hub.hub, hub.proxy))  # [:4]: with ended children
    busy = all_cores.user + all_cores.nice + all_cores.system + all_cores.irq + all_cores.softirq + all_cores.steal
    others = busy - ours - time.process_time()
    return {"at": time.perf_counter(), "ours": ours, "others": others}


def _percentiles(values):
    """The value that at least 50 of a hundred do not exceed, and that of 99."""
    ordered = sorted(values)
    return {f"p{part}": ordered[max(0, -(-len(ordered) * part // 100) - 1)] for part in (50, 99)}
