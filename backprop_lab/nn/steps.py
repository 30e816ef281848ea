"""One training step as lines of NumPy: what each layer, the loss and the update write, names filled in.

The lines are what a trace runs, and what a learner sees.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Layer
from backprop_lab.nn.lines import (
    NAMESPACE,
    RESERVED,
    CannotBeStackedError,
    Function,
    Part,
    as_term,
    call,
    compiled,
    fields_of,
    function_of,
    names_in,
)
from backprop_lab.nn.losses import Loss
from backprop_lab.nn.optimizers import DECAY, GradientDescent, Optimizer
from backprop_lab.nn.penalties import Penalty

NO_DIMENSIONS: Mapping[str, int] = MappingProxyType({})
AGAIN = "_again"  # behind what a line calls the values around a further place of its layer
SCALARS = ("lr", "step")  # what is one number to a problem, and to all runs of a stack


class Beside(NamedTuple):
    """What a penalty or a decay adds to the line of another part, such as `+` and `2 * 0.1 * W1`.

    `kind` is the class that it is of, and `result` says which of its lines this is, by its `template`; `numbers` are
    its own, and `names` what its template calls the values around it.
    """

    kind: type
    result: str
    sign: str
    template: str
    names: Mapping[str, str]
    numbers: Container[str] = ()


class Step(NamedTuple):
    """One named value and how it comes about.

    `code` is the line of NumPy that gives `value`, bit for bit, from the values before it; `operands` are the names in
    it, in order; `phase` is "forward", "loss", "backward" or "update". `kind` is the layer's or loss's class, `result`
    says which of its results this is, such as "dX", by its line `template`; `names` are those around this place, by
    what a template calls them. `role` is "value", "gradient" or "new", and `of` is what it is the gradient of, or what
    it replaces in the next step; "" for a value. `beside` is what a penalty or a decay adds to the line, if one does.
    `title` and `sentence` are those of a planted mistake; `paths` has, for a gradient that was derived, the rules that
    made it: see `deriving.program.Derived`. `note` is what its author says of a line of a program. `value` is None
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
    beside: Beside | None = None
    title: str = ""
    sentence: str = ""
    paths: tuple[Any, ...] = ()
    note: str = ""
    value: Any = None

    @property
    def adds_up_places(self) -> bool:
        """Whether it adds up what a parameter gets at each place of its layer, which stands in several."""
        return any(name.endswith(AGAIN) for name in self.names)

    def rewritten(self, template: str, title: str, sentence: str, beside: str | None = None) -> "Step":
        """The same step with another line in place of its own, or with another one `beside` it, "" for none.

        A line with a number of what stands beside it says all of it, and so does one that leaves a parameter as it is.
        Raises KeyError if it has a name not found here.
        """
        kept = self.beside
        says_all = template == "{p}" or any(kept and name in kept.numbers for name in fields_of(template))
        if beside == "" or says_all:
            kept = None
        elif kept and beside:
            kept = kept._replace(template=beside)
        code, operands = _filled(template, self.names, kept)
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
    def memories(self) -> dict[str, str]:
        """What is remembered, and of which parameter: `{"vW1": "W1", ...}`."""
        new = (step for step in self if step.role == "new" and "p" in step.names)
        return {step.of: step.names["p"] for step in new if step.of != step.names["p"]}

    @cached_property
    def count_steps(self) -> bool:
        """Whether a line uses the number of the step."""
        return any("step" in step.operands for step in self)

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

    def function(self, results: tuple[str, ...], given: tuple[str, ...], ranks: tuple[int, ...] = ()) -> Function:
        """Some results as a function of what is given; with its `ranks` to one problem, of stacks of it.

        In a stack what has no axis is (S, 1, 1), and what has one (S, 1, N); the results are (S,) and (S, N).

        Raises CannotBeStackedError if a line does what nobody has said how to do for many problems at once.
        """
        key = results, given, ranks
        if (step := self._functions.get(key)) is None:
            dimensions = tuple(zip(given, ranks, strict=True)) if ranks else None
            step = self._functions[key] = function_of(self.codes, given, results, dimensions)
        return step

    def call(
        self,
        results: tuple[str, ...],
        given: Mapping[str, Any],
        dimensions: Mapping[str, int] = NO_DIMENSIONS,
        analytic: bool = False,
    ) -> list[Any]:
        """Some results; where what is given is a stack, (S, ...), stacks of them.

        `dimensions` says how many each has to one problem, where it is no matrix. With `analytic`, for a complex step:
        see `function_of`.
        """
        known = dict.fromkeys(given, 2) | dict.fromkeys(SCALARS, 0) | dict(dimensions)
        if not analytic and all(np.ndim(value) <= known[name] for name, value in given.items()):
            return [*self.function(results, tuple(given))(*given.values())]
        return call(self.codes, results, given, known, analytic)

    def not_stacked(self, given: Mapping[str, Any], loss: str = "L") -> str:
        """The line that keeps a step from taking many problems at once, whose arrays have as many axes as these.

        "" if there is none.
        """
        try:
            self.function((loss, *self.replacing.values()), tuple(given), tuple(map(np.ndim, given.values())))
        except CannotBeStackedError as error:
            return str(error)
        return ""


