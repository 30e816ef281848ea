"""Wrong lines for a gradient that was derived: the forms that its rules have written, written otherwise."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from backprop_lab.feedback.function_code import values_in
from backprop_lab.nn.forms import parsed, replaced, terms_of_sum, with_what_is_summed
from backprop_lab.nn.steps import Step
from backprop_lab.step.number_format import listed
from backprop_lab.step.trace import Trace

SEVERAL = "fan-out"  # the rule of a gradient that comes along several paths
WHOLE = "whole "  # before a rule whose form is that of a line as a whole
SLOPES = {"tanh": "1 - {Y}**2", "sigmoid": "{Y} * (1 - {Y})"}  # by what comes out
Places = dict[str, str]  # what stands in which braces, as code


def wrong_codes(trace: Trace, step: Step, rules: Iterable[tuple[str, str, tuple[str, ...]]]) -> dict[str, Places]:
    """Each wrong line that some mistakes by rule have for a step, and what stands around the place that is wrong.

    There are none where its gradient came about by other rules.
    """
    found: dict[str, Places] = {}
    in_all = _Everywhere(step.code)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    there = _rules_in(step.paths)
    for rule, form, ways in rules:
        if rule.removeprefix(WHOLE) in there:
            alike.setdefault((form, ways), []).append(rule)
    for (form, ways), names in alike.items():
        places = [(known, rule) for rule in names for known in _places(trace, step, rule)]
        places = [(known, rule) for known, rule in places if "{Z}" not in form or "Z" in known]
        for way in ways:
            in_each, drops_up = _Everywhere(step.code), "{up}" in form and "{up}" not in way  # which is a gradient
            for known, rule in ((known, rule) for known, rule in places if "up" in known or not drops_up):
                for code in _written(step.code, form, way, tuple(known.items()), rule):
                    lost = _lost(step.code, code) if rule == SEVERAL else ""
                    found.setdefault(code, known | ({"lost": lost} if lost else {}))
                in_each.write(form, way, known, rule)
                if way == ways[0]:
                    in_all.write(form, way, known, rule)
            in_each.put_into(found)
    in_all.put_into(found)
    found.pop(step.code, None)
    return found


class _Everywhere:
    """A line with a mistake in every term of a sum, each by its own rule, and what stands around these places."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.changed: list[Places] = []

    def write(self, form: str, way: str, known: Places, rule: str) -> None:
        for code in _written(self.code, form, way, tuple(known.items()), rule)[:1]:
            self.code = code
            self.changed.append(known)

    def put_into(self, found: dict[str, Places]) -> None:
        if len(self.changed) > 1:
            each_of = {key: dict.fromkeys(each[key] for each in self.changed if key in each) for key in self.changed[0]}
            found.setdefault(self.code, {key: listed([*codes]) for key, codes in each_of.items()})


def _places(trace: Trace, step: Step, rule: str) -> Iterator[Places]:
    """What is known at each place at which a rule made a gradient."""
    for path in step.paths:
        line = next((passed.Y for passed in path if passed.rule == "line"), "")
        up = next((name for name in step.operands if name in (f"d{line}", f"d{line}_total")), "")
        around = {"V": step.of, "name": step.name, "up": up, "up_out": _entering(trace, up, "gradient")}
        around["V_slope"] = slope_in((each for each in trace.steps if step.name in each.operands), step.of)
        around |= {f"V_{key}": code for key, code in _scale(trace, step.of).items()}
        around |= {f"up_{key}": code for key, code in _scale(trace, up).items()}
        around["up_slope"] = slope_in(each for each in trace.steps if each.name == up)
        around["paths"] = str(len(step.paths)) if len(step.paths) > 2 else ""  # half may be half of anything
        is_of_terms = not any("softmax" in passed.rule for path in step.paths for passed in path)  # which has two
        if rule.endswith(SEVERAL) and is_of_terms:
            yield {key: code for key, code in around.items() if code}
            return  # once for all paths
        for passed in sorted(path, key=lambda passed: passed.rule == "line"):  # the others say more
            if rule.removeprefix(WHOLE) in _rules_in(((passed,),)):
                known = {**around, "X": passed.X, "Y": passed.Y, "Z": passed.Z}
                W = passed.Z.removesuffix(".mT")
                if W in trace:
                    known |= {"W": W, "W_raw": _entering(trace, W), **_terms(trace, W)}
                    known["up_all"] = _gradients_of_all(trace, W, up, step)
                    others, after = {"dW": f"d{W}", "W_new": f"{W}_new"}, made_with(trace, step.name)
                    known |= {key: name for key, name in others.items() if name in trace and name not in after}
                yield {key: code for key, code in known.items() if code}


