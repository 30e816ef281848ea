"""A learner's script without what is not judged: what the problem has already, what only shows, and what nobody uses.

Functions are judged where they stand, in the order in which they are called, and not again where they are called.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from backprop_lab.homework.names import A_GRADIENT, A_STATE, HELD_OUT, INPUTS, RATES, TARGETS, WEIGHTS
from backprop_lab.homework.spellings import A_PARAMETER, FROM_X, PARAMETERS, appends, bare
from backprop_lab.nn.forms import is_written

NOTES = r"[\w.]*(?:loss|cost|hist|err|acc)\w*"  # a list of what has come of each turn
SHOWS = re.compile(
    rf"(print|(plt|ax\w*|axs\[.+\]|fig|sns|logg\w+|pbar|tqdm)\.[\w.]+|plot\w*|(zs|{'|'.join(FROM_X)}|{NOTES})(\[.+\])?\.append)\("
)
COUNTS = re.compile(r"(?:self\.)?(t|step|it|iteration) (?:= \d+|\+= 1|= (?:self\.)?\1 \+ 1)")
DRAWS = re.compile(r"\b(np\.random|numpy\.random|rng|randn?)\b[.(]")
READS = re.compile(
    r"\b(pd\.|read_\w+\(|load\w*\(|fetch_\w+\(|train_test_split\(|make_(moons|circles|blobs|classification|regression)\()"
)
WRITTEN_DOWN = re.compile(r"\[|(np|numpy)\.(array|zeros|ones)\(")
BEGINS = re.compile(r"(self\.)?([Ww](eights?)?|b(ias)?|theta)\d* = (0|0\.0)")
TRAINS = re.compile(r"(self\.)?(train|training|mode == '(train|training)')")  # as a dropout or a batch norm asks
OF_TIME = {"epoch", "e", "i", "t", "it", "step", "iteration", "decay", "decay_rate", "epochs", "num_epochs", "n_epochs"}
PLACES = {"idx", "inds", "ids", "indices", "batch_mask", "perm", "permutation", "order", "shuffle", "batch"}
PLACES |= {"batch_idx", "batch_indices", "batch_ids"}
DATA = INPUTS | TARGETS | HELD_OUT


def is_given(node: ast.stmt) -> bool:
    """Whether a line reads, draws or writes down data, parameters or a rate, or counts steps: the problem has them."""
    if getattr(node, "is_own", False):
        return False
    text = ast.unparse(node)
    if DRAWS.search(text) or READS.search(text) or COUNTS.fullmatch(text) or BEGINS.fullmatch(text):
        return True
    match node:
        case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
            each = (ast.Assign([target], value) for target, value in zip(targets, values, strict=False))
            return all(is_given(ast.copy_location(one, node)) for one in each)
        case ast.Assign([ast.Subscript(holder, ast.Constant(str(name)))], value) if PARAMETERS.match(
            ast.unparse(holder)
        ):
            pass
        case ast.Assign([ast.Name(name) | ast.Attribute(ast.Name("self"), name)], value):
            pass
        case ast.AugAssign(ast.Name(name) | ast.Attribute(ast.Name("self"), name), ast.Mult() | ast.Div(), value):
            if name not in RATES:
                return False
        case _:
            return False
    if name in RATES and "-" not in ast.unparse(value)[:1]:  # whose sign is no schedule
        return {*loaded(value)} <= RATES | OF_TIME | {"np", f"{name}0", f"initial_{name}"}
    is_none = isinstance(value, ast.Constant) and value.value is None and not A_GRADIENT.fullmatch(name)
    is_cut = name.lower() in DATA and _is_cut_from_data(value)
    is_cut = is_cut or (name in PLACES and isinstance(value, ast.Subscript) and bare(value.value) in PLACES)
    is_held = A_PARAMETER.fullmatch(name) or name.lower() in DATA | WEIGHTS
    return is_none or is_cut or bool(is_held and WRITTEN_DOWN.match(ast.unparse(value)))


def _is_cut_from_data(value: ast.expr) -> bool:
    """`X[i:i + 32]`, `X[idx]` and `data["y"].values`: the data of the problem are those of one turn."""
    while isinstance(value, ast.Attribute | ast.Call):
        value = value.value if isinstance(value, ast.Attribute) else value.func
    match value:
        case ast.Subscript(of, ast.Slice() | ast.Tuple([ast.Slice(), ast.Slice()]) | ast.Constant(str())):
            return bare(of).lower() in DATA
        case ast.Subscript(of, ast.Name(name) | ast.Subscript(ast.Name(name), ast.Slice())):
            return name in PLACES and bare(of).lower() in DATA
        case ast.Name(name):
            return name == "data"
    return False


def loaded(part: ast.AST) -> Iterator[str]:
    """The names that a part reads, and attributes of self."""
    for each in ast.walk(part):
        if isinstance(each, ast.Name | ast.Attribute) and isinstance(each.ctx, ast.Load):
            yield each.id if isinstance(each, ast.Name) else each.attr


def stored(part: ast.AST) -> Iterator[str]:
    """The names that a part writes to, whole or in places, and what is in dictionaries."""
    for each in ast.walk(part):
        if is_written(each):
            if isinstance(each, ast.Subscript) and isinstance(getattr(each.slice, "value", None), str):
                yield each.slice.value  # type: ignore[attr-defined]
            while isinstance(each, ast.Subscript):
                each = each.value
            if isinstance(each, ast.Name | ast.Attribute):
                yield each.id if isinstance(each, ast.Name) else each.attr


def only_shows(statement: ast.stmt) -> bool:
    """Whether it prints, draws or notes something, or ends a loop, and changes nothing."""
    text = ast.unparse(statement)
    noted = isinstance(statement, ast.Assign) and "[" in text.partition(" =")[0] and is_note(text.partition("[")[0])
    is_end = isinstance(statement, ast.Assert | ast.Break | ast.Continue | ast.Raise)
    return is_end or noted or bool(SHOWS.match(text))


def begins_anew(node: ast.stmt) -> str:
    """The parameter, the memory or the count to which a line gives what it has at first, or ""."""
    text = ast.unparse(node)
    if COUNTS.fullmatch(text) and "+" not in text:
        return text.split()[0]
    match node:
        case ast.Assign([ast.Name(name) | ast.Attribute(ast.Name("self"), name)], value):
            is_parameter = re.fullmatch(r"[Wwb]\d*", name) and DRAWS.search(text)
            is_memory = A_STATE.fullmatch(name) and re.match(r"(np\.)?zeros|0(\.0)?$", ast.unparse(value))
            return name if is_parameter or is_memory else ""
    return ""


def writes_layers(node: ast.AST, last: int) -> bool:
    """Whether a function has names such as dW1, or with one layer dw: its lines are judged where they stand."""
    names = {*stored(node)}
    return any(map(re.compile(r"[A-Za-z_]+\d").match, names)) or (last == 1 and bool(names & {"dw", "db", "dW"}))


def is_note(name: str) -> bool:
    return bool(re.fullmatch(NOTES, name)) and not A_GRADIENT.fullmatch(name)


class Once(ast.NodeTransformer):
    """A text without the calls of functions whose lines are judged where they stand, or which call such.

    These stand in the order in which they are called. Where what one returns, or is given, is taken in another order
    there, that is a line: `dW2 = db2`.
    """

    def __init__(self, tree: ast.Module, last: int) -> None:
        self.functions = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        self.judged = {name for name, each in self.functions.items() if writes_layers(each, last)}
        self.judged |= {*filter(None, map(self._called_for_nothing, ast.walk(tree)))}
        for _ in self.functions:
            self.judged |= {name for name, each in self.functions.items() if any(map(self._called, ast.walk(each)))}
        self.reads = Counter(loaded(tree))
        for each in self.functions.values():  # what it is given is another value of that name
            own = {argument.arg for argument in each.args.args}
            self.reads.subtract(name for name in loaded(each) if name in own)
        lines = (ast.unparse(each) for each in ast.walk(tree) if isinstance(each, ast.Assign | ast.AugAssign))
        self.is_counted = any(each.endswith("1") and COUNTS.fullmatch(each) for each in lines)
        scopes = [[each for each in tree.body if not isinstance(each, ast.FunctionDef | ast.ClassDef)]]
        scopes += [each.body for each in self.functions.values()]
        calls = ([*dict.fromkeys(filter(None, map(self._called, _in_order(scope))))] for scope in scopes)
        self.order = max(calls, key=len)
        kept = [each for each in ast.walk(tree) if isinstance(each, ast.Assign) and isinstance(each.value, ast.Tuple)]
        times = Counter(bare(each.targets[0]) for each in kept)
        self.kept = {name: each.value for each in kept if times[name := bare(each.targets[0])] == 1}

    def _called_for_nothing(self, node: ast.AST) -> str:
        """The function of the text that is called by itself, and not handed one of several layers."""
        match node:
            case ast.Expr(ast.Call(ast.Name(name) | ast.Attribute(_, name), args)) if name in self.functions:
                parameters = [each.arg for each in self.functions[name].args.args if each.arg != "self"]
                pairs = zip(parameters, args, strict=False)
                is_plain = all(each.lower() in DATA | RATES or each == bare(given) for each, given in pairs)
                return name if is_plain else ""
        return ""

    def _called(self, node: ast.AST) -> str:
        """The function that is judged where it stands, and called here."""
        match node:
            case ast.Call(ast.Name(name) | ast.Attribute(_, name)) if name in self.judged:
                return name
        return ""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        places = [k for k, each in enumerate(node.body) if getattr(each, "name", "") in self.order]
        ordered = sorted((node.body[k] for k in places), key=lambda each: self.order.index(each.name))  # type: ignore[attr-defined]
        for place, each in zip(places, ordered, strict=True):
            node.body[place] = each
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self.visit_Module(node)  # type: ignore[arg-type]

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | list[ast.stmt] | None:
        match node:
            case ast.Assign([ast.Tuple(taken)], ast.Call() as call) if name := self._called(call):
                returns = (each.value for each in ast.walk(self.functions[name]) if isinstance(each, ast.Return))
                several = next((each for each in returns if isinstance(each, ast.Tuple)), None)
                return self._handed_over(node, call) + self._crossed(node, taken, several) or _passed(node)
            case ast.Assign([ast.Tuple(taken)], ast.Name() | ast.Attribute() as holder):
                return self._crossed(node, taken, self.kept.get(bare(holder))) or node
        if not self.is_counted and ast.unparse(node) in ("t = 0", "self.t = 0"):
            return ast.copy_location(ast.Assign(node.targets, ast.Constant(0.0)), node)  # as it stays
        if self._called(node.value):
            return self._handed_over(node, node.value) or _passed(node)
        return None if self._predicts(node.value) or only_shows(node) else node

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        return _passed(node) if self._predicts(node.value) else node

    def _predicts(self, value: ast.expr | None) -> bool:
        """Whether it is the class with the largest score of what a function of the text gives: no gradient needs it."""
        called = {bare(each.func) for each in ast.walk(value or ast.Pass()) if isinstance(each, ast.Call)}
        return not called.isdisjoint({"argmax", "np.argmax"}) and not called.isdisjoint(self.functions)

    def _returned_anew(self, name: str) -> str:
        """A parameter that a function is given, to which it gives another array, and that it returns."""
        nodes = [*ast.walk(self.functions[name])]
        given = {each.arg for each in nodes if isinstance(each, ast.arg)}
        anew = {bare(each.targets[0]) for each in nodes if isinstance(each, ast.Assign)}
        anew -= {bare(each.target) for each in nodes if isinstance(each, ast.AugAssign)}
        returned = (
            each for node in nodes if isinstance(node, ast.Return) and node.value for each in loaded(node.value)
        )
        return next((each for each in returned if each in given & anew and A_PARAMETER.fullmatch(each)), "")

    def _crossed(self, node: ast.stmt, taken: Sequence[ast.expr], given: ast.expr | None) -> list[ast.stmt]:
        """A line for each name that is taken for another of those that are given."""
        pairs = zip(taken, getattr(given, "elts", ()), strict=False)
        names = {*map(bare, taken)}
        crossed = [(one, other) for one, other in pairs if bare(one) != bare(other) and bare(other) in names]
        return [ast.copy_location(ast.Assign([one], other), node) for one, other in crossed]

    def _handed_over(self, node: ast.stmt, call: Any) -> list[ast.stmt]:
        """A line for each argument of a function that it is given another of its arguments for."""
        function = self.functions[self._called(call)]
        own = [ast.Name(each.arg, ast.Store()) for each in function.args.args]
        own = own[isinstance(call.func, ast.Attribute) :]
        by_name = [ast.Name(each.arg or "", ast.Store()) for each in call.keywords]
        values = [*call.args[: len(own)], *(each.value for each in call.keywords)]
        return self._crossed(node, [*own[: len(call.args)], *by_name], ast.Tuple(values))

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt] | None:
        if name := self._called(node.value):
            if kept := self._returned_anew(name):
                text = ast.unparse(node)
                raise ValueError(
                    f"line {node.lineno}, `{text}`, drops what {name} returns, so that {kept} stays as it is: "
                    f"write `{kept} = {text}`"
                )
            return self._handed_over(node, node.value) or _passed(node)
        is_kept = appends(node.value) or not only_shows(node)  # of a list that grows, each turn has another last entry
        return node if is_kept and not isinstance(node.value, ast.Name | ast.Attribute) else None

    def visit(self, node: ast.AST) -> Any:
        is_idle = isinstance(node, ast.Global | ast.Nonlocal | ast.Delete | ast.Assert)
        return None if is_idle else super().visit(node)

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt] | None:
        # as in `if y is None: return scores`
        asks = isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.Is)
        if self._does_nothing(node, node, asks):
            return None
        is_run = "__name__" in ast.unparse(node.test) or TRAINS.fullmatch(ast.unparse(node.test))
        self.generic_visit(node)
        return node.body if is_run else node

    def _does_nothing(self, statement: ast.stmt, within: ast.stmt, asks: bool) -> bool:
        match statement:
            case ast.Return(value):
                return asks or value is None
            case ast.Expr(value) if appends(value) and not asks:
                return False
            case ast.If(_, body, orelse):
                return all(self._does_nothing(each, within, asks) for each in (*body, *orelse))
            case ast.Assign() | ast.AugAssign() if {*stored(statement)} <= RATES or self.is_idle(statement, within):
                return True
        return only_shows(statement)

    def is_idle(self, node: ast.stmt, within: ast.stmt | None = None) -> bool:
        """Whether what it writes is no gradient and no parameter, and is read nowhere else."""
        written, inside = {*stored(node), *_filled(node)}, Counter(loaded(within or node))
        names = {*loaded(node)} if isinstance(node, ast.Expr) else written
        if any(kind.fullmatch(each) for each in names for kind in (A_GRADIENT, A_PARAMETER, PARAMETERS)):
            return False
        if isinstance(node, ast.FunctionDef):
            return True
        is_of_data = not {each.lower() for each in names}.isdisjoint(DATA | {"np", "numpy"})
        return bool(names) and not is_of_data and all(self.reads[each] == inside[each] for each in written)


def _filled(node: ast.AST) -> Iterator[str]:
    """The lists to which a part appends."""
    for each in ast.walk(node):
        match each:
            case ast.Call(ast.Attribute(holder, "append"), [_]):
                yield bare(holder)


def _in_order(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes in the order in which they stand."""
    for node in body:
        yield node
        yield from _in_order(ast.iter_child_nodes(node))


def _passed(node: ast.stmt) -> ast.stmt:
    return ast.copy_location(ast.Pass(), node)
