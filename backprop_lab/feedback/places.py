"""What can be seen in where the numbers of a wrong answer stand: signs, zeros, rows and columns, a sample alone."""

import ast
from collections.abc import Iterator

import numpy as np

from backprop_lab.feedback.compared import Compared, Pattern, near
from backprop_lab.nn.forms import parsed
from backprop_lab.nn.layers import Array
from backprop_lab.step.number_format import listed, plain


def of_a_sample(seen: Compared) -> Iterator[Pattern]:
    """What a sum over the samples would be for one of them, or without one."""
    step, X = seen.trace.step(seen.name), seen.trace.problem.data.get("X")
    if X is None or X.ndim != 2:
        return
    samples = len(X)
    of_samples = [name for name in step.operands if np.shape(seen.trace[name])[:1] == (samples,)]
    if samples > 64 or not of_samples:
        return
    try:
        parts = [
            np.asarray(seen.trace.evaluate(step.code, **{name: seen.trace[name] * alone for name in of_samples}))
            for alone in np.eye(samples, dtype=bool)[:, :, None]
        ]
    except Exception:  # a line of your own may refuse such numbers
        return
    if any(part.shape != seen.right.shape for part in parts) or not np.allclose(sum(parts), seen.right):
        return
    shares = [(str(sample), part) for sample, part in enumerate(parts) if part.any()]  # of twins, nobody can tell which
    if alone := [sample for sample, part in shares if seen.same(part)]:
        yield Pattern("one sample", f"This is the part of sample {' or '.join(alone)} alone.")
    if samples > 2 and (missing := [sample for sample, part in shares if seen.same(seen.right - part)]):
        yield Pattern("a sample missing", f"Sample {' or '.join(missing)} is missing from it.")


def signs(seen: Compared) -> Iterator[Pattern]:
    """The right sizes with some signs the other way round."""
    answer, right = seen.answer, seen.right
    is_complex = np.iscomplexobj(answer) or np.iscomplexobj(right)
    if answer.size == 1 or is_complex or not seen.same(np.copysign(right, answer)):
        return
    flipped = ~seen.cells(right)
    if (answer >= 0).all():
        yield Pattern("no signs", "Every number has the right size, but none of yours is negative.")
    for axis, line in ((0, "column"), (1, "row")):
        if answer.ndim == 2 and answer.shape[axis] > 1:
            whole = (flipped | (right == 0)).all(axis=axis) & flipped.any(axis=axis)
            if whole.any() and not whole.all() and not np.moveaxis(flipped, 1 - axis, 0)[~whole].any():
                where = _numbered(line, np.flatnonzero(whole))
                yield Pattern(f"signs of a {line}", f"The signs are the other way round in {where}; all else is right.")
    is_are = "the signs are" if flipped.sum() > 1 else "the sign is"
    yield Pattern("signs", f"All sizes are right, and {is_are} the other way round at {_cells(flipped)}.")


def places(seen: Compared) -> Iterator[Pattern]:
    """The right numbers in other places."""
    answer, right = seen.answer, seen.right
    if answer.ndim != 2:
        return
    if seen.same(right.T):
        yield Pattern("transposed", f"This is {seen.name} transposed: rows and columns have changed places.")
    for axis, line in ((0, "row"), (1, "column")):
        yours, wanted = np.moveaxis(answer, axis, 0), np.moveaxis(right, axis, 0)
        each = near(yours[:, None], wanted[None], np.moveaxis(seen.allowed, axis, 0))
        is_line: Array = np.asarray(each.all(axis=2))  # [yours, wanted]
        if len(is_line) < 2 or not is_line.any(axis=1).all():
            continue
        moved, first = np.flatnonzero(~np.diag(is_line)), is_line.argmax(axis=1)
        if len(moved) == 2 and is_line[moved, moved[::-1]].all():
            yield Pattern(f"{line}s swapped", f"{line.capitalize()}s {moved[0]} and {moved[1]} are swapped.")
        elif len(moved) and len(set(first)) == len(first):
            yield Pattern(f"{line}s moved", f"The {line}s are right, but in another order.")
        elif len(moved) and len(set(first)) == 1:
            yield Pattern(f"{line} repeated", f"Each of your {line}s is {line} {first[0]} of what it should be.")


