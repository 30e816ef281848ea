"""The text of a program, parted into its lines, "name = expression" each."""

import ast
import re
import textwrap
import warnings
from collections.abc import Iterable
from copy import deepcopy
from typing import Any, NamedTuple
from unicodedata import normalize

from backprop_lab.deriving.nodes import RefusedError
from backprop_lab.deriving.refusals import ALONE, EARLY, PART, PICKED, SYNTAX
from backprop_lab.nn.lines import NAMESPACE, RESERVED

JOINING = {
    "multiply": ast.Mult(), "add": ast.Add(), "subtract": ast.Sub(), "divide": ast.Div(), "true_divide": ast.Div(),
    "power": ast.Pow(), "logical_and": ast.BitAnd(), "logical_or": ast.BitOr(),
}  # fmt: skip
ROUNDABOUT = re.compile(rf"\b({'|'.join(JOINING)}|negative|logical_not|transpose|range)\(")
TYPED_MINUS = re.compile(r"#[^\r\n]*|\N{MINUS SIGN}")  # copied from a page; a comment stays as it is
ROW = "\r\n|\r|\n"  # what Python parts lines at
MOST_LINES, LONGEST_LINE, DEEPEST = 400, 1000, 100


class Line(NamedTuple):
    """A line as it was handed in: its name, its expression, the text of that, its number, and its comment.

    Of `m, n = X.shape`, which are two lines, `axes` is 2. `typed` is what stood there where the text is another one.
    """

    name: str
    tree: ast.expr
    text: str
    number: int
    comment: str = ""
    axes: int = 0
    typed: str = ""

    def rewritten(self, name: str, tree: ast.expr) -> "Line":
        """A line with another name and another expression, whose numbers are written as they are in this one."""
        text = ast.unparse(_Bracketed().visit(deepcopy(tree)))
        for number in re.findall(r"(?<![\w.])[\d.]+e[+-]?\d+", self.text):
            text = re.sub(rf"(?<![\w.]){re.escape(repr(float(number)))}", number, text)
        return self._replace(name=name, tree=tree, text=text)

    def error(self, sentence: object) -> ValueError:
        return ValueError(f"line {self.number}, `{self.name} = {self.typed or self.text}`: {sentence}")


class _Bracketed(ast.NodeTransformer):
    """A product cell by cell in parentheses before a matrix product, as `r * h @ U` looks as if `h @ U` came first."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.BinOp(ast.BinOp(op=ast.Mult() | ast.Div()) as cells, ast.MatMult()) if not _has_number(cells):
                node.left = ast.Call(ast.Name("", ast.Load()), [cells], [])  # which is written as parentheses alone
        return node


def _has_number(product: ast.BinOp) -> bool:
    return any(isinstance(each, ast.Constant) for each in (product.left, product.right))


def source_of(text: str | Iterable[str]) -> str:
    """A text, or several beneath each other, as Python reads it. Raises ValueError for what is none."""
    given = [text] if isinstance(text, str) else [*text] if isinstance(text, Iterable) else [None]
    if not given or not all(isinstance(each, str) for each in given):
        raise ValueError(f'lines are a text, such as "H = np.tanh(X @ W)\\nL = np.sum((H - y)**2)"; got {text!r}')
    text = textwrap.dedent("\n".join(map(str, given)))
    return TYPED_MINUS.sub(lambda found: "-" if found[0] == "\N{MINUS SIGN}" else found[0], text)


def statements_of(text: str) -> list[ast.stmt]:
    """Those of a text, without what Python warns of. Raises SyntaxError, ValueError and more for what is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text).body


def code_of(tree: ast.expr) -> str:
    """An expression as a person writes it."""
    code = ast.unparse(_Bracketed().visit(deepcopy(tree))).replace(" ** ", "**")
    return re.sub(r"(?<=\de-)0(?=\d)", "", code)


