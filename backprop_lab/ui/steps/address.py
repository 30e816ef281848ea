"""A place in the lab as a link holds it after its `#`: `start=random&seed=3&step=dW1`. It is data and never run.

Your own numbers stand there too, row by row, with the layers that they belong to:
`X=1,2;3,4&y=1;0&network=Linear,ReLU,Linear&W1=...&b1=...&W2=...&b2=...&loss=sum of squares&lr=0.1`.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from backprop_lab.nn.layers import ACTIVATIONS, Layer, Linear
from backprop_lab.nn.losses import LOSSES, Loss
from backprop_lab.nn.network import Network
from backprop_lab.nn.optimizers import OPTIMIZERS
from backprop_lab.step.problem import Problem
from backprop_lab.step.program import Program
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.setup import SIZES, Setup

SITE = "https://backprop-lab.github.io/backprop-lab"
MOST_NUMBERS = 2000  # characters of X, y, weights and biases
LONGEST = 2500  # characters in all
MOST_WORK = 30_000_000  # numbers on the way to an iteration, which a browser's Python works out in some three seconds
OVERHEAD = 10_000  # numbers that would take as long as all else in an iteration
PROOF = 50  # iterations that would take as long as the proof of a gradient; with a mistake planted, all are proved
NUMBER = r"-?[0-9]*\.?[0-9]+(e[+-]?[0-9]{1,3})?"
LAYERS = ("Linear", *ACTIVATIONS)
PLAIN = "gradient descent"  # what a link does not name
ARRAYS = ("X", "y", *(f"{p}{number + 1}" for number in range(SIZES["layers"] + 1) for p in "Wb"))


def reader(pattern: str, wanted: str, read: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """A function that reads a text of this pattern, and raises ValueError, with what is wanted, for any other."""

    def read_text(text: str) -> Any:
        if not re.fullmatch(pattern, text):
            raise ValueError(wanted)
        return read(text)

    return read_text


whole = reader("[0-9]+", "a whole number such as 3", int)
number = reader(NUMBER, "a number such as 0.05", float)
word = reader(r"[\w -]{1,80}", "a name of letters, digits and hyphens")
cell = reader(r"\w{1,80}|[\w ]{1,80}\[[0-9]{1,3}(,[0-9]{1,3}){0,3}\]", "a cell such as dW1[1,0]")
flag = reader("true", "true, or it is left out", bool)


def rates(text: str) -> dict[int, float]:
    parts = [re.fullmatch(f"([0-9]{{1,6}}):({NUMBER})", each) for each in text.split(",")]
    changes = {int(part[1]): float(part[2]) for part in parts if part}
    if len(changes) < len(parts) or [*changes] != sorted(changes):
        raise ValueError("iterations, each after the one before, and their learning rates, such as 3:0.1,7:0.02")
    return changes


def array(text: str) -> np.ndarray:
    rows = [row.split(",") for row in text.split(";")]
    if len({len(row) for row in rows}) > 1 or not all(re.fullmatch(NUMBER, each) for row in rows for each in row):
        raise ValueError("rows of numbers, each of one length, such as 1,-0.5;0,2e-3")
    numbers = np.array([[float(each) for each in row] for row in rows])
    if not np.isfinite(numbers).all():
        raise ValueError(f"rows of numbers up to {np.finfo(float).max:.1e}")
    return numbers


def layers(text: str) -> list[str]:
    names = text.split(",")
    if not {*names} <= {*LAYERS}:
        raise ValueError(f"any of {', '.join(LAYERS)}, in their order, such as Linear,ReLU,Linear")
    return names


def limits(text: str) -> float | list[float]:
    numbers = [number(each) for each in text.split(",")]
    return numbers if len(numbers) > 1 else numbers[0]


def words(text: str) -> list[str]:
    return [word(each) for each in text.split(",")]


READ: dict[str, Callable[[str], Any]] = {
    **{field.name: word if field.type is str else whole for field in fields(Setup) if field.name != "given"},
    "lr": number,
    "then": rates,  # from an iteration on, another learning rate
    "network": layers,
    **dict.fromkeys(ARRAYS, array),
    "iteration": whole,
    "step": word,
    "cell": cell,
    "mistake": word,
    "limit": limits,
    "questions": word,
    "hide": words,
    "large": flag,
}


def place_in(address: str) -> dict[str, Any]:
    """What `StepThrough` takes, from the part of an address after its `#`; an empty one names none in particular.

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
    if place.keys() & {"network", *ARRAYS}:
        place = {"problem": _problem_in(place)} | place
    return place


def _problem_in(place: dict[str, Any]) -> Problem:
    """Take the parts of a problem out of a place, and put them together."""
    parts = ["X", "y", "network", "loss", "lr"]
    linear = place.get("network", []).count("Linear")
    parts += [f"{p}{number + 1}" for number in range(linear) for p in "Wb"]
    if missing := [name for name in parts if name not in place]:
        raise ValueError(
            f"A link with numbers of your own has all of {', '.join(parts)}; here {missing[0]} is missing."
        )
    if unknown := [name for name in ARRAYS if name in place and name not in parts]:
        raise ValueError(f"This link has {unknown[0]}, for which its network has no layer.")
    given = {name: place.pop(name) for name in parts}
    if given["loss"] not in LOSSES:
        raise ValueError(f"With numbers of your own, loss is one of {', '.join(LOSSES)}; got {given['loss']!r}.")
    made: list[Layer] = []
    for name in given["network"]:
        number = sum(bool(layer.learnt) for layer in made) + 1
        made.append(ACTIVATIONS[name] if name in ACTIVATIONS else Linear(given[f"W{number}"], given[f"b{number}"]))
    if (rule := place.pop("optimizer", PLAIN)) not in OPTIMIZERS:
        raise ValueError(f"With numbers of your own, optimizer is one of {', '.join(OPTIMIZERS)}; got {rule!r}.")
    return Problem(
        Network(made), LOSSES[given["loss"]], given["X"], given["y"], given["lr"], optimizer=OPTIMIZERS[rule]
    )


