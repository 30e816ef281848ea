"""The lines of one training step of layers in a row and a loss: what each layer, the loss and the update write, names
filled in."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain

from backprop_lab.nn.layers import Layer
from backprop_lab.nn.lines import Part, as_term, compiled, fields_of, formulas_of
from backprop_lab.nn.losses import Loss
from backprop_lab.nn.optimizers import DECAY, GradientDescent, Optimizer
from backprop_lab.nn.penalties import Penalty
from backprop_lab.nn.running import needed
from backprop_lab.nn.steps import AGAIN, Beside, Lines, Stage, Step, check_names, filled, free, masks_of

_DESCENT = GradientDescent()
SLOPE = re.compile(r"\{dY\} \* ((?:(?: \* )?(?:\{\w\}|\([^()]*\)))+)")  # of a line that multiplies by it, and by no sum


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
        formulas = formulas_of(layer, ("Y", "dX", *(f"d{p}" for p in letters)))
        values = {"X": X, "Y": Y} | parameters
        before_Y, after_Y = _parted(formulas, "Y")
        values |= {line: free(f"{line}{number}", taken) for line in before_Y if line != "Y"}
        gradients = {f"d{value}": value for value in values}
        results = {"Y": Y, "dX": f"d{X}", **{f"d{p}": f"d{name}" for p, name in parameters.items()}}
        for line in after_Y:
            if line not in results:
                is_gradient = line in gradients
                results[line] = f"d{values[gradients[line]]}" if is_gradient else free(f"{line}{number}", taken)
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
                if penalty and around["p"] in penalised:
                    around["of_penalty"] = penalty.formulas["dp"].format_map({**around, **penalty.own_numbers()})
                update += update_lines(optimizer, around, around["p"] in penalised)

    names = {name: name for name in ("y_pred", "y", *loss.formulas)} | loss.own_numbers()
    formulas = formulas_of(loss, ("L", "dy_pred"))
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
            raise ValueError(f"{layer!r} says that {', '.join(unknown)} is penalised, but it has no such parameter")
        names += [parameters[p] for p in layer.penalised]
    return tuple(dict.fromkeys(names))


def _penalty_line(penalty: Penalty, penalised: Sequence[str], parameters: Sequence[str]) -> Step:
    """The line for R; a mistake may take `{all_sizes}`, in which the parameters are that are not penalised."""
    formulas = formulas_of(penalty, ("size", "R", "dp"))

    def added(names: Sequence[str]) -> str:
        sizes = [formulas["size"].format_map(penalty.own_numbers() | {"p": name}) for name in names]
        return f"({' + '.join(map(as_term, sizes))})" if len(sizes) > 1 else sizes[0]

    names = {"R": "R", "sizes": added(penalised), "all_sizes": added(parameters)} | penalty.own_numbers()
    return _line("loss", penalty, "R", formulas["R"], "R", names)


def update_lines(optimizer: Optimizer, around: Mapping[str, str], is_penalised: bool) -> list[Step]:
    """The lines that move a parameter, and what is remembered of it."""
    formulas = formulas_of(optimizer, ("new", *(f"{memory}_new" for memory in optimizer.memory)))
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
    uses = {line: fields_of(part.formulas[line]) for line in backward}
    last = {"dX", "dy_pred", *(f"d{p}" for p in part.learnt)}
    if idle := [line for line in backward if line not in needed(uses, last)]:
        raise ValueError(f"{part!r} has a line for {', '.join(idle)}, where nothing needs it")
    return needed(uses, last if has_learnt_before else last - {"dX"})


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
        code, operands = filled(template, names, beside)
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


def _around(stages: Sequence[Stage], at: int) -> dict[str, str]:
    """The names that a mistake may use by confusion: `X_raw` entered the `X_layer` that gave X, `X_other` enters
    another layer with parameters, and `dY_out` is the gradient on the far side of the `dY_layer` that Y enters, whose
    slope is `up_slope`; at the last layer `target` is y. A layer is called "activation" or, if it is none, by the name
    of its class."""
    names = {}
    before = [other.X for other in stages[:at] if other.layer.learnt]
    after = [other.X for other in stages[at + 1 :] if other.layer.learnt]
    if before or after:
        names["X_other"] = (before[-1:] + after)[0]
    if at == len(stages) - 1:
        names["target"] = "y"
    if at > 0 and not stages[at - 1].layer.learnt:
        names |= {"X_raw": stages[at - 1].X, "X_layer": _called(stages[at - 1].layer)}
    if at + 1 < len(stages) and not stages[at + 1].layer.learnt:
        activation = stages[at + 1]
        names |= {"dY_out": f"d{activation.Y}", "dY_layer": _called(activation.layer)}
        slope = SLOPE.fullmatch(activation.layer.formulas.get("dX", ""))
        if slope and {*fields_of(slope[1])} <= {"X", "Y"}:
            names["up_slope"] = slope[1].format(X=activation.X, Y=activation.Y)
    return names


def _called(layer: Layer) -> str:
    return "activation" if layer.letter in ("", "H") else type(layer).__name__
