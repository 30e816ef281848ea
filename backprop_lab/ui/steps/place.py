"""What the lab shows now: one state, as plain values, which the stepper replaces and all the rest is made from."""

from dataclasses import dataclass

from backprop_lab.nn.steps import Step
from backprop_lab.reading.one_cell import Cell
from backprop_lab.reading.scale import Scales
from backprop_lab.reading.slopes import is_slope, slope_of, value_of
from backprop_lab.step.trace import Trace
from backprop_lab.training.history import Remembered
from backprop_lab.ui.steps.setup import CUSTOM, Setup


@dataclass(frozen=True, eq=False)
class LabState:
    """One state of the lab: never changed, only replaced by the next.

    The first `index` steps in `trace`, that of iteration `iteration`, are shown; it is `remembered`, and may be made
    again. `custom` says that the learner changed a number, `mistake` names a planted mistake. `cell` is the cell that
    is worked out; while `pinned`, it stays so. `predicting` asks a question before a step is shown;
    `question` is the cell that the present one is about, and `right` of `asked` answers were right. `why` is our reason
    for the last answer, until the learner gives one. `note` is a sentence for the learner.
    """

    setup: Setup
    remembered: Remembered
    iteration: int = 0
    index: int = 0
    custom: bool = False
    mistake: str = ""
    cell: Cell | None = None
    pinned: bool = False
    predicting: bool = False
    question: Cell | None = None
    right: int = 0
    asked: int = 0
    why: str = ""
    note: str = ""

    @property
    def trace(self) -> Trace:
        return self.remembered.trace

    @property
    def scales(self) -> Scales:
        """Those of its colours."""
        return self.remembered.scales

    @property
    def renewed(self) -> tuple[str, ...]:
        """Which of them, of "values" and "gradients", are others than in the iteration before."""
        return self.remembered.renewed

    @property
    def step(self) -> Step | None:
        """The current step, or None before the first."""
        return self.trace.steps[self.index - 1] if self.index else None

    @property
    def start(self) -> str:
        return CUSTOM if self.custom else self.setup.start

    @property
    def lr(self) -> float:
        return float(self.remembered.problem.lr)

    @property
    def can_change(self) -> tuple[str, ...]:
        """What the learner can change cell by cell: the data, the parameters, and what is remembered of them."""
        problem = self.remembered.problem
        return (*problem.data, *problem.replaced)

    def index_of(self, name: str | None) -> int:
        """The number of the step with this name, counted from 1; 0 if there is none."""
        return next((k for k, step in enumerate(self.trace.steps, start=1) if step.name == name), 0)

    def has(self, cell: Cell) -> bool:
        """Whether there is such a cell and it is already on the board."""
        name, i, j = cell
        if not self.shows(name):
            return False
        rows, cols = value_of(self.trace, name).shape
        return isinstance(i, int) and isinstance(j, int) and bool(0 <= i < rows and 0 <= j < cols)

    def shows(self, name: str) -> bool:
        """Whether a value is already on the board."""
        if is_slope(name):
            name = slope_of(self.trace, name).shown_with
        return name in self.trace.given or any(step.name == name for step in self.trace.steps[: self.index])
