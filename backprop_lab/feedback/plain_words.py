"""What NumPy and Python say of code that they refuse, in the words of the course."""

import re
from difflib import get_close_matches

import numpy as np

from backprop_lab.feedback.answers import reason
from backprop_lab.nn.activations import ACTIVATIONS

PRODUCT_MISFITS = (  # of `@` and of np.dot
    re.compile(r"matmul: .*\(size (?P<rows>\d+) is different from (?P<columns>\d+)\)"),
    re.compile(r"not aligned: (?P<columns>\d+) \(dim 1\) != (?P<rows>\d+) \(dim 0\)"),
)
BROADCAST_MISFIT = re.compile(r"could not be broadcast together with shapes (\(.*?\)) (\(.*?\))")
OUTSIDE = re.compile(r"^index (-?\d+) is out of bounds for axis (\d) with size (\d+)")
WARNED = re.compile(r"(invalid value|divide by zero|overflow) encountered in (?:scalar )?(\w+)")
PLAIN_WORDS = {
    "does not have enough dimensions": "a product @ takes two matrices, "
    "and one of these is a single number or a function",
    "truth value of an array": "`max`, `if`, `and` and `or` take single numbers, and this is a whole array; "
    "np.maximum, np.where, or `*` with a mask such as `(X > 0)`, go cell by cell",
    "numpy boolean subtract": "True and False cannot be subtracted: take `1.0 *` one of them",
    "numpy boolean negative": "True and False have no minus in front: write `-1.0 *`",
    "bitwise_xor": "`^` is not a power in Python: a square is `** 2`",
    "object is not callable": "a number or an array followed by parentheses is called like a function: write `*` "
    "between them, and no parentheses after `.T`",
    "as a data type": "the second argument of .sum( ) is a data type: write keepdims=True with its name",
    "is out of bounds for array of dimension": "a matrix has the axes 0, down the columns, and 1, along the rows",
    "must be square": "only a square matrix has an inverse; what is asked for here is a transpose",
    "unexpected keyword argument 'keepdim'": "the word is keepdims",
    "list index out of range": "the list has fewer entries than that: they are counted from 0",
    "takes 1 positional argument but 2 were given": "it takes one thing: several arrays go in one pair of brackets",
    "takes from 2 to 3 positional arguments but 1": "it takes two things, such as an array and a number",
    "axes don't match array": "a transpose names each axis once, and this array has another number of axes",
    "cannot be interpreted as an integer": "an axis or a size is a whole number, without quotes",
    "only integer scalar arrays can be converted": "several arrays go in one pair of brackets: np.concatenate([a, b])",
    "with remapped shapes": "a letter of einsum has one length, and here it stands for two",
}
OF_TORCH = {  # and how NumPy writes it
    "t": "`.T`", "mm": "`@`", "bmm": "`@`", "mul": "`*`", "pow": "`**`", "clone": "`.copy()`", "dim": "`.ndim`",
    "unsqueeze": "`[:, None]`", "permute": "`.transpose`", "float": "`.astype(float)`", "masked_fill": "np.where",
    "cat": "np.concatenate", "tensor": "np.array", "norm": "np.linalg.norm", "inv": "np.linalg.inv",
    "rand": "np.random.rand", "randn": "np.random.randn",
}  # fmt: skip
NEAR = 0.74  # of difflib: meen is as near to mean, and clone, which is no conj, is not


def met(warning: str) -> str:
    """What a warning of NumPy says, in words."""
    if not (found := WARNED.search(warning)):
        return ""
    what, where = found.groups()
    if what == "overflow":
        return "a number is too large for its type" if where == "cast" else f"a number grew too large in {where}"
    if where.endswith("divide"):
        none = "a division has no result, as 0 / 0 has none"
        return "there was a division by 0" if what == "divide by zero" else none
    if what == "divide by zero":  # which NumPy says of whatever is infinite at a point, such as log1p at -1
        return f"{where} was given 0" if where.startswith("log") and where != "log1p" else f"{where} is infinite there"
    return f"{where} is not defined for a number that it was given"


def in_plain_words(error: BaseException, has_typed_sizes: bool = False) -> tuple[str, str]:
    """What an error says, in one line and without NumPy's terms where a beginner meets it often; and in short."""
    words = reason(error)
    if sizes := misfit(words):
        return (
            "in a product @, the first matrix needs as many columns as the second has rows, "
            f"but here these are {sizes[0]} and {sizes[1]}"
        ), ""
    if shapes := BROADCAST_MISFIT.search(words):
        one, other = (shape.replace(",", ", ").replace(", )", ",)") for shape in shapes.groups())
        return f"`*`, `+` and `-` go cell by cell, and {one} and {other} do not fit", ""
    if outside := OUTSIDE.search(words):
        index, axis, size = outside.groups()
        line = {"0": "row", "1": "column"}.get(axis, "place")
        there_are = f"is 1 {line}, number 0" if size == "1" else f"are {size} {line}s, counted from 0"
        none = f"there {there_are}, and none has the number {index}"
        if not has_typed_sizes:
            return f"{none}: the index that stands there counts something else", "an index"
        more = "Take sizes from the values themselves, as in `X.shape[0]` or `len(X)`: another problem has other sizes"
        return f"{none}. {more}", "a size"
    plain, part = next(((plain, part) for part, plain in PLAIN_WORDS.items() if part in words), (words, ""))
    called = re.match(r"(\w+)\(\) takes", words)
    return re.sub("^it takes", f"np.{called[1]} takes", plain) if called and hasattr(np, called[1]) else plain, part


def misfit(words: str) -> tuple[str, str] | None:
    """The columns of the first and the rows of the second matrix in a product that NumPy refuses."""
    sizes = next(filter(None, (each.search(words) for each in PRODUCT_MISFITS)), None)
    return (sizes["columns"], sizes["rows"]) if sizes else None


def another_name(error: BaseException) -> str:
    """What of NumPy, or of an array, was meant by an attribute that it has not; "" if nothing is near."""
    if not isinstance(error, AttributeError) or str(error.name).lower() in map(str.lower, ACTIVATIONS):
        return ""  # NumPy has an activation under no name
    is_array, name = isinstance(error.obj, np.ndarray), str(error.name)
    if not is_array and error.obj is not np:
        return ""
    if name in OF_TORCH or hasattr(np, name):
        return OF_TORCH.get(name, f"np.{name}")
    there = [each for each in dir(error.obj) if not each.startswith("_")]
    near = [each for each in there if each.lower() == name.lower()] or get_close_matches(name, there, 1, NEAR)
    return f"{'' if is_array else 'np'}.{near[0]}" if near else ""
