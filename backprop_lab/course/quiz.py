"""Questions that stand in the lab, one after another; each is answered before its answer is shown."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from traitlets import HasTraits, Instance

from backprop_lab.step.number_format import typed_number

RIGHT = "Right."
HOME = "the worked example as it begins"
TRAINED, PLANTED = "the same at any iteration", "also with a mistake planted in it"
DRAWN = "or random numbers of the same sizes, whatever the seed"
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
WORDS = {"zero": 0} | {word: number for number, word in enumerate(NUMBERS)}


class LabQuestion(NamedTuple):
    """A question that is answered by looking at the board, with one of `choices` or, without them, a number."""

    text: str
    right: str
    hint: str  # what is said to a wrong answer: where to look
    answer: str  # in full
    choices: tuple[str, ...] = ()
    where: str = HOME  # which numbers the answer is about
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
            text = f"{right} of {many} were right at the first answer."
            return now | {"title": "That was the last question", "text": text, "buttons": [["next_question", "Close"]]}
        title = f"Question {at + 1} of {many}"
        if not self.fits(home, drawn, trained, planted):
            text = "This question is about the worked example, as it is, and other numbers are on the board now."
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
        if where == DRAWN:
            return (home or drawn) and not planted
        return home and (where == PLANTED or not planted) and (where != HOME or not trained)

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


TOUR = (
    LabQuestion(
        "Press Next once, so that Y1 fills, and click the 2.37 in its upper right corner. Which input "
        "adds the most to it?",
        "the second",
        "Look at the sum: its largest term is in bold.",
        "The second input, −2.06 times −0.74, which is 1.53. Two negative numbers make a positive one.",
        ("the first", "the second", "the third"),
    ),
    LabQuestion(
        "Press Next for H1. How many of its eight numbers are 0?",
        "3",
        "Count the cells of H1 without a colour; point at one to be sure.",
        "Three, all in the first row: these units are off for the first sample. None is off for both, so none is dead.",
        needs="H1",
    ),
    LabQuestion(
        "Press Next phase until the loss L is there, and click it. What fraction of it comes from its largest square?",
        "more than half",
        "Compare the largest term with the total below it.",
        "More than half, 62 %: 3.79 was predicted where −1.90 was wanted. Squaring makes large errors count far more.",
        ("about a quarter", "about half", "more than half"),
    ),
    LabQuestion(
        "Don't press Next yet. What will be the sign of dy_pred in its upper right corner? Look only at y_pred and y.",
        "+",
        "Is the prediction above its target or below? If it grew, would the loss grow?",
        "Plus. The prediction, 4.48, is above its target, 1.01, so raising it further would raise the loss.",
        ("−", "0", "+"),
    ),
    LabQuestion(
        "Jump to dY1 by its name above the board, and compare it with dH1. In how many cells do they differ?",
        "3",
        "Point at each cell of dY1: what was dH1 multiplied by there?",
        "In three, where H1 is 0. Where a unit is off, a small change of its input still gives 0: no "
        "gradient goes back.",
    ),
    LabQuestion(
        "Jump to dW1 and click the −11.9 at the left of its second row. One of its two products is 0: "
        "which sample is silent?",
        "the first",
        "The sum has one product for each sample, in their order.",
        "The first: its gradient in dY1 is 0, because that unit was off for it. The same holds for the "
        "first three columns.",
        ("the first", "the second"),
    ),
    LabQuestion(
        "With 1e-06 as learning rate, press Next phase until the bottom row is full, and jump to W2_new. "
        "Read the largest change in the card, "
        "then type 0.001 as learning rate and read it again. How many times as large is it?",
        "1000",
        "Divide the second by the first; 4.5e−05 is 0.000045.",
        "A thousand times, like the learning rate. It plays no part in the forward pass or in the gradients.",
    ),
    LabQuestion(
        "Choose random as the start, jump to H1, and set the seed to 0, 1, and so on to 9. For how many of"
        " these ten seeds is "
        "at least one unit off for both samples?",
        "8",
        "Such a unit is a column of H1 that is all 0; the card names it.",
        "For eight; only 1 and 9 have no dead unit. With 8 samples, under More, for none: the more "
        "samples, the less likely.",
        where=DRAWN,
    ),
)

TRAINING = (
    LabQuestion(
        "With 0.05 as learning rate, press Next iteration twice and watch H1. How many of its four units are dead now?",
        "4",
        "A unit is dead if its whole column is 0.",
        "All four: the steps are too long. Now choose 10 iterations/s and press Play: only b2 still learns, and the "
        "loss ends at 6.61.",
        where=TRAINED,
    ),
    LabQuestion(
        "Type 0.01 as learning rate, press Restart, jump to L, then press Next iteration ten times, and "
        "note the loss. Then press More, plant ReLU mask forgotten, and press Next iteration ten times again. "
        "When is the loss lower?",
        "with the mistake",
        "After ten iterations, compare the two losses at the top right.",
        "With the mistake: 0.14, and 2.47 without. A falling loss proves nothing about the gradient.",
        ("without the mistake", "with the mistake"),
        where=PLANTED,
    ),
    LabQuestion(
        "The mistake is still planted. Walk through the gradients. How many of the seven does the lab reject?",
        "3",
        "Count the red crosses above the board.",
        "Three: dY1, dW1 and db1, which come after the forgotten mask. The four before it are right.",
        where=PLANTED,
    ),
)

LESSONS = {"tour": TOUR, "training": TRAINING}
