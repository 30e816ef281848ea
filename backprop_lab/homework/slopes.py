"""The slopes of a learner's loss by one of their parameters, and what they tell of a gradient."""

from collections.abc import Iterator, Sequence

import numpy as np

from backprop_lab.checks.moves import STEPS
from backprop_lab.checks.proof import AGREES
from backprop_lab.homework.loss import OwnLoss, Slope
from backprop_lab.nn.layers import Array

LEAST = 1e-7  # of the largest slope: what is smaller need not be told apart from 0
ROUNDINGS = 64  # of its largest number are allowed for in a gradient
DIRECTIONS, CERTAIN = 7, 13  # no error is more than so many times the largest of 7 projections, but in 3 cases in 1e9
CONFIRMED = 4  # numbers that seem wrong are looked at with another step before the rest is believed
FARTHEST = 0.1  # of the size of a parameter: a move that is larger counts only where it leaves no doubt
SAFE, SEVERAL = 0.01, 16  # of that size: a move that hardly meets a corner; how many of them go into an average
SHARP = 1e-7  # relative to a slope: so near is what has been found to give it
CLEAR = 30  # times what is allowed: a difference that is worth a name
ENOUGH = 4  # more slopes than numbers that are fitted, or it would be no wonder


class Slopes:
    """The slopes along the moves of one parameter: of each number alone, or along `directions`, if there are any.

    `found` has a slope for each move; `eps` is one rounding in the gradient that is judged.
    """

    def __init__(self, own: OwnLoss, name: str, eps: float, is_large: bool) -> None:
        self.own, self.name, self.at, self.eps = own, name, own.at[name], eps
        rng = np.random.default_rng(0)
        self.directions = [rng.standard_normal(self.at.size) for _ in range(DIRECTIONS * is_large)]
        self.found: list[Slope] = []

    def measure(self, gradient: Array) -> None:
        """Find the slopes along every move, with other steps where the first leaves much doubt."""
        self.found = [self.one(at) for at in range(len(self.directions) or self.at.size)]
        if not self.directions:
            self.found = [self.best(at, LEAST * self.largest, slope) for at, slope in enumerate(self.found)]
        suspicious = np.flatnonzero(self.wrong(gradient)).tolist()
        looked_at, seem_right = suspicious[:CONFIRMED], False  # two corners, one to each side, may hide each other
        for at in looked_at:
            before = self.found[at]
            if before.h > 2 * SAFE * self.own.size(self.name) and not before.is_sharp:
                self.found[at] = self.averaged(at)
            else:
                again = self.one(at, STEPS[2])
                seem_right |= abs(again.slope - before.slope) > again.doubt + before.doubt
        if seem_right or not self.wrong(gradient)[looked_at].any() or self.is_hidden(gradient, looked_at):
            for at in suspicious:
                self.found[at] = self.found[at]._replace(doubt=np.inf)

    def one(self, at: int, step: float = STEPS[0]) -> Slope:
        """The slope along one move."""
        move = self.directions[at] if self.directions else np.eye(1, self.at.size, at)
        return self.own.slope(self.name, move.reshape(self.at.shape), step)

    def averaged(self, at: int) -> Slope:
        """The slope along one move, as small steps have it on average, in which rounding counts for less.

        It is no proof, as rounding may be off to one side: it bears out what a larger step has found, or does not.
        """
        most = SAFE * self.own.size(self.name) / self.own.unit(self.name)
        tried = [self.one(at, step) for step in np.linspace(most / 2, most, SEVERAL)]
        slopes, bend = [each.slope for each in tried], abs(np.mean([each.bend for each in tried]))
        return tried[0]._replace(slope=float(np.mean(slopes)), doubt=float(2 * np.std(slopes) + bend))

    def is_hidden(self, gradient: Array, looked_at: Sequence[int]) -> bool:
        """Whether larger moves bear out what small ones deny, as where rounding hides a part of the loss.

        So the 1 - p of a sigmoid that is nearly 1 stays, or is 0, until its score has moved a good deal. A bend
        of the loss is seen in them, too, but not in each as much.
        """
        if self.directions or not looked_at:
            return False
        size, given = self.own.size(self.name) / self.own.unit(self.name), self.along(gradient)[looked_at]
        for part in (1.0, 0.7, 0.4):
            far = np.array([self.one(at, part * FARTHEST * size).slope for at in looked_at])
            if not np.isfinite(far).all():
                return True
            if (np.abs(far - given) > 0.2 * np.abs(given - self.slopes[looked_at])).any():
                return False
        return True

    def best(self, at: int, least: float = 0.0, first: Slope | None = None) -> Slope:
        """The slope along one move; by other steps, too, as long as there is doubt, and more than the `least`."""
        near, tried = FARTHEST * self.own.size(self.name), [best := first or self.one(at)]
        for step in STEPS[1:]:
            if best.is_sharp or best.doubt <= least:
                break
            tried.append(self.one(at, step))
            corner = min((each.h for each in tried if each.corner), default=np.inf)  # which a larger step passes, too
            counts = (each for each in tried if each.h <= corner and (each.h <= near or each.is_sharp))
            best = min(counts, key=lambda each: each.doubt)
        return best

    @property
    def slopes(self) -> Array:
        return np.array([each.slope for each in self.found])

    @property
    def doubt(self) -> Array:
        return np.array([each.doubt for each in self.found])

    @property
    def largest(self) -> float:
        """The largest slope, as far as it is known."""
        return max((abs(each.slope) - each.doubt for each in self.found if np.isfinite(each.doubt)), default=0.0)

    def along(self, gradient: Array) -> Array:
        """What an array of derivatives comes to along each move."""
        flat = gradient.ravel()
        return np.asarray(np.stack(self.directions) @ flat if self.directions else flat)

    def rounding(self, gradient: Array) -> Array:
        """How much of that may be the gradient's own rounding."""
        sizes = np.array([np.linalg.norm(each) for each in self.directions]) if self.directions else 1.0
        one = ROUNDINGS * self.eps * float(np.max(np.abs(gradient)))
        return np.asarray(one * np.broadcast_to(sizes, len(self.found)))

    def wrong(self, gradient: Array) -> Array:
        """Along which moves a gradient is off by more than doubt and rounding."""
        along, slopes = self.along(gradient), self.slopes
        near = self.doubt + AGREES * np.maximum(np.abs(along), np.abs(slopes)) + self.rounding(gradient)
        return np.asarray((np.abs(along - slopes) > near) & ~np.array([each.corner for each in self.found], bool))

    def untold(self, gradient: Array) -> Array:
        """Of which numbers it cannot be told whether they are right, where no move shows that one is wrong."""
        along, rounding, doubt = self.along(gradient), self.rounding(gradient), self.doubt
        off = np.abs(along - self.slopes)
        is_right = off + doubt <= AGREES * np.abs(along) + rounding
        return np.asarray(~(is_right | ((off <= doubt + rounding) & (doubt <= LEAST * self.largest))))

    def most_off(self, gradient: Array) -> float:
        """By how much a number may be off, if no direction shows it."""
        return CERTAIN * float(np.max(np.abs(self.along(gradient) - self.slopes) + self.doubt))

    def is_nothing(self, gradient: Array, largest: float) -> bool:
        """Whether gradient and slopes are nothing beside the largest slope by any parameter."""
        return bool(np.all(np.abs(self.along(gradient)) + np.abs(self.slopes) + self.doubt <= LEAST * largest))

    # What else is right, or would be

    def allowed(self, gradient: Array, factor: float = 1.0) -> Array:
        """By how much each slope may differ from what is made of a gradient."""
        return np.asarray(2 * self.doubt + SHARP * np.abs(self.slopes) + abs(factor) * self.rounding(gradient))

    def tells(self, gradient: Array) -> bool:
        """Whether there is more than doubt."""
        return bool(np.any(np.abs(self.slopes) > 10 * self.allowed(gradient)))

    def gives(self, made: Array, gradient: Array, factor: float = 1.0) -> bool:
        """Whether something made of the gradient, at most `factor` times as large, would be right."""
        off = np.abs(self.along(made) - self.slopes)
        return self.tells(gradient) and bool(np.all(off <= self.allowed(gradient, factor)))

    def fitted(self, gradient: Array, parts: Sequence[Array], and_all_of_it: bool = False) -> list[float] | None:
        """By which numbers the parts, and perhaps the gradient as it is, add up to the right one.

        None if they do not, or where that would be no wonder.
        """
        given = gradient if and_all_of_it else 0.0 * gradient
        columns, wanted = np.stack([self.along(part) for part in parts], axis=1), self.slopes - self.along(given)
        told = np.isfinite(self.doubt)
        if np.sum(told) < len(parts) + ENOUGH * (len(parts) > 1 or and_all_of_it) or not np.isfinite(columns).all():
            return None
        weights = 1 / self.allowed(gradient)[told]
        if and_all_of_it and not np.any(np.abs(wanted[told]) * weights > CLEAR):
            return None
        columns = columns[told] * weights[:, None]
        sizes = np.linalg.norm(columns, axis=0)
        if not np.all(sizes > 0) or np.linalg.svd(columns / sizes, compute_uv=False)[-1] < 1e-4:
            return None  # one part is nothing, or nearly made of others
        numbers = np.linalg.lstsq(columns / sizes, wanted[told] * weights, rcond=None)[0] / sizes
        made: Array = given + sum(number * part for number, part in zip(numbers, parts, strict=True))
        return [*map(float, numbers)] if self.gives(made, gradient, float(np.max(np.abs(numbers)))) else None


def ways(given: Array, shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """A gradient in the parameter's shape, as it is and transposed, as far as it has room for that."""
    squeezed = [tuple(n for n in each if n != 1) for each in (given.shape, shape)]
    if squeezed[0] == squeezed[1]:
        yield "", given.reshape(shape)
    if len(shape) == 2 and min(shape) > 1 and given.shape == shape[::-1]:
        yield "transposed", given.T
