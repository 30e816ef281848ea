"""The arithmetic of the picture on the page: which cell is under the pointer, what is dark, which keys are plain."""

from base64 import b64encode
from importlib.resources import files
from itertools import product

import pytest

# Name, left, top, width and height in fractions of the picture, rows, columns.
BOXES = [("W", 0.125, 0.25, 0.25, 0.5, 4, 2), ("b", 0.5, 0.25, 0.5, 0.125, 1, 4)]
BESIDE = [(0, 0), (0.124, 0.3), (0.375, 0.3), (0.2, 0.75), (0.2, 0.249), (0.4, 0.3), (1, 0.3)]  # or where one ends
LIGHT, DARK = [(129, 129, 129), (0, 255, 0)], [(127, 127, 127), (255, 0, 0), (0, 0, 255)]  # green counts most


@pytest.fixture
def on_page(new_context):
    """A function that calls a function of the page's script with each of these arguments."""
    script = files("backprop_lab.ui.page").joinpath("step_view.js").read_bytes()
    page, url = new_context().new_page(), f"data:text/javascript;base64,{b64encode(script).decode()}"
    call = "([url, name, given]) => import(url).then((it) => given.map((each) => it[name](...each)))"
    return lambda name, *given: page.evaluate(call, [url, name, given])


def test_the_page_finds_the_cell_under_the_pointer_and_tells_dark_from_light_and_plain_keys_from_others(on_page):
    for name, left, top, width, height, rows, columns in BOXES:
        for i, j, part in product(range(rows), range(columns), (0, 0.01, 0.5, 0.99)):
            x, y = left + (j + part) / columns * width, top + (i + part) / rows * height
            assert on_page("cellIn", (BOXES, x, y)) == [[name, i, j]]
    assert on_page("cellIn", *((BOXES, x, y) for x, y in BESIDE), ([], 0.5, 0.5)) == [None] * 8
    assert on_page("isDark", *([colour] for colour in LIGHT + DARK)) == [False] * 2 + [True] * 3
    held = [{}, *({key: True} for key in ("ctrlKey", "metaKey", "altKey", "shiftKey"))]
    assert on_page("isPlain", *([{"key": "a"} | each] for each in held)) == [True, False, False, False, False]
