"""Which names of a learner's lines have one array, so that a line that changes one in place changes the others too.

The lines are run once as Python runs them: nothing is put right, and nothing is copied.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backprop_lab.homework.names import Names
from backprop_lab.homework.statements import ANOTHER_NAME, FUNCTIONS, Statement, compiled

CHANGES = re.compile(r"\w+ [-+*/@]+= |\w+\[")


def with_changes(statements: Sequence[Statement], names: Names) -> list[Statement]:
    """The same, where each knows the other names that have the array that it changes, and what is said of them."""
    known, given = dict[str, Any](), dict[str, int]()  # what each name has in it, and which statement gave it that
    found = list[Statement]()
    for at, statement in enumerate(statements):
        name, changes = statement.name, list[tuple[str, str]]()
        if not statement.is_idle:
            for each in statement.needs - {*known} - {*FUNCTIONS}:
                if names.has(each):
                    value = names.value(each)
                    known[each] = value.copy() if isinstance(value, np.ndarray) else value
            before = {each: value.tobytes() for each, value in known.items() if isinstance(value, np.ndarray)}
            was = known.get(name)
            try:
                known[name] = known[statement.beside] if statement.beside else statement.run_on(known)
            except Exception:  # it is told of where the statement is judged
                known.pop(name, None)
            if known.get(name) is not was:
                given[name] = at
            changed = [each for each in before if each != name and known[each].tobytes() != before[each]]
            for each in changed:
                since = max(given.get(name, -1), given.get(each, -1))
                changes.append((each, _said(statement, each, statements[since], since == at)))
        found.append(replace(statement, changes=tuple(changes)))
    return found


def _said(statement: Statement, other: str, since: Statement, at_once: bool) -> str:
    """What is said of another name where a statement changes its array; since which one it is the same."""
    changes = f"line {statement.line}, `{statement.text}`, changes {other} too"
    if at_once:
        return f"{changes}: give it {other}.copy()"
    one = other if since.name != other else statement.name
    return f"{changes}: since line {since.line}, {statement.name} and {other} are one array. There, write {one}.copy()"


def with_other_names(statements: Sequence[Statement], names: Names) -> list[Statement]:
    """The same, where a line that changes a parameter by another name, `w = W2` and `w -= lr * dW2`, gives that."""
    another, found = dict[str, str](), list[Statement]()
    for each in statements:
        copied = ANOTHER_NAME.fullmatch(each.text)
        if copied and another.get(copied[2]) == copied[1]:  # back again
            continue
        if each.name in another and not each.calls and CHANGES.match(each.text):
            module, name = ast.parse(each.text), another[each.name]
            for part in ast.walk(module):
                if isinstance(part, ast.Name) and part.id == each.name:
                    part.id = name
            reads = frozenset(name if read == each.name else read for read in each.reads)
            found.append(replace(each, name=name, reads=reads, code=compiled(ast.unparse(module))))
            continue
        another.pop(each.name, None)
        if copied and names.of(copied[2]) in names.problem.parameters and copied[1] not in names.trace:
            another[copied[1]] = copied[2]
        found.append(each)
    return found
