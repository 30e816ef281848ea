"""An answer beside the right numbers, and what is seen in it: how near is near, wherever a pattern is looked for."""

from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Array
from backprop_lab.step.trace import Trace

NEGLIGIBLE = 1e-11  # relative to a number: the same as far as anybody writes it down
EXACT = 1e-9  # relative to a number: no coincidence
SLACK = 4  # times the rounding of an answer, since what it is compared with has its own


class Pattern(NamedTuple):
    """What is true of an answer: `key` says it in short, the same for every problem, and `sentence` in words."""

    key: str
    sentence: str


class Explanation(NamedTuple):
    """One way to explain a wrong answer. `key` is the same for every problem; `line` gives the answer, if any does."""

    kind: str
    key: tuple[str, ...]
    sentence: str
    line: str = ""


def in_a_sentence(explained: list[Explanation]) -> str:
    """Explanations in a sentence: all of them where several mistakes give the same, otherwise the first."""
    first, sentences = explained[0], {each.sentence: each.kind for each in explained}
    if first.kind == "further-up":
        return f"It would follow from a slip further up: {'; or '.join(sentences)}."
    if first.kind == "mistake":
        once = f"`{first.line}`: " if f"`{first.line}`" in first.sentence else "\n"  # a line that mistakes share
        above = "it follows from a slip further up: "
        others = [s.removeprefix(once) if s.startswith(once) else f"{above if kind == 'further-up' else 'like '}{s}"
                  for s, kind in [*sentences.items()][1:]]  # fmt: skip
        return f"This looks like {'; or '.join([first.sentence, *others])}."
    start = {"slip": "This looks like ", "two": "This looks like two mistakes: ", "pattern": ""}[first.kind]
    return f"{start}{first.sentence}{'' if first.kind == 'pattern' else '.'}"


class Compared(NamedTuple):
    """An answer beside the right value of `name`, with how much each number of the right one may be off by rounding."""

    name: str
    answer: Array
    right: Array
    allowed: Array
    trace: Trace

    def same(self, expected: Array) -> bool:
        """Whether the answer is `expected`: the right value, or its numbers rearranged."""
        return self.answer.shape == expected.shape and bool(self.cells(expected).all())

    def cells(self, expected: Array) -> Array:
        """Which cells of the answer are those of `expected`."""
        allowed = self.allowed if expected.shape == self.allowed.shape else np.max(self.allowed)
        return near(self.answer, expected, allowed, NEGLIGIBLE)

    def is_times(self, factor: Any) -> bool:
        """Whether the answer is the right value times a factor, or times one for each of its lines."""
        allowed = self.allowed + np.abs(factor) * self.allowed
        return bool(near(self.answer, factor * self.right, allowed, NEGLIGIBLE).all())


def near(one: Array, other: Array, allowed: Any, relative: float = EXACT) -> Array:
    """Which numbers are the same as far as anybody writes them down, or can compute them."""
    return np.asarray(np.abs(one - other) <= relative * np.abs(other) + SLACK * allowed)
