"""Every layer, loss, penalty and optimizer of ours in every place where a problem goes; a new one joins by its name."""

import copy
import pickle
from dataclasses import replace
from inspect import signature
from unittest import mock

import numpy as np
import pytest
from common import in_other_numbers, same_values, trained
from problems import identical, targets_of

import backprop_lab
from backprop_lab import (
    ACTIVATIONS,
    LOSSES,
    MISTAKES,
    OPTIMIZERS,
    Dropout,
    Layer,
    Linear,
    Loss,
    Network,
    Optimizer,
    Penalty,
    Problem,
    SumSquaredError,
    Tanh,
    check,
    check_gradients,
    plant,
    prove,
    sweep,
    trace,
)
from backprop_lab.course.predictions import asked_before, question
from backprop_lab.nn.lines import Part, evaluate
from backprop_lab.nn.norms import NORMS
from backprop_lab.step.random_problems import fitting, redrawn
from backprop_lab.training.curvature import sharpness
from backprop_lab.training.history import that_fit
from backprop_lab.training.sweep import in_floats
from backprop_lab.ui import Exercises, MistakeLab, StepThrough
from backprop_lab.ui.standalone import opened
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.recording import record
from backprop_lab.ui.steps.script import numpy_script
from backprop_lab.ui.steps.setup import PENALTIES, Setup

OURS = [getattr(backprop_lab, name) for name in backprop_lab.__all__]
PARTS = [each for each in OURS if isinstance(each, type) and issubclass(each, Part) and each.formulas]


def made(kind, wide=3):
    """One of a class: its parameters drawn, and any other number that it asks for 0.3; an optimizer with a decay."""
    rng = np.random.default_rng(1)
    if issubclass(kind, Linear):
        return kind(rng.standard_normal((wide, wide)), rng.standard_normal((1, wide)))
    if kind.learnt:
        return kind(*(rng.standard_normal((1, wide)) for _ in kind.learnt))
    asked = [each for each in signature(kind).parameters.values() if each.default is each.empty]
    asked = [each for each in asked if each.kind is each.POSITIONAL_OR_KEYWORD]
    return kind(*[0.3] * len(asked), **({"decay": 0.05} if issubclass(kind, Optimizer) else {}))


def problem_with(kind):
    """Five samples, with a part of this kind, and after two updates: so something is remembered."""
    part, rng = made(kind), np.random.default_rng(0)
    loss = part if isinstance(part, Loss) else SumSquaredError()
    layers = [Linear(rng.standard_normal((4, 3))), part if isinstance(part, Layer) else Tanh()]
    layers.append(Linear(rng.standard_normal((3, 2)), rng.standard_normal((1, 2))))
    others = {name: part for name, base in (("penalty", Penalty), ("optimizer", Optimizer)) if isinstance(part, base)}
    X, y = rng.standard_normal((5, 4)), targets_of(loss, rng.standard_normal((5, 2)))
    return trained(Problem(Network(fitting(layers, loss)), loss, X, y, 0.01, **others), 2).problem


def keeps(problem, other):
    """Whether another problem has the same kinds of parts, and remembers the same."""
    kinds, others = ([(type(p), p.own_numbers()) for p in each.parts] for each in (problem, other))
    return kinds == others and problem.state.keys() == other.state.keys()


def the_code_shown_is_the_code_run(p):
    t = trace(p)
    for step in t.steps:
        assert identical(np.asarray(evaluate(step.code, t)), np.asarray(step.value))


def each_gradient_is_proved(p):
    t = trace(p)
    assert [step.name for step in t.steps if step.role == "gradient" and not prove(t, step.name).agrees] == []
    assert max(check_gradients(p).values()) < 1e-6


def training_goes_on_as_step_by_step(p):
    one = trace(p).next_problem()
    assert keeps(p, one)
    assert identical(trace(p).next_loss(), trace(one)["L"])
    assert same_values(trace(p.trained([0.01, 0.02])), trace(trace(one.evolve(lr=0.02)).next_problem()))


def each_right_answer_is_right(p):
    t = trace(p)
    for step in t.steps:
        assert check(step.name, np.array(step.value), t)


def each_mistake_that_changes_something_is_planted_and_named(p):
    t = trace(p)
    for mistake in MISTAKES.values():
        for name in mistake.possible_at(t):
            wrong = plant(t, mistake, name)
            assert wrong.step(name).title == mistake.title
            feedback = check(name, wrong[name], t)
            assert feedback.ok or mistake.name in feedback.cause or not np.isfinite(wrong[name]).all(), mistake.name


def a_run_of_a_sweep_is_that_run_done_alone(p):
    for lrs in ((1e-3, 1e-2), np.geomspace(1e-3, 1e-2, 130)):  # side by side too, and in two rounds
        with mock.patch("backprop_lab.training.sweep.ROUND_STEPS", 4):
            result = sweep([None, 3], lrs, steps=6, problem=p)
        alone = redrawn(p, 3).evolve(lr=lrs[-1])
        losses = []
        for _ in range(7):
            losses.append(trace(alone)["L"])
            alone = trace(alone).next_problem()
        np.testing.assert_allclose(result.loss[1, -1], losses, rtol=1e-11)
        assert keeps(p, result.problem(3, lrs[-1]))


def it_is_pickled_and_copied(p):
    for again in (pickle.loads(pickle.dumps(p)), copy.deepcopy(p), replace(p, lr=p.lr)):
        assert same_values(trace(again), trace(p))


