"""A place in the lab as a link holds it after its `#`: `start=random&seed=3&step=dW1`. It is data and never run.

Your own numbers stand there too, row by row, with the layers that they belong to:
`X=1,2;3,4&y=1;0&network=Linear,ReLU,Linear&W1=...&b1=...&W2=...&b2=...&loss=sum of squares&lr=0.1`. A layer, a penalty
or an optimizer has its own numbers behind it, in order, as far as they are not the usual ones: `Dropout(0.5,7)`,
`Adam(0.9,0.99)`. What is remembered has its name, and `count` is the number of the step.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from inspect import Parameter, signature
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from backprop_lab.nn.activations import ACTIVATIONS
from backprop_lab.nn.layers import Dropout, Linear
from backprop_lab.nn.lines import Part
from backprop_lab.nn.losses import LOSSES
from backprop_lab.nn.network import Network
from backprop_lab.nn.norms import NORMS
from backprop_lab.nn.optimizers import OPTIMIZERS
from backprop_lab.nn.steps import stages_of
from backprop_lab.step.problem import Problem
from backprop_lab.step.program import Program
from backprop_lab.ui.steps.place import LabState
from backprop_lab.ui.steps.setup import NONE, PENALTIES, SIZES, Setup

MOST_NUMBERS = 6000  # characters of X, y, weights and biases
LONGEST = 7000  # characters in all
MOST_WORK = 30_000_000  # numbers on the way to an iteration, which a browser's Python works out in some three seconds
OVERHEAD = 10_000  # numbers that would take as long as all else in an iteration
PROOF = 50  # iterations that would take as long as the proof of a gradient; with a mistake planted, all are proved
NUMBER = r"-?[0-9]*\.?[0-9]+(e[+-]?[0-9]{1,3})?"
KINDS: dict[str, dict[str, type[Part]]] = {  # by the name in a link
    "layers": {"Linear": Linear, **dict(NORMS), "Dropout": Dropout},
    "losses": {name: type(each) for name, each in LOSSES.items()},
    "penalties": {type(each).__name__: type(each) for each in PENALTIES.values() if each},
    "optimizers": {name: type(each) for name, each in OPTIMIZERS.items()},
}
KINDS["layers"] |= {name: type(each) for name, each in ACTIVATIONS.items()}
PLAIN = "gradient descent"  # what a link does not name
_LEARNT = dict.fromkeys(p for kind in KINDS["layers"].values() for p in kind.learnt)
_REMEMBERED = {memory for rule in OPTIMIZERS.values() for memory in rule.memory}
ARRAYS = (
    *("X", "y", *(f"{p}{number + 1}" for number in range(SIZES["layers"] + 1) for p in _LEARNT)),
    *(f"{m}{p}{number + 1}" for number in range(SIZES["layers"] + 1) for p in _LEARNT for m in sorted(_REMEMBERED)),
)


def reader(pattern: str, wanted: str, read: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """A function that reads a text of this pattern, and raises ValueError, with what is wanted, for any other."""

    def read_text(text: str) -> Any:
        if not re.fullmatch(pattern, text):
            raise ValueError(wanted)
        return read(text)

    return read_text


whole = reader("[0-9]{1,4000}", "a whole number such as 3", int)
number = reader(NUMBER, "a number such as 0.05", float)
word = reader(r"[\w .,()-]{1,80}", "a name of letters, digits and hyphens, such as random or L2(0.1)")
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
    names = re.split(r",(?![^(]*\))", text)
    if not {each.partition("(")[0] for each in names} <= KINDS["layers"].keys():
        raise ValueError(f"any of {', '.join(KINDS['layers'])}, in their order, such as Linear,ReLU,Linear")
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
    "count": reader("[0-9]{1,6}", "a whole number such as 3", int),  # the number of the step, for what is remembered
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
    except UnicodeDecodeError:
        raise ValueError("This link does not name a place in the lab: a % in it stands for no letter.") from None
    except ValueError:
        raise ValueError(
            "This link does not name a place in the lab: it has a part without a name and a value."
        ) from None
    for name, text in pairs:
        if name not in READ:
            names = ", ".join(each for each in READ if each not in ARRAYS)
            raise ValueError(
                f"A link to the lab holds any of {names}, and of X, y and the arrays of a network; this one has "
                f"{shortened(name)}."
            )
        if name in place:
            raise ValueError(f"This link gives {name} twice.")
        try:
            place[name] = READ[name](text)
        except ValueError as wanted:
            raise ValueError(f"In a link to the lab, {name} is {wanted}; this one has {shortened(text)}.") from None
    if place.keys() & {"network", "count", *ARRAYS}:
        place = {"problem": _problem_in(place)} | place
    return place


def _problem_in(place: dict[str, Any]) -> Problem:
    """Take the parts of a problem out of a place, and put them together."""
    kinds = [_part_in(text, "layers") for text in place.get("network", [])]
    made: list[Any] = []
    parts = ["X", "y", "network", "loss", "lr"]
    for stage in stages_of([kind for kind, _ in kinds]):  # which asks them only for what they have as classes
        names = stage.parameters
        optional = {"b"} & {*names} - {p for p in names if names[p] in place}
        made.append({p: name for p, name in names.items() if p not in optional})
        parts += made[-1].values()
    if missing := [name for name in parts if name not in place]:
        raise ValueError(
            f"A link with numbers of your own has all of {', '.join(parts)}; here {missing[0]} is missing."
        )
    given = {name: place.pop(name) for name in parts}
    network = Network(
        kind(*(given[name] for name in names.values()), **numbers)
        for (kind, numbers), names in zip(kinds, made, strict=True)
    )
    loss, numbers = _part_in(given["loss"], "losses")
    rule, of_rule = _part_in(place.pop("optimizer", PLAIN), "optimizers")
    penalty = None
    if (text := place.pop("penalty", NONE)) != NONE:
        kind, of_penalty = _part_in(text, "penalties")
        penalty = kind(**of_penalty)
    problem = Problem(
        network, loss(**numbers), given["X"], given["y"], given["lr"], penalty=penalty, optimizer=rule(**of_rule)
    )
    state = {"step" if name == "count" else name: place.pop(name) for name in (*ARRAYS, "count") if name in place}
    if unknown := [name for name in state if name not in problem.state]:
        name = "count" if unknown[0] == "step" else unknown[0]
        raise ValueError(f"This link has {name}, for which its network and its optimizer have no place.")
    return problem.evolve(state=state) if state else problem


def _part_in(text: str, of: str) -> tuple[Any, dict[str, Any]]:
    """The class of a part and its own numbers by name, from a text such as Adam(0.9,0.99)."""
    named = re.fullmatch(rf"([\w -]+)(?:\(({NUMBER}(?:,{NUMBER})*)\))?", text)
    if named is None or named[1] not in KINDS[of]:
        raise ValueError(f"With numbers of your own, {of} are any of {', '.join(KINDS[of])}; got {shortened(text)}.")
    kind = KINDS[of][named[1]]
    own, texts = _own_numbers(kind), named[2].split(",") if named[2] else []
    least = sum(each.default is each.empty for each in own)
    if not least <= len(texts) <= len(own):
        takes = ", ".join(each.name for each in own) or "no numbers"
        raise ValueError(f"In a link, {named[1]} takes {takes}; got {shortened(text)}.")
    values = [int(each) if re.fullmatch("-?[0-9]+", each) else float(each) for each in texts]
    return kind, {each.name: value for each, value in zip(own, values, strict=False)}


def _own_numbers(kind: type[Part]) -> list[Parameter]:
    return [each for each in signature(kind).parameters.values() if each.name not in kind.learnt]


def _text_of(part: Part, of: str) -> str:
    """What `_part_in` reads as this part. Raises ValueError, with a sentence, for what a link can't hold."""
    name = next((name for name, kind in KINDS[of].items() if kind is type(part)), "")
    own = _own_numbers(type(part)) if name else []
    values = [(each.name, getattr(part, each.name)) for each in own]
    beside = {name: value for name, value in vars(part).items() if name not in part.learnt}
    learnt = {"learnt": part.learnt, "formulas": part.formulas} if "learnt" in beside else {}  # of a Linear without b
    if not name or beside != dict(values) | learnt or (learnt and part.formulas != Linear([[1]]).formulas):
        names = ", ".join(KINDS[of])
        if name or part.is_ours:
            raise ValueError(f"A link holds the {of} {names} as they are, and {part!r} has been changed. {_INSTEAD}")
        raise ValueError(
            f"A link holds no code, so no {type(part).__name__} of your own: only the {of} {names}. {_INSTEAD}"
        )
    while values and values[-1][1] == own[len(values) - 1].default:
        values.pop()
    numbers = [value.item() if isinstance(value, np.float64 | np.int64) else value for _, value in values]
    for number in numbers:
        if type(number) not in (int, float) or not abs(number) <= np.finfo(float).max:
            raise ValueError(f"A link holds finite numbers of the kind float64, and {part!r} has others. {_INSTEAD}")
    return f"{name}({','.join(map(repr, numbers))})" if numbers else name


