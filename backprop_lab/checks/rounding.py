"""How much rounding there can be in a value: the sum of the sizes of all terms that were added on the way to it.

Two people who add the same terms in another order get numbers that differ by a few roundings of the terms, not of the
sum: where large terms cancel, the sum is small and the difference stays. So each number is carried along with its
*terms*: what it would be if nothing cancelled. A sum adds the terms of what it adds, a difference adds them too, a
square squares them, a product multiplies those of each factor by the size of the other, and any other function scales
them by its slope there, found by moving its input a little. The lines of a trace are run as they are, over pairs of a
value and its terms, so this holds for any layer and loss.
Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, 2002, sections 1.5 and 3.1.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from numbers import Number, Rational
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from backprop_lab.nn.arrays import FLOATS, WHOLE
from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import NAMESPACE, compiled, evaluate
from backprop_lab.nn.running import in_order, needed
from backprop_lab.nn.steps import Step
from backprop_lab.step.trace import Trace, found_once

FLOAT64 = float(np.finfo(float).eps)
FLOAT32 = float(np.finfo(np.float32).eps)
ROUNDED = FLOATS + "O"  # kinds of dtype that may be
ROUNDINGS = 8  # of all its terms are allowed for in a value
NUDGE = 1e-6  # how far an input is moved to find a slope, in units of max(1, |input|)

_ADDITIVE = {np.add, np.subtract, np.negative, np.positive, np.absolute, np.conjugate}
_LINEAR = {  # functions that only move, choose and add what they are given
    np.sum, np.mean, np.where, np.einsum, np.dot, np.outer, np.inner, np.tensordot, np.trace, np.diagonal, np.cumsum,
    np.concatenate, np.stack, np.vstack, np.hstack, np.column_stack, np.reshape, np.ravel, np.transpose, np.squeeze,
    np.expand_dims, np.swapaxes, np.moveaxis, np.broadcast_to, np.tile, np.repeat, np.atleast_2d, np.copy,
}  # fmt: skip
_LIKE_A_SUM = {np.max: np.max, np.min: np.max, np.prod: np.prod}  # and what they do to terms


class Run:
    """How a line is run over terms: whether somebody may have multiplied out its squares, and what went its own way.

    (a - b)**2 may be added up as a**2 - 2 * a * b + b**2, but nobody writes a and b out in it as they were computed.
    `eps` is the size of a rounding, of which a product of two has the square in it.
    """

    has_escapes = False  # whether something took plain numbers alone

    def __init__(self, eps: float = FLOAT32, multiplied_out: bool = False) -> None:
        self.eps, self.multiplied_out = eps, multiplied_out


class Terms(NDArrayOperatorsMixin):
    """An array with the terms of each of its entries; arithmetic and NumPy's functions carry both along.

    What cannot carry them, such as a function of `math`, gets the plain numbers, and the `run` notes it.
    """

    def __init__(self, value: Any, terms: Any = None, run: Run | None = None) -> None:
        self.value = np.asarray(value)
        if self.value.dtype.char in "ef":  # float16 and float32 are too coarse for the slope of a function
            self.value = self.value.astype(np.float64)  # pragma: no mutate  None is float64
        self.is_given = terms is None  # nothing has cancelled on the way to it  # pragma: no mutate  only quicker
        self.terms = np.abs(self.value) if terms is None else np.asarray(terms)
        self.run = run or Run()

    def __array__(self, *_: Any, **__: Any) -> Array:
        self.run.has_escapes = True
        return self.value.copy()

    def __float__(self) -> float:
        self.run.has_escapes = True
        return float(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: Any) -> "Terms":
        return Terms(self.value[index], self.terms[index], self.run)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # or NumPy would find the numbers without asking `__array__` for them
            raise AttributeError
        plain = getattr(self.value, name)
        if name in ("T", "mT", "real"):
            terms = None if self.is_given else getattr(self.terms, name)  # pragma: no mutate  None is quicker later
            return Terms(plain, terms, self.run)
        if name == "reshape":
            return lambda *shape: Terms(plain(*shape), self.terms.reshape(*shape), self.run)
        if not callable(plain):
            return plain
        function = np.ravel if name == "flatten" else getattr(np, name, None)  # pragma: no mutate  or it is moved
        if function is None:
            self.run.has_escapes = True
            return plain
        return partial(function, self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        values = [_value(each) for each in inputs]
        result = getattr(ufunc, method)(*values, **options)
        if not isinstance(result, np.ndarray | np.generic) or result.dtype.kind not in ROUNDED:
            return result
        terms = [_size(each) for each in inputs]
        if method == "reduce" and ufunc in (np.add, np.maximum, np.multiply):
            return Terms(result, ufunc.reduce(terms[0], **options), self.run)
        if method != "__call__":
            self.run.has_escapes = True
            return result
        if ufunc in (np.multiply, np.matmul) and not all(isinstance(e, Terms) and not e.is_given for e in inputs):
            return Terms(result, ufunc(*terms, **options), self.run)
        return Terms(result, self._after(ufunc, values, terms, result, options), self.run)

    def _after(self, ufunc: Any, values: list[Any], terms: list[Any], result: Any, options: dict[str, Any]) -> Any:
        """The terms of what a ufunc gives."""
        if ufunc in _ADDITIVE:
            return sum(terms[1:], terms[0])
        is_square = ufunc is np.power and np.ndim(values[1]) == 0 and values[1] == 2
        if ufunc is np.square or is_square:
            x, size = np.abs(values[0]), terms[0]
            return size**2 if self.run.multiplied_out else x * (2 * size - x)
        if ufunc in (np.multiply, np.matmul):
            return _of_a_product(ufunc, self.run.eps, *map(np.abs, values), *terms, **options)
        if ufunc is np.true_divide:
            x, y = map(np.abs, values)
            by = np.where(np.isinf(y), 0.0, terms[1] / y / y)  # whatever is divided by infinity is 0
            return _of_a_product(np.multiply, self.run.eps, x, 1 / y, terms[0], by)
        found = np.abs(result)
        for at, (value, size) in enumerate(zip(values, terms, strict=True)):
            if np.asarray(value).dtype.kind in FLOATS:
                slope: Any = 0.0
                units = np.maximum(1, np.abs(value)), np.where(value == 0, 1, np.abs(value))  # pragma: no mutate  or so
                for unit in units:  # a large one, and one near 0, where log bends
                    for nudge in (NUDGE * unit, -NUDGE * unit):  # pragma: no mutate  or so
                        moved = ufunc(*values[:at], value + nudge, *values[at + 1 :], **options)  # pragma: no mutate
                        slope = np.fmax(slope, np.abs((moved - result) / nudge))
                found = found + slope * size
        return found

    def _of_the_chosen(self, function: Any, axis: Any = None, keepdims: bool = False) -> Array:
        """The terms of the largest, or smallest, number along an axis: of the cells that rounding may make it."""
        apart = np.abs(self.value - function(self.value, axis=axis, keepdims=True))
        chosen = ~(apart > ROUNDINGS * self.run.eps * self.terms)
        terms: Array = np.max(np.where(chosen, self.terms, 0), axis=axis, keepdims=keepdims)
        return terms

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        result = function(*_each(_value, args), **_each(_value, options))
        is_array = isinstance(result, np.ndarray | np.generic)
        if not is_array or result.dtype.kind not in ROUNDED:  # pragma: no mutate  or it is moved
            return result
        carry: Any = function if function in _LINEAR else _LIKE_A_SUM.get(function)
        if (
            function in (np.max, np.min)
            and args[0] is self
            and len(args) <= 2
            and not {*options} - {"axis", "keepdims"}
        ):
            return Terms(result, self._of_the_chosen(function, *args[1:], **options), self.run)
        if carry is None:
            self.run.has_escapes = True
            return result
        terms = _size if function is np.where else _terms  # pragma: no mutate  or an array with one number
        return Terms(result, carry(*_each(terms, args), **_each(terms, options)), self.run)


def _of_a_product(product: Any, eps: float, x: Any, y: Any, terms_x: Any, terms_y: Any, **options: Any) -> Any:
    """The terms of x * y or x @ y, of sizes: an error in one factor is multiplied by the other, and seldom both."""
    return product(terms_x, y, **options) + product(x + eps * (terms_x - x), terms_y - y, **options)


def _value(each: Any) -> Any:
    return each.value if isinstance(each, Terms) else each


def _size(each: Any) -> Any:
    """The terms of something, or its size."""
    if isinstance(each, Terms):
        return each.terms
    is_numbers = isinstance(each, np.ndarray | Number)
    size: Any = np.asarray(each if is_numbers else False)  # pragma: no mutate  True would do
    return np.abs(size) if size.dtype != bool else each


def _terms(each: Any) -> Any:
    """The same, but a whole number stays as it is: it may be an axis."""
    return each if isinstance(each, int) else _size(each)  # pragma: no mutate  or an array with one number


def _each(part: Any, given: Any) -> Any:
    """`part` of everything that is given, in lists and tuples too."""
    if isinstance(given, dict):
        return {name: _each(part, value) for name, value in given.items()}
    if isinstance(given, list | tuple):
        return type(given)(_each(part, value) for value in given)
    return part(given)


def terms_of(code: str, values: Mapping[str, Any]) -> Array:
    """The terms of what a line of NumPy gives over values, which may be Terms. Raises what NumPy raises."""
    return _as_written_out(code, values, _carried_on(code, values))


def _as_written_out(code: str, values: Mapping[str, Any], carried: Array, eps: float = FLOAT32) -> Array:
    """The terms that are carried on, or those of this line with its squares multiplied out, where they are larger."""
    if "**" not in code and "square" not in code:
        return carried
    plain = {name: Terms(value.value) if isinstance(value, Terms) else value for name, value in values.items()}
    return np.fmax(carried, _carried_on(code, plain, eps, multiplied_out=True))


def _carried_on(code: str, values: Mapping[str, Any], eps: float = FLOAT32, multiplied_out: bool = False) -> Array:
    """The same with its squares as they are, or multiplied out; the former is what comes of it in later lines."""
    run = Run(eps, multiplied_out)
    carried = {name: values[name] for name in dict.fromkeys(re.findall(r"\w+", code)) if name in values}
    for name, value in carried.items():
        if isinstance(value, Terms):
            terms = None if value.is_given else value.terms
            picks_places = value.value.dtype.kind in "biu"  # truth values and whole numbers are carried as they are
            carried[name] = value.value if picks_places else Terms(value.value, terms, run)
    with np.errstate(all="ignore"):
        try:
            result = eval(compiled(code), {**NAMESPACE, **carried})
        except Exception:  # something takes an array and nothing else
            result = None  # pragma: no mutate  nothing
        if not isinstance(result, Terms):
            return _terms_by_moving(code, carried)
        return np.fmax(result.terms, _terms_by_moving(code, carried)) if run.has_escapes else result.terms


def _terms_by_moving(code: str, values: Mapping[str, Any]) -> Array:
    """The same for a line that goes its own way: one input after the other is moved, up and down at random."""
    plain = {name: _value(value) for name, value in values.items()}
    right = np.asarray(evaluate(code, plain))
    found: Array = np.abs(right)
    if right.dtype == bool:  # it has no last digits
        return found
    rng = np.random.default_rng(0)
    for name in [name for name, value in values.items() if isinstance(value, Terms)]:
        off: Any = 0.0
        for _ in range(4):  # pragma: no mutate  or so
            nudge = rng.choice((-NUDGE, NUDGE), np.shape(plain[name])) * values[name].terms
            moved = plain | {name: plain[name] + nudge}  # pragma: no mutate  up or down
            with suppress(ArithmeticError, ValueError):  # as of math.sqrt, a little below 0
                off = np.fmax(off, np.abs(np.asarray(evaluate(code, moved)) - right))
        found = found + off / NUDGE
    return found


def eps_of(array: Array) -> float:
    """The relative size of one rounding in the numbers of this array: none in whole numbers and fractions."""
    if array.dtype.kind in FLOATS:
        return float(np.finfo(array.dtype).eps)
    is_whole = array.dtype.kind in WHOLE  # pragma: no mutate  quicker
    exact = is_whole or all(isinstance(number, Rational) for number in array.flat)
    return 0.0 if exact else FLOAT64


class _Found(Mapping[str, Terms]):
    """The values of a trace with their terms, each worked out when it is asked for, with what it is made of."""

    def __init__(self, trace: Trace, eps: float) -> None:
        self._steps = {step.name: step for step in trace.steps}
        self._uses = {name: step.operands for name, step in self._steps.items()}
        self._eps = eps
        self._found = {name: Terms(value) for name, value in trace.given.items()}
        self._carried = {**self._found}

    def __getitem__(self, name: str) -> Terms:
        if name not in self._found:
            missing = needed(self._uses, [name]) - {*self._found}
            for each in in_order({line: uses for line, uses in self._uses.items() if line in missing}):
                self._add(self._steps[each])
        return self._found[name]

    def _add(self, step: Step) -> None:
        carried = _carried_on(step.code, self._carried, self._eps)
        self._found[step.name] = Terms(step.value, _as_written_out(step.code, self._carried, carried, self._eps))
        self._carried[step.name] = Terms(step.value, carried)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._found, **self._steps})

    def __contains__(self, name: object) -> bool:
        return name in self._found or name in self._steps

    def __len__(self) -> int:
        return len({**self._found, **self._steps})


@found_once
def terms_in(trace: Trace, eps: float = FLOAT32) -> Mapping[str, Terms]:
    """Every value of a trace with the sum of the sizes of all its terms, to which its rounding is relative, by name.

    `eps` is the coarsest rounding that they are for: somebody may have computed the same in single precision.
    """
    return _Found(trace, eps)
