"""Is the gradient of a learner's own loss right? Each of its entries is held against the slope of that loss.

A slope is found by moving one number of a parameter and calling the loss, so it can itself be off, by its *doubt* (see
`loss`). An entry is right if it is right to 1e-5 of itself, all doubt included; one that is next to nothing beside
the largest is right if it cannot be off by more than 1e-7 of that. It is wrong if it is further off than doubt and
rounding allow, and otherwise it cannot be told. Where there are too many entries, they are moved together, along random
directions: these may show that a gradient is wrong, but never that the last of its entries is right.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_lab.checks.proof import AGREES
from backprop_lab.checks.rounding import FLOAT32, FLOAT64
from backprop_lab.feedback.answers import NoAnswerError, UnreadableError, as_floats, read
from backprop_lab.homework.epsilon import without_epsilon
from backprop_lab.homework.loss import OwnLoss
from backprop_lab.homework.mending import Change, Measured, Mending, shape_in_update
from backprop_lab.homework.resemblance import resemblance
from backprop_lab.homework.slopes import DIRECTIONS, Slopes, ways
from backprop_lab.nn.arrays import cell, first_true
from backprop_lab.nn.layers import Array
from backprop_lab.step.number_format import at_most, listed, plain, so_many_differ, told_apart

MOST = 5_000  # numbers that are moved one by one, 4 calls each
NEARLY = 1e-2  # of the largest slope: so far an epsilon in the loss may move a gradient
SEARCHED = 8  # of the largest numbers are looked at one by one, where a direction shows that one is wrong

VARIES = (
    "cannot be told, since your loss changes from call to call, from {} to {} for the same parameters: is there "
    "dropout, or a sample drawn at random? Seed it inside the loss, such as `rng = np.random.default_rng(0)`"
)
STILL_ZERO = "right: it is 0{1}, and your loss stays the same when {0} is changed a little"
UNSEEN = (
    "cannot be told for certain: {} along random directions, but they would miss one below {} in a single number; "
    "with at most {:,} numbers in all, each is looked at"
)
ONLY_HERE = (
    "right for these parameters, but not for others near them: what is wrong may be 0 here, as a penalty is where all "
    "weights are 0, or your code has kept something, such as a cache"
)
STILL = (
    "your loss stays the same when {0} is changed a little. Does it use the {0} that it is given? If it rounds, as in "
    "float32, take float64"
)


@dataclass(frozen=True)
class Verdict:
    """What is found of one gradient: `ok` is True, False, or None where it cannot be told, and `sentence` says it.

    `where` is the first cell that differs, as in (0, 2), and `code` the lines that find the slope there, over your own
    `loss` and `parameters`.
    """

    name: str
    ok: bool | None
    sentence: str
    where: tuple[int, ...] | None = None
    code: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence}"


class Diagnosis(Mapping[str, Verdict]):
    """The verdict on each parameter by its name, as in `diagnosis["W1"].ok`; it reads as a line for each.

    `ok` is True if all are right, False if one is wrong, and else None; `calls` is how often the loss was called.
    `changes` are those of your own lines that would make wrong ones right, as far as any was found; `in_vain` names the
    gradients for which changes were tried and none was.
    """

    def __init__(
        self, verdicts: Sequence[Verdict], changes: Sequence[Change], in_vain: Sequence[str], calls: int
    ) -> None:
        self._verdicts, self.changes, self.in_vain = {each.name: each for each in verdicts}, [*changes], [*in_vain]
        self.calls = calls

    @property
    def ok(self) -> bool | None:
        each = [verdict.ok for verdict in self.values()]
        return False if False in each else None if None in each else True

    def __bool__(self) -> bool:
        return self.ok is True

    def __getitem__(self, name: str) -> Verdict:
        if name not in self._verdicts:
            raise KeyError(f"there is no parameter {name!r}; there are {', '.join(self._verdicts)}")
        return self._verdicts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._verdicts)

    def __len__(self) -> int:
        return len(self._verdicts)

    def __repr__(self) -> str:
        lines = [said if said.endswith("?") else f"{said}." for said in map(str, (*self.values(), *self.changes))]
        if vain := [name for name in self.in_vain if " is missing" not in str(self[name])]:  # which says what to add
            makes = f"makes {listed(vain)} right: more than one may be wrong, or a term is missing"
            lines.append(f"No change of a single line that was tried {makes}.")
        if shown := next((verdict for verdict in self.values() if verdict.code), None):
            where = f"{cell(shown.name, shown.where or ())}, where `parameters` are yours"
            lines += [f"To see for yourself, the slope of your loss at {where}:", shown.code]
        return "\n".join([*lines, f"({self.calls:,} calls to your loss)"])


@np.errstate(all="ignore")
def diagnose(loss: Callable[..., Any], parameters: Mapping[str, Any], gradients: Any = None) -> Diagnosis:
    """Whether the gradients of your own loss are right, one verdict a parameter, and what a wrong one looks like.

    `loss` is a function of the dictionary `parameters`, or of its arrays: by name where its arguments are so called,
    else in order. It returns one number, or `(number, gradients)`; then leave `gradients` out. These are a dictionary
    by name, `W1`, `dW1` or `grad_W1`, or a sequence in the order of the parameters, or a function of the parameters
    that gives them. A gradient may be transposed, and that of a bias flat. All data is the loss's own:
    `diagnose(lambda p: loss(X, y, p), parameters, gradients)`.

    Where a function gives wrong gradients, the parameters have at most 5,000 numbers in all, and no array that the
    functions use has more, its lines and those of the functions that it calls are tried with one change each, 6,000 at
    most, and you are told one that makes them right. Afterwards your functions are as they were.

    The loss is called on copies, so no array of yours is changed; four times for each number of all parameters, plus
    some 30 times, where all is right as often again elsewhere, and where changes are tried once or more for each; for
    more than 5,000 numbers, 28 times for each parameter. A run of more than five seconds says how many calls it needs.
    A loss that is not the same from call to call, as of dropout without a seed, is noticed. Raises ValueError, with a
    sentence, if the loss cannot be called, stops, or gives no number, or if no gradient fits.
    """
    own = OwnLoss(loss, parameters, gradients)
    numbers = sum(value.size for value in own.at.values())
    judges = [_Judge(own, name, own.given.get(name), numbers > MOST) for name in own.at]
    try:
        if np.isfinite(own.value) and not own.varies:
            own.expected = own.calls + 4 * (numbers if numbers <= MOST else DIRECTIONS * len(judges))
            for judge in judges:
                judge.measure()
            own.ask_again()
        found = {judge.name: judge.found for judge in judges}
        verdicts = [judge.verdict(found) for judge in judges]
        right, changes, in_vain = {each.name for each in verdicts if each.ok}, list[Change](), list[str]()
        verdicts = _but_for_epsilon(own, judges, verdicts)
        wrong = {each.name for each in verdicts if each.ok is False}
        gives_gradients = gradients is None or callable(gradients)
        if gives_gradients and (len(right) == len(judges) or (wrong and numbers <= MOST)):
            if wrong:
                mending = Mending(own, found, right, wrong)
                misplaced = {judge.name for judge in judges if judge.of_another(found)}
                changes, in_vain = mending.changes, sorted(mending.in_vain - misplaced)
            else:
                verdicts = _elsewhere(own, found, verdicts)
            own()  # what it leaves behind, it leaves of the parameters that were handed in
        return Diagnosis(verdicts, changes, in_vain, own.calls)
    finally:
        own.finished()


def _elsewhere(own: OwnLoss, found: Mapping[str, Slopes], verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts on gradients that are right here, where they are not at other parameters."""
    with suppress(ValueError):  # as where a loss stops there
        there = Measured.elsewhere(own, found, 2)
        if any(not np.array_equal(there.given.get(name, ()), given) for name, given in own.given.items()):
            return [Verdict(each.name, None, ONLY_HERE) if there.is_wrong(each.name) else each for each in verdicts]
    return verdicts  # they are numbers that stay as they are, or cannot be looked at


