"""What many tests share: training by hand, problems with other numbers, and what a learner sees of a widget."""

import html
import io
import os
import re
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from unittest import mock

import ipywidgets as widgets
import matplotlib as mpl
import nbformat
import numpy as np
import own_parts
from anywidget import AnyWidget
from PIL import Image
from problems import identical
from traitlets.log import get_logger

import backprop_lab
from backprop_lab import Linear, Network, Problem, ReLU, SumSquaredError, plant, trace, ui
from backprop_lab.checks.numeric import one_entry_each
from backprop_lab.checks.rounding import terms_in
from backprop_lab.course import predictions, quiz
from backprop_lab.feedback import slips
from backprop_lab.feedback.check import Feedback
from backprop_lab.nn import layers as layers_module
from backprop_lab.reading import equation, explanations, one_cell, parts, slopes
from backprop_lab.step import examples
from backprop_lab.ui.rates import sweeper as sweeper_module
from backprop_lab.ui.rates import verdicts
from backprop_lab.ui.rates.sweeper import Sweeper
from backprop_lab.ui.steps import frame, remarks, reopen

SQUARE = {"samples": 3, "inputs": 3, "hidden": 3, "outputs": 3, "layers": 2}  # sizes in which most mistakes fit

PAGE = {"width": 430, "height": 900, "map": [430, 300], "operation": [430, 120], "ratio": 1.0, "dark": False}


def trained(problem, iterations, mistake=None):
    """The trace after some iterations of training, with a mistake made in each wherever it is possible."""
    with np.errstate(all="ignore"):
        for _ in range(iterations + 1):
            t = plant(trace(problem), mistake) if mistake else trace(problem)
            problem = t.next_problem()
        return t


def complex_step_derivative(loss, at, h=1e-20):
    """Im L(p + ih) / h for every entry p of `at`: nothing is subtracted, so it is right to the last digits."""
    found = [np.imag(loss(at + move)) for move in one_entry_each(at) * (1j * h)]
    return np.array(found).reshape(at.shape) / h


def plain_training(problem, lrs):
    """The problem and the loss of each iteration, by gradients and updates alone; `lrs` has one rate an iteration."""
    network, problems, losses = problem.network, [], []
    with np.errstate(all="ignore"):
        for lr in lrs:
            problems.append(problem.evolve(network=network, lr=lr))
            losses.append(problem.loss.value(network.forward(problem.X), problem.y))
            network = network.update(network.gradients(problem.loss, problem.X, problem.y), lr)
    return problems, losses


def gradients_of(t):
    return [step.name for step in t.steps if step.role == "gradient"]


def with_numbers(problem, **changed):
    """The problem with other parameters or data: `with_numbers(p, b1=[[1.0, 2.0]], X=X)`."""
    data = {name: array for name, array in changed.items() if name in ("X", "y")}
    parameters = {name: array for name, array in changed.items() if name not in data}
    network = problem.network.with_parameters(problem.network.parameters | parameters)
    return replace(problem, network=network, **data)


def surer(t, times):
    *_, W, b = t.problem.network.parameters
    return trace(with_numbers(t.problem, **{name: times * t[name] for name in (W, b)}))


def swept(**settings):
    sweeper = Sweeper(**settings)
    for _ in sweeper.train():
        pass
    return sweeper


def at_first_map(**settings):
    """A sweeper that has just put its first map on show, after ROUND_STEPS, and the work that is left."""
    sweeper = Sweeper(**settings)
    pieces = sweeper.train()
    with mock.patch.object(sweeper_module, "PAUSE", 0.0):
        while sweeper.state.runs is None:
            next(pieces)
    return sweeper, pieces


def through(*layers, X, y, loss=None):
    return trace(Problem(Network(layers), loss or SumSquaredError(), X, y, 0.1))


def logs(smallest):
    first, last = Linear([[1.0, smallest]], [[0.0, 0.0]]), Linear([[1.0], [2.0]], [[0.0]])
    return through(first, own_parts.LogOfMath(), last, X=[[1.0]], y=[[0.0]])


def with_first_bias(*b1):
    """Three samples at X = 1, 2, 3, a unit for each bias, with all weights 1."""
    H = len(b1)
    first, last = Linear(np.ones((1, H)), [b1]), Linear(np.ones((H, 1)), [[0.0]])
    return through(first, ReLU(), last, X=[[1.0], [2.0], [3.0]], y=[[1.0], [-5.0], [2.0]])


def in_other_numbers(problem, kind):
    parameters = {name: value.astype(kind) for name, value in problem.network.parameters.items()}
    return with_numbers(problem, X=problem.X.astype(kind), y=problem.y.astype(kind), **parameters)


def same_values(one, other):
    return one.names == other.names and all(identical(one[name], other[name]) for name in one.names)


