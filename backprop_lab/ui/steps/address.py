"""A place in the lab as a link holds it after its `#`: `start=random&seed=3&step=dW1`. It is data and never run."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qsl, urlencode

from backprop_lab.ui.steps.setup import Setup

SITE = "https://backprop-lab.github.io/backprop-lab"
LONGEST = 2000  # characters


def whole(text: str) -> int:
    if not re.fullmatch("[0-9]+", text):
        raise ValueError("a whole number such as 3")
    return int(text)


def number(text: str) -> float:
    if not re.fullmatch(r"[0-9]*\.?[0-9]+(e[+-]?[0-9]{1,3})?", text):
        raise ValueError("a number such as 0.05")
    return float(text)


def word(text: str) -> str:
    if not re.fullmatch(r"[\w -]{1,80}", text):
        raise ValueError("a name of letters, digits and hyphens")
    return text


def words(text: str) -> list[str]:
    return [word(each) for each in text.split(",")]


def flag(text: str) -> bool:
    if text != "true":
        raise ValueError("true, or it is left out")
    return True


READ: dict[str, Callable[[str], Any]] = {
    **{field.name: word if field.type is str else whole for field in fields(Setup) if field.name != "given"},
    "lr": number,
    "iteration": whole,
    "step": word,
    "mistake": word,
    "questions": word,
    "hide": words,
    "large": flag,
}


def place_in(address: str) -> dict[str, Any]:
    """What `StepThrough` takes, from the part of an address after its `#`; nothing there is no place in particular.

    Raises ValueError, with a sentence, for whatever is not one of these names with one value of its kind. Whether there
    is such a place in the lab, the lab says.
    """
    if len(address) > LONGEST:
        raise ValueError(f"This link is longer than the {LONGEST:,} characters that a place in the lab may take.")
    place: dict[str, Any] = {}
    try:
        pairs = parse_qsl(address, keep_blank_values=True, strict_parsing=True, errors="strict") if address else []
    except ValueError:  # a UnicodeDecodeError is one too
        raise ValueError(
            "This link does not name a place in the lab: it has a part without a name and a value."
        ) from None
    for name, text in pairs:
        if name not in READ:
            raise ValueError(f"A link to the lab holds any of {', '.join(READ)}; this one has {shortened(name)}.")
        if name in place:
            raise ValueError(f"This link says twice what {name} is.")
        try:
            place[name] = READ[name](text)
        except ValueError as wanted:
            raise ValueError(f"In a link to the lab, {name} is {wanted}; this one has {shortened(text)}.") from None
    return place


def address_of(place: Mapping[str, Any]) -> str:
    """What `place_in` reads as this place."""
    texts = {name: ",".join(value) if READ[name] is words else str(value) for name, value in place.items()}
    return urlencode({name: "true" if READ[name] is flag else text for name, text in texts.items()}, safe=",")


def link_to(place: Mapping[str, Any]) -> str:
    """The whole address, on the web site that the environment variable BACKPROP_LAB_SITE names, or ours."""
    return f"{os.environ.get('BACKPROP_LAB_SITE', SITE).rstrip('/')}/run/open/#{address_of(place)}"


def shortened(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
