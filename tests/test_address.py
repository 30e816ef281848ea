"""A link to the lab: what it holds is read as data, and whatever is no place in the lab is refused with a sentence."""

import re
from fractions import Fraction
from typing import ClassVar
from urllib.parse import unquote_plus

import numpy as np
import pytest
from common import same_values, tell, trained, view_of
from own_parts import OWN_PROBLEMS, own_problem

from backprop_lab import (
    ACTIVATIONS,
    L2,
    LOSSES,
    Adam,
    BatchNorm,
    Dropout,
    GradientDescent,
    LeakyReLU,
    Linear,
    Momentum,
    Nesterov,
    random_problem,
    trace,
)
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS
from backprop_lab.step.examples import mazur
from backprop_lab.ui.standalone import opened
from backprop_lab.ui.steps.address import ARRAYS, LONGEST, READ, address_of, place_in
from backprop_lab.ui.steps.lab import StepThrough
from backprop_lab.ui.steps.setup import STARTS

PLACES = [
    {},
    {"start": "random", "seed": 3, "lr": 0.05, "iteration": 2, "step": "dW1", "cell": "dW1[1,0]"},
    {"step": "L", "cell": "L"},
    {"start": "dead ReLU", "samples": 4, "inputs": 2, "hidden": 5, "layers": 2, "outputs": 1, "activation": "Tanh"},
    {"start": "iris", "seed": 10**30, "loss": "mean of squares", "questions": "tour"},
    {"lr": 1e-05, "mistake": "sign-flipped", "hide": ["lr", "seed"], "large": True},
    {"start": "xor", "limit": [5.0, 0.1]},
    {"start": "random", "seed": 3, "optimizer": "Adam", "iteration": 2, "step": "mhatW1"},
    {"start": "mazur", "optimizer": "Nesterov momentum", "step": "vW1_new"},
    {"start": "random", "samples": 5, "norm": "BatchNorm", "dropout": "0.5", "penalty": "L2(0.1)", "step": "R"},
]


def test_a_link_opens_the_lab_where_its_call_does_and_holds_all_of_it():
    for place in PLACES:
        assert place_in(address_of(place)) == place
        assert opened(address_of(place)).call() == StepThrough(**place).call()
    assert {"network", "count", "then", *ARRAYS}.union(*PLACES) == READ.keys()


