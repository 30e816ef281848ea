"""A link to the lab: what it holds is read as data, and whatever is no place in the lab is refused with a sentence."""

import re
from urllib.parse import urlencode

import pytest

from backprop_lab.ui.opening import opened
from backprop_lab.ui.steps.address import LONGEST, READ, place_in
from backprop_lab.ui.steps.lab import StepThrough

PLACES = [
    {},
    {"step": "dW1"},
    {"start": "random", "seed": 3, "lr": 0.05, "iteration": 2, "step": "dW1"},
    {"start": "dead ReLU", "samples": 4, "inputs": 2, "hidden": 5, "layers": 2, "outputs": 1, "activation": "Tanh"},
    {"start": "random", "seed": 10**30, "lr": 1e-06, "mistake": "sign-flipped", "hide": ["lr", "seed"], "large": True},
]


def as_a_link(place):
    texts = {name: ",".join(value) if name == "hide" else str(value) for name, value in place.items()}
    return urlencode(texts | ({"large": "true"} if "large" in place else {}))


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_link_opens_the_lab_where_the_call_does_that_it_stands_for(place):
    assert place_in(as_a_link(place)) == place
    assert opened(as_a_link(place)).call() == StepThrough(**place).call()


def test_a_link_may_hold_whatever_a_call_of_the_lab_shows():
    assert {name for place in PLACES for name in place} == READ.keys()


HOSTILE = [
    "code=print(1)", "code=print(1)&execute=1", "execute=1", "kernel=python", "__class__=x", "mistakes=1", "X=1", "=1",
    "seed", "seed=", "seed=-1", "seed=1.5", "seed=1e3", "seed=0x10", "seed=1_000", "seed=\N{ARABIC-INDIC DIGIT THREE}",
    "seed=3&seed=4", "seed=3;lr=1", "seed=__import__('os')", "seed=3)", "seed=True", "seed=nan", "seed= 3", "seed=3%00",
    "lr=nan", "lr=inf", "lr=-1", "lr=0", "lr=1e999", "lr=1e9999", "lr=1j", "lr=1/3", "lr=", "lr=0.1%0A", "lr=1,5",
    "iteration=1000000000", "iteration=-1", "iteration=2**9", "step=", "step=dW9", "step=dW1%22)", "step=<b>dW1</b>",
    "start=custom", "start=%3Cscript%3Ealert(1)%3C/script%3E", "start=random\"); import os #", "activation=eval",
    "activation=ReLU()", "hidden=0", "hidden=9", "layers=99999999999999999999", "samples=[2]", "mistake=none of them",
    "mistake=../../etc", "hide=everything", "hide=", "hide=seed,<img src=x onerror=alert(1)>", "large=1", "large=false",
    "%", "%FF=1", "seed=%FF", "&", "&&&", "a=b=c", "javascript:alert(1)", "seed=" + "9" * LONGEST, "x" * 10**6,
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