def lines_in(text: str | Iterable[str]) -> list[Line]:
    """The lines of a text, "name = expression" each. Raises ValueError, with the line, for anything else."""
    text = source_of(text)
    rows = re.split(ROW, text)
    if len(rows) > MOST_LINES or any(len(row) > LONGEST_LINE for row in rows):
        raise ValueError(f"a program has at most {MOST_LINES} lines of at most {LONGEST_LINE} characters")
    try:
        body = statements_of(text)
    except SyntaxError as error:
        at = min(error.lineno or 1, len(rows)) - 1
        raise ValueError(f"line {at + 1}, `{rows[at].strip()}`, is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("the lines are not Python") from None
    found: dict[str, Line] = {}
    for statement in body:
        row = Line("", ast.Constant(0), rows[statement.lineno - 1].strip(), statement.lineno)
        behind = rows[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset or 0 :].decode()
        comment = behind.partition("#")[2].strip()
        try:
            assigned, axes = _assigned(statement)
            for name, tree in assigned:
                check_name(name)
                if name in found:
                    raise RefusedError(
                        f"{name} is line {found[name].number} already: give this value a name of its own"
                    )
                segment = ast.get_source_segment(text, tree) or "\n"
                is_as_read = "\n" not in segment and normalize("NFKC", segment) == segment  # as Python reads names
                code = segment if is_as_read else ast.unparse(tree)
                line = Line(name, tree, code, statement.lineno, comment, axes)
                plainer = Plainer()
                if ROUNDABOUT.search(code):
                    tree = plainer.visit(tree)
                found[name] = line.rewritten(name, tree)._replace(typed=code) if plainer.changed else line
        except RefusedError as refused:
            raise ValueError(f"line {row.number}, `{row.text}`: {refused}") from None
    if not found:
        raise ValueError('there are no lines: a program has at least one, such as "L = np.sum((X @ W - y)**2)"')
    return [*found.values()]


def _assigned(statement: ast.stmt) -> tuple[list[tuple[str, ast.expr]], int]:
    """Each name and its expression, and how many lengths were unpacked. Raises RefusedError for other statements."""
    if not isinstance(statement, ast.Assign):
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Subscript):
            raise RefusedError(PICKED)
        shown = ast.unparse(statement)[:6] if isinstance(statement, ast.Expr | ast.Assert) else ""
        mend = "leave it out: " if shown in ("print(", "assert") or shown[:1] in ("'", '"') else ""
        otherwise = f'{mend}a line is "name = expression", and gives one value'
        raise RefusedError(SYNTAX.get(type(statement).__name__, otherwise))
    target, value, axes = statement.targets[0], statement.value, 0
    if isinstance(target, ast.Attribute) and target.attr not in ("T", "mT", "shape"):
        raise RefusedError(ALONE.format(ast.unparse(target), target.attr))
    if isinstance(target, ast.Subscript | ast.Attribute):
        raise RefusedError(PART)
    pairs = [(target, value)]
    if isinstance(target, ast.Tuple):
        if isinstance(value, ast.Attribute) and value.attr == "shape":
            axes = len(target.elts)
            of = [ast.Subscript(value, ast.Constant(k), ast.Load()) for k in range(axes)]
            pairs = [pair for pair in zip(target.elts, of, strict=True) if ast.unparse(pair[0]) != "_"]
        elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
            pairs = [*zip(target.elts, value.elts, strict=True)]
    names = [each.id for each, _ in pairs if isinstance(each, ast.Name)]
    used = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)} if len(pairs) > 1 else set()
    if len(names) < len(pairs) or len(statement.targets) > 1 or used & {*names}:
        such_as = ", such as A = X[:, 0:3]" if "split(" in ast.unparse(value) else ""
        raise RefusedError(f"unpacking, or two names: write a line for each name{such_as}")
    level: list[ast.AST] = [value]
    for _ in range(DEEPEST):
        if early := [kind for node in level if (kind := type(node).__name__) in EARLY]:
            raise RefusedError(SYNTAX[early[0]])
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise RefusedError(f"it is nested more than {DEEPEST} deep: give parts of it lines of their own")
    return [(name, tree) for name, (_, tree) in zip(names, pairs, strict=True)], axes


class Plainer(ast.NodeTransformer):
    """Writes np.multiply(A, B) as A * B, and range(n) as np.arange(n). Says whether it has `changed` anything."""

    def __init__(self) -> None:
        self.changed = False

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        plainer: ast.expr = node
        match node:
            case ast.Call(ast.Attribute(ast.Name("np"), name), [A, B], []) if name in JOINING:
                plainer = ast.BinOp(A, JOINING[name], B)
            case ast.Call(ast.Attribute(ast.Name("np"), "negative" | "logical_not" as name), [A], []):
                plainer = ast.UnaryOp(ast.USub() if name == "negative" else ast.Invert(), A)
            case ast.Call(ast.Attribute(ast.Name("np"), "transpose"), [A], []) | ast.Call(
                ast.Attribute(A, "transpose"), [], []
            ):
                plainer = ast.Attribute(A, "T", ast.Load())
            case ast.Call(ast.Name("range"), [n], []):
                plainer = ast.Call(ast.Attribute(ast.Name("np", ast.Load()), "arange", ast.Load()), [n], [])
        self.changed |= plainer is not node
        return plainer


def check_name(name: object) -> None:
    """Raise RefusedError for what cannot be the name of a value."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise RefusedError(f"{name!r} cannot be the name of a value: a name is letters and digits, such as W1")
    if name in RESERVED or name in NAMESPACE:
        raise RefusedError(f"{name} means something else in Python: give the value another name")
    if (read := normalize("NFKC", name)) != name:
        raise RefusedError(f"{name} is read as {read} in a line: give the value that name")