class Stage(NamedTuple):
    """A layer in its place: the names of what enters and leaves it, its number, and the names of its parameters.

    Those of a layer that stands in two places are called after the first: {"W": "W1", "b": "b1"}.
    """

    layer: Layer
    X: str
    Y: str
    number: int
    parameters: dict[str, str]


_DESCENT = GradientDescent()


def stages_of(layers: Sequence[Layer]) -> list[Stage]:
    """Each layer with its names and its number, such as `Stage(relu, "Y1", "H1", 1, {})`.

    A number starts anew where a parameter's letter is taken under it, so W1 b1 gamma1 beta1 W2 b2; it is 0 before any.
    What comes out last is `y_pred`. A further value of one name takes b, c ... behind it, such as `H1b`.
    """
    stages: list[Stage] = []
    taken: set[str] = set()
    number, under, entering = 0, set[str](), "X"
    before: dict[int, dict[str, str]] = {}  # the parameters of each layer; two of one class are two
    for at, layer in enumerate(layers, 1):
        if layer.learnt and (number == 0 or under & {*layer.learnt}):
            number, under = number + 1, set()
        under |= {*layer.learnt}
        letter = layer.letter or ("Y" if layer.learnt else "H")
        leaving = "y_pred" if at == len(layers) else _free(f"{letter}{number}", taken)
        names = {p: f"{p}{number}" for p in layer.learnt}
        names = names if isinstance(layer, type) else before.setdefault(id(layer), names)
        stages.append(Stage(layer, entering, leaving, number, names))
        entering = leaving
    return stages


def _free(name: str, taken: set[str]) -> str:
    """A name that no other value has: the name itself, or with b, c ... behind it. It is taken then."""
    free = next(each for each in chain([name], (f"{name}{chr(at)}" for at in range(98, 1000))) if each not in taken)
    taken.add(free)
    return free


def masks_of(stages: Sequence[Stage]) -> dict[int, str]:
    """The names of what layers draw in a step, such as `mask1`, by the place of the layer."""
    taken: set[str] = set()
    return {at: _free(f"mask{s.number}", taken) for at, s in enumerate(stages) if hasattr(s.layer, "drawn")}


