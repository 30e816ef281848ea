"""What layers, losses, networks and problems refuse, with a sentence that says what was given and what would fit."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import backprop_lab
from backprop_lab import Linear, worked_example

W, b = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([[10.0, 20.0, 30.0]])
LETTERS = np.array([["a", "b", "c"]])
for array in (W, b, LETTERS):  # so that they would be kept as they are
    array.setflags(write=False)


def zeros(*shape):
    return np.zeros(shape)


def linear(*shape):
    return Linear(np.ones(shape), np.zeros((1, shape[-1])))


def example(**parts):
    return replace(worked_example(), **parts)


def gradients(**data):
    p = worked_example()
    return p.network.gradients(p.loss, **{"X": p.X, "y": p.y} | data)


def update(**wrong):
    return worked_example().network.update(gradients() | wrong, 0.1)


def classes(y):
    return example(loss=backprop_lab.SoftmaxCrossEntropy(), y=y)


class Picky(backprop_lab.SumSquaredError):
    """A loss of a reader's own that takes no targets, and says so by accident."""

    def __repr__(self):
        return "Picky"

    def check_targets(self, y):
        raise TypeError("none today")


PROBABILITIES = "the targets of SoftmaxCrossEntropy are probabilities, one row a sample"
ROW = "b must be one row as wide as W, of shape (1, 3); got b"
NO_LOSS = "a loss needs formulas, value and gradient, as SumSquaredError() has; got"
UNEQUAL = "y_pred {0[0]} and y {0[1]} must have the same shape (samples, outputs)"
BROADCAST = [((3,), (3,)), ((3, 1), (3,)), ((3,), (3, 1)), ((3, 2), (3, 1)), ((3, 2), (1, 2))]
NO_RATES = ("np.nan", "np.inf", 0, -0.1, True, "'0.1'", None, "1j", "np.ones(2)", "np.bool_(True)")
NO_SAMPLES = ((2, 4), (3,), (0, 3), (5, 2, 3))
NO_SIZES = (-1, 2.5, 3.0, "'3'", True, [3], 0)
NO_SEEDS = (-1, 2.5, 3.0, "'3'", True, None, [3])


def each(code, sentence, *values):
    """A row for each value, which takes the place of every {}."""
    return [(code.format(value), sentence.format(value)) for value in values]


