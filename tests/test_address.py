"""A link to the lab: what it holds is read as data, and whatever is no place in the lab is refused with a sentence."""

import re

import numpy as np
import pytest

from backprop_lab import worked_example
from backprop_lab.ui.opening import opened
from backprop_lab.ui.steps.address import LONGEST, READ, address_of, place_in
from backprop_lab.ui.steps.lab import StepThrough
from backprop_lab.ui.steps.setup import STARTS

PLACES = [
    {},
    {"step": "dW1"},
    {"start": "random", "seed": 3, "lr": 0.05, "iteration": 2, "step": "dW1"},
    {"start": "dead ReLU", "samples": 4, "inputs": 2, "hidden": 5, "layers": 2, "outputs": 1, "activation": "Tanh"},
    {"start": "iris", "seed": 5, "loss": "mean of squares"},
    {"start": "random", "seed": 10**30, "lr": 1e-06, "mistake": "sign-flipped", "hide": ["lr", "seed"], "large": True},
    {"questions": "tour"},
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_link_opens_the_lab_where_the_call_does_that_it_stands_for(place):
    assert place_in(address_of(place)) == place
    assert opened(address_of(place)).call() == StepThrough(**place).call()


def test_a_link_may_hold_whatever_a_call_of_the_lab_shows():
    assert {name for place in PLACES for name in place} == READ.keys()


@pytest.mark.parametrize("seed", range(20))
def test_a_link_that_a_lab_gives_opens_the_same_state_number_by_number(seed):
    rng = np.random.default_rng(seed)
    lab = StepThrough(start=str(rng.choice([name for name in STARTS if name != "worked example"])), seed=seed)
    lab.stepper.set_lr(float(10 ** rng.uniform(-4, -1)))
    for _ in range(rng.integers(40)):
        lab.stepper.next()
    again = opened(lab.link().partition("#")[2])
    one, other = lab.stepper.place, again.stepper.place
    assert again.call() == lab.call()
    assert (one.iteration, one.index) == (other.iteration, other.index)
    assert all(np.array_equal(one.trace[name], other.trace[name], equal_nan=True) for name in one.trace)


def test_a_lab_says_what_no_link_can_hold(monkeypatch):
    monkeypatch.setenv("BACKPROP_LAB_SITE", "https://example.org/lab")
    lab = StepThrough(step="dW1")
    assert lab.link() == lab._view.state["below"]["link"] == "https://example.org/lab/run/open/#step=dW1"
    lab.stepper.choose(("W1", 0, 0), pinned=True)
    lab.stepper.edit(0.5)
    for but in (lab, StepThrough(worked_example())):
        with pytest.raises(ValueError, match=r"A link holds no numbers of your own yet\."):
            but.link()
        assert not but._view.state["below"]["link"]


HOSTILE = [
    "code=print(1)", "code=print(1)&execute=1", "execute=1", "kernel=python", "__class__=x", "mistakes=1", "X=1",
    "=1", "seed", "seed=", "seed=-1", "seed=1.5", "seed=1e3", "seed=0x10", "seed=1_000",
    "seed=\N{ARABIC-INDIC DIGIT THREE}", "seed=3&seed=4", "seed=3;lr=1", "seed=__import__('os')", "seed=3)",
    "seed=True", "seed=nan", "seed= 3", "seed=3%00", "lr=nan", "lr=inf", "lr=-1", "lr=0", "lr=1e999", "lr=1e9999",
    "lr=1j", "lr=1/3", "lr=", "lr=0.1%0A", "lr=1,5", "iteration=1000000000", "iteration=-1", "iteration=2**9",
    "step=", "step=dW9", "step=dW1%22)", "step=<b>dW1</b>", "start=custom", "start=as given", "given=1",
    "start=%3Cscript%3Ealert(1)%3C/script%3E", "start=random\"); import os #", "activation=eval", "activation=ReLU()",
    "hidden=0", "hidden=129", "layers=99999999999999999999", "samples=[2]", "mistake=none of them",
    "mistake=../../etc", "hide=everything", "hide=", "hide=seed,<img src=x onerror=alert(1)>", "large=1",
    "large=false", "%", "%FF=1", "seed=%FF", "&", "&&&", "a=b=c", "javascript:alert(1)", "seed=" + "9" * LONGEST,
    "x" * 10**6,
]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE, ids=lambda address: address[:40].encode("unicode_escape").decode())
def test_a_link_that_names_no_place_in_the_lab_is_refused_in_words_of_which_none_is_markup(address):
    told = opened(address)
    assert type(told).__name__ == "HTML"
    sentence, link = re.fullmatch(
        r'<div class="bpl-refused" role="alert">(.*?) (<a href.*</a>)</div>', told.value
    ).groups()
    assert not set('<>"\n\0') & set(sentence)
    assert 20 < len(sentence) < 3000
    assert link == '<a href="./index.html">Open the lab at its beginning</a>'


def test_a_refusal_names_what_is_wrong_and_what_would_be_right():
    with pytest.raises(ValueError, match=r"any of start, seed, .*; this one has 'code'"):
        place_in("code=1")
    with pytest.raises(ValueError, match=r"lr is a number such as 0\.05; this one has 'fast'"):
        place_in("lr=fast")
