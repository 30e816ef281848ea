"""How a learner spells a name: `cache["A1"]`, `self.A1` and `A1` are one, and `weights[0]` is W1."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from backprop_lab.nn.forms import Swapped
from backprop_lab.nn.lines import tree_of

STATES = re.compile(r"[mvs]|\w*(vel|mom|hat|corr)\w*", re.IGNORECASE)  # a dictionary of what is remembered
FROM_X = ("activations", "acts")  # a list that begins with X, to which the others are appended
GROWING = {*FROM_X, "zs"}
A_LIST = re.compile(  # one entry for each layer; of activations, X comes first
    r"(?P<of>(?:(?:d|grads?|delta)?_?)[WwbZz])(?:s|eights|iases)|(?:nabla|grads?)_(?P<nabla>[Wwb])|(?P<delta>delta)s|"
    + "|".join(FROM_X)
)
A_SHORT_LIST = re.compile(r"(?:(?:d|delta)_?)?[WwbZza]|delta")  # those that are one only where a list is made
A_PARAMETER = re.compile(r"[Ww]\w{0,3}|b\w{0,2}|gamma\d*|beta\d*")
GRADIENTS = re.compile(r"(?:d|grads?|gradients|nabla)_?(?:[Ww]|b)?s?")  # lists that a backward pass fills
COPIES = re.compile(r"(copy\.)?deepcopy|copy\.copy")
NO_GRADIENT = "zeros|zeros_like|ones|lr|learning_rate|alpha|eta|rate"
PARAMETERS = re.compile(r"(self\.)?(p|params?|parameters|weights|theta|model|net|cache|new_\w+|updated\w*)")


def as_python(text: str) -> str:
    """The text as Python has it: without prompts, fences and magics, and with dE/dW called dW."""
    text = re.sub(r"^( *)(?:>>>|\.\.\.|In ?\[\d*\]:) ", r"\1", text.lstrip("\ufeff"), flags=re.MULTILINE)
    text = re.sub(r"^ *(?:```|[%!]).*$", "", text, flags=re.MULTILINE)
    text = text.replace("\N{MINUS SIGN}", "-").replace("\N{PARTIAL DIFFERENTIAL}", "d")
    return re.sub(r"^( *)d(?:[LlJEC]|[Ll]oss|[Cc]ost)\w* */ *(d\w+)(?= *[-+*/]?=)", r"\1\2", text, flags=re.MULTILINE)


def is_to_be_filled(value: ast.expr | None) -> bool:
    """Whether a list is empty, or has only None or zeros in it."""
    if isinstance(value, ast.ListComp):
        return bool(re.match(r"np\.(zeros|empty)", ast.unparse(value.elt)))
    listed = value.left if isinstance(value, ast.BinOp) else value
    return isinstance(listed, ast.List) and all(ast.unparse(each) == "None" for each in listed.elts)


def of_it(key: str, holder: str) -> str:
    """The name of what a dictionary holds: `grads["W1"]` is dW1, and `v["dW1"]` another than that."""
    holder = holder.removeprefix("self.")
    if STATES.fullmatch(holder) or re.fullmatch(r"d[A-Za-z]\d*", holder):
        return f"{holder}_{key}"
    return f"d{key}" if "grad" in holder.lower() and not key.startswith(("d", "grad")) else key


def name_gradients(tree: ast.Module) -> None:
    """Call `grads` what else holds gradients, such as `dparams`: what is put there is not made of the parameter."""
    holders = set()
    for each in ast.walk(tree):
        match each:
            case ast.Assign([ast.Subscript(holder, ast.Constant() as one)], value) | ast.AugAssign(
                ast.Subscript(holder, ast.Constant() as one), ast.Add(), value
            ):
                pairs: Sequence[tuple[ast.expr | None, ast.expr]] = [(one, value)]
            case ast.Assign([ast.Name() as holder], ast.Dict(keys, values)) | ast.Call(
                ast.Attribute(ast.Name() as holder, "update"), [ast.Dict(keys, values)]
            ):
                pairs = [*zip(keys, values, strict=True)]
            case _:
                continue
        name = ast.unparse(holder)
        if PARAMETERS.fullmatch(name) or STATES.fullmatch(name.removeprefix("self.")):
            continue
        for key, value in pairs:
            owner = str(getattr(key, "value", ""))
            if A_PARAMETER.fullmatch(owner) and not re.search(rf"(?<!\w)({owner}|{NO_GRADIENT})\b", ast.unparse(value)):
                holders.add(name)
    for each in ast.walk(tree):
        match each:
            case ast.Subscript(holder, ast.Constant(str())) if ast.unparse(holder) in holders:
                each.value = ast.Name("grads", ast.Load())
            case ast.Assign([ast.Name(name) as target], ast.Dict()) | ast.Call(
                ast.Attribute(ast.Name(name) as target, "update")
            ) if name in holders:
                target.id = "grads"


def bare(holder: ast.expr) -> str:
    return ast.unparse(holder).removeprefix("self.")


def places_in(node: ast.AST) -> dict[str, set[str]]:
    """Which places of each list are read or written, as code: `t` and `t - 1` of hs."""
    places = dict[str, set[str]]()
    for each in ast.walk(node):
        if isinstance(each, ast.Subscript):
            places.setdefault(bare(each.value), set()).add(ast.unparse(each.slice))
    return places


def entries_in(holder: ast.expr, last: int) -> int:
    """How many entries a list has that has one for each of the `last` layers, and X before them where it has that."""
    name = bare(holder)
    return last + (name in FROM_X) if last and A_LIST.fullmatch(name) else 0


def _lists_in(tree: ast.Module) -> dict[str, list[str] | None]:
    """The names in each list that is made of names, [] for one that is to be filled, None for one of other values."""
    found = dict[str, list[str] | None]()
    for each in ast.walk(tree):
        if isinstance(each, ast.Assign) and (is_to_be_filled(each.value) or isinstance(each.value, ast.List)):
            elements = getattr(each.value, "elts", [])
            listed = [one.id for one in elements if isinstance(one, ast.Name)]
            of_names = is_to_be_filled(each.value) or len(listed) == len(elements)
            found |= {bare(target): listed if of_names else None for target in each.targets}
            found |= {name: [] for target in each.targets if (name := bare(target)) in FROM_X and len(elements) == 1}
    for each in ast.walk(tree):
        match each:
            case ast.Attribute(holder, "append" | "insert") | ast.Subscript(holder, _, ast.Store()):
                if bare(holder) in found:
                    found[bare(holder)] = []
    return found


def _grown(tree: ast.Module) -> dict[int, int]:
    """The place of each `acts[-1]`, counted from the start, where the text itself appends to such a list.

    Of what an `if` appends, one way is counted.
    """
    found, size, nodes = dict[int, int](), dict[str, int](), [*_inner_first(tree)]
    grow = {bare(each.func.value) for each in nodes if appends(each)}  # type: ignore[attr-defined]
    for each in nodes:
        match each:
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
                pairs = zip(targets, values, strict=False)
                size |= {bare(one): len(value.elts) for one, value in pairs if isinstance(value, ast.List)}
            case ast.Assign([one], ast.List(elements)):
                size[bare(one)] = len(elements)
            case ast.Call(ast.Attribute(holder)) if appends(each) and bare(holder) in size:
                size[bare(holder)] += 1
            case ast.For() | ast.While():  # nobody knows how many turns it has
                size.clear()
            case ast.Subscript(holder, ast.UnaryOp(ast.USub(), ast.Constant(int(back)))) if bare(holder) in grow:
                if back <= (entries := size.get(bare(holder), 0)):
                    found[id(each)] = entries - back
    return found


def appends(node: ast.AST) -> bool:
    """Whether it appends to a list that has one value for each layer."""
    match node:
        case ast.Call(ast.Attribute(holder, "append"), [_]):
            return bare(holder) in GROWING
    return False


def _inner_first(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes in the order in which they are worked out."""
    parts = node.body if isinstance(node, ast.If) else ast.iter_child_nodes(node)
    for each in parts:
        yield from _inner_first(each)
    yield node


