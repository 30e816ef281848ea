"""Training steps with a mistake in one of their lines, which only the numbers give away: six, and any number more.

`mystery(1)` is a trace whose steps show the right lines of NumPy, as in a program that you believe to be right; then
`solve(1, "sign-flipped")` says whether that is the mistake. What is hidden where is written in rot13, so that nobody
reads the end of the story by accident. `mystery(seed=12, difficulty=2)` draws another, the same for everybody who draws
it, and `solve(line="dW1", mistake="sign-flipped", seed=12, difficulty=2)` says whether that explains it.
"""

import codecs
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from backprop_lab.checks.numeric import relative_error
from backprop_lab.course.guesses import alike, line_in, line_like, meant_by, name_of, names, unread, value_of
from backprop_lab.feedback.check import Feedback, check
from backprop_lab.feedback.mistakes import MISTAKES, Mistake, plant
from backprop_lab.nn.activations import ACTIVATIONS, Activation
from backprop_lab.nn.layers import Array, Linear
from backprop_lab.nn.lines import evaluate
from backprop_lab.nn.losses import LOSSES
from backprop_lab.nn.optimizers import GradientDescent
from backprop_lab.nn.penalties import L2
from backprop_lab.step.number_format import as_printed
from backprop_lab.step.problem import Problem, check_problem, check_seed, check_whole
from backprop_lab.step.random_problems import random_problem
from backprop_lab.step.trace import Trace, trace

ROT13: Final = "rot13"
CASES: dict[int, tuple[dict[str, Any], str]] = {  # the numbers to start from, and the step and the mistake in it
    1: ({"seed": 10, "samples": 3}, "qL1 znfx-sbetbggra"),
    2: ({"seed": 5, "samples": 3}, "ql_cerq zrna-sbe-fhz"),
    3: ({"seed": 19, "samples": 3}, "qJ2 enj-vachg"),
    4: ({"seed": 0, "samples": 3}, "qJ1 npgvingvba-fxvccrq-onpxjneq"),
    5: ({"seed": 24, "samples": 4, "inputs": 2, "hidden": 3, "outputs": 3}, "qU1 genafcbfr-sbetbggra"),
    6: ({"seed": 33, "samples": 3, "lr": 0.1}, "J2_arj jrvtugf-sbe-tenqvrag"),
}


class Level(NamedTuple):
    """What a drawn mystery may be: the phases in which a mistake is made, activations, losses and hidden layers."""

    phases: tuple[str, ...]
    activations: tuple[str, ...]
    losses: tuple[str, ...]
    layers: int
    without: tuple[str, ...] = ()


# Named one by one: with another among them, every seed would draw another case than the one that was handed out.
_DRAWN_ACTIVATIONS = ("ReLU", "Tanh", "Sigmoid")
_DRAWN_LOSSES = ("sum of squares", "mean of squares", "half the sum of squares", "cross-entropy after a softmax")
_NOT_DRAWN = ("slope-twice", "penalty-twice", "mean-over-samples", "gradient-of-a-cross-entropy")  # likewise
LEVELS = {
    1: Level(("backward",), ("ReLU",), ("sum of squares",), 1, without=("cross-entropy",)),  # taught after them
    2: Level(("loss", "backward", "update"), _DRAWN_ACTIVATIONS, _DRAWN_LOSSES, 1),
    3: Level(("forward", "loss", "backward", "update"), _DRAWN_ACTIVATIONS, _DRAWN_LOSSES, 2),
}
DRAWN = "mystery(seed=12, difficulty=2)"
DRAWS = 1000  # at most: if none of them will do, the levels are wrong, not the seed
SEEN = 1e-6  # of its largest number: NumPy prints eight digits
VISIBLE = 0.05  # the wrong line is off by more than this part of its largest number, all others by less than half of it
FILLED = 0.25  # at least this part of each value is not 0: a layer that is off, or nearly, hides what is done in it
READABLE = 1000  # every number on the board is smaller