def _rules_in(paths: tuple[tuple[Any, ...], ...]) -> Set[str]:
    """The rules that a gradient has come through on some paths, by each of their names in the table of mistakes."""
    passed = {*chain(*paths)}
    names = {f"{each.by}{more}" for each in passed for more in ("", f" {each.at}", f" {each.how}")}
    return names | {each.rule for each in passed if each.rule == "line"} | ({SEVERAL} if len(paths) > 1 else set())


def slope_in(steps: Iterable[Step], of: str = "", slopes: Mapping[str, str] = SLOPES) -> str:
    """The slope of an activation that some gradients have in them: of the one that gives `of`, or of any."""
    passed = (each for step in steps for path in step.paths for each in path if each.by in slopes)
    return next((slopes[each.by].format(Y=each.Y) for each in passed if of == each.Y or not of), "")


def _entering(trace: Trace, name: str, role: str = "value") -> str:
    """The first value of its shape, or gradient, that a value is made of: what it was before its last step."""
    if not name or name in trace.given:
        return ""
    shape, operands = np.shape(trace[name]), trace.step(name).operands
    return next((each for each in operands if np.shape(trace[each]) == shape and trace.role(each) == role), "")


def _scale(trace: Trace, name: str) -> Places:
    """The number that a line multiplies all by, and if it does so by a division, the one that it divides by."""
    match parsed(trace.step(name).code) if name and name not in trace.given else None:
        case ast.BinOp(_, ast.Div(), number) if _is_number(trace, number):
            return {"divisor": (code := ast.unparse(number)), "factor": f"1 / {code}"}
        case ast.BinOp(left, ast.Mult(), right):
            return next(({"factor": ast.unparse(each)} for each in (left, right) if _is_number(trace, each)), {})
    return {}


def _is_number(trace: Trace, part: ast.expr) -> bool:
    """Whether a factor is one number that is the same in each step: a constant, a datum or a length."""
    code, changes = ast.unparse(part), {step.name for step in trace.steps} | {*trace.problem.parameters}
    is_constant = not isinstance(part, ast.UnaryOp) and not values_in(code, changes)
    return is_constant and np.ndim(trace.evaluate(code)) == 0


def _terms(trace: Trace, name: str) -> Places:
    """The two terms of a value that its line adds up, where each is as large as that."""
    match parsed(trace.step(name).code) if name not in trace.given else None:
        case (
            ast.BinOp(first, ast.Add(), last)
            | ast.BinOp(ast.BinOp(first, ast.Add(), last), ast.Mult() | ast.Div(), _)
            | ast.BinOp(_, ast.Mult(), ast.BinOp(first, ast.Add(), last))
        ):
            terms = {"W_first": ast.unparse(first), "W_last": ast.unparse(last)}
            shape = np.shape(trace[name])
            return {key: code for key, code in terms.items() if np.shape(trace.evaluate(code)) == shape}
    return {}


def _gradients_of_all(trace: Trace, name: str, up: str, step: Step) -> str:
    """The gradients of all lines that use a value, added up, where one of them is `up`, which alone uses what the step
    is of, they are of its shape, and none of them needs the step."""
    using = [each for each in trace.steps if each.role == "value" and name in each.operands]
    users = [f"d{each.name}" for each in using] if sum(step.of in each.operands for each in using) == 1 else []
    alike = [each for each in users if up and each in trace and np.shape(trace[each]) == np.shape(trace[up])]
    can_be = up in alike and len(alike) > 1 and made_with(trace, step.name).isdisjoint(alike)
    return " + ".join(alike) if can_be else ""


def _lost(right: str, wrong: str) -> str:
    """The terms of a sum that another line does not have, as a list in words."""
    left = [ast.unparse(term) for line in with_what_is_summed(parsed(wrong)) for term in terms_of_sum(line)[0]]
    *_, summed = with_what_is_summed(parsed(right))
    terms = [ast.unparse(term) for term in terms_of_sum(summed)[0]]
    return listed([f"`{term}`" for term in terms if term not in left and f"-{term}" not in left])


def made_with(trace: Trace, name: str) -> set[str]:
    """A value and all that is computed with it: if its line used one of these, each would wait for the other."""
    after = {name}
    for each in trace.steps:
        if after.intersection(each.operands):
            after.add(each.name)
    return after


@lru_cache(maxsize=4096)
def _written(code: str, form: str, way: str, known: tuple[tuple[str, str], ...], rule: str) -> tuple[str, ...]:
    among = "whole" if rule.startswith(WHOLE) else "terms" if rule == SEVERAL else ""
    try:
        return tuple(replaced(code, form, way, dict(known), among))
    except KeyError:  # what the way needs is not here
        return ()
