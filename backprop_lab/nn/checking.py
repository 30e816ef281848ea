"""What is refused as a part of a network or a problem, and what to write in its place."""

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from inspect import signature
from string import Formatter
from typing import Any

import numpy as np

from backprop_lab.nn.layers import Layer
from backprop_lab.nn.lines import IN_BRACES, Named, Part, formulas_of, names_in, tree_of
from backprop_lab.nn.losses import LOSSES, Loss
from backprop_lab.nn.optimizers import Optimizer
from backprop_lab.nn.penalties import Penalty

METHODS: dict[type[Part], tuple[str, ...]] = {
    Layer: ("forward", "backward", "gradients", "parameters", "with_parameters"),
    Loss: ("value", "gradient"),
    Penalty: (),
    Optimizer: (),
}
PLACES: dict[type[Part], str] = {
    Layer: "a layer stands in the list of a network, as in Network([Linear(W, b), ReLU()])",
    Loss: "a loss is given to the problem, as in Problem(network, loss, X, y, lr)",
    Penalty: "a penalty is given to the problem, as in Problem(network, loss, X, y, lr, penalty=L2(0.1))",
    Optimizer: "an optimizer is given to the problem, as in Problem(network, loss, X, y, lr, optimizer=Adam())",
}


def check_part(part: Any, base: type[Part], what: str, such_as: str) -> None:
    """Raise ValueError, saying what to write, unless a part is made of lines, and of lines alone."""
    if isinstance(part, type):
        raise ValueError(f"{what} is the class {part.__name__} itself: write {_made(part)}, which makes one")
    if not isinstance(part, base):
        if instead := _instead(part, base, such_as):
            raise ValueError(f"{what} is {in_short(part)}: {instead}")
        raise ValueError(
            f"{what} is {part!r}, and not made of lines: derive its class from {base.__name__}, and give it formulas, "
            f"as {such_as} has"
        )
    own = [name for name in METHODS[base] if getattr(type(part), name) is not getattr(base, name)]
    if own:
        methods = " and ".join(own)
        raise ValueError(f"{type(part).__name__} has {methods} beside its lines, which say it all: delete {methods}")
    if base is Layer:  # the others are asked once their lines are written
        check_formulas(part)
        if reserved := {"X", "Y", "lr"} & {*part.learnt}:
            raise ValueError(
                f"{part!r} calls a parameter {', '.join(reserved)}, and lines use that name for something else"
            )
        formulas_of(part, ("Y", "dX", *(f"d{name}" for name in part.learnt)))


def check_formulas(part: Part) -> None:
    """Raise ValueError, saying what to write, unless the formulas of a part are lines of NumPy by name."""
    formulas: Any = part.formulas
    is_text = isinstance(formulas, Mapping) and all(isinstance(each, str) for pair in formulas.items() for each in pair)
    if not is_text:
        raise ValueError(
            f"the formulas of {part!r} must be a dictionary, with the text of a line for each result, such as "
            f"{{'Y': '2 * {{X}}', 'dX': '2 * {{dY}}'}}; got {formulas!r}"
        )
    values = ("X", "Y", *part.learnt, *formulas, *vars(part)) if isinstance(part, Layer) else ()
    if wrong := _wrong_with((*formulas.items(),), frozenset(values)):
        result, why = wrong
        raise ValueError(f"the line for {result} of {part!r}, {formulas[result]!r}, {why}")


@lru_cache(maxsize=256)
def _wrong_with(formulas: Named, values: frozenset[str]) -> tuple[str, str] | None:
    """The first line that cannot be meant so, by its result, and why; `values` are what only braces stand for."""
    for result, template in formulas:
        try:
            _ = [*Formatter().parse(template)]
        except ValueError:
            return result, "has a brace without another one; braces of Python itself are doubled, as in {{1, 2}}"
        with suppress(ValueError):  # what is no Python is told with its names filled in
            code = IN_BRACES.sub(lambda found: found[0][0] if found[1] is None else f"_{found[1]}_", template)
            powers = (each for each in ast.walk(tree_of(code)) if isinstance(each, ast.BinOp))
            if any(isinstance(each.op, ast.BitXor) and isinstance(each.right, ast.Constant) for each in powers):
                return result, "has ^: a power is written with **"
            bare = [name for name in names_in(code) if name in values or (name[:1] == "d" and name[1:] in values)]
            if bare:
                return result, f"has {bare[0]} without braces: {{{bare[0]}}} stands for what is called so at its place"
    return None


def in_short(value: Any) -> str:
    """A value as an error names it, in few characters."""
    if isinstance(value, type):
        return value.__name__
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else " ".join(f"{value!r}".split())[:80]


def _instead(part: Any, base: type[Part], such_as: str) -> str:
    """What to write in place of what is no part of this kind; "" where nobody can tell."""
    name = part if isinstance(part, str) else getattr(part, "__name__", "")
    if isinstance(part, str) and base is Loss and part in LOSSES:
        return f"write LOSSES[{part!r}]"
    if meant := next((each for each in _kinds_of(base) if name and name.lower() in _short(each)), None):
        return f"write {_made(meant)}"
    if base is Penalty and isinstance(part, int | float) and not isinstance(part, bool):
        return f"write L2({part!r})"
    if part is None or isinstance(part, str):
        return f"write one such as {such_as}()" + ", or leave it out" * (base is Optimizer)
    if place := next((place for kind, place in PLACES.items() if isinstance(part, kind)), ""):
        return place
    if type(part).__module__.startswith("torch."):
        return "that is PyTorch's, and from_torch(module, X, y, loss) takes a module with its loss"
    if base is not Layer:
        return ""
    if isinstance(getattr(part, "layers", None), tuple):
        return "*network.layers puts the layers of a network into the list of another one"
    if isinstance(part, list | tuple):
        return "leave its brackets out, as all layers stand in one list"
    return "Linear(W, b) is a layer that has such weights" if isinstance(part, np.ndarray) else ""


def _short(kind: type) -> tuple[str, str]:
    """The name of a class in small letters, and its initials, such as mse."""
    return kind.__name__.lower(), "".join(filter(str.isupper, kind.__name__)).lower()


def _kinds_of(base: type[Part]) -> Iterator[type[Part]]:
    """The public classes derived from this one."""
    for each in base.__subclasses__():
        yield from () if each.__name__.startswith("_") else (each,)
        yield from _kinds_of(each)


def _made(kind: type) -> str:
    """How one of a class is made, such as `Linear(W, b)`."""
    return f"{kind.__name__}({', '.join(getattr(kind, 'learnt', ()) or _asked_for(kind))})"


def _asked_for(kind: type) -> list[str]:
    """What a class must be given to make one of it."""
    return [
        n for n, p in signature(kind).parameters.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
