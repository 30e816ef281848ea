"""The networks of many courses as programs: right, and with numbers that a person can follow."""

import inspect

import numpy as np
import pytest
from random_programs import gradients_by_autograd

from backprop_lab import prove, trace
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS


@pytest.mark.parametrize("name", EXAMPLE_PROGRAMS)
def test_every_gradient_of_an_example_is_proved_and_is_what_autograd_finds(name):
    p = EXAMPLE_PROGRAMS[name]()
    t = trace(p)
    gradients = [step for step in t.steps if step.role == "gradient"]
    assert {*p.parameters} <= {step.of for step in gradients}
    assert {step.name for step in gradients if not prove(t, step.name).agrees} == set()
    found = gradients_by_autograd([(s.name, s.code) for s in t.steps if s.phase in ("forward", "loss")], t.given,
                                  [*p.parameters], p.loss_name)  # fmt: skip
    for each, expected in found.items():
        np.testing.assert_allclose(t[f"d{each}"], expected, rtol=1e-10, atol=1e-14, err_msg=each)


@pytest.mark.parametrize("name", EXAMPLE_PROGRAMS)
def test_the_loss_of_an_example_falls_in_each_of_twenty_steps(name):
    p, losses = EXAMPLE_PROGRAMS[name](), []
    for _ in range(21):
        t = trace(p)
        p = t.next_problem()
        losses.append(float(t[p.loss_name]))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", EXAMPLE_PROGRAMS)
def test_the_numbers_of_an_example_are_short_and_its_gradients_can_be_seen(name):
    p = EXAMPLE_PROGRAMS[name]()
    t = trace(p)
    for given, value in (p.parameters | p.data).items():
        assert np.array_equal(value, np.round(1.0 * value, 1)), given
        assert np.size(value) <= 30
    for step in t.steps:
        if step.role == "gradient":
            assert 0.02 < np.abs(step.value).max() < 20, step.name


@pytest.mark.parametrize("name", EXAMPLE_PROGRAMS)
def test_an_example_says_in_a_sentence_what_it_is_and_where_it_comes_from(name):
    first, *_, last = inspect.getdoc(EXAMPLE_PROGRAMS[name]).split("\n\n")
    assert first.partition("\n")[0].endswith(".")
    assert "Source: " in last
