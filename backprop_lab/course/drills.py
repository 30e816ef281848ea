"""Drills: five minutes of one kind of sum, done by hand, as a sheet with blanks, its key, and a check of the answers.

`drill("mask", seed=3)` shows a sheet to fill in, the same for everybody with that seed, and its `key` is the same sheet
with the answers. All numbers are whole and small: nobody needs a calculator, but for slopes, which have two decimals.
"""

from collections.abc import Callable

import numpy as np

from backprop_lab.course.sheets import WRITTEN, Drill, Question, matrices
from backprop_lab.nn.activations import ReLU, Sigmoid, Tanh
from backprop_lab.nn.forms import of_form
from backprop_lab.nn.layers import Array, Linear
from backprop_lab.nn.losses import SumSquaredError
from backprop_lab.nn.network import Network
from backprop_lab.reading.parts import made_of
from backprop_lab.step.problem import Problem, check_seed
from backprop_lab.step.random_problems import random_problem
from backprop_lab.step.trace import Trace, trace

QUESTIONS = 5
SAMPLES, LARGEST = 3, 12  # at most: samples, and numbers where something is to be computed
RATE = 1.0  # only the sign of a step is asked for


def drill(kind: str, seed: int, problem: Problem | None = None) -> Drill:
    """A drill: "cell", "mask", "shape" or "sign", or "mixed" of them all; or "slope", back through an activation.

    "slope" may be of a `problem` of your own, with its numbers: of its ReLU, tanh and sigmoid. Raises ValueError if
    there is no such kind, if the seed is not a whole number from 0 up, if another kind is given a problem, or if the
    problem has no such slope, or none that can be asked to two decimals. For example::

        sheet = drill("cell", seed=3)
        sheet.check(12, -4, ..., ..., ...)  # dots where there is no answer yet
        print(sheet.key)
    """
    if not isinstance(kind, str) or kind not in TITLES:
        raise ValueError(f"kind must be one of {', '.join(TITLES)}; got {kind!r}")
    check_seed(seed)
    rng = np.random.default_rng((seed, *kind.encode()))
    if kind == "slope":
        return Drill(f"{TITLES[kind]} (sheet {seed})", _slopes(problem, rng))
    if problem is not None:
        raise ValueError(f'{kind} has numbers of its own: only "slope" takes a problem')
    kinds = ("cell", "mask", "shape", "sign", "cell") if kind == "mixed" else (kind,) * QUESTIONS
    questions: list[Question] = []
    while len(questions) < QUESTIONS:
        question = KINDS[kinds[len(questions)]](_whole_numbers(rng), rng)
        if question and (question.asked == "dY1" or question.asked not in {other.asked for other in questions}):
            questions.append(question)
    return Drill(f"{TITLES[kind]} (sheet {seed})", tuple(questions))


def _whole_numbers(rng: np.random.Generator) -> Trace:
    """A step of a small network of whole numbers, of four different sizes; its learning rate is 1."""
    samples, inputs, hidden, outputs = map(int, rng.permutation([2, 3, 4, 5]))

    def drawn(most: int, *shape: int) -> Array:
        return rng.integers(-most, most + 1, shape)

    hidden_layer = Linear(drawn(1, inputs, hidden), drawn(1, 1, hidden))
    network = Network((hidden_layer, ReLU(), Linear(drawn(1, hidden, outputs), drawn(1, 1, outputs))))
    X, y = drawn(2, samples, inputs), drawn(2, samples, outputs)
    return trace(Problem(network, SumSquaredError(), X, y, RATE))


def _cell(traced: Trace, rng: np.random.Generator) -> Question | None:
    """One number of the gradient of a weight, the sum of two products or more."""
    name = str(rng.choice(["dW1", "dW2"]))
    entered, returned = traced.step(name).operands
    i, j = _place(traced[name], rng)
    products = traced[entered][:, i] * traced[returned][:, j]
    is_large = abs(products.sum()) > 99  # pragma: no mutate  where exactly it begins does not matter
    if not _is_small(traced, returned) or np.count_nonzero(products) < 2 or is_large:
        return None
    hint = f"It is made from {made_of(traced, name, (i, j))}."
    return Question(matrices(traced, entered, returned), f"{name}[{i}, {j}]", int(products.sum()), hint)


def _mask(traced: Trace, rng: np.random.Generator) -> Question | None:
    """The gradient below a ReLU, from the one above it and what left it."""
    are_told = traced["Y1"].all() and 0.25 <= np.mean(traced["H1"] > 0) <= 0.75  # on or off, and none at the kink
    if not _is_small(traced, "H1", "dH1") or not are_told or not traced["dY1"].any():
        return None
    return Question(matrices(traced, "H1", "dH1"), "dY1", traced["dY1"], trace=traced)


