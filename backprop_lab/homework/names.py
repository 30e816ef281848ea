"""What a learner's names stand for, in their layout: `A1` and `h1` for H1, `dZ2` and `delta2` for dY2."""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from backprop_lab.feedback.rule_lines import SLOPES, slope_in
from backprop_lab.homework.layout import Layout
from backprop_lab.reading.slopes import SLOPE, slopes_of
from backprop_lab.step.problem import Problem
from backprop_lab.step.program import Program
from backprop_lab.step.trace import Trace, found_once

BEFORE, AFTER = {"z", "y", "s", "net", "lin", "pre"}, {"a", "h", "o", "out", "act", "hidden"}
INPUTS, TARGETS = {"x", "inputs", "data", "features"}, {"y", "t", "target", "targets", "labels", "y_true", "onehot"}
OF_A_PART = ("train", "batch", "mini", "shuffled", "shuf", "perm")  # what data are called beside `X_b`, `batch_X`
INPUTS |= {"xb", "x_b", "x_s"} | {name for each in OF_A_PART for name in (f"x_{each}", f"{each}_x")}
TARGETS |= {"yb", "y_b", "y_s"} | {name for each in OF_A_PART for name in (f"y_{each}", f"{each}_y")}
HELD_OUT = {"x_test", "y_test", "x_val", "y_val", "x_dev", "y_dev", "test_x", "test_y"}
PREDICTED = {"y_hat", "yhat", "y_pred", "pred", "preds", "prediction", "predictions", "out", "output", "o", "al"}
PROBABILITIES, SCORES = {"probs", "prob", "p", "softmax"}, {"scores", "logits", "zl"}
WEIGHTS = {"w", "b", "weight", "weights", "bias", "biases", "theta"}
JOINS = re.compile(  # weights of two layers by what they lead from or to
    r"(?:w|weights?|b|bias(?:es)?)_?(?:(h|hid|hidden|ih|in|input_hidden)|o|out|output|ho|hidden_output)"
)
HIDDEN = {"h", "hidden", "hidden_layer", "a", "hid", "h1"}
COUNTS = {"m", "n", "num_train", "batch_size", "n_samples", "num_samples", "num_examples", "batch", "bs"}
RATES = {"lr", "learning_rate", "alpha", "eta", "rate"}
PENALTIES = {"reg", "reg_lambda", "lambda_", "lambd", "lam", "lmbda", "l2_reg", "reg_strength", "weight_decay", "wd"}
WORDS = {"xnorm": "xhat", "mean": "mu", "variance": "var"}  # of a norm, besides those that the package has
D = re.compile(
    r"(?:d(?:[LlJEC]|[Ll]oss|[Cc]ost)_?d|gradient_|grad_?|nabla_?|[Δ∇]_?|g_|g(?=[Wwb]\d)|delta_?|d_?)(\w+)|(\w+?)_?(?:grad|gradient)"
)
A_NUMBER = re.compile(r"(?:self\.)?(\w+) = (\d[\d.e-]*)")
NUMBERED = re.compile(r"(.+?)_?(\d+)")
A_GRADIENT = re.compile(
    r"[Δ∇]\w+|d(?!ata|im|epth|type)\w*|delta\w*|δ\w*|g_\w+|g[Wwb]\d+|nabla\w*|grad\w*|.*_(grad|gradient|delta)|err(or)?\w*"
)
A_DIFFERENCE = re.compile(r"_*(?:diff\w*|err(?:or)?s?)")  # which may be a gradient, or only a part of one
A_NEW = re.compile(r"(?:new|next|updated)_?(\w+)|(\w+?)_?(?:new|next|updated?|upd)")
A_STATE = re.compile(r"([mvs]|vel\w*|mom\w*)_?(d?)([WwBb]\w*)", re.IGNORECASE)
ACTIVATED = re.compile(r"([a-z]+)(\d*)_(?:relu|act|tanh|sigmoid|drop)")


@found_once
def before_its_activation(trace: Trace, gradient: str) -> str:
    """The gradient of the value that an activation was taken of, for that of what it gives; or "".

    A function that acts cell by cell lets its gradient through in each cell by itself.
    """
    of = trace.owner(gradient)
    made_of = {*trace.step(of).operands} if trace.role(gradient) == "gradient" and of not in trace.given else {""}
    before = f"d{made_of.pop()}" if len(made_of) == 1 and made_of.isdisjoint(trace.given) else ""
    if trace.role(before) != "gradient" or np.shape(trace[before]) != np.shape(trace[gradient]):
        return ""
    step = trace.step(before)
    if [each for each in step.operands if trace.role(each) == "gradient"] != [gradient]:
        return ""
    some = np.random.default_rng(0).integers(2, size=np.shape(step.value))
    parts = ((trace.evaluate(step.code, **{gradient: trace[gradient] * part}), part) for part in (some, 1 - some))
    off = max(np.max(np.abs(given - step.value * part)) for given, part in parts)
    return before if off <= 1e-9 * np.max(np.abs(step.value)) else ""