def single_precision_stays(p):
    single = in_other_numbers(p, np.float32)
    single = single.evolve(state={n: a.astype(np.float32) for n, a in p.state.items() if n != "step"})
    t = trace(single)
    floats = [t[name] for name in t if name not in ("lr", "step") and np.asarray(t[name]).dtype != bool]
    assert {np.asarray(each).dtype for each in floats} == {np.dtype("f4")}
    assert keeps(p, in_floats(single))


def a_seed_and_a_menu_keep_it(p):
    for other in (redrawn(p, 5), Setup("as given", given=p, seed=5).problem()):
        assert keeps(p, other)
    choices = Setup("as given", given=p).choices()
    menu = Setup(
        "as given", given=p, **{name: each[-1] for name, each in choices.items() if name in LAYER_MENUS}
    ).problem()
    assert [type(each) for each in menu.parts[-1:]] == [type(p.optimizer)]
    assert menu.penalty == p.penalty


def exercises_are_about_it(p):
    ask = Exercises(p)
    assert all(keeps(p, t.problem) for t in ask.traces)
    assert len({t["X"].shape for t in ask.traces}) == 3, "in three sizes"
    for step in ask.traces[0].steps:
        names = ", ".join(step.operands)
        answer = eval(f"lambda {names}: {step.code}", {"np": np, "math": __import__("math")})
        assert ask(step.name, answer).feedback.ok, str(ask(step.name, answer).feedback)


def the_lab_steps_through_it(p):
    lab = StepThrough(p)
    lab._heard("page", {"map": [900, 400], "operation": [400, 200], "ratio": 1.0, "dark": False})
    for _ in range(2):
        for _ in lab.stepper.place.trace.steps:
            lab.stepper.next()
            card = words.card(lab.stepper.place)
            assert card["sentence"], f"{card['code']} has no row in reading/words.txt"
        lab.stepper.next()
    assert keeps(p, lab.stepper.place.trace.problem)


def questions_about_it_are_judged(p):
    t, rng = trace(p), np.random.default_rng(0)
    for step in t.steps:
        if cell := asked_before(t, step, rng):
            asked = question(t, cell)
            assert asked.text
            assert sum(asked.judge(choice)[0] for choice in asked.choices) <= 1


def a_script_gives_it(p):
    found = {"print": lambda *_, **__: None}
    exec(numpy_script(trace(p)), found)
    assert all(identical(np.asarray(found[step.name]), np.asarray(step.value)) for step in trace(p).steps)


def a_link_opens_it_again(p):
    lab = StepThrough(p)
    assert same_values(opened(lab.link().partition("#")[2]).trace, lab.trace)


def a_call_opens_it_again(p):
    choices = Setup("as given", given=p).choices()
    chosen = {name: each[-1] for name, each in choices.items() if name in LAYER_MENUS}
    lab = StepThrough(p, seed=3, iteration=1, step="L", **chosen)
    again = eval(lab.call(), {"StepThrough": StepThrough, "problem": p})
    assert again.call() == lab.call()
    assert same_values(again.trace, lab.trace)


def what_is_remembered_is_edited_and_undone(p):
    stepper = StepThrough(p).stepper
    for name in p.replaced:
        stepper.choose((name, 0, 0))
        stepper.edit(0.125)
        assert stepper.place.trace[name][0, 0] == 0.125
        assert keeps(p, stepper.place.trace.problem)
        stepper.restart()
        assert same_values(stepper.place.trace, trace(p))


def a_walk_and_a_picture_keep_it(p):
    with mock.patch("backprop_lab.ui.steps.recording._pictures"):  # which take seconds
        kept = record(StepThrough(p).stepper)
    assert kept["names"] == [name for name in trace(p) if name != "lr"]
    assert StepThrough(p)._saved("svg").startswith(b"<?xml")


def a_mistake_lab_is_about_it(p):
    lab = MistakeLab(p)
    names = [name for _, name in lab._mistake.options if name]
    assert names == [*that_fit(MISTAKES, p)]
    for name in {*names[:1], *names[-1:]}:
        lab._mistake.value = name
        assert lab.lab.stepper.place.mistake == name
    assert keeps(p, lab.lab.trace.problem)


def a_menu_has_it(p):
    """Each class of ours is in a menu of the lab, or is there already: a Linear."""
    choices = Setup("random").choices()
    tables = {"activation": ACTIVATIONS, "norm": NORMS, "loss": LOSSES, "penalty": PENALTIES, "optimizer": OPTIMIZERS}
    parts = [table[name] for menu, table in tables.items() for name in choices[menu] if name != "none"]
    kinds = {part if isinstance(part, type) else type(part) for part in parts}
    assert {type(part) for part in p.parts} <= kinds | {Linear, Dropout}


def its_curvature_is_told(p):
    assert np.isfinite(sharpness(p))


LAYER_MENUS = ("activation", "norm", "dropout")
PLACES = [
    the_code_shown_is_the_code_run,
    each_gradient_is_proved,
    training_goes_on_as_step_by_step,
    each_right_answer_is_right,
    each_mistake_that_changes_something_is_planted_and_named,
    a_run_of_a_sweep_is_that_run_done_alone,
    it_is_pickled_and_copied,
    single_precision_stays,
    a_seed_and_a_menu_keep_it,
    exercises_are_about_it,
    the_lab_steps_through_it,
    questions_about_it_are_judged,
    a_script_gives_it,
    a_link_opens_it_again,
    a_call_opens_it_again,
    what_is_remembered_is_edited_and_undone,
    a_walk_and_a_picture_keep_it,
    a_mistake_lab_is_about_it,
    a_menu_has_it,
    its_curvature_is_told,
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_with_each_part_of_ours(kind, place):
    place(problem_with(kind))