def _shape(traced: Trace, rng: np.random.Generator) -> Question:
    """The shape of a value, from the shapes of what is given."""
    name = str(rng.choice(["Y1", "y_pred", "dH1", "dW1", "dW2", "db1", "db2", "dY1"]))
    shapes = tuple(f"{given} {np.shape(traced[given])}" for given in ("X", "W1", "b1", "W2", "b2"))
    hint = "A row for each sample, a column for each unit."
    if traced.owner(name):
        hint = f"A gradient has the shape of what it belongs to: {traced.owner(name)}."
    return Question(shapes, f"shape of {name}", np.shape(traced[name]), hint)


def _sign(traced: Trace, rng: np.random.Generator) -> Question | None:
    """Which way the loss changes with a prediction, or a weight with its gradient."""
    name = str(rng.choice(["dy_pred", "W2_new"]))
    i, j = _place(traced[name], rng)
    if name == "dy_pred":
        shown, value, asked = ["y_pred", "y"], traced["dy_pred"], f"sign of dy_pred[{i}, {j}]"
        hint = "Where a prediction is too large, the loss grows with it."
    else:
        shown, value, asked = ["dW2"], traced["W2_new"] - traced["W2"], f"sign of W2_new[{i}, {j}] - W2[{i}, {j}]"
        hint = "A step goes against the gradient."
    if not _is_small(traced, *shown):
        return None
    return Question(matrices(traced, *shown), asked, WRITTEN[int(np.sign(value[i, j]))], hint)


def _slopes(problem: Problem | None, rng: np.random.Generator) -> tuple[Question, ...]:
    """Cells of gradients that have come back through an activation, from the numbers around them, to two decimals."""
    problems = [problem] if problem is not None else [
        random_problem(int(rng.integers(2**31)), 3, 2, 4, 2, activation=each) for each in (ReLU(), Tanh(), Sigmoid())
    ]  # fmt: skip
    cells = [(t, step, form, known, at) for t in map(trace, problems) for step in t.steps for form in OF_SLOPES
             if step.role == "gradient" and (known := of_form(step.code, form)) and {*known.values()} <= {*t}
             for at in np.ndindex(np.shape(step.value))]  # fmt: skip
    if not cells:
        raise ValueError("this problem has no line that goes back through a ReLU, a tanh or a sigmoid alone")
    every: dict[str, Question] = {}
    for k in rng.permutation(len(cells)):
        t, step, form, known, at = cells[k]
        given = {name: round(float(t[code][at]), 2) for name, code in known.items()}
        answer = float(t.evaluate(form.format_map(known), **{known[name]: value for name, value in given.items()}))
        place = f"[{', '.join(map(str, at))}]" if at else ""
        is_as_shown = (given["Y"] > 0) == (t[known["Y"]][at] > 0)  # a mask, too
        if given["up"] and is_as_shown and abs(answer) < LARGEST:
            shown = tuple(f"{known[name]}{place} = {value:.2f}" for name, value in given.items())
            hint = f"Its line is {step.name} = {step.code}."
            asked = f"{step.name}{place}"
            every.setdefault(asked, Question((OF_SLOPES[form], *shown), asked, answer, hint))
    if not every:
        raise ValueError(
            "no slope of this problem can be asked to two decimals: its numbers are too small or too large"
        )
    questions = [*every.values()]
    off = next((each for each in questions if not each.answer), questions[0])
    if questions.index(off) >= QUESTIONS:  # so that whoever forgets the mask sees it
        questions[QUESTIONS - 1] = off
    return tuple(questions[:QUESTIONS])


OF_SLOPES = {
    "{up} * ({Y} > 0)": "ReLU",
    "{up} * (1 - {Y}**2)": "tanh",
    "{up} * {Y} * (1 - {Y})": "sigmoid",
}
KINDS: dict[str, Callable[[Trace, np.random.Generator], Question | None]] = {
    "cell": _cell,
    "mask": _mask,
    "shape": _shape,
    "sign": _sign,
}
NETWORK = "Y1 comes from X, W1 and b1, H1 from a ReLU of Y1, and y_pred from H1, W2 and b2"
LOSS = "the loss is the sum of the squares"
TITLES = {
    "cell": "One cell of dW. Rows and columns are counted from 0",
    "mask": "Back through a ReLU: fill in dY1",
    "shape": f"The shape of a value, where {NETWORK}",
    "sign": f"The sign: + or - or 0; {LOSS}",
    "mixed": f"Some of everything; {NETWORK}, and {LOSS}",
    "slope": "Back through an activation. Rows and columns count from 0; two decimals, from the numbers as printed",
}


def _place(value: Array, rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(value.shape[0])), int(rng.integers(value.shape[1]))


def _is_small(traced: Trace, *names: str) -> bool:
    """Whether values have few enough rows and small enough numbers for a sum by hand."""
    return len(traced["X"]) <= SAMPLES and all(np.max(np.abs(traced[name])) <= LARGEST for name in names)
