"""Arrays of numbers that are kept: what may be one, and what is said of anything else."""

import sys
from contextlib import suppress
from numbers import Number
from typing import Any

import numpy as np

from backprop_lab.nn.lines import Array

MOST_AXES = 4  # of a value that a lab can show
FLOATS, WHOLE, NUMBERS = "fc", "iu", "iufcO"  # kinds of dtype; O is of objects, such as fractions


def as_readonly_array(name: str, value: Any, is_data: bool = False) -> Array:
    """A read-only copy of `value` as an array, whole numbers as floats, which don't wrap round where they grow large.

    Those that are data of a program may pick places: they stay as they are, and so do truth values.
    Raises ValueError, naming `name`, if it is not a full table of numbers.
    """
    if is_masked(value):
        raise ValueError(f"{name} must hold a number in every cell, but some are masked: fill them first")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a full table of numbers, but its rows differ in length") from None
    except (RuntimeError, TypeError) as error:  # as PyTorch raises it
        why = f"{name} is a tensor that still records gradients: hand in {name}.detach()"
        raise ValueError(
            why if "requires grad" in f"{error}" else f"{name} cannot be read as numbers: {error}"
        ) from None
    stays, of_objects = is_data and array.dtype.kind in "iub", array.dtype.kind == "O"
    if array.dtype.kind not in NUMBERS + "b" * stays or (
        of_objects and not all(isinstance(v, Number) for v in array.flat)
    ):
        raise ValueError(f"{name} must hold numbers, got {array.dtype}: {_no_numbers(name, value, array)}")
    if of_objects and any(isinstance(v, float) for v in array.flat) and all(map(_is_plain, array.flat)):
        array = array.astype(float)  # a column of True and False among floats  # pragma: no mutate  None is float
    kind = np.result_type(array, np.float32) if array.dtype.kind in WHOLE and not stays else array.dtype
    array = array.astype(kind)  # a copy, in the same memory layout: a sweep chooses one for speed
    array.setflags(write=False)
    return array


def as_numbers(name: str, value: Any) -> Array:
    """An array of numbers as it is; anything else, such as a list, as a read-only one. Raises ValueError likewise."""
    is_plain = type(value) is np.ndarray and value.dtype.kind in "fciub"
    return value if is_plain else as_readonly_array(name, value)


def is_masked(value: Any) -> bool:
    """Whether it is a masked array with a cell that is masked. Who has one has loaded `np.ma`, which takes long."""
    ma: Any = sys.modules.get("numpy.ma")
    return ma is not None and isinstance(value, ma.MaskedArray) and bool(ma.is_masked(value))


def _is_plain(number: Any) -> bool:
    return isinstance(number, float | int | np.bool | np.integer)


def _is_number(value: Any) -> bool:
    """Whether it is a number, or the text of one."""
    if not isinstance(value, str):
        return isinstance(value, Number)
    with suppress(ValueError):
        return bool(float(value) or True)
    return False


def _no_numbers(name: str, value: Any, array: Array) -> str:
    """What there is in place of numbers, and the line that makes numbers of it or leaves it out."""
    if array.dtype.kind in "OU" and array.ndim == 2 and array.size:
        wrong = np.array([[not _is_number(v) for v in row] for row in array])
        if not wrong.any():
            return f"its numbers are written as text. np.asarray({name}, float) turns them into numbers"
        row, column = first_true(wrong)
        names = getattr(value, "columns", None)  # of a DataFrame
        columns = list(range(array.shape[1])) if names is None else list(names)
        kept = [each for each, column_of in zip(columns, wrong.T, strict=True) if not column_of.any()]
        found = f"row {row} of column {columns[column]!r} has {array.tolist()[row][column]!r}"
        matrix = name if isinstance(value, np.ndarray) else f"np.array({name})"
        chosen = f"{matrix}[:, {kept}].astype(float)" if names is None else f"{name}[{kept}]"
        return f"{found}. {chosen} leaves such columns out." if kept else found
    if array.dtype.kind == "b":
        return f"{value!r}. np.asarray({name}, float) turns it into 0 and 1."
    if array.dtype.kind == "U" and array.ndim == 1 and array.size:
        return f"{value!r}. one_hot({name}) turns each name into a row of 0 and 1."
    return repr(value)


def first_true(wrong: Array) -> tuple[int, ...]:
    """The index of the first True, row by row."""
    return tuple(map(int, np.argwhere(wrong)[0]))


def cell(name: str, where: tuple[int, ...]) -> str:
    """The name of a cell: dW1[0, 2], or just L."""
    return f"{name}{list(where)}" if where else name


def can_be_kept(array: Any, before: Array) -> bool:
    """Whether an array that takes the place of another is of the same kind, and nobody can write to it."""
    return (
        isinstance(array, np.ndarray)
        and array.dtype is before.dtype
        and array.shape == before.shape
        and array.base is None
        and not array.flags.writeable
    )
