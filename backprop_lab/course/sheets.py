"""A sheet to fill in by hand: questions with blanks, its key, and a check of the answers."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.feedback.answers import NoAnswerError, as_floats, read, shown
from backprop_lab.feedback.check import Feedback, check, raising_nothing
from backprop_lab.step.number_format import SIGNS, typed_number
from backprop_lab.step.trace import Trace

SPACE = "______"
HALF_A_CENT = 0.005 + 1e-9  # how far two decimals may be off: an exact half may be rounded either way
WRITTEN: dict[Any, str] = {-1: "-", 0: "0", 1: "+"}
FORMS = {int: "one number", float: "one number", tuple: "a pair of numbers, as in (3, 2)", str: "'+', '-' or '0'"}


class Question(NamedTuple):
    """What is shown, side by side, what is asked for, its answer, and what to say of a wrong one.

    `answer` is a number, a shape, a sign or, for the whole of a value of a step `trace`, a matrix. Of a float two
    decimals are asked for.
    """

    shown: tuple[str, ...]
    asked: str
    answer: Any
    hint: str = ""
    trace: Trace | None = None

    def judge(self, answer: Any) -> Feedback:
        """Whether an answer is right; a matrix is told which mistake it looks like."""
        if _is_blank(answer):
            return Feedback(False, ("blank",), f"Put {self._named('the')} in place of the blank.")
        if self.trace is not None:
            told = check(self.asked, answer, self.trace)
            return replace(told, message=told.message.replace(", like Y1.", ", like H1."))  # which is on the sheet
        given: Any
        if isinstance(self.answer, str):
            text = str(answer).strip().lower()
            given = WRITTEN.get(SIGNS.get(text, typed_number(text)))
            fits = given is not None
        else:
            number = typed_number(answer) if isinstance(answer, str) and "," in answer else None
            if isinstance(number, float) and isinstance(self.answer, float):
                said = f"Write {self._named('the')} with a point, and without quotes: {number}."
                return Feedback(False, ("unreadable",), said)
            try:
                name = "answer" if isinstance(self.answer, tuple) else self.asked
                given = read(name, answer).squeeze()
                fits = given.ndim == np.ndim(self.answer)
                given = as_floats(given, name) if fits else given
            except NoAnswerError as nothing:
                half = nothing.cause == ("blank",) and isinstance(self.answer, tuple)
                said = f"There is still a blank in {self._named('the')}." if half else str(nothing)
                return Feedback(False, nothing.cause, said)
        if not fits:
            return Feedback(False, ("unreadable",), f"{self._named('The')} is {FORMS[type(self.answer)]}.")
        is_near = isinstance(self.answer, float) and abs(given - self.answer) <= HALF_A_CENT
        if is_near or np.array_equal(given, self.answer):
            return Feedback(True, (), f"{self._named('The')} is right.")
        return Feedback(False, ("value",), f"{self._named('The')} is not {shown(answer)}. {self.hint}")

    def _named(self, the: str) -> str:
        return f"{the} {self.asked}" if " of " in self.asked else self.asked


class Drill(NamedTuple):
    """Questions with a title: a `sheet` with blanks, its `key`, and `check(...)` for answers typed in their order."""

    title: str
    questions: tuple[Question, ...]

    @property
    def sheet(self) -> str:
        """The questions, with room for the answers."""
        return self._written(self.title, [_blank(question.answer) for question in self.questions])

    @property
    def key(self) -> str:
        """The same with the answers."""
        title = self.title.replace("(sheet", "(key to sheet")
        return self._written(title, [_answer(question.answer) for question in self.questions])

    @raising_nothing
    def check(self, *answers: Any) -> Feedback:
        """What there is to say of the first answer that is wrong, or else missing; all may be in one list.

        Raises nothing.
        """
        if len(answers) == 1 and (isinstance(answers[0], list | tuple) or np.ndim(answers[0]) == 1):
            answers = tuple(answers[0])
        if len(answers) != len(self.questions):
            there = "There is 1 question" if len(self.questions) == 1 else f"There are {len(self.questions)} questions"
            got = "1 answer" if len(answers) == 1 else f"{len(answers)} answers"
            said = f"{there}, and {got}: put ... where you have none."
            return Feedback(False, ("name",), said)
        asked = enumerate(zip(self.questions, answers, strict=True), start=1)
        for number, (question, answer) in sorted(asked, key=lambda each: _is_blank(each[1][1])):  # blanks come last
            if not (told := question.judge(answer)):
                return Feedback(False, told.cause, f"Question {number}: {told}", told.where)
        said = f"Each of the {len(answers)} answers is right." if len(answers) > 1 else "Your answer is right."
        return Feedback(True, (), said)

    def _written(self, title: str, answers: list[str]) -> str:
        parts = [title]
        for number, (question, answer) in enumerate(zip(self.questions, answers, strict=True), start=1):
            asked = f"{question.asked} = "
            lines = [*_side_by_side(question.shown), "", *_hanging(asked, answer)]
            parts.append("\n".join([f"{number}.  {lines[0]}", *(f"    {line}".rstrip() for line in lines[1:])]))
        return "\n\n\n".join(parts) + "\n"

    def __repr__(self) -> str:
        return self.sheet

    def _repr_html_(self) -> str:
        """The sheet for a page of any width: where it is narrow, matrices stand one below the other."""
        pre = '<pre tabindex="0" style="margin: 0; white-space: pre; overflow-x: auto">{}</pre>'
        items = []
        for question in self.questions:
            shown = "".join(map(pre.format, question.shown))
            blank = pre.format("\n".join(_hanging(f"{question.asked} = ", _blank(question.answer))))
            row = f'<div style="display: flex; flex-wrap: wrap; gap: 0.7em 3em">{shown}</div>'
            items.append(f'<li style="margin-top: 2em">{row}<br>{blank}</li>')
        return f"<b>{self.title}</b><ol>{''.join(items)}</ol>"


def matrices(traced: Trace, *names: str) -> tuple[str, ...]:
    """Matrices, each after its name."""
    return tuple("\n".join(_hanging(f"{name} = ", _answer(traced[name]))) for name in names)


def _is_blank(answer: Any) -> bool:
    return answer is None or answer is ...


def _side_by_side(texts: tuple[str, ...]) -> list[str]:
    """The lines of texts of equal height beside each other, with more room between matrices."""
    blocks = [text.split("\n") for text in texts]
    gap = " " * (6 if len(blocks[0]) > 1 else 3)
    return [gap.join(lines).rstrip() for lines in zip(*blocks, strict=True)]


def _answer(answer: Any) -> str:
    """An answer as it is written on paper."""
    if not isinstance(answer, np.ndarray):
        return f"{round(answer, 2) + 0.0:.2f}" if isinstance(answer, float) else str(answer)
    rows = [[str(int(number)) for number in row] for row in answer]
    width = max(len(number) for row in rows for number in row)
    return "\n".join("  ".join(number.rjust(width) for number in row) for row in rows)


def _blank(answer: Any) -> str:
    """Room for an answer; for each number of a matrix its own, and a line between its rows, for a pen."""
    return "\n\n".join("  ".join([SPACE] * len(row)) for row in answer) if isinstance(answer, np.ndarray) else SPACE


def _hanging(start: str, text: str) -> list[str]:
    """The lines of a text after a start, below each other."""
    first, *others = text.split("\n")
    return [start + first, *(" " * len(start) + line for line in others)]
