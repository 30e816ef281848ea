"""A learner's own loss and gradients: how they are called, on copies of the parameters, and how far a loss is exact."""

import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from inspect import Parameter, getclosurevars, isfunction, signature
from io import StringIO
from traceback import extract_tb
from typing import Any, NamedTuple

import numpy as np

from backprop_lab.checks.proof import AGREES
from backprop_lab.checks.rounding import FLOAT32, FLOAT64, ROUNDINGS
from backprop_lab.feedback.answers import a_kind, reason
from backprop_lab.feedback.learner_code import STOPS
from backprop_lab.feedback.plain_words import in_plain_words
from backprop_lab.nn.arrays import NUMBERS
from backprop_lab.nn.layers import Array

LIBRARIES = tuple(sysconfig.get_paths()[each] for each in ("stdlib", "platstdlib", "purelib", "platlib"))

AGAIN = 5  # times that the loss is asked for at one place before it is believed to stay the same
SAME = 1e-12  # relative to the loss: so far the sums of one computer may differ from call to call
PROBES, SPACINGS = 10, (1e-12, 1e-6)  # how many points in a row, and how near, tell how rough the loss is
REACHED = 20  # functions, at most, that call each other
PATIENCE = 5.0  # seconds, after which it is said how many calls there will be
BY_NAME, IN_ORDER, AS_IT_IS = "**({})", "*({}).values()", "{}"  # how the parameters are handed to the loss
NO_NUMBERS = "must be an array of numbers"
SPELLED = ("d{0}", "{0}", "d_{0}", "grad_{0}", "{0}_grad", "g{0}", "g_{0}", "dL_d{0}", "dJ_d{0}", "dloss_d{0}")


class Slope(NamedTuple):
    """A derivative of the loss along one move of size `h`, how far it can be off, and how much it changes: its `bend`.

    `corner` says that the loss has a corner there, `still` that it has not changed at all.
    """

    slope: float
    doubt: float
    corner: bool
    still: bool
    h: float
    bend: float

    @property
    def is_sharp(self) -> bool:
        """Whether it leaves no doubt of a gradient that is as near to it as one has to be."""
        return self.doubt <= AGREES / 2 * abs(self.slope)


