"""What is said of a learner's lines, in their own names, and where else a mistake may be."""

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from textwrap import dedent

import numpy as np

from backprop_lab.homework.backward_pass import Pass
from backprop_lab.homework.found import Found
from backprop_lab.homework.names import A_DIFFERENCE, COUNTS
from backprop_lab.homework.statements import Statement
from backprop_lab.nn.forms import parsed
from backprop_lab.step.number_format import listed, plain

A_PLAIN_DIFFERENCE = re.compile(r"\w+ = [^()]* - \w+")
WHOLE_COLUMNS = re.compile(r"(\w+)\[:, ([a-z]\w*)\] ([-+]= \S+)")


def typed(text: str, statements: Sequence[Statement]) -> list[str]:
    """Each statement as its line of the text has it, with its spaces and parentheses, where it stands there alone."""
    lines, shown = dedent(text).strip("\n").splitlines(), [each.text for each in statements]
    for at, each in enumerate(statements):
        line = lines[each.line - 1].partition("#")[0].strip()
        with suppress(SyntaxError):
            shown[at] = line if ast.unparse(ast.parse(line)) == each.text else each.text
    return shown


def read_in(lines: Sequence[int], best: Pass) -> tuple[set[str], str]:
    """The names that statements read, also by way of values of the learner's own, and all their text."""
    judged = {each.name for each in best.found}
    read, texts = set[str](), [best.statements[at].text for at in lines]
    waiting = {name for at in lines for name in best.statements[at].reads}
    while waiting:
        read |= waiting
        own = [each for each in best.statements[: lines[-1]] if each.name in waiting - judged]
        texts += [each.text for each in own]
        waiting = {name for each in own for name in each.reads} - read
    return read, "\n".join(texts)


def parts_of(found: Found, best: Pass) -> str:
    """Where else the mistake may be: in values and functions of the learner's own that a line is made of.

    Of the values it is those that nobody judges, and of the functions those that no right line calls. Where one of them
    is changed in whole columns, that is it.
    """
    if columns := whole_columns(found, best):
        return f"; {columns}"
    reads = _not_judged(found, best) - {found.name}
    lines = {each.name: each.line for each in best.statements[: found.lines[-1]] if each.name in reads}
    known, has = best.known[0], best.names[0].has
    own = [name for name in lines if isinstance(known.get(name), np.ndarray) and known[name].ndim and not has(name)]
    right = {at for each in best.found if each.ok for at in each.lines}
    right |= {at for at, each in enumerate(best.statements) if each.name in best.learnt}
    trusted = {each for at in right for each in _calls(best.statements[at])}
    called = (each for at in found.lines for each in _calls(best.statements[at]) - trusted)
    calls = {name: line for line, name in sorted((line, name) for name, line, _ in called)}
    lines |= calls
    own += calls
    return f"; or the mistake is in {listed([f'{name} of line {lines[name]}' for name in own])}" if own else ""


def whole_columns(found: Found, best: Pass) -> str:
    """That a value that nobody judges, and a line is made of, is changed in whole columns, as in `p[:, y] -= 1`."""
    reads = _not_judged(found, best)
    for each in best.statements[: found.lines[-1] + 1]:
        if each.name in reads and (columns := WHOLE_COLUMNS.fullmatch(each.text)):
            name, labels, change = columns.groups()
            said = f"line {each.line}, `{each.text}`, changes whole columns, and not one number of each sample"
            return f"{said}: write `{name}[np.arange(len({labels})), {labels}] {change}`"
    return ""


def _not_judged(found: Found, best: Pass) -> set[str]:
    """The name of a value, and those that its lines read of which no line is judged by itself."""
    return read_in(found.lines, best)[0] - {each.name for each in best.found} | {found.name}


def _calls(statement: Statement) -> set[tuple[str, int, str]]:
    """The functions of the text that a line calls, with which of the values that they return it takes."""
    return {(*call, statement.text.rpartition(")")[2]) for call in statement.calls}


