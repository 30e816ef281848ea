"""Loss curves: each in its colour, with room for a loss that explodes, and in words for who cannot see them."""

import base64
import re

import matplotlib as mpl
import numpy as np
from common import pixels, plain

from backprop_lab.ui.curves import draw_curves
from backprop_lab.ui.theme import CURVES


def curves(losses):
    """The curves of a picture, one for each colour: the heights they run at, from 0, its top, to 1."""
    image = pixels(base64.b64decode(re.search('base64,([^"]*)', draw_curves(losses))[1]))
    colours = [255 * np.array(mpl.colors.to_rgb(colour)) for colour in CURVES]
    return [np.nonzero((np.abs(image - colour) < 3).all(axis=-1))[0] / len(image) for colour in colours]


def test_each_curve_has_its_colour_the_larger_loss_is_above_and_one_that_explodes_leaves_the_other_its_shape():
    large, small, *others = curves({"large": [1.0] * 50, "small": [0.01] * 50})
    assert np.median(large) < 0.3 < 0.6 < np.median(small)
    assert not any(other.size for other in others)
    exploding = [*np.geomspace(1, 1e300, 47), np.inf, np.nan, 0.0]
    falling, exploded, *_ = curves({"right": np.geomspace(1, 0.01, 50), "wrong": exploding})
    assert (np.ptp(falling) > 0.15, exploded.min() < 0.1) == (True, True)


def test_the_curves_say_in_words_where_they_begin_and_end():
    alt = plain(re.search('alt="([^"]*)"', draw_curves({"<b>A": [1, 0.5, 0.01], "B": [2.5, np.inf]}))[1])
    assert alt == "Loss by iteration, on a logarithmic scale: <b>A goes from 1 to 0.01; B goes from 2.5 to inf."


def test_a_low_picture_has_its_curves_too_whatever_the_losses():
    for losses in ([1.7, 1.3, 1.0], [2.0, 2.0], [np.inf, np.nan]):
        assert "data:image/png" in draw_curves({"correct": losses, "with the mistake": losses}, 310, 78)
