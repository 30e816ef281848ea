"""Loss curves: each in its colour, with room for a loss that explodes, and in words for who cannot see them."""

import base64
import io
import re

import matplotlib as mpl
import numpy as np
from common import plain
from PIL import Image

from backprop_lab.ui.curves import draw_curves
from backprop_lab.ui.theme import CURVES

FALLING = np.geomspace(1, 0.01, 50)


def rows_of(colour, picture):
    """Where a curve of this colour runs, from 0, the top of the picture, to 1."""
    source = base64.b64decode(re.search('base64,([^"]*)', picture)[1])
    image = np.asarray(Image.open(io.BytesIO(source)).convert("RGBA"), int)
    near = (np.abs(image[..., :3] - 255 * np.array(mpl.colors.to_rgb(colour))) < 3).all(axis=-1)
    return np.nonzero(near & (image[..., 3] == 255))[0] / len(image)


def test_each_curve_has_the_colour_of_its_place_and_the_larger_loss_is_above():
    picture = draw_curves({"large": [1.0] * 50, "small": [0.01] * 50})
    large, small = (rows_of(colour, picture) for colour in CURVES[:2])
    assert np.median(large) < 0.3 < 0.6 < np.median(small)
    assert not any(rows_of(colour, picture).size for colour in CURVES[2:])


def test_a_loss_that_explodes_leaves_at_the_top_and_the_other_curve_keeps_its_shape():
    exploding = [*np.geomspace(1, 1e300, 47), np.inf, np.nan, 0.0]
    falling, exploded = (rows_of(c, draw_curves({"right": FALLING, "wrong": exploding})) for c in CURVES[:2])
    assert np.ptp(falling) > 0.15
    assert exploded.min() < 0.1


def test_the_curves_say_in_words_where_they_begin_and_end():
    picture = draw_curves({"<b>A": FALLING, "B": [2.5, np.inf]})
    alt = plain(re.search('alt="([^"]*)"', picture)[1])
    assert alt == "Loss by iteration, on a logarithmic scale: <b>A goes from 1 to 0.01; B goes from 2.5 to inf."