def _parts_of(problem: Problem) -> dict[str, Any]:
    """What `_problem_in` puts together again. Raises ValueError, with a sentence, for what a link can't hold."""
    if isinstance(problem, Program):
        raise ValueError(f"A link holds no lines of your own, only the name of an example. {_INSTEAD}")
    names = [name for stage in problem.stages for name in stage.parameters.values()]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"A link holds each layer once, and the one with {twice} stands in two places. {_INSTEAD}")
    network = ",".join(_text_of(layer, "layers") for layer in problem.network.layers)
    parts: dict[str, Any] = {"network": network, "loss": _text_of(problem.loss, "losses"), "lr": float(problem.lr)}
    if problem.penalty:
        parts["penalty"] = _text_of(problem.penalty, "penalties")
    if (rule := _text_of(problem.optimizer, "optimizers")) != PLAIN:
        parts["optimizer"] = rule
    if (count := problem.state.get("step", 1)) != 1:
        parts["count"] = count
    remembered = {name: problem.state[name] for name in problem.lines.memories if np.any(problem.state[name])}
    arrays = {**problem.data, **problem.parameters, **remembered}
    for name, value in {**arrays, "lr": np.asarray(problem.lr)}.items():
        if value.dtype not in (float, int) or not np.isfinite(value).all():
            raise ValueError(f"A link holds finite numbers of the kind float64, and {name} has others. {_INSTEAD}")
    cells = sum(value.size for value in arrays.values())
    texts = {name: _rows_of(value) for name, value in arrays.items()} if cells < MOST_NUMBERS else {}
    if not texts or sum(map(len, texts.values())) > MOST_NUMBERS:
        what = "X, y, weights and biases" + " and what is remembered" * bool(remembered)
        raise ValueError(
            f"A link holds up to {MOST_NUMBERS:,} characters of {what}, and these {cells:,} numbers take more. "
            f"{_INSTEAD}"
        )
    return texts | parts


_INSTEAD = "As NumPy, behind More, has the whole step as a script."


def _rows_of(array: np.ndarray) -> str:
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
    return urlencode(texts, safe=",;:[]()")


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


def shortened(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
