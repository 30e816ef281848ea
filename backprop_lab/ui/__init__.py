"""The labs: widgets for a notebook. Only this part of the package uses matplotlib, ipywidgets and anywidget."""

from backprop_lab.ui.exercise import Exercises
from backprop_lab.ui.heatmaps import draw_heatmaps
from backprop_lab.ui.line_up import LineUp
from backprop_lab.ui.mistake_lab import MistakeLab
from backprop_lab.ui.rates.lab import LearningRateLab
from backprop_lab.ui.steps.lab import StepThrough

__all__ = ["Exercises", "LearningRateLab", "LineUp", "MistakeLab", "StepThrough", "draw_heatmaps"]
