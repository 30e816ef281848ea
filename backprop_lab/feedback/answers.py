"""An answer as an array of numbers, whatever it was handed in as, or the sentence that says why it cannot be read."""

from collections.abc import Mapping
from contextlib import suppress
from numbers import Number
from typing import Any

import numpy as np

from backprop_lab.nn.arrays import NUMBERS, cell, is_masked
from backprop_lab.nn.layers import Array
from backprop_lab.step.trace import Trace

READABLE, TEXT = "b" + NUMBERS, "US"  # kinds of dtype; True and False are read, too


class NoAnswerError(ValueError):
    """There is nothing to compare: why not, in a sentence, and the cell that is to blame, if one is.

    `otherwise` is what a function gives once it has what it did not ask for, or None.
    """

    def __init__(
        self, cause: tuple[str, ...], message: str, where: tuple[int, ...] | None = None, otherwise: Any = None
    ) -> None:
        super().__init__(message)
        self.cause, self.where, self.otherwise = cause, where, otherwise


class UnreadableError(NoAnswerError):
    """What was handed in cannot be read as numbers."""

    def __init__(self, message: str, where: tuple[int, ...] | None = None) -> None:
        super().__init__(("unreadable",), message, where)


def read(name: str, answer: Any) -> Array:
    """The answer for `name` as an array, of numbers or of objects. Raises NoAnswerError if it holds something else."""
    if answer is None or answer is ...:
        raise NoAnswerError(("blank",), f"Put your {name} in place of the blank.")
    if isinstance(answer, str | bytes):
        raise UnreadableError(f"Your {name} is text: write numbers, and names of arrays, without quotes.")
    if isinstance(answer, Mapping):
        kind = "trace" if isinstance(answer, Trace) else "dictionary"
        raise UnreadableError(f"Your {name} is a {kind}: take {name} out of it, by its key in square brackets.")
    if callable(answer):
        raise UnreadableError(f"Your {name} is a function, not what it returns: call it, with parentheses.")
    if is_masked(answer):
        raise UnreadableError(f"Your {name} has masked cells, which have no number: fill them first.")
    try:
        array = np.asarray(answer)
    except Exception as error:  # whatever a foreign object raises, a learner gets a sentence
        if isinstance(answer, tuple):
            said = f"Your {name} is {len(answer)} values separated by commas, and should be one array"
            raise UnreadableError(f"{said}: write decimals with a point, and `return` one value.") from None
        raise UnreadableError(_why_not(name, error)) from None
    if array.dtype.kind in READABLE:
        return array
    if array.dtype.kind in TEXT:
        raise UnreadableError(f"Your {name} has text in it: write numbers without quotes.")
    raise UnreadableError(f"Your {name} holds {array.dtype}, not numbers.")


def as_floats(array: Array, name: str = "") -> Array:
    """The same numbers as float64, or complex128 if they are complex, or objects that NumPy has no type for.

    Raises NoAnswerError, which says so of an answer for `name`, if one of these is not a number.
    """
    if array.dtype.kind != "O":
        return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)
    for where in np.ndindex(array.shape):
        item: object = array[where]
        if item is None or item is Ellipsis:
            raise NoAnswerError(("blank",), f"There is still a blank at {cell(name, where)}.", where)
        if isinstance(item, Number):
            continue
        if where == ():
            raise UnreadableError(f"Your {name} is {a_kind(item)}, not an array of numbers.")
        what = "text" if isinstance(item, str) else a_kind(item)
        raise UnreadableError(f"{cell(name, where)} is {what} in yours, not a number.", where)
    try:
        numbers: Array = array.astype(complex)
        return numbers if np.any(numbers.imag) else numbers.real
    except (OverflowError, TypeError, ValueError) as error:
        raise UnreadableError(_why_not(name, error)) from None


def a_kind(item: object) -> str:
    """What an object is: a list, an int."""
    kind = type(item).__name__
    return f"{'an' if kind[0] in 'aeiouAEIO' else 'a'} {kind}"


def shown(thing: object) -> str:
    """A thing as Python writes it, or what kind it is if it cannot say so itself."""
    try:
        return repr(thing)
    except Exception:
        return a_kind(thing)


def reason(error: BaseException) -> str:
    """The first line of what an error says, without its full stop; its type if it says nothing, or cannot say it."""
    with suppress(Exception):  # an error whose own text raises another
        if first := str(error).strip().split("\n")[0].rstrip("."):
            return first
    return type(error).__name__


def _why_not(name: str, error: Exception) -> str:
    why = reason(error)
    if "inhomogeneous" in why:
        return f"The rows of your {name} differ in length: every row of a matrix has the same number of entries."
    if "requires grad" in why:
        return f"Your {name} is a tensor that still records gradients: hand in {name}.detach()."
    return f"Your {name} cannot be read as numbers: {why}."
