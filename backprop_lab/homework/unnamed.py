"""Values of names that say nothing, such as `q`, taken for the gradients that explain most of what is wrong."""

import re
from collections.abc import Callable

import numpy as np

from backprop_lab.homework.backward_pass import Blamed, Pass
from backprop_lab.homework.statements import is_handed_on

Run = Callable[[Blamed], Pass]


def with_own_names(best: Pass, run: Run) -> Pass:
    """The same with values of the learner's own that nobody judges taken for gradients, where that explains more.

    What one line gives in each turn of a loop is a gradient of one kind: dh3, dh2 and dh1.
    """
    for at in [*best.given_at] if best.cost[0] else ():
        if _is_anybodys(best, at):
            best = _explaining_more(best, _in_each_turn(best, at), run)
        if _is_anybodys(best, at):
            ways = [{at: each} for each in _of_its_size(best, at) if _makes_right(best, at, each)]
            best = _explaining_more(best, ways, run)
    return best


def _explaining_more(best: Pass, ways: list[dict[int, str]], run: Run) -> Pass:
    tries = [run({**best.blamed, **way}) for way in ways]
    return min([*tries, best], key=lambda tried: (tried.cost, -len(tried.right)))  # as much wrong, and more right


def _is_anybodys(best: Pass, at: int) -> bool:
    """Whether nobody judges what a statement gives, other lines use it, and it may be any gradient of its size."""
    one, values, names = best.statements[at], best.given_at.get(at, [None]), best.names[0]
    if not isinstance(values[0], np.ndarray) or not values[0].any() or any(at in each.lines for each in best.found):
        return False
    is_known = names.has(one.name) and not names.writes_data(one.name, one.text)
    is_used = any(one.name in later.reads for later in best.statements[at + 1 :])
    return is_used and not is_known and not is_handed_on(best.statements, at)


def _of_its_size(best: Pass, at: int) -> list[str]:
    trace, size = best.names[0].trace, best.given_at[at][0].size
    gradients = (each for each in best.names[0].all_gradients() if trace.role(each) == "gradient")
    return [each for each in gradients if np.size(trace[each]) == size]


def _in_each_turn(best: Pass, at: int) -> list[dict[int, str]]:
    """What a line may give in all turns of a loop: gradients whose names differ by a number, and no line gives."""
    one, given = best.statements[at], {each.of for each in best.found if each.ok}
    alike = (n for n in best.given_at if (best.statements[n].line, best.statements[n].name) == (one.line, one.name))
    turns = [n for n in alike if n >= at and _is_anybodys(best, n)]
    kinds = dict[str, list[str]]()
    for each in _of_its_size(best, at):
        kinds.setdefault(re.sub(r"\d+", "", each), []).extend({each} - given)
    ways = (dict(zip(turns, each, strict=False)) for each in kinds.values() if len(turns) > 1)
    return [each for each in ways if len(each) == len(turns)]


def _makes_right(best: Pass, at: int, of: str) -> bool:
    """Whether a line that uses a value is right if that value is this gradient, or no line alone can tell."""
    name, statements = best.statements[at].name, best.statements
    later = range(at + 1, len(statements))
    end = next((n for n in later if statements[n].name == name and not statements[n].goes_on), len(statements))
    wrong = {each.lines[-1]: each.of for each in best.found if each.ok is False}
    for n in (n for n in later if n <= end and name in statements[n].reads):
        following = next((each for each in statements[n + 1 :] if each.name == statements[n].name), None)
        if statements[n].goes_on or (following and following.goes_on):
            return True
        last = {statements[i].name: i for i in sorted(best.given_at) if i < n}
        names = [each.anew() for each in best.names]
        for number, each in enumerate(names):
            read = {other: wrong.get(i, best.given_at[i][number]) for other, i in last.items()}
            each.own |= {other: value for other, value in read.items() if other in statements[n].reads} | {name: of}
        if any(found.ok for found in Pass([statements[n]], names, meant=best.meant).found):
            return True
    return False
