"""What else may stand in a place of a learner's code: kind by kind, the likeliest first."""

import ast
from collections.abc import Iterator
from itertools import combinations

from backprop_lab.feedback.changes import another_count
from backprop_lab.feedback.slips import IN_PLACE_OF_A_NAME, changed
from backprop_lab.homework.code import A_GRADIENT, FACTOR, TERM, Code, Kind, Place, is_number
from backprop_lab.nn.forms import with_others

SLOPES = "{0} > 0", "1 - {0} ** 2", "{0} * (1 - {0})"
IN_PLACE = (*(each.replace("{}", "{0}") for each in IN_PLACE_OF_A_NAME), "{0} - 1", "{0} + 1", *SLOPES)
AROUND = ("({0}) * ({1} > 0)", "({0}) * (1 - {1} ** 2)", "({0}) * {1} * (1 - {1})", "({0}) / {1}", "({0}) * {1}",
    "({0}) / len({1})")  # fmt: skip


def _counts(place: Place, _: Code) -> Iterator[tuple[str, ...]]:
    """Another count of the same array, before another number, which the sizes may make right by chance."""
    yield from (("{0}", ast.unparse(other)) for other, _words in another_count(place.part))


def _slips(place: Place, _: Code) -> Iterator[tuple[str, ...]]:
    match place.part:
        case ast.BinOp(ast.BinOp(kept, ast.Mult()), ast.Mult()):  # a slope too many, such as A * (1 - A)
            yield "{0}", ast.unparse(kept)
        case ast.Compare(ast.BinOp(kept, ast.Mult(), masked), [op], [edge]):  # dH1 * H1 > 0
            yield "({0}) * ({1})", ast.unparse(kept), ast.unparse(ast.Compare(masked, [op], [edge]))
    for other, _words in changed(place.part, (), (), has_classes=False):
        text = ast.unparse(other).replace(".mT", ".T")
        yield "{0}", text
        if text.endswith(("axis=0)", "axis=1)")):
            yield "{0}", f"{text[:-1]}, keepdims=True)"


def _alike(place: Place, code: Code) -> Iterator[tuple[str, ...]]:
    """Another gradient in the place of one, or another text, such as "relu"."""
    match place.part:
        case ast.Name(name) if A_GRADIENT.match(name):
            yield from (("{0}", each) for each in code.atoms if each.isidentifier() and A_GRADIENT.match(each))
        case ast.Constant(str()):
            texts = (each for each in ast.walk(code.tree) if isinstance(each, ast.Constant))
            yield from (("{0}", repr(each.value)) for each in texts if isinstance(each.value, str))


def _factors(place: Place, _: Code) -> Iterator[tuple[str, ...]]:
    if place.part is place.root or isinstance(place.part, ast.BinOp | ast.Call):
        yield FACTOR, ast.unparse(place.part), ""


def _typed(place: Place, code: Code) -> Iterator[tuple[str, ...]]:
    """What may be typed for a name, or for the slope of something."""
    is_handed_on = place.part is place.root and not place.is_whole
    if (text := ast.unparse(place.part)) in code.atoms and not is_handed_on:
        yield from ((form, text) for form in IN_PLACE)
    if isinstance(place.part, ast.BinOp | ast.Compare | ast.Call):
        yield from ((form, each) for each in code.values if each in text for form in SLOPES)


def _others(place: Place, code: Code) -> Iterator[tuple[str, ...]]:
    """Another name, part or number; first those that are gradients as it is, or none as it is."""
    if (text := ast.unparse(place.part)) in code.atoms:
        yield from (
            ("{0}", each) for each in sorted(code.atoms, key=lambda each: (each in code.paths) != (text in code.paths))
        )
    if is_number(place.part):
        yield from (("len({0})", each) for each in code.atoms)


def _renamed(place: Place, code: Code) -> Iterator[tuple[str, ...]]:
    """Two that have changed places, or another in the place of one that stands in several."""
    if place.part is place.root:
        text = ast.unparse(place.part)
        used = [each for each in code.atoms if each in text and not each.isdigit()]
        ways = [{one: two, two: one} for one, two in combinations(used, 2)]
        ways += [{one: two} for one in used if text.count(one) > 1 for two in code.atoms]
        for way in ways:
            yield "{0}", with_others(place.part, way)


def _around(place: Place, code: Code) -> Iterator[tuple[str, ...]]:
    if place.part is place.root:
        inner = place.part.args if isinstance(place.part, ast.Call) else []
        for text in map(ast.unparse, (place.part, *inner[:1])):
            yield from ((form, text, each) for form in AROUND for each in code.values)


def _within(place: Place, code: Code) -> Iterator[tuple[str, ...]]:
    if place.part is not place.root and isinstance(place.part, ast.BinOp | ast.Call):
        yield from ((form, ast.unparse(place.part), each) for form in AROUND for each in code.values)


def _paths(place: Place, code: Code) -> Iterator[tuple[str, ...]]:
    """With what comes along another path, or is not used yet; times what comes along the path, if none does."""
    text = ast.unparse(place.part)
    if place.root is not None and any(each in text for each in code.paths):
        yield from ((TERM, text, each) for each in code.paths)
    elif place.part is place.root:
        yield from (("({0}) * {1}", text, each) for each in code.paths)


KINDS: tuple[Kind | None, ...] = (
    _counts, _slips, _alike, None, _factors, _typed, _renamed, _paths, _around, _others, _within,
)  # fmt: skip
FACTORS: tuple[Kind | None, ...] = (_counts, _factors)
