"""Loops of a learner's text as plain lines: those over what is written out as their turns, a training loop as one."""

import ast
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from itertools import chain
from typing import Any

from backprop_lab.homework.names import INPUTS, RATES, TARGETS
from backprop_lab.homework.scripts import COUNTS, begins_anew, is_given, loaded, stored
from backprop_lab.homework.spellings import (
    A_LIST,
    A_PARAMETER,
    FROM_X,
    PARAMETERS,
    bare,
    entries_in,
    is_to_be_filled,
    places_in,
)
from backprop_lab.homework.turns import Put
from backprop_lab.nn.lines import tree_of
from backprop_lab.step.number_format import listed

BY_RUNNING = "diagnose runs any code, given your loss as a function"
MOST_TURNS = 50
HALF_OF_ALL = re.compile(r"len\((self\.)?param\w*\) // 2")
FROM = re.compile(r"range\((0, |1, |)[^,]*\)")  # in a loop that counts by 1


class Unrolled(ast.NodeTransformer):
    """A loop over layers, or over what is written out, as its turns: `for l in range(L)`, `for p, g in [(W1, dW1)]`.

    Of a dictionary that the text does not make, the keys are the parameters whose gradients it names. One turn is taken
    of a training loop.
    """

    def __init__(self, tree: ast.Module, last: int, lists: Mapping[str, Sequence[str]], by_name: bool) -> None:
        """`last` is the number of layers, or 0: so many are `len(parameters) // 2`; `lists` have names in them.

        `by_name` says that di is the gradient of `i[t]` in each turn of a loop over time, as dh is that of `h[t]`.
        """
        self.last, self.by_name, self.known = last, by_name, dict[str, Sequence[ast.expr]]()
        self.known |= {holder: [ast.Name(each, ast.Load()) for each in names] for holder, names in lists.items()}
        self.counts = _counts_in(tree, last) if last else {}
        self.keys = dict[str, list[str]]()
        begun = {(ast.unparse(target), ast.unparse(value)) for target, value in _assigned(tree)}
        self.steps = {
            name: int(number) for name, number in begun if COUNTS.fullmatch(f"{name} = {number}") and number.isdigit()
        }
        for each in ast.walk(tree):
            match each:
                case ast.Assign([ast.Name() | ast.Attribute() as holder], ast.Dict(keys)):
                    self.keys[bare(holder)] = [str(getattr(key, "value", "")) for key in keys]
                case ast.Subscript(holder, ast.Constant(str(key)), ast.Store()):
                    self.keys.setdefault(bare(holder), []).append(key)
        named = [getattr(each, "id", getattr(each, "value", "")) for each in ast.walk(tree)]
        named += [f"d{key}" for holder, keys in self.keys.items() for key in keys if "grad" in holder or holder == "g"]
        gradients = (re.fullmatch(rf"d({A_PARAMETER.pattern})", name) for name in named if isinstance(name, str))
        self.parameters = [*dict.fromkeys(found[1] for found in gradients if found)]
        for holder, value in _assigned(tree):
            match value:
                case ast.List(elements) | ast.Tuple(elements):
                    are_places = all(isinstance(each, ast.Name | ast.Attribute | ast.Subscript) for each in elements)
                    if elements and are_places and not (bare(holder) in FROM_X and len(elements) == 1):
                        self.known[bare(holder)] = elements
                case ast.ListComp(_, [ast.comprehension(_, over)]) if is_to_be_filled(value):
                    of = bare(holder).rstrip("s")  # vs, the velocities
                    turns = [getattr(one, "value", one) for one in self._turns(over)]
                    names = (one if isinstance(one, str) else bare(one) for one in turns)
                    self.known[bare(holder)] = [ast.Name(f"{of}_{name}", ast.Load()) for name in names]

    def visit_Assign(self, node: ast.Assign) -> Any:
        """`params = [p - lr * g for ...]` is a loop that gives each of them its new value."""
        match node:
            case ast.Assign([holder], ast.DictComp(key, value, [ast.comprehension(target, over, [])])):
                into = ast.Subscript(holder, key, ast.Store())
            case ast.Assign([holder], ast.ListComp(value, [ast.comprehension(target, over, [])])):
                if isinstance(holder, ast.Tuple):
                    self.known[name := "_targets"] = holder.elts
                elif (name := bare(holder)) not in self.known or is_to_be_filled(node.value):
                    return node
                into = ast.Subscript(ast.Name(name, ast.Load()), ast.Name("_at", ast.Load()), ast.Store())
                target = ast.Tuple([ast.Name("_at", ast.Store()), target], ast.Store())
                over = ast.Call(ast.Name("enumerate", ast.Load()), [over], [])
            case _:
                return node
        loop = ast.copy_location(ast.For(target, over, [ast.Assign([into], value)], []), node)
        turns = self.visit_For(ast.fix_missing_locations(loop))
        return node if turns is loop else turns

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.For | ast.While | ast.FunctionDef | ast.Module):
            self._count_on(node.body)
        return super().visit(node)

    def _count_on(self, body: list[Any]) -> None:
        """Puts `t - 1` where a line uses a number of the step that began at 0, and is counted on only after it."""
        for at, line in enumerate(body):
            name, *_ = (text := ast.unparse(line)).split()
            if name in self.steps and COUNTS.fullmatch(text) and "+" in text:
                for other, each in enumerate(body):
                    off = self.steps[name] - 1 + (other > at)
                    if off and other != at and not is_given(each):
                        body[other] = Put({name: tree_of(f"{name} {'+-'[off < 0]} {abs(off)}")}, {}).visit(each)

    def visit_While(self, node: ast.While) -> Any:
        self.generic_visit(node)
        return node.body if _trains(node.body) else node

    def visit_For(self, node: ast.For) -> Any:
        is_inner = not any(isinstance(each, ast.For | ast.While) for line in node.body for each in ast.walk(line))
        self.generic_visit(node)
        if not node.body:
            return None
        if is_training := _trains(node.body):
            for line in node.body:
                if is_inner and (name := begins_anew(line)):
                    raise ValueError(
                        f"line {line.lineno}, `{ast.unparse(line)}`, is inside the loop, so that {name} starts again "
                        "in each turn: it belongs before the loop"
                    )
            node.body = [each for each in node.body if COUNTS.fullmatch(ast.unparse(each)) or not is_given(each)]
        body = ast.Module(node.body, [])
        if is_training:
            used = {*_names(node.target)} & {*_names(body)} - RATES  # of several rates, each run is alike
            used = {name for name in used if len(name) == 1 or name.lower() not in INPUTS | TARGETS}  # a mini-batch
            counts = FROM.match(ast.unparse(node.iter))
            if not used:
                return node.body
            if counts and not used & {*_names(body, _but_exponents)}:  # of Adam's beta1**t, where the first t is 1
                by = {name: tree_of(name if counts[1] == "1, " else f"{name} - 1") for name in used}
                return [Put(by, {}).visit(statement) for statement in node.body]
        turns = [dict(_pairs(node.target, turn)) for turn in self._turns(node.iter)]
        if is_training and not turns:
            at = next(each for each in node.body if used & {*_names(each)})
            text, names = ast.unparse(at).splitlines()[0], listed(sorted(used & {*_names(at)}))
            raise ValueError(
                f"line {at.lineno}, `{text}`, uses {names}: only one turn of a training loop is followed, so it must "
                f"not depend on {names}; {BY_RUNNING}"
            )
        if not turns or node.orelse or not all(_is_a_name(value) for turn in turns for value in turn.values()):
            return node
        first = turns[0]
        keys = {name: value.value for name, value in first.items() if isinstance(value, ast.Constant)}
        numbers = {name for name, key in keys.items() if isinstance(key, int)}
        counted, named = (_names(body, partial(_but_keys, lists=lists)) for lists in (self.known, None))
        if not numbers.isdisjoint(counted) or not (keys.keys() - numbers).isdisjoint(named):
            return node
        for line in node.body:
            counts = COUNTS.fullmatch(ast.unparse(line))
            if counts and counts[1] in chain(*map(loaded, node.body)):
                raise ValueError(
                    f"line {line.lineno}, `{counts[0]}`, is inside the loop, so that {counts[1]} grows in each turn: "
                    "steps are counted once for all parameters, so it belongs before the loop"
                )
        for each in ast.walk(body):
            match each:
                case ast.Assign([ast.Name(name)]) if name in first:
                    of = ast.unparse(first[name])
                    raise ValueError(
                        f"line {each.lineno}, `{ast.unparse(each)}`, makes a new array for {name}, and {of} stays as "
                        f"it is: `-=`, `+=` and the like change {of} itself"
                    )
        values = [self.counts | turn | self._of_this_step(node, turn) for turn in turns]
        return [each for turn in values for each in Put(turn, self.known).visit(deepcopy(body)).body]

    def _of_this_step(self, node: ast.For, turn: Mapping[str, ast.expr]) -> dict[str, ast.expr]:
        """What dh is in a turn that reads `hs[t]` and `hs[t - 1]`: the gradient of `hs[t]`, where it begins anew."""
        at, found = ast.unparse(node.target), dict[str, ast.expr]()
        for holder, places in places_in(node).items():
            name, here = f"d{holder.removesuffix('s')}", Put(turn, self.known).visit(tree_of(f"{holder}[{at}]"))
            first = next((line for line in node.body if name in (*loaded(line), *stored(line))), None)
            begins = isinstance(first, ast.Assign) and name not in {*loaded(first)}
            if begins and at in places and (self.by_name or places != {at}) and isinstance(here, ast.Name):
                found[name] = ast.Name(f"d{here.id}", ast.Load())
        return found

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if _has_text(node.slice):
            node.slice = Put(self.counts, {}).visit(node.slice)
        return node

    def _turns(self, over: ast.expr) -> Sequence[ast.expr]:
        match over:
            case ast.List(turns) | ast.Tuple(turns):
                return turns
            case ast.Name() | ast.Attribute():
                name = bare(over)
                holds_parameters = PARAMETERS.fullmatch(name) or "grad" in name
                keys = self.keys.get(name, self.parameters if holds_parameters else [])
                return self.known.get(name, [ast.Constant(key) for key in dict.fromkeys(keys)])
            case ast.Call(ast.Name("range" | "xrange"), ends, []):
                with suppress(TypeError, ValueError):  # where one is no number that is written out
                    counted = Put(self.counts, self.known, self.last)
                    numbers = range(*(ast.literal_eval(counted.visit(deepcopy(end))) for end in ends))
                    return [ast.Constant(number) for number in numbers] if len(numbers) <= MOST_TURNS else ()
            case ast.Call(ast.Name("reversed"), [inner], []):
                return self._listed(inner)[::-1]
            case ast.Subscript(inner, ast.Slice() as part):
                with suppress(ValueError):  # where an end is no number that is written out
                    given = (part.lower, part.upper, part.step)
                    return self._listed(inner)[slice(*(None if at is None else ast.literal_eval(at) for at in given))]
            case ast.Call(ast.Name("zip"), each, []):
                return [ast.Tuple([*turn]) for turn in zip(*map(self._listed, each), strict=False)]
            case ast.Call(ast.Name("enumerate"), [inner], []):
                return [ast.Tuple([ast.Constant(at), turn]) for at, turn in enumerate(self._turns(inner))]
            case ast.Call(ast.Attribute(inner, "values"), [], []) if (
                bare(inner) in self.keys
            ):  # in the order of the text
                return [ast.Subscript(inner, key, ast.Load()) for key in self._turns(inner)]
            case ast.Call(ast.Name("sorted"), [inner], []):
                return sorted(self._turns(inner), key=lambda turn: str(getattr(turn, "value", "")))
            case ast.Call(ast.Name("list"), [inner], []) | ast.Call(ast.Attribute(inner, "keys"), [], []):
                return self._turns(inner)
            case ast.Call(ast.Attribute(inner, "items"), [], []):
                return [ast.Tuple([key, ast.Subscript(inner, key, ast.Load())]) for key in self._turns(inner)]
        return ()

    def _listed(self, over: ast.expr) -> Sequence[ast.expr]:
        """The turns of what stands beside others: of a list with an entry for each layer, its places."""
        entries = 0 if bare(over) in self.known.keys() | self.keys.keys() else entries_in(over, self.last)
        places = [ast.Subscript(over, ast.Constant(at), ast.Load()) for at in range(entries)]
        return places or self._turns(over)