class OwnLoss:
    """The loss at some parameters, and its slopes there. It gets float64 copies of them in each call.

    `rough` is how far a value of it may be off by rounding; `is_single` says that the learner's numbers are float32,
    `in_float32` that the loss is computed in it; `given` are the gradients by name. Raises ValueError, with a
    sentence, if the loss cannot be called, stops, or gives no number, or if no gradient fits.
    """

    def __init__(self, loss: Callable[..., Any], parameters: Mapping[str, Any], gradients: Any = None) -> None:
        if not callable(loss):
            raise ValueError(f"the loss must be a function of the parameters, not {a_kind(loss)}")
        if not isinstance(parameters, Mapping) or not parameters:
            raise ValueError("the parameters are a dictionary by name, such as {'W1': W1, 'b1': b1}")
        if odd := [name for name in parameters if not isinstance(name, str)]:
            raise ValueError(f"the name of a parameter is text, such as 'W1'; got {odd[0]!r}")
        self.at = {name: _array(name, value) for name, value in parameters.items()}
        self.is_single = any(np.asarray(value).dtype == np.float32 for value in parameters.values())
        self.loss, self.gradients, self.calls, self.expected = loss, gradients, 0, 0
        self._start, self._is_told = time.monotonic(), False
        self._next = self._start + PATIENCE  # when it is said how far it is
        self.form, result = self._form(loss, _read)
        self.value, beside = _read(result)
        self.gives_both = beside is not None
        if callable(gradients):
            self.form_of_gradients, beside = self._form(gradients, self._by_name, "gradient")
        self.given = self._by_name(beside if gradients is None or callable(gradients) else gradients)
        values = [self.value, *(self() for _ in range(AGAIN - 1))]
        self.changes = max(map(abs, np.subtract(values, self.value)))
        self.rough, self.in_float32 = self._rough() if np.isfinite(self.value) else (np.inf, False)

    def __call__(self, **moved: Array) -> float:
        """The loss, where some parameters have other values."""
        return _read(self._called(self.loss, self.form, self.at | moved))[0]

    def gradients_now(self) -> dict[str, Any] | None:
        """The gradients that the learner's code gives, as it is now; None if it gives another loss."""
        value, beside = _read(self._called(self.loss, self.form, self.at))
        if callable(self.gradients):
            beside = self._called(self.gradients, self.form_of_gradients, self.at, "gradient")
        return self._by_name(beside) if abs(value - self.value) <= SAME * abs(self.value) else None

    @property
    def varies(self) -> bool:
        """Whether it has given different numbers for the same parameters."""
        return not self.changes <= SAME * abs(self.value) and np.isfinite(self.value)

    def ask_again(self) -> None:
        """Whether it still gives the same number, before anything is called wrong."""
        for _ in range(AGAIN):
            self.changes = max(self.changes, abs(self() - self.value))

    def unit(self, name: str) -> float:
        """How large a move of this parameter is large: its size, or more where that leaves too few digits."""
        size = self.size(name)
        return min(max(size, 0.01), 1000 * size)

    def size(self, name: str) -> float:
        """Its largest number; where all are 0, the largest of all. A larger move takes ReLUs past their corners."""
        peaks = {each: float(np.max(np.abs(at))) for each, at in self.at.items()}
        return peaks[name] or min(max(peaks.values()), 1.0) or 1.0

    def slope(self, name: str, move: Array, step: float) -> Slope:
        """The slope along a move of one parameter, by central differences at a step and at half of it.

        The two tell how far the bend of the loss, or a corner nearby, spoils it: the slope then changes, or the bend
        does not become half of what it was. See `proof`.
        """
        at, h = self.at[name], step * self.unit(name)
        moved = up, down, half_up, half_down = [self._tried(**{name: at + t * h * move}) for t in (1, -1, 0.5, -0.5)]
        slope, half_slope = (up - down) / (2 * h), (half_up - half_down) / h
        bend, half_bend = (up - 2 * self.value + down) / h, (half_up - 2 * self.value + half_down) / (h / 2)
        jump, rounded = abs(half_bend - bend / 2), 2 * (self.rough + self.changes) / h
        inexact = 4 * FLOAT64 * self.unit(name) / h * abs(half_slope)  # a number that is moved is rounded, too
        doubt = abs(slope - half_slope) + jump + rounded + inexact
        is_corner, is_still = jump > max(2 * rounded, 0.1 * abs(bend)), {*moved} == {self.value}
        return Slope(half_slope, doubt if np.isfinite(doubt) else np.inf, is_corner, is_still, h, half_bend)

    def penalty(self, name: str) -> float | None:
        """The slope of a penalty on a parameter, such as 0.2 for 0.1 * np.sum(W1**2); None if it cannot be seen.

        It is what grows with the square far away, the same in each direction, where all else grows no faster than a
        line, as a cross-entropy does.
        """
        at, rng = self.at[name], np.random.default_rng(0)
        moves = [self.unit(name) * move for move in rng.standard_normal((3, *at.shape))]
        for far in (1e4, 1e3, 100, 30):
            found = []
            for move in moves:
                one, two, three = (self._tried(**{name: at + t * far * move}) for t in (1, 2, 3))
                found.append((three - 2 * two + one) / (far * far * np.sum(move**2)))
            if np.isfinite(found).all() and np.ptp(found) <= 1e-4 * abs(found[0]):
                return float(found[0])
        return None

    def code(self, name: str, where: tuple[int, ...], h: float) -> str:
        """Lines that find the slope at one cell, by the learner's own function, over their `parameters`."""
        h, cell = float(f"{h:.0e}"), [*where] or "[()]"
        moved = [f"{{**parameters, {name!r}: parameters[{name!r}] {sign} h}}" for sign in "+-"]
        first = "[0]" * self.gives_both
        own = getattr(self.loss, "__name__", "")
        own, comment = (own, "") if own.isidentifier() else ("loss", "# `loss` is your function\n")
        up, down = (f"{own}({self.form.format(each)}){first}" for each in moved)
        return f"{comment}h = np.zeros(np.shape(parameters[{name!r}])); h{cell} = {h}\n({up} - {down}) / {2 * h}"

    def functions(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The learner's functions and those that they call, each with what it knows by name."""
        functions: list[Any] = [each for each in (self.loss, self.gradients) if callable(each)]
        for each in functions:  # which grows
            with suppress(TypeError, ValueError):
                function = getattr(each, "__func__", getattr(each, "func", each))  # of a method, or a partial
                near = getclosurevars(function)
                known = {**near.globals, **near.nonlocals}
                yield function, known
                kinds = [value if isinstance(value, type) else type(value) for value in known.values()]
                methods = [method for kind in kinds for method in vars(kind).values() if isfunction(method)]
                for other in (*filter(callable, known.values()), *methods):
                    functions += [other] if len(functions) < REACHED and other not in functions else []

    def numbers(self) -> dict[str, float]:
        """Numbers that the learner's function knows by name, such as lr, and the sizes of arrays, such as len(X)."""
        numbers: dict[str, float] = {}
        for _, known in self.functions():
            for name, value in known.items():
                if isinstance(value, int | float | np.number) and not isinstance(value, bool):
                    numbers.setdefault(name, float(value))
                elif isinstance(value, np.ndarray) and name not in self.at:
                    numbers |= {f"{name}.shape[{axis}]": float(size) for axis, size in enumerate(value.shape)}
        return numbers

    def _by_name(self, gradients: Any) -> dict[str, Any]:
        """The gradient of each parameter, as far as there is one. Raises ValueError if there is none."""
        names = [*self.at]
        several = gradients if isinstance(gradients, tuple) else (gradients,)
        if mappings := [each for each in several if isinstance(each, Mapping)]:
            known = {str(key): value for each in mappings for key, value in each.items()}
            ways = {name: [key for spelling in SPELLED if (key := spelling.format(name)) in known] for name in names}
            if any(ways.values()):
                return {name: known[keys[0]] for name, keys in ways.items() if keys}
            got = ", ".join(known) or "none"
            raise ValueError(f"no gradient of {', '.join(names)}: call it d{names[0]} or {names[0]}; got {got}")
        if isinstance(gradients, tuple) and len(gradients) == 1:
            (gradients,) = gradients
        if len(names) == 1 and isinstance(gradients, np.ndarray | float | int):
            gradients = [gradients]
        if isinstance(gradients, list | tuple) and len(gradients) == len(names):
            return dict(zip(names, gradients, strict=True))
        wanted = f"a dictionary, such as {{'d{names[0]}': d{names[0]}}}"
        if gradients is None or several == ():
            raise ValueError(f"give the gradients as {wanted}, or let the loss return (loss, gradients)")
        got = f"{len(gradients)}" if isinstance(gradients, list | tuple) else a_kind(gradients)
        raise ValueError(f"the gradients are {wanted}, or a list of {len(names)}; got {got}")

    def _called(self, function: Any, form: str, values: Mapping[str, Array], what: str = "loss") -> Any:
        self.calls += 1
        self._progress()
        copies = {name: value.copy() if value.ndim else value[()] for name, value in values.items()}
        try:
            with redirect_stdout(StringIO()), np.errstate(all="ignore"):
                if form == BY_NAME:
                    return function(**copies)
                return function(*copies.values()) if form == IN_ORDER else function(copies)
        except STOPS as error:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in values.items())
            words, _ = in_plain_words(error)
            sentence = f"your {what} stopped with {type(error).__name__}: {words}. It was given {shapes}"
            frames = [each for each in extract_tb(error.__traceback__)[1:] if not each.filename.startswith(LIBRARIES)]
            for frame in frames[-1:]:
                sentence += (
                    f". It stopped in line {frame.lineno}, in `{frame.name}`{f': `{frame.line}`' * bool(frame.line)}"
                )
            raise ValueError(sentence) from error

    def _tried(self, **moved: Array) -> float:
        try:
            return self(**moved)
        except ValueError:  # as math.log stops where a number has moved below 0
            return np.nan

    def _form(self, function: Any, read: Callable[[Any], Any], what: str = "loss") -> tuple[str, Any]:
        """How a function is to be called, and what it then returns."""
        refusals: list[ValueError] = []
        for form in self._forms(function, what):
            try:
                result = self._called(function, form, self.at, what)
                read(result)
                return form, result
            except ValueError as refusal:
                refusals.append(refusal)
        raise refusals[0 if _takes_a_dictionary(refusals[-1].__cause__, self.at) else -1]

    def _forms(self, function: Any, what: str) -> list[str]:
        """How a function may be called, as the names of its arguments tell; the likeliest first."""
        try:
            takes = signature(function).parameters.values()
        except (TypeError, ValueError):
            return [AS_IT_IS, IN_ORDER]
        kinds, every, names = {each.kind for each in takes}, [each.name for each in takes], {*self.at}
        needed = [each.name for each in takes if each.default is each.empty and "VAR" not in each.kind.name]
        if {*needed} <= names and every and (names <= {*every} or Parameter.VAR_KEYWORD in kinds):
            return [BY_NAME]
        if len(needed) == 1:
            return [AS_IT_IS, IN_ORDER][: 1 + (len(names) == 1)]
        if len(needed) == len(names) or (Parameter.VAR_POSITIONAL in kinds and len(needed) <= len(names)):
            return [IN_ORDER]
        asks = f"asks for {', '.join(needed or every)}" if needed or every else "takes no arguments"
        raise ValueError(
            f"your {what} {asks}, and the parameters are {', '.join(self.at)}: give a function of these alone, such as "
            f"`lambda p: {what}(X, y, p)`"
        )

    def _rough(self) -> tuple[float, bool]:
        """How far the loss is from a smooth line: third differences of points so near that any curve is straight; and
        whether it is computed in float32."""
        rng, found = np.random.default_rng(0), [FLOAT64 * abs(self.value)]
        moves = {name: rng.uniform(-1, 1, value.shape) * self.unit(name) for name, value in self.at.items()}
        values = [self.value]
        for spacing in SPACINGS:
            steps = spacing * np.arange(PROBES)
            line = [self._tried(**{name: self.at[name] + t * move for name, move in moves.items()}) for t in steps]
            found.append(4 * float(np.median(np.abs(np.diff(line, 3)))))
            values += line
        in_float32 = all(float(np.float32(value)) == value for value in values) and len({*values}) > 1
        found += [ROUNDINGS * FLOAT32 * abs(self.value)] * in_float32
        return float(np.nanmax(found)), in_float32

    def _progress(self) -> None:
        if self.expected and time.monotonic() > self._next:
            self._next, self._is_told = time.monotonic() + 1, True
            sys.stderr.write(f"\rdiagnose: {self.calls:,} of about {self.expected:,} calls to your loss")

    def finished(self) -> None:
        """The line of progress ends, if there is one."""
        if self._is_told:
            seconds = time.monotonic() - self._start
            sys.stderr.write(f"\rdiagnose: {self.calls:,} calls to your loss, in {seconds:.0f} s\n")


