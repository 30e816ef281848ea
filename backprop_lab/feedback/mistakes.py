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

from backprop_lab.nn.layers import Activation, Array, Linear, ReLU, Sigmoid, Tanh
from backprop_lab.nn.losses import HalfSquaredError, MeanSquaredError, SoftmaxCrossEntropy, SumSquaredError
from backprop_lab.nn.optimizers import GradientDescent
from backprop_lab.nn.steps import Lines, Step
from backprop_lab.step.trace import Trace


@dataclass(frozen=True, eq=False)
class Mistake:
    """One mistake: what it is called, what causes it, its symptom on the board, and the lines that make it.

    `title` is for a menu, `resembles` completes "This looks like ...". `lines` has, for each kind of layer or loss and
    each of its results, the wrong line that takes the right one's place, or several ways to write it, of which the
    first is planted; for `GradientDescent` and "new" it is the line of a parameter after the update. In `resembles`,
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
                for template in (templates,) if isinstance(templates, str) else templates:
                    with suppress(KeyError):
                        yield step.rewritten(template, self.title, self.cause.replace("`", ""))
                return

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
        try:
            return self.resembles.format_map({**trace.step(name).names, "line": f"`{line}`"})
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


_ALL = (
    # Back through the activation
    Mistake(
        name="mask-forgotten",
        title="ReLU mask forgotten",
        resembles="{dY}: the ReLU's mask is missing",
        cause="In the forward pass the ReLU looks like a detail, so its step is left out on the way back.",
        symptom="The gradient under the ReLU's input has numbers in cells where the ReLU's output is 0.",
        lines={(ReLU, "dX"): "{dY}"},
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
        lines={(ReLU, "dX"): ("{dY} * ({Y} <= 0)", "{dY} * ({Y} < 0)")},
    ),
    Mistake(
        name="slope-forgotten",
        title="Slope of the activation forgotten",
        resembles="{dY}: the slope of the activation is missing",
        cause="In the forward pass an activation looks like a detail, so its step is left out on the way back.",
        symptom="The gradients under the activation's input and output are the same, cell for cell.",
        lines={(Tanh, "dX"): "{dY}", (Sigmoid, "dX"): "{dY}"},
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
        cause="The square in 1 - H^2 is lost, or the first factor of H (1 - H).",
        symptom="The slope grows towards one end of the activation's range; it should be largest in the middle.",
        lines={(Tanh, "dX"): "{dY} * (1 - {Y})", (Sigmoid, "dX"): ("{dY} * (1 - {Y})", "{dY} * {Y}")},
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
        lines={(ReLU, "dX"): "1.0 * ({Y} > 0)", (Tanh, "dX"): "1 - {Y}**2", (Sigmoid, "dX"): "{Y} * (1 - {Y})"},
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
        },
    ),
    # The update
    Mistake(
        name="plus-for-minus",
        title="Update with +",
        resembles="a step uphill: the gradient points to where the loss grows, so it is subtracted",
        cause="`+=` is right where the error is written y - y_pred, as in many books, but not here.",
        symptom="The loss grows from one iteration to the next, however small the learning rate.",
        lines={(GradientDescent, "new"): "{p} + {lr} * {dp}"},
    ),
    Mistake(
        name="lr-twice",
        title="Learning rate applied twice",
        resembles="a step scaled by the learning rate twice",
        cause="The gradient is multiplied by the learning rate when it is computed, and again in the update.",
        symptom="With a rate of 0.01 the step is a hundredth of what it should be, and the weights hardly move.",
        lines={(GradientDescent, "new"): "{p} - {lr} * ({lr} * {dp})"},
    ),
    Mistake(
        name="lr-forgotten",
        title="Learning rate forgotten",
        resembles="a step of the whole gradient: the learning rate is missing",
        cause="The formula is remembered as W - dW, and the rate seems a detail.",
        symptom="The weights move by the whole gradient, and moving the learning-rate slider changes nothing.",
        lines={(GradientDescent, "new"): "{p} - {dp}"},
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
        lines={(GradientDescent, "new"): "{p}"},
    ),
    Mistake(
        name="old-value-dropped",
        title="The step instead of the new value",
        resembles="the step alone, without the old {p}",
        cause="`=` is typed for `-=`, so the change replaces the value that it should have changed.",
        symptom="The new weights are a single step: at a small learning rate all of them are suddenly tiny.",
        lines={(GradientDescent, "new"): ("-{lr} * {dp}", "{lr} * {dp}")},
    ),
    Mistake(
        name="lr-on-the-weights",
        title="Learning rate on the weights too",
        resembles="{line}: the rate scales {p}, and should scale {dp} and nothing else",
        cause="Parentheses in the wrong place, or none.",
        symptom="The old weights are multiplied by the learning rate: at 0.01, a hundredth of them is left.",
        lines={(GradientDescent, "new"): ("({p} - {dp}) * {lr}", "{lr} * {p} - {dp}")},
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
)
