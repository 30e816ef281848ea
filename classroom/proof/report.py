"""What was measured, in tables; what it means for larger classes, and for the limits in the configuration."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

KUBERNETES = Path(__file__).parents[1] / "kubernetes.yaml"
BUSY = 0.6  # the share of the cores that a lesson may take, so that nobody waits for a neighbour
SYSTEM = 1000  # MB for the operating system and its cache of files
OPENS_WITHIN = 120  # seconds after which all of a class have a picture
CLASSES = (30, 300, 3000)
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


class Found(NamedTuple):
    """What was tried, whether it went as it should, and how."""

    what: str
    good: bool
    how: str


def lesson_rows(measured: dict[str, Any]) -> list[list[str]]:
    """A line for each size of class."""
    rows = []
    for lesson in measured["lessons"]:
        p = {
            name: f"{_text(value['p50'])} / {_text(value['p99'])}"
            for name, value in lesson.items()
            if isinstance(value, dict)
        }
        rows.append([str(lesson["students"]), p["start"], p["move ms"], p["drag ms"],
                     f"{lesson['memory a student']['p50']:.0f}",
                     f"{lesson['hub memory'] + lesson['proxy memory']:.0f}", _text(lesson["core seconds a start"]),
                     f"{lesson['core ms a move']:.0f}", _text(lesson["cores that others kept busy"])])  # fmt: skip
    return rows


LESSON_HEAD = ["students at once", "start to picture, s", "slider, ms", "all drag, ms", "MB a student",
               "MB hub and proxy", "core s a start", "core ms a move", "cores taken by others"]  # fmt: skip


def needs(measured: dict[str, Any], students: int) -> dict[str, float]:
    """What a class of this size needs, from the largest that was measured.

    Memory: of the class, the hub and the system. Cores: so that a slider a second for each student keeps them at most
    so busy as `BUSY` says, or so that all have a picture in time after they came at once; the larger of the two.
    """
    largest = max(measured["lessons"], key=lambda lesson: lesson["students"])
    gigabytes = (
        SYSTEM + largest["hub memory"] + largest["proxy memory"] + students * largest["memory a student"]["p50"]
    ) / 1024
    to_move = students * largest["core ms a move"] / 1000 / BUSY
    to_start = students * largest["core seconds a start"] / OPENS_WITHIN
    cores = math.ceil(max(to_move, to_start))
    return {"memory GB": gigabytes, "cores to move": to_move, "cores to start": to_start, "cores": cores}


def needs_rows(measured: dict[str, Any]) -> list[list[str]]:
    found = [(students, needs(measured, students)) for students in CLASSES]
    return [[f"{students:,}", f"{need['memory GB']:,.0f}", f"{need['cores to move']:,.1f}",
             f"{need['cores to start']:,.1f}", f"{need['cores']:,}"] for students, need in found]  # fmt: skip


NEEDS_HEAD = ["students", "GB of memory", f"cores, at a slider a second, {BUSY:.0%} busy",
              f"cores, for all to start within {OPENS_WITHIN} s", "cores"]  # fmt: skip


def limits(measured: dict[str, Any]) -> list[Found]:
    """Whether the limits for Kubernetes hold what was measured now."""
    memory = yaml.safe_load(KUBERNETES.read_text())["singleuser"]["memory"]
    guarantee, limit = megabytes(memory["guarantee"]), megabytes(memory["limit"])
    lessons = measured["lessons"]
    needed, peak = (
        max(lesson["memory a student"]["p99"] for lesson in lessons),
        max(lesson["peak of a student"] for lesson in lessons),
    )
    within = f"a student's {needed:.0f} MB are within the {guarantee:.0f} guaranteed on Kubernetes"
    found = [
        Found(within, needed <= guarantee, ""),
        Found(f"a student's peak of {peak:.0f} MB is within half the limit of {limit:.0f}", peak <= limit / 2, ""),
    ]
    if "course" in measured:
        everything = measured["course"]["all notebooks open"]
        found.append(
            Found(f"all notebooks open at once, {everything:.0f} MB, are within the limit", everything <= limit, "")
        )
    return found


def megabytes(text: str) -> float:
    """Of an amount as the hub writes it: "512M"."""
    return float(text[:-1]) * UNITS[text[-1]] / 2**20


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown, numbers to the right."""
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    lines = [[text.rjust(width) for text, width in zip(row, widths, strict=True)] for row in (head, *rows)]
    lines.insert(1, ["-" * (width - 1) + ":" for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show_found(checks: Sequence[Found]) -> None:
    print()
    for check in checks:
        how = f": {check.how}" if check.how else ""
        print(f"{'as it should be' if check.good else 'NOT AS IT SHOULD':16}  {check.what}{how}")


def show_lessons(measured: dict[str, Any]) -> None:
    print("\nWhat a student waits for (half of all wait less / all but one in a hundred), and costs\n")
    print(table(LESSON_HEAD, lesson_rows(measured)))


def show_needs(measured: dict[str, Any]) -> None:
    print("\nWhat larger classes need, worked out from the last line\n")
    print(table(NEEDS_HEAD, needs_rows(measured)), flush=True)


def _text(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
