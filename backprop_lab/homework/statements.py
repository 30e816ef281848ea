"""A learner's statement: what it writes and reads, and the code that is run."""

import ast
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

import numpy as np

from backprop_lab.homework.loops import BY_RUNNING
from backprop_lab.homework.names import A_GRADIENT
from backprop_lab.homework.spellings import A_PARAMETER
from backprop_lab.nn.forms import expressions
from backprop_lab.step.problem import Problem
from backprop_lab.step.program import Program

FUNCTIONS = {
    each.__name__: each for each in (len, range, float, int, bool, abs, sum, max, min, round, list, tuple, pow)
}
# What a line finds without asking for it: NumPy imports the code of `mean` and `sum` when they are first called.
SCOPE = {"__builtins__": {"__import__": __import__}, "np": np, "numpy": np, "math": math, **FUNCTIONS}
ANOTHER_NAME = re.compile(r"(\w+) = (\w+)")
HANDED_ON = re.compile("next|prev")
ZEROS = re.compile(r"= (?:np\.)?(?:zeros|empty|zeros_like|empty_like)\(|= 0(?:\.0)?$")
SINGLE = re.compile(r"\bfloat(?:32|16)\b")
OTHER_MODULES = {"torch", "tf", "jax", "jnp", "cp", "F", "nn"}
MEANT: dict[str, str | float] = {  # what a name may stand for, by how it begins
    "beta_?1?$|mu$|momentum|gamma$|decay": 0.9, "beta_?2$": 0.999, "eps": 1e-8, "p$|p_|keep|drop": 0.8,
    "syn|theta|w": "W1", "v(_?d?w.*)?$": "vW1", "m(_?d?w.*)?$": "mW1", "x": "X", "[yt]": "y", "b": "b1",
}  # fmt: skip
A_LITTLE = 1e-6  # that somebody adds so that nothing is divided by 0
ONES = re.compile(  # beside something else in one array
    r"(?:[hv]stack|column_stack|concatenate|\b[cr]_)\b(?!.*zeros).*\bones(?:_like)?\(|\binsert\(\w+, 0, 1\b"
)


@dataclass(frozen=True)
class Statement:
    """One statement: the line it stands in, its text, what it writes and reads, and the code that is run.

    `goes_on` says that it changes what it writes, or makes it of itself: `dW1 += reg * W1`, `dh[h <= 0] = 0`; and
    `collects` that it only puts what has a name into a dictionary. One that `is_idle` is not run. `scope` is the line
    of the function it stands in, or 0; and `early` what it reads before another line gives it, and which.
    `calls` are the functions of the text that are run with it, and their lines. `beside` is the name that is given the
    same value in it, as in `dWx = dWh = ...`, and `changes` are the other names that have the array that it changes.
    """

    line: int
    text: str
    name: str
    reads: frozenset[str]
    goes_on: bool
    code: CodeType
    collects: bool = False
    is_idle: bool = False
    scope: int = 0
    early: tuple[tuple[str, int], ...] = ()
    calls: tuple[tuple[str, int], ...] = ()
    beside: str = ""
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def needs(self) -> frozenset[str]:
        """What it reads, and what it writes where it goes on with that."""
        return self.reads | {self.name} if self.goes_on else self.reads

    def run(self, known: Mapping[str, Any]) -> Any:
        """What it writes, where the names have these values, which stay as they are. Raises what NumPy raises."""
        copies = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in known.items()}
        return self.run_on(copies)

    def run_on(self, known: Mapping[str, Any]) -> Any:
        """The same, and these values are changed where it changes them."""
        scope = {**SCOPE, **known}
        with np.errstate(all="ignore"):
            exec(self.code, scope)
        return scope[self.name]


def in_turn(statements: Sequence[Statement]) -> Iterator[Statement]:
    """The same, where each knows what it reads too early; what a loop hands on to its next turn is not that."""
    given = set[str]()
    for at, each in enumerate(statements):
        early, made = list[tuple[str, int]](), {each.name}
        for name in sorted(each.needs - given):
            for later in statements[at + 1 :]:
                is_update = bool(A_PARAMETER.fullmatch(later.name))
                if later.scope != each.scope or (is_update and not A_GRADIENT.fullmatch(name)):
                    break  # of another function, or of the forward pass of the next step
                of_it = bool(later.reads & made)
                if later.name == name:
                    early += [] if later.goes_on or of_it else [(name, later.line)]
                    break
                made |= {later.name} if of_it else set()
        given.add(each.name)
        yield replace(each, early=tuple(early))


