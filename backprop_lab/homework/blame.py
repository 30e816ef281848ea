"""Which of a learner's lines are blamed: what each should give, where a factor that is wrong comes in, and for
which layout that speaks."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backprop_lab.homework.backward_pass import A_COPY, WITH_SLOPE, Blamed, Pass
from backprop_lab.homework.found import SAME, Found, rounded
from backprop_lab.homework.layout import Layout
from backprop_lab.homework.names import A_DIFFERENCE, Names
from backprop_lab.homework.sharing import with_changes
from backprop_lab.homework.statements import Statement, without_a_little_more
from backprop_lab.homework.unnamed import Run, with_own_names
from backprop_lab.step.program import Program
from backprop_lab.step.trace import Trace

A_PRODUCT = re.compile(r"@|\b(?:dot|matmul|einsum)\(")


def best_pass(
    statements: list[Statement],
    traces: list[Trace],
    layout: Layout,
    own: Mapping[str, Any],
    guesses: bool = False,
    updates: bool = False,
    most: float = math.inf,
) -> Pass:
    """The statements run in one layout, with those values and factors taken for mistakes that explain the most.

    With `guesses`, names that say no gradient for certain may be others, or parts of the learner's own; and with
    `updates`, wrong gradients may be meant as updates take them, such as summed, or with the other sign. Where more
    than `most` are wrong at first, nothing is sought.
    """

    names = [Names(each, layout, own) for each in traces]
    statements = with_changes(statements, names[-1])

    def best_of(lines: list[Statement]) -> Pass:
        runs = dict[frozenset[tuple[Any, float | str]], Pass]()

        def run(blamed: Blamed) -> Pass:
            what = frozenset(blamed.items())
            runs[what] = runs.get(what) or Pass(lines, [each.anew() for each in names], blamed)
            return runs[what]

        first = run({})
        if first.cost[0] > most:
            return first
        best = with_own_names(_with_absent_ones(first, run), run)
        best = _with_own_parts(best, run, guesses)
        best = _with_updates(_with_guesses(_with_wrong_ones(best, run), run, guesses), run)
        best = _with_factors(best, run)
        more = with_own_names(best, run)  # some of which factors alone have hidden
        best = best if more is best else _with_factors(more, run)
        return _with_what_was_meant(best, run, updates)

    best = best_of(statements)
    if best.cost == (0, 0) or best.cost[0] > most:
        return best
    others = [*map(without_a_little_more, statements)], _without_data(statements, best.names[0])
    return min([best, *(best_of(lines) for lines in others if lines != statements)], key=lambda each: each.cost)


def _without_data(statements: list[Statement], names: Names) -> list[Statement]:
    """The same without lines that make data of data alone, such as scaled ones: the problem may have these already."""
    made, lines = set[str](), list[Statement]()  # of more than data
    for each in statements:
        is_of_more = any(read in made or names.is_of_the_step(read) for read in each.reads)
        made |= {each.name} if is_of_more else set()
        lines.append(replace(each, is_idle=not is_of_more and names.writes_data(each.name, each.text)))
    return lines


def _with_absent_ones(best: Pass, run: Run) -> Pass:
    """The same with gradients that no line gives taken times what lines made of them take off, where several do."""
    names = best.names[0]
    if isinstance(names.problem, Program) or best.cost[0] < 2:
        return best
    counts = {each.mistaken for each in best.found} - {1.0}
    for name in sorted(best.used - {each.name for each in best.statements}):
        of = names.gradient(name)
        if names.trace.role(of) != "gradient" or not names.is_on_the_way(of):
            continue
        tries = [run({**best.blamed, name: 1 / each}) for each in sorted(counts)]
        better = min([best, *tries], key=lambda each: each.cost)
        best = better if better.cost[0] + 1 < best.cost[0] else best
    return best


def _with_own_parts(best: Pass, run: Run, guesses: bool) -> Pass:
    """The same with doubtful wrong values taken for parts of the learner's own, where that explains more.

    A line that uses a single one of them, and is wrong, does not put parts together: then that one was wrong. Without
    `guesses`, only what is changed in place is doubtful: `dA1 *= D1` gives a part of dZ1, where one line has both.
    """
    parts, free = best, dict[int, float | str]()
    while more := {at: 0.0 for at in _doubtful(parts, guesses) if at not in free}:
        free |= more
        parts = run(free)
    own = {best.statements[at].name for at in free}
    wrong = [found for found in parts.found if found.ok is False]
    uses = [{each for at in found.lines for each in best.statements[at].reads & own} for found in wrong]
    return parts if parts.cost < best.cost and all(len(each) != 1 for each in uses) else best


def _doubtful(tried: Pass, guesses: bool) -> list[int]:
    """The last statements of wrong values that others use, given in several lines; with `guesses`, if they say no
    gradient, or one that is given twice."""
    wrong = {found.lines[-1]: found for found in tried.found if found.ok is False}
    used = {at for at, each in wrong.items() if any(each.name in later.reads for later in tried.statements[at + 1 :])}
    times = Counter(statement.name for statement in tried.statements if not statement.goes_on)
    used -= {at for at in used if A_COPY.fullmatch(tried.statements[at].text)}
    if not guesses:
        return [at for at in sorted(used) if len(wrong[at].lines) > 1]
    return [at for at in sorted(used) if not tried.names[0].gradient(wrong[at].name) or times[wrong[at].name] > 1]


def _with_guesses(best: Pass, run: Run, guesses: bool) -> Pass:
    """The same with what a doubtful value should be where that explains more; for 0, any part of the learner's own."""
    names = best.names[0]
    on_the_way = [each for each in names.all_gradients() if guesses and names.is_on_the_way(each)]
    for guess in best.found:
        meant = names.gradient(guess.name)
        ways: list[float | str] = []
        if guess.ok is False:
            ways += best.also(guess.name) if meant and names.is_sure(guess.name) else on_the_way
            ways += [] if meant or guess.of == f"d{names.of_gradient(guess.name)}" else [0.0]
            ways += [WITH_SLOPE] if guess.values and names.with_its_slope(guess.of) is not None else []
        using = {each.ok for each in best.using(guess)}
        is_open = bool(guess.ok) and not meant and using == {False}  # it may not be the one that was meant
        if (guesses or is_open) and guess.ok and guess.is_on_the_way and not names.is_sure(guess.name):
            ways += [names.following(guess.of)]  # as a delta without its slope is the gradient before it
        tries = [run({**best.blamed, guess.lines[-1]: each}) for each in ways]
        tries += [_in_each_turn(best, guess, run)] if is_open else []
        best = min([*tries, best] if is_open else [best, *tries], key=lambda each: each.cost)
    return best


