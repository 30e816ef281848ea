"""The trace of one training step: its names in order, and that every line of code shown is the code that was run."""

import re
from fractions import Fraction
from itertools import groupby, product

import numpy as np
import pytest
from common import count, in_other_numbers, same_values, trained
from problems import ACTIVATIONS, LOSSES, identical, varied_problem

from backprop_lab import Sigmoid, random_problem, trace
from backprop_lab.lines import GradientDescent


def assert_every_line_gives_its_value(t):
    """Each line sees what was given and what the lines before it gave, and is its template, its names filled in."""
    values = {"X": t["X"], "y": t["y"], "lr": t["lr"], **t.problem.network.parameters}
    for step in t.steps:
        values[step.name] = eval(step.code, {"np": np}, values)
        assert identical(values[step.name], step.value), f"{step.name} = {step.code}"
        names = re.findall(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\(|=)", step.code)
        assert step.operands == tuple(dict.fromkeys(name for name in names if name in values))
        assert step.name == "L" or not step.value.flags.writeable
        assert step.template == step.kind.formulas[step.result]
        assert step.template.format_map(step.names) == step.code
        assert (step.kind is GradientDescent) == (step.phase == "update")
        assert step.phase != "backward" or step.value.shape == t[step.name.removeprefix("d")].shape


@pytest.mark.parametrize("exact", [False, True])
def test_the_code_shown_is_the_code_run_bit_for_bit_fractions_stay_exact_and_the_network_gives_the_same(exact):
    for problem in (varied_problem(seed, exact) for seed in range(count(500))):
        t, network = trace(problem), problem.network
        assert_every_line_gives_its_value(t)
        assert not exact or all(isinstance(number, int | Fraction) for a in t.values() for number in np.ravel(a))
        grads = network.gradients(problem.loss, problem.X, problem.y)
        assert identical(t["y_pred"], network.forward(problem.X))
        assert identical(t["L"], problem.loss.value(t["y_pred"], problem.y))
        assert all(identical(t[f"d{name}"], g) for name, g in grads.items())
        updated = problem.evolve(network=network.update(grads, problem.lr))
        assert same_values(trace(t.next_problem()), trace(updated))
        assert same_values(t, trace(problem))


def test_so_it_is_at_sizes_where_the_order_of_a_sum_matters_and_when_the_numbers_overflow():
    sizes = {"inputs": 50, "hidden": 70, "outputs": 130}
    large = [trace(random_problem(0, samples, **sizes, loss=loss)) for samples in (1, 300) for loss in LOSSES]
    lost = trained(random_problem(0, lr=10.0, activation=Sigmoid()), 400)
    assert not np.isfinite(lost["L"])
    with np.errstate(all="ignore"):
        for t in (*large, lost):
            assert_every_line_gives_its_value(t)


def test_float32_stays_float32_to_the_last_step():
    for activation, loss in product(ACTIVATIONS, LOSSES):
        t = trace(in_other_numbers(random_problem(0, activation=activation, loss=loss), np.float32))
        assert {t[name].dtype for name in t if name != "lr"} == {np.dtype("f4")}


def test_the_steps_go_forward_through_the_layers_and_back_as_in_a_mirror_and_stand_after_what_is_given():
    t = trace(random_problem(0, hidden=(4, 5)))
    phases = groupby(t.steps, lambda step: step.phase)
    assert [(phase, " ".join(step.name for step in steps)) for phase, steps in phases] == [
        ("forward", "Y1 H1 Y2 H2 y_pred"),
        ("loss", "L"),
        ("backward", "dy_pred dH2 dW3 db3 dY2 dH1 dW2 db2 dY1 dW1 db1"),
        ("update", "W1_new b1_new W2_new b2_new W3_new b3_new"),
    ]
    assert " ".join(t.given) == "X y W1 b1 W2 b2 W3 b3 lr"
    assert t.names == tuple(t) == (*t.given, *(step.name for step in t.steps))
    assert all(t.step(step.name) is step and t[step.name] is step.value for step in t.steps)


def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(example):
    for look_up, known in ((example.__getitem__, example.names), (example.step, [s.name for s in example.steps])):
        with pytest.raises(KeyError, match=f"'dX'.* {', '.join(known)}"):
            look_up("dX")


def test_the_shapes_that_meet_in_a_step_stand_where_its_names_do(example):
    shapes = {name: example.shapes(example.step(name)) for name in ("Y1", "L", "dW1", "W2_new")}
    assert shapes == {
        "Y1": "(2, 3) @ (3, 4) + (1, 4) -> (2, 4)",
        "L": "np.sum(((2, 2) - (2, 2)) ** 2) -> one number",
        "dW1": "(3, 2) @ (2, 4) -> (3, 4)",
        "W2_new": "(4, 2) - lr * (4, 2) -> (4, 2)",
    }
