"""The classic mistakes of a hand-written backward pass: each one is the wrong line of NumPy that people write.

A mistake is to a formula what `layers.py` and `losses.py` hold: where the right line says `{dY} * ({Y} > 0)`, the
mistake says `{dY}`. So the same table names a learner's mistake, plants it in a whole training step, and proves that
our own checks can fail. `{X}`, `{W}`, `{dY}` ... stand for names as they do in a `Formula`, and three more are only for
getting lost: `{X_raw}` entered the activation that gave X, `{X_other}` enters another layer, and `{dY_out}` is the
gradient on the far side of the activation that Y enters. A line that lacks one of its names in some place does not
apply there. A number that an activation has as a field, such as a `slope`, is put in for `{slope}`, as in a `Formula`.

A gradient check sees gradients and nothing else: a mistake in the loss that is only reported, or in the update, goes
past it. `UNSEEN` lists those that it can never see. Nor does it see one that changes nothing where it is made (a
forgotten bias that is still 0, a transpose of one number), or next to nothing (`updated-weights` at a tiny
learning rate). A dropped dimension has the right numbers: `check_gradients` refuses its shape, but a check that lets
NumPy broadcast, as np.allclose does, is content.
"""

from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.layers import Array, Linear, ReLU, Sigmoid, Tanh
from backprop_lab.losses import MeanSquaredError, SumSquaredError
from backprop_lab.trace import Step, Trace


class Place(NamedTuple):
    """Where a name is computed: the kind of layer or loss, which of its results (`Y`, `dX` ...), and the names around."""

    kind: type
    result: str
    names: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Mistake:
    """One mistake: what it is called, why people make it, how it looks on the board, and the lines that make it.

    `title` is for a menu, `resembles` completes "This looks like ..."; `seen` says where people made it or asked about
    it. `lines` has, for each kind of layer or loss and each of its results, the wrong line that takes the right one's
    place; the result "new" is a parameter after the update. Who makes it makes it everywhere, unless it is made `once`,
    at the first gradient.
    """

    name: str
    title: str
    resembles: str
    why: str
    look: str
    lines: dict[tuple[type, str], str]
    seen: tuple[str, ...] = ()
    once: bool = False

    def line(self, trace: Trace, name: str) -> str | None:
        """The wrong line of NumPy for `name`, or None where this mistake does not apply. Raises KeyError as `trace` does."""
        place = _place(trace, name)
        template = self.lines.get((place.kind, place.result)) if place else None
        return _filled(template, place.names) if place and template else None

    def wrong(self, trace: Trace, name: str) -> Any:
        """What this mistake gives for `name`, in whatever shape; None where it does not apply or NumPy refuses the line.

        It may be the right value: a transpose forgotten on a single number does no harm.
        """
        line = self.line(trace, name)
        try:
            return evaluate(line, trace) if line else None
        except (TypeError, ValueError):
            return None

    def resemblance(self, trace: Trace, name: str) -> str:
        """What completes "This looks like ..." where the answer for `name` is this mistake's."""
        place = _place(trace, name)
        return (_filled(self.resembles, place.names) if place else None) or self.title

    def places(self, trace: Trace) -> tuple[str, ...]:
        """Every name where this mistake can be planted and changes something."""
        there = _places_in(trace)
        made = [step for step in trace.steps if there[step.name][:2] in self.lines]
        return tuple(step.name for step in made if _changes(self.wrong(trace, step.name), step.value))

    def made_at(self, trace: Trace) -> tuple[str, ...]:
        """Those of its places where someone who makes it makes it."""
        places = self.places(trace)
        gradients = tuple(name for name in places if trace.step(name).phase == "backward")
        return (gradients or places)[:1] if self.once else places