def _parts_of(problem: Problem) -> dict[str, Any]:
    """What `_problem_in` puts together again. Raises ValueError, with a sentence, for what a link can't hold."""
    if isinstance(problem, Program):
        raise ValueError(f"A link holds no lines of your own, only the name of an example. {_INSTEAD}")
    parts: tuple[Layer | Loss, ...] = (*problem.network.layers, problem.loss)
    rule = next((name for name, each in OPTIMIZERS.items() if each == problem.optimizer), None)
    if problem.penalty or rule is None:
        what = problem.penalty or problem.optimizer
        kept = f"no penalty and only the optimizers {', '.join(OPTIMIZERS)}, with their usual numbers"
        raise ValueError(f"A link holds {kept}, and here is {what!r}. {_INSTEAD}")
    if problem.state.get("step", 1) != 1 or any(np.any(problem.state[name]) for name in problem.lines.memories):
        raise ValueError(f"A link holds no memories of an optimizer, and here are some. {_INSTEAD}")
    if alien := [each for each in parts if not each.known_name]:
        names = f"the layers {', '.join(LAYERS)} and the losses {', '.join(LOSSES)}"
        if alien[0].learnt == ("W",) and alien[0].is_ours:
            raise ValueError(f"A link holds a bias for each Linear, and one here has none. {_INSTEAD}")
        if alien[0].is_ours:
            raise ValueError(f"A link holds only {names}, and here is {alien[0]!r}. {_INSTEAD}")
        raise ValueError(f"A link holds no code, so no {type(alien[0]).__name__} of your own: only {names}. {_INSTEAD}")
    arrays = {"X": problem.X, "y": problem.y, **problem.network.parameters}
    for name, value in {**arrays, "lr": np.asarray(problem.lr)}.items():
        if value.dtype not in (float, int) or not np.isfinite(value).all():
            raise ValueError(f"A link holds finite numbers of the kind float64, and {name} has others. {_INSTEAD}")
    cells = sum(value.size for value in arrays.values())
    texts = {name: _text_of(value) for name, value in arrays.items()} if cells < MOST_NUMBERS else {}
    if not texts or sum(map(len, texts.values())) > MOST_NUMBERS:
        raise ValueError(
            f"A link holds up to {MOST_NUMBERS:,} characters of X, y, weights and biases, and these {cells:,} numbers "
            f"take more. {_INSTEAD}"
        )
    network = ",".join(layer.known_name for layer in problem.network.layers)
    parts_by_name = {"network": network, "loss": problem.loss.known_name, "lr": float(problem.lr)}
    return {**texts, **parts_by_name, **({"optimizer": rule} if rule != PLAIN else {})}


_INSTEAD = "As NumPy, behind More, has the whole step as a script."


def _text_of(array: np.ndarray) -> str:
    """Each number in the fewest digits that give it back exactly."""
    shortest = [[repr(number).removesuffix(".0").replace("e+", "e") for number in row] for row in array.tolist()]
    return ";".join(map(",".join, shortest))


def address_of(place: Mapping[str, Any]) -> str:
    """What `place_in` reads as this place. Raises ValueError, with a sentence, for a problem that it can't hold."""
    place = dict(place)
    if problem := place.pop("problem", None):
        place = _parts_of(problem) | place
    texts: dict[str, str] = {}
    for name, value in place.items():
        if isinstance(value, dict):
            texts[name] = ",".join(f"{iteration}:{lr!r}" for iteration, lr in value.items())
        elif isinstance(value, list | tuple):
            texts[name] = ",".join(map(str, value))
        else:
            texts[name] = "true" if value is True else str(value)
    return urlencode(texts, safe=",;:[]")


def check_reach(start: LabState, iteration: int) -> None:
    """Raise ValueError, with a sentence, if it would take a browser long to come to this iteration."""
    numbers = sum(np.size(value) for value in start.trace.values())
    proofs = sum(step.phase == "backward" for step in start.trace.steps) if start.mistake else 0
    most = MOST_WORK // max(OVERHEAD, numbers) - PROOF * proofs
    if most < 0:
        raise ValueError(
            f"With a mistake planted, a link opens this network with up to {MOST_WORK // (PROOF * proofs):,} numbers a "
            f"step, or a browser would take long to prove all gradients; here are {numbers:,}. Take fewer samples, "
            "units or layers."
        )
    if iteration > most:
        raise ValueError(
            f"A link opens this network at an iteration up to {most:,}, which takes a browser some seconds; this one "
            f"asks for {iteration:,}. In a notebook, lab.go(iteration=...) goes further."
        )


def link_to(place: Mapping[str, Any]) -> str:
    """The whole address, on the web site that the environment variable BACKPROP_LAB_SITE names, or ours."""
    return f"{os.environ.get('BACKPROP_LAB_SITE', SITE).rstrip('/')}/run/open/#{address_of(place)}"


def shortened(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