def random_lab(seed):
    """A lab at a random start or with one's own numbers, one of them typed over, the learning rate moved on the way."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        hidden = rng.integers(1, 4, rng.integers(1, 4)).tolist()
        activation, loss = (list(table.values())[rng.integers(len(table))] for table in (ACTIVATIONS, LOSSES))
        sizes = {"samples": int(rng.integers(1, 4)), "outputs": int(rng.integers(2, 4))}
        problem = random_problem(seed, **sizes, hidden=hidden, activation=activation, loss=loss)
        lab = StepThrough(problem, seed=seed if seed % 3 else None)
    else:
        programs = {*EXAMPLE_PROGRAMS} if seed % 4 > 1 else set()  # a link holds no other numbers of one
        lab = StepThrough(start=str(rng.choice(sorted({*STARTS} - {"worked example", "iris"} - programs))), seed=seed)
    if seed % 4 > 1:
        lab.stepper.choose((str(rng.choice(["X", "W1", "b1"])), 0, 0), pinned=True)
        lab.stepper.edit(float(rng.normal() * 10 ** rng.uniform(-30, 1)))
    for _ in range(3):
        lab.stepper.set_lr(float(10 ** rng.uniform(-4, -1)))
        for _ in range(rng.integers(20)):
            lab.stepper.next()
    if seed % 3:
        lab.stepper.choose((next(iter(lab.trace.problem.parameters)), 0, 0), pinned=True)
    return lab


@pytest.mark.parametrize("lab", [*range(20), mazur(), random_problem(1, optimizer=Adam())], ids=str)
def test_a_link_that_a_lab_gives_opens_the_same_state_number_by_number(lab):
    lab = random_lab(lab) if isinstance(lab, int) else StepThrough(lab, step="dW1")
    again = opened(lab.link().partition("#")[2])
    one, other = lab.stepper.place, again.stepper.place
    assert again.link() == lab.link()
    assert (one.iteration, one.index, one.lr) == (other.iteration, other.index, other.lr)
    assert (one.cell if one.pinned else None, [*lab.stepper.losses]) == (other.cell, [*again.stepper.losses])
    assert same_values(one.trace, other.trace)
    assert one.scales == other.scales


class Decaying(Momentum):
    formulas: ClassVar = Momentum.formulas | {"new": "{p} - {lr} * {v_new} / {step}"}


def with_other_eps():
    norm = BatchNorm(np.ones((1, 3)), np.zeros((1, 3)))
    vars(norm)["eps"] = 0.1
    return own_problem(norm)


@pytest.mark.parametrize("sizes", [(8, 4, 10, 3), (8, 8, 16, 4)])
def test_a_network_of_ordinary_size_fits_into_a_link(sizes):
    samples, inputs, hidden, outputs = sizes
    problem = random_problem(3, samples, inputs, hidden, outputs)
    again = opened(StepThrough(problem, step="dW1").link().partition("#")[2])
    assert same_values(again.trace, trace(problem))


NO_LINK = {
    "an optimizer": (
        random_problem(1, optimizer=Decaying()),
        "holds no code, so no Decaying of your own: only the opt",
    ),
    "a norm that was changed": (with_other_eps(), "the layers .* as they are, and BatchNorm.* has been changed"),
    "numbers of another kind": (random_problem(1, penalty=L2(Fraction(1, 3))), "of the kind float64, and L2.* has oth"),
    "a layer": (OWN_PROBLEMS["leaky ReLU"], "A link holds no code, so no LeakyReLU of your own"),
    "ours with a line of its own": (OWN_PROBLEMS["Linear with its own formula"], "so no Dotted of your own"),
    "a loss": (OWN_PROBLEMS["Huber"], "so no Huber of your own"),
    "too much to remember": (
        trained(random_problem(1, inputs=40, optimizer=Adam()), 3).problem,
        "up to 6,000 characters of X, y, weights and biases and what is remembered, and these",
    ),
    "too much": (random_problem(1, samples=4, inputs=90), "up to 6,000 characters of X, y, .*, and these 742 numbers"),
    "float32": (random_problem(1).evolve(X=np.ones((2, 3), "float32")), "of the kind float64, and X has others"),
}


NUMBERED = {  # parts with numbers of their own, as they stand in a link
    "network=Linear,LeakyReLU(0.2),Dropout(0.25,7),Linear": {"layers": [LeakyReLU(0.2), Dropout(0.25, 7)]},
    "network=Linear,BatchNorm,Linear": {"layers": [BatchNorm([[1.0, 2.0, -1.0]], [[0.0, 0.5, 1.0]])]},
    "penalty=L2(0.1)": {"penalty": L2(0.1)},
    "optimizer=Adam(0.5)": {"optimizer": Adam(0.5)},
    "optimizer=Adam(0.9,0.999,1e-08,0.01)": {"optimizer": Adam(decay=0.01)},
    "optimizer=Nesterov momentum(0.5)": {"optimizer": Nesterov(0.5)},
    "optimizer=gradient descent(0.5)": {"optimizer": GradientDescent(decay=0.5)},
}


@pytest.mark.parametrize("text", NUMBERED)
def test_a_link_holds_the_numbers_of_parts_and_what_is_remembered(text):
    changes = dict(NUMBERED[text])
    p = own_problem(*changes.pop("layers", []), first=Linear(own_problem().parameters["W1"]))
    p = trained(p.evolve(**changes), 1).problem
    link = StepThrough(p).link()
    assert text in unquote_plus(link)
    again = opened(link.partition("#")[2])
    assert same_values(again.trace, trace(p))
    assert same_values(trained(again.trace.problem, 2), trained(p, 2))


def test_a_change_on_the_way_stands_in_a_link_with_all_that_is_remembered():
    lab = StepThrough(seed=3, optimizer="Adam", dropout=0.5, norm="BatchNorm", hidden=2, samples=3, iteration=2)
    lab.stepper.choose(("mW1", 0, 1), pinned=True)
    lab.stepper.edit(0.25)
    again = opened(lab.link().partition("#")[2])
    assert again.link() == lab.link()
    assert "&count=3&" in lab.link()
    assert same_values(again.trace, lab.trace)


def test_a_lab_and_copy_link_say_what_no_link_can_hold(monkeypatch):
    monkeypatch.setenv("BACKPROP_LAB_SITE", "https://example.org/lab")
    lab = StepThrough(step="dW1")
    assert lab.link() == view_of(lab).state["below"]["link"] == "https://example.org/lab/run/open/#step=dW1"
    for problem, sentence in NO_LINK.values():
        lab = StepThrough(problem)
        with pytest.raises(ValueError, match=sentence) as refused:
            lab.link()
        tell(lab, "do", {"what": "link"})
        assert (view_of(lab).state["below"]["link"], view_of(lab).note["text"]) == ("", str(refused.value))


HOSTILE = [
    "code=print(1)&execute=1", "__class__=x", "X=1", "=1", "seed", "seed=", "seed=-1", "seed=1.5", "seed=0x10",
    "seed=1_000", "seed=\N{ARABIC-INDIC DIGIT THREE}", "seed=3&seed=4", "seed=__import__('os')", "seed=3%00", "lr=nan",
    "lr=-1", "lr=1e9999", "lr=1/3", "lr=0.1%0A", "iteration=1000000000", "step=dW9", "step=<b>dW1</b>", "given=1",
    "start=%3Cscript%3Ealert(1)%3C/script%3E", "start=random\"); import os #", "activation=eval", "hidden=129",
    "mistake=../../etc", "large=1", "hide=seed,<img src=x onerror=alert(1)>", "%", "%FF=1", "seed=%FF", "a=b=c",
    "seed=" + "9" * LONGEST, "cell=dW1[1,0]", "cell=X[9,9]", "cell=slope of H9[0,0]", "x" * 10**6, "then=3:0",
    "then=9999999:1", "then=3:0.1:7", "network=ReLU", "W1=1", "cell=X", "then=99999:.1,1:.11,99998:.1",
    "then=3:0.1,3:0.2", "iteration=100000",
    *(address_of({"problem": mazur()}).replace(*change) for change in [
        ("X=0.05", "X=nan"), ("X=0.05", "X=1e999"), ("X=0.05", "X=" + "[" * 99), ("X=0.05", "X=__import__('os')"),
        ("X=0.05", "X="), ("X=0.05,0.1", "X=0.05;0.1"), ("X=0.05", "X=" + "1," * 999 + "1"), ("&y=", "&y=1&y="),
        ("y=0.01,0.99", "y=0.01,0.99;1,1"), ("W1=0.15,0.25;0.2,0.3", "W1=1,2"), ("W2=", "W3="),
        ("network=Linear", "network=eval"), ("Linear,Sigmoid&", "Linear&W3=1&"), ("half", "exec"),
        ("lr=0.5", "lr=-0.5"), ("lr=0.5", "lr=0.5&start=random"), ("lr=0.5", "lr=0.5&optimizer=eval(1)"),
        ("lr=0.5", "lr=0.5&optimizer=Adam(2)"), ("lr=0.5", "lr=0.5&optimizer=Adam(0.9,0.9,0,0,0)"),
        ("lr=0.5", "lr=0.5&penalty=L2"), ("lr=0.5", "lr=0.5&penalty=L2(-1)"), ("lr=0.5", "lr=0.5&count=3"),
        ("lr=0.5", "lr=0.5&vW1=1,2;3,4"), ("lr=0.5", "lr=0.5&optimizer=momentum&vW1=1,2"),
        ("Linear,Sigmoid&", "Linear,Dropout(1)&"), ("Linear,Sigmoid&", "Linear,Dropout&"),
        ("Linear,Sigmoid&", "Linear,Linear(3)&"), ("Linear,Sigmoid&", "Linear,BatchNorm&"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("address", "why"), [
    ("start=%ff", "a % in it stands for no letter"),
    ("start", "it has a part without a name and a value"),
    ("seed=" + "9" * 5000, "seed is a whole number such as 3"),
])  # fmt: skip
def test_a_link_that_cannot_be_read_says_why(address, why):
    with pytest.raises(ValueError, match=why):
        place_in(address)


@pytest.mark.parametrize("address", HOSTILE, ids=lambda address: address[:40].encode("unicode_escape").decode())
def test_a_link_that_names_no_place_is_refused_without_markup(address):
    inside = '<div class="bpl-refused" role="alert">(.*?) <a href="./index.html">Open the lab [^<]*</a></div>'
    (sentence,) = re.fullmatch(inside, opened(address).value).groups()
    assert not set('<>"\n\0') & set(sentence)
    assert 20 < len(sentence) < 3000
    assert "code" not in address or re.search("any of start, seed, .*; this one has &#x27;code&#x27;", sentence)


BIG = "start=random&samples=64&inputs=64&hidden=64&layers=5&outputs=64"


@pytest.mark.parametrize("network", ["lr=1e-9", BIG, address_of({"problem": mazur()})], ids=["small", "big", "own"])
def test_a_link_says_how_far_it_goes_and_goes_no_further(network):
    said = opened(f"{network}&iteration=100000").value
    (most,) = re.findall(r"at an iteration up to ([0-9,]+), .*; this one asks for 100,000\. In a notebook, ", said)
    most = int(most.replace(",", ""))
    lab = opened(f"{network}&iteration={most}")
    assert lab.link().endswith(f"&iteration={most}")
    numbers = sum(np.size(value) for value in lab.trace.values())
    assert 25_000_000 < most * max(10_000, numbers) <= 30_000_000
    lab.stepper.next_iteration()
    with pytest.raises(ValueError, match=f"up to {most:,}, .* asks for {most + 1:,}"):
        lab.link()
    for further in (f"iteration={most + 1}", f"then={most + 1}:0.1"):
        assert f"asks for {most + 1:,}" in opened(f"{network}&{further}").value


def test_a_link_plants_no_mistake_in_a_network_too_large_to_prove():
    said = opened(f"{BIG}&mistake=mask-forgotten").value
    assert re.search("up to 26,086 numbers a step, or a browser .*; here are 173,186. Take fewer samples, units", said)
    lab = opened(f"{BIG.replace('64', '16')}&mistake=mask-forgotten")
    assert sum(np.size(value) for value in lab.trace.values()) < 26_086
    lab.stepper.set_up(**dict.fromkeys(("samples", "inputs", "hidden", "outputs"), 30))
    with pytest.raises(ValueError, match="up to 26,086 numbers a step"):
        lab.link()


def test_opening_a_link_shows_the_lab_once_however_often_the_learning_rate_changed(monkeypatch):
    shown = []
    monkeypatch.setattr(StepThrough, "_show", lambda lab: shown.append(lab.stepper.place.iteration))
    opened(f"then={','.join(f'{k}:{k}e-6' for k in range(1, 200))}&iteration=300&step=dW1&cell=dW1[0,0]")
    assert shown == [0, 300]