def lines_of(
    stages: Sequence[Stage], loss: Loss, penalty: Penalty | None = None, optimizer: Optimizer = _DESCENT
) -> Lines:
    """The lines of one training step, in order: forward, loss, backward, update; their values are still to come.

    What only the gradient of X needs is left out: nothing needs that one. Raises ValueError if a part lacks a line, if
    a line uses a name that is not there, or if two values have one name.
    """
    forward: list[Step] = []
    backward: list[Step] = []
    update: list[Step] = []
    masks = masks_of(stages)
    taken = {*(stage.Y for stage in stages), *masks.values()}
    numbers = penalty.own_numbers() if penalty else {}
    every = [*dict.fromkeys(chain(*(stage.parameters.values() for stage in stages)))]
    penalised = _penalised(stages)
    if penalty and not penalised:
        raise ValueError(f"{penalty!r} acts on nothing: no layer says which of its parameters are `penalised`")
    for at, (layer, X, Y, number, parameters) in enumerate(stages):
        letters = tuple(layer.learnt)
        if reserved := {"X", "Y", "lr"} & {*letters}:
            raise ValueError(
                f"{layer!r} calls a parameter {', '.join(reserved)}, which is what lines call something else"
            )
        formulas = _formulas(layer, ("Y", "dX", *(f"d{p}" for p in letters)))
        values = {"X": X, "Y": Y} | parameters
        before_Y, after_Y = _parted(formulas, "Y")
        values |= {line: _free(f"{line}{number}", taken) for line in before_Y if line != "Y"}
        gradients = {f"d{value}": value for value in values}
        results = {"Y": Y, "dX": f"d{X}", **{f"d{p}": f"d{name}" for p, name in parameters.items()}}
        for line in after_Y:
            if line not in results:
                is_gradient = line in gradients
                results[line] = f"d{values[gradients[line]]}" if is_gradient else _free(f"{line}{number}", taken)
        names = {"lr": "lr", **_around(stages, at), **numbers, **parameters, **values, **results}
        names |= {"X": X, "dY": f"d{Y}", **({"mask": masks[at]} if at in masks else {}), **layer.own_numbers()}
        of_parameter = {p: {"p": name, "dp": f"d{name}", "new": f"{name}_new"} for p, name in parameters.items()}
        first = next(iter(letters), "")
        wanted = _wanted(layer, after_Y, has_learnt_before=any(before.layer.learnt for before in stages[:at]))
        places = {step.name: place for place, step in enumerate(backward)}
        found: list[Step] = []
        for result, template in formulas.items():
            of = gradients.get(result, "")
            here = of_parameter.get(of, of_parameter.get(first, {})) | names
            if result in before_Y:
                forward.append(_line("forward", layer, result, template, values[result], here))
            elif result in wanted:
                beside = None
                if penalty and of in parameters and parameters[of] in penalised:
                    beside = _beside(penalty, "dp", "+", penalty.formulas["dp"], {"p": parameters[of]})
                name = results[result]
                if name in places:
                    backward[places[name]] = _with_another_place(backward[places[name]], layer, template, here)
                else:
                    found.append(_line("backward", layer, result, template, name, here, values.get(of, ""), beside))
        backward[:0] = found
        for around in of_parameter.values():
            if around["dp"] not in places:
                update += update_lines(optimizer, around, around["p"] in penalised)

    names = {name: name for name in ("y_pred", "y", *loss.formulas)} | loss.own_numbers()
    formulas = _formulas(loss, ("L", "dy_pred"))
    before_L, after_L = _parted(formulas, "L")
    _wanted(loss, after_L, has_learnt_before=True)
    gradients = {f"d{value}": value for value in ("y_pred", *before_L)}
    losses: list[Step] = []
    for result, template in formulas.items():
        beside = None
        if penalty and result == "L":
            losses.append(_penalty_line(penalty, penalised, every))
            beside = _beside(penalty, "L", "+", "{R}", {"R": "R"})
        phase, of = ("loss", "") if result in before_L else ("backward", gradients.get(result, ""))
        losses.append(_line(phase, loss, result, template, result, names, of, beside))
    lines = Lines((*forward, *losses, *backward, *update))
    given = (*every, *lines.memories, *masks.values())
    counted = ["step"] if masks or lines.count_steps else []
    check_names(["X", "y", *given, "lr", *counted], lines)
    return lines


def _with_another_place(step: Step, layer: Layer, template: str, names: Mapping[str, str]) -> Step:
    """The gradient of a parameter whose layer stands in one more place: with what it gets there added."""
    fields = {name: name + AGAIN for name in fields_of(template)}
    while {*fields.values()} & step.names.keys():
        fields = {name: again + AGAIN for name, again in fields.items()}
    there = {again: names[name] for name, again in fields.items()}
    both = f"{as_term(step.template)} + {as_term(template.format_map({n: f'{{{a}}}' for n, a in fields.items()}))}"
    return _line("backward", layer, step.result, both, step.name, {**step.names, **there}, step.of, step.beside)


