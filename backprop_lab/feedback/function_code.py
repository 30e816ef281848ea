"""What a learner's function has in its code: the names that it asks for, and names, numbers and signs."""

import dis
import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from itertools import chain
from types import CodeType
from typing import Any

SIGNS_BY_NAME = {"add", "subtract", "multiply", "divide", "negative", "outer", "dot"}
NO_CODE = compile("...", "<no function>", "eval")  # has no names, numbers or signs


def code_of(function: Any) -> CodeType:
    """The compiled code of a function; NO_CODE if it is none of Python's."""
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else NO_CODE


def asked_for(function: Any) -> tuple[str, ...]:
    """The names that a function asks for."""
    code = code_of(function)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def shows(function: Any, line: str) -> bool:
    """Whether a function may have a line in it: each of its names and numbers at least as often."""
    return _words(compiled(line)) <= _words(code_of(function))


def is_written(function: Any, line: str) -> bool:
    """Whether a function has the names, numbers and signs of a line, each as often, and no others."""
    code, of_line = code_of(function), compiled(line)
    is_alike = _words(of_line) == _words(code) and _all_signs(of_line) == _all_signs(code)
    return is_alike and not _has_functions(code)


def reads_as(function: Any, line: str) -> bool:
    """Whether a function has the names and numbers of a line in its order, and no others."""
    return _in_order(code_of(function)) == _in_order(compiled(line))


def has_typed_numbers(function: Any) -> bool:
    """Whether there are whole numbers above 1 in a function, such as sizes."""
    return any(isinstance(each, int) and each > 1 for each in code_of(function).co_consts)


def values_in(line: str, names: Collection[str]) -> set[str]:
    """The names of values in a line, but for those of which it takes the length alone."""
    without_sizes = re.sub(r"len\(\w+\)|\b\w+\.(shape\[\d\]|size\b)", "", line)
    return {*re.findall(r"[^\W\d]\w*", without_sizes)} & {*names}


def leaves_out(function: Any, line: str, right: str) -> bool:
    """Whether a line only lacks something of the right one, and a function has that in it: nobody has left it out."""
    there, meant, left = _words(code_of(function)), _words(compiled(right)), _words(compiled(line))
    return left < meant and all(there[word] >= meant[word] for word in meant - left if word != "np")


def is_another(function: Any, line: str, right: str, names: Collection[str]) -> bool:
    """Whether a function has what a line lacks of the right one, or asks for none of what stands there instead."""
    asked = {*asked_for(function)}
    has_other_values = values_in(right, names) <= asked and not values_in(line, names) <= asked
    return has_other_values or leaves_out(function, line, right)


def may_have(function: Any, line: str, names: Collection[str]) -> bool:
    """Whether a function asks for all values that a line uses, if that can be told."""
    asked = {*asked_for(function)}
    return not asked or values_in(line, names) <= asked


@lru_cache(maxsize=4096)
def compiled(line: str) -> CodeType:
    return compile(line, "<a line>", "eval")


@lru_cache(maxsize=4096)
def _words(code: CodeType) -> Counter[Any]:
    """How often each name and number is loaded in compiled Python."""
    return Counter(_in_order(code))


def _in_order(code: CodeType) -> list[Any]:
    """The names and numbers that compiled Python loads; some versions load two names at once."""
    loaded = [each for each in dis.get_instructions(code) if each.opname.startswith("LOAD")]
    words = chain(*(each.argval if isinstance(each.argval, tuple) else (each.argval,) for each in loaded))
    return ["mT" if word == "T" else word for word in words]


def has_its_signs(function: Any, line: str, right: str = "0") -> bool:
    """Whether a function has each kind of sign that a line has, but those of the right one, as far as that is plain."""
    code = code_of(function)
    if code is NO_CODE or not SIGNS_BY_NAME.isdisjoint(code.co_names):
        return True
    of_line, of_right = (_signs(compiled(each)) for each in (line, right))
    return _has_functions(code) or of_line - of_right <= _signs(code)


def _has_functions(code: CodeType) -> bool:
    """Whether there are others in a function, whose names and signs are their own."""
    return any(isinstance(each, CodeType) for each in code.co_consts)


def _signs(code: CodeType) -> set[str]:
    return {*_all_signs(code)} - {"@", "**"}


def _all_signs(code: CodeType) -> Counter[str]:
    return Counter(each.argrepr.rstrip("=") for each in dis.get_instructions(code) if each.opname == "BINARY_OP")


def powers_divided(function: Any) -> list[int]:
    """The number below each `** 1 / 2` in a function, which is no root, but half of the power 1."""
    read = dis.get_instructions(code_of(function))
    each = [(x.argval, x.argrepr) for x in read if x.argrepr != "*"]
    return [
        part
        for (power, _), (_, raised), (part, _), (_, divided) in zip(each, each[1:], each[2:], each[3:], strict=False)
        if (power, raised, divided) == (1, "**", "/") and isinstance(part, int)  # 2 * d ** 1 / 2 is (2 * d ** 1) / 2
    ]
