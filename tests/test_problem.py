"""Problems: the same seed gives the same one, and what a problem holds is its own and read-only."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS, Scale, own_problem
from problems import identical

from backprop_lab import SoftmaxCrossEntropy, Tanh, one_hot, random_problem, worked_example
from backprop_lab.problem import kept_by_seeds, redrawn


def numbers(problem):
    return [problem.X, problem.y, *problem.network.parameters.values()]


def test_the_same_seed_gives_the_same_problem_with_the_sizes_of_the_worked_example():
    p, again = random_problem(3), random_problem(np.int64(3), samples=np.int32(2), hidden=np.uint8(4))
    assert all(map(identical, numbers(p), numbers(again)))
    assert not identical(p.X, random_problem(4).X)
    assert [a.shape for a in numbers(p)] == [a.shape for a in numbers(worked_example())]
    assert (worked_example().lr, p.lr) == (1e-6, 1e-3)


@pytest.mark.parametrize("hidden", [4, [5, 3], ()])
def test_numbers_are_drawn_in_the_documented_order_and_for_ones_own_data_divided_by_the_root_of_the_inputs(hidden):
    sizes = {"samples": 6, "inputs": 2, "hidden": hidden, "outputs": 3, "activation": Tanh()}
    p, rng = random_problem(7, **sizes), np.random.default_rng(7)
    of_classes = random_problem(7, **sizes, loss=SoftmaxCrossEntropy())
    own = random_problem(7, **sizes, X=p.X.tolist(), y=of_classes.y, loss=SoftmaxCrossEntropy())
    widths = [2, *([hidden] if hidden == 4 else hidden), 3]
    assert p.network.layers[1::2] == (Tanh(),) * (len(widths) - 2)
    for at, shape in enumerate(pairwise(widths)):
        W, b = rng.standard_normal(shape), np.zeros((1, shape[1]))
        for each, scale in ((p, 1), (of_classes, 1), (own, np.sqrt(shape[0]))):
            assert identical(each.network.layers[2 * at].W, W / scale)
            assert identical(each.network.layers[2 * at].b, b)
    X, y = rng.standard_normal((6, 2)), rng.standard_normal((6, 3))
    largest = np.eye(3)[y.argmax(axis=1)]  # marks the class
    for each, targets in ((p, y), (of_classes, largest), (own, largest)):
        assert all(map(identical, (each.X, each.y), (X, targets)))


@pytest.mark.parametrize("hidden", [4, (), [6, 1, 5]])
def test_a_seed_draws_other_weights_for_the_same_data_those_of_random_problem_to_the_bit(hidden):
    p = random_problem(2, 5, inputs=7, hidden=hidden, outputs=3, activation=Tanh(), loss=SoftmaxCrossEntropy(), lr=0.5)
    drawn = redrawn(p, 9)
    assert all(map(identical, numbers(drawn), numbers(random_problem(9, X=p.X, y=p.y, hidden=hidden))))
    assert (drawn.loss, drawn.lr, drawn.network.layers[1:2]) == (p.loss, p.lr, p.network.layers[1:2])
    assert redrawn(p, None) is p


def test_a_problem_has_its_own_read_only_copy_of_what_it_is_given_lists_and_any_kind_of_number():
    X, y = np.ones((2, 3), "f4"), [[Fraction(1, 2), 1], [0, 1]]
    view = X[:]
    view.setflags(write=False)
    p = replace(worked_example(), X=view, y=y, lr=Fraction(1, 3))
    X[0, 0] = y[0][0] = 99
    assert (p.X.dtype, p.X[0, 0], p.y[0, 0], p.lr) == (np.float32, 1, Fraction(1, 2), Fraction(1, 3))
    assert replace(p, X=[[1, 2, 3], [4, 5, 6]]).X.dtype == float, "as whole numbers would wrap round"
    assert not any(array.flags.writeable for array in (*numbers(p), *numbers(random_problem(0))))


def test_one_hot_has_a_column_for_each_class_sorted_or_in_the_order_given():
    assert identical(one_hot([2, 0, 2, 7]), np.eye(3)[[1, 0, 1, 2]])
    assert identical(one_hot(("Gentoo", "Adelie")), np.eye(2)[[1, 0]])
    assert identical(one_hot(np.array(["b", "a"]), ["b", "c", "a"]), np.eye(3)[[0, 2]])


def test_what_nobody_can_draw_keeps_its_numbers_and_is_told_and_a_layer_of_ones_own_may_draw_its_own():
    p = OWN_PROBLEMS["parameter called a"]
    before, after = p.network.parameters, redrawn(p, 5).network.parameters
    assert [name for name in before if identical(before[name], after[name])] == ["a2"]
    assert kept_by_seeds(p.network).startswith("a2 stays as given, whatever the seed: a Scale cannot draw")
    drawn = type("Drawn", (Scale,), {"redrawn": lambda _, rng: Scale(a=[[rng.random()] * 3])})
    p, rng = own_problem(drawn(a=[[1.0, 2.0, 3.0]])), np.random.default_rng(5)
    rng.standard_normal((4, 3))  # the first layer's
    assert redrawn(p, 5).network.parameters["a2"].tolist() == [[rng.random()] * 3]
    assert kept_by_seeds(p.network) == ""


def test_what_a_problem_has_not_is_no_change_of_it(example):
    with pytest.raises(TypeError, match=r"^a Problem has network, loss, X, y, lr; got W1\. Other weights: network"):
        example.problem.evolve(W1=[[1.0]])
