"""The lines of a training step, shuffled and with wrong ones among them, and whether an order of them computes."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import traitlets

from backprop_lab.deriving.text import lines_in
from backprop_lab.feedback.check import Feedback
from backprop_lab.feedback.mistakes import MISTAKES, Mistake
from backprop_lab.nn.steps import Step, operands_of
from backprop_lab.reading.explanations import explain
from backprop_lab.step.number_format import listed
from backprop_lab.step.problem import Problem, check_seed
from backprop_lab.step.program import Program
from backprop_lab.step.trace import Trace, trace

PARTS = {
    "forward": ("forward", "loss"),
    "backward": ("backward",),
    "whole": ("forward", "loss", "backward", "update"),
}
RIGHT_FOR_EACH_WRONG = 4  # lines, unless there would be too few wrong ones
WRONG_AT_LEAST = 3


class Line(NamedTuple):
    """A line of NumPy to place, with the goal that it serves, and what it means.

    One that `is_wrong` may say why, and which mistake it is.
    """

    name: str
    code: str
    operands: tuple[str, ...]
    goal: str
    means: str = ""
    is_wrong: bool = False
    mistake: Mistake | None = None
    why: str = ""

    @property
    def text(self) -> str:
        return f"{self.name} = {self.code}"


class Place(NamedTuple):
    """Where each line is, by its number in `Puzzle.lines`: among those to choose from, or in the program.

    In the program, -1 stands for the first goal, -2 for the second and so on: a line serves the goal above it.
    """

    pool: tuple[int, ...]
    program: tuple[int, ...]


class Puzzle(traitlets.HasTraits):
    """The lines of one part of a training step, some wrong ones, and the program that is made of them.

    The seed draws which wrong lines there are, and shuffles all. `lines` of one's own, and `wrong` ones, stand in place
    of those of a problem. Raises ValueError if there is no such part or seed, or something is no line.
    """

    place: Any = traitlets.Any(help="where each line is, a Place")

    def __init__(
        self,
        problem: Problem | None,
        part: str = "whole",
        seed: int = 0,
        lines: str | Iterable[str] | None = None,
        wrong: str | Iterable[str] | Mapping[str, str] = (),
    ) -> None:
        if part not in [*PARTS]:
            raise ValueError(f"part must be one of {', '.join(PARTS)}; got {part!r}")
        check_seed(seed)
        rng = np.random.default_rng(seed)
        self.before: list[Step] = []
        if problem is None or lines is not None:
            right, found = _own_lines(lines if lines is not None else "", wrong)
            names = dict.fromkeys(name for line in right for name in line.operands)
            self.known = tuple(name for name in names if name not in {line.name for line in right})
        else:
            traced = trace(problem)
            goals = _goals(traced)
            steps = [step for step in traced.steps if step.phase in PARTS[part]]
            right = [Line(s.name, s.code, s.operands, goals[s.name], explain(s).sentence) for s in steps]
            found = _wrong_lines(traced, right, rng)
            self.before = [step for step in traced.steps if part == "backward" and step.phase in PARTS["forward"]]
            self.known = (*traced.given, *(step.name for step in self.before))
        every = [*right, *found]
        self.lines = tuple(every[k] for k in rng.permutation(len(every)))
        self.needed = [line.name for line in right]
        self.goals = tuple(dict.fromkeys(line.goal for line in right))
        super().__init__()
        self.start_over()

    def start_over(self) -> None:
        """Put all lines back among those to choose from."""
        self.place = Place(tuple(range(len(self.lines))), tuple(-1 - k for k in range(len(self.goals))))

    def move(self, line: Any, to: Any, at: Any) -> None:
        """Put a line in the "pool" or the "program", so that `at` others stand before it there, goals included.

        Nothing stands before the first goal. Raises ValueError if there is no such line or list.
        """
        if not _is_whole(line) or not 0 <= line < len(self.lines) or to not in Place._fields or not _is_whole(at):
            raise ValueError(f"no line is moved by {line!r}, {to!r}, {at!r}")
        lists = {name: [other for other in found if other != line] for name, found in self.place._asdict().items()}
        lists[to].insert(max(at, int(to == "program")), line)
        self.place = Place(**{name: tuple(found) for name, found in lists.items()})

    @property
    def program(self) -> list[Line]:
        """The lines of the program, in order."""
        return [self.lines[k] for k in self.place.program if k >= 0]

    def judge(self) -> Feedback:
        """Whether the program has every line and can be computed in its order; or the first thing that is wrong."""
        return judge(self.program, self.known, self.needed)

    def hint(self, more: bool = False) -> str:
        """What could come next, and what it means; with `more`, its line. What stands wrong is told first."""
        feedback = self.judge()
        if feedback.where is not None:
            return str(feedback)
        there = {*self.known, *(line.name for line in self.program)}
        waiting = [line for name in self.needed for line in self.lines if line.name == name and not line.is_wrong]
        line = next((each for each in waiting if each.name not in there and there.issuperset(each.operands)), None)
        if line is None:
            return str(feedback)
        start = f"You could compute {line.name} next"
        if more:
            return f"{start}: `{line.text}`."
        made = f", from {listed(line.operands)}" if line.operands else ""
        return f"{start}{made}. {line.means}".strip()

    def where(self, line: int) -> str:
        """The place of a line in words, for those who cannot see it."""
        text, program = self.lines[line].text, self.place.program
        if line not in program:
            return f"{text}: among the lines to choose from."
        before = program[: program.index(line)]
        number = sum(k >= 0 for k in before) + 1
        goal = self.goals[-1 - [k for k in before if k < 0][-1]]
        return f'{text}: line {number} of {len(self.program)} of your program, under "{goal}".'


def judge(program: Sequence[Line], known: Sequence[str], needed: Sequence[str]) -> Feedback:
    """Whether lines can be computed in this order from what is `known`, and give all that is `needed`.

    `where` is the line, counted from 0; `cause` is the mistake that it is, or "unknown" and the value that it lacks.
    """
    there = set(known)
    for number, line in enumerate(program):
        said = f"Line {number + 1}, `{line.text}`,"
        if line.is_wrong:
            cause = line.mistake.name if line.mistake else "wrong"
            why = f"{said} is a mistake: {line.why}" if line.why else f"{said} does not belong in the program."
            return Feedback(False, (cause,), why, (number,))
        unknown = next((operand for operand in line.operands if operand not in there), None)
        if unknown is not None:
            why = f"{said} needs {unknown}, which is not known yet."
            return Feedback(False, ("unknown", unknown), why, (number,))
        there.add(line.name)
    missing = [name for name in needed if name not in there]
    if len(missing) == len(needed):
        return Feedback(False, ("blank",), "Put lines into your program, in an order in which they can be computed.")
    if missing:
        said = f"So far your program can be computed. Still missing: {listed(missing)}."
        return Feedback(False, ("missing", *missing), said)
    lines = {1: "Your line", 2: "Both lines"}.get(len(needed), f"All {len(needed)} lines")
    return Feedback(True, (), f"{lines} can be computed{' in this order' * (len(needed) > 1)}.")


GOALS = {"loss": "How wrong is it?", "backward": "From the loss back to the prediction", "update": "A step downhill"}
OF_A_PROGRAM = {"forward": "Forward, from what is given", "backward": "Back from the loss"}
OWN = "Your program"


def _goals(traced: Trace) -> dict[str, str]:
    """What each line is for, by the name of its value: in a network, of which layer it is."""
    if isinstance(traced.problem, Program):
        return {step.name: (GOALS | OF_A_PROGRAM)[step.phase] for step in traced.steps}
    numbers = {stage.Y: stage.number for stage in traced.problem.network.stages}
    ways = {"forward": "Forward through layer {}", "backward": "Back through layer {}"}
    return {
        step.name: ways[step.phase].format(numbers[step.names["Y"]]) if "Y" in step.names else GOALS[step.phase]
        for step in traced.steps
    }


def _own_lines(
    lines: str | Iterable[str], wrong: str | Iterable[str] | Mapping[str, str]
) -> tuple[list[Line], list[Line]]:
    """Lines of one's own, and the wrong ones among them. Raises ValueError, with the line, for what is no line.

    What is right has to be right in the order in which it is handed in.
    """

    def line(name: str, code: str, why: str | None = None) -> Line:
        return Line(name, code, operands_of(code), OWN, is_wrong=why is not None, why=why or "")

    right = [line(each.name, each.text) for each in lines_in(lines)]
    for at, each in enumerate(right):
        if each.name in each.operands:
            raise ValueError(f"`{each.text}`: {each.name} is given: choose another name for what the line computes")
        if late := {*each.operands} & {later.name for later in right[at:]}:
            raise ValueError(f"`{each.text}` needs {', '.join(sorted(late))}, which comes later: hand the lines in, in "
                             f"an order in which they run")  # fmt: skip
    if not isinstance(wrong, Iterable):
        raise ValueError(f"wrong lines are a text, several, or a dictionary that says of each why; got {wrong!r:.60}")
    texts = _statements(wrong) if isinstance(wrong, str) else wrong
    whys = wrong.items() if isinstance(wrong, Mapping) else [(text, None) for text in texts]
    found = {
        (each.name, each.text.replace(" ", "")): line(each.name, each.text, _sentence(why))
        for text, why in whys
        for each in (() if isinstance(text, str) and not text.strip() else lines_in(text))
    }
    if both := [found[each.name, key] for each in right if (each.name, key := each.code.replace(" ", "")) in found]:
        raise ValueError(f"`{both[0].text}` is among your lines, and cannot be a wrong one as well")
    return right, [*found.values()]


def _statements(text: str) -> list[str]:
    """The lines of a text one by one, since wrong lines may give one name several values."""
    try:
        return [ast.get_source_segment(text, each) or "" for each in ast.parse(text).body]
    except SyntaxError:
        return text.splitlines()


def _sentence(why: str | None) -> str:
    """A reason with a full stop, if it ends without one; "" for none."""
    why = str(why or "").strip()
    return why if not why or why.endswith((".", "!", "?", "\N{HORIZONTAL ELLIPSIS}")) else f"{why}."


def _wrong_lines(traced: Trace, right: Sequence[Line], rng: np.random.Generator) -> list[Line]:
    """A wrong line for some of the right ones: each a mistake that NumPy refuses here, or that gives something else."""
    found: dict[str, list[Line]] = {}
    for mistake in MISTAKES.values():
        possible = mistake.possible_at(traced)
        for line in right:
            code, value = mistake.wrong_line(traced, line.name), mistake.wrong_value(traced, line.name)
            misfits = value is None or np.shape(value) != np.shape(traced[line.name])
            if code and (misfits or line.name in possible):
                why = f"{mistake.titled(traced.step(line.name))}. {mistake.cause}"
                wrong = line._replace(code=code, is_wrong=True, mistake=mistake, why=why)
                found.setdefault(line.name, []).append(wrong)
    several = min(len(found), max(WRONG_AT_LEAST, len(right) // RIGHT_FOR_EACH_WRONG))
    names = [list(found)[k] for k in rng.permutation(len(found))[:several]]
    return [found[name][rng.integers(len(found[name]))] for name in names]


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