REFUSED = [
    # Layers
    *each("Linear(W, zeros{})", f"{ROW} {{}} for W (2, 3)", (3,), (3, 1), (2, 3), (1, 2), ()),
    *each("Linear(zeros(5, 2, 3), zeros{})", f"{ROW} {{}} for W (5, 2, 3)", (1, 2)),
    ("Linear(zeros(5, 2, 3), zeros(4, 1, 3))", "a stack has as many b as W; got b (4, 1, 3) for W (5, 2, 3)"),
    *each("Linear(zeros{}, b)", "W must have shape (inputs, outputs), such as (3, 4); got {}", (3,), (0, 3), (3, 0)),
    *each("Linear({}, b)", "W must be a full table of numbers, but its rows differ in length", [[1, 2], [3]]),
    ("Linear(np.ma.masked_less(W, 9), b)", "W must hold a number in every cell, but some are masked: fill them first"),
    ("Linear('W', b)", "W must hold numbers, got <U1: 'W'"),
    ("Linear(W > 2, b)", "W must hold numbers, got bool"),
    ("Linear([[1.0, None]], b)", "W must hold numbers, got object"),
    ("Linear(W, LETTERS)", "b must hold numbers"),
    ("Linear(W, b).with_parameters({'W': W, 'b': linear(2, 4).b})", f"{ROW} (1, 4) for W (2, 3)"),
    ("Linear(W, b).with_parameters({'W': W, 'b': LETTERS})", "b must hold numbers"),
    ("Linear(W, b).with_parameters({'W': LETTERS, 'b': b})", "W must hold numbers"),
    *each("Linear(W, b).forward(zeros{})", "X {} does not fit W (2, 3): X needs", (2, 3), (2,), (5, 2, 1)),
    # Losses, of shapes that would broadcast
    *each("SumSquaredError().value(zeros{0[0]}, zeros{0[1]})", UNEQUAL, *BROADCAST),
    *each("SumSquaredError().gradient(zeros{0[0]}, zeros{0[1]})", UNEQUAL, *BROADCAST),
    *each("HalfSquaredError().value(zeros{0[0]}, zeros{0[1]})", UNEQUAL, *BROADCAST),
    *each("HalfSquaredError().gradient(zeros{0[0]}, zeros{0[1]})", UNEQUAL, *BROADCAST),
    *each("MeanSquaredError().value(zeros{0[0]}, zeros{0[1]})", UNEQUAL, *BROADCAST),
    *each("MeanSquaredError().gradient(zeros{0[0]}, zeros{0[1]})", UNEQUAL, *BROADCAST),
    *each("SoftmaxCrossEntropy().value(zeros{0[0]}, zeros{0[1]})", UNEQUAL, *BROADCAST),
    *each("SoftmaxCrossEntropy().gradient(zeros{0[0]}, zeros{0[1]})", UNEQUAL, *BROADCAST),
    # Targets that are no probabilities
    *each(
        "classes({})",
        f"{PROBABILITIES}: none is negative, and a row adds up to 1, as one_hot(labels) gives them; "
        "row 1 of y is {0[1]}",
        [[0, 1.0], [-0.5, 1.5]],
        [[0.5, 0.5], [0.5, 0.50001]],
        [[0, 1.0], [0.0, 0.0]],
    ),
    ("classes([[0, 1], [1, np.nan]])", "row 1 of y is [1.0, nan]"),
    ("classes([0, 1])", "y must have shape (2, 2), one row of targets a sample; got (2,)"),
    ("SoftmaxCrossEntropy().check_targets(zeros(2))", f"{PROBABILITIES}; got y of shape (2,): of labels, one_hot("),
    ("random_problem(3, outputs=1, loss=SoftmaxCrossEntropy())", "y of shape (2, 1), and one score alone always has"),
    ("example(loss=Picky())", "Picky.check_targets stopped with TypeError: none today"),
    # Networks
    ("Network(())", "a network starts with a layer that has parameters, such as Linear; got ()"),
    ("Network((ReLU(), linear(2, 3)))", "has parameters, such as Linear; got (ReLU(), Linear(2, 3))"),
    ("Network((linear(2, 3), ReLU(), Tanh()))", "layer 3, Tanh(), follows another layer without parameters: put one"),
    ("Network((Linear,))", "layer 1 is Linear itself, and a network needs one that was made of it"),
    ("Network((linear(2, 3), np.tanh))", "layer 2, <ufunc 'tanh'>, lacks parameters, formulas, forward, backward; a"),
    ("Network((linear(2, 3), linear(3, 4), linear(3, 4)))", "layer 3, Linear(3, 4), takes 3 numbers a sample, but Li"),
    ("Network((linear(6, 3, 4), ReLU(), linear(6, 5, 2)))", "takes 5 numbers a sample, but Linear(6, 3, 4) before it"),
    ("gradients(X=zeros(2, 4))", "X (2, 4) does not fit W (3, 4): X needs shape (samples, 3)"),
    *each("gradients(y=zeros{})", "y_pred (2, 2) and y {} must have the same shape", (2, 1), (1, 2), (3, 2)),
    ("worked_example().network.update({}, 0.1)", "no gradient for W1; got none"),
    ("worked_example().network.update({'W1': np.zeros((3, 4))}, 0.1)", "no gradient for b1; got W1"),
    *each("update(b1=zeros{})", "the gradient for b1 has shape {}, but b1 has (1, 4)", (4,), (2, 4), (), (5, 1, 4)),
    ("worked_example().network.with_parameters({'W1': W, 'b2': b})", "no numbers for b1, W2; got W1, b2"),
    ("example().network.with_parameters({**example().network.parameters, 'W2': zeros(3, 2)})", "takes 3 numbers a s"),
    ("worked_example().network.with_parameters({})", "no numbers for W1, b1, W2, b2; got none"),
    # Labels
    ("one_hot(['a', 'b'], classes=['a', 'c'])", "labels[1] is 'b', which is none of the classes 'a', 'c'"),
    *each(
        "one_hot([0, {0}], classes=3)", "labels[1] is {0!r}, which is none of the whole numbers below classes=3", 3, -1
    ),
    ("one_hot(['cat'], 2)", "labels[0] is 'cat', which is none of the whole numbers below classes=2"),
    ("one_hot(['a'], ['a', 'b', 'a'])", "classes must have each name once, in the order of the columns; got ['a', 'b'"),
    *each(
        "one_hot([0], classes={})", "classes must be a whole number, 1 or more, or the names of the cl", 0, 2.5, True
    ),
    *each("one_hot(['a'], classes={})", "classes must be a row of whole numbers or strings, such as", "'abc'", []),
    *each(
        "one_hot({})",
        "labels must be a row of whole numbers or strings, such as [0, 2",
        "3",
        "[]",
        "[[1], [2]]",
        "'ab'",
    ),
    *each(
        "one_hot([1, {0}])",
        "labels must be whole numbers or strings, such as 2 or 'cat'; labels[1] is {0}",
        0.5,
        "None",
    ),
    ("one_hot([1, 'a'])", "labels must be all whole numbers or all strings, and some are strings; got [1, 'a']"),
    # Problems
    *each("example(lr={})", "the learning rate must be a positive, finite number such as 0.01; got", *NO_RATES),
    ("example(lr=np.longdouble('1e400'))", "the learning rate must be a positive, finite number such as 0.01; got"),
    *each("random_problem({})", "the seed must be a whole number, 0 or more, such as 3; got {}", *NO_SEEDS),
    *each("random_problem(3, samples={})", "samples must be a whole number, 1 or more; got {}", *NO_SIZES),
    *each("random_problem(3, {}=0)", "{} must be a whole number, 1 or more; got 0", "inputs", "hidden", "outputs"),
    *each("random_problem(3, X={0})", "X and y belong together, a row of each for a sample; got X alone", [[1]]),
    ("random_problem(3, y=[[1]])", "X and y belong together, a row of each for a sample; got y alone"),
    *each(
        "random_problem(3, X=zeros{}, y=zeros(2, 1))",
        "X must have shape (samples, inputs), with at least",
        (2,),
        (0, 3),
    ),
    (
        "random_problem(3, X=zeros(2, 3), y=zeros(2))",
        "got (2,): np.reshape(y, (-1, 1)) makes one output of it, and one_",
    ),
    *each(
        "random_problem(3, X=zeros(2, 3), y=zeros{})",
        "y must have shape (2, outputs), a row for each of X (2, 3); got {}",
        (3, 2),
        (2, 0),
        (2, 1, 1),
    ),
    ("random_problem(3, X=[[1], ['a']], y=[[1], [2]])", "X must hold numbers"),
    *each(
        "random_problem(3, {0[0]}, X=zeros(5, 3), y=zeros(5, 4))",
        "{0[1]}, but X (5, 3) and y (5, 4) have {0[2]}: l",
        ("samples=2", "samples is 2", 5),
        ("inputs=2", "inputs is 2", 3),
        ("outputs=2", "outputs is 2", 4),
    ),
    *each("example(loss={})", NO_LOSS, "SumSquaredError", "'mean'", None, "np.mean"),
    *each("example(X=zeros{})", "X must have shape (samples, 3) with at least one sample; got {}", *NO_SAMPLES),
    *each("example(y=zeros{})", "y must have shape (2, 2), one row of targets a sample; got {}", (2,), (2, 1), (3, 2)),
    ("example(network=Network((linear(3, 2), ReLU())), y=zeros(2, 3))", "y must have shape (2, 2), one row of targets"),
    ("example(y=[['a', 'b'], ['c', 'd']])", "y must hold numbers"),
    ("example(network=Network((linear(5, 3, 2),)))", "a problem has one network, not a stack of them; got Network(Li"),
]


@pytest.mark.parametrize(("code", "sentence"), REFUSED, ids=[code for code, _ in REFUSED])
def test_what_does_not_fit_is_refused_with_a_sentence(code, sentence):
    missing = sentence.startswith("no ")  # what is looked up by name, and is not there
    with pytest.raises(KeyError if missing else ValueError) as refusal:
        eval(code, vars(backprop_lab) | globals())
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    "lr", [1, 10**20, Fraction(1, 3), np.float16(0.1), np.float32(0.1), np.longdouble(0.1), np.int8(1)]
)
def test_a_learning_rate_is_a_number_of_any_kind(lr):
    assert example(lr=lr).lr is lr
