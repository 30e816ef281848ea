"""Slopes of the loss without calculus: by differences and by the complex step, each with the most that it is off by."""

import ast
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.checks.numeric import has_corners, loss_of, off_at_zero, one_entry_each, takes_complex
from backprop_lab.checks.rounding import FLOAT64, Terms, eps_of, terms_in, terms_of
from backprop_lab.nn.arrays import FLOATS
from backprop_lab.nn.lines import NAMESPACE, Array, compiled, evaluate, names_in, tree_of
from backprop_lab.nn.steps import Lines
from backprop_lab.step.problem import Problem
from backprop_lab.step.trace import Trace, trace

TELLS = 1e-3  # slopes that are in doubt by more than this part of them say nothing
ROUNDINGS = 32  # of all terms are allowed for
STEPS = (1e-5, 1e-3, 1e-7, 1e-2, 1e-4, 1e-6)  # of a central difference, in units of the largest number moved
HUGE, TINY_BESIDE = 1e6, 1e-6  # as -1e9, which hides a number from a softmax, beside the others
COMPLEX_STEP, LEAST = 1e-20, 1e-270  # at most, and by how much the loss then moves, or of the largest gradient
STRAIGHT = 1e-8  # the most: a logarithm of 1e-290, with a slope of 1e290, bends before it has moved by 1
WIDER, WIDEST = 1e100, 1e-10  # how much larger a second step is, and how large where nothing came of the first
DRAWS = 4  # how often it is computed anew, rounded at random
WORK = 1_500_000  # numbers in a tenth of a second: where entries moved one by one make more, directions are random
DIRECTIONS, SEED = 8, 0  # any other seed would do
BLOCK = 2**18  # how many numbers are moved at a time
_TIMES = ast.Mult | ast.Div | ast.MatMult


def rounding_of(gradient: Array, terms: Terms) -> Array:
    """How much of each number of a gradient may be rounding."""
    gradient, size = np.asarray(gradient), terms.terms
    least = float(np.finfo(gradient.dtype).smallest_subnormal) if gradient.dtype.kind == "f" else 0.0
    rounding: Array = ROUNDINGS * (eps_of(gradient) * size + least * (size > 0))  # no smaller number is kept
    return rounding


class Slopes(NamedTuple):
    """The slopes of the loss along some moves, the most that each can be off by, and how they were found.

    `at_corner` says that the loss has a corner there along some move: its slopes to both sides differ.
    """

    slopes: Array
    doubt: Array
    how: str
    at_corner: bool = False


