"""The map: every run's colour where a click finds that run, the theoretical limit, and nothing unreadable."""

import math
from dataclasses import replace
from itertools import combinations, product

import matplotlib as mpl
import numpy as np
import pytest
from common import pixels, swept
from matplotlib.text import Text

from backprop_lab import worked_example
from backprop_lab.ui.board.cells import COLOURS
from backprop_lab.ui.rates.run_map import DECADES, RunMap, levels
from backprop_lab.ui.rates.sweeper import LEARNING_RATES
from backprop_lab.ui.theme import CURVES, LOST


@pytest.fixture(scope="module")
def three_runs():
    return swept(seeds=3, steps=100).state.runs


def drawn_map(runs, chosen=(), width=900, **options):
    drawn = RunMap(width, **options)
    drawn.draw(runs, chosen)
    return drawn


def place(drawn, runs, row, col):
    """The middle of a run in pixels, by the box with which the page finds what was clicked."""
    (x, y, width, height), (rows, cols) = drawn.box, runs.shape
    across, down = drawn.canvas.get_width_height()
    return across * (x + width * (col + 0.5) / cols), down * (y + height * (row + 0.5) / rows)


def limit_column(limit):
    return np.interp(math.log10(limit), np.log10(LEARNING_RATES), range(76))


def is_near(picture, colour, within=3):
    return np.abs(picture - 255 * np.array(mpl.colors.to_rgb(colour))).max(axis=-1) <= within


@pytest.mark.parametrize(("width", "height", "ratio", "dark"), [(640, 300, 2, True), (1501, 533, 1.25, False)])
def test_every_run_has_its_colour_just_where_a_click_finds_it(three_runs, width, height, ratio, dark):
    drawn = drawn_map(three_runs, width=width, height=height, ratio=ratio, dark=dark)
    picture, found = pixels(drawn.png()), levels(three_runs.change)
    steps = levels(np.array([1.0, 10.0, 0.001, 1e9, 0.0, np.inf])).tolist()
    assert steps == [0, 1, -3, DECADES, -DECADES, None], "pale is a loss as it was, and a decade is a step"
    assert picture.shape[:2] == pytest.approx((height * ratio, width * ratio), abs=1)
    for row, col in product(range(3), range(76)):
        x, y = map(round, place(drawn, three_runs, row, col))
        if abs(col - limit_column(three_runs.limits[row])) < 2.5:
            continue  # the line lies over it
        if found.mask[row, col]:
            around = picture[y - 15 : y + 15, x - 3 : x + 3]
            assert 0.05 < is_near(around, LOST, 60).mean() < 0.7, "stripes of this colour"
            assert is_near(around, drawn.theme.paper, 60).mean() > 0.15, "and paper between them"
        else:
            colour = COLOURS((found[row, col] + DECADES) / (2 * DECADES))[:3]
            assert is_near(picture[y - 2 : y + 3, x - 1 : x + 2], colour).all(), (row, col)


def test_a_white_line_goes_through_the_limit_of_every_row_from_top_to_bottom_where_one_is_known(three_runs):
    drawn = drawn_map(three_runs, width=1000, height=500, ratio=2)
    for row, limit in enumerate(three_runs.limits):
        x, y = place(drawn, three_runs, row, limit_column(limit))
        white = np.flatnonzero((pixels(drawn.png())[round(y)] >= 250).all(axis=1))
        assert np.abs(white - x).min() <= 2
    for limits in (three_runs.limits, (three_runs.limits[0], math.nan, math.inf), (math.nan,) * 3):
        drawn = drawn_map(replace(three_runs, limits=limits))
        rows = [row for row, limit in enumerate(limits) if math.isfinite(limit)]
        for stroke in drawn.limit:
            x, y = stroke.get_data()
            assert y[np.isfinite(x)].tolist() == [row + edge for row in rows for edge in (-0.5, 0.5)]
            assert (np.diff(x[np.isfinite(x)]) >= 0).all()
        assert drawn.limit_label.get_visible() == bool(rows) == ("limit" in drawn.axes.get_ylabel())


def test_a_ring_in_the_colour_of_its_curve_is_around_each_chosen_run_even_at_the_edge(three_runs):
    for chosen in [((0, 10), (2, 60)), ((0, 0), (2, 75)), ((0, 75), (2, 0))]:
        drawn = drawn_map(three_runs, chosen)
        for run, colour in zip(chosen, CURVES, strict=False):
            rows, cols = np.nonzero(is_near(pixels(drawn.png()), colour))
            x, y = place(drawn, three_runs, *run)
            away = np.hypot(cols - x, rows - y)
            assert 6 < away.min() < 12, "the run itself stays in sight"
            assert np.median(away) < 20
            for beyond in (cols < x - 6, cols > x + 6, rows < y - 6, rows > y + 6):
                assert beyond.sum() > 20


@pytest.mark.parametrize(("width", "seeds", "own"), [(420, 64, True), (588, 1, True), (1500, 64, False)])
def test_all_texts_are_inside_the_picture_and_none_lies_on_another(width, seeds, own):
    runs = swept(seeds=seeds, steps=10, problem=worked_example() if own else None).state.runs
    drawn = drawn_map(runs, width=width, height=max(300, width * 2 // 5))
    texts = [t for t in drawn.figure.findobj(Text) if t.get_text() and t.get_visible() and not t.get_animated()]
    rows = drawn.axes.get_yticks()
    names = [str(runs.sweep.seeds[row]).replace("None", "given") for row in rows]
    assert [label.get_text() for label in drawn.axes.get_yticklabels()] == names
    assert ("given" in names) == own
    assert {"learning rate", "overflowed", "initial loss"} <= {text.get_text() for text in texts}
    boxes = [text.get_window_extent(drawn.canvas.get_renderer()) for text in texts]
    size = drawn.figure.bbox
    assert all(size.x0 <= box.x0 < box.x1 <= size.x1 and size.y0 <= box.y0 < box.y1 <= size.y1 for box in boxes)
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
