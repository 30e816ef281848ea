"""The classic mistakes of a hand-written backward pass: each one is the wrong line of NumPy that people write.

Where the right line of a layer says `{dY} * ({Y} > 0)`, the mistake says `{dY}`. So the same table names a learner's
mistake, plants it in a whole training step, and proves that our own checks can fail. `{X}`, `{W}`, `{dY}` ... stand for
names as they do in a layer's `formulas`, and more are only for wrong lines: see `Step.names`. A line that lacks one of
its names in some place does not apply there.

A gradient check sees only gradients: it misses a mistake in the reported loss, or in the update.
`INVISIBLE_TO_GRADIENT_CHECK` lists those that it can never see. Nor does it see one that changes nothing where it is
made (a forgotten bias that is still 0, a transpose of one number, a forgotten shift until it overflows, `log-of-zero`,
which then spoils the loss alone), or next to nothing (`updated-weights` at a tiny learning rate). A dropped dimension
has the right numbers: `check_gradients` refuses its shape, but a check that lets NumPy broadcast, as np.allclose does,
accepts it.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_lab.nn.layers import (
    GELU,
    Activation,
    Array,
    BatchNorm,
    Dropout,
    LayerNorm,
    LeakyReLU,
    Linear,
    ReLU,
    Sigmoid,
    Tanh,
)
from backprop_lab.nn.losses import (
    BinaryCrossEntropy,
    HalfSquaredError,
    MeanSquaredError,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumSquaredError,
)
from backprop_lab.nn.optimizers import Adam, GradientDescent, Momentum, Nesterov, Optimizer
from backprop_lab.nn.penalties import L2
from backprop_lab.nn.steps import Lines, Step
from backprop_lab.step.trace import Trace


@dataclass(frozen=True, eq=False)
class Mistake:
    """One mistake: what it is called, what causes it, its symptom on the board, and the lines that make it.

    `title` is for a menu, `resembles` completes "This looks like ...". `lines` has, for each kind of layer or loss and
    each of its results, the wrong line that takes the right one's place, or several ways to write it, of which the
    first is planted; for `GradientDescent` and "new" it is the line of a parameter after the update. Of what a penalty
    or a decay adds to the line of another, `(L2, "dp")` in the gradients, `(L2, "L")` in the loss and
    `(Optimizer, "decay")`, it is the part that is wrong, "" if it is missing. In `resembles`,
    `{line}` is that line. Planted, it is applied everywhere unless `once`: then at the first gradient.
    """

    name: str
    title: str
    resembles: str
    cause: str
    symptom: str
    lines: Mapping[tuple[type, str], str | tuple[str, ...]]
    once: bool = False

    def _rewritten(self, trace: Trace, name: str) -> Iterator[Step]:
        """The step for `name` with each way to write this mistake, not run yet; none where it does not apply."""
        trace[name]
        if name in trace.given:
            return
        step = trace.step(name)
        for kind in step.kind.__mro__:
            formulas = getattr(kind, "formulas", None)
            right = formulas.get(step.result) if isinstance(formulas, Mapping) else None
            templates = self.lines.get((kind, step.result))
            if templates and right in (None, step.template):  # a subclass with its own line has mistakes of its own
                yield from self._written(step, templates)
                return
        if beside := step.beside:
            for kind in beside.kind.__mro__:
                templates, right = (
                    self.lines.get((kind, beside.result)),
                    getattr(kind, "formulas", {}).get(beside.result),
                )
                if templates is not None and right in (None, beside.template):
                    yield from self._written(step, templates, beside=True)
                    return

    def _written(self, step: Step, templates: str | tuple[str, ...], beside: bool = False) -> Iterator[Step]:
        """The step with each of some lines in place of its own, or of what stands beside it."""
        said = self.title, self.cause.replace("`", "")
        for template in (templates,) if isinstance(templates, str) else templates:
            with suppress(KeyError):
                yield step.rewritten(step.template, *said, template) if beside else step.rewritten(template, *said)

    def wrong_lines(self, trace: Trace, name: str) -> tuple[str, ...]:
        """Each way to write this mistake in the line for `name`; none where it does not apply.

        Raises KeyError if the trace has no such name.
        """
        return tuple(step.code for step in self._rewritten(trace, name))

    def wrong_line(self, trace: Trace, name: str) -> str | None:
        """The wrong line of NumPy for `name` that is planted, or None where this mistake does not apply.

        Raises KeyError if the trace has no such name.
        """
        return next((step.code for step in self._rewritten(trace, name)), None)

    def wrong_values(self, trace: Trace, name: str) -> Iterator[tuple[str, Array]]:
        """Each of its wrong lines for `name` that runs, with its value, in any shape."""
        for line in self.wrong_lines(trace, name):
            with suppress(TypeError, ValueError):
                yield line, np.asarray(trace.evaluate(line))

    def wrong_value(self, trace: Trace, name: str) -> Any:
        """What this mistake gives for `name`, in any shape; None where it does not apply or NumPy refuses the line.

        It may be the right value: a transpose forgotten on a single number does no harm.
        """
        line = self.wrong_line(trace, name)
        if line is None:
            return None
        try:
            return trace.evaluate(line)
        except (TypeError, ValueError):
            return None

    def resemblance(self, trace: Trace, name: str, line: str | None = None) -> str:
        """What completes "This looks like ..." where the answer for `name` is what this mistake gives, with `line`.

        Raises KeyError if the trace has no such name.
        """
        trace[name]
        line = self.wrong_line(trace, name) if line is None else line
        line = re.sub(r"^1\.0 \* \((.*)\)$", r"\1", line or "")  # which makes numbers of truth values
        step = trace.step(name)
        beside = step.beside.names if step.beside else {}
        try:
            return self.resembles.format_map({**beside, **step.names, "line": f"`{line}`"})
        except KeyError:
            return self.title

    def titled(self, step: Step) -> str:
        """The title with the names of this line in it: dW2 in place of dW."""
        names = step.names  # which has all that occur in a title of ours
        return re.sub(r"\bd?[Wb]\b", lambda found: names.get(found[0], found[0]), self.title)  # pragma: no mutate

    def possible_at(self, trace: Trace) -> tuple[str, ...]:
        """Every name where this mistake can be planted and changes something."""
        return tuple(step.name for step in trace.steps if _changes(self.wrong_value(trace, step.name), step.value))

    def planted_at(self, trace: Trace) -> tuple[str, ...]:
        """Those of them where it is planted: all, or the first gradient if it is made once."""
        possible = self.possible_at(trace)
        gradients = tuple(name for name in possible if trace.step(name).phase == "backward")
        return (gradients or possible)[:1] if self.once else possible


def plant(trace: Trace, mistake: Mistake, *names: str) -> Trace:
    """The same training step with `mistake` made at `names`, by default wherever `planted_at` says, if anywhere.

    What comes after follows from the wrong values. A planted step shows the wrong line as its code, so the code
    shown is still the code run. Raises ValueError, saying why, where it cannot be planted: it does not apply, NumPy
    refuses the line, or the value has a shape for which the network has no room. Raises KeyError as `trace` does.
    """
    planted: dict[str, Step] = {}
    for name in names or mistake.planted_at(trace):
        step = next(mistake._rewritten(trace, name), None)
        if step is None:
            raise ValueError(f"{mistake.title!r} does not apply to {name} in {trace.problem.network}")
        try:
            wrong = trace.evaluate(step.code)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} = {step.code} cannot be planted, because NumPy refuses it: {error}") from None
        if np.shape(wrong) != np.shape(trace[name]):
            raise ValueError(
                f"{name} = {step.code} cannot be planted: it has shape {np.shape(wrong)}, and {name} has "
                f"{np.shape(trace[name])}"
            )
        planted[name] = step
    if not planted:
        return trace
    return Trace(trace.problem, trace.given, Lines(planted.get(step.name, step) for step in trace.steps))


def _changes(wrong: Any, right: Array) -> bool:
    """Whether `wrong` has the shape of `right` and differs from it by more than rounding does."""
    if wrong is None or np.shape(wrong) != np.shape(right):
        return False
    with np.errstate(all="ignore"):
        return not np.max(np.abs(wrong - right)) <= 1e-12 * np.max(np.abs(right))  # pragma: no mutate  or so


_SMOOTH = ("1 / (1 + np.exp(-{X}))", "np.tanh({X})", "np.log(1 + np.exp({X}))", "np.log(1 + np.exp(-{X}))",
    "{X} / (1 + np.exp(-{X}))", "np.exp({X}) / np.sum(np.exp({X}), axis=1, keepdims=True)")  # fmt: skip


def _of_squares(result: str, *lines: str) -> dict[tuple[type, str], tuple[str, ...]]:
    """The same wrong lines for each loss that squares differences."""
    return {(kind, result): lines for kind in (SumSquaredError, MeanSquaredError, HalfSquaredError)}


def _of_binary(result: str, *lines: str) -> dict[tuple[type, str], tuple[str, ...]]:
    """The same wrong lines for both forms of binary cross-entropy."""
    return {(kind, result): lines for kind in (BinaryCrossEntropy, SigmoidCrossEntropy)}


def _of_steps(*lines: str) -> dict[tuple[type, str], tuple[str, ...]]:
    """The same wrong lines for each optimizer, in which `<step>` is what it multiplies by the learning rate."""
    kinds = (GradientDescent, Momentum, Nesterov, Adam)
    steps = {kind: kind.formulas["new"].removeprefix("{p} - {lr} * ") for kind in kinds}
    return {(kind, "new"): tuple(line.replace("<step>", step) for line in lines) for kind, step in steps.items()}


def _of_norms(result: str, *lines: str) -> dict[tuple[type, str], tuple[str, ...]]:
    """The same wrong lines for both norms: `<n>` is how many numbers are in a mean, `<axis>` what it goes along."""
    along = {BatchNorm: ("len({X})", "0"), LayerNorm: ("{X}.shape[1]", "1")}
    return {
        (kind, result): tuple(line.replace("<n>", n).replace("<axis>", axis) for line in lines)
        for kind, (n, axis) in along.items()
    }


_LEAK = "({Y} > 0) + {slope} * ({Y} <= 0)"
_OF_GELU = "(1 + {T}) / 2 + {X} / 2 * (1 - {T}**2) * math.sqrt(2 / math.pi) * (1 + 0.134145 * {X}**2)"
_DECAYED = "({dp} + {decay} * {p})"  # a gradient with the decay in it
_M, _V = (f"({{b}} * {{{m}}} + (1 - {{b}}) * {_DECAYED}{power})" for m, power in (("m", ""), ("v", "**2")))
_M, _V = _M.replace("{b}", "{beta1}"), _V.replace("{b}", "{beta2}")

_ALL = (
    # Back through the activation
    Mistake(
        name="mask-forgotten",
        title="ReLU mask forgotten",
        resembles="{dY}: the ReLU's mask is missing",
        cause="In the forward pass the ReLU looks like a detail, so its step is left out on the way back.",
        symptom="The gradient under the ReLU's input has numbers in cells where the ReLU's output is 0.",
        lines={(ReLU, "dX"): "{dY}", (LeakyReLU, "dX"): "{dY}"},
    ),
    Mistake(
        name="mask-always-true",
        title="ReLU mask >= 0 of the ReLU's own output",
        resembles=(
            "a mask that asks whether {Y} >= 0: what leaves a ReLU is never negative, so it lets everything through"
        ),
        cause="`>= 0` is harmless on the ReLU's input, but its output is 0 exactly where the unit is off.",
        symptom="The mask has no empty cell, and the gradient passes where the ReLU's output is 0.",
        lines={(ReLU, "dX"): "{dY} * ({Y} >= 0)"},
    ),
    Mistake(
        name="mask-from-gradient",
        title="ReLU applied to the gradient",
        resembles=(
            "{dY} with its negative numbers set to 0: a mask asks which units were on, not which gradients are positive"
        ),
        cause="The ReLU function is already there, so it is applied again on the way back, this time to the gradient.",
        symptom="The gradient under the ReLU's input has no blue cell: every negative number in it has become 0.",
        lines={(ReLU, "dX"): "{dY} * ({dY} > 0)"},
    ),
    Mistake(
        name="mask-from-another-layer",
        title="ReLU mask from another layer's matrix",
        resembles="a mask taken from {X_other}, which is not this ReLU's",
        cause="Where layers are equally wide, a matrix of one fits in the line of another, and no error is raised.",
        symptom="The empty cells of the gradient are not where the ReLU's output is 0.",
        lines={(ReLU, "dX"): "{dY} * ({X_other} > 0)"},
    ),
    Mistake(
        name="mask-upside-down",
        title="ReLU mask upside down",
        resembles="a mask that is upside down: it zeroes the units that were on, and these should pass",
        cause="People remember that a ReLU sets something to 0, and set the wrong half.",
        symptom="The gradient has numbers only where the ReLU's output is 0.",
        lines={
            (ReLU, "dX"): ("{dY} * ({Y} <= 0)", "{dY} * ({Y} < 0)"),
            (LeakyReLU, "dX"): "{dY} * ({Y} <= 0) + {slope} * {dY} * ({Y} > 0)",
        },
    ),
    Mistake(
        name="slope-forgotten",
        title="Slope of the activation forgotten",
        resembles="{dY}: the slope of the activation is missing",
        cause="In the forward pass an activation looks like a detail, so its step is left out on the way back.",
        symptom="The gradients under the activation's input and output are the same, cell for cell.",
        lines={(Tanh, "dX"): "{dY}", (Sigmoid, "dX"): "{dY}", (GELU, "dX"): "{dY}"},
    ),
    Mistake(
        name="slope-of-input",
        title="Slope formula of the output, applied to the input",
        resembles="a slope computed from {X}: the short formula is in terms of the activation's output",
        cause="The slopes 1 - H^2 and H (1 - H) are learned as `1 - x**2` and `x * (1 - x)`, and x is taken literally.",
        symptom=(
            "Where the activation's input is large, the gradient is large or has the wrong sign; it should fade to 0."
        ),
        lines={(Tanh, "dX"): "{dY} * (1 - {X}**2)", (Sigmoid, "dX"): "{dY} * {X} * (1 - {X})"},
    ),
    Mistake(
        name="slope-of-output",
        title="Activation run once more before its slope",
        resembles="a slope taken at {Y}, as if the activation had been run twice",
        cause="A derivative function that expects the input is given the stored output.",
        symptom="No gradient fades to 0, even where the activation's output is at its edge.",
        lines={
            (Tanh, "dX"): "{dY} * (1 - np.tanh({Y})**2)",
            (Sigmoid, "dX"): "{dY} * np.exp(-{Y}) / (1 + np.exp(-{Y}))**2",
        },
    ),
    Mistake(
        name="slope-half-written",
        title="Half of the slope",
        resembles="{line}, which has only part of the slope",
        cause="The square in 1 - H^2 is lost, or the first factor of H (1 - H), or half of the product rule.",
        symptom="The slope grows towards one end of the activation's range; it should be largest in the middle.",
        lines={
            (Tanh, "dX"): "{dY} * (1 - {Y})",
            (Sigmoid, "dX"): ("{dY} * (1 - {Y})", "{dY} * {Y}"),
            (GELU, "dX"): (
                "{dY} * (1 + {T}) / 2",
                "{dY} * ((1 + {T}) / 2 + {X} / 2 * (1 - {T}**2))",
                "{dY} * ((1 + {T}) / 2 + {X} / 2 * (1 - {T}**2) * math.sqrt(2 / math.pi))",
            ),
        },
    ),
    Mistake(
        name="slope-of-tan",
        title="Slope of tan instead of tanh",
        resembles="a slope of 1 + {Y}**2: that is the slope of tan, and tanh flattens out where tan shoots up",
        cause="The two formulas differ by one sign, and the one for tan is learned first, at school.",
        symptom="The gradient grows where the activation's output is near its edges; it should fade there.",
        lines={(Tanh, "dX"): "{dY} * (1 + {Y}**2)"},
    ),
    Mistake(
        name="incoming-gradient-dropped",
        title="Only the slope, without the gradient that comes in",
        resembles="the slope alone: {dY}, the gradient that comes back, is missing",
        cause="The derivative of the activation is taken for the whole answer, but the chain rule has two factors.",
        symptom="The gradient has no negative number, and does not change when the target does.",
        lines={
            (ReLU, "dX"): "1.0 * ({Y} > 0)",
            (Tanh, "dX"): "1 - {Y}**2",
            (Sigmoid, "dX"): "{Y} * (1 - {Y})",
            (LeakyReLU, "dX"): _LEAK,
            (GELU, "dX"): _OF_GELU,
        },
    ),
    Mistake(
        name="matmul-for-star",
        title="@ where * was meant",
        resembles="a matrix product with the activation's slope: each cell has its own slope, so it takes `*`",
        cause="Most products of the backward pass take an `@`, and with as many samples as units this one runs too.",
        symptom=(
            "Rows mix: a sample's gradient depends on other samples. With a ReLU, a unit that was off for one sample "
            "and on for another has numbers for both."
        ),
        lines={
            (ReLU, "dX"): ("{dY} @ ({Y} > 0)", "{dY} @ ({Y} > 0).mT"),
            (Tanh, "dX"): "{dY} @ (1 - {Y}**2)",
            (Sigmoid, "dX"): "{dY} @ ({Y} * (1 - {Y}))",
            (LeakyReLU, "dX"): f"{{dY}} @ ({_LEAK})",
            (GELU, "dX"): f"{{dY}} @ ({_OF_GELU})",
        },
    ),
    Mistake(
        name="parentheses-forgotten",
        title="Parentheses around the mask forgotten",
        resembles="{line}, in which `*` comes first: the parentheses around the comparison are missing",
        cause="On paper the mask is one thing, but Python multiplies before it compares.",
        symptom="The gradient has only the numbers 0 and 1.",
        lines={(ReLU, "dX"): ("1.0 * ({dY} * {Y} > 0)", "1.0 * ({dY} * {X} > 0)")},
    ),
    Mistake(
        name="value-for-mask",
        title="Output of the ReLU used as its mask",
        resembles="a product with {Y} itself: the mask is `{Y} > 0`, which lets a gradient through as it is",
        cause="Both are 0 where the unit is off, and the comparison is forgotten.",
        symptom="Cells are empty where they should be, and all others too large or too small by the unit's output.",
        lines={(ReLU, "dX"): "{dY} * {Y}"},
    ),
    Mistake(
        name="slope-of-another-activation",
        title="Slope of another activation",
        resembles="{line}: the slope in it is not that of this activation",
        cause="Each activation has its own slope, and the one that was learned first comes to mind.",
        symptom="Each cell is multiplied by a wrong number of its own.",
        lines={
            (ReLU, "dX"): (
                "{dY} * (1 - {Y}**2)",
                "{dY} * {Y} * (1 - {Y})",
                "{dY} * {X} * (1 - {X})",
                "{dY} * np.where({Y} > 0, 1, 0.01)",
                "{dY} * np.sign({X})",
                "{dY} * (1 - {X}**2)",
                "1 - {Y}**2",
                "{Y} * (1 - {Y})",
            ),
            (Tanh, "dX"): ("{dY} * {Y} * (1 - {Y})", "{dY} * ({Y} > 0)", "{dY} / (1 + {X}**2)", "{dY} * (1 + {X}**2)"),
            (Sigmoid, "dX"): "{dY} * (1 - {Y}**2)",
        },
    ),
    # Back through the weights
    Mistake(
        name="transpose-forgotten",
        title="Transpose forgotten",
        resembles="a product in which nothing was transposed",
        cause="With square matrices NumPy does not complain, so nothing points to the missing transpose.",
        symptom="It runs only when two sizes happen to be equal: make all of them different, and NumPy refuses.",
        lines={(Linear, "dX"): "{dY} @ {W}", (Linear, "dW"): "{X} @ {dY}"},
    ),
    Mistake(
        name="result-transposed",
        title="Result transposed",
        resembles="{name} transposed",
        cause="Many books keep samples in columns; their formulas give the transpose of ours.",
        symptom="Rows and columns have changed places: the gradient no longer matches the value it belongs to.",
        lines={
            (Linear, "dX"): "{W} @ {dY}.mT",
            (Linear, "dW"): "{dY}.mT @ {X}",
            (Linear, "db"): "{dY}.sum(axis=0, keepdims=True).mT",
        },
    ),
    Mistake(
        name="operands-swapped",
        title="Operands swapped",
        resembles="a product with its two factors swapped: A @ B is not B @ A",
        cause="For numbers the order of a product does not matter; for matrices it does.",
        symptom="It runs only when sizes happen to be equal; each row then mixes the samples.",
        lines={(Linear, "Y"): "{W} @ {X} + {b}", (Linear, "dX"): "{W}.mT @ {dY}", (Linear, "dW"): "{dY} @ {X}.mT"},
    ),
    Mistake(
        name="star-for-matmul",
        title="* where @ was meant",
        resembles="a cell-by-cell `*` where rows and columns should meet in an `@`",
        cause="`*` is multiplication everywhere else, and where the sizes happen to fit, NumPy does not complain.",
        symptom="Each cell is one product and not a sum: work out one cell and compare.",
        lines={
            (Linear, "Y"): ("{X} * {W} + {b}", "{W} * {X} + {b}"),
            (Linear, "dX"): ("{dY} * {W}.mT", "{dY} * {W}", "{W} * {dY}"),
            (Linear, "dW"): ("{X}.mT * {dY}", "{X} * {dY}", "{dY} * {X}"),
        },
    ),
    Mistake(
        name="updated-weights",
        title="Already updated weights used in the backward pass",
        resembles="{new} used where {p} was meant: the weights were updated before the gradient had gone through them",
        cause=(
            "Each weight is updated as soon as its gradient is known, but the layer before it still needs the old one."
        ),
        symptom=(
            "At a small learning rate almost nothing shows; raise it, and the gradient changes although no input did."
        ),
        lines={(Linear, "dX"): "{dY} @ {new}.mT"},
    ),
    Mistake(
        name="gradient-for-weights",
        title="dW used where W was meant",
        resembles="{dp} used where {p} was meant",
        cause="On the way back every name starts with a d, and one d too many is quickly typed.",
        symptom=(
            "The gradient does not change when the weights of its layer do, as long as what comes out of that layer "
            "stays the same."
        ),
        lines={(Linear, "dX"): "{dY} @ {dp}.mT"},
    ),
    Mistake(
        name="weights-for-gradient",
        title="Value used where its gradient was meant",
        resembles="{p} used where {dp} was meant",
        cause="The two have the same shape, and their names differ by one letter.",
        symptom="The gradient shows the same numbers as the weights above it.",
        lines={(Linear, "dW"): "{W}", (Linear, "db"): "{b}", (GradientDescent, "new"): "{p} - {lr} * {p}"},
    ),
    Mistake(
        name="raw-input",
        title="Activation's input used in place of its output",
        resembles="{X_raw} used where {X} was meant: this layer was fed by the activation's output",
        cause="Both are stored in the forward pass, in the same shape, as Y and H (or z and a).",
        symptom=(
            "With a ReLU, a row has a share of samples for which its unit was off; for a unit that was off for all, it "
            "should be 0."
        ),
        lines={(Linear, "dW"): "{X_raw}.mT @ {dY}"},
    ),
    Mistake(
        name="input-of-another-layer",
        title="Input of another layer",
        resembles="{X_other} used where {X} was meant: that is the input of another layer",
        cause="Between layers the numbering shifts by one, and with layers of equal width any input fits.",
        symptom="The gradient's rows belong to columns of the wrong matrix: where one is all 0, so is its row.",
        lines={(Linear, "dW"): "{X_other}.mT @ {dY}"},
    ),
    Mistake(
        name="activation-skipped-backward",
        title="Gradient that has not gone back through the activation",
        resembles="{dY_out} used where {dY} was meant: it has not been back through the activation yet",
        cause="Each hidden layer has two gradients, before and after the activation, and they have the same shape.",
        symptom="With a ReLU, a unit still learns from samples for which it was off.",
        lines={
            (Linear, "dX"): "{dY_out} @ {W}.mT",
            (Linear, "dW"): "{X}.mT @ {dY_out}",
            (Linear, "db"): "{dY_out}.sum(axis=0, keepdims=True)",
        },
    ),
    # The bias, and sums over the batch
    Mistake(
        name="sum-forgotten",
        title="db without the sum over samples",
        resembles="{dY}, one row for each sample: the sum over the samples is missing",
        cause="With a single sample there is nothing to sum, and most derivations are for a single sample.",
        symptom="The bias's gradient has as many rows as there are samples, and the bias has one.",
        lines={(Linear, "db"): "{dY}"},
    ),
    Mistake(
        name="dimension-dropped",
        title="db with its dimension dropped",
        resembles="{name} with its dimension dropped: sum with keepdims=True, and it stays one row",
        cause="`sum(axis=0)` gives (H,), and NumPy broadcasts that against (1, H), so nothing seems wrong.",
        symptom="The numbers are right, but they have one pair of brackets where the bias has two.",
        lines={(Linear, "db"): "{dY}.sum(axis=0)"},
    ),
    Mistake(
        name="sum-over-units",
        title="Sum over the wrong axis",
        resembles="a sum along the rows, over the units: a bias needs the sum of its column, over the samples",
        cause="Axis 0 runs down the columns and axis 1 along the rows, which is easy to mix up.",
        symptom="There is one number for each sample, and there should be one for each unit.",
        lines={(Linear, "db"): "{dY}.sum(axis=1, keepdims=True)"},
    ),
    Mistake(
        name="axis-forgotten",
        title="Sum over everything",
        resembles="{line}: without an axis, all of {dY} becomes one number, the units too",
        cause="`sum()` without an axis gives one number, and NumPy broadcasts it to every bias.",
        symptom="Every bias gets the same change.",
        lines={
            (Linear, "db"): ("{dY}.sum()", "{dY}.sum(keepdims=True)", "{dY}.mean()", "{dY}.mean(keepdims=True)"),
        },
    ),
    Mistake(
        name="bias-from-weights",
        title="db summed from dW",
        resembles="a sum of {dW}: that has the inputs in it, and a bias has no input",
        cause=(
            "The weight gradient is at hand and has the right width, so it is summed in place of the output's gradient."
        ),
        symptom="The bias's gradient depends on the layer's inputs, where only that of its output should count.",
        lines={(Linear, "db"): "{dW}.sum(axis=0, keepdims=True)"},
    ),
    Mistake(
        name="mean-for-sum",
        once=True,  # what is divided in dy_pred is divided in all that follows from it
        title="Mean instead of sum over the batch",
        resembles="a mean over the batch where the sum was meant",
        cause=(
            "Courses whose loss is a mean divide by the number of samples here; this loss does not, or has done "
            "so already."
        ),
        symptom="The pattern is right, but every number is too small, by a factor of the number of samples.",
        lines={
            (Linear, "dW"): "{X}.mT @ {dY} / len({X})",
            (Linear, "db"): "{dY}.mean(axis=0, keepdims=True)",
            (SumSquaredError, "dy_pred"): "2 * ({y_pred} - {y}) / len({y})",
            (SumSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2) / len({y})",
            (HalfSquaredError, "dy_pred"): "({y_pred} - {y}) / len({y})",
            (HalfSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2) / 2 / len({y})",
        },
    ),
    # The loss
    Mistake(
        name="sum-for-mean",
        title="Sum instead of mean over the batch",
        resembles="a sum over the batch where the mean was meant",
        cause="The line is copied from a derivation for a sum, but this loss is a mean.",
        symptom="The pattern is right, but every number is too large, by the factor that the mean divides by.",
        lines={
            (MeanSquaredError, "dy_pred"): "2 * ({y_pred} - {y})",
            (MeanSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2)",
            (SoftmaxCrossEntropy, "dy_pred"): "{P} - {y}",
            (SoftmaxCrossEntropy, "L"): "-({y} * {logP}).sum()",
            (BinaryCrossEntropy, "dy_pred"): "({y_pred} - {y}) / ({y_pred} * (1 - {y_pred}))",
            (SigmoidCrossEntropy, "dy_pred"): "{P} - {y}",
            **_of_binary("L", "-np.sum({y} * {logP} + (1 - {y}) * {logQ})"),
        },
    ),
    Mistake(
        name="another-loss",
        title="A different loss",
        resembles="a squared error, but not this loss: sum, half the sum and mean differ by a factor",
        cause="Squared errors come as a sum, a mean over samples, or a mean over all targets, and all are called MSE.",
        symptom="The pattern is right, but all gradients are off by the same factor.",
        lines={
            (SumSquaredError, "dy_pred"): "2 * ({y_pred} - {y}) / {y}.size",
            (SumSquaredError, "L"): "np.mean(({y_pred} - {y}) ** 2)",
            (MeanSquaredError, "dy_pred"): "2 * ({y_pred} - {y}) / len({y})",
            (MeanSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2) / len({y})",
            (HalfSquaredError, "dy_pred"): "({y_pred} - {y}) / {y}.size",
            (HalfSquaredError, "L"): "np.mean(({y_pred} - {y}) ** 2)",
        },
    ),
    Mistake(
        name="loss-not-squared",
        title="Square forgotten in the loss",
        resembles="{line}: the square is missing, so errors above and below cancel",
        cause="The gradient 2 (y_pred - y) comes to mind first, and gets written down as the loss.",
        symptom="The loss can be negative, or 0 for a bad prediction.",
        lines=_of_squares(
            "L",
            "2 * np.mean({y_pred} - {y})",
            "np.sum({y_pred} - {y})",
            "np.mean({y_pred} - {y})",
            "np.sum({y} - {y_pred})",
        ),
    ),
    Mistake(
        name="loss-halved",
        title="1/2 in front of the loss",
        resembles="half the loss: this one has no 1/2 in front",
        cause="Many books put 1/2 in front of the loss to cancel the 2 in its gradient.",
        symptom="The loss falls as it should, but is half as large.",
        lines={
            (SumSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2) / 2",
            (MeanSquaredError, "L"): "np.mean(({y_pred} - {y}) ** 2) / 2",
        },
    ),
    Mistake(
        name="half-forgotten",
        title="No 1/2 in front of the loss",
        resembles="the whole sum of squares, or its gradient: this loss has 1/2 in front, which cancels the 2",
        cause="Squared errors come with a 1/2 in front and without one, and the two get mixed up.",
        symptom="The pattern is right, but every number is twice as large.",
        lines={
            (HalfSquaredError, "dy_pred"): "2 * ({y_pred} - {y})",
            (HalfSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2)",
        },
    ),
    Mistake(
        name="factor-two-dropped",
        title="Factor 2 dropped",
        resembles="the gradient of half the loss: the 2 from the square is missing",
        cause="Many books put 1/2 in front of the loss to cancel the 2; this loss has no 1/2.",
        symptom="The pattern is right, but every number is half as large.",
        lines={
            (SumSquaredError, "dy_pred"): "{y_pred} - {y}",
            (MeanSquaredError, "dy_pred"): "({y_pred} - {y}) / {y}.size",
        },
    ),
    Mistake(
        name="sign-flipped",
        once=True,  # two flips are none
        title="Sign flipped",
        resembles="{name} with its sign flipped",
        cause="A minus is easily lost or doubled: many books write `y - y_pred`, or put the minus of the update here.",
        symptom="Red is blue and blue is red.",
        lines={
            (SumSquaredError, "dy_pred"): "2 * ({y} - {y_pred})",
            (MeanSquaredError, "dy_pred"): "2 * ({y} - {y_pred}) / {y}.size",
            (HalfSquaredError, "dy_pred"): "{y} - {y_pred}",
            (SoftmaxCrossEntropy, "dy_pred"): "({y} - {P}) / len({y})",
            (SoftmaxCrossEntropy, "L"): "({y} * {logP}).sum() / len({y})",
            (Linear, "dX"): "-{dY} @ {W}.mT",
            (Linear, "dW"): "-{X}.mT @ {dY}",
            (Linear, "db"): "-{dY}.sum(axis=0, keepdims=True)",
            (ReLU, "dX"): "-{dY} * ({Y} > 0)",
            (Tanh, "dX"): "{dY} * ({Y}**2 - 1)",
            (Sigmoid, "dX"): "{dY} * {Y} * ({Y} - 1)",
            (LeakyReLU, "dX"): f"-{{dY}} * ({_LEAK})",
            (GELU, "dX"): f"-{{dY}} * ({_OF_GELU})",
            (BinaryCrossEntropy, "dy_pred"): "({y} - {y_pred}) / ({y_pred} * (1 - {y_pred})) / {y}.size",
            (SigmoidCrossEntropy, "dy_pred"): "({y} - {P}) / {y}.size",
            **_of_binary("L", "np.mean({y} * {logP} + (1 - {y}) * {logQ})"),
        },
    ),
    Mistake(
        name="broadcast-to-square",
        title="(N,) against (N, 1)",
        resembles="every prediction against every target: (N, 1) minus (N,) is not N differences but N times N of them",
        cause="Targets are read as a flat list, and NumPy broadcasts a column against a row into a whole square.",
        symptom=(
            "With one output, every prediction is compared with every target: the loss is made of N times N squares, "
            "not of N. (A dy_pred so written would be a square of N rows and N columns.)"
        ),
        lines={
            (SumSquaredError, "dy_pred"): "2 * ({y_pred} - {y}.ravel())",
            (SumSquaredError, "L"): "np.sum(({y_pred} - {y}.ravel()) ** 2)",
            (MeanSquaredError, "dy_pred"): "2 * ({y_pred} - {y}.ravel()) / {y}.size",
            (MeanSquaredError, "L"): "np.mean(({y_pred} - {y}.ravel()) ** 2)",
            (HalfSquaredError, "dy_pred"): "{y_pred} - {y}.ravel()",
            (HalfSquaredError, "L"): "np.sum(({y_pred} - {y}.ravel()) ** 2) / 2",
        },
    ),
    Mistake(
        name="loss-for-gradient",
        title="Square left in the loss's gradient",
        resembles="{line}: a square is still there, and the slope of d**2 is 2 * d",
        cause="The power rule takes the exponent down and lowers it by one, and the second half is forgotten.",
        symptom="No number of the gradient is negative.",
        lines=_of_squares(
            "dy_pred", "2 * ({y_pred} - {y}) ** 2", "({y_pred} - {y}) ** 2", "np.sum(({y_pred} - {y}) ** 2)"
        ),
    ),
    Mistake(
        name="absolute-error",
        title="Absolute values in place of squares",
        resembles="{line}: absolute values or signs belong to another loss; this one squares the differences",
        cause="The mean absolute error is as common as the squared one, and its formula is shorter.",
        symptom="Errors are not squared: large ones count for too little, or which way they go is lost.",
        lines={
            **_of_squares("L", "np.sum(np.abs({y_pred} - {y}))", "np.mean(np.abs({y_pred} - {y}))"),
            **_of_squares("dy_pred", "np.sign({y_pred} - {y})", "np.abs({y_pred} - {y})", "2 * np.abs({y_pred} - {y})"),
        },
    ),
    Mistake(
        name="root-of-the-loss",
        title="Root of the loss",
        resembles="{line}: this loss has no root",
        cause="The root mean squared error has the units of the targets, and is often reported.",
        symptom="The loss is much smaller where it is large, and falls more slowly.",
        lines=_of_squares(
            "L",
            "np.sqrt(np.mean(({y_pred} - {y}) ** 2))",
            "np.sqrt(np.sum(({y_pred} - {y}) ** 2))",
            "np.sqrt(np.sum(({y_pred} - {y}) ** 2)) / len({y})",
        ),
    ),
    Mistake(
        name="slope-at-the-output",
        title="Slope of a sigmoid at the output",
        resembles="{line}: the slope of a sigmoid is in it, and only the gradient of the loss belongs here",
        cause="In many derivations the output goes through a sigmoid, whose slope y_pred (1 - y_pred) is part of it.",
        symptom="The gradient is 0 where a prediction is 0 or 1, however wrong it is.",
        lines=_of_squares(
            "dy_pred",
            "2 * ({y_pred} - {y}) * {y_pred} * (1 - {y_pred})",
            "({y_pred} - {y}) * {y_pred} * (1 - {y_pred})",
            "{y_pred} * (1 - {y_pred})",
        ),
    ),
    Mistake(
        name="cross-entropy",
        title="Cross-entropy in place of squares",
        resembles="{line}, which belongs to cross-entropy, for probabilities; this loss squares differences",
        cause="Classification and regression are taught side by side, and the formulas get mixed up.",
        symptom="The gradient explodes where a prediction is near 0 and its target is not.",
        lines=_of_squares("dy_pred", "-{y} / {y_pred}", "-({y} / {y_pred} - (1 - {y}) / (1 - {y_pred}))"),
    ),
    # The softmax and cross-entropy. Seen in public: softmax twice, jaehong31/CGES issue 1; a loss without its axis,
    # hzy46/Deep-Learning-21-Examples issues 7 and 17; the logarithm of 0, GoogleCloudPlatform/tensorflow-without-a-phd
    # issue 39; the diagonal alone, deeplearning4j/libnd4j issue 440 and eriklindernoren/ML-From-Scratch pull 125; other
    # wrong slopes, RoboticsClubIITJ/ML-DL-implementation pull 153 and karpathy/micrograd pull 100.
    Mistake(
        name="softmax-forgotten",
        title="Softmax left out",
        resembles="{line}: the softmax is left out",
        cause="This loss takes scores and has the softmax in it; others take probabilities, and have none.",
        symptom="The gradient of a sample does not add up to 0 over its classes.",
        lines={
            (SoftmaxCrossEntropy, "L"): "-({y} * {y_pred}).sum() / len({y})",
            (SoftmaxCrossEntropy, "dy_pred"): ("({y_pred} - {y}) / len({y})", "-{y} / {P} / len({y})"),
        },
    ),
    Mistake(
        name="softmax-twice",
        title="Softmax twice",
        resembles="{line}: the softmax, or its slope, is in it once more",
        cause=("Many networks end in a softmax, and this loss has one already; its slope too is in `P - y` already."),
        symptom=(
            "Where logP has it, the loss stays far above 0, however sure the network gets. Where dy_pred alone has it, "
            "the gradient fades once the network is sure, be it right or wrong."
        ),
        lines={
            (SoftmaxCrossEntropy, "logP"): "{P} - np.log(np.exp({P}).sum(axis=1, keepdims=True))",
            (SoftmaxCrossEntropy, "dy_pred"): (
                "({P} - {y}) * {P} * (1 - {P}) / len({y})",
                "(np.exp({P}) / np.exp({P}).sum(axis=1, keepdims=True) - {y}) / len({y})",
            ),
        },
    ),
    Mistake(
        name="softmax-axis",
        title="Softmax over the wrong axis",
        resembles="{line}: the sum should be over the classes of one sample, which is axis=1 with keepdims=True",
        cause="Samples are rows, so a sum over the classes is along axis 1; without an axis it is over everything.",
        symptom="The probabilities of a sample do not add up to 1.",
        lines={
            (SoftmaxCrossEntropy, "P"): (
                "np.exp({Z}) / np.exp({Z}).sum(axis=0, keepdims=True)",
                "np.exp({Z}) / np.exp({Z}).sum()",
                "np.exp({y_pred}) / np.exp({y_pred}).sum()",
                "np.exp({y_pred}) / np.exp({y_pred}).sum(axis=0, keepdims=True)",
            ),
            (SoftmaxCrossEntropy, "logP"): (
                "{Z} - np.log(np.exp({Z}).sum(axis=0, keepdims=True))",
                "{Z} - np.log(np.exp({Z}).sum())",
            ),
        },
    ),
    Mistake(
        name="mean-over-classes",
        title="Mean over the classes too",
        resembles="a mean over all numbers, where it should be over the samples alone",
        cause="`np.mean` divides by every number there is, but a sample with many classes is still one sample.",
        symptom="The pattern is right, but every number is too small, by a factor of the number of classes.",
        lines={
            (SoftmaxCrossEntropy, "L"): "-({y} * {logP}).mean()",
            (SoftmaxCrossEntropy, "dy_pred"): "({P} - {y}) / {y}.size",
        },
    ),
    Mistake(
        name="squares-for-cross-entropy",
        title="Squares in place of cross-entropy",
        resembles="{line}, which belongs to squared errors; this loss takes logarithms",
        cause="Classification and regression are taught side by side, and the formulas get mixed up.",
        symptom="The loss is never large, even where the network is sure and wrong.",
        lines={
            (SoftmaxCrossEntropy, "L"): (
                "(({P} - {y}) ** 2).sum() / len({y})",
                "(({P} - {y}) ** 2).sum()",
                "(({P} - {y}) ** 2).mean()",
            ),
            (SoftmaxCrossEntropy, "dy_pred"): (
                "2 * ({P} - {y}) / len({y})",
                "2 * ({P} - {y})",
                "2 * ({P} - {y}) / {y}.size",
                "2 * ({y_pred} - {y}) / len({y})",
                "2 * ({y_pred} - {y})",
            ),
        },
    ),
    Mistake(
        name="softmax-diagonal",
        title="Only the diagonal of the softmax's slope",
        resembles="{line}, with P (1 - P) as the slope: each score changes the probabilities of all classes",
        cause="A sigmoid's slope is P (1 - P), and a softmax is taken to be one sigmoid for each class.",
        symptom="The gradient of a sample does not add up to 0 over its classes.",
        lines={
            (SoftmaxCrossEntropy, "dy_pred"): (
                "-{y} * (1 - {P}) / len({y})",
                "-{y} * (1 - {P})",
                "2 * ({P} - {y}) * {P} * (1 - {P}) / len({y})",
                "2 * ({P} - {y}) * {P} * (1 - {P})",
                "{P} * (1 - {P}) / len({y})",
                "{P} * (1 - {P})",
            ),
        },
    ),
    Mistake(
        name="sigmoid-for-softmax",
        title="Sigmoid in place of the softmax",
        resembles="{line}, in which each class stands alone, as with a sigmoid; a softmax weighs it against the others",
        cause="For two classes one sigmoid is enough, so with more of them each class is given its own.",
        symptom=(
            "The probabilities of a sample do not add up to 1. (They do if there are two classes, and the sample's "
            "scores are opposite numbers, such as 0.3 and -0.3.)"
        ),
        lines={
            (SoftmaxCrossEntropy, "P"): ("1 / (1 + np.exp(-{y_pred}))", "1 / (1 + np.exp(-{Z}))"),
            (SoftmaxCrossEntropy, "logP"): ("-np.log(1 + np.exp(-{y_pred}))", "-np.log(1 + np.exp(-{Z}))"),
            (SoftmaxCrossEntropy, "L"): (
                "-({y} * {logP} + (1 - {y}) * np.log(1 - {P})).sum() / len({y})",
                "-({y} * {logP} + (1 - {y}) * np.log(1 - {P})).mean()",
            ),
            (SoftmaxCrossEntropy, "dy_pred"): (
                "(1 / (1 + np.exp(-{y_pred})) - {y}) / len({y})",
                "1 / (1 + np.exp(-{y_pred})) - {y}",
            ),
        },
    ),
    Mistake(
        name="labels-for-one-hot",
        title="Labels in place of rows of 0 and 1",
        resembles="{line}, with the numbers of the classes: class 2 is no 2, but a 1 in the column of class 2",
        cause="Data comes with a number for each class, and NumPy takes a column of them for the whole table.",
        symptom="The gradient depends on the order in which the classes are counted.",
        lines={
            (SoftmaxCrossEntropy, "L"): "-({y}.argmax(axis=1, keepdims=True) * {logP}).sum() / len({y})",
            (SoftmaxCrossEntropy, "dy_pred"): (
                "({P} - {y}.argmax(axis=1, keepdims=True)) / len({y})",
                "{P} - {y}.argmax(axis=1, keepdims=True)",
            ),
        },
    ),
    Mistake(
        name="another-logarithm",
        once=True,  # the loss has it already where its logarithms have
        title="Another logarithm",
        resembles="{line}: with a logarithm of another base, and this loss takes the natural one, which is `np.log`",
        cause="Information is counted in bits, with base 2, and on a calculator `log` has base 10.",
        symptom="The pattern is right, but every number is off by the same factor, 1.44 or 0.43.",
        lines={
            (SoftmaxCrossEntropy, "logP"): tuple(
                f"({{Z}} - np.log(np.exp({{Z}}).sum(axis=1, keepdims=True))) / np.log({base})" for base in (2, 10)
            ),
            (SoftmaxCrossEntropy, "L"): tuple(
                f"-({{y}} * {{logP}}).sum() / len({{y}}) / np.log({base})" for base in (2, 10)
            ),
            (SoftmaxCrossEntropy, "dy_pred"): (
                "({P} - {y}) / len({y}) / np.log(2)",
                "({P} - {y}) / len({y}) / np.log(10)",
            ),
        },
    ),
    Mistake(
        name="shift-forgotten",
        title="exp of the scores as they are",
        resembles="{line}, and e to the power of a large score overflows: take the largest score of each row off first",
        cause="On paper the shift changes nothing, so it seems to be for show.",
        symptom=(
            "All is right until a score passes 709, or all scores of a sample are below -745: then there is nan in P, "
            "and logP is inf or -inf."
        ),
        lines={
            (SoftmaxCrossEntropy, "P"): "np.exp({y_pred}) / np.exp({y_pred}).sum(axis=1, keepdims=True)",
            (SoftmaxCrossEntropy, "logP"): (
                "{y_pred} - np.log(np.exp({y_pred}).sum(axis=1, keepdims=True))",
                "np.log(np.exp({y_pred}) / np.exp({y_pred}).sum(axis=1, keepdims=True))",
            ),
        },
    ),
    Mistake(
        name="log-of-zero",
        title="Logarithm of a probability that is 0",
        resembles="{line}: a tiny probability is rounded to 0, which has no logarithm; take logP from the scores",
        cause="The formula says log P, and P is at hand.",
        symptom="All is right until the network is sure, and then the loss is inf or nan.",
        lines={
            (SoftmaxCrossEntropy, "logP"): "np.log({P})",
            (SoftmaxCrossEntropy, "L"): (
                "-({y} * np.log({P})).sum() / len({y})",
                "-np.log({P}[{y} == 1]).sum() / len({y})",
            ),
            (SigmoidCrossEntropy, "logP"): "np.log({P})",
            (SigmoidCrossEntropy, "logQ"): "np.log(1 - {P})",
        },
    ),
    # Binary cross-entropy. Seen in public: y_pred - y, tf-encrypted/tf-encrypted pull 727; without the half for 1 - y,
    # deeplearning4j/nd4j issue 1328; the slope of the sigmoid once more, hunkim/DeepLearningZeroToAll pull 113.
    Mistake(
        name="half-of-the-answers",
        title="Without the half for 1 - y",
        resembles="{line}: the half for 1 - y is missing, so where y is 0 nothing is asked of the network",
        cause="After a softmax only the logarithm of the right class counts; here a 0 is an answer too.",
        symptom="Where the target is 0 the gradient is 0, and all predictions drift towards 1.",
        lines={
            **_of_binary("L", "-np.mean({y} * {logP})", "-np.sum({y} * {logP})"),
            (BinaryCrossEntropy, "dy_pred"): ("-{y} / {y_pred} / {y}.size", "-{y} / {y_pred}"),
            (SigmoidCrossEntropy, "dy_pred"): "{y} * ({P} - 1) / {y}.size",
        },
    ),
    Mistake(
        name="gradient-behind-the-sigmoid",
        title="y_pred - y, the gradient behind the sigmoid",
        resembles=(
            "{line}: that is the gradient behind the sigmoid, of the scores, and this is that of the probabilities"
        ),
        cause="Two slopes cancel on the way back to the scores, so many derivations go straight to y_pred - y.",
        symptom="Behind the sigmoid, the gradient fades where the network is sure, be it right or wrong.",
        lines={(BinaryCrossEntropy, "dy_pred"): ("({y_pred} - {y}) / {y}.size", "{y_pred} - {y}")},
    ),
    Mistake(
        name="sigmoid-slope-once-more",
        title="Slope of the sigmoid once more",
        resembles="{line}: the slope of the sigmoid, P (1 - P), is in it, and in P - y it has cancelled already",
        cause="A sigmoid has a slope, and nothing in P - y looks like it.",
        symptom="The gradient fades where the network is sure, be it right or wrong.",
        lines={(SigmoidCrossEntropy, "dy_pred"): "({P} - {y}) * {P} * (1 - {P}) / {y}.size"},
    ),
    Mistake(
        name="scores-for-probabilities",
        title="Sigmoid left out",
        resembles="{line}: y_pred has scores here, and the sigmoid that makes probabilities of them is left out",
        cause="The other form of this loss takes probabilities, and has no sigmoid in it.",
        symptom="The gradient grows with the scores; with P in it, no number is larger than 1 / y.size.",
        lines={(SigmoidCrossEntropy, "dy_pred"): ("({y_pred} - {y}) / {y}.size", "{y_pred} - {y}")},
    ),
    # The penalty. Seen in public: not in the gradient, PaddlePaddle/Paddle issue 5836; not in the loss,
    # nntrainer/nntrainer pull 157; its factor 2, titu1994/DenseNet issue 57 and mlcommons/hpc issue 22; on biases too,
    # rasmusbergpalm/DeepLearnToolbox issue 32 and hypelib/Hype issue 11.
    Mistake(
        name="penalty-not-in-gradient",
        title="Penalty in the loss, but not in the gradient",
        resembles="a gradient without the penalty, which is part of the loss: it adds 2 * {c} * {p}",
        cause="The penalty is added where the loss is computed, and the backward pass was written before that.",
        symptom="The weights do not shrink, and a gradient check fails for them and not for the biases.",
        lines={(L2, "dp"): ""},
    ),
    Mistake(
        name="penalty-not-in-loss",
        title="Penalty in the gradient, but not in the loss",
        resembles="the loss without its penalty R",
        cause="The weights shrink as they should, so nobody misses it.",
        symptom="The loss that is shown is not the one that is made small, and may rise.",
        lines={(L2, "L"): ""},
    ),
    Mistake(
        name="penalty-factor",
        title="Factor of the penalty",
        resembles=(
            "{line}: with another factor; the penalty is {c} times the squares, and its slope 2 * {c} times a weight"
        ),
        cause="Many courses write c / 2, which cancels the 2 of the square; and the two forms get mixed up.",
        symptom="The part of the penalty is half or twice as large as it should be.",
        lines={
            (L2, "dp"): ("{c} * {p}", "4 * {c} * {p}", "{c} / 2 * {p}"),
            (L2, "R"): ("{c} * {sizes} / 2", "2 * {c} * {sizes}"),
        },
    ),
    Mistake(
        name="penalty-factor-in-loss",
        title="Factor of the penalty in the loss",
        resembles="{line}: the penalty R is added as it is, and here with another factor",
        cause="Many courses write c / 2, or the factor is put where the penalty is added and where it is computed.",
        symptom="The loss is not the one of its gradient, which has the right penalty.",
        lines={(L2, "L"): ("{R} / 2", "2 * {R}")},
    ),
    Mistake(
        name="penalty-on-biases",
        title="Penalty on the biases too",
        resembles="{line}: the biases are in the penalty, which is for weights",
        cause="One loop goes over all parameters.",
        symptom="The biases are pulled towards 0, and with them the mean of what the network gives.",
        lines={
            (Linear, "db"): "{dY}.sum(axis=0, keepdims=True) + 2 * {c} * {b}",
            (L2, "R"): "{c} * {all_sizes}",
        },
    ),
    # Dropout. Seen in public: no mask on the way back, ddbourgin/numpy-ml issue 94; another one there,
    # Benny-Nottonson/voodoo issue 19; divided by p, NVIDIA/apex pull 816 and rasbt/LLMs-from-scratch issue 431.
    Mistake(
        name="dropout-forgotten-backward",
        title="Dropout's mask not applied on the way back",
        resembles="{line}: the mask is missing, so units that were dropped get a gradient",
        cause="Dropout seems to be part of the forward pass alone.",
        symptom="The gradient has numbers where the mask is 0.",
        lines={(Dropout, "dX"): ("{dY}", "{dY} / (1 - {p})")},
    ),
    Mistake(
        name="dropout-drawn-anew",
        title="Another mask on the way back",
        resembles="a gradient with another mask: the one of the forward pass, {mask}, has to be kept",
        cause="The function that draws a mask is called once more.",
        symptom="Some cells of the gradient are empty where the mask is 1, or have numbers where it is 0.",
        lines={
            (Dropout, "dX"): (
                "{dY} * (np.random.default_rng(0).random({dY}.shape) >= {p}) / (1 - {p})",
                "{dY} * ~{mask} / (1 - {p})",
            )
        },
    ),
    Mistake(
        name="dropout-not-scaled",
        title="Dropout without its scale",
        resembles="{line}: what is kept should be divided by 1 - {p}, the share of what is kept",
        cause=(
            "In the first paper nothing is scaled in training, and all is when the network is used; or p is "
            "what is kept."
        ),
        symptom="On average, what comes out is not as large as what comes in.",
        lines={
            (Dropout, "Y"): ("{X} * {mask}", "{X} * {mask} / {p}", "{X} * {mask} * (1 - {p})"),
            (Dropout, "dX"): ("{dY} * {mask}", "{dY} * {mask} / {p}", "{dY} * {mask} * (1 - {p})"),
        },
    ),
    # The norms. Seen in public: mean and variance as constants, abhiskk/ladder issue 2 and
    # deeplearning4j/deeplearning4j pull 8379; a wrong path, apache/mxnet issue 1053; N - 1, uxlfoundation/oneDNN
    # issue 517; dgamma as a mean, wjbKimberly/cs231n_spring_2017_assignment issue 7 and cthorey/CS231 issue 9.
    Mistake(
        name="norm-of-constants",
        title="Mean and variance taken as constants",
        resembles="{line}: {mu} and {var} are made of {X} too, and the gradient comes back through them as well",
        cause="At test time they are constants; in training each number moves them a little.",
        symptom="The gradient does not add up to 0 over what the mean was taken of.",
        lines=_of_norms("dX", "{dXhat} / np.sqrt({var} + {eps})"),
    ),
    Mistake(
        name="norm-path-missing",
        title="One of the three paths missing",
        resembles="{line}: the gradient comes to {X} along three paths, by {Xhat}, by {mu} and by {var}; here are two",
        cause="Each number is in the mean, in the variance, and in the difference, and one of these is overlooked.",
        symptom="All shapes are right, and the numbers look likely: only a gradient check tells.",
        lines=_of_norms(
            "dX",
            "{dXhat} / np.sqrt({var} + {eps}) + {dmu} / <n>",
            "{dXhat} / np.sqrt({var} + {eps}) + {dvar} * 2 * ({X} - {mu}) / <n>",
            "{dvar} * 2 * ({X} - {mu}) / <n> + {dmu} / <n>",
        ),
    ),
    Mistake(
        name="variance-of-a-sample",
        title="Variance divided by N - 1",
        resembles="{line}: the variance is divided by one less, and here it is the mean of the squares",
        cause="Statistics divides by N - 1 where a sample stands for more; pandas and torch.var do so by themselves.",
        symptom="What is normalised has a spread a little below 1, the more so the fewer there are.",
        lines=_of_norms("var", "(({X} - {mu}) ** 2).sum(axis=<axis>, keepdims=True) / (<n> - 1)"),
    ),
    Mistake(
        name="norm-sum-forgotten",
        title="dgamma not summed over the samples",
        resembles="{line}: gamma and beta are the same for all samples, so their gradients are sums over the samples",
        cause="A norm has two axes, one for its mean and one for its parameters; or a mean is divided by N once more.",
        symptom="The gradient has a number for each sample, or is too small by a factor of N.",
        lines={
            **_of_norms(
                "dgamma",
                "({dY} * {Xhat}).mean(axis=0, keepdims=True)",
                "({dY} * {Xhat}).sum(axis=1, keepdims=True)",
                "{dY} * {Xhat}",
            ),
            **_of_norms("dbeta", "{dY}.mean(axis=0, keepdims=True)", "{dY}.sum(axis=1, keepdims=True)", "{dY}"),
        },
    ),
    Mistake(
        name="gamma-without-its-input",
        title="dgamma without Xhat",
        resembles="{line}: gamma multiplies {Xhat}, so its gradient has {Xhat} in it",
        cause="beta's gradient is the sum of dY, and gamma's is written in the same way.",
        symptom="dgamma and dbeta are the same.",
        lines=_of_norms("dgamma", "{dY}.sum(axis=0, keepdims=True)"),
    ),
    Mistake(
        name="gamma-forgotten-backward",
        title="gamma forgotten on the way back",
        resembles="{dY}: gamma is missing, which scales each unit on the way back too",
        cause="gamma starts as 1, and then nothing is missing until it has been updated.",
        symptom="The gradient does not change when gamma does, as long as what comes back stays the same.",
        lines=_of_norms("dXhat", "{dY}"),
    ),
    Mistake(
        name="leak-forgotten",
        title="Leak forgotten",
        resembles="{line}: below 0 this activation still lets a part of {slope} through",
        cause="A ReLU comes to mind first.",
        symptom="Cells are empty where the input is negative, and should be small.",
        lines={(LeakyReLU, "Y"): "np.maximum({X}, 0)", (LeakyReLU, "dX"): "{dY} * ({Y} > 0)"},
    ),
    # The update
    Mistake(
        name="plus-for-minus",
        title="Update with +",
        resembles="a step uphill: the gradient points to where the loss grows, so it is subtracted",
        cause="`+=` is right where the error is written y - y_pred, as in many books, but not here.",
        symptom="The loss grows from one iteration to the next, however small the learning rate.",
        lines=_of_steps("{p} + {lr} * <step>"),
    ),
    Mistake(
        name="lr-twice",
        title="Learning rate applied twice",
        resembles="a step scaled by the learning rate twice",
        cause="The gradient is multiplied by the learning rate when it is computed, and again in the update.",
        symptom="With a rate of 0.01 the step is a hundredth of what it should be, and the weights hardly move.",
        lines=_of_steps("{p} - {lr} * ({lr} * <step>)"),
    ),
    Mistake(
        name="lr-forgotten",
        title="Learning rate forgotten",
        resembles="a step of the whole gradient: the learning rate is missing",
        cause="The formula is remembered as W - dW, and the rate seems a detail.",
        symptom="The weights move by the whole gradient, and moving the learning-rate slider changes nothing.",
        lines=_of_steps("{p} - <step>"),
    ),
    Mistake(
        name="not-updated",
        title="Update forgotten",
        resembles="{p} as it was: it has not been updated",
        cause=(
            "The gradients are all there, but the line that uses them is left out, most often for a bias, which "
            "seems useless."
        ),
        symptom="The same numbers as before the step.",
        lines=_of_steps("{p}"),
    ),
    Mistake(
        name="old-value-dropped",
        title="The step instead of the new value",
        resembles="the step alone, without the old {p}",
        cause="`=` is typed for `-=`, so the change replaces the value that it should have changed.",
        symptom="The new weights are a single step: at a small learning rate all of them are suddenly tiny.",
        lines=_of_steps("-{lr} * <step>", "{lr} * <step>"),
    ),
    Mistake(
        name="lr-on-the-weights",
        title="Learning rate on the weights too",
        resembles="{line}: the rate scales {p}, and should scale {dp} and nothing else",
        cause="Parentheses in the wrong place, or none.",
        symptom="The old weights are multiplied by the learning rate: at 0.01, a hundredth of them is left.",
        lines=_of_steps("({p} - <step>) * {lr}", "{lr} * {p} - <step>"),
    ),
    # What is remembered. Seen in public: velocity lost, keras-team/keras issue 7502; its sign,
    # fchollet/deep-learning-with-python-notebooks issue 19; a mean, and the old one, mdenil/dropout issue 4; Adam
    # without its correction, keras-team/keras pull 10129; that without its power, eriklindernoren/ML-From-Scratch issue
    # 35 and PennyLaneAI/pennylane pull 1929; the count from 0, deeplearning4j/nd4j pull 1227 and tracel-ai/burn issue
    # 834; eps in the root, d2l-ai/d2l-zh pull 502 and FluxML/Flux.jl pull 448; no root, torch/optim pull 48; decay as a
    # penalty, anhquan0412/basic_model_scratch issue 2 and pytorch/pytorch issue 48793; Nesterov, PaddlePaddle/Paddle
    # pull 12231.
    Mistake(
        name="velocity-forgotten",
        title="What was remembered is not used",
        resembles="{line}: what is remembered from the step before is missing",
        cause="The memory is set to 0 at the start of each step in place of once, or a local variable is not kept.",
        symptom="From the second step on, the new memory has nothing of the old one.",
        lines={
            (Momentum, "v_new"): "{dp}",
            (Adam, "m_new"): ("(1 - {beta1}) * {dp}", "{dp}"),
            (Adam, "v_new"): ("(1 - {beta2}) * {dp}**2", "{dp}**2"),
        },
    ),
    Mistake(
        name="velocity-sign",
        title="Minus in the velocity",
        resembles=(
            "{line}: here the velocity adds up the gradients as they are; the minus and the rate come with the step"
        ),
        cause=(
            "Half of the courses put the minus, and mostly lr too, into the velocity, and then add it to the weights."
        ),
        symptom="Subtracted from the weights, such a velocity goes uphill.",
        lines={
            (Momentum, "v_new"): (
                "{beta} * {v} - {dp}",
                "{beta} * {v} - {lr} * {dp}",
                "{beta} * {v} + {lr} * {dp}",
            ),
        },
    ),
    Mistake(
        name="velocity-mixed",
        title="Mean in place of a sum",
        resembles="{line}: that is a mean of gradients, whose parts add up to 1, and this velocity is a sum",
        cause="Adam's m and some courses' momentum are means; then lr has to be larger by a factor of 1 / (1 - beta).",
        symptom="The velocity is too small, by a factor of 1 - beta, and the network learns too slowly.",
        lines={(Momentum, "v_new"): ("{beta} * {v} + (1 - {beta}) * {dp}", "(1 - {beta}) * {v} + {beta} * {dp}")},
    ),
    Mistake(
        name="memory-unused",
        title="Step by the gradient alone",
        resembles="{line}: that is the step of another optimizer, and what is remembered has another part in this one",
        cause="The memory is kept well, and then the line of plain descent is typed, or that of a simpler optimizer.",
        symptom="The weights move as if there were no memory, or another one.",
        lines={
            (Momentum, "new"): ("{p} - {lr} * {dp}", "{p} - {lr} * ({dp} + {beta} * {v_new})"),
            (Nesterov, "new"): ("{p} - {lr} * {v_new}", "{p} - {lr} * {dp}"),
            (Adam, "new"): ("{p} - {lr} * {dp}", "{p} - {lr} * {mhat}"),
        },
    ),
    Mistake(
        name="memory-of-before",
        title="What was remembered before this step",
        resembles="{line}: the step takes what is remembered from now on, with this gradient in it, and not the old",
        cause="The two have almost the same name, and the line that replaces the old one is written last.",
        symptom="Everything comes one step late: the new gradient has no part in the step, or only half of it.",
        lines={
            (Momentum, "new"): "{p} - {lr} * {v}",
            (Nesterov, "new"): "{p} - {lr} * ({dp} + {beta} * {v})",
            (Adam, "mhat"): "{m} / (1 - {beta1}**{step})",
            (Adam, "vhat"): "{v} / (1 - {beta2}**{step})",
        },
    ),
    Mistake(
        name="adam-not-corrected",
        title="Adam without its correction",
        resembles="{line}: m and v begin at 0 and are too small at first, which dividing by 1 - beta**step corrects",
        cause="After some hundred steps it makes no difference, so it seems to be a detail.",
        symptom="With the usual betas, the first steps are about three times as long as lr.",
        lines={
            (Adam, "mhat"): ("{m_new}", "{m_new} / (1 - {beta1})"),
            (Adam, "vhat"): ("{v_new}", "{v_new} / (1 - {beta2})"),
            (Adam, "new"): "{p} - {lr} * {m_new} / (np.sqrt({v_new}) + {eps})",
        },
    ),
    Mistake(
        name="adam-counted-from-zero",
        title="Steps counted from 0",
        resembles="{line}: the first step is number 1; with a 0, 1 - beta**0 is 0, and it divides by it",
        cause="Python counts from 0.",
        symptom="After the first step there is inf or nan everywhere; after later ones the correction is too strong.",
        lines={
            (Adam, "mhat"): "{m_new} / (1 - {beta1}**({step} - 1))",
            (Adam, "vhat"): "{v_new} / (1 - {beta2}**({step} - 1))",
        },
    ),
    Mistake(
        name="adam-eps-in-the-root",
        title="eps inside the root",
        resembles="{line}: eps is added to the root, and not to what is under it",
        cause="Other optimizers have it there, and nothing looks wrong.",
        symptom="Where gradients are smaller than the root of eps, 1e-4, the steps are much too short.",
        lines={(Adam, "new"): "{p} - {lr} * {mhat} / np.sqrt({vhat} + {eps})"},
    ),
    Mistake(
        name="adam-square-forgotten",
        title="Square or root forgotten",
        resembles="{line}: v is a mean of squares, and its root is what the step is divided by",
        cause="m and v are written one below the other, and look the same.",
        symptom="v has negative numbers, whose roots are nan; or steps are far too long where gradients are small.",
        lines={
            (Adam, "v_new"): ("{beta2} * {v} + (1 - {beta2}) * {dp}", "{beta2} * {v} + (1 - {beta2}) * {m_new}**2"),
            (Adam, "new"): "{p} - {lr} * {mhat} / ({vhat} + {eps})",
        },
    ),
    Mistake(
        name="decay-as-penalty",
        title="Decay put into the gradient",
        resembles="{line}: the decay is in the gradient, as a penalty is; a decoupled one stands beside the step",
        cause="For plain descent both are the same, so weight decay and L2 are taken for two names of one thing.",
        symptom="What is remembered depends on the weights; with Adam, large gradients keep weights from decaying.",
        lines={
            (Momentum, "v_new"): "{beta} * {v} + " + _DECAYED,
            (Momentum, "new"): "{p} - {lr} * ({beta} * {v} + " + _DECAYED + ")",
            (Nesterov, "new"): "{p} - {lr} * (" + _DECAYED + " + {beta} * ({beta} * {v} + " + _DECAYED + "))",
            (Adam, "m_new"): _M[1:-1],
            (Adam, "v_new"): _V[1:-1],
            (Adam, "new"): "{p} - {lr} * (" + _M + " / (1 - {beta1}**{step})) / "
            "(np.sqrt(" + _V + " / (1 - {beta2}**{step})) + {eps})",
        },
    ),
    Mistake(
        name="decay-forgotten",
        title="Decay forgotten, or not times lr",
        resembles="{line}: the decay takes lr times {decay} of {p} off in each step",
        cause="It is no part of any gradient, so it is left out; or lr seems to be for the gradient alone.",
        symptom="The weights do not shrink where their gradients are 0, or shrink much faster.",
        lines={(Optimizer, "decay"): ("", "{decay} * {p}", "2 * {lr} * {decay} * {p}")},
    ),
    # The forward pass
    Mistake(
        name="bias-inside",
        title="Bias added to the weights",
        resembles="{line}: {b} is added to the weights, and should be added to the weighted sums",
        cause="Parentheses in the wrong place; NumPy broadcasts the bias over the rows of the weights.",
        symptom=(
            "The bias is multiplied by the sum of a sample's inputs: its share differs from row to row, and may have "
            "the wrong sign."
        ),
        lines={(Linear, "Y"): "{X} @ ({W} + {b})"},
    ),
    Mistake(
        name="activation-added",
        title="Activation where there is none",
        resembles="weighted sums that have been through an activation already, which is not part of this line",
        cause="A layer is often drawn as its weighted sums and its activation in one box.",
        symptom="No number is negative, or none is larger than 1.",
        lines={
            (Linear, "Y"): (
                "np.maximum({X} @ {W} + {b}, 0)",
                "1 / (1 + np.exp(-({X} @ {W} + {b})))",
                "np.tanh({X} @ {W} + {b})",
                "np.exp({X} @ {W} + {b}) / np.sum(np.exp({X} @ {W} + {b}), axis=1, keepdims=True)",
            ),
        },
    ),
    Mistake(
        name="slope-for-value",
        title="Slope of the activation in place of its value",
        resembles="{line}: that is the activation's slope, which is for the way back",
        cause="Slopes are what is hard to remember, so they come to mind on the way forward too.",
        symptom=(
            "No number is below 0 or above 1. With a ReLU all are 0 or 1; with another activation the largest belong "
            "to units in the middle of their range."
        ),
        lines={
            (ReLU, "Y"): "1.0 * ({X} > 0)",
            (Tanh, "Y"): "1 - np.tanh({X})**2",
            (Sigmoid, "Y"): "np.exp(-{X}) / (1 + np.exp(-{X}))**2",
        },
    ),
    Mistake(
        name="another-activation",
        title="Another activation",
        resembles="{line}: that is another activation",
        cause="Courses and libraries differ in the one they take for granted.",
        symptom=(
            "The output has numbers that the activation does not give there: a ReLU gives 0 for a negative number, and "
            "a tanh or a sigmoid never more than 1."
        ),
        lines={
            (ReLU, "Y"): (
                "np.abs({X})",
                *_SMOOTH,
                "np.maximum(0.01 * {X}, {X})",
                "np.maximum(0.1 * {X}, {X})",
                "np.sign({X})",
                "np.clip({X}, 0, 1)",
                "np.minimum({X}, 0)",
            ),
            (Tanh, "Y"): (
                "np.maximum({X}, 0)",
                *(line for line in _SMOOTH if line != "np.tanh({X})"),
                "np.sinh({X})",
                "np.arctan({X})",
            ),
            (Sigmoid, "Y"): ("np.maximum({X}, 0)", *_SMOOTH[1:]),
        },
    ),
    Mistake(
        name="bias-forgotten",
        title="Bias forgotten",
        resembles="weighted sums without the bias {b}",
        cause="Biases mostly start at 0, and then nothing is missing until they have been updated.",
        symptom="Moving the bias changes nothing to its right.",
        lines={(Linear, "Y"): "{X} @ {W}"},
    ),
    Mistake(
        name="activation-forgotten",
        title="Activation forgotten",
        resembles="a forward pass that left out the activation",
        cause="The weighted sums and the activation's output have the same shape, so the next line accepts either.",
        symptom="The activation's output has exactly the numbers of its input.",
        lines={(Activation, "Y"): "{X}", (Linear, "Y"): "{X_raw} @ {W} + {b}"},
    ),
)


class _Table(dict[str, Mistake]):
    """The classic mistakes by name."""

    def __repr__(self) -> str:
        return "MISTAKES"  # as it stands in a signature: with all that is in it, that would be a book


MISTAKES = _Table({mistake.name: mistake for mistake in _ALL})

INVISIBLE_TO_GRADIENT_CHECK = (
    "loss-not-squared",
    "loss-halved",
    "plus-for-minus",
    "lr-twice",
    "lr-forgotten",
    "not-updated",
    "old-value-dropped",
    "root-of-the-loss",
    "lr-on-the-weights",
    "penalty-not-in-loss",
    "penalty-factor-in-loss",
    "velocity-forgotten",
    "velocity-sign",
    "velocity-mixed",
    "memory-unused",
    "memory-of-before",
    "adam-not-corrected",
    "adam-counted-from-zero",
    "adam-eps-in-the-root",
    "adam-square-forgotten",
    "decay-as-penalty",
    "decay-forgotten",
)
