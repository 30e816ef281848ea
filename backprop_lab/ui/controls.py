"""Controls as the labs like them: labels no wider than they need to be, a tooltip on each, typed numbers read with care."""

from typing import Any

import ipywidgets as widgets

GROW = {"width": "auto", "flex": "1 1 60px", "min_width": "60px"}  # the layout of a slider that takes the room there is


def row(*children: widgets.Widget) -> widgets.HBox:
    """Controls beside each other, and below where there is no room."""
    return widgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})


def sized(width: str) -> dict[str, Any]:
    """What makes a control this wide, its label included; in a large lab, where letters are larger, wider by as much."""
    if width != "auto":
        width = f"calc({width} * var(--bpl-larger, 1))"
    return {"layout": {"width": width, "max_width": "100%"}, "style": {"description_width": "initial"}}


def pair(field: widgets.Text, slider: widgets.Widget) -> widgets.HBox:
    """A number field and its slider; the field carries the label, since a slider's handle cannot."""
    return widgets.HBox([field, slider], layout={"flex": "1 1 220px", "align_items": "center"})


def text_field(label: str, width: str, tooltip: str) -> widgets.Text:
    return widgets.Text(description=label, continuous_update=False, tooltip=tooltip, **sized(width))


def toggle(label: str, tooltip: str) -> widgets.ToggleButton:
    return widgets.ToggleButton(description=label, tooltip=tooltip, layout={"width": "auto"})


def typed_number(text: str) -> int | float | str:
    """What was typed, as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
