"""How long from a key pressed on a slider to the new picture on the page, in a real JupyterLab: ours and other ways.

One run alternates between all of them, so that whatever else the machine does falls on all alike.
"""

import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jupyter_page import jupyter_page
from playwright.sync_api import Page
from tables import Bar, as_json, show_bars, show_table

ROUNDS = 30
REST = 120  # milliseconds between two keys, and for whatever follows a picture
SECONDS = 5  # of dragging


LEARNING_RATE, SEED, BLOCK = "StepThrough, learning rate", "StepThrough, seed", "a transformer block, seed"
AT_MOST = {LEARNING_RATE: 1.2, SEED: 1.2, BLOCK: 1.6}  # times the echo


class Way(NamedTuple):
    """One way to show a picture: which slider of which cell moves it, and how often it is pressed in each round."""

    name: str
    cell: int
    slider: int = 0
    presses: int = 1
    dragged: bool = True


CELLS = [
    "import rivals\n%matplotlib inline",
    "rivals.echo()",
    'from backprop_lab.ui import StepThrough\nStepThrough(step="dW1", lr=0.1)',  # where each step of the slider shows
    'StepThrough(step="dW1")',
    'StepThrough(start="transformer block", step="dWq")',
    "rivals.fresh_figure()",
    "rivals.kept_figure()",
    "rivals.ipympl_figure()",
]
WAYS = [
    Way("echo", cell=1, presses=6),
    Way(LEARNING_RATE, cell=2, slider=1, presses=6, dragged=False),
    Way(SEED, cell=3, presses=6),
    Way(BLOCK, cell=4, presses=6, dragged=False),
    Way("kept figure, set_data", cell=6),
    Way("interact, fresh figure", cell=5),
]
if find_spec("ipympl"):
    CELLS[0] = f"import ipympl.backend_nbagg\n{CELLS[0]}"  # importing it makes it pyplot's backend
    WAYS.append(Way("ipympl", cell=7))
else:
    CELLS.pop()


DELAY = """(milliseconds) => {
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) { setTimeout(() => send.call(this, data), milliseconds); };
}"""


def point(page: Page) -> list[Bar]:
    """How long from a pointer that moves to frames around the cell, with no delay on the wire and with some."""
    bars = []
    for delay in (0, 150):
        page.evaluate(DELAY, delay)
        times = page.evaluate("probe.point(3, 100)")
        for percent, limit in ((50, 16), (95, 34)):
            what = f"pointer moved to frames painted, {delay} ms of delay: ms, {percent}%"
            bars.append(Bar(what, float(np.percentile(times, percent)), limit))
    return bars


def measure(page: Page) -> tuple[dict[str, list[dict[str, float]]], dict[str, dict[str, float]]]:
    """For each way every key pressed, and how many pictures a second came while the slider was dragged."""
    pressed: dict[str, list[dict[str, float]]] = {way.name: [] for way in WAYS}
    order = random.Random(0)
    for number in range(ROUNDS + 1):
        for way in order.sample(WAYS, len(WAYS)):
            times = [page.evaluate(f"probe.press({way.cell}, {way.slider}, {REST})") for _ in range(way.presses)]
            if number:  # the first round warms up
                pressed[way.name] += times
    dragged = {
        way.name: page.evaluate(f"probe.drag({way.cell}, {way.slider}, {SECONDS})") for way in WAYS if way.dragged
    }
    return pressed, dragged


def main() -> dict[str, Any]:
    with jupyter_page(CELLS, script=Path(__file__).with_name("page_probe.js")) as page:
        for way in WAYS:
            page.wait_for_function(
                "([cell, slider]) => document.querySelectorAll('.jp-Notebook .jp-Cell')[cell]"
                ".querySelectorAll('.noUi-handle')[slider]",
                arg=[way.cell, way.slider],
            )
        page.wait_for_timeout(3000)  # until every first picture has been drawn
        pressed, dragged = measure(page)
        bars = point(page)

    found: dict[str, dict[str, float]] = {}
    for name, times in pressed.items():
        found[name] = {
            "shown_ms": _percentile(times, "shown", 50),
            "shown_ms_p95": _percentile(times, "shown", 95),
            "loaded_ms": _percentile(times, "loaded", 50),
            "bytes": _percentile(times, "received", 50),
            "messages": _percentile(times, "messages", 50),
            "presses": len(times),
        }
        if name in dragged:
            found[name]["pictures_per_second"] = dragged[name]["pictures"]
    floor = found["echo"]
    show_table(
        f"Key pressed to new picture shown: {ROUNDS} rounds in turn, medians",
        ("", "ms", "p95", "x echo", "ms to load", "x echo", "bytes", "messages", "pictures/s dragged"),
        [
            (
                name,
                f"{row['shown_ms']:.1f}",
                f"{row['shown_ms_p95']:.1f}",
                f"{row['shown_ms'] / floor['shown_ms']:.2f}",
                f"{row['loaded_ms']:.1f}",
                f"{row['loaded_ms'] / floor['loaded_ms']:.2f}",
                int(row["bytes"]),
                int(row["messages"]),
                row.get("pictures_per_second"),
            )
            for name, row in found.items()
        ],
    )
    for name, most in AT_MOST.items():
        ours = found[name]["shown_ms"]
        bars.append(Bar(f"{name}: time, x echo", ours / floor["shown_ms"], most))
        for rival, times_faster in (("interact, fresh figure", 15), ("ipympl", 6)):
            if rival in found and name != BLOCK:
                ratio = found[rival]["shown_ms"] / ours
                bars.append(Bar(f"{name}: x faster than {rival.split(',')[0]}", ratio, times_faster, at_least=True))
    show_bars(bars)
    return {"ways": found, "bars": as_json(bars), "samples": pressed}


def _percentile(times: list[dict[str, float]], what: str, percent: int) -> float:
    return float(np.percentile([each[what] for each in times], percent))


if __name__ == "__main__":
    main()