def in_layers(tree: ast.Module, last: int, given: Mapping[str, list[str]]) -> None:
    """`dWs[0]` as dW1, or `dWs[1]` where none has a 0; `dWs[-1]` is of the last layer; `activations[0]` is X.

    So is `dW[0]`, where dW is a list to be filled; and of `Ws = [W1, W2]`, `Ws[1]` is W2.
    """
    named, places = dict[int, ast.AST](), list[tuple[ast.Subscript, str, int]]()
    lists, grown = _lists_in(tree) | dict(given), _grown(tree)
    sizes = {len(each) for each in lists.values() if each}
    for each in ast.walk(tree):
        match each:
            case ast.BinOp(right=ast.Constant(int(size))) if is_to_be_filled(each):  # [None] * size
                sizes.add(size)
            case ast.Subscript(holder, ast.Constant(int(at)) | ast.UnaryOp(ast.USub(), ast.Constant(int(at)))):
                name, at = bare(holder), at if isinstance(each.slice, ast.Constant) else grown.get(id(each), -at)
                if -len(listed := lists.get(name) or []) <= at < len(listed):
                    named[id(each)] = ast.Name(listed[at], each.ctx)
                elif lists.get(name, []) is None:
                    continue
                elif found := A_LIST.fullmatch(name):
                    of = found["of"] or found["delta"] or (found["nabla"] and f"d{found['nabla']}") or "A"
                    places.append((each, of, at))
                elif name in lists and A_SHORT_LIST.fullmatch(name):
                    places.append((each, "A" if name == "a" else name, at))
    counted = {at for each, of, at in places if of != "A" and at >= 0 and id(each) not in grown}
    first = 1 if last in sizes or (last and last not in counted) else 1 - min(counted, default=1)
    for each, of, at in places:
        if first in (0, 1) and (at >= 0 or last):
            begins = 0 if of == "A" else 1 if id(each) in grown else first
            layer = at + begins if at >= 0 else last + 1 + at
            named[id(each)] = ast.Name("X" if of == "A" and not layer else f"{of}{layer}", each.ctx)
    Swapped(named).visit(tree)


