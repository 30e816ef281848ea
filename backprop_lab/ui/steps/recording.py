"""The walk that needs nothing: all that the lab says and shows, recorded, and played by one page with no kernel."""

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from backprop_lab.reading.one_cell import work_out
from backprop_lab.reading.slopes import value_of
from backprop_lab.step.problem import check_whole
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.board.operation import Operation
from backprop_lab.ui.page.step_view import StepView
from backprop_lab.ui.steps import frame, words
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.player import SPEEDS
from backprop_lab.ui.steps.stepper import Stepper

# The room for the map and for the operation in CSS pixels, as on a common screen, and device pixels for each of them.
Room = tuple[tuple[int, int], tuple[int, int], float]
WIDE: Room = (980, 440), (980, 240), 1.5
LARGE: Room = (740, 330), (1340, 260), 1.5
NARROW: Room = (368, 210), (368, 116), 2.0
MOST_CELLS = 20_000  # in all iterations: each with its sum

RECORDING = Path(__file__).parents[1] / "page" / "recording.js"


def walk(stepper: Stepper, call: str, iterations: int = 1, large: bool = False) -> str:
    """A page that steps, from where the stepper is, through as many `iterations`, this one included.

    It is one file of HTML, and asks nobody for anything. `call` opens the same in a notebook. Raises ValueError for a
    network whose sums would make it too large, and unless `iterations` is a whole number from 1 to 100.
    """
    check_whole("iterations", iterations, 1, 100)
    return _WALK.format(
        title=f"One training step, number by number: {html.escape(call)}",
        call=html.escape(call),
        css=StepView._css,
        data=in_script(record(stepper, iterations, large)),
        script=f"{StepView._esm}\n{RECORDING.read_text(encoding='utf-8')}",
        alone="" if iterations > 1 else ' data-alone=""',
        large=" bpl-large" * large,
        without=html.escape(words.alt_text(stepper.place)),
    )


def in_script(data: Any) -> str:
    """Plain data as JSON that may stand in a script of a page."""
    return json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def record(stepper: Stepper, iterations: int = 1, large: bool = False) -> dict[str, Any]:
    """What the page is told at each step of some iterations, and of each cell, as plain data."""
    first, trace = stepper.place.iteration, stepper.place.trace
    layout = frame.layout(trace)
    shapes = [value_of(trace, name).shape for name in layout["since"]]
    if (cells := iterations * sum(rows * cols for rows, cols in shapes)) > MOST_CELLS:
        raise ValueError(
            f"a walk keeps the sum of every cell, of {MOST_CELLS:,} at most; this one would have {cells:,}. "
            "Save fewer iterations or a smaller network, or a picture: .png, .svg, .pdf or .gif"
        )
    speeds = {name: pace for name, pace in SPEEDS.items() if iterations > 1 or pace[0] == "next"}
    looks = [
        [stepper.look(k, index) for index in range(len(trace.steps) + 1)] for k in range(first, first + iterations)
    ]
    return {
        "layout": layout | {"speeds": [*speeds], "hidden": [], "large": large},
        "label": StepView.label.default_value,
        "names": [name for name in trace if name != "lr"],
        "loss": trace.problem.loss_name,
        "speeds": speeds,
        "iteration": 0,
        "index": stepper.place.index,
        "cell": list(stepper.place.cell) if stepper.place.pinned and stepper.place.cell else None,
        "iterations": [_iteration(steps, layout["since"]) for steps in looks],
        "pictures": {
            name: _pictures(looks, room, large and name == "wide")
            for name, room in (("wide", LARGE if large else WIDE), ("narrow", NARROW))
        },
    }


Look = tuple[LabState, Any]  # and the losses up to it


def _iteration(looks: list[Look], names: list[str]) -> dict[str, Any]:
    """What is said at each step of an iteration, and of each cell of each matrix: its sum, and what to frame."""
    trace = looks[0][0].trace

    def cell(name: str, i: int, j: int) -> list[Any]:
        worked = work_out(trace, (name, i, j))
        return [frame.the_sum(trace, worked), frame.sources(worked)]

    return {
        "steps": [
            {"state": frame.state(place, losses), "alt": words.alt_text(place), "note": words.note(place)}
            for place, losses in looks
        ],
        "cells": {
            name: [[cell(name, i, j) for j in range(cols)] for i in range(rows)]
            for name in names
            for rows, cols in [value_of(trace, name).shape]
        },
        "values": {name: words.matrix_table(trace, name) for name in trace},
    }


