"""What was measured, in tables and against the limits; run, it writes those of classroom/README.md once more."""

import json
import math
import re
from pathlib import Path

import yaml

CLASSROOM = Path(__file__).parents[2] / "classroom"
MEASURED, README, KUBERNETES = (CLASSROOM / name for name in ("measured.json", "README.md", "kubernetes.yaml"))
BUSY = 0.6  # the share of the cores that a lesson may take, so that nobody waits for a neighbour
SYSTEM = 1000  # MB for the operating system and its cache of files
OPENS_WITHIN = 120  # seconds after which all of a class have a picture
CLASSES = (30, 60, 300, 3000)


def lessons(measured):
    head = ["students at once", "start to picture, s", "slider, ms", "all drag, ms", "MB a student"]
    head += ["MB hub and proxy", "core s a start", "core ms a move", "cores taken by others"]
    rows = []
    for lesson in measured["lessons"]:
        waits = (lesson[name] for name in ("start", "move ms", "drag ms"))
        memory = (lesson["memory a student"]["p50"], lesson["hub memory"] + lesson["proxy memory"])
        rows.append([
            str(lesson["students"]), *(f"{_text(wait['p50'])} / {_text(wait['p99'])}" for wait in waits),
            *(f"{megabytes:.0f}" for megabytes in memory), _text(lesson["core seconds a start"]),
            f"{lesson['core ms a move']:.0f}", _text(lesson["cores that others kept busy"]),
        ])  # fmt: skip
    return _table(head, rows)


def needs(measured, students):
    """What a class of this size needs, from the largest that was measured: the memory of students, hub and system, and
    the cores for a slider a second each, or for all to have a picture in time after they came at once.
    """
    largest = max(measured["lessons"], key=lambda lesson: lesson["students"])
    hub = SYSTEM + largest["hub memory"] + largest["proxy memory"]
    to_move = students * largest["core ms a move"] / 1000 / BUSY
    to_start = students * largest["core seconds a start"] / OPENS_WITHIN
    memory = (hub + students * largest["memory a student"]["p50"]) / 1024
    return {"memory GB": memory, "to move": to_move, "to start": to_start, "cores": math.ceil(max(to_move, to_start))}


def larger_classes(measured):
    head = ["students", "GB of memory", f"cores, at a slider a second, {BUSY:.0%} busy"]
    head += [f"cores, for all to start within {OPENS_WITHIN} s", "cores"]
    found = [(students, needs(measured, students)) for students in CLASSES]
    return _table(head, [[f"{students:,}", f"{need['memory GB']:,.0f}", f"{need['to move']:,.1f}",
                          f"{need['to start']:,.1f}", f"{need['cores']:,}"] for students, need in found])  # fmt: skip


def filled_in(readme, measured):
    """The page with both tables as they were measured; a table is known by the first words of its head."""
    for table in (lessons(measured), larger_classes(measured)):
        first = re.escape(table.partition("|")[2].partition("|")[0].strip())
        readme, number = re.subn(rf"(?m)^\| +{first} \|.*\n(\|.*\n)+", lambda _, t=table: f"{t}\n", readme)
        assert number == 1
    return readme


def record(measured):
    """Keep the figures with three digits, and write the tables into the README."""
    rounded = json.loads(json.dumps(measured), parse_float=lambda text: float(f"{float(text):.3g}"))
    MEASURED.write_text(json.dumps(rounded, indent=1) + "\n")
    README.write_text(filled_in(README.read_text(), rounded))


def limits(measured):
    """Whether the limits for Kubernetes hold what was measured."""
    memory = yaml.safe_load(KUBERNETES.read_text())["singleuser"]["memory"]
    guarantee, limit = megabytes(memory["guarantee"]), megabytes(memory["limit"])
    needed = max(lesson["memory a student"]["p99"] for lesson in measured["lessons"])
    peak = max(lesson["peak of a student"] for lesson in measured["lessons"])
    yield f"a student's {needed:.0f} MB are within the {guarantee:.0f} guaranteed on Kubernetes", needed <= guarantee
    yield f"a student's peak of {peak:.0f} MB is within half the limit of {limit:.0f}", peak <= limit / 2
    everything = measured["course"]["all notebooks open"]
    yield f"all notebooks open at once, {everything:.0f} MB, are within the limit", everything <= limit


def megabytes(text):
    """Of an amount as the hub writes it: "512M"."""
    return float(text[:-1]) * {"K": 2**-10, "M": 1, "G": 2**10}[text[-1]]


def _table(head, rows):
    """In Markdown, numbers to the right."""
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    lines = [[text.rjust(width) for text, width in zip(row, widths, strict=True)] for row in (head, *rows)]
    lines.insert(1, ["-" * (width - 1) + ":" for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value):
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    record(json.loads(MEASURED.read_text()))
