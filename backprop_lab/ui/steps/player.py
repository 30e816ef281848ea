"""Play and pause: stepping automatically, never faster than the page can show it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from backprop_lab.ui.page.step_view import StepView
from backprop_lab.ui.steps.stepper import Stepper

SPEEDS = {
    "1 step/s": ("next", 1.0),
    "3 steps/s": ("next", 1 / 3),
    "1 iteration/s": ("next_iteration", 1.0),
    "10 iterations/s": ("next_iteration", 0.1),
    "as fast as it goes": ("next_iteration", 0.0),
}
PATIENCE = 60  # pictures in a row, a second each, that no page confirms; then the page must be gone, and play stops


class Player:
    """Moves a stepper on, at a `speed` of SPEEDS, and waits for the page to show each move.

    So the page never falls behind, however slow the connection.
    """

    def __init__(self, stepper: Stepper, view: StepView, guarded: Callable[..., None]) -> None:
        """`guarded` calls the function it is given, and reports what goes wrong in the lab."""
        self._stepper, self._view, self._guarded = stepper, view, guarded
        self.speed = next(iter(SPEEDS))
        self.frame_on_page = 0
        self._turn: object = None  # of the task that may play: a task that was stopped finds another one here, or None

    def play(self, ended: Callable[[], None]) -> Coroutine[Any, Any, None]:
        """Start playing, in place of any earlier task; `ended` is called if it ends without `stop`."""
        self._turn = turn = object()
        self.frame_on_page = self._view.last_new_frame  # the page tells of its pictures only while it plays
        return self._keep_playing(turn, ended)

    @property
    def is_playing(self) -> bool:
        return self._turn is not None

    def stop(self) -> None:
        self._turn = None

    async def _keep_playing(self, turn: object, ended: Callable[[], None]) -> None:
        """Move on and wait for the page to show it, until stopped, or the loss overflows, or the page is gone."""
        unseen = 0
        try:
            while self._turn is turn and unseen < PATIENCE and not self._stepper.has_diverged:
                move, pause = SPEEDS[self.speed]
                self._guarded(self._move_on, turn, move)
                await asyncio.sleep(max(pause, 0.02))
                patience = 100
                while self.frame_on_page < self._view.last_new_frame and patience:
                    await asyncio.sleep(0.01)
                    patience -= 1
                unseen = 0 if patience else unseen + 1
        finally:
            if self._turn is turn:
                self._turn = None
                ended()

    def _move_on(self, turn: object, move: str) -> None:
        if self._turn is turn:  # another thread may have stopped it in the meantime
            getattr(self._stepper, move)()