def is_handed_on(statements: Sequence[Statement], at: int) -> bool:
    """Whether a turn of a loop gives what only another turn would use: in the last one, or dhnext, which began as 0."""
    one, before = statements[at], (each for each in statements[:at] if ZEROS.search(each.text))
    if HANDED_ON.search(one.name) and any(each.name == one.name for each in before):
        return True
    is_repeated = any((each.name, each.line) == (one.name, one.line) for each in statements[:at])
    return is_repeated and not any(one.name in each.reads for each in statements[at + 1 :])


def stays(name: str, statements: Sequence[Statement], may_be_a_gradient: Callable[[str], bool]) -> bool:
    """Whether only one statement writes a name, and gradients are computed with it after that."""
    at = [number for number, each in enumerate(statements) if each.name == name]
    return len(at) == 1 and any(name in each.reads and may_be_a_gradient(each.name) for each in statements[at[0] + 1 :])


def is_taken_as_it_is(name: str, later: Sequence[Statement]) -> bool:
    """Whether an update takes a gradient in the layout that it has."""
    updates = (each for each in later if A_PARAMETER.fullmatch(each.name) and each.goes_on and name in each.reads)
    return any(not re.search(rf"\b{name}(\.m?T\b|\.transpose)|transpose\({name}", each.text) for each in updates)


def what_is(name: str, line: str) -> str:
    """What is asked about a name that means nothing here."""
    attribute = re.search(rf"\b{re.escape(name)}\.(\w+)", line)
    if attribute and (name in OTHER_MODULES or not hasattr(np.ndarray, attribute[1])):
        return f"what is {name}? The only module known here is NumPy, as np: write it with that"
    is_called = re.search(rf"\b{re.escape(name)}\(", line)
    if re.match("[A-Z][A-Za-z]{2}", name) and (is_called or name not in line):
        return f"{name} is a class, and only lines are followed here; {BY_RUNNING}"
    likely = next((of for start, of in MEANT.items() if re.match(start, name.lower())), "H1")
    meant = f"np.{name}" if is_called and hasattr(np, name) else "your_function" if is_called else repr(likely)
    return f"what is {name}? Say it, as in names={{{name!r}: {meant}}}, or write it out"


def compiled(text: str) -> CodeType:
    """The code of statements, in which float32 is float64: what it rounds is no mistake."""
    with warnings.catch_warnings(action="ignore"):  # such as of 2(X), which is told when it stops
        return compile(SINGLE.sub("float64", text), "<a line of yours>", "exec")


def without_a_little_more(statement: Statement) -> Statement:
    """The same without what keeps it from dividing by 0, `y / (A2 + 1e-8)`; a root's is one of the step."""
    divides = "e-" in statement.text and "sqrt" not in statement.text and re.search("/|log", statement.text)
    if statement.calls or not divides:
        return statement
    module = ast.parse(statement.text)
    for part, put in [*expressions(module)][::-1]:  # from the inside out
        match part:
            case ast.BinOp(kept, ast.Add(), ast.Constant(float(little))) if 0 < little <= A_LITTLE:
                put(kept)
    return replace(statement, code=compiled(ast.unparse(module)))


def check_biases(statements: Sequence[Statement], problem: Problem) -> None:
    """Raise ValueError for a column of ones that has the bias in it, where the problem has biases of their own."""
    is_apart = not isinstance(problem, Program) and any(name.startswith("b") for name in problem.parameters)
    if each := next((each for each in statements if is_apart and ONES.search(each.text)), None):
        raise ValueError(
            f"line {each.line}, `{each.text}`, adds ones for a bias, which has a name of its own in this problem: "
            f"only that is followed here, as in `X @ W1 + b1`; {BY_RUNNING}"
        )
