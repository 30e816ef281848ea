"""One training step as lines of NumPy: what each layer, the loss and the update write, names filled in.

The lines are what a trace runs, and what a learner sees.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Layer
from backprop_lab.nn.lines import (
    NAMESPACE,
    RESERVED,
    CannotBeStackedError,
    Function,
    Part,
    call,
    compiled,
    fields_of,
    function_of,
)
from backprop_lab.nn.losses import Loss
from backprop_lab.nn.optimizers import GradientDescent


class Step(NamedTuple):
    """One named value and how it comes about.

    `code` is the line of NumPy that gives `value`, bit for bit, from the values before it; `operands` are the names in
    it, in order; `phase` is "forward", "loss", "backward" or "update". `kind` is the layer's or loss's class, `result`
    says which of its results this is, such as "dX", by its line `template`; `names` are those around this place, by
    what a template calls them. `role` is "value", "gradient" or "new", and `of` is what it is the gradient of, or what
    it replaces in the next step; "" for a value. `title` and `sentence` are those of a planted mistake. `value` is None
    until it is run.
    """

    name: str
    phase: str
    code: str
    operands: tuple[str, ...]
    kind: type
    result: str
    template: str
    names: Mapping[str, str]
    role: str = "value"
    of: str = ""
    title: str = ""
    sentence: str = ""
    value: Any = None

    def rewritten(self, template: str, title: str, sentence: str) -> "Step":
        """The same step with another line in place of its own. Raises KeyError if it has a name not found here."""
        code, operands = _filled(template, self.names)
        return self._replace(code=code, operands=operands, title=title, sentence=sentence)


class Lines(tuple[Step, ...]):
    """The lines of one training step, in order, and the functions that run them, which are made once and kept."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self)

    @cached_property
    def codes(self) -> tuple[tuple[str, str], ...]:
        return tuple((step.name, step.code) for step in self)

    @cached_property
    def replacing(self) -> dict[str, str]:
        """What a step replaces in the next one: `{"W1": "W1_new", ...}`."""
        return {step.of: step.name for step in self if step.role == "new"}

    @cached_property
    def _functions(self) -> dict[Any, Function]:
        return {}

    def __reduce__(self) -> Any:
        return Lines, (tuple(self),)  # without the functions

    def run(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is given, and after it the value of each line, read-only, from what is given and the values before it.

        A line that uses a later value waits for it. What overflows does so without a warning. Raises ValueError if a
        line uses a name that nothing gives, if lines wait for each other, or, saying which, if NumPy refuses one.
        """
        key = tuple(given)
        if (step := self._functions.get(key)) is None:
            step = self._functions[key] = function_of(self.codes, key, self.names, keep=True)
        values: dict[str, Any] = step(*given.values())
        return values

    def function(self, results: tuple[str, ...], given: tuple[str, ...], stacked: bool = False) -> Function:
        """Some results as a function of what is given, all of it matrices and a learning rate, or stacks of them.

        Raises CannotBeStackedError if a line does what nobody has said how to do for many problems at once.
        """
        key = results, given, stacked
        if (step := self._functions.get(key)) is None:
            dimensions = tuple((name, 0 if name == "lr" else 2) for name in given) if stacked else None
            step = self._functions[key] = function_of(self.codes, given, results, dimensions)
        return step

    def call(
        self, results: tuple[str, ...], given: Mapping[str, Any], flat: Container[str] = (), analytic: bool = False
    ) -> list[Any]:
        """Some results; where a matrix that is given, or a row if it is `flat`, is a stack, (S, ...), stacks of them.

        With `analytic`, for a complex step: see `function_of`.
        """
        if not analytic and all(np.ndim(value) <= 2 - (name in flat) for name, value in given.items()):
            return [*self.function(results, tuple(given))(*given.values())]
        dimensions = {name: 1 if name in flat else 2 for name in given} | {"lr": 0}
        return call(self.codes, results, given, dimensions, analytic)

    def can_be_stacked(self, given: Mapping[str, Any]) -> bool:
        """Whether the whole step takes many problems at once, all of whose parameters are matrices, as these are."""
        try:
            self.function(("L", *self.replacing.values()), tuple(given), stacked=True)
        except CannotBeStackedError:
            return False
        return all(np.ndim(value) == 2 for name, value in given.items() if name != "lr")


class Stage(NamedTuple):
    """A layer in its place: the names of what enters and leaves it, and the number of its parameters."""

    layer: Layer
    X: str
    Y: str
    number: int


_DESCENT = GradientDescent()


def stages_of(layers: Sequence[Layer]) -> list[Stage]:
    """Each layer with its names and its number, such as `Stage(relu, "Y1", "H1", 1)`.

    A number starts anew where a parameter's letter is taken under it, so W1 b1 gamma1 beta1 W2 b2; it is 0 before any.
    What comes out last is `y_pred`. A further value of one name takes b, c ... behind it, such as `H1b`.
    """
    stages: list[Stage] = []
    taken: set[str] = set()
    number, under, entering = 0, set[str](), "X"
    for at, layer in enumerate(layers, 1):
        if layer.learnt and (number == 0 or under & {*layer.learnt}):
            number, under = number + 1, set()
        under |= {*layer.learnt}
        letter = layer.letter or ("Y" if layer.learnt else "H")
        leaving = "y_pred" if at == len(layers) else _free(f"{letter}{number}", taken)
        stages.append(Stage(layer, entering, leaving, number))
        entering = leaving
    return stages


def _free(name: str, taken: set[str]) -> str:
    """A name that no other value has: the name itself, or with b, c ... behind it. It is taken then."""
    free = next(each for each in chain([name], (f"{name}{chr(at)}" for at in range(98, 1000))) if each not in taken)
    taken.add(free)
    return free


def lines_of(stages: Sequence[Stage], loss: Loss, optimizer: Part = _DESCENT) -> Lines:
    """The lines of one training step, in order: forward, loss, backward, update; their values are still to come.

    What only the gradient of X needs is left out: nothing needs that one. Raises ValueError if a layer or the loss
    lacks a line, if a line uses a name that is not there, or if two values have one name.
    """
    forward: list[Step] = []
    backward: list[Step] = []
    update: list[Step] = []
    taken = {stage.Y for stage in stages}
    for at, stage in enumerate(stages):
        layer, X, Y, number = stage
        letters = tuple(layer.learnt)
        if reserved := {"X", "Y", "lr"} & {*letters}:
            raise ValueError(
                f"{layer!r} calls a parameter {', '.join(reserved)}, which is what lines call something else"
            )
        formulas = _formulas(layer, ("Y", "dX", *(f"d{p}" for p in letters)))
        parameters = {p: f"{p}{number}" for p in letters}
        values = {"X": X, "Y": Y} | parameters
        before_Y, after_Y = _parted(formulas, "Y")
        values |= {line: _free(f"{line}{number}", taken) for line in before_Y if line != "Y"}
        gradients = {f"d{value}": value for value in values}
        results = {"Y": Y, "dX": f"d{X}", **{f"d{p}": f"d{name}" for p, name in parameters.items()}}
        for line in after_Y:
            if line not in results:
                is_gradient = line in gradients
                results[line] = f"d{values[gradients[line]]}" if is_gradient else _free(f"{line}{number}", taken)
        names = {"lr": "lr", **_around(stages, at), **parameters, **values, **results}
        names |= {"X": X, "dY": f"d{Y}", **layer.own_numbers()}
        of_parameter = {p: {"p": name, "dp": f"d{name}", "new": f"{name}_new"} for p, name in parameters.items()}
        first = next(iter(letters), "")
        wanted = _wanted(layer, after_Y, has_learnt_before=any(before.layer.learnt for before in stages[:at]))
        found: list[Step] = []
        for result, template in formulas.items():
            of = gradients.get(result, "")
            here = of_parameter.get(of, of_parameter.get(first, {})) | names
            if result in before_Y:
                forward.append(_line("forward", layer, result, template, values[result], here))
            elif result in wanted:
                found.append(_line("backward", layer, result, template, results[result], here, values.get(of, "")))
        backward[:0] = found
        for around in of_parameter.values():
            template = optimizer.formulas["new"]
            here = around | {"lr": "lr"} | optimizer.own_numbers()
            update.append(_line("update", optimizer, "new", template, around["new"], here, around["p"]))

    names = {name: name for name in ("y_pred", "y", *loss.formulas)} | loss.own_numbers()
    formulas = _formulas(loss, ("L", "dy_pred"))
    before_L, after_L = _parted(formulas, "L")
    _wanted(loss, after_L, has_learnt_before=True)
    gradients = {f"d{value}": value for value in ("y_pred", *before_L)}
    losses = [
        _line("loss" if result in before_L else "backward", loss, result, template, result, names,
              "" if result in before_L else gradients.get(result, ""))
        for result, template in formulas.items()
    ]  # fmt: skip
    lines = Lines((*forward, *losses, *backward, *update))
    _check_names(["X", "y", *(f"{p}{stage.number}" for stage in stages for p in stage.layer.learnt), "lr"], lines)
    return lines


def _parted(formulas: Mapping[str, str], last: str) -> tuple[list[str], list[str]]:
    """The results up to the one that leaves a part, Y or L, and those after it."""
    names = list(formulas)
    return names[: names.index(last) + 1], names[names.index(last) + 1 :]


def _wanted(part: Part, backward: Sequence[str], has_learnt_before: bool) -> set[str]:
    """The lines of a part's backward pass that somebody needs: without a parameter before it, not dX and what is for it
    alone. Raises ValueError for a line that nothing needs in any case."""
    fields = {line: {*fields_of(part.formulas[line])} - {line} for line in backward}

    def needed_by(results: set[str]) -> set[str]:
        while more := {line for line in backward if any(line in fields[each] for each in results)} - results:
            results = results | more
        return results

    last = {"dX", "dy_pred", *(f"d{p}" for p in part.learnt)} & {*backward}
    if idle := [line for line in backward if line not in needed_by(last)]:
        raise ValueError(f"{part!r} has a line for {', '.join(idle)}, where nothing needs it")
    return needed_by(last if has_learnt_before else last - {"dX"})


def _line(
    phase: str, source: Part, result: str, template: str, name: str, names: Mapping[str, str], of: str = ""
) -> Step:
    names = {"name": name, **names}
    try:
        code, operands = _filled(template, names)
    except KeyError as missing:
        raise ValueError(
            f"the line for {result} of {source!r}, {template!r}, uses {missing.args[0]!r}, which is neither a value "
            f"there nor a number that it has"
        ) from None
    compiled(code)
    role = {"backward": "gradient", "update": "new"}[phase] if of else "value"
    return Step(name, phase, code, operands, type(source), result, template, names, role, of)


def _filled(template: str, names: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The code with names filled in, and those that are names of values. Raises KeyError for one that is missing."""
    words = dict.fromkeys(names[field] for field in fields_of(template))
    return template.format_map(names), tuple(word for word in words if word.isidentifier() and word not in RESERVED)


def _formulas(part: Part, results: tuple[str, ...]) -> Mapping[str, str]:
    """The formulas of a layer or a loss. Raises ValueError if a line is missing."""
    if missing := [result for result in results if result not in part.formulas]:
        raise ValueError(
            f"{part!r} has no line for {', '.join(missing)}: its formulas need one for each of {', '.join(results)}"
        )
    return part.formulas


def _around(stages: Sequence[Stage], at: int) -> dict[str, str]:
    """The names that a mistake may use by confusion: `X_raw` entered the activation that gave X, `X_other` enters
    another layer with parameters, and `dY_out` is the gradient on the far side of the activation that Y enters."""
    names = {}
    before = [other.X for other in stages[:at] if other.layer.learnt]
    after = [other.X for other in stages[at + 1 :] if other.layer.learnt]
    if before or after:
        names["X_other"] = (before[-1:] + after)[0]
    if at > 0 and not stages[at - 1].layer.learnt:
        names["X_raw"] = stages[at - 1].X
    if at + 1 < len(stages) and not stages[at + 1].layer.learnt:
        names["dY_out"] = f"d{stages[at + 1].Y}"
    return names


def _check_names(given: Iterable[str], lines: Lines) -> None:
    """Raise ValueError unless every value has a name of its own, which can stand in a line of Python."""
    taken = set(NAMESPACE)
    for name in (*given, *lines.names):
        if name in taken:
            raise ValueError(
                f"two values would be called {name}: call a parameter or a line of the loss something else"
            )
        if not name.isidentifier() or name in RESERVED:
            raise ValueError(f"{name!r} cannot be the name of a value in a line of Python")
        taken.add(name)
