"""Why an answer is wrong: the mistakes, slips of the pen and patterns that give it, here and on other problems too."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from backprop_lab.checks.rounding import terms_in, terms_of
from backprop_lab.feedback.compared import Explanation, Pattern
from backprop_lab.feedback.factors import LENGTHS, SIZES, common_factors, factors_beside
from backprop_lab.feedback.function_code import (
    asked_for,
    code_of,
    is_another,
    is_written,
    leaves_out,
    may_have,
    powers_divided,
    shows,
)
from backprop_lab.feedback.learner_code import called_elsewhere
from backprop_lab.feedback.mistakes import Mistake, spoiled
from backprop_lab.feedback.patterns import LARGE, seen_in
from backprop_lab.feedback.rule_lines import made_with
from backprop_lab.feedback.slips import UNDONE, Slip, is_shown, likely_slips, longer_slips
from backprop_lab.feedback.tolerance import Comparison
from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import NAMESPACE
from backprop_lab.step.trace import Trace

COUNT = re.compile(r"divided by .*(number of|len\(|shape\[)")
MEAN = ("mean-for-sum",)  # of two samples it is as much as a 2 that was forgotten further up
AS_IT_IS: Mapping[str, float] = {"": 1.0}
LARGE_STEP = 200_000  # numbers in all of a step, beyond which nobody waits for slips further up
FEW = 1000  # numbers, which show whether a closer look is worth while
NEAR = 1e-3  # relative to the largest number, beyond which no closer look is worth while


@dataclass(frozen=True, eq=False)
class Explaining:
    """An answer beside the right value, with the mistakes that may have been made.

    `warned` is what NumPy warned of on the way; `function` gave the answer, if one did.
    """

    compared: Comparison
    mistakes: Mapping[str, Mistake]
    warned: str = ""
    function: Any = None

    @property
    def name(self) -> str:
        return self.compared.name

    @property
    def trace(self) -> Trace:
        return self.compared.trace

    def explained(self, others: Sequence["Explaining"] = ()) -> list[Explanation]:
        """The explanations of the first kind that has some; those that the same answer to all others bears out."""
        if not np.isfinite(self.compared.answer).all():
            return self._of_mistakes
        for explanations in (
            self._as_written,
            self._likely_mistakes,
            lambda: self._under_its_line(others),
            lambda: [each for each in self._one_slip if UNDONE(each.sentence) and is_written(self.function, each.line)],
            self._factors,
            lambda: self._of_mistakes,
            self._values,
            lambda: [each for each in self._one_slip if shows(self.function, each.line)],
            lambda: [each for each in self._patterns() if each.key[0].startswith("another ")],
            lambda: self._further_up() if self.function is not None and not asked_for(self.function) else [],
            lambda: self._one_slip,
            self._further_up,
            self._two,
            self._patterns,
            self._unlikely,
        ):
            if borne_out := [each for each in explanations() if self._is_borne_out(each, others)]:
                above = self._further_up() if [each.key for each in borne_out] == [MEAN] else []
                above = [each for each in above if each.key != MEAN and all(other.bears_out(each) for other in others)]
                return borne_out + [each._replace(key=()) for each in above]  # told, and not taken for the cause
        here = ("zeros", "constant", "mask", "equal rows", "equal columns")
        return [each for each in self._patterns() if each.key[0] in here]

    def _is_borne_out(self, it: Explanation, others: Sequence["Explaining"]) -> bool:
        """Whether all others bear it out, and it is more than a lack of what is remembered, where that is still 0."""
        lacks_nothing_yet = all(each.compared.is_first_step_without(it.line) for each in (self, *others))
        return not lacks_nothing_yet and all(other.bears_out(it) for other in others)

    def _under_its_line(self, others: Sequence["Explaining"]) -> list[Explanation]:
        """What explains the answer for the gradient whose name is all of this line, as in dy_pred = dE."""
        pairs = ((each, each.compared) for each in (self, *others))
        same, *alike = (replace(each, compared=replace(it, name=it.line_of)) for each, it in pairs)
        return same.explained(alike) if same.name != self.name else []

    @cached_property
    def _seen(self) -> list[Pattern]:
        compared = self.compared
        allowed = compared.allowed(compared.right, compared.terms)
        return list(seen_in(self.name, compared.answer, compared.right, allowed, self.trace))

    def _as_written(self) -> list[Explanation]:
        """What a function has in it, where it explains the numbers by itself."""
        compared = self.compared
        return [
            Explanation(
                "pattern",
                ("a power divided",),
                f"`**` comes before `/`: `** 1 / {part}` is the power 1, divided by {part}; a root is "
                f"`** (1 / {part})`.",
            )
            for part in powers_divided(self.function)
            if compared.fits and compared.gives(compared.right / part, compared.terms, compared.answer)
        ]

    def _patterns(self) -> list[Explanation]:
        """What is seen; no count that it is divided by, where a function asks for no size and has the number in it."""
        code = code_of(self.function)
        numbers = code.co_consts if SIZES.isdisjoint(code.co_names) else ()
        typed = [1 / each for each in numbers if isinstance(each, int | float) and each]
        common = common_factors(self.trace)
        told = [(key, words) for key, words in self._seen if not (COUNT.match(key) and common.get(key) in typed)]
        return [Explanation("pattern", (key,), sentence) for key, sentence in told]

    def _values(self) -> list[Explanation]:
        """Another value of the step in place of this one, or what left it so: a function of it that is missing."""
        values = [each for each in self._patterns() if each.key[0] in self.trace]
        left_out = [each for each in self._one_slip if each.line in self.trace] if values else []
        return [each for each in left_out if "is missing" in each.sentence] or values

    def _factors(self) -> list[Explanation]:
        """The right value times a common factor; in a program first a slip that makes it so, if it is a length."""
        common = common_factors(self.trace)
        factors = [each for each in self._patterns() if each.key[0] in common]
        if self.trace.owner(self.name) in self.trace.problem.state:  # what is remembered is hardly off by a count
            factors = [each for each in factors if "number of" not in each.key[0]]
        is_length = any(re.search(LENGTHS, each.key[0]) for each in factors[:1])
        return (is_length and self.trace.step(self.name).paths and self._one_slip) or factors

    @property
    def _is_small(self) -> bool:  # so that there is time for some hundred lines
        return self.compared.right.size <= LARGE

    @property
    def _is_telling(self) -> bool:
        """Whether no other line gives such numbers by chance, as may happen with whole ones."""
        return all(np.any(numbers != np.round(numbers.real)) for numbers in (self.compared.right, self.compared.answer))

    @cached_property
    def _of_mistakes(self) -> list[Explanation]:
        shapes = [self.compared.answer]
        if not self.compared.fits and self.compared.answer.ndim == 1:
            shapes += [self.compared.answer[None], self.compared.answer[:, None]]
        for shaped in shapes:
            if found := [(m, line) for m in self.mistakes.values() if (line := self._line_that_gives(m, shaped))]:
                return [
                    Explanation("mistake", (m.name,), m.resemblance(self.trace, self.name, line), line)
                    for m, line in found
                ]
        return []

    def _likely_mistakes(self) -> list[Explanation]:
        """Those that leave out nothing which the function has in it, and have nothing in its place."""
        right = self.trace.step(self.name).code if self._of_mistakes else ""
        return [each for each in self._of_mistakes if not is_another(self.function, each.line, right, self.trace)]

    def _line_that_gives(self, mistake: Mistake, answer: Array) -> str | None:
        """The line of a mistake whose value this answer is; zeros come of many, so it is the usual one, or seen."""
        usual, *_ = mistake.wrong_lines(self.trace, self.name) or [""]
        for line, wrong in mistake.wrong_values(self.trace, self.name):
            if mistake.handed and not may_have(self.function, line, self.trace):
                continue
            if self._is_it(line, wrong, answer) and (answer.any() or line == usual or shows(self.function, line)):
                return line
        return None

    def _is_it(self, line: str, wrong: Any, answer: Array, factor: float = 1.0) -> bool:
        """Whether a wrong line, times a factor, gives an answer, within the rounding of its own terms."""
        scaled = self._times(wrong, factor)
        if np.shape(scaled) != answer.shape or not self._are_near(np.ravel(scaled)[None, :FEW], answer)[0]:
            return False
        if not np.isfinite(answer).all():
            return np.allclose(scaled, answer, equal_nan=True)
        if not self.compared.gives(scaled, self._terms(line, answer, factor), answer):
            return False
        return not (self.compared.does_no_harm(wrong) or (factor != 1 and self.compared.does_no_harm(scaled)))

    def _terms(self, line: str, answer: Array, factor: float) -> Any:
        """The terms of a wrong line times a factor, and of the right one where the answer has its shape."""
        terms = abs(factor) * terms_of(line, terms_in(self.trace))  # pragma: no mutate  or so
        return terms + terms_in(self.trace)[self.name].terms if answer.shape == self.compared.right.shape else terms

    def _are_near(self, wrong: Array, answer: Array) -> Array:
        """Which rows are worth a closer look: the first cells at most a thousandth off, or not finite."""
        answer = np.ravel(answer)[:FEW]
        off, size = np.max(np.abs(wrong - answer), axis=1), np.max(np.abs(answer))
        looked_at = bool(self.compared.digits) or not np.isfinite(answer).all()
        return np.asarray(off <= NEAR * size) | looked_at  # pragma: no mutate  the closer look tells

    def _times(self, wrong: Any, factor: float) -> Any:
        """A wrong value times a factor; of a new parameter only the step, which may be too long or too short."""
        return wrong if factor == 1 else self.compared.base + factor * (wrong - self.compared.base)

    @cached_property
    def _near_lines(self) -> list[tuple[Slip, Any]]:
        """Every line that is one slip away from the right one and runs here, with its value."""
        if not self._is_small or self.name in self.trace.given:
            return []
        near, scope, asked = [], {**NAMESPACE, **self.trace}, (self.trace, self.name, self.function)
        slips = {slip.line: slip for slip in (*longer_slips(*asked), *likely_slips(*asked))}
        for slip in slips.values():
            with suppress(Exception):  # most of them do not run
                value = np.asarray(eval(slip.code, scope))
                if np.shape(value) == self.compared.answer.shape:
                    near.append((slip, value))
        return near

    @cached_property
    def _one_slip(self) -> list[Explanation]:
        return self._slips()

    def _slips(self, factors: Mapping[str, float] = AS_IT_IS, likely: bool = True) -> list[Explanation]:
        """Those of them that give this answer, or do so times one of the factors."""
        explanations = []
        for (slip, wrong), (times, factor) in self._worth_a_look(factors) if self._is_telling else ():
            is_missing = "rate" in times and slip.words.startswith("lr used")  # which says no more
            is_it = not is_missing and self._is_it(slip.line, wrong, self.compared.answer, factor)
            if not is_it or is_shown(self.function, slip, self.trace) != likely:
                continue
            if self._holds(slip.line, factor) and not leaves_out(self.function, slip.line, slip.right):
                also = f"; and {self._all} {times}" if times else ""
                key = ("slip", slip.line, times) if times else ("slip", slip.line)
                kind = "two" if times else "slip"
                explanations.append(Explanation(kind, key, f"`{slip.line}`: {slip.words}{also}", slip.line))
        return sorted(explanations, key=lambda each: not shows(self.function, each.line))

    @cached_property
    def _near_cells(self) -> Array:
        return np.array([np.ravel(value)[:FEW] for _, value in self._near_lines])

    def _worth_a_look(self, factors: Mapping[str, float]) -> Iterator[tuple[tuple[Slip, Any], tuple[str, float]]]:
        """Every line and factor that give nearly this answer, all compared at once."""
        if lines := self._near_lines:
            answer, cells = self.compared.answer, self._near_cells
            base = np.ravel(np.broadcast_to(self.compared.base, answer.shape))[:FEW]
            near = [self._are_near(base + by * (cells - base), answer) for by in factors.values()]
            for line, factor in np.argwhere(np.transpose(near)):
                yield lines[line], [*factors.items()][factor]

    def _unlikely(self) -> list[Explanation]:
        """Slips in a line that gives the same, though the function is written otherwise."""
        return self._slips(likely=False) or self._slips(factors_beside(self.trace, self.name), likely=False)

    @cached_property
    def _elsewhere(self) -> tuple[Trace, Array] | None:
        return called_elsewhere(self.name, self.function, self.trace, self.compared.answer)

    def _holds(self, line: str, factor: float) -> bool:
        """Whether a line gives the function's answer not only since the targets are 0 and 1, as far as one can tell."""
        if self._elsewhere is None:
            return True
        moved, there = self._elsewhere
        return np.allclose(self._times(moved.evaluate(line), factor), there)

    @property
    def _all(self) -> str:
        return "the step" if self.trace.role(self.name) == "new" else "all of it"

    def _two(self) -> list[Explanation]:
        """Every mistake that times a factor gives this answer, or else the slips that do."""
        explanations, factors = list[Explanation](), factors_beside(self.trace, self.name)
        for mistake in self.mistakes.values() if self._is_telling and self._is_small else ():
            for line, wrong in mistake.wrong_values(self.trace, self.name):
                for times, factor in factors.items():
                    if self._is_it(line, wrong, self.compared.answer, factor):
                        sentence = f"{mistake.resemblance(self.trace, self.name, line)}; and {self._all} {times}"
                        explanations.append(Explanation("two", (mistake.name, times), sentence))
        return explanations or self._slips(factors)

    def bears_out(self, explanation: Explanation) -> bool:
        """Whether the same function's answer to this problem, right or wrong, agrees with an explanation of another."""
        kind, key = explanation.kind, explanation.key
        if kind == "pattern":
            return self.compared.is_right or any(each.key == key for each in self._patterns() + self._as_written())
        if kind == "further-up":
            return any(each.key == key for each in self._further_up())
        lines: tuple[str, ...] = (explanation.line,)
        if key[0] in self.mistakes:
            names = self.name, self.compared.line_of
            lines = tuple(line for name in names for line in self.mistakes[key[0]].wrong_lines(self.trace, name))
        factor = common_factors(self.trace)[key[-1]] if kind == "two" else 1.0
        return any(self._could_be(line, factor) for line in lines)

    def _could_be(self, line: str, factor: float) -> bool:
        try:
            wrong = self.trace.evaluate(line)
        except Exception:  # it does not run here, and this answer did
            return False
        scaled, answer = self._times(wrong, factor), self.compared.answer
        answer = answer.reshape(np.shape(scaled)) if answer.ndim == 1 and np.size(scaled) == answer.size else answer
        return self.compared.gives(scaled, self._terms(line, answer, factor), answer)

    def _further_up(self) -> list[Explanation]:
        """Every mistake in a step before this one from which this answer follows, if all steps between are right.

        A function that was handed what comes of that step has the right numbers of it, and one that asks for no more
        than the right line has all of them.
        """
        steps, handed = self.trace.steps, {*asked_for(self.function)}
        if self.name in self.trace.given or not (self.compared.fits and self._is_telling):
            return []
        own_way = not handed or handed & {*self.trace} - {*self.trace.step(self.name).operands}
        if not own_way or sum(np.size(step.value) for step in steps) > LARGE_STEP:
            return []
        before = steps[: [step.name for step in steps].index(self.name)]
        places = {step.name for step in before if handed.isdisjoint(made_with(self.trace, step.name))}
        terms, explanations = terms_in(self.trace)[self.name].terms, []
        for mistake in self.mistakes.values():
            for place in (each for each in mistake.possible_at(self.trace) if each in places):
                wrong = spoiled(self.trace, mistake, place, self.name)
                if self.compared.gives(wrong, terms, self.compared.answer) and not self.compared.does_no_harm(wrong):
                    sentence = f"{place} looks like {mistake.resemblance(self.trace, place)}"
                    explanations.append(Explanation("further-up", (mistake.name,), sentence))
        return explanations
