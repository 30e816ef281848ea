"""The controls around the board: start, seed and learning rate, and behind More what is needed less often."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np

from backprop_lab.step.number_format import typed_number
from backprop_lab.training.history import that_fit
from backprop_lab.ui.controls import GROW, menu, pair, row, text_field, toggle
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.setup import AS_GIVEN, CUSTOM, SIZES
from backprop_lab.ui.steps.stepper import Stepper

OnChange = Callable[[Any, Callable[[Any], None]], None]
PARTS = ("start", "seed", "lr", "play", "predict", "more", "call")  # what `hide` can name
LARGEST = 10**15  # that the seed's slider goes to: a page takes whole numbers up to some 2**53; its field holds text


def checked_parts(hide: Any) -> tuple[str, ...]:
    """What `hide` names. Raises ValueError unless it is a list of any of PARTS."""
    if isinstance(hide, str) or not isinstance(hide, Iterable):
        raise ValueError(f"hide takes any of {', '.join(PARTS)}, as a list of them; got {hide!r}")
    parts = tuple(hide)
    if unknown := [part for part in parts if part not in PARTS]:
        raise ValueError(f"hide takes any of {', '.join(PARTS)}; got {', '.join(map(repr, unknown))}")
    return parts


class Controls:
    """Widgets, in two `rows`, that change a stepper; `show` sets them to its place, however it came there."""

    def __init__(
        self, stepper: Stepper, hidden: Sequence[str], on_change: OnChange, start_over: Callable[[str, Any], None]
    ) -> None:
        """`on_change` calls a function with each new value of a widget; `start_over` sets a field of Setup."""
        self._stepper = stepper
        draws = "A whole number, 0 or more, draws other numbers; an empty field brings the given ones back"
        self.seed_field = text_field("seed", "100px", draws)
        self.seed = widgets.IntSlider(
            min=0, max=100, readout=False, tooltip="Draw different random numbers", layout=GROW
        )
        self.lr_field = text_field("learning rate", "170px", "Type a learning rate: a positive number")
        self.lr = widgets.FloatLogSlider(
            min=-6, max=1, step=0.05, readout=False, tooltip="How large a step each update takes", layout=GROW
        )
        self.predict = toggle(
            "Predict first", "Predict each result before you see it: zeros, gradients, updates, whether the loss rises"
        )
        self.more = toggle(
            "More", "Network sizes, a planted mistake, all values as a table, the step as a NumPy script"
        )
        self.mistake = menu("planted mistake", "330px", "Plant a classic mistake")
        self._offered: tuple[str, list[Any]] | None = None  # what is planted, and the lines, of its options
        self.table = toggle("Values as a table", "Every number on the board as text, also for screen readers")
        self.script = toggle("As NumPy", "A plain script that prints the same numbers")
        self.opening = {self.more: "", self.table: "bpl-tables", self.script: "bpl-script"}  # and what to scroll to
        self._fields = _fields_of_setup()
        self.rows = [self._settings(hidden), self._drawer()]
        self._connect(on_change, start_over)

    def _settings(self, hidden: Sequence[str]) -> widgets.Widget:
        parts = {
            "start": self._fields["start"],
            "seed": pair(self.seed_field, self.seed),
            "lr": pair(self.lr_field, self.lr),
            "predict": self.predict,
            "more": self.more,
        }
        settings = row(*(control for part, control in parts.items() if part not in hidden))
        settings.add_class("bpl-settings")
        return settings

    def _drawer(self) -> widgets.Widget:
        """Controls that are needed less often, behind the button More."""
        fields = [control for name, control in self._fields.items() if name != "start"]
        drawer = row(*fields, self.mistake, self.table, self.script)
        drawer.layout.display = "none"
        self.more.observe(lambda change: setattr(drawer.layout, "display", "" if change.new else "none"), "value")
        return drawer

    def _connect(self, on_change: OnChange, start_over: Callable[[str, Any], None]) -> None:
        stepper = self._stepper
        for name, control in self._fields.items():
            on_change(control, partial(self._start_over, start_over, name))
        on_change(self.seed, lambda seed: stepper.set_up(seed=seed))
        on_change(self.seed_field, lambda text: stepper.set_up(seed=typed_number(text) if text else None))
        on_change(self.lr, self._slide_lr)
        on_change(self.lr_field, lambda text: stepper.set_lr(typed_number(text)))
        on_change(self.predict, stepper.predict)
        on_change(self.mistake, stepper.plant)

    def _start_over(self, start_over: Callable[[str, Any], None], name: str, value: str) -> None:
        start_over(name, typed_number(value) if name in SIZES else value)

    def show(self, place: LabState) -> None:
        """Set each control to what is so at a place."""
        setup = place.setup
        options: dict[str, tuple[Any, ...]] = {**setup.choices()}
        names = (*options["start"], *(CUSTOM,) * place.custom)
        options["start"] = tuple((_START_NAMES.get(name, name), name) for name in names)
        for name, control in self._fields.items():
            if name in options and control.options != options[name]:
                control.options = options[name]
            control.value = place.start if name == "start" else str(getattr(setup, name))
            means_nothing = len(options[name]) == 1 if name in options else not getattr(setup, name)
            control.layout.display = "none" if means_nothing else None
        self.seed.max = max(100, seed := min(setup.seed or 0, LARGEST))
        self.seed.value = seed
        self.seed_field.value = "" if setup.seed is None else str(setup.seed)
        if not self._slider_shows(place.lr):
            self.lr.value = place.lr
        self.lr_field.value = f"{place.lr:.4g}"
        self._offer_mistakes(place)
        self.mistake.value = place.mistake
        self.predict.value = place.predicting

    def _offer_mistakes(self, place: LabState) -> None:
        """Offer the mistakes that can be planted in these lines; while *More* is closed, none but what is planted."""
        is_open, mistakes = self.more.value, self._stepper.mistakes
        lines = [(step.name, step.code, np.shape(step.value)) for step in place.trace.steps] if is_open else []
        if (place.mistake, lines) != self._offered:
            self._offered = place.mistake, lines
            fit = {place.mistake, *(that_fit(mistakes, self._stepper.first_problem) if is_open else ())}
            self.mistake.options = [("none", ""), *((m.title, name) for name, m in mistakes.items() if name in fit)]

    def _slide_lr(self, lr: float) -> None:
        """Follow the slider, unless it only rounded the learning rate to one of its own steps: no learner did that."""
        if not self._slider_shows(self._stepper.place.lr):
            self._stepper.set_lr(float(f"{lr:.2g}"))

    def _slider_shows(self, lr: float) -> bool:
        """Whether the slider is at the position nearest to this learning rate."""
        low, high = self.lr.base**self.lr.min, self.lr.base**self.lr.max
        return bool(abs(math.log10(self.lr.value) - math.log10(min(max(lr, low), high))) < self.lr.step / 2 + 1e-9)


def _fields_of_setup() -> dict[str, widgets.Widget]:
    """A control for each field of Setup that needs no more than one."""
    sizes = {}
    for name, most in SIZES.items():
        label = _SIZE_NAMES.get(name, name)
        sizes[name] = text_field(label, f"{60 + 7 * len(label)}px", f"A whole number from 1 to {most}")
    return {
        "start": menu("start", "192px", "The numbers to start from"),
        **sizes,
        "activation": menu("activation", "180px", "The activation after each hidden layer"),
        "norm": menu("norm", "150px", "What brings the numbers before each hidden activation to the same scale"),
        "dropout": menu("dropout", "160px", "How likely a hidden number is to be set to 0; each step draws again"),
        "loss": menu("loss", "230px", "What the network is trained to make small"),
        "penalty": menu("penalty", "140px", "What is added to the loss for large weights"),
        "optimizer": menu("optimizer", "230px", "How the update uses the gradients, and what it remembers"),
    }


_START_NAMES = {"mazur": "Mazur's example", "xor": "XOR", "iris": "iris, 16 flowers", AS_GIVEN: "your problem"}
_SIZE_NAMES = {"hidden": "hidden units", "layers": "hidden layers"}
