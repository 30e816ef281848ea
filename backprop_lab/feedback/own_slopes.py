"""The slopes of a learner's loss by one of their parameters, and what they tell of a gradient."""

from collections.abc import Sequence

import numpy as np

from backprop_lab.checks.proof import AGREES, STEPS, TELLS
from backprop_lab.feedback.own_loss import OwnLoss, Slope
from backprop_lab.nn.layers import Array

LEAST = 1e-8  # of the largest slope: what is smaller need not be told apart from 0
ROUNDINGS = 64  # of its largest number are allowed for in a gradient
DIRECTIONS, CERTAIN = 4, 100  # no error is more than so many times the largest of 4 projections, but in 4 cases in 1e9
CONFIRMED = 4  # numbers that seem wrong are looked at with another step before the rest is believed
NOTHING = np.zeros(())


class Slopes:
    """The slopes along the moves of one parameter: of each number alone, or of some of one size, along directions.

    `found` has a slope for each move; `groups` are the numbers that are moved together, or None. `eps` is one rounding
    in the gradient that is judged.
    """

    def __init__(self, own: OwnLoss, name: str, eps: float) -> None:
        self.own, self.name, self.at, self.eps = own, name, own.at[name], eps
        self.groups: list[Array] | None = None
        self.directions, self.found = list[Array](), list[Slope]()

    def measure(self, gradient: Array, calls: int) -> None:
        """Find the slopes along every move, with other steps where the first leaves much doubt.

        With a number of `calls`, those numbers are moved together that are of about one size in the gradient.
        """
        if calls:
            self.groups = _of_one_size(gradient.ravel(), max(1, calls // (5 * DIRECTIONS)))
            rng = np.random.default_rng(0)
            for group in self.groups:
                for _ in range(DIRECTIONS):
                    self.directions.append(np.zeros(self.at.size))
                    self.directions[-1][group] = rng.standard_normal(len(group))
        self.found = [self.one(at) for at in range(len(self.directions) if calls else self.at.size)]
        least = LEAST * self.largest
        for at, slope in enumerate(self.found):
            for step in STEPS[1:2] if calls else STEPS[1:]:
                if slope.doubt <= max(AGREES / 2 * abs(slope.slope), least):
                    break
                slope = min(slope, self.one(at, step), key=lambda each: each.doubt)
            self.found[at] = slope
        suspicious = np.flatnonzero(self.wrong(gradient)).tolist()
        for at in suspicious[:CONFIRMED]:  # two corners, one to each side, may hide each other
            again, before = self.one(at, STEPS[2]), self.found[at]
            if abs(again.slope - before.slope) > again.doubt + before.doubt:
                self.found = [
                    each._replace(doubt=np.inf) if at in suspicious else each for at, each in enumerate(self.found)
                ]
                break

    def one(self, at: int, step: float = STEPS[0]) -> Slope:
        """The slope along one move."""
        move = np.eye(1, self.at.size, at) if self.groups is None else self.directions[at]
        return self.own.slope(self.name, move.reshape(self.at.shape), step)

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
        return flat if self.groups is None else np.array([direction @ flat for direction in self.directions])

    def rounding(self, gradient: Array) -> Array:
        """How much of that may be the gradient's own rounding."""
        sizes = np.array([np.linalg.norm(each) for each in self.directions]) if self.directions else 1.0
        return ROUNDINGS * self.eps * float(np.max(np.abs(gradient))) * np.broadcast_to(sizes, len(self.found))

    def wrong(self, gradient: Array) -> Array:
        """Along which moves a gradient is off by more than doubt and rounding."""
        along, slopes = self.along(gradient), self.slopes
        near = self.doubt + AGREES * np.maximum(np.abs(along), np.abs(slopes)) + self.rounding(gradient)
        return (np.abs(along - slopes) > near) & ~np.array([each.corner for each in self.found], bool)

    def untold(self, gradient: Array) -> tuple[Array, float]:
        """Of which numbers it cannot be told whether they are right, where no move shows that one is wrong.

        And how much a right one may be off by.
        """
        along, rounding, doubt = self.along(gradient), self.rounding(gradient), self.doubt
        off = np.abs(along - self.slopes)
        if self.groups is None:
            is_right = off + doubt <= AGREES * np.abs(along) + rounding
            return ~(is_right | ((off <= doubt + rounding) & (doubt <= LEAST * self.largest))), 0.0
        untold, sizes, worst = np.ones(self.at.size, bool), np.abs(gradient.ravel()), 0.0
        for at, group in enumerate(self.groups):
            error = CERTAIN * float(np.max((off + doubt)[DIRECTIONS * at : DIRECTIONS * (at + 1)]))
            untold[group] = error > np.maximum(TELLS * sizes[group], LEAST * np.max(sizes))
            worst = max(worst, error)
        return untold, worst

    def is_nothing(self, gradient: Array, largest: float) -> bool:
        """Whether gradient and slopes are nothing beside the largest slope by any parameter."""
        return bool(np.all(np.abs(self.along(gradient)) + np.abs(self.slopes) + self.doubt <= LEAST * largest))

    # What else is right, or would be

    def allowed(self, gradient: Array, factor: float = 1.0) -> Array:
        """By how much each slope may differ from what is made of a gradient."""
        found: Array = 2 * self.doubt + AGREES * np.abs(self.slopes) + abs(factor) * self.rounding(gradient)
        return found

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
        if np.sum(told) < len(parts) + (len(parts) > 1 or and_all_of_it) or not np.isfinite(columns).all():
            return None
        weights = 1 / self.allowed(gradient)[told]
        columns = columns[told] * weights[:, None]
        sizes = np.linalg.norm(columns, axis=0)
        if not np.all(sizes > 0) or np.linalg.svd(columns / sizes, compute_uv=False)[-1] < 1e-4:
            return None  # one part is nothing, or nearly made of others
        numbers = np.linalg.lstsq(columns / sizes, wanted[told] * weights, rcond=None)[0] / sizes
        made = given + sum(number * part for number, part in zip(numbers, parts, strict=True))
        return [*map(float, numbers)] if self.gives(made, gradient, float(np.max(np.abs(numbers)))) else None


def _of_one_size(gradient: Array, most: int) -> list[Array]:
    """The places of numbers, in at most so many groups: all 0, and those of about one size."""
    sizes = np.abs(gradient)
    zero, others = np.flatnonzero(sizes == 0), np.flatnonzero(sizes > 0)
    decade = np.floor(np.log10(np.max(sizes) / sizes[others]))
    last = max(1, most - bool(len(zero))) - 1
    groups = [others[np.minimum(decade, last) == each] for each in range(last + 1)]
    return [group for group in (zero, *groups) if len(group)]