class Collected(ast.NodeTransformer):
    """What is put into a list of gradients, last layer first, by its layer: `dWs.insert(0, H1.T @ delta)` gives dW2.

    So `grads.append((H1.T @ delta, delta.sum(0)))` gives dW2 and db2. A list that is never turned round is left alone
    where an entry of it is read: nobody knows which that is.
    """

    def __init__(self, tree: ast.Module, last: int) -> None:
        self.last, self.text, self.grown = last, ast.unparse(tree), Counter[str]()

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        match node.value:
            case ast.Call(ast.Attribute(holder, "append" | "insert"), [*_, value]):
                name, layer = bare(holder), self.last - self.grown[bare(holder)]
                values = value.elts if isinstance(value, ast.Tuple) else [value]
                letters = "Wb" if len(values) == 2 else name.rstrip("s")[-1:] if len(values) == 1 else ""
                is_turned = any(f"{name}{how}" in self.text for how in (".insert(0", ".reverse()", "[::-1]"))
                is_known = layer and {*letters} & {*"Wwb"} and (is_turned or f"{name}[" not in self.text)
                if GRADIENTS.fullmatch(name) and is_known:
                    self.grown[name] += 1
                    pairs = zip(letters, values, strict=True)
                    each = (ast.Assign([ast.Name(f"d{letter}{layer}", ast.Store())], one) for letter, one in pairs)
                    return [ast.copy_location(line, node) for line in each]
            case ast.Call(ast.Attribute(holder, "reverse"), []) if bare(holder) in self.grown:
                return ast.copy_location(ast.Pass(), node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        return node.value if bare(node.value) in self.grown and ast.unparse(node.slice) == "::-1" else node


def as_numpy(tree: ast.Module) -> None:
    """Call `np.dot` what `from numpy import dot` calls dot, and `x.copy()` what is `copy.deepcopy(x)`."""
    for each in ast.walk(tree):
        match each:
            case ast.Call(function, [copied], []) if COPIES.fullmatch(ast.unparse(function)):
                each.func, each.args = ast.Attribute(copied, "copy", ast.Load()), []
    imports = (each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom) and each.module == "numpy")
    known = {each.asname or each.name: f"np.{each.name}" for line in imports for each in line.names}
    read = (each for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load))
    called = {id(each): ast.copy_location(tree_of(known[each.id]), each) for each in read if each.id in known}
    Swapped(called).visit(tree)


class WithBraces(ast.NodeTransformer):
    """`dict(W2=dW2)` as `{"W2": dW2}`, and `g.update(W2=dW2)` as `g.update({"W2": dW2})`, which is no function here."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.has_update = any(isinstance(each, ast.FunctionDef) and each.name == "update" for each in ast.walk(node))
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if any(each.arg is None for each in node.keywords):  # dict(**others)
            return node
        pairs = ast.Dict([ast.Constant(each.arg) for each in node.keywords], [each.value for each in node.keywords])
        match node.func:
            case ast.Name("dict") if not node.args:
                return ast.fix_missing_locations(ast.copy_location(pairs, node))
            case ast.Attribute(_, "update") if node.keywords and not self.has_update:
                node.args, node.keywords = [*node.args, ast.copy_location(pairs, node)], []
        return ast.fix_missing_locations(node)


class Plain(ast.NodeTransformer):
    """`cache["A1"]`, `self.params["A1"]` and `self.A1` become A1; a gradient's own `grads["W1"]` becomes dW1."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            key = re.sub(r"\W+|^(?=\d)", "_", node.slice.value)  # any text may be one
            return ast.Name(of_it(key, ast.unparse(node.value)), node.ctx)
        self.generic_visit(node)
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        return ast.Name(node.target.id, ast.Load())

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return ast.Name(node.attr, node.ctx)
        self.generic_visit(node)
        return node