def _but_for_epsilon(own: OwnLoss, judges: "Sequence[_Judge]", verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts, where what is nearly right is right for the loss without its epsilon."""
    told = {verdict.name: verdict for verdict in verdicts}
    near = [judge for judge in judges if told[judge.name].ok is False and judge.is_nearly_right]
    if not near:
        return verdicts
    with without_epsilon(own) as (there, numbers):
        if there is None:
            return verdicts
        for judge in near:
            again = _Judge(there, judge.name, judge.given, bool(judge.found.directions))
            again.measure()
            verdict = again.verdict({})
            if verdict.ok or (verdict.ok is None and again.found.directions):
                without = f"{verdict.sentence}, for your loss without {numbers}"
                told[judge.name] = Verdict(judge.name, verdict.ok, without)
        own.calls += there.calls
    return [*told.values()]


def _is_single(array: Array) -> bool:
    """Whether the numbers are float32, or were on the way."""
    few = array.astype(np.float16) == array  # as 0 and 0.5, which say nothing
    return array.dtype.kind == "f" and bool(np.all(array.astype(np.float32) == array)) and not few.all()


def _as_numbers(name: str, given: Any) -> Array:
    """The gradient of a parameter as an array. Raises NoAnswerError if it holds anything but real numbers."""
    if given is None:
        raise UnreadableError(f"Give its gradient, as d{name} or {name}.")
    array = read(f"d{name}", given)
    if np.iscomplexobj(as_floats(array, f"d{name}")):
        raise UnreadableError(f"Your d{name} has complex numbers in it, but d{name} is real.")
    return array


class _Judge:
    """One parameter: its gradient, the slopes of the loss by it, and the verdict."""

    def __init__(self, own: OwnLoss, name: str, given: Any, is_large: bool) -> None:
        self.own, self.name, self.at, self.trouble = own, name, own.at[name], ""
        array = np.zeros(0)
        try:
            array = _as_numbers(name, given)
        except NoAnswerError as nothing:
            said = str(nothing)
            self.trouble = f"{said[0].lower()}{said[1:].rstrip('.')}"
        self.given = array.astype(float)
        self.ways = list(ways(self.given, self.at.shape))
        eps = FLOAT32 if own.is_single or _is_single(array) else FLOAT64
        self.found = Slopes(own, name, eps, is_large)

    def measure(self) -> None:
        """Find the slopes of the loss by this parameter."""
        is_finite = self.ways and np.isfinite(self.given).all()
        self.found.measure(self.ways[0][1] if is_finite else np.ones(self.at.shape))

    @property
    def is_nearly_right(self) -> bool:
        off = [np.max(np.abs(self.found.along(gradient) - self.found.slopes)) for _, gradient in self.ways]
        return bool(off) and min(off) <= NEARLY * self.found.largest

    def verdict(self, of_all: Mapping[str, Slopes]) -> Verdict:
        """What is to be said, where the slopes by all parameters are known."""
        own, name, found = self.own, self.name, self.found
        largest = max((each.largest for each in of_all.values()), default=found.largest)
        if self.trouble:
            return Verdict(name, None, f"cannot be told: {self.trouble}")
        if not np.isfinite(own.value):
            return Verdict(name, None, f"cannot be told, since your loss is {own.value} here")
        if own.varies:
            return Verdict(name, None, VARIES.format(plain(own.value, 6), plain(own.value + own.changes, 6)))
        if not np.isfinite(self.given).all():
            where = first_true(~np.isfinite(self.given))
            at = f" at {[*where]}" * bool(where)
            return Verdict(name, False, f"wrong: {self.given[where]}{at}, and the loss is finite", where)
        if not self.ways:
            return Verdict(name, False, f"wrong: {self.of_another(of_all) or self._of_another_shape()}")
        if all(slope.still for slope in found.found):
            rounded = " but for rounding" if self.given.any() else ""
            if not rounded or np.all(np.abs(self.given) <= 100 * found.eps * largest):
                return Verdict(name, True, STILL_ZERO.format(name, rounded))
            if not largest > 0:
                return Verdict(name, None, f"cannot be told: {STILL.format(name)}")
            if found.wrong(self.ways[0][1]).any():  # a change as large as this would be seen
                return Verdict(name, False, f"wrong: {STILL.format(name)}")
        possible = [(how, gradient) for how, gradient in self.ways if not found.wrong(gradient).any()]
        for how, gradient in possible:
            if found.is_nothing(gradient, largest) or not (found.directions or found.untold(gradient).any()):
                return Verdict(name, True, self._right(how))
        if possible:
            return Verdict(name, None, self._why_not_told(*possible[0]))
        return self._what_is_wrong(*self.ways[0], self.of_another(of_all))

    def _right(self, how: str) -> str:
        if how:
            turned = "is the gradient" if self.at.shape == self.given.shape else f"has the shape of {self.name}"
            return f"right, but transposed: d{self.name}.T {turned}"
        if shape_in_update(self.at) == shape_in_update(self.given):
            return "right"
        shapes = f"of shape {self.given.shape}, where {self.name} has {self.at.shape}"
        return f"right, but {shapes}: reshape it before the update"

    def _why_not_told(self, how: str, gradient: Array) -> str:
        if self.found.directions:
            seen = f"if it is {how}, no error is seen" if how else "no error is seen"
            return UNSEEN.format(seen, at_most(self.found.most_off(gradient)), MOST)
        untold = self.found.untold(gradient)
        count, first = int(np.sum(untold)), [*first_true(untold.reshape(self.at.shape))]
        which = "" if count == untold.size else f" for {count:,} of its {untold.size:,} numbers, the first at {first}"
        why = "rounding leaves too few digits of the slope there"
        if self.own.in_float32:
            why = "float32, in which the loss is computed, leaves too few digits of the slope there; take float64"
        elif any(slope.corner for slope in self.found.found):
            why = "the loss has a corner there, as a ReLU or a maximum has at 0, or steps, as rounding makes them"
        return f"cannot be told{which}: {why}{'; no number is seen to be wrong' if which else ''}"

    def of_another(self, of_all: Mapping[str, Slopes]) -> str:
        """Whether it is right for another parameter, as where a list of gradients has another order."""
        for name, other in of_all.items():
            if name != self.name and any(other.gives(each, each) for _, each in ways(self.given, other.at.shape)):
                return f"this is the gradient of {name}"
        return ""

    def _of_another_shape(self) -> str:
        """Both shapes, and a sum over an axis that would be right."""
        said, given = f"its gradient has shape {self.given.shape}, and {self.name} has {self.at.shape}", self.given
        for axis in range(given.ndim):
            for how in (np.sum, np.mean):
                for _, reduced in ways(how(given, axis=axis), self.at.shape):
                    if self.found.gives(reduced, given):
                        return f"{said}; its {how.__name__} over axis {axis} would be right"
        if given.size == 1 and not self.found.directions:
            off = abs(np.sum(given) - np.sum(self.found.slopes))
            if off <= np.sum(self.found.allowed(given)) < 1e-3 * abs(np.sum(given)):
                return f"{said}: it is the sum of all that should be there"
        return said

    def _what_is_wrong(self, how: str, gradient: Array, looks: str) -> Verdict:
        own, name, found = self.own, self.name, self.found
        looks, wrong = looks or resemblance(found, self.ways), found.wrong(gradient)
        cells = np.flatnonzero(wrong).tolist()
        count = f"{so_many_differ(len(cells), self.at.size)}; " if self.at.size > 1 else ""
        singly = Slopes(own, name, found.eps, is_large=False)
        if found.directions:  # the largest, one by one
            slopes = {int(at): singly.best(int(at)) for at in np.argsort(-np.abs(gradient.ravel()))[:SEARCHED]}
            count = ""
            off = {at: abs(slope.slope - gradient.flat[at]) - slope.doubt for at, slope in slopes.items()}
            cells = [at for at, slope in slopes.items() if off[at] > AGREES * abs(slope.slope)]
        if not cells:
            return Verdict(name, False, f"wrong: {looks or 'it does not fit the slopes along random directions'}")
        where = tuple(map(int, np.unravel_index(cells[0], self.at.shape)))
        right, yours = told_apart((slope := singly.best(cells[0])).slope, gradient[where])
        seen = f"{cell(f'd{name}' + '.T' * bool(how), where)} is {yours}, and should be {right}"
        return Verdict(name, False, f"wrong: {looks or count + seen}", where, own.code(name, where, slope.h))