def covers(some, others, by=1e-9):
    """Which of some rectangles (left, top, right, bottom) have an area in common with which of the others."""
    (left, top, right, bottom), (l2, t2, r2, b2) = some.T[:, :, None], others.T
    across = np.minimum(right, r2) - np.maximum(left, l2) > by
    down = np.minimum(bottom, b2) - np.maximum(top, t2) > by
    return across & down


def places_in(layout):
    """Where each box of a board lies, with the name above it, the loss and the scales: (left, top, right, bottom)."""
    label = 1.05 * layout.font
    places = [(box.x, box.y - label, box.x + box.width, box.y + box.height) for box in layout.boxes.values()]
    return np.array(places + [(x, y, x + w, y + h) for x, y, w, h in filter(None, (layout.loss, layout.scales))])


def contrast(*colours):
    """How well two colours can be told apart, as WCAG 2 defines it."""
    rgb = np.array([mpl.colors.to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), int)


def alike(colour, other):
    """Whether no eye can tell two colours apart."""
    return np.abs(np.subtract(mpl.colors.to_rgb(colour), mpl.colors.to_rgb(other))).max() <= 10 / 255


def raises(error):
    return mock.Mock(side_effect=error)


def plain(text):
    """HTML as a reader sees it."""
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def parts_of(widget, hidden=False):
    """Every widget inside, with whether it is hidden by itself or by what is around it."""
    hidden = hidden or widget.layout.display == "none"
    yield widget, hidden
    for child in getattr(widget, "children", ()):
        yield from parts_of(child, hidden)


def button(widget, label):
    """The one button in a widget that has this label."""
    kinds = widgets.Button | widgets.ToggleButton
    (found,) = [part for part, _ in parts_of(widget) if isinstance(part, kinds) and part.description == label]
    return found


def view_of(lab):
    """The part of a lab that is made on the page; of a lab with another one in it, the first."""
    return next(part for part, _ in parts_of(lab) if isinstance(part, AnyWidget))


def tell(lab, kind, message=()):
    """Let a lab hear what the page sends from there; ipywidgets would only log what breaks."""
    data = {"method": "custom", "content": {**dict(message), "kind": kind}}
    with mock.patch.object(get_logger(), "warning") as broken:
        view_of(lab).comm.handle_msg({"content": {"data": data}, "buffers": []})
    assert not broken.called, broken.call_args


def kept(widget):
    """What a saved notebook keeps of a widget, by the kind of text or picture."""
    bundle = widget._repr_mimebundle_()
    return bundle[0] if isinstance(bundle, tuple) else bundle


OVERFLOWING = {"shift-forgotten", "log-of-zero"}  # mistakes that are right until a score is large


def check_said(name, said):
    """What is said of each case is what stands in data/, where somebody has read it; `SAVE=1` writes it there anew."""
    path = Path(__file__).parent / "data" / f"{name}.txt"
    with_cause = {
        case: f"{it.cause if it.ok is False else it.ok} {it}" if isinstance(it, Feedback) else f"{it}".rstrip()
        for case, it in said.items()
    }
    found = "".join(f"{case}\n{indent(text, ' ' * 4)}\n" for case, text in with_cause.items())
    if os.environ.get("SAVE"):
        path.write_text(found, encoding="utf-8")
    read = path.read_text(encoding="utf-8").splitlines()
    assert found.splitlines() == read, f"run it with SAVE=1, and read what changes in {path.name}"


def check_cases(name, names):
    """The same of what each line of Python in that file gives, or is refused with; it knows `names` and much else."""
    public = {name: getattr(module, name) for module in (backprop_lab, ui) for name in module.__all__}
    modules = (equation, explanations, frame, layers_module, one_cell, parts, predictions, quiz, remarks)
    modules += (reopen, slips, slopes, sweeper_module, verdicts)
    by_name = {module.__name__.rpartition(".")[2]: module for module in modules} | {"terms_in": terms_in}
    names = public | vars(examples) | vars(own_parts) | globals() | by_name | names
    text = (Path(__file__).parent / "data" / f"{name}.txt").read_text(encoding="utf-8")
    check_said(name, {case: _outcome(case, names) for case in re.findall(r"^\S.*", text, re.MULTILINE)})


def _outcome(code, names):
    try:
        return eval(code, names)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def count(full, part=20):
    """A large number of cases: a twentieth of it in `make test`, or another part; all of it in `make release-check`.

    For each mutant of `make mutants` it is a tenth of that part again.
    """
    part *= 10 if os.environ.get("MUTANT_UNDER_TEST") else 1
    return full if os.environ.get("FULL_COUNTS") else max(1, full // part)


def notebooks(folder="."):
    """The notebooks in `notebooks/`, or in a folder of it, by name."""
    paths = sorted((Path(__file__).parents[1] / "notebooks" / folder).glob("*.ipynb"))
    return {path.name: nbformat.read(path, as_version=4) for path in paths}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
