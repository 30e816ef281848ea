"""Drawing: curves and heatmaps show and say their numbers, colours can be told, and a matplotlibrc changes nothing."""

import base64
import re

import matplotlib as mpl
import numpy as np
import pytest
from common import contrast, pixels, plain, swept

from backprop_lab import trace, worked_example
from backprop_lab.ui import draw_heatmaps
from backprop_lab.ui.board.board import Board
from backprop_lab.ui.curves import draw_curves
from backprop_lab.ui.heatmaps import CELL, GAP
from backprop_lab.ui.rates.run_map import RunMap
from backprop_lab.ui.steps.pictures import picture
from backprop_lab.ui.steps.stepper import Stepper
from backprop_lab.ui.theme import CURVES, DARK, HEATMAP, LIGHT, NOT_FINITE, PHASES

# What people write into a matplotlibrc, each of which changes or breaks a picture that is drawn under it.
FOREIGN = {"image.origin": "lower", "image.lut": 8, "text.usetex": True, "font.size": 20, "axes.grid": True}


def pictures():
    t, board, runs = trace(worked_example()), Board(trace(worked_example())), RunMap(500)
    board.draw(t, 8, [52.0, 3.0, 1e-7], [["dW2", 0, 0, 0, 0, "result"]])
    runs.draw(swept(seeds=3, steps=50).state.runs, ((0, 3), (1, 70)))
    yield from (board.png(), runs.png(), draw_heatmaps({"P": [[0.2, -1.0]]}, ["row"]).png)
    yield draw_curves({"right": [3.0, 2.0, 1e-4], "wrong": [3.0, 1e9, np.inf]})
    yield from (picture(Stepper(step="dW1"), kind) for kind in ("png", "svg", "pdf"))


def test_foreign_settings_change_no_pixel_of_any_picture_and_are_as_before():
    plain = [*pictures()]
    with mpl.rc_context(FOREIGN):
        assert [*pictures()] == plain
        assert {name: mpl.rcParams[name] for name in FOREIGN} == FOREIGN


def curves(losses, axis=0):
    """The curves of a picture, one for each colour: where they run, from 0, its top or left, to 1."""
    image = pixels(base64.b64decode(re.search('base64,([^"]*)', draw_curves(losses))[1]))
    colours = [255 * np.array(mpl.colors.to_rgb(colour)) for colour in CURVES]
    return [np.nonzero((np.abs(image - c) < 3).all(axis=-1))[axis] / image.shape[axis] for c in colours]


def test_a_curve_that_explodes_leaves_the_other_its_colour_place_and_shape():
    large, small, *others = curves({"large": [1.0] * 50, "small": [0.01] * 50})
    assert np.median(large) < 0.3 < 0.6 < np.median(small)
    assert not any(other.size for other in others)
    exploding = [*np.geomspace(1, 1e300, 47), np.inf, np.nan, 0.0]
    falling, exploded, *_ = curves({"right": np.geomspace(1, 0.01, 50), "wrong": exploding})
    heights = np.unique(falling)  # of which its line in the legend has few
    assert len(heights) * np.diff(heights).min() > 0.08
    assert exploded.min() < 0.1


def test_of_a_curve_that_explodes_the_axes_end_where_it_begins_and_after_its_last_iteration():
    exploding = [*np.geomspace(1, 1e300, 5), *[np.nan] * 95]
    assert curves({"wrong": exploding})[0].max() > 0.75, "there is nothing below it"
    right, wrong, *_ = curves({"right": [1.0] * 100, "wrong": exploding}, axis=1)
    assert wrong.min() < 0.2, "it is gone within five iterations"
    assert np.ptp(right[right < 0.99]) > 0.8


def test_of_a_loss_that_is_a_number_once_there_is_a_point():
    assert (curves({"right": [2.0, np.nan, np.nan]}, axis=1)[0] < 0.3).sum() > 40


def test_the_curves_say_in_words_where_they_begin_and_end():
    alt = plain(re.search('alt="([^"]*)"', draw_curves({"<b>A": [1, 0.5, 0.01], "B": [2.5, np.inf]}))[1])
    assert alt == "Loss by iteration, on a logarithmic scale: <b>A goes from 1 to 0.01; B goes from 2.5 to inf."


def test_every_number_of_a_heatmap_has_its_colour_in_its_place():
    A, B = np.array([[3.5, -4.0, 0.1], [1.0, np.inf, 3.0]]), np.array([[-1.0, 2.0, 0.5], [1.5, -3.0, 2.5]])
    image, found = pixels(draw_heatmaps({"A": A, "B": B}).png), []
    for number in np.ravel([A, B]):
        level = np.arcsinh(number / 4) / np.arcsinh(1)  # the largest is 4
        colour = (
            mpl.colormaps[HEATMAP].resampled(256)(level / 2 + 0.5) if abs(level) <= 1 else mpl.colors.to_rgb(NOT_FINITE)
        )
        colour = 255 * np.array(colour[:3])
        rows, columns = np.nonzero(np.abs(image - colour).max(axis=-1) <= 1)
        found.append((np.mean((rows.min(), rows.max())), np.mean((columns.min(), columns.max()))))
        cell = image[rows.min() : rows.max(), columns.min() : columns.max()]
        assert np.abs(cell - colour).sum(axis=-1).max() > 300, "its digits stand out"
    at = [(i, j + k * (3 + GAP / CELL[0])) for k in range(2) for i in range(2) for j in range(3)]
    assert np.allclose((np.array(found) - found[0]) / (2 * CELL[1], 2 * CELL[0]), at, atol=0.05)


def test_it_says_in_words_what_it_shows():
    picture = draw_heatmaps({"P": [[0.25, np.inf]], "y": [[0, -1]]}, rows=["first"], columns=["cat", "dog"])
    assert repr(picture) == "Heatmap. P: first: cat 0.25 dog inf; y: first: cat 0 dog −1."
    png, about = picture._repr_png_()
    assert about["alt"] == repr(picture)
    assert [side // 2 for side in pixels(png).shape[:2]] == [about["height"], about["width"]]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_and_each_phase_has_its_own_colour(example, theme):
    colours = {theme.phase(step.phase) for step in example.steps}
    assert len(colours) == 4
    assert contrast(theme.ink, theme.paper) >= 7
    assert min(contrast(colour, theme.paper) for colour in (theme.faint, *colours)) >= 4.5
    assert min(contrast("#ffffff", LIGHT.phase(phase)) for phase in PHASES) >= 4.5, "white letters on a phase's colour"
