"""The labs' controls: labels no wider than they need to be, and a tooltip on each."""

from typing import Any

import ipywidgets as widgets

ARROWS = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}  # rows, columns
GROW = {"width": "auto", "flex": "1 1 60px", "min_width": "60px"}  # a slider that takes the remaining room


def row(*children: widgets.Widget) -> widgets.HBox:
    """Controls in a row, which wraps where there is no room."""
    return widgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})


def sized(width: str) -> dict[str, Any]:
    """Arguments that make a control this wide, including its label; in a large lab, wider in proportion to its text."""
    within = "calc(100% - 4px)"  # of its row, and a margin of 2 on each side
    layout = {"width": f"calc({width} * var(--bpl-larger, 1))", "max_width": within}
    return {"layout": layout, "style": {"description_width": "initial"}}


def pair(field: widgets.Text, slider: widgets.Widget) -> widgets.HBox:
    """A number field and its slider; the field carries the label, because a slider's handle cannot."""
    room = f"calc({field.layout.width} + 90px)"  # less would cut the handle off at the ends
    return widgets.HBox([field, slider], layout={"flex": f"1 1 {room}", "align_items": "center"})


def text_field(label: str, width: str, tooltip: str) -> widgets.Text:
    return widgets.Text(description=label, continuous_update=False, tooltip=tooltip, **sized(width))


class Menu(widgets.Dropdown):
    """A list to choose from."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What the page has chosen. If the list has just become shorter than that, the page hears what is chosen."""
        index = sync_data.get("index")
        gone = index is not None and index >= len(self.options)
        super().set_state(sync_data | {"index": self.index} if gone else sync_data)


def menu(label: str, width: str, tooltip: str) -> Menu:
    return Menu(description=label, tooltip=tooltip, **sized(width))


def toggle(label: str, tooltip: str) -> widgets.ToggleButton:
    return widgets.ToggleButton(description=label, tooltip=tooltip, layout={"width": "auto"})
