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
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from numbers import Number, Rational
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from backprop_lab.nn.layers import FLOATS, WHOLE, Array
from backprop_lab.nn.lines import NAMESPACE, compiled, evaluate
from backprop_lab.step.trace import Trace

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


class Terms(NDArrayOperatorsMixin):
    """An array with the terms of each of its entries; arithmetic and NumPy's functions carry both along.

    What cannot carry them, such as a function of `math`, gets the plain numbers, and `escaped` is told.
    """

    def __init__(self, value: Any, terms: Any = None, escaped: Callable[[], Any] = bool) -> None:
        self.value = np.asarray(value)
        if self.value.dtype in (np.float16, np.float32):  # too coarse for the slope of a function
            self.value = np.asarray(value, float)
        self.terms = np.abs(self.value) if terms is None else np.asarray(terms)
        self.escaped = escaped

    def __array__(self, *_: Any, **__: Any) -> Array:
        self.escaped()
        return self.value.copy()

    def __float__(self) -> float:
        self.escaped()
        return float(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: Any) -> "Terms":
        return self._carried(self.value[index], self.terms[index])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # or NumPy would find the numbers without asking `__array__` for them
            raise AttributeError
        plain = getattr(self.value, name)
        if name in ("T", "mT", "real"):
            return self._carried(plain, getattr(self.terms, name))
        if name == "reshape":
            return lambda *shape: self._carried(plain(*shape), self.terms.reshape(*shape))
        if not callable(plain):
            return plain
        function = np.ravel if name == "flatten" else getattr(np, name, None)
        if function is None:
            self.escaped()
            return plain
        return partial(function, self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        values = [_value(each) for each in inputs]
        result = getattr(ufunc, method)(*values, **options)
        if not _is_rounded(result):
            return result
        terms = [_size(each) for each in inputs]
        if method == "reduce":
            added = ufunc.reduce(terms[0], **options) if ufunc in (np.add, np.maximum, np.multiply) else None
            return self._carried(result, added)
        if method != "__call__":
            return self._carried(result)
        if ufunc in (np.multiply, np.matmul) and not all(isinstance(each, Terms) for each in inputs):
            return self._carried(result, ufunc(*terms, **options))
        return self._carried(result, self._after(ufunc, values, terms, result, options))

    def _carried(self, result: Any, terms: Any = None) -> "Terms":
        """A result with its terms, or as an escape, where they are not known."""
        if terms is None:
            self.escaped()
        return Terms(result, terms, self.escaped)

    @staticmethod
    def _after(ufunc: Any, values: list[Any], terms: list[Any], result: Any, options: dict[str, Any]) -> Any:
        """The terms of what a ufunc gives."""
        if ufunc in _ADDITIVE:
            return sum(terms[1:], terms[0])
        if ufunc is np.square:
            return terms[0] ** 2
        if ufunc in (np.multiply, np.matmul):
            return _of_a_product(ufunc, *map(np.abs, values), *terms, **options)
        if ufunc is np.true_divide:
            x, y = map(np.abs, values)
            return _of_a_product(np.multiply, x, 1 / y, terms[0], terms[1] / y / y)
        if ufunc is np.power and np.ndim(values[1]) == 0 and values[1] in (1, 2, 3, 4):
            return terms[0] ** values[1]
        found = np.abs(result)
        for at, (value, size) in enumerate(zip(values, terms, strict=True)):
            if np.asarray(value).dtype.kind in FLOATS:
                slope: Any = 0.0
                # A large unit, and one near 0, where log bends.
                units = np.maximum(1, np.abs(value)), np.where(value == 0, 1, np.abs(value))  # pragma: no mutate  or so
                for nudge in (sign * NUDGE * unit for unit in units for sign in (1, -1)):  # pragma: no mutate  or so
                    moved = ufunc(*values[:at], value + nudge, *values[at + 1 :], **options)  # pragma: no mutate
                    slope = np.fmax(slope, np.abs((moved - result) / nudge))
                found = found + slope * size
        return found

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        result = function(*_each(_value, args), **_each(_value, options))
        if not _is_rounded(result):
            return result
        carry: Any = function if function in _LINEAR else _LIKE_A_SUM.get(function)
        if carry is None:
            self.escaped()
            return result
        terms = _size if function is np.where else _terms  # pragma: no mutate  or an array with one number
        return self._carried(result, carry(*_each(terms, args), **_each(terms, options)))


def _of_a_product(product: Any, x: Any, y: Any, terms_x: Any, terms_y: Any, **options: Any) -> Any:
    """The terms of x * y or x @ y, of sizes: an error in one factor is multiplied by the other, and seldom both."""
    return product(terms_x, y, **options) + product(x + FLOAT32 * (terms_x - x), terms_y - y, **options)


def _is_rounded(result: Any) -> bool:
    return isinstance(result, np.ndarray | np.generic) and result.dtype.kind in ROUNDED


def _value(each: Any) -> Any:
    return each.value if isinstance(each, Terms) else each


def _size(each: Any) -> Any:
    """The terms of something, or its size."""
    if isinstance(each, Terms):
        return each.terms
    is_numbers = isinstance(each, np.ndarray | Number)
    return np.abs(each) if is_numbers else each


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
    escapes: list[None] = []
    carried = {name: values[name] for name in dict.fromkeys(re.findall(r"\w+", code)) if name in values}
    for name, value in carried.items():
        if isinstance(value, Terms):
            carried[name] = Terms(value.value, value.terms, lambda: escapes.append(None))
    with np.errstate(all="ignore"):
        with suppress(Exception):  # of what takes an array and nothing else
            result = eval(compiled(code), {**NAMESPACE, **carried})
            if isinstance(result, Terms):
                return np.fmax(result.terms, _terms_by_moving(code, carried)) if escapes else result.terms
        return _terms_by_moving(code, carried)


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
    exact = array.dtype.kind in WHOLE or all(isinstance(number, Rational) for number in array.flat)
    return 0.0 if exact else FLOAT64


_FOUND: WeakKeyDictionary[Trace, dict[str, Terms]] = WeakKeyDictionary()


def terms_in(trace: Trace) -> dict[str, Terms]:
    """Every value of a trace with the sum of the sizes of all its terms, to which its rounding is relative, by name."""
    if trace in _FOUND:
        return _FOUND[trace]
    known = {name: Terms(value) for name, value in trace.given.items()}
    waiting = list(trace.steps)
    while waiting:
        later = []
        for step in waiting:
            if all(operand in known for operand in step.operands):
                known[step.name] = Terms(step.value, terms_of(step.code, known))
            else:  # a planted line may ask for a later value
                later.append(step)
        waiting = later
    _FOUND[trace] = known
    return known
