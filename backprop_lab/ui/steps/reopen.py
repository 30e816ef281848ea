"""What opens the lab again in its present state: a call, with what that leaves out, and a link."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

import numpy as np

from backprop_lab.feedback.mistakes import MISTAKES
from backprop_lab.reading.one_cell import indexed
from backprop_lab.ui.steps.address import address_of, check_reach
from backprop_lab.ui.steps.setup import AS_GIVEN, WORKED_EXAMPLE, Setup, differing
from backprop_lab.ui.steps.stepper import Stepper

SITE = "https://backprop-lab.github.io/backprop-lab"  # unless the environment variable names another


def ways(stepper: Stepper, looks: Mapping[str, Any]) -> dict[str, str]:
    """The call, unless it is hidden, what it leaves out, and the link; each "" where there is none."""
    call, link = "" if "call" in looks["hide"] else call_for(stepper, looks), ""
    with suppress(ValueError):
        link = link_for(stepper, looks)
    return {"call": call, "but": left_out(stepper), "link": link}


def call_for(stepper: Stepper, looks: Mapping[str, Any]) -> str:
    """The call, except that it leaves out numbers the learner changed; `looks` is what it says besides the place."""
    named = [f"{name}={value!r}" for name, value in _settings(stepper, looks).items()]
    named += ["mistakes=mistakes"] * _has_own_mistake(stepper)
    return f"StepThrough({', '.join(['problem'] * (stepper.place.setup.start == AS_GIVEN) + named)})"


def left_out(stepper: Stepper) -> str:
    """How a lab opened by the call differs from this one, to stand behind it."""
    but = ""
    if stepper.place.custom:
        but = " (without the numbers you changed; As NumPy keeps them)"
    elif stepper.place.setup.start == AS_GIVEN:
        but = " (where problem is the one that this lab was given; As NumPy keeps its numbers)"
    if _has_own_mistake(stepper):
        but += " (where mistakes is the table that this lab was given)"
    if len(stepper.rates) > 1:
        but += " (uses this learning rate from the start; here it was changed along the way)"
    return but


def link_for(stepper: Stepper, looks: Mapping[str, Any]) -> str:
    """The address, with the learner's own numbers in it. Raises ValueError, with a sentence, for what it can't hold."""
    place, settings = stepper.place, _settings(stepper, looks)
    check_reach(place, place.iteration)
    if _has_own_mistake(stepper):
        raise ValueError("A link holds no mistake of your own, only those of MISTAKES.")
    first, *later = stepper.rates.items()
    if later:
        settings |= {"lr": first[1], "then": dict(later)}
    if place.custom or place.setup.start == AS_GIVEN:  # with its numbers, and not with what they were made from
        made_from = {field.name for field in fields(Setup)} - ({"seed"} if not place.custom else set())
        settings = {name: value for name, value in settings.items() if name not in made_from}
        settings["problem"] = stepper.first_problem.evolve(lr=settings.pop("lr", first[1]))
    return f"{os.environ.get('BACKPROP_LAB_SITE', SITE).rstrip('/')}/run/open/#{address_of(settings)}"


def _has_own_mistake(stepper: Stepper) -> bool:
    """Whether a mistake is planted that nobody knows but who made the lab."""
    name = stepper.place.mistake
    return bool(name) and stepper.mistakes[name] is not MISTAKES.get(name)


def _settings(stepper: Stepper, looks: Mapping[str, Any]) -> dict[str, Any]:
    """What the lab must be told to open in its present state, apart from a problem: only what is not so by itself."""
    place, setup = stepper.place, stepper.place.setup
    own = differing(setup, Setup(setup.start, given=setup.given))  # from what it is if only its start is given
    settings = {name: value.item() if isinstance(value, np.generic) else value for name, value in own.items()}
    if setup.start != AS_GIVEN and (settings or setup.start != WORKED_EXAMPLE):
        settings = {"start": setup.start} | settings
    if place.lr != stepper.setup_lr:
        settings["lr"] = place.lr
    at = {
        "iteration": int(place.iteration),
        "step": place.step.name if place.step else "",
        "cell": indexed(place.trace, place.cell) if place.pinned and place.cell else "",
        "mistake": place.mistake,
        "limit": stepper.limits,
    }
    return settings | {name: value for name, value in (at | dict(looks)).items() if value}