def _penalised(stages: Sequence[Stage]) -> tuple[str, ...]:
    """The names of the parameters that a penalty and a decay act on."""
    names = []
    for layer, _, _, _, parameters in stages:
        if unknown := [p for p in layer.penalised if p not in parameters]:
            raise ValueError(f"{layer!r} says that {', '.join(unknown)} is penalised, but it is no parameter of it")
        names += [parameters[p] for p in layer.penalised]
    return tuple(dict.fromkeys(names))


def _penalty_line(penalty: Penalty, penalised: Sequence[str], parameters: Sequence[str]) -> Step:
    """The line for R; a mistake may take `{all_sizes}`, in which the parameters are that are not penalised."""
    formulas = _formulas(penalty, ("size", "R", "dp"))

    def added(names: Sequence[str]) -> str:
        sizes = [formulas["size"].format_map(penalty.own_numbers() | {"p": name}) for name in names]
        return f"({' + '.join(map(as_term, sizes))})" if len(sizes) > 1 else sizes[0]

    names = {"R": "R", "sizes": added(penalised), "all_sizes": added(parameters)} | penalty.own_numbers()
    return _line("loss", penalty, "R", formulas["R"], "R", names)


def update_lines(optimizer: Optimizer, around: Mapping[str, str], is_penalised: bool) -> list[Step]:
    """The lines that move a parameter, and what is remembered of it."""
    formulas = _formulas(optimizer, ("new", *(f"{memory}_new" for memory in optimizer.memory)))
    memories = {memory: f"{memory}{around['p']}" for memory in optimizer.memory}
    between = {line: f"{line}{around['p']}" for line in formulas if line != "new"}
    names = {**around, "lr": "lr", **between, **memories, **{f"{m}_new": f"{name}_new" for m, name in memories.items()}}
    if any("step" in fields_of(template) for template in formulas.values()):
        names["step"] = "step"
    numbers = optimizer.own_numbers()
    beside = None
    if is_penalised and "decay" in numbers:
        beside = _beside(optimizer, "decay", "-", DECAY, {"lr": "lr", "p": around["p"]}, ("decay",))
    else:
        numbers.pop("decay", None)
    replaced = {"new": around["p"], **{f"{memory}_new": name for memory, name in memories.items()}}
    return [
        _line("update", optimizer, line, template, names[line], names | numbers, replaced.get(line, ""),
              beside if line == "new" else None)
        for line, template in formulas.items()
    ]  # fmt: skip


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
    phase: str,
    source: Part,
    result: str,
    template: str,
    name: str,
    names: Mapping[str, str],
    of: str = "",
    beside: Beside | None = None,
) -> Step:
    names = {"name": name, **names}
    try:
        code, operands = _filled(template, names, beside)
    except KeyError as missing:
        raise ValueError(
            f"the line for {result} of {source!r}, {template!r}, uses {missing.args[0]!r}, which is neither a value "
            f"there nor a number that it has"
        ) from None
    compiled(code)
    role = {"backward": "gradient", "update": "new"}[phase] if of else "value"
    return Step(name, phase, code, operands, type(source), result, template, names, role, of, beside)


def _beside(
    part: Part, result: str, sign: str, template: str, names: Mapping[str, str], numbers: tuple[str, ...] = ()
) -> Beside:
    own = part.own_numbers()
    return Beside(type(part), result, sign, template, {**names, **own}, numbers or tuple(own))


def _filled(template: str, names: Mapping[str, str], beside: Beside | None = None) -> tuple[str, tuple[str, ...]]:
    """The code with names filled in, and those that are names of values. Raises KeyError for one that is missing."""
    code = template.format_map(names)
    if beside:
        code = f"{as_term(code)} {beside.sign} {as_term(beside.template.format_map(beside.names))}"
    return code, tuple(name for name in names_in(code) if name not in RESERVED and name not in NAMESPACE)


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


def check_names(given: Iterable[str], lines: Lines) -> None:
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