def in_their_words(sentence: str, found: Found, best: Pass) -> str:
    """A sentence with the learner's own names in it; where they have columns for rows, it says so of lines."""
    names, theirs, written = best.names[0], {}, {each.name for each in best.statements}
    for name in sorted(best.used, reverse=True):
        if isinstance(best.known[0].get(name), int | float) and np.ndim(names.trace.get(names.of(name), 0)):
            continue  # `h = 6` is how many there are
        is_updated = name not in names.problem.parameters or name in written
        theirs[(is_updated and names.is_sure(name) and names.gradient(name)) or names.of(name)] = name
        theirs.setdefault(names.of(name), name)
    theirs |= {each.of: each.name for each in best.found}
    for no_name in ("", "step"):  # which is a word as well
        theirs.pop(no_name, None)
    said = {*re.findall(r"\w+", sentence)} - {*theirs}  # `W2 = W2 - lr * dW2`: two values have that name
    of_one = Counter(theirs[of] for of in {*re.findall(r"\w+", sentence)} & {*theirs})
    theirs = {of: name for of, name in theirs.items() if name not in said and of_one[name] < 2}
    sentence = re.sub(r"[A-Za-z_]\w*", lambda word: theirs.get(word[0], word[0]), sentence)
    if names.layout.is_across(names.trace, found.of):
        other = {"row": "column", "column": "row", "Row": "Column", "Column": "Row"}
        sentence = re.sub(r"\b(row|column)(?=s?\b)", lambda word: other[word[0]], sentence, flags=re.IGNORECASE)
        sentence = re.sub(r"\[(\d+), (\d+)\]", r"[\2, \1]", sentence)
    sentence = _in_their_numbers(sentence, found, best)
    code = {*re.findall(r"\w+", " ".join(re.findall(r"`[^`]*\W[^`]*`", sentence)))}  # of a name alone there is no note
    scaled = {each.name: each.factor for each in best.found if each.of in theirs and each.name in code and each.ok}
    notes = ["as written with samples as rows"] * bool(code and (names.layout.columns or names.layout.rows_of_outputs))
    notes += [f"where {name} stands for {_divided(name, by)}" for name, by in scaled.items() if by not in (None, 1.0)]
    return sentence + f" ({', '.join(notes)})" * bool(notes)


def _in_their_numbers(sentence: str, found: Found, best: Pass) -> str:
    """A sentence about numbers of the package, as the learner's lines have them: times a factor, or in a flat array."""

    def times_it(number: re.Match[str]) -> str:
        values = [found.entering * names.trace[found.of] for names in best.names]
        those = np.concatenate([*map(np.ravel, values if "should" in number[1] else found.values)])
        off = abs(those - found.entering * float(number[2].replace("−", "-")))
        return number[1] + plain(those[np.nanargmin(off)])  # with all its digits

    if found.entering != 1 and found.values:
        sentence = re.sub(r"((?:should be|yours is|are the same,) )(−?\d(?:\S*\d)?)", times_it, sentence)
    if found.values and np.ndim(found.values[0]) == 1:
        sentence = re.sub(r"\[(?:0, )?(\d+)(?:, 0)?\]", r"[\1]", sentence)
        sentence = re.sub(r"\b(?:Row|Column)(s? \d)", r"Number\1", sentence)
        sentence = re.sub(r"\b(?:row|column)(s? \d)", r"number\1", sentence)
    return sentence


def _divided(name: str, by: float) -> str:
    """A value divided by a number, as people write it."""
    if by == -1:
        return f"-{name}"
    return f"{name} / {plain(by)}" if abs(by) > 1 else f"{plain(1 / by)} * {name}"


def numbers_in(found: Found, best: Pass) -> dict[str, float]:
    """The number of samples, and what the right line works out to a single number, as in `dS / np.sqrt(len(K))`."""
    count = next((name for name in sorted(best.used) if name.lower() in COUNTS), "the number of samples")
    trace, numbers = best.names[0].trace, {count: float(best.names[0].samples)}
    line = parsed(trace.step(found.of).code)
    for part in (each for each in ast.walk(line) if each is not line and isinstance(each, ast.Call | ast.BinOp)):
        with suppress(NameError):  # of a part that is worked out in a loop of its own
            value = np.asarray(trace.evaluate(code := ast.unparse(part)))
            numbers |= {in_their_words(code, found, best): float(value)} if value.shape == () else {}
    return numbers