class Moves:
    """One value of a problem, and the moves along which it is tried: every entry, or random directions."""

    def __init__(self, trace: Trace, gradient: str) -> None:
        self.gradient, self.name = gradient, trace.owner(gradient)
        self.right = _right_trace(trace, self.name)
        self.problem, self.at = self.right.problem, np.asarray(self.right[self.name])
        self.terms = terms_in(self.right)[gradient]
        numbers = sum(np.size(step.value) for step in self.right.steps if step.phase in ("forward", "loss"))
        self.each_entry = self.at.size * (self.at.size + numbers) <= WORK
        if self.each_entry:
            self.moves = one_entry_each(self.at)
        else:
            self.moves = np.random.default_rng(SEED).standard_normal((DIRECTIONS, *self.at.shape))

    @property
    def has_no_loss(self) -> bool:
        """Whether the loss is not a number, as the logarithm of one below 0, which has a complex one."""
        return bool(np.isnan(float(self.right[self.problem.loss_name])))

    def along(self, array: Array, part: Any = np.asarray) -> Array:
        """What an array of derivatives comes to along each move; with `part=np.abs`, what all their sizes come to."""
        flat = np.ravel(np.float64(array))
        if self.each_entry:
            return flat
        along: Array = part(self.moves).reshape(len(self.moves), self.at.size) @ flat
        return along

    def is_zero(self, size: Array, doubt: Array, rounding: Array) -> bool:
        """Whether gradient and slopes are 0, or only the rounding of terms that cancel, and are large beside it."""
        if not np.all(size + doubt <= 3 * rounding):
            return False
        if not np.any(size):
            return True
        step = self.right.step(self.gradient)
        if not any(self.right.step(o).phase == "backward" for o in step.operands if o not in self.right.given):
            return False  # the loss is at its bottom
        if _multiplies_rounding(step.code, terms_in(self.right)):
            return False
        terms = self.along(terms_of(step.code, {name: Terms(self.right[name]) for name in step.operands}), np.abs)
        return bool(np.all(rounding <= TELLS * terms))

    def slopes(self) -> Iterator[Slopes]:
        """Better and better ones: by one finite difference, by the complex step if it holds, by the best of several."""
        first = self.differences(STEPS[:1])
        if self.each_entry:  # or the complex step, which leaves less unseen, comes first
            yield first
        exact = self.complex_step()
        if exact and _agree(exact, first):
            yield exact
            return
        best = self.differences(STEPS if self.each_entry else STEPS[:3])  # pragma: no mutate  more take longer
        yield best
        if exact and self.holds(exact, best):
            yield exact

    def differences(self, steps: tuple[float, ...]) -> Slopes:
        """Central differences, for each move with the step that leaves the least doubt.

        Halving a step tells how far the bend of the loss, or a corner nearby, spoils it: (f(h) - f(-h)) / 2h then
        changes, or (f(h) - 2 f(0) + f(-h)) / h does not become half of what it was.
        """
        loss = loss_of(self.problem, self.name)
        terms = np.abs(terms_in(self.right)[self.problem.loss_name].terms)
        idle, unit = self.along(self.terms.terms, np.abs) == 0, self.units()
        slopes, doubt = np.zeros(len(self.moves)), np.full(len(self.moves), np.inf)
        corners: list[bool] = []  # whether there is one, as the moves of each step tell
        for step in steps:
            h = step * unit
            try:
                moved = self._moved(loss, h * np.array([[1], [-1], [0.5], [-0.5], [0]]))
            except Exception:  # code of a reader's own may stop where a number moves to, as math.log does below 0
                continue
            up, down, half_up, half_down, here = moved
            slope, half_slope = (up - down) / (2 * h), (half_up - half_down) / h
            bend, half_bend = (up - 2 * here + down) / h, (half_up - 2 * here + half_down) / (h / 2)
            rounding = ROUNDINGS * FLOAT64 * np.maximum(terms, np.maximum(np.abs(up), np.abs(down)))
            jump, rounded = np.abs(half_bend - bend / 2), 4 * rounding / h
            corners.append(bool(np.any(jump > np.maximum(rounded, 0.1 * np.abs(bend)))))  # pragma: no mutate  or so
            still = idle & np.all(moved == here, axis=0) & (half_slope == 0)  # finite, and nothing of it gets through
            off = np.where(still, 0.0, np.abs(slope - half_slope) + jump + rounded)
            better = off < doubt  # pragma: no mutate  of two in equal doubt either will do
            slopes, doubt = np.where(better, half_slope, slopes), np.where(better, off, doubt)
        return Slopes(slopes, doubt, "finite differences", bool(corners and corners[0]))

    def complex_step(self) -> Slopes | None:
        """By the complex step, with every ReLU at 0 taken as off, as the backward pass takes it.

        Im L(p + ih) / h: nothing is subtracted, so it is right to the last digits. The step is so small that the loss
        hardly moves: times large weights, another one would bend a tanh on the way.
        Source: Squire and Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40
        (1998) 110-112.

        Rounding on the way spoils a slope all the same, as the 1 - p of a sigmoid that is nearly 1 does. So it is
        computed a few times more, each operation rounded at random, and with a larger step, where less underflows.
        Source: Parker, "Monte Carlo arithmetic: exploiting randomness in floating-point arithmetic" (1997).
        """
        loss = loss_of(self.problem, self.name, off_at_zero(self.problem))
        along = self.along(self.terms.terms, np.abs)
        parameters = self.problem.parameters
        steps = (step for step in self.right.steps if step.role == "gradient" and step.of not in parameters)
        on_the_way = (terms_in(self.right)[step.name].terms for step in steps)
        largest = max([1.0, *(float(np.fmax.reduce(each, axis=None)) for each in on_the_way)])  # pragma: no mutate
        of = np.where(along == 0, 1.0, along)  # a slope that is 0 must not be the square of a step
        h = np.fmin(COMPLEX_STEP, np.fmax(LEAST, LEAST * largest / of))  # COMPLEX_STEP where they are nan
        h = np.fmin(h, STRAIGHT / of)
        noisy = partial(loss, noise=np.random.default_rng(SEED))
        try:
            with warnings.catch_warnings(action="error"):  # pragma: no mutate  as where an imaginary part is dropped
                slopes = np.imag(self._moved(loss, 1j * h)[0]) / h
                wider = np.where(slopes == 0, WIDEST, np.fmin(WIDER * h, COMPLEX_STEP))
                wider = np.broadcast_to(np.fmin(wider, STRAIGHT / of), (DRAWS, len(self.moves)))
                off = np.abs(np.imag(self._moved(noisy, 1j * wider)) / wider - slopes)
        except Exception:  # code of a reader's own may refuse complex numbers in any way
            return None
        if not self.problem.stages:  # what a derived line has as 0 is no rounding: it is that of the loss on its way
            noise = ROUNDINGS * FLOAT64 * np.max(terms_in(self.right)[self.problem.loss_name].terms) / self.units()
            slopes = np.where((along == 0) & (np.abs(slopes) <= noise), 0.0, slopes)
        underflow = np.finfo(float).tiny / h * largest  # smaller imaginary parts are lost on the way
        doubt = np.maximum(ROUNDINGS * FLOAT64 * along + underflow, 2 * np.max(off, axis=0))
        doubt = np.where(along == 0, 0.0, doubt)
        is_told = np.isfinite(slopes + doubt) & (not self.ends_in_infinity())
        return Slopes(slopes, np.where(is_told, doubt, np.inf), "the complex step")

    def ends_in_infinity(self) -> bool:
        """Whether the loss is infinite by a division by 0, or a logarithm of it, which has no slope."""
        if np.isfinite(self.right[self.problem.loss_name]):
            return False
        try:
            with np.errstate(divide="raise"):
                for step in (step for step in self.right.steps if step.role == "value"):
                    eval(compiled(step.code), {**NAMESPACE, **{name: self.right[name] for name in step.operands}})
        except FloatingPointError:
            return True
        return False

    def holds(self, exact: Slopes, best: Slopes) -> bool:
        """Whether the code is such that the complex step holds: it agrees with finite differences where both can tell.

        Code with abs, sign or math.erf takes no complex numbers, or drops their imaginary part.
        """
        agrees, elsewhere = _agree(exact, best), _elsewhere(self.problem, self.gradient)
        if best.at_corner and has_corners(self.problem):  # of which finite differences alone see both sides
            return False
        while agrees is None and (moves := next(elsewhere, None)):  # too near to the bottom, or at a corner, or 0
            if there := moves.complex_step():
                agrees = _agree(there, moves.differences(STEPS))
        return takes_complex(self.problem) if agrees is None else agrees

    def units(self) -> Any:
        """The largest number moved, in which steps are counted; small numbers beside huge ones have their own."""
        sizes = np.abs(self.at).ravel()
        largest = float(np.max(sizes)) or 1.0  # pragma: no mutate  any other would do
        small = sizes < TINY_BESIDE * largest
        if largest <= HUGE or not self.each_entry or not small.any():
            return largest
        return np.where(small, float(np.max(sizes[small])) or 1.0, largest)

    def _moved(self, loss: Any, steps: Array) -> Array:
        """The loss after moves of these sizes, (..., 1) or one for each move; in blocks that take little memory."""
        steps = np.broadcast_to(steps, (np.size(steps[..., 0]), len(self.moves)))
        largest = max(self.at.size, *(np.size(step.value) for step in self.right.steps))  # pragma: no mutate  or so
        block, found = max(1, BLOCK // (len(steps) * largest)), []  # pragma: no mutate  or so
        for start in range(0, len(self.moves), block):
            part = slice(start, start + block)
            stack = self.at + np.einsum("sm,m...->sm...", steps[:, part], self.moves[part])
            found.append(loss(stack.reshape(-1, *self.at.shape)).reshape(len(steps), -1))
        return np.concatenate(found, axis=1)


def _multiplies_rounding(code: str, values: Mapping[str, Terms]) -> bool:
    """Whether both factors somewhere in a line have numbers that are mostly rounding, of which one may be huge.

    As in da * (1 - a**2) where a is nearly 1: the product may be anything.
    """

    def is_rounding(part: ast.expr) -> bool:
        factor = ast.unparse(part)
        value = np.asarray(evaluate(factor, {name: values[name].value for name in names_in(factor) if name in values}))
        if value.dtype.kind not in FLOATS:
            return False
        rounded = ROUNDINGS * FLOAT64 * terms_of(factor, values) > TELLS * np.abs(value)
        return bool(np.any(rounded & (value != 0)))

    products = [node for node in ast.walk(tree_of(code)) if isinstance(node, ast.BinOp) and isinstance(node.op, _TIMES)]
    return any(is_rounding(node.left) and is_rounding(node.right) for node in products)


def _agree(exact: Slopes, best: Slopes) -> bool | None:
    """Whether two ways to find slopes agree wherever both can tell; None if they can nowhere."""
    doubt, off = exact.doubt + best.doubt, np.abs(exact.slopes - best.slopes)
    tell = doubt < TELLS * np.abs(best.slopes)  # pragma: no mutate  none is that to the bit
    if best.at_corner or not tell.any():
        return None
    return bool(np.all(off[tell] <= doubt[tell]))  # pragma: no mutate  likewise


def _elsewhere(problem: Problem, name: str) -> Iterator[Moves]:
    """The same code on numbers of about 1, where it takes them; by the first parameter, too, behind which all is."""
    kept = ("y",) if hasattr(getattr(problem, "loss", None), "check_targets") else ()  # which may refuse others
    data = {n: a / (float(np.max(np.abs(a))) or 1.0) for n, a in problem.data.items()
            if a.dtype.kind == "f" and n not in kept}  # fmt: skip  # pragma: no mutate
    for seed in range(3):  # pragma: no mutate  one nearly always does
        draw = np.random.default_rng(seed).standard_normal  # pragma: no mutate
        numbers = {p: draw(a.shape) / math.sqrt(a.size) for p, a in problem.parameters.items()}  # pragma: no mutate
        with suppress(Exception):  # code of a reader's own may refuse them in any way
            there = trace(problem.evolve(parameters=numbers, data=data))
            gradients = {step.of: step.name for step in there.steps if step.role == "gradient"}
            first = next(gradients[p] for p in numbers if p in gradients)
            yield from (Moves(there, each) for each in (name, first))


def _right_trace(trace: Trace, name: str) -> Trace:
    """One training step in floats, by the right lines, in which a value, such as W1 or H1, is what it is in `trace`."""
    problem, lines = trace.problem, trace.problem.lines
    is_right = lines.codes == tuple((step.name, step.code) for step in trace.steps)
    types = {np.asarray(step.value).dtype for step in trace.steps}
    is_exact = all(each == np.dtype(float) or each.kind in "biu" for each in types)
    if is_right and is_exact:  # pragma: no mutate  or run again
        return trace
    problem = problem.evolve(data=_floats(problem.data), parameters=_floats(problem.parameters))
    given = problem.given | {name: np.asarray(trace[name], dtype=float)}
    return Trace(problem, given, Lines(line for line in lines if line.name != name))


def _floats(values: Mapping[str, Array]) -> dict[str, Array]:
    """Numbers as floats; truth values and whole numbers, which pick places, stay as they are."""
    return {name: np.asarray(value, dtype=float) for name, value in values.items() if value.dtype.kind not in "biu"}
