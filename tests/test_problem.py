"""Problems: a seed gives the same one again, what one holds is read-only, and what does not fit is refused in words."""

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from common import check_cases
from own_parts import OWN_PROBLEMS, Scale, own_problem
from problems import identical

import backprop_lab
from backprop_lab import (
    Adam,
    Loss,
    Momentum,
    SoftmaxCrossEntropy,
    Tanh,
    one_hot,
    program,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.step.random_problems import redrawn


def numbers(problem):
    return [problem.X, problem.y, *problem.network.parameters.values()]


def test_the_same_seed_gives_the_same_problem_with_the_sizes_of_the_worked_example():
    p, again = random_problem(3), random_problem(np.int64(3), samples=np.int32(2), hidden=np.uint8(4))
    assert all(map(identical, numbers(p), numbers(again)))
    assert not identical(p.X, random_problem(4).X)
    assert [a.shape for a in numbers(p)] == [a.shape for a in numbers(worked_example())]
    assert (worked_example().lr, p.lr) == (1e-6, 1e-3)


@pytest.mark.parametrize("hidden", [4, [5, 3], ()])
def test_numbers_are_drawn_in_the_documented_order_and_scaled_for_own_data(hidden):
    sizes = {"samples": 6, "inputs": 2, "hidden": hidden, "outputs": 3, "activation": Tanh()}
    p, rng = random_problem(7, **sizes), np.random.default_rng(7)
    of_classes = random_problem(7, **sizes, loss=SoftmaxCrossEntropy())
    own = random_problem(7, **sizes, X=p.X.tolist(), y=of_classes.y, loss=SoftmaxCrossEntropy(), lr=0.5)
    again = redrawn(redrawn(own, 3), 7)  # which draws other weights for the same data
    assert (redrawn(own, None) is own, again.loss, again.lr) == (True, SoftmaxCrossEntropy(), 0.5)
    widths = [2, *([hidden] if hidden == 4 else hidden), 3]
    assert p.network.layers[1::2] == again.network.layers[1::2] == (Tanh(),) * (len(widths) - 2)
    for at, shape in enumerate(pairwise(widths)):
        W, b = rng.standard_normal(shape), np.zeros((1, shape[1]))
        for each, scale in ((p, 1), (of_classes, 1), (own, np.sqrt(shape[0])), (again, np.sqrt(shape[0]))):
            assert identical(each.network.layers[2 * at].W, W / scale)
            assert identical(each.network.layers[2 * at].b, b)
    X, y = rng.standard_normal((6, 2)), rng.standard_normal((6, 3))
    largest = np.eye(3)[y.argmax(axis=1)]  # marks the class
    for each, targets in ((p, y), (of_classes, largest), (own, largest), (again, largest)):
        assert all(map(identical, (each.X, each.y), (X, targets)))


def test_a_problem_has_its_own_read_only_copy_of_any_numbers():
    X, y = np.ones((2, 3), "f4"), [[Fraction(1, 2), 1], [0, 1]]
    view = X[:]
    view.setflags(write=False)
    p = replace(worked_example(), X=view, y=y, lr=Fraction(1, 3))
    X[0, 0] = y[0][0] = 99
    assert (p.X.dtype, p.X[0, 0], p.y[0, 0], p.lr) == (np.float32, 1, Fraction(1, 2), Fraction(1, 3))
    kinds = [replace(p, X=np.ones((2, 3), kind)).X.dtype for kind in ("i8", "i2")]
    assert kinds == [np.float64, np.float32], "as whole numbers would wrap round"
    assert identical(replace(p, X=np.array([[0.5, True, 2]] * 2, object)).X, np.array([[0.5, 1, 2]] * 2))
    table = type("Table", (), {"_mask": np.array([True]), "__array__": lambda *_, **__: p.X})()  # a column of that name
    assert identical(replace(p, X=table).X, p.X)
    assert not any(array.flags.writeable for array in (*numbers(p), *numbers(random_problem(0))))


def test_one_hot_has_a_column_for_each_class_sorted_or_in_the_order_given():
    assert identical(one_hot([2, 0, 2, 7]), np.eye(3)[[1, 0, 1, 2]])
    assert identical(one_hot(("Gentoo", "Adelie")), np.eye(2)[[1, 0]])
    assert identical(one_hot(np.array(["b", "a"]), ["b", "c", "a"]), np.eye(3)[[0, 2]])


def test_a_layer_keeps_its_numbers_unless_it_can_draw_them():
    p = OWN_PROBLEMS["parameter called a"]
    before, after = p.network.parameters, redrawn(p, 5).network.parameters
    assert [name for name in before if identical(before[name], after[name])] == ["a1"]
    drawn = type("Drawn", (Scale,), {"redrawn": lambda _, rng: Scale(a=[[rng.random()] * 3])})
    p, rng = own_problem(drawn(a=[[1.0, 2.0, 3.0]])), np.random.default_rng(5)
    rng.standard_normal((4, 3))  # the first layer's
    assert redrawn(p, 5).network.parameters["a1"].tolist() == [[rng.random()] * 3]


W, b = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([[10.0, 20.0, 30.0]])


def zeros(*shape):
    return np.zeros(shape)


def example(**parts):
    return replace(worked_example(), **parts)


MIXED = np.array([[1.0, "x", 2], [3.0, "y", 4]], object)  # as of a DataFrame with a column of text
FRAME = type("Frame", (), {"columns": ("age", "kind", "size"), "__array__": lambda *_, **__: MIXED})()


def recording(*_, **__):
    raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


RECORDING = type("Tensor", (), {"__array__": recording})()  # as one of PyTorch's


def test_what_does_not_fit_is_refused_with_the_sentence_that_somebody_has_read():
    check_cases("refused", globals())


@pytest.mark.parametrize(("made", "name", "wrong", "line"), [
    ("example(X=it)", "X", worked_example().X.T, "X.T"),
    ("random_problem(0, X=zeros(5, 3), y=it)", "y", zeros(2, 5), "y.T"),
    ("replace(random_problem(0, outputs=1), y=it)", "y", zeros(2), "np.reshape(y, (2, 1))"),
    ("random_problem(0, X=W, y=it)", "y", zeros(2), "np.reshape(y, (-1, 1))"),
    ("random_problem(0, X=W, y=it, loss=SoftmaxCrossEntropy())", "y", ["cat", "dog"], "one_hot(y)"),
    ("random_problem(0, X=it, y=W)", "X", [[1, None], [2, 3]], "np.array(X)[:, [0]].astype(float)"),
    ("random_problem(0, X=it, y=W)", "X", MIXED, " X[:, [0, 2]].astype(float)"),
    ("example(loss=SoftmaxCrossEntropy(), y=it)", "y", [0, 1], "one_hot(np.ravel(y).astype(int), 2)"),
    ("example(loss=SoftmaxCrossEntropy(), y=it)", "y", [[0.0], [1.0]], "one_hot(np.ravel(y).astype(int), 2)"),
    ("example(y=it)", "y", [1, 2], "one_hot(np.ravel(y).astype(int))"),
    ("replace(random_problem(0, outputs=3), y=it)", "y", [1, 3], "one_hot(np.ravel(y).astype(int), range(1, 4))"),
    ("random_problem(0, X=W, y=it)", "y", [1.0, 2.0], "one_hot(np.ravel(y).astype(int))"),
    ("one_hot(it).any()", "labels", [0.0, 1.0], "np.ravel(labels).astype(int)"),
    ("Linear(W, it)", "b", zeros(3), "np.reshape(b, (1, -1))"),
    ("Linear(it, b)", "W", W > 2, "np.asarray(W, float)"),
])  # fmt: skip
def test_the_line_that_a_refusal_names_makes_it_fit(made, name, wrong, line):
    scope = vars(backprop_lab) | globals()
    with pytest.raises(ValueError, match=re.escape(line)):
        eval(made, scope | {"it": wrong})
    assert eval(made, scope | {"it": eval(line, scope | {name: wrong})})


def test_the_lines_for_data_with_nan_leave_such_samples_out():
    scope = {"np": np, "X": np.array([[1, np.nan], [1, 1], [1, 1]]), "y": np.arange(3.0)[:, None]}
    with pytest.raises(ValueError, match="nan") as refusal:
        random_problem(0, X=scope["X"], y=scope["y"])
    exec(str(refusal.value).partition("out: ")[2], scope)
    assert random_problem(0, X=scope["X"], y=scope["y"]).y.tolist() == [[1], [2]]


@pytest.mark.parametrize("optimizer", [Momentum(0.9), Adam()])
def test_of_the_weights_of_another_seed_nothing_is_remembered_yet(optimizer):
    layers = random_problem(0, optimizer=optimizer)
    lines = program("h_new = h + np.sum(w)\nL = np.sum(w**2) + h", {"w": [1.0, 2.0]}, {"h": 0.5}, optimizer=optimizer)
    for p in (layers, lines):
        later, other = trace(p).next_problem(), redrawn(trace(p).next_problem(), 4)
        for name in p.lines.memories:
            assert np.any(later.state[name])
            assert not np.any(other.state[name])
    assert other.state["h"] == later.state["h"] == 3.5


class Hinge(Loss):
    formulas: ClassVar = {
        "L": "np.mean(np.maximum(0, 1 - {y} * {y_pred}))",
        "dy_pred": "-{y} * (1 - {y} * {y_pred} > 0) / {y}.size",
    }

    def check_targets(self, y):
        if not np.isin(y, (-1, 1)).all():
            raise ValueError("each target must be -1 or 1")


def test_a_loss_with_a_hinge_gets_targets_of_minus_1_and_1():
    for outputs in (1, 3):
        assert {*random_problem(0, outputs=outputs, loss=Hinge()).y.ravel()} == {-1, 1}