def wrong_count(found: Found, best: Pass) -> str:
    """The name under which the learner counts the samples wrongly, where that is what is mistaken; or ""."""
    there, read = best.names[0].samples, {name for each in best.statements for name in each.reads}
    for name in (each for each in sorted(best.raw) if each.lower() in COUNTS and each in read):
        own = np.asarray(best.raw[name][0])
        if own.shape == () and own and any(np.isclose(found.mistaken, part) for part in (there / own, own / there)):
            return name
    return ""


def own_number(found: Found, best: Pass, numbers: Mapping[str, float]) -> str:
    """That a number of the learner's own is another than the problem's, where that is what is mistaken.

    It is how many samples there are, or one that they divide by, such as what a dropout keeps; `numbers` are those in
    the right line.
    """
    if count := wrong_count(found, best):
        return f": {count} is {plain(float(best.raw[count][0]))}, and there are {best.names[0].samples} samples"
    read, text = read_in(found.lines, best)
    for name in sorted(read):
        own = best.known[0].get(name, best.names[0].own.get(name))
        divides = re.search(rf"/=? (\(1(?:\.0)? - )?{name}\b(?! \*\*)", text)
        if isinstance(own, int | float) and divides:
            by = 1 - own if divides[1] else own
            for right in numbers.values() if by else ():
                if np.isclose(found.mistaken, right / by):
                    return f": {name} is {plain(own)}, and should be {plain(1 - right if divides[1] else right)}"
    return ""


def line_of_a_count(found: Found, best: Pass) -> int | None:
    """The statement that counts the samples wrongly, where that is what is mistaken, and the lines do not use it."""
    count = wrong_count(found, best) if found.mistaken != 1 else ""
    if not count or any(count in best.statements[at].reads for at in found.lines):
        return None
    return next(at for at, each in enumerate(best.statements) if each.name == count)


def only_a_difference(found: Found, best: Pass) -> str:
    """That a plain difference is right as one, if a factor is all that is missing."""
    may_be_one = A_DIFFERENCE.fullmatch(found.name) or not best.names[0].may_be_a_gradient(found.name)
    is_plain = may_be_one and A_PLAIN_DIFFERENCE.fullmatch(best.statements[found.lines[-1]].text)
    said = ": as a difference it is right, but the factor that the loss brings is missing, here or in what uses it"
    return said if is_plain and found.mistaken > 0 else ""


def another_rate(found: Found, best: Pass) -> str:
    """That a step has a number of its own where the learning rate is meant, if that is all that is wrong with it."""
    names, text = best.names[0], best.statements[found.lines[-1]].text
    if names.trace.role(found.of) != "new" or not isinstance(found.values[0], np.ndarray):
        return ""
    old, new, lr = names.right(names.trace.owner(found.of)), names.right(found.of), float(names.trace["lr"])
    if np.array_equal(old, new) or np.array_equal(old, found.values[0]):  # a step of nothing, at any rate
        return ""
    for rate in map(float, re.findall(r"(?<![\w.\[])\d+\.?\d*(?:e-?\d+)?", text)):
        if np.shape(found.values[0]) == new.shape and np.allclose(
            found.values[0] - old, rate / lr * (new - old), 1e-6, 0
        ):
            return f"your step is that of a rate of {plain(rate)}, and here lr is {plain(lr)}"
    return ""


def flat_in(found: Found, best: Pass, shape: tuple[int, ...]) -> str:
    """That a line makes a table of a column and of what has lost an axis, as in a sum without keepdims."""
    if found.values and np.shape(found.values[0]) != 2 * shape[:1]:
        return ""
    for name in sorted(read_in(found.lines, best)[0]):
        own = np.shape(best.raw[name][0]) if name in best.raw else ()
        if shape == (*own, 1) and own != (1,):
            made = next(each.text for each in best.statements[found.lines[-1] :: -1] if each.name == name)
            mend = "its sum needs keepdims=True" if re.search(r"\b(sum|mean)\(", made) else f"{name}[:, None] is one"
            return f"{name} is flat, {own}, and a column, {shape}, is meant: {mend}"
    return ""