def _takes_a_dictionary(error: BaseException | None, names: Iterable[str]) -> bool:
    """Whether a function that was handed an array asked it for a parameter by name, and so takes the dictionary."""
    if isinstance(error, AttributeError):
        return str(error.name) in (*names, *dir({}))
    return isinstance(error, IndexError) and "only integers" in str(error)


def _array(name: Any, value: Any) -> Array:
    """A parameter as float64. Raises ValueError, naming it, if it holds no finite real numbers."""
    if isinstance(value, list | tuple) and any(isinstance(each, np.ndarray) for each in value):
        raise ValueError(f"{name} is a list of arrays: give each its own name, such as {name}1 and {name}2")
    if isinstance(value, Mapping):
        raise ValueError(f"{name} is a dictionary: give each array in it a name of its own, such as {name}_W")
    try:
        array = np.asarray(value)
    except Exception as error:
        raise ValueError(f"{name} {NO_NUMBERS}; reading it stops with {reason(error)}") from None
    if array.dtype.kind not in NUMBERS or array.dtype.kind == "c" or not array.size:
        raise ValueError(f"{name} {NO_NUMBERS}; got {'an empty one' if not array.size else array.dtype}")
    floats = array.astype(float)
    if not np.isfinite(floats).all():
        raise ValueError(f"{name} has {floats[~np.isfinite(floats)][0]} in it")
    return floats


def _read(result: Any) -> tuple[float, Any]:
    """The loss in what a function returned, and what else there is. Raises ValueError if it is not one number."""
    more = result[1:] if isinstance(result, tuple) and result else None
    first = result[0] if more is not None else result
    if first is None:
        raise ValueError("your loss returns nothing: put `return` in front of it")
    try:
        number = np.asarray(first)
        float(number.reshape(-1)[0])
    except Exception:
        number = np.asarray("")
    if number.size != 1 or number.dtype.kind not in NUMBERS + "b" or np.iscomplexobj(number):
        got = f"an array of shape {number.shape}" if number.ndim else a_kind(first)
        raise ValueError(f"your loss must return one number, or (number, gradients); it returns {got}")
    return float(number.reshape(())), more