def _in_each_turn(best: Pass, guess: Found, run: Run) -> Pass:
    """The same with what a line gives in each turn of a loop taken for the gradient before the one that it is."""
    line, blamed, tried = best.statements[guess.lines[-1]].line, dict(best.blamed), best
    while turn := next(
        (
            each
            for each in tried.found
            if each.ok and each.name == guess.name and (at := each.lines[-1]) not in blamed
            if best.statements[at].line == line
        ),
        None,
    ):
        blamed[turn.lines[-1]] = best.names[0].following(turn.of)
        tried = run(blamed)
    return tried


def _with_updates(best: Pass, run: Run) -> Pass:
    """The same with gradients of parameters taken for parts of an update that is right: it has the penalty, or 1/m."""
    trace, updated = best.names[0].trace, {each.of for each in best.found}
    for wrong in [each for each in best.found if each.ok is False and each.values]:
        new = f"{trace.owner(wrong.of)}_new"
        if trace.role(wrong.of) == "gradient" and new in updated:
            tried = run({**best.blamed, wrong.lines[-1]: 0.0})
            if any(each.of == new and each.ok for each in tried.using(wrong)):
                best = min(best, tried, key=lambda each: each.cost)
    return best


def _with_wrong_ones(best: Pass, run: Run) -> Pass:
    """The same with wrong values put right times a factor that all lines made of them take off: it was meant there."""
    for wrong in [each for each in best.found if each.ok is False and each.is_on_the_way and each.factor is None]:
        factors = [each.own_factor for each in best.using(wrong) if each.factor]
        if factors and abs(factors[0] - 1) > SAME and max(factors) - min(factors) <= SAME * abs(factors[0]):
            tried = run({**best.blamed, wrong.lines[-1]: 1 / factors[0]})
            best = tried if tried.cost <= best.cost else best
    return best


def _with_what_was_meant(best: Pass, run: Run, updates: bool) -> Pass:
    """The same with wrong values put right times a count of samples or a sign, which lines after them take off."""
    trace, samples, cost = best.names[0].trace, float(best.names[0].samples), best.cost
    updated = {each.of.removesuffix("_new") for each in best.found if trace.role(each.of) == "new"}
    before = {each.lines[-1] for each in best.found if not each.is_on_the_way and trace.owner(each.of) in updated}
    for wrong in [each for each in best.found if each.ok is False and trace.role(each.of) == "gradient"]:
        later = [each for each in best.found if each.ok is False and each.lines[0] > wrong.lines[-1]]
        is_by_a_factor = wrong.is_on_the_way and wrong.factor is not None  # then so are those made of it
        times = {rounded(1 / each.mistaken) for each in later} - {1.0} if not is_by_a_factor else set[float]()
        if updates and any(trace.role(each.of) == "new" for each in later):
            times |= {rounded(each * (wrong.factor or 1.0)) for each in (samples, 1 / samples, -1.0, -samples)}
        free = dict.fromkeys(before if is_by_a_factor else (), 1.0)
        tries = (run({**best.blamed, **free, wrong.lines[-1]: each}) for each in sorted(times))
        best = min([best, *tries], key=lambda each: each.cost)
    return _with_factors(best, run) if best.cost < cost else best


