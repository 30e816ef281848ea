"""The text of a program, parted into its lines, "name = expression" each."""

import ast
import re
import textwrap
import warnings
from collections.abc import Iterable
from typing import NamedTuple
from unicodedata import normalize

from backprop_lab.deriving.nodes import RefusedError
from backprop_lab.deriving.refusals import EARLY, PART, SYNTAX
from backprop_lab.nn.lines import NAMESPACE, RESERVED

MOST_LINES, LONGEST_LINE, DEEPEST = 400, 1000, 100


class Line(NamedTuple):
    """A line as it was handed in: its name, its expression, the text of that, its number, and its comment."""

    name: str
    tree: ast.expr
    text: str
    number: int
    comment: str = ""

    def rewritten(self, name: str, tree: ast.expr) -> "Line":
        """A line with another name and another expression, whose numbers are written as they are in this one."""
        text = ast.unparse(tree)
        for number in re.findall(r"(?<![\w.])[\d.]+e[+-]?\d+", self.text):
            text = re.sub(rf"(?<![\w.]){re.escape(repr(float(number)))}", number, text)
        return Line(name, tree, text, self.number, self.comment)

    def error(self, sentence: object) -> ValueError:
        return ValueError(f"line {self.number}, `{self.name} = {self.text}`: {sentence}")


def lines_in(text: str | Iterable[str]) -> list[Line]:
    """The lines of a text, "name = expression" each. Raises ValueError, with the line, for anything else."""
    given = [text] if isinstance(text, str) else [*text] if isinstance(text, Iterable) else [None]
    if not given or not all(isinstance(each, str) for each in given):
        raise ValueError(f'lines are a text, such as "H = np.tanh(X @ W)\\nL = np.sum((H - y)**2)"; got {text!r}')
    text = textwrap.dedent("\n".join(map(str, given)))
    rows = re.split("\r\n|\r|\n", text)  # as Python does
    if len(rows) > MOST_LINES or any(len(row) > LONGEST_LINE for row in rows):
        raise ValueError(f"a program has at most {MOST_LINES} lines of at most {LONGEST_LINE} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
    except SyntaxError as error:
        at = min(error.lineno or 1, len(rows)) - 1
        raise ValueError(f"line {at + 1}, `{rows[at].strip()}`, is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("the lines are not Python") from None
    found: dict[str, Line] = {}
    for statement in body:
        row = Line("", ast.Constant(0), rows[statement.lineno - 1].strip(), statement.lineno)
        try:
            name, tree = _assigned(statement)
            if name in found:
                raise RefusedError(f"{name} is line {found[name].number} already: give this value a name of its own")
        except RefusedError as refused:
            raise ValueError(f"line {row.number}, `{row.text}`: {refused}") from None
        segment = ast.get_source_segment(text, tree) or "\n"
        is_as_read = "\n" not in segment and normalize("NFKC", segment) == segment  # as Python reads names
        code = segment if is_as_read else ast.unparse(tree)
        behind = rows[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset or 0 :].decode()
        comment = behind.partition("#")[2].strip()
        found[name] = Line(name, tree, code, statement.lineno, comment)
    if not found:
        raise ValueError('there are no lines: a program has at least one, such as "L = np.sum((X @ W - y)**2)"')
    return [*found.values()]


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr]:
    """The name and the expression of a line. Raises RefusedError for any other statement."""
    if not isinstance(statement, ast.Assign):
        raise RefusedError(SYNTAX.get(type(statement).__name__, 'a line is "name = expression", and gives one value'))
    target = statement.targets[0]
    if isinstance(target, ast.Subscript | ast.Attribute):
        raise RefusedError(PART)
    if not isinstance(target, ast.Name) or len(statement.targets) > 1:
        raise RefusedError("unpacking, or two names: write a line for each name")
    check_name(target.id)
    level: list[ast.AST] = [statement.value]
    for _ in range(DEEPEST):
        if early := [kind for node in level if (kind := type(node).__name__) in EARLY]:
            raise RefusedError(SYNTAX[early[0]])
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise RefusedError(f"it is nested more than {DEEPEST} deep: give parts of it lines of their own")
    return target.id, statement.value


def check_name(name: object) -> None:
    """Raise RefusedError for what cannot be the name of a value."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise RefusedError(f"{name!r} cannot be the name of a value: a name is letters and digits, such as W1")
    if name in RESERVED or name in NAMESPACE:
        raise RefusedError(f"{name} means something else in Python: give the value another name")
    if (read := normalize("NFKC", name)) != name:
        raise RefusedError(f"{name} is read as {read} in a line: give the value that name")
