"""Wrong lines for a gradient that was derived: the forms that its rules have written, written otherwise."""

from collections.abc import Iterable, Iterator
from typing import Any

from backprop_lab.nn.forms import replaced
from backprop_lab.nn.steps import Step

SEVERAL = "fan-out"  # the rule of a gradient that comes along several paths


def wrong_codes(step: Step, rules: Iterable[tuple[str, str, tuple[str, ...]]]) -> Iterator[str]:
    """Each wrong line that some mistakes by rule have for a step; none where its gradient came by other rules."""
    found: dict[str, None] = {}
    for rule, form, ways in rules:
        for known in _places(step, rule):
            for way in ways:
                found.update(dict.fromkeys(_written(step.code, form, way, known, rule == SEVERAL)))
    found.pop(step.code, None)
    yield from found


def _places(step: Step, rule: str) -> Iterator[dict[str, str]]:
    """What is known at each place at which a rule made a gradient: by braces, as code."""
    for path in step.paths:
        line = next((passed.Y for passed in path if passed.rule == "line"), "")
        up = next((name for name in step.operands if name in (f"d{line}", f"d{line}_total")), "")
        around = {"V": step.of, "name": step.name, "up": up}
        if rule == SEVERAL and len(step.paths) > 1:
            yield {key: code for key, code in around.items() if code}
        for passed in path:
            if rule in (passed.by, f"{passed.by} {passed.at}", f"{passed.by} {passed.how}"):
                known = {**around, "X": passed.X, "Y": passed.Y, "Z": passed.Z}
                yield {key: code for key, code in known.items() if code}


def _written(code: str, form: str, way: str, known: dict[str, Any], is_sum: bool) -> Iterator[str]:
    try:
        yield from replaced(code, form, way, known, of_the_sum=is_sum)
    except KeyError:  # what the way needs is not here
        return
