"""Memory that a sweep keeps from step to step: nothing is written over that is needed, and little is made anew."""

import tracemalloc
from unittest import mock

import numpy as np
import pytest
from common import count
from own_parts import OWN_PROBLEMS
from problems import identical
from random_programs import RandomProgram

from backprop_lab import OPTIMIZERS, program, random_problem, sweep
from backprop_lab.nn.memory import Repeated
from backprop_lab.nn.running import function_of
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS
from backprop_lab.training.sweep import FEW_RUNS

RATES = np.geomspace(1e-4, 1e-2, FEW_RUNS)
OPTIMIZED = {name: random_problem(1, optimizer=optimizer) for name, optimizer in OPTIMIZERS.items()}
EXAMPLES = {name: example() for name, example in EXAMPLE_PROGRAMS.items()}


def without_memory():
    return mock.patch.object(Repeated, "_shared", lambda self, made: [None] * len(made))


def assert_same_with_and_without_memory(problem):
    result = sweep([None], RATES, 6, problem=problem)
    with without_memory():
        other = sweep([None], RATES, 6, problem=problem)
    assert identical(result.loss, other.loss)
    assert all(identical(one, other.parameters[name]) for name, one in result.parameters.items())


@pytest.mark.parametrize("problem", [*OPTIMIZED.values(), *EXAMPLES.values(), *OWN_PROBLEMS.values()])
def test_a_run_is_the_same_to_the_bit_where_memory_is_kept(problem):
    assert_same_with_and_without_memory(problem)


def test_random_programs_are_the_same_to_the_bit_where_memory_is_kept():
    compared = 0
    for seed in range(count(2000, 10)):
        drawn = RandomProgram(seed)
        try:
            problem = program([f"{name} = {code}" for name, code in drawn.lines], drawn.parameters, drawn.data)
        except ValueError:
            continue
        if not problem.lines.not_stacked(problem.given, problem.loss_name):
            assert_same_with_and_without_memory(problem)
            compared += 1
    assert compared > count(2000, 10) / 8


def called_again_and_again(lines, replacing, given, times=5):
    """What some lines give as results in each of a few calls, by the functions with memory and without."""
    results, known = ("L", *replacing.values()), dict.fromkeys(given, 2)
    codes = tuple(tuple(line.split(" = ")) for line in lines)
    plain, taken_apart = (
        function_of(codes, tuple(given), results, tuple(known.items()), repeated=repeated) for repeated in (False, True)
    )
    functions = Repeated(taken_apart, taken_apart.operations, replacing), plain
    for function in functions:
        values, told = {name: np.array(value, order="F") for name, value in given.items()}, []
        for _ in range(times):
            loss, *new = function(*values.values())
            told.append([loss.copy(), *(np.array(each) for each in new)])
            values |= dict(zip(replacing, new, strict=True))
        yield told


def stacks(*names):
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal((FEW_RUNS, 3, 3)) for name in names}


@pytest.mark.parametrize(
    "lines",
    [
        ["A_new = A - 0.1 * B", "B_new = A_new.T", "L = np.sum(B)"],
        ["A_new = A - 0.1 * B", "B_new = B * 0.5 + 0.1", "L = np.sum(A)"],
        ["A_new = A - 0.1 * B", "B_new = A - 0.1 * B", "L = np.sum(B)"],
        ["A_new = A - 0.1 * B", "B_new = 0.5 * A", "L = np.sum(A_new)"],
        ["T = A.T", "A_new = A - 0.1 * B", "B_new = B * T", "L = np.sum(T)"],
        ["C = A", "A_new = A - 0.1 * B", "B_new = B * C", "L = np.sum(C)"],
        ["A_new = A", "B_new = B - 0.1 * A", "L = np.sum(A * B)"],
        ["S = A + B", "P = S @ S", "A_new = 0.1 * P + A", "B_new = np.tanh(B @ P)", "L = np.sum(P)"],
        ["S = A + B", "Q = S * S.T", "A_new = A - 0.1 * Q", "B_new = Q - S", "L = np.sum(Q)"],
        ["S = A + B", "Q = 2 * S", "R = Q - S", "A_new = A - 0.1 * R", "B_new = B - 0.1 * Q", "L = np.sum(S)"],
        ["S = A + B", "H = S[1:]", "Q = 2 * S", "A_new = 0.1 * Q", "B_new = B - 0.1 * Q", "L = np.sum(H)"],
        ["N = 2 * (A > 0)", "A_new = A - 0.1 * N", "S = A_new + B", "B_new = S * S", "L = np.sum(S)"],
        ["S = A + B", "Q = -S", "R = S**2", "A_new = A * (Q > 0)", "B_new = B - 0.1 * R", "L = np.sum(Q * R)"],
    ],
)
def test_nothing_is_written_over_that_somebody_still_needs(lines):
    with_memory, plain = called_again_and_again(lines, {"A": "A_new", "B": "B_new"}, stacks("A", "B"))
    for one, other in zip(with_memory, plain, strict=True):
        assert all(map(identical, one, other))


def test_numbers_that_become_wider_in_the_first_step_are_not_narrowed():
    given = {"A": stacks("A")["A"].astype("f4")}
    lines = ["S = A + 1", "A_new = S * np.sqrt(0.1)", "L = np.sum(S * S)"]
    with_memory, plain = called_again_and_again(lines, {"A": "A_new"}, given)
    assert plain[0][1].dtype == float
    for one, other in zip(with_memory, plain, strict=True):
        assert all(map(identical, one, other))


def test_from_the_third_step_on_parameters_are_replaced_where_they_lie_and_only_sums_are_new():
    p, runs, peaks = random_problem(0), 10_000, []
    names = [*p.lines.replacing]
    values = [
        np.array([value] * runs, order="F").reshape(runs, *(np.shape(value) or (1, 1))) for value in p.given.values()
    ]
    ranks = tuple(map(np.ndim, p.given.values()))
    step = p.lines.function(("L", *p.lines.replacing.values()), tuple(p.given), ranks, repeated=True)
    at = [[*p.given].index(name) for name in names]
    for call in range(5):
        before = [values[k] for k in at]
        tracemalloc.start()
        _, *new = step(*values)
        peaks.append(tracemalloc.get_traced_memory()[1] / runs / 8)
        tracemalloc.stop()
        for k, value in zip(at, new, strict=True):
            values[k] = value
        assert [one is other for one, other in zip(before, new, strict=True)] == [call > 1] * len(names)
    sums = sum(p.given[name].size for name in ("b1", "b2")) + 1
    assert peaks[0] > 80
    assert max(peaks[2:]) < sums + 3, "numbers a run: the gradients of the biases, the loss, and buffers"
