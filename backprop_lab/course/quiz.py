"""Questions that stand in the lab, one after another; each is answered before its answer is shown."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from traitlets import HasTraits, Instance

from backprop_lab.reading.words import tables_in
from backprop_lab.step.number_format import typed_number

RIGHT = "Right."
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
WORDS = {"zero": 0} | {word: number for number, word in enumerate(NUMBERS)}


class LabQuestion(NamedTuple):
    """A question that is answered by looking at the board, with one of `choices` or, without them, a number."""

    text: str
    right: str
    hint: str  # what is said to a wrong answer: where to look
    answer: str  # in full
    choices: tuple[str, ...] = ()
    where: str = "home"  # which numbers the answer is about: see `lessons.txt`
    needs: str = ""  # the value that has to be on the board to be looked at


class QuizState(NamedTuple):
    """At which question, what was `told` to an answer, whether ours is `shown`, how many were right at once."""

    at: int = 0
    told: str = ""
    shown: bool = False
    right: int = 0


class Quiz(HasTraits):
    """Asks questions in turn. Observe `place`: whatever happens replaces the whole of it."""

    place = Instance(QuizState, ())

    def __init__(self, questions: Sequence[LabQuestion] = ()) -> None:
        super().__init__()
        self.questions = tuple(questions)

    def asked(
        self, home: bool = True, drawn: bool = False, trained: bool = False, planted: bool = False
    ) -> dict[str, Any] | None:
        """What stands in the lab now; after the last question the score, until it is put away.

        `home` says that the worked example is on the board, `drawn` that random numbers of its sizes are, `trained`
        that they are at a later iteration, and `planted` that there is a mistake: what was asked or told about other
        numbers than these would be wrong.
        """
        at, told, shown, right = self.place
        many = len(self.questions)
        if at > many or not many:
            return None
        now = {"choices": [], "field": "", "told": told, "right": told.startswith(RIGHT)}
        if at == many:
            text = f"You got {right} of {many} right at the first try."
            return now | {"title": "That was the last question", "text": text, "buttons": [["next_question", "Close"]]}
        title = f"Question {at + 1} of {many}"
        if not self.fits(home, drawn, trained, planted):
            drawn_ones = "random numbers, with as many samples and units as at first"
            about = drawn_ones if self.questions[at].where == "drawn" else "the worked example as it is"
            text = f"This question is about {about}, and the board has other numbers now."
            return now | {"title": title, "text": text, "told": "", "buttons": [["home", "Back to the worked example"]]}
        now |= {"title": title, "text": self.questions[at].text}
        if shown:
            return now | {"buttons": [["next_question", "Next question"]]}
        choices = self.questions[at].choices
        return now | {
            "choices": list(choices),
            "field": "" if choices else "a number, then Enter",
            "buttons": [["show", "Show me"]],
        }

    def fits(self, home: bool, drawn: bool, trained: bool, planted: bool) -> bool:
        """Whether the question is about what is on the board."""
        where = self.questions[self.place.at].where
        if where == "drawn":
            return (home or drawn) and not planted
        return home and (where == "planted" or not planted) and (where != "home" or not trained)

    def answer(self, text: str, shows: Callable[[str], bool] = lambda _: True) -> None:
        """Check an answer: a wrong one gets a hint, a right one ours.

        Raises ValueError for what is not an answer, and as long as the board does not show what is to be looked at.
        """
        now = self._open()
        if now.needs and not shows(now.needs):
            raise ValueError(f"{now.needs} is still empty: press Next until it fills, then look")
        if now.choices:
            if text not in now.choices:
                raise ValueError(f"answer with one of {', '.join(now.choices)}; got {text!r}")
            is_right = text == now.right
        else:
            typed = WORDS.get(text.strip().lower(), typed_number(text))
            if isinstance(typed, str):
                raise ValueError(f"answer with a number, such as 12 or 0.5, without commas; got {text!r}")
            is_right = typed == float(now.right)
        if not is_right:
            self.place = self.place._replace(told=f"{text.strip().capitalize()} is not right. {now.hint}")
            return
        self.place = self.place._replace(
            told=f"{RIGHT} {now.answer}", shown=True, right=self.place.right + (not self.place.told)
        )

    def show(self) -> None:
        """Give the answer away."""
        self.place = self.place._replace(told=self._open().answer, shown=True)

    def next(self) -> None:
        """Go on once the answer is shown; after the last question to the score, which the next call puts away."""
        if self.place.at < len(self.questions) and not self.place.shown:
            raise ValueError("answer the question first, or press 'Show me'")
        self.place = QuizState(at=self.place.at + 1, right=self.place.right)

    def _open(self) -> LabQuestion:
        if self.place.at >= len(self.questions) or self.place.shown:
            raise ValueError("there is no question to answer")
        return self.questions[self.place.at]


def _question(text: str, right: str, hint: str, answer: str, *more: str) -> LabQuestion:
    """A question from its row in `lessons.txt`."""
    own = dict(each.split(": ", 1) for each in more)
    choices = own.pop("choices", "").split(", ")
    return LabQuestion(text, right, hint, answer, tuple(filter(None, choices)), **own)


LESSONS = {
    lesson: tuple(_question(*row) for row in rows.values())
    for lesson, rows in tables_in(Path(__file__).with_name("lessons.txt").read_text(encoding="utf-8")).items()
}