def _pictures(looks: list[list[Look]], room: Room, large: bool) -> dict[str, Any]:
    """The pictures on light and on dark paper: of each iteration the board with what is given alone, and complete, of
    which a step uncovers its part; and the operation of each step."""
    (width, height), (across, down), ratio = room
    first = looks[0][0][0]
    iterations: list[dict[str, list[str]]] = [{} for _ in looks]
    steps: list[list[dict[str, Any]]] = [[{} for _ in iteration] for iteration in looks]
    for theme, dark in (("light", False), ("dark", True)):
        board = Board(first.trace, width, height, ratio, dark, large, first.scales)
        operation = Operation(first.scales, across, down, ratio, dark, large)
        for iteration, drawn, equations in zip(looks, iterations, steps, strict=True):
            opening, ended = iteration[0], iteration[-1]
            board.rescale(opening[0].scales, opening[0].renewed)
            operation.rescale(opening[0].scales)
            drawn[theme] = [_board(board, *each) for each in (opening, ended)]
            for (place, _), equation in zip(iteration, equations, strict=True):
                operation.draw(place.trace, place.index)
                equation |= {theme: _packed(operation.image()), "boxes": operation.boxes_on_page()}
    x, y, w, h = board.layout.loss or (0.0, 0.0, 0.0, 0.0)
    return {
        "map": [board.width, board.height],
        "operation": [across, down],
        "boxes": board.boxes_on_page(),
        "curve": [x / board.width, y / board.height, w / board.width, h / board.height],
        "boards": iterations,
        "steps": steps,
    }


def _board(board: Board, place: LabState, losses: Any) -> str:
    board.draw(place.trace, place.index, losses)
    return _packed(board.image())


def _packed(picture: Image.Image) -> str:
    """A picture as text, in half the room that its PNG in the lab takes."""
    data = io.BytesIO()
    picture.convert("RGB").save(data, "WEBP", lossless=True, method=1, quality=25)
    return base64.b64encode(data.getvalue()).decode()


_WALK = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{css}
:root {{ color-scheme: light dark; }}
body {{ margin: 0; background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); }}
body {{ --jp-layout-color1: #fff; --jp-ui-font-color1: #1a1a1a; }}
body[data-jp-theme-light="false"] {{
  --jp-layout-color1: #111; --jp-layout-color2: #2a2a2a; --jp-border-color1: #666; --jp-ui-font-color1: #f2f2f2;
  --jp-brand-color1: #64b5f6;
}}
.bpl-walk {{ height: 100vh; height: 100dvh; box-sizing: border-box; padding: 4px; overflow: hidden auto; }}
.bpl-walk .bpl-map img {{ width: var(--map) !important; }}
.bpl-walk .bpl-operation img {{ width: var(--operation) !important; }}
.bpl-walk[data-alone] .bpl-do-next_iteration {{ display: none; }}
.bpl-walk details {{ padding: 8px 4px; font: 14px/1.4 system-ui, sans-serif; }}
</style>
</head>
<body>
<main class="bpl-lab bpl-walk{large}"{alone}>
<noscript><p>{without} This page needs JavaScript to step.</p></noscript>
<div id="view"></div>
<details><summary>Values as a table</summary><div class="bpl-tables" tabindex="0"></div>
<p>Made with backprop_lab by <code class="bpl-call">{call}</code></p></details>
</main>
<script type="application/json" id="recording">{data}</script>
<script type="module">
{script}
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const theme = () => {{ document.body.dataset.jpThemeLight = String(!dark.matches); }};
dark.addEventListener("change", theme);
theme();
const main = document.querySelector("main"), values = document.querySelector("details");
const recording = JSON.parse(document.getElementById("recording").textContent);
const model = playback(recording, (widths) => {{
  for (const [name, width] of Object.entries(widths)) main.style.setProperty(`--${{name}}`, `${{width}}px`);
}});
const list = () => {{ values.querySelector("div").innerHTML = values.open ? tables(recording, model.place()) : ""; }};
values.addEventListener("toggle", list);
model.on("change:alt", list);
render({{ model, el: document.getElementById("view") }});
</script>
</body>
</html>
"""