def mystery(
    number: int | None = None, *, seed: int | None = None, difficulty: int | None = None, problem: Problem | None = None
) -> Trace:
    """The training step of a case: right lines, and the numbers that come out with a mistake in one of them.

    `mystery(1)` to `mystery(6)` are those of the course. With a seed and a difficulty, another is drawn, always the
    same. Of difficulty 1 it is like the first five: a gradient is wrong, in a network with a ReLU and a sum of squares.
    Of difficulty 2 any activation and loss may occur, and the mistake may be in the loss or the update; of 3 it may be
    anywhere, and the network is one layer deeper, with as many samples as inputs and units, so that any two matrices
    fit. With a `problem` of your own, such as a program, and a seed, a mistake is made somewhere in its step. Raises
    ValueError if there is no such case. For example::

        case = mystery(seed=12, difficulty=2)
        case["dW1"]  # what came out
        case.step("dW1").code  # the line that should have been run
    """
    right, name, mistake = _open(number, seed, difficulty, problem)
    return _shown(right, name, mistake)


def solve(
    number: int | None = None,
    mistake: Any = None,
    line: Any = None,
    *,
    seed: int | None = None,
    difficulty: int | None = None,
    problem: Problem | None = None,
) -> Feedback:
    """Whether `mistake` is the one that is hidden in a case: one of `MISTAKES`, its name, or the line you suspect.

    Some words of a name or title, such as "no mask", will do where they fit no other mistake that can be made here.
    Where several mistakes give the same numbers, each is right. Of a wrong guess it tells only how it was taken, and
    whether that mistake is made in the same line. With `line`, such as "dW1", that has to be the line in which it is
    made, and is credited by itself. What you think was run may also be typed in NumPy, as `mistake`, in any way to
    write it: right is what gives the numbers that are shown. With a `line` alone it says whether that is the one.
    `seed`, `difficulty` and `problem` are those of the mystery. Raises ValueError if there is no such case. For
    example::

        solve(1, "sign-flipped")
        solve(seed=12, difficulty=2, line="dW1", mistake="sign-flipped")
    """
    right, name, hidden = _open(number, seed, difficulty, problem)
    typed = mistake.name if isinstance(mistake, Mistake) else mistake
    place = alike(name_of(line), [step.name for step in right.steps])
    code = line_in(typed, right)
    meant = meant_by(typed, right, place, name) if code is None and isinstance(typed, str) else []
    if cannot_be_read := unread(typed, code is not None, meant, line, place, right):
        return Feedback(False, *cannot_be_read)
    if place == name and mistake is None:
        said = f"You have found the line, {name}. Which mistake is made in it? Name it, or type what you think was run."
        return Feedback(False, ("blank",), said)
    if place not in (None, name):
        said = f"The mistake is not in {place}: its line, run on the values shown, gives exactly the {place} shown."
        return Feedback(False, ("line",), said)
    wrong = _shown(right, name, hidden)[name]
    if code is not None:
        return _typed(typed.strip(), code, right, name, wrong, hidden)
    guess = MISTAKES[meant[0]]
    if what := next((code for code, value in _runs(guess, right, name) if _same(value, wrong)), ""):
        return Feedback(True, (), f"That is it: what was run is {name} = {what}. {guess.cause}")
    start = "Not this one:" if names(typed, guess) else f"Taken as {guess.name}. Not this one:"
    start = f"You have found the line, {name}. But it is not {guess.name}:" if place else start
    if guess.wrong_line(right, name) is None:
        return Feedback(False, ("place",), f"{start} that cannot occur in the line that is wrong here.")
    if not _runs(guess, right, name):
        said = f"{start} with these sizes it would not run, or it would give another shape."
        return Feedback(False, ("shape",), said)
    found_line = "" if place else "you have the right line, but "
    return Feedback(False, ("value",), f"{start} {found_line}that would give other numbers.")