def _counts_in(tree: ast.AST, last: int) -> dict[str, ast.expr]:
    """The numbers up to which loops count: L is that of layers, unless the text gives it another value."""
    found: dict[str, ast.expr] = {"L": ast.Constant(last)}
    ranges = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and ast.unparse(each.func) == "range"]
    ends = {ast.unparse(each) for each in chain(*map(ast.walk, ranges)) if isinstance(each, ast.Name | ast.Attribute)}
    for target, value in _assigned(tree):
        name, number = ast.unparse(target), Put({}, {}, last).visit(deepcopy(value))
        if HALF_OF_ALL.fullmatch(ast.unparse(value)):
            number = ast.Constant(last)
        found.pop(name, None)  # as where L is the loss
        if name in ends | {"L"} and isinstance(number, ast.Constant) and isinstance(number.value, int):
            found[name] = number
    of_nielsen = (each.args for each in ranges if len(each.args) == 2 and ast.unparse(each.args[0]) == "2")
    return found | {ast.unparse(layers): ast.Constant(last + 1) for _, layers in of_nielsen}  # the inputs are one


def _assigned(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is written to by name, and what is written there."""
    for each in ast.walk(tree):
        match each:
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
                yield from zip(targets, values, strict=False)
            case ast.Assign([ast.Name() | ast.Attribute() as target], value):
                yield target, value


def _names(part: ast.AST, within: Callable[[ast.AST], Iterable[ast.AST]] = ast.iter_child_nodes) -> Iterator[str]:
    """The names in a part, as far as one is `within` the other."""
    if isinstance(part, ast.Name):
        yield part.id
    for each in within(part):
        yield from _names(each, within)


def _but_exponents(part: ast.AST) -> Iterable[ast.AST]:
    """What is in a part but for its exponent."""
    return [part.left] if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Pow) else ast.iter_child_nodes(part)


def _trains(body: list[ast.stmt]) -> bool:
    """Whether a body updates what it has used before, or calls a function that is judged where it stands.

    Then its turns are alike. They are not where something grows that neither begins anew in it nor is used before.
    """
    known, trains = set[str](), False
    for statement in (inner for each in body for inner in (each.body if isinstance(each, ast.With) else [each])):
        name, grows, is_update = "", False, isinstance(statement, ast.Pass)
        match statement:
            case ast.AugAssign(target, op, value) if not isinstance(value, ast.Constant):  # as in t += 1
                name, grows, is_update = ast.unparse(target), True, isinstance(op, ast.Add | ast.Sub)
            case ast.Assign([target], ast.BinOp(before, ast.Sub())) if ast.unparse(target) == ast.unparse(before):
                name, is_update = ast.unparse(target), True
        is_known = name in known or bool(A_PARAMETER.fullmatch(name) or PARAMETERS.match(name))
        if grows and not is_known:
            return False
        trains |= is_update and (is_known or not name)
        known |= {ast.unparse(each) for each in ast.walk(statement) if isinstance(each, ast.Name | ast.Attribute)}
    return trains


def _is_a_name(value: ast.expr) -> bool:
    """Whether it is a name, a key, or what is under it: `W1`, `"W1"`, `self.W1`, `params["W1"]`, `weights[0]`."""
    key = value.slice if isinstance(value, ast.Subscript) else value
    of_a_key = str if isinstance(value, ast.Subscript) and not A_LIST.fullmatch(bare(value.value)) else str | int
    return isinstance(key, ast.Name | ast.Attribute) or isinstance(getattr(key, "value", None), of_a_key)


def _but_keys(part: ast.AST, lists: Container[str] | None) -> Iterable[ast.AST]:
    """What is in a part but for a key, `params[name]`, `params["W" + str(n)]`, and for a place in one of some lists.

    The lists are given where the names stand for numbers; then what an `if` asks does not count either.
    """
    match part:
        case ast.Subscript(holder, key) if _has_text(key) or (
            isinstance(key, ast.Name | ast.BinOp | ast.UnaryOp)
            and (lists is None or bare(holder) in lists or A_LIST.fullmatch(bare(holder)))
        ):
            return [holder]
        case ast.If() | ast.IfExp() if lists is not None:
            return [each for each in ast.iter_child_nodes(part) if each is not part.test]
    return ast.iter_child_nodes(part)


def _has_text(part: ast.expr) -> bool:
    return any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in ast.walk(part))


def _pairs(target: ast.expr, turn: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """What each name of a loop stands for in one turn."""
    match target, turn:
        case ast.Name(name), _:
            yield name, turn
        case ast.Tuple(targets), ast.Tuple(values) | ast.List(values):
            for one, value in zip(targets, values, strict=False):
                yield from _pairs(one, value)
