"""Heatmaps: every number in its place with its colour, readable, and in words for who cannot see it."""

import matplotlib as mpl
import numpy as np
import pytest
from common import pixels

from backprop_lab.ui import draw_heatmaps
from backprop_lab.ui.heatmaps import CELL, GAP
from backprop_lab.ui.theme import HEATMAP


def places(matrices):
    """For each number, which all differ: where the middle of its colour is, in cells from that of the first number."""
    numbers = np.concatenate([np.ravel(matrix) for matrix in matrices.values()])
    image = pixels(draw_heatmaps(matrices).png)
    found = []
    for level in numbers / np.abs(numbers[np.isfinite(numbers)]).max():
        colour = 255 * np.array(mpl.colormaps[HEATMAP].resampled(256)(np.clip(level, -1, 1) / 2 + 0.5)[:3])
        rows, columns = np.nonzero(np.abs(image - colour).max(axis=-1) <= 1)
        found.append((np.mean((rows.min(), rows.max())), np.mean((columns.min(), columns.max()))))
        cell = image[rows.min() : rows.max(), columns.min() : columns.max()]
        assert np.abs(cell - colour).sum(axis=-1).max() > 300, "its digits stand out"
    return (np.array(found) - found[0]) / (2 * CELL[1], 2 * CELL[0])


def test_every_number_has_its_colour_in_its_place_and_all_matrices_have_one_scale_whatever_is_not_finite():
    A, B = np.array([[4.0, -4.0, 0.1], [1.0, -2.0, 3.0]]), np.array([[-1.0, 2.0, 0.5], [1.5, -3.0, 2.5]])
    expected = [(i, j + k * (3 + GAP / CELL[0])) for k in range(2) for i in range(2) for j in range(3)]
    assert np.allclose(places({"A": A, "B": B}), expected, atol=0.05)
    assert np.allclose(places({"A": np.array([[np.inf, -1.0, 0.5]])}), [(0, 0), (0, 1), (0, 2)], atol=0.05)
    assert repr(draw_heatmaps({"A": [[np.inf, -1.0, np.nan]]})) == "Heatmap. A: 0: 0 inf 1 −1 2 nan."


def test_it_says_in_words_what_it_shows_as_its_alternative_text_and_where_there_are_no_pictures():
    picture = draw_heatmaps({"P": [[0.25, 0.75]], "y": [[0, 1]]}, rows=["first"], columns=["cat", "dog"])
    assert repr(picture) == "Heatmap. P: first: cat 0.25 dog 0.75; y: first: cat 0 dog 1."
    png, about = picture._repr_png_()
    assert about["alt"] == repr(picture)
    assert [side // 2 for side in pixels(png).shape[:2]] == [about["height"], about["width"]]


@pytest.mark.parametrize(("matrices", "names", "said"), [
    ({}, {}, r"have one shape \(rows, columns\); got \[\]"),
    ({"A": [[1.0]], "B": [[1.0, 2.0]]}, {}, r"got \[\(1, 1\), \(1, 2\)\]"),
    ({"A": np.zeros((2, 2, 2))}, {}, r"got \[\(2, 2, 2\)\]"),
    ({"A": [[1.0, 2.0]]}, {"columns": ["cat"]}, r"1 names of rows and 1 of columns for \(1, 2\)"),
])  # fmt: skip
def test_what_cannot_stand_side_by_side_or_be_named_is_refused(matrices, names, said):
    with pytest.raises(ValueError, match=said):
        draw_heatmaps(matrices, **names)