def _typed(typed: str, code: str, right: Trace, name: str, wrong: Array, hidden: Mistake) -> Feedback:
    """What there is to say of a line of NumPy that one suspects to have been run."""
    value, of = value_of(code, right), name_of(typed)
    if of in right and of != name and of != typed:
        said = f"The mistake is not in {of}: its line, run on the values shown, gives exactly the {of} shown."
        return Feedback(False, ("line",), f"Not this one: {of} is given." if of in right.given else said)
    if value is not None and value.shape == wrong.shape and _same(value, wrong):
        ways = ((line_like(typed, each, right, name), each.cause) for each in MISTAKES.values())
        run, cause = next(((f"what was run is {name} = {way}", cause) for way, cause in ways if way),
                          (hidden.title, hidden.cause))  # fmt: skip
        return Feedback(True, (), f"That is it: {run}. {cause}")
    if typed in right:
        kind = "a value that is given" if typed in right.given else "a line"
        return Feedback(
            False, ("name",), f"{typed} is {kind}, not a mistake: name what is done wrong, as in 'sign-flipped'."
        )
    if value is None:
        return Feedback(False, ("shape",), "Not this one: with these sizes it would not run.")
    if value.shape != wrong.shape:
        is_same = value.size == wrong.size and _same(value.reshape(wrong.shape), wrong)
        start = "Nearly: that line gives these numbers, but" if is_same else "Not this one: that line gives"
        what = f"in shape {value.shape}" if is_same else f"shape {value.shape}" if value.shape else "one number"
        return Feedback(False, ("shape",), f"{start} {what}, and {name} has shape {wrong.shape}.")
    if _same(value, right[name]):
        return Feedback(False, ("value",), "Not this one: that is a right line, and something else was run.")
    return Feedback(False, ("value",), "Not this one: that line would give other numbers.")


def _open(number: Any, seed: Any, difficulty: Any, problem: Any = None) -> tuple[Trace, str, Mistake]:
    """The step of a case as it should be, where a mistake is made in it, and which."""
    if problem is not None:
        check_problem(problem)
        if number is not None or difficulty is not None or seed is None:
            raise ValueError("a mystery in a problem of your own has a seed, and neither a number nor a difficulty: "
                             "mystery(problem=p, seed=12)")  # fmt: skip
        check_seed(seed)
        return _draw_in(problem, int(seed))
    if isinstance(number, Problem):
        raise ValueError("a mystery in a problem of your own is asked for by name: mystery(problem=p, seed=12)")
    if seed is not None:
        if number is not None:
            raise ValueError(f"a mystery has a number or a seed, not both; got {number!r} and seed={seed!r}")
        check_seed(seed)
        if difficulty is None:
            raise ValueError(f"seed {seed} gives a different mystery for each difficulty: add difficulty=1, 2 or 3")
        check_whole("difficulty", difficulty, 1, len(LEVELS))
        return _draw(int(seed), int(difficulty))
    if not isinstance(number, int | np.integer) or isinstance(number, bool) or number not in CASES:
        raise ValueError(f"there are mysteries 1 to {len(CASES)}; got {number!r}: {DRAWN} draws others")
    if difficulty is not None:
        raise ValueError(f"mystery {number} has no difficulty; with a seed, another is drawn: {DRAWN}")
    return _case(int(number))


@lru_cache(maxsize=len(CASES))
def _case(number: int) -> tuple[Trace, str, Mistake]:
    given, hidden = CASES[number]
    name, mistake = codecs.decode(hidden, ROT13).split()
    return trace(random_problem(**given)), name, MISTAKES[mistake]


def _shown(right: Trace, name: str, mistake: Mistake) -> Trace:
    """Right lines over the numbers that come out with a mistake in one of them."""
    wrong = plant(right, mistake, name)
    return right.showing({step.name: wrong[step.name] for step in right.steps})


# Drawing one


@lru_cache(maxsize=64)
def _draw(seed: int, difficulty: int) -> tuple[Trace, str, Mistake]:
    """A step, and a mistake in it that can be told from the board. First the mistake is drawn, then the line."""
    rng, level = np.random.default_rng((seed, difficulty)), LEVELS[difficulty]
    for _ in range(DRAWS):
        right = _draw_step(rng, level)
        mistake = MISTAKES[str(rng.choice(_drawn_mistakes()))]
        places = [name for name in mistake.possible_at(right) if right.step(name).phase in level.phases]
        if places and mistake.name not in level.without:
            name = str(rng.choice(places))
            if _can_be_told(right, name, mistake):
                return right, name, mistake
    raise ValueError(f"no mystery was found in {DRAWS} draws")


