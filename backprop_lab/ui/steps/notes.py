"""What is said to the learner of a move, and stays until the next: an overflow, numbers that a seed has not drawn."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backprop_lab.feedback.mistakes import Mistake
from backprop_lab.nn.steps import Step
from backprop_lab.step.number_format import listed
from backprop_lab.step.problem import Problem
from backprop_lab.step.random_problems import kept_by_seeds
from backprop_lab.training.history import Training, that_fit
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.setup import AS_GIVEN, Setup


def no_mistake(given: Any, mistakes: Mapping[str, Mistake], problem: Problem) -> str:
    """What to say of something that is the name of no mistake."""
    if isinstance(given, Mistake):
        if name := next((name for name, each in mistakes.items() if each is given), ""):
            return f"a mistake is planted by its name: write mistake={name!r}"
        return "put your own into a table, mistakes=MISTAKES | {'mine': ...}, and name it, mistake='mine'"
    return f"there is no mistake {given!r}; choose one of {', '.join(that_fit(mistakes, problem))}"


def not_planted(mistake: Mistake, why_not: str) -> str:
    """What to say of a mistake that is made nowhere here."""
    return f"{mistake.title}: this mistake cannot be planted here, because {why_not}"


def on_overflow(training: Training, place: LabState) -> str:
    """What to say if the loss has overflowed by then: no more of the cause than is known."""
    diverged = training.diverged(place.iteration)
    if diverged is None:
        return ""
    if diverged == 0 and math.isnan(training.losses[0]):
        if given := [name for name, value in training.first.parameters.items() if (value != value).any()]:
            return f"The loss is not a number (nan) at the very start: {given[0]} has nan in it."
        return (
            "The loss is not a number (nan) at the very start: one of its lines has no answer for these numbers, "
            "as with inf - inf or the logarithm of a negative number."
        )
    if diverged == 0:
        cause = "the planted mistake may be the cause, or " * bool(place.mistake)
        or_no_number = " or 0 where it divides or takes a logarithm" * (not training.first.stages)
        return f"The loss overflows at the very start: {cause}some of these numbers are too large for it{or_no_number}."
    is_none = math.isnan(training.losses[diverged])
    then = f"The loss {'is not a number (nan)' if is_none else 'overflowed'} at iteration {diverged}"
    kept = [name for name in training.first.of_each_step if name not in training.first.masks]
    grows = f", or {listed(kept)} {'grows' if len(kept) == 1 else 'grow'} from step to step" * bool(kept)
    if place.mistake:
        return (
            f"{then}: the planted mistake may be the cause, or the learning rate{grows}. Go back to see how it began, "
            "or remove the mistake and compare."
        )
    first = training.first_not_finite(diverged)
    if first.phase == "loss" and re.search(r"\blog\(", first.code):  # of numbers that are finite
        return (
            f"{then}: what its loss takes the logarithm of is 0, as where a probability is rounded to 0 or to 1. The "
            "learning rate may be too large; or take a loss of scores, such as cross-entropy after a sigmoid, which "
            "has no such end. Go back to see how it began."
        )
    if place.custom:
        return (
            f"{then}: the learning rate is too large for these numbers, or they are too large themselves{grows}. "
            "Restart brings the original numbers back; or go back to see how it began."
        )
    if place.setup.start == AS_GIVEN:
        return (
            f"{then}: the learning rate is too large for this problem, or a gradient is wrong, which its check shows"
            f"{grows}. Restart with a smaller learning rate, or go back to see how it began.{_on_size(training.first)}"
        )
    return f"{then}: the learning rate is too large. Restart with a smaller one, or go back to see how it began."


LARGE = 100  # a number of X for which weights of a usual size are too large


def _on_size(problem: Problem) -> str:
    """What makes samples of large numbers such that usual weights and learning rates fit, or ""."""
    X = np.asarray(problem.data.get("X", 0.0))
    largest = np.max(np.abs(X)) if X.dtype.kind == "f" else 0.0
    if X.ndim != 2 or len(X) < 2 or largest <= LARGE:
        return ""
    scaled = "X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)"
    return f" X has numbers up to {largest:,.6g}: {scaled} brings its columns to one scale."


def on_seed(setup: Setup, problem: Problem) -> str:
    """Which numbers a seed did not draw anew."""
    return kept_by_seeds(problem) if setup.base is not None and setup.seed is not None else ""


def on_predicting(asked: Sequence[Step], alone: bool) -> str:
    """Before which steps something is asked; if `alone`, they are those whose numbers the board has room for."""
    if alone and asked:
        names = listed([step.name for step in asked])
        return f"Press Next. This board is too small to show every number: you are asked only before {names}."
    relu = "ReLU, " * any(step.phase == "forward" for step in asked)
    at_last = "and at the last update whether the loss will rise"
    return f"Press Next. You are asked before each {relu}gradient and update, {at_last}."
