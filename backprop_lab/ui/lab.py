"""What all labs share: errors become sentences in the lab, and without a kernel a picture takes its place."""

import asyncio
import atexit
import base64
import html
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from numbers import Real
from typing import Any

import ipywidgets as widgets

from backprop_lab.ui.comm_workarounds import TURN, serialize_messages
from backprop_lab.ui.running import without_view_if_nobody_is_there
from backprop_lab.ui.saving import place_for

TASKS = set[asyncio.Task[None]]()  # those that labs have under way


@atexit.register
def _end_tasks() -> None:
    """Cancel what is under way when the kernel ends; otherwise the page would show that tasks were destroyed."""
    for task in tuple(TASKS):
        loop = task.get_loop()
        with suppress(Exception, asyncio.CancelledError):
            loop.set_exception_handler(lambda *_: None)  # if it is closed, nothing can end its tasks any more
            task.cancel()
            loop.run_until_complete(task)


def checked_scale(scale: Any, usual: float) -> float:
    """How many pixels a picture has for each of the lab's. Raises ValueError for what makes no picture."""
    number = usual if scale is None else scale
    if isinstance(number, bool) or not isinstance(number, Real) or not 0.25 <= float(number) <= 8:
        raise ValueError(f"scale must be a number from 0.25 to 8; got {scale!r}")
    return float(number)


class Lab(widgets.VBox):
    """Controls, pictures and text, one below the other. A subclass places `_note`, where messages appear."""

    is_kept = True  # in a notebook, which is opened without a kernel too

    def __init__(self) -> None:
        self._note = widgets.HTML()
        self._tooltips: dict[str, str] = {}  # what its labelled controls do, by label
        self._following = False  # while the controls are set to the state, they must not change it
        super().__init__()
        self.add_class("bpl-lab")

    def _button(self, label: str, action: Callable[[], None], tooltip: str, style: str = "") -> widgets.Button:
        button = widgets.Button(description=label, tooltip=tooltip, button_style=style, layout={"width": "auto"})
        button.on_click(lambda _: self._guarded(action))
        serialize_messages(button)
        return button

    def _on_change(self, control: Any, action: Callable[[Any], None]) -> None:
        """Call `action` with the new value of a control whenever the learner changes it."""
        if control.description:
            self._tooltips[control.description] = control.tooltip
        control.observe(lambda change: self._guarded(action, change.new), "value")
        serialize_messages(control)

    @contextmanager
    def _controls_follow(self) -> Iterator[None]:
        """Within this, setting a control has no effect on the state."""
        self._following = True
        try:
            yield
        finally:
            self._following = False

    def _guarded(self, action: Callable[..., object], *arguments: Any) -> None:
        """Run an action; if it fails, say so in the lab."""
        with TURN:
            if self._following:
                return
            try:
                action(*arguments)
            except (ValueError, KeyError) as refused:
                self._refuse(str(refused.args[0]))
            except Exception as broken:  # whatever it is, the learner should see it and be able to continue
                self._refuse(
                    f"Something went wrong inside the lab ({type(broken).__name__}: {broken}). Please report it."
                )

    def _start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start something that takes time while the page stays responsive; if it fails, the lab says so."""
        task = asyncio.get_running_loop().create_task(work)
        TASKS.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            TASKS.discard(done)
            if not done.cancelled():
                self._guarded(done.result)

        task.add_done_callback(ended)
        return task

    def _refuse(self, sentence: str) -> None:
        """Say why something was not done. A lab whose controls show its state resets them first."""
        text = html.escape(sentence)
        self._note.value = f'<div class="bpl-refused" role="status">{text}</div>' if text else ""

    def save(self, path: str | os.PathLike[str], *, scale: float | None = None, dark: bool = False) -> None:
        """Save what the lab shows now as a picture, on light paper or `dark`; the name ends with .png.

        `scale` is how many pixels it has for each of the lab's: 2 if it is left out. Raises ValueError for another
        ending, for a folder that there is not, and for a scale that makes no picture.
        """
        place = place_for(path, [".png"], "this lab is saved as a .png file")
        place.write_bytes(self._still(checked_scale(scale, 2.0), dark)[0])

    def _without_kernel(self) -> tuple[dict[str, str], str]:
        """What stands in for the lab on pages without a kernel, by its kind, a picture unless a lab has none; and its
        words for who cannot see it."""
        picture, alt = self._still()
        return {"image/png": base64.b64encode(picture).decode()}, alt

    def _still(self, scale: float = 1.0, dark: bool = False) -> tuple[bytes, str]:
        """The lab as a PNG picture, and that in words."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        stands_in = self._without_kernel() if self.is_kept else ({}, "")
        return without_view_if_nobody_is_there(super()._repr_mimebundle_(**kwargs), *stands_in)
