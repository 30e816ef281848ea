"""One training step as lines of NumPy: each with its name, its role and what it is of, and the functions that run them.

The lines are what a trace runs, and what a learner sees.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.nn.layers import Layer
from backprop_lab.nn.lines import NAMESPACE, RESERVED, as_term, fields_of, names_in
from backprop_lab.nn.memory import Repeated
from backprop_lab.nn.running import Function, call, function_of
from backprop_lab.nn.stacking import CannotBeStackedError

NO_DIMENSIONS: Mapping[str, int] = MappingProxyType({})
AGAIN = "_again"  # behind what a line calls the values around a further place of its layer
SCALARS = ("lr", "step")  # what is one number to a problem, and to all runs of a stack


class Beside(NamedTuple):
    """What a penalty or a decay adds to the line of another part, such as `+` and `2 * 0.1 * W1`.

    `kind` is the class that it is of, and `result` says which of its lines this is, by its `template`; `numbers` are
    its own, and `names` what its template calls the values around it.
    """

    kind: type
    result: str
    sign: str
    template: str
    names: Mapping[str, str]
    numbers: Container[str] = ()


class Step(NamedTuple):
    """One named value and how it comes about.

    `code` is the line of NumPy that gives `value`, bit for bit, from the values before it; `operands` are the names in
    it, in order; `phase` is "forward", "loss", "backward" or "update". `kind` is the layer's or loss's class, `result`
    says which of its results this is, such as "dX", by its line `template`; `names` are those around this place, by
    what a template calls them. `role` is "value", "gradient" or "new", and `of` is what it is the gradient of, or what
    it replaces in the next step; "" for a value. `beside` is what a penalty or a decay adds to the line, if one does.
    `title` and `sentence` are those of a planted mistake; `paths` has, for a gradient that was derived, the rules that
    made it: for each place in which `of` is used, those on the way from there, each a `deriving.structure.Passed`.
    `note` is what its author says of a line of a program. `value` is None until it is run.
    """

    name: str
    phase: str
    code: str
    operands: tuple[str, ...]
    kind: type
    result: str
    template: str
    names: Mapping[str, str]
    role: str = "value"
    of: str = ""
    beside: Beside | None = None
    title: str = ""
    sentence: str = ""
    paths: tuple[Any, ...] = ()
    note: str = ""
    value: Any = None

    @property
    def adds_up_places(self) -> bool:
        """Whether it adds up what a parameter gets at each place of its layer, which stands in several."""
        return any(name.endswith(AGAIN) for name in self.names)

    def rewritten(self, template: str, title: str, sentence: str, beside: str | None = None) -> "Step":
        """The same step with another line in place of its own, or with another one `beside` it, "" for none.

        A line with a number of what stands beside it says all of it, and so does one that leaves a parameter as it is.
        Raises KeyError if it has a name not found here.
        """
        kept = self.beside
        says_all = template == "{p}" or any(kept and name in kept.numbers for name in fields_of(template))
        if beside == "" or says_all:
            kept = None
        elif kept and beside:
            kept = kept._replace(template=beside)
        try:
            code, operands = filled(template, self.names, kept)
        except ValueError as error:  # as of a line of a reader's own that is not Python
            raise ValueError(f"the mistake {title!r}: {error}") from None
        return self._replace(code=code, operands=operands, title=title, sentence=sentence)


class Lines(tuple[Step, ...]):
    """The lines of one training step, in order, and the functions that run them, which are made once and kept."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self)

    @cached_property
    def codes(self) -> tuple[tuple[str, str], ...]:
        return tuple((step.name, step.code) for step in self)

    @cached_property
    def replacing(self) -> dict[str, str]:
        """What a step replaces in the next one: `{"W1": "W1_new", ...}`."""
        return {step.of: step.name for step in self if step.role == "new"}

    @cached_property
    def memories(self) -> dict[str, str]:
        """What is remembered, and of which parameter: `{"vW1": "W1", ...}`."""
        new = (step for step in self if step.role == "new" and "p" in step.names)
        return {step.of: step.names["p"] for step in new if step.of != step.names["p"]}

    @cached_property
    def count_steps(self) -> bool:
        """Whether a line uses the number of the step."""
        return any("step" in step.operands for step in self)

    @cached_property
    def _functions(self) -> dict[Any, Function]:
        return {}

    def __reduce__(self) -> Any:
        return Lines, (tuple(self),)  # without the functions

    def run(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is given, and after it the value of each line, read-only, from what is given and the values before it.

        A line that uses a later value waits for it. What overflows does so without a warning. Raises ValueError if a
        line uses a name that nothing gives, if lines wait for each other, or, saying which, if NumPy refuses one.
        """
        key = tuple(given)
        if (step := self._functions.get(key)) is None:
            step = self._functions[key] = function_of(self.codes, key, self.names, keep=True)
        values: dict[str, Any] = step(*given.values())
        return values

    def function(
        self, results: tuple[str, ...], given: tuple[str, ...], ranks: tuple[int, ...] = (), repeated: bool = False
    ) -> Function:
        """Some results as a function of what is given; with its `ranks` to one problem, of stacks of it.

        In a stack what has no axis is (S, 1, 1), and what has one (S, 1, N); the results are (S,) and (S, N). One of
        stacks that is `repeated`, on arrays of the same shapes, keeps its memory: see `Repeated`.

        Raises CannotBeStackedError if a line does what nobody has said how to do for many problems at once.
        """
        key = results, given, ranks, repeated
        if (step := self._functions.get(key)) is None:
            dimensions = tuple(zip(given, ranks, strict=True)) if ranks else None
            step = self._functions[key] = function_of(self.codes, given, results, dimensions, repeated=repeated)
        return Repeated(step, vars(step)["operations"], self.replacing) if repeated else step

    def call(
        self,
        results: tuple[str, ...],
        given: Mapping[str, Any],
        dimensions: Mapping[str, int] = NO_DIMENSIONS,
        analytic: bool = False,
    ) -> list[Any]:
        """Some results; where what is given is a stack, (S, ...), stacks of them.

        `dimensions` says how many each has to one problem, where it is no matrix. With `analytic`, for a complex step:
        see `function_of`.
        """
        known = dict.fromkeys(given, 2) | dict.fromkeys(SCALARS, 0) | dict(dimensions)
        if not analytic and all(np.ndim(value) <= known[name] for name, value in given.items()):
            return [*self.function(results, tuple(given))(*given.values())]
        return call(self.codes, results, given, known, analytic)

    def not_stacked(self, given: Mapping[str, Any], loss: str = "L") -> str:
        """The line that keeps a step from taking many problems at once, whose arrays have as many axes as these.

        "" if there is none.
        """
        try:
            self.function((loss, *self.replacing.values()), tuple(given), tuple(map(np.ndim, given.values())))
        except CannotBeStackedError as error:
            return str(error)
        return ""


class Stage(NamedTuple):
    """A layer in its place: the names of what enters and leaves it, its number, and the names of its parameters.

    Those of a layer that stands in two places are called after the first: {"W": "W1", "b": "b1"}.
    """

    layer: Layer
    X: str
    Y: str
    number: int
    parameters: dict[str, str]


def stages_of(layers: Sequence[Layer]) -> list[Stage]:
    """Each layer with its names and its number, such as `Stage(relu, "Y1", "H1", 1, {})`.

    A number starts anew where a parameter's letter is taken under it, so W1 b1 gamma1 beta1 W2 b2; it is 0 before any.
    What comes out last is `y_pred`. A further value of one name takes b, c ... behind it, such as `H1b`.
    """
    stages: list[Stage] = []
    taken: set[str] = set()
    number, under, entering = 0, set[str](), "X"
    before: dict[int, dict[str, str]] = {}  # the parameters of each layer; two of one class are two
    for at, layer in enumerate(layers, 1):
        if layer.learnt and (number == 0 or under & {*layer.learnt}):
            number, under = number + 1, set()
        under |= {*layer.learnt}
        letter = layer.letter or ("Y" if layer.learnt else "H")
        leaving = "y_pred" if at == len(layers) else free(f"{letter}{number}", taken)
        names = {p: f"{p}{number}" for p in layer.learnt}
        names = names if isinstance(layer, type) else before.setdefault(id(layer), names)
        stages.append(Stage(layer, entering, leaving, number, names))
        entering = leaving
    return stages


def free(name: str, taken: set[str]) -> str:
    """A name that no other value has: the name itself, or with b, c ... behind it. It is taken then."""
    free = next(each for each in chain([name], (f"{name}{chr(at)}" for at in range(98, 1000))) if each not in taken)
    taken.add(free)
    return free


def masks_of(stages: Sequence[Stage]) -> dict[int, str]:
    """The names of what layers draw in a step, such as `mask1`, by the place of the layer."""
    taken: set[str] = set()
    return {at: free(f"mask{s.number}", taken) for at, s in enumerate(stages) if hasattr(s.layer, "drawn")}


def filled(template: str, names: Mapping[str, str], beside: Beside | None = None) -> tuple[str, tuple[str, ...]]:
    """The code with names filled in, and those that are names of values. Raises KeyError for one that is missing."""
    code = template.format_map(names)
    if beside:
        code = f"{as_term(code)} {beside.sign} {as_term(beside.template.format_map(beside.names))}"
    return code, operands_of(code)


def operands_of(code: str) -> tuple[str, ...]:
    """The names of values in a line, in order."""
    return tuple(name for name in names_in(code) if name not in RESERVED and name not in NAMESPACE)


def check_names(given: Iterable[str], lines: Lines) -> None:
    """Raise ValueError unless every value has a name of its own, which can stand in a line of Python."""
    taken = set(NAMESPACE)
    for name in (*given, *lines.names):
        if name in taken and name in SCALARS:
            what = "the learning rate" if name == "lr" else "the number of the step"
            raise ValueError(f"{name} is {what} in every line: call your own value something else, such as {name}1")
        if name in taken:
            raise ValueError(
                f"two values would be called {name}: call a parameter or a line of the loss something else"
            )
        if name.startswith("_"):
            raise ValueError(f"{name!r} cannot be the name of a value: call it something that starts with a letter")
        if not name.isidentifier() or name in RESERVED:
            raise ValueError(f"{name!r} cannot be the name of a value in a line of Python")
        taken.add(name)