def _draw_in(problem: Problem, seed: int) -> tuple[Trace, str, Mistake]:
    """A mistake in a step of a problem, that can be told from its numbers. Raises ValueError if there is none."""
    rng, right = np.random.default_rng(seed), trace(problem)
    cases = [(name, mistake) for mistake in MISTAKES.values() for name in mistake.possible_at(right)]
    for k in rng.permutation(len(cases)):
        name, mistake = cases[k]
        wrong = _shown(right, name, mistake)[name]
        shows = not relative_error(wrong, right[name]) < SEEN  # or it is not finite
        if shows and mistake.name in check(name, wrong, right).cause:
            return right, name, mistake
    raise ValueError("no known mistake in this problem would show in its numbers")


@lru_cache(maxsize=1)
def _drawn_mistakes() -> tuple[str, ...]:
    """The mistakes that people make in the lines of what is drawn: no other part brings others among them."""
    drawn = [ACTIVATIONS[name] for name in _DRAWN_ACTIVATIONS] + [LOSSES[name] for name in _DRAWN_LOSSES]
    kinds = {Linear, Activation, GradientDescent, *map(type, drawn)}
    made_in = {mistake.name: {kind for kind, _ in mistake.lines} for mistake in MISTAKES.values()}
    drawable = (name for name, parts in made_in.items() if parts & kinds and L2 not in parts)
    return tuple(name for name in drawable if name not in _NOT_DRAWN)


def _draw_step(rng: np.random.Generator, level: Level) -> Trace:
    """A step of a network that has had one update, so that no bias is 0, and a forgotten one is noticed."""
    samples, inputs, hidden, outputs = map(int, rng.permutation([2, 3, 4, 5]) if level.layers == 1 else [3, 3, 3, 3])
    problem = random_problem(
        int(rng.integers(2**31)),
        samples,
        inputs,
        (hidden,) * level.layers,
        outputs,
        lr=0.05,
        activation=ACTIVATIONS[str(rng.choice(level.activations))],
        loss=LOSSES[str(rng.choice(level.losses))],
    )
    return trace(trace(problem).next_problem().evolve(lr=0.1))


def _can_be_told(right: Trace, name: str, mistake: Mistake) -> bool:
    """Whether the numbers that the board prints give away which line is wrong, and that it is no other mistake."""
    shown = _shown(right, name, mistake)
    if any(np.mean(step.value != 0) < FILLED for step in (*right.steps, *shown.steps)):
        return False
    if mistake.name not in check(name, shown[name], right).cause:  # or it could not be solved
        return False  # pragma: no mutate  none in 450 was so
    board = {each: _printed(value) for each, value in shown.items()}
    off = {step.name: relative_error(evaluate(step.code, board), board[step.name]) for step in shown.steps}
    here = off.pop(name)  # of which none is VISIBLE to the last bit
    if not here > VISIBLE or not all(error < VISIBLE / 2 for error in off.values()):  # pragma: no mutate
        return False
    others = [value for each in MISTAKES.values() for _, value in _runs(each, right, name)]
    far = (_same(value, shown[name]) or relative_error(_printed(value), board[name]) > VISIBLE for value in others)
    return all(far) and max(np.max(np.abs(value)) for value in board.values()) < READABLE  # pragma: no mutate  likewise


def _runs(mistake: Mistake, right: Trace, name: str) -> list[tuple[str, Array]]:
    """Each way to write a mistake that runs and gives the right shape, with its value."""
    return [each for each in mistake.wrong_values(right, name) if each[1].shape == np.shape(right[name])]


def _same(one: Array, other: Array) -> bool:
    size = np.max(np.abs(other), initial=0.0, where=np.isfinite(other))
    near = np.allclose(one, other, rtol=1e-9, atol=1e-12 * size, equal_nan=True)  # pragma: no mutate  others are far
    return bool(near)


def _printed(value: Any) -> Array:
    """A value with the digits that the board shows."""
    printed: Array = np.vectorize(as_printed)(value)
    return printed