def plant(trace: Trace, mistake: Mistake, name: str) -> Trace:
    """The same training step with `mistake` made at `name`: what comes after follows from the wrong value.

    The planted step shows the wrong line as its code, so the code shown is still the code run. Raises ValueError, saying
    why, where it cannot be planted: it does not apply, NumPy refuses the line, or the value has another shape, for which
    the network has no room. Raises KeyError as `trace` does.
    """
    line = mistake.line(trace, name)
    if line is None:
        raise ValueError(f"{mistake.title!r} does not apply to {name} in {trace.problem.network}")
    try:
        wrong = evaluate(line, trace)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} = {line} cannot be planted, because NumPy refuses it: {error}") from None
    if np.shape(wrong) != np.shape(trace[name]):
        raise ValueError(
            f"{name} = {line} cannot be planted: it has shape {np.shape(wrong)}, and {name} has {np.shape(trace[name])}"
        )
    planted = trace.step(name)._replace(
        code=line,
        latex=trace.step(name).latex.replace("=", r"\neq", 1),
        operands=tuple(word for word in dict.fromkeys(_compiled(line).co_names) if word in trace),
        title=mistake.title,
        sentence=mistake.why.replace("`", ""),
        value=_frozen(wrong),
    )
    return _carried_through(trace, planted)


def _carried_through(trace: Trace, planted: Step) -> Trace:
    """The trace with one step exchanged, and every step that depends on it computed again by its own line.

    What depends on what is read from the operands, not from the order of the steps: a planted line may ask for a
    later name, as `updated-weights` does.
    """
    steps = {step.name: step for step in trace.steps} | {planted.name: planted}
    values = trace.given | {planted.name: planted.value}

    def value(name: str) -> Any:
        if name not in values:
            step = steps[name]
            changed = [value(operand) is not trace[operand] for operand in step.operands]
            values[name] = _frozen(evaluate(step.code, values)) if any(changed) else step.value
        return values[name]

    return Trace(trace.problem, trace.given, tuple(step._replace(value=value(step.name)) for step in steps.values()))


def evaluate(line: str, values: Any) -> Any:
    """What a line of NumPy gives over values by name, which may be a trace.

    Numbers that overflow, as when training diverges, do so in silence. Raises what NumPy raises.
    """
    with np.errstate(all="ignore"):
        return eval(_compiled(line), {"np": np}, values)


def _place(trace: Trace, name: str) -> Place | None:
    """Where `name` is computed, or None if it is given. Raises KeyError, listing the names, if there is none such."""
    trace[name]
    return _places_in(trace).get(name)


def _places_in(trace: Trace) -> dict[str, Place]:
    stages = trace.problem.network.stages
    kinds = tuple((Linear if isinstance(layer, Linear) else layer, *names) for layer, *names in stages)
    return _places(kinds, type(trace.problem.loss))


@lru_cache(maxsize=64)
def _places(stages: tuple[tuple[Any, ...], ...], loss: type) -> dict[str, Place]:
    """The place of every name, which depends only on the loss and on the layers, of which all that are Linear are alike."""
    ends = {"y_pred": "y_pred", "y": "y"}
    places = {
        "L": Place(loss, "L", ends | {"name": "L"}),
        "dy_pred": Place(loss, "dy_pred", ends | {"name": "dy_pred"}),
    }
    for i, (layer, X, Y, n) in enumerate(stages):
        names = {} if layer is Linear else dict(vars(layer))
        names |= {"X": X, "Y": Y, "dY": f"d{Y}", "W": f"W{n}", "b": f"b{n}", "dW": f"dW{n}", "lr": "lr"}
        linear_before = [stage[1] for stage in stages[:i] if stage[0] is Linear]
        linear_after = [stage[1] for stage in stages[i + 1 :] if stage[0] is Linear]
        if linear_before or linear_after:
            names["X_other"] = (linear_before[::-1] + linear_after)[0]
        if i > 0 and stages[i - 1][0] is not Linear:
            names["X_raw"] = stages[i - 1][1]
        if i + 1 < len(stages) and stages[i + 1][0] is not Linear:
            names["dY_out"] = f"d{stages[i + 1][2]}"
        results = [(Y, "Y", "W"), (f"d{X}", "dX", "W")]
        if layer is Linear:
            results += [(f"d{p}{n}", f"d{p}", p) for p in "Wb"] + [(f"{p}{n}_new", "new", p) for p in "Wb"]
        for name, result, p in results:
            of_parameter = {"name": name, "p": f"{p}{n}", "dp": f"d{p}{n}", "new": f"{p}{n}_new"}
            places[name] = Place(Linear if layer is Linear else type(layer), result, names | of_parameter)
    return places


