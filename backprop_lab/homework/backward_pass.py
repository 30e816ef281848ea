"""A learner's statements run one after the other, each on right values of those before it, and what each gives.

A value is right if it is always the same gradient of the step, on one network with several sets of numbers; or that
times one factor, which a later line takes off again: so 1/m may stand in the line of dZ or of dW.
"""

import re
from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any

import numpy as np

from backprop_lab.feedback.plain_words import another_name, in_plain_words
from backprop_lab.homework.found import SAME, Found, fit_of, gradient_given, is_own_part, no_numbers, turned
from backprop_lab.homework.names import A_GRADIENT, Names, before_its_activation
from backprop_lab.homework.statements import (
    FUNCTIONS,
    HANDED_ON,
    ZEROS,
    Statement,
    is_handed_on,
    is_taken_as_it_is,
    stays,
    what_is,
)

Blamed = Mapping[Any, float | str]  # see Pass
MASKS = re.compile("[<>]")
A_COPY = re.compile(r"\w+\d = \w+\d")
SOME_CELLS = re.compile("[<>]|==")  # of a line that changes these alone
WITH_SLOPE = "with its slope"
MORE = re.compile(r"\w+ [-+]= ")


class Pass:
    """The statements run in one layout; what is wrong is put right before the next line uses it.

    `blamed` has statements that bring in a factor by mistake, one that no later line takes off; 0 says that one gives
    a value of the learner's own, such as the share of a gradient that comes along one path; and a name which gradient
    it should be, or that the slope should be in it; a name that no line gives is meant times its number. `meant` are
    gradients for which the whole text has a line.
    """

    def __init__(
        self,
        statements: Sequence[Statement],
        names: Sequence[Names],
        blamed: Blamed = MappingProxyType({}),
        meant: Set[str] = frozenset(),
    ) -> None:
        self.statements, self.names, self.blamed = statements, names, blamed
        self.known: list[dict[str, Any]] = [{} for _ in names]
        self.before: list[Any] = []  # the values that the last statement has changed
        self.factors = {name: float(each) for name, each in blamed.items() if isinstance(name, str)}
        self.since = dict[str, list[int]]()
        self.changed = dict[str, str]()  # what a line has changed that changes another name, and what is said of it
        self.unknown: dict[str, str] = {}  # what cannot be run, and the name that is missing for it
        self.untold = dict[str, str]()  # what is right only if a name means what it seems to, and why nobody knows
        self.raw: dict[str, list[Any]] = {}  # as the lines gave it, right or wrong
        self.given_at: dict[int, list[Any]] = {}  # the same, by the last statement of each value
        self.unfinished = set[str]()  # what cannot be run, as long as no line begins it anew
        self.learnt = set[str]()  # names for values of the step, which a line has given
        self.later = set[str]()  # new parameters, and what is computed with them, which is of the next step
        self.found: list[Found] = []
        self.meant = meant | {names[0].gradient(each.name) for each in statements}
        for at, statement in enumerate(statements):
            if statement.name in self.unfinished and MORE.match(statement.text):
                continue  # nobody knows to what it would have been added
            if statement.is_idle or names[0].counts_other_data(statement.text):
                continue
            self.unfinished.discard(statement.name)
            if not statement.goes_on:
                self.changed.pop(statement.name, None)
            before = self.since.get(statement.name, []) if statement.goes_on else []
            if not statement.goes_on and statement.name in self.learnt:
                self.learnt.discard(statement.name)
                for each in names:
                    del each.own[statement.name]
            self.since[statement.name] = [*before, at]
            found = self._run(statement)
            self._change_others(statement)
            is_there = statement.name in self.known[0]
            if self.later & statement.reads and not self._is_of_this_step(statement):
                self.later.add(statement.name)
                continue
            if found is None and is_there and self._is_done(statements[at + 1 :], statement.name):
                found = self._judged(statement.name, any(each.name == statement.name for each in statements[at + 1 :]))
                self.since.pop(statement.name, None)
            if found is not None:
                self.found.append(found)
                self.later |= {found.name} & {found.of.removesuffix("_new")} & {*names[0].problem.parameters}

    @property
    def cost(self) -> tuple[int, int]:
        """How much is wrong, or of another layout; and how much of that cannot be run, or has no room: the less, the
        better."""
        odd = len(self.found) - len(self.right)
        return odd, sum(2 * bool(found.note) + found.has_no_room for found in self.found)

    @property
    def used(self) -> set[str]:
        """All names that the lines write or read."""
        return {name for each in self.statements for name in (each.name, *each.reads)}

    @property
    def right(self) -> set[int]:
        """The last statement of each value that is right in this layout."""
        return {found.lines[-1] for found in self.found if found.ok and not found.is_turned}

    def using(self, found: Found) -> list[Found]:
        """What the lines after those of a value make of it."""
        reads = {at for at, each in enumerate(self.statements) if at > found.lines[-1] and found.name in each.reads}
        return [each for each in self.found if reads.intersection(each.lines)]

    def also(self, name: str) -> list[str]:
        """The gradient that a name may stand for as well: `dH1` for dY1, with the slope in it, if no line gives dY1."""
        names = self.names[0]
        before = "" if name in names.own else before_its_activation(names.trace, names.gradient(name))
        return [before] if before and before not in self.meant else []

    def _is_done(self, later: Sequence[Statement], name: str) -> bool:
        """Whether another line uses a value before it is changed, or nothing changes it any more."""
        names, read = self.names[0], set[str]().union(*(each.reads for each in later))

        def counts(each: Statement) -> bool:  # what nobody reads, such as a norm, is no use of it
            return each.name in read or names.may_be_a_gradient(each.name) or bool(names.gradient(each.name))

        following = next((each for each in later if each.name == name or (name in each.reads and counts(each))), None)
        return following is None or following.name != name or not following.goes_on

    def _run(self, statement: Statement) -> Found | None:
        """Run one statement on all problems. Gives what is found if it cannot be run."""
        reads = statement.needs - {*FUNCTIONS}
        name, of = statement.name, self.names[0].gradient(statement.name)
        for early, line in statement.early:
            if self.names[0].is_computed(early):
                return self._stopped(name, reads, False, f"it uses {early} before line {line} gives it")
        missing = [each for each in sorted(reads) if each not in self.known[0] and not self.names[0].has(each)]
        scopes = [
            {each: known[each] if each in known else self._given(each, names) for each in sorted(reads - {*missing})}
            for known, names in zip(self.known, self.names, strict=True)
        ]
        if note := next((self.changed[each] for each in sorted(reads) if each in self.changed), ""):
            self.changed[name] = note
        elif missing:
            self.unknown[name] = what = self.unknown.get(missing[0], missing[0])
            note = what_is(what, statement.text)
            if statement.goes_on and not of:  # as `H1 *= mask`, after which nobody knows what H1 is
                self.changed[name] = note
        if note:
            for known in self.known:
                known.pop(name, None)
            return self._stopped(name, reads, None, note) if of or self._may_be_a_gradient(name, reads) else None
        try:
            values = [statement.run(scope) for scope in scopes]
        except Exception as error:
            arrays = {each: value for each, value in scopes[0].items() if isinstance(value, np.ndarray) and value.ndim}
            shapes = ", ".join(f"{each} {value.shape}" for each, value in arrays.items())
            words, _ = in_plain_words(error)
            meant = f" (did you mean {near}?)" if (near := another_name(error)) else ""
            sentence = f"it stops with {type(error).__name__}: {words}{meant}. It was given {shapes or 'no array'}"
            if of and self.names[0].is_sure(name):
                sentence += f", and {name} should have {np.shape(self.names[0].right(of))}"
            return self._stopped(name, reads, False, sentence)
        if not statement.goes_on and self.names[0].begins(name, values):
            return None
        self.before = [known.get(name) for known in self.known]
        for known, value in zip(self.known, values, strict=True):
            known[name] = value
        if reads & {*self.factors}:
            self.factors[name] = self._entering(reads)
        else:
            self.factors.pop(name, None)
        return None

    def _change_others(self, statement: Statement) -> None:
        """Of the other names of an array that is changed, nobody knows whether that is meant."""
        self.changed = dict(statement.changes) | self.changed  # of several lines, the first is told
        if self.names[0].is_of_a_parameter(statement.name):  # another such gradient stays what it has become
            for found in self.found:
                note = dict(statement.changes).get(found.name, "")
                if note and found.ok and self.names[0].is_of_a_parameter(found.name):
                    found.ok, found.note = None, note

    def _given(self, name: str, names: Names) -> Any:
        """What a name has in it that no line gives."""
        return names.value(name) * self.factors[name] if name in self.factors else names.value(name)

    def _may_be_a_gradient(self, name: str, reads: Set[str]) -> bool:
        """Whether a name may be that of a gradient; what is returned is one only if it is made of one."""
        may_be = self.names[0].may_be_a_gradient
        return may_be(name) and (not name.startswith("d_returned") or any(map(may_be, reads)))

    def _is_of_this_step(self, statement: Statement) -> bool:
        """Whether a line that reads a new parameter gives a gradient, or another parameter its only update."""
        of = self.names[0].gradient(statement.name)
        is_first = statement.goes_on and of.endswith("_new") and of not in (each.of for each in self.found)
        return is_first or self._may_be_a_gradient(statement.name, statement.reads)

    def _entering(self, reads: Set[str]) -> float:
        """The factor that all gradients have from which something is made; 1 where they differ."""
        factors = {self.factors[each] for each in reads & {*self.factors}}
        return factors.pop() if len(factors) == 1 else 1.0

    def _stopped(self, name: str, reads: Set[str], ok: bool | None, note: str) -> Found:
        """What is found of a statement that cannot be run; what it should have given is there for the next ones."""
        lines = self.since.pop(name)
        self.unfinished.add(name)
        meant = self.blamed.get(lines[-1])
        of = meant if isinstance(meant, str) else self.names[0].gradient(name)
        found = Found(lines, name, of, ok, [], is_on_the_way=self.names[0].is_on_the_way(of), note=note)
        for known in self.known:
            known.pop(name, None)  # what it was before is known no more
        if found.of:
            self.changed.pop(name, None)
            entering = self._entering(reads) if found.is_on_the_way else 1.0
            self._put_right(found, entering * (meant if isinstance(meant, float) else 1.0))
        if found.of and ok is None:
            self.untold[name] = note
        return found

    def _judged(self, name: str, is_replaced: bool) -> Found | None:
        """What a finished value is; None if it is none of the step, or is replaced and was no array till then."""
        names, values = self.names[0], [known[name] for known in self.known]
        self.raw[name] = self.given_at[self.since[name][-1]] = values
        if isinstance(values[0], list | tuple) and any(isinstance(each, np.ndarray) for each in values[0]):
            return None  # parts of the learner's own
        if (is_replaced or HANDED_ON.search(name)) and ZEROS.search(self.statements[self.since[name][-1]].text):
            return None
        if other := next((what for what in map(no_numbers, values) if what), ""):
            note = f"it gives {other}, and no array of numbers"
            return self._stopped(name, frozenset(), None, note) if names.gradient(name) and not is_replaced else None
        of, entering, lines = names.gradient(name), self.factors.get(name, 1.0), self.since[name]
        read, last = {each for at in lines for each in self.statements[at].reads}, self.statements[lines[-1]]
        meant = self.blamed.get(lines[-1])
        if not (of or isinstance(meant, str) or self._may_be_a_gradient(name, read)):
            found = self._forward(name, values, lines)
            if found or name in names.own or not (of := gradient_given(self.names, values)):
                return found
        is_step = re.search(" [-+]= ", last.text) or any(map(A_GRADIENT.fullmatch, read))
        if of in (f"{each}_new" for each in names.problem.parameters) and not is_step:
            was = [each.right(of.removesuffix("_new")) for each in self.names]
            if not read or not any(map(np.any, values)) or all(map(np.array_equal, values, was)):
                for known in self.known:  # W1 = W1.copy() and b1 = np.zeros(6) are no update
                    known.pop(name)
                return None
            of = gradient_given(self.names, values) or of  # in a name such as `w`
        sure = bool(of) and names.is_sure(name)
        if meant == 0:
            return None
        through = [names.following(of)] if len(lines) > 1 and of else []  # as `dh1[h1 <= 0] = 0` goes through the ReLU
        candidates = [of, *through, *self.also(name)] if sure else [*filter(None, [of]), *names.all_gradients()]
        fits = [(each, *fit) for each in dict.fromkeys(candidates) if (fit := fit_of(self.names, values, each))]
        meant, has_slope = None if meant == WITH_SLOPE else meant, meant == WITH_SLOPE
        fits = [fit for fit in fits if not isinstance(meant, str) or fit[0] == meant]
        fits.sort(key=lambda fit: min(abs(fit[1] / entering - 1), abs(fit[1] - 1)) > SAME)
        if fits and len(lines) > 1 and SOME_CELLS.search(last.text) and all(map(np.array_equal, values, self.before)):
            of, fits = names.following(fits[0][0]), []  # the last line should have done something, and did not
        note = next((self.untold[each] for each in sorted(read) if each in self.untold), "")
        is_turned = bool(fits) and fits[0][2] and is_taken_as_it_is(name, self.statements[lines[-1] + 1 :])
        of, fits = (fits[0][0], []) if is_turned else (of, fits)
        if not fits and is_own_part(self.names, of, values):
            return None  # a part of the learner's own
        if not fits:
            seen, named = {found.of for found in self.found}, f"d{names.of_gradient(name)}"
            unseen = [each for each in candidates if each not in seen and (names.is_on_the_way(each) or each == named)]
            if sum(each.line == last.line for each in self.statements) > 1:  # in a loop there are several of its size
                unseen.sort(key=lambda each: np.size(names.trace[each]) != np.size(values[0]))
            of = through[0] if through and MASKS.search(last.text) else of
            of = meant if isinstance(meant, str) else of or next(iter(unseen), "")
            if not of or (not sure and is_handed_on(self.statements, lines[-1])):
                return None
            if note:
                return self._stopped(name, read, None, note)
            entering = (entering if names.is_on_the_way(of) else 1.0) * (meant if isinstance(meant, float) else 1.0)
            found = Found(lines, name, of, False, values, None, entering, 1.0, is_turned, names.is_on_the_way(of))
            found.has_its_slope = has_slope
            found.has_no_room = all(way is None for way in turned(np.asarray(values[0]), names.trace[of]))
            self._put_right(found, entering)
            return found
        of, factor, is_turned = fits[0]
        found = Found(lines, name, of, True, values, factor, entering, 1.0, is_turned, names.is_on_the_way(of))
        if isinstance(meant, float) and (found.is_on_the_way or factor != 1):
            found.mistaken = meant
        elif not found.is_on_the_way:
            found.mistaken = factor
        self.factors[name] = factor / found.mistaken
        if note and found.own_factor != 1:
            return self._stopped(name, read, None, note)
        if found.mistaken != 1:
            found.ok = False
            for known in self.known:
                known[name] = known[name] / found.mistaken
        elif last.collects and any(each.of == of and each.ok for each in self.found):
            return None
        return found

    def _forward(self, name: str, values: Sequence[Any], lines: list[int]) -> Found | None:
        """A line of the forward pass gives a name to a value, or is wrong; any other is the learner's own.

        So does one of the update, such as Adam's `mhatW1`, which is judged as well.
        """
        names, right = self.names[0], [step.name for step in self.names[0].trace.steps if step.role == "value"]
        meant = names.of(name)
        is_copy = A_COPY.fullmatch(self.statements[lines[-1]].text) and meant in right
        for of in dict.fromkeys([*filter(None, [meant]), *([] if is_copy else right)]):
            if (fit := fit_of(self.names, values, of)) and fit[0] == 1:
                if name not in names.own:
                    self.learnt.add(name)
                for each in self.names:
                    each.own[name] = of
                return Found(lines, name, of, True, list(values), 1.0) if names.is_of_the_update(of) else None
        is_output = meant in names.outputs and stays(name, self.statements, names.may_be_a_gradient)
        is_named = (name[-1:].isdigit() or is_output) and np.asarray(values[0]).dtype != bool
        if meant not in right or not is_named or gradient_given(self.names, values):
            return None
        found = Found(lines, name, meant, False, list(values), is_on_the_way=True)
        self._put_right(found, 1.0)
        return found

    def _put_right(self, found: Found, factor: float) -> None:
        if self.names[0].trace.role(found.of) == "gradient":
            self.factors[found.name] = factor
        for at, (known, names) in enumerate(zip(self.known, self.names, strict=True)):
            right = factor * names.right(found.of, found.has_its_slope)
            shape = np.shape(found.values[at]) if found.values else np.shape(right)
            is_flat = len(shape) == 1 and shape == (np.size(right),)
            is_turned = shape == right.T.shape != right.shape and not found.is_turned
            known[found.name] = right.ravel() if is_flat else right.T if is_turned else right
