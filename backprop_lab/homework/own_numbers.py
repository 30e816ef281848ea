"""What a learner's text draws or writes down that is no number of the problem: a mask of their own, and an alpha."""

import ast
import re

from backprop_lab.homework.scripts import DRAWS, loaded, stored
from backprop_lab.homework.spellings import A_PARAMETER, bare

A_MASK = re.compile(r"(?i)\w*(mask|drop|keep)\w*|[dm]_?\d*")
ON_THE_WAY_BACK = re.compile(r"d_?[A-Z]\w*|d[a-z]+\d+|grad\w*|delta\w*")  # and no mask, such as d1 or drop
NO_RATES = {"alpha", "eta", "rate"}  # for certain: alpha is also what a leaky ReLU and a momentum have


class WithGivenMasks(ast.NodeTransformer):
    """Puts the network's mask in the place of one that a text draws, as in `mask = (np.random.rand(5, 4) < p) / p`.

    What is done with it stays: the mask of a Dropout has truth values alone.
    """

    def __init__(self) -> None:
        self.name, self.drawn, self.masks = "", set[str](), 0

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        match node.targets:
            case [ast.Name(name) | ast.Attribute(attr=name)]:
                self.name = name
            case _:
                return node
        if DRAWS.search(ast.unparse(node.value)):
            self.drawn.add(self.name)
        node.value = self.visit(node.value)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        is_mask = self.name in self.drawn or A_MASK.fullmatch(self.name)
        is_drawn = DRAWS.search(ast.unparse(node)) or (is_mask and not self.drawn.isdisjoint(loaded(node)))
        return self._mask(node) if is_drawn and len(node.ops) == 1 else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_drawn = ast.unparse(node.func).endswith("random.binomial")
        return self._mask(node) if is_drawn else self.generic_visit(node)

    def _mask(self, node: ast.expr) -> ast.expr:
        if ON_THE_WAY_BACK.fullmatch(self.name):
            raise ValueError(
                f"line {node.lineno}, `{self.name} = ...`, draws a mask anew: a gradient goes back where the mask of "
                "the forward pass let numbers through, so use that mask here"
            )
        self.masks += 1
        number = re.search(r"\d+", self.name)
        name = self.name if A_MASK.fullmatch(self.name) else f"mask{number[0] if number else self.masks}"
        return ast.copy_location(ast.Name(name, ast.Load()), node)


def mark_own_numbers(tree: ast.Module) -> None:
    """Mark where alpha, eta or rate has a number that no update is made with, such as the slope of a leaky ReLU."""
    lines = [each for each in ast.walk(tree) if isinstance(each, ast.Assign | ast.AugAssign)]
    for name in NO_RATES & {*stored(tree)}:
        reads = [each for each in lines if name in loaded(each)]
        calls = (each for each in ast.walk(tree) if isinstance(each, ast.Call) and name in loaded(each))
        is_handed_over = any(not re.match(r"(np|numpy)\.", ast.unparse(each)) for each in calls)
        if reads and not any(map(_is_an_update, reads)) and not is_handed_over:
            for each in lines:
                each.is_own = getattr(each, "is_own", False) or name in stored(each)  # type: ignore[union-attr]


def _is_an_update(line: ast.Assign | ast.AugAssign) -> bool:
    """Whether something is taken off a value, or a parameter is written."""
    written = line.targets[0] if isinstance(line, ast.Assign) else line.target
    match line:
        case ast.AugAssign(op=ast.Sub() | ast.Add()):
            return True
        case ast.Assign(value=ast.BinOp(left, ast.Sub())) if not isinstance(left, ast.Constant):
            return True
    return bool(A_PARAMETER.fullmatch(bare(written)))