def sides(seen: Compared) -> Iterator[Pattern]:
    """Right on one side of a condition of the forward pass, such as that of a Huber loss, and wrong on the other."""
    agrees = seen.cells(seen.right)
    forward = (ast.walk(parsed(step.code)) for step in seen.trace.steps if step.role == "value")
    conditions = (ast.unparse(part) for line in forward for part in line if isinstance(part, ast.Compare))
    for condition in dict.fromkeys(conditions):
        try:
            holds = np.asarray(seen.trace.evaluate(condition))
        except NameError:  # as in a comprehension of your own
            continue
        if holds.shape == agrees.shape and holds.any() and not holds.all():
            for sides, words in ((holds, ("holds", "does not")), (~holds, ("does not hold", "does"))):
                if np.array_equal(agrees, sides):
                    said = f"The numbers are right where `{condition}` {words[0]}, and wrong where it {words[1]}."
                    yield Pattern("one side", said)


def zeros(seen: Compared) -> Iterator[Pattern]:
    """Right numbers, and others that became 0, or should have."""
    answer, right = seen.answer, seen.right
    agrees = seen.cells(right)
    if np.iscomplexobj(answer) or not (agrees & (right != 0)).any():
        return
    empty = ~agrees & (answer == 0)
    if empty.any() and (agrees | empty).all():
        for key, of in (("negative", right < 0), ("positive", right > 0)):
            if (empty == of & ~(agrees & (answer == 0))).all():
                yield Pattern(f"no {key}", f"The numbers that should be {key} are 0; all others are right.")
        yield Pattern("some zeros", f"All numbers are right except {_cells(empty)}: 0 in yours, and should not be.")
    filled = ~agrees & (right == 0)
    if filled.any() and (agrees | filled).all():
        yield Pattern("no zeros", f"All numbers are right except {_cells(filled)}: not 0 in yours, and should be.")


def lines(seen: Compared) -> Iterator[Pattern]:
    """All rows or columns the same, or right, or right times a number of their own."""
    answer, right = seen.answer, seen.right
    if answer.ndim != 2 or 1 in answer.shape:
        return
    for axis, line in ((1, "row"), (0, "column")):
        if np.ptp(answer, axis=1 - axis).max() == 0:
            yield Pattern(f"equal {line}s", f"All your {line}s are the same.")
        agrees = seen.cells(right)
        whole: Array = np.asarray(agrees.all(axis=axis) & right.any(axis=axis))
        if whole.any() and not np.moveaxis(agrees, 1 - axis, 0)[~whole].any():
            is_are = "is" if whole.sum() == 1 else "are"
            yield Pattern(f"right {line}s", f"Only {_numbered(line, np.flatnonzero(whole))} {is_are} right.")
        if (np.count_nonzero(right, axis=axis) < 2).any() or np.iscomplexobj(answer):
            continue
        factor = np.sum(right * answer, axis=axis, keepdims=True) / np.sum(right * right, axis=axis, keepdims=True)
        each = [plain(number) for number in factor.flat]
        if seen.is_times(factor) and np.all(factor) and len({*each}) > 1:
            words = f"Each {line} is what it should be, times a number of its own: {', '.join(each[:4])}"
            yield Pattern(f"a factor for each {line}", words + (", ...." if len(each) > 4 else "."))


def _cells(where: Array) -> str:
    """Cells in words: the only one, or how many and the first."""
    first, *others = np.argwhere(where).tolist()
    return f"{len(others) + 1} of them, the first at {first}" if others else f"{first}"


def _numbered(line: str, at: Array) -> str:
    return f"{line}{'s' * (len(at) > 1)} {listed([*map(str, at)])}"
