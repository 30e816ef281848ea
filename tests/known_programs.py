"""Programs of other people: 21 that courses ask for, with every gradient, and 40 from papers and courses."""

import json
import re
from pathlib import Path

import numpy as np

from backprop_lab import program

DATA = Path(__file__).parent / "data"
PROGRAMS = {each["name"]: each for each in json.loads((DATA / "programs.json").read_text(encoding="utf-8"))}


def given_of(name):
    """What one of PROGRAMS learns, and its data."""
    given = {key: np.array(value) for key, value in PROGRAMS[name]["given"].items()}
    learnt = {key: value for key, value in given.items() if key in PROGRAMS[name]["gradients"]}
    return learnt, {key: value for key, value in given.items() if key not in learnt}


def _drawn(rng, text):
    """What `W(3,2) y<3(4)` and so on stand for: see the first lines of the file."""
    found = {}
    for name, kind, sizes in re.findall(r"(\w+)(<\d+|:\w+)?\(([\d,]*)\)", text):
        shape = tuple(map(int, filter(None, sizes.split(","))))
        numbers = rng.standard_normal(shape)
        match kind:
            case "":
                found[name] = np.array(numbers)
            case ":hot":
                found[name] = np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
            case ":mask":
                found[name] = np.tri(*shape)
            case ":bits":
                found[name] = np.array(numbers > 0, dtype=float)
            case ":rows":
                found[name] = np.exp(numbers) / np.exp(numbers).sum(axis=1, keepdims=True)
            case ":plus":
                found[name] = np.exp(numbers)
            case _:
                found[name] = rng.integers(int(kind[1:]), size=shape)
    return found


def _forty():
    """By name: the lines, what is learnt, and the data."""
    _, *blocks = (DATA / "forty_programs.txt").read_text(encoding="utf-8").split("\n\n")
    for seed, block in enumerate(blocks):
        head, learnt, given, *lines = block.strip().splitlines()
        rng = np.random.default_rng(seed)
        yield head.partition(":")[0], ("\n".join(lines), _drawn(rng, learnt), _drawn(rng, given))


FORTY = dict(_forty())


def programmed(name, **options):
    """One of PROGRAMS as a problem."""
    return program(PROGRAMS[name]["lines"], *given_of(name), **options)
