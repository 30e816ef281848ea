"""The labs: widgets for a notebook. Only this part of the package uses matplotlib, ipywidgets and anywidget."""

from typing import TYPE_CHECKING

from backprop_lab import public_names

if TYPE_CHECKING:
    from backprop_lab.ui.exercise import Exercises
    from backprop_lab.ui.heatmaps import draw_heatmaps
    from backprop_lab.ui.line_up import LineUp
    from backprop_lab.ui.mistake_lab import MistakeLab
    from backprop_lab.ui.rates.lab import LearningRateLab
    from backprop_lab.ui.steps.lab import StepThrough

__all__ = ["Exercises", "LearningRateLab", "LineUp", "MistakeLab", "StepThrough", "draw_heatmaps"]
_HOMES = ("exercise", "line_up", "heatmaps", "steps.lab", "mistake_lab", "rates.lab")
__getattr__, __dir__ = public_names(__name__, __all__, _HOMES)