def _filled(template: str, names: dict[str, Any]) -> str | None:
    """The template with its names put in, or None if one of them is not there."""
    try:
        return template.format_map(names)
    except KeyError:
        return None


@lru_cache(maxsize=1024)
def _compiled(line: str) -> CodeType:
    return compile(line, "<a line of NumPy>", "eval")


def _frozen(value: Any) -> Any:
    """`value`, read-only if it is an array: itself, or a copy where someone else could write to it."""
    if isinstance(value, np.ndarray) and value.flags.writeable:
        value = value if value.base is None else value.copy()
        value.setflags(write=False)
    return value


def _changes(wrong: Any, right: Array) -> bool:
    """Whether `wrong` has the shape of `right` and differs from it by more than rounding does."""
    if wrong is None or np.shape(wrong) != np.shape(right):
        return False
    with np.errstate(all="ignore"):
        return not np.max(np.abs(wrong - right)) <= 1e-12 * np.max(np.abs(right))


SQUEEZERS = (Tanh, Sigmoid)
ACTIVATIONS = (ReLU, *SQUEEZERS)

MISTAKES = (
    # Back through the activation
    Mistake(
        name="mask-forgotten",
        title="ReLU mask forgotten",
        resembles="{dY}: the ReLU's mask is missing",
        why="In the forward pass a ReLU looks like a detail, so on the way back its step is left out.",
        look="The gradient under the ReLU's input has numbers in cells where the ReLU's output is 0.",
        lines={(ReLU, "dX"): "{dY}"},
        seen=("jeongyoonlee/Kaggler #14",),
    ),
    Mistake(
        name="mask-always-true",
        title="ReLU mask >= 0 of the ReLU's own output",
        resembles="a mask that asks whether {Y} >= 0: what leaves a ReLU is never negative, so it lets everything through",
        why="`>= 0` is harmless on the ReLU's input, but its output is 0 exactly where the unit is off.",
        look="The mask has no empty cell, and the gradient passes where the ReLU's output is 0.",
        lines={(ReLU, "dX"): "{dY} * ({Y} >= 0)"},
        seen=("numpy-tutorials MNIST", "iamtrask/Grokking-Deep-Learning #9", "iamtrask/Grokking-Deep-Learning PR #13"),
    ),
    Mistake(
        name="mask-from-gradient",
        title="ReLU applied to the gradient",
        resembles="{dY} with its negative numbers silenced: a mask asks which units were on, not which gradients are positive",
        why="The ReLU is at hand as a function, so it is applied again on the way back, to the gradient.",
        look="The gradient under the ReLU's input has no blue cell: every negative number in it has become 0.",
        lines={(ReLU, "dX"): "{dY} * ({dY} > 0)"},
        seen=(
            "FahdSeddik/DeepLearning.AI-Natural-Language-Processing-Specialization #1",
            "exacity/deeplearningbook-chinese #127",
        ),
    ),
    Mistake(
        name="mask-from-another-layer",
        title="ReLU mask from another layer's matrix",
        resembles="a mask taken from {X_other}, which is not this ReLU's",
        why="Where all layers are equally wide, every matrix fits, and the names differ by one digit.",
        look="The empty cells of the gradient are not where the ReLU's output is 0.",
        lines={(ReLU, "dX"): "{dY} * ({X_other} > 0)"},
    ),
    Mistake(
        name="mask-upside-down",
        title="ReLU mask upside down",
        resembles="a mask that is upside down: it keeps the units that were off and silences those that were on",
        why="One remembers that a ReLU sets something to 0, and sets the wrong half.",
        look="The gradient is empty exactly where the ReLU's output has numbers.",
        lines={(ReLU, "dX"): "{dY} * ({Y} <= 0)"},
    ),
    Mistake(
        name="slope-forgotten",
        title="Slope of the activation forgotten",
        resembles="{dY}: the slope of the activation is missing",
        why="In the forward pass an activation looks like a detail, so on the way back its step is left out.",
        look="The gradients under the activation's input and output are the same, cell for cell.",
        lines=dict.fromkeys([(kind, "dX") for kind in SQUEEZERS], "{dY}"),
        seen=("Bot-Academy/NeuralNetworkFromScratch PR #3",),
    ),
    Mistake(
        name="slope-of-input",
        title="Slope written for the output, taken of the input",
        resembles="a slope worked out from {X}: the short formula holds for what leaves the activation",
        why="The formulas 1 - Y^2 and Y (1 - Y) are learned as `1 - x**2` and `x * (1 - x)`, and x is taken at its word.",
        look="Where the activation's input is large, the gradient is large or has the wrong sign; it should fade to 0.",
        lines={(Tanh, "dX"): "{dY} * (1 - {X}**2)", (Sigmoid, "dX"): "{dY} * {X} * (1 - {X})"},
        seen=("BoltzmannEntropy/interviews.ai #15", "BoltzmannEntropy/interviews.ai #4"),
    ),
    Mistake(
        name="slope-of-output",
        title="Activation run once more before its slope",
        resembles="a slope taken at {Y}, as if the activation had been run twice",
        why="A derivative function that expects the input is handed the stored output.",
        look="No gradient fades to 0, even where the activation's output is at its edge.",
        lines={
            (Tanh, "dX"): "{dY} * (1 - np.tanh({Y})**2)",
            (Sigmoid, "dX"): "{dY} * np.exp(-{Y}) / (1 + np.exp(-{Y}))**2",
        },
        seen=("torch/torch7 #232", "tsoding/nn.h #18"),
    ),
    Mistake(
        name="slope-half-written",
        title="Half of the slope",
        resembles="a slope of 1 - {Y}, which is not all of it",
        why="Of 1 - Y^2 the square is lost, or of Y (1 - Y) the first factor.",
        look="The gradient is largest where the activation's output is lowest; it should be largest in the middle.",
        lines=dict.fromkeys([(kind, "dX") for kind in SQUEEZERS], "{dY} * (1 - {Y})"),
        seen=("torch/torch7 #232",),
    ),
    Mistake(
        name="slope-of-tan",
        title="Slope of tan instead of tanh",
        resembles="a slope of 1 + {Y}**2: that is the slope of tan, and tanh flattens out where tan shoots up",
        why="The two formulas differ by one sign, and the one for tan is learned first, at school.",
        look="The gradient grows where the activation's output is near its edges; it should fade there.",
        lines={(Tanh, "dX"): "{dY} * (1 + {Y}**2)"},
        seen=("nicodjimenez/lstm #41", "gy910210/neural-network-from-scratch #2"),
    ),
    Mistake(
        name="incoming-gradient-dropped",
        title="Only the slope, without the gradient that comes in",
        resembles="the slope alone: {dY}, which comes back to the activation, is not in it",
        why="The derivative of the activation is taken for the whole answer, and the chain rule has two factors.",
        look="The gradient has no negative number, and does not change when the target does.",
        lines={(ReLU, "dX"): "1.0 * ({Y} > 0)", (Tanh, "dX"): "1 - {Y}**2", (Sigmoid, "dX"): "{Y} * (1 - {Y})"},
        seen=("haifengl/smile #528", "yizt/numpy_neural_network #6"),
    ),
    Mistake(
        name="matmul-for-star",
        title="@ where * was meant",
        resembles="a matrix product with the activation's slope: each cell has its own slope, so it takes `*`",
        why="Every other line of the backward pass has an `@`, and with as many samples as units this one runs too.",
        look="Cells of units that were off have numbers, and rows mix: a sample's gradient depends on other samples.",
        lines={
            (ReLU, "dX"): "{dY} @ ({Y} > 0)",
            (Tanh, "dX"): "{dY} @ (1 - {Y}**2)",
            (Sigmoid, "dX"): "{dY} @ ({Y} * (1 - {Y}))",
        },
        seen=("community.deeplearning.ai 110003",),
    ),
    # Back through the weights
    Mistake(
        name="transpose-forgotten",
        title="Transpose forgotten",
        resembles="a product in which nothing was transposed",
        why="With square matrices NumPy does not complain, so nothing says that the transpose is missing.",
        look="Only with equal sizes does it run at all: make the hidden layer one unit wider and NumPy refuses.",
        lines={(Linear, "dX"): "{dY} @ {W}", (Linear, "dW"): "{X} @ {dY}"},
        seen=("stephencwelch/Neural-Networks-Demystified #28",),
    ),
    Mistake(
        name="result-transposed",
        title="Result transposed",
        resembles="{name} transposed",
        why="Many books keep samples in columns; their formulas give the transpose of ours.",
        look="Rows and columns have changed places: a gradient no longer lies on the value it belongs to.",
        lines={
            (Linear, "dX"): "{W} @ {dY}.mT",
            (Linear, "dW"): "{dY}.mT @ {X}",
            (Linear, "db"): "{dY}.sum(axis=0, keepdims=True).mT",
        },
        seen=("community.deeplearning.ai 29466", "community.deeplearning.ai 555868"),
    ),
    Mistake(
        name="operands-swapped",
        title="Operands swapped",
        resembles="a product with its two factors swapped: A @ B is not B @ A",
        why="For numbers the order of a product does not matter; for matrices it does.",
        look="Only with equal sizes does it run; each row then mixes the samples.",
        lines={(Linear, "Y"): "{W} @ {X} + {b}", (Linear, "dX"): "{W}.mT @ {dY}", (Linear, "dW"): "{dY} @ {X}.mT"},
        seen=("community.deeplearning.ai 241052",),
    ),
    Mistake(
        name="star-for-matmul",
        title="* where @ was meant",
        resembles="a cell-by-cell `*` where rows and columns should meet in an `@`",
        why="`*` is multiplication everywhere else, and where a shape has a 1 in it NumPy broadcasts it in silence.",
        look="Each cell is one product and not a sum: work out one cell and compare.",
        lines={(Linear, "Y"): "{X} * {W} + {b}", (Linear, "dX"): "{dY} * {W}.mT", (Linear, "dW"): "{X}.mT * {dY}"},
        seen=("community.deeplearning.ai 402919", "community.deeplearning.ai 152009"),
    ),
    Mistake(
        name="updated-weights",
        title="Already updated weights used in the backward pass",
        resembles="{new} used where {p} was meant: the weights were updated before the gradient had gone through them",
        why="Each weight is updated as soon as its gradient is known, and the layer before still needs the old one.",
        look="At a small learning rate next to nothing shows; raise it, and the gradient moves though no input did.",
        lines={(Linear, "dX"): "{dY} @ {new}.mT"},
        seen=(
            "joelgrus/data-science-from-scratch #31",
            "CodingTrain/Toy-Neural-Network-JS #72",
            "Bot-Academy/NeuralNetworkFromScratch PR #3",
            "mattmazur.com 2015, the loss after the first round",
        ),
    ),
    Mistake(
        name="gradient-for-weights",
        title="dW used where W was meant",
        resembles="{dp} used where {p} was meant",
        why="On the way back every name has a d in front of it, and one d too many is soon typed.",
        look="The gradient does not change when the weights of its layer do, as long as the prediction stays.",
        lines={(Linear, "dX"): "{dY} @ {dp}.mT"},
        seen=("jcjohnson/pytorch-examples #5", "community.deeplearning.ai 71024"),
    ),
    Mistake(
        name="weights-for-gradient",
        title="W used where dW was meant",
        resembles="{p} used where {dp} was meant",
        why="The two have the same shape, and their names differ by one letter.",
        look="The numbers in the gradient's place are those above it, in the weights.",
        lines={(Linear, "dW"): "{W}", (Linear, "db"): "{b}", (Linear, "new"): "{p} - {lr} * {p}"},
        seen=("community.deeplearning.ai 71024",),
    ),
    Mistake(
        name="raw-input",
        title="What entered the activation used for what left it",
        resembles="{X_raw} used where {X} was meant: this layer was fed by the activation's output",
        why="Both are stored in the forward pass, in the same shape, as Y and H (or z and a).",
        look="Rows that belong to units that were off for all samples should be 0, and are not.",
        lines={(Linear, "dW"): "{X_raw}.mT @ {dY}"},
        seen=("maziarraissi/backprop #1",),
    ),
    Mistake(
        name="input-of-another-layer",
        title="Input of another layer",
        resembles="{X_other} used where {X} was meant: that is the input of another layer",
        why="Between layers the numbering shifts by one, and with layers of equal width any input fits.",
        look="The gradient's rows belong to the wrong inputs: set one input to 0, and the row that empties is elsewhere.",
        lines={(Linear, "dW"): "{X_other}.mT @ {dY}"},
        seen=("amaas/stanford_dl_ex #15",),
    ),
    Mistake(
        name="activation-skipped-backward",
        title="Gradient taken before it went back through the activation",
        resembles="{dY_out} used where {dY} was meant: it has not been back through the activation yet",
        why="There are two gradients for each hidden layer, before and after the activation, and they have one shape.",
        look="A unit that was off for every sample still asks for a change of its weights.",
        lines={
            (Linear, "dX"): "{dY_out} @ {W}.mT",
            (Linear, "dW"): "{X}.mT @ {dY_out}",
            (Linear, "db"): "{dY_out}.sum(axis=0, keepdims=True)",
        },
        seen=("hanbt/learn_dl #23",),
    ),
    # The bias, and sums over the batch
    Mistake(
        name="sum-forgotten",
        title="db without the sum over samples",
        resembles="{dY}, one row for each sample: the sum over the samples is missing",
        why="With a single sample there is nothing to sum, and most derivations are for a single sample.",
        look="The bias's gradient has as many rows as there are samples, and the bias has one.",
        lines={(Linear, "db"): "{dY}"},
        seen=("datascience.stackexchange 20139", "datascience.stackexchange 54364"),
    ),
    Mistake(
        name="dimension-dropped",
        title="db with its dimension dropped",
        resembles="{name} with its dimension dropped: sum with keepdims=True, and it stays one row",
        why="`sum(axis=0)` gives (H,), and NumPy broadcasts that against (1, H), so nothing seems amiss.",
        look="The numbers are right, but they have one pair of brackets where the bias has two.",
        lines={(Linear, "db"): "{dY}.sum(axis=0)"},
        seen=("the original notebook", "jimfleming/differentiation #1"),
    ),
    Mistake(
        name="sum-over-units",
        title="Sum over the wrong axis",
        resembles="a sum along the rows, over the units: a bias gathers its column, over the samples",
        why="Axis 0 runs down the columns and axis 1 along the rows, which is easily taken the other way round.",
        look="There is one number for each sample, and there should be one for each unit.",
        lines={(Linear, "db"): "{dY}.sum(axis=1, keepdims=True)"},
    ),
    Mistake(
        name="axis-forgotten",
        title="Sum over everything",
        resembles="the sum of all of {dY}: without an axis, `sum` adds up the units too",
        why="`sum()` without an axis gives one number, and NumPy broadcasts it to every bias.",
        look="Every bias asks for the same change.",
        lines={(Linear, "db"): "{dY}.sum()"},
    ),
    Mistake(
        name="bias-from-weights",
        title="db summed from dW",
        resembles="a sum of {dW}: the inputs are in it, and a bias has no input",
        why="The weight gradient is at hand and has the right width, so it is summed instead of what the layer got back.",
        look="The bias's gradient changes with the inputs even where the gradient of the layer's output does not.",
        lines={(Linear, "db"): "{dW}.sum(axis=0, keepdims=True)"},
        seen=("rust0258/Deeplearning.ai-Natural-Language-Processing-Specialization #62",),
    ),
    Mistake(
        name="mean-for-sum",
        once=True,  # what is divided in dy_pred is divided in all that follows from it
        title="Mean instead of sum over the batch",
        resembles="a mean over the batch where the sum was meant",
        why="Courses whose loss is a mean divide by the number of samples here; this loss has not, or has done so already.",
        look="The pattern is right and every number is too small, by the number of samples.",
        lines={
            (Linear, "dW"): "{X}.mT @ {dY} / len({X})",
            (Linear, "db"): "{dY}.mean(axis=0, keepdims=True)",
            (SumSquaredError, "dy_pred"): "2 * ({y_pred} - {y}) / len({y})",
            (SumSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2) / len({y})",
        },
        seen=("kvfrans/notes #5", "dengfy/cs231n #1"),
    ),
    # The loss
    Mistake(
        name="sum-for-mean",
        title="Sum instead of mean over the batch",
        resembles="a sum over the batch where the mean was meant",
        why="The gradient is copied from a derivation for the sum of squares, and the loss is their mean.",
        look="The pattern is right and every number is too large, by the number of targets.",
        lines={
            (MeanSquaredError, "dy_pred"): "2 * ({y_pred} - {y})",
            (MeanSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2)",
        },
        seen=("Open-Deep-ML/DML-OpenProblem #54",),
    ),
    Mistake(
        name="another-loss",
        title="Another loss than the one chosen",
        resembles="another squared error than the one chosen: the loss and its gradient must be the sum, or the same mean",
        why="Squared errors come as a sum, a mean over samples, or a mean over all targets, and all are called MSE.",
        look="The pattern is right, and every number is off by the same factor.",
        lines={
            (SumSquaredError, "dy_pred"): "2 * ({y_pred} - {y}) / {y}.size",
            (SumSquaredError, "L"): "np.mean(({y_pred} - {y}) ** 2)",
            (MeanSquaredError, "dy_pred"): "2 * ({y_pred} - {y}) / len({y})",
            (MeanSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2) / len({y})",
        },
        seen=(
            "Open-Deep-ML/DML-OpenProblem #54",
            "karpathy/nn-zero-to-hero PR #20",
            "42-AI/bootcamp_machine-learning #116",
        ),
    ),
    Mistake(
        name="loss-not-squared",
        title="Square forgotten in the loss",
        resembles="twice the mean of the differences: the square is missing, so errors above and below cancel",
        why="The gradient 2 (y_pred - y) is on one's mind and is written down as the loss.",
        look="The loss can be negative, or 0 for a bad prediction.",
        lines=dict.fromkeys(
            [(kind, "L") for kind in (SumSquaredError, MeanSquaredError)], "2 * np.mean({y_pred} - {y})"
        ),
        seen=("the original notebook",),
    ),
    Mistake(
        name="loss-halved",
        title="1/2 in front of the loss",
        resembles="half the loss: this one has no 1/2 in front",
        why="Many books put 1/2 in front of the loss, to be rid of the 2 in its gradient.",
        look="The loss falls as it should, and is half as large.",
        lines={
            (SumSquaredError, "L"): "np.sum(({y_pred} - {y}) ** 2) / 2",
            (MeanSquaredError, "L"): "np.mean(({y_pred} - {y}) ** 2) / 2",
        },
    ),
    Mistake(
        name="factor-two-dropped",
        title="Factor 2 dropped",
        resembles="the gradient of half the loss: the 2 from the square is missing",
        why="Many books put 1/2 in front of the loss to be rid of the 2; this loss has no 1/2.",
        look="The pattern is right and every number is half as large.",
        lines={
            (SumSquaredError, "dy_pred"): "{y_pred} - {y}",
            (MeanSquaredError, "dy_pred"): "({y_pred} - {y}) / {y}.size",
        },
        seen=("davisking/dlib #1169", "SethHWeidman/DLFS_code #9"),
    ),
    Mistake(
        name="sign-flipped",
        once=True,  # two flips are none
        title="Sign flipped",
        resembles="{name} with its sign flipped",
        why="`y - y_pred` reads as the error to be mended, and the derivative of (y_pred - y)^2 wants the other order.",
        look="Red is blue and blue is red.",
        lines={
            (SumSquaredError, "dy_pred"): "2 * ({y} - {y_pred})",
            (MeanSquaredError, "dy_pred"): "2 * ({y} - {y_pred}) / {y}.size",
            (Linear, "dX"): "-{dY} @ {W}.mT",
            (Linear, "dW"): "-{X}.mT @ {dY}",
            (Linear, "db"): "-{dY}.sum(axis=0, keepdims=True)",
            (ReLU, "dX"): "-{dY} * ({Y} > 0)",
            (Tanh, "dX"): "{dY} * ({Y}**2 - 1)",
            (Sigmoid, "dX"): "{dY} * {Y} * ({Y} - 1)",
        },
        seen=("iamtrask/Grokking-Deep-Learning #37", "dvgodoy/PyTorchStepByStep #21"),
    ),
    Mistake(
        name="broadcast-to-square",
        title="(N,) against (N, 1)",
        resembles="every prediction against every target: (N, 1) minus (N,) is not N differences but N times N of them",
        why="Targets are read as a flat list, and NumPy broadcasts a column against a row to a whole square.",
        look="With one output, the gradient is a square of N rows and N columns.",
        lines={
            (SumSquaredError, "dy_pred"): "2 * ({y_pred} - {y}.ravel())",
            (SumSquaredError, "L"): "np.sum(({y_pred} - {y}.ravel()) ** 2)",
            (MeanSquaredError, "dy_pred"): "2 * ({y_pred} - {y}.ravel()) / {y}.size",
            (MeanSquaredError, "L"): "np.mean(({y_pred} - {y}.ravel()) ** 2)",
        },
        seen=("HIPS/Kayak #14", "Lasagne #755", "pytorch #16045"),
    ),
    # The update
    Mistake(
        name="plus-for-minus",
        title="Update with +",
        resembles="a step uphill: the gradient points to where the loss grows, so it is subtracted",
        why="`+=` is right where the error was written y - y_pred, as in many books, and wrong here.",
        look="The loss grows from one iteration to the next, at any learning rate.",
        lines={(Linear, "new"): "{p} + {lr} * {dp}"},
        seen=("makeyourownneuralnetwork/makeyourownneuralnetwork #66",),
    ),
    Mistake(
        name="lr-twice",
        title="Learning rate applied twice",
        resembles="a step scaled by the learning rate twice",
        why="The gradient is multiplied by the learning rate when it is computed, and again in the update.",
        look="The weights hardly move: with a rate of 0.01 the step is a hundredth of what it should be.",
        lines={(Linear, "new"): "{p} - {lr} * ({lr} * {dp})"},
        seen=("PrincetonUniversity/PsyNeuLink PR #1745",),
    ),
    Mistake(
        name="lr-forgotten",
        title="Learning rate forgotten",
        resembles="a step of the whole gradient: the learning rate is missing",
        why="The formula is remembered as W - dW, with the rate as a detail.",
        look="The weights leap, and moving the learning-rate slider changes nothing.",
        lines={(Linear, "new"): "{p} - {dp}"},
        seen=("aimacode/aima-python #285",),
    ),
    Mistake(
        name="not-updated",
        title="Update forgotten",
        resembles="{p} as it was: it has not been updated",
        why="The gradients are all there, and the line that uses them is left out, most often for a bias, which seems to do nothing.",
        look="The same numbers as before the step.",
        lines={(Linear, "new"): "{p}"},
        seen=("mattm/simple-neural-network #5",),
    ),
    Mistake(
        name="old-value-dropped",
        title="The step instead of the new value",
        resembles="the step alone: it has not been added to the old {p}",
        why="`=` is typed for `-=`, so that the change takes the place of what should have been changed.",
        look="All the weights are suddenly tiny.",
        lines={(Linear, "new"): "-{lr} * {dp}"},
        seen=("itdxer/neupy #218",),
    ),
    # The forward pass
    Mistake(
        name="bias-forgotten",
        title="Bias forgotten",
        resembles="weighted sums without the bias {b}",
        why="At the start the biases are 0, so nothing is missed until they have been updated.",
        look="Moving the bias changes nothing to its right.",
        lines={(Linear, "Y"): "{X} @ {W}"},
        seen=("Kulbear/deep-learning-coursera PR #48",),
    ),
    Mistake(
        name="activation-forgotten",
        title="Activation forgotten",
        resembles="a forward pass that left out the activation",
        why="The weighted sums and what the activation makes of them have the same shape, so the next line takes either.",
        look="The activation's output has the very numbers of its input.",
        lines=dict.fromkeys([(kind, "Y") for kind in ACTIVATIONS], "{X}") | {(Linear, "Y"): "{X_raw} @ {W} + {b}"},
    ),
)

UNSEEN = (
    "loss-not-squared",
    "loss-halved",
    "plus-for-minus",
    "lr-twice",
    "lr-forgotten",
    "not-updated",
    "old-value-dropped",
)