def _how_wrong(tried: Pass) -> tuple[tuple[int, int], int]:
    """The cost, and how many values are wrong by a factor alone that their own lines do not bring in."""
    return tried.cost, sum(found.mistaken != 1 and found.own_factor == 1 for found in tried.found)


def _with_factors(best: Pass, run: Run) -> Pass:
    """The same with factors blamed on the lines that bring them in, where no later line takes them off."""

    def blaming(found: Found, factor: float) -> Pass:
        return run({**best.blamed, found.lines[-1]: factor})

    problem, samples = best.names[0].problem, best.names[0].samples
    counts = (1.0, 1.0 / samples, float(samples))
    while odd := [found for found in best.found if found.ok and found.is_on_the_way and found.own_factor != 1]:
        odd.sort(key=lambda found: bool(A_DIFFERENCE.fullmatch(found.name)))
        left = {found.mistaken for found in best.found if not found.is_on_the_way} - {1.0}
        if best.cost > (0, 0):
            ways = [(found, factor) for found in odd for factor in (*(found.own_factor * n for n in counts), *left)]
            ways.sort(key=lambda each: abs(each[0].own_factor - each[1]) > SAME * abs(each[1]))  # its own first
            better = min((blaming(*each) for each in ways), key=_how_wrong)
            if _how_wrong(better) < _how_wrong(best):
                best = better
                continue
        usual = () if isinstance(problem, Program) else counts  # its 1/m has a place in the loss
        odd = [
            found
            for found in odd
            if found.factor != 1 and not any(abs(found.own_factor * count - 1) < 1e-6 for count in usual)
        ]
        for found in odd:
            alone = blaming(found, found.own_factor)
            ends = any(each.lines[0] > found.lines[-1] and not each.is_on_the_way for each in best.found)
            is_last = not (ends or A_DIFFERENCE.fullmatch(found.name))
            if is_last or alone.cost == best.cost:
                best = alone  # no number of samples is such a factor, so it is here that it does not belong
                break
        else:
            break
    return best


def speak_for_columns(tried: Pass, usual: Pass | None) -> bool:
    """Whether the lines that are right with samples as columns alone say so: elsewhere one stops, or has no room.

    Several say as much, but not of a program, whose forward lines have rows: there it is the products that have none,
    since a sum along the other axis is a mistake.
    """
    if usual is None:
        return False
    odd = {each.lines[-1] for each in tried.found} - tried.right
    found = [each for each in usual.found if each.lines[-1] not in usual.right | odd]
    if isinstance(tried.names[0].problem, Program):
        texts = (tried.statements[each.lines[-1]].text for each in found if each.note or each.has_no_room)
        return any(map(A_PRODUCT.search, texts))
    return len(found) > 1 or any(each.note or each.has_no_room for each in found)


def explains_more(tried: Pass, best: Pass) -> bool:
    """Whether fewer lines are wrong in a layout than in an earlier one; if only other lines are, it does not.

    Where samples are columns, weights have a row for each output, if as many lines speak for that. They have none where
    their gradients would then be transposed, and no update takes them so.
    """
    layout, earlier = tried.names[0].layout, best.names[0].layout
    if layout.rows_of_outputs and not earlier.rows_of_outputs and not layout.columns:
        updated = {each.of for each in tried.found if each.ok}
        owners = [tried.names[0].trace.owner(each.of) for each in tried.found if each.is_turned]
        if any(owner and f"{owner}_new" not in updated for owner in owners):
            return False
    if layout.columns and layout == replace(earlier, rows_of_outputs=True):
        return tried.cost <= best.cost
    return tried.cost < best.cost and (tried.cost[0] < best.cost[0] or tried.right == best.right)


def gives_something_else(best: Pass) -> bool:
    """Whether what a line gives is neither judged nor used."""
    judged, read = {at for each in best.found for at in each.lines}, set[str]()
    for at, each in [*enumerate(best.statements)][::-1]:
        if at not in judged and each.name not in read:
            return True
        read |= each.reads
    return False
