"""The lab alone, as a page of the web site opens it at the place that its address names."""

import html

import ipywidgets as widgets

from backprop_lab.ui.steps.address import check_reach, place_in
from backprop_lab.ui.steps.lab import StepThrough
from backprop_lab.ui.steps.stepper import Stepper

WHERE, LOOKS = ("step", "iteration", "cell"), ("hide", "large", "questions")


def opened(address: str) -> widgets.Widget:
    """The lab at the place that an address names after its `#`, or a sentence that says why it cannot be."""
    try:
        place = place_in(address)
        rates = place.pop("then", {})
        start = Stepper(**{name: value for name, value in place.items() if name not in (*WHERE, *LOOKS)})
        check_reach(start.place, max(place.get("iteration", 0), *rates, 0))
        lab = StepThrough(**{name: value for name, value in place.items() if not rates or name not in WHERE})
        lab.is_kept = False
        with lab.stepper.hold_trait_notifications():  # or each place on the way would be shown
            for iteration, lr in rates.items():
                lab.go(iteration=iteration)
                lab.stepper.set_lr(lr)
            if rates:
                lab.go(place.get("step"), place.get("iteration"))
                if cell := place.get("cell"):
                    lab.stepper.pin(cell)
        return lab
    except ValueError as refused:
        return widgets.HTML(
            f'<div class="bpl-refused" role="alert">{html.escape(str(refused))} '
            '<a href="./index.html">Open the lab at its beginning</a></div>'
        )