def _samples_in(data: Any, problem: Problem) -> int:
    """How many samples data have: columns, where the loss of a program is divided by how many there are."""
    lines = problem.lines if isinstance(problem, Program) else ()
    loss = "".join(step.code for step in lines if step.name == problem.loss_name)
    are_columns = "shape[1]" in loss and not re.search(r"shape\[0\]|len\(", loss) and np.ndim(data) == 2
    return int(np.shape(data)[are_columns])


class Names:
    """What names mean in one problem and layout; `own` says what some are: names of the trace, numbers, functions."""

    def __init__(self, traced: Trace, layout: Layout, own: Mapping[str, Any]) -> None:
        self.problem, self.trace, self.layout, self.own = traced.problem, traced, layout, dict(own)
        self.before, self.after = {0: "X"}, {0: "X"}
        for stage in self.problem.stages:
            if stage.layer.learnt:
                self.before.setdefault(stage.number, stage.Y)  # a norm has the number of what is before it
            self.after[stage.number] = stage.Y
        self.last = max(self.after)
        self.deltas, self.last_value = self.before, self.last + (layout.from_1 == "all")
        if layout.from_1 == "back":
            self.deltas = {self.last + 1 - n: of for n, of in self.before.items() if n}
        elif layout.from_1:
            self.deltas, after = ({n + 1: of for n, of in each.items()} for each in (self.before, self.after))
        if layout.from_1 == "all":
            self.before, self.after = self.deltas, after
        self.samples = next(
            (_samples_in(value, self.problem) for value in self.problem.data.values() if np.ndim(value)), 1
        )
        self._found = dict[str, str]()  # what names usually stand for
        self._values = dict[str, Any]()  # and in this layout have in them
        self.fits = dict[Any, tuple[float, bool] | None]()  # see fit_of

    def anew(self) -> "Names":
        """The same, with names of its own."""
        other = copy(self)
        other.own = dict(self.own)
        return other

    def of(self, name: str) -> str:
        """The value of the trace that a name stands for, or ""."""
        meant = self.own.get(name, "" if name in self.layout.passing else None)
        return meant if isinstance(meant, str) else self._usual(name.lstrip("_"))

    def _usual(self, name: str) -> str:
        if name not in self._found:
            self._found[name] = self._there(self._by_its_form(name))
        return self._found[name]

    def _by_its_form(self, name: str) -> str:
        if self.layout.masks and re.fullmatch(r"D\d+", name):
            return f"mask{name[1:]}"
        if name in self.trace and (name not in ("P", "Z") or isinstance(self.problem, Program)):
            return name
        short = name.lower()
        if known := self._of_the_step(name, short):
            return known
        if activated := ACTIVATED.fullmatch(short):  # `h_relu` and `z1_relu` are what comes out of the activation
            letter, number = activated.groups()
            is_known = letter in AFTER | BEFORE and (number or self.last == 2)
            return self.after.get(int(number or 1), "") if is_known else ""
        numbered = NUMBERED.fullmatch(short)
        letter, number = (numbered[1], int(numbered[2])) if numbered else (short, -1)
        predicted = "P" if "P" in self.trace and not self.layout.scores else "y_pred"
        if joins := JOINS.fullmatch(short) if self.last == 2 else None:
            return f"{'b' if short[0] == 'b' else 'W'}{1 if joins[1] else 2}"
        if letter in WEIGHTS and (number > 0 or self.last == 1 or (number < 0 and self.last == 2 and letter in "wb")):
            return f"{'b' if letter[0] == 'b' else 'W'}{number if number > 0 else 1}"
        if letter == "syn" and number >= 0:  # which are counted from 0
            return f"W{number + 1}"
        if number < 0:
            return self._unnumbered(name, short, predicted)
        if letter in AFTER and letter != self.layout.before:
            return predicted if number == self.last_value else self.after.get(number, "")
        return self.before.get(number, "") if letter in BEFORE | AFTER else ""

    def _of_the_step(self, name: str, short: str) -> str:
        """What an optimizer or a norm has: `v_dW1` for vW1, and `x_hat` for Xhat1 if there is one alone."""
        if short == "t" and len(self.problem.state) > 1:
            return self._there("step")
        if (state := A_STATE.fullmatch(name)) and (owner := self._usual(state[3])) in self.problem.parameters:
            letter = state[1][0].lower()
            first = letter == "m" or (letter == "v" and self.layout.squares)
            return self._there(f"{'m' if first and 'm' + owner in self.trace else 'v'}{owner}")
        bare = short.replace("_", "")
        bare = WORDS.get(bare, bare)
        is_one = re.fullmatch(r"[a-z]{2,}\d*", bare)
        values = (each for each in self.trace if is_one and self.trace.role(each) == "value")
        alike = [each for each in values if re.fullmatch(rf"{bare}\d*", each.lower())]
        return alike[0] if len(alike) == 1 else ""

    def _unnumbered(self, name: str, short: str, predicted: str) -> str:
        for known, meant in ((INPUTS, "X"), (TARGETS, "y"), (PROBABILITIES, "P"), (RATES, "lr")):
            if short in known and not (name == "p" and self.problem.masks):  # that of a dropout
                return meant if meant in self.trace else predicted
        if short in SCORES or (short in ("z", "s") and self.last == 1):
            return self.before[self.last_value]
        if short in HIDDEN and self.last == 2 and short != self.layout.last:
            return (self.before if self.layout.before == short else self.after)[self.last_value - 1]
        return predicted if short in PREDICTED or (short in HIDDEN and self.last in (1, 2)) else ""

    def _there(self, name: str) -> str:
        return name if name in self.trace else ""

    def gradient(self, name: str) -> str:
        """The gradient, or the new parameter, that a name certainly stands for, or ""."""
        if isinstance(meant := self.own.get(name), str):
            return self._there(f"{meant}_new") or meant  # a line can give no other value of what is given
        name = name.lstrip("_")
        if name in self.layout.passing:
            return ""
        if name in self.trace and self.trace.role(name) != "value":
            return name
        if number := re.fullmatch(r"(?:delta|δ)_?(\d+)", name):
            return self._there(f"d{self.deltas.get(int(number[1]), '')}")
        if D.fullmatch(name):
            of = f"d{self.of_gradient(name)}"
            return of if self.trace.role(of) == "gradient" else ""  # a dout may be given
        new = A_NEW.fullmatch(name)
        owner = self.of(next(filter(None, new.groups())) if new else name)
        return self._there(f"{owner}_new") if owner in self.trace.given else ""

    def of_gradient(self, name: str) -> str:
        """The value whose gradient a name is, by its form, or ""."""
        whose = D.fullmatch(name.lstrip("_"))
        of = whose and (whose[1] or whose[2])
        return "" if not of else self._usual(of) if self.layout.crossed else self.of(of)

    def is_sure(self, name: str) -> bool:
        """Whether a name can mean nothing else: `dhidden` may be before or after its mask, and `delta` anything."""
        of = self.gradient(name)
        if name.lower() == of.lower() and isinstance(self.problem, Program):
            return True
        is_beside = any(f"{each}{of[2:]}" in self.trace for each in ("N", "mask"))
        if name != of and is_beside and of[:2] in ("dY", "dH", "dD", "dN"):
            return False  # `dz1` may be before or after a norm, and `dh1` before or after a dropout
        owner, usual = self.trace.owner(of), {*self.before.values(), *self.after.values(), "y_pred"}
        is_of_a_norm = bool(self.last and owner and name != of and owner not in usual)
        return bool(re.search(r"\d", name)) or name in self.own or of[:2] in ("dW", "db") or is_of_a_norm

    def may_be_a_gradient(self, name: str) -> bool:
        """Whether a name is one of a gradient, and not of a local slope, such as `da1_dz1`."""
        name = name.lstrip("_")
        local = re.fullmatch(r"d(\w+?)_d(\w+)", name)
        return bool(A_GRADIENT.fullmatch(name)) and not (
            local and self.of(local[1]) not in ("", "L") and self.of(local[2])
        )

    def has(self, name: str) -> bool:
        """Whether it is known what a name has in it, where no line has written it."""
        is_count = name.lower() in COUNTS or self.is_penalty(name)
        return name in self.own or bool(self.of(name) or self.gradient(name)) or is_count

    def is_computed(self, name: str) -> bool:
        """Whether nobody knows what a name has in it, or a step of the problem computes it."""
        role = self.trace.role(self.gradient(name) or self.of(name))
        return name not in self.own and (role in ("value", "gradient") or not self.has(name))

    def value(self, name: str) -> Any:
        """What a name has in it, where no line has written it. Raises KeyError if that is not known."""
        meant = self.own.get(name)
        if isinstance(meant, list | tuple) and all(isinstance(each, str) and each in self.trace for each in meant):
            return [self.layout.laid_out(self.trace, each) for each in meant]
        if meant is not None and not isinstance(meant, str):
            return meant
        meant = self.of(name) or self.gradient(name)
        if not meant and name.lower() in COUNTS:
            return self.samples
        if not meant and self.is_penalty(name):
            return self.layout.penalty * self.problem.penalty.c  # type: ignore[union-attr]
        return self.trace["lr"] if meant == "lr" else self._laid_out(meant)

    def _laid_out(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self.layout.laid_out(self.trace, name)
        return self._values[name]

    def is_penalty(self, name: str) -> bool:
        """Whether it is how much the weights are held back by, where the problem has a penalty."""
        return name.lower() in PENALTIES and hasattr(self.problem.penalty, "c")

    def begins(self, name: str, values: Sequence[Any]) -> bool:
        """Whether a state is set to the 0 that it has at first: it is judged with other numbers in it too."""
        return bool(np.ndim(self.problem.state.get(self.of(name), 0))) and not any(map(np.any, values))

    def writes_data(self, name: str, line: str) -> bool:
        """Whether a line makes data of its own, or writes down another penalty than the problem's."""
        if self.is_penalty(name):
            written = A_NUMBER.fullmatch(line)
            return bool(written) and float(written[2]) != self.problem.penalty.c  # type: ignore[index,union-attr]
        return not isinstance(self.problem, Program) and self.of(name) in self.problem.data

    def is_of_the_step(self, name: str) -> bool:
        """Whether a name is one of a value that is no datum."""
        return self.of(name) not in ("", "lr", *self.problem.data)

    def counts_other_data(self, line: str) -> bool:
        """Whether a line writes down how many samples other data have."""
        written = A_NUMBER.fullmatch(line)
        if not written or written[1].lower() not in COUNTS:
            return False
        return written[2].isdigit() and float(written[2]) not in {
            length for value in self.trace.values() for length in np.shape(value)
        }

    @property
    def outputs(self) -> set[str]:
        """What leaves and enters the layers, but for scores before a softmax, to which anything may be added."""
        scores = {self.before[self.last_value]} if "P" in self.trace else set[str]()
        return {*self.before.values(), *self.after.values(), "P", "y_pred"} - {"X"} - scores

    def is_on_the_way(self, name: str) -> bool:
        """Whether a gradient is that of a value, and not of a parameter."""
        return self.trace.role(name) != "new" and self.trace.owner(name) not in self.trace.given

    def is_of_a_parameter(self, name: str) -> bool:
        """Whether a name is that of the gradient of a parameter."""
        of = self.gradient(name)
        return self.trace.role(of) == "gradient" and not self.is_on_the_way(of)

    def is_of_the_update(self, name: str) -> bool:
        """Whether a value is computed after gradients."""
        steps = [step.name for step in self.trace.steps]
        return name in steps and "gradient" in map(self.trace.role, steps[: steps.index(name)])

    def with_its_slope(self, gradient: str) -> Any:
        """A gradient times the slope of the activation that gives its value, where no gradient is that; or None.

        So the gradient of a gate becomes that of its columns in `np.tanh(a[:, 4:6])`, which have no name.
        """
        has_one = gradient and before_its_activation(self.trace, gradient)
        slope = None if has_one else self.slope(gradient)
        return None if slope is None else self.trace.evaluate(f"{gradient} * slope", slope=slope)

    def slope(self, gradient: str) -> Any:
        """The slope of the activation that gives the value of a gradient, cell by cell; or None."""
        of = self.trace.owner(gradient)
        if code := of and slope_in(self.trace.steps, of, SLOPES | {"relu": "{Y} > 0"}):
            return self.trace.evaluate(code)
        known = slopes_of(self.trace).get(f"{SLOPE}{of}")
        return known and known.value

    def right(self, name: str, with_its_slope: bool = False) -> Any:
        """A value of the trace, or a gradient, in the learner's layout."""
        value = self.with_its_slope(name) if with_its_slope else None
        if value is None:
            return self._laid_out(name)
        return value.T if self.layout.is_across(self.trace, name) else value

    def following(self, gradient: str) -> str:
        """The gradient of a value that comes after this one in the backward pass."""
        names = [name for name in self.all_gradients() if self.is_on_the_way(name)]
        return next(iter(names[names.index(gradient) + 1 :] if gradient in names else ()), gradient)

    def all_gradients(self) -> Iterator[str]:
        """Every gradient in the order of the backward pass, then what is new."""
        return (step.name for role in ("gradient", "new") for step in self.trace.steps if step.role == role)
