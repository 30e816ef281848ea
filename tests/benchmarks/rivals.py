"""Other ways to show the same matrices and numbers, each written as one would write it without thinking of speed."""

import io
from functools import partial
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from PIL import Image

from backprop_lab import random_problem, trace
from backprop_lab.reading.slopes import value_of
from backprop_lab.ui.steps.stepper import Stepper

PLACE = Stepper(step="dW1").place
NAMES = [name for name in (*PLACE.trace, "slope of H1") if PLACE.shows(name)]  # 18 matrices
SIZE = (8.8, 4.41)  # inches of 100 pixels: the board, where the page is 1280 pixels wide
SEEDS = {"min": 0, "max": 100, "description": "seed"}


def echo() -> widgets.Widget:
    """The floor: a slider and 101 pictures of 8 x 8 pixels, made beforehand."""
    pictures = []
    for level in range(101):
        data = io.BytesIO()
        Image.fromarray(np.full((8, 8), 2 * level, np.uint8)).save(data, "PNG")
        pictures.append(data.getvalue())
    slider = widgets.IntSlider(**SEEDS)
    picture = widgets.Image(value=pictures[0], layout={"width": "8px", "height": "8px"})
    slider.observe(lambda change: setattr(picture, "value", pictures[change.new]), "value")
    return widgets.VBox([slider, picture])


def fresh_figure() -> None:
    """`interact` with a new pyplot figure for every value."""

    def show(seed: int) -> None:
        draw_matrices(plt.figure(figsize=SIZE, dpi=100), seed)
        plt.show()

    widgets.interact(show, seed=widgets.IntSlider(**SEEDS))


def kept_figure() -> widgets.Widget:
    """One figure, its data set anew, sent whole as a PNG."""
    figure = Figure(figsize=SIZE, dpi=100)
    canvas, artists = FigureCanvasAgg(figure), draw_matrices(figure, 0)
    picture = widgets.Image(format="png")

    def show(seed: int) -> None:
        set_matrices(artists, seed)
        data = io.BytesIO()
        canvas.print_png(data)
        picture.value = data.getvalue()

    show(0)
    slider = widgets.IntSlider(**SEEDS)
    slider.observe(lambda change: show(change.new), "value")
    return widgets.VBox([slider, picture])


def ipympl_figure() -> None:
    """The same figure in ipympl's canvas, which sends what changed."""
    from ipympl.backend_nbagg import Canvas, FigureManager

    figure = Figure(figsize=SIZE, dpi=100)
    canvas = Canvas(figure)
    FigureManager(canvas, 0)
    artists = draw_matrices(figure, 0)

    def show(change: Any) -> None:
        set_matrices(artists, change.new)
        canvas.draw_idle()

    slider = widgets.IntSlider(**SEEDS)
    slider.observe(show, "value")
    display(slider, canvas)


def draw_matrices(figure: Figure, seed: int) -> list[tuple[str, AxesImage, list[Text]]]:
    """Every matrix on axes of its own, its numbers as texts: the name, the image and the texts of each.

    After https://matplotlib.org/stable/gallery/images_contours_and_fields/image_annotated_heatmap.html
    """
    traced = trace(random_problem(seed))
    artists = []
    for axes, name in zip(figure.subplots(3, 6).flat, NAMES, strict=True):
        value = np.atleast_2d(value_of(traced, name))
        limit = 100 if name.startswith("d") else 10
        image = axes.imshow(value, "coolwarm", vmin=-limit, vmax=limit)
        axes.set_xticks(range(value.shape[1]))
        axes.set_yticks(range(value.shape[0]))
        write = partial(axes.text, ha="center", va="center", size=8)
        texts = [write(j, i, f"{number:.2f}") for (i, j), number in np.ndenumerate(value)]
        axes.set_title(name)
        artists.append((name, image, texts))
    figure.tight_layout()
    return artists


def set_matrices(artists: list[tuple[str, AxesImage, list[Text]]], seed: int) -> None:
    traced = trace(random_problem(seed))
    for name, image, texts in artists:
        value = np.atleast_2d(value_of(traced, name))
        image.set_data(value)
        for text, number in zip(texts, value.flat, strict=True):
            text.set_text(f"{number:.2f}")
